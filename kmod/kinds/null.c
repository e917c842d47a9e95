// SPDX-License-Identifier: GPL-2.0
/*
 * Kind null: accepts and discards every transmit at once, never receives.
 *
 * Owns nothing but its backend; takes no locks.  Context as in kind.h.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ioctl.h"
#include "kind.h"
#include "packet.h"

static const struct nb_queue_ops nb_null_queue_ops = {
	.tx = nb_tx_discard,
};

static struct nb_backend *nb_null_create(const struct nb_backend_params *params,
					 struct nb_msg *msg)
{
	struct nb_backend *backend;

	if (params->mtu) {
		nb_msg(msg, "kind null has no MTU");
		msg->about = NB_ABOUT_MTU;
		return ERR_PTR(-EINVAL);
	}
	backend = kzalloc(sizeof(*backend), GFP_KERNEL_ACCOUNT);
	if (!backend)
		return ERR_PTR(-ENOMEM);
	nb_backend_init(backend, &nb_null_ops, params, true);
	return backend;
}

static void nb_null_destroy(struct nb_backend *backend)
{
	kfree(backend);
}

static int nb_null_info(struct nb_backend *backend, struct nb_endpoint_info *info)
{
	info->properties = NB_ENDPOINT_ORDERED | NB_ENDPOINT_TX_FAST_COMPLETIONS;
	info->tx_offloads = NB_OFFLOAD_IPV4_HEADER | NB_OFFLOAD_TCP | NB_OFFLOAD_UDP |
			    NB_OFFLOAD_TSO | NB_OFFLOAD_USO;
	info->indirection_table_size = 128;
	return 0;
}

static int nb_null_set_data_path(struct nb_backend *backend, bool to_guest_vf,
				 struct nb_msg *msg)
{
	return to_guest_vf ? -EOPNOTSUPP : 0;
}

struct nb_endpoint_ops nb_null_ops = {
	.name = "null",
	.max_queues = NB_MAX_QUEUES,
	.queue_ops = &nb_null_queue_ops,
	.create = nb_null_create,
	.destroy = nb_null_destroy,
	.info = nb_null_info,
	.set_data_path = nb_null_set_data_path,
};
