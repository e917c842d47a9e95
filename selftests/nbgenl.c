// SPDX-License-Identifier: GPL-2.0
/*
 * A small client of the generic netlink family, without a library.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "nbgenl.h"
#include "nbtest.h"

void *nb_genl_payload(const struct nlattr *attribute)
{
	return (char *)attribute + NLA_HDRLEN;
}

uint32_t nb_genl_u32(const struct nlattr *attribute)
{
	uint32_t value = 0;

	if (attribute)
		memcpy(&value, nb_genl_payload(attribute), sizeof(value));
	return value;
}

uint64_t nb_genl_u64(const struct nlattr *attribute)
{
	uint64_t value = 0;

	if (attribute)
		memcpy(&value, nb_genl_payload(attribute), sizeof(value));
	return value;
}

uint64_t nb_genl_uint(const struct nlattr *attribute)
{
	if (attribute && attribute->nla_len == NLA_HDRLEN + sizeof(uint64_t))
		return nb_genl_u64(attribute);
	return nb_genl_u32(attribute);
}

const char *nb_genl_string(const struct nlattr *attribute)
{
	return attribute ? nb_genl_payload(attribute) : "";
}

void nb_genl_parse(const void *data, size_t len, const struct nlattr **attributes)
{
	const struct nlattr *attribute;

	memset(attributes, 0, NB_GENL_ATTRS * sizeof(*attributes));
	while (len >= NLA_HDRLEN) {
		attribute = data;
		if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > len)
			nb_die("a broken attribute");
		if ((attribute->nla_type & NLA_TYPE_MASK) < NB_GENL_ATTRS)
			attributes[attribute->nla_type & NLA_TYPE_MASK] = attribute;
		if (NLA_ALIGN(attribute->nla_len) > len)
			break;
		data = (char *)data + NLA_ALIGN(attribute->nla_len);
		len -= NLA_ALIGN(attribute->nla_len);
	}
}

void nb_genl_add(struct nb_genl_request *request, uint16_t type, const void *data, size_t len)
{
	struct nlattr *attribute = (void *)((char *)request + request->header.nlmsg_len);

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + len;
	memcpy(nb_genl_payload(attribute), data, len);
	request->header.nlmsg_len += NLA_HDRLEN + NLA_ALIGN(len);
}

struct nb_genl_request nb_genl_request(uint16_t type, uint8_t command, uint16_t flags)
{
	return (struct nb_genl_request){
		.header = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags,
		},
		.genl = { .cmd = command, .version = NB_GENL_VERSION },
	};
}

/* The attribute that begins at @offset of a message, of those from @from up to @end. */
static uint16_t attribute_at(const struct nb_genl_request *request, size_t offset, size_t from,
			     size_t end, uint16_t *inside)
{
	const struct nlattr *attribute;
	uint16_t type;

	for (; from + NLA_HDRLEN <= end; from += NLA_ALIGN(attribute->nla_len)) {
		attribute = (void *)((char *)request + from);
		type = attribute->nla_type & NLA_TYPE_MASK;
		if (offset == from)
			return type;
		if (offset > from && offset < from + attribute->nla_len && inside) {
			*inside = attribute_at(request, offset, from + NLA_HDRLEN,
					       from + attribute->nla_len, NULL);
			return type;
		}
	}
	nb_die("no attribute begins at %zu", offset);
}

/* What an error or the end of a dump says beside the errno. */
static void take_words(struct nb_genl *client, const struct nb_genl_request *request,
		       const struct nlmsghdr *header, size_t skip)
{
	const struct nlattr *attributes[NB_GENL_ATTRS];

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	nb_genl_parse((char *)NLMSG_DATA(header) + skip,
		      header->nlmsg_len - NLMSG_HDRLEN - skip, attributes);
	snprintf(client->reason, sizeof(client->reason), "%s",
		 nb_genl_string(attributes[NLMSGERR_ATTR_MSG]));
	client->missing = nb_genl_u32(attributes[NLMSGERR_ATTR_MISS_TYPE]);
	if (attributes[NLMSGERR_ATTR_OFFS])
		client->bad = attribute_at(request, nb_genl_u32(attributes[NLMSGERR_ATTR_OFFS]),
					   NLMSG_LENGTH(GENL_HDRLEN), request->header.nlmsg_len,
					   &client->bad_inside);
}

static int take_error(struct nb_genl *client, const struct nb_genl_request *request,
		      const struct nlmsghdr *header)
{
	const struct nlmsgerr *error = NLMSG_DATA(header);
	size_t skip = sizeof(*error);

	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += error->msg.nlmsg_len - sizeof(error->msg);
	take_words(client, request, header, NLMSG_ALIGN(skip));
	return error->error;
}

static int take_done(struct nb_genl *client, const struct nb_genl_request *request,
		     const struct nlmsghdr *header)
{
	int error;

	memcpy(&error, NLMSG_DATA(header), sizeof(error));
	take_words(client, request, header, sizeof(error));
	return error;
}

