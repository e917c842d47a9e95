// SPDX-License-Identifier: GPL-2.0
/*
 * nbshare: a hostile frontend costs another one its share of the CPU, and no more
 *
 * A guest moves packets through path loopback, beside a rival in another cgroup of the same
 * weight, on one CPU, for a time that is a number of instructions. How many it moves is held
 * against how many it moves beside a process that only spins. Without the counting VM nbshare
 * does not run.
 *
 * usage: nbshare [FILE] [RIVAL]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/net_backend_netlink.h>

#include <libnb.h>

#include "bench.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define CGROUPS		"/sys/fs/cgroup"
#define SETTLE_NS	30000000	/* until both have had their turns */
#define SPAN_NS		150000000
/* Of the packets beside a process that spins. */
#define AT_LEAST	0.90
#define MEMORY		(8u << 20)
#define NOWHERE		(1ull << 40)
#define BATCH		64u
#define PORTS		16u

static unsigned long *moved;	/* packets, shared with the guest */
static unsigned long *turns;	/* of the rival */

static void own_turn(void)
{
	__atomic_fetch_add(turns, 1, __ATOMIC_RELAXED);
}

/* ---- rivals --------------------------------------------------------------- */

struct rival {
	struct nb *nb;
	struct nb_memory *mem;
	struct nb_endpoint *ep;
	struct nb_queue *queue;
	char *memory;
};

static void check(int result)
{
	if (result < 0)
		die("%s", nb_error());
}

static void open_rival(struct rival *rival, const char *kind, uint32_t flags)
{
	struct nb_endpoint_params params = { .kind = kind, .netns_fd = -1 };
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU, .flags = flags };
	struct nb_rx_segment buffers[BATCH];
	unsigned int i;

	rival->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	if (rival->memory == MAP_FAILED)
		die("there is no memory");
	memset(rival->memory, 0xff, MEMORY);
	check(nb_open(&rival->nb));
	check(nb_memory_create(rival->nb, &rival->mem));
	check(nb_memory_add(rival->mem, 0, rival->memory, MEMORY, 0));
	check(nb_endpoint_create(rival->nb, &params, &rival->ep));
	check(nb_endpoint_get_queues(rival->ep, rival->mem, &config, 1, NULL, &rival->queue));
	for (i = 0; i < BATCH; i++)
		buffers[i] = (struct nb_rx_segment){
			.gpa = MEMORY / 2 + i * 65536, .len = 65536, .id = i,
		};
	check(nb_queue_rx_avail(rival->queue, buffers, BATCH));
}

static struct nb_tx_segment packet(uint64_t gpa, uint32_t len, uint32_t id)
{
	return (struct nb_tx_segment){
		.gpa = gpa, .len = len, .packet_len = len, .segment_count = 1,
		.flags = NB_TX_HEAD, .id = id,
	};
}

/* Sends, and gives back what it gets. */
static void move(struct rival *rival, const struct nb_tx_segment *segments, unsigned int n)
{
	struct nb_tx_completion done[BATCH];
	struct nb_rx_metadata meta[BATCH];
	struct nb_rx_segment buffer;
	int i, got;

	check(nb_queue_tx_avail(rival->queue, segments, n, NULL));
	check(nb_queue_tx_poll(rival->queue, done, BATCH));
	got = nb_queue_rx_poll(rival->queue, meta, BATCH);
	check(got);
	for (i = 0; i < got; i++) {
		buffer = (struct nb_rx_segment){
			.gpa = MEMORY / 2 + meta[i].id * 65536, .len = 65536, .id = meta[i].id,
		};
		check(nb_queue_rx_avail(rival->queue, &buffer, 1));
	}
	own_turn();
}

static void spin(void)
{
	for (;;)
		own_turn();
}

static void enter(void)
{
	struct rival rival;

	open_rival(&rival, "loopback", 0);
	for (;; own_turn())
		nb_queue_enter(rival.queue, NB_ENTER_TX | NB_ENTER_RX, 0, NULL);
}

static void send_bad(const char *kind, uint32_t flags)
{
	struct nb_tx_segment segments[BATCH];
	struct rival rival;
	unsigned int i;

	open_rival(&rival, kind, flags);
	for (i = 0; i < BATCH; i++) {
		segments[i] = packet(i % 2 ? NOWHERE : 0, 600, i);
		segments[i].reserved = i % 4 == 0;
	}
	for (;;)
		move(&rival, segments, BATCH);
}

static void bad_packets(void)
{
	send_bad("loopback", 0);
}

static void bad_packets_polled(void)
{
	send_bad("netdev", NB_QUEUE_POLL);
}

/* A thread of the kernel's does the work. */
static void kick(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct rival rival;

	open_rival(&rival, "loopback", 0);
	check(nb_queue_set_eventfds(rival.queue, fd, -1));
	for (;; own_turn())
		eventfd_write(fd, 1);
}

