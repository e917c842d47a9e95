// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost is killed, and started again, under a guest that goes on: with an in-flight region
 * each chain comes back once.  Also in-flight regions as a front-end might make them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vhost_traffic.h"

#define BIT(n)		(1ull << (n))
#define SEGMENTS	40u

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };

/* The front-end's region. */
static struct {
	int fd;
	uint8_t *bytes;
	struct vu_inflight about;
} region;

/* As the specification has them; words of two bytes of a part, and of a descriptor's state. */
enum { VERSION = 4, ENTRIES, SPLIT_LAST = 6, SPLIT_USED, FREE = 6, OLD_FREE, USED_IDX, OLD_USED };

/* A state of a packed ring. */
struct packed_state {
	uint8_t in_flight;
	uint8_t padding;
	uint16_t next;
	uint16_t last;
	uint16_t num;
	uint64_t counter;
	uint16_t id;
	uint16_t flags;
	uint32_t len;
	uint64_t addr;
};

static uint8_t *part_of(const struct nb_front *front, unsigned int ring)
{
	const size_t size = front->packed ? 32 + 256 * 32 : 16 + 256 * 16;

	return region.bytes + ring * ((size + 63) / 64 * 64);
}

static uint16_t *word_of(const struct nb_front *front, unsigned int ring, unsigned int word)
{
	return (uint16_t *)part_of(front, ring) + word;
}

static uint8_t *state_of(const struct nb_front *front, unsigned int ring, unsigned int i)
{
	return part_of(front, ring) + (front->packed ? 32 + 32 * i : 16 + 16 * i);
}

static unsigned int n_in_flight(const struct nb_front *front, unsigned int ring)
{
	unsigned int i, n = 0;

	for (i = 0; i < NB_FRONT_ENTRIES; i++)
		n += *(volatile uint8_t *)state_of(front, ring, i);
	return n;
}

static void negotiate(struct nb_front *front, uint64_t layout)
{
	nb_front_negotiate(front, layout);
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, BIT(VU_PROTOCOL_F_INFLIGHT_SHMFD), -1);
	nb_front_set_memory(front);
}

static void set_region(struct nb_front *front)
{
	nb_front_send(front, VU_SET_INFLIGHT_FD, &region.about, sizeof(region.about), &region.fd,
		      1);
}

static void get_region(struct nb_front *front)
{
	region.about = (struct vu_inflight){ .n_queues = RINGS, .queue_size = NB_FRONT_ENTRIES };
	nb_front_send(front, VU_GET_INFLIGHT_FD, &region.about, sizeof(region.about), NULL, 0);
	if (!nb_front_answer_fd(front, &region.about, sizeof(region.about), &region.fd) ||
	    region.fd < 0)
		nb_die("there is no in-flight region");
	region.bytes = mmap(NULL, region.about.mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    region.fd, region.about.mmap_offset);
	if (region.bytes == MAP_FAILED)
		nb_die("the in-flight region cannot be mapped");
}

static void begin(FIXTURE_DATA(vhost) *self)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	nothing_is_out();
	nb_front_connect(front, PATH);
	front->pairs = 1;
	negotiate(front, self->layout);
	get_region(front);
	set_region(front);
	for (i = 0; i < RINGS; i++)
		nb_front_set_ring(front, i, nb_front_base(front));
	/* the answer comes when the rings are in use */
	nb_front_ask(front, VU_GET_FEATURES);
}

/* Kills nbvhost at once, and everything that it knows is lost. */
static void kill_server(FIXTURE_DATA(vhost) *self)
{
	kill(self->server, SIGKILL);
	nb_sys(waitpid(self->server, NULL, 0));
}

/* A new one; the base is what a front-end can know that has not been told. */
static void start_again(FIXTURE_DATA(vhost) *self)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	self->server = nb_vhost_run(PATH, "loopback", BYSTANDER, "loopback", NULL);
	nb_front_close(&self->bystander);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
	nb_front_connect_again(front, PATH);
	negotiate(front, self->layout);
	set_region(front);
	for (i = 0; i < RINGS; i++)
		nb_front_set_ring(front, i, front->packed ? nb_front_base(front) :
							    front->rings[i].used->idx);
}

