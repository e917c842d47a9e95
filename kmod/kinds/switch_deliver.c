// SPDX-License-Identifier: GPL-2.0
/*
 * Packets of a sender's batch, into the buffers of one queue: one copy, under the
 * queue's rx_lock, taken once.  Nobody waits: what finds no buffer is dropped and
 * counted with the port that has none.
 *
 * To the uplink, packets become skbs, without a lock.  Bottom halves are off, in the
 * sender's RCU read section.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

#include "compat.h"
#include "queue.h"
#include "rx_run.h"
#include "skb.h"
#include "switch.h"

/**
 * struct nb_delivery - what became of packets that could not be delivered
 * @no_buffer: see &enum nb_drop
 * @too_small: the same
 * @down: the same
 * @vlan: the same, of the sender
 */
struct nb_delivery {
	u32 no_buffer;
	u32 too_small;
	u32 down;
	u32 vlan;
};

static void nb_delivery_count(struct nb_port *to, const struct nb_delivery *d)
{
	if (d->no_buffer)
		atomic64_add(d->no_buffer, &to->drops[NB_DROP_NO_BUFFER]);
	if (d->too_small)
		atomic64_add(d->too_small, &to->drops[NB_DROP_TOO_SMALL]);
	if (d->down)
		nb_port_drop(to, NB_TRACE_RX, NB_DROP_DOWN, d->down);
}

/* ---- to a guest ---------------------------------------------------------- */

/* The packet without the tag in its bytes. */
static void nb_deliver_stripped(struct nb_queue *from, struct nb_queue *to,
				const struct nb_packet *packet, const struct nb_frame *frame)
{
	struct nb_packet_iter iter = { .packet = packet };
	u8 head[NB_FRAME_HEAD + 2];
	const void *bytes;
	u32 len;

	/* Behind what is known already. */
	nb_packet_copy(from, &iter, head, sizeof(head));
	nb_rx_write(to, frame->head, 2 * ETH_ALEN);
	nb_rx_write(to, frame->inner, sizeof(frame->inner));
	while ((bytes = nb_packet_next(from, &iter, packet->len, &len)))
		nb_rx_write(to, bytes, len);
}

static void nb_deliver_pieces(struct nb_queue *from, struct nb_queue *to,
			      const struct nb_packet *packet)
{
	struct nb_packet_iter iter = { .packet = packet };
	const void *bytes;
	u32 len;

	while ((bytes = nb_packet_next(from, &iter, packet->len, &len)))
		nb_rx_write(to, bytes, len);
}

/* As most are: from one piece into one piece.  What was looked at is what arrives. */
static __always_inline bool nb_deliver_at_once(struct nb_queue *to,
					       const struct nb_packet *packet,
					       const struct nb_frame *frame)
{
	const struct nb_buffer_segment *first = &to->buffer.seg[0];
	const void *bytes = nb_packet_contiguous(packet);

	if (unlikely(!bytes || !first->va || first->len < packet->len ||
		     packet->len < NB_FRAME_HEAD))
		return false;
	memcpy(first->va, frame->head, NB_FRAME_HEAD);
	memcpy(first->va + NB_FRAME_HEAD, bytes + NB_FRAME_HEAD, packet->len - NB_FRAME_HEAD);
	return true;
}

/* The same for any other. */
static noinline void nb_deliver_whole(struct nb_queue *from, struct nb_queue *to,
				      const struct nb_packet *packet,
				      const struct nb_frame *frame)
{
	const struct nb_buffer_segment *first = &to->buffer.seg[0];

	nb_deliver_pieces(from, to, packet);
	if (likely(first->va && first->len >= NB_FRAME_HEAD &&
		   packet->len >= NB_FRAME_HEAD))
		memcpy(first->va, frame->head, NB_FRAME_HEAD);
	else
		nb_rx_rewrite(to, frame->head, min_t(u32, packet->len, NB_FRAME_HEAD));
}

/* A packet with a tag or in a VLAN, if the buffer at hand is large enough. */
static noinline void nb_deliver_vlan(struct nb_forward *forward, struct nb_port_queue *pq,
				     unsigned int i, u32 capacity, struct nb_delivery *d)
{
	const struct nb_packet *packet = &forward->packets[i];
	const struct nb_frame *frame = &forward->frame[i];
	struct nb_rx_metadata meta = { .len = packet->len };
	struct nb_egress egress;

	if (unlikely(!nb_port_egress(pq->port, frame, &egress))) {
		d->vlan++;
		return;
	}
	if (unlikely(egress.strip))
		meta.len -= VLAN_HLEN;
	if (unlikely(meta.len > capacity)) {
		nb_rx_too_small(pq->queue);
		d->too_small++;
		return;
	}
	if (unlikely(egress.strip))
		nb_deliver_stripped(forward->queue, pq->queue, packet, frame);
	else
		nb_deliver_whole(forward->queue, pq->queue, packet, frame);
	if (unlikely(egress.tagged)) {
		meta.flags = NB_RX_VLAN;
		meta.vlan = egress.tci;
	}
	meta.hash = frame->hash;
	nb_rx_complete(pq->queue, &meta);
}

