// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost's control ring: how many pairs a guest uses, and whatever else a guest, or a
 * front-end, may do with it.  See vhost_control.h.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/vhost.h>

#include "vhost_control.h"

/* ---- how many pairs ------------------------------------------------------ */

TEST_F(vhost_control, without_it_all_pairs_are_used)
{
	start_pairs(self, MQ);
	EXPECT_EQ(PAIRS, used_pairs());
}

TEST_F(vhost_control, one_pair_is_used_until_the_guest_says_more)
{
	static const unsigned int numbers[] = { 2, 3, 3, 1, 2, 1, 3 };
	unsigned int i, pair;

	start(self, MQ);
	EXPECT_EQ(1, used_pairs());
	EXPECT_EQ(1, spread(self));
	EXPECT_TRUE(sends(self, 0));
	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, numbers[i]));
		EXPECT_EQ(numbers[i], used_pairs());
		EXPECT_EQ((1u << numbers[i]) - 1, spread(self));
		for (pair = 0; pair < numbers[i]; pair++)
			EXPECT_TRUE(sends(self, pair));
	}
}

/* Of one that is not used, nothing is read. */
TEST_F(vhost_control, what_is_in_other_pairs_waits)
{
	const struct vring_desc packet = { GPA(NB_FRONT_TX), 100 };
	uint32_t id, used;

	start(self, MQ);
	memset(self->front.ram + NB_FRONT_TX, 0, 100);
	nb_front_chain(&self->front, 3, 5, &packet, 1);
	nb_front_kick(&self->front, 3);
	EXPECT_TRUE(sends(self, 0));
	EXPECT_FALSE(nb_front_has_used(&self->front, 3));
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 2));
	ASSERT_TRUE(nb_front_used(&self->front, 3, &id, &used));
	EXPECT_EQ(5, id);
}

/* A pair that the guest has asked for, and the front-end starts later. */
TEST_F(vhost_control, pairs_that_are_not_started_yet_are_used_when_they_are)
{
	unsigned int i;

	nb_front_open_pairs(&self->front, PATH, self->layout | MQ, 1);
	start_control(&self->front);
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 3));
	EXPECT_EQ(1, used_pairs());
	for (i = 2; i < 6; i++)
		nb_front_set_ring(&self->front, i, nb_front_base(&self->front));
	nb_front_ask(&self->front, VU_GET_FEATURES);
	EXPECT_EQ(3, used_pairs());
}

TEST_F(vhost_control, pairs_that_cannot_be_used_are_refused_and_the_others_stay)
{
	struct vu_vring_addr addr = { .index = 2, .desc = 8 };
	unsigned int i;

	start(self, MQ);
	nb_front_send(&self->front, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	nb_front_ask(&self->front, VU_GET_FEATURES);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(VIRTIO_NET_ERR, use_pairs(&self->front, 2 + i % 2));
		EXPECT_EQ(1, used_pairs());
		EXPECT_TRUE(sends(self, 0));
	}
}

TEST_F(vhost_control, what_cannot_be_done_is_refused_and_changes_nothing)
{
	static const struct {
		uint32_t len;
		uint8_t bytes[4];
	} cases[] = {
		{ 4, { 4, 0, 0, 0 } }, { 4, { 4, 0, PAIRS + 1, 0 } }, { 4, { 4, 0, 0, 0x80 } },
		{ 4, { 4, 0, 0xff, 0xff } }, { 3, { 4, 0, 1 } }, { 2, { 4, 0 } },
		{ 4, { 4, 3, 1, 0 } }, { 4, { 4, 255, 1, 0 } },
		{ 2, { 4, 1 } }, { 3, { 4, 1, 1 } }, { 2, { 4, 2 } },
		{ 3, { 0, 0, 1 } }, { 3, { 0, 1, 1 } }, { 4, { 1, 0, 0, 0 } },
		{ 4, { 2, 0, 1, 0 } }, { 2, { 3, 0 } }, { 4, { 5, 0, 0, 0 } },
		{ 4, { 6, 0, 0, 0 } }, { 2, { 255, 255 } },
	};
	const uint8_t longer[] = { 4, 0, 1, 0, 0 };
	unsigned int i;

	start(self, RSS | REPORT);
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 2));
	for (i = 0; i < ARRAY_LEN(cases); i++)
		EXPECT_EQ(VIRTIO_NET_ERR, command(&self->front, cases[i].bytes, cases[i].len))
			TH_LOG("case %u", i);
	EXPECT_EQ(VIRTIO_NET_ERR, command(&self->front, longer, sizeof(longer)));
	EXPECT_EQ(2, used_pairs());
	EXPECT_EQ(3, spread(self));
}

