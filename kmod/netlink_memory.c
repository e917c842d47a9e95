// SPDX-License-Identifier: GPL-2.0
/*
 * What operators are told of memories and their regions: where guests have memory and what
 * of it is locked, but no address of the frontend's or of the kernel's.
 *
 * A memory is seen in the network namespace that its maker was in.  A dump holds none, or it
 * would keep pages pinned: nb_mems_lock() keeps those that it looks at while it fills one
 * message buffer, and &nb_mem.lock their regions.  Process context.
 */
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "changes.h"
#include "compat.h"
#include "dirty.h"
#include "mem.h"
#include "netlink.h"

/**
 * struct nb_nl_mems - where a dump is
 * @id: of the memory, or the least one wanted
 * @gpa: the least address of a region wanted there
 */
struct nb_nl_mems {
	u32 id;
	u64 gpa;
};

static struct nb_nl_mems *nb_nl_mems_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct nb_nl_mems) > sizeof(cb->ctx));
	return (struct nb_nl_mems *)cb->ctx;
}

/* Tells of one memory what there is to tell, from where the dump was; or -EMSGSIZE. */
typedef int (*nb_nl_mem_fn)(struct sk_buff *skb, struct netlink_callback *cb,
			    struct nb_mem *mem, const struct nb_mem_map *map);

/* ---- a dump -------------------------------------------------------------- */

/* Begin at the memory that is asked for in attribute @attr, if one is. */
static int nb_nl_check_mem(struct netlink_callback *cb, int attr)
{
	const struct nlattr *only = nb_genl_dump_attrs(cb)[attr];
	struct nb_nl_mems *at = nb_nl_mems_of(cb);
	struct nb_mem *mem;

	if (!only || at->id)
		return 0;
	at->id = nla_get_u32(only);
	mem = nb_mems_next(sock_net(cb->skb->sk)->net_cookie, at->id);
	if (mem && mem->id == at->id)
		return 0;
	NL_SET_ERR_MSG_ATTR(cb->extack, only,
			    "there is no memory with this id in the network namespace");
	return -ENOENT;
}

/* The same for the start of a dump. */
static int nb_nl_find_mem(struct netlink_callback *cb, int attr)
{
	int err;

	nb_mems_lock();
	err = nb_nl_check_mem(cb, attr);
	nb_mems_unlock();
	return err;
}

static int nb_nl_walk_mems(struct sk_buff *skb, struct netlink_callback *cb,
			   const struct nlattr *only, nb_nl_mem_fn tell)
{
	u64 net_cookie = sock_net(skb->sk)->net_cookie;
	struct nb_nl_mems *at = nb_nl_mems_of(cb);
	struct nb_mem *mem;
	int err = 0;

	while (!err && (mem = nb_mems_next(net_cookie, at->id))) {
		if (only && mem->id != nla_get_u32(only))
			break;
		if (mem->id != at->id)
			at->gpa = 0;
		at->id = mem->id;
		mutex_lock(&mem->lock);
		err = tell(skb, cb, mem, nb_mem_map_locked(mem));
		mutex_unlock(&mem->lock);
		if (!err) {
			at->id++;
			at->gpa = 0;
		}
	}
	return skb->len;
}

static int nb_nl_dump_mems(struct sk_buff *skb, struct netlink_callback *cb, int attr,
			   enum nb_changes_of of, nb_nl_mem_fn tell)
{
	u64 net_cookie = sock_net(skb->sk)->net_cookie;
	int ret;

	nb_mems_lock();
	nb_nl_dump_changes(cb, nb_changes(of, net_cookie));
	ret = nb_nl_check_mem(cb, attr) ?:
	      nb_nl_walk_mems(skb, cb, nb_genl_dump_attrs(cb)[attr], tell);
	nb_nl_dump_changes(cb, nb_changes(of, net_cookie));
	nb_mems_unlock();
	return ret;
}

/* ---- memories ------------------------------------------------------------ */

/* Bytes of it that count against somebody's RLIMIT_MEMLOCK. */
static u64 nb_nl_locked(const struct nb_region *region)
{
	return region->user ? (u64)region->n_pages << PAGE_SHIFT : 0;
}

