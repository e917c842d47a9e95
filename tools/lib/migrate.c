// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Live migration of a queue: quiesce, save, restore, resume
 *
 * What is saved is a struct state, behind it the entries of tx-avail that the kernel has
 * not taken, behind these the same of rx-avail.  It may come from anywhere: all of it is
 * checked, here and in the kernel, before it is used.
 */
#include <errno.h>
#include <string.h>

#include "queue.h"

/* "NBS1" */
#define STATE_MAGIC	0x3153424eu
/* bytes of the first published version of struct state */
#define STATE_MIN_SIZE	200u

/**
 * struct state - what a saved queue begins with
 * @magic: STATE_MAGIC
 * @size: bytes of this struct; a later libnb's may be larger at its end
 * @n_tx: entries of tx-avail behind it
 * @n_rx: entries of rx-avail behind those
 * @need_notify: of &enum nb_need_notify
 * @reserved: 0
 * @saved: what the kernel knows; its size, flags and message are not used
 */
struct state {
	uint32_t magic;
	uint32_t size;
	uint32_t n_tx;
	uint32_t n_rx;
	uint32_t need_notify;
	uint32_t reserved;
	struct nb_queue_saved saved;
};

int nb_queue_quiesce(struct nb_queue *queue)
{
	return nb_queue_quiesce_within(queue, 0, 0);
}

int nb_queue_quiesce_within(struct nb_queue *queue, uint64_t timeout_ns, uint32_t flags)
{
	struct nb_queue_quiesce arg = {
		.size = sizeof(arg),
		.flags = flags,
		.timeout_ns = timeout_ns,
	};

	return nb_ioctl(queue->fd, NB_QUEUE_QUIESCE, &arg, &arg.msg, "quiesce the queue");
}

int nb_queue_resume(struct nb_queue *queue)
{
	struct nb_queue_resume arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(queue->fd, NB_QUEUE_RESUME, &arg, &arg.msg, "resume the queue");
	return err < 0 ? err : 0;
}

_Static_assert(sizeof(struct state) >= STATE_MIN_SIZE, "a state has only ever grown");

static size_t bytes_of(const struct state *state)
{
	return state->size + state->n_tx * sizeof(struct nb_tx_segment) +
	       state->n_rx * sizeof(struct nb_rx_segment);
}

/* Copy out entries that libnb has posted, from index @from on. */
static void copy_entries(const struct nb_ring *ring, uint32_t from, uint32_t n, void *to,
			 size_t size)
{
	uint8_t *entries = to;
	uint32_t i;

	for (i = 0; i < n; i++)
		memcpy(entries + i * size, nb_ring_entry(ring, from + i), size);
}

long nb_queue_save(struct nb_queue *queue, void *buf, size_t size)
{
	struct state state = {
		.magic = STATE_MAGIC,
		.size = sizeof(state),
		.saved.size = sizeof(state.saved),
	};
	struct nb_queue_saved *saved = &state.saved;
	uint8_t *to = buf;
	int err;

	err = nb_ioctl(queue->fd, NB_QUEUE_SAVE, saved, &saved->msg, "save the queue");
	if (err < 0)
		return err;
	saved->size = 0;
	state.n_tx = queue->tx_avail.own - saved->index[NB_RING_TX_AVAIL];
	state.n_rx = queue->rx_avail.own - saved->index[NB_RING_RX_AVAIL];
	if (state.n_tx > queue->tx_avail.n_entries || state.n_rx > queue->rx_avail.n_entries)
		return nb_ring_fail();
	state.need_notify = __atomic_load_n(queue->need_notify, __ATOMIC_RELAXED);
	if (size < bytes_of(&state))
		return (long)bytes_of(&state);

	memcpy(to, &state, sizeof(state));
	to += sizeof(state);
	copy_entries(&queue->tx_avail, saved->index[NB_RING_TX_AVAIL], state.n_tx, to,
		     sizeof(struct nb_tx_segment));
	to += state.n_tx * sizeof(struct nb_tx_segment);
	copy_entries(&queue->rx_avail, saved->index[NB_RING_RX_AVAIL], state.n_rx, to,
		     sizeof(struct nb_rx_segment));
	return (long)bytes_of(&state);
}

