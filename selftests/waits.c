// SPDX-License-Identifier: GPL-2.0
/*
 * The crate's Queue::poll_ready, for each kind, and all other ways to wait for a queue
 * and to be woken by it: poll and epoll, the eventfds, ENTER.
 */
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "kselftest_harness.h"
#include "nbip.h"
#include "nbxdp.h"

FIXTURE(waiting)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_queue *queue;
};

FIXTURE_VARIANT(waiting)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(waiting, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(waiting, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(waiting, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(waiting, netdev) { .kind = &nb_test_netdev };

FIXTURE_SETUP(waiting)
{
	self->queue = nb_nic_begin(&self->nic, &self->guest, variant->kind);
}

FIXTURE_TEARDOWN(waiting)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* What only the host can do. */
FIXTURE(netdev)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_queue *queue;
};

FIXTURE_SETUP(netdev)
{
	self->queue = nb_nic_begin(&self->nic, &self->guest, &nb_test_netdev);
}

FIXTURE_TEARDOWN(netdev)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- poll ---------------------------------------------------------------- */

TEST_F(waiting, is_ready_when_there_is_something_to_reap)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 60);
	struct nb_tx_completion done;

	EXPECT_EQ(0, nb_queue_poll_ready(self->queue, 0));
	EXPECT_EQ(0, nb_queue_poll_ready(self->queue, 30));
	if (nb_nic_provoke(&self->nic)) {
		EXPECT_EQ(1, nb_queue_poll_ready(self->queue, NB_PATIENCE));
		EXPECT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->queue, NULL, 1));
		EXPECT_EQ(0, nb_queue_poll_ready(self->queue, 0));
	}
	ASSERT_EQ(1, nb_queue_tx_avail(self->queue, &segment, 1, NULL));
	EXPECT_EQ(1, nb_queue_poll_ready(self->queue, NB_PATIENCE));
	EXPECT_EQ(1, nb_queue_tx_poll(self->queue, &done, 1));
	if (variant->kind->sent == NB_COMES_BACK)
		EXPECT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->queue, NULL, 1));
	EXPECT_EQ(0, nb_queue_poll_ready(self->queue, 0));
}

TEST_F(waiting, poll_and_epoll_tell_when_it_is_ready)
{
	struct pollfd wait = { .fd = nb_queue_fd(self->queue), .events = POLLIN };
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 60);
	struct epoll_event event = { .events = EPOLLIN };
	struct nb_tx_completion done;
	int epoll = nb_sys(epoll_create1(EPOLL_CLOEXEC));

	nb_sys(epoll_ctl(epoll, EPOLL_CTL_ADD, wait.fd, &event));
	EXPECT_EQ(0, poll(&wait, 1, 0));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(1, nb_queue_tx_avail(self->queue, &segment, 1, NULL));
	EXPECT_EQ(1, poll(&wait, 1, NB_PATIENCE));
	EXPECT_EQ(POLLIN, wait.revents);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, NB_PATIENCE));
	EXPECT_EQ(EPOLLIN, event.events);
	EXPECT_EQ(1, nb_tx_reap(self->queue, &done, 1));
	if (variant->kind->sent == NB_COMES_BACK)
		EXPECT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->queue, NULL, 1));
	EXPECT_EQ(0, poll(&wait, 1, 0));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	close(epoll);
}

/* ---- eventfds ------------------------------------------------------------ */

