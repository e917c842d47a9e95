/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The thread that drives a queue when the frontend does not call ENTER: after a kick, or to
 * go on (poller.c), or all the time (poll_thread.c).
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
 * nb_poller_create_thread() - make the thread of a queue that is to go on by itself
 * @queue: the queue, for which nb_poller_go_on() is to work
 * @endpoint_id: for the thread's name
 * @msg: says why not
 *
 * Before nb_poller_start(); does nothing if the queue has a thread.  Process context of who
 * pays for it.
 *
 * Return: 0 or an errno.
 */
int nb_poller_create_thread(struct nb_queue *queue, u32 endpoint_id, struct nb_msg *msg);

/* The queue has its backend: its thread begins, if it has one. */
void nb_poller_start(struct nb_queue *queue);

/* When this returns, the threads are gone, whether they had begun or not. */
void nb_poller_stop(struct nb_queue *queue);

/**
 * nb_poller_go_on() - have the queue's thread drive it as ENTER without flags does
 * @queue: the queue, which may be about to lose its thread: then nothing happens
 *
 * For a backend that has taken no more, and now would; for packets that have come back.  Any
 * context.
 */
void nb_poller_go_on(struct nb_queue *queue);

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

#endif /* _NB_POLLER_H */
