// SPDX-License-Identifier: GPL-2.0
/* Path switch, both: from the guest of one port to that of another, and none in between */

#include "bench.h"

#define N_PORTS		2

static struct guest *ports[N_PORTS];
static const uint8_t macs[N_PORTS][6] = {
	{ 0x02, 0, 0, 0, 0, 0x01 }, { 0x02, 0, 0, 0, 0, 0x02 },
};

static void *switch_open(const struct shape *shape)
{
	ports[0] = guest_open_port(NULL, shape);
	if (!ports[0])
		return NULL;
	ports[1] = guest_open_port(ports[0], shape);
	if (!ports[1]) {
		guest_close(ports[0]);
		return NULL;
	}
	/* The switch learns where the receiver is. */
	guest_address(ports[1], macs[0], macs[1]);
	guest_transmit(ports[1]);
	guest_receive(ports[0]);
	guest_address(ports[0], macs[1], macs[0]);
	return ports;
}

static void switch_run(void *state, unsigned int batches)
{
	struct guest **port = state;

	while (batches--) {
		guest_transmit(port[0]);
		guest_receive(port[1]);
	}
}

static void switch_close(void *state)
{
	struct guest **port = state;

	guest_close(port[1]);
	guest_close(port[0]);
}

const struct path switch_both = {
	.path = "switch",
	.direction = "both",
	.subject = "net_backend",
	.fits = fits_all,
	.open = switch_open,
	.run = switch_run,
	.close = switch_close,
};
