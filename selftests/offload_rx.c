// SPDX-License-Identifier: GPL-2.0
/*
 * What the host sends comes as the frontend takes it: complete, with a checksum to be
 * completed, or as super-packets; and is described.
 */
#include <net/if.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbip.h"
#include "nbxdp.h"

#define CHECKSUM	NB_QUEUE_RX_CHECKSUM
#define TCP_SUPER	(NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_TCP_SEGMENTATION)
#define UDP_SUPER	(NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_UDP_SEGMENTATION)
#define EVERYTHING	(TCP_SUPER | UDP_SUPER)

FIXTURE(offload_rx)
{
	struct nb_taker taker;
	struct nb_ip sent, piece;
};

FIXTURE_SETUP(offload_rx)
{
	nb_taker_open(&self->taker);
}

FIXTURE_TEARDOWN(offload_rx)
{
	nb_taker_close(&self->taker);
}

static bool describes(const struct nb_rx_metadata *meta, const struct nb_ip *ip)
{
	uint8_t l4 = ip->protocol == IPPROTO_TCP ? NB_L4_TCP :
		     ip->protocol == IPPROTO_UDP ? NB_L4_UDP : NB_L4_UNKNOWN;

	if (meta->l3_protocol == (ip->ipv6 ? NB_L3_IPV6 : NB_L3_IPV4) &&
	    meta->l4_protocol == l4 &&
	    meta->ip_checksum == (ip->ipv6 ? NB_CHECKSUM_UNKNOWN : NB_CHECKSUM_GOOD))
		return true;
	fprintf(stderr, "# l3 %u, l4 %u, IP checksum %u\n", meta->l3_protocol,
		meta->l4_protocol, meta->ip_checksum);
	return false;
}

/* Whether the packet arrives, complete or, as asked, with its checksum to be completed. */
static bool arrives(FIXTURE_DATA(offload_rx) *self, const struct nb_ip *expected,
		    bool needs_checksum)
{
	const struct nb_rx_metadata *meta = &self->taker.meta;

	if (!nb_taker_receive(&self->taker))
		return false;
	if (needs_checksum != !!(meta->flags & NB_RX_NEEDS_CHECKSUM) ||
	    meta->l4_checksum != (needs_checksum ? NB_CHECKSUM_VALIDATED_BUT_WRONG :
						   NB_CHECKSUM_UNKNOWN)) {
		fprintf(stderr, "# flags %#x, L4 checksum %u\n", meta->flags,
			meta->l4_checksum);
		return false;
	}
	if (needs_checksum && meta->checksum_start != expected->l4) {
		fprintf(stderr, "# checksum_start %u instead of %u\n", meta->checksum_start,
			expected->l4);
		return false;
	}
	nb_taker_complete(&self->taker);
	return nb_ip_same(expected, &self->taker.got) && describes(meta, expected);
}

static bool checksums_arrive(FIXTURE_DATA(offload_rx) *self, bool needs_checksum)
{
	static const uint32_t lengths[] = { 0, 1, 2, 99, 1000, 1001, 1400 };
	unsigned int i, kind;

	for (kind = 0; kind < 8; kind++) {
		for (i = 0; i < ARRAY_LEN(lengths); i++) {
			struct nb_ip_plan plan = {
				.ipv6 = kind & 1,
				.protocol = kind & 2 ? IPPROTO_TCP : IPPROTO_UDP,
				.options = kind & 4 ? 16 : 0,
				.payload = lengths[i],
				.seed = 100 * kind + i,
			};

			nb_ip_make(&self->sent, &plan);
			nb_taker_send(&self->taker, &self->sent, 0);
			if (!arrives(self, &self->sent, needs_checksum)) {
				fprintf(stderr, "# kind %u, payload %u\n", kind, lengths[i]);
				return false;
			}
			if (self->taker.meta.segment_size)
				return false;
		}
	}
	return true;
}

static const struct nb_ip_plan super4 = {
	.protocol = IPPROTO_TCP, .payload = 20000, .tcp_flags = 0x19, .tcp_options = 12,
};

static const struct nb_ip_plan super6 = {
	.protocol = IPPROTO_TCP, .payload = 20001, .tcp_flags = 0x19, .ipv6 = true,
};

