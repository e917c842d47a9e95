// SPDX-License-Identifier: GPL-2.0
/*
 * The crate's trait Queue, for each kind: transmit, receive, metadata, and counters.
 */
#include <net/if.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbtest.h"

FIXTURE(queue)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_queue *queue;
};

FIXTURE_VARIANT(queue)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(queue, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(queue, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(queue, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(queue, netdev) { .kind = &nb_test_netdev };

FIXTURE_SETUP(queue)
{
	self->queue = nb_nic_begin(&self->nic, &self->guest, variant->kind);
}

FIXTURE_TEARDOWN(queue)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* What only an interface of the host can do. */
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

/* ---- transmit ------------------------------------------------------------ */

TEST_F(queue, transmits_synchronously)
{
	struct nb_tx_segment segments[] = {
		nb_tx_frame(&self->guest, 0, 60), nb_tx_frame(&self->guest, 1, 1000),
	};
	struct nb_tx_completion done;
	bool synchronous = false;

	EXPECT_EQ(2, nb_queue_tx_avail(self->queue, segments, 2, &synchronous));
	EXPECT_TRUE(synchronous);
	EXPECT_EQ(0, nb_queue_tx_poll(self->queue, &done, 1));
}

TEST_F(queue, reports_transmits_in_order_by_id)
{
	static const uint32_t ids[] = { 0, 0xffffffff, 7, 7, 0x80000000, 1 };
	struct nb_tx_segment segments[ARRAY_LEN(ids)];
	struct nb_tx_completion done[ARRAY_LEN(ids) + 1];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(ids); i++) {
		segments[i] = nb_tx_frame(&self->guest, i, 60 + i);
		segments[i].id = ids[i];
	}
	ASSERT_EQ(ARRAY_LEN(ids), nb_queue_tx_avail(self->queue, segments, ARRAY_LEN(ids), NULL));
	ASSERT_EQ(ARRAY_LEN(ids), nb_tx_reap(self->queue, done, ARRAY_LEN(ids)));
	for (i = 0; i < ARRAY_LEN(ids); i++) {
		EXPECT_EQ(ids[i], done[i].id);
		EXPECT_EQ(NB_TX_OK, done[i].status);
	}
	EXPECT_EQ(0, nb_queue_tx_poll(self->queue, done, 1));
}

TEST_F(queue, takes_packets_of_one_to_64_segments)
{
	unsigned char frame[1000], got[NB_BUF_SIZE];
	struct nb_tx_segment segments[NB_MAX_SEGMENTS];
	uint64_t gpa = nb_frame_put(&self->guest, 0, sizeof(frame), 5);
	unsigned int n;

	nb_frame_fill(frame, sizeof(frame), 5);
	for (n = 1; n <= NB_MAX_SEGMENTS; n++) {
		nb_tx_split(segments, n, gpa, sizeof(frame), n);
		ASSERT_EQ(1, nb_packet_count(segments, n));
		ASSERT_EQ((int)n, nb_next_packet(segments, n));
		nb_tx_all(self->queue, segments, n);
		if (variant->kind->sent == NB_COMES_NOWHERE)
			continue;
		ASSERT_EQ(sizeof(frame), nb_nic_arrived(&self->nic, got, sizeof(got), NULL));
		ASSERT_EQ(0, memcmp(frame, got, sizeof(frame)));
	}
}

TEST_F(queue, works_with_rings_of_any_size)
{
	static const uint32_t sizes[] = { NB_MIN_RING_ENTRIES, 1024, NB_MAX_RING_ENTRIES };
	unsigned int i, round;

	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		nb_nic_stop(&self->nic);
		nb_bufs_init(&self->nic.bufs);
		self->nic.bufs.n = NB_MIN_RING_ENTRIES;
		nb_nic_start(&self->nic, 1, sizes[i]);
		nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
		/* Ten packets a round: the smallest rings go round and round. */
		for (round = 0; round < 20; round++)
			ASSERT_TRUE(nb_nic_works(&self->nic));
	}
}

TEST_F(queue, fast_completions_are_there_when_enter_returns)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 60);
	struct nb_tx_completion done;

	if (!nb_endpoint_tx_fast_completions(self->nic.ep))
		return;
	ASSERT_EQ(1, nb_queue_tx_avail(self->queue, &segment, 1, NULL));
	EXPECT_EQ(1, nb_queue_tx_poll(self->queue, &done, 1));
}

