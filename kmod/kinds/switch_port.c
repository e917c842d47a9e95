// SPDX-License-Identifier: GPL-2.0
/*
 * Switches, and the ports that keep them.
 *
 * A switch is there as long as it has ports.  A named one belongs to a network namespace,
 * which it knows by its cookie: it does not keep the namespace, and once that is gone
 * nobody can ask for the name any more.
 *
 * nb_switches_mutex protects the table of switches and each one's list of ports; inside
 * &nb_endpoint.lock of a port by which a private switch is found, and inside rtnl_lock.
 * Process context.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>

#include "changes.h"
#include "endpoint.h"
#include "event.h"
#include "ioctl.h"
#include "switch.h"

#define NB_SWITCH_TABLE_SIZE	1024
#define NB_SWITCH_AGEING_MS	(300 * 1000)
#define NB_PORT_ADDRESSES	128

static DEFINE_MUTEX(nb_switches_mutex);
static DEFINE_XARRAY_ALLOC1(nb_switches);

/* ---- what a port is to be like ------------------------------------------- */

static int nb_port_check_vlans(const struct nb_switch_params *want, struct nb_msg *msg)
{
	bool any = memchr_inv(want->vlans, 0, sizeof(want->vlans));
	const u8 *vlans = want->vlans;

	switch (want->vlan_mode) {
	case NB_SWITCH_VLAN_ALL:
		if (!want->pvid && !any)
			return 0;
		nb_msg(msg, "pvid or vlans of a port that lets all VLANs pass are not 0");
		return -EINVAL;
	case NB_SWITCH_VLAN_ACCESS:
		if (want->pvid && want->pvid < NB_SWITCH_VLANS - 1 && !any)
			return 0;
		nb_msg(msg, "an access port has a pvid of 1 to 4094, here %u, and no vlans",
		       want->pvid);
		return -EINVAL;
	case NB_SWITCH_VLAN_TRUNK:
		if (!any || vlans[NB_SWITCH_VLANS / 8 - 1] & 0x80) {
			nb_msg(msg, "vlans of a trunk port has no bits, or that of 4095");
			return -EINVAL;
		}
		if (want->pvid && (want->pvid >= NB_SWITCH_VLANS || (vlans[0] & 1) ||
				   !(vlans[want->pvid / 8] & 1 << want->pvid % 8))) {
			nb_msg(msg, "pvid %u is not among vlans, or 0 is as well", want->pvid);
			return -EINVAL;
		}
		return 0;
	}
	nb_msg(msg, "there is no vlan_mode %u", want->vlan_mode);
	return -EINVAL;
}

static int nb_port_check_switch(const struct nb_switch_params *want, struct nb_msg *msg)
{
	size_t i;

	if (want->flags & ~(NB_SWITCH_JOIN | NB_SWITCH_ISOLATED)) {
		nb_msg(msg, "unknown flags 0x%x of a port", want->flags);
		return -EINVAL;
	}
	if (strnlen(want->name, NB_NAME_LEN) == NB_NAME_LEN) {
		nb_msg(msg, "the name of the switch is not zero-terminated");
		return -EINVAL;
	}
	for (i = 0; want->name[i]; i++) {
		if (want->name[i] <= ' ' || want->name[i] > '~') {
			nb_msg(msg, "the name of a switch is made of visible ASCII characters");
			return -EINVAL;
		}
	}
	if ((want->flags & NB_SWITCH_JOIN) && want->name[0]) {
		nb_msg(msg, "NB_SWITCH_JOIN is for a private switch, which has no name");
		return -EINVAL;
	}
	if (!(want->flags & NB_SWITCH_JOIN) && want->group_fd) {
		nb_msg(msg, "group_fd without NB_SWITCH_JOIN is not 0");
		return -EINVAL;
	}
	return 0;
}

static int nb_port_check(const struct nb_switch_params *want, struct nb_msg *msg)
{
	int err = nb_port_check_switch(want, msg);

	if (err)
		return err;
	if (want->table_size > NB_SWITCH_MAX_TABLE ||
	    want->max_addresses > NB_SWITCH_MAX_TABLE) {
		nb_msg(msg, "table_size %u or max_addresses %u is above %u", want->table_size,
		       want->max_addresses, NB_SWITCH_MAX_TABLE);
		return -EINVAL;
	}
	if (want->ageing_ms > INT_MAX) {
		nb_msg(msg, "ageing_ms is above %d", INT_MAX);
		return -EINVAL;
	}
	if (want->reserved) {
		nb_msg(msg, "reserved is not 0");
		return -EINVAL;
	}
	return nb_port_check_vlans(want, msg);
}

