// SPDX-License-Identifier: GPL-2.0
/*
 * Rings and maps: what the header says of them, who may write what, and what becomes
 * of a queue whose frontend writes nonsense there.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

#define ENTRIES		128u
#define LEN		100u
#define BUFFERS		8u

FIXTURE(badrings)
{
	struct nb_guest guest;
	struct nb_nic nic;	/* without queues of its own */
	struct nb_nic other;	/* somebody else */
	struct nb_raw raw;
};

FIXTURE_VARIANT(badrings)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(badrings, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(badrings, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(badrings, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(badrings, netdev) { .kind = &nb_test_netdev };

static void open_queue(FIXTURE_DATA(badrings) *self)
{
	struct nb_rx_segment buffers[BUFFERS];
	struct nb_endpoint_info info;
	unsigned int i;

	nb_raw_open(&self->raw, self->nic.ep, self->guest.mem, ENTRIES);
	for (i = 0; i < ARRAY_LEN(buffers); i++)
		buffers[i] = (struct nb_rx_segment){ .gpa = NB_RX_GPA + i * NB_BUF_SIZE,
						     .len = NB_BUF_SIZE, .id = i };
	nb_raw_rx(&self->raw, buffers, ARRAY_LEN(buffers));
	if (self->nic.kind->sent != NB_COMES_TO_HOST)
		return;
	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	nb_host_open(&self->nic.host, info.ifindex);
}

FIXTURE_SETUP(badrings)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->other, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->other, 1, 0);
	self->other.bufs.n = 64;
	self->other.bufs.gpa = NB_RX_GPA + NB_RX_SIZE / 2;
	nb_bufs_post_all(&self->other.bufs, self->other.queue);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	open_queue(self);
}

FIXTURE_TEARDOWN(badrings)
{
	EXPECT_TRUE(nb_nic_works(&self->other));
	nb_host_close(&self->nic.host);
	nb_raw_close(&self->raw);
	nb_nic_close(&self->nic);
	nb_nic_close(&self->other);
	nb_guest_close(&self->guest);
}

/* Posts a packet, and lets the kernel see it: 0 or what ENTER said. */
static int transmit(FIXTURE_DATA(badrings) *self)
{
	struct nb_tx_segment packet = nb_tx_packet(nb_frame_put(&self->guest, 0, LEN, 1), LEN, 5);

	nb_raw_tx(&self->raw, &packet, 1);
	return nb_raw_enter(&self->raw, NB_ENTER_TX, NULL);
}

static bool works(FIXTURE_DATA(badrings) *self)
{
	struct nb_tx_completion done;

	return !transmit(self) && nb_raw_tx_done(&self->raw, &done) && done.id == 5 &&
	       done.status == NB_TX_OK;
}

/* ---- maps ---------------------------------------------------------------- */

TEST_F(badrings, the_header_describes_the_rings)
{
	static const uint32_t sizes[NB_N_RINGS] = { 32, 8, 16, 32 };
	const struct nb_queue_header *header = self->raw.header;
	unsigned int i;

	EXPECT_EQ(NB_QUEUE_MAGIC, header->magic);
	EXPECT_GE(header->header_size, sizeof(*header));
	EXPECT_EQ(self->raw.kernel_size, header->kernel_map_size);
	EXPECT_EQ(self->raw.user_size, header->user_map_size);
	EXPECT_EQ(NB_N_RINGS, header->n_rings);
	EXPECT_EQ(0, header->kernel_map_size % NB_PAGE);
	EXPECT_EQ(0, header->user_map_size % NB_PAGE);
	for (i = 0; i < NB_N_RINGS; i++) {
		const struct nb_ring_layout *ring = &header->rings[i];
		bool ours = i == NB_RING_TX_AVAIL || i == NB_RING_RX_AVAIL;
		uint32_t end = ring->entries_offset + ring->entries * ring->entry_size;

		EXPECT_EQ(ENTRIES, ring->entries);
		EXPECT_EQ(ENTRIES - 1, ring->mask);
		EXPECT_GE(ring->entry_size, sizes[i]);
		EXPECT_EQ(0, ring->entries_offset % 8);
		EXPECT_LE(end, ours ? header->user_map_size : header->kernel_map_size);
		EXPECT_EQ(0, ring->reserved[0] | ring->reserved[1]);
	}
	EXPECT_EQ(NB_QUEUE_RUNNING, nb_raw_state(&self->raw));
	EXPECT_EQ(NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX, *self->raw.need_notify);
	EXPECT_EQ(NB_NEED_WAKEUP_TX, *self->raw.need_wakeup & NB_NEED_WAKEUP_TX);
}

static int map_errno(int fd, size_t len, int protection, int flags, uint64_t offset)
{
	void *address = mmap(NULL, len, protection, flags, fd, offset);

	if (address == MAP_FAILED)
		return errno;
	munmap(address, len);
	return 0;
}

TEST_F(badrings, maps_are_shared_and_no_larger_than_they_are)
{
	int fd = self->raw.fd;

	EXPECT_EQ(0, map_errno(fd, self->raw.kernel_size, PROT_READ, MAP_SHARED, NB_MMAP_KERNEL));
	EXPECT_EQ(0, map_errno(fd, self->raw.user_size, PROT_READ, MAP_SHARED, NB_MMAP_USER));
	EXPECT_NE(0, map_errno(fd, NB_PAGE, PROT_READ, MAP_PRIVATE, NB_MMAP_KERNEL));
	EXPECT_NE(0, map_errno(fd, NB_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, NB_MMAP_KERNEL));
	EXPECT_NE(0, map_errno(fd, NB_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, NB_MMAP_USER));
	EXPECT_NE(0, map_errno(fd, self->raw.kernel_size + NB_PAGE, PROT_READ, MAP_SHARED,
			       NB_MMAP_KERNEL));
	EXPECT_NE(0, map_errno(fd, self->raw.user_size + NB_PAGE, PROT_READ, MAP_SHARED,
			       NB_MMAP_USER));
	EXPECT_NE(0, map_errno(fd, NB_PAGE, PROT_READ, MAP_SHARED,
			       NB_MMAP_KERNEL + self->raw.kernel_size));
	EXPECT_NE(0, map_errno(fd, NB_PAGE, PROT_READ, MAP_SHARED,
			       NB_MMAP_USER + self->raw.user_size));
	EXPECT_NE(0, map_errno(fd, NB_PAGE, PROT_READ, MAP_SHARED, NB_MMAP_USER / 2));
	EXPECT_NE(0, map_errno(fd, NB_PAGE, PROT_READ, MAP_SHARED, 1ull << 40));
	EXPECT_EQ(MAP_FAILED, mremap(self->raw.user, self->raw.user_size,
				     self->raw.user_size + NB_PAGE, MREMAP_MAYMOVE));
	EXPECT_TRUE(works(self));
}

TEST_F(badrings, the_kernel_map_cannot_be_made_writable)
{
	EXPECT_NE(0, map_errno(self->raw.fd, NB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			       NB_MMAP_KERNEL));
	EXPECT_NE(0, map_errno(self->raw.fd, NB_PAGE, PROT_WRITE, MAP_SHARED, NB_MMAP_KERNEL));
	EXPECT_EQ(-1, mprotect(self->raw.kernel, self->raw.kernel_size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(self->raw.kernel, NB_PAGE, PROT_WRITE));
	EXPECT_TRUE(works(self));
}

TEST_F_SIGNAL(badrings, writing_to_the_kernel_map_is_a_segmentation_fault, SIGSEGV)
{
	*(volatile uint32_t *)self->raw.state = NB_QUEUE_FAILED;
}

TEST_F(badrings, maps_stay_when_everything_is_closed)
{
	nb_nic_close(&self->nic);
	close(self->raw.fd);
	EXPECT_EQ(NB_QUEUE_MAGIC, self->raw.header->magic);
	*self->raw.need_notify = 0;
	memset(self->raw.user, 0xff, self->raw.user_size);
	munmap(self->raw.kernel, self->raw.kernel_size);
	munmap(self->raw.user, self->raw.user_size);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	open_queue(self);
	EXPECT_TRUE(works(self));
}

/* ---- ring sizes ---------------------------------------------------------- */

/* Sizes that overflow. CVE-2022-23085: netmap allocated by numbers that it had not looked at. */
TEST_F(badrings, sizes_are_powers_of_two_from_64_to_32768)
{
	static const uint32_t bad[] = { 0, 1, 32, 63, 65, 96, 100, 32767, 32769, 65536, 1u << 31,
					0xffffffff };
	struct nb_queue_config config;
	int fd;
	struct nb_get_queues get = {
		.size = sizeof(get),
		.configs = (uintptr_t)&config,
		.fds = (uintptr_t)&fd,
		.n_queues = 1,
		.config_size = sizeof(config),
		.memory_fd = nb_memory_fd(self->guest.mem),
	};
	uint32_t *ring = &config.tx_avail_entries;
	struct nb_endpoint_params params = { .kind = variant->kind->name, .netns_fd = -1 };
	struct nb_endpoint *ep;
	unsigned int i, j;

	nb_ok(nb_endpoint_create(self->guest.nb, &params, &ep));
	for (i = 0; i < NB_N_RINGS; i++) {
		for (j = 0; j < ARRAY_LEN(bad); j++) {
			config = (struct nb_queue_config){ 64, 64, 64, 64, NB_ANY_CPU, 0 };
			ring[i] = bad[j];
			fd = -7;
			EXPECT_EQ(-EINVAL, nb_raw_call(nb_endpoint_fd(ep), NB_ENDPOINT_GET_QUEUES,
						       &get));
			EXPECT_TRUE(nb_raw_explained());
			EXPECT_EQ(-7, fd);
		}
	}
	nb_endpoint_close(ep);
}

/* ---- indices ------------------------------------------------------------- */

/* Lets the kernel receive a packet. */
static void provoke_receive(FIXTURE_DATA(badrings) *self)
{
	struct nb_tx_completion done;
	unsigned char frame[LEN];

	if (self->nic.kind->sent == NB_COMES_TO_HOST) {
		nb_frame_fill(frame, LEN, 1);
		nb_host_send(&self->nic.host, frame, LEN);
		/* It may have been waiting. */
		nb_raw_enter(&self->raw, NB_ENTER_RX, NULL);
	} else {
		transmit(self);
		nb_raw_tx_done(&self->raw, &done);
	}
}

static void post_buffers(struct nb_raw *raw, unsigned int n)
{
	struct nb_rx_segment buffer = { .gpa = NB_RX_GPA, .len = NB_BUF_SIZE };

	while (n--)
		nb_raw_rx(raw, &buffer, 1);
}

/* Brings the queue to where the next packet makes the kernel look at the index. */
static void prepare(FIXTURE_DATA(badrings) *self, enum nb_ring_id ring)
{
	struct nb_rx_metadata meta;
	unsigned int i;

	if (ring == NB_RING_RX_AVAIL) {
		/* No buffer is left. */
		for (i = 0; i < BUFFERS; i++)
			provoke_receive(self);
		while (nb_raw_rx_done(&self->raw, &meta))
			;
	} else if (ring == NB_RING_RX_DONE) {
		/* No room is left. */
		for (i = 0; i < ENTRIES; i++) {
			post_buffers(&self->raw, 1);
			provoke_receive(self);
		}
	}
}

static uint32_t *user_index(struct nb_raw *raw, enum nb_ring_id ring)
{
	if (ring == NB_RING_TX_AVAIL || ring == NB_RING_RX_AVAIL)
		return raw->ring[ring].producer;
	return raw->ring[ring].consumer;
}

static bool fails(FIXTURE_DATA(badrings) *self, enum nb_ring_id ring, uint32_t jump)
{
	struct pollfd wait = { .events = POLLIN };
	bool right = true;

	nb_host_close(&self->nic.host);
	nb_raw_close(&self->raw);
	open_queue(self);
	prepare(self, ring);
	wait.fd = self->raw.fd;

	*user_index(&self->raw, ring) += jump;
	if (ring == NB_RING_RX_AVAIL || ring == NB_RING_RX_DONE)
		provoke_receive(self);
	else
		nb_raw_enter(&self->raw, NB_ENTER_TX, NULL);
	right &= nb_until(nb_raw_state(&self->raw) == NB_QUEUE_FAILED);
	right &= nb_raw_enter(&self->raw, NB_ENTER_TX, NULL) == -EIO;
	right &= nb_raw_enter(&self->raw, 0, NULL) == -EIO;
	right &= nb_raw_wait(&self->raw, NB_ENTER_WAIT_RX, NB_PATIENCE) == -EIO;
	right &= poll(&wait, 1, 0) == 1;
	if (!right)
		fprintf(stderr, "# ring %u jumps by %#x: state %u\n", ring, jump,
			nb_raw_state(&self->raw));
	return right;
}

TEST_F(badrings, a_producer_index_beyond_the_ring_fails_the_queue)
{
	static const uint32_t jumps[] = { ENTRIES + 1, 1u << 31, -1u, 1u << 16 };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(jumps); i++) {
		EXPECT_TRUE(fails(self, NB_RING_TX_AVAIL, jumps[i]));
		if (variant->kind->sent != NB_COMES_NOWHERE)
			EXPECT_TRUE(fails(self, NB_RING_RX_AVAIL, jumps[i]));
	}
}

TEST_F(badrings, a_consumer_index_that_cannot_be_fails_the_queue)
{
	/* For tx-done it is ahead of the producer, for rx-done a ring behind it. */
	static const uint32_t jumps[] = { ENTRIES + 10, 1u << 31, -1u - ENTRIES, 1u << 16 };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(jumps); i++) {
		EXPECT_TRUE(fails(self, NB_RING_TX_DONE, jumps[i]));
		if (variant->kind->sent != NB_COMES_NOWHERE)
			EXPECT_TRUE(fails(self, NB_RING_RX_DONE, jumps[i]));
	}
}

