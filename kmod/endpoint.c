// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an endpoint, and its fd.
 *
 * Owns struct nb_endpoint, and the table of all endpoints.  Locks, the second outside
 * the third:
 *
 *   nb_endpoints_mutex	the table; taken alone
 *   nb_endpoint.lock	the endpoint's queues
 *   rtnl_lock and other locks of a backend
 *
 * Process context.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>

#include "endpoint.h"
#include "ioctl.h"

static DEFINE_MUTEX(nb_endpoints_mutex);
static DEFINE_XARRAY_ALLOC1(nb_endpoints);

/* ---- the table ----------------------------------------------------------- */

struct nb_endpoint *nb_endpoint_get_next(u32 id)
{
	struct nb_endpoint *endpoint;
	unsigned long index = id;

	mutex_lock(&nb_endpoints_mutex);
	endpoint = xa_find(&nb_endpoints, &index, U32_MAX, XA_PRESENT);
	/* One on its way out waits for the mutex to leave the table. */
	while (endpoint && !kref_get_unless_zero(&endpoint->ref))
		endpoint = xa_find_after(&nb_endpoints, &index, U32_MAX, XA_PRESENT);
	mutex_unlock(&nb_endpoints_mutex);
	return endpoint;
}

void nb_endpoint_identity(struct nb_endpoint *endpoint, struct nb_identity *id)
{
	const struct nb_endpoint_ops *ops = endpoint->backend->ops;

	id->net_cookie = endpoint->net_cookie;
	strscpy_pad(id->name, endpoint->name, sizeof(id->name));
	if (ops->identity)
		ops->identity(endpoint->backend, id);
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
	}
	mutex_unlock(&nb_endpoints_mutex);
	return err;
}

static void nb_endpoints_remove(struct nb_endpoint *endpoint)
{
	mutex_lock(&nb_endpoints_mutex);
	xa_erase(&nb_endpoints, endpoint->id);
	mutex_unlock(&nb_endpoints_mutex);
}

/* ---- ioctls -------------------------------------------------------------- */

int nb_endpoint_read_info(struct nb_endpoint *endpoint, struct nb_endpoint_info *info)
{
	const struct nb_endpoint_ops *ops = endpoint->backend->ops;
	int err;

	lockdep_assert_held(&endpoint->lock);
	info->id = endpoint->id;
	strscpy_pad(info->kind, ops->name, sizeof(info->kind));
	strscpy_pad(info->name, endpoint->name, sizeof(info->name));
	ether_addr_copy(info->mac, endpoint->mac);
	info->max_queues = endpoint->max_queues;
	info->n_queues = endpoint->n_queues;
	info->link_speed = 10ULL * 1000 * 1000 * 1000;
	err = ops->info(endpoint->backend, info);
	if (nb_actions_link_up(&endpoint->actions))
		info->properties |= NB_ENDPOINT_LINK_UP;
	return err;
}

static int nb_endpoint_get_info(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint = file->private_data;
	struct nb_endpoint_info *info = arg;
	struct nb_endpoint_info out = {
		.size = info->size,
		.msg = info->msg,
	};
	int err;

	mutex_lock(&endpoint->lock);
	err = nb_endpoint_read_info(endpoint, &out);
	mutex_unlock(&endpoint->lock);
	if (err)
		nb_msg(msg, "what the endpoint stood on is gone");
	else
		*info = out;
	return err;
}

static int nb_endpoint_stop(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint = file->private_data;
	struct nb_backend *backend = endpoint->backend;
	int err = 0;

	mutex_lock(&endpoint->lock);
	if (endpoint->n_queues) {
		nb_msg(msg, "the endpoint has %u queues; close them first", endpoint->n_queues);
		err = -EBUSY;
	} else if (backend->ops->stop) {
		backend->ops->stop(backend);
	}
	mutex_unlock(&endpoint->lock);
	return err;
}

static int nb_endpoint_set_data_path(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint = file->private_data;
	struct nb_backend *backend = endpoint->backend;
	const struct nb_data_path *path = arg;
	int err;

	if (path->to_guest_vf > 1 || path->reserved) {
		nb_msg(msg, "to_guest_vf must be 0 or 1, and reserved 0");
		return -EINVAL;
	}
	mutex_lock(&endpoint->lock);
	err = backend->ops->set_data_path ?
	      backend->ops->set_data_path(backend, path->to_guest_vf, msg) : -EOPNOTSUPP;
	mutex_unlock(&endpoint->lock);
	if (err == -EOPNOTSUPP)
		nb_msg(msg, "kind '%s' pairs with no virtual function", backend->ops->name);
	return err;
}

static int nb_endpoint_get_data_path(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint = file->private_data;
	struct nb_backend *backend = endpoint->backend;
	struct nb_data_path *path = arg;
	int ret;

	mutex_lock(&endpoint->lock);
	ret = backend->ops->get_data_path ? backend->ops->get_data_path(backend) : -EOPNOTSUPP;
	mutex_unlock(&endpoint->lock);
	if (ret < 0) {
		nb_msg(msg, "kind '%s' pairs with no virtual function", backend->ops->name);
		return ret;
	}
	path->to_guest_vf = ret;
	path->reserved = 0;
	return 0;
}

static int nb_endpoint_ioctl_get_queues(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_endpoint_get_queues(file->private_data, arg, msg);
}

static int nb_endpoint_ioctl_set_rss(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_endpoint_set_rss(file->private_data, arg, msg);
}

