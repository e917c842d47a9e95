// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach: takes over a network interface that is already there.  What arrives at it
 * goes to the guest, what the guest sends goes to its transmit queues.
 *
 * The backend holds the interface by its rx_handler, of which there can be one.  It lets
 * go when the interface, or its namespace, goes away or when it moves to another
 * namespace; then it is a backend without an interface, until it is unmade.
 *
 * rtnl_lock protects &nb_attach.dev and all that follows from it, and is taken inside
 * &nb_endpoint.lock.  The notifier is called with rtnl_lock held and takes only
 * &nb_backend.lock.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/rtnetlink.h>

#include "attach.h"
#include "endpoint.h"
#include "ioctl.h"
#include "poller.h"
#include "queue.h"
#include "rss.h"

#define NB_ATTACH_MAX_QUEUES	64
#define NB_ATTACH_TABLE_SIZE	128

/* ---- the interface ------------------------------------------------------- */

static u32 nb_attach_offloads(const struct net_device *dev)
{
	/* The IPv4 header's checksum is ours. */
	u32 offloads = NB_OFFLOAD_IPV4_HEADER;
	netdev_features_t features = dev->features;

	if ((features & NETIF_F_HW_CSUM) ||
	    (features & NETIF_F_CSUM_MASK) == (NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM))
		offloads |= NB_OFFLOAD_TCP | NB_OFFLOAD_UDP;
	if ((features & NETIF_F_TSO) && (features & NETIF_F_TSO6))
		offloads |= NB_OFFLOAD_TSO;
	if (features & NETIF_F_GSO_UDP_L4)
		offloads |= NB_OFFLOAD_USO;
	return offloads;
}

