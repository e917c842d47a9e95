// SPDX-License-Identifier: GPL-2.0
/*
 * get_queues: makes all queues of an endpoint, with their fds, or none; and takes them
 * back one by one.
 *
 * What touches user memory, which can take for ever, is done first and without a lock;
 * under &nb_endpoint.lock the queues become the endpoint's and the backend's.  No fd can
 * be seen before nothing can fail any more.  Process context.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "changes.h"
#include "endpoint.h"
#include "ioctl.h"
#include "poller.h"
#include "queue.h"
#include "rss.h"
#include "trace.h"
#include "zerocopy.h"

/* After queues of the endpoint came or went. */
static void nb_queues_changed(struct nb_endpoint *endpoint)
{
	struct nb_identity id;

	lockdep_assert_held(&endpoint->lock);
	nb_endpoint_identity(endpoint, &id);
	nb_changed(NB_CHANGES_QUEUES, id.net_cookie);
}

static void nb_queues_destroy(struct nb_queue **queues, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && queues[i]; i++) {
		nb_poller_stop(queues[i]);
		nb_zerocopy_detach(queues[i]);
		nb_queue_destroy(queues[i]);
	}
	kfree(queues);
}

static int nb_copy_config(const struct nb_get_queues *arg, unsigned int i,
			  struct nb_queue_config *config, struct nb_msg *msg)
{
	void __user *from = u64_to_user_ptr(arg->configs + (u64)i * arg->config_size);
	int err = arg->config_size > PAGE_SIZE ? -E2BIG :
		  copy_struct_from_user(config, sizeof(*config), from, arg->config_size);

	if (err)
		nb_msg(msg, "the configuration of queue %u cannot be read or is too new",
		       i);
	return err;
}

static struct nb_queue *nb_queue_create_driven(const struct nb_queue_config *config,
					       u32 index, u32 endpoint_id,
					       struct nb_mem *mem, struct nb_msg *msg)
{
	struct nb_queue *queue = nb_queue_create(config, index, mem, msg);
	int err = 0;

	if (IS_ERR(queue))
		return queue;
	nb_poller_attach(queue);
	if (config->flags & NB_QUEUE_ZEROCOPY_TX)
		err = nb_zerocopy_attach(queue);
	if (!err && (config->flags & NB_QUEUE_POLL))
		err = nb_poll_thread_create(queue, endpoint_id, config->poll_idle_us, msg);
	else if (!err && (config->flags & NB_QUEUE_ZEROCOPY_TX))
		err = nb_poller_create_thread(queue, endpoint_id, msg);
	if (!err)
		return queue;
	nb_zerocopy_detach(queue);
	nb_queue_destroy(queue);
	return ERR_PTR(err);
}

/* The queues in front of it are there. */
static int nb_queues_create_one(const struct nb_get_queues *arg, unsigned int i,
				u32 endpoint_id, struct nb_mem *mem, struct nb_queue **queues,
				struct nb_msg *msg)
{
	struct nb_queue_config config = {};
	struct nb_queue *queue;
	int err;

	err = nb_copy_config(arg, i, &config, msg);
	if (err)
		return err;
	queue = nb_queue_create_driven(&config, i, endpoint_id, mem, msg);
	err = PTR_ERR_OR_ZERO(queue);
	if (err)
		return err;
	queues[i] = queue;
	if (queue->flags != queues[0]->flags) {
		nb_msg(msg, "the flags of queue %u are not those of queue 0", i);
		return -EINVAL;
	}
	return 0;
}

static struct nb_queue **nb_queues_create(const struct nb_get_queues *arg, u32 endpoint_id,
					  struct nb_mem *mem, struct nb_msg *msg)
{
	struct nb_queue **queues;
	unsigned int i;
	int err = 0;

	queues = kcalloc(arg->n_queues, sizeof(*queues), GFP_KERNEL_ACCOUNT);
	if (!queues)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < arg->n_queues && !err; i++)
		err = nb_queues_create_one(arg, i, endpoint_id, mem, queues, msg);
	if (!err)
		return queues;
	nb_queues_destroy(queues, arg->n_queues);
	return ERR_PTR(err);
}

