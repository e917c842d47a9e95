// SPDX-License-Identifier: GPL-2.0
/*
 * Random descriptors, right and wrong in every way, against a model of what the header
 * promises: each packet and each buffer comes back once, in order, with its status.
 */
#include <string.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

#define ENTRIES		256u
#define MOST		64u	/* segments of a round */
#define ROUNDS		3000u

#define KNOWN_FLAGS	(NB_TX_HEAD | NB_TX_OFFLOAD_IP_HEADER_CHECKSUM | \
			 NB_TX_OFFLOAD_TCP_CHECKSUM | NB_TX_OFFLOAD_UDP_CHECKSUM | \
			 NB_TX_OFFLOAD_TCP_SEGMENTATION | NB_TX_OFFLOAD_UDP_SEGMENTATION | \
			 NB_TX_IS_IPV4 | NB_TX_IS_IPV6 | NB_TX_VLAN)

/* What may come back. */
struct promise {
	uint32_t id;
	uint32_t statuses;	/* bits */
};

FIXTURE(fuzz)
{
	struct nb_guest guest;
	struct nb_nic nic;	/* without queues of its own */
	struct nb_raw raw;
	struct nb_random random;
	uint32_t offered;	/* transmit flags */
	bool tries;		/* to do what is asked for */
};

