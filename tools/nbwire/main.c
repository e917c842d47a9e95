// SPDX-License-Identifier: GPL-2.0
/*
 * nbwire: joins two endpoints, as a VMM with a guest that forwards would
 *
 * Owns the command line, and the loop that waits for the end.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nbwire.h"

#define DEFAULT_BUFFERS	256

const char * const program_name = "nbwire";
const char * const program_usage =
"Usage: nbwire [OPTIONS] ENDPOINT ENDPOINT\n"
"Joins two endpoints, queue by queue, as a VMM would whose guest forwards all packets.\n"
"\n"
"    ENDPOINT := KIND[,name=NAME][,netns=NETNS][,mac=MAC][,mtu=BYTES]\n"
"    KIND := { netdev | attach,dev=NAME[,promisc] | loopback | null | ... }\n"
"    NETNS := { name in /run/netns | path }\n"
"\n"
"  -q, --queues N      queues of each endpoint, and threads (1)\n"
"  -b, --buffers N     receive buffers of a queue (256)\n"
"  -s, --size BYTES    size of a buffer (2048, or more for a larger MTU or with -O)\n"
"  -r, --ring N        entries of a ring, a power of two (as many as buffers)\n"
"  -O, --offloads      leave checksums and segmentation to the endpoints\n"
"  -R, --rss           each flow, both ways, through the queue that its hash chooses\n"
"  -t, --time SECONDS  stop after that time\n"
"  -v, --verbose       print statistics every second, links and restarts\n"
"  -V, --version       print the version and exit\n"
"  -h, --help          print this and exit\n"
"\n"
"Example: nbwire -q4 netdev,name=nb0,netns=left netdev,name=nb0,netns=right\n"
"prints \"nbwire: ready\" when packets can flow, and ends with SIGINT or SIGTERM.\n";

static void parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "queues",	required_argument,	NULL, 'q' },
		{ "buffers",	required_argument,	NULL, 'b' },
		{ "size",	required_argument,	NULL, 's' },
		{ "ring",	required_argument,	NULL, 'r' },
		{ "offloads",	no_argument,		NULL, 'O' },
		{ "rss",	no_argument,		NULL, 'R' },
		{ "time",	required_argument,	NULL, 't' },
		{ "verbose",	no_argument,		NULL, 'v' },
		{ "version",	no_argument,		NULL, 'V' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	int option;

	options->queues = 1;
	options->buffers = DEFAULT_BUFFERS;
	while ((option = getopt_long(argc, argv, "q:b:s:r:ORt:vVh", known, NULL)) >= 0) {
		switch (option) {
		case 'q':
			options->queues = number_option(option, 1, NB_MAX_QUEUES);
			break;
		case 'b':
			options->buffers = number_option(option, 1, NB_MAX_RING_ENTRIES);
			break;
		case 's':
			options->buffer_size = number_option(option, 64, NB_MAX_PACKET_LEN);
			break;
		case 'r':
			options->ring_entries = number_option(option, NB_MIN_RING_ENTRIES,
							      NB_MAX_RING_ENTRIES);
			if (!(options->ring_entries & (options->ring_entries - 1)))
				break;
			complain("-r '%s' must be a power of two", optarg);
			bad_usage();
		case 'O':
			options->offloads = true;
			break;
		case 'R':
			options->rss = true;
			break;
		case 't':
			options->seconds = number_option(option, 1, INT_MAX);
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'V':
			print_version();
		case 'h':
			print_usage();
		default:
			bad_usage();
		}
	}
}

static void parse(struct wire *wire, int argc, char **argv)
{
	int i;

	parse_options(&wire->options, argc, argv);
	if (argc - optind != N_ENDS) {
		complain("two endpoints are needed, %d given", argc - optind);
		bad_usage();
	}
	for (i = 0; i < N_ENDS; i++) {
		if (spec_parse(&wire->ends[i].spec, argv[optind + i]))
			bad_usage();
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Read an endpoint's actions; -1 when the wire cannot go on. */
static int read_actions(const struct wire *wire, const struct end *end, bool *restart_required)
{
	struct nb_action action;
	int n;

	while ((n = nb_endpoint_wait_for_action(end->ep, &action, 0)) > 0) {
		if (action.type == NB_ACTION_RESTART_REQUIRED)
			*restart_required = true;
		if (action.type == NB_ACTION_LINK_STATUS_NOTIFY && wire->options.verbose)
			say("%s: link %s", end->spec.text, action.value ? "up" : "down");
	}
	/* of a backend that is gone for good, a restart tells */
	if (!n || n == -EINTR || *restart_required)
		return 0;
	complain("%s: %s", end->spec.text, nb_error());
	return -1;
}

