// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost serves a guest's rings with an endpoint, of either layout, and goes on serving
 * whatever front-ends and guests do.  See vhost.h; what only one layout can do, and be
 * told, is in vhost_split.c and vhost_packed.c.
 */
#include <poll.h>
#include <sys/socket.h>

#include "vhost.h"

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };

/* ---- what it is for ------------------------------------------------------ */

/* Of 1 to 7 descriptors: a chain ends anywhere, and goes over the end of the ring. */
TEST_F(vhost, packets_of_any_shape_come_back_as_they_were_sent)
{
	unsigned int i;

	reopen(self, 0);
	for (i = 0; i < 600; i++)
		ASSERT_TRUE(comes_back(&self->front, 14 + i * 37 % 1400, i, 1 + i % 7, NULL));
}

/*
 * Buffers that a packet did not reach are used for the next one. The driver finds all of a
 * packet's buffers as soon as it finds the first.
 */
TEST_F(vhost, long_packets_fill_several_buffers)
{
	static const uint32_t lens[] = { 60, 9000, 61440, 1524, 1525, 14 };
	unsigned int i, n;

	nb_front_open(&self->front, PATH, self->layout | LARGE);
	nb_front_post(&self->front, 0, 0, 128);
	for (i = 0; i < 20 * ARRAY_LEN(lens); i++) {
		uint32_t len = lens[i % ARRAY_LEN(lens)];

		ASSERT_TRUE(comes_back(&self->front, len, i, 1, &n));
		EXPECT_EQ((len + HEADER + NB_FRONT_BUF_SIZE - 1) / NB_FRONT_BUF_SIZE, n);
	}
}

static void send_long(struct __test_metadata *_metadata, struct nb_front *front,
		      unsigned int seed, uint8_t *frame, uint32_t len)
{
	uint32_t id, used;

	nb_frame_fill(frame, len, seed);
	nb_front_send_pieces(front, seed, frame, len, 1, false);
	ASSERT_TRUE(nb_front_used(front, TX, &id, &used));
	EXPECT_EQ(seed, id);
}

/*
 * After short ones, each lies in a buffer and behind it, and needs more buffers than are left
 * when the first one has its own: the others wait, and none is lost.
 */
TEST_F(vhost, long_packets_after_short_ones_wait_for_buffers)
{
	static uint8_t sent[61440], got[61440];
	unsigned int round, i;

	nb_front_open(&self->front, PATH, self->layout | LARGE);
	nb_front_post(&self->front, 0, 0, NB_FRONT_ENTRIES);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 150; i++)
			ASSERT_TRUE(comes_back(&self->front, 60 + i, i, 1, NULL));
		for (i = 0; i < 5; i++)
			send_long(_metadata, &self->front, i, sent, sizeof(sent) - i);
		for (i = 0; i < 5; i++) {
			nb_frame_fill(sent, sizeof(sent) - i, i);
			ASSERT_EQ(sizeof(sent) - i, nb_front_receive(&self->front, got, sizeof(got),
								     NULL));
			ASSERT_EQ(0, memcmp(sent, got, sizeof(sent) - i));
		}
	}
}

/* ---- hostile guests ------------------------------------------------------ */

