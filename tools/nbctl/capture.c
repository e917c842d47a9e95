// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl capture: the packets of an endpoint, for Wireshark and its like
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/net_backend_capture.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "nbctl.h"
#include "pcapng.h"

static const char usage[] =
"Usage: nbctl capture ENDPOINT [queue N] [direction {in | out}] [count N] [snaplen BYTES]\n"
"                     [buffer KIB] [file {FILE | -}]\n"
"Writes the packets of an endpoint to a file, or to standard output, in the format pcapng:\n"
"what the guest sends (out) and what it gets (in), until it is interrupted, COUNT packets are\n"
"written, or the endpoint is gone or elsewhere.  For example: nbctl capture nb0 | tshark -i -\n";

static const char device[] = "/dev/net_backend";

/* bytes that are read at once: more than the longest packet */
#define CHUNK_SIZE	(256u * 1024)

/**
 * struct wish - what is to be captured, and where to
 * @ioctl: what the kernel has to know
 * @count: packets after which it ends, or UINT64_MAX
 * @path: the file, or NULL for standard output
 */
struct wish {
	struct nb_create_capture ioctl;
	uint64_t count;
	const char *path;
};

/**
 * struct capture - a capture that is under way
 * @name: what the endpoint is called
 * @fd: the capture fd
 * @left: packets that are still wanted
 * @written: packets that are in the file
 * @chunk: what has been read
 * @file: the file
 */
struct capture {
	char name[NB_NAME_LEN + 16];
	int fd;
	uint64_t left;
	uint64_t written;
	uint8_t *chunk;
	struct pcapng file;
};

/* ---- signals ------------------------------------------------------------- */

/* how often it was interrupted, and a pipe that then has something to read */
static volatile sig_atomic_t n_interrupts;
static int interrupt_pipe[2] = { -1, -1 };

static void on_interrupt(int number)
{
	int saved = errno;
	ssize_t n;

	(void)number;
	n_interrupts++;
	/* Should it be full, there is something to read. */
	n = write(interrupt_pipe[1], "", 1);
	(void)n;
	errno = saved;
}

/* Interrupted once, what is there is still written; twice, it is not. */
static int give_up(void)
{
	return n_interrupts > 1;
}

static int catch_interrupts(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	n_interrupts = 0;
	if (pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK)) {
		complain("no pipe: %s", strerror(errno));
		return -1;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	return 0;
}

/* For what else a batch has. */
static void leave_interrupts(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
	close(interrupt_pipe[0]);
	close(interrupt_pipe[1]);
}

/* ---- what is wanted ------------------------------------------------------ */

static int parse_number(const char *what, const char *word, uint64_t least, uint64_t most,
			uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(word, &end, 10);
	if (*word >= '0' && *word <= '9' && !*end && !errno && *number >= least &&
	    *number <= most)
		return STATUS_OK;
	complain("%s '%s' must be a number from %" PRIu64 " to %" PRIu64, what, word, least,
		 most);
	return STATUS_USAGE;
}

static int parse_u32(const char *what, const char *word, uint32_t least, uint32_t most,
		     uint32_t *number)
{
	uint64_t value = 0;
	int status = parse_number(what, word, least, most, &value);

	*number = (uint32_t)value;
	return status;
}

