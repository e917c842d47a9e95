/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind switch: what its files share.
 *
 *	switch.c		the kind's operations: a guest's port and its queues
 *	switch_port.c		switches by name, ports, what a port is made of
 *	switch_table.c		which address is behind which port
 *	switch_forward.c	a packet's way: VLAN, learning, destination, flooding
 *	switch_deliver.c	a batch's packets for one queue, into its buffers
 *	switch_flow.c		which of a port's queues a flow goes to
 *	netdev_uplink.c		the port that is a net_device
 */
#ifndef _NB_SWITCH_H
#define _NB_SWITCH_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/container_of.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include <linux/net_backend.h>

#include "kind.h"
#include "packet.h"
#include "trace.h"

struct net_device;
struct nb_rss;
struct sk_buff;

/* Destinations that a batch's packets are sorted by at a time. */
#define NB_SWITCH_GROUPS	32
/* Most queues of a port. */
#define NB_SWITCH_MAX_QUEUES	64
/* Entries of a port's RSS indirection table. */
#define NB_SWITCH_RSS_TABLE	128
/* Bytes of a packet that forwarding looks at: addresses, type and tag. */
#define NB_FRAME_HEAD		16

/**
 * struct nb_address - an entry of the table
 * @node: in &nb_table.buckets, read under RCU
 * @list: in &nb_port.addresses
 * @key: see NB_ADDRESS_KEY()
 * @port: behind which the address is; changed under &nb_table.lock, read under RCU
 * @seen: jiffies when it has sent last
 * @rcu: frees it
 */
struct nb_address {
	struct hlist_node node;
	struct list_head list;
	u64 key;
	struct nb_port __rcu *port;
	unsigned long seen;
	struct rcu_head rcu;
};

/* An Ethernet address, as a number, in a VLAN. */
#define NB_ADDRESS_KEY(address, vid)	((address) << 16 | (vid))
#define NB_ADDRESS_MAC(key)		((key) >> 16)
#define NB_ADDRESS_VID(key)		((u16)(key))

/**
 * struct nb_table - the addresses that a switch has learned
 * @lock: protects changes; taken with bottom halves off, nothing is taken inside
 * @buckets: read under RCU
 * @bits: 1 << @bits buckets
 * @seed: of the hash
 * @size: most entries
 * @n: entries, under @lock
 * @ageing: jiffies after which an entry that has not sent counts as gone
 * @next_sweep: jiffies before which a full table is not searched for old entries again
 * @full: times that an address was not learned, under @lock
 * @changes: how often an entry came, went or moved; written under @lock
 */
struct nb_table {
	spinlock_t lock; /* changes */
	struct hlist_head *buckets;
	unsigned int bits;
	u32 seed;
	u32 size;
	u32 n;
	unsigned long ageing;
	unsigned long next_sweep;
	u64 full;
	u32 changes;
};

/**
 * struct nb_switch - a switch; there is one as long as it has ports
 * @id: number, in nb_switches
 * @net_cookie: of the network namespace in which it was made
 * @name: its name there, or empty for a private one
 * @n_ports: ports, under nb_switches_mutex
 * @last_number: that a port was given, under nb_switches_mutex
 * @next_slot: for the next queue, under nb_switches_mutex
 * @ports: by number; changed under nb_switches_mutex, read under RCU
 * @uplink: the one of @ports that is a net_device, or NULL; under nb_switches_mutex
 * @table: addresses
 */
struct nb_switch {
	u32 id;
	u64 net_cookie;
	char name[NB_NAME_LEN];
	unsigned int n_ports;
	u32 last_number;
	unsigned int next_slot;
	struct list_head ports;
	struct nb_port *uplink;
	struct nb_table table;
};

/* What is flooded, each with a limit of its own. */
enum nb_flood {
	NB_FLOOD_BROADCAST,
	NB_FLOOD_MULTICAST,
	NB_FLOOD_UNKNOWN,
	NB_FLOOD_N,
};

/**
 * struct nb_flood_limit - a bucket of tokens
 * @rate: tokens a second, and most tokens; 0: no limit, NB_SWITCH_FLOOD_NONE: nothing
 * @tokens: packets that may pass now
 * @filled: jiffies when @tokens grew last
 */
struct nb_flood_limit {
	u32 rate;
	u32 tokens;
	unsigned long filled;
};

