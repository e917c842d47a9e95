// SPDX-License-Identifier: GPL-2.0
/*
 * The endpoint fd: its file operations and ioctls.
 *
 * Owns nothing: the file holds its endpoint.  Takes &nb_endpoint.lock.  Process context.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>

#include "endpoint.h"
#include "ioctl.h"
#include "trace.h"

/* ---- ioctls -------------------------------------------------------------- */

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
	struct nb_backend *backend;
	int err = 0;

	mutex_lock(&endpoint->lock);
	backend = nb_endpoint_plugged(endpoint);
	if (endpoint->n_queues) {
		nb_msg(msg, "the endpoint has %u queues; close them first", endpoint->n_queues);
		err = -EBUSY;
	} else {
		trace_nb_stop(endpoint);
		if (backend && backend->ops->stop)
			backend->ops->stop(backend);
		nb_event(endpoint, NB_EVENT_STOPPED);
	}
	mutex_unlock(&endpoint->lock);
	return err;
}

static int nb_endpoint_no_vf(const struct nb_backend *backend, struct nb_msg *msg)
{
	if (backend)
		nb_msg(msg, "kind '%s' pairs with no virtual function", backend->ops->name);
	else
		nb_msg(msg, "no backend is plugged in");
	return -EOPNOTSUPP;
}

static int nb_endpoint_set_data_path(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint = file->private_data;
	const struct nb_data_path *path = arg;
	struct nb_backend *backend;
	int err = -EOPNOTSUPP;

	if (path->to_guest_vf > 1 || path->reserved) {
		nb_msg(msg, "to_guest_vf must be 0 or 1, and reserved 0");
		return -EINVAL;
	}
	mutex_lock(&endpoint->lock);
	backend = nb_endpoint_plugged(endpoint);
	if (backend && backend->ops->set_data_path)
		err = backend->ops->set_data_path(backend, path->to_guest_vf, msg);
	if (err == -EOPNOTSUPP)
		err = nb_endpoint_no_vf(backend, msg);
	mutex_unlock(&endpoint->lock);
	return err;
}

static int nb_endpoint_get_data_path(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint = file->private_data;
	struct nb_data_path *path = arg;
	struct nb_backend *backend;
	int ret;

	mutex_lock(&endpoint->lock);
	backend = nb_endpoint_plugged(endpoint);
	if (backend && backend->ops->get_data_path)
		ret = backend->ops->get_data_path(backend);
	else
		ret = nb_endpoint_no_vf(backend, msg);
	mutex_unlock(&endpoint->lock);
	if (ret < 0)
		return ret;
	path->to_guest_vf = ret;
	path->reserved = 0;
	return 0;
}

static int nb_endpoint_ioctl_connect(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_endpoint *from = NULL;
	const struct nb_connect *connect = arg;
	int err;

	if (connect->reserved || (!(connect->flags & NB_CONNECT_FROM) && connect->from_fd)) {
		nb_msg(msg, "reserved is not 0, or from_fd without NB_CONNECT_FROM");
		return -EINVAL;
	}
	if (connect->flags & NB_CONNECT_FROM) {
		from = nb_endpoint_get_fd(connect->from_fd, msg);
		if (IS_ERR(from))
			return PTR_ERR(from);
	}
	err = nb_endpoint_connect(file->private_data, from, msg);
	if (from)
		nb_endpoint_put(from);
	return err;
}

static int nb_endpoint_ioctl_disconnect(struct file *file, void *arg, struct nb_msg *msg)
{
	const struct nb_disconnect *disconnect = arg;

	return nb_endpoint_disconnect_wait(file->private_data, disconnect->timeout_ns, msg);
}

static int nb_endpoint_ioctl_get_queues(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_endpoint_get_queues(file->private_data, arg, msg);
}

static int nb_endpoint_ioctl_set_rss(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_endpoint_set_rss(file->private_data, arg, msg);
}

static int nb_endpoint_ioctl_set_multicast(struct file *file, void *arg,
					   struct nb_msg *msg)
{
	return nb_endpoint_set_multicast(file->private_data, arg, msg);
}

static const struct nb_ioctl nb_endpoint_ioctls[] = {
	NB_IOCTL_OUT(NB_ENDPOINT_GET_INFO, struct nb_endpoint_info, nb_endpoint_get_info),
	NB_IOCTL(NB_ENDPOINT_GET_QUEUES, struct nb_get_queues, 0,
		 nb_endpoint_ioctl_get_queues),
	NB_IOCTL(NB_ENDPOINT_STOP, struct nb_endpoint_stop, 0, nb_endpoint_stop),
	NB_IOCTL(NB_ENDPOINT_SET_DATA_PATH, struct nb_data_path, 0, nb_endpoint_set_data_path),
	NB_IOCTL(NB_ENDPOINT_SET_RSS, struct nb_set_rss, 0, nb_endpoint_ioctl_set_rss),
	NB_IOCTL(NB_ENDPOINT_SET_MULTICAST, struct nb_set_multicast, NB_MULTICAST_ALL,
		 nb_endpoint_ioctl_set_multicast),
	NB_IOCTL_OUT(NB_ENDPOINT_GET_DATA_PATH, struct nb_data_path, nb_endpoint_get_data_path),
	NB_IOCTL(NB_ENDPOINT_CONNECT, struct nb_connect, NB_CONNECT_FROM,
		 nb_endpoint_ioctl_connect),
	NB_IOCTL(NB_ENDPOINT_DISCONNECT, struct nb_disconnect, 0,
		 nb_endpoint_ioctl_disconnect),
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

int nb_endpoint_fd(struct nb_endpoint *endpoint)
{
	return anon_inode_getfd("[nb_endpoint]", &nb_endpoint_fops, endpoint,
				O_RDWR | O_CLOEXEC);
}

struct nb_endpoint *nb_endpoint_get_fd(int fd, struct nb_msg *msg)
{
	struct file *file = fget(fd);
	struct nb_endpoint *endpoint;

	if (!file || file->f_op != &nb_endpoint_fops) {
		nb_msg(msg, "fd %d is not an endpoint of net_backend", fd);
		endpoint = ERR_PTR(-EBADF);
	} else {
		endpoint = file->private_data;
		kref_get(&endpoint->ref);
	}
	if (file)
		fput(file);
	return endpoint;
}