static bool super_packet_is_cut(FIXTURE_DATA(offload_rx) *self, const struct nb_ip_plan *plan,
				bool needs_checksum)
{
	unsigned int i, n;

	nb_ip_make(&self->sent, plan);
	nb_taker_send(&self->taker, &self->sent, 1428);
	n = nb_ip_pieces(&self->sent, 1428);
	for (i = 0; i < n; i++) {
		nb_ip_piece(&self->sent, 1428, i, &self->piece);
		if (!arrives(self, &self->piece, needs_checksum) || self->taker.meta.segment_size)
			return false;
	}
	return true;
}

/* ---- what the frontend takes --------------------------------------------- */

TEST_F(offload_rx, without_flags_checksums_are_complete)
{
	nb_taker_start(&self->taker, 0);
	EXPECT_TRUE(checksums_arrive(self, false));
}

TEST_F(offload_rx, without_flags_super_packets_are_cut)
{
	nb_taker_start(&self->taker, 0);
	EXPECT_TRUE(super_packet_is_cut(self, &super4, false));
	EXPECT_TRUE(super_packet_is_cut(self, &super6, false));
}

TEST_F(offload_rx, with_checksum_they_are_to_be_completed)
{
	nb_taker_start(&self->taker, CHECKSUM);
	EXPECT_TRUE(checksums_arrive(self, true));
}

TEST_F(offload_rx, with_checksum_super_packets_are_cut)
{
	nb_taker_start(&self->taker, CHECKSUM);
	EXPECT_TRUE(super_packet_is_cut(self, &super4, true));
	EXPECT_TRUE(super_packet_is_cut(self, &super6, true));
}

TEST_F(offload_rx, with_segmentation_super_packets_stay_whole)
{
	const struct nb_ip_plan *plans[] = { &super4, &super6 };
	unsigned int i;

	nb_taker_start(&self->taker, TCP_SUPER);
	for (i = 0; i < ARRAY_LEN(plans); i++) {
		struct nb_ip_plan plan = *plans[i];

		for (plan.payload = 2000; plan.payload < 65000; plan.payload += 9001) {
			nb_ip_make(&self->sent, &plan);
			nb_taker_send(&self->taker, &self->sent, 1428);
			ASSERT_TRUE(arrives(self, &self->sent, true));
			EXPECT_EQ(1428, self->taker.meta.segment_size);
		}
	}
	EXPECT_TRUE(checksums_arrive(self, true));
}

TEST_F(offload_rx, flags_that_make_no_sense_are_refused)
{
	const uint32_t alone[] = { NB_QUEUE_RX_TCP_SEGMENTATION, NB_QUEUE_RX_UDP_SEGMENTATION,
				   1 << 30, 1u << 31 };
	const uint32_t different[] = { CHECKSUM, CHECKSUM, TCP_SUPER };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(alone); i++) {
		EXPECT_EQ(-EINVAL, nb_taker_get_queues(&self->taker, &alone[i], 1));
		EXPECT_LT(10, strlen(nb_error()));
	}
	EXPECT_EQ(-EINVAL, nb_taker_get_queues(&self->taker, different, 3));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(0, nb_taker_get_queues(&self->taker, different, 2));
}

static bool features_are(FIXTURE_DATA(offload_rx) *self, bool checksum, bool tcp, bool udp)
{
	const char *name = self->taker.nic.host.name;

	return nb_link_has_feature(name, "tx-checksum-ip-generic") == checksum &&
	       nb_link_has_feature(name, "tx-tcp-segmentation") == tcp &&
	       nb_link_has_feature(name, "tx-tcp6-segmentation") == tcp &&
	       nb_link_has_feature(name, "tx-udp-segmentation") == udp;
}

