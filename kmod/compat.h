/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that differs between the kernels from 6.1 to 7.3, and nothing else.
 */
#ifndef _NB_COMPAT_H
#define _NB_COMPAT_H

#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>

/* 6.3 made vma->vm_flags read-only and added these helpers. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void nb_vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				   vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#else
#define nb_vm_flags_mod(vma, set, clear) vm_flags_mod(vma, set, clear)
#endif

/* 6.8 took the count away from eventfd_signal(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define nb_eventfd_signal(ctx) eventfd_signal(ctx, 1)
#else
#define nb_eventfd_signal(ctx) eventfd_signal(ctx)
#endif

/* 6.18 gave a name to what a workqueue was unless it said otherwise. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define WQ_PERCPU 0
#endif

/* 6.6 moved the attributes of a dump's request into a struct genl_info. */
static inline struct nlattr **nb_genl_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	return genl_dumpit_info(cb)->attrs;
#else
	return genl_dumpit_info(cb)->info.attrs;
#endif
}

#endif /* _NB_COMPAT_H */
