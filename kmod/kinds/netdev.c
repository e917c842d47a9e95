// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev: registers a net_device.  What the guest sends arrives there as
 * received, what the host sends there goes to the guest.
 *
 * Guest to host runs under the queue's tx_lock with bottom halves off: packets become
 * skbs, which the stack takes as a list.  Host to guest is ndo_start_xmit: it copies
 * straight from the skb into the guest's receive buffer; there is no queue in between,
 * and without buffers the device queue is stopped.
 *
 * Locks:
 * - rtnl_lock protects &nb_netdev.dev and &nb_netdev_slot.queue; both are read under
 *   RCU.
 * - The transmit queue's lock of the net_device (HARD_TX_LOCK) protects the receive
 *   side of the nb_queue with the same number.
 * - &nb_netdev.stats_lock (innermost) makes a queue's counters move to those of the
 *   device at once when the queue goes.
 *
 * The net_device can go first (ip link del, end of its namespace), or the backend.
 * struct nb_netdev stays until both are gone.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "compat.h"
#include "endpoint.h"
#include "ioctl.h"
#include "kind.h"
#include "netdev.h"
#include "queue.h"
#include "rss.h"
#include "skb.h"

#define NB_NETDEV_MAX_QUEUES	64

/* What the stack is given at once: packets, and bytes. */
#define NB_NETDEV_LIST		16
#define NB_NETDEV_LIST_BYTES	(32 * 1024)

/* What is offered to the stack as far as the frontend takes it. */
#define NB_NETDEV_RX_FEATURES						\
	(NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | \
	 NETIF_F_GSO_UDP_L4)

static void nb_netdev_free(struct kref *ref)
{
	kfree(container_of(ref, struct nb_netdev, ref));
}

static void nb_netdev_put(struct nb_netdev *nd)
{
	kref_put(&nd->ref, nb_netdev_free);
}

/* ---- guest to host ------------------------------------------------------- */

static struct sk_buff *nb_netdev_skb(struct nb_queue *queue, struct nb_packet *packet,
				     struct net_device *dev)
{
	struct sk_buff *skb = nb_skb_build(queue, packet);

	if (unlikely(!skb))
		return NULL;
	skb->protocol = eth_type_trans(skb, dev);
	skb_record_rx_queue(skb, queue->index);
	return skb;
}

/*
 * Does the stack take a list of such packets any better than each by itself?  Only IP does,
 * if it is what they come to, and not a bridge or the like.
 */
static bool nb_netdev_likes_list(const struct net_device *dev, const struct sk_buff *skb)
{
	return (skb->protocol == htons(ETH_P_IP) || skb->protocol == htons(ETH_P_IPV6)) &&
	       !rcu_access_pointer(dev->rx_handler);
}

/**
 * struct nb_netdev_list - skbs that the stack is to take as a list
 * @head: the list
 * @n: its entries
 * @bytes: their sum
 */
struct nb_netdev_list {
	struct list_head head;
	unsigned int n;
	unsigned int bytes;
};

static void nb_netdev_pass_list(struct nb_netdev_list *list)
{
	if (!list->n)
		return;
	netif_receive_skb_list(&list->head);
	INIT_LIST_HEAD(&list->head);
	list->n = 0;
	list->bytes = 0;
}

/*
 * Lists are short: what the stack drops, or is done with at once, is what the next packets
 * are made of.
 */
static void nb_netdev_pass(struct net_device *dev, struct sk_buff *skb,
			   struct nb_netdev_list *list)
{
	if (!nb_netdev_likes_list(dev, skb)) {
		nb_netdev_pass_list(list);
		netif_receive_skb(skb);
		return;
	}
	list_add_tail(&skb->list, &list->head);
	list->n++;
	list->bytes += skb->len;
	if (list->n == NB_NETDEV_LIST || list->bytes >= NB_NETDEV_LIST_BYTES)
		nb_netdev_pass_list(list);
}

static void nb_netdev_receive(struct nb_queue *queue, struct nb_packet *packets,
			      unsigned int n, struct net_device *dev)
{
	struct nb_netdev_list list = { .head = LIST_HEAD_INIT(list.head) };
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct sk_buff *skb;

		if (unlikely(packets[i].status != NB_TX_OK))
			continue;
		skb = nb_netdev_skb(queue, &packets[i], dev);
		if (likely(skb))
			nb_netdev_pass(dev, skb, &list);
	}
	nb_netdev_pass_list(&list);
}