TEST_F(vhost_control, what_was_not_negotiated_is_refused)
{
	start(self, BIT(VIRTIO_NET_F_CTRL_VQ));
	EXPECT_EQ(VIRTIO_NET_ERR, use_pairs(&self->front, 2));
	EXPECT_EQ(VIRTIO_NET_ERR, set_rss(self, &usual));
	EXPECT_EQ(VIRTIO_NET_ERR, set_hash(self, TYPES, KEY, 0));
	EXPECT_EQ(1, used_pairs());
}

/* ---- what is forgotten, and what is not ---------------------------------- */

/* The interface, and what the guest has said; the ring goes on where it was. */
TEST_F(vhost_control, what_was_said_outlives_beginning_again)
{
	unsigned int index, i;

	start(self, RSS | REPORT);
	any_table(self);
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
	index = if_nametoindex("nb0");
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(nb_vhost_again(self->server));
		nb_front_ask(&self->front, VU_GET_FEATURES);
		EXPECT_EQ(index, if_nametoindex("nb0"));
		EXPECT_EQ(PAIRS, used_pairs());
		EXPECT_TRUE(follows_table(self, TABLE, KEY));
		EXPECT_TRUE(has_hashes(self, TYPES));
	}
	EXPECT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 2));
	ASSERT_TRUE(nb_vhost_again(self->server));
	nb_front_ask(&self->front, VU_GET_FEATURES);
	EXPECT_EQ(2, used_pairs());
	EXPECT_TRUE(sends(self, 1));
}

/* Says which of the packets has come; -1 if it is none of them. */
static int which_flow(FIXTURE_DATA(vhost_control) *self, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		make_flow(self, i);
		if (self->sent.len == self->got.len &&
		    !memcmp(self->sent.data, self->got.data, self->got.len))
			return i;
	}
	return -1;
}

/* Some get into buffers that nbvhost has posted, the others wait for more; flows have no order. */
static bool packets_are_received(FIXTURE_DATA(vhost_control) *self, unsigned int n)
{
	bool came[BUFFERS * 2] = { false };
	unsigned int i;
	int which;

	for (i = 0; i < n; i++) {
		if (nb_front_wait(&self->front))
			return false;
		self->got.len = nb_front_receive_on(&self->front, 0, &self->header, self->got.data,
						    sizeof(self->got.data));
		which = which_flow(self, n);
		if (which < 0 || came[which])
			return false;
		came[which] = true;
	}
	return true;
}

TEST_F(vhost_control, packets_that_come_while_it_begins_again_are_received)
{
	const unsigned int n = BUFFERS + 50;
	unsigned int round, i;

	start(self, MQ);
	for (round = 0; round < 3; round++) {
		nb_sys(kill(self->server, SIGSTOP));
		for (i = 0; i < n; i++) {
			make_flow(self, i);
			nb_ip_send(&self->host, &self->sent, false, 0);
		}
		nb_sys(kill(self->server, SIGUSR2));
		nb_sys(kill(self->server, SIGCONT));
		ASSERT_TRUE(nb_vhost_says_ready(self->server, NB_PATIENCE));
		ASSERT_TRUE(packets_are_received(self, n))
			TH_LOG("round %u", round);
		EXPECT_TRUE(sends(self, 0));
	}
}

/* As it did not before: it is as if it had not begun again. */
TEST_F(vhost_control, an_endpoint_that_is_gone_by_then_ends_nobody_else)
{
	start(self, MQ);
	nb_host_close(&self->host);
	self->host.fd = -1;
	ASSERT_EQ(0, nb_test_run("ip", "link", "del", "nb0", NULL));
	ASSERT_TRUE(nb_front_works(&self->bystander));
	EXPECT_TRUE(nb_vhost_again(self->server));
	EXPECT_TRUE(nb_front_works(&self->bystander));
	nb_front_ask(&self->front, VU_GET_FEATURES);
}

