// SPDX-License-Identifier: GPL-2.0
/*
 * Live migration of a queue: quiesce, save, restore on a new queue, resume.
 *
 * A quiesced queue stands still.  Whoever drives it does so under &nb_queue.tx_lock and
 * asks nb_queue_check() there; its receive side does the same under what serialises it,
 * see &nb_queue_ops.quiesce.  So under @tx_lock a quiesced queue belongs to this file,
 * rings and all, until nb_queue_resume() lets go of it.
 *
 * What user space gives to be restored is no more than four indices of the kernel's own,
 * each of which may have any value, since a ring starts from it empty; a bit; and
 * counters, which are shown to whoever has the queue's fd and to nobody else.
 *
 * Process context.
 */
#include <linux/bottom_half.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "event.h"
#include "ioctl.h"
#include "notify.h"
#include "queue.h"
#include "trace.h"
#include "zerocopy.h"

static_assert(sizeof(struct nb_queue_stats) - offsetof(struct nb_queue_stats, tx_packets) ==
	      NB_SAVED_COUNTERS * sizeof(u64));

static void nb_queue_call_quiesce(struct nb_queue *queue)
{
	local_bh_disable();
	rcu_read_lock();
	if (queue->ops->quiesce)
		queue->ops->quiesce(queue);
	else
		nb_rx_quiesce(queue);
	rcu_read_unlock();
	local_bh_enable();
}

/* 0 if the queue is quiesced, else why not. */
static int nb_queue_check_quiesced(const struct nb_queue *queue, struct nb_msg *msg)
{
	int err = nb_queue_check(queue);

	lockdep_assert_held(&queue->tx_lock);
	if (err == -ESHUTDOWN)
		return 0;
	if (!err) {
		nb_msg(msg, "the queue is not quiesced");
		return -EBADFD;
	}
	nb_msg(msg, "the queue has stopped for good");
	return err;
}

/* Nothing is in flight.  The state changes to quiesced, unless there is another reason. */
static int nb_queue_stand_still(struct nb_queue *queue, struct nb_msg *msg)
{
	int err = nb_queue_check(queue);

	lockdep_assert_held(&queue->tx_lock);
	if (!err) {
		nb_queue_call_quiesce(queue);
		err = nb_queue_check_quiesced(queue, msg);
	} else if (err == -ESHUTDOWN) {
		nb_msg(msg, "the queue is already quiesced");
		err = -EBADFD;
	} else {
		nb_msg(msg, "the queue has stopped for good");
	}
	return err;
}

/*
 * Wait for what is in flight, or leave it.  What is left of that is in @zerocopy, and how
 * many packets those are in @left.
 */
static int nb_queue_settle(struct nb_queue *queue, const struct nb_queue_quiesce *arg,
			   struct nb_zerocopy **zerocopy, unsigned int *left,
			   struct nb_msg *msg)
{
	u64 timeout_ns = arg->timeout_ns ?: NB_DEFAULT_QUIESCE_TIMEOUT_NS;
	int err = nb_zerocopy_settle(queue, timeout_ns);

	if (err == -ETIME && (arg->flags & NB_QUIESCE_LEAVE)) {
		*zerocopy = nb_zerocopy_leave(queue, left);
		return *zerocopy ? 0 : -ENOMEM;
	}
	if (err == -ETIME)
		nb_msg(msg, "the host has not yet let go of %u packets without a copy",
		       nb_zerocopy_pending(queue));
	else if (err)
		nb_msg(msg, "interrupted while packets without a copy are in flight");
	return err;
}

int nb_queue_quiesce(struct nb_queue *queue, const struct nb_queue_quiesce *arg,
		     struct nb_msg *msg)
{
	struct nb_zerocopy *zerocopy = NULL;
	unsigned int left = 0;
	int err;

	mutex_lock(&queue->tx_lock);
	err = nb_queue_settle(queue, arg, &zerocopy, &left, msg);
	if (!err)
		err = nb_queue_stand_still(queue, msg);
	mutex_unlock(&queue->tx_lock);
	if (zerocopy)
		nb_zerocopy_left(zerocopy);
	if (err)
		return err;
	nb_moderation_cancel(queue);
	nb_notify_state(queue);
	return left;
}

int nb_queue_resume(struct nb_queue *queue, struct nb_msg *msg)
{
	struct nb_enter result = {};
	u32 old;
	int err;

	mutex_lock(&queue->tx_lock);
	err = nb_queue_check_quiesced(queue, msg);
	if (!err) {
		/* A full barrier, which pairs with nb_queue_check(). */
		old = nb_event_change_state(queue, NB_QUEUE_QUIESCED, NB_QUEUE_RUNNING);
		/* The backend may leave at any time. */
		if (old != NB_QUEUE_QUIESCED) {
			nb_msg(msg, "the backend has just left");
			err = nb_queue_state_errno(old);
		} else {
			trace_nb_queue_state(queue, old, NB_QUEUE_RUNNING);
		}
	}
	mutex_unlock(&queue->tx_lock);
	/* For what was posted, kicked for, and made available meanwhile. */
	if (!err) {
		nb_queue_drive(queue, NB_ENTER_TX | NB_ENTER_RX, &result);
		if (queue->thread)
			wake_up_process(queue->thread);
	}
	return err;
}

