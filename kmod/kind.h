/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a kind of endpoint implements, and the registry of kinds.
 *
 * A backend is an instance of a kind: what moves the packets of one endpoint.  The
 * frontend half (fds, rings, memory) is in endpoint.c and queue.c and knows a backend
 * only through these operations.
 */
#ifndef _NB_KIND_H
#define _NB_KIND_H

#include <linux/list.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include <linux/net_backend.h>

#include "msg.h"

struct module;
struct nb_backend;
struct nb_endpoint;
struct nb_packet;
struct nb_queue;
struct nb_rss;
struct net;

/**
 * struct nb_backend_params - what a backend is made of
 * @net: the network namespace, held by the caller during the call
 * @name: of the endpoint, or empty
 * @mac: Ethernet address of the guest's NIC
 * @max_queues: most queues, at most &nb_endpoint_ops.max_queues
 * @mtu: largest layer-3 packet, or 0 for the default
 * @kind: what only this kind knows, &nb_endpoint_ops.params_size bytes, in kernel memory
 *	and not yet checked; NULL if the creator has given nothing
 */
struct nb_backend_params {
	struct net *net;
	const char *name;
	u8 mac[6];
	u16 max_queues;
	u32 mtu;
	const void *kind;
};

/**
 * struct nb_identity - by what an endpoint is found
 * @net_cookie: of its network namespace
 * @name: its name, or empty
 */
struct nb_identity {
	u64 net_cookie;
	char name[NB_NAME_LEN];
};

/**
 * struct nb_queue_ops - the data path of a kind
 * @tx: take packets.  Skips those whose status is not NB_TX_OK, may set the status of
 *	the others, and returns how many it has taken of the front of @packets, those
 *	that it skipped included; the rest is offered again later.  In an RCU read
 *	section with bottom halves off, one call a queue at a time, under
 *	&nb_queue.tx_lock.
 * @rx_avail: optional: the frontend has made buffers available, or room in rx-done,
 *	after nb_rx_wait() has asked for them; or the queue has been resumed.  Same
 *	context as @tx.
 * @quiesce: optional: stop using the queue until @rx_avail is called.  Calls
 *	nb_rx_quiesce() under what serialises the receive side, and if that returns true
 *	holds back what comes, as it does when there are no buffers.  When it returns,
 *	nothing of the kind touches the queue's rings and memory: what the kind still has
 *	of packets that it took by @tx, or is writing into a buffer, is done with.  A kind
 *	whose receive side asks nb_queue_check() under that lock, and takes any error for
 *	"no buffers", has no more to do.  Without @quiesce, &nb_queue.tx_lock is all that
 *	there is to the receive side.  Same context as @tx.
 */
struct nb_queue_ops {
	unsigned int (*tx)(struct nb_queue *queue, struct nb_packet *packets,
			   unsigned int n);
	void (*rx_avail)(struct nb_queue *queue);
	void (*quiesce)(struct nb_queue *queue);
};

/**
 * struct nb_endpoint_ops - a kind
 * @name: its name
 * @owner: its module, held while an endpoint of the kind exists; the registry's
 * @max_queues: most queues of one endpoint
 * @params_size: bytes of &nb_backend_params.kind, 0 if there is none
 * @needs_net_admin: creation asks for CAP_NET_ADMIN
 * @queue_ops: the data path
 * @create: make a backend, or return an ERR_PTR and say why in @msg; nb_backend_init()
 *	sets up what it begins with
 * @destroy: unmake a backend without queues; never fails
 * @info: fill in properties (but for the link's state), tx_offloads,
 *	indirection_table_size and link_speed, and
 *	name, ifindex, mtu and mac where the kind knows better than the endpoint;
 *	-ENODEV when the backend is gone.  May not sleep for long; called under
 *	&nb_endpoint.lock
 * @identity: optional: what the backend is called now, and where it is, if that can
 *	change.  Does not sleep
 * @get_queues: optional: begin to use @n queues, all or none.  Under
 *	&nb_endpoint.lock
 * @put_queue: optional: stop using a queue; when it returns, nothing refers to it.
 *	Under &nb_endpoint.lock
 * @set_rss: optional: use another configuration, or none (NULL), and free the last
 *	one; under &nb_endpoint.lock, while there are queues.  Never fails.  A kind
 *	that offers an indirection table without this ignores it
 * @connect: optional: the backend is to serve the NIC with this Ethernet address, which
 *	may be another than the one it was made for; may refuse.  Under
 *	&nb_endpoint.lock, without queues
 * @set_link: optional: the operator has changed &nb_backend.link_disabled.  Under
 *	&nb_endpoint.lock
 * @stop: optional: all queues are gone, and nobody will go on where they were: the
 *	frontend has said stop, or the backend is unplugged.  Under &nb_endpoint.lock
 * @set_data_path: optional: see NB_ENDPOINT_SET_DATA_PATH
 * @get_data_path: optional: 1, 0, or an errno
 * @set_multicast: optional: see NB_ENDPOINT_SET_MULTICAST.  @list is checked, and the
 *	caller's.  Under &nb_endpoint.lock
 * @list: the registry's
 *
 * All but the data path run in process context and may sleep.
 */
