// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that are dropped: for each reason some are, and the tracepoint, the counters of
 * the queue and those of the interface have exactly these.  What the ports of a switch
 * count is in switch_netlink.c and switch_uplink.c, a host without memory in fault_data.c.
 */
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_link.h>

#include "kselftest_harness.h"
#include "kind_delay/delay.h"
#include "nbip.h"
#include "nbtrace.h"
#include "nbxdp.h"

/* What there is of each kind. */
struct drops {
	struct nb_trace trace;
	struct nb_guest guest;
	struct nb_nic nic;
	uint64_t waited;	/* for buffers, before there were any */
};

static void open_nic(struct drops *drops, const struct nb_test_kind *kind)
{
	nb_host_new_netns();
	nb_trace_open(&drops->trace);
	drops->waited = 0;
	nb_guest_open(&drops->guest, 0);
	nb_nic_open(&drops->nic, &drops->guest, kind, 0);
}

static void close_nic(struct drops *drops)
{
	nb_nic_close(&drops->nic);
	nb_guest_close(&drops->guest);
	nb_trace_close(&drops->trace);
}

/* With all of its buffers. */
static void start(struct drops *drops)
{
	nb_nic_start(&drops->nic, 1, 0);
	nb_nic_post_all(&drops->nic);
	drops->waited = nb_stats_of(drops->nic.queue).rx_no_buffer;
}

/* Whether, of all that was traced, n packets are dropped for this reason, none for another. */
static bool traced(struct drops *drops, const char *direction, const char *reason,
		   unsigned long n)
{
	unsigned long all = nb_trace_sum(&drops->trace, "nb_drop", NULL, "packets"), these;
	char words[64];

	snprintf(words, sizeof(words), " direction=%s reason=%s ", direction, reason);
	these = nb_trace_sum(&drops->trace, "nb_drop", words, "packets");
	if (these == n && all == n)
		return true;
	fprintf(stderr, "# %lu dropped:%sof %lu\n", these, words, all);
	return false;
}

/* Whether the queue's counters of drops and errors are these, and all others are 0. */
static bool counted(struct drops *drops, const struct nb_queue_stats *expected)
{
	struct nb_queue_stats is = nb_stats_of(drops->nic.queue);

	if (is.tx_errors == expected->tx_errors && is.tx_dropped == expected->tx_dropped &&
	    is.rx_errors == expected->rx_errors && is.rx_too_small == expected->rx_too_small &&
	    is.rx_no_buffer == expected->rx_no_buffer + drops->waited)
		return true;
	fprintf(stderr, "# tx: %llu errors, %llu dropped; rx: %llu errors, %llu too small, "
		"%llu times no buffer\n", is.tx_errors, is.tx_dropped, is.rx_errors,
		is.rx_too_small, is.rx_no_buffer);
	return false;
}

/* Sends n packets, which all have to end with that status. */
static void send_all(struct drops *drops, const struct nb_tx_segment *segments, unsigned int n,
		     uint32_t status)
{
	struct nb_tx_completion done[8];
	unsigned int i;

	if (nb_ok(nb_queue_tx_avail(drops->nic.queue, segments, n, NULL)) != (int)n ||
	    nb_tx_reap(drops->nic.queue, done, n) != n)
		nb_die("not all end");
	for (i = 0; i < n; i++)
		if (done[i].status != status)
			nb_die("packet %u ends with status %u", i, done[i].status);
}

static void send_frames(struct drops *drops, unsigned int n, uint32_t len, uint32_t status)
{
	struct nb_tx_segment segments[8];
	unsigned int i;

	for (i = 0; i < n; i++)
		segments[i] = nb_tx_frame(&drops->guest, i, len);
	send_all(drops, segments, n, status);
}

static void host_sends(struct drops *drops, unsigned int n, size_t len)
{
	unsigned char frame[2000];

	nb_frame_fill(frame, len, 0);
	while (n--)
		nb_host_send(&drops->nic.host, frame, len);
}

static void set_link(struct drops *drops, const char *state)
{
	struct nb_endpoint_info info;
	char line[64];

	nb_ok(nb_endpoint_get_info(drops->nic.ep, &info));
	snprintf(line, sizeof(line), "nbctl link %u %s", info.id, state);
	nb_host_run(line);
}

/* ---- of any kind --------------------------------------------------------- */

FIXTURE(any)
{
	struct drops drops;
};

