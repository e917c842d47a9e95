// SPDX-License-Identifier: GPL-2.0
/*
 * The cells of the soak whose guests are processes of the test: a kind each, with what can
 * be done to it, and the equation that its packets have to fulfil.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "nbgenl.h"
#include "nbsoak.h"
#include "nbsoak_cells.h"

static void nothing(struct nb_soak_cell *cell)
{
}

static struct nb_soak_seat *any_seat(struct nb_soak_cell *cell)
{
	return &cell->seats[nb_soak_below(cell, cell->n_seats)];
}

static struct nb_endpoint *create(struct nb_soak_cell *cell, const char *kind, const char *name,
				  const void *params, uint32_t size)
{
	struct nb_endpoint_params endpoint = {
		.kind = kind, .name = name, .netns_fd = -1,
		.kind_params = params, .kind_params_size = size,
	};
	struct nb_endpoint *ep;

	nb_ok(nb_endpoint_create(cell->nb, &endpoint, &ep));
	return ep;
}

static void close_endpoints(struct nb_soak_cell *cell)
{
	unsigned int i;

	for (i = 0; i < cell->n_seats; i++)
		nb_endpoint_close(cell->seats[i].ep);
}

/* ---- what an operator does ------------------------------------------------ */

static struct nb_genl_request request(struct nb_genl *client, struct nb_soak_seat *seat,
				      uint8_t command)
{
	struct nb_genl_request request;
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(seat->ep, &info));
	nb_genl_open(client);
	request = nb_genl_request(client->family, command, NLM_F_ACK);
	nb_genl_add(&request, NB_A_ENDPOINT_ID, &info.id, sizeof(info.id));
	return request;
}

/* The link, as the operator wants it. */
static void set_link(struct nb_soak_cell *cell, uint32_t up)
{
	struct nb_genl client;
	struct nb_genl_request ask = request(&client, &cell->seats[0], NB_CMD_ENDPOINT_SET);

	nb_genl_add(&ask, NB_A_ENDPOINT_LINK, &up, sizeof(up));
	nb_ok(nb_genl_talk(&client, &ask, NULL, NULL));
	nb_genl_close(&client);
	cell->cut = !up;
	nb_soak_note(cell->report, NB_SOAK_LINK, 1);
}

static void plug_out_or_in(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	if (seat->plugged)
		nb_soak_disconnect(cell, seat);
	else
		nb_soak_connect(cell, seat);
}

/* ---- null ----------------------------------------------------------------- */

static void open_null(struct nb_soak_cell *cell)
{
	struct nb_soak_seat *seat = nb_soak_seat_add(cell, create(cell, "null", NULL, NULL, 0));

	seat->told->offloads = 1;
}

/* What goes nowhere is complete when its guest has reaped what the kernel has counted. */
static bool holds_null(struct nb_soak_cell *cell, bool say)
{
	struct nb_soak_counts counts = nb_soak_counted(&cell->seats[0]);

	return nb_soak_same(cell, say, "received", 0, counts.rx + counts.too_small);
}

static void disturb_simple(struct nb_soak_cell *cell)
{
	struct nb_soak_seat *seat = &cell->seats[0];

	if (nb_soak_below(cell, 2))
		plug_out_or_in(cell, seat);
	else
		set_link(cell, cell->cut);
}

static void repair_simple(struct nb_soak_cell *cell)
{
	if (cell->cut)
		set_link(cell, 1);
	nb_soak_connect(cell, &cell->seats[0]);
}

/* ---- loopback ------------------------------------------------------------- */

static void open_loopback(struct nb_soak_cell *cell)
{
	nb_soak_seat_add(cell, create(cell, "loopback", NULL, NULL, 0));
}

static bool holds_loopback(struct nb_soak_cell *cell, bool say)
{
	struct nb_soak_counts counts = nb_soak_counted(&cell->seats[0]);

	return nb_soak_same(cell, say, "looped", counts.ok, counts.rx + counts.too_small);
}

