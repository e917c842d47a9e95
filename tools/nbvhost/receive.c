// SPDX-License-Identifier: GPL-2.0
/*
 * Host to guest: the guest's chains become receive buffers
 *
 * In the pair's thread.  A receive buffer of the kernel holds the longest packet that may
 * come.  If the guest lets buffers be merged, it is put together from as many chains as the
 * next packet is going to take, by what the last ones took, and of a tail, which is not the
 * guest's: what gets into that is copied into more chains.  So a guess that is wrong costs
 * a copy, and no packet.  Chains that a packet did not reach are the first ones of the next
 * receive buffer.  A chain is, in this order, taken from the ring, spare, posted, and given
 * back; or spare again.
 *
 * What gets into tails takes spare chains.  If there are not enough, the packet waits, and
 * those behind it, until the guest makes chains available again.  A driver does not do so for
 * each that it gets back: Linux keeps up to 32, older ones up to half of the ring.  So while
 * tails are in use, that half, and chains for one packet of any length, are not posted.  Each
 * of these is spare, or the guest has it: if it has more than half of the ring, it will make
 * some available; if not, enough for any packet are spare.
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

static const char nowhere[] = "a receive buffer that is not in guest memory";

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
	if (chain->n == 1)
		buffer->segments[0] = chain->segments[0];
	else
		memcpy(buffer->segments, chain->segments, chain->n * sizeof(*segments));
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

/* What the longest packet takes of chains that are as short as any that was there. */
static void note_length(struct pair *pair, uint64_t len)
{
	if (len >= pair->shortest)
		return;
	pair->shortest = len;
	pair->longest = (uint32_t)((pair->need + len - 1) / len);
}

/* Take one more chain; returns how many entries of the ring it takes, or 0 if there is none. */
static uint32_t fetch_spare(struct pair *pair)
{
	struct chain chain;
	const char *wrong;
	int fetched;

	fetched = vq_fetch(pair->rx, &chain);
	if (fetched < 0)
		pair_complain(pair, pair->rx, pair->rx->broken);
	if (fetched <= 0)
		return 0;
	wrong = check(pair, &chain);
	if (!wrong && !keep_segments(buffer_of(pair, chain.id), &chain))
		wrong = "no memory";
	if (wrong) {
		pair_complain(pair, pair->rx, wrong);
		pair->rx->bad++;
		give_back_empty(pair, chain.id);
	} else {
		*spare_at(pair, pair->n_spare++) = chain.id;
		note_length(pair, chain.len);
	}
	return chain.entries;
}

/*
 * Take all that there are, so that the guest's next one is news; returns how many entries they
 * take.  No more than a ring full: a guest can make each available again that is wrong as soon
 * as it comes back, and nobody else is to wait for the last one.
 */
static int fetch_spares(struct pair *pair)
{
	uint32_t n = 0, fetched;

	do {
		fetched = fetch_spare(pair);
		n += fetched;
	} while (fetched && n < pair->rx->size);
	if (pair->rx->in_flight > pair->most_held)
		pair->most_held = pair->rx->in_flight;
	return (int)n;
}

/*
 * How many spare chains make the next receive buffer, of at most @limit segments, which are
 * counted in @n; 0 if there are not enough.  @whole: it needs no tail, or has no room for one.
 */
static uint16_t measure(const struct pair *pair, uint32_t most, unsigned int limit,
			unsigned int *n, bool *whole)
{
	uint32_t chains;
	uint64_t len = 0;

	*n = 0;
	*whole = false;
	for (chains = 0; chains < pair->n_spare; chains++) {
		const struct buffer *buffer = buffer_of(pair, *spare_at(pair, chains));

		if (chains && *n + buffer->n > limit)
			return (uint16_t)chains;
		*n += buffer->n;
		len += buffer->len;
		*whole = len >= pair->need || *n >= NB_MAX_SEGMENTS;
		if (chains + 1 == most || len >= pair->need)
			return (uint16_t)(chains + 1);
	}
	return 0;
}

/* Chains that are not posted while tails are in use. */
static uint32_t reserve(const struct pair *pair)
{
	return pair->rx->size / 2 + pair->longest;
}