/* ---- a process that is killed -------------------------------------------- */

TEST_F_TIMEOUT(vhost, killed_under_traffic_it_loses_no_chain_and_completes_none_twice,
	       NB_ROUNDS_TIME)
{
	unsigned int rounds = nb_rounds(12, 300), i;
	struct nb_front *front = &self->front;
	struct nb_random random;

	nb_random_start(&random);
	begin(self);
	post_all(front);
	for (i = 0; i < rounds; i++) {
		ASSERT_TRUE(run(front, 20 + nb_random_below(&random, 60)))
			TH_LOG("round %u", i);
		kill_server(self);
		/* the guest does not know */
		ASSERT_TRUE(run(front, nb_random_below(&random, 10)));
		start_again(self);
	}
	EXPECT_TRUE(nothing_is_lost(front));
	EXPECT_TRUE(nb_until(packets_are_back(front) && n_in_flight(front, RX) == BUFFERS));
	EXPECT_EQ(0, n_in_flight(front, TX));
}

/* A region is not needed for that, but is right when it is killed the next time. */
TEST_F(vhost, a_region_outlives_beginning_again)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		begin(self);
		post_all(front);
		ASSERT_TRUE(run(front, 30));
		ASSERT_TRUE(nb_vhost_again(self->server));
		ASSERT_TRUE(run(front, 30 * i));
		kill_server(self);
		start_again(self);
		EXPECT_TRUE(nothing_is_lost(front));
		EXPECT_TRUE(nb_until(packets_are_back(front) &&
				     n_in_flight(front, RX) == BUFFERS));
		EXPECT_EQ(0, n_in_flight(front, TX));
		nb_front_close(front);
		munmap(region.bytes, region.about.mmap_size);
		close(region.fd);
	}
}

/* What is executed ends at once: the region says where the rings were. */
TEST_F(vhost, a_region_is_right_if_nobody_takes_over)
{
	struct nb_front *front = &self->front;
	int status;

	kill_server(self);
	self->server = run_copy();
	begin(self);
	post_all(front);
	ASSERT_TRUE(run(front, 30));
	nb_test_run("sh", "-c", "rm " COPY "/nbvhost; printf '#!/bin/sh\n[ \"$1\" = --handover ]\n'"
		    " > " COPY "/nbvhost; chmod +x " COPY "/nbvhost", NULL);
	nb_sys(kill(self->server, SIGUSR2));
	ASSERT_TRUE(nb_until(nb_sys(waitpid(self->server, &status, WNOHANG))));
	EXPECT_NE(0, status);
	start_again(self);
	EXPECT_TRUE(nothing_is_lost(front));
	nb_test_run("rm", "-r", COPY, NULL);
}

/* Packets wait for buffers, so that they are all on their way; whatever they were before. */
TEST_F(vhost, chains_are_taken_again_in_their_order)
{
	struct nb_front *front = &self->front;
	uint32_t id, len;
	uint16_t i;

	begin(self);
	for (i = 0; i < 5; i++)
		transmit(front, 40 - i * STRIDE, 1 + i % 3);
	ASSERT_TRUE(nb_until(n_in_flight(front, TX) == 5));
	kill_server(self);
	start_again(self);
	ASSERT_FALSE(nb_front_has_used(front, TX));
	post_all(front);
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(nb_front_used(front, TX, &id, &len));
		EXPECT_EQ(40 - i * STRIDE, id);
	}
	transmit(front, 100, 1);
	ASSERT_TRUE(nb_front_used(front, TX, &id, &len));
	EXPECT_EQ(100, id);
}