static int check_state(const struct nb_queue *queue, const struct state *state, size_t size)
{
	if (state->magic != STATE_MAGIC || state->size < STATE_MIN_SIZE || state->reserved)
		return nb_fail_text(EINVAL, "this is not a queue that libnb has saved");
	if (state->size > sizeof(*state))
		return nb_fail_text(EINVAL, "the queue was saved by a later libnb");
	if (state->n_tx > queue->tx_avail.n_entries ||
	    state->n_rx > queue->rx_avail.n_entries)
		return nb_fail(EINVAL, "the saved queue has %u and %u entries, more than the rings",
			       state->n_tx, state->n_rx);
	if (size != bytes_of(state))
		return nb_fail(EINVAL, "a saved queue of %zu bytes, not %zu", size,
			       bytes_of(state));
	return 0;
}

/* Packets and buffers among entries that are in the rings. */
static uint32_t count_packets(const struct nb_ring *ring, uint32_t n)
{
	const struct nb_tx_segment *segment;
	uint32_t packets = 0, i;

	for (i = 0; i < n; i++) {
		segment = nb_ring_entry(ring, ring->own + i);
		packets += !!(segment->flags & NB_TX_HEAD);
	}
	return packets;
}

static uint32_t count_buffers(const struct nb_ring *ring, uint32_t n)
{
	const struct nb_rx_segment *segment;
	uint32_t buffers = 0, i;

	for (i = 0; i < n; i++) {
		segment = nb_ring_entry(ring, ring->own + i);
		buffers += !(segment->len & NB_RX_MORE);
	}
	return buffers;
}

/* A ring whose kernel's index is @index begins empty there. */
static void start_ring(struct nb_ring *ring, uint32_t index)
{
	ring->own = index;
	ring->other = index;
	nb_ring_advance(ring, 0);
}

static void refill(struct nb_queue *queue, const struct state *state, const uint8_t *entries)
{
	const uint32_t *index = state->saved.index;

	start_ring(&queue->tx_avail, index[NB_RING_TX_AVAIL]);
	start_ring(&queue->tx_done, index[NB_RING_TX_DONE]);
	start_ring(&queue->rx_avail, index[NB_RING_RX_AVAIL]);
	start_ring(&queue->rx_done, index[NB_RING_RX_DONE]);
	__atomic_store_n(queue->need_notify, state->need_notify, __ATOMIC_RELAXED);

	nb_ring_write(&queue->tx_avail, entries, state->n_tx, sizeof(struct nb_tx_segment));
	entries += state->n_tx * sizeof(struct nb_tx_segment);
	nb_ring_write(&queue->rx_avail, entries, state->n_rx, sizeof(struct nb_rx_segment));
	queue->tx_outstanding = count_packets(&queue->tx_avail, state->n_tx);
	queue->rx_outstanding = count_buffers(&queue->rx_avail, state->n_rx);
	nb_ring_advance(&queue->tx_avail, state->n_tx);
	nb_ring_advance(&queue->rx_avail, state->n_rx);
}

int nb_queue_restore(struct nb_queue *queue, const void *buf, size_t size)
{
	struct nb_queue_saved *saved;
	struct state state = { 0 };
	int err;

	if (size < STATE_MIN_SIZE)
		return nb_fail(EINVAL, "a saved queue has at least %u bytes, not %zu",
			       STATE_MIN_SIZE, size);
	memcpy(&state, buf, size < sizeof(state) ? size : sizeof(state));
	err = check_state(queue, &state, size);
	if (err)
		return err;
	/* what an earlier libnb has not saved is 0 */
	memset((uint8_t *)&state + state.size, 0, sizeof(state) - state.size);
	err = nb_queue_quiesce(queue);
	if (err)
		return err;
	saved = &state.saved;
	saved->size = sizeof(*saved);
	saved->flags = 0;
	err = nb_ioctl(queue->fd, NB_QUEUE_RESTORE, saved, &saved->msg, "restore the queue");
	if (err < 0)
		return err;
	refill(queue, &state, (const uint8_t *)buf + state.size);
	return 0;
}
