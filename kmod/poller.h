/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who drives a queue when the frontend does not call ENTER: a worker, after a kick.
 */
#ifndef _NB_POLLER_H
#define _NB_POLLER_H

struct nb_msg;
struct nb_queue;

/* Once, when the module is loaded and unloaded. */
int nb_poller_init(void);
void nb_poller_exit(void);

/* When a queue is made and, before its backend lets go of it, unmade. */
void nb_poller_attach(struct nb_queue *queue);
void nb_poller_detach(struct nb_queue *queue);

/**
 * nb_poller_set_eventfds() - NB_QUEUE_SET_EVENTFDS
 * @queue: the queue
 * @kick_fd: eventfd that makes the worker run, or -1
 * @call_fd: eventfd for nb_notify(), or -1
 * @msg: says why not
 *
 * Process context.
 *
 * Return: 0, or -EBADF or -EINVAL: then both eventfds are as before.
 */
int nb_poller_set_eventfds(struct nb_queue *queue, int kick_fd, int call_fd,
			   struct nb_msg *msg);

#endif /* _NB_POLLER_H */
