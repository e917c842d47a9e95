// SPDX-License-Identifier: GPL-2.0
/*
 * File descriptors that somebody else has passed: what they are, and closing them
 *
 * The file behind one may be somebody's who does not answer, so that it is not asked: what is
 * asked here the kernel answers by itself.  Who is the last one to close it may have to wait, for
 * the other side of a connection, or for the server of a file system.  A socket can have such a
 * file in a message that nobody has received.  So a thread closes what might wait, and its NIC's
 * front-end is not listened to until that is done.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "nbvhost.h"

/* ---- what they are ------------------------------------------------------- */

/*
 * Bytes of a page of memory, which is a memfd, or a file on tmpfs or hugetlbfs: that has seals.
 * 0 if the fd is of anything else.
 */
size_t fd_memory_page(int fd)
{
	struct statfs system;

	if (fcntl(fd, F_GET_SEALS) < 0 || fstatfs(fd, &system))
		return 0;
	return (size_t)system.f_bsize;
}

bool fd_is_eventfd(int fd)
{
	static const char eventfd_name[] = "anon_inode:[eventfd]";
	char path[32], name[sizeof(eventfd_name)] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, name, sizeof(name)) == sizeof(eventfd_name) - 1 &&
	       !strcmp(name, eventfd_name);
}

/* A socket between processes of this machine, which nothing but its buffer makes wait. */
bool fd_is_unix(int fd)
{
	socklen_t size = sizeof(int);
	int domain;

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_UNIX;
}

/* ---- closing them -------------------------------------------------------- */

/* The next one to close; -1 if there are no more, and the thread is to end. */
static int next(struct closer *closer)
{
	int fd = -1;

	pthread_mutex_lock(&closer->lock);
	if (closer->n)
		fd = closer->fds[--closer->n];
	else
		closer->busy = false;
	pthread_mutex_unlock(&closer->lock);
	return fd;
}

static void *run(void *arg)
{
	struct closer *closer = arg;
	int fd;

	while ((fd = next(closer)) >= 0)
		close(fd);
	/* who was not listened to is again */
	eventfd_write(wake_fd, 1);
	return NULL;
}

static void start(struct closer *closer)
{
	pthread_t thread;

	/* without a thread there is no other way */
	if (pthread_create(&thread, NULL, run, closer))
		run(closer);
	else
		pthread_detach(thread);
}

/* Close an fd that was passed, or -1, without waiting for it. */
void fd_close(struct closer *closer, int fd)
{
	bool begins;

	if (fd < 0)
		return;
	if (fd_is_eventfd(fd) || fd_memory_page(fd)) {
		close(fd);
		return;
	}
	pthread_mutex_lock(&closer->lock);
	begins = !closer->busy;
	closer->busy = true;
	/* there is room: whose fds are being closed is not listened to */
	if (closer->n < MAX_CLOSING)
		closer->fds[closer->n++] = fd;
	pthread_mutex_unlock(&closer->lock);
	if (begins)
		start(closer);
}

/* Is there anything that is not closed yet? */
bool fd_is_closing(struct closer *closer)
{
	bool busy;

	pthread_mutex_lock(&closer->lock);
	busy = closer->busy;
	pthread_mutex_unlock(&closer->lock);
	return busy;
}