static void receive_packets(FIXTURE_DATA(badrings) *self, unsigned int n)
{
	while (n--) {
		post_buffers(&self->raw, 1);
		provoke_receive(self);
	}
}

/*
 * The kernel has seen that entries were reaped, and looks again within a batch, when it has
 * written more of them that are not published: those count, too.
 */
TEST_F(badrings, a_consumer_index_that_goes_back_fails_the_queue)
{
	struct nb_tx_segment packet = nb_tx_packet(nb_frame_put(&self->guest, 0, LEN, 1), LEN, 5);
	uint32_t *reaped = user_index(&self->raw, NB_RING_RX_DONE);
	unsigned int i;

	if (variant->kind->sent != NB_COMES_BACK)
		SKIP(return, "only here a batch is received at once");
	receive_packets(self, ENTRIES);
	*reaped += 100;
	receive_packets(self, 90);
	EXPECT_EQ(NB_QUEUE_RUNNING, nb_raw_state(&self->raw));

	/* Of 20, there is room for 10, and there would be for none. */
	*reaped -= 5;
	post_buffers(&self->raw, 20);
	for (i = 0; i < 20; i++)
		nb_raw_tx(&self->raw, &packet, 1);
	EXPECT_EQ(-EIO, nb_raw_enter(&self->raw, NB_ENTER_TX, NULL));
	EXPECT_EQ(NB_QUEUE_FAILED, nb_raw_state(&self->raw));
}

