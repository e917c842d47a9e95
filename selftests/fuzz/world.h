/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the targets play with, and what must not change: guest memory with regions that are
 * read-only or end between pages that are none, an endpoint of each kind, and the host's ends.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "../nbraw.h"
#include "../nbswitch.h"
#include "../nbtest.h"

enum fuzz_kind { FUZZ_NULL, FUZZ_LOOPBACK, FUZZ_PORT, FUZZ_NETDEV, FUZZ_ATTACH, FUZZ_KINDS };

/* One page, that is read only by the kernel. */
#define FUZZ_READ_ONLY_GPA	NB_MORE_GPA
/* One page, with other memory of this process in front of it and behind it. */
#define FUZZ_ISLAND_GPA		(NB_MORE_GPA + 16 * NB_PAGE)

struct fuzz_world {
	struct nb_guest guest;
	struct nb_endpoint *ep[FUZZ_KINDS];
	/* Of netdev a packet socket, of the port one on the switch's uplink; of attach a tap. */
	int host[FUZZ_KINDS];
	int ifindex[FUZZ_KINDS];
	struct nb_endpoint *uplink;
	struct nb_port peer;		/* another port of the same switch */
	uint8_t *packets;		/* the memory at NB_TX_GPA */
};

extern const char *const fuzz_kind_names[FUZZ_KINDS];

void fuzz_world_open(struct fuzz_world *world);
/* Packets that are right, of which each begins on a page of its own from NB_TX_GPA on. */
#define FUZZ_PACKETS	8u
/* Writes them anew. */
void fuzz_world_fill(struct fuzz_world *world);
/* What an offload of packet number i needs; its length. */
uint32_t fuzz_describe(unsigned int i, uint16_t flags, struct nb_tx_segment *head);
/* Whether what the kernel may not write is as it was. */
void fuzz_world_check(void);
/* Adds the regions that are missing. */
void fuzz_world_mend(struct fuzz_world *world);
/* Region number i of those: gone. */
void fuzz_world_remove(struct fuzz_world *world, unsigned int i);
/*
 * The host sends to a guest; a header of virtio is in front, without which (NULL) nothing is
 * asked of the host.  Nobody minds if it cannot.
 */
struct virtio_net_hdr;
void fuzz_host_send(struct fuzz_world *world, enum fuzz_kind kind,
		    const struct virtio_net_hdr *header, const void *frame, size_t len);
/* Takes what has come to the host and to the other port. */
void fuzz_host_drain(struct fuzz_world *world, enum fuzz_kind kind);
/* The only queue of an endpoint, with rings of that many entries: 0 or a negative errno. */
int fuzz_open_queue(struct fuzz_world *world, enum fuzz_kind kind, uint32_t entries,
		    uint32_t flags, struct nb_raw *raw);
/* Whether a queue that has just been opened sends a packet. */
void fuzz_check_queue(struct fuzz_world *world, enum fuzz_kind kind, struct nb_raw *raw);

#endif /* FUZZ_WORLD_H */
