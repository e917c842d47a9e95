// SPDX-License-Identifier: GPL-2.0
/*
 * What kind delay does to packets besides what every kind does (kinds.c): delay, loss,
 * another order, a limit; and packets that are held when something ends.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "kselftest_harness.h"
#include "kind_delay/delay.h"
#include "nbtest.h"

#define FRAME_LEN	100u

FIXTURE(delay)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_delay_params params;
	struct nb_test_kind kind;
};

FIXTURE_SETUP(delay)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	memset(&self->nic, 0, sizeof(self->nic));
	self->nic.host.fd = -1;
	self->kind = nb_test_delay;
	self->kind.params = &self->params;
}

FIXTURE_TEARDOWN(delay)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static void start(FIXTURE_DATA(delay) *self)
{
	nb_nic_open(&self->nic, &self->guest, &self->kind, 0);
	nb_nic_start(&self->nic, 1, 0);
}

/* Sends the frames 0 … n - 1, in one call. */
static void send_frames(FIXTURE_DATA(delay) *self, unsigned int n)
{
	struct nb_tx_segment segments[64];
	unsigned int i;

	for (i = 0; i < n; i++)
		segments[i] = nb_tx_frame(&self->guest, i, FRAME_LEN);
	nb_tx_all(self->nic.queue, segments, n);
}

/* Which frame a buffer holds, or -1. */
static int frame_of(FIXTURE_DATA(delay) *self, uint32_t id)
{
	unsigned char frame[FRAME_LEN];
	int i;

	for (i = 0; i < 64; i++) {
		nb_frame_fill(frame, FRAME_LEN, i);
		if (nb_bufs_equal(&self->nic.bufs, &self->guest, id, frame, FRAME_LEN))
			return i;
	}
	return -1;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

TEST_F(delay, packets_come_no_sooner_than_they_are_due)
{
	static const uint32_t delays[] = { 0, 1, 300, 5000, 200000 };
	uint64_t sent;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(delays); i++) {
		self->params.delay_us = delays[i];
		start(self);
		nb_nic_post_all(&self->nic);
		sent = now_us();
		send_frames(self, 8);
		ASSERT_EQ(8, nb_bufs_reap(&self->nic.bufs, self->nic.queue, NULL, 8));
		EXPECT_LE(sent + delays[i], now_us());
		nb_nic_close(&self->nic);
	}
}

TEST_F(delay, transmits_are_complete_before_packets_are_due)
{
	struct nb_rx_metadata meta;

	self->params.delay_us = NB_DELAY_MAX_US;
	start(self);
	nb_nic_post_all(&self->nic);
	send_frames(self, 64);
	EXPECT_EQ(0, nb_queue_rx_poll(self->nic.queue, &meta, 1));
}

TEST_F(delay, every_nth_packet_is_lost)
{
	unsigned int i, expected = 0;
	uint32_t ids[40];

	self->params.loss = 3;
	start(self);
	nb_nic_post_all(&self->nic);
	send_frames(self, 60);
	ASSERT_EQ(40, nb_bufs_reap(&self->nic.bufs, self->nic.queue, ids, 40));
	for (i = 0; i < 40; i++, expected++) {
		expected += expected % 3 == 2;
		ASSERT_EQ(expected, frame_of(self, ids[i]));
	}
	EXPECT_EQ(60, nb_stats_of(self->nic.queue).tx_packets);
	EXPECT_EQ(40, nb_stats_of(self->nic.queue).rx_packets);
}

TEST_F(delay, without_jitter_packets_keep_their_order)
{
	uint32_t ids[64];
	unsigned int i;

	self->params.delay_us = 2000;
	start(self);
	EXPECT_TRUE(nb_endpoint_is_ordered(self->nic.ep));
	nb_nic_post_all(&self->nic);
	send_frames(self, 64);
	ASSERT_EQ(64, nb_bufs_reap(&self->nic.bufs, self->nic.queue, ids, 64));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(i, frame_of(self, ids[i]));
}

/* In which order 64 packets come that were sent in one batch. */
static bool shuffle(FIXTURE_DATA(delay) *self, int *order)
{
	uint32_t ids[64];
	unsigned int i;

	start(self);
	nb_nic_post_all(&self->nic);
	send_frames(self, 64);
	if (nb_bufs_reap(&self->nic.bufs, self->nic.queue, ids, 64) != 64)
		return false;
	for (i = 0; i < 64; i++)
		order[i] = frame_of(self, ids[i]);
	nb_nic_close(&self->nic);
	return true;
}

TEST_F(delay, jitter_lets_packets_overtake_as_the_seed_wills)
{
	int first[64], second[64], other[64];
	uint64_t seen = 0;
	unsigned int i;

	self->params.delay_us = 1000;
	self->params.jitter_us = 100000;
	self->params.seed = 42;
	ASSERT_TRUE(shuffle(self, first));
	ASSERT_TRUE(shuffle(self, second));
	self->params.seed = 43;
	ASSERT_TRUE(shuffle(self, other));

	for (i = 0; i < 64; i++)
		seen |= 1ull << first[i];
	EXPECT_EQ(~0ull, seen);
	EXPECT_EQ(0, memcmp(first, second, sizeof(first)));
	EXPECT_NE(0, memcmp(first, other, sizeof(first)));
}

TEST_F(delay, jitter_promises_no_order)
{
	self->params.jitter_us = 1;
	start(self);
	EXPECT_FALSE(nb_endpoint_is_ordered(self->nic.ep));
}

