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
 * What may stay on its way is accounted for, see attach_wait.c, and left in tx-avail when
 * it is too much.  So are packets that a queueing discipline or a transmit queue has no
 * room for; one that is refused while the guest has nothing on its way is dropped, as
 * waiting would not help it.  Nor would it help one that a program or hook drops.
 *
 * Under &nb_queue.tx_lock, in an RCU read section with bottom halves off.
 */
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/sch_generic.h>
#include <net/sock.h>

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

/* Why is_skb_forwardable() says no: the interface may have gone down just now. */
static enum nb_drop nb_attach_refuses(const struct net_device *dev)
{
	return dev->flags & IFF_UP ? NB_DROP_TOO_LONG : NB_DROP_INTERFACE_DOWN;
}

/* An skb that the interface may transmit, or NULL and the packet has its status. */
static struct sk_buff *nb_attach_skb(struct nb_queue *queue, struct nb_packet *packet,
				     struct net_device *dev)
{
	struct sk_buff *skb = nb_skb_build(queue, packet);
	enum nb_drop why;

	if (unlikely(!skb))
		return NULL;
	skb->dev = dev;
	skb_reset_mac_header(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
	if (!(packet->seg->flags & NB_TX_OFFLOAD_FLAGS))
		nb_attach_set_headers(skb);
	if (likely(is_skb_forwardable(dev, skb)))
		return skb;
	why = nb_attach_refuses(dev);
	nb_packet_drop(packet, why);
	nb_drop_skb(skb, why);
	return NULL;
}

static void nb_attach_drop(struct nb_packet *packets, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (packets[i].status == NB_TX_OK)
			nb_packet_drop(&packets[i], NB_DROP_INTERFACE_DOWN);
}

/*
 * While the interface is down or has no carrier, its queueing discipline is one that drops
 * all, says that it has not, and does not count.  Who asks after a packet may be told of a
 * change since: a discipline that answers NET_XMIT_CN for others, too, makes that inexact.
 */
static bool nb_attach_is_off(const struct net_device *dev, const struct netdev_queue *txq)
{
	return !(dev->flags & IFF_UP) || rcu_access_pointer(txq->qdisc) == &noop_qdisc;
}

/* ---- who has refused a packet -------------------------------------------- */

/*
 * The stack says the same of a packet that a queueing discipline has no room for, and of
 * one that a program or hook on the way out drops.  The first has to wait.  The second has
 * not: it would be shown to the program again, with everything behind it waiting.
 *
 * A discipline counts what it refuses before it says so: if none has counted, none has
 * refused.  Each of them may have been asked: XPS, the driver or a program chooses the
 * transmit queue, and an interface without a discipline hands up what one below it says.
 *
 * In doubt a packet waits: packets of others are counted, too, and there are disciplines
 * that do not count.  Nor does one that is being replaced, but that drops all it has.
 *
 * Without programs nobody counts, and what looks like a full discipline is taken for one.
 */
static u32 nb_attach_qdisc_drops(const struct Qdisc *q)
{
	u32 drops = READ_ONCE(q->qstats.drops);

	/* Bottom halves are off: what this CPU's packet adds is in this CPU's count. */
	if (qdisc_is_percpu_stats(q))
		drops += READ_ONCE(this_cpu_ptr(q->cpu_qstats)->drops);
	return drops;
}

static const struct Qdisc *nb_attach_qdisc(const struct net_device *dev, unsigned int i)
{
	return rcu_dereference_bh(netdev_get_tx_queue(dev, i)->qdisc);
}

static int nb_attach_add_drops(struct net_device *dev, struct netdev_nested_priv *priv)
{
	unsigned int i, n = READ_ONCE(dev->real_num_tx_queues);
	u32 *drops = priv->data;

	for (i = 0; i < n; i++)
		*drops += nb_attach_qdisc_drops(nb_attach_qdisc(dev, i));
	return 0;
}

static u32 nb_attach_drops(struct net_device *dev)
{
	u32 drops = 0;
	struct netdev_nested_priv priv = { .data = &drops };

	nb_attach_add_drops(dev, &priv);
	netdev_walk_all_lower_dev_rcu(dev, nb_attach_add_drops, &priv);
	return drops;
}

static int nb_attach_counts_all(struct net_device *dev, struct netdev_nested_priv *unused)
{
	unsigned int i, n = READ_ONCE(dev->real_num_tx_queues);

	for (i = 0; i < n; i++)
		if (!nb_qdisc_counts_all(nb_attach_qdisc(dev, i)))
			return -EOPNOTSUPP;
	return 0;
}

/* Has no queueing discipline dropped anything since there were so many drops? */
static bool nb_attach_none_dropped(struct net_device *dev, u32 before)
{
	struct netdev_nested_priv unused = {};

	return nb_attach_drops(dev) == before && !nb_attach_counts_all(dev, &unused) &&
	       !netdev_walk_all_lower_dev_rcu(dev, nb_attach_counts_all, &unused);
}

/* ---- the stack's way ----------------------------------------------------- */

static unsigned int nb_attach_queue_xmit(struct nb_queue *queue,
					 struct nb_packet *packets, unsigned int n,
					 struct net_device *dev, struct netdev_queue *txq,
					 struct nb_attach_slot *slot)
{
	bool programs = nb_dev_has_egress_programs(dev);
	u32 drops = programs ? nb_attach_drops(dev) : 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct sk_buff *skb;
		bool was_idle;
		int err;

