/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A frontend for tests of any kind of endpoint: what the module "tests" of
 * OpenVMM's crate net_backend is to its backends.
 *
 * Guest memory with a hole in it, 128 receive buffers of 2048 bytes that are
 * found by RxId, packets cut into segments, and waiting for what has to come.
 * A helper that cannot do its work says so and aborts, which the harness takes
 * for a failed assertion: tests check only what they claim.
 */
#ifndef NBTEST_H
#define NBTEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <libnb.h>

#include "nbhost.h"

#define ARRAY_LEN(array)	(sizeof(array) / sizeof((array)[0]))

/* ---- failing and waiting ------------------------------------------------- */

#define nb_die(...)		nb_test_die(__FILE__, __LINE__, __VA_ARGS__)
/* The result of a call of libnb that has to succeed. */
#define nb_ok(call)		nb_test_ok(__FILE__, __LINE__, #call, call)
/* The result of a system call that has to succeed. */
#define nb_sys(call)		nb_test_sys(__FILE__, __LINE__, #call, call)

void nb_test_die(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
int nb_test_ok(const char *file, int line, const char *call, int result);
long nb_test_sys(const char *file, int line, const char *call, long result);

/* How long anything may take before it counts as lost, in milliseconds. */
#define NB_PATIENCE		30000

uint64_t nb_test_now(void);	/* milliseconds */

/* Whether the condition comes true in time. */
#define nb_until(condition) ({						\
	uint64_t end_ = nb_test_now() + NB_PATIENCE;			\
	bool true_;							\
									\
	while (!(true_ = (condition)) && nb_test_now() < end_)		\
		usleep(500);						\
	true_;								\
})

/*
 * How often a test repeats what races: $NB_ROUNDS or, without that, as often as by default, or
 * a third of it on a kernel with lockdep.
 * NB_ROUNDS_TIME is such a test's time limit, if it is one of TEST_F_TIMEOUT(); this call sets
 * the one that counts, in seconds, unless somebody wants more rounds.
 */
#define NB_ROUNDS_TIME		100000
unsigned int nb_rounds(unsigned int by_default, unsigned int seconds);

/* Loads the module if it is not there: $NB_MODULE or what modprobe finds. */
void nb_test_load_module(void);
/* Runs a program with these arguments, up to a NULL; its exit status. */
int nb_test_run(const char *program, ...) __attribute__((sentinel));
/* Whether a file of the kernel's takes the text; the same, and if not, the test ends. */
bool nb_test_write(const char *path, const char *text);
void nb_test_set(const char *path, const char *text);
/* The number, to that base, behind a key like "CapEff:" in a process's status in /proc. */
uint64_t nb_test_status(pid_t process, const char *key, int base);
/* The thread of this process that is not the first one, or 0. */
pid_t nb_test_other_thread(void);
/* Raises the limit of open files as far as it goes. */
void nb_test_many_files(void);
/* Takes a capability from this process for good. */
void nb_test_drop_capability(int capability);
/*
 * Interrupts what waits in this process by a signal that does nothing else: again and again, since
 * the first may come before the wait.  It is SIGALRM, as that of the time limit of nb_rounds().
 */
void nb_test_interrupt(bool on);
/* Becomes user nobody, without any capability. */
void nb_test_become_nobody(void);

/* A pseudo-random sequence; its seed is $NB_SEED, or new, and printed. */
struct nb_random {
	uint64_t state;
};

void nb_random_start(struct nb_random *random);
uint32_t nb_random_below(struct nb_random *random, uint32_t limit);
void nb_random_fill(struct nb_random *random, void *data, size_t len);
/* Some time on the CPU, up to so many turns of an empty loop: for what is to come at any moment. */
void nb_random_spin(struct nb_random *random, unsigned int turns);

/* ---- guest memory -------------------------------------------------------- */

#define NB_PAGE			4096u
/*
 *	0 … 64 pages	receive buffers
 *	64th page	nothing
 *	65 … 129 pages	packets to transmit
 *	4 GiB …		more, if asked for
 */
