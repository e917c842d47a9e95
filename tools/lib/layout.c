// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Where a queue's rings are: the two maps, and the header that describes them
 *
 * The header is copied once, checked against the sizes of the maps, and then used:
 * whatever it says, libnb stays inside the maps.  Only sizes and offsets from the
 * header are used, so that entries may grow.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

/* the first published header; a later module's is larger */
#define HEADER_MIN_SIZE		sizeof(struct nb_queue_header)

/**
 * struct ring_kind - what libnb knows about a ring beforehand
 * @entry_size: bytes of an entry in the uapi header
 * @align: alignment of an entry
 * @frontend_fills: the frontend is the producer
 */
struct ring_kind {
	uint32_t entry_size;
	uint32_t align;
	bool frontend_fills;
};

static const struct ring_kind ring_kinds[NB_N_RINGS] = {
	[NB_RING_TX_AVAIL] = {
		sizeof(struct nb_tx_segment), _Alignof(struct nb_tx_segment), true
	},
	[NB_RING_TX_DONE] = {
		sizeof(struct nb_tx_completion), _Alignof(struct nb_tx_completion), false
	},
	[NB_RING_RX_AVAIL] = {
		sizeof(struct nb_rx_segment), _Alignof(struct nb_rx_segment), true
	},
	[NB_RING_RX_DONE] = {
		sizeof(struct nb_rx_metadata), _Alignof(struct nb_rx_metadata), false
	},
};

/* Is there a word of 32 bits at @offset of a map of @size bytes? */
static bool word_fits(uint32_t offset, size_t size)
{
	return offset % sizeof(uint32_t) == 0 && (uint64_t)offset + sizeof(uint32_t) <= size;
}

static bool ring_fits(const struct nb_ring_layout *layout, const struct ring_kind *kind,
		      size_t producer_size, size_t consumer_size)
{
	uint64_t bytes = (uint64_t)layout->entries * layout->entry_size;

	if (!layout->entries || layout->entries & (layout->entries - 1))
		return false;
	if (layout->mask != layout->entries - 1)
		return false;
	if (layout->entry_size < kind->entry_size || layout->entry_size % kind->align)
		return false;
	if (layout->entries_offset % kind->align)
		return false;
	if (bytes > producer_size || layout->entries_offset > producer_size - bytes)
		return false;
	return word_fits(layout->producer_offset, producer_size) &&
	       word_fits(layout->consumer_offset, consumer_size);
}

/* Check that a header describes rings inside maps of these sizes. */
int nb_layout_check(const struct nb_queue_header *header, size_t kernel_size,
		    size_t user_size)
{
	unsigned int i;

	if (header->magic != NB_QUEUE_MAGIC)
		return nb_fail(EPROTO, "the queue's header begins with %#x, not with %#x",
			       header->magic, NB_QUEUE_MAGIC);
	if (header->header_size < HEADER_MIN_SIZE || header->header_size > kernel_size ||
	    header->kernel_map_size != kernel_size || header->user_map_size != user_size)
		return nb_fail_text(EPROTO, "the sizes in the queue's header are wrong");
	if (header->n_rings < NB_N_RINGS)
		return nb_fail(EPROTO, "a queue with %u rings", header->n_rings);
	if (!word_fits(header->state_offset, kernel_size) ||
	    !word_fits(header->need_wakeup_offset, kernel_size) ||
	    !word_fits(header->need_notify_offset, user_size))
		return nb_fail_text(EPROTO, "a word of the queue is outside of its map");

	for (i = 0; i < NB_N_RINGS; i++) {
		const struct ring_kind *kind = &ring_kinds[i];
		size_t producer_size = kind->frontend_fills ? user_size : kernel_size;
		size_t consumer_size = kind->frontend_fills ? kernel_size : user_size;

		if (!ring_fits(&header->rings[i], kind, producer_size, consumer_size))
			return nb_fail(EPROTO, "the layout of the queue's ring %u is wrong", i);
	}
	return 0;
}

static void ring_init(struct nb_ring *ring, const struct nb_queue *queue,
		      const struct nb_queue_header *header, enum nb_ring_id id)
{
	const struct nb_ring_layout *layout = &header->rings[id];
	uint8_t *kernel = queue->kernel_map.addr, *user = queue->user_map.addr;

	if (ring_kinds[id].frontend_fills) {
		ring->entries = user + layout->entries_offset;
		ring->own_index = (uint32_t *)(user + layout->producer_offset);
		ring->other_index = (uint32_t *)(kernel + layout->consumer_offset);
	} else {
		ring->entries = kernel + layout->entries_offset;
		ring->own_index = (uint32_t *)(user + layout->consumer_offset);
		ring->other_index = (uint32_t *)(kernel + layout->producer_offset);
	}
	ring->n_entries = layout->entries;
	ring->mask = layout->entries - 1;
	ring->stride = layout->entry_size;
	ring->extra = layout->entry_size - ring_kinds[id].entry_size;

	/* go on where a previous owner of the queue fd has left off */
	ring->own = __atomic_load_n(ring->own_index, __ATOMIC_RELAXED);
	ring->other = __atomic_load_n(ring->other_index, __ATOMIC_ACQUIRE);
}

static int map(struct nb_map *map, int fd, size_t size, int prot, uint64_t offset)
{
	map->addr = mmap(NULL, size, prot, MAP_SHARED, fd, (off_t)offset);
	if (map->addr == MAP_FAILED) {
		map->addr = NULL;
		return nb_fail(errno, "cannot map %zu bytes of the queue: %s", size,
			       strerror(errno));
	}
	map->size = size;
	return 0;
}

void nb_layout_unmap(struct nb_queue *queue)
{
	if (queue->kernel_map.addr)
		munmap(queue->kernel_map.addr, queue->kernel_map.size);
	if (queue->user_map.addr)
		munmap(queue->user_map.addr, queue->user_map.size);
}

/* Map a queue and find its rings; an error leaves nothing mapped. */
int nb_layout_map(struct nb_queue *queue, const struct nb_queue_info *info)
{
	struct nb_queue_header header;
	int err;

	if (info->kernel_map_size < HEADER_MIN_SIZE)
		return nb_fail(EPROTO, "a kernel map of %u bytes has no room for a header",
			       info->kernel_map_size);

	err = map(&queue->kernel_map, queue->fd, info->kernel_map_size, PROT_READ,
		  NB_MMAP_KERNEL);
	if (err)
		return err;
	err = map(&queue->user_map, queue->fd, info->user_map_size, PROT_READ | PROT_WRITE,
		  NB_MMAP_USER);
	if (err)
		goto unmap;

	memcpy(&header, queue->kernel_map.addr, sizeof(header));
	err = nb_layout_check(&header, queue->kernel_map.size, queue->user_map.size);
	if (err)
		goto unmap;

	queue->state = (uint32_t *)(queue->kernel_map.addr + header.state_offset);
	queue->need_wakeup = (uint32_t *)(queue->kernel_map.addr + header.need_wakeup_offset);
	queue->need_notify = (uint32_t *)(queue->user_map.addr + header.need_notify_offset);
	ring_init(&queue->tx_avail, queue, &header, NB_RING_TX_AVAIL);
	ring_init(&queue->tx_done, queue, &header, NB_RING_TX_DONE);
	ring_init(&queue->rx_avail, queue, &header, NB_RING_RX_AVAIL);
	ring_init(&queue->rx_done, queue, &header, NB_RING_RX_DONE);
	return 0;
unmap:
	nb_layout_unmap(queue);
	return err;
}
