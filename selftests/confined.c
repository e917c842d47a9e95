// SPDX-License-Identifier: GPL-2.0
/*
 * What a frontend is kept from: by seccomp, everything but the data path; by the kernel,
 * writing to memory that is read-only, on each kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "data_path.h"
#include "kselftest_harness.h"
#include "nbswitch.h"
#include "nbxdp.h"

#define FRAMES		20u
#define FRAME		600u

/* ---- seccomp ------------------------------------------------------------- */

FIXTURE(confined)
{
	int unused;
};

FIXTURE_VARIANT(confined)
{
	const struct nb_test_kind *kind;
	uint32_t flags;		/* of the queue */
	bool eventfds;		/* instead of ENTER */
};

FIXTURE_VARIANT_ADD(confined, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(confined, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(confined, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(confined, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(confined, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(confined, polled) { .kind = &nb_test_netdev, .flags = NB_QUEUE_POLL };
FIXTURE_VARIANT_ADD(confined, eventfds) { .kind = &nb_test_netdev, .eventfds = true };

FIXTURE_SETUP(confined)
{
	nb_host_new_netns();
}

FIXTURE_TEARDOWN(confined)
{
}

/* A frontend with a queue and its eventfds. */
struct frontend {
	struct nb_guest guest;
	struct nb_nic nic;
	int kick, call;
};

static void frontend_open(struct frontend *front, const struct nb_test_kind *kind, uint32_t flags,
			  bool eventfds)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU, .flags = flags };

	nb_guest_open(&front->guest, 0);
	nb_nic_open(&front->nic, &front->guest, kind, 0);
	nb_nic_start_as(&front->nic, &config, 1);
	nb_nic_post_all(&front->nic);
	nb_host_close(&front->nic.host);
	front->kick = nb_sys(eventfd(0, EFD_CLOEXEC));
	front->call = nb_sys(eventfd(0, EFD_CLOEXEC));
	if (eventfds)
		nb_ok(nb_queue_set_eventfds(front->nic.queue, front->kick, front->call));
}

/* As a VMM does that is in poll() for all of its devices. */
static void kick_and_wait(struct frontend *front)
{
	struct pollfd waits = { .fd = front->call, .events = POLLIN };
	uint64_t one = 1;

	nb_sys(write(front->kick, &one, sizeof(one)));
	if (nb_sys(poll(&waits, 1, NB_PATIENCE)) != 1)
		nb_die("nothing is told");
	nb_sys(read(front->call, &one, sizeof(one)));
}

/* Sends a frame, and gets one back, from the host or from the kind. */
static void exchange(struct frontend *front, bool eventfds, uint32_t seed)
{
	struct nb_tx_segment segment = nb_tx_packet(nb_frame_put(&front->guest, 0, FRAME, seed),
						    FRAME, seed);
	struct nb_nic *nic = &front->nic;
	unsigned char frame[FRAME];
	uint32_t id;

	nb_tx_all(nic->queue, &segment, 1);
	if (nic->kind->sent == NB_COMES_NOWHERE)
		return;
	while (eventfds && !nb_queue_poll_ready(nic->queue, 0))
		kick_and_wait(front);
	nb_frame_fill(frame, FRAME, seed);
	if (nb_bufs_reap(&nic->bufs, nic->queue, &id, 1) != 1 ||
	    !nb_bufs_equal(&nic->bufs, &front->guest, id, frame, FRAME))
		nb_die("frame %u does not come back", seed);
	nb_bufs_post(&nic->bufs, nic->queue, id);
}

/* The host is told the interface, and says when it is ready. */
static void run_confined(const FIXTURE_VARIANT(confined) *variant, int host)
{
	struct nb_endpoint_info info;
	struct frontend front;
	uint32_t i, index;

	frontend_open(&front, variant->kind, variant->flags, variant->eventfds);
	nb_ok(nb_endpoint_get_info(front.nic.ep, &info));
	index = variant->kind->takes_over ? (uint32_t)front.nic.pair.far_index : info.ifindex;
	nb_sys(write(host, &index, sizeof(index)));
	nb_sys(read(host, &index, sizeof(index)));
	nb_sys(data_path_confine());
	for (i = 0; i < FRAMES; i++)
		exchange(&front, variant->eventfds, i);
	_exit(0);
}

/* Sends back what comes from the guest. */
static bool reflect(uint32_t ifindex, int frontend)
{
	unsigned char frame[NB_BUF_SIZE];
	struct nb_host host;
	unsigned int i;
	ssize_t len = 0;

	nb_host_open_socket(&host, ifindex);
	nb_sys(write(frontend, &ifindex, sizeof(ifindex)));
	for (i = 0; i < FRAMES; i++) {
		len = nb_host_receive(&host, frame, sizeof(frame), NULL);
		if (len < 0)
			break;
		nb_host_send(&host, frame, len);
	}
	nb_host_close(&host);
	return len > 0;
}

TEST_F(confined, to_the_calls_of_the_data_path_it_works)
{
	uint32_t index;
	int status, pair[2];
	pid_t child;

	nb_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = nb_sys(fork());
	if (!child) {
		close(pair[0]);
		run_confined(variant, pair[1]);
	}
	close(pair[1]);
	ASSERT_EQ(sizeof(index), nb_sys(read(pair[0], &index, sizeof(index))));
	if (variant->kind->sent == NB_COMES_TO_HOST)
		EXPECT_TRUE(reflect(index, pair[0]));
	close(pair[0]);
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* ---- what it may not do then --------------------------------------------- */

static void make_queues(struct frontend *front)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_queue *queue;

	nb_endpoint_get_queues(front->nic.ep, front->guest.mem, &config, 1, NULL, &queue);
}

static void make_endpoint(struct frontend *front)
{
	struct nb_endpoint *ep;

	nb_test_create(&front->guest, &nb_test_null, NULL, &ep);
}

static void add_memory(struct frontend *front)
{
	struct nb_add_region arg = { .size = sizeof(arg), .len = NB_PAGE };

	ioctl(nb_memory_fd(front->guest.mem), NB_MEMORY_ADD_REGION, &arg);
}

static void remove_memory(struct frontend *front)
{
	nb_memory_remove(front->guest.mem, NB_RX_GPA, NB_RX_SIZE);
}

static void disconnect(struct frontend *front)
{
	nb_endpoint_disconnect(front->nic.ep, 0);
}

static void ask(struct frontend *front)
{
	struct nb_queue_stats stats;

	nb_queue_stats(front->nic.queue, &stats);
}

static void open_file(struct frontend *front)
{
	close(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void map_more(struct frontend *front)
{
	nb_test_pages(NB_PAGE);
}

static void open_socket(struct frontend *front)
{
	close(socket(AF_INET, SOCK_STREAM, 0));
}

TEST(confined_whatever_else_it_does_ends_it)
{
	static void (* const attempts[])(struct frontend *front) = {
		make_queues, make_endpoint, add_memory, remove_memory, disconnect, ask,
		open_file, map_more, open_socket,
	};
	struct frontend front;
	unsigned int i;
	int status;
	pid_t child;

	nb_host_new_netns();
	frontend_open(&front, &nb_test_loopback, 0, false);
	for (i = 0; i < ARRAY_LEN(attempts); i++) {
		child = nb_sys(fork());
		if (!child) {
			nb_sys(data_path_confine());
			attempts[i](&front);
			_exit(0);
		}
		nb_sys(waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			TH_LOG("attempt %u: status %#x", i, status);
	}
	/* Of what they tried, nothing has been done. */
	exchange(&front, false, 1);
	nb_nic_close(&front.nic);
	nb_guest_close(&front.guest);
}

/* ---- read-only regions --------------------------------------------------- */

FIXTURE(read_only)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_port peer;	/* of a port: who sends to it */
	unsigned char *pages;
};

FIXTURE_VARIANT(read_only)
{
	const struct nb_test_kind *kind;
	uint32_t flags;
	bool xdp;	/* a program of the host's sends back what the guest sends, with a tag */
	bool port;
};

FIXTURE_VARIANT_ADD(read_only, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(read_only, port) { .kind = &nb_test_switch, .port = true };
FIXTURE_VARIANT_ADD(read_only, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(read_only, xdp) { .kind = &nb_test_netdev, .xdp = true };
FIXTURE_VARIANT_ADD(read_only, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(read_only, polled) { .kind = &nb_test_netdev, .flags = NB_QUEUE_POLL };

FIXTURE_SETUP(read_only)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU, .flags = variant->flags };
	struct nb_switch_params join = { .flags = NB_SWITCH_JOIN };

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	self->pages = nb_test_pages(NB_PAGE);
	memset(self->pages, 0x5a, NB_PAGE);
	/* The process itself may write: what keeps the kernel from it is the region's flag. */
	nb_ok(nb_memory_add(self->guest.mem, NB_MORE_GPA, self->pages, NB_PAGE,
			    NB_REGION_READ_ONLY));
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_nic_start_as(&self->nic, &config, 1);
	if (variant->xdp)
		nb_bpf_attach(self->nic.host.ifindex, nb_xdp_pushes_vlan(5, XDP_TX));
	join.group_fd = nb_endpoint_fd(self->nic.ep);
	if (variant->port)
		nb_port_open(&self->peer, &join);
}

FIXTURE_TEARDOWN(read_only)
{
	if (variant->port)
		nb_port_close(&self->peer);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
	munmap(self->pages, NB_PAGE);
}

/* A packet for the guest, whether or not there is a buffer. */
static void provoke(FIXTURE_DATA(read_only) *self, const FIXTURE_VARIANT(read_only) *variant)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 100);
	struct nb_plan plan = nb_plan(1, 0);

	if (variant->port)
		nb_port_send(&self->peer, &plan, NB_TX_OK);
	else if (variant->xdp || variant->kind->sent == NB_COMES_BACK)
		nb_ok(nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	else
		nb_nic_provoke(&self->nic);
}

/* How the next buffer comes back. */
static int next_status(FIXTURE_DATA(read_only) *self, uint32_t *id)
{
	return nb_bufs_reap(&self->nic.bufs, self->nic.queue, id, 1) == 1 ?
	       self->nic.bufs.meta[*id].status : -1;
}

/* Nor by the end of a buffer that begins elsewhere, nor when the last one was there, too. */
TEST_F(read_only, regions_are_never_written)
{
	struct nb_rx_segment buffers[] = {
		{ .gpa = NB_MORE_GPA, .len = NB_BUF_SIZE, .id = 0 },
		{ .gpa = NB_RX_GPA, .len = 50 | NB_RX_MORE, .id = 1 },
		{ .gpa = NB_MORE_GPA, .len = NB_BUF_SIZE, .id = 1 },
		{ .gpa = NB_MORE_GPA + NB_BUF_SIZE, .len = NB_BUF_SIZE, .id = 2 },
		{ .gpa = NB_RX_GPA, .len = NB_BUF_SIZE, .id = 3 },
	};
	unsigned char before[NB_PAGE];
	uint32_t id, got;

	memset(before, 0x5a, NB_PAGE);
	ASSERT_EQ(3, nb_queue_rx_avail(self->nic.queue, buffers, 3));
	provoke(self, variant);
	for (id = 0; id < 2; id++) {
		ASSERT_EQ(NB_RX_FAULT, next_status(self, &got));
		EXPECT_EQ(id, got);
	}
	ASSERT_EQ(2, nb_queue_rx_avail(self->nic.queue, buffers + 3, 2));
	provoke(self, variant);
	ASSERT_EQ(NB_RX_FAULT, next_status(self, &id));
	EXPECT_EQ(2, id);
	ASSERT_EQ(NB_RX_OK, next_status(self, &id));
	EXPECT_EQ(3, id);
	EXPECT_EQ(variant->xdp ? 104 : 100, self->nic.bufs.meta[3].len);
	EXPECT_EQ(0, memcmp(before, self->pages, NB_PAGE));
}

/* The first one is at hand, since a packet was too long for it; the next one was seen, too. */
TEST_F(read_only, buffers_that_become_so_are_not_written_any_more)
{
	struct nb_rx_segment buffers[] = {
		{ .gpa = NB_MORE_GPA, .len = 64, .id = 0 },
		{ .gpa = NB_MORE_GPA + NB_BUF_SIZE, .len = NB_BUF_SIZE, .id = 1 },
		{ .gpa = NB_RX_GPA, .len = NB_BUF_SIZE, .id = 2 },
	};
	struct nb_memory *mem = self->guest.mem;
	unsigned char before[NB_PAGE];
	uint32_t id, got;

	memset(before, 0x5a, NB_PAGE);
	nb_ok(nb_memory_remove(mem, NB_MORE_GPA, NB_PAGE));
	nb_ok(nb_memory_add(mem, NB_MORE_GPA, self->pages, NB_PAGE, 0));
	ASSERT_EQ(2, nb_queue_rx_avail(self->nic.queue, buffers, 2));
	provoke(self, variant);
	ASSERT_TRUE(nb_until(nb_stats_of(self->nic.queue).rx_too_small));
	nb_ok(nb_memory_remove(mem, NB_MORE_GPA, NB_PAGE));
	nb_ok(nb_memory_add(mem, NB_MORE_GPA, self->pages, NB_PAGE, NB_REGION_READ_ONLY));
	provoke(self, variant);
	for (id = 0; id < 2; id++) {
		ASSERT_EQ(NB_RX_FAULT, next_status(self, &got));
		EXPECT_EQ(id, got);
	}
	ASSERT_EQ(1, nb_queue_rx_avail(self->nic.queue, buffers + 2, 1));
	provoke(self, variant);
	EXPECT_EQ(NB_RX_OK, next_status(self, &got));
	EXPECT_EQ(0, memcmp(before, self->pages, NB_PAGE));
}

/* What is sent from there goes as it is, and whoever changes it in the host has a copy. */
TEST_F(read_only, what_is_sent_from_there_stays_as_it_is)
{
	struct nb_tx_segment segment = nb_tx_packet(NB_MORE_GPA, 100, 1);
	unsigned char before[NB_PAGE], frame[104], got[NB_BUF_SIZE];

	nb_frame_fill(self->pages, 100, 9);
	memcpy(before, self->pages, NB_PAGE);
	nb_nic_post_all(&self->nic);
	nb_tx_all(self->nic.queue, &segment, 1);
	if (variant->xdp) {
		/* The two addresses, the tag, and the rest. */
		memcpy(frame, before, 12);
		memcpy(frame + 12, (unsigned char []){ 0x81, 0, 0, 5 }, 4);
		memcpy(frame + 16, before + 12, 88);
		EXPECT_EQ(104, nb_nic_received(&self->nic, got, sizeof(got), NULL));
		EXPECT_EQ(0, memcmp(frame, got, 104));
	} else if (variant->port) {
		EXPECT_EQ(1, nb_port_drain(&self->peer));
	} else {
		EXPECT_EQ(100, nb_nic_arrived(&self->nic, got, sizeof(got), NULL));
		EXPECT_EQ(0, memcmp(before, got, 100));
	}
	EXPECT_EQ(0, memcmp(before, self->pages, NB_PAGE));
}

TEST_HARNESS_MAIN
