// SPDX-License-Identifier: GPL-2.0
/*
 * Most packets and buffers are one segment with nothing wrong, and the kernel takes many
 * of those in one go.  Whatever stands among them, wherever, and wherever a ring wraps:
 * each packet gets what it gets by itself, in order.
 */
#include <string.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

#define ENTRIES		256u
#define ROUNDS		200u
#define PACKETS		64u	/* at most, of a round; in pieces, more than a batch */
#define SEGMENTS	3u	/* at most, of a packet */
#define MIN_LEN		60u
#define MAX_LEN		1500u
#define SLOT		(2 * NB_PAGE)	/* of guest memory, for each packet and buffer */
#define TX_GPA		NB_MORE_GPA
#define RX_GPA		(TX_GPA + PACKETS * SLOT)
#define VLAN		0x2123

enum shape {
	WHOLE, WHOLE_TOO, ACROSS_PAGES, TAGGED, SPLIT, NO_MEMORY, NOT_THE_SUM, RESERVED, N_SHAPES,
};

struct packet {
	unsigned char frame[MAX_LEN];
	uint32_t id, len, status;
	enum shape shape;
	struct nb_tx_segment segment[SEGMENTS];
	unsigned int n_segments;
};

FIXTURE(mixed)
{
	struct nb_guest guest;
	struct nb_nic nic;	/* without queues of its own */
	struct nb_raw raw;
	struct nb_random random;
	struct packet packet[PACKETS];
	unsigned int n;
	struct nb_rx_segment buffer[PACKETS][2];
	struct nb_queue_stats expected;
};

