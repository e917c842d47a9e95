/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fault injection: the n-th allocation or copy that this thread causes in the kernel fails.
 */
#ifndef NBFAULT_H
#define NBFAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "nbgenl.h"
#include "nbraw.h"
#include "nbtest.h"

/*
 * A call: it returns a negative errno, or takes the failure well. What is not NULL is done
 * before all calls, before each of them, and after one that has worked.
 */
struct nb_fault_world;
struct nb_fault {
	const char *name;
	const struct nb_test_kind *kind;
	void (*prepare)(struct nb_fault_world *w);
	void (*before)(struct nb_fault_world *w);
	int (*call)(struct nb_fault_world *w);
	void (*undo)(struct nb_fault_world *w);
	uint32_t flags;		/* of queues */
	uint8_t command;	/* of netlink */
	bool anew;		/* also before the next try, after a failure */
	bool silent;		/* no error in words */
	bool without;		/* also while each allocation fails */
	int also;		/* errno that Linux makes of a failure in some place */
	int done;		/* errno of the next try if only the answer was lost */
};

/* What a call is done with. */
struct nb_fault_world {
	const struct nb_fault *fault;
	struct nb_guest guest;
	const struct nb_test_kind *kind;
	struct nb_genl client;
	struct nb_genl fresh;		/* for one request */
	struct nb_nic nic;
	struct nb_endpoint *other;
	struct nb_endpoint *made;
	struct nb_memory *mem;
	struct nb_queue *queues[2];
	struct nb_queue_config config;
	struct nb_switch_params port;
	struct nb_raw raw;
	char saved[65536];
	long saved_len;
	unsigned char *pages;
	const char *name;		/* of the next endpoint */
	const char *said;		/* words of an error, if they are not libnb's */
	uint32_t id;
	uint32_t buffer_len;		/* of a receive buffer; 0: NB_BUF_SIZE */
	bool comes_back;		/* what is sent is received, whatever the kind */
	int fds[2];
	unsigned int which;		/* of a long call's failures are taken */
	bool unclear;			/* an error was not as it should be */
};

/*
 * Takes each of them in a process of its own, and says how it went. Each works once; then,
 * for n = 1, 2, … the n-th allocation or copy that it takes fails, until there are fewer:
 * the error is a clear one, nothing is left, and the next try works. Of those in the middle of
 * a call with more than a hundred, a few are taken, by $NB_SEED. For main(): its arguments
 * select some.
 */
int nb_fault_main(const struct nb_fault *faults, unsigned int n, char **names);

/* What several of them are made of. */
extern const struct nb_rss_config nb_fault_rss;
struct nb_endpoint_params nb_fault_named(struct nb_fault_world *w, const struct nb_test_kind *kind);
int nb_fault_create_endpoint(struct nb_fault_world *w);
int nb_fault_create_port(struct nb_fault_world *w);
void nb_fault_with_a_pair(struct nb_fault_world *w);
int nb_fault_attach(struct nb_fault_world *w);
void nb_fault_with_endpoint(struct nb_fault_world *w);
void nb_fault_with_attached(struct nb_fault_world *w);
int nb_fault_get_queues(struct nb_fault_world *w);
void nb_fault_close_queues(struct nb_fault_world *w);
void nb_fault_with_queues(struct nb_fault_world *w);
int nb_fault_disconnect(struct nb_fault_world *w);
void nb_fault_connect_again(struct nb_fault_world *w);
void nb_fault_disconnect_again(struct nb_fault_world *w);
void nb_fault_with_named_switch(struct nb_fault_world *w);

/* ---- data path ----------------------------------------------------------- */

/* Packets that a call is about, of a guest with one queue. */
#define NB_FAULT_PACKETS	4u
#define NB_FAULT_FRAME		100u

void nb_fault_with_data_path(struct nb_fault_world *w);
void nb_fault_post_buffers(struct nb_fault_world *w);
/* That packet so many times, and buffers. */
void nb_fault_post(struct nb_fault_world *w, struct nb_tx_segment packet);
/* The same of a frame; with NB_QUEUE_ZEROCOPY_TX, of one that is not copied. */
void nb_fault_post_packets(struct nb_fault_world *w);
int nb_fault_transmit(struct nb_fault_world *w);
/* Each packet ends once, sent or dropped; and the next one is sent, and arrives. */
void nb_fault_reap_packets(struct nb_fault_world *w);
#define NB_FAULT_TRANSMITS \
	.call = nb_fault_transmit, .undo = nb_fault_reap_packets, .silent = true, .without = true

/* A frame from the host. */
void nb_fault_open_buffers(struct nb_fault_world *w);
int nb_fault_receive(struct nb_fault_world *w);
/* Whether it was lost or not: the next one arrives. */
void nb_fault_reap_buffers(struct nb_fault_world *w);
#define NB_FAULT_RECEIVES \
	.before = nb_fault_open_buffers, .call = nb_fault_receive, \
	.undo = nb_fault_reap_buffers, .silent = true, .without = true

#endif /* NBFAULT_H */
