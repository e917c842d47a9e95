/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of vhost_control.c and vhost_rss.c: nbvhost with an interface of the host, and
 * a guest that has three pairs of rings and a control ring.
 *
 *	rings, control ring -- nbvhost -- nb0 -- packet socket
 *
 * Beside it there is a bystander with a device of kind loopback, who has to be served.
 */
#ifndef VHOST_CONTROL_H
#define VHOST_CONTROL_H

#include <net/if.h>
#include <string.h>

#include <linux/ethtool.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "kselftest_harness.h"
#include "nbfrontend.h"
#include "nbip.h"
#include "../tools/nbvhost/vhost_user.h"

#define PATH		"/tmp/nb-vhost-control"
#define BYSTANDER	"/tmp/nb-vhost-control-bystander"
#define PAIRS		3u
#define CONTROL		(2 * PAIRS)
#define BUFFERS		64u
#define FLOWS		40u
#define KEY		40u
#define TABLE		128u
#define TYPES		0x3fu

/* where commands, answers and indirect tables are */
#define COMMAND		(NB_FRONT_TABLE + 0x8000)
#define ANSWER		(NB_FRONT_TABLE + 0x9000)
#define GPA(offset)	(NB_FRONT_GPA + (offset))
#define NOWHERE		GPA(NB_FRONT_SIZE)
#define WRITE		VRING_DESC_F_WRITE
#define INDIRECT	VRING_DESC_F_INDIRECT
#define NEXT		VRING_DESC_F_NEXT

#define BIT(n)		(1ull << (n))
#define MQ		(BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ))
#define RSS		(MQ | BIT(VIRTIO_NET_F_RSS))
#define REPORT		BIT(VIRTIO_NET_F_HASH_REPORT)
#define TABLES		BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX	BIT(VIRTIO_RING_F_EVENT_IDX)

FIXTURE(vhost_control)
{
	pid_t server;
	uint64_t layout;
	struct nb_front front, bystander;
	struct nb_host host;
	struct nb_random random;
	struct virtio_net_hdr_v1 header;
	struct nb_ip sent, got;
	uint8_t key[KEY];
	uint16_t table[TABLE];
};

FIXTURE_VARIANT(vhost_control)
{
	uint64_t layout;
};

FIXTURE_VARIANT_ADD(vhost_control, split) { .layout = 0 };
FIXTURE_VARIANT_ADD(vhost_control, packed) { .layout = BIT(VIRTIO_F_RING_PACKED) };

static inline void run(FIXTURE_DATA(vhost_control) *self)
{
	self->server = nb_vhost_run("-q", "3", PATH, "netdev,name=nb0,mtu=9000", BYSTANDER,
				    "loopback", NULL);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
}

FIXTURE_SETUP(vhost_control)
{
	nb_test_load_module();
	nb_host_new_netns();
	unlink(PATH);
	unlink(BYSTANDER);
	nb_random_start(&self->random);
	nb_random_fill(&self->random, self->key, sizeof(self->key));
	self->layout = variant->layout;
	self->front.memfd = -1;
	self->host.fd = -1;
	run(self);
}

FIXTURE_TEARDOWN(vhost_control)
{
	EXPECT_TRUE(nb_front_works(&self->bystander));
	if (self->host.fd >= 0)
		nb_host_close(&self->host);
	nb_front_close(&self->front);
	nb_front_close(&self->bystander);
	EXPECT_EQ(0, nb_vhost_end(self->server));
}

/* ---- a guest ------------------------------------------------------------- */

static inline void start_control(struct nb_front *front)
{
	nb_front_set_ring(front, CONTROL, nb_front_base(front));
	/* the answer comes when the rings are in use */
	nb_front_ask(front, VU_GET_FEATURES);
}

static inline void open_host(FIXTURE_DATA(vhost_control) *self)
{
	if (self->host.fd >= 0)
		nb_host_close(&self->host);
	nb_host_open(&self->host, if_nametoindex("nb0"));
	nb_ip_want_vnet(&self->host);
}

