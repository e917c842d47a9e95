// SPDX-License-Identifier: GPL-2.0
/* nbbench: the table of paths, the command line and the output */

#include <string.h>
#include <unistd.h>

#include "bench.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define REPETITIONS		5
#define TIME_LIMITS		{ 0.98, 1.03 }

static const struct path *const paths[] = {
	&null_tx,
	&loopback_both,
	&switch_both,
	&netdev_tx,
	&netdev_rx,
	&netdev_xdp_tx,
	&attach_tx,
	&attach_rx,
	&veth_rx,
	&source_dummy,
};

static const struct shape shapes[] = {
	{ 64, 1, 1 },
	{ 64, 64, 1 },
	{ 1500, 1, 1 },
	{ 1500, 64, 1 },
	{ 1500, 64, 8 },
	{ 61440, 1, 1 },
	{ 61440, 64, 1 },
};

struct options {
	unsigned int repetitions;
	unsigned int size;
	unsigned int batch;
	bool time;
	const char *file;
	char **wanted;
};

static void usage(FILE *to)
{
	fputs("Usage: nbbench [-h] [-l] [-t] [-o FILE] [-r N] [-s SIZE] [-b BATCH]\n"
	      "               [PATH[/DIRECTION]]...\n"
	      "Measures instructions per packet, in a virtual machine whose clock counts them.\n"
	      "  -l        list the paths\n"
	      "  -t        measure nanoseconds, on any machine\n"
	      "  -o FILE   write the figures to FILE, too, tab-separated\n"
	      "  -r N      repetitions, of which the median counts (default 5)\n"
	      "  -s SIZE   only packets of SIZE bytes\n"
	      "  -b BATCH  only batches of BATCH packets\n", to);
}

static unsigned int parse_count(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!value || *end || value > 1000000)
		die("no number that makes sense here: %s", text);
	return value;
}

static void list(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++)
		printf("%s/%s\t%s\n", paths[i]->path, paths[i]->direction, paths[i]->subject);
}

static void parse(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt(argc, argv, "hlto:r:s:b:")) != -1) {
		switch (option) {
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		case 'l':
			list();
			exit(EXIT_SUCCESS);
		case 't':
			options->time = true;
			break;
		case 'o':
			options->file = optarg;
			break;
		case 'r':
			options->repetitions = parse_count(optarg);
			break;
		case 's':
			options->size = parse_count(optarg);
			break;
		case 'b':
			options->batch = parse_count(optarg);
			break;
		default:
			usage(stderr);
			exit(2);
		}
	}
	options->wanted = argv + optind;
}

static bool names(const char *text, const struct path *path)
{
	size_t len = strlen(path->path);

	return strncmp(text, path->path, len) == 0 &&
	       (!text[len] || (text[len] == '/' && !strcmp(text + len + 1, path->direction)));
}

static bool wanted(const struct options *options, const struct path *path)
{
	char *const *name;

	if (!*options->wanted)
		return true;
	for (name = options->wanted; *name; name++)
		if (names(*name, path))
			return true;
	return false;
}

static void check_names(const struct options *options)
{
	char *const *name;
	size_t i;

	for (name = options->wanted; *name; name++) {
		for (i = 0; i < ARRAY_SIZE(paths) && !names(*name, paths[i]); i++)
			;
		if (i == ARRAY_SIZE(paths))
			die("there is no path %s (nbbench -l lists them)", *name);
	}
}

static void check_clock(const struct options *options)
{
	static const double limits[2] = TIME_LIMITS;
	double instruction = measure_instruction();

	if (options->time || (instruction > limits[0] && instruction < limits[1]))
		return;
	die("this machine's clock does not count instructions: one takes %.3f ns\n"
	    "Run it by selftests/vm/run -i, or measure nanoseconds with -t", instruction);
}

/* Above the source of the packets, if there is one; -1 if it cannot be measured */
static int measure_above(const struct path *path, const struct shape *shape,
			 const struct options *options, struct result *result)
{
	struct result source;

	if (measure(path, shape, options->repetitions, result) < 0)
		return -1;
	if (!path->source)
		return 0;
	if (measure(path->source, shape, options->repetitions, &source) < 0)
		return -1;
	result->spread *= result->median / (result->median - source.median);
	result->median -= source.median;
	return 0;
}

static void print_row(const struct path *path, const struct shape *shape,
		      const struct result *result, FILE *file)
{
	printf("%-10s %-5s %6u %6u %4u  %-12s %12.1f  %5.1f %%\n", path->path, path->direction,
	       shape->size, shape->batch, shape->segments, path->subject, result->median,
	       100 * result->spread);
	fflush(stdout);
	if (file)
		fprintf(file, "%s\t%s\t%u\t%u\t%u\t%s\t%.1f\n", path->path, path->direction,
			shape->size, shape->batch, shape->segments, path->subject,
			result->median);
}

static void print_header(const struct options *options, FILE *file)
{
	const char *unit = options->time ? "ns" : "insn";

	printf("%-10s %-5s %6s %6s %4s  %-12s %5s/packet  %7s\n", "path", "dir", "size", "batch",
	       "seg", "subject", unit, "spread");
	if (file)
		fprintf(file, "path\tdirection\tsize\tbatch\tsegments\tsubject\t%s_per_packet\n",
			unit);
}

/* The number of figures that could not be had */
static unsigned int run(const struct options *options, FILE *file)
{
	unsigned int missing = 0;
	struct result result;
	size_t i, k;

	print_header(options, file);
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		for (k = 0; k < ARRAY_SIZE(shapes); k++) {
			const struct shape *shape = &shapes[k];

			if (!wanted(options, paths[i]) || !paths[i]->fits(shape) ||
			    (options->size && options->size != shape->size) ||
			    (options->batch && options->batch != shape->batch))
				continue;
			if (measure_above(paths[i], shape, options, &result) < 0)
				missing++;
			else
				print_row(paths[i], shape, &result, file);
		}
	}
	return missing;
}

int main(int argc, char **argv)
{
	struct options options = { .repetitions = REPETITIONS };
	unsigned int missing;
	FILE *file = NULL;

	parse(argc, argv, &options);
	check_names(&options);
	check_clock(&options);
	if (options.file) {
		file = fopen(options.file, "w");
		if (!file)
			die("cannot write %s", options.file);
	}
	link_own_namespace();

	missing = run(&options, file);
	if (file && fclose(file) != 0)
		die("cannot write %s", options.file);
	if (missing)
		die("%u figures are missing", missing);
	return EXIT_SUCCESS;
}
