/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nbctl: inspects and controls net_backend
 *
 * A command is a file with a function, and a line in a table in commands.c.  Commands get
 * what the kernel knows from objects.c, and are told of events by events.c, both through
 * netlink.c.  What they show is described once, by the tables in describe.c, and printed
 * by record.c, as text or as JSON.
 */
#ifndef NBCTL_H
#define NBCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/net_backend_netlink.h>

/* exit statuses */
#define STATUS_OK	0
#define STATUS_FAILED	1
#define STATUS_USAGE	2

/* seconds and nanoseconds */
#define NS_PER_SECOND	1000000000

/**
 * struct options - how all commands are to print
 * @json: as JSON
 * @pretty: JSON over several lines
 * @stats: with counters
 * @colour: with colours
 */
struct options {
	bool json;
	bool pretty;
	bool stats;
	bool colour;
};

extern struct options options;

struct json_object;

/* bytes of a line that says what went wrong */
#define REASON_SIZE	256

/**
 * struct endpoint - what the kernel tells about an endpoint
 * @id: its number
 * @kind: name of its kind
 * @name: its name, or empty
 * @ifindex: its net_device, or 0
 * @mac: its Ethernet address
 * @mtu: its MTU, or 0
 * @properties: of &enum nb_endpoint_properties
 * @tx_offloads: of &enum nb_tx_offloads
 * @max_queues: most queues
 * @n_queues: queues that exist
 * @table_size: entries of its indirection table, or 0
 * @link_speed: bits per second
 * @pid: process that made it, or 0
 * @link_wanted: the operator has not set its link down
 * @link_up: its link is up
 * @state: of &enum nb_endpoint_state
 * @n_disconnects: disconnects that have come to their end
 * @totals: counters of its queues together, by &enum nb_stats_attr
 */
struct endpoint {
	uint32_t id;
	char kind[NB_KIND_LEN];
	char name[NB_NAME_LEN];
	uint32_t ifindex;
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t properties;
	uint32_t tx_offloads;
	uint32_t max_queues;
	uint32_t n_queues;
	uint32_t table_size;
	uint64_t link_speed;
	uint32_t pid;
	uint32_t link_wanted;
	uint32_t link_up;
	uint32_t state;
	uint32_t n_disconnects;
	uint64_t totals[NB_A_STATS_MAX + 1];
};

/**
 * struct ring - what the kernel tells about a ring
 * @entries: entries of the ring, 0 if the kernel has not told
 * @used: entries that are filled, or NOT_KNOWN
 */
struct ring {
	uint32_t entries;
	uint32_t used;
};

/* the frontend's index may be anything, and the two are not read at once */
#define NOT_KNOWN	UINT32_MAX

/**
 * struct queue - what the kernel tells about a queue
 * @endpoint_id: its endpoint
 * @endpoint_name: name of that, or empty
 * @index: its number
 * @state: of &enum nb_queue_state
 * @target_cpu: the CPU that it serves, or NB_ANY_CPU
 * @rings: by &enum nb_ring_id
 * @stats: its counters, by &enum nb_stats_attr
 * @moderation: when the frontend is woken, by &enum nb_moderation_attr
 */
struct queue {
	uint32_t endpoint_id;
	char endpoint_name[NB_NAME_LEN];
	uint32_t index;
	uint32_t state;
	uint32_t target_cpu;
	struct ring rings[NB_N_RINGS];
	uint64_t stats[NB_A_STATS_MAX + 1];
	uint32_t moderation[NB_A_MODERATION_MAX + 1];
};

/**
 * struct objects - endpoints and queues, in the order of their numbers
 * @endpoints: the endpoints
 * @n_endpoints: their number
 * @queues: the queues
 * @n_queues: their number
 */
struct objects {
	struct endpoint *endpoints;
	size_t n_endpoints;
	struct queue *queues;
	size_t n_queues;
};

/**
 * struct kind - what the kernel tells about a kind
 * @name: its name
 * @module: the module that brings it
 * @max_queues: most queues that an endpoint of the kind can have
 * @params_size: bytes of its params, or 0
 */
struct kind {
	char name[NB_KIND_LEN];
	char module[64];
	uint32_t max_queues;
	uint32_t params_size;
};

/* of memories and regions */
#define MEMORY_DIRTY_LOG	1
#define REGION_READ_ONLY	1

/**
 * struct memory - what the kernel tells about a guest's memory
 * @id: its number
 * @pid: process that made it, or 0
 * @n_regions: regions that it has
 * @properties: MEMORY_DIRTY_LOG or 0
 * @size: bytes of them
 * @locked: bytes that count against an RLIMIT_MEMLOCK
 */
struct memory {
	uint32_t id;
	uint32_t pid;
	uint32_t n_regions;
	uint32_t properties;
	uint64_t size;
	uint64_t locked;
};

/**
 * struct region - what the kernel tells about a region of it
 * @memory_id: its memory
 * @properties: REGION_READ_ONLY or 0
 * @gpa: its first guest-physical address
 * @len: bytes
 * @unit: bytes of its pages
 * @locked: bytes that count against an RLIMIT_MEMLOCK
 * @dirty_log: bytes of its dirty log, or 0
 */
