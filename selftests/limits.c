// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory at its limits: RLIMIT_MEMLOCK, many regions, what is no memory at all; the
 * kernel's own memory, which counts; and the fds of one guest closed in any order.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <linux/capability.h>

#include "kselftest_harness.h"
#include "nbcapture.h"
#include "nbcgroup.h"
#include "nbraw.h"

FIXTURE(limits)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(limits)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
}

FIXTURE_TEARDOWN(limits)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static bool explained(void)
{
	return strchr(nb_error(), ' ');
}

static uint32_t send_from(struct nb_nic *nic, uint64_t gpa, uint32_t len)
{
	struct nb_tx_segment segment = nb_tx_packet(gpa, len, 1);
	struct nb_tx_completion done;
	uint32_t id;

	if (nb_ok(nb_queue_tx_avail(nic->queue, &segment, 1, NULL)) != 1 ||
	    nb_tx_reap(nic->queue, &done, 1) != 1)
		nb_die("a transmit was not completed");
	if (done.status != NB_TX_OK)
		return done.status;
	if (nb_bufs_reap(&nic->bufs, nic->queue, &id, 1) != 1 ||
	    !nb_bufs_equal(&nic->bufs, nic->guest, id, nb_guest_ptr(nic->guest, gpa, len), len))
		nb_die("a packet did not come back as it was");
	nb_bufs_post(&nic->bufs, nic->queue, id);
	return NB_TX_OK;
}

/* ---- RLIMIT_MEMLOCK ------------------------------------------------------ */

#define LIMIT	(16 * NB_PAGE)

static void limit_locked_memory(rlim_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	nb_sys(setrlimit(RLIMIT_MEMLOCK, &limit));
}

TEST_F(limits, pinned_memory_counts_against_memlock)
{
	struct nb_memory *mem, *other;
	unsigned char *pages;

	ASSERT_EQ(0, nb_memory_create(self->guest.nb, &mem));
	ASSERT_EQ(0, nb_memory_create(self->guest.nb, &other));
	limit_locked_memory(LIMIT);
	nb_test_become_nobody();
	pages = nb_test_pages(LIMIT + NB_PAGE);

	EXPECT_EQ(-ENOMEM, nb_memory_add(mem, 0, pages, LIMIT + NB_PAGE, 0));
	EXPECT_NE(NULL, strstr(nb_error(), "RLIMIT_MEMLOCK")) TH_LOG("%s", nb_error());
	EXPECT_EQ(0, nb_memory_add(mem, 0, pages, LIMIT - NB_PAGE, 0));
	/* It is one limit for all memories of the user. */
	EXPECT_EQ(-ENOMEM, nb_memory_add(other, 0, pages, 2 * NB_PAGE, 0));
	EXPECT_EQ(0, nb_memory_add(other, 0, pages, NB_PAGE, 0));
	EXPECT_EQ(-ENOMEM, nb_memory_add(mem, LIMIT, pages, NB_PAGE, 0));

	/* A removed region and a closed memory do not count. */
	EXPECT_EQ(0, nb_memory_remove(mem, 0, LIMIT - NB_PAGE));
	EXPECT_EQ(0, nb_memory_add(mem, 0, pages, LIMIT - NB_PAGE, 0));
	nb_memory_close(mem);
	ASSERT_TRUE(nb_until(!nb_memory_add(other, NB_PAGE, pages, LIMIT - NB_PAGE, 0)));
	nb_memory_close(other);
}

TEST_F(limits, failed_calls_do_not_count_against_memlock)
{
	unsigned char *pages;
	unsigned int i;

	ASSERT_EQ(0, nb_memory_create(self->guest.nb, &self->guest.mem));
	limit_locked_memory(LIMIT);
	nb_test_become_nobody();
	pages = nb_test_pages(LIMIT);
	nb_sys(munmap(pages + LIMIT - NB_PAGE, NB_PAGE));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(-EFAULT, nb_memory_add(self->guest.mem, 0, pages, LIMIT, 0));
	EXPECT_EQ(0, nb_memory_add(self->guest.mem, 0, pages, LIMIT - NB_PAGE, 0));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(-EEXIST, nb_memory_add(self->guest.mem, 0, pages, NB_PAGE, 0));
	EXPECT_EQ(0, nb_memory_add(self->guest.mem, LIMIT, pages, NB_PAGE, 0));
}

