// SPDX-License-Identifier: GPL-2.0
/*
 * The in-flight region: what outlives this process of what it knows about chains
 *
 * The front-end has the memory, and passes it to whoever serves the rings next: each ring
 * has a part of it, which says which chains were taken and not given back.  Who begins
 * with such a part takes those first, in the order in which they were taken before.
 *
 * A ring that is stopped has none of them any more, so that its part is as new then, and
 * the ring's base says where it goes on.  What the parts look like for split and packed
 * rings is in inflight_split.c and inflight_packed.c.
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nbvhost.h"

#define VERSION		1
#define ALIGNMENT	64u

static size_t part_size(bool packed, uint16_t entries)
{
	size_t size = packed ? inflight_packed_size(entries) : inflight_split_size(entries);

	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- all rings of a NIC -------------------------------------------------- */

static const char *check(const struct nic *nic, const struct vu_inflight *about)
{
	if (!about->n_queues || about->n_queues > n_vqs(nic))
		return "an in-flight region for rings that are not there";
	if (!about->queue_size || about->queue_size > MAX_RING_ENTRIES)
		return "an in-flight region for rings of a wrong size";
	return NULL;
}

/* Make a region, which the front-end is going to have; says what is wrong, or NULL. */
const char *inflight_make(const struct nic *nic, struct vu_inflight *about, int *fd)
{
	const char *wrong = check(nic, about);

	if (wrong)
		return wrong;
	about->mmap_size = about->n_queues * part_size(has_feature(nic, VIRTIO_F_RING_PACKED),
						       about->queue_size);
	about->mmap_offset = 0;
	*fd = memfd_create("nbvhost-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return "no memory for an in-flight region";
	if (!ftruncate(*fd, (off_t)about->mmap_size) &&
	    !fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return NULL;
	close(*fd);
	return "no memory for an in-flight region";
}

/* Use a region from now on; says what is wrong, or NULL.  The rings are stopped. */
const char *inflight_set(struct nic *nic, const struct vu_inflight *about, int fd)
{
	const char *wrong = check(nic, about);

	if (!wrong)
		wrong = shared_map(&nic->inflight, fd, about->mmap_size, about->mmap_offset);
	if (wrong)
		return wrong;
	nic->inflight_queues = about->n_queues;
	nic->inflight_entries = about->queue_size;
	return NULL;
}

/* The part of a ring, before it is started; says what is wrong, or NULL. */
const char *inflight_find(const struct nic *nic, unsigned int index, struct vq *vq)
{
	size_t size = part_size(has_feature(nic, VIRTIO_F_RING_PACKED), nic->inflight_entries);

	vq->track = (struct track){ 0 };
	if (!nic->inflight.addr)
		return NULL;
	if (index >= nic->inflight_queues || vq->size > nic->inflight_entries ||
	    (index + 1) * size > nic->inflight.size)
		return "the in-flight region has no room for it";
	vq->track.part = (void *)((uint8_t *)nic->inflight.addr + index * size);
	return NULL;
}

/* ---- one ring ------------------------------------------------------------ */

static int compare(const void *first, const void *second)
{
	const struct again *a = first, *b = second;

	return a->counter < b->counter ? -1 : a->counter > b->counter;
}

/* An entry of the part stands for a chain that was on its way, of so many descriptors. */
void inflight_found(struct vq *vq, uint16_t entry, uint16_t num, uint64_t counter)
{
	struct track *track = &vq->track;

	track->again[track->n_again++] = (struct again){
		.counter = counter,
		.entry = entry,
		.num = num,
	};
}

/* All were found: they are going to be taken again as they were taken before. */
void inflight_sort(struct vq *vq)
{
	struct track *track = &vq->track;

	if (!track->n_again)
		return;
	qsort(track->again, track->n_again, sizeof(*track->again), compare);
	track->counter = track->again[track->n_again - 1].counter;
}

/* Go on with what is on its way, or begin; says what is wrong, or NULL. */
const char *inflight_start(struct vq *vq)
{
	struct track *track = &vq->track;
	const char *wrong = NULL;

	if (!track->part)
		return NULL;
	track->again = calloc(vq->size, sizeof(*track->again));
	track->batch = calloc(vq->size, sizeof(*track->batch));
	if (!track->again || !track->batch)
		return "no memory for what is on its way";
	if (track->part->version == VERSION) {
		if (track->part->n != vq->size)
			return "its in-flight region is for another size";
		wrong = vq->packed ? inflight_packed_resume(vq) : inflight_split_resume(vq);
		/* who was killed may not have told what it had published */
		vq->to_tell.call = true;
		return wrong;
	}
	track->part->features = 0;
	track->part->n = (uint16_t)vq->size;
	if (vq->packed)
		inflight_packed_begin(vq);
	else
		inflight_split_begin(vq);
	__atomic_store_n(&track->part->version, VERSION, __ATOMIC_RELEASE);
	return NULL;
}

void inflight_stop(struct vq *vq)
{
	free(vq->track.again);
	free(vq->track.batch);
	vq->track = (struct track){ 0 };
}

/* Nothing is on its way any more, and the base says where the ring goes on. */
void inflight_clear(struct vq *vq)
{
	if (vq->track.part)
		__atomic_store_n(&vq->track.part->version, 0, __ATOMIC_RELEASE);
}

/* With a part: a chain is taken; -1 if what the front-end has changed there makes no sense. */
int inflight_take(struct vq *vq, uint16_t id)
{
	vq->track.counter++;
	if (vq->packed)
		return inflight_packed_take(vq, &vq->buffers[id]);
	inflight_split_take(vq, id);
	return 0;
}

/* With a part: a chain is given back with the next ones that are published. */
void inflight_put(struct vq *vq, uint16_t id)
{
	struct track *track = &vq->track;

	if (track->n_batch == vq->size)
		vq_publish(vq);
	if (vq->packed)
		inflight_packed_put(vq, &vq->buffers[id]);
	else
		inflight_split_put(vq, id);
	track->batch[track->n_batch++] = id;
}

/* Between these two the guest is told of what was put. */
void inflight_before_publish(struct vq *vq)
{
	if (vq->track.part && vq->packed)
		inflight_packed_before_publish(vq);
}

void inflight_after_publish(struct vq *vq)
{
	struct track *track = &vq->track;

	if (!track->part)
		return;
	if (vq->packed)
		inflight_packed_after_publish(vq);
	else
		inflight_split_after_publish(vq);
	track->n_batch = 0;
}