TEST_F(badrings, a_failed_queue_can_be_made_anew)
{
	EXPECT_TRUE(fails(self, NB_RING_TX_AVAIL, 1u << 20));
	nb_host_close(&self->nic.host);
	nb_raw_close(&self->raw);
	open_queue(self);
	EXPECT_TRUE(works(self));
}

TEST_F(badrings, what_was_done_before_the_failure_stays_valid)
{
	struct nb_tx_completion done;

	EXPECT_EQ(0, transmit(self));
	*self->raw.ring[NB_RING_TX_AVAIL].producer += 1u << 20;
	EXPECT_EQ(-EIO, nb_raw_enter(&self->raw, NB_ENTER_TX, NULL));
	ASSERT_TRUE(nb_raw_tx_done(&self->raw, &done));
	EXPECT_EQ(5, done.id);
	EXPECT_FALSE(nb_raw_tx_done(&self->raw, &done));
}

TEST_F(badrings, a_failure_wakes_who_waits)
{
	pid_t child = nb_sys(fork());
	int status;

	if (!child)
		_exit(nb_raw_wait(&self->raw, NB_ENTER_WAIT_RX, NB_PATIENCE) == -EIO ? 0 : 1);
	/* Whether it waits already or not, it has to come back. */
	usleep(20000);
	*self->raw.ring[NB_RING_TX_AVAIL].producer += 1u << 20;
	EXPECT_EQ(-EIO, nb_raw_enter(&self->raw, NB_ENTER_TX, NULL));
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(badrings, other_queues_of_the_endpoint_go_on)
{
	struct nb_tx_segment packet = nb_tx_packet(nb_frame_put(&self->guest, 0, LEN, 1), LEN, 1);

	nb_host_close(&self->nic.host);
	nb_raw_close(&self->raw);
	nb_nic_start(&self->nic, 2, 0);
	nb_raw_map(&self->raw, nb_sys(dup(nb_queue_fd(self->nic.queues[1]))));
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);

	*self->raw.ring[NB_RING_TX_AVAIL].producer += 1u << 20;
	EXPECT_EQ(-EIO, nb_raw_enter(&self->raw, NB_ENTER_TX, NULL));
	EXPECT_EQ(NB_QUEUE_FAILED, nb_queue_state(self->nic.queues[1]));
	EXPECT_EQ(NB_QUEUE_RUNNING, nb_queue_state(self->nic.queues[0]));
	nb_tx_all(self->nic.queue, &packet, 1);
}