/* The counters of a struct nb_queue_stats, as the array that is saved. */
static u64 *nb_stats_counters(struct nb_queue_stats *stats)
{
	return &stats->tx_packets;
}

void nb_queue_total_stats(struct nb_queue *queue, struct nb_queue_stats *stats)
{
	u64 *counters = nb_stats_counters(stats);
	unsigned int i;

	nb_queue_read_stats(queue, stats);
	for (i = 0; i < NB_SAVED_COUNTERS; i++)
		counters[i] += READ_ONCE(queue->restored[i]);
}

static struct nb_ring *nb_queue_ring(struct nb_queue *queue, enum nb_ring_id id)
{
	switch (id) {
	case NB_RING_TX_AVAIL:
		return &queue->tx_avail;
	case NB_RING_TX_DONE:
		return &queue->tx_done;
	case NB_RING_RX_AVAIL:
		return &queue->rx_avail;
	default:
		return &queue->rx_done;
	}
}

static int nb_queue_check_reaped(const struct nb_queue *queue, struct nb_msg *msg)
{
	if (!nb_ring_has_unreaped(&queue->tx_done) && !nb_ring_has_unreaped(&queue->rx_done))
		return 0;
	nb_msg(msg, "tx-done or rx-done has entries that have not been reaped");
	return -EBADFD;
}

static void nb_queue_fill_saved(struct nb_queue *queue, struct nb_queue_saved *saved)
{
	struct nb_queue_stats stats = {};
	u64 *counters = nb_stats_counters(&stats);
	int i;

	lockdep_assert_held(&queue->tx_lock);
	for (i = 0; i < NB_N_RINGS; i++) {
		const struct nb_ring *ring = nb_queue_ring(queue, i);

		saved->entries[i] = ring->size;
		saved->index[i] = ring->pos;
	}
	saved->skip_tails = queue->batch->skip_tails;
	saved->reserved = 0;
	nb_queue_read_stats(queue, &stats);
	for (i = 0; i < NB_SAVED_COUNTERS; i++)
		saved->counters[i] = counters[i] + queue->restored[i];
}

int nb_queue_save(struct nb_queue *queue, struct nb_queue_saved *saved,
		  struct nb_msg *msg)
{
	int err;

	mutex_lock(&queue->tx_lock);
	err = nb_queue_check_quiesced(queue, msg);
	if (!err)
		err = nb_queue_check_reaped(queue, msg);
	if (!err)
		nb_queue_fill_saved(queue, saved);
	mutex_unlock(&queue->tx_lock);
	return err;
}

static int nb_queue_check_saved(struct nb_queue *queue, const struct nb_queue_saved *saved,
				struct nb_msg *msg)
{
	int i;

	if (saved->skip_tails > 1 || saved->reserved) {
		nb_msg(msg, "skip_tails is not 0 or 1, or reserved not 0");
		return -EINVAL;
	}
	for (i = 0; i < NB_N_RINGS; i++) {
		const struct nb_ring *ring = nb_queue_ring(queue, i);

		if (saved->entries[i] != ring->size) {
			nb_msg(msg, "ring %d had %u entries, and has %u now", i,
			       saved->entries[i], ring->size);
			return -EINVAL;
		}
		if (ring->pos || READ_ONCE(*ring->peer_shared)) {
			nb_msg(msg, "the queue has already been used");
			return -EBADFD;
		}
	}
	return 0;
}

static void nb_queue_use_saved(struct nb_queue *queue, const struct nb_queue_saved *saved)
{
	int i;

	lockdep_assert_held(&queue->tx_lock);
	for (i = 0; i < NB_N_RINGS; i++)
		nb_ring_restart(nb_queue_ring(queue, i), saved->index[i]);
	nb_moderation_cancel(queue);
	queue->batch->skip_tails = saved->skip_tails;
	for (i = 0; i < NB_SAVED_COUNTERS; i++)
		WRITE_ONCE(queue->restored[i], saved->counters[i]);
}

int nb_queue_restore(struct nb_queue *queue, const struct nb_queue_saved *saved,
		     struct nb_msg *msg)
{
	int err;

	mutex_lock(&queue->tx_lock);
	err = nb_queue_check_quiesced(queue, msg);
	if (!err)
		err = nb_queue_check_saved(queue, saved, msg);
	if (!err)
		nb_queue_use_saved(queue, saved);
	mutex_unlock(&queue->tx_lock);
	return err;
}
