// SPDX-License-Identifier: GPL-2.0
/*
 * Queues with NB_QUEUE_POLL, for each kind: a thread of the kernel drives them, and the
 * frontend makes no system call while there is traffic.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/seccomp.h>

#include "kselftest_harness.h"
#include "nbip.h"
#include "nbraw.h"
#include "nbtest.h"
#include "nbthread.h"

/* Packets of the loaded frontend. */
#define LOAD		5000

FIXTURE(poll)
{
	struct nb_guest guest;
	struct nb_nic nic;
	uint32_t id;
};

FIXTURE_VARIANT(poll)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(poll, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(poll, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(poll, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(poll, attach) { .kind = &nb_test_attach };

static void start(struct nb_nic *nic, unsigned int n, uint32_t idle_us, uint32_t cpu)
{
	struct nb_queue_config configs[4];
	unsigned int i;

	for (i = 0; i < n; i++)
		configs[i] = (struct nb_queue_config){
			.target_cpu = cpu,
			.flags = NB_QUEUE_POLL,
			.poll_idle_us = idle_us,
		};
	nb_nic_start_as(nic, configs, n);
	nb_bufs_init(&nic->bufs);
	nb_nic_post_all(nic);
}

FIXTURE_SETUP(poll)
{
	struct nb_endpoint_info info;

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	self->id = info.id;
}

FIXTURE_TEARDOWN(poll)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- the thread ---------------------------------------------------------- */

TEST_F(poll, packets_flow_as_without)
{
	start(&self->nic, 1, 0, NB_ANY_CPU);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(poll, the_thread_lives_as_long_as_the_queue)
{
	start(&self->nic, 2, 0, NB_ANY_CPU);
	EXPECT_NE(0, nb_thread_of(self->id, 0));
	EXPECT_NE(0, nb_thread_of(self->id, 1));
	nb_nic_stop(&self->nic);
	EXPECT_TRUE(nb_until(!nb_thread_of(self->id, 0)));
	EXPECT_TRUE(nb_until(!nb_thread_of(self->id, 1)));
	/* Without: only a queue of kind attach has one, see kick.c. */
	nb_nic_start(&self->nic, 1, 0);
	EXPECT_EQ(variant->kind == &nb_test_attach, nb_thread_of(self->id, 0) != 0);
}

TEST_F(poll, a_killed_frontend_leaves_no_thread)
{
	pid_t child = nb_sys(fork());
	int status;

	if (!child) {
		start(&self->nic, 1, NB_MAX_POLL_IDLE_US, NB_ANY_CPU);
		pause();
	}
	EXPECT_TRUE(nb_until(nb_thread_of(self->id, 0)));
	nb_sys(kill(child, SIGKILL));
	nb_sys(waitpid(child, &status, 0));
	EXPECT_TRUE(nb_until(!nb_thread_of(self->id, 0)));
}

TEST_F(poll, sleeps_when_idle_and_is_woken_by_enter)
{
	struct nb_queue_stats before;

	start(&self->nic, 1, 1000, NB_ANY_CPU);
	ASSERT_TRUE(nb_nic_works(&self->nic));
	ASSERT_TRUE(nb_until(nb_thread_sleeps(nb_thread_of(self->id, 0))));
	before = nb_stats_of(self->nic.queue);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	EXPECT_LT(before.enters, nb_stats_of(self->nic.queue).enters);
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queue).kicks > before.kicks));
}

TEST_F(poll, sleeps_when_idle_and_is_woken_by_the_kick_eventfd)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 100);
	int kick = nb_sys(eventfd(0, EFD_CLOEXEC));
	struct nb_tx_completion done;
	struct nb_queue_stats before;

	start(&self->nic, 1, 1000, NB_ANY_CPU);
	ASSERT_TRUE(nb_nic_works(&self->nic));
	ASSERT_EQ(0, nb_queue_set_eventfds(self->nic.queue, kick, -1));
	ASSERT_TRUE(nb_until(nb_thread_sleeps(nb_thread_of(self->id, 0))));
	before = nb_stats_of(self->nic.queue);
	ASSERT_EQ(1, nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	/* Without a call that might drive the queue. */
	ASSERT_TRUE(nb_until(nb_ok(nb_queue_tx_poll(self->nic.queue, &done, 1))));
	EXPECT_EQ(before.enters, nb_stats_of(self->nic.queue).enters);
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queue).kicks > before.kicks));
	close(kick);
}

