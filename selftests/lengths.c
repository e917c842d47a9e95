// SPDX-License-Identifier: GPL-2.0
/*
 * Packets of every length from 14 to 65,535 bytes, cut into 1 … 32 segments at random
 * offsets, into receive buffers of 1 … 8 segments at random offsets: all arrive byte
 * for byte, and nothing is written beside them.
 *
 * What is sent is a place in a sea of random bytes, so that nothing has to be prepared
 * for a packet: the machine that runs this may be a slow one.
 */
#include <arpa/inet.h>
#include <string.h>

#include <linux/if_ether.h>

#include "kselftest_harness.h"
#include "nbtest.h"

#define FIRST		14u
#define LAST		65535u
#define LENGTHS		(LAST - FIRST + 1)
/* Any number without a common factor with LENGTHS: long and short ones mix. */
#define STRIDE		24571u
#define BATCH		32u
#define MTU		(LAST - NB_HEADER_LEN)

#define TX_SEGMENTS	32u
#define RX_SEGMENTS	8u

/* Guest memory: the sea, then room for a buffer of each packet of a batch. */
#define SEA		(2u << 20)
#define HEADERS		128u
#define ROOM		(72u << 10)
#define ROOM_GPA	(NB_MORE_GPA + SEA)

/* Behind each segment of a buffer. */
#define GUARD		8u
#define GUARD_BYTE	0x5a

struct piece {
	char *data;
	uint32_t len;
};

FIXTURE(lengths)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_random random;
	char *sea;
	char *headers[HEADERS];		/* places in the sea with an Ethernet header */
	uint32_t start;
	bool *arrived;			/* by length */

	/* The batch at hand. */
	uint32_t len[BATCH];
	struct piece from[BATCH][TX_SEGMENTS], to[BATCH][RX_SEGMENTS];
};

FIXTURE_SETUP(lengths)
{
	unsigned int i;

	nb_host_new_netns();
	nb_random_start(&self->random);
	nb_guest_open(&self->guest, SEA + BATCH * ROOM);
	self->sea = nb_guest_ptr(&self->guest, NB_MORE_GPA, SEA);
	nb_random_fill(&self->random, self->sea, SEA);
	for (i = 0; i < HEADERS; i++) {
		self->headers[i] = self->sea + nb_random_below(&self->random, SEA - LAST);
		nb_frame_fill(self->headers[i], NB_HEADER_LEN, 0);
	}
	/* One header may lie across another. */
	for (i = 0; i < HEADERS; i++) {
		const struct ethhdr *header = (const void *)self->headers[i];

		if (header->h_proto != htons(NB_ETHERTYPE))
			self->headers[i] = self->headers[HEADERS - 1];
	}
	self->start = nb_random_below(&self->random, LENGTHS);
	self->arrived = calloc(LAST + 1, sizeof(bool));
}

FIXTURE_TEARDOWN(lengths)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
	free(self->arrived);
}

/* Cuts a length into n parts, none of them empty. */
static void cut(struct nb_random *random, struct piece *pieces, unsigned int n, uint32_t len)
{
	uint32_t left, most;

	for (; n > 1; n--, pieces++) {
		left = len - (n - 1);
		most = 2 * (len / n);
		pieces->len = 1 + nb_random_below(random, left < most ? left : most);
		len -= pieces->len;
	}
	pieces->len = len;
}

static char *random_header(FIXTURE_DATA(lengths) *self)
{
	return self->headers[nb_random_below(&self->random, HEADERS)];
}

/* Chooses what to send as packet i of the batch: the number of its pieces. */
static unsigned int choose_packet(FIXTURE_DATA(lengths) *self, unsigned int i)
{
	unsigned int n = 1 + nb_random_below(&self->random, TX_SEGMENTS), j;
	uint32_t len = self->len[i], offset = 0;
	struct piece *piece = self->from[i];

	if (n > len)
		n = len;
	cut(&self->random, piece, n, len);
	for (j = 0; j < n; j++, piece++) {
		if (offset < NB_HEADER_LEN)
			piece->data = random_header(self) + offset;
		else
			piece->data = self->sea + nb_random_below(&self->random, SEA - piece->len);
		offset += piece->len;
	}
	return n;
}

