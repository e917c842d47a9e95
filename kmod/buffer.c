// SPDX-License-Identifier: GPL-2.0
/*
 * Receive: buffers from rx-avail, packets into them, metadata to rx-done.
 *
 * An entry is copied once from the ring to &nb_buffer, checked there, and used from
 * there.  No allocation, no lock: see buffer.h for what the caller has to hold.
 *
 * Every buffer goes back to the frontend by nb_rx_post(), which notes in the dirty log
 * what has been written to it; see dirty.c.
 */
#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/string.h>

#include "buffer.h"
#include "capture.h"
#include "dirty.h"
#include "event.h"
#include "notify.h"
#include "packet.h"
#include "queue.h"
#include "rx_run.h"
#include "trace.h"

/* Find the memory of a segment that the kernel has copied, and note it in @seg. */
static __always_inline bool nb_rx_locate(struct nb_queue *queue, u64 gpa, u32 len,
					 struct nb_buffer_segment *seg)
{
	const struct nb_region *region = queue->rx_cache.region;

	if (unlikely(!nb_region_covers(region, gpa, len))) {
		region = nb_mem_search(&queue->rx_cache, gpa, len);
		if (unlikely(!region))
			return false;
	}
	if (unlikely(region->read_only))
		return false;
	seg->va = nb_region_span(region, gpa, len);
	seg->gpa = gpa;
	seg->len = len;
	return true;
}

/* Bytes at the front of the buffer at hand that have, or may have, been written. */
static u32 nb_rx_written(const struct nb_buffer *buffer, const struct nb_rx_metadata *meta)
{
	u32 written = buffer->offset;
	unsigned int i;

	for (i = 0; i < buffer->i; i++)
		written += buffer->seg[i].len;
	return max_t(u32, written, meta->offset + meta->len);
}

/* Note in the dirty log what has been written to the buffer at hand. */
static noinline void nb_rx_log(struct nb_queue *queue, const struct nb_rx_metadata *meta)
{
	const struct nb_buffer *buffer = &queue->buffer;
	u32 left = nb_rx_written(buffer, meta);
	unsigned int i;

	smp_mb__before_atomic(); /* (D) of dirty.c */
	for (i = 0; left && i < buffer->n_segs; i++) {
		const struct nb_buffer_segment *seg = &buffer->seg[i];
		const struct nb_region *region = nb_mem_find(&queue->rx_cache, seg->gpa,
							     seg->len);
		u32 len = min(left, seg->len);

		/* A region that was removed since then has nobody to tell. */
		if (region && region->log)
			nb_dirty_log_mark(region->log, seg->gpa - region->gpa, len);
		left -= len;
	}
}

static __always_inline void nb_rx_post(struct nb_queue *queue, const struct nb_rx_metadata *meta)
{
	struct nb_buffer *buffer = &queue->buffer;

	if (unlikely(queue->rx_cache.logged))
		nb_rx_log(queue, meta);
	*(struct nb_rx_metadata *)nb_ring_at(&queue->rx_done, sizeof(*meta)) = *meta;
	queue->rx_done.pos++;
	buffer->unpublished++;
	buffer->n_segs = 0;
	buffer->i = 0;
	buffer->offset = 0;
}

/* Give the buffer back without a packet. */
static void nb_rx_reject(struct nb_queue *queue, u8 status)
{
	struct nb_rx_metadata meta = {
		.id = queue->buffer.id,
		.status = status,
	};

	nb_rx_post(queue, &meta);
	queue->rx_counts.errors++;
}

void nb_rx_begin(struct nb_queue *queue)
{
	struct nb_buffer *buffer = &queue->buffer;
	unsigned int i;

	if (likely(!nb_mem_begin(queue->mem, &queue->rx_cache)))
		return;
	for (i = 0; i < buffer->n_segs; i++) {
		struct nb_buffer_segment *seg = &buffer->seg[i];

		if (!nb_rx_locate(queue, seg->gpa, seg->len, seg)) {
			nb_rx_reject(queue, NB_RX_FAULT);
			return;
		}
	}
}
EXPORT_SYMBOL_GPL(nb_rx_begin);

