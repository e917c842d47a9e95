/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One ring, as the kernel sees it.
 *
 * The side that owns an index keeps it in kernel memory (@pos) and only ever writes
 * it to shared memory; the other side's index is read once, checked against what is
 * possible, and kept (@peer).  Nothing that user space can write is trusted twice.
 *
 *    producer                            consumer
 *
 *    write entries                       if (READ producer index == own)  (A')
 *    STORE.rel producer index  (A)          nothing there
 *                                        LOAD.acq producer index          (A')
 *                                        read entries
 *    LOAD.acq consumer index   (B')      STORE.rel consumer index         (B)
 *    write entries again
 *
 * (A) pairs with (A'): an entry is seen whole before it is seen to be there.
 * (B) pairs with (B'): an entry is not written again while it is being read.
 *
 * In front of a sleep stands the full fence of notify.c and of libnb.
 */
#ifndef _NB_RING_H
#define _NB_RING_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <asm/barrier.h>

/**
 * struct nb_ring - one ring
 * @pos: the kernel's index: the next entry that it writes or takes
 * @peer: the frontend's index, as last read and checked
 * @size: entries, a power of two
 * @mask: @size - 1
 * @entries: in the producer's map
 * @pos_shared: where @pos is published, in the kernel map
 * @peer_shared: where the frontend publishes its index, in the user map
 */
struct nb_ring {
	u32 pos;
	u32 peer;
	u32 size;
	u32 mask;
	void *entries;
	u32 *pos_shared;
	const u32 *peer_shared;
};

/* Both directions: the entry at the kernel's index. */
static inline void *nb_ring_at(const struct nb_ring *ring, size_t entry_size)
{
	return ring->entries + (ring->pos & ring->mask) * entry_size;
}

/* Both directions: entries from there on that follow each other in memory. */
static inline u32 nb_ring_till_end(const struct nb_ring *ring)
{
	return ring->size - (ring->pos & ring->mask);
}

/* Both directions: publish what was written or taken since the last time. */
static inline void nb_ring_publish(struct nb_ring *ring)
{
	/* (A) of tx-done and rx-done, (B) of tx-avail and rx-avail */
	smp_store_release(ring->pos_shared, ring->pos);
}

/* As consumer: the same, but for the last @n that were taken. */
static inline void nb_ring_publish_but(struct nb_ring *ring, u32 n)
{
	/* (B) of rx-avail */
	smp_store_release(ring->pos_shared, ring->pos - n);
}

/* As consumer: entries that are known to be there and are not yet taken. */
static inline u32 nb_ring_pending(const struct nb_ring *ring)
{
	return ring->peer - ring->pos;
}

/* As consumer: look for more entries.  -EIO if the producer's index is impossible. */
static inline int nb_ring_look(struct nb_ring *ring)
{
	/* (A') of tx-avail and rx-avail */
	u32 peer = smp_load_acquire(ring->peer_shared);

	/*
	 * Where entries have been taken and not yet given back, the producer cannot
	 * have gone on either; else we could be made to take them for ever.
	 */
	if (unlikely(peer - ring->pos > ring->size ||
		     peer - READ_ONCE(*ring->pos_shared) > ring->size))
		return -EIO;
	ring->peer = peer;
	return 0;
}

/* As producer: entries that are known to be free. */
static inline u32 nb_ring_room(const struct nb_ring *ring)
{
	return ring->size - (ring->pos - ring->peer);
}

/* As producer: look for more room.  -EIO if the consumer's index is impossible. */
static inline int nb_ring_look_room(struct nb_ring *ring)
{
	/* (B') of tx-done and rx-done */
	u32 peer = smp_load_acquire(ring->peer_shared);

	/*
	 * Beyond what is published, nothing can have been reaped; and what was seen to be
	 * reaped is not taken back, where more than that has been written since.
	 */
	if (unlikely(READ_ONCE(*ring->pos_shared) - peer > ring->size ||
		     ring->pos - peer > ring->size))
		return -EIO;
	ring->peer = peer;
	return 0;
}

/* Go on from an index, with nothing taken, nothing written, and nothing to reap. */
static inline void nb_ring_restart(struct nb_ring *ring, u32 pos)
{
	ring->pos = pos;
	ring->peer = pos;
	nb_ring_publish(ring);
}

/* As producer, from any context: is there something for the frontend to reap? */
static inline bool nb_ring_has_unreaped(const struct nb_ring *ring)
{
	return READ_ONCE(*ring->pos_shared) != READ_ONCE(*ring->peer_shared);
}

#endif /* _NB_RING_H */
