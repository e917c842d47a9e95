// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a queue, its state, its counters.
 *
 * Owns struct nb_queue.  Takes no locks.  Process context, but for
 * nb_queue_set_state() and nb_queue_read_stats().
 */
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stddef.h>

#include "event.h"
#include "ioctl.h"
#include "notify.h"
#include "queue.h"
#include "trace.h"

/*
 * Transmit and receive run on different CPUs, as does who knocks or waits: what each of them
 * writes has cache lines of its own, and what all read has others.
 */
#define NB_QUEUE_APART(last, first)						\
	static_assert((offsetofend(struct nb_queue, last) - 1) / SMP_CACHE_BYTES <	\
		      offsetof(struct nb_queue, first) / SMP_CACHE_BYTES)

NB_QUEUE_APART(need_notify, wait);
NB_QUEUE_APART(rx_moderation, tx_lock);
NB_QUEUE_APART(tx_total, rx_avail);
NB_QUEUE_APART(buffer, doorbell_lock);

void nb_queue_set_state(struct nb_queue *queue, u32 state)
{
	u32 was = READ_ONCE(*queue->state);
	u32 old;

	do {
		old = was;
		if (old != NB_QUEUE_RUNNING && old != NB_QUEUE_QUIESCED)
			return;
		was = nb_event_change_state(queue, old, state);
	} while (was != old);
	trace_nb_queue_state(queue, old, state);
	nb_notify_state(queue);
}
EXPORT_SYMBOL_GPL(nb_queue_set_state);

int nb_queue_state_errno(u32 state)
{
	switch (state) {
	case NB_QUEUE_RESTART:
		return -ENETRESET;
	case NB_QUEUE_QUIESCED:
		return -ESHUTDOWN;
	default:
		return -EIO;
	}
}
EXPORT_SYMBOL_GPL(nb_queue_state_errno);

void nb_queue_add_rx_seldom(struct nb_queue *queue)
{
	struct nb_rx_counts *n = &queue->rx_counts;

	queue->rx_total.vlan_packets += n->vlan_packets;
	queue->rx_total.errors += n->errors;
	queue->rx_total.too_small += n->too_small;
	queue->rx_total.no_buffer += n->no_buffer;
	*n = (struct nb_rx_counts){};
}

static void nb_queue_read_tx(struct nb_queue *queue, struct nb_tx_counts *counts)
{
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&queue->tx_syncp);
		/* A word is read as it was or is; with two words the sequence counter tells. */
		*counts = data_race(queue->tx_total);
	} while (u64_stats_fetch_retry(&queue->tx_syncp, start));
}

static void nb_queue_read_rx(struct nb_queue *queue, struct nb_rx_counts *counts)
{
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&queue->rx_syncp);
		/* A word is read as it was or is; with two words the sequence counter tells. */
		*counts = data_race(queue->rx_total);
	} while (u64_stats_fetch_retry(&queue->rx_syncp, start));
}

void nb_queue_read_stats(struct nb_queue *queue, struct nb_queue_stats *stats)
{
	struct nb_tx_counts tx;
	struct nb_rx_counts rx;

	nb_queue_read_tx(queue, &tx);
	nb_queue_read_rx(queue, &rx);
	stats->tx_packets = tx.packets;
	stats->tx_bytes = tx.bytes;
	stats->tx_vlan_packets = tx.vlan_packets;
	stats->tx_errors = tx.errors;
	stats->tx_dropped = tx.dropped;
	stats->tx_zerocopy = tx.zerocopy;
	stats->tx_zerocopy_copied = tx.zerocopy_copied;
	stats->rx_packets = rx.packets;
	stats->rx_bytes = rx.bytes;
	stats->rx_vlan_packets = rx.vlan_packets;
	stats->rx_errors = rx.errors;
	stats->rx_too_small = rx.too_small;
	stats->rx_no_buffer = rx.no_buffer;
	stats->enters = atomic64_read(&queue->enters);
	stats->kicks = atomic64_read(&queue->kicks);
	stats->notifies = atomic64_read(&queue->notifies);
	stats->held_back = atomic64_read(&queue->held_back);
}
EXPORT_SYMBOL_GPL(nb_queue_read_stats);

