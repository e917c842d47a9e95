// SPDX-License-Identifier: GPL-2.0
/*
 * IP packets for tests: made, checked and cut with code of their own.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_ether.h>

#include "nbip.h"

#define TCP_FIN		0x01
#define TCP_PSH		0x08
#define TCP_ACK		0x10
#define TCP_CWR		0x80

#define IPV4_LEN	20
#define IPV6_LEN	40
#define TCP_LEN		20
#define UDP_LEN		8

static const uint8_t ipv4_source[] = { 192, 0, 2, 1 };
static const uint8_t ipv4_destination[] = { 192, 0, 2, 2 };
static const uint8_t ipv6_source[16] = { 0xfd, 0, 0, 0, 0, 0, 0, 0, [15] = 1 };
static const uint8_t ipv6_destination[16] = { 0xfd, 0, 0, 0, 0, 0, 0, 0, [15] = 2 };

static void put16(unsigned char *to, uint32_t value)
{
	to[0] = value >> 8;
	to[1] = value;
}

static void put32(unsigned char *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

static uint32_t get16(const unsigned char *from)
{
	return from[0] << 8 | from[1];
}

static uint32_t get32(const unsigned char *from)
{
	return get16(from) << 16 | get16(from + 2);
}

/* ---- checksums: RFC 1071 ------------------------------------------------- */