/* ---- interfaces ----------------------------------------------------------- */

static void set_up(struct nb_soak_cell *cell, const char *name, bool *down, bool up)
{
	nb_link_set_up(name, up);
	*down = !up;
	nb_soak_note(cell->report, NB_SOAK_LINK, 1);
}

static void set_mtu(struct nb_soak_cell *cell, const char *name, int mtu)
{
	struct ifreq change = { .ifr_mtu = mtu };
	int fd = nb_sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	snprintf(change.ifr_name, sizeof(change.ifr_name), "%s", name);
	nb_sys(ioctl(fd, SIOCSIFMTU, &change));
	close(fd);
	cell->mtu = mtu;
	nb_soak_note(cell->report, NB_SOAK_MTU, 1);
}

static uint32_t id_of(const struct nb_soak_seat *seat)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(seat->ep, &info));
	return info.id;
}

/* What was counted for the interface's name until now is not of what that names next. */
static void begin_counting(struct nb_soak_cell *cell, const char *name)
{
	cell->queued = nb_soak_queued(name);
	cell->given = nb_soak_given(name);
}

/*
 * What an interface without a queueing discipline was given it has sent or dropped. While it
 * is down what comes to it is not given to it, and only some kernels count that as dropped.
 */
static bool holds_given(struct nb_soak_cell *cell, const char *name,
			const struct nb_soak_link *link, bool say)
{
	uint64_t out = link->tx_packets + link->tx_dropped;
	uint64_t in = nb_soak_given(name) - cell->given;
	uint64_t queued = nb_soak_queued(name) - cell->queued;

	return (in <= out && out <= queued) || nb_soak_same(cell, say, name, in, out);
}

/* ---- netdev --------------------------------------------------------------- */

static void add_netdev(struct nb_soak_cell *cell)
{
	unsigned int i;

	begin_counting(cell, cell->name);
	cell->dropped = nb_soak_dropped(id_of(&cell->seats[0]));
	for (i = 0; i < cell->n_senders; i++)
		snprintf(cell->report->senders[i].interface, sizeof(cell->name), "%s", cell->name);
	set_up(cell, cell->name, &cell->down, true);
	cell->mtu = 1500;
}

static void open_netdev(struct nb_soak_cell *cell)
{
	struct nb_soak_seat *seat;
	unsigned int i;

	nb_soak_open_abroad(cell);
	snprintf(cell->name, sizeof(cell->name), "soakA");
	seat = nb_soak_seat_add(cell, create(cell, "netdev", cell->name, NULL, 0));
	seat->told->offloads = 1;
	nb_soak_count_drops(id_of(seat), "direction == 1");
	for (i = 0; i < NB_SOAK_SENDERS; i++)
		nb_soak_sender_add(cell, cell->name, 1, true);
	add_netdev(cell);
}

/* What the host has given the interface is what that has sent to guests, or dropped. */
static bool holds_to_guest(struct nb_soak_cell *cell, const struct nb_soak_link *link, bool say)
{
	uint64_t dropped = nb_soak_dropped(id_of(&cell->seats[0])) - cell->dropped;
	uint64_t in = nb_soak_given(cell->name) - cell->given;
	uint64_t out = link->tx_packets + dropped;

	/* The stack adds those of a time without a link. */
	if (dropped > link->tx_dropped)
		return nb_soak_same(cell, say, "dropped to guest", dropped, link->tx_dropped);
	/* The first packet of each queue that waits for the next one, and is told then. */
	if (cell->may_hold && in > out && in <= out + NB_SOAK_QUEUES)
		return true;
	return nb_soak_same(cell, say, "host to guest", in, out);
}