/* A packet without, if the buffer at hand is large enough. */
static __always_inline void nb_deliver_plain(struct nb_forward *forward, struct nb_queue *to,
					     unsigned int i, u32 capacity,
					     struct nb_delivery *d)
{
	const struct nb_packet *packet = &forward->packets[i];
	const struct nb_frame *frame = &forward->frame[i];
	struct nb_rx_metadata meta = { .len = packet->len, .hash = frame->hash };

	if (unlikely(meta.len > capacity)) {
		nb_rx_too_small(to);
		d->too_small++;
		return;
	}
	if (unlikely(!nb_deliver_at_once(to, packet, frame)))
		nb_deliver_whole(forward->queue, to, packet, frame);
	nb_rx_complete(to, &meta);
}

/* Whether the frontend of a queue takes packets at all.  Under rx_lock. */
static bool nb_port_queue_runs(const struct nb_port_queue *pq)
{
	lockdep_assert_held(&pq->rx_lock);
	return pq->queue && !nb_queue_check(pq->queue) &&
	       !READ_ONCE(pq->port->backend.link_disabled);
}

static unsigned int nb_group_count(const struct nb_forward *forward,
				   const struct nb_group *group, unsigned int i)
{
	unsigned int n = 1;

	for (; i != group->last; i = forward->next[i])
		n++;
	return n;
}

static void nb_deliver_no_buffer(struct nb_queue *to, unsigned int n,
				 struct nb_delivery *d)
{
	d->no_buffer += n;
	while (n--)
		nb_rx_no_buffer(to);
}

/*
 * Packets from *@i on that are in one piece, and have no tag, into buffers of one segment.
 * What was looked at is what arrives.
 *
 * Return: true if these were all of the group; else *@i is the first one that is left.
 */
static bool nb_deliver_run(struct nb_forward *forward, const struct nb_group *group,
			   unsigned int *i)
{
	const unsigned int last = group->last;
	struct nb_queue *to = group->pq->queue;
	unsigned int k = *i, n, max;
	struct nb_rx_run run;
	u64 bytes = 0;

	max = nb_rx_run_begin(to, &run, NB_BATCH);
	for (n = 0; n < max; k = forward->next[k]) {
		const struct nb_packet *packet = &forward->packets[k];
		const struct nb_frame *frame = &forward->frame[k];
		const void *from = nb_packet_contiguous(packet);
		u32 len = packet->len;
		void *place;

		if (unlikely(!from || len < NB_FRAME_HEAD || !nb_frame_is_plain(frame)))
			break;
		place = nb_rx_run_place(&run, n, len);
		if (unlikely(!place))
			break;
		memcpy(place, frame->head, NB_FRAME_HEAD);
		memcpy(place + NB_FRAME_HEAD, from + NB_FRAME_HEAD, len - NB_FRAME_HEAD);
		nb_rx_run_complete(&run, n++, len, frame->hash);
		bytes += len;
		if (k == last) {
			nb_rx_run_end(to, n, bytes);
			return true;
		}
	}
	nb_rx_run_end(to, n, bytes);
	*i = k;
	return false;
}

/* Under the rx_lock of a queue that runs.  Without a buffer, the rest is dropped. */
static void nb_deliver_packets(struct nb_forward *forward, const struct nb_group *group,
			       struct nb_delivery *d)
{
	struct nb_queue *to = group->pq->queue;
	unsigned int i = group->first;

	nb_rx_begin(to);
	for (;;) {
		u32 capacity;

		if (likely(nb_packet_contiguous(&forward->packets[i])) &&
		    nb_deliver_run(forward, group, &i))
			break;
		capacity = nb_rx_peek(to);
		if (unlikely(!capacity)) {
			nb_deliver_no_buffer(to, nb_group_count(forward, group, i), d);
			break;
		}
		if (likely(nb_frame_is_plain(&forward->frame[i])))
			nb_deliver_plain(forward, to, i, capacity, d);
		else
			nb_deliver_vlan(forward, group->pq, i, capacity, d);
		if (i == group->last)
			break;
		i = forward->next[i];
	}
	nb_rx_flush(to);
}

/* ---- to the uplink ------------------------------------------------------- */

/* What a packet is like when it leaves by a port whose packets are skbs, or came as one. */
static void nb_skb_set_tag(struct sk_buff *skb, const struct nb_egress *egress)
{
	if (egress->tagged)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), egress->tci);
	else
		__vlan_hwaccel_clear_tag(skb);
}

/* What was looked at is what arrives: the tag, and that there is no other behind it. */
static void nb_deliver_rewrite(struct sk_buff *skb, const struct nb_frame *frame)
{
	memcpy(skb->data, frame->head, min_t(u32, skb->len, NB_FRAME_HEAD));
	if (frame->vlan.tag == NB_TAG_INSIDE)
		memcpy(skb->data + NB_FRAME_HEAD, frame->inner, sizeof(frame->inner));
}

