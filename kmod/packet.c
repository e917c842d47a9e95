// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit: segments → packets → completions.
 *
 * A segment is copied once from the ring to &nb_tx_batch, checked there, and used
 * from there; what the frontend does to the ring meanwhile changes nothing.
 *
 * All under &nb_queue.tx_lock, in an RCU read section with bottom halves off.
 */
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/prefetch.h>
#include <linux/string.h>

#include "packet.h"
#include "queue.h"
#include "segment.h"
#include "trace.h"
#include "zerocopy.h"

#define NB_TX_FLAGS_KNOWN						\
	(NB_TX_HEAD | NB_TX_OFFLOAD_IP_HEADER_CHECKSUM |		\
	 NB_TX_OFFLOAD_TCP_CHECKSUM | NB_TX_OFFLOAD_UDP_CHECKSUM |	\
	 NB_TX_OFFLOAD_TCP_SEGMENTATION | NB_TX_OFFLOAD_UDP_SEGMENTATION | \
	 NB_TX_IS_IPV4 | NB_TX_IS_IPV6 | NB_TX_VLAN)

/* The flags that need an offload are in the order of enum nb_tx_offloads. */
#define NB_TX_OFFLOADS(flags)						\
	(((flags) & (NB_TX_OFFLOAD_IP_HEADER_CHECKSUM |			\
		     NB_TX_OFFLOAD_TCP_CHECKSUM |			\
		     NB_TX_OFFLOAD_UDP_CHECKSUM |			\
		     NB_TX_OFFLOAD_TCP_SEGMENTATION |			\
		     NB_TX_OFFLOAD_UDP_SEGMENTATION)) >> 1)

/* Copy the segments from @i to @n of those that are pending. */
static void nb_tx_copy_segments(struct nb_queue *queue, unsigned int i, unsigned int n)
{
	struct nb_ring *ring = &queue->tx_avail;
	const struct nb_tx_segment *from = ring->entries;
	u32 first = (ring->pos + i) & ring->mask;
	u32 till_end = min(n - i, ring->size - first);
	struct nb_tx_segment *to = &queue->batch->seg[i];

	memcpy(to, from + first, till_end * sizeof(*to));
	if (till_end < n - i)
		memcpy(to + till_end, from, (n - i - till_end) * sizeof(*to));
	/* From here on, only the copy. */
	barrier();
}

/* Tails from @i on: they belong to the malformed packet in front of them. */
static unsigned int nb_tx_count_tails(const struct nb_tx_batch *batch, unsigned int i,
				      unsigned int n)
{
	unsigned int start = i;

	while (i < n && !(batch->seg[i].flags & NB_TX_HEAD))
		i++;
	return i - start;
}

/* Find the memory of a segment whose length is possible. */
static bool nb_tx_locate(struct nb_queue *queue, unsigned int i)
{
	struct nb_tx_batch *batch = queue->batch;
	const struct nb_tx_segment *seg = &batch->seg[i];
	const struct nb_region *region = nb_mem_find(&queue->tx_cache, seg->gpa, seg->len);

	if (unlikely(!region))
		return false;
	batch->va[i] = nb_region_span(region, seg->gpa, seg->len);
	return true;
}

/* Check the segments of a packet, and find their memory: a status. */
static u16 nb_tx_check_segments(struct nb_queue *queue, unsigned int i, unsigned int count)
{
	const struct nb_tx_segment *seg = &queue->batch->seg[i];
	bool located = true;
	unsigned int k;
	u32 len = 0;

	for (k = 0; k < count; k++) {
		if (unlikely(!seg[k].len || seg[k].len > NB_MAX_PACKET_LEN ||
			     (k && seg[k].flags)))
			return NB_TX_INVALID;
		/* At most NB_MAX_SEGMENTS * NB_MAX_PACKET_LEN. */
		len += seg[k].len;
		located &= nb_tx_locate(queue, i + k);
	}
	if (unlikely(len != seg->packet_len || len < NB_MIN_PACKET_LEN ||
		     len > NB_MAX_PACKET_LEN))
		return NB_TX_INVALID;
	return located ? NB_TX_OK : NB_TX_FAULT;
}

/* The worse of two: what is invalid stays so whatever else is wrong. */
static u16 nb_tx_worse(u16 a, u16 b)
{
	if (a == NB_TX_INVALID || b == NB_TX_INVALID)
		return NB_TX_INVALID;
	return a ?: b;
}

static u16 nb_tx_check_head(const struct nb_queue *queue, const struct nb_tx_segment *head)
{
	if (unlikely((head->flags & ~NB_TX_FLAGS_KNOWN) || head->reserved))
		return NB_TX_INVALID;
	if (unlikely(NB_TX_OFFLOADS(head->flags) & ~queue->tx_offloads))
		return NB_TX_UNSUPPORTED;
	return NB_TX_OK;
}