static bool holds_netdev(struct nb_soak_cell *cell, bool say)
{
	struct nb_soak_counts counts = nb_soak_counted(&cell->seats[0]);
	struct nb_soak_link link;

	if (!nb_soak_link(cell->name, &link))
		return false;
	/* The stack adds those that it has no use for. */
	if (counts.dropped > link.rx_dropped)
		return nb_soak_same(cell, say, "dropped", counts.dropped, link.rx_dropped);
	return nb_soak_same(cell, say, "guest to host", counts.ok, link.rx_packets) &&
	       nb_soak_same(cell, say, "wrong", counts.errors, link.rx_errors) &&
	       nb_soak_same(cell, say, "received", link.tx_packets, counts.rx) &&
	       holds_to_guest(cell, &link, say);
}

/* To another network namespace, and back to that of senders. */
static void move(struct nb_soak_cell *cell, bool away)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", away ? cell->keeper : cell->senders[0]);
	if (!away)
		nb_sys(setns(cell->abroad, CLONE_NEWNET));
	nb_soak_does(cell->report, "moves its interface to another network namespace");
	if (nb_test_run("ip", "link", "set", "dev", cell->name, "netns", pid, NULL))
		nb_die("%s stays where it is", cell->name);
	nb_sys(setns(away ? cell->abroad : cell->home, CLONE_NEWNET));
	set_up(cell, cell->name, &cell->down, true);
	nb_sys(setns(cell->home, CLONE_NEWNET));
	cell->away = away;
	nb_soak_note(cell->report, NB_SOAK_MOVE, 1);
}

static void repair_netdev(struct nb_soak_cell *cell)
{
	if (cell->away)
		move(cell, false);
	if (cell->down)
		set_up(cell, cell->name, &cell->down, true);
	if (cell->cut)
		set_link(cell, 1);
	if (cell->mtu < 1500)
		set_mtu(cell, cell->name, 1500);
	nb_soak_connect(cell, &cell->seats[0]);
}

/* Another interface takes its place; what this one has counted is looked at before. */
static void replace(struct nb_soak_cell *cell)
{
	struct nb_soak_seat *seat = &cell->seats[0];
	struct nb_genl_request ask;
	struct nb_genl client;
	char next[16];

	repair_netdev(cell);
	if (!seat->plugged)
		return;
	set_up(cell, cell->name, &cell->down, false);
	nb_soak_let_go(cell);
	nb_soak_does(cell->report, "replaces its backend");
	nb_ok(nb_endpoint_disconnect(seat->ep, 60 * 1000000000ull));
	if (!holds_netdev(cell, true))
		nb_die("packets of %s are missing", cell->name);
	snprintf(next, sizeof(next), "%s", strcmp(cell->name, "soakA") ? "soakA" : "soakB");
	ask = request(&client, seat, NB_CMD_ENDPOINT_CONNECT);
	nb_genl_add(&ask, NB_A_ENDPOINT_KIND, "netdev", sizeof("netdev"));
	nb_genl_add(&ask, NB_A_ENDPOINT_NAME, next, strlen(next) + 1);
	nb_ok(nb_genl_talk(&client, &ask, NULL, NULL));
	nb_genl_close(&client);
	memset(&seat->sum, 0, sizeof(seat->sum));
	strcpy(cell->name, next);
	add_netdev(cell);
	nb_soak_note(cell->report, NB_SOAK_REPLACE, 1);
}

static void disturb_netdev(struct nb_soak_cell *cell)
{
	if (cell->away) {
		move(cell, false);
		return;
	}
	switch (nb_soak_below(cell, 9)) {
	case 0:
		set_mtu(cell, cell->name, 576 + nb_soak_below(cell, 925));
		break;
	case 1: case 2:
		set_up(cell, cell->name, &cell->down, cell->down);
		break;
	case 3: case 4: case 5:
		plug_out_or_in(cell, &cell->seats[0]);
		break;
	case 6:
		move(cell, true);
		break;
	case 7:
		replace(cell);
		break;
	case 8:
		set_link(cell, cell->cut);
		break;
	}
}

static void close_netdev(struct nb_soak_cell *cell)
{
	close_endpoints(cell);
	nb_soak_close_abroad(cell);
}

