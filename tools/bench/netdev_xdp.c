// SPDX-License-Identifier: GPL-2.0
/*
 * Path netdev-xdp, tx
 *
 * What the guest sends is dropped by an XDP program on the interface.
 */

#include "bench.h"

static void *netdev_xdp_open(const struct shape *shape)
{
	struct guest *guest = netdev_tx.open(shape);

	if (guest && xdp_attach_drop(guest_ifindex(guest)) < 0) {
		guest_close(guest);
		return NULL;
	}
	return guest;
}

static void netdev_xdp_run(void *state, unsigned int batches)
{
	while (batches--)
		guest_transmit(state);
}

static void netdev_xdp_close(void *state)
{
	guest_close(state);
}

const struct path netdev_xdp_tx = {
	.path = "netdev-xdp",
	.direction = "tx",
	.subject = "net_backend",
	.fits = fits_xdp,
	.open = netdev_xdp_open,
	.run = netdev_xdp_run,
	.close = netdev_xdp_close,
};
