// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an endpoint.
 *
 * Owns struct nb_endpoint, and the table of all endpoints.  Locks, from the outside to the
 * inside:
 *
 *   nb_endpoint.lock	the endpoint's queues and its backend; of two endpoints in the order
 *			of their cookies
 *   nb_endpoints_mutex	the table; &nb_queue.tx_lock; rtnl_lock and other locks of a backend;
 *			&nb_queue.doorbell_lock, in which threads of queues are made
 *
 * Process context.
 */
#include <linux/cred.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>

#include "capture.h"
#include "changes.h"
#include "endpoint.h"
#include "ioctl.h"
#include "trace.h"
#include "user.h"

static DEFINE_MUTEX(nb_endpoints_mutex);
static DEFINE_XARRAY_ALLOC1(nb_endpoints);
static atomic64_t nb_endpoint_cookie = ATOMIC64_INIT(0);

/* ---- the table ----------------------------------------------------------- */

void nb_endpoint_identity(struct nb_endpoint *endpoint, struct nb_identity *id)
{
	struct nb_backend *backend;

	id->net_cookie = endpoint->net_cookie;
	strscpy_pad(id->name, endpoint->name, sizeof(id->name));
	rcu_read_lock();
	backend = rcu_dereference(endpoint->backend);
	if (backend->ops->identity && backend->home == endpoint->cookie)
		backend->ops->identity(backend, id);
	rcu_read_unlock();
}

/* Get it if the namespace sees it. */
static bool nb_endpoint_get_in(struct nb_endpoint *endpoint, u64 net_cookie)
{
	struct nb_identity id;

	lockdep_assert_held(&nb_endpoints_mutex);
	nb_endpoint_identity(endpoint, &id);
	if (id.net_cookie != net_cookie)
		return false;
	if (kref_get_unless_zero(&endpoint->ref))
		return true;
	/* It waits for the mutex to leave the table: who looks now sees it gone. */
	nb_changed(NB_CHANGES_ENDPOINTS, net_cookie);
	return false;
}

struct nb_endpoint *nb_endpoint_get_next(u32 id, u64 net_cookie, u32 *changes)
{
	struct nb_endpoint *endpoint;
	unsigned long index = id;

	mutex_lock(&nb_endpoints_mutex);
	endpoint = xa_find(&nb_endpoints, &index, U32_MAX, XA_PRESENT);
	while (endpoint && !nb_endpoint_get_in(endpoint, net_cookie))
		endpoint = xa_find_after(&nb_endpoints, &index, U32_MAX, XA_PRESENT);
	*changes = nb_changes(NB_CHANGES_ENDPOINTS, net_cookie);
	mutex_unlock(&nb_endpoints_mutex);
	return endpoint;
}

void nb_endpoint_keep_name(struct nb_endpoint *endpoint)
{
	struct nb_identity id;

	lockdep_assert_held(&endpoint->lock);
	nb_endpoint_identity(endpoint, &id);
	mutex_lock(&nb_endpoints_mutex);
	strscpy_pad(endpoint->name, id.name, sizeof(endpoint->name));
	mutex_unlock(&nb_endpoints_mutex);
}

static bool nb_endpoints_have(const struct nb_identity *id)
{
	struct nb_endpoint *other;
	struct nb_identity taken;
	unsigned long i;

	lockdep_assert_held(&nb_endpoints_mutex);
	if (!id->name[0])
		return false;
	xa_for_each(&nb_endpoints, i, other) {
		nb_endpoint_identity(other, &taken);
		if (taken.net_cookie == id->net_cookie && !strcmp(taken.name, id->name))
			return true;
	}
	return false;
}

static int nb_endpoints_add(struct nb_endpoint *endpoint, struct nb_msg *msg)
{
	struct nb_identity id;
	int err;

	nb_endpoint_identity(endpoint, &id);
	mutex_lock(&nb_endpoints_mutex);
	if (nb_endpoints_have(&id)) {
		nb_msg(msg, "an endpoint with the name '%s' is already there", id.name);
		err = -EEXIST;
	} else {
		err = xa_alloc(&nb_endpoints, &endpoint->id, endpoint, xa_limit_31b,
			       GFP_KERNEL_ACCOUNT);
		nb_changed(NB_CHANGES_ENDPOINTS, id.net_cookie);
	}
	mutex_unlock(&nb_endpoints_mutex);
	return err;
}

static void nb_endpoints_remove(struct nb_endpoint *endpoint)
{
	struct nb_identity id;

	mutex_lock(&nb_endpoints_mutex);
	nb_endpoint_identity(endpoint, &id);
	xa_erase(&nb_endpoints, endpoint->id);
	nb_changed(NB_CHANGES_ENDPOINTS, id.net_cookie);
	mutex_unlock(&nb_endpoints_mutex);
}