TEST_F(limits, memlock_does_not_bind_who_has_the_capability)
{
	unsigned char *pages = nb_test_pages(LIMIT);

	limit_locked_memory(NB_PAGE);
	EXPECT_EQ(0, nb_memory_add(self->guest.mem, NB_MORE_GPA, pages, LIMIT, 0));
	EXPECT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA, LIMIT));
	nb_test_drop_capability(CAP_IPC_LOCK);
	EXPECT_EQ(-ENOMEM, nb_memory_add(self->guest.mem, NB_MORE_GPA, pages, LIMIT, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(NB_TX_OK, send_from(&self->nic, NB_TX_GPA, 100));
}

/* ---- many regions -------------------------------------------------------- */

#define MANY	256u

/* The i-th of many regions, each with a hole before and behind it. */
static uint64_t gpa_of(unsigned int i)
{
	return NB_MORE_GPA + (uint64_t)i * i * 7 * NB_PAGE + i * 3ull * NB_PAGE;
}

static void shuffle(struct nb_random *random, unsigned int *numbers, unsigned int n)
{
	unsigned int i, j, swap;

	for (i = 0; i < n; i++)
		numbers[i] = i;
	for (i = n; i > 1; i--) {
		j = nb_random_below(random, i);
		swap = numbers[i - 1];
		numbers[i - 1] = numbers[j];
		numbers[j] = swap;
	}
}

TEST_F(limits, finds_each_of_256_regions)
{
	unsigned char *pages = nb_test_pages(MANY * NB_PAGE);
	unsigned int order[MANY], i, n;
	struct nb_random random;

	nb_random_start(&random);
	shuffle(&random, order, MANY);
	for (i = 0; i < MANY; i++) {
		n = order[i];
		nb_random_fill(&random, pages + n * NB_PAGE, NB_PAGE);
		ASSERT_EQ(0, nb_memory_add(self->guest.mem, gpa_of(n), pages + n * NB_PAGE,
					   NB_PAGE, 0));
	}
	shuffle(&random, order, MANY);
	for (i = 0; i < MANY; i++) {
		n = order[i];
		ASSERT_EQ(NB_TX_OK, send_from(&self->nic, gpa_of(n) + 100, 60 + i));
		ASSERT_EQ(NB_TX_FAULT, send_from(&self->nic, gpa_of(n) - 60, 60));
		ASSERT_EQ(NB_TX_FAULT, send_from(&self->nic, gpa_of(n) + NB_PAGE, 60));
		ASSERT_EQ(NB_TX_FAULT, send_from(&self->nic, gpa_of(n) + NB_PAGE - 59, 60));
	}

	/* Every second in that order goes. */
	for (i = 0; i < MANY; i += 2)
		ASSERT_EQ(0, nb_memory_remove(self->guest.mem, gpa_of(order[i]), NB_PAGE));
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(i % 2 ? NB_TX_OK : NB_TX_FAULT,
			  send_from(&self->nic, gpa_of(order[i]) + 200, 100));
}

TEST_F(limits, takes_4096_regions_and_no_more)
{
	unsigned char *page = nb_test_pages(NB_PAGE);
	struct nb_memory *mem;
	unsigned int i;

	ASSERT_EQ(0, nb_memory_create(self->guest.nb, &mem));
	for (i = 0; i < NB_MAX_REGIONS; i++)
		ASSERT_EQ(0, nb_memory_add(mem, 2ull * i * NB_PAGE, page, NB_PAGE, 0));
	EXPECT_EQ(-ENOSPC, nb_memory_add(mem, NB_PAGE, page, NB_PAGE, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(0, nb_memory_remove(mem, 0, NB_PAGE));
	EXPECT_EQ(0, nb_memory_add(mem, NB_PAGE, page, NB_PAGE, 0));
	nb_memory_close(mem);
}

/* ---- what is no memory --------------------------------------------------- */

/* Not through libnb, which maps the file first. */
static int add_fd(struct nb_guest *guest, int fd, uint64_t offset, size_t len, uint32_t flags)
{
	struct nb_add_region region = {
		.size = sizeof(region),
		.flags = NB_REGION_FD | flags,
		.gpa = NB_MORE_GPA,
		.len = len,
		.addr = offset,
		.fd = fd,
	};

	return nb_raw_call(nb_memory_fd(guest->mem), NB_MEMORY_ADD_REGION, &region);
}

TEST_F(limits, only_memory_files_can_be_regions)
{
	int pipes[2], null, memfd, read_only;
	char path[32];

	nb_sys(pipe2(pipes, O_CLOEXEC));
	null = nb_sys(open("/dev/null", O_RDWR | O_CLOEXEC));
	memfd = nb_sys(memfd_create("guest", MFD_CLOEXEC));
	nb_sys(ftruncate(memfd, 4 * NB_PAGE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	read_only = nb_sys(open(path, O_RDONLY | O_CLOEXEC));

	EXPECT_EQ(-EBADF, add_fd(&self->guest, 1000, 0, NB_PAGE, 0));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EBADF, add_fd(&self->guest, -1, 0, NB_PAGE, 0));
	EXPECT_EQ(-EBADF, add_fd(&self->guest, pipes[0], 0, NB_PAGE, 0));
	EXPECT_EQ(-EBADF, add_fd(&self->guest, null, 0, NB_PAGE, 0));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EBADF, add_fd(&self->guest, read_only, 0, NB_PAGE, 0));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EINVAL, add_fd(&self->guest, memfd, 100, NB_PAGE, 0));
	EXPECT_EQ(-EFAULT, add_fd(&self->guest, memfd, NB_PAGE, 4 * NB_PAGE, 0));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EFAULT, add_fd(&self->guest, memfd, 1ull << 40, NB_PAGE, 0));
	EXPECT_EQ(NB_TX_FAULT, send_from(&self->nic, NB_MORE_GPA, 100));

	/* libnb says why, too. */
	EXPECT_GT(0, nb_memory_add_fd(self->guest.mem, NB_MORE_GPA, null, 0, NB_PAGE, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(0, nb_memory_add_fd(self->guest.mem, NB_MORE_GPA, read_only, 0, NB_PAGE,
				      NB_REGION_READ_ONLY));
	EXPECT_EQ(NB_TX_OK, send_from(&self->nic, NB_MORE_GPA, 100));
	close(memfd);
	close(null);
	close(read_only);
	close(pipes[0]);
	close(pipes[1]);
}

/* Who locks all its memory may map no more than that. */
TEST_F(limits, a_part_of_a_memfd_is_mapped_within_memlock)
{
	const struct rlimit limit = { .rlim_cur = NB_PAGE, .rlim_max = NB_PAGE };
	int memfd = nb_sys(memfd_create("guest", MFD_CLOEXEC));

	nb_sys(ftruncate(memfd, 4 * NB_PAGE));
	nb_sys(setrlimit(RLIMIT_MEMLOCK, &limit));
	nb_test_drop_capability(CAP_IPC_LOCK);
	nb_sys(mlockall(MCL_FUTURE));
	EXPECT_EQ(-ENOMEM, add_fd(&self->guest, memfd, 0, 4 * NB_PAGE, 0));
	EXPECT_NE(NULL, strstr(nb_raw_message, "RLIMIT_MEMLOCK"));
	nb_sys(munlockall());
	close(memfd);
}

/* ---- the memory cgroup --------------------------------------------------- */

#define MANY_ENDPOINTS	128u

static bool stat_becomes(const char *key, unsigned long bytes)
{
	if (nb_until(nb_cgroup_stat(key) == bytes))
		return true;
	fprintf(stderr, "# %s%lu bytes instead of %lu\n", key, nb_cgroup_stat(key), bytes);
	return false;
}

/* Of who makes the queues, who need not be who has made the endpoint. */
TEST_F(limits, rings_count_against_the_memory_cgroup_to_the_byte)
{
	struct nb_raw raw[2];
	struct nb_endpoint *ep[2];
	unsigned long before, rings = 0;
	unsigned int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, nb_test_create(&self->guest, &nb_test_null, NULL, &ep[i]));
	if (!nb_cgroup_make())
		SKIP(return, "there are no memory cgroups");
	ASSERT_TRUE(nb_cgroup_enter(0));
	before = nb_cgroup_stat("vmalloc ");
	for (i = 0; i < 2; i++) {
		nb_raw_open(&raw[i], ep[i], self->guest.mem, i ? NB_MIN_RING_ENTRIES : 32768);
		rings += raw[i].kernel_size + raw[i].user_size;
		EXPECT_TRUE(stat_becomes("vmalloc ", before + rings));
	}
	for (i = 0; i < 2; i++) {
		rings -= raw[i].kernel_size + raw[i].user_size;
		nb_raw_close(&raw[i]);
		EXPECT_TRUE(stat_becomes("vmalloc ", before + rings));
		nb_endpoint_close(ep[i]);
	}
	nb_cgroup_leave();
}

/*
 * What CPUs keep of the count, and the table of fds, which does not become smaller.  All else is
 * given back, what RCU protects some seconds later.
 */
#define KEPT	(32ul << 10)

static bool slab_is_back(unsigned long before)
{
	if (nb_until(nb_cgroup_stat("slab ") <= before + KEPT))
		return true;
	fprintf(stderr, "# %lu bytes more than before\n", nb_cgroup_stat("slab ") - before);
	return false;
}

/* When nothing has come back for longer than kfree_rcu() waits, which is five seconds. */
static unsigned long settled_slab(void)
{
	unsigned long was, is = nb_cgroup_stat("slab ");

	do {
		was = is;
		sleep(6);
		is = nb_cgroup_stat("slab ");
	} while (is < was);
	return is;
}

static struct nb_endpoint *many[MANY_ENDPOINTS];

static void make_many(struct nb_guest *guest, const struct nb_test_kind *kind)
{
	unsigned int i;

	for (i = 0; i < MANY_ENDPOINTS; i++)
		nb_ok(nb_test_create(guest, kind, NULL, &many[i]));
}

static void close_many(void)
{
	unsigned int i;

	for (i = 0; i < MANY_ENDPOINTS; i++)
		nb_endpoint_close(many[i]);
}

/*
 * What the kernel keeps for the next ones, which newer ones do of most sorts of memory, it has
 * then: 80 KB on 7.3.
 */
static void fill_caches(struct nb_guest *guest)
{
	make_many(guest, &nb_test_netdev);
	close_many();
	settled_slab();
}

/* Now and then it keeps some more.  What is lost is lost each time. */
static bool comes_back(struct nb_guest *guest, const struct nb_test_kind *kind)
{
	unsigned long before = settled_slab();

	make_many(guest, kind);
	close_many();
	return slab_is_back(before);
}

/* Bytes of slab that as many fds of another sort count for. */
static unsigned long charge_of_fds(void)
{
	unsigned long before = nb_cgroup_stat("slab "), after;
	int fds[MANY_ENDPOINTS];
	unsigned int i;

	for (i = 0; i < MANY_ENDPOINTS; i++)
		fds[i] = nb_sys(eventfd(0, EFD_CLOEXEC));
	after = nb_cgroup_stat("slab ");
	for (i = 0; i < MANY_ENDPOINTS; i++)
		close(fds[i]);
	return after - before;
}

/* So many a user has as its memory allows; an endpoint is more than its fd. */
TEST_F_TIMEOUT(limits, endpoints_count_against_the_memory_cgroup, 300)
{
	static const struct nb_test_kind * const kinds[] = {
		&nb_test_null, &nb_test_loopback, &nb_test_switch, &nb_test_netdev,
	};
	unsigned long fds, before, charge;
	unsigned int i;

	nb_test_many_files();
	if (!nb_cgroup_make())
		SKIP(return, "there are no memory cgroups");
	ASSERT_TRUE(nb_cgroup_enter(0));
	fill_caches(&self->guest);
	fds = charge_of_fds();
	EXPECT_LT(0, fds);
	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		before = nb_cgroup_stat("slab ");
		make_many(&self->guest, kinds[i]);
		charge = nb_cgroup_stat("slab ") - before;
		EXPECT_LE(fds + MANY_ENDPOINTS * 512, charge)
			TH_LOG("%s: %lu bytes each, and %lu for its fd", kinds[i]->name,
			       (charge - fds) / MANY_ENDPOINTS, fds / MANY_ENDPOINTS);
		close_many();
		EXPECT_TRUE(slab_is_back(before) || comes_back(&self->guest, kinds[i]))
			TH_LOG("%s", kinds[i]->name);
	}
	nb_cgroup_leave();
}

/*
 * The kernel counts an interface, the module what stands behind it, which stays when the
 * interface is gone: of these bytes at least, while the rest of an endpoint is less than that.
 */
#define BEHIND	3072u

static void delete_interfaces(void)
{
	struct nb_endpoint_info info;
	unsigned int i;

	for (i = 0; i < MANY_ENDPOINTS; i++) {
		nb_ok(nb_endpoint_get_info(many[i], &info));
		nb_link_delete(info.ifindex);
	}
}

static bool what_stands_behind_counts(struct nb_guest *guest)
{
	unsigned long before = settled_slab(), left;

	make_many(guest, &nb_test_netdev);
	delete_interfaces();
	left = settled_slab() - before;
	close_many();
	if (slab_is_back(before) && left >= MANY_ENDPOINTS * BEHIND)
		return true;
	fprintf(stderr, "# %ld bytes each\n", (long)left / (long)MANY_ENDPOINTS);
	return false;
}

/* What is lost, or not counted, is so each time: see comes_back(). */
TEST_F_TIMEOUT(limits, what_stands_behind_an_interface_counts_against_the_memory_cgroup, 300)
{
	nb_test_many_files();
	if (!nb_cgroup_make())
		SKIP(return, "there are no memory cgroups");
	ASSERT_TRUE(nb_cgroup_enter(0));
	fill_caches(&self->guest);
	EXPECT_TRUE(what_stands_behind_counts(&self->guest) ||
		    what_stands_behind_counts(&self->guest));
	nb_cgroup_leave();
}

/*
 * What describes a queue is more than 2 KiB, which count as 4, and a batch of its descriptors
 * more than 8 KiB, which count as 16: with either of them alone it would be less than this.
 */
#define MANY_QUEUES	256u
#define QUEUE		(18ul << 10)

TEST_F(limits, queues_count_against_the_memory_cgroup)
{
	static struct nb_queue_config configs[MANY_QUEUES];
	struct nb_queue *queues[MANY_QUEUES];
	struct nb_endpoint *ep;
	unsigned long before, charge;
	unsigned int i;

	for (i = 0; i < MANY_QUEUES; i++)
		configs[i] = (struct nb_queue_config){ 64, 64, 64, 64, NB_ANY_CPU };
	nb_test_many_files();
	ASSERT_EQ(0, nb_test_create(&self->guest, &nb_test_null, NULL, &ep));
	if (!nb_cgroup_make())
		SKIP(return, "there are no memory cgroups");
	ASSERT_TRUE(nb_cgroup_enter(0));
	before = nb_cgroup_stat("slab ");
	ASSERT_EQ(0, nb_endpoint_get_queues(ep, self->guest.mem, configs, MANY_QUEUES, NULL,
					    queues));
	charge = nb_cgroup_stat("slab ") - before;
	EXPECT_LE(MANY_QUEUES * QUEUE, charge) TH_LOG("%lu bytes each", charge / MANY_QUEUES);
	for (i = 0; i < MANY_QUEUES; i++)
		nb_queue_close(queues[i]);
	EXPECT_TRUE(slab_is_back(before));
	nb_cgroup_leave();
	nb_endpoint_close(ep);
}

TEST_F(limits, the_buffer_of_a_capture_counts_against_the_memory_cgroup)
{
	const struct nb_create_capture call = {
		.flags = NB_CAPTURE_TX, .queue = NB_ANY_QUEUE, .buffer_size = 8 << 20,
	};
	static struct nb_capture capture;
	unsigned long before;

	if (!nb_cgroup_make())
		SKIP(return, "there are no memory cgroups");
	ASSERT_TRUE(nb_cgroup_enter(0));
	before = nb_cgroup_stat("kernel ");
	nb_capture_start_as(&capture, self->nic.ep, call);
	EXPECT_TRUE(nb_until(nb_cgroup_stat("kernel ") >= before + call.buffer_size));
	close(capture.fd);
	EXPECT_TRUE(nb_until(nb_cgroup_stat("kernel ") < before + call.buffer_size / 2));
	nb_cgroup_leave();
}

/* ---- endpoints of a user -------------------------------------------------- */

#define PER_USER	"/sys/module/net_backend/parameters/endpoints_per_user"

/* Without what root may do more, until it is root again. */
static void become(uid_t user)
{
	nb_sys(setresuid(-1, 0, -1));
	nb_sys(setresuid(user, user, 0));
}

static int make_endpoint(struct nb *nb, const char *name, struct nb_endpoint **ep)
{
	const struct nb_endpoint_params params = { .kind = "null", .name = name, .netns_fd = -1 };

	return nb_endpoint_create(nb, &params, ep);
}

/* Each has as many, and who may have more is not counted in vain. */
TEST_F(limits, a_user_has_so_many_endpoints)
{
	struct nb *nb = self->guest.nb;
	struct nb_endpoint *eps[4], *own[4], *none;
	unsigned int i;

	nb_test_set(PER_USER, "2");
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, make_endpoint(nb, NULL, &own[i]));
	become(1234);
	EXPECT_EQ(0, make_endpoint(nb, "one", &eps[0]));
	/* what is not made does not count */
	for (i = 0; i < 5; i++)
		EXPECT_EQ(-EEXIST, make_endpoint(nb, "one", &eps[1]));
	EXPECT_EQ(0, make_endpoint(nb, NULL, &eps[1]));
	EXPECT_EQ(-EDQUOT, make_endpoint(nb, NULL, &eps[2]));
	EXPECT_NE(NULL, strstr(nb_error(), "endpoints_per_user"));
	become(1235);
	EXPECT_EQ(0, make_endpoint(nb, NULL, &eps[2]));
	/* it is the one's who has made it, whoever closes it */
	nb_endpoint_close(eps[0]);
	EXPECT_EQ(0, make_endpoint(nb, NULL, &eps[3]));
	EXPECT_EQ(-EDQUOT, make_endpoint(nb, NULL, &eps[0]));
	become(1234);
	EXPECT_EQ(0, make_endpoint(nb, NULL, &eps[0]));
	EXPECT_EQ(-EDQUOT, make_endpoint(nb, NULL, &none));
	become(0);
	for (i = 0; i < 4; i++) {
		nb_endpoint_close(eps[i]);
		nb_endpoint_close(own[i]);
	}
	nb_test_set(PER_USER, "0");
	become(1234);
	EXPECT_EQ(-EDQUOT, make_endpoint(nb, NULL, &eps[0]));
	become(0);
	nb_test_set(PER_USER, "4096");
}

