// SPDX-License-Identifier: GPL-2.0
/*
 * The split virtqueue: descriptor table, avail ring, used ring (virtio 1.2, 2.7)
 *
 * Called by the pair's thread.  Each word of the guest's is read once.
 *
 *	here				guest
 *
 *	load-acquire avail.idx (A)	write descriptors and avail ring
 *	read descriptors		store-release avail.idx
 *	write used ring
 *	store-release used.idx (B)	load-acquire used.idx
 *	full fence (C)			full fence
 *	read used_event or flags	write used_event or flags, look at used.idx again
 *
 * and the other way round for kicks: (D) is the fence between saying that one wants to be
 * kicked and looking at avail.idx once more.
 */
#include <linux/virtio_ring.h>

#include "nbvhost.h"

/* where the event indices are: behind the rings' entries */
#define USED_EVENT(avail, size)		(&(avail)->ring[size])
#define AVAIL_EVENT(used, size)		((uint16_t *)&(used)->ring[size])

size_t split_desc_size(const struct vq *vq)
{
	return vq->size * sizeof(struct vring_desc);
}

size_t split_driver_size(const struct vq *vq)
{
	return sizeof(struct vring_avail) + (vq->size + 1) * sizeof(uint16_t);
}

size_t split_device_size(const struct vq *vq)
{
	return sizeof(struct vring_used) + vq->size * sizeof(struct vring_used_elem) +
	       sizeof(uint16_t);
}

static uint16_t read_16(const uint16_t *from)
{
	return __atomic_load_n(from, __ATOMIC_RELAXED);
}

static void write_16(uint16_t *to, uint16_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELAXED);
}

/* Go on at the base, and where the guest's used ring is, which the base does not tell. */
const char *split_start(struct vq *vq)
{
	const struct vring_used *used = vq->device;

	if (vq->size & (vq->size - 1))
		return "its size is not a power of two";
	vq->next_avail = (uint16_t)vq->base;
	vq->next_used = read_16(&used->idx);
	vq->seen_avail = vq->next_avail;
	return NULL;
}

/* Make all that is in flight available again. */
void split_rewind(struct vq *vq)
{
	vq->next_avail = (uint16_t)(vq->next_avail - vq->in_flight);
}

/* A copy of a descriptor that nobody changes any more. */
static struct vring_desc copy_desc(const struct vring_desc *from)
{
	return *(const volatile struct vring_desc *)from;
}

/*
 * Take the segments of a chain, down to the one indirect table that it may end with.  One that
 * goes on and on, if only with empty descriptors, is not followed to its end.
 */
static void walk(const struct vq *vq, struct chain *chain)
{
	const struct vring_desc *table = vq->desc;
	uint32_t n = vq->size, at = chain->id, left = MAX_DESCS;
	struct vring_desc desc;

	do {
		if (at >= n) {
			chain->bad = "a descriptor outside its table";
			return;
		}
		if (!left--) {
			chain->bad = "a loop of descriptors, or too many of them";
			return;
		}
		desc = copy_desc(&table[at]);
		if (!(desc.flags & VRING_DESC_F_INDIRECT)) {
			chain_add(vq, chain, desc.addr, desc.len,
				  desc.flags & VRING_DESC_F_WRITE);
			at = desc.next;
			continue;
		}
		if (table != vq->desc || desc.flags & VRING_DESC_F_NEXT) {
			chain->bad = "an indirect table that does not end a chain";
			return;
		}
		table = chain_table(vq, chain, desc.addr, desc.len, &n);
		at = 0;
		left = MAX_DESCS;
	} while (!chain->bad && desc.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT));
}

/* Look at the next chain: 1, 0 if there is none, or -1 if the ring is broken. */
int split_fetch(struct vq *vq, struct chain *chain)
{
	const struct vring_avail *avail = vq->driver;
	uint16_t seen, head;

	if (vq->next_avail == vq->seen_avail) {
		/* (A) */
		seen = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE);
		if ((uint16_t)(seen - vq->next_avail) > vq->size)
			return vq_break(vq, "its available index has jumped");
		vq->seen_avail = seen;
		if (seen == vq->next_avail)
			return 0;
	}
	head = read_16(&avail->ring[vq->next_avail & (vq->size - 1)]);
	if (head >= vq->size)
		return vq_break(vq, "a chain begins outside the table");
	chain->id = head;
	chain->entries = 1;
	walk(vq, chain);
	return 1;
}

/* Look at a chain that was taken before; its state has the number of its first descriptor. */
int split_fetch_again(struct vq *vq, struct chain *chain, uint16_t id)
{
	chain->id = id;
	chain->entries = 1;
	walk(vq, chain);
	return 1;
}

/* The chain that was fetched is on its way: the next one is behind it. */
void split_take(struct vq *vq)
{
	vq->next_avail++;
}

/* Give a chain back; the guest sees it when that is published. */
void split_put(struct vq *vq, uint16_t id, uint32_t len)
{
	struct vring_used *used = vq->device;
	volatile struct vring_used_elem *place;

	place = &used->ring[vq->next_used++ & (vq->size - 1)];
	place->id = id;
	place->len = len;
	vq_log(vq, vq->device_gpa, (size_t)((const uint8_t *)place - (const uint8_t *)used),
	       sizeof(*place));
	vq->unpublished++;
}

/* Publish what was given back; returns whether the guest wants to know. */
bool split_publish(struct vq *vq)
{
	const struct vring_avail *avail = vq->driver;
	struct vring_used *used = vq->device;
	uint16_t old = (uint16_t)(vq->next_used - vq->unpublished);

	/* (B) */
	__atomic_store_n(&used->idx, vq->next_used, __ATOMIC_RELEASE);
	vq_log(vq, vq->device_gpa, 0, sizeof(*used));
	/* (C) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx)
		return !(read_16(&avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(read_16(USED_EVENT(avail, vq->size)), vq->next_used, old);
}

/* Ask for kicks; returns whether something has come before the guest could know. */
bool split_enable_kicks(struct vq *vq)
{
	const struct vring_avail *avail = vq->driver;
	struct vring_used *used = vq->device;

	if (vq->event_idx) {
		write_16(AVAIL_EVENT(used, vq->size), vq->seen_avail);
		vq_log(vq, vq->device_gpa, split_device_size(vq) - sizeof(uint16_t),
		       sizeof(uint16_t));
	} else {
		write_16(&used->flags, 0);
		vq_log(vq, vq->device_gpa, 0, sizeof(*used));
	}
	/* (D) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return read_16(&avail->idx) != vq->seen_avail;
}

/* With event indices, the guest kicks once for each time that it was asked to. */
void split_disable_kicks(struct vq *vq)
{
	struct vring_used *used = vq->device;

	if (vq->event_idx)
		return;
	write_16(&used->flags, VRING_USED_F_NO_NOTIFY);
	vq_log(vq, vq->device_gpa, 0, sizeof(*used));
}
