// SPDX-License-Identifier: GPL-2.0
/*
 * ENTER: take what is in tx-avail, tell the backend of new buffers, wait.
 *
 * nb_queue_drive() is what moves packets from guest to host, whoever calls it.  It
 * holds &nb_queue.tx_lock; inside, batch by batch, bottom halves are off and an RCU
 * read section protects memory and backend.  Process context.
 */
#include <linux/bottom_half.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "capture.h"
#include "notify.h"
#include "poller.h"
#include "queue.h"
#include "trace.h"
#include "zerocopy.h"

#define NB_ENTER_FLAGS \
	(NB_ENTER_TX | NB_ENTER_RX | NB_ENTER_WAIT_TX | NB_ENTER_WAIT_RX)

static unsigned int nb_queue_drop_batch(struct nb_tx_batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->n_packets; i++)
		if (batch->packet[i].status == NB_TX_OK)
			nb_packet_drop(&batch->packet[i], NB_DROP_LINK_DOWN);
	return batch->n_packets;
}

/* Offer the batch to the backend.  Return: packets taken. */
static unsigned int nb_queue_offer(struct nb_queue *queue)
{
	struct nb_tx_batch *batch = queue->batch;
	const struct nb_backend *backend = queue->backend;

	if (unlikely(backend && READ_ONCE(backend->link_disabled)))
		return nb_queue_drop_batch(batch);
	return queue->ops->tx(queue, batch->packet, batch->n_packets);
}

/* Does what comes go nowhere, and need not be looked at?  Nor shown to anybody. */
static bool nb_queue_discards(const struct nb_queue *queue)
{
	const struct nb_backend *backend = queue->backend;

	return queue->ops->tx == nb_tx_discard && !queue->batch->skip_tails &&
	       !(backend && READ_ONCE(backend->link_disabled)) &&
	       !trace_nb_tx_packet_enabled();
}

/* nb_queue_take() while somebody captures packets of the endpoint. */
static noinline int nb_queue_take_captured(struct nb_queue *queue, unsigned int max_segs,
					   struct nb_enter *result)
{
	struct nb_capture_batch copies;
	unsigned int taken = 0;
	int err;

	err = nb_tx_fetch(queue, max_segs);
	if (err)
		return err;
	if (queue->batch->n_packets) {
		nb_capture_offer(queue, &copies);
		taken = nb_queue_offer(queue);
		nb_capture_taken(&copies, taken);
	}
	queue->tx_blocked = taken < queue->batch->n_packets;
	return nb_tx_complete(queue, taken, &result->tx_completed);
}

/* Take one batch.  Return: segments taken, or an errno. */
static int nb_queue_take(struct nb_queue *queue, unsigned int max_segs,
			 struct nb_enter *result)
{
	unsigned int taken = 0;
	int err;

	if (nb_capturing(queue))
		return nb_queue_take_captured(queue, max_segs, result);
	if (nb_queue_discards(queue)) {
		err = nb_tx_discard_singles(queue, max_segs);
		if (err > 0)
			result->tx_completed += err;
		if (err)
			return err;
	}
	err = nb_tx_fetch(queue, max_segs);
	if (err)
		return err;
	if (queue->batch->n_packets)
		taken = nb_queue_offer(queue);
	queue->tx_blocked = taken < queue->batch->n_packets;
	return nb_tx_complete(queue, taken, &result->tx_completed);
}

static int nb_queue_tx_batch(struct nb_queue *queue, unsigned int max_segs,
			     struct nb_enter *result)
{
	int segs;

	local_bh_disable();
	rcu_read_lock();
	segs = nb_queue_take(queue, max_segs, result);
	rcu_read_unlock();
	local_bh_enable();
	result->tx_completed += nb_zerocopy_reap(queue);
	if (segs > 0)
		result->tx_consumed += segs;
	return segs;
}

/*
 * What is there now, at most a ring's worth: who posts more, meanwhile or then, calls or
 * kicks again, or there is a poller, which looks again.  Nothing more for who is killed.
 */
static int nb_queue_tx(struct nb_queue *queue, struct nb_enter *result)
{
	int left = queue->tx_avail.size;
	int segs;

	do {
		segs = nb_queue_tx_batch(queue, max(left, NB_MAX_SEGMENTS), result);
		if (segs < 0)
			return segs;
		left -= segs;
		cond_resched();
	} while (segs && left > 0 && nb_ring_pending(&queue->tx_avail) && !queue->tx_blocked &&
		 !nb_queue_check(queue) && !fatal_signal_pending(current));
	return 0;
}

