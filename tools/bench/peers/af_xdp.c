// SPDX-License-Identifier: GPL-2.0
/*
 * Peer af_xdp, under attach: a socket of family XDP in copy mode, on one end of a pair of
 * veth
 *
 * tx: a batch is sent by system calls; the kernel takes 32 packets at a time.
 * rx: an XDP program redirects what a socket sends into the other end; on skbs, which
 * veth does with fewer instructions than natively.
 *
 * The socket's own memory plays that of the guest, to the peer's favour: what a VMM copies
 * between the two, unless it can make them one, is not counted.
 */

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peers.h"

#define CHUNK		4096u
#define ENTRIES		512u	/* of each ring; at least twice a batch */
#define PATIENCE	100000u

/* The one side of a ring that is ours */
struct ring {
	uint32_t *producer;
	uint32_t *consumer;
	void *entries;
	void *map;
	size_t map_size;
	uint32_t next;
};

struct xsk {
	struct shape shape;
	struct pair pair;
	int fd;
	uint8_t *memory;
	struct ring fill;
	struct ring completion;
	struct ring rx;
	struct ring tx;
	struct source *source;
};

/* ---- set up -------------------------------------------------------------- */

static void xsk_close(void *state)
{
	struct xsk *xsk = state;
	struct ring *rings[] = { &xsk->fill, &xsk->completion, &xsk->rx, &xsk->tx };
	unsigned int i;

	if (xsk->source)
		source_close(xsk->source);
	for (i = 0; i < sizeof(rings) / sizeof(*rings); i++)
		if (rings[i]->map)
			munmap(rings[i]->map, rings[i]->map_size);
	if (xsk->fd >= 0)
		close(xsk->fd);
	pair_close(&xsk->pair);
	munmap(xsk->memory, ENTRIES * CHUNK);
	free(xsk);
}

static int map_ring(const struct xsk *xsk, struct ring *ring, uint64_t page,
		    const struct xdp_ring_offset *offset, size_t entry_size)
{
	ring->map_size = offset->desc + ENTRIES * entry_size;
	ring->map = mmap(NULL, ring->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			 xsk->fd, page);
	if (ring->map == MAP_FAILED) {
		ring->map = NULL;
		return -1;
	}
	ring->producer = (uint32_t *)((char *)ring->map + offset->producer);
	ring->consumer = (uint32_t *)((char *)ring->map + offset->consumer);
	ring->entries = (char *)ring->map + offset->desc;
	return 0;
}

static int make_rings(struct xsk *xsk)
{
	const struct xdp_umem_reg umem = {
		.addr = (uintptr_t)xsk->memory,
		.len = ENTRIES * CHUNK,
		.chunk_size = CHUNK,
	};
	static const int names[] = {
		XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING,
	};
	const unsigned int entries = ENTRIES;
	struct xdp_mmap_offsets offsets;
	socklen_t len = sizeof(offsets);
	unsigned int i;

	if (setsockopt(xsk->fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) < 0)
		return -1;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (setsockopt(xsk->fd, SOL_XDP, names[i], &entries, sizeof(entries)) < 0)
			return -1;
	if (getsockopt(xsk->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len) < 0)
		return -1;
	if (map_ring(xsk, &xsk->fill, XDP_UMEM_PGOFF_FILL_RING, &offsets.fr, sizeof(uint64_t)) ||
	    map_ring(xsk, &xsk->completion, XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr,
		     sizeof(uint64_t)) ||
	    map_ring(xsk, &xsk->rx, XDP_PGOFF_RX_RING, &offsets.rx, sizeof(struct xdp_desc)) ||
	    map_ring(xsk, &xsk->tx, XDP_PGOFF_TX_RING, &offsets.tx, sizeof(struct xdp_desc)))
		return -1;
	return 0;
}

