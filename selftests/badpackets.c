// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors that are wrong, for each kind: they end with the status that the header
 * promises, the packets before and behind them are unharmed, and so are others.
 */
#include <string.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

#define ENTRIES		4096u
#define LEN		200u
#define BEFORE		1000u	/* ids of the good packets around a bad one */
#define BEHIND		2000u

FIXTURE(badpackets)
{
	struct nb_guest guest;
	struct nb_nic nic;	/* without queues of its own */
	struct nb_nic other;	/* somebody else */
	struct nb_raw raw;
	uint32_t arrivals;	/* good packets that must have arrived */
};

FIXTURE_VARIANT(badpackets)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(badpackets, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(badpackets, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(badpackets, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(badpackets, netdev) { .kind = &nb_test_netdev };

FIXTURE_SETUP(badpackets)
{
	struct nb_endpoint_info info;

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->other, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->other, 1, 0);
	self->other.bufs.n = 64;
	self->other.bufs.gpa = NB_RX_GPA + NB_RX_SIZE / 2;
	nb_bufs_post_all(&self->other.bufs, self->other.queue);

	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_raw_open(&self->raw, self->nic.ep, self->guest.mem, ENTRIES);
	if (variant->kind->sent != NB_COMES_TO_HOST)
		return;
	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	nb_host_open(&self->nic.host, info.ifindex);
}

FIXTURE_TEARDOWN(badpackets)
{
	EXPECT_TRUE(nb_nic_works(&self->other));
	EXPECT_EQ(NB_QUEUE_RUNNING, nb_raw_state(&self->raw));
	nb_raw_close(&self->raw);
	nb_nic_close(&self->nic);
	nb_nic_close(&self->other);
	nb_guest_close(&self->guest);
}

static struct nb_tx_segment good(struct nb_guest *guest, uint32_t id)
{
	return nb_tx_packet(nb_frame_put(guest, id % 60, LEN, id), LEN, id);
}

/* A tail of a packet in the transmit region. */
static struct nb_tx_segment tail(uint32_t len)
{
	return (struct nb_tx_segment){ .gpa = NB_TX_GPA + 61 * NB_PAGE, .len = len };
}

static struct nb_tx_segment head(uint32_t len, unsigned int segments, uint32_t packet_len)
{
	struct nb_tx_segment segment = nb_tx_packet(NB_TX_GPA + 61 * NB_PAGE, len, 1);

	segment.segment_count = segments;
	segment.packet_len = packet_len;
	return segment;
}

static void post_buffer(FIXTURE_DATA(badpackets) *self, uint32_t id)
{
	struct nb_rx_segment buffer = {
		.gpa = NB_RX_GPA + id % 32 * NB_BUF_SIZE,
		.len = NB_BUF_SIZE,
		.id = id,
	};

	nb_raw_rx(&self->raw, &buffer, 1);
}

/* Whether the good packet with that id is the next to arrive. */
static bool arrives(FIXTURE_DATA(badpackets) *self, uint32_t id)
{
	unsigned char frame[LEN], got[NB_BUF_SIZE];
	struct nb_rx_metadata meta;

	nb_frame_fill(frame, LEN, id);
	switch (self->nic.kind->sent) {
	case NB_COMES_TO_HOST:
		return nb_host_receive(&self->nic.host, got, sizeof(got), NULL) == LEN &&
		       !memcmp(frame, got, LEN);
	case NB_COMES_BACK:
		return nb_raw_rx_done(&self->raw, &meta) && meta.len == LEN &&
		       !memcmp(frame, nb_guest_ptr(&self->guest, NB_RX_GPA + meta.id % 32 *
						   NB_BUF_SIZE, LEN), LEN);
	case NB_COMES_NOWHERE:
		break;
	}
	return true;
}

static uint64_t tx_errors(struct nb_raw *raw)
{
	struct nb_queue_stats stats = { .size = sizeof(stats) };

	if (nb_raw_call(raw->fd, NB_QUEUE_GET_STATS, &stats))
		nb_die("no counters: %s", nb_raw_message);
	return stats.tx_errors;
}

static bool completes(struct nb_raw *raw, uint32_t id, uint32_t status)
{
	struct nb_tx_completion done;

	if (!nb_raw_tx_done(raw, &done)) {
		fprintf(stderr, "# transmit %u was not completed\n", id);
		return false;
	}
	if (done.id == id && done.status == status)
		return true;
	fprintf(stderr, "# transmit %u ended as %u with status %u instead of %u\n", id, done.id,
		done.status, status);
	return false;
}

/*
 * Whether these segments give n_bad completions with their ids and that status: between
 * two good packets, and on their own.
 */
static bool ends_with(FIXTURE_DATA(badpackets) *self, const struct nb_tx_segment *segments,
		      unsigned int n, const uint32_t *ids, unsigned int n_bad, uint32_t status)
{
	struct nb_tx_segment before = good(&self->guest, BEFORE);
	struct nb_tx_segment behind = good(&self->guest, BEHIND);
	uint64_t errors = tx_errors(&self->raw);
	struct nb_raw *raw = &self->raw;
	struct nb_tx_completion done;
	unsigned int round, i;
	bool right = true;

	for (round = 0; round < 2; round++) {
		post_buffer(self, BEFORE);
		post_buffer(self, BEHIND);
		nb_raw_tx(raw, &before, 1);
		if (round)
			right &= !nb_raw_enter(raw, NB_ENTER_TX, NULL);
		nb_raw_tx(raw, segments, n);
		if (round)
			right &= !nb_raw_enter(raw, NB_ENTER_TX, NULL);
		nb_raw_tx(raw, &behind, 1);
		right &= !nb_raw_enter(raw, NB_ENTER_TX, NULL);

		right &= completes(raw, BEFORE, NB_TX_OK);
		for (i = 0; i < n_bad; i++)
			right &= completes(raw, ids[i], status);
		right &= completes(raw, BEHIND, NB_TX_OK);
		right &= !nb_raw_tx_done(raw, &done);
		right &= arrives(self, BEFORE) && arrives(self, BEHIND);
	}
	return right && tx_errors(raw) == errors + 2 * n_bad;
}

/* One malformed packet, whose head has id 1. */
static bool is_one_bad_packet(FIXTURE_DATA(badpackets) *self,
			      const struct nb_tx_segment *segments, unsigned int n,
			      uint32_t status)
{
	static const uint32_t id = 1;

	return ends_with(self, segments, n, &id, 1, status);
}

/* ---- lengths ------------------------------------------------------------- */

TEST_F(badpackets, a_segment_of_no_bytes_is_invalid)
{
	struct nb_tx_segment single = head(0, 1, 0);
	struct nb_tx_segment empty_tail[] = { head(100, 3, 200), tail(0), tail(100) };
	struct nb_tx_segment empty_head[] = { head(0, 2, 100), tail(100) };

	EXPECT_TRUE(is_one_bad_packet(self, &single, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, empty_tail, 3, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, empty_head, 2, NB_TX_INVALID));
}

/* Sizes that overflow, of segments. */
TEST_F(badpackets, a_total_that_is_not_the_sum_is_invalid)
{
	struct nb_tx_segment more = head(100, 1, 101), less = head(100, 1, 99);
	struct nb_tx_segment two[] = { head(100, 2, 201), tail(100) };
	/* The sum is 200 in 32 bits. */
	struct nb_tx_segment wrap[] = { head(100, 3, 200), tail(0x80000000), tail(0x80000064) };

	EXPECT_TRUE(is_one_bad_packet(self, &more, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, &less, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, two, 2, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, wrap, 3, NB_TX_INVALID));
}

/*
 * A short frame. CVE-2024-41090 and -41091: tap and tun looked at headers that were not there. What
 * they did with such frames later is in classes.c.
 */
TEST_F(badpackets, a_packet_too_short_or_too_long_is_invalid)
{
	struct nb_tx_segment zero = head(0, 1, 0), shortest = head(13, 1, 13);
	struct nb_tx_segment longest = head(NB_MAX_PACKET_LEN + 1, 1, NB_MAX_PACKET_LEN + 1);
	struct nb_tx_segment huge = head(0xffffffff, 1, 0xffffffff);

	EXPECT_TRUE(is_one_bad_packet(self, &zero, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, &shortest, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, &longest, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, &huge, 1, NB_TX_INVALID));
}

/* ---- counts, heads and tails --------------------------------------------- */

TEST_F(badpackets, a_wrong_number_of_segments_is_invalid)
{
	struct nb_tx_segment none = head(100, 0, 100), many[NB_MAX_SEGMENTS + 1];
	struct nb_tx_segment missing[] = { head(100, 3, 300), tail(100) };
	unsigned int i;

	many[0] = head(10, NB_MAX_SEGMENTS + 1, (NB_MAX_SEGMENTS + 1) * 10);
	for (i = 1; i <= NB_MAX_SEGMENTS; i++)
		many[i] = tail(10);
	EXPECT_TRUE(is_one_bad_packet(self, &none, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, many, NB_MAX_SEGMENTS + 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, missing, 2, NB_TX_INVALID));
	many[0].segment_count = 255;
	EXPECT_TRUE(is_one_bad_packet(self, many, NB_MAX_SEGMENTS + 1, NB_TX_INVALID));
}

TEST_F(badpackets, more_segments_than_were_posted_are_invalid)
{
	struct nb_tx_segment segments[] = { head(100, 3, 300), tail(100), tail(100) };
	struct nb_tx_segment behind = good(&self->guest, BEHIND);
	struct nb_raw *raw = &self->raw;

	post_buffer(self, BEHIND);
	nb_raw_tx(raw, segments, 2);
	EXPECT_EQ(0, nb_raw_enter(raw, NB_ENTER_TX, NULL));
	EXPECT_TRUE(completes(raw, 1, NB_TX_INVALID));

	/* What comes too late belongs to nobody. */
	segments[2].id = 77;
	nb_raw_tx(raw, segments + 2, 1);
	nb_raw_tx(raw, &behind, 1);
	EXPECT_EQ(0, nb_raw_enter(raw, NB_ENTER_TX, NULL));
	EXPECT_TRUE(completes(raw, 77, NB_TX_INVALID));
	EXPECT_TRUE(completes(raw, BEHIND, NB_TX_OK));
	EXPECT_TRUE(arrives(self, BEHIND));
}

TEST_F(badpackets, tails_without_a_head_are_invalid)
{
	static const uint32_t ids[] = { 11, 12, 13 };
	struct nb_tx_segment tails[] = { tail(100), tail(100), tail(0) };
	unsigned int i;

	for (i = 0; i < 3; i++)
		tails[i].id = ids[i];
	EXPECT_TRUE(ends_with(self, tails, 3, ids, 3, NB_TX_INVALID));
}

TEST_F(badpackets, a_head_among_the_tails_ends_the_packet)
{
	struct nb_tx_segment segments[] = {
		head(100, 3, 300), tail(100), good(&self->guest, 500), tail(100),
	};
	struct nb_raw *raw = &self->raw;

	segments[3].id = 13;
	post_buffer(self, 500);
	nb_raw_tx(raw, segments, 4);
	EXPECT_EQ(0, nb_raw_enter(raw, NB_ENTER_TX, NULL));
	EXPECT_TRUE(completes(raw, 1, NB_TX_INVALID));
	EXPECT_TRUE(completes(raw, 500, NB_TX_OK));
	EXPECT_TRUE(completes(raw, 13, NB_TX_INVALID));
	EXPECT_TRUE(arrives(self, 500));
}

TEST_F(badpackets, a_malformed_packet_has_one_completion_however_long_it_is)
{
	static struct nb_tx_segment segments[3000];
	unsigned int i;

	segments[0] = head(100, 2, 999);
	for (i = 1; i < ARRAY_LEN(segments); i++) {
		segments[i] = tail(100);
		segments[i].id = i;
	}
	EXPECT_TRUE(is_one_bad_packet(self, segments, ARRAY_LEN(segments), NB_TX_INVALID));
	segments[0].segment_count = 0;
	EXPECT_TRUE(is_one_bad_packet(self, segments, ARRAY_LEN(segments), NB_TX_INVALID));
}

TEST_F(badpackets, unknown_flags_and_reserved_fields_are_invalid)
{
	struct nb_tx_segment flag = head(100, 1, 100), reserved = flag;
	struct nb_tx_segment on_tail[] = { head(100, 2, 200), tail(100) };

	flag.flags |= 1u << 15;
	reserved.reserved = 1;
	on_tail[1].flags = NB_TX_VLAN;
	EXPECT_TRUE(is_one_bad_packet(self, &flag, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, &reserved, 1, NB_TX_INVALID));
	EXPECT_TRUE(is_one_bad_packet(self, on_tail, 2, NB_TX_INVALID));
}

/* ---- addresses ----------------------------------------------------------- */

TEST_F(badpackets, a_segment_outside_every_region_faults)
{
	static const uint64_t gpas[] = {
		NB_GAP_GPA, NB_MORE_GPA, 1ull << 63, -100ull, -99ull, -1ull,
		NB_TX_GPA + NB_TX_SIZE,
	};
	struct nb_tx_segment single = head(100, 1, 100);
	struct nb_tx_segment tails[] = { head(100, 2, 200), tail(100) };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(gpas); i++) {
		single.gpa = gpas[i];
		tails[1].gpa = gpas[i];
		EXPECT_TRUE(is_one_bad_packet(self, &single, 1, NB_TX_FAULT));
		EXPECT_TRUE(is_one_bad_packet(self, tails, 2, NB_TX_FAULT));
	}
}

TEST_F(badpackets, a_segment_across_a_gap_faults)
{
	struct nb_tx_segment into = head(100, 1, 100), out = into, over = into;

	into.gpa = NB_GAP_GPA - 99;
	out.gpa = NB_TX_GPA - 1;
	over.gpa = NB_GAP_GPA - 100;
	over.len = NB_PAGE + 200;
	over.packet_len = over.len;
	EXPECT_TRUE(is_one_bad_packet(self, &into, 1, NB_TX_FAULT));
	EXPECT_TRUE(is_one_bad_packet(self, &out, 1, NB_TX_FAULT));
	EXPECT_TRUE(is_one_bad_packet(self, &over, 1, NB_TX_FAULT));
}

TEST_F(badpackets, a_segment_across_two_regions_faults)
{
	struct nb_tx_segment across = head(100, 1, 100);

	nb_ok(nb_memory_add(self->guest.mem, NB_GAP_GPA, nb_test_pages(NB_PAGE), NB_PAGE, 0));
	across.gpa = NB_TX_GPA - 50;
	EXPECT_TRUE(is_one_bad_packet(self, &across, 1, NB_TX_FAULT));
}

/* ---- receive buffers ----------------------------------------------------- */

static uint64_t rx_errors(struct nb_raw *raw, uint64_t *too_small)
{
	struct nb_queue_stats stats = { .size = sizeof(stats) };

	if (nb_raw_call(raw->fd, NB_QUEUE_GET_STATS, &stats))
		nb_die("no counters: %s", nb_raw_message);
	*too_small = stats.rx_too_small;
	return stats.rx_errors;
}

/* Lets a packet be received, if the kind can. */
static void provoke_receive(FIXTURE_DATA(badpackets) *self, uint32_t id)
{
	struct nb_tx_segment packet = good(&self->guest, id);
	struct nb_tx_completion done;
	unsigned char frame[LEN];

	if (self->nic.kind->sent == NB_COMES_TO_HOST) {
		nb_frame_fill(frame, LEN, id);
		nb_host_send(&self->nic.host, frame, LEN);
		return;
	}
	nb_raw_tx(&self->raw, &packet, 1);
	if (nb_raw_enter(&self->raw, NB_ENTER_TX, NULL) || !nb_raw_tx_done(&self->raw, &done))
		nb_die("a transmit was not completed");
}

/* Whether a bad buffer comes back with that status, and the packet in the next one. */
static bool buffer_ends_with(FIXTURE_DATA(badpackets) *self,
			     const struct nb_rx_segment *segments, unsigned int n,
			     uint8_t status)
{
	struct nb_rx_metadata bad = { .id = ~0u }, next = { .id = ~0u };
	uint64_t errors, small;
	unsigned char frame[LEN];

	if (self->nic.kind->sent == NB_COMES_NOWHERE)
		return true;
	errors = rx_errors(&self->raw, &small);
	nb_raw_rx(&self->raw, segments, n);
	post_buffer(self, 5);
	nb_raw_enter(&self->raw, NB_ENTER_RX, NULL);
	provoke_receive(self, 42);
	nb_raw_wait(&self->raw, NB_ENTER_WAIT_RX, NB_PATIENCE);
	nb_frame_fill(frame, LEN, 42);
	if (nb_raw_rx_done(&self->raw, &bad) && nb_raw_rx_done(&self->raw, &next) &&
	    bad.id == segments[0].id && bad.status == status && !bad.len && next.id == 5 &&
	    next.len == LEN && next.status == NB_RX_OK &&
	    !memcmp(nb_guest_ptr(&self->guest, 5 * NB_BUF_SIZE, LEN), frame, LEN) &&
	    rx_errors(&self->raw, &small) == errors + 1)
		return true;
	fprintf(stderr, "# buffer %u came with status %u, %u with %u\n", bad.id, bad.status,
		next.id, next.status);
	return false;
}

TEST_F(badpackets, buffers_outside_of_memory_come_back_with_a_fault)
{
	struct nb_rx_segment gap = { .gpa = NB_GAP_GPA - 99, .len = NB_BUF_SIZE, .id = 9 };
	struct nb_rx_segment nowhere = { .gpa = -1ull, .len = NB_BUF_SIZE, .id = 8 };
	struct nb_rx_segment read_only = { .gpa = NB_MORE_GPA, .len = NB_BUF_SIZE, .id = 7 };
	struct nb_rx_segment second[] = {
		{ .gpa = NB_RX_GPA, .len = NB_BUF_SIZE | NB_RX_MORE, .id = 6 },
		{ .gpa = NB_GAP_GPA, .len = NB_BUF_SIZE, .id = 6 },
	};

	nb_ok(nb_memory_add(self->guest.mem, NB_MORE_GPA, nb_test_pages(NB_PAGE), NB_PAGE,
			    NB_REGION_READ_ONLY));
	EXPECT_TRUE(buffer_ends_with(self, &gap, 1, NB_RX_FAULT));
	EXPECT_TRUE(buffer_ends_with(self, &nowhere, 1, NB_RX_FAULT));
	EXPECT_TRUE(buffer_ends_with(self, &read_only, 1, NB_RX_FAULT));
	EXPECT_TRUE(buffer_ends_with(self, second, 2, NB_RX_FAULT));
}

TEST_F(badpackets, malformed_buffers_come_back_as_invalid)
{
	struct nb_rx_segment empty = { .gpa = NB_RX_GPA, .len = 0, .id = 9 };
	struct nb_rx_segment empty_end[] = {
		{ .gpa = NB_RX_GPA, .len = NB_BUF_SIZE | NB_RX_MORE, .id = 8 },
		{ .gpa = NB_RX_GPA, .len = 0, .id = 8 },
	};
	struct nb_rx_segment many[NB_MAX_SEGMENTS + 1];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct nb_rx_segment){ .gpa = NB_RX_GPA, .len = 100 | NB_RX_MORE,
						  .id = 7 };
	many[NB_MAX_SEGMENTS].len = 100;
	EXPECT_TRUE(buffer_ends_with(self, &empty, 1, NB_RX_INVALID));
	EXPECT_TRUE(buffer_ends_with(self, empty_end, 2, NB_RX_INVALID));
	EXPECT_TRUE(buffer_ends_with(self, many, ARRAY_LEN(many), NB_RX_INVALID));
}

