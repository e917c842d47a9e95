// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of a netdev endpoint: ioctls and rtnetlink for the interface, a
 * packet socket for the frames.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_vlan.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "nbtest.h"

/* ---- network namespace --------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	/* A kernel without IPv6 has nothing to be turned off. */
	if (fd < 0)
		return;
	nb_sys(write(fd, text, strlen(text)));
	close(fd);
}

void nb_host_new_netns(void)
{
	nb_sys(unshare(CLONE_NEWNET));
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

/* ---- rtnetlink ----------------------------------------------------------- */

struct request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct tcmsg tc;
	};
	char attributes[256];
};

static void start_request(struct request *request, uint16_t type, uint16_t flags,
			  size_t body)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	request->header.nlmsg_len = NLMSG_LENGTH(body);
}

static struct rtattr *add_attribute(struct request *request, uint16_t type, const void *data,
				    size_t len)
{
	char *end = (char *)request + NLMSG_ALIGN(request->header.nlmsg_len);
	struct rtattr *attribute = (struct rtattr *)end;

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attribute), data, len);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_SPACE(len);
	return attribute;
}

static void end_nest(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (char *)request + request->header.nlmsg_len - (char *)nest;
}

/* Sends a request; the first message of the answer is in reply. */
static void ask(struct request *request, void *reply, size_t size)
{
	int fd = nb_sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
	const struct nlmsghdr *header = reply;
	const struct nlmsgerr *error;

	nb_sys(send(fd, request, request->header.nlmsg_len, 0));
	nb_sys(recv(fd, reply, size, 0));
	close(fd);

	if (header->nlmsg_type != NLMSG_ERROR)
		return;
	error = NLMSG_DATA(header);
	if (error->error)
		nb_die("rtnetlink request %u: %s", request->header.nlmsg_type,
		       strerror(-error->error));
}

void nb_link_delete(int ifindex)
{
	struct request request;
	char reply[1024];

	start_request(&request, RTM_DELLINK, NLM_F_ACK, sizeof(request.link));
	request.link.ifi_index = ifindex;
	ask(&request, reply, sizeof(reply));
}

struct nb_link_drops nb_link_get_drops(const char *name)
{
	FILE *file = fopen("/proc/thread-self/net/dev", "re");
	struct nb_link_drops drops;
	char line[512], *rest;

	if (!file)
		nb_die("no counters of interfaces");
	while (fgets(line, sizeof(line), file)) {
		rest = line + strspn(line, " ");
		if (strncmp(rest, name, strlen(name)) || rest[strlen(name)] != ':')
			continue;
		/* Eight numbers each: packets that were dropped are the fourth. */
		if (sscanf(rest + strlen(name) + 1,
			   "%*u %*u %*u %lu %*u %*u %*u %*u %*u %*u %*u %lu",
			   &drops.rx, &drops.tx) != 2)
			nb_die("what is '%s'?", line);
		fclose(file);
		return drops;
	}
	nb_die("there is no interface %s", name);
}

void nb_link_add_vlan(int ifindex, const char *name, uint16_t id)
{
	struct rtattr *info, *data;
	struct request request;
	char reply[1024];

	start_request(&request, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
		      sizeof(request.link));
	add_attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
	add_attribute(&request, IFLA_LINK, &ifindex, sizeof(ifindex));
	info = add_attribute(&request, IFLA_LINKINFO, NULL, 0);
	add_attribute(&request, IFLA_INFO_KIND, "vlan", sizeof("vlan"));
	data = add_attribute(&request, IFLA_INFO_DATA, NULL, 0);
	add_attribute(&request, IFLA_VLAN_ID, &id, sizeof(id));
	end_nest(&request, data);
	end_nest(&request, info);
	ask(&request, reply, sizeof(reply));
}

void nb_link_add_veth(const char *name, const char *peer)
{
	static const struct ifinfomsg any;
	struct rtattr *info, *data, *other;
	struct request request;
	char reply[1024];

	start_request(&request, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
		      sizeof(request.link));
	add_attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
	info = add_attribute(&request, IFLA_LINKINFO, NULL, 0);
	add_attribute(&request, IFLA_INFO_KIND, "veth", sizeof("veth"));
	data = add_attribute(&request, IFLA_INFO_DATA, NULL, 0);
	other = add_attribute(&request, VETH_INFO_PEER, &any, sizeof(any));
	add_attribute(&request, IFLA_IFNAME, peer, strlen(peer) + 1);
	end_nest(&request, other);
	end_nest(&request, data);
	end_nest(&request, info);
	ask(&request, reply, sizeof(reply));
}

bool nb_link_is_up(int ifindex)
{
	struct request request;
	char reply[16384];
	struct nlmsghdr *header = (void *)reply;
	const struct rtattr *attribute;
	int left;

	start_request(&request, RTM_GETLINK, 0, sizeof(request.link));
	request.link.ifi_index = ifindex;
	ask(&request, reply, sizeof(reply));
	attribute = IFLA_RTA(NLMSG_DATA(header));
	for (left = IFLA_PAYLOAD(header); RTA_OK(attribute, left);
	     attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == IFLA_OPERSTATE)
			return *(const uint8_t *)RTA_DATA(attribute) == IF_OPER_UP;
	return false;
}

