// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: every page that the kernel writes is marked, and no other; seen as a
 * migration sees it, by copying what is marked and comparing the copy with the guest's
 * memory.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>

#include "kselftest_harness.h"
#include "nbraw.h"
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

static void setup(fixture *self, const struct nb_test_kind *kind)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, AREA);
	nb_nic_open(&self->nic, &self->guest, kind, 0);
	nb_nic_start(&self->nic, 1, 4 * BUFFERS);
	if (on_switch(&self->nic))
		nb_port_join(&self->peer, &(struct nb_port){ .ep = self->nic.ep }, NULL);
	self->area = nb_guest_ptr(&self->guest, NB_MORE_GPA, AREA);
	self->copy = nb_test_pages(AREA);
	nb_ok(nb_memory_from_fd(nb_sys(dup(nb_memory_fd(self->guest.mem))), &self->log));
}

static void teardown(fixture *self)
{
	nb_memory_close(self->log);
	if (on_switch(&self->nic))
		nb_port_close(&self->peer);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

FIXTURE_SETUP(dirty)
{
	setup(self, variant->kind);
}

FIXTURE_TEARDOWN(dirty)
{
	teardown(self);
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

TEST_F(dirty, starting_and_stopping_loses_no_packet)
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

/* ---- bitmaps -------------------------------------------------------------- */

FIXTURE(bitmap)
{
	fixture dirty;
	struct nb_queue *queue;
	int fd;
};

FIXTURE_SETUP(bitmap)
{
	setup(&self->dirty, &nb_test_loopback);
	self->queue = self->dirty.nic.queue;
	self->fd = nb_memory_fd(self->dirty.guest.mem);
}

FIXTURE_TEARDOWN(bitmap)
{
	teardown(&self->dirty);
}

#define PLUGGED_GPA	(1ull << 40)

static struct nb_get_dirty_log find_bitmap(int fd, uint64_t gpa)
{
	struct nb_get_dirty_log where = { .size = sizeof(where), .gpa = gpa };
	int err = nb_raw_call(fd, NB_MEMORY_GET_DIRTY_LOG, &where);

	if (err)
		nb_die("no bitmap for %#llx: %s", (unsigned long long)gpa, nb_raw_message);
	return where;
}

static size_t mapping_size(const struct nb_get_dirty_log *where)
{
	return (where->bitmap_size + NB_PAGE - 1) / NB_PAGE * NB_PAGE;
}

static void *try_map(int fd, uint64_t offset, size_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
}

static void *map_bitmap(int fd, const struct nb_get_dirty_log *where)
{
	void *words = try_map(fd, where->offset, mapping_size(where), MAP_SHARED);

	if (words == MAP_FAILED)
		nb_die("mmap of a bitmap: %s", strerror(errno));
	return words;
}

/* Offers a buffer of one segment, and lets a packet of 100 bytes go there. */
static uint8_t fill_buffer(struct nb_queue *queue, uint64_t gpa, uint32_t len)
{
	struct nb_rx_segment segment = { .gpa = gpa, .len = len, .id = 1 };
	struct nb_tx_segment packet = nb_tx_packet(NB_TX_GPA, 100, 1);
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;

	nb_ok(nb_queue_rx_avail(queue, &segment, 1));
	nb_ok(nb_queue_tx_avail(queue, &packet, 1, NULL));
	if (nb_queue_poll_ready(queue, NB_PATIENCE) != 1 ||
	    nb_ok(nb_queue_rx_poll(queue, &meta, 1)) != 1)
		nb_die("a buffer has not come back");
	if (meta.status == NB_RX_OK) {
		if (nb_tx_reap(queue, &done, 1) != 1)
			nb_die("a packet has not been completed");
	}
	return meta.status;
}

static unsigned long bits_in(const void *bitmap, size_t size)
{
	const uint64_t *words = bitmap;
	unsigned long n = 0;
	size_t i;

	for (i = 0; i < size / sizeof(*words); i++)
		n += __builtin_popcountll(words[i]);
	return n;
}

static bool bit_is_set(const void *bitmap, uint64_t bit)
{
	return ((const unsigned char *)bitmap)[bit / 8] >> bit % 8 & 1;
}

/*
 * What vhost had: CVE-2019-14835, a log that overflows by what a guest's descriptors say,
 * and log pages beyond the end of the log.
 */
TEST_F(bitmap, no_page_out_of_range_of_the_log_is_marked)
{
	static const uint64_t pages[] = { 1, 2, 7, 8, 9, 63, 64, 65, 32767, 32768, 32769 };
	struct nb_guest *guest = &self->dirty.guest;
	struct nb_get_dirty_log where;
	unsigned char *memory;
	void *bitmap;
	unsigned int i;
	uint64_t len;

	ASSERT_EQ(0, nb_memory_start_dirty_log(guest->mem));
	for (i = 0; i < ARRAY_LEN(pages); i++) {
		len = pages[i] * NB_PAGE;
		memory = nb_test_pages(len);
		ASSERT_EQ(0, nb_memory_add(guest->mem, PLUGGED_GPA, memory, len, 0));
		where = find_bitmap(self->fd, PLUGGED_GPA);
		ASSERT_EQ(PLUGGED_GPA, where.gpa);
		ASSERT_EQ(len, where.len);
		ASSERT_EQ((pages[i] + 63) / 64 * 8, where.bitmap_size);
		bitmap = map_bitmap(self->fd, &where);

		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA + len - 100, 100));
		EXPECT_TRUE(bit_is_set(bitmap, pages[i] - 1));
		EXPECT_EQ(1, bits_in(bitmap, mapping_size(&where)));
		memset(bitmap, 0, where.bitmap_size);

		/* One that reaches beyond the end, and one that wraps. */
		EXPECT_EQ(NB_RX_FAULT, fill_buffer(self->queue, PLUGGED_GPA + len - 100, 101));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
		EXPECT_EQ(NB_RX_FAULT, fill_buffer(self->queue, ~0ull - 50, 100));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
		EXPECT_TRUE(bit_is_set(bitmap, 0));
		EXPECT_EQ(1, bits_in(bitmap, mapping_size(&where)));

		ASSERT_EQ(0, nb_memory_remove(guest->mem, PLUGGED_GPA, len));
		munmap(bitmap, mapping_size(&where));
		munmap(memory, len);
	}
}

