// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost with an interface of the host, and rings of either layout: offloads in both
 * directions, several pairs of rings, and a backend that is plugged out and in.
 *
 *	rings -- nbvhost -- nb0 -- (tc) -- wire0 == wire1 -- packet socket
 *			     |
 *			     packet socket
 */
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "kselftest_harness.h"
#include "nbfrontend.h"
#include "nbip.h"
#include "../tools/nbvhost/vhost_user.h"

#define PATH		"/tmp/nb-vhost-netdev"
#define PAIRS		3u
#define BUFFERS		NB_FRONT_ENTRIES
#define ROUNDS		5u
#define SIZE		1428u	/* of a segment's payload */
#define GUEST_IP	"192.0.2.9"

/* not in the headers of Linux 6.1 yet */
#define GUEST_USO4	54
#define GUEST_USO6	55
#define HOST_USO	56
#define GSO_UDP_L4	5

#define BIT(n)		(1ull << (n))
#define SENDS		(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |	\
			 BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(HOST_USO))
#define TAKES		(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |	\
			 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(GUEST_USO4) |	\
			 BIT(GUEST_USO6) | BIT(VIRTIO_NET_F_MRG_RXBUF))

FIXTURE(vhost_netdev)
{
	pid_t server;
	uint64_t layout;
	struct nb_front front;
	struct nb_host host;
	struct virtio_net_hdr_v1 header;
	struct nb_ip sent, left, piece, got;
};

FIXTURE_VARIANT(vhost_netdev)
{
	uint64_t layout;
};

FIXTURE_VARIANT_ADD(vhost_netdev, split) { .layout = 0 };
FIXTURE_VARIANT_ADD(vhost_netdev, packed) { .layout = BIT(VIRTIO_F_RING_PACKED) };

FIXTURE_SETUP(vhost_netdev)
{
	nb_test_load_module();
	nb_host_new_netns();
	unlink(PATH);
	self->layout = variant->layout;
	self->front.memfd = -1;
	self->server = nb_vhost_run("-q", "3", PATH, "netdev,name=nb0,mtu=9000", NULL);
}

FIXTURE_TEARDOWN(vhost_netdev)
{
	nb_host_close(&self->host);
	nb_front_close(&self->front);
	EXPECT_EQ(0, nb_vhost_end(self->server));
	EXPECT_EQ(0, if_nametoindex("nb0"));
}

/* A guest that has these features, and the interface, which has come up. */
static void start(FIXTURE_DATA(vhost_netdev) *self, uint64_t features, unsigned int pairs)
{
	unsigned int i;

	nb_front_open_pairs(&self->front, PATH, self->layout | features, pairs);
	for (i = 0; i < pairs; i++)
		nb_front_post(&self->front, i, 0, BUFFERS);
	/* the answer comes when the rings are in use */
	nb_front_ask(&self->front, VU_GET_FEATURES);
	nb_host_open(&self->host, if_nametoindex("nb0"));
	nb_ip_want_vnet(&self->host);
}

/* ---- guest to host ------------------------------------------------------- */

static uint8_t gso_type(const struct nb_ip *ip)
{
	if (ip->protocol == IPPROTO_UDP)
		return GSO_UDP_L4;
	return ip->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
}

/* As a guest's stack leaves a packet to its NIC, to be cut if there is a size. */
static bool transmit(FIXTURE_DATA(vhost_netdev) *self, uint16_t size)
{
	struct virtio_net_hdr_v1 header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = self->sent.l4,
		.csum_offset = self->sent.protocol == IPPROTO_TCP ? 16 : 6,
	};

	if (size) {
		header.gso_type = gso_type(&self->sent);
		header.gso_size = size;
		header.hdr_len = self->sent.payload;
	}
	memcpy(&self->left, &self->sent, sizeof(self->sent));
	nb_ip_leave_to_stack(&self->left);
	return nb_front_transmit_on(&self->front, 0, 0, &header, self->left.data,
				    self->left.len);
}

/* Puts a tag where the socket has found it. */
static void put_tag_back(struct nb_ip *ip, uint16_t tci)
{
	memmove(ip->data + 16, ip->data + 12, ip->len - 12);
	memcpy(ip->data + 12, (uint8_t[]){ 0x81, 0x00, tci >> 8, tci }, 4);
	ip->len += 4;
}

