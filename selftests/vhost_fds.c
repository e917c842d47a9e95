// SPDX-License-Identifier: GPL-2.0
/*
 * What a front-end passes keeps nobody waiting: neither who uses it, nor who closes it.  See
 * vhost.h.
 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "vhost.h"

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };

/* ---- what takes long to close -------------------------------------------- */

/* Puts an fd into a message that waits in a socket, which is returned. */
static int wrapped(int fd)
{
	struct nb_front sender;
	int sockets[2];

	nb_sys(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	sender.fd = sockets[0];
	nb_front_send(&sender, VU_GET_FEATURES, NULL, 0, &fd, 1);
	close(sockets[0]);
	return sockets[1];
}

#define N_WAYS	8

/* One of the ways to pass an fd. */
static void pass(struct nb_front *front, unsigned int way, int fd)
{
	const struct vu_memory table = { .n = 1, .regions[0].size = 4096 };
	int fds[16], socket;
	unsigned int i;

	switch (way) {
	case 0:		/* where there can be none */
		nb_front_send(front, VU_GET_FEATURES, NULL, 0, &fd, 1);
		break;
	case 1:		/* with a message that says that there is none */
		nb_front_send_u64(front, VU_SET_VRING_KICK, RX | VU_VRING_NO_FD, fd);
		break;
	case 2:
		nb_front_send_u64(front, VU_SET_VRING_KICK, RX, fd);
		break;
	case 3:
		nb_front_send_u64(front, VU_SET_VRING_CALL, RX, fd);
		break;
	case 4:
		nb_front_send(front, VU_SET_MEM_TABLE, &table,
			      offsetof(struct vu_memory, regions[1]), &fd, 1);
		break;
	case 5:		/* more than a message can have */
		for (i = 0; i < ARRAY_LEN(fds); i++)
			fds[i] = fd;
		nb_front_send(front, VU_GET_FEATURES, NULL, 0, fds, ARRAY_LEN(fds));
		break;
	case 6:		/* in a message that nobody receives, as the one before is wrong */
		nb_front_send(front, 0, NULL, 0, NULL, 0);
		nb_front_send(front, VU_GET_FEATURES, NULL, 0, &fd, 1);
		break;
	case 7:		/* in a message to an interrupt that is a socket */
		socket = wrapped(fd);
		nb_front_send_u64(front, VU_SET_VRING_CALL, RX, socket);
		close(socket);
		break;
	}
}

/*
 * It stands still while the fd is passed, so that its own is the last one of the file.  Another
 * front-end is answered at once, and the next one here when the file is closed.
 */
TEST_F(vhost, what_takes_long_to_close_keeps_nobody_waiting)
{
	unsigned int way;
	int fd, other;

	for (way = 0; way < N_WAYS; way++) {
		nb_front_connect(&self->front, PATH);
		fd = nb_front_lingering(&other);
		nb_sys(kill(self->server, SIGSTOP));
		pass(&self->front, way, fd);
		close(fd);
		nb_front_close(&self->front);
		nb_sys(kill(self->server, SIGCONT));

		nb_front_close(&self->bystander);
		nb_front_open(&self->bystander, BYSTANDER, 0);
		nb_front_post(&self->bystander, 0, 0, 16);
		EXPECT_TRUE(nb_front_works(&self->bystander))
			TH_LOG("way %u", way);
		close(other);
		reopen(self, 0);
		EXPECT_TRUE(nb_front_works(&self->front));
		nb_front_close(&self->front);
	}
}

/* ---- what might make who uses it wait ------------------------------------ */

static bool is_taken(FIXTURE_DATA(vhost) *self, uint32_t request, int fd)
{
	uint64_t features, ring = RX;
	bool taken;

	nb_front_connect(&self->front, PATH);
	nb_front_send(&self->front, request, &ring, sizeof(ring), &fd, 1);
	nb_front_send(&self->front, VU_GET_FEATURES, NULL, 0, NULL, 0);
	taken = nb_front_answer(&self->front, &features, sizeof(features));
	nb_front_close(&self->front);
	return taken;
}

/* Whoever else has a pipe can hold its lock, for which one waits whatever signal comes. */
TEST_F(vhost, doorbells_are_eventfds_and_interrupts_may_be_local_sockets)
{
	static const uint32_t news[] = { VU_SET_VRING_CALL, VU_SET_VRING_ERR, VU_SET_LOG_FD };
	int event = nb_sys(eventfd(0, EFD_CLOEXEC)), pipe_fds[2], sockets[2], others[4];
	unsigned int i, j;

	nb_sys(pipe2(pipe_fds, O_CLOEXEC));
	nb_sys(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	others[0] = pipe_fds[1];
	others[1] = nb_sys(memfd_create("no eventfd", MFD_CLOEXEC));
	others[2] = nb_sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	others[3] = nb_sys(open("/dev/null", O_RDWR | O_CLOEXEC));
	EXPECT_TRUE(is_taken(self, VU_SET_VRING_KICK, event));
	EXPECT_FALSE(is_taken(self, VU_SET_VRING_KICK, sockets[0]));
	for (i = 0; i < ARRAY_LEN(others); i++)
		EXPECT_FALSE(is_taken(self, VU_SET_VRING_KICK, others[i]));
	for (j = 0; j < ARRAY_LEN(news); j++) {
		EXPECT_TRUE(is_taken(self, news[j], event));
		EXPECT_TRUE(is_taken(self, news[j], sockets[0]));
		for (i = 0; i < ARRAY_LEN(others); i++) {
			EXPECT_FALSE(is_taken(self, news[j], others[i]))
				TH_LOG("message %u, fd %u", news[j], i);
		}
	}
	for (i = 0; i < ARRAY_LEN(others); i++)
		close(others[i]);
	close(pipe_fds[0]);
	close(sockets[0]);
	close(sockets[1]);
	close(event);
}

/* As User-Mode Linux has it. */
TEST_F(vhost, an_interrupt_may_be_a_local_socket)
{
	int sockets[2];
	uint64_t calls;

	nb_sys(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	reopen(self, 0);
	nb_front_send_u64(&self->front, VU_SET_VRING_CALL, TX, sockets[1]);
	nb_front_ask(&self->front, VU_GET_FEATURES);
	ASSERT_TRUE(nb_front_works(&self->front));
	EXPECT_TRUE(nb_until(recv(sockets[0], &calls, sizeof(calls), MSG_DONTWAIT) ==
			     sizeof(calls)));
	EXPECT_EQ(1, calls);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_HARNESS_MAIN