FIXTURE_VARIANT(any)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(any, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(any, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(any, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(any, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(any, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(any, delay) { .kind = &nb_test_delay };

FIXTURE_SETUP(any)
{
	open_nic(&self->drops, variant->kind);
	start(&self->drops);
}

FIXTURE_TEARDOWN(any)
{
	close_nic(&self->drops);
}

TEST_F(any, packets_that_are_malformed)
{
	struct nb_tx_segment segments[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		segments[i] = nb_tx_frame(&self->drops.guest, i, 100);
		segments[i].packet_len = 99;
	}
	send_all(&self->drops, segments, 3, NB_TX_INVALID);
	EXPECT_TRUE(traced(&self->drops, "tx", "INVALID", 3));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_errors = 3 }));
}

TEST_F(any, packets_outside_of_guest_memory)
{
	struct nb_tx_segment segments[2];

	segments[0] = nb_tx_packet(NB_GAP_GPA, 100, 0);
	segments[1] = nb_tx_packet(NB_GAP_GPA - 50, 100, 1);
	send_all(&self->drops, segments, 2, NB_TX_FAULT);
	EXPECT_TRUE(traced(&self->drops, "tx", "FAULT", 2));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_errors = 2 }));
}

TEST_F(any, packets_with_an_offload_that_is_not_offered)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->drops.guest, 0, 100);

	if (nb_endpoint_tx_offload_support(self->drops.nic.ep) & NB_OFFLOAD_TCP)
		SKIP(return, "this kind offers it");
	segment.flags |= NB_TX_IS_IPV4 | NB_TX_OFFLOAD_TCP_CHECKSUM;
	send_all(&self->drops, &segment, 1, NB_TX_UNSUPPORTED);
	EXPECT_TRUE(traced(&self->drops, "tx", "UNSUPPORTED", 1));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_errors = 1 }));
}

TEST_F(any, what_is_sent_while_the_link_is_down)
{
	set_link(&self->drops, "down");
	send_frames(&self->drops, 4, 100, NB_TX_DROPPED);
	EXPECT_TRUE(traced(&self->drops, "tx", "LINK_DOWN", 4));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_dropped = 4 }));
	set_link(&self->drops, "up");
	send_frames(&self->drops, 1, 100, NB_TX_OK);
	EXPECT_TRUE(traced(&self->drops, "tx", "LINK_DOWN", 4));
}

/* ---- kind netdev --------------------------------------------------------- */

FIXTURE(netdev)
{
	struct drops drops;
};

FIXTURE_SETUP(netdev)
{
	open_nic(&self->drops, &nb_test_netdev);
}

FIXTURE_TEARDOWN(netdev)
{
	close_nic(&self->drops);
}

static bool link_counted(struct drops *drops, const char *name, unsigned long rx,
			 unsigned long tx)
{
	struct nb_link_drops is = nb_link_get_drops(name);

	if (is.rx == rx && is.tx == tx)
		return true;
	fprintf(stderr, "# %s: dropped rx %lu, tx %lu\n", name, is.rx, is.tx);
	return false;
}

TEST_F(netdev, what_the_guest_sends_while_the_interface_is_down)
{
	const char *name = self->drops.nic.host.name;

	start(&self->drops);
	nb_link_set_up(name, false);
	send_frames(&self->drops, 3, 100, NB_TX_DROPPED);
	EXPECT_TRUE(traced(&self->drops, "tx", "INTERFACE_DOWN", 3));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_dropped = 3 }));
	EXPECT_TRUE(link_counted(&self->drops, name, 3, 0));
}

TEST_F(netdev, what_is_too_long_for_the_guests_buffer)
{
	self->drops.nic.bufs.size = 500;
	start(&self->drops);
	host_sends(&self->drops, 5, 501);
	host_sends(&self->drops, 1, 500);
	EXPECT_EQ(1, nb_bufs_reap(&self->drops.nic.bufs, self->drops.nic.queue, NULL, 1));
	EXPECT_TRUE(traced(&self->drops, "rx", "TOO_SMALL", 5));
	EXPECT_EQ(5, nb_stats_of(self->drops.nic.queue).rx_too_small);
	EXPECT_TRUE(link_counted(&self->drops, self->drops.nic.host.name, 0, 5));
}

