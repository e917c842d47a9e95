// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost serves packed rings as it serves split ones, whatever a guest does with them.
 * Two NICs of kind loopback: one for the test, and one of a bystander, with split rings.
 */
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "kselftest_harness.h"
#include "nbfrontend.h"
#include "../tools/nbvhost/vhost_user.h"

#define PATH		"/tmp/nb-vhost-packed"
#define BYSTANDER	"/tmp/nb-vhost-bystander"
#define HEADER		((uint32_t)sizeof(struct virtio_net_hdr_v1))
#define RX		NB_FRONT_RX_RING
#define TX		NB_FRONT_TX_RING
#define NEXT		VRING_DESC_F_NEXT
#define INDIRECT	VRING_DESC_F_INDIRECT
#define WRITE		VRING_DESC_F_WRITE
#define WRAP		(1u << VRING_PACKED_EVENT_F_WRAP_CTR)
#define GPA(offset)	(NB_FRONT_GPA + (offset))

#define PACKED		(1ull << VIRTIO_F_RING_PACKED)
#define EVENT_IDX	(1ull << VIRTIO_RING_F_EVENT_IDX)
#define TABLES		(1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define LARGE		(1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_NET_F_GUEST_CSUM | \
			 1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6)

FIXTURE(vhost_packed)
{
	pid_t server;
	struct nb_front front;
	struct nb_front bystander;
};

FIXTURE_SETUP(vhost_packed)
{
	nb_test_load_module();
	unlink(PATH);
	unlink(BYSTANDER);
	self->front.memfd = -1;
	self->server = nb_vhost_run(PATH, "loopback", BYSTANDER, "loopback", NULL);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
}

FIXTURE_TEARDOWN(vhost_packed)
{
	EXPECT_TRUE(nb_front_works(&self->bystander));
	nb_front_close(&self->front);
	nb_front_close(&self->bystander);
	EXPECT_EQ(0, nb_vhost_end(self->server));
}

static void reopen(FIXTURE_DATA(vhost_packed) *self, uint64_t features)
{
	nb_front_close(&self->front);
	nb_front_open(&self->front, PATH, PACKED | features);
	nb_front_post(&self->front, 0, 0, 64);
}

/* Sends a frame in pieces, and receives it; whether it is the same. */
static bool comes_back(struct nb_front *front, uint32_t len, unsigned int seed,
		       unsigned int pieces)
{
	static uint8_t sent[61440], got[61440];
	uint16_t head = seed % NB_FRONT_ENTRIES;
	uint32_t id, used;

	nb_frame_fill(sent, len, seed);
	nb_front_send_pieces(front, head, sent, len, pieces, seed & 8);
	return nb_front_used(front, TX, &id, &used) && id == head && !used &&
	       nb_front_receive(front, got, sizeof(got), NULL) == (ssize_t)len &&
	       !memcmp(sent, got, len);
}

/* ---- what it is for ------------------------------------------------------ */

/* Of 1 to 7 descriptors: a chain ends anywhere, and goes over the end of the ring. */
TEST_F(vhost_packed, packets_of_any_shape_come_back_as_they_were_sent)
{
	unsigned int i;

	reopen(self, 0);
	for (i = 0; i < 600; i++)
		ASSERT_TRUE(comes_back(&self->front, 14 + i * 37 % 1400, i, 1 + i % 7));
}

TEST_F(vhost_packed, a_ring_of_any_size_is_served)
{
	unsigned int i;

	nb_front_connect(&self->front, PATH);
	self->front.entries = 91;
	self->front.pairs = 1;
	nb_front_negotiate(&self->front, PACKED);
	nb_front_set_memory(&self->front);
	for (i = 0; i < 2; i++)
		nb_front_set_ring(&self->front, i, nb_front_base(&self->front));
	nb_front_post(&self->front, 0, 0, 91);
	for (i = 0; i < 300; i++)
		ASSERT_TRUE(comes_back(&self->front, 14 + i, i % 91, 1 + i % 3));
}

