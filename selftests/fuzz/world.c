// SPDX-License-Identifier: GPL-2.0
/*
 * What the targets play with.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <linux/if_packet.h>
#include <linux/if_tun.h>

#include "../nbip.h"
#include "fuzz.h"
#include "world.h"

#define TAP		"tap0"
#define SOCKET_BUFFER	(256 << 10)

const char *const fuzz_kind_names[FUZZ_KINDS] = {
	"null", "loopback", "switch", "netdev", "attach",
};

/* ---- guest memory -------------------------------------------------------- */

#define PATTERN		0x5a

static const struct region {
	uint64_t gpa;
	size_t len;
	uint32_t flags;
} regions[] = {
	{ NB_RX_GPA, NB_RX_SIZE, 0 },
	{ NB_TX_GPA, NB_TX_SIZE, 0 },
	{ FUZZ_READ_ONLY_GPA, NB_PAGE, NB_REGION_READ_ONLY },
	{ FUZZ_ISLAND_GPA, NB_PAGE, 0 },
};

static uint8_t *memory_of[ARRAY_LEN(regions)];

/* Not by libnb, whose list of regions is not for several threads. */
static int add_region(struct fuzz_world *world, unsigned int i)
{
	struct nb_add_region call = {
		.size = sizeof(call),
		.flags = regions[i].flags,
		.gpa = regions[i].gpa,
		.len = regions[i].len,
		.addr = (uintptr_t)memory_of[i],
	};

	return ioctl(nb_memory_fd(world->guest.mem), NB_MEMORY_ADD_REGION, &call) ? -errno : 0;
}

void fuzz_world_remove(struct fuzz_world *world, unsigned int i)
{
	const struct region *region = &regions[i % ARRAY_LEN(regions)];
	struct nb_remove_region call = {
		.size = sizeof(call), .gpa = region->gpa, .len = region->len,
	};

	ioctl(nb_memory_fd(world->guest.mem), NB_MEMORY_REMOVE_REGION, &call);
}

void fuzz_world_mend(struct fuzz_world *world)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_LEN(regions); i++) {
		err = add_region(world, i);
		if (err && err != -EEXIST)
			fuzz_broken("region %u cannot be added: %s", i, strerror(-err));
	}
}

static void open_memory(struct fuzz_world *world)
{
	memory_of[0] = nb_guest_ptr(&world->guest, NB_RX_GPA, NB_RX_SIZE);
	memory_of[1] = nb_guest_ptr(&world->guest, NB_TX_GPA, NB_TX_SIZE);
	memory_of[2] = nb_test_pages(NB_PAGE);
	memory_of[3] = (uint8_t *)nb_test_pages(3 * NB_PAGE) + NB_PAGE;
	memset(memory_of[2], PATTERN, NB_PAGE);
	memset(memory_of[3] - NB_PAGE, PATTERN, 3 * NB_PAGE);
	world->packets = memory_of[1];
	fuzz_world_mend(world);
}

static bool is_pattern(const uint8_t *data, size_t len)
{
	return data[0] == PATTERN && !memcmp(data, data + 1, len - 1);
}

void fuzz_world_check(void)
{
	if (!is_pattern(memory_of[2], NB_PAGE))
		fuzz_broken("a read-only region was written");
	if (!is_pattern(memory_of[3] - NB_PAGE, NB_PAGE) ||
	    !is_pattern(memory_of[3] + NB_PAGE, NB_PAGE))
		fuzz_broken("memory beside a region was written");
}

static const struct nb_ip_plan plans[FUZZ_PACKETS] = {
	{ .protocol = IPPROTO_UDP, .payload = 100 },
	{ .protocol = IPPROTO_TCP, .payload = 1000 },
	{ .ipv6 = true, .protocol = IPPROTO_UDP, .payload = 200 },
	{ .ipv6 = true, .protocol = IPPROTO_TCP, .payload = 1200 },
	{ .protocol = IPPROTO_TCP, .payload = 3000, .options = 8, .tags = 1 },
	{ .ipv6 = true, .protocol = IPPROTO_TCP, .payload = 3000, .options = 16 },
	{ .protocol = IPPROTO_UDP, .payload = 3000 },
	{ .ipv6 = true, .protocol = IPPROTO_ICMPV6, .payload = 60, .tags = 2 },
};

static struct nb_ip packets[FUZZ_PACKETS];

void fuzz_world_fill(struct fuzz_world *world)
{
	unsigned int i;

	for (i = 0; i < FUZZ_PACKETS; i++) {
		if (!packets[i].len)
			nb_ip_make(&packets[i], &plans[i]);
		memcpy(world->packets + i * NB_PAGE, packets[i].data, packets[i].len);
	}
}

uint32_t fuzz_describe(unsigned int i, uint16_t flags, struct nb_tx_segment *head)
{
	nb_ip_describe(&packets[i], flags, 500, head);
	return packets[i].len;
}

/* ---- endpoints ----------------------------------------------------------- */

static int open_tap(void)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd;

	nb_test_run("modprobe", "tun", NULL);
	fd = nb_sys(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
	strcpy(request.ifr_name, TAP);
	nb_sys(ioctl(fd, TUNSETIFF, &request));
	nb_link_set_up(TAP, true);
	return fd;
}