/* That of the others, which wait in the qdisc, is the qdisc's business. */
TEST_F(netdev, what_waits_for_a_quiesced_queue_when_the_interface_goes_down)
{
	start(&self->drops);
	nb_ok(nb_queue_quiesce(self->drops.nic.queue));
	host_sends(&self->drops, 3, 100);
	EXPECT_TRUE(traced(&self->drops, "rx", "NO_QUEUE", 0));
	nb_link_set_up(self->drops.nic.host.name, false);
	EXPECT_TRUE(traced(&self->drops, "rx", "NO_QUEUE", 1));
	EXPECT_TRUE(link_counted(&self->drops, self->drops.nic.host.name, 0, 1));
}

/*
 * A program that counts in the map that it has begun, and takes its time: some milliseconds, or
 * more where the CPU is emulated.
 */
static int dawdle(int map)
{
#define LOOK	BPF_CALL_HELPER(ktime_get_ns)
	return nb_bpf_program(BPF_PROG_TYPE_RAW_TRACEPOINT, 0,
			      BPF_STORE_IMM(BPF_W, BPF_REG_10, -4, 0),
			      BPF_COPY(BPF_REG_2, BPF_REG_10), BPF_PLUS(BPF_REG_2, -4),
			      BPF_MAP(BPF_REG_1, map), BPF_MAP_END,
			      BPF_CALL_HELPER(map_lookup_elem),
			      BPF_IF(BPF_JEQ, BPF_REG_0, 0, 3),
			      BPF_LOAD(BPF_DW, BPF_REG_1, BPF_REG_0, 0),
			      BPF_PLUS(BPF_REG_1, 1),
			      BPF_STORE(BPF_DW, BPF_REG_0, 0, BPF_REG_1),
			      BPF_SET(BPF_REG_6, 5000),
			      LOOK, LOOK, LOOK, LOOK, LOOK, LOOK, LOOK, LOOK, LOOK, LOOK,
			      BPF_PLUS(BPF_REG_6, -1), BPF_IF(BPF_JNE, BPF_REG_6, 0, -12),
			      BPF_SET(BPF_REG_0, 0), BPF_RETURN);
#undef LOOK
}

/* The host's packet was let in for a buffer which then was none, and waits for the next. */
static void let_wait(struct drops *drops)
{
	const struct nb_rx_segment buffer = { .gpa = NB_MORE_GPA, .len = NB_PAGE };

	nb_ok(nb_memory_add(drops->guest.mem, NB_MORE_GPA, nb_test_pages(NB_PAGE), NB_PAGE, 0));
	nb_nic_start(&drops->nic, 1, 0);
	nb_ok(nb_queue_rx_avail(drops->nic.queue, &buffer, 1));
	nb_ok(nb_memory_remove(drops->guest.mem, NB_MORE_GPA, NB_PAGE));
	host_sends(drops, 1, 100);
	if (!nb_until(nb_stats_of(drops->nic.queue).rx_errors == 1))
		nb_die("no packet waits for a buffer");
}

static void *set_down(void *name)
{
	nb_link_set_up(name, false);
	return NULL;
}

/*
 * While the kernel is about to drop it, which the program makes long, the guest posts a buffer
 * for it.
 */
TEST_F_TIMEOUT(netdev, what_waits_for_a_buffer_that_comes_as_the_interface_goes_down,
	       NB_ROUNDS_TIME)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_ARRAY, 1), tracing = nb_bpf_trace("nb_drop", dawdle(map));
	unsigned int round, n = nb_rounds(10, 60);
	struct drops *drops = &self->drops;
	pthread_t thread;

	for (round = 1; round <= n; round++) {
		let_wait(drops);
		ASSERT_EQ(0, pthread_create(&thread, NULL, set_down, drops->nic.host.name));
		ASSERT_TRUE(nb_until(nb_bpf_array_get(map, 0) == round));
		nb_bufs_post(&drops->nic.bufs, drops->nic.queue, 0);
		pthread_join(thread, NULL);
		ASSERT_TRUE(traced(drops, "rx", "NO_QUEUE", round));
		ASSERT_EQ(0, nb_stats_of(drops->nic.queue).rx_packets);
		ASSERT_TRUE(link_counted(drops, drops->nic.host.name, 0, round));
		nb_nic_stop(&drops->nic);
		drops->nic.bufs.full[0] = false;
	}
	close(tracing);
}