TEST_F(queue, does_what_it_offers_and_refuses_other_offloads)
{
	static const struct {
		uint32_t offload;
		uint16_t flags;
	} cases[] = {
		{ NB_OFFLOAD_IPV4_HEADER, NB_TX_OFFLOAD_IP_HEADER_CHECKSUM },
		{ NB_OFFLOAD_TCP, NB_TX_OFFLOAD_TCP_CHECKSUM },
		{ NB_OFFLOAD_UDP, NB_TX_OFFLOAD_UDP_CHECKSUM },
		{ NB_OFFLOAD_TSO, NB_TX_OFFLOAD_TCP_SEGMENTATION },
		{ NB_OFFLOAD_USO, NB_TX_OFFLOAD_UDP_SEGMENTATION },
	};
	uint32_t offered = nb_endpoint_tx_offload_support(self->nic.ep);
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 1000);
	unsigned char *frame = nb_guest_ptr(&self->guest, segment.gpa, 1000);
	struct nb_tx_completion done;
	uint32_t expected;
	unsigned int i;

	segment.l2_len = 14;
	segment.l3_len = 20;
	segment.max_segment_size = 400;
	frame[12] = 0x08;
	frame[13] = 0x00;
	/* An IPv4 header: 20 bytes, 986 in all, DF, TTL 64, UDP or TCP. */
	memcpy(frame + 14, "\x45\x00\x03\xda\x00\x01\x40\x00\x40\x11\x00\x00\x0a\x00\x00\x01"
	       "\x0a\x00\x00\x02", 20);
	/* A UDP header; or a TCP header of 20 bytes. */
	memcpy(frame + 34, "\x10\x00\x20\x00\x03\xc6\x00\x00\x00\x00\x00\x01\x50\x10\x01\x00"
	       "\x00\x00\x00\x00", 20);

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		bool udp = cases[i].flags & (NB_TX_OFFLOAD_UDP_CHECKSUM |
					     NB_TX_OFFLOAD_UDP_SEGMENTATION);

		segment.flags = NB_TX_HEAD | NB_TX_IS_IPV4 | cases[i].flags;
		segment.l4_len = udp ? 8 : 20;
		frame[23] = udp ? 17 : 6;
		ASSERT_EQ(1, nb_queue_tx_avail(self->queue, &segment, 1, NULL));
		ASSERT_EQ(1, nb_tx_reap(self->queue, &done, 1));
		expected = NB_TX_UNSUPPORTED;
		if (offered & cases[i].offload)
			expected = NB_TX_OK;
		EXPECT_EQ(expected, done.status)
			TH_LOG("case %u", i);
	}
}

/* ---- receive ------------------------------------------------------------- */

TEST_F(queue, keeps_metadata_with_its_buffer)
{
	const struct nb_rx_metadata *meta;
	struct nb_tx_segment segments[20];
	unsigned char frame[1000];
	uint32_t ids[20];
	unsigned int i;

	for (i = 0; i < 20; i++) {
		segments[i] = nb_tx_frame(&self->guest, i, 60 + i * 40);
		nb_frame_fill(frame, 60 + i * 40, i);
		if (variant->kind->sent == NB_COMES_TO_HOST)
			nb_host_send(&self->nic.host, frame, 60 + i * 40);
	}
	if (variant->kind->sent != NB_COMES_TO_HOST)
		nb_tx_all(self->queue, segments, 20);
	if (variant->kind->sent == NB_COMES_NOWHERE) {
		EXPECT_EQ(0, nb_queue_rx_poll(self->queue, self->nic.bufs.meta, 1));
		return;
	}

	ASSERT_EQ(20, nb_bufs_reap(&self->nic.bufs, self->queue, ids, 20));
	for (i = 0; i < 20; i++) {
		meta = &self->nic.bufs.meta[ids[i]];
		EXPECT_EQ(NB_RX_OK, meta->status);
		EXPECT_EQ(0, meta->flags);
		EXPECT_EQ(0, meta->segment_size);
		nb_frame_fill(frame, 60 + i * 40, i);
		EXPECT_TRUE(nb_bufs_equal(&self->nic.bufs, &self->guest, ids[i], frame,
					  60 + i * 40));
		if (nb_endpoint_is_ordered(self->nic.ep))
			EXPECT_EQ(i, ids[i]);
	}
}

