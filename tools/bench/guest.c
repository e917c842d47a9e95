// SPDX-License-Identifier: GPL-2.0
/*
 * A frontend for the bench: one endpoint, one queue, one region of guest memory
 *
 * Guest memory holds one batch of packets to send, and twice a batch of
 * receive buffers.  The list of segments to send is made once, as the peers'
 * iovecs are; receive buffers are given back one by one, by the id they come with.
 * It is never woken: it looks by itself.
 */

#include <errno.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/mman.h>

#include <libnb.h>

#include "bench.h"

#define RAM_GPA		0x100000
#define PAGE		4096u
#define SMALL_BUFFER	2048u
#define LARGE_BUFFER	65536u
/* Looks at a ring, without anything in it, after which what is missing is lost */
#define PATIENCE	100000u

struct guest {
	struct nb *nb;
	struct nb_memory *mem;
	struct nb_endpoint *ep;
	struct nb_queue *queue;		/* the first of the queues */
	struct nb_queue **queues;
	struct guest_options options;
	struct nb_endpoint_info info;
	struct shape shape;
	uint8_t *ram;
	size_t ram_size;

	/* The packets to send: a batch, in slots of slot_size bytes */
	unsigned int slot_size;
	unsigned int n_segments;
	struct nb_tx_segment *segments;
	struct nb_tx_completion *done;

	/* The receive buffers, by id */
	unsigned int n_buffers;
	struct nb_rx_segment *buffers;
	struct nb_rx_segment *again;
	struct nb_rx_metadata *packets;
};

static unsigned int round_up(unsigned int value, unsigned int multiple)
{
	return (value + multiple - 1) / multiple * multiple;
}

/* Bytes from one piece of a packet to the next */
static unsigned int piece_stride(const struct shape *shape)
{
	return round_up((shape->size + shape->segments - 1) / shape->segments, 64);
}

/* Of what mmap() gives with these flags */
static unsigned int page_size(int map_flags)
{
	return map_flags & MAP_HUGETLB ? 1u << (map_flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK) : PAGE;
}

static void lay_out(struct guest *guest)
{
	const struct shape *shape = &guest->shape;
	unsigned int buffer_size = shape->size <= SMALL_BUFFER ? SMALL_BUFFER : LARGE_BUFFER;
	size_t tx_size;
	unsigned int i;

	guest->slot_size = round_up(piece_stride(shape) * shape->segments, SMALL_BUFFER);
	tx_size = round_up(guest->slot_size * shape->batch, PAGE);
	guest->n_segments = shape->batch * shape->segments;
	guest->segments = alloc(guest->n_segments, sizeof(*guest->segments));
	guest->done = alloc(shape->batch, sizeof(*guest->done));

	guest->n_buffers = 2 * shape->batch;
	guest->buffers = alloc(guest->n_buffers, sizeof(*guest->buffers));
	guest->again = alloc(shape->batch, sizeof(*guest->again));
	guest->packets = alloc(shape->batch, sizeof(*guest->packets));
	for (i = 0; i < guest->n_buffers; i++) {
		guest->buffers[i].gpa = RAM_GPA + tx_size + (uint64_t)i * buffer_size;
		guest->buffers[i].len = buffer_size;
		guest->buffers[i].id = i;
	}

	guest->ram_size = round_up(tx_size + guest->n_buffers * buffer_size,
				   page_size(guest->options.map_flags));
	guest->ram = mmap(NULL, guest->ram_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | guest->options.map_flags, -1, 0);
	if (guest->ram == MAP_FAILED)
		die("no memory for a guest of %zu bytes", guest->ram_size);
}

/* Packet number i: its content, in pieces, and its list of segments */
static void write_packet(struct guest *guest, unsigned int i, const uint8_t *frame)
{
	const struct shape *shape = &guest->shape;
	unsigned int piece = (shape->size + shape->segments - 1) / shape->segments;
	unsigned int stride = piece_stride(shape), left = shape->size, k;
	struct nb_tx_segment *segment = guest->segments + i * shape->segments;
	size_t at = (size_t)i * guest->slot_size;

	memset(segment, 0, shape->segments * sizeof(*segment));
	segment->id = i;
	segment->packet_len = shape->size;
	segment->flags = NB_TX_HEAD;
	segment->segment_count = shape->segments;
	for (k = 0; k < shape->segments; k++, segment++) {
		unsigned int len = piece < left ? piece : left;

		memcpy(guest->ram + at, frame + shape->size - left, len);
		segment->gpa = RAM_GPA + at;
		segment->len = len;
		at += stride;
		left -= len;
	}
}

