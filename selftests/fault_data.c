// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink, and packets in both directions, with each allocation and copy that they take
 * failing in turn: see fault.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "nbfault.h"

#define PACKETS		4u
#define FRAME		100u

/* ---- netlink ------------------------------------------------------------- */

static void with_everything(struct nb_fault_world *w)
{
	struct nb_endpoint_info info;

	nb_fault_with_named_switch(w);
	nb_ok(nb_fault_create_port(w));
	w->other = w->made;
	w->name = "second";
	nb_fault_with_queues(w);
	nb_ok(nb_endpoint_get_info(w->made, &info));
	w->id = info.id;
}

static void with_new_socket(struct nb_fault_world *w)
{
	if (w->fresh.fd > 0)
		nb_genl_close(&w->fresh);
	nb_genl_open(&w->fresh);
}

/* The answer is complete when send() returns, but for what of a dump does not fit. */
static int talk(struct nb_fault_world *w, const struct nb_genl_request *request)
{
	union {
		struct nlmsghdr header;
		char bytes[65536];
	} answer;
	struct nlmsghdr *header = &answer.header;
	ssize_t len;
	int err;

	if (send(w->fresh.fd, request, request->header.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		len = recv(w->fresh.fd, &answer, sizeof(answer), MSG_DONTWAIT);
		if (len < 0)
			return -errno;
		for (header = &answer.header; NLMSG_OK(header, len);
		     header = NLMSG_NEXT(header, len)) {
			if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
				memcpy(&err, NLMSG_DATA(header), sizeof(err));
				return err;
			}
			if (!(request->header.nlmsg_flags & NLM_F_DUMP))
				return 0;
		}
	}
}

static int dump(struct nb_fault_world *w)
{
	struct nb_genl_request request = nb_genl_request(w->fresh.family, w->fault->command,
							 NLM_F_DUMP);

	return talk(w, &request);
}

static struct nb_genl_request about_endpoint(struct nb_fault_world *w, uint8_t command)
{
	struct nb_genl_request request = nb_genl_request(w->fresh.family, command, NLM_F_ACK);

	nb_genl_add(&request, NB_A_ENDPOINT_ID, &w->id, sizeof(w->id));
	return request;
}

static int get_one(struct nb_fault_world *w)
{
	struct nb_genl_request request = about_endpoint(w, NB_CMD_ENDPOINT_GET);

	request.header.nlmsg_flags &= ~NLM_F_ACK;
	return talk(w, &request);
}

static int set_link(struct nb_fault_world *w)
{
	struct nb_genl_request request = about_endpoint(w, NB_CMD_ENDPOINT_SET);
	uint32_t link = 0;

	nb_genl_add(&request, NB_A_ENDPOINT_LINK, &link, sizeof(link));
	return talk(w, &request);
}

static int set_queue(struct nb_fault_world *w)
{
	struct nb_genl_request request = nb_genl_request(w->fresh.family, NB_CMD_QUEUE_SET,
							 NLM_F_ACK);
	struct {
		struct nlattr head;
		uint32_t value;
	} usecs = { { sizeof(usecs), NB_A_MODERATION_TX_USECS }, 7 };

	nb_genl_add(&request, NB_A_QUEUE_ENDPOINT_ID, &w->id, sizeof(w->id));
	nb_genl_add(&request, NB_A_QUEUE_MODERATION | NLA_F_NESTED, &usecs, sizeof(usecs));
	return talk(w, &request);
}

static void with_queues_closed(struct nb_fault_world *w)
{
	with_everything(w);
	nb_fault_close_queues(w);
}

static void with_nothing_plugged_in(struct nb_fault_world *w)
{
	with_queues_closed(w);
	nb_ok(nb_fault_disconnect(w));
}

static int connect_kind(struct nb_fault_world *w)
{
	struct nb_genl_request request = about_endpoint(w, NB_CMD_ENDPOINT_CONNECT);

	nb_genl_add(&request, NB_A_ENDPOINT_KIND, w->kind->name, strlen(w->kind->name) + 1);
	return talk(w, &request);
}