TEST_F(vhost_packed, indirect_tables_are_followed)
{
	struct vring_packed_desc *table;
	uint8_t sent[300], received[300];
	uint32_t id, used;

	reopen(self, TABLES);
	nb_frame_fill(sent, sizeof(sent), 7);
	memset(self->front.ram + NB_FRONT_TX, 0, HEADER);
	memcpy(self->front.ram + NB_FRONT_TX + HEADER, sent, sizeof(sent));
	table = (void *)(self->front.ram + NB_FRONT_TABLE);
	/* ids, and flags other than that of the direction, say nothing here */
	table[0] = (struct vring_packed_desc){ GPA(NB_FRONT_TX), HEADER, 999, 0 };
	table[1] = (struct vring_packed_desc){ GPA(NB_FRONT_TX + HEADER), 100, 0, NEXT };
	table[2] = (struct vring_packed_desc){ GPA(NB_FRONT_TX + HEADER + 100), 200, 5, NEXT };
	self->front.rings[TX].taken[77] = 1;
	nb_packed_desc(&self->front, TX, GPA(NB_FRONT_TABLE), 3 * sizeof(*table), 77, INDIRECT);
	nb_front_kick(&self->front, TX);
	ASSERT_TRUE(nb_front_used(&self->front, TX, &id, &used));
	EXPECT_EQ(77, id);
	ASSERT_EQ(300, nb_front_receive(&self->front, received, sizeof(received), NULL));
	EXPECT_EQ(0, memcmp(sent, received, sizeof(sent)));
}

/* The driver finds all of a packet's buffers as soon as it finds the first. */
TEST_F(vhost_packed, long_packets_fill_several_buffers)
{
	static const uint32_t lens[] = { 60, 9000, 61440, 1524, 1525, 14 };
	unsigned int i;

	nb_front_open(&self->front, PATH, PACKED | LARGE);
	nb_front_post(&self->front, 0, 0, 128);
	for (i = 0; i < 20 * ARRAY_LEN(lens); i++)
		ASSERT_TRUE(comes_back(&self->front, lens[i % ARRAY_LEN(lens)], i, 1));
}

/* ---- events -------------------------------------------------------------- */

static bool is_called(struct nb_front *front)
{
	eventfd_t calls;

	return nb_until(!eventfd_read(front->rings[TX].call_fd, &calls));
}

/* The thread has told what it did before it looked at a later packet. */
static bool was_called(struct nb_front *front)
{
	eventfd_t calls;

	return !eventfd_read(front->rings[TX].call_fd, &calls);
}

static void send_some(struct nb_front *front, unsigned int n)
{
	uint8_t frame[60];

	nb_frame_fill(frame, sizeof(frame), 0);
	for (; n; n--) {
		if (!nb_front_transmit(front, n % NB_FRONT_ENTRIES, frame, sizeof(frame)) ||
		    nb_front_receive(front, frame, sizeof(frame), NULL) != sizeof(frame))
			nb_die("a packet does not come back");
	}
}

TEST_F(vhost_packed, interrupts_can_be_turned_off_and_on)
{
	struct nb_front *front = &self->front;

	reopen(self, 0);
	front->rings[TX].driver->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	send_some(front, 5);
	EXPECT_FALSE(was_called(front));
	/* which was not negotiated */
	front->rings[TX].driver->off_wrap = 3;
	front->rings[TX].driver->flags = VRING_PACKED_EVENT_FLAG_DESC;
	send_some(front, 1);
	EXPECT_TRUE(is_called(front));
	front->rings[TX].driver->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	send_some(front, 1);
	EXPECT_TRUE(is_called(front));
}