/* Chains that are wrong come back with nothing in them, and the next one is served. */
TEST_F(vhost, wrong_chains_come_back_and_harm_no_other)
{
	static const struct {
		const char *what;
		unsigned int ring;
		unsigned int n;
		struct vring_desc desc[3];
	} cases[] = {
		{ "writable", TX, 1, { { GPA(NB_FRONT_TX), 100, WRITE } } },
		{ "short", TX, 1, { { GPA(NB_FRONT_TX), HEADER + 13 } } },
		{ "empty", TX, 1, { { GPA(NB_FRONT_TX), 0 } } },
		{ "empty ones", TX, 3, { { 0 } } },
		{ "nowhere", TX, 1, { { GPA(NB_FRONT_SIZE), 100 } } },
		{ "behind the end", TX, 1, { { GPA(NB_FRONT_SIZE - 50), 100 } } },
		{ "payload nowhere", TX, 2, { { GPA(NB_FRONT_TX), 50 }, { 0, 100 } } },
		{ "wraps", TX, 2, { { GPA(NB_FRONT_TX), 50 }, { ~0ull - 10, 100 } } },
		{ "4 GiB", TX, 2, { { GPA(NB_FRONT_TX), 50 }, { GPA(0), ~0u } } },
		{ "huge", TX, 1, { { GPA(NB_FRONT_TX), 0x100000 } } },
		{ "table nowhere", TX, 1, { { 0, 32, INDIRECT } } },
		{ "table cut", TX, 1, { { GPA(NB_FRONT_TABLE), 33, INDIRECT } } },
		{ "empty table", TX, 1, { { GPA(NB_FRONT_TABLE), 0, INDIRECT } } },
		{ "table, then more", TX, 2, { { GPA(NB_FRONT_TABLE), 32, INDIRECT },
					       { GPA(NB_FRONT_TX), 100 } } },
		{ "readable", RX, 1, { { GPA(NB_FRONT_RX), 1536 } } },
		{ "no room", RX, 1, { { GPA(NB_FRONT_RX), HEADER, WRITE } } },
		{ "header in pieces", RX, 2, { { GPA(NB_FRONT_RX), 5, WRITE },
					       { GPA(NB_FRONT_RX), 1536, WRITE } } },
	};
	/* of either layout, and nothing is wrong with it */
	const struct vring_desc table[2] = { { GPA(NB_FRONT_TX), 100 } };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		reopen(self, TABLES);
		memcpy(self->front.ram + NB_FRONT_TABLE, table, sizeof(table));
		memset(self->front.ram + NB_FRONT_TX, 0, HEADER);
		nb_front_chain(&self->front, cases[i].ring, 100, cases[i].desc, cases[i].n);
		expect_empty(_metadata, &self->front, cases[i].ring, cases[i].what);
	}
}

/* where there is room for a long one, behind the receive buffers */
#define LONG_TABLE	(NB_FRONT_RX + NB_FRONT_ENTRIES * NB_FRONT_BUF_SIZE)

/* Makes a table of a frame behind so many descriptors of nothing; its bytes. */
static uint32_t make_table(struct nb_front *front, unsigned int empty, const void *frame,
			   uint32_t len)
{
	struct vring_packed_desc *packed = (void *)(front->ram + LONG_TABLE);
	struct vring_desc *split = (void *)packed;
	unsigned int i;

	for (i = 0; i < empty; i++) {
		if (front->packed)
			packed[i] = (struct vring_packed_desc){ 0 };
		else
			split[i] = (struct vring_desc){ .flags = NEXT, .next = i + 1 };
	}
	split[i] = (struct vring_desc){ GPA(NB_FRONT_TX), HEADER + len, 0, 0 };
	memset(front->ram + NB_FRONT_TX, 0, HEADER);
	memcpy(front->ram + NB_FRONT_TX + HEADER, frame, len);
	return (empty + 1) * sizeof(*split);
}

/* Some are passed over; who has thousands has them looked at by a thread that others wait for. */
TEST_F(vhost, descriptors_of_nothing_are_not_followed_without_end)
{
	static const struct {
		unsigned int empty;
		bool sent;
	} cases[] = { { 60, true }, { 10000, false }, { 60000, false }, { 1, true } };
	uint8_t frame[100], received[100];
	struct vring_desc table = { GPA(LONG_TABLE), 0, INDIRECT };
	uint32_t id, used;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		reopen(self, TABLES);
		nb_frame_fill(frame, sizeof(frame), i);
		table.len = make_table(&self->front, cases[i].empty, frame, sizeof(frame));
		nb_front_chain(&self->front, TX, 100, &table, 1);
		nb_front_kick(&self->front, TX);
		ASSERT_TRUE(nb_front_used(&self->front, TX, &id, &used));
		EXPECT_EQ(100, id);
		if (cases[i].sent) {
			EXPECT_EQ(sizeof(frame), nb_front_receive(&self->front, received,
								  sizeof(received), NULL));
			EXPECT_EQ(0, memcmp(frame, received, sizeof(frame)));
		}
		EXPECT_TRUE(nb_front_works(&self->front))
			TH_LOG("%u empty ones", cases[i].empty);
	}
}

