// SPDX-License-Identifier: GPL-2.0
/*
 * The registry of kinds.  nb_kinds_lock protects the list, and &nb_kind_load; it is taken
 * alone.  Process context.
 */
#include <linux/ctype.h>
#include <linux/jiffies.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "ioctl.h"
#include "kind.h"

static DEFINE_MUTEX(nb_kinds_lock);
static LIST_HEAD(nb_kinds);
static u32 nb_kinds_generation;

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

int __nb_register_kind(struct nb_endpoint_ops *ops, struct module *owner)
{
	int err = 0;

	if (!nb_kind_name_ok(ops->name) || !nb_kind_whole(ops))
		return -EINVAL;
	mutex_lock(&nb_kinds_lock);
	if (nb_kind_find(ops->name)) {
		err = -EEXIST;
	} else {
		ops->owner = owner;
		list_add_tail(&ops->list, &nb_kinds);
	}
	nb_kinds_generation++;
	mutex_unlock(&nb_kinds_lock);
	return err;
}
EXPORT_SYMBOL_GPL(__nb_register_kind);

void nb_unregister_kind(struct nb_endpoint_ops *ops)
{
	mutex_lock(&nb_kinds_lock);
	list_del(&ops->list);
	nb_kinds_generation++;
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

static int nb_kind_check_name(const char *name, struct nb_msg *msg)
{
	if (nb_kind_name_ok(name))
		return 0;
	nb_msg(msg, "a kind's name is 1 to %d letters, digits, '-' and '_'", NB_KIND_LEN - 1);
	return -EINVAL;
}

static struct nb_endpoint_ops *nb_kind_unknown(const char *name, struct nb_msg *msg)
{
	nb_msg(msg, "there is no kind '%s', and no module net_backend-%s that brings it",
	       name, name);
	return ERR_PTR(-ENOENT);
}

const struct nb_endpoint_ops *nb_kind_get(const char *name, struct nb_msg *msg)
{
	int err = nb_kind_check_name(name, msg);
	struct nb_endpoint_ops *ops;

	if (err)
		return ERR_PTR(err);
	ops = nb_kind_try_get(name);
	if (!ops) {
		request_module("net_backend-%s", name);
		ops = nb_kind_try_get(name);
	}
	return ops ?: nb_kind_unknown(name, msg);
}

/* ---- for who must not wait ----------------------------------------------- */

/* Who asks again within that time is told that it was in vain. */
#define NB_KIND_TRIED		(10 * HZ)

/**
 * struct nb_kind_load - a kind that is being loaded, or could not be
 * @work: loads it
 * @busy: is about to, and @name is the work's
 * @name: of the kind; empty for none
 * @until: jiffies until which it counts that it could not be
 */
struct nb_kind_load {
	struct work_struct work;
	bool busy;
	char name[NB_KIND_LEN];
	unsigned long until;
};

static void nb_kind_load_work(struct work_struct *work);

static struct nb_kind_load nb_kind_load = {
	.work = __WORK_INITIALIZER(nb_kind_load.work, nb_kind_load_work),
};

static void nb_kind_load_work(struct work_struct *work)
{
	request_module("net_backend-%s", nb_kind_load.name);
	mutex_lock(&nb_kinds_lock);
	nb_kind_load.busy = false;
	nb_kind_load.until = jiffies + NB_KIND_TRIED;
	if (nb_kind_find(nb_kind_load.name))
		nb_kind_load.name[0] = '\0';
	mutex_unlock(&nb_kinds_lock);
}

/* Return: false if that has just been tried, in vain. */
static bool nb_kind_begin_load(const char *name)
{
	bool tried;

	mutex_lock(&nb_kinds_lock);
	tried = !nb_kind_load.busy && !strcmp(nb_kind_load.name, name) &&
		time_before(jiffies, nb_kind_load.until);
	/* One at a time. */
	if (!nb_kind_load.busy && !tried) {
		strscpy(nb_kind_load.name, name, sizeof(nb_kind_load.name));
		nb_kind_load.busy = true;
		schedule_work(&nb_kind_load.work);
	}
	mutex_unlock(&nb_kinds_lock);
	return !tried;
}

const struct nb_endpoint_ops *nb_kind_get_nowait(const char *name, struct nb_msg *msg)
{
	int err = nb_kind_check_name(name, msg);
	struct nb_endpoint_ops *ops;

	if (err)
		return ERR_PTR(err);
	ops = nb_kind_try_get(name);
	if (ops)
		return ops;
	if (!nb_kind_begin_load(name))
		return nb_kind_unknown(name, msg);
	nb_msg(msg, "the module of kind '%s' is being loaded; try again", name);
	return ERR_PTR(-EAGAIN);
}

void nb_kind_load_exit(void)
{
	flush_work(&nb_kind_load.work);
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

bool nb_kind_describe(unsigned int index, struct nb_kind_about *about)
{
	struct nb_endpoint_ops *ops;
	bool found = false;

	mutex_lock(&nb_kinds_lock);
	about->generation = nb_kinds_generation;
	list_for_each_entry(ops, &nb_kinds, list) {
		if (index--)
			continue;
		strscpy(about->name, ops->name, sizeof(about->name));
		strscpy(about->module, module_name(ops->owner), sizeof(about->module));
		about->max_queues = ops->max_queues;
		about->params_size = ops->params_size;
		found = true;
		break;
	}
	mutex_unlock(&nb_kinds_lock);
	return found;
}
