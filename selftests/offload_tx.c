// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest leaves to the backend is done: the frames that a host sees behind a
 * pair of veth that does no offload itself are those that nbip.c computes.
 *
 *	endpoint ── nb0 ── (tc) ── wire0 ══ wire1 ── packet socket
 *	              └─ packet socket
 */
#include <net/if.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbip.h"

#define HEADER_CHECKSUM	NB_TX_OFFLOAD_IP_HEADER_CHECKSUM
#define TCP_CHECKSUM	NB_TX_OFFLOAD_TCP_CHECKSUM
#define UDP_CHECKSUM	NB_TX_OFFLOAD_UDP_CHECKSUM
#define TSO		NB_TX_OFFLOAD_TCP_SEGMENTATION
#define USO		NB_TX_OFFLOAD_UDP_SEGMENTATION

#define SEGMENTS	32u
/* Room for a packet whose segments lie apart. */
#define ROOM		(256u << 10)
#define LONGEST		65535u
#define MTU		(LONGEST - 14)

#define FIN_PSH_ACK	0x19
#define CWR_ACK		0x90
#define CWR_FIN_PSH_ACK	0x99

FIXTURE(offload_tx)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_host wire;
	struct nb_random random;
	uint32_t sent;
	struct nb_ip whole, left, piece, got;
};

FIXTURE_SETUP(offload_tx)
{
	nb_host_new_netns();
	nb_random_start(&self->random);
	nb_guest_open(&self->guest, ROOM);
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, MTU);
	nb_nic_start(&self->nic, 1, 0);
	nb_host_behind_wire(&self->wire, self->nic.host.name);
}

FIXTURE_TEARDOWN(offload_tx)
{
	nb_host_close(&self->wire);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* What is asked of the backend for a packet. */
struct request {
	uint16_t flags;
	uint16_t size;
	int vlan;
	bool zero;		/* what the backend fills in is zero before */
	unsigned int segments;	/* 0: any number */
};

/* Lays a packet out as n segments that are as long as it comes, with gaps. */
static void lay_out(FIXTURE_DATA(offload_tx) *self, const struct nb_ip *ip,
		    struct nb_tx_segment *segments, unsigned int n)
{
	unsigned char *room = nb_guest_ptr(&self->guest, NB_MORE_GPA, ROOM);
	uint32_t at = nb_random_below(&self->random, 100), done = 0, left, len;
	unsigned int i;

	for (i = 0; i < n; i++) {
		left = ip->len - done - (n - 1 - i);
		len = left;
		if (i < n - 1 && 2 * (left / (n - i)) > 1)
			len = 1 + nb_random_below(&self->random, 2 * (left / (n - i)) - 1);
		else if (i < n - 1)
			len = 1;
		memcpy(room + at, ip->data + done, len);
		segments[i] = (struct nb_tx_segment){ .gpa = NB_MORE_GPA + at, .len = len };
		done += len;
		at += len + nb_random_below(&self->random, 5000);
	}
	segments[0].id = ++self->sent;
	segments[0].packet_len = ip->len;
	segments[0].flags = NB_TX_HEAD;
	segments[0].segment_count = n;
}

static void transmit(FIXTURE_DATA(offload_tx) *self, const struct request *request)
{
	struct nb_tx_segment segments[SEGMENTS];
	unsigned int n = request->segments ?: 1 + nb_random_below(&self->random, SEGMENTS);

	memcpy(&self->left, &self->whole, sizeof(self->whole));
	nb_ip_leave_to_backend(&self->left, request->flags, request->zero);
	lay_out(self, &self->left, segments, n);
	nb_ip_describe(&self->left, request->flags, request->size, &segments[0]);
	if (request->vlan != NB_NO_VLAN) {
		segments[0].flags |= NB_TX_VLAN;
		segments[0].vlan = request->vlan;
	}
	nb_tx_all(self->nic.queue, segments, n);
}

/* Whether the next frame behind the wire is this one. */
static bool comes(FIXTURE_DATA(offload_tx) *self, const struct nb_ip *expected, int vlan)
{
	struct nb_seen seen;

	if (!nb_ip_receive(&self->wire, &self->got, &seen, false)) {
		fprintf(stderr, "# nothing has arrived\n");
		return false;
	}
	if (seen.vlan != vlan || seen.incomplete) {
		fprintf(stderr, "# VLAN %d instead of %d, checksum %s\n", seen.vlan, vlan,
			seen.incomplete ? "missing" : "there");
		return false;
	}
	return nb_ip_same(expected, &self->got);
}

/* Sends the packet, and checks what arrives on the other side. */
static bool passes(FIXTURE_DATA(offload_tx) *self, const struct request *request)
{
	unsigned int i, n = 1;

	transmit(self, request);
	if (!(request->flags & (TSO | USO)))
		return comes(self, &self->whole, request->vlan);
	n = nb_ip_pieces(&self->whole, request->size);
	for (i = 0; i < n; i++) {
		nb_ip_piece(&self->whole, request->size, i, &self->piece);
		if (comes(self, &self->piece, request->vlan))
			continue;
		fprintf(stderr, "# piece %u of %u with up to %u bytes of payload\n", i, n,
			request->size);
		return false;
	}
	return true;
}

static int any_vlan(FIXTURE_DATA(offload_tx) *self)
{
	return nb_random_below(&self->random, 2) ? NB_NO_VLAN :
						   (int)nb_random_below(&self->random, 65536);
}

static uint32_t longest_payload(const struct nb_ip_plan *plan)
{
	uint32_t headers = plan->options + (plan->protocol == IPPROTO_TCP ?
					    20 + plan->tcp_options : 8);

	/* An IPv6 header is not part of its payload. */
	return LONGEST - headers - (plan->ipv6 ? 0 : 20) - (plan->ipv6 ? 40 : 0);
}

/* All packets of a plan, with all requests for flags that may go with others. */
static bool every_length_passes(FIXTURE_DATA(offload_tx) *self, struct nb_ip_plan *plan,
				uint16_t flags)
{
	const uint32_t lengths[] = {
		0, 1, 2, 3, 5, 17, 64, 183, 256, 257, 999, 1000, 1460, 2000, 2001, 4096,
		9001, 30000, 65000, longest_payload(plan),
	};
	struct request request = { .flags = flags };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		plan->payload = lengths[i];
		plan->seed = ++self->sent;
		nb_ip_make(&self->whole, plan);
		request.zero = i & 1;
		request.vlan = any_vlan(self);
		if (passes(self, &request))
			continue;
		fprintf(stderr, "# payload %u, flags %#x, IPv%d\n", lengths[i], flags,
			plan->ipv6 ? 6 : 4);
		return false;
	}
	return true;
}

