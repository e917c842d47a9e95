// SPDX-License-Identifier: GPL-2.0
/*
 * A cell of the soak: rounds of traffic while it is disturbed, its guests are killed and let
 * go, and at the end of each, when nothing moves, whether packets in are packets out and drops.
 *
 * A cell holds the queues of its guests, too: whatever becomes of a guest, what its queues have
 * counted is read when they are quiesced, and only then are they let go.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "nbcapture.h"
#include "nbraw.h"
#include "nbsoak.h"

unsigned int nb_soak_below(struct nb_soak_cell *cell, unsigned int limit)
{
	return nb_random_below(&cell->random, limit);
}

static uint64_t seed_of(struct nb_soak_cell *cell)
{
	return (uint64_t)nb_soak_below(cell, UINT32_MAX) << 20 ^ getpid();
}

/* ---- guests --------------------------------------------------------------- */

/* A guest holds no queues of others. */
static void drop_fds(struct nb_soak_cell *cell)
{
	unsigned int i, k;

	for (i = 0; i < cell->n_seats; i++)
		for (k = 0; k < cell->seats[i].n_queues; k++)
			close(cell->seats[i].fds[k]);
}

static void start_guest(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	uint64_t seed = seed_of(cell);

	nb_soak_set(&seat->told->state, NB_SOAK_READ);
	seat->told->n_queues = 0;
	seat->pid = nb_soak_fork();
	if (seat->pid)
		return;
	drop_fds(cell);
	nb_soak_guest_run(cell->report, seat->told, seat->ep, seed);
}

struct nb_soak_seat *nb_soak_seat_add(struct nb_soak_cell *cell, struct nb_endpoint *ep)
{
	struct nb_soak_seat *seat = &cell->seats[cell->n_seats];

	seat->told = &cell->report->guests[cell->n_seats++];
	memset(seat->told, 0, sizeof(*seat->told));
	seat->ep = ep;
	seat->told->station = cell->n_seats;
	seat->told->peers = 1;
	seat->plugged = true;
	return seat;
}

void nb_soak_sender_add(struct nb_soak_cell *cell, const char *interface, uint32_t stations,
			bool offloads)
{
	struct nb_soak_sender *told = &cell->report->senders[cell->n_senders];
	uint64_t seed = seed_of(cell);
	pid_t pid;

	snprintf(told->interface, sizeof(told->interface), "%s", interface);
	nb_soak_set(&told->stop, 1);
	pid = nb_soak_fork();
	if (!pid)
		nb_soak_sender_run(told, stations, offloads, seed);
	cell->senders[cell->n_senders++] = pid;
}

/* How its next queues are to be. */
static void choose(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	struct nb_soak_guest *told = seat->told;
	static const uint32_t wishes[] = {
		0, 0, NB_QUEUE_POLL, NB_QUEUE_RX_CHECKSUM, NB_QUEUE_ZEROCOPY_TX,
		NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_TCP_SEGMENTATION,
	};

	told->flags = told->offloads ? wishes[nb_soak_below(cell, ARRAY_LEN(wishes))] :
				       wishes[nb_soak_below(cell, 3)];
	told->want_queues = 1 + nb_soak_below(cell, NB_SOAK_QUEUES);
	told->buffer_size = nb_soak_below(cell, 4) ? NB_BUF_SIZE : 700;
	if (told->flags & NB_QUEUE_RX_TCP_SEGMENTATION)
		told->buffer_size = 66048;
}

static void take_queues(struct nb_soak_seat *seat)
{
	int pidfd = nb_sys(syscall(SYS_pidfd_open, seat->pid, 0));
	unsigned int i;

	for (i = 0; i < seat->told->n_queues; i++)
		seat->fds[i] = nb_sys(syscall(SYS_pidfd_getfd, pidfd, seat->told->fds[i], 0));
	seat->n_queues = seat->told->n_queues;
	close(pidfd);
	nb_soak_set(&seat->told->n_queues, 0);
}

static void add_counts(struct nb_soak_counts *to, const struct nb_soak_counts *from)
{
	to->ok += from->ok;
	to->dropped += from->dropped;
	to->errors += from->errors;
	to->floods += from->floods;
	to->rx += from->rx;
	to->rx_bad += from->rx_bad;
	to->too_small += from->too_small;
	to->no_buffer += from->no_buffer;
}