void guest_address(struct guest *guest, const uint8_t *to, const uint8_t *from)
{
	uint8_t *frame = alloc(1, guest->shape.size);
	unsigned int i;

	frame_fill(frame, guest->shape.size, to, from);
	for (i = 0; i < guest->shape.batch; i++)
		write_packet(guest, i, frame);
	free(frame);
}

void guest_super_packets(struct guest *guest)
{
	const struct shape *shape = &guest->shape;
	uint8_t *frame = alloc(1, shape->size);
	unsigned int i;

	super_fill(frame, shape->size);
	for (i = 0; i < shape->batch; i++) {
		struct nb_tx_segment *head = guest->segments + i * shape->segments;

		write_packet(guest, i, frame);
		head->flags |= NB_TX_OFFLOAD_TCP_SEGMENTATION | NB_TX_IS_IPV4;
		head->l2_len = SUPER_L2;
		head->l3_len = SUPER_L3;
		head->l4_len = SUPER_L4;
		head->max_segment_size = SUPER_PAYLOAD;
	}
	free(frame);
}

/* Its memory in as many regions as it is to have, as equal as pages allow */
static int add_regions(struct guest *guest)
{
	unsigned int pages = guest->ram_size / PAGE, n = guest->options.regions, i, k;

	for (i = 0; i < n; i++) {
		size_t from = (size_t)pages * i / n * PAGE;
		size_t to = (size_t)pages * (i + 1) / n * PAGE;

		if (nb_memory_add(guest->mem, RAM_GPA + from, guest->ram + from, to - from, 0) < 0)
			return -1;
	}
	/* The same page again and again: nobody looks at it. */
	for (k = 0; k < guest->options.idle_regions; k++)
		if (nb_memory_add(guest->mem, RAM_GPA + guest->ram_size + (2 * k + 1) * PAGE,
				  guest->ram, PAGE, 0) < 0)
			return -1;
	return 0;
}

static int get_queues(struct guest *guest)
{
	const struct nb_queue_config config = {
		.tx_avail_entries = ring_entries(guest->n_segments),
		.tx_done_entries = ring_entries(guest->n_segments),
		.rx_avail_entries = ring_entries(guest->n_buffers),
		.rx_done_entries = ring_entries(guest->n_buffers),
		.target_cpu = NB_ANY_CPU,
		.flags = guest->options.queue_flags,
	};

	unsigned int n = guest->options.queues, i;
	struct nb_queue_config *configs = alloc(n, sizeof(*configs));
	int err;

	for (i = 0; i < n; i++)
		configs[i] = config;
	guest->queues = alloc(n, sizeof(*guest->queues));
	err = nb_endpoint_get_queues(guest->ep, guest->mem, configs, n, NULL, guest->queues);
	guest->queue = guest->queues[0];
	free(configs);
	return err;
}

static int make_queue(struct guest *guest, const struct nb_endpoint_params *params)
{
	if (nb_open(&guest->nb) < 0 ||
	    nb_memory_create(guest->nb, &guest->mem) < 0 ||
	    add_regions(guest) < 0 ||
	    nb_endpoint_create(guest->nb, params, &guest->ep) < 0 ||
	    nb_endpoint_get_info(guest->ep, &guest->info) < 0 ||
	    get_queues(guest) < 0)
		return -1;

	nb_queue_set_need_notify(guest->queue, 0);
	if (nb_queue_rx_avail(guest->queue, guest->buffers, guest->n_buffers) !=
	    (int)guest->n_buffers)
		return -1;
	return 0;
}

static void free_guest(struct guest *guest)
{
	unsigned int i;

	for (i = 0; guest->queues && i < guest->options.queues; i++)
		nb_queue_close(guest->queues[i]);
	free(guest->queues);
	nb_endpoint_close(guest->ep);
	nb_memory_close(guest->mem);
	nb_close(guest->nb);
	munmap(guest->ram, guest->ram_size);
	free(guest->segments);
	free(guest->done);
	free(guest->buffers);
	free(guest->again);
	free(guest->packets);
	free(guest);
}

static struct guest *open_guest_with(const struct nb_endpoint_params *params,
				     const struct shape *shape,
				     const struct guest_options *options)
{
	struct guest *guest = alloc(1, sizeof(*guest));

	guest->shape = *shape;
	guest->options = *options;
	lay_out(guest);
	guest_address(guest, NULL, NULL);
	if (make_queue(guest, params) < 0) {
		say("%s: %s", params->kind, nb_error());
		free_guest(guest);
		return NULL;
	}
	return guest;
}

static struct guest *open_guest(const struct nb_endpoint_params *params,
				const struct shape *shape)
{
	const struct guest_options options = { .regions = 1, .queues = 1 };

	return open_guest_with(params, shape, &options);
}

