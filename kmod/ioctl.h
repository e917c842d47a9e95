/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How all fds take their ioctls: one table a fd, structs with a size, and an error
 * in words beside the errno.
 */
#ifndef _NB_IOCTL_H
#define _NB_IOCTL_H

#include <linux/compiler.h>
#include <linux/types.h>

#include <linux/net_backend.h>

#include "msg.h"

struct file;

/**
 * struct nb_ioctl - an ioctl of a fd
 * @cmd: its number
 * @min_size: bytes of the struct's first published version
 * @size: bytes of the struct today, at most NB_IOCTL_MAX_SIZE
 * @flags: the flags that the struct may have
 * @out: what @fn leaves in the struct is copied back when it returns 0; then it must
 *	not have changed anything else, since copying can fail
 * @fn: does it; @arg is the struct, zero behind what the caller passed.  Its result
 *	goes to the caller.  Process context, no locks held.
 */
struct nb_ioctl {
	unsigned int cmd;
	u32 min_size;
	u32 size;
	u32 flags;
	bool out;
	int (*fn)(struct file *file, void *arg, struct nb_msg *msg);
};

#define NB_IOCTL_MAX_SIZE 256

/* Table entries of ioctls whose struct has not grown since it was published. */
#define __NB_IOCTL(_cmd, _type, _flags, _out, _fn)			\
	{								\
		.cmd = (_cmd),						\
		.min_size = sizeof(_type) +				\
			    BUILD_BUG_ON_ZERO(sizeof(_type) > NB_IOCTL_MAX_SIZE), \
		.size = sizeof(_type),					\
		.flags = (_flags),					\
		.out = (_out),						\
		.fn = (_fn),						\
	}

/* One that does something. */
#define NB_IOCTL(_cmd, _type, _flags, _fn) \
	__NB_IOCTL(_cmd, _type, _flags, false, _fn)

/* One that only tells something. */
#define NB_IOCTL_OUT(_cmd, _type, _fn) \
	__NB_IOCTL(_cmd, _type, 0, true, _fn)

/**
 * nb_ioctl() - find, copy, check, call, copy back
 * @file: the fd's file
 * @table: the fd's ioctls
 * @n: entries of @table
 * @cmd: as the caller gave it
 * @arg: as the caller gave it
 *
 * Return: what &nb_ioctl.fn returned, or -ENOTTY, -EINVAL, -E2BIG, -EFAULT.
 */
long nb_ioctl(struct file *file, const struct nb_ioctl *table, unsigned int n,
	      unsigned int cmd, unsigned long arg);

#endif /* _NB_IOCTL_H */
