// SPDX-License-Identifier: GPL-2.0
/*
 * The in-flight region of a split ring
 *
 * A chain is on its way from the store of its state's in_flight on.  It is given back by
 * the store of the used index; its in_flight is 0 some time later, and used_idx as the
 * index later still.  Who finds them different knows by the list of the last batch whose
 * in_flight may be wrong.  Each store is a release: who is killed leaves what it has
 * stored up to some point, and nothing of what is behind it.
 */
#include <linux/virtio_ring.h>
#include <string.h>

#include "nbvhost.h"

/**
 * struct state - of a chain, by the number of its first descriptor
 * @in_flight: it is taken
 * @padding: nothing
 * @next: the one that was given back before it, in the same batch
 * @counter: greater than that of all that were taken before
 */
struct state {
	uint8_t in_flight;
	uint8_t padding[5];
	uint16_t next;
	uint64_t counter;
};

/**
 * struct part - of a ring
 * @head: what all have
 * @last_batch_head: the chain that was given back last
 * @used_idx: index of the used ring for which all of in_flight is right
 * @states: one for each descriptor
 */
struct part {
	struct inflight_head head;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct state states[];
};

_Static_assert(sizeof(struct part) == 16 && sizeof(struct state) == 16, "as vhost-user has it");

static struct part *part_of(const struct vq *vq)
{
	return (struct part *)vq->track.part;
}

static uint16_t read_used(const struct vq *vq)
{
	const struct vring_used *used = vq->device;

	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

size_t inflight_split_size(uint16_t entries)
{
	return sizeof(struct part) + entries * sizeof(struct state);
}

void inflight_split_begin(struct vq *vq)
{
	struct part *part = part_of(vq);

	memset(part->states, 0, vq->size * sizeof(*part->states));
	part->last_batch_head = 0;
	part->used_idx = read_used(vq);
}

/* The guest has the last batch back, whether or not that was noted. */
static bool settle_last_batch(struct vq *vq, uint16_t used)
{
	struct part *part = part_of(vq);
	uint16_t n = (uint16_t)(used - part->used_idx), at = part->last_batch_head;

	if (n > vq->size)
		return false;
	for (; n; n--) {
		if (at >= vq->size)
			return false;
		part->states[at].in_flight = 0;
		at = __atomic_load_n(&part->states[at].next, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&part->used_idx, used, __ATOMIC_RELEASE);
	return true;
}

/* Are the chains that were found the last ones that the guest made available? */
static bool are_in_order(const struct vq *vq)
{
	const struct vring_avail *avail = vq->driver;
	const struct track *track = &vq->track;
	uint32_t i;

	for (i = 0; i < track->n_again; i++) {
		if (avail->ring[(vq->next_used + i) & (vq->size - 1)] != track->again[i].entry)
			return false;
	}
	return true;
}

/* Go on where somebody else has stopped anywhere; says what is wrong, or NULL. */
const char *inflight_split_resume(struct vq *vq)
{
	struct part *part = part_of(vq);
	uint32_t id;

	vq->next_used = read_used(vq);
	if (!settle_last_batch(vq, vq->next_used))
		return "its in-flight region makes no sense";
	for (id = 0; id < vq->size; id++) {
		if (part->states[id].in_flight)
			inflight_found(vq, (uint16_t)id, 1, part->states[id].counter);
	}
	inflight_sort(vq);
	vq->next_avail = (uint16_t)(vq->next_used + vq->track.n_again);
	vq->seen_avail = vq->next_avail;
	vq->in_order = are_in_order(vq);
	return NULL;
}

void inflight_split_take(struct vq *vq, uint16_t id)
{
	struct state *state = &part_of(vq)->states[id];

	state->counter = vq->track.counter;
	__atomic_store_n(&state->in_flight, 1, __ATOMIC_RELEASE);
}

void inflight_split_put(struct vq *vq, uint16_t id)
{
	struct part *part = part_of(vq);

	part->states[id].next = part->last_batch_head;
	__atomic_store_n(&part->last_batch_head, id, __ATOMIC_RELEASE);
}

/* The used index was stored. */
void inflight_split_after_publish(struct vq *vq)
{
	const struct track *track = &vq->track;
	struct part *part = part_of(vq);
	uint32_t i;

	for (i = 0; i < track->n_batch; i++)
		__atomic_store_n(&part->states[track->batch[i]].in_flight,
				 vq->buffers[track->batch[i]].taken, __ATOMIC_RELEASE);
	__atomic_store_n(&part->used_idx, vq->next_used, __ATOMIC_RELEASE);
}
