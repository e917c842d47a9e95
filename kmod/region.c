// SPDX-License-Identifier: GPL-2.0
/*
 * Makes and unmakes regions: checks the request, counts the pages against
 * RLIMIT_MEMLOCK of the caller's user (as AF_XDP and io_uring do), pins them, and
 * notes where they are in the direct map in units as large as they allow.
 *
 * Takes no locks of its own; runs in process context.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "dirty.h"
#include "ioctl.h"
#include "region.h"

#ifdef CONFIG_HIGHMEM
#error "net_backend copies through the direct map and needs a kernel without HIGHMEM"
#endif

/* Pages that are pinned by one call. */
#define NB_PIN_BATCH 512

/* Sizes of unit to try, the largest first: what page tables can map at once. */
static const u8 nb_unit_shifts[] = {
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	PUD_SHIFT, PMD_SHIFT,
#endif
	PAGE_SHIFT,
};

static int nb_region_check(const struct nb_add_region *arg, struct nb_msg *msg)
{
	u64 end;

	if (!arg->len || !PAGE_ALIGNED(arg->gpa | arg->len | arg->addr)) {
		nb_msg(msg, "gpa, len and addr must be multiples of %lu, and len not 0",
		       PAGE_SIZE);
		return -EINVAL;
	}
	if (check_add_overflow(arg->gpa, arg->len, &end) ||
	    check_add_overflow(arg->addr, arg->len, &end) || end > ULONG_MAX) {
		nb_msg(msg, "gpa + len or addr + len is beyond the end of the address space");
		return -EINVAL;
	}
	if (arg->reserved || (!(arg->flags & NB_REGION_FD) && arg->fd)) {
		nb_msg(msg, "reserved, or fd without NB_REGION_FD, is not 0");
		return -EINVAL;
	}
	if (!(arg->flags & NB_REGION_FD) &&
	    !access_ok(u64_to_user_ptr(untagged_addr(arg->addr)), arg->len)) {
		nb_msg(msg, "addr + len is not in user space");
		return -EFAULT;
	}
	return 0;
}

static int nb_region_account(struct nb_region *region, unsigned long n_pages,
			     struct nb_msg *msg)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user;
	long old, new;

	region->n_pages = n_pages;
	if (capable(CAP_IPC_LOCK))
		return 0;

	user = get_uid(current_user());
	old = atomic_long_read(&user->locked_vm);
	do {
		new = old + n_pages;
		if (new < old || (unsigned long)new > limit) {
			nb_msg(msg, "pinning %lu KiB exceeds RLIMIT_MEMLOCK: limit %lu, in use %lu",
			       n_pages << (PAGE_SHIFT - 10), limit << (PAGE_SHIFT - 10),
			       (unsigned long)old << (PAGE_SHIFT - 10));
			free_uid(user);
			return -ENOMEM;
		}
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &old, new));
	region->user = user;
	return 0;
}

static void nb_region_unaccount(struct nb_region *region)
{
	if (!region->user)
		return;
	atomic_long_sub(region->n_pages, &region->user->locked_vm);
	free_uid(region->user);
	region->user = NULL;
}

/* Bytes of the region before and behind its unit @i are not part of that unit. */
static u64 nb_unit_first(const struct nb_region *region, unsigned long i)
{
	return i ? 0 : region->head;
}

static u64 nb_unit_end(const struct nb_region *region, unsigned long i)
{
	u64 left = region->head + region->len - ((u64)i << region->shift);

	return min_t(u64, left, 1ULL << region->shift);
}

static void nb_region_unpin(struct nb_region *region)
{
	unsigned long i;

	for (i = 0; i < region->n_pinned; i++) {
		u64 first = nb_unit_first(region, i);
		u64 end = nb_unit_end(region, i);

		unpin_user_page_range_dirty_lock(virt_to_page(region->unit[i] + first),
						 (end - first) >> PAGE_SHIFT,
						 !region->read_only);
		cond_resched();
	}
	region->n_pinned = 0;
}

static long nb_pin(unsigned long addr, unsigned long n, bool read_only,
		   struct page **pages)
{
	long got;