/* In the first lap, and behind the end of the ring, where the counter is another. */
TEST_F(vhost_packed, interrupts_come_at_the_descriptor_that_is_named)
{
	struct nb_front *front = &self->front;
	struct vring_packed_desc_event *event;
	unsigned int lap;

	reopen(self, EVENT_IDX);
	event = front->rings[TX].driver;
	event->flags = VRING_PACKED_EVENT_FLAG_DESC;
	for (lap = 0; lap < 3; lap++) {
		event->off_wrap = 4 | (lap & 1 ? 0 : WRAP);
		send_some(front, 4);
		EXPECT_FALSE(was_called(front));
		send_some(front, 1);
		EXPECT_TRUE(is_called(front));
		send_some(front, 100);
		EXPECT_FALSE(was_called(front));
		/* the end of the ring, from where on the next lap is far away */
		event->off_wrap = (NB_FRONT_ENTRIES - 1) | (lap & 1 ? 0 : WRAP);
		send_some(front, NB_FRONT_ENTRIES - 106);
		EXPECT_FALSE(was_called(front));
		send_some(front, 1);
		EXPECT_TRUE(is_called(front));
	}
}

static bool asks_for_kick_at(const struct nb_front *front, uint16_t off_wrap, uint16_t flags)
{
	const struct vring_packed_desc_event *event = front->rings[TX].device;

	return __atomic_load_n(&event->flags, __ATOMIC_ACQUIRE) == flags &&
	       __atomic_load_n(&event->off_wrap, __ATOMIC_ACQUIRE) == off_wrap;
}

TEST_F(vhost_packed, who_sleeps_asks_to_be_kicked_for_the_next_descriptor)
{
	struct nb_front *front = &self->front;

	reopen(self, EVENT_IDX);
	send_some(front, 7);
	EXPECT_TRUE(nb_until(asks_for_kick_at(front, 7 | WRAP, VRING_PACKED_EVENT_FLAG_DESC)));
	send_some(front, NB_FRONT_ENTRIES);
	EXPECT_TRUE(nb_until(asks_for_kick_at(front, 7, VRING_PACKED_EVENT_FLAG_DESC)));
	reopen(self, 0);
	send_some(front, 7);
	EXPECT_TRUE(nb_until(asks_for_kick_at(front, 0, VRING_PACKED_EVENT_FLAG_ENABLE)));
}

/* ---- life ---------------------------------------------------------------- */

/* Receive buffers that nothing was put into are taken again, in the first lap and later. */
TEST_F(vhost_packed, a_ring_that_is_stopped_goes_on_at_its_base)
{
	/* the 64 receive buffers lie over the end of the ring the second time */
	static const unsigned int some[] = { 3, 210, 300, 100 };
	struct nb_front *front = &self->front;
	unsigned int i, sent = 0;
	uint32_t base, expected;

	reopen(self, 0);
	for (i = 0; i < ARRAY_LEN(some); i++) {
		send_some(front, some[i]);
		sent += some[i];
		expected = sent % NB_FRONT_ENTRIES | (sent / NB_FRONT_ENTRIES % 2 ? 0 : WRAP);
		expected |= expected << 16;
		base = nb_front_stop(front, RX);
		EXPECT_EQ(expected, base);
		nb_front_set_ring(front, RX, base);
		base = nb_front_stop(front, TX);
		EXPECT_EQ(expected, base);
		/* some front-ends know one half of it only */
		nb_front_set_ring(front, TX, i & 1 ? base : base & 0xffff);
	}
	EXPECT_TRUE(nb_front_works(front));
}

/* ---- hostile guests ------------------------------------------------------ */

