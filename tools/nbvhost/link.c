// SPDX-License-Identifier: GPL-2.0
/*
 * The link: what a guest sees of it, and telling the front-end that it has changed
 *
 * That goes through a socket that the front-end has passed.  A message says no more than
 * that the configuration is another one, so none is lost if there is no room for it: then
 * there is one that the front-end has not read yet.
 */
#include <sys/socket.h>

#include "nbvhost.h"

static bool is_stream(int fd)
{
	socklen_t size = sizeof(int);
	int type;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_STREAM;
}

/* Take over a socket through which the front-end wants to be told; says why not, or NULL. */
const char *link_set_channel(struct nic *nic, int fd)
{
	link_forget(nic);
	if (fd < 0)
		return "no file descriptor";
	if (!fd_is_unix(fd) || !is_stream(fd))
		return "a file descriptor that is not a stream socket of the file system's";
	nic->channel_fd = fd;
	return NULL;
}

void link_forget(struct nic *nic)
{
	fd_close(&nic->closer, nic->channel_fd);
	nic->channel_fd = -1;
}

/* The endpoint's link is up or down. */
void link_set(struct nic *nic, bool up)
{
	static const struct vu_header changed = {
		.request = VU_BACKEND_CONFIG_CHANGE,
		.flags = VU_VERSION,
	};

	if (up == nic->link_up)
		return;
	nic->link_up = up;
	nic_note(nic, up ? "link up" : "link down");
	if (nic->channel_fd < 0 || !(nic->protocol_features & BIT(VU_PROTOCOL_F_CONFIG)))
		return;
	/* without room, see above; without anybody, there is nobody to tell */
	if (send(nic->channel_fd, &changed, sizeof(changed), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}
