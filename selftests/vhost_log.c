// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost notes in a front-end's log which pages of guest memory are written, by the kernel
 * and by itself, so that the guest can be moved while it runs.  Also logs that are wrong.
 */
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "vhost.h"

#define BIT(n)		(1ull << (n))
#define LOG_ALL		BIT(VHOST_F_LOG_ALL)
#define LOG_SHMFD	BIT(VU_PROTOCOL_F_LOG_SHMFD)
#define PAGE		4096u
#define LOG_SIZE	((NB_FRONT_GPA + NB_FRONT_SIZE) / PAGE / 8)
#define FILE_SIZE	(4 * PAGE)

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };

static struct {
	int fd;
	uint8_t *bits;
} bitmap;
static uint8_t before[NB_FRONT_SIZE];

static void make_log(void)
{
	bitmap.fd = nb_sys(memfd_create("log", MFD_CLOEXEC));
	nb_sys(ftruncate(bitmap.fd, FILE_SIZE));
	bitmap.bits = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, bitmap.fd, 0);
	if (bitmap.bits == MAP_FAILED)
		nb_die("cannot map a log");
}

static bool is_marked(uint32_t offset)
{
	uint32_t page = (NB_FRONT_GPA + offset) / PAGE;

	return __atomic_load_n(&bitmap.bits[page / 8], __ATOMIC_ACQUIRE) >> page % 8 & 1;
}

static unsigned int n_marked(size_t first, size_t end)
{
	unsigned int n = 0;

	for (; first < end; first++)
		n += __builtin_popcount(bitmap.bits[first]);
	return n;
}

static bool set_log(struct nb_front *front, uint64_t size, uint64_t offset)
{
	struct vu_log about = { .mmap_size = size, .mmap_offset = offset };
	uint8_t nothing;

	nb_front_send(front, VU_SET_LOG_BASE, &about, sizeof(about), &bitmap.fd, 1);
	return nb_front_answer(front, &nothing, 0);
}

/* A guest whose buffers are posted, and nothing is logged yet. */
static void begin(FIXTURE_DATA(vhost) *self, uint64_t features)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	nb_front_close(front);
	nb_front_connect(front, PATH);
	front->pairs = 1;
	nb_front_negotiate(front, self->layout | features);
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, LOG_SHMFD, -1);
	nb_front_set_memory(front);
	for (i = 0; i < 2; i++)
		nb_front_set_ring(front, i, nb_front_base(front));
	nb_front_post(front, 0, 0, 200);
}

