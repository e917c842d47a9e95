// SPDX-License-Identifier: GPL-2.0
/*
 * Packets from one queue to another, without a copy
 *
 * A buffer goes round: available to the backend of @from, received with a packet,
 * pending, transmitted by @to out of the same guest memory, completed, spare, and
 * available again.  Its number, RxId on the one side and TxId on the other, stays the
 * same.  If @to is slow, all buffers end up pending, @from has none left, and its
 * backend holds its packets back: nothing is lost here.
 *
 * Each buffer is in one place (&enum place).  Those that a queue has come back when it is
 * closed.  A call that fails because the queue needs a restart may have handed over all,
 * some or none of what it was given: all of that counts as the queue's then.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nbwire.h"

/* most packets that are taken at once */
#define BATCH	64

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static void add_spare(struct direction *direction, uint32_t id)
{
	direction->places[id] = SPARE;
	direction->spare[direction->n_spare++] = (struct nb_rx_segment){
		.gpa = direction->gpa + (uint64_t)id * direction->buffer_size,
		.len = direction->buffer_size,
		.id = id,
	};
}

static int fail(char *error, const struct end *end, const char *reason)
{
	snprintf(error, REASON_SIZE, "%s: %s", end->spec.text, reason);
	return -1;
}

/* libnb has returned @err: -ENETRESET is no failure, but asks for a restart. */
static int fail_libnb(char *error, const struct end *end, int err)
{
	return err == -ENETRESET ? err : fail(error, end, nb_error());
}

/* Is there such a buffer, and is it where the kernel says to have had it? */
static bool was_at(const struct direction *direction, uint32_t id, enum place place)
{
	return id < direction->n_buffers && direction->places[id] == place;
}

/* Make the spare buffers available; what does not fit stays spare. */
static int return_spares(struct direction *direction, char *error)
{
	uint32_t i, handed = direction->n_spare;
	int n;

	if (!handed)
		return 0;
	n = nb_queue_rx_avail(direction->from, direction->spare, handed);
	if (n >= 0)
		handed = (uint32_t)n;
	for (i = 0; i < handed; i++)
		direction->places[direction->spare[i].id] = AVAILABLE;
	direction->n_spare -= handed;
	memmove(direction->spare, direction->spare + handed,
		direction->n_spare * sizeof(*direction->spare));
	return n < 0 ? fail_libnb(error, direction->from_end, n) : n;
}

/* Make a transmit of a received packet; -1 if it is none that can be forwarded. */
static int forward(struct direction *direction, const struct nb_rx_metadata *packet)
{
	uint32_t place = direction->tail & direction->pending_mask;

	if (nb_tx_from_rx(direction->mem, packet,
			  direction->gpa + (uint64_t)packet->id * direction->buffer_size,
			  &direction->pending[place]))
		return -1;
	direction->places[packet->id] = PENDING;
	direction->tail++;
	return 0;
}

/* Take received packets, and make transmits of them. */
static int receive(struct direction *direction, char *error)
{
	struct nb_rx_metadata packets[BATCH], *packet;
	uint64_t bytes = 0, dropped = 0;
	int n;

	n = nb_queue_rx_poll(direction->from, packets, BATCH);
	if (n < 0)
		return fail_libnb(error, direction->from_end, n);
	if (!n)
		return 0;
	for (packet = packets; packet < packets + n; packet++) {
		if (!was_at(direction, packet->id, AVAILABLE))
			return fail(error, direction->from_end,
				    "the kernel has filled a buffer that it did not have");
		if (packet->status != NB_RX_OK)
			return fail(error, direction->from_end,
				    "the kernel has refused a receive buffer");
		if (forward(direction, packet)) {
			add_spare(direction, packet->id);
			dropped++;
		}
		bytes += packet->len;
	}
	count(&direction->counters.packets, (uint64_t)n);
	count(&direction->counters.bytes, bytes);
	if (dropped)
		count(&direction->counters.dropped, dropped);
	return n;
}

/* The first @n packets that are pending are the other queue's, or have been. */
static void hand_over(struct direction *direction, uint32_t n, bool synchronous)
{
	uint32_t id;

	for (; n; n--, direction->head++) {
		id = direction->pending[direction->head & direction->pending_mask].id;
		if (synchronous)
			add_spare(direction, id);
		else
			direction->places[id] = SENT;
	}
}

