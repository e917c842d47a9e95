/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An endpoint: one NIC's frontend half, and the backend that it has.
 *
 *	endpoint.c	life, the table of all endpoints
 *	endpoint_fd.c	the fd: file operations and ioctls
 *	get_queues.c	make and unmake queues
 *	connect.c	plug backends in and out
 */
#ifndef _NB_ENDPOINT_H
#define _NB_ENDPOINT_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/net_backend.h>
#include <linux/net_backend_netlink.h>

#include "actions.h"
#include "event.h"
#include "kind.h"

struct file;
struct nb_capture;
struct nb_msg;
struct nb_queue;
struct pid;

/**
 * struct nb_endpoint - an endpoint
 * @ref: held by the fd, by each queue and by @disconnect_work
 * @id: number, in nb_endpoints
 * @cookie: number that no other endpoint ever has
 * @name: as it was given; or that of the backend, when the endpoint's first one left.
 *	Changes under @lock and under the table's mutex
 * @mac: as it was given, or random
 * @net_cookie: of the network namespace that it was made for
 * @creator: thread group that made it
 * @user: whose endpoint it is counted as; see user.h
 * @lock: held to make and unmake queues and to look at them, and to plug a backend in or
 *	out; inside it, &nb_queue.tx_lock or rtnl_lock may be taken.  User memory is not
 *	touched under it: that can take for ever
 * @backend: the backend that it has, plugged in or not; changes under @lock, and is
 *	read under RCU
 * @connected: @backend is plugged in; else queues are served as kind null does.  Under
 *	@lock
 * @ordered: a backend that was plugged in completed buffers in order, so that any other
 *	must.  Under @lock
 * @caps: what the frontend was told of the backend that was plugged in last.  Under @lock
 * @queues: by index; NULL: none.  Under @lock
 * @n_slots: entries of @queues, under @lock
 * @n_queues: queues that exist, under @lock
 * @disconnecting: not @connected, and there are still queues that use @backend.  Under
 *	@lock
 * @n_disconnects: how often that has come to its end; written under @lock
 * @disconnect_joined: somebody else wants the disconnect that is under way, too; under
 *	@lock
 * @disconnect_deadline: when the queues are failed, in jiffies, under @lock
 * @disconnect_wait: who waits for @n_disconnects
 * @disconnect_work: runs then
 * @actions: what the frontend has not read yet
 * @events: what has not been told to others yet
 * @capture: who captures its packets, or NULL; see capture.h
 */
struct nb_endpoint {
	struct kref ref;
	u32 id;
	u64 cookie;
	char name[NB_NAME_LEN];
	u8 mac[6];
	u64 net_cookie;
	struct pid *creator;
	kuid_t user;
	struct mutex lock; /* queues and what is made of them, backend */
	struct nb_backend __rcu *backend;
	bool connected;
	bool ordered;
	struct nb_endpoint_info caps;
	struct nb_queue **queues;
	unsigned int n_slots;
	unsigned int n_queues;
	bool disconnecting;
	u32 n_disconnects;
	bool disconnect_joined;
	unsigned long disconnect_deadline;
	wait_queue_head_t disconnect_wait;
	struct delayed_work disconnect_work;
	struct nb_actions actions;
	struct nb_events events;
	struct nb_capture __rcu *capture;
};

/* The backend that an endpoint has.  Under &nb_endpoint.lock. */
static inline struct nb_backend *nb_endpoint_backend(const struct nb_endpoint *endpoint)
{
	return rcu_dereference_protected(endpoint->backend, lockdep_is_held(&endpoint->lock));
}

/* The same if it is plugged in, or NULL. */
static inline struct nb_backend *nb_endpoint_plugged(const struct nb_endpoint *endpoint)
{
	struct nb_backend *backend = nb_endpoint_backend(endpoint);

	return endpoint->connected ? backend : NULL;
}

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

/*
 * What it is called now, and where it is: what its backend says as long as that is the
 * one it was made with.  Under &nb_endpoint.lock, or for the namespace alone anywhere.
 */
void nb_endpoint_identity(struct nb_endpoint *endpoint, struct nb_identity *id);

/* The endpoint keeps the name that it has now.  Under &nb_endpoint.lock. */
void nb_endpoint_keep_name(struct nb_endpoint *endpoint);

/**
 * nb_endpoint_get_next() - walk over the endpoints of a network namespace
 * @id: the least id wanted
 * @net_cookie: of the namespace
 * @changes: out: nb_changes() of its endpoints at that moment
 *
 * Process context.
 *
 * Return: the endpoint with the least id that is at least @id, with a reference for
 * the caller; or NULL.
 */
struct nb_endpoint *nb_endpoint_get_next(u32 id, u64 net_cookie, u32 *changes);

/* endpoint_fd.c APIs: */

/* A new endpoint fd, which takes over the caller's reference; or an errno. */
int nb_endpoint_fd(struct nb_endpoint *endpoint);

