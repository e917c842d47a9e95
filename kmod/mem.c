// SPDX-License-Identifier: GPL-2.0
/*
 * The memory fd, the map of a guest's memory, and whether writes to it are logged.
 *
 * A change makes a new map and replaces the old one under RCU; whoever looks
 * something up does so in an RCU read section.  &nb_mem.lock serialises changes; it
 * is the innermost lock, and mmap() takes it under mmap_lock: no user memory is touched
 * under it.  Outside it, nb_mems_mutex protects the table of all memories, in which operators
 * find them, and &nb_mem.log_mutex lets the log be started or stopped by one at a time.  Only
 * under that one is a grace period waited for: who looks at all memories takes the others.
 * Process context but for nb_mem_search().
 */
#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>

#include "changes.h"
#include "dirty.h"
#include "event.h"
#include "ioctl.h"
#include "mem.h"
#include "trace.h"

static const struct file_operations nb_mem_fops;
static atomic64_t nb_mem_generation = ATOMIC64_INIT(0);
static DEFINE_MUTEX(nb_mems_mutex);
static DEFINE_XARRAY_ALLOC1(nb_mems);

const struct nb_region nb_no_region;
EXPORT_SYMBOL_GPL(nb_no_region);

const struct nb_region *nb_mem_search(struct nb_mem_cache *cache, u64 gpa, u32 len)
{
	const struct nb_mem_map *map = cache->map;
	unsigned int low = 0, high = map->n;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct nb_region *region = map->region[mid];

		if (gpa < region->gpa) {
			high = mid;
		} else if (gpa - region->gpa >= region->len) {
			low = mid + 1;
		} else if (nb_region_covers(region, gpa, len)) {
			cache->region = region;
			return region;
		} else {
			return NULL;
		}
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(nb_mem_search);

static struct nb_mem_map *nb_mem_map_alloc(unsigned int n)
{
	struct nb_mem_map *map;

	map = kvmalloc(struct_size(map, region, n), GFP_KERNEL_ACCOUNT);
	if (!map)
		return NULL;
	map->generation = atomic64_inc_return(&nb_mem_generation);
	map->logged = false;
	map->n = n;
	return map;
}

/* Where in the map a region with this range is or would be. */
static unsigned int nb_mem_map_index(const struct nb_mem_map *map, u64 gpa)
{
	unsigned int low = 0, high = map->n;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (map->region[mid]->gpa < gpa)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool nb_mem_map_overlaps(const struct nb_mem_map *map, unsigned int i,
				const struct nb_region *new)
{
	if (i > 0 && new->gpa - map->region[i - 1]->gpa < map->region[i - 1]->len)
		return true;
	return i < map->n && map->region[i]->gpa - new->gpa < new->len;
}

/* Users of the old map may go on until the end of the RCU grace period. */
static void nb_mem_map_replace(struct nb_mem *mem, struct nb_mem_map *old,
			       struct nb_mem_map *new)
{
	rcu_assign_pointer(mem->map, new);
	kvfree_rcu(old, rcu);
}

/* Give a region that no logged map has a log; what is only read needs none. */
static int nb_mem_give_log(struct nb_mem *mem, struct nb_region *region)
{
	lockdep_assert_held(&mem->lock);
	if (region->read_only)
		return 0;
	region->log = nb_dirty_log_create(region->len, mem->log_pgoff);
	if (!region->log)
		return -ENOMEM;
	mem->log_pgoff += region->log->n_pages;
	return 0;
}

static int nb_mem_insert(struct nb_mem *mem, struct nb_region *region, struct nb_msg *msg)
{
	struct nb_mem_map *old, *new;
	unsigned int i;

	lockdep_assert_held(&mem->lock);
	old = nb_mem_map_locked(mem);
	i = nb_mem_map_index(old, region->gpa);
	if (nb_mem_map_overlaps(old, i, region)) {
		nb_msg(msg, "the range overlaps a region that is already there");
		return -EEXIST;
	}
	if (old->n >= NB_MAX_REGIONS) {
		nb_msg(msg, "a memory has at most %u regions", NB_MAX_REGIONS);
		return -ENOSPC;
	}
	if (old->logged && nb_mem_give_log(mem, region))
		return -ENOMEM;
	new = nb_mem_map_alloc(old->n + 1);
	if (!new)
		return -ENOMEM;
	new->logged = old->logged;
	memcpy(new->region, old->region, i * sizeof(old->region[0]));
	new->region[i] = region;
	memcpy(new->region + i + 1, old->region + i, (old->n - i) * sizeof(old->region[0]));
	nb_mem_map_replace(mem, old, new);
	return 0;
}

static int nb_mem_add(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_mem *mem = file->private_data;
	struct nb_region *region;
	int err;

	region = nb_region_create(arg, msg);
	if (IS_ERR(region))
		return PTR_ERR(region);
	mutex_lock(&mem->lock);
	err = nb_mem_insert(mem, region, msg);
	if (!err) {
		nb_changed(NB_CHANGES_REGIONS, mem->net_cookie);
		trace_nb_region_added(mem, region);
		nb_event_region(mem, region, NB_REGION_EVENT_ADDED);
	}
	mutex_unlock(&mem->lock);
	if (err)
		nb_region_destroy(region);
	return err;
}

static struct nb_region *nb_mem_take(struct nb_mem *mem,
				     const struct nb_remove_region *arg,
				     struct nb_msg *msg)
{
	struct nb_mem_map *old, *new;
	struct nb_region *region;
	unsigned int i;

	lockdep_assert_held(&mem->lock);
	old = nb_mem_map_locked(mem);
	i = nb_mem_map_index(old, arg->gpa);
	if (i == old->n || old->region[i]->gpa != arg->gpa || old->region[i]->len != arg->len) {
		nb_msg(msg, "no region begins at 0x%llx and has 0x%llx bytes", arg->gpa,
		       arg->len);
		return ERR_PTR(-ENOENT);
	}
	new = nb_mem_map_alloc(old->n - 1);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->logged = old->logged;
	region = old->region[i];
	memcpy(new->region, old->region, i * sizeof(old->region[0]));
	memcpy(new->region + i, old->region + i + 1, (new->n - i) * sizeof(old->region[0]));
	nb_mem_map_replace(mem, old, new);
	return region;
}

static int nb_mem_remove(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_mem *mem = file->private_data;
	struct nb_region *region;

	mutex_lock(&mem->lock);
	region = nb_mem_take(mem, arg, msg);
	if (!IS_ERR(region)) {
		nb_changed(NB_CHANGES_REGIONS, mem->net_cookie);
		nb_event_region(mem, region, NB_REGION_EVENT_REMOVED);
	}
	mutex_unlock(&mem->lock);
	if (IS_ERR(region))
		return PTR_ERR(region);
	trace_nb_region_removed(mem, region);
	/* Whoever found it is done with it after this. */
	synchronize_rcu();
	nb_region_destroy(region);
	return 0;
}

/* ---- the dirty log ------------------------------------------------------- */

/* No user of a map that is logged is left. */
static void nb_mem_drop_logs(const struct nb_mem_map *map)
{
	unsigned int i;

	for (i = 0; i < map->n; i++) {
		nb_dirty_log_put(map->region[i]->log);
		map->region[i]->log = NULL;
	}
}

/* Replace the map by one with the same regions; users of the old one may go on for a while. */
static int nb_mem_set_logged(struct nb_mem *mem, bool logged)
{
	struct nb_mem_map *old = nb_mem_map_locked(mem);
	struct nb_mem_map *new = nb_mem_map_alloc(old->n);

	if (!new)
		return -ENOMEM;
	new->logged = logged;
	memcpy(new->region, old->region, old->n * sizeof(old->region[0]));
	nb_mem_map_replace(mem, old, new);
	/* What is told of the memory, and of its regions, is another. */
	nb_changed(NB_CHANGES_MEMORIES, mem->net_cookie);
	nb_changed(NB_CHANGES_REGIONS, mem->net_cookie);
	nb_event_memory(mem, logged ? NB_MEMORY_EVENT_LOG_STARTED : NB_MEMORY_EVENT_LOG_STOPPED);
	return 0;
}

static int nb_mem_start_log_locked(struct nb_mem *mem, struct nb_msg *msg)
{
	struct nb_mem_map *map = nb_mem_map_locked(mem);
	unsigned int i;
	int err = 0;

	if (map->logged) {
		nb_msg(msg, "the dirty log is already on");
		return -EBADFD;
	}
	for (i = 0; i < map->n && !err; i++)
		err = nb_mem_give_log(mem, map->region[i]);
	if (!err)
		err = nb_mem_set_logged(mem, true);
	if (err)
		nb_mem_drop_logs(map);
	return err;
}

static int nb_mem_start_log(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_mem *mem = file->private_data;
	int err;

	mutex_lock(&mem->log_mutex);
	mutex_lock(&mem->lock);
	err = nb_mem_start_log_locked(mem, msg);
	mutex_unlock(&mem->lock);
	/* Until then something may be written that is not noted. */
	if (!err)
		synchronize_rcu();
	mutex_unlock(&mem->log_mutex);
	return err;
}

/* The map, if its writes are logged, or an ERR_PTR. */
static struct nb_mem_map *nb_mem_map_logged(struct nb_mem *mem, struct nb_msg *msg)
{
	struct nb_mem_map *map = nb_mem_map_locked(mem);

	if (map->logged)
		return map;
	nb_msg(msg, "the dirty log is off");
	return ERR_PTR(-EBADFD);
}

static int nb_mem_stop_log_locked(struct nb_mem *mem, struct nb_msg *msg)
{
	struct nb_mem_map *map = nb_mem_map_logged(mem, msg);

	return IS_ERR(map) ? PTR_ERR(map) : nb_mem_set_logged(mem, false);
}

static int nb_mem_stop_log(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_mem *mem = file->private_data;
	int err;

	mutex_lock(&mem->log_mutex);
	mutex_lock(&mem->lock);
	err = nb_mem_stop_log_locked(mem, msg);
	mutex_unlock(&mem->lock);
	if (!err) {
		synchronize_rcu();
		mutex_lock(&mem->lock);
		nb_mem_drop_logs(nb_mem_map_locked(mem));
		nb_changed(NB_CHANGES_REGIONS, mem->net_cookie);
		mutex_unlock(&mem->lock);
	}
	mutex_unlock(&mem->log_mutex);
	return err;
}

static int nb_mem_get_log_locked(struct nb_mem *mem, struct nb_get_dirty_log *arg,
				 struct nb_msg *msg)
{
	struct nb_mem_map *map = nb_mem_map_logged(mem, msg);
	const struct nb_region *region;
	unsigned int i;

	if (IS_ERR(map))
		return PTR_ERR(map);
	i = nb_mem_map_index(map, arg->gpa);
	if (i > 0 && arg->gpa - map->region[i - 1]->gpa < map->region[i - 1]->len)
		i--;
	if (i == map->n) {
		nb_msg(msg, "no region ends above 0x%llx", arg->gpa);
		return -ENOENT;
	}
	region = map->region[i];
	arg->gpa = region->gpa;
	arg->len = region->len;
	arg->offset = region->log ? (u64)region->log->pgoff << PAGE_SHIFT : 0;
	arg->bitmap_size = region->log ? nb_dirty_log_size(region->log) : 0;
	return 0;
}

static int nb_mem_get_log(struct file *file, void *arg, struct nb_msg *msg)
{
	struct nb_mem *mem = file->private_data;
	int err;

	mutex_lock(&mem->lock);
	err = nb_mem_get_log_locked(mem, arg, msg);
	mutex_unlock(&mem->lock);
	return err;
}

static int nb_mem_mmap_locked(struct nb_mem *mem, struct vm_area_struct *vma)
{
	const struct nb_mem_map *map = nb_mem_map_locked(mem);
	unsigned int i;

	for (i = 0; i < map->n; i++) {
		struct nb_dirty_log *log = map->region[i]->log;

		if (log && nb_dirty_log_holds(log, vma->vm_pgoff, vma_pages(vma)))
			return nb_dirty_log_mmap(log, vma);
	}
	return -EINVAL;
}

static int nb_mem_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct nb_mem *mem = file->private_data;
	int err;

	mutex_lock(&mem->lock);
	err = nb_mem_mmap_locked(mem, vma);
	mutex_unlock(&mem->lock);
	return err;
}

/* ---- the table ----------------------------------------------------------- */

void nb_mems_lock(void)
{
	mutex_lock(&nb_mems_mutex);
}

void nb_mems_unlock(void)
{
	mutex_unlock(&nb_mems_mutex);
}

struct nb_mem *nb_mems_next(u64 net_cookie, u32 id)
{
	unsigned long index = id;
	struct nb_mem *mem;

	lockdep_assert_held(&nb_mems_mutex);
	mem = xa_find(&nb_mems, &index, U32_MAX, XA_PRESENT);
	while (mem && mem->net_cookie != net_cookie)
		mem = xa_find_after(&nb_mems, &index, U32_MAX, XA_PRESENT);
	return mem;
}

static int nb_mems_add(struct nb_mem *mem)
{
	int err;

	mutex_lock(&nb_mems_mutex);
	err = xa_alloc(&nb_mems, &mem->id, mem, xa_limit_31b, GFP_KERNEL_ACCOUNT);
	nb_changed(NB_CHANGES_MEMORIES, mem->net_cookie);
	if (!err) {
		mutex_lock(&mem->lock);
		nb_event_memory(mem, NB_MEMORY_EVENT_CREATED);
		mutex_unlock(&mem->lock);
	}
	mutex_unlock(&nb_mems_mutex);
	return err;
}

/* It goes with its regions. */
static void nb_mem_tell_gone(struct nb_mem *mem)
{
	const struct nb_mem_map *map;
	unsigned int i;

	mutex_lock(&mem->lock);
	map = nb_mem_map_locked(mem);
	for (i = 0; i < map->n; i++)
		nb_event_region(mem, map->region[i], NB_REGION_EVENT_REMOVED);
	nb_event_memory(mem, NB_MEMORY_EVENT_DELETED);
	mutex_unlock(&mem->lock);
}

/* Nobody finds it after this. */
static void nb_mems_remove(struct nb_mem *mem)
{
	mutex_lock(&nb_mems_mutex);
	nb_mem_tell_gone(mem);
	xa_erase(&nb_mems, mem->id);
	nb_changed(NB_CHANGES_MEMORIES, mem->net_cookie);
	nb_changed(NB_CHANGES_REGIONS, mem->net_cookie);
	mutex_unlock(&nb_mems_mutex);
}

/* ---- fd ------------------------------------------------------------------ */

static struct nb_mem *nb_mem_create(void)
{
	struct nb_mem_map *map = nb_mem_map_alloc(0);
	struct nb_mem *mem = kzalloc(sizeof(*mem), GFP_KERNEL_ACCOUNT);

	if (!map || !mem) {
		kvfree(map);
		kfree(mem);
		return NULL;
	}
	kref_init(&mem->ref);
	mutex_init(&mem->lock);
	mutex_init(&mem->log_mutex);
	RCU_INIT_POINTER(mem->map, map);
	mem->net_cookie = current->nsproxy->net_ns->net_cookie;
	mem->creator = get_task_pid(current, PIDTYPE_TGID);
	if (!nb_mems_add(mem))
		return mem;
	put_pid(mem->creator);
	mutex_destroy(&mem->log_mutex);
	mutex_destroy(&mem->lock);
	kvfree(map);
	kfree(mem);
	return NULL;
}

static void nb_mem_free(struct kref *ref)
{
	struct nb_mem *mem = container_of(ref, struct nb_mem, ref);
	struct nb_mem_map *map = rcu_dereference_protected(mem->map, true);
	unsigned int i;

	trace_nb_memory_gone(mem);
	nb_mems_remove(mem);
	for (i = 0; i < map->n; i++)
		nb_region_destroy(map->region[i]);
	kvfree(map);
	put_pid(mem->creator);
	mutex_destroy(&mem->log_mutex);
	mutex_destroy(&mem->lock);
	kfree(mem);
}

void nb_mem_put(struct nb_mem *mem)
{
	kref_put(&mem->ref, nb_mem_free);
}

struct nb_mem *nb_mem_get_fd(int fd, struct nb_msg *msg)
{
	struct file *file = fget(fd);
	struct nb_mem *mem;

	if (!file || file->f_op != &nb_mem_fops) {
		nb_msg(msg, "fd %d is not a memory of net_backend", fd);
		mem = ERR_PTR(-EBADF);
	} else {
		mem = file->private_data;
		kref_get(&mem->ref);
	}
	if (file)
		fput(file);
	return mem;
}

static int nb_mem_release(struct inode *inode, struct file *file)
{
	nb_mem_put(file->private_data);
	return 0;
}

static const struct nb_ioctl nb_mem_ioctls[] = {
	NB_IOCTL(NB_MEMORY_ADD_REGION, struct nb_add_region,
		 NB_REGION_READ_ONLY | NB_REGION_FD, nb_mem_add),
	NB_IOCTL(NB_MEMORY_REMOVE_REGION, struct nb_remove_region, 0, nb_mem_remove),
	NB_IOCTL(NB_MEMORY_START_DIRTY_LOG, struct nb_start_dirty_log, 0, nb_mem_start_log),
	NB_IOCTL(NB_MEMORY_STOP_DIRTY_LOG, struct nb_stop_dirty_log, 0, nb_mem_stop_log),
	NB_IOCTL_OUT(NB_MEMORY_GET_DIRTY_LOG, struct nb_get_dirty_log, nb_mem_get_log),
};

static long nb_mem_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return nb_ioctl(file, nb_mem_ioctls, ARRAY_SIZE(nb_mem_ioctls), cmd, arg);
}

static const struct file_operations nb_mem_fops = {
	.owner = THIS_MODULE,
	.release = nb_mem_release,
	.unlocked_ioctl = nb_mem_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = nb_mem_mmap,
	.llseek = noop_llseek,
};

int nb_mem_create_fd(struct nb_msg *msg)
{
	struct nb_mem *mem = nb_mem_create();
	int fd;

	if (!mem)
		return -ENOMEM;
	trace_nb_memory_made(mem);
	fd = anon_inode_getfd("[nb_memory]", &nb_mem_fops, mem, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	nb_msg(msg, "no file descriptor for the memory");
	nb_mem_put(mem);
	return fd;
}
