// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to endpoints, for whoever wants to know: the netlink family stands above
 * the endpoints, and is told by them.
 *
 * The chain's own lock protects it, inside &nb_endpoint.lock.  Process context.
 */
#include <linux/notifier.h>

#include "endpoint.h"

static BLOCKING_NOTIFIER_HEAD(nb_events);

void nb_event(struct nb_endpoint *endpoint, u32 event)
{
	lockdep_assert_held(&endpoint->lock);
	blocking_notifier_call_chain(&nb_events, event, endpoint);
}

int nb_event_register(struct notifier_block *block)
{
	return blocking_notifier_chain_register(&nb_events, block);
}

void nb_event_unregister(struct notifier_block *block)
{
	blocking_notifier_chain_unregister(&nb_events, block);
}
