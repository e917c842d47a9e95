// SPDX-License-Identifier: GPL-2.0
/*
 * What is wrong with a ring, or with a chain in it, is told in one line, however often a guest
 * does it again: for each thing there is a case, with the words.  See vhost_said.h.
 */
#include <linux/if_ether.h>
#include <sys/eventfd.h>

#include "vhost_said.h"

#define CONTROL_RING	(1ull << VIRTIO_NET_F_MQ | 1ull << VIRTIO_NET_F_CTRL_VQ)
#define WRAP		(1u << VRING_PACKED_EVENT_F_WRAP_CTR)
#define NOWHERE		GPA(NB_FRONT_SIZE)
/* in the front-end's memory, behind its receive buffers: an in-flight region */
#define INFLIGHT	0x300000u
#define INFLIGHT_SIZE	0x10000u

static const uint64_t layouts[] = { SPLIT, PACKED };
/* for which of them a case is */
enum { IN_SPLIT = 1, IN_PACKED, IN_BOTH };

/* ---- rings that are not used --------------------------------------------- */

static void set_inflight(struct nb_front *front, uint16_t queues, uint16_t entries)
{
	const struct vu_inflight region = { INFLIGHT_SIZE, INFLIGHT, queues, entries };

	nb_front_send(front, VU_SET_INFLIGHT_FD, &region, sizeof(region), &front->memfd, 1);
}

/* What somebody else has left for the first ring: so many entries, and an index. */
static void leave_inflight(struct nb_front *front, uint16_t entries)
{
	uint16_t *part = (void *)(front->ram + INFLIGHT);
	unsigned int i;

	for (i = 0; i < 16; i++)
		part[i] = 0xffff;
	part[4] = 1;
	part[5] = entries;
	set_inflight(front, 4, NB_FRONT_ENTRIES);
}

static void set_misaligned(struct nb_front *front)
{
	const struct vu_vring_addr addr = { .index = TX, .desc = NB_FRONT_USER + 8 };

	nb_front_send(front, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static const char no_sense[] = "its in-flight region makes no sense";

static const struct {
	const char *words;
	unsigned int layouts;
	unsigned int what;
} unusable[] = {
	{ "it is not in guest memory, or not aligned", IN_BOTH, 0 },
	{ "its size is not a power of two", IN_SPLIT, 1 },
	{ "its base is outside the ring", IN_PACKED, 2 },
	{ "the halves of its base do not fit", IN_PACKED, 3 },
	{ "the in-flight region has no room for it", IN_BOTH, 4 },
	{ "its in-flight region is for another size", IN_BOTH, 5 },
	{ no_sense, IN_BOTH, 6 },
};

/* Does with rings that could be used what makes them useless. */
static void spoil(struct nb_front *front, unsigned int what)
{
	switch (what) {
	case 0:
		return set_misaligned(front);
	case 1:		/* which it may be as long as it is packed */
		nb_front_send_u64(front, VU_SET_FEATURES, front->features | PACKED, -1);
		nb_front_send_state(front, VU_SET_VRING_NUM, TX, 91);
		return nb_front_send_u64(front, VU_SET_FEATURES, front->features, -1);
	case 2:
		return nb_front_send_state(front, VU_SET_VRING_BASE, TX, 0x7fff);
	case 3:
		return nb_front_send_state(front, VU_SET_VRING_BASE, TX, 1 << 16 | WRAP | 2);
	case 4:
		return set_inflight(front, 1, NB_FRONT_ENTRIES);
	case 5:
		return leave_inflight(front, NB_FRONT_ENTRIES / 2);
	case 6:
		return leave_inflight(front, NB_FRONT_ENTRIES);
	}
}

/* The last message that they need comes last. */
static void open_unusable(FIXTURE_DATA(said) *self, uint64_t layout, unsigned int what)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	nb_front_connect(front, PATH);
	nb_front_negotiate(front, layout);
	for (i = 0; i < 2; i++)
		nb_front_set_ring(front, i, nb_front_base(front));
	spoil(front, what);
	nb_front_set_memory(front);
	for (i = 0; i < 5; i++)
		nb_front_ask(front, VU_GET_FEATURES);
}

TEST_F_TIMEOUT(said, a_ring_that_cannot_be_used_is_told_in_one_line, 120)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_LEN(unusable); i++) {
		for (j = 0; j < ARRAY_LEN(layouts); j++) {
			if (!(unusable[i].layouts >> j & 1))
				continue;
			begin(_metadata, self, "loopback");
			open_unusable(self, layouts[j], unusable[i].what);
			EXPECT_EQ(1, times_said(self, "ring of pair 0: ", unusable[i].words))
				TH_LOG("layout %u: %s", j, unusable[i].words);
			EXPECT_EQ(1, count_lines(self))
				TH_LOG("layout %u: %s", j, unusable[i].words);
		}
	}
}

