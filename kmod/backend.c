// SPDX-License-Identifier: GPL-2.0
/*
 * What every kind's instance begins with, and what it tells the endpoint that it is
 * plugged in to.
 *
 * &nb_backend.lock holds the endpoint while it is told: an endpoint unplugs its backend
 * before it goes.  Any context, but to create and to destroy.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <net/net_namespace.h>

#include "changes.h"
#include "endpoint.h"
#include "ioctl.h"
#include "kind.h"
#include "trace.h"

struct nb_backend *nb_backend_create(const struct nb_endpoint_ops *ops,
				     const struct nb_backend_params *params,
				     struct nb_msg *msg)
{
	if (ops->needs_net_admin && !ns_capable(params->net->user_ns, CAP_NET_ADMIN)) {
		nb_msg(msg, "kind '%s' needs CAP_NET_ADMIN over its network namespace",
		       ops->name);
		return ERR_PTR(-EPERM);
	}
	return ops->create(params, msg);
}

void nb_backend_destroy(struct nb_backend *backend)
{
	const struct nb_endpoint_ops *ops = backend->ops;

	ops->destroy(backend);
	nb_kind_put(ops);
}

void nb_backend_init(struct nb_backend *backend, const struct nb_endpoint_ops *ops,
		     const struct nb_backend_params *params, bool link_up)
{
	backend->ops = ops;
	backend->max_queues = params->max_queues;
	backend->link_up = link_up;
	spin_lock_init(&backend->lock);
}
EXPORT_SYMBOL_GPL(nb_backend_init);

/* The endpoint that it is plugged in to hears of the link. */
static void nb_backend_tell_link(struct nb_backend *backend)
{
	struct nb_endpoint *endpoint = backend->endpoint;
	bool changed;

	lockdep_assert_held(&backend->lock);
	changed = nb_actions_set_backend_link(&endpoint->actions, backend->link_up);
	trace_nb_link(endpoint);
	if (changed)
		nb_event_note(endpoint, backend->link_up ? NB_EVENT_LINK_UP :
							   NB_EVENT_LINK_DOWN);
}

/* The same, and that it has to restart, and that there is nothing to come. */
static void nb_backend_tell_end(struct nb_backend *backend)
{
	struct nb_endpoint *endpoint = backend->endpoint;
	bool changed;

	lockdep_assert_held(&backend->lock);
	changed = nb_actions_end(&endpoint->actions);
	trace_nb_link(endpoint);
	trace_nb_restart(endpoint);
	if (changed)
		nb_event_note(endpoint, NB_EVENT_LINK_DOWN);
	nb_event_note(endpoint, NB_EVENT_GONE);
}

void nb_backend_link(struct nb_backend *backend, bool up)
{
	unsigned long irq;

	spin_lock_irqsave(&backend->lock, irq);
	backend->link_up = up;
	if (backend->endpoint)
		nb_backend_tell_link(backend);
	spin_unlock_irqrestore(&backend->lock, irq);
}
EXPORT_SYMBOL_GPL(nb_backend_link);

void nb_backend_gone(struct nb_backend *backend)
{
	unsigned long irq;

	spin_lock_irqsave(&backend->lock, irq);
	backend->gone = true;
	backend->link_up = false;
	if (backend->endpoint)
		nb_backend_tell_end(backend);
	spin_unlock_irqrestore(&backend->lock, irq);
}
EXPORT_SYMBOL_GPL(nb_backend_gone);

void nb_backend_changed(struct nb_backend *backend)
{
	unsigned long irq;

	spin_lock_irqsave(&backend->lock, irq);
	if (backend->endpoint) {
		nb_endpoint_ask_restart(backend->endpoint);
		nb_event_note(backend->endpoint, NB_EVENT_CHANGED);
	}
	spin_unlock_irqrestore(&backend->lock, irq);
}
EXPORT_SYMBOL_GPL(nb_backend_changed);

void nb_backend_moved(struct nb_backend *backend)
{
	unsigned long irq;

	nb_changed_namespace();
	spin_lock_irqsave(&backend->lock, irq);
	/* An endpoint that has it from another one stays where it is. */
	if (backend->endpoint && backend->endpoint->cookie == backend->home)
		nb_event_note(backend->endpoint, NB_EVENT_MOVED);
	spin_unlock_irqrestore(&backend->lock, irq);
}

u32 nb_backend_plugged_in_to(struct nb_backend *backend, u64 net_cookie, u8 *mac)
{
	struct nb_identity identity;
	unsigned long irq;
	u32 id = 0;

	/* Holds the endpoint. */
	spin_lock_irqsave(&backend->lock, irq);
	if (backend->endpoint) {
		nb_endpoint_identity(backend->endpoint, &identity);
		if (identity.net_cookie == net_cookie)
			id = backend->endpoint->id;
		ether_addr_copy(mac, backend->endpoint->mac);
	}
	spin_unlock_irqrestore(&backend->lock, irq);
	return id;
}

void nb_backend_plug(struct nb_backend *backend, struct nb_endpoint *endpoint)
{
	unsigned long irq;

	spin_lock_irqsave(&backend->lock, irq);
	backend->endpoint = endpoint;
	WRITE_ONCE(backend->endpoint_id, endpoint->id);
	nb_actions_set_gone(&endpoint->actions, backend->gone);
	nb_actions_set_backend_link(&endpoint->actions, backend->link_up);
	spin_unlock_irqrestore(&backend->lock, irq);
}

void nb_backend_unplug(struct nb_backend *backend)
{
	unsigned long irq;

	spin_lock_irqsave(&backend->lock, irq);
	nb_actions_set_gone(&backend->endpoint->actions, false);
	nb_actions_set_backend_link(&backend->endpoint->actions, false);
	backend->endpoint = NULL;
	spin_unlock_irqrestore(&backend->lock, irq);
}
