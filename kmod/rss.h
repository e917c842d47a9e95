/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive-side scaling: which queue a flow goes to, by the frontend's Toeplitz key and
 * indirection table.
 */
#ifndef _NB_RSS_H
#define _NB_RSS_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include <linux/net_backend.h>

struct nb_msg;
struct sk_buff;

/* Bytes that are hashed at most: two IPv6 addresses, two ports. */
#define NB_RSS_INPUT_LEN	36
/* And half bytes. */
#define NB_RSS_NIBBLES		72

/**
 * struct nb_rss - a configuration; constant once it is made
 * @rcu: frees it
 * @key_len: bytes of @key
 * @table_len: entries of @table
 * @key: as the frontend gave it
 * @nibble: what a half byte of the input adds to the hash, by its place and value
 * @table: queues
 */
struct nb_rss {
	struct rcu_head rcu;
	u32 key_len;
	u32 table_len;
	u8 key[NB_MAX_RSS_KEY_LEN];
	u32 nibble[NB_RSS_NIBBLES][16];
	u16 table[];
};

/**
 * nb_rss_create() - make a configuration out of what user space gave
 * @config: user address of a &struct nb_rss_config
 * @size: its size as user space knows it
 * @max_table: entries that its table may have, 0 for a kind without RSS
 * @n_queues: queues that the table may name
 * @msg: says why not
 *
 * Process context.
 *
 * Return: the configuration, for nb_rss_free(); or an ERR_PTR with -EOPNOTSUPP,
 * -EINVAL, -EFAULT, -ENOMEM, -E2BIG.
 */
struct nb_rss *nb_rss_create(u64 config, u32 size, u16 max_table, u32 n_queues,
			     struct nb_msg *msg);

/* Free one that was never used, or NULL. */
void nb_rss_free(struct nb_rss *rss);

/**
 * nb_rss_toeplitz() - the Toeplitz hash
 * @rss: has the key
 * @input: bytes, in the order of the network
 * @len: how many, at most NB_RSS_INPUT_LEN
 *
 * As in Microsoft's "RSS hashing types"; its published vectors are a self-test.
 *
 * Return: the hash.
 */
u32 nb_rss_toeplitz(const struct nb_rss *rss, const u8 *input, unsigned int len);

/**
 * nb_rss_select() - hash a packet that the stack transmits, and choose a queue
 * @rss: the configuration
 * @skb: the packet; gets the hash, or none if it is neither IPv4 nor IPv6
 *
 * TCP and UDP by addresses and ports, other IP and fragments by addresses.
 *
 * Return: the queue; for what has no hash that of the first entry.
 */
u16 nb_rss_select(const struct nb_rss *rss, struct sk_buff *skb);

#endif /* _NB_RSS_H */
