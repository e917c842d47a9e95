/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind attach: what its files share.
 *
 *	attach.c		the backend, its network interface, and what happens to that
 *	attach_filter.c		which frames the interface receives for the guest
 *	attach_rx.c		interface → guest
 *	attach_tx.c		guest → interface
 *	attach_wait.c		how much of that is on its way
 */
#ifndef _NB_ATTACH_H
#define _NB_ATTACH_H

#include <linux/container_of.h>
#include <linux/interrupt.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include "kind.h"

struct sock;

/**
 * struct nb_attach_slot - what a queue number stands for
 * @queue: where packets go, or NULL
 * @lock: the receive side of @queue
 * @wake: tells the frontend of packets when the interface has brought all it has
 * @sk: has the bytes that @queue has on their way, while there is a queue
 * @waits: packets were left in tx-avail until those are fewer
 * @resume: has them offered again
 */
struct nb_attach_slot {
	struct nb_queue __rcu *queue;
	spinlock_t lock; /* the queue's receive side */
	struct tasklet_struct wake;
	struct sock *sk;
	bool waits;
	struct timer_list resume;
} ____cacheline_aligned_in_smp;

/**
 * struct nb_attach_groups - the groups that the guest listens to; constant
 * @rcu: frees it
 * @all: all of them
 * @n: entries of @group
 * @group: Ethernet addresses as numbers, in order
 */
struct nb_attach_groups {
	struct rcu_head rcu;
	bool all;
	unsigned int n;
	u64 group[];
};

/**
 * struct nb_attach - a backend with the network interface that it has taken over
 * @backend: what endpoint.c knows
 * @dev: the interface, held, or NULL when it is gone; read under RCU
 * @tracker: of that hold
 * @promiscuous: the guest gets all frames
 * @to_vf: the guest gets none: they go on to the host's stack
 * @mac: the guest's Ethernet address as a number
 * @groups: never NULL; read under RCU
 * @rss: as the frontend wants packets spread, or NULL; read under RCU
 * @n_queues: slots that packets are spread over
 * @offloads: &nb_endpoint_info.tx_offloads as the queues were made with
 * @mtu: &nb_endpoint_info.mtu, the same
 * @max_queues: entries of @slots
 * @slots: by number of the queue
 *
 * All but @slots[].lock is written under rtnl_lock.
 */
struct nb_attach {
	struct nb_backend backend;
	struct net_device __rcu *dev;
	netdevice_tracker tracker;
	bool promiscuous;
	bool to_vf;
	u64 mac;
	struct nb_attach_groups __rcu *groups;
	struct nb_rss __rcu *rss;
	unsigned int n_queues;
	u32 offloads;
	u32 mtu;
	unsigned int max_queues;
	struct nb_attach_slot slots[];
};

static inline struct nb_attach *nb_attach_of(struct nb_backend *backend)
{
	return container_of(backend, struct nb_attach, backend);
}

/* attach_filter.c APIs: */

/* A list, for kfree(); or NULL. */
struct nb_attach_groups *nb_attach_groups_create(const struct nb_multicast *list,
						 unsigned int n, bool all);

/* Whether the guest gets a frame for this group, or for all.  Under RCU. */
bool nb_attach_hears(const struct nb_attach *at, const u8 *group);

/* Make the interface receive the guest's frames, and undo that.  Under rtnl_lock. */
int nb_attach_listen(struct nb_attach *at, struct net_device *dev);
void nb_attach_unlisten(struct nb_attach *at, struct net_device *dev);

/**
 * nb_attach_exchange_groups() - use another list
 * @at: the backend
 * @dev: its interface, or NULL if that does not receive for the guest now
 * @groups: the list; taken over if that succeeds
 *
 * Under rtnl_lock.
 *
 * Return: 0, or an errno; then nothing has changed.
 */
int nb_attach_exchange_groups(struct nb_attach *at, struct net_device *dev,
			      struct nb_attach_groups *groups);

/* attach_rx.c APIs: */

/* The interface's rx_handler; its data is the &struct nb_attach. */
rx_handler_result_t nb_attach_handle_frame(struct sk_buff **pskb);

/* ops->quiesce: what comes from now on is dropped, as without a buffer. */
void nb_attach_quiesce(struct nb_queue *queue);

/* For &nb_attach_slot.wake. */
void nb_attach_wake(struct tasklet_struct *tasklet);

/* attach_tx.c APIs: */
extern const struct nb_queue_ops nb_attach_queue_ops;

/* attach_wait.c APIs: */

/* Before a queue begins to use the slot; 0 or -ENOMEM.  Process context. */
int nb_attach_wait_init(struct nb_attach_slot *slot);

/* From now on, in a new RCU read section, nothing resumes the slot's queue but its timer. */
void nb_attach_wait_disable(struct nb_attach_slot *slot);

/* After that, and after an RCU grace period.  May sleep. */
void nb_attach_wait_exit(struct nb_attach_slot *slot);

/**
 * nb_attach_may_send() - has the queue less on its way than it may have
 * @slot: of the queue, under its tx_lock
 *
 * Return: false if not: then the queue is resumed when it has.
 */
bool nb_attach_may_send(struct nb_attach_slot *slot);

/* Has the queue nothing on its way?  Same context. */
bool nb_attach_is_idle(const struct nb_attach_slot *slot);

/* Resume the queue when it has less on its way, and soon in any case.  Same context. */
void nb_attach_wait(struct nb_attach_slot *slot);

#endif /* _NB_ATTACH_H */
