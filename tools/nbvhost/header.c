// SPDX-License-Identifier: GPL-2.0
/*
 * Between struct virtio_net_hdr and the metadata of net_backend
 *
 * Where a packet's headers are, the guest says with one offset, and net_backend wants with
 * three lengths: they are read from the packet's first bytes.  The kernel derives them
 * once more, so that what is wrong here, or changes, harms only that packet.
 */
#include <endian.h>
#include <linux/if_ether.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "nbvhost.h"

#define VLAN_LEN	4
#define TCP_LEN		20
#define UDP_LEN		8
/* where the checksum is in the header, and where TCP has its length */
#define TCP_CHECK	16
#define UDP_CHECK	6
#define TCP_DATA_OFFSET	12

/* not in the headers of Linux 6.1 yet */
#define NET_F_GUEST_USO4	54
#define NET_F_GUEST_USO6	55
#define GSO_UDP_L4		5

/* the bytes of a packet that may hold Ethernet's header, with its tags */
#define L2_BYTES		(ETH_HLEN + 4 * VLAN_LEN)

/* What may come from the endpoint, by what the guest takes. */
uint32_t header_queue_flags(const struct nic *nic)
{
	uint32_t flags = 0;

	if (!has_feature(nic, VIRTIO_NET_F_GUEST_CSUM))
		return 0;
	flags |= NB_QUEUE_RX_CHECKSUM;
	if (has_feature(nic, VIRTIO_NET_F_GUEST_TSO4) && has_feature(nic, VIRTIO_NET_F_GUEST_TSO6))
		flags |= NB_QUEUE_RX_TCP_SEGMENTATION;
	if (has_feature(nic, NET_F_GUEST_USO4) && has_feature(nic, NET_F_GUEST_USO6))
		flags |= NB_QUEUE_RX_UDP_SEGMENTATION;
	return flags;
}

/* Bytes of the longest packet that may come, with a VLAN tag. */
uint32_t header_longest_packet(const struct nic *nic)
{
	const uint32_t segmentation = NB_QUEUE_RX_TCP_SEGMENTATION | NB_QUEUE_RX_UDP_SEGMENTATION;
	uint32_t mtu = nic->info.mtu ? nic->info.mtu : ETH_DATA_LEN;

	if (header_queue_flags(nic) & segmentation)
		mtu = UINT16_MAX;
	return mtu + ETH_HLEN + VLAN_LEN;
}

static uint16_t word_at(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Find Ethernet's header in a packet's first bytes: its length, and whose it is. */
static uint32_t find_l2(const uint8_t *bytes, uint32_t n, uint16_t *type)
{
	uint32_t l2 = ETH_HLEN;

	*type = word_at(bytes + l2 - 2);
	while ((*type == ETH_P_8021Q || *type == ETH_P_8021AD) && l2 + VLAN_LEN <= n) {
		l2 += VLAN_LEN;
		*type = word_at(bytes + l2 - 2);
	}
	return l2;
}

static const char *ask_for_checksum(const struct nic *nic, const struct chain *chain,
				    const struct virtio_net_hdr_v1 *header,
				    struct nb_tx_segment *head)
{
	uint32_t size = header_size(nic), start = le16toh(header->csum_start), l2;
	uint32_t n = head->packet_len < L2_BYTES ? head->packet_len : L2_BYTES;
	uint8_t bytes[L2_BYTES];
	uint16_t type;

	if (!memory_read(&nic->memory, chain->segments, chain->n, size, bytes, n))
		return "a packet that is not in guest memory";
	l2 = find_l2(bytes, n, &type);
	if ((type != ETH_P_IP && type != ETH_P_IPV6) || start <= l2)
		return "a checksum of something that is not IP";
	head->flags |= type == ETH_P_IP ? NB_TX_IS_IPV4 : NB_TX_IS_IPV6;
	head->l2_len = (uint8_t)l2;
	head->l3_len = (uint16_t)(start - l2);
	switch (le16toh(header->csum_offset)) {
	case TCP_CHECK:
		head->flags |= NB_TX_OFFLOAD_TCP_CHECKSUM;
		return NULL;
	case UDP_CHECK:
		head->flags |= NB_TX_OFFLOAD_UDP_CHECKSUM;
		return NULL;
	default:
		return "a checksum that is neither of TCP nor of UDP";
	}
}

static const char *ask_for_segmentation(const struct nic *nic, const struct chain *chain,
					const struct virtio_net_hdr_v1 *header,
					struct nb_tx_segment *head)
{
	uint32_t at = header_size(nic) + head->l2_len + head->l3_len + TCP_DATA_OFFSET;
	uint16_t mss = le16toh(header->gso_size);
	uint8_t data_offset;

	switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (!memory_read(&nic->memory, chain->segments, chain->n, at, &data_offset, 1))
			return "a TCP header that is not there";
		head->flags |= NB_TX_OFFLOAD_TCP_SEGMENTATION;
		head->l4_len = (uint8_t)((data_offset >> 4) * 4);
		break;
	case GSO_UDP_L4:
		head->flags |= NB_TX_OFFLOAD_UDP_SEGMENTATION;
		head->l4_len = UDP_LEN;
		break;
	default:
		return "segmentation that was not offered";
	}
	/* a segment is at most the packet; then there is nothing to cut */
	head->max_segment_size = mss < head->packet_len ? mss : (uint16_t)head->packet_len;
	return NULL;
}

