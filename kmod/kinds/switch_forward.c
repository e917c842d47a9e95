// SPDX-License-Identifier: GPL-2.0
/*
 * A packet's way through the switch:
 *
 *	nb_forward_batch()	each packet of a batch, by nb_forward_packet():
 *	  nb_forward_read()	copy its head, once; which VLAN is it in, and may it be
 *	  nb_forward_learn()	where is its source
 *	  nb_forward_target()	where is its destination: one queue's group, or flood
 *	nb_forward_flush()	deliver what was collected, queue by queue
 *
 * Packets for one queue are collected, so that its lock is taken once; what is to be
 * flooded is collected, too, and never overtakes or is overtaken by what goes from the same
 * queue to one port.
 *
 * Bottom halves are off, in an RCU read section, under the sending queue's tx_lock or, for
 * what the host sends, that of the net_device's transmit queue.  Shares nothing with
 * other senders but the receive sides that it delivers to (switch_deliver.c), and, for
 * what is flooded, &nb_port.limit_lock.
 */
#include <linux/bits.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/skbuff.h>

#include "compat.h"
#include "queue.h"
#include "switch.h"

#define NB_BROADCAST	0xffffffffffffULL
#define NB_GROUP_BIT	BIT_ULL(40)

void nb_port_drop(struct nb_port *port, enum nb_trace_direction direction, enum nb_drop why,
		  u32 n)
{
	atomic64_add(n, &port->drops[why]);
	trace_nb_drop(READ_ONCE(port->backend.endpoint_id), NB_TRACE_NO_QUEUE, direction, why, n);
}

void nb_forward_drop(struct nb_forward *forward, enum nb_drop why, u32 n)
{
	forward->drops[why] += n;
	trace_nb_drop(forward->queue->endpoint->id, forward->queue->index, NB_TRACE_TX, why, n);
}

static u64 nb_frame_destination(const struct nb_frame *frame)
{
	return get_unaligned_be64(frame->head) >> 16;
}

static u64 nb_frame_source(const struct nb_frame *frame)
{
	return get_unaligned_be64(frame->head + ETH_ALEN) >> 16;
}

static u16 nb_frame_protocol(const struct nb_frame *frame)
{
	return get_unaligned_be16(frame->head + 2 * ETH_ALEN);
}

static bool nb_protocol_is_tag(u16 protocol)
{
	return protocol == ETH_P_8021Q || protocol == ETH_P_8021AD;
}

/* ---- one packet ---------------------------------------------------------- */

/*
 * The packet that most are: its head in one piece, and no tag.  What is delivered is this
 * copy of it, whatever the guest writes there from now on.
 */
static __always_inline bool nb_frame_read_plain(const struct nb_packet *packet,
						struct nb_frame *frame)
{
	if (unlikely(!packet->va[0] || packet->seg->len < NB_FRAME_HEAD ||
		     (packet->seg->flags & NB_TX_VLAN)))
		return false;
	memcpy(frame->head, packet->va[0], NB_FRAME_HEAD);
	/* From here on, only the copy. */
	barrier();
	frame->vlan = (struct nb_frame_vlan){};
	frame->hash = 0;
	return nb_frame_protocol(frame) != ETH_P_8021Q;
}

/* Any other: head and tag.  False if the tag is cut off. */
static bool nb_frame_read(struct nb_queue *queue, const struct nb_packet *packet,
			  struct nb_frame *frame)
{
	struct nb_packet_iter iter = { .packet = packet };
	struct nb_frame_vlan *vlan = &frame->vlan;