TEST_F(queue, fills_buffers_of_several_segments)
{
	unsigned char frame[1400];
	uint32_t id;

	if (variant->kind->sent == NB_COMES_NOWHERE)
		return;
	nb_nic_stop(&self->nic);
	nb_bufs_init(&self->nic.bufs);
	self->nic.bufs.segments = 4;
	self->nic.bufs.n = 64;
	nb_nic_start(&self->nic, 1, 256);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);

	EXPECT_TRUE(nb_nic_works(&self->nic));
	ASSERT_TRUE(nb_nic_provoke(&self->nic));
	ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, &id, 1));
	nb_frame_fill(frame, 100, 0);
	EXPECT_TRUE(nb_bufs_equal(&self->nic.bufs, &self->guest, id, frame, 100));
}

TEST_F(queue, gives_back_any_buffer_id)
{
	static const uint32_t ids[] = { 0xffffffff, 0, 0x12345678, 0xffffffff };
	struct nb_rx_segment buffers[ARRAY_LEN(ids)];
	struct nb_rx_metadata meta;
	unsigned int i;

	nb_nic_stop(&self->nic);
	nb_nic_start(&self->nic, 1, 0);
	for (i = 0; i < ARRAY_LEN(ids); i++)
		buffers[i] = (struct nb_rx_segment){ .gpa = i * NB_BUF_SIZE, .len = NB_BUF_SIZE,
						     .id = ids[i] };
	ASSERT_EQ(ARRAY_LEN(ids), nb_queue_rx_avail(self->nic.queue, buffers, ARRAY_LEN(ids)));
	for (i = 0; i < ARRAY_LEN(ids); i++) {
		if (!nb_nic_provoke(&self->nic))
			break;
		ASSERT_EQ(1, nb_queue_poll_ready(self->nic.queue, NB_PATIENCE));
		ASSERT_EQ(1, nb_queue_rx_poll(self->nic.queue, &meta, 1));
		EXPECT_EQ(ids[i], meta.id);
	}
}

/* ---- VLAN ---------------------------------------------------------------- */

TEST_F(queue, keeps_the_vlan_tag_of_what_is_sent)
{
	static const uint16_t tags[] = { 0x0005, 0xffff, 0x0000, 0x6123, 0x1fff };
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 200);
	unsigned char got[NB_BUF_SIZE];
	unsigned int i;
	int vlan;

	for (i = 0; i < ARRAY_LEN(tags); i++) {
		if (variant->kind->refuses_vlan_4095 && (tags[i] & 4095) == 4095)
			continue;
		segment.flags = NB_TX_HEAD | NB_TX_VLAN;
		segment.vlan = tags[i];
		nb_tx_all(self->queue, &segment, 1);
		if (variant->kind->sent == NB_COMES_NOWHERE)
			continue;
		ASSERT_EQ(200, nb_nic_arrived(&self->nic, got, sizeof(got), &vlan));
		EXPECT_EQ(tags[i], vlan);
	}

	segment.flags = NB_TX_HEAD;
	nb_tx_all(self->queue, &segment, 1);
	if (variant->kind->sent == NB_COMES_NOWHERE)
		return;
	ASSERT_EQ(200, nb_nic_arrived(&self->nic, got, sizeof(got), &vlan));
	EXPECT_EQ(NB_NO_VLAN, vlan);
}

