// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach: what becomes of it when its interface goes down, is renamed, is removed,
 * moves, or when its namespace or its frontend dies, all under traffic.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbcgroup.h"
#include "nbip.h"

#define ROUNDS	10
#define QUEUES	16

FIXTURE(life)
{
	struct nb_guest guest;
	struct nb_nic nic;
	pthread_t to_guest, from_guest;
	int flood;		/* a packet socket on the far end */
	bool stop, runs;
};

FIXTURE_SETUP(life)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
}

FIXTURE_TEARDOWN(life)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static void *send_to_guest(void *argument)
{
	FIXTURE_DATA(life) *self = argument;
	unsigned char frame[200];

	nb_frame_fill(frame, sizeof(frame), 1);
	/* What cannot be sent any more is not. */
	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED))
		if (send(self->flood, frame, sizeof(frame), MSG_DONTWAIT) < 0)
			sched_yield();
	return NULL;
}

/* Transmits, and receives with the same buffers again and again, if it can. */
static void *be_guest(void *argument)
{
	FIXTURE_DATA(life) *self = argument;
	struct nb_rx_segment buffer = { .len = NB_BUF_SIZE };
	struct nb_queue *queue = self->nic.queue;
	struct nb_tx_segment segments[16];
	struct nb_tx_completion done[16];
	struct nb_rx_metadata meta[16];
	int i, n;

	for (i = 0; i < 16; i++)
		segments[i] = nb_tx_frame(&self->guest, i, 300);
	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
		nb_queue_tx_avail(queue, segments, 16, NULL);
		nb_queue_tx_poll(queue, done, 16);
		n = nb_queue_rx_poll(queue, meta, 16);
		for (i = 0; i < n; i++) {
			buffer.gpa = NB_RX_GPA + meta[i].id * NB_BUF_SIZE;
			buffer.id = meta[i].id;
			nb_queue_rx_avail(queue, &buffer, 1);
		}
		sched_yield();
	}
	return NULL;
}

static void start_traffic(FIXTURE_DATA(life) *self)
{
	uint64_t received = 0, sent = 0;

	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_init(&self->nic.bufs);
	nb_nic_post_all(&self->nic);
	self->stop = false;
	self->flood = self->nic.host.fd;
	self->runs = true;
	pthread_create(&self->to_guest, NULL, send_to_guest, self);
	pthread_create(&self->from_guest, NULL, be_guest, self);
	nb_until(nb_stats_of(self->nic.queue).rx_packets > 100 &&
		 nb_stats_of(self->nic.queue).tx_packets > 100);
	received = nb_stats_of(self->nic.queue).rx_packets;
	sent = nb_stats_of(self->nic.queue).tx_packets;
	if (received <= 100 || sent <= 100)
		nb_die("%llu packets to the guest and %llu from it", (unsigned long long)received,
		       (unsigned long long)sent);
}

static void stop_traffic(FIXTURE_DATA(life) *self)
{
	self->stop = true;
	pthread_join(self->to_guest, NULL);
	pthread_join(self->from_guest, NULL);
	self->runs = false;
}

/* The next action, but for those of the link. */
static uint32_t next_restart(struct nb_endpoint *ep)
{
	struct nb_action action;

	do {
		if (nb_ok(nb_endpoint_wait_for_action(ep, &action, NB_PATIENCE)) != 1)
			return 0;
	} while (action.type == NB_ACTION_LINK_STATUS_NOTIFY);
	return action.type;
}

/* The endpoint has lost its interface, and says so wherever it is asked. */
static bool has_lost(FIXTURE_DATA(life) *self)
{
	struct nb_queue_config config = { 0 };
	struct nb_queue *queue;
	struct nb_endpoint_info info;
	struct pollfd wait = { .fd = nb_endpoint_fd(self->nic.ep), .events = POLLIN };

	if (next_restart(self->nic.ep) != NB_ACTION_RESTART_REQUIRED) {
		fprintf(stderr, "# no restart is required\n");
		return false;
	}
	if (nb_queue_state(self->nic.queue) != NB_QUEUE_RESTART ||
	    nb_endpoint_get_info(self->nic.ep, &info) != -ENODEV ||
	    nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, true) != -ENODEV ||
	    nb_endpoint_set_multicast(self->nic.ep, NULL, 0, 0) != -ENODEV) {
		fprintf(stderr, "# the endpoint lives on\n");
		return false;
	}
	stop_traffic(self);
	nb_nic_stop(&self->nic);
	if (poll(&wait, 1, NB_PATIENCE) != 1 || !(wait.revents & POLLHUP)) {
		fprintf(stderr, "# no hang-up\n");
		return false;
	}
	return nb_endpoint_get_queues(self->nic.ep, self->guest.mem, &config, 1, NULL,
				      &queue) == -ENODEV;
}

