// SPDX-License-Identifier: GPL-2.0
/*
 * A front-end and a driver for nbvhost. See nbfrontend.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "nbfrontend.h"
#include "../tools/nbvhost/vhost_user.h"

#define MAX_ARGUMENTS	16
#define HEADER		sizeof(struct virtio_net_hdr_v1)
#define MAX_HEADER	sizeof(struct virtio_net_hdr_v1_hash)

/* ---- the process --------------------------------------------------------- */

static bool is_readable_within(int fd, int ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, ms) == 1;
}

static bool is_readable(int fd)
{
	return is_readable_within(fd, NB_PATIENCE);
}

/* Where the last ones that were run say that they are ready. */
#define MAX_VOICES	4
static struct voice {
	pid_t process;
	int fd;
} voices[MAX_VOICES];

static void remember(pid_t process, int fd)
{
	static unsigned int next;
	struct voice *voice = &voices[next++ % MAX_VOICES];

	if (voice->process)
		close(voice->fd);
	*voice = (struct voice){ process, fd };
}

static bool is_ready(int fd, int ms)
{
	static const char ready[] = "nbvhost: ready\n";
	char line[sizeof(ready)] = "";

	return is_readable_within(fd, ms) && read(fd, line, sizeof(line) - 1) > 0 &&
	       !strcmp(line, ready);
}

/* With its standard error in a file, unless that is -1. */
static pid_t run(int said, const char *argument, va_list list)
{
	char *arguments[MAX_ARGUMENTS + 1] = { "nbvhost", (char *)argument };
	posix_spawn_file_actions_t actions;
	unsigned int n = 1;
	int pipe_fds[2];
	pid_t child;

	while (arguments[n] && n < MAX_ARGUMENTS)
		arguments[++n] = va_arg(list, char *);
	nb_sys(pipe2(pipe_fds, O_CLOEXEC));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	if (said >= 0)
		posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
	errno = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
	if (errno)
		nb_die("cannot run nbvhost: %s", strerror(errno));
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	remember(child, pipe_fds[0]);
	if (!is_ready(pipe_fds[0], NB_PATIENCE))
		nb_die("nbvhost does not say that it is ready");
	return child;
}

pid_t nb_vhost_run(const char *argument, ...)
{
	va_list list;
	pid_t child;

	va_start(list, argument);
	child = run(-1, argument, list);
	va_end(list);
	return child;
}

pid_t nb_vhost_run_and_listen(int *said, const char *argument, ...)
{
	va_list list;
	pid_t child;

	*said = nb_sys(memfd_create("said", MFD_CLOEXEC));
	va_start(list, argument);
	child = run(*said, argument, list);
	va_end(list);
	return child;
}

unsigned int nb_vhost_times_said(int said, const char *what)
{
	char text[16384] = "";
	const char *at = text;
	unsigned int n = 0;

	nb_sys(pread(said, text, sizeof(text) - 1, 0));
	while ((at = strstr(at, what))) {
		at++;
		n++;
	}
	return n;
}

bool nb_vhost_runs(pid_t child)
{
	return !nb_sys(waitpid(child, NULL, WNOHANG));
}

bool nb_vhost_says_ready(pid_t child, int ms)
{
	unsigned int i;

	for (i = 0; i < MAX_VOICES; i++) {
		if (voices[i].process == child)
			return is_ready(voices[i].fd, ms);
	}
	nb_die("process %d is not one of the last that were run", child);
}

bool nb_vhost_again(pid_t child)
{
	/* what it has said before is not meant */
	while (nb_vhost_says_ready(child, 0))
		;
	nb_sys(kill(child, SIGUSR2));
	return nb_vhost_says_ready(child, NB_PATIENCE);
}