/**
 * struct nb_queue_fds - fds and files of queues, before user space can see them
 * @n: entries of @fd and @file
 * @fd: reserved numbers
 * @file: files, which hold the endpoint
 */
struct nb_queue_fds {
	unsigned int n;
	s32 *fd;
	struct file **file;
};

/*
 * Drop what was reserved.  The files are let go of without running their release: no
 * queue is the endpoint's yet.
 */
static void nb_queue_fds_drop(struct nb_queue_fds *fds)
{
	unsigned int i;

	for (i = 0; i < fds->n; i++) {
		put_unused_fd(fds->fd[i]);
		fds->file[i]->private_data = NULL;
		fput(fds->file[i]);
	}
	kfree(fds->fd);
	kfree(fds->file);
}

static int nb_queue_fds_reserve_one(struct nb_queue_fds *fds, struct nb_queue *queue)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = nb_queue_file(queue);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fds->fd[fds->n] = fd;
	fds->file[fds->n++] = file;
	return 0;
}

static int nb_queue_fds_reserve(struct nb_queue_fds *fds, struct nb_queue **queues,
				unsigned int n)
{
	unsigned int i;
	int err = 0;

	fds->n = 0;
	fds->fd = kcalloc(n, sizeof(*fds->fd), GFP_KERNEL);
	fds->file = kcalloc(n, sizeof(*fds->file), GFP_KERNEL);
	if (!fds->fd || !fds->file)
		err = -ENOMEM;
	for (i = 0; i < n && !err; i++)
		err = nb_queue_fds_reserve_one(fds, queues[i]);
	if (err)
		nb_queue_fds_drop(fds);
	return err;
}

static int nb_check_n_queues(u32 n_queues, u16 max_queues, struct nb_msg *msg)
{
	if (n_queues && n_queues <= max_queues)
		return 0;
	nb_msg(msg, "%u queues; this endpoint can have 1 to %u", n_queues, max_queues);
	return -EINVAL;
}

static int nb_check_get_queues(const struct nb_get_queues *arg, u16 max_queues,
			       struct nb_msg *msg)
{
	int err = nb_check_n_queues(arg->n_queues, max_queues, msg);

	if (err)
		return err;
	if (arg->config_size < sizeof(struct nb_queue_config)) {
		nb_msg(msg, "config_size %u is not that of struct nb_queue_config",
		       arg->config_size);
		return -EINVAL;
	}
	if (!arg->rss && arg->rss_size) {
		nb_msg(msg, "rss_size without rss");
		return -EINVAL;
	}
	return 0;
}

void nb_endpoint_release_queue(struct nb_queue *queue)
{
	struct nb_endpoint *endpoint = queue->endpoint;
	struct nb_backend *backend = queue->backend;

	lockdep_assert_held(&endpoint->lock);
	if (!backend)
		return;
	if (backend->ops->put_queue)
		backend->ops->put_queue(backend, queue);
	queue->backend = NULL;
	if (!--backend->n_queues && endpoint->disconnecting)
		nb_endpoint_disconnect_end(endpoint);
}

/* A queue's fd was closed: take the queue from the backend, and unmake it. */
static void nb_endpoint_put_queue(struct nb_queue *queue)
{
	struct nb_endpoint *endpoint = queue->endpoint;

	nb_poller_detach(queue);
	nb_zerocopy_detach(queue);
	trace_nb_queue_gone(queue);

	mutex_lock(&endpoint->lock);
	nb_event_queue_gone(queue);
	endpoint->queues[queue->index] = NULL;
	if (!--endpoint->n_queues) {
		kfree(endpoint->queues);
		endpoint->queues = NULL;
		endpoint->n_slots = 0;
	}
	nb_queues_changed(endpoint);
	/* This may be the end of a disconnect, which is told after that of its queues. */
	nb_endpoint_release_queue(queue);
	mutex_unlock(&endpoint->lock);

	nb_queue_destroy(queue);
	nb_endpoint_put(endpoint);
}

/* Can the endpoint have queues now?  And what is it like. */
static int nb_endpoint_ready(struct nb_endpoint *endpoint, struct nb_endpoint_info *info,
			     struct nb_msg *msg)
{
	int err;

