/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The thread that drives a queue when the frontend does not call ENTER: after a kick
 * (poller.c), or all the time (poll_thread.c).
 */
#ifndef _NB_POLLER_H
#define _NB_POLLER_H

#include <linux/types.h>

struct nb_msg;
struct nb_queue;

/* When a queue is made and, before its backend lets go of it, unmade. */
void nb_poller_attach(struct nb_queue *queue);
void nb_poller_detach(struct nb_queue *queue);

/**
 * nb_poller_set_eventfds() - NB_QUEUE_SET_EVENTFDS
 * @queue: the queue
 * @kick_fd: eventfd that makes the thread run, or -1
 * @call_fd: eventfd for nb_notify(), or -1
 * @msg: says why not
 *
 * Process context of who pays for the thread.
 *
 * Return: 0 or an errno: then both eventfds are as before.
 */
int nb_poller_set_eventfds(struct nb_queue *queue, int kick_fd, int call_fd,
			   struct nb_msg *msg);

/* &nb_queue.target_cpu has changed.  Process context. */
void nb_poller_set_target(struct nb_queue *queue);

/* poll_thread.c APIs: */

/**
 * nb_poll_thread_create() - make the thread of a queue with NB_QUEUE_POLL
 * @queue: the queue
 * @endpoint_id: for the thread's name
 * @idle_us: see &nb_queue_config.poll_idle_us
 * @msg: says why not
 *
 * Process context of who pays for the thread.
 *
 * Return: 0 or an errno.
 */
int nb_poll_thread_create(struct nb_queue *queue, u32 endpoint_id, u32 idle_us,
			  struct nb_msg *msg);

/* The queue has its backend: begin.  Nothing, for a queue without a thread. */
void nb_poll_thread_start(struct nb_queue *queue);

/* When this returns, the thread is gone, whether it had begun or not. */
void nb_poll_thread_stop(struct nb_queue *queue);

#endif /* _NB_POLLER_H */