	memset(frame, 0, sizeof(*frame));
	nb_packet_copy(queue, &iter, frame->head, min_t(u32, packet->len, NB_FRAME_HEAD));
	if (packet->seg->flags & NB_TX_VLAN) {
		vlan->tag = NB_TAG_BESIDE;
		vlan->tci = packet->seg->vlan;
		vlan->hidden = nb_protocol_is_tag(nb_frame_protocol(frame));
	} else if (nb_frame_protocol(frame) == ETH_P_8021Q) {
		if (packet->len < NB_FRAME_HEAD + sizeof(frame->inner))
			return false;
		nb_packet_copy(queue, &iter, frame->inner, sizeof(frame->inner));
		vlan->tag = NB_TAG_INSIDE;
		vlan->tci = get_unaligned_be16(frame->head + ETH_HLEN);
		vlan->hidden = nb_protocol_is_tag(get_unaligned_be16(frame->inner));
	}
	return true;
}

/* The VLAN that a packet is in, if that may come in by this port. */
static bool nb_port_ingress(const struct nb_port *port, struct nb_frame_vlan *vlan)
{
	vlan->vid = vlan->tci & VLAN_VID_MASK;
	vlan->was_priority = vlan->tag != NB_TAG_NONE && !vlan->vid;
	if (!vlan->vid) {
		vlan->vid = port->pvid;
		vlan->tci |= port->pvid;
	}
	return test_bit(vlan->vid, port->vlans);
}

/* Head and VLAN of packet @i, unless @plain says that it has been read; may it come in? */
static bool nb_forward_read(struct nb_forward *forward, unsigned int i, bool plain)
{
	const struct nb_packet *packet = &forward->packets[i];
	struct nb_frame *frame = &forward->frame[i];

	if (unlikely(!plain) && !nb_frame_read(forward->queue, packet, frame))
		return false;
	if (likely(forward->port->plain && frame->vlan.tag == NB_TAG_NONE))
		return true;
	return nb_port_ingress(forward->port, &frame->vlan);
}

/* Between two ports. */
static bool nb_ports_isolated(const struct nb_port *a, const struct nb_port *b)
{
	return a->flags & b->flags & NB_SWITCH_ISOLATED;
}

/* Why a port does not get what another one sends to a station there; NB_DROP_N: it does. */
static enum nb_drop nb_port_refuses(const struct nb_port *from, const struct nb_port *to,
				    u16 vid)
{
	if (unlikely(to == from))
		return NB_DROP_SAME_PORT;
	if (unlikely(!test_bit(vid, to->vlans)))
		return NB_DROP_VLAN;
	return unlikely(nb_ports_isolated(from, to)) ? NB_DROP_ISOLATED : NB_DROP_N;
}

/* ---- flooding ------------------------------------------------------------ */

/* How many of @n packets may be flooded now. */
static unsigned int nb_port_may_flood(struct nb_port *port, enum nb_flood class,
				      unsigned int n)
{
	struct nb_flood_limit *limit = &port->limits[class];
	unsigned long now = jiffies;
	u64 more;

	if (likely(!limit->rate))
		return n;
	if (limit->rate == NB_SWITCH_FLOOD_NONE)
		return 0;
	spin_lock(&port->limit_lock);
	more = (u64)limit->rate * (now - limit->filled) / HZ;
	if (more) {
		limit->tokens = min_t(u64, limit->rate, limit->tokens + more);
		limit->filled = now;
	}
	n = min(n, limit->tokens);
	limit->tokens -= n;
	spin_unlock(&port->limit_lock);
	return n;
}

static enum nb_flood nb_flood_class(u64 destination)
{
	if (destination == NB_BROADCAST)
		return NB_FLOOD_BROADCAST;
	return destination & NB_GROUP_BIT ? NB_FLOOD_MULTICAST : NB_FLOOD_UNKNOWN;
}

/* Whether a port gets what another one floods. */
static bool nb_port_is_flooded(const struct nb_port *from, const struct nb_port *to, u16 vid)
{
	return to != from && test_bit(vid, to->vlans) && !nb_ports_isolated(from, to);
}

