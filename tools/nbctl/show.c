// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl show: endpoints, queues, or both
 */
#include <stdio.h>
#include <string.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl show [endpoints | queues] [ID | NAME]\n"
"Shows the endpoints of this network namespace, their queues, or without either word\n"
"both; of all endpoints, or of the one with that number or name.\n";

static void show(const struct objects *objects, bool endpoints, bool queues)
{
	const struct queue *queue = objects->queues, *last = queue + objects->n_queues;
	const struct endpoint *endpoint;
	size_t i;

	for (i = 0; i < objects->n_endpoints; i++) {
		endpoint = &objects->endpoints[i];
		if (endpoints)
			print_endpoint(endpoint);
		/* both lists are sorted; queues whose endpoint is not here are skipped */
		while (queue < last && queue->endpoint_id < endpoint->id)
			queue++;
		for (; queue < last && queue->endpoint_id == endpoint->id; queue++) {
			if (queues)
				print_queue(endpoint, queue, endpoints);
		}
	}
}

int show_main(int argc, char **argv)
{
	bool endpoints = true, queues = true;
	struct objects objects;
	int next = 1;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc > next && !strcmp(argv[next], "endpoints")) {
		queues = false;
		next++;
	} else if (argc > next && !strcmp(argv[next], "queues")) {
		endpoints = false;
		next++;
	}
	if (argc > next + 1 || (argc > next && argv[next][0] == '-'))
		return usage_error("show", argc > next + 1 ? argv[next + 1] : argv[next]);

	if (objects_get(&objects, argc > next ? argv[next] : NULL, queues))
		return STATUS_FAILED;
	show(&objects, endpoints, queues);
	objects_free(&objects);
	if (fflush(stdout) || ferror(stdout)) {
		complain("cannot write to standard output");
		return STATUS_FAILED;
	}
	return STATUS_OK;
}
