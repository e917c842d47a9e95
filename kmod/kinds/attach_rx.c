// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach, from the network interface to the guest.
 *
 * The stack calls nb_attach_handle_frame() with each frame that the interface receives,
 * with bottom halves off and under RCU, on any CPU and on several at once;
 * &nb_attach_slot.lock makes one at a time use a queue's receive side.  A frame is
 * copied from the skb straight into the guest's buffer and published.  Nobody says which
 * frame is the last of a batch: if the frontend wants to be woken, that is left to a
 * tasklet, which runs when the interface has been polled.
 *
 * There is nothing to stop when the guest has no buffer: the frame is dropped, and
 * counted by the queue.  What is dropped without a queue is counted by the interface.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>

#include "attach.h"
#include "compat.h"
#include "notify.h"
#include "queue.h"
#include "rss.h"
#include "skb.h"
#include "trace.h"

void nb_attach_wake(struct tasklet_struct *tasklet)
{
	struct nb_attach_slot *slot = from_tasklet(slot, tasklet, wake);
	struct nb_queue *queue;

	rcu_read_lock();
	queue = rcu_dereference(slot->queue);
	if (queue)
		nb_notify(queue, NB_NEED_NOTIFY_RX);
	rcu_read_unlock();
}

/* By the frontend's wish, else as the interface's hardware has spread them, or by flow. */
static struct nb_attach_slot *nb_attach_select(struct nb_attach *at, struct sk_buff *skb)
{
	const struct nb_rss *rss = rcu_dereference(at->rss);
	unsigned int n = READ_ONCE(at->n_queues);

	if (rss)
		return &at->slots[nb_rss_select(rss, skb)];
	if (likely(n <= 1))
		return &at->slots[0];
	if (skb_rx_queue_recorded(skb))
		return &at->slots[skb_get_rx_queue(skb) % n];
	return &at->slots[reciprocal_scale(skb_get_hash(skb), n)];
}

/* What is dropped without a queue. */
static void nb_attach_count_drop(const struct nb_backend *backend, struct net_device *dev,
				 enum nb_drop why)
{
	dev_core_stats_rx_dropped_inc(dev);
	trace_nb_drop(READ_ONCE(backend->endpoint_id), NB_TRACE_NO_QUEUE, NB_TRACE_RX, why, 1);
}

/* A frame, which may have been cut into several. */
static void nb_attach_drop_list(const struct nb_backend *backend, struct sk_buff *list,
				enum nb_drop why)
{
	nb_attach_count_drop(backend, list->dev, why);
	nb_drop_skb_list(list, why);
}

static enum nb_drop nb_attach_why(const struct nb_attach *at, const struct nb_queue *queue)
{
	if (READ_ONCE(at->backend.link_disabled))
		return NB_DROP_LINK_DOWN;
	return queue ? NB_DROP_OFFLOAD : NB_DROP_NO_QUEUE;
}

/* Has the packet a checksum that covers all its bytes from @l4 on?  UDP's may be missing. */
static bool nb_attach_has_checksum(const struct sk_buff *skb, u32 l4, u8 protocol)
{
	const struct udphdr *udp = (struct udphdr *)(skb->data + l4);

	if (protocol != IPPROTO_UDP)
		return protocol == IPPROTO_TCP;
	return l4 + sizeof(*udp) <= skb_headlen(skb) && udp->check;
}

/* Of bytes that are an IPv4 packet and no more; its header has the sum 0. */
static bool nb_attach_sum_ipv4(const struct sk_buff *skb, u32 l3)
{
	const struct iphdr *ip = (struct iphdr *)(skb->data + l3);
	u32 hlen = ip->ihl * 4;

	if (l3 + sizeof(*ip) > skb_headlen(skb) || ip->version != 4 || hlen < sizeof(*ip) ||
	    l3 + hlen > skb_headlen(skb) || ntohs(ip->tot_len) != skb->len - l3 ||
	    hlen > skb->len - l3 || ip_is_fragment(ip) || ip_fast_csum(ip, ip->ihl) ||
	    !nb_attach_has_checksum(skb, l3 + hlen, ip->protocol))
		return false;
	return !csum_tcpudp_magic(ip->saddr, ip->daddr, skb->len - l3 - hlen, ip->protocol,
				  skb->csum);
}

/* Of an IPv6 packet, the same; without extension headers. */
static bool nb_attach_sum_ipv6(const struct sk_buff *skb, u32 l3)
{
	const struct ipv6hdr *ip = (struct ipv6hdr *)(skb->data + l3);
	u32 l4 = l3 + sizeof(*ip);

	if (l4 > skb_headlen(skb) || ip->version != 6 ||
	    ntohs(ip->payload_len) != skb->len - l4 ||
	    !nb_attach_has_checksum(skb, l4, ip->nexthdr))
		return false;
	return !csum_ipv6_magic(&ip->saddr, &ip->daddr, skb->len - l4, ip->nexthdr,
				csum_sub(skb->csum, csum_partial(ip, sizeof(*ip), 0)));
}

/*
 * The interface has summed up the bytes behind the Ethernet header: the guest need not do
 * it again if that says that the packet's checksum is right.  If not, it may be the
 * interface that is wrong.
 */
