// SPDX-License-Identifier: GPL-2.0
/*
 * Kind delay: loopback whose packets take their time, and some of which are lost.  An
 * example of a kind in a module of its own (see Documentation/kinds.rst), and a bad
 * network for tests of frontends.
 *
 * A packet is copied into an skb and held until it is due; then it goes into a receive
 * buffer of the same queue, or waits for one.  Its transmit is complete at once.
 *
 * &nb_delay_queue.lock protects what is held, and serialises the queue's receive side:
 * packets become due in a timer, outside &nb_queue.tx_lock.  It is taken with bottom
 * halves off; inside it are the locks of hrtimers.
 */
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/rbtree.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

#include <net_backend/compat.h>
#include <net_backend/kind.h>
#include <net_backend/queue.h>
#include <net_backend/skb.h>

#include "delay.h"

#define NB_DELAY_MAX_QUEUES	64

/**
 * struct nb_delay - a backend
 * @backend: what every kind's begins with
 * @params: as checked; constant
 */
struct nb_delay {
	struct nb_backend backend;
	struct nb_delay_params params;
};

/**
 * struct nb_delay_queue - &nb_queue.priv
 * @queue: the queue
 * @n_sent: packets so far, under &nb_queue.tx_lock
 * @random: under &nb_queue.tx_lock
 * @lock: see above
 * @held: skbs by when they are due, under @lock
 * @bytes: of those, under @lock
 * @timer: runs when the first of them is due
 */
struct nb_delay_queue {
	struct nb_queue *queue;
	u32 n_sent;
	struct rnd_state random;
	spinlock_t lock; /* held, bytes; the receive side */
	struct rb_root_cached held;
	u32 bytes;
	struct hrtimer timer;
};

/* What is remembered of a packet, in its skb. */
struct nb_delay_cb {
	ktime_t due;
};

static struct nb_endpoint_ops nb_delay_ops;

static struct nb_delay *nb_delay_of(struct nb_backend *backend)
{
	return container_of(backend, struct nb_delay, backend);
}

static struct nb_delay_cb *nb_delay_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct nb_delay_cb) > sizeof(skb->cb));
	return (struct nb_delay_cb *)skb->cb;
}

/* ---- what is held -------------------------------------------------------- */

static struct sk_buff *nb_delay_first(struct nb_delay_queue *dq)
{
	return rb_to_skb(rb_first_cached(&dq->held));
}

static bool nb_delay_before(struct rb_node *a, const struct rb_node *b)
{
	return ktime_before(nb_delay_cb(rb_to_skb(a))->due, nb_delay_cb(rb_to_skb(b))->due);
}

static void nb_delay_add(struct nb_delay_queue *dq, struct sk_buff *skb)
{
	dq->bytes += skb->truesize;
	rb_add_cached(&skb->rbnode, &dq->held, nb_delay_before);
}

static void nb_delay_remove(struct nb_delay_queue *dq, struct sk_buff *skb)
{
	dq->bytes -= skb->truesize;
	rb_erase_cached(&skb->rbnode, &dq->held);
}

static void nb_delay_forget(struct nb_delay_queue *dq)
{
	struct sk_buff *skb;

	while ((skb = nb_delay_first(dq))) {
		nb_delay_remove(dq, skb);
		kfree_skb(skb);
	}
}

/* ---- the data path ------------------------------------------------------- */

static void nb_delay_receive(struct nb_queue *queue, struct sk_buff *skb, u32 capacity)
{
	if (skb->len > capacity)
		nb_rx_too_small(queue);
	else
		nb_skb_deliver(queue, skb);
	consume_skb(skb);
}

