// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl: inspects and controls net_backend
 *
 * Owns the options, and how mistakes are told.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nbctl.h"

/* where "ip netns" has its namespaces */
#define NETNS_DIR	"/var/run/netns"

struct options options;

/* called before something is complained about, if not NULL */
void (*before_complaint)(void);

/* the line of a file that is being done, if any */
static const char *where_file;
static unsigned int where_line;

/**
 * struct request - what else the options say
 * @netns: network namespace, or NULL
 * @batch: file with commands, or NULL
 * @force: go on with the file when a command has failed
 * @over: nothing is left to do
 * @status: exit status then
 */
struct request {
	const char *netns;
	const char *batch;
	bool force;
	bool over;
	int status;
};

/* From now on it is a line of a file that is complained about; or not any more. */
void complain_where(const char *file, unsigned int line)
{
	where_file = file;
	where_line = line;
}

/* Say on stderr, in one line, what is wrong. */
void complain(const char *format, ...)
{
	va_list args;

	if (before_complaint)
		before_complaint();
	fputs("nbctl: ", stderr);
	if (where_file)
		fprintf(stderr, "%s:%u: ", where_file, where_line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Print @usage if the first argument of a command asks for it. */
bool asks_for_help(int argc, char **argv, const char *usage)
{
	if (argc < 2 || (strcmp(argv[1], "-h") && strcmp(argv[1], "--help") &&
			 strcmp(argv[1], "-help")))
		return false;
	fputs(usage, stdout);
	return true;
}

/* A command does not understand @word, or if that is NULL, there is something missing. */
int usage_error(const char *command, const char *word)
{
	if (word)
		complain("%s does not understand '%s': try 'nbctl %s --help'", command, word,
			 command);
	else
		complain("%s needs more arguments: try 'nbctl %s --help'", command, command);
	return STATUS_USAGE;
}

static int set_colour(const char *when)
{
	if (when && *when == '=')
		when++;
	if (!when || !strcmp(when, "auto"))
		options.colour = isatty(STDOUT_FILENO);
	else if (!strcmp(when, "always") || !strcmp(when, "never"))
		options.colour = *when == 'a';
	else
		return -1;
	return 0;
}

/* Go into a network namespace: a name of "ip netns", or a path. */
static int enter_netns(const char *name)
{
	char path[PATH_MAX];
	int err, fd;

	if (strchr(name, '/'))
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), NETNS_DIR "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		complain("no network namespace '%s' (%s): 'ip netns' lists them", name,
			 strerror(errno));
		return STATUS_FAILED;
	}
	err = setns(fd, CLONE_NEWNET);
	if (err)
		complain("cannot enter network namespace '%s': %s", name, strerror(errno));
	close(fd);
	return err ? STATUS_FAILED : STATUS_OK;
}

static void end(struct request *request, int status)
{
	request->over = true;
	request->status = status;
}

static void take_option(struct request *request, int option, const char *word)
{
	switch (option) {
	case 'j':
		options.json = true;
		break;
	case 'p':
		options.pretty = true;
		break;
	case 's':
		options.stats = true;
		break;
	case 'n':
		request->netns = optarg;
		break;
	case 'b':
		request->batch = optarg;
		break;
	case 'f':
		request->force = true;
		break;
	case 'c':
		if (!set_colour(optarg))
			break;
		complain("color '%s' must be auto, always or never", optarg);
		end(request, STATUS_USAGE);
		break;
	case 'V':
		printf("nbctl %s\n", NB_VERSION);
		end(request, STATUS_OK);
		break;
	case 'h':
		commands_help();
		end(request, STATUS_OK);
		break;
	default:
		complain("option '%s' is unknown, or its argument is wrong: try 'nbctl --help'",
			 word);
		end(request, STATUS_USAGE);
		break;
	}
}

static void parse(struct request *request, int argc, char **argv)
{
	static const struct option names[] = {
		{ "json",	no_argument,		NULL, 'j' },
		{ "pretty",	no_argument,		NULL, 'p' },
		{ "statistics",	no_argument,		NULL, 's' },
		{ "netns",	required_argument,	NULL, 'n' },
		{ "batch",	required_argument,	NULL, 'b' },
		{ "force",	no_argument,		NULL, 'f' },
		{ "color",	optional_argument,	NULL, 'c' },
		{ "version",	no_argument,		NULL, 'V' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	const char *word;
	int option;

	opterr = 0;
	while (!request->over) {
		word = argv[optind];
		option = getopt_long_only(argc, argv, "+jpsn:b:c::Vh", names, NULL);
		if (option < 0)
			return;
		take_option(request, option, word);
	}
}

int main(int argc, char **argv)
{
	struct request request = { .netns = NULL };
	int status;

	parse(&request, argc, argv);
	if (request.over)
		return request.status;
	if (request.batch && optind < argc) {
		complain("either commands from a file, or one on the command line");
		return STATUS_USAGE;
	}
	if (request.netns) {
		status = enter_netns(request.netns);
		if (status)
			return status;
	}
	if (request.batch)
		return batch_main(request.batch, request.force);
	return commands_run(argc - optind, argv + optind);
}