static void kick_packets(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct nb_tx_segment segments[BATCH];
	struct rival rival;
	unsigned int i;

	open_rival(&rival, "loopback", 0);
	check(nb_queue_set_eventfds(rival.queue, fd, -1));
	for (i = 0; i < BATCH; i++)
		segments[i] = packet(0, 600, i);
	for (;;)
		move(&rival, segments, BATCH);
}

/* Timers are set, run out and are set anew. */
static void moderate(void)
{
	struct nb_queue_moderation moderation = { 0 };
	struct nb_tx_segment segment = packet(0, 60, 1);
	struct rival rival;

	open_rival(&rival, "loopback", 0);
	for (;;) {
		moderation.tx_usecs = 1 + moderation.tx_usecs % 20;
		moderation.rx_usecs = moderation.tx_usecs;
		check(nb_queue_set_moderation(rival.queue, &moderation));
		move(&rival, &segment, 1);
	}
}

/* Of 64 segments, 64 KiB each. */
static void chains(void)
{
	struct nb_tx_segment segments[NB_MAX_SEGMENTS] = { 0 };
	struct rival rival;
	unsigned int i;

	open_rival(&rival, "loopback", 0);
	for (i = 0; i < NB_MAX_SEGMENTS; i++) {
		segments[i].gpa = i * 4096 + 7;
		segments[i].len = 1023;
	}
	segments[0].flags = NB_TX_HEAD;
	segments[0].segment_count = NB_MAX_SEGMENTS;
	segments[0].packet_len = NB_MAX_SEGMENTS * 1023;
	for (;;)
		move(&rival, segments, NB_MAX_SEGMENTS);
}

static void regions(void)
{
	struct rival rival;
	char *pages;

	pages = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	open_rival(&rival, "loopback", 0);
	for (;; own_turn()) {
		check(nb_memory_add(rival.mem, NOWHERE, pages, MEMORY, 0));
		check(nb_memory_remove(rival.mem, NOWHERE, MEMORY));
	}
}

static void queues(void)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct rival rival;

	open_rival(&rival, "loopback", 0);
	for (;; own_turn()) {
		nb_queue_close(rival.queue);
		check(nb_endpoint_get_queues(rival.ep, rival.mem, &config, 1, NULL,
					     &rival.queue));
	}
}

/* Each packet is copied to all other ports, which never have a buffer for long. */
static void flood(void)
{
	struct nb_switch_params join = { .flags = NB_SWITCH_JOIN };
	struct nb_endpoint_params params = {
		.kind = "switch", .netns_fd = -1,
		.kind_params = &join, .kind_params_size = sizeof(join),
	};
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_tx_segment segments[BATCH];
	struct nb_endpoint *ep;
	struct nb_queue *queue;
	struct rival rival;
	unsigned int i;

	open_rival(&rival, "switch", 0);
	join.group_fd = nb_endpoint_fd(rival.ep);
	for (i = 1; i < PORTS; i++) {
		check(nb_endpoint_create(rival.nb, &params, &ep));
		check(nb_endpoint_get_queues(ep, rival.mem, &config, 1, NULL, &queue));
	}
	memset(rival.memory + 6, 0x02, 6);
	for (i = 0; i < BATCH; i++)
		segments[i] = packet(0, 1500, i);
	for (;;)
		move(&rival, segments, BATCH);
}

static void ask(int fd, const void *request, uint32_t len, char *reply, size_t size)
{
	if (send(fd, request, len, 0) < 0 || recv(fd, reply, size, 0) < 0)
		die("netlink: %s", strerror(errno));
}

static uint16_t find_family(int fd)
{
	struct {
		struct nlmsghdr header;
		struct genlmsghdr genl;
		struct nlattr attribute;
		char name[16];
	} request = {
		.header = {
			.nlmsg_len = sizeof(request), .nlmsg_type = GENL_ID_CTRL,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.genl = { .cmd = CTRL_CMD_GETFAMILY },
		.attribute = {
			.nla_len = NLA_HDRLEN + sizeof(NB_GENL_NAME),
			.nla_type = CTRL_ATTR_FAMILY_NAME,
		},
		.name = NB_GENL_NAME,
	};
	static char reply[8192];
	const struct nlattr *at = (void *)(reply + NLMSG_HDRLEN + GENL_HDRLEN);

	ask(fd, &request, sizeof(request), reply, sizeof(reply));
	while (at->nla_type != CTRL_ATTR_FAMILY_ID)
		at = (const void *)((const char *)at + NLA_ALIGN(at->nla_len));
	return *(const uint16_t *)(at + 1);
}

static void dumps(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct {
		struct nlmsghdr header;
		struct genlmsghdr genl;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request), .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.genl = { .cmd = NB_CMD_QUEUE_GET },
	};
	static char reply[65536];
	struct rival rival;

	open_rival(&rival, "loopback", 0);
	request.header.nlmsg_type = find_family(fd);
	for (;; own_turn()) {
		ask(fd, &request, sizeof(request), reply, sizeof(reply));
		while (((struct nlmsghdr *)reply)->nlmsg_type != NLMSG_DONE)
			if (recv(fd, reply, sizeof(reply), 0) < 0)
				die("netlink: %s", strerror(errno));
	}
}