/* ---- a frontend gone mad ------------------------------------------------- */

/* What is checked is not what is used: of descriptors and indices. */
TEST_F(badrings, a_scribbling_frontend_harms_only_itself)
{
	struct nb_random random;
	unsigned int round, i;

	nb_random_start(&random);
	for (round = 0; round < 300; round++) {
		uint32_t words = self->raw.user_size / 4;

		for (i = 0; i < 50; i++)
			((uint32_t *)self->raw.user)[nb_random_below(&random, words)] =
				nb_random_below(&random, ~0u);
		/* Most of the time with indices that can be. */
		if (round % 8) {
			*self->raw.ring[NB_RING_TX_AVAIL].producer =
				*self->raw.ring[NB_RING_TX_AVAIL].consumer +
				nb_random_below(&random, ENTRIES + 1);
			*self->raw.ring[NB_RING_RX_AVAIL].producer =
				*self->raw.ring[NB_RING_RX_AVAIL].consumer +
				nb_random_below(&random, ENTRIES + 1);
			*self->raw.ring[NB_RING_TX_DONE].consumer =
				*self->raw.ring[NB_RING_TX_DONE].producer;
			*self->raw.ring[NB_RING_RX_DONE].consumer =
				*self->raw.ring[NB_RING_RX_DONE].producer;
		}
		if (variant->kind->sent == NB_COMES_TO_HOST)
			provoke_receive(self);
		if (nb_raw_enter(&self->raw, NB_ENTER_TX | NB_ENTER_RX, NULL) != -EIO)
			continue;
		nb_host_close(&self->nic.host);
		nb_raw_close(&self->raw);
		open_queue(self);
	}
	EXPECT_TRUE(nb_nic_works(&self->other));
}

TEST_HARNESS_MAIN
