// SPDX-License-Identifier: GPL-2.0
/*
 * Copies an ioctl's struct in and out and its error message out.  Owns nothing,
 * takes no locks, runs in the caller's process context.
 */
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "ioctl.h"

/* What every struct begins with. */
struct nb_ioctl_head {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
};

union nb_ioctl_arg {
	struct nb_ioctl_head head;
	u8 bytes[NB_IOCTL_MAX_SIZE];
};

void nb_msg(struct nb_msg *msg, const char *fmt, ...)
{
	va_list args;

	if (msg->text[0])
		return;
	va_start(args, fmt);
	vscnprintf(msg->text, sizeof(msg->text), fmt, args);
	va_end(args);
}

/* For what failed without words of its own. */
static const char *nb_msg_default(int err)
{
	switch (err) {
	case -EFAULT:
		return "a pointer in the struct leads to memory that cannot be accessed";
	case -ENOMEM:
		return "out of memory";
	case -EINTR:
		return "interrupted by a signal";
	default:
		return "refused";
	}
}

/* Best effort: a message that cannot be written does not change the result. */
static void nb_msg_put(struct nb_msg *msg, const struct nb_message *to)
{
	size_t len = strlen(msg->text);

	if (!to->text || !to->size)
		return;
	if (len >= to->size) {
		len = to->size - 1;
		msg->text[len] = 0;
	}
	if (copy_to_user(u64_to_user_ptr(to->text), msg->text, len + 1))
		return;
}

static int nb_ioctl_copy(const struct nb_ioctl *ioctl, union nb_ioctl_arg *arg,
			 void __user *uarg, u32 size, struct nb_msg *msg)
{
	int err;

	if (size < ioctl->min_size) {
		nb_msg(msg, "size is %u, less than the %u bytes of this struct's first version",
		       size, ioctl->min_size);
		return -EINVAL;
	}
	err = size > PAGE_SIZE ? -E2BIG :
	      copy_struct_from_user(arg, ioctl->size, uarg, size);
	if (err) {
		if (err == -E2BIG)
			nb_msg(msg, "the struct of %u bytes has more than the %u known here",
			       size, ioctl->size);
		return err;
	}
	/* What was read first counts, should another thread have changed it. */
	arg->head.size = size;
	if (arg->head.flags & ~ioctl->flags) {
		nb_msg(msg, "unknown flags 0x%x", arg->head.flags & ~ioctl->flags);
		return -EINVAL;
	}
	if (arg->head.msg.reserved) {
		nb_msg(msg, "msg.reserved is not 0");
		return -EINVAL;
	}
	return 0;
}

static long nb_ioctl_call(struct file *file, const struct nb_ioctl *ioctl,
			  void __user *uarg)
{
	union nb_ioctl_arg arg = {};
	struct nb_ioctl_head head;
	struct nb_msg msg = {};
	int ret;

	if (get_user(head.size, (__u32 __user *)uarg))
		return -EFAULT;
	if (head.size < sizeof(head))
		return -EINVAL;
	if (copy_from_user(&head.flags, uarg + sizeof(head.size),
			   sizeof(head) - sizeof(head.size)))
		return -EFAULT;

	ret = nb_ioctl_copy(ioctl, &arg, uarg, head.size, &msg);
	if (!ret)
		ret = ioctl->fn(file, &arg, &msg);
	if (!ret && ioctl->out && copy_to_user(uarg, &arg, min(head.size, ioctl->size)))
		ret = -EFAULT;
	if (ret >= 0)
		msg.text[0] = 0;
	else
		nb_msg(&msg, "%s", nb_msg_default(ret));
	nb_msg_put(&msg, &head.msg);
	return ret;
}
EXPORT_SYMBOL_GPL(nb_msg);

long nb_ioctl(struct file *file, const struct nb_ioctl *table, unsigned int n,
	      unsigned int cmd, unsigned long arg)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (table[i].cmd == cmd)
			return nb_ioctl_call(file, &table[i], (void __user *)arg);
	return -ENOTTY;
}