struct nb_endpoint_ops {
	const char *name;
	struct module *owner;
	u16 max_queues;
	u16 params_size;
	bool needs_net_admin;
	const struct nb_queue_ops *queue_ops;
	struct nb_backend *(*create)(const struct nb_backend_params *params,
				     struct nb_msg *msg);
	void (*destroy)(struct nb_backend *backend);
	int (*info)(struct nb_backend *backend, struct nb_endpoint_info *info);
	void (*identity)(struct nb_backend *backend, struct nb_identity *id);
	int (*get_queues)(struct nb_backend *backend, struct nb_queue **queues,
			  unsigned int n, struct nb_msg *msg);
	void (*put_queue)(struct nb_backend *backend, struct nb_queue *queue);
	void (*set_rss)(struct nb_backend *backend, struct nb_rss *rss);
	int (*connect)(struct nb_backend *backend, const u8 *mac, struct nb_msg *msg);
	void (*set_link)(struct nb_backend *backend);
	void (*stop)(struct nb_backend *backend);
	int (*set_data_path)(struct nb_backend *backend, bool to_guest_vf,
			     struct nb_msg *msg);
	int (*get_data_path)(struct nb_backend *backend);
	int (*set_multicast)(struct nb_backend *backend, const struct nb_multicast *list,
			     unsigned int n, bool all, struct nb_msg *msg);
	struct list_head list;
};

/**
 * struct nb_backend - what every kind's instance begins with
 * @ops: its kind
 * @max_queues: most queues
 * @home: &nb_endpoint.cookie of the endpoint that it was made for
 * @n_queues: queues that use it; under the lock of the endpoint that has it.  In
 *	@get_queues those before, in @put_queue with the one that goes
 * @link_disabled: the operator wants no packets to pass: those that the guest sends do
 *	not come to the kind, and the kind brings none, which it looks at once a batch
 * @lock: protects @endpoint, @link_up and @gone; outside the lock of &struct nb_actions,
 *	any context
 * @endpoint: whom it is plugged in to, or NULL
 * @endpoint_id: &nb_endpoint.id of whom it is, or was, plugged in to, for who has not got
 *	@lock
 * @link_up: see nb_backend_link()
 * @gone: see nb_backend_gone()
 */
struct nb_backend {
	const struct nb_endpoint_ops *ops;
	u16 max_queues;
	u64 home;
	unsigned int n_queues;
	bool link_disabled;
	spinlock_t lock; /* endpoint, link_up, gone */
	struct nb_endpoint *endpoint;
	u32 endpoint_id;
	bool link_up;
	bool gone;
};

/* backend.c APIs: */

/**
 * nb_backend_init() - set up what a kind's instance begins with
 * @backend: zeroed memory
 * @ops: the kind
 * @params: what the kind's create was called with
 * @link_up: whether it can carry packets
 */
void nb_backend_init(struct nb_backend *backend, const struct nb_endpoint_ops *ops,
		     const struct nb_backend_params *params, bool link_up);

/**
 * nb_backend_link() - a kind says whether its backend can carry packets
 * @backend: the backend
 * @up: whether it can
 *
 * The frontend gets LinkStatusNotify if that is a change.  Any context.
 */
void nb_backend_link(struct nb_backend *backend, bool up);

/**
 * nb_backend_gone() - a kind says that what its backend stood on is gone for good
 * @backend: the backend
 *
 * The frontend gets RestartRequired, and POLLHUP with it.  The kind has put the queues into
 * NB_QUEUE_RESTART.  Any context.
 */
void nb_backend_gone(struct nb_backend *backend);

/**
 * nb_backend_changed() - a kind says that its info is not what the frontend was told
 * @backend: the backend
 *
 * The frontend gets RestartRequired; until it restarts its queues, they go on.  Any
 * context.
 */
void nb_backend_changed(struct nb_backend *backend);

/* What ops->identity() tells is in another network namespace.  Any context. */
void nb_backend_moved(struct nb_backend *backend);

/**
 * nb_backend_plugged_in_to() - ask what endpoint a backend is plugged in to
 * @backend: the backend
 * @net_cookie: of the network namespace of who asks
 * @mac: out: the endpoint's Ethernet address, if there is one
 *
 * Any context.
 *
 * Return: the endpoint's number, or 0 if there is none, or one that is in the making or that
 * the namespace does not see.
 */
