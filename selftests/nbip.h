/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IP packets for tests, with checksums and segmentation that have nothing in common with
 * those under test: they are written from the RFCs, byte by byte.
 */
#ifndef NBIP_H
#define NBIP_H

#include <netinet/in.h>
#include <linux/virtio_net.h>

#include "nbtest.h"

#define NB_IP_MAC_HOST	"\x02\x00\x00\x00\x00\x02"
#define NB_IP_MAC_GUEST	"\x02\x00\x00\x00\x00\x01"

/* What a packet is to be; what is 0 has a sensible value. */
struct nb_ip_plan {
	bool ipv6;
	uint8_t protocol;	/* IPPROTO_TCP, IPPROTO_UDP or another */
	uint8_t tags;		/* VLAN tags in the packet itself */
	uint8_t options;	/* bytes of IPv4 options, or of IPv6 extension headers */
	uint8_t route;		/* IPv6: type of a routing header to yet another address */
	uint8_t tcp_options;	/* bytes */
	uint8_t tcp_flags;	/* byte 13 of the header */
	uint16_t id;		/* IPv4 identification */
	uint32_t sequence;	/* TCP */
	uint32_t payload;	/* bytes */
	uint8_t padding;	/* bytes behind the IP packet */
	uint32_t seed;		/* of the payload */
	uint16_t source_port;
	uint16_t port;
	const uint8_t *source;	/* addresses, in the order of the network */
	const uint8_t *destination;
};

struct nb_ip {
	uint32_t len;		/* bytes of the frame, with padding */
	uint32_t end;		/* of the IP packet, from the beginning of the frame */
	uint32_t l3;		/* offsets */
	uint32_t l4;
	uint32_t payload;
	uint32_t destination;	/* address of the last station */
	bool ipv6;
	uint8_t protocol;
	unsigned char data[NB_MAX_PACKET_LEN];
};

/* A packet of which everything is right. */
void nb_ip_make(struct nb_ip *ip, const struct nb_ip_plan *plan);
/* Its lengths and checksums, after it has been changed. */
void nb_ip_finish(struct nb_ip *ip);
/* Finds the headers of a frame; false if it is neither IPv4 nor IPv6. */
bool nb_ip_parse(struct nb_ip *ip);
/* Whether the checksums, and the lengths, are right. */
bool nb_ip_is_right(const struct nb_ip *ip);
/* Whether two are the same, byte for byte; says where they are not. */
bool nb_ip_same(const struct nb_ip *expected, const struct nb_ip *got);
/* How many packets a super-packet becomes, and which. */
unsigned int nb_ip_pieces(const struct nb_ip *whole, uint16_t size);
void nb_ip_piece(const struct nb_ip *whole, uint16_t size, unsigned int i,
		 struct nb_ip *piece);
/* The Internet checksum of bytes, that of an even number in front of them given. */
uint16_t nb_ip_sum(const unsigned char *data, size_t len, uint32_t sum);
/* The Toeplitz hash by its definition, and that of a packet, with the ports if it has some. */
uint32_t nb_ip_toeplitz(const uint8_t *key, unsigned int key_len, const uint8_t *input,
			unsigned int len);
uint32_t nb_ip_hash(const struct nb_ip *ip, const uint8_t *key, unsigned int key_len);

/* Puts nonsense where the transmit flags ask the backend to fill something in. */
void nb_ip_leave_to_backend(struct nb_ip *ip, uint16_t flags, bool zero);
/* Puts what a stack expects from a sender that leaves the checksum to it. */
void nb_ip_leave_to_stack(struct nb_ip *ip);
/* Completes a transmit's head with what the flags need. */
void nb_ip_describe(const struct nb_ip *ip, uint16_t flags, uint16_t size,
		    struct nb_tx_segment *head);

/* ---- on the host --------------------------------------------------------- */

/* How a packet socket saw a frame. */
struct nb_seen {
	int vlan;			/* TCI or NB_NO_VLAN */
	bool incomplete;		/* its checksum is not there yet */
	struct virtio_net_hdr vnet;	/* after nb_ip_want_vnet() */
};

/* From now on the socket tells and takes a struct virtio_net_hdr with each frame. */
void nb_ip_want_vnet(struct nb_host *host);
/* Waits for the next IP packet from the guest or, with @vnet, what the socket tells. */
bool nb_ip_receive(struct nb_host *host, struct nb_ip *ip, struct nb_seen *seen, bool vnet);
/* Sends a packet whose checksum, and segmentation if size is not 0, the stack does. */
void nb_ip_send(struct nb_host *host, const struct nb_ip *ip, bool checksum, uint16_t size);

/* Runs a program of the host that has to succeed; the words are parted by spaces. */
void nb_host_run(const char *line);
/* SIOCETHTOOL. */
void nb_link_ask_ethtool(const char *name, void *command);
/* Whether a feature of an interface, by its name in ethtool -k, is on; turns it off. */
bool nb_link_has_feature(const char *name, const char *feature);
void nb_link_clear_feature(const char *name, const char *feature);
/*
 * What arrives on the interface goes through a pair of veth instead, as it would be on
 * a wire.  The socket is behind it.
 */
void nb_host_behind_wire(struct nb_host *host, const char *name);

/* ---- a frontend with wishes ---------------------------------------------- */

/* Its guest memory, from NB_MORE_GPA on: buffers for super-packets, and some pages more. */
#define NB_TAKER_BUFFERS	24u
#define NB_TAKER_BUFFER_SIZE	66048u
#define NB_TAKER_ROOM							\
	((NB_TAKER_BUFFERS * NB_TAKER_BUFFER_SIZE / NB_PAGE + 1) * NB_PAGE)
#define NB_TAKER_SEND_GPA	(NB_MORE_GPA + NB_TAKER_ROOM)
#define NB_TAKER_MEMORY		(NB_TAKER_ROOM + 4 * NB_PAGE)

struct nb_taker {
	struct nb_guest guest;
	struct nb_nic nic;
	uint32_t id;			/* of the buffer that has come last */
	struct nb_rx_metadata meta;	/* what came with it */
	struct nb_ip got;
};

/* With a netdev, or with an endpoint of another kind. */
void nb_taker_open(struct nb_taker *taker);
void nb_taker_open_kind(struct nb_taker *taker, const struct nb_test_kind *kind);
void nb_taker_close(struct nb_taker *taker);
/* Queues with these flags; 0 or a negative errno. */
int nb_taker_get_queues(struct nb_taker *taker, const uint32_t *flags, unsigned int n);
/* One queue with these flags; the interface comes up. */
void nb_taker_start(struct nb_taker *taker, uint32_t flags);
void nb_taker_stop(struct nb_taker *taker);
/* Waits for the next packet. */
bool nb_taker_receive(struct nb_taker *taker);
/* Completes the checksum as the metadata says, whatever the packet is. */
void nb_taker_complete(struct nb_taker *taker);
/* Sends a packet from the host of which the stack does the rest. */
void nb_taker_send(struct nb_taker *taker, const struct nb_ip *ip, uint16_t size);

#endif /* NBIP_H */
