// SPDX-License-Identifier: GPL-2.0
/*
 * IP packets on the host: packet sockets that tell of checksums and super-packets, the
 * interface's features, and a wire.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>

#include "nbip.h"

/* ---- packet sockets ------------------------------------------------------ */

void nb_ip_want_vnet(struct nb_host *host)
{
	int on = 1;

	nb_sys(setsockopt(host->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)));
}

static void look_at_auxdata(struct msghdr *message, struct nb_seen *seen)
{
	const struct tpacket_auxdata *data;
	struct cmsghdr *control;

	seen->vlan = NB_NO_VLAN;
	for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level != SOL_PACKET || control->cmsg_type != PACKET_AUXDATA)
			continue;
		data = (const void *)CMSG_DATA(control);
		if (data->tp_status & TP_STATUS_VLAN_VALID)
			seen->vlan = data->tp_vlan_tci;
		seen->incomplete = data->tp_status & TP_STATUS_CSUMNOTREADY;
	}
}

/* The next frame that is there now; -1 for none. */
static ssize_t take(struct nb_host *host, struct nb_ip *ip, struct nb_seen *seen, bool vnet)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec data[] = {
		{ .iov_base = &seen->vnet, .iov_len = sizeof(seen->vnet) },
		{ .iov_base = ip->data, .iov_len = sizeof(ip->data) },
	};
	struct msghdr message = {
		.msg_iov = vnet ? data : data + 1,
		.msg_iovlen = vnet ? 2 : 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(host->fd, &message, MSG_DONTWAIT);

	if (len < 0 && errno == EAGAIN)
		return -1;
	nb_sys(len);
	look_at_auxdata(&message, seen);
	ip->len = len - (vnet ? sizeof(seen->vnet) : 0);
	return ip->len;
}

bool nb_ip_receive(struct nb_host *host, struct nb_ip *ip, struct nb_seen *seen, bool vnet)
{
	uint64_t end = nb_test_now() + NB_PATIENCE, now;
	struct pollfd wait = { .fd = host->fd, .events = POLLIN };

	while ((now = nb_test_now()) < end) {
		if (take(host, ip, seen, vnet) < 0)
			poll(&wait, 1, end - now);
		else if (!memcmp(ip->data + ETH_ALEN, NB_IP_MAC_GUEST, ETH_ALEN))
			return true;
	}
	return false;
}

void nb_ip_send(struct nb_host *host, const struct nb_ip *ip, bool checksum, uint16_t size)
{
	struct virtio_net_hdr vnet = { 0 };
	struct iovec data[] = {
		{ .iov_base = &vnet, .iov_len = sizeof(vnet) },
		{ .iov_base = (void *)ip->data, .iov_len = ip->len },
	};

	if (checksum || size) {
		vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet.csum_start = ip->l4;
		vnet.csum_offset = ip->protocol == IPPROTO_TCP ? 16 : 6;
	}
	if (size) {
		vnet.gso_type = ip->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		vnet.gso_size = size;
		vnet.hdr_len = ip->payload;
	}
	if (nb_sys(writev(host->fd, data, 2)) != (ssize_t)(sizeof(vnet) + ip->len))
		nb_die("a packet of %u bytes was sent in part", ip->len);
}

/* ---- features ------------------------------------------------------------ */

#define FEATURE_WORDS	4

void nb_link_ask_ethtool(const char *name, void *command)
{
	int fd = nb_sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	struct ifreq request = { .ifr_data = command };

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	nb_sys(ioctl(fd, SIOCETHTOOL, &request));
	close(fd);
}

static unsigned int count_features(const char *name)
{
	struct {
		struct ethtool_sset_info head;
		uint32_t n;
	} ask = { .head = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_FEATURES } };

	nb_link_ask_ethtool(name, &ask);
	if (ask.n > 32 * FEATURE_WORDS)
		nb_die("this kernel has %u features", ask.n);
	return ask.n;
}

static unsigned int feature_number(const char *name, const char *feature)
{
	unsigned int i, n = count_features(name);
	struct ethtool_gstrings *names = calloc(1, sizeof(*names) + n * ETH_GSTRING_LEN);

	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = n;
	nb_link_ask_ethtool(name, names);
	for (i = 0; i < n && strcmp((char *)names->data + i * ETH_GSTRING_LEN, feature); i++)
		;
	free(names);
	if (i == n)
		nb_die("this kernel has no feature %s", feature);
	return i;
}

struct features {
	struct ethtool_gfeatures head;
	struct ethtool_get_features_block words[FEATURE_WORDS];
};

static struct features get_features(const char *name)
{
	struct features get = { .head = { .cmd = ETHTOOL_GFEATURES, .size = FEATURE_WORDS } };

	nb_link_ask_ethtool(name, &get);
	return get;
}

bool nb_link_has_feature(const char *name, const char *feature)
{
	unsigned int i = feature_number(name, feature);

	return get_features(name).words[i / 32].active & (1u << i % 32);
}

void nb_link_clear_feature(const char *name, const char *feature)
{
	unsigned int i = feature_number(name, feature);
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block words[FEATURE_WORDS];
	} set = { .head = { .cmd = ETHTOOL_SFEATURES } };

	set.head.size = get_features(name).head.size;
	set.words[i / 32].valid = 1u << i % 32;
	nb_link_ask_ethtool(name, &set);
	if (nb_link_has_feature(name, feature))
		nb_die("%s of %s stays on", feature, name);
}

/* ---- a wire -------------------------------------------------------------- */

void nb_host_run(const char *line)
{
	if (nb_test_run("sh", "-c", line, NULL))
		nb_die("%s: failed", line);
}

void nb_host_behind_wire(struct nb_host *host, const char *name)
{
	static const char * const features[] = {
		"tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation",
		"tx-udp-segmentation", "tx-generic-segmentation", "tx-checksum-ip-generic",
	};
	char line[128];
	unsigned int i;

	nb_host_run("ip link add wire0 mtu 65535 type veth peer name wire1 mtu 65535");
	/* The second gets its carrier when it comes up, the first may have to wait for it. */
	nb_host_run("ip link set wire1 up");
	nb_host_run("ip link set wire0 up");
	snprintf(line, sizeof(line), "tc qdisc add dev %s clsact", name);
	nb_host_run(line);
	snprintf(line, sizeof(line), "tc filter add dev %s ingress matchall %s", name,
		 "action mirred egress redirect dev wire0");
	nb_host_run(line);
	for (i = 0; i < ARRAY_LEN(features); i++)
		nb_link_clear_feature("wire0", features[i]);
	/* Not down and up again, which would take the carrier from wire0 for a while. */
	nb_host_open_socket(host, if_nametoindex("wire1"));
}
