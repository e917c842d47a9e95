// SPDX-License-Identifier: GPL-2.0
/*
 * What only split rings have: entries that name the next one, an index that tells all, and
 * one for each side's events.  See vhost.h.
 */
#include <pthread.h>
#include <sys/eventfd.h>

#include "vhost.h"

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };

TEST_F(vhost, indirect_tables_are_followed)
{
	struct vring_desc *table;
	uint8_t sent[300], received[300];
	uint32_t id, used;

	reopen(self, TABLES);
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

/* Chains that are wrong come back with nothing in them, and the next one is served. */
TEST_F(vhost, wrong_links_come_back_and_harm_no_other)
{
	static const struct {
		const char *what;
		struct vring_desc desc[3];	/* of the ring, from entry 0 on */
		struct vring_desc table[2];
	} cases[] = {
		{ "loop", { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { GPA(NB_FRONT_TX), 0, NEXT, 0 } } },
		{ "descriptor outside", { { GPA(NB_FRONT_TX), 50, NEXT, NB_FRONT_ENTRIES } } },
		{ "loop of nothing", { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { 0, 0, NEXT, 1 } } },
		{ "table in a table", { { GPA(NB_FRONT_TABLE), 32, INDIRECT, 0 } },
		  { { GPA(NB_FRONT_TABLE), 32, INDIRECT, 0 } } },
		{ "loop in a table", { { GPA(NB_FRONT_TABLE), 32, INDIRECT, 0 } },
		  { { GPA(NB_FRONT_TX), 50, NEXT, 1 }, { GPA(NB_FRONT_TX), 50, NEXT, 0 } } },
	};
	struct vring_desc *desc;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		reopen(self, TABLES);
		/* from entry 100 on */
		desc = self->front.rings[TX].desc + 100;
		memcpy(desc, cases[i].desc, sizeof(cases[i].desc));
		desc[0].next += 100 * (cases[i].desc[0].next < 100);
		desc[1].next += 100;
		memcpy(self->front.ram + NB_FRONT_TABLE, cases[i].table, sizeof(cases[i].table));
		memset(self->front.ram + NB_FRONT_TX, 0, HEADER);
		nb_front_avail(&self->front, TX, 100);
		expect_empty(_metadata, &self->front, TX, cases[i].what);
	}
}

/**
 * struct flood - who makes the next wrong buffer available as soon as one is taken
 * @front: whose receive ring it is
 * @end: it is enough
 * @taken: so many were taken that it has seen
 * @held_back: the most of these that the guest was not told of
 */
struct flood {
	struct nb_front *front;
	bool end;
	uint16_t taken;
	int16_t held_back;
};

/* Buffers of many descriptors, of nothing: who looks at them is slower than who makes them. */
static void prepare_flood(struct nb_front_ring *ring)
{
	unsigned int i;

	for (i = 0; i < NB_FRONT_ENTRIES; i++) {
		ring->desc[i] = (struct vring_desc){
			GPA(NB_FRONT_RX), 0, WRITE | NEXT, (i + 1) % NB_FRONT_ENTRIES,
		};
		ring->avail->ring[i] = i;
		ring->used->ring[i].id = ~0u;
	}
}

/* What is put into the used ring shows at once that a buffer was taken. */
static void *flood(void *arg)
{
	struct flood *flood = arg;
	struct nb_front_ring *ring = &flood->front->rings[RX];
	unsigned int looks = 0;
	int16_t held_back;
	uint32_t *place;

	while (!__atomic_load_n(&flood->end, __ATOMIC_ACQUIRE)) {
		place = &ring->used->ring[flood->taken % NB_FRONT_ENTRIES].id;
		if (__atomic_load_n(place, __ATOMIC_ACQUIRE) == ~0u) {
			/* it may have found none, and sleep */
			if (!(++looks % 1024))
				nb_front_kick(flood->front, RX);
			continue;
		}
		__atomic_store_n(place, ~0u, __ATOMIC_RELAXED);
		__atomic_store_n(&flood->taken, flood->taken + 1, __ATOMIC_RELAXED);
		__atomic_store_n(&ring->avail->idx, flood->taken + NB_FRONT_ENTRIES,
				 __ATOMIC_RELEASE);
		/* of which it may not have seen some yet */
		held_back = flood->taken - __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
		if (held_back > flood->held_back)
			flood->held_back = held_back;
	}
	return NULL;
}

/* They come back at once, so that there are always more: the thread has to stop all the same. */
TEST_F(vhost, a_flood_of_wrong_buffers_keeps_nobody_waiting)
{
	struct flood guest;
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		nb_front_close(&self->front);
		nb_front_open(&self->front, PATH, 0);
		prepare_flood(&self->front.rings[RX]);
		guest = (struct flood){ .front = &self->front };
		ASSERT_EQ(0, pthread_create(&thread, NULL, flood, &guest));
		self->front.rings[RX].avail->idx = NB_FRONT_ENTRIES;
		nb_front_kick(&self->front, RX);
		EXPECT_TRUE(nb_until(__atomic_load_n(&guest.taken, __ATOMIC_RELAXED) > 5000));
		EXPECT_TRUE(nb_front_works(&self->bystander));
		nb_front_stop(&self->front, RX);
		nb_front_close(&self->bystander);
		nb_front_open(&self->bystander, BYSTANDER, 0);
		nb_front_post(&self->bystander, 0, 0, 16);
		__atomic_store_n(&guest.end, true, __ATOMIC_RELEASE);
		pthread_join(thread, NULL);
		/* it is told at the latest when all of a ring have come back */
		EXPECT_GE(NB_FRONT_ENTRIES, guest.held_back);
	}
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
		EXPECT_EQ(10, nb_front_stop(&self->front, RX));
	}
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

TEST_HARNESS_MAIN
