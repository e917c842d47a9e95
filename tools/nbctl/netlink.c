// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to the generic netlink family net_backend, and their answers
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "nbctl.h"

/* most bytes that the kernel sends at once */
#define BUFFER_SIZE	32768

static int fail(struct netlink *netlink, const char *what)
{
	int err = errno;

	snprintf(netlink->reason, sizeof(netlink->reason), "%s: %s", what, strerror(err));
	return -err;
}

/* The number in an attribute, or @absent if there is no such attribute. */
uint32_t netlink_u32(const struct nlattr *attr, uint32_t absent)
{
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return absent;
	return mnl_attr_get_u32(attr);
}

/* The number in an attribute, or 0 if there is no such attribute. */
uint64_t netlink_u64(const struct nlattr *attr)
{
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_U64) < 0)
		return 0;
	return mnl_attr_get_u64(attr);
}

/* The text in an attribute, or the empty string if there is no such attribute. */
void netlink_string(const struct nlattr *attr, char *string, size_t size)
{
	string[0] = '\0';
	if (attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		snprintf(string, size, "%s", mnl_attr_get_str(attr));
}

/**
 * struct answer - who gets the messages of an answer
 * @netlink: the connection
 * @callback: for each message
 * @data: for @callback
 */
struct answer {
	struct netlink *netlink;
	mnl_cb_t callback;
	void *data;
};

static int on_error_attr(const struct nlattr *attr, void *data)
{
	struct netlink *netlink = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
		netlink_string(attr, netlink->reason, sizeof(netlink->reason));
	return MNL_CB_OK;
}

/* Take over the kernel's words for an error, if there are any behind @offset. */
static void take_reason(struct netlink *netlink, const struct nlmsghdr *nlh, size_t offset)
{
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS && mnl_nlmsg_get_payload_len(nlh) >= offset)
		mnl_attr_parse(nlh, (unsigned int)offset, on_error_attr, netlink);
}

/* NLMSG_ERROR: an error, or with 0 the end of an answer that is no dump */
static int on_error(const struct nlmsghdr *nlh, void *data)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	struct answer *answer = data;
	size_t offset = sizeof(*error);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*error)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (!error->error)
		return MNL_CB_STOP;
	/* the request stands between the error and its attributes */
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += error->msg.nlmsg_len - sizeof(error->msg);
	take_reason(answer->netlink, nlh, NLMSG_ALIGN(offset));
	errno = -error->error;
	return MNL_CB_ERROR;
}

/* NLMSG_DONE: the end of a dump, with 0 or an error */
static int on_done(const struct nlmsghdr *nlh, void *data)
{
	struct answer *answer = data;
	int error;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(error))
		return MNL_CB_STOP;
	memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	if (error >= 0)
		return MNL_CB_STOP;
	take_reason(answer->netlink, nlh, sizeof(error));
	errno = -error;
	return MNL_CB_ERROR;
}

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	struct answer *answer = data;

	if (!answer->callback || mnl_nlmsg_get_payload_len(nlh) < sizeof(struct genlmsghdr))
		return MNL_CB_OK;
	return answer->callback(nlh, answer->data);
}

/* The kernel has refused a request, and perhaps said why. */
static int refused(struct netlink *netlink)
{
	int err = errno;

	if (netlink->reason[0])
		return -err;
	if (err != EPERM)
		return fail(netlink, "the kernel has refused the request");
	snprintf(netlink->reason, sizeof(netlink->reason),
		 "not permitted: that needs CAP_NET_ADMIN over the network namespace");
	return -err;
}

/* libmnl ends where a message is marked so. */
static void unmark_interrupted(void *buffer, ssize_t n)
{
	struct nlmsghdr *nlh = buffer;
	int left = (int)n;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		nlh->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
}

/*
 * Send a request, and hand its answer to @callback, which may be NULL.  Returns 0, or a
 * negative errno and leaves the reason.
 */
int netlink_talk(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t callback,
		 void *data)
{
	static mnl_cb_t control[] = {
		[NLMSG_ERROR]	= on_error,
		[NLMSG_DONE]	= on_done,
	};
	struct answer answer = { netlink, callback, data };
	char *buffer;
	ssize_t n;
	int ret;

	netlink->reason[0] = '\0';
	request->nlmsg_seq = ++netlink->sequence;
	if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
		return fail(netlink, "cannot send to the kernel");

	buffer = malloc(BUFFER_SIZE);
	if (!buffer)
		return fail(netlink, "no memory");
	do {
		n = mnl_socket_recvfrom(netlink->socket, buffer, BUFFER_SIZE);
		if (n < 0) {
			ret = fail(netlink, "cannot receive from the kernel");
			break;
		}
		if (netlink->loose)
			unmark_interrupted(buffer, n);
		ret = mnl_cb_run2(buffer, (size_t)n, netlink->sequence, netlink->port,
				  on_message, &answer, control,
				  sizeof(control) / sizeof(control[0]));
		if (ret < 0)
			ret = refused(netlink);
	} while (ret > 0);
	free(buffer);
	return ret;
}

