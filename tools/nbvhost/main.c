// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost: a vhost-user back-end for network devices, with endpoints of net_backend
 *
 * Owns the command line, the signals, and the loop that waits for all sockets.  SIGINT and SIGTERM
 * end it, with SIGUSR2 it begins again in place, see handover.c.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "nbvhost.h"

#define MAX_NICS	64
/* milliseconds from one time to the next, of what is done from time to time */
#define TICK_MS		100

/* what an event is about, beside the number of the NIC */
enum source {
	SIGNALS,
	AGAIN,
	WAKE,
	LISTENER,
	CONNECTION,
	ENDPOINT,
	CONTROL,
	STATUS,
};

/**
 * struct server - all of it
 * @nics: the NICs
 * @n: their number
 * @max_pairs: most pairs of rings of each
 * @poll_us: microseconds that their threads look before they sleep
 * @kernel_polls: the kernel's do, too
 * @max_memory: most bytes of guest memory of each
 * @status_path: where its status can be asked for, or NULL
 * @status: the socket for that
 * @status_closer: of connections to it
 * @epoll_fd: what the main thread waits for
 * @signal_fd: the signals that end it
 * @again_fd: the signal with which it begins again
 * @argv: of the command line
 * @again: it is to begin again when nothing is being closed any more
 * @ticked: milliseconds: when it did last what is done from time to time
 * @deaf: some sockets are not listened on, until the next time that it does that
 * @closing: some sockets are not listened on while what has come by them is being closed
 * @complained: it was said that nobody can be taken, and nobody was since
 */
struct server {
	struct nic nics[MAX_NICS];
	unsigned int n;
	unsigned int max_pairs;
	uint32_t poll_us;
	bool kernel_polls;
	uint64_t max_memory;
	const char *status_path;
	struct listener status;
	struct closer status_closer;
	int epoll_fd;
	int signal_fd;
	int again_fd;
	char **argv;
	bool again;
	uint64_t ticked;
	bool deaf;
	bool closing;
	bool complained;
};

bool verbose;
int wake_fd;

const char * const program_name = "nbvhost";
const char * const program_usage =
"Usage: nbvhost [OPTIONS] SOCKET ENDPOINT [SOCKET ENDPOINT]...\n"
"Serves network devices of virtual machines, whose VMMs speak vhost-user, each with an\n"
"endpoint of net_backend.\n"
"\n"
"    SOCKET := { path | fd=NUMBER | fd=NAME }\n"
"    ENDPOINT := { fd=NUMBER | fd=NAME } | KIND[,name=NAME][,netns=NETNS][,mac=MAC][,mtu=BYTES]\n"
"    KIND := { netdev | attach,dev=NAME[,promisc] | switch,switch=NAME | loopback | ... }\n"
"    NETNS := { name in /run/netns | path }\n"
"    NAME := of a file descriptor that was passed, as LISTEN_FDNAMES has it\n"
"\n"
"  -q, --queues N      most pairs of rings of each device, and threads (1)\n"
"  -p, --poll USECS    threads look at their rings so long before they sleep (0)\n"
"  -k, --kernel-poll   with -p: threads of the kernel do so, too, one for each pair\n"
"  -m, --memory MIB    a guest with more memory is refused (no limit)\n"
"  -s, --status SOCKET who connects there gets the state of all devices as JSON\n"
"  -v, --verbose       say when front-ends come and go, and totals at the end\n"
"  -V, --version       print the version and exit\n"
"  -h, --help          print this and exit\n"
"\n"
"Example: nbvhost /run/vm1.sock netdev,name=vm1\n"
"prints \"nbvhost: ready\" when front-ends can connect, and ends with SIGINT or SIGTERM.\n"
"With SIGUSR2 it begins again in place: those who are connected stay.\n";

