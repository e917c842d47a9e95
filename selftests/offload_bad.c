// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that tells lies about its headers: each such packet ends with an error status
 * and is counted, the host's stack never sees it, and the queue goes on.
 */
#include <string.h>

#include "kselftest_harness.h"
#include "nbip.h"

#define TCP_CHECKSUM	NB_TX_OFFLOAD_TCP_CHECKSUM
#define UDP_CHECKSUM	NB_TX_OFFLOAD_UDP_CHECKSUM
#define TSO		NB_TX_OFFLOAD_TCP_SEGMENTATION
#define USO		NB_TX_OFFLOAD_UDP_SEGMENTATION
#define ALL_OFFLOADS	(NB_TX_OFFLOAD_IP_HEADER_CHECKSUM | TCP_CHECKSUM | UDP_CHECKSUM | \
			 TSO | USO)

#define BATCH		32u
#define ROOM		(80u << 10)
#define PACKETS		100000u

FIXTURE(offload_bad)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_host wire;
	struct nb_random random;
	uint64_t bad;			/* transmits that ended as NB_TX_INVALID */
	struct nb_ip ip, got;
	struct nb_tx_segment head;
};

FIXTURE_SETUP(offload_bad)
{
	nb_host_new_netns();
	nb_random_start(&self->random);
	nb_guest_open(&self->guest, BATCH * ROOM);
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_host_behind_wire(&self->wire, self->nic.host.name);
}

