/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An endpoint: one NIC's frontend half, and the backend that it has.
 */
#ifndef _NB_ENDPOINT_H
#define _NB_ENDPOINT_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include <linux/net_backend.h>

#include "actions.h"
#include "kind.h"

struct file;
struct nb_queue;
struct pid;

/**
 * struct nb_endpoint - an endpoint
 * @ref: held by the fd and by each queue
 * @id: number, in nb_endpoints
 * @name: as it was given
 * @mac: as it was given, or random
 * @max_queues: most queues of one get_queues
 * @net_cookie: of the network namespace that it was made for
 * @creator: thread group that made it
 * @lock: held to make and unmake queues and to look at them; inside it, rtnl_lock may
 *	be taken.  User memory is not touched under it: that can take for ever
 * @backend: the backend
 * @queues: by index; NULL: none.  Under @lock
 * @n_slots: entries of @queues, under @lock
 * @n_queues: queues that exist, under @lock
 * @actions: what the frontend has not read yet
 */
struct nb_endpoint {
	struct kref ref;
	u32 id;
	char name[NB_NAME_LEN];
	u8 mac[6];
	u16 max_queues;
	u64 net_cookie;
	struct pid *creator;
	struct mutex lock; /* queues and what is made of them */
	struct nb_backend *backend;
	struct nb_queue **queues;
	unsigned int n_slots;
	unsigned int n_queues;
	struct nb_actions actions;
};

/* endpoint.c APIs: */

/**
 * nb_endpoint_create_fd() - NB_CREATE_ENDPOINT
 * @arg: as user space gave it
 * @msg: says why not
 *
 * Process context.
 *
 * Return: a new endpoint fd, or an errno.
 */
int nb_endpoint_create_fd(const struct nb_create_endpoint *arg, struct nb_msg *msg);

/* Drop a reference; the last one unmakes the endpoint.  Process context. */
void nb_endpoint_put(struct nb_endpoint *endpoint);

/* Ask an endpoint and its backend what they are.  Under &nb_endpoint.lock. */
int nb_endpoint_read_info(struct nb_endpoint *endpoint, struct nb_endpoint_info *info);

/* What it is called now, and where it is.  Any context. */
void nb_endpoint_identity(struct nb_endpoint *endpoint, struct nb_identity *id);

/**
 * nb_endpoint_get_next() - walk over all endpoints
 * @id: the least id wanted
 *
 * Process context.
 *
 * Return: the endpoint with the least id that is at least @id, with a reference for
 * the caller; or NULL.
 */
struct nb_endpoint *nb_endpoint_get_next(u32 id);

/* get_queues.c APIs: */

/* NB_ENDPOINT_GET_QUEUES.  Process context. */
int nb_endpoint_get_queues(struct nb_endpoint *endpoint, const struct nb_get_queues *arg,
			   struct nb_msg *msg);

/* NB_ENDPOINT_SET_RSS.  Process context. */
int nb_endpoint_set_rss(struct nb_endpoint *endpoint, const struct nb_set_rss *arg,
			struct nb_msg *msg);

/* backend.c APIs: */

/* From now on a backend tells the endpoint about its link; and no longer. */
void nb_backend_plug(struct nb_backend *backend, struct nb_endpoint *endpoint);
void nb_backend_unplug(struct nb_backend *backend);

#endif /* _NB_ENDPOINT_H */
