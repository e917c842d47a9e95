// SPDX-License-Identifier: GPL-2.0
/*
 * Captures: of every kind of endpoint, what the guest sends and what it gets, as it was;
 * and what a capture may not do: hold anything up, go on without its endpoint, be made by
 * who has not the right to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/capability.h>

#include "kselftest_harness.h"
#include "nbcapture.h"

#define BOTH		(NB_CAPTURE_TX | NB_CAPTURE_RX)
#define PACKETS		20u
/* As many as make the smallest buffer run over several times. */
#define MANY		600u

static const uint32_t lengths[] = { 60, 14, 1500, 61, 777, 1024, 63 };

static uint32_t length_of(unsigned int i)
{
	return lengths[i % ARRAY_LEN(lengths)];
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* ---- every kind ---------------------------------------------------------- */

FIXTURE(kind)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_capture capture;
};

FIXTURE_VARIANT(kind)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(kind, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(kind, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(kind, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(kind, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(kind, switch) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(kind, delay) { .kind = &nb_test_delay };

FIXTURE_SETUP(kind)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
}

FIXTURE_TEARDOWN(kind)
{
	close(self->capture.fd);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* Frames of one segment and of several, in one batch. */
static void send_frames(struct nb_nic *nic)
{
	struct nb_tx_segment segments[4 * PACKETS];
	unsigned int i, n = 0;

	for (i = 0; i < PACKETS; i++) {
		uint32_t len = length_of(i);
		uint64_t gpa = nb_frame_put(nic->guest, i, len, i);

		if (i % 3 == 2)
			nb_tx_split(&segments[n], 4, gpa, len, i);
		else
			segments[n] = nb_tx_packet(gpa, len, i);
		n += i % 3 == 2 ? 4 : 1;
	}
	n = nb_ok(nb_queue_tx_avail(nic->queue, segments, n, NULL));
}

TEST_F(kind, what_the_guest_sends_is_captured)
{
	struct nb_tx_completion done[PACKETS];
	const struct nb_capture_record *record;
	uint64_t last = now_ns();
	unsigned int i;

	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	send_frames(&self->nic);
	ASSERT_EQ(PACKETS, nb_tx_reap(self->nic.queue, done, PACKETS));
	for (i = 0; i < PACKETS; i++) {
		record = nb_capture_next(&self->capture);
		ASSERT_TRUE(nb_record_is_frame(record, NB_CAPTURE_TX, length_of(i), i));
		EXPECT_EQ(0, record->queue);
		EXPECT_EQ(0, record->lost);
		EXPECT_GE(record->time_ns, last);
		last = record->time_ns;
	}
	EXPECT_LE(last, now_ns());
	EXPECT_TRUE(nb_capture_silent(&self->capture));
	EXPECT_EQ(PACKETS, nb_capture_stats_of(&self->capture).packets);
	EXPECT_EQ(0, nb_capture_stats_of(&self->capture).lost);
}

TEST_F(kind, what_the_guest_gets_is_captured)
{
	const struct nb_capture_record *record;
	unsigned char got[NB_BUF_SIZE];
	uint64_t last = now_ns();
	unsigned int i;

	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_RX);
	for (i = 0; i < 5; i++) {
		if (!nb_nic_provoke(&self->nic))
			return;
		ASSERT_EQ(100, nb_nic_received(&self->nic, got, sizeof(got), NULL));
		record = nb_capture_next(&self->capture);
		ASSERT_TRUE(nb_record_is_frame(record, NB_CAPTURE_RX, 100, 0));
		EXPECT_EQ(0, record->queue);
		EXPECT_EQ(0, record->lost);
		EXPECT_GE(record->time_ns, last);
		last = record->time_ns;
	}
	EXPECT_LE(last, now_ns());
	EXPECT_EQ(5, nb_capture_stats_of(&self->capture).packets);
}

TEST_F(kind, works_the_same_while_and_after_it_is_captured)
{
	const struct nb_create_capture small = {
		.flags = BOTH, .queue = NB_ANY_QUEUE, .buffer_size = NB_MIN_CAPTURE_BUFFER,
	};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		nb_capture_start_as(&self->capture, self->nic.ep, small);
		EXPECT_TRUE(nb_nic_works(&self->nic));
		EXPECT_LE(10, nb_capture_stats_of(&self->capture).packets);
		close(self->capture.fd);
		EXPECT_TRUE(nb_nic_works(&self->nic));
	}
}

/* ---- what a capture is --------------------------------------------------- */

FIXTURE(capture)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_capture capture;
};

FIXTURE_SETUP(capture)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	self->capture.fd = -1;
}