/* ---- chains -------------------------------------------------------------- */

/**
 * struct chain_case - a chain that is wrong, and comes back with nothing in it
 * @words: that say so
 * @layouts: in which it can be
 * @ring: of which it is
 * @n: descriptors; if there are many, all are as the first
 * @desc: these
 * @table: where a descriptor may say that there is a table
 * @header: in front of the packet, if there is one
 * @type: of the packet
 * @waits: a packet waits, for which it is no place
 */
struct chain_case {
	const char *words;
	unsigned int layouts;
	unsigned int ring;
	unsigned int n;
	struct vring_desc desc[2];
	struct vring_desc table[2];
	struct virtio_net_hdr_v1 header;
	uint16_t type;
	bool waits;
};

#define PACKET(len)		{ GPA(NB_FRONT_TX), HEADER + (len) }
#define IN_TABLE(entries)	{ GPA(NB_FRONT_TABLE), (entries) * 16, INDIRECT }
#define NEEDS_CSUM(start, at)	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = (start), \
				.csum_offset = (at)
/* of IPv4 */
#define TCP_CSUM		NEEDS_CSUM(34, 16)

static const char wrong_way[] = "a descriptor of the wrong direction";
static const char ends_no_chain[] = "an indirect table that does not end a chain";

static const struct chain_case chains[] = {
	{ wrong_way, IN_BOTH, TX, 1, { { GPA(NB_FRONT_TX), 100, WRITE } } },
	{ wrong_way, IN_BOTH, RX, 1, { { GPA(NB_FRONT_RX), 1536 } } },
	{ wrong_way, IN_BOTH, CONTROL, 2, { { GPA(NB_FRONT_TX), 1, WRITE },
					    { GPA(NB_FRONT_TX), 1 } } },
	{ "a descriptor that is too long", IN_BOTH, TX, 1, { { GPA(NB_FRONT_TX), ~0u } } },
	{ "a descriptor that is nowhere in guest memory", IN_BOTH, TX, 1, { { ~0ull - 10, 100 } } },
	{ "a chain of too many descriptors", IN_BOTH, TX, 66, { { GPA(NB_FRONT_TX), 20 } } },
	{ "a loop of descriptors, or too many of them", IN_SPLIT, TX, 200, { { 0 } } },
	{ "a descriptor outside its table", IN_SPLIT, TX, 1, { IN_TABLE(2) },
	  { { GPA(NB_FRONT_TX), 50, NEXT, 2 } } },
	{ "an indirect table that is not in guest memory", IN_BOTH, TX, 1,
	  { { NOWHERE, 32, INDIRECT } } },
	{ "an indirect table that is not in guest memory", IN_BOTH, TX, 1,
	  { { GPA(NB_FRONT_TABLE), 33, INDIRECT } } },
	{ "a table of too many descriptors", IN_BOTH, TX, 1, { IN_TABLE(131) } },
	{ ends_no_chain, IN_SPLIT, TX, 2, { IN_TABLE(1), PACKET(60) } },
	{ ends_no_chain, IN_SPLIT, TX, 1, { IN_TABLE(1) }, { IN_TABLE(1) } },
	{ "an indirect table that is not a chain of its own", IN_PACKED, TX, 2,
	  { PACKET(60), IN_TABLE(1) } },
	{ "an indirect table in an indirect table", IN_PACKED, TX, 1, { IN_TABLE(1) },
	  { IN_TABLE(1) } },

	{ "a packet that is too short or too long", IN_BOTH, TX, 1, { PACKET(13) } },
	{ "a packet that is too short or too long", IN_BOTH, TX, 1, { PACKET(1 << 20) } },
	{ "a header that is not in guest memory", IN_BOTH, TX, 1, { { NOWHERE, 100 } } },
	{ "a packet that is not in guest memory", IN_BOTH, TX, 2,
	  { PACKET(0), { NOWHERE, 100 } }, .header = { TCP_CSUM } },
	{ "a packet that is not in guest memory", IN_BOTH, TX, 2,
	  { PACKET(0), { NOWHERE, 100 } } },
	/* with the header in the first, a packet has one segment too many */
	{ "a packet that the kernel refuses", IN_BOTH, TX, 65, { { GPA(NB_FRONT_TX), 20 } } },
	{ "a checksum of something that is not IP", IN_BOTH, TX, 1, { PACKET(60) },
	  .header = { TCP_CSUM }, .type = 0x88b5 },
	{ "a checksum of something that is not IP", IN_BOTH, TX, 1, { PACKET(60) },
	  .header = { NEEDS_CSUM(14, 16) }, .type = ETH_P_IP },
	{ "a checksum that is neither of TCP nor of UDP", IN_BOTH, TX, 1, { PACKET(60) },
	  .header = { NEEDS_CSUM(34, 3) }, .type = ETH_P_IP },
	{ "a TCP header that is not there", IN_BOTH, TX, 1, { PACKET(40) },
	  .header = { TCP_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000 },
	  .type = ETH_P_IP },
	{ "segmentation that was not offered", IN_BOTH, TX, 1, { PACKET(60) },
	  .header = { TCP_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1000 },
	  .type = ETH_P_IP },
	{ "segmentation without a checksum", IN_BOTH, TX, 1, { PACKET(60) },
	  .header = { .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000 } },

	{ "a receive buffer that is too short", IN_BOTH, RX, 1,
	  { { GPA(NB_FRONT_RX), HEADER, WRITE } } },
	{ "a receive buffer whose header is in pieces", IN_BOTH, RX, 2,
	  { { GPA(NB_FRONT_RX), 5, WRITE }, { GPA(NB_FRONT_RX), 1536, WRITE } } },
	{ "a receive buffer of too many descriptors", IN_BOTH, RX, 65,
	  { { GPA(NB_FRONT_RX), 100, WRITE } } },
	{ "a receive buffer that is not in guest memory", IN_BOTH, RX, 1,
	  { { NOWHERE - 100, 1536, WRITE } }, .waits = true },

	{ "a command without room for its answer", IN_BOTH, CONTROL, 1,
	  { { GPA(NB_FRONT_TX), 10 } } },
	{ "an answer that is to go outside guest memory", IN_BOTH, CONTROL, 2,
	  { { GPA(NB_FRONT_TX), 10 }, { NOWHERE, 1, WRITE } } },
};