/* Copy the next buffer out of the ring: a status of enum nb_rx_status. */
static u8 nb_rx_copy_buffer(struct nb_queue *queue)
{
	const struct nb_rx_segment *entries = queue->rx_avail.entries;
	struct nb_buffer *buffer = &queue->buffer;
	struct nb_ring *ring = &queue->rx_avail;
	bool first = true, more = true;
	u8 status = NB_RX_OK;
	unsigned int n = 0;
	u64 capacity = 0;

	while (more) {
		struct nb_rx_segment seg;

		if (unlikely(!nb_ring_pending(ring)))
			return NB_RX_INVALID;
		seg = entries[ring->pos++ & ring->mask];
		/* From here on, only the copy. */
		barrier();
		if (first)
			buffer->id = seg.id;
		first = false;
		more = seg.len & NB_RX_MORE;
		seg.len &= NB_RX_LEN_MASK;
		capacity += seg.len;
		if (unlikely(!seg.len || n == NB_MAX_SEGMENTS)) {
			status = NB_RX_INVALID;
			continue;
		}
		if (unlikely(!nb_rx_locate(queue, seg.gpa, seg.len, &buffer->seg[n])) &&
		    status == NB_RX_OK)
			status = NB_RX_FAULT;
		n++;
	}
	buffer->n_segs = n;
	buffer->capacity = min_t(u64, capacity, U32_MAX);
	return status;
}

/*
 * Take the next buffer to hand if it is there, with room for its completion, as far as has
 * been seen before, and if it is one segment with nothing wrong, as most are.
 */
static __always_inline bool nb_rx_take_single(struct nb_queue *queue)
{
	const struct nb_rx_segment *entry = nb_ring_at(&queue->rx_avail, sizeof(*entry));
	struct nb_buffer *buffer = &queue->buffer;
	u32 len, id;
	u64 gpa;

	if (unlikely(!nb_ring_pending(&queue->rx_avail) || !nb_ring_room(&queue->rx_done)))
		return false;
	gpa = READ_ONCE(entry->gpa);
	len = READ_ONCE(entry->len);
	id = READ_ONCE(entry->id);
	/* Neither 0 nor NB_RX_MORE.  What is not taken is read again, and is what it is then. */
	if (unlikely(len - 1 >= NB_RX_LEN_MASK ||
		     !nb_rx_locate(queue, gpa, len, &buffer->seg[0])))
		return false;
	queue->rx_avail.pos++;
	buffer->n_segs = 1;
	buffer->capacity = len;
	buffer->id = id;
	return true;
}

/* The same for all others. */
static noinline u32 nb_rx_take(struct nb_queue *queue)
{
	struct nb_buffer *buffer = &queue->buffer;
	u8 status;

	while (!buffer->n_segs) {
		if (!nb_ring_pending(&queue->rx_avail) && nb_ring_look(&queue->rx_avail))
			goto err_index;
		if (!nb_ring_pending(&queue->rx_avail))
			return 0;
		if (!nb_ring_room(&queue->rx_done) && nb_ring_look_room(&queue->rx_done))
			goto err_index;
		if (!nb_ring_room(&queue->rx_done))
			return 0;
		status = nb_rx_copy_buffer(queue);
		if (unlikely(status != NB_RX_OK))
			nb_rx_reject(queue, status);
	}
	return buffer->capacity;

err_index:
	nb_queue_set_state(queue, NB_QUEUE_FAILED);
	return 0;
}

u32 nb_rx_next(struct nb_queue *queue)
{
	if (likely(nb_rx_take_single(queue)))
		return queue->buffer.capacity;
	return nb_rx_take(queue);
}
EXPORT_SYMBOL_GPL(nb_rx_next);

/* One that is not contiguous: unit by unit. */
static void nb_rx_write_scattered(struct nb_queue *queue,
				  const struct nb_buffer_segment *seg, u32 offset,
				  const void *from, u32 len)
{
	/* Found by nb_rx_locate() in this RCU read section. */
	const struct nb_region *region = nb_mem_find(&queue->rx_cache, seg->gpa, seg->len);

	while (len) {
		u64 contig;
		void *to = nb_region_ptr(region, seg->gpa + offset, &contig);
		u32 chunk = min_t(u64, contig, len);

		memcpy(to, from, chunk);
		from += chunk;
		offset += chunk;
		len -= chunk;
	}
}

static noinline void nb_rx_write_pieces(struct nb_queue *queue, const void *from, u32 len)
{
	struct nb_buffer *buffer = &queue->buffer;

	while (len) {
		const struct nb_buffer_segment *seg = &buffer->seg[buffer->i];
		u32 chunk = min(len, seg->len - buffer->offset);

		if (likely(seg->va))
			memcpy(seg->va + buffer->offset, from, chunk);
		else
			nb_rx_write_scattered(queue, seg, buffer->offset, from, chunk);
		from += chunk;
		len -= chunk;
		buffer->offset += chunk;
		if (buffer->offset == seg->len) {
			buffer->i++;
			buffer->offset = 0;
		}
	}
}

