// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Transmit: post packets, and reap their completions
 *
 * Owns the producer's index of tx-avail, the consumer's index of tx-done, and the
 * count of packets that are between the two.
 */
#include "queue.h"

/* Whole packets at the beginning of a checked list that fit into @room entries. */
static unsigned int whole_packets(const struct nb_tx_segment *segments, unsigned int room,
				  uint32_t *packets)
{
	unsigned int fit = 0;

	*packets = 0;
	while (fit + segments[fit].segment_count <= room) {
		fit += segments[fit].segment_count;
		(*packets)++;
	}
	return fit;
}

/* Do all of these completions, which follow each other in memory, say NB_TX_OK? */
static bool all_ok(const struct nb_tx_completion *done, uint32_t n)
{
	uint32_t status = NB_TX_OK;

	for (; n >= 4; n -= 4, done += 4)
		status |= done[0].status | done[1].status | done[2].status | done[3].status;
	while (n--)
		status |= done++->status;
	return status == NB_TX_OK;
}

/* Do the first @packets completions in the ring, which are there, say NB_TX_OK? */
static bool transmitted(const struct nb_ring *done, uint32_t packets)
{
	uint32_t to_end = nb_min_u32(packets, done->n_entries - (done->own & done->mask));
	const struct nb_tx_completion *completion;
	uint32_t i;

	if (nb_likely(!done->extra))
		return all_ok(nb_ring_entry(done, done->own), to_end) &&
		       all_ok(nb_ring_entry(done, 0), packets - to_end);
	for (i = 0; i < packets; i++) {
		completion = nb_ring_entry(done, done->own + i);
		if (completion->status != NB_TX_OK)
			return false;
	}
	return true;
}

/*
 * If the @packets of this call are all that was outstanding, and all have been
 * transmitted, give back their completions.
 */
static bool drop_completions(struct nb_queue *queue, uint32_t packets)
{
	struct nb_ring *done = &queue->tx_done;

	if (queue->tx_outstanding != packets)
		return false;	/* earlier ones are to be reported by tx_poll */
	if (!packets)
		return true;
	if (nb_ring_ready(done, packets) != packets || nb_unlikely(!transmitted(done, packets)))
		return false;
	queue->tx_outstanding = 0;
	nb_ring_advance(done, packets);
	return true;
}

int nb_queue_tx_avail(struct nb_queue *queue, const struct nb_tx_segment *segments,
		      unsigned int n, bool *synchronous)
{
	struct nb_ring *avail = &queue->tx_avail;
	uint32_t packets, room;
	unsigned int taken = n;
	int err;

	if (synchronous)
		*synchronous = false;
	err = nb_packet_count(segments, n);
	if (nb_unlikely(err < 0))
		return err;
	packets = (uint32_t)err;
	err = nb_queue_check_state(queue);
	if (nb_unlikely(err))
		return err;

	room = nb_ring_room(avail, n);
	if (nb_unlikely(room > avail->n_entries))
		return nb_ring_fail();
	if (nb_unlikely(room < n)) {
		taken = whole_packets(segments, room, &packets);
		if (!taken && room == avail->n_entries)
			return nb_fail(EINVAL, "a packet of %u segments for a ring of %u",
				       segments[0].segment_count, room);
	}

	if (nb_likely(taken)) {
		nb_ring_write(avail, segments, taken, sizeof(*segments));
		queue->tx_outstanding += packets;
		nb_ring_advance(avail, taken);
	}

	/* also when nothing fits: the backend may take now what it did not before */
	if (nb_queue_wakes(queue, NB_NEED_WAKEUP_TX)) {
		err = nb_queue_tell(queue, NB_ENTER_TX);
		if (nb_unlikely(err))
			return err;
	}
	if (synchronous && queue->kick_fd < 0)
		*synchronous = drop_completions(queue, packets);
	return (int)taken;
}

int nb_queue_tx_poll(struct nb_queue *queue, struct nb_tx_completion *done, unsigned int n)
{
	struct nb_ring *ring = &queue->tx_done;
	bool was_full;
	int ready;

	ready = nb_done_ready(queue, ring, n);
	if (ready <= 0)
		return ready;
	nb_ring_read(ring, done, (uint32_t)ready, sizeof(*done));

	/*
	 * With no more packets on their way than tx-done holds, it was never full.
	 * Else the kernel may have left segments in tx-avail for want of room.
	 */
	was_full = queue->tx_outstanding > ring->n_entries;
	queue->tx_outstanding -= (uint32_t)ready;
	nb_ring_advance(ring, (uint32_t)ready);
	if (nb_unlikely(was_full) && nb_queue_wakes(queue, NB_NEED_WAKEUP_TX) &&
	    nb_ring_room(&queue->tx_avail, queue->tx_avail.n_entries) !=
	    queue->tx_avail.n_entries)
		nb_queue_tell(queue, NB_ENTER_TX);	/* what failed, the next call tells */
	return ready;
}
