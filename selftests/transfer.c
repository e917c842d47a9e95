// SPDX-License-Identifier: GPL-2.0
/*
 * Sends its standard input to another host, where it comes out as standard output:
 * whole, in order and once, by TCP or UDP, over IPv4 or IPv6.
 *
 *	transfer PROTOCOL receive ADDRESS PORT > FILE
 *	transfer PROTOCOL send ADDRESS PORT < FILE
 *
 * By UDP it sends a burst of numbered datagrams, all of them by one call if the kernel
 * can cut them (UDP_SEGMENT), and waits for an answer: the number that the receiver
 * wants next.  What was lost is sent again; both say on stderr how much that was.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

/* Bytes of a datagram; with all headers, and a VLAN tag, it is less than 1500. */
#define DATAGRAM	1200u
#define BURST		32u
/* Seconds that an answer may take before the burst is sent again, and how often. */
#define ANSWER_TIME	3
#define ATTEMPTS	20u

/* The receiver answers a datagram that has one of them. */
#define END_OF_BURST	1u
#define END_OF_DATA	2u

struct datagram {
	uint32_t number;
	uint32_t flags;
	unsigned char data[DATAGRAM - 8];
};

static void die(const char *what)
{
	fprintf(stderr, "transfer: %s: %s\n", what, errno ? strerror(errno) : "ends too early");
	exit(EXIT_FAILURE);
}

static size_t read_all(void *data, size_t size)
{
	size_t have = 0;
	ssize_t n;

	while (have < size && (n = read(STDIN_FILENO, (char *)data + have, size - have))) {
		if (n < 0)
			die("read");
		have += n;
	}
	return have;
}

static void write_all(int fd, const void *data, size_t len)
{
	size_t done = 0;
	ssize_t n;

	for (; done < len; done += n) {
		n = write(fd, (const char *)data + done, len - done);
		if (n < 0)
			die("write");
	}
}

static int open_socket(int type, bool receive, const char *address, const char *port)
{
	struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICHOST }, *info;
	int fd, on = 1;

	if (getaddrinfo(address, port, &hints, &info)) {
		fprintf(stderr, "transfer: %s, port %s is no address\n", address, port);
		exit(EXIT_FAILURE);
	}
	fd = socket(info->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (receive ? bind(fd, info->ai_addr, info->ai_addrlen) :
		      connect(fd, info->ai_addr, info->ai_addrlen))
		die(receive ? "bind" : "connect");
	freeaddrinfo(info);
	return fd;
}

/* ---- TCP ----------------------------------------------------------------- */

static void tcp_send(int fd)
{
	static unsigned char data[1 << 16];
	size_t len;

	while ((len = read_all(data, sizeof(data))))
		write_all(fd, data, len);
	/* Until the other side has read all of it, and closed. */
	shutdown(fd, SHUT_WR);
	if (read(fd, data, 1))
		die("the receiver");
}

static void tcp_receive(int listener)
{
	static unsigned char data[1 << 16];
	ssize_t n;
	int fd;

	if (listen(listener, 1))
		die("listen");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	while ((n = read(fd, data, sizeof(data)))) {
		if (n < 0)
			die("the sender");
		write_all(STDOUT_FILENO, data, n);
	}
	close(fd);
}

/* ---- UDP ----------------------------------------------------------------- */

/* The number that the receiver wants next, or "now" if it does not answer. */
static uint32_t wait_for_answer(int fd, uint32_t now)
{
	uint32_t wanted;

	if (recv(fd, &wanted, sizeof(wanted), 0) == sizeof(wanted))
		return ntohl(wanted);
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		die("the receiver");
	return now;
}

/* Sends datagrams, all but the last of which are full. */
static void send_datagrams(int fd, const struct datagram *first, size_t len)
{
	static const unsigned int never;
	static bool one_by_one;
	size_t part;

	if (!one_by_one && send(fd, first, len, 0) >= 0)
		return;
	/* Linux before 6.11 cuts only for an interface that completes checksums. */
	if (!one_by_one &&
	    (errno != EIO || setsockopt(fd, SOL_UDP, UDP_SEGMENT, &never, sizeof(never))))
		die("send");
	one_by_one = true;
	for (; len; first++, len -= part) {
		part = len < sizeof(*first) ? len : sizeof(*first);
		if (send(fd, first, part, 0) < 0)
			die("send");
	}
}

