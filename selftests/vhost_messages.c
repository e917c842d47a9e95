// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of a front-end that goes in the middle of them, and in any order: nbvhost serves its
 * other sockets meanwhile, this one afterwards, and keeps nothing.  See vhost.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "vhost.h"

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };

/* in the front-end's memory, behind its receive buffers: an in-flight region, and a log */
#define INFLIGHT	0x300000u
#define INFLIGHT_SIZE	0x10000u
#define LOG		0x3f0000u
#define LOG_SIZE	0x1000u
/* where the rings are */
#define RINGS_SIZE	NB_FRONT_TABLE

#define PROTOCOL	(1u << VU_PROTOCOL_F_REPLY_ACK | 1u << VU_PROTOCOL_F_NET_MTU | \
			 1u << VU_PROTOCOL_F_CONFIG | 1u << VU_PROTOCOL_F_BACKEND_REQ | \
			 1u << VU_PROTOCOL_F_INFLIGHT_SHMFD | 1u << VU_PROTOCOL_F_LOG_SHMFD)
#define LOG_ALL		(1ull << VHOST_F_LOG_ALL)

/* Whether another front-end of the same process is answered, and the rings of its guest served. */
static bool is_served(struct nb_front *other)
{
	nb_front_ask(other, VU_GET_FEATURES);
	return nb_front_works(other);
}

/* As many fds as it has without a front-end, and with a bystander. */
static unsigned int count_fds(FIXTURE_DATA(vhost) *self)
{
	if (!is_served(&self->bystander))
		nb_die("the bystander is not served");
	return nb_vhost_count_fds(self->server);
}

/* ---- a session ----------------------------------------------------------- */

/**
 * struct message - what a front-end sends
 * @header: of it
 * @payload: of it
 * @fd: that comes with it, or -1
 * @answer: bytes that are answered
 */
struct message {
	struct vu_header header;
	union vu_payload payload;
	int fd;
	uint32_t answer;
};

struct session {
	struct message messages[48];
	unsigned int n;
};

static struct message *add(struct session *session, uint32_t request, uint32_t size, int fd,
			   uint32_t answer)
{
	struct message *message = &session->messages[session->n++];

	if (session->n > ARRAY_LEN(session->messages))
		nb_die("there is no room for all messages");
	*message = (struct message){
		.header = { request, VU_VERSION, size }, .fd = fd, .answer = answer,
	};
	return message;
}

/* One that is answered because that was asked for. */
static struct message *add_acked(struct session *session, uint32_t request, uint32_t size, int fd)
{
	struct message *message = add(session, request, size, fd, sizeof(uint64_t));

	message->header.flags |= VU_NEED_REPLY;
	return message;
}

static void add_u64(struct session *session, uint32_t request, uint64_t value, int fd)
{
	add_acked(session, request, sizeof(value), fd)->payload.u64 = value;
}

static void add_state(struct session *session, uint32_t request, uint32_t index, uint32_t num)
{
	struct vu_vring_state state = { index, num };

	add_acked(session, request, sizeof(state), -1)->payload.state = state;
}

static void add_memory(struct session *session, const struct nb_front *front)
{
	uint32_t size = offsetof(struct vu_memory, regions[1]);

	add_acked(session, VU_SET_MEM_TABLE, size, front->memfd)->payload.memory =
		(struct vu_memory){
			.n = 1,
			.regions[0] = { NB_FRONT_GPA, NB_FRONT_SIZE, NB_FRONT_USER },
		};
}

static void add_ring(struct session *session, const struct nb_front *front, uint32_t i)
{
	const uint64_t at = NB_FRONT_USER + i * NB_FRONT_RING;
	const struct nb_front_ring *ring = &front->rings[i];
	const struct vu_vring_addr addr = {
		.index = i,
		.flags = 1 << VHOST_VRING_F_LOG,
		.desc = at,
		.avail = at + 0x1000,
		.used = at + 0x2000,
		.log = NB_FRONT_GPA + i * NB_FRONT_RING + 0x2000,
	};

	add_state(session, VU_SET_VRING_NUM, i, front->entries);
	add_acked(session, VU_SET_VRING_ADDR, sizeof(addr), -1)->payload.addr = addr;
	add_state(session, VU_SET_VRING_BASE, i, nb_front_base(front));
	add_u64(session, VU_SET_VRING_CALL, i, ring->call_fd);
	add_u64(session, VU_SET_VRING_ERR, i, ring->err_fd);
	add_u64(session, VU_SET_VRING_KICK, i, ring->kick_fd);
	add_state(session, VU_SET_VRING_ENABLE, i, 1);
}

static void add_inflight(struct session *session, const struct nb_front *front)
{
	struct vu_inflight region = { .n_queues = 2, .queue_size = front->entries };

	add(session, VU_GET_INFLIGHT_FD, sizeof(region), -1, sizeof(region))->payload.inflight =
		region;
	region.mmap_size = INFLIGHT_SIZE;
	region.mmap_offset = INFLIGHT;
	add_acked(session, VU_SET_INFLIGHT_FD, sizeof(region), front->memfd)->payload.inflight =
		region;
}

