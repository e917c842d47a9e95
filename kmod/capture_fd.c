// SPDX-License-Identifier: GPL-2.0
/*
 * The capture fd: makes a capture, hands out what it has, unmakes it.
 *
 * An endpoint has one capture at most.  Neither holds the other: nb_capture_mutex protects
 * &nb_endpoint.capture, which the data path reads under RCU, &nb_capture.endpoint, and the
 * list of those that have one.  The file owns the capture.
 *
 * The right to capture is that over a network namespace: an endpoint that leaves it, with
 * its net_device, leaves its capture behind.
 *
 * Locks: nb_capture_mutex, inside rtnl_lock or &nb_endpoint.lock, neither of which is taken
 * inside it; &nb_capture.read_lock, inside which user memory is touched; inside either,
 * &nb_capture.lock.  Process context.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <net/net_namespace.h>

#include "capture.h"
#include "endpoint.h"
#include "ioctl.h"

#define NB_CAPTURE_BUFFER	(4 * 1024 * 1024)

static DEFINE_MUTEX(nb_capture_mutex);
static LIST_HEAD(nb_captures);

/* ---- the buffer ---------------------------------------------------------- */

static void nb_capture_free_buffer(struct nb_capture *capture)
{
	unsigned int i;

	vunmap(capture->data);
	for (i = 0; i < capture->n_pages; i++)
		if (capture->pages[i])
			__free_page(capture->pages[i]);
	kvfree(capture->pages);
}

/* Each page is mapped twice, the second time behind all others. */
static int nb_capture_alloc_buffer(struct nb_capture *capture, u32 size)
{
	unsigned int i, n = max_t(u32, size >> PAGE_SHIFT, 1);

	capture->pages = kvcalloc(2 * n, sizeof(*capture->pages), GFP_KERNEL_ACCOUNT);
	if (!capture->pages)
		return -ENOMEM;
	capture->n_pages = n;
	for (i = 0; i < n; i++) {
		struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

		if (!page)
			return -ENOMEM;
		capture->pages[i] = page;
		capture->pages[n + i] = page;
	}
	capture->data = vmap(capture->pages, 2 * n, VM_MAP, PAGE_KERNEL);
	return capture->data ? 0 : -ENOMEM;
}

/* ---- life ---------------------------------------------------------------- */

static void nb_capture_free(struct nb_capture *capture)
{
	nb_capture_free_buffer(capture);
	mutex_destroy(&capture->read_lock);
	kfree(capture);
}

static struct nb_capture *nb_capture_alloc(const struct nb_create_capture *arg)
{
	struct nb_capture *capture = kzalloc(sizeof(*capture), GFP_KERNEL_ACCOUNT);

	if (!capture)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&capture->lock);
	mutex_init(&capture->read_lock);
	init_waitqueue_head(&capture->wait);
	INIT_LIST_HEAD(&capture->node);
	capture->net_cookie = current->nsproxy->net_ns->net_cookie;
	capture->directions = arg->flags;
	capture->queue = arg->queue;
	capture->snaplen = arg->snaplen ?: U32_MAX;
	if (nb_capture_alloc_buffer(capture, arg->buffer_size ?: NB_CAPTURE_BUFFER)) {
		nb_capture_free(capture);
		return ERR_PTR(-ENOMEM);
	}
	return capture;
}

static bool nb_capture_is_at(const struct nb_capture *capture, struct nb_endpoint *endpoint)
{
	struct nb_identity id;

	nb_endpoint_identity(endpoint, &id);
	return id.net_cookie == capture->net_cookie;
}

static int nb_capture_attach(struct nb_capture *capture, struct nb_endpoint *endpoint,
			     struct nb_msg *msg)
{
	int err = 0;

	mutex_lock(&nb_capture_mutex);
	if (rcu_access_pointer(endpoint->capture)) {
		nb_msg(msg, "somebody else captures the packets of endpoint %u", endpoint->id);
		err = -EBUSY;
	} else if (!nb_capture_is_at(capture, endpoint)) {
		/* Since it was found.  If it moves after this, nb_capture_end_moved() comes. */
		nb_msg(msg, "endpoint %u has left the network namespace", endpoint->id);
		err = -ENOENT;
	} else {
		capture->endpoint = endpoint;
		list_add(&capture->node, &nb_captures);
		rcu_assign_pointer(endpoint->capture, capture);
	}
	mutex_unlock(&nb_capture_mutex);
	if (!err)
		static_branch_inc(&nb_capture_key);
	return err;
}

/* Undo nb_capture_attach().  When it returns, the data path does not use the capture. */
static void nb_capture_detach(struct nb_capture *capture)
{
	mutex_lock(&nb_capture_mutex);
	if (capture->endpoint)
		RCU_INIT_POINTER(capture->endpoint->capture, NULL);
	capture->endpoint = NULL;
	list_del_init(&capture->node);
	mutex_unlock(&nb_capture_mutex);
	static_branch_dec(&nb_capture_key);
	synchronize_rcu();
}