/* All pairs are there, and the control ring is not. */
static inline void start_pairs(FIXTURE_DATA(vhost_control) *self, uint64_t features)
{
	unsigned int i;

	nb_front_close(&self->front);
	nb_front_open_pairs(&self->front, PATH, self->layout | features, PAIRS);
	for (i = 0; i < PAIRS; i++)
		nb_front_post(&self->front, i, 0, BUFFERS);
	nb_front_ask(&self->front, VU_GET_FEATURES);
	open_host(self);
}

static inline void start(FIXTURE_DATA(vhost_control) *self, uint64_t features)
{
	start_pairs(self, features);
	start_control(&self->front);
}

/* How many queues of the endpoint are used. */
static inline unsigned int used_pairs(void)
{
	struct ethtool_channels get = { .cmd = ETHTOOL_GCHANNELS };

	nb_link_ask_ethtool("nb0", &get);
	return get.combined_count;
}

static inline void say(struct nb_front *front, uint16_t id, const void *command, uint32_t len)
{
	const struct vring_desc chain[] = {
		{ GPA(COMMAND), 2 },
		{ GPA(COMMAND + 2), len - 2 },
		{ GPA(ANSWER), 1, WRITE },
	};

	memcpy(front->ram + COMMAND, command, len);
	front->ram[ANSWER] = 0xee;
	nb_front_chain(front, CONTROL, id, chain, 3);
	nb_front_kick(front, CONTROL);
}

/* Says a command; its answer, or -1 for none. */
static inline int command(struct nb_front *front, const void *command, uint32_t len)
{
	uint32_t id, used;

	say(front, 10, command, len);
	if (!nb_front_used(front, CONTROL, &id, &used) || id != 10 || used != 1)
		return -1;
	return front->ram[ANSWER];
}

static inline int use_pairs(struct nb_front *front, uint16_t n)
{
	const uint8_t set[] = { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, n, n >> 8 };

	return command(front, set, sizeof(set));
}

/* What RSS_CONFIG, or HASH_CONFIG, is to say. */
struct plan {
	uint32_t types;
	uint16_t unclassified;
	uint32_t table_len;
	uint16_t tx_pairs;
	uint8_t key_len;
	int more;		/* bytes that there are too many, or too few */
};

static inline uint8_t *put_word(uint8_t *to, uint16_t word)
{
	*to++ = word;
	*to++ = word >> 8;
	return to;
}

static inline int set_rss(FIXTURE_DATA(vhost_control) *self, const struct plan *plan)
{
	uint8_t bytes[1024] = { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG };
	uint8_t *to = bytes + 2;
	unsigned int i;

	to = put_word(put_word(to, plan->types), plan->types >> 16);
	to = put_word(put_word(to, plan->table_len - 1), plan->unclassified);
	for (i = 0; i < plan->table_len; i++)
		to = put_word(to, self->table[i % TABLE]);
	to = put_word(to, plan->tx_pairs);
	*to++ = plan->key_len;
	memcpy(to, self->key, KEY);
	return command(&self->front, bytes, to + plan->key_len + plan->more - bytes);
}

static inline int set_hash(FIXTURE_DATA(vhost_control) *self, uint32_t types, uint8_t key_len,
			   int more)
{
	uint8_t bytes[256] = { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_HASH_CONFIG };
	uint8_t *to = bytes + 2;

	to = put_word(put_word(to, types), types >> 16);
	/* where Linux' driver has words of its own */
	memset(to, 0xa5, 8);
	to += 8;
	*to++ = key_len;
	memcpy(to, self->key, KEY);
	return command(&self->front, bytes, to + key_len + more - bytes);
}

static inline void any_table(FIXTURE_DATA(vhost_control) *self)
{
	unsigned int i;

	for (i = 0; i < TABLE; i++)
		self->table[i] = nb_random_below(&self->random, PAIRS);
}

static const struct plan usual = {
	.types = TYPES,
	.table_len = TABLE,
	.tx_pairs = PAIRS,
	.key_len = KEY,
};

/* ---- packets ------------------------------------------------------------- */