struct guest *guest_open_with(const char *kind, const struct shape *shape,
			      const struct guest_options *options)
{
	const struct nb_endpoint_params params = {
		.kind = kind,
		.netns_fd = -1,
		.max_queues = options->queues,
		.mtu = options->mtu,
	};

	return open_guest_with(&params, shape, options);
}

struct guest *guest_open(const char *kind, const struct shape *shape, unsigned int mtu)
{
	const struct guest_options options = { .regions = 1, .queues = 1, .mtu = mtu };

	return guest_open_with(kind, shape, &options);
}

struct guest *guest_open_port(struct guest *other, const struct shape *shape)
{
	const struct nb_switch_params port = {
		.flags = other ? NB_SWITCH_JOIN : 0,
		.group_fd = other ? nb_endpoint_fd(other->ep) : 0,
	};
	const struct nb_endpoint_params params = {
		.kind = "switch",
		.netns_fd = -1,
		.max_queues = 1,
		.kind_params = &port,
		.kind_params_size = sizeof(port),
	};

	return open_guest(&params, shape);
}

struct guest *guest_open_attached(int ifindex, const struct shape *shape)
{
	const struct nb_attach_params attach = {
		.flags = NB_ATTACH_PROMISCUOUS,
		.ifindex = ifindex,
	};
	const struct nb_endpoint_params params = {
		.kind = "attach",
		.netns_fd = -1,
		.max_queues = 1,
		.kind_params = &attach,
		.kind_params_size = sizeof(attach),
	};

	return open_guest(&params, shape);
}

/* A figure for packets that were not taken would be none. */
static void check_counters(struct guest *guest)
{
	struct nb_queue_stats stats = { 0 };

	if (nb_queue_stats(guest->queue, &stats) < 0)
		die("counters: %s", nb_error());
	if (stats.tx_errors || stats.tx_dropped || stats.rx_errors || stats.rx_too_small)
		die("%llu transmits failed, %llu dropped, %llu buffers failed, %llu too small",
		    (unsigned long long)stats.tx_errors, (unsigned long long)stats.tx_dropped,
		    (unsigned long long)stats.rx_errors, (unsigned long long)stats.rx_too_small);
}

void guest_close(struct guest *guest)
{
	check_counters(guest);
	free_guest(guest);
}

int guest_ifindex(const struct guest *guest)
{
	return guest->info.ifindex;
}

const uint8_t *guest_mac(const struct guest *guest)
{
	return guest->info.mac;
}

static void reap_transmits(struct guest *guest, unsigned int pending)
{
	unsigned int idle = 0;
	int n, i;

	while (pending) {
		n = nb_queue_tx_poll(guest->queue, guest->done, guest->shape.batch);
		if (n < 0)
			die("transmit: %s", nb_error());
		for (i = 0; i < n; i++)
			if (guest->done[i].status != NB_TX_OK)
				die("transmit ended with status %u", guest->done[i].status);
		pending -= n;
		idle = n ? 0 : idle + 1;
		if (idle > PATIENCE)
			die("%u transmits were never completed", pending);
	}
}

void guest_transmit(struct guest *guest)
{
	unsigned int posted = 0;
	bool synchronous;
	int n;

	while (posted < guest->n_segments) {
		n = nb_queue_tx_avail(guest->queue, guest->segments + posted,
				      guest->n_segments - posted, &synchronous);
		if (n < 0)
			die("transmit: %s", nb_error());
		posted += n;
		if (!synchronous)
			reap_transmits(guest, n / guest->shape.segments);
	}
}

void guest_receive_asleep(struct guest *guest)
{
	nb_queue_set_need_notify(guest->queue, NB_NEED_NOTIFY_RX);
	while (nb_queue_poll_ready(guest->queue, -1) != 1)
		;
	guest_receive(guest);
}

void guest_receive(struct guest *guest)
{
	unsigned int missing = guest->shape.batch, idle = 0;
	int n, i;

	while (missing) {
		n = nb_queue_rx_poll(guest->queue, guest->packets, missing);
		if (n < 0)
			die("receive: %s", nb_error());
		if (!n) {
			if (++idle > PATIENCE)
				die("%u of %u packets never arrived", missing, guest->shape.batch);
			continue;
		}
		idle = 0;
		for (i = 0; i < n; i++) {
			const struct nb_rx_metadata *packet = guest->packets + i;

			if (packet->status != NB_RX_OK || packet->len != guest->shape.size)
				die("received %u bytes instead of %u, status %u", packet->len,
				    guest->shape.size, packet->status);
			guest->again[i] = guest->buffers[packet->id];
		}
		if (nb_queue_rx_avail(guest->queue, guest->again, n) != n)
			die("receive buffers: %s", nb_error());
		missing -= n;
	}
}