/* There will be no more, but what is there can be read. */
static void nb_capture_finish(struct nb_capture *capture)
{
	lockdep_assert_held(&nb_capture_mutex);
	RCU_INIT_POINTER(capture->endpoint->capture, NULL);
	capture->endpoint = NULL;
	list_del_init(&capture->node);
	/* Who reads is told of the end when nobody brings something any more. */
	synchronize_rcu();
	/* Pairs with nb_capture_read(): first what is there, then that it is all. */
	smp_store_release(&capture->ended, true);
	wake_up_interruptible_poll(&capture->wait, EPOLLIN | EPOLLHUP);
}

void nb_capture_end(struct nb_endpoint *endpoint)
{
	struct nb_capture *capture;

	mutex_lock(&nb_capture_mutex);
	capture = rcu_dereference_protected(endpoint->capture,
					    lockdep_is_held(&nb_capture_mutex));
	if (capture)
		nb_capture_finish(capture);
	mutex_unlock(&nb_capture_mutex);
}

void nb_capture_end_moved(void)
{
	struct nb_capture *capture, *next;

	mutex_lock(&nb_capture_mutex);
	list_for_each_entry_safe(capture, next, &nb_captures, node)
		if (!nb_capture_is_at(capture, capture->endpoint))
			nb_capture_finish(capture);
	mutex_unlock(&nb_capture_mutex);
}

/* ---- reading ------------------------------------------------------------- */

/* The entry at hand is done with. */
static void nb_capture_skip(struct nb_capture *capture, const struct nb_capture_entry *entry)
{
	/* Pairs with nb_capture_reserve(): its place may be written to. */
	smp_store_release(&capture->tail, capture->tail + entry->size);
}

/* The next entry that is ready, or NULL. */
static const struct nb_capture_entry *nb_capture_next(struct nb_capture *capture)
{
	lockdep_assert_held(&capture->read_lock);
	/* Pairs with who reserves: the entry is seen as it was reserved, or later. */
	while (capture->tail != smp_load_acquire(&capture->head)) {
		const struct nb_capture_entry *entry = nb_capture_at(capture, capture->tail);
		/* Pairs with who has filled it. */
		u32 state = smp_load_acquire(&entry->state);

		if (state == NB_CAPTURE_BUSY)
			return NULL;
		if (state == NB_CAPTURE_READY)
			return entry;
		nb_capture_skip(capture, entry);
	}
	return NULL;
}

/* Return: bytes, or an errno. */
static ssize_t nb_capture_take(struct nb_capture *capture, char __user *buf, size_t size)
{
	const struct nb_capture_entry *entry;
	size_t done = 0;

	mutex_lock(&capture->read_lock);
	while ((entry = nb_capture_next(capture))) {
		const struct nb_capture_record *record = &entry->record;
		ssize_t err = 0;

		if (record->size > size - done)
			err = -EINVAL;
		else if (copy_to_user(buf + done, record, record->size))
			err = -EFAULT;
		if (err) {
			mutex_unlock(&capture->read_lock);
			return done ?: err;
		}
		done += record->size;
		nb_capture_skip(capture, entry);
	}
	mutex_unlock(&capture->read_lock);
	return done;
}

/* Is it worth a look?  The entry may be void. */
static bool nb_capture_has_some(const struct nb_capture *capture)
{
	unsigned long tail = READ_ONCE(capture->tail);
	/* Pairs with who reserves: the entry's state is that of an entry. */
	unsigned long head = smp_load_acquire(&capture->head);

	return tail != head &&
	       READ_ONCE(nb_capture_at(capture, tail)->state) != NB_CAPTURE_BUSY;
}

static ssize_t nb_capture_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct nb_capture *capture = file->private_data;
	bool ended;
	ssize_t n;
	int err;

	do {
		/* First whether it has ended: then what is there is all. */
		ended = smp_load_acquire(&capture->ended);
		n = nb_capture_take(capture, buf, size);
		if (n || ended)
			return n;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(capture->wait,
					       nb_capture_has_some(capture) ||
					       READ_ONCE(capture->ended));
	} while (!err);
	return err;
}

static __poll_t nb_capture_poll(struct file *file, struct poll_table_struct *table)
{
	struct nb_capture *capture = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &capture->wait, table);
	smp_mb(); /* pairs with wq_has_sleeper() in nb_capture_wake() */
	if (READ_ONCE(capture->ended))
		mask |= EPOLLIN | EPOLLHUP;
	if (nb_capture_has_some(capture))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/* ---- fd ------------------------------------------------------------------ */

