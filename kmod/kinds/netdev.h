/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind netdev: what its files share.
 *
 *	netdev.c		the backend
 *	netdev_dev.c		the net_device
 *	netdev_tx.c		packets, guest to host
 *	netdev_rx.c		packets, host to guest
 *	netdev_xdp.c		XDP programs on what the guest sends, and frames to it
 *	netdev_ethtool.c	what ethtool shows
 *	netdev_link.c		what rtnetlink shows
 *	netdev_stats.c		counters
 *	netdev_uplink.c		an interface that is a port of a switch
 */
#ifndef _NB_NETDEV_H
#define _NB_NETDEV_H

#include <linux/container_of.h>
#include <linux/kref.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <net/xdp.h>

#include "kind.h"

/* Bits per second, of the net_device and of the guest's NIC. */
#define NB_NETDEV_SPEED		(10ULL * 1000 * 1000 * 1000)

/* What is offered to the stack as far as the frontend takes it. */
#define NB_NETDEV_RX_FEATURES						\
	(NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | \
	 NETIF_F_GSO_UDP_L4)

/* What the guest asks for packet by packet, so that nobody can turn it off. */
#define NB_NETDEV_FIXED_FEATURES	(NETIF_F_RXCSUM | NETIF_F_HW_VLAN_CTAG_RX)

/* Most entries of the RSS indirection table. */
#define NB_NETDEV_TABLE_SIZE	128

/**
 * struct nb_netdev_slot - what a queue number stands for
 * @queue: where packets go, or NULL
 * @counted: whose counters are part of the device's, or NULL
 * @awaited: the last queue was closed while it was quiesced, and the next one has not
 *	come yet; as @held
 * @held: a packet that waits for a buffer, for the queue to be resumed, or for the next
 *	one, ahead of those in the qdisc; under the lock of the transmit queue, or NULL
 */
struct nb_netdev_slot {
	struct nb_queue __rcu *queue;
	struct nb_queue *counted;
	bool awaited;
	struct sk_buff *held;
};

/**
 * struct nb_netdev_counts - what queues have counted, from the net_device's side
 * @rx_packets: packets that the guest has sent
 * @rx_bytes: their bytes
 * @rx_errors: packets whose description was wrong
 * @rx_dropped: packets that there was no memory for, or that came while it was down
 * @tx_packets: packets that the guest has got
 * @tx_bytes: their bytes
 * @tx_errors: receive buffers whose description was wrong; a packet goes to the next one
 * @tx_dropped: packets that were longer than their buffer, and frames of XDP that found
 *	none
 * @tx_stops: times that the device queue was stopped for want of a buffer
 */