/* Posts segments as they are, behind libnb's back: they are for one buffer that is none. */
static void post_raw(struct nb_raw *raw, struct nb_rx_segment segment, unsigned int n)
{
	struct nb_rx_segment segments[2 * NB_MAX_SEGMENTS];
	unsigned int i;

	for (i = 0; i < n; i++)
		segments[i] = segment;
	segments[n - 1].len &= NB_RX_LEN_MASK;
	nb_raw_rx(raw, segments, n);
}

TEST_F(bitmap, buffers_that_are_none_mark_nothing)
{
	struct nb_rx_segment good = { NB_MORE_GPA, 100 | NB_RX_MORE, 1 };
	struct nb_rx_segment empty = { NB_MORE_GPA, NB_RX_MORE, 1 };
	struct nb_rx_segment nowhere = { NB_GAP_GPA, 100 | NB_RX_MORE, 1 };
	struct nb_rx_segment high = { ~0ull, NB_RX_LEN_MASK | NB_RX_MORE, 1 };
	struct nb_tx_segment packet = nb_tx_packet(NB_TX_GPA, 100, 1);
	struct nb_get_dirty_log where;
	struct nb_rx_metadata done;
	struct nb_raw raw;
	uint64_t *words;
	unsigned int i;

	nb_nic_stop(&self->dirty.nic);
	nb_raw_open(&raw, self->dirty.nic.ep, self->dirty.guest.mem, 1024);
	ASSERT_EQ(0, nb_memory_start_dirty_log(self->dirty.guest.mem));
	where = find_bitmap(self->fd, NB_MORE_GPA);
	words = map_bitmap(self->fd, &where);

	post_raw(&raw, empty, 64);
	post_raw(&raw, empty, 1);
	post_raw(&raw, good, NB_MAX_SEGMENTS + 1);
	post_raw(&raw, nowhere, 64);
	post_raw(&raw, high, 64);
	post_raw(&raw, high, 1);
	nb_raw_tx(&raw, &packet, 1);
	ASSERT_EQ(0, nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL));
	for (i = 0; i < 6; i++) {
		ASSERT_TRUE(nb_raw_rx_done(&raw, &done));
		EXPECT_NE(NB_RX_OK, done.status);
	}
	EXPECT_EQ(0, bits_in(words, where.bitmap_size));

	/* The packet fills one segment of 64; the others are not written. */
	good.gpa = NB_MORE_GPA + 5 * NB_PAGE;
	post_raw(&raw, good, 64);
	ASSERT_EQ(0, nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL));
	ASSERT_TRUE(nb_raw_rx_done(&raw, &done));
	EXPECT_EQ(NB_RX_OK, done.status);
	EXPECT_EQ(1ull << 5, words[0]);
	EXPECT_EQ(1, bits_in(words, where.bitmap_size));
	nb_raw_close(&raw);
}

