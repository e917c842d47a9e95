// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of any kind in any order: what is in them might be right, at another time, or is
 * nearly so.  NB_SEED gives the same ones again, NB_ROUNDS more of them.  See vhost.h.
 */
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhost.h"

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };

#define BIT(n)		(1ull << (n))
#define PAIRS		2u
#define CONTROL		(2 * PAIRS)
#define RINGS		(CONTROL + 1)
#define MQ		(BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ))
#define LOG_ALL		BIT(VHOST_F_LOG_ALL)
/* messages of a sequence */
#define MESSAGES	40u

/* in the front-end's memory, behind its receive buffers */
#define FREE		0x300000u
#define FREE_SIZE	(NB_FRONT_SIZE - FREE)

/**
 * struct sender - who sends whatever comes to its mind
 * @random: that
 * @front: the front-end
 * @wrong: fds that are hardly ever the right ones
 * @payload: of the message that is made
 * @size: bytes of it
 * @fds: that come with it
 * @n_fds: their number
 */
struct sender {
	struct nb_random random;
	struct nb_front *front;
	int wrong[8];
	union vu_payload payload;
	uint32_t size;
	int fds[VU_MAX_REGIONS];
	unsigned int n_fds;
};

static uint32_t below(struct sender *sender, uint32_t limit)
{
	return nb_random_below(&sender->random, limit);
}

/* True once in so many times. */
static bool one_in(struct sender *sender, uint32_t n)
{
	return !below(sender, n);
}

static uint64_t pick(struct sender *sender, const uint64_t *values, unsigned int n)
{
	return values[below(sender, n)];
}

static int wrong_fd(struct sender *sender)
{
	return sender->wrong[below(sender, ARRAY_LEN(sender->wrong))];
}

/* ---- what is in a message ------------------------------------------------ */

/* The fd that it should have, or another, or none. */
static void add_fd(struct sender *sender, int right)
{
	if (one_in(sender, 12))
		return;
	sender->fds[sender->n_fds++] = one_in(sender, 6) ? wrong_fd(sender) : right;
}

static uint32_t any_ring(struct sender *sender)
{
	return below(sender, one_in(sender, 10) ? 2 * RINGS : RINGS);
}

static struct nb_front_ring *ring_of(struct sender *sender)
{
	return &sender->front->rings[below(sender, RINGS)];
}

static void make_u64(struct sender *sender, uint64_t value)
{
	sender->payload.u64 = value;
	sender->size = sizeof(value);
}

static void make_state(struct sender *sender, uint32_t num)
{
	sender->payload.state = (struct vu_vring_state){ any_ring(sender), num };
	sender->size = sizeof(sender->payload.state);
}

static void make_ring_fd(struct sender *sender, int fd)
{
	make_u64(sender, any_ring(sender) | (one_in(sender, 6) ? VU_VRING_NO_FD : 0));
	add_fd(sender, fd);
}

static uint64_t any_features(struct sender *sender)
{
	const uint64_t changes[] = {
		0, 0, 0, LOG_ALL, LOG_ALL, EVENT_IDX, PACKED, TABLES, LARGE, MQ,
		BIT(VU_F_PROTOCOL_FEATURES), BIT(VIRTIO_NET_F_RSS), BIT(63),
		BIT(below(sender, 64)),
	};

	return sender->front->features ^ pick(sender, changes, ARRAY_LEN(changes)) ^
	       pick(sender, changes, ARRAY_LEN(changes));
}

static uint32_t any_base(struct sender *sender)
{
	const uint64_t bases[] = {
		0, 0, nb_front_base(sender->front), 1 << 15 | 1u << 31, 7, 255, 256, 0xffff, ~0u,
		(uint32_t)(below(sender, 1 << 16) << 16 | below(sender, 1 << 16)),
	};

	return pick(sender, bases, ARRAY_LEN(bases));
}

