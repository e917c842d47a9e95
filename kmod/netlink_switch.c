// SPDX-License-Identifier: GPL-2.0
/*
 * What the generic netlink family tells about switches: themselves, their ports, and the
 * addresses that they know.
 *
 * A dump fills one message buffer at a time, under nb_switches_lock(), which no packet
 * waits for; the table of addresses is read under RCU.  It goes on where it was:
 *
 *	cb->args[0]	id of the switch
 *	cb->args[1]	in it: number of the port, or of the table's bucket
 *	cb->args[2]	entries of the bucket that have been told
 *	cb->args[3]	&nb_table.changes when that table was looked at last
 *	cb->args[4]	how often it was another one meanwhile
 *
 * A switch is seen in the network namespace in which it was made.  Of its ports, whose
 * endpoints and net_devices may be elsewhere, these are told only there.
 */
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "changes.h"
#include "compat.h"
#include "endpoint.h"
#include "kinds/switch.h"
#include "netlink.h"

/* ---- a dump -------------------------------------------------------------- */

/* Tells of one switch what there is to tell, from where the dump was; or -EMSGSIZE. */
typedef int (*nb_nl_switch_fn)(struct sk_buff *skb, struct netlink_callback *cb,
			       struct nb_switch *sw);

static void nb_nl_switch_changes(struct netlink_callback *cb, u64 net_cookie)
{
	nb_nl_dump_changes(cb, nb_changes(NB_CHANGES_SWITCHES, net_cookie) + (u32)cb->args[4]);
}

/* Go on at the beginning of a switch. */
static void nb_nl_set_place(struct netlink_callback *cb, u32 id)
{
	cb->args[0] = id;
	cb->args[1] = 0;
	cb->args[2] = 0;
}

static int nb_nl_walk_switches(struct sk_buff *skb, struct netlink_callback *cb,
			       const struct nlattr *only, nb_nl_switch_fn tell)
{
	u64 net_cookie = sock_net(skb->sk)->net_cookie;
	struct nb_switch *sw;
	int err = 0;

	while (!err && (sw = nb_switches_next(net_cookie, cb->args[0]))) {
		if (only && sw->id != nla_get_u32(only))
			break;
		if (sw->id != cb->args[0])
			nb_nl_set_place(cb, sw->id);
		err = tell(skb, cb, sw);
		if (!err)
			nb_nl_set_place(cb, sw->id + 1);
	}
	return skb->len;
}

/* Begin at the switch that is asked for in attribute @attr, if one is. */
static int nb_nl_check_switch(struct netlink_callback *cb, int attr)
{
	const struct nlattr *only = nb_genl_dump_attrs(cb)[attr];
	struct nb_switch *sw;

	if (!only || cb->args[0])
		return 0;
	cb->args[0] = nla_get_u32(only);
	sw = nb_switches_next(sock_net(cb->skb->sk)->net_cookie, cb->args[0]);
	if (sw && sw->id == cb->args[0])
		return 0;
	NL_SET_ERR_MSG_ATTR(cb->extack, only,
			    "there is no switch with this id in the network namespace");
	return -ENOENT;
}

/* The same for the start of a dump. */
static int nb_nl_find_switch(struct netlink_callback *cb, int attr)
{
	int err;

	nb_switches_lock();
	err = nb_nl_check_switch(cb, attr);
	nb_switches_unlock();
	return err;
}

/* All switches of the namespace, or the one that is asked for; @attr is that attribute. */
static int nb_nl_dump(struct sk_buff *skb, struct netlink_callback *cb, int attr,
		      nb_nl_switch_fn tell)
{
	const struct nlattr *only = nb_genl_dump_attrs(cb)[attr];
	u64 net_cookie = sock_net(skb->sk)->net_cookie;
	int ret;

	nb_switches_lock();
	nb_nl_switch_changes(cb, net_cookie);
	ret = nb_nl_check_switch(cb, attr) ?: nb_nl_walk_switches(skb, cb, only, tell);
	nb_switches_unlock();
	return ret;
}

/* ---- switches ------------------------------------------------------------ */

