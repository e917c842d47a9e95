// SPDX-License-Identifier: GPL-2.0
/*
 * usage: loaded KIND [poll]
 *
 * A frontend under load, for no_calls.sh: sends on the one queue of an endpoint of that kind
 * and reaps what comes back, until it is killed.  With "poll" the queue has NB_QUEUE_POLL, and
 * the load consists of nothing but memory accesses; without, need_notify is clear as well.
 * Says "ready ID" when the load begins, ID being the endpoint's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "nbtest.h"

static const struct nb_test_kind *kind_of(const char *name)
{
	static const struct nb_test_kind * const kinds[] = {
		&nb_test_null, &nb_test_loopback, &nb_test_netdev,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	nb_die("%s is not a kind of this test", name);
}

/* The host's half of the load: a process that sends to the guest. */
static void send_from_host(struct nb_nic *nic)
{
	unsigned char frame[100];

	nb_frame_fill(frame, sizeof(frame), 0);
	if (nb_sys(fork()))
		return;
	nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
	for (;;) {
		nb_host_send(&nic->host, frame, sizeof(frame));
		usleep(100);
	}
}

static void reap(struct nb_queue *queue)
{
	struct nb_rx_segment buffer = { .len = NB_BUF_SIZE };
	struct nb_tx_completion done[64];
	struct nb_rx_metadata meta[64];
	int got;

	nb_queue_tx_poll(queue, done, ARRAY_LEN(done));
	for (got = nb_queue_rx_poll(queue, meta, ARRAY_LEN(meta)); got > 0; got--) {
		buffer.id = meta[got - 1].id;
		buffer.gpa = NB_RX_GPA + buffer.id * NB_BUF_SIZE;
		nb_queue_rx_avail(queue, &buffer, 1);
	}
}

int main(int argc, char **argv)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_tx_segment segment;
	struct nb_endpoint_info info;
	struct nb_guest guest;
	struct nb_nic nic;

	if (argc < 2)
		nb_die("usage: loaded KIND [poll]");
	if (argc > 2) {
		config.flags = NB_QUEUE_POLL;
		config.poll_idle_us = NB_MAX_POLL_IDLE_US;
	}
	nb_host_new_netns();
	nb_guest_open(&guest, 0);
	nb_nic_open(&nic, &guest, kind_of(argv[1]), 0);
	nb_nic_start_as(&nic, &config, 1);
	nb_bufs_init(&nic.bufs);
	nb_nic_post_all(&nic);
	nb_queue_set_need_notify(nic.queue, 0);
	if (nic.kind->sent == NB_COMES_TO_HOST)
		send_from_host(&nic);
	nb_ok(nb_endpoint_get_info(nic.ep, &info));
	printf("ready %u\n", info.id);
	fflush(stdout);

	segment = nb_tx_frame(&guest, 0, 60);
	for (;;) {
		nb_queue_tx_avail(nic.queue, &segment, 1, NULL);
		reap(nic.queue);
	}
}
