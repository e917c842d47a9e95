// SPDX-License-Identifier: GPL-2.0
/*
 * Cells of the soak without guests of their own: nbwire, which joins two interfaces, with TCP
 * from one network namespace to the other; and guests that nobody holds on to when they are
 * killed, so that all that they had goes by itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "nbsoak.h"
#include "nbsoak_cells.h"

/* ---- another network namespace -------------------------------------------- */

static int open_namespace(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return nb_sys(open(path, O_RDONLY | O_CLOEXEC));
}

void nb_soak_open_abroad(struct nb_soak_cell *cell)
{
	char byte = 0;
	int ready[2];

	nb_sys(pipe2(ready, O_CLOEXEC));
	cell->keeper = nb_soak_fork();
	if (!cell->keeper) {
		nb_host_new_netns();
		nb_sys(write(ready[1], &byte, 1));
		for (;;)
			pause();
	}
	close(ready[1]);
	if (nb_sys(read(ready[0], &byte, 1)) != 1)
		nb_die("there is no other network namespace");
	close(ready[0]);
	cell->home = open_namespace(getpid());
	cell->abroad = open_namespace(cell->keeper);
}

void nb_soak_close_abroad(struct nb_soak_cell *cell)
{
	nb_soak_end(cell->keeper);
	close(cell->home);
	close(cell->abroad);
}

/* ---- nbwire --------------------------------------------------------------- */

#define PORT		7777
#define ADDRESS		"10.9.0.2"
#define BUFFERS		256

static void run_in_both(const char *home, const char *abroad)
{
	if (nb_test_run("sh", "-ec", home, NULL) || nb_test_run("sh", "-ec", abroad, NULL))
		nb_die("%s; %s: failed", home, abroad);
}

/* Reads lines until one begins so; false if there is none. */
static bool read_until(FILE *from, const char *begin, char *line, int size)
{
	while (fgets(line, size, from))
		if (!strncmp(line, begin, strlen(begin)))
			return true;
	return false;
}

static pid_t start_wire(struct nb_soak_cell *cell, FILE **output)
{
	char second[64], queues[8], buffers[8], line[128];
	int out[2];
	pid_t pid;

	snprintf(second, sizeof(second), "netdev,name=wireB,netns=/proc/%d/ns/net", cell->keeper);
	snprintf(queues, sizeof(queues), "-q%u", 1 + nb_soak_below(cell, 3));
	snprintf(buffers, sizeof(buffers), "-b%u", BUFFERS);
	nb_sys(pipe2(out, O_CLOEXEC));
	pid = nb_soak_fork();
	if (!pid) {
		nb_sys(dup2(out[1], 1));
		nb_sys(setenv("PATH", ".:/usr/bin:/bin", 1));
		execlp("nbwire", "nbwire", queues, buffers, nb_soak_below(cell, 2) ? "-O" : "-R",
		       "netdev,name=wireA", second, NULL);
		nb_die("nbwire: %s", strerror(errno));
	}
	close(out[1]);
	*output = fdopen(out[0], "re");
	if (!*output || !read_until(*output, "nbwire: ready", line, sizeof(line)))
		nb_die("nbwire does not begin");
	return pid;
}

