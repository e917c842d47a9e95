// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of packets, for who captures them.
 *
 * A capture's buffer is a ring of entries.  An entry is reserved under &nb_capture.lock,
 * which costs little more than a few additions, filled without it, and becomes ready; one
 * that is busy stops the reader.  A packet that finds no room is lost, and counted: nobody
 * waits for the reader.
 *
 * What is transmitted is copied before the backend gets it, so that the capture has it in
 * front of what it causes.  Entries of packets that the backend then does not take are
 * given back, or if others have come behind them, are void.
 *
 * Only the first entry of a batch need be busy: the reader does not get past it.
 *
 * All in an RCU read section with bottom halves off, as the data path is; interrupts may be
 * off, too.
 */
#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "capture.h"
#include "endpoint.h"
#include "queue.h"

struct static_key_false nb_capture_key = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_GPL(nb_capture_key);

bool __nb_capturing(const struct nb_queue *queue)
{
	return rcu_access_pointer(queue->endpoint->capture);
}
EXPORT_SYMBOL_GPL(__nb_capturing);

/* The endpoint's capture if it is about that queue and direction, or NULL. */
static struct nb_capture *nb_capture_of(const struct nb_queue *queue, u32 direction)
{
	struct nb_capture *capture = rcu_dereference(queue->endpoint->capture);

	if (!capture || !(capture->directions & direction))
		return NULL;
	if (capture->queue != NB_ANY_QUEUE && capture->queue != queue->index)
		return NULL;
	return capture;
}

/*
 * Reserve an entry behind @head for a packet of @len bytes, with @lost packets lost in
 * front of it that are not counted yet.
 *
 * Return: where it ends, or @head if there is no room.
 */
static unsigned long nb_capture_reserve(struct nb_capture *capture, unsigned long head,
					u32 len, u32 index, u32 lost)
{
	struct nb_capture_entry *entry = nb_capture_at(capture, head);
	u32 size = ALIGN(sizeof(*entry) + min(len, capture->snaplen), 8);
	unsigned long all = (unsigned long)capture->n_pages << PAGE_SHIFT;
	unsigned long tail;

	lockdep_assert_held(&capture->lock);
	/* Pairs with nb_capture_skip(): what was there has been read. */
	tail = smp_load_acquire(&capture->tail);
	if (size > all - (head - tail))
		return head;
	entry->size = size;
	entry->state = NB_CAPTURE_BUSY;
	entry->index = index;
	entry->record.len = len;
	entry->record.lost = capture->lost + lost;
	return head + size;
}

/* All but @len and @lost, which are there. */
static void nb_capture_describe(struct nb_capture_entry *entry, const struct nb_queue *queue,
				const struct nb_capture *capture, u32 direction, u64 now)
{
	struct nb_capture_record *record = &entry->record;
	u32 used;

	record->size = entry->size - offsetof(struct nb_capture_entry, record);
	record->queue = queue->index;
	record->time_ns = now;
	record->captured_len = min(record->len, capture->snaplen);
	record->flags = direction;
	record->vlan = 0;
	record->reserved = 0;
	used = sizeof(*record) + record->captured_len;
	memset((void *)record + used, 0, record->size - used);
}

/* Whoever sleeps wakes up. */
static void nb_capture_wake(struct nb_capture *capture)
{
	if (wq_has_sleeper(&capture->wait))
		wake_up_interruptible_poll(&capture->wait, EPOLLIN | EPOLLRDNORM);
}

/* ---- transmit ------------------------------------------------------------ */

/* Reserve entries for those that are well-formed. */
static void nb_capture_reserve_batch(struct nb_queue *queue, struct nb_capture_batch *copies)
{
	const struct nb_tx_batch *batch = queue->batch;
	struct nb_capture *capture = copies->capture;
	unsigned long flags, head;
	unsigned int i, lost = 0;

	spin_lock_irqsave(&capture->lock, flags);
	head = capture->head;
	copies->start = head;
	for (i = 0; i < batch->n_packets; i++) {
		const struct nb_packet *packet = &batch->packet[i];
		unsigned long end;

		if (packet->status != NB_TX_OK)
			continue;
		__set_bit(i, copies->wanted);
		/* What is lost counts when it is taken: before this one is. */
		end = nb_capture_reserve(capture, head, packet->len, i, lost);
		if (end == head) {
			__set_bit(i, copies->lost);
			lost++;
		}
		head = end;
	}
	copies->end = head;
	/* Pairs with nb_capture_next(): the first entry is seen to be busy. */
	smp_store_release(&capture->head, head);
	spin_unlock_irqrestore(&capture->lock, flags);
}

static void nb_capture_copy_packet(struct nb_queue *queue, const struct nb_packet *packet,
				   struct nb_capture_record *record)
{
	struct nb_packet_iter iter = { .packet = packet };

	if (packet->seg->flags & NB_TX_VLAN) {
		record->flags |= NB_CAPTURE_VLAN;
		record->vlan = packet->seg->vlan;
	}
	nb_packet_copy(queue, &iter, record + 1, record->captured_len);
}

void nb_capture_offer(struct nb_queue *queue, struct nb_capture_batch *copies)
{
	struct nb_capture *capture = nb_capture_of(queue, NB_CAPTURE_TX);
	unsigned long pos;
	u64 now;

	copies->capture = capture;
	if (!capture)
		return;
	bitmap_zero(copies->wanted, NB_BATCH);
	bitmap_zero(copies->lost, NB_BATCH);
	nb_capture_reserve_batch(queue, copies);
	now = ktime_get_real_ns();
	for (pos = copies->start; pos != copies->end;) {
		struct nb_capture_entry *entry = nb_capture_at(capture, pos);

		nb_capture_describe(entry, queue, capture, NB_CAPTURE_TX, now);
		nb_capture_copy_packet(queue, &queue->batch->packet[entry->index],
				       &entry->record);
		if (pos != copies->start)
			entry->state = NB_CAPTURE_READY;
		pos += entry->size;
	}
}