/* What nbvhost has beside guest memory, for packets that are longer than was guessed. */
TEST_F(vhost, what_the_kernel_knows_beside_guest_memory_is_out_of_the_guests_reach)
{
	static const struct {
		const char *what;
		unsigned int ring;
		struct vring_desc desc;
	} cases[] = {
		{ "sent", TX, { 1ull << 62, 100 } },
		{ "written", RX, { 1ull << 62, 1536, WRITE } },
		{ "reached into", RX, { (1ull << 62) - 100, 1536, WRITE } },
		{ "a table", TX, { 1ull << 62, 32, INDIRECT } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		reopen(self, TABLES | LARGE);
		ASSERT_TRUE(nb_front_works(&self->front));
		nb_front_chain(&self->front, cases[i].ring, 100, &cases[i].desc, 1);
		expect_empty(_metadata, &self->front, cases[i].ring, cases[i].what);
	}
}

TEST_F(vhost, a_receive_buffer_outside_memory_comes_back_empty)
{
	const struct vring_desc buffer = { GPA(NB_FRONT_SIZE - 100), 1536, WRITE };
	const struct vring_desc packet = { GPA(NB_FRONT_TX), HEADER + 60 };
	uint32_t id, used;

	nb_front_open(&self->front, PATH, self->layout);
	nb_front_chain(&self->front, RX, 9, &buffer, 1);
	nb_front_kick(&self->front, RX);
	nb_front_chain(&self->front, TX, 0, &packet, 1);
	nb_front_kick(&self->front, TX);
	ASSERT_TRUE(nb_front_used(&self->front, RX, &id, &used));
	EXPECT_EQ(9, id);
	EXPECT_EQ(0, used);
}

/* ---- hostile front-ends -------------------------------------------------- */

TEST_F(vhost, a_front_end_that_truncates_its_memory_harms_only_itself)
{
	reopen(self, 0);
	ASSERT_TRUE(nb_front_works(&self->front));
	ASSERT_EQ(0, ftruncate(self->front.memfd, 0));
	nb_front_kick(&self->front, TX);
	nb_front_kick(&self->front, RX);
	nb_front_stop(&self->front, TX);
	EXPECT_TRUE(nb_vhost_runs(self->server));
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

/* A huge page takes all of its normal ones along. */
TEST_F(vhost, a_front_end_that_truncates_huge_pages_harms_only_itself)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	nb_front_connect(front, PATH);
	if (!nb_test_write("/proc/sys/vm/nr_hugepages", "4") || !nb_front_use_huge_pages(front))
		SKIP(return, "there are no huge pages");
	nb_front_negotiate(front, self->layout);
	nb_front_set_memory(front);
	front->pairs = 1;
	for (i = 0; i < 2; i++)
		nb_front_set_ring(front, i, nb_front_base(front));
	nb_front_post(front, 0, 0, 64);
	ASSERT_TRUE(nb_front_works(front));
	ASSERT_EQ(0, ftruncate(front->memfd, 0));
	nb_front_kick(front, TX);
	nb_front_kick(front, RX);
	nb_front_stop(front, TX);
	EXPECT_TRUE(nb_vhost_runs(self->server));
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(front));
	nb_test_write("/proc/sys/vm/nr_hugepages", "0");
}

