/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests on one switch: each is a port with one queue, and memory of its own.
 */
#ifndef NBSWITCH_H
#define NBSWITCH_H

#include "nbgenl.h"
#include "nbtest.h"
#include "nbtrace.h"

struct nb_port {
	struct nb_guest guest;
	struct nb_endpoint *ep;
	struct nb_queue *queue;
	struct nb_bufs bufs;
};

/* What a frame is like; its payload depends on the seed. */
struct nb_plan {
	uint8_t to[6];
	uint8_t from[6];
	int inside;		/* tag in its bytes, or NB_NO_VLAN */
	int beside;		/* tag beside them, or NB_NO_VLAN */
	uint32_t len;
	uint32_t seed;
};

/* Between two stations, the station 0 being everybody, without a tag, 100 bytes. */
struct nb_plan nb_plan(unsigned int from, unsigned int to);

/* A port as params say, NULL: of a new private switch; 0 or a negative errno. */
int nb_port_try(struct nb_guest *guest, const struct nb_switch_params *params,
		struct nb_endpoint **ep);
/* With all of its buffers. */
void nb_port_open(struct nb_port *port, const struct nb_switch_params *params);
/* A port of the private switch of another one; params may be NULL. */
void nb_port_join(struct nb_port *port, const struct nb_port *other,
		  const struct nb_switch_params *params);
void nb_port_close(struct nb_port *port);

/* The packet of page and id number @page; the frame lies there. */
struct nb_tx_segment nb_port_frame(struct nb_port *port, unsigned int page,
				   const struct nb_plan *plan);
/* Sends one, which has to end with that status. */
void nb_port_send(struct nb_port *port, const struct nb_plan *plan, uint32_t status);
/* Sends n of them at once; all end with NB_TX_OK. */
void nb_port_send_many(struct nb_port *port, const struct nb_plan *plan, unsigned int n);
/* Whether the next packet is this one, with these tags; its buffer is posted again. */
bool nb_port_gets(struct nb_port *port, const struct nb_plan *plan);
/* Whether nothing has come; what was sent before has arrived, if it has at all. */
bool nb_port_silent(struct nb_port *port);
/* Takes what has come, and posts the buffers again; how many. */
unsigned int nb_port_drain(struct nb_port *port);

/*
 * Whether, of all the drops of that endpoint's port, there are n of this reason and none of
 * another, and the tracepoint says the same.
 */
bool nb_port_drops_are(struct nb_genl *client, const struct nb_trace *trace, uint32_t endpoint,
		       int reason, uint64_t n);

#endif /* NBSWITCH_H */
