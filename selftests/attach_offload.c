// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach: checksums and super-packets, both ways, and what the frontend is told of
 * the interface's features.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbip.h"

#define CHECKSUM	NB_QUEUE_RX_CHECKSUM
#define TCP_SUPER	(NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_TCP_SEGMENTATION)
#define TSO		NB_TX_OFFLOAD_TCP_SEGMENTATION
#define USO		NB_TX_OFFLOAD_UDP_SEGMENTATION
#define SIZE		1428

FIXTURE(offload)
{
	struct nb_taker taker;
	struct nb_ip sent, piece;
};

FIXTURE_SETUP(offload)
{
	nb_taker_open_kind(&self->taker, &nb_test_attach);
}

FIXTURE_TEARDOWN(offload)
{
	nb_taker_close(&self->taker);
}

static const struct nb_ip_plan supers[] = {
	{ .protocol = IPPROTO_TCP, .payload = 20000, .tcp_flags = 0x10, .tcp_options = 12 },
	{ .protocol = IPPROTO_TCP, .payload = 20001, .tcp_flags = 0x10, .ipv6 = true },
};

/* ---- to the guest -------------------------------------------------------- */

/* Whether the packet arrives, with this segment size, its checksum missing or not. */
static bool arrives(FIXTURE_DATA(offload) *self, const struct nb_ip *expected, uint16_t size,
		    bool needs_checksum)
{
	const struct nb_rx_metadata *meta = &self->taker.meta;

	if (!nb_taker_receive(&self->taker))
		return false;
	if (meta->segment_size != size ||
	    !(meta->flags & NB_RX_NEEDS_CHECKSUM) == needs_checksum) {
		fprintf(stderr, "# segment size %u, flags %#x, %u bytes\n", meta->segment_size,
			meta->flags, meta->len);
		return false;
	}
	nb_taker_complete(&self->taker);
	return nb_ip_same(expected, &self->taker.got);
}

static bool arrives_cut(FIXTURE_DATA(offload) *self, bool needs_checksum)
{
	unsigned int i;

	for (i = 0; i < nb_ip_pieces(&self->sent, SIZE); i++) {
		nb_ip_piece(&self->sent, SIZE, i, &self->piece);
		if (!arrives(self, &self->piece, 0, needs_checksum))
			return false;
	}
	return true;
}

TEST_F(offload, a_checksum_is_completed_unless_the_frontend_does_that)
{
	struct nb_ip_plan plan = { .payload = 777 };
	unsigned int i, needs;

	for (needs = 0; needs < 2; needs++) {
		nb_taker_start(&self->taker, needs ? CHECKSUM : 0);
		for (i = 0; i < 4; i++) {
			plan.ipv6 = i & 1;
			plan.protocol = i & 2 ? IPPROTO_TCP : IPPROTO_UDP;
			nb_ip_make(&self->sent, &plan);
			nb_taker_send(&self->taker, &self->sent, 0);
			ASSERT_TRUE(arrives(self, &self->sent, 0, needs));
			EXPECT_EQ(needs ? NB_CHECKSUM_VALIDATED_BUT_WRONG : NB_CHECKSUM_UNKNOWN,
				  self->taker.meta.l4_checksum);
			EXPECT_EQ(plan.ipv6 ? NB_L3_IPV6 : NB_L3_IPV4,
				  self->taker.meta.l3_protocol);
		}
		nb_nic_stop(&self->taker.nic);
	}
}

/* ---- a sum of all bytes -------------------------------------------------- */

#define VXLAN_PORT	4789
#define VXLAN_LEN	8u

/* The endpoint takes the end of a tunnel instead, over the interface that it had. */
static void take_tunnel(FIXTURE_DATA(offload) *self)
{
	struct nb_attach_params attach = { .flags = NB_ATTACH_PROMISCUOUS, .ifname = "vx0" };
	struct nb_endpoint_params params = {
		.kind = "attach", .netns_fd = -1,
		.kind_params = &attach, .kind_params_size = sizeof(attach),
	};
	struct nb_nic *nic = &self->taker.nic;
	char line[256];

	nb_endpoint_close(nic->ep);
	snprintf(line, sizeof(line), "ip addr add 192.0.2.1/24 dev %s", nic->pair.lower);
	nb_host_run(line);
	snprintf(line, sizeof(line), "ip link add vx0 type vxlan id 1 dstport %u local 192.0.2.1 "
		 "dev %s nolearning", VXLAN_PORT, nic->pair.lower);
	nb_host_run(line);
	nb_host_run("ip link set vx0 up");
	nb_ok(nb_endpoint_create(self->taker.guest.nb, &params, &nic->ep));
}