/* Also when nothing is used any more, as a guest waits for it that was not told. */
TEST_F(vhost, a_guest_is_interrupted_when_its_rings_are_served_again)
{
	eventfd_t calls;

	begin(self);
	kill_server(self);
	start_again(self);
	EXPECT_TRUE(nb_until(!eventfd_read(self->front.rings[TX].call_fd, &calls)));
	EXPECT_TRUE(nb_until(!eventfd_read(self->front.rings[RX].call_fd, &calls)));
}

/* It was killed behind the store that gives the last two back, and before it noted that. */
TEST_F(vhost, a_batch_that_the_guest_has_is_not_given_back_again)
{
	struct nb_front *front = &self->front;
	uint32_t id, len;
	unsigned int i;

	begin(self);
	post_all(front);
	for (i = 0; i < 3; i++) {
		transmit(front, i, 1);
		ASSERT_TRUE(nb_front_used(front, TX, &id, &len));
	}
	ASSERT_TRUE(nb_until(!n_in_flight(front, TX)));
	/* used_idx, or what says where the used descriptors are, is the last thing */
	ASSERT_TRUE(nb_until(*word_of(front, TX, front->packed ? OLD_USED : SPLIT_USED) == 3));
	kill_server(self);
	*word_of(front, TX, front->packed ? OLD_USED : SPLIT_USED) = 1;
	if (front->packed) {
		*state_of(front, TX, 0) = 1;
	} else {
		*state_of(front, TX, 1) = 1;
		*state_of(front, TX, 2) = 1;
	}
	start_again(self);
	transmit(front, 9, 1);
	ASSERT_TRUE(nb_front_used(front, TX, &id, &len));
	EXPECT_EQ(9, id);
	EXPECT_TRUE(nb_until(!n_in_flight(front, TX)));
}

/* It was killed before that store: what it had written behind that is not to be seen. */
TEST_F(vhost, a_batch_that_the_guest_does_not_have_is_given_back)
{
	struct nb_front *front = &self->front;
	struct vring_packed_desc *stale = (void *)front->ram;
	uint32_t id, len, i;

	begin(self);
	for (i = 0; i < 3; i++)
		transmit(front, i, 1);
	ASSERT_TRUE(nb_until(n_in_flight(front, TX) == 3));
	kill_server(self);
	if (front->packed) {
		*word_of(front, TX, USED_IDX) = 3;
		*word_of(front, TX, FREE) = 2;
		stale = &front->rings[TX].packed[1];
		stale->id = 200;
		stale->flags |= 1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED;
	} else {
		*word_of(front, TX, SPLIT_LAST) = 2;
		front->rings[TX].used->ring[1].id = 200;
	}
	start_again(self);
	/* one buffer at a time: one packet comes back, and no other */
	for (i = 0; i < 3; i++) {
		post(front, i);
		ASSERT_TRUE(nb_front_used(front, TX, &id, &len));
		EXPECT_EQ(i, id);
		EXPECT_FALSE(nb_front_has_used(front, TX));
	}
}

/* The front-end goes, and not nbvhost: it may come again with its region. */
TEST_F(vhost, a_front_end_that_connects_again_goes_on)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	begin(self);
	post_all(front);
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(run(front, 20));
		nb_front_connect_again(front, PATH);
		negotiate(front, self->layout);
		set_region(front);
		nb_front_set_ring(front, RX, front->packed ? nb_front_base(front) :
							     front->rings[RX].used->idx);
		nb_front_set_ring(front, TX, front->packed ? nb_front_base(front) :
							     front->rings[TX].used->idx);
	}
	EXPECT_TRUE(nb_until(packets_are_back(front)));
}

/* A ring that is stopped has nothing on its way: then its base counts. */
TEST_F(vhost, a_ring_that_is_stopped_leaves_nothing_in_the_region)
{
	struct nb_front *front = &self->front;
	uint32_t base;

	begin(self);
	post_all(front);
	ASSERT_TRUE(run(front, 20));
	EXPECT_TRUE(nb_until(packets_are_back(front)));
	base = nb_front_stop(front, TX);
	EXPECT_EQ(0, *word_of(front, TX, VERSION));
	EXPECT_EQ(0, *word_of(front, RX, VERSION));
	nb_front_set_ring(front, RX, nb_front_stop(front, RX));
	nb_front_set_ring(front, TX, base);
	ASSERT_TRUE(run(front, 20));
	EXPECT_TRUE(nb_until(packets_are_back(front)));
	EXPECT_EQ(1, *word_of(front, TX, VERSION));
}