/* The first steps of a connection; false when there is none with that number. */
static bool step(struct nb_front *front, uint64_t layout, unsigned int number)
{
	switch (number) {
	case 0:
		nb_front_negotiate(front, layout);
		return true;
	case 1:
		nb_front_set_memory(front);
		return true;
	case 2:
	case 3:
		nb_front_set_ring(front, number - 2, nb_front_base(front));
		return true;
	case 4:
		nb_front_post(front, 0, 0, 64);
		return true;
	default:
		return false;
	}
}

TEST_F(vhost, half_a_message_keeps_nobody_waiting)
{
	const struct vu_header half = {
		.request = VU_SET_FEATURES,
		.flags = VU_VERSION,
		.size = 8,
	};

	nb_front_connect(&self->front, PATH);
	nb_sys(send(self->front.fd, &half, sizeof(half), 0));
	nb_front_close(&self->bystander);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
	EXPECT_TRUE(nb_front_works(&self->bystander));
}

TEST_F(vhost, messages_that_are_wrong_end_the_connection)
{
	static const struct {
		uint32_t request;
		uint32_t size;
		unsigned int fds;
		uint64_t words[5];
	} cases[] = {
		{ 0 }, { VU_N_REQUESTS }, { 99999 },
		{ VU_GET_FEATURES, 8 }, { VU_SET_FEATURES, 4 }, { VU_SET_FEATURES, 16 },
		{ VU_SET_FEATURES, 8, 0, { 1ull << 63 } },
		{ VU_SET_FEATURES, 8, 1, { 0 } },
		{ VU_SET_PROTOCOL_FEATURES, 8, 0, { 1ull << 40 } },
		{ VU_SET_VRING_NUM, 8, 0, { 0x10000000002ull } },	/* ring 2 */
		{ VU_SET_VRING_NUM, 8, 0, { 3ull << 32 } },		/* 3 entries */
		{ VU_SET_VRING_NUM, 8, 0, { 0 } },
		{ VU_SET_VRING_NUM, 8, 0, { 8192ull << 32 } },
		{ VU_SET_VRING_KICK, 8, 1, { 7 } },
		{ VU_GET_VRING_BASE, 8, 0, { 9 } },
		{ VU_SET_VRING_ENABLE, 8, 0, { 1ull << 32 | 99 } },
		{ VU_SET_MEM_TABLE, 40, 0, { 1, 0, 4096 } },		/* no fd */
		{ VU_SET_MEM_TABLE, 40, 2, { 1, 0, 4096 } },
		{ VU_SET_MEM_TABLE, 40, 1, { 1, 0, 4096 } },		/* no memory */
		{ VU_SET_MEM_TABLE, 8, 1, { 1 } },
		{ VU_SET_MEM_TABLE, 8, 0, { 9 } },
		{ VU_NET_SET_MTU, 0 },
		/* bytes, offset, rings and their entries; the fd is no memory */
		{ VU_GET_INFLIGHT_FD, 16, 0, { 0, 0, 256 << 16 | 2 } },
		{ VU_GET_INFLIGHT_FD, 24, 1, { 0, 0, 256 << 16 | 2 } },
		{ VU_GET_INFLIGHT_FD, 24, 0, { 0, 0, 256 << 16 } },
		{ VU_GET_INFLIGHT_FD, 20, 0, { 0, 0, 256 << 16 | 3 } },
		{ VU_GET_INFLIGHT_FD, 20, 0, { 0, 0, 2 } },
		{ VU_GET_INFLIGHT_FD, 24, 0, { 0, 0, 4097 << 16 | 2 } },
		{ VU_SET_INFLIGHT_FD, 24, 0, { 4096, 0, 256 << 16 | 2 } },
		{ VU_SET_INFLIGHT_FD, 24, 1, { 4096, 0, 256 << 16 | 2 } },
		{ VU_SET_INFLIGHT_FD, 24, 2, { 4096, 0, 256 << 16 | 2 } },
		{ VU_SET_INFLIGHT_FD, 28, 1, { 4096, 0, 256 << 16 | 2 } },
	};
	const int fds[] = { self->bystander.fd, self->bystander.fd };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		nb_front_connect(&self->front, PATH);
		nb_front_send(&self->front, cases[i].request, cases[i].words, cases[i].size, fds,
			      cases[i].fds);
		EXPECT_TRUE(nb_front_is_refused(&self->front))
			TH_LOG("case %u", i);
		nb_front_close(&self->front);
	}
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

