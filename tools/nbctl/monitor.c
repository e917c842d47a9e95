// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl monitor: what happens to endpoints, a line each
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <json-c/json.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl monitor\n"
"Prints what happens to the endpoints of this network namespace, as it happens, until it\n"
"is interrupted: when, what, and the endpoint as it was then.  Also, that the module\n"
"leaves, and is there again.\n";

static const char *name_of(uint32_t event)
{
	static const char * const names[] = {
		[NB_EVENT_CREATED]		= "created",
		[NB_EVENT_DELETED]		= "deleted",
		[NB_EVENT_CONNECTED]		= "connected",
		[NB_EVENT_DISCONNECTING]	= "disconnecting",
		[NB_EVENT_DISCONNECTED]		= "disconnected",
		[NB_EVENT_LINK]			= "link",
	};
	static char other[32];

	if (event == EVENT_UNLOADED)
		return "unloaded";
	if (event == EVENT_LOADED)
		return "loaded";
	if (event < sizeof(names) / sizeof(names[0]) && names[event])
		return names[event];
	snprintf(other, sizeof(other), "event %" PRIu32, event);
	return other;
}

static const char *time_now(void)
{
	static char text[48];
	struct timespec now;
	struct tm local;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &local);
	snprintf(text + n, sizeof(text) - n, ".%06ld", now.tv_nsec / 1000);
	return text;
}

/* @endpoint is NULL if the event is about the module. */
static void print_as_json(uint32_t event, const struct endpoint *endpoint)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "time", json_object_new_string(time_now()));
	json_object_object_add(json, "event", json_object_new_string(name_of(event)));
	if (endpoint)
		json_object_object_add(json, "endpoint",
				       record_json(endpoint_line_fields, endpoint));
	print_json(json);
}

static int on_event(uint32_t event, const struct endpoint *endpoint, void *data)
{
	(void)data;

	if (options.json) {
		print_as_json(event, endpoint);
	} else {
		printf("%s %s", time_now(), name_of(event));
		if (endpoint) {
			putchar(' ');
			record_text(endpoint_line_fields, endpoint);
		}
		putchar('\n');
	}
	fflush(stdout);
	return ferror(stdout) ? -EIO : 0;
}

int monitor_main(int argc, char **argv)
{
	struct netlink netlink;
	int err;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc > 1)
		return usage_error("monitor", argv[1]);

	err = events_open(&netlink);
	if (err) {
		complain("%s", netlink.reason);
		return STATUS_FAILED;
	}
	for (;;) {
		err = events_receive(&netlink, on_event, NULL);
		if (ferror(stdout)) {
			complain("cannot write to standard output");
			break;
		}
		if (err)
			complain("%s", netlink.reason);
		if (err && err != -ENOBUFS)
			break;
	}
	netlink_close(&netlink);
	return STATUS_FAILED;
}
