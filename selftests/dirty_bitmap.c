// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log's bitmaps: which bit a page has, what a frontend can put where, whose a
 * bitmap is and how long it lives, and which calls are refused.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbbitmap.h"
#include "nbcgroup.h"
#include "nbraw.h"
#include "nbtest.h"

/* A region of the guest's that has nothing else in it, and words of its bitmap. */
#define AREA		(512 * NB_PAGE)
#define WORDS		(AREA / NB_PAGE / 64)
/* Where a test plugs in memory of its own. */
#define PLUGGED_GPA	(1ull << 40)

FIXTURE(bitmap)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_memory *log;	/* as another process would have it */
	struct nb_queue *queue;
	int fd;
	bool over;
};

FIXTURE_SETUP(bitmap)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, AREA);
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, 1, 0);
	self->queue = self->nic.queue;
	self->fd = nb_memory_fd(self->guest.mem);
	nb_ok(nb_memory_from_fd(nb_sys(dup(self->fd)), &self->log));
}

FIXTURE_TEARDOWN(bitmap)
{
	nb_memory_close(self->log);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
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
	struct nb_guest *guest = &self->guest;
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
		where = nb_bitmap_find(self->fd, PLUGGED_GPA);
		ASSERT_EQ(PLUGGED_GPA, where.gpa);
		ASSERT_EQ(len, where.len);
		ASSERT_EQ((pages[i] + 63) / 64 * 8, where.bitmap_size);
		bitmap = nb_bitmap_map(self->fd, &where);

		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA + len - 100, 100));
		EXPECT_TRUE(bit_is_set(bitmap, pages[i] - 1));
		EXPECT_EQ(1, bits_in(bitmap, nb_bitmap_map_size(&where)));
		memset(bitmap, 0, where.bitmap_size);

		/* One that reaches beyond the end, and one that wraps. */
		EXPECT_EQ(NB_RX_FAULT, fill_buffer(self->queue, PLUGGED_GPA + len - 100, 101));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
		EXPECT_EQ(NB_RX_FAULT, fill_buffer(self->queue, ~0ull - 50, 100));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
		EXPECT_TRUE(bit_is_set(bitmap, 0));
		EXPECT_EQ(1, bits_in(bitmap, nb_bitmap_map_size(&where)));

		ASSERT_EQ(0, nb_memory_remove(guest->mem, PLUGGED_GPA, len));
		munmap(bitmap, nb_bitmap_map_size(&where));
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

	nb_nic_stop(&self->nic);
	nb_raw_open(&raw, self->nic.ep, self->guest.mem, 1024);
	ASSERT_EQ(0, nb_memory_start_dirty_log(self->guest.mem));
	where = nb_bitmap_find(self->fd, NB_MORE_GPA);
	words = nb_bitmap_map(self->fd, &where);

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
	ASSERT_EQ(0, nb_memory_add(self->guest.mem, PLUGGED_GPA, memory, len, 0));
	ASSERT_EQ(0, nb_memory_start_dirty_log(self->guest.mem));
	where = nb_bitmap_find(self->fd, PLUGGED_GPA);
	bitmap = nb_bitmap_map(self->fd, &where);
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA + huge - 50, 100));
	EXPECT_TRUE(bit_is_set(bitmap, 511));
	EXPECT_TRUE(bit_is_set(bitmap, 512));
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA + 700 * NB_PAGE, 100));
	EXPECT_TRUE(bit_is_set(bitmap, 700));
	EXPECT_EQ(3, bits_in(bitmap, nb_bitmap_map_size(&where)));
}

