// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a front-end has passed for something else than the guest
 *
 * It is believed as little as the guest's: it may change at any time, and its file may be
 * truncated, see memory.c.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nbvhost.h"

/* the longest that there can be a use for: a log of 2 TiB of guest memory */
#define MAX_SHARED	(64u << 20)

/*
 * Map a part of a file instead of what there was; says what is wrong, or NULL.  The fd stays the
 * caller's.
 */
const char *shared_map(struct shared *shared, int fd, uint64_t size, uint64_t offset)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct stat file;
	void *addr;

	shared_unmap(shared);
	if (fd < 0)
		return "no file descriptor";
	if (fd_memory_page(fd) != page || fstat(fd, &file))
		return "a file descriptor that is not memory of normal pages";
	if (!size || size > MAX_SHARED || offset > (uint64_t)file.st_size ||
	    size > (uint64_t)file.st_size - offset)
		return "a part of memory that is not there";
	addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (addr == MAP_FAILED)
		return "memory that cannot be mapped";
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		munmap(addr, size);
		return "there are no more file descriptors";
	}
	if (!memory_guard(addr, size, page)) {
		close(fd);
		munmap(addr, size);
		return "memory of too many";
	}
	*shared = (struct shared){ .addr = addr, .size = size, .fd = fd, .offset = offset };
	return NULL;
}

void shared_unmap(struct shared *shared)
{
	if (!shared->addr)
		return;
	memory_unguard(shared->addr);
	munmap(shared->addr, shared->size);
	close(shared->fd);
	*shared = (struct shared){ 0 };
}
