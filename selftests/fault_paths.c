// SPDX-License-Identifier: GPL-2.0
/*
 * Packets on ways that fewer take, with each allocation that they need failing in turn, and
 * with all of them failing: see fault.c.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "nbfault.h"
#include "nbip.h"
#include "nbswitch.h"
#include "nbxdp.h"

/* Longer than what is linear of a packet for a program. */
#define LONG		5000u
#define LONG_BUFFER	(4 * NB_PAGE)

/* ---- XDP ----------------------------------------------------------------- */

static int program, ifindex;

static void with_program(struct nb_fault_world *w, int fd)
{
	nb_fault_with_data_path(w);
	ifindex = w->nic.host.ifindex;
	program = fd;
	w->buffer_len = LONG_BUFFER;
	nb_ok(nb_xdp_set_mtu(w->nic.host.name, 2 * LONG));
}

static int returns(int action)
{
	return nb_bpf_xdp_frags(BPF_SET(BPF_REG_0, action), BPF_RETURN);
}

static void with_a_program(struct nb_fault_world *w)
{
	with_program(w, returns(XDP_PASS));
}

static void with_new_rtnetlink(struct nb_fault_world *w)
{
	if (w->fds[1] > 0)
		close(w->fds[1]);
	w->fds[1] = nb_bpf_open_rtnetlink();
}

static int attach_program(struct nb_fault_world *w)
{
	char message[256];

	return nb_bpf_attach_over(w->fds[1], ifindex, program, message, sizeof(message));
}

static void detach_program(struct nb_fault_world *w)
{
	nb_bpf_attach(ifindex, -1);
}

static void with_xdp_pass(struct nb_fault_world *w)
{
	with_a_program(w);
	nb_bpf_attach(ifindex, program);
}

static void with_xdp_tx(struct nb_fault_world *w)
{
	with_program(w, returns(XDP_TX));
	nb_bpf_attach(ifindex, program);
	w->comes_back = true;
}

/* By a map, to where it comes from. */
static void with_xdp_redirect(struct nb_fault_world *w)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 1);

	with_program(w, nb_xdp_redirects(map));
	nb_bpf_map_set(map, 0, ifindex);
	nb_bpf_attach(ifindex, program);
	w->comes_back = true;
}

static void post_long(struct nb_fault_world *w)
{
	nb_fault_post(w, nb_tx_packet(nb_frame_put(&w->guest, 0, LONG, 0), LONG, 0));
}

/* ---- offloads ------------------------------------------------------------ */

static void post_offloaded(struct nb_fault_world *w, uint32_t payload, uint16_t flags)
{
	const struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = payload };
	struct nb_tx_segment packet;
	static struct nb_ip ip;

	nb_ip_make(&ip, &plan);
	nb_ip_leave_to_backend(&ip, flags, false);
	memcpy(nb_guest_ptr(&w->guest, NB_TX_GPA, ip.len), ip.data, ip.len);
	packet = nb_tx_packet(NB_TX_GPA, ip.len, 0);
	nb_ip_describe(&ip, flags, flags & NB_TX_OFFLOAD_TCP_SEGMENTATION ? 1448 : 0, &packet);
	nb_fault_post(w, packet);
}

static void post_super(struct nb_fault_world *w)
{
	post_offloaded(w, 60000, NB_TX_OFFLOAD_TCP_SEGMENTATION);
}

static void post_some_segments(struct nb_fault_world *w)
{
	post_offloaded(w, 6 * 1448, NB_TX_OFFLOAD_TCP_SEGMENTATION);
}

static void post_unsummed(struct nb_fault_world *w)
{
	post_offloaded(w, 100, NB_TX_OFFLOAD_TCP_CHECKSUM);
}

/* Nobody reads what comes there, so the pages of packets are not used again. */
static void with_hoard(struct nb_fault_world *w)
{
	struct nb_host hoard;
	int size = 32 << 20;

	nb_fault_with_data_path(w);
	nb_host_open_socket(&hoard, w->nic.host.ifindex);
	nb_sys(setsockopt(hoard.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)));
}

/* ---- switch -------------------------------------------------------------- */

/* Not as long as the next packet. */
#define FLOODED		80u

static struct nb_port ports[2];

static void with_other_ports(struct nb_fault_world *w)
{
	struct nb_port first;
	unsigned int i;

	nb_fault_with_data_path(w);
	first.ep = w->made;
	for (i = 0; i < ARRAY_LEN(ports); i++)
		nb_port_join(&ports[i], &first, NULL);
}

static void with_uplink(struct nb_fault_world *w)
{
	struct nb_netdev_params netdev = { .flags = NB_NETDEV_UPLINK };
	struct nb_endpoint_params params = {
		.kind = "netdev",
		.name = "up0",
		.netns_fd = -1,
		.kind_params = &netdev,
		.kind_params_size = sizeof(netdev),
	};

	with_other_ports(w);
	netdev.port.flags = NB_SWITCH_JOIN;
	netdev.port.group_fd = nb_endpoint_fd(w->made);
	nb_ok(nb_endpoint_create(w->guest.nb, &params, &w->other));
	nb_host_open(&w->nic.host, if_nametoindex("up0"));
}

