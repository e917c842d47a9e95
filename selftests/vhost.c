// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost serves a guest's rings with an endpoint, and goes on serving whatever front-ends
 * and guests do.  Two NICs of kind loopback: one for the test, and one of a bystander.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "kselftest_harness.h"
#include "nbfrontend.h"
#include "../tools/nbvhost/vhost_user.h"

#define PATH		"/tmp/nb-vhost-test"
#define BYSTANDER	"/tmp/nb-vhost-bystander"
#define HEADER		((uint32_t)sizeof(struct virtio_net_hdr_v1))
#define RX		NB_FRONT_RX_RING
#define TX		NB_FRONT_TX_RING
#define NEXT		VRING_DESC_F_NEXT
#define INDIRECT	VRING_DESC_F_INDIRECT
#define WRITE		VRING_DESC_F_WRITE
#define GPA(offset)	(NB_FRONT_GPA + (offset))

#define MERGE		(1ull << VIRTIO_NET_F_MRG_RXBUF)
#define EVENT_IDX	(1ull << VIRTIO_RING_F_EVENT_IDX)
#define LARGE		(MERGE | 1ull << VIRTIO_NET_F_GUEST_CSUM | \
			 1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6)

FIXTURE(vhost)
{
	pid_t server;
	struct nb_front front;
	struct nb_front bystander;
};

FIXTURE_SETUP(vhost)
{
	nb_test_load_module();
	unlink(PATH);
	unlink(BYSTANDER);
	self->front.memfd = -1;
	self->server = nb_vhost_run(PATH, "loopback", BYSTANDER, "loopback", NULL);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
}

FIXTURE_TEARDOWN(vhost)
{
	EXPECT_TRUE(nb_front_works(&self->bystander));
	nb_front_close(&self->front);
	nb_front_close(&self->bystander);
	EXPECT_EQ(0, nb_vhost_end(self->server));
	EXPECT_NE(0, access(PATH, F_OK));
}

static void reopen(FIXTURE_DATA(vhost) *self, uint64_t features)
{
	nb_front_close(&self->front);
	nb_front_open(&self->front, PATH, features);
	nb_front_post(&self->front, 0, 0, 64);
}

/* ---- what it is for ------------------------------------------------------ */

TEST_F(vhost, packets_of_any_shape_come_back_as_they_were_sent)
{
	uint8_t sent[1500], received[1500];
	uint32_t id, used, len;
	unsigned int i;

	reopen(self, 0);
	for (i = 0; i < 600; i++) {
		len = 14 + i * 37 % 1400;
		nb_frame_fill(sent, len, i);
		nb_front_send_pieces(&self->front, 0, sent, len, 1 + i % 7, i & 8);
		ASSERT_TRUE(nb_front_used(&self->front, TX, &id, &used));
		ASSERT_EQ(0, id);
		ASSERT_EQ(len, nb_front_receive(&self->front, received, sizeof(received), NULL));
		ASSERT_EQ(0, memcmp(sent, received, len));
	}
}

TEST_F(vhost, indirect_tables_are_followed)
{
	struct vring_desc *table;
	uint8_t sent[300], received[300];
	uint32_t id, used;

	reopen(self, 1ull << VIRTIO_RING_F_INDIRECT_DESC);
	nb_frame_fill(sent, sizeof(sent), 7);
	memset(self->front.ram + NB_FRONT_TX, 0, HEADER);
	memcpy(self->front.ram + NB_FRONT_TX + HEADER, sent, sizeof(sent));
	table = (void *)(self->front.ram + NB_FRONT_TABLE);
	/* not in the order of the table */
	table[0] = (struct vring_desc){ GPA(NB_FRONT_TX), HEADER, NEXT, 2 };
	table[1] = (struct vring_desc){ GPA(NB_FRONT_TX + HEADER + 100), 200, 0, 0 };
	table[2] = (struct vring_desc){ GPA(NB_FRONT_TX + HEADER), 100, NEXT, 1 };
	nb_front_desc(&self->front, TX, 5, GPA(NB_FRONT_TABLE), 3 * sizeof(*table), INDIRECT, 0);
	nb_front_avail(&self->front, TX, 5);
	nb_front_kick(&self->front, TX);
	ASSERT_TRUE(nb_front_used(&self->front, TX, &id, &used));
	EXPECT_EQ(5, id);
	ASSERT_EQ(300, nb_front_receive(&self->front, received, sizeof(received), NULL));
	EXPECT_EQ(0, memcmp(sent, received, sizeof(sent)));
}