/* ---- hostile front-ends -------------------------------------------------- */

/* What a ring gives back when it is stopped is told by a descriptor that would wait. */
TEST_F(vhost, a_call_that_hangs_does_not_keep_a_ring_from_being_stopped)
{
	struct nb_front *front = &self->front;
	eventfd_t calls;
	int call_fd;
	uint16_t i;

	begin(self);
	call_fd = front->rings[TX].call_fd;
	for (i = 0; i < 3; i++)
		transmit(front, i, 1);
	ASSERT_TRUE(nb_until(n_in_flight(front, TX) == 3));
	eventfd_read(call_fd, &calls);
	nb_sys(eventfd_write(call_fd, ~0ull - 1));
	nb_sys(fcntl(call_fd, F_SETFL, 0));
	nb_front_stop(front, TX);
	EXPECT_TRUE(nb_front_has_used(front, TX));
}

static void fill_region(struct nb_front *front, struct nb_random *random)
{
	unsigned int ring;

	nb_random_fill(random, region.bytes, region.about.mmap_size);
	for (ring = 0; ring < RINGS; ring++) {
		*word_of(front, ring, VERSION) = 1;
		*word_of(front, ring, ENTRIES) = NB_FRONT_ENTRIES - !nb_random_below(random, 9);
		*word_of(front, ring, 6) = nb_random_below(random, 300);
		*word_of(front, ring, 7) = nb_random_below(random, 300);
		*word_of(front, ring, 8) = nb_random_below(random, 300);
		*word_of(front, ring, 9) = nb_random_below(random, 300);
		*word_of(front, ring, 10) = nb_random_below(random, 3) << 8 |
					    nb_random_below(random, 3);
	}
}

static void make_states_plausible(struct nb_front *front, struct nb_random *random)
{
	unsigned int ring, i;

	for (ring = 0; ring < RINGS; ring++) {
		for (i = 0; i < NB_FRONT_ENTRIES; i++) {
			uint16_t *state = (uint16_t *)state_of(front, ring, i);

			*(uint8_t *)state = !nb_random_below(random, 8);
			state[1] = nb_random_below(random, 257);
			state[2] = nb_random_below(random, 257);
			state[3] = nb_random_below(random, 5);
		}
	}
}

TEST_F(vhost, a_region_that_makes_no_sense_harms_nobody)
{
	struct nb_front *front = &self->front;
	struct nb_random random;
	unsigned int i, j;

	nb_random_start(&random);
	for (i = 0; i < 40; i++) {
		begin(self);
		nb_front_stop(front, RX);
		fill_region(front, &random);
		if (i % 4)
			make_states_plausible(front, &random);
		set_region(front);
		nb_front_set_ring(front, RX, nb_front_base(front));
		nb_front_set_ring(front, TX, nb_front_base(front));
		nb_front_post(front, 0, 0, 64);
		transmit(front, 3, 3);
		/* and while it is used */
		for (j = 0; j < 500; j++)
			region.bytes[nb_random_below(&random, region.about.mmap_size)] ^= 1;
		nb_front_ask(front, VU_GET_FEATURES);
		nb_front_close(front);
		munmap(region.bytes, region.about.mmap_size);
		close(region.fd);
	}
	EXPECT_TRUE(nb_vhost_runs(self->server));
	begin(self);
	nb_front_post(front, 0, 0, 64);
	EXPECT_TRUE(nb_front_works(front));
}

/*
 * So many chains, each of so many segments that the queue's rings have not room for all, and
 * the last ones are taken again only when the first have gone.
 */