TEST_F(vhost_packed, wrong_chains_come_back_and_harm_no_other)
{
	static const struct {
		const char *what;
		unsigned int ring;
		unsigned int n;
		struct vring_desc desc[3];
		struct vring_packed_desc table[2];
	} cases[] = {
		{ "writable", TX, 1, { { GPA(NB_FRONT_TX), 100, WRITE } } },
		{ "short", TX, 1, { { GPA(NB_FRONT_TX), HEADER + 13 } } },
		{ "empty", TX, 1, { { GPA(NB_FRONT_TX), 0 } } },
		{ "empty ones", TX, 3, { { 0 } } },
		{ "nowhere", TX, 1, { { GPA(NB_FRONT_SIZE), 100 } } },
		{ "payload nowhere", TX, 2, { { GPA(NB_FRONT_TX), 50 }, { 0, 100 } } },
		{ "wraps", TX, 2, { { GPA(NB_FRONT_TX), 50 }, { ~0ull - 10, 100 } } },
		{ "4 GiB", TX, 2, { { GPA(NB_FRONT_TX), 50 }, { GPA(0), ~0u } } },
		{ "huge", TX, 1, { { GPA(NB_FRONT_TX), 0x100000 } } },
		{ "table nowhere", TX, 1, { { 0, 32, INDIRECT } } },
		{ "table cut", TX, 1, { { GPA(NB_FRONT_TABLE), 33, INDIRECT } } },
		{ "empty table", TX, 1, { { GPA(NB_FRONT_TABLE), 0, INDIRECT } } },
		{ "table, then more", TX, 2, { { GPA(NB_FRONT_TABLE), 32, INDIRECT },
					       { GPA(NB_FRONT_TX), 100 } },
		  { { GPA(NB_FRONT_TX), 100 } } },
		{ "more, then table", TX, 2, { { GPA(NB_FRONT_TX), 100 },
					       { GPA(NB_FRONT_TABLE), 32, INDIRECT } },
		  { { GPA(NB_FRONT_TX), 100 } } },
		{ "table in a table", TX, 1, { { GPA(NB_FRONT_TABLE), 32, INDIRECT } },
		  { { GPA(NB_FRONT_TX), 100 }, { GPA(NB_FRONT_TABLE), 32, 0, INDIRECT } } },
		{ "readable", RX, 1, { { GPA(NB_FRONT_RX), 1536 } } },
		{ "no room", RX, 1, { { GPA(NB_FRONT_RX), HEADER, WRITE } } },
		{ "header in pieces", RX, 2, { { GPA(NB_FRONT_RX), 5, WRITE },
					       { GPA(NB_FRONT_RX), 1536, WRITE } } },
	};
	uint32_t id, used;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int ring = cases[i].ring;

		reopen(self, TABLES);
		memcpy(self->front.ram + NB_FRONT_TABLE, cases[i].table, sizeof(cases[i].table));
		memset(self->front.ram + NB_FRONT_TX, 0, HEADER);
		nb_front_chain(&self->front, ring, 100, cases[i].desc, cases[i].n);
		nb_front_kick(&self->front, ring);
		ASSERT_TRUE(nb_front_used(&self->front, ring, &id, &used))
			TH_LOG("%s", cases[i].what);
		EXPECT_EQ(100, id);
		EXPECT_EQ(0, used);
		EXPECT_TRUE(nb_front_works(&self->front))
			TH_LOG("%s", cases[i].what);
	}
}

/* It has both bits, as if it had been used. */
TEST_F(vhost_packed, a_descriptor_that_looks_used_is_not_taken)
{
	const struct vring_desc wrong = { GPA(NB_FRONT_RX), 1536 };
	struct nb_front *front = &self->front;
	uint32_t id, used;
	unsigned int i;

	reopen(self, 0);
	front->rings[TX].packed[0] = (struct vring_packed_desc){
		.addr = GPA(NB_FRONT_TX),
		.len = 100,
		.flags = 1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED,
	};
	nb_front_kick(front, TX);
	/* between two that come back both rings were looked at */
	for (i = 0; i < 2; i++) {
		nb_front_chain(front, RX, 100, &wrong, 1);
		nb_front_kick(front, RX);
		ASSERT_TRUE(nb_front_used(front, RX, &id, &used));
	}
	EXPECT_EQ(WRAP * 0x10001, nb_front_stop(front, TX));
}