/* Also of a ring that is stopped, and goes on. */
TEST_F(vhost_control, packets_that_have_come_when_a_ring_is_stopped_are_received)
{
	struct vu_vring_state state = { .index = 0 };
	const unsigned int n = BUFFERS / 2;
	unsigned int round, i;

	start(self, MQ);
	for (round = 0; round < 3; round++) {
		/* by then it has posted buffers */
		make_flow(self, 0);
		ASSERT_EQ(0, arrives(self));
		nb_sys(kill(self->server, SIGSTOP));
		for (i = 0; i < n; i++) {
			make_flow(self, i);
			nb_ip_send(&self->host, &self->sent, false, 0);
		}
		nb_front_send_state(&self->front, VU_GET_VRING_BASE, 0, 0);
		nb_sys(kill(self->server, SIGCONT));
		ASSERT_TRUE(nb_front_answer(&self->front, &state, sizeof(state)));
		ASSERT_TRUE(packets_are_received(self, n))
			TH_LOG("round %u", round);
		nb_front_set_ring(&self->front, 0, state.num);
		nb_front_ask(&self->front, VU_GET_FEATURES);
	}
}

/* Ends what was said by RSS; the guest goes on, or begins anew. */
static void begin_anew(struct nb_front *front, unsigned int how)
{
	struct nb_front_ring *ring = &front->rings[CONTROL];
	unsigned int i;

	switch (how) {
	case 0:		/* other features */
		nb_front_send_u64(front, VU_SET_FEATURES,
				  front->features & ~BIT(VIRTIO_NET_F_HASH_REPORT), -1);
		nb_front_send_u64(front, VU_SET_FEATURES, front->features, -1);
		break;
	case 1:		/* no owner */
		nb_front_send(front, VU_RESET_OWNER, NULL, 0, NULL, 0);
		for (i = 0; i <= CONTROL; i++)
			nb_front_send_state(front, VU_SET_VRING_ENABLE, i, 1);
		break;
	case 2:		/* as User-Mode Linux does it: a ring that is new */
		nb_front_send_state(front, VU_SET_VRING_ENABLE, CONTROL, 0);
		nb_front_ask(front, VU_GET_FEATURES);
		memset(ring->desc, 0, NB_FRONT_RING);
		ring->next = 0;
		ring->seen = 0;
		ring->wrap = true;
		ring->used_wrap = true;
		nb_front_set_ring(front, CONTROL, nb_front_base(front));
		break;
	}
	nb_front_ask(front, VU_GET_FEATURES);
}

TEST_F(vhost_control, what_a_guest_has_said_is_forgotten_when_it_begins_anew)
{
	unsigned int how;

	for (how = 0; how < 4; how++) {
		start(self, RSS | REPORT);
		EXPECT_EQ(1, used_pairs())
			TH_LOG("way %u", how);
		EXPECT_TRUE(has_hashes(self, 0));
		any_table(self);
		ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
		EXPECT_EQ(PAIRS, used_pairs());
		/* the last one closes its connection */
		if (how == 3)
			break;
		begin_anew(&self->front, how);
		/* one of a ring that goes on has said something to somebody */
		EXPECT_EQ(how == 2 ? 1 : PAIRS, used_pairs())
			TH_LOG("way %u", how);
		EXPECT_TRUE(has_hashes(self, 0));
	}
	start(self, RSS | REPORT);
	EXPECT_EQ(1, used_pairs());
	EXPECT_TRUE(has_hashes(self, 0));
}

TEST_F(vhost_control, a_control_ring_that_goes_on_at_its_base_has_forgotten_nothing)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	start(self, RSS | REPORT);
	any_table(self);
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
	for (i = 0; i < 3; i++) {
		nb_front_set_ring(front, CONTROL, nb_front_stop(front, CONTROL));
		nb_front_ask(front, VU_GET_FEATURES);
		EXPECT_EQ(PAIRS, used_pairs());
		EXPECT_TRUE(has_hashes(self, TYPES));
		EXPECT_TRUE(follows_table(self, TABLE, KEY));
		self->key[0]++;
		ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
	}
	/* what is said while it is stopped is heard then */
	i = nb_front_stop(front, CONTROL);
	say(front, 9, (uint8_t[]){ 4, 0, 2, 0 }, 4);
	nb_front_set_ring(front, CONTROL, i);
	ASSERT_TRUE(nb_until(nb_front_has_used(front, CONTROL)));
	EXPECT_EQ(2, used_pairs());
}

