// SPDX-License-Identifier: GPL-2.0
/*
 * Receive-side scaling.  Owns struct nb_rss, which its users exchange under RCU.  Takes
 * no locks; nb_rss_create() in process context, the rest in any.
 */
#include <linux/err.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "ioctl.h"
#include "rss.h"

/* Bits @first … @first + 31 of the key; behind its end there are zeros. */
static u32 nb_rss_key_bits(const struct nb_rss *rss, unsigned int first)
{
	u32 bits = 0;
	unsigned int i;

	for (i = first; i < first + 32; i++) {
		bits <<= 1;
		if (i / 8 < rss->key_len)
			bits |= (rss->key[i / 8] >> (7 - i % 8)) & 1;
	}
	return bits;
}

/* A bit of the input that is set adds the 32 bits of the key from its place on. */
static void nb_rss_fill_nibbles(struct nb_rss *rss)
{
	unsigned int place, value, bit;

	for (place = 0; place < ARRAY_SIZE(rss->nibble); place++)
		for (value = 0; value < 16; value++)
			for (bit = 0; bit < 4; bit++)
				if (value & (8 >> bit))
					rss->nibble[place][value] ^=
						nb_rss_key_bits(rss, 4 * place + bit);
}

static int nb_rss_check(const struct nb_rss_config *config, u16 max_table,
			struct nb_msg *msg)
{
	if (!config->flags && !config->reserved && config->key_len &&
	    config->key_len <= NB_MAX_RSS_KEY_LEN && config->table_len &&
	    config->table_len <= max_table)
		return 0;
	nb_msg(msg, "RSS takes 1 to %d bytes of key, 1 to %u entries, flags 0",
	       NB_MAX_RSS_KEY_LEN, max_table);
	return -EINVAL;
}

static int nb_rss_copy_table(struct nb_rss *rss, u64 from, u32 n_queues,
			     struct nb_msg *msg)
{
	unsigned int i;

	if (copy_from_user(rss->table, u64_to_user_ptr(from),
			   rss->table_len * sizeof(rss->table[0])))
		return -EFAULT;
	for (i = 0; i < rss->table_len; i++) {
		if (rss->table[i] < n_queues)
			continue;
		nb_msg(msg, "entry %u of the indirection table is %u, and there are %u queues",
		       i, rss->table[i], n_queues);
		return -EINVAL;
	}
	return 0;
}

static struct nb_rss *nb_rss_copy(const struct nb_rss_config *config, u32 n_queues,
				  struct nb_msg *msg)
{
	struct nb_rss *rss;
	int err;

	rss = kzalloc(struct_size(rss, table, config->table_len), GFP_KERNEL_ACCOUNT);
	if (!rss)
		return ERR_PTR(-ENOMEM);
	rss->key_len = config->key_len;
	rss->table_len = config->table_len;
	err = nb_rss_copy_table(rss, config->table, n_queues, msg);
	if (!err && copy_from_user(rss->key, u64_to_user_ptr(config->key), rss->key_len))
		err = -EFAULT;
	if (err) {
		kfree(rss);
		return ERR_PTR(err);
	}
	nb_rss_fill_nibbles(rss);
	return rss;
}

struct nb_rss *nb_rss_create(u64 config, u32 size, u16 max_table, u32 n_queues,
			     struct nb_msg *msg)
{
	struct nb_rss_config copy = {};
	int err;

	if (!max_table) {
		nb_msg(msg, "this kind of endpoint has no RSS");
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (size < sizeof(copy)) {
		nb_msg(msg, "rss_size %u is not that of struct nb_rss_config", size);
		return ERR_PTR(-EINVAL);
	}
	err = size > PAGE_SIZE ? -E2BIG :
	      copy_struct_from_user(&copy, sizeof(copy), u64_to_user_ptr(config), size);
	if (!err)
		err = nb_rss_check(&copy, max_table, msg);
	if (err)
		return ERR_PTR(err);
	return nb_rss_copy(&copy, n_queues, msg);
}

void nb_rss_free(struct nb_rss *rss)
{
	kfree(rss);
}
EXPORT_SYMBOL_GPL(nb_rss_free);

u32 nb_rss_toeplitz(const struct nb_rss *rss, const u8 *input, unsigned int len)
{
	u32 hash = 0;
	unsigned int i;

	for (i = 0; i < len; i++)
		hash ^= rss->nibble[2 * i][input[i] >> 4] ^
			rss->nibble[2 * i + 1][input[i] & 15];
	return hash;
}

/* The ports of TCP and UDP begin at @l4; elsewhere there are none. */
static unsigned int nb_rss_add_ports(const struct sk_buff *skb, u8 protocol, int l4,
				     u8 *input)
{
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return 0;
	return skb_copy_bits(skb, l4, input, 4) ? 0 : 4;
}

static unsigned int nb_rss_input_ipv4(const struct sk_buff *skb, int l3, u8 *input)
{
	struct iphdr buffer;
	const struct iphdr *ip = skb_header_pointer(skb, l3, sizeof(buffer), &buffer);

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return 0;
	memcpy(input, &ip->addrs, 8);
	if (ip_is_fragment(ip))
		return 8;
	return 8 + nb_rss_add_ports(skb, ip->protocol, l3 + ip->ihl * 4, input + 8);
}

static unsigned int nb_rss_input_ipv6(const struct sk_buff *skb, int l3, u8 *input)
{
	struct ipv6hdr buffer;
	const struct ipv6hdr *ip = skb_header_pointer(skb, l3, sizeof(buffer), &buffer);
	__be16 fragment = 0;
	u8 next;
	int l4;

	if (!ip || ip->version != 6)
		return 0;
	memcpy(input, &ip->addrs, 32);
	next = ip->nexthdr;
	l4 = ipv6_skip_exthdr(skb, l3 + sizeof(*ip), &next, &fragment);
	if (l4 < 0 || fragment)
		return 32;
	return 32 + nb_rss_add_ports(skb, next, l4, input + 32);
}

u16 nb_rss_select(const struct nb_rss *rss, struct sk_buff *skb)
{
	int l3 = skb_network_offset(skb);
	u8 input[NB_RSS_INPUT_LEN];
	unsigned int len = 0;
	u32 hash;

	if (l3 >= ETH_HLEN && skb->protocol == htons(ETH_P_IP))
		len = nb_rss_input_ipv4(skb, l3, input);
	else if (l3 >= ETH_HLEN && skb->protocol == htons(ETH_P_IPV6))
		len = nb_rss_input_ipv6(skb, l3, input);
	/* As a hash of software's, it is not replaced by one of the stack's. */
	if (!len) {
		__skb_set_sw_hash(skb, 0, false);
		return rss->table[0];
	}
	hash = nb_rss_toeplitz(rss, input, len);
	__skb_set_sw_hash(skb, hash, len % 8);
	return rss->table[hash % rss->table_len];
}
EXPORT_SYMBOL_GPL(nb_rss_select);
