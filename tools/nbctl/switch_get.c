// SPDX-License-Identifier: GPL-2.0
/*
 * Gets switches, their ports and their addresses from the kernel
 *
 * What the kernel does not tell stays 0 or empty, and what it tells beyond what is
 * known here is ignored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch.h"

/* times that a dump is tried again because something has changed meanwhile */
#define MAX_TRIES	10

/* Append an element of @size bytes to a list; NULL if there is no memory. */
static void *append(void *list, size_t *n, size_t size, void **element)
{
	void *longer = reallocarray(list, *n + 1, size);

	*element = NULL;
	if (!longer)
		return list;
	*element = (char *)longer + *n * size;
	memset(*element, 0, size);
	++*n;
	return longer;
}

/* The bytes of an attribute that has so many. */
static void take_bytes(const struct nlattr *attr, void *to, size_t size)
{
	if (attr && mnl_attr_get_payload_len(attr) == size)
		memcpy(to, mnl_attr_get_payload(attr), size);
}

/* What a message of the kernel says about a switch; @bridge is 0 beforehand. */
void bridges_parse_bridge(const struct nlmsghdr *nlh, struct bridge *bridge)
{
	const struct nlattr *attrs[NB_A_SWITCH_MAX + 1] = { NULL };

	netlink_parse(nlh, attrs, NB_A_SWITCH_MAX);
	bridge->id = netlink_u32(attrs[NB_A_SWITCH_ID], 0);
	netlink_string(attrs[NB_A_SWITCH_NAME], bridge->name, sizeof(bridge->name));
	bridge->n_ports = netlink_u32(attrs[NB_A_SWITCH_PORTS], 0);
	bridge->n_addresses = netlink_u32(attrs[NB_A_SWITCH_ADDRESSES], 0);
	bridge->table_size = netlink_u32(attrs[NB_A_SWITCH_TABLE_SIZE], 0);
	bridge->ageing_ms = netlink_u32(attrs[NB_A_SWITCH_AGEING], 0);
	bridge->not_learned = netlink_u64(attrs[NB_A_SWITCH_NOT_LEARNED]);
}

static int on_bridge(const struct nlmsghdr *nlh, void *data)
{
	struct bridges *bridges = data;
	void *new;

	bridges->bridges = append(bridges->bridges, &bridges->n_bridges, sizeof(struct bridge),
				  &new);
	if (!new)
		return MNL_CB_ERROR;	/* errno is ENOMEM */
	bridges_parse_bridge(nlh, new);
	return MNL_CB_OK;
}

static void parse_drops(struct port *port, const struct nlattr *nest)
{
	const struct nlattr *attrs[NB_A_DROP_MAX + 1] = { NULL };
	int i;

	netlink_parse_nested(nest, attrs, NB_A_DROP_MAX);
	for (i = NB_A_DROP_PAD + 1; i <= NB_A_DROP_MAX; i++)
		port->drops[i] = netlink_u64(attrs[i]);
}

static void parse_port(struct port *port, const struct nlattr **attrs)
{
	port->bridge_id = netlink_u32(attrs[NB_A_PORT_SWITCH_ID], 0);
	port->number = netlink_u32(attrs[NB_A_PORT_NUMBER], 0);
	port->endpoint_id = netlink_u32(attrs[NB_A_PORT_ENDPOINT_ID], 0);
	port->uplink = attrs[NB_A_PORT_UPLINK];
	port->ifindex = netlink_u32(attrs[NB_A_PORT_IFINDEX], 0);
	port->n_queues = netlink_u32(attrs[NB_A_PORT_QUEUES], 0);
	port->isolated = attrs[NB_A_PORT_ISOLATED];
	port->vlan_mode = netlink_u32(attrs[NB_A_PORT_VLAN_MODE], NB_SWITCH_VLAN_ALL);
	port->pvid = netlink_u32(attrs[NB_A_PORT_PVID], 0);
	take_bytes(attrs[NB_A_PORT_VLANS], port->vlans, sizeof(port->vlans));
	port->limits[0] = netlink_u32(attrs[NB_A_PORT_BROADCAST_LIMIT], 0);
	port->limits[1] = netlink_u32(attrs[NB_A_PORT_MULTICAST_LIMIT], 0);
	port->limits[2] = netlink_u32(attrs[NB_A_PORT_UNKNOWN_LIMIT], 0);
	port->n_addresses = netlink_u32(attrs[NB_A_PORT_ADDRESSES], 0);
	port->max_addresses = netlink_u32(attrs[NB_A_PORT_MAX_ADDRESSES], 0);
	port->not_learned = netlink_u64(attrs[NB_A_PORT_NOT_LEARNED]);
	if (attrs[NB_A_PORT_DROPS])
		parse_drops(port, attrs[NB_A_PORT_DROPS]);
}

/* The same about a port. */
void bridges_parse_port(const struct nlmsghdr *nlh, struct port *port)
{
	const struct nlattr *attrs[NB_A_PORT_MAX + 1] = { NULL };

	netlink_parse(nlh, attrs, NB_A_PORT_MAX);
	parse_port(port, attrs);
}

static int on_port(const struct nlmsghdr *nlh, void *data)
{
	struct bridges *bridges = data;
	void *new;

	bridges->ports = append(bridges->ports, &bridges->n_ports, sizeof(struct port), &new);
	if (!new)
		return MNL_CB_ERROR;
	bridges_parse_port(nlh, new);
	return MNL_CB_OK;
}

