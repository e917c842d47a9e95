// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue, whatever its layout: its life, and the chains that are on their way
 *
 * Owns the buffers: each id that the guest has made available is noted until it is given
 * back, so that one that the guest makes available twice is found out.
 */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nbvhost.h"

void vq_init(struct vq *vq)
{
	*vq = (struct vq){ .kick_fd = -1, .call_fd = -1, .err_fd = -1 };
}

/* Forget what a front-end has said. */
void vq_reset(struct vq *vq, struct closer *closer)
{
	bool writable = vq->writable, both_ways = vq->both_ways;

	vq_stop(vq);
	fd_close(closer, vq->kick_fd);
	fd_close(closer, vq->call_fd);
	fd_close(closer, vq->err_fd);
	vq_init(vq);
	vq->writable = writable;
	vq->both_ways = both_ways;
}

/* Where the three parts are; says what is wrong, or NULL. */
static const char *map(struct vq *vq, const struct memory *memory)
{
	size_t desc = vq->packed ? packed_desc_size(vq) : split_desc_size(vq);
	size_t driver = vq->packed ? packed_event_size() : split_driver_size(vq);
	size_t device = vq->packed ? packed_event_size() : split_device_size(vq);
	const struct vu_vring_addr *addr = &vq->addr;

	vq->desc = memory_from_user(memory, addr->desc, desc, 16);
	vq->driver = memory_from_user(memory, addr->avail, driver, vq->packed ? 4 : 2);
	vq->device = memory_from_user(memory, addr->used, device, 4);
	if (!vq->desc || !vq->driver || !vq->device)
		return "it is not in guest memory, or not aligned";
	return NULL;
}

static void free_buffers(struct vq *vq)
{
	uint32_t id;

	for (id = 0; id < vq->size; id++)
		free(vq->buffers[id].segments);
	free(vq->buffers);
	vq->buffers = NULL;
}

/* Begin to use a ring of one layout or the other; says what is wrong, or NULL. */
const char *vq_start(struct vq *vq, const struct memory *memory, bool packed, bool event_idx)
{
	const char *wrong;

	vq->packed = packed;
	wrong = map(vq, memory);
	if (!wrong)
		wrong = packed ? packed_start(vq) : split_start(vq);
	if (wrong)
		return wrong;
	vq->buffers = calloc(vq->size, sizeof(*vq->buffers));
	if (!vq->buffers)
		return "no memory for its buffers";
	vq->memory = memory;
	vq->event_idx = event_idx;
	/* what was on its way before cannot be made available again */
	vq->in_order = !packed || !vq->entries_in_flight;
	vq->in_flight = 0;
	vq->unpublished = 0;
	vq->to_tell = (struct news){ 0 };
	vq->tells_later = false;
	wrong = inflight_start(vq);
	if (wrong) {
		free_buffers(vq);
		inflight_stop(vq);
		return wrong;
	}
	vq->running = true;
	return NULL;
}

/* End that; what is in flight has been given back, or nobody is there to have it. */
void vq_stop(struct vq *vq)
{
	if (!vq->running)
		return;
	free_buffers(vq);
	inflight_stop(vq);
	vq->base = vq->packed ? packed_base(vq) : vq->next_avail;
	vq->running = false;
}

void vq_set_base(struct vq *vq, uint32_t base)
{
	vq->base = base;
	vq->broken = NULL;
}

/* The ring cannot be right, so it is not used any more; returns -1. */
int vq_break(struct vq *vq, const char *why)
{
	vq->broken = why;
	vq->to_tell.err = true;
	if (!vq->tells_later)
		vq_tell(vq);
	return -1;
}

/*
 * Is this to be said about a ring?  The first that is wrong with it, until it is started again,
 * and that it is broken in any case.
 */
bool vq_is_news(struct vq *vq, const char *why)
{
	if (vq->said && (vq->said == vq->broken || why != vq->broken))
		return false;
	vq->said = why;
	return true;
}

/* Tell one; false if that has hung until there was a signal. */
static bool tell(int fd, bool *due)
{
	static const uint64_t one = 1;
	bool wanted = *due;

	*due = false;
	/* full, or closed at the other end: then nobody waits for it */
	return !wanted || fd < 0 || write(fd, &one, sizeof(one)) >= 0 || errno != EINTR;
}

/*
 * Tell those who wait of what is new.  What the front-end has passed for that may hang in
 * spite of O_NONBLOCK, which it can take back; so this is for threads that are sent signals
 * when they are to end, see pair_wait().
 */
void vq_tell(struct vq *vq)
{
	struct news *news = &vq->to_tell;

	if (tell(vq->log ? vq->log->fd : -1, &news->log) && tell(vq->call_fd, &news->call))
		tell(vq->err_fd, &news->err);
}

/*
 * The table that an indirect descriptor names, and its entries; without one, which is said
 * in the chain, there are none.
 */
