// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl -j switch: switches, their ports, and the addresses that they have learned, as JSON
 *
 * What a port does not have (an endpoint, a limit, VLANs) is absent.
 */
#include <stdio.h>

#include <json-c/json.h>

#include "switch.h"

static void add(struct json_object *json, const char *name, uint64_t value)
{
	json_object_object_add(json, name, json_object_new_uint64(value));
}

static void add_if(struct json_object *json, const char *name, uint64_t value)
{
	if (value)
		add(json, name, value);
}

static void add_text(struct json_object *json, const char *name, const char *text)
{
	json_object_object_add(json, name, json_object_new_string(text));
}

/* One that has come just now has no name here. */
static void add_endpoint(struct json_object *json, const struct objects *endpoints, uint32_t id)
{
	size_t i;

	if (!id)
		return;
	add(json, "endpoint", id);
	for (i = 0; i < endpoints->n_endpoints; i++)
		if (endpoints->endpoints[i].id == id && endpoints->endpoints[i].name[0])
			add_text(json, "endpoint_name", endpoints->endpoints[i].name);
}

static void add_bridge(struct json_object *json, const struct bridges *bridges, uint32_t id)
{
	const char *name = "";
	size_t i;

	for (i = 0; i < bridges->n_bridges; i++)
		if (bridges->bridges[i].id == id)
			name = bridges->bridges[i].name;
	add(json, "switch", id);
	add_text(json, "name", name);
}

static struct json_object *json_of_bridge(const struct bridge *bridge)
{
	struct json_object *json = json_object_new_object();

	add(json, "id", bridge->id);
	add_text(json, "name", bridge->name);
	json_object_object_add(json, "private", json_object_new_boolean(!bridge->name[0]));
	add(json, "ports", bridge->n_ports);
	add(json, "addresses", bridge->n_addresses);
	add(json, "table_size", bridge->table_size);
	add(json, "ageing_ms", bridge->ageing_ms);
	add(json, "not_learned", bridge->not_learned);
	return json;
}

/* ---- ports --------------------------------------------------------------- */

static void add_vlans(struct json_object *json, const struct port *port)
{
	static const char * const modes[] = {
		[NB_SWITCH_VLAN_ALL] = "all",
		[NB_SWITCH_VLAN_ACCESS] = "access",
		[NB_SWITCH_VLAN_TRUNK] = "trunk",
	};
	struct json_object *list;
	unsigned int vid;

	if (port->vlan_mode < sizeof(modes) / sizeof(modes[0]))
		add_text(json, "vlan", modes[port->vlan_mode]);
	else	/* of a later module */
		add(json, "vlan", port->vlan_mode);
	add_if(json, "pvid", port->pvid);
	if (port->vlan_mode != NB_SWITCH_VLAN_TRUNK)
		return;
	list = json_object_new_array();
	for (vid = 0; vid < NB_SWITCH_VLANS; vid++)
		if (port->vlans[vid / 8] & 1 << vid % 8)
			json_object_array_add(list, json_object_new_int((int)vid));
	json_object_object_add(json, "vlans", list);
}

/* Packets a second; "none": none at all. */
static void add_limit(struct json_object *json, const char *name, uint32_t limit)
{
	if (limit == NB_SWITCH_FLOOD_NONE)
		add_text(json, name, "none");
	else
		add_if(json, name, limit);
}

static struct json_object *json_of_drops(const struct port *port)
{
	static const char * const names[NB_A_DROP_MAX + 1] = {
		[NB_A_DROP_NO_BUFFER] = "no_buffer",
		[NB_A_DROP_TOO_SMALL] = "too_small",
		[NB_A_DROP_DOWN] = "down",
		[NB_A_DROP_VLAN] = "vlan",
		[NB_A_DROP_ISOLATED] = "isolated",
		[NB_A_DROP_FLOOD_LIMIT] = "flood_limit",
		[NB_A_DROP_SOURCE] = "source",
		[NB_A_DROP_SAME_PORT] = "same_port",
	};
	struct json_object *json = json_object_new_object();
	int i;

	for (i = 0; i <= NB_A_DROP_MAX; i++)
		if (names[i])
			add(json, names[i], port->drops[i]);
	return json;
}

static struct json_object *json_of_port(const struct port *port, const struct bridges *bridges,
					const struct objects *endpoints)
{
	struct json_object *json = json_object_new_object();

	add_bridge(json, bridges, port->bridge_id);
	add(json, "port", port->number);
	add_endpoint(json, endpoints, port->endpoint_id);
	json_object_object_add(json, "uplink", json_object_new_boolean(port->uplink));
	if (!port->uplink)
		add(json, "n_queues", port->n_queues);
	add_if(json, "ifindex", port->ifindex);
	json_object_object_add(json, "isolated", json_object_new_boolean(port->isolated));
	add_vlans(json, port);
	add_limit(json, "broadcast_limit", port->limits[0]);
	add_limit(json, "multicast_limit", port->limits[1]);
	add_limit(json, "unknown_limit", port->limits[2]);
	add(json, "addresses", port->n_addresses);
	add(json, "max_addresses", port->max_addresses);
	add(json, "not_learned", port->not_learned);
	json_object_object_add(json, "drops", json_of_drops(port));
	return json;
}

/* ---- addresses ----------------------------------------------------------- */

static struct json_object *json_of_station(const struct station *station,
					   const struct bridges *bridges,
					   const struct objects *endpoints)
{
	struct json_object *json = json_object_new_object();
	const uint8_t *a = station->address;
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3],
		 a[4], a[5]);
	add_text(json, "address", text);
	add_if(json, "vlan", station->vlan);
	add_bridge(json, bridges, station->bridge_id);
	add(json, "port", station->port);
	add_endpoint(json, endpoints, station->endpoint_id);
	add(json, "age_ms", station->age_ms);
	return json;
}

void bridges_print_json(const struct bridges *bridges, const struct objects *endpoints,
			enum bridges_what what)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; what == BRIDGES_ONLY && i < bridges->n_bridges; i++)
		json_object_array_add(list, json_of_bridge(&bridges->bridges[i]));
	for (i = 0; i < bridges->n_ports; i++)
		json_object_array_add(list, json_of_port(&bridges->ports[i], bridges, endpoints));
	for (i = 0; i < bridges->n_stations; i++)
		json_object_array_add(list, json_of_station(&bridges->stations[i], bridges,
							    endpoints));
	print_json(list);
}
