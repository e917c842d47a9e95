// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family, and what it tells operators.
 *
 * A dump walks over endpoints by id, and holds one at a time; &nb_endpoint.lock keeps
 * its queues while they are looked at.  One sees what belongs to one's network
 * namespace.  What comes or goes meanwhile marks the dump as interrupted: nb_changes() is
 * read under the lock of what is told, so that nothing is told after a change without it.
 */
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "changes.h"
#include "compat.h"
#include "endpoint.h"
#include "netlink.h"
#include "queue.h"

/* ---- dumps --------------------------------------------------------------- */

void nb_nl_dump_changes(struct netlink_callback *cb, u32 changes)
{
	/* 0 is no number, for netlink. */
	cb->seq = changes << 1 | 1;
	/* What changes before the first message counts as well. */
	if (!cb->prev_seq)
		cb->prev_seq = cb->seq;
}

void *nb_nl_dump_begin(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &nb_genl_family, NLM_F_MULTI, cmd);
}

int nb_nl_dump_end(struct sk_buff *skb, struct netlink_callback *cb, void *head, int err)
{
	if (err) {
		genlmsg_cancel(skb, head);
		return err;
	}
	/* Not before: a mark on a message that is cancelled would be lost with it. */
	genl_dump_check_consistent(cb, head);
	genlmsg_end(skb, head);
	return 0;
}

/* ---- endpoints ----------------------------------------------------------- */

static int nb_nl_put_info(struct sk_buff *skb, const struct nb_endpoint_info *info)
{
	if ((info->name[0] && nla_put_string(skb, NB_A_ENDPOINT_NAME, info->name)) ||
	    (info->ifindex && nla_put_u32(skb, NB_A_ENDPOINT_IFINDEX, info->ifindex)) ||
	    (info->mtu && nla_put_u32(skb, NB_A_ENDPOINT_MTU, info->mtu)) ||
	    nla_put_string(skb, NB_A_ENDPOINT_KIND, info->kind) ||
	    nla_put(skb, NB_A_ENDPOINT_MAC, sizeof(info->mac), info->mac) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_PROPERTIES, info->properties) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_TX_OFFLOADS, info->tx_offloads) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_MAX_QUEUES, info->max_queues) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_QUEUES, info->n_queues) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_TABLE_SIZE, info->indirection_table_size) ||
	    nla_put_u64_64bit(skb, NB_A_ENDPOINT_LINK_SPEED, info->link_speed,
			      NB_A_ENDPOINT_PAD))
		return -EMSGSIZE;
	return 0;
}

static enum nb_endpoint_state nb_nl_state(const struct nb_endpoint *endpoint)
{
	if (endpoint->connected)
		return NB_STATE_CONNECTED;
	return endpoint->disconnecting ? NB_STATE_DISCONNECTING : NB_STATE_DISCONNECTED;
}

int nb_nl_put_endpoint(struct sk_buff *skb, struct nb_endpoint *endpoint, u32 pid)
{
	struct nb_endpoint_info info = {};

	lockdep_assert_held(&endpoint->lock);
	nb_endpoint_read_info(endpoint, &info);
	if (nla_put_u32(skb, NB_A_ENDPOINT_ID, endpoint->id) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_PID, pid) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_STATE, nb_nl_state(endpoint)) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_DISCONNECTS, endpoint->n_disconnects) ||
	    nla_put_u32(skb, NB_A_ENDPOINT_LINK, !READ_ONCE(endpoint->actions.admin_down)))
		return -EMSGSIZE;
	return nb_nl_put_info(skb, &info);
}

/* Behind the header of a message. */
static int nb_nl_fill_endpoint(struct sk_buff *skb, struct nb_endpoint *endpoint)
{
	u32 pid = pid_nr_ns(endpoint->creator, task_active_pid_ns(current));
	int err;

	mutex_lock(&endpoint->lock);
	err = nb_nl_put_endpoint(skb, endpoint, pid);
	mutex_unlock(&endpoint->lock);
	return err;
}

static int nb_nl_tell_endpoint(struct sk_buff *skb, struct netlink_callback *cb,
			       struct nb_endpoint *endpoint)
{
	void *head = nb_nl_dump_begin(skb, cb, NB_CMD_ENDPOINT_GET);

	if (!head)
		return -EMSGSIZE;
	return nb_nl_dump_end(skb, cb, head, nb_nl_fill_endpoint(skb, endpoint));
}

static int nb_nl_check_endpoints(struct netlink_callback *cb)
{
	struct nlattr *id = nb_genl_dump_attrs(cb)[NB_A_ENDPOINT_ID];

	if (!id)
		return 0;
	NL_SET_ERR_MSG_ATTR(cb->extack, id, "one endpoint is asked for without NLM_F_DUMP");
	return -EINVAL;
}