/* Do what the endpoints ask for; -1 when the wire cannot go on. */
static int follow_actions(struct wire *wire, const struct pollfd *fds)
{
	bool required[N_ENDS] = { false };
	int i;

	for (i = 0; i < N_ENDS; i++) {
		if (fds[i].revents && read_actions(wire, &wire->ends[i], &required[i]))
			return -1;
	}
	return required[0] || required[1] ? restart(wire, required) : 0;
}

static void complain_of_workers(const struct wire *wire)
{
	unsigned int i;

	for (i = 0; i < wire->options.queues; i++) {
		if (wire->workers[i].error[0])
			complain("queue %u: %s", i, wire->workers[i].error);
	}
}

/* Milliseconds until the next statistics, or the end; -1 for ever. */
static int time_left(const struct wire *wire, double time, double tick, double end)
{
	double left = -1;

	if (wire->options.verbose)
		left = tick - time;
	if (wire->options.seconds && (left < 0 || end - time < left))
		left = end - time;
	if (!wire->options.verbose && !wire->options.seconds)
		return -1;
	return left > 0 ? (int)(left * 1000) + 1 : 0;
}

/* Wait for the end, and print statistics; returns the exit status. */
static int watch(struct wire *wire, int signal_fd)
{
	struct counters counters[N_ENDS], before[N_ENDS] = { 0 };
	double time = now(), last = time, end = time + wire->options.seconds;
	struct pollfd fds[] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = wire->failed_fd, .events = POLLIN },
		{ .fd = nb_endpoint_fd(wire->ends[0].ep), .events = POLLIN },
		{ .fd = nb_endpoint_fd(wire->ends[1].ep), .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 4, time_left(wire, time, last + 1, end)) < 0 && errno != EINTR) {
			complain("cannot wait: %s", strerror(errno));
			return EXIT_FAILURE;
		}
		time = now();
		if (wire->options.verbose && time >= last + 1) {
			stats_sum(wire, counters);
			stats_print_rates(counters, before, time - last);
			memcpy(before, counters, sizeof(before));
			last = time;
		}
		if (fds[0].revents || (wire->options.seconds && time >= end))
			return EXIT_SUCCESS;
		if (fds[1].revents)
			return EXIT_FAILURE;
		if (follow_actions(wire, &fds[2]))
			return EXIT_FAILURE;
	}
}

int main(int argc, char **argv)
{
	struct wire wire = { .stop_fd = -1, .failed_fd = -1 };
	struct counters sums[N_ENDS];
	int signal_fd, status = EXIT_FAILURE;

	parse(&wire, argc, argv);
	signal_fd = catch_end_signals();
	if (signal_fd < 0) {
		complain("no signalfd: %s", strerror(errno));
		return EXIT_FAILURE;
	}

	if (!setup(&wire) && !workers_start(&wire)) {
		say("ready");
		status = watch(&wire, signal_fd);
		workers_stop(&wire);
		complain_of_workers(&wire);
		stats_sum(&wire, sums);
		stats_print_totals(sums);
	} else {
		workers_stop(&wire);
	}
	cleanup(&wire);
	return status;
}