/* A program sees the whole batch before the stack sees what passes. */
static void nb_netdev_receive_xdp(struct nb_queue *queue, struct nb_packet *packets,
				  unsigned int n, struct net_device *dev,
				  struct bpf_prog *prog)
{
	LIST_HEAD(list);

	nb_xdp_receive(queue, packets, n, dev, prog, &list);
	if (!list_empty(&list))
		netif_receive_skb_list(&list);
}

static void nb_netdev_drop(struct nb_packet *packets, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (packets[i].status == NB_TX_OK)
			packets[i].status = NB_TX_DROPPED;
}

static unsigned int nb_netdev_tx(struct nb_queue *queue, struct nb_packet *packets,
				 unsigned int n)
{
	struct nb_netdev *nd = nb_netdev_of(queue->backend);
	struct net_device *dev = rcu_dereference(nd->dev);
	struct bpf_prog *prog = rcu_dereference(nd->xdp_prog);

	if (unlikely(!dev || !netif_running(dev)))
		nb_netdev_drop(packets, n);
	else if (prog)
		nb_netdev_receive_xdp(queue, packets, n, dev, prog);
	else
		nb_netdev_receive(queue, packets, n, dev);
	return n;
}

/* ---- host to guest ------------------------------------------------------- */

static void nb_netdev_drop_skb(struct nb_netdev *nd, struct sk_buff *skb)
{
	atomic64_inc(&nd->no_queue);
	dev_kfree_skb_any(skb);
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
		nb_netdev_drop_skb(nd, skb);
		return;
	}
	if (unlikely(skb->len > capacity)) {
		nb_rx_too_small(queue);
		dev_kfree_skb_any(skb);
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
		nb_netdev_drop_skb(nd, skb);
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

static void nb_netdev_drop_held(struct nb_netdev *nd, struct nb_netdev_slot *slot)
{
	if (slot->held)
		nb_netdev_drop_skb(nd, slot->held);
	slot->held = NULL;
}

/* The next queue is not, or no longer, awaited. */
static void nb_netdev_await_none(struct nb_netdev *nd, struct net_device *dev,
				 unsigned int first)
{
	unsigned int i;

	ASSERT_RTNL();
	netif_tx_lock_bh(dev);
	for (i = first; i < nd->max_queues; i++) {
		nb_netdev_drop_held(nd, &nd->slots[i]);
		nd->slots[i].awaited = false;
	}
	netif_tx_unlock_bh(dev);
}

/* The queue goes: the host's packets are to wait for the next one, if it is quiesced. */
static void nb_netdev_await_next(struct nb_netdev *nd, struct net_device *dev,
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

static netdev_tx_t nb_netdev_start_xmit(struct sk_buff *skb, struct net_device *dev)
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
		nb_netdev_drop_skb(nd, skb);
	}
	rcu_read_unlock();
	return ret;
}

/* By the frontend's wish, else as the stack does for every device: XPS, or by flow. */
static u16 nb_netdev_select_queue(struct net_device *dev, struct sk_buff *skb,
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
static void nb_netdev_rx_avail(struct nb_queue *queue)
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
static void nb_netdev_quiesce(struct nb_queue *queue)
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

static const struct nb_queue_ops nb_netdev_queue_ops = {
	.tx = nb_netdev_tx,
	.rx_avail = nb_netdev_rx_avail,
	.quiesce = nb_netdev_quiesce,
};

/* ---- the net_device ------------------------------------------------------ */

/* Those that wait for buffers are started by nb_netdev_rx_avail(). */
static void nb_netdev_start_queues(struct nb_netdev *nd, struct net_device *dev)
{
	unsigned int i;

	ASSERT_RTNL();
	for (i = 0; i < dev->real_num_tx_queues; i++) {
		struct nb_queue *queue = rtnl_dereference(nd->slots[i].queue);

		if (!queue || !nb_rx_waiting(queue))
			netif_tx_wake_queue(netdev_get_tx_queue(dev, i));
	}
}

static int nb_netdev_open(struct net_device *dev)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);

	nb_netdev_start_queues(nd, dev);
	nb_backend_link(&nd->backend, true);
	return 0;
}

