// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest says about its flows: how many pairs it uses, which of them a flow comes to,
 * and which hashes it wants to be told
 *
 * In the main thread, but for steering_report().  A command is a copy that nobody changes
 * any more; it is done as a whole, or refused, and then all is as it was.
 *
 * Of the two that say how flows are spread, VQ_PAIRS_SET and RSS_CONFIG, the last one
 * counts; of the two that say what is hashed, RSS_CONFIG and HASH_CONFIG, too.  There is one
 * key for both, as net_backend has one.  It hashes TCP and UDP by addresses and ports, and
 * other IP, and fragments, by addresses.
 */
#include <endian.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "nbvhost.h"

/* where things are in the data of RSS_CONFIG, and of HASH_CONFIG */
enum {
	TYPES		= 0,
	MASK		= 4,
	UNCLASSIFIED	= 6,
	TABLE		= 8,
	TX_PAIRS	= 0,	/* behind the table */
	KEY_LEN		= 2,
	KEY		= 3,
};

#define IPV4_TYPES	(VIRTIO_NET_RSS_HASH_TYPE_IPv4 | VIRTIO_NET_RSS_HASH_TYPE_TCPv4 | \
			 VIRTIO_NET_RSS_HASH_TYPE_UDPv4)
#define IPV6_TYPES	(VIRTIO_NET_RSS_HASH_TYPE_IPv6 | VIRTIO_NET_RSS_HASH_TYPE_TCPv6 | \
			 VIRTIO_NET_RSS_HASH_TYPE_UDPv6)

/* ---- what there is ------------------------------------------------------- */

/* What can be negotiated. */
uint64_t steering_features(const struct nic *nic)
{
	uint64_t features = BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ);

	if (nic->max_pairs == 1)
		return 0;
	if (nic->info.indirection_table_size)
		features |= BIT(VIRTIO_NET_F_RSS) | BIT(VIRTIO_NET_F_HASH_REPORT);
	return features;
}

/* Most entries of a guest's table: a power of two, and what Linux' driver has room for. */
uint16_t steering_max_table(const struct nic *nic)
{
	uint16_t size = MAX_TABLE;

	while (size > nic->info.indirection_table_size)
		size /= 2;
	return size;
}

uint32_t steering_types(void)
{
	return IPV4_TYPES | IPV6_TYPES;
}

/* ---- when it is on ------------------------------------------------------- */

/* The guest begins anew, or there is none any more. */
void steering_forget(struct nic *nic)
{
	nic->steering = (struct steering){ 0 };
}

/* The control ring is going to begin there: where it was stopped, or another guest begins. */
void steering_set_base(struct nic *nic, const struct vq *vq, uint32_t base)
{
	if (vq == control_vq(nic) && base != vq->base)
		steering_forget(nic);
}

/* Has nothing been said by this ring yet?  Either layout. */
static bool is_new(uint32_t base)
{
	const uint32_t wrap = 1u << VRING_PACKED_EVENT_F_WRAP_CTR;

	return !base || base == wrap || base == (wrap << 16 | wrap);
}

/*
 * The control ring is there: a guest uses one pair until it says more.  If it has said so to
 * somebody who is not there any more, that is not known here: it may use all.
 */
void steering_begin(struct nic *nic)
{
	if (!nic->steering.pairs)
		nic->steering.pairs = is_new(control_vq(nic)->base) ? 1 : nic->max_pairs;
}

/* Does the endpoint hash with the guest's key?  It may be another than when that was said. */
static bool is_hashed(const struct nic *nic)
{
	const struct steering *steering = &nic->steering;
	uint32_t size = steering->table_len ? steering->table_len : nic->n_pairs;

	return steering->key_len && size <= nic->info.indirection_table_size;
}

/* The same for an endpoint with @n queues; NULL if it spreads flows in its own way. */
const struct nb_rss_config *steering_rss(const struct nic *nic, unsigned int n,
					 struct nb_rss_config *config, uint16_t *table)
{
	const struct steering *steering = &nic->steering;
	uint32_t size = steering->table_len ? steering->table_len : n, i;

	if (!steering->key_len || size > nic->info.indirection_table_size)
		return NULL;
	/* the front-end may not have started as many pairs as there are in the table */
	for (i = 0; i < size; i++)
		table[i] = (uint16_t)(steering->table_len ? steering->table[i] % n : i);
	*config = (struct nb_rss_config){
		.key = (uintptr_t)steering->key,
		.key_len = steering->key_len,
		.table = (uintptr_t)table,
		.table_len = size,
	};
	return config;
}

/* Which hash of a packet its metadata has, as a guest is told; in a pair's thread. */
uint16_t steering_report(const struct nic *nic, const struct nb_rx_metadata *packet)
{
	unsigned int type;

	if (!packet->hash || packet->l3_protocol == NB_L3_UNKNOWN || !is_hashed(nic))
		return VIRTIO_NET_HASH_REPORT_NONE;
	/* IP, TCP and UDP of one version, then those of the other */
	type = packet->l3_protocol == NB_L3_IPV6 ? 3 : 0;
	if (packet->l4_protocol == NB_L4_TCP)
		type += 1;
	else if (packet->l4_protocol == NB_L4_UDP)
		type += 2;
	return nic->steering.types >> type & 1 ? (uint16_t)(VIRTIO_NET_HASH_REPORT_IPv4 + type) :
						 VIRTIO_NET_HASH_REPORT_NONE;
}

/* ---- commands ------------------------------------------------------------ */