void nb_rx_write(struct nb_queue *queue, const void *from, u32 len)
{
	struct nb_buffer *buffer = &queue->buffer;
	const struct nb_buffer_segment *seg = &buffer->seg[0];
	u32 offset = buffer->offset;

	/* If it does not fill the buffer's first segment. */
	if (likely(!buffer->i && seg->va && len < seg->len - offset)) {
		buffer->offset = offset + len;
		memcpy(seg->va + offset, from, len);
	} else {
		nb_rx_write_pieces(queue, from, len);
	}
}
EXPORT_SYMBOL_GPL(nb_rx_write);

void nb_rx_rewrite(struct nb_queue *queue, const void *from, u32 len)
{
	struct nb_buffer *buffer = &queue->buffer;
	unsigned int i = buffer->i;
	u32 offset = buffer->offset;

	buffer->i = 0;
	buffer->offset = 0;
	nb_rx_write(queue, from, len);
	buffer->i = i;
	buffer->offset = offset;
}
EXPORT_SYMBOL_GPL(nb_rx_rewrite);

static __always_inline void nb_rx_finish(struct nb_queue *queue, struct nb_rx_metadata *meta)
{
	meta->id = queue->buffer.id;
	queue->rx_counts.packets++;
	queue->rx_counts.bytes += meta->len;
	if (meta->flags & NB_RX_VLAN)
		queue->rx_counts.vlan_packets++;
	if (nb_capturing(queue))
		nb_capture_rx(queue, meta);
	nb_rx_post(queue, meta);
}

void nb_rx_complete(struct nb_queue *queue, struct nb_rx_metadata *meta)
{
	nb_rx_finish(queue, meta);
}
EXPORT_SYMBOL_GPL(nb_rx_complete);

bool nb_rx_put(struct nb_queue *queue, const void *from, struct nb_rx_metadata *meta)
{
	struct nb_buffer *buffer = &queue->buffer;
	u32 capacity = nb_rx_peek(queue);

	if (unlikely(!capacity))
		return false;
	if (unlikely(meta->len > capacity)) {
		nb_rx_too_small(queue);
		return true;
	}
	if (likely(buffer->seg[0].va && meta->len <= buffer->seg[0].len))
		memcpy(buffer->seg[0].va, from, meta->len);
	else
		nb_rx_write(queue, from, meta->len);
	nb_rx_finish(queue, meta);
	return true;
}
EXPORT_SYMBOL_GPL(nb_rx_put);

unsigned int nb_rx_put_singles(struct nb_queue *queue, unsigned int first)
{
	const struct nb_packet *packet = &queue->batch->packet[first];
	struct nb_rx_run run;
	unsigned int i, n;
	u64 bytes = 0;

	if (unlikely(first >= queue->batch->completed))
		return 0;
	n = nb_rx_run_begin(queue, &run, queue->batch->completed - first);
	for (i = 0; i < n; i++) {
		const void *from = packet[i].va[0];
		u32 len = packet[i].len;
		void *to;

		if (unlikely(!from))
			break;
		to = nb_rx_run_place(&run, i, len);
		if (unlikely(!to))
			break;
		memcpy(to, from, len);
		bytes += len;
		nb_rx_run_complete(&run, i, len, 0);
	}
	nb_rx_run_end(queue, i, bytes);
	return i;
}
EXPORT_SYMBOL_GPL(nb_rx_put_singles);

void nb_rx_too_small(struct nb_queue *queue)
{
	queue->rx_counts.too_small++;
	nb_trace_drop(queue, NB_TRACE_RX, NB_DROP_TOO_SMALL);
}
EXPORT_SYMBOL_GPL(nb_rx_too_small);

void nb_rx_no_buffer(struct nb_queue *queue)
{
	queue->rx_counts.no_buffer++;
	nb_trace_drop(queue, NB_TRACE_RX, NB_DROP_NO_BUFFER);
}
EXPORT_SYMBOL_GPL(nb_rx_no_buffer);

/* The last @n entries of rx-done, which the kernel alone can write. */
static noinline void nb_rx_trace(const struct nb_queue *queue, unsigned int n)
{
	const struct nb_ring *done = &queue->rx_done;
	const struct nb_rx_metadata *entries = done->entries;

	while (n--)
		trace_nb_rx_packet(queue, &entries[(done->pos - 1 - n) & done->mask]);
}