static int link_action(struct nb_endpoint *ep)
{
	struct nb_action action;

	if (nb_ok(nb_endpoint_wait_for_action(ep, &action, NB_PATIENCE)) != 1 ||
	    action.type != NB_ACTION_LINK_STATUS_NOTIFY)
		return -1;
	return action.value;
}

/* ---- tests --------------------------------------------------------------- */

TEST_F_TIMEOUT(life, the_link_follows_the_interface_and_its_carrier, 400)
{
	struct nb_action action;
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 1, 100);
	struct nb_tx_completion done;

	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	nb_nic_start(&self->nic, 1, 0);
	EXPECT_EQ(0, nb_endpoint_wait_for_action(self->nic.ep, &action, 0));
	nb_link_set_up(self->nic.pair.lower, false);
	EXPECT_EQ(0, link_action(self->nic.ep));
	ASSERT_EQ(1, nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->nic.queue, &done, 1));
	EXPECT_EQ(NB_TX_DROPPED, done.status);
	nb_link_set_up(self->nic.pair.lower, true);
	EXPECT_EQ(1, link_action(self->nic.ep));
	nb_link_set_up(self->nic.pair.far, false);
	EXPECT_EQ(0, link_action(self->nic.ep));
	nb_link_set_up(self->nic.pair.far, true);
	EXPECT_EQ(1, link_action(self->nic.ep));
	/* The socket is told of an interface that went down. */
	nb_host_close(&self->nic.host);
	nb_host_open_socket(&self->nic.host, self->nic.pair.far_index);
	nb_nic_post_all(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

/* What an interface has been given, whatever became of it. */
static uint64_t given(const char *name)
{
	char line[256];
	FILE *pipe;
	unsigned long long packets, dropped;

	snprintf(line, sizeof(line), "cd /proc/self/net && sed -n 's/^ *%s: *//p' dev", name);
	pipe = popen(line, "re");
	if (!pipe || fscanf(pipe, "%*u%*u%*u%*u%*u%*u%*u%*u%*u%llu%*u%llu", &packets,
			    &dropped) != 2)
		nb_die("%s has no counters", name);
	pclose(pipe);
	return packets + dropped;
}

/*
 * The stack gives packets to an interface that has lost its carrier until it takes note, then
 * it drops them, and says that it has not.
 */
TEST_F_TIMEOUT(life, what_finds_no_carrier_is_counted, 400)
{
	unsigned int sent = 0, dropped = 0, after = 0;
	struct nb_tx_segment segment;
	struct nb_tx_completion done;
	uint64_t before;

	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	nb_nic_start(&self->nic, 1, 0);
	segment = nb_tx_frame(&self->guest, 0, 100);
	before = given(self->nic.pair.lower);
	nb_link_set_up(self->nic.pair.far, false);
	EXPECT_EQ(0, link_action(self->nic.ep));
	ASSERT_TRUE(nb_until(({
		ASSERT_EQ(1, nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
		ASSERT_EQ(1, nb_tx_reap(self->nic.queue, &done, 1));
		sent++;
		dropped += done.status == NB_TX_DROPPED;
		after += dropped > 0;
		after > 20;
	})));
	/* Those that the interface has dropped itself are counted there. */
	EXPECT_EQ(after, dropped);
	EXPECT_LE(sent - dropped, given(self->nic.pair.lower) - before);
	EXPECT_EQ(dropped, nb_stats_of(self->nic.queue).tx_dropped);
}

TEST_F_TIMEOUT(life, an_interface_that_is_down_has_no_link_from_the_start, 400)
{
	struct nb_attach_params attach = { .ifname = "d0" };
	struct nb_endpoint_params params = {
		.kind = "attach", .netns_fd = -1,
		.kind_params = &attach, .kind_params_size = sizeof(attach),
	};
	struct nb_endpoint_info info;
	struct nb_endpoint *ep;

	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	nb_host_run("ip link add d0 type dummy");
	nb_ok(nb_endpoint_create(self->guest.nb, &params, &ep));
	nb_ok(nb_endpoint_get_info(ep, &info));
	EXPECT_EQ(0, info.properties & NB_ENDPOINT_LINK_UP);
	nb_host_run("ip link set d0 up");
	EXPECT_EQ(1, link_action(ep));
	nb_endpoint_close(ep);
}

TEST_F_TIMEOUT(life, down_and_up_under_traffic_and_it_goes_on, NB_ROUNDS_TIME)
{
	unsigned int i, n = nb_rounds(ROUNDS, 400);

	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	start_traffic(self);
	for (i = 0; i < n; i++) {
		uint64_t before;

		nb_link_set_up(self->nic.pair.lower, false);
		nb_link_set_up(self->nic.pair.lower, true);
		before = nb_stats_of(self->nic.queue).rx_packets;
		ASSERT_TRUE(nb_until(nb_stats_of(self->nic.queue).rx_packets > before));
	}
	stop_traffic(self);
}

TEST_F_TIMEOUT(life, another_name_is_no_matter, 400)
{
	struct nb_endpoint_info info;
	struct nb_action action;
	uint64_t before;

	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	start_traffic(self);
	nb_host_run("ip link set low0 down");
	nb_host_run("ip link set low0 name renamed");
	nb_host_run("ip link set renamed up");
	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	EXPECT_STREQ("renamed", info.name);
	EXPECT_EQ(self->nic.pair.lower_index, info.ifindex);
	before = nb_stats_of(self->nic.queue).rx_packets;
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queue).rx_packets > before));
	while (nb_endpoint_wait_for_action(self->nic.ep, &action, 0) == 1)
		EXPECT_EQ(NB_ACTION_LINK_STATUS_NOTIFY, action.type);
	stop_traffic(self);
}

