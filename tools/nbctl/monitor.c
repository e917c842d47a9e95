// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl monitor: what happens to endpoints, a line each
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl monitor\n"
"Prints what happens to the endpoints of this network namespace, as it happens, until it\n"
"is interrupted: when, what, and the endpoint as it was then.\n";

static const char * const event_names[] = {
	[NB_EVENT_CREATED]		= "created",
	[NB_EVENT_DELETED]		= "deleted",
	[NB_EVENT_CONNECTED]		= "connected",
	[NB_EVENT_DISCONNECTING]	= "disconnecting",
	[NB_EVENT_DISCONNECTED]		= "disconnected",
	[NB_EVENT_LINK]			= "link",
};

static void print_time(void)
{
	struct timespec now;
	struct tm local;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &local);
	printf("%s.%06ld ", text, now.tv_nsec / 1000);
}

static int on_event(uint32_t event, const struct endpoint *endpoint, void *data)
{
	(void)data;

	print_time();
	if (event < sizeof(event_names) / sizeof(event_names[0]) && event_names[event])
		printf("%s ", event_names[event]);
	else
		printf("event %" PRIu32 " ", event);
	print_endpoint_line(endpoint);
	printf("\n");
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
