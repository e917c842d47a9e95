/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Switches, as the kernel tells of them: switch_get.c asks, switch.c and switch_json.c show.
 */
#ifndef NBCTL_SWITCH_H
#define NBCTL_SWITCH_H

#include "nbctl.h"

/**
 * struct bridge - what the kernel tells about a switch
 * @id: its number
 * @name: its name, or empty for a private one
 * @n_ports: ports
 * @n_addresses: addresses in its table
 * @table_size: most of them
 * @ageing_ms: milliseconds after which a silent address counts as unknown
 * @not_learned: times that there was no place for an address
 */
struct bridge {
	uint32_t id;
	char name[NB_NAME_LEN];
	uint32_t n_ports;
	uint32_t n_addresses;
	uint32_t table_size;
	uint32_t ageing_ms;
	uint64_t not_learned;
};

/**
 * struct port - what the kernel tells about a port of a switch
 * @bridge_id: its switch
 * @number: its number there
 * @endpoint_id: the endpoint, or 0
 * @uplink: it is one
 * @ifindex: the uplink's network interface, or 0
 * @n_queues: queues of the frontend
 * @isolated: from other isolated ports
 * @vlan_mode: of &enum nb_switch_vlan_mode
 * @pvid: VLAN of what has no tag, or 0
 * @vlans: with NB_SWITCH_VLAN_TRUNK: those that pass
 * @limits: of flooding, packets a second: broadcast, multicast, unknown
 * @n_addresses: addresses behind it
 * @max_addresses: most of them
 * @not_learned: times that there was no place for one
 * @drops: by &enum nb_drop_attr
 */
struct port {
	uint32_t bridge_id;
	uint32_t number;
	uint32_t endpoint_id;
	bool uplink;
	uint32_t ifindex;
	uint32_t n_queues;
	bool isolated;
	uint32_t vlan_mode;
	uint32_t pvid;
	uint8_t vlans[NB_SWITCH_VLANS / 8];
	uint32_t limits[3];
	uint32_t n_addresses;
	uint32_t max_addresses;
	uint64_t not_learned;
	uint64_t drops[NB_A_DROP_MAX + 1];
};

/**
 * struct station - what the kernel tells about an address
 * @bridge_id: the switch that has learned it
 * @address: the address
 * @vlan: that it is in, or 0
 * @port: the port's number
 * @endpoint_id: the endpoint, or 0
 * @age_ms: milliseconds since it has sent last
 */
struct station {
	uint32_t bridge_id;
	uint8_t address[6];
	uint32_t vlan;
	uint32_t port;
	uint32_t endpoint_id;
	uint32_t age_ms;
};

/**
 * struct bridges - switches, and of these ports or addresses, in order
 * @bridges: the switches, by number
 * @n_bridges: their number
 * @ports: by switch and number
 * @n_ports: their number
 * @stations: by switch, VLAN and address
 * @n_stations: their number
 */
struct bridges {
	struct bridge *bridges;
	size_t n_bridges;
	struct port *ports;
	size_t n_ports;
	struct station *stations;
	size_t n_stations;
};

/* What is asked for beside the switches. */
enum bridges_what {
	BRIDGES_ONLY,
	BRIDGES_PORTS,
	BRIDGES_STATIONS,
};

/* switch_get.c APIs: */
int bridges_get(struct bridges *bridges, const char *which, enum bridges_what what);
void bridges_free(struct bridges *bridges);
void bridges_parse_bridge(const struct nlmsghdr *nlh, struct bridge *bridge);
void bridges_parse_port(const struct nlmsghdr *nlh, struct port *port);

/* switch_json.c APIs: */
void bridges_print_json(const struct bridges *bridges, const struct objects *endpoints,
			enum bridges_what what);

#endif /* NBCTL_SWITCH_H */
