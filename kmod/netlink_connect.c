// SPDX-License-Identifier: GPL-2.0
/*
 * What operators do to endpoints.
 *
 * The family's commands run under genetlink's cb_lock, which all families share, and which
 * is taken to register one.  So none of them waits for a frontend (an event says when a
 * disconnect is over), nor for a module.  Process context.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "endpoint.h"
#include "ioctl.h"
#include "netlink.h"

/* For kernels to which words of one's own cannot be handed over. */
static const char *nb_nl_words(int err)
{
	switch (err) {
	case -EISCONN:
		return "a backend is plugged in; disconnect it first";
	case -ENOTCONN:
		return "no backend is plugged in";
	case -EBUSY:
		return "queues still use a backend, or somebody else has what it stands on";
	case -ENODEV:
		return "what the backend stands on is gone";
	case -ENOENT:
		return "there is no such kind";
	case -EEXIST:
		return "the name is already taken";
	case -EPERM:
		return "the kind needs CAP_NET_ADMIN over the network namespace";
	case -E2BIG:
		return "params have more than is known here";
	case -EAGAIN:
		return "the module of the kind is being loaded; try again";
	case -EINVAL:
		return "the backend does not fit the endpoint, or cannot be made of this";
	default:
		return "refused";
	}
}

/* Name the attribute, which is there, that a command fails for. */
static void nb_nl_blame(struct genl_info *info, int attr)
{
	NL_SET_BAD_ATTR(info->extack, info->attrs[attr]);
}

/* Hand over why a command failed. */
static int nb_nl_result(struct genl_info *info, int err, const struct nb_msg *msg)
{
	if (err && msg->text[0])
		nb_extack_set(info->extack, msg->text, nb_nl_words(err));
	return err;
}

struct nb_endpoint *nb_nl_subject(struct genl_info *info, int attr)
{
	struct nb_endpoint *endpoint;

	if (GENL_REQ_ATTR_CHECK(info, attr)) {
		GENL_SET_ERR_MSG(info, "the id of an endpoint is missing");
		return ERR_PTR(-EINVAL);
	}
	endpoint = nb_nl_get(nla_get_u32(info->attrs[attr]), genl_info_net(info));
	if (endpoint)
		return endpoint;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr], NB_NL_NO_ENDPOINT);
	return ERR_PTR(-ENOENT);
}

/* ---- set ----------------------------------------------------------------- */

int nb_nl_set_endpoint(struct sk_buff *skb, struct genl_info *info)
{
	struct nb_endpoint *endpoint;

	if (GENL_REQ_ATTR_CHECK(info, NB_A_ENDPOINT_LINK)) {
		GENL_SET_ERR_MSG(info, "what is to be set is missing");
		return -EINVAL;
	}
	endpoint = nb_nl_subject(info, NB_A_ENDPOINT_ID);
	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	nb_endpoint_set_link(endpoint, nla_get_u32(info->attrs[NB_A_ENDPOINT_LINK]));
	nb_endpoint_put(endpoint);
	return 0;
}

/* ---- connect ------------------------------------------------------------- */

/* The kind's own struct, zero behind what was given; or NULL for none. */
static void *nb_nl_copy_params(const struct nlattr *attr, const struct nb_endpoint_ops *ops,
			       struct nb_msg *msg)
{
	void *params;
	u32 len;

	if (!attr)
		return NULL;
	if (!ops->params_size) {
		nb_msg(msg, "kind '%s' has no params", ops->name);
		return ERR_PTR(-EINVAL);
	}
	len = nla_len(attr);
	if (len > ops->params_size &&
	    memchr_inv(nla_data(attr) + ops->params_size, 0, len - ops->params_size)) {
		nb_msg(msg, "params of %u bytes have more than the %u known here", len,
		       ops->params_size);
		return ERR_PTR(-E2BIG);
	}
	params = kzalloc(ops->params_size, GFP_KERNEL);
	if (!params)
		return ERR_PTR(-ENOMEM);
	memcpy(params, nla_data(attr), min_t(u32, len, ops->params_size));
	return params;
}

/* Which attribute is it, by what the kind says? */
static int nb_nl_about(struct genl_info *info, int err, const struct nb_msg *msg)
{
	static const int attrs[] = {
		[NB_ABOUT_NAME] = NB_A_ENDPOINT_NAME,
		[NB_ABOUT_MTU] = NB_A_ENDPOINT_MTU,
		[NB_ABOUT_PARAMS] = NB_A_ENDPOINT_PARAMS,
	};
	enum nb_msg_about about = msg->about;

	/* Kinds have much to say about their params. */
	if (about == NB_ABOUT_OTHER && err == -EINVAL)
		about = NB_ABOUT_PARAMS;
	if (about != NB_ABOUT_OTHER && info->attrs[attrs[about]])
		return attrs[about];
	return NB_A_ENDPOINT_KIND;
}

static struct nb_backend *nb_nl_make_backend(struct genl_info *info,
					     const struct nb_endpoint_ops *ops,
					     struct nb_endpoint *endpoint,
					     struct nb_msg *msg)
{
	struct nlattr *name = info->attrs[NB_A_ENDPOINT_NAME];
	struct nlattr *mtu = info->attrs[NB_A_ENDPOINT_MTU];
	struct nb_backend_params params = {
		.net = genl_info_net(info),
		.name = name ? nla_data(name) : "",
		.max_queues = ops->max_queues,
		.mtu = mtu ? nla_get_u32(mtu) : 0,
	};
	struct nb_backend *backend;