static struct nb_soak_counts read_queue(int fd)
{
	struct nb_queue_stats stats = { .size = sizeof(stats) };

	if (nb_raw_call(fd, NB_QUEUE_GET_STATS, &stats))
		nb_die("counters of a queue: %s", nb_raw_message);
	return (struct nb_soak_counts){
		.ok = stats.tx_packets, .dropped = stats.tx_dropped, .errors = stats.tx_errors,
		.rx = stats.rx_packets, .rx_bad = stats.rx_errors,
		.too_small = stats.rx_too_small, .no_buffer = stats.rx_no_buffer,
	};
}

struct nb_soak_counts nb_soak_counted(struct nb_soak_seat *seat)
{
	struct nb_soak_counts sum = seat->sum, queue;
	unsigned int i;

	for (i = 0; i < seat->n_queues && seat->connected; i++) {
		queue = read_queue(seat->fds[i]);
		add_counts(&sum, &queue);
	}
	return sum;
}

/* Each packet that was counted has been completed, each buffer been given back: once. */
static bool completed(const struct nb_raw *raw, struct nb_soak_counts *counts)
{
	const struct nb_soak_counts now = read_queue(raw->fd);
	uint32_t sent = now.ok + now.dropped + now.errors, received = now.rx + now.rx_bad;

	*counts = now;
	return nb_soak_get(raw->ring[NB_RING_TX_DONE].producer) == sent &&
	       nb_soak_get(raw->ring[NB_RING_RX_DONE].producer) == received;
}

/* Let nothing more happen to the queue, and read what has. */
static void harvest_queue(struct nb_soak_cell *cell, struct nb_soak_seat *seat, int fd)
{
	struct nb_queue_quiesce quiesce = {
		.size = sizeof(quiesce), .flags = NB_QUIESCE_LEAVE, .timeout_ns = 100000000,
	};
	struct nb_soak_counts counts;
	struct nb_raw raw;
	int err;

	nb_soak_does(cell->report, "lets a queue come to rest");
	err = nb_raw_call(fd, NB_QUEUE_QUIESCE, &quiesce);
	if (err < 0 && err != -ENETRESET && err != -EBADFD)
		nb_die("%s: a queue cannot be quiesced: %s", cell->kind->name, nb_raw_message);
	nb_raw_map(&raw, fd);
	if (!nb_soak_until(completed(&raw, &counts)))
		nb_die("%s: counted %" PRIu64 " sent, %" PRIu64 " dropped, %" PRIu64 " wrong, %"
		       PRIu64 " and %" PRIu64 " received; completed %u and %u",
		       cell->kind->name, counts.ok, counts.dropped, counts.errors, counts.rx,
		       counts.rx_bad, *raw.ring[NB_RING_TX_DONE].producer,
		       *raw.ring[NB_RING_RX_DONE].producer);
	nb_raw_close(&raw);
	add_counts(&seat->last, &counts);
}

/* The guest, or what has become of it, does nothing more with its queues. */
static void harvest(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	struct nb_soak_report *report = cell->report;
	unsigned int i;

	memset(&seat->last, 0, sizeof(seat->last));
	for (i = 0; i < seat->n_queues; i++)
		harvest_queue(cell, seat, seat->fds[i]);
	seat->n_queues = 0;
	add_counts(seat->connected ? &seat->sum : &seat->nulls, &seat->last);
	nb_soak_note(report, NB_SOAK_PACKETS, seat->last.ok + seat->last.rx);
	nb_soak_note(report, NB_SOAK_DROPS, seat->last.dropped + seat->last.errors +
		     seat->last.too_small + seat->last.rx_bad);
}

/* It has reaped all: whether that is what the kernel has counted. */
static void compare(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	const struct nb_soak_counts *own = &seat->told->own, *last = &seat->last;

	seat->floods += own->floods;
	if (own->ok != last->ok || own->dropped != last->dropped || own->errors != last->errors ||
	    own->rx != last->rx || own->rx_bad != last->rx_bad)
		nb_die("%s: reaped %" PRIu64 " %" PRIu64 " %" PRIu64 ", %" PRIu64 " %" PRIu64
		       "; the kernel has counted %" PRIu64 " %" PRIu64 " %" PRIu64 ", %" PRIu64
		       " %" PRIu64, cell->kind->name, own->ok, own->dropped, own->errors, own->rx,
		       own->rx_bad, last->ok, last->dropped, last->errors, last->rx, last->rx_bad);
}

