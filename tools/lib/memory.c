// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Guest memory: the memory fd, and where its regions are in this process
 *
 * Owns the table of regions.  It is changed only after the kernel has agreed, except
 * that room is made first, so that a call that fails has changed nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

int nb_memory_from_fd(int fd, struct nb_memory **mem)
{
	/* no region is empty: on a memory fd this is ENOENT, on others ENOTTY */
	struct nb_remove_region probe = { .size = sizeof(probe) };
	struct nb_memory *new;

	if (!ioctl(fd, NB_MEMORY_REMOVE_REGION, &probe))
		return nb_fail(EBADF, "fd %d is not a memory of net_backend", fd);
	if (errno == ENOMEM || errno == EFAULT)
		return nb_fail(errno, "cannot ask about the memory: %s", strerror(errno));
	if (errno != ENOENT && errno != EINVAL)
		return nb_fail(EBADF, "fd %d is not a memory of net_backend", fd);

	new = calloc(1, sizeof(*new));
	if (!new)
		return nb_fail_text(ENOMEM, "no memory for a memory");
	new->fd = fd;
	*mem = new;
	return 0;
}

int nb_memory_fd(const struct nb_memory *mem)
{
	return mem->fd;
}

void nb_memory_close(struct nb_memory *mem)
{
	size_t i;

	if (!mem)
		return;
	for (i = 0; i < mem->n_regions; i++) {
		if (mem->regions[i].mapped)
			munmap(mem->regions[i].addr, mem->regions[i].len);
	}
	nb_dirty_forget_all(mem);
	free(mem->regions);
	close(mem->fd);
	free(mem);
}

/* The number of regions that begin at or below @gpa. */
static size_t regions_up_to(const struct nb_memory *mem, uint64_t gpa)
{
	size_t low = 0, high = mem->n_regions, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (mem->regions[middle].gpa <= gpa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The region that holds the byte at @gpa, or NULL. */
static const struct nb_region *region_at(const struct nb_memory *mem, uint64_t gpa)
{
	const struct nb_region *region;
	size_t n;

	n = regions_up_to(mem, gpa);
	if (!n)
		return NULL;
	region = &mem->regions[n - 1];
	return gpa - region->gpa < region->len ? region : NULL;
}

static int make_room(struct nb_memory *mem)
{
	size_t capacity = mem->capacity ? 2 * mem->capacity : 4;
	struct nb_region *regions;

	if (mem->n_regions < mem->capacity)
		return 0;
	regions = reallocarray(mem->regions, capacity, sizeof(*regions));
	if (!regions)
		return nb_fail_text(ENOMEM, "no memory for the table of regions");
	mem->regions = regions;
	mem->capacity = capacity;
	return 0;
}

static void insert_region(struct nb_memory *mem, const struct nb_region *region)
{
	size_t i = regions_up_to(mem, region->gpa);

	memmove(&mem->regions[i + 1], &mem->regions[i],
		(mem->n_regions - i) * sizeof(*region));
	mem->regions[i] = *region;
	mem->n_regions++;
}

static int check_region_flags(uint32_t flags)
{
	if (flags & ~(uint32_t)NB_REGION_READ_ONLY)
		return nb_fail(EINVAL, "unknown flags of a region: %#x", flags);
	return 0;
}

int nb_memory_add(struct nb_memory *mem, uint64_t gpa, void *addr, size_t len,
		  uint32_t flags)
{
	struct nb_add_region arg = {
		.size = sizeof(arg),
		.flags = flags,
		.gpa = gpa,
		.len = len,
		.addr = (uintptr_t)addr,
	};
	struct nb_region region = {
		.gpa = gpa,
		.len = len,
		.addr = addr,
		.flags = flags,
	};
	int err;

	err = check_region_flags(flags);
	if (err)
		return err;
	err = make_room(mem);
	if (err)
		return err;
	err = nb_ioctl(mem->fd, NB_MEMORY_ADD_REGION, &arg, &arg.msg, "add a region");
	if (err < 0)
		return err;
	insert_region(mem, &region);
	return 0;
}

int nb_memory_add_fd(struct nb_memory *mem, uint64_t gpa, int fd, uint64_t offset,
		     size_t len, uint32_t flags)
{
	int prot = flags & NB_REGION_READ_ONLY ? PROT_READ : PROT_READ | PROT_WRITE;
	struct nb_add_region arg = {
		.size = sizeof(arg),
		.flags = flags | NB_REGION_FD,
		.gpa = gpa,
		.len = len,
		.addr = offset,
		.fd = fd,
	};
	struct nb_region region = {
		.gpa = gpa,
		.len = len,
		.flags = flags,
		.mapped = true,
	};
	struct nb_remove_region undo = {
		.size = sizeof(undo),
		.gpa = gpa,
		.len = len,
	};
	void *addr;
	int err;

	err = check_region_flags(flags);
	if (err)
		return err;
	err = make_room(mem);
	if (err)
		return err;
	err = nb_ioctl(mem->fd, NB_MEMORY_ADD_REGION, &arg, &arg.msg, "add a region");
	if (err < 0)
		return err;
	/* not before: of a part of a huge page all is mapped, which munmap() does not undo */
	addr = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)offset);
	if (addr == MAP_FAILED) {
		err = nb_fail(errno, "cannot map %zu bytes at %#llx of fd %d: %s", len,
			      (unsigned long long)offset, fd, strerror(errno));
		/* what was wrong has been said */
		ioctl(mem->fd, NB_MEMORY_REMOVE_REGION, &undo);
		return err;
	}
	region.addr = addr;
	insert_region(mem, &region);
	return 0;
}