int nb_queue_check_cpu(u32 cpu, struct nb_msg *msg)
{
	if (cpu == NB_ANY_CPU || (cpu < nr_cpu_ids && cpu_possible(cpu)))
		return 0;
	nb_msg(msg, "there is no CPU %u", cpu);
	return -EINVAL;
}

static int nb_queue_check_flags(u32 flags, u32 index, struct nb_msg *msg)
{
	const u32 segmentation = NB_QUEUE_RX_TCP_SEGMENTATION | NB_QUEUE_RX_UDP_SEGMENTATION;

	if (flags & ~(NB_QUEUE_RX_CHECKSUM | segmentation | NB_QUEUE_POLL |
		      NB_QUEUE_ZEROCOPY_TX)) {
		nb_msg(msg, "unknown flags 0x%x of queue %u", flags, index);
		return -EINVAL;
	}
	if ((flags & segmentation) && !(flags & NB_QUEUE_RX_CHECKSUM)) {
		nb_msg(msg, "super-packets need NB_QUEUE_RX_CHECKSUM, too");
		return -EINVAL;
	}
	return 0;
}

static int nb_queue_check_poll(const struct nb_queue_config *config, u32 index,
			       struct nb_msg *msg)
{
	if (config->reserved) {
		nb_msg(msg, "reserved of queue %u is not 0", index);
		return -EINVAL;
	}
	if (config->poll_idle_us && !(config->flags & NB_QUEUE_POLL)) {
		nb_msg(msg, "poll_idle_us of queue %u without NB_QUEUE_POLL", index);
		return -EINVAL;
	}
	if (config->poll_idle_us > NB_MAX_POLL_IDLE_US) {
		nb_msg(msg, "poll_idle_us of queue %u is %u, at most %u is possible", index,
		       config->poll_idle_us, NB_MAX_POLL_IDLE_US);
		return -EINVAL;
	}
	return 0;
}

struct nb_queue *nb_queue_create(const struct nb_queue_config *config, u32 index,
				 struct nb_mem *mem, struct nb_msg *msg)
{
	struct nb_queue *queue;
	int err;

	err = nb_queue_check_flags(config->flags, index, msg);
	if (!err)
		err = nb_queue_check_poll(config, index, msg);
	if (!err)
		err = nb_queue_check_cpu(config->target_cpu, msg);
	if (err)
		return ERR_PTR(err);

	queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	if (!queue)
		return ERR_PTR(-ENOMEM);
	queue->batch = kzalloc(sizeof(*queue->batch), GFP_KERNEL_ACCOUNT);
	if (!queue->batch) {
		err = -ENOMEM;
		goto err_free;
	}
	nb_tx_batch_init(queue->batch);
	err = nb_rings_create(queue, config, msg);
	if (err)
		goto err_free;

	kref_get(&mem->ref);
	queue->mem = mem;
	queue->index = index;
	queue->flags = config->flags;
	queue->target_cpu = config->target_cpu;
	init_waitqueue_head(&queue->wait);
	mutex_init(&queue->tx_lock);
	u64_stats_init(&queue->tx_syncp);
	u64_stats_init(&queue->rx_syncp);
	nb_moderation_init(queue);
	return queue;

err_free:
	kfree(queue->batch);
	kfree(queue);
	return ERR_PTR(err);
}

void nb_queue_destroy(struct nb_queue *queue)
{
	nb_moderation_exit(queue);
	nb_rings_destroy(queue);
	nb_mem_put(queue->mem);
	mutex_destroy(&queue->tx_lock);
	kfree(queue->batch);
	kfree(queue);
}
