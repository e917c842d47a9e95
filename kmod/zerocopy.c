// SPDX-License-Identifier: GPL-2.0
/*
 * Zero-copy transmit: slots, one for each packet that is in flight.
 *
 * The skb of such a packet has pages of guest memory as fragments, and holds a reference
 * to each: neither removing the region nor the end of the frontend takes them away.  Its
 * shared info points to the slot, as for MSG_ZEROCOPY; when the last skb that shares it
 * is gone, or the stack has copied the payload because it goes to a socket, it calls
 * nb_zerocopy_complete().  From there the slot goes by a lock-free list to whoever drives
 * the queue, and its packet to tx-done.
 *
 * The guest may write to the payload at any time, as a sender with MSG_ZEROCOPY may: the
 * stack knows by SKBFL_SHARED_FRAG.  Headers are in the linear part, and were copied.
 *
 * Most packets that the stack copies after all cost more than if they had been copied at
 * once: then it is no longer tried, but for a packet now and then.  See nb_zerocopy_judge().
 *
 * &struct nb_zerocopy belongs to the queue, but for @done, @driven and @queue, and to what
 * is in flight: the last one frees it.  It holds the module.  A queue that is not to wait for
 * what is in flight gets another one, see nb_zerocopy_leave().
 *
 * Takes no locks.  nb_zerocopy_complete() runs in any context, all else under
 * &nb_queue.tx_lock, if not said otherwise.
 */
#include <linux/bottom_half.h>
#include <linux/cpumask.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "compat.h"
#include "notify.h"
#include "packet.h"
#include "poller.h"
#include "zerocopy.h"

/* Packets in flight; at most half of tx-done, so that others always have room. */
#define NB_ZEROCOPY_SLOTS	128

/* Scores of &nb_zerocopy.score. */
#define NB_ZEROCOPY_BEST	64
#define NB_ZEROCOPY_COPIED	8
/* Packets that are copied at once before one more is tried. */
#define NB_ZEROCOPY_PAUSE	256

/**
 * struct nb_zerocopy_slot - a packet that is in flight
 * @ubuf: what the skbs point to; counts them
 * @node: in &nb_zerocopy.done or &nb_zerocopy.free
 * @zerocopy: whose slot it is
 * @id: of the packet
 * @status: that it is to be completed with
 * @copied: the stack has copied it after all
 * @taken: it is in flight, or has come back and is not yet reaped
 */
struct nb_zerocopy_slot {
	struct ubuf_info ubuf;
	struct llist_node node;
	struct nb_zerocopy *zerocopy;
	u32 id;
	u16 status;
	bool copied;
	bool taken;
};

/**
 * struct nb_zerocopy - a queue's slots
 * @ref: held by the queue and by each packet in flight
 * @rcu: frees it
 * @queue: the queue, or NULL when it is gone; under RCU
 * @done: slots that have come back
 * @driven: who drives the queue will look at @done; else its thread has to
 * @free: slots that are not used
 * @pending: packets in flight, or in @done
 * @limit: of @pending
 * @score: what comes of trying: see nb_zerocopy_judge()
 * @skip: packets that are to be copied before the next is tried
 * @settling: how many wait for something to come back; meanwhile everything is copied
 * @slots: all slots
 */
struct nb_zerocopy {
	struct kref ref;
	struct rcu_head rcu;
	struct nb_queue __rcu *queue;
	struct llist_head done;
	bool driven;

	struct llist_node *free;
	unsigned int pending;
	unsigned int limit;
	int score;
	unsigned int skip;
	unsigned int settling;
	struct nb_zerocopy_slot slots[NB_ZEROCOPY_SLOTS];
};

/* ---- life ---------------------------------------------------------------- */

/* nb_exit() waits for it. */
static void nb_zerocopy_free(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct nb_zerocopy, rcu));
	module_put(THIS_MODULE);
}

static void nb_zerocopy_release(struct kref *ref)
{
	call_rcu(&container_of(ref, struct nb_zerocopy, ref)->rcu, nb_zerocopy_free);
}

static struct nb_zerocopy *nb_zerocopy_create(struct nb_queue *queue)
{
	struct nb_zerocopy *zc = kzalloc(sizeof(*zc), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!zc)
		return NULL;
	kref_init(&zc->ref);
	init_llist_head(&zc->done);
	zc->limit = min_t(u32, NB_ZEROCOPY_SLOTS, queue->tx_done.size / 2);
	zc->score = NB_ZEROCOPY_BEST;
	for (i = 0; i < NB_ZEROCOPY_SLOTS; i++) {
		zc->slots[i].zerocopy = zc;
		zc->slots[i].node.next = zc->free;
		zc->free = &zc->slots[i].node;
	}
	__module_get(THIS_MODULE);
	RCU_INIT_POINTER(zc->queue, queue);
	return zc;
}