int nb_memory_remove(struct nb_memory *mem, uint64_t gpa, size_t len)
{
	struct nb_remove_region arg = {
		.size = sizeof(arg),
		.gpa = gpa,
		.len = len,
	};
	struct nb_region *region;
	size_t n;
	int err;

	err = nb_ioctl(mem->fd, NB_MEMORY_REMOVE_REGION, &arg, &arg.msg, "remove a region");
	if (err < 0)
		return err;

	nb_dirty_forget(mem, gpa);
	n = regions_up_to(mem, gpa);
	if (!n)
		return 0;
	region = &mem->regions[n - 1];
	if (region->gpa != gpa || region->len != len)
		return 0;	/* another process has added it */
	if (region->mapped)
		munmap(region->addr, region->len);
	memmove(region, region + 1, (mem->n_regions - n) * sizeof(*region));
	mem->n_regions--;
	return 0;
}

void *nb_memory_ptr(const struct nb_memory *mem, uint64_t gpa, size_t len)
{
	const struct nb_region *region = region_at(mem, gpa);

	if (!region || len > region->len - (gpa - region->gpa))
		return NULL;
	return region->addr + (gpa - region->gpa);
}

/* Are all bytes of the range in regions that do not have @forbidden? */
static bool range_is_there(const struct nb_memory *mem, uint64_t gpa, size_t len,
			   uint32_t forbidden)
{
	const struct nb_region *region;
	uint64_t there;

	while (len) {
		region = region_at(mem, gpa);
		if (!region || region->flags & forbidden)
			return false;
		there = region->len - (gpa - region->gpa);
		if (len <= there)
			return true;
		gpa += there;
		len -= there;
		if (!gpa)
			return false;	/* it wraps */
	}
	return true;
}

/* A part of a range that lies in one region. */
struct piece {
	uint8_t *addr;
	size_t len;
};

/* The first piece of a range that range_is_there() has checked. */
static struct piece first_piece(const struct nb_memory *mem, uint64_t gpa, size_t len)
{
	const struct nb_region *region = region_at(mem, gpa);
	uint64_t offset = gpa - region->gpa;
	struct piece piece = { region->addr + offset, len };

	if (len > region->len - offset)
		piece.len = region->len - offset;
	return piece;
}

int nb_memory_read(const struct nb_memory *mem, uint64_t gpa, void *buf, size_t len)
{
	uint8_t *to = buf;
	struct piece piece;

	if (!range_is_there(mem, gpa, len, 0))
		return nb_fail(EFAULT, "no guest memory at %#llx, %zu bytes",
			       (unsigned long long)gpa, len);
	for (; len; gpa += piece.len, to += piece.len, len -= piece.len) {
		piece = first_piece(mem, gpa, len);
		memcpy(to, piece.addr, piece.len);
	}
	return 0;
}

int nb_memory_write(struct nb_memory *mem, uint64_t gpa, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	struct piece piece;

	if (!range_is_there(mem, gpa, len, NB_REGION_READ_ONLY))
		return nb_fail(EFAULT, "no writable guest memory at %#llx, %zu bytes",
			       (unsigned long long)gpa, len);
	for (; len; gpa += piece.len, from += piece.len, len -= piece.len) {
		piece = first_piece(mem, gpa, len);
		memcpy(piece.addr, from, piece.len);
	}
	return 0;
}