TEST_F(bitmap, regions_that_come_later_are_logged)
{
	unsigned char *memory = nb_test_pages(NB_PAGE);
	struct nb_memory *mem = self->guest.mem;
	uint64_t word, gpa = 0, len, end = 0;
	unsigned int round, regions = 0;

	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, nb_memory_add(mem, PLUGGED_GPA, memory, NB_PAGE, 0));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
		EXPECT_EQ(1, nb_memory_harvest_dirty(mem, PLUGGED_GPA, NB_PAGE, &word));
		EXPECT_EQ(1, word);
		/* Whoever takes a bit has it; the other's mapping is of this region, too. */
		EXPECT_EQ(0, nb_memory_harvest_dirty(self->log, PLUGGED_GPA, NB_PAGE,
						     &word));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
		EXPECT_EQ(1, nb_memory_harvest_dirty(self->log, PLUGGED_GPA, NB_PAGE,
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
	struct nb_memory *mem = self->guest.mem;
	struct nb_get_dirty_log first, second;
	uint64_t *old, *new;
	pid_t child;
	int status;

	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	ASSERT_EQ(0, nb_memory_add(mem, PLUGGED_GPA, memory, NB_PAGE, 0));
	first = nb_bitmap_find(self->fd, PLUGGED_GPA);
	old = nb_bitmap_map(self->fd, &first);
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
	ASSERT_EQ(0, nb_memory_remove(mem, PLUGGED_GPA, NB_PAGE));
	EXPECT_EQ(1, *old);
	EXPECT_EQ(MAP_FAILED, nb_bitmap_try_map(self->fd, first.offset, NB_PAGE, MAP_SHARED));

	/* Its successor has a bitmap of its own. */
	ASSERT_EQ(0, nb_memory_add(mem, PLUGGED_GPA, memory, NB_PAGE, 0));
	second = nb_bitmap_find(self->fd, PLUGGED_GPA);
	EXPECT_NE(first.offset, second.offset);
	new = nb_bitmap_map(self->fd, &second);
	*old = 0;
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
	EXPECT_EQ(0, *old);
	EXPECT_EQ(1, *new);

	/* So has the next log. */
	ASSERT_EQ(0, nb_memory_stop_dirty_log(mem));
	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	EXPECT_EQ(MAP_FAILED, nb_bitmap_try_map(self->fd, second.offset, NB_PAGE, MAP_SHARED));
	EXPECT_NE(second.offset, nb_bitmap_find(self->fd, PLUGGED_GPA).offset);
	*new = 0;
	ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA, 100));
	EXPECT_EQ(0, *new);

	nb_nic_close(&self->nic);
	nb_memory_close(self->log);
	self->log = NULL;
	nb_guest_close(&self->guest);
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
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
}

static void *plug_and_unplug(void *argument)
{
	FIXTURE_DATA(bitmap) *self = argument;
	unsigned char *memory = nb_test_pages(NB_PAGE);
	uint64_t word;

	while (!__atomic_load_n(&self->over, __ATOMIC_RELAXED)) {
		nb_ok(nb_memory_add(self->log, PLUGGED_GPA, memory, NB_PAGE, 0));
		/* On or off. */
		nb_memory_harvest_dirty(self->log, PLUGGED_GPA, NB_PAGE, &word);
		nb_ok(nb_memory_remove(self->log, PLUGGED_GPA, NB_PAGE));
	}
	return NULL;
}

