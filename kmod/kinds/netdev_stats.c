// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev: the counters of the net_device and of each of its queues, from its side: it
 * receives what the guest transmits.
 *
 * &nb_netdev.stats_lock (innermost) makes a queue's counters move to those of the device
 * at once when the queue goes.  Any context, but for the counters of one queue and of
 * those that are gone: these under rtnl_lock.
 */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "compat.h"
#include "netdev.h"
#include "queue.h"

static void nb_netdev_add_counts(struct nb_netdev_counts *to, struct nb_queue *queue)
{
	const struct nb_xdp_counts *xdp = &((struct nb_xdp_queue *)queue->priv)->counts;
	struct nb_queue_stats stats;

	nb_queue_read_stats(queue, &stats);
	to->rx_packets += stats.tx_packets;
	to->rx_bytes += stats.tx_bytes;
	to->rx_errors += stats.tx_errors;
	to->rx_dropped += stats.tx_dropped;
	to->tx_packets += stats.rx_packets;
	to->tx_bytes += stats.rx_bytes;
	to->tx_errors += stats.rx_errors;
	to->tx_dropped += stats.rx_too_small + READ_ONCE(xdp->tx_drops) +
			  READ_ONCE(xdp->xmit_drops);
	to->tx_stops += stats.rx_no_buffer;
}

void nb_netdev_count_queue(struct nb_netdev *nd, struct nb_queue *queue)
{
	spin_lock_bh(&nd->stats_lock);
	nd->slots[queue->index].counted = queue;
	spin_unlock_bh(&nd->stats_lock);
}

void nb_netdev_keep_counts(struct nb_netdev *nd, struct nb_queue *queue)
{
	spin_lock_bh(&nd->stats_lock);
	nb_netdev_add_counts(&nd->total, queue);
	nd->slots[queue->index].counted = NULL;
	spin_unlock_bh(&nd->stats_lock);
}

/* Of the device, since it is there. */
void nb_netdev_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	struct nb_netdev_counts sum;
	unsigned int i;

	spin_lock_bh(&nd->stats_lock);
	sum = nd->total;
	for (i = 0; i < nd->max_queues; i++)
		if (nd->slots[i].counted)
			nb_netdev_add_counts(&sum, nd->slots[i].counted);
	spin_unlock_bh(&nd->stats_lock);
	stats->rx_packets = sum.rx_packets;
	stats->rx_bytes = sum.rx_bytes;
	stats->rx_errors = sum.rx_errors;
	stats->rx_dropped = sum.rx_dropped;
	stats->tx_packets = sum.tx_packets;
	stats->tx_bytes = sum.tx_bytes;
	stats->tx_errors = sum.tx_errors;
	stats->tx_dropped = sum.tx_dropped + atomic64_read(&nd->no_queue);
}

/* ---- netdev-genl --------------------------------------------------------- */

/* Of a queue, since the frontend has made it. */
static void nb_netdev_counts_of(struct net_device *dev, int i,
				struct nb_netdev_counts *counts)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);

	*counts = (struct nb_netdev_counts){};
	spin_lock_bh(&nd->stats_lock);
	if (nd->slots[i].counted)
		nb_netdev_add_counts(counts, nd->slots[i].counted);
	spin_unlock_bh(&nd->stats_lock);
}

static void nb_netdev_put_rx(struct netdev_queue_stats_rx *stats,
			     const struct nb_netdev_counts *counts)
{
	stats->packets = counts->rx_packets;
	stats->bytes = counts->rx_bytes;
	stats->hw_drops = counts->rx_errors + counts->rx_dropped;
}

static void nb_netdev_put_tx(struct netdev_queue_stats_tx *stats,
			     const struct nb_netdev_counts *counts)
{
	stats->packets = counts->tx_packets;
	stats->bytes = counts->tx_bytes;
	stats->hw_drops = counts->tx_dropped;
	stats->stop = counts->tx_stops;
}

static void nb_netdev_get_queue_rx(struct net_device *dev, int i,
				   struct netdev_queue_stats_rx *stats)
{
	struct nb_netdev_counts counts;

	nb_netdev_counts_of(dev, i, &counts);
	nb_netdev_put_rx(stats, &counts);
}

static void nb_netdev_get_queue_tx(struct net_device *dev, int i,
				   struct netdev_queue_stats_tx *stats)
{
	struct nb_netdev_counts counts;

	nb_netdev_counts_of(dev, i, &counts);
	nb_netdev_put_tx(stats, &counts);
}

/* What no queue that is there has counted. */
static void nb_netdev_get_base(struct net_device *dev, struct netdev_queue_stats_rx *rx,
			       struct netdev_queue_stats_tx *tx)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	struct nb_netdev_counts counts;

	spin_lock_bh(&nd->stats_lock);
	counts = nd->total;
	spin_unlock_bh(&nd->stats_lock);
	counts.tx_dropped += atomic64_read(&nd->no_queue);
	nb_netdev_put_rx(rx, &counts);
	nb_netdev_put_tx(tx, &counts);
}

const struct netdev_stat_ops nb_netdev_stat_ops = {
	.get_queue_stats_rx = nb_netdev_get_queue_rx,
	.get_queue_stats_tx = nb_netdev_get_queue_tx,
	.get_base_stats = nb_netdev_get_base,
};
