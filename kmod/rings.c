// SPDX-License-Identifier: GPL-2.0
/*
 * The two maps that a queue shares with its frontend, and where the rings lie in
 * them.  The MMU enforces who writes what: the kernel map can be mapped read-only
 * only.  The kernel keeps constants of the layout in kernel memory and never reads
 * them back.
 *
 * Takes no locks; process context, but for the fault handler (under mmap_lock).
 */
#include <linux/align.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "ioctl.h"
#include "queue.h"

/*
 * Every word that one side writes while the other reads stands alone in two cache
 * lines: processors prefetch the neighbour of a line.
 */
#define NB_WORD			128

/* Offsets in the user map. */
enum {
	NB_USER_TX_AVAIL_PRODUCER	= 0 * NB_WORD,
	NB_USER_TX_DONE_CONSUMER	= 1 * NB_WORD,
	NB_USER_RX_AVAIL_PRODUCER	= 2 * NB_WORD,
	NB_USER_RX_DONE_CONSUMER	= 3 * NB_WORD,
	NB_USER_NEED_NOTIFY		= 4 * NB_WORD,
	NB_USER_ENTRIES			= 5 * NB_WORD,
};

/* Offsets in the kernel map. */
enum {
	NB_KERNEL_HEADER		= 0 * NB_WORD,
	NB_KERNEL_TX_AVAIL_CONSUMER	= 2 * NB_WORD,
	NB_KERNEL_TX_DONE_PRODUCER	= 3 * NB_WORD,
	NB_KERNEL_RX_AVAIL_CONSUMER	= 4 * NB_WORD,
	NB_KERNEL_RX_DONE_PRODUCER	= 5 * NB_WORD,
	NB_KERNEL_STATE			= 6 * NB_WORD,
	NB_KERNEL_NEED_WAKEUP		= 7 * NB_WORD,
	NB_KERNEL_ENTRIES		= 8 * NB_WORD,
};

static_assert(sizeof(struct nb_queue_header) <= NB_KERNEL_TX_AVAIL_CONSUMER);
static_assert(sizeof(struct nb_tx_segment) == 32);
static_assert(sizeof(struct nb_tx_completion) == 8);
static_assert(sizeof(struct nb_rx_segment) == 16);
static_assert(sizeof(struct nb_rx_metadata) == 32);

static int nb_rings_check(const struct nb_queue_config *config, struct nb_msg *msg)
{
	const u32 entries[NB_N_RINGS] = {
		config->tx_avail_entries, config->tx_done_entries,
		config->rx_avail_entries, config->rx_done_entries,
	};
	static const char * const names[NB_N_RINGS] = {
		"tx-avail", "tx-done", "rx-avail", "rx-done",
	};
	int i;

	for (i = 0; i < NB_N_RINGS; i++) {
		if (is_power_of_2(entries[i]) && entries[i] >= NB_MIN_RING_ENTRIES &&
		    entries[i] <= NB_MAX_RING_ENTRIES)
			continue;
		nb_msg(msg, "the %s ring has %u entries; a power of two from %u to %u is needed",
		       names[i], entries[i], NB_MIN_RING_ENTRIES, NB_MAX_RING_ENTRIES);
		return -EINVAL;
	}
	return 0;
}

/* Lay a ring out at *@offset of its producer's map, and step over it. */
static void nb_ring_lay_out(struct nb_ring_layout *layout, u32 entries, u32 entry_size,
			    u32 *offset, u32 producer, u32 consumer)
{
	*layout = (struct nb_ring_layout) {
		.entries = entries,
		.mask = entries - 1,
		.entry_size = entry_size,
		.entries_offset = *offset,
		.producer_offset = producer,
		.consumer_offset = consumer,
	};
	*offset += entries * entry_size;
}

static void nb_rings_lay_out(struct nb_queue_header *header,
			     const struct nb_queue_config *config)
{
	struct nb_ring_layout *rings = header->rings;
	u32 kernel = NB_KERNEL_ENTRIES, user = NB_USER_ENTRIES;

	nb_ring_lay_out(&rings[NB_RING_TX_AVAIL], config->tx_avail_entries,
			sizeof(struct nb_tx_segment), &user,
			NB_USER_TX_AVAIL_PRODUCER, NB_KERNEL_TX_AVAIL_CONSUMER);
	nb_ring_lay_out(&rings[NB_RING_RX_AVAIL], config->rx_avail_entries,
			sizeof(struct nb_rx_segment), &user,
			NB_USER_RX_AVAIL_PRODUCER, NB_KERNEL_RX_AVAIL_CONSUMER);
	nb_ring_lay_out(&rings[NB_RING_RX_DONE], config->rx_done_entries,
			sizeof(struct nb_rx_metadata), &kernel,
			NB_KERNEL_RX_DONE_PRODUCER, NB_USER_RX_DONE_CONSUMER);
	nb_ring_lay_out(&rings[NB_RING_TX_DONE], config->tx_done_entries,
			sizeof(struct nb_tx_completion), &kernel,
			NB_KERNEL_TX_DONE_PRODUCER, NB_USER_TX_DONE_CONSUMER);

	header->magic = NB_QUEUE_MAGIC;
	header->header_size = sizeof(*header);
	header->kernel_map_size = PAGE_ALIGN(kernel);
	header->user_map_size = PAGE_ALIGN(user);
	header->state_offset = NB_KERNEL_STATE;
	header->need_wakeup_offset = NB_KERNEL_NEED_WAKEUP;
	header->need_notify_offset = NB_USER_NEED_NOTIFY;
	header->n_rings = NB_N_RINGS;
}