	/*
	 * Also for a region that is only read: a page of a private mapping must be
	 * the one that the owner's next write goes to.  Only what the owner cannot
	 * write either is pinned for reading.
	 */
	got = pin_user_pages_fast(addr, n, FOLL_LONGTERM | FOLL_WRITE, pages);
	if (got == -EFAULT && read_only)
		got = pin_user_pages_fast(addr, n, FOLL_LONGTERM, pages);
	return got;
}

/*
 * Note @n pages that have just been pinned and belong at @offset of the region.
 * Return: how many of them fit the units; fewer than @n if a unit is not contiguous.
 */
static unsigned long nb_region_note(struct nb_region *region, u64 offset,
				    struct page **pages, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++, offset += PAGE_SIZE) {
		u64 at = region->head + offset;
		u64 in_unit = at & region->unit_mask;
		unsigned long unit = at >> region->shift;
		void *base = page_address(pages[i]) - in_unit;

		if (offset && in_unit) {
			if (region->unit[unit] != base)
				break;
			continue;
		}
		region->unit[unit] = base;
	}
	return i;
}

/* Pin all pages; -EAGAIN if the region is not made of units of this size. */
static int nb_region_pin(struct nb_region *region, unsigned long addr,
			 struct page **pages)
{
	unsigned long total = region->len >> PAGE_SHIFT;
	unsigned long done = 0;
	int err = 0;

	while (done < total && !err) {
		long got = nb_pin(addr + (done << PAGE_SHIFT),
				  min_t(unsigned long, total - done, NB_PIN_BATCH),
				  region->read_only, pages);
		unsigned long fit;

		if (got <= 0) {
			err = got ?: -EFAULT;
			break;
		}
		fit = nb_region_note(region, (u64)done << PAGE_SHIFT, pages, got);
		if (fit < got) {
			unpin_user_pages(pages + fit, got - fit);
			err = -EAGAIN;
		}
		done += fit;
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	if (!err) {
		region->n_pinned = region->n_units;
		return 0;
	}
	/* Undo what is noted, as a shorter region. */
	if (done) {
		region->len = (u64)done << PAGE_SHIFT;
		region->n_pinned = ((region->head + region->len - 1) >> region->shift) + 1;
		nb_region_unpin(region);
		region->len = (u64)total << PAGE_SHIFT;
	}
	return err;
}

static struct nb_region *nb_region_alloc(const struct nb_add_region *arg, u8 shift,
					 u64 head)
{
	unsigned long n = ((head + arg->len - 1) >> shift) + 1;
	struct nb_region *region;

	/* Above INT_MAX bytes kvmalloc() has no memory, and would warn. */
	region = kvzalloc(struct_size(region, unit, n), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!region)
		return NULL;
	region->gpa = arg->gpa;
	region->len = arg->len;
	region->read_only = arg->flags & NB_REGION_READ_ONLY;
	region->shift = shift;
	region->unit_mask = (1ULL << shift) - 1;
	region->head = head;
	region->base = arg->gpa - head;
	region->n_units = n;
	return region;
}

/* Where in a unit of this size the page at @addr lies, or an errno. */
static int nb_region_head(unsigned long addr, u8 shift, bool read_only, u64 *head)
{
	struct page *page;
	long got = nb_pin(addr, 1, read_only, &page);

	if (got != 1)
		return got ?: -EFAULT;
	*head = page_to_phys(page) & ((1ULL << shift) - 1);
	unpin_user_page(page);
	return 0;
}

static struct nb_region *nb_region_pin_units(const struct nb_add_region *arg,
					     unsigned long addr, u8 shift,
					     struct page **pages)
{
	struct nb_region *region;
	u64 head;
	int err;

