// SPDX-License-Identifier: GPL-2.0
/* Network interfaces for the bench, in a network namespace of its own */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define WAIT_MS	5000

struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[256];
};

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		say("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Nobody else's packets, and none of IPv6's own, and all gone at the end */
void link_own_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		die("own network namespace: %s", strerror(errno));
	if (access("/proc/sys/net/ipv6", F_OK) == 0) {
		write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
		write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	}
}

static struct rtattr *add_attribute(struct request *request, unsigned short type,
				    const void *data, size_t len)
{
	struct rtattr *attribute = (struct rtattr *)((char *)request +
						     NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attribute), data, len);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_SPACE(len);
	return attribute;
}

/* Sends a request and waits for the answer: 0 or a negative errno */
static int transact(struct request *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[1024];
	} answer;
	int fd, result = -EIO;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	request->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, request, request->header.nlmsg_len, 0) < 0)
		result = -errno;
	else if (recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)NLMSG_LENGTH(sizeof(int)) &&
		 answer.header.nlmsg_type == NLMSG_ERROR)
		result = answer.error.error;
	close(fd);
	return result;
}

int link_add_on(const char *kind, const char *name, unsigned int mtu, int lower)
{
	struct request request = {
		.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		.header.nlmsg_type = RTM_NEWLINK,
		.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL,
	};
	struct rtattr *info;
	int err;

	add_attribute(&request, IFLA_IFNAME, name, strlen(name) + 1);
	add_attribute(&request, IFLA_MTU, &mtu, sizeof(mtu));
	if (lower)
		add_attribute(&request, IFLA_LINK, &lower, sizeof(lower));
	info = add_attribute(&request, IFLA_LINKINFO, NULL, 0);
	add_attribute(&request, IFLA_INFO_KIND, kind, strlen(kind) + 1);
	info->rta_len = (char *)&request + request.header.nlmsg_len - (char *)info;

	err = transact(&request);
	if (err < 0) {
		say("interface of kind %s: %s", kind, strerror(-err));
		return err;
	}
	return if_nametoindex(name);
}

int link_add(const char *kind, const char *name, unsigned int mtu)
{
	return link_add_on(kind, name, mtu, 0);
}

int link_remove(int ifindex)
{
	struct request request = {
		.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		.header.nlmsg_type = RTM_DELLINK,
		.link.ifi_index = ifindex,
	};

	return transact(&request);
}

int link_attach_xdp(int ifindex, int program, unsigned int flags)
{
	struct request request = {
		.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		.header.nlmsg_type = RTM_SETLINK,
		.link.ifi_index = ifindex,
	};
	struct rtattr *xdp;
	int err;

	xdp = add_attribute(&request, IFLA_XDP | NLA_F_NESTED, NULL, 0);
	add_attribute(&request, IFLA_XDP_FD, &program, sizeof(program));
	add_attribute(&request, IFLA_XDP_FLAGS, &flags, sizeof(flags));
	xdp->rta_len = (char *)&request + request.header.nlmsg_len - (char *)xdp;

	err = transact(&request);
	if (err < 0)
		say("XDP program on interface %d: %s", ifindex, strerror(-err));
	return err;
}

static int link_ioctl(int ifindex, unsigned long number, struct ifreq *request)
{
	int fd, err = 0;

	if (!if_indextoname(ifindex, request->ifr_name))
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, number, request) < 0)
		err = -errno;
	close(fd);
	return err;
}

int link_set_mtu(int ifindex, unsigned int mtu)
{
	struct ifreq request = { .ifr_mtu = mtu };
	int err = link_ioctl(ifindex, SIOCSIFMTU, &request);

	if (err < 0)
		say("MTU %u of interface %d: %s", mtu, ifindex, strerror(-err));
	return err;
}

int link_set_up(int ifindex)
{
	struct ifreq request = { 0 };
	int err = link_ioctl(ifindex, SIOCGIFFLAGS, &request);

	request.ifr_flags |= IFF_UP;
	return err ? err : link_ioctl(ifindex, SIOCSIFFLAGS, &request);
}

int link_up(int ifindex)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	struct ifreq request = { 0 };
	int err, waited;

	err = link_set_up(ifindex);
	for (waited = 0; !err && waited < WAIT_MS; waited++) {
		err = link_ioctl(ifindex, SIOCGIFFLAGS, &request);
		if (!err && (request.ifr_flags & IFF_RUNNING))
			return 0;
		nanosleep(&millisecond, NULL);
	}
	say("interface %d does not come up: %s", ifindex, strerror(err ? -err : ETIME));
	return -1;
}

int link_join(int bridge, int port)
{
	struct ifreq request = { .ifr_ifindex = port };
	int err = link_ioctl(bridge, SIOCBRADDIF, &request);

	if (err < 0)
		say("interface %d of bridge %d: %s", port, bridge, strerror(-err));
	return err;
}

int link_mac(int ifindex, uint8_t *mac)
{
	struct ifreq request = { 0 };
	int err = link_ioctl(ifindex, SIOCGIFHWADDR, &request);

	if (err < 0) {
		say("interface %d: %s", ifindex, strerror(-err));
		return err;
	}
	memcpy(mac, request.ifr_hwaddr.sa_data, ETHER_ADDR_LEN);
	return 0;
}