/* Use after free, on removal of a device. */
TEST_F_TIMEOUT(life, removed_under_traffic, NB_ROUNDS_TIME)
{
	unsigned int i, n = nb_rounds(ROUNDS, 400);

	for (i = 0; i < n; i++) {
		nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
		start_traffic(self);
		nb_link_delete(self->nic.pair.lower_index);
		ASSERT_TRUE(has_lost(self));
		nb_nic_close(&self->nic);
	}
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

/* A process in a network namespace of its own, for as long as this one lives. */
static pid_t start_elsewhere(void)
{
	int ready[2];
	pid_t child;
	char byte;

	nb_sys(pipe(ready));
	child = nb_sys(fork());
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		nb_sys(unshare(CLONE_NEWNET));
		nb_sys(write(ready[1], "r", 1));
		for (;;)
			pause();
	}
	nb_sys(read(ready[0], &byte, 1));
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void stop_elsewhere(pid_t child)
{
	kill(child, SIGKILL);
	nb_sys(waitpid(child, NULL, 0));
}

/* Runs a line in which the interface's name stands once or not at all. */
static void run_on(const char *format, const char *name)
{
	char line[256];

	snprintf(line, sizeof(line), format, name, name);
	nb_host_run(line);
}

TEST_F_TIMEOUT(life, moved_under_traffic_it_is_let_go_of_and_as_it_was, NB_ROUNDS_TIME)
{
	char format[256];
	unsigned int i, n = nb_rounds(ROUNDS, 400);
	pid_t child;

	child = start_elsewhere();
	for (i = 0; i < n; i++) {
		nb_nic_attach(&self->nic, &self->guest, i % 2 ? NB_ATTACH_PROMISCUOUS : 0, NULL);
		start_traffic(self);
		snprintf(format, sizeof(format), "ip link set %%s netns %d", child);
		run_on(format, self->nic.pair.lower);
		ASSERT_TRUE(has_lost(self));
		/* The kernel looks at addresses again when it comes up. */
		snprintf(format, sizeof(format), "nsenter -n -t %d sh -ec 'ip link set $0 up; "
			 "shown=$(ip -d link show $0); ip link del $0; "
			 "case $shown in *ALLMULTI*) false ;; *\" promiscuity 0 \"*) ;; "
			 "*) false ;; esac' %%s", child);
		run_on(format, self->nic.pair.lower);
		nb_nic_close(&self->nic);
	}
	stop_elsewhere(child);
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

TEST_F_TIMEOUT(life, its_namespace_dies_under_traffic, NB_ROUNDS_TIME)
{
	int home = nb_sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	char format[128];
	unsigned int i, n = nb_rounds(ROUNDS / 2, 400);
	int away;

	for (i = 0; i < n; i++) {
		nb_host_new_netns();
		nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
		/* The far end, and the socket there, are at home, so that the namespace can die. */
		snprintf(format, sizeof(format), "ip link set %%s netns /proc/%d/fd/%d", getpid(),
			 home);
		run_on(format, self->nic.pair.far);
		away = nb_sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
		nb_sys(setns(home, CLONE_NEWNET));
		nb_link_set_up(self->nic.pair.far, true);
		self->nic.pair.far_index = if_nametoindex(self->nic.pair.far);
		start_traffic(self);
		/* Nobody else holds it. */
		close(away);
		ASSERT_TRUE(has_lost(self));
		nb_nic_close(&self->nic);
	}
	close(home);
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

/* A frontend with traffic, until it is killed. */
static void be_frontend(FIXTURE_DATA(life) *self, int ready)
{
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	start_traffic(self);
	nb_sys(write(ready, "r", 1));
	for (;;)
		pause();
}

TEST_F_TIMEOUT(life, killed_under_traffic_it_leaves_nothing_behind, NB_ROUNDS_TIME)
{
	char line[256];
	unsigned int i, n = nb_rounds(ROUNDS, 400);

	for (i = 0; i < n; i++) {
		int ready[2], status;
		pid_t child;
		char byte;

		nb_sys(pipe(ready));
		child = nb_sys(fork());
		if (!child)
			be_frontend(self, ready[1]);
		close(ready[1]);
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		close(ready[0]);
		kill(child, SIGKILL);
		nb_sys(waitpid(child, &status, 0));
		nb_host_run("ip -d link show low0 | grep -q ' promiscuity 0 '");
		snprintf(line, sizeof(line), "ip link add br%u type bridge && "
			 "ip link set low0 master br%u && ip link del low0 && ip link del br%u",
			 i, i, i);
		nb_host_run(line);
	}
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

/* Makes queues, each with a thread, and lets go of them, until it is killed. */
static void make_queues(FIXTURE_DATA(life) *self, int ready)
{
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	for (;;) {
		nb_nic_start(&self->nic, QUEUES, 0);
		if (write(ready, "r", 1) < 0)
			nb_die("nobody looks");
		nb_nic_stop(&self->nic);
	}
}

/* Within a call that makes several threads, mostly. */
TEST_F_TIMEOUT(life, killed_while_it_makes_queues_it_leaves_nothing_behind, NB_ROUNDS_TIME)
{
	unsigned int i, j, n = nb_rounds(4 * ROUNDS, 400);
	unsigned long before = nb_module_references();
	struct nb_random random;

	nb_random_start(&random);
	for (i = 0; i < n; i++) {
		int ready[2];
		pid_t child;
		char byte;

		nb_sys(pipe(ready));
		child = nb_sys(fork());
		if (!child)
			make_queues(self, ready[1]);
		close(ready[1]);
		for (j = nb_random_below(&random, 4); j + 1; j--)
			ASSERT_EQ(1, read(ready[0], &byte, 1));
		nb_random_spin(&random, 100 * 1000);
		kill(child, SIGKILL);
		nb_sys(waitpid(child, NULL, 0));
		close(ready[0]);
		ASSERT_TRUE(nb_until(nb_module_references() == before));
		nb_host_run("ip -d link show low0 | grep -q ' promiscuity 0 ' && ip link del low0");
	}
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	nb_nic_start(&self->nic, QUEUES, 0);
}

static void *switch_path(void *argument)
{
	FIXTURE_DATA(life) *self = argument;
	bool vf = false;

	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
		vf = !vf;
		nb_ok(nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, vf));
		nb_ok(nb_endpoint_set_multicast(self->nic.ep, NULL, 0,
						vf ? NB_MULTICAST_ALL : 0));
	}
	nb_ok(nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, false));
	return NULL;
}

TEST_F_TIMEOUT(life, path_and_queues_change_under_traffic, NB_ROUNDS_TIME)
{
	pthread_t switches;
	unsigned int i, n = nb_rounds(ROUNDS, 400);

	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	for (i = 0; i < n; i++) {
		start_traffic(self);
		pthread_create(&switches, NULL, switch_path, self);
		usleep(20000);
		stop_traffic(self);
		pthread_join(switches, NULL);
		nb_nic_stop(&self->nic);
	}
}

TEST_F_TIMEOUT(life, nothing_holds_the_module_afterwards, 400)
{
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
	start_traffic(self);
	nb_link_delete(self->nic.pair.lower_index);
	ASSERT_TRUE(has_lost(self));
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
	/* The example of another module's kind, which other tests may have loaded, holds it. */
	nb_test_run("sh", "-c", "rmmod net_backend_delay 2> /dev/null", NULL);
	EXPECT_TRUE(nb_until(nb_module_references() == 0));
	EXPECT_TRUE(nb_until(!nb_test_run("rmmod", "net_backend", NULL)));
	nb_test_load_module();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

TEST_HARNESS_MAIN