static const struct nb_ioctl nb_endpoint_ioctls[] = {
	NB_IOCTL_OUT(NB_ENDPOINT_GET_INFO, struct nb_endpoint_info, nb_endpoint_get_info),
	NB_IOCTL(NB_ENDPOINT_GET_QUEUES, struct nb_get_queues, 0,
		 nb_endpoint_ioctl_get_queues),
	NB_IOCTL(NB_ENDPOINT_STOP, struct nb_endpoint_stop, 0, nb_endpoint_stop),
	NB_IOCTL(NB_ENDPOINT_SET_DATA_PATH, struct nb_data_path, 0, nb_endpoint_set_data_path),
	NB_IOCTL(NB_ENDPOINT_SET_RSS, struct nb_set_rss, 0, nb_endpoint_ioctl_set_rss),
	NB_IOCTL_OUT(NB_ENDPOINT_GET_DATA_PATH, struct nb_data_path, nb_endpoint_get_data_path),
};

/* ---- fd ------------------------------------------------------------------ */

static long nb_endpoint_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return nb_ioctl(file, nb_endpoint_ioctls, ARRAY_SIZE(nb_endpoint_ioctls), cmd, arg);
}

static ssize_t nb_endpoint_read(struct file *file, char __user *buf, size_t size,
				loff_t *pos)
{
	struct nb_endpoint *endpoint = file->private_data;

	return nb_actions_read(&endpoint->actions, buf, size, file->f_flags & O_NONBLOCK);
}

static __poll_t nb_endpoint_poll(struct file *file, struct poll_table_struct *table)
{
	struct nb_endpoint *endpoint = file->private_data;

	return nb_actions_poll(&endpoint->actions, file, table);
}

static int nb_endpoint_release(struct inode *inode, struct file *file)
{
	nb_endpoint_put(file->private_data);
	return 0;
}

static const struct file_operations nb_endpoint_fops = {
	.owner = THIS_MODULE,
	.release = nb_endpoint_release,
	.unlocked_ioctl = nb_endpoint_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = nb_endpoint_read,
	.poll = nb_endpoint_poll,
	.llseek = noop_llseek,
};

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

static struct nb_backend *nb_backend_create(const struct nb_create_endpoint *arg,
					    const struct nb_endpoint_ops *ops,
					    struct nb_endpoint *endpoint, struct net *net,
					    struct nb_msg *msg)
{
	struct nb_backend_params params = {
		.net = net,
		.name = endpoint->name,
		.max_queues = endpoint->max_queues,
		.mtu = arg->mtu,
	};
	struct nb_backend *backend;

	if (ops->needs_net_admin && !ns_capable(net->user_ns, CAP_NET_ADMIN)) {
		nb_msg(msg, "kind '%s' needs CAP_NET_ADMIN over its network namespace",
		       ops->name);
		return ERR_PTR(-EPERM);
	}
	ether_addr_copy(params.mac, endpoint->mac);
	params.kind = nb_endpoint_copy_params(arg, ops, msg);
	if (IS_ERR(params.kind))
		return ERR_CAST(params.kind);
	backend = ops->create(&params, msg);
	kfree(params.kind);
	return backend;
}

static void nb_backend_destroy(struct nb_backend *backend)
{
	const struct nb_endpoint_ops *ops = backend->ops;

	ops->destroy(backend);
	nb_kind_put(ops);
}

static struct nb_endpoint *nb_endpoint_alloc(const struct nb_create_endpoint *arg,
					     u16 max_queues, struct net *net)
{
	struct nb_endpoint *endpoint = kzalloc(sizeof(*endpoint), GFP_KERNEL_ACCOUNT);

	if (!endpoint)
		return NULL;
	kref_init(&endpoint->ref);
	mutex_init(&endpoint->lock);
	strscpy_pad(endpoint->name, arg->name, sizeof(endpoint->name));
	if (arg->flags & NB_CREATE_MAC)
		ether_addr_copy(endpoint->mac, arg->mac);
	else
		eth_random_addr(endpoint->mac);
	endpoint->max_queues = max_queues;
	endpoint->net_cookie = net->net_cookie;
	endpoint->creator = get_task_pid(current, PIDTYPE_TGID);
	return endpoint;
}

/* Undo nb_endpoint_alloc(). */
static void nb_endpoint_dealloc(struct nb_endpoint *endpoint)
{
	put_pid(endpoint->creator);
	mutex_destroy(&endpoint->lock);
	kfree(endpoint);
}

static void nb_endpoint_free(struct kref *ref)
{
	struct nb_endpoint *endpoint = container_of(ref, struct nb_endpoint, ref);

	nb_endpoints_remove(endpoint);
	nb_backend_unplug(endpoint->backend);
	nb_backend_destroy(endpoint->backend);
	nb_endpoint_dealloc(endpoint);
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

	err = nb_endpoint_limit_queues(arg, ops, msg);
	if (err < 0)
		goto err_kind;
	endpoint = nb_endpoint_alloc(arg, err, net);
	if (!endpoint) {
		err = -ENOMEM;
		goto err_kind;
	}
	backend = nb_backend_create(arg, ops, endpoint, net, msg);
	if (IS_ERR(backend)) {
		err = PTR_ERR(backend);
		nb_endpoint_dealloc(endpoint);
		goto err_kind;
	}
	endpoint->backend = backend;
	nb_actions_init(&endpoint->actions, backend->link_up);
	nb_backend_plug(backend, endpoint);
	err = nb_endpoints_add(endpoint, msg);
	if (err) {
		nb_backend_unplug(backend);
		nb_backend_destroy(backend);
		nb_endpoint_dealloc(endpoint);
		return ERR_PTR(err);
	}
	return endpoint;

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
	ret = anon_inode_getfd("[nb_endpoint]", &nb_endpoint_fops, endpoint,
			       O_RDWR | O_CLOEXEC);
	if (ret < 0) {
		nb_msg(msg, "no file descriptor for the endpoint");
		nb_endpoint_put(endpoint);
	}
	return ret;
}