static bool nb_attach_is_up(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

/* Under rtnl_lock.  0 if the interface does not know. */
static u64 nb_attach_speed(struct net_device *dev)
{
	struct ethtool_link_ksettings settings;

	if (__ethtool_get_link_ksettings(dev, &settings) ||
	    settings.base.speed == (u32)SPEED_UNKNOWN)
		return 0;
	return settings.base.speed * 1000ULL * 1000;
}

/* Let go of the interface: all that was done to it is undone. */
static void nb_attach_release(struct nb_attach *at, struct net_device *dev)
{
	ASSERT_RTNL();
	rcu_assign_pointer(at->dev, NULL);
	/* Waits until nobody is in the handler, nor transmits. */
	netdev_rx_handler_unregister(dev);
	if (!at->to_vf)
		nb_attach_unlisten(at, dev);
	netdev_put(dev, &at->tracker);
}

/* The interface goes, whoever wants that: the queues need another backend. */
static void nb_attach_lose(struct nb_attach *at, struct net_device *dev)
{
	unsigned int i;

	nb_attach_release(at, dev);
	for (i = 0; i < at->max_queues; i++) {
		struct nb_queue *queue = rtnl_dereference(at->slots[i].queue);

		if (queue)
			nb_queue_set_state(queue, NB_QUEUE_RESTART);
	}
	nb_backend_gone(&at->backend);
}

/* The frontend has made its queues and buffers for what it was told. */
static void nb_attach_check_told(struct nb_attach *at, const struct net_device *dev)
{
	if (!at->n_queues)
		return;
	if ((at->offloads & ~nb_attach_offloads(dev)) || at->mtu != dev->mtu)
		nb_backend_changed(&at->backend);
}

static struct nb_attach *nb_attach_of_dev(const struct net_device *dev)
{
	if (rtnl_dereference(dev->rx_handler) != nb_attach_handle_frame)
		return NULL;
	return rtnl_dereference(dev->rx_handler_data);
}

static int nb_attach_event(struct notifier_block *block, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct nb_attach *at = nb_attach_of_dev(dev);

	if (!at)
		return NOTIFY_DONE;
	switch (event) {
	case NETDEV_UNREGISTER:
		/* Also when it moves to another namespace. */
		nb_attach_lose(at, dev);
		break;
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
		nb_backend_link(&at->backend, nb_attach_is_up(dev));
		break;
	case NETDEV_FEAT_CHANGE:
	case NETDEV_CHANGEMTU:
		nb_attach_check_told(at, dev);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block nb_attach_notifier = {
	.notifier_call = nb_attach_event,
};

/* ---- taking over --------------------------------------------------------- */

static int nb_attach_check_params(const struct nb_backend_params *params,
				  struct nb_msg *msg)
{
	const struct nb_attach_params *arg = params->kind;

	if (!arg) {
		nb_msg(msg, "kind attach has to be told which network interface");
		return -EINVAL;
	}
	if (arg->flags & ~NB_ATTACH_PROMISCUOUS) {
		nb_msg(msg, "flags %#x of kind attach; %#x are known", arg->flags,
		       NB_ATTACH_PROMISCUOUS);
		return -EINVAL;
	}
	if (strnlen(arg->ifname, sizeof(arg->ifname)) == sizeof(arg->ifname)) {
		nb_msg(msg, "ifname is not zero-terminated");
		return -EINVAL;
	}
	if (!arg->ifindex == !arg->ifname[0]) {
		nb_msg(msg, "kind attach takes either ifindex or ifname");
		return -EINVAL;
	}
	if (params->mtu) {
		nb_msg(msg, "kind attach has the MTU of its network interface");
		msg->about = NB_ABOUT_MTU;
		return -EINVAL;
	}
	return 0;
}

static struct net_device *nb_attach_find(const struct nb_backend_params *params,
					 struct nb_msg *msg)
{
	const struct nb_attach_params *arg = params->kind;
	struct net_device *dev;

	if (arg->ifindex > INT_MAX)
		dev = NULL;
	else if (arg->ifindex)
		dev = __dev_get_by_index(params->net, arg->ifindex);
	else
		dev = __dev_get_by_name(params->net, arg->ifname);
	if (dev)
		return dev;
	msg->about = NB_ABOUT_PARAMS;
	if (arg->ifindex)
		nb_msg(msg, "there is no network interface %u in the namespace", arg->ifindex);
	else
		nb_msg(msg, "there is no network interface '%s' in the namespace", arg->ifname);
	return NULL;
}

/* Whose the interface is already, or NULL. */
static const char *nb_attach_owner(struct net_device *dev)
{
	if (nb_attach_of_dev(dev))
		return "attached to another endpoint";
	if (netif_is_bridge_port(dev))
		return "a port of a bridge";
	if (netif_is_macvlan_port(dev))
		return "under a macvlan";
	if (netdev_master_upper_dev_get(dev))
		return "a port of another interface";
	if (netdev_is_rx_handler_busy(dev))
		return "taken over by something else";
	return NULL;
}

static int nb_attach_check_dev(struct net_device *dev, struct nb_msg *msg)
{
	const char *owner = nb_attach_owner(dev);

	if (dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN ||
	    (dev->flags & IFF_LOOPBACK)) {
		nb_msg(msg, "'%s' is not an Ethernet interface", dev->name);
		return -EINVAL;
	}
	if (dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "net_backend")) {
		nb_msg(msg, "'%s' is itself an endpoint, of kind netdev", dev->name);
		return -EINVAL;
	}
	if (owner) {
		nb_msg(msg, "'%s' is %s", dev->name, owner);
		return -EBUSY;
	}
	return 0;
}

static int nb_attach_take(struct nb_attach *at, struct net_device *dev, struct nb_msg *msg)
{
	int err;

	ASSERT_RTNL();
	err = nb_attach_check_dev(dev, msg);
	if (err)
		return err;
	err = netdev_rx_handler_register(dev, nb_attach_handle_frame, at);
	if (err) {
		nb_msg(msg, "'%s' cannot be taken over: error %d", dev->name, -err);
		return err;
	}
	err = nb_attach_listen(at, dev);
	if (err) {
		netdev_rx_handler_unregister(dev);
		nb_msg(msg, "'%s' cannot receive for the guest: error %d", dev->name, -err);
		return err;
	}
	/* What LRO has put together cannot be forwarded. */
	dev_disable_lro(dev);
	netdev_hold(dev, &at->tracker, GFP_KERNEL);
	rcu_assign_pointer(at->dev, dev);
	nb_backend_link(&at->backend, nb_attach_is_up(dev));
	return 0;
}

/* ---- backend ------------------------------------------------------------- */

static void nb_attach_free(struct nb_attach *at)
{
	kfree(rcu_access_pointer(at->groups));
	kvfree(at);
}

static struct nb_attach *nb_attach_alloc(const struct nb_backend_params *params)
{
	const struct nb_attach_params *arg = params->kind;
	struct nb_attach *at;
	unsigned int i;

	at = kvzalloc(struct_size(at, slots, params->max_queues), GFP_KERNEL_ACCOUNT);
	if (!at)
		return NULL;
	nb_backend_init(&at->backend, &nb_attach_ops, params, false);
	at->promiscuous = arg->flags & NB_ATTACH_PROMISCUOUS;
	at->mac = ether_addr_to_u64(params->mac);
	at->max_queues = params->max_queues;
	for (i = 0; i < at->max_queues; i++) {
		spin_lock_init(&at->slots[i].lock);
		tasklet_setup(&at->slots[i].wake, nb_attach_wake);
	}
	RCU_INIT_POINTER(at->groups, nb_attach_groups_create(NULL, 0, true));
	if (!rcu_access_pointer(at->groups)) {
		nb_attach_free(at);
		return NULL;
	}
	return at;
}

static struct nb_backend *nb_attach_create(const struct nb_backend_params *params,
					   struct nb_msg *msg)
{
	struct net_device *dev;
	struct nb_attach *at;
	int err;

	err = nb_attach_check_params(params, msg);
	if (err)
		return ERR_PTR(err);
	at = nb_attach_alloc(params);
	if (!at)
		return ERR_PTR(-ENOMEM);
	rtnl_lock();
	dev = nb_attach_find(params, msg);
	err = dev ? nb_attach_take(at, dev, msg) : -ENODEV;
	rtnl_unlock();
	if (err) {
		nb_attach_free(at);
		return ERR_PTR(err);
	}
	return &at->backend;
}

static void nb_attach_destroy(struct nb_backend *backend)
{
	struct nb_attach *at = nb_attach_of(backend);
	struct net_device *dev;

	rtnl_lock();
	dev = rtnl_dereference(at->dev);
	if (dev)
		nb_attach_release(at, dev);
	rtnl_unlock();
	nb_attach_free(at);
}

static int nb_attach_info(struct nb_backend *backend, struct nb_endpoint_info *info)
{
	struct nb_attach *at = nb_attach_of(backend);
	struct net_device *dev;
	int err = -ENODEV;

	rtnl_lock();
	dev = rtnl_dereference(at->dev);
	if (dev) {
		/* Not fast: a transmit waits for those before it. */
		info->properties = NB_ENDPOINT_ORDERED;
		info->ifindex = dev->ifindex;
		info->mtu = dev->mtu;
		info->link_speed = nb_attach_speed(dev) ?: info->link_speed;
		info->indirection_table_size = NB_ATTACH_TABLE_SIZE;
		info->tx_offloads = nb_attach_offloads(dev);
		err = 0;
	}
	rtnl_unlock();
	return err;
}

/* One without a name of its own is called as its interface. */
static void nb_attach_identity(struct nb_backend *backend, struct nb_identity *id)
{
	struct net_device *dev;

	rcu_read_lock();
	dev = rcu_dereference(nb_attach_of(backend)->dev);
	if (dev && !id->name[0])
		strscpy_pad(id->name, dev->name, sizeof(id->name));
	rcu_read_unlock();
}

/* The guest's NIC has another address: first listen to that, so that this can fail. */
static int nb_attach_change_mac(struct nb_attach *at, struct net_device *dev, u64 new)
{
	u64 old = at->mac;
	int err;

	WRITE_ONCE(at->mac, new);
	err = nb_attach_listen(at, dev);
	if (err) {
		WRITE_ONCE(at->mac, old);
		return err;
	}
	WRITE_ONCE(at->mac, old);
	nb_attach_unlisten(at, dev);
	WRITE_ONCE(at->mac, new);
	return 0;
}

/* The same when the data path is to the VF of the one before: it is to the new one's queues. */
static int nb_attach_leave_vf(struct nb_attach *at, struct net_device *dev, u64 new)
{
	u64 old = at->mac;
	int err;

	WRITE_ONCE(at->mac, new);
	err = nb_attach_listen(at, dev);
	if (err)
		WRITE_ONCE(at->mac, old);
	else
		WRITE_ONCE(at->to_vf, false);
	return err;
}

static int nb_attach_connect(struct nb_backend *backend, const u8 *mac, struct nb_msg *msg)
{
	struct nb_attach *at = nb_attach_of(backend);
	u64 new = ether_addr_to_u64(mac);
	struct net_device *dev;
	int err = 0;

	rtnl_lock();
	dev = rtnl_dereference(at->dev);
	if (!dev)
		WRITE_ONCE(at->mac, new);
	else if (at->mac != new)
		err = at->to_vf ? nb_attach_leave_vf(at, dev, new) :
				  nb_attach_change_mac(at, dev, new);
	if (err)
		nb_msg(msg, "'%s' does not take the address: error %d", dev->name, -err);
	rtnl_unlock();
	return err;
}

static void nb_attach_wait_exit_n(struct nb_attach *at, unsigned int n)
{
	while (n--)
		nb_attach_wait_exit(&at->slots[n]);
}

/* What is left in tx-avail is sent by the queue's thread, see attach_wait.c. */
static int nb_attach_wait_init_n(struct nb_attach *at, struct nb_queue **queues, unsigned int n,
				 struct nb_msg *msg)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		int err = nb_poller_create_thread(queues[i], queues[i]->endpoint->id, msg);

		if (!err)
			err = nb_attach_wait_init(&at->slots[i]);
		if (err) {
			nb_attach_wait_exit_n(at, i);
			return err;
		}
	}
	return 0;
}