/* ---- attach --------------------------------------------------------------- */

/* Names are those of nb_pair_add(): name is the one that is attached, other the far one. */
static void open_attach(struct nb_soak_cell *cell)
{
	struct nb_attach_params attach = { .flags = NB_ATTACH_PROMISCUOUS };
	struct nb_soak_seat *seat;
	struct nb_pair pair;

	nb_pair_add(&pair);
	attach.ifindex = pair.lower_index;
	memcpy(cell->name, pair.lower, sizeof(cell->name));
	memcpy(cell->other, pair.far, sizeof(cell->other));
	seat = nb_soak_seat_add(cell, create(cell, "attach", NULL, &attach, sizeof(attach)));
	seat->told->offloads = 1;
	/* INTERFACE_DOWN */
	nb_soak_count_drops(id_of(seat), "reason == 14");
	begin_counting(cell, cell->other);
	nb_soak_sender_add(cell, cell->other, 1, false);
}

/*
 * What guests have sent is what the interface has, or dropped, or what did not get to it, as
 * that was down. If it went down at that very moment some kernels count the packet as dropped
 * twice.
 */
static bool holds_from_guest(struct nb_soak_cell *cell, const struct nb_soak_counts *counts,
			     const struct nb_soak_link *link, bool say)
{
	uint64_t queued = nb_soak_queued(cell->name), given = nb_soak_given(cell->name);
	uint64_t down = nb_soak_dropped(id_of(&cell->seats[0]));
	uint64_t out = link->tx_packets + link->tx_dropped + down;
	uint64_t in = counts->ok + counts->dropped;

	if (in <= out && out - in + given <= queued)
		return true;
	if (say)
		fprintf(stderr, "# %s: %" PRIu64 " sent, %" PRIu64 " dropped, %" PRIu64 " while it "
			"was down; %" PRIu64 " came to it by a socket, %" PRIu64 " got there\n",
			cell->name, link->tx_packets, link->tx_dropped, down, queued, given);
	return nb_soak_same(cell, say, "guest to host", in, out);
}

/*
 * What the far end was given is what guests have received, or what a queue has dropped, or the
 * interface: for want of a queue, or, while nobody has attached it, for want of a protocol.
 */
static bool holds_attach(struct nb_soak_cell *cell, bool say)
{
	struct nb_soak_counts counts = nb_soak_counted(&cell->seats[0]);
	struct nb_soak_link link, far;

	if (!nb_soak_link(cell->name, &link) || !nb_soak_link(cell->other, &far))
		return false;
	return holds_given(cell, cell->other, &far, say) &&
	       nb_soak_same(cell, say, "host to guest", nb_soak_given(cell->other) - cell->given,
			    counts.rx + counts.too_small + counts.no_buffer + link.rx_dropped) &&
	       holds_from_guest(cell, &counts, &link, say);
}

static void disturb_attach(struct nb_soak_cell *cell)
{
	switch (nb_soak_below(cell, 3)) {
	case 0:
		set_up(cell, cell->name, &cell->down, cell->down);
		break;
	case 1:
		set_up(cell, cell->other, &cell->other_down, cell->other_down);
		break;
	case 2:
		plug_out_or_in(cell, &cell->seats[0]);
		break;
	}
}

static void repair_attach(struct nb_soak_cell *cell)
{
	if (cell->down)
		set_up(cell, cell->name, &cell->down, true);
	if (cell->other_down)
		set_up(cell, cell->other, &cell->other_down, true);
	nb_soak_connect(cell, &cell->seats[0]);
}

/* ---- switch and uplink ----------------------------------------------------- */

static void disturb_switch(struct nb_soak_cell *cell)
{
	struct nb_soak_seat *seat = any_seat(cell);

	if (cell->name[0] && !nb_soak_below(cell, 3))
		set_up(cell, cell->name, &cell->down, cell->down);
	/* What the first one floods is known only while it is a port. */
	else if (seat != &cell->seats[0])
		plug_out_or_in(cell, seat);
}

