// SPDX-License-Identifier: GPL-2.0
/*
 * Peer vhost-net, under virtio: the same rings and features, behind /dev/vhost-net
 *
 * Only split rings: vhost-net has no others.
 */

#include <errno.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../virtio.h"
#include "vhost.h"

#define OFFLOADS	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

static int open_device(struct virtio_nic *nic)
{
	const int header = VIRTIO_HEADER;

	nic->fd = vhost_open_device(VIRTIO_RING_FEATURES);
	if (nic->fd < 0)
		return -1;
	nic->tap = tap_create(&nic->shape, IFF_VNET_HDR, &nic->ifindex);
	if (nic->tap < 0)
		return -1;
	if (ioctl(nic->tap, TUNSETVNETHDRSZ, &header) == 0 &&
	    ioctl(nic->tap, TUNSETOFFLOAD, OFFLOADS) == 0)
		return vhost_set_memory(nic->fd, VIRTIO_GPA, nic->memory, nic->size);
	say("tap: %s", strerror(errno));
	return -1;
}

static int start(struct virtio_nic *nic, unsigned int i)
{
	const struct virtio_ring *ring = &nic->rings[i];
	const struct vhost_ring about = {
		.address = {
			.index = i,
			.desc_user_addr = (uintptr_t)ring->desc,
			.avail_user_addr = (uintptr_t)ring->avail,
			.used_user_addr = (uintptr_t)ring->used,
		},
		.entries = ring->entries,
		.kick = ring->kick,
		.call = ring->call,
		.tap = nic->tap,
	};

	return vhost_start_ring(nic->fd, &about);
}

static void close_device(struct virtio_nic *nic)
{
	if (nic->fd >= 0)
		close(nic->fd);
	if (nic->tap >= 0)
		close(nic->tap);
}

static const struct virtio_device vhost_net = {
	.open = open_device,
	.start = start,
	.close = close_device,
};

static void *tx_open(const struct shape *shape)
{
	return virtio_tx_open(shape, &vhost_net, false);
}

static void *rx_open(const struct shape *shape)
{
	return virtio_rx_open(shape, &vhost_net, false);
}

const struct path vhost_virtio_tx = {
	.path = "virtio",
	.direction = "tx",
	.subject = "vhost-net",
	.fits = fits_one_segment,
	.open = tx_open,
	.run = virtio_tx_run,
	.close = virtio_close,
};

const struct path vhost_virtio_rx = {
	.path = "virtio",
	.direction = "rx",
	.subject = "vhost-net",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = rx_open,
	.run = virtio_rx_run,
	.close = virtio_close,
};