u32 nb_backend_plugged_in_to(struct nb_backend *backend, u64 net_cookie, u8 *mac);

/**
 * nb_backend_create() - make a backend of a kind
 * @ops: the kind, held; the hold is taken over if the call succeeds
 * @params: of what; all but @params->kind checked
 * @msg: says why not
 *
 * Process context.
 *
 * Return: the backend, for nb_backend_destroy(); or an ERR_PTR with -EPERM, or what
 * the kind says.
 */
struct nb_backend *nb_backend_create(const struct nb_endpoint_ops *ops,
				     const struct nb_backend_params *params,
				     struct nb_msg *msg);

/* Unmake a backend that is not plugged in, and let go of its kind.  Process context. */
void nb_backend_destroy(struct nb_backend *backend);

/* kind.c APIs: */

/* nb_register_kind() for a module that is not the caller. */
int __nb_register_kind(struct nb_endpoint_ops *ops, struct module *owner);

/**
 * nb_register_kind() - offer a kind of the calling module to NB_CREATE_ENDPOINT
 * @ops: the kind; stays until nb_unregister_kind()
 *
 * Process context.
 *
 * The last thing that a module's init does: from then on, endpoints can be made.
 *
 * Return: 0, -EEXIST if a kind has this name, -EINVAL for a name that is not 1 …
 * NB_KIND_LEN - 1 letters, digits, '-' and '_', for @max_queues out of range, or if an
 * operation is missing that is not optional.
 */
#define nb_register_kind(ops)	__nb_register_kind(ops, THIS_MODULE)

/**
 * nb_unregister_kind() - offer it no longer
 * @ops: the kind.  No endpoint of it exists: each holds the kind's module
 *
 * Process context.
 */
void nb_unregister_kind(struct nb_endpoint_ops *ops);

/**
 * nb_kind_get() - find a kind, load its module if need be, and hold it
 * @name: its name
 * @msg: says why not
 *
 * Process context.
 *
 * Return: the kind, for nb_kind_put(); or ERR_PTR(-ENOENT), ERR_PTR(-EINVAL).
 */
const struct nb_endpoint_ops *nb_kind_get(const char *name, struct nb_msg *msg);

/**
 * nb_kind_get_nowait() - find a kind and hold it; begin to load its module if need be
 * @name: its name
 * @msg: says why not
 *
 * For who holds a lock that a module's init may take.  Process context.
 *
 * Return: as nb_kind_get(); or ERR_PTR(-EAGAIN): ask again, later.
 */
const struct nb_endpoint_ops *nb_kind_get_nowait(const char *name, struct nb_msg *msg);

/* Let go of a kind. */
void nb_kind_put(const struct nb_endpoint_ops *ops);

/* Nothing is being loaded any more.  When the module is unloaded. */
void nb_kind_load_exit(void);

/**
 * struct nb_kind_name - an entry of &nb_info.kinds
 * @name: padded with zeros
 */
struct nb_kind_name {
	char name[NB_KIND_LEN];
};

/**
 * nb_kind_names() - list the kinds
 * @names: out: up to @n names
 * @n: entries of @names
 *
 * Return: number of kinds, also if it is above @n.
 */
unsigned int nb_kind_names(struct nb_kind_name *names, unsigned int n);

/**
 * struct nb_kind_about - what operators are told about a kind
 * @name: its name
 * @module: the module that brings it; "kernel" if that is built in
 * @max_queues: &nb_endpoint_ops.max_queues
 * @params_size: &nb_endpoint_ops.params_size
 * @generation: grows when kinds come or go
 */
struct nb_kind_about {
	char name[NB_KIND_LEN];
	char module[MODULE_NAME_LEN];
	u32 max_queues;
	u32 params_size;
	u32 generation;
};

/* Describe the kind that was registered after @index others; false: there is none. */
bool nb_kind_describe(unsigned int index, struct nb_kind_about *about);

/* The kinds of this module. */
extern struct nb_endpoint_ops nb_null_ops;
extern struct nb_endpoint_ops nb_loopback_ops;
extern struct nb_endpoint_ops nb_netdev_ops;
extern struct nb_endpoint_ops nb_switch_ops;

extern struct nb_endpoint_ops nb_attach_ops;

/* netdev.c: its rtnl_link_ops, before and after the kind itself. */
int nb_netdev_init(void);
void nb_netdev_exit(void);

/* attach.c: its notifier, the same. */
int nb_attach_init(void);
void nb_attach_exit(void);

#endif /* _NB_KIND_H */