static void repair_switch(struct nb_soak_cell *cell)
{
	unsigned int i;

	if (cell->down)
		set_up(cell, cell->name, &cell->down, true);
	for (i = 0; i < cell->n_seats; i++)
		nb_soak_connect(cell, &cell->seats[i]);
}

static struct nb_endpoint *add_port(struct nb_soak_cell *cell, uint32_t stations, bool first)
{
	struct nb_switch_params params = { 0 };
	struct nb_soak_seat *seat;

	if (first) {
		params.broadcast_limit = 3000;
		/* A station that is forgotten would be flooded to. */
		params.ageing_ms = INT32_MAX;
	} else {
		params.flags = NB_SWITCH_JOIN;
		params.group_fd = nb_endpoint_fd(cell->seats[0].ep);
	}
	seat = nb_soak_seat_add(cell, create(cell, "switch", NULL, &params, sizeof(params)));
	seat->told->peers = stations;
	seat->told->floods = first;
	seat->spared = first;
	nb_soak_greet(cell, seat);
	return seat->ep;
}

static void open_switch(struct nb_soak_cell *cell)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		add_port(cell, 3, !i);
	nb_soak_begin_switch(cell);
}

static void open_uplink(struct nb_soak_cell *cell)
{
	struct nb_netdev_params params = { .flags = NB_NETDEV_UPLINK };
	unsigned int i;

	snprintf(cell->name, sizeof(cell->name), "soakU");
	for (i = 0; i < 2; i++)
		add_port(cell, 3, !i);
	params.port.flags = NB_SWITCH_JOIN;
	params.port.group_fd = nb_endpoint_fd(cell->seats[0].ep);
	cell->uplink = create(cell, "netdev", cell->name, &params, sizeof(params));
	begin_counting(cell, cell->name);
	set_up(cell, cell->name, &cell->down, true);
	nb_soak_greet_by(cell->name, 3);
	nb_soak_begin_switch(cell);
	nb_soak_sender_add(cell, cell->name, 2, false);
}

static bool holds_switch(struct nb_soak_cell *cell, bool say)
{
	struct nb_soak_link link = { 0 };
	uint64_t in, out, dropped, limited;

	if (cell->uplink && (!nb_soak_link(cell->name, &link) ||
			     !holds_given(cell, cell->name, &link, say)))
		return false;
	nb_soak_port_drops(cell, &dropped, &limited);
	nb_soak_ports(cell, limited, &in, &out);
	if (cell->uplink)
		in += nb_soak_given(cell->name) - cell->given;
	return nb_soak_same(cell, say, "switched", in, out + link.rx_packets + dropped -
			    cell->greetings);
}

static void close_switch(struct nb_soak_cell *cell)
{
	if (cell->uplink)
		nb_endpoint_close(cell->uplink);
	close_endpoints(cell);
}

const struct nb_soak_kind nb_soak_kinds[] = {
	{ "null", open_null, holds_null, disturb_simple, repair_simple, close_endpoints },
	{ "loopback", open_loopback, holds_loopback, disturb_simple, repair_simple,
	  close_endpoints },
	{ "netdev", open_netdev, holds_netdev, disturb_netdev, repair_netdev, close_netdev },
	{ "attach", open_attach, holds_attach, disturb_attach, repair_attach, close_endpoints },
	{ "switch", open_switch, holds_switch, disturb_switch, repair_switch, close_switch },
	{ "uplink", open_uplink, holds_switch, disturb_switch, repair_switch, close_switch },
	{ "wire", nb_soak_open_wire, .close = nb_soak_close_abroad, .round = nb_soak_round_wire },
	{ "processes", nothing, .round = nb_soak_round_processes },
};

const unsigned int nb_soak_n_kinds = ARRAY_LEN(nb_soak_kinds);
