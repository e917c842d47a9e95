// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a switch's uplink, and keeps it until a signal ends the program.
 *
 *	uplink SWITCH INTERFACE
 *
 * Both are in the network namespace of the caller.  Prints "uplink: ready" when they are
 * there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libnb.h>

static void check(int result)
{
	if (result >= 0)
		return;
	fprintf(stderr, "uplink: %s\n", nb_error());
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	struct nb_netdev_params netdev = { .flags = NB_NETDEV_UPLINK };
	struct nb_endpoint_params params = {
		.kind = "netdev",
		.netns_fd = -1,
		.kind_params = &netdev,
		.kind_params_size = sizeof(netdev),
	};
	struct nb_endpoint *ep;
	struct nb *nb;

	if (argc != 3) {
		fputs("usage: uplink SWITCH INTERFACE\n", stderr);
		return 2;
	}
	params.name = argv[2];
	snprintf(netdev.port.name, sizeof(netdev.port.name), "%s", argv[1]);
	check(nb_open(&nb));
	check(nb_endpoint_create(nb, &params, &ep));
	puts("uplink: ready");
	fflush(stdout);
	pause();
	return 0;
}
