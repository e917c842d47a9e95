// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a queue, its fd, its counters.
 *
 * Owns struct nb_queue.  Takes no locks but, for a moment each, those of the parts it
 * calls.  Process context, but for nb_queue_set_state().
 */
#include <linux/anon_inodes.h>
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "endpoint.h"
#include "ioctl.h"
#include "notify.h"
#include "poller.h"
#include "queue.h"

void nb_queue_set_state(struct nb_queue *queue, u32 state)
{
	if (cmpxchg(queue->state, NB_QUEUE_RUNNING, state) == NB_QUEUE_RUNNING)
		nb_notify_always(queue);
}

static void nb_queue_read_tx(struct nb_queue *queue, struct nb_tx_counts *counts)
{
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&queue->tx_syncp);
		*counts = queue->tx_total;
	} while (u64_stats_fetch_retry(&queue->tx_syncp, start));
}

static void nb_queue_read_rx(struct nb_queue *queue, struct nb_rx_counts *counts)
{
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&queue->rx_syncp);
		*counts = queue->rx_total;
	} while (u64_stats_fetch_retry(&queue->rx_syncp, start));
}

void nb_queue_read_stats(struct nb_queue *queue, struct nb_queue_stats *stats)
{
	struct nb_tx_counts tx;
	struct nb_rx_counts rx;

	nb_queue_read_tx(queue, &tx);
	nb_queue_read_rx(queue, &rx);
	stats->tx_packets = tx.packets;
	stats->tx_bytes = tx.bytes;
	stats->tx_vlan_packets = tx.vlan_packets;
	stats->tx_errors = tx.errors;
	stats->tx_dropped = tx.dropped;
	stats->rx_packets = rx.packets;
	stats->rx_bytes = rx.bytes;
	stats->rx_vlan_packets = rx.vlan_packets;
	stats->rx_errors = rx.errors;
	stats->rx_too_small = rx.too_small;
	stats->rx_no_buffer = rx.no_buffer;
	stats->enters = atomic64_read(&queue->enters);
	stats->kicks = atomic64_read(&queue->kicks);
	stats->notifies = atomic64_read(&queue->notifies);
}

/* ---- ioctls -------------------------------------------------------------- */

static int nb_queue_check_cpu(u32 cpu, struct nb_msg *msg)
{
	if (cpu == NB_ANY_CPU || (cpu < nr_cpu_ids && cpu_possible(cpu)))
		return 0;
	nb_msg(msg, "there is no CPU %u", cpu);
	return -EINVAL;
}

static int nb_queue_get_info(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_queue *queue = file->private_data;
	struct nb_queue_info *info = arg;

	info->endpoint_id = queue->endpoint->id;
	info->index = queue->index;
	info->kernel_map_size = queue->maps.kernel_size;
	info->user_map_size = queue->maps.user_size;
	info->state = READ_ONCE(*queue->state);
	info->target_cpu = READ_ONCE(queue->target_cpu);
	return 0;
}

static int nb_queue_set_eventfds(struct file *file, void *arg, struct nb_msg *msg)
{
	const struct nb_queue_eventfds *fds = arg;

	return nb_poller_set_eventfds(file->private_data, fds->kick_fd, fds->call_fd, msg);
}

static int nb_queue_set_target(struct file *file, void *arg, struct nb_msg *msg)
{
	const struct nb_queue_target *target = arg;
	struct nb_queue *queue = file->private_data;
	int err;

	if (target->reserved) {
		nb_msg(msg, "reserved is not 0");
		return -EINVAL;
	}
	err = nb_queue_check_cpu(target->cpu, msg);
	if (!err)
		WRITE_ONCE(queue->target_cpu, target->cpu);
	return err;
}

static int nb_queue_get_stats(struct file *file, void *arg, struct nb_msg *msg)
{
	nb_queue_read_stats(file->private_data, arg);
	return 0;
}

static const struct nb_ioctl nb_queue_ioctls[] = {
	NB_IOCTL(NB_QUEUE_GET_INFO, struct nb_queue_info, 0, nb_queue_get_info),
	NB_IOCTL(NB_QUEUE_SET_EVENTFDS, struct nb_queue_eventfds, 0, nb_queue_set_eventfds),
	NB_IOCTL(NB_QUEUE_SET_TARGET, struct nb_queue_target, 0, nb_queue_set_target),
	NB_IOCTL(NB_QUEUE_GET_STATS, struct nb_queue_stats, 0, nb_queue_get_stats),
};

/* ---- fd ------------------------------------------------------------------ */

static long nb_queue_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (likely(cmd == NB_QUEUE_ENTER))
		return nb_queue_enter(file->private_data, (void __user *)arg);
	return nb_ioctl(file, nb_queue_ioctls, ARRAY_SIZE(nb_queue_ioctls), cmd, arg);
}

static __poll_t nb_queue_poll(struct file *file, struct poll_table_struct *table)
{
	struct nb_queue *queue = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &queue->wait, table);
	smp_mb(); /* (C') of notify.c */
	if (nb_ring_has_unreaped(&queue->tx_done) || nb_ring_has_unreaped(&queue->rx_done))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (nb_queue_check(queue))
		mask |= EPOLLERR;
	return mask;
}

static int nb_queue_mmap(struct file *file, struct vm_area_struct *vma)
{
	return nb_rings_mmap(file->private_data, vma);
}

static int nb_queue_release(struct inode *inode, struct file *file)
{
	nb_endpoint_put_queue(file->private_data);
	return 0;
}

static const struct file_operations nb_queue_fops = {
	.owner = THIS_MODULE,
	.release = nb_queue_release,
	.unlocked_ioctl = nb_queue_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = nb_queue_poll,
	.mmap = nb_queue_mmap,
	.llseek = noop_llseek,
};

struct file *nb_queue_file(struct nb_queue *queue)
{
	return anon_inode_getfile("[nb_queue]", &nb_queue_fops, queue, O_RDWR);
}

/* ---- life ---------------------------------------------------------------- */

struct nb_queue *nb_queue_create(const struct nb_queue_config *config, u32 index,
				 struct nb_mem *mem, struct nb_msg *msg)
{
	struct nb_queue *queue;
	int err;

	if (config->flags) {
		nb_msg(msg, "unknown flags 0x%x of queue %u", config->flags, index);
		return ERR_PTR(-EINVAL);
	}
	err = nb_queue_check_cpu(config->target_cpu, msg);
	if (err)
		return ERR_PTR(err);

	queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	if (!queue)
		return ERR_PTR(-ENOMEM);
	queue->batch = kzalloc(sizeof(*queue->batch), GFP_KERNEL_ACCOUNT);
	if (!queue->batch) {
		err = -ENOMEM;
		goto err_free;
	}
	err = nb_rings_create(queue, config, msg);
	if (err)
		goto err_free;

	kref_get(&mem->ref);
	queue->mem = mem;
	queue->index = index;
	queue->target_cpu = config->target_cpu;
	init_waitqueue_head(&queue->wait);
	mutex_init(&queue->tx_lock);
	u64_stats_init(&queue->tx_syncp);
	u64_stats_init(&queue->rx_syncp);
	nb_poller_attach(queue);
	return queue;

err_free:
	kfree(queue->batch);
	kfree(queue);
	return ERR_PTR(err);
}

void nb_queue_destroy(struct nb_queue *queue)
{
	nb_rings_destroy(queue);
	nb_mem_put(queue->mem);
	mutex_destroy(&queue->tx_lock);
	mutex_destroy(&queue->doorbell_lock);
	kfree(queue->batch);
	kfree(queue);
}
