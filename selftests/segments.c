// SPDX-License-Identifier: GPL-2.0
/*
 * The crate's functions packet_count, next_packet and linearize, libnb's access to
 * guest memory, and what libnb refuses before the kernel sees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "nbtest.h"

FIXTURE(segments)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_tx_segment list[6];	/* packets of 1, 3 and 2 segments */
	unsigned char frames[3][200];
};

FIXTURE_SETUP(segments)
{
	unsigned int i;

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	for (i = 0; i < 3; i++) {
		nb_frame_put(&self->guest, i, 200, i);
		nb_frame_fill(self->frames[i], 200, i);
	}
	nb_tx_split(self->list, 1, NB_TX_GPA, 100, 0);
	nb_tx_split(self->list + 1, 3, NB_TX_GPA + NB_PAGE, 150, 1);
	nb_tx_split(self->list + 4, 2, NB_TX_GPA + 2 * NB_PAGE, 200, 2);
}

FIXTURE_TEARDOWN(segments)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- lists --------------------------------------------------------------- */

TEST_F(segments, packets_are_counted)
{
	EXPECT_EQ(0, nb_packet_count(self->list, 0));
	EXPECT_EQ(1, nb_packet_count(self->list, 1));
	EXPECT_EQ(2, nb_packet_count(self->list, 4));
	EXPECT_EQ(3, nb_packet_count(self->list, 6));
	EXPECT_EQ(1, nb_packet_count(self->list + 4, 2));
}

TEST_F(segments, the_next_packet_is_as_long_as_its_segments)
{
	EXPECT_EQ(0, nb_next_packet(self->list, 0));
	EXPECT_EQ(1, nb_next_packet(self->list, 6));
	EXPECT_EQ(3, nb_next_packet(self->list + 1, 5));
	EXPECT_EQ(3, nb_next_packet(self->list + 1, 3));
	EXPECT_EQ(2, nb_next_packet(self->list + 4, 2));
}

TEST_F(segments, lists_of_anything_but_whole_packets_are_invalid)
{
	struct nb_tx_segment *list = self->list;

	EXPECT_EQ(-EINVAL, nb_packet_count(list, 3));
	EXPECT_EQ(-EINVAL, nb_packet_count(list + 2, 4));
	EXPECT_EQ(-EINVAL, nb_next_packet(list + 1, 2));
	EXPECT_EQ(-EINVAL, nb_next_packet(list + 2, 4));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	EXPECT_EQ(-EINVAL, nb_queue_tx_avail(self->nic.queue, list, 3, NULL));
	EXPECT_EQ(-EINVAL, nb_queue_tx_avail(self->nic.queue, list + 2, 4, NULL));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));

	/* A head where a tail should be, and a packet without a segment. */
	list[2].flags = NB_TX_HEAD;
	EXPECT_EQ(-EINVAL, nb_packet_count(list, 6));
	list[2].flags = 0;
	list[4].segment_count = 0;
	EXPECT_EQ(-EINVAL, nb_packet_count(list, 6));
	EXPECT_EQ(-EINVAL, nb_next_packet(list + 4, 2));
	list[4].segment_count = 2;
	nb_tx_all(self->nic.queue, list, 6);
}

TEST_F(segments, a_packet_of_more_segments_than_the_ring_has_is_refused)
{
	struct nb_tx_segment segments[65];

	nb_nic_stop(&self->nic);
	nb_nic_start(&self->nic, 1, 64);
	nb_bufs_post_range(&self->nic.bufs, self->nic.queue, 0, 64);
	nb_tx_split(segments, 65, NB_TX_GPA, 130, 0);
	EXPECT_EQ(-EINVAL, nb_queue_tx_avail(self->nic.queue, segments, 65, NULL));
	EXPECT_NE(NULL, strstr(nb_error(), "65 segments for a ring of 64"));
	nb_tx_split(segments, 64, NB_TX_GPA, 130, 0);
	nb_tx_all(self->nic.queue, segments, 64);
}

/* ---- linearize ----------------------------------------------------------- */

TEST_F(segments, linearize_steps_through_a_list)
{
	static const unsigned int lens[] = { 100, 150, 200 };
	const struct nb_tx_segment *next = self->list;
	unsigned char buffer[200];
	unsigned int n = 6, i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(lens[i], nb_linearize(self->guest.mem, &next, &n, buffer, 200));
		EXPECT_EQ(0, memcmp(self->frames[i], buffer, lens[i]));
	}
	EXPECT_EQ(0, n);
	EXPECT_EQ(self->list + 6, next);
}