TEST_F(bitmap, huge_pages_are_marked_in_small_ones)
{
	const size_t huge = 2 << 20, len = 2 * huge;
	unsigned char *memory = nb_test_pages(len + huge);
	struct nb_get_dirty_log where;
	void *bitmap;

	memory += huge - (uintptr_t)memory % huge;
	madvise(memory, len, MADV_HUGEPAGE);
	memset(memory, 1, len);
	ASSERT_EQ(0, nb_memory_add(self->dirty.guest.mem, PLUGGED_GPA, memory, len, 0));
	ASSERT_EQ(0, nb_memory_start_dirty_log(self->dirty.guest.mem));
	where = find_bitmap(self->fd, PLUGGED_GPA);
	bitmap = map_bitmap(self->fd, &where);
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA + huge - 50, 100));
	EXPECT_TRUE(bit_is_set(bitmap, 511));
	EXPECT_TRUE(bit_is_set(bitmap, 512));
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA + 700 * NB_PAGE, 100));
	EXPECT_TRUE(bit_is_set(bitmap, 700));
	EXPECT_EQ(3, bits_in(bitmap, mapping_size(&where)));
}

TEST_F(bitmap, regions_that_come_later_are_logged)
{
	unsigned char *memory = nb_test_pages(NB_PAGE);
	struct nb_memory *mem = self->dirty.guest.mem;
	uint64_t word, gpa = 0, len, end = 0;
	unsigned int round, regions = 0;

	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, nb_memory_add(mem, PLUGGED_GPA, memory, NB_PAGE, 0));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
		EXPECT_EQ(1, nb_memory_harvest_dirty(mem, PLUGGED_GPA, NB_PAGE, &word));
		EXPECT_EQ(1, word);
		/* Whoever takes a bit has it; the other's mapping is of this region, too. */
		EXPECT_EQ(0, nb_memory_harvest_dirty(self->dirty.log, PLUGGED_GPA, NB_PAGE,
						     &word));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
		EXPECT_EQ(1, nb_memory_harvest_dirty(self->dirty.log, PLUGGED_GPA, NB_PAGE,
						     &word));
		ASSERT_EQ(0, nb_memory_remove(mem, PLUGGED_GPA, NB_PAGE));
		EXPECT_EQ(-EFAULT, nb_memory_harvest_dirty(mem, PLUGGED_GPA, NB_PAGE, &word));
	}
	for (gpa = 0; nb_ok(nb_memory_dirty_region(mem, &gpa, &len)); gpa += len, regions++) {
		EXPECT_LE(end, gpa);
		end = gpa + len;
	}
	EXPECT_EQ(3, regions);
}

