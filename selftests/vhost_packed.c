// SPDX-License-Identifier: GPL-2.0
/*
 * What only packed rings have: any size, ids that are not places, event suppression by
 * flags and by descriptor, and wrap counters.  See vhost.h.
 */
#include <sys/eventfd.h>

#include "vhost.h"

#define WRAP		(1u << VRING_PACKED_EVENT_F_WRAP_CTR)

FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };

TEST_F(vhost, a_ring_of_any_size_is_served)
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
		ASSERT_TRUE(comes_back(&self->front, 14 + i, i % 91, 1 + i % 3, NULL));
}

/* Whether a packet comes back that an indirect table describes, with these flags in it. */
static bool comes_back_from_table(struct nb_front *front, const uint16_t *flags)
{
	struct vring_packed_desc *table = (void *)(front->ram + NB_FRONT_TABLE);
	uint8_t sent[300], received[300];
	uint32_t id, used;

	nb_frame_fill(sent, sizeof(sent), 7);
	memset(front->ram + NB_FRONT_TX, 0, HEADER);
	memcpy(front->ram + NB_FRONT_TX + HEADER, sent, sizeof(sent));
	/* ids say nothing here */
	table[0] = (struct vring_packed_desc){ GPA(NB_FRONT_TX), HEADER, 999, flags[0] };
	table[1] = (struct vring_packed_desc){ GPA(NB_FRONT_TX + HEADER), 100, 0, flags[1] };
	table[2] = (struct vring_packed_desc){ GPA(NB_FRONT_TX + HEADER + 100), 200, 5, flags[2] };
	front->rings[TX].taken[77] = 1;
	nb_packed_desc(front, TX, GPA(NB_FRONT_TABLE), 3 * sizeof(*table), 77, INDIRECT);
	nb_front_kick(front, TX);
	return nb_front_used(front, TX, &id, &used) && id == 77 &&
	       nb_front_receive(front, received, sizeof(received), NULL) == sizeof(sent) &&
	       !memcmp(sent, received, sizeof(sent));
}

/* Flags other than that of the direction say nothing there. */
TEST_F(vhost, indirect_tables_are_followed)
{
	const uint16_t flags[] = { 0, NEXT, NEXT };

	reopen(self, TABLES);
	EXPECT_TRUE(comes_back_from_table(&self->front, flags));
}

/* DPDK's driver marks the header, and now and then what follows it. */
TEST_F(vhost, what_is_transmitted_may_be_marked_as_writable_in_a_table)
{
	const uint16_t flags[] = { WRITE, WRITE, NEXT };

	reopen(self, TABLES);
	EXPECT_TRUE(comes_back_from_table(&self->front, flags));
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

TEST_F(vhost, interrupts_can_be_turned_off_and_on)
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
TEST_F(vhost, interrupts_come_at_the_descriptor_that_is_named)
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

TEST_F(vhost, who_sleeps_asks_to_be_kicked_for_the_next_descriptor)
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
TEST_F(vhost, a_ring_that_is_stopped_goes_on_at_its_base)
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

/* Descriptors that somebody else has taken, and not given back, stay away. */
TEST_F(vhost, chains_are_given_back_where_the_upper_half_of_the_base_says)
{
	const uint32_t lost = 5, first = NB_FRONT_ENTRIES - 3;
	struct nb_front *front = &self->front;
	uint8_t frame[60];

	reopen(self, 0);
	nb_front_stop(front, TX);
	/* the driver is in the next lap already */
	front->rings[TX].next = first + lost - NB_FRONT_ENTRIES;
	front->rings[TX].wrap = false;
	front->rings[TX].seen = first;
	nb_front_set_ring(front, TX, (first | WRAP) << 16 | front->rings[TX].next);
	nb_frame_fill(frame, sizeof(frame), 0);
	ASSERT_TRUE(nb_front_transmit(front, 77, frame, sizeof(frame)));
	EXPECT_EQ(first + 1, front->rings[TX].seen);
	EXPECT_EQ((first + 1) << 16 | WRAP << 16 | (first + lost + 1 - NB_FRONT_ENTRIES),
		  nb_front_stop(front, TX));
}

/* ---- hostile guests ------------------------------------------------------ */

/* Chains that are wrong come back with nothing in them, and the next one is served. */
TEST_F(vhost, wrong_tables_come_back_and_harm_no_other)
{
	static const struct {
		const char *what;
		unsigned int n;
		struct vring_desc desc[2];
		struct vring_packed_desc table[2];
	} cases[] = {
		{ "more, then table", 2, { { GPA(NB_FRONT_TX), 100 },
					   { GPA(NB_FRONT_TABLE), 32, INDIRECT } },
		  { { GPA(NB_FRONT_TX), 100 } } },
		{ "table in a table", 1, { { GPA(NB_FRONT_TABLE), 32, INDIRECT } },
		  { { GPA(NB_FRONT_TX), 100 }, { GPA(NB_FRONT_TABLE), 32, 0, INDIRECT } } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		reopen(self, TABLES);
		memcpy(self->front.ram + NB_FRONT_TABLE, cases[i].table, sizeof(cases[i].table));
		memset(self->front.ram + NB_FRONT_TX, 0, HEADER);
		nb_front_chain(&self->front, TX, 100, cases[i].desc, cases[i].n);
		expect_empty(_metadata, &self->front, TX, cases[i].what);
	}
}

/* It has both bits, as if it had been used. */
TEST_F(vhost, a_descriptor_that_looks_used_is_not_taken)
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
TEST_F(vhost, broken_rings_stop_and_can_be_set_up_again)
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
		EXPECT_EQ((10 | WRAP) * 0x10001, nb_front_stop(front, TX));
		EXPECT_EQ((10 | WRAP) * 0x10001, nb_front_stop(front, RX));
	}
}

