// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl link: sets the link of an endpoint
 */
#include <string.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl link ENDPOINT {up | down}\n"
"Sets the link of an endpoint down, whatever its backend can do and whichever is plugged\n"
"in; or up again, as far as the backend is.\n";

static int set_link(uint32_t id, bool up)
{
	char buffer[REQUEST_SIZE];
	struct netlink netlink;
	struct nlmsghdr *nlh;
	int err;

	err = netlink_open(&netlink);
	if (!err) {
		nlh = netlink_begin(&netlink, buffer, NB_CMD_ENDPOINT_SET);
		mnl_attr_put_u32(nlh, NB_A_ENDPOINT_ID, id);
		mnl_attr_put_u32(nlh, NB_A_ENDPOINT_LINK, up);
		err = netlink_talk(&netlink, nlh, NULL, NULL);
		netlink_close(&netlink);
	}
	if (err)
		complain("%s", netlink.reason);
	return err ? STATUS_FAILED : STATUS_OK;
}

int link_main(int argc, char **argv)
{
	struct endpoint endpoint;
	bool up;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc < 3)
		return usage_error("link", NULL);
	up = !strcmp(argv[2], "up");
	if (!up && strcmp(argv[2], "down"))
		return usage_error("link", argv[2]);
	if (argc > 3)
		return usage_error("link", argv[3]);
	if (objects_find(argv[1], &endpoint))
		return STATUS_FAILED;
	return set_link(endpoint.id, up);
}