/* Does a packet of @count segments from @i on go on behind the @n that were copied? */
static bool nb_tx_goes_on(unsigned int count, unsigned int i, unsigned int n,
			  unsigned int pending)
{
	return count <= NB_MAX_SEGMENTS && count > n - i && count <= pending - i;
}

/*
 * Make a packet of the segments from @i on, of @n that were copied and @pending that
 * are in the ring.  Return: its segments, or 0 if it goes on behind the copy, and then @packet
 * is as it was: nobody will reset it.
 */
static unsigned int nb_tx_parse(struct nb_queue *queue, struct nb_packet *packet,
				unsigned int i, unsigned int n, unsigned int pending)
{
	struct nb_tx_batch *batch = queue->batch;
	const struct nb_tx_segment *head = &batch->seg[i];
	unsigned int count = head->segment_count;
	unsigned int tails;

	if (head->flags & NB_TX_HEAD && nb_tx_goes_on(count, i, n, pending))
		return 0;
	packet->seg = head;
	packet->va = &batch->va[i];
	packet->len = head->packet_len;
	packet->n_segs = count;
	packet->status = NB_TX_INVALID;
	if (!(head->flags & NB_TX_HEAD))
		return 1;
	tails = nb_tx_count_tails(batch, i + 1, n);
	if (count && count <= NB_MAX_SEGMENTS && tails + 1 >= count) {
		packet->status = nb_tx_worse(nb_tx_check_segments(queue, i, count),
					     nb_tx_check_head(queue, head));
		if (packet->status != NB_TX_INVALID)
			return count;
	}
	batch->skip_tails = i + 1 + tails == n && n < pending;
	return 1 + tails;
}

/* Of @n segments those that can be taken, and completed, before a ring wraps. */
unsigned int nb_tx_straight(const struct nb_queue *queue, unsigned int n)
{
	return min3(n, nb_ring_till_end(&queue->tx_avail), nb_ring_till_end(&queue->tx_done));
}

/*
 * Make packets of the segments in front, of @n that are in the ring, as long as each is
 * one, and write their completions, which nb_tx_complete() publishes.
 *
 * Return: packets.  @copied segments are in the batch.
 */
static noinline unsigned int nb_tx_fetch_singles(struct nb_queue *queue, unsigned int n,
						 unsigned int *copied)
{
	const u64 mask = nb_tx_single_mask(queue->tx_offloads);
	const struct nb_tx_segment *from = nb_ring_at(&queue->tx_avail, sizeof(*from));
	struct nb_tx_completion *done = nb_ring_at(&queue->tx_done, sizeof(*done));
	const struct nb_region *region = queue->tx_cache.region;
	struct nb_tx_batch *batch = queue->batch;
	u64 heads = 0;
	u32 bytes = 0;
	unsigned int i;

	for (i = 0; i < n && bytes < NB_BATCH_BYTES; i++) {
		const struct nb_tx_words words = nb_tx_read(&from[i]);
		u32 len = nb_tx_words_len(&words);

		nb_tx_write(&batch->seg[i], &words);
		if (unlikely(!nb_tx_is_single(&words, mask)))
			goto other;
		if (unlikely(!nb_region_covers(region, words.gpa, len))) {
			region = nb_mem_search(&queue->tx_cache, words.gpa, len);
			if (!region)
				goto other;
		}
		batch->va[i] = nb_region_span(region, words.gpa, len);
		/* Headers are looked at, and the copy begins, when the batch is complete. */
		prefetch(batch->va[i]);
		batch->packet[i].len = len;
		batch->packet[i].n_segs = 1;
		batch->packet[i].status = NB_TX_OK;
		nb_tx_words_complete(&words, &done[i]);
		heads |= words.head;
		bytes += len;
	}
out:
	batch->completed = heads & NB_TX_FIELD(flags, NB_TX_VLAN) ? 0 : i;
	batch->bytes = bytes;
	return i;

other:
	*copied = i + 1;
	goto out;
}

/* The packets behind the first @i, which are a segment each, whatever they are. */
static noinline void nb_tx_fetch_others(struct nb_queue *queue, unsigned int i,
					unsigned int copied, unsigned int n,
					unsigned int pending, unsigned int room)
{
	struct nb_tx_batch *batch = queue->batch;
	unsigned int bytes = batch->bytes;

	batch->completed = 0;
	nb_tx_copy_segments(queue, copied, n);
	if (unlikely(batch->skip_tails)) {
		i = nb_tx_count_tails(batch, 0, n);
		batch->skip_tails = i == n && n < pending;
	}
	while (i < n && batch->n_packets < room && bytes < NB_BATCH_BYTES) {
		unsigned int taken = nb_tx_parse(queue, &batch->packet[batch->n_packets],
						 i, n, pending);

		if (!taken)
			break;
		bytes += min_t(u32, batch->packet[batch->n_packets].len, NB_MAX_PACKET_LEN);
		batch->n_packets++;
		i += taken;
	}
	batch->n_segs = i;
	batch->n_moved = batch->n_packets;
}