/* Receive what is due, a batch at most; then wait for time or for buffers. */
static void nb_delay_run(struct nb_delay_queue *dq)
{
	struct nb_queue *queue = dq->queue;
	ktime_t now = ktime_get();
	struct sk_buff *skb;
	unsigned int i;
	int err;

	lockdep_assert_held(&dq->lock);
	err = nb_queue_check(queue);
	/* Quiesced: then nb_delay_rx_avail() goes on. */
	if (err == -ESHUTDOWN)
		return;
	if (err || READ_ONCE(queue->backend->link_disabled)) {
		nb_delay_forget(dq);
		return;
	}
	/* Then nb_delay_rx_avail() goes on. */
	if (nb_rx_waiting(queue))
		return;
	nb_rx_begin(queue);
	for (i = 0; i < NB_BATCH; i++) {
		u32 capacity;

		skb = nb_delay_first(dq);
		if (!skb || ktime_after(nb_delay_cb(skb)->due, now))
			break;
		capacity = nb_rx_peek(queue);
		if (!capacity) {
			if (nb_rx_wait(queue))
				break;
			capacity = nb_rx_peek(queue);
		}
		nb_delay_remove(dq, skb);
		nb_delay_receive(queue, skb, capacity);
	}
	nb_rx_flush(queue);
	skb = nb_delay_first(dq);
	if (skb && !nb_rx_waiting(queue))
		hrtimer_start(&dq->timer, nb_delay_cb(skb)->due, HRTIMER_MODE_ABS_SOFT);
}

static enum hrtimer_restart nb_delay_timer(struct hrtimer *timer)
{
	struct nb_delay_queue *dq = container_of(timer, struct nb_delay_queue, timer);

	spin_lock(&dq->lock);
	rcu_read_lock();
	nb_delay_run(dq);
	rcu_read_unlock();
	spin_unlock(&dq->lock);
	return HRTIMER_NORESTART;
}

static void nb_delay_send(struct nb_delay_queue *dq, struct nb_packet *packet, ktime_t now)
{
	const struct nb_delay_params *params = &nb_delay_of(dq->queue->backend)->params;
	u32 delay = params->delay_us;
	struct sk_buff *skb;

	if (params->jitter_us)
		delay += reciprocal_scale(prandom_u32_state(&dq->random),
					  params->jitter_us + 1);
	if (params->loss && ++dq->n_sent % params->loss == 0)
		return;
	if (dq->bytes >= params->limit) {
		packet->status = NB_TX_DROPPED;
		return;
	}
	skb = nb_skb_build(dq->queue, packet);
	if (!skb)
		return;
	nb_delay_cb(skb)->due = ktime_add_us(now, delay);
	nb_delay_add(dq, skb);
}

static unsigned int nb_delay_tx(struct nb_queue *queue, struct nb_packet *packets,
				unsigned int n)
{
	struct nb_delay_queue *dq = queue->priv;
	ktime_t now = ktime_get();
	unsigned int i;

	spin_lock(&dq->lock);
	for (i = 0; i < n; i++)
		if (packets[i].status == NB_TX_OK)
			nb_delay_send(dq, &packets[i], now);
	nb_delay_run(dq);
	spin_unlock(&dq->lock);
	return n;
}

static void nb_delay_rx_avail(struct nb_queue *queue)
{
	struct nb_delay_queue *dq = queue->priv;

	if (!nb_rx_stop_waiting(queue))
		return;
	spin_lock(&dq->lock);
	nb_delay_run(dq);
	spin_unlock(&dq->lock);
}

static void nb_delay_quiesce(struct nb_queue *queue)
{
	struct nb_delay_queue *dq = queue->priv;

	spin_lock(&dq->lock);
	nb_rx_quiesce(queue);
	spin_unlock(&dq->lock);
}

static const struct nb_queue_ops nb_delay_queue_ops = {
	.tx = nb_delay_tx,
	.rx_avail = nb_delay_rx_avail,
	.quiesce = nb_delay_quiesce,
};

/* ---- queues -------------------------------------------------------------- */

/* No op of the data path runs for the queue any more; the timer may. */
static void nb_delay_put_queue(struct nb_backend *backend, struct nb_queue *queue)
{
	struct nb_delay_queue *dq = queue->priv;

	hrtimer_cancel(&dq->timer);
	nb_delay_forget(dq);
	kfree(dq);
}

