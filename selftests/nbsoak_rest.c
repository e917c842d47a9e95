// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a process has nothing to do with the queues that it has, by what their rings say,
 * and an interface nothing to send, by its queueing discipline: so somebody who has no CPU for
 * a while is not taken for somebody who has finished.
 */
#include <stdio.h>
#include <string.h>

#include "nbgenl.h"
#include "nbsoak_cells.h"

#define MAX_ENDPOINTS	4

struct rest {
	uint32_t pid;
	uint32_t buffers;		/* of a queue */
	uint32_t endpoints[MAX_ENDPOINTS];
	unsigned int n_endpoints;
	unsigned int n_queues;
	bool rests;
};

static void note_endpoint(const struct nlattr *const *attributes, void *data)
{
	struct rest *rest = data;

	if (nb_genl_u32(attributes[NB_A_ENDPOINT_PID]) == rest->pid &&
	    rest->n_endpoints < MAX_ENDPOINTS)
		rest->endpoints[rest->n_endpoints++] = nb_genl_u32(attributes[NB_A_ENDPOINT_ID]);
}

static bool is_its(const struct rest *rest, uint32_t endpoint)
{
	unsigned int i;

	for (i = 0; i < rest->n_endpoints; i++)
		if (rest->endpoints[i] == endpoint)
			return true;
	return false;
}

struct indices {
	uint32_t producer[NB_N_RINGS];
	uint32_t consumer[NB_N_RINGS];
};

/* The rings follow one another, and are all there is between their first and their last. */
static void read_rings(const struct nlattr *const *attributes, struct indices *indices)
{
	const struct nlattr *ring = attributes[NB_A_QUEUE_ENDPOINT_ID], *inner[NB_GENL_ATTRS];
	uint32_t id;

	for (; ring <= attributes[NB_A_QUEUE_RING];
	     ring = (const void *)ring + NLA_ALIGN(ring->nla_len)) {
		if ((ring->nla_type & NLA_TYPE_MASK) != NB_A_QUEUE_RING)
			continue;
		nb_genl_parse(nb_genl_payload(ring), ring->nla_len - NLA_HDRLEN, inner);
		id = nb_genl_u32(inner[NB_A_RING_ID]);
		if (id >= NB_N_RINGS)
			nb_die("there is no ring %u", id);
		indices->producer[id] = nb_genl_u32(inner[NB_A_RING_PRODUCER]);
		indices->consumer[id] = nb_genl_u32(inner[NB_A_RING_CONSUMER]);
	}
}

/* Nothing is under way, and the kernel has all buffers. */
static void look_at_queue(const struct nlattr *const *attributes, void *data)
{
	struct indices at = { 0 };
	struct rest *rest = data;

	if (!is_its(rest, nb_genl_u32(attributes[NB_A_QUEUE_ENDPOINT_ID])))
		return;
	read_rings(attributes, &at);
	rest->n_queues++;
	rest->rests &= at.producer[NB_RING_TX_AVAIL] == at.consumer[NB_RING_TX_AVAIL] &&
		       at.producer[NB_RING_TX_DONE] == at.consumer[NB_RING_TX_DONE] &&
		       at.producer[NB_RING_RX_DONE] == at.consumer[NB_RING_RX_DONE] &&
		       at.producer[NB_RING_RX_AVAIL] - at.consumer[NB_RING_RX_DONE] ==
		       rest->buffers;
}

/* A process whose receive rings have that many buffers of one segment each. */
bool nb_soak_rests(pid_t pid, uint32_t buffers)
{
	struct rest rest = { .pid = pid, .buffers = buffers, .rests = true };
	struct nb_genl_request request;
	struct nb_genl client;

	nb_genl_open(&client);
	request = nb_genl_request(client.family, NB_CMD_ENDPOINT_GET, NLM_F_DUMP);
	nb_ok(nb_genl_talk(&client, &request, note_endpoint, &rest));
	request = nb_genl_request(client.family, NB_CMD_QUEUE_GET, NLM_F_DUMP);
	nb_ok(nb_genl_talk(&client, &request, look_at_queue, &rest));
	nb_genl_close(&client);
	return rest.rests && rest.n_queues;
}

/* Packets that wait in the queueing disciplines of an interface of this network namespace. */
unsigned int nb_soak_backlog(const char *name)
{
	unsigned int bytes, packets, sum = 0;
	char line[256];
	FILE *tc;

	snprintf(line, sizeof(line), "tc -s qdisc show dev %s", name);
	tc = popen(line, "re");
	if (!tc)
		nb_die("tc cannot be run");
	while (fgets(line, sizeof(line), tc))
		if (sscanf(line, " backlog %ub %up", &bytes, &packets) == 2)
			sum += packets;
	if (pclose(tc))
		nb_die("tc: %s", name);
	return sum;
}
