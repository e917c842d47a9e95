/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bitmap of a region, when its writes are logged
 */
#ifndef NBBITMAP_H
#define NBBITMAP_H

#include <stddef.h>
#include <stdint.h>

#include <linux/net_backend.h>

/* Where that of the region at an address is. */
struct nb_get_dirty_log nb_bitmap_find(int fd, uint64_t gpa);
/* Its bytes, in whole pages. */
size_t nb_bitmap_map_size(const struct nb_get_dirty_log *where);
/* mmap() of a memory fd; and that of a bitmap, which has to succeed. */
void *nb_bitmap_try_map(int fd, uint64_t offset, size_t size, int flags);
void *nb_bitmap_map(int fd, const struct nb_get_dirty_log *where);

#endif /* NBBITMAP_H */
