// SPDX-License-Identifier: GPL-2.0
/*
 * Path attach, over a pair of veth
 *
 * tx: what the guest sends leaves by one end, arrives at the other, and the host's stack
 * drops it, as nobody handles its Ethernet type.
 * rx: what a socket sends into the other end arrives at the guest.
 *
 * Path veth, rx: the same source into the same pair, where the host's stack drops what
 * arrives.  It is what attach, rx, costs without attach.
 */

#include <net/ethernet.h>
#include <net/if.h>

#include "bench.h"

struct pair {
	int lower;		/* the end that is taken over */
	int other;
	struct guest *guest;
	struct source *source;
};

static void pair_close(void *state)
{
	struct pair *pair = state;

	if (pair->source)
		source_close(pair->source);
	if (pair->guest)
		guest_close(pair->guest);
	if (pair->lower > 0)
		link_remove(pair->lower);
	free(pair);
}

static struct pair *pair_open(const struct shape *shape)
{
	unsigned int mtu = shape->size > ETHERMTU ? shape->size : ETHERMTU;
	struct pair *pair = alloc(1, sizeof(*pair));

	pair->lower = link_add("veth", "lower", mtu);
	/* The namespace is ours, and the kernel numbers the other end from 0. */
	pair->other = if_nametoindex("veth0");
	/* An end runs when both are up. */
	if (pair->lower > 0 && pair->other > 0 && link_set_up(pair->lower) == 0 &&
	    link_up(pair->other) == 0 && link_up(pair->lower) == 0)
		return pair;
	pair_close(pair);
	return NULL;
}

static struct pair *attached_open(const struct shape *shape)
{
	struct pair *pair = pair_open(shape);

	if (!pair)
		return NULL;
	pair->guest = guest_open_attached(pair->lower, shape);
	if (pair->guest)
		return pair;
	pair_close(pair);
	return NULL;
}

/* ---- tx ------------------------------------------------------------------ */

static void *attach_tx_open(const struct shape *shape)
{
	struct pair *pair = attached_open(shape);
	uint8_t mac[ETHER_ADDR_LEN];

	if (!pair)
		return NULL;
	if (link_mac(pair->other, mac) < 0) {
		pair_close(pair);
		return NULL;
	}
	guest_address(pair->guest, mac, NULL);
	return pair;
}

static void attach_tx_run(void *state, unsigned int batches)
{
	struct pair *pair = state;

	while (batches--)
		guest_transmit(pair->guest);
}

const struct path attach_tx = {
	.path = "attach",
	.direction = "tx",
	.subject = "net_backend",
	.fits = fits_all,
	.open = attach_tx_open,
	.run = attach_tx_run,
	.close = pair_close,
};

/* ---- rx ------------------------------------------------------------------ */

static void *attach_rx_open(const struct shape *shape)
{
	struct pair *pair = attached_open(shape);

	if (!pair)
		return NULL;
	pair->source = source_open(shape, pair->other, guest_mac(pair->guest));
	if (pair->source)
		return pair;
	pair_close(pair);
	return NULL;
}

static void attach_rx_run(void *state, unsigned int batches)
{
	struct pair *pair = state;

	while (batches--) {
		source_send(pair->source);
		guest_receive(pair->guest);
	}
}

const struct path attach_rx = {
	.path = "attach",
	.direction = "rx",
	.subject = "net_backend",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = attach_rx_open,
	.run = attach_rx_run,
	.close = pair_close,
};

static void *veth_rx_open(const struct shape *shape)
{
	struct pair *pair = pair_open(shape);
	uint8_t mac[ETHER_ADDR_LEN];

	if (!pair)
		return NULL;
	if (link_mac(pair->lower, mac) == 0)
		pair->source = source_open(shape, pair->other, mac);
	if (pair->source)
		return pair;
	pair_close(pair);
	return NULL;
}

static void veth_rx_run(void *state, unsigned int batches)
{
	struct pair *pair = state;

	while (batches--)
		source_send(pair->source);
}

const struct path veth_rx = {
	.path = "veth",
	.direction = "rx",
	.subject = "floor",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = veth_rx_open,
	.run = veth_rx_run,
	.close = pair_close,
};