TEST_F(segments, linearize_that_fails_leaves_the_list_as_it_is)
{
	const struct nb_tx_segment *next = self->list + 1;
	unsigned char buffer[200];
	unsigned int n = 5;

	EXPECT_EQ(-EMSGSIZE, nb_linearize(self->guest.mem, &next, &n, buffer, 149));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	self->list[1].packet_len = 151;
	EXPECT_EQ(-EINVAL, nb_linearize(self->guest.mem, &next, &n, buffer, 200));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	self->list[1].packet_len = 150;
	self->list[3].gpa = NB_GAP_GPA;
	EXPECT_EQ(-EFAULT, nb_linearize(self->guest.mem, &next, &n, buffer, 200));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	EXPECT_EQ(5, n);
	EXPECT_EQ(self->list + 1, next);

	next = self->list;
	n = 0;
	EXPECT_EQ(-EINVAL, nb_linearize(self->guest.mem, &next, &n, buffer, 200));
	EXPECT_NE(NULL, strstr(nb_error(), "empty"));
	EXPECT_EQ(&self->list[0], next);

	next = self->list + 2;
	n = 4;
	EXPECT_EQ(-EINVAL, nb_linearize(self->guest.mem, &next, &n, buffer, 200));
	EXPECT_EQ(self->list + 2, next);
}

/* ---- guest memory -------------------------------------------------------- */

