// SPDX-License-Identifier: GPL-2.0
/*
 * Peer vhost-net, rx: what a socket sends into the tap device arrives in the ring
 *
 * While the socket sends, nobody else gets the CPU, so that the device wakes once a
 * batch, as it does when it has a CPU to itself and work all the time.
 */

#include <net/ethernet.h>

#include "vhost.h"

static void *vhost_rx_open(const struct shape *shape)
{
	unsigned int n = 2 * shape->batch, i;
	struct vhost *vhost = vhost_open(shape, n);
	struct vring_driver *ring;

	if (!vhost)
		return NULL;
	ring = vhost_add_ring(vhost, VHOST_RX, n, false);
	vring_give_way(true);
	for (i = 0; i < n; i++) {
		ring->vring.desc[i] = (struct vring_desc) {
			.addr = (uintptr_t)vhost->memory + (size_t)i * vhost->slot_size,
			.len = vhost->slot_size,
			.flags = VRING_DESC_F_WRITE,
		};
		vring_make_available(ring, i);
	}
	vring_publish(ring);
	vhost->source = source_open(shape, vhost->ifindex, NULL);
	if (vhost->source && vhost_start(vhost, VHOST_RX) == 0)
		return vhost;
	vhost_close(vhost);
	return NULL;
}

static void take(struct vhost *vhost)
{
	struct vring_driver *ring = &vhost->rings[VHOST_RX];
	const struct vring_used_elem *used = &ring->vring.used->ring[ring->used++ &
								     (ring->vring.num - 1)];

	if (used->len != vhost->shape.size + VHOST_HEADER)
		die("vhost-net: received %u bytes instead of %zu", used->len,
		    vhost->shape.size + VHOST_HEADER);
	vring_make_available(ring, used->id);
}

static void vhost_rx_run(void *state, unsigned int batches)
{
	struct vhost *vhost = state;
	unsigned int i;

	while (batches--) {
		vring_give_way(false);
		source_send(vhost->source);
		vring_give_way(true);
		vring_wait(&vhost->rings[VHOST_RX], vhost->shape.batch);
		for (i = 0; i < vhost->shape.batch; i++)
			take(vhost);
		vring_publish(&vhost->rings[VHOST_RX]);
	}
}

const struct path vhost_rx = {
	.path = "netdev",
	.direction = "rx",
	.subject = "vhost-net",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = vhost_rx_open,
	.run = vhost_rx_run,
	.close = vhost_close,
};
