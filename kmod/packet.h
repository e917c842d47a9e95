/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Transmit: segments in tx-avail become packets that a kind can take.
 *
 *	nb_tx_fetch()     copy a batch of segments out of the ring, check them
 *	  ops->tx()       the kind takes packets, nb_packet_copy() or _next()
 *	nb_tx_complete()  tx-done, counters, tx-avail's index
 */
#ifndef _NB_PACKET_H
#define _NB_PACKET_H

#include <linux/types.h>

#include <linux/net_backend.h>

#include "drop.h"

struct nb_queue;
struct nb_zerocopy_slot;

/* Segments that are fetched at once; a packet of NB_MAX_SEGMENTS fits. */
#define NB_BATCH		128
/* And bytes after which a batch ends: bottom halves are off meanwhile. */
#define NB_BATCH_BYTES		(256 * 1024)

/**
 * struct nb_packet - a packet that the guest sends
 * @seg: its segments, in kernel memory and checked; the first is the head
 * @va: where each of them is in the direct map, or NULL where it is not contiguous
 * @len: bytes
 * @n_segs: segments
 * @status: of &enum nb_tx_status; what is not NB_TX_OK is not to be sent
 * @drop: of &enum nb_drop, why the status is NB_TX_DROPPED; see nb_packet_drop(), without
 *	which it is NB_DROP_BACKEND
 */
struct nb_packet {
	const struct nb_tx_segment *seg;
	void *const *va;
	u32 len;
	u16 n_segs;
	u8 status;
	u8 drop;
};

/* The backend does not take the packet. */
static inline void nb_packet_drop(struct nb_packet *packet, enum nb_drop why)
{
	packet->status = NB_TX_DROPPED;
	packet->drop = why;
}

/**
 * struct nb_tx_batch - a queue's packets in the making
 * @n_packets: entries of @packet
 * @n_segs: entries of @seg that belong to @packet, and to tails that are skipped
 * @completed: that many packets, or 0, each of one segment and without a VLAN tag, have
 *	their completions in tx-done, not yet published, as if they were transmitted
 * @bytes: of those
 * @skip_tails: the last batch ended within a malformed packet, whose other tails are
 *	still in the ring
 * @n_moved: of so many packets @seg and @va may not be of the segment of the same number
 * @packet: the packets
 * @n_slots: entries of @slot that are not NULL
 * @va: see &nb_packet.va
 * @seg: segments as copied from the ring
 * @slot: by the head's place in @seg: packets that go on without being completed, see
 *	zerocopy.h
 */
struct nb_tx_batch {
	unsigned int n_packets;
	unsigned int n_segs;
	unsigned int completed;
	unsigned int n_moved;
	u32 bytes;
	bool skip_tails;
	unsigned int n_slots;
	struct nb_packet packet[NB_BATCH];
	void *va[NB_BATCH];
	struct nb_tx_segment seg[NB_BATCH];
	struct nb_zerocopy_slot *slot[NB_BATCH];
};

/* Make a batch ready for use. */
void nb_tx_batch_init(struct nb_tx_batch *batch);

/**
 * nb_tx_fetch() - make the next batch out of what is in tx-avail
 * @queue: the queue, under its tx_lock, in an RCU read section
 * @max_segs: take at most so many segments from the ring, at least NB_MAX_SEGMENTS
 *
 * Takes no more packets than tx-done has room for, so that a completion is never
 * lost.  Nothing is taken from the ring yet.
 *
 * Return: 0 or -EIO for a broken index.
 */
int nb_tx_fetch(struct nb_queue *queue, unsigned int max_segs);

/* nb_tx_fetch() takes no more than so many of @n segments if they are a packet each. */
unsigned int nb_tx_straight(const struct nb_queue *queue, unsigned int n);

/**
 * nb_tx_complete() - the kind has taken the first @n packets of the batch
 * @queue: the queue, under its tx_lock
 * @n: packets
 * @completed: in/out: packets that were completed into tx-done are added
 *
 * Return: segments that were taken from the ring.
 */
unsigned int nb_tx_complete(struct nb_queue *queue, unsigned int n, u32 *completed);

/**
 * nb_packet_contiguous() - a packet that is one piece of kernel memory, as most are
 * @packet: the packet, with status NB_TX_OK
 *
 * In the RCU read section in which the packet was fetched.
 *
 * Return: its first byte, and all &nb_packet.len bytes can be read from there; or NULL
 * for a packet to walk through by nb_packet_next() or nb_packet_copy().
 */
static inline const void *nb_packet_contiguous(const struct nb_packet *packet)
{
	return packet->n_segs == 1 ? packet->va[0] : NULL;
}

/* discard.c APIs: */

/* &nb_queue_ops.tx of a backend that discards all packets. */
unsigned int nb_tx_discard(struct nb_queue *queue, struct nb_packet *packets,
			   unsigned int n);

/**
 * nb_tx_discard_singles() - discard what is in front in tx-avail, without making packets
 * @queue: the queue, under its tx_lock, in an RCU read section; no tails are skipped
 * @max_segs: take at most so many segments from the ring
 *
 * Takes packets of one segment, without a VLAN tag, with which nothing is wrong: they are
 * completed and counted.  In front of any other it stops.
 *
 * Return: packets, or -EIO for a broken index.
 */
int nb_tx_discard_singles(struct nb_queue *queue, unsigned int max_segs);

/**
 * struct nb_packet_iter - a position in a packet
 * @packet: the packet
 * @i: its segment
 * @offset: in that segment
 */
struct nb_packet_iter {
	const struct nb_packet *packet;
	unsigned int i;
	u32 offset;
};

/**
 * nb_packet_next() - the next bytes that are contiguous in kernel memory
 * @queue: the queue
 * @iter: where; moves behind them
 * @max: at most so many bytes, not 0
 * @len: out: bytes
 *
 * In the RCU read section in which the packet was fetched.
 *
 * Return: their address, or NULL at the end of the packet.
 */
const void *nb_packet_next(struct nb_queue *queue, struct nb_packet_iter *iter, u32 max,
			   u32 *len);

/**
 * nb_packet_copy() - copy bytes of a packet
 * @queue: the queue
 * @iter: from where; moves behind them
 * @to: to where, not guest memory
 * @len: bytes, no more than are left
 *
 * Same context as nb_packet_next().
 */
void nb_packet_copy(struct nb_queue *queue, struct nb_packet_iter *iter, void *to,
		    u32 len);

#endif /* _NB_PACKET_H */
