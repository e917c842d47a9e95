// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: regions of all sorts, added and removed at any time, counted, and
 * looked up among many.  Mostly seen through kind loopback, which reads and writes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

#define REGION		(16 * NB_PAGE)
#define HUGE		(2u << 20)

FIXTURE(memory)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(memory)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
}

FIXTURE_TEARDOWN(memory)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* Transmits one packet from there: its nb_tx_status. */
static uint32_t send_from(struct nb_nic *nic, uint64_t gpa, uint32_t len)
{
	struct nb_tx_segment segment = nb_tx_packet(gpa, len, 1);
	struct nb_tx_completion done;

	if (nb_ok(nb_queue_tx_avail(nic->queue, &segment, 1, NULL)) != 1 ||
	    nb_tx_reap(nic->queue, &done, 1) != 1)
		nb_die("a transmit was not completed");
	return done.status;
}

/* Whether the guest memory there can be sent, and comes back as it is. */
static bool goes_round(struct nb_nic *nic, uint64_t gpa, const void *data, uint32_t len)
{
	uint32_t id;
	bool equal;

	if (send_from(nic, gpa, len) != NB_TX_OK ||
	    nb_bufs_reap(&nic->bufs, nic->queue, &id, 1) != 1)
		return false;
	equal = nb_bufs_equal(&nic->bufs, nic->guest, id, data, len);
	nb_bufs_post(&nic->bufs, nic->queue, id);
	return equal;
}

static int add(struct nb_guest *guest, uint64_t gpa, void *address, size_t len, uint32_t flags)
{
	return nb_memory_add(guest->mem, gpa, address, len, flags);
}

static bool explained(void)
{
	return strchr(nb_error(), ' ');
}

static bool all_are(const unsigned char *data, size_t len, unsigned char value)
{
	return data[0] == value && !memcmp(data, data + 1, len - 1);
}

/* ---- sharing ------------------------------------------------------------- */

TEST_F(memory, endpoints_share_one_memory)
{
	struct nb_nic netdev, second;

	nb_nic_open(&netdev, &self->guest, &nb_test_netdev, 0);
	nb_nic_open(&second, &self->guest, &nb_test_loopback, 0);
	netdev.bufs.gpa = NB_TX_GPA + NB_TX_SIZE / 2;
	netdev.bufs.n = 32;
	second.bufs.gpa = netdev.bufs.gpa + 32 * NB_BUF_SIZE;
	second.bufs.n = 32;
	nb_nic_start(&netdev, 1, 0);
	nb_nic_start(&second, 1, 0);
	nb_bufs_post_all(&netdev.bufs, netdev.queue);
	nb_bufs_post_all(&second.bufs, second.queue);
	EXPECT_TRUE(nb_nic_works(&netdev));
	EXPECT_TRUE(nb_nic_works(&second));
	EXPECT_TRUE(nb_nic_works(&self->nic));

	/* A new region is there for all, and gone for all. */
	ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, nb_test_pages(REGION), REGION, 0));
	EXPECT_EQ(NB_TX_OK, send_from(&netdev, NB_MORE_GPA, 100));
	EXPECT_TRUE(goes_round(&second, NB_MORE_GPA, nb_guest_ptr(&self->guest, NB_MORE_GPA, 100),
			       100));
	ASSERT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION));
	EXPECT_EQ(NB_TX_FAULT, send_from(&netdev, NB_MORE_GPA, 100));
	EXPECT_EQ(NB_TX_FAULT, send_from(&second, NB_MORE_GPA, 100));

	nb_nic_close(&netdev);
	EXPECT_TRUE(nb_nic_works(&second));
	nb_nic_close(&second);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

/* ---- adding and removing ------------------------------------------------- */