TEST_F(waiting, signals_the_call_eventfd_when_asked_to)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 60);
	int call = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	struct nb_queue_stats before;
	eventfd_t count;

	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, -1, call));
	nb_queue_set_need_notify(self->queue, 0);
	before = nb_stats_of(self->queue);
	nb_tx_all(self->queue, &segment, 1);
	EXPECT_EQ(-1, eventfd_read(call, &count));
	EXPECT_EQ(before.notifies, nb_stats_of(self->queue).notifies);

	nb_queue_set_need_notify(self->queue, NB_NEED_NOTIFY_TX);
	nb_tx_all(self->queue, &segment, 1);
	EXPECT_EQ(0, eventfd_read(call, &count));
	EXPECT_EQ(before.notifies + 1, nb_stats_of(self->queue).notifies);

	if (variant->kind->sent == NB_COMES_NOWHERE)
		return;
	EXPECT_TRUE(nb_nic_provoke(&self->nic));
	if (variant->kind->sent == NB_COMES_TO_HOST)
		EXPECT_EQ(-1, eventfd_read(call, &count));
	eventfd_read(call, &count);

	nb_queue_set_need_notify(self->queue, NB_NEED_NOTIFY_RX);
	EXPECT_TRUE(nb_nic_provoke(&self->nic));
	EXPECT_EQ(0, eventfd_read(call, &count));
	EXPECT_EQ(1, count);

	/* Without it, nothing is signalled any more. */
	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, -1, -1));
	EXPECT_TRUE(nb_nic_provoke(&self->nic));
	EXPECT_EQ(-1, eventfd_read(call, &count));
	close(call);
}

TEST_F(waiting, is_driven_by_the_kick_eventfd)
{
	struct nb_tx_segment segments[8];
	struct nb_tx_completion done[8];
	int kick = nb_sys(eventfd(0, EFD_CLOEXEC));
	unsigned char got[NB_BUF_SIZE];
	bool synchronous = true;
	unsigned int i, round;
	uint64_t kicks;

	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_frame(&self->guest, i, 100 + i);
	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, kick, -1));
	for (round = 0; round < 5; round++) {
		kicks = nb_stats_of(self->queue).kicks;
		/* On either CPU. */
		nb_ok(nb_queue_update_target_vp(self->queue, round % 2 ? NB_ANY_CPU : 0));
		ASSERT_EQ(8, nb_queue_tx_avail(self->queue, segments, 8, &synchronous));
		EXPECT_FALSE(synchronous);
		/* poll(), since a wait in ENTER might drive the queue itself. */
		for (i = 0; i < 8;) {
			int n = nb_queue_tx_poll(self->queue, done, 8 - i);

			ASSERT_LE(0, n);
			i += n;
			if (!n)
				ASSERT_EQ(1, nb_queue_poll_ready(self->queue, NB_PATIENCE));
		}
		for (i = 0; i < 8 && variant->kind->sent != NB_COMES_NOWHERE; i++)
			ASSERT_EQ(100 + i, nb_nic_arrived(&self->nic, got, sizeof(got), NULL));
		/* One run may do what two kicks were for, so the next one waits for it. */
		EXPECT_TRUE(nb_until(nb_stats_of(self->queue).kicks > kicks));
	}
	close(kick);
}

/* Of this process. */
static unsigned int open_files(void)
{
	unsigned int n = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST_F(waiting, wrong_eventfds_are_refused_and_those_before_stay)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 60);
	int kick = nb_sys(eventfd(0, EFD_CLOEXEC));
	struct nb_tx_completion done;
	struct nb_queue_stats before;
	unsigned int files;

	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, kick, -1));
	files = open_files();
	EXPECT_EQ(-EBADF, nb_queue_set_eventfds(self->queue, 1000, -1));
	EXPECT_NE(NULL, strstr(nb_error(), "1000"));
	/* An fd, but of something else. */
	EXPECT_EQ(-EBADF, nb_queue_set_eventfds(self->queue, nb_queue_fd(self->queue), -1));
	EXPECT_EQ(-EBADF, nb_queue_set_eventfds(self->queue, kick, nb_queue_fd(self->queue)));
	EXPECT_EQ(files, open_files());
	before = nb_stats_of(self->queue);
	ASSERT_EQ(1, nb_queue_tx_avail(self->queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->queue, &done, 1));
	EXPECT_TRUE(nb_until(nb_stats_of(self->queue).kicks > before.kicks));
	/* Others take their place, and nothing is left of them. */
	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, kick, -1));
	EXPECT_EQ(files, open_files());
	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, -1, -1));
	EXPECT_EQ(files - 1, open_files());
	close(kick);
}

/* ---- the CPU that a queue serves ----------------------------------------- */

#define BATCH	8u

