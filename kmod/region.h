/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One range of guest memory: its pages, pinned, and where they are.
 */
#ifndef _NB_REGION_H
#define _NB_REGION_H

#include <linux/overflow.h>
#include <linux/types.h>

#include <linux/net_backend.h>

struct nb_dirty_log;
struct nb_msg;
struct user_struct;

/**
 * struct nb_region - a range of guest memory; constant once it is made, but for @log
 * @gpa: first guest-physical address
 * @len: bytes
 * @read_only: the kernel may not write here
 * @shift: the region is a row of units of 1 << @shift bytes, each contiguous in
 *	the kernel's direct map: pages, or huge pages where all of it is made of them
 * @unit_mask: bytes of a unit - 1
 * @head: offset of the region's first byte in its first unit
 * @base: @gpa - @head, modulo 2^64
 * @n_units: entries of @unit
 * @n_pinned: leading units that are pinned
 * @n_pages: pages that are counted against @user's RLIMIT_MEMLOCK
 * @user: whom the pages are counted against, or NULL
 * @log: where writes are noted, or NULL; looked at only in a map that is
 *	&nb_mem_map.logged, and changed only while none can be found
 * @unit: address of each unit's first byte; of the first one that of the unit, not
 *	of the region, whose byte 0 is at @head
 */
struct nb_region {
	u64 gpa;
	u64 len;
	bool read_only;
	u8 shift;
	u64 unit_mask;
	u64 head;
	u64 base;
	unsigned long n_units;
	unsigned long n_pinned;
	unsigned long n_pages;
	struct user_struct *user;
	struct nb_dirty_log *log;
	void *unit[];
};

/**
 * nb_region_create() - pin and account a range of user memory or of a memfd
 * @arg: what the caller of NB_MEMORY_ADD_REGION asked for, not yet checked
 * @msg: says why not
 *
 * Process context of the caller, may sleep.
 *
 * Return: the region, or an ERR_PTR with an errno of NB_MEMORY_ADD_REGION.
 */
struct nb_region *nb_region_create(const struct nb_add_region *arg, struct nb_msg *msg);

/**
 * nb_region_destroy() - unpin a region that nobody can find any more
 * @region: the region, or NULL
 *
 * Process context, may sleep.
 */
void nb_region_destroy(struct nb_region *region);

/**
 * nb_region_covers() - does a range lie in the region
 * @region: the region
 * @gpa: first guest-physical address
 * @len: bytes, not 0
 *
 * Any context.  Safe against every value of @gpa and @len.
 *
 * Return: whether all of it does.
 */
static inline bool nb_region_covers(const struct nb_region *region, u64 gpa, u32 len)
{
	u64 end;

	return !check_add_overflow(gpa - region->gpa, (u64)len, &end) && end <= region->len;
}

/**
 * nb_region_ptr() - where a byte of the region is
 * @region: the region
 * @gpa: guest-physical address in it
 * @contig: out: bytes from there on that are contiguous in kernel memory; may be
 *	more than the region has left
 *
 * Any context in which @region is safe.
 *
 * Return: its kernel address.
 */
static inline void *nb_region_ptr(const struct nb_region *region, u64 gpa, u64 *contig)
{
	u64 offset = gpa - region->base;
	u64 in_unit = offset & region->unit_mask;

	*contig = region->unit_mask + 1 - in_unit;
	return region->unit[offset >> region->shift] + in_unit;
}

/**
 * nb_region_span() - where a range is that is contiguous in kernel memory
 * @region: the region
 * @gpa: guest-physical address in it
 * @len: bytes, not 0, all of them in the region
 *
 * Any context in which @region is safe.
 *
 * Return: its kernel address, or NULL if it is not contiguous.
 */
static __always_inline void *nb_region_span(const struct nb_region *region, u64 gpa, u32 len)
{
	u64 offset = gpa - region->base;
	u64 in_unit = offset & region->unit_mask;

	if (unlikely(in_unit + len - 1 > region->unit_mask))
		return NULL;
	return region->unit[offset >> region->shift] + in_unit;
}

#endif /* _NB_REGION_H */