static void log_ring(struct nb_front *front, unsigned int i, uint32_t flags, uint64_t log)
{
	const uint32_t desc = i * NB_FRONT_RING;
	struct vu_vring_addr addr = {
		.index = i,
		.flags = flags,
		.desc = NB_FRONT_USER + desc,
		.avail = NB_FRONT_USER + desc + 0x1000,
		.used = NB_FRONT_USER + desc + 0x2000,
		.log = log,
	};

	nb_front_send(front, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

/* As a VMM does it while the guest runs. */
static void switch_log(struct nb_front *front, bool on)
{
	unsigned int i;

	nb_front_send_u64(front, VU_SET_FEATURES, front->features | (on ? LOG_ALL : 0), -1);
	for (i = 0; i < 2; i++)
		log_ring(front, i, on << VHOST_VRING_F_LOG,
			 NB_FRONT_GPA + i * NB_FRONT_RING + 0x2000);
	nb_front_ask(front, VU_GET_FEATURES);
}

/* Whether each page that is not as before is marked, and of the buffers no others. */
static bool is_right(const struct nb_front *front)
{
	uint32_t at;

	for (at = 0; at < NB_FRONT_SIZE; at += PAGE) {
		bool changed = memcmp(front->ram + at, before + at, PAGE);
		/* the driver's: split descriptors, avail rings or event areas, packets */
		bool own = at < NB_FRONT_RX &&
			   (at >= 4 * NB_FRONT_RING || at % NB_FRONT_RING == 0x1000 ||
			    (at % NB_FRONT_RING < 0x1000 && !front->packed));

		if (changed && !own && !is_marked(at))
			return false;
		if (!changed && at >= NB_FRONT_RX && is_marked(at))
			return false;
	}
	return true;
}

/* ---- what is marked ------------------------------------------------------ */

TEST_F(vhost, each_page_that_is_written_is_marked)
{
	static const uint32_t lens[] = { 60, 9000, 61440, 1524, 5000 };
	struct nb_front *front = &self->front;
	unsigned int i, round, n;

	make_log();
	for (round = 0; round < 3; round++) {
		begin(self, round ? LARGE | EVENT_IDX : LARGE);
		for (i = 0; i < 10; i++)
			ASSERT_TRUE(comes_back(front, 300, i, 1 + i % 3, NULL));
		memset(bitmap.bits, 0, FILE_SIZE);
		ASSERT_TRUE(set_log(front, LOG_SIZE, 0));
		switch_log(front, true);
		memcpy(before, front->ram, NB_FRONT_SIZE);
		for (i = 0; i < ARRAY_LEN(lens); i++)
			ASSERT_TRUE(comes_back(front, lens[i], i, 1, &n));
		nb_front_stop(front, TX);
		EXPECT_TRUE(is_right(front));
		EXPECT_TRUE(is_marked(NB_FRONT_RX + 10 * NB_FRONT_BUF_SIZE));
		EXPECT_TRUE(is_marked(RX * NB_FRONT_RING + (front->packed ? 0 : 0x2000)));
		EXPECT_TRUE(is_marked(TX * NB_FRONT_RING + (front->packed ? 0 : 0x2000)));
	}
}

/* A VMM copies page after page, so that the guest need not stand still for long. */
TEST_F(vhost, pages_are_marked_while_the_guest_runs)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	make_log();
	begin(self, 0);
	ASSERT_TRUE(set_log(front, LOG_SIZE, 0));
	switch_log(front, true);
	/* of some, the end is in another page than the header */
	for (i = 0; i < 9; i++) {
		uint32_t at = NB_FRONT_RX + i * NB_FRONT_BUF_SIZE;

		memset(bitmap.bits, 0, FILE_SIZE);
		ASSERT_TRUE(comes_back(front, 1400, i, 1, NULL));
		EXPECT_TRUE(nb_until(is_marked(at + HEADER + 1399)));
	}
}

/* Rings are not made anew for it: nothing is given back, and no packet is lost. */
TEST_F(vhost, it_is_switched_on_and_off_under_the_guest)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	make_log();
	begin(self, 0);
	ASSERT_TRUE(set_log(front, LOG_SIZE, 0));
	for (i = 0; i < 10; i++) {
		switch_log(front, !(i & 1));
		memset(bitmap.bits, 0, FILE_SIZE);
		ASSERT_TRUE(comes_back(front, 700, i, 1, NULL));
		nb_front_ask(front, VU_GET_FEATURES);
		EXPECT_TRUE(i & 1 ? !n_marked(0, FILE_SIZE) :
				    nb_until(is_marked(NB_FRONT_RX + i * NB_FRONT_BUF_SIZE)));
	}
	/* another log takes its place */
	switch_log(front, true);
	ASSERT_TRUE(set_log(front, LOG_SIZE, PAGE));
	memset(bitmap.bits, 0, FILE_SIZE);
	ASSERT_TRUE(comes_back(front, 700, i, 1, NULL));
	nb_front_stop(front, TX);
	EXPECT_NE(0, n_marked(PAGE, PAGE + LOG_SIZE));
	EXPECT_EQ(n_marked(PAGE, PAGE + LOG_SIZE), n_marked(0, FILE_SIZE));
}

TEST_F(vhost, the_front_end_is_told_that_there_is_something_new)
{
	struct nb_front *front = &self->front;
	int fd = nb_sys(eventfd(0, EFD_NONBLOCK));
	eventfd_t times;

	make_log();
	begin(self, 0);
	ASSERT_TRUE(set_log(front, LOG_SIZE, 0));
	nb_front_send(front, VU_SET_LOG_FD, NULL, 0, &fd, 1);
	switch_log(front, true);
	ASSERT_TRUE(comes_back(front, 700, 0, 1, NULL));
	EXPECT_TRUE(nb_until(!eventfd_read(fd, &times)));
	close(fd);
}

