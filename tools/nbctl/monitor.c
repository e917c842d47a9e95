// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl monitor: what happens to endpoints, queues, switches, ports, memories and regions, a
 * line each
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "switch.h"

static const char usage[] =
"Usage: nbctl monitor [all | {endpoint | queue | switch | port | memory | region} …]\n"
"Prints what happens to the objects of this network namespace, or to those that are named,\n"
"as it happens, until it is interrupted: when, what, and the object as it was then.  Also,\n"
"that the module leaves, and is there again.  If more happens than it can print, it says\n"
"that events were lost, and then what is present.\n";

/* more events than the kernel lets wait: each takes 512 bytes or more of twice 4 MB */
#define MOST_WAITING	16384

/**
 * struct subject - what an event can be about
 * @name: its name, on the command line and in JSON
 * @events: names of what happens to it, by number
 * @n_events: entries of @events
 * @fields: how it is shown
 */
struct subject {
	const char *name;
	const char * const *events;
	size_t n_events;
	const struct field *fields;
};

static const char * const endpoint_events[] = {
	[NB_EVENT_CREATED]		= "created",
	[NB_EVENT_DELETED]		= "deleted",
	[NB_EVENT_CONNECTED]		= "connected",
	[NB_EVENT_DISCONNECTING]	= "disconnecting",
	[NB_EVENT_DISCONNECTED]		= "disconnected",
	[NB_EVENT_LINK]			= "link",
	[NB_EVENT_LINK_UP]		= "link-up",
	[NB_EVENT_LINK_DOWN]		= "link-down",
	[NB_EVENT_GONE]			= "gone",
	[NB_EVENT_CHANGED]		= "changed",
	[NB_EVENT_STOPPED]		= "stopped",
	[NB_EVENT_REPLACED]		= "replaced",
	[NB_EVENT_MOVED]		= "moved",
};

static const char * const queue_events[] = {
	[NB_QUEUE_EVENT_CREATED]	= "created",
	[NB_QUEUE_EVENT_DELETED]	= "deleted",
	[NB_QUEUE_EVENT_RESTART]	= "restart",
	[NB_QUEUE_EVENT_FAILED]		= "failed",
	[NB_QUEUE_EVENT_QUIESCED]	= "quiesced",
	[NB_QUEUE_EVENT_RESUMED]	= "resumed",
	[NB_QUEUE_EVENT_MODERATION]	= "moderation",
	[NB_QUEUE_EVENT_TARGET_CPU]	= "target-cpu",
};

static const char * const switch_events[] = {
	[NB_SWITCH_EVENT_CREATED]	= "created",
	[NB_SWITCH_EVENT_DELETED]	= "deleted",
};

static const char * const port_events[] = {
	[NB_PORT_EVENT_CREATED]		= "created",
	[NB_PORT_EVENT_DELETED]		= "deleted",
};

static const char * const memory_events[] = {
	[NB_MEMORY_EVENT_CREATED]	= "created",
	[NB_MEMORY_EVENT_DELETED]	= "deleted",
	[NB_MEMORY_EVENT_LOG_STARTED]	= "log-started",
	[NB_MEMORY_EVENT_LOG_STOPPED]	= "log-stopped",
};

static const char * const region_events[] = {
	[NB_REGION_EVENT_ADDED]		= "added",
	[NB_REGION_EVENT_REMOVED]	= "removed",
};

static const struct field bridge_line_fields[] = {
	{ .name = "id", .value = VALUE_U32, .offset = offsetof(struct bridge, id),
	  .before = "switch ", .after = ": " },
	{ .name = "name", .value = VALUE_TEXT, .offset = offsetof(struct bridge, name),
	  .colour = COLOUR_NAME },
	{ .name = "n_ports", .value = VALUE_U32, .offset = offsetof(struct bridge, n_ports),
	  .before = ": ports " },
	{ }
};

static const struct field port_line_fields[] = {
	{ .name = "switch", .value = VALUE_U32, .offset = offsetof(struct port, bridge_id),
	  .before = "switch ", .after = ": " },
	{ .name = "port", .value = VALUE_U32, .offset = offsetof(struct port, number),
	  .before = "port " },
	{ .name = "endpoint", .value = VALUE_U32, .offset = offsetof(struct port, endpoint_id),
	  .before = " endpoint ", .when = WHEN_SET },
	{ .name = "ifindex", .value = VALUE_U32, .offset = offsetof(struct port, ifindex),
	  .before = " ifindex ", .when = WHEN_SET },
	{ .name = "pvid", .value = VALUE_U32, .offset = offsetof(struct port, pvid),
	  .before = " pvid ", .when = WHEN_SET },
	{ }
};

static const struct field memory_line_fields[] = {
	{ .value = VALUE_SAME, .before = "memory ", .fields = memory_fields },
	{ }
};

#define SUBJECT(_name, _events, _fields)					\
	{ .name = _name, .events = _events, .fields = _fields,			\
	  .n_events = sizeof(_events) / sizeof((_events)[0]) }