/**
 * struct nb_port_queue - one queue of a port, as others send to it
 * @rx_lock: protects @queue and the receive side of the queue; taken once a batch, never
 *	two at a time, bottom halves off
 * @queue: the queue, or NULL when it is gone
 * @port: the port
 * @slot: where a sender's batch collects packets for it
 * @rcu: frees it
 * @forward: a batch on its way from this queue, under its tx_lock; NULL for an uplink
 */
struct nb_port_queue {
	spinlock_t rx_lock; /* receive side of the queue */
	struct nb_queue *queue;
	struct nb_port *port;
	unsigned int slot;
	struct rcu_head rcu;
	struct nb_forward *forward;
};

/**
 * struct nb_port_set - the queues of a port
 * @rcu: frees it
 * @n: entries of @pq
 * @rss: how the frontend wants packets spread to these, or NULL: its table names no others;
 *	written under &nb_endpoint.lock
 * @pq: by number of the queue
 */
struct nb_port_set {
	struct rcu_head rcu;
	unsigned int n;
	struct nb_rss __rcu *rss;
	struct nb_port_queue *pq[];
};

/**
 * struct nb_port - a port
 * @backend: what endpoint.c knows
 * @rcu: frees it
 * @sw: its switch
 * @list: in &nb_switch.ports
 * @number: that no other port of the switch has had or will have
 * @flags: of &enum nb_switch_flags
 * @pvid: VLAN of what has no tag
 * @vlan_mode: of &enum nb_switch_vlan_mode
 * @plain: what has no tag is in no VLAN, and may come in
 * @vlans: that pass
 * @set: its queues, or NULL; written under &nb_endpoint.lock
 * @dev: of an uplink, NULL when it is gone; written under rtnl_lock
 * @is_uplink: whether it is one
 * @addresses: learned behind it, under &nb_table.lock
 * @n_addresses: entries of @addresses
 * @max_addresses: most of them
 * @not_learned: times that there was no place for one, under &nb_table.lock
 * @limit_lock: protects @limits; taken once a batch that is flooded
 * @limits: of &enum nb_flood
 * @drops: of &enum nb_drop; added to once a batch in which there are any
 */
struct nb_port {
	struct nb_backend backend;
	struct rcu_head rcu;
	struct nb_switch *sw;
	struct list_head list;
	u32 number;
	u32 flags;
	u16 pvid;
	u16 vlan_mode;
	bool is_uplink;
	bool plain;
	struct nb_port_set __rcu *set;
	struct net_device __rcu *dev;
	struct list_head addresses;
	u32 n_addresses;
	u32 max_addresses;
	u64 not_learned;
	spinlock_t limit_lock; /* limits */
	struct nb_flood_limit limits[NB_FLOOD_N];
	atomic64_t drops[NB_DROP_PORT_N];
	DECLARE_BITMAP(vlans, NB_SWITCH_VLANS);
};

static inline struct nb_port *nb_port_of(struct nb_backend *backend)
{
	return container_of(backend, struct nb_port, backend);
}

/* Where a packet's tag is. */
enum nb_frame_tag {
	NB_TAG_NONE,
	NB_TAG_BESIDE,		/* NB_TX_VLAN, or beside an skb */
	NB_TAG_INSIDE,		/* in the packet's bytes */
};

/**
 * struct nb_frame_vlan - the VLAN of a packet; all 0: none, and no tag
 * @vid: VLAN that it is in
 * @tci: tag that it would have, of that VLAN
 * @tag: of &enum nb_frame_tag
 * @hidden: behind the tag there is another one
 * @was_priority: its tag had VLAN ID 0
 */
struct nb_frame_vlan {
	u16 vid;
	u16 tci;
	u8 tag;
	bool hidden;
	bool was_priority;
} __aligned(8);

/**
 * struct nb_frame - what forwarding knows of a packet
 * @head: its first bytes, copied once: what was looked at is what is delivered
 * @vlan: which VLAN it is in
 * @hash: of the flow, or 0
 * @inner: with NB_TAG_INSIDE: the type behind the tag
 */
struct nb_frame {
	u8 head[NB_FRAME_HEAD];
	struct nb_frame_vlan vlan;
	u32 hash;
	u8 inner[2];
};

/* Whether a packet has no tag, and is in no VLAN. */
static inline bool nb_frame_is_plain(const struct nb_frame *frame)
{
	return !frame->vlan.vid && frame->vlan.tag == NB_TAG_NONE;
}

/**
 * struct nb_group - packets of a batch that go to one queue
 * @pq: the queue, or NULL
 * @first: of them
 * @last: of them
 */
