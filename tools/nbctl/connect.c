// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl connect: plugs in a backend
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nbctl.h"
#include "params.h"

static const char usage[] =
"Usage: nbctl connect ENDPOINT [from ENDPOINT | kind KIND [name NAME] [mtu MTU]\n"
"              [dev INTERFACE] [promisc] [switch NAME] [vlan ID] [isolated]]\n"
"Plugs in a backend to an endpoint that was disconnected: the one that it has; or that of\n"
"another endpoint, which gets the one that was here; or a new one of a kind, and the one\n"
"that was here is unmade.  dev and promisc are for kind attach; switch, vlan and isolated\n"
"for a port of a switch.\n";

/* Between two looks whether a kind has been loaded, in microseconds. */
#define LOADING		50000

/**
 * struct backend - what is to be plugged in
 * @from: the endpoint that has it, or NULL
 * @kind: kind of a new one, or NULL
 * @name: its name, or NULL
 * @mtu: its MTU, as text, or NULL
 * @params: what is special to its kind
 */
struct backend {
	const char *from;
	const char *kind;
	const char *name;
	const char *mtu;
	struct kind_params params;
};

/* Where the value of a keyword goes; NULL if there is no such, or it was given already. */
static const char **field_of(struct backend *backend, const char *keyword)
{
	const char **field = NULL;

	if (!strcmp(keyword, "from"))
		field = &backend->from;
	else if (!strcmp(keyword, "kind"))
		field = &backend->kind;
	else if (!strcmp(keyword, "name"))
		field = &backend->name;
	else if (!strcmp(keyword, "mtu"))
		field = &backend->mtu;
	return field && !*field ? field : NULL;
}

static int parse(struct backend *backend, int argc, char **argv)
{
	const char **field;
	int i, n;

	for (i = 2; i < argc; i += n) {
		n = params_parse(&backend->params, argc - i, argv + i);
		if (n < 0)
			return STATUS_USAGE;
		if (n)
			continue;
		n = 2;
		field = field_of(backend, argv[i]);
		if (!field)
			return usage_error("connect", argv[i]);
		if (i + 1 == argc)
			return usage_error("connect", NULL);
		*field = argv[i + 1];
	}
	if (backend->from && backend->kind)
		complain("connect: either from another endpoint, or a new one of a kind");
	else if (!backend->kind && (backend->name || backend->mtu))
		complain("connect: name and mtu are those of a new backend: say its kind");
	else
		return params_check(&backend->params, backend->kind);
	return STATUS_USAGE;
}

static int check_text(const char *what, const char *text, size_t size)
{
	if (!text || (*text && strlen(text) < size))
		return STATUS_OK;
	complain("%s '%s' must have 1 to %zu characters", what, text, size - 1);
	return STATUS_USAGE;
}

static int parse_mtu(const char *text, uint32_t *mtu)
{
	unsigned long value;
	char *end;

	*mtu = 0;
	if (!text)
		return STATUS_OK;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && value &&
	    value <= NB_MAX_PACKET_LEN) {
		*mtu = (uint32_t)value;
		return STATUS_OK;
	}
	complain("mtu '%s' must be a number of bytes, 1 to %d", text, NB_MAX_PACKET_LEN);
	return STATUS_USAGE;
}

/* @from is the number of another endpoint, or 0. */
static int request(uint32_t id, uint32_t from, const struct backend *backend, uint32_t mtu)
{
	char buffer[REQUEST_SIZE];
	struct netlink netlink;
	struct params params;
	struct nlmsghdr *nlh;
	int err;

	err = netlink_open(&netlink);
	if (!err) {
		nlh = netlink_begin(&netlink, buffer, NB_CMD_ENDPOINT_CONNECT);
		mnl_attr_put_u32(nlh, NB_A_ENDPOINT_ID, id);
		if (from)
			mnl_attr_put_u32(nlh, NB_A_ENDPOINT_FROM, from);
		if (backend->kind)
			mnl_attr_put_strz(nlh, NB_A_ENDPOINT_KIND, backend->kind);
		if (backend->name)
			mnl_attr_put_strz(nlh, NB_A_ENDPOINT_NAME, backend->name);
		if (mtu)
			mnl_attr_put_u32(nlh, NB_A_ENDPOINT_MTU, mtu);
		if (params_of(&backend->params, backend->kind, &params))
			mnl_attr_put(nlh, NB_A_ENDPOINT_PARAMS, params.size, params.data);
		/* The kernel does not let others wait while it loads a module. */
		while ((err = netlink_talk(&netlink, nlh, NULL, NULL)) == -EAGAIN)
			usleep(LOADING);
		netlink_close(&netlink);
	}
	if (err)
		complain("%s", netlink.reason);
	return err ? STATUS_FAILED : STATUS_OK;
}

int connect_main(int argc, char **argv)
{
	struct endpoint endpoint, from = { .id = 0 };
	struct backend backend = { .from = NULL };
	uint32_t mtu;
	int status;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc < 2)
		return usage_error("connect", NULL);
	status = parse(&backend, argc, argv);
	if (!status)
		status = check_text("kind", backend.kind, NB_KIND_LEN);
	if (!status)
		status = check_text("name", backend.name, NB_NAME_LEN);
	if (!status)
		status = parse_mtu(backend.mtu, &mtu);
	if (status)
		return status;

	if (objects_find(argv[1], &endpoint) ||
	    (backend.from && objects_find(backend.from, &from)))
		return STATUS_FAILED;
	return request(endpoint.id, from.id, &backend, mtu);
}
