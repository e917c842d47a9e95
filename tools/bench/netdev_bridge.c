// SPDX-License-Identifier: GPL-2.0
/*
 * Paths netdev-bridge and netdev-bridge-zc: the guest's interface is a port of a bridge,
 * whose other port is a dummy, which drops what it is to send
 *
 * TCP super-packets of any size, to a station that the bridge does not know; by copy, and
 * with payloads that stay in guest memory.  A kernel that forwards reads no payload.
 */

#include <libnb.h>

#include "bench.h"

struct bridged {
	int bridge, dummy;
	struct guest *guest;
};

static void bridged_close(void *state)
{
	struct bridged *bridged = state;

	if (bridged->guest)
		guest_close(bridged->guest);
	if (bridged->dummy > 0)
		link_remove(bridged->dummy);
	if (bridged->bridge > 0)
		link_remove(bridged->bridge);
	free(bridged);
}

static int make_bridge(struct bridged *bridged, unsigned int mtu)
{
	bridged->bridge = link_add("bridge", "bridge", mtu);
	if (bridged->bridge <= 0)
		return -1;
	bridged->dummy = link_add("dummy", "other", mtu);
	if (bridged->dummy <= 0 || link_set_up(bridged->bridge) < 0 ||
	    link_join(bridged->bridge, bridged->dummy) < 0)
		return -1;
	return link_set_up(bridged->dummy);
}

static void *bridged_open(const struct shape *shape, unsigned int queue_flags)
{
	const struct guest_options options = {
		.regions = 1,
		.queues = 1,
		.queue_flags = queue_flags,
		.mtu = mtu_for(shape),
	};
	struct bridged *bridged = alloc(1, sizeof(*bridged));

	if (make_bridge(bridged, mtu_for(shape)) < 0)
		goto failed;
	bridged->guest = guest_open_with("netdev", shape, &options);
	if (!bridged->guest ||
	    link_join(bridged->bridge, guest_ifindex(bridged->guest)) < 0 ||
	    link_up(guest_ifindex(bridged->guest)) < 0)
		goto failed;
	guest_super_packets(bridged->guest);
	return bridged;

failed:
	bridged_close(bridged);
	return NULL;
}

static void *by_copy_open(const struct shape *shape)
{
	return bridged_open(shape, 0);
}

static void *zerocopy_open(const struct shape *shape)
{
	return bridged_open(shape, NB_QUEUE_ZEROCOPY_TX);
}

static void bridged_run(void *state, unsigned int batches)
{
	struct bridged *bridged = state;

	while (batches--)
		guest_transmit(bridged->guest);
}

/* Shorter ones are no super-packets. */
static bool is_long(const struct shape *shape)
{
	return shape->size >= 2048;
}

const struct path netdev_bridge_tx = {
	.path = "netdev-bridge",
	.direction = "tx",
	.subject = "net_backend",
	.fits = is_long,
	.open = by_copy_open,
	.run = bridged_run,
	.close = bridged_close,
};

const struct path netdev_bridge_zerocopy_tx = {
	.path = "netdev-bridge-zc",
	.direction = "tx",
	.subject = "net_backend",
	.fits = is_long,
	.open = zerocopy_open,
	.run = bridged_run,
	.close = bridged_close,
};
