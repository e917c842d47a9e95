// SPDX-License-Identifier: GPL-2.0
/*
 * The poller: a thread that drives its queue, so that the frontend makes no system call.
 *
 * It looks at the four indices that the frontend writes, and drives the queue when one
 * has changed in a way that matters, or when nb_poller_go_on() says so.  When neither has
 * happened for the queue's idle time it sleeps, and need_wakeup says so:
 *
 *    poller                               frontend
 *
 *    thread_asleep = true                 publish an index
 *    need_wakeup |= TX, and RX if wanted  full fence
 *    full fence                 (E)       read need_wakeup                 (E')
 *    look at the indices                  ENTER or kick, if it says so
 *    sleep, if nothing has changed
 *
 * (E) pairs with (E'): one of the two sees what the other has written.  ENTER drives the
 * queue itself, and wakes the poller for what comes next.
 *
 * That the backend waits for buffers stands in &nb_queue.rx_wanted, see buffer.c, and is
 * shown in need_wakeup only while the poller sleeps:
 *
 *    poller                               backend, nb_rx_want()
 *
 *    thread_asleep = true                 rx_wanted |= RX
 *    full fence                 (F)       full fence                       (F')
 *    need_wakeup |= rx_wanted             if thread_asleep: need_wakeup |= RX
 *
 * selftests/model has a model of both, in which nothing more is in order than that.
 *
 * Process context.  Takes &nb_queue.tx_lock to drive, as everybody does.
 */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>

#include "ioctl.h"
#include "poller.h"
#include "queue.h"
#include "queue_thread.h"
#include "trace.h"

/* Nanoseconds without work after which a poller sleeps, by default. */
#define NB_POLL_IDLE		(50 * NSEC_PER_USEC)

/**
 * struct nb_poll_seen - the frontend's indices before the queue was driven last
 * @tx_avail: segments
 * @tx_done: completions reaped
 * @rx_avail: buffers
 * @rx_done: packets reaped
 */
struct nb_poll_seen {
	u32 tx_avail;
	u32 tx_done;
	u32 rx_avail;
	u32 rx_done;
};

/*
 * Before what nb_queue_drive() reads then: of buffers that a backend was too late to see, it
 * has to see that the backend waits, as they do not count as new any more.
 */
static void nb_poll_look(const struct nb_queue *queue, struct nb_poll_seen *seen)
{
	seen->tx_avail = smp_load_acquire(queue->tx_avail.peer_shared); /* (P) */
	seen->tx_done = smp_load_acquire(queue->tx_done.peer_shared); /* (P) */
	seen->rx_avail = smp_load_acquire(queue->rx_avail.peer_shared); /* (P) */
	seen->rx_done = smp_load_acquire(queue->rx_done.peer_shared); /* (P) */
}

/* Does it matter what has changed since the queue was driven last? */
static bool nb_poll_has_work(const struct nb_queue *queue, const struct nb_poll_seen *last,
			     const struct nb_poll_seen *now)
{
	if (now->tx_avail != last->tx_avail)
		return true;
	if (now->tx_done != last->tx_done &&
	    now->tx_avail != READ_ONCE(*queue->tx_avail.pos_shared))
		return true;
	return (now->rx_avail != last->rx_avail || now->rx_done != last->rx_done) &&
	       nb_rx_waiting(queue);
}

/* Sleep until somebody wakes us, unless there is something to do. */
static void nb_poll_sleep(struct nb_queue *queue, const struct nb_poll_seen *last)
{
	struct nb_poll_seen now;
	long may_sleep;

	set_current_state(TASK_IDLE);
	WRITE_ONCE(queue->thread_asleep, true);
	smp_mb(); /* (F) */
	atomic_or(NB_NEED_WAKEUP_TX | atomic_read(queue->rx_wanted), queue->need_wakeup);
	smp_mb__after_atomic(); /* (E) */
	nb_poll_look(queue, &now);
	may_sleep = nb_thread_may_sleep(queue);
	if (may_sleep && !nb_poll_has_work(queue, last, &now) && !READ_ONCE(queue->go_on) &&
	    !kthread_should_stop()) {
		schedule_timeout(may_sleep);
		atomic64_inc(&queue->kicks);
		nb_trace_doorbell(queue, NB_DOORBELL_WAKE, 0);
	}
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(queue->thread_asleep, false);
	/* A backend that has just seen us asleep may set it again: one ENTER too many. */
	atomic_set(queue->need_wakeup, 0);
}

/* A queue that does not run is not driven, until nb_queue_resume() if ever. */
static void nb_poll_wait_for_resume(const struct nb_queue *queue)
{
	set_current_state(TASK_IDLE);
	while (!kthread_should_stop() && nb_queue_check(queue)) {
		schedule();
		set_current_state(TASK_IDLE);
	}
	__set_current_state(TASK_RUNNING);
}

static int nb_poll_thread(void *data)
{
	struct nb_queue *queue = data;
	struct nb_poll_seen last = {}, now;
	u64 idle_since = local_clock();
	bool more = true;

	/* It may never have been started. */
	if (kthread_should_stop())
		return 0;
	nb_thread_place(queue);
	atomic_set(queue->need_wakeup, 0);
	while (!kthread_should_stop()) {
		struct nb_enter result = {};

		nb_thread_place(queue);
		nb_poll_look(queue, &now);
		if (unlikely(READ_ONCE(queue->go_on))) {
			smp_store_mb(queue->go_on, false); /* then what has come back */
			more = true;
		}
		if (more || nb_poll_has_work(queue, &last, &now)) {
			last = now;
			if (nb_queue_drive(queue, NB_ENTER_TX | NB_ENTER_RX, &result)) {
				nb_poll_wait_for_resume(queue);
				more = true;
			} else {
				more = result.tx_consumed;
			}
			idle_since = local_clock();
		} else if (local_clock() - idle_since >= queue->poll_idle) {
			nb_poll_sleep(queue, &last);
			idle_since = local_clock();
		} else {
			cpu_relax();
		}
		/* It may never sleep, which others wait for. */
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

int nb_poll_thread_create(struct nb_queue *queue, u32 endpoint_id, u32 idle_us,
			  struct nb_msg *msg)
{
	struct task_struct *thread = nb_thread_create(queue, nb_poll_thread, endpoint_id, msg);

	if (IS_ERR(thread))
		return PTR_ERR(thread);
	queue->poll_idle = idle_us ? (u64)idle_us * NSEC_PER_USEC : NB_POLL_IDLE;
	queue->rx_wanted = &queue->rx_wanted_unshared;
	queue->thread = thread;
	return 0;
}
