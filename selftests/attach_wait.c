// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach: a guest that sends more than its interface can take, and what is on its
 * way when interface, queues or endpoint go.
 */
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "nbcgroup.h"
#include "nbip.h"
#include "nbthread.h"

#define PACKETS	400
#define LEN	1400
/* A page each; one more is for what a filter drops. */
#define SEEDS	63
#define KILLED	20
#define SHORT	2048
/* Longer than the test: what it sends stays on its way. */
#define STUCK	"rate 8kbit burst 1600 limit 4000000"
/* Has room for three packets, and drops what is more. */
#define FULL	"rate 5mbit burst 3000 limit 5000"
/* So many are not too much to be on their way. */
#define FEW	40
/* The last byte of who sends what a filter drops. */
#define FILTERED	0x0f

FIXTURE(wait)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_tx_segment segments[PACKETS];
	struct nb_tx_completion done[PACKETS];
};

FIXTURE_SETUP(wait)
{
	unsigned int i;

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_attach(&self->nic, &self->guest, NB_ATTACH_PROMISCUOUS, NULL);
	for (i = 0; i < PACKETS; i++) {
		self->segments[i] = nb_tx_frame(&self->guest, i % SEEDS, LEN);
		self->segments[i].id = i;
	}
}

FIXTURE_TEARDOWN(wait)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static void throttle(FIXTURE_DATA(wait) *self, const char *tbf)
{
	char line[160];

	snprintf(line, sizeof(line), "tc qdisc replace dev %s root tbf %s", self->nic.pair.lower,
		 tbf);
	nb_host_run(line);
}

/* Whether that is in what tc shows of it. */
static bool tbf_shows(FIXTURE_DATA(wait) *self, const char *words)
{
	char line[160];

	snprintf(line, sizeof(line),
		 "tc -s qdisc show dev %s | grep -A2 '^qdisc tbf' | grep -q '%s'",
		 self->nic.pair.lower, words);
	return !nb_test_run("sh", "-c", line, NULL);
}

static bool none_dropped(FIXTURE_DATA(wait) *self)
{
	return tbf_shows(self, "dropped 0,");
}

static bool has_left(FIXTURE_DATA(wait) *self)
{
	return tbf_shows(self, "backlog 0b 0p");
}

/* Whether that packet is the next one to arrive, without another call of the frontend's. */
static bool arrives(FIXTURE_DATA(wait) *self, unsigned int i)
{
	unsigned char expected[LEN], frame[LEN];

	nb_frame_fill(expected, LEN, i % SEEDS);
	if (nb_host_receive(&self->nic.host, frame, LEN, NULL) == LEN &&
	    !memcmp(expected, frame, LEN))
		return true;
	fprintf(stderr, "# packet %u\n", i);
	return false;
}

static bool first_arrive(FIXTURE_DATA(wait) *self, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!arrives(self, i))
			return false;
	return true;
}

static bool all_arrive(FIXTURE_DATA(wait) *self)
{
	return first_arrive(self, PACKETS);
}

/* Whether each of them arrives once, in whatever order. */
static bool each_arrives(FIXTURE_DATA(wait) *self)
{
	unsigned int i, seed, left[SEEDS] = { 0 };
	unsigned char expected[LEN], frame[LEN];

	for (i = 0; i < PACKETS; i++)
		left[i % SEEDS]++;
	for (i = 0; i < PACKETS; i++) {
		if (nb_host_receive(&self->nic.host, frame, LEN, NULL) != LEN)
			return false;
		for (seed = 0; seed < SEEDS; seed++) {
			nb_frame_fill(expected, LEN, seed);
			if (!memcmp(expected, frame, LEN))
				break;
		}
		if (seed == SEEDS || !left[seed]--)
			return false;
	}
	return true;
}

/* Whether that many have ended, with NB_TX_OK. */
static bool all_end_well(FIXTURE_DATA(wait) *self, unsigned int n)
{
	unsigned int i;

	if (nb_tx_reap(self->nic.queue, self->done, n) != n)
		return false;
	for (i = 0; i < n; i++)
		if (self->done[i].id != i || self->done[i].status != NB_TX_OK)
			return false;
	return true;
}

