// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev, rtnetlink: what "ip -d link" shows of its net_devices, uplinks among them,
 * and what "ip link add" and "ip link del" do.
 *
 * Such a net_device belongs to an endpoint, which alone makes it.  An operator may delete
 * it all the same, as the end of its namespace does: the endpoint then has a backend that
 * is gone, and says so to the frontend.
 *
 * Takes &nb_backend.lock only.  Under rtnl_lock, process context.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <net/netlink.h>
#include <net/rtnetlink.h>

#include <linux/net_backend_netlink.h>

#include "netdev.h"
#include "switch.h"

static int nb_link_validate(struct nlattr *tb[], struct nlattr *data[],
			    struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack,
		       "an endpoint of /dev/net_backend makes such an interface, see nbwire(1)");
	return -EOPNOTSUPP;
}

static size_t nb_link_get_size(const struct net_device *dev)
{
	return nla_total_size(sizeof(u32)) +	/* NB_A_LINK_ENDPOINT_ID */
	       nla_total_size(ETH_ALEN) +	/* NB_A_LINK_GUEST_MAC */
	       nla_total_size(sizeof(u32)) +	/* NB_A_LINK_MAX_QUEUES */
	       nla_total_size(sizeof(u32)) +	/* NB_A_LINK_SWITCH_ID */
	       nla_total_size(sizeof(u32));	/* NB_A_LINK_SWITCH_PORT */
}

static int nb_link_put_endpoint(struct sk_buff *skb, struct nb_backend *backend,
				const struct net *net)
{
	u8 mac[ETH_ALEN];
	u32 id = nb_backend_plugged_in_to(backend, net->net_cookie, mac);

	if (!id)
		return 0;
	if (nla_put_u32(skb, NB_A_LINK_ENDPOINT_ID, id))
		return -EMSGSIZE;
	/* Of an uplink there is no guest. */
	if (backend->ops == &nb_uplink_ops)
		return 0;
	return nla_put(skb, NB_A_LINK_GUEST_MAC, sizeof(mac), mac);
}

static int nb_link_put_port(struct sk_buff *skb, const struct nb_port *port,
			    const struct net *net)
{
	if (port->sw->net_cookie != net->net_cookie)
		return 0;
	if (nla_put_u32(skb, NB_A_LINK_SWITCH_ID, port->sw->id) ||
	    nla_put_u32(skb, NB_A_LINK_SWITCH_PORT, port->number))
		return -EMSGSIZE;
	return 0;
}

static int nb_link_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	struct nb_backend *backend = ((struct nb_netdev_priv *)netdev_priv(dev))->backend;
	const struct net *net = dev_net(dev);

	if (nb_link_put_endpoint(skb, backend, net))
		return -EMSGSIZE;
	if (backend->ops == &nb_uplink_ops)
		return nb_link_put_port(skb, nb_port_of(backend), net);
	return nla_put_u32(skb, NB_A_LINK_MAX_QUEUES, backend->max_queues);
}

struct rtnl_link_ops nb_netdev_link_ops = {
	.kind = NB_LINK_KIND,
	.validate = nb_link_validate,
	.dellink = unregister_netdevice_queue,
	.get_size = nb_link_get_size,
	.fill_info = nb_link_fill_info,
};
