// SPDX-License-Identifier: GPL-2.0
/*
 * Announcing a guest that has moved here: bridges and switches learn where it is now
 *
 * In the main thread, while no pair's runs.  The packet is a RARP request, as QEMU's announce.c has
 * it: RFC 903, of the guest's address for itself, by broadcast.  It is in memory of this process,
 * behind the guest's in the kernel's eyes, as tails are.
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <string.h>
#include <sys/mman.h>

#include "nbvhost.h"

#define PAGE		4096u
/* behind the tails of all pairs */
#define ANNOUNCE_GPA	(OWN_GPA + ((uint64_t)MAX_PAIRS << 32))

struct announcement {
	struct ether_header ether;
	struct ether_arp arp;
} __attribute__((packed));

static void fill(void *frame, const uint8_t *mac)
{
	struct announcement packet = {
		.ether.ether_type = htons(ETHERTYPE_REVARP),
		.arp.ea_hdr = {
			.ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETHERTYPE_IP),
			.ar_hln = ETHER_ADDR_LEN,
			.ar_pln = sizeof(packet.arp.arp_spa),
			.ar_op = htons(ARPOP_RREQUEST),
		},
	};

	memset(packet.ether.ether_dhost, 0xff, ETHER_ADDR_LEN);
	memcpy(packet.ether.ether_shost, mac, ETHER_ADDR_LEN);
	memcpy(packet.arp.arp_sha, mac, ETHER_ADDR_LEN);
	memcpy(packet.arp.arp_tha, mac, ETHER_ADDR_LEN);
	memcpy(frame, &packet, sizeof(packet));
}

/* Where it is, in memory that the kernel knows; NULL if there is none. */
static void *frame_of(struct memory *memory)
{
	void *frame;

	if (memory->frame)
		return memory->frame;
	frame = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (frame == MAP_FAILED)
		return NULL;
	if (nb_memory_add(memory->mem, ANNOUNCE_GPA, frame, PAGE, 0))
		munmap(frame, PAGE);
	else
		memory->frame = frame;
	return memory->frame;
}

/* The memory is closed. */
void announce_close(struct memory *memory)
{
	if (memory->frame)
		munmap(memory->frame, PAGE);
}

/* Send it by the first pair; a guest that has none that runs is not there yet. */
void announce(struct nic *nic, const uint8_t *mac)
{
	const struct nb_tx_segment packet = {
		.gpa = ANNOUNCE_GPA,
		.len = ETH_ZLEN,
		.id = ANNOUNCED,
		.packet_len = ETH_ZLEN,
		.flags = NB_TX_HEAD,
		.segment_count = 1,
	};
	void *frame;

	if (!nic->n_pairs)
		return;
	frame = frame_of(&nic->memory);
	if (!frame) {
		nic_say(nic, "no memory to announce the guest");
		return;
	}
	fill(frame, mac);
	/* what it returns the pair's thread is going to see, too */
	nb_queue_tx_avail(nic->pairs[0].queue, &packet, 1, NULL);
}