int nb_endpoint_read_info(struct nb_endpoint *endpoint, struct nb_endpoint_info *info)
{
	struct nb_backend *backend = nb_endpoint_backend(endpoint);
	struct nb_identity id;
	int err = 0;

	lockdep_assert_held(&endpoint->lock);
	info->id = endpoint->id;
	strscpy_pad(info->kind, backend->ops->name, sizeof(info->kind));
	ether_addr_copy(info->mac, endpoint->mac);
	info->n_queues = endpoint->n_queues;
	if (endpoint->connected) {
		info->max_queues = backend->max_queues;
		info->link_speed = 10ULL * 1000 * 1000 * 1000;
		err = backend->ops->info(backend, info);
		info->properties |= NB_ENDPOINT_CONNECTED;
	} else {
		info->max_queues = endpoint->caps.max_queues;
		info->indirection_table_size = endpoint->caps.indirection_table_size;
		info->tx_offloads = endpoint->caps.tx_offloads;
		info->mtu = endpoint->caps.mtu;
		info->properties = endpoint->caps.properties & ~NB_ENDPOINT_CONNECTED;
		info->link_speed = endpoint->caps.link_speed;
	}
	info->properties &= ~NB_ENDPOINT_LINK_UP;
	if (nb_actions_link_up(&endpoint->actions))
		info->properties |= NB_ENDPOINT_LINK_UP;
	nb_endpoint_identity(endpoint, &id);
	strscpy_pad(info->name, id.name, sizeof(info->name));
	return err;
}

/* ---- life ---------------------------------------------------------------- */

static int nb_endpoint_check(const struct nb_create_endpoint *arg, struct nb_msg *msg)
{
	if (strnlen(arg->kind, NB_KIND_LEN) == NB_KIND_LEN ||
	    strnlen(arg->name, NB_NAME_LEN) == NB_NAME_LEN) {
		nb_msg(msg, "kind or name is not zero-terminated");
		return -EINVAL;
	}
	if (arg->flags & NB_CREATE_MAC) {
		if (!is_valid_ether_addr(arg->mac)) {
			nb_msg(msg, "%pM is not the address of one station", arg->mac);
			return -EINVAL;
		}
	} else if (!is_zero_ether_addr(arg->mac)) {
		nb_msg(msg, "mac without NB_CREATE_MAC is not 0");
		return -EINVAL;
	}
	if (!(arg->flags & NB_CREATE_NETNS) && arg->netns_fd) {
		nb_msg(msg, "netns_fd without NB_CREATE_NETNS is not 0");
		return -EINVAL;
	}
	if (arg->reserved || (!arg->params && arg->params_size)) {
		nb_msg(msg, "reserved is not 0, or params_size without params");
		return -EINVAL;
	}
	return 0;
}

static struct net *nb_endpoint_get_net(const struct nb_create_endpoint *arg,
				       struct nb_msg *msg)
{
	struct net *net;

	if (!(arg->flags & NB_CREATE_NETNS))
		return get_net(current->nsproxy->net_ns);
	net = get_net_ns_by_fd(arg->netns_fd);
	if (IS_ERR(net)) {
		nb_msg(msg, "fd %d is not a network namespace", arg->netns_fd);
		return ERR_PTR(-EBADF);
	}
	return net;
}

static int nb_endpoint_limit_queues(const struct nb_create_endpoint *arg,
				    const struct nb_endpoint_ops *ops,
				    struct nb_msg *msg)
{
	if (arg->max_queues <= ops->max_queues)
		return arg->max_queues ?: ops->max_queues;
	nb_msg(msg, "max_queues is %u; kind '%s' has at most %u", arg->max_queues, ops->name,
	       ops->max_queues);
	return -EINVAL;
}

/* What the kind's own struct says, zero behind what the caller passed; NULL for none. */
static void *nb_endpoint_copy_params(const struct nb_create_endpoint *arg,
				     const struct nb_endpoint_ops *ops, struct nb_msg *msg)
{
	void *params;
	int err;

	if (!arg->params)
		return NULL;
	if (!ops->params_size) {
		nb_msg(msg, "kind '%s' has no params", ops->name);
		return ERR_PTR(-EINVAL);
	}
	params = kzalloc(ops->params_size, GFP_KERNEL);
	if (!params)
		return ERR_PTR(-ENOMEM);
	err = arg->params_size > PAGE_SIZE ? -E2BIG :
	      copy_struct_from_user(params, ops->params_size, u64_to_user_ptr(arg->params),
				    arg->params_size);
	if (!err)
		return params;
	if (err == -E2BIG)
		nb_msg(msg, "params of %u bytes have more than the %u known here",
		       arg->params_size, ops->params_size);
	kfree(params);
	return ERR_PTR(err);
}

/* The backend of a new endpoint.  Takes over the hold on the kind if it succeeds. */
static struct nb_backend *nb_endpoint_make_backend(const struct nb_create_endpoint *arg,
						   const struct nb_endpoint_ops *ops,
						   struct nb_endpoint *endpoint,
						   struct net *net, struct nb_msg *msg)
{
	struct nb_backend_params params = {
		.net = net,
		.name = endpoint->name,
		.mtu = arg->mtu,
	};
	struct nb_backend *backend;
	int max_queues;

