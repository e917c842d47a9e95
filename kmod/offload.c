// SPDX-License-Identifier: GPL-2.0
/*
 * Checksum and segmentation offload in both directions.
 *
 * Nothing that the guest says of its headers is believed: where they are and what they
 * are is derived from the packet again, and has to be the same.  Owns nothing, takes
 * no locks, any context.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "offload.h"

#define NB_TX_TCP_FLAGS	(NB_TX_OFFLOAD_TCP_CHECKSUM | NB_TX_OFFLOAD_TCP_SEGMENTATION)
#define NB_TX_UDP_FLAGS	(NB_TX_OFFLOAD_UDP_CHECKSUM | NB_TX_OFFLOAD_UDP_SEGMENTATION)

/**
 * struct nb_headers - where a packet's headers are; offsets from its first byte
 * @l3: IP header
 * @l4: TCP or UDP header
 * @payload: behind that
 * @end: of the IP packet; what follows is Ethernet's padding
 * @destination: IPv6 address of the last station, which is part of the checksum
 * @protocol: IPPROTO_TCP, IPPROTO_UDP, or 0 if only the IPv4 header matters
 */
struct nb_headers {
	u32 l3;
	u32 l4;
	u32 payload;
	u32 end;
	u32 destination;
	u8 protocol;
};

/* What the flags say, if they do not contradict each other. */
static bool nb_tx_flags_to_protocol(u16 flags, struct nb_headers *h)
{
	bool tcp = flags & NB_TX_TCP_FLAGS;
	bool udp = flags & NB_TX_UDP_FLAGS;

	if (!(flags & NB_TX_IS_IPV4) == !(flags & NB_TX_IS_IPV6) || (tcp && udp))
		return false;
	if ((flags & NB_TX_OFFLOAD_IP_HEADER_CHECKSUM) && !(flags & NB_TX_IS_IPV4))
		return false;
	h->protocol = tcp ? IPPROTO_TCP : udp ? IPPROTO_UDP : 0;
	return true;
}

/*
 * The Ethernet header, with the VLAN tags that are in the packet, ends at l2_len.  Behind
 * more tags than VLAN_MAX_DEPTH - 1, with that which is to be inserted, the stack does not
 * find what to cut.
 */
static bool nb_tx_check_l2(const struct sk_buff *skb, const struct nb_tx_segment *head,
			   __be16 protocol)
{
	u32 inserted = head->flags & NB_TX_VLAN ? VLAN_HLEN : 0;
	__be16 next = eth_hdr(skb)->h_proto;
	u32 at = ETH_HLEN, l2 = head->l2_len;

	if ((head->flags & NB_TX_SEGMENTATION_FLAGS) &&
	    l2 + inserted >= ETH_HLEN + VLAN_MAX_DEPTH * VLAN_HLEN)
		return false;
	while (eth_type_vlan(next) && at + VLAN_HLEN <= l2) {
		next = ((struct vlan_hdr *)(skb->data + at))->h_vlan_encapsulated_proto;
		at += VLAN_HLEN;
	}
	return at == l2 && next == protocol;
}

static bool nb_tx_check_ipv4(struct sk_buff *skb, const struct nb_tx_segment *head,
			     struct nb_headers *h)
{
	struct iphdr *ip = (struct iphdr *)(skb->data + h->l3);

	if (head->l3_len < sizeof(*ip) || ip->version != 4 || ip->ihl * 4 != head->l3_len)
		return false;
	if (h->protocol && (ip->protocol != h->protocol || ip_is_fragment(ip)))
		return false;
	/* NDIS: a super-packet's total length and checksum are left at zero. */
	if (head->flags & NB_TX_SEGMENTATION_FLAGS) {
		if (skb->len - h->l3 > U16_MAX)
			return false;
		ip->tot_len = htons(skb->len - h->l3);
	}
	if (head->flags & (NB_TX_SEGMENTATION_FLAGS | NB_TX_OFFLOAD_IP_HEADER_CHECKSUM))
		ip_send_check(ip);
	h->end = h->l3 + ntohs(ip->tot_len);
	return !h->protocol || (h->end >= h->payload && h->end <= skb->len);
}

