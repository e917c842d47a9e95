// SPDX-License-Identifier: GPL-2.0
/*
 * Wakes the frontend: sleepers in ENTER and poll(), and the call eventfd.
 *
 * No wake-up is lost:
 *
 *    kernel                              frontend
 *
 *    publish tx-done or rx-done          set need_notify, or sleep in ENTER
 *    full fence               (C)        full fence                       (C')
 *    read need_notify, waiters           look at tx-done and rx-done
 *    wake                                sleep, if there is nothing
 *
 * (C) pairs with (C'), which stands in libnb's nb_queue_set_need_notify() and in
 * nb_queue_wait() of enter.c: one of the two sees what the other has written.
 *
 * Owns &nb_queue.call, which is read under RCU.
 */
#include <linux/eventfd.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>

#include "compat.h"
#include "notify.h"
#include "queue.h"
#include "trace.h"

static void nb_notify_wake(struct nb_queue *queue, u32 what, __poll_t mask)
{
	struct eventfd_ctx *call;

	atomic64_inc(&queue->notifies);
	nb_trace_notify(queue, what);
	wake_up_interruptible_poll(&queue->wait, mask);
	rcu_read_lock();
	call = rcu_dereference(queue->call);
	if (call)
		nb_eventfd_signal(call);
	rcu_read_unlock();
}

void nb_notify_state(struct nb_queue *queue)
{
	nb_notify_wake(queue, 0, EPOLLIN | EPOLLRDNORM | EPOLLERR);
}

bool nb_notify_wanted(struct nb_queue *queue, u32 what)
{
	smp_mb(); /* (C) */
	return (READ_ONCE(*queue->need_notify) & what) || atomic_read(&queue->waiters);
}

void nb_notify_now(struct nb_queue *queue, u32 what)
{
	if (nb_notify_wanted(queue, what))
		nb_notify_wake(queue, what, EPOLLIN | EPOLLRDNORM);
}

static noinline void nb_notify_moderated(struct nb_queue *queue, u32 what)
{
	if (!nb_moderation_holds(queue, what))
		nb_notify_wake(queue, what, EPOLLIN | EPOLLRDNORM);
}

void nb_notify(struct nb_queue *queue, u32 what)
{
	if (nb_notify_wanted(queue, what))
		nb_notify_moderated(queue, what);
}

void nb_notify_set_call(struct nb_queue *queue, struct eventfd_ctx *call)
{
	struct eventfd_ctx *old;

	old = rcu_replace_pointer(queue->call, call, lockdep_is_held(&queue->doorbell_lock));
	if (!old)
		return;
	synchronize_rcu();
	eventfd_ctx_put(old);
}