/* With tails, is all that the guest has enough for more receive buffers than without? */
static bool gains_by_tails(const struct pair *pair)
{
	uint32_t kept = reserve(pair), held = pair->most_held;

	return pair->tails.addr && held >= kept + pair->guess &&
	       (uint64_t)(held - kept) * pair->longest > (uint64_t)held * pair->guess;
}

/* May so many more be posted, while tails are in use? */
static bool leaves_reserve(const struct pair *pair, uint32_t chains)
{
	uint32_t posted = pair->rx->in_flight - pair->n_spare;

	return posted + chains + reserve(pair) <= pair->most_held;
}

/*
 * The same as measure(), with a tail if the chains that were guessed do not hold every packet
 * and there is any gain in that.
 */
static uint16_t plan(struct pair *pair, uint8_t *tail, unsigned int *n)
{
	struct tails *tails = &pair->tails;
	uint16_t chains;
	bool whole;

	*tail = NO_TAIL;
	if (gains_by_tails(pair)) {
		chains = measure(pair, pair->guess, NB_MAX_SEGMENTS - 1, n, &whole);
		if (!leaves_reserve(pair, chains) || (!whole && !tails->n_free))
			return 0;
		if (chains && !whole) {
			*tail = tails->free[tails->n_free - 1];
			(*n)++;
		}
		return chains;
	}
	chains = measure(pair, pair->merges ? UINT32_MAX : 1, NB_MAX_SEGMENTS, n, &whole);
	if (tails->addr && tails->n_free < MAX_TAILS && !leaves_reserve(pair, chains))
		return 0;
	return chains;
}

/* The segments of a receive buffer, which begins behind the header. */
static unsigned int make_segments(const struct pair *pair, uint16_t first, uint16_t chains,
				  struct nb_rx_segment *segments)
{
	struct nb_rx_segment *next = segments;
	uint32_t skip = header_size(pair->nic), i;
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
	return (unsigned int)(next - segments);
}

