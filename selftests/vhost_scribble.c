// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that writes anywhere into its rings and tables at any time, while nbvhost reads them.
 * See vhost.h.
 */
#include <pthread.h>
#include <sys/eventfd.h>

#include "vhost.h"

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };

#define ENTRIES		NB_FRONT_ENTRIES
/* indirect tables, and the entries of each */
#define N_TABLES	16u
#define IN_TABLE	4u
/* in the guest's memory, behind its receive buffers: an in-flight region of both rings */
#define INFLIGHT	0x300000u
#define INFLIGHT_SIZE	0x8000u
/* how often the rings are set up anew, with each set of features */
#define ROUNDS		12u
/* how often the guest says meanwhile that it has something */
#define LOOKS		40u

/**
 * struct scribbler - the guest
 * @front: its rings
 * @random: what it writes
 * @end: it is enough
 */
struct scribbler {
	struct nb_front *front;
	struct nb_random random;
	bool end;
};

static uint32_t below(struct scribbler *scribbler, uint32_t limit)
{
	return nb_random_below(&scribbler->random, limit);
}

static bool one_in(struct scribbler *scribbler, uint32_t n)
{
	return !below(scribbler, n);
}

/* ---- what it writes ------------------------------------------------------ */

/* Of a ring, with flags that it may have; mostly there is something at its place. */
static struct vring_desc any_desc(struct scribbler *scribbler, unsigned int ring)
{
	const uint32_t place = ring == RX ? NB_FRONT_RX : NB_FRONT_TX;
	const uint32_t len = ring == RX ? NB_FRONT_BUF_SIZE : HEADER + 100;
	struct vring_desc desc = {
		.addr = GPA(place + below(scribbler, 64) * NB_FRONT_BUF_SIZE),
		.len = one_in(scribbler, 4) ? below(scribbler, 200) : len,
		.flags = (ring == RX ? WRITE : 0) | (one_in(scribbler, 3) ? NEXT : 0),
		.next = below(scribbler, ENTRIES),
	};

	if (one_in(scribbler, 5)) {
		desc.len = IN_TABLE * sizeof(desc);
		desc.addr = GPA(NB_FRONT_TABLE) + below(scribbler, N_TABLES) * desc.len;
		desc.flags = INDIRECT;
	}
	if (one_in(scribbler, 10))
		desc.flags = below(scribbler, 8);
	if (one_in(scribbler, 30))
		desc.len = below(scribbler, ~0u);
	if (one_in(scribbler, 30))
		desc.addr = (uint64_t)below(scribbler, ~0u) << below(scribbler, 33);
	if (one_in(scribbler, 30))
		desc.next = below(scribbler, 0x10000);
	return desc;
}

static void write_packed(struct scribbler *scribbler, struct vring_packed_desc *to,
			 const struct vring_desc *desc, uint16_t id)
{
	volatile struct vring_packed_desc *place = to;

	place->addr = desc->addr;
	place->len = desc->len;
	place->id = one_in(scribbler, 60) ? below(scribbler, 4 * ENTRIES) : id;
	/* its owner, too, which is mostly nbvhost, in the first lap */
	place->flags = desc->flags | !one_in(scribbler, 4) << VRING_PACKED_DESC_F_AVAIL |
		       one_in(scribbler, 4) << VRING_PACKED_DESC_F_USED;
}

static void write_split(struct vring_desc *to, const struct vring_desc *desc)
{
	volatile struct vring_desc *place = to;

	place->addr = desc->addr;
	place->len = desc->len;
	place->flags = desc->flags;
	place->next = desc->next;
}

static void scribble_table(struct scribbler *scribbler, unsigned int ring)
{
	struct vring_desc *table = (void *)(scribbler->front->ram + NB_FRONT_TABLE);
	struct vring_desc *entry = table + below(scribbler, N_TABLES * IN_TABLE);
	struct vring_desc desc = any_desc(scribbler, ring);

	if (!one_in(scribbler, 50))
		desc.next = below(scribbler, IN_TABLE);
	if (scribbler->front->packed)
		write_packed(scribbler, (void *)entry, &desc, 0);
	else
		write_split(entry, &desc);
}

/* What is on its way, as if somebody else had said so, and how the first ring's part begins. */
static void scribble_inflight(struct scribbler *scribbler)
{
	volatile uint16_t *words = (void *)(scribbler->front->ram + INFLIGHT);
	const uint16_t any = one_in(scribbler, 4) ? below(scribbler, 0x10000) :
						    below(scribbler, ENTRIES + 2);

	if (one_in(scribbler, 200)) {
		words[4] = one_in(scribbler, 2);	/* the version, or none */
		words[5] = ENTRIES;
	} else {
		words[below(scribbler, one_in(scribbler, 50) ? 16 : INFLIGHT_SIZE / 2)] = any;
	}
}

/* The avail ring mostly names one entry after the other; its index is moved on elsewhere. */
static void scribble_split(struct scribbler *scribbler, unsigned int number)
{
	struct nb_front_ring *ring = &scribbler->front->rings[number];
	volatile struct vring_avail *avail = ring->avail;
	uint32_t at = below(scribbler, ENTRIES);
	struct vring_desc desc;

	switch (below(scribbler, 3)) {
	case 0:
		desc = any_desc(scribbler, number);
		write_split(&ring->desc[at], &desc);
		break;
	case 1:
		avail->ring[at] = one_in(scribbler, 500) ? below(scribbler, 0x10000) : at;
		break;
	case 2:
		avail->flags = below(scribbler, 2);
		avail->ring[ENTRIES] = below(scribbler, 0x10000);	/* used_event */
		break;
	}
}

