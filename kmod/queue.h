/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A queue: four rings, a memory, and the backend that they serve.
 *
 *	queue_fd.c	the fd: file operations and ioctls
 *	poller.c	drive the queue after a kick, and go on with what was left
 *	poll_thread.c	drive the queue all the time
 *	queue_thread.c	the thread of both: its cgroups, its CPU
 *	enter.c		ENTER: drive the data path, wait
 *	migrate.c	quiesce, save, restore, resume
 *	zerocopy.c	packets whose payload stays in guest memory
 *	queue.c		life, state, counters
 *	rings.c		the shared maps: layout, memory, mmap()
 *	notify.c	wake the frontend
 *	moderation.c	wake it later
 */
#ifndef _NB_QUEUE_H
#define _NB_QUEUE_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/u64_stats_sync.h>
#include <linux/wait.h>

#include "buffer.h"
#include "kind.h"
#include "mem.h"
#include "moderation.h"
#include "packet.h"
#include "ring.h"

struct eventfd_ctx;
struct file;
struct nb_endpoint;
struct nb_event_note;
struct nb_zerocopy;
struct task_struct;
struct vm_area_struct;

/**
 * struct nb_tx_counts - counters of the transmit side
 * @packets: see &nb_queue_stats.tx_packets, and so on
 * @bytes: tx_bytes
 * @vlan_packets: tx_vlan_packets
 * @errors: tx_errors
 * @dropped: tx_dropped
 * @zerocopy: tx_zerocopy
 * @zerocopy_copied: tx_zerocopy_copied
 */
struct nb_tx_counts {
	u64 packets;
	u64 bytes;
	u64 vlan_packets;
	u64 errors;
	u64 dropped;
	u64 zerocopy;
	u64 zerocopy_copied;
};

/**
 * struct nb_rx_counts - counters of the receive side
 * @packets: see &nb_queue_stats.rx_packets, and so on
 * @bytes: rx_bytes
 * @vlan_packets: rx_vlan_packets
 * @errors: rx_errors
 * @too_small: rx_too_small
 * @no_buffer: rx_no_buffer
 */
struct nb_rx_counts {
	u64 packets;
	u64 bytes;
	u64 vlan_packets;
	u64 errors;
	u64 too_small;
	u64 no_buffer;
};

/**
 * struct nb_maps - the memory that a queue shares with its frontend
 * @kernel: the kernel map, vmalloc()ed; begins with &struct nb_queue_header
 * @user: the user map, vmalloc()ed
 * @kernel_size: bytes of @kernel
 * @user_size: bytes of @user
 */
struct nb_maps {
	void *kernel;
	void *user;
	u32 kernel_size;
	u32 user_size;
};

/**
 * enum nb_queue_note - what can change again and again, and is told with pauses
 * @NB_QUEUE_NOTE_STATE: the queue is quiesced, or resumed
 * @NB_QUEUE_NOTE_MODERATION: its moderation
 * @NB_QUEUE_NOTE_TARGET_CPU: the CPU that it serves
 * @NB_QUEUE_N_NOTES: how many there are of these
 */
enum nb_queue_note {
	NB_QUEUE_NOTE_STATE,
	NB_QUEUE_NOTE_MODERATION,
	NB_QUEUE_NOTE_TARGET_CPU,
	NB_QUEUE_N_NOTES,
};