struct nb_group {
	struct nb_port_queue *pq;
	u8 first;
	u8 last;
};

/**
 * struct nb_forward - a batch on its way through the switch
 * @port: that it comes from
 * @queue: that it comes from
 * @packets: the batch
 * @used: bit i: @group[i] has packets
 * @group: by slot of the destination
 * @next: of the same group, by packet
 * @n_flood: entries of @flood
 * @flood_class: of &enum nb_flood
 * @flood_vid: VLAN of all of them
 * @flood: packets that go everywhere, still to be done
 * @source: address that was learned last in this batch
 * @target: address that was looked up last in this batch
 * @to: port of @target, NULL: unknown
 * @to_queue: the queue that all packets to @target go to, NULL: that is to be found out
 * @run: where the packet before went, if one with the same addresses goes there as well,
 *	by no more than that it has no tag; else NULL
 * @drops: of this batch, of the sender
 * @frame: by packet
 */
struct nb_forward {
	struct nb_port *port;
	struct nb_queue *queue;
	struct nb_packet *packets;
	u32 used;
	struct nb_group group[NB_SWITCH_GROUPS];
	u8 next[NB_BATCH];
	unsigned int n_flood;
	enum nb_flood flood_class;
	u16 flood_vid;
	u8 flood[NB_BATCH];
	u64 source;
	u64 target;
	struct nb_port *to;
	struct nb_port_queue *to_queue;
	struct nb_group *run;
	u32 drops[NB_DROP_PORT_N];
	struct nb_frame frame[NB_BATCH];
};

/* switch.c APIs: */

/**
 * nb_port_set_create() - what stands for the queues of a port
 * @port: the port, in its switch
 * @queues: its queues, or NULL for an uplink
 * @n: how many
 *
 * Process context.
 *
 * Return: the set, for nb_port_set_free(); or NULL.
 */
struct nb_port_set *nb_port_set_create(struct nb_port *port, struct nb_queue **queues,
				       unsigned int n);

/* Free a set, or NULL, once nobody who has found it can look at it any more. */
void nb_port_set_free(struct nb_port_set *set);

extern const struct nb_endpoint_ops nb_uplink_ops;

/* netdev_uplink.c: what the backend of an uplink does. */
static inline bool nb_backend_is_port(const struct nb_backend *backend)
{
	return backend->ops == &nb_switch_ops || backend->ops == &nb_uplink_ops;
}

/* switch_port.c APIs: */

/**
 * nb_port_join() - make a port of a zeroed struct, and put it into its switch
 * @port: the port, whose backend is initialised
 * @params: what the backend is made of
 * @want: what the port is to be like; not yet checked
 * @msg: says why not
 *
 * Process context.
 *
 * Return: 0, -EINVAL, -EPERM, -EBADF, -EEXIST, -ENOSPC, -ENOMEM.
 */
int nb_port_join(struct nb_port *port, const struct nb_backend_params *params,
		 const struct nb_switch_params *want, struct nb_msg *msg);

/**
 * nb_port_leave() - take a port, which sends no longer, out of its switch, and free it
 * @port: begins with its allocation
 *
 * Process context.
 */
void nb_port_leave(struct nb_port *port);

/* Where senders' batches collect packets for a new queue. */
unsigned int nb_port_new_slot(struct nb_port *port);

/* In between, no switch and no port comes or goes.  Process context. */
void nb_switches_lock(void);
void nb_switches_unlock(void);

/* Of the switches made in a namespace, the one with the least id from @id on, or NULL. */
struct nb_switch *nb_switches_next(u64 net_cookie, u32 id);

/* switch_table.c APIs: */

/* The table of a new switch, and of one that has no ports. */
int nb_table_create(struct nb_table *table, u32 size, unsigned long ageing);
void nb_table_destroy(struct nb_table *table);

/**
 * nb_table_learn() - an address has sent something
 * @table: the table
 * @key: the address
 * @port: behind which it is
 *
 * In an RCU read section with bottom halves off.  Writes nothing where all is as it was
 * in this tick.  An address that finds no room, in the table or with its port, is not learned.
 */
void nb_table_learn(struct nb_table *table, u64 key, struct nb_port *port);

/* The port behind which an address is, or NULL.  In an RCU read section. */
struct nb_port *nb_table_find(const struct nb_table *table, u64 key);

/* Whether an entry counts as gone. */
static inline bool nb_address_is_old(const struct nb_table *table,
				     const struct nb_address *address)
{
	return time_after(jiffies, READ_ONCE(address->seen) + table->ageing);
}