/* ---- checksums ----------------------------------------------------------- */

TEST_F(offload_tx, nothing_asked_for_is_nothing_changed)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP };
	struct request request = { .vlan = NB_NO_VLAN };

	nb_ip_make(&self->whole, &plan);
	memset(self->whole.data + self->whole.l3 + 10, 0x77, 2);
	memset(self->whole.data + self->whole.l4 + 16, 0x77, 2);
	EXPECT_TRUE(passes(self, &request));
}

TEST_F(offload_tx, ipv4_header_checksum_is_filled_in)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_ICMP };
	unsigned int options;

	for (options = 0; options <= 40; options += 4) {
		plan.options = options;
		plan.payload = 100;
		ASSERT_TRUE(every_length_passes(self, &plan, HEADER_CHECKSUM));
	}
}

TEST_F(offload_tx, l4_checksum_over_ipv4_is_filled_in)
{
	struct nb_ip_plan plan = { 0 };
	unsigned int options;

	for (options = 0; options <= 40; options += 20) {
		plan.options = options;
		plan.protocol = IPPROTO_TCP;
		plan.tcp_options = options;
		ASSERT_TRUE(every_length_passes(self, &plan, TCP_CHECKSUM));
		ASSERT_TRUE(every_length_passes(self, &plan, TCP_CHECKSUM | HEADER_CHECKSUM));
		plan.protocol = IPPROTO_UDP;
		ASSERT_TRUE(every_length_passes(self, &plan, UDP_CHECKSUM));
		ASSERT_TRUE(every_length_passes(self, &plan, UDP_CHECKSUM | HEADER_CHECKSUM));
	}
}

