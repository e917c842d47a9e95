/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread that drives a queue: in whose cgroups it is, on which CPU.
 */
#ifndef _NB_QUEUE_THREAD_H
#define _NB_QUEUE_THREAD_H

#include <linux/types.h>

struct nb_msg;
struct nb_queue;
struct task_struct;

/**
 * nb_thread_create() - make the thread of a queue, which has none
 * @queue: the queue
 * @run: what it does, with the queue as its argument; calls nb_thread_place()
 * @endpoint_id: for the thread's name
 * @msg: says why not
 *
 * Process context of who pays for the thread.  It does not run until kthread_unpark().
 *
 * Return: the thread, for nb_thread_stop(); or an ERR_PTR.
 */
struct task_struct *nb_thread_create(struct nb_queue *queue, int (*run)(void *queue),
				     u32 endpoint_id, struct nb_msg *msg);

/* When this returns, the thread is gone, whether it had begun or not. */
void nb_thread_stop(struct nb_queue *queue, struct task_struct *thread);

/* Move the calling thread, which is the queue's, to where it should be. */
void nb_thread_place(struct nb_queue *queue);

/*
 * How many jiffies the thread may sleep, for schedule_timeout(); 0 if another target has been
 * set since nb_thread_place() and counts by now.  For the thread, after set_current_state():
 * who sets a target wakes it then.
 */
long nb_thread_may_sleep(const struct nb_queue *queue);

#endif /* _NB_QUEUE_THREAD_H */