static void post_first(FIXTURE_DATA(wait) *self, unsigned int n, uint32_t flags, uint32_t cpu)
{
	const struct nb_queue_config config = {
		.tx_avail_entries = 512,
		.tx_done_entries = 512,
		.target_cpu = cpu,
		.flags = flags,
	};

	nb_nic_start_as(&self->nic, &config, 1);
	if (nb_ok(nb_queue_tx_avail(self->nic.queue, self->segments, n, NULL)) != (int)n)
		nb_die("tx-avail is full");
}

static void post_with(FIXTURE_DATA(wait) *self, uint32_t flags, uint32_t cpu)
{
	post_first(self, PACKETS, flags, cpu);
}

/* All of it on one CPU: veth keeps no order between several. */
static void post_on_one_cpu(FIXTURE_DATA(wait) *self, uint32_t flags)
{
	nb_thread_allow(0, 0, 0);
	post_with(self, flags, 0);
}

static void post(FIXTURE_DATA(wait) *self)
{
	post_on_one_cpu(self, 0);
}

/* What is too much stays in tx-avail. */
static bool some_are_stuck(FIXTURE_DATA(wait) *self)
{
	uint64_t sent = nb_stats_of(self->nic.queue).tx_packets;

	if (sent && sent < PACKETS)
		return true;
	fprintf(stderr, "# %llu packets have been taken\n", (unsigned long long)sent);
	return false;
}

TEST_F(wait, a_slow_interface_gets_every_packet)
{
	throttle(self, "rate 20mbit burst 3000 limit 4000000");
	post(self);
	EXPECT_TRUE(all_arrive(self));
	EXPECT_TRUE(all_end_well(self, PACKETS));
	EXPECT_TRUE(none_dropped(self));
}

TEST_F(wait, so_it_does_from_several_cpus)
{
	throttle(self, "rate 20mbit burst 3000 limit 4000000");
	post_with(self, 0, NB_ANY_CPU);
	EXPECT_TRUE(each_arrives(self));
	EXPECT_TRUE(all_end_well(self, PACKETS));
	EXPECT_TRUE(none_dropped(self));
}

/* Its poller looks at nothing but the rings by itself. */
TEST_F(wait, so_it_does_from_a_poller)
{
	throttle(self, "rate 20mbit burst 3000 limit 4000000");
	post_on_one_cpu(self, NB_QUEUE_POLL);
	EXPECT_TRUE(all_arrive(self));
	EXPECT_TRUE(all_end_well(self, PACKETS));
	EXPECT_TRUE(none_dropped(self));
}

/* The guest has an interface above the one that is slow. */
static void attach_above(FIXTURE_DATA(wait) *self, int ifindex)
{
	struct nb_attach_params attach = { .flags = NB_ATTACH_PROMISCUOUS };
	struct nb_endpoint_params params = {
		.kind = "attach",
		.netns_fd = -1,
		.kind_params = &attach,
		.kind_params_size = sizeof(attach),
	};

	nb_endpoint_close(self->nic.ep);
	nb_link_add_vlan(ifindex, "tagged", 7);
	nb_link_set_up("tagged", true);
	attach.ifindex = if_nametoindex("tagged");
	nb_ok(nb_endpoint_create(self->guest.nb, &params, &self->nic.ep));
}

TEST_F(wait, so_does_a_slow_interface_below_the_one_that_is_taken)
{
	attach_above(self, self->nic.pair.lower_index);
	throttle(self, "rate 20mbit burst 3000 limit 4000000");
	post(self);
	EXPECT_TRUE(all_arrive(self));
	EXPECT_TRUE(all_end_well(self, PACKETS));
	EXPECT_TRUE(none_dropped(self));
}

TEST_F(wait, what_a_full_queueing_discipline_refuses_comes_later)
{
	throttle(self, FULL);
	post(self);
	EXPECT_TRUE(all_arrive(self));
	EXPECT_TRUE(all_end_well(self, PACKETS));
	EXPECT_FALSE(none_dropped(self));
}

/*
 * It has room for one packet, which leaves while the next one is refused.  A slow machine sends
 * no faster than a fast interface takes.
 */
TEST_F(wait, what_is_refused_comes_later_also_if_nothing_is_on_its_way_any_more)
{
	static const unsigned int rates[] = { 300, 100, 30, 10 };
	char tbf[80];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(rates) && none_dropped(self); i++) {
		snprintf(tbf, sizeof(tbf), "rate %umbit burst 1600 limit 1500", rates[i]);
		throttle(self, tbf);
		post_with(self, 0, NB_ANY_CPU);
		EXPECT_TRUE(each_arrives(self));
		EXPECT_TRUE(all_end_well(self, PACKETS));
		nb_nic_stop(&self->nic);
	}
	EXPECT_FALSE(none_dropped(self));
}

