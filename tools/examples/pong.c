// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * usage: pong ADDRESS [NAME]
 *
 * A guest that is nothing but a NIC: behind a network interface of the host, it answers
 * ARP and ping for an IPv4 address.  Documentation/tutorial.rst explains it, step by step.
 */
#include <errno.h>
#include <libnb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"

#define BUFFERS		64	/* entries of a ring, too, so that no ring is ever full */
#define BUFFER_SIZE	2048

/* the NIC, and the "guest" that it belongs to */
struct nic {
	struct nb *nb;
	struct nb_memory *memory;
	struct nb_endpoint *endpoint;
	struct nb_endpoint_info info;
	struct nb_queue *queue;
	struct in_addr address;
};

static int check(int result)
{
	if (result < 0) {
		fprintf(stderr, "pong: %s\n", nb_error());
		exit(EXIT_FAILURE);
	}
	return result;
}

/* A queue that needs a restart is no error: an action says so, too. */
static int check_queue(int result)
{
	return result == -ENETRESET ? 0 : check(result);
}

static uint64_t gpa_of(uint32_t id)
{
	return (uint64_t)id * BUFFER_SIZE;
}

static void open_nic(struct nic *nic, const char *name)
{
	struct nb_endpoint_params params = { .kind = "netdev", .name = name, .netns_fd = -1 };
	size_t size = BUFFERS * BUFFER_SIZE;

	check(nb_open(&nic->nb));
	check(nb_memory_create(nic->nb, &nic->memory));
	check(nb_memory_add(nic->memory, 0, aligned_alloc(4096, size), size, 0));
	check(nb_endpoint_create(nic->nb, &params, &nic->endpoint));
}

static void give_buffer(struct nic *nic, uint32_t id)
{
	struct nb_rx_segment buffer = { .gpa = gpa_of(id), .len = BUFFER_SIZE, .id = id };

	check_queue(nb_queue_rx_avail(nic->queue, &buffer, 1));
}

static void start_queue(struct nic *nic)
{
	struct nb_queue_config config = {
		.tx_avail_entries = BUFFERS,
		.rx_avail_entries = BUFFERS,
		.target_cpu = NB_ANY_CPU,
	};
	uint32_t id;

	check(nb_endpoint_get_info(nic->endpoint, &nic->info));
	check(nb_endpoint_get_queues(nic->endpoint, nic->memory, &config, 1, NULL, &nic->queue));
	for (id = 0; id < BUFFERS; id++)
		give_buffer(nic, id);
}

static void restart(struct nic *nic)
{
	nb_queue_close(nic->queue);
	check(nb_endpoint_stop(nic->endpoint));
	start_queue(nic);
}

static void receive(struct nic *nic)
{
	struct nb_rx_metadata got[BUFFERS];
	struct nb_tx_segment out[BUFFERS];
	unsigned int n_out = 0;
	int i, n;

	n = check_queue(nb_queue_rx_poll(nic->queue, got, BUFFERS));
	for (i = 0; i < n; i++) {
		uint64_t gpa = gpa_of(got[i].id);

		if (got[i].status == NB_RX_OK &&
		    answer(nic->info.mac, nic->address,
			   nb_memory_ptr(nic->memory, gpa + got[i].offset, got[i].len),
			   got[i].len) &&
		    !nb_tx_from_rx(nic->memory, &got[i], gpa, &out[n_out]))
			n_out++;
		else
			give_buffer(nic, got[i].id);
	}
	if (n_out)
		check_queue(nb_queue_tx_avail(nic->queue, out, n_out, NULL));
}

static void complete(struct nic *nic)
{
	struct nb_tx_completion done[BUFFERS];
	int i, n;

	n = check_queue(nb_queue_tx_poll(nic->queue, done, BUFFERS));
	for (i = 0; i < n; i++)
		give_buffer(nic, done[i].id);
}

static void act(struct nic *nic)
{
	struct nb_action action;

	while (check(nb_endpoint_wait_for_action(nic->endpoint, &action, 0))) {
		if (action.type == NB_ACTION_RESTART_REQUIRED)
			restart(nic);
		else if (action.type == NB_ACTION_LINK_STATUS_NOTIFY)
			printf("pong: link %s\n", action.value ? "up" : "down");
	}
}

static void run(struct nic *nic)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = nb_endpoint_fd(nic->endpoint), .events = POLLIN },
			{ .fd = nb_queue_fd(nic->queue), .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0)
			return;
		if (fds[0].revents)
			act(nic);
		receive(nic);
		complete(nic);
	}
}

int main(int argc, char **argv)
{
	struct nic nic = { .nb = NULL };

	if (argc < 2 || !inet_aton(argv[1], &nic.address)) {
		fprintf(stderr, "usage: pong ADDRESS [NAME]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_nic(&nic, argc > 2 ? argv[2] : NULL);
	start_queue(&nic);
	printf("pong: %s is behind %s\n", argv[1], nic.info.name);
	run(&nic);
	return EXIT_FAILURE;
}