FIXTURE_TEARDOWN(offload_bad)
{
	nb_host_close(&self->wire);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* A packet and a head that go together. */
static void make_good(FIXTURE_DATA(offload_bad) *self, const struct nb_ip_plan *plan,
		      uint16_t flags, uint16_t size)
{
	nb_ip_make(&self->ip, plan);
	self->head = nb_tx_packet(NB_MORE_GPA, self->ip.len, 1);
	nb_ip_describe(&self->ip, flags, size, &self->head);
}

static const struct nb_ip_plan tcp4 = { .protocol = IPPROTO_TCP, .payload = 3000 };
static const struct nb_ip_plan tcp6 = { .protocol = IPPROTO_TCP, .payload = 3000, .ipv6 = true };
static const struct nb_ip_plan udp4 = { .protocol = IPPROTO_UDP, .payload = 3000 };
static const struct nb_ip_plan udp6 = { .protocol = IPPROTO_UDP, .payload = 3000, .ipv6 = true };

static const struct {
	const struct nb_ip_plan *plan;
	uint16_t flags;
	uint16_t size;
} goods[] = {
	{ &tcp4, TCP_CHECKSUM },
	{ &tcp6, TCP_CHECKSUM },
	{ &udp4, UDP_CHECKSUM },
	{ &udp6, UDP_CHECKSUM },
	{ &tcp4, TSO, 1000 },
	{ &tcp6, TSO, 1000 },
	{ &udp4, USO, 1000 },
	{ &udp6, USO, 1000 },
	{ &tcp4, NB_TX_OFFLOAD_IP_HEADER_CHECKSUM },
};

/* Makes number i of them, to be spoilt; false behind the last. */
static bool nth_good(FIXTURE_DATA(offload_bad) *self, unsigned int i)
{
	if (i == ARRAY_LEN(goods))
		return false;
	make_good(self, goods[i].plan, goods[i].flags, goods[i].size);
	return true;
}

static uint32_t transmit(FIXTURE_DATA(offload_bad) *self)
{
	struct nb_tx_completion done;

	memcpy(nb_guest_ptr(&self->guest, NB_MORE_GPA, self->head.len), self->ip.data,
	       self->head.len);
	if (nb_ok(nb_queue_tx_avail(self->nic.queue, &self->head, 1, NULL)) != 1)
		nb_die("a packet was not taken");
	if (nb_tx_reap(self->nic.queue, &done, 1) != 1)
		nb_die("a packet was not completed");
	return done.status;
}

static bool is_refused(FIXTURE_DATA(offload_bad) *self)
{
	uint32_t status = transmit(self);

	if (status == NB_TX_INVALID) {
		self->bad++;
		return true;
	}
	fprintf(stderr, "# status %u: %u bytes, flags %#x, l2 %u, l3 %u, l4 %u, size %u\n",
		status, self->head.packet_len, self->head.flags, self->head.l2_len,
		self->head.l3_len, self->head.l4_len, self->head.max_segment_size);
	return false;
}

/* Whether all errors were counted, and the queue goes on. */
static bool is_well(FIXTURE_DATA(offload_bad) *self)
{
	struct nb_queue_stats stats;

	nb_ok(nb_queue_stats(self->nic.queue, &stats));
	make_good(self, &tcp4, TSO, 1000);
	return stats.tx_errors == self->bad && !stats.tx_packets && !stats.tx_dropped &&
	       transmit(self) == NB_TX_OK;
}

TEST_F(offload_bad, what_is_spoilt_here_is_good_before)
{
	unsigned int i;

	for (i = 0; nth_good(self, i); i++)
		ASSERT_EQ(NB_TX_OK, transmit(self));
}

TEST_F(offload_bad, an_l2_length_that_is_wrong)
{
	unsigned int i, len;

	for (i = 0; nth_good(self, i); i++) {
		for (len = 0; len < 256; len++) {
			self->head.l2_len = len;
			if (len != self->ip.l3)
				ASSERT_TRUE(is_refused(self));
		}
	}
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, an_l3_length_that_is_wrong)
{
	unsigned int i, len;

	for (i = 0; nth_good(self, i); i++) {
		for (len = 0; len < 65536; len += len < 300 ? 1 : 997) {
			self->head.l3_len = len;
			if (len != self->ip.l4 - self->ip.l3)
				ASSERT_TRUE(is_refused(self));
		}
		self->head.l3_len = 65535;
		ASSERT_TRUE(is_refused(self));
	}
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, an_l4_length_that_is_wrong)
{
	unsigned int i, len;

	for (i = 0; nth_good(self, i); i++) {
		if (!(goods[i].flags & (TSO | USO)))
			continue;
		for (len = 0; len < 256; len++) {
			self->head.l4_len = len;
			if (len != self->ip.payload - self->ip.l4)
				ASSERT_TRUE(is_refused(self));
		}
	}
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, a_segment_size_of_nothing_or_of_more_than_the_packet)
{
	unsigned int i;

	for (i = 0; nth_good(self, i); i++) {
		if (!(goods[i].flags & (TSO | USO)))
			continue;
		self->head.max_segment_size = 0;
		ASSERT_TRUE(is_refused(self));
		self->head.max_segment_size = self->ip.len + 1;
		ASSERT_TRUE(is_refused(self));
		self->head.max_segment_size = 65535;
		ASSERT_TRUE(is_refused(self));
	}
	EXPECT_TRUE(is_well(self));
}

/* As many as TCP's smallest segments make of the longest one are good. */
TEST_F(offload_bad, a_super_packet_of_more_than_8192_packets)
{
	static const struct nb_ip_plan tcp = { .protocol = IPPROTO_TCP, .payload = 60000 };
	static const struct nb_ip_plan udp = { .protocol = IPPROTO_UDP, .payload = 60000 };

	make_good(self, &tcp, TSO, 7);
	EXPECT_TRUE(is_refused(self));
	make_good(self, &udp, USO, 1);
	EXPECT_TRUE(is_refused(self));
	EXPECT_TRUE(is_well(self));
	make_good(self, &tcp, TSO, 8);
	EXPECT_EQ(NB_TX_OK, transmit(self));
}

TEST_F(offload_bad, both_ip_versions_or_none_or_the_other)
{
	const uint16_t both = NB_TX_IS_IPV4 | NB_TX_IS_IPV6;
	unsigned int i;

	for (i = 0; nth_good(self, i); i++) {
		self->head.flags ^= both;
		ASSERT_TRUE(is_refused(self));
		self->head.flags |= both;
		ASSERT_TRUE(is_refused(self));
		self->head.flags &= ~both;
		ASSERT_TRUE(is_refused(self));
	}
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, another_protocol_than_the_packets)
{
	unsigned int i;

	for (i = 0; nth_good(self, i); i++) {
		if (!(goods[i].flags & (TCP_CHECKSUM | UDP_CHECKSUM | TSO | USO)))
			continue;
		self->head.flags &= ~(TCP_CHECKSUM | UDP_CHECKSUM | TSO | USO);
		self->head.flags |= goods[i].plan->protocol == IPPROTO_TCP ? UDP_CHECKSUM :
									     TCP_CHECKSUM;
		ASSERT_TRUE(is_refused(self));
		self->head.flags |= TCP_CHECKSUM | UDP_CHECKSUM;
		ASSERT_TRUE(is_refused(self));
		self->head.flags |= TSO | USO;
		ASSERT_TRUE(is_refused(self));
	}
	make_good(self, &tcp6, NB_TX_OFFLOAD_IP_HEADER_CHECKSUM, 0);
	EXPECT_TRUE(is_refused(self));
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, an_ethertype_that_is_not_ip)
{
	unsigned int i;

	for (i = 0; nth_good(self, i); i++) {
		self->ip.data[12] ^= 1;
		ASSERT_TRUE(is_refused(self));
		memcpy(self->ip.data + 12, "\x81\x00", 2);
		ASSERT_TRUE(is_refused(self));
	}
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, a_fragment)
{
	struct nb_ip_plan extended = tcp6;
	unsigned int i, bit;

	for (i = 0; nth_good(self, i); i++) {
		if (self->ip.ipv6 || !(goods[i].flags & ~NB_TX_OFFLOAD_IP_HEADER_CHECKSUM))
			continue;
		/* More fragments, and each bit of the offset. */
		for (bit = 0; bit < 14; bit++) {
			self->ip.data[self->ip.l3 + 6] = (1 << bit) >> 8;
			self->ip.data[self->ip.l3 + 7] = 1 << bit;
			ASSERT_TRUE(is_refused(self));
		}
	}
	extended.options = 8;
	make_good(self, &extended, TCP_CHECKSUM, 0);
	self->ip.data[self->ip.l3 + 6] = IPPROTO_FRAGMENT;
	memset(self->ip.data + self->ip.l3 + 41, 0, 7);
	/* The first of several, then one in between. */
	self->ip.data[self->ip.l3 + 43] = 1;
	EXPECT_TRUE(is_refused(self));
	self->ip.data[self->ip.l3 + 43] = 8;
	EXPECT_TRUE(is_refused(self));
	EXPECT_TRUE(is_well(self));
}

/* Headers whose length nobody looks at: each ends where the packet does. */
TEST_F(offload_bad, headers_that_the_packet_ends_in)
{
	unsigned int i;
	uint32_t len;

	for (i = 0; nth_good(self, i); i++) {
		uint32_t least = goods[i].flags & NB_TX_OFFLOAD_IP_HEADER_CHECKSUM ?
				 self->ip.l4 : self->ip.payload;

		for (len = NB_MIN_PACKET_LEN; len < least; len++) {
			self->head.len = len;
			self->head.packet_len = len;
			if (self->head.max_segment_size > len)
				self->head.max_segment_size = len;
			ASSERT_TRUE(is_refused(self));
		}
	}
	EXPECT_TRUE(is_well(self));
}

/* Headers whose length nobody looks at: what they say themselves. */
TEST_F(offload_bad, an_ip_length_of_more_than_the_packet_or_less_than_its_headers)
{
	unsigned int i;

	for (i = 0; nth_good(self, i); i++) {
		unsigned char *len = self->ip.data + self->ip.l3 + (self->ip.ipv6 ? 4 : 2);

		/* Of a super-packet, and without a protocol, it does not count. */
		if (!(goods[i].flags & (TCP_CHECKSUM | UDP_CHECKSUM)))
			continue;
		len[1]++;
		ASSERT_TRUE(is_refused(self));
		memset(len, 0xff, 2);
		ASSERT_TRUE(is_refused(self));
		memset(len, 0, 2);
		ASSERT_TRUE(is_refused(self));
		len[1] = self->ip.payload - self->ip.l4 + (self->ip.ipv6 ? 0 : 20) - 1;
		ASSERT_TRUE(is_refused(self));
	}
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, header_lengths_in_the_packet_that_are_wrong)
{
	unsigned int i, len;

	for (i = 0; nth_good(self, i); i++) {
		unsigned char *version = self->ip.data + self->ip.l3, good = *version;

		*version ^= 0x10;
		ASSERT_TRUE(is_refused(self));
		*version = good;
		for (len = 0; !self->ip.ipv6 && len < 16; len++) {
			*version = 0x40 | len;
			if (len != 5)
				ASSERT_TRUE(is_refused(self));
		}
		*version = good;
		for (len = 0; (goods[i].flags & TSO) && len < 16; len++) {
			self->ip.data[self->ip.l4 + 12] = len << 4;
			if (len != 5)
				ASSERT_TRUE(is_refused(self));
			/* Also when both say the same. */
			self->head.l4_len = 4 * len;
			if (len < 5)
				ASSERT_TRUE(is_refused(self));
			self->head.l4_len = 20;
		}
	}
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, extension_headers_that_lead_astray)
{
	struct nb_ip_plan plan = tcp6;
	unsigned int len;

	plan.options = 24;
	for (len = 0; len < 256; len++) {
		make_good(self, &plan, TSO, 1000);
		self->ip.data[self->ip.l3 + 40 + 8 + 1] = len;
		if (len)
			ASSERT_TRUE(is_refused(self));
	}
	/* None of them has a protocol behind it. */
	make_good(self, &plan, TCP_CHECKSUM, 0);
	self->ip.data[self->ip.l3 + 40 + 16] = IPPROTO_NONE;
	EXPECT_TRUE(is_refused(self));
	/* They never end. */
	make_good(self, &plan, TCP_CHECKSUM, 0);
	memset(self->ip.data + self->ip.l4, 0, self->ip.len - self->ip.l4);
	self->ip.data[self->ip.l3 + 40 + 16] = IPPROTO_DSTOPTS;
	EXPECT_TRUE(is_refused(self));
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, a_super_packet_that_the_stack_cannot_cut)
{
	static const uint8_t types[] = { IPPROTO_AH, IPPROTO_FRAGMENT };
	struct nb_ip_plan plan;
	unsigned int i, place;

	for (i = 0; i < 2 * ARRAY_LEN(types); i++) {
		/* Behind the IPv6 header, and behind options. */
		for (place = 0; place < 2; place++) {
			plan = i % 2 ? tcp6 : udp6;
			plan.options = 8 + 8 * place;
			make_good(self, &plan, i % 2 ? TSO : USO, 1000);
			self->ip.data[self->ip.l3 + (place ? 40 : 6)] = types[i / 2];
			memset(self->ip.data + self->ip.l3 + 41 + 8 * place, 0, 7);
			ASSERT_TRUE(is_refused(self));
		}
	}
	/* More tags than the stack looks behind. */
	plan = tcp4;
	plan.tags = 8;
	make_good(self, &plan, TSO, 1000);
	EXPECT_TRUE(is_refused(self));
	plan.tags = 7;
	make_good(self, &plan, TSO, 1000);
	self->head.flags |= NB_TX_VLAN;
	EXPECT_TRUE(is_refused(self));
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, a_route_whose_end_is_not_known)
{
	struct nb_ip_plan plan = tcp6;
	unsigned char *routing;

	/* Stations left: of a type that has no address, and of one whose address is missing. */
	plan.options = 16;
	make_good(self, &plan, TCP_CHECKSUM, 0);
	routing = self->ip.data + self->ip.l3 + 48;
	routing[3] = 1;
	EXPECT_TRUE(is_refused(self));
	routing[2] = 2;
	EXPECT_TRUE(is_refused(self));
	routing[2] = 4;
	EXPECT_TRUE(is_refused(self));
	routing[3] = 0;
	EXPECT_EQ(NB_TX_OK, transmit(self));
}

TEST_F(offload_bad, a_super_packet_of_more_than_64_kib)
{
	struct nb_ip_plan plan = tcp4;

	plan.payload = 65535 - 40;
	make_good(self, &plan, TSO, 1448);
	self->head.len = ++self->head.packet_len;
	EXPECT_TRUE(is_refused(self));
	plan = tcp6;
	plan.payload = 65535 - 20;
	make_good(self, &plan, TSO, 1448);
	self->head.len = ++self->head.packet_len;
	EXPECT_TRUE(is_refused(self));
	EXPECT_TRUE(is_well(self));
}

TEST_F(offload_bad, an_offload_that_the_kind_does_not_offer)
{
	struct nb_queue_stats stats;
	unsigned int i;

	nb_host_close(&self->wire);
	nb_nic_close(&self->nic);
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, 1, 0);
	for (i = 0; nth_good(self, i); i++)
		ASSERT_EQ(NB_TX_UNSUPPORTED, transmit(self));
	ASSERT_EQ(0, nb_queue_stats(self->nic.queue, &stats));
	EXPECT_EQ(ARRAY_LEN(goods), stats.tx_errors);
}