int nb_nl_put_switch(struct sk_buff *skb, struct nb_switch *sw)
{
	struct nb_table *table = &sw->table;
	u32 addresses;
	u64 full;

	spin_lock_bh(&table->lock);
	addresses = table->n;
	full = table->full;
	spin_unlock_bh(&table->lock);
	if (nla_put_u32(skb, NB_A_SWITCH_ID, sw->id) ||
	    (sw->name[0] && nla_put_string(skb, NB_A_SWITCH_NAME, sw->name)) ||
	    nla_put_u32(skb, NB_A_SWITCH_PORTS, sw->n_ports) ||
	    nla_put_u32(skb, NB_A_SWITCH_ADDRESSES, addresses) ||
	    nla_put_u32(skb, NB_A_SWITCH_TABLE_SIZE, table->size) ||
	    nla_put_u32(skb, NB_A_SWITCH_AGEING, jiffies_to_msecs(table->ageing)) ||
	    nla_put_u64_64bit(skb, NB_A_SWITCH_NOT_LEARNED, full, NB_A_SWITCH_PAD))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_tell_switch(struct sk_buff *skb, struct netlink_callback *cb,
			     struct nb_switch *sw)
{
	void *head = nb_nl_dump_begin(skb, cb, NB_CMD_SWITCH_GET);

	if (!head)
		return -EMSGSIZE;
	return nb_nl_dump_end(skb, cb, head, nb_nl_put_switch(skb, sw));
}

static int nb_nl_find_switches(struct netlink_callback *cb)
{
	return nb_nl_find_switch(cb, NB_A_SWITCH_ID);
}

int nb_nl_start_switches(struct netlink_callback *cb)
{
	return nb_genl_start(cb, nb_nl_find_switches);
}

int nb_nl_dump_switches(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nb_nl_dump(skb, cb, NB_A_SWITCH_ID, nb_nl_tell_switch);
}

/* ---- ports --------------------------------------------------------------- */

static const int nb_nl_drops[NB_DROP_PORT_N] = {
	[NB_DROP_NO_BUFFER] = NB_A_DROP_NO_BUFFER,
	[NB_DROP_TOO_SMALL] = NB_A_DROP_TOO_SMALL,
	[NB_DROP_DOWN] = NB_A_DROP_DOWN,
	[NB_DROP_VLAN] = NB_A_DROP_VLAN,
	[NB_DROP_ISOLATED] = NB_A_DROP_ISOLATED,
	[NB_DROP_FLOOD_LIMIT] = NB_A_DROP_FLOOD_LIMIT,
	[NB_DROP_SOURCE] = NB_A_DROP_SOURCE,
	[NB_DROP_SAME_PORT] = NB_A_DROP_SAME_PORT,
};

/* The endpoint that a port is plugged in to if the namespace sees it, or 0. */
static u32 nb_nl_port_endpoint(struct nb_port *port, const struct net *net)
{
	u8 mac[ETH_ALEN];

	return nb_backend_plugged_in_to(&port->backend, net->net_cookie, mac);
}

/* The net_device of an uplink if it is in the namespace, or 0. */
static u32 nb_nl_port_ifindex(const struct nb_port *port, const struct net *net)
{
	struct net_device *dev;
	u32 ifindex = 0;

	rcu_read_lock();
	dev = rcu_dereference(port->dev);
	if (dev && net_eq(dev_net(dev), net))
		ifindex = dev->ifindex;
	rcu_read_unlock();
	return ifindex;
}

static u32 nb_nl_port_queues(const struct nb_port *port)
{
	const struct nb_port_set *set;
	u32 n;

	if (port->is_uplink)
		return 0;
	rcu_read_lock();
	set = rcu_dereference(port->set);
	n = set ? set->n : 0;
	rcu_read_unlock();
	return n;
}

static int nb_nl_put_port_place(struct sk_buff *skb, struct nb_port *port,
				const struct net *net)
{
	u32 endpoint = nb_nl_port_endpoint(port, net);
	u32 ifindex = nb_nl_port_ifindex(port, net);

	if (nla_put_u32(skb, NB_A_PORT_SWITCH_ID, port->sw->id) ||
	    nla_put_u32(skb, NB_A_PORT_NUMBER, port->number) ||
	    (endpoint && nla_put_u32(skb, NB_A_PORT_ENDPOINT_ID, endpoint)) ||
	    (port->is_uplink && nla_put_flag(skb, NB_A_PORT_UPLINK)) ||
	    (ifindex && nla_put_u32(skb, NB_A_PORT_IFINDEX, ifindex)) ||
	    nla_put_u32(skb, NB_A_PORT_QUEUES, nb_nl_port_queues(port)))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_put_port_vlans(struct sk_buff *skb, const struct nb_port *port)
{
	u8 vlans[NB_SWITCH_VLANS / 8] = {};
	unsigned int vid;

	if (port->vlan_mode != NB_SWITCH_VLAN_TRUNK)
		return 0;
	for_each_set_bit(vid, port->vlans, NB_SWITCH_VLANS)
		vlans[vid / 8] |= 1 << vid % 8;
	return nla_put(skb, NB_A_PORT_VLANS, sizeof(vlans), vlans);
}

static int nb_nl_put_port_settings(struct sk_buff *skb, const struct nb_port *port)
{
	const struct nb_flood_limit *limits = port->limits;

	if (((port->flags & NB_SWITCH_ISOLATED) && nla_put_flag(skb, NB_A_PORT_ISOLATED)) ||
	    nla_put_u32(skb, NB_A_PORT_VLAN_MODE, port->vlan_mode) ||
	    nla_put_u32(skb, NB_A_PORT_PVID, port->pvid) ||
	    nb_nl_put_port_vlans(skb, port) ||
	    nla_put_u32(skb, NB_A_PORT_BROADCAST_LIMIT, limits[NB_FLOOD_BROADCAST].rate) ||
	    nla_put_u32(skb, NB_A_PORT_MULTICAST_LIMIT, limits[NB_FLOOD_MULTICAST].rate) ||
	    nla_put_u32(skb, NB_A_PORT_UNKNOWN_LIMIT, limits[NB_FLOOD_UNKNOWN].rate) ||
	    nla_put_u32(skb, NB_A_PORT_MAX_ADDRESSES, port->max_addresses))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_put_port_addresses(struct sk_buff *skb, struct nb_port *port)
{
	struct nb_table *table = &port->sw->table;
	u64 not_learned;
	u32 n;

	spin_lock_bh(&table->lock);
	n = port->n_addresses;
	not_learned = port->not_learned;
	spin_unlock_bh(&table->lock);
	if (nla_put_u32(skb, NB_A_PORT_ADDRESSES, n) ||
	    nla_put_u64_64bit(skb, NB_A_PORT_NOT_LEARNED, not_learned, NB_A_PORT_PAD))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_put_port_drops(struct sk_buff *skb, const struct nb_port *port)
{
	struct nlattr *nest = nla_nest_start(skb, NB_A_PORT_DROPS);
	unsigned int i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < NB_DROP_PORT_N; i++)
		if (nla_put_u64_64bit(skb, nb_nl_drops[i], atomic64_read(&port->drops[i]),
				      NB_A_DROP_PAD))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int nb_nl_put_port(struct sk_buff *skb, struct nb_port *port, const struct net *net)
{
	return nb_nl_put_port_place(skb, port, net) ?: nb_nl_put_port_settings(skb, port) ?:
	       nb_nl_put_port_addresses(skb, port) ?: nb_nl_put_port_drops(skb, port);
}

static int nb_nl_tell_port(struct sk_buff *skb, struct netlink_callback *cb,
			   struct nb_port *port)
{
	void *head = nb_nl_dump_begin(skb, cb, NB_CMD_SWITCH_PORT_GET);

	if (!head)
		return -EMSGSIZE;
	return nb_nl_dump_end(skb, cb, head, nb_nl_put_port(skb, port, sock_net(skb->sk)));
}

/* From the number in cb->args[1] on; they are in that order, NB_SWITCH_MAX_PORTS at most. */
static int nb_nl_tell_ports(struct sk_buff *skb, struct netlink_callback *cb,
			    struct nb_switch *sw)
{
	struct nb_port *port;
	int err;

	list_for_each_entry(port, &sw->ports, list) {
		if (port->number < cb->args[1])
			continue;
		err = nb_nl_tell_port(skb, cb, port);
		if (err)
			return err;
		cb->args[1] = port->number + 1;
	}
	return 0;
}

static int nb_nl_find_ports(struct netlink_callback *cb)
{
	return nb_nl_find_switch(cb, NB_A_PORT_SWITCH_ID);
}

int nb_nl_start_ports(struct netlink_callback *cb)
{
	return nb_genl_start(cb, nb_nl_find_ports);
}

int nb_nl_dump_ports(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nb_nl_dump(skb, cb, NB_A_PORT_SWITCH_ID, nb_nl_tell_ports);
}

/* ---- addresses ----------------------------------------------------------- */

static int nb_nl_put_address(struct sk_buff *skb, const struct nb_switch *sw,
			     const struct nb_address *address)
{
	struct nb_port *port = rcu_dereference(address->port);
	u32 endpoint = nb_nl_port_endpoint(port, sock_net(skb->sk));
	u16 vid = NB_ADDRESS_VID(address->key);
	u8 mac[ETH_ALEN];

	u64_to_ether_addr(NB_ADDRESS_MAC(address->key), mac);
	if (nla_put_u32(skb, NB_A_FDB_SWITCH_ID, sw->id) ||
	    nla_put(skb, NB_A_FDB_ADDRESS, sizeof(mac), mac) ||
	    (vid && nla_put_u32(skb, NB_A_FDB_VLAN, vid)) ||
	    nla_put_u32(skb, NB_A_FDB_PORT, port->number) ||
	    (endpoint && nla_put_u32(skb, NB_A_FDB_ENDPOINT_ID, endpoint)) ||
	    nla_put_u32(skb, NB_A_FDB_AGE,
			jiffies_to_msecs(jiffies - READ_ONCE(address->seen))))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_tell_address(struct sk_buff *skb, struct netlink_callback *cb,
			      const struct nb_switch *sw, const struct nb_address *address)
{
	void *head = nb_nl_dump_begin(skb, cb, NB_CMD_SWITCH_FDB_GET);

	if (!head)
		return -EMSGSIZE;
	return nb_nl_dump_end(skb, cb, head, nb_nl_put_address(skb, sw, address));
}

static int nb_nl_tell_bucket(struct sk_buff *skb, struct netlink_callback *cb,
			     const struct nb_switch *sw, const struct hlist_head *bucket)
{
	struct nb_address *address;
	long i = 0;
	int err;

	hlist_for_each_entry_rcu(address, bucket, node) {
		if (i++ < cb->args[2] || nb_address_is_old(&sw->table, address))
			continue;
		err = nb_nl_tell_address(skb, cb, sw, address);
		if (err)
			return err;
		cb->args[2] = i;
	}
	return 0;
}

/* Has the table changed since the last buffer that tells of it? */
static void nb_nl_check_table(struct netlink_callback *cb, const struct nb_switch *sw)
{
	u32 changes = READ_ONCE(sw->table.changes);

	if ((cb->args[1] || cb->args[2]) && changes != (u32)cb->args[3])
		cb->args[4]++;
	cb->args[3] = changes;
	nb_nl_switch_changes(cb, sw->net_cookie);
}

static int nb_nl_tell_addresses(struct sk_buff *skb, struct netlink_callback *cb,
				struct nb_switch *sw)
{
	const struct nb_table *table = &sw->table;
	int err = 0;

	nb_nl_check_table(cb, sw);
	rcu_read_lock();
	while (cb->args[1] < 1L << table->bits) {
		err = nb_nl_tell_bucket(skb, cb, sw, &table->buckets[cb->args[1]]);
		if (err)
			break;
		cb->args[1]++;
		cb->args[2] = 0;
	}
	rcu_read_unlock();
	return err;
}

static int nb_nl_find_addresses(struct netlink_callback *cb)
{
	return nb_nl_find_switch(cb, NB_A_FDB_SWITCH_ID);
}

int nb_nl_start_addresses(struct netlink_callback *cb)
{
	return nb_genl_start(cb, nb_nl_find_addresses);
}

int nb_nl_dump_addresses(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nb_nl_dump(skb, cb, NB_A_FDB_SWITCH_ID, nb_nl_tell_addresses);
}