const void *chain_table(const struct vq *vq, struct chain *chain, uint64_t gpa, uint32_t len,
			uint32_t *n)
{
	const struct vring_desc *table = NULL;

	/* nobody is to wait for the end of one that is far too long */
	if (len > MAX_DESCS * sizeof(*table))
		chain->bad = "a table of too many descriptors";
	else if (len % sizeof(*table) == 0 && gpa % 8 == 0)
		table = memory_at(vq->memory, gpa, len);
	if (!table && !chain->bad)
		chain->bad = "an indirect table that is not in guest memory";
	*n = table ? len / (uint32_t)sizeof(*table) : 0;
	return table;
}

/* Look at the next chain that was on its way before; @state: number of its state. */
static int fetch_again(struct vq *vq, struct chain *chain, uint16_t state)
{
	return vq->packed ? packed_fetch_again(vq, chain, state) :
			    split_fetch_again(vq, chain, state);
}

/* Take a chain that was fetched, which is noted already if it is taken @again. */
static int take(struct vq *vq, const struct chain *chain, const struct again *again)
{
	struct buffer *buffer = &vq->buffers[chain->id];
	bool noted;

	if (buffer->taken)
		return vq_break(vq, "it makes a chain available that is in use");
	buffer->entries = chain->entries;
	if (again)
		noted = !vq->packed || inflight_packed_retake(vq, again, buffer);
	else
		noted = !vq->track.part || !inflight_take(vq, chain->id);
	if (!noted)
		return vq_break(vq, "its in-flight region makes no sense");
	if (!again && vq->packed)
		packed_take(vq, chain->entries);
	else if (!again)
		split_take(vq);
	buffer->taken = true;
	vq->in_flight++;
	return 1;
}

/* Take the next chain: 1, 0 if there is none, or -1 if the ring is broken. */
int vq_fetch(struct vq *vq, struct chain *chain)
{
	struct track *track = &vq->track;
	const struct again *again = NULL;
	int fetched;

	if (vq->broken)
		return -1;
	/* an in-flight region of a packed ring has place for one of them at a time */
	if (vq->packed && track->part)
		vq_publish(vq);
	chain->n = 0;
	chain->n_read = 0;
	chain->len = 0;
	chain->bad = NULL;
	chain->entries = 0;
	if (track->next_again < track->n_again)
		again = &track->again[track->next_again++];
	if (again)
		fetched = fetch_again(vq, chain, again->entry);
	else
		fetched = vq->packed ? packed_fetch(vq, chain) : split_fetch(vq, chain);
	return fetched > 0 ? take(vq, chain, again) : fetched;
}

/* Take all that was on its way before. */
static void fetch_all_again(struct vq *vq)
{
	struct chain chain;

	while (vq->track.next_again < vq->track.n_again && vq_fetch(vq, &chain) > 0)
		;
}

/* Give a chain back that is taken; the guest sees it when that is published. */
void vq_put(struct vq *vq, uint16_t id, uint32_t len)
{
	vq->buffers[id].taken = false;
	vq->buffers[id].posted = false;
	vq->in_flight--;
	if (vq->track.part)
		inflight_put(vq, id);
	if (vq->packed)
		packed_put(vq, id, len, vq->buffers[id].entries);
	else
		split_put(vq, id, len);
}

/* Let the guest see what was given back, and interrupt it if it wants that. */
void vq_publish(struct vq *vq)
{
	if (vq->unpublished) {
		inflight_before_publish(vq);
		if (vq->packed ? packed_publish(vq) : split_publish(vq))
			vq->to_tell.call = true;
		vq->unpublished = 0;
		inflight_after_publish(vq);
		vq->to_tell.log = true;
	}
	if (!vq->tells_later)
		vq_tell(vq);
}

/* Ask for kicks; returns whether something has come before the guest could know. */
bool vq_enable_kicks(struct vq *vq)
{
	if (vq->broken)
		return false;
	return vq->packed ? packed_enable_kicks(vq) : split_enable_kicks(vq);
}

void vq_disable_kicks(struct vq *vq)
{
	if (vq->broken)
		return;
	if (vq->packed)
		packed_disable_kicks(vq);
	else
		split_disable_kicks(vq);
}

/* Give back all that is taken, with nothing in it. */
void vq_give_back(struct vq *vq)
{
	uint32_t id;

	fetch_all_again(vq);
	for (id = 0; id < vq->size; id++) {
		if (vq->buffers[id].taken)
			vq_put(vq, (uint16_t)id, 0);
	}
	vq_publish(vq);
	inflight_clear(vq);
}

/*
 * Make all that is taken available again, as if it had never been taken; else give it
 * back, if others that were taken later have been given back already.
 */
void vq_rewind(struct vq *vq)
{
	fetch_all_again(vq);
	if (!vq->in_order) {
		vq_give_back(vq);
		return;
	}
	if (vq->packed)
		packed_rewind(vq);
	else
		split_rewind(vq);
	vq->in_flight = 0;
	vq_publish(vq);
	inflight_clear(vq);
}
