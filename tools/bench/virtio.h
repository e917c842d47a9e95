/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio-net driver for the bench: one ring of descriptors, and a device behind it
 *
 * The driver is the same whatever serves its rings: vhost-net on a tap device, by ioctls
 * (peers/vhost_virtio.c), or nbvhost with an endpoint, by vhost-user (virtio_user.c).
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "bench.h"

#define VIRTIO_RX	0
#define VIRTIO_TX	1

/* Where guest memory begins in the guest's eyes */
#define VIRTIO_GPA	0x100000ull
/* The header in front of each packet (VIRTIO_F_VERSION_1) */
#define VIRTIO_HEADER	sizeof(struct virtio_net_hdr_v1)
/* What a device looks at itself; offloads are negotiated besides */
#define VIRTIO_RING_FEATURES	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF | \
				 1ull << VIRTIO_RING_F_EVENT_IDX)

/**
 * struct virtio_ring - the driver's side of a ring, of either layout, with event indices
 * @packed: its layout
 * @entries: a power of two
 * @desc: split: the table; packed: what of it is made available, by id
 * @avail: split: the avail ring
 * @used: split: the used ring
 * @ring: packed: the descriptors
 * @driver: packed: the driver's event area
 * @device: packed: the device's event area
 * @next: index of the next one to be made available
 * @published: that index when it was last published
 * @seen: index up to which it has been looked at what is used
 * @wrap: packed: wrap counter at @next
 * @seen_wrap: packed: the same at @seen
 * @first_flags: packed: what publishes all since @published
 * @kick: eventfd that wakes the device
 * @call: eventfd that wakes the driver, which does not ask for that
 */
struct virtio_ring {
	bool packed;
	unsigned int entries;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc *ring;
	struct vring_packed_desc_event *driver;
	struct vring_packed_desc_event *device;
	uint16_t next;
	uint16_t published;
	uint16_t seen;
	bool wrap;
	bool seen_wrap;
	uint16_t first_flags;
	int kick;
	int call;
};

struct virtio_nic;

/**
 * struct virtio_device - what serves the rings
 * @open: a device with guest memory, and its interface; 0, or -1, said
 * @start: a ring is filled in; 0, or -1, said
 * @close: also after an open that has failed
 */
struct virtio_device {
	int (*open)(struct virtio_nic *nic);
	int (*start)(struct virtio_nic *nic, unsigned int ring);
	void (*close)(struct virtio_nic *nic);
};

/**
 * struct virtio_nic - guest memory, two rings in it, and the device
 * @shape: of the packets
 * @device: the device
 * @packed: layout of the rings
 * @memfd: guest memory
 * @memory: where it is here
 * @size: bytes
 * @slot_size: bytes from one packet, or buffer, to the next
 * @buffers: receive buffers that a packet fills
 * @rings: VIRTIO_RX and VIRTIO_TX
 * @ifindex: of the interface behind the device
 * @fd: of the device: /dev/vhost-net, or a socket
 * @tap: of vhost-net
 * @server: process of nbvhost
 * @source: where packets to receive come from, or NULL
 */
struct virtio_nic {
	struct shape shape;
	const struct virtio_device *device;
	bool packed;
	int memfd;
	uint8_t *memory;
	size_t size;
	unsigned int slot_size;
	unsigned int buffers;
	struct virtio_ring rings[2];
	int ifindex;
	int fd;
	int tap;
	pid_t server;
	struct source *source;
};

/* virtio_ring.c: the rings, at a place that is zero */
size_t virtio_ring_size(unsigned int entries);
void virtio_ring_init(struct virtio_ring *ring, bool packed, unsigned int entries, void *place);
void virtio_ring_close(struct virtio_ring *ring);
/* A chain of one descriptor, by its number */
void virtio_ring_make_available(struct virtio_ring *ring, uint16_t id);
/* Publishes what was made available, and wakes the device if it asks for that */
void virtio_ring_publish(struct virtio_ring *ring);
/* Waits, without sleeping, for the next that is used; its number */
uint16_t virtio_ring_wait(struct virtio_ring *ring, uint32_t *len);

/* virtio.c: the paths, with a device that is theirs */
void *virtio_tx_open(const struct shape *shape, const struct virtio_device *device, bool packed);
void virtio_tx_run(void *state, unsigned int batches);
void *virtio_rx_open(const struct shape *shape, const struct virtio_device *device, bool packed);
void virtio_rx_run(void *state, unsigned int batches);
void virtio_close(void *state);

#endif /* VIRTIO_H */