int nb_nl_put_mem(struct sk_buff *skb, struct nb_mem *mem, u32 pid)
{
	const struct nb_mem_map *map = nb_mem_map_locked(mem);
	u64 size = 0, locked = 0;
	unsigned int i;

	for (i = 0; i < map->n; i++) {
		size += map->region[i]->len;
		locked += nb_nl_locked(map->region[i]);
	}
	if (nla_put_u32(skb, NB_A_MEMORY_ID, mem->id) ||
	    nla_put_u32(skb, NB_A_MEMORY_PID, pid) ||
	    nla_put_u32(skb, NB_A_MEMORY_REGIONS, map->n) ||
	    nla_put_u64_64bit(skb, NB_A_MEMORY_SIZE, size, NB_A_MEMORY_PAD) ||
	    nla_put_u64_64bit(skb, NB_A_MEMORY_LOCKED, locked, NB_A_MEMORY_PAD) ||
	    (map->logged && nla_put_flag(skb, NB_A_MEMORY_DIRTY_LOG)))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_tell_mem(struct sk_buff *skb, struct netlink_callback *cb,
			  struct nb_mem *mem, const struct nb_mem_map *map)
{
	u32 pid = pid_nr_ns(mem->creator, task_active_pid_ns(current));
	void *head = nb_nl_dump_begin(skb, cb, NB_CMD_MEMORY_GET);

	return head ? nb_nl_dump_end(skb, cb, head, nb_nl_put_mem(skb, mem, pid)) : -EMSGSIZE;
}

static int nb_nl_find_memory(struct netlink_callback *cb)
{
	return nb_nl_find_mem(cb, NB_A_MEMORY_ID);
}

int nb_nl_start_memories(struct netlink_callback *cb)
{
	return nb_genl_start(cb, nb_nl_find_memory);
}

int nb_nl_dump_memories(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nb_nl_dump_mems(skb, cb, NB_A_MEMORY_ID, NB_CHANGES_MEMORIES, nb_nl_tell_mem);
}

/* ---- regions ------------------------------------------------------------- */

int nb_nl_put_region(struct sk_buff *skb, u32 mem_id, const struct nb_region *region)
{
	u64 log = region->log ? nb_dirty_log_size(region->log) : 0;

	if (nla_put_u32(skb, NB_A_REGION_MEMORY_ID, mem_id) ||
	    nla_put_u64_64bit(skb, NB_A_REGION_GPA, region->gpa, NB_A_REGION_PAD) ||
	    nla_put_u64_64bit(skb, NB_A_REGION_LEN, region->len, NB_A_REGION_PAD) ||
	    (region->read_only && nla_put_flag(skb, NB_A_REGION_READ_ONLY)) ||
	    nla_put_u64_64bit(skb, NB_A_REGION_UNIT, 1ULL << region->shift,
			      NB_A_REGION_PAD) ||
	    nla_put_u64_64bit(skb, NB_A_REGION_LOCKED, nb_nl_locked(region),
			      NB_A_REGION_PAD) ||
	    (log && nla_put_u64_64bit(skb, NB_A_REGION_DIRTY_LOG, log, NB_A_REGION_PAD)))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_tell_region(struct sk_buff *skb, struct netlink_callback *cb, u32 mem_id,
			     const struct nb_region *region)
{
	void *head = nb_nl_dump_begin(skb, cb, NB_CMD_REGION_GET);

	return head ? nb_nl_dump_end(skb, cb, head, nb_nl_put_region(skb, mem_id, region)) :
		      -EMSGSIZE;
}

static int nb_nl_tell_regions(struct sk_buff *skb, struct netlink_callback *cb,
			      struct nb_mem *mem, const struct nb_mem_map *map)
{
	struct nb_nl_mems *at = nb_nl_mems_of(cb);
	unsigned int i;
	int err;

	nb_nl_dump_changes(cb, nb_changes(NB_CHANGES_REGIONS, mem->net_cookie));
	for (i = 0; i < map->n; i++) {
		if (map->region[i]->gpa < at->gpa)
			continue;
		err = nb_nl_tell_region(skb, cb, mem->id, map->region[i]);
		if (err)
			return err;
		at->gpa = map->region[i]->gpa + 1;
	}
	return 0;
}

static int nb_nl_find_regions(struct netlink_callback *cb)
{
	return nb_nl_find_mem(cb, NB_A_REGION_MEMORY_ID);
}

int nb_nl_start_regions(struct netlink_callback *cb)
{
	return nb_genl_start(cb, nb_nl_find_regions);
}

int nb_nl_dump_regions(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nb_nl_dump_mems(skb, cb, NB_A_REGION_MEMORY_ID, NB_CHANGES_REGIONS,
			       nb_nl_tell_regions);
}
