/* SPDX-License-Identifier: GPL-2.0 */
/* A driver of vhost-net: two split rings, as a guest has them, and the device behind */
#ifndef VHOST_H
#define VHOST_H

#include <linux/vhost.h>
#include <linux/virtio_ring.h>

#include "peers.h"

/* The header in front of each packet (VIRTIO_F_VERSION_1) */
#define VHOST_HEADER	sizeof(struct virtio_net_hdr_mrg_rxbuf)

/**
 * struct vring_driver - the driver's side of a split ring
 * @vring: the ring itself
 * @avail: avail index to be published
 * @used: used index up to which it has been looked at
 * @kick: eventfd that wakes the device
 * @call: eventfd that wakes the driver, or -1: it looks by itself
 */
struct vring_driver {
	struct vring vring;
	uint16_t avail;
	uint16_t used;
	int kick;
	int call;
};

/**
 * struct vhost - a vhost-net device on a tap device, and the memory that it knows
 * @shape: of the packets
 * @fd: /dev/vhost-net
 * @tap: its backend
 * @ifindex: of the tap device
 * @memory: packets and buffers; in the device's eyes at the same address
 * @memory_size: bytes
 * @slot_size: bytes from one packet, with its header, to the next
 * @rings: VHOST_RX and VHOST_TX
 * @source: where packets to receive come from, or NULL
 */
struct vhost {
	struct shape shape;
	int fd;
	int tap;
	int ifindex;
	uint8_t *memory;
	size_t memory_size;
	unsigned int slot_size;
	struct vring_driver rings[2];
	struct source *source;
};

#define VHOST_RX	0
#define VHOST_TX	1

/**
 * struct vhost_ring - what the device has to know of a split ring
 * @address: its number, and where it is
 * @entries: a power of two
 * @kick: eventfd that wakes the device
 * @call: eventfd that wakes the driver, or -1
 * @tap: the device's backend
 */
struct vhost_ring {
	struct vhost_vring_addr address;
	unsigned int entries;
	int kick;
	int call;
	int tap;
};

/* /dev/vhost-net with an owner and these features: an fd, or -1, said */
int vhost_open_device(uint64_t features);
/* One region of guest memory: 0, or -1, said */
int vhost_set_memory(int fd, uint64_t gpa, const void *memory, size_t len);
/* The ring is filled in: 0, or -1, said */
int vhost_start_ring(int fd, const struct vhost_ring *ring);

/* n_packets: that there is memory for */
struct vhost *vhost_open(const struct shape *shape, unsigned int n_packets);
/* A ring with room for that many descriptors; with_call: the device wakes the driver */
struct vring_driver *vhost_add_ring(struct vhost *vhost, unsigned int ring,
				    unsigned int n_descriptors, bool with_call);
/* Begin: the ring is filled in */
int vhost_start(struct vhost *vhost, unsigned int ring);
void vhost_close(void *state);

/* Makes a descriptor that a chain begins with available */
void vring_make_available(struct vring_driver *ring, unsigned int descriptor);
/* Publishes what was made available, and wakes the device if it asks for that */
void vring_publish(struct vring_driver *ring);
/* Waits, without sleeping, until the device has used that many more; only for a process
 * that lets anybody else go first
 */
void vring_wait(struct vring_driver *ring, unsigned int n);
/* Whether the device has used one more */
bool vring_has_used(const struct vring_driver *ring);
/* Lets anybody else go first, or nobody: else the device runs after each packet */
void vring_give_way(bool to_all);
/* The end of that */
void vring_give_way_no_more(void);

#endif /* VHOST_H */