/* Buffers that a packet did not reach are used for the next one. */
TEST_F(vhost, long_packets_fill_several_buffers)
{
	static const uint32_t lens[] = { 60, 9000, 61440, 1524, 1525, 14 };
	static uint8_t sent[61440], received[61440];
	uint32_t id, used;
	unsigned int i, n, round;

	nb_front_open(&self->front, PATH, LARGE);
	nb_front_post(&self->front, 0, 0, 128);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < ARRAY_LEN(lens); i++) {
			nb_frame_fill(sent, lens[i], i + round);
			nb_front_send_pieces(&self->front, 0, sent, lens[i], 1, false);
			ASSERT_TRUE(nb_front_used(&self->front, TX, &id, &used));
			ASSERT_EQ(lens[i], nb_front_receive(&self->front, received,
							    sizeof(received), &n));
			ASSERT_EQ(0, memcmp(sent, received, lens[i]));
			EXPECT_EQ((lens[i] + HEADER + NB_FRONT_BUF_SIZE - 1) / NB_FRONT_BUF_SIZE,
				  n);
		}
	}
}

TEST_F(vhost, interrupts_come_when_the_event_index_says_so)
{
	uint16_t *used_event;
	uint8_t frame[60];
	eventfd_t calls;
	unsigned int i;

	nb_front_open(&self->front, PATH, EVENT_IDX);
	nb_frame_fill(frame, sizeof(frame), 0);
	used_event = &self->front.rings[TX].avail->ring[NB_FRONT_ENTRIES];
	*used_event = 4;
	nb_front_post(&self->front, 0, 0, 64);
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(nb_front_transmit(&self->front, i, frame, sizeof(frame)));
	/* the thread has told what it did before it looked at a later packet */
	EXPECT_EQ(-1, eventfd_read(self->front.rings[TX].call_fd, &calls));
	ASSERT_TRUE(nb_front_transmit(&self->front, 4, frame, sizeof(frame)));
	EXPECT_TRUE(nb_until(!eventfd_read(self->front.rings[TX].call_fd, &calls)));
	EXPECT_EQ(1, calls);
	ASSERT_TRUE(nb_front_transmit(&self->front, 5, frame, sizeof(frame)));
	ASSERT_TRUE(nb_front_transmit(&self->front, 6, frame, sizeof(frame)));
	EXPECT_EQ(-1, eventfd_read(self->front.rings[TX].call_fd, &calls));
}

/* Receive buffers that nothing was put into can be taken again by who comes next. */
TEST_F(vhost, a_ring_that_is_stopped_goes_on_at_its_base)
{
	uint8_t frame[60];
	unsigned int i;
	uint32_t base;

	reopen(self, 0);
	nb_frame_fill(frame, sizeof(frame), 0);
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(nb_front_transmit(&self->front, i, frame, sizeof(frame)));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(60, nb_front_receive(&self->front, frame, sizeof(frame), NULL));
	base = nb_front_stop(&self->front, RX);
	EXPECT_EQ(3, base);
	EXPECT_EQ(3, nb_front_stop(&self->front, TX));
	EXPECT_EQ(3, self->front.rings[RX].used->idx);

	nb_front_set_ring(&self->front, RX, base);
	nb_front_set_ring(&self->front, TX, 3);
	EXPECT_TRUE(nb_front_works(&self->front));
}

/* ---- hostile guests ------------------------------------------------------ */

