// SPDX-License-Identifier: GPL-2.0
/*
 * What is wrong with a message is told in one line: for each thing there is a case, with the
 * words.  See vhost_said.h.
 */
#include <fcntl.h>
#include <sys/socket.h>

#include "vhost_said.h"

/* ---- messages ------------------------------------------------------------ */

enum {
	EVENTFD,
	MEMORY,
	READ_ONLY,	/* the same, that cannot be written to */
	NO_MEMORY,
	SOCKET,
	N_FDS,
};

static void open_fds(const struct nb_front *front, int *fds, int *other)
{
	int sockets[2];
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", front->memfd);
	nb_sys(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets));
	fds[EVENTFD] = nb_sys(dup(front->rings[TX].kick_fd));
	fds[MEMORY] = nb_sys(dup(front->memfd));
	fds[READ_ONLY] = nb_sys(open(path, O_RDONLY | O_CLOEXEC));
	fds[NO_MEMORY] = nb_sys(open("/dev/null", O_RDWR | O_CLOEXEC));
	fds[SOCKET] = sockets[0];
	*other = sockets[1];
}

struct message {
	const char *words;
	uint32_t request, size;
	uint64_t payload[5];
	unsigned int n_fds, fd;
	uint32_t flags;
	const char *endpoint;
	unsigned int more;	/* lines about it */
};

#define RING(index, num)	{ (uint64_t)(num) << 32 | (index) }
#define SIZES(queues, entries)	((entries) << 16 | (queues))

static const char no_ring[] = "there is no such ring";
static const char no_memory[] = "a part of memory that is not there";
static const char no_fd[] = "no file descriptor";
static const char no_news[] =
	"a file descriptor that is neither an eventfd nor a local socket";
static const char no_pages[] = "a file descriptor that is not memory of normal pages";
static const char no_regions[] = "not as many file descriptors as regions";

static const struct message messages[] = {
	{ "it is not known here", VU_N_REQUESTS },
	{ "flags that it cannot have", VU_GET_FEATURES, .flags = VU_VERSION | VU_REPLY },
	{ "flags that it cannot have", VU_GET_FEATURES, .flags = VU_VERSION + 1 },
	{ "a payload of the wrong size", VU_SET_FEATURES, 4 },
	{ "file descriptors that it cannot have", VU_GET_FEATURES, .n_fds = 1 },
	{ "features that were not offered", VU_SET_FEATURES, 8, { 1ull << 63 } },
	{ "protocol features that were not offered", VU_SET_PROTOCOL_FEATURES, 8, { 1ull << 63 } },
	{ no_regions, VU_SET_MEM_TABLE, 40, { 1, 0, 4096 } },
	{ no_regions, VU_SET_MEM_TABLE, 8, { 9 } },
	{ "fewer regions than it says", VU_SET_MEM_TABLE, 8, { 1 }, 1, MEMORY },
	{ "a file descriptor that is not memory", VU_SET_MEM_TABLE, 40, { 1, 0, 4096 }, 1,
	  NO_MEMORY },
	{ "more guest memory than --memory allows", VU_SET_MEM_TABLE, 40, { 1, 0, 5 << 20 }, 1,
	  MEMORY },
	/* and what the kernel says */
	{ "memory that cannot be used", VU_SET_MEM_TABLE, 40, { 1, 1, 4096 }, 1, MEMORY,
	  .more = 1 },
	{ no_ring, VU_SET_VRING_NUM, 8, RING(CONTROL + 1, 256) },
	{ no_ring, VU_SET_VRING_ADDR, 40, RING(CONTROL + 1, 0) },
	{ no_ring, VU_SET_VRING_BASE, 8, RING(CONTROL + 1, 0) },
	{ no_ring, VU_GET_VRING_BASE, 8, RING(CONTROL + 1, 0) },
	{ no_ring, VU_SET_VRING_ENABLE, 8, RING(~0u, 1) },
	{ no_ring, VU_SET_VRING_KICK, 8, { CONTROL + 1 }, 1, EVENTFD },
	{ no_ring, VU_SET_VRING_CALL, 8, { CONTROL + 1 }, 1, EVENTFD },
	{ no_ring, VU_SET_VRING_ERR, 8, { CONTROL + 1 }, 1, EVENTFD },
	{ "a ring has 1 to 4096 entries", VU_SET_VRING_NUM, 8, RING(0, 0) },
	{ "a ring has 1 to 4096 entries", VU_SET_VRING_NUM, 8, RING(0, 8192) },
	{ "a split ring's size is a power of two", VU_SET_VRING_NUM, 8, RING(0, 91) },
	{ "a doorbell that is not an eventfd", VU_SET_VRING_KICK, 8, { 0 }, 1, SOCKET },
	{ no_news, VU_SET_VRING_CALL, 8, { 0 }, 1, NO_MEMORY },
	{ no_news, VU_SET_VRING_ERR, 8, { 0 }, 1, NO_MEMORY },
	{ no_news, VU_SET_LOG_FD, 8, { 0 }, 1, NO_MEMORY },
	{ no_fd, VU_SET_LOG_BASE, 16, { 4096 } },
	{ no_pages, VU_SET_LOG_BASE, 16, { 4096 }, 1, NO_MEMORY },
	{ no_memory, VU_SET_LOG_BASE, 16, { 4096, NB_FRONT_SIZE }, 1, MEMORY },
	{ no_memory, VU_SET_LOG_BASE, 16, { 0 }, 1, MEMORY },
	{ "memory that cannot be mapped", VU_SET_LOG_BASE, 16, { 4096, 1 }, 1, MEMORY },
	{ "memory that cannot be mapped", VU_SET_LOG_BASE, 16, { 4096 }, 1, READ_ONLY },
	{ "an in-flight region for rings that are not there", VU_GET_INFLIGHT_FD, 24,
	  { 0, 0, SIZES(CONTROL + 2, 256) } },
	{ "an in-flight region for rings of a wrong size", VU_GET_INFLIGHT_FD, 24,
	  { 0, 0, SIZES(2, 4097) } },
	{ "an in-flight region for rings that are not there", VU_SET_INFLIGHT_FD, 24,
	  { 4096, 0, SIZES(0, 256) }, 1, MEMORY },
	{ "an in-flight region for rings of a wrong size", VU_SET_INFLIGHT_FD, 24,
	  { 4096, 0, SIZES(2, 0) }, 1, MEMORY },
	{ no_fd, VU_SET_INFLIGHT_FD, 24, { 4096, 0, SIZES(2, 256) } },
	{ no_pages, VU_SET_INFLIGHT_FD, 24, { 4096, 0, SIZES(2, 256) }, 1, SOCKET },
	{ no_fd, VU_SET_BACKEND_REQ_FD, 0 },
	{ "a file descriptor that is not a stream socket of the file system's",
	  VU_SET_BACKEND_REQ_FD, 0, { 0 }, 1, SOCKET },
	{ "a part of the configuration that is too long", VU_GET_CONFIG, 12, { 8ull << 32 } },
	{ "an MTU that is larger than the endpoint's", VU_NET_SET_MTU, 8, { 1501 },
	  .endpoint = "netdev,name=nbsaid,mtu=1500" },
};