/* ---- anything at all ----------------------------------------------------- */

static uint32_t below(FIXTURE_DATA(offload_bad) *self, uint32_t limit)
{
	return nb_random_below(&self->random, limit);
}

static void make_any_packet(FIXTURE_DATA(offload_bad) *self)
{
	struct nb_ip_plan plan = {
		.ipv6 = below(self, 2),
		.protocol = below(self, 2) ? IPPROTO_TCP : IPPROTO_UDP,
		.tags = below(self, 8) ? 0 : below(self, 3),
		.options = below(self, 2) ? 0 : 8 * below(self, 5),
		.tcp_options = 4 * below(self, 11),
		.tcp_flags = below(self, 256),
		.payload = below(self, 16) ? below(self, 3000) : below(self, 60000),
		.padding = below(self, 8) ? 0 : below(self, 40),
		.seed = below(self, 1000),
	};
	uint16_t flags = plan.protocol == IPPROTO_TCP ? TSO | TCP_CHECKSUM : USO | UDP_CHECKSUM;
	uint16_t size = plan.payload > 20000 ? 1448 : 1 + below(self, 3000);

	if (!below(self, 2))
		flags &= ~(TSO | USO);
	make_good(self, &plan, flags, size);
}

/* One in four heads stays good. */
static void spoil(FIXTURE_DATA(offload_bad) *self)
{
	struct nb_tx_segment *head = &self->head;
	unsigned int i, n = below(self, 4);

	for (i = 0; i < n; i++) {
		switch (below(self, 8)) {
		case 0:
			head->flags ^= 1 << below(self, 9) | NB_TX_HEAD;
			head->flags |= NB_TX_HEAD;
			break;
		case 1:
			head->l2_len = below(self, 256);
			break;
		case 2:
			head->l3_len = below(self, below(self, 2) ? 128 : 65536);
			break;
		case 3:
			head->l4_len = below(self, 256);
			break;
		case 4:
			head->max_segment_size = below(self, 65536);
			if (head->packet_len > 20000)
				head->max_segment_size |= 1024;
			break;
		case 5:
			head->vlan = below(self, 65536);
			break;
		case 6:
			head->len = NB_MIN_PACKET_LEN + below(self, head->len);
			head->packet_len = head->len;
			break;
		default:
			self->ip.data[12 + below(self, 100)] = below(self, 256);
		}
	}
	if (!below(self, 50))
		nb_random_fill(&self->random, self->ip.data + 12, 200);
	if (!below(self, 50))
		head->packet_len = below(self, 70000);
}