static int connect_by_netlink(struct nb_fault_world *w)
{
	struct nb_genl_request request = about_endpoint(w, NB_CMD_ENDPOINT_CONNECT);

	return talk(w, &request);
}

static int disconnect_by_netlink(struct nb_fault_world *w)
{
	struct nb_genl_request request = about_endpoint(w, NB_CMD_ENDPOINT_DISCONNECT);

	return talk(w, &request);
}

/* ---- data path ----------------------------------------------------------- */

static void with_data_path(struct nb_fault_world *w)
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

static void post_buffers(struct nb_fault_world *w)
{
	struct nb_raw_ring *ring = &w->raw.ring[NB_RING_RX_AVAIL];
	struct nb_rx_segment buffer = { .len = NB_BUF_SIZE };
	struct nb_rx_metadata meta;

	while (nb_raw_rx_done(&w->raw, &meta))
		;
	while (*ring->producer - __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE) < ring->n) {
		buffer.id = *ring->producer;
		nb_raw_rx(&w->raw, &buffer, 1);
	}
	nb_ok(nb_raw_enter(&w->raw, NB_ENTER_RX, NULL));
}

/* With zero-copy, packets that are long enough for it, of an IP protocol. */
static void post_packets(struct nb_fault_world *w)
{
	uint32_t len = w->fault->flags & NB_QUEUE_ZEROCOPY_TX ? 3000 : FRAME, i;
	struct nb_tx_segment segment;
	unsigned char *frame;

	post_buffers(w);
	for (i = 0; i < PACKETS; i++) {
		segment = nb_tx_packet(nb_frame_put(&w->guest, i, FRAME, i), len, i);
		frame = nb_guest_ptr(&w->guest, segment.gpa, len);
		if (w->fault->flags & NB_QUEUE_ZEROCOPY_TX) {
			static const unsigned char ip[] = {
				0x08, 0x00, 0x45, 0, (3000 - 14) >> 8, (3000 - 14) & 0xff, 0, 0,
				0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
			};

			memcpy(frame + 12, ip, sizeof(ip));
		}
		nb_raw_tx(&w->raw, &segment, 1);
	}
}

