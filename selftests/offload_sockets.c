// SPDX-License-Identifier: GPL-2.0
/*
 * What TCP and UDP sockets of the host send, to frontends with different wishes: with
 * right checksums in any case, and cut or not as the frontend takes it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "nbip.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

#define CHECKSUM	NB_QUEUE_RX_CHECKSUM
#define TCP_SUPER	(NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_TCP_SEGMENTATION)
#define UDP_SUPER	(NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_UDP_SEGMENTATION)

FIXTURE(sockets)
{
	struct nb_taker taker;
	struct nb_ip sent;
};

FIXTURE_SETUP(sockets)
{
	nb_taker_open(&self->taker);
}

FIXTURE_TEARDOWN(sockets)
{
	nb_taker_close(&self->taker);
}

#define GUEST_IP	"192.0.2.1"

static void configure_ip(FIXTURE_DATA(sockets) *self)
{
	char line[128];

	snprintf(line, sizeof(line), "ip addr add 192.0.2.2/24 dev %s", self->taker.nic.host.name);
	nb_host_run(line);
	snprintf(line, sizeof(line), "ip neigh add " GUEST_IP " lladdr 02:00:00:00:00:01 dev %s",
		 self->taker.nic.host.name);
	nb_host_run(line);
}

static int connect_to_guest(int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = nb_sys(socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	inet_pton(AF_INET, GUEST_IP, &address.sin_addr);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno != EINPROGRESS)
		nb_die("connect: %s", strerror(errno));
	return fd;
}

/* The next packet of a protocol, complete; its checksums are right. */
static bool receive_protocol(FIXTURE_DATA(sockets) *self, uint8_t protocol)
{
	do {
		if (!nb_taker_receive(&self->taker))
			return false;
	} while (!nb_ip_parse(&self->taker.got) || self->taker.got.protocol != protocol);
	nb_taker_complete(&self->taker);
	if (nb_ip_is_right(&self->taker.got))
		return true;
	fprintf(stderr, "# a packet of %u bytes is not right\n", self->taker.got.len);
	return false;
}

/* Sends bytes by UDP, cut by 1000; the number of packets in which they come, or 0. */
static unsigned int udp_packets(FIXTURE_DATA(sockets) *self, size_t len)
{
	unsigned char bytes[20000];
	int fd, size = 1000;
	unsigned int n = 0;
	size_t have = 0;

	configure_ip(self);
	nb_frame_fill(bytes, len, 5);
	fd = connect_to_guest(SOCK_DGRAM);
	nb_sys(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)));
	nb_sys(send(fd, bytes, len, 0));
	for (; have < len; n++) {
		const struct nb_ip *got = &self->taker.got;

		if (!receive_protocol(self, IPPROTO_UDP) || got->end - got->payload > len - have ||
		    memcmp(got->data + got->payload, bytes + have, got->end - got->payload))
			return 0;
		have += got->end - got->payload;
	}
	close(fd);
	return n;
}

TEST_F(sockets, udp_of_a_socket_is_cut)
{
	nb_taker_start(&self->taker, TCP_SUPER);
	EXPECT_EQ(11, udp_packets(self, 10500));
}

TEST_F(sockets, udp_of_a_socket_stays_whole)
{
	nb_taker_start(&self->taker, UDP_SUPER);
	EXPECT_EQ(1, udp_packets(self, 10500));
	EXPECT_EQ(1000, self->taker.meta.segment_size);
	EXPECT_EQ(NB_L4_UDP, self->taker.meta.l4_protocol);
}

/* The guest's answer to what it has got: a SYN and its ACK. */
static void answer_syn(FIXTURE_DATA(sockets) *self)
{
	const unsigned char *syn = self->taker.got.data + self->taker.got.l4;
	struct nb_ip_plan plan = {
		.protocol = IPPROTO_TCP,
		.source_port = 9,
		.port = syn[0] << 8 | syn[1],
		.tcp_flags = 0x12,
		.tcp_options = 4,
		.sequence = 1000,
	};
	unsigned char *tcp, *to = nb_guest_ptr(&self->taker.guest, NB_TAKER_SEND_GPA, NB_PAGE);
	uint32_t sequence;
	struct nb_tx_segment segment;

	nb_ip_make(&self->sent, &plan);
	tcp = self->sent.data + self->sent.l4;
	memcpy(&sequence, syn + 4, 4);
	sequence = htonl(ntohl(sequence) + 1);
	memcpy(tcp + 8, &sequence, 4);
	memset(tcp + 14, 0xff, 2);
	/* Segments of 1000 bytes. */
	memcpy(tcp + 20, "\x02\x04\x03\xe8", 4);
	nb_ip_finish(&self->sent);
	/* The host's address, not that of all tests. */
	nb_link_get_mac(self->taker.nic.host.name, self->sent.data);
	memcpy(to, self->sent.data, self->sent.len);
	segment = nb_tx_packet(NB_TAKER_SEND_GPA, self->sent.len, 1);
	nb_tx_all(self->taker.nic.queue, &segment, 1);
}

#define TCP_BYTES	9000u

/* A connection from the host, and what it sends first: in how many packets it comes. */
static unsigned int tcp_packets(FIXTURE_DATA(sockets) *self)
{
	unsigned char bytes[TCP_BYTES];
	unsigned int n = 0, have = 0;
	int fd;

	configure_ip(self);
	nb_frame_fill(bytes, sizeof(bytes), 6);
	fd = connect_to_guest(SOCK_STREAM);
	if (!receive_protocol(self, IPPROTO_TCP))
		return 0;
	answer_syn(self);
	/* Its acknowledgment. */
	if (!receive_protocol(self, IPPROTO_TCP))
		return 0;
	nb_sys(send(fd, bytes, sizeof(bytes), 0));
	for (; have < TCP_BYTES; n++) {
		const struct nb_ip *got = &self->taker.got;
		uint32_t len;

		if (!receive_protocol(self, IPPROTO_TCP))
			return 0;
		len = got->end - got->payload;
		if (len > TCP_BYTES - have || memcmp(got->data + got->payload, bytes + have, len))
			return 0;
		have += len;
	}
	close(fd);
	return n;
}

TEST_F(sockets, tcp_of_a_socket_is_cut)
{
	nb_taker_start(&self->taker, 0);
	EXPECT_EQ(9, tcp_packets(self));
	EXPECT_EQ(0, self->taker.meta.flags & NB_RX_NEEDS_CHECKSUM);
}

TEST_F(sockets, tcp_of_a_socket_has_checksums_to_be_completed)
{
	nb_taker_start(&self->taker, CHECKSUM);
	EXPECT_EQ(9, tcp_packets(self));
	EXPECT_EQ(NB_RX_NEEDS_CHECKSUM, self->taker.meta.flags & NB_RX_NEEDS_CHECKSUM);
}

TEST_F(sockets, tcp_of_a_socket_stays_whole)
{
	unsigned int n;

	/* TCP makes smaller ones for a peer that has answered slowly, as on a busy machine. */
	ASSERT_EQ(0, nb_test_run("sh", "-c", "echo 16 > /proc/sys/net/ipv4/tcp_min_tso_segs",
				 NULL));
	nb_taker_start(&self->taker, TCP_SUPER);
	n = tcp_packets(self);
	EXPECT_LE(1, n);
	EXPECT_GE(3, n);
	EXPECT_EQ(1000, self->taker.meta.segment_size);
	EXPECT_EQ(NB_L4_TCP, self->taker.meta.l4_protocol);
}

TEST_HARNESS_MAIN