	lockdep_assert_held(&endpoint->lock);
	err = nb_endpoint_read_info(endpoint, info);
	if (err) {
		nb_msg(msg, "what the endpoint stood on is gone");
		return err;
	}
	if (endpoint->n_queues) {
		nb_msg(msg, "the endpoint has %u queues; close them first", endpoint->n_queues);
		return -EBUSY;
	}
	return 0;
}

/* The endpoint's queues may be those of another backend, or of none. */
static void nb_endpoint_use_rss(struct nb_endpoint *endpoint, struct nb_rss *rss)
{
	struct nb_backend *backend = nb_endpoint_plugged(endpoint);

	lockdep_assert_held(&endpoint->lock);
	if (backend && backend->n_queues && backend->ops->set_rss)
		backend->ops->set_rss(backend, rss);
	else
		nb_rss_free(rss);
}

/* What was checked before the lock was taken: there may be another backend now. */
static int nb_endpoint_check_again(const struct nb_endpoint_info *info, unsigned int n,
				   const struct nb_rss *rss, struct nb_msg *msg)
{
	if (rss && rss->table_len > info->indirection_table_size) {
		nb_msg(msg, "the backend has changed meanwhile; its table has %u entries",
		       info->indirection_table_size);
		return -EINVAL;
	}
	return nb_check_n_queues(n, info->max_queues, msg);
}

/* Without a backend that is plugged in, they are served as kind null does. */
static int nb_backend_start(struct nb_backend *backend, struct nb_queue **queues,
			    unsigned int n, struct nb_msg *msg)
{
	const struct nb_endpoint_ops *ops = backend ? backend->ops : &nb_null_ops;
	unsigned int i;
	int err = 0;

	for (i = 0; i < n; i++) {
		queues[i]->backend = backend;
		queues[i]->ops = ops->queue_ops;
	}
	if (!backend)
		return 0;
	if (ops->get_queues)
		err = ops->get_queues(backend, queues, n, msg);
	if (!err)
		backend->n_queues = n;
	return err;
}

/* The queues become the endpoint's, and the backend's; then nothing can fail. */
static int nb_endpoint_start(struct nb_endpoint *endpoint, struct nb_queue **queues,
			     unsigned int n, struct nb_rss *rss, struct nb_msg *msg)
{
	struct nb_endpoint_info info = {};
	unsigned int i;
	int err;

	err = nb_endpoint_ready(endpoint, &info, msg);
	if (!err)
		err = nb_endpoint_check_again(&info, n, rss, msg);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		queues[i]->endpoint = endpoint;
		queues[i]->release = nb_endpoint_put_queue;
		queues[i]->tx_offloads = info.tx_offloads;
	}
	err = nb_backend_start(nb_endpoint_plugged(endpoint), queues, n, msg);
	if (err)
		return err;
	nb_endpoint_use_rss(endpoint, rss);
	endpoint->queues = queues;
	endpoint->n_slots = n;
	endpoint->n_queues = n;
	nb_queues_changed(endpoint);
	for (i = 0; i < n; i++)
		nb_event_queue_made(queues[i]);
	return 0;
}

/* From here on user space can close them, and their files do the rest. */
static void nb_queue_fds_install(struct nb_queue_fds *fds, struct nb_endpoint *endpoint)
{
	unsigned int i;

	for (i = 0; i < fds->n; i++) {
		kref_get(&endpoint->ref);
		trace_nb_queue_made(endpoint->queues[i]);
		nb_poller_start(endpoint->queues[i]);
		fd_install(fds->fd[i], fds->file[i]);
	}
	kfree(fds->fd);
	kfree(fds->file);
}

static int nb_endpoint_make_queues(struct nb_endpoint *endpoint,
				   const struct nb_get_queues *arg, struct nb_mem *mem,
				   struct nb_rss *rss, struct nb_msg *msg)
{
	struct nb_queue **queues;
	struct nb_queue_fds fds;
	int err;