/* Who is killed may not have sent what the backend had left, which goes on by itself. */
static void nb_queue_leave_blocked(struct nb_queue *queue)
{
	if (!nb_ring_pending(&queue->tx_avail))
		return;
	queue->tx_blocked = true;
	nb_poller_go_on(queue);
}

static void nb_queue_rx_avail(struct nb_queue *queue)
{
	if (!queue->ops->rx_avail)
		return;
	local_bh_disable();
	rcu_read_lock();
	queue->ops->rx_avail(queue);
	rcu_read_unlock();
	local_bh_enable();
}

int nb_queue_drive(struct nb_queue *queue, u32 flags, struct nb_enter *result)
{
	bool tx_blocked;
	int err;

	mutex_lock(&queue->tx_lock);
	err = nb_queue_check(queue);
	if (err)
		goto out;

	result->tx_completed += nb_zerocopy_reap(queue);
	tx_blocked = queue->tx_blocked;
	if (flags & NB_ENTER_RX)
		nb_queue_rx_avail(queue);
	if ((flags & NB_ENTER_TX) || tx_blocked)
		err = nb_queue_tx(queue, result);
	if (tx_blocked && unlikely(fatal_signal_pending(current)))
		nb_queue_leave_blocked(queue);
	if (err) {
		nb_queue_set_state(queue, NB_QUEUE_FAILED);
		/* The kind lets go of what waits for buffers. */
		nb_queue_rx_avail(queue);
	} else if (result->tx_completed) {
		nb_notify(queue, NB_NEED_NOTIFY_TX);
	}
	err = nb_queue_check(queue);
out:
	mutex_unlock(&queue->tx_lock);
	return err;
}

static bool nb_queue_ready(const struct nb_queue *queue, u32 flags)
{
	if ((flags & NB_ENTER_WAIT_TX) && nb_ring_has_unreaped(&queue->tx_done))
		return true;
	if ((flags & NB_ENTER_WAIT_RX) && nb_ring_has_unreaped(&queue->rx_done))
		return true;
	return nb_queue_check(queue);
}

/* The kernel's macro looks at what its timer changes, which is not for KCSAN. */
static __no_kcsan int nb_queue_sleep(struct nb_queue *queue, u32 flags, u64 timeout_ns)
{
	if (timeout_ns == NB_NO_TIMEOUT)
		return wait_event_interruptible(queue->wait, nb_queue_ready(queue, flags));
	return wait_event_interruptible_hrtimeout(queue->wait, nb_queue_ready(queue, flags),
						  min_t(u64, timeout_ns, KTIME_MAX));
}

/* Not inline: who does not wait need not save registers for it. */
static noinline int nb_queue_wait(struct nb_queue *queue, u32 flags, u64 timeout_ns)
{
	int err;

	if (nb_queue_ready(queue, flags))
		return nb_queue_check(queue);
	if (!timeout_ns)
		return -ETIME;

	atomic_inc(&queue->waiters);
	smp_mb__after_atomic(); /* (C') of notify.c */
	err = nb_queue_sleep(queue, flags, timeout_ns);
	atomic_dec(&queue->waiters);
	if (err == -ERESTARTSYS)
		return -EINTR;
	return err ?: nb_queue_check(queue);
}

static int nb_enter_copy(struct nb_enter *enter, void __user *arg)
{
	u32 size;

	if (get_user(size, (__u32 __user *)arg))
		return -EFAULT;
	if (size < sizeof(*enter))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(enter, sizeof(*enter), arg, size);
}

long nb_queue_enter(struct nb_queue *queue, void __user *arg)
{
	struct nb_enter __user *uenter = arg;
	struct nb_enter enter;
	int err;

	err = nb_enter_copy(&enter, arg);
	if (err)
		return err;
	if (enter.flags & ~NB_ENTER_FLAGS)
		return -EINVAL;

	enter.tx_consumed = 0;
	enter.tx_completed = 0;
	atomic64_inc(&queue->enters);
	nb_trace_doorbell(queue, NB_DOORBELL_ENTER, enter.flags);
	err = nb_queue_drive(queue, enter.flags, &enter);
	/* It takes over what comes next. */
	if (unlikely(queue->thread) && READ_ONCE(queue->thread_asleep))
		wake_up_process(queue->thread);
	if (!err && (enter.flags & (NB_ENTER_WAIT_TX | NB_ENTER_WAIT_RX)))
		err = nb_queue_wait(queue, enter.flags, enter.timeout_ns);

	if (put_user(enter.tx_consumed, &uenter->tx_consumed) ||
	    put_user(enter.tx_completed, &uenter->tx_completed))
		return -EFAULT;
	return err;
}