static void make_memory(struct sender *sender)
{
	struct vu_memory *table = &sender->payload.memory;
	uint32_t n = one_in(sender, 4) ? 1 + below(sender, VU_MAX_REGIONS) : 1, i;
	uint32_t size = NB_FRONT_SIZE / n / NB_PAGE * NB_PAGE;

	*table = (struct vu_memory){ .n = n };
	for (i = 0; i < n; i++) {
		table->regions[i] = (struct vu_region){
			.gpa = NB_FRONT_GPA + i * size,
			.size = size,
			.user_addr = NB_FRONT_USER + i * size,
			.mmap_offset = i * size,
		};
		add_fd(sender, sender->front->memfd);
	}
	if (one_in(sender, 8))
		table->regions[0].size = (uint64_t)below(sender, 1 << 24) << below(sender, 40);
	if (one_in(sender, 8))
		table->regions[0].gpa = (uint64_t)below(sender, 1 << 24) << below(sender, 40);
	if (one_in(sender, 8))
		table->regions[0].mmap_offset = (uint64_t)below(sender, 2000) * NB_PAGE;
	if (one_in(sender, 20))
		table->n = below(sender, 10);
	sender->size = offsetof(struct vu_memory, regions[n]);
}

static void make_addr(struct sender *sender)
{
	const uint32_t ring = any_ring(sender);
	const uint64_t at = NB_FRONT_USER + (one_in(sender, 6) ? below(sender, NB_FRONT_SIZE) :
								 ring * NB_FRONT_RING);
	struct vu_vring_addr *addr = &sender->payload.addr;

	*addr = (struct vu_vring_addr){
		.index = ring,
		.flags = below(sender, 2),
		.desc = at,
		.avail = at + 0x1000,
		.used = at + 0x2000,
		.log = one_in(sender, 4) ? (uint64_t)below(sender, ~0u) << below(sender, 33) :
					   at - NB_FRONT_USER + NB_FRONT_GPA + 0x2000,
	};
	if (one_in(sender, 10))
		addr->avail = ~0ull - below(sender, 64);
	sender->size = sizeof(*addr);
}

/* A part of the memory that the guest does not use, or one of any bounds. */
static void any_part(struct sender *sender, uint64_t *size, uint64_t *offset)
{
	const uint64_t sizes[] = { NB_PAGE, 0x10000, 0x20000, FREE_SIZE, 0, 1, BIT(40), ~0ull };
	const uint64_t offsets[] = { 0, NB_FRONT_SIZE, ~0ull - 4095, 8 };

	*size = one_in(sender, 4) ? pick(sender, sizes, ARRAY_LEN(sizes)) : 0x20000;
	*offset = one_in(sender, 6) ? pick(sender, offsets, ARRAY_LEN(offsets)) : FREE;
}

static void make_inflight(struct sender *sender)
{
	static const uint64_t sizes[] = { 256, 256, 256, 128, 1, 4096, 0, 4097 };
	struct vu_inflight *inflight = &sender->payload.inflight;

	*inflight = (struct vu_inflight){
		.n_queues = one_in(sender, 4) ? below(sender, 10) : RINGS,
		.queue_size = pick(sender, sizes, ARRAY_LEN(sizes)),
	};
	any_part(sender, &inflight->mmap_size, &inflight->mmap_offset);
	sender->size = sizeof(*inflight) - 4 * one_in(sender, 3);
}

static void make_config(struct sender *sender)
{
	struct vu_config *config = &sender->payload.config;

	*config = (struct vu_config){
		.offset = one_in(sender, 4) ? below(sender, ~0u) : below(sender, 30),
		.size = one_in(sender, 4) ? below(sender, ~0u) : below(sender, VU_MAX_CONFIG + 1),
	};
	sender->size = offsetof(struct vu_config, bytes) + config->size % (VU_MAX_CONFIG + 1);
}