static bool comes_out(FIXTURE_DATA(vhost_netdev) *self, struct nb_host *wire,
		      const struct nb_ip *expected)
{
	struct nb_seen seen;

	if (!nb_ip_receive(wire, &self->got, &seen, false) || seen.incomplete)
		return false;
	if (seen.vlan != NB_NO_VLAN)
		put_tag_back(&self->got, seen.vlan);
	return nb_ip_same(expected, &self->got);
}

TEST_F(vhost_netdev, what_the_guest_leaves_to_its_nic_is_done)
{
	struct nb_host wire;
	unsigned int kind, i, n;

	start(self, SENDS, 1);
	nb_host_behind_wire(&wire, "nb0");
	for (kind = 0; kind < 8; kind++) {
		struct nb_ip_plan plan = {
			.ipv6 = kind & 1,
			.protocol = kind & 2 ? IPPROTO_TCP : IPPROTO_UDP,
			.tags = kind & 4 ? 1 : 0,
			.tcp_options = kind & 2 ? 12 : 0,
			.payload = 999 + kind,
			.seed = kind,
		};

		nb_ip_make(&self->sent, &plan);
		ASSERT_TRUE(transmit(self, 0));
		ASSERT_TRUE(comes_out(self, &wire, &self->sent))
			TH_LOG("checksum, kind %u", kind);
		plan.payload = 20000 + kind;
		nb_ip_make(&self->sent, &plan);
		ASSERT_TRUE(transmit(self, SIZE));
		n = nb_ip_pieces(&self->sent, SIZE);
		for (i = 0; i < n; i++) {
			nb_ip_piece(&self->sent, SIZE, i, &self->piece);
			ASSERT_TRUE(comes_out(self, &wire, &self->piece))
				TH_LOG("piece %u of kind %u", i, kind);
		}
	}
	nb_host_close(&wire);
}

/* ---- host to guest ------------------------------------------------------- */

/* Receives a packet, and completes its checksum as the header says. */
static bool receive(FIXTURE_DATA(vhost_netdev) *self)
{
	struct virtio_net_hdr_v1 *header = &self->header;
	ssize_t len = nb_front_receive_on(&self->front, 0, header, self->got.data,
					  sizeof(self->got.data));
	uint16_t sum, at = header->csum_start + header->csum_offset;

	if (len < 0)
		return false;
	self->got.len = len;
	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	if (at + 2 > len)
		return false;
	sum = ~nb_ip_sum(self->got.data + header->csum_start, len - header->csum_start, 0);
	if (!sum)
		sum = 0xffff;
	self->got.data[at] = sum >> 8;
	self->got.data[at + 1] = sum;
	return true;
}

TEST_F(vhost_netdev, what_the_host_leaves_to_its_nic_is_told_to_a_guest_that_takes_it)
{
	unsigned int kind;

	start(self, TAKES, 1);
	for (kind = 0; kind < 6; kind++) {
		uint16_t size = kind & 4 ? SIZE : 0;
		struct nb_ip_plan plan = {
			.ipv6 = kind & 1,
			.protocol = kind & 2 || size ? IPPROTO_TCP : IPPROTO_UDP,
			.payload = size ? 30001 : 1001,
			.seed = kind,
		};

		nb_ip_make(&self->sent, &plan);
		memcpy(&self->left, &self->sent, sizeof(self->sent));
		nb_ip_leave_to_stack(&self->left);
		nb_ip_send(&self->host, &self->left, true, size);
		ASSERT_TRUE(receive(self));
		EXPECT_TRUE(nb_ip_same(&self->sent, &self->got));
		EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, self->header.flags);
		EXPECT_EQ(self->sent.l4, self->header.csum_start);
		EXPECT_EQ(size, self->header.gso_size);
		EXPECT_EQ(size ? gso_type(&self->sent) : 0, self->header.gso_type);
	}
}

