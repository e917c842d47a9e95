/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zero-copy transmit: packets whose payload the host's stack reads where it is, in guest
 * memory, and which are completed when it is done with them.
 *
 *	nb_zerocopy_take()	in ops->tx: is this packet to be one; a slot for it
 *	nb_zerocopy_start()	the skb refers to guest memory, the slot to the skb
 *	nb_zerocopy_sent()	in nb_tx_complete(), instead of a completion
 *	nb_zerocopy_reap()	once a batch: complete those that have come back
 */
#ifndef _NB_ZEROCOPY_H
#define _NB_ZEROCOPY_H

#include <linux/minmax.h>
#include <linux/types.h>

#include "queue.h"
#include "ring.h"

struct nb_packet;
struct nb_zerocopy_slot;
struct sk_buff;

/* Shorter packets cost less to copy, or hardly more: see Documentation/rings.rst. */
#define NB_ZEROCOPY_MIN		4096

/**
 * nb_zerocopy_attach() - make a queue able to do it
 * @queue: a new queue with NB_QUEUE_ZEROCOPY_TX
 *
 * Process context.
 *
 * Return: 0 or -ENOMEM.
 */
int nb_zerocopy_attach(struct nb_queue *queue);

/**
 * nb_zerocopy_detach() - what is in flight has nobody to come back to any more
 * @queue: the queue, which nobody drives any more
 *
 * Does not wait for it: the pages stay for as long as the stack refers to them.  Process
 * context.
 */
void nb_zerocopy_detach(struct nb_queue *queue);

/**
 * nb_zerocopy_take() - decide about a packet of NB_ZEROCOPY_MIN bytes or more
 * @queue: a queue with &nb_queue.zerocopy, in ops->tx
 *
 * Return: a slot, for nb_zerocopy_start() or nb_zerocopy_give_back(); or NULL: the packet
 * is to be copied.
 */
struct nb_zerocopy_slot *nb_zerocopy_take(struct nb_queue *queue);

/* The packet is none that can be sent without a copy, after all. */
void nb_zerocopy_give_back(struct nb_queue *queue, struct nb_zerocopy_slot *slot);

/**
 * nb_zerocopy_start() - from now on the packet is in flight
 * @queue: the queue, in ops->tx
 * @slot: its slot
 * @packet: a packet of the batch, which the kind then takes
 * @skb: holds a reference to each page of guest memory that it has as a fragment
 */
void nb_zerocopy_start(struct nb_queue *queue, struct nb_zerocopy_slot *slot,
		       const struct nb_packet *packet, struct sk_buff *skb);

/* The kind has taken the packet; the completion is to have this status. */
void nb_zerocopy_sent(struct nb_zerocopy_slot *slot, u16 status);

/* Slow path of nb_zerocopy_pending(). */
unsigned int __nb_zerocopy_pending(const struct nb_queue *queue);

/* Packets in flight, each of which needs an entry of tx-done.  Under tx_lock. */
static inline unsigned int nb_zerocopy_pending(const struct nb_queue *queue)
{
	return unlikely(queue->zerocopy) ? __nb_zerocopy_pending(queue) : 0;
}

/* Completions for which there is room in tx-done, besides those of what is in flight. */
static inline unsigned int nb_tx_room(const struct nb_queue *queue)
{
	unsigned int room = nb_ring_room(&queue->tx_done);

	/* A frontend that takes its index back may leave less than is reserved. */
	return room - min(room, nb_zerocopy_pending(queue));
}

/* Slow path of nb_zerocopy_reap(). */
unsigned int __nb_zerocopy_reap(struct nb_queue *queue);

/**
 * nb_zerocopy_reap() - complete what has come back
 * @queue: the queue, under its tx_lock
 *
 * Return: packets that were completed into tx-done, and published.
 */
static inline unsigned int nb_zerocopy_reap(struct nb_queue *queue)
{
	return unlikely(queue->zerocopy) ? __nb_zerocopy_reap(queue) : 0;
}

/**
 * nb_zerocopy_settle() - wait until nothing is in flight any more
 * @queue: the queue, under its tx_lock, which is let go of while it waits
 * @timeout_ns: for so long at most, or NB_NO_TIMEOUT
 *
 * Copies what is sent meanwhile.  Process context.
 *
 * Return: 0: nothing is in flight, or the queue has stopped meanwhile; -ETIME or -EINTR: it
 * runs, and something is.
 */
int nb_zerocopy_settle(struct nb_queue *queue, u64 timeout_ns);

/**
 * nb_zerocopy_leave() - complete what is in flight as it is, and wait for it no more
 * @queue: a queue with &nb_queue.zerocopy, under its tx_lock, that runs
 * @left: out: packets whose payload may still be read
 *
 * The queue gets new slots.  Process context.
 *
 * Return: what is for nb_zerocopy_left(), or NULL: no memory, and nothing has been done.
 */
struct nb_zerocopy *nb_zerocopy_leave(struct nb_queue *queue, unsigned int *left);

/* After that, without tx_lock: let go of the former slots.  Process context, may sleep. */
void nb_zerocopy_left(struct nb_zerocopy *zc);

#endif /* _NB_ZEROCOPY_H */
