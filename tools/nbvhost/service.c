// SPDX-License-Identifier: GPL-2.0
/*
 * As a service: fds that whoever starts this process hands over, telling that it is ready, and
 * giving up what it does not need then
 *
 * The protocols are systemd's: the fds from 3 on are passed if $LISTEN_PID is this process;
 * $LISTEN_FDS is their number, $LISTEN_FDNAMES their names.  $NOTIFY_SOCKET is where to tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "nbvhost.h"

#define FIRST_FD	3
#define MAX_PASSED	256

static const char prefix[] = "fd=";

/* fds that were passed and are not taken yet; their names, in that order, or NULL */
static bool passed[MAX_PASSED];
static unsigned int n_passed;
static char *names;

static unsigned int number_of(const char *variable)
{
	const char *text = getenv(variable);
	unsigned int number;

	return text && !spec_number(text, 1, INT_MAX, &number) ? number : 0;
}

/* See what was passed.  Those who are started by this process shall not think it theirs. */
void service_init(void)
{
	const char *list = getenv("LISTEN_FDNAMES");
	unsigned int i;

	if (number_of("LISTEN_PID") == (unsigned int)getpid()) {
		n_passed = number_of("LISTEN_FDS");
		if (n_passed > MAX_PASSED)
			n_passed = MAX_PASSED;
		names = list ? strdup(list) : NULL;
	}
	for (i = 0; i < n_passed; i++) {
		passed[i] = true;
		fcntl((int)i + FIRST_FD, F_SETFD, FD_CLOEXEC);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* The first of the fds with a name that nobody has taken; n_passed if there is none. */
static unsigned int find_name(const char *name)
{
	const char *rest = names;
	size_t len;
	unsigned int i;

	for (i = 0; i < n_passed && rest; i++) {
		len = strcspn(rest, ":");
		if (passed[i] && len == strlen(name) && !strncmp(rest, name, len))
			return i;
		rest = rest[len] ? rest + len + 1 : NULL;
	}
	return n_passed;
}

static int take_name(const char *text, const char *name)
{
	unsigned int i = find_name(name);

	if (i == n_passed) {
		complain("%s: no file descriptor of that name was passed", text);
		return -1;
	}
	passed[i] = false;
	return (int)i + FIRST_FD;
}

/* It need not be one of those that were counted: a shell passes fds, too. */
static int take_number(const char *text, unsigned int number)
{
	unsigned int i = number - FIRST_FD;

	if ((i < n_passed && !passed[i]) || fcntl((int)number, F_SETFD, FD_CLOEXEC)) {
		complain("%s: there is no such file descriptor, or it is used twice", text);
		return -1;
	}
	if (i < n_passed)
		passed[i] = false;
	return (int)number;
}

bool service_is_fd(const char *text)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/*
 * The fd that "fd=NUMBER" or "fd=NAME" is, which is the caller's then; says what is wrong, and
 * returns -1, if there is none.
 */
int service_take(const char *text)
{
	const char *name = text + strlen(prefix);
	unsigned int number;

	if (spec_number(name, FIRST_FD, INT_MAX, &number))
		return take_name(text, name);
	return take_number(text, number);
}

/* Tell who has started this process how far it is, if that wants to know. */
void service_tell(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t size;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, strlen(path));
	/* in the abstract namespace */
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
			     size) < 0)
		complain("cannot tell %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/*
 * What guests and front-ends send is read without the privileges that making endpoints takes:
 * what stays, if it is there, is to pin more memory than the limit.
 */
int service_drop_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, caps))
		goto failed;
	caps[0].permitted &= 1U << CAP_IPC_LOCK;
	caps[0].effective &= caps[0].permitted;
	/* also when the program is executed again */
	caps[0].inheritable &= caps[0].permitted;
	memset(&caps[1], 0, sizeof(caps[1]));
	if (!syscall(SYS_capset, &header, caps))
		return 0;
failed:
	complain("cannot give privileges up: %s", strerror(errno));
	return -1;
}