static struct xsk *xsk_open(const struct shape *shape)
{
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY };
	struct xsk *xsk = alloc(1, sizeof(*xsk));

	xsk->shape = *shape;
	xsk->fd = -1;
	xsk->memory = mmap(NULL, ENTRIES * CHUNK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (xsk->memory == MAP_FAILED)
		die("no memory");
	if (pair_open(&xsk->pair, shape) < 0) {
		xsk_close(xsk);
		return NULL;
	}
	address.sxdp_ifindex = xsk->pair.lower;
	xsk->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (xsk->fd >= 0 && make_rings(xsk) == 0 &&
	    bind(xsk->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return xsk;
	say("XDP socket: %s", strerror(errno));
	xsk_close(xsk);
	return NULL;
}

/* A packet takes one chunk. */
static bool xsk_fits(const struct shape *shape)
{
	return shape->size <= 1500 && shape->segments == 1;
}

static void publish(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* Waits until the kernel has produced n more than have been taken; fails, in time */
static void wait_for(const struct ring *ring, unsigned int n)
{
	unsigned int idle = 0;

	while (__atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - ring->next < n)
		if (++idle > PATIENCE)
			die("XDP socket: a packet never arrived");
}

/* ---- tx ------------------------------------------------------------------ */

static void *xsk_tx_open(const struct shape *shape)
{
	struct xsk *xsk = xsk_open(shape);
	uint8_t mac[ETHER_ADDR_LEN];
	struct packet packet;
	unsigned int i;

	if (!xsk)
		return NULL;
	if (link_mac(xsk->pair.other, mac) < 0) {
		xsk_close(xsk);
		return NULL;
	}
	packet_make(&packet, shape, mac);
	for (i = 0; i < shape->batch; i++)
		memcpy(xsk->memory + (size_t)i * CHUNK, packet.pieces[1].iov_base, shape->size);
	packet_free(&packet);
	return xsk;
}

static void fill_tx(struct xsk *xsk)
{
	struct xdp_desc *entries = xsk->tx.entries;
	unsigned int i;

	for (i = 0; i < xsk->shape.batch; i++) {
		entries[xsk->tx.next++ % ENTRIES] = (struct xdp_desc) {
			.addr = (uint64_t)i * CHUNK,
			.len = xsk->shape.size,
		};
	}
	publish(xsk->tx.producer, xsk->tx.next);
}

static void xsk_tx_run(void *state, unsigned int batches)
{
	struct xsk *xsk = state;

	while (batches--) {
		fill_tx(xsk);
		while (__atomic_load_n(xsk->tx.consumer, __ATOMIC_ACQUIRE) != xsk->tx.next)
			if (sendto(xsk->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
			    errno != EAGAIN)
				die("XDP socket: %s", strerror(errno));
		wait_for(&xsk->completion, xsk->shape.batch);
		xsk->completion.next += xsk->shape.batch;
		publish(xsk->completion.consumer, xsk->completion.next);
	}
}

const struct path af_xdp_tx = {
	.path = "attach",
	.direction = "tx",
	.subject = "af_xdp",
	.fits = xsk_fits,
	.open = xsk_tx_open,
	.run = xsk_tx_run,
	.close = xsk_close,
};

/* ---- rx ------------------------------------------------------------------ */

/* A map with the socket in it: an fd, or -1 */
static int make_map(int socket)
{
	const uint32_t queue = 0;
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_XSKMAP,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(uint32_t),
		.max_entries = 1,
	};
	union bpf_attr entry = {
		.map_fd = bpf_call(BPF_MAP_CREATE, &map),
		.key = (uintptr_t)&queue,
		.value = (uintptr_t)&socket,
	};

	if ((int)entry.map_fd >= 0 && bpf_call(BPF_MAP_UPDATE_ELEM, &entry) == 0)
		return entry.map_fd;
	say("XDP map: %s", strerror(errno));
	return -1;
}

/* return bpf_redirect_map(map, context->rx_queue_index, XDP_ABORTED) */
static int attach_redirect(int ifindex, int map)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ .code = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_ABORTED },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return xdp_attach(ifindex, insns, sizeof(insns) / sizeof(*insns), XDP_FLAGS_SKB_MODE);
}

static int redirect(const struct xsk *xsk)
{
	int map = make_map(xsk->fd), err;

	if (map < 0)
		return -1;
	err = attach_redirect(xsk->pair.lower, map);
	close(map);
	return err;
}

static void give_chunk(struct xsk *xsk, uint64_t address)
{
	uint64_t *entries = xsk->fill.entries;

	entries[xsk->fill.next++ % ENTRIES] = address / CHUNK * CHUNK;
}

static void *xsk_rx_open(const struct shape *shape)
{
	struct xsk *xsk = xsk_open(shape);
	uint8_t mac[ETHER_ADDR_LEN];
	unsigned int i;

	if (!xsk)
		return NULL;
	for (i = 0; i < 2 * shape->batch; i++)
		give_chunk(xsk, (uint64_t)i * CHUNK);
	publish(xsk->fill.producer, xsk->fill.next);
	if (redirect(xsk) == 0 && link_up(xsk->pair.lower) == 0 &&
	    link_mac(xsk->pair.lower, mac) == 0)
		xsk->source = source_open(shape, xsk->pair.other, mac);
	if (xsk->source)
		return xsk;
	xsk_close(xsk);
	return NULL;
}

static void take_rx(struct xsk *xsk)
{
	const struct xdp_desc *entries = xsk->rx.entries;
	unsigned int i;

	for (i = 0; i < xsk->shape.batch; i++) {
		const struct xdp_desc *desc = &entries[xsk->rx.next++ % ENTRIES];

		if (desc->len != xsk->shape.size)
			die("XDP socket: received %u bytes instead of %u", desc->len,
			    xsk->shape.size);
		give_chunk(xsk, desc->addr);
	}
	publish(xsk->rx.consumer, xsk->rx.next);
	publish(xsk->fill.producer, xsk->fill.next);
}

static void xsk_rx_run(void *state, unsigned int batches)
{
	struct xsk *xsk = state;

	while (batches--) {
		source_send(xsk->source);
		wait_for(&xsk->rx, xsk->shape.batch);
		take_rx(xsk);
	}
}

const struct path af_xdp_rx = {
	.path = "attach",
	.direction = "rx",
	.subject = "af_xdp",
	.source = &source_dummy,
	.fits = xsk_fits,
	.open = xsk_rx_open,
	.run = xsk_rx_run,
	.close = xsk_close,
};