/* ---- migration, and another process -------------------------------------- */

#define PAGE		4096u
#define LOG_SIZE	((NB_FRONT_GPA + NB_FRONT_SIZE) / PAGE / 8)

static bool is_marked(const uint8_t *bits, uint32_t offset)
{
	uint32_t page = (NB_FRONT_GPA + offset) / PAGE;

	return bits[page / 8] >> page % 8 & 1;
}

TEST_F(vhost_control, answers_are_marked_in_the_log_of_a_migration)
{
	struct vu_log about = { .mmap_size = LOG_SIZE };
	struct vu_vring_addr addr = {
		.index = CONTROL,
		.flags = BIT(VHOST_VRING_F_LOG),
		.desc = NB_FRONT_USER + CONTROL * NB_FRONT_RING,
		.avail = NB_FRONT_USER + CONTROL * NB_FRONT_RING + 0x1000,
		.used = NB_FRONT_USER + CONTROL * NB_FRONT_RING + 0x2000,
		.log = GPA(CONTROL * NB_FRONT_RING + 0x2000),
	};
	struct nb_front *front = &self->front;
	uint8_t *bits, nothing;
	int fd;

	start(self, MQ);
	fd = nb_sys(memfd_create("log", MFD_CLOEXEC));
	nb_sys(ftruncate(fd, PAGE));
	bits = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, bits);
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, BIT(VU_PROTOCOL_F_LOG_SHMFD), -1);
	nb_front_send(front, VU_SET_LOG_BASE, &about, sizeof(about), &fd, 1);
	ASSERT_TRUE(nb_front_answer(front, &nothing, 0));
	nb_front_send_u64(front, VU_SET_FEATURES, front->features | BIT(VHOST_F_LOG_ALL), -1);
	nb_front_send(front, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	nb_front_ask(front, VU_GET_FEATURES);
	memset(bits, 0, PAGE);
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(front, 2));
	EXPECT_EQ(2, used_pairs());
	EXPECT_TRUE(is_marked(bits, ANSWER));
	EXPECT_FALSE(is_marked(bits, COMMAND));
	EXPECT_TRUE(is_marked(bits, CONTROL * NB_FRONT_RING + (front->packed ? 0 : 0x2000)));
	munmap(bits, PAGE);
	close(fd);
}

/* With all rings, and an in-flight region like that, whose fd it returns. */
static int start_in_flight(FIXTURE_DATA(vhost_control) *self, uint64_t features,
			   struct vu_inflight *about)
{
	struct nb_front *front = &self->front;
	unsigned int i;
	int fd;

	nb_front_connect(front, PATH);
	front->pairs = PAIRS;
	nb_front_negotiate(front, self->layout | features);
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, BIT(VU_PROTOCOL_F_INFLIGHT_SHMFD), -1);
	nb_front_set_memory(front);
	nb_front_send(front, VU_GET_INFLIGHT_FD, about, sizeof(*about), NULL, 0);
	if (!nb_front_answer_fd(front, about, sizeof(*about), &fd))
		nb_die("there is no in-flight region");
	nb_front_send(front, VU_SET_INFLIGHT_FD, about, sizeof(*about), &fd, 1);
	for (i = 0; i <= CONTROL; i++)
		nb_front_set_ring(front, i, nb_front_base(front));
	return fd;
}

