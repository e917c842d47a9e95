// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl selftest: whether net_backend works on this machine, for who runs it
 *
 * A guest of its own sends packets through an endpoint of kind loopback, and compares what
 * comes back.  It touches no network, and nothing of others.
 */
#include <errno.h>
#include <inttypes.h>
#include <libnb.h>
#include <string.h>
#include <sys/mman.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl selftest\n"
"Sends packets through a loopback endpoint on this machine, compares what comes back, and\n"
"says whether the installation works.  It needs access to /dev/net_backend, and nothing else.\n";

/* the guest: what is sent, and behind it where it is received */
#define ROOM		0x20000u
#define PACKET_GPA	0u
#define BUFFER_GPA	ROOM

/* milliseconds that a packet has; it takes microseconds */
#define PATIENCE	10000

static const uint32_t lengths[] = { 14, 60, 1514, 9014, NB_MAX_PACKET_LEN };

/**
 * struct outcome - what has been found
 * @result: that it works; otherwise nothing is shown but the error
 * @packets: packets that came back as they were
 * @bytes: their sum
 * @longest: bytes of the longest
 */
struct outcome {
	char result[8];
	uint32_t packets;
	uint64_t bytes;
	uint32_t longest;
};

static const struct field outcome_fields[] = {
	{ .name = "selftest", .value = VALUE_TEXT, .before = "net_backend: ", .after = ": ",
	  .offset = offsetof(struct outcome, result) },
	{ .name = "packets", .value = VALUE_U32, .after = " packets came back, ",
	  .offset = offsetof(struct outcome, packets) },
	{ .name = "bytes", .value = VALUE_U64, .after = " bytes, the longest ",
	  .offset = offsetof(struct outcome, bytes) },
	{ .name = "longest", .value = VALUE_U32, .offset = offsetof(struct outcome, longest) },
	{ }
};

/**
 * struct loop - a guest and its queue
 * @nb: the handle
 * @mem: its memory
 * @ep: its endpoint
 * @queue: its queue
 * @ram: the memory here, or MAP_FAILED
 */
struct loop {
	struct nb *nb;
	struct nb_memory *mem;
	struct nb_endpoint *ep;
	struct nb_queue *queue;
	uint8_t *ram;
};

static int loop_open(struct loop *loop)
{
	const struct nb_endpoint_params params = { .kind = "loopback", .netns_fd = -1 };
	const struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };

	loop->ram = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (loop->ram == MAP_FAILED) {
		complain("no memory for a guest: %s", strerror(errno));
		return -1;
	}
	if (nb_open(&loop->nb) < 0 || nb_memory_create(loop->nb, &loop->mem) < 0 ||
	    nb_memory_add(loop->mem, 0, loop->ram, (size_t)2 * ROOM, 0) < 0 ||
	    nb_endpoint_create(loop->nb, &params, &loop->ep) < 0 ||
	    nb_endpoint_get_queues(loop->ep, loop->mem, &config, 1, NULL, &loop->queue) < 0) {
		complain("%s", nb_error());
		return -1;
	}
	return 0;
}

static void loop_close(struct loop *loop)
{
	if (loop->queue)
		nb_queue_close(loop->queue);
	if (loop->ep)
		nb_endpoint_close(loop->ep);
	nb_memory_close(loop->mem);
	nb_close(loop->nb);
	if (loop->ram != MAP_FAILED)
		munmap(loop->ram, (size_t)2 * ROOM);
}

/* Wait for the packet.  Return: 1, 0 if it does not come, or a negative errno. */
static int receive(struct nb_queue *queue, struct nb_rx_metadata *meta)
{
	int n, ready;

	do {
		n = nb_queue_rx_poll(queue, meta, 1);
		if (n)
			return n;
		ready = nb_queue_poll_ready(queue, PATIENCE);
	} while (ready > 0);
	return ready;
}

/* There is one packet on its way at a time; what its completion says is not looked at. */
static int send_one(struct loop *loop, uint32_t len, struct nb_rx_metadata *meta)
{
	const struct nb_rx_segment buffer = { .gpa = BUFFER_GPA, .len = ROOM, .id = len };
	const struct nb_tx_segment packet = {
		.gpa = PACKET_GPA, .len = len, .packet_len = len, .id = len,
		.segment_count = 1, .flags = NB_TX_HEAD,
	};
	struct nb_tx_completion done;
	int err;

	err = nb_queue_rx_avail(loop->queue, &buffer, 1);
	if (err >= 0)
		err = nb_queue_tx_avail(loop->queue, &packet, 1, NULL);
	if (err >= 0)
		err = receive(loop->queue, meta);
	/* The ring of completions is to have room. */
	if (err > 0 && nb_queue_tx_poll(loop->queue, &done, 1) < 0)
		return -1;
	return err;
}

static bool comes_back(struct loop *loop, uint32_t len)
{
	const uint8_t *got = loop->ram + BUFFER_GPA;
	struct nb_rx_metadata meta;
	uint32_t i;
	int n;

	for (i = 0; i < len; i++)
		loop->ram[PACKET_GPA + i] = (uint8_t)(i * 7 + len);
	memset(loop->ram + BUFFER_GPA, 0, ROOM);
	n = send_one(loop, len, &meta);
	if (n < 0)
		complain("a packet of %" PRIu32 " bytes: %s", len, nb_error());
	else if (!n)
		complain("a packet of %" PRIu32 " bytes does not come back: see dmesg", len);
	else if (meta.status != NB_RX_OK || meta.len != len || meta.id != len ||
		 memcmp(loop->ram + PACKET_GPA, got + meta.offset, len))
		complain("a packet of %" PRIu32 " bytes came back changed: do not use this kernel",
			 len);
	else
		return true;
	return false;
}

int selftest_main(int argc, char **argv)
{
	struct loop loop = { .ram = MAP_FAILED };
	struct outcome outcome = { .result = "works" };
	unsigned int i = 0, n = sizeof(lengths) / sizeof(*lengths);

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc > 1)
		return usage_error("selftest", argv[1]);
	if (!loop_open(&loop)) {
		for (i = 0; i < n && comes_back(&loop, lengths[i]); i++) {
			outcome.packets++;
			outcome.bytes += lengths[i];
			outcome.longest = lengths[i];
		}
	}
	loop_close(&loop);
	if (i < n)
		return STATUS_FAILED;
	output_begin();
	output_record(outcome_fields, &outcome);
	return output_end();
}
