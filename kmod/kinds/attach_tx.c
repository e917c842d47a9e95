// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach, from the guest to the network interface.
 *
 * Where anybody stands in between - a queueing discipline, a program or hook on the way
 * out, somebody who captures packets - each packet takes the stack's way; a queueing
 * discipline holds or drops it by its own policy, and makes batches under load.  Where
 * nobody does, the stack would ask for the transmit queue's lock once a packet, and do
 * nothing else: a batch goes there at once under one lock.
 *
 * Under &nb_queue.tx_lock, in an RCU read section with bottom halves off.
 */
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/sch_generic.h>

#include "attach.h"
#include "compat.h"
#include "offload.h"
#include "queue.h"
#include "skb.h"

/* Where the layers begin in a packet without offloads, as who sends by a socket says. */
static void nb_attach_set_headers(struct sk_buff *skb)
{
	int l3 = ETH_HLEN;

	if (eth_type_vlan(skb->protocol))
		__vlan_get_protocol(skb, skb->protocol, &l3);
	skb_set_network_header(skb, l3);
}

/* An skb that the interface may transmit, or NULL and the packet has its status. */
static struct sk_buff *nb_attach_skb(struct nb_queue *queue, struct nb_packet *packet,
				     struct net_device *dev)
{
	struct sk_buff *skb = nb_skb_build(queue, packet);

	if (unlikely(!skb))
		return NULL;
	skb->dev = dev;
	skb_reset_mac_header(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
	if (!(packet->seg->flags & NB_TX_OFFLOAD_FLAGS))
		nb_attach_set_headers(skb);
	if (likely(is_skb_forwardable(dev, skb)))
		return skb;
	packet->status = NB_TX_DROPPED;
	kfree_skb(skb);
	return NULL;
}

static void nb_attach_drop(struct nb_packet *packets, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (packets[i].status == NB_TX_OK)
			packets[i].status = NB_TX_DROPPED;
}

/* ---- the stack's way ----------------------------------------------------- */

static void nb_attach_queue_xmit(struct nb_queue *queue, struct nb_packet *packets,
				 unsigned int n, struct net_device *dev)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct sk_buff *skb;
		int err;

		if (packets[i].status != NB_TX_OK)
			continue;
		skb = nb_attach_skb(queue, &packets[i], dev);
		if (unlikely(!skb))
			continue;
		/* Without XPS, the stack chooses the transmit queue by that. */
		skb_record_rx_queue(skb, queue->index);
		err = dev_queue_xmit(skb);
		if (unlikely(net_xmit_eval(err)))
			packets[i].status = NB_TX_DROPPED;
	}
}

/* ---- a batch at once ----------------------------------------------------- */

static bool nb_attach_is_direct(struct net_device *dev, struct netdev_queue *txq)
{
	return !rcu_dereference_bh(txq->qdisc)->enqueue && (dev->flags & IFF_UP) &&
	       !nb_dev_has_egress_programs(dev) && !dev_nit_active(dev);
}

/* What a packet has become; false if any of it could not be transmitted. */
static bool nb_attach_start_xmit(struct sk_buff *list, struct net_device *dev,
				 struct netdev_queue *txq, bool more)
{
	struct sk_buff *skb, *next;

	skb_list_walk_safe(list, skb, next) {
		int ret = NETDEV_TX_BUSY;

		skb_mark_not_on_list(skb);
		if (likely(!netif_xmit_frozen_or_stopped(txq)))
			ret = netdev_start_xmit(skb, dev, txq, more || next);
		if (likely(ret == NETDEV_TX_OK))
			continue;
		/* Some drivers say that they have dropped it. */
		if (!dev_xmit_complete(ret))
			kfree_skb(skb);
		kfree_skb_list(next);
		return false;
	}
	return true;
}

/*
 * Each packet is sent when it is known whether there is one behind it.  Segmentation and
 * checksums that the interface does not do are done by validate_xmit_skb_list().
 */
static void nb_attach_direct_xmit(struct nb_queue *queue, struct nb_packet *packets,
				  unsigned int n, struct net_device *dev, u16 txq_index)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, txq_index);
	struct nb_packet *packet = NULL;
	struct sk_buff *skb = NULL;
	bool again = false;
	unsigned int i;

	HARD_TX_LOCK(dev, txq, smp_processor_id());
	for (i = 0; i < n; i++) {
		struct sk_buff *next;

		if (packets[i].status != NB_TX_OK)
			continue;
		next = nb_attach_skb(queue, &packets[i], dev);
		if (unlikely(!next))
			continue;
		skb_set_queue_mapping(next, txq_index);
		next = validate_xmit_skb_list(next, dev, &again);
		if (unlikely(!next)) {
			packets[i].status = NB_TX_DROPPED;
			continue;
		}
		if (skb && !nb_attach_start_xmit(skb, dev, txq, true))
			packet->status = NB_TX_DROPPED;
		skb = next;
		packet = &packets[i];
	}
	if (skb && !nb_attach_start_xmit(skb, dev, txq, false))
		packet->status = NB_TX_DROPPED;
	HARD_TX_UNLOCK(dev, txq);
}

static unsigned int nb_attach_tx(struct nb_queue *queue, struct nb_packet *packets,
				 unsigned int n)
{
	struct nb_attach *at = nb_attach_of(queue->backend);
	struct net_device *dev = rcu_dereference(at->dev);
	u16 txq;

	if (unlikely(!dev)) {
		nb_attach_drop(packets, n);
		return n;
	}
	txq = queue->index % READ_ONCE(dev->real_num_tx_queues);
	if (nb_attach_is_direct(dev, netdev_get_tx_queue(dev, txq)))
		nb_attach_direct_xmit(queue, packets, n, dev, txq);
	else
		nb_attach_queue_xmit(queue, packets, n, dev);
	return n;
}

const struct nb_queue_ops nb_attach_queue_ops = {
	.tx = nb_attach_tx,
	.quiesce = nb_attach_quiesce,
};
