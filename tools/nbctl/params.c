// SPDX-License-Identifier: GPL-2.0
/*
 * What is special to the kind of a new backend, as keywords of the command line
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nbctl.h"
#include "params.h"

/* Each takes the value of a keyword: 0, or -1 when it has said what is wrong. */

static int take_text(char *field, size_t size, const char *keyword, const char *value)
{
	size_t length = strlen(value);

	if (length && length < size) {
		memcpy(field, value, length + 1);
		return 0;
	}
	complain("%s '%s' must have 1 to %zu characters", keyword, value, size - 1);
	return -1;
}

static int take_dev(struct kind_params *params, const char *value)
{
	return take_text(params->attach.ifname, sizeof(params->attach.ifname), "dev", value);
}

static int take_switch(struct kind_params *params, const char *value)
{
	return take_text(params->port.name, sizeof(params->port.name), "switch", value);
}

static int take_vlan(struct kind_params *params, const char *value)
{
	unsigned long vlan;
	char *end;

	errno = 0;
	vlan = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno || !vlan ||
	    vlan > NB_SWITCH_VLANS - 2) {
		complain("vlan '%s' must be a number, 1 to %d", value, NB_SWITCH_VLANS - 2);
		return -1;
	}
	params->port.vlan_mode = NB_SWITCH_VLAN_ACCESS;
	params->port.pvid = (uint16_t)vlan;
	return 0;
}

static const struct {
	const char *name;
	int (*take)(struct kind_params *params, const char *value);
} keywords[] = {
	{ "dev", take_dev },
	{ "switch", take_switch },
	{ "vlan", take_vlan },
};

int params_parse(struct kind_params *params, int argc, char **argv)
{
	size_t i;

	if (!strcmp(argv[0], "promisc")) {
		params->attach.flags |= NB_ATTACH_PROMISCUOUS;
		return 1;
	}
	if (!strcmp(argv[0], "isolated")) {
		params->port.flags |= NB_SWITCH_ISOLATED;
		return 1;
	}
	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strcmp(argv[0], keywords[i].name))
			continue;
		if (argc < 2) {
			complain("connect: %s needs a value", argv[0]);
			return -1;
		}
		return keywords[i].take(params, argv[1]) ? -1 : 2;
	}
	return 0;
}

static bool is(const char *kind, const char *name)
{
	return kind && !strcmp(kind, name);
}

int params_check(const struct kind_params *params, const char *kind)
{
	const struct nb_switch_params *port = &params->port;

	if (is(kind, "attach") && !params->attach.ifname[0])
		complain("connect: kind attach needs \"dev INTERFACE\"");
	else if (!is(kind, "attach") && (params->attach.ifname[0] || params->attach.flags))
		complain("connect: dev and promisc go with kind attach");
	else if (is(kind, "switch") && !port->name[0])
		complain("connect: kind switch needs \"switch NAME\"");
	else if (!is(kind, "switch") && (port->name[0] || port->flags || port->vlan_mode))
		complain("connect: switch, vlan and isolated go with kind switch");
	else
		return STATUS_OK;
	return STATUS_USAGE;
}

bool params_of(const struct kind_params *all, const char *kind, struct params *params)
{
	if (is(kind, "attach"))
		*params = (struct params){ &all->attach, sizeof(all->attach) };
	else if (is(kind, "switch"))
		*params = (struct params){ &all->port, sizeof(all->port) };
	else
		return false;
	return true;
}