TEST_F(wait, what_a_queueing_discipline_never_takes_is_dropped)
{
	struct nb_tx_segment segments[2];
	struct nb_tx_completion done[2];

	throttle(self, "rate 20mbit burst 700 limit 4000000");
	nb_nic_start(&self->nic, 1, 0);
	segments[0] = nb_tx_frame(&self->guest, 0, LEN);
	segments[1] = nb_tx_frame(&self->guest, 1, 100);
	ASSERT_EQ(2, nb_queue_tx_avail(self->nic.queue, segments, 2, NULL));
	ASSERT_EQ(2, nb_tx_reap(self->nic.queue, done, 2));
	EXPECT_EQ(NB_TX_DROPPED, done[0].status);
	EXPECT_EQ(NB_TX_OK, done[1].status);
}

/* ---- a filter on the way out --------------------------------------------- */

/* Every fourth packet is for it. */
static bool is_filtered(unsigned int i)
{
	return i % 4 == 3;
}

static void set_filter(FIXTURE_DATA(wait) *self, const char *name)
{
	unsigned char *frame = nb_guest_ptr(&self->guest, NB_TX_GPA + SEEDS * NB_PAGE, LEN);
	char line[160];
	unsigned int i;

	nb_frame_put(&self->guest, SEEDS, LEN, SEEDS);
	frame[2 * ETH_ALEN - 1] = FILTERED;
	for (i = 0; i < PACKETS; i++)
		if (is_filtered(i))
			self->segments[i].gpa = NB_TX_GPA + SEEDS * NB_PAGE;
	snprintf(line, sizeof(line), "tc qdisc add dev %s clsact", name);
	nb_host_run(line);
	/* It counts from where the Ethernet header ends. */
	snprintf(line, sizeof(line), "tc filter add dev %s egress u32 match u16 %u 0xff at -4 %s",
		 name, FILTERED, "action drop");
	nb_host_run(line);
}

/* Whether it has seen each of those that are for it once. */
static bool filter_saw(const char *name, unsigned int n)
{
	char line[160];

	snprintf(line, sizeof(line), "tc -s filter show dev %s egress | grep -q 'dropped %u,'",
		 name, n);
	return !nb_test_run("sh", "-c", line, NULL);
}

/* Whether that many have ended as they should. */
static bool all_end_filtered(FIXTURE_DATA(wait) *self, unsigned int n)
{
	unsigned int i;

	if (nb_tx_reap(self->nic.queue, self->done, n) != n)
		return false;
	for (i = 0; i < n; i++)
		if (self->done[i].id != i ||
		    self->done[i].status != (is_filtered(i) ? NB_TX_DROPPED : NB_TX_OK))
			return false;
	return true;
}

/* Whether all that the filter lets pass arrive, in order. */
static bool others_arrive(FIXTURE_DATA(wait) *self)
{
	unsigned int i;

	for (i = 0; i < PACKETS; i++)
		if (!is_filtered(i) && !arrives(self, i))
			return false;
	return true;
}

static bool goes_on_behind_a_filter(FIXTURE_DATA(wait) *self, const char *name)
{
	set_filter(self, name);
	throttle(self, STUCK);
	nb_thread_allow(0, 0, 0);
	post_first(self, FEW, 0, 0);
	return all_end_filtered(self, FEW) && !has_left(self) && filter_saw(name, FEW / 4);
}

/* What the queueing discipline refuses, and what the filter does, are told apart. */
static bool loses_what_is_filtered_alone(FIXTURE_DATA(wait) *self, const char *name)
{
	post(self);
	return others_arrive(self) && all_end_filtered(self, PACKETS) && !none_dropped(self) &&
	       filter_saw(name, PACKETS / 4);
}

TEST_F(wait, what_a_filter_drops_ends_while_others_are_on_their_way)
{
	EXPECT_TRUE(goes_on_behind_a_filter(self, self->nic.pair.lower));
}