static int nb_netdev_close(struct net_device *dev)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	unsigned int i;

	netif_tx_stop_all_queues(dev);
	netif_tx_lock_bh(dev);
	for (i = 0; i < nd->max_queues; i++)
		nb_netdev_drop_held(nd, &nd->slots[i]);
	netif_tx_unlock_bh(dev);
	nb_backend_link(&nd->backend, false);
	return 0;
}

static void nb_netdev_add_stats(struct rtnl_link_stats64 *to, struct nb_queue *queue)
{
	struct nb_queue_stats stats;

	nb_queue_read_stats(queue, &stats);
	to->rx_packets += stats.tx_packets;
	to->rx_bytes += stats.tx_bytes;
	to->rx_errors += stats.tx_errors;
	to->rx_dropped += stats.tx_dropped;
	to->tx_packets += stats.rx_packets;
	to->tx_bytes += stats.rx_bytes;
	to->tx_dropped += stats.rx_too_small;
}

static void nb_netdev_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	unsigned int i;

	spin_lock_bh(&nd->stats_lock);
	*stats = nd->total;
	for (i = 0; i < nd->max_queues; i++)
		if (nd->slots[i].counted)
			nb_netdev_add_stats(stats, nd->slots[i].counted);
	spin_unlock_bh(&nd->stats_lock);
	stats->tx_dropped += atomic64_read(&nd->no_queue);
}

static void nb_netdev_use_queue(struct nb_netdev *nd, struct nb_queue *queue)
{
	struct nb_netdev_slot *slot = &nd->slots[queue->index];

	ASSERT_RTNL();
	spin_lock_bh(&nd->stats_lock);
	slot->counted = queue;
	spin_unlock_bh(&nd->stats_lock);
	rcu_assign_pointer(slot->queue, queue);
}

/* Nothing refers to the queue when this returns. */
static void nb_netdev_forget_queue(struct nb_netdev *nd, struct nb_queue *queue)
{
	struct nb_netdev_slot *slot = &nd->slots[queue->index];

	ASSERT_RTNL();
	RCU_INIT_POINTER(slot->queue, NULL);
	/* Then the counters stand still. */
	synchronize_net();
	spin_lock_bh(&nd->stats_lock);
	nb_netdev_add_stats(&nd->total, queue);
	slot->counted = NULL;
	spin_unlock_bh(&nd->stats_lock);
	nb_xdp_queue_destroy(queue);
}

/* The net_device goes, whoever wants that: the queues need another backend. */
static void nb_netdev_uninit(struct net_device *dev)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	unsigned int i;

	ASSERT_RTNL();
	nd->last_net_cookie = dev_net(dev)->net_cookie;
	rcu_assign_pointer(nd->dev, NULL);
	for (i = 0; i < nd->max_queues; i++) {
		struct nb_queue *queue = rtnl_dereference(nd->slots[i].queue);

		if (queue)
			nb_queue_set_state(queue, NB_QUEUE_RESTART);
	}
	nb_backend_gone(&nd->backend);
}

/* What the frontend does not take is not offered, whatever ethtool -K asks for. */
static netdev_features_t nb_netdev_fix_features(struct net_device *dev,
						netdev_features_t features)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);

	features &= nd->rx_features | ~NB_NETDEV_RX_FEATURES;
	/* Before 6.13 the stack does not see that one needs the other. */
	if (!(features & NETIF_F_HW_CSUM))
		features &= ~NETIF_F_GSO_UDP_L4;
	return features;
}

static int nb_netdev_change_mtu(struct net_device *dev, int mtu)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);

	if (!nb_xdp_allows_mtu(rtnl_dereference(nd->xdp_prog), mtu)) {
		netdev_warn(dev, "the XDP program does not take packets of this MTU\n");
		return -EINVAL;
	}
	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

