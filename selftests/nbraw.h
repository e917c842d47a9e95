/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module without libnb: ioctls, maps and rings as <linux/net_backend.h> describes
 * them, for what a frontend that is wrong does.
 */
#ifndef NBRAW_H
#define NBRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/net_backend.h>

/* What the last nb_raw_call() that failed said. */
extern char nb_raw_message[256];

/*
 * An ioctl whose struct begins with size, flags and msg: its result, or a negative
 * errno.  It gets its message buffer here unless it has one.
 */
int nb_raw_call(int fd, unsigned long command, void *argument);
/* Whether the last message is more than a word. */
bool nb_raw_explained(void);

struct nb_raw_ring {
	char *entries;
	uint32_t *producer, *consumer;
	uint32_t n, mask, entry_size;
};

struct nb_raw {
	int fd;
	char *kernel, *user;	/* the two maps */
	uint32_t kernel_size, user_size;
	const struct nb_queue_header *header;
	const uint32_t *state, *need_wakeup;
	uint32_t *need_notify;
	struct nb_raw_ring ring[NB_N_RINGS];
};

struct nb_endpoint;
struct nb_memory;

/* Makes the only queue of an endpoint, with rings of that many entries, and maps it. */
void nb_raw_open(struct nb_raw *raw, struct nb_endpoint *ep, struct nb_memory *mem,
		 uint32_t entries);
/* The same with these flags, or an errno. */
int nb_raw_try(struct nb_raw *raw, struct nb_endpoint *ep, struct nb_memory *mem,
	       uint32_t entries, uint32_t flags);
/* Maps a queue whose fd is taken over. */
void nb_raw_map(struct nb_raw *raw, int fd);
void nb_raw_close(struct nb_raw *raw);

/* Writes entries behind the producer's index, and publishes them. */
void nb_raw_tx(struct nb_raw *raw, const struct nb_tx_segment *segments, unsigned int n);
void nb_raw_rx(struct nb_raw *raw, const struct nb_rx_segment *segments, unsigned int n);
/* Takes the next entry of a done ring if there is one. */
bool nb_raw_tx_done(struct nb_raw *raw, struct nb_tx_completion *done);
bool nb_raw_rx_done(struct nb_raw *raw, struct nb_rx_metadata *done);
uint32_t nb_raw_state(const struct nb_raw *raw);

/* ENTER without waiting, or for at most so long: 0 or a negative errno. */
int nb_raw_enter(struct nb_raw *raw, uint32_t flags, struct nb_enter *result);
int nb_raw_wait(struct nb_raw *raw, uint32_t flags, uint64_t timeout_ms);

#endif /* NBRAW_H */