static void parse_options(struct server *server, int argc, char **argv)
{
	static const struct option known[] = {
		{ "queues",	required_argument,	NULL, 'q' },
		{ "poll",	required_argument,	NULL, 'p' },
		{ "kernel-poll", no_argument,		NULL, 'k' },
		{ "memory",	required_argument,	NULL, 'm' },
		{ "status",	required_argument,	NULL, 's' },
		{ "verbose",	no_argument,		NULL, 'v' },
		/* for handover.c alone */
		{ "handover",	required_argument,	NULL, 'H' },
		{ "version",	no_argument,		NULL, 'V' },
		{ "help",	no_argument,		NULL, 'h' },
		{ }
	};
	int option;

	server->max_pairs = 1;
	server->max_memory = UINT64_MAX;
	server->status.fd = -1;
	pthread_mutex_init(&server->status_closer.lock, NULL);
	while ((option = getopt_long(argc, argv, "q:p:km:s:vVh", known, NULL)) >= 0) {
		switch (option) {
		case 'q':
			server->max_pairs = number_option(option, 1, MAX_PAIRS);
			break;
		case 'p':
			server->poll_us = number_option(option, 0, NB_MAX_POLL_IDLE_US);
			break;
		case 'k':
			server->kernel_polls = true;
			break;
		case 'm':
			server->max_memory =
				(uint64_t)number_option(option, 1, MAX_MEMORY_MIB) << 20;
			break;
		case 's':
			server->status_path = optarg;
			break;
		case 'v':
			verbose = true;
			break;
		case 'H':
			exit(handover_is_known(optarg) ? EXIT_SUCCESS : EXIT_FAILURE);
		case 'V':
			print_version();
		case 'h':
			print_usage();
		default:
			bad_usage();
		}
	}
}

static void parse(struct server *server, int argc, char **argv)
{
	int i, left;

	parse_options(server, argc, argv);
	if (server->kernel_polls && !server->poll_us) {
		complain("-k needs -p");
		bad_usage();
	}
	left = argc - optind;
	if (!left || left % 2 || left / 2 > MAX_NICS) {
		complain("a socket and an endpoint for each of up to %d devices are needed",
			 MAX_NICS);
		bad_usage();
	}
	for (i = optind; i < argc; i += 2) {
		struct nic *nic = &server->nics[server->n++];

		*nic = (struct nic){
			.path = argv[i],
			.poll_us = server->poll_us,
			.kernel_polls = server->kernel_polls,
			.max_memory = server->max_memory,
			.listener.fd = -1,
			.log.fd = -1,
			.channel_fd = -1,
			.connection.fd = -1,
			.stop_fd = -1,
			.control.epoll_fd = -1,
			.control.watched_fd = -1,
			.closer.lock = PTHREAD_MUTEX_INITIALIZER,
		};
		nic->spec.text = argv[i + 1];
		if (!service_is_fd(argv[i + 1]) && spec_parse(&nic->spec, argv[i + 1]))
			bad_usage();
	}
}

static int watch(struct server *server, int fd, enum source source, unsigned int nic,
		 uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = (uint64_t)nic << 8 | source };

	if (!epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) || errno == EEXIST)
		return 0;
	complain("cannot wait: %s", strerror(errno));
	return -1;
}

