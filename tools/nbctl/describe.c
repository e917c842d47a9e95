// SPDX-License-Identifier: GPL-2.0
/*
 * What is shown of endpoints, queues, kinds and rates, and how: in the manner of "ip -s link"
 *
 * A table is read from top to bottom, by text and JSON alike.
 */
#include <stddef.h>

#include "nbctl.h"

static const struct value_name property_names[] = {
	{ NB_ENDPOINT_ORDERED,			"ordered" },
	{ NB_ENDPOINT_TX_FAST_COMPLETIONS,	"tx_fast_completions" },
	{ }
};

static const struct value_name offload_names[] = {
	{ NB_OFFLOAD_IPV4_HEADER,	"ipv4_header" },
	{ NB_OFFLOAD_TCP,		"tcp" },
	{ NB_OFFLOAD_UDP,		"udp" },
	{ NB_OFFLOAD_TSO,		"tso" },
	{ NB_OFFLOAD_USO,		"uso" },
	{ }
};

static const struct value_name endpoint_states[] = {
	{ NB_STATE_DISCONNECTED,	"disconnected" },
	{ NB_STATE_CONNECTED,		"connected" },
	{ NB_STATE_DISCONNECTING,	"disconnecting" },
	{ }
};

static const struct value_name link_states[] = {
	{ 0, "down" },
	{ 1, "up" },
	{ }
};

static const struct value_name queue_states[] = {
	{ NB_QUEUE_RUNNING,	"running" },
	{ NB_QUEUE_RESTART,	"needs restart" },
	{ NB_QUEUE_FAILED,	"failed" },
	{ NB_QUEUE_QUIESCED,	"quiesced" },
	{ }
};

/* ---- counters ------------------------------------------------------------ */

#define COUNTER(_attr, _name, _title)						\
	{ .name = _name, .value = VALUE_U64, .before = _title,			\
	  .offset = (_attr) * sizeof(uint64_t) }

static const struct field tx_counters[] = {
	COUNTER(NB_A_STATS_TX_PACKETS, "packets", NULL),
	COUNTER(NB_A_STATS_TX_BYTES, "bytes", NULL),
	COUNTER(NB_A_STATS_TX_VLAN_PACKETS, "vlan", NULL),
	COUNTER(NB_A_STATS_TX_ERRORS, "errors", NULL),
	COUNTER(NB_A_STATS_TX_DROPPED, "dropped", NULL),
	COUNTER(NB_A_STATS_TX_ZEROCOPY, "zerocopy", NULL),
	COUNTER(NB_A_STATS_TX_ZEROCOPY_COPIED, "zerocopy_copied", "zc-copied"),
	{ }
};

static const struct field rx_counters[] = {
	COUNTER(NB_A_STATS_RX_PACKETS, "packets", NULL),
	COUNTER(NB_A_STATS_RX_BYTES, "bytes", NULL),
	COUNTER(NB_A_STATS_RX_VLAN_PACKETS, "vlan", NULL),
	COUNTER(NB_A_STATS_RX_ERRORS, "errors", NULL),
	COUNTER(NB_A_STATS_RX_TOO_SMALL, "too_small", "too-small"),
	COUNTER(NB_A_STATS_RX_NO_BUFFER, "no_buffer", "no-buffer"),
	{ }
};

static const struct field call_counters[] = {
	COUNTER(NB_A_STATS_ENTERS, "enters", NULL),
	COUNTER(NB_A_STATS_KICKS, "kicks", NULL),
	COUNTER(NB_A_STATS_NOTIFIES, "notifies", NULL),
	COUNTER(NB_A_STATS_HELD_BACK, "held_back", "held-back"),
	{ }
};

/* of an array of counters, by &enum nb_stats_attr */
static const struct field counter_groups[] = {
	{ .name = "tx", .value = VALUE_COLUMNS, .before = "TX:", .fields = tx_counters },
	{ .value = VALUE_BREAK, .before = "" },
	{ .name = "rx", .value = VALUE_COLUMNS, .before = "RX:", .fields = rx_counters },
	{ .value = VALUE_BREAK, .before = "" },
	{ .name = "calls", .value = VALUE_COLUMNS, .before = "", .fields = call_counters },
	{ }
};

/* ---- endpoints ----------------------------------------------------------- */

