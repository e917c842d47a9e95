// SPDX-License-Identifier: GPL-2.0
/*
 * The poller: a thread that drives its queue, so that the frontend makes no system call.
 *
 * It looks at the four indices that the frontend writes, and drives the queue when one
 * has changed in a way that matters.  When nothing has for the queue's idle time it
 * sleeps, and need_wakeup says so:
 *
 *    poller                               frontend
 *
 *    thread_asleep = true                 publish an index
 *    need_wakeup |= TX, and RX if wanted  full fence
 *    full fence                 (E)       read need_wakeup                 (E')
 *    look at the indices                  ENTER or kick, if it says so
 *    sleep, if nothing has changed
 *
 * (E) pairs with (E'): one of the two sees what the other has written.  ENTER drives the
 * queue itself, and wakes the poller for what comes next.
 *
 * That the backend waits for buffers stands in &nb_queue.rx_wanted, see buffer.c, and is
 * shown in need_wakeup only while the poller sleeps:
 *
 *    poller                               backend, nb_rx_want()
 *
 *    thread_asleep = true                 rx_wanted |= RX
 *    full fence                 (F)       full fence                       (F')
 *    need_wakeup |= rx_wanted             if thread_asleep: need_wakeup |= RX
 *
 * selftests/model has a model of both, in which nothing more is in order than that.
 *
 * It runs on the queue's target CPU while that is online and allowed, else on any CPU that
 * is allowed.  Allowed is what the frontend's cpuset says, until somebody else gives the
 * thread other CPUs: the cpuset, taskset, the scheduler when the thread's CPU goes offline.
 * Who changes the target only says so; the thread moves by itself, and comes back by itself
 * when its CPU is there again, so that nothing here has to be told of CPUs and cpusets.
 *
 * Process context.  Takes &nb_queue.tx_lock to drive, as everybody does.
 */
#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/isolation.h>

#include "ioctl.h"
#include "poller.h"
#include "queue.h"
#include "trace.h"

/* Nanoseconds without work after which a poller sleeps, by default. */
#define NB_POLL_IDLE		(50 * NSEC_PER_USEC)

/**
 * struct nb_poll_seen - the frontend's indices before the queue was driven last
 * @tx_avail: segments
 * @tx_done: completions reaped
 * @rx_avail: buffers
 * @rx_done: packets reaped
 */
struct nb_poll_seen {
	u32 tx_avail;
	u32 tx_done;
	u32 rx_avail;
	u32 rx_done;
};

static void nb_poll_look(const struct nb_queue *queue, struct nb_poll_seen *seen)
{
	seen->tx_avail = READ_ONCE(*queue->tx_avail.peer_shared);
	seen->tx_done = READ_ONCE(*queue->tx_done.peer_shared);
	seen->rx_avail = READ_ONCE(*queue->rx_avail.peer_shared);
	seen->rx_done = READ_ONCE(*queue->rx_done.peer_shared);
}

/* Does it matter what has changed since the queue was driven last? */
static bool nb_poll_has_work(const struct nb_queue *queue, const struct nb_poll_seen *last,
			     const struct nb_poll_seen *now)
{
	if (now->tx_avail != last->tx_avail)
		return true;
	if (now->tx_done != last->tx_done &&
	    now->tx_avail != READ_ONCE(*queue->tx_avail.pos_shared))
		return true;
	return (now->rx_avail != last->rx_avail || now->rx_done != last->rx_done) &&
	       nb_rx_waiting(queue);
}

/* Sleep until somebody wakes us, unless there is something to do. */
static void nb_poll_sleep(struct nb_queue *queue, const struct nb_poll_seen *last)
{
	struct nb_poll_seen now;

	set_current_state(TASK_IDLE);
	WRITE_ONCE(queue->thread_asleep, true);
	smp_mb(); /* (F) */
	atomic_or(NB_NEED_WAKEUP_TX | atomic_read(queue->rx_wanted), queue->need_wakeup);
	smp_mb__after_atomic(); /* (E) */
	nb_poll_look(queue, &now);
	if (!nb_poll_has_work(queue, last, &now) && !kthread_should_stop()) {
		schedule();
		atomic64_inc(&queue->kicks);
		nb_trace_doorbell(queue, NB_DOORBELL_WAKE, 0);
	}
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(queue->thread_asleep, false);
	/* A backend that has just seen us asleep may set it again: one ENTER too many. */
	atomic_set(queue->need_wakeup, 0);
}

/* A queue that does not run is not driven, until nb_queue_resume() if ever. */
static void nb_poll_wait_for_resume(const struct nb_queue *queue)
{
	set_current_state(TASK_IDLE);
	while (!kthread_should_stop() && nb_queue_check(queue)) {
		schedule();
		set_current_state(TASK_IDLE);
	}
	__set_current_state(TASK_RUNNING);
}

/* ---- CPUs ---------------------------------------------------------------- */

/* Is the thread where it should be, as far as that is to be seen at once? */
static bool nb_poll_is_placed(const struct nb_queue *queue)
{
	u32 cpu = READ_ONCE(queue->target_cpu);

	if (cpu != queue->poll_target)
		return false;
	if (cpu == NB_ANY_CPU || !cpu_online(cpu))
		return true;
	return raw_smp_processor_id() == cpu && current->nr_cpus_allowed == 1;
}