static __always_inline bool __nb_rx_publish(struct nb_queue *queue)
{
	struct nb_buffer *buffer = &queue->buffer;

	/* First the counters: who has seen a packet finds it counted. */
	nb_queue_add_rx(queue);
	if (!buffer->unpublished)
		return false;
	if (trace_nb_rx_packet_enabled())
		nb_rx_trace(queue, buffer->unpublished);
	buffer->unpublished = 0;
	/* The buffer at hand may yet be given back. */
	nb_ring_publish_but(&queue->rx_avail, buffer->n_segs);
	nb_ring_publish(&queue->rx_done);
	return true;
}

bool nb_rx_publish(struct nb_queue *queue)
{
	return __nb_rx_publish(queue);
}
EXPORT_SYMBOL_GPL(nb_rx_publish);

void nb_rx_flush(struct nb_queue *queue)
{
	if (__nb_rx_publish(queue))
		nb_notify(queue, NB_NEED_NOTIFY_RX);
}
EXPORT_SYMBOL_GPL(nb_rx_flush);

/*
 * Say that the backend waits for buffers.  With a poller, which looks for them by itself
 * unless it sleeps, that is not the frontend's concern: see poll_thread.c.
 */
static void nb_rx_want(struct nb_queue *queue)
{
	atomic_or(NB_NEED_WAKEUP_RX, queue->rx_wanted);
	smp_mb__after_atomic(); /* (F') of poll_thread.c */
	if (unlikely(READ_ONCE(queue->thread)) && READ_ONCE(queue->thread_asleep)) {
		atomic_or(NB_NEED_WAKEUP_RX, queue->need_wakeup);
		smp_mb__after_atomic(); /* pairs with the frontend's, see nb_rx_wait() */
	}
}

/* Return: whether it waited. */
static bool nb_rx_unwant(struct nb_queue *queue)
{
	bool was = atomic_fetch_andnot(NB_NEED_WAKEUP_RX, queue->rx_wanted) &
		   NB_NEED_WAKEUP_RX;

	if (unlikely(READ_ONCE(queue->thread)))
		atomic_andnot(NB_NEED_WAKEUP_RX, queue->need_wakeup);
	return was;
}

/* Put the buffer at hand back into the ring, as if it had not been taken. */
static void nb_rx_give_back(struct nb_queue *queue)
{
	static const struct nb_rx_metadata nothing;
	struct nb_buffer *buffer = &queue->buffer;

	if (queue->rx_cache.logged)
		nb_rx_log(queue, &nothing);
	queue->rx_avail.pos -= buffer->n_segs;
	buffer->n_segs = 0;
	buffer->i = 0;
	buffer->offset = 0;
}

bool nb_rx_quiesce(struct nb_queue *queue)
{
	if (nb_event_change_state(queue, NB_QUEUE_RUNNING, NB_QUEUE_QUIESCED) !=
	    NB_QUEUE_RUNNING)
		return false;
	trace_nb_queue_state(queue, NB_QUEUE_RUNNING, NB_QUEUE_QUIESCED);
	nb_rx_begin(queue);
	nb_rx_give_back(queue);
	nb_rx_publish(queue);
	if (queue->ops->rx_avail)
		nb_rx_want(queue);
	return true;
}
EXPORT_SYMBOL_GPL(nb_rx_quiesce);

void nb_rx_ask(struct nb_queue *queue)
{
	nb_rx_want(queue);
	queue->rx_counts.no_buffer++;
	trace_nb_rx_wait(queue);
	nb_queue_add_rx(queue);
}
EXPORT_SYMBOL_GPL(nb_rx_ask);

bool nb_rx_waiting(const struct nb_queue *queue)
{
	return atomic_read(queue->rx_wanted) & NB_NEED_WAKEUP_RX;
}
EXPORT_SYMBOL_GPL(nb_rx_waiting);

bool nb_rx_wait(struct nb_queue *queue)
{
	/*
	 * Its fence pairs with that of the frontend between publishing its index and
	 * reading need_wakeup: either it sees the bit, or we see its buffers.
	 */
	nb_rx_want(queue);
	if (!nb_rx_peek(queue)) {
		queue->rx_counts.no_buffer++;
		trace_nb_rx_wait(queue);
		return true;
	}
	nb_rx_unwant(queue);
	return false;
}
EXPORT_SYMBOL_GPL(nb_rx_wait);

bool nb_rx_stop_waiting(struct nb_queue *queue)
{
	return nb_rx_waiting(queue) && nb_rx_unwant(queue);
}
EXPORT_SYMBOL_GPL(nb_rx_stop_waiting);