static const char *name_of(unsigned int ring)
{
	return ring == CONTROL ? "control ring: " :
	       ring == RX ? "receive ring 0: " : "transmit ring 0: ";
}

/* A guest with a pair of rings, and a control ring, on which there is nothing. */
static void open_guest(FIXTURE_DATA(said) *self, uint64_t layout)
{
	struct nb_front *front = &self->front;

	nb_front_open(front, PATH, layout | TABLES | CONTROL_RING);
	nb_front_set_ring(front, CONTROL, nb_front_base(front));
	nb_front_ask(front, VU_GET_FEATURES);
}

/* What the descriptors of a case name. */
static void fill_memory(struct nb_front *front, const struct chain_case *about)
{
	struct vring_packed_desc *packed = (void *)(front->ram + NB_FRONT_TABLE);
	struct vring_desc *split = (void *)packed;
	uint8_t *packet = front->ram + NB_FRONT_TX;
	unsigned int i;

	memcpy(packet, &about->header, HEADER);
	memset(packet + HEADER, 0, 60);
	packet[HEADER + 12] = about->type >> 8;
	packet[HEADER + 13] = about->type & 0xff;
	for (i = 0; i < 2; i++) {
		const struct vring_desc *entry = &about->table[i];

		if (front->packed)
			packed[i] = (struct vring_packed_desc){
				.addr = entry->addr, .len = entry->len, .flags = entry->flags,
			};
		else
			split[i] = *entry;
	}
}

/* Makes the chain available; whether it comes back with nothing in it. */
static bool comes_back_empty(struct nb_front *front, const struct chain_case *about)
{
	struct vring_desc desc[200];
	uint32_t id, used;
	unsigned int i;

	for (i = 0; i < about->n; i++)
		desc[i] = about->desc[about->n > ARRAY_LEN(about->desc) ? 0 : i];
	fill_memory(front, about);
	nb_front_chain(front, about->ring, 0, desc, about->n);
	nb_front_kick(front, about->ring);
	return nb_front_used(front, about->ring, &id, &used) && !id && !used;
}

/* Three times it is told once; when the ring is set up again, once more. */
static void try_chain(struct __test_metadata *_metadata, FIXTURE_DATA(said) *self,
		      uint64_t layout, const struct chain_case *about)
{
	const char *name = layout == PACKED ? "packed" : "split";
	struct nb_front *front = &self->front;
	const uint8_t frame[60] = "";
	unsigned int round, i;

	open_guest(self, layout);
	for (round = 1; round <= 2; round++) {
		if (about->waits)
			nb_front_send_pieces(front, round, frame, sizeof(frame), 1, false);
		for (i = 0; i < 3; i++) {
			ASSERT_TRUE(comes_back_empty(front, about))
				TH_LOG("%s: %s", name, about->words);
		}
		EXPECT_EQ(round, times_said(self, name_of(about->ring), about->words))
			TH_LOG("%s: %s", name, about->words);
		EXPECT_EQ(round, count_lines(self))
			TH_LOG("%s: %s", name, about->words);
		nb_front_set_ring(front, about->ring, nb_front_stop(front, about->ring));
	}
}

