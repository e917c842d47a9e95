/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What cells of the soak stand on: another network namespace, the ports of a switch, and
 * rounds without guests of the cell's own.
 */
#ifndef NBSOAK_CELLS_H
#define NBSOAK_CELLS_H

#include "nbsoak.h"

/* A network namespace beside the cell's own. */
void nb_soak_open_abroad(struct nb_soak_cell *cell);
void nb_soak_close_abroad(struct nb_soak_cell *cell);

/* A station lets the switch know where it is: by a guest's port, or by an uplink. */
void nb_soak_greet(struct nb_soak_cell *cell, struct nb_soak_seat *seat);
void nb_soak_greet_by(const char *interface, uint32_t station);
/* All stations are known: what was dropped until now does not count. */
void nb_soak_begin_switch(struct nb_soak_cell *cell);
/* What all ports have dropped, and of this what was above a limit of flooding. */
void nb_soak_port_drops(struct nb_soak_cell *cell, uint64_t *dropped, uint64_t *limited);
/* What guests have sent, each copy that is flooded by itself, and received. */
void nb_soak_ports(struct nb_soak_cell *cell, uint64_t limited, uint64_t *in, uint64_t *out);

/* nbwire between two interfaces; guests that nobody holds on to. */
void nb_soak_open_wire(struct nb_soak_cell *cell);
void nb_soak_round_wire(struct nb_soak_cell *cell);
void nb_soak_round_processes(struct nb_soak_cell *cell);
/* All that a process' queues have is with the kernel: so many buffers, and nothing to send. */
bool nb_soak_rests(pid_t pid, uint32_t buffers);
unsigned int nb_soak_backlog(const char *name);

#endif /* NBSOAK_CELLS_H */