static void reset_at_close(int fd)
{
	const struct linger reset = { .l_onoff = 1 };

	nb_sys(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
}

/* TCP through the wire: as many bytes as went in come out. */
static void send_stream(uint32_t len)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	static char data[16384];
	int fd = nb_sys(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ssize_t n;

	/*
	 * Nothing of it outlives the wire: when both ends have all they are reset.  One would
	 * not do, nobody sends a reset again that is lost.
	 */
	reset_at_close(fd);
	inet_aton(ADDRESS, &to.sin_addr);
	nb_sys(connect(fd, (struct sockaddr *)&to, sizeof(to)));
	for (; len; len -= n)
		n = nb_sys(write(fd, data, len < sizeof(data) ? len : sizeof(data)));
	nb_sys(shutdown(fd, SHUT_WR));
	for (;;)
		pause();
}

static int listen_abroad(struct nb_soak_cell *cell)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct timeval patience = { .tv_sec = 60 };
	int fd, one = 1;

	nb_sys(setns(cell->abroad, CLONE_NEWNET));
	fd = nb_sys(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	nb_sys(setns(cell->home, CLONE_NEWNET));
	nb_sys(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	nb_sys(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	nb_sys(bind(fd, (struct sockaddr *)&at, sizeof(at)));
	nb_sys(listen(fd, 1));
	return fd;
}

static uint64_t receive_stream(struct nb_soak_cell *cell, int listener)
{
	int fd = nb_sys(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	static char data[65536];
	uint64_t got = 0;
	ssize_t n;

	while ((n = nb_sys(read(fd, data, sizeof(data)))) > 0) {
		nb_soak_does(cell->report, "waits for more of TCP to come through the wire");
		got += n;
	}
	reset_at_close(fd);
	close(fd);
	return got;
}

static void stream(struct nb_soak_cell *cell)
{
	uint32_t len = 1 + nb_soak_below(cell, 4 << 20);
	int listener = listen_abroad(cell);
	pid_t sender = nb_soak_fork();
	uint64_t got;

	if (!sender)
		send_stream(len);
	got = receive_stream(cell, listener);
	if (got != len)
		nb_die("wire: %u bytes of TCP were sent, %" PRIu64 " came", len, got);
	nb_soak_end(sender);
	close(listener);
}

/* Returns how many packets wait to be sent by them. */
static unsigned int read_ends(struct nb_soak_cell *cell, struct nb_soak_link ends[2])
{
	unsigned int backlog = nb_soak_backlog("wireA");
	bool there = nb_soak_link("wireA", &ends[0]);

	nb_sys(setns(cell->abroad, CLONE_NEWNET));
	backlog += nb_soak_backlog("wireB");
	there &= nb_soak_link("wireB", &ends[1]);
	nb_sys(setns(cell->home, CLONE_NEWNET));
	if (!there)
		nb_die("the wire has lost an end");
	return backlog;
}

/* All that the host has sent has come out, or was dropped, where it goes into the wire. */
static bool all_are_in(struct nb_soak_cell *cell, const struct nb_soak_link *in, bool say)
{
	return nb_soak_same(cell, say, "given to the wire", nb_soak_given("wireA") - cell->given,
			    in->tx_packets + in->tx_dropped);
}

/* Nothing is under way, so that what nbwire says at its end is of what the interfaces say. */
static bool settle(struct nb_soak_cell *cell, pid_t pid, struct nb_soak_link ends[2])
{
	struct nb_soak_link before[2];

	return nb_soak_rests(pid, BUFFERS) && !read_ends(cell, before) &&
	       nb_soak_rests(pid, BUFFERS) && !read_ends(cell, ends) &&
	       !memcmp(before, ends, sizeof(before)) && all_are_in(cell, &ends[0], false);
}

static void check_direction(struct nb_soak_cell *cell, const char *line,
			    const struct nb_soak_link *from, const struct nb_soak_link *to)
{
	uint64_t packets, bytes, dropped;

	if (sscanf(line, "nbwire: %*s %" SCNu64 " packets %" SCNu64 " bytes %" SCNu64, &packets,
		   &bytes, &dropped) != 3)
		nb_die("nbwire says %s", line);
	if (!nb_soak_same(cell, true, "into the wire", from->tx_packets, packets) ||
	    !nb_soak_same(cell, true, "out of the wire", packets, to->rx_packets + dropped))
		nb_die("wire: packets are missing");
	nb_soak_note(cell->report, NB_SOAK_PACKETS, packets);
	nb_soak_note(cell->report, NB_SOAK_DROPS, dropped);
}

static void check_wire(struct nb_soak_cell *cell, pid_t pid, FILE *output)
{
	struct nb_soak_link ends[2];
	char line[2][128];
	int status;

	if (!nb_soak_until(settle(cell, pid, ends))) {
		all_are_in(cell, &ends[0], true);
		nb_die("the wire does not come to rest");
	}
	nb_soak_does(cell->report, "waits for nbwire to end");
	nb_sys(kill(pid, SIGTERM));
	if (!read_until(output, "nbwire: 1>2", line[0], sizeof(line[0])) ||
	    !read_until(output, "nbwire: 2>1", line[1], sizeof(line[1])))
		nb_die("nbwire does not say what it has moved");
	nb_sys(waitpid(pid, &status, 0));
	check_direction(cell, line[0], &ends[0], &ends[1]);
	check_direction(cell, line[1], &ends[1], &ends[0]);
}

void nb_soak_open_wire(struct nb_soak_cell *cell)
{
	nb_soak_open_abroad(cell);
	nb_soak_sender_add(cell, "wireA", 1, false);
}

void nb_soak_round_wire(struct nb_soak_cell *cell)
{
	struct nb_soak_sender *sender = &cell->report->senders[0];
	char abroad[160];
	FILE *output;
	pid_t pid;

	cell->given = nb_soak_given("wireA");
	nb_soak_does(cell->report, "waits for nbwire to begin");
	pid = start_wire(cell, &output);
	snprintf(abroad, sizeof(abroad), "nsenter --net=/proc/%d/ns/net sh -ec 'ip addr add "
		 ADDRESS "/24 dev wireB; ip link set wireB up'", cell->keeper);
	run_in_both("ip addr add 10.9.0.1/24 dev wireA; ip link set wireA up", abroad);
	nb_soak_set(&sender->stop, 0);
	nb_soak_does(cell->report, "waits for TCP to come through the wire");
	stream(cell);
	if (nb_soak_below(cell, 3)) {
		nb_soak_does(cell->report, "waits for the wire to come to rest");
		nb_soak_set(&sender->stop, 1);
		if (!nb_soak_until(nb_soak_get(&sender->stopped)))
			nb_die("the host does not stop");
		check_wire(cell, pid, output);
	} else {
		nb_soak_does(cell->report, "kills nbwire");
		nb_soak_end(pid);
		nb_soak_note(cell->report, NB_SOAK_KILLS, 1);
		nb_soak_set(&sender->stop, 1);
	}
	fclose(output);
	nb_soak_note(cell->report, NB_SOAK_ROUNDS, 1);
}

/* ---- guests that nobody holds on to ---------------------------------------- */

static const struct nb_test_kind * const kinds[] = {
	&nb_test_null, &nb_test_loopback, &nb_test_netdev, &nb_test_switch, &nb_test_netdev,
};

static void live(uint32_t *ready)
{
	struct nb_tx_segment segments[16];
	struct nb_tx_completion done[16];
	struct nb_rx_metadata meta[16];
	struct nb_nic nics[ARRAY_LEN(kinds)];
	struct nb_guest guest;
	unsigned int i, k;
	int n;

	nb_guest_open(&guest, 0);
	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_packet(nb_frame_put(&guest, i, 600, i), 600, i);
	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		nb_nic_open(&nics[i], &guest, kinds[i], 0);
		nics[i].bufs.n = 32;
		nb_nic_start(&nics[i], 2, 0);
		nb_nic_post_all(&nics[i]);
	}
	for (;; i++) {
		struct nb_nic *nic = &nics[i % ARRAY_LEN(kinds)];

		if (nic->host.fd >= 0 &&
		    send(nic->host.fd, nb_guest_ptr(&guest, NB_TX_GPA, 600), 600,
			 MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN && errno != ENOBUFS)
			nb_die("send: %s", strerror(errno));
		nb_ok(nb_queue_tx_avail(nic->queue, segments, ARRAY_LEN(segments), NULL));
		nb_ok(nb_queue_tx_poll(nic->queue, done, ARRAY_LEN(done)));
		n = nb_ok(nb_queue_rx_poll(nic->queue, meta, ARRAY_LEN(meta)));
		for (k = 0; k < (unsigned int)n; k++)
			nb_bufs_post(&nic->bufs, nic->queue, meta[k].id);
		nb_soak_set(ready, i);
	}
}

void nb_soak_round_processes(struct nb_soak_cell *cell)
{
	uint32_t *ready = &cell->report->guests[0].state, rounds = 10 + nb_soak_below(cell, 200);
	pid_t pid;

	nb_soak_set(ready, 0);
	nb_soak_does(cell->report, "waits for a guest to begin");
	pid = nb_soak_fork();
	if (!pid)
		live(ready);
	if (!nb_soak_until(nb_soak_get(ready) > rounds))
		nb_die("a guest does not come to anything");
	nb_soak_does(cell->report, "kills a guest");
	nb_soak_end(pid);
	nb_soak_note(cell->report, NB_SOAK_KILLS, 1);
	nb_soak_note(cell->report, NB_SOAK_PACKETS, rounds);
	nb_soak_note(cell->report, NB_SOAK_ROUNDS, 1);
	usleep(nb_soak_below(cell, 200000));
}
