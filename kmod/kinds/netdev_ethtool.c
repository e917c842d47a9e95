// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev, ethtool: driver, link, queues, RSS, and the counters of each queue.
 *
 * All under rtnl_lock, which keeps the queues; process context.
 */
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "compat.h"
#include "netdev.h"
#include "queue.h"
#include "rss.h"

/* A counter of struct nb_queue_stats, as ethtool shows it, from the guest's side. */
struct nb_ethtool_stat {
	const char *name;
	size_t offset;
};

#define NB_ETHTOOL_STAT(_field)						\
	{								\
		.name = #_field,					\
		.offset = offsetof(struct nb_queue_stats, _field),	\
	}

static const struct nb_ethtool_stat nb_ethtool_stats[] = {
	NB_ETHTOOL_STAT(tx_packets),
	NB_ETHTOOL_STAT(tx_bytes),
	NB_ETHTOOL_STAT(tx_vlan_packets),
	NB_ETHTOOL_STAT(tx_errors),
	NB_ETHTOOL_STAT(tx_dropped),
	NB_ETHTOOL_STAT(rx_packets),
	NB_ETHTOOL_STAT(rx_bytes),
	NB_ETHTOOL_STAT(rx_vlan_packets),
	NB_ETHTOOL_STAT(rx_errors),
	NB_ETHTOOL_STAT(rx_too_small),
	NB_ETHTOOL_STAT(rx_no_buffer),
	NB_ETHTOOL_STAT(enters),
	NB_ETHTOOL_STAT(kicks),
	NB_ETHTOOL_STAT(notifies),
};

/* The same of struct nb_xdp_counts. */
#define NB_ETHTOOL_XDP(_field)						\
	{								\
		.name = "xdp_" #_field,					\
		.offset = offsetof(struct nb_xdp_counts, _field),	\
	}

static const struct nb_ethtool_stat nb_ethtool_xdp[] = {
	NB_ETHTOOL_XDP(packets),
	NB_ETHTOOL_XDP(drops),
	NB_ETHTOOL_XDP(tx),
	NB_ETHTOOL_XDP(tx_drops),
	NB_ETHTOOL_XDP(redirects),
	NB_ETHTOOL_XDP(xmit),
	NB_ETHTOOL_XDP(xmit_drops),
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

static void nb_ethtool_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	unsigned int i, k;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < dev->real_num_tx_queues; i++) {
		for (k = 0; k < ARRAY_SIZE(nb_ethtool_stats); k++)
			ethtool_sprintf(&data, "queue_%u_%s", i, nb_ethtool_stats[k].name);
		for (k = 0; k < ARRAY_SIZE(nb_ethtool_xdp); k++)
			ethtool_sprintf(&data, "queue_%u_%s", i, nb_ethtool_xdp[k].name);
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

	rxfh->hfunc = ETH_RSS_HASH_TOP;
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
	.get_drvinfo = nb_ethtool_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = nb_ethtool_get_link_ksettings,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_sset_count = nb_ethtool_get_sset_count,
	.get_strings = nb_ethtool_get_strings,
	.get_ethtool_stats = nb_ethtool_get_stats,
	.get_channels = nb_ethtool_get_channels,
	NB_RX_RING_COUNT(nb_ethtool_get_rx_ring_count),
	.get_rxfh_indir_size = nb_ethtool_get_rxfh_indir_size,
	.get_rxfh_key_size = nb_ethtool_get_rxfh_key_size,
	.get_rxfh = NB_GET_RXFH(nb_ethtool_get_rxfh),
};
