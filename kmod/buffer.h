/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive: buffers in rx-avail take packets that a kind brings.
 *
 *	nb_rx_begin()     once a packet or batch, in the RCU read section
 *	nb_rx_peek()      is there a buffer, and how large is it
 *	  nb_rx_write()   put the packet into it, piece by piece
 *	nb_rx_complete()  describe it in rx-done
 *	nb_rx_flush()     once a batch: publish, count, notify; or nb_rx_publish(), and
 *			  nb_notify() later
 *
 * A kind makes sure that one context at a time does this for a queue, by a lock that
 * it has anyway: netdev by the transmit queue's, loopback by &nb_queue.tx_lock.
 * Bottom halves are off.  nb_rx_write() to nb_rx_complete() are in one RCU read
 * section that began with nb_rx_begin().
 */
#ifndef _NB_BUFFER_H
#define _NB_BUFFER_H

#include <linux/types.h>

#include <linux/net_backend.h>

#include "mem.h"

struct nb_queue;

/**
 * struct nb_buffer_segment - a segment of the buffer at hand
 * @gpa: guest-physical address
 * @va: where it is in the direct map, or NULL where it is not contiguous
 * @len: bytes
 */
struct nb_buffer_segment {
	u64 gpa;
	void *va;
	u32 len;
};

/**
 * struct nb_buffer - the receive buffer at hand, copied from the ring and checked
 * @n_segs: entries of @seg; 0: there is none at hand
 * @capacity: bytes
 * @id: its RxId
 * @i: segment that nb_rx_write() goes on in
 * @offset: in that segment
 * @unpublished: entries of rx-done that nb_rx_flush() publishes
 * @seg: its segments
 */
struct nb_buffer {
	unsigned int n_segs;
	u32 capacity;
	u32 id;
	unsigned int i;
	u32 offset;
	unsigned int unpublished;
	struct nb_buffer_segment seg[NB_MAX_SEGMENTS];
};

/**
 * nb_rx_begin() - in a new RCU read section: make the buffer at hand usable
 * @queue: the queue
 */
void nb_rx_begin(struct nb_queue *queue);

/* Slow path of nb_rx_peek(), which is in queue.h: none is at hand. */
u32 nb_rx_next(struct nb_queue *queue);

/**
 * nb_rx_write() - append to the packet in the buffer at hand
 * @queue: the queue, with a buffer at hand
 * @from: bytes
 * @len: how many; all of a packet is at most the buffer's capacity
 */
void nb_rx_write(struct nb_queue *queue, const void *from, u32 len);

/**
 * nb_rx_rewrite() - write the first bytes of the packet in the buffer at hand again
 * @queue: the queue, with a buffer at hand
 * @from: bytes
 * @len: how many, not more than have been written
 *
 * For who has looked at a copy of them: what the sender has made of them since then does
 * not arrive.
 */
void nb_rx_rewrite(struct nb_queue *queue, const void *from, u32 len);

/**
 * nb_rx_complete() - the packet is in the buffer at hand
 * @queue: the queue
 * @meta: describes it; @id is filled in
 */
void nb_rx_complete(struct nb_queue *queue, struct nb_rx_metadata *meta);

/**
 * nb_rx_put() - nb_rx_peek(), nb_rx_write(), nb_rx_complete(), for a packet in one piece
 * @queue: the queue, with no packet begun
 * @from: the packet, of @meta->len bytes
 * @meta: describes it; @id is filled in
 *
 * One that is longer than the buffer is dropped, see nb_rx_too_small().
 *
 * Return: false if there is no buffer, or no room.
 */
bool nb_rx_put(struct nb_queue *queue, const void *from, struct nb_rx_metadata *meta);

/**
 * nb_rx_put_singles() - put packets that the queue's own guest sends into its buffers
 * @queue: the queue, with no packet begun
 * @first: number in &nb_queue.batch of the first one; none has changed since the fetch
 *
 * Only packets of &nb_tx_batch.completed in one piece, as long as there are buffers of one
 * segment that hold them, as far as has been seen before.  The others are for nb_rx_put().
 *
 * Return: packets.
 */
unsigned int nb_rx_put_singles(struct nb_queue *queue, unsigned int first);

/**
 * nb_rx_too_small() - the packet was dropped: it is longer than the buffer at hand
 * @queue: the queue
 */
void nb_rx_too_small(struct nb_queue *queue);

/**
 * nb_rx_no_buffer() - the packet was dropped: nb_rx_peek() has found no buffer
 * @queue: the queue
 */
void nb_rx_no_buffer(struct nb_queue *queue);

/**
 * nb_rx_publish() - publish what has been completed
 * @queue: the queue
 *
 * Return: whether there was something, so that the frontend is to be woken.
 */
bool nb_rx_publish(struct nb_queue *queue);

/**
 * nb_rx_flush() - publish what has been completed, and wake the frontend
 * @queue: the queue
 */
void nb_rx_flush(struct nb_queue *queue);

/**
 * nb_rx_wait() - ask the frontend for buffers, after nb_rx_peek() found none
 * @queue: the queue
 *
 * From now on, ops->rx_avail is called when the frontend has done something about
 * it.  What the kind does to stop, it does before this call.
 *
 * Return: false if there is a buffer after all: then nothing was asked.
 */
bool nb_rx_wait(struct nb_queue *queue);

/* The same without looking, for a new queue, which cannot have buffers yet. */
void nb_rx_ask(struct nb_queue *queue);

/**
 * nb_rx_quiesce() - from now on the queue is quiesced
 * @queue: the queue
 *
 * For ops->quiesce.  Gives back the buffer at hand, publishes what has been completed,
 * and asks the frontend for buffers, so that ops->rx_avail makes the kind go on when the
 * queue is resumed.  Bottom halves are off, in an RCU read section.
 *
 * Return: false if the queue was not running: then nothing has been done.
 */
bool nb_rx_quiesce(struct nb_queue *queue);

/* Is the frontend being asked for buffers?  Any context. */
bool nb_rx_waiting(const struct nb_queue *queue);

/**
 * nb_rx_stop_waiting() - is the frontend being asked for buffers; and stop asking
 * @queue: the queue
 *
 * For ops->rx_avail, which then makes the kind go on.
 *
 * Return: whether it was.
 */
bool nb_rx_stop_waiting(struct nb_queue *queue);

#endif /* _NB_BUFFER_H */
