// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev: the net_device, what the host sees of it, and which queues it has.
 *
 * rtnl_lock protects &nb_netdev.dev and &nb_netdev_slot.queue; both are read under RCU.
 * Process context.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "netdev.h"
#include "queue.h"

/* Those that wait for buffers are started by nb_netdev_rx_avail(). */
void nb_netdev_start_queues(struct nb_netdev *nd, struct net_device *dev)
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

/*
 * A batch is published with its last packet, which does not come if the device queue is
 * stopped in front of it, or has no queue any more.  Called with the device queue's lock.
 */
static void nb_netdev_end_batch(struct nb_queue *queue)
{
	rcu_read_lock();
	nb_rx_flush(queue);
	rcu_read_unlock();
}

/*
 * Buffers may come meanwhile, and frames of XDP, which do not ask whether netif_tx_lock()
 * has frozen a device queue: each one's own lock is taken.
 */
static int nb_netdev_close(struct net_device *dev)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	unsigned int i;

	netif_tx_stop_all_queues(dev);
	for (i = 0; i < nd->max_queues; i++) {
		struct netdev_queue *txq = netdev_get_tx_queue(dev, i);
		/* Under rtnl_lock() it stays. */
		struct nb_queue *queue = rtnl_dereference(nd->slots[i].queue);

		__netif_tx_lock_bh(txq);
		nb_netdev_drop_held(nd, &nd->slots[i]);
		if (queue)
			nb_netdev_end_batch(queue);
		__netif_tx_unlock_bh(txq);
	}
	nb_backend_link(&nd->backend, false);
	return 0;
}

void nb_netdev_use_queue(struct nb_netdev *nd, struct nb_queue *queue)
{
	ASSERT_RTNL();
	nb_netdev_count_queue(nd, queue);
	nb_moderation_set(queue, &nd->moderation);
	rcu_assign_pointer(nd->slots[queue->index].queue, queue);
}

/* Nothing refers to the queue when this returns. */
void nb_netdev_forget_queue(struct nb_netdev *nd, struct nb_queue *queue)
{
	struct net_device *dev = rtnl_dereference(nd->dev);
	struct netdev_queue *txq;

	ASSERT_RTNL();
	RCU_INIT_POINTER(nd->slots[queue->index].queue, NULL);
	synchronize_net();
	/* Without a net_device it has been closed. */
	if (dev) {
		txq = netdev_get_tx_queue(dev, queue->index);
		__netif_tx_lock_bh(txq);
		nb_netdev_end_batch(queue);
		__netif_tx_unlock_bh(txq);
	}
	/* Now the counters stand still. */
	nb_netdev_keep_counts(nd, queue);
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

void nb_netdev_dev_free(struct net_device *dev)
{
	nb_netdev_put(nb_netdev_of_dev(dev));
}

void nb_netdev_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &nb_netdev_dev_ops;
	dev->rtnl_link_ops = &nb_netdev_link_ops;
	dev->ethtool_ops = &nb_netdev_ethtool_ops;
	nb_dev_set_stat_ops(dev, &nb_netdev_stat_ops);
	/* What is in features is wanted; nb_netdev_fix_features() takes it away. */
	dev->features = NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_HW_VLAN_CTAG_TX |
			NB_NETDEV_RX_FEATURES | NB_NETDEV_FIXED_FEATURES;
	dev->hw_features = dev->features & ~NB_NETDEV_FIXED_FEATURES;
	dev->vlan_features = NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_RXCSUM |
			     NB_NETDEV_RX_FEATURES;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	nb_xdp_set_features(dev);
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = U16_MAX - ETH_HLEN;
}