FIXTURE_TEARDOWN(capture)
{
	close(self->capture.fd);
	if (self->nic.ep)
		nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static void send_one(struct nb_queue *queue, const struct nb_guest *guest, uint32_t len,
		     uint32_t seed)
{
	struct nb_tx_segment segment = nb_tx_packet(nb_frame_put(guest, 0, len, seed), len, 1);

	nb_tx_all(queue, &segment, 1);
}

TEST_F(capture, a_packet_comes_before_what_it_causes)
{
	unsigned int i;

	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	for (i = 0; i < PACKETS; i++) {
		send_one(self->nic.queue, &self->guest, length_of(i), i);
		ASSERT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, length_of(i), i));
		ASSERT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_RX, length_of(i), i));
	}
}

TEST_F(capture, a_signal_ends_the_wait_for_packets)
{
	ssize_t n;
	int err;

	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	nb_sys(fcntl(self->capture.fd, F_SETFL, 0));
	nb_test_interrupt(true);
	n = read(self->capture.fd, self->capture.buffer, sizeof(self->capture.buffer));
	err = errno;
	nb_test_interrupt(false);
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EINTR, err);
	send_one(self->nic.queue, &self->guest, 100, 1);
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 1));
}

TEST_F(capture, buffers_of_several_segments_and_tags_are_captured)
{
	struct nb_tx_segment segment;
	unsigned char frame[1000];
	uint32_t i;

	self->nic.bufs.segments = 7;
	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_post_range(&self->nic.bufs, self->nic.queue, 0, 4);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	segment = nb_tx_packet(nb_frame_put(&self->guest, 0, sizeof(frame), 5),
			       sizeof(frame), 1);
	segment.flags |= NB_TX_VLAN;
	segment.vlan = 0xa123;
	nb_tx_all(self->nic.queue, &segment, 1);
	nb_frame_fill(frame, sizeof(frame), 5);
	for (i = 0; i < 2; i++) {
		const struct nb_capture_record *record = nb_capture_next(&self->capture);
		uint32_t direction = i ? NB_CAPTURE_RX : NB_CAPTURE_TX;

		ASSERT_TRUE(nb_record_is_part(record, direction | NB_CAPTURE_VLAN, frame,
					      sizeof(frame), sizeof(frame)));
		EXPECT_EQ(0xa123, record->vlan);
	}
}

TEST_F(capture, snaplen_cuts_the_copy_and_not_the_packet)
{
	const struct nb_create_capture call = {
		.flags = BOTH, .queue = NB_ANY_QUEUE, .snaplen = 21,
	};
	unsigned char frame[1500];
	unsigned int i;
	uint32_t id;

	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start_as(&self->capture, self->nic.ep, call);
	send_one(self->nic.queue, &self->guest, 1500, 3);
	send_one(self->nic.queue, &self->guest, 14, 4);
	nb_frame_fill(frame, 1500, 3);
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(nb_record_is_part(nb_capture_next(&self->capture),
					      i ? NB_CAPTURE_RX : NB_CAPTURE_TX,
					      frame, 1500, 21));
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 14, 4));
	ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, &id, 1));
	EXPECT_TRUE(nb_bufs_equal(&self->nic.bufs, &self->guest, id, frame, 1500));
}

