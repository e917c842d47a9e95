/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an endpoint has to tell its frontend: the records that read() returns.
 */
#ifndef _NB_ACTIONS_H
#define _NB_ACTIONS_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

struct file;
struct iov_iter;

/**
 * struct nb_actions - the actions of one endpoint that have not been read
 * @lock: protects the others; innermost, any context
 * @wait: who sleeps in read() or poll()
 * @restart: a restart is required
 * @link_changed: the link's state has changed
 * @link_up: to this
 * @gone: the backend is gone for good
 */
struct nb_actions {
	spinlock_t lock; /* all of this */
	wait_queue_head_t wait;
	bool restart;
	bool link_changed;
	bool link_up;
	bool gone;
};

void nb_actions_init(struct nb_actions *actions);

/* Add an action.  Any context. */
void nb_actions_add_restart(struct nb_actions *actions);
void nb_actions_add_link(struct nb_actions *actions, bool up);

/* The backend is gone for good: poll() says POLLHUP.  Any context. */
void nb_actions_set_gone(struct nb_actions *actions);

/* read() and poll() of the endpoint fd. */
ssize_t nb_actions_read(struct nb_actions *actions, char __user *buf, size_t size,
			bool nonblock);
__poll_t nb_actions_poll(struct nb_actions *actions, struct file *file,
			 struct poll_table_struct *table);

#endif /* _NB_ACTIONS_H */