/* Chains that are wrong come back with nothing in them, and the next one is served. */
TEST_F(vhost, wrong_chains_come_back_and_harm_no_other)
{
	static const struct {
		const char *what;
		struct vring_desc desc[3];	/* of the ring, from entry 0 on */
		struct vring_desc table[2];
		unsigned int ring;
	} cases[] = {
		{ "loop", { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { GPA(NB_FRONT_TX), 0, NEXT, 0 } },
		  .ring = TX },
		{ "descriptor outside", { { GPA(NB_FRONT_TX), 50, NEXT, NB_FRONT_ENTRIES } },
		  .ring = TX },
		{ "writable", { { GPA(NB_FRONT_TX), 100, WRITE, 0 } }, .ring = TX },
		{ "loop of nothing", { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { 0, 0, NEXT, 1 } },
		  .ring = TX },
		{ "short", { { GPA(NB_FRONT_TX), HEADER + 13, 0, 0 } }, .ring = TX },
		{ "empty", { { GPA(NB_FRONT_TX), 0, 0, 0 } }, .ring = TX },
		{ "nowhere", { { GPA(NB_FRONT_SIZE), 100, 0, 0 } }, .ring = TX },
		{ "behind the end", { { GPA(NB_FRONT_SIZE - 50), 100, 0, 0 } }, .ring = TX },
		{ "payload nowhere", { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { 0, 100, 0, 0 } },
		  .ring = TX },
		{ "wraps", { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { ~0ull - 10, 100, 0, 0 } },
		  .ring = TX },
		{ "4 GiB", { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { GPA(0), ~0u, 0, 0 } },
		  .ring = TX },
		{ "huge", { { GPA(NB_FRONT_TX), 0x100000, 0, 0 } }, .ring = TX },
		{ "table nowhere", { { 0, 32, INDIRECT, 0 } }, .ring = TX },
		{ "table cut", { { GPA(NB_FRONT_TABLE), 33, INDIRECT, 0 } }, .ring = TX },
		{ "empty table", { { GPA(NB_FRONT_TABLE), 0, INDIRECT, 0 } }, .ring = TX },
		{ "table, then more", { { GPA(NB_FRONT_TABLE), 32, INDIRECT | NEXT, 1 } },
		  .ring = TX },
		{ "table in a table", { { GPA(NB_FRONT_TABLE), 32, INDIRECT, 0 } },
		  { { GPA(NB_FRONT_TABLE), 32, INDIRECT, 0 } }, TX },
		{ "loop in a table", { { GPA(NB_FRONT_TABLE), 32, INDIRECT, 0 } },
		  { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { GPA(NB_FRONT_TX), 50, NEXT, 0 } }, TX },
		{ "readable", { { GPA(NB_FRONT_RX), 1536, 0, 0 } }, .ring = RX },
		{ "no room", { { GPA(NB_FRONT_RX), HEADER, WRITE, 0 } }, .ring = RX },
		{ "header in pieces", { { GPA(NB_FRONT_RX), 5, WRITE | NEXT, 1 },
					{ GPA(NB_FRONT_RX), 1536, WRITE, 0 } }, .ring = RX },
	};
	uint32_t id, used;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int ring = cases[i].ring;

		reopen(self, 1ull << VIRTIO_RING_F_INDIRECT_DESC);
		/* the good receive buffers are in entries 0 … 63 */
		memcpy(self->front.rings[ring].desc + 100, cases[i].desc, sizeof(cases[i].desc));
		self->front.rings[ring].desc[100].next += 100 * (cases[i].desc[0].next < 100);
		self->front.rings[ring].desc[101].next += 100;
		memcpy(self->front.ram + NB_FRONT_TABLE, cases[i].table, sizeof(cases[i].table));
		memset(self->front.ram + NB_FRONT_TX, 0, HEADER);
		nb_front_avail(&self->front, ring, 100);
		nb_front_kick(&self->front, ring);
		ASSERT_TRUE(nb_front_used(&self->front, ring, &id, &used))
			TH_LOG("%s", cases[i].what);
		EXPECT_EQ(100, id);
		EXPECT_EQ(0, used);
		EXPECT_TRUE(nb_front_works(&self->front))
			TH_LOG("%s", cases[i].what);
	}
}

TEST_F(vhost, a_receive_buffer_outside_memory_comes_back_empty)
{
	uint8_t frame[60];
	uint32_t id, used;

	nb_front_open(&self->front, PATH, 0);
	nb_front_desc(&self->front, RX, 9, GPA(NB_FRONT_SIZE - 100), 1536, WRITE, 0);
	nb_front_avail(&self->front, RX, 9);
	nb_front_kick(&self->front, RX);
	nb_frame_fill(frame, sizeof(frame), 0);
	nb_front_desc(&self->front, TX, 0, GPA(NB_FRONT_TX), HEADER + 60, 0, 0);
	nb_front_avail(&self->front, TX, 0);
	nb_front_kick(&self->front, TX);
	ASSERT_TRUE(nb_front_used(&self->front, RX, &id, &used));
	EXPECT_EQ(9, id);
	EXPECT_EQ(0, used);
}