static void nb_forward_deliver(struct nb_forward *forward)
{
	while (forward->used) {
		unsigned int slot = __ffs(forward->used);

		forward->used &= ~(1U << slot);
		nb_deliver_group(forward, &forward->group[slot]);
	}
}

/* Packet @i is for that queue. */
static __always_inline void nb_forward_collect(struct nb_forward *forward,
					       struct nb_port_queue *pq, unsigned int i)
{
	struct nb_group *group = &forward->group[pq->slot];

	if (likely(group->pq == pq)) {
		forward->next[group->last] = i;
		group->last = i;
		return;
	}
	if (group->pq)
		nb_deliver_group(forward, group);
	group->pq = pq;
	group->first = i;
	group->last = i;
	forward->used |= 1U << pq->slot;
}

static void nb_forward_flood_to(struct nb_forward *forward, struct nb_port *to,
				unsigned int n)
{
	unsigned int k;

	for (k = 0; k < n; k++) {
		unsigned int i = forward->flood[k];
		struct nb_port_queue *pq;

		pq = nb_flow_select(to, forward->queue, &forward->packets[i],
				    &forward->frame[i]);
		if (pq)
			nb_forward_collect(forward, pq, i);
		else
			nb_port_drop(to, NB_TRACE_RX, NB_DROP_DOWN, 1);
	}
	nb_forward_deliver(forward);
}

/* What was collected to be flooded goes to all ports. */
static void nb_forward_flood(struct nb_forward *forward)
{
	struct nb_port *from = forward->port, *to;
	unsigned int n;

	n = nb_port_may_flood(from, forward->flood_class, forward->n_flood);
	if (unlikely(n < forward->n_flood))
		nb_forward_drop(forward, NB_DROP_FLOOD_LIMIT, forward->n_flood - n);
	forward->n_flood = 0;
	if (!n)
		return;
	list_for_each_entry_rcu(to, &from->sw->ports, list)
		if (nb_port_is_flooded(from, to, forward->flood_vid))
			nb_forward_flood_to(forward, to, n);
}

static void nb_forward_add_flood(struct nb_forward *forward, u64 destination, unsigned int i)
{
	enum nb_flood class = nb_flood_class(destination);
	u16 vid = forward->frame[i].vlan.vid;

	/* What was sent before arrives before. */
	nb_forward_deliver(forward);
	if (forward->n_flood &&
	    (forward->flood_class != class || forward->flood_vid != vid))
		nb_forward_flood(forward);
	forward->flood_class = class;
	forward->flood_vid = vid;
	forward->flood[forward->n_flood++] = i;
}

/* ---- a batch ------------------------------------------------------------- */

/* May a packet go to a port?  Counts one that may not. */
static bool nb_forward_may(struct nb_forward *forward, const struct nb_port *to, u16 vid)
{
	enum nb_drop why = nb_port_refuses(forward->port, to, vid);

	if (likely(why == NB_DROP_N))
		return true;
	nb_forward_drop(forward, why, 1);
	return false;
}

/* Packet @i goes to one port, that of forward->target. */
static void nb_forward_to(struct nb_forward *forward, struct nb_port *to, unsigned int i)
{
	struct nb_frame *frame = &forward->frame[i];
	struct nb_port_queue *pq;

	if (!nb_forward_may(forward, to, frame->vlan.vid))
		return;
	pq = nb_flow_select(to, forward->queue, &forward->packets[i], frame);
	if (unlikely(!pq)) {
		nb_port_drop(to, NB_TRACE_RX, NB_DROP_DOWN, 1);
		return;
	}
	if (nb_port_has_one_queue(to))
		forward->to_queue = pq;
	nb_forward_collect(forward, pq, i);
}

/* In a batch, an address that was looked up is where it was. */
static struct nb_port *nb_forward_find(struct nb_forward *forward, u64 key)
{
	if (key != forward->target) {
		forward->to = nb_table_find(&forward->port->sw->table, key);
		forward->to_queue = NULL;
		forward->target = key;
	}
	return forward->to;
}

