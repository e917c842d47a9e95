// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit for a backend that discards all packets: those of one segment, as most are,
 * are taken from tx-avail, checked and completed in one pass.
 *
 * All under &nb_queue.tx_lock, in an RCU read section with bottom halves off.
 */
#include <linux/minmax.h>

#include "packet.h"
#include "queue.h"
#include "segment.h"
#include "zerocopy.h"

unsigned int nb_tx_discard(struct nb_queue *queue, struct nb_packet *packets, unsigned int n)
{
	return n;
}

/* Check and complete those of @n in front, up to one that is to be looked at closely. */
static noinline unsigned int nb_tx_discard_front(struct nb_queue *queue, unsigned int n,
						 u64 *total)
{
	const u64 mask = nb_tx_single_mask(queue->tx_offloads) |
			 NB_TX_FIELD(flags, NB_TX_VLAN);
	const struct nb_tx_segment *from = nb_ring_at(&queue->tx_avail, sizeof(*from));
	struct nb_tx_completion *done = nb_ring_at(&queue->tx_done, sizeof(*done));
	const struct nb_region *region = queue->tx_cache.region;
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		const struct nb_tx_words words = nb_tx_read(&from[i]);
		u32 len = nb_tx_words_len(&words);

		/* Another one is read again, and is what it is then. */
		if (unlikely(!nb_tx_is_single(&words, mask)))
			break;
		if (unlikely(!nb_region_covers(region, words.gpa, len))) {
			region = nb_mem_search(&queue->tx_cache, words.gpa, len);
			if (!region)
				break;
		}
		nb_tx_words_complete(&words, &done[i]);
		bytes += len;
	}
	*total = bytes;
	return i;
}

int nb_tx_discard_singles(struct nb_queue *queue, unsigned int max_segs)
{
	struct nb_ring *avail = &queue->tx_avail, *done = &queue->tx_done;
	struct nb_tx_counts counts = {};
	unsigned int n;

	if (nb_ring_look(avail) || nb_ring_look_room(done))
		return -EIO;
	n = min_t(unsigned int, max_segs, NB_BATCH);
	n = min3(n, nb_ring_pending(avail), nb_tx_room(queue));
	nb_mem_begin(queue->mem, &queue->tx_cache);
	n = nb_tx_discard_front(queue, nb_tx_straight(queue, n), &counts.bytes);
	if (!n)
		return 0;

	counts.packets = n;
	nb_queue_add_tx(queue, &counts);
	done->pos += n;
	nb_ring_publish(done);
	avail->pos += n;
	nb_ring_publish(avail);
	return n;
}
