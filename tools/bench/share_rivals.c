// SPDX-License-Identifier: GPL-2.0
/*
 * The rivals of nbshare: each does one thing, as much as it can
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/net_backend_netlink.h>

#include <libnb.h>

#include "bench.h"
/* As nobody but libnb does it: rings are filled, and the kernel is not told. */
#include "queue.h"
#include "ring.h"
#include "share.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
/* Of the packets beside a process that spins. */
#define AT_LEAST	0.90
#define MEMORY		(8u << 20)
#define NOWHERE		(1ull << 40)
#define BATCH		64u
#define PORTS		16u

unsigned long *share_turns;

static void own_turn(void)
{
	__atomic_fetch_add(share_turns, 1, __ATOMIC_RELAXED);
}

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

static void open_rival_with(struct rival *rival, const struct nb_endpoint_params *params,
			    uint32_t flags)
{
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
	check(nb_endpoint_create(rival->nb, params, &rival->ep));
	check(nb_endpoint_get_queues(rival->ep, rival->mem, &config, 1, NULL, &rival->queue));
	for (i = 0; i < BATCH; i++)
		buffers[i] = (struct nb_rx_segment){
			.gpa = MEMORY / 2 + i * 65536, .len = 65536, .id = i,
		};
	check(nb_queue_rx_avail(rival->queue, buffers, BATCH));
}

static void open_rival(struct rival *rival, const char *kind, uint32_t flags)
{
	const struct nb_endpoint_params params = { .kind = kind, .netns_fd = -1 };

	open_rival_with(rival, &params, flags);
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

/* What is sent by the interface waits there, and leaves bit by bit. */
static void slow_down(const char *interface)
{
	char command[96];

	snprintf(command, sizeof(command),
		 "tc qdisc add dev %s root tbf rate 1gbit burst 64k limit 4m", interface);
	if (system(command))
		die("'%s' fails", command);
}

/*
 * The interface is slow, so that packets stay in the ring, which is always full.  They are sent
 * when there is room for them, without ENTER.
 */
static void leave_packets(void)
{
	const struct shape shape = { .size = 1500, .batch = BATCH, .segments = 1 };
	struct nb_attach_params attach = { .flags = NB_ATTACH_PROMISCUOUS };
	const struct nb_endpoint_params params = {
		.kind = "attach", .netns_fd = -1,
		.kind_params = &attach, .kind_params_size = sizeof(attach),
	};
	const struct nb_tx_segment segment = packet(0, 1500, 1);
	struct nb_ring *avail, *done;
	struct rival rival;
	struct pair pair;
	uint32_t room, n;

	if (pair_open(&pair, &shape) < 0)
		die("there is no pair of interfaces");
	slow_down("lower");
	attach.ifindex = pair.lower;
	open_rival_with(&rival, &params, 0);
	avail = &rival.queue->tx_avail;
	done = &rival.queue->tx_done;
	for (;;) {
		n = nb_ring_ready(done, done->n_entries);
		nb_ring_advance(done, n);
		if (n)
			own_turn();
		room = nb_ring_room(avail, avail->n_entries);
		for (n = 0; n < room; n++) {
			nb_ring_write(avail, &segment, 1, sizeof(segment));
			nb_ring_advance(avail, 1);
		}
		/* Nothing was left: it has to be told. */
		if (room == avail->n_entries)
			check(nb_queue_enter(rival.queue, NB_ENTER_TX, 0, NULL));
	}
}

/* They come back when they have left the slow interface, behind a bridge. */
static void send_without_copy(void)
{
	const struct shape shape = { .size = 8000, .batch = BATCH, .segments = 1 };
	const struct guest_options options = {
		.regions = 1, .queues = 1, .queue_flags = NB_QUEUE_ZEROCOPY_TX,
		.mtu = mtu_for(&shape),
	};
	int bridge = link_add("bridge", "bridge", mtu_for(&shape));
	int dummy = link_add("dummy", "slow", mtu_for(&shape));
	struct guest *guest;

	if (bridge <= 0 || dummy <= 0 || link_set_up(bridge) < 0 ||
	    link_join(bridge, dummy) < 0 || link_set_up(dummy) < 0)
		die("there is no bridge");
	slow_down("slow");
	guest = guest_open_with("netdev", &shape, &options);
	if (!guest || link_join(bridge, guest_ifindex(guest)) < 0 ||
	    link_up(guest_ifindex(guest)) < 0)
		die("there is no guest behind the bridge");
	for (;; own_turn())
		guest_transmit(guest);
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

const struct share_rival share_rivals[] = {
	{ "spins", spin, 1.0 },
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
	{ "leaves packets to the kernel", leave_packets, AT_LEAST },
	{ "sends without a copy", send_without_copy, AT_LEAST },
};

const unsigned int n_share_rivals = ARRAY_SIZE(share_rivals);