/* Packet @i may come in; where does it go? */
static void nb_forward_target(struct nb_forward *forward, u64 key, unsigned int i)
{
	u64 destination = nb_frame_destination(&forward->frame[i]);
	struct nb_port *to = NULL;

	if (!(destination & NB_GROUP_BIT))
		to = nb_forward_find(forward, key);
	if (!to) {
		nb_forward_add_flood(forward, destination, i);
		return;
	}
	if (forward->n_flood)
		nb_forward_flood(forward);
	nb_forward_to(forward, to, i);
}

static bool nb_forward_learn(struct nb_forward *forward, u64 key)
{
	u64 source = key >> 16;

	if (unlikely(!source || (source & NB_GROUP_BIT)))
		return false;
	nb_table_learn(&forward->port->sw->table, key, forward->port);
	forward->source = key;
	return true;
}

static bool nb_frame_has_same_addresses(const struct nb_frame *a, const struct nb_frame *b)
{
	return get_unaligned_le64(a->head) == get_unaligned_le64(b->head) &&
	       get_unaligned_le32(a->head + 8) == get_unaligned_le32(b->head + 8);
}

/* Packet @i goes where the one before it went, if it goes between the same stations. */
static __always_inline bool nb_forward_again(struct nb_forward *forward, unsigned int i)
{
	struct nb_group *run = forward->run;

	if (unlikely(!run ||
		     !nb_frame_has_same_addresses(&forward->frame[i],
						  &forward->frame[run->last])))
		return false;
	forward->next[run->last] = i;
	run->last = i;
	return true;
}

static void nb_forward_new(struct nb_forward *forward, unsigned int i, bool plain)
{
	struct nb_frame *frame = &forward->frame[i];
	u64 key;

	forward->run = NULL;
	if (unlikely(!nb_forward_read(forward, i, plain))) {
		forward->drops[NB_DROP_VLAN]++;
		nb_packet_drop(&forward->packets[i], NB_DROP_VLAN);
		return;
	}
	key = NB_ADDRESS_KEY(nb_frame_source(frame), frame->vlan.vid);
	if (unlikely(key != forward->source) && !nb_forward_learn(forward, key)) {
		forward->drops[NB_DROP_SOURCE]++;
		nb_packet_drop(&forward->packets[i], NB_DROP_SOURCE);
		return;
	}
	key = NB_ADDRESS_KEY(nb_frame_destination(frame), frame->vlan.vid);
	if (key != forward->target || !forward->to_queue || forward->n_flood) {
		nb_forward_target(forward, key, i);
		return;
	}
	nb_forward_collect(forward, forward->to_queue, i);
	if (nb_frame_is_plain(frame))
		forward->run = &forward->group[forward->to_queue->slot];
}

static __always_inline void nb_forward_packet(struct nb_forward *forward, unsigned int i)
{
	bool plain = nb_frame_read_plain(&forward->packets[i], &forward->frame[i]);

	if (unlikely(!plain || !nb_forward_again(forward, i)))
		nb_forward_new(forward, i, plain);
}

static void nb_forward_add_drops(struct nb_forward *forward)
{
	unsigned int i;

	for (i = 0; i < NB_DROP_PORT_N; i++) {
		if (likely(!forward->drops[i]))
			continue;
		atomic64_add(forward->drops[i], &forward->port->drops[i]);
		forward->drops[i] = 0;
	}
}

unsigned int nb_forward_batch(struct nb_queue *queue, struct nb_packet *packets,
			      unsigned int n)
{
	struct nb_port_queue *pq = queue->priv;
	struct nb_forward *forward = pq->forward;
	unsigned int i;

	forward->port = pq->port;
	forward->queue = queue;
	forward->packets = packets;
	/* No VLAN has such an address. */
	forward->source = U64_MAX;
	forward->target = U64_MAX;
	forward->to_queue = NULL;
	forward->run = NULL;
	for (i = 0; i < n; i++)
		if (likely(packets[i].status == NB_TX_OK))
			nb_forward_packet(forward, i);
	if (forward->n_flood)
		nb_forward_flood(forward);
	nb_forward_deliver(forward);
	nb_forward_add_drops(forward);
	return n;
}

