// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost begins again in place, as SIGUSR2 has it, and front-ends and guests do not see more of it
 * than a pause.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "vhost_traffic.h"

#define OTHER		"/tmp/nb-vhost-other"

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };
FIXTURE_VARIANT_ADD(vhost, packed_with_event_indices) { .layout = PACKED | EVENT_IDX };

static void begin(FIXTURE_DATA(vhost) *self)
{
	nothing_is_out();
	nb_front_open(&self->front, PATH, self->layout);
}

/* ---- guests that go on --------------------------------------------------- */

TEST_F_TIMEOUT(vhost, under_traffic_each_chain_comes_back_once, NB_ROUNDS_TIME)
{
	unsigned int rounds = nb_rounds(20, 300), i;
	struct nb_front *front = &self->front;
	struct nb_random random;

	nb_random_start(&random);
	begin(self);
	post_all(front);
	for (i = 0; i < rounds; i++) {
		ASSERT_TRUE(run(front, 10 + nb_random_below(&random, 60)))
			TH_LOG("round %u", i);
		ASSERT_TRUE(nb_vhost_again(self->server));
	}
	EXPECT_TRUE(nothing_is_lost(front));
}

TEST_F(vhost, nothing_becomes_more_however_often)
{
	unsigned int fds, i;

	reopen(self, 0);
	ASSERT_TRUE(nb_front_works(&self->front));
	fds = nb_vhost_count_fds(self->server);
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(nb_vhost_again(self->server));
		ASSERT_TRUE(nb_front_works(&self->front));
		ASSERT_TRUE(nb_front_works(&self->bystander));
	}
	EXPECT_EQ(fds, nb_vhost_count_fds(self->server));
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
	EXPECT_EQ(fds, nb_vhost_count_fds(self->server));
}

/* Several at once, and one with which it is to end. */
TEST_F(vhost, signals_that_come_meanwhile_are_not_lost)
{
	unsigned int i;
	int status;

	reopen(self, 0);
	for (i = 0; i < 20; i++)
		nb_sys(kill(self->server, SIGUSR2));
	EXPECT_TRUE(nb_front_works(&self->front));
	nb_sys(kill(self->server, SIGSTOP));
	nb_sys(kill(self->server, SIGUSR2));
	nb_sys(kill(self->server, SIGTERM));
	nb_sys(kill(self->server, SIGCONT));
	ASSERT_TRUE(nb_until(nb_sys(waitpid(self->server, &status, WNOHANG))));
	EXPECT_EQ(0, status);
	self->server = nb_vhost_run(PATH, "loopback", BYSTANDER, "loopback", NULL);
	nb_front_close(&self->bystander);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
}

/* Nobody is connected, and the next one finds the socket. */
TEST_F(vhost, who_comes_later_is_served)
{
	ASSERT_TRUE(nb_vhost_again(self->server));
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
	EXPECT_EQ(0, access(PATH, F_OK));
}

/* ---- front-ends ---------------------------------------------------------- */

/* Cut anywhere, with an fd in what is there already. */
TEST_F(vhost, half_a_message_is_received_by_both)
{
	const struct vu_header header = { VU_SET_VRING_CALL, VU_VERSION, sizeof(uint64_t) };
	const uint64_t ring = TX;
	char message[sizeof(header) + sizeof(ring)];
	struct nb_front *front = &self->front;
	unsigned int cut;
	eventfd_t calls;
	int call_fd;

	reopen(self, 0);
	ASSERT_TRUE(nb_front_works(front));
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), &ring, sizeof(ring));
	for (cut = 1; cut < sizeof(message); cut += 3) {
		call_fd = nb_sys(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		nb_front_send_part(front, &header, &ring, &call_fd, 1, cut);
		ASSERT_TRUE(nb_vhost_again(self->server));
		nb_sys(send(front->fd, message + cut, sizeof(message) - cut, MSG_NOSIGNAL));
		nb_front_ask(front, VU_GET_FEATURES);
		ASSERT_TRUE(nb_front_works(front));
		EXPECT_TRUE(nb_until(!eventfd_read(call_fd, &calls)))
			TH_LOG("cut %u", cut);
		close(call_fd);
	}
}

