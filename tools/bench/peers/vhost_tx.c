// SPDX-License-Identifier: GPL-2.0
/*
 * Peer vhost-net, tx: a batch is made available, and one kick wakes the device
 *
 * The descriptors are made once; what a batch takes is their numbers in the ring.
 */

#include <net/ethernet.h>
#include <string.h>

#include "vhost.h"

/* Packet number i: the header with the first piece in one descriptor, then the others */
static void describe(struct vhost *vhost, unsigned int i, const struct packet *packet)
{
	unsigned int n = vhost->shape.segments, k;
	uint8_t *at = vhost->memory + (size_t)i * vhost->slot_size;
	struct vring_desc *desc = vhost->rings[VHOST_TX].vring.desc + i * n;

	memcpy(at, &packet->header, VHOST_HEADER);
	for (k = 0; k < n; k++) {
		const struct iovec *piece = &packet->pieces[1 + k];
		size_t header = k ? 0 : VHOST_HEADER;

		memcpy(at + header, piece->iov_base, piece->iov_len);
		desc[k].addr = (uintptr_t)at;
		desc[k].len = header + piece->iov_len;
		desc[k].flags = k + 1 < n ? VRING_DESC_F_NEXT : 0;
		desc[k].next = i * n + k + 1;
		at += desc[k].len;
	}
}

static void *vhost_tx_open(const struct shape *shape)
{
	struct vhost *vhost = vhost_open(shape, shape->batch);
	uint8_t mac[ETHER_ADDR_LEN];
	struct packet packet;
	unsigned int i;

	if (!vhost)
		return NULL;
	vhost_add_ring(vhost, VHOST_TX, shape->batch * shape->segments, false);
	vring_give_way(true);
	if (link_mac(vhost->ifindex, mac) == 0) {
		packet_make(&packet, shape, mac);
		for (i = 0; i < shape->batch; i++)
			describe(vhost, i, &packet);
		packet_free(&packet);
		if (vhost_start(vhost, VHOST_TX) == 0)
			return vhost;
	}
	vhost_close(vhost);
	return NULL;
}

static void vhost_tx_run(void *state, unsigned int batches)
{
	struct vhost *vhost = state;
	struct vring_driver *ring = &vhost->rings[VHOST_TX];
	unsigned int mask = ring->vring.num - 1, i;

	while (batches--) {
		for (i = 0; i < vhost->shape.batch; i++)
			vring_make_available(ring, i * vhost->shape.segments);
		vring_publish(ring);
		vring_wait(ring, vhost->shape.batch);
		for (i = 0; i < vhost->shape.batch; i++)
			if (ring->vring.used->ring[ring->used++ & mask].id !=
			    i * vhost->shape.segments)
				die("vhost-net: not in order");
	}
}

const struct path vhost_tx = {
	.path = "netdev",
	.direction = "tx",
	.subject = "vhost-net",
	.fits = fits_all,
	.open = vhost_tx_open,
	.run = vhost_tx_run,
	.close = vhost_close,
};

static void *vhost_xdp_open(const struct shape *shape)
{
	struct vhost *vhost = vhost_tx_open(shape);

	if (vhost && xdp_attach_drop(vhost->ifindex) < 0) {
		vhost_close(vhost);
		return NULL;
	}
	return vhost;
}

const struct path vhost_xdp_tx = {
	.path = "netdev-xdp",
	.direction = "tx",
	.subject = "vhost-net",
	.fits = fits_xdp,
	.open = vhost_xdp_open,
	.run = vhost_tx_run,
	.close = vhost_close,
};