/*
 * Describe the packet that is in a chain, behind its header; says what is wrong with it,
 * or NULL.
 */
const char *header_to_packet(const struct nic *nic, const struct chain *chain,
			     struct nb_tx_segment *head)
{
	struct virtio_net_hdr_v1 header = { 0 };
	uint32_t size = header_size(nic);
	uint32_t known = size < sizeof(header) ? size : sizeof(header);
	const char *wrong;

	if (chain->len < size + NB_MIN_PACKET_LEN || chain->len > size + NB_MAX_PACKET_LEN)
		return "a packet that is too short or too long";
	if (!memory_read(&nic->memory, chain->segments, chain->n, 0, &header, known))
		return "a header that is not in guest memory";
	*head = (struct nb_tx_segment){
		.id = chain->id,
		.packet_len = (uint32_t)chain->len - size,
		.flags = NB_TX_HEAD,
	};
	if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		wrong = ask_for_checksum(nic, chain, &header, head);
		if (wrong || header.gso_type == VIRTIO_NET_HDR_GSO_NONE)
			return wrong;
		return ask_for_segmentation(nic, chain, &header, head);
	}
	return header.gso_type == VIRTIO_NET_HDR_GSO_NONE ? NULL :
							    "segmentation without a checksum";
}

static uint8_t gso_type(const struct nb_rx_metadata *packet)
{
	if (packet->l4_protocol == NB_L4_UDP)
		return GSO_UDP_L4;
	return packet->l3_protocol == NB_L3_IPV6 ? VIRTIO_NET_HDR_GSO_TCPV6 :
						   VIRTIO_NET_HDR_GSO_TCPV4;
}

/* Tell which hash the packet has, and the hash, if the guest wants to know it. */
static void add_hash(const struct nic *nic, const struct nb_rx_metadata *packet,
		     struct virtio_net_hdr_v1_hash *header)
{
	uint16_t report = steering_report(nic, packet);

	header->hash_report = htole16(report);
	if (report != VIRTIO_NET_HASH_REPORT_NONE)
		header->hash_value = htole32(packet->hash);
}

/* Make the header for a packet that is in @chains of the guest's buffers. */
void header_from_packet(const struct nic *nic, const struct nb_rx_metadata *packet,
			uint16_t chains, struct virtio_net_hdr_v1_hash *to)
{
	struct virtio_net_hdr_v1 *header = &to->hdr;
	uint32_t l4_len;

	*to = (struct virtio_net_hdr_v1_hash){ .hdr.num_buffers = htole16(chains) };
	if (packet->flags & NB_RX_NEEDS_CHECKSUM) {
		header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header->csum_start = htole16(packet->checksum_start);
		header->csum_offset = htole16(packet->checksum_offset);
	} else if (packet->l4_checksum == NB_CHECKSUM_GOOD &&
		   has_feature(nic, VIRTIO_NET_F_GUEST_CSUM)) {
		header->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (packet->segment_size) {
		header->gso_type = gso_type(packet);
		header->gso_size = htole16(packet->segment_size);
		/* a hint: TCP's options are not counted */
		l4_len = packet->l4_protocol == NB_L4_UDP ? UDP_LEN : TCP_LEN;
		if (packet->flags & NB_RX_NEEDS_CHECKSUM)
			header->hdr_len = htole16((uint16_t)(packet->checksum_start + l4_len));
	}
	if (nic->steering.types)
		add_hash(nic, packet, to);
}