/* What is most important, as one line. */
const struct field endpoint_line_fields[] = {
	{ .name = "id", .value = VALUE_U32, .offset = offsetof(struct endpoint, id),
	  .after = ": " },
	{ .name = "name", .value = VALUE_TEXT, .offset = offsetof(struct endpoint, name),
	  .colour = COLOUR_NAME, .after = ": " },
	{ .name = "kind", .value = VALUE_TEXT, .offset = offsetof(struct endpoint, kind),
	  .before = "kind " },
	{ .name = "state", .value = VALUE_NAME, .offset = offsetof(struct endpoint, state),
	  .before = " ", .colour = COLOUR_STATE, .names = endpoint_states },
	{ .name = "link", .value = VALUE_NAME, .offset = offsetof(struct endpoint, link_up),
	  .before = " link ", .colour = COLOUR_STATE, .names = link_states },
	{ .name = "link_set", .value = VALUE_NAME, .names = link_states,
	  .offset = offsetof(struct endpoint, link_wanted), .before = " set-",
	  .when = WHEN_NOT, .unless = 1 },
	{ .name = "mtu", .value = VALUE_U32, .offset = offsetof(struct endpoint, mtu),
	  .before = " mtu ", .when = WHEN_SET },
	{ .name = "n_queues", .value = VALUE_U32, .before = " queues ",
	  .offset = offsetof(struct endpoint, n_queues) },
	{ .name = "max_queues", .value = VALUE_U32, .before = "/",
	  .offset = offsetof(struct endpoint, max_queues) },
	{ .name = "pid", .value = VALUE_U32, .offset = offsetof(struct endpoint, pid),
	  .before = " pid ", .when = WHEN_SET },
	{ }
};

const struct field endpoint_fields[] = {
	{ .value = VALUE_SAME, .fields = endpoint_line_fields },
	{ .value = VALUE_BREAK, .before = "   " },
	{ .name = "mac", .value = VALUE_MAC, .offset = offsetof(struct endpoint, mac),
	  .before = " mac ", .colour = COLOUR_ADDRESS, .when = WHEN_SET },
	{ .name = "ifindex", .value = VALUE_U32, .offset = offsetof(struct endpoint, ifindex),
	  .before = " ifindex ", .when = WHEN_SET },
	{ .name = "speed", .value = VALUE_SPEED, .before = " speed ", .when = WHEN_SET,
	  .offset = offsetof(struct endpoint, link_speed) },
	{ .name = "rss_table", .value = VALUE_U32, .before = " rss-table ", .when = WHEN_SET,
	  .offset = offsetof(struct endpoint, table_size) },
	{ .name = "disconnects", .value = VALUE_U32, .before = " disconnects ",
	  .offset = offsetof(struct endpoint, n_disconnects), .when = WHEN_SET },
	{ .value = VALUE_BREAK, .before = "   " },
	{ .name = "properties", .value = VALUE_BITS, .names = property_names,
	  .offset = offsetof(struct endpoint, properties), .before = " properties ",
	  .when = WHEN_SET },
	{ .name = "offloads", .value = VALUE_BITS, .names = offload_names,
	  .offset = offsetof(struct endpoint, tx_offloads), .before = " offloads ",
	  .when = WHEN_SET },
	{ .value = VALUE_BREAK, .before = "" },
	{ .name = "stats", .value = VALUE_RECORD, .offset = offsetof(struct endpoint, totals),
	  .when = WHEN_STATS, .fields = counter_groups },
	{ }
};

/* ---- queues -------------------------------------------------------------- */

static const struct field ring_fields[] = {
	{ .name = "used", .value = VALUE_USED, .offset = offsetof(struct ring, used) },
	{ .name = "entries", .value = VALUE_U32, .offset = offsetof(struct ring, entries),
	  .before = "/" },
	{ }
};

#define RING(_id, _name, _title)						\
	{ .name = _name, .value = VALUE_RECORD, .fields = ring_fields,		\
	  .before = _title, .offset = (_id) * sizeof(struct ring) }

/* of an array of rings, by &enum nb_ring_id */
static const struct field rings_fields[] = {
	RING(NB_RING_TX_AVAIL, "tx_avail", " tx-avail "),
	RING(NB_RING_TX_DONE, "tx_done", " tx-done "),
	RING(NB_RING_RX_AVAIL, "rx_avail", " rx-avail "),
	RING(NB_RING_RX_DONE, "rx_done", " rx-done "),
	{ }
};

static const struct value_name notify_names[] = {
	{ NB_NEED_NOTIFY_TX,	"tx" },
	{ NB_NEED_NOTIFY_RX,	"rx" },
	{ }
};

#define MODERATION(_id, _name, _title, _when)					\
	{ .name = _name, .value = VALUE_U32, .before = _title, .when = _when,	\
	  .offset = (_id) * sizeof(uint32_t) }

