/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A segment of tx-avail as four words.
 *
 * Most packets are one segment with nothing wrong.  Their segments are read from the
 * ring by words, each once, and are checked while they are in registers; see packet.c
 * and discard.c.
 */
#ifndef _NB_SEGMENT_H
#define _NB_SEGMENT_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/limits.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <asm/byteorder.h>

#include <linux/net_backend.h>

/**
 * struct nb_tx_words - a &struct nb_tx_segment
 * @gpa: gpa
 * @len: len, id
 * @head: packet_len, flags, segment_count, l2_len
 * @rest: l3_len, l4_len, reserved, max_segment_size, vlan
 */
struct nb_tx_words {
	u64 gpa;
	u64 len;
	u64 head;
	u64 rest;
};

#define NB_TX_SAME_WORD(field, word)					\
	static_assert(offsetof(struct nb_tx_segment, field) / sizeof(u64) ==	\
		      offsetof(struct nb_tx_words, word) / sizeof(u64))

static_assert(sizeof(struct nb_tx_words) == sizeof(struct nb_tx_segment));
NB_TX_SAME_WORD(len, len);
NB_TX_SAME_WORD(id, len);
NB_TX_SAME_WORD(packet_len, head);
NB_TX_SAME_WORD(flags, head);
NB_TX_SAME_WORD(segment_count, head);
NB_TX_SAME_WORD(reserved, rest);

/* Where a field of a struct is in the word that holds it. */
#ifdef __LITTLE_ENDIAN
#define NB_WORD_SHIFT(type, field)	(8 * (offsetof(type, field) % sizeof(u64)))
#else
#define NB_WORD_SHIFT(type, field)	(8 * (-offsetofend(type, field) % sizeof(u64)))
#endif

#define NB_TX_SHIFT(field)		NB_WORD_SHIFT(struct nb_tx_segment, field)
#define NB_TX_FIELD(field, value)	((u64)(value) << NB_TX_SHIFT(field))

static __always_inline struct nb_tx_words nb_tx_read(const struct nb_tx_segment *entry)
{
	const struct nb_tx_words *from = (const void *)entry;

	return (struct nb_tx_words){
		.gpa = READ_ONCE(from->gpa),
		.len = READ_ONCE(from->len),
		.head = READ_ONCE(from->head),
		.rest = READ_ONCE(from->rest),
	};
}

static __always_inline void nb_tx_write(struct nb_tx_segment *seg,
					const struct nb_tx_words *words)
{
	struct nb_tx_words *to = (void *)seg;

	to->gpa = words->gpa;
	to->len = words->len;
	to->head = words->head;
	to->rest = words->rest;
}

static __always_inline u32 nb_tx_words_len(const struct nb_tx_words *words)
{
	return words->len >> NB_TX_SHIFT(len);
}

static __always_inline u32 nb_tx_words_id(const struct nb_tx_words *words)
{
	return words->len >> NB_TX_SHIFT(id);
}

/* Complete the packet as transmitted. */
static __always_inline void nb_tx_words_complete(const struct nb_tx_words *words,
						 struct nb_tx_completion *done)
{
	u64 id = nb_tx_words_id(words);

	static_assert(sizeof(*done) == sizeof(u64) && NB_TX_OK == 0);
	*(u64 *)done = id << NB_WORD_SHIFT(struct nb_tx_completion, id);
}

/**
 * nb_tx_single_mask() - what nb_tx_is_single() looks at in the word @head
 * @offloads: of &enum nb_tx_offloads, what the backend offers
 *
 * Flags that are not in it may be set: they are in the order of enum nb_tx_offloads.
 *
 * Return: the mask.
 */
static inline u64 nb_tx_single_mask(u32 offloads)
{
	const u32 known = NB_OFFLOAD_USO | (NB_OFFLOAD_USO - 1);
	const u32 may = NB_TX_VLAN | NB_TX_IS_IPV4 | NB_TX_IS_IPV6 | (offloads & known) << 1;

	return NB_TX_FIELD(packet_len, U32_MAX) | NB_TX_FIELD(flags, (u16)~may) |
	       NB_TX_FIELD(segment_count, U8_MAX);
}

/**
 * nb_tx_is_single() - is a segment a packet with nothing wrong, its address apart
 * @words: the segment
 * @mask: of nb_tx_single_mask()
 *
 * Return: whether it is; if not, it may yet be a good one, of several segments.
 */
static __always_inline bool nb_tx_is_single(const struct nb_tx_words *words, u64 mask)
{
	const u64 single = NB_TX_FIELD(flags, NB_TX_HEAD) | NB_TX_FIELD(segment_count, 1);
	u32 len = nb_tx_words_len(words);

	return ((words->head & mask) ^ single) == NB_TX_FIELD(packet_len, len) &&
	       !(words->rest & NB_TX_FIELD(reserved, U8_MAX)) &&
	       len - NB_MIN_PACKET_LEN <= NB_MAX_PACKET_LEN - NB_MIN_PACKET_LEN;
}

#endif /* _NB_SEGMENT_H */