unsigned int nb_vhost_count_fds(pid_t child)
{
	unsigned int n = 0;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", child);
	dir = opendir(path);
	if (!dir)
		nb_die("there is no %s", path);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

int nb_vhost_end(pid_t child)
{
	int status;

	kill(child, SIGTERM);
	/* one that hangs is not to keep the other tests from running */
	if (!nb_until(nb_sys(waitpid(child, &status, WNOHANG)))) {
		kill(child, SIGKILL);
		nb_sys(waitpid(child, &status, 0));
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- messages ------------------------------------------------------------ */

static size_t smaller(size_t one, size_t other)
{
	return one < other ? one : other;
}

void nb_front_send_part(struct nb_front *front, const struct vu_header *header,
			const void *payload, const int *fds, unsigned int n_fds, size_t bytes)
{
	size_t first = smaller(bytes, sizeof(*header));
	struct iovec parts[] = {
		{ .iov_base = (void *)header, .iov_len = first },
		{ .iov_base = (void *)payload, .iov_len = smaller(bytes - first, header->size) },
	};
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	struct cmsghdr *rights;

	if (n_fds) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, n_fds * sizeof(int));
	}
	/* the other side may have had enough already */
	if (sendmsg(front->fd, &message, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		nb_die("cannot send a message: %s", strerror(errno));
}

void nb_front_send(struct nb_front *front, uint32_t request, const void *payload, uint32_t size,
		   const int *fds, unsigned int n_fds)
{
	const struct vu_header header = { request, VU_VERSION, size };

	nb_front_send_part(front, &header, payload, fds, n_fds, SIZE_MAX);
}

/* It has more to send than the other one has room for. */
int nb_front_lingering(int *other)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 60 };
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(addr);
	static const char bytes[65536];
	int listener, fd;

	if (nb_test_run("ip", "link", "set", "lo", "up", NULL))
		nb_die("there is no loopback");
	listener = nb_sys(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	nb_sys(bind(listener, (struct sockaddr *)&addr, sizeof(addr)));
	nb_sys(listen(listener, 1));
	nb_sys(getsockname(listener, (struct sockaddr *)&addr, &size));
	fd = nb_sys(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	nb_sys(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	*other = nb_sys(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	close(listener);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	nb_sys(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	return fd;
}

/* Receives a header with what has come with it. */
static bool receive_header(int socket, struct vu_header *header, int *fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec part = { .iov_base = header, .iov_len = sizeof(*header) };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *rights;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof(*header))
		return false;
	*fd = -1;
	rights = CMSG_FIRSTHDR(&message);
	if (rights)
		memcpy(fd, CMSG_DATA(rights), sizeof(*fd));
	return true;
}

bool nb_front_answer_fd(struct nb_front *front, void *payload, uint32_t size, int *fd)
{
	struct vu_header header;

	return is_readable(front->fd) && receive_header(front->fd, &header, fd) &&
	       header.flags == (VU_VERSION | VU_REPLY) && header.size == size &&
	       (!size || recv(front->fd, payload, size, MSG_WAITALL) == (ssize_t)size);
}

bool nb_front_answer(struct nb_front *front, void *payload, uint32_t size)
{
	int fd;

	return nb_front_answer_fd(front, payload, size, &fd);
}

void nb_front_send_u64(struct nb_front *front, uint32_t request, uint64_t value, int fd)
{
	nb_front_send(front, request, &value, sizeof(value), &fd, fd >= 0);
}

void nb_front_send_state(struct nb_front *front, uint32_t request, uint32_t index, uint32_t num)
{
	struct vu_vring_state state = { .index = index, .num = num };

	nb_front_send(front, request, &state, sizeof(state), NULL, 0);
}

uint64_t nb_front_ask(struct nb_front *front, uint32_t request)
{
	uint64_t value;

	nb_front_send(front, request, NULL, 0, NULL, 0);
	if (!nb_front_answer(front, &value, sizeof(value)))
		nb_die("request %u is not answered", request);
	return value;
}

void nb_front_want_ack(struct nb_front *front, uint32_t request, const void *payload,
		       uint32_t size, const int *fds, unsigned int n_fds)
{
	const struct vu_header header = { request, VU_VERSION | VU_NEED_REPLY, size };

	nb_front_send_part(front, &header, payload, fds, n_fds, SIZE_MAX);
}

int nb_front_ack(struct nb_front *front)
{
	uint64_t answer;

	return nb_front_answer(front, &answer, sizeof(answer)) ? (int)answer : -1;
}

bool nb_front_is_refused(struct nb_front *front)
{
	char byte;

	return is_readable(front->fd) && recv(front->fd, &byte, 1, 0) <= 0;
}

/* ---- a connection -------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = nb_sys(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	nb_sys(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

void nb_front_connect_again(struct nb_front *front, const char *path)
{
	close(front->fd);
	front->fd = connect_to(path);
}

static void *map_memory(int memfd)
{
	nb_sys(ftruncate(memfd, NB_FRONT_SIZE));
	return mmap(NULL, NB_FRONT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
}

bool nb_front_use_huge_pages(struct nb_front *front)
{
	int memfd = memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB);
	void *ram = memfd < 0 ? MAP_FAILED : map_memory(memfd);

	if (ram == MAP_FAILED)
		return false;
	munmap(front->ram, NB_FRONT_SIZE);
	close(front->memfd);
	front->memfd = memfd;
	front->ram = ram;
	return true;
}

void nb_front_connect(struct nb_front *front, const char *path)
{
	unsigned int i;

	*front = (struct nb_front){
		.memfd = -1,
		.entries = NB_FRONT_ENTRIES,
		.header = HEADER,
	};
	for (i = 0; i < ARRAY_LEN(front->rings); i++) {
		front->rings[i].kick_fd = nb_sys(eventfd(0, EFD_NONBLOCK));
		front->rings[i].call_fd = nb_sys(eventfd(0, EFD_NONBLOCK));
		front->rings[i].err_fd = nb_sys(eventfd(0, EFD_NONBLOCK));
		front->rings[i].wrap = true;
		front->rings[i].used_wrap = true;
	}
	front->fd = connect_to(path);
	front->memfd = nb_sys(memfd_create("guest", MFD_CLOEXEC));
	front->ram = map_memory(front->memfd);
	if (front->ram == MAP_FAILED)
		nb_die("cannot map guest memory: %s", strerror(errno));
}

void nb_front_negotiate(struct nb_front *front, uint64_t features)
{
	uint64_t offered = nb_front_ask(front, VU_GET_FEATURES);

	features |= 1ull << VIRTIO_F_VERSION_1 | 1ull << VU_F_PROTOCOL_FEATURES;
	if (features & ~offered)
		nb_die("features %#llx are not offered", (unsigned long long)(features & ~offered));
	nb_front_ask(front, VU_GET_PROTOCOL_FEATURES);
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, 0, -1);
	nb_front_send(front, VU_SET_OWNER, NULL, 0, NULL, 0);
	nb_front_send_u64(front, VU_SET_FEATURES, features, -1);
	front->features = features;
	front->packed = features >> VIRTIO_F_RING_PACKED & 1;
	front->header = features >> VIRTIO_NET_F_HASH_REPORT & 1 ? MAX_HEADER : HEADER;
}

void nb_front_set_memory(struct nb_front *front)
{
	struct vu_memory table = {
		.n = 1,
		.regions[0] = {
			.gpa = NB_FRONT_GPA,
			.size = NB_FRONT_SIZE,
			.user_addr = NB_FRONT_USER,
		},
	};

	nb_front_send(front, VU_SET_MEM_TABLE, &table,
		      offsetof(struct vu_memory, regions) + sizeof(table.regions[0]),
		      &front->memfd, 1);
}

void nb_front_set_ring(struct nb_front *front, unsigned int i, uint32_t base)
{
	const uint32_t desc = i * NB_FRONT_RING, avail = desc + 0x1000, used = desc + 0x2000;
	struct nb_front_ring *ring = &front->rings[i];
	struct vu_vring_addr addr = {
		.index = i,
		.desc = NB_FRONT_USER + desc,
		.avail = NB_FRONT_USER + avail,
		.used = NB_FRONT_USER + used,
	};

	ring->desc = (void *)(front->ram + desc);
	ring->avail = (void *)(front->ram + avail);
	ring->used = (void *)(front->ram + used);
	ring->packed = (void *)ring->desc;
	ring->driver = (void *)ring->avail;
	ring->device = (void *)ring->used;
	nb_front_send_state(front, VU_SET_VRING_NUM, i, front->entries);
	nb_front_send(front, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	nb_front_send_state(front, VU_SET_VRING_BASE, i, base);
	nb_front_send_u64(front, VU_SET_VRING_CALL, i, ring->call_fd);
	nb_front_send_u64(front, VU_SET_VRING_ERR, i, ring->err_fd);
	nb_front_send_u64(front, VU_SET_VRING_KICK, i, ring->kick_fd);
	nb_front_send_state(front, VU_SET_VRING_ENABLE, i, 1);
}

void nb_front_open_pairs(struct nb_front *front, const char *path, uint64_t features,
			 unsigned int pairs)
{
	unsigned int i;

	nb_front_connect(front, path);
	nb_front_negotiate(front, features);
	nb_front_set_memory(front);
	front->pairs = pairs;
	for (i = 0; i < 2 * pairs; i++)
		nb_front_set_ring(front, i, nb_front_base(front));
}

void nb_front_open(struct nb_front *front, const char *path, uint64_t features)
{
	nb_front_open_pairs(front, path, features, 1);
}

void nb_front_close(struct nb_front *front)
{
	unsigned int i;

	if (front->memfd < 0)
		return;
	for (i = 0; i < ARRAY_LEN(front->rings); i++) {
		close(front->rings[i].kick_fd);
		close(front->rings[i].call_fd);
		close(front->rings[i].err_fd);
	}
	munmap(front->ram, NB_FRONT_SIZE);
	close(front->memfd);
	close(front->fd);
	front->memfd = -1;
}

uint32_t nb_front_base(const struct nb_front *front)
{
	return front->packed ? 1u << VRING_PACKED_EVENT_F_WRAP_CTR : 0;
}

uint32_t nb_front_stop(struct nb_front *front, unsigned int ring)
{
	struct vu_vring_state state = { .index = ring };

	nb_front_send(front, VU_GET_VRING_BASE, &state, sizeof(state), NULL, 0);
	if (!nb_front_answer(front, &state, sizeof(state)) || state.index != ring)
		nb_die("ring %u does not stop", ring);
	return state.num;
}

/* ---- the driver ---------------------------------------------------------- */

void nb_front_desc(struct nb_front *front, unsigned int ring, uint16_t at, uint64_t gpa,
		   uint32_t len, uint16_t flags, uint16_t next)
{
	front->rings[ring].desc[at] = (struct vring_desc){
		.addr = gpa,
		.len = len,
		.flags = flags,
		.next = next,
	};
}

void nb_front_avail(struct nb_front *front, unsigned int ring, uint16_t head)
{
	struct vring_avail *avail = front->rings[ring].avail;
	uint16_t index = avail->idx;

	avail->ring[index % NB_FRONT_ENTRIES] = head;
	__atomic_store_n(&avail->idx, index + 1, __ATOMIC_RELEASE);
}

void nb_front_kick(struct nb_front *front, unsigned int ring)
{
	eventfd_write(front->rings[ring].kick_fd, 1);
}

void nb_front_chain(struct nb_front *front, unsigned int ring, uint16_t id,
		    const struct vring_desc *segments, unsigned int n)
{
	unsigned int i;

	if (front->packed) {
		nb_packed_chain(front, ring, id, segments, n);
		return;
	}
	for (i = 0; i < n; i++)
		nb_front_desc(front, ring, (id + i) % NB_FRONT_ENTRIES, segments[i].addr,
			      segments[i].len,
			      segments[i].flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
			      (id + i + 1) % NB_FRONT_ENTRIES);
	nb_front_avail(front, ring, id);
}

bool nb_front_has_used(const struct nb_front *front, unsigned int number)
{
	const struct nb_front_ring *ring = &front->rings[number];

	if (front->packed)
		return nb_packed_has_used(front, number);
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) != ring->seen;
}

bool nb_front_used(struct nb_front *front, unsigned int number, uint32_t *id, uint32_t *len)
{
	struct nb_front_ring *ring = &front->rings[number];
	const struct vring_used_elem *element;

	if (!nb_until(nb_front_has_used(front, number)))
		return false;
	if (front->packed) {
		nb_packed_take_used(front, number, id, len);
		return true;
	}
	element = &ring->used->ring[ring->seen++ % NB_FRONT_ENTRIES];
	*id = element->id;
	*len = element->len;
	return true;
}

static uint32_t buffer_of(unsigned int pair, uint32_t id)
{
	return NB_FRONT_RX + (pair * NB_FRONT_ENTRIES + id) * NB_FRONT_BUF_SIZE;
}

static void post_buffer(struct nb_front *front, unsigned int pair, uint16_t id)
{
	const struct vring_desc buffer = {
		.addr = NB_FRONT_GPA + buffer_of(pair, id),
		.len = NB_FRONT_BUF_SIZE,
		.flags = VRING_DESC_F_WRITE,
	};

	nb_front_chain(front, 2 * pair + NB_FRONT_RX_RING, id, &buffer, 1);
}

void nb_front_post(struct nb_front *front, unsigned int pair, uint16_t first, unsigned int n)
{
	uint16_t id;

	for (id = first; id < first + n; id++)
		post_buffer(front, pair, id);
	nb_front_kick(front, 2 * pair + NB_FRONT_RX_RING);
}

bool nb_front_transmit_on(struct nb_front *front, unsigned int pair, uint16_t head,
			  const struct virtio_net_hdr_v1 *header, const void *frame, size_t len)
{
	const struct vring_desc packet = {
		.addr = NB_FRONT_GPA + NB_FRONT_TX,
		.len = front->header + len,
	};
	unsigned int ring = 2 * pair + NB_FRONT_TX_RING;
	uint32_t id, used;

	memset(front->ram + NB_FRONT_TX, 0, MAX_HEADER);
	memcpy(front->ram + NB_FRONT_TX, header, HEADER);
	memcpy(front->ram + NB_FRONT_TX + front->header, frame, len);
	nb_front_chain(front, ring, head, &packet, 1);
	nb_front_kick(front, ring);
	return nb_front_used(front, ring, &id, &used) && id == head;
}

bool nb_front_transmit(struct nb_front *front, uint16_t head, const void *frame, size_t len)
{
	const struct virtio_net_hdr_v1 header = { 0 };

	return nb_front_transmit_on(front, 0, head, &header, frame, len);
}

void nb_front_send_pieces(struct nb_front *front, uint16_t head, const void *frame, uint32_t len,
			  unsigned int pieces, bool header_apart)
{
	uint32_t whole = front->header + len, at = 0, part;
	struct vring_desc segments[16] = { 0 };
	unsigned int i;

	memset(front->ram + NB_FRONT_TX, 0, front->header);
	memcpy(front->ram + NB_FRONT_TX + front->header, frame, len);
	for (i = 0; i < pieces; i++) {
		part = header_apart && !i && pieces > 1 ? front->header :
							    (whole - at) / (pieces - i);
		segments[i].addr = NB_FRONT_GPA + NB_FRONT_TX + at;
		segments[i].len = part;
		at += part;
	}
	nb_front_chain(front, NB_FRONT_TX_RING, head, segments, pieces);
	nb_front_kick(front, NB_FRONT_TX_RING);
}

static void take_hash(struct nb_front *front, const uint8_t *buffer)
{
	const struct virtio_net_hdr_v1_hash *header = (const void *)buffer;

	if (front->header < MAX_HEADER)
		return;
	front->hash = header->hash_value;
	front->hash_report = header->hash_report;
}

ssize_t nb_front_receive_on(struct nb_front *front, unsigned int pair,
			    struct virtio_net_hdr_v1 *header, void *frame, size_t size)
{
	unsigned int ring = 2 * pair + NB_FRONT_RX_RING, n = 1, i;
	uint32_t id, used, skip;
	size_t len = 0;

	for (i = 0; i < n; i++) {
		const uint8_t *buffer;

		/* a driver does not wait for the others of a packet */
		if (i && !nb_front_has_used(front, ring))
			return -1;
		if (!nb_front_used(front, ring, &id, &used) || id >= NB_FRONT_ENTRIES ||
		    used > NB_FRONT_BUF_SIZE)
			return -1;
		buffer = front->ram + buffer_of(pair, id);
		skip = i ? 0 : front->header;
		if (used < skip || len + used - skip > size)
			return -1;
		if (!i) {
			memcpy(header, buffer, HEADER);
			n = header->num_buffers;
			take_hash(front, buffer);
		}
		memcpy((uint8_t *)frame + len, buffer + skip, used - skip);
		len += used - skip;
		post_buffer(front, pair, id);
	}
	nb_front_kick(front, ring);
	return (ssize_t)len;
}

ssize_t nb_front_receive(struct nb_front *front, void *frame, size_t size,
			 unsigned int *n_buffers)
{
	struct virtio_net_hdr_v1 header;
	ssize_t len = nb_front_receive_on(front, 0, &header, frame, size);

	if (n_buffers)
		*n_buffers = header.num_buffers;
	return len;
}

static int pair_with_packet(const struct nb_front *front)
{
	unsigned int pair;

	for (pair = 0; pair < front->pairs; pair++) {
		if (nb_front_has_used(front, 2 * pair + NB_FRONT_RX_RING))
			return (int)pair;
	}
	return -1;
}

int nb_front_wait(struct nb_front *front)
{
	int pair = -1;

	nb_until((pair = pair_with_packet(front)) >= 0);
	return pair;
}

bool nb_front_works(struct nb_front *front)
{
	uint8_t sent[100], received[100];
	unsigned int i;

	for (i = 0; i < 10; i++) {
		nb_frame_fill(sent, sizeof(sent), i);
		if (!nb_front_transmit(front, i, sent, sizeof(sent)) ||
		    nb_front_receive(front, received, sizeof(received), NULL) != sizeof(sent) ||
		    memcmp(sent, received, sizeof(sent)))
			return false;
	}
	return true;
}