static int nb_nl_start_endpoints(struct netlink_callback *cb)
{
	return nb_genl_start(cb, nb_nl_check_endpoints);
}

static int nb_nl_dump_endpoints(struct sk_buff *skb, struct netlink_callback *cb)
{
	u64 net_cookie = sock_net(skb->sk)->net_cookie;
	int err = nb_nl_check_endpoints(cb);
	struct nb_endpoint *endpoint;
	u32 changes;

	if (err)
		return err;
	nb_nl_dump_changes(cb, nb_changes(NB_CHANGES_ENDPOINTS, net_cookie));
	while (!err && (endpoint = nb_endpoint_get_next(cb->args[0], net_cookie, &changes))) {
		nb_nl_dump_changes(cb, changes);
		err = nb_nl_tell_endpoint(skb, cb, endpoint);
		if (!err)
			cb->args[0] = endpoint->id + 1;
		nb_endpoint_put(endpoint);
	}
	/* For the end of the dump. */
	nb_nl_dump_changes(cb, changes);
	return skb->len;
}

struct nb_endpoint *nb_nl_get(u32 id, const struct net *net)
{
	struct nb_endpoint *endpoint;
	u32 changes;

	endpoint = nb_endpoint_get_next(id, net->net_cookie, &changes);
	if (!endpoint || endpoint->id == id)
		return endpoint;
	nb_endpoint_put(endpoint);
	return NULL;
}

static int nb_nl_reply_endpoint(struct sk_buff *reply, struct genl_info *info,
				struct nb_endpoint *endpoint)
{
	void *head = genlmsg_put_reply(reply, info, &nb_genl_family, 0, NB_CMD_ENDPOINT_GET);

	if (!head || nb_nl_fill_endpoint(reply, endpoint))
		return -EMSGSIZE;
	genlmsg_end(reply, head);
	return 0;
}

static int nb_nl_get_endpoint(struct sk_buff *skb, struct genl_info *info)
{
	struct nb_endpoint *endpoint;
	struct sk_buff *reply;
	int err;

	endpoint = nb_nl_subject(info, NB_A_ENDPOINT_ID);
	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	err = reply ? nb_nl_reply_endpoint(reply, info, endpoint) : -ENOMEM;
	nb_endpoint_put(endpoint);
	if (!err)
		return genlmsg_reply(reply, info);
	nlmsg_free(reply);
	return err;
}

/* ---- queues -------------------------------------------------------------- */

static int nb_nl_put_ring(struct sk_buff *skb, u32 id, const struct nb_ring *ring,
			  bool kernel_produces)
{
	u32 kernel = READ_ONCE(*ring->pos_shared);
	u32 user = READ_ONCE(*ring->peer_shared);
	struct nlattr *nest = nla_nest_start(skb, NB_A_QUEUE_RING);

	if (!nest || nla_put_u32(skb, NB_A_RING_ID, id) ||
	    nla_put_u32(skb, NB_A_RING_ENTRIES, ring->size) ||
	    nla_put_u32(skb, NB_A_RING_PRODUCER, kernel_produces ? kernel : user) ||
	    nla_put_u32(skb, NB_A_RING_CONSUMER, kernel_produces ? user : kernel))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int nb_nl_put_stat(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, NB_A_STATS_PAD);
}

