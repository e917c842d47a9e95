// SPDX-License-Identifier: GPL-2.0
/*
 * The packed virtqueue: one ring of descriptors, which go to and fro (virtio 1.2, 2.8)
 *
 * Called by the pair's thread.  Each word of the guest's is read once, but for the flags of
 * a chain's first descriptor: first for whether it is there, then with all the rest.
 *
 * A descriptor belongs to the device if its two bits AVAIL and USED differ and AVAIL is the
 * driver's wrap counter, and is used if both are the device's.  A counter changes whenever
 * its side has come to the end of the ring.
 *
 *	here				guest
 *
 *	load-acquire flags (A)		write the rest, the flags of the other descriptors
 *	read the rest			store-release flags of a chain's first descriptor
 *	write ids, lengths, flags
 *	store-release flags of the	load-acquire flags
 *	  first one of a batch (B)	read id and length
 *	full fence (C)			full fence
 *	read driver's event area	write it, look at the flags again
 *
 * and the other way round for kicks: (D) is the fence between saying that one wants to be
 * kicked and looking at the flags once more.
 */
#include <endian.h>
#include <linux/virtio_ring.h>

#include "nbvhost.h"

#define AVAIL	(1u << VRING_PACKED_DESC_F_AVAIL)
#define USED	(1u << VRING_PACKED_DESC_F_USED)

/* of the offset of an event, and of a base: the wrap counter */
#define WRAP	(1u << VRING_PACKED_EVENT_F_WRAP_CTR)

size_t packed_desc_size(const struct vq *vq)
{
	return vq->size * sizeof(struct vring_packed_desc);
}

size_t packed_event_size(void)
{
	return sizeof(struct vring_packed_desc_event);
}

/* Where one half of a base is, in descriptors since the beginning of an odd lap. */
static uint32_t lap_position(const struct vq *vq, uint16_t half)
{
	return (half & (WRAP - 1)) + (half & WRAP ? 0 : vq->size);
}

/*
 * The base of a new ring is WRAP, but 0 for a front-end that knows no wrap counters, such as
 * User-Mode Linux.  Where 0 is meant all of the ring has been used, in a lap in which that sets
 * USED; not in each descriptor, as there are chains of several.
 */
static bool is_new(const struct vq *vq)
{
	const struct vring_packed_desc *ring = vq->desc;
	uint32_t i;

	if (vq->base)
		return false;
	for (i = 0; i < vq->size; i++) {
		if (le16toh(__atomic_load_n(&ring[i].flags, __ATOMIC_RELAXED)) & USED)
			return false;
	}
	return true;
}

/*
 * Go on at the base.  Its upper half says up to where chains were given back, and there are
 * front-ends that leave it out.
 */
const char *packed_start(struct vq *vq)
{
	uint16_t avail = (uint16_t)vq->base, used = (uint16_t)(vq->base >> 16);
	uint32_t between;

	if (is_new(vq))
		avail = WRAP;
	if (!used)
		used = avail;
	vq->next_avail = avail & (WRAP - 1);
	vq->avail_wrap = avail & WRAP;
	vq->next_used = used & (WRAP - 1);
	vq->used_wrap = used & WRAP;
	if (vq->next_avail >= vq->size || vq->next_used >= vq->size)
		return "its base is outside the ring";
	between = 2 * vq->size + lap_position(vq, avail) - lap_position(vq, used);
	vq->entries_in_flight = between % (2 * vq->size);
	return vq->entries_in_flight <= vq->size ? NULL : "the halves of its base do not fit";
}

/* The positions of both sides, which are the same when nothing is in flight. */
uint32_t packed_base(const struct vq *vq)
{
	uint32_t avail = vq->next_avail | (vq->avail_wrap ? WRAP : 0);
	uint32_t used = vq->next_used | (vq->used_wrap ? WRAP : 0);

	return used << 16 | avail;
}

/* Make all that is in flight available again. */
void packed_rewind(struct vq *vq)
{
	vq->next_avail = vq->next_used;
	vq->avail_wrap = vq->used_wrap;
	vq->entries_in_flight = 0;
}