static void nb_port_set_vlans(struct nb_port *port, const struct nb_switch_params *want)
{
	unsigned int vid;

	port->vlan_mode = want->vlan_mode;
	port->pvid = want->pvid;
	switch (want->vlan_mode) {
	case NB_SWITCH_VLAN_ALL:
		bitmap_set(port->vlans, 0, NB_SWITCH_VLANS - 1);
		break;
	case NB_SWITCH_VLAN_ACCESS:
		set_bit(want->pvid, port->vlans);
		break;
	case NB_SWITCH_VLAN_TRUNK:
		for (vid = 0; vid < NB_SWITCH_VLANS; vid++)
			if (want->vlans[vid / 8] & 1 << vid % 8)
				set_bit(vid, port->vlans);
		break;
	}
	port->plain = !port->pvid && test_bit(0, port->vlans);
}

static void nb_port_set_limit(struct nb_flood_limit *limit, u32 rate)
{
	limit->rate = rate;
	limit->tokens = rate;
	limit->filled = jiffies;
}

static void nb_port_init(struct nb_port *port, const struct nb_switch_params *want)
{
	port->flags = want->flags;
	INIT_LIST_HEAD(&port->addresses);
	port->max_addresses = want->max_addresses;
	if (!port->max_addresses)
		port->max_addresses = port->is_uplink ? NB_SWITCH_MAX_TABLE :
							NB_PORT_ADDRESSES;
	spin_lock_init(&port->limit_lock);
	nb_port_set_limit(&port->limits[NB_FLOOD_BROADCAST], want->broadcast_limit);
	nb_port_set_limit(&port->limits[NB_FLOOD_MULTICAST], want->multicast_limit);
	nb_port_set_limit(&port->limits[NB_FLOOD_UNKNOWN], want->unknown_limit);
	nb_port_set_vlans(port, want);
}

/* ---- switches ------------------------------------------------------------ */

void nb_switches_lock(void)
{
	mutex_lock(&nb_switches_mutex);
}

void nb_switches_unlock(void)
{
	mutex_unlock(&nb_switches_mutex);
}

struct nb_switch *nb_switches_next(u64 net_cookie, u32 id)
{
	unsigned long index = id;
	struct nb_switch *sw;

	lockdep_assert_held(&nb_switches_mutex);
	sw = xa_find(&nb_switches, &index, U32_MAX, XA_PRESENT);
	while (sw && sw->net_cookie != net_cookie)
		sw = xa_find_after(&nb_switches, &index, U32_MAX, XA_PRESENT);
	return sw;
}

static struct nb_switch *nb_switch_create(u64 net_cookie,
					  const struct nb_switch_params *want)
{
	struct nb_switch *sw = kzalloc(sizeof(*sw), GFP_KERNEL_ACCOUNT);
	u32 ageing_ms = want->ageing_ms ?: NB_SWITCH_AGEING_MS;
	int err = -ENOMEM;

	lockdep_assert_held(&nb_switches_mutex);
	if (!sw)
		return ERR_PTR(-ENOMEM);
	sw->net_cookie = net_cookie;
	strscpy_pad(sw->name, want->name, sizeof(sw->name));
	INIT_LIST_HEAD(&sw->ports);
	err = nb_table_create(&sw->table, want->table_size ?: NB_SWITCH_TABLE_SIZE,
			      msecs_to_jiffies(ageing_ms));
	if (err)
		goto err_free;
	err = xa_alloc(&nb_switches, &sw->id, sw, xa_limit_31b, GFP_KERNEL_ACCOUNT);
	if (err)
		goto err_table;
	nb_event_switch(sw, NB_SWITCH_EVENT_CREATED);
	return sw;

err_table:
	nb_table_destroy(&sw->table);
err_free:
	kfree(sw);
	return ERR_PTR(err);
}

static void nb_switch_destroy(struct nb_switch *sw)
{
	lockdep_assert_held(&nb_switches_mutex);
	xa_erase(&nb_switches, sw->id);
	nb_event_switch(sw, NB_SWITCH_EVENT_DELETED);
	nb_table_destroy(&sw->table);
	kfree(sw);
}

static struct nb_switch *nb_switch_find(u64 net_cookie, const char *name)
{
	struct nb_switch *sw;
	unsigned long i;

	lockdep_assert_held(&nb_switches_mutex);
	xa_for_each(&nb_switches, i, sw)
		if (sw->net_cookie == net_cookie && !strcmp(sw->name, name))
			return sw;
	return NULL;
}

/* What the switch is like was said by the first port. */
static int nb_switch_check_same(const struct nb_switch *sw,
				const struct nb_switch_params *want, struct nb_msg *msg)
{
	if (want->table_size && want->table_size != sw->table.size) {
		nb_msg(msg, "the switch has a table_size of %u, not %u", sw->table.size,
		       want->table_size);
		return -EINVAL;
	}
	if (want->ageing_ms && msecs_to_jiffies(want->ageing_ms) != sw->table.ageing) {
		nb_msg(msg, "the switch has an ageing_ms of %u, not %u",
		       jiffies_to_msecs(sw->table.ageing), want->ageing_ms);
		return -EINVAL;
	}
	return 0;
}