int nb_zerocopy_attach(struct nb_queue *queue)
{
	queue->zerocopy = nb_zerocopy_create(queue);
	return queue->zerocopy ? 0 : -ENOMEM;
}

/* What is in flight has nobody to come back to any more. */
static void nb_zerocopy_cut_off(struct nb_zerocopy *zc)
{
	/* Who has the queue go on does so in an RCU read section. */
	rcu_assign_pointer(zc->queue, NULL);
	synchronize_rcu();
}

void nb_zerocopy_detach(struct nb_queue *queue)
{
	if (!queue->zerocopy)
		return;
	nb_zerocopy_cut_off(queue->zerocopy);
	kref_put(&queue->zerocopy->ref, nb_zerocopy_release);
	queue->zerocopy = NULL;
}

/* ---- in flight ----------------------------------------------------------- */

/* Tell whoever drives the queue. */
static void nb_zerocopy_come_back(struct nb_zerocopy_slot *slot)
{
	struct nb_zerocopy *zc = slot->zerocopy;
	struct nb_queue *queue;

	rcu_read_lock();
	/* A full barrier (Z'), which pairs with (Z): one of us sees the other. */
	llist_add(&slot->node, &zc->done);
	queue = rcu_dereference(zc->queue);
	if (queue && !READ_ONCE(zc->driven)) {
		nb_poller_go_on(queue);
		/* For nb_zerocopy_settle(), which pairs as well. */
		if (READ_ONCE(zc->settling))
			wake_up(&queue->wait);
	}
	kref_put(&zc->ref, nb_zerocopy_release);
	rcu_read_unlock();
}

/* An skb lets go of the payload; any context. */
static void nb_zerocopy_complete(struct sk_buff *skb, struct ubuf_info *ubuf, bool success)
{
	struct nb_zerocopy_slot *slot = container_of(ubuf, struct nb_zerocopy_slot, ubuf);

	if (!success)
		WRITE_ONCE(slot->copied, true);
	if (refcount_dec_and_test(&ubuf->refcnt))
		nb_zerocopy_come_back(slot);
}

NB_DEFINE_UBUF_OPS(nb_zerocopy_ubuf_ops, nb_zerocopy_complete);

struct nb_zerocopy_slot *nb_zerocopy_take(struct nb_queue *queue)
{
	struct nb_zerocopy *zc = queue->zerocopy;
	struct nb_zerocopy_slot *slot;

	if (zc->skip) {
		zc->skip--;
		return NULL;
	}
	if (zc->pending == zc->limit || zc->settling)
		return NULL;
	slot = llist_entry(zc->free, struct nb_zerocopy_slot, node);
	zc->free = slot->node.next;
	slot->taken = true;
	zc->pending++;
	return slot;
}

/*
 * A packet that was copied after all, or was tried in vain, has cost about as much more as
 * several have saved.  When most are, stop trying; then a single one decides whether it is
 * worth it again.
 */
static void nb_zerocopy_judge(struct nb_zerocopy *zc, bool copied)
{
	if (!copied) {
		zc->score = min(zc->score + 1, NB_ZEROCOPY_BEST);
		return;
	}
	zc->score -= NB_ZEROCOPY_COPIED;
	if (zc->score <= 0) {
		zc->score = 1;
		zc->skip = NB_ZEROCOPY_PAUSE;
	}
}

static void nb_zerocopy_free_slot(struct nb_zerocopy *zc, struct nb_zerocopy_slot *slot)
{
	slot->taken = false;
	slot->node.next = zc->free;
	zc->free = &slot->node;
	zc->pending--;
}

void nb_zerocopy_give_back(struct nb_queue *queue, struct nb_zerocopy_slot *slot)
{
	nb_zerocopy_judge(queue->zerocopy, true);
	nb_zerocopy_free_slot(queue->zerocopy, slot);
}

void nb_zerocopy_start(struct nb_queue *queue, struct nb_zerocopy_slot *slot,
		       const struct nb_packet *packet, struct sk_buff *skb)
{
	struct nb_zerocopy *zc = queue->zerocopy;
	struct nb_tx_batch *batch = queue->batch;

	WRITE_ONCE(zc->driven, true);
	nb_ubuf_set_ops(&slot->ubuf, &nb_zerocopy_ubuf_ops);
	refcount_set(&slot->ubuf.refcnt, 1);
	/* Also through veth and the like: the stack copies where a packet is received. */
	slot->ubuf.flags = SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN;
	slot->id = packet->seg->id;
	slot->copied = false;
	kref_get(&zc->ref);
	skb_zcopy_init(skb, &slot->ubuf);
	batch->slot[packet->seg - batch->seg] = slot;
	batch->n_slots++;
}

void nb_zerocopy_sent(struct nb_zerocopy_slot *slot, u16 status)
{
	slot->status = status;
}

unsigned int __nb_zerocopy_pending(const struct nb_queue *queue)
{
	return queue->zerocopy->pending;
}