static int transmit(struct nb_fault_world *w)
{
	return nb_raw_enter(&w->raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
}

/* Each packet ends once, sent or dropped. */
static void reap_packets(struct nb_fault_world *w)
{
	unsigned int seen = 0, n = 0;
	struct nb_tx_completion done;

	while (n < PACKETS) {
		if (!nb_until((nb_raw_enter(&w->raw, NB_ENTER_TX, NULL),
			       nb_raw_tx_done(&w->raw, &done))))
			nb_die("of %u packets, %u came back", PACKETS, n);
		if (done.id >= PACKETS || seen & 1u << done.id)
			nb_die("packet %u came back twice", done.id);
		if (done.status != NB_TX_OK && done.status != NB_TX_DROPPED)
			nb_die("packet %u ended with status %u", done.id, done.status);
		seen |= 1u << done.id;
		n++;
	}
	if (nb_raw_tx_done(&w->raw, &done))
		nb_die("packet %u came back, that there is not", done.id);
}

static void open_buffers(struct nb_fault_world *w)
{
	unsigned char frame[FRAME];

	post_buffers(w);
	while (recv(w->nic.host.fd, frame, sizeof(frame), MSG_DONTWAIT) >= 0)
		;
}

static int receive(struct nb_fault_world *w)
{
	unsigned char frame[FRAME];

	nb_frame_fill(frame, sizeof(frame), 1);
	return send(w->nic.host.fd, frame, sizeof(frame), 0) < 0 ? -errno : 0;
}

/* Whether it was lost or not: the next one arrives. */
static void reap_buffers(struct nb_fault_world *w)
{
	struct nb_rx_metadata meta;

	while (nb_raw_rx_done(&w->raw, &meta))
		;
	nb_ok(receive(w));
	if (!nb_until(nb_raw_rx_done(&w->raw, &meta)))
		nb_die("what the host sends does not arrive any more");
	if (meta.status != NB_RX_OK || meta.len != FRAME)
		nb_die("%u bytes arrived with status %u", meta.len, meta.status);
}

/* ---- all of them --------------------------------------------------------- */

static const struct nb_fault faults[] = {
	{ "dump_endpoints", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = dump, .silent = true, .anew = true,
	  .command = NB_CMD_ENDPOINT_GET },
	{ "dump_queues", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = dump, .silent = true, .anew = true,
	  .command = NB_CMD_QUEUE_GET },
	{ "dump_switches", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = dump, .silent = true, .anew = true,
	  .command = NB_CMD_SWITCH_GET },
	{ "dump_ports", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = dump, .silent = true, .anew = true,
	  .command = NB_CMD_SWITCH_PORT_GET },
	{ "dump_addresses", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = dump, .silent = true, .anew = true,
	  .command = NB_CMD_SWITCH_FDB_GET },
	{ "dump_kinds", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = dump, .silent = true, .anew = true,
	  .command = NB_CMD_KIND_GET },
	{ "ask_for_endpoint", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = get_one, .silent = true, .anew = true },
	{ "set_link", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = set_link, .silent = true, .anew = true },
	{ "set_queue", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = set_queue, .silent = true, .anew = true },
	{ "plug_in_kind", .kind = &nb_test_loopback, .prepare = with_nothing_plugged_in,
	  .before = with_new_socket, .call = connect_kind,
	  .undo = nb_fault_disconnect_again, .silent = true, .done = -EISCONN,
	  .anew = true },
	{ "plug_in", .kind = &nb_test_netdev, .prepare = with_nothing_plugged_in,
	  .before = with_new_socket, .call = connect_by_netlink,
	  .undo = nb_fault_disconnect_again, .silent = true, .done = -EISCONN,
	  .anew = true },
	{ "unplug", .kind = &nb_test_netdev, .prepare = with_queues_closed,
	  .before = with_new_socket, .call = disconnect_by_netlink,
	  .undo = nb_fault_connect_again, .silent = true, .done = -ENOTCONN, .anew = true },
	{ "transmit_to_null", .kind = &nb_test_null, .prepare = with_data_path,
	  .before = post_packets, .call = transmit, .undo = reap_packets, .silent = true },
	{ "transmit_to_loopback", .kind = &nb_test_loopback, .prepare = with_data_path,
	  .before = post_packets, .call = transmit, .undo = reap_packets, .silent = true },
	{ "transmit_to_port", .kind = &nb_test_switch, .prepare = with_data_path,
	  .before = post_packets, .call = transmit, .undo = reap_packets, .silent = true },
	{ "transmit_to_netdev", .kind = &nb_test_netdev, .prepare = with_data_path,
	  .before = post_packets, .call = transmit, .undo = reap_packets, .silent = true },
	{ "transmit_to_attach", .kind = &nb_test_attach, .prepare = with_data_path,
	  .before = post_packets, .call = transmit, .undo = reap_packets, .silent = true },
	{ "transmit_without_copy", .kind = &nb_test_netdev, .prepare = with_data_path,
	  .before = post_packets, .call = transmit, .undo = reap_packets, .silent = true,
	  .flags = NB_QUEUE_ZEROCOPY_TX },
	{ "receive_from_netdev", .kind = &nb_test_netdev, .prepare = with_data_path,
	  .before = open_buffers, .call = receive, .undo = reap_buffers, .silent = true },
	{ "receive_from_attach", .kind = &nb_test_attach, .prepare = with_data_path,
	  .before = open_buffers, .call = receive, .undo = reap_buffers, .silent = true },
};

int main(int argc, char **argv)
{
	return nb_fault_main(faults, ARRAY_LEN(faults), argv + 1);
}
