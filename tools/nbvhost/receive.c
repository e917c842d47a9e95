// SPDX-License-Identifier: GPL-2.0
/*
 * Host to guest: the guest's chains become receive buffers
 *
 * In the pair's thread.  A receive buffer of the kernel holds the longest packet that may
 * come, so it is put together from as many chains as that takes if the guest lets buffers
 * be merged, and is one chain if not.  Those of them that the packet did not reach are the
 * first ones of the next receive buffer.  So a chain is, in this order, taken from the
 * ring, spare, posted, and given back; or spare again.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include "nbvhost.h"

/* bytes of two Ethernet addresses, behind which a VLAN tag stands */
#define ADDRESSES	12
#define VLAN_LEN	4
#define ETH_P_8021Q	0x8100

static struct buffer *buffer_of(const struct pair *pair, uint16_t id)
{
	return &pair->rx->buffers[id];
}

static uint16_t *spare_at(const struct pair *pair, uint32_t index)
{
	return &pair->spare[(pair->spare_head + index) & pair->spare_mask];
}

static void give_back_empty(struct pair *pair, uint16_t id)
{
	pair->received.dropped++;
	pair->rx->in_order = false;
	vq_put(pair->rx, id, 0);
}

/* Note where a chain is; false without memory for that. */
static bool keep_segments(struct buffer *buffer, const struct chain *chain)
{
	struct segment *segments;

	if (buffer->capacity < chain->n) {
		segments = reallocarray(buffer->segments, chain->n, sizeof(*segments));
		if (!segments)
			return false;
		buffer->segments = segments;
		buffer->capacity = chain->n;
	}
	memcpy(buffer->segments, chain->segments, chain->n * sizeof(*chain->segments));
	buffer->n = chain->n;
	buffer->len = chain->len;
	return true;
}

static const char *check(const struct pair *pair, const struct chain *chain)
{
	uint32_t size = header_size(pair->nic);

	if (chain->bad)
		return chain->bad;
	if (chain->len <= size)
		return "a receive buffer that is too short";
	if (chain->segments[0].len < size)
		return "a receive buffer whose header is in pieces";
	if (chain->n > NB_MAX_SEGMENTS && chain->segments[0].len != size)
		return "a receive buffer of too many descriptors";
	return NULL;
}

/* Take one more chain; returns 0 if there is none. */
static int fetch_spare(struct pair *pair)
{
	struct chain chain;
	const char *wrong;
	int fetched;

	fetched = vq_fetch(pair->rx, &chain);
	if (fetched < 0)
		pair_complain(pair, "receive", pair->rx->broken);
	if (fetched <= 0)
		return 0;
	wrong = check(pair, &chain);
	if (!wrong && !keep_segments(buffer_of(pair, chain.id), &chain))
		wrong = "no memory";
	if (wrong) {
		pair_complain(pair, "receive", wrong);
		pair->rx->bad++;
		give_back_empty(pair, chain.id);
	} else {
		*spare_at(pair, pair->n_spare++) = chain.id;
	}
	return 1;
}

/*
 * How many spare chains make the next receive buffer, and their segments; 0 if there are
 * not enough.
 */
static uint16_t measure(struct pair *pair, unsigned int *segments, int *fetched)
{
	bool merges = has_feature(pair->nic, VIRTIO_NET_F_MRG_RXBUF);
	uint32_t chains = 0;
	uint64_t len = 0;

	*segments = 0;
	for (;;) {
		const struct buffer *buffer;

		while (chains == pair->n_spare) {
			if (!fetch_spare(pair))
				return 0;
			(*fetched)++;
		}
		buffer = buffer_of(pair, *spare_at(pair, chains));
		if (chains && *segments + buffer->n > NB_MAX_SEGMENTS)
			return (uint16_t)chains;
		*segments += buffer->n;
		len += buffer->len;
		chains++;
		if (!merges || len >= pair->need + header_size(pair->nic))
			return (uint16_t)chains;
	}
}