/* What its predecessor was told it does not know, so all pairs may be in use. */
TEST_F(vhost_control, another_process_takes_its_commands_again_and_uses_all_pairs)
{
	struct vu_inflight about = { .n_queues = CONTROL + 1, .queue_size = NB_FRONT_ENTRIES };
	struct nb_front *front = &self->front;
	unsigned int i;
	int fd;

	fd = start_in_flight(self, RSS, &about);
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(front, 1));
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(front, 2));
	EXPECT_EQ(2, used_pairs());

	kill(self->server, SIGKILL);
	nb_sys(waitpid(self->server, NULL, 0));
	nb_front_close(&self->bystander);
	run(self);
	nb_front_connect_again(front, PATH);
	nb_front_negotiate(front, self->layout | RSS);
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, BIT(VU_PROTOCOL_F_INFLIGHT_SHMFD), -1);
	nb_front_set_memory(front);
	nb_front_send(front, VU_SET_INFLIGHT_FD, &about, sizeof(about), &fd, 1);
	for (i = 0; i <= CONTROL; i++)
		nb_front_set_ring(front, i, front->packed ? front->rings[i].next | 1u << 15 :
							    front->rings[i].used->idx);
	nb_front_ask(front, VU_GET_FEATURES);
	EXPECT_EQ(PAIRS, used_pairs());
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(VIRTIO_NET_OK, use_pairs(front, 1 + i % 3));
		EXPECT_EQ(1 + i % 3, used_pairs());
	}
	close(fd);
}

TEST_F(vhost_control, an_in_flight_region_that_has_no_room_for_it_is_not_used_for_it)
{
	struct vu_inflight about = { .n_queues = CONTROL, .queue_size = NB_FRONT_ENTRIES };
	struct nb_front *front = &self->front;
	int fd;

	fd = start_in_flight(self, MQ, &about);
	say(front, 1, (uint8_t[]){ 4, 0, 2, 0 }, 4);
	nb_front_post(front, 0, 0, BUFFERS);
	nb_front_ask(front, VU_GET_FEATURES);
	open_host(self);
	EXPECT_TRUE(sends(self, 0));
	EXPECT_FALSE(nb_front_has_used(front, CONTROL));
	EXPECT_EQ(1, used_pairs());
	close(fd);
	/* an index too many is refused with it */
	nb_front_close(front);
	nb_front_connect(front, PATH);
	about.n_queues = CONTROL + 2;
	nb_front_send(front, VU_GET_INFLIGHT_FD, &about, sizeof(about), NULL, 0);
	EXPECT_TRUE(nb_front_is_refused(front));
	nb_front_close(front);
	nb_front_connect(front, PATH);
	nb_front_send_state(front, VU_SET_VRING_NUM, CONTROL + 1, 256);
	EXPECT_TRUE(nb_front_is_refused(front));
}

/* ---- hostile guests ------------------------------------------------------ */

TEST_F(vhost_control, commands_in_any_number_of_pieces_are_done)
{
	struct vring_desc pieces[5] = {
		{ GPA(COMMAND), 1 }, { GPA(COMMAND + 1), 1 }, { GPA(COMMAND + 2), 1 },
		{ GPA(COMMAND + 3), 1 }, { GPA(ANSWER), 1, WRITE },
	};
	struct vring_packed_desc packed[5] = { 0 };
	struct nb_front *front = &self->front;
	struct vring_desc table[5];
	uint32_t id, used;
	unsigned int i;

	start(self, MQ | TABLES | EVENT_IDX);
	memcpy(front->ram + COMMAND, "\x04\x00\x02\x00", 4);
	front->ram[ANSWER] = 0xee;
	nb_front_chain(front, CONTROL, 253, pieces, 5);
	nb_front_kick(front, CONTROL);
	ASSERT_TRUE(nb_front_used(front, CONTROL, &id, &used));
	EXPECT_EQ(253, id);
	EXPECT_EQ(VIRTIO_NET_OK, front->ram[ANSWER]);
	EXPECT_EQ(2, used_pairs());

	for (i = 0; i < 5; i++) {
		table[i] = pieces[i];
		table[i].flags |= i < 4 ? NEXT : 0;
		table[i].next = i + 1;
		packed[i].addr = pieces[i].addr;
		packed[i].len = pieces[i].len;
		packed[i].flags = pieces[i].flags;
	}
	memcpy(front->ram + NB_FRONT_TABLE, front->packed ? (void *)packed : (void *)table,
	       sizeof(table));
	pieces[0] = (struct vring_desc){ GPA(NB_FRONT_TABLE), sizeof(table), INDIRECT };
	front->ram[COMMAND + 2] = 3;
	for (i = 0; i < 300; i++) {
		front->ram[ANSWER] = 0xee;
		nb_front_chain(front, CONTROL, i % 256, pieces, 1);
		nb_front_kick(front, CONTROL);
		ASSERT_TRUE(nb_front_used(front, CONTROL, &id, &used));
		EXPECT_EQ(i % 256, id);
		EXPECT_EQ(1, used);
		EXPECT_EQ(VIRTIO_NET_OK, front->ram[ANSWER]);
	}
	EXPECT_EQ(3, used_pairs());
}

