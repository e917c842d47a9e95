// SPDX-License-Identifier: GPL-2.0
/*
 * A driver's side of packed rings. See nbfrontend.h.
 */
#include <linux/virtio_config.h>

#include "nbfrontend.h"

#define AVAIL	(1u << VRING_PACKED_DESC_F_AVAIL)
#define USED	(1u << VRING_PACKED_DESC_F_USED)

void nb_packed_desc(struct nb_front *front, unsigned int number, uint64_t gpa, uint32_t len,
		    uint16_t id, uint16_t flags)
{
	struct nb_front_ring *ring = &front->rings[number];
	struct vring_packed_desc *desc = &ring->packed[ring->next];

	desc->addr = gpa;
	desc->len = len;
	desc->id = id;
	flags |= ring->wrap ? AVAIL : USED;
	__atomic_store_n(&desc->flags, flags, __ATOMIC_RELEASE);
	if (++ring->next == front->entries) {
		ring->next = 0;
		ring->wrap = !ring->wrap;
	}
}

/* The first descriptor becomes available last. */
void nb_packed_chain(struct nb_front *front, unsigned int number, uint16_t id,
		     const struct vring_desc *segments, unsigned int n)
{
	struct nb_front_ring *ring = &front->rings[number];
	struct vring_packed_desc *first = &ring->packed[ring->next];
	uint16_t flags = ring->wrap ? AVAIL : USED;
	unsigned int i;

	ring->taken[id] = n;
	first->addr = segments[0].addr;
	first->len = segments[0].len;
	first->id = id;
	flags |= segments[0].flags | (n > 1 ? VRING_DESC_F_NEXT : 0);
	if (++ring->next == front->entries) {
		ring->next = 0;
		ring->wrap = !ring->wrap;
	}
	for (i = 1; i < n; i++)
		nb_packed_desc(front, number, segments[i].addr, segments[i].len, id,
			       segments[i].flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0));
	__atomic_store_n(&first->flags, flags, __ATOMIC_RELEASE);
}

bool nb_packed_has_used(const struct nb_front *front, unsigned int number)
{
	const struct nb_front_ring *ring = &front->rings[number];
	uint16_t flags = __atomic_load_n(&ring->packed[ring->seen].flags, __ATOMIC_ACQUIRE);

	return !!(flags & AVAIL) == ring->used_wrap && !!(flags & USED) == ring->used_wrap;
}

void nb_packed_take_used(struct nb_front *front, unsigned int number, uint32_t *id,
			 uint32_t *len)
{
	struct nb_front_ring *ring = &front->rings[number];
	const struct vring_packed_desc *desc = &ring->packed[ring->seen];

	*id = desc->id;
	*len = desc->len;
	ring->seen += *id < NB_FRONT_ENTRIES ? ring->taken[*id] : 1;
	if (ring->seen >= front->entries) {
		ring->seen -= front->entries;
		ring->used_wrap = !ring->used_wrap;
	}
}
