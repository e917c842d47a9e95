// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's driver that does not make receive buffers available again as soon as it has them
 * back, but when it has more than so many, as Linux's does: nbvhost never waits for those.
 * See vhost.h.
 */
#include "vhost.h"

#define WRAP		(1u << VRING_PACKED_EVENT_F_WRAP_CTR)
/* packets that are on their way at once, each in a place of its own */
#define BURST		4
#define LONGEST		61440u
#define PLACE		(LONGEST + 64)

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };
FIXTURE_VARIANT_ADD(vhost, split_with_event_indices) { .layout = SPLIT | EVENT_IDX };
FIXTURE_VARIANT_ADD(vhost, packed_with_event_indices) { .layout = PACKED | EVENT_IDX };

struct guest {
	struct nb_front *front;
	uint16_t kept[NB_FRONT_ENTRIES];
	unsigned int n_kept;
	unsigned int keeps;	/* at most so many */
	uint32_t buf_size;
};

/* ---- the driver ---------------------------------------------------------- */

static bool packed_wants_kick(const struct nb_front *front, const struct nb_front_ring *ring,
			      unsigned int n)
{
	uint32_t event = __atomic_load_n((uint32_t *)ring->device, __ATOMIC_RELAXED);
	uint16_t flags = event >> 16, at = event & (WRAP - 1);

	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	if (!(event & WRAP) == ring->wrap)
		at -= front->entries;
	return vring_need_event(at, ring->next, ring->next - n);
}

