/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often objects that a dump tells of came or went, or their dirty logs, by network
 * namespace: whoever dumps them finds out whether that happened meanwhile.
 */
#ifndef _NB_CHANGES_H
#define _NB_CHANGES_H

#include <linux/types.h>

/**
 * enum nb_changes_of - what has changed
 * @NB_CHANGES_ENDPOINTS: endpoints came or went
 * @NB_CHANGES_QUEUES: queues came or went
 * @NB_CHANGES_SWITCHES: switches or ports of switches came or went
 * @NB_CHANGES_MEMORIES: memories came or went, or logs of their writes
 * @NB_CHANGES_REGIONS: regions of memories came or went, or logs of their writes
 * @NB_CHANGES_N: how many there are of these
 */
enum nb_changes_of {
	NB_CHANGES_ENDPOINTS,
	NB_CHANGES_QUEUES,
	NB_CHANGES_SWITCHES,
	NB_CHANGES_MEMORIES,
	NB_CHANGES_REGIONS,
	NB_CHANGES_N,
};

/**
 * nb_changed() - an object came or went, or its dirty log
 * @of: what it is
 * @net_cookie: of the network namespace that saw it
 *
 * After the change, under the lock that whoever looks for such objects takes, so that nobody
 * finds the change without this.  Any context.
 */
void nb_changed(enum nb_changes_of of, u64 net_cookie);

/* Objects have moved to another namespace: after that.  Any context. */
void nb_changed_namespace(void);

/**
 * nb_changes() - a number that such a change changes
 * @of: what
 * @net_cookie: of the network namespace
 *
 * Namespaces can share it, so that one sees changes of the other.  Any context, under the
 * lock of the objects for those that have just been found.
 */
u32 nb_changes(enum nb_changes_of of, u64 net_cookie);

#endif /* _NB_CHANGES_H */