TEST_F(netdev, receives_vlan_tags_as_metadata)
{
	const struct nb_rx_metadata *meta;
	struct nb_host vlan = { .fd = -1 };
	unsigned char frame[300];
	uint32_t id;

	nb_link_add_vlan(self->nic.host.ifindex, "nbvlan", 77);
	nb_host_open(&vlan, if_nametoindex("nbvlan"));
	nb_frame_fill(frame, sizeof(frame), 3);
	nb_host_send(&vlan, frame, sizeof(frame));

	ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->queue, &id, 1));
	meta = &self->nic.bufs.meta[id];
	EXPECT_EQ(NB_RX_VLAN, meta->flags);
	EXPECT_EQ(77, meta->vlan);
	EXPECT_TRUE(nb_bufs_equal(&self->nic.bufs, &self->guest, id, frame, sizeof(frame)));
	nb_host_close(&vlan);
}

TEST_F(netdev, vlan_devices_of_the_host_receive_what_is_tagged)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 200);
	struct nb_host vlan = { .fd = -1 };
	unsigned char got[NB_BUF_SIZE];

	nb_link_add_vlan(self->nic.host.ifindex, "nbvlan", 77);
	nb_host_open(&vlan, if_nametoindex("nbvlan"));
	segment.flags |= NB_TX_VLAN;
	segment.vlan = 77;
	nb_tx_all(self->queue, &segment, 1);
	EXPECT_EQ(200, nb_host_receive(&vlan, got, sizeof(got), NULL));
	segment.vlan = 78;
	nb_tx_all(self->queue, &segment, 1);
	ASSERT_EQ(200, nb_host_receive(&self->nic.host, got, sizeof(got), NULL));
	ASSERT_EQ(200, nb_host_receive(&self->nic.host, got, sizeof(got), NULL));
	EXPECT_TRUE(nb_host_silent(&vlan));
	nb_host_close(&vlan);
}

/* ---- counters ------------------------------------------------------------ */

TEST_F(queue, counts_what_it_does)
{
	struct nb_tx_segment segments[3] = {
		nb_tx_frame(&self->guest, 0, 60),
		nb_tx_frame(&self->guest, 1, 100),
		nb_tx_frame(&self->guest, 2, 1000),
	};
	struct nb_queue_stats stats = nb_stats_of(self->queue);
	static const unsigned int received[] = {
		[NB_COMES_NOWHERE] = 0, [NB_COMES_BACK] = 3, [NB_COMES_TO_HOST] = 2,
	};
	bool back = variant->kind->sent == NB_COMES_BACK;
	unsigned char frame[500];
	unsigned int expected;

	EXPECT_EQ(0, stats.tx_packets + stats.tx_bytes + stats.rx_packets + stats.rx_bytes);

	segments[1].flags |= NB_TX_VLAN;
	nb_tx_all(self->queue, segments, 3);
	if (variant->kind->sent == NB_COMES_TO_HOST) {
		nb_frame_fill(frame, sizeof(frame), 0);
		nb_host_send(&self->nic.host, frame, sizeof(frame));
		nb_host_send(&self->nic.host, frame, 60);
	}
	expected = received[variant->kind->sent];
	EXPECT_EQ(expected, nb_bufs_reap(&self->nic.bufs, self->queue, NULL, expected));

	stats = nb_stats_of(self->queue);
	EXPECT_EQ(3, stats.tx_packets);
	EXPECT_EQ(1160, stats.tx_bytes);
	EXPECT_EQ(1, stats.tx_vlan_packets);
	EXPECT_EQ(0, stats.tx_errors + stats.tx_dropped);
	EXPECT_EQ(expected, stats.rx_packets);
	EXPECT_EQ(back ? 1160 : expected ? 560 : 0, stats.rx_bytes);
	EXPECT_EQ(back, stats.rx_vlan_packets);
	EXPECT_EQ(0, stats.rx_errors + stats.rx_too_small);
	EXPECT_GE(stats.enters, 1);
	EXPECT_EQ(0, stats.kicks);
}

TEST_HARNESS_MAIN