static int ack(struct nb_front *front, uint32_t request, uint64_t value)
{
	nb_front_want_ack(front, request, &value, sizeof(value), NULL, 0);
	return nb_front_ack(front);
}

/* User-Mode Linux wants the first one for the message that negotiates them. */
TEST_F(vhost, messages_are_answered_if_that_is_negotiated)
{
	const uint64_t v1 = 1ull << VIRTIO_F_VERSION_1;
	struct nb_front *front = &self->front;
	uint64_t features;

	nb_front_connect(front, PATH);
	features = nb_front_ask(front, VU_GET_PROTOCOL_FEATURES);
	ASSERT_TRUE(features >> VU_PROTOCOL_F_REPLY_ACK & 1);
	EXPECT_EQ(0, ack(front, VU_SET_PROTOCOL_FEATURES, 1 << VU_PROTOCOL_F_REPLY_ACK));
	EXPECT_EQ(0, ack(front, VU_SET_FEATURES, v1));
	EXPECT_EQ(1, ack(front, VU_SET_FEATURES, 1ull << 63));
	EXPECT_EQ(0, ack(front, VU_SET_PROTOCOL_FEATURES, features));
	/* without, none comes, and the next answer is that to another question */
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, 0, -1);
	nb_front_want_ack(front, VU_SET_FEATURES, &v1, sizeof(v1), NULL, 0);
	EXPECT_EQ(features, nb_front_ask(front, VU_GET_PROTOCOL_FEATURES));
	nb_front_close(front);
}

/* ---- messages out of order ----------------------------------------------- */

static bool is_answered(struct nb_front *front)
{
	struct pollfd wait = { .fd = front->fd, .events = POLLIN };

	nb_front_send(front, VU_GET_FEATURES, NULL, 0, NULL, 0);
	return poll(&wait, 1, NB_PATIENCE) == 1;
}

/* They are used when all of them is known, whatever is said last. */
TEST_F(vhost, rings_may_be_set_up_before_memory)
{
	struct nb_front *front = &self->front;
	unsigned int ring;

	nb_front_connect(front, PATH);
	nb_front_negotiate(front, self->layout);
	for (ring = 0; ring < 2; ring++)
		nb_front_set_ring(front, ring, nb_front_base(front));
	nb_front_ask(front, VU_GET_FEATURES);
	nb_front_set_memory(front);
	nb_front_post(front, 0, 0, 64);
	EXPECT_TRUE(nb_front_works(front));
}

/* As when memory is plugged in, and a guest goes on. */
TEST_F(vhost, memory_and_features_may_be_set_while_rings_run)
{
	struct nb_front *front = &self->front;

	reopen(self, 0);
	ASSERT_TRUE(nb_front_works(front));
	nb_front_set_memory(front);
	EXPECT_TRUE(nb_front_works(front));
	nb_front_send_u64(front, VU_SET_FEATURES, front->features, -1);
	EXPECT_TRUE(nb_front_works(front));
}

TEST_F(vhost, a_ring_that_is_stopped_twice_has_the_same_base)
{
	struct nb_front *front = &self->front;
	uint32_t base;

	reopen(self, 0);
	ASSERT_TRUE(nb_front_works(front));
	base = nb_front_stop(front, TX);
	EXPECT_EQ(base, nb_front_stop(front, TX));
	/* and there is none of one that was never there */
	nb_front_close(front);
	nb_front_connect(front, PATH);
	EXPECT_EQ(0, nb_front_stop(front, TX));
}