/* The segments of a receive buffer, which begins behind the header. */
static unsigned int make_segments(const struct pair *pair, uint16_t first, uint16_t chains,
				  struct nb_rx_segment *segments)
{
	uint32_t skip = header_size(pair->nic), i;
	struct nb_rx_segment *next = segments;
	uint16_t id = first;

	for (; chains; chains--, id = buffer_of(pair, id)->next) {
		const struct buffer *buffer = buffer_of(pair, id);

		for (i = 0; i < buffer->n; i++) {
			const struct segment *segment = &buffer->segments[i];

			if (segment->len > skip)
				*next++ = (struct nb_rx_segment){
					.gpa = segment->gpa + skip,
					.len = (segment->len - skip) | NB_RX_MORE,
					.id = first,
				};
			skip = 0;
		}
	}
	next[-1].len &= NB_RX_LEN_MASK;
	return (unsigned int)(next - segments);
}

/* Take that many chains from the spare ones, as the receive buffer of the first. */
static uint16_t link_chains(struct pair *pair, uint16_t chains)
{
	uint16_t first = *spare_at(pair, 0), i;

	for (i = 0; i + 1 < chains; i++)
		buffer_of(pair, *spare_at(pair, i))->next = *spare_at(pair, i + 1u);
	buffer_of(pair, first)->chains = chains;
	pair->spare_head += chains;
	pair->n_spare -= chains;
	return first;
}

/* Make the next receive buffer; returns its segments, or 0 if there is none, or no room. */
static unsigned int make_buffer(struct pair *pair, struct nb_rx_segment *segments, int *fetched)
{
	struct buffer *buffer;
	uint16_t chains, first;
	unsigned int n;

	chains = measure(pair, &n, fetched);
	if (!chains || n > pair->room)
		return 0;
	first = link_chains(pair, chains);
	n = make_segments(pair, first, chains, segments);
	buffer = buffer_of(pair, first);
	buffer->n_posted = n;
	buffer->posted = true;
	pair->room -= n;
	return n;
}

/* Make receive buffers available; returns how many things were done, or an errno. */
static int refill(struct pair *pair)
{
	struct nb_rx_segment segments[4 * BATCH + MAX_CHAIN];
	unsigned int n = 0, made;
	int taken, fetched = 0;

	do {
		made = make_buffer(pair, segments + n, &fetched);
		n += made;
	} while (made && n <= 4 * BATCH);
	if (!n)
		return fetched;
	taken = nb_queue_rx_avail(pair->queue, segments, n);
	if (taken < 0)
		return taken;
	return taken == (int)n ? fetched + taken : -EPROTO;
}

/* All segments of a receive buffer, header included. */
static unsigned int all_segments(const struct pair *pair, uint16_t id, struct segment *segments)
{
	uint16_t chains = buffer_of(pair, id)->chains;
	unsigned int n = 0;

	for (; chains; chains--, id = buffer_of(pair, id)->next) {
		const struct buffer *buffer = buffer_of(pair, id);

		memcpy(segments + n, buffer->segments, buffer->n * sizeof(*segments));
		n += buffer->n;
	}
	return n;
}

/*
 * Put a VLAN tag, which net_backend has beside the packet, and virtio has not, into the
 * packet.  All behind it has to move, so this costs a copy.
 */
static bool insert_tag(const struct pair *pair, struct nb_rx_metadata *packet)
{
	const struct memory *memory = &pair->nic->memory;
	uint32_t at = header_size(pair->nic) + ADDRESSES, len = packet->len - ADDRESSES;
	struct segment segments[MAX_CHAIN];
	uint8_t bytes[VLAN_LEN + NB_MAX_PACKET_LEN];
	unsigned int n;

	if (packet->len < ADDRESSES || packet->len > NB_MAX_PACKET_LEN)
		return false;
	n = all_segments(pair, (uint16_t)packet->id, segments);
	bytes[0] = ETH_P_8021Q >> 8;
	bytes[1] = ETH_P_8021Q & 0xff;
	bytes[2] = (uint8_t)(packet->vlan >> 8);
	bytes[3] = (uint8_t)packet->vlan;
	if (!memory_read(memory, segments, n, at, bytes + VLAN_LEN, len) ||
	    !memory_write(memory, segments, n, at, bytes, len + VLAN_LEN))
		return false;
	packet->len += VLAN_LEN;
	packet->checksum_start = (uint16_t)(packet->checksum_start + VLAN_LEN);
	return true;
}

