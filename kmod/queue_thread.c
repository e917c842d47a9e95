// SPDX-License-Identifier: GPL-2.0
/*
 * The thread of a queue: the poller (poll_thread.c), or the one that works off kicks and
 * goes on (poller.c).  A queue has one of the two at most.
 *
 * It is in the cgroups of whoever made it, whose CPU time its time is.  It runs on the
 * queue's target CPU while that is online and allowed, else on any CPU that is allowed.
 * Allowed is what the maker's cpuset says, until somebody else gives the thread other
 * CPUs: the cpuset, taskset, the scheduler when the thread's CPU goes offline.  Who changes
 * the target only says so; the thread moves by itself, not too often, and comes back by
 * itself when its CPU is there again, so that nothing here has to be told of CPUs and cpusets.
 *
 * Takes no locks of net_backend's.  Process context.
 */
#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>

#include "ioctl.h"
#include "queue.h"
#include "queue_thread.h"

/* A target that the thread has not had: it has not chosen any CPUs yet. */
#define NB_NOWHERE		(NB_ANY_CPU - 1)

/*
 * How long the thread keeps to a target, in jiffies.  The kernel has no way to change only
 * what was read of a thread's CPUs: what a cpuset changes between our look and our own
 * change is lost.  A frontend must not make a habit of that moment.
 */
#define NB_THREAD_STAYS		(HZ / 10)

/* The target that counts now. */
static u32 nb_thread_target(const struct nb_queue *queue)
{
	u32 cpu = READ_ONCE(queue->target_cpu);

	if (unlikely(cpu != queue->thread_target) && time_before(jiffies, queue->thread_moves))
		return queue->thread_target;
	return cpu;
}

/* Is the thread where it should be, as far as that is to be seen at once? */
static bool nb_thread_is_placed(const struct nb_queue *queue)
{
	u32 cpu = nb_thread_target(queue);

	if (cpu != queue->thread_target)
		return false;
	if (cpu == NB_ANY_CPU || !cpu_online(cpu))
		return true;
	return raw_smp_processor_id() == cpu && READ_ONCE(current->nr_cpus_allowed) == 1;
}

/* From now on these CPUs are allowed.  Without a target, those kept free are not used. */
static void nb_thread_allow(struct nb_queue *queue, struct task_struct *thread)
{
	raw_spin_lock_irq(&thread->pi_lock);
	cpumask_copy(queue->thread_allowed, thread->cpus_ptr);
	raw_spin_unlock_irq(&thread->pi_lock);
	queue->thread_cpus = queue->thread_allowed;
	rcu_read_lock();
	if (!cpumask_and(queue->thread_any, queue->thread_allowed,
			 housekeeping_cpumask(HK_TYPE_KTHREAD)))
		cpumask_copy(queue->thread_any, queue->thread_allowed);
	rcu_read_unlock();
}

static void nb_thread_move(struct nb_queue *queue)
{
	u32 cpu = nb_thread_target(queue);
	const struct cpumask *cpus;

	if (!cpumask_equal(current->cpus_ptr, queue->thread_cpus))
		nb_thread_allow(queue, current);
	if (cpu != NB_ANY_CPU && cpu_online(cpu) &&
	    cpumask_test_cpu(cpu, queue->thread_allowed))
		cpus = cpumask_of(cpu);
	else
		cpus = queue->thread_any;
	if (cpu != queue->thread_target)
		queue->thread_moves = jiffies + NB_THREAD_STAYS;
	queue->thread_target = cpu;
	if (cpus != queue->thread_cpus && !set_cpus_allowed_ptr(current, cpus))
		queue->thread_cpus = cpus;
}

void nb_thread_place(struct nb_queue *queue)
{
	if (unlikely(!nb_thread_is_placed(queue)))
		nb_thread_move(queue);
}

long nb_thread_may_sleep(const struct nb_queue *queue)
{
	long left;

	if (READ_ONCE(queue->target_cpu) == queue->thread_target)
		return MAX_SCHEDULE_TIMEOUT;
	left = queue->thread_moves - jiffies;
	return max(left, 0L);
}

/* The thread's time is the caller's: it joins its cgroups, and has the CPUs of its cpuset. */
static int nb_thread_join_caller(struct nb_queue *queue, struct task_struct *thread)
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
		nb_thread_allow(queue, thread);
	return err;
}

struct task_struct *nb_thread_create(struct nb_queue *queue, int (*run)(void *queue),
				     u32 endpoint_id, struct nb_msg *msg)
{
	struct task_struct *thread;
	int err = -ENOMEM;

	if (!alloc_cpumask_var(&queue->thread_allowed, GFP_KERNEL_ACCOUNT))
		return ERR_PTR(-ENOMEM);
	if (!alloc_cpumask_var(&queue->thread_any, GFP_KERNEL_ACCOUNT))
		goto err_allowed;
	queue->thread_target = NB_NOWHERE;
	queue->thread_moves = jiffies;
	thread = kthread_create(run, queue, "nb-%u/%u", endpoint_id, queue->index);
	if (IS_ERR(thread)) {
		nb_msg(msg, "no thread for queue %u", queue->index);
		err = PTR_ERR(thread);
		goto err_any;
	}
	err = nb_thread_join_caller(queue, thread);
	if (err) {
		nb_msg(msg, "the thread of queue %u cannot join the caller's cgroups",
		       queue->index);
		goto err_thread;
	}
	return thread;

err_thread:
	kthread_stop(thread);
err_any:
	free_cpumask_var(queue->thread_any);
err_allowed:
	free_cpumask_var(queue->thread_allowed);
	return ERR_PTR(err);
}

void nb_thread_stop(struct nb_queue *queue, struct task_struct *thread)
{
	kthread_stop(thread);
	free_cpumask_var(queue->thread_any);
	free_cpumask_var(queue->thread_allowed);
}