static void advance(const struct vq *vq, uint16_t *at, bool *wrap, uint16_t n)
{
	uint32_t next = (uint32_t)*at + n;

	if (next >= vq->size) {
		next -= vq->size;
		*wrap = !*wrap;
	}
	*at = (uint16_t)next;
}

/* A copy of a descriptor that nobody changes any more. */
static struct vring_packed_desc copy_desc(const struct vring_packed_desc *from)
{
	return *(const volatile struct vring_packed_desc *)from;
}

static void log_desc(const struct vq *vq, uint16_t at)
{
	vq_log(vq, vq->desc_gpa, at * sizeof(struct vring_packed_desc),
	       sizeof(struct vring_packed_desc));
}

/*
 * Go on where chains were given back by somebody who had taken entries_in_flight more, and
 * may have stopped while writing what was used: the guest has not seen that, and is not to.
 */
void packed_resume(struct vq *vq)
{
	struct vring_packed_desc *ring = vq->desc;
	uint32_t left;

	vq->next_avail = vq->next_used;
	vq->avail_wrap = vq->used_wrap;
	for (left = vq->entries_in_flight; left; left--) {
		volatile uint16_t *flags = &ring[vq->next_avail].flags;

		*flags = (uint16_t)((*flags & ~(AVAIL | USED)) | (vq->avail_wrap ? AVAIL : USED));
		log_desc(vq, vq->next_avail);
		advance(vq, &vq->next_avail, &vq->avail_wrap, 1);
	}
}

/* Has the guest made the next descriptor available? */
static bool is_available(const struct vq *vq)
{
	const struct vring_packed_desc *ring = vq->desc;
	/* (A) */
	uint16_t flags = __atomic_load_n(&ring[vq->next_avail].flags, __ATOMIC_ACQUIRE);

	return !(flags & AVAIL) != vq->avail_wrap && !(flags & USED) == vq->avail_wrap;
}

/*
 * Take the segments of an indirect table, of which each entry is one.  DPDK's driver has
 * entries that are marked as writable in what it transmits: those are read nevertheless.
 */
static void walk_table(const struct vq *vq, struct chain *chain,
		       const struct vring_packed_desc *desc)
{
	const struct vring_packed_desc *table;
	struct vring_packed_desc entry;
	uint32_t n, i;

	table = chain_table(vq, chain, desc->addr, desc->len, &n);
	for (i = 0; i < n && !chain->bad; i++) {
		entry = copy_desc(&table[i]);
		if (entry.flags & VRING_DESC_F_INDIRECT)
			chain->bad = "an indirect table in an indirect table";
		chain_add(vq, chain, entry.addr, entry.len,
			  (vq->writable || vq->both_ways) && entry.flags & VRING_DESC_F_WRITE);
	}
}

/* A copy of the descriptor at @at in the ring, which goes on to the next. */
static bool next_of_ring(const struct vq *vq, uint32_t *at, struct vring_packed_desc *desc)
{
	const struct vring_packed_desc *ring = vq->desc;

	*desc = copy_desc(&ring[*at]);
	*at = *at + 1 == vq->size ? 0 : *at + 1;
	return true;
}

/*
 * Take the segments of a chain, and its id, which is in its last descriptor: so a chain
 * that is wrong is followed to its end.  Its descriptors begin at @at of what @next goes
 * through, and are at most @left.  Says what is wrong with the ring, or NULL.
 */
static const char *walk(const struct vq *vq, struct chain *chain, uint32_t at, uint32_t left,
			bool (*next)(const struct vq *vq, uint32_t *at,
				     struct vring_packed_desc *desc))
{
	struct vring_packed_desc desc;