struct region {
	uint32_t memory_id;
	uint32_t properties;
	uint64_t gpa;
	uint64_t len;
	uint64_t unit;
	uint64_t locked;
	uint64_t dirty_log;
};

/**
 * struct memories - memories and regions, in the order of their numbers and addresses
 * @memories: the memories
 * @n_memories: their number
 * @regions: the regions
 * @n_regions: their number
 */
struct memories {
	struct memory *memories;
	size_t n_memories;
	struct region *regions;
	size_t n_regions;
};

/**
 * struct rate - what a queue does per second
 * @endpoint_id: its endpoint
 * @name: name of that, or empty
 * @queue: its number
 * @tx_packets: packets from guest to host
 * @rx_packets: packets from host to guest
 * @tx_bits: bits of the former
 * @rx_bits: bits of the latter
 * @drops: packets that were dropped or wrong, either way
 * @enters: calls of the frontend
 * @notifies: times that the frontend was woken
 */
struct rate {
	uint32_t endpoint_id;
	char name[NB_NAME_LEN];
	uint32_t queue;
	uint64_t tx_packets;
	uint64_t rx_packets;
	uint64_t tx_bits;
	uint64_t rx_bits;
	uint64_t drops;
	uint64_t enters;
	uint64_t notifies;
};

/**
 * struct netlink - a connection to net_backend
 * @socket: the socket
 * @family: number of the family, or 0 while the module is not there
 * @events_group: number of the multicast group that events go to, or 0
 * @families_group: number of the group that is told of families coming and going, or 0
 * @port: address of the socket
 * @sequence: number of the last request
 * @loose: what a dump has is good enough, if something changes meanwhile
 * @reason: what went wrong, in words
 */
struct netlink {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t events_group;
	uint32_t families_group;
	unsigned int port;
	uint32_t sequence;
	bool loose;
	char reason[REASON_SIZE];
};

/**
 * struct command - a command of nbctl, or an object that has commands of its own
 * @name: its name; for an object a plural may be said instead
 * @arguments: how to use it
 * @help: what it does
 * @run: does it, with argv[0] being the last word of the command; returns the exit status
 * @verbs: instead of @run, an object's commands; the first one is the default
 */
struct command {
	const char *name;
	const char *arguments;
	const char *help;
	int (*run)(int argc, char **argv);
	const struct command *verbs;
};

/* enum colour - what a colour says */
enum colour { COLOUR_NONE, COLOUR_NAME, COLOUR_ADDRESS, COLOUR_STATE };

/**
 * enum value - what a field holds, and how that looks
 * @VALUE_END: nothing: the last of a table
 * @VALUE_BREAK: nothing: what follows, if anything does, is on a line of its own
 * @VALUE_U32: number
 * @VALUE_U64: number
 * @VALUE_ADDRESS: number, in text to the base of 16
 * @VALUE_USED: number, or NOT_KNOWN
 * @VALUE_TEXT: array of characters
 * @VALUE_MAC: Ethernet address
 * @VALUE_NAME: uint32_t, one of the field's names
 * @VALUE_BITS: uint32_t, some of the field's names
 * @VALUE_SPEED: uint64_t, bits per second
 * @VALUE_RATE: uint64_t, something per second
 * @VALUE_RECORD: several fields
 * @VALUE_SAME: several fields, which JSON has beside the others
 * @VALUE_COLUMNS: several fields of VALUE_U64, with their names above
 */
enum value {
	VALUE_END, VALUE_BREAK, VALUE_U32, VALUE_U64, VALUE_ADDRESS, VALUE_USED, VALUE_TEXT,
	VALUE_MAC, VALUE_NAME, VALUE_BITS, VALUE_SPEED, VALUE_RATE, VALUE_RECORD, VALUE_SAME,
	VALUE_COLUMNS,
};

/**
 * enum when - when a field is shown
 * @WHEN_ALWAYS: always
 * @WHEN_SET: if it is neither 0 nor empty
 * @WHEN_NOT: if it is not &field.unless
 * @WHEN_STATS: with -s
 */
enum when { WHEN_ALWAYS, WHEN_SET, WHEN_NOT, WHEN_STATS };

/**
 * struct value_name - a value's or a bit's name; the last of a table has none
 * @value: the value, or the bit
 * @name: its name
 */
struct value_name {
	uint32_t value;
	const char *name;
};

/**
 * struct field - describes a member of a struct, and how it is shown
 * @name: its name in JSON
 * @value: what it holds
 * @when: when it is shown
 * @colour: what its colour says
 * @unless: for WHEN_NOT
 * @offset: where it is
 * @before: text in front of it; in columns, what stands above it if that is not @name
 * @after: text behind it
 * @names: for VALUE_NAME and VALUE_BITS
 * @fields: for those that have several
 */
struct field {
	const char *name;
	enum value value;
	enum when when;
	enum colour colour;
	uint32_t unless;
	size_t offset;
	const char *before;
	const char *after;
	const struct value_name *names;
	const struct field *fields;
};

