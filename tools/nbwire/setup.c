// SPDX-License-Identifier: GPL-2.0
/*
 * Makes endpoints, guest memory and queues, and takes them down
 *
 * Guest memory is one memfd in two regions with a gap between them, as in a PC: the
 * buffers of the first endpoint are below 4 GiB, those of the second above.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nbwire.h"

#define DEFAULT_BUFFER_SIZE	2048
#define LOW_GPA			0x00100000ull
#define HIGH_GPA		0x100000000ull
/* an Ethernet header, and two VLAN tags */
#define FRAME_OVERHEAD		(14 + 2 * 4)
/* as most NICs have it; enough for two IPv6 addresses and two ports */
#define RSS_KEY_LEN		40

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static int create_endpoint(struct nb *nb, struct end *end, const struct options *options)
{
	if (spec_create(&end->spec, nb, (uint16_t)options->queues, &end->ep))
		return -1;
	return ask_endpoint(end, options);
}

/* Learn what an endpoint can do; says what is wrong, and returns -1, if something is. */
int ask_endpoint(struct end *end, const struct options *options)
{
	int err = nb_endpoint_get_info(end->ep, &end->info);

	if (err) {
		complain("%s: %s", end->spec.text, err != -ENODEV ? nb_error() :
			 "its backend has left: start nbwire again when it is back");
		return -1;
	}
	if (end->info.max_queues < options->queues) {
		complain("%s: has at most %u queues; use a smaller -q", end->spec.text,
			 end->info.max_queues);
		return -1;
	}
	return 0;
}

/* What one end may leave undone, because the other does it. */
uint32_t choose_flags(const struct options *options, const struct end *other)
{
	const uint32_t checksums = NB_OFFLOAD_TCP | NB_OFFLOAD_UDP;
	uint32_t offloads = other->info.tx_offloads, flags = 0;

	if (!options->offloads || (offloads & checksums) != checksums)
		return 0;
	flags |= NB_QUEUE_RX_CHECKSUM;
	if (offloads & NB_OFFLOAD_TSO)
		flags |= NB_QUEUE_RX_TCP_SEGMENTATION;
	if (offloads & NB_OFFLOAD_USO)
		flags |= NB_QUEUE_RX_UDP_SEGMENTATION;
	return flags;
}

static void choose_offloads(struct wire *wire)
{
	int i;

	for (i = 0; i < N_ENDS; i++) {
		wire->ends[i].queue_flags = choose_flags(&wire->options, &wire->ends[!i]);
		if (wire->options.offloads && !wire->ends[i].queue_flags)
			complain("%s: has no offloads; packets for it come complete",
				 wire->ends[!i].spec.text);
	}
}

/* The longest packet that can come, whatever backend the two endpoints have. */
static uint32_t longest_packet(const struct wire *wire)
{
	uint32_t i, need, longest = 0;

	if (wire->options.offloads)
		return NB_MAX_PACKET_LEN;
	for (i = 0; i < N_ENDS; i++) {
		need = wire->ends[i].info.mtu + FRAME_OVERHEAD;
		if (longest < need)
			longest = need;
	}
	return longest < NB_MAX_PACKET_LEN ? longest : NB_MAX_PACKET_LEN;
}

void check_sizes(const struct wire *wire)
{
	uint32_t size = wire->options.buffer_size, longest = longest_packet(wire);

	if (size < longest)
		complain("buffers of %u bytes lose the longest of frames up to %u: use a larger -s",
			 size, longest);
}

/* Choose what the command line leaves open, now that the endpoints are known. */
static void choose_sizes(struct wire *wire)
{
	struct options *options = &wire->options;
	uint32_t longest = longest_packet(wire);

	if (!options->buffer_size)
		options->buffer_size = longest <= DEFAULT_BUFFER_SIZE ?
			DEFAULT_BUFFER_SIZE : (uint32_t)round_up(longest, 64);
	check_sizes(wire);

	if (!options->ring_entries) {
		options->ring_entries = NB_MIN_RING_ENTRIES;
		while (options->ring_entries < options->buffers)
			options->ring_entries *= 2;
	}
}