static struct nb_endpoint *create(struct fuzz_world *world, const char *kind, const void *params,
				  uint32_t size)
{
	struct nb_endpoint_params all = {
		.kind = kind,
		.netns_fd = -1,
		.kind_params = params,
		.kind_params_size = size,
	};
	struct nb_endpoint *ep;

	nb_ok(nb_endpoint_create(world->guest.nb, &all, &ep));
	return ep;
}

/* A packet socket on an interface of this module, which comes up. */
static int open_host(struct nb_endpoint *ep, int *ifindex)
{
	struct nb_endpoint_info info;
	struct nb_host host;
	int size = SOCKET_BUFFER;

	nb_ok(nb_endpoint_get_info(ep, &info));
	nb_host_open(&host, info.ifindex);
	nb_ip_want_vnet(&host);
	nb_sys(setsockopt(host.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	*ifindex = info.ifindex;
	return host.fd;
}

static void open_switch(struct fuzz_world *world)
{
	struct nb_netdev_params uplink = {
		.flags = NB_NETDEV_UPLINK,
		.port.flags = NB_SWITCH_JOIN,
	};
	struct nb_port port = { 0 };

	world->ep[FUZZ_PORT] = create(world, "switch", NULL, 0);
	port.ep = world->ep[FUZZ_PORT];
	nb_port_join(&world->peer, &port, NULL);
	uplink.port.group_fd = nb_endpoint_fd(port.ep);
	world->uplink = create(world, "netdev", &uplink, sizeof(uplink));
	world->host[FUZZ_PORT] = open_host(world->uplink, &world->ifindex[FUZZ_PORT]);
}

void fuzz_world_open(struct fuzz_world *world)
{
	struct nb_attach_params attach = { .flags = NB_ATTACH_PROMISCUOUS };

	memset(world, 0, sizeof(*world));
	world->host[FUZZ_NULL] = -1;
	world->host[FUZZ_LOOPBACK] = -1;
	nb_host_new_netns();
	nb_guest_open(&world->guest, 0);
	open_memory(world);
	fuzz_world_fill(world);
	world->ep[FUZZ_NULL] = create(world, "null", NULL, 0);
	world->ep[FUZZ_LOOPBACK] = create(world, "loopback", NULL, 0);
	open_switch(world);
	world->ep[FUZZ_NETDEV] = create(world, "netdev", NULL, 0);
	world->host[FUZZ_NETDEV] = open_host(world->ep[FUZZ_NETDEV],
					     &world->ifindex[FUZZ_NETDEV]);
	world->host[FUZZ_ATTACH] = open_tap();
	attach.ifindex = if_nametoindex(TAP);
	world->ifindex[FUZZ_ATTACH] = attach.ifindex;
	world->ep[FUZZ_ATTACH] = create(world, "attach", &attach, sizeof(attach));
}

/* ---- the host ------------------------------------------------------------ */

void fuzz_host_send(struct fuzz_world *world, enum fuzz_kind kind,
		    const struct virtio_net_hdr *header, const void *frame, size_t len)
{
	static const struct virtio_net_hdr nothing;
	struct iovec parts[] = {
		{ .iov_base = (void *)(header ?: &nothing), .iov_len = sizeof(nothing) },
		{ .iov_base = (void *)frame, .iov_len = len },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (kind == FUZZ_ATTACH && writev(world->host[kind], parts, 2) >= 0)
		return;
	if (world->host[kind] >= 0)
		sendmsg(world->host[kind], &message, MSG_DONTWAIT);
}

void fuzz_host_drain(struct fuzz_world *world, enum fuzz_kind kind)
{
	char byte[64];

	if (kind == FUZZ_ATTACH)
		while (read(world->host[kind], byte, sizeof(byte)) > 0)
			;
	else if (world->host[kind] >= 0)
		while (recv(world->host[kind], byte, sizeof(byte), MSG_DONTWAIT) > 0)
			;
	if (kind == FUZZ_PORT)
		nb_port_drain(&world->peer);
}

/* ---- queues -------------------------------------------------------------- */

int fuzz_open_queue(struct fuzz_world *world, enum fuzz_kind kind, uint32_t entries,
		    uint32_t flags, struct nb_raw *raw)
{
	return nb_raw_try(raw, world->ep[kind], world->guest.mem, entries, flags);
}

void fuzz_check_queue(struct fuzz_world *world, enum fuzz_kind kind, struct nb_raw *raw)
{
	struct nb_rx_segment buffer = { .gpa = NB_RX_GPA, .len = NB_BUF_SIZE, .id = 7 };
	struct nb_tx_segment packet = nb_tx_packet(NB_TX_GPA, fuzz_describe(0, 0, &packet), 5);
	struct nb_rx_metadata meta;
	struct nb_tx_completion done;
	int err;

	nb_raw_rx(raw, &buffer, 1);
	nb_raw_tx(raw, &packet, 1);
	err = nb_raw_enter(raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
	if (err)
		fuzz_stuck("%s: a new queue does not work: ENTER says %s",
			   fuzz_kind_names[kind], strerror(-err));
	if (!nb_raw_tx_done(raw, &done) || done.id != 5 || done.status > NB_TX_DROPPED)
		fuzz_stuck("%s: a new queue does not send", fuzz_kind_names[kind]);
	if (kind == FUZZ_LOOPBACK && (!nb_raw_rx_done(raw, &meta) || meta.id != 7 ||
				      meta.status != NB_RX_OK || meta.len != packet.len))
		fuzz_stuck("%s: a new queue does not receive", fuzz_kind_names[kind]);
}