static int nb_switch_add(struct nb_switch *sw, struct nb_port *port,
			 const struct nb_switch_params *want, struct nb_msg *msg)
{
	int err;

	lockdep_assert_held(&nb_switches_mutex);
	err = nb_switch_check_same(sw, want, msg);
	if (err)
		return err;
	if (sw->n_ports == NB_SWITCH_MAX_PORTS) {
		nb_msg(msg, "a switch has at most %u ports", NB_SWITCH_MAX_PORTS);
		return -ENOSPC;
	}
	if (port->is_uplink && sw->uplink) {
		nb_msg(msg, "the switch has an uplink already");
		return -EEXIST;
	}
	if (port->is_uplink)
		sw->uplink = port;
	port->sw = sw;
	port->number = ++sw->last_number;
	sw->n_ports++;
	list_add_tail_rcu(&port->list, &sw->ports);
	nb_changed(NB_CHANGES_SWITCHES, sw->net_cookie);
	nb_event_port(port, NB_PORT_EVENT_CREATED);
	return 0;
}

/* To the switch of that name, or a new one. */
static int nb_port_join_named(struct nb_port *port, u64 net_cookie,
			      const struct nb_switch_params *want, struct nb_msg *msg)
{
	struct nb_switch *sw;
	int err;

	mutex_lock(&nb_switches_mutex);
	sw = want->name[0] ? nb_switch_find(net_cookie, want->name) : NULL;
	if (!sw)
		sw = nb_switch_create(net_cookie, want);
	err = IS_ERR(sw) ? PTR_ERR(sw) : nb_switch_add(sw, port, want, msg);
	mutex_unlock(&nb_switches_mutex);
	return err;
}

/* To the private switch of another port. */
static int nb_port_join_backend(struct nb_port *port, struct nb_backend *backend,
				const struct nb_switch_params *want, struct nb_msg *msg)
{
	struct nb_switch *sw;
	int err;

	if (!nb_backend_is_port(backend)) {
		nb_msg(msg, "the endpoint of group_fd is not a port of a switch");
		return -EINVAL;
	}
	mutex_lock(&nb_switches_mutex);
	sw = nb_port_of(backend)->sw;
	if (sw->name[0]) {
		nb_msg(msg, "group_fd is not that of a port of a private switch, but of '%s'",
		       sw->name);
		err = -EINVAL;
	} else {
		err = nb_switch_add(sw, port, want, msg);
	}
	mutex_unlock(&nb_switches_mutex);
	return err;
}

static int nb_port_join_fd(struct nb_port *port, const struct nb_switch_params *want,
			   struct nb_msg *msg)
{
	struct nb_endpoint *other = nb_endpoint_get_fd(want->group_fd, msg);
	int err;

	if (IS_ERR(other))
		return PTR_ERR(other);
	mutex_lock(&other->lock);
	err = nb_port_join_backend(port, nb_endpoint_backend(other), want, msg);
	mutex_unlock(&other->lock);
	nb_endpoint_put(other);
	return err;
}

int nb_port_join(struct nb_port *port, const struct nb_backend_params *params,
		 const struct nb_switch_params *want, struct nb_msg *msg)
{
	int err = nb_port_check(want, msg);

	if (err)
		return err;
	if (want->name[0] && !ns_capable(params->net->user_ns, CAP_NET_ADMIN)) {
		nb_msg(msg, "a named switch needs CAP_NET_ADMIN over its network namespace");
		return -EPERM;
	}
	nb_port_init(port, want);
	if (want->flags & NB_SWITCH_JOIN)
		return nb_port_join_fd(port, want, msg);
	return nb_port_join_named(port, params->net->net_cookie, want, msg);
}

void nb_port_leave(struct nb_port *port)
{
	struct nb_switch *sw = port->sw;

	mutex_lock(&nb_switches_mutex);
	nb_event_port(port, NB_PORT_EVENT_DELETED);
	list_del_rcu(&port->list);
	nb_changed(NB_CHANGES_SWITCHES, sw->net_cookie);
	if (sw->uplink == port)
		sw->uplink = NULL;
	/* Nothing that it sends is on its way any more, so nothing is learned again. */
	nb_table_forget(&sw->table, port);
	/* Only ports look at their switch, and each lets go of it before it leaves. */
	if (!--sw->n_ports)
		nb_switch_destroy(sw);
	mutex_unlock(&nb_switches_mutex);
	kfree_rcu(port, rcu);
}

unsigned int nb_port_new_slot(struct nb_port *port)
{
	unsigned int slot;

	mutex_lock(&nb_switches_mutex);
	slot = port->sw->next_slot++ % NB_SWITCH_GROUPS;
	mutex_unlock(&nb_switches_mutex);
	return slot;
}
