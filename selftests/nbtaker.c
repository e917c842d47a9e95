// SPDX-License-Identifier: GPL-2.0
/*
 * A frontend with wishes: what it takes in its receive buffers, and what then comes.
 */
#include <stdio.h>

#include "nbip.h"

void nb_taker_open_kind(struct nb_taker *taker, const struct nb_test_kind *kind)
{
	nb_host_new_netns();
	nb_guest_open(&taker->guest, NB_TAKER_MEMORY);
	nb_nic_open(&taker->nic, &taker->guest, kind, 0);
}

void nb_taker_open(struct nb_taker *taker)
{
	nb_taker_open_kind(taker, &nb_test_netdev);
}

void nb_taker_close(struct nb_taker *taker)
{
	nb_nic_close(&taker->nic);
	nb_guest_close(&taker->guest);
}

int nb_taker_get_queues(struct nb_taker *taker, const uint32_t *flags, unsigned int n)
{
	struct nb_queue_config configs[4] = { 0 };
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		configs[i].target_cpu = NB_ANY_CPU;
		configs[i].flags = flags[i];
	}
	err = nb_endpoint_get_queues(taker->nic.ep, taker->guest.mem, configs, n, NULL,
				     taker->nic.queues);
	if (!err) {
		taker->nic.n_queues = n;
		taker->nic.queue = taker->nic.queues[0];
	}
	return err;
}

void nb_taker_start(struct nb_taker *taker, uint32_t flags)
{
	struct nb_bufs *bufs = &taker->nic.bufs;
	struct nb_endpoint_info info;

	nb_ok(nb_taker_get_queues(taker, &flags, 1));
	nb_bufs_init(bufs);
	bufs->gpa = NB_MORE_GPA;
	bufs->size = NB_TAKER_BUFFER_SIZE;
	bufs->n = NB_TAKER_BUFFERS;
	nb_bufs_post_all(bufs, taker->nic.queue);
	nb_ok(nb_endpoint_get_info(taker->nic.ep, &info));
	if (taker->nic.kind->takes_over)
		nb_host_open_socket(&taker->nic.host, taker->nic.pair.far_index);
	else
		nb_host_open(&taker->nic.host, info.ifindex);
	nb_ip_want_vnet(&taker->nic.host);
}

void nb_taker_stop(struct nb_taker *taker)
{
	nb_link_set_up(taker->nic.host.name, false);
	nb_nic_stop(&taker->nic);
	nb_ok(nb_endpoint_stop(taker->nic.ep));
}

bool nb_taker_receive(struct nb_taker *taker)
{
	uint32_t id;

	if (nb_bufs_reap(&taker->nic.bufs, taker->nic.queue, &id, 1) != 1) {
		fprintf(stderr, "# nothing has arrived\n");
		return false;
	}
	taker->id = id;
	taker->meta = taker->nic.bufs.meta[id];
	if (taker->meta.status != NB_RX_OK)
		nb_die("a buffer came back with status %u", taker->meta.status);
	nb_bufs_read(&taker->nic.bufs, &taker->guest, id, taker->got.data);
	taker->got.len = taker->meta.len;
	nb_bufs_post(&taker->nic.bufs, taker->nic.queue, id);
	return true;
}

void nb_taker_complete(struct nb_taker *taker)
{
	const struct nb_rx_metadata *meta = &taker->meta;
	unsigned char *start = taker->got.data + meta->checksum_start;
	uint16_t sum;

	if (!(meta->flags & NB_RX_NEEDS_CHECKSUM))
		return;
	if (meta->checksum_start + meta->checksum_offset + 2u > meta->len)
		nb_die("a checksum at %u + %u of %u bytes", meta->checksum_start,
		       meta->checksum_offset, meta->len);
	sum = ~nb_ip_sum(start, meta->len - meta->checksum_start, 0);
	if (!sum)
		sum = 0xffff;
	start[meta->checksum_offset] = sum >> 8;
	start[meta->checksum_offset + 1] = sum;
}

void nb_taker_send(struct nb_taker *taker, const struct nb_ip *ip, uint16_t size)
{
	struct nb_ip left = *ip;

	nb_ip_leave_to_stack(&left);
	nb_ip_send(&taker->nic.host, &left, true, size);
}
