// SPDX-License-Identifier: GPL-2.0
/*
 * The in-flight region of a packed ring
 *
 * Descriptors are overwritten by what is used, so there are copies here: a chain is a list
 * of states, which is taken from the head of the list of free ones, and is put there again
 * when it is given back.  Each of the words that say where that list and the used
 * descriptors are has an old one beside it, which follows when all is done:
 *
 *	take	fill free states, in_flight; old_free_head	(the chain is on its way)
 *	put	put the states before free_head
 *	publish	used; the flags of the first descriptor		(the guest has the batch)
 *		in_flight; old_free_head; old_used
 *
 * Who finds used and old_used different looks at that descriptor for whether the guest has
 * the batch.  If not, the old words are right, and as the batch was written but for its
 * first flags, what looks used there is made to look available again.  No chain is taken
 * while a batch is not published.
 */
#include <linux/virtio_ring.h>
#include <string.h>

#include "nbvhost.h"

#define AVAIL	(1u << VRING_PACKED_DESC_F_AVAIL)
#define USED	(1u << VRING_PACKED_DESC_F_USED)

/**
 * struct state - a copy of a descriptor
 * @in_flight: first one of a chain: it is taken
 * @padding: nothing
 * @next: the next one of the chain, or of those that are free; behind the last: any number
 * @last: first one of a chain: its last one
 * @num: first one of a chain: number of them
 * @counter: first one of a chain: greater than that of all that were taken before
 * @id: as the guest has written it
 * @flags: as the guest has written it
 * @len: as the guest has written it
 * @addr: as the guest has written it
 */
struct state {
	uint8_t in_flight;
	uint8_t padding;
	uint16_t next;
	uint16_t last;
	uint16_t num;
	uint64_t counter;
	uint16_t id;
	uint16_t flags;
	uint32_t len;
	uint64_t addr;
};

/**
 * struct used - where the next used descriptor goes: a word that changes at once
 * @idx: place
 * @old_idx: the same without the batch that is being published
 * @wrap: wrap counter
 * @old_wrap: the same without the batch
 * @padding: nothing
 */
struct used {
	uint16_t idx;
	uint16_t old_idx;
	uint8_t wrap;
	uint8_t old_wrap;
	uint16_t padding;
};

/**
 * struct part - of a ring
 * @head: what all have
 * @free_head: first one of the free states
 * @old_free_head: the same without the batch that is being published
 * @used: a struct used
 * @padding: nothing
 * @states: one for each descriptor
 */
struct part {
	struct inflight_head head;
	uint16_t free_head;
	uint16_t old_free_head;
	uint64_t used;
	uint64_t padding;
	struct state states[];
};

_Static_assert(sizeof(struct part) == 32 && sizeof(struct state) == 32 &&
	       sizeof(struct used) == 8, "as vhost-user has it");

static struct part *part_of(const struct vq *vq)
{
	return (struct part *)vq->track.part;
}

static struct used read_used(const struct part *part)
{
	uint64_t word = __atomic_load_n(&part->used, __ATOMIC_RELAXED);
	struct used used;

	memcpy(&used, &word, sizeof(used));
	return used;
}

static void write_used(struct part *part, struct used used)
{
	uint64_t word;

	memcpy(&word, &used, sizeof(word));
	__atomic_store_n(&part->used, word, __ATOMIC_RELEASE);
}

size_t inflight_packed_size(uint16_t entries)
{
	return sizeof(struct part) + entries * sizeof(struct state);
}

void inflight_packed_begin(struct vq *vq)
{
	struct part *part = part_of(vq);
	uint32_t i;

	for (i = 0; i < vq->size; i++)
		part->states[i] = (struct state){ .next = (uint16_t)(i + 1) };
	part->free_head = 0;
	part->old_free_head = 0;
	vq->track.free_head = 0;
	write_used(part, (struct used){
		.idx = vq->next_used,
		.old_idx = vq->next_used,
		.wrap = vq->used_wrap,
		.old_wrap = vq->used_wrap,
	});
}

/* Does the guest see the first descriptor of the batch as available, still? */
static bool is_unpublished(const struct vq *vq, const struct used *used)
{
	const struct vring_packed_desc *ring = vq->desc;
	uint16_t flags = __atomic_load_n(&ring[used->old_idx].flags, __ATOMIC_ACQUIRE);

	return (flags & (AVAIL | USED)) == (used->old_wrap ? AVAIL : USED);
}

/* The last batch was given back, or not at all. */
static bool settle_last_batch(struct vq *vq)
{
	struct part *part = part_of(vq);
	struct used used = read_used(part);

	if (used.idx >= vq->size || used.old_idx >= vq->size || used.wrap > 1 || used.old_wrap > 1)
		return false;
	if ((used.idx != used.old_idx || used.wrap != used.old_wrap) &&
	    !is_unpublished(vq, &used)) {
		__atomic_store_n(&part->old_free_head, part->free_head, __ATOMIC_RELEASE);
		used.old_idx = used.idx;
		used.old_wrap = used.wrap;
	}
	used.idx = used.old_idx;
	used.wrap = used.old_wrap;
	write_used(part, used);
	vq->track.free_head = part->old_free_head;
	__atomic_store_n(&part->free_head, vq->track.free_head, __ATOMIC_RELEASE);
	vq->next_used = used.idx;
	vq->used_wrap = used.wrap;
	return true;
}