/* Sends a packet through a tunnel: what has the outer packet's checksum has a sum, too. */
static void send_in_tunnel(FIXTURE_DATA(offload) *self, struct nb_host *far,
			   const uint8_t *mac, const struct nb_ip *inner)
{
	static const uint8_t here[] = { 192, 0, 2, 1 }, there[] = { 192, 0, 2, 2 };
	struct nb_ip_plan plan = {
		.protocol = IPPROTO_UDP, .payload = VXLAN_LEN + inner->len, .port = VXLAN_PORT,
		.source = there, .destination = here,
	};
	unsigned char *payload;

	nb_ip_make(&self->piece, &plan);
	memcpy(self->piece.data, mac, 6);
	payload = self->piece.data + self->piece.payload;
	memset(payload, 0, VXLAN_LEN);
	payload[0] = 0x08;	/* there is a VNI */
	payload[6] = 1;
	memcpy(payload + VXLAN_LEN, inner->data, inner->len);
	nb_ip_finish(&self->piece);
	nb_host_send(far, self->piece.data, self->piece.len);
}

TEST_F(offload, a_sum_of_all_bytes_tells_that_the_checksum_is_right)
{
	struct nb_ip_plan plan = { .payload = 333 };
	uint8_t mac[6], expected = NB_CHECKSUM_GOOD;
	struct nb_host far;
	unsigned int i;

	take_tunnel(self);
	nb_link_get_mac(self->taker.nic.pair.lower, mac);
	nb_taker_start(&self->taker, 0);
	nb_host_open_socket(&far, self->taker.nic.pair.far_index);
	for (i = 0; i < 8; i++) {
		plan.ipv6 = i & 1;
		plan.protocol = i & 2 ? IPPROTO_TCP : IPPROTO_UDP;
		nb_ip_make(&self->sent, &plan);
		if (i & 4) {
			/* One that is wrong is the guest's to find. */
			self->sent.data[self->sent.end - 1] ^= 1;
			expected = NB_CHECKSUM_UNKNOWN;
		}
		send_in_tunnel(self, &far, mac, &self->sent);
		ASSERT_TRUE(nb_taker_receive(&self->taker));
		EXPECT_TRUE(nb_ip_same(&self->sent, &self->taker.got));
		EXPECT_EQ(expected, self->taker.meta.l4_checksum);
	}
	nb_host_close(&far);
}

/* Such a sum is of more than the packet, or of a part of it. */
TEST_F(offload, a_sum_tells_nothing_of_what_is_padded_or_a_fragment)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 333 };
	struct nb_host far;
	unsigned int i;
	uint8_t mac[6];

	take_tunnel(self);
	nb_link_get_mac(self->taker.nic.pair.lower, mac);
	nb_taker_start(&self->taker, 0);
	nb_host_open_socket(&far, self->taker.nic.pair.far_index);
	for (i = 0; i < 3; i++) {
		plan.ipv6 = i == 2;
		plan.padding = i == 1 ? 0 : 4;
		nb_ip_make(&self->sent, &plan);
		if (i == 1) {
			/* More fragments. */
			self->sent.data[self->sent.l3 + 6] = 0x20;
			nb_ip_finish(&self->sent);
		}
		send_in_tunnel(self, &far, mac, &self->sent);
		ASSERT_TRUE(nb_taker_receive(&self->taker));
		EXPECT_TRUE(nb_ip_same(&self->sent, &self->taker.got));
		EXPECT_EQ(NB_CHECKSUM_UNKNOWN, self->taker.meta.l4_checksum);
	}
	nb_host_close(&far);
}

TEST_F(offload, super_packets_are_cut_unless_the_frontend_takes_them)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(supers); i++) {
		nb_ip_make(&self->sent, &supers[i]);
		nb_taker_start(&self->taker, 0);
		nb_taker_send(&self->taker, &self->sent, SIZE);
		ASSERT_TRUE(arrives_cut(self, false));
		nb_nic_stop(&self->taker.nic);

		nb_taker_start(&self->taker, CHECKSUM);
		nb_taker_send(&self->taker, &self->sent, SIZE);
		ASSERT_TRUE(arrives_cut(self, true));
		nb_nic_stop(&self->taker.nic);

		nb_taker_start(&self->taker, TCP_SUPER);
		nb_taker_send(&self->taker, &self->sent, SIZE);
		ASSERT_TRUE(arrives(self, &self->sent, SIZE, true));
		nb_nic_stop(&self->taker.nic);
	}
}

