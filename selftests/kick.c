// SPDX-License-Identifier: GPL-2.0
/*
 * Queues with a kick eventfd, for each kind: a thread of the kernel drives them when it was
 * written to.  It belongs to who has set the eventfd, or to who has made the queue if that may
 * have to go on by itself.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"
#include "nbthread.h"

#define KICKS		2000

FIXTURE(kick)
{
	struct nb_guest guest;
	struct nb_nic nic;
	uint32_t id;
	int fd;
};

/* goes_on: by itself, when there is room again */
FIXTURE_VARIANT(kick)
{
	const struct nb_test_kind *kind;
	bool goes_on;
};

FIXTURE_VARIANT_ADD(kick, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(kick, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(kick, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(kick, attach) { .kind = &nb_test_attach, .goes_on = true };

FIXTURE_SETUP(kick)
{
	struct nb_endpoint_info info;

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	self->id = info.id;
	self->fd = nb_sys(eventfd(0, EFD_CLOEXEC));
}

FIXTURE_TEARDOWN(kick)
{
	close(self->fd);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static void start(FIXTURE_DATA(kick) *self, uint32_t cpu)
{
	struct nb_queue_config config = { .target_cpu = cpu };

	nb_nic_start_as(&self->nic, &config, 1);
	nb_bufs_init(&self->nic.bufs);
	nb_nic_post_all(&self->nic);
	nb_ok(nb_queue_set_eventfds(self->nic.queue, self->fd, -1));
}

/* Sends a packet by a kick alone.  libnb writes to the eventfd. */
static bool sends(FIXTURE_DATA(kick) *self)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 100);
	struct nb_tx_completion done;
	bool sent;

	sent = nb_ok(nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL)) == 1 &&
	       nb_until(nb_ok(nb_queue_tx_poll(self->nic.queue, &done, 1)));
	/* Kind loopback needs the buffer again. */
	nb_bufs_repost(self->nic.queue);
	return sent;
}

TEST_F(kick, no_kick_is_lost)
{
	struct nb_queue_stats before, after;
	unsigned int i;

	start(self, NB_ANY_CPU);
	before = nb_stats_of(self->nic.queue);
	for (i = 0; i < KICKS; i++)
		ASSERT_TRUE(sends(self));
	after = nb_stats_of(self->nic.queue);
	EXPECT_EQ(before.enters, after.enters);
	/* One run may do what two kicks were for. */
	EXPECT_LT(before.kicks, after.kicks);
}

TEST_F(kick, one_that_came_before_counts)
{
	struct nb_queue_eventfds set = {
		.size = sizeof(set), .kick_fd = self->fd, .call_fd = -1,
	};
	const struct nb_rx_segment buffer = { .gpa = NB_RX_GPA, .len = NB_BUF_SIZE };
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 100);
	struct nb_tx_completion done;
	struct nb_raw raw;

	nb_raw_open(&raw, self->nic.ep, self->guest.mem, 64);
	nb_sys(eventfd_write(self->fd, 1));
	nb_raw_rx(&raw, &buffer, 1);
	nb_raw_tx(&raw, &segment, 1);
	ASSERT_FALSE(nb_raw_tx_done(&raw, &done));
	ASSERT_EQ(0, nb_raw_call(raw.fd, NB_QUEUE_SET_EVENTFDS, &set));
	EXPECT_TRUE(nb_until(nb_raw_tx_done(&raw, &done)));
	nb_raw_close(&raw);
}

/* ---- the thread ---------------------------------------------------------- */

TEST_F(kick, the_thread_comes_with_the_first_eventfd_and_goes_with_the_queue)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	pid_t thread;

	nb_nic_start_as(&self->nic, &config, 1);
	EXPECT_EQ(variant->goes_on, nb_thread_of(self->id, 0) != 0);
	nb_ok(nb_queue_set_eventfds(self->nic.queue, -1, self->fd));
	EXPECT_EQ(variant->goes_on, nb_thread_of(self->id, 0) != 0);
	nb_ok(nb_queue_set_eventfds(self->nic.queue, self->fd, -1));
	thread = nb_thread_of(self->id, 0);
	EXPECT_NE(0, thread);
	EXPECT_TRUE(nb_until(nb_thread_sleeps(thread)));
	nb_ok(nb_queue_set_eventfds(self->nic.queue, -1, -1));
	nb_ok(nb_queue_set_eventfds(self->nic.queue, self->fd, self->fd));
	EXPECT_EQ(thread, nb_thread_of(self->id, 0));
	nb_nic_stop(&self->nic);
	EXPECT_TRUE(nb_until(!nb_thread_of(self->id, 0)));
}