static const struct net_device_ops nb_netdev_dev_ops = {
	.ndo_uninit = nb_netdev_uninit,
	.ndo_open = nb_netdev_open,
	.ndo_stop = nb_netdev_close,
	.ndo_start_xmit = nb_netdev_start_xmit,
	.ndo_select_queue = nb_netdev_select_queue,
	.ndo_fix_features = nb_netdev_fix_features,
	.ndo_get_stats64 = nb_netdev_get_stats64,
	.ndo_change_mtu = nb_netdev_change_mtu,
	.ndo_bpf = nb_xdp_bpf,
	.ndo_xdp_xmit = nb_xdp_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static void nb_netdev_dev_free(struct net_device *dev)
{
	nb_netdev_put(nb_netdev_of_dev(dev));
}

struct rtnl_link_ops nb_netdev_link_ops = {
	.kind = "net_backend",
	.priv_size = sizeof(struct nb_netdev_priv),
	.dellink = unregister_netdevice_queue,
};

static void nb_netdev_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &nb_netdev_dev_ops;
	dev->rtnl_link_ops = &nb_netdev_link_ops;
	dev->ethtool_ops = &nb_netdev_ethtool_ops;
	/* What is in features is wanted; nb_netdev_fix_features() takes it away. */
	dev->features = NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_HW_VLAN_CTAG_TX |
			NETIF_F_HW_VLAN_CTAG_RX | NB_NETDEV_RX_FEATURES;
	dev->hw_features = dev->features & ~NETIF_F_HW_VLAN_CTAG_RX;
	dev->vlan_features = NETIF_F_SG | NETIF_F_HIGHDMA | NB_NETDEV_RX_FEATURES;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	nb_xdp_set_features(dev);
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = U16_MAX - ETH_HLEN;
}

/* ---- backend ------------------------------------------------------------- */

int nb_netdev_check(const struct nb_backend_params *params, struct nb_msg *msg)
{
	if (params->name[0] && !dev_valid_name(params->name)) {
		nb_msg(msg, "'%s' cannot be the name of a network interface", params->name);
		return -EINVAL;
	}
	if (params->mtu && (params->mtu < ETH_MIN_MTU || params->mtu > U16_MAX - ETH_HLEN)) {
		nb_msg(msg, "an MTU of %u; possible are %d to %d", params->mtu, ETH_MIN_MTU,
		       U16_MAX - ETH_HLEN);
		return -EINVAL;
	}
	return 0;
}

static struct net_device *nb_netdev_alloc_dev(const struct nb_backend_params *params,
					      struct nb_netdev *nd)
{
	struct nb_netdev_priv *priv;
	struct net_device *dev;

	dev = alloc_netdev_mqs(sizeof(*priv), params->name[0] ? params->name : "nb%d",
			       params->name[0] ? NET_NAME_USER : NET_NAME_ENUM,
			       nb_netdev_setup, nd->max_queues, nd->max_queues);
	if (!dev)
		return NULL;
	priv = netdev_priv(dev);
	priv->nd = nd;
	dev_net_set(dev, params->net);
	/* The guest's NIC has params->mac; two stations cannot have the same. */
	eth_hw_addr_random(dev);
	if (params->mtu)
		dev->mtu = params->mtu;
	netif_carrier_off(dev);
	return dev;
}

static int nb_netdev_register(struct nb_netdev *nd, struct net_device *dev,
			      struct nb_msg *msg)
{
	int err;

	rtnl_lock();
	/* Not one object in sysfs for each queue that there might be. */
	err = netif_set_real_num_tx_queues(dev, 1);
	if (!err)
		err = netif_set_real_num_rx_queues(dev, 1);
	if (!err)
		err = register_netdevice(dev);
	if (!err) {
		kref_get(&nd->ref);
		dev->priv_destructor = nb_netdev_dev_free;
		dev->needs_free_netdev = true;
		rcu_assign_pointer(nd->dev, dev);
	}
	rtnl_unlock();
	if (err == -EEXIST)
		nb_msg(msg, "a network interface with the name '%s' is already there", dev->name);
	else if (err)
		nb_msg(msg, "the network interface '%s' cannot be registered: error %d",
		       dev->name, -err);
	return err;
}

static struct nb_backend *nb_netdev_create(const struct nb_backend_params *params,
					   struct nb_msg *msg)
{
	struct net_device *dev;
	struct nb_netdev *nd;
	int err;

