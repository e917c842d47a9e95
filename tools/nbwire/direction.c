// SPDX-License-Identifier: GPL-2.0
/*
 * Packets from one queue to another, without a copy
 *
 * A buffer goes round: available to the backend of @from, received with a packet,
 * pending, transmitted by @to out of the same guest memory, completed, spare, and
 * available again.  Its number, RxId on the one side and TxId on the other, stays the
 * same.  If @to is slow, all buffers end up pending, @from has none left, and its
 * backend holds its packets back: nothing is lost here.
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
	direction->spare[direction->n_spare++] = (struct nb_rx_segment){
		.gpa = direction->gpa + (uint64_t)id * direction->buffer_size,
		.len = direction->buffer_size,
		.id = id,
	};
}

/* Make the spare buffers available; what does not fit stays spare. */
static int return_spares(struct direction *direction)
{
	int n;

	if (!direction->n_spare)
		return 0;
	n = nb_queue_rx_avail(direction->from, direction->spare, direction->n_spare);
	if (n <= 0)
		return n;
	direction->n_spare -= (uint32_t)n;
	memmove(direction->spare, direction->spare + n,
		direction->n_spare * sizeof(*direction->spare));
	return n;
}

/* Allocate what a direction needs, and make all its buffers available. */
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
	if (!direction->pending || !direction->spare) {
		complain("no memory");
		return -1;
	}
	for (id = 0; id < direction->n_buffers; id++)
		add_spare(direction, id);
	if (return_spares(direction) < 0) {
		complain("%s: %s", direction->from_end->text, nb_error());
		return -1;
	}
	return 0;
}

void direction_free(struct direction *direction)
{
	free(direction->pending);
	free(direction->spare);
}

static int fail(char *error, const struct end *end, const char *reason)
{
	snprintf(error, REASON_SIZE, "%s: %s", end->text, reason);
	return -1;
}

/* libnb has returned the negative errno @err. */
static int fail_libnb(char *error, const struct end *end, int err)
{
	if (err == -ENETRESET)
		return fail(error, end, "its backend has left: start nbwire again when it is back");
	return fail(error, end, nb_error());
}

/* Make a transmit of a received packet; -1 if it is none that can be forwarded. */
static int forward(struct direction *direction, const struct nb_rx_metadata *packet)
{
	uint32_t place = direction->tail & direction->pending_mask;

	if (nb_tx_from_rx(direction->mem, packet,
			  direction->gpa + (uint64_t)packet->id * direction->buffer_size,
			  &direction->pending[place]))
		return -1;
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
		if (packet->status != NB_RX_OK || packet->id >= direction->n_buffers)
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

/* Transmit what is pending, as far as there is room. */
static int transmit(struct direction *direction, char *error)
{
	uint32_t first, n, i;
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
		if (taken < 0)
			return fail_libnb(error, direction->to_end, taken);
		for (i = 0; synchronous && i < (uint32_t)taken; i++)
			add_spare(direction, direction->pending[first + i].id);
		direction->head += (uint32_t)taken;
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
		if (done[i].id >= direction->n_buffers ||
		    direction->n_spare == direction->n_buffers)
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
 * Do what there is to do; returns how many things were done, or -1 with the reason in
 * @error.
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
	returned = return_spares(direction);
	if (returned < 0)
		return fail_libnb(error, direction->from_end, returned);
	return completed + received + sent + returned;
}
