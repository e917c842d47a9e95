// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* Sends one packet through a loopback endpoint, and prints what comes back. */
#include <libnb.h>
#include <stdio.h>
#include <stdlib.h>

static int check(int result)
{
	if (result < 0) {
		fprintf(stderr, "first: %s\n", nb_error());
		exit(EXIT_FAILURE);
	}
	return result;
}

int main(void)
{
	struct nb_endpoint_params params = { .kind = "loopback", .netns_fd = -1 };
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU }; /* rings of 256 */
	struct nb_rx_segment buffer = { .gpa = 0x1000, .len = 2048, .id = 7 };
	struct nb_tx_segment packet = { .gpa = 0x8000, .len = 60, .packet_len = 60, .id = 1,
					.segment_count = 1, .flags = NB_TX_HEAD };
	struct nb_rx_metadata got;
	struct nb_endpoint *endpoint;
	struct nb_memory *memory;
	struct nb_queue *queue;
	struct nb *nb;

	check(nb_open(&nb));
	check(nb_memory_create(nb, &memory));	/* the "guest" has 64 KiB at address 0 */
	check(nb_memory_add(memory, 0, aligned_alloc(4096, 0x10000), 0x10000, 0));
	check(nb_endpoint_create(nb, &params, &endpoint));
	check(nb_endpoint_get_queues(endpoint, memory, &config, 1, NULL, &queue));

	check(nb_memory_write(memory, packet.gpa + 14, "hello, world", 13));
	check(nb_queue_rx_avail(queue, &buffer, 1));
	check(nb_queue_tx_avail(queue, &packet, 1, NULL));
	while (!check(nb_queue_rx_poll(queue, &got, 1)))
		check(nb_queue_poll_ready(queue, -1));
	printf("%u bytes in buffer %u: %s\n", got.len, got.id,
	       (char *)nb_memory_ptr(memory, buffer.gpa + got.offset, got.len) + 14);
	return 0;	/* the kernel takes everything down as the descriptors close */
}