static void scribble_packed(struct scribbler *scribbler, unsigned int number)
{
	struct nb_front_ring *ring = &scribbler->front->rings[number];
	volatile struct vring_packed_desc_event *driver = ring->driver;
	uint32_t at = below(scribbler, ENTRIES);
	struct vring_desc desc;

	if (one_in(scribbler, 4)) {
		driver->off_wrap = below(scribbler, 0x10000);
		driver->flags = below(scribbler, 4);
		return;
	}
	desc = any_desc(scribbler, number);
	write_packed(scribbler, &ring->packed[at], &desc, at);
}

static void *scribble(void *arg)
{
	struct scribbler *scribbler = arg;
	unsigned int ring;

	while (!__atomic_load_n(&scribbler->end, __ATOMIC_ACQUIRE)) {
		ring = below(scribbler, 2);
		if (one_in(scribbler, 8))
			scribble_inflight(scribbler);
		else if (one_in(scribbler, 4))
			scribble_table(scribbler, ring);
		else if (scribbler->front->packed)
			scribble_packed(scribbler, ring);
		else
			scribble_split(scribbler, ring);
	}
	return NULL;
}

/* ---- who serves it ------------------------------------------------------- */

/* Moves a split ring's index on as far as it may be, or, at the end of a round, anywhere. */
static void make_available(struct nb_front *front, unsigned int number, bool end)
{
	struct nb_front_ring *ring = &front->rings[number];
	uint16_t used = __atomic_load_n(&ring->used->idx, __ATOMIC_RELAXED);
	uint16_t index = ring->avail->idx;

	if (front->packed)
		return;
	if (end)
		index += ENTRIES + 1;
	else if ((uint16_t)(index - used) < ENTRIES / 2)
		index += 16;
	__atomic_store_n(&ring->avail->idx, index, __ATOMIC_RELEASE);
}

/* One that was broken is used again, from where the guest is; nothing is on its way. */
static void set_up_again(struct nb_front *front)
{
	unsigned int number;

	for (number = 0; number < 2; number++) {
		struct nb_front_ring *ring = &front->rings[number];

		nb_front_stop(front, number);
		if (!front->packed)
			ring->used->idx = ring->avail->idx;
		nb_front_set_ring(front, number, front->packed ? nb_front_base(front) :
								 ring->avail->idx);
	}
}

/* So many times the guest was told that something has come back to it. */
static uint64_t count_calls(struct nb_front *front)
{
	eventfd_t calls;
	uint64_t sum = 0;
	unsigned int ring;

	for (ring = 0; ring < 2; ring++) {
		if (!eventfd_read(front->rings[ring].call_fd, &calls))
			sum += calls;
	}
	return sum;
}

/* The guest goes on while its rings are set up again and again; how often it was told. */
static uint64_t serve(struct __test_metadata *_metadata, FIXTURE_DATA(vhost) *self)
{
	struct nb_front *front = &self->front;
	unsigned int round, i, ring;
	uint64_t calls = 0;

	for (round = 0; round < ROUNDS; round++) {
		set_up_again(front);
		for (i = 0; i < LOOKS; i++) {
			for (ring = 0; ring < 2; ring++) {
				make_available(front, ring, i == LOOKS - 1);
				nb_front_kick(front, ring);
			}
			usleep(200);
		}
		ASSERT_TRUE(round % 4 || nb_front_works(&self->bystander))
			TH_LOG("round %u", round);
		calls += count_calls(front);
	}
	return calls;
}

static void set_inflight(struct nb_front *front)
{
	const struct vu_inflight region = { INFLIGHT_SIZE, INFLIGHT, 2, ENTRIES };

	nb_front_send(front, VU_SET_INFLIGHT_FD, &region, sizeof(region), &front->memfd, 1);
}

TEST_F_TIMEOUT(vhost, rings_tables_and_regions_that_change_under_way_harm_nobody, 600)
{
	static const struct {
		uint64_t features;
		bool region;
	} cases[] = {
		{ 0, false }, { EVENT_IDX, false }, { 0, true }, { LARGE, true },
		{ LARGE | EVENT_IDX, false },
	};
	struct scribbler scribbler = { .front = &self->front };
	uint64_t calls = 0;
	pthread_t thread;
	unsigned int i;

	nb_random_start(&scribbler.random);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		reopen(self, TABLES | cases[i].features);
		if (cases[i].region)
			set_inflight(&self->front);
		scribbler.end = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &scribbler));
		calls += serve(_metadata, self);
		__atomic_store_n(&scribbler.end, true, __ATOMIC_RELEASE);
		pthread_join(thread, NULL);
		EXPECT_TRUE(nb_vhost_runs(self->server));
	}
	/* it was served, and not only refused */
	TH_LOG("told %llu times", (unsigned long long)calls);
	EXPECT_LT(20, calls);
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

TEST_HARNESS_MAIN