/* A ring that cannot be right is left alone, the front-end told, and a new one served. */
TEST_F(vhost_packed, broken_rings_stop_and_can_be_set_up_again)
{
	struct vring_desc many[NB_FRONT_ENTRIES - 64 + 1];
	struct vring_packed_desc *desc;
	struct nb_front *front = &self->front;
	eventfd_t errors;
	unsigned int i, j, ring;

	for (i = 0; i < 4; i++) {
		reopen(self, 0);
		ASSERT_TRUE(nb_front_works(front));
		ring = i < 2 ? TX : RX;
		switch (i) {
		case 0:		/* an id outside */
			nb_packed_desc(front, ring, GPA(NB_FRONT_TX), 100, NB_FRONT_ENTRIES, 0);
			break;
		case 1:		/* a chain without an end; the first one becomes available last */
			desc = front->rings[ring].packed;
			for (j = 0; j < NB_FRONT_ENTRIES; j++)
				desc[j].flags = NEXT;
			nb_packed_desc(front, ring, 0, 0, 0, NEXT);
			break;
		case 2:		/* over those that are in use */
			for (j = 0; j < ARRAY_LEN(many); j++)
				many[j] = (struct vring_desc){ GPA(NB_FRONT_RX), 8, WRITE };
			nb_packed_chain(front, ring, 100, many, ARRAY_LEN(many));
			break;
		case 3:		/* a chain that is there already */
			nb_packed_desc(front, ring, GPA(NB_FRONT_RX), 1536, 50, WRITE);
			break;
		}
		nb_front_kick(front, ring);
		EXPECT_TRUE(nb_until(!eventfd_read(front->rings[ring].err_fd, &errors)))
			TH_LOG("case %u", i);
		/* nb_front_works() has sent 10 packets, and nothing behind them was taken */
		if (ring == TX)
			EXPECT_EQ((10 | WRAP) * 0x10001, nb_front_stop(front, TX));
	}
	nb_front_close(front);
	nb_front_connect(front, PATH);
	nb_front_negotiate(front, PACKED);
	nb_front_set_memory(front);
	/* bases outside: what would serve them would write there */
	((struct vring_packed_desc_event *)(front->ram + NB_FRONT_RING + 0x2000))->flags = 9;
	nb_front_set_ring(front, RX, 0x7fff);
	nb_front_set_ring(front, TX, 0x7fff);
	nb_front_stop(front, TX);
	EXPECT_EQ(9, front->rings[TX].device->flags);
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(front));
}

static void *scribble(void *arg)
{
	struct nb_front *front = arg;
	struct nb_random random;
	unsigned int i;

	nb_random_start(&random);
	for (i = 0; i < 300000; i++) {
		volatile struct vring_packed_desc *desc = &front->rings[TX].packed[i % 256];

		desc->id = nb_random_below(&random, 258);
		desc->len = nb_random_below(&random, 3) ? 112 :
							  nb_random_below(&random, 1u << 31);
		desc->addr = nb_random_below(&random, 3) ? GPA(NB_FRONT_TX) :
							   nb_random_below(&random, 1u << 31);
		desc->flags = nb_random_below(&random, 8) | nb_random_below(&random, 4) << 7 |
			      nb_random_below(&random, 2) << 15;
		front->rings[TX].driver->off_wrap = nb_random_below(&random, 65536);
		front->rings[TX].driver->flags = nb_random_below(&random, 4);
	}
	return NULL;
}

TEST_F(vhost_packed, descriptors_that_change_under_way_harm_nobody)
{
	pthread_t thread;
	unsigned int i, round;

	for (round = 0; round < 4; round++) {
		reopen(self, TABLES | (round & 1 ? EVENT_IDX : 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &self->front));
		for (i = 0; i < 1000; i++) {
			nb_front_kick(&self->front, TX);
			nb_front_kick(&self->front, RX);
		}
		pthread_join(thread, NULL);
		EXPECT_TRUE(nb_vhost_runs(self->server));
	}
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

TEST_F(vhost_packed, a_front_end_that_truncates_its_memory_harms_only_itself)
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

TEST_HARNESS_MAIN