void nb_link_set_fifo(int ifindex, uint32_t packets)
{
	struct tc_fifo_qopt limit = { .limit = packets };
	struct request request;
	char reply[1024];

	start_request(&request, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
		      sizeof(request.tc));
	request.tc.tcm_ifindex = ifindex;
	request.tc.tcm_parent = TC_H_ROOT;
	request.tc.tcm_handle = TC_H_MAKE(1 << 16, 0);
	add_attribute(&request, TCA_KIND, "pfifo", sizeof("pfifo"));
	add_attribute(&request, TCA_OPTIONS, &limit, sizeof(limit));
	ask(&request, reply, sizeof(reply));
}

/* ---- the interface's ioctls ---------------------------------------------- */

static void ask_link(const char *name, unsigned long command, struct ifreq *request)
{
	int fd = nb_sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	strncpy(request->ifr_name, name, sizeof(request->ifr_name) - 1);
	if (ioctl(fd, command, request))
		nb_die("ioctl %#lx of %s: %s", command, name, strerror(errno));
	close(fd);
}

void nb_link_set_up(const char *name, bool up)
{
	struct ifreq request = { 0 };

	ask_link(name, SIOCGIFFLAGS, &request);
	if (up)
		request.ifr_flags |= IFF_UP;
	else
		request.ifr_flags &= ~IFF_UP;
	ask_link(name, SIOCSIFFLAGS, &request);
}

void nb_link_get_mac(const char *name, uint8_t mac[6])
{
	struct ifreq request = { 0 };

	ask_link(name, SIOCGIFHWADDR, &request);
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

/* ---- frames -------------------------------------------------------------- */

#define SOCKET_BUFFER	(64 << 20)

static void set_option(int fd, int level, int option, int value)
{
	nb_sys(setsockopt(fd, level, option, &value, sizeof(value)));
}

void nb_host_open_socket(struct nb_host *host, int ifindex)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};

	host->ifindex = ifindex;
	if (!if_indextoname(ifindex, host->name))
		nb_die("there is no interface %d: %s", ifindex, strerror(errno));
	host->fd = nb_sys(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	set_option(host->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	set_option(host->fd, SOL_PACKET, PACKET_AUXDATA, 1);
	set_option(host->fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER);
	set_option(host->fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER);
	nb_sys(bind(host->fd, (struct sockaddr *)&address, sizeof(address)));
}

/*
 * After a change of the carrier the interface drops what is sent until the kernel has
 * taken note, up to a second later. Bringing it up makes the kernel look at once.
 */
void nb_host_open(struct nb_host *host, int ifindex)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		nb_die("there is no interface %d: %s", ifindex, strerror(errno));
	nb_link_set_up(name, false);
	nb_link_set_up(name, true);
	nb_host_open_socket(host, ifindex);
}

void nb_host_open_passed(struct nb_host *host, int ifindex)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(NB_ETHERTYPE),
		.sll_ifindex = ifindex,
	};

	host->ifindex = ifindex;
	host->fd = nb_sys(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	nb_sys(bind(host->fd, (struct sockaddr *)&address, sizeof(address)));
}

void nb_host_close(struct nb_host *host)
{
	if (host->fd >= 0)
		close(host->fd);
	host->fd = -1;
}

void nb_host_send(struct nb_host *host, const void *frame, size_t len)
{
	ssize_t sent = nb_sys(send(host->fd, frame, len, 0));

	if (sent != (ssize_t)len)
		nb_die("sent %zd bytes instead of %zu", sent, len);
}

static int tag_of(struct msghdr *message)
{
	const struct tpacket_auxdata *data;
	struct cmsghdr *control;

	for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level != SOL_PACKET || control->cmsg_type != PACKET_AUXDATA)
			continue;
		data = (const void *)CMSG_DATA(control);
		if (data->tp_status & TP_STATUS_VLAN_VALID)
			return data->tp_vlan_tci;
	}
	return NB_NO_VLAN;
}

/* The next frame of the tests that is there now, or -1. */
static ssize_t take_frame(struct nb_host *host, void *frame, size_t size, int *vlan)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec data = { .iov_base = frame, .iov_len = size };
	const struct ethhdr *ethernet = frame;
	ssize_t len;

	for (;;) {
		struct msghdr message = {
			.msg_iov = &data,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		len = recvmsg(host->fd, &message, MSG_DONTWAIT | MSG_TRUNC);
		if (len < 0 && errno == EAGAIN)
			return -1;
		nb_sys(len);
		if (len < ETH_HLEN || ethernet->h_proto != htons(NB_ETHERTYPE))
			continue;
		if (vlan)
			*vlan = tag_of(&message);
		return len;
	}
}

ssize_t nb_host_receive(struct nb_host *host, void *frame, size_t size, int *vlan)
{
	uint64_t end = nb_test_now() + NB_PATIENCE, now;
	struct pollfd wait = { .fd = host->fd, .events = POLLIN };
	ssize_t len;

	for (;;) {
		len = take_frame(host, frame, size, vlan);
		now = nb_test_now();
		if (len >= 0 || now >= end)
			return len;
		poll(&wait, 1, end - now);
	}
}

bool nb_host_silent(struct nb_host *host)
{
	unsigned char frame[ETH_HLEN];

	return take_frame(host, frame, sizeof(frame), NULL) < 0;
}