	queues = nb_queues_create(arg, endpoint->id, mem, msg);
	if (IS_ERR(queues))
		return PTR_ERR(queues);
	err = nb_queue_fds_reserve(&fds, queues, arg->n_queues);
	if (err) {
		nb_msg(msg, "no file descriptors for %u queues", arg->n_queues);
		goto err_queues;
	}
	if (copy_to_user(u64_to_user_ptr(arg->fds), fds.fd, fds.n * sizeof(*fds.fd))) {
		err = -EFAULT;
		goto err_fds;
	}
	mutex_lock(&endpoint->lock);
	err = nb_endpoint_start(endpoint, queues, arg->n_queues, rss, msg);
	if (!err)
		nb_queue_fds_install(&fds, endpoint);
	mutex_unlock(&endpoint->lock);
	if (!err)
		return 0;

err_fds:
	nb_queue_fds_drop(&fds);
err_queues:
	nb_queues_destroy(queues, arg->n_queues);
	return err;
}

/* The RSS configuration that a caller gives, or NULL for none. */
static struct nb_rss *nb_endpoint_copy_rss(u64 from, u32 size, u16 table_size,
					   u32 n_queues, struct nb_msg *msg)
{
	return from ? nb_rss_create(from, size, table_size, n_queues, msg) : NULL;
}

int nb_endpoint_get_queues(struct nb_endpoint *endpoint, const struct nb_get_queues *arg,
			   struct nb_msg *msg)
{
	struct nb_endpoint_info info = {};
	struct nb_mem *mem;
	struct nb_rss *rss;
	int err;

	mutex_lock(&endpoint->lock);
	err = nb_endpoint_ready(endpoint, &info, msg);
	mutex_unlock(&endpoint->lock);
	if (!err)
		err = nb_check_get_queues(arg, info.max_queues, msg);
	if (err)
		return err;
	mem = nb_mem_get_fd(arg->memory_fd, msg);
	if (IS_ERR(mem))
		return PTR_ERR(mem);
	rss = nb_endpoint_copy_rss(arg->rss, arg->rss_size, info.indirection_table_size,
				   arg->n_queues, msg);
	err = PTR_ERR_OR_ZERO(rss);
	if (!err) {
		err = nb_endpoint_make_queues(endpoint, arg, mem, rss, msg);
		if (err)
			nb_rss_free(rss);
	}
	nb_mem_put(mem);
	return err;
}

/* What a configuration for the queues that there are is checked against. */
static int nb_endpoint_rss_limits(struct nb_endpoint *endpoint, u16 *table_size,
				  u32 *n_queues, struct nb_msg *msg)
{
	struct nb_endpoint_info info = {};
	int err;

	lockdep_assert_held(&endpoint->lock);
	err = nb_endpoint_read_info(endpoint, &info);
	if (!err && !endpoint->n_queues) {
		nb_msg(msg, "the endpoint has no queues");
		err = -EINVAL;
	}
	*table_size = info.indirection_table_size;
	*n_queues = endpoint->n_slots;
	return err;
}

int nb_endpoint_set_rss(struct nb_endpoint *endpoint, const struct nb_set_rss *arg,
			struct nb_msg *msg)
{
	u32 n_queues, now;
	struct nb_rss *rss;
	u16 table_size;
	int err;

	if (arg->reserved || (!arg->rss && arg->rss_size)) {
		nb_msg(msg, "reserved is not 0, or rss_size without rss");
		return -EINVAL;
	}
	mutex_lock(&endpoint->lock);
	err = nb_endpoint_rss_limits(endpoint, &table_size, &n_queues, msg);
	mutex_unlock(&endpoint->lock);
	if (err)
		return err;
	rss = nb_endpoint_copy_rss(arg->rss, arg->rss_size, table_size, n_queues, msg);
	if (IS_ERR(rss))
		return PTR_ERR(rss);

	mutex_lock(&endpoint->lock);
	err = nb_endpoint_rss_limits(endpoint, &table_size, &now, msg);
	if (!err && now != n_queues) {
		nb_msg(msg, "the queues have changed meanwhile");
		err = -EINVAL;
	}
	if (!err)
		nb_endpoint_use_rss(endpoint, rss);
	mutex_unlock(&endpoint->lock);
	if (err)
		nb_rss_free(rss);
	return err;
}
