/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nbbench: what a packet costs, in instructions
 *
 * A path is one way that packets can take, made by one subject: this project or a
 * peer.  A shape is what the packets look like.  Each path is a file that
 * exports its struct path, and a line in the table in main.c; measure.c knows
 * nothing of packets, and a path nothing of repetitions.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define say(format, ...) fprintf(stderr, "nbbench: " format "\n", ##__VA_ARGS__)
#define die(...) do { say(__VA_ARGS__); exit(EXIT_FAILURE); } while (0)

/* For local experiments (IEEE 802): nobody handles it */
#define BENCH_ETHERTYPE	0x88b5

#define SUPER_PACKET	61440u	/* a TCP super-packet, where segmentation can be offloaded */
#define MAX_BATCH	256u

struct shape {
	unsigned int size;	/* bytes of a packet, its Ethernet header included */
	unsigned int batch;	/* packets that are handed over at once */
	unsigned int segments;	/* pieces that a transmitted packet lies in */
};

/**
 * struct path - one way that packets can take
 * @path: what is measured: null, loopback, netdev, …
 * @direction: tx (guest to host), rx (host to guest) or both
 * @subject: whose: net_backend or a peer, which stands under the path it competes with
 * @source: a path whose cost is subtracted, because it is only what brings the packets
 *	here, or NULL
 * @fits: whether this shape makes sense here
 * @open: set everything up; NULL, with what went wrong said, if that is impossible
 * @run: move this number of batches, with the processor never idle, or die()
 * @cost: for a path that something else runs and measures: run, and the nanoseconds;
 *	else NULL
 * @close: take everything down
 */
struct path {
	const char *path;
	const char *direction;
	const char *subject;
	const struct path *source;
	bool (*fits)(const struct shape *shape);
	void *(*open)(const struct shape *shape);
	void (*run)(void *state, unsigned int batches);
	double (*cost)(void *state, unsigned int batches);
	void (*close)(void *state);
};

extern const struct path null_tx;
extern const struct path loopback_both;
extern const struct path switch_both;
extern const struct path netdev_tx;
extern const struct path netdev_bridge_tx;
extern const struct path netdev_bridge_zerocopy_tx;
extern const struct path netdev_rx;
extern const struct path netdev_xdp_tx;
extern const struct path attach_tx;
extern const struct path attach_rx;
extern const struct path attach_rx_floor;
extern const struct path source_dummy;
extern const struct path virtio_tx;
extern const struct path virtio_rx;
extern const struct path virtio_packed_tx;
extern const struct path virtio_packed_rx;
/* peers/ */
extern const struct path tap_tx;
extern const struct path tap_vnet_tx;
extern const struct path tap_xdp_tx;
extern const struct path tap_vnet_xdp_tx;
extern const struct path tap_rx;
extern const struct path tap_vnet_rx;
extern const struct path vhost_tx;
extern const struct path vhost_xdp_tx;
extern const struct path vhost_rx;
extern const struct path vhost_virtio_tx;
extern const struct path vhost_virtio_rx;
extern const struct path macvtap_tx;
extern const struct path macvtap_rx;
extern const struct path af_xdp_tx;
extern const struct path af_xdp_rx;
extern const struct path af_packet_tx;
extern const struct path af_packet_rx;
/* floor.c, pktgen.c */
extern const struct path floor_call;
extern const struct path null_tx_floor;
extern const struct path loopback_floor;
extern const struct path netdev_tx_floor;

/* any.c: shapes that fit, memory or die(), packets */
bool fits_all(const struct shape *shape);
bool fits_one_segment(const struct shape *shape);
void *alloc(size_t n, size_t size);
/* Of a ring that has room for so many, and for 256: a power of two */
unsigned int ring_entries(unsigned int n);
/* MTU of an interface that takes these packets whole */
unsigned int mtu_for(const struct shape *shape);
/* A TCP super-packet over IPv4, whose checksum is to be filled in, to another host */
#define SUPER_L2	14u
#define SUPER_L3	20u
#define SUPER_L4	20u
#define SUPER_PAYLOAD	1448u	/* of each segment that it would be cut into */
bool is_super(const struct shape *shape);
void super_fill(uint8_t *frame, unsigned int size);
/* Header, of an Ethernet type that nobody handles, and a pattern */
void frame_fill(uint8_t *frame, unsigned int size, const uint8_t *to, const uint8_t *from);

/* latency_*.c, peers/: a request and a response, 1 a batch, by programs that sleep */
extern const struct path latency_nb;
extern const struct path latency_tap;
extern const struct path latency_vhost;
extern const struct path latency_floor;

/* measure.c: one path, one shape → one figure */
struct result {
	double median;		/* of the repetitions, in instructions (or ns) a packet */
	double spread;		/* (largest - smallest) / median */
};

/* Nanoseconds that an instruction takes on this machine's clock: 1 if it counts */
double measure_instruction(void);
/* Whether it is 1 */
bool clock_counts(void);
/* 0, or -1 if the path cannot be set up here */
int measure(const struct path *path, const struct shape *shape, unsigned int repetitions,
	    struct result *result);

/* guest.c: a frontend of one queue with packets to send and buffers to fill */
struct guest;

/**
 * struct guest_options - how a guest is made that is not as all others are
 * @regions: regions of its memory; packets and buffers lie in all of them
 * @idle_regions: more regions, of a page each, that nothing lies in
 * @map_flags: for mmap(): huge pages
 * @queues: of its endpoint; packets use the first
 * @queue_flags: of enum nb_queue_flags
 * @mtu: 0 for a kind without one
 */
struct guest_options {
	unsigned int regions;
	unsigned int idle_regions;
	int map_flags;
	unsigned int queues;
	unsigned int queue_flags;
	unsigned int mtu;
};

struct guest *guest_open_with(const char *kind, const struct shape *shape,
			      const struct guest_options *options);
/* mtu: 0 for a kind without one */
struct guest *guest_open(const char *kind, const struct shape *shape, unsigned int mtu);
/* Kind attach, on an interface that is there */
struct guest *guest_open_attached(int ifindex, const struct shape *shape);
/* A port of the private switch that the other one is a port of, NULL: of a new one */
struct guest *guest_open_port(struct guest *other, const struct shape *shape);
void guest_close(struct guest *guest);
int guest_ifindex(const struct guest *guest);
/* Destination and source of the packets to send; else broadcast */
void guest_address(struct guest *guest, const uint8_t *to, const uint8_t *from);
/* The packets to send are TCP super-packets, to be cut and filled in by the host. */
void guest_super_packets(struct guest *guest);
const uint8_t *guest_mac(const struct guest *guest);
void guest_transmit(struct guest *guest);
void guest_receive(struct guest *guest);
/* Sleeps until there is something first */
void guest_receive_asleep(struct guest *guest);

/* source.c: packets out of an AF_PACKET socket, a batch with one system call */
struct source;
struct source *source_open(const struct shape *shape, int ifindex, const uint8_t *to);
void source_close(struct source *source);
void source_send(struct source *source);

/* responder.c: a process that sends each packet of an interface back; ended by its id */
int responder_start(const struct shape *shape, int ifindex);
void responder_stop(int process);

/* link.c: network interfaces */
void link_own_namespace(void);
int link_add(const char *kind, const char *name, unsigned int mtu);
int link_remove(int ifindex);
int link_set_up(int ifindex);
/* Switch it on and wait until it runs */
int link_up(int ifindex);
/* Becomes a port of a bridge */
int link_join(int bridge, int port);
int link_mac(int ifindex, uint8_t *mac);
int link_set_mtu(int ifindex, unsigned int mtu);
/* One that stands on top of another, or 0 */
int link_add_on(const char *kind, const char *name, unsigned int mtu, int lower);
/* In place of what is attached now; flags say how: XDP_FLAGS_… */
int link_attach_xdp(int ifindex, int program, unsigned int flags);

/* pair.c: a pair of veth, both ends up: 0 or -1 */
struct pair {
	int lower;		/* the end that is taken over */
	int other;
};

int pair_open(struct pair *pair, const struct shape *shape);
void pair_close(struct pair *pair);

/* xdp.c: programs, loaded and attached: 0 or -1 */
struct bpf_insn;
union bpf_attr;
int bpf_call(int command, union bpf_attr *attr);
int xdp_attach(int ifindex, const struct bpf_insn *insns, unsigned int n, unsigned int flags);
/* Natively: drops everything */
int xdp_attach_drop(int ifindex);
bool fits_xdp(const struct shape *shape);

#endif /* BENCH_H */
