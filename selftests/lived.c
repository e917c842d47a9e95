// SPDX-License-Identifier: GPL-2.0
/*
 * lived KIND: the life of an endpoint of that kind, for events.sh, which knows what is to be
 * told of it.  Whatever happens waits until what was before has been told.
 *
 * lived exchange: two endpoints exchange their backends.
 *
 * lived restless: the frontend changes its queue again and again.  Nobody loses events by that,
 * and the last of each kind tells what has come of it.
 *
 * lived churn: memories come and go, until it is killed.
 *
 * lived unlucky: each allocation of a change fails once.  Where the change is made all the
 * same, it is told, or that something was lost.  Exit status 4 if the kernel cannot do that.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "nbfailnth.h"
#include "nbgenl.h"
#include "nbraw.h"
#include "nbtest.h"

static struct nb_genl events;
static uint32_t id;	/* of the endpoint that lives */
static char id_text[16];

/* That many events of the endpoint and its queues. */
static void told(unsigned int n)
{
	while (n--)
		if (!nb_genl_next_message(&events, id, NULL))
			nb_die("something has happened, and was not told");
}

/* An endpoint, which has been told. */
static void open_nic(struct nb_nic *nic, struct nb_guest *guest, const struct nb_test_kind *kind)
{
	struct nb_endpoint_info info;

	nb_nic_open(nic, guest, kind, 0);
	nb_ok(nb_endpoint_get_info(nic->ep, &info));
	id = info.id;
	snprintf(id_text, sizeof(id_text), "%u", id);
}

/* Without what nb_nic_start() does to interfaces. */
static void make_queues(struct nb_nic *nic, unsigned int n)
{
	struct nb_queue_config configs[2] = {
		{ .target_cpu = NB_ANY_CPU }, { .target_cpu = NB_ANY_CPU },
	};

	nb_ok(nb_endpoint_get_queues(nic->ep, nic->guest->mem, configs, n, NULL, nic->queues));
	nic->queue = nic->queues[0];
	nic->n_queues = n;
	told(n);
}

static void close_queues(struct nb_nic *nic)
{
	unsigned int i;

	for (i = 0; i < nic->n_queues; i++)
		nb_queue_close(nic->queues[i]);
	told(nic->n_queues);
	nic->queue = NULL;
	nic->n_queues = 0;
}