static void send_burst(uint32_t len, int size)
{
	const struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(9000),
		.sin_addr.s_addr = htonl(0xc0000209),	/* GUEST_IP */
	};
	static const uint8_t payload[8000];
	int fd = nb_sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	nb_host_run("ip addr add 192.0.2.1/24 dev nb0");
	nb_host_run("ip neigh add " GUEST_IP " lladdr 02:00:00:00:00:09 dev nb0");
	nb_sys(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)));
	nb_sys(sendto(fd, payload, len, 0, (const void *)&addr, sizeof(addr)));
	close(fd);
}

TEST_F(vhost_netdev, a_burst_of_udp_stays_one_packet)
{
	start(self, TAKES, 1);
	send_burst(8000, 1000);
	ASSERT_TRUE(receive(self));
	EXPECT_EQ(GSO_UDP_L4, self->header.gso_type);
	EXPECT_EQ(1000, self->header.gso_size);
	EXPECT_EQ(14 + 20 + 8 + 8000, self->got.len);
	ASSERT_TRUE(nb_ip_parse(&self->got));
	EXPECT_TRUE(nb_ip_is_right(&self->got));
}

TEST_F(vhost_netdev, a_guest_that_takes_nothing_gets_whole_packets_and_right_checksums)
{
	const struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 20000 };
	unsigned int i, n;

	start(self, 0, 1);
	nb_ip_make(&self->sent, &plan);
	memcpy(&self->left, &self->sent, sizeof(self->sent));
	nb_ip_leave_to_stack(&self->left);
	nb_ip_send(&self->host, &self->left, true, 1000);
	n = nb_ip_pieces(&self->sent, 1000);
	for (i = 0; i < n; i++) {
		nb_ip_piece(&self->sent, 1000, i, &self->piece);
		ASSERT_TRUE(receive(self));
		EXPECT_EQ(0, self->header.flags);
		EXPECT_EQ(0, self->header.gso_type);
		ASSERT_TRUE(nb_ip_same(&self->piece, &self->got));
	}
}

TEST_F(vhost_netdev, a_tag_that_the_host_has_beside_the_packet_gets_into_it)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 20000 };
	struct nb_host tagged;

	start(self, TAKES, 1);
	nb_link_add_vlan(self->host.ifindex, "tagged", 0x123);
	nb_host_open(&tagged, if_nametoindex("tagged"));
	nb_ip_want_vnet(&tagged);
	nb_ip_make(&self->sent, &plan);
	memcpy(&self->left, &self->sent, sizeof(self->sent));
	nb_ip_leave_to_stack(&self->left);
	nb_ip_send(&tagged, &self->left, true, SIZE);
	ASSERT_TRUE(receive(self));
	ASSERT_EQ(self->sent.len + 4, self->got.len);
	EXPECT_EQ(0, memcmp(self->got.data + 12, "\x81\x00\x01\x23", 4));
	memmove(self->got.data + 12, self->got.data + 16, self->got.len - 16);
	self->got.len -= 4;
	EXPECT_TRUE(nb_ip_same(&self->sent, &self->got));
	EXPECT_EQ(self->sent.l4 + 4, self->header.csum_start);
	EXPECT_EQ(SIZE, self->header.gso_size);
	nb_host_close(&tagged);
}

/* ---- pairs --------------------------------------------------------------- */

TEST_F(vhost_netdev, each_pair_has_its_flows)
{
	unsigned int from[PAIRS] = { 0 }, i;
	struct nb_seen seen;
	int pair;

	start(self, BIT(VIRTIO_NET_F_MQ), PAIRS);
	for (i = 0; i < 64; i++) {
		struct nb_ip_plan plan = {
			.protocol = IPPROTO_UDP,
			.payload = 100,
			.seed = i,
			.source_port = 1000 + i,
		};
		const struct virtio_net_hdr_v1 none = { 0 };

		nb_ip_make(&self->sent, &plan);
		nb_ip_send(&self->host, &self->sent, false, 0);
		pair = nb_front_wait(&self->front);
		ASSERT_LE(0, pair);
		self->got.len = nb_front_receive_on(&self->front, pair, &self->header,
						    self->got.data, sizeof(self->got.data));
		ASSERT_TRUE(nb_ip_same(&self->sent, &self->got));
		from[pair]++;

		ASSERT_TRUE(nb_front_transmit_on(&self->front, i % PAIRS, i, &none,
						 self->sent.data, self->sent.len));
		ASSERT_TRUE(nb_ip_receive(&self->host, &self->got, &seen, true));
		ASSERT_TRUE(nb_ip_same(&self->sent, &self->got));
	}
	for (i = 0; i < PAIRS; i++)
		EXPECT_NE(0, from[i]);
}