static int nb_attach_get_queues(struct nb_backend *backend, struct nb_queue **queues,
				unsigned int n, struct nb_msg *msg)
{
	struct nb_attach *at = nb_attach_of(backend);
	struct net_device *dev;
	unsigned int i;
	int err;

	err = nb_attach_wait_init_n(at, queues, n, msg);
	if (err)
		return err;
	rtnl_lock();
	dev = rtnl_dereference(at->dev);
	if (dev) {
		at->offloads = queues[0]->tx_offloads;
		at->mtu = dev->mtu;
		for (i = 0; i < n; i++)
			rcu_assign_pointer(at->slots[i].queue, queues[i]);
		WRITE_ONCE(at->n_queues, n);
		nb_attach_check_told(at, dev);
	} else {
		nb_msg(msg, "the network interface is gone");
		err = -ENODEV;
	}
	rtnl_unlock();
	if (err)
		nb_attach_wait_exit_n(at, n);
	return err;
}

static void nb_attach_exchange_rss(struct nb_attach *at, struct nb_rss *rss)
{
	struct nb_rss *old;

	ASSERT_RTNL();
	old = rcu_replace_pointer(at->rss, rss, lockdep_rtnl_is_held());
	if (old)
		kfree_rcu(old, rcu);
}

static void nb_attach_set_rss(struct nb_backend *backend, struct nb_rss *rss)
{
	rtnl_lock();
	nb_attach_exchange_rss(nb_attach_of(backend), rss);
	rtnl_unlock();
}

