/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nbwire: a frontend that joins two endpoints, queue by queue
 *
 *	end 0, rx  ---->  direction 0 of each queue  ---->  end 1, tx
 *	end 0, tx  <----  direction 1 of each queue  <----  end 1, rx
 *
 * A direction owns the receive buffers of the queue that it receives from.  A packet
 * is transmitted out of the buffer in which it was received.
 */
#ifndef NBWIRE_H
#define NBWIRE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <libnb.h>

#include "../common/program.h"
#include "../common/spec.h"

#define N_ENDS		2
/* bytes of a line that says what went wrong */
#define REASON_SIZE	512

/**
 * struct options - what the command line asks for; 0: nbwire chooses
 * @queues: queues of each endpoint
 * @buffers: receive buffers of a queue
 * @buffer_size: bytes of a buffer
 * @ring_entries: entries of each ring
 * @seconds: run for so long
 * @offloads: take incomplete checksums and super-packets
 * @rss: spread flows over the queues by Toeplitz hash
 * @verbose: print statistics every second
 */
struct options {
	unsigned int queues;
	unsigned int buffers;
	unsigned int buffer_size;
	unsigned int ring_entries;
	unsigned int seconds;
	bool offloads;
	bool rss;
	bool verbose;
};

/**
 * struct end - one of the two endpoints
 * @spec: what the command line says
 * @ep: the endpoint
 * @info: what is known about it
 * @queues: its queues
 * @queue_flags: what is taken from it, of &enum nb_queue_flags
 * @gpa: where the buffers of its queues are in guest memory
 */
struct end {
	struct spec spec;
	struct nb_endpoint *ep;
	struct nb_endpoint_info info;
	struct nb_queue **queues;
	uint32_t queue_flags;
	uint64_t gpa;
};

/**
 * struct counters - what went one way; written by one thread, read by others
 * @packets: packets received
 * @bytes: their bytes
 * @dropped: those that the other endpoint did not take, or not to the end
 */
struct counters {
	uint64_t packets;
	uint64_t bytes;
	uint64_t dropped;
};

/**
 * enum place - where a buffer is
 * @SPARE: in &direction.spare
 * @AVAILABLE: the queue that receives has it
 * @PENDING: in &direction.pending, with a packet
 * @SENT: the queue that transmits has it, with a packet
 */
enum place {
	SPARE,
	AVAILABLE,
	PENDING,
	SENT,
};

/**
 * struct direction - packets from one queue to another
 * @from: receives them
 * @to: transmits them
 * @from_end: the endpoint of @from
 * @to_end: the endpoint of @to
 * @mem: where the buffers are
 * @gpa: the first buffer of @from
 * @buffer_size: bytes of a buffer
 * @n_buffers: buffers of @from
 * @places: where each buffer is, of &enum place
 * @pending: received packets that @to has not taken yet, a ring with room for all
 *	buffers
 * @pending_mask: entries of @pending - 1
 * @head: index of the first of them, free-running
 * @tail: index behind the last of them
 * @spare: buffers to be made available to @from
 * @n_spare: their number
 * @counters: statistics
 */
struct direction {
	struct nb_queue *from;
	struct nb_queue *to;
	const struct end *from_end;
	const struct end *to_end;
	const struct nb_memory *mem;
	uint64_t gpa;
	uint32_t buffer_size;
	uint32_t n_buffers;
	uint8_t *places;
	struct nb_tx_segment *pending;
	uint32_t pending_mask;
	uint32_t head;
	uint32_t tail;
	struct nb_rx_segment *spare;
	uint32_t n_spare;
	struct counters counters;
};

/**
 * struct worker - a thread that moves the packets of one queue of each endpoint
 * @thread: the thread
 * @wire: to which it belongs
 * @index: number of the queue
 * @cpu: the CPU to run on, or NB_ANY_CPU
 * @started: the thread exists
 * @error: why the worker has failed, or empty
 * @directions: from end 0 to end 1, and back
 */
struct worker {
	pthread_t thread;
	struct wire *wire;
	unsigned int index;
	uint32_t cpu;
	bool started;
	char error[REASON_SIZE];
	struct direction directions[N_ENDS];
} __attribute__((aligned(64)));

/**
 * struct wire - all of it
 * @options: from the command line, with all values chosen
 * @ends: the two endpoints
 * @mem: guest memory, shared by both
 * @workers: @options.queues threads
 * @stop: nonzero: workers are to end
 * @stop_fd: eventfd that wakes them for it
 * @failed_fd: eventfd by which a worker says that it has failed
 */
struct wire {
	struct options options;
	struct end ends[N_ENDS];
	struct nb_memory *mem;
	struct worker *workers;
	int stop;
	int stop_fd;
	int failed_fd;
};

/* setup.c APIs: */
int setup(struct wire *wire);
void cleanup(struct wire *wire);
int ask_endpoint(struct end *end, const struct options *options);
uint32_t choose_flags(const struct options *options, const struct end *other);
void check_sizes(const struct wire *wire);
int create_queues(struct wire *wire, struct end *end);
void close_queues(const struct wire *wire, struct end *end);
void join_queues(struct wire *wire);
int post_buffers(struct wire *wire);

/* restart.c APIs: */
int restart(struct wire *wire, const bool *required);

/* direction.c APIs: */
int direction_init(struct direction *direction, const struct options *options);
void direction_free(struct direction *direction);
int direction_post(struct direction *direction, char *error);
int direction_move(struct direction *direction, char *error);
int direction_reap(struct direction *direction, const struct end *end, char *error);
void direction_take_back(struct direction *direction, const struct end *end);

/* worker.c APIs: */
int workers_start(struct wire *wire);
void workers_stop(struct wire *wire);
bool workers_have_failed(const struct wire *wire);

/* stats.c APIs: */
void stats_sum(const struct wire *wire, struct counters *sums);
void stats_print_rates(const struct counters *now, const struct counters *before,
		       double seconds);
void stats_print_totals(const struct counters *sums);

#endif /* NBWIRE_H */