/* Sends datagrams until the receiver has all of them. */
static unsigned int send_burst(int fd, struct datagram *burst, uint32_t first, unsigned int n,
			       size_t last_len)
{
	const size_t len = (n - 1) * sizeof(*burst) + last_len;
	unsigned int attempt, resent = 0, have = 0;
	uint32_t wanted;

	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		send_datagrams(fd, burst + have, len - have * sizeof(*burst));
		/* An answer to what was sent twice may come late. */
		wanted = wait_for_answer(fd, first + have);
		if (wanted > first + n)
			die("the receiver's answer");
		if (wanted == first + n)
			return resent;
		if (wanted > first + have)
			have = wanted - first;
		resent += n - have;
	}
	errno = ETIMEDOUT;
	die("the receiver");
	return 0;
}

static void udp_send(int fd)
{
	struct timeval limit = { .tv_sec = ANSWER_TIME };
	static unsigned char data[BURST][sizeof(((struct datagram *)0)->data)];
	static struct datagram burst[BURST];
	unsigned int i, n, resent = 0, size = DATAGRAM;
	uint32_t number = 0;
	size_t len;
	bool end;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)))
		die("setsockopt");
	do {
		len = read_all(data, sizeof(data));
		end = len < sizeof(data);
		n = len / sizeof(data[0]) + (len % sizeof(data[0]) || !len);
		for (i = 0; i < n; i++) {
			burst[i].number = htonl(number + i);
			burst[i].flags = htonl(i < n - 1 ? 0 : END_OF_BURST |
							       (end ? END_OF_DATA : 0));
			memcpy(burst[i].data, data[i], sizeof(data[i]));
		}
		resent += send_burst(fd, burst, number, n,
				     8 + len - (n - 1) * sizeof(data[0]));
		number += n;
	} while (!end);
	fprintf(stderr, "transfer: %u datagrams, %u sent again\n", number, resent);
}

static void udp_receive(int fd)
{
	struct sockaddr_storage sender;
	struct datagram datagram;
	unsigned int others = 0;
	uint32_t wanted = 0, answer, flags = 0;
	bool end = false;
	ssize_t len;

	while (!end) {
		socklen_t size = sizeof(sender);

		len = recvfrom(fd, &datagram, sizeof(datagram), 0, (void *)&sender, &size);
		if (len < 8)
			die("recvfrom");
		flags = ntohl(datagram.flags);
		if (ntohl(datagram.number) == wanted) {
			write_all(STDOUT_FILENO, datagram.data, len - 8);
			wanted++;
			end = flags & END_OF_DATA;
		} else {
			others++;
		}
		answer = htonl(wanted);
		if ((flags & END_OF_BURST) &&
		    sendto(fd, &answer, sizeof(answer), 0, (void *)&sender, size) < 0)
			die("sendto");
	}
	fprintf(stderr, "transfer: %u datagrams, %u others\n", wanted, others);
}

int main(int argc, char **argv)
{
	bool tcp, receive;
	int fd;

	if (argc != 5 || (strcmp(argv[1], "tcp") && strcmp(argv[1], "udp")) ||
	    (strcmp(argv[2], "send") && strcmp(argv[2], "receive"))) {
		fputs("usage: transfer {tcp|udp} {send|receive} ADDRESS PORT\n", stderr);
		return 2;
	}
	tcp = !strcmp(argv[1], "tcp");
	receive = !strcmp(argv[2], "receive");
	errno = 0;
	fd = open_socket(tcp ? SOCK_STREAM : SOCK_DGRAM, receive, argv[3], argv[4]);
	if (tcp)
		(receive ? tcp_receive : tcp_send)(fd);
	else
		(receive ? udp_receive : udp_send)(fd);
	return 0;
}