/* An uplink has no buffers but the host's memory. */
static void nb_deliver_no_memory(const struct nb_port *to, struct nb_delivery *d)
{
	d->no_buffer++;
	trace_nb_drop(READ_ONCE(to->backend.endpoint_id), NB_TRACE_NO_QUEUE, NB_TRACE_RX,
		      NB_DROP_NO_BUFFER, 1);
}

static struct sk_buff *nb_deliver_build(struct nb_forward *forward, struct nb_port *to,
					unsigned int i, struct net_device *dev,
					struct nb_delivery *d)
{
	const struct nb_frame *frame = &forward->frame[i];
	struct nb_packet *packet = &forward->packets[i];
	struct nb_egress egress;
	struct sk_buff *skb;
	u16 tci;

	if (!nb_port_egress(to, frame, &egress)) {
		d->vlan++;
		return NULL;
	}
	skb = nb_skb_build(forward->queue, packet);
	if (!skb) {
		/* It may have arrived elsewhere. */
		packet->status = NB_TX_OK;
		nb_deliver_no_memory(to, d);
		return NULL;
	}
	nb_deliver_rewrite(skb, frame);
	skb_reset_mac_header(skb);
	__vlan_hwaccel_clear_tag(skb);
	if (egress.strip && __skb_vlan_pop(skb, &tci)) {
		nb_drop_skb(skb, NB_DROP_NO_MEMORY);
		nb_deliver_no_memory(to, d);
		return NULL;
	}
	nb_skb_set_tag(skb, &egress);
	skb->protocol = eth_type_trans(skb, dev);
	return skb;
}

static void nb_deliver_uplink(struct nb_forward *forward, const struct nb_group *group,
			      struct nb_delivery *d)
{
	struct nb_port *to = group->pq->port;
	struct net_device *dev = rcu_dereference(to->dev);
	unsigned int i = group->first, n = 0, bytes = 0;
	LIST_HEAD(skbs);

	if (!dev || !netif_running(dev) || READ_ONCE(to->backend.link_disabled)) {
		d->down += nb_group_count(forward, group, i);
		return;
	}
	for (;; i = forward->next[i]) {
		struct sk_buff *skb = nb_deliver_build(forward, to, i, dev, d);

		if (skb) {
			list_add_tail(&skb->list, &skbs);
			bytes += skb->len + ETH_HLEN;
			n++;
		}
		if (i == group->last)
			break;
	}
	nb_uplink_receive(dev, &skbs, n, bytes);
}

void nb_deliver_group(struct nb_forward *forward, struct nb_group *group)
{
	struct nb_port_queue *pq = group->pq;
	struct nb_delivery d = {};

	if (unlikely(pq->port->is_uplink)) {
		nb_deliver_uplink(forward, group, &d);
	} else {
		spin_lock(&pq->rx_lock);
		if (likely(nb_port_queue_runs(pq)))
			nb_deliver_packets(forward, group, &d);
		else
			d.down += nb_group_count(forward, group, group->first);
		spin_unlock(&pq->rx_lock);
	}
	nb_delivery_count(pq->port, &d);
	if (unlikely(d.vlan))
		nb_forward_drop(forward, NB_DROP_VLAN, d.vlan);
	group->pq = NULL;
}

/* ---- what the host sends ------------------------------------------------- */

static void nb_deliver_skb_locked(struct nb_port_queue *pq, struct sk_buff *skb,
				  const struct nb_frame *frame, struct nb_delivery *d)
{
	struct nb_egress egress;
	u32 capacity;

	if (!nb_port_egress(pq->port, frame, &egress)) {
		d->vlan++;
		return;
	}
	nb_rx_begin(pq->queue);
	capacity = nb_rx_peek(pq->queue);
	if (!capacity) {
		nb_deliver_no_buffer(pq->queue, 1, d);
	} else if (skb->len > capacity) {
		nb_rx_too_small(pq->queue);
		d->too_small++;
	} else {
		nb_skb_set_tag(skb, &egress);
		if (frame->hash)
			__skb_set_sw_hash(skb, frame->hash, true);
		nb_skb_deliver(pq->queue, skb);
	}
	nb_rx_flush(pq->queue);
}

void nb_deliver_skb(struct nb_port *from, struct nb_port_queue *pq, struct sk_buff *skb,
		    struct nb_frame *frame)
{
	struct nb_delivery d = {};

	spin_lock(&pq->rx_lock);
	if (likely(nb_port_queue_runs(pq)))
		nb_deliver_skb_locked(pq, skb, frame, &d);
	else
		d.down++;
	spin_unlock(&pq->rx_lock);
	nb_delivery_count(pq->port, &d);
	if (d.vlan)
		nb_port_drop(from, NB_TRACE_TX, NB_DROP_VLAN, d.vlan);
}