/* Chooses a buffer for packet i of the batch: the number of its pieces. */
static unsigned int choose_buffer(FIXTURE_DATA(lengths) *self, unsigned int i)
{
	unsigned int n = 1 + nb_random_below(&self->random, RX_SEGMENTS), j;
	char *room = nb_guest_ptr(&self->guest, ROOM_GPA + i * ROOM, ROOM);
	struct piece *piece = self->to[i];
	uint32_t spare = 0;

	/* Every fourth is exactly as long as the packet. */
	if (nb_random_below(&self->random, 4))
		spare = nb_random_below(&self->random, 2000);
	cut(&self->random, piece, n, self->len[i] + spare);
	for (j = 0; j < n; j++, piece++) {
		room += nb_random_below(&self->random, 500);
		piece->data = room;
		room += piece->len;
		memset(room, GUARD_BYTE, GUARD);
		room += GUARD;
	}
	return n;
}

static uint64_t gpa_of(FIXTURE_DATA(lengths) *self, const char *data)
{
	return NB_MORE_GPA + (data - self->sea);
}

static void post_buffers(FIXTURE_DATA(lengths) *self, unsigned int n)
{
	struct nb_rx_segment segments[BATCH * RX_SEGMENTS];
	unsigned int i, j, pieces, count = 0;

	for (i = 0; i < n; i++) {
		pieces = choose_buffer(self, i);
		for (j = 0; j < pieces; j++) {
			segments[count++] = (struct nb_rx_segment){
				.gpa = gpa_of(self, self->to[i][j].data),
				.len = self->to[i][j].len | (j + 1 < pieces ? NB_RX_MORE : 0),
				.id = i,
			};
		}
	}
	if (nb_ok(nb_queue_rx_avail(self->nic.queue, segments, count)) != (int)count)
		nb_die("%u segments of buffers are too many", count);
}

static void send_packets(FIXTURE_DATA(lengths) *self, unsigned int n)
{
	struct nb_tx_segment segments[BATCH * TX_SEGMENTS];
	unsigned int i, j, pieces, count = 0;

	for (i = 0; i < n; i++) {
		pieces = choose_packet(self, i);
		segments[count] = nb_tx_packet(0, self->len[i], i);
		segments[count].segment_count = pieces;
		for (j = 0; j < pieces; j++, count++) {
			if (j)
				memset(&segments[count], 0, sizeof(segments[count]));
			segments[count].gpa = gpa_of(self, self->from[i][j].data);
			segments[count].len = self->from[i][j].len;
		}
	}
	nb_tx_all(self->nic.queue, segments, count);
}

/* Whether two lists of pieces are the same in the first bytes. */
static bool same(const struct piece *a, const struct piece *b, uint32_t len)
{
	uint32_t a_offset = 0, b_offset = 0, part;

	for (; len; len -= part) {
		if (a_offset == a->len) {
			a++;
			a_offset = 0;
		}
		if (b_offset == b->len) {
			b++;
			b_offset = 0;
		}
		part = a->len - a_offset < b->len - b_offset ? a->len - a_offset :
							       b->len - b_offset;
		if (part > len)
			part = len;
		if (memcmp(a->data + a_offset, b->data + b_offset, part))
			return false;
		a_offset += part;
		b_offset += part;
	}
	return true;
}

static bool guards_intact(const struct piece *pieces, uint32_t len)
{
	static const char guard[GUARD] = { [0 ... GUARD - 1] = GUARD_BYTE };
	uint32_t covered = 0;

	for (; covered < len; covered += pieces->len, pieces++)
		if (memcmp(pieces->data + pieces->len, guard, GUARD))
			return false;
	return true;
}