		if (packets[i].status != NB_TX_OK)
			continue;
		if (unlikely(!nb_attach_may_send(slot)))
			break;
		/* What is on its way then may have left when a packet has been refused. */
		was_idle = nb_attach_is_idle(slot);
		skb = nb_attach_skb(queue, &packets[i], dev);
		if (unlikely(!skb))
			continue;
		skb_set_owner_w(skb, slot->sk);
		/* Without XPS, the stack chooses the transmit queue by that. */
		skb_record_rx_queue(skb, queue->index);
		err = dev_queue_xmit(skb);
		if (unlikely(err == NET_XMIT_CN && nb_attach_is_off(dev, txq))) {
			nb_packet_drop(&packets[i], NB_DROP_INTERFACE_DOWN);
			continue;
		}
		if (likely(!net_xmit_eval(err)))
			continue;
		if (err == NET_XMIT_DROP && !was_idle &&
		    !(programs && nb_attach_none_dropped(dev, drops))) {
			nb_attach_wait(slot);
			break;
		}
		nb_packet_drop(&packets[i], NB_DROP_REFUSED);
	}
	return i;
}

/* ---- a batch at once ----------------------------------------------------- */

static bool nb_attach_is_direct(struct net_device *dev, struct netdev_queue *txq)
{
	return !rcu_dereference_bh(txq->qdisc)->enqueue && !nb_dev_has_egress_programs(dev) &&
	       !dev_nit_active(dev);
}

/* May packets stay in the device, or in one under it? */
static bool nb_attach_is_buffered(const struct net_device *dev)
{
	return !(dev->priv_flags & IFF_NO_QUEUE) || !list_empty(&dev->adj_list.lower);
}

/*
 * What becomes of a packet: NETDEV_TX_BUSY if nothing of it could be transmitted, and it
 * is not NETDEV_TX_OK if not all of it could.  The skbs are gone.  NET_XMIT_CN, which an
 * interface hands up from a queueing discipline under it, says that one or another packet
 * was dropped, maybe not this one: as everywhere in the stack, that is sent.
 */
static int nb_attach_start_xmit(struct sk_buff *list, struct net_device *dev,
				struct netdev_queue *txq, bool more)
{
	struct sk_buff *skb, *next;

	skb_list_walk_safe(list, skb, next) {
		int ret = NETDEV_TX_BUSY;

		skb_mark_not_on_list(skb);
		if (likely(!netif_xmit_frozen_or_stopped(txq)))
			ret = netdev_start_xmit(skb, dev, txq, more || next);
		if (likely(!net_xmit_eval(ret)))
			continue;
		/* Some drivers say that they have dropped it. */
		if (!dev_xmit_complete(ret))
			kfree_skb(skb);
		kfree_skb_list(next);
		return skb == list ? ret : NET_XMIT_DROP;
	}
	return NETDEV_TX_OK;
}

