// SPDX-License-Identifier: GPL-2.0
/*
 * A round trip by net_backend, path netdev, and its floor: two processes that wake each
 * other by pipes
 */

#include <net/ethernet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench.h"

struct trip {
	struct guest *guest;
	int responder;
};

static void trip_close(void *state)
{
	struct trip *trip = state;

	responder_stop(trip->responder);
	guest_close(trip->guest);
	free(trip);
}

static void *trip_open(const struct shape *shape)
{
	struct trip *trip = alloc(1, sizeof(*trip));
	uint8_t mac[ETHER_ADDR_LEN];

	trip->guest = netdev_tx.open(shape);
	if (!trip->guest) {
		free(trip);
		return NULL;
	}
	if (link_mac(guest_ifindex(trip->guest), mac) == 0) {
		guest_address(trip->guest, mac, guest_mac(trip->guest));
		trip->responder = responder_start(shape, guest_ifindex(trip->guest));
		if (trip->responder > 0)
			return trip;
	}
	trip_close(trip);
	return NULL;
}

static void trip_run(void *state, unsigned int trips)
{
	struct trip *trip = state;

	while (trips--) {
		guest_transmit(trip->guest);
		guest_receive_asleep(trip->guest);
	}
}

const struct path latency_nb = {
	.path = "netdev",
	.direction = "both",
	.subject = "net_backend",
	.fits = fits_all,
	.open = trip_open,
	.run = trip_run,
	.close = trip_close,
};

/* ---- the floor ----------------------------------------------------------- */

struct pipes {
	int to[2];
	int from[2];
	int responder;
};

static void pass(int from, int to)
{
	char byte;

	if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1)
		die("pipe fails");
}

static void *pipes_open(const struct shape *shape)
{
	struct pipes *pipes = alloc(1, sizeof(*pipes));

	(void)shape;
	if (pipe(pipes->to) < 0 || pipe(pipes->from) < 0)
		die("no pipe");
	pipes->responder = fork();
	if (pipes->responder < 0)
		die("no process");
	if (pipes->responder == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (1)
			pass(pipes->to[0], pipes->from[1]);
	}
	return pipes;
}

static void pipes_run(void *state, unsigned int trips)
{
	struct pipes *pipes = state;
	char byte = 0;

	while (trips--)
		if (write(pipes->to[1], &byte, 1) != 1 || read(pipes->from[0], &byte, 1) != 1)
			die("pipe fails");
}

static void pipes_close(void *state)
{
	struct pipes *pipes = state;

	responder_stop(pipes->responder);
	close(pipes->to[0]);
	close(pipes->to[1]);
	close(pipes->from[0]);
	close(pipes->from[1]);
	free(pipes);
}

static bool pipes_fit(const struct shape *shape)
{
	return shape->size == 64;
}

const struct path latency_floor = {
	.path = "netdev",
	.direction = "both",
	.subject = "floor",
	.fits = pipes_fit,
	.open = pipes_open,
	.run = pipes_run,
	.close = pipes_close,
};
