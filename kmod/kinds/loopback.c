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

static void nb_loopback_copy_pieces(struct nb_queue *queue, const struct nb_packet *packet)
{
	struct nb_packet_iter iter = { .packet = packet };
	const void *from;
	u32 len;

	while ((from = nb_packet_next(queue, &iter, packet->len, &len)))
		nb_rx_write(queue, from, len);
}

static void nb_loopback_copy(struct nb_queue *queue, const struct nb_packet *packet)
{
	const void *from = nb_packet_contiguous(packet);
	struct nb_rx_metadata meta = { .len = packet->len };

	if (likely(from))
		nb_rx_write(queue, from, packet->len);
	else
		nb_loopback_copy_pieces(queue, packet);
	if (packet->seg->flags & NB_TX_VLAN) {
		meta.flags = NB_RX_VLAN;
		meta.vlan = packet->seg->vlan;
	}
	nb_rx_complete(queue, &meta);
}

static unsigned int nb_loopback_tx(struct nb_queue *queue, struct nb_packet *packets,
				   unsigned int n)
{
	unsigned int i;

	nb_rx_begin(queue);
	for (i = 0; i < n; i++) {
		u32 capacity;

		if (packets[i].status != NB_TX_OK)
			continue;
		capacity = nb_rx_peek(queue);
		if (!capacity) {
			if (nb_rx_wait(queue))
				break;
			capacity = nb_rx_peek(queue);
		}
		if (packets[i].len > capacity)
			nb_rx_too_small(queue);
		else
			nb_loopback_copy(queue, &packets[i]);
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
