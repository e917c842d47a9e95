/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Capture: copies of the packets of an endpoint, for who watches it.
 *
 *	capture.c	takes the copies
 *	capture_fd.c	the fd: makes captures, hands the copies out
 *
 * Nobody captures most of the time: then all that it costs is a static key that is off.
 */
#ifndef _NB_CAPTURE_H
#define _NB_CAPTURE_H

#include <linux/bitops.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <linux/net_backend_capture.h>

#include "packet.h"

struct nb_endpoint;
struct nb_msg;
struct nb_queue;
struct page;

/* On while there are captures. */
DECLARE_STATIC_KEY_FALSE(nb_capture_key);

/**
 * enum nb_capture_state - of an entry of a capture's buffer
 * @NB_CAPTURE_BUSY: the copy is being made, or it is not known yet whether the packet is
 *	taken
 * @NB_CAPTURE_READY: it can be read
 * @NB_CAPTURE_VOID: there is no packet in it
 */
enum nb_capture_state { NB_CAPTURE_BUSY, NB_CAPTURE_READY, NB_CAPTURE_VOID };

/**
 * struct nb_capture_entry - a packet in a capture's buffer
 * @size: bytes up to the next one, a multiple of 8
 * @state: of &enum nb_capture_state
 * @index: on transmit, the packet's number in its batch
 * @reserved: not used
 * @record: what is read, with the packet's bytes behind it
 */
struct nb_capture_entry {
	u32 size;
	u32 state;
	u32 index;
	u32 reserved;
	struct nb_capture_record record;
};

/**
 * struct nb_capture - a capture
 * @node: in the list of all that have an @endpoint; under the mutex of capture_fd.c
 * @endpoint: whose packets, or NULL when that is over; under the same mutex
 * @net_cookie: of the network namespace for which the right was asked
 * @directions: NB_CAPTURE_TX, NB_CAPTURE_RX or both
 * @queue: of this queue, or NB_ANY_QUEUE
 * @snaplen: so many bytes of a packet at most
 * @pages: the buffer's
 * @n_pages: their number, a power of two
 * @data: the buffer; behind its end it begins again, so that entries need not wrap
 * @lock: protects changes of @head, @packets and @lost; nothing is taken inside
 * @head: where the next entry goes; free-running
 * @packets: packets that were taken or placed, those that were lost included
 * @lost: of these, those that found no room
 * @tail: the entry to be read next; free-running; under @read_lock
 * @read_lock: held to read
 * @wait: who waits for an entry that is ready, or for the end
 * @ended: the endpoint is gone, or elsewhere: there will be no more
 */
struct nb_capture {
	struct list_head node;
	struct nb_endpoint *endpoint;
	u64 net_cookie;
	u32 directions;
	u32 queue;
	u32 snaplen;
	struct page **pages;
	unsigned int n_pages;
	void *data;

	spinlock_t lock ____cacheline_aligned_in_smp; /* head, packets, lost */
	unsigned long head;
	u64 packets;
	u64 lost;

	unsigned long tail ____cacheline_aligned_in_smp;
	struct mutex read_lock; /* readers */
	wait_queue_head_t wait;
	bool ended;
};

/* The entry that begins there. */
static inline struct nb_capture_entry *nb_capture_at(const struct nb_capture *capture,
						     unsigned long pos)
{
	return capture->data + (pos & (((unsigned long)capture->n_pages << PAGE_SHIFT) - 1));
}

/**
 * struct nb_capture_batch - the packets of a batch that is offered to the backend
 * @capture: where they are copied to, or NULL
 * @start: their first entry
 * @end: behind the last one
 * @wanted: packets that belong to the capture, by their number in the batch
 * @lost: of these, those that have found no room
 */
struct nb_capture_batch {
	struct nb_capture *capture;
	unsigned long start;
	unsigned long end;
	unsigned long wanted[BITS_TO_LONGS(NB_BATCH)];
	unsigned long lost[BITS_TO_LONGS(NB_BATCH)];
};

/* capture.c APIs, all in an RCU read section with bottom halves off: */

/* Slow path of nb_capturing(). */
bool __nb_capturing(const struct nb_queue *queue);

/* Does somebody capture packets of the queue's endpoint? */
static __always_inline bool nb_capturing(const struct nb_queue *queue)
{
	return static_branch_unlikely(&nb_capture_key) && __nb_capturing(queue);
}

/**
 * nb_capture_offer() - the queue's batch is about to be offered to the backend
 * @queue: the queue, under its tx_lock
 * @copies: out: for nb_capture_taken()
 *
 * The copies are made before the backend has the packets: what it does about them, such as
 * an answer, comes behind them in the capture.
 */
void nb_capture_offer(struct nb_queue *queue, struct nb_capture_batch *copies);

/**
 * nb_capture_taken() - the backend has taken packets of the batch
 * @copies: of nb_capture_offer()
 * @n: the first so many; the copies of the others, which will be offered again, are void
 */
void nb_capture_taken(struct nb_capture_batch *copies, unsigned int n);

/**
 * nb_capture_rx() - a packet is in the queue's buffer at hand
 * @queue: the queue, see buffer.h
 * @meta: describes it
 */
void nb_capture_rx(struct nb_queue *queue, const struct nb_rx_metadata *meta);

/* capture_fd.c APIs, in process context: */

/* NB_CREATE_CAPTURE. */
int nb_capture_create_fd(const struct nb_create_capture *arg, struct nb_msg *msg);

/* The endpoint goes: end its capture, if there is one. */
void nb_capture_end(struct nb_endpoint *endpoint);

/*
 * End the captures of endpoints that are no longer in the network namespace for which the
 * right was asked: after endpoints have moved.  Under rtnl_lock or &nb_endpoint.lock.
 */
void nb_capture_end_moved(void);

#endif /* _NB_CAPTURE_H */