/* A ring that cannot be right is left alone, the front-end told, and a new one served. */
TEST_F(vhost, broken_rings_stop_and_can_be_set_up_again)
{
	eventfd_t errors;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		reopen(self, 0);
		ASSERT_TRUE(nb_front_works(&self->front));
		switch (i) {
		case 0:		/* the index jumps */
			self->front.rings[TX].avail->idx += NB_FRONT_ENTRIES + 1;
			break;
		case 1:		/* a chain outside the table */
			nb_front_avail(&self->front, TX, NB_FRONT_ENTRIES);
			break;
		case 2:		/* a chain that is there already */
			nb_front_avail(&self->front, RX, 50);
			break;
		}
		nb_front_kick(&self->front, TX);
		nb_front_kick(&self->front, RX);
		EXPECT_TRUE(nb_until(!eventfd_read(self->front.rings[i == 2 ? RX : TX].err_fd,
						   &errors)))
			TH_LOG("case %u", i);
		/* nb_front_works() has sent 10 packets, and nothing behind them was taken */
		EXPECT_EQ(10, nb_front_stop(&self->front, TX));
		EXPECT_EQ(10, self->front.rings[TX].used->idx);
	}
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

static void *scribble(void *arg)
{
	struct nb_front *front = arg;
	struct nb_random random;
	unsigned int i;

	nb_random_start(&random);
	for (i = 0; i < 300000; i++) {
		struct vring_desc *desc = &front->rings[TX].desc[i % 8];
		volatile struct vring_desc *shared = desc;

		shared->flags = nb_random_below(&random, 8);
		shared->next = nb_random_below(&random, 9);
		shared->len = nb_random_below(&random, 3) ? 112 :
							    nb_random_below(&random, 1u << 31);
		shared->addr = nb_random_below(&random, 3) ? GPA(NB_FRONT_TX) :
							     nb_random_below(&random, 1u << 31);
	}
	return NULL;
}

TEST_F(vhost, descriptors_that_change_under_way_harm_nobody)
{
	pthread_t thread;
	unsigned int i;

	reopen(self, 1ull << VIRTIO_RING_F_INDIRECT_DESC);
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &self->front));
	for (i = 0; i < 3000; i++) {
		nb_front_avail(&self->front, TX, i % 8);
		nb_front_kick(&self->front, TX);
		nb_front_kick(&self->front, RX);
	}
	pthread_join(thread, NULL);
	EXPECT_TRUE(nb_vhost_runs(self->server));
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
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

/* The first steps of a connection; false when there is none with that number. */
static bool step(struct nb_front *front, unsigned int number)
{
	switch (number) {
	case 0:
		nb_front_negotiate(front, 0);
		return true;
	case 1:
		nb_front_set_memory(front);
		return true;
	case 2:
	case 3:
		nb_front_set_ring(front, number - 2, 0);
		return true;
	case 4:
		nb_front_post(front, 0, 0, 64);
		return true;
	default:
		return false;
	}
}

TEST_F(vhost, a_front_end_may_go_at_any_time)
{
	const struct vu_header half = {
		.request = VU_SET_FEATURES,
		.flags = VU_VERSION,
		.size = 8,
	};
	unsigned int steps, i, cut;

	for (steps = 0; steps <= 5; steps++) {
		/* with no, some, and all bytes of the next header */
		for (cut = 0; cut <= sizeof(half); cut += sizeof(half) / 2) {
			nb_front_connect(&self->front, PATH);
			for (i = 0; i < steps; i++)
				ASSERT_TRUE(step(&self->front, i));
			nb_sys(send(self->front.fd, &half, cut, MSG_NOSIGNAL));
			nb_front_close(&self->front);
		}
	}
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
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

TEST_F(vhost, rings_outside_memory_are_not_used)
{
	struct vu_vring_addr addr = { .index = TX };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		nb_front_connect(&self->front, PATH);
		nb_front_negotiate(&self->front, 0);
		nb_front_set_memory(&self->front);
		nb_front_set_ring(&self->front, RX, 0);
		nb_front_set_ring(&self->front, TX, 0);
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