/* What was negotiated is: an answer comes where one was wanted. */
TEST_F(vhost, what_was_negotiated_is_known)
{
	struct nb_front *front = &self->front;
	const uint64_t features = front->features;

	nb_front_connect(front, PATH);
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, 1u << VU_PROTOCOL_F_REPLY_ACK, -1);
	ASSERT_TRUE(nb_vhost_again(self->server));
	nb_front_want_ack(front, VU_SET_FEATURES, &features, sizeof(features), NULL, 0);
	EXPECT_EQ(0, nb_front_ack(front));
}

/* Its base is where it was, and the front-end gets it. */
TEST_F(vhost, a_ring_that_is_stopped_then_goes_on_elsewhere)
{
	struct nb_front *front = &self->front;
	uint32_t bases[RINGS];
	unsigned int i;

	reopen(self, 0);
	for (i = 0; i < 5; i++)
		ASSERT_TRUE(nb_front_works(front));
	ASSERT_TRUE(nb_vhost_again(self->server));
	for (i = 0; i < RINGS; i++)
		bases[i] = nb_front_stop(front, i);
	for (i = 0; i < RINGS; i++)
		nb_front_set_ring(front, i, bases[i]);
	EXPECT_TRUE(nb_front_works(front));
}

/* A ring that is broken stays so until it is set up again; its guest is told once. */
TEST_F(vhost, what_was_broken_is_not_tried_again)
{
	struct nb_front *front = &self->front;
	eventfd_t errors;

	/* an index that has jumped; of a packed ring a chain that does not end */
	reopen(self, 0);
	if (self->front.packed)
		nb_packed_desc(front, TX, GPA(NB_FRONT_TX), 60, 1000, 0);
	else
		front->rings[TX].avail->idx += NB_FRONT_ENTRIES + 1;
	nb_front_kick(front, TX);
	ASSERT_TRUE(nb_until(!eventfd_read(front->rings[TX].err_fd, &errors)));
	ASSERT_TRUE(nb_vhost_again(self->server));
	nb_front_kick(front, TX);
	nb_front_ask(front, VU_GET_FEATURES);
	ASSERT_TRUE(nb_vhost_again(self->server));
	nb_front_ask(front, VU_GET_FEATURES);
	EXPECT_NE(0, eventfd_read(front->rings[TX].err_fd, &errors));
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(front));
}

/* ---- when it ends -------------------------------------------------------- */

/* As a front-end without an in-flight region does it: a split ring's base is its used index. */
TEST_F(vhost, ended_it_leaves_rings_that_another_one_can_go_on_with)
{
	struct nb_front *front = &self->front;
	uint32_t id, used;
	unsigned int i;

	if (self->layout != SPLIT)
		SKIP(return, "a packed ring's base is not known to such a front-end");
	nb_front_open(front, PATH, LARGE);
	nb_front_post(front, 0, 0, NB_FRONT_ENTRIES);
	/* some have more buffers than was guessed, some fewer: they come back in another order */
	for (i = 0; i < 8; i++)
		ASSERT_TRUE(comes_back(front, i % 2 ? 9000 : 300, i, 2, NULL));
	EXPECT_EQ(0, nb_vhost_end(self->server));
	self->server = nb_vhost_run(PATH, "loopback", BYSTANDER, "loopback", NULL);
	nb_front_close(&self->bystander);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
	nb_front_connect_again(front, PATH);
	nb_front_negotiate(front, LARGE);
	nb_front_set_memory(front);
	for (i = 0; i < RINGS; i++)
		nb_front_set_ring(front, i, front->rings[i].used->idx);
	while (nb_front_has_used(front, RX)) {
		ASSERT_TRUE(nb_front_used(front, RX, &id, &used));
		ASSERT_EQ(0, used);
		nb_front_post(front, 0, id, 1);
	}
	for (i = 0; i < 100; i++)
		ASSERT_TRUE(comes_back(front, i % 2 ? 9000 : 300, i, 2, NULL));
}

/* ---- when it cannot ------------------------------------------------------ */

/* A server whose program is a copy, which can go, or be another one. */
static void serve_by_copy(FIXTURE_DATA(vhost) *self)
{
	nb_vhost_end(self->server);
	self->server = run_copy();
	nb_front_close(&self->bystander);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
	reopen(self, 0);
}