TEST_F(netdev, what_a_program_does_not_let_pass)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 1);
	/* No action at all; and to an interface that takes none. */
	const int programs[] = {
		nb_bpf_returns(XDP_DROP), nb_bpf_returns(XDP_ABORTED), nb_bpf_returns(77),
		nb_xdp_redirects(map),
	};
	unsigned int i;

	nb_bpf_map_set(map, 0, if_nametoindex("lo"));

	start(&self->drops);
	for (i = 0; i < ARRAY_LEN(programs); i++) {
		nb_bpf_attach(self->drops.nic.host.ifindex, programs[i]);
		send_frames(&self->drops, 3, 100, NB_TX_OK);
		EXPECT_TRUE(traced(&self->drops, "tx", "XDP", 3 * (i + 1)));
		EXPECT_EQ(3 * (i + 1), nb_xdp_count(&self->drops.nic, 0, "drops"));
	}
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){}));
	/* It got them, and its program did not want them. */
	EXPECT_TRUE(link_counted(&self->drops, self->drops.nic.host.name, 0, 0));
}

TEST_F(netdev, what_a_program_sends_back_to_no_buffer)
{
	nb_nic_start(&self->drops.nic, 1, 0);
	nb_bpf_attach(self->drops.nic.host.ifindex, nb_bpf_returns(XDP_TX));
	send_frames(&self->drops, 6, 100, NB_TX_OK);
	EXPECT_TRUE(traced(&self->drops, "rx", "NO_BUFFER", 6));
	EXPECT_EQ(6, nb_xdp_count(&self->drops.nic, 0, "tx_drops"));
	EXPECT_TRUE(link_counted(&self->drops, self->drops.nic.host.name, 0, 6));
}

TEST_F(netdev, what_a_program_sends_back_to_a_buffer_that_is_too_small)
{
	self->drops.nic.bufs.size = 500;
	start(&self->drops);
	nb_bpf_attach(self->drops.nic.host.ifindex, nb_bpf_returns(XDP_TX));
	send_frames(&self->drops, 2, 501, NB_TX_OK);
	EXPECT_TRUE(traced(&self->drops, "rx", "TOO_SMALL", 2));
	EXPECT_EQ(2, nb_stats_of(self->drops.nic.queue).rx_too_small);
	EXPECT_EQ(0, nb_xdp_count(&self->drops.nic, 0, "tx_drops"));
	EXPECT_TRUE(link_counted(&self->drops, self->drops.nic.host.name, 0, 2));
}

/* ---- kind attach --------------------------------------------------------- */

FIXTURE(attach)
{
	struct drops drops;
};

FIXTURE_SETUP(attach)
{
	open_nic(&self->drops, &nb_test_attach);
}

FIXTURE_TEARDOWN(attach)
{
	close_nic(&self->drops);
}

TEST_F(attach, what_the_guest_sends_while_the_interface_is_down)
{
	start(&self->drops);
	nb_link_set_up(self->drops.nic.pair.lower, false);
	send_frames(&self->drops, 3, 100, NB_TX_DROPPED);
	EXPECT_TRUE(traced(&self->drops, "tx", "INTERFACE_DOWN", 3));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_dropped = 3 }));
}

TEST_F(attach, what_is_longer_than_the_interface_transmits)
{
	start(&self->drops);
	send_frames(&self->drops, 2, 1519, NB_TX_DROPPED);
	send_frames(&self->drops, 1, 1518, NB_TX_OK);
	EXPECT_TRUE(traced(&self->drops, "tx", "TOO_LONG", 2));
	/* And before a queueing discipline sees it. */
	nb_link_set_fifo(self->drops.nic.pair.lower_index, 100);
	send_frames(&self->drops, 3, 1519, NB_TX_DROPPED);
	EXPECT_TRUE(traced(&self->drops, "tx", "TOO_LONG", 5));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_dropped = 5 }));
}

TEST_F(attach, what_a_queueing_discipline_or_a_program_refuses)
{
	start(&self->drops);
	nb_host_run("tc qdisc replace dev low0 root tbf rate 20mbit burst 700 limit 4000000");
	send_frames(&self->drops, 1, 1400, NB_TX_DROPPED);
	EXPECT_TRUE(traced(&self->drops, "tx", "REFUSED", 1));
	nb_host_run("tc qdisc del dev low0 root");
	nb_host_run("tc qdisc add dev low0 clsact");
	nb_host_run("tc filter add dev low0 egress matchall action drop");
	send_frames(&self->drops, 4, 100, NB_TX_DROPPED);
	EXPECT_TRUE(traced(&self->drops, "tx", "REFUSED", 5));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_dropped = 5 }));
}