struct nb_netdev_counts {
	u64 rx_packets;
	u64 rx_bytes;
	u64 rx_errors;
	u64 rx_dropped;
	u64 tx_packets;
	u64 tx_bytes;
	u64 tx_errors;
	u64 tx_dropped;
	u64 tx_stops;
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
 * @moderation: what new queues have; under rtnl_lock
 * @rx_features: of NB_NETDEV_RX_FEATURES, what the frontend takes; under rtnl_lock
 * @xdp_prog: the program on what the guest sends, or NULL; as @rss
 * @rss: as the frontend wants packets spread, or NULL; written under rtnl_lock, read
 *	under RCU
 * @max_queues: entries of @slots
 * @slots: by number of the queue
 */
struct nb_netdev {
	struct nb_backend backend;
	struct kref ref;
	struct net_device __rcu *dev;
	u64 last_net_cookie;
	spinlock_t stats_lock; /* total and slots[].counted */
	struct nb_netdev_counts total;
	atomic64_t no_queue;
	struct nb_queue_moderation moderation;
	netdev_features_t rx_features;
	struct bpf_prog __rcu *xdp_prog;
	struct nb_rss __rcu *rss;
	unsigned int max_queues;
	struct nb_netdev_slot slots[];
};

/* What the private data of a net_device of the kind is, that of an uplink as well. */
struct nb_netdev_priv {
	struct nb_backend *backend;
};

static inline struct nb_netdev *nb_netdev_of(struct nb_backend *backend)
{
	return container_of(backend, struct nb_netdev, backend);
}

static inline struct nb_netdev *nb_netdev_of_dev(const struct net_device *dev)
{
	return nb_netdev_of(((struct nb_netdev_priv *)netdev_priv(dev))->backend);
}

/* netdev.c APIs: */

/* Whether name and MTU are possible for a net_device. */
int nb_netdev_check(const struct nb_backend_params *params, struct nb_msg *msg);

/* The backend, or the net_device, is done with it. */
void nb_netdev_put(struct nb_netdev *nd);

/* netdev_dev.c APIs, under rtnl_lock but for nb_netdev_setup() and nb_netdev_dev_free(): */

/* For alloc_netdev_mqs(); and its priv_destructor. */
void nb_netdev_setup(struct net_device *dev);
void nb_netdev_dev_free(struct net_device *dev);

/* The host's packets go to a queue from now on; to none, and nothing refers to it. */
void nb_netdev_use_queue(struct nb_netdev *nd, struct nb_queue *queue);
void nb_netdev_forget_queue(struct nb_netdev *nd, struct nb_queue *queue);

/* Wake the device queues, but those that wait for buffers. */
void nb_netdev_start_queues(struct nb_netdev *nd, struct net_device *dev);

/* netdev_tx.c APIs: */

/* ops->tx */
unsigned int nb_netdev_tx(struct nb_queue *queue, struct nb_packet *packets,
			  unsigned int n);

/* netdev_rx.c APIs: */

/* ndo_start_xmit and ndo_select_queue. */
netdev_tx_t nb_netdev_start_xmit(struct sk_buff *skb, struct net_device *dev);
u16 nb_netdev_select_queue(struct net_device *dev, struct sk_buff *skb,
			   struct net_device *sb_dev);

/* ops->rx_avail and ops->quiesce. */
void nb_netdev_rx_avail(struct nb_queue *queue);
void nb_netdev_quiesce(struct nb_queue *queue);

/* Drop the packet that waits, if there is one.  Under the transmit queue's lock. */
void nb_netdev_drop_held(struct nb_netdev *nd, struct nb_netdev_slot *slot);

/* Which queues are awaited, see &nb_netdev_slot.awaited.  Under rtnl_lock. */
void nb_netdev_await_none(struct nb_netdev *nd, struct net_device *dev,
			  unsigned int first);
void nb_netdev_await_next(struct nb_netdev *nd, struct net_device *dev,
			  struct nb_queue *queue, bool quiesced);

/* netdev_xdp.c APIs: */

/**
 * struct nb_xdp_counts - what became of a queue's packets; as other drivers name it
 * @packets: that a program has seen
 * @drops: XDP_DROP, XDP_ABORTED, and what went wrong
 * @tx: XDP_TX
 * @tx_drops: of those, for which the guest had no buffer
 * @redirects: XDP_REDIRECT
 * @xmit: that others have redirected here
 * @xmit_drops: of those, for which the guest had no buffer
 */
struct nb_xdp_counts {
	u64 packets;
	u64 drops;
	u64 tx;
	u64 tx_drops;
	u64 redirects;
	u64 xmit;
	u64 xmit_drops;
};

/**
 * struct nb_xdp_queue - what XDP needs of a queue; &nb_queue.priv
 * @rxq: as programs and maps see the queue
 * @spare: a buffer for a short packet that a program has dropped, or NULL; under
 *	&nb_queue.tx_lock
 * @counts: @xmit and @xmit_drops under the lock of the transmit queue, the others
 *	under &nb_queue.tx_lock; read without
 */
struct nb_xdp_queue {
	struct xdp_rxq_info rxq;
	void *spare;
	struct nb_xdp_counts counts;
};

/* When a queue begins and ceases to be used.  Under rtnl_lock. */
int nb_xdp_queue_create(struct net_device *dev, struct nb_queue *queue);
void nb_xdp_queue_destroy(struct nb_queue *queue);

/**
 * nb_xdp_receive() - run a program on a batch that the guest sends
 * @queue: the queue
 * @packets: the batch
 * @n: its packets
 * @dev: the net_device
 * @prog: the program
 * @list: in/out: skbs of what passes are added
 *
 * In ops->tx.
 */
void nb_xdp_receive(struct nb_queue *queue, struct nb_packet *packets, unsigned int n,
		    struct net_device *dev, struct bpf_prog *prog, struct list_head *list);

/* ndo_bpf, ndo_xdp_xmit, and whether a program allows an MTU. */
int nb_xdp_bpf(struct net_device *dev, struct netdev_bpf *bpf);
int nb_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags);
bool nb_xdp_allows_mtu(const struct bpf_prog *prog, int mtu);

/* netdev_uplink.c APIs: */

/* &nb_endpoint_ops.create for NB_NETDEV_UPLINK. */
struct nb_backend *nb_uplink_create(const struct nb_backend_params *params,
				    struct nb_msg *msg);

/* netdev_ethtool.c APIs: */
extern const struct ethtool_ops nb_netdev_ethtool_ops;
extern const struct ethtool_ops nb_uplink_ethtool_ops;

/* netdev_link.c APIs: */

/* Of all net_devices that the kind has made. */
extern struct rtnl_link_ops nb_netdev_link_ops;

/* netdev_stats.c APIs: */

/* ndo_get_stats64, and what netdev-genl shows where the kernel has that. */
void nb_netdev_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats);
extern const struct netdev_stat_ops nb_netdev_stat_ops;

/*
 * The queue's counters are part of the device's from now on; and are what they are now,
 * and for good: the queue goes, after nb_xdp_queue_create() and before its counterpart.
 */
void nb_netdev_count_queue(struct nb_netdev *nd, struct nb_queue *queue);
void nb_netdev_keep_counts(struct nb_netdev *nd, struct nb_queue *queue);

#endif /* _NB_NETDEV_H */