/* enum about - what an event is about */
enum about {
	ABOUT_MODULE, ABOUT_ENDPOINT, ABOUT_QUEUE, ABOUT_SWITCH, ABOUT_PORT, ABOUT_MEMORY,
	ABOUT_REGION,
};

/**
 * struct event - something has happened
 * @about: to whom
 * @what: of &enum nb_endpoint_event or those of the other objects, or of those below
 * @object: as it was then: struct endpoint, queue, bridge, port, memory or region; or NULL
 */
struct event {
	enum about about;
	uint32_t what;
	const void *object;
};

/* the module has left, or is there (again) */
#define EVENT_UNLOADED	(UINT32_MAX - 1)
#define EVENT_LOADED	UINT32_MAX
/* nothing of the kernel's: events were lost; this is there */
#define EVENT_LOST	(UINT32_MAX - 2)
#define EVENT_PRESENT	(UINT32_MAX - 3)

/**
 * typedef event_callback - is told of an event
 * @event: the event
 * @data: the callback's own
 *
 * Return: 0, or what events_receive() is to return.
 */
typedef int (*event_callback)(const struct event *event, void *data);

/* bytes that a request has room in */
#define REQUEST_SIZE	1024

/* main.c APIs: */
extern void (*before_complaint)(void);
void complain_where(const char *file, unsigned int line);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool asks_for_help(int argc, char **argv, const char *usage);
int usage_error(const char *command, const char *word);

/* commands.c APIs: */
int commands_run(int argc, char **argv);
void commands_help(void);

/* batch.c APIs: */
int batch_main(const char *file, bool go_on);

/* For qsort(). */
static inline int compare_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* the commands: */
int capture_main(int argc, char **argv);
int connect_main(int argc, char **argv);
int disconnect_main(int argc, char **argv);
int kinds_main(int argc, char **argv);
int memory_main(int argc, char **argv);
int link_main(int argc, char **argv);
int queue_set_main(int argc, char **argv);
int selftest_main(int argc, char **argv);
int monitor_main(int argc, char **argv);
int show_main(int argc, char **argv);
int show_endpoints_main(int argc, char **argv);
int show_queues_main(int argc, char **argv);
int stats_main(int argc, char **argv);
int switch_main(int argc, char **argv);
int top_main(int argc, char **argv);

/* netlink.c APIs: */
int netlink_open(struct netlink *netlink);
void netlink_close(struct netlink *netlink);
struct nlmsghdr *netlink_begin(const struct netlink *netlink, void *buffer, uint8_t cmd);
int netlink_talk(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t callback,
		 void *data);
int netlink_get(struct netlink *netlink, uint8_t cmd, uint16_t id_attr, uint32_t id,
		mnl_cb_t callback, void *data);
int netlink_dump(struct netlink *netlink, uint8_t cmd, uint16_t id_attr,
		 const uint32_t *id, mnl_cb_t callback, void *data);
void netlink_parse(const struct nlmsghdr *nlh, const struct nlattr **attrs, uint16_t max);
void netlink_parse_nested(const struct nlattr *nest, const struct nlattr **attrs,
			  uint16_t max);
uint32_t netlink_u32(const struct nlattr *attr, uint32_t absent);
uint64_t netlink_u64(const struct nlattr *attr);
void netlink_string(const struct nlattr *attr, char *string, size_t size);

/* events.c APIs: */
int events_open(struct netlink *netlink);
int events_receive(struct netlink *netlink, event_callback callback, void *data);
int events_present(enum about about, event_callback callback, void *data);

/* objects.c APIs: */
void objects_parse_endpoint(const struct nlmsghdr *nlh, struct endpoint *endpoint);
void objects_parse_queue(const struct nlmsghdr *nlh, struct queue *queue);
int objects_find(const char *which, struct endpoint *endpoint);
int objects_again(struct netlink *netlink, struct endpoint *endpoint);
int objects_get(struct objects *objects, const char *which, bool with_queues);
void objects_free(struct objects *objects);
int objects_get_kinds(struct kind **kinds, size_t *n);

/* memory.c APIs: */
int memories_get(struct memories *memories, const uint32_t *id);
void memories_free(struct memories *memories);
void memories_parse_memory(const struct nlmsghdr *nlh, struct memory *memory);
void memories_parse_region(const struct nlmsghdr *nlh, struct region *region);

/* describe.c APIs: */
extern const struct field endpoint_line_fields[];
extern const struct field endpoint_fields[];
extern const struct field queue_line_fields[];
extern const struct field queue_fields[];
extern const struct field nested_queue_fields[];
extern const struct field stats_fields[];
extern const struct field kind_fields[];
extern const struct field memory_fields[];
extern const struct field region_fields[];
extern const struct field region_line_fields[];
extern const struct field rate_fields[];

/* record.c APIs: */
void output_begin(void);
void output_record(const struct field *fields, const void *object);
void output_child(const char *list, const struct field *fields, const void *object);
int output_end(void);
void record_text(const struct field *fields, const void *object);
struct json_object *record_json(const struct field *fields, const void *object);
void print_json(struct json_object *json);
const char *value_text(const struct field *field, const void *object, char *buffer,
		       size_t size);

#endif /* NBCTL_H */
