/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When to wake whom: the frontend, after entries were published for it.
 */
#ifndef _NB_NOTIFY_H
#define _NB_NOTIFY_H

#include <linux/types.h>

struct eventfd_ctx;
struct nb_queue;

/**
 * nb_notify() - entries were published; wake the frontend if it wants that
 * @queue: the queue
 * @what: NB_NEED_NOTIFY_TX or NB_NEED_NOTIFY_RX
 *
 * Once a batch; now or, as moderation.c says, later.  Any context in which bottom halves
 * are off, or, for NB_NEED_NOTIFY_TX, process context.
 */
void nb_notify(struct nb_queue *queue, u32 what);

/* The same now, and for both.  Same context. */
void nb_notify_now(struct nb_queue *queue, u32 what);

/* Whether nb_notify() would wake anybody, for who does that later.  Same context. */
bool nb_notify_wanted(struct nb_queue *queue, u32 what);

/* The queue's state has changed: wake all that wait for whatever.  Any context. */
void nb_notify_state(struct nb_queue *queue);

/**
 * nb_notify_set_call() - replace the call eventfd
 * @queue: the queue
 * @call: the new one, or NULL; the queue takes the caller's reference
 *
 * Under &nb_queue.doorbell_lock, process context, may sleep.
 */
void nb_notify_set_call(struct nb_queue *queue, struct eventfd_ctx *call);

#endif /* _NB_NOTIFY_H */