/* States that are free are not on their way, whatever was written into them. */
static void clear_free_states(struct vq *vq)
{
	struct part *part = part_of(vq);
	uint32_t at = vq->track.free_head, left;

	for (left = vq->size; left && at < vq->size; left--) {
		part->states[at].in_flight = 0;
		at = __atomic_load_n(&part->states[at].next, __ATOMIC_RELAXED);
	}
}

/*
 * Find the chains that are on their way; false if they are more than the ring has room for.
 * What is counted is kept, as the front-end may change it at any time.
 */
static bool find_chains(struct vq *vq)
{
	const struct part *part = part_of(vq);
	uint32_t total = 0, i;
	uint16_t num;

	for (i = 0; i < vq->size; i++) {
		const struct state *state = &part->states[i];

		if (!state->in_flight)
			continue;
		num = __atomic_load_n(&state->num, __ATOMIC_RELAXED);
		total += num;
		if (!num || total > vq->size)
			return false;
		inflight_found(vq, (uint16_t)i, num, state->counter);
	}
	inflight_sort(vq);
	vq->entries_in_flight = total;
	return true;
}

/* Go on where somebody else has stopped anywhere; says what is wrong, or NULL. */
const char *inflight_packed_resume(struct vq *vq)
{
	if (!settle_last_batch(vq))
		return "its in-flight region makes no sense";
	clear_free_states(vq);
	if (!find_chains(vq))
		return "its in-flight region makes no sense";
	packed_resume(vq);
	/* where they were in the ring there may be something else */
	vq->in_order = !vq->track.n_again;
	return NULL;
}

/* The chain that begins at the next available descriptor is on its way. */
int inflight_packed_take(struct vq *vq, struct buffer *buffer)
{
	uint32_t at = vq->track.free_head, from = vq->next_avail, i;
	const struct vring_packed_desc *ring = vq->desc;
	struct part *part = part_of(vq);
	struct state *state = NULL;

	buffer->state = (uint16_t)at;
	for (i = 0; i < buffer->entries; i++) {
		if (at >= vq->size)
			return -1;
		state = &part->states[at];
		state->addr = ring[from].addr;
		state->len = ring[from].len;
		state->flags = ring[from].flags;
		state->id = ring[from].id;
		buffer->last_state = (uint16_t)at;
		at = __atomic_load_n(&state->next, __ATOMIC_RELAXED);
		from = from + 1 == vq->size ? 0 : from + 1;
	}
	state = &part->states[buffer->state];
	state->last = buffer->last_state;
	state->num = buffer->entries;
	state->counter = vq->track.counter;
	__atomic_store_n(&state->in_flight, 1, __ATOMIC_RELEASE);
	vq->track.free_head = (uint16_t)at;
	__atomic_store_n(&part->free_head, vq->track.free_head, __ATOMIC_RELEASE);
	__atomic_store_n(&part->old_free_head, vq->track.free_head, __ATOMIC_RELEASE);
	return 0;
}

/*
 * A copy of the next descriptor of a chain that is taken again, with its state's number in
 * @at, which goes on to the next; false if there is no such state.
 */
bool inflight_packed_next(const struct vq *vq, uint32_t *at, struct vring_packed_desc *desc)
{
	const struct part *part = part_of(vq);
	struct state state;

	if (*at >= vq->size)
		return false;
	state = *(const volatile struct state *)&part->states[*at];
	desc->addr = state.addr;
	desc->len = state.len;
	desc->id = state.id;
	desc->flags = state.flags;
	*at = state.next;
	return true;
}

/* The chain is of so many descriptors now; false if that is not what was counted. */
bool inflight_packed_retake(const struct vq *vq, const struct again *again,
			    struct buffer *buffer)
{
	const struct state *state = &part_of(vq)->states[again->entry];

	buffer->state = again->entry;
	buffer->last_state = __atomic_load_n(&state->last, __ATOMIC_RELAXED);
	return buffer->last_state < vq->size && buffer->entries == again->num;
}

void inflight_packed_put(struct vq *vq, const struct buffer *buffer)
{
	struct part *part = part_of(vq);

	part->states[buffer->last_state].next = vq->track.free_head;
	vq->track.free_head = buffer->state;
	__atomic_store_n(&part->free_head, vq->track.free_head, __ATOMIC_RELEASE);
}

/* The flags of the first descriptor are going to be stored. */
void inflight_packed_before_publish(struct vq *vq)
{
	struct part *part = part_of(vq);
	struct used used = read_used(part);

	used.idx = vq->next_used;
	used.wrap = vq->used_wrap;
	write_used(part, used);
}

/* They were. */
void inflight_packed_after_publish(struct vq *vq)
{
	const struct track *track = &vq->track;
	struct part *part = part_of(vq);
	uint32_t i;

	for (i = 0; i < track->n_batch; i++) {
		const struct buffer *buffer = &vq->buffers[track->batch[i]];

		__atomic_store_n(&part->states[buffer->state].in_flight, 0, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&part->old_free_head, track->free_head, __ATOMIC_RELEASE);
	write_used(part, (struct used){
		.idx = vq->next_used,
		.old_idx = vq->next_used,
		.wrap = vq->used_wrap,
		.old_wrap = vq->used_wrap,
	});
}