/* Says what is wrong at this time, of a connection that is new or whose rings run. */
static void say_too_soon(struct nb_front *front, unsigned int what)
{
	const struct vu_inflight region = { .mmap_size = 65536, .n_queues = 2, .queue_size = 256 };
	const struct vu_vring_addr addr = { .index = TX, .desc = NB_FRONT_USER + 0x10000 };
	const struct vu_log log = { .mmap_size = 65536 };

	switch (what) {
	case 0:
		nb_front_send_state(front, VU_SET_VRING_ENABLE, TX, 1);
		break;
	case 1:
		nb_front_send_u64(front, VU_SET_VRING_KICK, TX, front->rings[TX].kick_fd);
		break;
	case 2:
		nb_front_send_state(front, VU_SET_VRING_NUM, TX, 16);
		break;
	case 3:
		nb_front_send_state(front, VU_SET_VRING_BASE, TX, 7);
		break;
	case 4:
		nb_front_send(front, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		break;
	case 5:
		nb_front_send_u64(front, VU_SET_FEATURES, front->features ^ EVENT_IDX, -1);
		break;
	case 6:
		nb_front_send_u64(front, VU_SET_FEATURES, front->features ^ PACKED, -1);
		break;
	case 7:
		nb_front_send(front, VU_RESET_OWNER, NULL, 0, NULL, 0);
		break;
	case 8:
		nb_front_send(front, VU_SET_LOG_BASE, &log, sizeof(log), &front->memfd, 1);
		break;
	case 9:
		nb_front_send_u64(front, VU_SET_LOG_FD, 0, front->rings[TX].call_fd);
		break;
	case 10:
		nb_front_send(front, VU_SET_INFLIGHT_FD, &region, sizeof(region), &front->memfd, 1);
		break;
	case 11:
		nb_front_send_u64(front, VU_SET_VRING_KICK, TX | VU_VRING_NO_FD, -1);
		break;
	}
}

/* One that comes first, while rings run, and twice, and then what a front-end begins with. */
TEST_F(vhost, a_message_out_of_order_harms_only_its_connection)
{
	struct nb_front *front = &self->front;
	unsigned int what, steps, i;

	for (what = 0; what < 12; what++) {
		for (steps = 0; steps <= 5; steps += 5) {
			nb_front_close(front);
			nb_front_connect(front, PATH);
			for (i = 0; i < steps; i++)
				step(front, self->layout, i);
			say_too_soon(front, what);
			nb_front_kick(front, TX);
			say_too_soon(front, what);
			EXPECT_TRUE(is_answered(front))
				TH_LOG("message %u after %u steps", what, steps);
			nb_front_set_memory(front);
			EXPECT_TRUE(nb_front_works(&self->bystander));
		}
	}
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(front));
}

TEST_F(vhost, rings_outside_memory_are_not_used)
{
	struct vu_vring_addr addr = { .index = TX };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		nb_front_connect(&self->front, PATH);
		nb_front_negotiate(&self->front, self->layout);
		nb_front_set_memory(&self->front);
		nb_front_set_ring(&self->front, RX, nb_front_base(&self->front));
		nb_front_set_ring(&self->front, TX, nb_front_base(&self->front));
		addr.desc = NB_FRONT_USER + (i == 0 ? NB_FRONT_SIZE - 16 : i == 1 ? 8 : 0);
		addr.avail = i == 2 ? ~0ull - 100 : NB_FRONT_USER + 0x1000;
		addr.used = i == 3 ? 0 : NB_FRONT_USER + 0x2000;
		nb_front_send(&self->front, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		/* it is still there to be asked */
		nb_front_ask(&self->front, VU_GET_FEATURES);
		nb_front_close(&self->front);
	}
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

TEST_HARNESS_MAIN