	err = nb_netdev_check(params, msg);
	if (err)
		return ERR_PTR(err);
	if (params->kind)
		return nb_uplink_create(params, msg);
	nd = kzalloc(struct_size(nd, slots, params->max_queues), GFP_KERNEL_ACCOUNT);
	if (!nd)
		return ERR_PTR(-ENOMEM);
	nb_backend_init(&nd->backend, &nb_netdev_ops, params, false);
	kref_init(&nd->ref);
	spin_lock_init(&nd->stats_lock);
	nd->max_queues = params->max_queues;

	dev = nb_netdev_alloc_dev(params, nd);
	if (!dev) {
		nb_netdev_put(nd);
		return ERR_PTR(-ENOMEM);
	}
	err = nb_netdev_register(nd, dev, msg);
	if (err) {
		free_netdev(dev);
		nb_netdev_put(nd);
		return ERR_PTR(err);
	}
	return &nd->backend;
}

static void nb_netdev_destroy(struct nb_backend *backend)
{
	struct nb_netdev *nd = nb_netdev_of(backend);
	struct net_device *dev;

	rtnl_lock();
	dev = rtnl_dereference(nd->dev);
	if (dev)
		unregister_netdevice(dev);
	rtnl_unlock();
	nb_netdev_put(nd);
}