static void nb_attach_use_sum(struct sk_buff *skb)
{
	u32 l3 = skb_network_offset(skb);
	bool right = false;

	if (l3 != ETH_HLEN)
		return;
	if (skb->protocol == htons(ETH_P_IP))
		right = nb_attach_sum_ipv4(skb, l3);
	else if (skb->protocol == htons(ETH_P_IPV6))
		right = nb_attach_sum_ipv6(skb, l3);
	if (right)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
}

/*
 * Make of a frame what the frontend takes: complete its checksum, cut a super-packet that
 * GRO or a neighbour of the interface has made.  Return: a list, or NULL and the frame is
 * gone.
 */
static struct sk_buff *nb_attach_prepare(struct nb_queue *queue, struct sk_buff *skb)
{
	netdev_features_t features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA;
	struct sk_buff *segments;

	if (skb->len <= NB_MAX_PACKET_LEN)
		features |= nb_skb_features(queue->flags) | NETIF_F_GSO_ROBUST;
	if (netif_needs_gso(skb, features)) {
		segments = __skb_gso_segment(skb, features, false);
		if (IS_ERR(segments))
			goto err;
		if (segments) {
			consume_skb(skb);
			return segments;
		}
	} else if (skb->ip_summed == CHECKSUM_PARTIAL &&
		   !(queue->flags & NB_QUEUE_RX_CHECKSUM) && skb_checksum_help(skb)) {
		goto err;
	}
	return skb;

err:
	nb_attach_drop_list(queue->backend, skb, NB_DROP_OFFLOAD);
	return NULL;
}

static void nb_attach_place(struct nb_queue *queue, struct sk_buff *skb)
{
	u32 capacity = nb_rx_peek(queue);

	if (likely(skb->len <= capacity)) {
		nb_skb_deliver(queue, skb);
		napi_consume_skb(skb, 1);
		return;
	}
	if (capacity)
		nb_rx_too_small(queue);
	else
		nb_rx_no_buffer(queue);
	nb_drop_skb(skb, capacity ? NB_DROP_TOO_SMALL : NB_DROP_NO_BUFFER);
}

/* Under &nb_attach_slot.lock.  Return: whether the frontend is to be woken. */
static bool nb_attach_place_list(struct nb_queue *queue, struct sk_buff *list)
{
	struct sk_buff *skb, *next;

	if (unlikely(nb_queue_check(queue))) {
		nb_attach_drop_list(queue->backend, list, NB_DROP_NO_QUEUE);
		return false;
	}
	nb_rx_begin(queue);
	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		nb_attach_place(queue, skb);
	}
	return nb_rx_publish(queue) && nb_notify_wanted(queue, NB_NEED_NOTIFY_RX);
}

void nb_attach_quiesce(struct nb_queue *queue)
{
	struct nb_attach *at = nb_attach_of(queue->backend);
	struct nb_attach_slot *slot = &at->slots[queue->index];

	spin_lock(&slot->lock);
	nb_rx_quiesce(queue);
	spin_unlock(&slot->lock);
}

/* Give the guest a frame that is ours. */
static void nb_attach_receive(struct nb_attach *at, struct sk_buff *skb)
{
	struct nb_attach_slot *slot;
	struct nb_queue *queue;
	bool wake;

	skb_push(skb, ETH_HLEN);
	slot = nb_attach_select(at, skb);
	queue = rcu_dereference(slot->queue);
	if (unlikely(!queue || !nb_skb_readable(skb) ||
		     READ_ONCE(at->backend.link_disabled))) {
		nb_attach_drop_list(&at->backend, skb, nb_attach_why(at, queue));
		return;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL || skb_is_gso(skb)) {
		skb = nb_attach_prepare(queue, skb);
		if (!skb)
			return;
	} else if (skb->ip_summed == CHECKSUM_COMPLETE) {
		nb_attach_use_sum(skb);
	}
	spin_lock(&slot->lock);
	wake = nb_attach_place_list(queue, skb);
	spin_unlock(&slot->lock);
	if (wake)
		tasklet_schedule(&slot->wake);
}

/* A frame for a group that the host may listen to, too. */
static void nb_attach_receive_copy(struct nb_attach *at, struct sk_buff *skb)
{
	struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC);

	if (likely(copy))
		nb_attach_receive(at, copy);
	else
		nb_attach_count_drop(&at->backend, skb->dev, NB_DROP_NO_MEMORY);
}

rx_handler_result_t nb_attach_handle_frame(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct nb_attach *at = rcu_dereference(skb->dev->rx_handler_data);
	const u8 *to = eth_hdr(skb)->h_dest;

	if (unlikely(READ_ONCE(at->to_vf) || skb->pkt_type == PACKET_LOOPBACK))
		return RX_HANDLER_PASS;
	if (!at->promiscuous) {
		if (is_multicast_ether_addr(to)) {
			if (nb_attach_hears(at, to))
				nb_attach_receive_copy(at, skb);
			return RX_HANDLER_PASS;
		}
		if (ether_addr_to_u64(to) != READ_ONCE(at->mac))
			return RX_HANDLER_PASS;
	}
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (likely(skb))
		nb_attach_receive(at, skb);
	return RX_HANDLER_CONSUMED;
}