/* ---- what a front-end is told -------------------------------------------- */

static bool get_config(struct nb_front *front, struct virtio_net_config *config)
{
	struct vu_config area = { .size = sizeof(*config) };
	const uint32_t size = offsetof(struct vu_config, bytes) + sizeof(*config);

	nb_front_connect(front, PATH);
	nb_front_send(front, VU_GET_CONFIG, &area, size, NULL, 0);
	if (!nb_front_answer(front, &area, size))
		return false;
	memcpy(config, area.bytes, sizeof(*config));
	return true;
}

TEST_F(vhost_netdev, address_mtu_and_pairs_are_in_the_configuration)
{
	struct virtio_net_config config;
	uint8_t mac[6];

	ASSERT_TRUE(get_config(&self->front, &config));
	nb_link_get_mac("nb0", mac);
	/* the guest's address is not that of the host's interface */
	EXPECT_NE(0, memcmp(config.mac, mac, 6));
	EXPECT_NE(0, memcmp(config.mac, "\0\0\0\0\0\0", 6));
	EXPECT_EQ(9000, config.mtu);
	EXPECT_EQ(PAIRS, config.max_virtqueue_pairs);
	/* a front-end may say what its guest is to see, as far as that is possible */
	nb_front_send_u64(&self->front, VU_NET_SET_MTU, 9000, -1);
	nb_front_ask(&self->front, VU_GET_FEATURES);
	nb_front_send_u64(&self->front, VU_NET_SET_MTU, 9001, -1);
	EXPECT_TRUE(nb_front_is_refused(&self->front));
}

TEST_F(vhost_netdev, an_mtu_that_was_changed_is_told_to_who_comes_next)
{
	struct virtio_net_config config;

	ASSERT_EQ(0, nb_test_run("ip", "link", "set", "nb0", "mtu", "4000", NULL));
	ASSERT_TRUE(get_config(&self->front, &config));
	EXPECT_EQ(4000, config.mtu);
	nb_front_send_u64(&self->front, VU_NET_SET_MTU, 4001, -1);
	EXPECT_TRUE(nb_front_is_refused(&self->front));
}

static uint16_t status_of(struct nb_front *front)
{
	const uint32_t head = offsetof(struct vu_config, bytes);
	struct vu_config area = {
		.offset = offsetof(struct virtio_net_config, status),
		.size = sizeof(uint16_t),
	};
	uint16_t status;

	nb_front_send(front, VU_GET_CONFIG, &area, head + area.size, NULL, 0);
	if (!nb_front_answer(front, &area, head + area.size))
		nb_die("there is no configuration");
	memcpy(&status, area.bytes, sizeof(status));
	return status;
}

/* A front-end that wants to be told, and the socket by which it is. */
static int listen_for_changes(struct nb_front *front)
{
	const struct timeval patience = { .tv_sec = NB_PATIENCE / 1000 };
	int pair[2];

	nb_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	nb_sys(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES,
			  BIT(VU_PROTOCOL_F_CONFIG) | BIT(VU_PROTOCOL_F_BACKEND_REQ), -1);
	nb_front_send(front, VU_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1);
	nb_front_ask(front, VU_GET_FEATURES);
	close(pair[1]);
	return pair[0];
}

static bool is_told(int socket)
{
	struct vu_header header;

	return recv(socket, &header, sizeof(header), MSG_WAITALL) == sizeof(header) &&
	       header.request == VU_BACKEND_CONFIG_CHANGE && header.flags == VU_VERSION &&
	       !header.size;
}