/* Each start and stop waits for the kernel's readers. */
TEST_F_TIMEOUT(bitmap, regions_come_and_go_while_the_log_does, 600)
{
	struct nb_memory *mem = self->guest.mem;
	uint64_t words[WORDS];
	unsigned int i;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, plug_and_unplug, self));
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, NB_MORE_GPA, 100));
		ASSERT_EQ(1, nb_memory_harvest_dirty(mem, NB_MORE_GPA, AREA, words));
		ASSERT_EQ(0, nb_memory_stop_dirty_log(mem));
		ASSERT_EQ(NB_RX_OK, fill_buffer(self->queue, NB_MORE_GPA, 100));
	}
	__atomic_store_n(&self->over, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* ---- bad calls ------------------------------------------------------------ */

TEST_F(bitmap, the_log_is_on_or_off)
{
	struct nb_memory *mem = self->guest.mem;
	struct nb_get_dirty_log where = { .size = sizeof(where) };
	uint64_t words[WORDS], gpa = 0, len;

	EXPECT_EQ(-EBADFD, nb_memory_stop_dirty_log(mem));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(-EBADFD, nb_memory_harvest_dirty(mem, NB_MORE_GPA, AREA, words));
	EXPECT_EQ(-EBADFD, nb_memory_dirty_region(mem, &gpa, &len));
	EXPECT_EQ(-EBADFD, nb_raw_call(self->fd, NB_MEMORY_GET_DIRTY_LOG, &where));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(MAP_FAILED, nb_bitmap_try_map(self->fd, 0, NB_PAGE, MAP_SHARED));

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

	ASSERT_EQ(0, nb_memory_add(self->guest.mem, PLUGGED_GPA, memory, NB_PAGE,
				   NB_REGION_READ_ONLY));
	ASSERT_EQ(0, nb_memory_start_dirty_log(self->guest.mem));
	/* What is only read has none. */
	where = nb_bitmap_find(self->fd, PLUGGED_GPA);
	EXPECT_EQ(0, where.bitmap_size);
	EXPECT_EQ(0, nb_memory_harvest_dirty(self->guest.mem, PLUGGED_GPA, NB_PAGE, &word));
	EXPECT_EQ(0, word);
	EXPECT_EQ(NB_RX_FAULT, fill_buffer(self->queue, PLUGGED_GPA, 100));

	where = nb_bitmap_find(self->fd, NB_GAP_GPA);
	EXPECT_EQ(NB_TX_GPA, where.gpa);
	EXPECT_EQ(MAP_FAILED, nb_bitmap_try_map(self->fd, where.offset, NB_PAGE, MAP_PRIVATE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, nb_bitmap_try_map(self->fd, where.offset, 2 * NB_PAGE, MAP_SHARED));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, nb_bitmap_try_map(self->fd, 1ull << 40, NB_PAGE, MAP_SHARED));
	EXPECT_EQ(MAP_FAILED,
		  nb_bitmap_try_map(self->fd, 0x7ffffffffffff000ull, NB_PAGE, MAP_SHARED));
	where = (struct nb_get_dirty_log){ .size = sizeof(where), .gpa = ~0ull };
	EXPECT_EQ(-ENOENT, nb_raw_call(self->fd, NB_MEMORY_GET_DIRTY_LOG, &where));
	EXPECT_TRUE(nb_raw_explained());
}

TEST_F(bitmap, only_whole_pages_of_one_region_are_harvested)
{
	struct nb_memory *mem = self->guest.mem;
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

#define SMALL_REGIONS	512u

static unsigned long charged_bytes(void)
{
	return nb_cgroup_stat("vmalloc ");
}

TEST_F(bitmap, bitmaps_count_against_the_memory_cgroup)
{
	const unsigned long bitmaps = SMALL_REGIONS * NB_PAGE;
	struct nb_memory *mem = self->guest.mem;
	unsigned char *memory = nb_test_pages(SMALL_REGIONS * NB_PAGE);
	unsigned long before;
	unsigned int i;

	if (!nb_cgroup_make())
		SKIP(return, "there are no memory cgroups");
	ASSERT_TRUE(nb_cgroup_enter(0));
	for (i = 0; i < SMALL_REGIONS; i++)
		ASSERT_EQ(0, nb_memory_add(mem, PLUGGED_GPA + 2ull * i * NB_PAGE,
					   memory + i * NB_PAGE, NB_PAGE, 0));
	before = charged_bytes();
	ASSERT_EQ(0, nb_memory_start_dirty_log(mem));
	EXPECT_TRUE(nb_until(charged_bytes() >= before + bitmaps / 4 * 3));
	EXPECT_EQ(NB_RX_OK, fill_buffer(self->queue, PLUGGED_GPA + 1022 * NB_PAGE, 100));
	ASSERT_EQ(0, nb_memory_stop_dirty_log(mem));
	EXPECT_TRUE(nb_until(charged_bytes() <= before + bitmaps / 4));
	nb_cgroup_leave();
}

TEST_HARNESS_MAIN
