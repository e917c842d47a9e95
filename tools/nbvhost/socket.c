// SPDX-License-Identifier: GPL-2.0
/*
 * The socket of a NIC, one front-end at a time, and its messages as they come in
 *
 * Nothing here waits: a front-end that sends half a message, or does not read what it is
 * answered, keeps nobody else from being served.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "nbvhost.h"

/* Has the socket that is at a path been left behind by a process that was killed? */
static bool is_left_behind(const struct sockaddr_un *addr)
{
	struct stat file;
	bool refused;
	int fd;

	/* what is no socket refuses, too */
	if (lstat(addr->sun_path, &file) || !S_ISSOCK(file.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	refused = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) &&
		  errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return refused;
}

static int bind_again(int fd, const struct sockaddr_un *addr)
{
	if (!bind(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return 0;
	if (errno != EADDRINUSE)
		return -1;
	if (is_left_behind(addr) && !unlink(addr->sun_path))
		return bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	errno = EADDRINUSE;
	return -1;
}

/* Make a socket at a path; says what is wrong, and returns -1, if something is. */
static int make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		complain("%s: a socket's path has at most %zu characters", path,
			 sizeof(addr.sun_path) - 1);
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind_again(fd, &addr)) {
		complain("%s: cannot make the socket: %s", path, errno == EADDRINUSE ?
			 "somebody serves it, or something else is there" : strerror(errno));
	} else if (listen(fd, 1)) {
		complain("%s: cannot listen: %s", path, strerror(errno));
		unlink(path);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int option_of(int fd, int option)
{
	socklen_t size = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) ? -1 : value;
}

/* Take a socket that was passed. */
static int take_socket(const char *text)
{
	int fd = service_take(text);

	if (fd < 0)
		return -1;
	if (option_of(fd, SO_DOMAIN) == AF_UNIX && option_of(fd, SO_TYPE) == SOCK_STREAM &&
	    option_of(fd, SO_ACCEPTCONN) == 1 && !fcntl(fd, F_SETFL, O_NONBLOCK))
		return fd;
	complain("%s: is no stream socket of the file system's that listens", text);
	close(fd);
	return -1;
}

/*
 * Listen on a socket, at a path or passed; says what is wrong, and returns -1, if something is.
 */
int socket_listen(struct listener *listener, const char *path)
{
	struct stat file;

	listener->fd = service_is_fd(path) ? take_socket(path) : make_socket(path);
	if (listener->fd < 0)
		return -1;
	if (!service_is_fd(path) && !lstat(path, &file)) {
		listener->made = true;
		listener->device = file.st_dev;
		listener->inode = file.st_ino;
	}
	return 0;
}

/* Who has made a socket takes it away, unless there is another one at its path by now. */
void socket_unlisten(struct listener *listener, const char *path)
{
	struct stat file;

	if (listener->fd < 0)
		return;
	if (listener->made && !lstat(path, &file) && file.st_dev == listener->device &&
	    file.st_ino == listener->inode)
		unlink(path);
	close(listener->fd);
	listener->fd = -1;
}

/* Take the next front-end; returns its fd, or -1 if there is none. */
int socket_accept(struct nic *nic)
{
	struct connection *connection = &nic->connection;

	connection->fd = accept4(nic->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (connection->fd >= 0) {
		nic_note(nic, "a front-end has come");
		nic_ask_endpoint(nic);
	}
	return connection->fd;
}

static void close_fds(struct nic *nic)
{
	struct connection *connection = &nic->connection;
	unsigned int i;

	for (i = 0; i < connection->n_fds; i++)
		fd_close(&nic->closer, connection->fds[i]);
	connection->n_fds = 0;
}

/* Let go of the front-end, and forget what it has said. */
void socket_close(struct nic *nic)
{
	struct connection *connection = &nic->connection;

	if (connection->fd < 0)
		return;
	nic_forget(nic);
	close_fds(nic);
	/* it sees the end at once, also if what it has sent takes long to close */
	shutdown(connection->fd, SHUT_RDWR);
	fd_close(&nic->closer, connection->fd);
	connection->fd = -1;
	connection->received = 0;
	nic_note(nic, "the front-end has gone");
}

/* Keep the fds that have come; false if they are more than a message can have. */
static bool keep_fds(struct nic *nic, struct msghdr *message)
{
	struct connection *connection = &nic->connection;
	bool fit = !(message->msg_flags & MSG_CTRUNC);
	struct cmsghdr *control;
	size_t i, n;
	int fd;

	for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
			if (connection->n_fds < MAX_FDS) {
				connection->fds[connection->n_fds++] = fd;
			} else {
				fd_close(&nic->closer, fd);
				fit = false;
			}
		}
	}
	return fit;
}

/* Where the next bytes go, and how many are missing. */
static size_t missing(struct connection *connection, void **to)
{
	size_t received = connection->received;

	if (received < VU_HEADER_SIZE) {
		*to = (uint8_t *)&connection->header + received;
		return VU_HEADER_SIZE - received;
	}
	received -= VU_HEADER_SIZE;
	*to = (uint8_t *)&connection->payload + received;
	return connection->header.size - received;
}

/* Receive what is there of a header, or of a payload; 1, 0 if nothing is, -1 at the end. */
static int receive_part(struct nic *nic)
{
	union {
		/* what has no room here the kernel closes, and this thread would wait for that */
		char bytes[CMSG_SPACE(MAX_STRAY_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct connection *connection = &nic->connection;
	struct iovec part;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	part.iov_len = missing(connection, &part.iov_base);
	if (!part.iov_len)
		return 1;
	n = recvmsg(connection->fd, &message, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		if (connection->received)
			nic_say(nic, "it went in the middle of a message");
		return -1;
	}
	connection->received += (size_t)n;
	if (keep_fds(nic, &message))
		return 1;
	nic_say(nic, "a message with too many file descriptors");
	return -1;
}

/* The whole message is there: do what it says; -1 when the front-end has to go. */
static int handle(struct nic *nic)
{
	struct connection *connection = &nic->connection;
	const char *wrong = message_handle(nic);

	close_fds(nic);
	connection->received = 0;
	if (!wrong)
		return 0;
	nic_say(nic, "message %u: %s", connection->header.request, wrong);
	return -1;
}

/* Receive a message, as far as it is there, and do it; -1 when the front-end has gone. */
int socket_receive(struct nic *nic)
{
	struct connection *connection = &nic->connection;
	const char *wrong;
	int received;

	for (;;) {
		received = receive_part(nic);
		if (received <= 0)
			return received;
		if (connection->received == VU_HEADER_SIZE) {
			wrong = message_check_header(&connection->header);
			if (wrong) {
				nic_say(nic, "message %u: %s", connection->header.request, wrong);
				return -1;
			}
		}
		if (connection->received >= VU_HEADER_SIZE &&
		    connection->received == VU_HEADER_SIZE + connection->header.size)
			return handle(nic);
	}
}

/* Put an fd into a message. */
static void add_fd(struct msghdr *message, void *control, size_t size, int fd)
{
	struct cmsghdr *rights;

	message->msg_control = control;
	message->msg_controllen = size;
	rights = CMSG_FIRSTHDR(message);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
}

/*
 * Answer the message that is being handled, with an fd unless that is -1; -1 if the
 * front-end does not read.
 */
int socket_send_fd(struct nic *nic, const void *payload, uint32_t size, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct vu_header header = {
		.request = nic->connection.header.request,
		.flags = VU_VERSION | VU_REPLY,
		.size = size,
	};
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)payload, .iov_len = size },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (fd >= 0)
		add_fd(&message, &control, sizeof(control), fd);
	return sendmsg(nic->connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       (ssize_t)(sizeof(header) + size) ? 0 : -1;
}

int socket_send(struct nic *nic, const void *payload, uint32_t size)
{
	return socket_send_fd(nic, payload, size, -1);
}