TEST_F(segments, guest_memory_is_read_and_written_across_regions)
{
	unsigned char written[3 * NB_PAGE], got[3 * NB_PAGE];
	struct nb_memory *mem = self->guest.mem;
	uint64_t gpa = NB_GAP_GPA - NB_PAGE;

	nb_frame_fill(written, sizeof(written), 9);
	EXPECT_EQ(-EFAULT, nb_memory_write(mem, gpa, written, sizeof(written)));
	EXPECT_EQ(-EFAULT, nb_memory_read(mem, gpa, got, sizeof(got)));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	/* Nothing of it has been written. */
	EXPECT_EQ(0, nb_memory_read(mem, gpa, got, NB_PAGE));
	EXPECT_NE(0, memcmp(got, written, NB_HEADER_LEN));

	nb_ok(nb_memory_add(mem, NB_GAP_GPA, nb_test_pages(NB_PAGE), NB_PAGE, 0));
	EXPECT_EQ(0, nb_memory_write(mem, gpa, written, sizeof(written)));
	EXPECT_EQ(0, nb_memory_read(mem, gpa, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(written, got, sizeof(got)));
}

TEST_F(segments, guest_memory_has_addresses_within_one_region)
{
	struct nb_memory *mem = self->guest.mem;
	unsigned char *start = nb_memory_ptr(mem, NB_TX_GPA, NB_TX_SIZE);

	EXPECT_NE(NULL, start);
	EXPECT_EQ(start + 100, nb_memory_ptr(mem, NB_TX_GPA + 100, 1));
	EXPECT_NULL(nb_memory_ptr(mem, NB_TX_GPA, NB_TX_SIZE + 1));
	EXPECT_NULL(nb_memory_ptr(mem, NB_GAP_GPA, 1));
	EXPECT_NULL(nb_memory_ptr(mem, NB_GAP_GPA - 1, 2));
	EXPECT_NULL(nb_memory_ptr(mem, -1ull, 2));
}

TEST_F(segments, read_only_guest_memory_is_not_written)
{
	struct nb_memory *mem = self->guest.mem;
	unsigned char *page = nb_test_pages(NB_PAGE), byte = 1;

	nb_ok(nb_memory_add(mem, NB_MORE_GPA, page, NB_PAGE, NB_REGION_READ_ONLY));
	EXPECT_EQ(-EFAULT, nb_memory_write(mem, NB_MORE_GPA, &byte, 1));
	EXPECT_EQ(0, page[0]);
	EXPECT_EQ(0, nb_memory_read(mem, NB_MORE_GPA, &byte, 1));
	EXPECT_EQ(0, byte);
}

/* ---- buffers and fds ----------------------------------------------------- */

TEST_F(segments, buffers_are_made_available_as_a_whole)
{
	struct nb_rx_segment buffer[2] = {
		{ .gpa = NB_RX_GPA, .len = 1000 | NB_RX_MORE }, { .gpa = NB_RX_GPA, .len = 100 },
	};

	EXPECT_EQ(-EINVAL, nb_queue_rx_avail(self->nic.queue, buffer, 1));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	EXPECT_EQ(2, nb_queue_rx_avail(self->nic.queue, buffer, 2));
	EXPECT_EQ(0, nb_queue_rx_avail(self->nic.queue, buffer, 0));
}

TEST_F(segments, a_queue_goes_on_in_other_hands)
{
	struct nb_queue *other;
	unsigned int round;

	for (round = 0; round < 50; round++) {
		ASSERT_TRUE(nb_nic_works(&self->nic));
		ASSERT_EQ(0, nb_queue_from_fd(nb_sys(dup(nb_queue_fd(self->nic.queue))), &other));
		nb_queue_close(self->nic.queue);
		self->nic.queue = other;
		self->nic.queues[0] = other;
	}
}

TEST_F(segments, an_object_is_made_of_its_own_fd)
{
	int null = nb_sys(open("/dev/null", O_RDWR | O_CLOEXEC));
	int queue = nb_queue_fd(self->nic.queue);
	struct nb_endpoint *ep;
	struct nb_memory *mem;
	struct nb_queue *other;

	EXPECT_EQ(-EBADF, nb_endpoint_from_fd(queue, &ep));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	EXPECT_EQ(-EBADF, nb_endpoint_from_fd(null, &ep));
	EXPECT_EQ(-EBADF, nb_queue_from_fd(nb_memory_fd(self->guest.mem), &other));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	EXPECT_EQ(-EBADF, nb_queue_from_fd(null, &other));
	EXPECT_EQ(-EBADF, nb_memory_from_fd(queue, &mem));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	EXPECT_EQ(-EBADF, nb_memory_from_fd(-1, &mem));
	close(null);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(segments, names_that_are_too_long_are_refused_and_not_cut)
{
	struct nb_endpoint_params params = { .kind = "null", .netns_fd = -1 };
	struct nb_endpoint *ep;

	params.name = "sixteen-letters-";
	EXPECT_EQ(-EINVAL, nb_endpoint_create(self->guest.nb, &params, &ep));
	EXPECT_NE(NULL, strstr(nb_error(), "is longer than 15 characters"));
	params.name++;
	ASSERT_EQ(0, nb_endpoint_create(self->guest.nb, &params, &ep));
	nb_endpoint_close(ep);
	params.kind = "nullnullnullnull";
	EXPECT_EQ(-EINVAL, nb_endpoint_create(self->guest.nb, &params, &ep));
	EXPECT_NE(NULL, strstr(nb_error(), "kind 'nullnullnullnull'"));
}

/* Lets this process open no more files: what its limit was. */
static struct rlimit open_no_more(void)
{
	struct rlimit before, limit;
	int next = nb_sys(dup(STDERR_FILENO));

	close(next);
	nb_sys(getrlimit(RLIMIT_NOFILE, &before));
	limit = before;
	limit.rlim_cur = next;
	nb_sys(setrlimit(RLIMIT_NOFILE, &limit));
	return before;
}

TEST_F(segments, without_an_fd_nothing_is_made)
{
	struct nb_endpoint_params params = { .kind = "null", .name = "one", .netns_fd = -1 };
	struct rlimit before = open_no_more();
	struct nb_endpoint *ep;
	struct nb_memory *mem;
	struct nb *nb;

	EXPECT_EQ(-EMFILE, nb_open(&nb));
	EXPECT_NE(NULL, strchr(nb_error(), ' '));
	EXPECT_EQ(-EMFILE, nb_memory_create(self->guest.nb, &mem));
	EXPECT_NE(NULL, strstr(nb_error(), "no file descriptor"));
	EXPECT_EQ(-EMFILE, nb_endpoint_create(self->guest.nb, &params, &ep));
	EXPECT_NE(NULL, strstr(nb_error(), "no file descriptor"));
	nb_sys(setrlimit(RLIMIT_NOFILE, &before));
	/* Its name is free. */
	ASSERT_EQ(0, nb_endpoint_create(self->guest.nb, &params, &ep));
	nb_endpoint_close(ep);
}

TEST_HARNESS_MAIN
