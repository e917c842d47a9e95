// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * The dirty log: which pages of guest memory the kernel has written
 *
 * Owns the table of bitmaps that this process has mapped.  Each use asks the kernel
 * where the bitmap is now, because another process may have removed the region, or
 * stopped and started the log: then it is another one, at another offset.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

#define BITS_PER_WORD	64

static void unmap(const struct nb_dirty *dirty)
{
	munmap(dirty->words, dirty->size);
}

void nb_dirty_forget_all(struct nb_memory *mem)
{
	size_t i;

	for (i = 0; i < mem->n_dirty; i++)
		unmap(&mem->dirty[i]);
	free(mem->dirty);
	mem->dirty = NULL;
	mem->n_dirty = 0;
	mem->dirty_capacity = 0;
}

/* The number of bitmaps of regions that begin below @gpa. */
static size_t bitmaps_below(const struct nb_memory *mem, uint64_t gpa)
{
	size_t low = 0, high = mem->n_dirty, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (mem->dirty[middle].gpa < gpa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Unmap the bitmap of the region that begins at @gpa, if there is one. */
void nb_dirty_forget(struct nb_memory *mem, uint64_t gpa)
{
	size_t i = bitmaps_below(mem, gpa);

	if (i == mem->n_dirty || mem->dirty[i].gpa != gpa)
		return;
	unmap(&mem->dirty[i]);
	mem->n_dirty--;
	memmove(&mem->dirty[i], &mem->dirty[i + 1],
		(mem->n_dirty - i) * sizeof(mem->dirty[0]));
}

static int make_room(struct nb_memory *mem)
{
	size_t capacity = mem->dirty_capacity ? 2 * mem->dirty_capacity : 4;
	struct nb_dirty *dirty;

	if (mem->n_dirty < mem->dirty_capacity)
		return 0;
	dirty = reallocarray(mem->dirty, capacity, sizeof(*dirty));
	if (!dirty)
		return nb_fail_text(ENOMEM, "no memory for the table of bitmaps");
	mem->dirty = dirty;
	mem->dirty_capacity = capacity;
	return 0;
}

/* Map the bitmap that the kernel has just told of, which is not in the table. */
static int map_bitmap(struct nb_memory *mem, const struct nb_get_dirty_log *where)
{
	struct nb_dirty dirty = {
		.gpa = where->gpa,
		.offset = where->offset,
		.size = where->bitmap_size,
	};
	void *addr;
	size_t i;
	int err;

	err = make_room(mem);
	if (err)
		return err;
	addr = mmap(NULL, dirty.size, PROT_READ | PROT_WRITE, MAP_SHARED, mem->fd,
		    (off_t)dirty.offset);
	if (addr == MAP_FAILED)
		return nb_fail(errno, "cannot map %zu bytes of the dirty log: %s", dirty.size,
			       strerror(errno));
	dirty.words = addr;
	i = bitmaps_below(mem, dirty.gpa);
	memmove(&mem->dirty[i + 1], &mem->dirty[i],
		(mem->n_dirty - i) * sizeof(mem->dirty[0]));
	mem->dirty[i] = dirty;
	mem->n_dirty++;
	return 0;
}

/* The bitmap of the region that the kernel has just told of. */
static int get_bitmap(struct nb_memory *mem, const struct nb_get_dirty_log *where,
		      uint64_t **words)
{
	size_t i = bitmaps_below(mem, where->gpa);
	int err;

	if (i == mem->n_dirty || mem->dirty[i].gpa != where->gpa ||
	    mem->dirty[i].offset != where->offset) {
		nb_dirty_forget(mem, where->gpa);
		err = map_bitmap(mem, where);
		if (err)
			return err;
	}
	*words = mem->dirty[i].words;
	return 0;
}

static int ask_kernel(struct nb_memory *mem, struct nb_get_dirty_log *arg)
{
	arg->size = sizeof(*arg);
	return nb_ioctl(mem->fd, NB_MEMORY_GET_DIRTY_LOG, arg, &arg->msg,
			"ask for the dirty log");
}

/* Take bits of a word: they are 0 afterwards. */
static uint64_t take_bits(uint64_t *word, uint64_t mask)
{
	uint64_t bits;

	if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & mask))
		return 0;
	/* (D') of the kernel's dirty.c: who has the bit sees what it stands for */
	bits = __atomic_fetch_and(word, ~mask, __ATOMIC_SEQ_CST) & mask;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bits = __builtin_bswap64(bits);
#endif
	return bits;
}

