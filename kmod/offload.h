/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Metadata ↔ headers: what a guest asks for becomes what the stack understands, and
 * the other way round.
 */
#ifndef _NB_OFFLOAD_H
#define _NB_OFFLOAD_H

#include <linux/types.h>

#include <linux/net_backend.h>

struct sk_buff;

/* The flags of a head that ask for something. */
#define NB_TX_OFFLOAD_FLAGS						\
	(NB_TX_OFFLOAD_IP_HEADER_CHECKSUM | NB_TX_OFFLOAD_TCP_CHECKSUM | \
	 NB_TX_OFFLOAD_UDP_CHECKSUM | NB_TX_OFFLOAD_TCP_SEGMENTATION |	\
	 NB_TX_OFFLOAD_UDP_SEGMENTATION)

/* Those that cut super-packets. */
#define NB_TX_SEGMENTATION_FLAGS \
	(NB_TX_OFFLOAD_TCP_SEGMENTATION | NB_TX_OFFLOAD_UDP_SEGMENTATION)

/**
 * nb_offload_tx() - prepare a packet for the offloads that its head asks for
 * @skb: the packet, skb->data at its Ethernet header
 * @head: what the guest says about it; each length is held against the packet
 *
 * Fills in what NDIS guests leave at zero (IPv4 total length and header checksum,
 * IPv6 payload length), and leaves the rest to the stack: CHECKSUM_PARTIAL, GSO.
 * Any context.
 *
 * Return: NB_TX_OK, NB_TX_INVALID, or NB_TX_DROPPED for want of memory.
 */
u16 nb_offload_tx(struct sk_buff *skb, const struct nb_tx_segment *head);

/**
 * nb_offload_rx() - describe a packet that the stack transmits
 * @skb: the packet, skb->data at its Ethernet header
 * @meta: in/out: all but its length, VLAN and buffer
 *
 * Any context.
 */
void nb_offload_rx(const struct sk_buff *skb, struct nb_rx_metadata *meta);

#endif /* _NB_OFFLOAD_H */