/* ---- completion ---------------------------------------------------------- */

static void nb_zerocopy_post(struct nb_queue *queue, const struct nb_zerocopy_slot *slot,
			     struct nb_tx_counts *counts)
{
	struct nb_tx_completion *entries = queue->tx_done.entries;
	struct nb_ring *ring = &queue->tx_done;
	struct nb_tx_completion *done = &entries[ring->pos++ & ring->mask];

	done->id = slot->id;
	done->status = slot->status;
	if (unlikely(slot->status != NB_TX_OK))
		return;
	if (READ_ONCE(slot->copied))
		counts->zerocopy_copied++;
	else
		counts->zerocopy++;
}

static void nb_zerocopy_publish(struct nb_queue *queue, const struct nb_tx_counts *counts)
{
	local_bh_disable();
	nb_queue_add_tx(queue, counts);
	local_bh_enable();
	nb_ring_publish(&queue->tx_done);
}

unsigned int __nb_zerocopy_reap(struct nb_queue *queue)
{
	struct nb_zerocopy *zc = queue->zerocopy;
	struct nb_zerocopy_slot *slot, *next;
	struct nb_tx_counts counts = {};
	struct llist_node *list;
	unsigned int n = 0;

	lockdep_assert_held(&queue->tx_lock);
	if (!zc->pending)
		return 0;
	WRITE_ONCE(zc->driven, false);
	/* A full barrier, too (Z). */
	list = llist_reverse_order(llist_del_all(&zc->done));
	llist_for_each_entry_safe(slot, next, list, node) {
		nb_zerocopy_post(queue, slot, &counts);
		if (likely(slot->status == NB_TX_OK))
			nb_zerocopy_judge(zc, slot->copied);
		nb_zerocopy_free_slot(zc, slot);
		n++;
	}
	if (!n)
		return 0;
	nb_zerocopy_publish(queue, &counts);
	if (zc->settling)
		wake_up(&queue->wait);
	return n;
}

/* ---- quiesce ------------------------------------------------------------- */

/*
 * Wait until something has come back, or the queue has stopped.  Who leaves what is in
 * flight replaces the queue's slots meanwhile, so these are held.
 */
static int nb_zerocopy_wait(struct nb_queue *queue, struct nb_zerocopy *zc, ktime_t until)
{
	ktime_t left = until == KTIME_MAX ? KTIME_MAX :
		       max_t(ktime_t, ktime_sub(until, ktime_get()), 0);
	int err;

	kref_get(&zc->ref);
	WRITE_ONCE(zc->settling, zc->settling + 1);
	mutex_unlock(&queue->tx_lock);
	err = wait_event_interruptible_hrtimeout(queue->wait,
						 !llist_empty(&zc->done) ||
						 !READ_ONCE(zc->pending) ||
						 READ_ONCE(queue->zerocopy) != zc ||
						 nb_queue_check(queue), left);
	mutex_lock(&queue->tx_lock);
	WRITE_ONCE(zc->settling, zc->settling - 1);
	kref_put(&zc->ref, nb_zerocopy_release);
	return err == -ERESTARTSYS ? -EINTR : err;
}

int nb_zerocopy_settle(struct nb_queue *queue, u64 timeout_ns)
{
	ktime_t until = timeout_ns == NB_NO_TIMEOUT ? KTIME_MAX :
			ktime_add_safe(ktime_get(), min_t(u64, timeout_ns, KTIME_MAX));
	int err = 0;

	lockdep_assert_held(&queue->tx_lock);
	while (queue->zerocopy && !nb_queue_check(queue)) {
		if (nb_zerocopy_reap(queue))
			nb_notify(queue, NB_NEED_NOTIFY_TX);
		if (!queue->zerocopy->pending)
			break;
		if (err)
			return err;
		err = nb_zerocopy_wait(queue, queue->zerocopy, until);
	}
	return 0;
}

struct nb_zerocopy *nb_zerocopy_leave(struct nb_queue *queue, unsigned int *left)
{
	struct nb_zerocopy *zc = queue->zerocopy, *next;
	struct nb_tx_counts counts = {};
	unsigned int i;

	lockdep_assert_held(&queue->tx_lock);
	next = nb_zerocopy_create(queue);
	if (!next)
		return NULL;
	for (i = 0, *left = 0; i < NB_ZEROCOPY_SLOTS; i++) {
		if (!zc->slots[i].taken)
			continue;
		nb_zerocopy_post(queue, &zc->slots[i], &counts);
		++*left;
	}
	nb_zerocopy_publish(queue, &counts);
	WRITE_ONCE(queue->zerocopy, next);
	return zc;
}

void nb_zerocopy_left(struct nb_zerocopy *zc)
{
	nb_zerocopy_cut_off(zc);
	kref_put(&zc->ref, nb_zerocopy_release);
}