/* Makes the payload of a message, and what comes with it. */
static void make(struct sender *sender, uint32_t request)
{
	static const uint64_t sizes[] = { 256, 256, 128, 1, 0, 3, 4096, 8192 };
	static const uint64_t mtus[] = { 0, 68, 1500, 9000, 65535, ~0ull };
	struct nb_front_ring *ring = ring_of(sender);

	sender->size = 0;
	sender->n_fds = 0;
	memset(&sender->payload, 0, sizeof(sender->payload));
	switch (request) {
	case VU_SET_FEATURES:
		return make_u64(sender, any_features(sender));
	case VU_SET_PROTOCOL_FEATURES:
		return make_u64(sender, BIT(VU_PROTOCOL_F_REPLY_ACK) |
					(one_in(sender, 8) ? BIT(below(sender, 14)) : 0));
	case VU_SET_MEM_TABLE:
		return make_memory(sender);
	case VU_SET_LOG_BASE:
		any_part(sender, &sender->payload.log.mmap_size, &sender->payload.log.mmap_offset);
		sender->size = sizeof(sender->payload.log);
		return add_fd(sender, sender->front->memfd);
	case VU_SET_LOG_FD:
		sender->size = sizeof(uint64_t);
		return add_fd(sender, ring->call_fd);
	case VU_SET_VRING_NUM:
		return make_state(sender, pick(sender, sizes, ARRAY_LEN(sizes)));
	case VU_SET_VRING_ADDR:
		return make_addr(sender);
	case VU_SET_VRING_BASE:
	case VU_GET_VRING_BASE:
		return make_state(sender, any_base(sender));
	case VU_SET_VRING_KICK:
		return make_ring_fd(sender, ring->kick_fd);
	case VU_SET_VRING_CALL:
		return make_ring_fd(sender, ring->call_fd);
	case VU_SET_VRING_ERR:
		return make_ring_fd(sender, ring->err_fd);
	case VU_SET_VRING_ENABLE:
		return make_state(sender, !one_in(sender, 4));
	case VU_NET_SET_MTU:
		return make_u64(sender, pick(sender, mtus, ARRAY_LEN(mtus)));
	case VU_SET_BACKEND_REQ_FD:
		return add_fd(sender, sender->wrong[0]);
	case VU_GET_CONFIG:
		return make_config(sender);
	case VU_GET_INFLIGHT_FD:
		return make_inflight(sender);
	case VU_SET_INFLIGHT_FD:
		make_inflight(sender);
		return add_fd(sender, sender->front->memfd);
	}
}

/* One that is not known ends the connection, so it is a rare one. */
static uint32_t any_request(struct sender *sender)
{
	static const uint64_t others[] = {
		VU_NET_SET_MTU, VU_SET_BACKEND_REQ_FD, VU_GET_CONFIG, VU_GET_INFLIGHT_FD,
		VU_SET_INFLIGHT_FD,
	};

	if (one_in(sender, 60))
		return below(sender, 2 * VU_N_REQUESTS);
	return one_in(sender, 4) ? pick(sender, others, ARRAY_LEN(others)) :
				   1 + below(sender, VU_SET_VRING_ENABLE);
}

static void send_any(struct sender *sender)
{
	struct vu_header header = {
		.request = any_request(sender),
		.flags = VU_VERSION | (one_in(sender, 6) ? 0 : VU_NEED_REPLY),
	};

	make(sender, header.request);
	/* nobody knows how much of those there is */
	header.size = one_in(sender, 60) ? sender->size / 2 : sender->size;
	if (one_in(sender, 40))
		sender->fds[sender->n_fds++ % VU_MAX_REGIONS] = wrong_fd(sender);
	if (sender->n_fds > VU_MAX_REGIONS)
		sender->n_fds = VU_MAX_REGIONS;
	nb_front_send_part(sender->front, &header, &sender->payload, sender->fds, sender->n_fds,
			   SIZE_MAX);
}

/* ---- a sequence of them -------------------------------------------------- */

static void open_wrong(struct sender *sender, int *other)
{
	int sockets[2], pipe_fds[2];
	char path[32];

	nb_sys(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	nb_sys(pipe2(pipe_fds, O_CLOEXEC));
	sender->wrong[0] = sockets[0];
	sender->wrong[1] = pipe_fds[0];
	sender->wrong[2] = pipe_fds[1];
	sender->wrong[3] = nb_sys(memfd_create("empty", MFD_CLOEXEC));
	sender->wrong[4] = nb_sys(memfd_create("small", MFD_CLOEXEC));
	nb_sys(ftruncate(sender->wrong[4], NB_PAGE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sender->wrong[4]);
	sender->wrong[5] = nb_sys(open(path, O_RDONLY | O_CLOEXEC));
	sender->wrong[6] = nb_sys(open("/dev/null", O_RDWR | O_CLOEXEC));
	sender->wrong[7] = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	*other = sockets[1];
}

static void close_wrong(const struct sender *sender, int other)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(sender->wrong); i++)
		close(sender->wrong[i]);
	close(other);
}