static struct nb_delay_queue *nb_delay_queue_create(struct nb_queue *queue, u64 seed)
{
	struct nb_delay_queue *dq = kzalloc(sizeof(*dq), GFP_KERNEL_ACCOUNT);

	if (!dq)
		return NULL;
	dq->queue = queue;
	dq->held = RB_ROOT_CACHED;
	prandom_seed_state(&dq->random, seed + queue->index);
	spin_lock_init(&dq->lock);
	nb_hrtimer_setup(&dq->timer, nb_delay_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	return dq;
}

static int nb_delay_get_queues(struct nb_backend *backend, struct nb_queue **queues,
			       unsigned int n, struct nb_msg *msg)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		queues[i]->priv = nb_delay_queue_create(queues[i],
							nb_delay_of(backend)->params.seed);
		if (!queues[i]->priv)
			goto err;
	}
	return 0;

err:
	while (i--)
		nb_delay_put_queue(backend, queues[i]);
	return -ENOMEM;
}

/* ---- the backend --------------------------------------------------------- */

static int nb_delay_check(const struct nb_delay_params *params, struct nb_msg *msg)
{
	if (params->delay_us > NB_DELAY_MAX_US || params->jitter_us > NB_DELAY_MAX_US) {
		nb_msg(msg, "delay_us %u and jitter_us %u are %u at most", params->delay_us,
		       params->jitter_us, NB_DELAY_MAX_US);
		return -EINVAL;
	}
	if (params->limit > NB_DELAY_MAX_LIMIT) {
		nb_msg(msg, "limit %u is above %u bytes", params->limit, NB_DELAY_MAX_LIMIT);
		return -EINVAL;
	}
	return 0;
}

static struct nb_backend *nb_delay_create(const struct nb_backend_params *params,
					  struct nb_msg *msg)
{
	struct nb_delay *delay;
	int err;

	if (params->mtu) {
		nb_msg(msg, "kind delay has no MTU");
		return ERR_PTR(-EINVAL);
	}
	delay = kzalloc(sizeof(*delay), GFP_KERNEL_ACCOUNT);
	if (!delay)
		return ERR_PTR(-ENOMEM);
	if (params->kind)
		delay->params = *(const struct nb_delay_params *)params->kind;
	err = nb_delay_check(&delay->params, msg);
	if (err) {
		kfree(delay);
		return ERR_PTR(err);
	}
	if (!delay->params.limit)
		delay->params.limit = NB_DELAY_LIMIT;
	nb_backend_init(&delay->backend, &nb_delay_ops, params, true);
	return &delay->backend;
}

static void nb_delay_destroy(struct nb_backend *backend)
{
	kfree(nb_delay_of(backend));
}

static int nb_delay_info(struct nb_backend *backend, struct nb_endpoint_info *info)
{
	info->properties = NB_ENDPOINT_TX_FAST_COMPLETIONS;
	if (!nb_delay_of(backend)->params.jitter_us)
		info->properties |= NB_ENDPOINT_ORDERED;
	return 0;
}

static struct nb_endpoint_ops nb_delay_ops = {
	.name = "delay",
	.max_queues = NB_DELAY_MAX_QUEUES,
	.params_size = sizeof(struct nb_delay_params),
	.queue_ops = &nb_delay_queue_ops,
	.create = nb_delay_create,
	.destroy = nb_delay_destroy,
	.info = nb_delay_info,
	.get_queues = nb_delay_get_queues,
	.put_queue = nb_delay_put_queue,
};

/* ---- the module ---------------------------------------------------------- */

/* Last of all that a module's init does: from here on, endpoints can be made. */
static int __init nb_delay_init(void)
{
	return nb_register_kind(&nb_delay_ops);
}

static void __exit nb_delay_exit(void)
{
	nb_unregister_kind(&nb_delay_ops);
}

module_init(nb_delay_init);
module_exit(nb_delay_exit);

MODULE_DESCRIPTION("net_backend kind delay: loopback with delay, jitter and loss");
MODULE_LICENSE("GPL");