	err = nb_region_head(addr, shift, arg->flags & NB_REGION_READ_ONLY, &head);
	if (err)
		return ERR_PTR(err);
	region = nb_region_alloc(arg, shift, head);
	if (!region)
		return ERR_PTR(-ENOMEM);
	err = nb_region_pin(region, addr, pages);
	if (err) {
		kvfree(region);
		return ERR_PTR(err);
	}
	return region;
}

static struct nb_region *nb_region_pin_addr(const struct nb_add_region *arg,
					    unsigned long addr, struct nb_msg *msg)
{
	struct nb_region *region = ERR_PTR(-EAGAIN);
	struct page **pages;
	int i;

	pages = kmalloc_array(NB_PIN_BATCH, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < ARRAY_SIZE(nb_unit_shifts); i++) {
		if (arg->len < 1ULL << nb_unit_shifts[i])
			continue;
		region = nb_region_pin_units(arg, addr, nb_unit_shifts[i], pages);
		if (region != ERR_PTR(-EAGAIN))
			break;
	}
	kfree(pages);
	if (region == ERR_PTR(-EFAULT))
		nb_msg(msg, "a part of it is not mapped, not writable, or cannot be pinned");
	return region;
}

/* devtmpfs is a tmpfs, too, but what is on it is not memory. */
static bool nb_is_memory_file(const struct file *file)
{
	unsigned long magic = file_inode(file)->i_sb->s_magic;

	return S_ISREG(file_inode(file)->i_mode) &&
	       (magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC);
}

/* What mmap() says, in the words of NB_MEMORY_ADD_REGION. */
static int nb_mmap_error(int err, int fd, struct nb_msg *msg)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		nb_msg(msg, "fd %d is not open for writing, or sealed against it", fd);
		return -EBADF;
	case -EAGAIN:
		nb_msg(msg, "fd %d cannot be mapped within RLIMIT_MEMLOCK", fd);
		return -ENOMEM;
	default:
		nb_msg(msg, "fd %d cannot be mapped there: error %d", fd, -err);
		return err;
	}
}

/* Map the part of the memfd for as long as it takes to pin it. */
static struct nb_region *nb_region_pin_fd(const struct nb_add_region *arg,
					  struct nb_msg *msg)
{
	unsigned long prot = PROT_READ;
	struct nb_region *region;
	struct file *file;
	unsigned long addr;

	file = fget(arg->fd);
	if (!file || !nb_is_memory_file(file)) {
		nb_msg(msg, "fd %d is not a memfd, nor a file on tmpfs or hugetlbfs", arg->fd);
		region = ERR_PTR(-EBADF);
		goto out;
	}
	if (arg->addr + arg->len > i_size_read(file_inode(file))) {
		nb_msg(msg, "the file of fd %d ends before offset + len", arg->fd);
		region = ERR_PTR(-EFAULT);
		goto out;
	}
	if (!(arg->flags & NB_REGION_READ_ONLY))
		prot |= PROT_WRITE;
	addr = vm_mmap(file, 0, arg->len, prot, MAP_SHARED, arg->addr);
	if (IS_ERR_VALUE(addr)) {
		region = ERR_PTR(nb_mmap_error(addr, arg->fd, msg));
		goto out;
	}
	region = nb_region_pin_addr(arg, addr, msg);
	vm_munmap(addr, arg->len);
out:
	if (file)
		fput(file);
	return region;
}

struct nb_region *nb_region_create(const struct nb_add_region *arg, struct nb_msg *msg)
{
	struct nb_region account = {};
	struct nb_region *region;
	int err;

	err = nb_region_check(arg, msg);
	if (err)
		return ERR_PTR(err);
	err = nb_region_account(&account, arg->len >> PAGE_SHIFT, msg);
	if (err)
		return ERR_PTR(err);
	if (arg->flags & NB_REGION_FD)
		region = nb_region_pin_fd(arg, msg);
	else
		region = nb_region_pin_addr(arg, untagged_addr(arg->addr), msg);
	if (IS_ERR(region)) {
		nb_region_unaccount(&account);
		return region;
	}
	region->user = account.user;
	region->n_pages = account.n_pages;
	return region;
}

void nb_region_destroy(struct nb_region *region)
{
	if (!region)
		return;
	nb_region_unpin(region);
	nb_region_unaccount(region);
	nb_dirty_log_put(region->log);
	kvfree(region);
}
