// SPDX-License-Identifier: GPL-2.0
/*
 * Packets in both directions, while what they allocate fails: see nbfault.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "nbfault.h"

void nb_fault_with_data_path(struct nb_fault_world *w)
{
	struct nb_endpoint_info info;
	struct nb_get_queues get = {
		.size = sizeof(get),
		.configs = (uintptr_t)&w->config,
		.fds = (uintptr_t)w->fds,
		.n_queues = 1,
		.config_size = sizeof(w->config),
		.memory_fd = nb_memory_fd(w->guest.mem),
	};

	if (w->kind->takes_over)
		nb_fault_with_attached(w);
	else
		nb_fault_with_endpoint(w);
	if (nb_raw_call(nb_endpoint_fd(w->made), NB_ENDPOINT_GET_QUEUES, &get))
		nb_die("no queue: %s", nb_raw_message);
	nb_raw_map(&w->raw, w->fds[0]);
	nb_ok(nb_endpoint_get_info(w->made, &info));
	if (w->kind->takes_over)
		nb_host_open_socket(&w->nic.host, w->nic.pair.far_index);
	else if (w->kind->sent == NB_COMES_TO_HOST)
		nb_host_open(&w->nic.host, info.ifindex);
}

void nb_fault_post_buffers(struct nb_fault_world *w)
{
	struct nb_rx_segment buffer = { .len = w->buffer_len ?: NB_BUF_SIZE };
	struct nb_raw_ring *ring = &w->raw.ring[NB_RING_RX_AVAIL];
	struct nb_rx_metadata meta;

	while (nb_raw_rx_done(&w->raw, &meta))
		;
	while (*ring->producer - __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE) < ring->n) {
		buffer.id = *ring->producer;
		nb_raw_rx(&w->raw, &buffer, 1);
	}
	nb_ok(nb_raw_enter(&w->raw, NB_ENTER_RX, NULL));
}

void nb_fault_post(struct nb_fault_world *w, struct nb_tx_segment packet)
{
	nb_fault_post_buffers(w);
	for (packet.id = 0; packet.id < NB_FAULT_PACKETS; packet.id++)
		nb_raw_tx(&w->raw, &packet, 1);
}

void nb_fault_post_packets(struct nb_fault_world *w)
{
	static const unsigned char ip[] = {
		0x08, 0x00, 0x45, 0, (3000 - 14) >> 8, (3000 - 14) & 0xff, 0, 0,
		0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	};
	uint32_t len = w->fault->flags & NB_QUEUE_ZEROCOPY_TX ? 3000 : NB_FAULT_FRAME;
	struct nb_tx_segment segment = nb_tx_packet(nb_frame_put(&w->guest, 0, len, 0), len, 0);

	if (w->fault->flags & NB_QUEUE_ZEROCOPY_TX)
		memcpy((char *)nb_guest_ptr(&w->guest, segment.gpa, len) + 12, ip, sizeof(ip));
	nb_fault_post(w, segment);
}

int nb_fault_transmit(struct nb_fault_world *w)
{
	return nb_raw_enter(&w->raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
}

/* Each of n packets ends once; whether all were sent. */
static bool take_back(struct nb_fault_world *w, unsigned int n)
{
	struct nb_tx_completion done;
	unsigned int seen = 0, i;
	bool sent = true;

	for (i = 0; i < n; i++) {
		if (!nb_until((nb_raw_enter(&w->raw, NB_ENTER_TX, NULL),
			       nb_raw_tx_done(&w->raw, &done))))
			nb_die("of %u packets, %u came back", n, i);
		if (done.id >= n || seen & 1u << done.id)
			nb_die("packet %u came back twice", done.id);
		if (done.status != NB_TX_OK && done.status != NB_TX_DROPPED)
			nb_die("packet %u ended with status %u", done.id, done.status);
		sent &= done.status == NB_TX_OK;
		seen |= 1u << done.id;
	}
	if (nb_raw_tx_done(&w->raw, &done))
		nb_die("packet %u came back, that there is not", done.id);
	return sent;
}

/* Takes what has come so far where packets go; whether that was one of them, that long. */
static bool take_arrived(struct nb_fault_world *w, uint32_t len)
{
	unsigned char frame[NB_FAULT_FRAME];
	struct nb_rx_metadata meta;
	bool found = false;
	ssize_t got;

	if (w->comes_back || w->kind->sent == NB_COMES_BACK) {
		while (nb_raw_rx_done(&w->raw, &meta))
			found |= meta.status == NB_RX_OK && meta.len == len;
	} else if (w->kind->sent == NB_COMES_TO_HOST) {
		while ((got = recv(w->nic.host.fd, frame, sizeof(frame),
				   MSG_DONTWAIT | MSG_TRUNC)) >= 0)
			found |= got == (ssize_t)len;
	}
	return found;
}

void nb_fault_reap_packets(struct nb_fault_world *w)
{
	struct nb_tx_segment next = nb_tx_packet(0, NB_FAULT_FRAME, 0);

	take_back(w, NB_FAULT_PACKETS);
	take_arrived(w, 0);
	nb_fault_post_buffers(w);
	next.gpa = nb_frame_put(&w->guest, 0, NB_FAULT_FRAME, 0);
	nb_raw_tx(&w->raw, &next, 1);
	nb_ok(nb_fault_transmit(w));
	if (!take_back(w, 1))
		nb_die("the next packet is not sent");
	if ((w->comes_back || w->kind->sent != NB_COMES_NOWHERE) &&
	    !nb_until(take_arrived(w, NB_FAULT_FRAME)))
		nb_die("the next packet does not arrive");
}

void nb_fault_open_buffers(struct nb_fault_world *w)
{
	unsigned char frame[NB_FAULT_FRAME];

	nb_fault_post_buffers(w);
	while (recv(w->nic.host.fd, frame, sizeof(frame), MSG_DONTWAIT) >= 0)
		;
}

int nb_fault_receive(struct nb_fault_world *w)
{
	unsigned char frame[NB_FAULT_FRAME];

	nb_frame_fill(frame, sizeof(frame), 1);
	return send(w->nic.host.fd, frame, sizeof(frame), 0) < 0 ? -errno : 0;
}

/* Whether it was lost or not: the next one arrives. */
void nb_fault_reap_buffers(struct nb_fault_world *w)
{
	struct nb_rx_metadata meta;

	while (nb_raw_rx_done(&w->raw, &meta))
		;
	nb_ok(nb_fault_receive(w));
	if (!nb_until(nb_raw_rx_done(&w->raw, &meta)))
		nb_die("what the host sends does not arrive any more");
	if (meta.status != NB_RX_OK || meta.len != NB_FAULT_FRAME)
		nb_die("%u bytes arrived with status %u", meta.len, meta.status);
}
