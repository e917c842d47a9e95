// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: what the front-end has passed, as a memory of net_backend
 *
 * A front-end can truncate the files that it passes.  The kernel has pinned their pages,
 * and does not care; an access here would end the process.  So the signal is caught, and
 * a page of zeros put where the file's has gone: the guest loses what it has destroyed.  Of
 * huge pages the whole page is replaced, as nothing less of one can be.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nbvhost.h"

/* most ranges of guest memory that all NICs can have mapped at once */
#define MAX_RANGES	1024

/**
 * struct range - where a region is in this process, for the signal handler
 * @begin: first byte, or 0
 * @end: behind its last byte
 * @page: bytes of each of its pages, a power of two
 */
struct range {
	uintptr_t begin;
	uintptr_t end;
	size_t page;
};

static struct range ranges[MAX_RANGES];

static void replace_page(uintptr_t addr, size_t page)
{
	if (mmap((void *)(addr & ~(page - 1)), page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(EXIT_FAILURE);
}

/* In the thread that has touched the page, on which the main thread waits if it changes
 * @ranges.
 */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	uintptr_t addr = (uintptr_t)info->si_addr;
	int i, saved = errno;

	(void)context;
	for (i = 0; i < MAX_RANGES; i++) {
		if (addr >= __atomic_load_n(&ranges[i].begin, __ATOMIC_RELAXED) &&
		    addr < __atomic_load_n(&ranges[i].end, __ATOMIC_RELAXED)) {
			replace_page(addr, __atomic_load_n(&ranges[i].page, __ATOMIC_RELAXED));
			errno = saved;
			return;
		}
	}
	/* not guest memory: die of it when the access is tried again */
	sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

void memory_catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
}

/*
 * From now on, memory of a file with such pages that is truncated is zero; false: there are too
 * many.
 */
bool memory_guard(const void *addr, size_t len, size_t page)
{
	int i;

	for (i = 0; i < MAX_RANGES; i++) {
		if (ranges[i].end)
			continue;
		__atomic_store_n(&ranges[i].page, page, __ATOMIC_RELAXED);
		__atomic_store_n(&ranges[i].begin, (uintptr_t)addr, __ATOMIC_RELAXED);
		__atomic_store_n(&ranges[i].end, (uintptr_t)addr + len, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

void memory_unguard(const void *addr)
{
	int i;

	for (i = 0; i < MAX_RANGES; i++) {
		if (ranges[i].begin == (uintptr_t)addr) {
			__atomic_store_n(&ranges[i].end, 0, __ATOMIC_RELAXED);
			__atomic_store_n(&ranges[i].begin, 0, __ATOMIC_RELAXED);
		}
	}
}

void memory_clear(struct memory *memory)
{
	unsigned int i;

	for (i = 0; i < memory->n; i++) {
		memory_unguard(memory->addrs[i]);
		if (memory->fds[i] >= 0)
			close(memory->fds[i]);
	}
	nb_memory_close(memory->mem);
	announce_close(memory);
	*memory = (struct memory){ 0 };
}

static int add_region(struct memory *memory, const struct vu_region *region, int fd)
{
	size_t page = fd_memory_page(fd);
	void *addr;
	int err;

	err = nb_memory_add_fd(memory->mem, region->gpa, fd, region->mmap_offset,
			       region->size, 0);
	if (err)
		return err;
	addr = nb_memory_ptr(memory->mem, region->gpa, 1);
	if (!memory_guard(addr, region->size, page)) {
		nb_memory_remove(memory->mem, region->gpa, region->size);
		return -ENOSPC;
	}
	memory->addrs[memory->n] = addr;
	memory->fds[memory->n] = -1;
	memory->regions[memory->n++] = *region;
	return 0;
}

/*
 * Take the memory that a front-end has passed, and its fds, instead of what there was.  Returns 0,
 * or an errno for which nb_error() has words; then there is none, and the fds stay the caller's.
 */
int memory_set(struct memory *memory, struct nb *nb, const struct vu_memory *table,
	       const int *fds)
{
	uint32_t i;
	int err;

	memory_clear(memory);
	err = nb_memory_create(nb, &memory->mem);
	for (i = 0; i < table->n && !err; i++)
		err = add_region(memory, &table->regions[i], fds[i]);
	if (err)
		memory_clear(memory);
	else
		memcpy(memory->fds, fds, table->n * sizeof(*fds));
	return err;
}

/* Where the guest has what the front-end calls by its own address; it is in its memory. */
uint64_t memory_user_to_gpa(const struct memory *memory, uint64_t user_addr)
{
	unsigned int i;

	for (i = 0; i < memory->n; i++) {
		const struct vu_region *region = &memory->regions[i];

		if (user_addr - region->user_addr < region->size)
			return region->gpa + (user_addr - region->user_addr);
	}
	return 0;
}

/* Where something is that the front-end calls by its own address; NULL if it is nowhere. */
void *memory_from_user(const struct memory *memory, uint64_t user_addr, size_t len,
		       size_t align)
{
	unsigned int i;

	for (i = 0; i < memory->n; i++) {
		const struct vu_region *region = &memory->regions[i];
		uint64_t offset = user_addr - region->user_addr;

		if (offset < region->size && len <= region->size - offset) {
			uint8_t *addr = nb_memory_ptr(memory->mem, region->gpa + offset, len);

			return (uintptr_t)addr % align ? NULL : addr;
		}
	}
	return NULL;
}

/**
 * struct walk - over bytes of a list of segments, one segment's after the other's
 * @next: the segment that is next
 * @n: number of those that are left
 * @skip: bytes of them that come before what is wanted
 * @len: bytes that are wanted
 */
struct walk {
	const struct segment *next;
	unsigned int n;
	uint32_t skip;
	uint32_t len;
};

/* The bytes of the next segment: how many, and where; 0 if there are no more. */
static uint32_t next_part(struct walk *walk, uint64_t *gpa)
{
	uint32_t part;

	for (; walk->n && walk->skip >= walk->next->len; walk->n--)
		walk->skip -= walk->next++->len;
	if (!walk->n)
		return 0;
	part = walk->next->len - walk->skip;
	if (part > walk->len)
		part = walk->len;
	*gpa = walk->next->gpa + walk->skip;
	walk->skip += part;
	walk->len -= part;
	return part;
}

/* Where that is, if it is in the first segment, as nearly always, and in one region. */
static void *in_first(const struct memory *memory, const struct segment *segments, unsigned int n,
		      uint32_t offset, uint32_t len)
{
	if (!n || (uint64_t)offset + len > segments[0].len)
		return NULL;
	return memory_at(memory, segments[0].gpa + offset, len);
}

/* Most are headers. */
static void copy(void *to, const void *from, uint32_t len)
{
	if (len == sizeof(struct virtio_net_hdr_v1))
		memcpy(to, from, sizeof(struct virtio_net_hdr_v1));
	else
		memcpy(to, from, len);
}

/*
 * Copy out of, or into, a list of segments, @offset bytes behind its beginning; false if
 * a part of that is nowhere.
 */
bool memory_read(const struct memory *memory, const struct segment *segments, unsigned int n,
		 uint32_t offset, void *to, uint32_t len)
{
	struct walk walk = { segments, n, offset, len };
	void *first = in_first(memory, segments, n, offset, len);
	uint8_t *at = to;
	uint32_t part;
	uint64_t gpa;

	if (first) {
		copy(to, first, len);
		return true;
	}
	for (; (part = next_part(&walk, &gpa)); at += part) {
		if (nb_memory_read(memory->mem, gpa, at, part))
			return false;
	}
	return !walk.len;
}

bool memory_write(const struct memory *memory, const struct segment *segments, unsigned int n,
		  uint32_t offset, const void *from, uint32_t len)
{
	struct walk walk = { segments, n, offset, len };
	void *first = in_first(memory, segments, n, offset, len);
	const uint8_t *at = from;
	uint32_t part;
	uint64_t gpa;

	if (first) {
		copy(first, from, len);
		if (memory->log)
			log_mark(memory->log, segments[0].gpa + offset, len);
		return true;
	}
	for (; (part = next_part(&walk, &gpa)); at += part) {
		if (nb_memory_write(memory->mem, gpa, at, part))
			return false;
		if (memory->log)
			log_mark(memory->log, gpa, part);
	}
	return !walk.len;
}