TEST_F(vhost, without_its_program_it_goes_on)
{
	unsigned int i;

	serve_by_copy(self);
	nb_sys(unlink(COPY "/nbvhost"));
	for (i = 0; i < 5; i++) {
		nb_sys(kill(self->server, SIGUSR2));
		nb_front_ask(&self->front, VU_GET_FEATURES);
		EXPECT_TRUE(nb_front_works(&self->front));
	}
	EXPECT_FALSE(nb_vhost_says_ready(self->server, 0));
	/* one that cannot tell, and one that is another version */
	nb_test_run("sh", "-c", "echo > " COPY "/nbvhost", NULL);
	nb_sys(kill(self->server, SIGUSR2));
	nb_front_ask(&self->front, VU_GET_FEATURES);
	nb_test_run("sh", "-c", "echo '#!/bin/sh\nexit 1' > " COPY "/nbvhost; chmod +x " COPY
		    "/nbvhost", NULL);
	nb_sys(kill(self->server, SIGUSR2));
	nb_front_ask(&self->front, VU_GET_FEATURES);
	EXPECT_TRUE(nb_front_works(&self->front));
	EXPECT_FALSE(nb_vhost_says_ready(self->server, 0));
	/* and when there is one again, that is executed */
	put_copy();
	EXPECT_TRUE(nb_vhost_again(self->server));
	EXPECT_TRUE(nb_front_works(&self->front));
	nb_test_run("rm", "-r", COPY, NULL);
}

static bool runs(pid_t process, const char *path)
{
	char link[32], name[64] = "";

	snprintf(link, sizeof(link), "/proc/%d/exe", process);
	return readlink(link, name, sizeof(name) - 1) > 0 && !strcmp(name, path);
}

/* As a package is upgraded: the file that runs is deleted, and another one has its name. */
TEST_F(vhost, the_program_may_be_another_one_by_then)
{
	serve_by_copy(self);
	nb_test_run("sh", "-c", "cp " COPY "/nbvhost " COPY "/new && mv " COPY "/new " COPY
		    "/nbvhost", NULL);
	EXPECT_FALSE(runs(self->server, COPY "/nbvhost"));
	EXPECT_TRUE(nb_vhost_again(self->server));
	EXPECT_TRUE(runs(self->server, COPY "/nbvhost"));
	EXPECT_TRUE(nb_front_works(&self->front));
	nb_test_run("rm", "-r", COPY, NULL);
}

/* What exec() would wait for is waited for here, and the rings run. */
TEST_F(vhost, what_takes_long_to_close_puts_it_off)
{
	struct nb_front *front = &self->front;
	int fd, other;

	nb_front_connect(front, PATH);
	fd = nb_front_lingering(&other);
	nb_sys(kill(self->server, SIGSTOP));
	nb_front_send(front, VU_GET_FEATURES, NULL, 0, &fd, 1);
	close(fd);
	nb_sys(kill(self->server, SIGCONT));
	EXPECT_TRUE(nb_front_is_refused(front));
	nb_sys(kill(self->server, SIGUSR2));
	nb_front_ask(&self->bystander, VU_GET_FEATURES);
	EXPECT_TRUE(nb_front_works(&self->bystander));
	EXPECT_FALSE(nb_vhost_says_ready(self->server, 0));
	close(other);
	EXPECT_TRUE(nb_vhost_says_ready(self->server, NB_PATIENCE));
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(front));
	EXPECT_TRUE(nb_front_works(&self->bystander));
}

/* ---- what somebody else has left ----------------------------------------- */

static int status_with(const char *value)
{
	int status;

	setenv("NBVHOST_HANDOVER", value, 1);
	status = nb_test_run("nbvhost", OTHER, "loopback", NULL);
	unsetenv("NBVHOST_HANDOVER");
	return status;
}

TEST_F(vhost, what_is_not_its_own_is_not_taken_over)
{
	static const char zeros[1 << 16];
	char number[16];
	int fd, seals;

	EXPECT_EQ(1, status_with("x"));
	EXPECT_EQ(1, status_with("-1"));
	EXPECT_EQ(1, status_with("99999"));
	for (seals = 0; seals < 16; seals++) {
		fd = nb_sys(memfd_create("left", MFD_ALLOW_SEALING));
		nb_sys(write(fd, zeros, seals < 8 ? sizeof(zeros) : 8));
		nb_sys(fcntl(fd, F_ADD_SEALS, seals));
		snprintf(number, sizeof(number), "%d", fd);
		EXPECT_EQ(1, status_with(number));
		close(fd);
	}
	EXPECT_NE(0, access(OTHER, F_OK));
}

TEST_HARNESS_MAIN