	do {
		if (!left--)
			return "a chain of more descriptors than are the guest's";
		if (!next(vq, &at, &desc))
			return "its in-flight region makes no sense";
		if (!(desc.flags & VRING_DESC_F_INDIRECT))
			chain_add(vq, chain, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
		else if (chain->entries || desc.flags & VRING_DESC_F_NEXT)
			chain->bad = "an indirect table that is not a chain of its own";
		else
			walk_table(vq, chain, &desc);
		chain->entries++;
	} while (desc.flags & VRING_DESC_F_NEXT);
	chain->id = desc.id;
	return chain->id < vq->size ? NULL : "the id of a chain is outside the ring";
}

/* Look at the next chain: 1, 0 if there is none, or -1 if the ring is broken. */
int packed_fetch(struct vq *vq, struct chain *chain)
{
	const char *wrong;

	if (vq->entries_in_flight > vq->size)
		return vq_break(vq, "more was given back than was taken");
	if (!is_available(vq))
		return 0;
	wrong = walk(vq, chain, vq->next_avail, vq->size - vq->entries_in_flight, next_of_ring);
	return wrong ? vq_break(vq, wrong) : 1;
}

/* Look at a chain that was taken before, whose descriptors are copies, from that state on. */
int packed_fetch_again(struct vq *vq, struct chain *chain, uint16_t state)
{
	const char *wrong = walk(vq, chain, state, vq->size, inflight_packed_next);

	return wrong ? vq_break(vq, wrong) : 1;
}

/* The chain that was fetched is on its way: the next one is behind it. */
void packed_take(struct vq *vq, uint16_t entries)
{
	advance(vq, &vq->next_avail, &vq->avail_wrap, entries);
	vq->entries_in_flight += entries;
}

/*
 * Give a chain back that took so many descriptors.  The guest looks at one after the
 * other, and the first one of a batch is published last, so it sees all or none.
 */
void packed_put(struct vq *vq, uint16_t id, uint32_t len, uint16_t entries)
{
	struct vring_packed_desc *ring = vq->desc;
	volatile struct vring_packed_desc *place = &ring[vq->next_used];
	uint16_t flags = (uint16_t)((vq->used_wrap ? AVAIL | USED : 0) |
				    (len ? VRING_DESC_F_WRITE : 0));

	place->id = id;
	place->len = len;
	if (vq->unpublished) {
		place->flags = flags;
	} else {
		vq->first_used = vq->next_used;
		vq->first_flags = flags;
	}
	log_desc(vq, vq->next_used);
	vq->unpublished = (uint16_t)(vq->unpublished + entries);
	vq->entries_in_flight -= entries;
	advance(vq, &vq->next_used, &vq->used_wrap, entries);
}

/* An event area is read and written at once: the other side may look at any time. */
static uint32_t read_event(const struct vq *vq)
{
	return le32toh(__atomic_load_n((uint32_t *)vq->driver, __ATOMIC_RELAXED));
}

static void write_event(struct vq *vq, uint16_t off_wrap, uint16_t flags)
{
	__atomic_store_n((uint32_t *)vq->device, htole32((uint32_t)flags << 16 | off_wrap),
			 __ATOMIC_RELAXED);
	vq_log(vq, vq->device_gpa, 0, packed_event_size());
}

/* Publish what was given back; returns whether the guest wants to know. */
bool packed_publish(struct vq *vq)
{
	struct vring_packed_desc *ring = vq->desc;
	uint16_t n = vq->unpublished, flags, at;
	uint32_t event;

	/* (B) */
	__atomic_store_n(&ring[vq->first_used].flags, vq->first_flags, __ATOMIC_RELEASE);
	log_desc(vq, vq->first_used);
	/* (C) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = read_event(vq);
	flags = (uint16_t)(event >> 16);
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vq->event_idx)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	at = event & (WRAP - 1);
	if (!(event & WRAP) == vq->used_wrap)
		at = (uint16_t)(at - vq->size);
	return vring_need_event(at, vq->next_used, (uint16_t)(vq->next_used - n));
}

/* Ask for kicks; returns whether something has come before the guest could know. */
bool packed_enable_kicks(struct vq *vq)
{
	uint16_t at = (uint16_t)(vq->next_avail | (vq->avail_wrap ? WRAP : 0));

	if (vq->event_idx)
		write_event(vq, at, VRING_PACKED_EVENT_FLAG_DESC);
	else
		write_event(vq, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
	/* (D) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return is_available(vq);
}

void packed_disable_kicks(struct vq *vq)
{
	write_event(vq, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
}