static void ignore(struct server *server, int fd)
{
	epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/*
 * Listen to a front-end, or for one: while there is a front-end, the next one has to wait; so has
 * either while something that one has passed is being closed, or there could be ever more of that.
 */
static int listen_again(struct server *server, unsigned int i)
{
	struct nic *nic = &server->nics[i];

	if (fd_is_closing(&nic->closer)) {
		server->closing = true;
		if (nic->connection.fd >= 0)
			ignore(server, nic->connection.fd);
		return 0;
	}
	if (nic->connection.fd >= 0)
		return watch(server, nic->connection.fd, CONNECTION, i, EPOLLIN);
	return watch(server, nic->listener.fd, LISTENER, i, EPOLLIN);
}

static void listen_for_status(struct server *server)
{
	if (server->status.fd < 0)
		return;
	if (fd_is_closing(&server->status_closer)) {
		server->closing = true;
		ignore(server, server->status.fd);
	} else {
		watch(server, server->status.fd, STATUS, 0, EPOLLIN);
	}
}

/* Somebody has connected, and was not taken: without fds, that is tried again later. */
static void be_deaf(struct server *server, int listen_fd)
{
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	if (!server->complained)
		complain("cannot take who connects: %s", strerror(errno));
	server->complained = true;
	server->deaf = true;
	ignore(server, listen_fd);
}

static void listen_to_all(struct server *server)
{
	unsigned int i;

	server->deaf = false;
	server->closing = false;
	for (i = 0; i < server->n; i++)
		listen_again(server, i);
	listen_for_status(server);
}

static void answer_status(struct server *server)
{
	if (status_answer(server->status.fd, &server->status_closer, server->nics, server->n)) {
		be_deaf(server, server->status.fd);
	} else {
		server->complained = false;
		listen_for_status(server);
	}
}

static void connect_one(struct server *server, unsigned int i)
{
	struct nic *nic = &server->nics[i];

	if (nic->connection.fd >= 0)
		return;
	if (socket_accept(nic) < 0) {
		be_deaf(server, nic->listener.fd);
		return;
	}
	server->complained = false;
	ignore(server, nic->listener.fd);
	if (watch(server, nic->connection.fd, CONNECTION, i, EPOLLIN)) {
		socket_close(nic);
		listen_again(server, i);
	}
}

static void serve(struct server *server, unsigned int i)
{
	struct nic *nic = &server->nics[i];

	if (nic->connection.fd < 0)
		return;
	if (!socket_receive(nic)) {
		/* the guest alone does not fill the log */
		nic->complained = false;
		nic_update(nic);
		if (fd_is_closing(&nic->closer))
			listen_again(server, i);
		return;
	}
	ignore(server, nic->connection.fd);
	socket_close(nic);
	listen_again(server, i);
}

/* Is anything not closed yet?  exec() would have to wait for that. */
static bool is_closing(struct server *server)
{
	unsigned int i;

	for (i = 0; i < server->n; i++) {
		if (!fd_is_closing(&server->nics[i].closer))
			continue;
		if (!server->again)
			complain("%s: begins again when what a front-end has passed is closed",
				 server->nics[i].path);
		return true;
	}
	return fd_is_closing(&server->status_closer);
}

/* Have all rings run that can. */
static void serve_all(struct server *server)
{
	unsigned int i;

	for (i = 0; i < server->n; i++)
		nic_update(&server->nics[i]);
}

/* Begin again in place, now or as soon as that is possible; comes back only if it is not. */
static void begin_again(struct server *server)
{
	unsigned int i;

	server->again = is_closing(server);
	if (server->again) {
		server->closing = true;
		return;
	}
	if (!handover_is_possible())
		return;
	service_tell("RELOADING=1");
	/* also for who comes next if nobody takes over what is left */
	for (i = 0; i < server->n; i++)
		nic_settle(&server->nics[i]);
	handover_execute(server->nics, server->n, &server->status, server->argv);
	serve_all(server);
	service_tell("READY=1");
}

static void hear_again(struct server *server)
{
	struct signalfd_siginfo signal;

	if (read(server->again_fd, &signal, sizeof(signal)) == sizeof(signal))
		begin_again(server);
}

/*
 * A pair's thread has ended: its NIC makes another.  Or there are more commands, or what was to be
 * closed is.
 */
static void wake(struct server *server)
{
	eventfd_t value;
	unsigned int i;

	eventfd_read(wake_fd, &value);
	if (server->closing)
		listen_to_all(server);
	if (server->again)
		begin_again(server);
	serve_all(server);
	for (i = 0; i < server->n; i++)
		control_serve(&server->nics[i]);
}

static bool handle(struct server *server, const struct epoll_event *event)
{
	unsigned int nic = (unsigned int)(event->data.u64 >> 8);

	switch ((enum source)(event->data.u64 & 0xff)) {
	case SIGNALS:
		return false;
	case AGAIN:
		hear_again(server);
		break;
	case WAKE:
		wake(server);
		break;
	case LISTENER:
		connect_one(server, nic);
		break;
	case CONNECTION:
		serve(server, nic);
		break;
	case ENDPOINT:
		nic_follow_actions(&server->nics[nic]);
		break;
	case CONTROL:
		control_serve(&server->nics[nic]);
		break;
	case STATUS:
		answer_status(server);
		break;
	}
	return true;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Is there anything to do from time to time? */
static bool needs_ticks(const struct server *server)
{
	unsigned int i;

	for (i = 0; i < server->n; i++) {
		if (server->nics[i].memory.log || control_needs_looks(&server->nics[i]))
			return true;
	}
	return server->deaf;
}

/*
 * Do that, if it is time, not at every event: it takes its time.  How long to wait until the
 * next time.
 */
static int tick(struct server *server)
{
	uint64_t since = now() - server->ticked;
	unsigned int i;

	if (!needs_ticks(server))
		return -1;
	if (since < TICK_MS)
		return (int)(TICK_MS - since);
	/* what the kernel has written, of those whose log is on */
	for (i = 0; i < server->n; i++) {
		log_harvest(&server->nics[i]);
		if (control_needs_looks(&server->nics[i]))
			control_serve(&server->nics[i]);
	}
	if (server->deaf)
		listen_to_all(server);
	server->ticked = now();
	return TICK_MS;
}

static void loop(struct server *server)
{
	struct epoll_event events[16];
	int i, n;

	for (;;) {
		n = epoll_wait(server->epoll_fd, events, 16, tick(server));
		for (i = 0; i < n; i++) {
			if (!handle(server, &events[i]))
				return;
		}
	}
}

static void no_action(int signal)
{
	(void)signal;
}

/* From now on, signals that end the program are read from an fd. */
static int catch_signals(struct server *server)
{
	/* without SA_RESTART: ends what a pair's thread may hang in */
	struct sigaction action = { .sa_handler = no_action };

	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	memory_catch_faults();
	server->again_fd = catch_signal(SIGUSR2);
	server->signal_fd = catch_end_signals();
	return server->again_fd < 0 || server->signal_fd < 0 ? -1 : 0;
}

/* One NIC, of which somebody may have left what there is to know. */
static int open_one(struct server *server, struct nb *nb, const struct handover *left,
		    unsigned int i)
{
	struct nic *nic = &server->nics[i];

	if (nic_begin(nic, nb, server->max_pairs) ||
	    (left ? takeover_nic(left, i, nic) : nic_open(nic)))
		return -1;
	if (listen_again(server, i) ||
	    watch(server, nb_endpoint_fd(nic->ep), ENDPOINT, i, EPOLLIN | EPOLLET))
		return -1;
	return watch(server, nic->control.epoll_fd, CONTROL, i, EPOLLIN);
}

static int open_status(struct server *server, const struct handover *left)
{
	if (!server->status_path)
		return 0;
	if (left)
		takeover_status(left, &server->status);
	else if (socket_listen(&server->status, server->status_path))
		return -1;
	return watch(server, server->status.fd, STATUS, 0, EPOLLIN);
}

static int open_all(struct server *server)
{
	struct handover *left;
	unsigned int i;
	struct nb *nb;
	int err;

	if (nb_open(&nb)) {
		complain("%s", nb_error());
		return -1;
	}
	err = takeover_read(&left, server->n, server->max_pairs);
	for (i = 0; i < server->n && !err; i++)
		err = open_one(server, nb, left, i);
	if (!err)
		err = open_status(server, left);
	free(left);
	return err;
}

static void print_total(const struct nic *nic, const char *direction, const struct counters *sum)
{
	say("%s: %s %" PRIu64 " packets, %" PRIu64 " bytes, %" PRIu64 " dropped", nic->path,
	    direction, sum->packets, sum->bytes, sum->dropped);
}

static void print_totals(const struct nic *nic)
{
	struct counters sent = { 0 }, received = { 0 };
	unsigned int i;

	for (i = 0; i < nic->max_pairs && nic->pairs; i++) {
		counters_add(&sent, &nic->pairs[i].sent);
		counters_add(&received, &nic->pairs[i].received);
	}
	print_total(nic, "guest to host", &sent);
	print_total(nic, "host to guest", &received);
}

int main(int argc, char **argv)
{
	static struct server server;
	int status = EXIT_FAILURE;
	unsigned int i;

	service_init();
	parse(&server, argc, argv);
	server.argv = argv;
	server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (catch_signals(&server) || server.epoll_fd < 0 || wake_fd < 0) {
		complain("no file descriptors: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	if (!watch(&server, server.signal_fd, SIGNALS, 0, EPOLLIN) &&
	    !watch(&server, server.again_fd, AGAIN, 0, EPOLLIN) &&
	    !watch(&server, wake_fd, WAKE, 0, EPOLLIN) && !open_all(&server) &&
	    !service_drop_privileges()) {
		serve_all(&server);
		say("ready");
		service_tell("READY=1");
		loop(&server);
		service_tell("STOPPING=1");
		status = EXIT_SUCCESS;
	}
	for (i = 0; i < server.n; i++) {
		if (status == EXIT_SUCCESS)
			nic_settle(&server.nics[i]);
		socket_close(&server.nics[i]);
		if (verbose && status == EXIT_SUCCESS)
			print_totals(&server.nics[i]);
		nic_close(&server.nics[i]);
	}
	socket_unlisten(&server.status, server.status_path);
	return status;
}