/* The bits of a word from bit @first on, at most @n of them, as they are in memory. */
static uint64_t bits_from(unsigned int first, uint64_t n)
{
	uint64_t mask = ~0ull;

	if (n < BITS_PER_WORD)
		mask = (1ull << n) - 1;
	mask <<= first;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	mask = __builtin_bswap64(mask);
#endif
	return mask;
}

/* Move @n bits, from bit @first of @words on, to the beginning of @bitmap. */
static long take_range(uint64_t *words, uint64_t first, uint64_t n, uint64_t *bitmap)
{
	uint64_t done = 0, bits, page;
	unsigned int shift;
	long count = 0;

	while (done < n) {
		shift = (unsigned int)((first + done) % BITS_PER_WORD);
		bits = take_bits(&words[(first + done) / BITS_PER_WORD],
				 bits_from(shift, n - done));
		count += __builtin_popcountll(bits);
		for (; bits; bits &= bits - 1) {
			page = done + (unsigned int)__builtin_ctzll(bits) - shift;
			bitmap[page / BITS_PER_WORD] |= 1ull << page % BITS_PER_WORD;
		}
		done += BITS_PER_WORD - shift;
	}
	return count;
}

long nb_memory_harvest_dirty(struct nb_memory *mem, uint64_t gpa, uint64_t len,
			     uint64_t *bitmap)
{
	uint64_t n = len / NB_DIRTY_PAGE_SIZE;
	struct nb_get_dirty_log where = { .gpa = gpa };
	uint64_t *words;
	int err;

	if ((gpa | len) % NB_DIRTY_PAGE_SIZE)
		return nb_fail(EINVAL, "address and length must be multiples of %u",
			       NB_DIRTY_PAGE_SIZE);
	err = ask_kernel(mem, &where);
	if (err < 0 && err != -ENOENT)
		return err;
	if (err || gpa < where.gpa || where.len - (gpa - where.gpa) < len)
		return nb_fail(EFAULT, "no region holds %#llx, %llu bytes",
			       (unsigned long long)gpa, (unsigned long long)len);
	memset(bitmap, 0, (n + BITS_PER_WORD - 1) / BITS_PER_WORD * sizeof(*bitmap));
	if (!where.bitmap_size || !n)
		return 0;
	err = get_bitmap(mem, &where, &words);
	if (err)
		return err;
	return take_range(words, (gpa - where.gpa) / NB_DIRTY_PAGE_SIZE, n, bitmap);
}

int nb_memory_dirty_region(struct nb_memory *mem, uint64_t *gpa, uint64_t *len)
{
	struct nb_get_dirty_log where = { .gpa = *gpa };
	int err;

	err = ask_kernel(mem, &where);
	if (err == -ENOENT)
		return 0;
	if (err < 0)
		return err;
	*gpa = where.gpa;
	*len = where.len;
	return 1;
}

int nb_memory_start_dirty_log(struct nb_memory *mem)
{
	struct nb_start_dirty_log arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(mem->fd, NB_MEMORY_START_DIRTY_LOG, &arg, &arg.msg,
		       "start the dirty log");
	return err < 0 ? err : 0;
}

int nb_memory_stop_dirty_log(struct nb_memory *mem)
{
	struct nb_stop_dirty_log arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(mem->fd, NB_MEMORY_STOP_DIRTY_LOG, &arg, &arg.msg,
		       "stop the dirty log");
	if (err < 0)
		return err;
	nb_dirty_forget_all(mem);
	return 0;
}