static const struct subject subjects[] = {
	[ABOUT_ENDPOINT] = SUBJECT("endpoint", endpoint_events, endpoint_line_fields),
	[ABOUT_QUEUE] = SUBJECT("queue", queue_events, queue_line_fields),
	[ABOUT_SWITCH] = SUBJECT("switch", switch_events, bridge_line_fields),
	[ABOUT_PORT] = SUBJECT("port", port_events, port_line_fields),
	[ABOUT_MEMORY] = SUBJECT("memory", memory_events, memory_line_fields),
	[ABOUT_REGION] = SUBJECT("region", region_events, region_line_fields),
};

#define N_SUBJECTS	(sizeof(subjects) / sizeof(subjects[0]))

/* The name of an event; the module's have no subject. */
static const char *name_of(const struct event *event)
{
	const struct subject *subject = &subjects[event->about];
	static char other[32];

	switch (event->what) {
	case EVENT_UNLOADED:
		return "unloaded";
	case EVENT_LOADED:
		return "loaded";
	case EVENT_LOST:
		return "lost";
	case EVENT_PRESENT:
		return "present";
	}
	if (event->what < subject->n_events && subject->events[event->what])
		return subject->events[event->what];
	snprintf(other, sizeof(other), "event %" PRIu32, event->what);
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

static void print_as_json(const struct event *event)
{
	const struct subject *subject = &subjects[event->about];
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "time", json_object_new_string(time_now()));
	json_object_object_add(json, "event", json_object_new_string(name_of(event)));
	if (subject->name)
		json_object_object_add(json, subject->name,
				       record_json(subject->fields, event->object));
	print_json(json);
}

static void print_as_text(const struct event *event)
{
	const struct subject *subject = &subjects[event->about];

	printf("%s %s", time_now(), name_of(event));
	if (subject->name) {
		putchar(' ');
		record_text(subject->fields, event->object);
	}
	putchar('\n');
}

/* @data: for each subject, whether it is wanted. */
static int on_event(const struct event *event, void *data)
{
	const bool *wanted = data;

	if (!wanted[event->about])
		return 0;
	if (options.json)
		print_as_json(event);
	else
		print_as_text(event);
	fflush(stdout);
	return ferror(stdout) ? -EIO : 0;
}

/* ---- what is there, when events were lost -------------------------------- */

/* Those that are wanted. */
static int print_present(bool *wanted)
{
	size_t about;
	int err = 0;

	for (about = ABOUT_MODULE + 1; about < N_SUBJECTS && !err; about++)
		if (wanted[about])
			err = events_present((enum about)about, on_event, wanted);
	return err;
}

/*
 * Print what waits, but no more than there is room for, or that would have no end.  @lost:
 * some were lost meanwhile, and what was before that may still wait.
 */
static int print_waiting(struct netlink *netlink, bool *wanted, bool *lost)
{
	struct pollfd wait = { .fd = mnl_socket_get_fd(netlink->socket), .events = POLLIN };
	unsigned int n;
	int err;

	*lost = false;
	for (n = 0; poll(&wait, 1, 0) > 0; n++) {
		if (n == MOST_WAITING)
			return 0;
		err = events_receive(netlink, on_event, wanted);
		if (err == -ENOBUFS)
			*lost = true;
		else if (err)
			return err;
	}
	*lost = false;
	return 0;
}

/* What has come before others were lost, that some were, and what is there now. */
static int begin_anew(struct netlink *netlink, bool *wanted)
{
	const struct event event = { .what = EVENT_LOST };
	bool lost;
	int err;

	do {
		err = print_waiting(netlink, wanted, &lost);
		if (!err) {
			netlink->reason[0] = '\0';
			err = on_event(&event, wanted);
		}
		if (!err)
			err = print_present(wanted);
	} while (!err && lost);
	return err;
}

/* ---- command line -------------------------------------------------------- */

/* Which objects are wanted; all if none is named. */
static int parse(int argc, char **argv, bool *wanted)
{
	bool all = argc < 2;
	size_t i;
	int arg;

	memset(wanted, 0, N_SUBJECTS * sizeof(*wanted));
	for (arg = 1; arg < argc; arg++) {
		size_t length = strlen(argv[arg]);

		if (!strcmp(argv[arg], "all")) {
			all = true;
			continue;
		}
		for (i = ABOUT_MODULE + 1; i < N_SUBJECTS; i++)
			if (length && !strncmp(argv[arg], subjects[i].name, length))
				break;
		if (i == N_SUBJECTS)
			return usage_error("monitor", argv[arg]);
		wanted[i] = true;
	}
	wanted[ABOUT_MODULE] = true;
	for (i = 0; all && i < N_SUBJECTS; i++)
		wanted[i] = true;
	return STATUS_OK;
}

int monitor_main(int argc, char **argv)
{
	bool wanted[N_SUBJECTS];
	struct netlink netlink;
	int err;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (parse(argc, argv, wanted))
		return STATUS_USAGE;

	err = events_open(&netlink);
	if (err) {
		complain("%s", netlink.reason);
		return STATUS_FAILED;
	}
	do {
		err = events_receive(&netlink, on_event, wanted);
		if (err == -ENOBUFS)
			err = begin_anew(&netlink, wanted);
	} while (!err);
	if (ferror(stdout))
		complain("cannot write to standard output");
	else if (netlink.reason[0])
		complain("%s", netlink.reason);
	netlink_close(&netlink);
	return STATUS_FAILED;
}
