/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of the soak: guests, which are processes that can be killed at any time, senders
 * of the host, and what they and a cell have in common. A cell is an endpoint or a few, those
 * who use them, and an equation: packets in = packets out + counted drops.
 *
 *	soak.c		cells side by side; what is left at the end
 *	nbsoak.c	a cell's rounds
 *	nbsoak_cells.c	the cells, a kind each
 *	nbsoak_guest.c	a guest
 *	nbsoak_host.c	the host
 *	nbsoak_watch.c	cells that hang
 */
#ifndef NBSOAK_H
#define NBSOAK_H

#include <sys/types.h>

#include "nbtest.h"

#define NB_SOAK_QUEUES	4u
#define NB_SOAK_GUESTS	3u
#define NB_SOAK_SENDERS	2u

/* ---- what is told between processes --------------------------------------- */

static inline uint32_t nb_soak_get(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void nb_soak_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Many processes share the CPUs: whether the condition comes true within a minute. */
#define nb_soak_until(condition) ({					\
	uint64_t soak_end_ = nb_test_now() + 60000;			\
	bool come_true_;						\
									\
	while (!(come_true_ = (condition)) && nb_test_now() < soak_end_) \
		usleep(500);						\
	come_true_;							\
})

/* Where a guest is; each step is made by the one who is named. */
enum nb_soak_state {
	NB_SOAK_NEW,		/* guest: has no queues */
	NB_SOAK_MAY_MAKE,	/* cell: it may make some */
	NB_SOAK_RUNS,		/* guest: here they are */
	NB_SOAK_ASKS,		/* guest: does nothing more with them */
	NB_SOAK_READ,		/* cell: has read what they have counted, and let go of them */
	NB_SOAK_DONE,		/* guest: has reaped all, and closed them */
};

/* What a guest has reaped, or the kernel's counters of the same. */
struct nb_soak_counts {
	uint64_t ok, dropped, errors;	/* sent */
	uint64_t floods;		/* of ok: to all stations; the guest's count alone */
	uint64_t rx, rx_bad;		/* buffers that came back with a packet, and without */
	uint64_t too_small, no_buffer;	/* the kernel's counters alone */
};

struct nb_soak_guest {
	/* From the cell. */
	uint32_t station;	/* last byte of its Ethernet address */
	uint32_t peers;		/* stations from 1 to this are those that it sends to */
	uint32_t floods;	/* sends to all, too */
	uint32_t offloads;	/* may ask for them */
	uint32_t flags;		/* of its queues */
	uint32_t want_queues;
	uint32_t buffer_size;
	uint32_t quiet;		/* is not to send */
	uint32_t let_go;	/* is to give up its queues */
	/* From the guest, but for what enum nb_soak_state says. */
	uint32_t state;
	uint32_t is_quiet;	/* sends nothing, and has reaped all */
	uint32_t n_queues;
	int fds[NB_SOAK_QUEUES];
	struct nb_soak_counts own;	/* since it has these queues */
};

/* A sender of the host. */
struct nb_soak_sender {
	char interface[16];	/* from the cell */
	uint32_t stop, stopped;
};

/* Of the whole soak, for what is printed: by cell, only the cell writes. */
enum nb_soak_event {
	NB_SOAK_ROUNDS, NB_SOAK_KILLS, NB_SOAK_PACKETS, NB_SOAK_DROPS, NB_SOAK_LINK,
	NB_SOAK_CONNECT, NB_SOAK_REPLACE, NB_SOAK_QUIESCE, NB_SOAK_MODERATE, NB_SOAK_RSS,
	NB_SOAK_CAPTURE, NB_SOAK_MTU, NB_SOAK_MOVE, NB_SOAK_QUEUE_SETS, NB_SOAK_DUMP,
	NB_SOAK_REGIONS, NB_SOAK_LOGS, NB_SOAK_EVENTS,
};

struct nb_soak_report {
	uint32_t over;			/* the soak is to end */
	uint32_t open, go;		/* the cell has its endpoints; all have theirs */
	const char *doing;		/* what the cell does; see nb_soak_does() */
	uint64_t since;			/* when it began that; of nb_test_now() */
	uint64_t events[NB_SOAK_EVENTS];
	struct nb_soak_guest guests[NB_SOAK_GUESTS];
	struct nb_soak_sender senders[NB_SOAK_SENDERS];
};

static inline void nb_soak_note(struct nb_soak_report *report, enum nb_soak_event event,
				uint64_t n)
{
	__atomic_fetch_add(&report->events[event], n, __ATOMIC_RELAXED);
}

/* ---- cells that hang ------------------------------------------------------ */

/* The cell begins something that may take NB_SOAK_PATIENCE: who watches it can say what hangs. */
#define NB_SOAK_PATIENCE	180000
void nb_soak_does(struct nb_soak_report *report, const char *what);
/* Whether it hangs, which is said. Waits for the end of a cell; false if it has failed or hangs. */
bool nb_soak_hangs(const char *name, const struct nb_soak_report *report);
bool nb_soak_wait(const char *name, const struct nb_soak_report *report, pid_t cell);

/* ---- processes ------------------------------------------------------------ */