/* of an array, by &enum nb_moderation_attr */
static const struct field moderation_fields[] = {
	MODERATION(NB_A_MODERATION_TX_USECS, "tx_usecs", " tx-usecs ", WHEN_ALWAYS),
	MODERATION(NB_A_MODERATION_TX_FRAMES, "tx_frames", " tx-frames ", WHEN_SET),
	MODERATION(NB_A_MODERATION_RX_USECS, "rx_usecs", " rx-usecs ", WHEN_ALWAYS),
	MODERATION(NB_A_MODERATION_RX_FRAMES, "rx_frames", " rx-frames ", WHEN_SET),
	{ .name = "adaptive", .value = VALUE_BITS, .names = notify_names, .when = WHEN_SET,
	  .offset = NB_A_MODERATION_ADAPTIVE * sizeof(uint32_t), .before = " adaptive " },
	{ }
};

static const struct field queue_head_fields[] = {
	{ .name = "endpoint", .value = VALUE_U32, .after = ": ",
	  .offset = offsetof(struct queue, endpoint_id) },
	{ .name = "name", .value = VALUE_TEXT, .colour = COLOUR_NAME, .after = ": ",
	  .offset = offsetof(struct queue, endpoint_name) },
	{ }
};

static const struct field queue_state_fields[] = {
	{ .name = "queue", .value = VALUE_U32, .offset = offsetof(struct queue, index),
	  .before = "queue ", .after = ": " },
	{ .name = "state", .value = VALUE_NAME, .offset = offsetof(struct queue, state),
	  .names = queue_states },
	{ .name = "target_cpu", .value = VALUE_U32, .before = " cpu ", .when = WHEN_NOT,
	  .unless = NB_ANY_CPU, .offset = offsetof(struct queue, target_cpu) },
	{ }
};

static const struct field queue_body_fields[] = {
	{ .value = VALUE_SAME, .fields = queue_state_fields },
	{ .value = VALUE_BREAK, .before = "       " },
	{ .name = "rings", .value = VALUE_RECORD, .offset = offsetof(struct queue, rings),
	  .fields = rings_fields },
	{ .value = VALUE_BREAK, .before = "       " },
	{ .name = "moderation", .value = VALUE_RECORD, .before = " moderation",
	  .offset = offsetof(struct queue, moderation), .fields = moderation_fields },
	{ .value = VALUE_BREAK, .before = "" },
	{ .name = "stats", .value = VALUE_RECORD, .offset = offsetof(struct queue, stats),
	  .fields = counter_groups },
	{ }
};

/* What is most important, as one line; an event does not tell its endpoint's name. */
const struct field queue_line_fields[] = {
	{ .name = "endpoint", .value = VALUE_U32, .after = ": ",
	  .offset = offsetof(struct queue, endpoint_id) },
	{ .value = VALUE_SAME, .fields = queue_state_fields },
	{ .name = "moderation", .value = VALUE_RECORD, .before = " moderation",
	  .offset = offsetof(struct queue, moderation), .fields = moderation_fields },
	{ }
};

/* A queue on its own. */
const struct field queue_fields[] = {
	{ .value = VALUE_SAME, .fields = queue_head_fields },
	{ .value = VALUE_SAME, .fields = queue_body_fields },
	{ }
};

/* A queue below its endpoint. */
const struct field nested_queue_fields[] = {
	{ .value = VALUE_SAME, .before = "    ", .fields = queue_body_fields },
	{ }
};

/* The counters of a queue. */
const struct field stats_fields[] = {
	{ .value = VALUE_SAME, .fields = queue_head_fields },
	{ .value = VALUE_SAME, .fields = queue_state_fields },
	{ .value = VALUE_BREAK, .before = "" },
	{ .name = "stats", .value = VALUE_RECORD, .offset = offsetof(struct queue, stats),
	  .fields = counter_groups },
	{ }
};

/* ---- kinds --------------------------------------------------------------- */

const struct field kind_fields[] = {
	{ .name = "name", .value = VALUE_TEXT, .offset = offsetof(struct kind, name),
	  .colour = COLOUR_NAME, .after = ":" },
	{ .name = "module", .value = VALUE_TEXT, .offset = offsetof(struct kind, module),
	  .before = " module " },
	{ .name = "max_queues", .value = VALUE_U32, .before = " max-queues ",
	  .offset = offsetof(struct kind, max_queues) },
	{ .name = "params_size", .value = VALUE_U32, .before = " params-size ",
	  .offset = offsetof(struct kind, params_size), .when = WHEN_SET },
	{ }
};

