// SPDX-License-Identifier: GPL-2.0
/*
 * usage: moderated [PACKETS]
 *
 * What moderation costs and saves, on kind netdev, with a frontend that sleeps on the call
 * eventfd; the figures of Documentation/moderation.rst.  For each setting a line:
 *
 *	stream	the host sends, by sendmmsg() of 64: nanoseconds and notifications a packet
 *	late	the same, with a frontend that does not get the CPU as soon as it is woken, but
 *		when the host has had its time (SCHED_BATCH)
 *	rr	guest and host answer each other, one packet at a time: nanoseconds a round
 *
 * In the VM whose clock counts instructions ("run -i") nanoseconds are instructions.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "nbtest.h"

#define BATCH		64u
#define FRAME		60u
#define BOTH		(NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX)

static const struct setting {
	const char *name;
	struct nb_queue_moderation moderation;
} settings[] = {
	{ "off", { } },
	{ "adaptive/50us", { .tx_usecs = 50, .rx_usecs = 50, .adaptive = BOTH } },
	{ "10us", { .tx_usecs = 10, .rx_usecs = 10 } },
	{ "50us", { .tx_usecs = 50, .rx_usecs = 50 } },
	{ "50us/16", { .tx_usecs = 50, .tx_frames = 16, .rx_usecs = 50, .rx_frames = 16 } },
	{ "200us", { .tx_usecs = 200, .rx_usecs = 200 } },
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static unsigned int reap(struct nb_queue *queue)
{
	struct nb_rx_segment buffers[64];
	struct nb_tx_completion done[64];
	struct nb_rx_metadata meta[64];
	int got, i;

	nb_queue_tx_poll(queue, done, ARRAY_LEN(done));
	got = nb_ok(nb_queue_rx_poll(queue, meta, ARRAY_LEN(meta)));
	for (i = 0; i < got; i++)
		buffers[i] = (struct nb_rx_segment) {
			.gpa = NB_RX_GPA + meta[i].id * NB_BUF_SIZE,
			.len = NB_BUF_SIZE,
			.id = meta[i].id,
		};
	nb_queue_rx_avail(queue, buffers, got);
	return got;
}

/* Sleeps until it is signalled. */
static void sleep_on(int call)
{
	struct pollfd wait = { .fd = call, .events = POLLIN };
	eventfd_t count;

	if (nb_sys(poll(&wait, 1, 6 * NB_PATIENCE)) != 1)
		nb_die("no notification came");
	eventfd_read(call, &count);
}

static void send_stream(struct nb_nic *nic, unsigned int n)
{
	unsigned char frame[FRAME];
	struct iovec iov = { frame, sizeof(frame) };
	struct mmsghdr messages[BATCH] = { };
	unsigned int i;

	nb_frame_fill(frame, sizeof(frame), 0);
	for (i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &iov;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (n) {
		int sent = sendmmsg(nic->host.fd, messages, n < BATCH ? n : BATCH, 0);

		/* ENOBUFS: the interface's queue is full */
		if (sent > 0)
			n -= sent;
		else
			usleep(50);
	}
}

static void answer(struct nb_nic *nic)
{
	unsigned char frame[FRAME];

	for (;;)
		if (nb_host_receive(&nic->host, frame, sizeof(frame), NULL) > 0)
			nb_host_send(&nic->host, frame, sizeof(frame));
}

/* A process that is the host's side: sends n packets, or with 0 answers. */
static pid_t host(struct nb_nic *nic, unsigned int n)
{
	pid_t pid = nb_sys(fork());

	if (pid)
		return pid;
	nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
	if (n)
		send_stream(nic, n);
	else
		answer(nic);
	_exit(0);
}

static void stream(struct nb_nic *nic, int call, unsigned int n, const char *name, int policy)
{
	uint64_t notifies = nb_stats_of(nic->queue).notifies, start = now();
	const struct sched_param param = { };
	unsigned int got = 0, some;
	pid_t pid = host(nic, n);

	nb_sys(sched_setscheduler(0, policy, &param));
	while (got < n) {
		sleep_on(call);
		while ((some = reap(nic->queue)))
			got += some;
	}
	printf(" %s %llu ns %.3f notifications", name, (unsigned long long)((now() - start) / n),
	       (double)(nb_stats_of(nic->queue).notifies - notifies) / n);
	nb_sys(kill(pid, SIGKILL));
	nb_sys(waitpid(pid, NULL, 0));
}

static void request_response(struct nb_nic *nic, int call, unsigned int n)
{
	struct nb_tx_segment segment = nb_tx_frame(nic->guest, 0, FRAME);
	pid_t pid = host(nic, 0);
	uint64_t start = now();
	unsigned int i, got;

	for (i = 0; i < n; i++) {
		if (nb_ok(nb_queue_tx_avail(nic->queue, &segment, 1, NULL)) != 1)
			nb_die("the ring is full");
		for (got = 0; !got; got = reap(nic->queue))
			sleep_on(call);
	}
	printf(" rr %llu ns\n", (unsigned long long)((now() - start) / n));
	nb_sys(kill(pid, SIGKILL));
	nb_sys(waitpid(pid, NULL, 0));
}

int main(int argc, char **argv)
{
	unsigned int i, n = argc > 1 ? atoi(argv[1]) : 20000;
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_guest guest;
	struct nb_nic nic;

	nb_host_new_netns();
	nb_guest_open(&guest, 0);
	for (i = 0; i < ARRAY_LEN(settings); i++) {
		int call = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));

		nb_nic_open(&nic, &guest, &nb_test_netdev, 0);
		nb_nic_start_as(&nic, &config, 1);
		nb_bufs_init(&nic.bufs);
		nb_nic_post_all(&nic);
		nb_link_set_fifo(nic.host.ifindex, 1000);
		nb_ok(nb_queue_set_eventfds(nic.queue, -1, call));
		nb_ok(nb_queue_set_moderation(nic.queue, &settings[i].moderation));
		/* As a NIC whose transmits complete fast: of those it is not told. */
		nb_queue_set_need_notify(nic.queue, NB_NEED_NOTIFY_RX);
		printf("%-14s", settings[i].name);
		stream(&nic, call, n, "late", SCHED_BATCH);
		stream(&nic, call, n, "stream", SCHED_OTHER);
		request_response(&nic, call, n / 10);
		fflush(stdout);
		nb_nic_close(&nic);
		close(call);
	}
	nb_guest_close(&guest);
	return 0;
}