static void make_packed_chains(struct nb_front *front, unsigned int n)
{
	struct vring_packed_desc *table = (void *)(front->ram + NB_FRONT_TABLE);
	unsigned int i;

	memset(front->ram + NB_FRONT_TX, 0, 4096);
	for (i = 0; i < SEGMENTS; i++)
		table[i] = (struct vring_packed_desc){
			.addr = GPA(NB_FRONT_TX + 16 * i),
			.len = 16,
		};
	for (i = 0; i < n; i++)
		*(struct packed_state *)state_of(front, TX, i) = (struct packed_state){
			.in_flight = 1,
			.last = i,
			.num = 1,
			.counter = i,
			.id = i,
			.flags = INDIRECT,
			.len = SEGMENTS * sizeof(*table),
			.addr = GPA(NB_FRONT_TABLE),
		};
	*word_of(front, TX, FREE) = 2 * n;
	*word_of(front, TX, OLD_FREE) = 2 * n;
	*word_of(front, TX, VERSION) = 1;
}

/* A chain becomes longer than it was when all were counted, and was found to fit. */
TEST_F(vhost, a_chain_that_grows_before_it_is_taken_again_breaks_its_ring)
{
	struct nb_front *front = &self->front;
	struct packed_state *last;
	eventfd_t errors;

	/* of a split ring a state has no more than an id */
	if (self->layout != PACKED)
		return;
	begin(self);
	nb_front_stop(front, TX);
	make_packed_chains(front, 100);
	nb_front_set_ring(front, TX, nb_front_base(front));
	nb_front_ask(front, VU_GET_FEATURES);
	last = (void *)state_of(front, TX, 99);
	last[1] = (struct packed_state){ .id = 99, .len = 100, .addr = GPA(NB_FRONT_TX) };
	last->addr = GPA(NB_FRONT_TX);
	last->len = 100;
	last->next = 100;
	last->last = 100;
	last->flags = NEXT;
	__atomic_store_n(&last->num, 2, __ATOMIC_RELEASE);
	ASSERT_NE(0, eventfd_read(front->rings[TX].err_fd, &errors));
	nb_front_post(front, 0, 0, 200);
	EXPECT_TRUE(nb_until(!eventfd_read(front->rings[TX].err_fd, &errors)));
	EXPECT_TRUE(nb_vhost_runs(self->server));
}

/* One of another size, too short, of another file, or one that is cut while it is used. */
TEST_F(vhost, a_region_that_does_not_fit_is_not_used)
{
	static const struct {
		uint64_t file, size, offset;
		uint16_t n, entries;
		bool refused;
	} cases[] = {
		{ 65536, 65536, 0, 2, 128, false }, { 65536, 65536, 0, 1, 256, false },
		{ 65536, 4096, 0, 2, 256, false }, { 65536, 65536, 4096, 2, 256, true },
		{ 65536, 65535, 1, 2, 256, true }, { 65536, 0, 0, 2, 256, true },
		{ 65536, ~0ull, 0, 2, 256, true }, { 65536, 4096, ~0ull, 2, 256, true },
		{ 65536, 65536, 0, 3, 256, true }, { 65536, 65536, 0, 2, 0, true },
		{ 1ull << 40, 1ull << 40, 0, 2, 256, true },
	};
	struct nb_front *front = &self->front;
	unsigned int i;
	uint16_t *index;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct vu_inflight about = {
			.mmap_size = cases[i].size,
			.mmap_offset = cases[i].offset,
			.n_queues = cases[i].n,
			.queue_size = cases[i].entries,
		};
		int fd = nb_sys(memfd_create("region", MFD_CLOEXEC));

		nb_sys(ftruncate(fd, cases[i].file));
		nb_front_connect(front, PATH);
		negotiate(front, self->layout);
		nb_front_send(front, VU_SET_INFLIGHT_FD, &about, sizeof(about), &fd, 1);
		if (cases[i].refused) {
			EXPECT_TRUE(nb_front_is_refused(front))
				TH_LOG("case %u", i);
		} else {
			nb_front_set_ring(front, RX, nb_front_base(front));
			nb_front_set_ring(front, TX, nb_front_base(front));
			index = front->packed ? &front->rings[TX].device->flags :
						&front->rings[TX].used->flags;
			nb_front_ask(front, VU_GET_FEATURES);
			EXPECT_EQ(0, *index)
				TH_LOG("case %u", i);
		}
		nb_front_close(front);
		close(fd);
	}
}