static int nb_capture_get_stats(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_capture *capture = file->private_data;
	struct nb_capture_stats *stats = arg;

	spin_lock_irq(&capture->lock);
	stats->packets = capture->packets;
	stats->lost = capture->lost;
	spin_unlock_irq(&capture->lock);
	return 0;
}

static const struct nb_ioctl nb_capture_ioctls[] = {
	NB_IOCTL_OUT(NB_CAPTURE_GET_STATS, struct nb_capture_stats, nb_capture_get_stats),
};

static long nb_capture_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return nb_ioctl(file, nb_capture_ioctls, ARRAY_SIZE(nb_capture_ioctls), cmd, arg);
}

static int nb_capture_release(struct inode *inode, struct file *file)
{
	struct nb_capture *capture = file->private_data;

	nb_capture_detach(capture);
	nb_capture_free(capture);
	return 0;
}

static const struct file_operations nb_capture_fops = {
	.owner = THIS_MODULE,
	.release = nb_capture_release,
	.unlocked_ioctl = nb_capture_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = nb_capture_read,
	.poll = nb_capture_poll,
	.llseek = noop_llseek,
};

static int nb_capture_check(const struct nb_create_capture *arg, struct nb_msg *msg)
{
	if (!arg->flags) {
		nb_msg(msg, "flags have neither NB_CAPTURE_TX nor NB_CAPTURE_RX");
		return -EINVAL;
	}
	if (arg->queue != NB_ANY_QUEUE && arg->queue >= NB_MAX_QUEUES) {
		nb_msg(msg, "queue is %u; there are at most %u", arg->queue, NB_MAX_QUEUES);
		return -EINVAL;
	}
	if (arg->buffer_size && (arg->buffer_size < NB_MIN_CAPTURE_BUFFER ||
				 arg->buffer_size > NB_MAX_CAPTURE_BUFFER ||
				 !is_power_of_2(arg->buffer_size))) {
		nb_msg(msg, "buffer_size is %u; it must be a power of two from %u to %u",
		       arg->buffer_size, NB_MIN_CAPTURE_BUFFER, NB_MAX_CAPTURE_BUFFER);
		return -EINVAL;
	}
	if (!ns_capable(current->nsproxy->net_ns->user_ns, CAP_NET_ADMIN)) {
		nb_msg(msg, "that needs CAP_NET_ADMIN over the network namespace");
		return -EPERM;
	}
	return 0;
}

/* The endpoint with that id in the caller's network namespace, with a reference. */
static struct nb_endpoint *nb_capture_find_endpoint(u32 id, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint;
	u32 changes;

	endpoint = nb_endpoint_get_next(id, current->nsproxy->net_ns->net_cookie, &changes);
	if (endpoint && endpoint->id == id)
		return endpoint;
	if (endpoint)
		nb_endpoint_put(endpoint);
	nb_msg(msg, "there is no endpoint with the id %u in the network namespace", id);
	return ERR_PTR(-ENOENT);
}

/* An endpoint that never has queues never has packets. */
static int nb_capture_check_endpoint(struct nb_endpoint *endpoint, struct nb_msg *msg)
{
	bool has_queues;

	rcu_read_lock();
	has_queues = rcu_dereference(endpoint->backend)->ops->max_queues;
	rcu_read_unlock();
	if (has_queues)
		return 0;
	nb_msg(msg, "the uplink of a switch has no queues: use tcpdump on its interface");
	return -EOPNOTSUPP;
}

static struct nb_capture *nb_capture_create(const struct nb_create_capture *arg,
					    struct nb_endpoint *endpoint, struct nb_msg *msg)
{
	struct nb_capture *capture;
	int err;

	err = nb_capture_check_endpoint(endpoint, msg);
	if (err)
		return ERR_PTR(err);
	capture = nb_capture_alloc(arg);
	if (IS_ERR(capture))
		return capture;
	err = nb_capture_attach(capture, endpoint, msg);
	if (!err)
		return capture;
	nb_capture_free(capture);
	return ERR_PTR(err);
}

int nb_capture_create_fd(const struct nb_create_capture *arg, struct nb_msg *msg)
{
	struct nb_endpoint *endpoint;
	struct nb_capture *capture;
	int ret;

	ret = nb_capture_check(arg, msg);
	if (ret)
		return ret;
	endpoint = nb_capture_find_endpoint(arg->endpoint_id, msg);
	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	capture = nb_capture_create(arg, endpoint, msg);
	nb_endpoint_put(endpoint);
	if (IS_ERR(capture))
		return PTR_ERR(capture);
	ret = anon_inode_getfd("[nb_capture]", &nb_capture_fops, capture,
			       O_RDONLY | O_CLOEXEC);
	if (ret < 0) {
		nb_msg(msg, "no file descriptor for the capture");
		nb_capture_detach(capture);
		nb_capture_free(capture);
	}
	return ret;
}
