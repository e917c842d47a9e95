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
struct poll_table_struct;

/**
 * struct nb_actions - the actions of one endpoint that have not been read
 * @lock: under which the others are written, and read together, so that they fit each other;
 *	a look at one takes none; innermost, any context
 * @wait: who sleeps in read() or poll()
 * @restart: a restart is required
 * @link_changed: @link_up has changed since it was read last
 * @link_up: the link's state, of the next two
 * @backend_up: the backend can carry packets
 * @admin_down: the operator wants the link to be down
 * @gone: the backend is gone for good
 */
struct nb_actions {
	spinlock_t lock; /* all of this */
	wait_queue_head_t wait;
	bool restart;
	bool link_changed;
	bool link_up;
	bool backend_up;
	bool admin_down;
	bool gone;
};

/* For a new endpoint, whose backend's link has a first state. */
void nb_actions_init(struct nb_actions *actions, bool backend_up);

/* Add RestartRequired.  Any context. */
void nb_actions_add_restart(struct nb_actions *actions);

/*
 * What the link's state is made of; adds LinkStatusNotify if it changes.  Any context.
 * Return: whether it does.
 */
bool nb_actions_set_backend_link(struct nb_actions *actions, bool up);
void nb_actions_set_admin_link(struct nb_actions *actions, bool up);

/* The link's state.  Any context. */
bool nb_actions_link_up(const struct nb_actions *actions);

/* The backend is one that is gone for good: poll() says POLLHUP; or another.  Any context. */
void nb_actions_set_gone(struct nb_actions *actions, bool gone);

/*
 * The backend is gone for good: the link's end, if it was up, RestartRequired and POLLHUP, all at
 * once.  Any context.
 * Return: whether the link changes.
 */
bool nb_actions_end(struct nb_actions *actions);

/* read() and poll() of the endpoint fd. */
ssize_t nb_actions_read(struct nb_actions *actions, char __user *buf, size_t size,
			bool nonblock);
__poll_t nb_actions_poll(struct nb_actions *actions, struct file *file,
			 struct poll_table_struct *table);

#endif /* _NB_ACTIONS_H */
