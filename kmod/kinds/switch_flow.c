// SPDX-License-Identifier: GPL-2.0
/*
 * Which queue of a port a packet goes to: by flow, so that a flow stays in order; by the
 * frontend's key and table where it has given them.
 *
 * The head of the packet is copied, and looked at there.  Any context.
 */
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/skbuff.h>
#include <net/ip.h>

#include "compat.h"
#include "queue.h"
#include "rss.h"
#include "switch.h"

/* Bytes that are looked at: Ethernet, two tags, IP with all options, ports. */
#define NB_FLOW_HEAD	(ETH_HLEN + 2 * VLAN_HLEN + 60 + 4)

/* What is hashed of TCP and UDP: addresses and ports; else the addresses alone. */
static unsigned int nb_flow_add_ports(const u8 *head, unsigned int len, u8 protocol,
				      unsigned int l4, u8 *input)
{
	if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || l4 + 4 > len)
		return 0;
	memcpy(input, head + l4, 4);
	return 4;
}

static unsigned int nb_flow_input_ipv4(const u8 *head, unsigned int len, unsigned int l3,
				       u8 *input)
{
	struct iphdr ip;

	if (l3 + sizeof(ip) > len)
		return 0;
	memcpy(&ip, head + l3, sizeof(ip));
	if (ip.version != 4 || ip.ihl < 5)
		return 0;
	memcpy(input, &ip.addrs, 8);
	if (ip_is_fragment(&ip))
		return 8;
	return 8 + nb_flow_add_ports(head, len, ip.protocol, l3 + ip.ihl * 4, input + 8);
}

/* Behind an extension header nobody looks: addresses alone, for all of such a flow. */
static unsigned int nb_flow_input_ipv6(const u8 *head, unsigned int len, unsigned int l3,
				       u8 *input)
{
	struct ipv6hdr ip;

	if (l3 + sizeof(ip) > len)
		return 0;
	memcpy(&ip, head + l3, sizeof(ip));
	if (ip.version != 6)
		return 0;
	memcpy(input, &ip.addrs, 32);
	return 32 + nb_flow_add_ports(head, len, ip.nexthdr, l3 + sizeof(ip), input + 32);
}

static unsigned int nb_flow_input(const u8 *head, unsigned int len, u8 *input)
{
	unsigned int l3 = ETH_HLEN;
	u16 protocol = get_unaligned_be16(head + 2 * ETH_ALEN);

	while ((protocol == ETH_P_8021Q || protocol == ETH_P_8021AD) && l3 + VLAN_HLEN <= len) {
		protocol = get_unaligned_be16(head + l3 + 2);
		l3 += VLAN_HLEN;
	}
	if (protocol == ETH_P_IP)
		return nb_flow_input_ipv4(head, len, l3, input);
	if (protocol == ETH_P_IPV6)
		return nb_flow_input_ipv6(head, len, l3, input);
	return 0;
}

static struct nb_port_queue *nb_flow_hash(const struct nb_port_set *set, const u8 *head,
					  unsigned int len, struct nb_frame *frame)
{
	const struct nb_rss *rss = rcu_dereference(set->rss);
	u8 input[NB_RSS_INPUT_LEN] __aligned(4);
	unsigned int n = nb_flow_input(head, len, input);

	frame->hash = 0;
	if (rss) {
		if (!n)
			return set->pq[rss->table[0]];
		frame->hash = nb_rss_toeplitz(rss, input, n);
		return set->pq[rss->table[frame->hash % rss->table_len]];
	}
	/* What is not IP by its addresses. */
	if (!n)
		return set->pq[jhash(head, 2 * ETH_ALEN, 0) % set->n];
	return set->pq[jhash(input, n, 0) % set->n];
}

struct nb_port_queue *nb_flow_choose(const struct nb_port_set *set, struct nb_queue *from,
				     const struct nb_packet *packet, struct nb_frame *frame)
{
	struct nb_packet_iter iter = { .packet = packet };
	unsigned int len = min_t(u32, packet->len, NB_FLOW_HEAD);
	u8 head[NB_FLOW_HEAD];

	nb_packet_copy(from, &iter, head, len);
	return nb_flow_hash(set, head, len, frame);
}

struct nb_port_queue *nb_flow_select_skb(const struct nb_port *port,
					 const struct sk_buff *skb, struct nb_frame *frame)
{
	const struct nb_port_set *set = rcu_dereference(port->set);
	unsigned int len = min_t(u32, skb->len, NB_FLOW_HEAD);
	u8 head[NB_FLOW_HEAD];

	if (!set)
		return NULL;
	if (nb_flow_is_one(set))
		return set->pq[0];
	if (skb_copy_bits(skb, 0, head, len))
		return set->pq[0];
	return nb_flow_hash(set, head, len, frame);
}
