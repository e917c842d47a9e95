/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets of a guest ↔ skbs, for the kinds that speak with the host's stack.
 */
#ifndef _NB_SKB_H
#define _NB_SKB_H

#include <linux/netdev_features.h>

#include "zerocopy.h"

struct nb_packet;
struct nb_queue;
struct sk_buff;

/**
 * nb_skb_build() - make an skb of a packet that the guest sends
 * @queue: the queue
 * @packet: the packet; gets its status if there is no skb
 *
 * In ops->tx.  Offloads that the packet's head asks for are prepared
 * (CHECKSUM_PARTIAL, GSO), a VLAN tag is put beside the packet.
 *
 * Return: an skb whose data begins with the Ethernet header, without device and
 * protocol; or NULL.
 */
struct sk_buff *nb_skb_build(struct nb_queue *queue, struct nb_packet *packet);

/* The same; its payload may stay in guest memory. */
struct sk_buff *nb_skb_build_zerocopy(struct nb_queue *queue, struct nb_packet *packet);

/**
 * nb_skb_build_any() - the same, by copy or without, as the queue is and the packet
 * @queue: the queue
 * @packet: the packet, which the kind then takes, skb or not
 */
static inline struct sk_buff *nb_skb_build_any(struct nb_queue *queue,
					       struct nb_packet *packet)
{
	if (unlikely(packet->len >= NB_ZEROCOPY_MIN) && queue->zerocopy)
		return nb_skb_build_zerocopy(queue, packet);
	return nb_skb_build(queue, packet);
}

/* What a frontend takes (&nb_queue.flags), as features of a device that sends to it. */
netdev_features_t nb_skb_features(u32 queue_flags);

/**
 * nb_skb_deliver() - put an skb into the buffer at hand, and complete it
 * @queue: the queue, after nb_rx_peek() has said that the buffer is large enough
 * @skb: skb->data at its Ethernet header; stays the caller's
 *
 * Where the receive side may be used, see buffer.h.
 */
void nb_skb_deliver(struct nb_queue *queue, const struct sk_buff *skb);

#endif /* _NB_SKB_H */