/*
 * The endpoint takes a VLAN of the interface that it had, instead.  Nobody stands in between,
 * and what the queueing discipline below answers is handed up.
 */
static void take_vlan(struct drops *drops)
{
	struct nb_attach_params attach = {
		.flags = NB_ATTACH_PROMISCUOUS, .ifname = "tagged",
	};
	struct nb_endpoint_params params = {
		.kind = "attach", .netns_fd = -1,
		.kind_params = &attach, .kind_params_size = sizeof(attach),
	};
	struct nb_nic *nic = &drops->nic;

	nb_endpoint_close(nic->ep);
	nb_link_add_vlan(nic->pair.lower_index, "tagged", 7);
	nb_link_set_up("tagged", true);
	nb_ok(nb_endpoint_create(drops->guest.nb, &params, &nic->ep));
	start(drops);
}

/* In a batch: the others are sent. */
TEST_F(attach, what_the_interface_refuses_in_the_middle_of_a_batch)
{
	static const uint32_t lens[] = { 1400, 100, 1400, 1400, 100, 1400 };
	struct nb_tx_segment segments[ARRAY_LEN(lens)];
	struct nb_tx_completion done[ARRAY_LEN(lens)];
	struct nb_nic *nic = &self->drops.nic;
	unsigned int i;

	nb_host_run("tc qdisc replace dev low0 root tbf rate 20mbit burst 700 limit 4000000");
	take_vlan(&self->drops);
	for (i = 0; i < ARRAY_LEN(lens); i++)
		segments[i] = nb_tx_frame(&self->drops.guest, i, lens[i]);
	ASSERT_EQ((int)ARRAY_LEN(lens), nb_queue_tx_avail(nic->queue, segments, ARRAY_LEN(lens),
							  NULL));
	ASSERT_EQ(ARRAY_LEN(lens), nb_tx_reap(nic->queue, done, ARRAY_LEN(lens)));
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		EXPECT_EQ(i, done[i].id);
		EXPECT_EQ(lens[i] == 100 ? NB_TX_OK : NB_TX_DROPPED, done[i].status);
	}
	EXPECT_TRUE(traced(&self->drops, "tx", "REFUSED", 4));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){ .tx_dropped = 4 }));
}

/*
 * A queueing discipline that takes a packet and drops an older one complains of congestion,
 * which is no refusal: of none of them, nor of a super-packet of which it gets each piece.
 */
#define CONGESTED	6u

static void send_super_packet(struct drops *drops, uint16_t size, unsigned int pieces)
{
	const struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = size * pieces };
	const uint16_t flags = NB_TX_OFFLOAD_TCP_SEGMENTATION | NB_TX_IS_IPV4;
	struct nb_tx_segment segment;
	static struct nb_ip ip;

	nb_ip_make(&ip, &plan);
	nb_ip_leave_to_backend(&ip, flags, true);
	memcpy(nb_guest_ptr(&drops->guest, NB_TX_GPA, ip.len), ip.data, ip.len);
	segment = nb_tx_packet(NB_TX_GPA, ip.len, 1);
	nb_ip_describe(&ip, flags, size, &segment);
	send_all(drops, &segment, 1, NB_TX_OK);
}

TEST_F(attach, nothing_for_congestion)
{
	char line[160];

	nb_host_run("tc qdisc replace dev low0 root handle 1: tbf rate 8kbit burst 1600 limit 1m");
	nb_host_run("tc qdisc replace dev low0 parent 1:1 handle 2: pfifo_head_drop limit 2");
	take_vlan(&self->drops);
	nb_link_clear_feature("tagged", "tx-tcp-segmentation");
	send_frames(&self->drops, CONGESTED, 1400, NB_TX_OK);
	send_super_packet(&self->drops, 1000, CONGESTED);
	nb_host_run("tc -s qdisc show dev low0 | grep -q 'dropped [1-9]'");
	snprintf(line, sizeof(line), "ip -s -j link show tagged | "
		 "grep -q '\"tx\":{[^}]*\"packets\":%u,'", 2 * CONGESTED);
	nb_host_run(line);
	EXPECT_TRUE(traced(&self->drops, "tx", "REFUSED", 0));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){}));
}