TEST_F(offload_tx, l4_checksum_over_ipv6_is_filled_in)
{
	struct nb_ip_plan plan = { .ipv6 = true };
	unsigned int options;

	for (options = 0; options <= 40; options += 8) {
		plan.options = options;
		plan.protocol = IPPROTO_TCP;
		ASSERT_TRUE(every_length_passes(self, &plan, TCP_CHECKSUM));
		plan.protocol = IPPROTO_UDP;
		ASSERT_TRUE(every_length_passes(self, &plan, UDP_CHECKSUM));
	}
}

TEST_F(offload_tx, a_udp_checksum_is_never_zero)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 2 };
	struct request request = { .flags = UDP_CHECKSUM, .vlan = NB_NO_VLAN };
	unsigned char *check, *payload;

	for (plan.ipv6 = false;; plan.ipv6 = true) {
		nb_ip_make(&self->whole, &plan);
		check = self->whole.data + self->whole.l4 + 6;
		payload = self->whole.data + self->whole.payload;
		/* With what the checksum was as payload, it is 0. */
		memset(payload, 0, 2);
		nb_ip_finish(&self->whole);
		memcpy(payload, check, 2);
		nb_ip_finish(&self->whole);
		ASSERT_EQ(0, memcmp(check, "\xff\xff", 2));
		ASSERT_TRUE(passes(self, &request));
		if (plan.ipv6)
			break;
	}
}

TEST_F(offload_tx, padding_is_in_no_checksum)
{
	struct nb_ip_plan plan = { .payload = 3 };
	struct request request = { .vlan = NB_NO_VLAN };
	unsigned int kind;

	for (kind = 0; kind < 4; kind++) {
		plan.ipv6 = kind & 1;
		plan.protocol = kind & 2 ? IPPROTO_TCP : IPPROTO_UDP;
		request.flags = kind & 2 ? TCP_CHECKSUM : UDP_CHECKSUM;
		for (plan.padding = 1; plan.padding < 40; plan.padding += 5) {
			nb_ip_make(&self->whole, &plan);
			ASSERT_TRUE(passes(self, &request));
		}
	}
}

/* ---- segmentation -------------------------------------------------------- */

static bool every_size_passes(FIXTURE_DATA(offload_tx) *self, struct nb_ip_plan *plan,
			      uint16_t flags)
{
	static const uint32_t lengths[] = { 1, 2, 100, 1448, 1449, 2896, 5000, 20000, 0 };
	static const uint16_t sizes[] = { 1448, 536, 1449, 9000, 0 };
	struct request request = { .flags = flags };
	unsigned int i, j;

	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		for (j = 0; j < ARRAY_LEN(sizes); j++) {
			plan->payload = lengths[i] ?: longest_payload(plan);
			plan->seed = ++self->sent;
			plan->id = nb_random_below(&self->random, 65536);
			plan->sequence = nb_random_below(&self->random, UINT32_MAX);
			nb_ip_make(&self->whole, plan);
			request.size = sizes[j] ?: plan->payload - plan->payload / 3;
			if (request.size > self->whole.len)
				continue;
			request.zero = j & 1;
			request.vlan = any_vlan(self);
			if (passes(self, &request))
				continue;
			fprintf(stderr, "# payload %u in %u, flags %#x, IPv%d\n", plan->payload,
				request.size, flags, plan->ipv6 ? 6 : 4);
			return false;
		}
	}
	return true;
}

TEST_F(offload_tx, tcp_is_cut_over_ipv4)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .tcp_flags = FIN_PSH_ACK };

	ASSERT_TRUE(every_size_passes(self, &plan, TSO));
	plan.tcp_options = 12;
	ASSERT_TRUE(every_size_passes(self, &plan, TSO | TCP_CHECKSUM | HEADER_CHECKSUM));
	plan.options = 24;
	plan.tcp_options = 40;
	plan.tcp_flags = CWR_FIN_PSH_ACK;
	ASSERT_TRUE(every_size_passes(self, &plan, TSO | HEADER_CHECKSUM));
}