	ether_addr_copy(params.mac, endpoint->mac);
	params.kind = nb_nl_copy_params(info->attrs[NB_A_ENDPOINT_PARAMS], ops, msg);
	if (IS_ERR(params.kind)) {
		nb_nl_blame(info, NB_A_ENDPOINT_PARAMS);
		return ERR_CAST(params.kind);
	}
	backend = nb_backend_create(ops, &params, msg);
	kfree(params.kind);
	if (IS_ERR(backend))
		nb_nl_blame(info, nb_nl_about(info, PTR_ERR(backend), msg));
	return backend;
}

static int nb_nl_connect_new(struct genl_info *info, struct nb_endpoint *endpoint,
			     struct nb_msg *msg)
{
	const struct nb_endpoint_ops *ops;
	struct nb_backend *backend;
	int err;

	/* Before anything is made; what changes until it is made is found then. */
	err = nb_endpoint_check_free(endpoint, msg);
	if (err) {
		nb_nl_blame(info, NB_A_ENDPOINT_ID);
		return err;
	}
	ops = nb_kind_get_nowait(nla_data(info->attrs[NB_A_ENDPOINT_KIND]), msg);
	if (IS_ERR(ops)) {
		nb_nl_blame(info, NB_A_ENDPOINT_KIND);
		return PTR_ERR(ops);
	}
	backend = nb_nl_make_backend(info, ops, endpoint, msg);
	if (IS_ERR(backend)) {
		nb_kind_put(ops);
		return PTR_ERR(backend);
	}
	err = nb_endpoint_connect_new(endpoint, backend, msg);
	if (err) {
		nb_nl_blame(info, NB_A_ENDPOINT_KIND);
		nb_backend_destroy(backend);
	}
	return err;
}

static int nb_nl_connect_from(struct genl_info *info, struct nb_endpoint *endpoint,
			      struct nb_msg *msg)
{
	struct nb_endpoint *from;
	int err;

	/* So that what is wrong then is wrong with the other one. */
	err = nb_endpoint_check_free(endpoint, msg);
	if (err) {
		nb_nl_blame(info, NB_A_ENDPOINT_ID);
		return err;
	}
	from = nb_nl_subject(info, NB_A_ENDPOINT_FROM);
	if (IS_ERR(from))
		return PTR_ERR(from);
	err = nb_endpoint_connect(endpoint, from, msg);
	if (err)
		nb_nl_blame(info, NB_A_ENDPOINT_FROM);
	nb_endpoint_put(from);
	return err;
}

static int nb_nl_connect_own(struct genl_info *info, struct nb_endpoint *endpoint,
			     struct nb_msg *msg)
{
	int err;

	err = nb_endpoint_connect(endpoint, NULL, msg);
	if (err)
		nb_nl_blame(info, NB_A_ENDPOINT_ID);
	return err;
}

/* What is only said of a new backend, though none is to be made; or NULL. */
static const struct nlattr *nb_nl_kindless(struct nlattr **attrs)
{
	if (attrs[NB_A_ENDPOINT_KIND])
		return NULL;
	return attrs[NB_A_ENDPOINT_NAME] ?: attrs[NB_A_ENDPOINT_MTU] ?:
	       attrs[NB_A_ENDPOINT_PARAMS];
}

int nb_nl_connect(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct nb_endpoint *endpoint;
	struct nb_msg msg = {};
	int err;

	if (attrs[NB_A_ENDPOINT_KIND] && attrs[NB_A_ENDPOINT_FROM]) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[NB_A_ENDPOINT_FROM],
				    "either from another endpoint, or a new one of a kind");
		return -EINVAL;
	}
	if (nb_nl_kindless(attrs)) {
		NL_SET_ERR_ATTR_MISS(info->extack, NULL, NB_A_ENDPOINT_KIND);
		NL_SET_ERR_MSG_ATTR(info->extack, nb_nl_kindless(attrs),
				    "name, mtu and params go with the kind of a new backend");
		return -EINVAL;
	}
	endpoint = nb_nl_subject(info, NB_A_ENDPOINT_ID);
	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	if (attrs[NB_A_ENDPOINT_KIND])
		err = nb_nl_connect_new(info, endpoint, &msg);
	else if (attrs[NB_A_ENDPOINT_FROM])
		err = nb_nl_connect_from(info, endpoint, &msg);
	else
		err = nb_nl_connect_own(info, endpoint, &msg);
	nb_endpoint_put(endpoint);
	return nb_nl_result(info, err, &msg);
}

int nb_nl_disconnect(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *timeout = info->attrs[NB_A_ENDPOINT_TIMEOUT];
	struct nb_endpoint *endpoint;
	struct nb_msg msg = {};
	int err;

	endpoint = nb_nl_subject(info, NB_A_ENDPOINT_ID);
	if (IS_ERR(endpoint))
		return PTR_ERR(endpoint);
	err = nb_endpoint_disconnect(endpoint, timeout ? nla_get_u64(timeout) : NB_NO_TIMEOUT,
				     &msg);
	if (err)
		nb_nl_blame(info, NB_A_ENDPOINT_ID);
	nb_endpoint_put(endpoint);
	return nb_nl_result(info, err, &msg);
}