/*
 * A routing header that is not at its end names the last station in its first address,
 * if it is of one of these types.
 */
static bool nb_tx_check_routing(const struct sk_buff *skb, u32 at, struct nb_headers *h)
{
	const struct ipv6_rt_hdr *routing = (struct ipv6_rt_hdr *)(skb->data + at);

	if (!routing->segments_left)
		return true;
	if ((routing->type != IPV6_SRCRT_TYPE_2 && routing->type != IPV6_SRCRT_TYPE_4) ||
	    ipv6_optlen(routing) < 8 + sizeof(struct in6_addr))
		return false;
	h->destination = at + 8;
	return true;
}

/*
 * The extension headers, of which ipv6_skip_exthdr() has found that they end where the
 * transport header begins.  The stack cuts behind those that have a length like options;
 * behind the others (authentication, fragment) it can complete a checksum, no more.
 */
static bool nb_tx_check_extensions(const struct sk_buff *skb,
				   const struct nb_tx_segment *head, struct nb_headers *h)
{
	const struct ipv6hdr *ip = (struct ipv6hdr *)(skb->data + h->l3);
	u32 at = h->l3 + sizeof(*ip);
	u8 next = ip->nexthdr;

	while (at < h->l4) {
		const struct ipv6_opt_hdr *extension = (void *)(skb->data + at);
		bool like_options = next != NEXTHDR_AUTH && next != NEXTHDR_FRAGMENT;

		if (!like_options && (head->flags & NB_TX_SEGMENTATION_FLAGS))
			return false;
		if (next == NEXTHDR_ROUTING && !nb_tx_check_routing(skb, at, h))
			return false;
		if (like_options)
			at += ipv6_optlen(extension);
		else if (next == NEXTHDR_AUTH)
			at += ipv6_authlen(extension);
		else
			at += sizeof(struct frag_hdr);
		next = extension->nexthdr;
	}
	return true;
}

static bool nb_tx_check_ipv6(struct sk_buff *skb, const struct nb_tx_segment *head,
			     struct nb_headers *h)
{
	struct ipv6hdr *ip = (struct ipv6hdr *)(skb->data + h->l3);
	__be16 fragment = 0;
	int l4;
	u8 next;

	if (head->l3_len < sizeof(*ip) || ip->version != 6)
		return false;
	h->destination = h->l3 + offsetof(struct ipv6hdr, daddr);
	next = ip->nexthdr;
	l4 = ipv6_skip_exthdr(skb, h->l3 + sizeof(*ip), &next, &fragment);
	if (l4 < 0 || l4 != h->l4 || next != h->protocol || fragment)
		return false;
	if (l4 != h->l3 + sizeof(*ip) && !nb_tx_check_extensions(skb, head, h))
		return false;
	if (head->flags & NB_TX_SEGMENTATION_FLAGS) {
		if (skb->len - h->l3 - sizeof(*ip) > U16_MAX)
			return false;
		ip->payload_len = htons(skb->len - h->l3 - sizeof(*ip));
	}
	h->end = h->l3 + sizeof(*ip) + ntohs(ip->payload_len);
	return h->end >= h->payload && h->end <= skb->len;
}

/* Find the headers in the packet, where the head says that they are. */
static u16 nb_tx_find_headers(struct sk_buff *skb, const struct nb_tx_segment *head,
			      struct nb_headers *h)
{
	bool ipv4 = head->flags & NB_TX_IS_IPV4;

	if (!nb_tx_flags_to_protocol(head->flags, h))
		return NB_TX_INVALID;
	h->l3 = head->l2_len;
	h->l4 = h->l3 + head->l3_len;
	h->payload = h->l4;
	if (h->protocol)
		h->payload += h->protocol == IPPROTO_TCP ? sizeof(struct tcphdr) :
							   sizeof(struct udphdr);
	if (h->l3 < ETH_HLEN || h->payload > skb->len ||
	    head->l3_len < (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)))
		return NB_TX_INVALID;
	if (!pskb_may_pull(skb, h->payload))
		return NB_TX_DROPPED;
	skb_reset_mac_header(skb);
	if (!nb_tx_check_l2(skb, head, htons(ipv4 ? ETH_P_IP : ETH_P_IPV6)))
		return NB_TX_INVALID;
	if (ipv4 ? !nb_tx_check_ipv4(skb, head, h) : !nb_tx_check_ipv6(skb, head, h))
		return NB_TX_INVALID;
	skb_set_network_header(skb, h->l3);
	skb_set_transport_header(skb, h->l4);
	return NB_TX_OK;
}