TEST_F(badpackets, a_buffer_whose_rest_was_not_posted_is_invalid)
{
	struct nb_rx_segment open = { .gpa = NB_RX_GPA, .len = NB_BUF_SIZE | NB_RX_MORE,
				      .id = 9 };
	struct nb_rx_metadata meta;

	if (variant->kind->sent == NB_COMES_NOWHERE)
		return;
	nb_raw_rx(&self->raw, &open, 1);
	EXPECT_EQ(0, nb_raw_enter(&self->raw, NB_ENTER_RX, NULL));
	if (variant->kind->sent == NB_COMES_TO_HOST) {
		provoke_receive(self, 42);
	} else {
		struct nb_tx_segment packet = good(&self->guest, 42);

		nb_raw_tx(&self->raw, &packet, 1);
		EXPECT_EQ(0, nb_raw_enter(&self->raw, NB_ENTER_TX, NULL));
	}
	EXPECT_EQ(0, nb_raw_wait(&self->raw, NB_ENTER_WAIT_RX, NB_PATIENCE));
	ASSERT_TRUE(nb_raw_rx_done(&self->raw, &meta));
	EXPECT_EQ(9, meta.id);
	EXPECT_EQ(NB_RX_INVALID, meta.status);

	/* The packet still waits for a buffer that can take it. */
	post_buffer(self, 5);
	EXPECT_EQ(0, nb_raw_enter(&self->raw, NB_ENTER_RX, NULL));
	EXPECT_EQ(0, nb_raw_wait(&self->raw, NB_ENTER_WAIT_RX, NB_PATIENCE));
	ASSERT_TRUE(nb_raw_rx_done(&self->raw, &meta));
	EXPECT_EQ(5, meta.id);
	EXPECT_EQ(LEN, meta.len);
}