static int nb_nl_put_stats(struct sk_buff *skb, struct nb_queue *queue)
{
	struct nlattr *nest = nla_nest_start(skb, NB_A_QUEUE_STATS);
	struct nb_queue_stats stats = {};

	nb_queue_read_stats(queue, &stats);
	if (!nest ||
	    nb_nl_put_stat(skb, NB_A_STATS_TX_PACKETS, stats.tx_packets) ||
	    nb_nl_put_stat(skb, NB_A_STATS_TX_BYTES, stats.tx_bytes) ||
	    nb_nl_put_stat(skb, NB_A_STATS_TX_VLAN_PACKETS, stats.tx_vlan_packets) ||
	    nb_nl_put_stat(skb, NB_A_STATS_TX_ERRORS, stats.tx_errors) ||
	    nb_nl_put_stat(skb, NB_A_STATS_TX_DROPPED, stats.tx_dropped) ||
	    nb_nl_put_stat(skb, NB_A_STATS_RX_PACKETS, stats.rx_packets) ||
	    nb_nl_put_stat(skb, NB_A_STATS_RX_BYTES, stats.rx_bytes) ||
	    nb_nl_put_stat(skb, NB_A_STATS_RX_VLAN_PACKETS, stats.rx_vlan_packets) ||
	    nb_nl_put_stat(skb, NB_A_STATS_RX_ERRORS, stats.rx_errors) ||
	    nb_nl_put_stat(skb, NB_A_STATS_RX_TOO_SMALL, stats.rx_too_small) ||
	    nb_nl_put_stat(skb, NB_A_STATS_RX_NO_BUFFER, stats.rx_no_buffer) ||
	    nb_nl_put_stat(skb, NB_A_STATS_ENTERS, stats.enters) ||
	    nb_nl_put_stat(skb, NB_A_STATS_KICKS, stats.kicks) ||
	    nb_nl_put_stat(skb, NB_A_STATS_NOTIFIES, stats.notifies) ||
	    nb_nl_put_stat(skb, NB_A_STATS_TX_ZEROCOPY, stats.tx_zerocopy) ||
	    nb_nl_put_stat(skb, NB_A_STATS_TX_ZEROCOPY_COPIED, stats.tx_zerocopy_copied) ||
	    nb_nl_put_stat(skb, NB_A_STATS_HELD_BACK, stats.held_back))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int nb_nl_put_moderation(struct sk_buff *skb, const struct nb_queue *queue)
{
	struct nlattr *nest = nla_nest_start(skb, NB_A_QUEUE_MODERATION);
	struct nb_queue_moderation mod = {};

	nb_moderation_get(queue, &mod);
	if (!nest || nla_put_u32(skb, NB_A_MODERATION_TX_USECS, mod.tx_usecs) ||
	    nla_put_u32(skb, NB_A_MODERATION_TX_FRAMES, mod.tx_frames) ||
	    nla_put_u32(skb, NB_A_MODERATION_RX_USECS, mod.rx_usecs) ||
	    nla_put_u32(skb, NB_A_MODERATION_RX_FRAMES, mod.rx_frames) ||
	    nla_put_u32(skb, NB_A_MODERATION_ADAPTIVE, mod.adaptive))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int nb_nl_put_queue(struct sk_buff *skb, struct nb_queue *queue)
{
	u32 cpu = READ_ONCE(queue->target_cpu);

	if (nla_put_u32(skb, NB_A_QUEUE_ENDPOINT_ID, queue->endpoint->id) ||
	    nla_put_u32(skb, NB_A_QUEUE_INDEX, queue->index) ||
	    nla_put_u32(skb, NB_A_QUEUE_STATE, READ_ONCE(*queue->state)) ||
	    (cpu != NB_ANY_CPU && nla_put_u32(skb, NB_A_QUEUE_TARGET_CPU, cpu)) ||
	    nb_nl_put_ring(skb, NB_RING_TX_AVAIL, &queue->tx_avail, false) ||
	    nb_nl_put_ring(skb, NB_RING_TX_DONE, &queue->tx_done, true) ||
	    nb_nl_put_ring(skb, NB_RING_RX_AVAIL, &queue->rx_avail, false) ||
	    nb_nl_put_ring(skb, NB_RING_RX_DONE, &queue->rx_done, true) ||
	    nb_nl_put_stats(skb, queue) || nb_nl_put_moderation(skb, queue))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_fill_queue(struct sk_buff *skb, struct netlink_callback *cb,
			    struct nb_queue *queue)
{
	void *head = nb_nl_dump_begin(skb, cb, NB_CMD_QUEUE_GET);

	return head ? nb_nl_dump_end(skb, cb, head, nb_nl_put_queue(skb, queue)) : -EMSGSIZE;
}

/* Under &nb_endpoint.lock for the queues that are told next. */
static void nb_nl_dump_queue_changes(struct netlink_callback *cb)
{
	u64 net_cookie = sock_net(cb->skb->sk)->net_cookie;

	nb_nl_dump_changes(cb, nb_changes(NB_CHANGES_QUEUES, net_cookie));
}

/* Go on with an endpoint at queue cb->args[1]. */
static int nb_nl_fill_queues(struct sk_buff *skb, struct netlink_callback *cb,
			     struct nb_endpoint *endpoint)
{
	int err = 0;

	mutex_lock(&endpoint->lock);
	nb_nl_dump_queue_changes(cb);
	for (; cb->args[1] < endpoint->n_slots; cb->args[1]++) {
		struct nb_queue *queue = endpoint->queues[cb->args[1]];

		if (queue)
			err = nb_nl_fill_queue(skb, cb, queue);
		if (err)
			break;
	}
	mutex_unlock(&endpoint->lock);
	return err;
}

/* Begin at the endpoint that is asked for, if one is. */
static int nb_nl_check_queues(struct netlink_callback *cb)
{
	struct nlattr *id = nb_genl_dump_attrs(cb)[NB_A_QUEUE_ENDPOINT_ID];
	struct nb_endpoint *endpoint;

	if (!id || cb->args[0])
		return 0;
	endpoint = nb_nl_get(nla_get_u32(id), sock_net(cb->skb->sk));
	if (!endpoint) {
		NL_SET_ERR_MSG_ATTR(cb->extack, id, NB_NL_NO_ENDPOINT);
		return -ENOENT;
	}
	cb->args[0] = endpoint->id;
	nb_endpoint_put(endpoint);
	return 0;
}

static int nb_nl_start_queues(struct netlink_callback *cb)
{
	return nb_genl_start(cb, nb_nl_check_queues);
}

static int nb_nl_dump_queues(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr *id = nb_genl_dump_attrs(cb)[NB_A_QUEUE_ENDPOINT_ID];
	u64 net_cookie = sock_net(skb->sk)->net_cookie;
	int err = nb_nl_check_queues(cb);
	struct nb_endpoint *endpoint;
	u32 changes;

	if (err)
		return err;
	nb_nl_dump_queue_changes(cb);
	while (!err && (endpoint = nb_endpoint_get_next(cb->args[0], net_cookie, &changes))) {
		if (id && endpoint->id != nla_get_u32(id)) {
			nb_endpoint_put(endpoint);
			break;
		}
		if (endpoint->id != cb->args[0])
			cb->args[1] = 0;
		cb->args[0] = endpoint->id;
		err = nb_nl_fill_queues(skb, cb, endpoint);
		if (!err) {
			cb->args[0] = endpoint->id + 1;
			cb->args[1] = 0;
		}
		nb_endpoint_put(endpoint);
	}
	nb_nl_dump_queue_changes(cb);
	return skb->len;
}

/* ---- family -------------------------------------------------------------- */

static const struct nla_policy nb_nl_endpoint_policy[NB_A_ENDPOINT_ID + 1] = {
	[NB_A_ENDPOINT_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy nb_nl_queue_policy[NB_A_QUEUE_ENDPOINT_ID + 1] = {
	[NB_A_QUEUE_ENDPOINT_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy nb_nl_set_policy[NB_A_ENDPOINT_LINK + 1] = {
	[NB_A_ENDPOINT_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[NB_A_ENDPOINT_LINK] = NLA_POLICY_MAX(NLA_U32, 1),
};

static const struct nla_policy nb_nl_set_queue_policy[NB_A_QUEUE_MODERATION + 1] = {
	[NB_A_QUEUE_ENDPOINT_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[NB_A_QUEUE_INDEX] = { .type = NLA_U32 },
	[NB_A_QUEUE_MODERATION] = NLA_POLICY_NESTED(nb_nl_moderation_policy),
};

static const struct nla_policy nb_nl_connect_policy[NB_A_ENDPOINT_PARAMS + 1] = {
	[NB_A_ENDPOINT_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[NB_A_ENDPOINT_FROM] = NLA_POLICY_MIN(NLA_U32, 1),
	[NB_A_ENDPOINT_KIND] = { .type = NLA_NUL_STRING, .len = NB_KIND_LEN - 1 },
	[NB_A_ENDPOINT_NAME] = { .type = NLA_NUL_STRING, .len = NB_NAME_LEN - 1 },
	[NB_A_ENDPOINT_MTU] = { .type = NLA_U32 },
	[NB_A_ENDPOINT_PARAMS] = { .type = NLA_BINARY, .len = PAGE_SIZE },
};

static const struct nla_policy nb_nl_disconnect_policy[NB_A_ENDPOINT_TIMEOUT + 1] = {
	[NB_A_ENDPOINT_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[NB_A_ENDPOINT_TIMEOUT] = { .type = NLA_U64 },
};

static const struct nla_policy nb_nl_switch_policy[NB_A_SWITCH_ID + 1] = {
	[NB_A_SWITCH_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy nb_nl_port_policy[NB_A_PORT_SWITCH_ID + 1] = {
	[NB_A_PORT_SWITCH_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy nb_nl_fdb_policy[NB_A_FDB_SWITCH_ID + 1] = {
	[NB_A_FDB_SWITCH_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy nb_nl_memory_policy[NB_A_MEMORY_ID + 1] = {
	[NB_A_MEMORY_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy nb_nl_region_policy[NB_A_REGION_MEMORY_ID + 1] = {
	[NB_A_REGION_MEMORY_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* Without a policy, whatever is asked for would be ignored. */
static const struct nla_policy nb_nl_kind_policy[NB_A_KIND_NAME + 1] = {
	[NB_A_KIND_NAME] = { .type = NLA_REJECT },
};

static const struct genl_multicast_group nb_genl_groups[] = {
	[NB_GENL_GROUP_EVENTS] = { .name = NB_GENL_EVENTS },
};

static const struct genl_ops nb_genl_ops[] = {
	{
		.cmd = NB_CMD_ENDPOINT_GET,
		.policy = nb_nl_endpoint_policy,
		.maxattr = ARRAY_SIZE(nb_nl_endpoint_policy) - 1,
		.doit = nb_nl_get_endpoint,
		.start = nb_nl_start_endpoints,
		.dumpit = nb_nl_dump_endpoints,
	},
	{
		.cmd = NB_CMD_QUEUE_GET,
		.policy = nb_nl_queue_policy,
		.maxattr = ARRAY_SIZE(nb_nl_queue_policy) - 1,
		.start = nb_nl_start_queues,
		.dumpit = nb_nl_dump_queues,
	},
	{
		.cmd = NB_CMD_ENDPOINT_SET,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = nb_nl_set_policy,
		.maxattr = ARRAY_SIZE(nb_nl_set_policy) - 1,
		.doit = nb_nl_set_endpoint,
	},
	{
		.cmd = NB_CMD_ENDPOINT_CONNECT,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = nb_nl_connect_policy,
		.maxattr = ARRAY_SIZE(nb_nl_connect_policy) - 1,
		.doit = nb_nl_connect,
	},
	{
		.cmd = NB_CMD_ENDPOINT_DISCONNECT,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = nb_nl_disconnect_policy,
		.maxattr = ARRAY_SIZE(nb_nl_disconnect_policy) - 1,
		.doit = nb_nl_disconnect,
	},
	{
		.cmd = NB_CMD_SWITCH_GET,
		.policy = nb_nl_switch_policy,
		.maxattr = ARRAY_SIZE(nb_nl_switch_policy) - 1,
		.start = nb_nl_start_switches,
		.dumpit = nb_nl_dump_switches,
	},
	{
		.cmd = NB_CMD_SWITCH_PORT_GET,
		.policy = nb_nl_port_policy,
		.maxattr = ARRAY_SIZE(nb_nl_port_policy) - 1,
		.start = nb_nl_start_ports,
		.dumpit = nb_nl_dump_ports,
	},
	{
		.cmd = NB_CMD_SWITCH_FDB_GET,
		.policy = nb_nl_fdb_policy,
		.maxattr = ARRAY_SIZE(nb_nl_fdb_policy) - 1,
		.start = nb_nl_start_addresses,
		.dumpit = nb_nl_dump_addresses,
	},
	{
		.cmd = NB_CMD_KIND_GET,
		.policy = nb_nl_kind_policy,
		.maxattr = ARRAY_SIZE(nb_nl_kind_policy) - 1,
		.dumpit = nb_nl_dump_kinds,
	},
	{
		.cmd = NB_CMD_QUEUE_SET,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = nb_nl_set_queue_policy,
		.maxattr = ARRAY_SIZE(nb_nl_set_queue_policy) - 1,
		.doit = nb_nl_set_queue,
	},
	{
		.cmd = NB_CMD_MEMORY_GET,
		.policy = nb_nl_memory_policy,
		.maxattr = ARRAY_SIZE(nb_nl_memory_policy) - 1,
		.start = nb_nl_start_memories,
		.dumpit = nb_nl_dump_memories,
	},
	{
		.cmd = NB_CMD_REGION_GET,
		.policy = nb_nl_region_policy,
		.maxattr = ARRAY_SIZE(nb_nl_region_policy) - 1,
		.start = nb_nl_start_regions,
		.dumpit = nb_nl_dump_regions,
	},
};

struct genl_family nb_genl_family __ro_after_init = {
	.name = NB_GENL_NAME,
	.version = NB_GENL_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true,
	.ops = nb_genl_ops,
	.n_ops = ARRAY_SIZE(nb_genl_ops),
	.mcgrps = nb_genl_groups,
	.n_mcgrps = ARRAY_SIZE(nb_genl_groups),
	.resv_start_op = NB_CMD_MAX + 1,
};

int __init nb_netlink_init(void)
{
	int err;

	err = genl_register_family(&nb_genl_family);
	if (err)
		return err;
	err = nb_nl_events_init();
	if (err)
		genl_unregister_family(&nb_genl_family);
	return err;
}

void nb_netlink_exit(void)
{
	nb_nl_events_exit();
	genl_unregister_family(&nb_genl_family);
}

MODULE_ALIAS_GENL_FAMILY(NB_GENL_NAME);