TEST_F(vhost_netdev, a_link_that_changes_is_told_to_the_guest)
{
	unsigned int i;
	char byte;
	int socket;

	start(self, 0, 1);
	socket = listen_for_changes(&self->front);
	EXPECT_EQ(VIRTIO_NET_S_LINK_UP, status_of(&self->front));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, nb_test_run("nbctl", "link", "nb0", "down", NULL));
		ASSERT_TRUE(is_told(socket));
		EXPECT_EQ(0, status_of(&self->front));
		ASSERT_EQ(0, nb_test_run("nbctl", "link", "nb0", "up", NULL));
		ASSERT_TRUE(is_told(socket));
		EXPECT_EQ(VIRTIO_NET_S_LINK_UP, status_of(&self->front));
	}
	ASSERT_EQ(0, nb_test_run("nbctl", "disconnect", "nb0", NULL));
	ASSERT_TRUE(is_told(socket));
	EXPECT_EQ(0, status_of(&self->front));
	ASSERT_EQ(0, nb_test_run("nbctl", "connect", "nb0", NULL));
	ASSERT_TRUE(is_told(socket));
	EXPECT_EQ(VIRTIO_NET_S_LINK_UP, status_of(&self->front));
	/* once for each of them */
	EXPECT_EQ(-1, recv(socket, &byte, 1, MSG_DONTWAIT));
	close(socket);
}

/* Once, by whoever is there. */
TEST_F(vhost_netdev, a_link_that_changes_while_it_begins_again_is_told)
{
	char byte;
	int socket;

	start(self, 0, 1);
	socket = listen_for_changes(&self->front);
	nb_sys(kill(self->server, SIGSTOP));
	ASSERT_EQ(0, nb_test_run("nbctl", "link", "nb0", "down", NULL));
	nb_sys(kill(self->server, SIGUSR2));
	nb_sys(kill(self->server, SIGCONT));
	ASSERT_TRUE(nb_vhost_says_ready(self->server, NB_PATIENCE));
	ASSERT_TRUE(is_told(socket));
	EXPECT_EQ(0, status_of(&self->front));
	ASSERT_TRUE(nb_vhost_again(self->server));
	EXPECT_EQ(0, status_of(&self->front));
	EXPECT_EQ(-1, recv(socket, &byte, 1, MSG_DONTWAIT));
	ASSERT_EQ(0, nb_test_run("nbctl", "link", "nb0", "up", NULL));
	ASSERT_TRUE(is_told(socket));
	EXPECT_EQ(VIRTIO_NET_S_LINK_UP, status_of(&self->front));
	close(socket);
}

/* A front-end that is slow sees the state as it is when it looks. */
TEST_F(vhost_netdev, a_front_end_that_does_not_read_keeps_nobody_waiting)
{
	int sockets[2];

	start(self, 0, 1);
	nb_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	while (send(sockets[1], "", 1, MSG_DONTWAIT) == 1)
		;
	nb_front_send_u64(&self->front, VU_SET_PROTOCOL_FEATURES,
			  BIT(VU_PROTOCOL_F_CONFIG) | BIT(VU_PROTOCOL_F_BACKEND_REQ), -1);
	nb_front_send(&self->front, VU_SET_BACKEND_REQ_FD, NULL, 0, &sockets[1], 1);
	ASSERT_EQ(0, nb_test_run("nbctl", "link", "nb0", "down", NULL));
	EXPECT_TRUE(nb_until(!status_of(&self->front)));
	/* or is not there any more */
	close(sockets[0]);
	close(sockets[1]);
	ASSERT_EQ(0, nb_test_run("nbctl", "link", "nb0", "up", NULL));
	EXPECT_TRUE(nb_until(status_of(&self->front)));
}

TEST_F(vhost_netdev, a_channel_that_is_no_socket_is_refused)
{
	int memfd = nb_sys(memfd_create("channel", MFD_CLOEXEC)), i;

	for (i = 0; i < 2; i++) {
		nb_front_connect(&self->front, PATH);
		nb_front_send(&self->front, VU_SET_BACKEND_REQ_FD, NULL, 0, &memfd, i);
		EXPECT_TRUE(nb_front_is_refused(&self->front));
		nb_front_close(&self->front);
	}
	close(memfd);
}

/* ---- a backend that changes ---------------------------------------------- */