TEST_F(badpackets, a_packet_too_long_for_its_buffer_is_dropped_and_counted)
{
	struct nb_rx_segment small = { .gpa = NB_RX_GPA, .len = LEN - 1, .id = 3 };
	struct nb_rx_segment enough = { .gpa = NB_RX_GPA + NB_PAGE, .len = LEN, .id = 4 };
	struct nb_rx_metadata meta;
	uint64_t too_small;

	if (variant->kind->sent == NB_COMES_NOWHERE)
		return;
	nb_raw_rx(&self->raw, &small, 1);
	EXPECT_EQ(0, nb_raw_enter(&self->raw, NB_ENTER_RX, NULL));
	provoke_receive(self, 1);
	provoke_receive(self, 2);
	EXPECT_EQ(-ETIME, nb_raw_wait(&self->raw, NB_ENTER_WAIT_RX, 20));
	EXPECT_EQ(0, rx_errors(&self->raw, &too_small));
	EXPECT_EQ(2, too_small);
	EXPECT_FALSE(nb_raw_rx_done(&self->raw, &meta));

	/* The buffer stays, for a packet that fits. */
	nb_raw_rx(&self->raw, &enough, 1);
	if (variant->kind->sent == NB_COMES_TO_HOST) {
		unsigned char frame[100];

		nb_frame_fill(frame, sizeof(frame), 3);
		nb_host_send(&self->nic.host, frame, sizeof(frame));
	} else {
		struct nb_tx_segment packet = good(&self->guest, 3);

		packet.len = 100;
		packet.packet_len = 100;
		nb_raw_tx(&self->raw, &packet, 1);
		EXPECT_EQ(0, nb_raw_enter(&self->raw, NB_ENTER_TX, NULL));
	}
	provoke_receive(self, 4);
	ASSERT_TRUE(nb_until(nb_raw_rx_done(&self->raw, &meta)));
	EXPECT_EQ(3, meta.id);
	EXPECT_EQ(100, meta.len);
	ASSERT_TRUE(nb_until(nb_raw_rx_done(&self->raw, &meta)));
	EXPECT_EQ(4, meta.id);
	EXPECT_EQ(LEN, meta.len);
}

TEST_HARNESS_MAIN