TEST_F(capture, one_queue_and_one_direction_can_be_chosen)
{
	const struct nb_create_capture call = { .flags = NB_CAPTURE_RX, .queue = 1 };
	unsigned int i;

	nb_nic_start(&self->nic, 3, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start_as(&self->capture, self->nic.ep, call);
	for (i = 0; i < 9; i++)
		send_one(self->nic.queues[i % 3], &self->guest, 100, i);
	for (i = 1; i < 9; i += 3) {
		const struct nb_capture_record *record = nb_capture_next(&self->capture);

		ASSERT_TRUE(nb_record_is_frame(record, NB_CAPTURE_RX, 100, i));
		EXPECT_EQ(1, record->queue);
	}
	EXPECT_TRUE(nb_capture_silent(&self->capture));
	EXPECT_EQ(3, nb_capture_stats_of(&self->capture).packets);
}

TEST_F(capture, what_waits_for_buffers_is_captured_when_it_is_taken)
{
	struct nb_tx_segment segments[PACKETS];
	struct nb_tx_completion done[PACKETS];
	unsigned int i, k;

	nb_nic_start(&self->nic, 1, 0);
	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	for (i = 0; i < PACKETS; i++)
		segments[i] = nb_tx_packet(nb_frame_put(&self->guest, i, 100, i), 100, i);
	nb_ok(nb_queue_tx_avail(self->nic.queue, segments, PACKETS, NULL));
	for (i = 0; i < PACKETS; i++) {
		for (k = 0; k < 3; k++)
			nb_ok(nb_queue_enter(self->nic.queue, NB_ENTER_TX, 0, NULL));
		ASSERT_TRUE(nb_capture_silent(&self->capture));
		ASSERT_EQ(i, nb_capture_stats_of(&self->capture).packets);
		nb_bufs_post(&self->nic.bufs, self->nic.queue, i);
		ASSERT_EQ(1, nb_tx_reap(self->nic.queue, done, 1));
		ASSERT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, i));
	}
}

/* In both directions, what is void is in front of what comes from elsewhere. */
TEST_F(capture, what_is_not_taken_leaves_no_trace)
{
	struct nb_tx_segment segments[PACKETS];
	struct nb_tx_completion done[PACKETS];
	unsigned int i, n_tx = 0, n_rx = 0;

	nb_nic_start(&self->nic, 1, 0);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	for (i = 0; i < PACKETS; i++)
		segments[i] = nb_tx_packet(nb_frame_put(&self->guest, i, 100, i), 100, i);
	nb_bufs_post_range(&self->nic.bufs, self->nic.queue, 0, 7);
	nb_ok(nb_queue_tx_avail(self->nic.queue, segments, PACKETS, NULL));
	nb_bufs_post_range(&self->nic.bufs, self->nic.queue, 7, PACKETS - 7);
	ASSERT_EQ(PACKETS, nb_tx_reap(self->nic.queue, done, PACKETS));
	for (i = 0; i < 2 * PACKETS; i++) {
		const struct nb_capture_record *record = nb_capture_next(&self->capture);

		ASSERT_NE(NULL, record);
		ASSERT_TRUE(nb_record_is_frame(record, record->flags, 100,
					       record->flags == NB_CAPTURE_TX ? n_tx++ :
										n_rx++));
		ASSERT_LE(n_rx, n_tx);
	}
	EXPECT_TRUE(nb_capture_silent(&self->capture));
	EXPECT_EQ(2 * PACKETS, nb_capture_stats_of(&self->capture).packets);
}

TEST_F(capture, what_is_malformed_is_not_captured)
{
	struct nb_tx_segment segments[PACKETS];
	struct nb_tx_completion done[PACKETS];
	unsigned int i;

	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	for (i = 0; i < PACKETS; i++) {
		segments[i] = nb_tx_frame(&self->guest, i, 100);
		segments[i].packet_len += i % 2;
	}
	nb_ok(nb_queue_tx_avail(self->nic.queue, segments, PACKETS, NULL));
	ASSERT_EQ(PACKETS, nb_tx_reap(self->nic.queue, done, PACKETS));
	for (i = 0; i < PACKETS; i++)
		ASSERT_EQ(i % 2 ? NB_TX_INVALID : NB_TX_OK, done[i].status);
	for (i = 0; i < PACKETS; i += 2)
		ASSERT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, i));
	EXPECT_TRUE(nb_capture_silent(&self->capture));
	EXPECT_EQ(PACKETS / 2, nb_capture_stats_of(&self->capture).packets);
}