/* ---- CPUs and cgroups ---------------------------------------------------- */

TEST_F(poll, runs_on_the_target_cpu)
{
	pid_t thread;

	start(&self->nic, 1, 0, 1);
	thread = nb_thread_of(self->id, 0);
	EXPECT_TRUE(nb_until(nb_thread_is_only_on(thread, 1)));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_ok(nb_queue_update_target_vp(self->nic.queue, 0));
	EXPECT_TRUE(nb_until(nb_thread_is_only_on(thread, 0)));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_ok(nb_queue_update_target_vp(self->nic.queue, NB_ANY_CPU));
	EXPECT_TRUE(nb_until(!nb_thread_is_only_on(thread, 0)));
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

/* A poller looks for its place when it is awake. */
static bool works_on(FIXTURE_DATA(poll) *self, pid_t thread, int cpu)
{
	return nb_until(nb_nic_works(&self->nic) && nb_thread_is_only_on(thread, cpu));
}

TEST_F(poll, an_operator_may_keep_it_from_the_target_cpu)
{
	pid_t thread;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU is not enough");
	start(&self->nic, 1, NB_MAX_POLL_IDLE_US, 1);
	thread = nb_thread_of(self->id, 0);
	ASSERT_TRUE(works_on(self, thread, 1));
	nb_thread_allow(thread, 0, 0);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_ok(nb_queue_update_target_vp(self->nic.queue, 1));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	EXPECT_TRUE(nb_thread_is_only_on(thread, 0));
	nb_thread_allow(thread, 0, 1);
	EXPECT_TRUE(works_on(self, thread, 1));
}

/*
 * What a cpuset changes at the moment in which the thread moves is lost: who sets another target
 * all the time does not decide how often that is.
 */
TEST_F(poll, its_thread_moves_seldom)
{
	unsigned int round, moves = 0;
	uint64_t since;
	pid_t thread;
	bool there;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU is not enough");
	start(&self->nic, 1, NB_MAX_POLL_IDLE_US, 0);
	thread = nb_thread_of(self->id, 0);
	ASSERT_TRUE(works_on(self, thread, 0));
	since = nb_test_now();
	for (round = 1; round <= 200; round++) {
		there = nb_thread_is_only_on(thread, 1);
		nb_ok(nb_queue_update_target_vp(self->nic.queue, round % 2));
		ASSERT_TRUE(nb_nic_works(&self->nic));
		moves += nb_thread_is_only_on(thread, 1) != there;
	}
	/* Once in a tenth of a second. */
	EXPECT_LE(moves, (nb_test_now() - since) / 90 + 2);
	EXPECT_TRUE(works_on(self, thread, 0));
	nb_ok(nb_queue_update_target_vp(self->nic.queue, 1));
	EXPECT_TRUE(works_on(self, thread, 1));
}

TEST_F(poll, a_target_cpu_may_go_offline_and_come_back)
{
	unsigned int round;
	pid_t thread;

	if (!nb_has_cpu_to_take())
		SKIP(return, "there is no CPU that can be offline");
	/* One that spins, and one that sleeps, when its CPU goes. */
	for (round = 0; round < 2; round++) {
		start(&self->nic, 1, round ? 0 : NB_MAX_POLL_IDLE_US, 1);
		thread = nb_thread_of(self->id, 0);
		ASSERT_TRUE(works_on(self, thread, 1));
		nb_set_cpu_online(1, false);
		EXPECT_TRUE(nb_nic_works(&self->nic));
		nb_ok(nb_queue_update_target_vp(self->nic.queue, 1));
		EXPECT_TRUE(nb_nic_works(&self->nic));
		nb_set_cpu_online(1, true);
		EXPECT_TRUE(works_on(self, thread, 1));
		nb_nic_stop(&self->nic);
	}
}

/* Reaps without waiting, makes the buffers available again: transmits that have ended. */
static unsigned int reap(struct nb_queue *queue)
{
	struct nb_tx_completion done[64];
	int ended = nb_queue_tx_poll(queue, done, 64);

	nb_bufs_repost(queue);
	return ended > 0 ? ended : 0;
}

/* Packets of the queue that has sent least, and of the one that has sent most. */
static void extremes(struct nb_nic *nic, uint64_t *least, uint64_t *most)
{
	unsigned int i;

	*least = UINT64_MAX;
	*most = 0;
	for (i = 0; i < nic->n_queues; i++) {
		uint64_t packets = nb_stats_of(nic->queues[i]).tx_packets;

		if (packets < *least)
			*least = packets;
		if (packets > *most)
			*most = packets;
	}
}

TEST_F(poll, several_share_a_cpu_fairly)
{
	uint64_t end = nb_test_now() + 9 * NB_PATIENCE, least, most;
	struct nb_tx_segment segments[16];
	unsigned int i, round;

	/* None ever sleeps, all have work, and all share a CPU with the frontend. */
	nb_thread_allow(0, 0, 0);
	start(&self->nic, 4, NB_MAX_POLL_IDLE_US, 0);
	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_frame(&self->guest, i, 60);
	do {
		for (round = 0; round < 100; round++) {
			for (i = 0; i < 4; i++) {
				nb_queue_tx_avail(self->nic.queues[i], segments,
						  ARRAY_LEN(segments), NULL);
				reap(self->nic.queues[i]);
			}
		}
		extremes(&self->nic, &least, &most);
	} while (least < 10000 && nb_test_now() < end);
	TH_LOG("from %llu to %llu packets a queue", (unsigned long long)least,
	       (unsigned long long)most);
	EXPECT_LE(10000U, least);
	EXPECT_LE(most, 4 * least);
}

TEST_F(poll, the_thread_is_in_the_frontends_cgroup)
{
	const struct nb_queue_config config = {
		.target_cpu = NB_ANY_CPU,
		.flags = NB_QUEUE_POLL,
	};

	EXPECT_TRUE(nb_thread_is_its_makers(&self->nic, self->id, &config));
}

TEST_F(poll, the_thread_stays_in_the_frontends_cpuset)
{
	struct nb_cpu_cgroup cgroup;
	pid_t thread;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU is not enough");
	nb_cpu_cgroup_make(&cgroup);
	if (!nb_cpu_cgroup_has_cpus(&cgroup)) {
		nb_cpu_cgroup_remove(&cgroup);
		SKIP(return, "cgroups have no CPUs of their own");
	}
	nb_cpu_cgroup_write(&cgroup, "vmm/cpuset.cpus", "0");
	nb_cpu_cgroup_write(&cgroup, "vmm/cgroup.procs", "0");
	start(&self->nic, 1, NB_MAX_POLL_IDLE_US, NB_ANY_CPU);
	thread = nb_thread_of(self->id, 0);
	EXPECT_TRUE(works_on(self, thread, 0));
	nb_ok(nb_queue_update_target_vp(self->nic.queue, 1));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	EXPECT_TRUE(nb_thread_is_only_on(thread, 0));
	nb_cpu_cgroup_write(&cgroup, "vmm/cpuset.cpus", "0-1");
	EXPECT_TRUE(works_on(self, thread, 1));
	nb_cpu_cgroup_write(&cgroup, "vmm/cpuset.cpus", "0");
	EXPECT_TRUE(works_on(self, thread, 0));
	nb_nic_stop(&self->nic);
	nb_cpu_cgroup_write(&cgroup, "cgroup.procs", "0");
	nb_cpu_cgroup_remove(&cgroup);
}

/* ---- no system calls ----------------------------------------------------- */

/* Sends n packets, and reaps whatever comes back, by nothing but memory. */
static void load(struct nb_nic *nic, unsigned int n)
{
	struct nb_tx_segment segment = nb_tx_frame(nic->guest, 0, 60);
	unsigned int sent = 0, ended = 0;

	while (ended < n) {
		if (sent < n && nb_queue_tx_avail(nic->queue, &segment, 1, NULL) == 1)
			sent++;
		ended += reap(nic->queue);
	}
}

/* A system call in there is its death. */
static int load_under_seccomp(struct nb_nic *nic)
{
	pid_t child = nb_sys(fork());
	int status;

	if (!child) {
		nb_sys(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
		load(nic, LOAD);
		syscall(SYS_exit, 0);
	}
	nb_sys(waitpid(child, &status, 0));
	return status;
}

TEST_F(poll, a_loaded_frontend_makes_no_system_call)
{
	struct nb_queue_stats before, after;
	int status = -1, tries;

	/*
	 * A poller that finds nothing for a second sleeps, and wants a call: on a machine
	 * that stops for so long, now and then, another try is as good.
	 */
	for (tries = 0; tries < 10 && status; tries++) {
		start(&self->nic, 1, NB_MAX_POLL_IDLE_US, NB_ANY_CPU);
		nb_ok(nb_queue_enter(self->nic.queue, NB_ENTER_TX, 0, NULL));
		before = nb_stats_of(self->nic.queue);
		status = load_under_seccomp(&self->nic);
		after = nb_stats_of(self->nic.queue);
		nb_nic_stop(&self->nic);
	}
	ASSERT_EQ(0, status);
	EXPECT_EQ(before.enters, after.enters);
	EXPECT_EQ(before.tx_packets + LOAD, after.tx_packets);
}

TEST_F(poll, without_a_poller_the_same_load_makes_system_calls)
{
	int status;

	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	status = load_under_seccomp(&self->nic);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Lets the last packet wait in the host; how many calls it takes to get it. */
static uint64_t calls_for_a_buffer(struct nb_nic *nic)
{
	struct nb_queue_stats before;
	unsigned char frame[100];
	struct nb_raw raw;
	uint64_t calls;
	uint32_t id;

	nb_raw_map(&raw, nb_sys(dup(nb_queue_fd(nic->queue))));
	nb_frame_fill(frame, sizeof(frame), 0);
	for (id = 0; id <= NB_BUFS; id++)
		nb_host_send(&nic->host, frame, sizeof(frame));
	if (nb_bufs_reap(&nic->bufs, nic->queue, NULL, NB_BUFS) != NB_BUFS)
		nb_die("packets are missing");
	nb_ok(nb_queue_enter(nic->queue, NB_ENTER_TX, 0, NULL));
	if (!nb_until(!*raw.need_wakeup))
		nb_die("the poller sleeps on");
	before = nb_stats_of(nic->queue);
	nb_bufs_post(&nic->bufs, nic->queue, 0);
	if (!nb_until(nb_stats_of(nic->queue).rx_packets > before.rx_packets))
		nb_die("the last packet is missing");
	calls = nb_stats_of(nic->queue).enters - before.enters;
	if (nb_bufs_reap(&nic->bufs, nic->queue, NULL, 1) != 1 ||
	    !nb_bufs_equal(&nic->bufs, nic->guest, 0, frame, sizeof(frame)))
		nb_die("it is another one");
	nb_raw_close(&raw);
	return calls;
}

TEST_F(poll, finds_receive_buffers_by_itself)
{
	uint64_t calls = 1;
	int tries;

	/* Of the others, none waits for a buffer while the frontend looks on. */
	if (variant->kind->sent != NB_COMES_TO_HOST || variant->kind->takes_over)
		return;
	/* As above: a machine that stops for a second lets the poller sleep. */
	for (tries = 0; tries < 3 && calls; tries++) {
		start(&self->nic, 1, NB_MAX_POLL_IDLE_US, NB_ANY_CPU);
		calls = calls_for_a_buffer(&self->nic);
		nb_nic_stop(&self->nic);
	}
	EXPECT_EQ(0U, calls);
}

/* ---- ends and bad input -------------------------------------------------- */

TEST_F(poll, a_disconnect_takes_the_queue_from_its_poller)
{
	start(&self->nic, 1, NB_MAX_POLL_IDLE_US, NB_ANY_CPU);
	ASSERT_TRUE(nb_nic_works(&self->nic));
	ASSERT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 0));
	EXPECT_EQ((uint32_t)NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
	nb_nic_stop(&self->nic);
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
	start(&self->nic, 1, 0, NB_ANY_CPU);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(poll, a_broken_index_stops_the_poller)
{
	struct nb_queue_config config = {
		.tx_avail_entries = 64,
		.tx_done_entries = 64,
		.rx_avail_entries = 64,
		.rx_done_entries = 64,
		.target_cpu = NB_ANY_CPU,
		.flags = NB_QUEUE_POLL,
	};
	int32_t fd;
	struct nb_get_queues call = {
		.size = sizeof(call),
		.configs = (uintptr_t)&config,
		.fds = (uintptr_t)&fd,
		.n_queues = 1,
		.config_size = sizeof(config),
		.memory_fd = nb_memory_fd(self->guest.mem),
	};
	struct nb_raw raw;

	ASSERT_EQ(0, nb_raw_call(nb_endpoint_fd(self->nic.ep), NB_ENDPOINT_GET_QUEUES, &call));
	nb_raw_map(&raw, fd);
	__atomic_store_n(raw.ring[NB_RING_TX_AVAIL].producer, 1000, __ATOMIC_RELEASE);
	/* It may sleep, and nobody is told to wake it. */
	nb_raw_enter(&raw, NB_ENTER_TX, NULL);
	EXPECT_TRUE(nb_until(nb_raw_state(&raw) == NB_QUEUE_FAILED));
	EXPECT_TRUE(nb_until(nb_thread_sleeps(nb_thread_of(self->id, 0))));
	nb_raw_close(&raw);
	EXPECT_TRUE(nb_until(!nb_thread_of(self->id, 0)));
}

static int try(struct nb_nic *nic, uint32_t flags, uint32_t idle_us, uint32_t reserved)
{
	struct nb_queue_config config = {
		.target_cpu = NB_ANY_CPU,
		.flags = flags,
		.poll_idle_us = idle_us,
		.reserved = reserved,
	};

	return nb_endpoint_get_queues(nic->ep, nic->guest->mem, &config, 1, NULL, nic->queues);
}

TEST_F(poll, wrong_configurations_are_refused)
{
	EXPECT_EQ(-EINVAL, try(&self->nic, 0, 1, 0));
	EXPECT_NE(NULL, strstr(nb_error(), "NB_QUEUE_POLL"));
	EXPECT_EQ(-EINVAL, try(&self->nic, NB_QUEUE_POLL, NB_MAX_POLL_IDLE_US + 1, 0));
	EXPECT_NE(NULL, strstr(nb_error(), "1000001"));
	EXPECT_EQ(-EINVAL, try(&self->nic, NB_QUEUE_POLL, 0, 1));
	EXPECT_NE(NULL, strstr(nb_error(), "reserved"));
	EXPECT_EQ(0, nb_thread_of(self->id, 0));
}

TEST_HARNESS_MAIN