static void serve_seat(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	int status;

	switch (nb_soak_get(&seat->told->state)) {
	case NB_SOAK_NEW:
		choose(cell, seat);
		seat->connected = seat->plugged;
		nb_soak_set(&seat->told->state, NB_SOAK_MAY_MAKE);
		break;
	case NB_SOAK_RUNS:
		if (nb_soak_get(&seat->told->n_queues))
			take_queues(seat);
		break;
	case NB_SOAK_ASKS:
		harvest(cell, seat);
		nb_soak_set(&seat->told->state, NB_SOAK_READ);
		break;
	case NB_SOAK_DONE:
		compare(cell, seat);
		nb_soak_set(&seat->told->state, NB_SOAK_NEW);
		break;
	}
	if (waitpid(seat->pid, &status, WNOHANG))
		nb_die("%s: a guest has ended by itself: %#x", cell->kind->name, status);
}

void nb_soak_serve(struct nb_soak_cell *cell)
{
	unsigned int i;

	for (i = 0; i < cell->n_seats; i++)
		serve_seat(cell, &cell->seats[i]);
}

static bool has_queues(const struct nb_soak_seat *seat)
{
	return seat->n_queues && nb_soak_get(&seat->told->state) == NB_SOAK_RUNS;
}

/* In the middle of whatever it does. */
static void kill_guest(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	if (!has_queues(seat))
		return;
	nb_soak_does(cell->report, "kills a guest");
	nb_soak_end(seat->pid);
	harvest(cell, seat);
	nb_soak_note(cell->report, NB_SOAK_KILLS, 1);
	start_guest(cell, seat);
}

/* The next queues are not made before the last ones have gone. */
static bool have_let_go(struct nb_soak_cell *cell)
{
	unsigned int i, left = 0;

	for (i = 0; i < cell->n_seats; i++) {
		if (nb_soak_get(&cell->seats[i].told->state) == NB_SOAK_NEW)
			continue;
		serve_seat(cell, &cell->seats[i]);
		left++;
	}
	return !left;
}

void nb_soak_let_go(struct nb_soak_cell *cell)
{
	unsigned int i;

	nb_soak_does(cell->report, "waits for guests to let go of their queues");
	for (i = 0; i < cell->n_seats; i++)
		nb_soak_set(&cell->seats[i].told->let_go, 1);
	if (!nb_soak_until(have_let_go(cell)))
		nb_die("%s: guests do not let go", cell->kind->name);
	for (i = 0; i < cell->n_seats; i++)
		nb_soak_set(&cell->seats[i].told->let_go, 0);
}

/* ---- disturbances --------------------------------------------------------- */

static void moderate(struct nb_soak_cell *cell, int fd)
{
	struct nb_queue_moderation call = {
		.size = sizeof(call),
		.tx_usecs = nb_soak_below(cell, 2000),
		.rx_usecs = nb_soak_below(cell, 2000),
	};

	if (nb_raw_call(fd, NB_QUEUE_SET_MODERATION, &call))
		nb_die("%s: moderation: %s", cell->kind->name, nb_raw_message);
	nb_soak_note(cell->report, NB_SOAK_MODERATE, 1);
}

static void quiesce(struct nb_soak_cell *cell, int fd)
{
	struct nb_queue_quiesce call = {
		.size = sizeof(call), .flags = NB_QUIESCE_LEAVE, .timeout_ns = 1000000,
	};
	struct nb_queue_resume resume = { .size = sizeof(resume) };

	if (nb_raw_call(fd, NB_QUEUE_QUIESCE, &call) < 0)
		return;
	usleep(nb_soak_below(cell, 3000));
	nb_raw_call(fd, NB_QUEUE_RESUME, &resume);
	nb_soak_note(cell->report, NB_SOAK_QUIESCE, 1);
}