TEST_F(offload_tx, tcp_is_cut_over_ipv6)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .tcp_flags = CWR_ACK, .ipv6 = true };

	ASSERT_TRUE(every_size_passes(self, &plan, TSO));
	plan.tcp_options = 12;
	plan.options = 8;
	ASSERT_TRUE(every_size_passes(self, &plan, TSO | TCP_CHECKSUM));
	plan.options = 32;
	ASSERT_TRUE(every_size_passes(self, &plan, TSO));
}

TEST_F(offload_tx, udp_is_cut_over_ipv4)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP };

	ASSERT_TRUE(every_size_passes(self, &plan, USO));
	plan.options = 12;
	ASSERT_TRUE(every_size_passes(self, &plan, USO | UDP_CHECKSUM | HEADER_CHECKSUM));
}

TEST_F(offload_tx, udp_is_cut_over_ipv6)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .ipv6 = true };

	ASSERT_TRUE(every_size_passes(self, &plan, USO));
	plan.options = 24;
	ASSERT_TRUE(every_size_passes(self, &plan, USO | UDP_CHECKSUM));
}

TEST_F(offload_tx, the_last_station_of_a_route_is_in_the_checksum)
{
	struct nb_ip_plan plan = { .ipv6 = true, .payload = 5000 };
	struct request request = { .vlan = NB_NO_VLAN, .size = 1000 };
	unsigned int kind;

	for (kind = 0; kind < 8; kind++) {
		plan.route = kind & 1 ? 2 : 4;
		plan.options = kind & 2 ? 8 : 0;
		plan.protocol = kind & 4 ? IPPROTO_TCP : IPPROTO_UDP;
		nb_ip_make(&self->whole, &plan);
		request.flags = kind & 4 ? TCP_CHECKSUM : UDP_CHECKSUM;
		ASSERT_TRUE(passes(self, &request));
		request.flags = kind & 4 ? TSO : USO;
		ASSERT_TRUE(passes(self, &request));
	}
}

TEST_F(offload_tx, a_checksum_is_filled_in_behind_headers_that_forbid_to_cut)
{
	static const uint8_t types[] = { IPPROTO_AH, IPPROTO_FRAGMENT };
	struct nb_ip_plan plan = { .ipv6 = true, .payload = 999, .options = 8 };
	struct request request = { .vlan = NB_NO_VLAN };
	unsigned int kind;

	for (kind = 0; kind < 4; kind++) {
		plan.protocol = kind & 1 ? IPPROTO_TCP : IPPROTO_UDP;
		request.flags = kind & 1 ? TCP_CHECKSUM : UDP_CHECKSUM;
		nb_ip_make(&self->whole, &plan);
		self->whole.data[self->whole.l3 + 6] = types[kind / 2];
		memset(self->whole.data + self->whole.l3 + 41, 0, 7);
		ASSERT_TRUE(passes(self, &request));
	}
}

TEST_F(offload_tx, as_many_tags_as_the_stack_looks_behind)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 4000 };
	struct request request = { .flags = TSO, .size = 1000, .vlan = 7 };

	for (plan.tags = 1; plan.tags <= 6; plan.tags++) {
		nb_ip_make(&self->whole, &plan);
		ASSERT_TRUE(passes(self, &request));
	}
}

TEST_F(offload_tx, a_byte_for_each_packet_is_possible)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 300 };
	struct request request = { .flags = TSO, .size = 1, .vlan = NB_NO_VLAN };

	nb_ip_make(&self->whole, &plan);
	ASSERT_TRUE(passes(self, &request));
}

/* ---- VLAN ---------------------------------------------------------------- */

TEST_F(offload_tx, a_vlan_tag_has_priority_dei_and_id)
{
	static const uint16_t tags[] = { 0, 1, 0x0fff, 0x1001, 0x2002, 0xe003, 0xf004, 0xffff };
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 10 };
	struct request request = { .flags = UDP_CHECKSUM };
	unsigned int i;

	nb_ip_make(&self->whole, &plan);
	for (i = 0; i < ARRAY_LEN(tags); i++) {
		request.vlan = tags[i];
		ASSERT_TRUE(passes(self, &request));
	}
}