static int parse_direction(struct wish *wish, const char *word)
{
	if (!strcmp(word, "in")) {
		wish->ioctl.flags = NB_CAPTURE_RX;
	} else if (!strcmp(word, "out")) {
		wish->ioctl.flags = NB_CAPTURE_TX;
	} else {
		complain("direction '%s' must be in or out", word);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

static int parse_buffer(struct wish *wish, const char *word)
{
	uint32_t kib;
	int status = parse_u32("buffer", word, NB_MIN_CAPTURE_BUFFER / 1024,
			       NB_MAX_CAPTURE_BUFFER / 1024, &kib);

	if (!status && kib & (kib - 1)) {
		complain("buffer '%s' must be a power of two", word);
		return STATUS_USAGE;
	}
	wish->ioctl.buffer_size = 1024 * kib;
	return status;
}

/* One word and its argument. */
static int parse_pair(struct wish *wish, const char *what, const char *word)
{
	if (!strcmp(what, "queue"))
		return parse_u32(what, word, 0, NB_MAX_QUEUES - 1, &wish->ioctl.queue);
	if (!strcmp(what, "direction"))
		return parse_direction(wish, word);
	if (!strcmp(what, "count"))
		return parse_number(what, word, 1, UINT64_MAX - 1, &wish->count);
	if (!strcmp(what, "snaplen"))
		return parse_u32(what, word, 1, UINT32_MAX, &wish->ioctl.snaplen);
	if (!strcmp(what, "buffer"))
		return parse_buffer(wish, word);
	if (strcmp(what, "file"))
		return usage_error("capture", what);
	wish->path = strcmp(word, "-") ? word : NULL;
	return STATUS_OK;
}

static int parse(struct wish *wish, int argc, char **argv)
{
	int i, status;

	*wish = (struct wish){
		.ioctl = {
			.size = sizeof(wish->ioctl),
			.flags = NB_CAPTURE_TX | NB_CAPTURE_RX,
			.queue = NB_ANY_QUEUE,
		},
		.count = UINT64_MAX,
	};
	for (i = 2; i < argc; i += 2) {
		if (i + 1 == argc)
			return usage_error("capture", NULL);
		status = parse_pair(wish, argv[i], argv[i + 1]);
		if (status)
			return status;
	}
	if (!wish->path && isatty(STDOUT_FILENO)) {
		complain("a capture is not for a terminal: add 'file FILE' or '| tshark -i -'");
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

/* ---- capturing ----------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* Can the endpoint have what is wanted? */
static int check_wish(const struct wish *wish, const struct endpoint *endpoint)
{
	if (wish->ioctl.queue == NB_ANY_QUEUE || !endpoint->max_queues ||
	    wish->ioctl.queue < endpoint->max_queues)
		return 0;
	complain("queue %" PRIu32 " is never there: the endpoint has %" PRIu32 " at most",
		 wish->ioctl.queue, endpoint->max_queues);
	return -1;
}

static void name_endpoint(struct capture *capture, const struct endpoint *endpoint)
{
	if (*endpoint->name)
		snprintf(capture->name, sizeof(capture->name), "%s", endpoint->name);
	else
		snprintf(capture->name, sizeof(capture->name), "endpoint%" PRIu32, endpoint->id);
}

/* Return: the capture fd, or -1. */
static int open_capture(struct wish *wish, const struct endpoint *endpoint)
{
	char reason[REASON_SIZE] = "";
	int control, fd;

	control = open(device, O_RDWR | O_CLOEXEC);
	if (control < 0) {
		complain("cannot open %s (%s): run as root", device, strerror(errno));
		return -1;
	}
	wish->ioctl.endpoint_id = endpoint->id;
	wish->ioctl.msg.text = (uintptr_t)reason;
	wish->ioctl.msg.size = sizeof(reason);
	fd = ioctl(control, NB_CREATE_CAPTURE, &wish->ioctl);
	if (fd < 0 && errno == ENOTTY)
		complain("the module is older than nbctl, and cannot capture: load a newer one");
	else if (fd < 0)
		complain("cannot capture: %s", *reason ? reason : strerror(errno));
	close(control);
	if (fd >= 0)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static int begin_file(struct capture *capture, const struct wish *wish,
		      const struct endpoint *endpoint)
{
	char description[4 * NB_KIND_LEN];
	const struct pcapng_interface interface = {
		.name = capture->name, .description = description, .mac = endpoint->mac,
		.speed = endpoint->link_speed,
	};

	snprintf(description, sizeof(description), "net_backend endpoint %" PRIu32 ", kind %s",
		 endpoint->id, endpoint->kind);
	capture->file.snaplen = wish->ioctl.snaplen;
	capture->file.give_up = give_up;
	capture->file.fd = STDOUT_FILENO;
	if (wish->path)
		capture->file.fd = open(wish->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
					0600);
	return capture->file.fd < 0 ? -errno : pcapng_begin(&capture->file, &interface);
}

/* Add what has been read.  Return: 0 or a negative errno. */
static int add_packets(struct capture *capture, size_t len)
{
	const struct nb_capture_record *record;
	size_t at = 0;
	int err;

	while (at < len && capture->left) {
		record = (const void *)(capture->chunk + at);
		err = pcapng_packet(&capture->file, record);
		if (err)
			return err;
		capture->left--;
		capture->written++;
		at += record->size;
	}
	return pcapng_flush(&capture->file);
}

/* Return: bytes that were read and written, 0 at the end, or a negative errno. */
static ssize_t read_some(struct capture *capture)
{
	ssize_t n = read(capture->fd, capture->chunk, CHUNK_SIZE);
	int err;

	if (n < 0)
		return -errno;
	err = add_packets(capture, (size_t)n);
	return err ? err : n;
}

/* Until there is something to read.  Return: false if it is to end. */
static bool wait_for_packets(const struct capture *capture)
{
	struct pollfd fds[] = {
		{ .fd = capture->fd, .events = POLLIN },
		{ .fd = interrupt_pipe[0], .events = POLLIN },
		{ .fd = capture->file.fd }, /* who reads is gone */
	};

	while (poll(fds, 3, -1) < 0)
		if (errno != EINTR)
			return false;
	return !fds[1].revents && !(fds[2].revents & (POLLERR | POLLHUP));
}

/* What is there when it is interrupted, and not what comes meanwhile. */
static int drain(struct capture *capture, size_t most)
{
	ssize_t n = 0;
	size_t done;

	for (done = 0; done < most && capture->left; done += (size_t)n) {
		n = read_some(capture);
		if (n <= 0)
			break;
	}
	return n == -EAGAIN || n > 0 ? 0 : (int)n;
}

/* Return: 0 when it is over, or a negative errno. */
static int run(struct capture *capture)
{
	ssize_t n;

	while (capture->left) {
		if (!wait_for_packets(capture))
			return drain(capture, NB_MAX_CAPTURE_BUFFER);
		n = read_some(capture);
		if (!n)
			return 0;
		if (n < 0 && n != -EAGAIN)
			return (int)n;
	}
	return 0;
}

/* Say what there was, in the file and on standard error. */
static int end_file(struct capture *capture, uint64_t started)
{
	struct nb_capture_stats stats = { .size = sizeof(stats) };
	struct pcapng_totals totals = {
		.started_ns = started,
		.ended_ns = now_ns(),
		.written = capture->written,
	};

	if (ioctl(capture->fd, NB_CAPTURE_GET_STATS, &stats))
		return -errno;
	totals.packets = stats.packets;
	totals.lost = stats.lost;
	fprintf(stderr, "nbctl: %" PRIu64 " packets of %s captured, %" PRIu64 " lost\n",
		capture->written, capture->name, totals.lost);
	return pcapng_totals(&capture->file, &totals);
}

static int capture_to_file(struct capture *capture, const struct wish *wish,
			   const struct endpoint *endpoint)
{
	uint64_t started = now_ns();
	int err, end_err;

	capture->left = wish->count;
	capture->chunk = malloc(CHUNK_SIZE);
	err = capture->chunk ? begin_file(capture, wish, endpoint) : -ENOMEM;
	if (!err) {
		fprintf(stderr, "nbctl: capturing %s\n", capture->name);
		err = run(capture);
		end_err = err && err != -EPIPE ? 0 : end_file(capture, started);
		err = err ? err : end_err;
	}
	/* Who reads has seen enough: that is an end like others. */
	if (err == -EPIPE)
		err = 0;
	if (err)
		complain("cannot write the capture to %s: %s",
			 wish->path ? wish->path : "standard output", strerror(-err));
	free(capture->chunk);
	pcapng_end(&capture->file);
	if (wish->path && capture->file.fd >= 0)
		close(capture->file.fd);
	return err ? STATUS_FAILED : STATUS_OK;
}

int capture_main(int argc, char **argv)
{
	struct capture capture = { .fd = -1 };
	struct endpoint endpoint;
	struct wish wish;
	int status;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc < 2)
		return usage_error("capture", NULL);
	status = parse(&wish, argc, argv);
	if (status)
		return status;
	if (objects_find(argv[1], &endpoint) || check_wish(&wish, &endpoint) ||
	    catch_interrupts())
		return STATUS_FAILED;
	name_endpoint(&capture, &endpoint);
	status = STATUS_FAILED;
	capture.fd = open_capture(&wish, &endpoint);
	if (capture.fd >= 0) {
		status = capture_to_file(&capture, &wish, &endpoint);
		close(capture.fd);
	}
	leave_interrupts();
	return status;
}
