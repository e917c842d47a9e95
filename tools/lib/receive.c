// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Receive: make buffers available, and reap received packets
 *
 * Owns the producer's index of rx-avail, the consumer's index of rx-done, and the
 * count of buffers that are between the two.
 */
#include "queue.h"

/* Segments of the whole buffers at the beginning of a list that fit into @room. */
static unsigned int whole_buffers(const struct nb_rx_segment *segments, unsigned int room)
{
	while (room && segments[room - 1].len & NB_RX_MORE)
		room--;
	return room;
}

static uint32_t count_buffers(const struct nb_rx_segment *segments, unsigned int n)
{
	uint32_t any = 0, more = 0;
	unsigned int i;

	/* most are one segment, and that is found out in larger steps */
	for (i = 0; n - i >= 4; i += 4)
		any |= segments[i].len | segments[i + 1].len | segments[i + 2].len |
		       segments[i + 3].len;
	for (; i < n; i++)
		any |= segments[i].len;
	if (nb_likely(!(any & NB_RX_MORE)))
		return n;

	for (i = 0; i < n; i++)
		more += !!(segments[i].len & NB_RX_MORE);
	return n - more;
}

int nb_queue_rx_avail(struct nb_queue *queue, const struct nb_rx_segment *segments,
		      unsigned int n)
{
	struct nb_ring *avail = &queue->rx_avail;
	unsigned int taken = n;
	uint32_t room;
	int err;

	if (nb_unlikely(n && segments[n - 1].len & NB_RX_MORE))
		return nb_fail_text(EINVAL, "the last segment of the list has NB_RX_MORE");
	err = nb_queue_check_state(queue);
	if (nb_unlikely(err))
		return err;

	room = nb_ring_room(avail, n);
	if (nb_unlikely(room > avail->n_entries))
		return nb_ring_fail();
	if (nb_unlikely(room < n)) {
		taken = whole_buffers(segments, room);
		if (!taken && room == avail->n_entries)
			return nb_fail(EINVAL, "a buffer of more than %u segments for a ring of %u",
				       room, room);
	}
	if (!taken)
		return 0;

	nb_ring_write(avail, segments, taken, sizeof(*segments));
	queue->rx_outstanding += count_buffers(segments, taken);
	nb_ring_advance(avail, taken);

	if (nb_queue_wakes(queue, NB_NEED_WAKEUP_RX)) {
		err = nb_queue_tell(queue, NB_ENTER_RX);
		if (nb_unlikely(err))
			return err;
	}
	return (int)taken;
}

int nb_queue_rx_poll(struct nb_queue *queue, struct nb_rx_metadata *packets, unsigned int n)
{
	struct nb_ring *ring = &queue->rx_done;
	bool was_full;
	int ready;

	ready = nb_done_ready(queue, ring, n);
	if (ready <= 0)
		return ready;
	nb_ring_read(ring, packets, (uint32_t)ready, sizeof(*packets));

	/*
	 * With no more buffers on their way than rx-done holds, it was never full as
	 * long as the backend had a buffer.  Else it may wait for room.
	 */
	was_full = queue->rx_outstanding > ring->n_entries;
	queue->rx_outstanding -= (uint32_t)ready;
	nb_ring_advance(ring, (uint32_t)ready);
	if (nb_unlikely(was_full) && nb_queue_wakes(queue, NB_NEED_WAKEUP_RX))
		nb_queue_tell(queue, NB_ENTER_RX);	/* what failed, the next call tells */
	return ready;
}