TEST_F(offload_rx, features_follow_the_frontend)
{
	static const uint32_t wishes[] = { 0, EVERYTHING, CHECKSUM, UDP_SUPER, 0, TCP_SUPER };
	struct nb_endpoint_info info;
	unsigned int i;
	int ifindex;

	ASSERT_EQ(0, nb_endpoint_get_info(self->taker.nic.ep, &info));
	ifindex = info.ifindex;
	for (i = 0; i < ARRAY_LEN(wishes); i++) {
		nb_taker_start(&self->taker, wishes[i]);
		EXPECT_EQ(ifindex, self->taker.nic.host.ifindex);
		ASSERT_TRUE(features_are(self, wishes[i] & CHECKSUM,
					 wishes[i] & NB_QUEUE_RX_TCP_SEGMENTATION,
					 wishes[i] & NB_QUEUE_RX_UDP_SEGMENTATION));
		ASSERT_TRUE(checksums_arrive(self, wishes[i] & CHECKSUM));
		nb_taker_stop(&self->taker);
	}
}

TEST_F(offload_rx, an_operator_can_turn_features_off)
{
	nb_taker_start(&self->taker, EVERYTHING);
	nb_link_clear_feature(self->taker.nic.host.name, "tx-tcp-segmentation");
	EXPECT_TRUE(super_packet_is_cut(self, &super4, true));
	nb_link_clear_feature(self->taker.nic.host.name, "tx-checksum-ip-generic");
	EXPECT_TRUE(features_are(self, false, false, false));
	EXPECT_TRUE(checksums_arrive(self, false));
}

/* ---- what was not made ready for this frontend --------------------------- */

/*
 * An skb may come to a frontend that takes less than the one it was made ready for: the
 * qdisc had it back for want of a buffer meanwhile.  The same way comes, at any time, what
 * an XDP program on skbs redirects: the stack asks for no features on its behalf.
 */
static void open_back_door(FIXTURE_DATA(offload_rx) *self, struct nb_host *far)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 1), near;

	nb_host_run("ip link add near mtu 65535 type veth peer name far mtu 65535");
	/* The second gets its carrier when it comes up, and sends at once. */
	nb_host_run("ip link set near up");
	nb_host_run("ip link set far up");
	near = if_nametoindex("near");
	nb_host_open_socket(far, if_nametoindex("far"));
	nb_ip_want_vnet(far);
	if (nb_xdp_set_mtu(self->taker.nic.host.name, NB_XDP_MTU))
		nb_die("the interface does not take an MTU of %u", NB_XDP_MTU);
	nb_bpf_map_set(map, 0, self->taker.nic.host.ifindex);
	nb_bpf_attach_generic(near, nb_xdp_redirects(map));
}

static void send_by_back_door(FIXTURE_DATA(offload_rx) *self, struct nb_host *far,
			      const struct nb_ip_plan *plan, uint16_t size)
{
	nb_ip_make(&self->sent, plan);
	memcpy(&self->piece, &self->sent, sizeof(self->sent));
	nb_ip_leave_to_stack(&self->piece);
	nb_ip_send(far, &self->piece, true, size);
}

TEST_F(offload_rx, what_was_made_ready_for_another_comes_as_taken_or_not_at_all)
{
	static const uint32_t wishes[] = { 0, CHECKSUM, UDP_SUPER, TCP_SUPER };
	struct nb_ip_plan plan = { .payload = 1001 };
	const char *name = self->taker.nic.host.name;
	struct nb_host far;
	unsigned int i, kind;

	for (i = 0; i < ARRAY_LEN(wishes); i++) {
		bool whole = wishes[i] & NB_QUEUE_RX_TCP_SEGMENTATION;
		unsigned long before;

		nb_taker_start(&self->taker, wishes[i]);
		open_back_door(self, &far);
		for (kind = 0; kind < 4; kind++) {
			plan.ipv6 = kind & 1;
			plan.protocol = kind & 2 ? IPPROTO_TCP : IPPROTO_UDP;
			send_by_back_door(self, &far, &plan, 0);
			ASSERT_TRUE(arrives(self, &self->sent, wishes[i] & CHECKSUM));
		}
		before = nb_link_get_drops(name).tx;
		for (kind = 0; kind < 2; kind++) {
			send_by_back_door(self, &far, kind ? &super6 : &super4, 1428);
			if (!whole)
				continue;
			ASSERT_TRUE(arrives(self, &self->sent, true));
			EXPECT_EQ(1428, self->taker.meta.segment_size);
		}
		EXPECT_TRUE(nb_until(nb_link_get_drops(name).tx == before + (whole ? 0 : 2)));
		nb_host_close(&far);
		nb_host_run("ip link del near");
		nb_taker_stop(&self->taker);
	}
}