static struct segment tail_segment(const struct pair *pair, uint8_t tail)
{
	return (struct segment){
		.gpa = pair->tails.gpa + (uint64_t)tail * pair->tails.size,
		.len = pair->tails.size,
	};
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
static unsigned int make_buffer(struct pair *pair, struct nb_rx_segment *segments)
{
	struct buffer *buffer;
	uint16_t chains, first;
	unsigned int n;
	uint8_t tail;

	chains = plan(pair, &tail, &n);
	if (!chains || n > pair->room)
		return 0;
	first = link_chains(pair, chains);
	n = make_segments(pair, first, chains, segments);
	if (tail != NO_TAIL) {
		struct segment segment = tail_segment(pair, tail);

		pair->tails.n_free--;
		segments[n++] = (struct nb_rx_segment){
			.gpa = segment.gpa,
			.len = segment.len,
			.id = first,
		};
	}
	segments[n - 1].len &= NB_RX_LEN_MASK;
	buffer = buffer_of(pair, first);
	buffer->n_posted = n;
	buffer->posted = true;
	buffer->tail = tail;
	pair->n_posted++;
	pair->room -= n;
	return n;
}

/* Make receive buffers available; returns how many segments, or a negative errno. */
static int refill(struct pair *pair)
{
	struct nb_rx_segment segments[4 * BATCH + MAX_CHAIN];
	unsigned int n = 0, made;
	int taken;

	do {
		made = make_buffer(pair, segments + n);
		n += made;
	} while (made && n <= 4 * BATCH);
	if (!n)
		return 0;
	taken = nb_queue_rx_avail(pair->queue, segments, n);
	if (taken < 0)
		return taken;
	return taken == (int)n ? taken : -EPROTO;
}

/* All segments of a receive buffer, header included. */
static unsigned int all_segments(const struct pair *pair, uint16_t id, struct segment *segments)
{
	uint16_t chains = buffer_of(pair, id)->chains;
	uint8_t tail = buffer_of(pair, id)->tail;
	unsigned int n = 0;

	for (; chains; chains--, id = buffer_of(pair, id)->next) {
		const struct buffer *buffer = buffer_of(pair, id);

		memcpy(segments + n, buffer->segments, buffer->n * sizeof(*segments));
		n += buffer->n;
	}
	if (tail != NO_TAIL)
		segments[n++] = tail_segment(pair, tail);
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

/* Chains that are posted are spare again, and come first again. */
static void take_back(struct pair *pair, uint16_t id, uint16_t chains)
{
	uint16_t i;

	pair->spare_head -= chains;
	pair->n_spare += chains;
	for (i = 0; i < chains; i++, id = buffer_of(pair, id)->next)
		*spare_at(pair, i) = id;
	/* they may be given back later than those behind them */
	pair->rx->in_order = false;
}

/* Of chains that come one after the other, how many hold @left bytes; which are taken off. */
static uint16_t reach(const struct pair *pair, uint16_t id, uint16_t chains, uint64_t *left)
{
	uint16_t n;

	for (n = 0; n < chains && *left; n++, id = buffer_of(pair, id)->next)
		*left -= *left < buffer_of(pair, id)->len ? *left : buffer_of(pair, id)->len;
	return n;
}

/* How many spare chains hold that many bytes; 0 if there are not enough yet. */
static uint16_t reach_spares(const struct pair *pair, uint64_t left)
{
	uint32_t n;

	for (n = 0; n < pair->n_spare; n++) {
		const struct buffer *buffer = buffer_of(pair, *spare_at(pair, n));

		if (buffer->len >= left)
			return (uint16_t)(n + 1);
		left -= buffer->len;
	}
	return 0;
}

/* Copy what is in a tail into so many spare chains, and give them back. */
static void spill(struct pair *pair, uint8_t tail, uint64_t left, uint16_t chains)
{
	const uint8_t *from = pair->tails.addr + (size_t)tail * pair->tails.size;

	for (; chains; chains--) {
		uint16_t id = *spare_at(pair, 0);
		const struct buffer *buffer = buffer_of(pair, id);
		uint32_t part = (uint32_t)(buffer->len < left ? buffer->len : left);

		if (!memory_write(&pair->nic->memory, buffer->segments, buffer->n, 0, from, part)) {
			pair_complain(pair, pair->rx, nowhere);
			pair->rx->bad++;
		}
		from += part;
		left -= part;
		link_chains(pair, 1);
		vq_put(pair->rx, id, part);
	}
	/* those of receive buffers that are posted were taken before */
	pair->rx->in_order = false;
}

/* Guess how many chains the next packets take: as many as the longest of the last ones. */
static void learn(struct pair *pair, uint16_t chains)
{
	if (chains > pair->most)
		pair->most = chains;
	if (chains <= pair->guess && ++pair->n_guessed < BATCH)
		return;
	pair->guess = pair->most;
	pair->most = 1;
	pair->n_guessed = 0;
}

/* Write the header of a packet that is in so many chains. */
static void write_header(struct pair *pair, const struct nb_rx_metadata *packet, uint16_t chains)
{
	const struct buffer *buffer = buffer_of(pair, (uint16_t)packet->id);
	struct virtio_net_hdr_v1_hash header;

	header_from_packet(pair->nic, packet, chains, &header);
	memory_write(&pair->nic->memory, buffer->segments, buffer->n, 0, &header,
		     header_size(pair->nic));
}

/*
 * Give back the chains that a packet fills, and its header in the first; false if there are
 * not enough of them yet.
 */
static bool fill(struct pair *pair, const struct nb_rx_metadata *packet)
{
	uint64_t len = (uint64_t)packet->len + header_size(pair->nic), left = len;
	struct buffer *first = buffer_of(pair, (uint16_t)packet->id);
	uint16_t id = (uint16_t)packet->id, filled, more = 0, i;

	filled = reach(pair, id, first->chains, &left);
	if (left && first->tail != NO_TAIL) {
		more = reach_spares(pair, left);
		if (!more)
			return false;
	}
	write_header(pair, packet, (uint16_t)(filled + more));
	len -= left;
	for (i = 0; i < filled; i++, id = buffer_of(pair, id)->next) {
		uint64_t part = buffer_of(pair, id)->len < len ? buffer_of(pair, id)->len : len;

		len -= part;
		vq_put(pair->rx, id, (uint32_t)part);
	}
	if (filled < first->chains)
		take_back(pair, id, (uint16_t)(first->chains - filled));
	if (more)
		spill(pair, first->tail, left, more);
	learn(pair, (uint16_t)(filled + more));
	pair->received.packets++;
	pair->received.bytes += packet->len;
	return true;
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

/*
 * Drop a packet for which there are not enough chains, if the guest may make no more available.
 * Only a guest whose chains become shorter comes to that: what is not posted was counted in
 * the lengths that there were when it was.
 */
static bool drop(struct pair *pair, uint16_t id)
{
	if (pair->most_held - pair->rx->in_flight > pair->rx->size / 2u)
		return false;
	take_back(pair, id, buffer_of(pair, id)->chains);
	pair->received.dropped++;
	return true;
}

/* The kernel is done with a receive buffer. */
static void unpost(struct pair *pair, struct buffer *buffer)
{
	buffer->posted = false;
	pair->n_posted--;
	pair->room += buffer->n_posted;
	if (buffer->tail != NO_TAIL)
		pair->tails.free[pair->tails.n_free++] = buffer->tail;
}

/* Returns 1, 0 if the packet has to wait, or a negative errno. */
static int take(struct pair *pair, struct nb_rx_metadata *packet)
{
	struct buffer *buffer;

	if (packet->id >= pair->rx->size)
		return -EPROTO;
	buffer = buffer_of(pair, (uint16_t)packet->id);
	if (!buffer->posted)
		return -EPROTO;
	if (packet->status != NB_RX_OK) {
		pair_complain(pair, pair->rx, nowhere);
		pair->rx->bad++;
		give_back_all(pair, (uint16_t)packet->id);
	} else if (packet->flags & NB_RX_VLAN && !insert_tag(pair, packet)) {
		give_back_all(pair, (uint16_t)packet->id);
	} else {
		/* it is in the packet now, also if that is looked at again */
		packet->flags &= (uint16_t)~NB_RX_VLAN;
		if (!fill(pair, packet) && !drop(pair, (uint16_t)packet->id))
			return 0;
	}
	unpost(pair, buffer);
	return 1;
}

/*
 * Take received packets; returns how many things were done, or a negative errno.  That they
 * have arrived is one, also if the first one waits: what wakes the thread has changed.
 */
static int reap(struct pair *pair)
{
	int arrived = 0, took;

	if (pair->next_arrived == pair->n_arrived) {
		arrived = nb_queue_rx_poll(pair->queue, pair->arrived, BATCH);
		if (arrived < 0)
			return arrived;
		pair->next_arrived = 0;
		pair->n_arrived = (unsigned int)arrived;
	}
	for (; pair->next_arrived < pair->n_arrived; pair->next_arrived++, arrived++) {
		took = take(pair, &pair->arrived[pair->next_arrived]);
		if (took <= 0)
			return took < 0 ? took : arrived;
	}
	return arrived;
}

/*
 * Is the guest to wake the thread when it has made a chain available?  While the kernel has a
 * batch of receive buffers, the next packet wakes it early enough.
 */
bool receive_wants_kicks(const struct pair *pair)
{
	return pair->n_posted < BATCH || pair->next_arrived < pair->n_arrived;
}

/* The rings are new; their pair's need is known. */
void receive_start(struct pair *pair)
{
	pair->spare_head = 0;
	pair->n_spare = 0;
	pair->shortest = UINT64_MAX;
	pair->longest = 0;
	pair->most_held = 0;
	pair->n_posted = 0;
	pair->guess = 1;
	pair->most = 1;
	pair->n_guessed = 0;
	pair->n_arrived = 0;
	pair->next_arrived = 0;
}

/* Before what was received is taken the last time: there may be more chains for it. */
void drain_spares(struct pair *pair)
{
	fetch_spares(pair);
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
	int fetched, reaped, filled;

	fetched = fetch_spares(pair);
	reaped = reap(pair);
	if (reaped < 0)
		return reaped;
	filled = refill(pair);
	vq_publish(pair->rx);
	return filled < 0 ? filled : fetched + reaped + filled;
}
