// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev, ethtool: driver, link, queues and their rings, RSS, and the counters of each
 * queue; and for an uplink, what of that it has.
 *
 * All under rtnl_lock, which keeps the queues; process context.
 */
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "compat.h"
#include "ioctl.h"
#include "netdev.h"
#include "queue.h"
#include "rss.h"

/*
 * A counter of a queue, named as nbctl does, but from the net_device's side as other
 * drivers do: it receives what the guest transmits.
 */
struct nb_ethtool_stat {
	const char *side;
	const char *name;
	size_t offset;
};

#define NB_ETHTOOL_STAT(_side, _name, _field)				\
	{								\
		.side = _side,						\
		.name = _name,						\
		.offset = offsetof(struct nb_queue_stats, _field),	\
	}

static const struct nb_ethtool_stat nb_ethtool_stats[] = {
	NB_ETHTOOL_STAT("rx_", "packets", tx_packets),
	NB_ETHTOOL_STAT("rx_", "bytes", tx_bytes),
	NB_ETHTOOL_STAT("rx_", "vlan", tx_vlan_packets),
	NB_ETHTOOL_STAT("rx_", "errors", tx_errors),
	NB_ETHTOOL_STAT("rx_", "dropped", tx_dropped),
	NB_ETHTOOL_STAT("rx_", "zerocopy", tx_zerocopy),
	NB_ETHTOOL_STAT("rx_", "zerocopy_copied", tx_zerocopy_copied),
	NB_ETHTOOL_STAT("tx_", "packets", rx_packets),
	NB_ETHTOOL_STAT("tx_", "bytes", rx_bytes),
	NB_ETHTOOL_STAT("tx_", "vlan", rx_vlan_packets),
	NB_ETHTOOL_STAT("tx_", "errors", rx_errors),
	NB_ETHTOOL_STAT("tx_", "too_small", rx_too_small),
	NB_ETHTOOL_STAT("tx_", "no_buffer", rx_no_buffer),
	NB_ETHTOOL_STAT("", "enters", enters),
	NB_ETHTOOL_STAT("", "kicks", kicks),
	NB_ETHTOOL_STAT("", "notifies", notifies),
	NB_ETHTOOL_STAT("", "held_back", held_back),
};

/* The same of struct nb_xdp_counts. */
#define NB_ETHTOOL_XDP(_side, _field)					\
	{								\
		.side = _side,						\
		.name = "xdp_" #_field,					\
		.offset = offsetof(struct nb_xdp_counts, _field),	\
	}

static const struct nb_ethtool_stat nb_ethtool_xdp[] = {
	NB_ETHTOOL_XDP("rx_", packets),
	NB_ETHTOOL_XDP("rx_", drops),
	NB_ETHTOOL_XDP("rx_", tx),
	NB_ETHTOOL_XDP("rx_", tx_drops),
	NB_ETHTOOL_XDP("rx_", redirects),
	NB_ETHTOOL_XDP("tx_", xmit),
	NB_ETHTOOL_XDP("tx_", xmit_drops),
};

#define NB_ETHTOOL_QUEUE_STATS \
	(ARRAY_SIZE(nb_ethtool_stats) + ARRAY_SIZE(nb_ethtool_xdp))

static void nb_ethtool_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
}

static int nb_ethtool_get_link_ksettings(struct net_device *dev,
					 struct ethtool_link_ksettings *settings)
{
	settings->base.speed = NB_NETDEV_SPEED / 1000 / 1000;
	settings->base.duplex = DUPLEX_FULL;
	settings->base.port = PORT_OTHER;
	settings->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

static int nb_ethtool_get_sset_count(struct net_device *dev, int sset)
{
	if (sset != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return dev->real_num_tx_queues * NB_ETHTOOL_QUEUE_STATS;
}

static void nb_ethtool_put_names(u8 **data, unsigned int queue,
				 const struct nb_ethtool_stat *stats, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		ethtool_sprintf(data, "%squeue_%u_%s", stats[i].side, queue, stats[i].name);
}

static void nb_ethtool_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	unsigned int i;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < dev->real_num_tx_queues; i++) {
		nb_ethtool_put_names(&data, i, nb_ethtool_stats,
				     ARRAY_SIZE(nb_ethtool_stats));
		nb_ethtool_put_names(&data, i, nb_ethtool_xdp, ARRAY_SIZE(nb_ethtool_xdp));
	}
}