/* ---- metadata ------------------------------------------------------------ */

TEST_F(offload_rx, a_bad_ipv4_header_checksum_is_told)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 100 };

	nb_taker_start(&self->taker, 0);
	nb_ip_make(&self->sent, &plan);
	nb_ip_send(&self->taker.nic.host, &self->sent, false, 0);
	ASSERT_TRUE(nb_taker_receive(&self->taker));
	EXPECT_EQ(NB_CHECKSUM_GOOD, self->taker.meta.ip_checksum);
	self->sent.data[self->sent.l3 + 10] ^= 1;
	nb_ip_send(&self->taker.nic.host, &self->sent, false, 0);
	ASSERT_TRUE(nb_taker_receive(&self->taker));
	EXPECT_EQ(NB_CHECKSUM_BAD, self->taker.meta.ip_checksum);
	EXPECT_EQ(NB_L3_IPV4, self->taker.meta.l3_protocol);
	EXPECT_TRUE(nb_ip_same(&self->sent, &self->taker.got));
}

TEST_F(offload_rx, protocols_that_are_not_known_are_not_told)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_ICMP, .payload = 100 };

	nb_taker_start(&self->taker, 0);
	nb_ip_make(&self->sent, &plan);
	nb_ip_send(&self->taker.nic.host, &self->sent, false, 0);
	ASSERT_TRUE(arrives(self, &self->sent, false));
	/* A fragment has no ports. */
	plan.protocol = IPPROTO_UDP;
	nb_ip_make(&self->sent, &plan);
	self->sent.data[self->sent.l3 + 7] = 100;
	nb_ip_finish(&self->sent);
	nb_ip_send(&self->taker.nic.host, &self->sent, false, 0);
	ASSERT_TRUE(nb_taker_receive(&self->taker));
	EXPECT_EQ(NB_L3_IPV4, self->taker.meta.l3_protocol);
	EXPECT_EQ(NB_L4_UNKNOWN, self->taker.meta.l4_protocol);
	/* What says that it is IPv6, and is not. */
	memcpy(self->sent.data + 12, "\x86\xdd", 2);
	nb_ip_send(&self->taker.nic.host, &self->sent, false, 0);
	ASSERT_TRUE(nb_taker_receive(&self->taker));
	EXPECT_EQ(NB_L3_UNKNOWN, self->taker.meta.l3_protocol);
	EXPECT_EQ(NB_L4_UNKNOWN, self->taker.meta.l4_protocol);
	/* ARP. */
	memcpy(self->sent.data + 12, "\x08\x06", 2);
	nb_ip_send(&self->taker.nic.host, &self->sent, false, 0);
	ASSERT_TRUE(nb_taker_receive(&self->taker));
	EXPECT_EQ(NB_L3_UNKNOWN, self->taker.meta.l3_protocol);
	EXPECT_EQ(NB_L4_UNKNOWN, self->taker.meta.l4_protocol);
	EXPECT_EQ(NB_CHECKSUM_UNKNOWN, self->taker.meta.ip_checksum);
}

TEST_F(offload_rx, a_vlan_tag_leaves_the_packet_and_super_packets_stay_whole)
{
	struct nb_host vlan;
	struct nb_ip *left = &self->piece;

	nb_taker_start(&self->taker, TCP_SUPER);
	nb_link_add_vlan(self->taker.nic.host.ifindex, "tagged", 0x123);
	nb_host_open(&vlan, if_nametoindex("tagged"));
	nb_ip_want_vnet(&vlan);
	nb_ip_make(&self->sent, &super4);
	memcpy(left, &self->sent, sizeof(self->sent));
	nb_ip_leave_to_stack(left);
	nb_ip_send(&vlan, left, true, 1428);
	ASSERT_TRUE(arrives(self, &self->sent, true));
	EXPECT_EQ(NB_RX_VLAN, self->taker.meta.flags & NB_RX_VLAN);
	EXPECT_EQ(0x123, self->taker.meta.vlan);
	EXPECT_EQ(1428, self->taker.meta.segment_size);
	nb_host_close(&vlan);
}

TEST_HARNESS_MAIN