/* The checksum of the pseudo-header, not complemented (RFC 9293 3.1, RFC 8200 8.1). */
static __sum16 nb_pseudo_checksum(const struct sk_buff *skb, const struct nb_headers *h,
				  bool ipv4)
{
	u32 len = h->end - h->l4;

	if (ipv4)
		return ~csum_tcpudp_magic(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, len,
					  h->protocol, 0);
	return ~csum_ipv6_magic(&ipv6_hdr(skb)->saddr,
				(struct in6_addr *)(skb->data + h->destination), len,
				h->protocol, 0);
}

static void nb_tx_checksum(struct sk_buff *skb, const struct nb_headers *h, bool ipv4)
{
	u16 offset = h->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check) :
						  offsetof(struct udphdr, check);
	__sum16 *check = (__sum16 *)(skb->data + h->l4 + offset);

	*check = nb_pseudo_checksum(skb, h, ipv4);
	if (h->end == skb->len) {
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_transport_header(skb) - skb->head;
		skb->csum_offset = offset;
		return;
	}
	/* Ethernet's padding is no part of it, which the stack could not know. */
	*check = csum_fold(skb_checksum(skb, h->l4, h->end - h->l4, 0)) ?:
		 CSUM_MANGLED_0;
}

static u16 nb_tx_segment_tcp(struct sk_buff *skb, const struct nb_tx_segment *head,
			     struct nb_headers *h, bool ipv4)
{
	struct tcphdr *tcp = (struct tcphdr *)(skb->data + h->l4);

	if (tcp->doff * 4 < sizeof(*tcp) || tcp->doff * 4 != head->l4_len)
		return NB_TX_INVALID;
	h->payload = h->l4 + head->l4_len;
	if (h->payload > skb->len)
		return NB_TX_INVALID;
	if (!pskb_may_pull(skb, h->payload))
		return NB_TX_DROPPED;
	skb_shinfo(skb)->gso_type = ipv4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
	if (tcp_hdr(skb)->cwr)
		skb_shinfo(skb)->gso_type |= SKB_GSO_TCP_ECN;
	return NB_TX_OK;
}

static u16 nb_tx_segment_udp(struct sk_buff *skb, const struct nb_tx_segment *head,
			     struct nb_headers *h)
{
	struct udphdr *udp = (struct udphdr *)(skb->data + h->l4);

	if (head->l4_len != sizeof(*udp))
		return NB_TX_INVALID;
	udp->len = htons(h->end - h->l4);
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
	return NB_TX_OK;
}

/*
 * Packets of one super-packet, which may be made of it with bottom halves off: as many as of
 * 64 KiB by TCP's smallest segments (TCP_MIN_GSO_SIZE).
 */
#define NB_OFFLOAD_MAX_PACKETS	8192

static u16 nb_tx_segmentation(struct sk_buff *skb, const struct nb_tx_segment *head,
			      struct nb_headers *h, bool ipv4)
{
	u32 payload, n;
	u16 status;

	if (!head->max_segment_size || head->max_segment_size > skb->len)
		return NB_TX_INVALID;
	status = h->protocol == IPPROTO_TCP ? nb_tx_segment_tcp(skb, head, h, ipv4) :
					      nb_tx_segment_udp(skb, head, h);
	if (status != NB_TX_OK)
		return status;
	payload = skb->len - h->payload;
	if (payload <= head->max_segment_size) {
		/* One packet: there is nothing to cut. */
		skb_shinfo(skb)->gso_type = 0;
		return NB_TX_OK;
	}
	skb_shinfo(skb)->gso_type |= SKB_GSO_DODGY;
	skb_shinfo(skb)->gso_size = head->max_segment_size;
	n = DIV_ROUND_UP(payload, head->max_segment_size);
	skb_shinfo(skb)->gso_segs = n;
	return n <= NB_OFFLOAD_MAX_PACKETS ? NB_TX_OK : NB_TX_INVALID;
}