/**
 * struct nb_queue - one path of packets between a frontend and a backend
 * @endpoint: its endpoint, held
 * @release: called when its fd is closed
 * @mem: its memory, held
 * @ops: the data path of the backend
 * @backend: the backend
 * @priv: the backend's
 * @index: number of the queue, from 0
 * @flags: of &enum nb_queue_flags
 * @tx_offloads: of &enum nb_tx_offloads, what the backend offers
 * @target_cpu: CPU that the queue serves, or NB_ANY_CPU
 * @told: others are told what happens to it, see event.h
 * @noted: what waits to be told of it, or NULL; see event.h
 * @maps: the shared memory
 * @state: of &enum nb_queue_state, in the kernel map
 * @need_wakeup: of &enum nb_need_wakeup, in the kernel map
 * @need_notify: of &enum nb_need_notify, in the user map
 * @wait: who sleeps until there is something to reap
 * @waiters: of those, the ones in ENTER
 * @call: eventfd that is signalled with @wait, or NULL; replaced under RCU, written
 *	under @doorbell_lock
 * @enters: see &struct nb_queue_stats
 * @notifies: see &struct nb_queue_stats
 * @held_back: see &struct nb_queue_stats
 * @tx_moderation: of notifications of tx-done
 * @rx_moderation: of notifications of rx-done
 * @tx_lock: held to drive the queue: to take segments, and to call ops->tx and
 *	ops->rx_avail.  Nothing of net_backend's is taken inside but what a backend's
 *	ops need
 * @tx_avail: under @tx_lock
 * @tx_done: under @tx_lock
 * @batch: packets in the making, under @tx_lock
 * @tx_cache: under @tx_lock
 * @zerocopy: packets that are sent without a copy, with NB_QUEUE_ZEROCOPY_TX; or NULL.
 *	Replaced under @tx_lock
 * @tx_blocked: the backend has left segments in tx-avail, under @tx_lock
 * @tx_syncp: of @tx_total
 * @tx_total: written under @tx_lock, read with @tx_syncp
 * @rx_avail: the receive side, see buffer.h for its serialisation
 * @rx_done: receive side
 * @rx_cache: receive side
 * @rx_counts: receive side: not yet in @rx_total
 * @rx_syncp: of @rx_total
 * @rx_total: written by the receive side, read with @rx_syncp
 * @buffer: receive side: the buffer at hand
 * @doorbell_lock: protects @kick_file, @kick_ctx, and changes of @call and @kick_thread, as
 *	long as there is an fd; nothing of net_backend's is taken inside
 * @kick_file: eventfd whose signal makes @kick_thread run, or NULL
 * @kick_ctx: the same
 * @kick_wait: on @kick_ctx
 * @kick_thread: drives the queue when it was kicked, or is to go on; NULL before there is
 *	an eventfd, unless it may have to go on, and with @thread
 * @kicked: it was, since @kick_thread began to drive it
 * @go_on: something is left to do, since @kick_thread or @thread began to drive it
 * @kicks: see &struct nb_queue_stats
 * @thread: the poller, or NULL
 * @thread_asleep: the poller sleeps, or is about to
 * @poll_idle: nanoseconds without work after which it does
 * @thread_target: @target_cpu when @thread or @kick_thread chose its CPUs
 * @thread_moves: in jiffies, when it may choose others for a new target
 * @thread_cpus: the CPUs that it has, if nobody else has changed that
 * @thread_allowed: of which it chooses with a target
 * @thread_any: of which it chooses without
 * @rx_wanted: has NB_NEED_WAKEUP_RX while the backend waits for buffers: @need_wakeup, or
 *	with a poller @rx_wanted_unshared
 * @rx_wanted_unshared: see @rx_wanted
 * @restored: counters of the queue that this one continues, see
 *	&nb_queue_saved.counters; written under @tx_lock
 */
struct nb_queue {
	struct nb_endpoint *endpoint;
	void (*release)(struct nb_queue *queue);
	struct nb_mem *mem;
	const struct nb_queue_ops *ops;
	struct nb_backend *backend;
	void *priv;
	u32 index;
	u32 flags;
	u32 tx_offloads;
	u32 target_cpu;
	bool told;
	struct nb_event_note *noted[NB_QUEUE_N_NOTES];
	struct nb_maps maps;
	u32 *state;
	atomic_t *need_wakeup;
	const u32 *need_notify;