#define NB_RX_GPA		0ull
#define NB_RX_SIZE		(64 * NB_PAGE)
#define NB_GAP_GPA		(NB_RX_GPA + NB_RX_SIZE)
#define NB_TX_GPA		(NB_GAP_GPA + NB_PAGE)
#define NB_TX_SIZE		(64 * NB_PAGE)
#define NB_MORE_GPA		(1ull << 32)

struct nb_guest {
	struct nb *nb;
	struct nb_memory *mem;
};

void nb_guest_open(struct nb_guest *guest, size_t more);
void nb_guest_close(struct nb_guest *guest);
void *nb_guest_ptr(const struct nb_guest *guest, uint64_t gpa, size_t len);
/* Zeroed memory of this process for a region of one's own. */
void *nb_test_pages(size_t len);

/* ---- receive buffers: the crate's Bufs ----------------------------------- */

#define NB_BUFS			128
#define NB_BUF_SIZE		2048u

struct nb_bufs {
	uint64_t gpa;
	uint32_t size;		/* bytes of a buffer */
	unsigned int n;		/* buffers, at most NB_BUFS */
	unsigned int segments;	/* of each buffer; they lie apart */

	struct nb_rx_metadata meta[NB_BUFS];	/* by RxId */
	bool full[NB_BUFS];			/* has come back, by RxId */
};

void nb_bufs_init(struct nb_bufs *bufs);
/* Makes one buffer, or all from the first to the last, available. */
void nb_bufs_post(struct nb_bufs *bufs, struct nb_queue *queue, uint32_t id);
void nb_bufs_post_range(struct nb_bufs *bufs, struct nb_queue *queue, uint32_t first,
			unsigned int n);
void nb_bufs_post_all(struct nb_bufs *bufs, struct nb_queue *queue);
/* Makes those that have come back available again, without waiting: those of nb_bufs_init(). */
void nb_bufs_repost(struct nb_queue *queue);
/*
 * Waits until n buffers have come back; their ids, in order, are in ids unless
 * that is NULL.  The number of buffers, less than n when they took too long.
 */
unsigned int nb_bufs_reap(struct nb_bufs *bufs, struct nb_queue *queue, uint32_t *ids,
			  unsigned int n);
/* Whether a buffer holds exactly these bytes. */
bool nb_bufs_equal(const struct nb_bufs *bufs, const struct nb_guest *guest, uint32_t id,
		   const void *data, size_t len);
void nb_bufs_read(const struct nb_bufs *bufs, const struct nb_guest *guest, uint32_t id,
		  void *data);

/* ---- packets to transmit ------------------------------------------------- */

/* The EtherType of all packets of the tests, one for local experiments. */
#define NB_ETHERTYPE		0x88b5
#define NB_HEADER_LEN		14

/* A broadcast frame; its payload depends on the seed. */
void nb_frame_fill(void *frame, size_t len, uint32_t seed);
/* The same at the beginning of the transmit region's page. */
uint64_t nb_frame_put(const struct nb_guest *guest, unsigned int page, size_t len,
		      uint32_t seed);

struct nb_tx_segment nb_tx_packet(uint64_t gpa, uint32_t len, uint32_t id);
/* The frame of that page as a packet, with the page's number as its id and its seed. */
struct nb_tx_segment nb_tx_frame(const struct nb_guest *guest, unsigned int page,
				 uint32_t len);
/* One packet of n segments that lie one after the other. */
void nb_tx_split(struct nb_tx_segment *segments, unsigned int n, uint64_t gpa, uint32_t len,
		 uint32_t id);
/* Posts packets, and waits until each has ended with NB_TX_OK, in order. */
void nb_tx_all(struct nb_queue *queue, const struct nb_tx_segment *segments, unsigned int n);
/* Waits for n completions; how many came in time. */
unsigned int nb_tx_reap(struct nb_queue *queue, struct nb_tx_completion *done,
			unsigned int n);

struct nb_queue_stats nb_stats_of(struct nb_queue *queue);

/* ---- a kind and a NIC ---------------------------------------------------- */

/*
 * What the suite that all kinds pass (kinds.c) has to know of a kind, which is what the
 * kind promises.
 */
