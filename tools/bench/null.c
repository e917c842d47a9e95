// SPDX-License-Identifier: GPL-2.0
/* Path null, tx: the rings and ENTER, and nothing else */

#include "bench.h"

/* Nobody looks at the packet: its size makes no difference. */
static bool null_fits(const struct shape *shape)
{
	return shape->size <= 1500;
}

static void *null_open(const struct shape *shape)
{
	return guest_open("null", shape, 0);
}

static void null_run(void *state, unsigned int batches)
{
	while (batches--)
		guest_transmit(state);
}

static void null_close(void *state)
{
	guest_close(state);
}

const struct path null_tx = {
	.path = "null",
	.direction = "tx",
	.subject = "net_backend",
	.fits = null_fits,
	.open = null_open,
	.run = null_run,
	.close = null_close,
};