TEST_F(bitmap, a_mapping_outlives_region_log_and_memory)
{
	unsigned char *memory = nb_test_pages(2 * NB_PAGE);
	struct nb_memory *mem = self->dirty.guest.mem;
	struct nb_get_dirty_log first, second;
	uint64_t *old, *new;
	pid_t child;
	int status;

	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	ASSERT_EQ(0, nb_memory_add(mem, PLUGGED_GPA, memory, NB_PAGE, 0));
	first = find_bitmap(self->fd, PLUGGED_GPA);
	old = map_bitmap(self->fd, &first);
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
	ASSERT_EQ(0, nb_memory_remove(mem, PLUGGED_GPA, NB_PAGE));
	EXPECT_EQ(1, *old);
	EXPECT_EQ(MAP_FAILED, try_map(self->fd, first.offset, NB_PAGE, MAP_SHARED));

	/* Its successor has a bitmap of its own. */
	ASSERT_EQ(0, nb_memory_add(mem, PLUGGED_GPA, memory, NB_PAGE, 0));
	second = find_bitmap(self->fd, PLUGGED_GPA);
	EXPECT_NE(first.offset, second.offset);
	new = map_bitmap(self->fd, &second);
	*old = 0;
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
	EXPECT_EQ(0, *old);
	EXPECT_EQ(1, *new);

	/* So has the next log. */
	ASSERT_EQ(0, nb_memory_stop_dirty_log(mem));
	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	EXPECT_EQ(MAP_FAILED, try_map(self->fd, second.offset, NB_PAGE, MAP_SHARED));
	EXPECT_NE(second.offset, find_bitmap(self->fd, PLUGGED_GPA).offset);
	*new = 0;
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
	EXPECT_EQ(0, *new);

	nb_nic_close(&self->dirty.nic);
	nb_memory_close(self->dirty.log);
	self->dirty.log = NULL;
	nb_guest_close(&self->dirty.guest);
	child = nb_sys(fork());
	if (!child) {
		*new = 7;
		munmap(new, NB_PAGE);
		_exit(*old);
	}
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(7, *new);
	munmap(old, NB_PAGE);
	munmap(new, NB_PAGE);
	nb_guest_open(&self->dirty.guest, 0);
	nb_nic_open(&self->dirty.nic, &self->dirty.guest, &nb_test_loopback, 0);
}

static void *scribble(void *argument)
{
	fixture *self = argument;
	struct nb_get_dirty_log where = find_bitmap(nb_memory_fd(self->guest.mem), NB_MORE_GPA);
	struct nb_random random = { .state = 1 };
	size_t size = mapping_size(&where);
	void *bitmap = map_bitmap(nb_memory_fd(self->guest.mem), &where);

	while (!over(self)) {
		nb_random_fill(&random, bitmap, size);
		memset(bitmap, 0xff, size);
	}
	munmap(bitmap, size);
	return NULL;
}

TEST_F(bitmap, what_user_space_writes_there_changes_nothing_else)
{
	unsigned int i;
	pthread_t thread;

	ASSERT_EQ(0, nb_memory_start_dirty_log(self->dirty.guest.mem));
	thread = start_thread(&self->dirty, scribble);
	post_all(self->queue);
	for (i = 0; i < 100; i++) {
		send_packets(&self->dirty, 16);
		receive_packets(&self->dirty, 16, true);
	}
	stop_thread(&self->dirty, thread);
	harvest(&self->dirty);
	send_packets(&self->dirty, 16);
	receive_packets(&self->dirty, 16, true);
	EXPECT_LT(0, harvest(&self->dirty));
}

static void *plug_and_unplug(void *argument)
{
	fixture *self = argument;
	unsigned char *memory = nb_test_pages(NB_PAGE);
	uint64_t word;

	while (!over(self)) {
		nb_ok(nb_memory_add(self->log, PLUGGED_GPA, memory, NB_PAGE, 0));
		/* On or off. */
		nb_memory_harvest_dirty(self->log, PLUGGED_GPA, NB_PAGE, &word);
		nb_ok(nb_memory_remove(self->log, PLUGGED_GPA, NB_PAGE));
	}
	return NULL;
}