/* Forget all addresses behind a port, which sends no longer. */
void nb_table_forget(struct nb_table *table, struct nb_port *port);

/* switch_forward.c APIs: */

/**
 * nb_forward_batch() - ops->tx of a port
 * @queue: the queue
 * @packets: the batch
 * @n: its packets
 *
 * Return: @n; nobody is waited for.
 */
unsigned int nb_forward_batch(struct nb_queue *queue, struct nb_packet *packets,
			      unsigned int n);

/* Count packets that do not pass, now, with the port that is to blame. */
void nb_port_drop(struct nb_port *port, enum nb_trace_direction direction, enum nb_drop why,
		  u32 n);

/* The same of a batch on its way, with the sender, when it has come to its end. */
void nb_forward_drop(struct nb_forward *forward, enum nb_drop why, u32 n);

/**
 * nb_forward_skb() - a packet that the host sends
 * @port: the uplink
 * @skb: its skb->data at its Ethernet header; stays the caller's
 *
 * Bottom halves off.
 *
 * Return: NB_DROP_N, or why it went nowhere.
 */
enum nb_drop nb_forward_skb(struct nb_port *port, struct sk_buff *skb);

/* switch_deliver.c APIs: */

/* Deliver the packets of a group, which then is empty. */
void nb_deliver_group(struct nb_forward *forward, struct nb_group *group);

/* Deliver one skb of an uplink; it stays the caller's. */
void nb_deliver_skb(struct nb_port *from, struct nb_port_queue *pq, struct sk_buff *skb,
		    struct nb_frame *frame);

/* netdev_uplink.c APIs: */

/* Give the host's stack what came in for the uplink: @n skbs of @bytes. */
void nb_uplink_receive(struct net_device *dev, struct list_head *skbs, unsigned int n,
		       unsigned int bytes);

/* switch_flow.c APIs: */

/* The queue of a set, of several or with RSS, that a packet goes to; and its hash. */
struct nb_port_queue *nb_flow_choose(const struct nb_port_set *set, struct nb_queue *from,
				     const struct nb_packet *packet, struct nb_frame *frame);

/* The same for an skb; NULL if the port has no queue. */
struct nb_port_queue *nb_flow_select_skb(const struct nb_port *port,
					 const struct sk_buff *skb, struct nb_frame *frame);

/* Whether all packets go to the same queue, without a hash. */
static inline bool nb_flow_is_one(const struct nb_port_set *set)
{
	return set->n == 1 && !rcu_access_pointer(set->rss);
}

/* Whether all packets to a port go to the same queue. */
static inline bool nb_port_has_one_queue(const struct nb_port *port)
{
	const struct nb_port_set *set = rcu_dereference(port->set);

	return set && nb_flow_is_one(set);
}

/* The queue of a port that a packet goes to, or NULL if it has none. */
static inline struct nb_port_queue *nb_flow_select(const struct nb_port *port,
						   struct nb_queue *from,
						   const struct nb_packet *packet,
						   struct nb_frame *frame)
{
	const struct nb_port_set *set = rcu_dereference(port->set);

	if (unlikely(!set))
		return NULL;
	if (likely(nb_flow_is_one(set)))
		return set->pq[0];
	return nb_flow_choose(set, from, packet, frame);
}

/* What leaves by a port: as it came, or changed so. */
struct nb_egress {
	bool strip;		/* the tag inside goes */
	bool tagged;		/* there is a tag beside it: */
	u16 tci;
};

/* Whether, and how, a packet of a VLAN that the port has leaves by it. */
static inline bool nb_port_egress(const struct nb_port *port, const struct nb_frame *frame,
				  struct nb_egress *egress)
{
	const struct nb_frame_vlan *vlan = &frame->vlan;

	*egress = (struct nb_egress){};
	if (nb_frame_is_plain(frame))
		return true;
	egress->tci = vlan->tci;
	if (vlan->vid && vlan->vid == port->pvid) {
		egress->strip = vlan->tag == NB_TAG_INSIDE;
		/* A tag that nobody has looked at must not come to light. */
		return !vlan->hidden;
	}
	if (vlan->tag == NB_TAG_INSIDE && (!vlan->was_priority || !vlan->vid))
		return true;
	egress->strip = vlan->tag == NB_TAG_INSIDE;
	egress->tagged = true;
	return true;
}

#endif /* _NB_SWITCH_H */