/* Give back the chains that a packet fills, and its header in the first. */
static void fill(struct pair *pair, const struct nb_rx_metadata *packet)
{
	uint16_t id = (uint16_t)packet->id, chains = buffer_of(pair, id)->chains, filled = 0;
	uint64_t left = (uint64_t)packet->len + header_size(pair->nic), part;
	uint64_t used[NB_MAX_SEGMENTS + 1];
	uint8_t header[MAX_HEADER];
	uint32_t size;
	uint16_t i;

	for (; left && filled < chains; filled++, id = buffer_of(pair, id)->next) {
		part = buffer_of(pair, id)->len < left ? buffer_of(pair, id)->len : left;
		used[filled] = part;
		left -= part;
	}
	id = (uint16_t)packet->id;
	size = header_from_packet(pair->nic, packet, filled, header);
	memory_write(&pair->nic->memory, buffer_of(pair, id)->segments, buffer_of(pair, id)->n, 0,
		     header, size);
	for (i = 0; i < filled; i++, id = buffer_of(pair, id)->next)
		vq_put(pair->rx, id, (uint32_t)used[i]);

	/* the others come first again */
	chains = (uint16_t)(chains - filled);
	if (chains)
		pair->rx->in_order = false;
	pair->spare_head -= chains;
	pair->n_spare += chains;
	for (i = 0; i < chains; i++, id = buffer_of(pair, id)->next)
		*spare_at(pair, i) = id;
	pair->received.packets++;
	pair->received.bytes += packet->len;
}

/* The kernel has found nowhere to put a packet, or there is no place for a tag. */
static void give_back_all(struct pair *pair, uint16_t id)
{
	uint16_t chains = buffer_of(pair, id)->chains, next;

	for (; chains; chains--, id = next) {
		next = buffer_of(pair, id)->next;
		give_back_empty(pair, id);
	}
}

static int take(struct pair *pair, struct nb_rx_metadata *packet)
{
	struct buffer *buffer;

	if (packet->id >= pair->rx->size)
		return -EPROTO;
	buffer = buffer_of(pair, (uint16_t)packet->id);
	if (!buffer->posted)
		return -EPROTO;
	buffer->posted = false;
	pair->room += buffer->n_posted;
	if (packet->status != NB_RX_OK) {
		pair_complain(pair, "receive", "a receive buffer that is not in guest memory");
		pair->rx->bad++;
		give_back_all(pair, (uint16_t)packet->id);
	} else if (packet->flags & NB_RX_VLAN && !insert_tag(pair, packet)) {
		give_back_all(pair, (uint16_t)packet->id);
	} else {
		fill(pair, packet);
	}
	return 0;
}

/* Take received packets; returns how many, or a negative errno. */
static int reap(struct pair *pair)
{
	struct nb_rx_metadata packets[BATCH];
	int i, n;

	n = nb_queue_rx_poll(pair->queue, packets, BATCH);
	for (i = 0; i < n; i++) {
		if (take(pair, &packets[i]))
			return -EPROTO;
	}
	return n;
}

/* Take what was received, while the queue is quiesced; returns how many, or less. */
int drain_receive(struct pair *pair)
{
	return reap(pair);
}

/*
 * Do what there is to do; returns how many things were done, or a negative errno if the
 * queue cannot be used any more.
 */
int receive(struct pair *pair)
{
	int reaped, filled;

	reaped = reap(pair);
	if (reaped < 0)
		return reaped;
	filled = refill(pair);
	vq_publish(pair->rx);
	return filled < 0 ? filled : reaped + filled;
}
