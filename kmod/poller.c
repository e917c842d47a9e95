// SPDX-License-Identifier: GPL-2.0
/*
 * Kicks: the frontend writes to an eventfd, and a thread of the queue's does what ENTER
 * does.  The thread is made when the first eventfd is set, by and at the cost of who sets
 * it, and goes with the queue.  A queue with a poller has that one woken instead.
 *
 * The same thread goes on with what has been left, when nobody drives the queue: packets of
 * zero-copy transmit that have come back, and those that kind attach now has room for.  Such
 * a queue has its thread from the beginning, so that the time is its maker's.
 *
 * &nb_queue.doorbell_lock protects which eventfds are set, and that there is one thread;
 * what the kernel takes to make a thread is taken inside.  The wait queue of the eventfd
 * calls nb_kick_wake() with its own lock held, in any context; that one only wakes the
 * thread.  Who has it go on finds the thread under RCU, which is how long one that has ended
 * can be woken.
 *
 * A kick that comes while the thread drives the queue is not lost:
 *
 *    thread                               who kicks
 *
 *    kicked = false                       publish an index
 *    full fence                 (K)       full fence, kicked = true        (K')
 *    look at the indices                  wake the thread, if kicked was false
 *
 * and wake_up_process() is a full fence against set_current_state(), as always.  Who finds
 * that it was true already leaves that to who made it so.  &nb_queue.go_on is the same, for
 * what has come back instead of an index.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "endpoint.h"
#include "ioctl.h"
#include "notify.h"
#include "poller.h"
#include "queue.h"
#include "queue_thread.h"
#include "trace.h"

static void nb_kick_run(struct nb_queue *queue)
{
	struct nb_enter result = {};

	atomic64_inc(&queue->kicks);
	nb_trace_doorbell(queue, NB_DOORBELL_RUN, 0);
	if (nb_queue_drive(queue, NB_ENTER_TX | NB_ENTER_RX, &result))
		return;
	/* A ring's worth was taken, and there may be more: others have their turn. */
	if (result.tx_consumed >= queue->tx_avail.size)
		WRITE_ONCE(queue->kicked, true);
}

static void nb_kick_go_on(struct nb_queue *queue)
{
	struct nb_enter result = {};

	smp_store_mb(queue->go_on, false); /* then what has come back */
	nb_queue_drive(queue, 0, &result);
}