/* The packet's skbs, as the interface takes them; or NULL and the packet has its status. */
static struct sk_buff *nb_attach_direct_skb(struct nb_queue *queue,
					    struct nb_packet *packet,
					    struct net_device *dev, struct sock *sk,
					    u16 txq_index)
{
	struct sk_buff *skb = nb_attach_skb(queue, packet, dev);
	bool again = false;

	if (unlikely(!skb))
		return NULL;
	if (sk)
		skb_set_owner_w(skb, sk);
	skb_set_queue_mapping(skb, txq_index);
	skb = validate_xmit_skb_list(skb, dev, &again);
	if (unlikely(!skb))
		nb_packet_drop(packet, NB_DROP_REFUSED);
	return skb;
}

/* Return: false if the packet is to be left in tx-avail. */
static bool nb_attach_direct_send(struct sk_buff *skb, struct nb_packet *packet,
				  struct net_device *dev, struct netdev_queue *txq,
				  bool more)
{
	int ret = nb_attach_start_xmit(skb, dev, txq, more);

	if (likely(ret == NETDEV_TX_OK))
		return true;
	if (!dev_xmit_complete(ret))
		return false;
	nb_packet_drop(packet, NB_DROP_REFUSED);
	return true;
}

/*
 * Each packet is sent when it is known whether there is one behind it.  Segmentation and
 * checksums that the interface does not do are done by validate_xmit_skb_list().
 */
static unsigned int nb_attach_direct_xmit(struct nb_queue *queue,
					  struct nb_packet *packets, unsigned int n,
					  struct net_device *dev, u16 txq_index,
					  struct nb_attach_slot *slot)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, txq_index);
	struct sock *sk = nb_attach_is_buffered(dev) ? slot->sk : NULL;
	struct sk_buff *skb = NULL, *next;
	unsigned int i, last = 0;

	HARD_TX_LOCK(dev, txq, smp_processor_id());
	for (i = 0; i < n; i++) {
		if (packets[i].status != NB_TX_OK)
			continue;
		if (sk && unlikely(!nb_attach_may_send(slot)))
			break;
		next = nb_attach_direct_skb(queue, &packets[i], dev, sk, txq_index);
		if (unlikely(!next))
			continue;
		if (skb && unlikely(!nb_attach_direct_send(skb, &packets[last], dev, txq, true))) {
			kfree_skb_list(next);
			goto stopped;
		}
		skb = next;
		last = i;
	}
	if (skb && unlikely(!nb_attach_direct_send(skb, &packets[last], dev, txq, false)))
		goto stopped;
	HARD_TX_UNLOCK(dev, txq);
	return i;

stopped:
	HARD_TX_UNLOCK(dev, txq);
	nb_attach_wait(slot);
	return last;
}

static unsigned int nb_attach_tx(struct nb_queue *queue, struct nb_packet *packets,
				 unsigned int n)
{
	struct nb_attach *at = nb_attach_of(queue->backend);
	struct net_device *dev = rcu_dereference(at->dev);
	struct nb_attach_slot *slot;
	struct netdev_queue *txq;
	u16 i;

	if (unlikely(!dev || !netif_running(dev))) {
		nb_attach_drop(packets, n);
		return n;
	}
	slot = &at->slots[queue->index];
	i = queue->index % READ_ONCE(dev->real_num_tx_queues);
	txq = netdev_get_tx_queue(dev, i);
	if (nb_attach_is_direct(dev, txq))
		return nb_attach_direct_xmit(queue, packets, n, dev, i, slot);
	if (unlikely(nb_attach_is_off(dev, txq))) {
		nb_attach_drop(packets, n);
		return n;
	}
	return nb_attach_queue_xmit(queue, packets, n, dev, txq, slot);
}

const struct nb_queue_ops nb_attach_queue_ops = {
	.tx = nb_attach_tx,
	.quiesce = nb_attach_quiesce,
};