TEST_F(memory, regions_come_and_go_while_a_queue_runs)
{
	unsigned char *pages;
	unsigned int round;

	for (round = 0; round < 10; round++) {
		EXPECT_EQ(NB_TX_FAULT, send_from(&self->nic, NB_MORE_GPA, 100));
		pages = nb_test_pages(REGION);
		nb_frame_fill(pages + 5000, 1000, round);
		ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, pages, REGION, 0));
		EXPECT_TRUE(goes_round(&self->nic, NB_MORE_GPA + 5000, pages + 5000, 1000));
		ASSERT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION));
		nb_sys(munmap(pages, REGION));
	}
	EXPECT_EQ(NB_TX_FAULT, send_from(&self->nic, NB_MORE_GPA, 100));
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(memory, buffers_of_a_removed_region_come_back_with_a_fault)
{
	struct nb_bufs *bufs = &self->nic.bufs;
	uint32_t ids[5];
	unsigned int i;

	nb_nic_stop(&self->nic);
	nb_nic_start(&self->nic, 1, 0);
	ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, nb_test_pages(REGION), REGION, 0));
	bufs->gpa = NB_MORE_GPA;
	nb_bufs_post_range(bufs, self->nic.queue, 0, 4);
	/* The kernel has looked at a buffer, and has a packet in another. */
	ASSERT_EQ(NB_TX_OK, send_from(&self->nic, NB_TX_GPA, 100));
	ASSERT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION));
	bufs->gpa = NB_RX_GPA;
	nb_bufs_post_range(bufs, self->nic.queue, 4, 1);

	ASSERT_EQ(NB_TX_OK, send_from(&self->nic, NB_TX_GPA, 100));
	ASSERT_EQ(5, nb_bufs_reap(bufs, self->nic.queue, ids, 5));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(i, ids[i]);
		EXPECT_EQ(i % 4 ? NB_RX_FAULT : NB_RX_OK, bufs->meta[i].status);
		EXPECT_EQ(i % 4 ? 0 : 100, bufs->meta[i].len);
	}
}

/* The kernel looks at the next buffer when it has filled one. */
TEST_F(memory, a_buffer_that_waits_for_the_host_faults_once_its_region_is_removed)
{
	unsigned char *pages = nb_test_pages(REGION), frame[100];
	struct nb_nic netdev;
	uint32_t ids[4];
	unsigned int i;

	nb_nic_open(&netdev, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&netdev, 1, 0);
	nb_frame_fill(frame, sizeof(frame), 1);
	ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, pages, REGION, 0));
	netdev.bufs.gpa = NB_MORE_GPA;
	nb_bufs_post_range(&netdev.bufs, netdev.queue, 0, 3);
	nb_host_send(&netdev.host, frame, sizeof(frame));
	ASSERT_EQ(1, nb_bufs_reap(&netdev.bufs, netdev.queue, ids, 1));
	ASSERT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION));
	memset(pages, 0xee, REGION);

	netdev.bufs.gpa = NB_TX_GPA;
	nb_bufs_post_range(&netdev.bufs, netdev.queue, 3, 1);
	nb_host_send(&netdev.host, frame, sizeof(frame));
	ASSERT_EQ(3, nb_bufs_reap(&netdev.bufs, netdev.queue, ids + 1, 3));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(i, ids[i]);
	EXPECT_EQ(NB_RX_FAULT, netdev.bufs.meta[1].status);
	EXPECT_EQ(NB_RX_FAULT, netdev.bufs.meta[2].status);
	EXPECT_TRUE(nb_bufs_equal(&netdev.bufs, &self->guest, 3, frame, sizeof(frame)));
	EXPECT_TRUE(all_are(pages, REGION, 0xee));
	nb_nic_close(&netdev);
}

TEST_F(memory, removing_needs_exactly_the_region)
{
	ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, nb_test_pages(REGION), REGION, 0));
	EXPECT_EQ(-ENOENT, nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION - NB_PAGE));
	EXPECT_TRUE(explained());
	EXPECT_EQ(-ENOENT, nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION + NB_PAGE));
	EXPECT_EQ(-ENOENT, nb_memory_remove(self->guest.mem, NB_MORE_GPA + NB_PAGE,
					    REGION - NB_PAGE));
	EXPECT_EQ(-ENOENT, nb_memory_remove(self->guest.mem, NB_MORE_GPA * 2, REGION));
	EXPECT_EQ(NB_TX_OK, send_from(&self->nic, NB_MORE_GPA, 100));
	EXPECT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION));
	EXPECT_EQ(-ENOENT, nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION));
}

struct traffic {
	struct nb_nic *nic;
	bool stop;
	unsigned long packets, faults;
};