/* They come back with nothing in them, nothing is done, and the next command is. */
TEST_F(vhost_control, commands_that_are_wrong_come_back_and_harm_no_other)
{
	static const struct {
		const char *what;
		unsigned int n;
		struct vring_desc desc[4];
	} cases[] = {
		{ "no answer", 1, { { GPA(COMMAND), 4 } } },
		{ "an empty answer", 2, { { GPA(COMMAND), 4 }, { GPA(ANSWER), 0, WRITE } } },
		{ "nothing", 1, { { 0 } } },
		{ "answer first", 2, { { GPA(ANSWER), 1, WRITE }, { GPA(COMMAND), 4 } } },
		{ "answer amid", 3, { { GPA(COMMAND), 2 }, { GPA(ANSWER), 1, WRITE },
				      { GPA(COMMAND + 2), 2 } } },
		{ "answer nowhere", 2, { { GPA(COMMAND), 4 }, { NOWHERE, 1, WRITE } } },
		{ "answer far away", 2, { { GPA(COMMAND), 4 }, { ~0ull, 1, WRITE } } },
		{ "huge", 2, { { GPA(COMMAND), ~0u }, { GPA(ANSWER), 1, WRITE } } },
		{ "table nowhere", 1, { { NOWHERE, 32, INDIRECT } } },
		{ "table cut", 1, { { GPA(NB_FRONT_TABLE), 33, INDIRECT } } },
		{ "no table", 1, { { GPA(NB_FRONT_TABLE), 0, INDIRECT } } },
		{ "long table", 1, { { GPA(NB_FRONT_RX), 0x100000, INDIRECT } } },
		{ "table, then more", 2, { { GPA(NB_FRONT_TABLE), 32, INDIRECT },
					   { GPA(COMMAND), 4 } } },
	};
	struct nb_front *front = &self->front;
	uint32_t id, used;
	unsigned int i;

	start(self, MQ | TABLES);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		memset(front->ram + NB_FRONT_TABLE, 0, 64);
		memcpy(front->ram + COMMAND, "\x04\x00\x02\x00", 4);
		front->ram[ANSWER] = 0xee;
		nb_front_chain(front, CONTROL, 100, cases[i].desc, cases[i].n);
		nb_front_kick(front, CONTROL);
		ASSERT_TRUE(nb_front_used(front, CONTROL, &id, &used))
			TH_LOG("%s", cases[i].what);
		EXPECT_EQ(100, id);
		EXPECT_EQ(0, used)
			TH_LOG("%s", cases[i].what);
		EXPECT_EQ(0xee, front->ram[ANSWER])
			TH_LOG("%s", cases[i].what);
		EXPECT_EQ(1, used_pairs());
		EXPECT_EQ(VIRTIO_NET_OK, use_pairs(front, 1))
			TH_LOG("%s", cases[i].what);
	}
	EXPECT_TRUE(sends(self, 0));
}

/* These can be answered, and the answer is no. */
TEST_F(vhost_control, commands_that_cannot_be_read_are_refused)
{
	static const struct vring_desc cases[][2] = {
		{ { GPA(ANSWER), 1, WRITE } },
		{ { NOWHERE, 4 }, { GPA(ANSWER), 1, WRITE } },
		{ { GPA(COMMAND), 1 }, { GPA(ANSWER), 1, WRITE } },
		{ { GPA(COMMAND), 0x100000 }, { GPA(ANSWER), 1, WRITE } },
		{ { GPA(COMMAND), 5 }, { GPA(ANSWER), 64, WRITE } },
	};
	struct nb_front *front = &self->front;
	uint32_t id, used;
	unsigned int i;

	start(self, MQ);
	memcpy(front->ram + COMMAND, "\x04\x00\x02\x00", 4);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		front->ram[ANSWER] = 0xee;
		nb_front_chain(front, CONTROL, 100, cases[i], 1 + !!i);
		nb_front_kick(front, CONTROL);
		ASSERT_TRUE(nb_front_used(front, CONTROL, &id, &used));
		EXPECT_EQ(1, used);
		EXPECT_EQ(VIRTIO_NET_ERR, front->ram[ANSWER])
			TH_LOG("case %u", i);
	}
	EXPECT_EQ(1, used_pairs());
}

