// SPDX-License-Identifier: GPL-2.0
/*
 * Endpoints and queues as text, in the manner of "ip -s link"
 */
#include <inttypes.h>
#include <stdio.h>

#include "nbctl.h"

/**
 * struct bit_name - a bit's name
 * @bit: the bit
 * @name: its name
 */
struct bit_name {
	uint32_t bit;
	const char *name;
};

static const struct bit_name property_names[] = {
	{ NB_ENDPOINT_ORDERED,			"ordered" },
	{ NB_ENDPOINT_TX_FAST_COMPLETIONS,	"tx_fast_completions" },
	{ }
};

static const struct bit_name offload_names[] = {
	{ NB_OFFLOAD_IPV4_HEADER,	"ipv4_header" },
	{ NB_OFFLOAD_TCP,		"tcp" },
	{ NB_OFFLOAD_UDP,		"udp" },
	{ NB_OFFLOAD_TSO,		"tso" },
	{ NB_OFFLOAD_USO,		"uso" },
	{ }
};

static const char * const ring_names[NB_N_RINGS] = {
	[NB_RING_TX_AVAIL]	= "tx-avail",
	[NB_RING_TX_DONE]	= "tx-done",
	[NB_RING_RX_AVAIL]	= "rx-avail",
	[NB_RING_RX_DONE]	= "rx-done",
};

/**
 * struct column - a counter in a line of them
 * @stat: of &enum nb_stats_attr, 0 in the last
 * @name: its name
 */
struct column {
	enum nb_stats_attr stat;
	const char *name;
};

static const struct column tx_columns[] = {
	{ NB_A_STATS_TX_PACKETS,	"packets" },
	{ NB_A_STATS_TX_BYTES,		"bytes" },
	{ NB_A_STATS_TX_VLAN_PACKETS,	"vlan" },
	{ NB_A_STATS_TX_ERRORS,		"errors" },
	{ NB_A_STATS_TX_DROPPED,	"dropped" },
	{ }
};

static const struct column rx_columns[] = {
	{ NB_A_STATS_RX_PACKETS,	"packets" },
	{ NB_A_STATS_RX_BYTES,		"bytes" },
	{ NB_A_STATS_RX_VLAN_PACKETS,	"vlan" },
	{ NB_A_STATS_RX_ERRORS,		"errors" },
	{ NB_A_STATS_RX_TOO_SMALL,	"too-small" },
	{ NB_A_STATS_RX_NO_BUFFER,	"no-buffer" },
	{ }
};

static const struct column call_columns[] = {
	{ NB_A_STATS_ENTERS,		"enters" },
	{ NB_A_STATS_KICKS,		"kicks" },
	{ NB_A_STATS_NOTIFIES,		"notifies" },
	{ }
};

/* Print the names of the bits that are set, if any, after @title. */
static void print_bits(const char *title, uint32_t bits, const struct bit_name *names)
{
	const char *separator = "";

	if (!bits)
		return;
	printf(" %s ", title);
	for (; names->name; names++) {
		if (!(bits & names->bit))
			continue;
		printf("%s%s", separator, names->name);
		separator = ",";
		bits &= ~names->bit;
	}
	if (bits)	/* of a later module */
		printf("%s%#x", separator, bits);
}

static void print_speed(uint64_t bits_per_second)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = {
		{ 1000000000, "Gbit/s" }, { 1000000, "Mbit/s" }, { 1000, "kbit/s" },
		{ 1, "bit/s" },
	};
	int i = 0;

	if (!bits_per_second)
		return;
	while (bits_per_second % units[i].unit)
		i++;
	printf(" speed %" PRIu64 "%s", bits_per_second / units[i].unit, units[i].name);
}

static const char *name_of(const struct endpoint *endpoint)
{
	return endpoint->name[0] ? endpoint->name : "-";
}

/* What is most important, as one line without its end. */
void print_endpoint_line(const struct endpoint *endpoint)
{
	printf("%" PRIu32 ": %s: kind %s %s link %s", endpoint->id, name_of(endpoint),
	       endpoint->kind,
	       endpoint->properties & NB_ENDPOINT_CONNECTED ? "connected" : "disconnected",
	       endpoint->properties & NB_ENDPOINT_LINK_UP ? "up" : "down");
	if (!endpoint->link_wanted)
		printf(" set-down");
	if (endpoint->mtu)
		printf(" mtu %" PRIu32, endpoint->mtu);
	printf(" queues %" PRIu32 "/%" PRIu32, endpoint->n_queues, endpoint->max_queues);
	if (endpoint->pid)
		printf(" pid %" PRIu32, endpoint->pid);
}

void print_endpoint(const struct endpoint *endpoint)
{
	const uint8_t *m = endpoint->mac;
	uint32_t properties = endpoint->properties &
			      ~(uint32_t)(NB_ENDPOINT_LINK_UP | NB_ENDPOINT_CONNECTED);

	print_endpoint_line(endpoint);
	printf("\n   ");
	if (endpoint->has_mac)
		printf(" mac %02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		       m[5]);
	if (endpoint->ifindex)
		printf(" ifindex %" PRIu32, endpoint->ifindex);
	print_speed(endpoint->link_speed);
	if (endpoint->table_size)
		printf(" rss-table %" PRIu32, endpoint->table_size);
	printf("\n");

	if (properties || endpoint->tx_offloads) {
		printf("   ");
		print_bits("properties", properties, property_names);
		print_bits("offloads", endpoint->tx_offloads, offload_names);
		printf("\n");
	}
}

static void print_ring(const char *name, const struct ring *ring)
{
	uint32_t used = ring->producer - ring->consumer;

	/* the frontend's index may be anything, and the two are not read at once */
	if (used > ring->entries)
		printf(" %s ?/%" PRIu32, name, ring->entries);
	else
		printf(" %s %" PRIu32 "/%" PRIu32, name, used, ring->entries);
}

static void print_columns(const char *title, const struct column *columns,
			  const uint64_t *stats)
{
	const struct column *column;

	printf("        %-3s", title);
	for (column = columns; column->name; column++)
		printf(" %*s", column == columns + 1 ? 15 : 12, column->name);
	printf("\n           ");
	for (column = columns; column->name; column++)
		printf(" %*" PRIu64, column == columns + 1 ? 15 : 12, stats[column->stat]);
	printf("\n");
}

static void print_state(uint32_t state)
{
	switch (state) {
	case NB_QUEUE_RUNNING:
		printf("running");
		break;
	case NB_QUEUE_RESTART:
		printf("needs restart");
		break;
	case NB_QUEUE_FAILED:
		printf("failed");
		break;
	case NB_QUEUE_QUIESCED:
		printf("quiesced");
		break;
	default:
		printf("state %" PRIu32, state);
		break;
	}
}

void print_queue(const struct endpoint *endpoint, const struct queue *queue, bool nested)
{
	int i;

	if (nested)
		printf("    queue %" PRIu32 ": ", queue->index);
	else
		printf("%" PRIu32 ": %s: queue %" PRIu32 ": ", endpoint->id,
		       name_of(endpoint), queue->index);
	print_state(queue->state);
	if (queue->target_cpu != NB_ANY_CPU)
		printf(" cpu %" PRIu32, queue->target_cpu);

	printf("\n       ");
	for (i = 0; i < NB_N_RINGS; i++)
		print_ring(ring_names[i], &queue->rings[i]);
	printf("\n");
	print_columns("TX:", tx_columns, queue->stats);
	print_columns("RX:", rx_columns, queue->stats);
	print_columns("", call_columns, queue->stats);
}