static void *run_traffic(void *argument)
{
	struct traffic *traffic = argument;
	struct nb_nic *nic = traffic->nic;
	struct nb_tx_segment segments[16];
	struct nb_rx_metadata meta[16];
	unsigned int i;
	int n, j;

	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_packet(NB_TX_GPA, 1500, i);
	while (!__atomic_load_n(&traffic->stop, __ATOMIC_RELAXED)) {
		struct nb_tx_completion done[16];

		nb_ok(nb_queue_tx_avail(nic->queue, segments, ARRAY_LEN(segments), NULL));
		nb_ok(nb_queue_tx_poll(nic->queue, done, ARRAY_LEN(done)));
		n = nb_ok(nb_queue_rx_poll(nic->queue, meta, ARRAY_LEN(meta)));
		for (j = 0; j < n; j++) {
			__atomic_fetch_add(meta[j].status == NB_RX_OK ? &traffic->packets :
					   &traffic->faults, 1, __ATOMIC_RELAXED);
			nb_bufs_post(&nic->bufs, nic->queue, meta[j].id);
		}
	}
	return NULL;
}

TEST_F(memory, the_kernel_does_not_touch_a_region_after_removing_it)
{
	struct traffic traffic = { .nic = &self->nic };
	size_t len = NB_RX_SIZE;
	unsigned char *pages = nb_test_pages(len);
	unsigned long packets, faults;
	unsigned int round;
	pthread_t thread;

	nb_nic_stop(&self->nic);
	nb_nic_start(&self->nic, 1, 0);
	self->nic.bufs.gpa = NB_MORE_GPA;
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	nb_frame_put(&self->guest, 0, 1500, 1);
	ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, pages, len, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_traffic, &traffic));
	for (round = 0; round < 50; round++) {
		packets = traffic.packets;
		ASSERT_TRUE(nb_until(__atomic_load_n(&traffic.packets, __ATOMIC_RELAXED) >
				     packets + 20));
		ASSERT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA, len));
		memset(pages, 0xee, len);
		faults = traffic.faults;
		ASSERT_TRUE(nb_until(__atomic_load_n(&traffic.faults, __ATOMIC_RELAXED) >
				     faults + 20));
		EXPECT_TRUE(all_are(pages, len, 0xee));
		ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, pages, len, 0));
	}
	__atomic_store_n(&traffic.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* ---- sorts of regions ---------------------------------------------------- */

TEST_F(memory, a_region_can_be_part_of_a_memfd)
{
	int fd = nb_sys(memfd_create("guest", MFD_CLOEXEC));
	unsigned char frame[1000];
	uint32_t id;

	nb_sys(ftruncate(fd, 2 * REGION));
	nb_frame_fill(frame, sizeof(frame), 1);
	nb_sys(pwrite(fd, frame, sizeof(frame), REGION + 300));
	ASSERT_EQ(0, nb_memory_add_fd(self->guest.mem, NB_MORE_GPA, fd, REGION, REGION, 0));
	EXPECT_TRUE(goes_round(&self->nic, NB_MORE_GPA + 300, frame, sizeof(frame)));

	/* A packet into it, seen through the file. */
	nb_nic_stop(&self->nic);
	nb_nic_start(&self->nic, 1, 0);
	self->nic.bufs.gpa = NB_MORE_GPA + NB_PAGE;
	nb_bufs_post_range(&self->nic.bufs, self->nic.queue, 0, 2);
	nb_frame_put(&self->guest, 0, 900, 2);
	ASSERT_EQ(NB_TX_OK, send_from(&self->nic, NB_TX_GPA, 900));
	ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, &id, 1));
	nb_sys(pread(fd, frame, 900, REGION + NB_PAGE));
	EXPECT_EQ(0, memcmp(frame, nb_guest_ptr(&self->guest, NB_TX_GPA, 900), 900));

	/* The region outlives the fd. */
	close(fd);
	EXPECT_EQ(NB_TX_OK, send_from(&self->nic, NB_MORE_GPA + REGION - 100, 100));
	EXPECT_EQ(NB_TX_FAULT, send_from(&self->nic, NB_MORE_GPA + REGION - 99, 100));
}

/* Makes a few huge pages available; false if the machine cannot. */
static bool have_huge_pages(void)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_RDWR | O_CLOEXEC);
	char text[16] = "";
	bool have;

	if (fd < 0)
		return false;
	have = write(fd, "4", 1) == 1 && pread(fd, text, sizeof(text) - 1, 0) > 0 &&
	       atoi(text) >= 2;
	close(fd);
	return have;
}