/* Let the packets that nb_tx_fetch_others() has changed be a segment each again. */
static void nb_tx_reset_moved(struct nb_tx_batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->n_moved; i++) {
		batch->packet[i].seg = &batch->seg[i];
		batch->packet[i].va = &batch->va[i];
	}
	batch->n_moved = 0;
}

void nb_tx_batch_init(struct nb_tx_batch *batch)
{
	unsigned int i;

	batch->n_moved = NB_BATCH;
	for (i = 0; i < NB_BATCH; i++)
		batch->packet[i].drop = NB_DROP_BACKEND;
}

int nb_tx_fetch(struct nb_queue *queue, unsigned int max_segs)
{
	struct nb_tx_batch *batch = queue->batch;
	unsigned int n, pending, room, singles = 0, copied = 0;

	batch->n_packets = 0;
	batch->n_segs = 0;
	if (nb_ring_look(&queue->tx_avail) || nb_ring_look_room(&queue->tx_done))
		return -EIO;
	pending = nb_ring_pending(&queue->tx_avail);
	n = min3(pending, max_segs, (unsigned int)NB_BATCH);
	room = min_t(unsigned int, nb_tx_room(queue), NB_BATCH);
	if (!n || !room)
		return 0;
	nb_mem_begin(queue->mem, &queue->tx_cache);
	if (unlikely(batch->n_moved))
		nb_tx_reset_moved(batch);
	batch->bytes = 0;

	if (likely(!batch->skip_tails))
		singles = nb_tx_fetch_singles(queue, nb_tx_straight(queue, min(n, room)),
					      &copied);
	batch->n_packets = singles;
	batch->n_segs = singles;
	if (unlikely(copied > singles || !singles))
		nb_tx_fetch_others(queue, singles, copied, n, pending, room);
	return 0;
}

/* Segments up to the packet behind the first @n. */
static unsigned int nb_tx_batch_segments(const struct nb_tx_batch *batch, unsigned int n)
{
	if (n == batch->n_packets)
		return batch->n_segs;
	return batch->packet[n].seg - batch->seg;
}

/* Why a packet that was not sent was not. */
static enum nb_drop nb_tx_why(struct nb_packet *packet)
{
	enum nb_drop why = packet->drop;

	static_assert(NB_DROP_FAULT - NB_DROP_INVALID == NB_TX_FAULT - NB_TX_INVALID);
	static_assert(NB_DROP_UNSUPPORTED - NB_DROP_INVALID == NB_TX_UNSUPPORTED - NB_TX_INVALID);
	/* Whoever is there next may give no reason. */
	packet->drop = NB_DROP_BACKEND;
	if (packet->status == NB_TX_DROPPED)
		return why;
	return NB_DROP_INVALID + (packet->status - NB_TX_INVALID);
}

static void nb_tx_count(struct nb_queue *queue, struct nb_packet *packet,
			struct nb_tx_counts *counts)
{
	switch (packet->status) {
	case NB_TX_OK:
		counts->packets++;
		counts->bytes += packet->len;
		if (packet->seg->flags & NB_TX_VLAN)
			counts->vlan_packets++;
		break;
	case NB_TX_DROPPED:
		counts->dropped++;
		nb_trace_drop(queue, NB_TRACE_TX, nb_tx_why(packet));
		break;
	default:
		counts->errors++;
		nb_trace_drop(queue, NB_TRACE_TX, nb_tx_why(packet));
	}
}

/* Has the packet a slot, which will complete it?  Tell the slot what came of it. */
static bool nb_tx_in_flight(struct nb_tx_batch *batch, const struct nb_packet *packet)
{
	unsigned int i = packet->seg - batch->seg;

	if (!batch->slot[i])
		return false;
	nb_zerocopy_sent(batch->slot[i], packet->status);
	batch->slot[i] = NULL;
	batch->n_slots--;
	return true;
}

/*
 * Write the completions of the first @n packets, but for those in flight, and count all.
 *
 * Return: completions.
 */
static unsigned int nb_tx_write_completions(struct nb_queue *queue, unsigned int n,
					    struct nb_tx_counts *counts)
{
	struct nb_tx_batch *batch = queue->batch;
	struct nb_ring *ring = &queue->tx_done;
	struct nb_tx_completion *entries = ring->entries;
	u32 pos = ring->pos;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct nb_packet *packet = &batch->packet[i];
		struct nb_tx_completion *done;