TEST_F(offload_tx, a_tag_in_the_packet_is_a_part_of_its_l2_header)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .tags = 1, .payload = 4000 };
	struct request request = { .flags = TSO, .size = 1000, .vlan = NB_NO_VLAN };
	unsigned int i;

	/* The host takes the tag out of the packet. */
	nb_ip_make(&self->whole, &plan);
	transmit(self, &request);
	plan.tags = 0;
	nb_ip_make(&self->whole, &plan);
	for (i = 0; i < 4; i++) {
		nb_ip_piece(&self->whole, 1000, i, &self->piece);
		ASSERT_TRUE(comes(self, &self->piece, 100));
	}
}

TEST_F(offload_tx, a_tag_goes_in_front_of_one_in_the_packet)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .tags = 1, .payload = 4000 };
	struct request request = { .flags = TSO, .size = 1000, .vlan = 7 };

	nb_ip_make(&self->whole, &plan);
	EXPECT_TRUE(passes(self, &request));
	request.flags = TCP_CHECKSUM;
	EXPECT_TRUE(passes(self, &request));
}

/* ---- on the way through the host ----------------------------------------- */

TEST_F(offload_tx, a_super_packet_stays_one_in_the_host)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 60000 };
	struct request request = { .flags = TSO, .size = 1448, .vlan = 5, .zero = true };
	struct nb_seen seen = { 0 };

	nb_ip_want_vnet(&self->nic.host);
	for (plan.ipv6 = false;; plan.ipv6 = true) {
		nb_ip_make(&self->whole, &plan);
		transmit(self, &request);
		ASSERT_TRUE(nb_ip_receive(&self->nic.host, &self->got, &seen, true));
		EXPECT_EQ(self->whole.len, self->got.len);
		EXPECT_EQ(plan.ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
			  seen.vnet.gso_type);
		EXPECT_EQ(1448, seen.vnet.gso_size);
		EXPECT_EQ(5, seen.vlan);
		ASSERT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, seen.vnet.flags);
		EXPECT_EQ(self->whole.l4, seen.vnet.csum_start);
		EXPECT_EQ(16, seen.vnet.csum_offset);
		/* The lengths are there; with them, so is the rest. */
		ASSERT_TRUE(nb_ip_parse(&self->got));
		nb_ip_finish(&self->got);
		EXPECT_TRUE(nb_ip_same(&self->whole, &self->got));
		if (plan.ipv6)
			break;
	}
}

TEST_F(offload_tx, a_udp_super_packet_stays_one_in_the_host)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 60000 };
	struct request request = { .flags = USO, .size = 1448, .vlan = NB_NO_VLAN };
	struct nb_seen seen;

	nb_ip_make(&self->whole, &plan);
	transmit(self, &request);
	ASSERT_TRUE(nb_ip_receive(&self->nic.host, &self->got, &seen, false));
	EXPECT_TRUE(seen.incomplete);
	ASSERT_TRUE(nb_ip_parse(&self->got));
	nb_ip_finish(&self->got);
	EXPECT_TRUE(nb_ip_same(&self->whole, &self->got));
}

TEST_F(offload_tx, a_packet_of_one_segment_is_no_super_packet)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 1000 };
	struct request request = { .flags = TSO, .size = 1000, .vlan = NB_NO_VLAN };
	struct nb_seen seen;

	nb_ip_want_vnet(&self->nic.host);
	nb_ip_make(&self->whole, &plan);
	transmit(self, &request);
	ASSERT_TRUE(nb_ip_receive(&self->nic.host, &self->got, &seen, true));
	EXPECT_EQ(VIRTIO_NET_HDR_GSO_NONE, seen.vnet.gso_type);
	EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, seen.vnet.flags);
}

TEST_F(offload_tx, super_packets_are_counted_as_the_guest_sent_them)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 10000 };
	struct request request = { .flags = TSO, .size = 1000, .vlan = 3 };
	struct nb_queue_stats stats;

	nb_ip_make(&self->whole, &plan);
	ASSERT_TRUE(passes(self, &request));
	ASSERT_EQ(0, nb_queue_stats(self->nic.queue, &stats));
	EXPECT_EQ(1, stats.tx_packets);
	EXPECT_EQ(self->whole.len, stats.tx_bytes);
	EXPECT_EQ(1, stats.tx_vlan_packets);
	EXPECT_EQ(0, stats.tx_errors);
}

TEST_HARNESS_MAIN