	wait_queue_head_t wait ____cacheline_aligned_in_smp;
	atomic_t waiters;
	struct eventfd_ctx __rcu *call;
	atomic64_t enters;
	atomic64_t notifies;
	atomic64_t held_back;
	struct nb_moderation tx_moderation;
	struct nb_moderation rx_moderation;

	struct mutex tx_lock ____cacheline_aligned_in_smp;
	struct nb_ring tx_avail;
	struct nb_ring tx_done;
	struct nb_tx_batch *batch;
	struct nb_mem_cache tx_cache;
	struct nb_zerocopy *zerocopy;
	bool tx_blocked;
	struct u64_stats_sync tx_syncp;
	struct nb_tx_counts tx_total;

	struct nb_ring rx_avail ____cacheline_aligned_in_smp;
	struct nb_ring rx_done;
	struct nb_mem_cache rx_cache;
	struct nb_rx_counts rx_counts;
	struct u64_stats_sync rx_syncp;
	struct nb_rx_counts rx_total;
	struct nb_buffer buffer;

	struct mutex doorbell_lock ____cacheline_aligned_in_smp; /* which eventfds are set */
	struct file *kick_file;
	struct eventfd_ctx *kick_ctx;
	wait_queue_entry_t kick_wait;
	struct task_struct *kick_thread;
	bool kicked;
	bool go_on;
	atomic64_t kicks;
	struct task_struct *thread;
	bool thread_asleep;
	u64 poll_idle;
	u32 thread_target;
	unsigned long thread_moves;
	const struct cpumask *thread_cpus;
	cpumask_var_t thread_allowed;
	cpumask_var_t thread_any;
	atomic_t *rx_wanted;
	atomic_t rx_wanted_unshared;
	u64 restored[NB_SAVED_COUNTERS];
};

/* buffer.c APIs, see buffer.h: */

/**
 * nb_rx_peek() - take a buffer to hand, if none is, and reserve its place in rx-done
 * @queue: the queue
 *
 * Buffers that are malformed are completed with an error on the way.  A broken index
 * fails the queue.
 *
 * Return: the buffer's capacity in bytes, or 0 if there is no buffer or no room.
 */
static inline u32 nb_rx_peek(struct nb_queue *queue)
{
	return queue->buffer.n_segs ? queue->buffer.capacity : nb_rx_next(queue);
}

/* queue.c APIs: */

/**
 * nb_queue_create() - make a queue that is not yet used by a backend
 * @config: as user space gave it
 * @index: number of the queue
 * @mem: its memory; the queue takes a reference of its own
 * @msg: says why not
 *
 * Return: the queue, for nb_queue_destroy(); or an ERR_PTR with -EINVAL, -ENOMEM.
 */
struct nb_queue *nb_queue_create(const struct nb_queue_config *config, u32 index,
				 struct nb_mem *mem, struct nb_msg *msg);

/* Unmake a queue that no backend and no fd refers to.  Process context. */
void nb_queue_destroy(struct nb_queue *queue);

/* Whether there is such a CPU, or -EINVAL. */
int nb_queue_check_cpu(u32 cpu, struct nb_msg *msg);

/**
 * nb_queue_set_state() - the queue stops for good, and says so
 * @queue: the queue
 * @state: NB_QUEUE_RESTART or NB_QUEUE_FAILED; the first one stays
 *
 * Any context.
 */
void nb_queue_set_state(struct nb_queue *queue, u32 state);

/* The errno of a state that is not NB_QUEUE_RUNNING. */
int nb_queue_state_errno(u32 state);

/* 0 while the queue runs, else -ENETRESET, -ESHUTDOWN or -EIO. */
static inline int nb_queue_check(const struct nb_queue *queue)
{
	/* Pairs with nb_queue_resume(): what was restored before is seen. */
	u32 state = smp_load_acquire(queue->state);

	if (likely(state == NB_QUEUE_RUNNING))
		return 0;
	return nb_queue_state_errno(state);
}