	max_queues = nb_endpoint_limit_queues(arg, ops, msg);
	if (max_queues < 0)
		return ERR_PTR(max_queues);
	params.max_queues = max_queues;
	ether_addr_copy(params.mac, endpoint->mac);
	params.kind = nb_endpoint_copy_params(arg, ops, msg);
	if (IS_ERR(params.kind))
		return ERR_CAST(params.kind);
	backend = nb_backend_create(ops, &params, msg);
	kfree(params.kind);
	return backend;
}

static struct nb_endpoint *nb_endpoint_alloc(const struct nb_create_endpoint *arg,
					     struct net *net, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint;
	kuid_t user = current_uid();
	int err;

	err = nb_user_charge(user, msg);
	if (err)
		return ERR_PTR(err);
	endpoint = kzalloc(sizeof(*endpoint), GFP_KERNEL_ACCOUNT);
	if (!endpoint) {
		nb_user_uncharge(user);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&endpoint->ref);
	mutex_init(&endpoint->lock);
	nb_connect_init(endpoint);
	nb_event_init(&endpoint->events);
	strscpy_pad(endpoint->name, arg->name, sizeof(endpoint->name));
	if (arg->flags & NB_CREATE_MAC)
		ether_addr_copy(endpoint->mac, arg->mac);
	else
		eth_random_addr(endpoint->mac);
	endpoint->cookie = atomic64_inc_return(&nb_endpoint_cookie);
	endpoint->net_cookie = net->net_cookie;
	endpoint->creator = get_task_pid(current, PIDTYPE_TGID);
	endpoint->user = user;
	return endpoint;
}

/* Undo nb_endpoint_alloc(). */
static void nb_endpoint_dealloc(struct nb_endpoint *endpoint)
{
	nb_user_uncharge(endpoint->user);
	put_pid(endpoint->creator);
	mutex_destroy(&endpoint->lock);
	kfree(endpoint);
}

/* Nobody knows the endpoint any more: unmake it with its backend. */
static void nb_endpoint_unmake(struct nb_endpoint *endpoint)
{
	struct nb_backend *backend = rcu_dereference_protected(endpoint->backend, true);

	if (endpoint->connected)
		nb_backend_unplug(backend);
	nb_backend_destroy(backend);
	nb_endpoint_dealloc(endpoint);
}

static void nb_endpoint_free(struct kref *ref)
{
	struct nb_endpoint *endpoint = container_of(ref, struct nb_endpoint, ref);

	mutex_lock(&endpoint->lock);
	trace_nb_endpoint_gone(endpoint);
	nb_event(endpoint, NB_EVENT_DELETED);
	mutex_unlock(&endpoint->lock);
	nb_event_exit(&endpoint->events);
	nb_endpoints_remove(endpoint);
	nb_capture_end(endpoint);
	nb_endpoint_unmake(endpoint);
}

void nb_endpoint_put(struct nb_endpoint *endpoint)
{
	kref_put(&endpoint->ref, nb_endpoint_free);
}

/* Takes over the caller's hold on the kind. */
static struct nb_endpoint *nb_endpoint_create(const struct nb_create_endpoint *arg,
					      const struct nb_endpoint_ops *ops,
					      struct net *net, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint;
	struct nb_backend *backend;
	int err;

	endpoint = nb_endpoint_alloc(arg, net, msg);
	if (IS_ERR(endpoint)) {
		err = PTR_ERR(endpoint);
		goto err_kind;
	}
	backend = nb_endpoint_make_backend(arg, ops, endpoint, net, msg);
	if (IS_ERR(backend)) {
		err = PTR_ERR(backend);
		nb_endpoint_dealloc(endpoint);
		goto err_kind;
	}
	nb_endpoint_first_connect(endpoint, backend);
	/* Whoever finds it waits until others have been told that it is there. */
	mutex_lock(&endpoint->lock);
	err = nb_endpoints_add(endpoint, msg);
	if (!err) {
		WRITE_ONCE(nb_endpoint_backend(endpoint)->endpoint_id, endpoint->id);
		trace_nb_endpoint_made(endpoint);
		nb_event(endpoint, NB_EVENT_CREATED);
	}
	mutex_unlock(&endpoint->lock);
	if (!err)
		return endpoint;
	nb_endpoint_unmake(endpoint);
	return ERR_PTR(err);

err_kind:
	nb_kind_put(ops);
	return ERR_PTR(err);
}

int nb_endpoint_create_fd(const struct nb_create_endpoint *arg, struct nb_msg *msg)
{
	const struct nb_endpoint_ops *ops;
	struct nb_endpoint *endpoint;
	struct net *net;
	int ret;

	ret = nb_endpoint_check(arg, msg);
	if (ret)
		return ret;
	net = nb_endpoint_get_net(arg, msg);
	if (IS_ERR(net))
		return PTR_ERR(net);
	ops = nb_kind_get(arg->kind, msg);
	endpoint = IS_ERR(ops) ? ERR_CAST(ops) : nb_endpoint_create(arg, ops, net, msg);
	put_net(net);
	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	ret = nb_endpoint_fd(endpoint);
	if (ret < 0) {
		nb_msg(msg, "no file descriptor for the endpoint");
		nb_endpoint_put(endpoint);
	}
	return ret;
}
