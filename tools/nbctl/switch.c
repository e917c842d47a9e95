// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl switch: switches, their ports, and the addresses that they have learned
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch.h"

static const char usage[] =
"Usage: nbctl switch [show | port | fdb] [SWITCH]\n"
"Shows the switches of this network namespace, their ports with what these have\n"
"dropped, or the addresses that they have learned; of all switches, or of the one with\n"
"that number or name.\n";

/**
 * struct reason - a column of counters; the list ends with NULL
 * @drop: of &enum nb_drop_attr
 * @name: its name
 */
struct reason {
	enum nb_drop_attr drop;
	const char *name;
};

static const struct reason from_reasons[] = {
	{ NB_A_DROP_VLAN,		"vlan" },
	{ NB_A_DROP_ISOLATED,		"isolated" },
	{ NB_A_DROP_FLOOD_LIMIT,	"flood-limit" },
	{ NB_A_DROP_SOURCE,		"source" },
	{ NB_A_DROP_SAME_PORT,		"same-port" },
	{ }
};

static const struct reason to_reasons[] = {
	{ NB_A_DROP_NO_BUFFER,		"no-buffer" },
	{ NB_A_DROP_TOO_SMALL,		"too-small" },
	{ NB_A_DROP_DOWN,		"down" },
	{ }
};

/* ---- switches ------------------------------------------------------------ */

static const char *bridge_name(const struct bridge *bridge)
{
	return bridge->name[0] ? bridge->name : "-";
}

static void print_bridge(const struct bridge *bridge)
{
	printf("%" PRIu32 ": %s: %s ports %" PRIu32 " addresses %" PRIu32 "/%" PRIu32
	       " ageing %g not-learned %" PRIu64 "\n", bridge->id, bridge_name(bridge),
	       bridge->name[0] ? "named" : "private", bridge->n_ports, bridge->n_addresses,
	       bridge->table_size, bridge->ageing_ms / 1000.0, bridge->not_learned);
}

static void print_bridges(const struct bridges *bridges)
{
	size_t i;

	for (i = 0; i < bridges->n_bridges; i++)
		print_bridge(&bridges->bridges[i]);
}

static int compare_to_bridge(const void *id, const void *bridge)
{
	uint32_t a = *(const uint32_t *)id, b = ((const struct bridge *)bridge)->id;

	return (a > b) - (a < b);
}

/* The switch with that number, which is there unless it came just now. */
static const char *name_of_bridge(const struct bridges *bridges, uint32_t id)
{
	const struct bridge *found = NULL;

	if (bridges->n_bridges)
		found = bsearch(&id, bridges->bridges, bridges->n_bridges, sizeof(*found),
				compare_to_bridge);
	return found ? bridge_name(found) : "-";
}

static int compare_to_endpoint(const void *id, const void *endpoint)
{
	uint32_t a = *(const uint32_t *)id, b = ((const struct endpoint *)endpoint)->id;

	return (a > b) - (a < b);
}

static void print_endpoint_ref(const struct objects *endpoints, uint32_t id)
{
	const struct endpoint *found = NULL;

	if (!id)
		return;
	printf(" endpoint %" PRIu32, id);
	if (endpoints->n_endpoints)
		found = bsearch(&id, endpoints->endpoints, endpoints->n_endpoints,
				sizeof(*found), compare_to_endpoint);
	if (found && found->name[0])
		printf(" %s", found->name);
}

/* ---- ports --------------------------------------------------------------- */

static bool has_vlan(const struct port *port, unsigned int vid)
{
	return vid < NB_SWITCH_VLANS && port->vlans[vid / 8] & 1 << vid % 8;
}

/* As numbers and ranges of them. */
static void print_vlan_list(const struct port *port)
{
	const char *separator = " vlans ";
	unsigned int vid, last;

	for (vid = 0; vid < NB_SWITCH_VLANS; vid = last + 1) {
		last = vid;
		if (!has_vlan(port, vid))
			continue;
		while (has_vlan(port, last + 1))
			last++;
		printf("%s%u", separator, vid);
		if (last > vid)
			printf("-%u", last);
		separator = ",";
	}
}

static void print_vlans(const struct port *port)
{
	switch (port->vlan_mode) {
	case NB_SWITCH_VLAN_ALL:
		printf(" vlan all");
		break;
	case NB_SWITCH_VLAN_ACCESS:
		printf(" vlan access");
		break;
	case NB_SWITCH_VLAN_TRUNK:
		printf(" vlan trunk");
		break;
	default:	/* of a later module */
		printf(" vlan mode %" PRIu32, port->vlan_mode);
		break;
	}
	if (port->pvid)
		printf(" pvid %" PRIu32, port->pvid);
	if (port->vlan_mode == NB_SWITCH_VLAN_TRUNK)
		print_vlan_list(port);
}

