// SPDX-License-Identifier: GPL-2.0
/*
 * The driver's side of a virtio ring, split or packed
 *
 * It wants no interrupts: it looks for what is used, as a driver does while it polls.  It
 * wakes the device when the event index asks for that, as every driver does.
 */

#include <endian.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio.h"

#define ALIGNMENT	4096u
#define PATIENCE	1000000u

#define AVAIL		(1u << VRING_PACKED_DESC_F_AVAIL)
#define USED		(1u << VRING_PACKED_DESC_F_USED)
#define WRAP		(1u << VRING_PACKED_EVENT_F_WRAP_CTR)

/* Of either layout */
size_t virtio_ring_size(unsigned int entries)
{
	return (vring_size(entries, ALIGNMENT) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void init_split(struct virtio_ring *ring, void *place)
{
	struct vring vring;

	vring_init(&vring, ring->entries, place, ALIGNMENT);
	ring->desc = vring.desc;
	ring->avail = vring.avail;
	ring->used = vring.used;
	/* which stays: one interrupt a lap of the index, nearly none */
	vring_used_event(&vring) = 0;
}

static void init_packed(struct virtio_ring *ring, void *place)
{
	ring->desc = alloc(ring->entries, sizeof(*ring->desc));
	ring->ring = place;
	ring->driver = (void *)(ring->ring + ring->entries);
	ring->device = ring->driver + 1;
	ring->driver->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	ring->wrap = true;
	ring->seen_wrap = true;
}

void virtio_ring_init(struct virtio_ring *ring, bool packed, unsigned int entries, void *place)
{
	ring->packed = packed;
	ring->entries = entries;
	ring->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->kick < 0 || ring->call < 0)
		die("eventfd: %s", strerror(errno));
	if (packed)
		init_packed(ring, place);
	else
		init_split(ring, place);
}

void virtio_ring_close(struct virtio_ring *ring)
{
	if (!ring->entries)
		return;
	if (ring->packed)
		free(ring->desc);
	close(ring->kick);
	close(ring->call);
}

static void advance(const struct virtio_ring *ring, uint16_t *at, bool *wrap)
{
	if (++*at == ring->entries) {
		*at = 0;
		*wrap = !*wrap;
	}
}

/* The first since the last that were published becomes available last. */
static void make_available_packed(struct virtio_ring *ring, uint16_t id)
{
	struct vring_packed_desc *desc = &ring->ring[ring->next];
	uint16_t flags = ring->desc[id].flags | (ring->wrap ? AVAIL : USED);

	desc->addr = ring->desc[id].addr;
	desc->len = ring->desc[id].len;
	desc->id = id;
	if (ring->next == ring->published)
		ring->first_flags = flags;
	else
		desc->flags = flags;
	advance(ring, &ring->next, &ring->wrap);
}

void virtio_ring_make_available(struct virtio_ring *ring, uint16_t id)
{
	if (ring->packed)
		make_available_packed(ring, id);
	else
		ring->avail->ring[ring->next++ & (ring->entries - 1)] = id;
}

static bool publish_split(struct virtio_ring *ring)
{
	uint16_t *event = (uint16_t *)&ring->used->ring[ring->entries];
	uint16_t old = ring->published;

	ring->published = ring->next;
	__atomic_store_n(&ring->avail->idx, ring->next, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return vring_need_event(__atomic_load_n(event, __ATOMIC_RELAXED), ring->next, old);
}

static bool publish_packed(struct virtio_ring *ring)
{
	uint16_t old = ring->published, flags, at;
	uint32_t event;

	__atomic_store_n(&ring->ring[old].flags, ring->first_flags, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = le32toh(__atomic_load_n((uint32_t *)ring->device, __ATOMIC_RELAXED));
	if (ring->next <= old)
		old -= ring->entries;
	ring->published = ring->next;
	flags = event >> 16;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	at = event & (WRAP - 1);
	if (!(event & WRAP) == ring->wrap)
		at -= ring->entries;
	return vring_need_event(at, ring->next, old);
}

void virtio_ring_publish(struct virtio_ring *ring)
{
	const uint64_t one = 1;

	if ((ring->packed ? publish_packed(ring) : publish_split(ring)) &&
	    write(ring->kick, &one, sizeof(one)) != sizeof(one))
		die("kick: %s", strerror(errno));
}

static bool has_used(const struct virtio_ring *ring)
{
	uint16_t flags;

	if (!ring->packed)
		return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) != ring->seen;
	flags = __atomic_load_n(&ring->ring[ring->seen].flags, __ATOMIC_ACQUIRE);
	return !(flags & AVAIL) != ring->seen_wrap && !(flags & USED) != ring->seen_wrap;
}

uint16_t virtio_ring_wait(struct virtio_ring *ring, uint32_t *len)
{
	const struct vring_used_elem *element;
	unsigned int idle = 0;
	uint16_t id;

	while (!has_used(ring)) {
		sched_yield();
		if (++idle > PATIENCE)
			die("virtio: a buffer was never used");
	}
	if (ring->packed) {
		*len = ring->ring[ring->seen].len;
		id = ring->ring[ring->seen].id;
		advance(ring, &ring->seen, &ring->seen_wrap);
		return id;
	}
	element = &ring->used->ring[ring->seen++ & (ring->entries - 1)];
	*len = element->len;
	return element->id;
}