/* Copy the counters at their offsets, and step over them. */
static u64 *nb_ethtool_put(u64 *data, const void *counters,
			   const struct nb_ethtool_stat *stats, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		*data++ = READ_ONCE(*(u64 *)(counters + stats[i].offset));
	return data;
}

static void nb_ethtool_get_stats(struct net_device *dev, struct ethtool_stats *request,
				 u64 *data)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	unsigned int i;

	for (i = 0; i < dev->real_num_tx_queues; i++) {
		struct nb_queue *queue = rtnl_dereference(nd->slots[i].queue);
		const struct nb_xdp_counts none = {}, *xdp = &none;
		struct nb_queue_stats stats = {};

		if (queue) {
			nb_queue_read_stats(queue, &stats);
			xdp = &((struct nb_xdp_queue *)queue->priv)->counts;
		}
		data = nb_ethtool_put(data, &stats, nb_ethtool_stats,
				      ARRAY_SIZE(nb_ethtool_stats));
		data = nb_ethtool_put(data, xdp, nb_ethtool_xdp, ARRAY_SIZE(nb_ethtool_xdp));
	}
}

static void nb_ethtool_get_channels(struct net_device *dev,
				    struct ethtool_channels *channels)
{
	channels->max_combined = dev->num_tx_queues;
	channels->combined_count = dev->real_num_tx_queues;
}

/* As the frontend has made them: of the first queue, others may differ. */
static void nb_ethtool_get_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
				     struct kernel_ethtool_ringparam *kernel_ring,
				     struct netlink_ext_ack *extack)
{
	const struct nb_queue *queue = rtnl_dereference(nb_netdev_of_dev(dev)->slots[0].queue);

	ring->rx_max_pending = NB_MAX_RING_ENTRIES;
	ring->tx_max_pending = NB_MAX_RING_ENTRIES;
	ring->rx_pending = queue ? queue->tx_avail.size : 0;
	ring->tx_pending = queue ? queue->rx_avail.size : 0;
}

/* ---- moderation of notifications to the guest, from this device's side --- */

static void nb_ethtool_put_moderation(struct ethtool_coalesce *to,
				      const struct nb_queue_moderation *from)
{
	to->rx_coalesce_usecs = from->tx_usecs;
	to->rx_max_coalesced_frames = from->tx_frames;
	to->use_adaptive_rx_coalesce = !!(from->adaptive & NB_NEED_NOTIFY_TX);
	to->tx_coalesce_usecs = from->rx_usecs;
	to->tx_max_coalesced_frames = from->rx_frames;
	to->use_adaptive_tx_coalesce = !!(from->adaptive & NB_NEED_NOTIFY_RX);
}

/* What the operator wants, if that is possible. */
static int nb_ethtool_take_moderation(const struct ethtool_coalesce *from,
				      struct nb_queue_moderation *to, struct nb_msg *msg)
{
	*to = (struct nb_queue_moderation) {
		.tx_usecs = from->rx_coalesce_usecs,
		.tx_frames = from->rx_max_coalesced_frames,
		.rx_usecs = from->tx_coalesce_usecs,
		.rx_frames = from->tx_max_coalesced_frames,
		.adaptive = (from->use_adaptive_rx_coalesce ? NB_NEED_NOTIFY_TX : 0) |
			    (from->use_adaptive_tx_coalesce ? NB_NEED_NOTIFY_RX : 0),
	};
	return nb_moderation_check(to, msg);
}

/*
 * What the first queue has, whoever has set it, or what it will have: from there ethtool
 * goes on, for all of them.
 */
static int nb_ethtool_get_coalesce(struct net_device *dev,
				   struct ethtool_coalesce *coalesce,
				   struct kernel_ethtool_coalesce *kernel_coalesce,
				   struct netlink_ext_ack *extack)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	struct nb_queue *queue = rtnl_dereference(nd->slots[0].queue);
	struct nb_queue_moderation moderation = nd->moderation;

	if (queue)
		nb_moderation_get(queue, &moderation);
	nb_ethtool_put_moderation(coalesce, &moderation);
	return 0;
}

static int nb_ethtool_set_coalesce(struct net_device *dev,
				   struct ethtool_coalesce *coalesce,
				   struct kernel_ethtool_coalesce *kernel_coalesce,
				   struct netlink_ext_ack *extack)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	struct nb_queue_moderation moderation;
	struct nb_msg msg = {};
	unsigned int i;
	int err;

	err = nb_ethtool_take_moderation(coalesce, &moderation, &msg);
	if (err) {
		nb_extack_set(extack, msg.text, "a number is too large, or usecs is missing");
		return err;
	}
	nd->moderation = moderation;
	for (i = 0; i < nd->max_queues; i++) {
		struct nb_queue *queue = rtnl_dereference(nd->slots[i].queue);

		if (queue)
			nb_moderation_set(queue, &moderation);
	}
	return 0;
}

