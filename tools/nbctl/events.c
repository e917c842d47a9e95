// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel tells without being asked: the multicast group "events"; and that of
 * generic netlink itself, which tells that the module leaves, or comes back
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>

#include "switch.h"

/* bytes of events that wait for this program; the kernel lets root have so many */
#define RECEIVE_BUFFER	(4 << 20)
/* most bytes that the kernel sends at once */
#define BUFFER_SIZE	8192
/* the attribute that says what has happened has no higher number, of any object */
#define MAX_EVENT_ATTR	31

/**
 * struct listener - who is told of events
 * @netlink: the connection
 * @callback: for each event
 * @data: for @callback
 * @result: what @callback has last returned
 */
struct listener {
	struct netlink *netlink;
	event_callback callback;
	void *data;
	int result;
};

static int join(struct netlink *netlink, uint32_t group)
{
	int value = (int)group;

	return mnl_socket_setsockopt(netlink->socket, NETLINK_ADD_MEMBERSHIP, &value,
				     sizeof(value));
}

/* Be told of events again, by a module that was loaded meanwhile. */
static int join_again(struct netlink *netlink)
{
	struct netlink other;

	if (netlink_open(&other))
		return -1;	/* it has left already */
	netlink->family = other.family;
	netlink->events_group = other.events_group;
	netlink_close(&other);
	return join(netlink, netlink->events_group);
}

/* A family has come, or gone. */
static int on_family(const struct nlmsghdr *nlh, struct listener *listener)
{
	const struct nlattr *attrs[CTRL_ATTR_FAMILY_NAME + 1] = { NULL };
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct netlink *netlink = listener->netlink;
	struct event event = { .about = ABOUT_MODULE };
	char name[GENL_NAMSIZ];

	netlink_parse(nlh, attrs, CTRL_ATTR_FAMILY_NAME);
	netlink_string(attrs[CTRL_ATTR_FAMILY_NAME], name, sizeof(name));
	if (strcmp(name, NB_GENL_NAME))
		return MNL_CB_OK;
	if (genl->cmd == CTRL_CMD_DELFAMILY && netlink->family) {
		netlink->family = 0;
		event.what = EVENT_UNLOADED;
	} else if (genl->cmd == CTRL_CMD_NEWFAMILY && !netlink->family &&
		   !join_again(netlink)) {
		event.what = EVENT_LOADED;
	}
	if (event.what)
		listener->result = listener->callback(&event, listener->data);
	return listener->result ? MNL_CB_STOP : MNL_CB_OK;
}

static uint32_t event_of(const struct nlmsghdr *nlh, uint16_t attr)
{
	const struct nlattr *attrs[MAX_EVENT_ATTR + 1] = { NULL };

	netlink_parse(nlh, attrs, MAX_EVENT_ATTR);
	return netlink_u32(attrs[attr], 0);
}

/* Tell @listener of the object in a message. */
static void hand_on(struct listener *listener, enum about about, uint32_t what,
		    const struct nlmsghdr *nlh)
{
	struct event event = { .about = about, .what = what };
	union {
		struct endpoint endpoint;
		struct bridge bridge;
		struct memory memory;
		struct region region;
		struct queue queue;
		struct port port;
	} object;

	memset(&object, 0, sizeof(object));
	event.object = &object;
	switch (about) {
	case ABOUT_MODULE:
		break;
	case ABOUT_ENDPOINT:
		objects_parse_endpoint(nlh, &object.endpoint);
		break;
	case ABOUT_QUEUE:
		objects_parse_queue(nlh, &object.queue);
		break;
	case ABOUT_SWITCH:
		bridges_parse_bridge(nlh, &object.bridge);
		break;
	case ABOUT_PORT:
		bridges_parse_port(nlh, &object.port);
		break;
	case ABOUT_MEMORY:
		memories_parse_memory(nlh, &object.memory);
		break;
	case ABOUT_REGION:
		memories_parse_region(nlh, &object.region);
		break;
	}
	listener->result = listener->callback(&event, listener->data);
}

