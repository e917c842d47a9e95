// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev, host to guest: ndo_start_xmit copies straight from the skb into the guest's
 * receive buffer.  There is no queue in between: without buffers the device queue is
 * stopped, and packets wait in the qdisc.
 *
 * The transmit queue's lock of the net_device (HARD_TX_LOCK) protects the receive side of
 * the nb_queue with the same number, and &nb_netdev_slot.held.  With bottom halves off.
 */
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>

#include "compat.h"
#include "netdev.h"
#include "queue.h"
#include "rss.h"
#include "skb.h"
#include "trace.h"

static noinline void nb_netdev_drop_skb(struct nb_netdev *nd, struct sk_buff *skb,
					enum nb_drop why)
{
	atomic64_inc(&nd->no_queue);
	trace_nb_drop(READ_ONCE(nd->backend.endpoint_id), skb_get_queue_mapping(skb),
		      NB_TRACE_RX, why, 1);
	nb_drop_skb_any(skb, why);
}

/*
 * Stop the device queue until there are buffers.  The stack is asked to stop first, so
 * that nb_netdev_rx_avail() can start it at any time from when the frontend is asked.
 * Return: false if there are buffers after all.
 */
static bool nb_netdev_stop_queue(struct nb_queue *queue, struct netdev_queue *txq)
{
	netif_tx_stop_queue(txq);
	if (nb_rx_wait(queue))
		return true;
	netif_tx_start_queue(txq);
	return false;
}

/*
 * An skb that was made ready for a frontend, and sent back to the qdisc for want of a
 * buffer, may come to the next frontend, which takes less.
 */
static bool nb_netdev_is_taken(const struct nb_queue *queue, struct sk_buff *skb)
{
	if (likely(skb->ip_summed != CHECKSUM_PARTIAL && !skb_is_gso(skb)))
		return true;
	if (skb_is_gso(skb))
		return skb_gso_ok(skb, nb_skb_features(queue->flags) | NETIF_F_SG |
				  NETIF_F_GSO_ROBUST);
	return (queue->flags & NB_QUEUE_RX_CHECKSUM) || !skb_checksum_help(skb);
}

static void nb_netdev_place(struct nb_netdev *nd, struct nb_queue *queue,
			    struct sk_buff *skb, u32 capacity)
{
	if (unlikely(!nb_netdev_is_taken(queue, skb))) {
		nb_netdev_drop_skb(nd, skb, NB_DROP_OFFLOAD);
		return;
	}
	if (unlikely(skb->len > capacity)) {
		nb_rx_too_small(queue);
		nb_drop_skb_any(skb, NB_DROP_TOO_SMALL);
		return;
	}
	skb_tx_timestamp(skb);
	nb_skb_deliver(queue, skb);
	dev_consume_skb_any(skb);
}

/* Stop now rather than send the next packet back to the qdisc. */
static void nb_netdev_stop_if_empty(struct nb_queue *queue, struct netdev_queue *txq)
{
	if (likely(nb_rx_peek(queue)) || !nb_netdev_stop_queue(queue, txq))
		return;
	/* A queue that has failed drops; nobody would start it again. */
	if (nb_queue_check(queue))
		netif_tx_start_queue(txq);
}

static netdev_tx_t nb_netdev_xmit_queue(struct nb_netdev *nd, struct nb_queue *queue,
					struct sk_buff *skb, struct netdev_queue *txq)
{
	bool more = netdev_xmit_more();
	netdev_tx_t ret = NETDEV_TX_OK;
	u32 capacity;

	nb_rx_begin(queue);
	capacity = nb_rx_peek(queue);
	if (unlikely(!capacity) && !nb_netdev_stop_queue(queue, txq))
		capacity = nb_rx_peek(queue);
	if (likely(capacity)) {
		nb_netdev_place(nd, queue, skb, capacity);
		nb_netdev_stop_if_empty(queue, txq);
	} else if (!nb_queue_check(queue)) {
		ret = NETDEV_TX_BUSY;
	} else {
		netif_tx_start_queue(txq);
		nb_netdev_drop_skb(nd, skb, NB_DROP_NO_QUEUE);
	}
	/* The packet that is sent back may never come again. */
	if (!more || ret == NETDEV_TX_BUSY || netif_xmit_stopped(txq))
		nb_rx_flush(queue);
	return ret;
}

/* Of a device with one queue the stack does not ask which; the hash is wanted anyway. */
static void nb_netdev_hash_single(struct nb_netdev *nd, const struct net_device *dev,
				  struct sk_buff *skb)
{
	const struct nb_rss *rss = rcu_dereference(nd->rss);

	if (rss && dev->real_num_tx_queues == 1)
		nb_rss_select(rss, skb);
}

/*
 * The queue is quiesced, or has no buffer: stop the device queue, and keep this packet.
 * The qdisc keeps the others in their order.  It would not, if this one was sent back, or
 * if somebody else stopped the device queue when the qdisc has already taken a packet:
 * what comes back is put behind what has come back before.
 */