/* Frames of 1500 bytes go out, and come back. */
static bool frames_come_back(FIXTURE_DATA(capture) *self, unsigned int n, uint32_t seed)
{
	uint32_t id;

	while (n--) {
		send_one(self->nic.queue, &self->guest, 1500, seed++);
		if (nb_bufs_reap(&self->nic.bufs, self->nic.queue, &id, 1) != 1)
			return false;
		nb_bufs_post(&self->nic.bufs, self->nic.queue, id);
	}
	return true;
}

TEST_F(capture, a_slow_reader_loses_packets_that_are_counted_and_nobody_else_does)
{
	const struct nb_create_capture call = {
		.flags = NB_CAPTURE_TX, .queue = NB_ANY_QUEUE,
		.buffer_size = NB_MIN_CAPTURE_BUFFER,
	};
	const struct nb_capture_record *record;
	unsigned int i, n = 0, round;
	struct nb_capture_stats stats;
	uint64_t lost = 0;

	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start_as(&self->capture, self->nic.ep, call);
	for (round = 0; round < 3; round++) {
		ASSERT_TRUE(frames_come_back(self, MANY, n));
		stats = nb_capture_stats_of(&self->capture);
		ASSERT_EQ((round + 1) * MANY, stats.packets);
		ASSERT_LT(lost, stats.lost);
		/* Those that came first are there, as many as fit. */
		for (i = 0; i < MANY - (stats.lost - lost); i++) {
			record = nb_capture_next(&self->capture);
			ASSERT_TRUE(nb_record_is_frame(record, NB_CAPTURE_TX, 1500, n + i));
			ASSERT_EQ(lost, record->lost);
		}
		ASSERT_LT(NB_MIN_CAPTURE_BUFFER / 2, i * 1500);
		ASSERT_TRUE(nb_capture_silent(&self->capture));
		lost = stats.lost;
		n += MANY;
	}
	EXPECT_EQ(n, nb_stats_of(self->nic.queue).rx_packets);
	EXPECT_EQ(n, nb_stats_of(self->nic.queue).tx_packets);
}

TEST_F(capture, a_slow_reader_loses_what_the_guest_gets_and_it_is_counted_too)
{
	const struct nb_create_capture call = {
		.flags = NB_CAPTURE_RX, .queue = NB_ANY_QUEUE,
		.buffer_size = NB_MIN_CAPTURE_BUFFER,
	};
	const struct nb_capture_record *record;
	struct nb_capture_stats stats;
	unsigned int i;

	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start_as(&self->capture, self->nic.ep, call);
	ASSERT_TRUE(frames_come_back(self, MANY, 0));
	stats = nb_capture_stats_of(&self->capture);
	EXPECT_EQ(MANY, stats.packets);
	ASSERT_LT(0, stats.lost);
	for (i = 0; i < MANY - stats.lost; i++) {
		record = nb_capture_next(&self->capture);
		ASSERT_TRUE(nb_record_is_frame(record, NB_CAPTURE_RX, 1500, i));
		ASSERT_EQ(0, record->lost);
	}
	ASSERT_TRUE(nb_capture_silent(&self->capture));
	/* The next one tells of them. */
	ASSERT_TRUE(frames_come_back(self, 1, MANY));
	record = nb_capture_next(&self->capture);
	ASSERT_TRUE(nb_record_is_frame(record, NB_CAPTURE_RX, 1500, MANY));
	EXPECT_EQ(stats.lost, record->lost);
}

TEST_F(capture, goes_on_over_new_queues_and_ends_with_the_endpoint)
{
	struct pollfd wait = { .events = POLLIN };
	unsigned int i;

	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	for (i = 0; i < 2; i++) {
		nb_nic_start(&self->nic, 1, 0);
		nb_bufs_init(&self->nic.bufs);
		nb_nic_post_all(&self->nic);
		send_one(self->nic.queue, &self->guest, 100, i);
		nb_nic_stop(&self->nic);
	}
	nb_nic_close(&self->nic);
	self->nic.ep = NULL;
	wait.fd = self->capture.fd;
	ASSERT_EQ(1, nb_sys(poll(&wait, 1, NB_PATIENCE)));
	EXPECT_TRUE(wait.revents & POLLHUP);
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, i));
	EXPECT_EQ(0, read(self->capture.fd, self->capture.buffer, 4096));
}

