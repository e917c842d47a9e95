// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * From receive metadata to transmit metadata, for frontends that forward
 *
 * A packet's bytes may come from anybody, and lie where a guest can change them: each
 * byte is read once, and only after its place has been held against the length.
 */
#include <errno.h>

#include "internal.h"

#define ETHERNET_LEN	14
#define VLAN_LEN	4
#define IPV4_LEN	20
#define IPV6_LEN	40
#define TCP_LEN		20
#define UDP_LEN		8
/* where the checksum is in the header */
#define TCP_CHECK	16
#define UDP_CHECK	6

#define TYPE_IPV4	0x0800
#define TYPE_IPV6	0x86dd
#define TYPE_VLAN	0x8100
#define TYPE_SERVICE	0x88a8

/**
 * struct headers - where a packet's headers are
 * @packet: its first byte
 * @len: its length
 * @type: EtherType behind all VLAN tags
 * @l3: offset of what follows the Ethernet header
 * @l4: offset of the TCP or UDP header
 */
struct headers {
	uint8_t *packet;
	uint32_t len;
	uint16_t type;
	uint32_t l3;
	uint32_t l4;
};

static uint8_t read_byte(const uint8_t *from)
{
	return *(const volatile uint8_t *)from;
}

static uint16_t read_word(const uint8_t *from)
{
	return (uint16_t)(read_byte(from) << 8 | read_byte(from + 1));
}

static bool find_l3(struct headers *h)
{
	h->l3 = ETHERNET_LEN;
	if (h->len < h->l3)
		return false;
	h->type = read_word(h->packet + h->l3 - 2);
	while (h->type == TYPE_VLAN || h->type == TYPE_SERVICE) {
		h->l3 += VLAN_LEN;
		/* l2_len has a byte */
		if (h->len < h->l3 || h->l3 > UINT8_MAX)
			return false;
		h->type = read_word(h->packet + h->l3 - 2);
	}
	return true;
}

/* Where the metadata says, or else behind an IP header without extensions. */
static bool find_l4(struct headers *h, const struct nb_rx_metadata *rx)
{
	uint32_t least = h->type == TYPE_IPV4 ? IPV4_LEN : IPV6_LEN;

	if (h->len < h->l3 + least)
		return false;
	if (rx->flags & NB_RX_NEEDS_CHECKSUM)
		h->l4 = rx->checksum_start;
	else if (h->type == TYPE_IPV4)
		h->l4 = h->l3 + (read_byte(h->packet + h->l3) & 15) * 4;
	else
		h->l4 = h->l3 + IPV6_LEN;
	return h->l4 >= h->l3 + least && h->l4 <= h->len;
}

/* What the packet is, by the place of its checksum or by the metadata. */
static uint8_t protocol_of(const struct nb_rx_metadata *rx)
{
	if (!(rx->flags & NB_RX_NEEDS_CHECKSUM))
		return rx->l4_protocol;
	switch (rx->checksum_offset) {
	case TCP_CHECK:
		return NB_L4_TCP;
	case UDP_CHECK:
		return NB_L4_UDP;
	default:
		return NB_L4_UNKNOWN;
	}
}

/* Ask for a checksum, and for segmentation of what is longer than a segment. */
static bool ask_for_offloads(struct nb_tx_segment *tx, const struct headers *h,
			     const struct nb_rx_metadata *rx, uint8_t protocol)
{
	bool tcp = protocol == NB_L4_TCP;
	uint32_t l4_len = tcp ? TCP_LEN : UDP_LEN;

	if (h->len < h->l4 + l4_len)
		return false;
	if (tcp)
		l4_len = (read_byte(h->packet + h->l4 + 12) >> 4) * 4u;
	tx->flags |= h->type == TYPE_IPV4 ? NB_TX_IS_IPV4 : NB_TX_IS_IPV6;
	tx->flags |= tcp ? NB_TX_OFFLOAD_TCP_CHECKSUM : NB_TX_OFFLOAD_UDP_CHECKSUM;
	tx->l2_len = (uint8_t)h->l3;
	tx->l3_len = (uint16_t)(h->l4 - h->l3);
	tx->l4_len = (uint8_t)l4_len;
	if (!rx->segment_size)
		return true;
	if (tcp && (l4_len < TCP_LEN || h->len < h->l4 + l4_len))
		return false;
	tx->flags |= tcp ? NB_TX_OFFLOAD_TCP_SEGMENTATION : NB_TX_OFFLOAD_UDP_SEGMENTATION;
	/* a segment is at most the packet; then there is nothing to cut */
	tx->max_segment_size = rx->segment_size < h->len ? rx->segment_size :
							   (uint16_t)h->len;
	return true;
}

/* The checksum of whatever protocol it is, as the metadata describes it. */
static bool complete_checksum(const struct headers *h, const struct nb_rx_metadata *rx)
{
	uint32_t start = rx->checksum_start, place = start + rx->checksum_offset, i;
	uint64_t sum = 0;

	if (place + 2 > h->len)
		return false;
	for (i = start; i + 1 < h->len; i += 2)
		sum += read_word(h->packet + i);
	if (i < h->len)
		sum += (uint64_t)read_byte(h->packet + i) << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum ^= 0xffff;
	/* no checksum is 0, which in UDP means that there is none */
	if (!sum)
		sum = 0xffff;
	h->packet[place] = (uint8_t)(sum >> 8);
	h->packet[place + 1] = (uint8_t)sum;
	return true;
}

static bool carry_over(struct nb_tx_segment *tx, struct headers *h,
		       const struct nb_rx_metadata *rx)
{
	uint8_t protocol = protocol_of(rx);

	if (find_l3(h) && (h->type == TYPE_IPV4 || h->type == TYPE_IPV6) &&
	    protocol != NB_L4_UNKNOWN && find_l4(h, rx))
		return ask_for_offloads(tx, h, rx, protocol);
	return !rx->segment_size && complete_checksum(h, rx);
}

int nb_tx_from_rx(const struct nb_memory *mem, const struct nb_rx_metadata *rx,
		  uint64_t gpa, struct nb_tx_segment *tx)
{
	struct nb_tx_segment made = {
		.gpa = gpa + rx->offset,
		.len = rx->len,
		.id = rx->id,
		.packet_len = rx->len,
		.flags = NB_TX_HEAD,
		.segment_count = 1,
	};
	struct headers h = { .len = rx->len };

	if (nb_unlikely(rx->status != NB_RX_OK))
		return nb_fail(EINVAL, "buffer %u came back without a packet", rx->id);
	if (rx->flags & NB_RX_VLAN) {
		made.flags |= NB_TX_VLAN;
		made.vlan = rx->vlan;
	}
	if ((rx->flags & NB_RX_NEEDS_CHECKSUM) || rx->segment_size) {
		h.packet = nb_memory_ptr(mem, made.gpa, made.len);
		if (nb_unlikely(!h.packet))
			return nb_fail(EINVAL, "no guest memory at %#llx, %u bytes",
				       (unsigned long long)made.gpa, made.len);
		if (nb_unlikely(!carry_over(&made, &h, rx)))
			return nb_fail(EINVAL, "buffer %u and its metadata do not go together",
				       rx->id);
	}
	*tx = made;
	return 0;
}
