/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * What the two halves of the data path share
 */
#ifndef NB_QUEUE_H
#define NB_QUEUE_H

#include <errno.h>

#include "internal.h"

/* queue.c APIs: */
int nb_queue_tell(struct nb_queue *queue, uint32_t flags);
int nb_queue_fail(int err);
int nb_queue_check_state(const struct nb_queue *queue);

static inline uint32_t nb_min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* An index of the kernel's says that a ring holds more than it can. */
static inline int nb_ring_fail(void)
{
	return nb_fail_text(EPROTO, "an index that the kernel has written is wrong");
}

/**
 * nb_queue_wakes() - does the kernel have to be told of an index just published
 * @queue: the queue
 * @bit: of &enum nb_need_wakeup
 *
 * The fence pairs with the kernel's: it sets need_wakeup, executes a full fence,
 * then looks at the ring once more.  So either it sees our index, or we its flag.
 */
static inline bool nb_queue_wakes(const struct nb_queue *queue, uint32_t bit)
{
	nb_full_fence();
	return __atomic_load_n(queue->need_wakeup, __ATOMIC_RELAXED) & bit;
}

/**
 * nb_done_ready() - what there is to reap, and if nothing, whether there ever will
 * @queue: the queue
 * @ring: one of its done rings
 * @n: entries wanted
 *
 * Return: entries, at most @n; or the negative errno of a queue without any that is
 * not running any more.
 */
static inline int nb_done_ready(struct nb_queue *queue, struct nb_ring *ring, uint32_t n)
{
	uint32_t ready;
	int err;

	ready = nb_ring_ready(ring, n);
	if (nb_unlikely(!ready && n)) {
		err = nb_queue_check_state(queue);
		if (nb_likely(!err))
			return 0;
		/* the kernel posts its last entries, then changes the state */
		ready = nb_ring_ready(ring, n);
		if (!ready)
			return err;
	}
	if (nb_unlikely(ready > ring->n_entries))
		return nb_ring_fail();
	return (int)nb_min_u32(ready, n);
}

#endif /* NB_QUEUE_H */
