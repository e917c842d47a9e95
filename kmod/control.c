// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/net_backend: says what the module offers, and makes memories, endpoints and captures.
 * Owns the misc device.  No locks; process context.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "capture.h"
#include "control.h"
#include "endpoint.h"
#include "ioctl.h"
#include "mem.h"

static int nb_control_put_kinds(struct nb_info *info)
{
	u32 room = info->kinds ? info->n_kinds : 0;
	struct nb_kind_name *names;
	unsigned int n;
	int err = 0;

	n = nb_kind_names(NULL, 0);
	names = kcalloc(n, sizeof(*names), GFP_KERNEL);
	if (!names)
		return -ENOMEM;
	room = min(room, n);
	info->n_kinds = nb_kind_names(names, room);
	if (copy_to_user(u64_to_user_ptr(info->kinds), names, room * sizeof(*names)))
		err = -EFAULT;
	kfree(names);
	return err;
}

static int nb_control_get_info(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_info *info = arg;

	info->features = NB_FEATURE_RX_OFFLOADS | NB_FEATURE_SET_RSS |
			 NB_FEATURE_CONNECT | NB_FEATURE_POLL | NB_FEATURE_SET_MULTICAST |
			 NB_FEATURE_DIRTY_LOG | NB_FEATURE_MIGRATION |
			 NB_FEATURE_ZEROCOPY_TX | NB_FEATURE_MODERATION |
			 NB_FEATURE_CAPTURE;
	info->max_queues = NB_MAX_QUEUES;
	info->max_segments = NB_MAX_SEGMENTS;
	info->max_packet_len = NB_MAX_PACKET_LEN;
	info->min_ring_entries = NB_MIN_RING_ENTRIES;
	info->max_ring_entries = NB_MAX_RING_ENTRIES;
	return nb_control_put_kinds(info);
}

static int nb_control_create_memory(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_mem_create_fd(msg);
}

static int nb_control_create_endpoint(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_endpoint_create_fd(arg, msg);
}

static int nb_control_create_capture(struct file *file, void *arg, struct nb_msg *msg)
{
	return nb_capture_create_fd(arg, msg);
}

static const struct nb_ioctl nb_control_ioctls[] = {
	NB_IOCTL_OUT(NB_GET_INFO, struct nb_info, nb_control_get_info),
	NB_IOCTL(NB_CREATE_MEMORY, struct nb_create_memory, 0, nb_control_create_memory),
	NB_IOCTL(NB_CREATE_ENDPOINT, struct nb_create_endpoint,
		 NB_CREATE_MAC | NB_CREATE_NETNS, nb_control_create_endpoint),
	NB_IOCTL(NB_CREATE_CAPTURE, struct nb_create_capture, NB_CAPTURE_TX | NB_CAPTURE_RX,
		 nb_control_create_capture),
};

static long nb_control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return nb_ioctl(file, nb_control_ioctls, ARRAY_SIZE(nb_control_ioctls), cmd, arg);
}

static const struct file_operations nb_control_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = nb_control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice nb_control = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "net_backend",
	.fops = &nb_control_fops,
};

int nb_control_init(void)
{
	return misc_register(&nb_control);
}

void nb_control_exit(void)
{
	misc_deregister(&nb_control);
}
