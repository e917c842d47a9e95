/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family: what operators see and do.
 *
 *	netlink.c		the family, and what it tells
 *	netlink_connect.c	what it does to endpoints
 *	netlink_event.c		events
 *	netlink_switch.c	what it tells about switches
 *	netlink_kind.c		what it tells about kinds
 *	netlink_memory.c	what it tells about memories
 */
#ifndef _NB_NETLINK_H
#define _NB_NETLINK_H

#include <linux/types.h>
#include <net/netlink.h>

#include <linux/net_backend_netlink.h>

struct genl_info;
struct nb_endpoint;
struct nb_mem;
struct nb_port;
struct nb_queue;
struct nb_region;
struct nb_switch;
struct net;
struct netlink_callback;
struct sk_buff;

extern struct genl_family nb_genl_family;

/* Multicast groups, in the order of the family's table. */
enum {
	NB_GENL_GROUP_EVENTS,
};

/* Register the family, and unregister it. */
int nb_netlink_init(void);
void nb_netlink_exit(void);

/* netlink.c APIs: */

/* The endpoint with this id if the namespace sees it, with a reference; or NULL. */
struct nb_endpoint *nb_nl_get(u32 id, const struct net *net);

/* Why not. */
#define NB_NL_NO_ENDPOINT "there is no endpoint with this id in the network namespace"

/**
 * nb_nl_dump_changes() - note how often what a dump tells of has changed
 * @cb: the dump
 * @changes: a number that each change changes
 *
 * Before each message, and at the end; if it is another one meanwhile, the dump gets marked
 * as interrupted.  Process context.
 */
void nb_nl_dump_changes(struct netlink_callback *cb, u32 changes);

/*
 * Begin a message of a dump, NULL if there is no place; and end it, marked if something has
 * changed, or take it back for @err, which is returned.
 */
void *nb_nl_dump_begin(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd);
int nb_nl_dump_end(struct sk_buff *skb, struct netlink_callback *cb, void *head, int err);

/**
 * nb_nl_put_endpoint() - describe an endpoint
 * @skb: where to; behind a message's header
 * @endpoint: the endpoint
 * @pid: process that made it, as seen by the receiver, or 0
 *
 * Process context, under &nb_endpoint.lock.
 *
 * Return: 0 or -EMSGSIZE.
 */
int nb_nl_put_endpoint(struct sk_buff *skb, struct nb_endpoint *endpoint, u32 pid);

/* Describe a queue, as above. */
int nb_nl_put_queue(struct sk_buff *skb, struct nb_queue *queue);

/* netlink_connect.c APIs: */
int nb_nl_set_endpoint(struct sk_buff *skb, struct genl_info *info);
int nb_nl_connect(struct sk_buff *skb, struct genl_info *info);
int nb_nl_disconnect(struct sk_buff *skb, struct genl_info *info);

/* The endpoint that a command is about, with a reference; or an ERR_PTR, and why. */
struct nb_endpoint *nb_nl_subject(struct genl_info *info, int attr);

/* netlink_event.c APIs: */

/* Begin to send events, and end it. */
int nb_nl_events_init(void);
void nb_nl_events_exit(void);

/* netlink_moderation.c APIs: */
extern const struct nla_policy nb_nl_moderation_policy[NB_A_MODERATION_MAX + 1];

int nb_nl_set_queue(struct sk_buff *skb, struct genl_info *info);

/* netlink_switch.c APIs: */

/* Describe a switch, or a port for who is in that namespace.  Under nb_switches_lock(). */
int nb_nl_put_switch(struct sk_buff *skb, struct nb_switch *sw);
int nb_nl_put_port(struct sk_buff *skb, struct nb_port *port, const struct net *net);

int nb_nl_start_switches(struct netlink_callback *cb);
int nb_nl_start_ports(struct netlink_callback *cb);
int nb_nl_start_addresses(struct netlink_callback *cb);
int nb_nl_dump_switches(struct sk_buff *skb, struct netlink_callback *cb);
int nb_nl_dump_ports(struct sk_buff *skb, struct netlink_callback *cb);
int nb_nl_dump_addresses(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_kind.c APIs: */
int nb_nl_dump_kinds(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_memory.c APIs: */

/* Describe a memory, whose maker the reader sees as @pid, or a region.  Under &nb_mem.lock. */
int nb_nl_put_mem(struct sk_buff *skb, struct nb_mem *mem, u32 pid);
int nb_nl_put_region(struct sk_buff *skb, u32 mem_id, const struct nb_region *region);

int nb_nl_start_memories(struct netlink_callback *cb);
int nb_nl_start_regions(struct netlink_callback *cb);
int nb_nl_dump_memories(struct sk_buff *skb, struct netlink_callback *cb);
int nb_nl_dump_regions(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* _NB_NETLINK_H */
