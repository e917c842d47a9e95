// SPDX-License-Identifier: GPL-2.0
/*
 * Back-pressure: what happens while one side has no room.  Nothing is taken that
 * cannot be delivered, nothing is lost, and everything goes on by itself.
 */
#include <string.h>

#include "kselftest_harness.h"
#include "nbtest.h"

#define FRAME_LEN	64u
#define PER_PAGE	(NB_PAGE / FRAME_LEN)

FIXTURE(pressure)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_VARIANT(pressure)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(pressure, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(pressure, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(pressure, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(pressure, netdev) { .kind = &nb_test_netdev };

static void open_nic(struct nb_guest *guest, struct nb_nic *nic,
		     const struct nb_test_kind *kind)
{
	nb_host_new_netns();
	nb_guest_open(guest, 0);
	nb_nic_open(nic, guest, kind, 0);
}

static void close_nic(struct nb_guest *guest, struct nb_nic *nic)
{
	nb_nic_close(nic);
	nb_guest_close(guest);
}

FIXTURE_SETUP(pressure)
{
	open_nic(&self->guest, &self->nic, variant->kind);
}

FIXTURE_TEARDOWN(pressure)
{
	close_nic(&self->guest, &self->nic);
}

FIXTURE(loopback)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(loopback)
{
	open_nic(&self->guest, &self->nic, &nb_test_loopback);
}

FIXTURE_TEARDOWN(loopback)
{
	close_nic(&self->guest, &self->nic);
}

FIXTURE(netdev)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(netdev)
{
	open_nic(&self->guest, &self->nic, &nb_test_netdev);
}

FIXTURE_TEARDOWN(netdev)
{
	close_nic(&self->guest, &self->nic);
}

/* Starts the NIC with rings of these sizes, and a host that drops nothing. */
static void start(struct nb_nic *nic, uint32_t avail, uint32_t done)
{
	struct nb_queue_config config = {
		.tx_avail_entries = avail,
		.tx_done_entries = done,
		.rx_avail_entries = avail,
		.rx_done_entries = done,
		.target_cpu = NB_ANY_CPU,
	};
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_queues(nic->ep, nic->guest->mem, &config, 1, NULL, nic->queues));
	nic->n_queues = 1;
	nic->queue = nic->queues[0];
	if (nic->kind->sent != NB_COMES_TO_HOST)
		return;
	nb_ok(nb_endpoint_get_info(nic->ep, &info));
	nb_host_open(&nic->host, info.ifindex);
	nb_link_set_fifo(nic->host.ifindex, 100000);
}

static void fill_numbered(void *frame, uint32_t number)
{
	nb_frame_fill(frame, FRAME_LEN, number);
	memcpy((char *)frame + NB_HEADER_LEN, &number, sizeof(number));
}

/* n packets with the numbers from first on, each in its own part of the region. */
static void fill_packets(struct nb_nic *nic, struct nb_tx_segment *segments, uint32_t first,
			 unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		segments[i] = nb_tx_packet(NB_TX_GPA + i * FRAME_LEN, FRAME_LEN, first + i);
		fill_numbered(nb_guest_ptr(nic->guest, segments[i].gpa, FRAME_LEN), first + i);
	}
}

/* Whether buffers hold the packets with the numbers from first on. */
static bool are_numbered(struct nb_nic *nic, const uint32_t *ids, unsigned int n,
			 uint32_t first)
{
	char frame[FRAME_LEN];
	unsigned int i;

	for (i = 0; i < n; i++) {
		fill_numbered(frame, first + i);
		if (!nb_bufs_equal(&nic->bufs, nic->guest, ids[i], frame, FRAME_LEN))
			return false;
	}
	return true;
}

/*
 * Gives a few buffers at a time until all packets with the numbers 0 … n - 1 have
 * come; false if they come in another order, or more or fewer than there were buffers.
 */
static bool drain(struct nb_nic *nic, uint32_t n)
{
	unsigned int step = 7, round, i;
	uint32_t ids[NB_BUFS], number = 0;

	for (round = 0; number < n; round++) {
		step = 1 + round * 5 % 30;
		if (step > n - number)
			step = n - number;
		for (i = 0; i < step; i++)
			nb_bufs_post(&nic->bufs, nic->queue, (number + i) % NB_BUFS);
		if (nb_bufs_reap(&nic->bufs, nic->queue, ids, step) != step ||
		    !are_numbered(nic, ids, step, number))
			return false;
		number += step;
	}
	return !nb_queue_rx_poll(nic->queue, nic->bufs.meta, 1);
}

/* ---- no receive buffers -------------------------------------------------- */

TEST_F(loopback, leaves_segments_without_buffers)
{
	struct nb_tx_segment segments[4];
	struct nb_tx_completion done[4];
	bool synchronous = true;
	struct nb_enter result;
	uint32_t ids[4];

	start(&self->nic, 256, 256);
	fill_packets(&self->nic, segments, 0, 4);
	ASSERT_EQ(4, nb_queue_tx_avail(self->nic.queue, segments, 4, &synchronous));
	EXPECT_FALSE(synchronous);
	ASSERT_EQ(0, nb_queue_enter(self->nic.queue, NB_ENTER_TX | NB_ENTER_RX, 0, &result));
	EXPECT_EQ(0, result.tx_consumed);
	EXPECT_EQ(0, result.tx_completed);
	EXPECT_EQ(0, nb_queue_tx_poll(self->nic.queue, done, 4));
	EXPECT_EQ(0, nb_stats_of(self->nic.queue).tx_packets);
	EXPECT_GE(nb_stats_of(self->nic.queue).rx_no_buffer, 1);

	/* Two buffers let two packets through, by themselves. */
	nb_bufs_post(&self->nic.bufs, self->nic.queue, 5);
	nb_bufs_post(&self->nic.bufs, self->nic.queue, 3);
	ASSERT_EQ(2, nb_bufs_reap(&self->nic.bufs, self->nic.queue, ids, 2));
	EXPECT_EQ(5, ids[0]);
	EXPECT_EQ(3, ids[1]);
	EXPECT_TRUE(are_numbered(&self->nic, ids, 2, 0));
	ASSERT_EQ(2, nb_tx_reap(self->nic.queue, done, 2));
	EXPECT_EQ(1, done[1].id);
	EXPECT_EQ(0, nb_queue_tx_poll(self->nic.queue, done, 4));

	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	ASSERT_EQ(2, nb_tx_reap(self->nic.queue, done, 2));
	EXPECT_EQ(3, done[1].id);
	EXPECT_EQ(0, nb_stats_of(self->nic.queue).tx_dropped);
}

TEST_F(loopback, delivers_all_in_order_as_buffers_come)
{
	struct nb_tx_segment segments[500];
	struct nb_tx_completion done[500];
	unsigned int i;

	start(&self->nic, 512, 512);
	fill_packets(&self->nic, segments, 0, 500);
	ASSERT_EQ(500, nb_queue_tx_avail(self->nic.queue, segments, 500, NULL));
	EXPECT_TRUE(drain(&self->nic, 500));
	ASSERT_EQ(500, nb_tx_reap(self->nic.queue, done, 500));
	for (i = 0; i < 500; i++)
		EXPECT_EQ(i, done[i].id);
}

static void send_numbered(struct nb_nic *nic, uint32_t n)
{
	char frame[FRAME_LEN];
	uint32_t number;

	for (number = 0; number < n; number++) {
		fill_numbered(frame, number);
		nb_host_send(&nic->host, frame, sizeof(frame));
	}
}

TEST_F(netdev, lets_the_host_queue_without_buffers)
{
	unsigned int round;

	start(&self->nic, 256, 256);
	for (round = 0; round < 3; round++) {
		send_numbered(&self->nic, 500);
		EXPECT_EQ(0, nb_queue_poll_ready(self->nic.queue, 20));
		EXPECT_GE(nb_stats_of(self->nic.queue).rx_no_buffer, 1);
		EXPECT_EQ(500 * round, nb_stats_of(self->nic.queue).rx_packets);
		EXPECT_TRUE(drain(&self->nic, 500));
	}
}

TEST_F(netdev, loses_nothing_while_buffers_come_and_go)
{
	enum { PACKETS = 5000 };
	pid_t child;
	int status;

	start(&self->nic, 256, 256);
	child = nb_sys(fork());
	if (!child) {
		send_numbered(&self->nic, PACKETS);
		_exit(0);
	}
	EXPECT_TRUE(drain(&self->nic, PACKETS));
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(netdev, transmits_while_the_host_waits_for_buffers)
{
	unsigned char got[FRAME_LEN];
	struct nb_tx_segment segments[100];
	unsigned int i;

	start(&self->nic, 256, 256);
	send_numbered(&self->nic, 10);
	fill_packets(&self->nic, segments, 0, 100);
	nb_tx_all(self->nic.queue, segments, 100);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(FRAME_LEN, nb_host_receive(&self->nic.host, got, sizeof(got), NULL));
	EXPECT_TRUE(drain(&self->nic, 10));
}

/* ---- done rings ---------------------------------------------------------- */

TEST_F(pressure, leaves_segments_while_tx_done_is_full)
{
	struct nb_tx_segment segments[200];
	struct nb_tx_completion done[200];
	struct nb_enter result;
	unsigned int i;

	start(&self->nic, 256, 64);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	fill_packets(&self->nic, segments, 0, 200);
	ASSERT_EQ(200, nb_queue_tx_avail(self->nic.queue, segments, 200, NULL));
	EXPECT_EQ(64, nb_stats_of(self->nic.queue).tx_packets);
	ASSERT_EQ(0, nb_queue_enter(self->nic.queue, NB_ENTER_TX, 0, &result));
	EXPECT_EQ(0, result.tx_consumed);
	EXPECT_EQ(64, nb_stats_of(self->nic.queue).tx_packets);

	/* Loopback gets its buffers back, rx-done being as full. */
	for (i = 0; i < 200; ) {
		int n = nb_queue_tx_poll(self->nic.queue, done + i, 200 - i);
		struct nb_rx_metadata meta[64];
		int got, j;

		ASSERT_LE(0, n);
		i += n;
		got = nb_queue_rx_poll(self->nic.queue, meta, ARRAY_LEN(meta));
		for (j = 0; j < got; j++)
			nb_bufs_post(&self->nic.bufs, self->nic.queue, meta[j].id);
		if (!n)
			ASSERT_EQ(1, nb_queue_poll_ready(self->nic.queue, NB_PATIENCE));
	}
	for (i = 0; i < 200; i++) {
		EXPECT_EQ(i, done[i].id);
		EXPECT_EQ(NB_TX_OK, done[i].status);
	}
	EXPECT_EQ(200, nb_stats_of(self->nic.queue).tx_packets);
}

TEST_F(pressure, waits_for_room_in_rx_done)
{
	struct nb_tx_segment segments[100];
	uint32_t ids[100];

	if (variant->kind->sent == NB_COMES_NOWHERE)
		return;
	start(&self->nic, 256, 64);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	if (variant->kind->sent == NB_COMES_TO_HOST) {
		send_numbered(&self->nic, 100);
	} else {
		struct nb_tx_completion done[64];

		fill_packets(&self->nic, segments, 0, 100);
		ASSERT_EQ(64, nb_queue_tx_avail(self->nic.queue, segments, 64, NULL));
		ASSERT_EQ(64, nb_tx_reap(self->nic.queue, done, 64));
		ASSERT_EQ(36, nb_queue_tx_avail(self->nic.queue, segments + 64, 36, NULL));
		EXPECT_EQ(64, nb_stats_of(self->nic.queue).tx_packets);
	}
	EXPECT_EQ(64, nb_stats_of(self->nic.queue).rx_packets);

	/* Room, not buffers, is what the rest waits for. */
	ASSERT_EQ(100, nb_bufs_reap(&self->nic.bufs, self->nic.queue, ids, 100));
	EXPECT_TRUE(are_numbered(&self->nic, ids, 100, 0));
	EXPECT_EQ(100, nb_stats_of(self->nic.queue).rx_packets);
}

/* ---- a full tx-avail ----------------------------------------------------- */

TEST_F(loopback, takes_whole_packets_only)
{
	struct nb_tx_segment segments[80];
	struct nb_tx_completion done[20];
	unsigned int i;

	start(&self->nic, 64, 64);
	nb_frame_put(&self->guest, 0, 1000, 0);
	/* 12 packets of 5 segments fit, the 13th does not. */
	for (i = 0; i < 16; i++)
		nb_tx_split(segments + i * 5, 5, NB_TX_GPA, 1000, i);
	EXPECT_EQ(60, nb_queue_tx_avail(self->nic.queue, segments, 80, NULL));
	EXPECT_EQ(0, nb_queue_tx_avail(self->nic.queue, segments + 60, 20, NULL));
	nb_tx_split(segments, 4, NB_TX_GPA, 1000, 12);
	EXPECT_EQ(4, nb_queue_tx_avail(self->nic.queue, segments, 4, NULL));
	EXPECT_EQ(0, nb_queue_tx_avail(self->nic.queue, segments, 4, NULL));

	self->nic.bufs.n = 64;
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	ASSERT_EQ(13, nb_tx_reap(self->nic.queue, done, 13));
	for (i = 0; i < 13; i++)
		EXPECT_EQ(i, done[i].id);
	EXPECT_EQ(13, nb_bufs_reap(&self->nic.bufs, self->nic.queue, NULL, 13));
}

TEST_HARNESS_MAIN