/* Transmit what is pending, as far as there is room. */
static int transmit(struct direction *direction, char *error)
{
	uint32_t first, n;
	bool synchronous;
	int taken, sum = 0;

	while (direction->head != direction->tail) {
		/* up to the end of the array */
		first = direction->head & direction->pending_mask;
		n = direction->tail - direction->head;
		if (n > direction->pending_mask + 1 - first)
			n = direction->pending_mask + 1 - first;

		taken = nb_queue_tx_avail(direction->to, &direction->pending[first], n,
					  &synchronous);
		if (taken < 0) {
			hand_over(direction, n, false);
			return fail_libnb(error, direction->to_end, taken);
		}
		hand_over(direction, (uint32_t)taken, synchronous);
		sum += taken;
		if ((uint32_t)taken < n)
			break;
	}
	return sum;
}

/* Take back the buffers of packets that were transmitted. */
static int complete(struct direction *direction, char *error)
{
	struct nb_tx_completion done[BATCH];
	uint64_t dropped = 0;
	int i, n;

	n = nb_queue_tx_poll(direction->to, done, BATCH);
	if (n < 0)
		return fail_libnb(error, direction->to_end, n);
	for (i = 0; i < n; i++) {
		if (!was_at(direction, done[i].id, SENT))
			return fail(error, direction->to_end,
				    "the kernel has completed what was not transmitted");
		if (done[i].status != NB_TX_OK)
			dropped++;
		add_spare(direction, done[i].id);
	}
	if (dropped)
		count(&direction->counters.dropped, dropped);
	return n;
}

/*
 * Do what there is to do; returns how many things were done, -ENETRESET if one of the two
 * queues needs a restart, or -1 with the reason in @error.
 */
int direction_move(struct direction *direction, char *error)
{
	int completed, received, returned, sent;

	completed = complete(direction, error);
	if (completed < 0)
		return completed;
	received = receive(direction, error);
	if (received < 0)
		return received;
	sent = transmit(direction, error);
	if (sent < 0)
		return sent;
	returned = return_spares(direction, error);
	if (returned < 0)
		return returned;
	return completed + received + sent + returned;
}

/*
 * The queue of one end is going to be closed: take what it has done.  Returns 0, or -1
 * with the reason in @error.
 */
int direction_reap(struct direction *direction, const struct end *end, char *error)
{
	int n;

	do {
		n = end == direction->from_end ? receive(direction, error) :
						 complete(direction, error);
	} while (n > 0);
	return n == -ENETRESET ? 0 : n;
}

/* The queue of one end has been closed: its buffers come back, packets in them are lost. */
void direction_take_back(struct direction *direction, const struct end *end)
{
	const enum place place = end == direction->from_end ? AVAILABLE : SENT;
	uint64_t lost = 0;
	uint32_t id;

	for (id = 0; id < direction->n_buffers; id++) {
		if (direction->places[id] != place)
			continue;
		add_spare(direction, id);
		lost += place == SENT;
	}
	count(&direction->counters.dropped, lost);
}

/* Make buffers available to a new queue; returns 0, or -1 with the reason in @error. */
int direction_post(struct direction *direction, char *error)
{
	int n = return_spares(direction, error);

	/* it may have lost its backend again already; then there is an action that says so */
	return n < 0 && n != -ENETRESET ? n : 0;
}

/* Allocate what a direction needs; all its buffers are spare. */
int direction_init(struct direction *direction, const struct options *options)
{
	uint32_t entries = 1, id;

	while (entries < options->buffers)
		entries *= 2;
	direction->buffer_size = options->buffer_size;
	direction->n_buffers = options->buffers;
	direction->pending = calloc(entries, sizeof(*direction->pending));
	direction->pending_mask = entries - 1;
	direction->spare = calloc(options->buffers, sizeof(*direction->spare));
	direction->places = calloc(options->buffers, sizeof(*direction->places));
	if (!direction->pending || !direction->spare || !direction->places) {
		complain("no memory");
		return -1;
	}
	for (id = 0; id < direction->n_buffers; id++)
		add_spare(direction, id);
	return 0;
}

void direction_free(struct direction *direction)
{
	free(direction->pending);
	free(direction->spare);
	free(direction->places);
}
