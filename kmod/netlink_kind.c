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
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				 &nb_genl_family, NLM_F_MULTI, NB_CMD_KIND_GET);

	if (!head)
		return -EMSGSIZE;
	cb->seq = about->generation;
	genl_dump_check_consistent(cb, head);
	if (nb_nl_put_kind(skb, about)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

int nb_nl_dump_kinds(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nb_kind_about about;

	while (nb_kind_describe(cb->args[0], &about)) {
		if (nb_nl_fill_kind(skb, cb, &about))
			break;
		cb->args[0]++;
	}
	return skb->len;
}
