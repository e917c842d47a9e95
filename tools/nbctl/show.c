// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl show, stats: endpoints, queues, or both; and the counters alone
 */
#include <string.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl show [endpoints | queues] [ID | NAME]\n"
"       nbctl endpoint show [ID | NAME]\n"
"       nbctl queue show [ID | NAME]\n"
"Shows the endpoints of this network namespace, their queues, or without either word\n"
"both; of all endpoints, or of the one with that number or name.  With -s, endpoints\n"
"with what their queues have counted together.\n";

static const char stats_usage[] =
"Usage: nbctl stats [ID | NAME]\n"
"Shows what the queues of all endpoints, or of the one with that number or name, count.\n";

/* enum what - what is to be shown */
enum what { ENDPOINTS, QUEUES, BOTH, STATS };

static void show_queues(const struct objects *objects, const struct field *fields)
{
	size_t i;

	for (i = 0; i < objects->n_queues; i++)
		output_record(fields, &objects->queues[i]);
}

static void show_endpoints(const struct objects *objects, bool with_queues)
{
	const struct queue *queue = objects->queues, *last = queue + objects->n_queues;
	const struct endpoint *endpoint;
	size_t i;

	for (i = 0; i < objects->n_endpoints; i++) {
		endpoint = &objects->endpoints[i];
		output_record(endpoint_fields, endpoint);
		/* both lists are sorted; queues whose endpoint is not here are skipped */
		while (queue < last && queue->endpoint_id < endpoint->id)
			queue++;
		for (; queue < last && queue->endpoint_id == endpoint->id; queue++) {
			if (with_queues)
				output_child("queues", nested_queue_fields, queue);
		}
	}
}

/* @argv[0] is the last word of the command. */
static int show(enum what what, int argc, char **argv)
{
	struct objects objects;

	if (argc > 2 || (argc > 1 && argv[1][0] == '-'))
		return usage_error(what == STATS ? "stats" : "show", argv[argc > 2 ? 2 : 1]);
	if (objects_get(&objects, argc > 1 ? argv[1] : NULL,
			what != ENDPOINTS || options.stats))
		return STATUS_FAILED;
	output_begin();
	if (what == QUEUES || what == STATS)
		show_queues(&objects, what == QUEUES ? queue_fields : stats_fields);
	else
		show_endpoints(&objects, what == BOTH);
	objects_free(&objects);
	return output_end();
}

int show_endpoints_main(int argc, char **argv)
{
	return asks_for_help(argc, argv, usage) ? STATUS_OK : show(ENDPOINTS, argc, argv);
}

int show_queues_main(int argc, char **argv)
{
	return asks_for_help(argc, argv, usage) ? STATUS_OK : show(QUEUES, argc, argv);
}

int stats_main(int argc, char **argv)
{
	return asks_for_help(argc, argv, stats_usage) ? STATUS_OK : show(STATS, argc, argv);
}

int show_main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "endpoints"))
		return show_endpoints_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "queues"))
		return show_queues_main(argc - 1, argv + 1);
	return asks_for_help(argc, argv, usage) ? STATUS_OK : show(BOTH, argc, argv);
}