/* A guest that uses the endpoint until it is killed. */
void nb_soak_guest_run(struct nb_soak_report *report, struct nb_soak_guest *told,
		       struct nb_endpoint *ep, uint64_t seed) __attribute__((noreturn));
/* The host, which sends to stations by the interface whenever that is there. */
void nb_soak_sender_run(struct nb_soak_sender *told, uint32_t stations, bool offloads,
			uint64_t seed) __attribute__((noreturn));
pid_t nb_soak_fork(void);
void nb_soak_end(pid_t child);

/* ---- what the host counts ------------------------------------------------- */

struct nb_soak_link {
	uint64_t rx_packets, rx_errors, rx_dropped, tx_packets, tx_dropped;
};

/* Of an interface of this network namespace; false if there is none. */
bool nb_soak_link(const char *name, struct nb_soak_link *link);
/*
 * From now on what interfaces are given is counted, and drops by their reason; false if the
 * kernel cannot do that. How many packets came to the queueing discipline of an interface of
 * that name, and how many it has taken itself.
 */
bool nb_soak_count(void);
uint64_t nb_soak_queued(const char *name);
uint64_t nb_soak_given(const char *name);
/* An endpoint's drops are counted from now on, if that is so of them. How many there were. */
void nb_soak_count_drops(uint32_t endpoint, const char *which);
uint64_t nb_soak_dropped(uint32_t endpoint);
/* Packets that were dropped, by reason, as tracepoints tell: prints those. */
void nb_soak_print_drops(void);
void nb_soak_stop_counting(void);

/* ---- a cell --------------------------------------------------------------- */

struct nb_soak_cell;

struct nb_soak_kind {
	const char *name;
	void (*open)(struct nb_soak_cell *cell);
	/* Whether the equation holds, now that nothing moves; says what does not if @say. */
	bool (*holds)(struct nb_soak_cell *cell, bool say);
	/* Does something to it. */
	void (*disturb)(struct nb_soak_cell *cell);
	/* Undoes what would keep packets from where they go. */
	void (*repair)(struct nb_soak_cell *cell);
	void (*close)(struct nb_soak_cell *cell);
	/* Instead of all that: a round of its own. */
	void (*round)(struct nb_soak_cell *cell);
};

/* A guest as its cell has it. */
struct nb_soak_seat {
	struct nb_soak_guest *told;
	struct nb_endpoint *ep;
	pid_t pid;
	int fds[NB_SOAK_QUEUES];	/* the cell's own */
	unsigned int n_queues;
	bool plugged;			/* its endpoint has its backend */
	bool connected;			/* so it was when its queues were made */
	bool spared;			/* is not killed under way */
	struct nb_soak_counts last;	/* what the kernel counted for it */
	struct nb_soak_counts sum;	/* the same of all that were let go, while connected */
	struct nb_soak_counts nulls;	/* and while not */
	uint64_t floods;		/* that its guests have reaped */
};

struct nb_soak_cell {
	const struct nb_soak_kind *kind;
	struct nb_soak_report *report;
	struct nb_random random;
	struct nb *nb;
	unsigned int n_seats;
	struct nb_soak_seat seats[NB_SOAK_GUESTS];
	unsigned int n_senders;
	pid_t senders[NB_SOAK_SENDERS];
	/* Of a cell with interfaces. */
	char name[16], other[16];
	bool down, other_down, cut, away;
	bool may_hold;		/* packets that wait for queues that have gone */
	int home, abroad;	/* network namespaces */
	pid_t keeper;		/* of abroad */
	uint64_t queued, given, dropped;	/* when the interface was new */
	int mtu;
	struct nb_endpoint *uplink;
	uint64_t greetings;	/* packets that a switch dropped before it was used */
};

extern const struct nb_soak_kind nb_soak_kinds[];
extern const unsigned int nb_soak_n_kinds;

/* Runs a cell until the soak is over. */
void nb_soak_run(const struct nb_soak_kind *kind, struct nb_soak_report *report, uint64_t seed)
	__attribute__((noreturn));
/* For cells: one more guest with an endpoint; and a sender. */
struct nb_soak_seat *nb_soak_seat_add(struct nb_soak_cell *cell, struct nb_endpoint *ep);
void nb_soak_sender_add(struct nb_soak_cell *cell, const char *interface, uint32_t stations,
			bool offloads);
/* What the kernel has counted for a guest so far, while it was connected. */
struct nb_soak_counts nb_soak_counted(struct nb_soak_seat *seat);
unsigned int nb_soak_below(struct nb_soak_cell *cell, unsigned int limit);
/* Does what guests ask for. */
void nb_soak_serve(struct nb_soak_cell *cell);
/* Takes all queues away, and waits for that; they come anew. */
void nb_soak_let_go(struct nb_soak_cell *cell);
/* Packets in and out, which have to be the same. */
bool nb_soak_same(struct nb_soak_cell *cell, bool say, const char *what, uint64_t in,
		  uint64_t out);
/* Disturbances that any cell can have. */
void nb_soak_disturb_queue(struct nb_soak_cell *cell, struct nb_soak_seat *seat);
void nb_soak_disconnect(struct nb_soak_cell *cell, struct nb_soak_seat *seat);
void nb_soak_connect(struct nb_soak_cell *cell, struct nb_soak_seat *seat);

#endif /* NBSOAK_H */
