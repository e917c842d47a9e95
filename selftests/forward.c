// SPDX-License-Identifier: GPL-2.0
/*
 * nb_tx_from_rx(): what a frontend has received becomes what it transmits.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "nbip.h"

FIXTURE(forward)
{
	struct nb_taker taker;
	struct nb_ip sent, piece, got;
};

FIXTURE_SETUP(forward)
{
	nb_taker_open(&self->taker);
}

FIXTURE_TEARDOWN(forward)
{
	nb_taker_close(&self->taker);
}

TEST_F(forward, what_was_received_can_be_transmitted)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 20000 };
	const struct nb_bufs *bufs = &self->taker.nic.bufs;
	struct nb_tx_segment segment;
	struct nb_host wire;
	struct nb_seen seen;
	unsigned int i, k;

	nb_taker_start(&self->taker, NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_TCP_SEGMENTATION |
				      NB_QUEUE_RX_UDP_SEGMENTATION);
	nb_host_behind_wire(&wire, self->taker.nic.host.name);
	for (i = 0; i < 2; i++) {
		plan.ipv6 = i;
		nb_ip_make(&self->sent, &plan);
		nb_taker_send(&self->taker, &self->sent, 1428);
		ASSERT_TRUE(nb_taker_receive(&self->taker));
		ASSERT_EQ(0, nb_tx_from_rx(self->taker.guest.mem, &self->taker.meta,
					   bufs->gpa + (uint64_t)self->taker.id * bufs->size,
					   &segment));
		EXPECT_EQ(self->taker.id, segment.id);
		nb_tx_all(self->taker.nic.queue, &segment, 1);
		for (k = 0; k < nb_ip_pieces(&self->sent, 1428); k++) {
			nb_ip_piece(&self->sent, 1428, k, &self->piece);
			ASSERT_TRUE(nb_ip_receive(&wire, &self->got, &seen, false));
			ASSERT_TRUE(nb_ip_same(&self->piece, &self->got));
		}
	}
	nb_host_close(&wire);
}

TEST_F(forward, a_checksum_of_another_protocol_is_completed_when_it_is_forwarded)
{
	struct nb_rx_metadata meta = { .len = 101, .flags = NB_RX_NEEDS_CHECKSUM | NB_RX_VLAN,
				       .checksum_start = 34, .checksum_offset = 40, .vlan = 9 };
	unsigned char *packet = nb_guest_ptr(&self->taker.guest, NB_TAKER_SEND_GPA, NB_PAGE);
	struct nb_tx_segment tx;

	nb_frame_fill(packet, meta.len, 8);
	ASSERT_EQ(0, nb_tx_from_rx(self->taker.guest.mem, &meta, NB_TAKER_SEND_GPA, &tx));
	EXPECT_EQ(NB_TX_HEAD | NB_TX_VLAN, tx.flags);
	EXPECT_EQ(9, tx.vlan);
	/* What was in the field is now counted twice, and its complement is in it. */
	nb_frame_fill(packet + NB_PAGE / 2, meta.len, 8);
	EXPECT_EQ(0, memcmp(packet, packet + NB_PAGE / 2, 74));
	memset(packet + 74, 0, 2);
	EXPECT_EQ(0, memcmp(packet + 76, packet + NB_PAGE / 2 + 76, meta.len - 76));
}

/* In UDP, 0 says that there is none. */
TEST_F(forward, a_checksum_of_0_is_written_as_its_other_form)
{
	struct nb_rx_metadata meta = { .len = 60, .flags = NB_RX_NEEDS_CHECKSUM,
				       .checksum_start = 34, .checksum_offset = 6 };
	unsigned char *packet = nb_guest_ptr(&self->taker.guest, NB_TAKER_SEND_GPA, NB_PAGE);
	struct nb_tx_segment tx;

	nb_frame_fill(packet, meta.len, 8);
	memset(packet + 34, 0, meta.len - 34);
	packet[34] = 0xff;
	packet[35] = 0xff;
	ASSERT_EQ(0, nb_tx_from_rx(self->taker.guest.mem, &meta, NB_TAKER_SEND_GPA, &tx));
	EXPECT_EQ(0xff, packet[40]);
	EXPECT_EQ(0xff, packet[41]);
}

TEST_F(forward, a_buffer_without_a_packet_is_not_forwarded)
{
	struct nb_rx_metadata meta = { .len = 60, .id = 77, .status = NB_RX_FAULT };
	struct nb_tx_segment tx = { .len = 5 };

	EXPECT_EQ(-EINVAL, nb_tx_from_rx(self->taker.guest.mem, &meta, NB_TAKER_SEND_GPA, &tx));
	EXPECT_NE(NULL, strstr(nb_error(), "77"));
	EXPECT_EQ(5, tx.len);
}

TEST_F(forward, forwarding_reads_nothing_behind_the_packet)
{
	unsigned char *pages = nb_test_pages(2 * NB_PAGE), *packet;
	struct nb_random random;
	struct nb_rx_metadata meta;
	struct nb_tx_segment tx;
	unsigned int i, good = 0;
	int err;

	nb_random_start(&random);
	ASSERT_EQ(0, nb_memory_add(self->taker.guest.mem, 1ull << 40, pages, NB_PAGE, 0));
	nb_sys(mprotect(pages + NB_PAGE, NB_PAGE, PROT_NONE));
	for (i = 0; i < 200000; i++) {
		uint32_t len = nb_random_below(&random, 200);
		struct nb_ip_plan plan = {
			.protocol = nb_random_below(&random, 2) ? IPPROTO_TCP : IPPROTO_UDP,
			.ipv6 = nb_random_below(&random, 2),
			.tags = nb_random_below(&random, 3),
			.payload = 200,
		};

		if (i % 16 == 0)
			nb_ip_make(&self->sent, &plan);
		packet = pages + NB_PAGE - len;
		memcpy(packet, self->sent.data, len);
		if (len && nb_random_below(&random, 2))
			packet[nb_random_below(&random, len)] = nb_random_below(&random, 256);
		nb_random_fill(&random, &meta, sizeof(meta));
		meta.status = NB_RX_OK;
		meta.len = len;
		meta.offset = 0;
		if (nb_random_below(&random, 2)) {
			meta.checksum_start = self->sent.l4;
			meta.checksum_offset = self->sent.protocol == IPPROTO_TCP ? 16 : 6;
			meta.flags |= NB_RX_NEEDS_CHECKSUM;
		}
		err = nb_tx_from_rx(self->taker.guest.mem, &meta,
				    (1ull << 40) + NB_PAGE - len, &tx);
		ASSERT_TRUE(!err || err == -EINVAL);
		good += !err;
	}
	EXPECT_LT(1000, good);
	EXPECT_GT(199000, good);
}

TEST_HARNESS_MAIN
