// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl disconnect: unplugs the backend of an endpoint, and waits until that is over
 *
 * The kernel does not wait for the frontend; an event tells.  So this listens to events
 * before it asks.  Other operators may have disconnected the endpoint before, or do so
 * again: the kernel counts how many disconnects have come to their end, so what is waited
 * for is that this number grows.  Where events were lost, it asks for the number.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl disconnect ENDPOINT [timeout SECONDS | now]\n"
"Asks the frontend to close the queues that use the backend, and waits until it has done\n"
"so.  When the time is over, or now, those that are left are taken away: then they need a\n"
"restart.  Interrupted, it does not wait any more, but the disconnect goes on.\n";

/* seconds of silence */
#define PATIENCE	1

/* more seconds than anybody waits, and their nanoseconds fit into 64 bits */
#define MAX_SECONDS	1e9

/* what on_event() returns */
enum { OVER = 1, UNDONE, GONE, CONNECTED_AGAIN };

/**
 * struct job - a disconnect
 * @endpoint: the endpoint, as it was before; then as it is when the disconnect has begun
 * @timeout_ns: most nanoseconds that queues get, or NB_NO_TIMEOUT
 * @events: tells when it is over
 * @signal_fd: tells of signals that are to end nbctl
 * @patience_fd: tells when it is time to say what is waited for
 */
struct job {
	struct endpoint endpoint;
	uint64_t timeout_ns;
	struct netlink events;
	int signal_fd;
	int patience_fd;
};

static int parse(struct job *job, int argc, char **argv)
{
	double seconds;
	char *end;

	job->timeout_ns = NB_NO_TIMEOUT;
	if (argc < 3)
		return argc < 2 ? usage_error("disconnect", NULL) : STATUS_OK;
	if (!strcmp(argv[2], "now")) {
		job->timeout_ns = 0;
		return argc > 3 ? usage_error("disconnect", argv[3]) : STATUS_OK;
	}
	if (strcmp(argv[2], "timeout"))
		return usage_error("disconnect", argv[2]);
	if (argc != 4)
		return usage_error("disconnect", argc > 4 ? argv[4] : NULL);
	seconds = strtod(argv[3], &end);
	if (argv[3][0] < '0' || argv[3][0] > '9' || *end || !(seconds <= MAX_SECONDS)) {
		complain("timeout '%s' must be a number of seconds", argv[3]);
		return STATUS_USAGE;
	}
	job->timeout_ns = (uint64_t)(seconds * NS_PER_SECOND);
	return STATUS_OK;
}

static sigset_t end_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	return signals;
}

