// SPDX-License-Identifier: GPL-2.0
/*
 * Tails: memory of this process, behind the guest's in the kernel's eyes
 *
 * Only the kernel and this process reach it: chain_add() refuses what a guest says to be
 * there.  Without, because there is no more memory that may be pinned, all works, too.
 */
#include <linux/virtio_net.h>
#include <sys/mman.h>

#include "nbvhost.h"

#define PAGE		4096u
/* as a packet of a normal MTU: such a receive buffer is one chain in any case */
#define SHORT_PACKET	2048u

void tails_open(struct pair *pair)
{
	uint32_t size = (uint32_t)(pair->need + PAGE - 1) / PAGE * PAGE;
	struct tails *tails = &pair->tails;
	void *addr;

	*tails = (struct tails){ .gpa = OWN_GPA + ((uint64_t)pair->index << 32) };
	if (!pair->merges || pair->need < SHORT_PACKET)
		return;
	addr = mmap(NULL, (size_t)MAX_TAILS * size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (addr == MAP_FAILED)
		return;
	if (nb_memory_add(pair->nic->memory.mem, tails->gpa, addr, (size_t)MAX_TAILS * size, 0)) {
		munmap(addr, (size_t)MAX_TAILS * size);
		return;
	}
	tails->addr = addr;
	tails->size = size;
	for (; tails->n_free < MAX_TAILS; tails->n_free++)
		tails->free[tails->n_free] = (uint8_t)tails->n_free;
}

/* The queue is closed. */
void tails_close(struct pair *pair)
{
	struct tails *tails = &pair->tails;
	size_t len = (size_t)MAX_TAILS * tails->size;

	if (!tails->addr)
		return;
	nb_memory_remove(pair->nic->memory.mem, tails->gpa, len);
	munmap(tails->addr, len);
	tails->addr = NULL;
}