static unsigned int n_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned int n = 0;
	int byte;

	if (!file)
		nb_die("there is no /proc/self/maps");
	while ((byte = fgetc(file)) != EOF)
		n += byte == '\n';
	fclose(file);
	return n;
}

TEST_F(memory, a_region_can_be_of_huge_pages)
{
	struct nb_add_region part = {
		.size = sizeof(part),
		.flags = NB_REGION_FD,
		.gpa = NB_MORE_GPA,
		.len = NB_PAGE,
	};
	size_t len = 2 * HUGE - 3 * NB_PAGE;
	unsigned char *pages;
	unsigned int mappings;
	int fd;

	if (!have_huge_pages())
		SKIP(return, "there are no huge pages");
	fd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd < 0)
		SKIP(return, "the kernel has no hugetlbfs");
	nb_sys(ftruncate(fd, 2 * HUGE));
	pages = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, pages);

	/* Neither begins nor ends with a huge page. */
	ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA + NB_PAGE, pages + NB_PAGE, len, 0));
	nb_frame_fill(pages + HUGE - 600, 1400, 3);
	EXPECT_TRUE(goes_round(&self->nic, NB_MORE_GPA + HUGE - 600, pages + HUGE - 600, 1400));
	nb_frame_fill(pages + NB_PAGE, 1400, 4);
	EXPECT_TRUE(goes_round(&self->nic, NB_MORE_GPA + NB_PAGE, pages + NB_PAGE, 1400));
	nb_frame_fill(pages + NB_PAGE + len - 1400, 1400, 5);
	EXPECT_TRUE(goes_round(&self->nic, NB_MORE_GPA + NB_PAGE + len - 1400,
			       pages + NB_PAGE + len - 1400, 1400));
	EXPECT_EQ(NB_TX_FAULT, send_from(&self->nic, NB_MORE_GPA + NB_PAGE - 1, 100));
	EXPECT_EQ(NB_TX_FAULT, send_from(&self->nic, NB_MORE_GPA + NB_PAGE + len - 99, 100));
	EXPECT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA + NB_PAGE, len));

	/* Straight from the file, but not a part of a page. */
	part.fd = fd;
	EXPECT_EQ(-EINVAL, nb_raw_call(nb_memory_fd(self->guest.mem), NB_MEMORY_ADD_REGION, &part));
	EXPECT_TRUE(nb_raw_explained());
	mappings = n_mappings();
	EXPECT_EQ(-EINVAL, nb_memory_add_fd(self->guest.mem, NB_MORE_GPA, fd, 0, NB_PAGE, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(mappings, n_mappings());
	ASSERT_EQ(0, nb_memory_add_fd(self->guest.mem, NB_MORE_GPA, fd, 0, 2 * HUGE, 0));
	EXPECT_TRUE(goes_round(&self->nic, NB_MORE_GPA + HUGE - 600, pages + HUGE - 600, 1400));
	EXPECT_EQ(0, nb_memory_remove(self->guest.mem, NB_MORE_GPA, 2 * HUGE));
	nb_sys(munmap(pages, 2 * HUGE));
	close(fd);
}

TEST_F(memory, a_read_only_region_can_be_sent_from_and_not_received_to)
{
	unsigned char *pages = nb_test_pages(REGION);
	uint32_t ids[2];

	nb_frame_fill(pages, 1000, 1);
	nb_sys(mprotect(pages, REGION, PROT_READ));
	EXPECT_EQ(-EFAULT, add(&self->guest, NB_MORE_GPA, pages, REGION, 0));
	EXPECT_TRUE(explained());
	ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, pages, REGION, NB_REGION_READ_ONLY));
	EXPECT_TRUE(goes_round(&self->nic, NB_MORE_GPA, pages, 1000));

	nb_nic_stop(&self->nic);
	nb_nic_start(&self->nic, 1, 0);
	self->nic.bufs.gpa = NB_MORE_GPA;
	nb_bufs_post_range(&self->nic.bufs, self->nic.queue, 0, 1);
	self->nic.bufs.gpa = NB_RX_GPA;
	nb_bufs_post_range(&self->nic.bufs, self->nic.queue, 1, 1);
	ASSERT_EQ(NB_TX_OK, send_from(&self->nic, NB_TX_GPA, 100));
	ASSERT_EQ(2, nb_bufs_reap(&self->nic.bufs, self->nic.queue, ids, 2));
	EXPECT_EQ(NB_RX_FAULT, self->nic.bufs.meta[0].status);
	EXPECT_EQ(NB_RX_OK, self->nic.bufs.meta[1].status);
}