/* A ring that cannot be right is left alone, the front-end is told, and pairs go on. */
TEST_F(vhost_control, a_broken_ring_stops_and_can_be_set_up_again)
{
	struct nb_front *front = &self->front;
	struct nb_front_ring *ring = &front->rings[CONTROL];
	eventfd_t errors;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		start(self, MQ);
		ASSERT_EQ(VIRTIO_NET_OK, use_pairs(front, 2));
		if (front->packed)
			nb_packed_desc(front, CONTROL, GPA(COMMAND), 4, NB_FRONT_ENTRIES + i, 0);
		else if (i)
			nb_front_avail(front, CONTROL, NB_FRONT_ENTRIES);
		else
			ring->avail->idx += NB_FRONT_ENTRIES + 1;
		nb_front_kick(front, CONTROL);
		EXPECT_TRUE(nb_until(!eventfd_read(ring->err_fd, &errors)));
		EXPECT_EQ(2, used_pairs());
		EXPECT_TRUE(sends(self, 1));
		EXPECT_EQ(front->packed ? (1u << 15 | 3) * 0x10001 : 1,
			  nb_front_stop(front, CONTROL));
	}
	start(self, MQ);
	EXPECT_EQ(VIRTIO_NET_OK, use_pairs(front, 3));
}

static void scribble_split(struct nb_front_ring *ring, unsigned int i, struct nb_random *random)
{
	volatile struct vring_desc *desc = &ring->desc[i % 8];

	desc->flags = nb_random_below(random, 8);
	desc->next = nb_random_below(random, 9);
	desc->len = nb_random_below(random, 3) ? 1 + i % 4 : nb_random_below(random, 1u << 31);
	desc->addr = nb_random_below(random, 3) ? GPA(COMMAND) : nb_random_below(random, 1u << 31);
}

static void scribble_packed(struct nb_front_ring *ring, unsigned int i, struct nb_random *random)
{
	volatile struct vring_packed_desc *desc = &ring->packed[i % 256];

	desc->id = nb_random_below(random, 258);
	desc->len = nb_random_below(random, 3) ? 1 + i % 4 : nb_random_below(random, 1u << 31);
	desc->addr = nb_random_below(random, 3) ? GPA(COMMAND) : nb_random_below(random, 1u << 31);
	desc->flags = nb_random_below(random, 8) | nb_random_below(random, 4) << 7 |
		      nb_random_below(random, 2) << 15;
}

/* Ring, and commands, which are often right. */
static void *scribble(void *arg)
{
	struct nb_front *front = arg;
	struct nb_random random;
	unsigned int i;

	nb_random_start(&random);
	for (i = 0; i < 200000; i++) {
		volatile uint8_t *bytes = front->ram + COMMAND;

		if (front->packed)
			scribble_packed(&front->rings[CONTROL], i, &random);
		else
			scribble_split(&front->rings[CONTROL], i, &random);
		bytes[0] = VIRTIO_NET_CTRL_MQ;
		bytes[1] = nb_random_below(&random, 3);
		bytes[2 + nb_random_below(&random, 60)] = nb_random_below(&random, 4);
		bytes[3] = 0;
	}
	return NULL;
}

TEST_F(vhost_control, a_ring_that_changes_under_way_harms_nobody)
{
	pthread_t thread;
	unsigned int i, round;

	for (round = 0; round < 4; round++) {
		start(self, RSS | REPORT | TABLES | (round & 1 ? EVENT_IDX : 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &self->front));
		for (i = 0; i < 300; i++) {
			if (!self->front.packed)
				nb_front_avail(&self->front, CONTROL, i % 8);
			nb_front_kick(&self->front, CONTROL);
			if (i % 100 == 0)
				EXPECT_TRUE(nb_front_works(&self->bystander));
		}
		pthread_join(thread, NULL);
		EXPECT_TRUE(nb_vhost_runs(self->server));
	}
	start(self, MQ);
	EXPECT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 3));
	EXPECT_EQ(7, spread(self));
}

