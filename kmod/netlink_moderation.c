// SPDX-License-Identifier: GPL-2.0
/*
 * What operators set of a queue, or of all queues of an endpoint: when the frontend is woken.
 *
 * &nb_endpoint.lock keeps the queues.  Under it, and rtnl_lock, nobody else sets what all of
 * them have, or some.  Process context.
 */
#include <linux/err.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include "compat.h"
#include "endpoint.h"
#include "ioctl.h"
#include "netlink.h"
#include "queue.h"

/* Not const: 6.1 wants it so. */
static struct netlink_range_validation nb_nl_usecs = { .max = NB_MAX_MODERATION_USECS };
static struct netlink_range_validation nb_nl_frames = { .max = NB_MAX_RING_ENTRIES };

const struct nla_policy nb_nl_moderation_policy[NB_A_MODERATION_MAX + 1] = {
	[NB_A_MODERATION_TX_USECS] = NLA_POLICY_FULL_RANGE(NLA_U32, &nb_nl_usecs),
	[NB_A_MODERATION_TX_FRAMES] = NLA_POLICY_FULL_RANGE(NLA_U32, &nb_nl_frames),
	[NB_A_MODERATION_RX_USECS] = NLA_POLICY_FULL_RANGE(NLA_U32, &nb_nl_usecs),
	[NB_A_MODERATION_RX_FRAMES] = NLA_POLICY_FULL_RANGE(NLA_U32, &nb_nl_frames),
	[NB_A_MODERATION_ADAPTIVE] =
		NLA_POLICY_MASK(NLA_U32, NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX),
};

static void nb_nl_change(u32 *value, const struct nlattr *attr)
{
	if (attr)
		*value = nla_get_u32(attr);
}

/* What the queue is to have: what it has, but for what is given. */
static void nb_nl_new_moderation(const struct nb_queue *queue, struct nlattr **attrs,
				 struct nb_queue_moderation *mod)
{
	nb_moderation_get(queue, mod);
	nb_nl_change(&mod->tx_usecs, attrs[NB_A_MODERATION_TX_USECS]);
	nb_nl_change(&mod->tx_frames, attrs[NB_A_MODERATION_TX_FRAMES]);
	nb_nl_change(&mod->rx_usecs, attrs[NB_A_MODERATION_RX_USECS]);
	nb_nl_change(&mod->rx_frames, attrs[NB_A_MODERATION_RX_FRAMES]);
	nb_nl_change(&mod->adaptive, attrs[NB_A_MODERATION_ADAPTIVE]);
}

/*
 * Which of what is given has made it impossible?  Policies have seen to all but this: what
 * ends when time is over needs a time.
 */
static const struct nlattr *nb_nl_bad_moderation(const struct nb_queue_moderation *mod,
						 struct nlattr **attrs)
{
	const struct nlattr *frames;

	if (!mod->tx_usecs && (mod->tx_frames || (mod->adaptive & NB_NEED_NOTIFY_TX))) {
		frames = mod->tx_frames ? attrs[NB_A_MODERATION_TX_FRAMES] : NULL;
		return attrs[NB_A_MODERATION_TX_USECS] ?: frames ?:
		       attrs[NB_A_MODERATION_ADAPTIVE];
	}
	frames = mod->rx_frames ? attrs[NB_A_MODERATION_RX_FRAMES] : NULL;
	return attrs[NB_A_MODERATION_RX_USECS] ?: frames ?: attrs[NB_A_MODERATION_ADAPTIVE];
}

/*
 * All queues from @first to @last that there are; either all of them, or none.  Frontends set
 * the same under &nb_endpoint.lock, ethtool under rtnl_lock.
 */
static int nb_nl_set_moderation(struct nb_endpoint *endpoint, u32 first, u32 last,
				struct nlattr **attrs, struct nb_queue_moderation *mod,
				struct nb_msg *msg)
{
	unsigned int found = 0;
	u32 i;
	int err;

	lockdep_assert_held(&endpoint->lock);
	ASSERT_RTNL();
	for (i = first; i <= last && i < endpoint->n_slots; i++) {
		if (!endpoint->queues[i])
			continue;
		nb_nl_new_moderation(endpoint->queues[i], attrs, mod);
		err = nb_moderation_check(mod, msg);
		if (err)
			return err;
		found++;
	}
	if (!found)
		return -ENOENT;
	for (i = first; i <= last && i < endpoint->n_slots; i++) {
		if (!endpoint->queues[i])
			continue;
		nb_nl_new_moderation(endpoint->queues[i], attrs, mod);
		nb_moderation_set(endpoint->queues[i], mod);
	}
	return 0;
}

/* What is given of NB_A_QUEUE_MODERATION, for @attrs; or an errno, and why. */
static int nb_nl_parse_moderation(struct genl_info *info, struct nlattr **attrs)
{
	struct nlattr *nest = info->attrs[NB_A_QUEUE_MODERATION];
	int err;

	if (GENL_REQ_ATTR_CHECK(info, NB_A_QUEUE_MODERATION)) {
		GENL_SET_ERR_MSG(info, "what is to be set is missing");
		return -EINVAL;
	}
	err = nla_parse_nested(attrs, NB_A_MODERATION_MAX, nest, nb_nl_moderation_policy,
			       info->extack);
	if (err)
		return err;
	if (memchr_inv(attrs, 0, (NB_A_MODERATION_MAX + 1) * sizeof(*attrs)))
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, nest, "what is to be set is missing");
	return -EINVAL;
}

int nb_nl_set_queue(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *index = info->attrs[NB_A_QUEUE_INDEX];
	struct nlattr *attrs[NB_A_MODERATION_MAX + 1];
	u32 first = index ? nla_get_u32(index) : 0;
	u32 last = index ? first : U32_MAX;
	struct nb_queue_moderation mod = {};
	struct nb_endpoint *endpoint;
	struct nb_msg msg = {};
	int err;

	err = nb_nl_parse_moderation(info, attrs);
	if (err)
		return err;
	endpoint = nb_nl_subject(info, NB_A_QUEUE_ENDPOINT_ID);
	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	mutex_lock(&endpoint->lock);
	rtnl_lock();
	err = nb_nl_set_moderation(endpoint, first, last, attrs, &mod, &msg);
	rtnl_unlock();
	nb_event_tell_noted(endpoint);
	mutex_unlock(&endpoint->lock);
	nb_endpoint_put(endpoint);
	if (err == -ENOENT) {
		NL_SET_ERR_MSG_ATTR(info->extack,
				    index ?: info->attrs[NB_A_QUEUE_ENDPOINT_ID],
				    "the endpoint has no such queue");
	} else if (err) {
		NL_SET_BAD_ATTR(info->extack, nb_nl_bad_moderation(&mod, attrs));
		nb_extack_set(info->extack, msg.text,
			      "frames or adaptive without usecs: nothing would end what is held back");
	}
	return err;
}