/*
 * The interface puts packets together, as it does for every receiver.  It would do that
 * only within one poll, and each packet has one of its own: the limit of time is for that.
 */
static void let_interface_merge(FIXTURE_DATA(offload) *self)
{
	char line[300];

	/* A sender that cuts super-packets itself: else there would be nothing to merge. */
	snprintf(line, sizeof(line),
		 "ethtool -K %s tso off && ethtool -K %s gro on && unshare -m sh -c "
		 "'mount -t sysfs sysfs /sys && cd /sys/class/net/%s && "
		 "echo 1000 > napi_defer_hard_irqs && echo 200000000 > gro_flush_timeout'",
		 self->taker.nic.pair.far, self->taker.nic.pair.lower,
		 self->taker.nic.pair.lower);
	nb_host_run(line);
}

static void send_pieces(FIXTURE_DATA(offload) *self)
{
	unsigned int i;

	for (i = 0; i < nb_ip_pieces(&self->sent, SIZE); i++) {
		nb_ip_piece(&self->sent, SIZE, i, &self->piece);
		nb_ip_send(&self->taker.nic.host, &self->piece, false, 0);
	}
}

TEST_F(offload, packets_that_were_merged_arrive_whole)
{
	struct nb_ip_plan plan = supers[0];
	unsigned int merged = 0, tries;

	nb_taker_start(&self->taker, TCP_SUPER);
	let_interface_merge(self);
	/* Whether all are merged in time is not ours; that none is lost is. */
	for (tries = 0; tries < 50 && !merged; tries++) {
		uint32_t have = 0;

		plan.sequence = tries << 16;
		nb_ip_make(&self->sent, &plan);
		send_pieces(self);
		while (have < plan.payload) {
			struct nb_ip *got = &self->taker.got;

			ASSERT_TRUE(nb_taker_receive(&self->taker));
			merged += self->taker.meta.segment_size == SIZE;
			nb_taker_complete(&self->taker);
			ASSERT_TRUE(nb_ip_parse(got));
			ASSERT_TRUE(nb_ip_is_right(got));
			ASSERT_EQ(0, memcmp(self->sent.data + self->sent.payload + have,
					    got->data + got->payload, got->end - got->payload));
			have += got->end - got->payload;
		}
		ASSERT_EQ(plan.payload, have);
	}
	EXPECT_LT(0, merged);
}

TEST_F(offload, packets_that_were_merged_are_cut_again)
{
	unsigned int i;

	nb_taker_start(&self->taker, 0);
	let_interface_merge(self);
	for (i = 0; i < ARRAY_LEN(supers); i++) {
		nb_ip_make(&self->sent, &supers[i]);
		send_pieces(self);
		ASSERT_TRUE(arrives_cut(self, false));
	}
}

/* ---- from the guest ------------------------------------------------------ */

static struct nb_tx_segment super_segment(FIXTURE_DATA(offload) *self,
					  const struct nb_ip_plan *plan)
{
	uint16_t flags = (plan->protocol == IPPROTO_UDP ? USO : TSO) |
			 (plan->ipv6 ? NB_TX_IS_IPV6 : NB_TX_IS_IPV4);
	struct nb_tx_segment segment;

	nb_ip_make(&self->sent, plan);
	self->piece = self->sent;
	nb_ip_leave_to_backend(&self->piece, flags, true);
	memcpy(nb_guest_ptr(&self->taker.guest, NB_TX_GPA, self->piece.len), self->piece.data,
	       self->piece.len);
	segment = nb_tx_packet(NB_TX_GPA, self->piece.len, 1);
	nb_ip_describe(&self->piece, flags, SIZE, &segment);
	return segment;
}

static bool pieces_leave(FIXTURE_DATA(offload) *self, struct nb_host *socket)
{
	struct nb_ip *got = &self->taker.got;
	struct nb_seen seen;
	unsigned int i;

	for (i = 0; i < nb_ip_pieces(&self->sent, SIZE); i++) {
		nb_ip_piece(&self->sent, SIZE, i, &self->piece);
		if (!nb_ip_receive(socket, got, &seen, true) || !nb_ip_same(&self->piece, got))
			return false;
	}
	return true;
}