static struct nlmsghdr *begin(void *buffer, uint16_t type, uint16_t flags, uint8_t cmd,
			      uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

/* Remember each attribute up to number @max; unknown ones are no concern. */
struct attr_table {
	const struct nlattr **attrs;
	uint16_t max;
};

static int remember(const struct nlattr *attr, void *data)
{
	const struct attr_table *table = data;

	if (mnl_attr_get_type(attr) <= table->max)
		table->attrs[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

/* Find the attributes of a message; @attrs has @max + 1 entries, NULL beforehand. */
void netlink_parse(const struct nlmsghdr *nlh, const struct nlattr **attrs, uint16_t max)
{
	struct attr_table table = { attrs, max };

	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), remember, &table);
}

void netlink_parse_nested(const struct nlattr *nest, const struct nlattr **attrs,
			  uint16_t max)
{
	struct attr_table table = { attrs, max };

	mnl_attr_parse_nested(nest, remember, &table);
}

/**
 * struct family - what the kernel tells about a family
 * @id: its number
 * @group_name: name of a multicast group
 * @group: number of that, or 0
 */
struct family {
	uint16_t id;
	const char *group_name;
	uint32_t group;
};

static int on_group(const struct nlattr *group, void *data)
{
	const struct nlattr *attrs[CTRL_ATTR_MCAST_GRP_MAX + 1] = { NULL };
	struct family *family = data;
	char name[GENL_NAMSIZ];

	netlink_parse_nested(group, attrs, CTRL_ATTR_MCAST_GRP_MAX);
	netlink_string(attrs[CTRL_ATTR_MCAST_GRP_NAME], name, sizeof(name));
	if (!strcmp(name, family->group_name))
		family->group = netlink_u32(attrs[CTRL_ATTR_MCAST_GRP_ID], 0);
	return MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[CTRL_ATTR_MCAST_GROUPS + 1] = { NULL };
	struct family *family = data;

	netlink_parse(nlh, attrs, CTRL_ATTR_MCAST_GROUPS);
	if (attrs[CTRL_ATTR_FAMILY_ID] &&
	    mnl_attr_validate(attrs[CTRL_ATTR_FAMILY_ID], MNL_TYPE_U16) >= 0)
		family->id = mnl_attr_get_u16(attrs[CTRL_ATTR_FAMILY_ID]);
	if (attrs[CTRL_ATTR_MCAST_GROUPS])
		mnl_attr_parse_nested(attrs[CTRL_ATTR_MCAST_GROUPS], on_group, family);
	return MNL_CB_OK;
}

static int ask_for_family(struct netlink *netlink, const char *name, struct family *family)
{
	char buffer[256];
	struct nlmsghdr *nlh;

	nlh = begin(buffer, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	return netlink_talk(netlink, nlh, on_family, family);
}

static int resolve_family(struct netlink *netlink)
{
	struct family control = { .group_name = "notify" };
	struct family family = { .group_name = NB_GENL_EVENTS };
	int err;

	/* That of families is always there, and if not, nothing comes from it. */
	ask_for_family(netlink, "nlctrl", &control);
	err = ask_for_family(netlink, NB_GENL_NAME, &family);
	if (err == -ENOENT || (!err && !family.id)) {
		snprintf(netlink->reason, sizeof(netlink->reason),
			 "net_backend is not there: load the module (modprobe net_backend)");
		return -ENOENT;
	}
	netlink->family = family.id;
	netlink->events_group = family.group;
	netlink->families_group = control.group;
	return err;
}

/* Connect to net_backend; an error leaves the reason, and nothing to close. */
int netlink_open(struct netlink *netlink)
{
	const int on = 1;
	int err;

	memset(netlink, 0, sizeof(*netlink));
	netlink->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!netlink->socket)
		return fail(netlink, "cannot open a netlink socket");
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = fail(netlink, "cannot bind a netlink socket");
		goto close;
	}
	netlink->port = mnl_socket_get_portid(netlink->socket);

	/* errors in words, and without a copy of the request; old kernels do without */
	mnl_socket_setsockopt(netlink->socket, NETLINK_EXT_ACK, (void *)&on, sizeof(on));
	mnl_socket_setsockopt(netlink->socket, NETLINK_CAP_ACK, (void *)&on, sizeof(on));
	err = resolve_family(netlink);
	if (!err)
		return 0;
close:
	mnl_socket_close(netlink->socket);
	return err;
}

void netlink_close(struct netlink *netlink)
{
	mnl_socket_close(netlink->socket);
}

/* Begin a request, which gets an answer, in a buffer of REQUEST_SIZE bytes. */
struct nlmsghdr *netlink_begin(const struct netlink *netlink, void *buffer, uint8_t cmd)
{
	return begin(buffer, netlink->family, NLM_F_ACK, cmd, NB_GENL_VERSION);
}

/*
 * Ask for one object, of which @id_attr is the number.  Returns 0, or a negative errno
 * and leaves the reason.
 */
int netlink_get(struct netlink *netlink, uint8_t cmd, uint16_t id_attr, uint32_t id,
		mnl_cb_t callback, void *data)
{
	char buffer[REQUEST_SIZE];
	struct nlmsghdr *nlh;

	nlh = netlink_begin(netlink, buffer, cmd);
	mnl_attr_put_u32(nlh, id_attr, id);
	return netlink_talk(netlink, nlh, callback, data);
}

/*
 * Ask for all objects, or those with @id in @id_attr.  Returns 0, or a negative errno
 * and leaves the reason; -EINTR if there was a change meanwhile, and the connection is not
 * loose: then it must be closed, because the rest of the answer is still to come.
 */
int netlink_dump(struct netlink *netlink, uint8_t cmd, uint16_t id_attr,
		 const uint32_t *id, mnl_cb_t callback, void *data)
{
	char buffer[REQUEST_SIZE];
	struct nlmsghdr *nlh;

	nlh = begin(buffer, netlink->family, NLM_F_DUMP, cmd, NB_GENL_VERSION);
	if (id)
		mnl_attr_put_u32(nlh, id_attr, *id);
	return netlink_talk(netlink, nlh, callback, data);
}
