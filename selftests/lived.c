// SPDX-License-Identifier: GPL-2.0
/*
 * lived KIND: the life of an endpoint of that kind, for events.sh, which knows what is to be
 * told of it.  Whatever happens waits until what was before has been told.
 */
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

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
	run(3, nb_test_run("ip", "link", "del", name, NULL), "ip link del");
	close_queues(nic);
}

static void live(struct nb_guest *guest, const struct nb_test_kind *kind)
{
	struct nb_endpoint_info info;
	struct nb_nic nic;

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

int main(int argc, char **argv)
{
	static const struct nb_test_kind *const kinds[] = {
		&nb_test_null, &nb_test_loopback, &nb_test_switch, &nb_test_netdev,
		&nb_test_attach,
	};
	struct nb_guest guest;
	unsigned int i;
	pid_t pid;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (argc == 2 && !strcmp(argv[1], kinds[i]->name))
			break;
	if (i == ARRAY_LEN(kinds))
		return 2;
	nb_genl_open(&events);
	nb_genl_subscribe(&events);
	nb_guest_open(&guest, 0);
	live(&guest, kinds[i]);
	nb_guest_close(&guest);
	pid = nb_sys(fork());
	if (!pid)
		die_young(kinds[i]);
	nb_sys(waitpid(pid, NULL, 0));
	return 0;
}