/* All that nbvhost knows: what comes before the rings, them, a migration, and their end. */
static void make_session(struct session *session, const struct nb_front *front, uint64_t layout,
			 int channel)
{
	const uint64_t features = layout | 1ull << VIRTIO_F_VERSION_1 |
				  1ull << VU_F_PROTOCOL_FEATURES;
	const uint32_t config = offsetof(struct vu_config, bytes) + 12;
	uint32_t i;

	session->n = 0;
	add(session, VU_GET_FEATURES, 0, -1, sizeof(uint64_t));
	add(session, VU_GET_PROTOCOL_FEATURES, 0, -1, sizeof(uint64_t));
	add_u64(session, VU_SET_PROTOCOL_FEATURES, PROTOCOL, -1);
	add_acked(session, VU_SET_OWNER, 0, -1);
	add(session, VU_GET_QUEUE_NUM, 0, -1, sizeof(uint64_t));
	add_u64(session, VU_SET_FEATURES, features, -1);
	add(session, VU_GET_CONFIG, config, -1, config)->payload.config.size = 12;
	add_u64(session, VU_NET_SET_MTU, 1500, -1);
	add_u64(session, VU_SET_BACKEND_REQ_FD, 0, channel);
	add_memory(session, front);
	add_inflight(session, front);
	for (i = 0; i < 2; i++)
		add_ring(session, front, i);
	add(session, VU_SET_LOG_BASE, sizeof(struct vu_log), front->memfd, 0)->payload.log =
		(struct vu_log){ LOG_SIZE, LOG };
	add_u64(session, VU_SET_LOG_FD, 0, front->rings[TX].call_fd);
	add_u64(session, VU_SET_FEATURES, features | LOG_ALL, -1);
	add_memory(session, front);
	for (i = 0; i < 2; i++)
		add(session, VU_GET_VRING_BASE, sizeof(struct vu_vring_state), -1,
		    sizeof(struct vu_vring_state))->payload.state.index = i;
	add_acked(session, VU_RESET_OWNER, 0, -1);
}

/* Messages, and their answers: each has been done. */
static bool play(struct nb_front *front, const struct message *messages, unsigned int n)
{
	const struct message *message;
	union vu_payload answer;
	int fd = -1;

	for (message = messages; message < messages + n; message++) {
		nb_front_send_part(front, &message->header, &message->payload, &message->fd,
				   message->fd >= 0, SIZE_MAX);
		if (!nb_front_answer_fd(front, &answer, message->answer, &fd))
			return false;
		if (fd >= 0)
			close(fd);
		if (message->header.flags & VU_NEED_REPLY && answer.u64)
			return false;
	}
	return true;
}

/* ---- who goes ------------------------------------------------------------ */

/* A guest whose rings have something for whoever serves them: buffers, and a packet. */
static void prepare_guest(struct nb_front *front, uint64_t layout)
{
	const struct vring_desc packet = { GPA(NB_FRONT_TX), HEADER + 60 };
	unsigned int i;

	nb_front_negotiate(front, layout);
	for (i = 0; i < 2; i++)
		nb_front_set_ring(front, i, nb_front_base(front));
	nb_front_post(front, 0, 0, 64);
	nb_front_chain(front, TX, 0, &packet, 1);
}

#define N_PARTS		6
#define NO_PART		UINT32_MAX

/*
 * So many bytes of a message: none, some of its header, that alone, some of its payload, all; or
 * NO_PART if there is nothing like that.  What comes with it comes with its first byte.
 */
static uint32_t part_of(const struct message *message, unsigned int number)
{
	const uint32_t size = message->header.size;
	const uint32_t parts[N_PARTS] = {
		0, 1, VU_HEADER_SIZE - 1, VU_HEADER_SIZE,
		size ? VU_HEADER_SIZE + size / 2 : NO_PART,
		size ? VU_HEADER_SIZE + size : NO_PART,
	};

	return parts[number];
}

/* All messages up to that one, and so many bytes of it: then the front-end goes. */
static void go_at(struct __test_metadata *_metadata, FIXTURE_DATA(vhost) *self,
		  const struct session *session, unsigned int number, uint32_t bytes)
{
	const struct message *last = &session->messages[number];
	struct nb_front *front = &self->front;

	nb_front_connect_again(front, PATH);
	ASSERT_TRUE(play(front, session->messages, number))
		TH_LOG("before message %u", last->header.request);
	nb_front_send_part(front, &last->header, &last->payload, &last->fd, last->fd >= 0, bytes);
	nb_front_ask(&self->bystander, VU_GET_FEATURES);
	close(front->fd);
	front->fd = -1;
}

TEST_F_TIMEOUT(vhost, a_front_end_may_go_before_in_and_after_any_message, 600)
{
	static uint8_t rings[RINGS_SIZE];
	struct nb_front *front = &self->front;
	unsigned int number, part, before;
	struct session session;
	int channel[2];

	before = count_fds(self);
	nb_sys(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel));
	nb_front_connect(front, PATH);
	prepare_guest(front, self->layout);
	memcpy(rings, front->ram, sizeof(rings));
	make_session(&session, front, self->layout, channel[1]);

	for (number = 0; number < session.n; number++) {
		const struct message *message = &session.messages[number];

		for (part = 0; part < N_PARTS; part++) {
			uint32_t bytes = part_of(message, part);

			if (bytes == NO_PART)
				continue;
			memcpy(front->ram, rings, sizeof(rings));
			memset(front->ram + INFLIGHT, 0, INFLIGHT_SIZE);
			go_at(_metadata, self, &session, number, bytes);
			/* then nobody is there who writes to its memory, either */
			ASSERT_TRUE(nb_until(nb_vhost_count_fds(self->server) == before))
				TH_LOG("%u bytes of message %u", bytes, message->header.request);
		}
		ASSERT_TRUE(is_served(&self->bystander))
			TH_LOG("message %u", message->header.request);
	}
	close(channel[0]);
	close(channel[1]);
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(front));
}

TEST_HARNESS_MAIN