static void works_both_ways(FIXTURE_DATA(vhost_netdev) *self, uint32_t seed)
{
	uint8_t sent[300], got[300 + sizeof(struct virtio_net_hdr)];
	struct nb_host host;

	/* what is sent before the queues are there again goes to nobody */
	nb_frame_fill(sent, sizeof(sent), seed);
	nb_host_open(&host, if_nametoindex("nb0"));
	if (!nb_front_transmit(&self->front, seed % 256, sent, sizeof(sent)) ||
	    nb_host_receive(&host, got, sizeof(got), NULL) != sizeof(sent) ||
	    memcmp(sent, got, sizeof(sent)))
		nb_die("guest to host, round %u", seed);
	nb_host_send(&host, sent, sizeof(sent));
	if (nb_front_receive(&self->front, got, sizeof(got), NULL) != sizeof(sent) ||
	    memcmp(sent, got, sizeof(sent)))
		nb_die("host to guest, round %u", seed);
	nb_host_close(&host);
}

/* The next frame of RARP, which nb_host_receive() would leave out; its length, or -1. */
static ssize_t receive_rarp(struct nb_host *host, uint8_t *frame, size_t size)
{
	struct pollfd wait = { .fd = host->fd, .events = POLLIN };
	ssize_t len;

	while (poll(&wait, 1, NB_PATIENCE) == 1) {
		len = nb_sys(recv(host->fd, frame, size, 0));
		if (len > ETH_HLEN && frame[12] == ETH_P_RARP >> 8 &&
		    frame[13] == (ETH_P_RARP & 0xff))
			return len;
	}
	return -1;
}

/* As QEMU wants it when a guest has moved, several times. */
TEST_F(vhost_netdev, a_guest_that_has_moved_is_announced)
{
	static const uint8_t mac[8] = { 2, 3, 4, 5, 6, 7 }, nobody[4];
	const uint8_t head[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 3, 4, 5, 6, 7, 0x80, 0x35,
				 0, 1, 8, 0, 6, 4, 0, 3, 2, 3, 4, 5, 6, 7 };
	uint8_t got[200];
	struct nb_host host;
	unsigned int i;

	start(self, 0, 1);
	nb_front_send_u64(&self->front, VU_SET_PROTOCOL_FEATURES, BIT(VU_PROTOCOL_F_RARP), -1);
	nb_host_open(&host, if_nametoindex("nb0"));
	for (i = 0; i < 3; i++) {
		nb_front_send(&self->front, VU_SEND_RARP, mac, sizeof(mac), NULL, 0);
		ASSERT_EQ(60, receive_rarp(&host, got, sizeof(got)));
		EXPECT_EQ(0, memcmp(got, head, sizeof(head)));
		EXPECT_EQ(0, memcmp(got + sizeof(head), nobody, sizeof(nobody)));
		EXPECT_EQ(0, memcmp(got + sizeof(head) + 4, mac, 6));
	}
	nb_host_close(&host);
	/* its own packets are sent as before, and what is not there yet is not announced */
	works_both_ways(self, 1);
	nb_front_stop(&self->front, NB_FRONT_TX_RING);
	nb_front_send(&self->front, VU_SEND_RARP, mac, sizeof(mac), NULL, 0);
	nb_front_ask(&self->front, VU_GET_FEATURES);
}

static bool has_carrier(void)
{
	return !nb_test_run("sh", "-c", "ip link show nb0 | grep -q LOWER_UP", NULL);
}

TEST_F(vhost_netdev, a_backend_that_is_plugged_out_and_in_is_served_again)
{
	uint8_t frame[60];
	unsigned int i;

	start(self, BIT(VIRTIO_RING_F_EVENT_IDX), 1);
	nb_frame_fill(frame, sizeof(frame), 0);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, nb_test_run("nbctl", "disconnect", "nb0", NULL));
		/* what is sent then is lost, but the guest has its buffers back */
		ASSERT_TRUE(nb_front_transmit(&self->front, 100, frame, sizeof(frame)));
		ASSERT_EQ(0, nb_test_run("nbctl", "connect", "nb0", NULL));
		ASSERT_TRUE(nb_until(has_carrier()));
		works_both_ways(self, i);
	}
}

TEST_HARNESS_MAIN
