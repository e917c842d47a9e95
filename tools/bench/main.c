// SPDX-License-Identifier: GPL-2.0
/* nbbench: the table of paths, the command line and the output */

#include <string.h>
#include <unistd.h>

#include "bench.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define REPETITIONS		5

static const struct path *const paths[] = {
	&null_tx,
	&null_tx_floor,
	&loopback_both,
	&loopback_floor,
	&switch_both,
	&netdev_tx,
	&tap_tx,
	&tap_vnet_tx,
	&vhost_tx,
	&netdev_tx_floor,
	&netdev_bridge_tx,
	&netdev_bridge_zerocopy_tx,
	&netdev_rx,
	&tap_rx,
	&tap_vnet_rx,
	&vhost_rx,
	&netdev_xdp_tx,
	&tap_xdp_tx,
	&tap_vnet_xdp_tx,
	&vhost_xdp_tx,
	&attach_tx,
	&af_xdp_tx,
	&macvtap_tx,
	&af_packet_tx,
	&attach_rx,
	&af_xdp_rx,
	&macvtap_rx,
	&af_packet_rx,
	&attach_rx_floor,
	&virtio_tx,
	&vhost_virtio_tx,
	&virtio_packed_tx,
	&virtio_rx,
	&vhost_virtio_rx,
	&virtio_packed_rx,
	&source_dummy,
	&floor_call,
};

static const unsigned int sizes[] = { 64, 1500, 9000, SUPER_PACKET };
static const unsigned int batches[] = { 1, 16, 64, MAX_BATCH };
static const unsigned int segments[] = { 1, 8 };

struct options {
	unsigned int repetitions;
	unsigned int size;
	unsigned int batch;
	unsigned int segments;
	bool time;
	const char *file;
	char **wanted;
};

static void usage(FILE *to)
{
	fputs("Usage: nbbench [-h] [-l] [-t] [-o FILE] [-r N] [-s SIZE] [-b BATCH] [-p PIECES]\n"
	      "               [PATH[/DIRECTION[/SUBJECT]]]...\n"
	      "Measures instructions per packet, in a virtual machine whose clock counts them.\n"
	      "  -l         list the paths\n"
	      "  -t         measure nanoseconds, on any machine, the packets' source included\n"
	      "  -o FILE    write the figures to FILE, too, tab-separated\n"
	      "  -r N       repetitions, of which the median counts (default 5)\n"
	      "  -s SIZE    only packets of SIZE bytes (64, 1500, 9000, 61440)\n"
	      "  -b BATCH   only batches of BATCH packets (1, 16, 64, 256)\n"
	      "  -p PIECES  only packets in PIECES segments (1, 8)\n", to);
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
		printf("%s/%s/%s\n", paths[i]->path, paths[i]->direction, paths[i]->subject);
}

static void parse(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt(argc, argv, "hlto:r:s:b:p:")) != -1) {
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
		case 'p':
			options->segments = parse_count(optarg);
			break;
		default:
			usage(stderr);
			exit(2);
		}
	}
	options->wanted = argv + optind;
}

/* Whether a PATH[/DIRECTION[/SUBJECT]] means this path */
static bool names(const char *text, const struct path *path)
{
	char name[100];
	size_t len = strlen(text);

	snprintf(name, sizeof(name), "%s/%s/%s", path->path, path->direction, path->subject);
	return strncmp(text, name, len) == 0 && (!name[len] || name[len] == '/');
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
	if (options->time || clock_counts())
		return;
	die("this machine's clock does not count instructions: one takes %.3f ns\n"
	    "Run it by selftests/vm/run -i, or measure nanoseconds with -t",
	    measure_instruction());
}

/* What it costs to bring packets of this shape here is measured once. */
static int measure_source(const struct path *source, const struct shape *shape,
			  const struct options *options, double *cost)
{
	static const struct path *of;
	static struct shape at;
	static double known;
	struct result result;

	if (source != of || memcmp(shape, &at, sizeof(at)) != 0) {
		if (measure(source, shape, options->repetitions, &result) < 0)
			return -1;
		of = source;
		at = *shape;
		known = result.median;
	}
	*cost = known;
	return 0;
}

/* Above the source of the packets, if there is one; -1 if it cannot be measured */
static int measure_above(const struct path *path, const struct shape *shape,
			 const struct options *options, struct result *result)
{
	double source = 0;

	if (measure(path, shape, options->repetitions, result) < 0)
		return -1;
	/* Of times, which may overlap, the whole is what counts. */
	if (path->source && !options->time &&
	    measure_source(path->source, shape, options, &source) < 0)
		return -1;
	result->spread *= result->median / (result->median - source);
	result->median -= source;
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

/* Whether a number is the one that was asked for, if one was */
static bool selected(unsigned int asked, unsigned int number)
{
	return !asked || asked == number;
}

/* The number of figures, 0 or 1, that could not be had */
static unsigned int run_one(const struct path *path, const struct shape *shape,
			    const struct options *options, FILE *file)
{
	struct result result;

	if (!selected(options->size, shape->size) || !selected(options->batch, shape->batch) ||
	    !selected(options->segments, shape->segments) ||
	    !wanted(options, path) || !path->fits(shape))
		return 0;
	if (measure_above(path, shape, options, &result) < 0) {
		say("%s/%s/%s cannot be measured", path->path, path->direction, path->subject);
		return 1;
	}
	print_row(path, shape, &result, file);
	return 0;
}

/* The number of figures that could not be had */
static unsigned int run(const struct options *options, FILE *file)
{
	unsigned int missing = 0;
	size_t size, batch, piece, i;

	print_header(options, file);
	for (size = 0; size < ARRAY_SIZE(sizes); size++)
		for (batch = 0; batch < ARRAY_SIZE(batches); batch++)
			for (piece = 0; piece < ARRAY_SIZE(segments); piece++) {
				const struct shape shape = {
					sizes[size], batches[batch], segments[piece],
				};

				for (i = 0; i < ARRAY_SIZE(paths); i++)
					missing += run_one(paths[i], &shape, options, file);
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