TEST_F(bitmap, regions_come_and_go_while_the_log_does)
{
	struct nb_memory *mem = self->dirty.guest.mem;
	uint64_t words[WORDS];
	unsigned int i;
	pthread_t thread;

	thread = start_thread(&self->dirty, plug_and_unplug);
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, NB_MORE_GPA, 100));
		ASSERT_EQ(1, nb_memory_harvest_dirty(mem, NB_MORE_GPA, AREA, words));
		ASSERT_EQ(0, nb_memory_stop_dirty_log(mem));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, NB_MORE_GPA, 100));
	}
	stop_thread(&self->dirty, thread);
}

/* ---- bad calls ------------------------------------------------------------ */

TEST_F(bitmap, the_log_is_on_or_off)
{
	struct nb_memory *mem = self->dirty.guest.mem;
	struct nb_get_dirty_log where = { .size = sizeof(where) };
	uint64_t words[WORDS], gpa = 0, len;

	EXPECT_EQ(-EBADFD, nb_memory_stop_dirty_log(mem));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(-EBADFD, nb_memory_harvest_dirty(mem, NB_MORE_GPA, AREA, words));
	EXPECT_EQ(-EBADFD, nb_memory_dirty_region(mem, &gpa, &len));
	EXPECT_EQ(-EBADFD, nb_raw_call(self->fd, NB_MEMORY_GET_DIRTY_LOG, &where));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(MAP_FAILED, try_map(self->fd, 0, NB_PAGE, MAP_SHARED));

	EXPECT_EQ(0, nb_memory_start_dirty_log(mem));
	EXPECT_EQ(-EBADFD, nb_memory_start_dirty_log(mem));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(0, nb_memory_harvest_dirty(mem, NB_MORE_GPA, AREA, words));
	EXPECT_EQ(0, nb_memory_stop_dirty_log(mem));
	EXPECT_EQ(-EBADFD, nb_memory_stop_dirty_log(mem));
}

TEST_F(bitmap, only_bitmaps_are_mapped)
{
	struct nb_get_dirty_log where;
	unsigned char *memory = nb_test_pages(NB_PAGE);
	uint64_t word = 1;

	ASSERT_EQ(0, nb_memory_add(self->dirty.guest.mem, PLUGGED_GPA, memory, NB_PAGE,
				   NB_REGION_READ_ONLY));
	ASSERT_EQ(0, nb_memory_start_dirty_log(self->dirty.guest.mem));
	/* What is only read has none. */
	where = find_bitmap(self->fd, PLUGGED_GPA);
	EXPECT_EQ(0, where.bitmap_size);
	EXPECT_EQ(0, nb_memory_harvest_dirty(self->dirty.guest.mem, PLUGGED_GPA, NB_PAGE, &word));
	EXPECT_EQ(0, word);
	EXPECT_EQ(NB_RX_FAULT, fill_buffer(self->queue, PLUGGED_GPA, 100));

	where = find_bitmap(self->fd, NB_GAP_GPA);
	EXPECT_EQ(NB_TX_GPA, where.gpa);
	EXPECT_EQ(MAP_FAILED, try_map(self->fd, where.offset, NB_PAGE, MAP_PRIVATE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, try_map(self->fd, where.offset, 2 * NB_PAGE, MAP_SHARED));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, try_map(self->fd, 1ull << 40, NB_PAGE, MAP_SHARED));
	EXPECT_EQ(MAP_FAILED, try_map(self->fd, 0x7ffffffffffff000ull, NB_PAGE, MAP_SHARED));
	where = (struct nb_get_dirty_log){ .size = sizeof(where), .gpa = ~0ull };
	EXPECT_EQ(-ENOENT, nb_raw_call(self->fd, NB_MEMORY_GET_DIRTY_LOG, &where));
	EXPECT_TRUE(nb_raw_explained());
}