static int on_station(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[NB_A_FDB_MAX + 1] = { NULL };
	struct bridges *bridges = data;
	struct station *station;
	void *new;

	bridges->stations = append(bridges->stations, &bridges->n_stations, sizeof(*station),
				   &new);
	station = new;
	if (!station)
		return MNL_CB_ERROR;
	netlink_parse(nlh, attrs, NB_A_FDB_MAX);
	station->bridge_id = netlink_u32(attrs[NB_A_FDB_SWITCH_ID], 0);
	take_bytes(attrs[NB_A_FDB_ADDRESS], station->address, sizeof(station->address));
	station->vlan = netlink_u32(attrs[NB_A_FDB_VLAN], 0);
	station->port = netlink_u32(attrs[NB_A_FDB_PORT], 0);
	station->endpoint_id = netlink_u32(attrs[NB_A_FDB_ENDPOINT_ID], 0);
	station->age_ms = netlink_u32(attrs[NB_A_FDB_AGE], 0);
	return MNL_CB_OK;
}

static int compare_bridges(const void *a, const void *b)
{
	return compare_u32(((const struct bridge *)a)->id, ((const struct bridge *)b)->id);
}

static int compare_ports(const void *a, const void *b)
{
	const struct port *left = a, *right = b;
	int order = compare_u32(left->bridge_id, right->bridge_id);

	return order ? order : compare_u32(left->number, right->number);
}

static int compare_stations(const void *a, const void *b)
{
	const struct station *left = a, *right = b;
	int order = compare_u32(left->bridge_id, right->bridge_id);

	if (!order)
		order = compare_u32(left->vlan, right->vlan);
	return order ? order : memcmp(left->address, right->address, sizeof(left->address));
}

static void sort(void *list, size_t n, size_t size,
		 int (*compare)(const void *a, const void *b))
{
	if (n)
		qsort(list, n, size, compare);
}

/* Is @which the number of the switch, or its name? */
static bool is_meant(const struct bridge *bridge, const char *which)
{
	unsigned long id;
	char *end;

	if (which[0] < '0' || which[0] > '9')
		return !strcmp(bridge->name, which);
	id = strtoul(which, &end, 10);
	return *end ? !strcmp(bridge->name, which) : id == bridge->id;
}

/* Keep the switch that is meant, if there is one. */
static void keep_one(struct bridges *bridges, const char *which)
{
	size_t i, kept = 0;

	for (i = 0; i < bridges->n_bridges; i++) {
		if (is_meant(&bridges->bridges[i], which))
			bridges->bridges[kept++] = bridges->bridges[i];
	}
	bridges->n_bridges = kept;
}

static int get_all(struct netlink *netlink, struct bridges *bridges, const char *which,
		   enum bridges_what what)
{
	const uint32_t *id = NULL;
	int err;

	err = netlink_dump(netlink, NB_CMD_SWITCH_GET, 0, NULL, on_bridge, bridges);
	if (err)
		return err;
	if (which) {
		keep_one(bridges, which);
		if (!bridges->n_bridges)
			return 0;
		id = &bridges->bridges[0].id;
	}
	if (what == BRIDGES_PORTS)
		return netlink_dump(netlink, NB_CMD_SWITCH_PORT_GET, NB_A_PORT_SWITCH_ID, id,
				    on_port, bridges);
	if (what == BRIDGES_STATIONS)
		return netlink_dump(netlink, NB_CMD_SWITCH_FDB_GET, NB_A_FDB_SWITCH_ID, id,
				    on_station, bridges);
	return 0;
}

void bridges_free(struct bridges *bridges)
{
	free(bridges->bridges);
	free(bridges->ports);
	free(bridges->stations);
	memset(bridges, 0, sizeof(*bridges));
}

/* Get all once; -EINTR if something has changed meanwhile. */
static int try_get(struct bridges *bridges, const char *which, enum bridges_what what,
		   struct netlink *netlink)
{
	int err;

	memset(bridges, 0, sizeof(*bridges));
	err = netlink_open(netlink);
	if (err)
		return err;
	err = get_all(netlink, bridges, which, what);
	netlink_close(netlink);
	if (err)
		bridges_free(bridges);
	return err;
}

/*
 * Get all switches, or the one that @which (a number or a name) says, and what is asked for
 * of them.  Says what is wrong, and returns -1, if something is.
 */
int bridges_get(struct bridges *bridges, const char *which, enum bridges_what what)
{
	struct netlink netlink;
	int err, tries = 0;

	do {
		err = try_get(bridges, which, what, &netlink);
	} while (err == -EINTR && ++tries < MAX_TRIES);
	if (err) {
		complain("%s", err == -EINTR ? "switches change too quickly: try again" :
			 netlink.reason);
		return -1;
	}
	if (which && !bridges->n_bridges) {
		complain("no switch '%s' in this namespace: 'nbctl switch' lists all", which);
		return -1;
	}
	sort(bridges->bridges, bridges->n_bridges, sizeof(struct bridge), compare_bridges);
	sort(bridges->ports, bridges->n_ports, sizeof(struct port), compare_ports);
	sort(bridges->stations, bridges->n_stations, sizeof(struct station), compare_stations);
	return 0;
}