/* Kicks, and waits until a batch of packets was transmitted. */
static bool kick_batch(FIXTURE_DATA(netdev) *self)
{
	struct nb_tx_segment segments[BATCH];
	struct nb_tx_completion done[BATCH];
	unsigned int i, have = 0;

	for (i = 0; i < BATCH; i++)
		segments[i] = nb_tx_frame(&self->guest, i, 100);
	if (nb_ok(nb_queue_tx_avail(self->queue, segments, BATCH, NULL)) != BATCH)
		return false;
	/* poll(), since a wait in ENTER might drive the queue itself. */
	while (have < BATCH && nb_queue_poll_ready(self->queue, NB_PATIENCE) == 1)
		have += nb_ok(nb_queue_tx_poll(self->queue, done, BATCH - have));
	return have == BATCH;
}

static void set_cpu_online(unsigned int cpu, bool online)
{
	char line[128];

	snprintf(line, sizeof(line), "echo %d > /sys/devices/system/cpu/cpu%u/online", online, cpu);
	nb_host_run(line);
}

/*
 * Whether batches are transmitted on that CPU from now on. What is kicked while the thread
 * still comes to its end on another CPU, it does there: the first ones do not count.
 */
static bool is_driven_on(FIXTURE_DATA(netdev) *self, int array, unsigned int cpu)
{
	uint64_t before = nb_bpf_array_get(array, cpu);
	unsigned int i;

	if (!nb_until(!kick_batch(self) || nb_bpf_array_get(array, cpu) > before))
		return false;
	before = nb_bpf_array_get(array, cpu);
	for (i = 0; i < 5; i++)
		if (!kick_batch(self))
			return false;
	return nb_bpf_array_get(array, cpu) == before + 5 * BATCH;
}

TEST_F(netdev, is_driven_on_its_target_cpu_after_a_kick)
{
	int kick = nb_sys(eventfd(0, EFD_CLOEXEC)), array = nb_bpf_map(BPF_MAP_TYPE_ARRAY, 2);
	unsigned int i;
	cpu_set_t set;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU is not enough");
	/* The kick comes from CPU 0 in any case. */
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	nb_sys(sched_setaffinity(0, sizeof(set), &set));
	/* The program runs where the queue is driven. */
	nb_bpf_attach(self->nic.host.ifindex, nb_xdp_counts_cpus(array, XDP_DROP));
	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, kick, -1));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, nb_queue_update_target_vp(self->queue, i % 2));
		ASSERT_TRUE(is_driven_on(self, array, i % 2));
	}
	close(kick);
}

struct retarget {
	struct nb_queue *queue;
	bool stop;
	unsigned int changes;		/* atomic */
};

static void *keep_changing_target(void *argument)
{
	static const uint32_t targets[] = { 0, NB_ANY_CPU, 1 };
	struct retarget *retarget = argument;
	unsigned int n;

	while (!__atomic_load_n(&retarget->stop, __ATOMIC_RELAXED)) {
		n = __atomic_fetch_add(&retarget->changes, 1, __ATOMIC_RELAXED);
		nb_ok(nb_queue_update_target_vp(retarget->queue, targets[n % 3]));
	}
	return NULL;
}

TEST_F(netdev, a_target_cpu_changes_while_packets_flow)
{
	int kick = nb_sys(eventfd(0, EFD_CLOEXEC)), array = nb_bpf_map(BPF_MAP_TYPE_ARRAY, 2);
	struct retarget retarget = { .queue = self->queue };
	pthread_t thread;
	unsigned int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU is not enough");
	nb_bpf_attach(self->nic.host.ifindex, nb_xdp_counts_cpus(array, XDP_DROP));
	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, kick, -1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_changing_target, &retarget));
	for (i = 0; i < 500 || __atomic_load_n(&retarget.changes, __ATOMIC_RELAXED) < 100; i++)
		ASSERT_TRUE(kick_batch(self));
	__atomic_store_n(&retarget.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(i * BATCH, nb_bpf_array_get(array, 0) + nb_bpf_array_get(array, 1));
	EXPECT_EQ(i * BATCH, nb_stats_of(self->queue).tx_packets);
	close(kick);
}