/**
 * nb_endpoint_get_fd() - the endpoint behind an endpoint fd
 * @fd: as user space gave it
 * @msg: says why not
 *
 * Process context.
 *
 * Return: the endpoint with a reference for the caller, or ERR_PTR(-EBADF).
 */
struct nb_endpoint *nb_endpoint_get_fd(int fd, struct nb_msg *msg);

/* get_queues.c APIs: */

/* A backend lets go of a queue, which may live on.  Under &nb_endpoint.lock. */
void nb_endpoint_release_queue(struct nb_queue *queue);

/* NB_ENDPOINT_GET_QUEUES.  Process context. */
int nb_endpoint_get_queues(struct nb_endpoint *endpoint, const struct nb_get_queues *arg,
			   struct nb_msg *msg);

/* NB_ENDPOINT_SET_RSS.  Process context. */
int nb_endpoint_set_rss(struct nb_endpoint *endpoint, const struct nb_set_rss *arg,
			struct nb_msg *msg);

/* connect.c APIs: */

/* Once, when the module is loaded and unloaded. */
int nb_connect_module_init(void);
void nb_connect_module_exit(void);

/* The frontend is to make new queues: RestartRequired.  Any context. */
void nb_endpoint_ask_restart(struct nb_endpoint *endpoint);

/* When an endpoint is made. */
void nb_connect_init(struct nb_endpoint *endpoint);

/**
 * nb_endpoint_first_connect() - give a new endpoint its backend
 * @endpoint: the endpoint, which nobody else knows yet
 * @backend: its backend, not plugged in
 */
void nb_endpoint_first_connect(struct nb_endpoint *endpoint, struct nb_backend *backend);

/**
 * nb_endpoint_disconnect() - begin to unplug the backend; NB_CMD_ENDPOINT_DISCONNECT
 * @endpoint: the endpoint
 * @timeout_ns: after how long queues that still use the backend are failed; 0: now;
 *	NB_NO_TIMEOUT: never
 * @msg: says why not
 *
 * The frontend is asked to drop its queues; NB_EVENT_DISCONNECTED says when it is over.
 * One that is under way gets the new time limit.  Process context.
 *
 * Return: 0 or -ENOTCONN.
 */
int nb_endpoint_disconnect(struct nb_endpoint *endpoint, u64 timeout_ns,
			   struct nb_msg *msg);

/**
 * nb_endpoint_disconnect_wait() - unplug the backend; NB_ENDPOINT_DISCONNECT
 * @endpoint: the endpoint
 * @timeout_ns: as above
 * @msg: says why not
 *
 * One that is under way is joined; it gets the time limit if that is the shorter one.
 * Process context.
 *
 * Return: 0, when no queue uses the backend any more; -ENOTCONN; -EINTR if a signal
 * came: then the backend is plugged in again, unless somebody else wants it out.
 */
int nb_endpoint_disconnect_wait(struct nb_endpoint *endpoint, u64 timeout_ns,
				struct nb_msg *msg);

/* No queue uses the backend any more.  Under &nb_endpoint.lock. */
void nb_endpoint_disconnect_end(struct nb_endpoint *endpoint);

/**
 * nb_endpoint_connect() - plug in a backend; NB_ENDPOINT_CONNECT
 * @endpoint: the endpoint
 * @from: another endpoint, with which it exchanges backends first; or NULL
 * @msg: says why not
 *
 * Process context.
 *
 * Return: 0; -EISCONN if one is plugged in; -EBUSY if queues use one of the backends;
 * -EINVAL; -ENODEV; or what the kind says.
 */
int nb_endpoint_connect(struct nb_endpoint *endpoint, struct nb_endpoint *from,
			struct nb_msg *msg);

/* Would a connect find a place now?  0, -EISCONN or -EBUSY.  Process context. */
int nb_endpoint_check_free(struct nb_endpoint *endpoint, struct nb_msg *msg);

/**
 * nb_endpoint_connect_new() - plug in a new backend, and unmake the one it had
 * @endpoint: the endpoint
 * @backend: the new one, taken over if the call succeeds
 * @msg: says why not
 *
 * Process context.
 *
 * Return: as nb_endpoint_connect().
 */
int nb_endpoint_connect_new(struct nb_endpoint *endpoint, struct nb_backend *backend,
			    struct nb_msg *msg);

/* The operator wants the link up, or down.  Process context. */
void nb_endpoint_set_link(struct nb_endpoint *endpoint, bool up);

/* multicast.c APIs: */

/* NB_ENDPOINT_SET_MULTICAST.  Process context. */
int nb_endpoint_set_multicast(struct nb_endpoint *endpoint,
			      const struct nb_set_multicast *arg, struct nb_msg *msg);

/* backend.c APIs: */

/* From now on a backend tells the endpoint about its link; and no longer. */
void nb_backend_plug(struct nb_backend *backend, struct nb_endpoint *endpoint);
void nb_backend_unplug(struct nb_backend *backend);

#endif /* _NB_ENDPOINT_H */
