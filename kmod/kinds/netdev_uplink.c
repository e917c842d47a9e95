// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev as the uplink of a switch: a net_device that is a port.  What guests send to
 * it arrives there as received, what the host sends there goes into the switch.
 *
 * It has no queues of a frontend.  The net_device can go first (ip link del, end of its
 * namespace): the port stays, and drops.  rtnl_lock protects &nb_port.dev, which is read
 * under RCU.  Nothing of the host's is stopped for want of buffers: a switch drops.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "endpoint.h"
#include "ioctl.h"
#include "netdev.h"
#include "switch.h"
#include "trace.h"

/**
 * struct nb_uplink - an uplink
 * @port: the port; first, as nb_port_leave() wants it
 * @last_net_cookie: of the namespace in which the net_device was when it went
 */
struct nb_uplink {
	struct nb_port port;
	u64 last_net_cookie;
};

static struct nb_uplink *nb_uplink_of(struct nb_backend *backend)
{
	return container_of(nb_port_of(backend), struct nb_uplink, port);
}

static struct nb_uplink *nb_uplink_of_dev(const struct net_device *dev)
{
	return nb_uplink_of(((struct nb_netdev_priv *)netdev_priv(dev))->backend);
}

/* ---- packets ------------------------------------------------------------- */

void nb_uplink_receive(struct net_device *dev, struct list_head *skbs, unsigned int n,
		       unsigned int bytes)
{
	struct pcpu_sw_netstats *stats = this_cpu_ptr(dev->tstats);

	if (!n)
		return;
	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->rx_packets, n);
	u64_stats_add(&stats->rx_bytes, bytes);
	u64_stats_update_end(&stats->syncp);
	netif_receive_skb_list(skbs);
}

/* The port counts what the switch drops; this it does not get. */
static enum nb_drop nb_uplink_drop(const struct nb_port *port, enum nb_drop why)
{
	trace_nb_drop(READ_ONCE(port->backend.endpoint_id), NB_TRACE_NO_QUEUE, NB_TRACE_TX, why, 1);
	return why;
}

static enum nb_drop nb_uplink_send(struct nb_port *port, struct sk_buff *skb)
{
	if (READ_ONCE(port->backend.link_disabled))
		return nb_uplink_drop(port, NB_DROP_LINK_DOWN);
	if (skb->len < ETH_HLEN)
		return nb_uplink_drop(port, NB_DROP_INVALID);
	skb_tx_timestamp(skb);
	return nb_forward_skb(port, skb);
}

static netdev_tx_t nb_uplink_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct nb_port *port = &nb_uplink_of_dev(dev)->port;
	unsigned int len = skb->len;
	enum nb_drop why;

	rcu_read_lock();
	why = nb_uplink_send(port, skb);
	rcu_read_unlock();
	if (likely(why == NB_DROP_N)) {
		dev_sw_netstats_tx_add(dev, 1, len);
		dev_consume_skb_any(skb);
	} else {
		DEV_STATS_INC(dev, tx_dropped);
		nb_drop_skb_any(skb, why);
	}
	return NETDEV_TX_OK;
}

/* ---- the net_device ------------------------------------------------------ */

static int nb_uplink_open(struct net_device *dev)
{
	netif_tx_start_all_queues(dev);
	nb_backend_link(&nb_uplink_of_dev(dev)->port.backend, true);
	return 0;
}

static int nb_uplink_close(struct net_device *dev)
{
	netif_tx_stop_all_queues(dev);
	nb_backend_link(&nb_uplink_of_dev(dev)->port.backend, false);
	return 0;
}

/* The net_device goes, whoever wants that. */
static void nb_uplink_uninit(struct net_device *dev)
{
	struct nb_uplink *uplink = nb_uplink_of_dev(dev);

	ASSERT_RTNL();
	uplink->last_net_cookie = dev_net(dev)->net_cookie;
	RCU_INIT_POINTER(uplink->port.dev, NULL);
	nb_backend_gone(&uplink->port.backend);
}

static void nb_uplink_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	netdev_stats_to_stats64(stats, &dev->stats);
	dev_fetch_sw_netstats(stats, dev->tstats);
}

static const struct net_device_ops nb_uplink_dev_ops = {
	.ndo_uninit = nb_uplink_uninit,
	.ndo_open = nb_uplink_open,
	.ndo_stop = nb_uplink_close,
	.ndo_start_xmit = nb_uplink_start_xmit,
	.ndo_get_stats64 = nb_uplink_get_stats64,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static void nb_uplink_dev_free(struct net_device *dev)
{
	free_percpu(dev->tstats);
}

static void nb_uplink_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &nb_uplink_dev_ops;
	dev->rtnl_link_ops = &nb_netdev_link_ops;
	dev->ethtool_ops = &nb_uplink_ethtool_ops;
	dev->features = NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_HW_VLAN_CTAG_TX |
			NETIF_F_HW_VLAN_CTAG_RX;
	dev->hw_features = NETIF_F_SG | NETIF_F_HW_VLAN_CTAG_TX;
	dev->vlan_features = NETIF_F_SG | NETIF_F_HIGHDMA;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	/* It would send in an interrupt within what a port's locks protect. */
	dev->priv_flags |= IFF_DISABLE_NETPOLL;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = U16_MAX - ETH_HLEN;
}

static struct net_device *nb_uplink_alloc_dev(const struct nb_backend_params *params,
					      struct nb_uplink *uplink)
{
	unsigned int queues = min_t(unsigned int, num_possible_cpus(), NB_SWITCH_MAX_QUEUES);
	struct nb_netdev_priv *priv;
	struct net_device *dev;

