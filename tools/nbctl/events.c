// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel tells without being asked: the multicast group "events"
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>

#include "nbctl.h"

/* bytes of events that wait for this program; the kernel lets root have so many */
#define RECEIVE_BUFFER	(4 << 20)
/* most bytes that the kernel sends at once */
#define BUFFER_SIZE	8192

/**
 * struct listener - who is told of events
 * @family: number of the family
 * @callback: for each event
 * @data: for @callback
 * @result: what @callback has last returned
 */
struct listener {
	uint16_t family;
	event_callback callback;
	void *data;
	int result;
};

static int on_event(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[NB_A_ENDPOINT_MAX + 1] = { NULL };
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct listener *listener = data;
	struct endpoint endpoint = { 0 };

	if (nlh->nlmsg_type != listener->family ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*genl) ||
	    genl->cmd != NB_CMD_ENDPOINT_EVENT)
		return MNL_CB_OK;
	netlink_parse(nlh, attrs, NB_A_ENDPOINT_MAX);
	objects_parse_endpoint(nlh, &endpoint);
	listener->result = listener->callback(netlink_u32(attrs[NB_A_ENDPOINT_EVENT], 0),
					      &endpoint, listener->data);
	return listener->result ? MNL_CB_STOP : MNL_CB_OK;
}

/*
 * Connect to net_backend, and be told of events from now on, on a connection of their own.
 * An error leaves the reason, and nothing to close.
 */
int events_open(struct netlink *netlink)
{
	const int size = RECEIVE_BUFFER;
	int err, fd, group;

	err = netlink_open(netlink);
	if (err)
		return err;
	fd = mnl_socket_get_fd(netlink->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	group = (int)netlink->events_group;
	if (group &&
	    mnl_socket_setsockopt(netlink->socket, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) >= 0)
		return 0;
	err = group ? -errno : -EOPNOTSUPP;
	snprintf(netlink->reason, sizeof(netlink->reason), "the module tells of no events: %s",
		 strerror(-err));
	netlink_close(netlink);
	return err;
}

/*
 * Hand what has come to @callback; waits if nothing has.  Returns 0, what @callback has
 * returned, or a negative errno and leaves the reason; -ENOBUFS if events were lost.
 */
int events_receive(struct netlink *netlink, event_callback callback, void *data)
{
	struct listener listener = { netlink->family, callback, data, 0 };
	char buffer[BUFFER_SIZE];
	ssize_t n;

	n = mnl_socket_recvfrom(netlink->socket, buffer, sizeof(buffer));
	if (n >= 0 && mnl_cb_run(buffer, (size_t)n, 0, 0, on_event, &listener) >= 0)
		return listener.result;
	n = -errno;
	snprintf(netlink->reason, sizeof(netlink->reason), "cannot receive events: %s",
		 n == -ENOBUFS ? "some were lost" : strerror(errno));
	return (int)n;
}