TEST_F(attach, what_finds_no_buffer)
{
	nb_nic_start(&self->drops.nic, 1, 0);
	host_sends(&self->drops, 7, 100);
	EXPECT_TRUE(nb_until(nb_stats_of(self->drops.nic.queue).rx_no_buffer == 7));
	EXPECT_TRUE(traced(&self->drops, "rx", "NO_BUFFER", 7));
	EXPECT_TRUE(link_counted(&self->drops, "low0", 0, 0));
}

TEST_F(attach, what_is_too_long_for_the_guests_buffer)
{
	self->drops.nic.bufs.size = 500;
	start(&self->drops);
	host_sends(&self->drops, 5, 501);
	EXPECT_TRUE(nb_until(nb_stats_of(self->drops.nic.queue).rx_too_small == 5));
	EXPECT_TRUE(traced(&self->drops, "rx", "TOO_SMALL", 5));
	EXPECT_TRUE(link_counted(&self->drops, "low0", 0, 0));
}

TEST_F(attach, what_comes_while_there_is_no_queue)
{
	nb_host_open_socket(&self->drops.nic.host, self->drops.nic.pair.far_index);
	host_sends(&self->drops, 3, 100);
	EXPECT_TRUE(nb_until(nb_link_get_drops("low0").rx == 3));
	EXPECT_TRUE(traced(&self->drops, "rx", "NO_QUEUE", 3));
}

TEST_F(attach, what_comes_while_the_link_is_down)
{
	start(&self->drops);
	set_link(&self->drops, "down");
	host_sends(&self->drops, 4, 100);
	EXPECT_TRUE(nb_until(nb_link_get_drops("low0").rx == 4));
	EXPECT_TRUE(traced(&self->drops, "rx", "LINK_DOWN", 4));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){}));
}

/* Writes 0 to that byte of each packet. */
static int spoils(unsigned int offset)
{
	return nb_bpf_program(BPF_PROG_TYPE_SCHED_CLS, 0,
			      BPF_STORE_IMM(BPF_B, BPF_REG_10, -8, 0),
			      BPF_SET(BPF_REG_2, offset),
			      BPF_COPY(BPF_REG_3, BPF_REG_10),
			      BPF_PLUS(BPF_REG_3, -8),
			      BPF_SET(BPF_REG_4, 1),
			      BPF_SET(BPF_REG_5, 0),
			      BPF_CALL_HELPER(skb_store_bytes),
			      BPF_SET(BPF_REG_0, 0),
			      BPF_RETURN);
}

/* A super-packet whose TCP header has no length, for a frontend that takes none. */
TEST_F(attach, what_the_host_cannot_cut)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 4000 };
	static struct nb_ip ip;
	unsigned int i;

	start(&self->drops);
	nb_ip_want_vnet(&self->drops.nic.host);
	nb_ip_make(&ip, &plan);
	nb_ip_leave_to_stack(&ip);
	/* On its way it is still as it should be. */
	nb_bpf_classify(self->drops.nic.pair.lower_index, spoils(ip.l4 + 12));
	for (i = 0; i < 2; i++)
		nb_ip_send(&self->drops.nic.host, &ip, true, 1000);
	EXPECT_TRUE(nb_until(nb_link_get_drops("low0").rx == 2));
	EXPECT_TRUE(traced(&self->drops, "rx", "OFFLOAD", 2));
	EXPECT_TRUE(counted(&self->drops, &(struct nb_queue_stats){}));
}

/* ---- a kind from elsewhere ----------------------------------------------- */

TEST(what_a_kind_drops_that_does_not_say_why)
{
	const struct nb_delay_params params = { .limit = 1 };
	struct nb_test_kind kind = nb_test_delay;
	struct drops drops;

	kind.params = &params;
	open_nic(&drops, &kind);
	/* Without a buffer, the first one stays. */
	nb_nic_start(&drops.nic, 1, 0);
	send_frames(&drops, 1, 100, NB_TX_OK);
	send_frames(&drops, 3, 100, NB_TX_DROPPED);
	EXPECT_TRUE(traced(&drops, "tx", "BACKEND", 3));
	EXPECT_EQ(3, nb_stats_of(drops.nic.queue).tx_dropped);
	close_nic(&drops);
}

TEST_HARNESS_MAIN
