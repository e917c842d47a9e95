// SPDX-License-Identifier: GPL-2.0
/*
 * An endpoint as the command line names it: KIND[,name=..][,netns=..][,mac=..][,mtu=..]
 * and for kind attach ,dev=..[,promisc]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"
#include "spec.h"

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

static int parse_netns(struct spec *spec, const char *value)
{
	int n;

	if (strchr(value, '/'))
		return parse_text(spec->netns, sizeof(spec->netns), "netns", value);
	n = snprintf(spec->netns, sizeof(spec->netns), "%s/%s", netns_folder, value);
	if (!*value || n >= (int)sizeof(spec->netns)) {
		complain("netns '%s' must be the name of a network namespace", value);
		return -1;
	}
	return 0;
}

static int parse_mac(struct spec *spec, const char *value)
{
	uint8_t *m = spec->mac;
	int length = 0;

	if (sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2],
		   &m[3], &m[4], &m[5], &length) != 6 || value[length]) {
		complain("mac '%s' must be like 02:00:00:00:00:01", value);
		return -1;
	}
	spec->has_mac = true;
	return 0;
}

static int parse_vlan(struct spec *spec, const char *value)
{
	unsigned int vlan;

	if (spec_number(value, 1, NB_SWITCH_VLANS - 2, &vlan)) {
		complain("vlan '%s' must be a number, 1 to %d", value, NB_SWITCH_VLANS - 2);
		return -1;
	}
	spec->port.vlan_mode = NB_SWITCH_VLAN_ACCESS;
	spec->port.pvid = (uint16_t)vlan;
	return 0;
}

/* What a port of a switch is like. */
static int parse_port(struct spec *spec, const char *key, const char *value)
{
	if (!strcmp(key, "switch"))
		return parse_text(spec->port.name, sizeof(spec->port.name), "switch", value);
	if (!strcmp(key, "vlan"))
		return parse_vlan(spec, value);
	if (!strcmp(key, "isolated") && !*value) {
		spec->port.flags |= NB_SWITCH_ISOLATED;
		return 0;
	}
	complain("unknown '%s' of an endpoint: name, netns, mac, mtu, dev, promisc, switch, vlan "
		 "and isolated are known", key);
	return -1;
}

static int parse_field(struct spec *spec, const char *key, const char *value)
{
	if (!strcmp(key, "name"))
		return parse_text(spec->name, sizeof(spec->name), "name", value);
	if (!strcmp(key, "netns"))
		return parse_netns(spec, value);
	if (!strcmp(key, "mac"))
		return parse_mac(spec, value);
	if (!strcmp(key, "mtu")) {
		if (!spec_number(value, 1, NB_MAX_PACKET_LEN, &spec->mtu))
			return 0;
		complain("mtu '%s' must be a number of bytes, 1 to %d", value, NB_MAX_PACKET_LEN);
		return -1;
	}
	if (!strcmp(key, "dev"))
		return parse_text(spec->attach.ifname, sizeof(spec->attach.ifname), "dev", value);
	if (!strcmp(key, "promisc") && !*value) {
		spec->attach.flags |= NB_ATTACH_PROMISCUOUS;
		return 0;
	}
	return parse_port(spec, key, value);
}

static int check(const struct spec *spec)
{
	bool attach = !strcmp(spec->kind, "attach"), port = !strcmp(spec->kind, "switch");

	if (attach && !spec->attach.ifname[0])
		complain("attach needs dev=, a network interface");
	else if (!attach && (spec->attach.ifname[0] || spec->attach.flags))
		complain("dev and promisc are for attach, not for %s", spec->kind);
	else if (port && !spec->port.name[0])
		complain("switch needs switch=, the name of one");
	else if (!port && (spec->port.name[0] || spec->port.flags || spec->port.vlan_mode))
		complain("switch, vlan and isolated are for switch, not for %s", spec->kind);
	else
		return 0;
	return -1;
}

/* Parse one endpoint; says what is wrong, and returns -1, if something is. */
int spec_parse(struct spec *spec, const char *text)
{
	char *copy, *field, *value, *rest;
	int err;

	spec->text = text;
	copy = strdup(text);
	if (!copy) {
		complain("no memory");
		return -1;
	}
	rest = copy;
	err = parse_text(spec->kind, sizeof(spec->kind), "kind", strsep(&rest, ","));
	while (!err && (field = strsep(&rest, ","))) {
		value = strchr(field, '=');
		if (value)
			*value++ = '\0';
		err = parse_field(spec, field, value ? value : "");
	}
	free(copy);
	return err ? err : check(spec);
}

static int open_netns(const struct spec *spec)
{
	int fd;

	if (!spec->netns[0])
		return -1;
	fd = open(spec->netns, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		complain("%s: cannot open the network namespace %s: %s", spec->text,
			 spec->netns, errno == ENOENT ?
			 "there is none; make it with: ip netns add NAME" :
			 strerror(errno));
	return fd;
}

/* What only the kind knows, if something was said about that. */
static void set_kind_params(const struct spec *spec, struct nb_endpoint_params *params)
{
	if (spec->attach.ifname[0]) {
		params->kind_params = &spec->attach;
		params->kind_params_size = sizeof(spec->attach);
	} else if (spec->port.name[0]) {
		params->kind_params = &spec->port;
		params->kind_params_size = sizeof(spec->port);
	}
}

/* Make the endpoint; says what is wrong, and returns -1, if something is. */
int spec_create(const struct spec *spec, struct nb *nb, uint16_t max_queues,
		struct nb_endpoint **ep)
{
	struct nb_endpoint_params params = {
		.kind = spec->kind,
		.name = spec->name,
		.mac = spec->has_mac ? spec->mac : NULL,
		.netns_fd = open_netns(spec),
		.max_queues = max_queues,
		.mtu = spec->mtu,
	};
	int err;

	set_kind_params(spec, &params);
	if (spec->netns[0] && params.netns_fd < 0)
		return -1;
	err = nb_endpoint_create(nb, &params, ep);
	if (err)
		complain("%s: %s", spec->text, nb_error());
	if (params.netns_fd >= 0)
		close(params.netns_fd);
	return err ? -1 : 0;
}
