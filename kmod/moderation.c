// SPDX-License-Identifier: GPL-2.0
/*
 * Notification moderation: fewer wake-ups than batches.
 *
 * Each done ring has a timer of its own.  A notification that is held back stands in
 * &nb_moderation.held, and the timer is armed; it ends as soon as there is a reason, see
 * nb_moderation_is_due(), at the latest when the timer expires.  None is lost:
 *
 *    who notifies                         timer
 *
 *    publish the ring                     clear held               (a barrier, T)
 *    set held                             look at the ring
 *    it was clear: arm the timer          wake, if there is something to reap
 *
 * Both operations on held are full barriers: either the timer clears it, and then sees the
 * entries; or it has not been there yet, or is armed anew.
 *
 * A new setting ends what is held back, also what is just about to be:
 *
 *    who notifies                         who sets
 *
 *    read the setting                     write the setting
 *    set held           (a barrier, M')   full fence                       (M)
 *    arm the timer                        read held; if it is set,
 *    read the setting again; if that        let the timer expire now
 *      would not be held back so,
 *      let the timer expire now
 *
 * One of the two sees what the other has written.  If both arm the timer, the lock of the
 * timer's base orders that: who notifies and comes last sees the new setting.
 *
 * Adaptive moderation needs no clock.  A frontend that has reaped all that it was told of
 * may be asleep, and is woken at once: so a lone packet, or a response to a request,
 * never waits.  One that has not is at work, or about to be: it finds what comes
 * meanwhile by itself, and if it has just looked for the last time, the timer tells it.
 *
 * The frontend's indices decide about its own wake-ups, and nothing else.
 *
 * nb_moderation_lock makes a setting one, for who writes and who shows it: frontends,
 * operators and ethtool have no lock in common.  Who notifies takes none.  The timer runs in
 * softirq context.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/spinlock.h>

#include "compat.h"
#include "event.h"
#include "ioctl.h"
#include "moderation.h"
#include "notify.h"
#include "queue.h"
#include "trace.h"

static DEFINE_SPINLOCK(nb_moderation_lock);

const struct nb_queue_moderation nb_moderation_default = {
	.size = sizeof(nb_moderation_default),
	.tx_usecs = NB_DEFAULT_MODERATION_USECS,
	.rx_usecs = NB_DEFAULT_MODERATION_USECS,
	.adaptive = NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX,
};

static const struct nb_ring *nb_moderation_ring(const struct nb_queue *queue, u32 what)
{
	return what == NB_NEED_NOTIFY_TX ? &queue->tx_done : &queue->rx_done;
}

static struct nb_moderation *nb_moderation_of(struct nb_queue *queue, u32 what)
{
	return what == NB_NEED_NOTIFY_TX ? &queue->tx_moderation : &queue->rx_moderation;
}

/* ---- data path ----------------------------------------------------------- */

/* Is there a reason to wake the frontend now? */
static bool nb_moderation_is_due(const struct nb_queue *queue,
				 const struct nb_moderation *mod,
				 const struct nb_ring *done, u32 what)
{
	u32 reaped = READ_ONCE(*done->peer_shared);
	u32 waiting = READ_ONCE(*done->pos_shared) - reaped;
	u32 frames = READ_ONCE(mod->frames);

	if (READ_ONCE(mod->adaptive) &&
	    ((s32)(reaped - READ_ONCE(mod->told)) >= 0 || atomic_read(&queue->waiters)))
		return true;
	if (waiting >= done->size / 2 || (frames && waiting >= frames))
		return true;
	/* It has no other buffers. */
	return what == NB_NEED_NOTIFY_RX && nb_rx_waiting(queue);
}

static void nb_moderation_arm(struct nb_moderation *mod, u32 usecs)
{
	hrtimer_start(&mod->timer, ns_to_ktime((u64)usecs * NSEC_PER_USEC),
		      HRTIMER_MODE_REL_PINNED_SOFT);
}

bool nb_moderation_holds(struct nb_queue *queue, u32 what)
{
	struct nb_moderation *mod = nb_moderation_of(queue, what);
	const struct nb_ring *done = nb_moderation_ring(queue, what);
	u32 usecs = READ_ONCE(mod->usecs);

	if (!usecs || nb_moderation_is_due(queue, mod, done, what)) {
		WRITE_ONCE(mod->told, READ_ONCE(*done->pos_shared));
		if (atomic_read(&mod->held))
			atomic_set(&mod->held, 0);
		return false;
	}
	atomic64_inc(&queue->held_back);
	nb_trace_notify_held(queue, what);
	if (atomic_xchg(&mod->held, 1))
		return true;
	nb_moderation_arm(mod, usecs);
	/* Who has set it meanwhile may not have seen that something is held back. */
	if (unlikely(READ_ONCE(mod->usecs) != usecs ||
		     nb_moderation_is_due(queue, mod, done, what)))
		nb_moderation_arm(mod, 0);
	return true;
}

/* Wake the frontend, unless it has found by itself what was held back. */
static void nb_moderation_expire(struct nb_queue *queue, struct nb_moderation *mod, u32 what)
{
	const struct nb_ring *done = nb_moderation_ring(queue, what);

	if (!atomic_xchg(&mod->held, 0) || !nb_ring_has_unreaped(done))
		return;
	WRITE_ONCE(mod->told, READ_ONCE(*done->pos_shared));
	nb_notify_now(queue, what);
}

