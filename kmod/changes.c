// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of what came and went.  No locks; any context.
 */
#include <linux/atomic.h>
#include <linux/hash.h>

#include "changes.h"

/* 1 << so many counters, which namespaces share. */
#define NB_CHANGES_BITS		6

static atomic_t nb_change_counters[NB_CHANGES_N][1 << NB_CHANGES_BITS];
static atomic_t nb_namespace_changes;

static atomic_t *nb_change_counter(enum nb_changes_of of, u64 net_cookie)
{
	return &nb_change_counters[of][hash_64(net_cookie, NB_CHANGES_BITS)];
}

void nb_changed(enum nb_changes_of of, u64 net_cookie)
{
	atomic_inc(nb_change_counter(of, net_cookie));
}

void nb_changed_namespace(void)
{
	atomic_inc(&nb_namespace_changes);
}

u32 nb_changes(enum nb_changes_of of, u64 net_cookie)
{
	return (u32)atomic_read(nb_change_counter(of, net_cookie)) +
	       (u32)atomic_read(&nb_namespace_changes);
}
