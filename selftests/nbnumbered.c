// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that have a number, and a NIC whose queue goes and comes while they flow
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nbnumbered.h"
#include "nbraw.h"

/* ---- packets ------------------------------------------------------------- */

void nb_numbered_fill(void *frame, uint32_t number)
{
	nb_frame_fill(frame, NB_NUMBERED_LEN, number);
	memcpy((char *)frame + NB_HEADER_LEN, &number, sizeof(number));
}

uint32_t nb_numbered_number(const void *frame, size_t len)
{
	unsigned char whole[NB_NUMBERED_LEN];
	uint32_t number;

	if (len != NB_NUMBERED_LEN)
		nb_die("a packet of %zu bytes", len);
	memcpy(&number, (const char *)frame + NB_HEADER_LEN, sizeof(number));
	nb_numbered_fill(whole, number);
	if (memcmp(whole, frame, NB_NUMBERED_LEN))
		nb_die("packet %u is not whole", number);
	return number;
}

void nb_numbered_send(struct nb_host *host, uint32_t number)
{
	unsigned char frame[NB_NUMBERED_LEN];

	nb_numbered_fill(frame, number);
	nb_host_send(host, frame, NB_NUMBERED_LEN);
}

bool nb_numbered_receive(struct nb_nic *nic, uint32_t first, uint32_t n)
{
	unsigned char frame[NB_BUF_SIZE];
	uint32_t id, i;

	for (i = first; i < first + n; i++) {
		if (nb_bufs_reap(&nic->bufs, nic->queue, &id, 1) != 1)
			return false;
		nb_bufs_read(&nic->bufs, nic->guest, id, frame);
		if (nb_numbered_number(frame, nic->bufs.meta[id].len) != i)
			return false;
		nb_bufs_post(&nic->bufs, nic->queue, id);
	}
	return true;
}

bool nb_numbered_came(struct nb_host *host, uint32_t n)
{
	unsigned char frame[NB_NUMBERED_LEN];
	uint32_t i;
	ssize_t len;

	for (i = 0; i < n; i++) {
		len = nb_host_receive(host, frame, sizeof(frame), NULL);
		if (len < 0 || nb_numbered_number(frame, len) != i) {
			fprintf(stderr, "# packet %u has not come to the host in its turn\n", i);
			return false;
		}
	}
	return nb_host_silent(host);
}

/* ---- the NIC ------------------------------------------------------------- */

bool nb_test_kind_loses(const struct nb_test_kind *kind)
{
	return kind->takes_over;
}

bool nb_explained(void)
{
	return strchr(nb_error(), ' ');
}

void nb_nic_close_queue(struct nb_nic *nic)
{
	nb_queue_close(nic->queue);
	nic->queue = NULL;
	nic->n_queues = 0;
}

void nb_nic_open_queue(struct nb_nic *nic)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };

	nb_ok(nb_endpoint_get_queues(nic->ep, nic->guest->mem, &config, 1, NULL, nic->queues));
	nic->queue = nic->queues[0];
	nic->n_queues = 1;
}

void nb_nic_open_host(struct nb_nic *nic)
{
	struct nb_endpoint_info info;

	if (nic->kind->takes_over) {
		nb_host_open_socket(&nic->host, nic->pair.far_index);
		return;
	}
	nb_ok(nb_endpoint_get_info(nic->ep, &info));
	nb_host_open(&nic->host, info.ifindex);
	nb_link_set_fifo(nic->host.ifindex, 100000);
}

pthread_t nb_test_thread(void *(*run)(void *argument), void *argument)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, argument);
	if (errno)
		nb_die("pthread_create: %s", strerror(errno));
	return thread;
}

struct nb_queue_saved nb_raw_save(int fd)
{
	struct nb_queue_saved saved = { .size = sizeof(saved) };

	if (nb_raw_call(fd, NB_QUEUE_SAVE, &saved))
		nb_die("save: %s", nb_raw_message);
	saved.msg = (struct nb_message){ 0 };
	return saved;
}

int nb_raw_command(int fd, unsigned long command)
{
	struct nb_queue_quiesce arg = { .size = sizeof(arg) };

	return nb_raw_call(fd, command, &arg);
}
