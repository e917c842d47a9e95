// SPDX-License-Identifier: GPL-2.0
/*
 * What operators are told of by events: what happens to endpoints and their queues, switches
 * and their ports, memories and their regions.
 *
 * A message is made under &nb_endpoint.lock, nb_switches_lock() or &nb_mem.lock, with what a
 * dump would say, and only if somebody listens.  Where it cannot be made, who listens finds
 * ENOBUFS at its socket, as if it had not kept up.  Process context.
 */
#include <linux/notifier.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "endpoint.h"
#include "event.h"
#include "kinds/switch.h"
#include "mem.h"
#include "netlink.h"

static u8 nb_nl_event_cmd(enum nb_event_about about)
{
	switch (about) {
	case NB_EVENT_ABOUT_QUEUE:
		return NB_CMD_QUEUE_EVENT;
	case NB_EVENT_ABOUT_SWITCH:
		return NB_CMD_SWITCH_EVENT;
	case NB_EVENT_ABOUT_PORT:
		return NB_CMD_SWITCH_PORT_EVENT;
	case NB_EVENT_ABOUT_MEMORY:
		return NB_CMD_MEMORY_EVENT;
	case NB_EVENT_ABOUT_REGION:
		return NB_CMD_REGION_EVENT;
	default:
		return NB_CMD_ENDPOINT_EVENT;
	}
}

static int nb_nl_put_event(struct sk_buff *skb, enum nb_event_about about,
			   const struct nb_event *event, const struct net *net)
{
	switch (about) {
	case NB_EVENT_ABOUT_QUEUE:
		return nla_put_u32(skb, NB_A_QUEUE_EVENT, event->what) ?:
		       nb_nl_put_queue(skb, event->queue);
	case NB_EVENT_ABOUT_SWITCH:
		return nla_put_u32(skb, NB_A_SWITCH_EVENT, event->what) ?:
		       nb_nl_put_switch(skb, event->sw);
	case NB_EVENT_ABOUT_PORT:
		return nla_put_u32(skb, NB_A_PORT_EVENT, event->what) ?:
		       nb_nl_put_port(skb, event->port, net);
	case NB_EVENT_ABOUT_MEMORY:
		return nla_put_u32(skb, NB_A_MEMORY_EVENT, event->what) ?:
		       nb_nl_put_mem(skb, event->mem, 0);
	case NB_EVENT_ABOUT_REGION:
		return nla_put_u32(skb, NB_A_REGION_EVENT, event->what) ?:
		       nb_nl_put_region(skb, event->mem->id, event->region);
	default:
		return nla_put_u32(skb, NB_A_ENDPOINT_EVENT, event->what) ?:
		       nb_nl_put_endpoint(skb, event->endpoint, 0);
	}
}

static struct sk_buff *nb_nl_event_skb(enum nb_event_about about, const struct nb_event *event,
				       const struct net *net)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *head;

	if (!skb)
		return NULL;
	head = genlmsg_put(skb, 0, 0, &nb_genl_family, 0, nb_nl_event_cmd(about));
	if (head && !nb_nl_put_event(skb, about, event, net)) {
		genlmsg_end(skb, head);
		return skb;
	}
	nlmsg_free(skb);
	return NULL;
}

/* With a reference, or NULL: who is told of what happens in a namespace, if anybody. */
static struct net *nb_nl_event_net(u64 cookie)
{
	struct net *net, *found = NULL;

	rcu_read_lock();
	for_each_net_rcu(net) {
		if (net->net_cookie != cookie)
			continue;
		if (genl_has_listeners(&nb_genl_family, net, NB_GENL_GROUP_EVENTS))
			found = maybe_get_net(net);
		break;
	}
	rcu_read_unlock();
	return found;
}

static int nb_nl_event(struct notifier_block *block, unsigned long about, void *data)
{
	const struct nb_event *event = data;
	struct sk_buff *skb = NULL;
	struct net *net;

	net = nb_nl_event_net(event->net_cookie);
	if (!net)
		return NOTIFY_DONE;
	if (about != NB_EVENT_ABOUT_LOSS)
		skb = nb_nl_event_skb(about, event, net);
	if (skb)
		genlmsg_multicast_netns(&nb_genl_family, net, skb, 0, NB_GENL_GROUP_EVENTS,
					GFP_KERNEL);
	else
		genl_set_err(&nb_genl_family, net, 0, NB_GENL_GROUP_EVENTS, -ENOBUFS);
	put_net(net);
	return NOTIFY_OK;
}

static struct notifier_block nb_nl_event_block = {
	.notifier_call = nb_nl_event,
};

int nb_nl_events_init(void)
{
	return nb_event_register(&nb_nl_event_block);
}

void nb_nl_events_exit(void)
{
	nb_event_unregister(&nb_nl_event_block);
}