/* Signals that come from now on can be read from the fd that is returned. */
static int catch_signals(void)
{
	sigset_t signals = end_signals();

	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static void release_signals(void)
{
	sigset_t signals = end_signals();

	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

static int request(struct job *job)
{
	char buffer[REQUEST_SIZE];
	struct netlink netlink;
	struct nlmsghdr *nlh;
	int err;

	err = netlink_open(&netlink);
	if (!err) {
		nlh = netlink_begin(&netlink, buffer, NB_CMD_ENDPOINT_DISCONNECT);
		mnl_attr_put_u32(nlh, NB_A_ENDPOINT_ID, job->endpoint.id);
		if (job->timeout_ns != NB_NO_TIMEOUT)
			mnl_attr_put_u64(nlh, NB_A_ENDPOINT_TIMEOUT, job->timeout_ns);
		err = netlink_talk(&netlink, nlh, NULL, NULL);
		if (!err)
			err = objects_again(&netlink, &job->endpoint);
		netlink_close(&netlink);
	}
	if (err)
		complain("%s", netlink.reason);
	return err;
}

static bool is_over(const struct job *job, const struct endpoint *endpoint)
{
	/* the number may wrap */
	return (int32_t)(endpoint->n_disconnects - job->endpoint.n_disconnects) > 0;
}

static int on_event(const struct event *event, void *data)
{
	const struct endpoint *endpoint = event->object;
	const struct job *job = data;

	if (event->about != ABOUT_ENDPOINT || endpoint->id != job->endpoint.id)
		return 0;
	if (event->what == NB_EVENT_DELETED)
		return GONE;
	if (event->what != NB_EVENT_CONNECTED && event->what != NB_EVENT_DISCONNECTED)
		return 0;
	/* not over, or of an earlier one */
	if (!is_over(job, endpoint))
		return 0;
	/* One that is interrupted plugs the backend in again at once. */
	return event->what == NB_EVENT_CONNECTED ? UNDONE : OVER;
}

/* Events were lost: how it is now.  Returns what on_event() would, or a negative errno. */
static int look(struct job *job)
{
	struct endpoint endpoint = { .id = job->endpoint.id };
	struct netlink netlink;
	int err;

	err = netlink_open(&netlink);
	if (!err) {
		err = objects_again(&netlink, &endpoint);
		netlink_close(&netlink);
	}
	if (err == -ENOENT)
		return GONE;
	if (err) {
		memcpy(job->events.reason, netlink.reason, sizeof(netlink.reason));
		return err;
	}
	if (!is_over(job, &endpoint))
		return 0;
	return endpoint.state == NB_STATE_CONNECTED ? CONNECTED_AGAIN : OVER;
}

static void print_patience(const struct job *job)
{
	const struct endpoint *endpoint = &job->endpoint;

	fprintf(stderr, "nbctl: waiting for the frontend to close the queues of endpoint %" PRIu32,
		endpoint->id);
	if (endpoint->name[0])
		fprintf(stderr, " (%s)", endpoint->name);
	if (endpoint->pid)
		fprintf(stderr, ", made by process %" PRIu32, endpoint->pid);
	if (job->timeout_ns != NB_NO_TIMEOUT)
		fprintf(stderr, ", at most %g s", (double)job->timeout_ns / NS_PER_SECOND);
	fputc('\n', stderr);
}

static int finish(const struct job *job, int how)
{
	switch (how) {
	case OVER:
		return STATUS_OK;
	case UNDONE:
		complain("the owner of the endpoint has undone the disconnect");
		break;
	case CONNECTED_AGAIN:
		complain("a backend is plugged in again, perhaps as its owner has undone it");
		break;
	case GONE:
		complain("the endpoint has gone meanwhile");
		break;
	default:
		complain("%s; the disconnect goes on, 'nbctl show' tells how far it is",
			 job->events.reason);
		break;
	}
	return STATUS_FAILED;
}

static int wait_for_end(struct job *job)
{
	struct pollfd fds[] = {
		{ .fd = mnl_socket_get_fd(job->events.socket), .events = POLLIN },
		{ .fd = job->signal_fd, .events = POLLIN },
		{ .fd = job->patience_fd, .events = POLLIN },
	};
	int how;

	while (poll(fds, 3, -1) > 0) {
		if (fds[1].revents) {
			complain("interrupted; the disconnect goes on: see 'nbctl monitor'");
			return STATUS_FAILED;
		}
		if (fds[0].revents) {
			how = events_receive(&job->events, on_event, job);
			if (how == -ENOBUFS)
				how = look(job);
			if (how)
				return finish(job, how);
		}
		if (fds[2].revents) {
			print_patience(job);
			fds[2].fd = -1;
		}
	}
	complain("cannot wait: %s", strerror(errno));
	return STATUS_FAILED;
}

static int disconnect(struct job *job)
{
	const struct itimerspec patience = { .it_value.tv_sec = PATIENCE };
	int status = STATUS_FAILED;

	if (events_open(&job->events)) {
		complain("%s", job->events.reason);
		return STATUS_FAILED;
	}
	timerfd_settime(job->patience_fd, 0, &patience, NULL);
	if (!request(job))
		status = job->endpoint.state == NB_STATE_DISCONNECTING ? wait_for_end(job) :
			 STATUS_OK;
	netlink_close(&job->events);
	return status;
}

int disconnect_main(int argc, char **argv)
{
	struct job job;
	int status;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	status = parse(&job, argc, argv);
	if (status)
		return status;
	if (objects_find(argv[1], &job.endpoint))
		return STATUS_FAILED;
	job.signal_fd = catch_signals();
	job.patience_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (job.signal_fd < 0 || job.patience_fd < 0) {
		complain("no signalfd or timerfd: %s", strerror(errno));
		return STATUS_FAILED;
	}
	status = disconnect(&job);
	close(job.signal_fd);
	close(job.patience_fd);
	release_signals();
	return status;
}