TEST_F_TIMEOUT(offload_bad, anything_at_all, 600)
{
	struct nb_tx_segment heads[BATCH];
	struct nb_tx_completion done[BATCH];
	uint64_t ended[NB_TX_UNSUPPORTED + 1] = { 0 };
	struct nb_queue_stats stats;
	unsigned int i, sent;

	for (sent = 0; sent < PACKETS; sent += BATCH) {
		for (i = 0; i < BATCH; i++) {
			make_any_packet(self);
			spoil(self);
			self->head.gpa += i * ROOM;
			memcpy(nb_guest_ptr(&self->guest, self->head.gpa, ROOM), self->ip.data,
			       self->head.len);
			heads[i] = self->head;
		}
		ASSERT_EQ(BATCH, nb_queue_tx_avail(self->nic.queue, heads, BATCH, NULL));
		ASSERT_EQ(BATCH, nb_tx_reap(self->nic.queue, done, BATCH));
		for (i = 0; i < BATCH; i++) {
			ASSERT_LE(done[i].status, NB_TX_UNSUPPORTED);
			ended[done[i].status]++;
		}
	}
	TH_LOG("%llu good, %llu dropped, %llu invalid", (unsigned long long)ended[NB_TX_OK],
	       (unsigned long long)ended[NB_TX_DROPPED],
	       (unsigned long long)ended[NB_TX_INVALID]);
	EXPECT_EQ(0, ended[NB_TX_FAULT]);
	EXPECT_EQ(0, ended[NB_TX_UNSUPPORTED]);
	EXPECT_LT(PACKETS / 8, ended[NB_TX_OK]);
	EXPECT_LT(PACKETS / 8, ended[NB_TX_INVALID]);
	ASSERT_EQ(0, nb_queue_stats(self->nic.queue, &stats));
	EXPECT_EQ(ended[NB_TX_OK], stats.tx_packets);
	EXPECT_EQ(ended[NB_TX_DROPPED], stats.tx_dropped);
	EXPECT_EQ(ended[NB_TX_INVALID], stats.tx_errors);
	make_good(self, &tcp4, TSO, 1000);
	EXPECT_EQ(NB_TX_OK, transmit(self));
}

TEST_HARNESS_MAIN
