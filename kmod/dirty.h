/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The dirty log of one region: which of its pages the kernel has written.
 */
#ifndef _NB_DIRTY_H
#define _NB_DIRTY_H

#include <linux/kref.h>
#include <linux/math.h>
#include <linux/types.h>

#include <linux/net_backend.h>

struct vm_area_struct;

/**
 * struct nb_dirty_log - a bitmap that is shared with user space
 * @ref: held by the region and by each mapping
 * @pgoff: where it begins in the mmap() of the memory fd, in pages
 * @n_pages: pages of @bitmap
 * @n_bits: pages of guest memory that the region has, of NB_DIRTY_PAGE_SIZE bytes
 * @bitmap: vmalloc()ed; written by user space at any time, and never believed
 */
struct nb_dirty_log {
	struct kref ref;
	unsigned long pgoff;
	unsigned long n_pages;
	u64 n_bits;
	void *bitmap;
};

/**
 * nb_dirty_log_create() - make an empty log
 * @len: bytes of the region
 * @pgoff: where in the mmap() of the memory fd
 *
 * Process context.
 *
 * Return: the log, for nb_dirty_log_put(); or NULL.
 */
struct nb_dirty_log *nb_dirty_log_create(u64 len, unsigned long pgoff);

/* Drop a reference to a log, or to none (NULL).  Process context. */
void nb_dirty_log_put(struct nb_dirty_log *log);

/**
 * nb_dirty_log_mark() - note what has been written
 * @log: the log
 * @offset: first byte in the region
 * @len: bytes, not 0
 *
 * Behind the writes, and behind a full fence behind them.  Any context.
 */
void nb_dirty_log_mark(struct nb_dirty_log *log, u64 offset, u32 len);

/* Bytes of the bitmap that mean something: whole words of 64 bits. */
static inline u64 nb_dirty_log_size(const struct nb_dirty_log *log)
{
	return DIV_ROUND_UP_ULL(log->n_bits, 64) * sizeof(u64);
}

/* Is this range of the memory fd's mmap() a part of the log? */
static inline bool nb_dirty_log_holds(const struct nb_dirty_log *log, unsigned long pgoff,
				      unsigned long n_pages)
{
	unsigned long first = pgoff - log->pgoff;

	return first < log->n_pages && log->n_pages - first >= n_pages;
}

/**
 * nb_dirty_log_mmap() - map a log, or a part of it
 * @log: the log; the mapping takes a reference of its own
 * @vma: lies in what nb_dirty_log_holds()
 *
 * Return: 0, or -EINVAL for a private mapping.
 */
int nb_dirty_log_mmap(struct nb_dirty_log *log, struct vm_area_struct *vma);

#endif /* _NB_DIRTY_H */