/* All that rings need, whatever was said before; then they run. */
static void set_up(struct sender *sender)
{
	struct nb_front *front = sender->front;
	unsigned int ring;

	nb_front_send_u64(front, VU_SET_FEATURES, front->features, -1);
	nb_front_set_memory(front);
	for (ring = 0; ring < RINGS; ring++)
		nb_front_set_ring(front, ring, nb_front_base(front));
}

/* A connection from which on: a new one, or one with rings that run. */
static void begin(FIXTURE_DATA(vhost) *self, struct sender *sender)
{
	const uint64_t ack = BIT(VU_PROTOCOL_F_REPLY_ACK);
	struct nb_front *front = &self->front;

	nb_front_connect(front, PATH);
	nb_front_negotiate(front, self->layout | MQ | (one_in(sender, 2) ? EVENT_IDX : 0));
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, ack, -1);
	if (one_in(sender, 4))
		return;
	set_up(sender);
	front->pairs = PAIRS;
	nb_front_post(front, 0, 0, 64);
}

/* A guest that sends meanwhile, if there is one, whose rings may be elsewhere by now. */
static void move(struct sender *sender, uint16_t id)
{
	const struct vring_desc packet = { GPA(NB_FRONT_TX), HEADER + 60 };
	struct nb_front *front = sender->front;

	if (!front->pairs)
		return;
	nb_front_chain(front, TX, id, &packet, 1);
	nb_front_kick(front, below(sender, RINGS));
	nb_front_kick(front, TX);
}

/* Throws away what is answered, as far as it is there; false at the end of the connection. */
static bool is_connected(struct sender *sender)
{
	char bytes[4096];
	ssize_t n;

	do {
		n = recv(sender->front->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n > 0);
	return n < 0 && errno == EAGAIN;
}

static unsigned int play(FIXTURE_DATA(vhost) *self, struct sender *sender)
{
	unsigned int i;

	begin(self, sender);
	for (i = 0; i < MESSAGES && is_connected(sender); i++) {
		if (self->front.pairs && one_in(sender, 6))
			set_up(sender);
		send_any(sender);
		move(sender, i);
		/* all that was sent is done now and then before more is */
		if (one_in(sender, 3))
			usleep(1000);
	}
	nb_front_ask(&self->bystander, VU_GET_FEATURES);
	nb_front_close(&self->front);
	return i;
}

/* nbvhost with several pairs of rings, and a control ring. */
static void run_with_pairs(FIXTURE_DATA(vhost) *self)
{
	nb_front_close(&self->bystander);
	nb_vhost_end(self->server);
	self->server = nb_vhost_run("-q", "2", PATH, "loopback", BYSTANDER, "loopback", NULL);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
}

TEST_F_TIMEOUT(vhost, any_messages_in_any_order_harm_only_their_connection, NB_ROUNDS_TIME)
{
	struct sender sender = { .front = &self->front };
	unsigned int rounds = nb_rounds(40, 300), i, before, sent = 0;
	int other;

	nb_random_start(&sender.random);
	run_with_pairs(self);
	open_wrong(&sender, &other);
	ASSERT_TRUE(nb_front_works(&self->bystander));
	before = nb_vhost_count_fds(self->server);
	for (i = 0; i < rounds; i++) {
		sent += play(self, &sender);
		ASSERT_TRUE(nb_vhost_runs(self->server))
			TH_LOG("sequence %u", i);
		ASSERT_TRUE(i % 8 || nb_front_works(&self->bystander))
			TH_LOG("sequence %u", i);
		ASSERT_TRUE(nb_until(nb_vhost_count_fds(self->server) == before))
			TH_LOG("sequence %u", i);
	}
	/* most of them say nothing that ends a connection */
	TH_LOG("%u messages in %u sequences", sent, rounds);
	EXPECT_LT(rounds * MESSAGES / 3, sent);
	close_wrong(&sender, other);
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

TEST_HARNESS_MAIN
