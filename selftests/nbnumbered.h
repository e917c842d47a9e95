/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets that have a number, and a NIC whose queue goes and comes while they flow
 */
#ifndef NBNUMBERED_H
#define NBNUMBERED_H

#include <pthread.h>

#include "nbtest.h"

/* ---- packets ------------------------------------------------------------- */

#define NB_NUMBERED_LEN	100u

void nb_numbered_fill(void *frame, uint32_t number);
/* The number of a frame, which has to be whole. */
uint32_t nb_numbered_number(const void *frame, size_t len);
/* The host sends one. */
void nb_numbered_send(struct nb_host *host, uint32_t number);
/* Whether the guest gets those with these numbers, in order. */
bool nb_numbered_receive(struct nb_nic *nic, uint32_t first, uint32_t n);
/* Whether the host has got the first n, in order, and nothing else. */
bool nb_numbered_came(struct nb_host *host, uint32_t n);

/* ---- the NIC ------------------------------------------------------------- */

/* Whether the kind drops what comes while there is no buffer. */
bool nb_test_kind_loses(const struct nb_test_kind *kind);
/* Whether the last call of libnb that failed has said why in words. */
bool nb_explained(void);
/* Closes the queue, or makes one, and leaves the host alone. */
void nb_nic_close_queue(struct nb_nic *nic);
void nb_nic_open_queue(struct nb_nic *nic);
/* The host's end of a NIC that has a queue. */
void nb_nic_open_host(struct nb_nic *nic);
/* NB_QUEUE_SAVE, which has to succeed. */
struct nb_queue_saved nb_raw_save(int fd);
/* NB_QUEUE_QUIESCE or NB_QUEUE_RESUME: 0 or a negative errno. */
int nb_raw_command(int fd, unsigned long command);

pthread_t nb_test_thread(void *(*run)(void *argument), void *argument);

#endif /* NBNUMBERED_H */