/* From now on these CPUs are allowed.  Without a target, those kept free are not used. */
static void nb_poll_allow(struct nb_queue *queue, struct task_struct *thread)
{
	raw_spin_lock_irq(&thread->pi_lock);
	cpumask_copy(queue->poll_allowed, thread->cpus_ptr);
	raw_spin_unlock_irq(&thread->pi_lock);
	queue->poll_cpus = queue->poll_allowed;
	rcu_read_lock();
	if (!cpumask_and(queue->poll_any, queue->poll_allowed,
			 housekeeping_cpumask(HK_TYPE_KTHREAD)))
		cpumask_copy(queue->poll_any, queue->poll_allowed);
	rcu_read_unlock();
}

static void nb_poll_place(struct nb_queue *queue)
{
	u32 cpu = READ_ONCE(queue->target_cpu);
	const struct cpumask *cpus;

	if (!cpumask_equal(current->cpus_ptr, queue->poll_cpus))
		nb_poll_allow(queue, current);
	if (cpu != NB_ANY_CPU && cpu_online(cpu) &&
	    cpumask_test_cpu(cpu, queue->poll_allowed))
		cpus = cpumask_of(cpu);
	else
		cpus = queue->poll_any;
	queue->poll_target = cpu;
	if (cpus != queue->poll_cpus && !set_cpus_allowed_ptr(current, cpus))
		queue->poll_cpus = cpus;
}

void nb_poll_thread_set_target(struct nb_queue *queue)
{
	if (queue->thread)
		wake_up_process(queue->thread);
}

/* ---- life ---------------------------------------------------------------- */

static int nb_poll_thread(void *data)
{
	struct nb_queue *queue = data;
	struct nb_poll_seen last = {}, now;
	u64 idle_since = local_clock();
	bool more = true;

	/* It may never have been started. */
	if (kthread_should_stop())
		return 0;
	queue->poll_target = NB_ANY_CPU;
	nb_poll_place(queue);
	atomic_set(queue->need_wakeup, 0);
	while (!kthread_should_stop()) {
		struct nb_enter result = {};

		if (unlikely(!nb_poll_is_placed(queue)))
			nb_poll_place(queue);
		nb_poll_look(queue, &now);
		if (more || nb_poll_has_work(queue, &last, &now)) {
			last = now;
			if (nb_queue_drive(queue, NB_ENTER_TX | NB_ENTER_RX, &result)) {
				nb_poll_wait_for_resume(queue);
				more = true;
			} else {
				more = result.tx_consumed;
			}
			idle_since = local_clock();
		} else if (local_clock() - idle_since >= queue->poll_idle) {
			nb_poll_sleep(queue, &last);
			idle_since = local_clock();
		} else {
			cpu_relax();
		}
		cond_resched();
	}
	return 0;
}

/* The thread's time is the caller's: it joins its cgroups, and has the CPUs of its cpuset. */
static int nb_poll_join_caller(struct nb_queue *queue, struct task_struct *thread)
{
	int err;

	/* Newer kernels give a thread CPUs of their choice when it first runs: it has, then. */
	err = kthread_park(thread);
	if (err)
		return err;
	/* A cpuset leaves some of them. */
	set_cpus_allowed_ptr(thread, cpu_possible_mask);
	err = cgroup_attach_task_all(current, thread);
	if (!err)
		nb_poll_allow(queue, thread);
	return err;
}

static void nb_poll_free_cpus(struct nb_queue *queue)
{
	free_cpumask_var(queue->poll_any);
	free_cpumask_var(queue->poll_allowed);
}

int nb_poll_thread_create(struct nb_queue *queue, u32 endpoint_id, u32 idle_us,
			  struct nb_msg *msg)
{
	struct task_struct *thread;
	int err;

	if (!alloc_cpumask_var(&queue->poll_allowed, GFP_KERNEL_ACCOUNT) ||
	    !alloc_cpumask_var(&queue->poll_any, GFP_KERNEL_ACCOUNT)) {
		err = -ENOMEM;
		goto err_cpus;
	}
	thread = kthread_create(nb_poll_thread, queue, "nb-%u/%u", endpoint_id, queue->index);
	if (IS_ERR(thread)) {
		nb_msg(msg, "no thread for queue %u", queue->index);
		err = PTR_ERR(thread);
		goto err_cpus;
	}
	err = nb_poll_join_caller(queue, thread);
	if (err) {
		nb_msg(msg, "the thread of queue %u cannot join the caller's cgroups",
		       queue->index);
		goto err_thread;
	}
	queue->poll_idle = idle_us ? (u64)idle_us * NSEC_PER_USEC : NB_POLL_IDLE;
	queue->rx_wanted = &queue->rx_wanted_unshared;
	queue->thread = thread;
	return 0;

err_thread:
	kthread_stop(thread);
err_cpus:
	nb_poll_free_cpus(queue);
	return err;
}

void nb_poll_thread_start(struct nb_queue *queue)
{
	if (queue->thread)
		kthread_unpark(queue->thread);
}

void nb_poll_thread_stop(struct nb_queue *queue)
{
	if (!queue->thread)
		return;
	kthread_stop(queue->thread);
	queue->thread = NULL;
	nb_poll_free_cpus(queue);
}
