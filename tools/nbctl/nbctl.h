/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nbctl: inspects and controls net_backend
 *
 * A command is a file with a function, and a line in the table in main.c.  Commands
 * get what the kernel knows from objects.c, and are told of events by events.c, both
 * through netlink.c; print.c shows it.
 */
#ifndef NBCTL_H
#define NBCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/net_backend.h>

/* exit statuses */
#define STATUS_OK	0
#define STATUS_FAILED	1
#define STATUS_USAGE	2

/* bytes of a line that says what went wrong */
#define REASON_SIZE	256

/**
 * struct endpoint - what the kernel tells about an endpoint
 * @id: its number
 * @kind: name of its kind
 * @name: its name, or empty
 * @ifindex: its net_device, or 0
 * @mac: its Ethernet address
 * @has_mac: the kernel has told @mac
 * @mtu: its MTU, or 0
 * @properties: of &enum nb_endpoint_properties
 * @tx_offloads: of &enum nb_tx_offloads
 * @max_queues: most queues
 * @n_queues: queues that exist
 * @table_size: entries of its indirection table, or 0
 * @link_speed: bits per second
 * @pid: process that made it, or 0
 * @link_wanted: the operator has not set its link down
 */
struct endpoint {
	uint32_t id;
	char kind[NB_KIND_LEN];
	char name[NB_NAME_LEN];
	uint32_t ifindex;
	uint8_t mac[6];
	bool has_mac;
	uint32_t mtu;
	uint32_t properties;
	uint32_t tx_offloads;
	uint32_t max_queues;
	uint32_t n_queues;
	uint32_t table_size;
	uint64_t link_speed;
	uint32_t pid;
	bool link_wanted;
};

/**
 * struct ring - what the kernel tells about a ring
 * @entries: entries of the ring, 0 if the kernel has not told
 * @producer: the producer's index
 * @consumer: the consumer's index
 */
struct ring {
	uint32_t entries;
	uint32_t producer;
	uint32_t consumer;
};

/**
 * struct queue - what the kernel tells about a queue
 * @endpoint_id: its endpoint
 * @index: its number
 * @state: of &enum nb_queue_state
 * @target_cpu: the CPU that it serves, or NB_ANY_CPU
 * @rings: by &enum nb_ring_id
 * @stats: its counters, by &enum nb_stats_attr
 */
struct queue {
	uint32_t endpoint_id;
	uint32_t index;
	uint32_t state;
	uint32_t target_cpu;
	struct ring rings[NB_N_RINGS];
	uint64_t stats[NB_A_STATS_MAX + 1];
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
 * struct netlink - a connection to net_backend
 * @socket: the socket
 * @family: number of the family
 * @events_group: number of the multicast group that events go to, or 0
 * @port: address of the socket
 * @sequence: number of the last request
 * @reason: what went wrong, in words
 */
struct netlink {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t events_group;
	unsigned int port;
	uint32_t sequence;
	char reason[REASON_SIZE];
};

/**
 * struct command - a command of nbctl
 * @name: its name
 * @arguments: how to use it
 * @help: what it does
 * @run: does it, with argv[0] being @name; returns the exit status
 */
struct command {
	const char *name;
	const char *arguments;
	const char *help;
	int (*run)(int argc, char **argv);
};

/**
 * typedef event_callback - is told of an event
 * @event: of &enum nb_endpoint_event
 * @endpoint: the endpoint as it was then
 * @data: the callback's own
 *
 * Return: 0, or what events_receive() is to return.
 */
typedef int (*event_callback)(uint32_t event, const struct endpoint *endpoint, void *data);

/* bytes that a request has room in */
#define REQUEST_SIZE	1024

/* main.c APIs: */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool asks_for_help(int argc, char **argv, const char *usage);
int usage_error(const char *command, const char *word);

/* the commands: */
int connect_main(int argc, char **argv);
int disconnect_main(int argc, char **argv);
int link_main(int argc, char **argv);
int monitor_main(int argc, char **argv);
int show_main(int argc, char **argv);
int switch_main(int argc, char **argv);

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

/* objects.c APIs: */
void objects_parse_endpoint(const struct nlmsghdr *nlh, struct endpoint *endpoint);
int objects_find(const char *which, struct endpoint *endpoint);
int objects_get(struct objects *objects, const char *which, bool with_queues);
void objects_free(struct objects *objects);

/* print.c APIs: */
void print_endpoint_line(const struct endpoint *endpoint);
void print_endpoint(const struct endpoint *endpoint);
void print_queue(const struct endpoint *endpoint, const struct queue *queue, bool nested);

#endif /* NBCTL_H */