static void send_wrong(struct nb_front *front, const struct message *message)
{
	const struct vu_header header = {
		message->request, message->flags ? message->flags : VU_VERSION, message->size,
	};
	int fds[N_FDS], other;
	unsigned int i;

	open_fds(front, fds, &other);
	nb_front_send_part(front, &header, message->payload, &fds[message->fd], message->n_fds,
			   SIZE_MAX);
	for (i = 0; i < N_FDS; i++)
		close(fds[i]);
	close(other);
}

/* Each of them ends the connection, and is told once for each. */
TEST_F_TIMEOUT(said, a_message_that_is_wrong_is_told_in_one_line, 300)
{
	unsigned int i, round;
	char where[32];

	for (i = 0; i < ARRAY_LEN(messages); i++) {
		const struct message *message = &messages[i];

		begin(_metadata, self, message->endpoint ? message->endpoint : "loopback");
		for (round = 1; round <= 2; round++) {
			nb_front_connect(&self->front, PATH);
			send_wrong(&self->front, message);
			EXPECT_TRUE(nb_front_is_refused(&self->front));
			nb_front_close(&self->front);
			snprintf(where, sizeof(where), "message %u: ", message->request);
			EXPECT_EQ(round, times_said(self, where, message->words))
				TH_LOG("case %u: %s", i, message->words);
			EXPECT_EQ(round * (1 + message->more), count_lines(self))
				TH_LOG("case %u: %s", i, message->words);
		}
	}
}

/* As much of a message as that, before it goes. */
static void go_after(FIXTURE_DATA(said) *self, size_t bytes)
{
	const struct vu_header header = { VU_SET_FEATURES, VU_VERSION, sizeof(uint64_t) };
	const uint64_t features = 0;

	nb_front_connect(&self->front, PATH);
	nb_front_ask(&self->front, VU_GET_FEATURES);
	nb_front_send_part(&self->front, &header, &features, NULL, 0, bytes);
	nb_front_close(&self->front);
}

TEST_F(said, who_goes_in_the_middle_of_a_message_is_told_and_who_goes_after_one_is_not)
{
	static const size_t parts[] = { 1, sizeof(struct vu_header), sizeof(struct vu_header) + 7 };
	static const char words[] = "it went in the middle of a message";
	unsigned int i;

	begin(_metadata, self, "loopback");
	for (i = 0; i < ARRAY_LEN(parts); i++) {
		go_after(self, 0);
		go_after(self, sizeof(struct vu_header) + sizeof(uint64_t));
		EXPECT_EQ(i, count_lines(self));
		go_after(self, parts[i]);
		EXPECT_TRUE(nb_until(times_said(self, "", words) == i + 1));
	}
	/* the next one is not taken before that one has gone */
	go_after(self, 0);
	EXPECT_EQ(ARRAY_LEN(parts), count_lines(self));
}

TEST_F(said, a_message_with_too_many_file_descriptors_is_told_in_one_line)
{
	const int fds[VU_MAX_REGIONS + 1] = { 0 };

	begin(_metadata, self, "loopback");
	nb_front_connect(&self->front, PATH);
	nb_front_send(&self->front, VU_GET_FEATURES, NULL, 0, fds, ARRAY_LEN(fds));
	EXPECT_TRUE(nb_front_is_refused(&self->front));
	EXPECT_EQ(1, times_said(self, "", "a message with too many file descriptors"));
	EXPECT_EQ(1, count_lines(self));
}

TEST_F(said, who_does_not_read_answers_is_told_in_one_line)
{
	unsigned int i;

	begin(_metadata, self, "loopback");
	nb_front_connect(&self->front, PATH);
	for (i = 0; i < 5000 && !count_lines(self); i++)
		nb_front_send(&self->front, VU_GET_FEATURES, NULL, 0, NULL, 0);
	EXPECT_TRUE(nb_until(times_said(self, "message 1: ",
					"it does not read what it is answered") == 1));
	EXPECT_EQ(1, count_lines(self));
}

TEST_HARNESS_MAIN