/* nbctl COMMAND ENDPOINT …, or a program, and so many events. */
#define ctl(n, command, ...)							\
	run(n, nb_test_run("nbctl", command, id_text, ##__VA_ARGS__, NULL), "nbctl")

static void run(unsigned int n, int status, const char *what)
{
	if (status)
		nb_die("%s: exit status %d", what, status);
	told(n);
}

static void backend_comes_and_goes(struct nb_nic *nic)
{
	make_queues(nic, 2);
	ctl(1, "link", "down");
	ctl(1, "link", "up");
	ctl(3, "disconnect", "now");
	close_queues(nic);
	ctl(1, "connect");
}

static void queue_lives(struct nb_nic *nic)
{
	const struct nb_queue_moderation moderation = { .tx_usecs = 30 };

	make_queues(nic, 1);
	nb_ok(nb_queue_quiesce(nic->queue));
	told(1);
	nb_ok(nb_queue_resume(nic->queue));
	told(1);
	nb_ok(nb_queue_set_moderation(nic->queue, &moderation));
	told(1);
	run(1, nb_test_run("nbctl", "queue", "set", id_text, "rx-usecs", "40", NULL), "set");
	nb_ok(nb_queue_update_target_vp(nic->queue, 0));
	told(1);
	/* Nothing has changed. */
	nb_ok(nb_queue_update_target_vp(nic->queue, 0));
}

/* Asked to by an operator, who waits for it. */
static void frontend_lets_go(struct nb_nic *nic)
{
	int status;
	pid_t pid = nb_sys(fork());

	/* What the child has of the queue is closed there. */
	if (!pid)
		_exit(execlp("nbctl", "nbctl", "disconnect", id_text, NULL));
	told(1);
	close_queues(nic);
	told(1);
	nb_sys(waitpid(pid, &status, 0));
	if (status)
		nb_die("nbctl disconnect: status %d", status);
	ctl(1, "connect");
}

static void queue_fails(struct nb_nic *nic)
{
	struct nb_raw raw;

	nb_raw_open(&raw, nic->ep, nic->guest->mem, 64);
	told(1);
	*raw.ring[NB_RING_TX_AVAIL].producer += 1u << 20;
	if (!nb_raw_enter(&raw, NB_ENTER_TX, NULL))
		nb_die("a broken ring has worked");
	told(1);
	nb_raw_close(&raw);
	told(1);
}

static void device_goes(struct nb_nic *nic, const char *name)
{
	make_queues(nic, 1);
	/* That of kind netdev tells its frontend by another way. */
	if (nic->kind == &nb_test_attach)
		run(1, nb_test_run("ip", "link", "set", name, "mtu", "1400", NULL), "mtu");
	run(3, nb_test_run("ip", "link", "del", name, NULL), "ip link del");
	close_queues(nic);
}

/* Of what the guest writes, and of what it has. */
static void memory_lives(struct nb_guest *guest)
{
	nb_ok(nb_memory_start_dirty_log(guest->mem));
	nb_ok(nb_memory_add(guest->mem, NB_MORE_GPA, nb_test_pages(NB_PAGE), NB_PAGE,
			    NB_REGION_READ_ONLY));
	nb_ok(nb_memory_stop_dirty_log(guest->mem));
	nb_ok(nb_memory_remove(guest->mem, NB_MORE_GPA, NB_PAGE));
}

static void live(struct nb_guest *guest, const struct nb_test_kind *kind)
{
	struct nb_endpoint_info info;
	struct nb_nic nic;

	memory_lives(guest);
	open_nic(&nic, guest, kind);
	told(1);
	nb_ok(nb_endpoint_get_info(nic.ep, &info));
	if (kind == &nb_test_netdev)
		run(1, nb_test_run("ip", "link", "set", info.name, "up", NULL), "ip link set");
	backend_comes_and_goes(&nic);
	queue_lives(&nic);
	frontend_lets_go(&nic);
	queue_fails(&nic);
	nb_ok(nb_endpoint_stop(nic.ep));
	told(1);
	if (info.ifindex)
		device_goes(&nic, info.name);
	nb_endpoint_close(nic.ep);
	told(1);
}

/* It ends by kill -9. */
static void die_young(const struct nb_test_kind *kind)
{
	struct nb_guest guest;
	struct nb_nic nic;

	nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
	nb_guest_open(&guest, 0);
	open_nic(&nic, &guest, kind);
	told(1);
	make_queues(&nic, 1);
	nb_sys(kill(getpid(), SIGKILL));
}

/* The last that comes takes the first one's backend. */
static void exchange(struct nb_guest *guest)
{
	char from[sizeof(id_text)];
	struct nb_nic nics[2];

	open_nic(&nics[0], guest, &nb_test_loopback);
	told(1);
	memcpy(from, id_text, sizeof(from));
	open_nic(&nics[1], guest, &nb_test_null);
	told(1);
	ctl(1, "disconnect", "now");
	ctl(1, "connect", "from", from);
	nb_endpoint_close(nics[1].ep);
	told(1);
	nb_endpoint_close(nics[0].ep);
}

/* ---- restless ------------------------------------------------------------ */

#define RESTLESS	10000

/* Nothing is lost until the queue goes, and the last that is told of it is what was done last. */
static void see_rest(void)
{
	bool resumed = false, moderation = false, target = false;
	uint32_t event;

	do {
		if (nb_genl_next_message(&events, id, &event) != NB_CMD_QUEUE_EVENT)
			nb_die("a queue goes, and was not told");
		if (event == NB_QUEUE_EVENT_RESUMED || event == NB_QUEUE_EVENT_QUIESCED)
			resumed = event == NB_QUEUE_EVENT_RESUMED;
		moderation |= event == NB_QUEUE_EVENT_MODERATION;
		target |= event == NB_QUEUE_EVENT_TARGET_CPU;
	} while (event != NB_QUEUE_EVENT_DELETED);
	if (!resumed || !moderation || !target)
		nb_die("what was done last was not told");
}

static void restless(struct nb_guest *guest)
{
	const struct nb_queue_moderation moderation[] = { { .tx_usecs = 1 }, { .tx_usecs = 2 } };
	const int room = 4 << 20;
	struct nb_nic nic;
	unsigned int i;

	nb_sys(setsockopt(events.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)));
	open_nic(&nic, guest, &nb_test_null);
	told(1);
	make_queues(&nic, 1);
	/* Many more events than there is room for, if each were one. */
	for (i = 0; i < RESTLESS; i++) {
		nb_ok(nb_queue_quiesce(nic.queue));
		nb_ok(nb_queue_set_moderation(nic.queue, &moderation[i % 2]));
		nb_ok(nb_queue_update_target_vp(nic.queue, i % 2 ? NB_ANY_CPU : 0));
		nb_ok(nb_queue_resume(nic.queue));
	}
	nb_queue_close(nic.queue);
	see_rest();
	nic.queue = NULL;
	nic.n_queues = 0;
	nb_endpoint_close(nic.ep);
	told(1);
}

static void churn(struct nb_guest *guest)
{
	struct nb_memory *mem;

	nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
	for (;;) {
		nb_ok(nb_memory_create(guest->nb, &mem));
		nb_memory_close(mem);
	}
}

/* ---- unlucky ------------------------------------------------------------- */

/* Before that an event is lost. */
#define MOST_CHANGES	1000u

/* The change is told by such an event: whether it is, or something was lost. */
static bool is_told(uint8_t command)
{
	struct pollfd wait = { .fd = events.fd, .events = POLLIN };
	const struct genlmsghdr *genl;
	char buffer[4096];
	struct nlmsghdr *header = (void *)buffer;
	ssize_t len;

	genl = NLMSG_DATA(header);
	while (nb_sys(poll(&wait, 1, NB_PATIENCE)) == 1) {
		len = recv(events.fd, buffer, sizeof(buffer), 0);
		if (len < 0 && errno == ENOBUFS)
			return false;
		nb_sys(len);
		if (NLMSG_OK(header, len) && header->nlmsg_type == events.family &&
		    genl->cmd == command)
			return true;
	}
	nb_die("a change was neither told nor lost");
}

static int set_moderation(struct nb_nic *nic, unsigned int n)
{
	const struct nb_queue_moderation moderation = { .tx_usecs = n };

	return nb_queue_set_moderation(nic->queue, &moderation);
}

/* What add_region() adds again and again. */
static void *page;

static int add_region(struct nb_nic *nic, unsigned int n)
{
	return nb_memory_add(nic->guest->mem, NB_MORE_GPA + n * NB_PAGE, page, NB_PAGE, 0);
}

/*
 * Each of what the change takes.  How much that is differs by a few from one time to the next,
 * so that the one that is for the event may be stepped over: then all of it anew.
 */
static void fail_each(struct nb_nic *nic, uint8_t command,
		      int (*change)(struct nb_nic *nic, unsigned int n))
{
	unsigned int n = 0, nth, lost = 0;
	bool failed;
	int err;

	while (!lost && n < MOST_CHANGES) {
		nth = 0;
		do {
			nb_failnth_arm(++nth);
			err = change(nic, ++n);
			failed = !nb_failnth_disarm();
			if (!err && !is_told(command))
				lost++;
		} while (failed);
	}
	if (!lost)
		nb_die("no event was lost");
}

static int unlucky(struct nb_guest *guest)
{
	const char *missing = nb_failnth_open();
	struct nb_nic nic;

	if (missing) {
		fprintf(stderr, "%s\n", missing);
		return 4;
	}
	open_nic(&nic, guest, &nb_test_null);
	told(1);
	make_queues(&nic, 1);
	fail_each(&nic, NB_CMD_QUEUE_EVENT, set_moderation);
	page = nb_test_pages(NB_PAGE);
	fail_each(&nic, NB_CMD_REGION_EVENT, add_region);
	close_queues(&nic);
	nb_endpoint_close(nic.ep);
	return 0;
}

/* ---- main ---------------------------------------------------------------- */

int main(int argc, char **argv)
{
	static const struct nb_test_kind *const kinds[] = {
		&nb_test_null, &nb_test_loopback, &nb_test_switch, &nb_test_netdev,
		&nb_test_attach,
	};
	struct nb_guest guest;
	unsigned int i;
	pid_t pid;

	if (argc != 2)
		return 2;
	nb_genl_open(&events);
	nb_genl_subscribe(&events);
	nb_guest_open(&guest, 0);
	if (!strcmp(argv[1], "exchange")) {
		exchange(&guest);
		return 0;
	}
	if (!strcmp(argv[1], "restless")) {
		restless(&guest);
		return 0;
	}
	if (!strcmp(argv[1], "churn"))
		churn(&guest);
	if (!strcmp(argv[1], "unlucky"))
		return unlucky(&guest);
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(argv[1], kinds[i]->name))
			break;
	if (i == ARRAY_LEN(kinds))
		return 2;
	live(&guest, kinds[i]);
	nb_guest_close(&guest);
	pid = nb_sys(fork());
	if (!pid)
		die_young(kinds[i]);
	nb_sys(waitpid(pid, NULL, 0));
	return 0;
}