TEST_F(delay, what_is_above_the_limit_is_dropped)
{
	struct nb_tx_completion done;
	struct nb_tx_segment segment;

	/* Without a buffer, the first one stays. */
	self->params.limit = 1;
	start(self);
	send_frames(self, 1);
	segment = nb_tx_frame(&self->guest, 1, FRAME_LEN);
	ASSERT_EQ(1, nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->nic.queue, &done, 1));
	EXPECT_EQ(NB_TX_DROPPED, done.status);
	EXPECT_EQ(1, nb_stats_of(self->nic.queue).tx_dropped);

	/* When it is gone, there is room for the next. */
	nb_nic_post_all(&self->nic);
	ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, NULL, 1));
	send_frames(self, 1);
	EXPECT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, NULL, 1));
}

TEST_F(delay, packets_that_are_due_wait_for_buffers)
{
	uint32_t ids[64];
	unsigned int i;

	start(self);
	send_frames(self, 64);
	ASSERT_TRUE(nb_until(nb_stats_of(self->nic.queue).rx_no_buffer));
	for (i = 0; i < 64; i++) {
		nb_bufs_post(&self->nic.bufs, self->nic.queue, i);
		ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, &ids[i], 1));
		ASSERT_EQ(i, frame_of(self, ids[i]));
	}
}

TEST_F(delay, a_packet_that_is_longer_than_the_buffer_is_counted)
{
	struct nb_rx_segment small = { .gpa = NB_RX_GPA, .len = FRAME_LEN - 1 };

	self->params.delay_us = 1000;
	start(self);
	ASSERT_EQ(1, nb_queue_rx_avail(self->nic.queue, &small, 1));
	send_frames(self, 1);
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queue).rx_too_small == 1));
}

TEST_F(delay, a_buffer_whose_memory_is_gone_comes_back_with_a_fault)
{
	struct nb_rx_metadata meta;

	start(self);
	send_frames(self, 1);
	ASSERT_EQ(0, nb_memory_remove(self->guest.mem, NB_RX_GPA, NB_RX_SIZE));
	nb_bufs_post(&self->nic.bufs, self->nic.queue, 5);
	ASSERT_EQ(1, nb_queue_poll_ready(self->nic.queue, NB_PATIENCE));
	ASSERT_EQ(1, nb_queue_rx_poll(self->nic.queue, &meta, 1));
	EXPECT_EQ(5, meta.id);
	EXPECT_EQ(NB_RX_FAULT, meta.status);
}

TEST_F(delay, long_packets_and_vlan_tags_come_whole)
{
	struct nb_tx_segment segment = nb_tx_packet(nb_frame_put(&self->guest, 0, 60000, 9),
						    60000, 1);
	struct nb_rx_segment buffer = { .gpa = NB_RX_GPA, .len = NB_RX_SIZE, .id = 3 };
	struct nb_rx_metadata meta;

	segment.flags |= NB_TX_VLAN;
	segment.vlan = 0x2123;
	self->params.delay_us = 100;
	start(self);
	ASSERT_EQ(1, nb_queue_rx_avail(self->nic.queue, &buffer, 1));
	nb_tx_all(self->nic.queue, &segment, 1);
	ASSERT_EQ(1, nb_queue_poll_ready(self->nic.queue, NB_PATIENCE));
	ASSERT_EQ(1, nb_queue_rx_poll(self->nic.queue, &meta, 1));
	EXPECT_EQ(60000, meta.len);
	EXPECT_EQ(NB_RX_VLAN, meta.flags & NB_RX_VLAN);
	EXPECT_EQ(0x2123, meta.vlan);
	EXPECT_EQ(0, memcmp(nb_guest_ptr(&self->guest, NB_RX_GPA + meta.offset, 60000),
			    nb_guest_ptr(&self->guest, NB_TX_GPA, 60000), 60000));
}

TEST_F(delay, refuses_params_that_make_no_sense)
{
	static const struct nb_delay_params wrong[] = {
		{ .delay_us = NB_DELAY_MAX_US + 1 },
		{ .jitter_us = UINT32_MAX },
		{ .limit = NB_DELAY_MAX_LIMIT + 1 },
	};
	struct nb_endpoint *ep;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		self->kind.params = &wrong[i];
		EXPECT_EQ(-EINVAL, nb_test_create(&self->guest, &self->kind, NULL, &ep));
		EXPECT_NE(NULL, strstr(nb_error(), "_us") ?: strstr(nb_error(), "limit"))
			TH_LOG("%s", nb_error());
	}
}

TEST_F(delay, takes_params_that_are_shorter_or_longer)
{
	struct { struct nb_delay_params known; uint64_t later; } longer = { 0 };
	struct nb_endpoint *ep;

	self->kind.params = &longer;
	self->kind.params_size = sizeof(longer);
	EXPECT_EQ(0, nb_test_create(&self->guest, &self->kind, NULL, &ep));
	nb_endpoint_close(ep);
	longer.later = 1;
	EXPECT_EQ(-E2BIG, nb_test_create(&self->guest, &self->kind, NULL, &ep));
	self->kind.params_size = sizeof(longer.known.delay_us);
	EXPECT_EQ(0, nb_test_create(&self->guest, &self->kind, NULL, &ep));
	nb_endpoint_close(ep);
	self->kind.params = NULL;
	self->kind.params_size = 0;
	EXPECT_EQ(0, nb_test_create(&self->guest, &self->kind, NULL, &ep));
	nb_endpoint_close(ep);
}

TEST_HARNESS_MAIN