static void spread(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	uint8_t key[40], n = seat->n_queues;
	uint16_t table[16];
	struct nb_rss_config rss = {
		.key = (uintptr_t)key, .key_len = sizeof(key),
		.table = (uintptr_t)table, .table_len = ARRAY_LEN(table),
	};
	unsigned int i;

	nb_random_fill(&cell->random, key, sizeof(key));
	for (i = 0; i < ARRAY_LEN(table); i++)
		table[i] = nb_soak_below(cell, n);
	/* A kind may have none, or the backend gone. */
	nb_endpoint_set_rss(seat->ep, nb_soak_below(cell, 4) ? &rss : NULL);
	nb_soak_note(cell->report, NB_SOAK_RSS, 1);
}

static void capture(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	struct nb_create_capture call = {
		.flags = NB_CAPTURE_TX | NB_CAPTURE_RX, .buffer_size = NB_MIN_CAPTURE_BUFFER,
	};
	static char buffer[2 * NB_MAX_PACKET_LEN];
	int fd = nb_capture_try(seat->ep, call);

	if (fd < 0)
		return;
	nb_sys(fcntl(fd, F_SETFL, O_NONBLOCK));
	usleep(nb_soak_below(cell, 5000));
	nb_sys(read(fd, buffer, sizeof(buffer)) >= 0 || errno == EAGAIN ? 0 : -1);
	close(fd);
	nb_soak_note(cell->report, NB_SOAK_CAPTURE, 1);
}

void nb_soak_disturb_queue(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	int fd;

	if (!has_queues(seat))
		return;
	fd = seat->fds[nb_soak_below(cell, seat->n_queues)];
	switch (nb_soak_below(cell, 5)) {
	case 0:
		moderate(cell, fd);
		break;
	case 1:
	case 2:
		quiesce(cell, fd);
		break;
	case 3:
		spread(cell, seat);
		break;
	case 4:
		capture(cell, seat);
		break;
	}
}

void nb_soak_disconnect(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	int err;

	/* Who is making queues knows what backend they will have. */
	if (!has_queues(seat) || !seat->plugged)
		return;
	err = nb_endpoint_disconnect(seat->ep, nb_soak_below(cell, 2) * 1000000);
	if (err)
		nb_die("%s: disconnect: %s", cell->kind->name, strerror(-err));
	seat->plugged = false;
	nb_soak_note(cell->report, NB_SOAK_CONNECT, 1);
}

void nb_soak_connect(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	if (seat->plugged || nb_soak_get(&seat->told->state) == NB_SOAK_MAY_MAKE ||
	    (nb_soak_get(&seat->told->state) == NB_SOAK_RUNS && !seat->n_queues))
		return;
	nb_ok(nb_endpoint_connect(seat->ep, NULL));
	seat->plugged = true;
}

/* ---- rounds --------------------------------------------------------------- */

bool nb_soak_same(struct nb_soak_cell *cell, bool say, const char *what, uint64_t in, uint64_t out)
{
	if (in != out && say)
		fprintf(stderr, "# %s: %s: %" PRIu64 " in, %" PRIu64 " out or dropped\n",
			cell->kind->name, what, in, out);
	return in == out;
}

static void set_quiet(struct nb_soak_cell *cell, bool quiet)
{
	unsigned int i;

	for (i = 0; i < cell->n_senders; i++)
		nb_soak_set(&cell->report->senders[i].stop, quiet);
	for (i = 0; i < cell->n_seats; i++)
		nb_soak_set(&cell->seats[i].told->quiet, quiet);
}

static bool is_quiet(struct nb_soak_cell *cell)
{
	unsigned int i;

	nb_soak_serve(cell);
	for (i = 0; i < cell->n_senders; i++)
		if (!nb_soak_get(&cell->report->senders[i].stopped))
			return false;
	for (i = 0; i < cell->n_seats; i++)
		if (!has_queues(&cell->seats[i]) || !nb_soak_get(&cell->seats[i].told->is_quiet))
			return false;
	return true;
}

static void say_who_moves(struct nb_soak_cell *cell)
{
	unsigned int i;

	for (i = 0; i < cell->n_senders; i++)
		fprintf(stderr, "# sender %u: stopped %u\n", i,
			nb_soak_get(&cell->report->senders[i].stopped));
	for (i = 0; i < cell->n_seats; i++)
		fprintf(stderr, "# guest %u: plugged %u, state %u, %u queues, quiet %u\n", i,
			cell->seats[i].plugged, nb_soak_get(&cell->seats[i].told->state),
			cell->seats[i].n_queues, nb_soak_get(&cell->seats[i].told->is_quiet));
}