static void drain_ports(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(ports); i++)
		nb_port_drain(&ports[i]);
}

/* A sender that the switch has not seen yet. */
static void set_new_station(unsigned char *frame)
{
	static unsigned int station;

	frame[6] = 0x02;
	frame[10] = station >> 8;
	frame[11] = station++;
}

static void post_flood(struct nb_fault_world *w)
{
	uint64_t gpa = nb_frame_put(&w->guest, 0, FLOODED, 0);

	drain_ports();
	set_new_station(nb_guest_ptr(&w->guest, gpa, FLOODED));
	nb_fault_post(w, nb_tx_packet(gpa, FLOODED, 0));
}

static void post_flood_to_host(struct nb_fault_world *w)
{
	unsigned char byte;

	post_flood(w);
	while (recv(w->nic.host.fd, &byte, 1, MSG_DONTWAIT) >= 0)
		;
}

/* What is short elsewhere is none of the other guests' business. */
static void reap_flood(struct nb_fault_world *w)
{
	unsigned int i, n;

	for (i = 0; i < ARRAY_LEN(ports); i++) {
		n = nb_port_drain(&ports[i]);
		if (n != NB_FAULT_PACKETS)
			nb_die("port %u gets %u of %u packets", i, n, NB_FAULT_PACKETS);
	}
	nb_fault_reap_packets(w);
	for (i = 0; i < ARRAY_LEN(ports); i++)
		if (nb_port_drain(&ports[i]) != 1)
			nb_die("the next packet does not arrive at port %u", i);
}

static void reap_flood_and_host(struct nb_fault_world *w)
{
	unsigned char byte;
	ssize_t len;

	reap_flood(w);
	while ((len = recv(w->nic.host.fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC)) >= 0 &&
	       len != NB_FAULT_FRAME)
		;
	if (len < 0)
		nb_die("the next packet does not arrive at the uplink");
}

static void open_to_flood(struct nb_fault_world *w)
{
	drain_ports();
	nb_fault_open_buffers(w);
}

static int host_floods(struct nb_fault_world *w)
{
	unsigned char frame[NB_FAULT_FRAME];

	nb_frame_fill(frame, sizeof(frame), 0);
	set_new_station(frame);
	return send(w->nic.host.fd, frame, sizeof(frame), 0) < 0 ? -errno : 0;
}

/* ---- all of them --------------------------------------------------------- */

static const struct nb_fault faults[] = {
	{ "attach_program", .kind = &nb_test_netdev, .prepare = with_a_program,
	  .before = with_new_rtnetlink, .call = attach_program, .undo = detach_program,
	  .silent = true, .anew = true },
	{ "xdp_pass", .kind = &nb_test_netdev, .prepare = with_xdp_pass,
	  .before = nb_fault_post_packets, NB_FAULT_TRANSMITS },
	{ "xdp_pass_long", .kind = &nb_test_netdev, .prepare = with_xdp_pass,
	  .before = post_long, NB_FAULT_TRANSMITS },
	{ "xdp_tx", .kind = &nb_test_netdev, .prepare = with_xdp_tx,
	  .before = post_long, NB_FAULT_TRANSMITS },
	{ "xdp_redirect", .kind = &nb_test_netdev, .prepare = with_xdp_redirect,
	  .before = post_long, NB_FAULT_TRANSMITS },
	{ "xdp_segments", .kind = &nb_test_netdev, .prepare = with_xdp_pass,
	  .before = post_some_segments, NB_FAULT_TRANSMITS },
	{ "xdp_checksums", .kind = &nb_test_netdev, .prepare = with_xdp_pass,
	  .before = post_unsummed, NB_FAULT_TRANSMITS },
	{ "segments_to_netdev", .kind = &nb_test_netdev, .prepare = with_hoard,
	  .before = post_super, NB_FAULT_TRANSMITS },
	{ "segments_to_attach", .kind = &nb_test_attach, .prepare = with_hoard,
	  .before = post_super, NB_FAULT_TRANSMITS },
	{ "flood", .kind = &nb_test_switch, .prepare = with_other_ports,
	  .before = post_flood, .call = nb_fault_transmit, .undo = reap_flood, .silent = true,
	  .without = true },
	{ "flood_with_uplink", .kind = &nb_test_switch, .prepare = with_uplink,
	  .before = post_flood_to_host, .call = nb_fault_transmit, .undo = reap_flood_and_host,
	  .silent = true, .without = true },
	{ "receive_from_uplink", .kind = &nb_test_switch, .prepare = with_uplink,
	  .before = open_to_flood, .call = host_floods, .undo = nb_fault_reap_buffers,
	  .silent = true, .without = true },
};

int main(int argc, char **argv)
{
	return nb_fault_main(faults, ARRAY_LEN(faults), argv + 1);
}
