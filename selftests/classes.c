// SPDX-License-Identifier: GPL-2.0
/*
 * The classes of vulnerability that others with memory shared with user space have had:
 * vhost, tun, VDUSE, AF_XDP, netmap.  Documentation/security.rst says for each where its
 * tests are; those that fit nowhere else are here.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

#define ENTRIES		4096u

FIXTURE(classes)
{
	struct nb_guest guest;
	struct nb_nic nic;	/* without queues of its own */
	struct nb_raw raw;
};

FIXTURE_VARIANT(classes)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(classes, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(classes, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(classes, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(classes, attach) { .kind = &nb_test_attach };

/* What the kernel takes next has been somebody's, and is full of what must not be seen. */
static void soil_free_memory(void)
{
	size_t len = 256u << 20;
	void *memory = nb_test_pages(len);

	memset(memory, 0xa5, len);
	nb_sys(munmap(memory, len));
}

FIXTURE_SETUP(classes)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	soil_free_memory();
	nb_raw_open(&self->raw, self->nic.ep, self->guest.mem, ENTRIES);
}

FIXTURE_TEARDOWN(classes)
{
	if (self->raw.fd >= 0)
		nb_raw_close(&self->raw);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- memory that is not given back --------------------------------------- */

/* Bytes that could be had without swapping. */
static uint64_t available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file) &&
	       sscanf(line, "MemAvailable: %llu", &kib) != 1)
		;
	if (!kib)
		nb_die("/proc/meminfo does not say");
	fclose(file);
	return kib << 10;
}

/*
 * CVE-2026-46320, -46321 and -46322: tap and tun left the buffer of each frame that is
 * shorter than an Ethernet header where it was.  The least that one could lose here is
 * an skb, of 640 bytes and more with its data: 250 MiB in all.
 */
TEST_F(classes, short_frames_leave_nothing_behind)
{
	struct nb_tx_segment segments[ENTRIES];
	struct nb_raw *raw = &self->raw;
	struct nb_tx_completion done;
	unsigned int round, i;
	uint64_t before;

	for (i = 0; i < ENTRIES; i++)
		segments[i] = nb_tx_packet(NB_TX_GPA, 1 + i % (NB_HEADER_LEN - 1), i);
	before = available();
	for (round = 0; round < 100; round++) {
		nb_raw_tx(raw, segments, ENTRIES);
		for (i = 0; i < ENTRIES; i++) {
			while (!nb_raw_tx_done(raw, &done))
				ASSERT_EQ(0, nb_raw_enter(raw, NB_ENTER_TX, NULL));
			ASSERT_EQ(i, done.id);
			ASSERT_EQ(NB_TX_INVALID, done.status);
		}
	}
	EXPECT_LT(before, available() + (32u << 20));
}

/* ---- work without an end ------------------------------------------------- */

struct feeder {
	struct nb_raw *raw;
	atomic_bool stop;
};