TEST_F(wait, so_does_what_one_above_a_slow_interface_drops)
{
	attach_above(self, self->nic.pair.lower_index);
	EXPECT_TRUE(goes_on_behind_a_filter(self, "tagged"));
}

TEST_F(wait, behind_a_filter_a_full_queueing_discipline_gets_every_packet)
{
	set_filter(self, self->nic.pair.lower);
	throttle(self, FULL);
	EXPECT_TRUE(loses_what_is_filtered_alone(self, self->nic.pair.lower));
}

TEST_F(wait, so_does_one_below_the_filter)
{
	attach_above(self, self->nic.pair.lower_index);
	set_filter(self, "tagged");
	throttle(self, FULL);
	EXPECT_TRUE(loses_what_is_filtered_alone(self, "tagged"));
}

TEST_F(wait, so_does_one_of_several_that_xps_chooses)
{
	nb_host_run("ethtool -L low0 tx 2");
	nb_host_run("tc qdisc replace dev low0 root handle 1: mq");
	nb_host_run("tc qdisc replace dev low0 parent 1:2 tbf " FULL);
	nb_host_run("unshare -m sh -ec 'mount -t sysfs none /sys; cd /sys/class/net/low0/queues;"
		    " echo 0 > tx-0/xps_cpus; echo 3 > tx-1/xps_cpus'");
	set_filter(self, "low0");
	EXPECT_TRUE(loses_what_is_filtered_alone(self, "low0"));
}

/* pfifo_fast; it holds what an interface has no room for. */
TEST_F(wait, so_does_one_that_counts_by_cpu)
{
	unsigned char frame[LEN];
	struct nb_nic below;
	char line[160];
	unsigned int i;

	nb_nic_open(&below, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&below, 1, 0);
	snprintf(line, sizeof(line),
		 "ip link set %s txqueuelen 3 && tc qdisc replace dev %s root pfifo_fast",
		 below.host.name, below.host.name);
	nb_host_run(line);
	attach_above(self, below.host.ifindex);
	set_filter(self, "tagged");
	post(self);
	EXPECT_TRUE(some_are_stuck(self));
	nb_nic_post_all(&below);
	for (i = 0; i < PACKETS - PACKETS / 4; i++)
		ASSERT_EQ(LEN, nb_nic_received(&below, frame, LEN, NULL));
	EXPECT_TRUE(all_end_filtered(self, PACKETS));
	EXPECT_TRUE(filter_saw("tagged", PACKETS / 4));
	nb_nic_close(&below);
}

/* ---- what is on its way -------------------------------------------------- */

/* There is room for what is left while nobody may send it. */
TEST_F(wait, a_queue_that_is_quiesced_meanwhile_goes_on_when_it_is_resumed)
{
	throttle(self, "rate 5mbit burst 3000 limit 4000000");
	post(self);
	ASSERT_TRUE(some_are_stuck(self));
	nb_ok(nb_queue_quiesce(self->nic.queue));
	ASSERT_TRUE(nb_until(has_left(self)));
	nb_ok(nb_queue_resume(self->nic.queue));
	EXPECT_TRUE(all_arrive(self));
	EXPECT_TRUE(all_end_well(self, PACKETS));
}

/*
 * Frames so short that a batch is less than what may be sent at once: who takes one may leave
 * others without having been held up.
 */
TEST_F(wait, it_goes_on_when_who_would_have_sent_it_is_killed)
{
	static struct nb_tx_completion done[SHORT];
	static struct nb_tx_segment segments[SHORT];
	const struct nb_queue_config config = {
		.tx_avail_entries = SHORT, .tx_done_entries = SHORT,
		.target_cpu = NB_ANY_CPU,
	};
	unsigned int i;
	pid_t child;

	throttle(self, "rate 200kbit burst 1600 limit 4000000");
	nb_nic_start_as(&self->nic, &config, 1);
	for (i = 0; i < SHORT; i++)
		segments[i] = nb_tx_frame(&self->guest, 0, 60);
	ASSERT_EQ(SHORT, nb_queue_tx_avail(self->nic.queue, segments, SHORT, NULL));
	for (i = 0; i < KILLED && nb_stats_of(self->nic.queue).tx_packets < SHORT - 200; i++) {
		uint64_t sent = nb_stats_of(self->nic.queue).tx_packets;

		child = nb_sys(fork());
		if (!child)
			for (;;)
				nb_queue_enter(self->nic.queue, NB_ENTER_TX, 0, NULL);
		EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queue).tx_packets > sent));
		nb_sys(kill(child, SIGKILL));
		nb_sys(waitpid(child, NULL, 0));
	}
	EXPECT_LT(0, i);
	EXPECT_EQ(SHORT, nb_tx_reap(self->nic.queue, done, SHORT));
}