TEST_F_TIMEOUT(said, a_chain_that_is_wrong_is_told_in_one_line_a_ring, 300)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_LEN(chains); i++) {
		for (j = 0; j < ARRAY_LEN(layouts); j++) {
			if (!(chains[i].layouts >> j & 1))
				continue;
			begin(_metadata, self, "loopback");
			try_chain(_metadata, self, layouts[j], &chains[i]);
		}
	}
}

/* ---- rings that are broken ----------------------------------------------- */

static const struct {
	const char *words;
	unsigned int layouts;
	unsigned int ring;
	unsigned int what;
} breaks[] = {
	{ "its available index has jumped", IN_SPLIT, TX, 0 },
	{ "its available index has jumped", IN_SPLIT, RX, 0 },
	{ "its available index has jumped", IN_SPLIT, CONTROL, 0 },
	{ "a chain begins outside the table", IN_SPLIT, TX, 1 },
	{ "it makes a chain available that is in use", IN_BOTH, RX, 2 },
	{ "a chain of more descriptors than are the guest's", IN_PACKED, TX, 3 },
	{ "the id of a chain is outside the ring", IN_PACKED, TX, 4 },
	{ "the id of a chain is outside the ring", IN_PACKED, CONTROL, 4 },
};

static void break_ring(struct nb_front *front, unsigned int ring, unsigned int what)
{
	struct vring_desc desc[NB_FRONT_ENTRIES];
	unsigned int i;

	switch (what) {
	case 0:
		front->rings[ring].avail->idx += NB_FRONT_ENTRIES + 1;
		break;
	case 1:
		nb_front_avail(front, ring, NB_FRONT_ENTRIES);
		break;
	case 2:
		for (i = 0; i < 2; i++)
			nb_front_post(front, 0, 0, 1);
		break;
	case 3:
		for (i = 0; i < NB_FRONT_ENTRIES; i++)
			desc[i] = (struct vring_desc){ GPA(NB_FRONT_TX), 10, NEXT };
		nb_front_chain(front, ring, 0, desc, NB_FRONT_ENTRIES);
		break;
	case 4:
		nb_packed_desc(front, ring, GPA(NB_FRONT_TX), 100, NB_FRONT_ENTRIES, 0);
		break;
	}
	nb_front_kick(front, ring);
}

/* Another ring's chain that is wrong has been looked at: so has this ring, once more. */
static bool is_looked_at_again(struct nb_front *front, unsigned int ring)
{
	/* of the wrong direction, of the first rings */
	const struct chain_case *other = &chains[ring == TX ? 1 : 0];

	nb_front_kick(front, ring);
	nb_front_ask(front, VU_GET_FEATURES);
	return comes_back_empty(front, other);
}

/* Also behind a chain that was wrong, and the other ring of the pair is told of, too. */
static void try_break(struct __test_metadata *_metadata, FIXTURE_DATA(said) *self,
		      unsigned int number, uint64_t layout, bool behind)
{
	const unsigned int ring = breaks[number].ring;
	const char *words = breaks[number].words;
	struct nb_front *front = &self->front;
	bool looked_at = true;
	unsigned int i;

	open_guest(self, layout);
	if (behind) {
		/* the first ones are of these rings */
		ASSERT_TRUE(comes_back_empty(front, &chains[ring == CONTROL ? 2 : ring == RX]));
	}
	break_ring(front, ring, breaks[number].what);
	EXPECT_TRUE(nb_until(times_said(self, name_of(ring), words)))
		TH_LOG("%s", words);
	for (i = 0; i < 3; i++)
		looked_at &= is_looked_at_again(front, ring);
	ASSERT_TRUE(looked_at);
	EXPECT_EQ(1, times_said(self, name_of(ring), words))
		TH_LOG("%s", words);
	EXPECT_EQ(1, times_said(self, name_of(ring == TX ? RX : TX), wrong_way))
		TH_LOG("%s", words);
	EXPECT_EQ(behind ? 3 : 2, count_lines(self))
		TH_LOG("%s", words);
}

TEST_F_TIMEOUT(said, a_ring_that_is_broken_is_told_in_one_line_whatever_was_told_before, 300)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_LEN(breaks); i++) {
		for (j = 0; j < 2 * ARRAY_LEN(layouts); j++) {
			if (!(breaks[i].layouts >> j / 2 & 1))
				continue;
			begin(_metadata, self, "loopback");
			try_break(_metadata, self, i, layouts[j / 2], j & 1);
		}
	}
}

TEST_HARNESS_MAIN
