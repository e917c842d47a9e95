// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Lists of segments: the crate's functions packet_count, next_packet, linearize
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* Segments of the first packet of a list that is not empty, or 0 if it is not whole. */
static inline unsigned int whole_packet(const struct nb_tx_segment *segments,
					unsigned int n)
{
	unsigned int count = segments[0].segment_count, i;

	if (nb_unlikely(!(segments[0].flags & NB_TX_HEAD) || count > n))
		return 0;
	for (i = 1; i < count; i++) {
		if (nb_unlikely(segments[i].flags & NB_TX_HEAD))
			return 0;
	}
	return count;
}

/* The fields of a segment that say how many belong together. */
union kind {
	struct {
		uint16_t flags;
		uint8_t segment_count;
		uint8_t l2_len;
	};
	uint32_t word;
};

static inline uint32_t kind_of(const struct nb_tx_segment *segment)
{
	union kind kind;

	memcpy(&kind, &segment->flags, sizeof(kind));
	return kind.word;
}

/* Is each of these segments a packet, as most are? */
static bool all_single(const struct nb_tx_segment *segments, unsigned int n)
{
	union kind any = { .word = 0 }, all = { .word = UINT32_MAX };
	unsigned int i;

	for (i = 0; n - i >= 4; i += 4) {
		uint32_t a = kind_of(segments + i), b = kind_of(segments + i + 1);
		uint32_t c = kind_of(segments + i + 2), d = kind_of(segments + i + 3);

		any.word |= a | b | c | d;
		all.word &= a & b & c & d;
	}
	for (; i < n; i++) {
		any.word |= kind_of(segments + i);
		all.word &= kind_of(segments + i);
	}
	return (all.flags & NB_TX_HEAD) && all.segment_count == 1 && any.segment_count == 1;
}

/* Say what is wrong with the first packet of a list. */
static int fail_packet(const struct nb_tx_segment *segments, unsigned int n)
{
	unsigned int count = segments[0].segment_count;

	if (!(segments[0].flags & NB_TX_HEAD))
		return nb_fail_text(EINVAL, "the list of segments begins with a tail");
	if (!count || count > n)
		return nb_fail(EINVAL, "a packet of %u segments in a list of %u", count, n);
	return nb_fail(EINVAL, "among the tails of a packet of %u segments is a head", count);
}

int nb_next_packet(const struct nb_tx_segment *segments, unsigned int n)
{
	unsigned int count;

	if (!n)
		return 0;
	count = whole_packet(segments, n);
	return nb_likely(count) ? (int)count : fail_packet(segments, n);
}

int nb_packet_count(const struct nb_tx_segment *segments, unsigned int n)
{
	unsigned int count;
	int packets = 0;

	if (nb_likely(all_single(segments, n)))
		return (int)n;
	while (n) {
		count = whole_packet(segments, n);
		if (nb_unlikely(!count))
			return fail_packet(segments, n);
		segments += count;
		n -= count;
		packets++;
	}
	return packets;
}

/* Check that a packet's lengths add up, and that all of it is in guest memory. */
static int check_packet(const struct nb_memory *mem, const struct nb_tx_segment *segments,
			int count)
{
	uint64_t len = 0;
	int i;

	for (i = 0; i < count; i++)
		len += segments[i].len;
	if (len != segments[0].packet_len)
		return nb_fail(EINVAL, "a packet of %u bytes with segments of %llu",
			       segments[0].packet_len, (unsigned long long)len);
	for (i = 0; i < count; i++) {
		if (!nb_memory_ptr(mem, segments[i].gpa, segments[i].len))
			return nb_fail(EFAULT, "no guest memory at %#llx, %u bytes",
				       (unsigned long long)segments[i].gpa,
				       segments[i].len);
	}
	return 0;
}

int nb_linearize(const struct nb_memory *mem, const struct nb_tx_segment **segments,
		 unsigned int *n, void *buf, size_t size)
{
	const struct nb_tx_segment *packet = *segments;
	uint8_t *to = buf;
	int count, err, i;

	count = nb_next_packet(packet, *n);
	if (count < 0)
		return count;
	if (!count)
		return nb_fail_text(EINVAL, "the list of segments is empty");
	err = check_packet(mem, packet, count);
	if (err)
		return err;
	if (packet->packet_len > size)
		return nb_fail(EMSGSIZE, "a packet of %u bytes for a buffer of %zu",
			       packet->packet_len, size);

	for (i = 0; i < count; i++) {
		memcpy(to, nb_memory_ptr(mem, packet[i].gpa, packet[i].len), packet[i].len);
		to += packet[i].len;
	}
	*segments += count;
	*n -= (unsigned int)count;
	return (int)packet->packet_len;
}
