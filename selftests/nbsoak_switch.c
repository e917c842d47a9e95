// SPDX-License-Identifier: GPL-2.0
/*
 * The soak's switches: what their ports have counted.
 *
 * All stations are known before guests begin, so that nothing is flooded but what one of them
 * floods, who counts it. Of that each other port gets a copy, or drops it.
 */
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_packet.h>

#include "nbgenl.h"
#include "nbsoak_cells.h"
#include "nbswitch.h"

#define VLAN	5

void nb_soak_greet(struct nb_soak_cell *cell, struct nb_soak_seat *seat)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_plan plan = nb_plan(seat->told->station, 0);
	struct nb_tx_segment segments[2];
	struct nb_port port = { .ep = seat->ep };

	nb_guest_open(&port.guest, 0);
	nb_ok(nb_endpoint_get_queues(port.ep, port.guest.mem, &config, 1, NULL, &port.queue));
	segments[0] = nb_port_frame(&port, 0, &plan);
	plan.beside = VLAN;
	segments[1] = nb_port_frame(&port, 1, &plan);
	nb_tx_all(port.queue, segments, ARRAY_LEN(segments));
	nb_queue_close(port.queue);
	nb_guest_close(&port.guest);
}

void nb_soak_greet_by(const char *interface, uint32_t station)
{
	static const unsigned char tag[] = { 0x81, 0x00, 0x00, VLAN };
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface),
	};
	int fd = nb_sys(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	unsigned char frame[100];

	nb_frame_fill(frame, sizeof(frame), 1);
	memcpy(frame + 6, "\x02\x00\x00\x00\x00", 5);
	frame[11] = station;
	nb_sys(bind(fd, (struct sockaddr *)&to, sizeof(to)));
	nb_sys(send(fd, frame, sizeof(frame), 0));
	memcpy(frame + 12, tag, sizeof(tag));
	nb_sys(send(fd, frame, sizeof(frame), 0));
	close(fd);
}

struct drops {
	uint64_t all, limited;
};

static void add_drops(const struct nlattr *const *attributes, void *data)
{
	const struct nlattr *nest = attributes[NB_A_PORT_DROPS], *inner[NB_GENL_ATTRS] = { 0 };
	struct drops *drops = data;
	unsigned int i;

	if (!nest)
		return;
	nb_genl_parse(nb_genl_payload(nest), nest->nla_len - NLA_HDRLEN, inner);
	for (i = NB_A_DROP_NO_BUFFER; i <= NB_A_DROP_MAX; i++)
		drops->all += nb_genl_u64(inner[i]);
	drops->limited += nb_genl_u64(inner[NB_A_DROP_FLOOD_LIMIT]);
}

void nb_soak_port_drops(struct nb_soak_cell *cell, uint64_t *dropped, uint64_t *limited)
{
	struct nb_genl_request request;
	struct drops drops = { 0 };
	struct nb_genl client;

	nb_genl_open(&client);
	request = nb_genl_request(client.family, NB_CMD_SWITCH_PORT_GET, NLM_F_DUMP);
	nb_ok(nb_genl_talk(&client, &request, add_drops, &drops));
	nb_genl_close(&client);
	*dropped = drops.all;
	*limited = drops.limited;
}

void nb_soak_begin_switch(struct nb_soak_cell *cell)
{
	struct nb_soak_link link = { 0 };
	uint64_t dropped, limited;

	if (cell->uplink && !nb_soak_until((nb_soak_link(cell->name, &link), link.tx_packets == 2)))
		nb_die("the uplink sends %llu packets", (unsigned long long)link.tx_packets);
	nb_soak_port_drops(cell, &dropped, &limited);
	cell->greetings = dropped - link.tx_packets - link.rx_packets;
}

void nb_soak_ports(struct nb_soak_cell *cell, uint64_t limited, uint64_t *in, uint64_t *out)
{
	unsigned int i, others = cell->n_seats - 1 + !!cell->uplink;
	uint64_t floods = 0;

	*in = 0;
	*out = 0;
	for (i = 0; i < cell->n_seats; i++) {
		struct nb_soak_seat *seat = &cell->seats[i];
		struct nb_soak_counts counts = nb_soak_counted(seat);

		*in += counts.ok + counts.dropped;
		*out += counts.rx;
		floods += seat->floods + (seat->n_queues ? seat->told->own.floods : 0);
	}
	*in += (floods - limited) * (others - 1);
}
