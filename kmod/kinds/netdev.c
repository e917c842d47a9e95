// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev: registers a net_device.  What the guest sends arrives there as
 * received, what the host sends there goes to the guest.
 *
 * This file is the backend: it is made with its net_device, gets queues and loses them.
 * rtnl_lock protects what both share, see netdev_dev.c; it is taken inside
 * &nb_endpoint.lock.  Process context.
 *
 * The net_device can go first (ip link del, end of its namespace), or the backend.
 * struct nb_netdev stays until both are gone.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "capture.h"
#include "compat.h"
#include "endpoint.h"
#include "ioctl.h"
#include "kind.h"
#include "netdev.h"
#include "queue.h"
#include "rss.h"
#include "skb.h"

#define NB_NETDEV_MAX_QUEUES	64

static void nb_netdev_free(struct kref *ref)
{
	kfree(container_of(ref, struct nb_netdev, ref));
}

void nb_netdev_put(struct nb_netdev *nd)
{
	kref_put(&nd->ref, nb_netdev_free);
}

static const struct nb_queue_ops nb_netdev_queue_ops = {
	.tx = nb_netdev_tx,
	.rx_avail = nb_netdev_rx_avail,
	.quiesce = nb_netdev_quiesce,
};

int nb_netdev_check(const struct nb_backend_params *params, struct nb_msg *msg)
{
	if (params->name[0] && !dev_valid_name(params->name)) {
		nb_msg(msg, "'%s' cannot be the name of a network interface", params->name);
		msg->about = NB_ABOUT_NAME;
		return -EINVAL;
	}
	if (params->mtu && (params->mtu < ETH_MIN_MTU || params->mtu > U16_MAX - ETH_HLEN)) {
		nb_msg(msg, "an MTU of %u; possible are %d to %d", params->mtu, ETH_MIN_MTU,
		       U16_MAX - ETH_HLEN);
		msg->about = NB_ABOUT_MTU;
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
	priv->backend = &nd->backend;
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
	if (err == -EEXIST) {
		nb_msg(msg, "a network interface with the name '%s' is already there", dev->name);
		msg->about = NB_ABOUT_NAME;
	} else if (err) {
		nb_msg(msg, "the network interface '%s' cannot be registered: error %d",
		       dev->name, -err);
	}
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
	nd->moderation = nb_moderation_default;

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

/* Endpoints are where their net_devices are. */
static int nb_netdev_event(struct notifier_block *block, unsigned long event, void *info)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(info);
	const struct nb_netdev_priv *priv = netdev_priv(dev);

	/* One that has just been made has no destructor, and no endpoint, yet. */
	if (event == NETDEV_REGISTER && dev->rtnl_link_ops == &nb_netdev_link_ops &&
	    dev->priv_destructor) {
		nb_backend_moved(priv->backend);
		nb_capture_end_moved();
	}
	return NOTIFY_DONE;
}

static struct notifier_block nb_netdev_notifier = {
	.notifier_call = nb_netdev_event,
};

int nb_netdev_init(void)
{
	int err;

	err = register_netdevice_notifier(&nb_netdev_notifier);
	if (err)
		return err;
	err = rtnl_link_register(&nb_netdev_link_ops);
	if (err)
		unregister_netdevice_notifier(&nb_netdev_notifier);
	return err;
}

void nb_netdev_exit(void)
{
	rtnl_link_unregister(&nb_netdev_link_ops);
	unregister_netdevice_notifier(&nb_netdev_notifier);
}
