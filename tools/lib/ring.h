/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * One ring, as the frontend sees it
 *
 * Each ring has one producer and one consumer, and an index of each in shared
 * memory; the side that owns an index works with a private copy of it:
 *
 *	producer			consumer
 *
 *	load-acquire consumer (A)	load-acquire producer (B)
 *	write entries			read entries
 *	store-release producer (C)	store-release consumer (D)
 *
 * (B) pairs with (C): who sees the index sees the entries before it.
 * (A) pairs with (D): an entry is written again only after it has been read.
 *
 * The other half of each pair is in the kernel, kmod/ring.h.
 *
 * No index is trusted with an address: entries are found by ``index & mask``, and
 * the mask has been checked against the size of the map (layout.c).
 */
#ifndef NB_RING_H
#define NB_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * struct nb_ring - one of the four rings of a queue
 * @entries: the first entry
 * @own_index: the index that libnb writes
 * @other_index: the index that the kernel writes
 * @own: private copy of what is, or is going to be, in @own_index
 * @other: what was last seen in @other_index
 * @n_entries: entries of the ring, a power of two
 * @mask: @n_entries - 1
 * @stride: bytes from one entry to the next
 * @extra: bytes of an entry that libnb does not know; it keeps them 0
 */
struct nb_ring {
	uint8_t *entries;
	uint32_t *own_index;
	const uint32_t *other_index;
	uint32_t own;
	uint32_t other;
	uint32_t n_entries;
	uint32_t mask;
	uint32_t stride;
	uint32_t extra;
};

/**
 * nb_full_fence() - between writing a word and reading one that the other side
 *	writes before it reads ours
 *
 * Publishing an index, then reading need_wakeup: pairs with the kernel's fence
 * between setting need_wakeup and looking at the ring once more.
 * Setting need_notify, then looking at the rings: pairs with the kernel's fence
 * between publishing an index and reading need_notify.
 */
static inline void nb_full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void *nb_ring_entry(const struct nb_ring *ring, uint32_t index)
{
	return ring->entries + (size_t)(index & ring->mask) * ring->stride;
}

/**
 * nb_ring_write() - write entries that the kernel cannot see yet
 * @ring: the ring
 * @from: the entries, one behind the other
 * @n: their number, at most the room
 * @size: bytes of an entry as libnb knows it
 */
static inline void nb_ring_write(const struct nb_ring *ring, const void *from, uint32_t n,
				 size_t size)
{
	uint32_t first = ring->own & ring->mask, to_end = ring->n_entries - first, i;
	const uint8_t *entries = from;
	uint8_t *entry;

	if (__builtin_expect(!ring->extra, 1)) {
		if (to_end > n)
			to_end = n;
		memcpy(ring->entries + first * size, entries, to_end * size);
		memcpy(ring->entries, entries + to_end * size, (n - to_end) * size);
		return;
	}
	for (i = 0; i < n; i++) {
		entry = nb_ring_entry(ring, ring->own + i);
		memcpy(entry, entries + i * size, size);
		memset(entry + size, 0, ring->extra);
	}
}

/**
 * nb_ring_read() - read entries that the kernel has written
 * @ring: the ring
 * @to: where to, one behind the other
 * @n: their number, at most those that are ready
 * @size: bytes of an entry as libnb knows it
 */
static inline void nb_ring_read(const struct nb_ring *ring, void *to, uint32_t n,
				size_t size)
{
	uint32_t first = ring->own & ring->mask, to_end = ring->n_entries - first, i;
	uint8_t *entries = to;

	if (__builtin_expect(!ring->extra, 1)) {
		if (to_end > n)
			to_end = n;
		memcpy(entries, ring->entries + first * size, to_end * size);
		memcpy(entries + to_end * size, ring->entries, (n - to_end) * size);
		return;
	}
	for (i = 0; i < n; i++)
		memcpy(entries + i * size, nb_ring_entry(ring, ring->own + i), size);
}

/**
 * nb_ring_used() - entries between the two indices
 * @ring: the ring
 * @producer: libnb fills the ring, else the kernel does
 *
 * Return: the number as last seen; more than n_entries is a broken index.
 */
static inline uint32_t nb_ring_used(const struct nb_ring *ring, bool producer)
{
	return producer ? ring->own - ring->other : ring->other - ring->own;
}

/**
 * nb_ring_room() - entries that can be written to a ring that libnb fills
 * @ring: the ring
 * @want: entries wanted; the kernel's index is only read if there seem to be fewer
 *
 * Return: the number; more than n_entries is a broken index.
 */
static inline uint32_t nb_ring_room(struct nb_ring *ring, uint32_t want)
{
	if (ring->n_entries - nb_ring_used(ring, true) < want) {
		/* (A), pairs with (D) in the kernel */
		ring->other = __atomic_load_n(ring->other_index, __ATOMIC_ACQUIRE);
	}
	return ring->n_entries - nb_ring_used(ring, true);
}

/**
 * nb_ring_ready() - entries that can be read from a ring that the kernel fills
 * @ring: the ring
 * @want: entries wanted; the kernel's index is only read if there seem to be fewer
 *
 * Return: the number; more than n_entries is a broken index.
 */
static inline uint32_t nb_ring_ready(struct nb_ring *ring, uint32_t want)
{
	if (nb_ring_used(ring, false) < want) {
		/* (B), pairs with (C) in the kernel */
		ring->other = __atomic_load_n(ring->other_index, __ATOMIC_ACQUIRE);
	}
	return nb_ring_used(ring, false);
}

/**
 * nb_ring_advance() - publish entries that were written, or give back ones read
 * @ring: the ring
 * @n: their number
 */
static inline void nb_ring_advance(struct nb_ring *ring, uint32_t n)
{
	ring->own += n;
	/* (C) or (D), pairs with (B) or (A) in the kernel */
	__atomic_store_n(ring->own_index, ring->own, __ATOMIC_RELEASE);
}

#endif /* NB_RING_H */