static int create_memory(struct nb *nb, struct wire *wire)
{
	const struct options *options = &wire->options;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size;
	int err, fd, i;

	/* the same number of buffers for each endpoint */
	size = round_up((uint64_t)options->queues * options->buffers * options->buffer_size,
			page);
	wire->ends[0].gpa = LOW_GPA;
	wire->ends[1].gpa = LOW_GPA + size < HIGH_GPA ? HIGH_GPA :
			    round_up(LOW_GPA + 2 * size, page);

	/* pinning what there is not would end other processes, too */
	if (N_ENDS * size / page > (uint64_t)sysconf(_SC_PHYS_PAGES)) {
		complain("%u buffers of %u bytes exceed this machine's memory; use a smaller -b",
			 N_ENDS * options->queues * options->buffers, options->buffer_size);
		return -1;
	}
	fd = memfd_create("nbwire", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)(N_ENDS * size))) {
		complain("no memory for %u buffers: %s; use a smaller -b",
			 N_ENDS * options->queues * options->buffers, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	err = nb_memory_create(nb, &wire->mem);
	for (i = 0; i < N_ENDS && !err; i++)
		err = nb_memory_add_fd(wire->mem, wire->ends[i].gpa, fd, (uint64_t)i * size,
				       size, 0);
	if (err)
		complain("guest memory: %s", nb_error());
	close(fd);
	return err;
}

/*
 * Spread flows over the queues.  With 16 bits that repeat as the key, a flow has the same
 * hash in both directions: one thread moves all of it.
 */
static void fill_rss(struct nb_rss_config *rss, uint8_t *key, uint16_t *table,
		     const struct end *end, unsigned int queues)
{
	uint32_t i, n = end->info.indirection_table_size;

	if (n > NB_MAX_RSS_TABLE_LEN)
		n = NB_MAX_RSS_TABLE_LEN;

	for (i = 0; i < RSS_KEY_LEN; i += 2) {
		key[i] = 0x6d;
		key[i + 1] = 0x5a;
	}
	for (i = 0; i < n; i++)
		table[i] = (uint16_t)(i % queues);
	*rss = (struct nb_rss_config){
		.key = (uintptr_t)key,
		.key_len = RSS_KEY_LEN,
		.table = (uintptr_t)table,
		.table_len = n,
	};
}

int create_queues(struct wire *wire, struct end *end)
{
	bool rss = wire->options.rss && end->info.indirection_table_size;
	const struct options *options = &wire->options;
	uint16_t table[NB_MAX_RSS_TABLE_LEN];
	struct nb_queue_config *configs;
	struct nb_rss_config config;
	uint8_t key[RSS_KEY_LEN];
	unsigned int i;
	int err;

	configs = calloc(options->queues, sizeof(*configs));
	end->queues = calloc(options->queues, sizeof(struct nb_queue *));
	if (!configs || !end->queues) {
		complain("no memory");
		free(configs);
		return -1;
	}
	for (i = 0; i < options->queues; i++) {
		configs[i].tx_avail_entries = options->ring_entries;
		configs[i].tx_done_entries = options->ring_entries;
		configs[i].rx_avail_entries = options->ring_entries;
		configs[i].rx_done_entries = options->ring_entries;
		configs[i].target_cpu = NB_ANY_CPU;
		configs[i].flags = end->queue_flags;
	}
	if (rss)
		fill_rss(&config, key, table, end, options->queues);
	else if (options->rss)
		complain("%s: has no RSS; it spreads packets as it likes", end->spec.text);
	err = nb_endpoint_get_queues(end->ep, wire->mem, configs, options->queues,
				     rss ? &config : NULL, end->queues);
	if (err)
		complain("%s: %s", end->spec.text, nb_error());
	free(configs);
	return err;
}

void close_queues(const struct wire *wire, struct end *end)
{
	unsigned int i;

	for (i = 0; end->queues && i < wire->options.queues; i++)
		nb_queue_close(end->queues[i]);
	free(end->queues);
	end->queues = NULL;
}

/* Join each queue of one end to that of the other, both ways. */
void join_queues(struct wire *wire)
{
	unsigned int i, j;

	for (i = 0; i < wire->options.queues; i++) {
		for (j = 0; j < N_ENDS; j++) {
			struct nb_queue **queues = wire->ends[j].queues;
			struct nb_queue *queue = queues ? queues[i] : NULL;

			wire->workers[i].directions[j].from = queue;
			wire->workers[i].directions[!j].to = queue;
		}
	}
}

static int create_directions(struct wire *wire)
{
	const struct options *options = &wire->options;
	unsigned int i, j;

	wire->workers = aligned_alloc(_Alignof(struct worker),
				      options->queues * sizeof(*wire->workers));
	if (!wire->workers) {
		complain("no memory");
		return -1;
	}
	memset(wire->workers, 0, options->queues * sizeof(*wire->workers));
	for (i = 0; i < options->queues; i++) {
		wire->workers[i].wire = wire;
		wire->workers[i].index = i;
		for (j = 0; j < N_ENDS; j++) {
			struct direction *direction = &wire->workers[i].directions[j];

			direction->from_end = &wire->ends[j];
			direction->to_end = &wire->ends[!j];
			direction->mem = wire->mem;
			direction->gpa = wire->ends[j].gpa +
				(uint64_t)i * options->buffers * options->buffer_size;
			if (direction_init(direction, options))
				return -1;
		}
	}
	return 0;
}

/* Make all buffers available that are not. */
int post_buffers(struct wire *wire)
{
	unsigned int i, j;
	char error[REASON_SIZE];

	for (i = 0; i < wire->options.queues; i++) {
		for (j = 0; j < N_ENDS; j++) {
			if (direction_post(&wire->workers[i].directions[j], error)) {
				complain("%s", error);
				return -1;
			}
		}
	}
	return 0;
}

/*
 * Make everything, up to buffers that are available; says what is wrong, and returns
 * nonzero, if something is.  cleanup() is needed in any case.
 */
int setup(struct wire *wire)
{
	struct nb *nb;
	int err = 0, i;

	wire->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	wire->failed_fd = eventfd(0, EFD_CLOEXEC);
	if (wire->stop_fd < 0 || wire->failed_fd < 0) {
		complain("no eventfd: %s", strerror(errno));
		return -1;
	}
	if (nb_open(&nb)) {
		complain("%s", nb_error());
		return -1;
	}
	for (i = 0; i < N_ENDS && !err; i++)
		err = create_endpoint(nb, &wire->ends[i], &wire->options);
	if (!err) {
		choose_offloads(wire);
		choose_sizes(wire);
		err = create_memory(nb, wire);
	}
	nb_close(nb);
	for (i = 0; i < N_ENDS && !err; i++)
		err = create_queues(wire, &wire->ends[i]);
	if (!err)
		err = create_directions(wire);
	if (err)
		return err;
	join_queues(wire);
	return post_buffers(wire);
}

void cleanup(struct wire *wire)
{
	unsigned int i, j;

	for (i = 0; wire->workers && i < wire->options.queues; i++) {
		for (j = 0; j < N_ENDS; j++)
			direction_free(&wire->workers[i].directions[j]);
	}
	free(wire->workers);
	for (j = 0; j < N_ENDS; j++) {
		close_queues(wire, &wire->ends[j]);
		nb_endpoint_close(wire->ends[j].ep);
	}
	nb_memory_close(wire->mem);
	if (wire->stop_fd >= 0)
		close(wire->stop_fd);
	if (wire->failed_fd >= 0)
		close(wire->failed_fd);
}