FIXTURE_VARIANT(fuzz)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(fuzz, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(fuzz, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(fuzz, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(fuzz, netdev) { .kind = &nb_test_netdev };

FIXTURE_SETUP(fuzz)
{
	struct nb_endpoint_info info;

	nb_host_new_netns();
	nb_random_start(&self->random);
	nb_guest_open(&self->guest, 0);
	nb_ok(nb_memory_add(self->guest.mem, NB_MORE_GPA, nb_test_pages(NB_PAGE), NB_PAGE,
			    NB_REGION_READ_ONLY));
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	/* The two enums have the same order. */
	self->offered = info.tx_offloads << 1;
	self->tries = variant->kind->sent == NB_COMES_TO_HOST;
	nb_raw_open(&self->raw, self->nic.ep, self->guest.mem, ENTRIES);
	if (variant->kind->sent == NB_COMES_TO_HOST)
		nb_link_set_up(info.name, true);
}

FIXTURE_TEARDOWN(fuzz)
{
	EXPECT_EQ(NB_QUEUE_RUNNING, nb_raw_state(&self->raw));
	nb_raw_close(&self->raw);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static uint32_t below(FIXTURE_DATA(fuzz) *self, uint32_t limit)
{
	return nb_random_below(&self->random, limit);
}

static bool rarely(FIXTURE_DATA(fuzz) *self)
{
	return !below(self, 8);
}

/* Somewhere in memory, or around its edges. */
static uint64_t any_gpa(FIXTURE_DATA(fuzz) *self)
{
	static const uint64_t edges[] = { 0, NB_GAP_GPA, NB_TX_GPA, NB_TX_GPA + NB_TX_SIZE,
					  NB_MORE_GPA, NB_MORE_GPA + NB_PAGE };

	if (rarely(self))
		return edges[below(self, ARRAY_LEN(edges))] + below(self, 200) - 100;
	return NB_TX_GPA + below(self, NB_TX_SIZE - 70000);
}

static uint32_t any_len(FIXTURE_DATA(fuzz) *self)
{
	static const uint32_t special[] = { 0, 1, 13, 14, 1u << 31, ~0u, NB_MAX_PACKET_LEN,
					    NB_MAX_PACKET_LEN + 1 };

	if (!below(self, 60))
		return special[below(self, ARRAY_LEN(special))];
	return rarely(self) ? 1 + below(self, 30000) : 14 + below(self, 300);
}

/* Whether a region covers the range; one that can be written if asked. */
static bool in_memory(uint64_t gpa, uint64_t len, bool write)
{
	static const struct {
		uint64_t gpa, len;
		bool write;
	} regions[] = {
		{ NB_RX_GPA, NB_RX_SIZE, true },
		{ NB_TX_GPA, NB_TX_SIZE, true },
		{ NB_MORE_GPA, NB_PAGE, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(regions); i++)
		if (gpa >= regions[i].gpa && gpa - regions[i].gpa < regions[i].len &&
		    len <= regions[i].len - (gpa - regions[i].gpa))
			return regions[i].write || !write;
	return false;
}

static void broken(const char *what, unsigned int round, unsigned int i,
		   const struct promise *promise, uint32_t id, uint32_t status)
{
	nb_die("round %u, %s %u: id %u status %u, not %u with one of %#x", round, what, i, id,
	       status, promise->id, promise->statuses);
}

/* ---- transmit ------------------------------------------------------------ */

/* Appends a packet, most often a good one: the number of its segments. */
static unsigned int make_packet(FIXTURE_DATA(fuzz) *self, struct nb_tx_segment *segments,
				unsigned int room)
{
	unsigned int n = 1 + below(self, rarely(self) ? 20 : 3), i;
	struct nb_tx_segment *victim;
	uint32_t total = 0;

	if (n > room)
		n = room;
	for (i = 0; i < n; i++) {
		memset(&segments[i], 0, sizeof(segments[i]));
		segments[i].gpa = any_gpa(self);
		segments[i].len = any_len(self);
		segments[i].id = below(self, ~0u);
		total += segments[i].len;
	}
	segments[0].flags = NB_TX_HEAD | (rarely(self) ? NB_TX_VLAN : 0);
	segments[0].segment_count = n;
	segments[0].packet_len = total;
	if (!rarely(self))
		return n;

	victim = &segments[below(self, n)];
	switch (below(self, 6)) {
	case 0:
		victim->flags ^= 1u << below(self, 16);
		break;
	case 1:
		victim->segment_count += below(self, 5) - 2;
		break;
	case 2:
		victim->packet_len += below(self, 3) - 1;
		break;
	case 3:
		victim->reserved = below(self, 2);
		break;
	case 4:
		victim->flags = below(self, 1u << 16);
		break;
	case 5:
		nb_random_fill(&self->random, victim, sizeof(*victim));
		break;
	}
	return n;
}

static bool is_invalid(const struct nb_tx_segment *head, unsigned int tails)
{
	unsigned int count = head->segment_count, i;
	uint64_t total = 0;

	if (!count || count > NB_MAX_SEGMENTS || count > tails + 1 ||
	    (head->flags & ~KNOWN_FLAGS) || head->reserved)
		return true;
	for (i = 0; i < count; i++) {
		if (!head[i].len || (i && head[i].flags))
			return true;
		total += head[i].len;
	}
	return total != head->packet_len || total < NB_MIN_PACKET_LEN ||
	       total > NB_MAX_PACKET_LEN;
}

static uint32_t statuses_of(FIXTURE_DATA(fuzz) *self, const struct nb_tx_segment *head)
{
	static const uint32_t offloads = NB_TX_OFFLOAD_IP_HEADER_CHECKSUM |
		NB_TX_OFFLOAD_TCP_CHECKSUM | NB_TX_OFFLOAD_UDP_CHECKSUM |
		NB_TX_OFFLOAD_TCP_SEGMENTATION | NB_TX_OFFLOAD_UDP_SEGMENTATION;
	uint32_t statuses = 0;
	unsigned int i;

	if (head->flags & offloads & ~self->offered)
		statuses |= 1u << NB_TX_UNSUPPORTED;
	for (i = 0; i < head->segment_count; i++)
		if (!in_memory(head[i].gpa, head[i].len, false))
			statuses |= 1u << NB_TX_FAULT;
	if (statuses)
		return statuses;
	/* The packets are not IP: what is asked of them cannot be done, where it is tried. */
	if ((head->flags & offloads) && self->tries)
		return 1u << NB_TX_INVALID;
	return 1u << NB_TX_OK | (self->nic.kind->may_drop ? 1u << NB_TX_DROPPED : 0);
}

/* What has to come back for these segments: the number of completions. */
static unsigned int expect_transmits(FIXTURE_DATA(fuzz) *self,
				     const struct nb_tx_segment *segments, unsigned int n,
				     struct promise *promises)
{
	unsigned int i, tails, count = 0;

	for (i = 0; i < n; count++) {
		promises[count].id = segments[i].id;
		promises[count].statuses = 1u << NB_TX_INVALID;
		if (!(segments[i].flags & NB_TX_HEAD)) {
			i++;
			continue;
		}
		for (tails = 0; i + 1 + tails < n; tails++)
			if (segments[i + 1 + tails].flags & NB_TX_HEAD)
				break;
		if (is_invalid(&segments[i], tails)) {
			i += 1 + tails;
		} else {
			promises[count].statuses = statuses_of(self, &segments[i]);
			i += segments[i].segment_count;
		}
	}
	return count;
}

static void post_good_buffers(FIXTURE_DATA(fuzz) *self)
{
	struct nb_rx_metadata meta;
	struct nb_rx_segment buffer = { .gpa = NB_RX_GPA, .len = NB_BUF_SIZE };
	struct nb_raw_ring *ring = &self->raw.ring[NB_RING_RX_AVAIL];

	while (nb_raw_rx_done(&self->raw, &meta))
		;
	while (*ring->producer - *ring->consumer < ring->n)
		nb_raw_rx(&self->raw, &buffer, 1);
}

TEST_F(fuzz, every_packet_ends_once_with_its_status)
{
	struct nb_tx_segment segments[MOST];
	struct nb_tx_completion done = { 0 };
	struct promise promises[MOST];
	unsigned int round, n, i, count;

	for (round = 0; round < ROUNDS; round++) {
		for (n = 0; n < MOST && (!n || below(self, 20)); )
			n += make_packet(self, segments + n, MOST - n);
		count = expect_transmits(self, segments, n, promises);
		if (variant->kind->sent == NB_COMES_BACK)
			post_good_buffers(self);
		nb_raw_tx(&self->raw, segments, n);
		ASSERT_EQ(0, nb_raw_enter(&self->raw, NB_ENTER_TX | NB_ENTER_RX, NULL));
		for (i = 0; i < count; i++) {
			ASSERT_TRUE(nb_raw_tx_done(&self->raw, &done));
			if (done.id != promises[i].id ||
			    !(promises[i].statuses & 1u << done.status))
				broken("packet", round, i, &promises[i], done.id, done.status);
		}
		ASSERT_FALSE(nb_raw_tx_done(&self->raw, &done));
	}
}

/* ---- receive ------------------------------------------------------------- */

/* Appends a buffer, most often a good one: the number of its segments. */
static unsigned int make_buffer(FIXTURE_DATA(fuzz) *self, struct nb_rx_segment *segments,
				struct promise *promise)
{
	unsigned int n = 1 + below(self, 4), i;
	uint32_t len;

	if (!below(self, 30))
		n = NB_MAX_SEGMENTS - 1 + below(self, 3);
	promise->id = below(self, ~0u);
	promise->statuses = n > NB_MAX_SEGMENTS ? 1u << NB_RX_INVALID : 0;
	for (i = 0; i < n; i++) {
		len = below(self, 100) ? 100 + below(self, 100) : 0;
		segments[i] = (struct nb_rx_segment){
			.gpa = rarely(self) ? any_gpa(self) : below(self, NB_RX_SIZE - 200),
			.len = len | (i + 1 < n ? NB_RX_MORE : 0),
			.id = promise->id + i,
		};
		if (!len)
			promise->statuses |= 1u << NB_RX_INVALID;
		else if (!in_memory(segments[i].gpa, len, true))
			promise->statuses |= 1u << NB_RX_FAULT;
	}
	promise->statuses = promise->statuses ?: 1u << NB_RX_OK;
	return n;
}

/* Lets n packets be received. */
static void provoke_receive(FIXTURE_DATA(fuzz) *self, unsigned int n)
{
	struct nb_tx_segment packet = nb_tx_packet(NB_TX_GPA, 60, 0);
	struct nb_tx_completion done;

	while (n--)
		nb_raw_tx(&self->raw, &packet, 1);
	nb_raw_enter(&self->raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
	while (nb_raw_tx_done(&self->raw, &done))
		;
}

TEST_F(fuzz, every_buffer_comes_back_once_with_its_status)
{
	struct nb_rx_segment segments[ENTRIES];
	struct promise promises[ENTRIES];
	struct nb_rx_metadata meta;
	unsigned int round, n, i, count, good;

	if (variant->kind->sent != NB_COMES_BACK)
		return;
	for (round = 0; round < ROUNDS; round++) {
		for (n = 0, count = 0, good = 0; n + NB_MAX_SEGMENTS + 1 < ENTRIES &&
		     (!n || below(self, 10)); count++) {
			n += make_buffer(self, segments + n, &promises[count]);
			good += promises[count].statuses == 1u << NB_RX_OK;
		}
		/* A good one at the end, so that no bad one is left behind. */
		segments[n++] = (struct nb_rx_segment){ .gpa = NB_RX_GPA, .len = 100, .id = 5 };
		promises[count++] = (struct promise){ .id = 5, .statuses = 1u << NB_RX_OK };
		nb_raw_rx(&self->raw, segments, n);
		provoke_receive(self, good + 1);
		for (i = 0; i < count; i++) {
			ASSERT_TRUE(nb_raw_rx_done(&self->raw, &meta));
			if (meta.id != promises[i].id ||
			    !(promises[i].statuses & 1u << meta.status))
				broken("buffer", round, i, &promises[i], meta.id, meta.status);
			ASSERT_EQ(meta.status == NB_RX_OK ? 60 : 0, meta.len);
		}
		ASSERT_FALSE(nb_raw_rx_done(&self->raw, &meta));
	}
}

TEST_HARNESS_MAIN
