/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Notification moderation: when a frontend that wants to be woken is woken later.
 */
#ifndef _NB_MODERATION_H
#define _NB_MODERATION_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/types.h>

struct nb_msg;
struct nb_queue;
struct nb_queue_moderation;

/**
 * struct nb_moderation - of one direction; see &struct nb_queue_moderation
 * @usecs: microseconds that a notification is held back at most; 0: none is
 * @frames: entries that end that
 * @adaptive: only while the frontend is busy
 * @told: index of the done ring up to which the frontend was notified last
 * @held: a notification is held back
 * @timer: ends that
 *
 * The first three are written in process context, under a lock of moderation.c, and read by
 * whoever notifies.
 */
struct nb_moderation {
	u32 usecs;
	u32 frames;
	bool adaptive;
	u32 told;
	atomic_t held;
	struct hrtimer timer;
};

/* When a queue is made and, after its backend has let go of it, unmade. */
void nb_moderation_init(struct nb_queue *queue);
void nb_moderation_exit(struct nb_queue *queue);

/* What a new queue has. */
extern const struct nb_queue_moderation nb_moderation_default;

/* Whether it is possible: 0 or -EINVAL. */
int nb_moderation_check(const struct nb_queue_moderation *arg, struct nb_msg *msg);

/* Set what has been checked, and read it.  Process context. */
void nb_moderation_set(struct nb_queue *queue, const struct nb_queue_moderation *arg);
void nb_moderation_get(const struct nb_queue *queue, struct nb_queue_moderation *arg);

/**
 * nb_moderation_holds() - entries were published that the frontend wants to know of
 * @queue: the queue
 * @what: NB_NEED_NOTIFY_TX or NB_NEED_NOTIFY_RX
 *
 * The context of nb_notify().
 *
 * Return: true if the notification is held back: then a timer sees to it.
 */
bool nb_moderation_holds(struct nb_queue *queue, u32 what);

/* Hold nothing back any more, for who has woken the frontend anyway.  Process context. */
void nb_moderation_cancel(struct nb_queue *queue);

#endif /* _NB_MODERATION_H */
