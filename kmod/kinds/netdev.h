/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind netdev: what its files share.
 *
 *	netdev.c		packets, the net_device, the backend
 *	netdev_ethtool.c	what ethtool shows
 */
#ifndef _NB_NETDEV_H
#define _NB_NETDEV_H

#include <linux/container_of.h>
#include <linux/kref.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>

#include "kind.h"

/* Bits per second, of the net_device and of the guest's NIC. */
#define NB_NETDEV_SPEED		(10ULL * 1000 * 1000 * 1000)

/**
 * struct nb_netdev_slot - what a queue number stands for
 * @queue: where packets go, or NULL
 * @counted: whose counters are part of the device's, or NULL
 */
struct nb_netdev_slot {
	struct nb_queue __rcu *queue;
	struct nb_queue *counted;
};

/**
 * struct nb_netdev - a backend with its net_device
 * @backend: what endpoint.c knows
 * @ref: held by the backend and by the net_device
 * @dev: the net_device, NULL when it is gone
 * @last_net_cookie: of the namespace in which @dev was when it went
 * @stats_lock: protects @total and &nb_netdev_slot.counted
 * @total: counters of queues that are gone
 * @no_queue: packets that came while there was no queue, or one that has failed
 * @max_queues: entries of @slots
 * @slots: by number of the queue
 */
struct nb_netdev {
	struct nb_backend backend;
	struct kref ref;
	struct net_device __rcu *dev;
	u64 last_net_cookie;
	spinlock_t stats_lock; /* total and slots[].counted */
	struct rtnl_link_stats64 total;
	atomic64_t no_queue;
	unsigned int max_queues;
	struct nb_netdev_slot slots[];
};

/* What the net_device's private data is. */
struct nb_netdev_priv {
	struct nb_netdev *nd;
};

static inline struct nb_netdev *nb_netdev_of(struct nb_backend *backend)
{
	return container_of(backend, struct nb_netdev, backend);
}

static inline struct nb_netdev *nb_netdev_of_dev(const struct net_device *dev)
{
	return ((struct nb_netdev_priv *)netdev_priv(dev))->nd;
}

/* netdev_ethtool.c APIs: */
extern const struct ethtool_ops nb_netdev_ethtool_ops;

#endif /* _NB_NETDEV_H */
