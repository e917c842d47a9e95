// SPDX-License-Identifier: GPL-2.0
/*
 * The registry of kinds.  nb_kinds_lock protects the list; it is taken alone.
 * Process context.
 */
#include <linux/ctype.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "ioctl.h"
#include "kind.h"

static DEFINE_MUTEX(nb_kinds_lock);
static LIST_HEAD(nb_kinds);

static bool nb_kind_name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!isascii(name[i]) ||
		    (!isalnum(name[i]) && name[i] != '-' && name[i] != '_'))
			return false;
	return i > 0 && i < NB_KIND_LEN;
}

static struct nb_endpoint_ops *nb_kind_find(const char *name)
{
	struct nb_endpoint_ops *ops;

	lockdep_assert_held(&nb_kinds_lock);
	list_for_each_entry(ops, &nb_kinds, list)
		if (!strcmp(ops->name, name))
			return ops;
	return NULL;
}

/* Has it all that is not optional? */
static bool nb_kind_whole(const struct nb_endpoint_ops *ops)
{
	return ops->max_queues && ops->max_queues <= NB_MAX_QUEUES &&
	       ops->queue_ops && ops->queue_ops->tx &&
	       ops->create && ops->destroy && ops->info;
}

int nb_register_kind(struct nb_endpoint_ops *ops)
{
	int err = 0;

	if (!nb_kind_name_ok(ops->name) || !nb_kind_whole(ops))
		return -EINVAL;
	mutex_lock(&nb_kinds_lock);
	if (nb_kind_find(ops->name))
		err = -EEXIST;
	else
		list_add_tail(&ops->list, &nb_kinds);
	mutex_unlock(&nb_kinds_lock);
	return err;
}
EXPORT_SYMBOL_GPL(nb_register_kind);

void nb_unregister_kind(struct nb_endpoint_ops *ops)
{
	mutex_lock(&nb_kinds_lock);
	list_del(&ops->list);
	mutex_unlock(&nb_kinds_lock);
}
EXPORT_SYMBOL_GPL(nb_unregister_kind);

static struct nb_endpoint_ops *nb_kind_try_get(const char *name)
{
	struct nb_endpoint_ops *ops;

	mutex_lock(&nb_kinds_lock);
	ops = nb_kind_find(name);
	if (ops && !try_module_get(ops->owner))
		ops = NULL;
	mutex_unlock(&nb_kinds_lock);
	return ops;
}

const struct nb_endpoint_ops *nb_kind_get(const char *name, struct nb_msg *msg)
{
	struct nb_endpoint_ops *ops;

	if (!nb_kind_name_ok(name)) {
		nb_msg(msg, "a kind's name is 1 to %d letters, digits, '-' and '_'",
		       NB_KIND_LEN - 1);
		return ERR_PTR(-EINVAL);
	}
	ops = nb_kind_try_get(name);
	if (!ops) {
		request_module("net_backend-%s", name);
		ops = nb_kind_try_get(name);
	}
	if (!ops) {
		nb_msg(msg, "there is no kind '%s', and no module net_backend-%s that brings it",
		       name, name);
		return ERR_PTR(-ENOENT);
	}
	return ops;
}

void nb_kind_put(const struct nb_endpoint_ops *ops)
{
	module_put(ops->owner);
}

unsigned int nb_kind_names(struct nb_kind_name *names, unsigned int n)
{
	struct nb_endpoint_ops *ops;
	unsigned int i = 0;

	mutex_lock(&nb_kinds_lock);
	list_for_each_entry(ops, &nb_kinds, list) {
		if (i < n)
			strscpy_pad(names[i].name, ops->name, NB_KIND_LEN);
		i++;
	}
	mutex_unlock(&nb_kinds_lock);
	return i;
}
