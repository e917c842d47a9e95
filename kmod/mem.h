/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory of one guest, as all of its queues see it: find the region of a
 * guest-physical address, in any context, without a lock.
 */
#ifndef _NB_MEM_H
#define _NB_MEM_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "region.h"

struct nb_msg;
struct pid;

/**
 * struct nb_mem_map - the regions at one moment; constant
 * @rcu: frees it
 * @generation: number of this map, never that of another map of any memory
 * @logged: what is written is noted in &nb_region.log
 * @n: entries of @region
 * @region: by guest-physical address, without overlaps
 */
struct nb_mem_map {
	struct rcu_head rcu;
	u64 generation;
	bool logged;
	unsigned int n;
	struct nb_region *region[];
};

/**
 * struct nb_mem - guest memory, as a memory fd and the queues hold it
 * @ref: held by the fd and by each queue
 * @id: number, in nb_mems
 * @net_cookie: of the network namespace that its maker was in: operators see it there
 * @creator: thread group that made it
 * @lock: held to change @map, and while that is told; nothing else is taken inside
 * @log_mutex: held to start or stop the dirty log, over the grace period after that; @lock is
 *	taken inside
 * @map: the regions now, never NULL
 * @log_pgoff: where the next dirty log will begin in mmap(), in pages; no two logs
 *	ever have the same; under @lock
 */
struct nb_mem {
	struct kref ref;
	u32 id;
	u64 net_cookie;
	struct pid *creator;
	struct mutex lock; /* changes of map */
	struct mutex log_mutex; /* start and stop of the dirty log */
	struct nb_mem_map __rcu *map;
	unsigned long log_pgoff;
};

/**
 * struct nb_mem_cache - what one user of a memory remembers from look-up to look-up
 * @map: the map of the current RCU section
 * @region: the region found last, or &nb_no_region; valid if @generation is that of @map
 * @generation: that of the map in which @region was found
 * @logged: &nb_mem_map.logged of that map
 *
 * Belongs to one side of one queue, and is protected as that side is.
 */
struct nb_mem_cache {
	const struct nb_mem_map *map;
	const struct nb_region *region;
	u64 generation;
	bool logged;
};

/**
 * nb_mem_create_fd() - NB_CREATE_MEMORY
 * @msg: says why not
 *
 * Process context.
 *
 * Return: a new memory fd, or an errno.
 */
int nb_mem_create_fd(struct nb_msg *msg);

/**
 * nb_mem_get_fd() - the memory behind a memory fd
 * @fd: as user space gave it
 * @msg: says why not
 *
 * Process context.
 *
 * Return: the memory with a reference for the caller, or ERR_PTR(-EBADF).
 */
struct nb_mem *nb_mem_get_fd(int fd, struct nb_msg *msg);

/**
 * nb_mem_put() - drop a reference
 * @mem: the memory
 *
 * Process context: the last one unpins all pages.
 */
void nb_mem_put(struct nb_mem *mem);

/*
 * For who looks at memories without holding them: meanwhile none is unmade.  Takes nothing
 * but &nb_mem.lock inside.  Process context.
 */
void nb_mems_lock(void);
void nb_mems_unlock(void);

/* The one with the least id of at least @id that the namespace sees, or NULL.  Under it. */
struct nb_mem *nb_mems_next(u64 net_cookie, u32 id);

/* The regions, under &nb_mem.lock. */
static inline struct nb_mem_map *nb_mem_map_locked(struct nb_mem *mem)
{
	return rcu_dereference_protected(mem->map, lockdep_is_held(&mem->lock));
}

/* Covers nothing. */
extern const struct nb_region nb_no_region;

/* Slow path of nb_mem_find(): a binary search. */
const struct nb_region *nb_mem_search(struct nb_mem_cache *cache, u64 gpa, u32 len);

/**
 * nb_mem_begin() - begin to look things up
 * @mem: the memory
 * @cache: the user's cache
 *
 * In an RCU read section, which must last until the addresses that are found are no
 * longer used: removing a region waits for it.
 *
 * Return: true if the map is another one than at the last call, so that nothing that
 * was found before counts any more.
 */
static inline bool nb_mem_begin(struct nb_mem *mem, struct nb_mem_cache *cache)
{
	const struct nb_mem_map *map = rcu_dereference(mem->map);

	cache->map = map;
	if (likely(cache->generation == map->generation))
		return false;
	cache->region = &nb_no_region;
	cache->generation = map->generation;
	cache->logged = map->logged;
	return true;
}

/**
 * nb_mem_find() - find the region in which a range lies
 * @cache: the user's cache, after nb_mem_begin()
 * @gpa: first guest-physical address
 * @len: bytes, not 0
 *
 * Return: the region, or NULL if no region covers all of the range.
 */
static inline const struct nb_region *nb_mem_find(struct nb_mem_cache *cache, u64 gpa,
						  u32 len)
{
	const struct nb_region *region = cache->region;

	if (likely(nb_region_covers(region, gpa, len)))
		return region;
	return nb_mem_search(cache, gpa, len);
}

#endif /* _NB_MEM_H */