static void print_limit(const char *name, uint32_t limit)
{
	if (!limit)
		return;
	if (limit == NB_SWITCH_FLOOD_NONE)
		printf(" %s-limit none", name);
	else
		printf(" %s-limit %" PRIu32, name, limit);
}

static void print_reasons(const char *title, const struct reason *reasons,
			  const struct port *port)
{
	const struct reason *reason;

	printf("    %-5s", title);
	for (reason = reasons; reason->name; reason++)
		printf(" %12s", reason->name);
	printf("\n         ");
	for (reason = reasons; reason->name; reason++)
		printf(" %12" PRIu64, port->drops[reason->drop]);
	printf("\n");
}

static void print_port(const struct port *port, const char *bridge,
		       const struct objects *endpoints)
{
	printf("%" PRIu32 ": %s: port %" PRIu32 ":", port->bridge_id, bridge, port->number);
	print_endpoint_ref(endpoints, port->endpoint_id);
	if (port->uplink)
		printf(" uplink");
	else
		printf(" queues %" PRIu32, port->n_queues);
	if (port->ifindex)
		printf(" ifindex %" PRIu32, port->ifindex);
	if (port->isolated)
		printf(" isolated");
	printf("\n   ");
	print_vlans(port);
	print_limit("broadcast", port->limits[0]);
	print_limit("multicast", port->limits[1]);
	print_limit("unknown", port->limits[2]);
	printf(" addresses %" PRIu32 "/%" PRIu32 " not-learned %" PRIu64 "\n",
	       port->n_addresses, port->max_addresses, port->not_learned);
	print_reasons("FROM:", from_reasons, port);
	print_reasons("TO:", to_reasons, port);
}

static void print_ports(const struct bridges *bridges, const struct objects *endpoints)
{
	size_t i;

	for (i = 0; i < bridges->n_ports; i++)
		print_port(&bridges->ports[i],
			   name_of_bridge(bridges, bridges->ports[i].bridge_id), endpoints);
}

/* ---- addresses ----------------------------------------------------------- */

static void print_station(const struct station *station, const char *bridge,
			  const struct objects *endpoints)
{
	const uint8_t *a = station->address;

	printf("%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
	if (station->vlan)
		printf(" vlan %" PRIu32, station->vlan);
	printf(" switch %" PRIu32 " %s port %" PRIu32, station->bridge_id, bridge,
	       station->port);
	print_endpoint_ref(endpoints, station->endpoint_id);
	printf(" age %" PRIu32 ".%03" PRIu32 "\n", station->age_ms / 1000,
	       station->age_ms % 1000);
}

static void print_stations(const struct bridges *bridges, const struct objects *endpoints)
{
	size_t i;

	for (i = 0; i < bridges->n_stations; i++)
		print_station(&bridges->stations[i],
			      name_of_bridge(bridges, bridges->stations[i].bridge_id),
			      endpoints);
}

/* ---- the command --------------------------------------------------------- */

static void print_text(const struct bridges *bridges, const struct objects *endpoints,
		       enum bridges_what what)
{
	switch (what) {
	case BRIDGES_ONLY:
		print_bridges(bridges);
		break;
	case BRIDGES_PORTS:
		print_ports(bridges, endpoints);
		break;
	case BRIDGES_STATIONS:
		print_stations(bridges, endpoints);
		break;
	}
}

/* Ports and addresses are behind endpoints, which have names. */
static int show(const char *which, enum bridges_what what)
{
	struct objects endpoints = { 0 };
	struct bridges bridges;

	if (what != BRIDGES_ONLY && objects_get(&endpoints, NULL, false))
		return STATUS_FAILED;
	if (bridges_get(&bridges, which, what)) {
		objects_free(&endpoints);
		return STATUS_FAILED;
	}
	if (options.json)
		bridges_print_json(&bridges, &endpoints, what);
	else
		print_text(&bridges, &endpoints, what);
	bridges_free(&bridges);
	objects_free(&endpoints);
	if (fflush(stdout) || ferror(stdout)) {
		complain("cannot write to standard output");
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

int switch_main(int argc, char **argv)
{
	enum bridges_what what = BRIDGES_ONLY;
	int next = 1;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc > next && !strcmp(argv[next], "port")) {
		what = BRIDGES_PORTS;
		next++;
	} else if (argc > next && !strcmp(argv[next], "fdb")) {
		what = BRIDGES_STATIONS;
		next++;
	}
	if (argc > next && !strcmp(argv[next], "show"))
		next++;
	if (argc > next + 1 || (argc > next && argv[next][0] == '-'))
		return usage_error("switch", argc > next + 1 ? argv[next + 1] : argv[next]);
	return show(argc > next ? argv[next] : NULL, what);
}