static uint16_t word_at(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t long_at(const uint8_t *bytes)
{
	return word_at(bytes) | (uint32_t)word_at(bytes + 2) << 16;
}

static bool is_pair_count(const struct nic *nic, uint32_t n)
{
	return n && n <= nic->max_pairs;
}

/* TCP and UDP of a version by their addresses alone, as other IP, is not what there is. */
static bool are_types_possible(uint32_t types)
{
	bool ipv4 = types & VIRTIO_NET_RSS_HASH_TYPE_IPv4 && (types & IPV4_TYPES) != IPV4_TYPES;
	bool ipv6 = types & VIRTIO_NET_RSS_HASH_TYPE_IPv6 && (types & IPV6_TYPES) != IPV6_TYPES;

	return !ipv4 && !ipv6 && !(types & ~steering_types());
}

/* Types, and a key, which is at the end of so many bytes. */
static bool take_hash(struct steering *next, uint32_t types, const uint8_t *key_len, size_t left)
{
	const uint8_t *key = key_len + 1;

	if (!are_types_possible(types) || *key_len > MAX_KEY || left != 1u + *key_len ||
	    (types && !*key_len))
		return false;
	next->types = types;
	if (!types)
		return true;
	memset(next->key, 0, sizeof(next->key));
	memcpy(next->key, key, *key_len);
	next->key_len = *key_len;
	return true;
}

/* Flows are spread over so many pairs. */
static bool set_pairs(const struct nic *nic, const uint8_t *data, size_t len,
		      struct steering *next)
{
	if (len != sizeof(uint16_t) || !is_pair_count(nic, word_at(data)))
		return false;
	next->pairs = word_at(data);
	memset(next->table, 0, sizeof(next->table));
	next->table_len = 0;
	/* a key is only needed for what is reported now */
	if (!has_feature(nic, VIRTIO_NET_F_HASH_REPORT))
		next->types = 0;
	if (!next->types)
		next->key_len = 0;
	return true;
}

/*
 * A table.  A pair that it names is used, and one that the guest has said that it uses stays,
 * so that none of its rings stands still.
 */
static bool take_table(const struct nic *nic, const uint8_t *data, uint32_t entries,
		       struct steering *next)
{
	uint32_t i, pair;

	if (entries & (entries - 1) || entries > steering_max_table(nic))
		return false;
	memset(next->table, 0, sizeof(next->table));
	next->table_len = entries;
	for (i = 0; i < entries; i++) {
		pair = word_at(data + 2 * i);
		if (!is_pair_count(nic, pair + 1))
			return false;
		next->table[i] = (uint16_t)pair;
		if (next->pairs < pair + 1)
			next->pairs = pair + 1;
	}
	return true;
}

/* Without any type, all packets come to one pair. */
static void use_one(struct steering *next, uint16_t pair)
{
	memset(next->table, 0, sizeof(next->table));
	memset(next->key, 0, sizeof(next->key));
	next->table_len = 1;
	next->table[0] = pair;
	next->key_len = 1;
	if (next->pairs < pair + 1u)
		next->pairs = pair + 1u;
}

static bool set_rss(const struct nic *nic, const uint8_t *data, size_t len,
		    struct steering *next)
{
	const uint8_t *rest;
	uint32_t entries;
	uint16_t other;

	if (len < TABLE)
		return false;
	entries = word_at(data + MASK) + 1u;
	other = word_at(data + UNCLASSIFIED);
	if (len < TABLE + 2 * entries + KEY || !is_pair_count(nic, other + 1u) ||
	    !take_table(nic, data + TABLE, entries, next))
		return false;
	rest = data + TABLE + 2 * entries;
	if (!is_pair_count(nic, word_at(rest + TX_PAIRS)) ||
	    !take_hash(next, long_at(data + TYPES), rest + KEY_LEN,
		       len - TABLE - 2 * entries - KEY_LEN))
		return false;
	if (next->pairs < word_at(rest + TX_PAIRS))
		next->pairs = word_at(rest + TX_PAIRS);
	if (!next->types)
		use_one(next, other);
	return true;
}

/* Its reserved words are not looked at: Linux' driver has others there than 0. */
static bool set_hash(const uint8_t *data, size_t len, struct steering *next)
{
	const size_t key_len = sizeof(uint32_t) + 4 * sizeof(uint16_t);

	return len > key_len && take_hash(next, long_at(data), data + key_len, len - key_len);
}

static bool parse(const struct nic *nic, const uint8_t *command, size_t len,
		  struct steering *next)
{
	const struct virtio_net_ctrl_hdr *head = (const void *)command;
	const uint8_t *data = command + sizeof(*head);

	if (len < sizeof(*head) || head->class != VIRTIO_NET_CTRL_MQ)
		return false;
	len -= sizeof(*head);
	switch (head->cmd) {
	case VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET:
		return has_feature(nic, VIRTIO_NET_F_MQ) && set_pairs(nic, data, len, next);
	case VIRTIO_NET_CTRL_MQ_RSS_CONFIG:
		return has_feature(nic, VIRTIO_NET_F_RSS) && set_rss(nic, data, len, next);
	case VIRTIO_NET_CTRL_MQ_HASH_CONFIG:
		return has_feature(nic, VIRTIO_NET_F_HASH_REPORT) && set_hash(data, len, next);
	default:
		return false;
	}
}

/* Do what a command says; false if it is refused.  @changed: it was not so already. */
bool steering_command(struct nic *nic, const uint8_t *command, size_t len, bool *changed)
{
	struct steering next = nic->steering;

	if (!parse(nic, command, len, &next))
		return false;
	*changed = memcmp(&next, &nic->steering, sizeof(next));
	return !*changed || nic_steer(nic, &next);
}
