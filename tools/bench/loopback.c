// SPDX-License-Identifier: GPL-2.0
/* Path loopback, both: a packet sent, copied once, received, its buffer given back */

#include "bench.h"

static void *loopback_open(const struct shape *shape)
{
	return guest_open("loopback", shape, 0);
}

static void loopback_run(void *state, unsigned int batches)
{
	while (batches--) {
		guest_transmit(state);
		guest_receive(state);
	}
}

static void loopback_close(void *state)
{
	guest_close(state);
}

const struct path loopback_both = {
	.path = "loopback",
	.direction = "both",
	.subject = "net_backend",
	.fits = fits_all,
	.open = loopback_open,
	.run = loopback_run,
	.close = loopback_close,
};