/* What a person would look at first, of the cell's network namespace. */
static void show_state(void)
{
	nb_test_run("sh", "-c", "exec >&2; PATH=.:$PATH; nbctl -s show; tc -s qdisc; ip -s link",
		    NULL);
}

static void check(struct nb_soak_cell *cell)
{
	set_quiet(cell, true);
	nb_soak_does(cell->report, "waits for guests and senders to come to rest");
	if (!nb_soak_until((cell->kind->repair(cell), is_quiet(cell)))) {
		say_who_moves(cell);
		nb_die("%s: there is no rest", cell->kind->name);
	}
	nb_soak_does(cell->report, "waits for packets");
	if (!nb_soak_until((nb_soak_serve(cell), cell->kind->holds(cell, false)))) {
		cell->kind->holds(cell, true);
		show_state();
		nb_die("%s: packets are missing", cell->kind->name);
	}
	nb_soak_let_go(cell);
	cell->may_hold = true;
	if (!cell->kind->holds(cell, true))
		nb_die("%s: counters have changed when queues went", cell->kind->name);
	cell->may_hold = false;
	set_quiet(cell, false);
	nb_soak_note(cell->report, NB_SOAK_ROUNDS, 1);
}

static void dump(struct nb_soak_cell *cell)
{
	nb_soak_does(cell->report, "runs nbctl");
	if (nb_test_run("sh", "-ec", "PATH=.:$PATH; nbctl show > /dev/null; "
			"nbctl switch port > /dev/null", NULL))
		nb_die("%s: nbctl has failed", cell->kind->name);
	nb_soak_note(cell->report, NB_SOAK_DUMP, 1);
}

static void disturb(struct nb_soak_cell *cell)
{
	struct nb_soak_seat *seat = &cell->seats[nb_soak_below(cell, cell->n_seats)];

	switch (nb_soak_below(cell, 12)) {
	case 0: case 1:
		if (!seat->spared)
			kill_guest(cell, seat);
		break;
	case 2:
		if (!nb_soak_below(cell, 20))
			dump(cell);
		break;
	case 3: case 4: case 5: case 6:
		nb_soak_does(cell->report, "disturbs its endpoint");
		cell->kind->disturb(cell);
		break;
	default:
		nb_soak_does(cell->report, "disturbs a queue");
		nb_soak_disturb_queue(cell, seat);
	}
}

static void round_of(struct nb_soak_cell *cell)
{
	uint64_t end = nb_test_now() + 500 + nb_soak_below(cell, 2000);

	while (nb_test_now() < end && !nb_soak_get(&cell->report->over)) {
		nb_soak_does(cell->report, "serves its guests");
		nb_soak_serve(cell);
		if (!nb_soak_below(cell, 8))
			disturb(cell);
		usleep(500 + nb_soak_below(cell, 3000));
	}
	check(cell);
}

/* Traffic would leave those that are not yet open little of the CPUs. */
static void wait_for_others(struct nb_soak_report *report)
{
	nb_soak_set(&report->open, 1);
	while (!nb_soak_get(&report->go)) {
		nb_soak_does(report, "waits for the others to open");
		usleep(10000);
	}
}

void nb_soak_run(const struct nb_soak_kind *kind, struct nb_soak_report *report, uint64_t seed)
{
	struct nb_soak_cell *cell = nb_test_pages(sizeof(*cell));
	unsigned int i;

	cell->kind = kind;
	cell->report = report;
	cell->random.state = seed * 2 + 1;
	nb_test_many_files();
	nb_host_new_netns();
	nb_ok(nb_open(&cell->nb));
	if (kind->open)
		kind->open(cell);
	wait_for_others(report);
	if (!kind->round)
		set_quiet(cell, false);
	for (i = 0; i < cell->n_seats; i++)
		start_guest(cell, &cell->seats[i]);
	/* At least once, also in a short soak on a slow machine. */
	do {
		if (kind->round)
			kind->round(cell);
		else
			round_of(cell);
	} while (!nb_soak_get(&report->over));
	nb_soak_does(report, "ends its guests, and closes all");
	for (i = 0; i < cell->n_seats; i++)
		nb_soak_end(cell->seats[i].pid);
	for (i = 0; i < cell->n_senders; i++)
		nb_soak_end(cell->senders[i]);
	if (kind->close)
		kind->close(cell);
	_exit(0);
}
