// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev, ethtool: driver, link, and the counters of each queue.
 *
 * All under rtnl_lock, which keeps the queues; process context.
 */
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "netdev.h"
#include "queue.h"

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
	return dev->real_num_tx_queues * ARRAY_SIZE(nb_ethtool_stats);
}

static void nb_ethtool_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	unsigned int i, k;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < dev->real_num_tx_queues; i++)
		for (k = 0; k < ARRAY_SIZE(nb_ethtool_stats); k++)
			ethtool_sprintf(&data, "queue_%u_%s", i, nb_ethtool_stats[k].name);
}

static void nb_ethtool_get_stats(struct net_device *dev, struct ethtool_stats *request,
				 u64 *data)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	unsigned int i, k;

	for (i = 0; i < dev->real_num_tx_queues; i++) {
		struct nb_queue *queue = rtnl_dereference(nd->slots[i].queue);
		struct nb_queue_stats stats = {};

		if (queue)
			nb_queue_read_stats(queue, &stats);
		for (k = 0; k < ARRAY_SIZE(nb_ethtool_stats); k++)
			*data++ = *(u64 *)((char *)&stats + nb_ethtool_stats[k].offset);
	}
}

const struct ethtool_ops nb_netdev_ethtool_ops = {
	.get_drvinfo = nb_ethtool_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = nb_ethtool_get_link_ksettings,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_sset_count = nb_ethtool_get_sset_count,
	.get_strings = nb_ethtool_get_strings,
	.get_ethtool_stats = nb_ethtool_get_stats,
};
