// SPDX-License-Identifier: GPL-2.0
/*
 * Peer af_packet, under attach: a packet socket with a ring in shared memory, on one end of
 * a pair of veth
 *
 * tx: a batch of slots is filled and sent by one system call; each packet is copied into
 * its slot, as a VMM would have to.
 * rx: what a socket sends into the other end is in the slots; it is copied out, too.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peers.h"

#define BLOCK_SIZE	(1u << 20)
#define PATIENCE	100000u
#define SEND_BUFFER	(256 << 20)
/* Where a packet to send is in its slot */
#define TX_OFFSET	(TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))

struct ring_socket {
	struct shape shape;
	struct pair pair;
	int fd;
	uint8_t *ring;
	size_t ring_size;
	unsigned int slot_size;
	unsigned int slots_a_block;
	unsigned int n_slots;
	unsigned int next;
	struct packet packet;
	struct source *source;
	uint8_t *buffer;
};

static void ring_close(void *state)
{
	struct ring_socket *ring = state;

	if (ring->source)
		source_close(ring->source);
	if (ring->ring)
		munmap(ring->ring, ring->ring_size);
	if (ring->fd >= 0)
		close(ring->fd);
	pair_close(&ring->pair);
	packet_free(&ring->packet);
	free(ring->buffer);
	free(ring);
}

/* PACKET_TX_RING or PACKET_RX_RING, of twice a batch */
static int make_ring(struct ring_socket *ring, int which)
{
	const int version = TPACKET_V2, send_buffer = SEND_BUFFER;
	unsigned int slot = 2048;
	struct tpacket_req request;

	while (slot < ring->shape.size + TPACKET2_HDRLEN + 64)
		slot *= 2;
	ring->slot_size = slot;
	ring->slots_a_block = BLOCK_SIZE / slot;
	request.tp_block_size = BLOCK_SIZE;
	request.tp_block_nr = (2 * ring->shape.batch + ring->slots_a_block - 1) /
			      ring->slots_a_block;
	request.tp_frame_size = slot;
	request.tp_frame_nr = request.tp_block_nr * ring->slots_a_block;
	ring->n_slots = request.tp_frame_nr;
	ring->ring_size = (size_t)request.tp_block_nr * BLOCK_SIZE;

	if (setsockopt(ring->fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer,
		       sizeof(send_buffer)) < 0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(ring->fd, SOL_PACKET, which, &request, sizeof(request)) < 0)
		return -1;
	ring->ring = mmap(NULL, ring->ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (ring->ring != MAP_FAILED)
		return 0;
	ring->ring = NULL;
	return -1;
}

static struct ring_socket *ring_open(const struct shape *shape, int which, uint16_t protocol)
{
	struct ring_socket *ring = alloc(1, sizeof(*ring));
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = protocol,
	};

	ring->shape = *shape;
	ring->fd = -1;
	ring->buffer = alloc(1, shape->size);
	if (pair_open(&ring->pair, shape) < 0) {
		ring_close(ring);
		return NULL;
	}
	address.sll_ifindex = ring->pair.lower;
	ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (ring->fd >= 0 && make_ring(ring, which) == 0 &&
	    bind(ring->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return ring;
	say("packet socket with a ring: %s", strerror(errno));
	ring_close(ring);
	return NULL;
}

static struct tpacket2_hdr *next_slot(struct ring_socket *ring)
{
	unsigned int slot = ring->next;

	ring->next = slot + 1 == ring->n_slots ? 0 : slot + 1;
	return (void *)(ring->ring + (size_t)slot * ring->slot_size);
}

static uint32_t status(const struct tpacket2_hdr *slot)
{
	return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
}

static void set_status(struct tpacket2_hdr *slot, uint32_t value)
{
	__atomic_store_n(&slot->tp_status, value, __ATOMIC_RELEASE);
}

/* ---- tx ------------------------------------------------------------------ */

static void *af_packet_tx_open(const struct shape *shape)
{
	struct ring_socket *ring = ring_open(shape, PACKET_TX_RING, 0);
	uint8_t mac[ETHER_ADDR_LEN];

	if (!ring)
		return NULL;
	if (link_mac(ring->pair.other, mac) < 0) {
		ring_close(ring);
		return NULL;
	}
	packet_make(&ring->packet, shape, mac);
	return ring;
}

static void fill(struct ring_socket *ring)
{
	struct tpacket2_hdr *slot = next_slot(ring);
	uint8_t *to = (uint8_t *)slot + TX_OFFSET;
	unsigned int i;

	if (status(slot) != TP_STATUS_AVAILABLE)
		die("packet socket: a slot of the ring is still in use");
	for (i = 1; i < ring->packet.n; i++) {
		memcpy(to, ring->packet.pieces[i].iov_base, ring->packet.pieces[i].iov_len);
		to += ring->packet.pieces[i].iov_len;
	}
	slot->tp_len = ring->shape.size;
	set_status(slot, TP_STATUS_SEND_REQUEST);
}

static void af_packet_tx_run(void *state, unsigned int batches)
{
	struct ring_socket *ring = state;
	unsigned int i;

	while (batches--) {
		for (i = 0; i < ring->shape.batch; i++)
			fill(ring);
		if (send(ring->fd, NULL, 0, MSG_DONTWAIT) !=
		    (ssize_t)ring->shape.batch * ring->shape.size)
			die("packet socket, %u bytes: %s", ring->shape.size, strerror(errno));
	}
}

static bool af_packet_fits(const struct shape *shape)
{
	return !is_super(shape);
}

const struct path af_packet_tx = {
	.path = "attach",
	.direction = "tx",
	.subject = "af_packet",
	.fits = af_packet_fits,
	.open = af_packet_tx_open,
	.run = af_packet_tx_run,
	.close = ring_close,
};

/* ---- rx ------------------------------------------------------------------ */

static void *af_packet_rx_open(const struct shape *shape)
{
	struct ring_socket *ring = ring_open(shape, PACKET_RX_RING, htons(ETH_P_ALL));
	uint8_t mac[ETHER_ADDR_LEN];

	if (!ring)
		return NULL;
	if (link_mac(ring->pair.lower, mac) == 0)
		ring->source = source_open(shape, ring->pair.other, mac);
	if (ring->source)
		return ring;
	ring_close(ring);
	return NULL;
}

static void take(struct ring_socket *ring)
{
	struct tpacket2_hdr *slot = next_slot(ring);
	unsigned int idle = 0;

	while (!(status(slot) & TP_STATUS_USER))
		if (++idle > PATIENCE)
			die("packet socket: a packet never arrived");
	if (slot->tp_snaplen != ring->shape.size)
		die("packet socket: received %u bytes instead of %u", slot->tp_snaplen,
		    ring->shape.size);
	memcpy(ring->buffer, (uint8_t *)slot + slot->tp_mac, slot->tp_snaplen);
	set_status(slot, TP_STATUS_KERNEL);
}

static void af_packet_rx_run(void *state, unsigned int batches)
{
	struct ring_socket *ring = state;
	unsigned int i;

	while (batches--) {
		source_send(ring->source);
		for (i = 0; i < ring->shape.batch; i++)
			take(ring);
	}
}

const struct path af_packet_rx = {
	.path = "attach",
	.direction = "rx",
	.subject = "af_packet",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = af_packet_rx_open,
	.run = af_packet_rx_run,
	.close = ring_close,
};
