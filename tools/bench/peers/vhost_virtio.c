// SPDX-License-Identifier: GPL-2.0
/*
 * Peer vhost-net, under virtio: the same rings and features, behind /dev/vhost-net
 *
 * Only split rings: vhost-net has no others.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../virtio.h"
#include "peers.h"

#define OFFLOADS	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

static int set_memory(const struct virtio_nic *nic)
{
	const size_t size = sizeof(struct vhost_memory) + sizeof(struct vhost_memory_region);
	struct vhost_memory *table = alloc(1, size);
	int err;

	table->nregions = 1;
	table->regions[0].guest_phys_addr = VIRTIO_GPA;
	table->regions[0].memory_size = nic->size;
	table->regions[0].userspace_addr = (uintptr_t)nic->memory;
	err = ioctl(nic->fd, VHOST_SET_MEM_TABLE, table);
	free(table);
	return err;
}

static int open_device(struct virtio_nic *nic)
{
	const uint64_t features = VIRTIO_RING_FEATURES;
	const int header = VIRTIO_HEADER;

	nic->fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (nic->fd < 0 || ioctl(nic->fd, VHOST_SET_OWNER) < 0 ||
	    ioctl(nic->fd, VHOST_SET_FEATURES, &features) < 0 || set_memory(nic) < 0) {
		say("vhost-net: %s%s", strerror(errno),
		    nic->fd < 0 ? " (modprobe vhost_net?)" : "");
		return -1;
	}
	nic->tap = tap_create(&nic->shape, IFF_VNET_HDR, &nic->ifindex);
	if (nic->tap < 0)
		return -1;
	if (ioctl(nic->tap, TUNSETVNETHDRSZ, &header) == 0 &&
	    ioctl(nic->tap, TUNSETOFFLOAD, OFFLOADS) == 0)
		return 0;
	say("tap: %s", strerror(errno));
	return -1;
}

static int start(struct virtio_nic *nic, unsigned int i)
{
	const struct virtio_ring *ring = &nic->rings[i];
	struct vhost_vring_state number = { .index = i, .num = ring->entries };
	struct vhost_vring_state base = { .index = i };
	struct vhost_vring_addr address = {
		.index = i,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};
	struct vhost_vring_file kick = { .index = i, .fd = ring->kick };
	struct vhost_vring_file call = { .index = i, .fd = ring->call };
	struct vhost_vring_file backend = { .index = i, .fd = nic->tap };

	if (ioctl(nic->fd, VHOST_SET_VRING_NUM, &number) == 0 &&
	    ioctl(nic->fd, VHOST_SET_VRING_BASE, &base) == 0 &&
	    ioctl(nic->fd, VHOST_SET_VRING_ADDR, &address) == 0 &&
	    ioctl(nic->fd, VHOST_SET_VRING_KICK, &kick) == 0 &&
	    ioctl(nic->fd, VHOST_SET_VRING_CALL, &call) == 0 &&
	    ioctl(nic->fd, VHOST_NET_SET_BACKEND, &backend) == 0)
		return 0;
	say("vhost-net: ring %u: %s", i, strerror(errno));
	return -1;
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
