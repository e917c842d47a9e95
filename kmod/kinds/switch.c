// SPDX-License-Identifier: GPL-2.0
/*
 * Kind switch: a port of a learning Ethernet switch.  What a guest sends is copied once,
 * into the receive buffers of the guests that it is for.
 *
 * A queue's &struct nb_port_queue outlives it: who sends to a queue finds it by RCU, and
 * looks under rx_lock whether there still is one.  So no queue waits for senders when it
 * goes, and no sender for a queue.
 *
 * Locks, each inside the one before it:
 *
 *   nb_queue.tx_lock or the transmit queue's of an uplink	of the sender
 *   nb_port_queue.rx_lock	of a receiver, one at a time
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ioctl.h"
#include "kind.h"
#include "queue.h"
#include "rss.h"
#include "switch.h"

/* ---- queues -------------------------------------------------------------- */

static void nb_port_queue_free(struct rcu_head *rcu)
{
	struct nb_port_queue *pq = container_of(rcu, struct nb_port_queue, rcu);

	kfree(pq->forward);
	kfree(pq);
}

static struct nb_port_queue *nb_port_queue_create(struct nb_port *port, struct nb_queue *queue)
{
	struct nb_port_queue *pq = kzalloc(sizeof(*pq), GFP_KERNEL_ACCOUNT);

	if (!pq)
		return NULL;
	if (queue) {
		pq->forward = kzalloc(sizeof(*pq->forward), GFP_KERNEL_ACCOUNT);
		if (!pq->forward) {
			kfree(pq);
			return NULL;
		}
	}
	spin_lock_init(&pq->rx_lock);
	pq->queue = queue;
	pq->port = port;
	pq->slot = nb_port_new_slot(port);
	return pq;
}

static void nb_port_set_rss(struct nb_port_set *set, struct nb_rss *rss)
{
	struct nb_rss *old = rcu_replace_pointer(set->rss, rss, true);

	if (old)
		kfree_rcu(old, rcu);
}

/* No packet is on its way from it. */
void nb_port_set_free(struct nb_port_set *set)
{
	unsigned int i;

	if (!set)
		return;
	for (i = 0; i < set->n && set->pq[i]; i++)
		call_rcu(&set->pq[i]->rcu, nb_port_queue_free);
	nb_port_set_rss(set, NULL);
	kfree_rcu(set, rcu);
}

struct nb_port_set *nb_port_set_create(struct nb_port *port, struct nb_queue **queues,
				       unsigned int n)
{
	struct nb_port_set *set = kzalloc(struct_size(set, pq, n), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!set)
		return NULL;
	set->n = n;
	for (i = 0; i < n; i++) {
		set->pq[i] = nb_port_queue_create(port, queues ? queues[i] : NULL);
		if (!set->pq[i]) {
			nb_port_set_free(set);
			return NULL;
		}
	}
	return set;
}

static int nb_switch_get_queues(struct nb_backend *backend, struct nb_queue **queues,
				unsigned int n, struct nb_msg *msg)
{
	struct nb_port *port = nb_port_of(backend);
	struct nb_port_set *set = nb_port_set_create(port, queues, n);
	unsigned int i;

	if (!set)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		queues[i]->priv = set->pq[i];
	rcu_assign_pointer(port->set, set);
	return 0;
}

static void nb_switch_set_rss(struct nb_backend *backend, struct nb_rss *rss)
{
	/* Under &nb_endpoint.lock, and there are queues. */
	nb_port_set_rss(rcu_dereference_protected(nb_port_of(backend)->set, true), rss);
}

/* From here on, who wants to deliver to the queue finds none. */
static void nb_switch_put_queue(struct nb_backend *backend, struct nb_queue *queue)
{
	struct nb_port *port = nb_port_of(backend);
	struct nb_port_queue *pq = queue->priv;

	spin_lock_bh(&pq->rx_lock);
	pq->queue = NULL;
	spin_unlock_bh(&pq->rx_lock);
	if (backend->n_queues > 1)
		return;
	nb_port_set_free(rcu_replace_pointer(port->set, NULL, true));
}

/* Who delivers looks under rx_lock whether the queue runs. */
static void nb_switch_quiesce(struct nb_queue *queue)
{
	struct nb_port_queue *pq = queue->priv;

	spin_lock(&pq->rx_lock);
	nb_rx_quiesce(queue);
	spin_unlock(&pq->rx_lock);
}

static const struct nb_queue_ops nb_switch_queue_ops = {
	.tx = nb_forward_batch,
	.quiesce = nb_switch_quiesce,
};

/* ---- backend ------------------------------------------------------------- */

static struct nb_backend *nb_switch_create(const struct nb_backend_params *params,
					   struct nb_msg *msg)
{
	static const struct nb_switch_params private;
	struct nb_port *port;
	int err;

	if (params->mtu) {
		nb_msg(msg, "kind switch has no MTU");
		msg->about = NB_ABOUT_MTU;
		return ERR_PTR(-EINVAL);
	}
	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port)
		return ERR_PTR(-ENOMEM);
	nb_backend_init(&port->backend, &nb_switch_ops, params, true);
	err = nb_port_join(port, params, params->kind ?: &private, msg);
	if (err) {
		kfree(port);
		return ERR_PTR(err);
	}
	return &port->backend;
}

static void nb_switch_destroy(struct nb_backend *backend)
{
	nb_port_leave(nb_port_of(backend));
}

static int nb_switch_info(struct nb_backend *backend, struct nb_endpoint_info *info)
{
	info->properties = NB_ENDPOINT_ORDERED | NB_ENDPOINT_TX_FAST_COMPLETIONS;
	info->indirection_table_size = NB_SWITCH_RSS_TABLE;
	return 0;
}

struct nb_endpoint_ops nb_switch_ops = {
	.name = "switch",
	.max_queues = NB_SWITCH_MAX_QUEUES,
	.params_size = sizeof(struct nb_switch_params),
	.queue_ops = &nb_switch_queue_ops,
	.create = nb_switch_create,
	.destroy = nb_switch_destroy,
	.info = nb_switch_info,
	.get_queues = nb_switch_get_queues,
	.put_queue = nb_switch_put_queue,
	.set_rss = nb_switch_set_rss,
};