static inline bool nb_queue_quiesced(const struct nb_queue *queue)
{
	return READ_ONCE(*queue->state) == NB_QUEUE_QUIESCED;
}

/* Read all counters of a queue, from its birth.  Any context. */
void nb_queue_read_stats(struct nb_queue *queue, struct nb_queue_stats *stats);

/* Once a batch, under tx_lock with bottom halves off. */
static inline void nb_queue_add_tx(struct nb_queue *queue, const struct nb_tx_counts *n)
{
	u64_stats_update_begin(&queue->tx_syncp);
	queue->tx_total.packets += n->packets;
	queue->tx_total.bytes += n->bytes;
	queue->tx_total.vlan_packets += n->vlan_packets;
	queue->tx_total.errors += n->errors;
	queue->tx_total.dropped += n->dropped;
	queue->tx_total.zerocopy += n->zerocopy;
	queue->tx_total.zerocopy_copied += n->zerocopy_copied;
	u64_stats_update_end(&queue->tx_syncp);
}

/* nb_queue_add_rx() for the counters that seldom move. */
void nb_queue_add_rx_seldom(struct nb_queue *queue);

/* Once a batch, in the receive side's context: move rx_counts to rx_total. */
static inline void nb_queue_add_rx(struct nb_queue *queue)
{
	struct nb_rx_counts *n = &queue->rx_counts;

	u64_stats_update_begin(&queue->rx_syncp);
	queue->rx_total.packets += n->packets;
	queue->rx_total.bytes += n->bytes;
	if (unlikely(n->vlan_packets | n->errors | n->too_small | n->no_buffer))
		nb_queue_add_rx_seldom(queue);
	u64_stats_update_end(&queue->rx_syncp);
	n->packets = 0;
	n->bytes = 0;
}

/* migrate.c APIs, all in process context: */

/* NB_QUEUE_QUIESCE and NB_QUEUE_RESUME. */
int nb_queue_quiesce(struct nb_queue *queue, const struct nb_queue_quiesce *arg,
		     struct nb_msg *msg);
int nb_queue_resume(struct nb_queue *queue, struct nb_msg *msg);

/* NB_QUEUE_SAVE and NB_QUEUE_RESTORE. */
int nb_queue_save(struct nb_queue *queue, struct nb_queue_saved *saved,
		  struct nb_msg *msg);
int nb_queue_restore(struct nb_queue *queue, const struct nb_queue_saved *saved,
		     struct nb_msg *msg);

/* NB_QUEUE_GET_STATS: nb_queue_read_stats() and what was restored. */
void nb_queue_total_stats(struct nb_queue *queue, struct nb_queue_stats *stats);

/* queue_fd.c APIs: */

/* A new file for a queue, which may become an fd. */
struct file *nb_queue_file(struct nb_queue *queue);

/* rings.c APIs: */

/* Allocate the maps of a queue, write their header, and set up its rings. */
int nb_rings_create(struct nb_queue *queue, const struct nb_queue_config *config,
		    struct nb_msg *msg);
void nb_rings_destroy(struct nb_queue *queue);
int nb_rings_mmap(struct nb_queue *queue, struct vm_area_struct *vma);

/* enter.c APIs: */

/**
 * nb_queue_drive() - do what NB_ENTER_TX and NB_ENTER_RX ask for
 * @queue: the queue
 * @flags: of &enum nb_enter_flags; others are ignored
 * @result: out: @tx_consumed and @tx_completed
 *
 * Process context.
 *
 * Return: 0, or the errno of the state in which the queue is (afterwards).
 */
int nb_queue_drive(struct nb_queue *queue, u32 flags, struct nb_enter *result);

/* NB_QUEUE_ENTER. */
long nb_queue_enter(struct nb_queue *queue, void __user *arg);

#endif /* _NB_QUEUE_H */