/* Makes the same entries of both rings available over and over, and takes all that is done. */
static void *feed(void *argument)
{
	struct feeder *feeder = argument;
	struct nb_raw_ring *ring = feeder->raw->ring;

	while (!feeder->stop) {
		__atomic_store_n(ring[NB_RING_TX_DONE].consumer,
				 __atomic_load_n(ring[NB_RING_TX_DONE].producer,
						 __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
		__atomic_store_n(ring[NB_RING_RX_DONE].consumer,
				 __atomic_load_n(ring[NB_RING_RX_DONE].producer,
						 __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
		__atomic_store_n(ring[NB_RING_TX_AVAIL].producer,
				 __atomic_load_n(ring[NB_RING_TX_AVAIL].consumer,
						 __ATOMIC_ACQUIRE) + ENTRIES, __ATOMIC_RELEASE);
		__atomic_store_n(ring[NB_RING_RX_AVAIL].producer,
				 __atomic_load_n(ring[NB_RING_RX_AVAIL].consumer,
						 __ATOMIC_ACQUIRE) + ENTRIES, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * CVE-2019-3900: vhost-net went on as long as a guest had something for it.  Here the
 * rings are never empty, or full, on purpose; a call takes a ring's worth, and at most the
 * rest of a packet more.
 */
TEST_F_TIMEOUT(classes, a_ring_that_never_gets_empty_holds_nobody_up, 600)
{
	struct nb_tx_segment tx[ENTRIES];
	struct nb_rx_segment rx[ENTRIES];
	struct nb_raw *raw = &self->raw;
	struct feeder feeder = { .raw = raw };
	struct nb_enter result = {};
	uint64_t consumed = 0;
	unsigned int i;
	pthread_t thread;

	for (i = 0; i < ENTRIES; i++) {
		tx[i] = nb_tx_packet(nb_frame_put(&self->guest, i % 60, 60, i % 60), 60, i);
		rx[i] = (struct nb_rx_segment){ .gpa = NB_RX_GPA + i % NB_BUFS * NB_BUF_SIZE,
						.len = NB_BUF_SIZE, .id = i };
	}
	nb_raw_tx(raw, tx, ENTRIES);
	nb_raw_rx(raw, rx, ENTRIES);
	ASSERT_EQ(0, pthread_create(&thread, NULL, feed, &feeder));
	while (consumed < 20 * ENTRIES) {
		if (nb_raw_enter(raw, NB_ENTER_TX | NB_ENTER_RX, &result))
			break;
		if (result.tx_consumed >= ENTRIES + NB_MAX_SEGMENTS)
			break;
		consumed += result.tx_consumed;
	}
	feeder.stop = true;
	pthread_join(thread, NULL);
	EXPECT_LE(20 * ENTRIES, consumed) TH_LOG("state %u, %u segments at once",
						 nb_raw_state(raw), result.tx_consumed);
}

/* ---- checked once, read twice -------------------------------------------- */

struct shared_call {
	struct nb_get_queues get;
	struct nb_queue_config configs[8];
	int32_t fds[8];
	atomic_bool stop;
};

/* Turns a good call into bad ones, and back, while the kernel reads it. */
static void *spoil(void *argument)
{
	struct shared_call *call = argument;
	unsigned int round;

	for (round = 0; !call->stop; round++) {
		__atomic_store_n(&call->get.n_queues, round % 3 == 1 ? 8 : 1, __ATOMIC_RELAXED);
		__atomic_store_n(&call->get.config_size,
				 round % 5 == 1 ? 1u << 31 : sizeof(call->configs[0]),
				 __ATOMIC_RELAXED);
		__atomic_store_n(&call->configs[0].tx_avail_entries,
				 round % 7 == 1 ? 0xffffffff : 64, __ATOMIC_RELAXED);
		__atomic_store_n(&call->get.size,
				 round % 11 == 1 ? 0xffffffff : sizeof(call->get),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static unsigned int open_files(void)
{
	unsigned int n = 0;
	int fd;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Closes the queues that one call has made; their number. */
static unsigned int close_queues(struct shared_call *call)
{
	unsigned int n = 0, i;

	for (i = 0; i < ARRAY_LEN(call->fds); i++) {
		if (call->fds[i] >= 0 && !close(call->fds[i]))
			n++;
		call->fds[i] = -1;
	}
	return n;
}

/*
 * CVE-2022-23084: netmap checked the size of a request, and copied the request again.
 * A call is as it was at one moment: it makes as many queues as it says, or none.
 */
TEST_F(classes, a_call_that_changes_under_way_is_one_or_the_other)
{
	struct shared_call call = {
		.get = {
			.configs = (uintptr_t)call.configs, .fds = (uintptr_t)call.fds,
			.n_queues = 1, .config_size = sizeof(call.configs[0]),
			.memory_fd = nb_memory_fd(self->guest.mem),
			.size = sizeof(call.get),
		},
	};
	unsigned int files, made, calls, good = 0, i;
	bool right = true;
	pthread_t thread;
	int fd, result;

	nb_raw_close(&self->raw);
	self->raw.fd = -1;
	for (i = 0; i < ARRAY_LEN(call.configs); i++) {
		call.configs[i] = (struct nb_queue_config){ 64, 64, 64, 64, NB_ANY_CPU, 0 };
		call.fds[i] = -1;
	}
	fd = nb_endpoint_fd(self->nic.ep);
	files = open_files();
	ASSERT_EQ(0, pthread_create(&thread, NULL, spoil, &call));
	/* On and on, until the call has been met both good and bad. */
	for (calls = 0; right && (calls < 2000 || good == calls || !good); calls++) {
		result = ioctl(fd, NB_ENDPOINT_GET_QUEUES, &call.get);
		/* The numbers of fds may be there of a call that failed; they are not open. */
		made = close_queues(&call);
		right = result ? !made : made == 1 || made == 8;
		good += !result;
	}
	call.stop = true;
	pthread_join(thread, NULL);
	EXPECT_TRUE(right) TH_LOG("call %u: %d, %u queues", calls, result, made);
	EXPECT_EQ(files, open_files());
}

/* ---- what was in the memory before --------------------------------------- */

/* Whether bytes are zero, from an offset in a map to another. */
static bool is_zero(const char *map, uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		if (map[from]) {
			fprintf(stderr, "# byte %u is %#x\n", from, map[from] & 0xff);
			return false;
		}
	return true;
}

/*
 * CVE-2018-1118 and CVE-2022-2308: vhost and VDUSE let user space read what had been in
 * their memory before.  A new queue's maps hold what the header describes, and zeros.
 */
TEST_F(classes, a_new_queue_shows_nothing_of_before)
{
	const struct nb_queue_header *header = self->raw.header;
	struct nb_raw *raw = &self->raw;
	uint32_t words[2] = { header->state_offset, header->need_wakeup_offset };
	uint32_t first = words[words[0] > words[1]], second = words[words[0] <= words[1]];

	EXPECT_LE(sizeof(*header), first);
	EXPECT_TRUE(is_zero(raw->kernel, sizeof(*header), first));
	EXPECT_TRUE(is_zero(raw->kernel, first + 4, second));
	EXPECT_TRUE(is_zero(raw->kernel, second + 4, raw->kernel_size));
	EXPECT_TRUE(is_zero(raw->user, 0, header->need_notify_offset));
	EXPECT_TRUE(is_zero(raw->user, header->need_notify_offset + 4, raw->user_size));
}

/* The same of a bitmap of the dirty log, and of what is behind it on its last page. */
TEST_F(classes, a_new_bitmap_shows_nothing_of_before)
{
	uint64_t gpa[] = { NB_RX_GPA, NB_TX_GPA };
	int fd = nb_memory_fd(self->guest.mem);
	struct nb_get_dirty_log where;
	unsigned int i;
	char *map;

	soil_free_memory();
	ASSERT_EQ(0, nb_memory_start_dirty_log(self->guest.mem));
	for (i = 0; i < ARRAY_LEN(gpa); i++) {
		where = (struct nb_get_dirty_log){ .size = sizeof(where), .gpa = gpa[i] };
		ASSERT_EQ(0, nb_raw_call(fd, NB_MEMORY_GET_DIRTY_LOG, &where));
		ASSERT_LE(where.bitmap_size, NB_PAGE);
		map = mmap(NULL, NB_PAGE, PROT_READ, MAP_SHARED, fd, where.offset);
		ASSERT_NE(MAP_FAILED, (void *)map);
		EXPECT_TRUE(is_zero(map, 0, NB_PAGE));
		munmap(map, NB_PAGE);
	}
}

/* Whether the bytes of the receive region but those of a packet are as they were. */
static bool only_the_packet_was_written(const struct nb_guest *guest, uint64_t gpa, size_t len)
{
	const unsigned char *memory = nb_guest_ptr(guest, NB_RX_GPA, NB_RX_SIZE);
	size_t i;

	for (i = 0; i < NB_RX_SIZE; i++)
		if (memory[i] != 0x5a && !(i >= gpa - NB_RX_GPA && i < gpa - NB_RX_GPA + len)) {
			fprintf(stderr, "# byte %zu was written\n", i);
			return false;
		}
	return true;
}

/* The guest gets the packet's bytes, and not those that lay behind it in the kernel. */
TEST_F(classes, a_packet_brings_nothing_but_its_bytes)
{
	static const uint32_t lengths[] = { 60, 61, 63, 67, 127, 1001, 1514 };
	struct nb_raw *raw = &self->raw;
	struct nb_nic *nic = &self->nic;
	unsigned char frame[NB_BUF_SIZE];
	struct nb_endpoint_info info;
	struct nb_rx_metadata meta;
	unsigned int i;

	if (variant->kind->sent == NB_COMES_NOWHERE)
		return;
	if (variant->kind->sent == NB_COMES_TO_HOST) {
		nb_ok(nb_endpoint_get_info(nic->ep, &info));
		nb_host_open(&nic->host, nic->pair.far_index ?: (int)info.ifindex);
	}
	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		struct nb_tx_segment segment = nb_tx_frame(&self->guest, i, lengths[i]);
		struct nb_rx_segment buffer = {
			.gpa = NB_RX_GPA + 8 * NB_BUF_SIZE + i, .len = NB_BUF_SIZE, .id = i,
		};

		memset(nb_guest_ptr(&self->guest, NB_RX_GPA, NB_RX_SIZE), 0x5a, NB_RX_SIZE);
		nb_raw_rx(raw, &buffer, 1);
		if (variant->kind->sent == NB_COMES_TO_HOST) {
			nb_frame_fill(frame, lengths[i], i);
			nb_host_send(&nic->host, frame, lengths[i]);
			ASSERT_EQ(0, nb_raw_wait(raw, NB_ENTER_RX | NB_ENTER_WAIT_RX, NB_PATIENCE));
		} else {
			nb_raw_tx(raw, &segment, 1);
			ASSERT_EQ(0, nb_raw_wait(raw, NB_ENTER_TX | NB_ENTER_WAIT_RX, NB_PATIENCE));
		}
		ASSERT_TRUE(nb_raw_rx_done(raw, &meta));
		EXPECT_EQ(i, meta.id);
		EXPECT_EQ(lengths[i], meta.len);
		EXPECT_EQ(0, meta.reserved | meta.reserved2[0] | meta.reserved2[1]);
		EXPECT_TRUE(only_the_packet_was_written(&self->guest, buffer.gpa + meta.offset,
							meta.len));
	}
}

TEST_HARNESS_MAIN
