// SPDX-License-Identifier: GPL-2.0
/*
 * Path attach, over a pair of veth
 *
 * tx: what the guest sends leaves by one end, arrives at the other, and the host's stack
 * drops it, as nobody handles its Ethernet type.
 * rx: what a socket sends into the other end arrives at the guest.
 *
 * Its floor, rx: the same source into the same pair, where the host's stack drops what
 * arrives.  It is what attach, rx, costs without attach.
 */

#include <net/ethernet.h>

#include "bench.h"

struct attached {
	struct pair pair;
	struct guest *guest;
	struct source *source;
};

static void attached_close(void *state)
{
	struct attached *attached = state;

	if (attached->source)
		source_close(attached->source);
	if (attached->guest)
		guest_close(attached->guest);
	pair_close(&attached->pair);
	free(attached);
}

static struct attached *attached_open(const struct shape *shape)
{
	struct attached *attached = alloc(1, sizeof(*attached));

	if (pair_open(&attached->pair, shape) == 0) {
		attached->guest = guest_open_attached(attached->pair.lower, shape);
		if (attached->guest)
			return attached;
		pair_close(&attached->pair);
	}
	free(attached);
	return NULL;
}

/* ---- tx ------------------------------------------------------------------ */

static void *attach_tx_open(const struct shape *shape)
{
	struct attached *attached = attached_open(shape);
	uint8_t mac[ETHER_ADDR_LEN];

	if (!attached)
		return NULL;
	if (link_mac(attached->pair.other, mac) < 0) {
		attached_close(attached);
		return NULL;
	}
	guest_address(attached->guest, mac, NULL);
	return attached;
}

static void attach_tx_run(void *state, unsigned int batches)
{
	struct attached *attached = state;

	while (batches--)
		guest_transmit(attached->guest);
}

const struct path attach_tx = {
	.path = "attach",
	.direction = "tx",
	.subject = "net_backend",
	.fits = fits_all,
	.open = attach_tx_open,
	.run = attach_tx_run,
	.close = attached_close,
};

/* ---- rx ------------------------------------------------------------------ */

static void *attach_rx_open(const struct shape *shape)
{
	struct attached *attached = attached_open(shape);

	if (!attached)
		return NULL;
	attached->source = source_open(shape, attached->pair.other, guest_mac(attached->guest));
	if (attached->source)
		return attached;
	attached_close(attached);
	return NULL;
}

static void attach_rx_run(void *state, unsigned int batches)
{
	struct attached *attached = state;

	while (batches--) {
		source_send(attached->source);
		guest_receive(attached->guest);
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
	.close = attached_close,
};

static void *attach_floor_open(const struct shape *shape)
{
	struct attached *attached = alloc(1, sizeof(*attached));
	uint8_t mac[ETHER_ADDR_LEN];

	if (pair_open(&attached->pair, shape) == 0) {
		if (link_mac(attached->pair.lower, mac) == 0)
			attached->source = source_open(shape, attached->pair.other, mac);
		if (attached->source)
			return attached;
		pair_close(&attached->pair);
	}
	free(attached);
	return NULL;
}

static void attach_floor_run(void *state, unsigned int batches)
{
	struct attached *attached = state;

	while (batches--)
		source_send(attached->source);
}

const struct path attach_rx_floor = {
	.path = "attach",
	.direction = "rx",
	.subject = "floor",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = attach_floor_open,
	.run = attach_floor_run,
	.close = attached_close,
};