/* The first entry from the @n-th packet on. */
static unsigned long nb_capture_find(const struct nb_capture_batch *copies, unsigned int n)
{
	unsigned long pos = copies->start;

	while (pos != copies->end) {
		const struct nb_capture_entry *entry = nb_capture_at(copies->capture, pos);

		if (entry->index >= n)
			break;
		pos += entry->size;
	}
	return pos;
}

/* There is no packet in the entries from @pos on. */
static void nb_capture_void(struct nb_capture *capture, unsigned long pos, unsigned long end)
{
	while (pos != end) {
		struct nb_capture_entry *entry = nb_capture_at(capture, pos);

		entry->state = NB_CAPTURE_VOID;
		pos += entry->size;
	}
}

/* Count, and give back what is behind @end.  Return: false if others have come behind it. */
static bool nb_capture_settle(struct nb_capture_batch *copies, unsigned long end,
			      unsigned int n)
{
	struct nb_capture *capture = copies->capture;
	unsigned long flags;
	bool last;

	spin_lock_irqsave(&capture->lock, flags);
	capture->packets += bitmap_weight(copies->wanted, n);
	capture->lost += bitmap_weight(copies->lost, n);
	last = capture->head == copies->end;
	if (last)
		WRITE_ONCE(capture->head, end);
	spin_unlock_irqrestore(&capture->lock, flags);
	return last;
}

void nb_capture_taken(struct nb_capture_batch *copies, unsigned int n)
{
	struct nb_capture *capture = copies->capture;
	struct nb_capture_entry *first;
	unsigned long end;
	bool none;

	if (!capture)
		return;
	end = nb_capture_find(copies, n);
	if (nb_capture_settle(copies, end, n))
		copies->end = end;
	if (copies->start == copies->end)
		return;
	first = nb_capture_at(capture, copies->start);
	none = copies->start == end;
	nb_capture_void(capture, none ? copies->start + first->size : end, copies->end);
	/* Pairs with nb_capture_next(): all of the batch is as it is to be read. */
	smp_store_release(&first->state, none ? NB_CAPTURE_VOID : NB_CAPTURE_READY);
	nb_capture_wake(capture);
}

/* ---- receive ------------------------------------------------------------- */

/* From a segment that is not contiguous: unit by unit. */
static void nb_capture_copy_scattered(struct nb_queue *queue,
				      const struct nb_buffer_segment *seg, u32 offset,
				      void *to, u32 len)
{
	/* Found by nb_rx_locate() in this RCU read section. */
	const struct nb_region *region = nb_mem_find(&queue->rx_cache, seg->gpa, seg->len);

	while (len) {
		u64 contig;
		const void *from = nb_region_ptr(region, seg->gpa + offset, &contig);
		u32 chunk = min_t(u64, contig, len);

		memcpy(to, from, chunk);
		to += chunk;
		offset += chunk;
		len -= chunk;
	}
}

/* @len bytes of the buffer at hand, from @offset on. */
static void nb_capture_copy_buffer(struct nb_queue *queue, u32 offset, void *to, u32 len)
{
	const struct nb_buffer_segment *seg = queue->buffer.seg;

	for (; offset >= seg->len; seg++)
		offset -= seg->len;
	for (; len; seg++, offset = 0) {
		u32 chunk = min(len, seg->len - offset);

		if (likely(seg->va))
			memcpy(to, seg->va + offset, chunk);
		else
			nb_capture_copy_scattered(queue, seg, offset, to, chunk);
		to += chunk;
		len -= chunk;
	}
}

/* Return: an entry, or NULL if there is no room: then the packet is lost. */
static struct nb_capture_entry *nb_capture_reserve_one(struct nb_capture *capture, u32 len)
{
	unsigned long flags, start, end;

	spin_lock_irqsave(&capture->lock, flags);
	start = capture->head;
	end = nb_capture_reserve(capture, start, len, 0, 0);
	capture->packets++;
	if (start == end)
		capture->lost++;
	/* Pairs with nb_capture_next(): the entry is seen to be busy. */
	smp_store_release(&capture->head, end);
	spin_unlock_irqrestore(&capture->lock, flags);
	return start == end ? NULL : nb_capture_at(capture, start);
}

void nb_capture_rx(struct nb_queue *queue, const struct nb_rx_metadata *meta)
{
	struct nb_capture *capture = nb_capture_of(queue, NB_CAPTURE_RX);
	struct nb_capture_entry *entry;

	if (!capture)
		return;
	entry = nb_capture_reserve_one(capture, meta->len);
	if (!entry)
		return;
	nb_capture_describe(entry, queue, capture, NB_CAPTURE_RX, ktime_get_real_ns());
	if (meta->flags & NB_RX_VLAN) {
		entry->record.flags |= NB_CAPTURE_VLAN;
		entry->record.vlan = meta->vlan;
	}
	nb_capture_copy_buffer(queue, meta->offset, &entry->record + 1,
			       entry->record.captured_len);
	/* Pairs with nb_capture_next(). */
	smp_store_release(&entry->state, NB_CAPTURE_READY);
	nb_capture_wake(capture);
}