static int nb_netdev_info(struct nb_backend *backend, struct nb_endpoint_info *info)
{
	struct nb_netdev *nd = nb_netdev_of(backend);
	struct net_device *dev;
	int err = -ENODEV;

	rcu_read_lock();
	dev = rcu_dereference(nd->dev);
	if (dev) {
		info->properties = NB_ENDPOINT_ORDERED | NB_ENDPOINT_TX_FAST_COMPLETIONS;
		info->ifindex = dev->ifindex;
		info->mtu = READ_ONCE(dev->mtu);
		info->link_speed = NB_NETDEV_SPEED;
		info->indirection_table_size = NB_NETDEV_TABLE_SIZE;
		info->tx_offloads = NB_OFFLOAD_IPV4_HEADER | NB_OFFLOAD_TCP |
				    NB_OFFLOAD_UDP | NB_OFFLOAD_TSO | NB_OFFLOAD_USO;
		strscpy_pad(info->name, dev->name, sizeof(info->name));
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

static void nb_netdev_identity(struct nb_backend *backend, struct nb_identity *id)
{
	struct nb_netdev *nd = nb_netdev_of(backend);
	struct net_device *dev;

	rcu_read_lock();
	dev = rcu_dereference(nd->dev);
	id->net_cookie = dev ? dev_net(dev)->net_cookie : nd->last_net_cookie;
	strscpy_pad(id->name, dev ? dev->name : "", sizeof(id->name));
	rcu_read_unlock();
}

static int nb_netdev_create_xdp_queues(struct net_device *dev, struct nb_queue **queues,
				       unsigned int n)
{
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		err = nb_xdp_queue_create(dev, queues[i]);
		if (err)
			break;
	}
	if (i == n)
		return 0;
	while (i--)
		nb_xdp_queue_destroy(queues[i]);
	return err;
}

/* Packets can get through if there are queues, and the operator wants it. */
static void nb_netdev_update_carrier(struct nb_netdev *nd, struct net_device *dev,
				     unsigned int n_queues)
{
	ASSERT_RTNL();
	if (n_queues && !READ_ONCE(nd->backend.link_disabled))
		netif_carrier_on(dev);
	else
		netif_carrier_off(dev);
}

static int nb_netdev_start(struct nb_netdev *nd, struct net_device *dev,
			   struct nb_queue **queues, unsigned int n)
{
	unsigned int i;
	int err;

	err = netif_set_real_num_tx_queues(dev, n);
	if (!err)
		err = netif_set_real_num_rx_queues(dev, n);
	if (err)
		return err;
	err = nb_netdev_create_xdp_queues(dev, queues, n);
	if (err)
		return err;
	nd->rx_features = nb_skb_features(queues[0]->flags);
	netdev_update_features(dev);
	/* There are no buffers yet: the frontend is to say when. */
	netif_tx_stop_all_queues(dev);
	for (i = 0; i < n; i++) {
		nb_rx_ask(queues[i]);
		nb_netdev_use_queue(nd, queues[i]);
	}
	nb_netdev_await_none(nd, dev, n);
	nb_netdev_update_carrier(nd, dev, n);
	return 0;
}

static int nb_netdev_get_queues(struct nb_backend *backend, struct nb_queue **queues,
				unsigned int n, struct nb_msg *msg)
{
	struct nb_netdev *nd = nb_netdev_of(backend);
	struct net_device *dev;
	int err = -ENODEV;

	rtnl_lock();
	dev = rtnl_dereference(nd->dev);
	if (dev)
		err = nb_netdev_start(nd, dev, queues, n);
	rtnl_unlock();
	if (err)
		nb_msg(msg, "the network interface cannot take %u queues: error %d", n, -err);
	return err;
}

static void nb_netdev_exchange_rss(struct nb_netdev *nd, struct nb_rss *rss)
{
	struct nb_rss *old;

	ASSERT_RTNL();
	old = rcu_replace_pointer(nd->rss, rss, lockdep_rtnl_is_held());
	if (old)
		kfree_rcu(old, rcu);
}

static void nb_netdev_set_rss(struct nb_backend *backend, struct nb_rss *rss)
{
	rtnl_lock();
	nb_netdev_exchange_rss(nb_netdev_of(backend), rss);
	rtnl_unlock();
}

/*
 * Of a queue that is quiesced the successor is awaited: the host's packets wait for it,
 * until nb_netdev_stop() says that there is none.
 */
static void nb_netdev_put_queue(struct nb_backend *backend, struct nb_queue *queue)
{
	struct nb_netdev *nd = nb_netdev_of(backend);
	bool quiesced = nb_queue_quiesced(queue);
	struct net_device *dev;

	rtnl_lock();
	dev = rtnl_dereference(nd->dev);
	if (dev)
		nb_netdev_await_next(nd, dev, queue, quiesced);
	nb_netdev_forget_queue(nd, queue);
	/* What waits for this queue is dropped by nb_netdev_start_xmit(). */
	if (dev && netif_running(dev) && !quiesced)
		netif_tx_wake_queue(netdev_get_tx_queue(dev, queue->index));
	if (dev && !(quiesced && backend->n_queues == 1))
		nb_netdev_update_carrier(nd, dev, backend->n_queues - 1);
	if (backend->n_queues == 1)
		nb_netdev_exchange_rss(nd, NULL);
	rtnl_unlock();
}

static void nb_netdev_stop(struct nb_backend *backend)
{
	struct nb_netdev *nd = nb_netdev_of(backend);
	struct net_device *dev;

	rtnl_lock();
	dev = rtnl_dereference(nd->dev);
	if (dev) {
		nb_netdev_await_none(nd, dev, 0);
		netif_carrier_off(dev);
		if (netif_running(dev))
			nb_netdev_start_queues(nd, dev);
	}
	rtnl_unlock();
}

static void nb_netdev_set_link(struct nb_backend *backend)
{
	struct nb_netdev *nd = nb_netdev_of(backend);
	struct net_device *dev;

	rtnl_lock();
	dev = rtnl_dereference(nd->dev);
	if (dev)
		nb_netdev_update_carrier(nd, dev, backend->n_queues);
	rtnl_unlock();
}

struct nb_endpoint_ops nb_netdev_ops = {
	.name = "netdev",
	.max_queues = NB_NETDEV_MAX_QUEUES,
	.params_size = sizeof(struct nb_netdev_params),
	.needs_net_admin = true,
	.queue_ops = &nb_netdev_queue_ops,
	.create = nb_netdev_create,
	.destroy = nb_netdev_destroy,
	.info = nb_netdev_info,
	.identity = nb_netdev_identity,
	.get_queues = nb_netdev_get_queues,
	.put_queue = nb_netdev_put_queue,
	.set_rss = nb_netdev_set_rss,
	.set_link = nb_netdev_set_link,
	.stop = nb_netdev_stop,
};

int nb_netdev_init(void)
{
	return rtnl_link_register(&nb_netdev_link_ops);
}

void nb_netdev_exit(void)
{
	rtnl_link_unregister(&nb_netdev_link_ops);
}