struct nb_test_kind {
	const char *name;
	const void *params;	/* the kind's own struct, or NULL for its defaults */
	uint32_t params_size;
	/* Optional: makes what one more endpoint stands on, and says so in its params. */
	void (*prepare)(struct nb_endpoint_params *params);
	bool fast_completions;
	bool ordered;
	bool takes_vf_false;	/* the VF data path, as the crate's null kind */
	bool refuses_vlan_4095;	/* which is reserved */
	bool may_drop;		/* by source address or tag */
	uint16_t max_queues;	/* at least */
	uint16_t table;		/* entries of the indirection table */
	uint32_t offloads;	/* at least these */
	uint32_t mtu;		/* by default, if one can be chosen */
	bool takes_over;	/* an interface that is there, one end of a pair of veth */
	enum {
		NB_COMES_NOWHERE,
		NB_COMES_BACK,	/* is received by the same queue, also some time later */
		NB_COMES_TO_HOST,
	} sent;			/* what happens to a packet that is sent */
};

extern const struct nb_test_kind nb_test_null, nb_test_loopback, nb_test_netdev;
extern const struct nb_test_kind nb_test_delay, nb_test_delay_jitter, nb_test_attach;
extern const struct nb_test_kind nb_test_switch;

/* Both ends of a new pair of veth, up. */
struct nb_pair {
	char lower[16];		/* the end to be taken over */
	char far[16];		/* where the host is */
	int lower_index;
	int far_index;
};

void nb_pair_add(struct nb_pair *pair);

#define NB_TEST_QUEUES		64

struct nb_nic {
	const struct nb_test_kind *kind;
	struct nb_guest *guest;
	struct nb_endpoint *ep;
	struct nb_queue *queues[NB_TEST_QUEUES];
	struct nb_queue *queue;		/* the first */
	unsigned int n_queues;
	struct nb_bufs bufs;
	struct nb_host host;		/* for NB_COMES_TO_HOST, while there are queues */
	struct nb_pair pair;		/* for a kind that takes over */
};

/* One more endpoint of the kind: 0 or a negative errno. More may be params, or NULL. */
int nb_test_create(const struct nb_guest *guest, const struct nb_test_kind *kind,
		   const struct nb_endpoint_params *more, struct nb_endpoint **ep);
/* An endpoint as the kind has it by default, without a queue. */
void nb_nic_open(struct nb_nic *nic, struct nb_guest *guest, const struct nb_test_kind *kind,
		 uint32_t mtu);
/* The same of kind attach, on a new pair; mac NULL: a random one. */
void nb_nic_attach(struct nb_nic *nic, struct nb_guest *guest, uint32_t flags,
		   const uint8_t *mac);
/* Its queues, with that many entries each, 0 for the default; the interface comes up. */
void nb_nic_start(struct nb_nic *nic, unsigned int n_queues, uint32_t entries);
void nb_nic_start_as(struct nb_nic *nic, const struct nb_queue_config *configs,
		     unsigned int n_queues);
/* Makes all buffers available, in turn to its queues. */
void nb_nic_post_all(struct nb_nic *nic);
/* In a network namespace of its own, a guest with a NIC of one queue with all buffers. */
struct nb_queue *nb_nic_begin(struct nb_nic *nic, struct nb_guest *guest,
			      const struct nb_test_kind *kind);
/* Closes the queues. */
void nb_nic_stop(struct nb_nic *nic);
void nb_nic_close(struct nb_nic *nic);
/*
 * Waits for the next packet that was sent, wherever the kind lets it turn up, and
 * posts the buffer that it was in again.  Its length, or -1 if none came.
 */
ssize_t nb_nic_arrived(struct nb_nic *nic, void *data, size_t size, int *vlan);
/* The same of a packet that the guest receives. */
ssize_t nb_nic_received(struct nb_nic *nic, void *data, size_t size, int *vlan);
/* Lets the first queue receive the 100 bytes of frame 0; false if the kind never can. */
bool nb_nic_provoke(struct nb_nic *nic);
/* Sends ten frames of 60 … 1500 bytes, and checks that they arrive. */
bool nb_nic_works(struct nb_nic *nic);

#endif /* NBTEST_H */