u16 nb_offload_tx(struct sk_buff *skb, const struct nb_tx_segment *head)
{
	bool ipv4 = head->flags & NB_TX_IS_IPV4;
	struct nb_headers h;
	u16 status;

	status = nb_tx_find_headers(skb, head, &h);
	if (status == NB_TX_OK && (head->flags & NB_TX_SEGMENTATION_FLAGS))
		status = nb_tx_segmentation(skb, head, &h, ipv4);
	if (status == NB_TX_OK && h.protocol)
		nb_tx_checksum(skb, &h, ipv4);
	return status;
}

/* ---- host to guest ------------------------------------------------------- */

static u8 nb_l4_protocol(u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return NB_L4_TCP;
	case IPPROTO_UDP:
		return NB_L4_UDP;
	default:
		return NB_L4_UNKNOWN;
	}
}

static void nb_rx_describe_ipv4(const struct sk_buff *skb, u32 l3,
				struct nb_rx_metadata *meta)
{
	const struct iphdr *ip = (struct iphdr *)(skb->data + l3);

	if (l3 + sizeof(*ip) > skb_headlen(skb) || ip->version != 4 || ip->ihl < 5 ||
	    l3 + ip->ihl * 4 > skb_headlen(skb))
		return;
	meta->l3_protocol = NB_L3_IPV4;
	meta->ip_checksum = ip_fast_csum(ip, ip->ihl) ? NB_CHECKSUM_BAD : NB_CHECKSUM_GOOD;
	if (!ip_is_fragment(ip))
		meta->l4_protocol = nb_l4_protocol(ip->protocol);
}

static void nb_rx_describe_ipv6(const struct sk_buff *skb, u32 l3,
				struct nb_rx_metadata *meta)
{
	const struct ipv6hdr *ip = (struct ipv6hdr *)(skb->data + l3);
	__be16 fragment = 0;
	u8 next;

	if (l3 + sizeof(*ip) > skb_headlen(skb) || ip->version != 6)
		return;
	meta->l3_protocol = NB_L3_IPV6;
	next = ip->nexthdr;
	if (next != IPPROTO_TCP && next != IPPROTO_UDP &&
	    (ipv6_skip_exthdr(skb, l3 + sizeof(*ip), &next, &fragment) < 0 || fragment))
		return;
	meta->l4_protocol = nb_l4_protocol(next);
}

static void nb_rx_describe_checksum(const struct sk_buff *skb, struct nb_rx_metadata *meta)
{
	switch (skb->ip_summed) {
	case CHECKSUM_PARTIAL:
		meta->flags |= NB_RX_NEEDS_CHECKSUM;
		meta->checksum_start = skb_checksum_start_offset(skb);
		meta->checksum_offset = skb->csum_offset;
		meta->l4_checksum = NB_CHECKSUM_VALIDATED_BUT_WRONG;
		break;
	case CHECKSUM_UNNECESSARY:
		meta->l4_checksum = NB_CHECKSUM_GOOD;
		break;
	}
}

void nb_offload_rx(const struct sk_buff *skb, struct nb_rx_metadata *meta)
{
	int l3 = skb_network_offset(skb);

	if (l3 < ETH_HLEN)
		meta->l3_protocol = NB_L3_UNKNOWN;
	else if (skb->protocol == htons(ETH_P_IP))
		nb_rx_describe_ipv4(skb, l3, meta);
	else if (skb->protocol == htons(ETH_P_IPV6))
		nb_rx_describe_ipv6(skb, l3, meta);
	nb_rx_describe_checksum(skb, meta);
	if (skb_is_gso(skb))
		meta->segment_size = skb_shinfo(skb)->gso_size;
	if (skb->l4_hash || skb->sw_hash)
		meta->hash = skb->hash;
}