static bool is_taken(FIXTURE_DATA(vhost) *self, int fd)
{
	struct vu_inflight about = { .mmap_size = 65536, .n_queues = 2, .queue_size = 256 };
	struct nb_front *front = &self->front;
	uint8_t success[8];
	bool refused;

	nb_front_connect(front, PATH);
	negotiate(front, self->layout);
	nb_front_send(front, VU_SET_INFLIGHT_FD, &about, sizeof(about), &fd, 1);
	nb_front_send(front, VU_GET_FEATURES, NULL, 0, NULL, 0);
	refused = !nb_front_answer(front, success, sizeof(success));
	nb_front_close(front);
	close(fd);
	return !refused;
}

/* A file of a file system whose server may not answer, as far as a test can have one. */
static int ordinary_file(void)
{
	const char *dir = "/tmp/nb-vhost-files", *path = "/tmp/nb-vhost-files/region";
	int fd;

	if (mkdir(dir, 0700) && errno != EEXIST)
		nb_die("cannot make %s", dir);
	nb_sys(mount("ramfs", dir, "ramfs", 0, NULL));
	fd = nb_sys(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	nb_sys(ftruncate(fd, 65536));
	nb_sys(umount2(dir, MNT_DETACH));
	nb_sys(rmdir(dir));
	return fd;
}

TEST_F(vhost, a_region_of_a_file_that_is_no_memory_is_refused)
{
	int fd = nb_sys(memfd_create("region", MFD_CLOEXEC));

	nb_sys(ftruncate(fd, 65536));
	EXPECT_TRUE(is_taken(self, fd));
	EXPECT_FALSE(is_taken(self, ordinary_file()));
}

/* One that is truncated takes a huge page away, where there can be no other. */
TEST_F(vhost, a_region_of_huge_pages_is_refused)
{
	int fd;

	if (!nb_test_write("/proc/sys/vm/nr_hugepages", "4"))
		SKIP(return, "there are no huge pages");
	fd = memfd_create("region", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd < 0)
		SKIP(return, "the kernel has no hugetlbfs");
	nb_sys(ftruncate(fd, 4 << 20));
	EXPECT_FALSE(is_taken(self, fd));
	nb_test_write("/proc/sys/vm/nr_hugepages", "0");
}

TEST_F(vhost, a_region_that_is_cut_while_it_is_used_harms_only_its_guest)
{
	struct nb_front *front = &self->front;
	int fd = nb_sys(memfd_create("region", MFD_CLOEXEC));
	struct vu_inflight about = {
		.mmap_size = 65536,
		.n_queues = 2,
		.queue_size = 256,
	};

	nb_sys(ftruncate(fd, about.mmap_size));
	nb_front_connect(front, PATH);
	front->pairs = 1;
	negotiate(front, self->layout);
	nb_front_send(front, VU_SET_INFLIGHT_FD, &about, sizeof(about), &fd, 1);
	nb_front_set_ring(front, RX, nb_front_base(front));
	nb_front_set_ring(front, TX, nb_front_base(front));
	nb_front_post(front, 0, 0, 64);
	ASSERT_TRUE(nb_front_works(front));
	nb_sys(ftruncate(fd, 0));
	nb_front_kick(front, TX);
	transmit(front, 3, 1);
	nb_front_ask(front, VU_GET_FEATURES);
	EXPECT_TRUE(nb_vhost_runs(self->server));
	nb_front_close(front);
	close(fd);
}

TEST_HARNESS_MAIN