static void on_own(const struct nlmsghdr *nlh, struct listener *listener)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	switch (genl->cmd) {
	case NB_CMD_ENDPOINT_EVENT:
		hand_on(listener, ABOUT_ENDPOINT, event_of(nlh, NB_A_ENDPOINT_EVENT), nlh);
		break;
	case NB_CMD_QUEUE_EVENT:
		hand_on(listener, ABOUT_QUEUE, event_of(nlh, NB_A_QUEUE_EVENT), nlh);
		break;
	case NB_CMD_SWITCH_EVENT:
		hand_on(listener, ABOUT_SWITCH, event_of(nlh, NB_A_SWITCH_EVENT), nlh);
		break;
	case NB_CMD_SWITCH_PORT_EVENT:
		hand_on(listener, ABOUT_PORT, event_of(nlh, NB_A_PORT_EVENT), nlh);
		break;
	case NB_CMD_MEMORY_EVENT:
		hand_on(listener, ABOUT_MEMORY, event_of(nlh, NB_A_MEMORY_EVENT), nlh);
		break;
	case NB_CMD_REGION_EVENT:
		hand_on(listener, ABOUT_REGION, event_of(nlh, NB_A_REGION_EVENT), nlh);
		break;
	}
}

static int on_event(const struct nlmsghdr *nlh, void *data)
{
	struct listener *listener = data;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct genlmsghdr))
		return MNL_CB_OK;
	if (nlh->nlmsg_type == GENL_ID_CTRL)
		return on_family(nlh, listener);
	if (nlh->nlmsg_type == listener->netlink->family)
		on_own(nlh, listener);
	return listener->result ? MNL_CB_STOP : MNL_CB_OK;
}

/*
 * Connect to net_backend, and be told of events from now on, on a connection of their own.
 * An error leaves the reason, and nothing to close.
 */
int events_open(struct netlink *netlink)
{
	const int size = RECEIVE_BUFFER;
	int err, fd;

	err = netlink_open(netlink);
	if (err)
		return err;
	fd = mnl_socket_get_fd(netlink->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* without the second one there are events still */
	if (netlink->families_group)
		join(netlink, netlink->families_group);
	if (netlink->events_group && join(netlink, netlink->events_group) >= 0)
		return 0;
	err = netlink->events_group ? -errno : -EOPNOTSUPP;
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
	struct listener listener = { netlink, callback, data, 0 };
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

/* ---- what is there ------------------------------------------------------- */

/**
 * struct viewer - who is told of the objects of one kind that are there
 * @listener: who
 * @about: what they are
 */
struct viewer {
	struct listener listener;
	enum about about;
};

static int on_present(const struct nlmsghdr *nlh, void *data)
{
	struct viewer *viewer = data;

	hand_on(&viewer->listener, viewer->about, EVENT_PRESENT, nlh);
	return viewer->listener.result ? MNL_CB_STOP : MNL_CB_OK;
}

/*
 * Hand the objects of one kind that are there to @callback; what changes meanwhile is told by
 * events.  Returns 0, also if the module is not there, or what @callback has returned; else
 * complains and returns a negative errno.
 */
int events_present(enum about about, event_callback callback, void *data)
{
	static const uint8_t commands[] = {
		[ABOUT_ENDPOINT]	= NB_CMD_ENDPOINT_GET,
		[ABOUT_QUEUE]		= NB_CMD_QUEUE_GET,
		[ABOUT_SWITCH]		= NB_CMD_SWITCH_GET,
		[ABOUT_PORT]		= NB_CMD_SWITCH_PORT_GET,
		[ABOUT_MEMORY]		= NB_CMD_MEMORY_GET,
		[ABOUT_REGION]		= NB_CMD_REGION_GET,
	};
	struct netlink netlink;
	struct viewer viewer = { { &netlink, callback, data, 0 }, about };
	int err;

	err = netlink_open(&netlink);
	if (!err) {
		netlink.loose = true;
		err = netlink_dump(&netlink, commands[about], 0, NULL, on_present, &viewer);
		netlink_close(&netlink);
	}
	if (err == -ENOENT)
		return 0;
	if (err)
		complain("%s", netlink.reason);
	return err ? err : viewer.listener.result;
}
