// SPDX-License-Identifier: GPL-2.0
/*
 * NB_ENDPOINT_SET_MULTICAST: the list is copied and checked, the backend uses it.
 * &nb_endpoint.lock for the latter; process context.
 */
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "endpoint.h"
#include "ioctl.h"

static int nb_multicast_check(const struct nb_set_multicast *arg, struct nb_msg *msg)
{
	if (arg->reserved || (!arg->list && arg->n)) {
		nb_msg(msg, "reserved is not 0, or n without list");
		return -EINVAL;
	}
	if ((arg->flags & NB_MULTICAST_ALL) && arg->n) {
		nb_msg(msg, "NB_MULTICAST_ALL with a list of %u", arg->n);
		return -EINVAL;
	}
	if (arg->n > NB_MAX_MULTICAST) {
		nb_msg(msg, "a list of %u addresses; %d are possible", arg->n,
		       NB_MAX_MULTICAST);
		return -EINVAL;
	}
	return 0;
}

/* For kfree(); NULL for an empty one. */
static struct nb_multicast *nb_multicast_copy(const struct nb_set_multicast *arg,
					      struct nb_msg *msg)
{
	struct nb_multicast *list;
	unsigned int i;

	if (!arg->n)
		return NULL;
	list = memdup_user(u64_to_user_ptr(arg->list), arg->n * sizeof(*list));
	if (IS_ERR(list))
		return list;
	for (i = 0; i < arg->n; i++) {
		if (is_multicast_ether_addr(list[i].mac))
			continue;
		nb_msg(msg, "%pM is not the address of a group", list[i].mac);
		kfree(list);
		return ERR_PTR(-EINVAL);
	}
	return list;
}

int nb_endpoint_set_multicast(struct nb_endpoint *endpoint,
			      const struct nb_set_multicast *arg, struct nb_msg *msg)
{
	struct nb_multicast *list;
	struct nb_backend *backend;
	int err;

	err = nb_multicast_check(arg, msg);
	if (err)
		return err;
	list = nb_multicast_copy(arg, msg);
	if (IS_ERR(list))
		return PTR_ERR(list);
	mutex_lock(&endpoint->lock);
	backend = nb_endpoint_plugged(endpoint);
	if (backend && backend->ops->set_multicast) {
		err = backend->ops->set_multicast(backend, list, arg->n,
						  arg->flags & NB_MULTICAST_ALL, msg);
	} else {
		nb_msg(msg, "the backend does not filter");
		err = -EOPNOTSUPP;
	}
	mutex_unlock(&endpoint->lock);
	kfree(list);
	return err;
}