/* Beginning again in place takes the log along: what is written before, and behind it. */
TEST_F(vhost, the_log_outlives_beginning_again)
{
	struct nb_front *front = &self->front;
	unsigned int round, i;

	make_log();
	begin(self, 0);
	ASSERT_TRUE(set_log(front, LOG_SIZE, 0));
	switch_log(front, true);
	for (round = 0; round < 5; round++) {
		/* what was written before is marked when that is answered */
		ASSERT_TRUE(set_log(front, LOG_SIZE, 0));
		memcpy(before, front->ram, sizeof(before));
		memset(bitmap.bits, 0, FILE_SIZE);
		for (i = 0; i < 5; i++)
			ASSERT_TRUE(comes_back(front, 1000, i, 2, NULL));
		ASSERT_TRUE(nb_vhost_again(self->server));
		ASSERT_TRUE(comes_back(front, 300, round, 1, NULL));
		nb_front_ask(front, VU_GET_FEATURES);
		EXPECT_TRUE(nb_until(is_right(front)))
			TH_LOG("round %u", round);
	}
}

/* ---- hostile front-ends -------------------------------------------------- */

TEST_F(vhost, pages_outside_the_log_are_not_marked)
{
	static const uint64_t places[] = { ~0ull, ~0ull - PAGE, 1ull << 40, 0 };
	struct nb_front *front = &self->front;
	unsigned int i;

	make_log();
	for (i = 0; i < ARRAY_LEN(places); i++) {
		begin(self, 0);
		memset(bitmap.bits, 0, FILE_SIZE);
		/* a part of the buffers, and of the file's second page */
		ASSERT_TRUE(set_log(front, 100, PAGE));
		switch_log(front, true);
		log_ring(front, RX, BIT(VHOST_VRING_F_LOG), places[i]);
		log_ring(front, TX, BIT(VHOST_VRING_F_LOG) | ~1u << 1, places[i]);
		ASSERT_TRUE(nb_front_works(front));
		nb_front_stop(front, TX);
		EXPECT_EQ(0, n_marked(0, PAGE));
		EXPECT_EQ(0, n_marked(PAGE + 100, FILE_SIZE));
	}
}

TEST_F(vhost, a_log_that_is_cut_while_it_is_used_harms_only_its_guest)
{
	struct nb_front *front = &self->front;

	make_log();
	begin(self, 0);
	ASSERT_TRUE(set_log(front, LOG_SIZE, 0));
	switch_log(front, true);
	nb_sys(ftruncate(bitmap.fd, 0));
	EXPECT_TRUE(nb_front_works(front));
	nb_front_stop(front, TX);
}

TEST_F(vhost, a_log_that_is_wrong_is_refused)
{
	static const uint64_t cases[][2] = {
		{ 0, 0 }, { LOG_SIZE, 1 }, { FILE_SIZE + 1, 0 }, { LOG_SIZE, FILE_SIZE },
		{ ~0ull, 0 }, { LOG_SIZE, ~0ull - PAGE + 1 }, { PAGE, ~0ull },
	};
	struct nb_front *front = &self->front;
	struct vu_log about = { .mmap_size = LOG_SIZE };
	int other = self->bystander.fd;
	unsigned int i;

	make_log();
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		begin(self, 0);
		EXPECT_FALSE(set_log(front, cases[i][0], cases[i][1]))
			TH_LOG("case %u", i);
	}
	/* not memory, none, two, a message that is too short */
	for (i = 0; i < 4; i++) {
		const int fds[] = { i ? bitmap.fd : other, bitmap.fd };
		static const unsigned int n_fds[] = { 1, 0, 2, 1 };

		begin(self, 0);
		nb_front_send(front, VU_SET_LOG_BASE, &about, i == 3 ? 8 : sizeof(about), fds,
			      n_fds[i]);
		EXPECT_TRUE(nb_front_is_refused(front))
			TH_LOG("message %u", i);
	}
	/* out of order: there is no log yet, and no ring */
	nb_front_close(front);
	nb_front_connect(front, PATH);
	nb_front_negotiate(front, self->layout | LOG_ALL);
	log_ring(front, RX, BIT(VHOST_VRING_F_LOG), 0);
	nb_front_set_memory(front);
	EXPECT_TRUE(set_log(front, LOG_SIZE, 0));
	nb_front_set_ring(front, RX, nb_front_base(front));
	nb_front_set_ring(front, TX, nb_front_base(front));
	nb_front_post(front, 0, 0, 64);
	EXPECT_TRUE(nb_front_works(front));
}

TEST_HARNESS_MAIN