TEST_F(bitmap, only_whole_pages_of_one_region_are_harvested)
{
	struct nb_memory *mem = self->dirty.guest.mem;
	uint64_t words[WORDS];

	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	EXPECT_EQ(-EINVAL, nb_memory_harvest_dirty(mem, NB_MORE_GPA + 1, NB_PAGE, words));
	EXPECT_EQ(-EINVAL, nb_memory_harvest_dirty(mem, NB_MORE_GPA, 100, words));
	EXPECT_EQ(-EFAULT, nb_memory_harvest_dirty(mem, NB_MORE_GPA, AREA + NB_PAGE, words));
	EXPECT_EQ(-EFAULT, nb_memory_harvest_dirty(mem, NB_GAP_GPA, NB_PAGE, words));
	EXPECT_EQ(-EFAULT, nb_memory_harvest_dirty(mem, ~0ull - NB_PAGE + 1, NB_PAGE, words));
	EXPECT_EQ(-EFAULT, nb_memory_harvest_dirty(mem, NB_MORE_GPA, ~0ull - NB_PAGE + 1, words));

	/* A part, from anywhere in a word, leaves the rest alone. */
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, NB_MORE_GPA + 63 * NB_PAGE, 100));
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, NB_MORE_GPA + 64 * NB_PAGE, 100));
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, NB_MORE_GPA + 130 * NB_PAGE, 100));
	EXPECT_EQ(1, nb_memory_harvest_dirty(mem, NB_MORE_GPA + 64 * NB_PAGE, NB_PAGE, words));
	EXPECT_EQ(1, words[0]);
	EXPECT_EQ(2, nb_memory_harvest_dirty(mem, NB_MORE_GPA + 3 * NB_PAGE, 128 * NB_PAGE, words));
	EXPECT_EQ(1ull << 60, words[0]);
	EXPECT_EQ(1ull << 63, words[1]);
	EXPECT_EQ(0, nb_memory_harvest_dirty(mem, NB_MORE_GPA, AREA, words));
}

/* ---- memory of the kernel ------------------------------------------------- */

#define CGROUPS		"/sys/fs/cgroup/"
#define CGROUP		CGROUPS "net_backend_dirty/"
#define SMALL_REGIONS	512u

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written;

	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) > 0;
	close(fd);
	return written;
}

static unsigned long charged_bytes(void)
{
	FILE *file = fopen(CGROUP "memory.stat", "re");
	unsigned long bytes = 0;
	char line[256];

	if (!file)
		nb_die("there is no " CGROUP "memory.stat");
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "vmalloc ", 8))
			sscanf(line + 8, "%lu", &bytes);
	fclose(file);
	return bytes;
}

TEST_F(bitmap, bitmaps_count_against_the_memory_cgroup)
{
	const unsigned long bitmaps = SMALL_REGIONS * NB_PAGE;
	struct nb_memory *mem = self->dirty.guest.mem;
	unsigned char *memory = nb_test_pages(SMALL_REGIONS * NB_PAGE);
	unsigned long before;
	unsigned int i;

	write_text(CGROUPS "cgroup.subtree_control", "+memory");
	if ((mkdir(CGROUP, 0755) && errno != EEXIST) || access(CGROUP "memory.stat", F_OK))
		SKIP(return, "there are no memory cgroups");
	ASSERT_TRUE(write_text(CGROUP "cgroup.procs", "0"));
	for (i = 0; i < SMALL_REGIONS; i++)
		ASSERT_EQ(0, nb_memory_add(mem, PLUGGED_GPA + 2ull * i * NB_PAGE,
					   memory + i * NB_PAGE, NB_PAGE, 0));
	before = charged_bytes();
	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	EXPECT_TRUE(nb_until(charged_bytes() >= before + bitmaps / 4 * 3));
	EXPECT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA + 1022 * NB_PAGE, 100));
	ASSERT_EQ(0, nb_memory_stop_dirty_log(mem));
	EXPECT_TRUE(nb_until(charged_bytes() <= before + bitmaps / 4));
	write_text(CGROUPS "cgroup.procs", "0");
	rmdir(CGROUP);
}

TEST_HARNESS_MAIN