TEST_F(kick, a_killed_frontend_leaves_no_thread)
{
	pid_t child = nb_sys(fork());
	int status;

	if (!child) {
		start(self, NB_ANY_CPU);
		for (;;)
			eventfd_write(self->fd, 1);
	}
	EXPECT_TRUE(nb_until(nb_thread_of(self->id, 0)));
	nb_sys(kill(child, SIGKILL));
	nb_sys(waitpid(child, &status, 0));
	EXPECT_TRUE(nb_until(!nb_thread_of(self->id, 0)));
}

/* It looks for its place when it was kicked. */
static bool works_on(FIXTURE_DATA(kick) *self, int cpu)
{
	return nb_until(sends(self) &&
			nb_thread_is_only_on(nb_thread_of(self->id, 0), cpu));
}

TEST_F(kick, it_runs_on_the_target_cpu)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU is not enough");
	start(self, 1);
	EXPECT_TRUE(works_on(self, 1));
	nb_ok(nb_queue_update_target_vp(self->nic.queue, 0));
	EXPECT_TRUE(works_on(self, 0));
	nb_ok(nb_queue_update_target_vp(self->nic.queue, NB_ANY_CPU));
	EXPECT_TRUE(sends(self));
	EXPECT_TRUE(nb_until(!nb_thread_is_only_on(nb_thread_of(self->id, 0), 0)));
}

TEST_F(kick, a_target_cpu_may_go_offline_and_come_back)
{
	if (!nb_has_cpu_to_take())
		SKIP(return, "there is no CPU that can be offline");
	start(self, 1);
	ASSERT_TRUE(works_on(self, 1));
	nb_set_cpu_online(1, false);
	EXPECT_TRUE(sends(self));
	nb_set_cpu_online(1, true);
	EXPECT_TRUE(works_on(self, 1));
}

TEST_F(kick, the_thread_is_in_the_cgroup_of_who_sets_the_eventfd)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_cpu_cgroup cgroup;
	pid_t child;
	int status;

	nb_cpu_cgroup_make(&cgroup);
	nb_nic_start_as(&self->nic, &config, 1);
	child = nb_sys(fork());
	if (!child) {
		nb_cpu_cgroup_write(&cgroup, "vmm/cgroup.procs", "0");
		nb_ok(nb_queue_set_eventfds(self->nic.queue, self->fd, -1));
		_exit(nb_cpu_cgroup_has(nb_thread_of(self->id, 0)) == variant->goes_on);
	}
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	nb_nic_stop(&self->nic);
	nb_cpu_cgroup_remove(&cgroup);
}

/* Any queue may that sends without a copy, and those of kind attach. */
TEST_F(kick, who_makes_a_queue_that_may_have_to_go_on_pays_for_its_thread)
{
	struct nb_queue_config config = {
		.target_cpu = NB_ANY_CPU,
		.flags = variant->goes_on ? 0 : NB_QUEUE_ZEROCOPY_TX,
	};

	EXPECT_TRUE(nb_thread_is_its_makers(&self->nic, self->id, &config));
	EXPECT_TRUE(nb_until(!nb_thread_of(self->id, 0)));
}

TEST_F(kick, the_thread_stays_in_its_cpuset)
{
	struct nb_cpu_cgroup cgroup;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU is not enough");
	nb_cpu_cgroup_make(&cgroup);
	if (!nb_cpu_cgroup_has_cpus(&cgroup)) {
		nb_cpu_cgroup_remove(&cgroup);
		SKIP(return, "cgroups have no CPUs of their own");
	}
	nb_cpu_cgroup_write(&cgroup, "vmm/cpuset.cpus", "0");
	nb_cpu_cgroup_write(&cgroup, "vmm/cgroup.procs", "0");
	start(self, 1);
	EXPECT_TRUE(works_on(self, 0));
	nb_cpu_cgroup_write(&cgroup, "vmm/cpuset.cpus", "0-1");
	EXPECT_TRUE(works_on(self, 1));
	nb_nic_stop(&self->nic);
	nb_cpu_cgroup_write(&cgroup, "cgroup.procs", "0");
	nb_cpu_cgroup_remove(&cgroup);
}

TEST_HARNESS_MAIN
