// SPDX-License-Identifier: GPL-2.0
/*
 * Path virtio, this project's: nbvhost serves the rings, with an interface of kind netdev
 *
 * A front-end of vhost-user, as far as that takes one.
 */

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../nbvhost/vhost_user.h"
#include "virtio.h"

#define SOCKET		"/tmp/nbbench-vhost"
#define INTERFACE	"nbbench"
/* Where the front-end says that it has guest memory */
#define USER_ADDR	0x7f0000000000ull

#define BIT(n)		(1ull << (n))
#define OFFLOADS	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |		\
			 BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_GUEST_CSUM) |	\
			 BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6))

/* ---- messages ------------------------------------------------------------ */

static void send_message(const struct virtio_nic *nic, uint32_t request, const void *payload,
			 uint32_t size, int fd)
{
	struct vu_header header = { .request = request, .flags = VU_VERSION, .size = size };
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)payload, .iov_len = size },
	};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	struct cmsghdr *rights = &control.align;

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	if (sendmsg(nic->fd, &message, MSG_NOSIGNAL) < 0)
		die("vhost-user: %s", strerror(errno));
}

static void send_u64(const struct virtio_nic *nic, uint32_t request, uint64_t value, int fd)
{
	send_message(nic, request, &value, sizeof(value), fd);
}

static void send_state(const struct virtio_nic *nic, uint32_t request, uint32_t index,
		       uint32_t num)
{
	const struct vu_vring_state state = { .index = index, .num = num };

	send_message(nic, request, &state, sizeof(state), -1);
}

/* Features are what is asked for; the answer comes when all before it has been done. */
static uint64_t ask(const struct virtio_nic *nic)
{
	struct {
		struct vu_header header;
		uint64_t value;
	} __attribute__((packed)) answer;

	send_message(nic, VU_GET_FEATURES, NULL, 0, -1);
	if (recv(nic->fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		die("vhost-user: no answer");
	return answer.value;
}

/* ---- the device ---------------------------------------------------------- */

static void run_server(struct virtio_nic *nic)
{
	char program[] = "nbvhost", path[] = SOCKET, endpoint[100];
	char said[] = "nbvhost: ready\n", line[sizeof(said)] = "";
	char * const arguments[] = { program, path, endpoint, NULL };
	posix_spawn_file_actions_t actions;
	int pipe_fds[2];

	snprintf(endpoint, sizeof(endpoint), "netdev,name=" INTERFACE ",mtu=%u",
		 mtu_for(&nic->shape));
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	errno = posix_spawnp(&nic->server, program, &actions, NULL, arguments, environ);
	if (errno)
		die("nbvhost: %s", strerror(errno));
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	if (read(pipe_fds[0], line, sizeof(line) - 1) < 0 || strcmp(line, said) != 0)
		die("nbvhost does not begin");
	close(pipe_fds[0]);
}

static void negotiate(const struct virtio_nic *nic)
{
	const uint64_t features = VIRTIO_RING_FEATURES | OFFLOADS |
				  (nic->packed ? BIT(VIRTIO_F_RING_PACKED) : 0);
	const struct vu_memory table = {
		.n = 1,
		.regions[0] = {
			.gpa = VIRTIO_GPA,
			.size = nic->size,
			.user_addr = USER_ADDR,
		},
	};

	if (features & ~ask(nic))
		die("vhost-user: a feature is not there");
	send_u64(nic, VU_SET_FEATURES, features, -1);
	send_message(nic, VU_SET_MEM_TABLE, &table,
		     offsetof(struct vu_memory, regions) + sizeof(table.regions[0]), nic->memfd);
}

static int open_device(struct virtio_nic *nic)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };

	run_server(nic);
	nic->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (nic->fd < 0 || connect(nic->fd, (const void *)&address, sizeof(address)) < 0)
		die("vhost-user: %s", strerror(errno));
	negotiate(nic);
	nic->ifindex = if_nametoindex(INTERFACE);
	return 0;
}

static uint64_t user_addr(const struct virtio_nic *nic, const void *at)
{
	return USER_ADDR + ((const uint8_t *)at - nic->memory);
}

static void set_ring(const struct virtio_nic *nic, unsigned int i)
{
	const struct virtio_ring *ring = &nic->rings[i];
	const void *desc = nic->packed ? (void *)ring->ring : (void *)ring->desc;
	const void *avail = nic->packed ? (void *)ring->driver : (void *)ring->avail;
	const void *used = nic->packed ? (void *)ring->device : (void *)ring->used;
	const struct vu_vring_addr addr = {
		.index = i,
		.desc = user_addr(nic, desc),
		.avail = user_addr(nic, avail),
		.used = user_addr(nic, used),
	};

	send_state(nic, VU_SET_VRING_NUM, i, ring->entries);
	send_message(nic, VU_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	send_state(nic, VU_SET_VRING_BASE, i,
		   nic->packed ? 1u << VRING_PACKED_EVENT_F_WRAP_CTR : 0);
	send_u64(nic, VU_SET_VRING_CALL, i, ring->call);
	send_u64(nic, VU_SET_VRING_KICK, i, ring->kick);
}

/* It begins when it has both. */
static int start(struct virtio_nic *nic, unsigned int ring)
{
	(void)ring;
	set_ring(nic, VIRTIO_RX);
	set_ring(nic, VIRTIO_TX);
	ask(nic);
	return link_up(nic->ifindex);
}

static void close_device(struct virtio_nic *nic)
{
	if (nic->fd >= 0)
		close(nic->fd);
	if (nic->server > 0) {
		kill(nic->server, SIGTERM);
		waitpid(nic->server, NULL, 0);
	}
}

static const struct virtio_device nbvhost = {
	.open = open_device,
	.start = start,
	.close = close_device,
};

/* ---- the paths ----------------------------------------------------------- */

static void *tx_open(const struct shape *shape)
{
	return virtio_tx_open(shape, &nbvhost, false);
}

static void *rx_open(const struct shape *shape)
{
	return virtio_rx_open(shape, &nbvhost, false);
}

static void *packed_tx_open(const struct shape *shape)
{
	return virtio_tx_open(shape, &nbvhost, true);
}

static void *packed_rx_open(const struct shape *shape)
{
	return virtio_rx_open(shape, &nbvhost, true);
}

const struct path virtio_tx = {
	.path = "virtio",
	.direction = "tx",
	.subject = "net_backend",
	.fits = fits_one_segment,
	.open = tx_open,
	.run = virtio_tx_run,
	.close = virtio_close,
};

const struct path virtio_rx = {
	.path = "virtio",
	.direction = "rx",
	.subject = "net_backend",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = rx_open,
	.run = virtio_rx_run,
	.close = virtio_close,
};

const struct path virtio_packed_tx = {
	.path = "virtio-packed",
	.direction = "tx",
	.subject = "net_backend",
	.fits = fits_one_segment,
	.open = packed_tx_open,
	.run = virtio_tx_run,
	.close = virtio_close,
};

const struct path virtio_packed_rx = {
	.path = "virtio-packed",
	.direction = "rx",
	.subject = "net_backend",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = packed_rx_open,
	.run = virtio_rx_run,
	.close = virtio_close,
};
