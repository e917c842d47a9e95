/* SPDX-License-Identifier: GPL-2.0 */
/* What the peers share: packets as iovecs, a tap device */
#ifndef PEERS_H
#define PEERS_H

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "../bench.h"

/* packet.c: a packet to send, in the pieces of its shape, behind the header of one */
struct packet {
	struct virtio_net_hdr_mrg_rxbuf header;
	unsigned int n;
	struct iovec *pieces;	/* the first is the header */
	uint8_t *memory;
};

/* to: its destination; a super-packet goes to another host */
void packet_make(struct packet *packet, const struct shape *shape, const uint8_t *to);
void packet_free(struct packet *packet);

/* tap.c: a new tap device, up, with flags besides IFF_TAP; the fd, or -1, said */
int tap_create(const struct shape *shape, unsigned int flags, int *ifindex);

#endif /* PEERS_H */