/* ---- memories ------------------------------------------------------------ */

static const struct value_name memory_properties[] = {
	{ MEMORY_DIRTY_LOG,	"dirty-log" },
	{ }
};

const struct field memory_fields[] = {
	{ .name = "id", .value = VALUE_U32, .offset = offsetof(struct memory, id), .after = ":" },
	{ .name = "size", .value = VALUE_U64, .offset = offsetof(struct memory, size),
	  .before = " size " },
	{ .name = "locked", .value = VALUE_U64, .offset = offsetof(struct memory, locked),
	  .before = " locked " },
	{ .name = "n_regions", .value = VALUE_U32, .before = " regions ",
	  .offset = offsetof(struct memory, n_regions) },
	{ .name = "properties", .value = VALUE_BITS, .before = " ", .when = WHEN_SET,
	  .offset = offsetof(struct memory, properties), .names = memory_properties },
	{ .name = "pid", .value = VALUE_U32, .offset = offsetof(struct memory, pid),
	  .before = " pid ", .when = WHEN_SET },
	{ }
};

static const struct value_name region_properties[] = {
	{ REGION_READ_ONLY,	"read-only" },
	{ }
};

/* All but where it is. */
static const struct field region_body_fields[] = {
	{ .name = "size", .value = VALUE_U64, .offset = offsetof(struct region, len),
	  .before = " size " },
	{ .name = "unit", .value = VALUE_U64, .offset = offsetof(struct region, unit),
	  .before = " unit " },
	{ .name = "locked", .value = VALUE_U64, .offset = offsetof(struct region, locked),
	  .before = " locked " },
	{ .name = "dirty_log", .value = VALUE_U64, .when = WHEN_SET, .before = " dirty-log ",
	  .offset = offsetof(struct region, dirty_log) },
	{ .name = "properties", .value = VALUE_BITS, .before = " ", .when = WHEN_SET,
	  .offset = offsetof(struct region, properties), .names = region_properties },
	{ }
};

/* Below its memory. */
const struct field region_fields[] = {
	{ .name = "gpa", .value = VALUE_ADDRESS, .offset = offsetof(struct region, gpa),
	  .before = "    ", .colour = COLOUR_ADDRESS },
	{ .value = VALUE_SAME, .fields = region_body_fields },
	{ }
};

/* On its own. */
const struct field region_line_fields[] = {
	{ .name = "memory", .value = VALUE_U32, .offset = offsetof(struct region, memory_id),
	  .before = "memory ", .after = ": " },
	{ .name = "gpa", .value = VALUE_ADDRESS, .offset = offsetof(struct region, gpa),
	  .before = "region ", .colour = COLOUR_ADDRESS },
	{ .value = VALUE_SAME, .fields = region_body_fields },
	{ }
};

/* ---- rates --------------------------------------------------------------- */

/* Columns of nbctl top, the most important ones first; above them is @before. */
const struct field rate_fields[] = {
	{ .name = "endpoint", .value = VALUE_U32, .offset = offsetof(struct rate, endpoint_id),
	  .before = "ID" },
	{ .name = "name", .value = VALUE_TEXT, .offset = offsetof(struct rate, name),
	  .before = "NAME", .colour = COLOUR_NAME },
	{ .name = "queue", .value = VALUE_U32, .offset = offsetof(struct rate, queue),
	  .before = "Q" },
	{ .name = "tx_packets", .value = VALUE_RATE, .before = "TX-PKT/s",
	  .offset = offsetof(struct rate, tx_packets) },
	{ .name = "rx_packets", .value = VALUE_RATE, .before = "RX-PKT/s",
	  .offset = offsetof(struct rate, rx_packets) },
	{ .name = "tx_bits", .value = VALUE_RATE, .before = "TX-BIT/s",
	  .offset = offsetof(struct rate, tx_bits) },
	{ .name = "rx_bits", .value = VALUE_RATE, .before = "RX-BIT/s",
	  .offset = offsetof(struct rate, rx_bits) },
	{ .name = "drops", .value = VALUE_RATE, .before = "DROP/s",
	  .offset = offsetof(struct rate, drops) },
	{ .name = "enters", .value = VALUE_RATE, .before = "ENTER/s",
	  .offset = offsetof(struct rate, enters) },
	{ .name = "notifies", .value = VALUE_RATE, .before = "NOTIFY/s",
	  .offset = offsetof(struct rate, notifies) },
	{ }
};
