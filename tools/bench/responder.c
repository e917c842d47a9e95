// SPDX-License-Identifier: GPL-2.0
/* The other side of a round trip: a process that sends what it receives back */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static int open_socket(int ifindex)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(BENCH_ETHERTYPE),
		.sll_ifindex = ifindex,
	};
	const int one = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) == 0 &&
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	say("packet socket: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void respond(int fd, unsigned int size)
{
	uint8_t *frame = alloc(1, size), source[ETHER_ADDR_LEN];

	while (recv(fd, frame, size, 0) == (ssize_t)size) {
		memcpy(source, frame + ETHER_ADDR_LEN, ETHER_ADDR_LEN);
		memcpy(frame + ETHER_ADDR_LEN, frame, ETHER_ADDR_LEN);
		memcpy(frame, source, ETHER_ADDR_LEN);
		if (send(fd, frame, size, 0) != (ssize_t)size)
			break;
	}
	die("the responder fails: %s", strerror(errno));
}

int responder_start(const struct shape *shape, int ifindex)
{
	int fd = open_socket(ifindex), process;

	if (fd < 0)
		return -1;
	process = fork();
	if (process == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		respond(fd, shape->size);
	}
	close(fd);
	if (process < 0)
		say("fork: %s", strerror(errno));
	return process;
}

void responder_stop(int process)
{
	if (process <= 0)
		return;
	kill(process, SIGKILL);
	waitpid(process, NULL, 0);
}
