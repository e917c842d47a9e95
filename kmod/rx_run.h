/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive: a run of packets, each in one piece, into buffers of one segment each, as most
 * are: their entries are read from the ring, and described in rx-done, one behind the other.
 *
 *	nb_rx_run_begin()	how many at the most
 *	nb_rx_run_place()	for each: where it goes, or that the run ends in front of it
 *	nb_rx_run_complete()	describe it
 *	nb_rx_run_end()		that many it were
 *
 * The others are for nb_rx_peek() and its companions; see buffer.h for what the caller has to
 * hold.  An entry's words are each read once, and checked in registers.
 */
#ifndef _NB_RX_RUN_H
#define _NB_RX_RUN_H

#include <linux/compiler.h>
#include <linux/minmax.h>

#include "capture.h"
#include "queue.h"
#include "region.h"

/**
 * struct nb_rx_run - packets that are put into buffers
 * @entry: the buffers
 * @done: their places in rx-done
 * @region: memory that they have to lie in: where the last one lay
 */
struct nb_rx_run {
	const struct nb_rx_segment *entry;
	struct nb_rx_metadata *done;
	const struct nb_region *region;
};

/**
 * nb_rx_run_begin() - begin a run
 * @queue: the queue
 * @run: out
 * @n: packets that there are
 *
 * Buffers that have not been seen yet are not looked for.
 *
 * Return: packets at the most, before a ring ends or wraps; 0: none.
 */
static __always_inline unsigned int nb_rx_run_begin(struct nb_queue *queue,
						    struct nb_rx_run *run, unsigned int n)
{
	struct nb_ring *avail = &queue->rx_avail, *done = &queue->rx_done;

	run->entry = nb_ring_at(avail, sizeof(*run->entry));
	run->done = nb_ring_at(done, sizeof(*run->done));
	run->region = queue->rx_cache.region;
	if (unlikely(queue->buffer.n_segs || queue->rx_cache.logged || run->region->read_only) ||
	    nb_capturing(queue))
		return 0;
	n = min3(n, nb_ring_pending(avail), nb_ring_room(done));
	return min3(n, nb_ring_till_end(avail), nb_ring_till_end(done));
}

/**
 * nb_rx_run_place() - where packet @i of the run goes
 * @run: the run
 * @i: from 0
 * @len: bytes of the packet, not 0
 *
 * Return: an address for @len bytes, or NULL: the run ends in front of it.
 */
static __always_inline void *nb_rx_run_place(const struct nb_rx_run *run, unsigned int i,
					     u32 len)
{
	u64 gpa = READ_ONCE(run->entry[i].gpa);
	u32 room = READ_ONCE(run->entry[i].len);

	if (unlikely(len > room || room >= NB_RX_MORE ||
		     !nb_region_covers(run->region, gpa, room)))
		return NULL;
	return nb_region_span(run->region, gpa, len);
}

/* Packet @i of the run is where it goes. */
static __always_inline void nb_rx_run_complete(const struct nb_rx_run *run, unsigned int i,
					       u32 len, u32 hash)
{
	run->done[i] = (struct nb_rx_metadata){
		.id = READ_ONCE(run->entry[i].id),
		.len = len,
		.hash = hash,
	};
}

/* The run has ended: @n packets, @bytes in all.  nb_rx_flush() publishes them. */
static __always_inline void nb_rx_run_end(struct nb_queue *queue, unsigned int n, u64 bytes)
{
	queue->rx_avail.pos += n;
	queue->rx_done.pos += n;
	queue->buffer.unpublished += n;
	queue->rx_counts.packets += n;
	queue->rx_counts.bytes += bytes;
}

#endif /* _NB_RX_RUN_H */