	dev = alloc_netdev_mqs(sizeof(*priv), params->name[0] ? params->name : "nb%d",
			       params->name[0] ? NET_NAME_USER : NET_NAME_ENUM,
			       nb_uplink_setup, queues, 1);
	if (!dev)
		return NULL;
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats) {
		free_netdev(dev);
		return NULL;
	}
	priv = netdev_priv(dev);
	priv->backend = &uplink->port.backend;
	dev_net_set(dev, params->net);
	eth_hw_addr_random(dev);
	if (params->mtu)
		dev->mtu = params->mtu;
	return dev;
}

static int nb_uplink_register(struct nb_uplink *uplink, struct net_device *dev,
			      struct nb_msg *msg)
{
	int err;

	rtnl_lock();
	err = register_netdevice(dev);
	if (!err) {
		dev->priv_destructor = nb_uplink_dev_free;
		dev->needs_free_netdev = true;
		rcu_assign_pointer(uplink->port.dev, dev);
	}
	rtnl_unlock();
	if (err == -EEXIST) {
		nb_msg(msg, "a network interface with the name '%s' is already there", dev->name);
		msg->about = NB_ABOUT_NAME;
	} else if (err) {
		nb_msg(msg, "the network interface '%s' cannot be registered: error %d",
		       dev->name, -err);
	}
	return err;
}

/* ---- backend ------------------------------------------------------------- */

static int nb_uplink_check(const struct nb_netdev_params *want, struct nb_msg *msg)
{
	if (!(want->flags & NB_NETDEV_UPLINK) || (want->flags & ~NB_NETDEV_UPLINK) ||
	    want->reserved) {
		nb_msg(msg, "flags of params are 0x%x, not NB_NETDEV_UPLINK, or reserved is not 0",
		       want->flags);
		return -EINVAL;
	}
	return 0;
}

/* The port, in its switch, and what stands for its queue. */
static int nb_uplink_join(struct nb_uplink *uplink, const struct nb_backend_params *params,
			  const struct nb_netdev_params *want, struct nb_msg *msg)
{
	struct nb_port_set *set;
	int err;

	uplink->port.is_uplink = true;
	err = nb_port_join(&uplink->port, params, &want->port, msg);
	if (err) {
		kfree(uplink);
		return err;
	}
	set = nb_port_set_create(&uplink->port, NULL, 1);
	if (!set) {
		nb_port_leave(&uplink->port);
		return -ENOMEM;
	}
	rcu_assign_pointer(uplink->port.set, set);
	return 0;
}

static void nb_uplink_leave(struct nb_uplink *uplink)
{
	nb_port_set_free(rcu_replace_pointer(uplink->port.set, NULL, true));
	nb_port_leave(&uplink->port);
}

struct nb_backend *nb_uplink_create(const struct nb_backend_params *params,
				    struct nb_msg *msg)
{
	const struct nb_netdev_params *want = params->kind;
	struct nb_uplink *uplink;
	struct net_device *dev;
	int err;

	err = nb_uplink_check(want, msg);
	if (err)
		return ERR_PTR(err);
	uplink = kzalloc(sizeof(*uplink), GFP_KERNEL_ACCOUNT);
	if (!uplink)
		return ERR_PTR(-ENOMEM);
	nb_backend_init(&uplink->port.backend, &nb_uplink_ops, params, false);
	err = nb_uplink_join(uplink, params, want, msg);
	if (err)
		return ERR_PTR(err);
	dev = nb_uplink_alloc_dev(params, uplink);
	err = dev ? nb_uplink_register(uplink, dev, msg) : -ENOMEM;
	if (!err)
		return &uplink->port.backend;
	if (dev) {
		free_percpu(dev->tstats);
		free_netdev(dev);
	}
	nb_uplink_leave(uplink);
	return ERR_PTR(err);
}

static void nb_uplink_destroy(struct nb_backend *backend)
{
	struct nb_uplink *uplink = nb_uplink_of(backend);
	struct net_device *dev;

	rtnl_lock();
	dev = rtnl_dereference(uplink->port.dev);
	if (dev)
		unregister_netdevice(dev);
	rtnl_unlock();
	nb_uplink_leave(uplink);
}

static int nb_uplink_info(struct nb_backend *backend, struct nb_endpoint_info *info)
{
	struct net_device *dev;
	int err = -ENODEV;

	rcu_read_lock();
	dev = rcu_dereference(nb_port_of(backend)->dev);
	if (dev) {
		info->ifindex = dev->ifindex;
		info->mtu = READ_ONCE(dev->mtu);
		info->link_speed = NB_NETDEV_SPEED;
		strscpy_pad(info->name, dev->name, sizeof(info->name));
		err = 0;
	}
	rcu_read_unlock();
	return err;
}

static void nb_uplink_identity(struct nb_backend *backend, struct nb_identity *id)
{
	struct nb_uplink *uplink = nb_uplink_of(backend);
	struct net_device *dev;

	rcu_read_lock();
	dev = rcu_dereference(uplink->port.dev);
	id->net_cookie = dev ? dev_net(dev)->net_cookie : uplink->last_net_cookie;
	strscpy_pad(id->name, dev ? dev->name : "", sizeof(id->name));
	rcu_read_unlock();
}

static int nb_uplink_get_queues(struct nb_backend *backend, struct nb_queue **queues,
				unsigned int n, struct nb_msg *msg)
{
	nb_msg(msg, "the uplink of a switch has no queues: its packets are the host's");
	return -EOPNOTSUPP;
}

/* Not registered: kind netdev makes such a backend if it is asked for an uplink. */
const struct nb_endpoint_ops nb_uplink_ops = {
	.name = "netdev",
	.owner = THIS_MODULE,
	.create = nb_uplink_create,
	.destroy = nb_uplink_destroy,
	.info = nb_uplink_info,
	.identity = nb_uplink_identity,
	.get_queues = nb_uplink_get_queues,
};
