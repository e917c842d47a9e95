// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: every page that the kernel writes is marked, and no other; seen as a
 * migration sees it, by copying what is marked and comparing the copy with the guest's
 * memory.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "nbbitmap.h"
#include "nbswitch.h"
#include "nbtest.h"

/*
 * Receive buffers of two segments, which begin anywhere in a page; those of a buffer,
 * and of its neighbour, have pages between them that nobody ever writes.
 */
#define BUFFERS		64u
#define SLOT		(8 * NB_PAGE)
#define AREA		(BUFFERS * SLOT)
#define AREA_PAGES	(AREA / NB_PAGE)
#define FIRST_LEN	1000u
#define SECOND_LEN	1514u
#define WORDS		(AREA_PAGES / 64)

#define ROUNDS		30u

FIXTURE(dirty)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_port peer;		/* who sends, on a switch */
	struct nb_memory *log;		/* as another process would have it */
	unsigned char *area, *copy;
	uint64_t marked[WORDS];		/* since the log was started */
	uint64_t expected[WORDS];
	uint32_t next;			/* packet */
	bool over;
};

FIXTURE_VARIANT(dirty)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(dirty, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(dirty, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(dirty, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(dirty, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(dirty, switch) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(dirty, delay) { .kind = &nb_test_delay };

typedef FIXTURE_DATA(dirty) fixture;

static bool on_switch(const struct nb_nic *nic)
{
	return nic->kind == &nb_test_switch;
}

FIXTURE_SETUP(dirty)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, AREA);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_nic_start(&self->nic, 1, 4 * BUFFERS);
	if (on_switch(&self->nic))
		nb_port_join(&self->peer, &(struct nb_port){ .ep = self->nic.ep }, NULL);
	self->area = nb_guest_ptr(&self->guest, NB_MORE_GPA, AREA);
	self->copy = nb_test_pages(AREA);
	nb_ok(nb_memory_from_fd(nb_sys(dup(nb_memory_fd(self->guest.mem))), &self->log));
}

FIXTURE_TEARDOWN(dirty)
{
	nb_memory_close(self->log);
	if (on_switch(&self->nic))
		nb_port_close(&self->peer);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- traffic ------------------------------------------------------------- */

static bool receives(const struct nb_nic *nic)
{
	return nic->kind->sent != NB_COMES_NOWHERE || on_switch(nic);
}

static void segments_of(uint32_t id, struct nb_rx_segment segments[2])
{
	uint64_t slot = NB_MORE_GPA + id * SLOT;

	segments[0] = (struct nb_rx_segment){
		.gpa = slot + id * 97 % NB_PAGE,
		.len = FIRST_LEN | NB_RX_MORE,
		.id = id,
	};
	segments[1] = (struct nb_rx_segment){
		.gpa = slot + 4 * NB_PAGE + id * 197 % NB_PAGE,
		.len = SECOND_LEN,
	};
}

static void post(struct nb_queue *queue, uint32_t id)
{
	struct nb_rx_segment segments[2];

	segments_of(id, segments);
	if (nb_ok(nb_queue_rx_avail(queue, segments, 2)) != 2)
		nb_die("there is no room for a buffer");
}

static void post_all(struct nb_queue *queue)
{
	uint32_t id;

	for (id = 0; id < BUFFERS; id++)
		post(queue, id);
}

static void expect_pages(fixture *self, uint64_t gpa, uint32_t len)
{
	uint64_t page = (gpa - NB_MORE_GPA) / NB_PAGE;
	uint64_t last = (gpa - NB_MORE_GPA + len - 1) / NB_PAGE;

	for (; page <= last; page++)
		self->expected[page / 64] |= 1ull << page % 64;
}

/* What a packet of that length leaves in a buffer. */
static void expect_packet(fixture *self, const struct nb_rx_metadata *meta)
{
	struct nb_rx_segment segments[2];

	if (meta->status != NB_RX_OK || !meta->len)
		nb_die("buffer %u came back with status %u", meta->id, meta->status);
	segments_of(meta->id, segments);
	expect_pages(self, segments[0].gpa, meta->len < FIRST_LEN ? meta->len : FIRST_LEN);
	if (meta->len > FIRST_LEN)
		expect_pages(self, segments[1].gpa, meta->len - FIRST_LEN);
}

/* Sends so many packets to where they are received by the guest. */
static void send_packets(fixture *self, unsigned int n)
{
	struct nb_nic *nic = &self->nic;
	struct nb_guest *guest = on_switch(nic) ? &self->peer.guest : &self->guest;
	struct nb_tx_segment segment;
	unsigned char frame[1514];
	uint32_t seed, len;
	uint64_t gpa;

	while (n--) {
		seed = self->next++;
		len = 60 + seed * 37 % 1455;
		if (nic->kind->sent == NB_COMES_TO_HOST) {
			nb_frame_fill(frame, len, seed);
			nb_host_send(&nic->host, frame, len);
		} else {
			gpa = nb_frame_put(guest, seed % 64, len, seed);
			segment = nb_tx_packet(gpa, len, seed);
			nb_tx_all(on_switch(nic) ? self->peer.queue : nic->queue, &segment, 1);
		}
	}
}

/* Waits for so many packets; posts their buffers again if asked to. */
static void receive_packets(fixture *self, unsigned int n, bool again)
{
	struct nb_queue *queue = self->nic.queue;
	struct nb_rx_metadata meta[BUFFERS];
	int got, i;

	if (!receives(&self->nic))
		return;
	for (; n; n -= got) {
		got = nb_ok(nb_queue_rx_poll(queue, meta, n < BUFFERS ? n : BUFFERS));
		for (i = 0; i < got; i++) {
			expect_packet(self, &meta[i]);
			if (again)
				post(queue, meta[i].id);
		}
		if (!got && nb_queue_poll_ready(queue, NB_PATIENCE) != 1)
			nb_die("%u packets are missing", n);
	}
}

static bool over(fixture *self)
{
	return __atomic_load_n(&self->over, __ATOMIC_RELAXED);
}

static void *run_traffic(void *argument)
{
	fixture *self = argument;

	while (!over(self)) {
		send_packets(self, 16);
		receive_packets(self, 16, true);
	}
	return NULL;
}

static pthread_t start_thread(fixture *self, void *(*run)(void *argument))
{
	pthread_t thread;

	__atomic_store_n(&self->over, false, __ATOMIC_RELAXED);
	errno = pthread_create(&thread, NULL, run, self);
	if (errno)
		nb_die("pthread_create: %s", strerror(errno));
	return thread;
}

static void stop_thread(fixture *self, pthread_t thread)
{
	__atomic_store_n(&self->over, true, __ATOMIC_RELAXED);
	errno = pthread_join(thread, NULL);
	if (errno)
		nb_die("pthread_join: %s", strerror(errno));
}

/* ---- the migration ------------------------------------------------------- */

static void start_log(fixture *self)
{
	nb_ok(nb_memory_start_dirty_log(self->log));
	memset(self->marked, 0, sizeof(self->marked));
	memset(self->expected, 0, sizeof(self->expected));
}

/* Copies what has been written since the last time: the number of pages. */
static long harvest(fixture *self)
{
	uint64_t words[WORDS], offset;
	unsigned int page;
	long n;

	n = nb_memory_harvest_dirty(self->log, NB_MORE_GPA, AREA, words);
	if (n < 0)
		nb_die("harvest: %s", nb_error());
	for (page = 0; n && page < AREA_PAGES; page++) {
		if (!(words[page / 64] >> page % 64 & 1))
			continue;
		offset = (uint64_t)page * NB_PAGE;
		memcpy(self->copy + offset, self->area + offset, NB_PAGE);
		self->marked[page / 64] |= 1ull << page % 64;
	}
	return n;
}

static void *run_harvest(void *argument)
{
	fixture *self = argument;

	while (!over(self))
		harvest(self);
	return NULL;
}

static bool same_memory(fixture *self)
{
	unsigned int page;

	for (page = 0; page < AREA_PAGES; page++) {
		if (!memcmp(self->copy + page * NB_PAGE, self->area + page * NB_PAGE, NB_PAGE))
			continue;
		fprintf(stderr, "# page %u differs\n", page);
		return false;
	}
	return true;
}

static bool same_pages(fixture *self)
{
	unsigned int page;
	bool same = true;

	for (page = 0; page < AREA_PAGES; page++) {
		bool marked = self->marked[page / 64] >> page % 64 & 1;
		bool expected = self->expected[page / 64] >> page % 64 & 1;

		if (marked == expected)
			continue;
		fprintf(stderr, "# page %u: written %d, marked %d\n", page, expected, marked);
		same = false;
	}
	return same;
}

/* Bits of all regions but the area. */
static long marked_elsewhere(fixture *self)
{
	uint64_t words[(NB_RX_SIZE + NB_TX_SIZE) / NB_PAGE / 64 + 1];

	return nb_memory_harvest_dirty(self->log, NB_RX_GPA, NB_RX_SIZE, words) |
	       nb_memory_harvest_dirty(self->log, NB_TX_GPA, NB_TX_SIZE, words);
}

/* ---- every kind ---------------------------------------------------------- */

TEST_F(dirty, the_pages_that_are_written_are_marked_and_no_others)
{
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		start_log(self);
		post_all(self->nic.queue);
		send_packets(self, 1 + round * 2);
		receive_packets(self, 1 + round * 2, false);
		harvest(self);
		ASSERT_TRUE(same_pages(self));
		EXPECT_EQ(0, harvest(self));
		EXPECT_EQ(0, marked_elsewhere(self));
		ASSERT_EQ(0, nb_memory_stop_dirty_log(self->log));

		nb_nic_stop(&self->nic);
		nb_nic_start(&self->nic, 1, 4 * BUFFERS);
	}
	EXPECT_EQ(receives(&self->nic), !!(self->expected[0] | self->expected[1]));
}

TEST_F(dirty, no_page_is_missed_while_it_is_harvested)
{
	unsigned int round;
	pthread_t thread;

	start_log(self);
	memcpy(self->copy, self->area, AREA);
	for (round = 0; round < ROUNDS; round++) {
		/* Each buffer is filled once, so that each write is the last of its page. */
		post_all(self->nic.queue);
		thread = start_thread(self, run_harvest);
		send_packets(self, BUFFERS);
		receive_packets(self, BUFFERS, false);
		ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
		stop_thread(self, thread);
		harvest(self);
		ASSERT_TRUE(same_memory(self));
		ASSERT_TRUE(same_pages(self));
		ASSERT_EQ(0, nb_queue_resume(self->nic.queue));
		if (!receives(&self->nic)) {
			nb_nic_stop(&self->nic);
			nb_nic_start(&self->nic, 1, 4 * BUFFERS);
		}
	}
}

TEST_F(dirty, the_log_is_complete_from_its_start_to_the_quiesced_queue)
{
	unsigned int round, i;
	pthread_t thread;

	post_all(self->nic.queue);
	for (round = 0; round < ROUNDS; round++) {
		thread = start_thread(self, run_traffic);
		usleep(round * 300);
		nb_ok(nb_memory_start_dirty_log(self->log));
		memcpy(self->copy, self->area, AREA);
		for (i = 0; i < 5; i++)
			harvest(self);
		stop_thread(self, thread);
		ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
		harvest(self);
		ASSERT_TRUE(same_memory(self));
		EXPECT_EQ(0, marked_elsewhere(self));
		ASSERT_EQ(0, nb_memory_stop_dirty_log(self->log));
		ASSERT_EQ(0, nb_queue_resume(self->nic.queue));
	}
	EXPECT_EQ(receives(&self->nic), !!memchr(self->copy, 0xff, AREA));
}

/* Each start and stop waits for the kernel's readers. */
TEST_F_TIMEOUT(dirty, starting_and_stopping_loses_no_packet, 600)
{
	pthread_t thread;
	unsigned int i;

	post_all(self->nic.queue);
	thread = start_thread(self, run_traffic);
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, nb_memory_start_dirty_log(self->log));
		harvest(self);
		ASSERT_EQ(0, nb_memory_stop_dirty_log(self->log));
	}
	stop_thread(self, thread);
}

static void *scribble(void *argument)
{
	fixture *self = argument;
	struct nb_get_dirty_log where = nb_bitmap_find(nb_memory_fd(self->guest.mem), NB_MORE_GPA);
	struct nb_random random = { .state = 1 };
	size_t size = nb_bitmap_map_size(&where);
	void *bitmap = nb_bitmap_map(nb_memory_fd(self->guest.mem), &where);

	while (!over(self)) {
		nb_random_fill(&random, bitmap, size);
		memset(bitmap, 0xff, size);
	}
	munmap(bitmap, size);
	return NULL;
}

TEST_F(dirty, what_user_space_writes_to_the_log_changes_nothing_else)
{
	unsigned int i;
	pthread_t thread;

	start_log(self);
	thread = start_thread(self, scribble);
	post_all(self->nic.queue);
	for (i = 0; i < 100; i++) {
		send_packets(self, 16);
		receive_packets(self, 16, true);
	}
	stop_thread(self, thread);
	harvest(self);
	send_packets(self, 16);
	receive_packets(self, 16, true);
	EXPECT_EQ(receives(&self->nic), harvest(self) > 0);
}

TEST_HARNESS_MAIN
