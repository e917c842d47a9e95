// SPDX-License-Identifier: GPL-2.0
/*
 * The log of a migration: which pages of guest memory are written
 *
 * The front-end has the bitmap, a bit for each 4096 bytes from guest-physical address 0 on,
 * and takes bits from it while they are set here.  So a page is written first, and marked
 * then, with a full fence between: who has the bit sees what it stands for.
 *
 * What the kernel writes, which is the payload, it notes in a log of its own.  That is
 * looked at from time to time while the rings run, so that the migration gets on, and once
 * more when they have stopped, when nothing can follow.
 */
#include <linux/vhost.h>
#include <stdlib.h>

#include "nbvhost.h"

#define PAGE		NB_DIRTY_PAGE_SIZE
#define PAGES_A_BYTE	8

/* Mark pages; those that are not in the log are nobody's. */
void log_mark(const struct dirty_log *log, uint64_t gpa, uint64_t len)
{
	uint64_t page = gpa / PAGE, last = (gpa + len - 1) / PAGE;
	uint8_t *bits = log->bits.addr;

	for (; page <= last && page / PAGES_A_BYTE < log->bits.size; page++)
		__atomic_fetch_or(&bits[page / PAGES_A_BYTE],
				  (uint8_t)(1u << page % PAGES_A_BYTE), __ATOMIC_SEQ_CST);
}

/* ---- what the kernel writes ---------------------------------------------- */

static void mark_bits(const struct dirty_log *log, uint64_t gpa, const uint64_t *bits, size_t n)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < n; i++) {
		for (word = bits[i]; word; word &= word - 1)
			log_mark(log, gpa + (i * 64 + (unsigned int)__builtin_ctzll(word)) * PAGE,
				 PAGE);
	}
}

static void harvest_region(const struct nic *nic, const struct vu_region *region)
{
	size_t n = (region->size / PAGE + 63) / 64;
	uint64_t *bits = calloc(n, sizeof(*bits));

	/* what is not known may have been written */
	if (!bits || nb_memory_harvest_dirty(nic->memory.mem, region->gpa, region->size, bits) < 0)
		log_mark(&nic->log, region->gpa, region->size);
	else
		mark_bits(&nic->log, region->gpa, bits, n);
	free(bits);
}

/* Move what the kernel has noted into the log; the pairs' threads may run. */
void log_harvest(const struct nic *nic)
{
	unsigned int i;

	for (i = 0; i < nic->memory.n && nic->memory.log; i++)
		harvest_region(nic, &nic->memory.regions[i]);
}

/* ---- when it is on ------------------------------------------------------- */

/* Where a ring is in the log, if it is to be there. */
static void set_ring(const struct nic *nic, struct vq *vq)
{
	bool on = vq->addr.flags & BIT(VHOST_VRING_F_LOG) && nic->log.bits.addr;

	vq->log = on ? &nic->log : NULL;
	vq->desc_gpa = memory_user_to_gpa(&nic->memory, vq->addr.desc);
	vq->device_gpa = vq->addr.log;
}

static bool switch_kernel(struct nic *nic, bool on)
{
	if (on != !!nic->memory.log && nic->memory.mem &&
	    (on ? nb_memory_start_dirty_log(nic->memory.mem) :
		  nb_memory_stop_dirty_log(nic->memory.mem))) {
		nic_say(nic, "dirty log: %s", nb_error());
		return false;
	}
	return true;
}

/*
 * Features, memory, log or rings are others than before: log what is to be logged from now
 * on.  The pairs' threads do not run.  Says what is wrong, or NULL.
 */
const char *log_update(struct nic *nic)
{
	bool on = has_feature(nic, VHOST_F_LOG_ALL) && nic->log.bits.addr && nic->memory.mem;
	unsigned int i;

	if (!switch_kernel(nic, on))
		return "a log that the kernel does not keep";
	nic->memory.log = on ? &nic->log : NULL;
	for (i = 0; i < n_vqs(nic); i++)
		set_ring(nic, &nic->vqs[i]);
	return NULL;
}

/* Take the log that a front-end has passed instead of what there was; says what is wrong. */
const char *log_set(struct nic *nic, const struct vu_log *about, int fd)
{
	const char *wrong;

	log_harvest(nic);
	wrong = shared_map(&nic->log.bits, fd, about->mmap_size, about->mmap_offset);
	if (wrong)
		log_update(nic);
	return wrong ? wrong : log_update(nic);
}

/* Nobody is there any more who wants to know. */
void log_forget(struct nic *nic)
{
	shared_unmap(&nic->log.bits);
	fd_close(&nic->closer, nic->log.fd);
	nic->log.fd = -1;
}
