// SPDX-License-Identifier: GPL-2.0
/*
 * Guests on one switch.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_ether.h>

#include "nbswitch.h"

struct nb_plan nb_plan(unsigned int from, unsigned int to)
{
	struct nb_plan plan = {
		.to = { 0x02, 0x00, 0x00, 0x00, to >> 8, to },
		.from = { 0x02, 0x00, 0x00, 0x00, from >> 8, from },
		.inside = NB_NO_VLAN,
		.beside = NB_NO_VLAN,
		.len = 100,
		.seed = from << 16 | to,
	};

	if (!to)
		memset(plan.to, 0xff, sizeof(plan.to));
	return plan;
}

/* The frame; how many bytes it has. */
static uint32_t fill(const struct nb_plan *plan, unsigned char *frame)
{
	struct nb_random random = { .state = plan->seed * 2ull + 1 };
	uint16_t type = htons(NB_ETHERTYPE), tag = htons(ETH_P_8021Q), tci;
	uint32_t len = 12;

	memcpy(frame, plan->to, 6);
	memcpy(frame + 6, plan->from, 6);
	if (plan->inside != NB_NO_VLAN) {
		tci = htons(plan->inside);
		memcpy(frame + len, &tag, 2);
		memcpy(frame + len + 2, &tci, 2);
		len += 4;
	}
	memcpy(frame + len, &type, 2);
	len += 2;
	nb_random_fill(&random, frame + len, plan->len - 14);
	return len + plan->len - 14;
}

int nb_port_try(struct nb_guest *guest, const struct nb_switch_params *params,
		struct nb_endpoint **ep)
{
	struct nb_endpoint_params endpoint = {
		.kind = "switch",
		.netns_fd = -1,
		.kind_params = params,
		.kind_params_size = params ? sizeof(*params) : 0,
	};

	return nb_endpoint_create(guest->nb, &endpoint, ep);
}

static void open_port(struct nb_port *port, const struct nb_switch_params *params)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };

	memset(port, 0, sizeof(*port));
	nb_guest_open(&port->guest, 0);
	nb_ok(nb_port_try(&port->guest, params, &port->ep));
	nb_ok(nb_endpoint_get_queues(port->ep, port->guest.mem, &config, 1, NULL, &port->queue));
	nb_bufs_init(&port->bufs);
}

void nb_port_open(struct nb_port *port, const struct nb_switch_params *params)
{
	open_port(port, params);
	nb_bufs_post_all(&port->bufs, port->queue);
}

void nb_port_join(struct nb_port *port, const struct nb_port *other,
		  const struct nb_switch_params *params)
{
	struct nb_switch_params join = { 0 };

	if (params)
		join = *params;
	join.flags |= NB_SWITCH_JOIN;
	join.group_fd = nb_endpoint_fd(other->ep);
	nb_port_open(port, &join);
}

void nb_port_close(struct nb_port *port)
{
	nb_queue_close(port->queue);
	nb_endpoint_close(port->ep);
	nb_guest_close(&port->guest);
}

struct nb_tx_segment nb_port_frame(struct nb_port *port, unsigned int page,
				   const struct nb_plan *plan)
{
	uint64_t gpa = NB_TX_GPA + page * NB_PAGE;
	uint32_t len = fill(plan, nb_guest_ptr(&port->guest, gpa, plan->len + 4));
	struct nb_tx_segment segment = nb_tx_packet(gpa, len, page);

	if (plan->beside != NB_NO_VLAN) {
		segment.flags |= NB_TX_VLAN;
		segment.vlan = plan->beside;
	}
	return segment;
}

void nb_port_send(struct nb_port *port, const struct nb_plan *plan, uint32_t status)
{
	struct nb_tx_segment segment = nb_port_frame(port, 0, plan);
	struct nb_tx_completion done;

	nb_ok(nb_queue_tx_avail(port->queue, &segment, 1, NULL));
	if (nb_tx_reap(port->queue, &done, 1) != 1 || done.status != status)
		nb_die("a transmit ended with status %u, not %u", done.status, status);
}

void nb_port_send_many(struct nb_port *port, const struct nb_plan *plan, unsigned int n)
{
	struct nb_tx_segment segments[128];
	unsigned int i;

	if (n > ARRAY_LEN(segments))
		nb_die("%u packets are too many", n);
	for (i = 0; i < n; i++)
		segments[i] = nb_port_frame(port, 0, plan);
	nb_tx_all(port->queue, segments, n);
}

