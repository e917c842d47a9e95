// SPDX-License-Identifier: GPL-2.0
/*
 * Path virtio: a guest's rings, whoever serves them
 *
 * tx: a batch is made available, and one kick wakes the device.
 * rx: what a socket sends to the interface arrives in mergeable buffers, which the ring is
 * full of.  While the socket sends, nobody else gets the CPU, so that the device wakes once
 * a batch; see Documentation/performance.rst.
 */

#include <net/ethernet.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peers/vhost.h"
#include "virtio.h"

/* As Linux's driver has them: one for a packet of a normal MTU, a page for longer ones */
#define SMALL_BUFFER	1536u
#define LARGE_BUFFER	4096u

static void make_memory(struct virtio_nic *nic, unsigned int entries)
{
	const size_t ring_size = virtio_ring_size(entries);
	unsigned int i;

	nic->size = 2 * ring_size + (size_t)entries * nic->slot_size;
	nic->memfd = memfd_create("guest", MFD_CLOEXEC);
	if (nic->memfd < 0 || ftruncate(nic->memfd, nic->size) < 0)
		die("no guest memory");
	nic->memory = mmap(NULL, nic->size, PROT_READ | PROT_WRITE, MAP_SHARED, nic->memfd, 0);
	if (nic->memory == MAP_FAILED)
		die("no guest memory");
	for (i = 0; i < 2; i++)
		virtio_ring_init(&nic->rings[i], nic->packed, entries,
				 nic->memory + i * ring_size);
}

static uint64_t slot_offset(const struct virtio_nic *nic, unsigned int i)
{
	return 2 * virtio_ring_size(nic->rings[0].entries) + (uint64_t)i * nic->slot_size;
}

static void describe(struct virtio_nic *nic, unsigned int ring, unsigned int i, uint32_t len)
{
	nic->rings[ring].desc[i] = (struct vring_desc){
		.addr = VIRTIO_GPA + slot_offset(nic, i),
		.len = len,
		.flags = ring == VIRTIO_RX ? VRING_DESC_F_WRITE : 0,
	};
}

static struct virtio_nic *open_nic(const struct shape *shape, const struct virtio_device *device,
				   bool packed, unsigned int slot_size, unsigned int entries)
{
	struct virtio_nic *nic = alloc(1, sizeof(*nic));

	nic->shape = *shape;
	nic->device = device;
	nic->packed = packed;
	nic->slot_size = slot_size;
	nic->fd = -1;
	nic->tap = -1;
	make_memory(nic, entries);
	if (device->open(nic) == 0)
		return nic;
	virtio_close(nic);
	return NULL;
}

void virtio_close(void *state)
{
	struct virtio_nic *nic = state;

	vring_give_way_no_more();
	if (nic->source)
		source_close(nic->source);
	nic->device->close(nic);
	virtio_ring_close(&nic->rings[VIRTIO_RX]);
	virtio_ring_close(&nic->rings[VIRTIO_TX]);
	munmap(nic->memory, nic->size);
	close(nic->memfd);
	free(nic);
}

/* ---- tx ------------------------------------------------------------------ */

static void fill_packets(struct virtio_nic *nic, const uint8_t *to)
{
	const uint32_t len = VIRTIO_HEADER + nic->shape.size;
	struct packet packet;
	unsigned int i;

	packet_make(&packet, &nic->shape, to);
	for (i = 0; i < nic->shape.batch; i++) {
		uint8_t *at = nic->memory + slot_offset(nic, i);

		memcpy(at, &packet.header, VIRTIO_HEADER);
		memcpy(at + VIRTIO_HEADER, packet.pieces[1].iov_base, nic->shape.size);
		describe(nic, VIRTIO_TX, i, len);
	}
	packet_free(&packet);
}

void *virtio_tx_open(const struct shape *shape, const struct virtio_device *device, bool packed)
{
	unsigned int slot_size = (shape->size + VIRTIO_HEADER + 2047) / 2048 * 2048;
	struct virtio_nic *nic = open_nic(shape, device, packed, slot_size,
					  ring_entries(shape->batch));
	uint8_t mac[ETHER_ADDR_LEN];

	if (!nic)
		return NULL;
	if (link_mac(nic->ifindex, mac) == 0) {
		fill_packets(nic, mac);
		if (device->start(nic, VIRTIO_TX) == 0) {
			vring_give_way(true);
			return nic;
		}
	}
	virtio_close(nic);
	return NULL;
}

void virtio_tx_run(void *state, unsigned int batches)
{
	struct virtio_nic *nic = state;
	struct virtio_ring *ring = &nic->rings[VIRTIO_TX];
	uint32_t len;
	unsigned int i;

	while (batches--) {
		for (i = 0; i < nic->shape.batch; i++)
			virtio_ring_make_available(ring, i);
		virtio_ring_publish(ring);
		for (i = 0; i < nic->shape.batch; i++)
			if (virtio_ring_wait(ring, &len) != i)
				die("virtio: not in order");
	}
}

/* ---- rx ------------------------------------------------------------------ */

static unsigned int buffers_of(const struct shape *shape, unsigned int buffer)
{
	return (shape->size + VIRTIO_HEADER + buffer - 1) / buffer;
}

void *virtio_rx_open(const struct shape *shape, const struct virtio_device *device, bool packed)
{
	unsigned int buffer = shape->size > SMALL_BUFFER ? LARGE_BUFFER : SMALL_BUFFER;
	unsigned int n = buffers_of(shape, buffer), i;
	struct virtio_nic *nic = open_nic(shape, device, packed, buffer,
					  ring_entries(2 * shape->batch * n));
	struct virtio_ring *ring;

	if (!nic)
		return NULL;
	nic->buffers = n;
	ring = &nic->rings[VIRTIO_RX];
	for (i = 0; i < ring->entries; i++) {
		describe(nic, VIRTIO_RX, i, buffer);
		virtio_ring_make_available(ring, i);
	}
	virtio_ring_publish(ring);
	nic->source = source_open(shape, nic->ifindex, NULL);
	if (nic->source && device->start(nic, VIRTIO_RX) == 0)
		return nic;
	virtio_close(nic);
	return NULL;
}

/* One packet, whose first buffer says how many there are. */
static void receive(struct virtio_nic *nic)
{
	struct virtio_ring *ring = &nic->rings[VIRTIO_RX];
	const struct virtio_net_hdr_v1 *header;
	uint32_t len, sum = 0;
	unsigned int i, n = 1;
	uint16_t id;

	for (i = 0; i < n; i++) {
		id = virtio_ring_wait(ring, &len);
		if (!i) {
			header = (void *)(nic->memory + slot_offset(nic, id));
			n = header->num_buffers;
		}
		sum += len;
		virtio_ring_make_available(ring, id);
	}
	if (n != nic->buffers || sum != nic->shape.size + VIRTIO_HEADER)
		die("virtio: received %u bytes in %u buffers", sum, n);
}

void virtio_rx_run(void *state, unsigned int batches)
{
	struct virtio_nic *nic = state;
	unsigned int i;

	while (batches--) {
		vring_give_way(false);
		source_send(nic->source);
		vring_give_way(true);
		for (i = 0; i < nic->shape.batch; i++)
			receive(nic);
		virtio_ring_publish(&nic->rings[VIRTIO_RX]);
	}
}