/* User-Mode Linux says 0 of a new ring, as if there were no wrap counter. */
TEST_F(vhost, a_base_of_zero_is_that_of_a_new_ring_unless_it_was_used)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	nb_front_connect(front, PATH);
	front->pairs = 1;
	nb_front_negotiate(front, PACKED);
	nb_front_set_memory(front);
	nb_front_set_ring(front, RX, 0);
	nb_front_set_ring(front, TX, 0);
	nb_front_post(front, 0, 0, 64);
	for (i = 0; i < NB_FRONT_ENTRIES; i++)
		ASSERT_TRUE(comes_back(front, 60, i, 1, NULL));
	ASSERT_EQ(0, nb_front_stop(front, TX));
	nb_front_set_ring(front, TX, 0);
	for (i = 0; i < NB_FRONT_ENTRIES + 5; i++)
		ASSERT_TRUE(comes_back(front, 60, i % NB_FRONT_ENTRIES, 1, NULL));
}

/* In the lap behind which it is 0, the first descriptor was in the middle of a chain. */
TEST_F(vhost, a_base_of_zero_is_not_that_of_a_new_ring_if_any_of_it_was_used)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	reopen(self, 0);
	for (i = 0; i < NB_FRONT_ENTRIES; i++)
		ASSERT_TRUE(comes_back(front, 60, i / 4 * 4, 3, NULL));
	ASSERT_EQ(0, nb_front_stop(front, TX));
	nb_front_set_ring(front, TX, 0);
	for (i = 0; i < NB_FRONT_ENTRIES; i++)
		ASSERT_TRUE(comes_back(front, 60, i / 4 * 4, 3, NULL));
}

/* Both halves, one of them, or what is between them, which no ring has room for. */
TEST_F(vhost, a_base_outside_the_ring_is_not_used)
{
	static const uint32_t bases[] = {
		0x7fff, 0x7fff8000, NB_FRONT_ENTRIES, NB_FRONT_ENTRIES << 16 | WRAP,
		1 << 16 | WRAP | 2, WRAP << 16 | 1,
	};
	struct nb_front *front = &self->front;
	struct vring_packed_desc_event *device;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(bases); i++) {
		nb_front_close(front);
		nb_front_connect(front, PATH);
		nb_front_negotiate(front, PACKED);
		nb_front_set_memory(front);
		/* what would serve the ring would write there */
		device = (void *)(front->ram + NB_FRONT_RING + 0x2000);
		device->flags = 9;
		nb_front_set_ring(front, RX, bases[i]);
		nb_front_set_ring(front, TX, bases[i]);
		nb_front_stop(front, TX);
		EXPECT_EQ(9, device->flags)
			TH_LOG("base %#x", bases[i]);
	}
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(front));
}

TEST_HARNESS_MAIN
