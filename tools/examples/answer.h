/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/* The network stack of the examples' guests: it answers ARP and ping for an IPv4 address. */
#ifndef ANSWER_H
#define ANSWER_H

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdint.h>
#include <string.h>

static inline int answer_arp(const uint8_t *mac, struct in_addr address, struct ether_arp *arp,
			     size_t len)
{
	struct in_addr asked;

	if (len < sizeof(*arp) || arp->arp_op != htons(ARPOP_REQUEST))
		return 0;
	memcpy(&asked, arp->arp_tpa, sizeof(asked));
	if (asked.s_addr != address.s_addr)
		return 0;
	arp->arp_op = htons(ARPOP_REPLY);
	memcpy(arp->arp_tha, arp->arp_sha, sizeof(arp->arp_tha));
	memcpy(arp->arp_tpa, arp->arp_spa, sizeof(arp->arp_tpa));
	memcpy(arp->arp_sha, mac, sizeof(arp->arp_sha));
	memcpy(arp->arp_spa, &asked, sizeof(arp->arp_spa));
	return 1;
}

static inline int answer_ping(struct in_addr address, struct iphdr *ip, size_t len)
{
	struct icmphdr *icmp = (struct icmphdr *)(ip + 1);
	uint32_t sum;

	if (len < sizeof(*ip) + sizeof(*icmp) || ip->ihl != 5 || ip->protocol != IPPROTO_ICMP ||
	    ip->daddr != address.s_addr || icmp->type != ICMP_ECHO)
		return 0;
	ip->daddr = ip->saddr;
	ip->saddr = address.s_addr;
	icmp->type = ICMP_ECHOREPLY;
	sum = ntohs(icmp->checksum) + (ICMP_ECHO << 8);	/* what is less in the type */
	icmp->checksum = htons((uint16_t)(sum + (sum >> 16)));
	return 1;
}

/* Makes the packet of @len bytes its own answer; returns 0 if it needs none. */
static inline int answer(const uint8_t *mac, struct in_addr address, struct ether_header *eth,
			 size_t len)
{
	int answered = 0;

	if (len < sizeof(*eth))
		return 0;
	len -= sizeof(*eth);
	if (eth->ether_type == htons(ETHERTYPE_ARP))
		answered = answer_arp(mac, address, (struct ether_arp *)(eth + 1), len);
	else if (eth->ether_type == htons(ETHERTYPE_IP))
		answered = answer_ping(address, (struct iphdr *)(eth + 1), len);
	memcpy(eth->ether_dhost, eth->ether_shost, sizeof(eth->ether_dhost));
	memcpy(eth->ether_shost, mac, sizeof(eth->ether_shost));
	return answered;
}

#endif /* ANSWER_H */