/* ---- what the host sends ------------------------------------------------- */

static bool nb_frame_read_skb(struct sk_buff *skb, struct nb_frame *frame)
{
	u16 tci;

	skb_reset_mac_header(skb);
	if (!skb_vlan_tag_present(skb) && eth_hdr(skb)->h_proto == htons(ETH_P_8021Q)) {
		if (skb->len < VLAN_ETH_HLEN || __skb_vlan_pop(skb, &tci))
			return false;
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
		skb_reset_mac_len(skb);
	}
	memset(frame, 0, sizeof(*frame));
	skb_copy_bits(skb, 0, frame->head, ETH_HLEN);
	if (skb_vlan_tag_present(skb)) {
		frame->vlan.tag = NB_TAG_BESIDE;
		frame->vlan.tci = skb_vlan_tag_get(skb);
		frame->vlan.hidden = nb_protocol_is_tag(nb_frame_protocol(frame));
	}
	return true;
}

static void nb_forward_skb_to(struct nb_port *from, struct nb_port *to, struct sk_buff *skb,
			      struct nb_frame *frame)
{
	struct nb_port_queue *pq = nb_flow_select_skb(to, skb, frame);

	if (pq)
		nb_deliver_skb(from, pq, skb, frame);
	else
		nb_port_drop(to, NB_TRACE_RX, NB_DROP_DOWN, 1);
}

static enum nb_drop nb_forward_flood_skb(struct nb_port *port, struct sk_buff *skb,
					 struct nb_frame *frame)
{
	struct nb_port *to;

	if (!nb_port_may_flood(port, nb_flood_class(nb_frame_destination(frame)), 1)) {
		nb_port_drop(port, NB_TRACE_TX, NB_DROP_FLOOD_LIMIT, 1);
		return NB_DROP_FLOOD_LIMIT;
	}
	list_for_each_entry_rcu(to, &port->sw->ports, list)
		if (nb_port_is_flooded(port, to, frame->vlan.vid))
			nb_forward_skb_to(port, to, skb, frame);
	return NB_DROP_N;
}

enum nb_drop nb_forward_skb(struct nb_port *port, struct sk_buff *skb)
{
	struct nb_table *table = &port->sw->table;
	struct nb_port *to = NULL;
	enum nb_drop why;
	u64 source, destination;
	struct nb_frame frame;

	if (!nb_frame_read_skb(skb, &frame) || !nb_port_ingress(port, &frame.vlan)) {
		nb_port_drop(port, NB_TRACE_TX, NB_DROP_VLAN, 1);
		return NB_DROP_VLAN;
	}
	source = nb_frame_source(&frame);
	if (!source || (source & NB_GROUP_BIT)) {
		nb_port_drop(port, NB_TRACE_TX, NB_DROP_SOURCE, 1);
		return NB_DROP_SOURCE;
	}
	nb_table_learn(table, NB_ADDRESS_KEY(source, frame.vlan.vid), port);
	destination = nb_frame_destination(&frame);
	if (!(destination & NB_GROUP_BIT))
		to = nb_table_find(table, NB_ADDRESS_KEY(destination, frame.vlan.vid));
	if (!to)
		return nb_forward_flood_skb(port, skb, &frame);
	why = nb_port_refuses(port, to, frame.vlan.vid);
	if (why != NB_DROP_N) {
		nb_port_drop(port, NB_TRACE_TX, why, 1);
		return why;
	}
	nb_forward_skb_to(port, to, skb, &frame);
	return NB_DROP_N;
}