TEST_F(wait, it_is_limited)
{
	throttle(self, STUCK);
	post(self);
	ASSERT_TRUE(some_are_stuck(self));
	/* As soon as the interface is free again, all go on. */
	throttle(self, "rate 1gbit burst 10000 limit 4000000");
	EXPECT_TRUE(all_end_well(self, PACKETS));
}

TEST_F(wait, it_is_gone_with_the_interface)
{
	struct nb_action action;
	unsigned long before;

	before = nb_module_references();
	throttle(self, STUCK);
	post(self);
	ASSERT_TRUE(some_are_stuck(self));
	nb_link_delete(self->nic.pair.lower_index);
	do {
		ASSERT_EQ(1, nb_endpoint_wait_for_action(self->nic.ep, &action, NB_PATIENCE));
	} while (action.type != NB_ACTION_RESTART_REQUIRED);
	EXPECT_EQ(NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
	nb_nic_stop(&self->nic);
	EXPECT_TRUE(nb_until(nb_module_references() == before));
}

TEST_F(wait, it_outlives_the_queues_and_ends_with_the_queueing_discipline)
{
	unsigned long before = nb_module_references();
	unsigned int i;

	for (i = 0; i < 5; i++) {
		throttle(self, STUCK);
		post(self);
		ASSERT_TRUE(some_are_stuck(self));
		nb_nic_stop(&self->nic);
		EXPECT_LT(before, nb_module_references());
		throttle(self, "rate 1gbit burst 10000 limit 4000000");
		nb_host_run("tc qdisc del dev low0 root");
		EXPECT_TRUE(nb_until(nb_module_references() == before));
	}
}

/* What has been taken is sent; the rest is left, and the next queue is none the worse for it. */
TEST_F(wait, an_operator_disconnects_meanwhile_and_connects_again)
{
	unsigned long before = nb_module_references();
	uint64_t sent;

	throttle(self, "rate 5mbit burst 3000 limit 4000000");
	post(self);
	ASSERT_TRUE(some_are_stuck(self));
	nb_host_run("nbctl disconnect low0 now");
	EXPECT_EQ(NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
	sent = nb_stats_of(self->nic.queue).tx_packets;
	nb_host_run("nbctl connect low0");
	EXPECT_TRUE(first_arrive(self, sent));
	EXPECT_TRUE(nb_until(has_left(self)));
	EXPECT_TRUE(nb_host_silent(&self->nic.host));
	EXPECT_EQ(sent, nb_stats_of(self->nic.queue).tx_packets);
	EXPECT_TRUE(all_end_well(self, sent));
	nb_nic_stop(&self->nic);
	EXPECT_TRUE(nb_until(nb_module_references() == before));
	post(self);
	EXPECT_TRUE(all_arrive(self));
	EXPECT_TRUE(all_end_well(self, PACKETS));
}

/* Kind attach sends nothing without a copy, but a frontend may ask for it. */
TEST_F(wait, queues_with_zerocopy_are_closed_while_it_goes_on)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		throttle(self, "rate 100mbit burst 3000 limit 10000");
		post_with(self, NB_QUEUE_ZEROCOPY_TX, NB_ANY_CPU);
		ASSERT_TRUE(nb_until(nb_stats_of(self->nic.queue).tx_packets > 8 * i));
		nb_nic_stop(&self->nic);
		nb_host_run("tc qdisc del dev low0 root");
	}
	post_with(self, NB_QUEUE_ZEROCOPY_TX, NB_ANY_CPU);
	EXPECT_TRUE(all_end_well(self, PACKETS));
}

TEST_F(wait, it_outlives_the_endpoint)
{
	unsigned long left;

	throttle(self, STUCK);
	post(self);
	ASSERT_TRUE(some_are_stuck(self));
	nb_nic_close(&self->nic);
	left = nb_module_references();
	nb_host_run("tc qdisc del dev low0 root");
	EXPECT_TRUE(nb_until(nb_module_references() == left - 1));
}

TEST_HARNESS_MAIN