bool nb_port_gets(struct nb_port *port, const struct nb_plan *plan)
{
	unsigned char frame[NB_BUF_SIZE];
	uint32_t len = fill(plan, frame), id;
	const struct nb_rx_metadata *meta;
	bool right;

	if (nb_bufs_reap(&port->bufs, port->queue, &id, 1) != 1) {
		fprintf(stderr, "# nothing came\n");
		return false;
	}
	meta = &port->bufs.meta[id];
	right = meta->status == NB_RX_OK &&
		nb_bufs_equal(&port->bufs, &port->guest, id, frame, len) &&
		(meta->flags & NB_RX_VLAN ? meta->vlan : NB_NO_VLAN) == plan->beside;
	if (!right)
		fprintf(stderr, "# another packet came: %u bytes, flags %u, tag %u\n", meta->len,
			meta->flags, meta->vlan);
	nb_bufs_post(&port->bufs, port->queue, id);
	return right;
}

bool nb_port_silent(struct nb_port *port)
{
	return !nb_port_drain(port);
}

unsigned int nb_port_drain(struct nb_port *port)
{
	struct nb_rx_metadata meta;
	unsigned int n = 0;

	while (nb_ok(nb_queue_rx_poll(port->queue, &meta, 1))) {
		nb_bufs_post(&port->bufs, port->queue, meta.id);
		n++;
	}
	return n;
}

/* ---- drops --------------------------------------------------------------- */

/* What the tracepoint says of a port's drops. */
static uint64_t traced_drops(const struct nb_trace *trace, uint32_t endpoint, int counter)
{
	static const char *const names[] = {
		[NB_A_DROP_NO_BUFFER] = "NO_BUFFER",
		[NB_A_DROP_TOO_SMALL] = "TOO_SMALL",
		[NB_A_DROP_DOWN] = "DOWN",
		[NB_A_DROP_VLAN] = "VLAN",
		[NB_A_DROP_ISOLATED] = "ISOLATED",
		[NB_A_DROP_FLOOD_LIMIT] = "FLOOD_LIMIT",
		[NB_A_DROP_SOURCE] = "SOURCE",
		[NB_A_DROP_SAME_PORT] = "SAME_PORT",
	};
	uint64_t sum = 0;
	char words[64];
	int queue;

	/* Of the port's queue, or of the port. */
	for (queue = -1; queue < 1; queue++) {
		snprintf(words, sizeof(words), " endpoint=%u queue=%d direction=%s reason=%s ",
			 endpoint, queue, counter < NB_A_DROP_VLAN ? "rx" : "tx", names[counter]);
		sum += nb_trace_sum(trace, "nb_drop", words, "packets");
	}
	return sum;
}

struct told_drops {
	uint32_t endpoint;
	bool found;
	uint64_t n[NB_A_DROP_MAX + 1];
};

static void see_port(const struct nlattr *const *port, void *data)
{
	const struct nlattr *nest = port[NB_A_PORT_DROPS], *drops[NB_GENL_ATTRS];
	struct told_drops *told = data;
	int i;

	if (nb_genl_u32(port[NB_A_PORT_ENDPOINT_ID]) != told->endpoint)
		return;
	told->found = true;
	nb_genl_parse(nb_genl_payload(nest), nest->nla_len - NLA_HDRLEN, drops);
	for (i = NB_A_DROP_PAD + 1; i <= NB_A_DROP_MAX; i++) {
		if (!drops[i])
			nb_die("no counter %d", i);
		told->n[i] = nb_genl_u64(drops[i]);
	}
}

bool nb_port_drops_are(struct nb_genl *client, const struct nb_trace *trace, uint32_t endpoint,
		       int reason, uint64_t n)
{
	struct nb_genl_request request = nb_genl_request(client->family, NB_CMD_SWITCH_PORT_GET,
							 NLM_F_DUMP);
	struct told_drops told = { .endpoint = endpoint };
	bool right = true;
	int i;

	nb_ok(nb_genl_talk(client, &request, see_port, &told));
	if (!told.found)
		nb_die("endpoint %u is no port", endpoint);
	for (i = NB_A_DROP_PAD + 1; i <= NB_A_DROP_MAX; i++) {
		uint64_t is = told.n[i], traced = traced_drops(trace, endpoint, i);

		if (is == (i == reason ? n : 0) && traced == is)
			continue;
		fprintf(stderr, "# counter %d of endpoint %u is %llu, traced %llu\n", i, endpoint,
			(unsigned long long)is, (unsigned long long)traced);
		right = false;
	}
	return right;
}
