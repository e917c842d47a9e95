// SPDX-License-Identifier: GPL-2.0
/*
 * The queue fd: its file operations and ioctls.
 *
 * Owns nothing: the file is the queue's, and closing it calls &nb_queue.release.  Takes
 * no locks.  Process context.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>

#include "endpoint.h"
#include "ioctl.h"
#include "poller.h"
#include "queue.h"

/* ---- ioctls -------------------------------------------------------------- */

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
	if (err)
		return err;
	if (xchg(&queue->target_cpu, target->cpu) != target->cpu)
		nb_event_note_queue(queue, NB_QUEUE_EVENT_TARGET_CPU);
	nb_poller_set_target(queue);
	return 0;
}

static int nb_queue_set_moderation(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_queue *queue = file->private_data;
	int err = nb_moderation_check(arg, msg);

	if (err)
		return err;
	/* Operators change some of it, and leave the rest: netlink_moderation.c. */
	mutex_lock(&queue->endpoint->lock);
	nb_moderation_set(queue, arg);
	mutex_unlock(&queue->endpoint->lock);
	return 0;
}

static int nb_queue_get_moderation(struct file *file, void *arg, struct nb_msg *msg)
{
	nb_moderation_get(file->private_data, arg);
	return 0;
}

static int nb_queue_get_stats(struct file *file, void *arg, struct nb_msg *msg)
{
	nb_queue_total_stats(file->private_data, arg);
	return 0;
}

static int nb_queue_ioctl_quiesce(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_queue_quiesce(file->private_data, arg, msg);
}

static int nb_queue_ioctl_resume(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_queue_resume(file->private_data, msg);
}

static int nb_queue_ioctl_save(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_queue_save(file->private_data, arg, msg);
}

static int nb_queue_ioctl_restore(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_queue_restore(file->private_data, arg, msg);
}

static const struct nb_ioctl nb_queue_ioctls[] = {
	NB_IOCTL_OUT(NB_QUEUE_GET_INFO, struct nb_queue_info, nb_queue_get_info),
	NB_IOCTL(NB_QUEUE_SET_EVENTFDS, struct nb_queue_eventfds, 0, nb_queue_set_eventfds),
	NB_IOCTL(NB_QUEUE_SET_TARGET, struct nb_queue_target, 0, nb_queue_set_target),
	NB_IOCTL(NB_QUEUE_SET_MODERATION, struct nb_queue_moderation, 0,
		 nb_queue_set_moderation),
	NB_IOCTL_OUT(NB_QUEUE_GET_MODERATION, struct nb_queue_moderation,
		     nb_queue_get_moderation),
	NB_IOCTL_OUT(NB_QUEUE_GET_STATS, struct nb_queue_stats, nb_queue_get_stats),
	NB_IOCTL(NB_QUEUE_QUIESCE, struct nb_queue_quiesce, NB_QUIESCE_LEAVE,
		 nb_queue_ioctl_quiesce),
	NB_IOCTL(NB_QUEUE_RESUME, struct nb_queue_resume, 0, nb_queue_ioctl_resume),
	NB_IOCTL_OUT(NB_QUEUE_SAVE, struct nb_queue_saved, nb_queue_ioctl_save),
	NB_IOCTL(NB_QUEUE_RESTORE, struct nb_queue_saved, 0, nb_queue_ioctl_restore),
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
	struct nb_queue *queue = file->private_data;

	/* NULL: a file that never was an fd, see get_queues.c. */
	if (queue)
		queue->release(queue);
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