uint16_t nb_ip_sum(const unsigned char *data, size_t len, uint32_t start)
{
	uint64_t sum = start;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += get16(data + i);
	if (len & 1)
		sum += data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static unsigned char *checksum_field(struct nb_ip *ip)
{
	return ip->data + ip->l4 + (ip->protocol == IPPROTO_TCP ? 16 : 6);
}

static bool has_checksum(const struct nb_ip *ip)
{
	return ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP;
}

static uint16_t pseudo_sum(const struct nb_ip *ip)
{
	const unsigned char *source = ip->data + ip->l3 + (ip->ipv6 ? 8 : 12);
	uint32_t sum = nb_ip_sum(source, ip->ipv6 ? 16 : 4, 0);
	uint32_t len = ip->end - ip->l4;

	sum += nb_ip_sum(ip->data + ip->destination, ip->ipv6 ? 16 : 4, 0);

	return nb_ip_sum(NULL, 0, sum + ip->protocol + (len >> 16) + (len & 0xffff));
}

/* The pseudo-header, and then all from the transport header on. */
static uint16_t l4_sum(const struct nb_ip *ip)
{
	return nb_ip_sum(ip->data + ip->l4, ip->end - ip->l4, pseudo_sum(ip));
}

/* ---- making -------------------------------------------------------------- */

static void fill_ethernet(struct nb_ip *ip, const struct nb_ip_plan *plan)
{
	unsigned int i;

	memcpy(ip->data, NB_IP_MAC_HOST NB_IP_MAC_GUEST, 12);
	ip->l3 = ETH_HLEN + 4 * plan->tags;
	for (i = 0; i < plan->tags; i++) {
		put16(ip->data + 12 + 4 * i, ETH_P_8021Q);
		put16(ip->data + 14 + 4 * i, 100 + i);
	}
	put16(ip->data + ip->l3 - 2, plan->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
}

static void fill_ipv4(struct nb_ip *ip, const struct nb_ip_plan *plan)
{
	unsigned char *header = ip->data + ip->l3;

	header[0] = 0x40 | (IPV4_LEN + plan->options) / 4;
	header[1] = 0x20;
	put16(header + 4, plan->id);
	put16(header + 6, 0x4000);
	header[8] = 64;
	header[9] = plan->protocol;
	memcpy(header + 12, plan->source ?: ipv4_source, 4);
	memcpy(header + 16, plan->destination ?: ipv4_destination, 4);
	/* No operation, and end of the list. */
	memset(header + IPV4_LEN, 1, plan->options);
	if (plan->options)
		header[IPV4_LEN + plan->options - 1] = 0;
	ip->destination = ip->l3 + 16;
	ip->l4 = ip->l3 + IPV4_LEN + plan->options;
}

static void fill_ipv6(struct nb_ip *ip, const struct nb_ip_plan *plan)
{
	/* Hop-by-hop, routing that has come to its end, destination. */
	static const uint8_t types[] = { 0, 43, 60 };
	unsigned char *header = ip->data + ip->l3, *next = header + 6;
	unsigned int i, n = plan->options / 8;

	header[0] = 0x60;
	header[3] = 0x55;
	header[7] = 64;
	memcpy(header + 8, plan->source ?: ipv6_source, 16);
	memcpy(header + 24, plan->destination ?: ipv6_destination, 16);
	header += IPV6_LEN;
	for (i = 0; i < n; i++, header += 8) {
		*next = types[i < 3 ? i : 2];
		next = header;
		header[1] = 0;
		if (*next == 43 || i == 1) {
			memset(header + 2, 0, 6);
			header[2] = 3;
		} else {
			/* PadN of 6 bytes. */
			memcpy(header + 2, "\x01\x04\x00\x00\x00\x00", 6);
		}
	}
	ip->destination = ip->l3 + 24;
	if (plan->route) {
		/* One address that is the last, and one station left. */
		*next = 43;
		next = header;
		memset(header, 0, 24);
		header[1] = 2;
		header[2] = plan->route;
		header[3] = 1;
		memcpy(header + 8, "\xfd\x12\x34\x56", 4);
		header[23] = 9;
		ip->destination = header + 8 - ip->data;
		header += 24;
	}
	*next = plan->protocol;
	ip->l4 = header - ip->data;
}

static void fill_l4(struct nb_ip *ip, const struct nb_ip_plan *plan)
{
	unsigned char *header = ip->data + ip->l4;

	ip->payload = ip->l4;
	if (!has_checksum(ip))
		return;
	put16(header, plan->source_port ?: 40000);
	put16(header + 2, plan->port ?: 9);
	if (plan->protocol == IPPROTO_UDP) {
		ip->payload += UDP_LEN;
		return;
	}
	put32(header + 4, plan->sequence);
	put32(header + 8, 0x12345678);
	header[12] = (TCP_LEN + plan->tcp_options) / 4 << 4;
	header[13] = plan->tcp_flags ?: TCP_ACK;
	put16(header + 14, 0x2000);
	put16(header + 18, 0);
	memset(header + TCP_LEN, 1, plan->tcp_options);
	ip->payload += TCP_LEN + plan->tcp_options;
}

void nb_ip_make(struct nb_ip *ip, const struct nb_ip_plan *plan)
{
	struct nb_random random = { .state = plan->seed * 2ull + 1 };

	memset(ip->data, 0, 256);
	ip->ipv6 = plan->ipv6;
	ip->protocol = plan->protocol;
	fill_ethernet(ip, plan);
	if (plan->ipv6)
		fill_ipv6(ip, plan);
	else
		fill_ipv4(ip, plan);
	fill_l4(ip, plan);
	ip->end = ip->payload + plan->payload;
	ip->len = ip->end + plan->padding;
	if (ip->len > sizeof(ip->data))
		nb_die("a packet of %u bytes is too long", ip->len);
	nb_random_fill(&random, ip->data + ip->payload, ip->len - ip->payload);
	nb_ip_finish(ip);
}

void nb_ip_finish(struct nb_ip *ip)
{
	unsigned char *header = ip->data + ip->l3;
	uint16_t sum;

	if (ip->ipv6) {
		put16(header + 4, ip->end - ip->l3 - IPV6_LEN);
	} else {
		put16(header + 2, ip->end - ip->l3);
		put16(header + 10, 0);
		put16(header + 10, ~nb_ip_sum(header, (header[0] & 15) * 4, 0));
	}
	if (!has_checksum(ip))
		return;
	if (ip->protocol == IPPROTO_UDP)
		put16(ip->data + ip->l4 + 4, ip->end - ip->l4);
	put16(checksum_field(ip), 0);
	sum = ~l4_sum(ip);
	/* RFC 768: 0 says that there is none. */
	put16(checksum_field(ip), !sum && ip->protocol == IPPROTO_UDP ? 0xffff : sum);
}

/* ---- checking ------------------------------------------------------------ */

static bool parse_ipv6(struct nb_ip *ip)
{
	const unsigned char *header = ip->data + ip->l3;
	uint8_t next = header[6];

	ip->end = ip->l3 + IPV6_LEN + get16(header + 4);
	ip->l4 = ip->l3 + IPV6_LEN;
	ip->destination = ip->l3 + 24;
	while ((next == 0 || next == 43 || next == 60) && ip->l4 + 8 <= ip->len) {
		next = ip->data[ip->l4];
		ip->l4 += 8 + 8 * ip->data[ip->l4 + 1];
	}
	ip->protocol = next;
	return header[0] >> 4 == 6;
}

static bool parse_ipv4(struct nb_ip *ip)
{
	const unsigned char *header = ip->data + ip->l3;

	ip->end = ip->l3 + get16(header + 2);
	ip->destination = ip->l3 + 16;
	ip->l4 = ip->l3 + (header[0] & 15) * 4;
	ip->protocol = header[9];
	return header[0] >> 4 == 4 && !(get16(header + 6) & 0x3fff);
}

bool nb_ip_parse(struct nb_ip *ip)
{
	uint16_t type;

	ip->l3 = ETH_HLEN;
	while ((type = get16(ip->data + ip->l3 - 2)) == ETH_P_8021Q)
		ip->l3 += 4;
	ip->ipv6 = type == ETH_P_IPV6;
	if (!ip->ipv6 && type != ETH_P_IP)
		return false;
	if (!(ip->ipv6 ? parse_ipv6(ip) : parse_ipv4(ip)))
		return false;
	ip->payload = ip->l4;
	if (ip->protocol == IPPROTO_TCP)
		ip->payload += (ip->data[ip->l4 + 12] >> 4) * 4;
	else if (ip->protocol == IPPROTO_UDP)
		ip->payload += UDP_LEN;
	return ip->payload <= ip->end && ip->end <= ip->len;
}

bool nb_ip_is_right(const struct nb_ip *ip)
{
	const unsigned char *header = ip->data + ip->l3;

	if (!ip->ipv6 && nb_ip_sum(header, (header[0] & 15) * 4, 0) != 0xffff)
		return false;
	if (ip->protocol == IPPROTO_UDP &&
	    get16(ip->data + ip->l4 + 4) != ip->end - ip->l4)
		return false;
	return !has_checksum(ip) || l4_sum(ip) == 0xffff;
}

bool nb_ip_same(const struct nb_ip *expected, const struct nb_ip *got)
{
	uint32_t i;

	if (expected->len == got->len && !memcmp(expected->data, got->data, got->len))
		return true;
	for (i = 0; i < got->len && i < expected->len && expected->data[i] == got->data[i]; i++)
		;
	fprintf(stderr, "# %u bytes instead of %u, the first that differs is %u\n", got->len,
		expected->len, i);
	return false;
}

/* ---- cutting: RFC 9293, RFC 791, RFC 3168 -------------------------------- */

unsigned int nb_ip_pieces(const struct nb_ip *whole, uint16_t size)
{
	uint32_t payload = whole->end - whole->payload;

	return payload <= size ? 1 : (payload + size - 1) / size;
}

void nb_ip_piece(const struct nb_ip *whole, uint16_t size, unsigned int i,
		 struct nb_ip *piece)
{
	uint32_t from = whole->payload + (uint32_t)i * size, left = whole->end - from;
	bool last = left <= size;
	unsigned char *l4 = piece->data + whole->l4;

	memcpy(piece, whole, offsetof(struct nb_ip, data) + whole->payload);
	memcpy(piece->data + piece->payload, whole->data + from, last ? left : size);
	piece->end = piece->payload + (last ? left : size);
	piece->len = piece->end;
	if (!piece->ipv6)
		put16(piece->data + piece->l3 + 4, get16(piece->data + piece->l3 + 4) + i);
	if (piece->protocol == IPPROTO_TCP) {
		put32(l4 + 4, get32(l4 + 4) + (uint32_t)i * size);
		if (!last)
			l4[13] &= ~(TCP_FIN | TCP_PSH);
		if (i)
			l4[13] &= ~TCP_CWR;
	}
	nb_ip_finish(piece);
}

/* ---- as a guest leaves it ------------------------------------------------ */

#define SEGMENTATION	(NB_TX_OFFLOAD_TCP_SEGMENTATION | NB_TX_OFFLOAD_UDP_SEGMENTATION)
#define L4_CHECKSUM	(NB_TX_OFFLOAD_TCP_CHECKSUM | NB_TX_OFFLOAD_UDP_CHECKSUM)

void nb_ip_leave_to_backend(struct nb_ip *ip, uint16_t flags, bool zero)
{
	unsigned char *header = ip->data + ip->l3;

	if (!ip->ipv6 && (flags & (NB_TX_OFFLOAD_IP_HEADER_CHECKSUM | SEGMENTATION)))
		put16(header + 10, zero ? 0 : 0x7e57);
	if (flags & (SEGMENTATION | L4_CHECKSUM))
		put16(checksum_field(ip), zero ? 0 : 0x7e57);
	if (!(flags & SEGMENTATION) || !zero)
		return;
	/* NDIS: the lengths of a super-packet are the backend's, too. */
	put16(header + (ip->ipv6 ? 4 : 2), 0);
	if (ip->protocol == IPPROTO_UDP)
		put16(ip->data + ip->l4 + 4, 0);
}

void nb_ip_leave_to_stack(struct nb_ip *ip)
{
	put16(checksum_field(ip), pseudo_sum(ip));
}

void nb_ip_describe(const struct nb_ip *ip, uint16_t flags, uint16_t size,
		    struct nb_tx_segment *head)
{
	head->flags |= flags | (ip->ipv6 ? NB_TX_IS_IPV6 : NB_TX_IS_IPV4);
	head->l2_len = ip->l3;
	head->l3_len = ip->l4 - ip->l3;
	head->l4_len = ip->payload - ip->l4;
	head->max_segment_size = size;
}

/* For each bit of the input the key's 32 bits from there on. */
uint32_t nb_ip_toeplitz(const uint8_t *key, unsigned int key_len, const uint8_t *input,
			unsigned int len)
{
	uint32_t hash = 0;
	unsigned int i, k;

	for (i = 0; i < 8 * len; i++) {
		if (!(input[i / 8] & 0x80 >> i % 8))
			continue;
		for (k = 0; k < 32; k++)
			if ((i + k) / 8 < key_len && (key[(i + k) / 8] & 0x80 >> (i + k) % 8))
				hash ^= 0x80000000u >> k;
	}
	return hash;
}

uint32_t nb_ip_hash(const struct nb_ip *ip, const uint8_t *key, unsigned int key_len)
{
	unsigned int len = ip->ipv6 ? 32 : 8;
	uint8_t input[36];

	memcpy(input, ip->data + ip->l3 + (ip->ipv6 ? 8 : 12), len);
	if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) {
		memcpy(input + len, ip->data + ip->l4, 4);
		len += 4;
	}
	return nb_ip_toeplitz(key, key_len, input, len);
}