TEST_F(offload, a_super_packet_is_the_interfaces_business)
{
	struct nb_tx_segment segment;
	struct nb_seen seen;

	nb_taker_start(&self->taker, 0);
	segment = super_segment(self, &supers[0]);
	nb_tx_all(self->taker.nic.queue, &segment, 1);
	/* A pair of veth leaves it whole. */
	ASSERT_TRUE(nb_ip_receive(&self->taker.nic.host, &self->taker.got, &seen, true));
	EXPECT_EQ(SIZE, seen.vnet.gso_size);
	EXPECT_EQ(self->sent.len, self->taker.got.len);
	EXPECT_EQ(VIRTIO_NET_HDR_GSO_TCPV4, seen.vnet.gso_type & ~VIRTIO_NET_HDR_GSO_ECN);
}

static uint32_t offloads_of(FIXTURE_DATA(offload) *self)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(self->taker.nic.ep, &info));
	return info.tx_offloads;
}

TEST_F(offload, offloads_follow_the_interface_and_the_frontend_is_told)
{
	const char *name = self->taker.nic.pair.lower;
	struct nb_endpoint *ep = self->taker.nic.ep;
	struct nb_tx_segment segment;
	struct nb_tx_completion done;
	struct nb_action action;

	EXPECT_EQ(nb_test_attach.offloads, offloads_of(self));
	/* Without queues, nobody has relied on anything. */
	nb_link_clear_feature(name, "tx-udp-segmentation");
	EXPECT_EQ(nb_test_attach.offloads & ~NB_OFFLOAD_USO, offloads_of(self));
	EXPECT_EQ(0, nb_endpoint_wait_for_action(ep, &action, 0));

	nb_taker_start(&self->taker, 0);
	nb_link_clear_feature(name, "tx-checksum-ip-generic");
	ASSERT_EQ(1, nb_endpoint_wait_for_action(ep, &action, NB_PATIENCE));
	EXPECT_EQ(NB_ACTION_RESTART_REQUIRED, action.type);
	EXPECT_EQ(NB_OFFLOAD_IPV4_HEADER, offloads_of(self));
	/* Until it has restarted, the host does what the interface does not. */
	segment = super_segment(self, &supers[0]);
	nb_tx_all(self->taker.nic.queue, &segment, 1);
	EXPECT_TRUE(pieces_leave(self, &self->taker.nic.host));

	nb_nic_stop(&self->taker.nic);
	nb_taker_start(&self->taker, 0);
	ASSERT_EQ(1, nb_queue_tx_avail(self->taker.nic.queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->taker.nic.queue, &done, 1));
	EXPECT_EQ(NB_TX_UNSUPPORTED, done.status);
}

TEST_F(offload, a_super_packet_of_datagrams_is_cut_for_an_interface_that_does_not)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 20000 };
	struct nb_tx_segment segment;

	nb_taker_start(&self->taker, 0);
	nb_link_clear_feature(self->taker.nic.pair.lower, "tx-checksum-ip-generic");
	do {
		segment = super_segment(self, &plan);
		nb_tx_all(self->taker.nic.queue, &segment, 1);
		EXPECT_TRUE(pieces_leave(self, &self->taker.nic.host));
		plan.ipv6 = !plan.ipv6;
	} while (plan.ipv6);
}

TEST_F(offload, another_mtu_asks_for_a_restart)
{
	struct nb_endpoint *ep = self->taker.nic.ep;
	struct nb_action action;

	nb_host_run("ip link set low0 mtu 2000");
	EXPECT_EQ(0, nb_endpoint_wait_for_action(ep, &action, 0));
	nb_taker_start(&self->taker, 0);
	nb_host_run("ip link set low0 mtu 2000");
	EXPECT_EQ(0, nb_endpoint_wait_for_action(ep, &action, 0));
	nb_host_run("ip link set low0 mtu 3000");
	ASSERT_EQ(1, nb_endpoint_wait_for_action(ep, &action, NB_PATIENCE));
	EXPECT_EQ(NB_ACTION_RESTART_REQUIRED, action.type);
}

TEST_HARNESS_MAIN
