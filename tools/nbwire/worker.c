// SPDX-License-Identifier: GPL-2.0
/*
 * The threads: one for each queue, asleep when there is nothing to do
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>

#include "nbwire.h"

/* Say whether the two queues are to wake this thread. */
static void set_need_notify(struct worker *worker, uint32_t bits)
{
	int i;

	for (i = 0; i < N_ENDS; i++)
		nb_queue_set_need_notify(worker->directions[i].from, bits);
}

static int move(struct worker *worker)
{
	int i, n, sum = 0;

	for (i = 0; i < N_ENDS; i++) {
		n = direction_move(&worker->directions[i], worker->error);
		if (n < 0)
			return n;
		sum += n;
	}
	return sum;
}

static void sleep_until_woken(struct worker *worker)
{
	struct pollfd fds[N_ENDS + 1] = {
		{ .fd = nb_queue_fd(worker->directions[0].from), .events = POLLIN },
		{ .fd = nb_queue_fd(worker->directions[1].from), .events = POLLIN },
		{ .fd = worker->wire->stop_fd, .events = POLLIN },
	};

	poll(fds, N_ENDS + 1, -1);
}

/*
 * A queue that needs a restart ends the thread, too, but is no failure: an action tells
 * the main thread, which starts all workers again when there is another queue.
 */
static void *run(void *arg)
{
	struct worker *worker = arg;
	int moved = 0;

	set_need_notify(worker, 0);
	while (!__atomic_load_n(&worker->wire->stop, __ATOMIC_ACQUIRE)) {
		moved = move(worker);
		if (moved < 0)
			break;
		if (moved)
			continue;

		/* what came before the kernel could see the flags wakes nobody */
		set_need_notify(worker, NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX);
		moved = move(worker);
		if (moved < 0)
			break;
		if (!moved)
			sleep_until_woken(worker);
		set_need_notify(worker, 0);
	}
	if (moved < 0 && moved != -ENETRESET)
		eventfd_write(worker->wire->failed_fd, 1);
	return NULL;
}

/* Give each worker a CPU of its own, if there are enough for several. */
static void choose_cpus(struct wire *wire)
{
	unsigned int i, cpu = 0;
	bool enough = wire->options.queues > 1;
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) ||
	    CPU_COUNT(&allowed) < (int)wire->options.queues)
		enough = false;
	for (i = 0; i < wire->options.queues; i++) {
		wire->workers[i].cpu = NB_ANY_CPU;
		if (!enough)
			continue;
		while (!CPU_ISSET(cpu, &allowed))
			cpu++;
		wire->workers[i].cpu = cpu++;
	}
}

/* Run a worker, and the kernel's work for its queues, on the worker's CPU. */
static int pin(struct worker *worker, pthread_attr_t *attr)
{
	cpu_set_t set;
	int i;

	for (i = 0; i < N_ENDS; i++) {
		if (nb_queue_update_target_vp(worker->directions[i].from, worker->cpu)) {
			complain("%s: %s", worker->directions[i].from_end->spec.text, nb_error());
			return -1;
		}
	}
	CPU_ZERO(&set);
	CPU_SET(worker->cpu, &set);
	return pthread_attr_setaffinity_np(attr, sizeof(set), &set);
}

/* Start all workers; says what is wrong, and returns nonzero, if something is. */
int workers_start(struct wire *wire)
{
	pthread_attr_t attr;
	eventfd_t stopped;
	unsigned int i;
	int err;

	wire->stop = 0;
	eventfd_read(wire->stop_fd, &stopped);
	choose_cpus(wire);
	for (i = 0; i < wire->options.queues; i++) {
		struct worker *worker = &wire->workers[i];

		pthread_attr_init(&attr);
		err = worker->cpu == NB_ANY_CPU ? 0 : pin(worker, &attr);
		if (!err)
			err = pthread_create(&worker->thread, &attr, run, worker);
		pthread_attr_destroy(&attr);
		if (err) {
			if (err > 0)
				complain("no thread for queue %u: %s", i, strerror(err));
			return -1;
		}
		worker->started = true;
	}
	return 0;
}

/* Stop all workers; they can be started again. */
void workers_stop(struct wire *wire)
{
	unsigned int i;

	__atomic_store_n(&wire->stop, 1, __ATOMIC_RELEASE);
	eventfd_write(wire->stop_fd, 1);
	for (i = 0; wire->workers && i < wire->options.queues; i++) {
		if (wire->workers[i].started)
			pthread_join(wire->workers[i].thread, NULL);
		wire->workers[i].started = false;
	}
}

/* Has one failed, now that they are stopped? */
bool workers_have_failed(const struct wire *wire)
{
	unsigned int i;

	for (i = 0; i < wire->options.queues; i++) {
		if (wire->workers[i].error[0])
			return true;
	}
	return false;
}
