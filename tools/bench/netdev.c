// SPDX-License-Identifier: GPL-2.0
/*
 * Path netdev
 *
 * tx: what the guest sends arrives at the interface, and the host's stack drops it,
 * as nobody handles its Ethernet type.
 * rx: what a socket sends to the interface arrives at the guest.
 */

#include <net/ethernet.h>

#include "bench.h"

static struct guest *open_up(const struct shape *shape)
{
	struct guest *guest = guest_open("netdev", shape, mtu_for(shape));

	if (!guest)
		return NULL;
	if (link_up(guest_ifindex(guest)) < 0) {
		guest_close(guest);
		return NULL;
	}
	return guest;
}

static void *netdev_tx_open(const struct shape *shape)
{
	struct guest *guest = open_up(shape);
	uint8_t mac[ETHER_ADDR_LEN];

	if (!guest)
		return NULL;
	if (link_mac(guest_ifindex(guest), mac) < 0) {
		guest_close(guest);
		return NULL;
	}
	if (is_super(shape))
		guest_super_packets(guest);
	else
		guest_address(guest, mac, NULL);
	return guest;
}

static void netdev_tx_run(void *state, unsigned int batches)
{
	while (batches--)
		guest_transmit(state);
}

static void netdev_tx_close(void *state)
{
	guest_close(state);
}

const struct path netdev_tx = {
	.path = "netdev",
	.direction = "tx",
	.subject = "net_backend",
	.fits = fits_all,
	.open = netdev_tx_open,
	.run = netdev_tx_run,
	.close = netdev_tx_close,
};

struct receiver {
	struct guest *guest;
	struct source *source;
};

static void *netdev_rx_open(const struct shape *shape)
{
	struct receiver *receiver;
	struct source *source;
	struct guest *guest;

	guest = open_up(shape);
	if (!guest)
		return NULL;
	source = source_open(shape, guest_ifindex(guest), guest_mac(guest));
	if (!source) {
		guest_close(guest);
		return NULL;
	}
	receiver = alloc(1, sizeof(*receiver));
	receiver->guest = guest;
	receiver->source = source;
	return receiver;
}

static void netdev_rx_run(void *state, unsigned int batches)
{
	struct receiver *receiver = state;

	while (batches--) {
		source_send(receiver->source);
		guest_receive(receiver->guest);
	}
}

static void netdev_rx_close(void *state)
{
	struct receiver *receiver = state;

	source_close(receiver->source);
	guest_close(receiver->guest);
	free(receiver);
}

const struct path netdev_rx = {
	.path = "netdev",
	.direction = "rx",
	.subject = "net_backend",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = netdev_rx_open,
	.run = netdev_rx_run,
	.close = netdev_rx_close,
};
