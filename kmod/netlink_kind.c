// SPDX-License-Identifier: GPL-2.0
/*
 * What operators are told of kinds.  Process context.
 */
#include <net/genetlink.h>

#include "kind.h"
#include "netlink.h"

static int nb_nl_put_kind(struct sk_buff *skb, const struct nb_kind_about *about)
{
	if (nla_put_string(skb, NB_A_KIND_NAME, about->name) ||
	    nla_put_string(skb, NB_A_KIND_MODULE, about->module) ||
	    nla_put_u32(skb, NB_A_KIND_MAX_QUEUES, about->max_queues) ||
	    nla_put_u32(skb, NB_A_KIND_PARAMS_SIZE, about->params_size))
		return -EMSGSIZE;
	return 0;
}

static int nb_nl_fill_kind(struct sk_buff *skb, struct netlink_callback *cb,
			   const struct nb_kind_about *about)
{
	void *head = nb_nl_dump_begin(skb, cb, NB_CMD_KIND_GET);

	return head ? nb_nl_dump_end(skb, cb, head, nb_nl_put_kind(skb, about)) : -EMSGSIZE;
}

int nb_nl_dump_kinds(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nb_kind_about about;
	bool found;

	do {
		found = nb_kind_describe(cb->args[0], &about);
		nb_nl_dump_changes(cb, about.generation);
		if (!found || nb_nl_fill_kind(skb, cb, &about))
			break;
		cb->args[0]++;
	} while (true);
	return skb->len;
}
