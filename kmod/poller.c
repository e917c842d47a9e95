// SPDX-License-Identifier: GPL-2.0
/*
 * Kicks: the frontend writes to an eventfd, and a worker on the queue's target CPU
 * does what ENTER does.
 *
 * &nb_queue.doorbell_lock protects which eventfds are set; it is taken alone.  The
 * wait queue of the eventfd calls nb_kick_wake() with its own lock held, in any
 * context; that one only queues the work.
 */
#include <linux/cpumask.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "ioctl.h"
#include "notify.h"
#include "poller.h"
#include "queue.h"
#include "trace.h"

static struct workqueue_struct *nb_workqueue;

void nb_poller_queue_work(struct nb_queue *queue, struct work_struct *work)
{
	u32 cpu = READ_ONCE(queue->target_cpu);

	/* One that never was online has no workers; one that goes now still has. */
	if (cpu == NB_ANY_CPU || !cpu_online(cpu))
		cpu = WORK_CPU_UNBOUND;
	queue_work_on(cpu, nb_workqueue, work);
}

static void nb_kick_queue_work(struct nb_queue *queue)
{
	nb_poller_queue_work(queue, &queue->kick_work);
}

static void nb_kick_run(struct work_struct *work)
{
	struct nb_queue *queue = container_of(work, struct nb_queue, kick_work);
	struct nb_enter result = {};

	atomic64_inc(&queue->kicks);
	nb_trace_doorbell(queue, NB_DOORBELL_RUN, 0);
	if (nb_queue_drive(queue, NB_ENTER_TX | NB_ENTER_RX, &result))
		return;
	/* A ring's worth was taken, and there may be more: after the others. */
	if (result.tx_consumed >= queue->tx_avail.size)
		nb_kick_queue_work(queue);
}

/* Any context. */
static void nb_kick(struct nb_queue *queue)
{
	nb_trace_doorbell(queue, NB_DOORBELL_KICK, 0);
	if (queue->thread)
		wake_up_process(queue->thread);
	else
		nb_kick_queue_work(queue);
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

int nb_poller_set_eventfds(struct nb_queue *queue, int kick_fd, int call_fd,
			   struct nb_msg *msg)
{
	struct file *kick, *call;

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
	nb_kick_unlisten(queue);
	nb_notify_set_call(queue, call ? eventfd_ctx_fileget(call) : NULL);
	if (kick)
		nb_kick_listen(queue, kick, eventfd_ctx_fileget(kick));
	mutex_unlock(&queue->doorbell_lock);

	if (call)
		fput(call);
	return 0;
}

void nb_poller_attach(struct nb_queue *queue)
{
	mutex_init(&queue->doorbell_lock);
	INIT_WORK(&queue->kick_work, nb_kick_run);
}

void nb_poller_detach(struct nb_queue *queue)
{
	mutex_lock(&queue->doorbell_lock);
	nb_kick_unlisten(queue);
	nb_notify_set_call(queue, NULL);
	mutex_unlock(&queue->doorbell_lock);
	cancel_work_sync(&queue->kick_work);
	nb_poll_thread_stop(queue);
}

int nb_poller_init(void)
{
	nb_workqueue = alloc_workqueue("net_backend", WQ_CPU_INTENSIVE | WQ_PERCPU, 0);
	return nb_workqueue ? 0 : -ENOMEM;
}

void nb_poller_exit(void)
{
	destroy_workqueue(nb_workqueue);
}
