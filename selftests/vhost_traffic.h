/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Traffic of vhost_inflight.c and vhost_again.c: a driver that knows what it has out, while
 * nbvhost, of kind loopback, comes and goes.
 */
#ifndef VHOST_TRAFFIC_H
#define VHOST_TRAFFIC_H

#include <stdio.h>
#include <stdlib.h>

#include "vhost.h"

#define RINGS		2
#define BUFFERS		64u
#define PACKETS		32u
#define STRIDE		4u	/* the ids of packets, each of up to so many descriptors */
#define FRAME		60u

/* What the driver has out on each ring, by id, and how often it came back. */
static bool out[RINGS][NB_FRONT_ENTRIES];
static unsigned int came_back[RINGS][NB_FRONT_ENTRIES];

/* A copy of the program that is not run by anybody else, and can be replaced. */
#define COPY		"/tmp/nb-vhost-copy"

static inline void put_copy(void)
{
	if (nb_test_run("sh", "-c", "mkdir -p " COPY " && cp -f \"$(command -v nbvhost)\" " COPY,
			NULL))
		nb_die("nbvhost cannot be copied");
}

static inline pid_t run_copy(void)
{
	char *path = strdup(getenv("PATH")), with_copy[1024];
	pid_t child;

	put_copy();
	snprintf(with_copy, sizeof(with_copy), COPY ":%s", path);
	setenv("PATH", with_copy, 1);
	child = nb_vhost_run(PATH, "loopback", BYSTANDER, "loopback", NULL);
	setenv("PATH", path, 1);
	free(path);
	return child;
}

static inline void nothing_is_out(void)
{
	memset(out, 0, sizeof(out));
}

static inline void post(struct nb_front *front, uint16_t id)
{
	out[RX][id] = true;
	nb_front_post(front, 0, id, 1);
}

static inline void post_all(struct nb_front *front)
{
	uint16_t id;

	for (id = 0; id < BUFFERS; id++)
		post(front, id);
}

static inline void transmit(struct nb_front *front, uint16_t id, unsigned int pieces)
{
	uint8_t frame[FRAME];

	nb_frame_fill(frame, sizeof(frame), 1);
	out[TX][id] = true;
	nb_front_send_pieces(front, id, frame, sizeof(frame), pieces, false);
}

/* Takes what is used of a ring; false if that was not out, or is not what it should be. */
static inline bool reap(struct nb_front *front, unsigned int ring)
{
	uint32_t id, len;

	while (nb_front_has_used(front, ring)) {
		if (!nb_front_used(front, ring, &id, &len) || id >= NB_FRONT_ENTRIES ||
		    !out[ring][id] || len != (ring == RX ? HEADER + FRAME : 0))
			return false;
		out[ring][id] = false;
		came_back[ring][id]++;
		if (ring == RX)
			post(front, id);
	}
	return true;
}

static inline unsigned int n_out(unsigned int ring)
{
	unsigned int id, n = 0;

	for (id = 0; id < NB_FRONT_ENTRIES; id++)
		n += out[ring][id];
	return n;
}

/* All packets that can be out are, for so long; false if one comes back that must not. */
static inline bool run(struct nb_front *front, unsigned int ms)
{
	uint64_t end = nb_test_now() + ms;
	static unsigned int pieces;
	unsigned int i;

	do {
		for (i = 0; i < PACKETS; i++) {
			if (!out[TX][i * STRIDE])
				transmit(front, i * STRIDE, 1 + pieces++ % STRIDE);
		}
		if (!reap(front, TX) || !reap(front, RX))
			return false;
	} while (nb_test_now() < end);
	return true;
}

static inline bool all_came_back(unsigned int ring, unsigned int n)
{
	unsigned int id;

	for (id = 0; id < n; id++) {
		if (!came_back[ring][id])
			return false;
	}
	return true;
}

static inline bool packets_are_back(struct nb_front *front)
{
	return reap(front, TX) && reap(front, RX) && !n_out(TX);
}

/* Whether each receive buffer has its turn, and all packets come back. */
static inline bool nothing_is_lost(struct nb_front *front)
{
	memset(came_back, 0, sizeof(came_back));
	return nb_until(!run(front, 10) || all_came_back(RX, BUFFERS)) &&
	       all_came_back(RX, BUFFERS) && nb_until(packets_are_back(front));
}

#endif /* VHOST_TRAFFIC_H */