TEST_F(memory, a_region_outlives_its_mapping)
{
	unsigned char *pages = nb_test_pages(REGION), frame[1000];

	nb_frame_fill(frame, sizeof(frame), 1);
	memcpy(pages + 5000, frame, sizeof(frame));
	ASSERT_EQ(0, add(&self->guest, NB_MORE_GPA, pages, REGION, 0));
	nb_sys(munmap(pages, REGION));
	EXPECT_TRUE(goes_round(&self->nic, NB_MORE_GPA + 5000, frame, sizeof(frame)));
}

/* ---- refusals ------------------------------------------------------------ */

TEST_F(memory, regions_do_not_overlap)
{
	unsigned char *pages = nb_test_pages(3 * REGION);
	uint64_t gpa = NB_MORE_GPA + REGION;

	ASSERT_EQ(0, add(&self->guest, gpa, pages, REGION, 0));
	EXPECT_EQ(-EEXIST, add(&self->guest, gpa, pages, REGION, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(-EEXIST, add(&self->guest, gpa - NB_PAGE, pages, 2 * NB_PAGE, 0));
	EXPECT_EQ(-EEXIST, add(&self->guest, gpa + REGION - NB_PAGE, pages, 2 * NB_PAGE, 0));
	EXPECT_EQ(-EEXIST, add(&self->guest, gpa + NB_PAGE, pages, NB_PAGE, 0));
	EXPECT_EQ(-EEXIST, add(&self->guest, gpa - NB_PAGE, pages, 3 * REGION, 0));
	/* Neighbours do not. */
	EXPECT_EQ(0, add(&self->guest, gpa - REGION, pages + REGION, REGION, 0));
	EXPECT_EQ(0, add(&self->guest, gpa + REGION, pages + 2 * REGION, REGION, 0));
}

/* Maps of this process of a memfd with that name. */
static unsigned int maps_of(const char *name)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned int n = 0;

	if (!file)
		nb_die("no maps");
	while (fgets(line, sizeof(line), file))
		n += !!strstr(line, name);
	fclose(file);
	return n;
}

TEST_F(memory, a_part_of_a_memfd_that_is_refused_is_not_mapped_either)
{
	int fd = nb_sys(memfd_create("nb-refused", MFD_CLOEXEC));

	nb_sys(ftruncate(fd, 2 * REGION));
	ASSERT_EQ(0, nb_memory_add_fd(self->guest.mem, NB_MORE_GPA, fd, 0, REGION, 0));
	EXPECT_EQ(1, maps_of("nb-refused"));
	EXPECT_EQ(-EEXIST, nb_memory_add_fd(self->guest.mem, NB_MORE_GPA, fd, REGION, REGION, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(1, maps_of("nb-refused"));
	close(fd);
}

/*
 * Sizes that overflow. CVE-2020-12659: AF_XDP believed how much room a UMEM had in front of its
 * packets.
 */
TEST_F(memory, refuses_regions_that_make_no_sense)
{
	unsigned char *pages = nb_test_pages(REGION), *hole = nb_test_pages(REGION);
	struct nb_guest *guest = &self->guest;
	uint64_t gpa = NB_MORE_GPA;

	EXPECT_EQ(-EINVAL, add(guest, gpa + 1, pages, REGION, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(-EINVAL, add(guest, gpa, pages + 8, REGION - NB_PAGE, 0));
	EXPECT_EQ(-EINVAL, add(guest, gpa, pages, 100, 0));
	EXPECT_EQ(-EINVAL, add(guest, gpa, pages, 0, 0));
	EXPECT_EQ(-EINVAL, add(guest, -(uint64_t)NB_PAGE, pages, REGION, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(-EINVAL, add(guest, gpa, pages, REGION, 1u << 31));
	EXPECT_TRUE(explained());

	nb_sys(munmap(hole + NB_PAGE, NB_PAGE));
	EXPECT_EQ(-EFAULT, add(guest, gpa, hole, REGION, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(NB_TX_FAULT, send_from(&self->nic, gpa, 100));
	EXPECT_EQ(0, add(guest, gpa, pages, REGION, 0));
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_HARNESS_MAIN
