// SPDX-License-Identifier: GPL-2.0
/*
 * The bitmap of a region, when its writes are logged
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "nbbitmap.h"
#include "nbraw.h"
#include "nbtest.h"

struct nb_get_dirty_log nb_bitmap_find(int fd, uint64_t gpa)
{
	struct nb_get_dirty_log where = { .size = sizeof(where), .gpa = gpa };
	int err = nb_raw_call(fd, NB_MEMORY_GET_DIRTY_LOG, &where);

	if (err)
		nb_die("no bitmap for %#llx: %s", (unsigned long long)gpa, nb_raw_message);
	return where;
}

size_t nb_bitmap_map_size(const struct nb_get_dirty_log *where)
{
	return (where->bitmap_size + NB_PAGE - 1) / NB_PAGE * NB_PAGE;
}

void *nb_bitmap_try_map(int fd, uint64_t offset, size_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
}

void *nb_bitmap_map(int fd, const struct nb_get_dirty_log *where)
{
	void *words = nb_bitmap_try_map(fd, where->offset, nb_bitmap_map_size(where), MAP_SHARED);

	if (words == MAP_FAILED)
		nb_die("mmap of a bitmap: %s", strerror(errno));
	return words;
}