static const struct {
	const char *name;
	void (*run)(void);
	double at_least;
} rivals[] = {
	{ "spins", spin, 1.0 },	/* first: what the others are held against */
	{ "enters without packets", enter, AT_LEAST },
	{ "sends bad packets", bad_packets, AT_LEAST },
	{ "sends bad packets, polled", bad_packets_polled, AT_LEAST },
	{ "kicks without packets", kick, AT_LEAST },
	{ "kicks with packets", kick_packets, AT_LEAST },
	{ "changes moderation", moderate, AT_LEAST },
	{ "sends long chains", chains, AT_LEAST },
	{ "floods a switch of 16 ports", flood, AT_LEAST },
	{ "adds and removes regions", regions, AT_LEAST },
	{ "makes and drops queues", queues, AT_LEAST },
	{ "dumps by netlink", dumps, AT_LEAST },
};

/* ---- measuring ------------------------------------------------------------ */

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

/* Runs in a cgroup of its own, which gives it its share. */
static pid_t start(void (*run)(void), const char *cgroup)
{
	char path[128];
	pid_t child = fork();

	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), CGROUPS "/%s", cgroup);
	if (mkdir(path, 0755) && errno != EEXIST)
		die("%s: %s", path, strerror(errno));
	strcat(path, "/cgroup.procs");
	write_text(path, "0");
	run();
	_exit(1);
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void be_guest(void)
{
	const struct shape shape = { .size = 600, .batch = BATCH, .segments = 1 };
	struct guest *guest = guest_open("loopback", &shape, 0);

	if (!guest)
		die("there is no guest");
	for (;;) {
		guest_transmit(guest);
		guest_receive(guest);
		__atomic_fetch_add(moved, BATCH, __ATOMIC_RELAXED);
	}
}

static void wait_ns(long ns)
{
	const struct timespec time = { .tv_nsec = ns };

	nanosleep(&time, NULL);
}

/* Packets that a guest moves beside a rival. */
/* One that has died has said why. */
static void must_live(pid_t pid)
{
	if (waitpid(pid, NULL, WNOHANG))
		die("process %d has gone", pid);
}

static unsigned long measure_beside(void (*rival)(void))
{
	pid_t guest, other;
	unsigned long before, last;

	*moved = 0;
	*turns = 0;
	guest = start(be_guest, "nbshare-guest");
	other = start(rival, "nbshare-rival");
	while (!__atomic_load_n(moved, __ATOMIC_RELAXED) ||
	       !__atomic_load_n(turns, __ATOMIC_RELAXED)) {
		must_live(guest);
		must_live(other);
		wait_ns(1000000);
	}
	wait_ns(SETTLE_NS);
	before = __atomic_load_n(moved, __ATOMIC_RELAXED);
	last = __atomic_load_n(turns, __ATOMIC_RELAXED);
	wait_ns(SPAN_NS);
	before = __atomic_load_n(moved, __ATOMIC_RELAXED) - before;
	must_live(guest);
	must_live(other);
	if (__atomic_load_n(turns, __ATOMIC_RELAXED) == last)
		die("the rival does nothing any more");
	stop(other);
	stop(guest);
	return before;
}

int main(int argc, char **argv)
{
	FILE *file = argc > 1 ? fopen(argv[1], "w") : stdout;
	unsigned long packets, spinning = 0;
	unsigned int i, failures = 0;

	if (!file)
		die("%s: %s", argv[1], strerror(errno));
	if (!clock_counts())
		die("this is not the VM whose clock counts instructions");
	moved = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (moved == MAP_FAILED)
		die("there is no memory");
	turns = moved + 64;
	link_own_namespace();
	write_text(CGROUPS "/cgroup.subtree_control", "+cpu");
	fprintf(file, "rival\tpackets\tof\n");
	for (i = 0; i < ARRAY_SIZE(rivals); i++) {
		if (i && argc > 2 && strcmp(argv[2], rivals[i].name))
			continue;
		packets = measure_beside(rivals[i].run);
		if (!i)
			spinning = packets;
		fprintf(file, "%s\t%lu\t%.2f\n", rivals[i].name, packets,
			(double)packets / spinning);
		fflush(file);
		if (packets < rivals[i].at_least * spinning) {
			say("beside one that %s, a guest moves %lu packets, not %lu",
			    rivals[i].name, packets, spinning);
			failures++;
		}
	}
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