static enum hrtimer_restart nb_moderation_tx_expired(struct hrtimer *timer)
{
	struct nb_queue *queue = container_of(timer, struct nb_queue, tx_moderation.timer);

	nb_moderation_expire(queue, &queue->tx_moderation, NB_NEED_NOTIFY_TX);
	return HRTIMER_NORESTART;
}

static enum hrtimer_restart nb_moderation_rx_expired(struct hrtimer *timer)
{
	struct nb_queue *queue = container_of(timer, struct nb_queue, rx_moderation.timer);

	nb_moderation_expire(queue, &queue->rx_moderation, NB_NEED_NOTIFY_RX);
	return HRTIMER_NORESTART;
}

static void nb_moderation_cancel_one(struct nb_queue *queue, u32 what)
{
	struct nb_moderation *mod = nb_moderation_of(queue, what);

	hrtimer_cancel(&mod->timer);
	atomic_set(&mod->held, 0);
	WRITE_ONCE(mod->told, READ_ONCE(*nb_moderation_ring(queue, what)->pos_shared));
}

void nb_moderation_cancel(struct nb_queue *queue)
{
	nb_moderation_cancel_one(queue, NB_NEED_NOTIFY_TX);
	nb_moderation_cancel_one(queue, NB_NEED_NOTIFY_RX);
}

/* ---- life and parameters ------------------------------------------------- */

static int nb_moderation_check_one(u32 usecs, u32 frames, bool adaptive,
				   const char *which, struct nb_msg *msg)
{
	if (usecs > NB_MAX_MODERATION_USECS) {
		nb_msg(msg, "%s_usecs is %u, at most %u is possible", which, usecs,
		       NB_MAX_MODERATION_USECS);
		return -EINVAL;
	}
	if (frames > NB_MAX_RING_ENTRIES) {
		nb_msg(msg, "%s_frames is %u, at most %u is possible", which, frames,
		       NB_MAX_RING_ENTRIES);
		return -EINVAL;
	}
	if (!usecs && (frames || adaptive)) {
		nb_msg(msg, "%s_usecs is 0: nothing would end what is held back", which);
		return -EINVAL;
	}
	return 0;
}

int nb_moderation_check(const struct nb_queue_moderation *arg, struct nb_msg *msg)
{
	int err;

	if (arg->reserved || (arg->adaptive & ~(NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX))) {
		nb_msg(msg, "reserved is not 0, or adaptive has unknown bits");
		return -EINVAL;
	}
	err = nb_moderation_check_one(arg->tx_usecs, arg->tx_frames,
				      arg->adaptive & NB_NEED_NOTIFY_TX, "tx", msg);
	return err ?: nb_moderation_check_one(arg->rx_usecs, arg->rx_frames,
					      arg->adaptive & NB_NEED_NOTIFY_RX, "rx", msg);
}

/* Return: whether that is another than before. */
static bool nb_moderation_set_one(struct nb_moderation *mod, u32 usecs, u32 frames,
				  bool adaptive)
{
	bool changed = mod->usecs != usecs || mod->frames != frames ||
		       mod->adaptive != adaptive;

	lockdep_assert_held(&nb_moderation_lock);
	WRITE_ONCE(mod->usecs, usecs);
	WRITE_ONCE(mod->frames, frames);
	WRITE_ONCE(mod->adaptive, adaptive);
	smp_mb(); /* (M), pairs with atomic_xchg() in nb_moderation_holds() */
	/* It may have been held back for longer. */
	if (atomic_read(&mod->held))
		nb_moderation_arm(mod, 0);
	return changed;
}

void nb_moderation_set(struct nb_queue *queue, const struct nb_queue_moderation *arg)
{
	bool changed;

	spin_lock(&nb_moderation_lock);
	changed = nb_moderation_set_one(&queue->tx_moderation, arg->tx_usecs, arg->tx_frames,
					arg->adaptive & NB_NEED_NOTIFY_TX);
	changed |= nb_moderation_set_one(&queue->rx_moderation, arg->rx_usecs, arg->rx_frames,
					 arg->adaptive & NB_NEED_NOTIFY_RX);
	spin_unlock(&nb_moderation_lock);
	if (changed)
		nb_event_note_queue(queue, NB_QUEUE_EVENT_MODERATION);
}

void nb_moderation_get(const struct nb_queue *queue, struct nb_queue_moderation *arg)
{
	const struct nb_moderation *tx = &queue->tx_moderation, *rx = &queue->rx_moderation;

	spin_lock(&nb_moderation_lock);
	arg->tx_usecs = tx->usecs;
	arg->tx_frames = tx->frames;
	arg->rx_usecs = rx->usecs;
	arg->rx_frames = rx->frames;
	arg->adaptive = (tx->adaptive ? NB_NEED_NOTIFY_TX : 0) |
			(rx->adaptive ? NB_NEED_NOTIFY_RX : 0);
	spin_unlock(&nb_moderation_lock);
	arg->reserved = 0;
}

void nb_moderation_init(struct nb_queue *queue)
{
	nb_hrtimer_setup(&queue->tx_moderation.timer, nb_moderation_tx_expired,
			 CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
	nb_hrtimer_setup(&queue->rx_moderation.timer, nb_moderation_rx_expired,
			 CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
	nb_moderation_set(queue, &nb_moderation_default);
}

void nb_moderation_exit(struct nb_queue *queue)
{
	hrtimer_cancel(&queue->tx_moderation.timer);
	hrtimer_cancel(&queue->rx_moderation.timer);
}
