// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink, and packets in both directions, with each allocation and copy that they take
 * failing in turn: see fault.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "nbfault.h"

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

static void see_memory(const struct nlattr *const *attributes, void *data)
{
	*(uint32_t *)data = nb_genl_u32(attributes[NB_A_MEMORY_ID]);
}

/* That of the guest, which is the only one. */
static void with_memory_id(struct nb_fault_world *w)
{
	struct nb_genl_request request = nb_genl_request(w->client.family, NB_CMD_MEMORY_GET,
							 NLM_F_DUMP);

	nb_ok(nb_genl_talk(&w->client, &request, see_memory, &w->id));
}

/* Of that memory only. */
static int dump_memory(struct nb_fault_world *w)
{
	struct nb_genl_request request = nb_genl_request(w->fresh.family, w->fault->command,
							 NLM_F_DUMP);

	nb_genl_add(&request, w->fault->command == NB_CMD_MEMORY_GET ? NB_A_MEMORY_ID :
								       NB_A_REGION_MEMORY_ID,
		    &w->id, sizeof(w->id));
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
	{ "dump_memories", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = dump, .silent = true, .anew = true,
	  .command = NB_CMD_MEMORY_GET },
	{ "dump_regions", .kind = &nb_test_netdev, .prepare = with_everything,
	  .before = with_new_socket, .call = dump, .silent = true, .anew = true,
	  .command = NB_CMD_REGION_GET },
	{ "ask_for_memory", .kind = &nb_test_null, .prepare = with_memory_id,
	  .before = with_new_socket, .call = dump_memory, .silent = true, .anew = true,
	  .command = NB_CMD_MEMORY_GET },
	{ "ask_for_regions", .kind = &nb_test_null, .prepare = with_memory_id,
	  .before = with_new_socket, .call = dump_memory, .silent = true, .anew = true,
	  .command = NB_CMD_REGION_GET },
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
	{ "transmit_to_null", .kind = &nb_test_null, .prepare = nb_fault_with_data_path,
	  .before = nb_fault_post_packets, NB_FAULT_TRANSMITS },
	{ "transmit_to_loopback", .kind = &nb_test_loopback, .prepare = nb_fault_with_data_path,
	  .before = nb_fault_post_packets, NB_FAULT_TRANSMITS },
	{ "transmit_to_port", .kind = &nb_test_switch, .prepare = nb_fault_with_data_path,
	  .before = nb_fault_post_packets, NB_FAULT_TRANSMITS },
	{ "transmit_to_netdev", .kind = &nb_test_netdev, .prepare = nb_fault_with_data_path,
	  .before = nb_fault_post_packets, NB_FAULT_TRANSMITS },
	{ "transmit_to_attach", .kind = &nb_test_attach, .prepare = nb_fault_with_data_path,
	  .before = nb_fault_post_packets, NB_FAULT_TRANSMITS },
	{ "transmit_without_copy", .kind = &nb_test_netdev, .prepare = nb_fault_with_data_path,
	  .before = nb_fault_post_packets, NB_FAULT_TRANSMITS,
	  .flags = NB_QUEUE_ZEROCOPY_TX },
	{ "receive_from_netdev", .kind = &nb_test_netdev, .prepare = nb_fault_with_data_path,
	  NB_FAULT_RECEIVES },
	{ "receive_from_attach", .kind = &nb_test_attach, .prepare = nb_fault_with_data_path,
	  NB_FAULT_RECEIVES },
};

int main(int argc, char **argv)
{
	return nb_fault_main(faults, ARRAY_LEN(faults), argv + 1);
}