int nb_genl_talk(struct nb_genl *client, struct nb_genl_request *request, nb_genl_fn fn,
		 void *data)
{
	const struct nlattr *attributes[NB_GENL_ATTRS];
	bool dump = request->header.nlmsg_flags & NLM_F_DUMP;
	char buffer[65536];
	struct nlmsghdr *header;
	ssize_t len;

	client->interrupted = false;
	client->reason[0] = 0;
	client->bad = 0;
	client->bad_inside = 0;
	client->missing = 0;
	nb_sys(send(client->fd, request, request->header.nlmsg_len, 0));
	for (;;) {
		len = nb_sys(recv(client->fd, buffer, client->room ?: sizeof(buffer), 0));
		for (header = (void *)buffer; NLMSG_OK(header, len);
		     header = NLMSG_NEXT(header, len)) {
			if (header->nlmsg_flags & NLM_F_DUMP_INTR)
				client->interrupted = true;
			if (header->nlmsg_type == NLMSG_ERROR)
				return take_error(client, request, header);
			if (header->nlmsg_type == NLMSG_DONE)
				return take_done(client, request, header);
			nb_genl_parse((char *)NLMSG_DATA(header) + GENL_HDRLEN,
				      header->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), attributes);
			fn(attributes, data);
			if (!dump)
				return 0;
		}
	}
}

static void take_family(const struct nlattr *const *attributes, void *data)
{
	memcpy(data, nb_genl_payload(attributes[CTRL_ATTR_FAMILY_ID]), sizeof(uint16_t));
}

bool nb_genl_open_family(struct nb_genl *client, const char *name)
{
	struct nb_genl_request request = nb_genl_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	int one = 1;

	memset(client, 0, sizeof(*client));
	client->fd = nb_sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
	nb_sys(setsockopt(client->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)));
	nb_genl_add(&request, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	if (!nb_genl_talk(client, &request, take_family, &client->family))
		return true;
	close(client->fd);
	return false;
}

void nb_genl_open(struct nb_genl *client)
{
	if (!nb_genl_open_family(client, NB_GENL_NAME))
		nb_die("there is no generic netlink family " NB_GENL_NAME);
}

void nb_genl_close(struct nb_genl *client)
{
	close(client->fd);
}

static void take_groups(const struct nlattr *const *attributes, void *data)
{
	const struct nlattr *group[NB_GENL_ATTRS], *groups[NB_GENL_ATTRS];
	uint32_t *id = data;
	int i;

	nb_genl_parse(nb_genl_payload(attributes[CTRL_ATTR_MCAST_GROUPS]),
		      attributes[CTRL_ATTR_MCAST_GROUPS]->nla_len - NLA_HDRLEN, groups);
	for (i = 0; i < NB_GENL_ATTRS; i++) {
		if (!groups[i])
			continue;
		nb_genl_parse(nb_genl_payload(groups[i]), groups[i]->nla_len - NLA_HDRLEN, group);
		if (!strcmp(nb_genl_string(group[CTRL_ATTR_MCAST_GRP_NAME]), NB_GENL_EVENTS))
			*id = nb_genl_u32(group[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

void nb_genl_subscribe(struct nb_genl *client)
{
	struct nb_genl_request request = nb_genl_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	uint32_t group = 0;

	nb_genl_add(&request, CTRL_ATTR_FAMILY_NAME, NB_GENL_NAME, sizeof(NB_GENL_NAME));
	if (nb_genl_talk(client, &request, take_groups, &group) || !group)
		nb_die("there is no multicast group " NB_GENL_EVENTS);
	nb_sys(setsockopt(client->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
			  sizeof(group)));
}

uint8_t nb_genl_next_message(struct nb_genl *client, uint32_t endpoint, uint32_t *event)
{
	struct pollfd wait = { .fd = client->fd, .events = POLLIN };
	const struct nlattr *attributes[NB_GENL_ATTRS];
	char buffer[4096];
	struct nlmsghdr *header = (void *)buffer;
	const struct genlmsghdr *genl = NLMSG_DATA(header);
	ssize_t len;
	bool queue;

	while (nb_sys(poll(&wait, 1, NB_PATIENCE)) == 1) {
		len = nb_sys(recv(client->fd, buffer, sizeof(buffer), 0));
		if (!NLMSG_OK(header, len) || header->nlmsg_type != client->family)
			continue;
		queue = genl->cmd == NB_CMD_QUEUE_EVENT;
		if (!queue && genl->cmd != NB_CMD_ENDPOINT_EVENT)
			continue;
		nb_genl_parse((char *)NLMSG_DATA(header) + GENL_HDRLEN,
			      header->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), attributes);
		if (nb_genl_u32(attributes[queue ? NB_A_QUEUE_ENDPOINT_ID : NB_A_ENDPOINT_ID]) !=
		    endpoint)
			continue;
		if (event)
			*event = nb_genl_u32(attributes[queue ? NB_A_QUEUE_EVENT :
							NB_A_ENDPOINT_EVENT]);
		return genl->cmd;
	}
	return 0;
}

uint32_t nb_genl_next_event(struct nb_genl *client, uint32_t endpoint)
{
	uint8_t command;
	uint32_t event;

	do {
		command = nb_genl_next_message(client, endpoint, &event);
	} while (command && (command != NB_CMD_ENDPOINT_EVENT || event == NB_EVENT_LINK_UP ||
			     event == NB_EVENT_LINK_DOWN));
	return command ? event : 0;
}