static void nb_ring_init_producer(struct nb_ring *ring, const struct nb_maps *maps,
				  const struct nb_ring_layout *layout)
{
	ring->size = layout->entries;
	ring->mask = layout->mask;
	ring->entries = maps->kernel + layout->entries_offset;
	ring->pos_shared = maps->kernel + layout->producer_offset;
	ring->peer_shared = maps->user + layout->consumer_offset;
}

static void nb_ring_init_consumer(struct nb_ring *ring, const struct nb_maps *maps,
				  const struct nb_ring_layout *layout)
{
	ring->size = layout->entries;
	ring->mask = layout->mask;
	ring->entries = maps->user + layout->entries_offset;
	ring->pos_shared = maps->kernel + layout->consumer_offset;
	ring->peer_shared = maps->user + layout->producer_offset;
}

static void *nb_map_alloc(u32 size)
{
	return __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
}

int nb_rings_create(struct nb_queue *queue, const struct nb_queue_config *config,
		    struct nb_msg *msg)
{
	struct nb_maps *maps = &queue->maps;
	struct nb_queue_header header = {};
	int err;

	err = nb_rings_check(config, msg);
	if (err)
		return err;
	nb_rings_lay_out(&header, config);
	maps->kernel_size = header.kernel_map_size;
	maps->user_size = header.user_map_size;
	maps->kernel = nb_map_alloc(maps->kernel_size);
	maps->user = nb_map_alloc(maps->user_size);
	if (!maps->kernel || !maps->user) {
		nb_rings_destroy(queue);
		nb_msg(msg, "no memory for the rings: %u bytes",
		       maps->kernel_size + maps->user_size);
		return -ENOMEM;
	}
	memcpy(maps->kernel + NB_KERNEL_HEADER, &header, sizeof(header));

	nb_ring_init_consumer(&queue->tx_avail, maps, &header.rings[NB_RING_TX_AVAIL]);
	nb_ring_init_producer(&queue->tx_done, maps, &header.rings[NB_RING_TX_DONE]);
	nb_ring_init_consumer(&queue->rx_avail, maps, &header.rings[NB_RING_RX_AVAIL]);
	nb_ring_init_producer(&queue->rx_done, maps, &header.rings[NB_RING_RX_DONE]);

	queue->state = maps->kernel + NB_KERNEL_STATE;
	queue->need_wakeup = maps->kernel + NB_KERNEL_NEED_WAKEUP;
	queue->rx_wanted = queue->need_wakeup;
	queue->need_notify = maps->user + NB_USER_NEED_NOTIFY;
	*queue->state = NB_QUEUE_RUNNING;
	atomic_set(queue->need_wakeup, NB_NEED_WAKEUP_TX);
	*(u32 *)(maps->user + NB_USER_NEED_NOTIFY) = NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX;
	return 0;
}

void nb_rings_destroy(struct nb_queue *queue)
{
	vfree(queue->maps.kernel);
	vfree(queue->maps.user);
	queue->maps.kernel = NULL;
	queue->maps.user = NULL;
}

/* The page at an offset that mmap() can have, or NULL behind the end of a map. */
static struct page *nb_rings_page(const struct nb_maps *maps, u64 offset)
{
	if (offset >= NB_MMAP_USER) {
		offset -= NB_MMAP_USER;
		return offset < maps->user_size ? vmalloc_to_page(maps->user + offset) : NULL;
	}
	return offset < maps->kernel_size ? vmalloc_to_page(maps->kernel + offset) : NULL;
}

/* The file of the VMA holds the queue, so the maps are there. */
static vm_fault_t nb_rings_fault(struct vm_fault *vmf)
{
	struct nb_queue *queue = vmf->vma->vm_private_data;
	struct page *page;

	page = nb_rings_page(&queue->maps, (u64)vmf->pgoff << PAGE_SHIFT);
	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct nb_rings_vm_ops = {
	.fault = nb_rings_fault,
};

int nb_rings_mmap(struct nb_queue *queue, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 size = vma->vm_end - vma->vm_start;
	bool user = offset == NB_MMAP_USER;

	if (!user && offset != NB_MMAP_KERNEL)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (size > (user ? queue->maps.user_size : queue->maps.kernel_size))
		return -EINVAL;
	if (!user && (vma->vm_flags & VM_WRITE))
		return -EPERM;

	nb_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, user ? 0 : VM_MAYWRITE);
	vma->vm_ops = &nb_rings_vm_ops;
	vma->vm_private_data = queue;
	return 0;
}
