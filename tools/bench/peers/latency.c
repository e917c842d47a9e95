// SPDX-License-Identifier: GPL-2.0
/*
 * A round trip by the peers tap and vhost-net: write() or kick, then poll() until there is
 * something to read
 */

#include <errno.h>
#include <net/ethernet.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "vhost.h"

#define N_BUFFERS	64u

static void sleep_until_ready(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, -1) != 1)
		die("poll: %s", strerror(errno));
}

/* ---- tap ----------------------------------------------------------------- */

struct tap_trip {
	int fd;
	int responder;
	unsigned int size;
	struct packet packet;
	uint8_t *buffer;
};

static void tap_trip_close(void *state)
{
	struct tap_trip *trip = state;

	responder_stop(trip->responder);
	if (trip->fd >= 0)
		close(trip->fd);
	packet_free(&trip->packet);
	free(trip->buffer);
	free(trip);
}

static void *tap_trip_open(const struct shape *shape)
{
	struct tap_trip *trip = alloc(1, sizeof(*trip));
	uint8_t mac[ETHER_ADDR_LEN];
	int ifindex;

	trip->size = shape->size;
	trip->buffer = alloc(1, shape->size);
	trip->fd = tap_create(shape, 0, &ifindex);
	if (trip->fd >= 0 && link_mac(ifindex, mac) == 0) {
		packet_make(&trip->packet, shape, mac);
		trip->responder = responder_start(shape, ifindex);
		if (trip->responder > 0)
			return trip;
	}
	tap_trip_close(trip);
	return NULL;
}

static void tap_trip_run(void *state, unsigned int trips)
{
	struct tap_trip *trip = state;

	while (trips--) {
		if (write(trip->fd, trip->packet.pieces[1].iov_base, trip->size) < 0)
			die("tap, write: %s", strerror(errno));
		sleep_until_ready(trip->fd);
		if (read(trip->fd, trip->buffer, trip->size) != trip->size)
			die("tap, read: not what was sent");
	}
}

const struct path latency_tap = {
	.path = "netdev",
	.direction = "both",
	.subject = "tap",
	.fits = fits_all,
	.open = tap_trip_open,
	.run = tap_trip_run,
	.close = tap_trip_close,
};

/* ---- vhost-net ----------------------------------------------------------- */

struct vhost_trip {
	struct vhost *vhost;
	int responder;
};

static void vhost_trip_close(void *state)
{
	struct vhost_trip *trip = state;

	responder_stop(trip->responder);
	vhost_close(trip->vhost);
	free(trip);
}

/* The packet to send lies behind the receive buffers. */
static int fill_rings(struct vhost *vhost, const uint8_t *mac)
{
	struct vring_driver *rx = vhost_add_ring(vhost, VHOST_RX, N_BUFFERS, true);
	struct vring_driver *tx = vhost_add_ring(vhost, VHOST_TX, 1, false);
	uint8_t *at = vhost->memory;
	struct packet packet;
	unsigned int i;

	for (i = 0; i < N_BUFFERS; i++, at += vhost->slot_size) {
		rx->vring.desc[i] = (struct vring_desc) {
			.addr = (uintptr_t)at,
			.len = vhost->slot_size,
			.flags = VRING_DESC_F_WRITE,
		};
		vring_make_available(rx, i);
	}
	vring_publish(rx);
	packet_make(&packet, &vhost->shape, mac);
	memcpy(at + VHOST_HEADER, packet.pieces[1].iov_base, vhost->shape.size);
	packet_free(&packet);
	tx->vring.desc[0].addr = (uintptr_t)at;
	tx->vring.desc[0].len = VHOST_HEADER + vhost->shape.size;
	if (vhost_start(vhost, VHOST_RX) < 0)
		return -1;
	return vhost_start(vhost, VHOST_TX);
}

static void *vhost_trip_open(const struct shape *shape)
{
	struct vhost_trip *trip = alloc(1, sizeof(*trip));
	uint8_t mac[ETHER_ADDR_LEN];

	trip->vhost = vhost_open(shape, N_BUFFERS + 1);
	if (!trip->vhost) {
		free(trip);
		return NULL;
	}
	if (link_mac(trip->vhost->ifindex, mac) == 0 && fill_rings(trip->vhost, mac) == 0) {
		trip->responder = responder_start(shape, trip->vhost->ifindex);
		if (trip->responder > 0)
			return trip;
	}
	vhost_trip_close(trip);
	return NULL;
}

static void receive_asleep(struct vring_driver *ring)
{
	uint64_t calls;

	while (!vring_has_used(ring)) {
		sleep_until_ready(ring->call);
		if (read(ring->call, &calls, sizeof(calls)) < 0)
			die("call: %s", strerror(errno));
	}
	vring_make_available(ring, ring->vring.used->ring[ring->used & (ring->vring.num - 1)].id);
	ring->used++;
	vring_publish(ring);
}

static void vhost_trip_run(void *state, unsigned int trips)
{
	struct vhost_trip *trip = state;

	while (trips--) {
		vring_make_available(&trip->vhost->rings[VHOST_TX], 0);
		vring_publish(&trip->vhost->rings[VHOST_TX]);
		receive_asleep(&trip->vhost->rings[VHOST_RX]);
	}
}

const struct path latency_vhost = {
	.path = "netdev",
	.direction = "both",
	.subject = "vhost-net",
	.fits = fits_all,
	.open = vhost_trip_open,
	.run = vhost_trip_run,
	.close = vhost_trip_close,
};
