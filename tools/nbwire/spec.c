// SPDX-License-Identifier: GPL-2.0
/*
 * An endpoint as the command line names it: KIND[,name=..][,netns=..][,mac=..][,mtu=..]
 * and for kind attach ,dev=..[,promisc]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nbwire.h"

static const char netns_folder[] = "/run/netns";

/* Parse a whole decimal number; 0 or -1. */
int spec_number(const char *text, unsigned int low, unsigned int high,
		unsigned int *number)
{
	unsigned long long value;
	char *end;

	/* strtoull() takes signs and spaces */
	if (text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < low || value > high)
		return -1;
	*number = (unsigned int)value;
	return 0;
}

static int parse_text(char *field, size_t size, const char *what, const char *value)
{
	if (!*value || strlen(value) >= size) {
		complain("%s '%s' must have 1 to %zu characters", what, value, size - 1);
		return -1;
	}
	strcpy(field, value);
	return 0;
}

static int parse_netns(struct end *end, const char *value)
{
	int n;

	if (strchr(value, '/'))
		return parse_text(end->netns, sizeof(end->netns), "netns", value);
	n = snprintf(end->netns, sizeof(end->netns), "%s/%s", netns_folder, value);
	if (!*value || n >= (int)sizeof(end->netns)) {
		complain("netns '%s' must be the name of a network namespace", value);
		return -1;
	}
	return 0;
}

static int parse_mac(struct end *end, const char *value)
{
	uint8_t *m = end->mac;
	int length = 0;

	if (sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2],
		   &m[3], &m[4], &m[5], &length) != 6 || value[length]) {
		complain("mac '%s' must be like 02:00:00:00:00:01", value);
		return -1;
	}
	end->has_mac = true;
	return 0;
}

static int parse_vlan(struct end *end, const char *value)
{
	unsigned int vlan;

	if (spec_number(value, 1, NB_SWITCH_VLANS - 2, &vlan)) {
		complain("vlan '%s' must be a number, 1 to %d", value, NB_SWITCH_VLANS - 2);
		return -1;
	}
	end->port.vlan_mode = NB_SWITCH_VLAN_ACCESS;
	end->port.pvid = (uint16_t)vlan;
	return 0;
}

/* What a port of a switch is like. */
static int parse_port(struct end *end, const char *key, const char *value)
{
	if (!strcmp(key, "switch"))
		return parse_text(end->port.name, sizeof(end->port.name), "switch", value);
	if (!strcmp(key, "vlan"))
		return parse_vlan(end, value);
	if (!strcmp(key, "isolated") && !*value) {
		end->port.flags |= NB_SWITCH_ISOLATED;
		return 0;
	}
	complain("unknown '%s' of an endpoint: name, netns, mac, mtu, dev, promisc, switch, vlan "
		 "and isolated are known", key);
	return -1;
}

static int parse_field(struct end *end, const char *key, const char *value)
{
	if (!strcmp(key, "name"))
		return parse_text(end->name, sizeof(end->name), "name", value);
	if (!strcmp(key, "netns"))
		return parse_netns(end, value);
	if (!strcmp(key, "mac"))
		return parse_mac(end, value);
	if (!strcmp(key, "mtu")) {
		if (!spec_number(value, 1, NB_MAX_PACKET_LEN, &end->mtu))
			return 0;
		complain("mtu '%s' must be a number of bytes, 1 to %d", value, NB_MAX_PACKET_LEN);
		return -1;
	}
	if (!strcmp(key, "dev"))
		return parse_text(end->attach.ifname, sizeof(end->attach.ifname), "dev", value);
	if (!strcmp(key, "promisc") && !*value) {
		end->attach.flags |= NB_ATTACH_PROMISCUOUS;
		return 0;
	}
	return parse_port(end, key, value);
}

static int check(const struct end *end)
{
	bool attach = !strcmp(end->kind, "attach"), port = !strcmp(end->kind, "switch");

	if (attach && !end->attach.ifname[0])
		complain("attach needs dev=, a network interface");
	else if (!attach && (end->attach.ifname[0] || end->attach.flags))
		complain("dev and promisc are for attach, not for %s", end->kind);
	else if (port && !end->port.name[0])
		complain("switch needs switch=, the name of one");
	else if (!port && (end->port.name[0] || end->port.flags || end->port.vlan_mode))
		complain("switch, vlan and isolated are for switch, not for %s", end->kind);
	else
		return 0;
	return -1;
}

/* Parse one endpoint; says what is wrong, and returns -1, if something is. */
int spec_parse(struct end *end, const char *text)
{
	char *copy, *field, *value, *rest;
	int err;

	end->text = text;
	copy = strdup(text);
	if (!copy) {
		complain("no memory");
		return -1;
	}
	rest = copy;
	err = parse_text(end->kind, sizeof(end->kind), "kind", strsep(&rest, ","));
	while (!err && (field = strsep(&rest, ","))) {
		value = strchr(field, '=');
		if (value)
			*value++ = '\0';
		err = parse_field(end, field, value ? value : "");
	}
	free(copy);
	return err ? err : check(end);
}