static int nb_ethtool_get_queue_coalesce(struct net_device *dev, u32 i,
					 struct ethtool_coalesce *coalesce)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	struct nb_queue_moderation moderation = {};
	struct nb_queue *queue;

	queue = i < nd->max_queues ? rtnl_dereference(nd->slots[i].queue) : NULL;
	if (!queue)
		return -EINVAL;
	nb_moderation_get(queue, &moderation);
	nb_ethtool_put_moderation(coalesce, &moderation);
	return 0;
}

static int nb_ethtool_set_queue_coalesce(struct net_device *dev, u32 i,
					 struct ethtool_coalesce *coalesce)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	struct nb_queue_moderation moderation;
	struct nb_queue *queue;
	struct nb_msg msg = {};
	int err;

	queue = i < nd->max_queues ? rtnl_dereference(nd->slots[i].queue) : NULL;
	if (!queue)
		return -EINVAL;
	err = nb_ethtool_take_moderation(coalesce, &moderation, &msg);
	if (!err)
		nb_moderation_set(queue, &moderation);
	return err;
}

/* ---- RSS: of the guest, that is of what this device transmits ------------ */

static u32 nb_ethtool_get_rx_ring_count(struct net_device *dev)
{
	return dev->real_num_rx_queues;
}

NB_DEFINE_RX_RING_COUNT(nb_ethtool_get_rx_ring_count)

static const struct nb_rss *nb_ethtool_rss(const struct net_device *dev)
{
	return rtnl_dereference(nb_netdev_of_dev(dev)->rss);
}

static u32 nb_ethtool_get_rxfh_indir_size(struct net_device *dev)
{
	const struct nb_rss *rss = nb_ethtool_rss(dev);

	return rss ? rss->table_len : 0;
}

static u32 nb_ethtool_get_rxfh_key_size(struct net_device *dev)
{
	const struct nb_rss *rss = nb_ethtool_rss(dev);

	return rss ? rss->key_len : 0;
}

static int nb_ethtool_get_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh)
{
	const struct nb_rss *rss = nb_ethtool_rss(dev);
	unsigned int i;

	rxfh->hfunc = rss ? ETH_RSS_HASH_TOP : ETH_RSS_HASH_UNKNOWN;
	if (!rss)
		return 0;
	for (i = 0; rxfh->indir && i < rss->table_len; i++)
		rxfh->indir[i] = rss->table[i];
	if (rxfh->key)
		memcpy(rxfh->key, rss->key, rss->key_len);
	return 0;
}

NB_DEFINE_GET_RXFH(nb_ethtool_get_rxfh)

const struct ethtool_ops nb_netdev_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_USECS | ETHTOOL_COALESCE_MAX_FRAMES |
				     ETHTOOL_COALESCE_USE_ADAPTIVE,
	.get_drvinfo = nb_ethtool_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = nb_ethtool_get_link_ksettings,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_sset_count = nb_ethtool_get_sset_count,
	.get_strings = nb_ethtool_get_strings,
	.get_ethtool_stats = nb_ethtool_get_stats,
	.get_channels = nb_ethtool_get_channels,
	.get_ringparam = nb_ethtool_get_ringparam,
	.get_coalesce = nb_ethtool_get_coalesce,
	.set_coalesce = nb_ethtool_set_coalesce,
	.get_per_queue_coalesce = nb_ethtool_get_queue_coalesce,
	.set_per_queue_coalesce = nb_ethtool_set_queue_coalesce,
	NB_RX_RING_COUNT(nb_ethtool_get_rx_ring_count),
	.get_rxfh_indir_size = nb_ethtool_get_rxfh_indir_size,
	.get_rxfh_key_size = nb_ethtool_get_rxfh_key_size,
	.get_rxfh = NB_GET_RXFH(nb_ethtool_get_rxfh),
};

const struct ethtool_ops nb_uplink_ethtool_ops = {
	.get_drvinfo = nb_ethtool_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = nb_ethtool_get_link_ksettings,
	.get_ts_info = ethtool_op_get_ts_info,
};
