// SPDX-License-Identifier: GPL-2.0
/*
 * Prints what has been moved
 */
#include <inttypes.h>
#include <stdio.h>

#include "nbwire.h"

static const char * const arrows[N_ENDS] = { "1>2", "2>1" };

/* Sum up the counters of all queues, for each direction. */
void stats_sum(const struct wire *wire, struct counters *sums)
{
	unsigned int i, j;

	for (j = 0; j < N_ENDS; j++) {
		sums[j] = (struct counters){ 0 };
		for (i = 0; i < wire->options.queues; i++) {
			const struct counters *from = &wire->workers[i].directions[j].counters;

			sums[j].packets += __atomic_load_n(&from->packets, __ATOMIC_RELAXED);
			sums[j].bytes += __atomic_load_n(&from->bytes, __ATOMIC_RELAXED);
			sums[j].dropped += __atomic_load_n(&from->dropped, __ATOMIC_RELAXED);
		}
	}
}

void stats_print_rates(const struct counters *now, const struct counters *before,
		       double seconds)
{
	int j;

	printf("%s:", program_name);
	for (j = 0; j < N_ENDS; j++)
		printf("%s %s %.0f pps %.1f Mbit/s %" PRIu64 " dropped", j ? "," : "",
		       arrows[j], (double)(now[j].packets - before[j].packets) / seconds,
		       (double)(now[j].bytes - before[j].bytes) * 8 / 1e6 / seconds,
		       now[j].dropped - before[j].dropped);
	printf("\n");
	fflush(stdout);
}

void stats_print_totals(const struct counters *sums)
{
	int j;

	for (j = 0; j < N_ENDS; j++)
		say("%s %" PRIu64 " packets %" PRIu64 " bytes %" PRIu64 " dropped", arrows[j],
		    sums[j].packets, sums[j].bytes, sums[j].dropped);
}