/* Sends a packet from the host; the pair that it comes to, or -1. */
static inline int arrives(FIXTURE_DATA(vhost_control) *self)
{
	int pair;

	nb_ip_send(&self->host, &self->sent, false, 0);
	pair = nb_front_wait(&self->front);
	if (pair < 0)
		return -1;
	self->got.len = nb_front_receive_on(&self->front, pair, &self->header, self->got.data,
					    sizeof(self->got.data));
	return nb_ip_same(&self->sent, &self->got) ? pair : -1;
}

static inline void make_flow(FIXTURE_DATA(vhost_control) *self, unsigned int i)
{
	const struct nb_ip_plan plan = {
		.ipv6 = i & 1,
		.protocol = i & 2 ? IPPROTO_TCP : IPPROTO_UDP,
		.payload = 100,
		.seed = i,
		.source_port = 1000 + i,
	};

	nb_ip_make(&self->sent, &plan);
}

/* Which pairs flows come to, as bits. */
static inline unsigned int spread(FIXTURE_DATA(vhost_control) *self)
{
	unsigned int i, pairs = 0;
	int pair;

	for (i = 0; i < FLOWS; i++) {
		make_flow(self, i);
		pair = arrives(self);
		if (pair < 0)
			return ~0u;
		pairs |= 1u << pair;
	}
	return pairs;
}

/* Whether each flow comes to the pair that the table says. */
static inline bool follows_table(FIXTURE_DATA(vhost_control) *self, uint32_t len, uint32_t key_len)
{
	unsigned int i;
	uint32_t hash;
	int pair;

	for (i = 0; i < FLOWS; i++) {
		make_flow(self, i);
		hash = nb_ip_hash(&self->sent, self->key, key_len);
		pair = arrives(self);
		if (pair == self->table[hash % len])
			continue;
		fprintf(stderr, "# flow %u, hash %#x, comes to %d instead of %u\n", i, hash, pair,
			self->table[hash % len]);
		return false;
	}
	return true;
}

static inline bool sends(FIXTURE_DATA(vhost_control) *self, unsigned int pair)
{
	const struct virtio_net_hdr_v1 none = { 0 };
	struct nb_seen seen;

	make_flow(self, pair);
	return nb_front_transmit_on(&self->front, pair, 200, &none, self->sent.data,
				    self->sent.len) &&
	       nb_ip_receive(&self->host, &self->got, &seen, true) &&
	       nb_ip_same(&self->sent, &self->got);
}

/* Which report a packet is to have, if the types are these. */
static inline uint16_t report_of(const struct nb_ip *ip, uint32_t types)
{
	uint16_t report = ip->ipv6 ? VIRTIO_NET_HASH_REPORT_IPv6 : VIRTIO_NET_HASH_REPORT_IPv4;

	if (ip->protocol == IPPROTO_TCP)
		report += 1;
	else if (ip->protocol == IPPROTO_UDP)
		report += 2;
	return types >> (report - 1) & 1 ? report : VIRTIO_NET_HASH_REPORT_NONE;
}

/* Whether packets of all kinds come with the hashes of these types. */
static inline bool has_hashes(FIXTURE_DATA(vhost_control) *self, uint32_t types)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_GRE };
	bool merges = self->front.features & BIT(VIRTIO_NET_F_MRG_RXBUF);
	unsigned int i;

	for (i = 0; i < 12; i++) {
		const struct nb_ip_plan plan = {
			.ipv6 = i & 1,
			.protocol = protocols[i / 2 % 3],
			.options = i >= 6 ? 8 : 0,
			.payload = i == 2 && merges ? 2000 : 100,
			.source_port = 1000 + i,
		};
		uint16_t report;
		uint32_t hash;

		nb_ip_make(&self->sent, &plan);
		report = report_of(&self->sent, types);
		hash = report ? nb_ip_hash(&self->sent, self->key, KEY) : 0;
		if (arrives(self) >= 0 && self->front.hash_report == report &&
		    self->front.hash == hash)
			continue;
		fprintf(stderr, "# packet %u, types %#x: report %u and hash %#x, not %u and %#x\n",
			i, types, self->front.hash_report, self->front.hash, report, hash);
		return false;
	}
	return true;
}

#endif /* VHOST_CONTROL_H */