/* ---- closing ------------------------------------------------------------- */

static bool no_interfaces(void)
{
	struct if_nameindex *names = if_nameindex();
	unsigned int i = 0;

	while (names[i].if_index)
		i++;
	if_freenameindex(names);
	return i == 1;	/* lo */
}

static void close_one(struct nb_guest *guest, struct nb_nic *nic, unsigned int which)
{
	switch (which) {
	case 0:
		nb_close(guest->nb);
		break;
	case 1:
		nb_memory_close(guest->mem);
		break;
	case 2:
		nb_endpoint_close(nic->ep);
		break;
	case 3:
		nb_host_close(&nic->host);
		nb_queue_close(nic->queue);
		break;
	}
}

TEST_F(limits, fds_can_be_closed_in_any_order)
{
	unsigned int order, which[4], i;
	struct nb_guest guest;
	struct nb_nic nic;

	for (order = 0; order < 4 * 4 * 4 * 4; order++) {
		for (i = 0; i < 4; i++)
			which[i] = order >> (2 * i) & 3;
		/* Only if each is there once. */
		if ((1 << which[0] | 1 << which[1] | 1 << which[2] | 1 << which[3]) != 0xf)
			continue;

		nb_guest_open(&guest, 0);
		nb_nic_open(&nic, &guest, &nb_test_netdev, 0);
		nb_nic_start(&nic, 1, 0);
		nb_bufs_post_all(&nic.bufs, nic.queue);
		ASSERT_TRUE(nb_nic_works(&nic));
		for (i = 0; i < 4; i++)
			close_one(&guest, &nic, which[i]);
		ASSERT_TRUE(nb_until(no_interfaces()));
	}
	EXPECT_EQ(NB_TX_OK, send_from(&self->nic, NB_TX_GPA, 100));
}

TEST_HARNESS_MAIN