static bool split_wants_kick(const struct nb_front *front, const struct nb_front_ring *ring,
			     unsigned int n)
{
	const uint16_t *event = (uint16_t *)&ring->used->ring[front->entries];
	uint16_t next = ring->avail->idx;

	if (front->features & EVENT_IDX)
		return vring_need_event(__atomic_load_n(event, __ATOMIC_RELAXED), next, next - n);
	return !(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

/* Makes all that are kept available, and kicks only if that is asked for. */
static void refill(struct guest *guest)
{
	struct nb_front *front = guest->front;
	const struct nb_front_ring *ring = &front->rings[RX];
	unsigned int i, n = guest->n_kept;

	for (i = 0; i < n; i++) {
		uint16_t id = guest->kept[i];
		const struct vring_desc buffer = {
			.addr = GPA(NB_FRONT_RX + id * NB_FRONT_BUF_SIZE),
			.len = guest->buf_size,
			.flags = WRITE,
		};

		nb_front_chain(front, RX, id, &buffer, 1);
	}
	guest->n_kept = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (front->packed ? packed_wants_kick(front, ring, n) : split_wants_kick(front, ring, n))
		nb_front_kick(front, RX);
}

static void start(struct guest *guest, struct nb_front *front, unsigned int keeps)
{
	*guest = (struct guest){
		.front = front,
		.keeps = keeps,
		.buf_size = NB_FRONT_BUF_SIZE,
	};
	for (; guest->n_kept < NB_FRONT_ENTRIES; guest->n_kept++)
		guest->kept[guest->n_kept] = guest->n_kept;
	refill(guest);
}

static void send(struct guest *guest, unsigned int i, const uint8_t *frame, uint32_t len)
{
	const uint32_t place = NB_FRONT_TX + i * PLACE;
	const struct vring_desc packet = { GPA(place), HEADER + len };

	memset(guest->front->ram + place, 0, HEADER);
	memcpy(guest->front->ram + place + HEADER, frame, len);
	nb_front_chain(guest->front, TX, i, &packet, 1);
	nb_front_kick(guest->front, TX);
}

/* Waits for a packet; its length, or 0. */
static uint32_t receive(struct guest *guest, uint8_t *frame)
{
	const struct nb_front *front = guest->front;
	const struct virtio_net_hdr_v1 *header = NULL;
	uint32_t id, used, len = 0, skip;
	unsigned int i = 0;

	do {
		const uint8_t *buffer;

		if (!nb_front_used(guest->front, RX, &id, &used) ||
		    id >= NB_FRONT_ENTRIES || len + used > PLACE)
			return 0;
		buffer = front->ram + NB_FRONT_RX + id * NB_FRONT_BUF_SIZE;
		if (!header)
			header = (const void *)buffer;
		skip = i ? 0 : HEADER;
		memcpy(frame + len, buffer + skip, used - skip);
		len += used - skip;
		guest->kept[guest->n_kept++] = id;
	} while (++i < header->num_buffers);
	if (guest->n_kept > guest->keeps)
		refill(guest);
	return len;
}

static void expect_sent(struct __test_metadata *_metadata, struct guest *guest, unsigned int n)
{
	uint32_t id, used;

	for (; n; n--)
		ASSERT_TRUE(nb_front_used(guest->front, TX, &id, &used));
}

/* ---- the tests ----------------------------------------------------------- */

/* Packets of these lengths, which are sent at once, come back as they were. */
static void expect_burst(struct __test_metadata *_metadata, struct guest *guest,
			 const uint32_t *lens, unsigned int n)
{
	static uint8_t sent[LONGEST], got[PLACE];
	unsigned int i;

	for (i = 0; i < n; i++) {
		nb_frame_fill(sent, lens[i], i);
		send(guest, i, sent, lens[i]);
	}
	for (i = 0; i < n; i++) {
		ASSERT_EQ(lens[i], receive(guest, got))
			TH_LOG("packet %u, the guest has kept %u", i, guest->n_kept);
		nb_frame_fill(sent, lens[i], i);
		ASSERT_EQ(0, memcmp(sent, got, lens[i]));
	}
	expect_sent(_metadata, guest, n);
}

static void expect_bursts(struct __test_metadata *_metadata, struct guest *guest, uint32_t len,
			  unsigned int packets)
{
	const uint32_t lens[BURST] = { len, len, len, len };
	unsigned int i;

	for (i = 0; i < packets / BURST; i++)
		expect_burst(_metadata, guest, lens, BURST);
}

/*
 * First so many that it is guessed that all take as many buffers; one when it has been seen
 * that there are new buffers; then longer ones.  With 8 buffers a packet, a guest that keeps 32
 * has kept as many after the first of these.
 */
static void expect_long_ones(struct __test_metadata *_metadata, struct guest *guest,
			     unsigned int buffers)
{
	static const uint32_t one = 60, lens[BURST] = {
		31 * NB_FRONT_BUF_SIZE - HEADER, LONGEST, 60, LONGEST,
	};
	unsigned int i;

	expect_bursts(_metadata, guest, buffers * NB_FRONT_BUF_SIZE - HEADER, 160);
	expect_burst(_metadata, guest, &one, 1);
	for (i = 0; i < 4; i++)
		expect_burst(_metadata, guest, lens, BURST);
}

TEST_F(vhost, long_packets_come_though_the_guest_keeps_half_of_the_ring)
{
	static const unsigned int keeps[] = { 0, 32, NB_FRONT_ENTRIES / 2 };
	static const unsigned int buffers[] = { 1, 8, 14, 20 };
	struct guest guest;
	unsigned int i, j;

	for (i = 0; i < ARRAY_LEN(keeps); i++) {
		for (j = 0; j < ARRAY_LEN(buffers); j++) {
			nb_front_close(&self->front);
			nb_front_open(&self->front, PATH, self->layout | LARGE);
			start(&guest, &self->front, keeps[i]);
			expect_long_ones(_metadata, &guest, buffers[j]);
		}
	}
}

/*
 * Of those that were kept back there are enough for long packets no more: what does not fit
 * is lost, and what comes next is not.
 */
TEST_F(vhost, a_guest_whose_buffers_become_short_loses_long_packets_only)
{
	static uint8_t frame[LONGEST], got[PLACE];
	unsigned int i, n_long = 0;
	struct guest guest;
	uint32_t len;

	nb_front_open(&self->front, PATH, self->layout | LARGE);
	start(&guest, &self->front, NB_FRONT_ENTRIES / 2);
	expect_bursts(_metadata, &guest, 60, 128);
	guest.buf_size = 48;
	for (i = 0; i < 10; i++) {
		nb_frame_fill(frame, sizeof(frame), i);
		send(&guest, 0, frame, LONGEST);
		send(&guest, 1, frame, 60);
		len = receive(&guest, got);
		if (len == LONGEST) {
			n_long++;
			len = receive(&guest, got);
		}
		ASSERT_EQ(60, len);
		expect_sent(_metadata, &guest, 2);
	}
	EXPECT_LT(0, n_long);
	EXPECT_GT(10, n_long);
	expect_bursts(_metadata, &guest, 60, 2 * NB_FRONT_ENTRIES);
}

TEST_HARNESS_MAIN
