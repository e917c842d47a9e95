// SPDX-License-Identifier: GPL-2.0
/*
 * Kind loopback: each transmit comes back as a receive on the same queue, with one
 * copy from guest buffer to guest buffer.  Transmits are taken only while there are
 * receive buffers.
 *
 * The receive side of a queue is protected by its tx_lock, under which both ops run.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ioctl.h"
#include "kind.h"
#include "queue.h"

static void nb_loopback_copy_pieces(struct nb_queue *queue, const struct nb_packet *packet,
				    struct nb_rx_metadata *meta)
{
	struct nb_packet_iter iter = { .packet = packet };
	const void *from;
	u32 len;

	while ((from = nb_packet_next(queue, &iter, packet->len, &len)))
		nb_rx_write(queue, from, len);
	nb_rx_complete(queue, meta);
}

/* Return: false if there is no buffer. */
static bool nb_loopback_copy(struct nb_queue *queue, const struct nb_packet *packet)
{
	const void *from = nb_packet_contiguous(packet);
	struct nb_rx_metadata meta = { .len = packet->len };
	u32 capacity;

	if (packet->seg->flags & NB_TX_VLAN) {
		meta.flags = NB_RX_VLAN;
		meta.vlan = packet->seg->vlan;
	}
	if (likely(from))
		return nb_rx_put(queue, from, &meta);
	capacity = nb_rx_peek(queue);
	if (capacity >= packet->len)
		nb_loopback_copy_pieces(queue, packet, &meta);
	else if (capacity)
		nb_rx_too_small(queue);
	return capacity;
}

/* One that is not to be sent is done with. */
static bool nb_loopback_one(struct nb_queue *queue, const struct nb_packet *packet)
{
	if (packet->status != NB_TX_OK || nb_loopback_copy(queue, packet))
		return true;
	return !nb_rx_wait(queue) && nb_loopback_copy(queue, packet);
}

static unsigned int nb_loopback_tx(struct nb_queue *queue, struct nb_packet *packets,
				   unsigned int n)
{
	unsigned int i = 0;

	nb_rx_begin(queue);
	while (i < n) {
		i += nb_rx_put_singles(queue, i);
		if (i < n && nb_loopback_one(queue, &packets[i]))
			i++;
		else
			break;
	}
	nb_rx_flush(queue);
	return i;
}

/* What was left in tx-avail is offered again by nb_queue_drive(). */
static void nb_loopback_rx_avail(struct nb_queue *queue)
{
	nb_rx_stop_waiting(queue);
}

static const struct nb_queue_ops nb_loopback_queue_ops = {
	.tx = nb_loopback_tx,
	.rx_avail = nb_loopback_rx_avail,
};

static struct nb_backend *nb_loopback_create(const struct nb_backend_params *params,
					     struct nb_msg *msg)
{
	struct nb_backend *backend;

	if (params->mtu) {
		nb_msg(msg, "kind loopback has no MTU");
		msg->about = NB_ABOUT_MTU;
		return ERR_PTR(-EINVAL);
	}
	backend = kzalloc(sizeof(*backend), GFP_KERNEL_ACCOUNT);
	if (!backend)
		return ERR_PTR(-ENOMEM);
	nb_backend_init(backend, &nb_loopback_ops, params, true);
	return backend;
}

static void nb_loopback_destroy(struct nb_backend *backend)
{
	kfree(backend);
}

static int nb_loopback_info(struct nb_backend *backend, struct nb_endpoint_info *info)
{
	/* Not fast: a transmit waits for a receive buffer. */
	info->properties = NB_ENDPOINT_ORDERED;
	info->indirection_table_size = 64;
	return 0;
}

struct nb_endpoint_ops nb_loopback_ops = {
	.name = "loopback",
	.max_queues = NB_MAX_QUEUES,
	.queue_ops = &nb_loopback_queue_ops,
	.create = nb_loopback_create,
	.destroy = nb_loopback_destroy,
	.info = nb_loopback_info,
};