static void check_arrived(FIXTURE_DATA(lengths) *self, unsigned int i, uint32_t len,
			  const struct piece *from, const struct piece *to)
{
	if (len != self->len[i])
		nb_die("a packet of %u bytes arrived with %u", self->len[i], len);
	if (!same(from, to, len))
		nb_die("a packet of %u bytes arrived changed", len);
	self->arrived[len] = true;
}

static void check_received(FIXTURE_DATA(lengths) *self, unsigned int n)
{
	struct nb_bufs *bufs = &self->nic.bufs;
	uint32_t ids[BATCH];
	unsigned int i;

	memset(bufs->full, 0, sizeof(bufs->full));
	if (nb_bufs_reap(bufs, self->nic.queue, ids, n) != n)
		nb_die("some of %u packets did not arrive", n);
	for (i = 0; i < n; i++) {
		const struct nb_rx_metadata *meta = &bufs->meta[i];

		if (ids[i] != i || meta->status != NB_RX_OK || meta->offset)
			nb_die("buffer %u came back as %uth, status %u", ids[i], i, meta->status);
		check_arrived(self, i, meta->len, self->from[i], self->to[i]);
		if (!guards_intact(self->to[i], meta->len))
			nb_die("a packet of %u bytes was written beside its buffer", meta->len);
	}
}

/* The lengths of the next batch, from the done-th on: how many there are. */
static unsigned int next_batch(FIXTURE_DATA(lengths) *self, uint32_t done)
{
	unsigned int i;

	for (i = 0; i < BATCH && done + i < LENGTHS; i++)
		self->len[i] = FIRST + ((uint64_t)(done + i) * STRIDE + self->start) % LENGTHS;
	return i;
}

static void start(FIXTURE_DATA(lengths) *self, const struct nb_test_kind *kind)
{
	nb_nic_open(&self->nic, &self->guest, kind, MTU);
	nb_nic_start(&self->nic, 1, 1024);
}

static bool all_arrived(FIXTURE_DATA(lengths) *self)
{
	uint32_t len;

	for (len = FIRST; len <= LAST; len++)
		if (!self->arrived[len])
			return false;
	return true;
}

TEST_F_TIMEOUT(lengths, loopback_returns_packets_of_every_length, 600)
{
	uint32_t done;
	unsigned int n;

	start(self, &nb_test_loopback);
	for (done = 0; done < LENGTHS; done += n) {
		n = next_batch(self, done);
		post_buffers(self, n);
		send_packets(self, n);
		check_received(self, n);
	}
	EXPECT_TRUE(all_arrived(self));
}

TEST_F_TIMEOUT(lengths, netdev_carries_packets_of_every_length_to_the_host, 600)
{
	static char frame[LAST + 1];
	struct piece to = { .data = frame, .len = sizeof(frame) };
	unsigned int n, i;
	uint32_t done;
	ssize_t len;

	start(self, &nb_test_netdev);
	for (done = 0; done < LENGTHS; done += n) {
		n = next_batch(self, done);
		send_packets(self, n);
		for (i = 0; i < n; i++) {
			len = nb_host_receive(&self->nic.host, frame, sizeof(frame), NULL);
			if (len < 0)
				nb_die("a packet of %u bytes did not arrive", self->len[i]);
			check_arrived(self, i, len, self->from[i], &to);
		}
	}
	EXPECT_TRUE(all_arrived(self));
}

TEST_F_TIMEOUT(lengths, netdev_carries_packets_of_every_length_to_the_guest, 600)
{
	unsigned int n, i;
	uint32_t done;

	start(self, &nb_test_netdev);
	for (done = 0; done < LENGTHS; done += n) {
		n = next_batch(self, done);
		post_buffers(self, n);
		for (i = 0; i < n; i++) {
			self->from[i][0].data = random_header(self);
			self->from[i][0].len = self->len[i];
			nb_host_send(&self->nic.host, self->from[i][0].data, self->len[i]);
		}
		check_received(self, n);
	}
	EXPECT_TRUE(all_arrived(self));
}

TEST_HARNESS_MAIN