TEST_F(netdev, a_target_cpu_may_be_offline_and_come_back)
{
	int kick = nb_sys(eventfd(0, EFD_CLOEXEC)), array = nb_bpf_map(BPF_MAP_TYPE_ARRAY, 2);

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
	    access("/sys/devices/system/cpu/cpu1/online", W_OK))
		SKIP(return, "there is no CPU that can be offline");
	nb_bpf_attach(self->nic.host.ifindex, nb_xdp_counts_cpus(array, XDP_DROP));
	ASSERT_EQ(0, nb_queue_set_eventfds(self->queue, kick, -1));
	ASSERT_EQ(0, nb_queue_update_target_vp(self->queue, 1));
	set_cpu_online(1, false);
	EXPECT_TRUE(is_driven_on(self, array, 0));
	EXPECT_EQ(0, nb_queue_update_target_vp(self->queue, 1));
	set_cpu_online(1, true);
	EXPECT_TRUE(is_driven_on(self, array, 1));
	close(kick);
}

/* ---- ENTER --------------------------------------------------------------- */

TEST_F(waiting, enter_waits_no_longer_than_it_is_told)
{
	uint64_t start = nb_test_now();

	EXPECT_EQ(-ETIME, nb_queue_enter(self->queue, NB_ENTER_WAIT_TX, 0, NULL));
	EXPECT_EQ(-ETIME, nb_queue_enter(self->queue, NB_ENTER_WAIT_RX, 40000000, NULL));
	EXPECT_LE(start + 39, nb_test_now());
	EXPECT_EQ(-ETIME, nb_queue_enter(self->queue, NB_ENTER_WAIT_RX | NB_ENTER_WAIT_TX,
					 1000000, NULL));
	EXPECT_EQ(0, nb_queue_enter(self->queue, NB_ENTER_TX | NB_ENTER_RX, 0, NULL));
	EXPECT_LE(nb_test_now(), start + NB_PATIENCE);
}

TEST_F(waiting, enter_returns_at_once_if_there_is_something)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 60);
	struct nb_tx_completion done;

	ASSERT_EQ(1, nb_queue_tx_avail(self->queue, &segment, 1, NULL));
	EXPECT_EQ(0, nb_queue_enter(self->queue, NB_ENTER_WAIT_TX, NB_NO_TIMEOUT, NULL));
	EXPECT_EQ(0, nb_queue_enter(self->queue, NB_ENTER_WAIT_TX | NB_ENTER_WAIT_RX,
				    NB_NO_TIMEOUT, NULL));
	EXPECT_EQ(1, nb_queue_tx_poll(self->queue, &done, 1));
	if (!nb_nic_provoke(&self->nic))
		return;
	EXPECT_EQ(0, nb_queue_enter(self->queue, NB_ENTER_WAIT_RX, NB_NO_TIMEOUT, NULL));
}

TEST_F(waiting, enter_is_interrupted_by_a_signal)
{
	nb_test_interrupt(true);
	EXPECT_EQ(-EINTR, nb_queue_enter(self->queue, NB_ENTER_WAIT_RX, NB_NO_TIMEOUT, NULL));
	EXPECT_EQ(-EINTR, nb_queue_enter(self->queue, NB_ENTER_WAIT_TX, 60000000000ull, NULL));
	EXPECT_EQ(-EINTR, nb_queue_poll_ready(self->queue, -1));
	nb_test_interrupt(false);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(netdev, enter_is_woken_by_a_packet_from_the_host)
{
	unsigned char frame[100];
	uint32_t id;
	pid_t child;

	/* Nobody has asked to be notified: waiting in ENTER is asking enough. */
	nb_queue_set_need_notify(self->queue, 0);
	nb_frame_fill(frame, sizeof(frame), 9);
	child = nb_sys(fork());
	if (!child) {
		usleep(50000);
		nb_host_send(&self->nic.host, frame, sizeof(frame));
		_exit(0);
	}
	EXPECT_EQ(0, nb_queue_enter(self->queue, NB_ENTER_WAIT_RX, NB_NO_TIMEOUT, NULL));
	EXPECT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->queue, &id, 1));
	EXPECT_TRUE(nb_bufs_equal(&self->nic.bufs, &self->guest, id, frame, sizeof(frame)));
	nb_sys(waitpid(child, NULL, 0));
}

TEST_HARNESS_MAIN