static int nb_kick_thread(void *data)
{
	struct nb_queue *queue = data;

	/* It may never have been started. */
	if (kthread_should_stop())
		return 0;
	nb_thread_place(queue);
	while (!kthread_should_stop()) {
		long may_sleep;

		set_current_state(TASK_IDLE);
		may_sleep = nb_thread_may_sleep(queue);
		if (may_sleep && !READ_ONCE(queue->kicked) && !READ_ONCE(queue->go_on) &&
		    !kthread_should_stop())
			schedule_timeout(may_sleep);
		__set_current_state(TASK_RUNNING);
		nb_thread_place(queue);
		if (READ_ONCE(queue->kicked)) {
			smp_store_mb(queue->kicked, false); /* (K) */
			nb_kick_run(queue);
		}
		if (READ_ONCE(queue->go_on))
			nb_kick_go_on(queue);
		/* Who kicks all the time keeps it from sleeping, which others wait for. */
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

/* Any context. */
static void nb_kick(struct nb_queue *queue)
{
	nb_trace_doorbell(queue, NB_DOORBELL_KICK, 0);
	if (queue->thread)
		wake_up_process(queue->thread);
	else if (!xchg(&queue->kicked, true)) /* (K') */
		wake_up_process(queue->kick_thread);
}

void nb_poller_go_on(struct nb_queue *queue)
{
	struct task_struct *thread;

	rcu_read_lock();
	thread = READ_ONCE(queue->thread) ?: READ_ONCE(queue->kick_thread);
	if (thread && !xchg(&queue->go_on, true))
		wake_up_process(thread);
	rcu_read_unlock();
}

static int nb_kick_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct nb_queue *queue = container_of(wait, struct nb_queue, kick_wait);
	u64 count;

	if (!(key_to_poll(key) & EPOLLIN))
		return 0;
	eventfd_ctx_do_read(queue->kick_ctx, &count);
	nb_kick(queue);
	return 0;
}

struct nb_kick_poll {
	struct poll_table_struct table;
	struct nb_queue *queue;
};

static void nb_kick_add_wait(struct file *file, wait_queue_head_t *head,
			     struct poll_table_struct *table)
{
	struct nb_kick_poll *poll = container_of(table, struct nb_kick_poll, table);

	add_wait_queue(head, &poll->queue->kick_wait);
}

/* Begin to listen, and take a kick that came before. */
static void nb_kick_listen(struct nb_queue *queue, struct file *file,
			   struct eventfd_ctx *ctx)
{
	struct nb_kick_poll poll = { .queue = queue };

	queue->kick_file = file;
	queue->kick_ctx = ctx;
	init_waitqueue_func_entry(&queue->kick_wait, nb_kick_wake);
	init_poll_funcptr(&poll.table, nb_kick_add_wait);
	if (vfs_poll(file, &poll.table) & EPOLLIN)
		nb_kick(queue);
}

static void nb_kick_unlisten(struct nb_queue *queue)
{
	u64 count;

	if (!queue->kick_file)
		return;
	eventfd_ctx_remove_wait_queue(queue->kick_ctx, &queue->kick_wait, &count);
	eventfd_ctx_put(queue->kick_ctx);
	fput(queue->kick_file);
	queue->kick_file = NULL;
	queue->kick_ctx = NULL;
}

void nb_poller_set_target(struct nb_queue *queue)
{
	struct task_struct *thread = queue->thread ?: READ_ONCE(queue->kick_thread);

	/* It moves by itself. */
	if (thread)
		wake_up_process(thread);
}

/* Make the thread that kicks wake, unless the queue has one that does. */
static int nb_kick_create_thread(struct nb_queue *queue, u32 endpoint_id, struct nb_msg *msg)
{
	struct task_struct *thread;

	lockdep_assert_held(&queue->doorbell_lock);
	if (queue->thread || queue->kick_thread)
		return 0;
	thread = nb_thread_create(queue, nb_kick_thread, endpoint_id, msg);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	WRITE_ONCE(queue->kick_thread, thread);
	return 0;
}

int nb_poller_create_thread(struct nb_queue *queue, u32 endpoint_id, struct nb_msg *msg)
{
	int err;

	mutex_lock(&queue->doorbell_lock);
	err = nb_kick_create_thread(queue, endpoint_id, msg);
	mutex_unlock(&queue->doorbell_lock);
	return err;
}

void nb_poller_start(struct nb_queue *queue)
{
	struct task_struct *thread = queue->thread ?: READ_ONCE(queue->kick_thread);

	if (thread)
		kthread_unpark(thread);
}

/* The file of an eventfd, or NULL for -1. */
static struct file *nb_eventfd_file(int fd, const char *which, struct nb_msg *msg)
{
	struct file *file;

	if (fd == -1)
		return NULL;
	file = eventfd_fget(fd);
	if (IS_ERR(file)) {
		nb_msg(msg, "%s %d is not an eventfd, nor -1 for none", which, fd);
		return ERR_PTR(-EBADF);
	}
	return file;
}

/* Keeps the file of the first one. */
static void nb_poller_replace_eventfds(struct nb_queue *queue, struct file *kick,
				       struct file *call)
{
	lockdep_assert_held(&queue->doorbell_lock);
	nb_kick_unlisten(queue);
	nb_notify_set_call(queue, call ? eventfd_ctx_fileget(call) : NULL);
	if (kick)
		nb_kick_listen(queue, kick, eventfd_ctx_fileget(kick));
}

int nb_poller_set_eventfds(struct nb_queue *queue, int kick_fd, int call_fd,
			   struct nb_msg *msg)
{
	struct file *kick, *call;
	int err = 0;

	kick = nb_eventfd_file(kick_fd, "kick_fd", msg);
	if (IS_ERR(kick))
		return PTR_ERR(kick);
	call = nb_eventfd_file(call_fd, "call_fd", msg);
	if (IS_ERR(call)) {
		if (kick)
			fput(kick);
		return PTR_ERR(call);
	}

	mutex_lock(&queue->doorbell_lock);
	if (kick)
		err = nb_kick_create_thread(queue, queue->endpoint->id, msg);
	if (!err) {
		nb_poller_start(queue);
		nb_poller_replace_eventfds(queue, kick, call);
	}
	mutex_unlock(&queue->doorbell_lock);

	if (err && kick)
		fput(kick);
	if (call)
		fput(call);
	return err;
}

void nb_poller_stop(struct nb_queue *queue)
{
	struct task_struct *thread = queue->thread ?: queue->kick_thread;

	/* From here on nobody finds it: nb_poller_go_on(). */
	WRITE_ONCE(queue->thread, NULL);
	WRITE_ONCE(queue->kick_thread, NULL);
	if (thread)
		nb_thread_stop(queue, thread);
}

void nb_poller_attach(struct nb_queue *queue)
{
	mutex_init(&queue->doorbell_lock);
}

void nb_poller_detach(struct nb_queue *queue)
{
	mutex_lock(&queue->doorbell_lock);
	nb_kick_unlisten(queue);
	nb_notify_set_call(queue, NULL);
	mutex_unlock(&queue->doorbell_lock);
	nb_poller_stop(queue);
}
