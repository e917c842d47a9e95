// SPDX-License-Identifier: GPL-2.0
/*
 * nblatency: a round trip, of programs that sleep when they have nothing to do
 *
 * A guest sends a request by the interface, a process of the host receives it by a
 * packet socket and answers.  Both sleep until something has come for them, but never both
 * at a time: the processor is not idle.
 */

#include "bench.h"

#define REPETITIONS	5
#define ROUND_TRIPS	2000u

static const struct path *const paths[] = {
	&latency_nb,
	&latency_tap,
	&latency_vhost,
	&latency_floor,
};

/* Of all processors, since the machine was started */
static unsigned long long context_switches(void)
{
	unsigned long long n = 0;
	char line[4096];
	FILE *stat = fopen("/proc/stat", "r");

	while (stat && fgets(line, sizeof(line), stat))
		if (sscanf(line, "ctxt %llu", &n) == 1)
			break;
	if (stat)
		fclose(stat);
	return n;
}

static double switches_per_trip(const struct path *path, const struct shape *shape)
{
	void *state = path->open(shape);
	unsigned long long before;
	double switches;

	if (!state)
		return -1;
	path->run(state, ROUND_TRIPS);
	before = context_switches();
	path->run(state, ROUND_TRIPS);
	switches = (double)(context_switches() - before) / ROUND_TRIPS;
	path->close(state);
	return switches;
}

int main(int argc, char **argv)
{
	static const unsigned int sizes[] = { 64, 1500 };
	bool counts = clock_counts();
	const char *unit = counts ? "insn" : "ns";
	FILE *file = NULL;
	size_t i, k;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fputs("Usage: nblatency [FILE]\n"
		      "Measures round trips, and writes the figures to FILE, too.\n", stderr);
		return 2;
	}
	if (argc == 2) {
		file = fopen(argv[1], "w");
		if (!file)
			die("cannot write %s", argv[1]);
		fprintf(file, "subject\tsize\t%s_per_round_trip\tswitches\n", unit);
	}
	link_own_namespace();

	printf("%-12s %6s %5s/round trip  switches\n", "subject", "size", unit);
	for (k = 0; k < sizeof(sizes) / sizeof(*sizes); k++)
		for (i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
			const struct shape shape = { sizes[k], 1, 1 };
			struct result result;
			double switches;

			if (!paths[i]->fits(&shape))
				continue;
			if (measure(paths[i], &shape, REPETITIONS, &result) < 0)
				die("%s cannot be measured", paths[i]->subject);
			switches = switches_per_trip(paths[i], &shape);
			printf("%-12s %6u %16.0f  %8.2f\n", paths[i]->subject, sizes[k],
			       result.median, switches);
			fflush(stdout);
			if (file)
				fprintf(file, "%s\t%u\t%.0f\t%.2f\n", paths[i]->subject, sizes[k],
					result.median, switches);
		}
	if (file && fclose(file) != 0)
		die("cannot write %s", argv[1]);
	return EXIT_SUCCESS;
}
