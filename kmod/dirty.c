// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: a bitmap a region, in which the kernel notes what it has written, and
 * which user space maps, reads and clears while that goes on.
 *
 * No page is missed:
 *
 *    kernel                              who migrates
 *
 *    write guest memory                  exchange a word of the bitmap for 0  (D')
 *    full fence               (D)        copy the pages of its bits
 *    set bits, atomically
 *
 * (D) pairs with (D'), which is an atomic exchange or fetch-and with acquire semantics.
 * Take a write, the bit that is set for it, and the exchanges of that bit's word: one
 * of them is the first behind the setting.  It returns the bit, whether or not it was
 * set before, and who made it sees all that stood in front of (D), so that the copy
 * which follows has the bytes.  Were the bit set in front of the write, the exchange
 * and the copy could both fall between the two, and the page would be lost.  An earlier
 * copy that has seen a part of the write does no harm: it is followed by another.
 *
 * Both sides change words by atomic operations only: neither undoes what the other does
 * to the word's other bits.
 *
 * Where there is a log, nb_rx_post() of buffer.c marks every buffer on its way back to
 * the frontend, before anybody can see that it is full.  NB_MEMORY_START_DIRTY_LOG
 * publishes a map of regions with logs and waits for all users of the former map (an RCU
 * grace period): what is written behind its return is marked.  NB_MEMORY_STOP_DIRTY_LOG
 * does the same the other way round: behind its return no bit is set, and all that have
 * been set are seen.
 *
 * What stands in the bitmap the kernel never reads: which bit to set follows from the
 * offset in the region, which nb_mem_find() has checked against the region's length.
 *
 * A mapping holds its log, not the region: it stays when the region or the log goes.
 * This file takes no locks.  Process context, but for nb_dirty_log_mark(), and the fault
 * handler, which runs under mmap_lock.
 */
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "dirty.h"

struct nb_dirty_log *nb_dirty_log_create(u64 len, unsigned long pgoff)
{
	struct nb_dirty_log *log = kzalloc(sizeof(*log), GFP_KERNEL_ACCOUNT);

	if (!log)
		return NULL;
	kref_init(&log->ref);
	log->pgoff = pgoff;
	log->n_bits = DIV_ROUND_UP_ULL(len, NB_DIRTY_PAGE_SIZE);
	log->n_pages = DIV_ROUND_UP_ULL(nb_dirty_log_size(log), PAGE_SIZE);
	log->bitmap = __vmalloc(log->n_pages << PAGE_SHIFT,
				GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	if (!log->bitmap) {
		kfree(log);
		return NULL;
	}
	return log;
}

static void nb_dirty_log_free(struct kref *ref)
{
	struct nb_dirty_log *log = container_of(ref, struct nb_dirty_log, ref);

	vfree(log->bitmap);
	kfree(log);
}

void nb_dirty_log_put(struct nb_dirty_log *log)
{
	if (log)
		kref_put(&log->ref, nb_dirty_log_free);
}

void nb_dirty_log_mark(struct nb_dirty_log *log, u64 offset, u32 len)
{
	u64 page = offset / NB_DIRTY_PAGE_SIZE;
	u64 last = (offset + len - 1) / NB_DIRTY_PAGE_SIZE;

	if (WARN_ON_ONCE(last >= log->n_bits))
		return;
	for (; page <= last; page++)
		set_bit_le(page % 64, log->bitmap + page / 64 * sizeof(u64));
}

/* ---- mmap() -------------------------------------------------------------- */

static void nb_dirty_log_vm_open(struct vm_area_struct *vma)
{
	struct nb_dirty_log *log = vma->vm_private_data;

	kref_get(&log->ref);
}

static void nb_dirty_log_vm_close(struct vm_area_struct *vma)
{
	nb_dirty_log_put(vma->vm_private_data);
}

static vm_fault_t nb_dirty_log_fault(struct vm_fault *vmf)
{
	struct nb_dirty_log *log = vmf->vma->vm_private_data;
	unsigned long i = vmf->pgoff - log->pgoff;

	if (i >= log->n_pages)
		return VM_FAULT_SIGBUS;
	vmf->page = vmalloc_to_page(log->bitmap + (i << PAGE_SHIFT));
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct nb_dirty_log_vm_ops = {
	.open = nb_dirty_log_vm_open,
	.close = nb_dirty_log_vm_close,
	.fault = nb_dirty_log_fault,
};

int nb_dirty_log_mmap(struct nb_dirty_log *log, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	nb_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, 0);
	vma->vm_ops = &nb_dirty_log_vm_ops;
	vma->vm_private_data = log;
	kref_get(&log->ref);
	return 0;
}
