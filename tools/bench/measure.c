// SPDX-License-Identifier: GPL-2.0
/*
 * From a path and a shape to a figure
 *
 * In the counting VM the clock goes on by one nanosecond an instruction, so that a
 * difference of CLOCK_MONOTONIC is a number of instructions, of the kernel and the
 * program together.  A repetition is a window of WINDOW instructions: a few
 * ticks of the timer, which are then the same small part of each.
 */

#include <time.h>

#include "bench.h"

#define WINDOW		8000000.0
#define WARM_UP_PACKETS	1024
#define MIN_PACKETS	256
#define MAX_REPETITIONS	100

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

#ifdef __x86_64__
/* Two instructions a turn */
static void spin(unsigned long turns)
{
	asm volatile("1: dec %0; jnz 1b" : "+r" (turns) : : "cc");
}
#else
static void spin(unsigned long turns)
{
	(void)turns;
}
#endif

double measure_instruction(void)
{
	const unsigned long turns = 1000000;
	double start, time, shortest = 0;
	int i;

	/* The shortest of several: something may still go on in the background. */
	for (i = 0; i < 20; i++) {
		start = now();
		spin(turns);
		time = now() - start;
		if (!i || time < shortest)
			shortest = time;
	}
	return shortest / (2.0 * turns);
}

bool clock_counts(void)
{
	double instruction = measure_instruction();

	return instruction > 0.98 && instruction < 1.03;
}

static double per_packet(const struct path *path, void *state, const struct shape *shape,
			 unsigned int batches)
{
	double start = now(), cost;

	if (path->cost) {
		cost = path->cost(state, batches);
	} else {
		path->run(state, batches);
		cost = now() - start;
	}
	return cost / ((double)batches * shape->batch);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int measure(const struct path *path, const struct shape *shape, unsigned int repetitions,
	    struct result *result)
{
	double cost[MAX_REPETITIONS];
	unsigned int batches, i;
	void *state;

	if (repetitions > MAX_REPETITIONS)
		repetitions = MAX_REPETITIONS;
	state = path->open(shape);
	if (!state)
		return -1;

	/* The first to touch the memory pays for it, the second says how many fit. */
	batches = (WARM_UP_PACKETS + shape->batch - 1) / shape->batch;
	per_packet(path, state, shape, batches);
	cost[0] = per_packet(path, state, shape, batches);

	batches = WINDOW / (cost[0] * shape->batch);
	if (batches < MIN_PACKETS / shape->batch + 1)
		batches = MIN_PACKETS / shape->batch + 1;
	for (i = 0; i < repetitions; i++)
		cost[i] = per_packet(path, state, shape, batches);
	path->close(state);

	qsort(cost, repetitions, sizeof(*cost), compare);
	result->median = (cost[(repetitions - 1) / 2] + cost[repetitions / 2]) / 2;
	result->spread = (cost[repetitions - 1] - cost[0]) / result->median;
	return 0;
}
