// SPDX-License-Identifier: GPL-2.0
/*
 * Guest to host: chains become packets, where they are
 *
 * In the pair's thread.  A packet's id is that of its chain, so a completion is all that
 * it takes to give the chain back.
 */
#include <errno.h>
#include <string.h>

#include "nbvhost.h"

/* What cannot be transmitted is given back, and counted. */
static void refuse(struct pair *pair, const struct chain *chain, const char *why)
{
	pair_complain(pair, pair->tx, why);
	pair->tx->bad++;
	pair->sent.dropped++;
	vq_put(pair->tx, chain->id, 0);
}

/* The segments of a packet, which begins behind the header, and is described in the first. */
static void add_segments(struct pair *pair, const struct chain *chain)
{
	struct nb_tx_segment *first = &pair->pending[pair->n_pending], *next = first;
	uint32_t skip = header_size(pair->nic);
	const struct segment *segment;

	for (segment = chain->segments; segment < chain->segments + chain->n; segment++) {
		if (segment->len <= skip) {
			skip -= segment->len;
			continue;
		}
		if (next != first)
			*next = (struct nb_tx_segment){ 0 };
		next->gpa = segment->gpa + skip;
		next->len = segment->len - skip;
		skip = 0;
		next++;
	}
	first->segment_count = (uint8_t)(next - first);
	pair->n_pending += first->segment_count;
	pair->sent.packets++;
	pair->sent.bytes += first->packet_len;
}

/* Take chains as long as there is room for the longest; returns how many, or -1. */
static int fetch(struct pair *pair)
{
	const unsigned int limit = sizeof(pair->pending) / sizeof(pair->pending[0]) - MAX_CHAIN;
	struct chain chain;
	const char *wrong;
	int fetched, n = 0;

	while (n < BATCH && pair->n_pending <= limit) {
		fetched = vq_fetch(pair->tx, &chain);
		if (fetched < 0)
			pair_complain(pair, pair->tx, pair->tx->broken);
		if (fetched <= 0)
			break;
		n++;
		wrong = chain.bad;
		if (!wrong)
			wrong = header_to_packet(pair->nic, &chain,
						 &pair->pending[pair->n_pending]);
		if (wrong)
			refuse(pair, &chain, wrong);
		else
			add_segments(pair, &chain);
	}
	return n;
}

/* The kernel has taken these segments, and is done with them if @synchronous. */
static void hand_over(struct pair *pair, unsigned int n, bool synchronous)
{
	unsigned int i;

	for (i = 0; i < n && synchronous; i += pair->pending[i].segment_count)
		vq_put(pair->tx, (uint16_t)pair->pending[i].id, 0);
	pair->n_pending -= n;
	if (pair->n_pending)
		memmove(pair->pending, pair->pending + n,
			pair->n_pending * sizeof(*pair->pending));
}

static int post(struct pair *pair)
{
	bool synchronous;
	int taken;

	if (!pair->n_pending)
		return 0;
	taken = nb_queue_tx_avail(pair->queue, pair->pending, pair->n_pending, &synchronous);
	if (taken > 0)
		hand_over(pair, (unsigned int)taken, synchronous);
	return taken;
}

/* The kernel has not transmitted a packet; that the network drops one is nobody's fault. */
static void note_failure(struct pair *pair, uint32_t status)
{
	pair->sent.dropped++;
	if (status == NB_TX_DROPPED)
		return;
	pair->tx->bad++;
	pair_complain(pair, pair->tx, status == NB_TX_FAULT ?
		      "a packet that is not in guest memory" : "a packet that the kernel refuses");
}

/* Give back the chains of packets that were transmitted. */
static int complete(struct pair *pair)
{
	struct nb_tx_completion done[BATCH];
	int i, n;

	n = nb_queue_tx_poll(pair->queue, done, BATCH);
	for (i = 0; i < n; i++) {
		if (done[i].id >= pair->tx->size || !pair->tx->buffers[done[i].id].taken) {
			if (done[i].id == ANNOUNCED)
				continue;
			return -EPROTO;
		}
		if (done[i].status != NB_TX_OK)
			note_failure(pair, done[i].status);
		vq_put(pair->tx, (uint16_t)done[i].id, 0);
	}
	return n;
}

/* Take what was transmitted, while the queue is quiesced; returns how many, or less. */
int drain_transmit(struct pair *pair)
{
	return complete(pair);
}

/*
 * Do what there is to do; returns how many things were done, or a negative errno if the
 * queue cannot be used any more.
 */
int transmit(struct pair *pair)
{
	int completed, fetched, posted;

	completed = complete(pair);
	if (completed < 0)
		return completed;
	fetched = fetch(pair);
	posted = post(pair);
	vq_publish(pair->tx);
	return posted < 0 ? posted : completed + fetched + posted;
}