TEST_F(capture, survives_another_backend)
{
	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
	/* Served as kind null does. */
	nb_nic_start(&self->nic, 1, 0);
	send_one(self->nic.queue, &self->guest, 100, 1);
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 1));
	nb_nic_stop(&self->nic);
	nb_ok(nb_endpoint_connect(self->nic.ep, NULL));
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	send_one(self->nic.queue, &self->guest, 100, 2);
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 2));
}

/* ---- calls --------------------------------------------------------------- */

TEST_F(capture, needs_cap_net_admin_where_the_endpoint_is)
{
	const struct nb_create_capture call = {
		.flags = BOTH, .queue = NB_ANY_QUEUE, .endpoint_id = nb_capture_id_of(self->nic.ep),
	};

	nb_host_new_netns();
	EXPECT_EQ(-ENOENT, nb_capture_try(self->nic.ep, call));
	nb_test_drop_capability(CAP_NET_ADMIN);
	EXPECT_EQ(-EPERM, nb_capture_try(self->nic.ep, call));
	EXPECT_NE(NULL, strstr(nb_capture_message, "CAP_NET_ADMIN"));
}

TEST_F(capture, the_owner_of_a_network_namespace_has_the_right_there)
{
	const struct nb_create_capture elsewhere = {
		.flags = BOTH, .queue = NB_ANY_QUEUE, .endpoint_id = nb_capture_id_of(self->nic.ep),
	};
	struct nb_endpoint *mine;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		SKIP(return, "the kernel has no user namespaces");
	nb_ok(nb_test_create(&self->guest, &nb_test_null, NULL, &mine));
	nb_capture_start(&self->capture, mine, BOTH);
	EXPECT_EQ(-ENOENT, nb_capture_try(mine, elsewhere));
	nb_endpoint_close(mine);
}

TEST_F(capture, an_endpoint_has_one_at_a_time)
{
	const struct nb_create_capture call = { .flags = BOTH, .queue = NB_ANY_QUEUE };
	int ready[2], fd;
	pid_t child;

	/* One that is killed leaves nothing. */
	nb_sys(pipe(ready));
	child = nb_sys(fork());
	if (!child) {
		fd = nb_capture_try(self->nic.ep, call);
		nb_sys(write(ready[1], &fd, sizeof(fd)));
		pause();
	}
	ASSERT_EQ(sizeof(fd), nb_sys(read(ready[0], &fd, sizeof(fd))));
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, nb_capture_try(self->nic.ep, call));
	EXPECT_LT(10, strlen(nb_capture_message));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	send_one(self->nic.queue, &self->guest, 100, 1);
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 1));
}

TEST_F(capture, bad_calls_are_refused)
{
	struct nb_create_capture bad[] = {
		{ .flags = 0, .queue = NB_ANY_QUEUE },
		{ .flags = BOTH | NB_CAPTURE_VLAN, .queue = NB_ANY_QUEUE },
		{ .flags = BOTH, .queue = NB_MAX_QUEUES },
		{ .flags = BOTH, .buffer_size = NB_MIN_CAPTURE_BUFFER / 2 },
		{ .flags = BOTH, .buffer_size = 2 * NB_MAX_CAPTURE_BUFFER },
		{ .flags = BOTH, .buffer_size = 3 * NB_MIN_CAPTURE_BUFFER },
	};
	struct nb_capture_record small[2];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		EXPECT_EQ(-EINVAL, nb_capture_try(self->nic.ep, bad[i]));
		EXPECT_LT(10, strlen(nb_capture_message));
	}
	bad[0] = (struct nb_create_capture){ .flags = BOTH, .endpoint_id = INT32_MAX };
	EXPECT_EQ(-ENOENT, nb_capture_try(self->nic.ep, bad[0]));
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	nb_sys(fcntl(self->capture.fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->capture.fd, small, sizeof(small)));
	EXPECT_EQ(EAGAIN, errno);
	send_one(self->nic.queue, &self->guest, 100, 1);
	EXPECT_EQ(-1, read(self->capture.fd, small, sizeof(small)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, syscall(SYS_read, self->capture.fd, 8L, 4096L));
	EXPECT_EQ(EFAULT, errno);
	/* And nothing is lost by that. */
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 1));
}

TEST_HARNESS_MAIN