/* Another front-end comes, and is served, while each command has the queues made anew. */
TEST_F(vhost_control, a_flood_of_commands_keeps_nobody_waiting)
{
	struct nb_front *front = &self->front;
	unsigned int i, done = 0;
	uint32_t id, used;

	start(self, MQ);
	for (i = 0; i < 80; i++) {
		const struct vring_desc chain[] = {
			{ GPA(COMMAND + 4 * i), 4 },
			{ GPA(ANSWER + i), 1, WRITE },
		};

		memcpy(front->ram + COMMAND + 4 * i, (uint8_t[]){ 4, 0, 1 + i % 3, 0 }, 4);
		front->ram[ANSWER + i] = 0xee;
		nb_front_chain(front, CONTROL, 2 * i, chain, 2);
	}
	nb_front_kick(front, CONTROL);
	nb_front_close(&self->bystander);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
	EXPECT_TRUE(nb_front_works(&self->bystander));
	for (i = 0; i < 80; i++) {
		ASSERT_TRUE(nb_front_used(front, CONTROL, &id, &used));
		EXPECT_EQ(2 * i, id);
		done += front->ram[ANSWER + i] == VIRTIO_NET_OK;
	}
	EXPECT_EQ(80, done);
	EXPECT_EQ(2, used_pairs());
}

/* ---- hostile front-ends -------------------------------------------------- */

static int full_socket(int *other)
{
	static const char bytes[4096];
	int fds[2];

	nb_sys(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	while (send(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	*other = fds[0];
	return fds[1];
}

/* It takes O_NONBLOCK back, and nobody reads: the write hangs. */
TEST_F(vhost_control, an_interrupt_that_hangs_keeps_nobody_waiting)
{
	struct nb_front *front = &self->front;
	int other, call = full_socket(&other);
	unsigned int i;

	start(self, MQ);
	nb_front_send_u64(front, VU_SET_VRING_CALL, CONTROL, call);
	nb_front_send_u64(front, VU_SET_VRING_ERR, CONTROL, call);
	nb_front_ask(front, VU_GET_FEATURES);
	nb_sys(fcntl(call, F_SETFL, 0));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(VIRTIO_NET_OK, use_pairs(front, 1 + i % 3));
		EXPECT_TRUE(nb_front_works(&self->bystander));
	}
	close(call);
	close(other);
}

/* The ring is looked at. */
TEST_F(vhost_control, without_a_doorbell_it_is_served_too)
{
	struct nb_front *front = &self->front;

	start(self, MQ);
	nb_front_send_u64(front, VU_SET_VRING_KICK, CONTROL | VU_VRING_NO_FD, -1);
	EXPECT_EQ(VIRTIO_NET_OK, use_pairs(front, 2));
	EXPECT_EQ(VIRTIO_NET_OK, use_pairs(front, 3));
	nb_front_send_u64(front, VU_SET_VRING_KICK, CONTROL, front->rings[CONTROL].kick_fd);
	EXPECT_EQ(VIRTIO_NET_OK, use_pairs(front, 1));
}

TEST_F(vhost_control, a_ring_outside_memory_is_not_used)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		const uint64_t ring = NB_FRONT_USER + CONTROL * NB_FRONT_RING;
		struct vu_vring_addr addr = {
			.index = CONTROL,
			.desc = i == 0 ? NB_FRONT_USER + NB_FRONT_SIZE - 16 : ring,
			.avail = i == 1 ? ~0ull - 100 : ring + 0x1000,
			.used = i == 2 ? 0 : ring + 0x2000,
		};

		start(self, MQ);
		nb_front_send(front, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		nb_front_ask(front, VU_GET_FEATURES);
		EXPECT_EQ(1, used_pairs());
		EXPECT_TRUE(sends(self, 0));
	}
}

TEST_F(vhost_control, a_front_end_that_truncates_its_memory_harms_only_itself)
{
	start(self, MQ);
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 2));
	ASSERT_EQ(0, ftruncate(self->front.memfd, 0));
	nb_front_kick(&self->front, CONTROL);
	nb_front_stop(&self->front, CONTROL);
	EXPECT_TRUE(nb_vhost_runs(self->server));
	start(self, MQ);
	EXPECT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 2));
}

TEST_HARNESS_MAIN