static netdev_tx_t nb_netdev_hold(struct nb_netdev_slot *slot, struct sk_buff *skb,
				  struct netdev_queue *txq)
{
	netif_tx_stop_queue(txq);
	if (slot->held)
		return NETDEV_TX_BUSY;
	slot->held = skb;
	return NETDEV_TX_OK;
}

void nb_netdev_drop_held(struct nb_netdev *nd, struct nb_netdev_slot *slot)
{
	if (slot->held)
		nb_netdev_drop_skb(nd, slot->held, NB_DROP_NO_QUEUE);
	slot->held = NULL;
}

/* The next queue is not, or no longer, awaited. */
void nb_netdev_await_none(struct nb_netdev *nd, struct net_device *dev,
			  unsigned int first)
{
	unsigned int i;

	ASSERT_RTNL();
	for (i = first; i < nd->max_queues; i++) {
		struct netdev_queue *txq = netdev_get_tx_queue(dev, i);

		/* Not netif_tx_lock(), which holds none of them. */
		__netif_tx_lock_bh(txq);
		nb_netdev_drop_held(nd, &nd->slots[i]);
		nd->slots[i].awaited = false;
		__netif_tx_unlock_bh(txq);
	}
}

/* The queue goes: the host's packets are to wait for the next one, if it is quiesced. */
void nb_netdev_await_next(struct nb_netdev *nd, struct net_device *dev,
			  struct nb_queue *queue, bool quiesced)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, queue->index);
	struct nb_netdev_slot *slot = &nd->slots[queue->index];

	__netif_tx_lock_bh(txq);
	slot->awaited = quiesced;
	if (!quiesced)
		nb_netdev_drop_held(nd, slot);
	__netif_tx_unlock_bh(txq);
}

netdev_tx_t nb_netdev_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	u16 i = skb_get_queue_mapping(skb);
	struct netdev_queue *txq = netdev_get_tx_queue(dev, i);
	struct nb_netdev_slot *slot = &nd->slots[i];
	netdev_tx_t ret = NETDEV_TX_OK;
	struct nb_queue *queue;
	int err;

	rcu_read_lock();
	queue = rcu_dereference(slot->queue);
	err = likely(queue) ? nb_queue_check(queue) : -ENODEV;
	if (likely(!err)) {
		nb_netdev_hash_single(nd, dev, skb);
		ret = nb_netdev_xmit_queue(nd, queue, skb, txq);
		if (unlikely(ret == NETDEV_TX_BUSY))
			ret = nb_netdev_hold(slot, skb, txq);
	} else if (err == -ESHUTDOWN || (!queue && slot->awaited)) {
		ret = nb_netdev_hold(slot, skb, txq);
	} else {
		nb_netdev_drop_skb(nd, skb, NB_DROP_NO_QUEUE);
	}
	rcu_read_unlock();
	return ret;
}

/* By the frontend's wish, else as the stack does for every device: XPS, or by flow. */
u16 nb_netdev_select_queue(struct net_device *dev, struct sk_buff *skb,
			   struct net_device *sb_dev)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	const struct nb_rss *rss;
	u16 queue;

	rcu_read_lock();
	rss = rcu_dereference(nd->rss);
	queue = rss ? nb_rss_select(rss, skb) : netdev_pick_tx(dev, skb, sb_dev);
	rcu_read_unlock();
	return queue;
}

/* What was held comes before what is in the qdisc; it may be held again. */
static void nb_netdev_send_held(struct nb_netdev_slot *slot, struct net_device *dev)
{
	struct sk_buff *skb = slot->held;

	if (likely(!skb))
		return;
	slot->held = NULL;
	nb_netdev_start_xmit(skb, dev);
}

/* Starts the device queue only if there is a buffer. */
void nb_netdev_rx_avail(struct nb_queue *queue)
{
	struct nb_netdev *nd = nb_netdev_of(queue->backend);
	struct net_device *dev = rcu_dereference(nd->dev);
	struct netdev_queue *txq;

	if (!nb_rx_waiting(queue) || !dev)
		return;
	txq = netdev_get_tx_queue(dev, queue->index);
	__netif_tx_lock(txq, smp_processor_id());
	nb_rx_begin(queue);
	if (nb_rx_peek(queue) || nb_queue_check(queue)) {
		nb_rx_stop_waiting(queue);
		nb_netdev_send_held(&nd->slots[queue->index], dev);
		if (!nb_rx_waiting(queue))
			netif_tx_wake_queue(txq);
	}
	nb_rx_flush(queue);
	__netif_tx_unlock(txq);
}

/* The host's packets wait, see nb_netdev_hold(), until nb_netdev_rx_avail(). */
void nb_netdev_quiesce(struct nb_queue *queue)
{
	struct nb_netdev *nd = nb_netdev_of(queue->backend);
	struct net_device *dev = rcu_dereference(nd->dev);
	struct netdev_queue *txq;

	if (!dev) {
		nb_queue_set_state(queue, NB_QUEUE_RESTART);
		return;
	}
	txq = netdev_get_tx_queue(dev, queue->index);
	__netif_tx_lock(txq, smp_processor_id());
	nb_rx_quiesce(queue);
	__netif_tx_unlock(txq);
}