		nb_tx_count(queue, packet, counts);
		if (unlikely(batch->n_slots) && nb_tx_in_flight(batch, packet))
			continue;
		done = &entries[pos++ & ring->mask];
		done->id = packet->seg->id;
		done->status = packet->status;
	}
	return pos - ring->pos;
}

/* Are the completions of the first @n packets still as nb_tx_fetch() has written them? */
static bool nb_tx_is_completed(const struct nb_tx_batch *batch, unsigned int n)
{
	unsigned int i;

	if (!n || n != batch->completed || batch->n_slots)
		return false;
	for (i = 0; i < n; i++)
		if (unlikely(batch->packet[i].status != NB_TX_OK))
			return false;
	return true;
}

static noinline void nb_tx_trace(const struct nb_queue *queue, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		trace_nb_tx_packet(queue, &queue->batch->packet[i]);
}

unsigned int nb_tx_complete(struct nb_queue *queue, unsigned int n, u32 *completed)
{
	struct nb_tx_batch *batch = queue->batch;
	struct nb_ring *ring = &queue->tx_done;
	unsigned int segs = nb_tx_batch_segments(batch, n);
	struct nb_tx_counts counts = {};
	unsigned int done = n;

	if (likely(nb_tx_is_completed(batch, n))) {
		counts.packets = n;
		counts.bytes = batch->bytes;
	} else {
		done = nb_tx_write_completions(queue, n, &counts);
	}
	nb_queue_add_tx(queue, &counts);
	if (trace_nb_tx_packet_enabled())
		nb_tx_trace(queue, n);
	/* What is not taken is fetched and checked anew, skipped tails too. */
	if (n < batch->n_packets)
		batch->skip_tails = false;

	*completed += done;
	ring->pos += done;
	if (done)
		nb_ring_publish(ring);
	queue->tx_avail.pos += segs;
	if (segs)
		nb_ring_publish(&queue->tx_avail);
	return segs;
}

const void *nb_packet_next(struct nb_queue *queue, struct nb_packet_iter *iter, u32 max,
			   u32 *len)
{
	const struct nb_packet *packet = iter->packet;
	const struct nb_tx_segment *seg;
	const struct nb_region *region;
	const void *va;
	u64 contig;

	if (iter->i == packet->n_segs)
		return NULL;
	seg = &packet->seg[iter->i];
	va = packet->va[iter->i];
	contig = seg->len - iter->offset;
	if (likely(va)) {
		va += iter->offset;
	} else {
		/* Found by nb_tx_locate() in this RCU read section. */
		region = nb_mem_find(&queue->tx_cache, seg->gpa, seg->len);
		va = nb_region_ptr(region, seg->gpa + iter->offset, &contig);
		contig = min_t(u64, contig, seg->len - iter->offset);
	}
	*len = min_t(u64, contig, max);
	iter->offset += *len;
	if (iter->offset == seg->len) {
		iter->i++;
		iter->offset = 0;
	}
	return va;
}
EXPORT_SYMBOL_GPL(nb_packet_next);

/* From one that is not contiguous: unit by unit. */
static void nb_packet_copy_scattered(struct nb_queue *queue,
				     const struct nb_tx_segment *seg, u32 offset,
				     void *to, u32 len)
{
	/* Found by nb_tx_locate() in this RCU read section. */
	const struct nb_region *region = nb_mem_find(&queue->tx_cache, seg->gpa, seg->len);
	u64 gpa = seg->gpa + offset;

	while (len) {
		u64 contig;
		const void *from = nb_region_ptr(region, gpa, &contig);
		u32 chunk = min_t(u64, contig, len);

		memcpy(to, from, chunk);
		to += chunk;
		gpa += chunk;
		len -= chunk;
	}
}

void nb_packet_copy(struct nb_queue *queue, struct nb_packet_iter *iter, void *to,
		    u32 len)
{
	const struct nb_packet *packet = iter->packet;

	while (len) {
		const struct nb_tx_segment *seg = &packet->seg[iter->i];
		const void *from = packet->va[iter->i];
		u32 chunk = min(len, seg->len - iter->offset);

		if (likely(from))
			memcpy(to, from + iter->offset, chunk);
		else
			nb_packet_copy_scattered(queue, seg, iter->offset, to, chunk);
		to += chunk;
		len -= chunk;
		iter->offset += chunk;
		if (iter->offset == seg->len) {
			iter->i++;
			iter->offset = 0;
		}
	}
}
EXPORT_SYMBOL_GPL(nb_packet_copy);