FIXTURE_VARIANT(mixed)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(mixed, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(mixed, loopback) { .kind = &nb_test_loopback };

FIXTURE_SETUP(mixed)
{
	nb_host_new_netns();
	nb_random_start(&self->random);
	nb_guest_open(&self->guest, 2 * PACKETS * SLOT);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_raw_open(&self->raw, self->nic.ep, self->guest.mem, ENTRIES);
}

FIXTURE_TEARDOWN(mixed)
{
	EXPECT_EQ(NB_QUEUE_RUNNING, nb_raw_state(&self->raw));
	nb_raw_close(&self->raw);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static void make_packet(FIXTURE_DATA(mixed) *self, unsigned int i, enum shape shape)
{
	uint64_t gpa = TX_GPA + i * SLOT + (shape == ACROSS_PAGES ? NB_PAGE - MIN_LEN / 2 : 0);
	struct packet *packet = &self->packet[i];
	struct nb_tx_segment *head = packet->segment;

	packet->shape = shape;
	packet->id = nb_random_below(&self->random, 1u << 31);
	packet->len = MIN_LEN + nb_random_below(&self->random, MAX_LEN - MIN_LEN);
	packet->n_segments = shape == SPLIT ? 2 + nb_random_below(&self->random, 2) : 1;
	packet->status = NB_TX_OK;
	nb_frame_fill(packet->frame, packet->len, packet->id);
	memcpy(nb_guest_ptr(&self->guest, gpa, packet->len), packet->frame, packet->len);
	nb_tx_split(head, packet->n_segments, gpa, packet->len, packet->id);
	switch (shape) {
	case TAGGED:
		head->flags |= NB_TX_VLAN;
		head->vlan = VLAN;
		break;
	case NO_MEMORY:
		head->gpa = NB_GAP_GPA - MIN_LEN / 2;
		packet->status = NB_TX_FAULT;
		break;
	case NOT_THE_SUM:
		head->packet_len--;
		packet->status = NB_TX_INVALID;
		break;
	case RESERVED:
		head->reserved = 1;
		packet->status = NB_TX_INVALID;
		break;
	default:
		break;
	}
}

/* In one piece, across pages, or in two pieces that lie apart. */
static void post_buffer(FIXTURE_DATA(mixed) *self, unsigned int i)
{
	struct nb_rx_segment *buffer = self->buffer[i];
	uint64_t gpa = RX_GPA + i * SLOT;

	memset(buffer, 0, sizeof(self->buffer[i]));
	buffer[0] = (struct nb_rx_segment){ .gpa = gpa, .len = NB_BUF_SIZE, .id = i };
	switch (nb_random_below(&self->random, 6)) {
	case 0:
		buffer[0].gpa = gpa + NB_PAGE - MIN_LEN / 2;
		break;
	case 1:
		buffer[0].len = (MIN_LEN / 2) | NB_RX_MORE;
		buffer[1] = (struct nb_rx_segment){ .gpa = gpa + NB_PAGE, .len = NB_BUF_SIZE };
		nb_raw_rx(&self->raw, buffer, 2);
		return;
	}
	nb_raw_rx(&self->raw, buffer, 1);
}

/* Posts packets, some of that shape, or any, with a buffer for each that will arrive. */
static void post_round(FIXTURE_DATA(mixed) *self, unsigned int odd_percent, enum shape odd_shape)
{
	unsigned int i;

	self->n = 1 + nb_random_below(&self->random, PACKETS);
	for (i = 0; i < self->n; i++) {
		bool odd = nb_random_below(&self->random, 100) < odd_percent;

		make_packet(self, i, !odd ? WHOLE :
			    odd_shape != N_SHAPES ? odd_shape :
			    nb_random_below(&self->random, N_SHAPES));
		nb_raw_tx(&self->raw, self->packet[i].segment, self->packet[i].n_segments);
		if (self->packet[i].status == NB_TX_OK && self->nic.kind->sent == NB_COMES_BACK)
			post_buffer(self, i);
	}
}

static bool is_completed(FIXTURE_DATA(mixed) *self, const struct packet *packet)
{
	struct nb_tx_completion done;

	if (nb_raw_tx_done(&self->raw, &done) && done.id == packet->id &&
	    done.status == packet->status)
		return true;
	fprintf(stderr, "# transmit %u of shape %u ended as %u with status %u\n", packet->id,
		packet->shape, done.id, done.status);
	return false;
}

static bool is_in_buffer(FIXTURE_DATA(mixed) *self, unsigned int i, const struct packet *packet)
{
	const struct nb_rx_segment *buffer = self->buffer[i];
	uint32_t first = buffer[0].len & NB_RX_LEN_MASK;

	if (first > packet->len)
		first = packet->len;
	return !memcmp(nb_guest_ptr(&self->guest, buffer[0].gpa, first), packet->frame, first) &&
	       (first == packet->len ||
		!memcmp(nb_guest_ptr(&self->guest, buffer[1].gpa, packet->len - first),
			packet->frame + first, packet->len - first));
}

static bool has_arrived(FIXTURE_DATA(mixed) *self, unsigned int i)
{
	const struct packet *packet = &self->packet[i];
	uint16_t flags = packet->shape == TAGGED ? NB_RX_VLAN : 0;
	uint16_t vlan = packet->shape == TAGGED ? VLAN : 0;
	struct nb_rx_metadata meta;

	return nb_raw_rx_done(&self->raw, &meta) && meta.status == NB_RX_OK && meta.id == i &&
	       meta.len == packet->len && meta.flags == flags && meta.vlan == vlan &&
	       is_in_buffer(self, i, packet);
}

static void count(struct nb_queue_stats *stats, const struct packet *packet)
{
	if (packet->status != NB_TX_OK) {
		stats->tx_errors++;
		return;
	}
	stats->tx_packets++;
	stats->tx_bytes += packet->len;
	stats->tx_vlan_packets += packet->shape == TAGGED;
}

/* Whether each packet of a round got what it gets by itself. */
static bool is_right(FIXTURE_DATA(mixed) *self)
{
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;
	bool right = true;
	unsigned int i;

	right &= !nb_raw_enter(&self->raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
	for (i = 0; i < self->n; i++) {
		right &= is_completed(self, &self->packet[i]);
		count(&self->expected, &self->packet[i]);
		if (self->packet[i].status == NB_TX_OK && self->nic.kind->sent == NB_COMES_BACK)
			right &= has_arrived(self, i);
	}
	/* With nothing there, nothing changes. */
	right &= !nb_raw_enter(&self->raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
	return right && !nb_raw_tx_done(&self->raw, &done) && !nb_raw_rx_done(&self->raw, &meta);
}

static bool are_counted(FIXTURE_DATA(mixed) *self)
{
	const struct nb_queue_stats *expected = &self->expected;
	struct nb_queue_stats stats = { .size = sizeof(stats) };
	bool comes_back = self->nic.kind->sent == NB_COMES_BACK;

	if (nb_raw_call(self->raw.fd, NB_QUEUE_GET_STATS, &stats))
		nb_die("no counters: %s", nb_raw_message);
	return stats.tx_packets == expected->tx_packets && stats.tx_bytes == expected->tx_bytes &&
	       stats.tx_vlan_packets == expected->tx_vlan_packets &&
	       stats.tx_errors == expected->tx_errors && !stats.tx_dropped &&
	       stats.rx_packets == (comes_back ? expected->tx_packets : 0) &&
	       stats.rx_bytes == (comes_back ? expected->tx_bytes : 0) &&
	       stats.rx_vlan_packets == (comes_back ? expected->tx_vlan_packets : 0);
}

TEST_F(mixed, packets_of_one_segment_come_through_wherever_the_rings_wrap)
{
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		post_round(self, 0, N_SHAPES);
		ASSERT_TRUE(is_right(self));
	}
	EXPECT_TRUE(are_counted(self));
}

TEST_F(mixed, a_seldom_odd_packet_gets_what_it_gets_by_itself)
{
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		post_round(self, 8, N_SHAPES);
		ASSERT_TRUE(is_right(self));
	}
	EXPECT_TRUE(are_counted(self));
}

TEST_F(mixed, many_odd_packets_get_what_they_get_by_themselves)
{
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		post_round(self, 70, N_SHAPES);
		ASSERT_TRUE(is_right(self));
	}
	EXPECT_TRUE(are_counted(self));
}

/* Where a batch ends, a packet in pieces may be cut, and is the first of the next one. */
TEST_F(mixed, packets_in_pieces_leave_nothing_to_those_behind_them)
{
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		post_round(self, 95, SPLIT);
		ASSERT_TRUE(is_right(self));
		post_round(self, 0, N_SHAPES);
		ASSERT_TRUE(is_right(self));
	}
	EXPECT_TRUE(are_counted(self));
}

TEST_HARNESS_MAIN