static void nb_attach_put_queue(struct nb_backend *backend, struct nb_queue *queue)
{
	struct nb_attach *at = nb_attach_of(backend);
	struct nb_attach_slot *slot = &at->slots[queue->index];

	rtnl_lock();
	RCU_INIT_POINTER(slot->queue, NULL);
	if (backend->n_queues == 1) {
		WRITE_ONCE(at->n_queues, 0);
		nb_attach_exchange_rss(at, NULL);
	}
	rtnl_unlock();
	nb_attach_wait_disable(slot);
	synchronize_net();
	/* Nobody schedules them any more. */
	tasklet_kill(&slot->wake);
	nb_attach_wait_exit(slot);
}

static int nb_attach_set_data_path(struct nb_backend *backend, bool to_guest_vf,
				   struct nb_msg *msg)
{
	struct nb_attach *at = nb_attach_of(backend);
	struct net_device *dev;
	int err = 0;

	rtnl_lock();
	dev = rtnl_dereference(at->dev);
	if (!dev) {
		nb_msg(msg, "the network interface is gone");
		err = -ENODEV;
	} else if (to_guest_vf && !at->to_vf) {
		WRITE_ONCE(at->to_vf, true);
		nb_attach_unlisten(at, dev);
	} else if (!to_guest_vf && at->to_vf) {
		err = nb_attach_listen(at, dev);
		if (err)
			nb_msg(msg, "'%s' cannot receive for the guest: error %d", dev->name,
			       -err);
		else
			WRITE_ONCE(at->to_vf, false);
	}
	rtnl_unlock();
	return err;
}

static int nb_attach_get_data_path(struct nb_backend *backend)
{
	return READ_ONCE(nb_attach_of(backend)->to_vf);
}

static int nb_attach_set_multicast(struct nb_backend *backend,
				   const struct nb_multicast *list, unsigned int n, bool all,
				   struct nb_msg *msg)
{
	struct nb_attach *at = nb_attach_of(backend);
	struct nb_attach_groups *groups;
	struct net_device *dev;
	int err = -ENODEV;

	groups = nb_attach_groups_create(list, n, all);
	if (!groups)
		return -ENOMEM;
	rtnl_lock();
	dev = rtnl_dereference(at->dev);
	if (dev)
		err = nb_attach_exchange_groups(at, at->to_vf ? NULL : dev, groups);
	rtnl_unlock();
	if (err) {
		nb_msg(msg, "the network interface does not take the list: error %d", -err);
		kfree(groups);
	}
	return err;
}

struct nb_endpoint_ops nb_attach_ops = {
	.name = "attach",
	.max_queues = NB_ATTACH_MAX_QUEUES,
	.params_size = sizeof(struct nb_attach_params),
	.needs_net_admin = true,
	.queue_ops = &nb_attach_queue_ops,
	.create = nb_attach_create,
	.destroy = nb_attach_destroy,
	.info = nb_attach_info,
	.identity = nb_attach_identity,
	.connect = nb_attach_connect,
	.get_queues = nb_attach_get_queues,
	.put_queue = nb_attach_put_queue,
	.set_rss = nb_attach_set_rss,
	.set_data_path = nb_attach_set_data_path,
	.get_data_path = nb_attach_get_data_path,
	.set_multicast = nb_attach_set_multicast,
};

int nb_attach_init(void)
{
	return register_netdevice_notifier(&nb_attach_notifier);
}

void nb_attach_exit(void)
{
	unregister_netdevice_notifier(&nb_attach_notifier);
}
