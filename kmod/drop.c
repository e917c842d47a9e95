// SPDX-License-Identifier: GPL-2.0
/*
 * Skbs that are dropped, with a reason that "perf trace", "dropwatch" and the like show.
 *
 * These are the kernel's own reasons: a range of one's own is for what is in its tree.
 */
#include <linux/skbuff.h>

#include "compat.h"
#include "drop.h"

static const enum skb_drop_reason nb_skb_drop_reasons[NB_DROP_N] = {
	[NB_DROP_NO_BUFFER] = SKB_DROP_REASON_FULL_RING,
	[NB_DROP_TOO_SMALL] = SKB_DROP_REASON_PKT_TOO_BIG,
	[NB_DROP_DOWN] = SKB_DROP_REASON_DEV_READY,
	[NB_DROP_NO_MEMORY] = SKB_DROP_REASON_NOMEM,
	[NB_DROP_LINK_DOWN] = SKB_DROP_REASON_DEV_READY,
	[NB_DROP_INTERFACE_DOWN] = SKB_DROP_REASON_DEV_READY,
	[NB_DROP_TOO_LONG] = SKB_DROP_REASON_PKT_TOO_BIG,
	[NB_DROP_REFUSED] = SKB_DROP_REASON_FULL_RING,
	[NB_DROP_NO_QUEUE] = SKB_DROP_REASON_DEV_READY,
	[NB_DROP_OFFLOAD] = SKB_DROP_REASON_SKB_GSO_SEG,
	[NB_DROP_XDP] = SKB_DROP_REASON_XDP,
};

static enum skb_drop_reason nb_skb_drop_reason(enum nb_drop why)
{
	return nb_skb_drop_reasons[why] ?: SKB_DROP_REASON_NOT_SPECIFIED;
}

void nb_drop_skb(struct sk_buff *skb, enum nb_drop why)
{
	kfree_skb_reason(skb, nb_skb_drop_reason(why));
}

void nb_drop_skb_list(struct sk_buff *list, enum nb_drop why)
{
	kfree_skb_list_reason(list, nb_skb_drop_reason(why));
}

void nb_drop_skb_any(struct sk_buff *skb, enum nb_drop why)
{
	nb_kfree_skb_any_reason(skb, nb_skb_drop_reason(why));
}
