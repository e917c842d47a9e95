// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev: its interface tells the host's tools the truth: counters, those of each
 * queue, rings, time stamps, and whose it is. shown.sh asks the tools themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <net/if.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/net_tstamp.h>
#include <linux/rtnetlink.h>

#include "kselftest_harness.h"
#include "nbgenl.h"
#include "nbip.h"
#include "nbtest.h"

#define LEN	100u

FIXTURE(citizen)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(citizen)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
}

FIXTURE_TEARDOWN(citizen)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- traffic, good and bad ----------------------------------------------- */

/* Sends a packet, which is to end like that. */
static bool guest_sends(FIXTURE_DATA(citizen) *self, unsigned int queue,
			const struct nb_tx_segment *packet, uint16_t status)
{
	struct nb_tx_completion done;

	nb_ok(nb_queue_tx_avail(self->nic.queues[queue], packet, 1, NULL));
	return nb_tx_reap(self->nic.queues[queue], &done, 1) == 1 && done.status == status;
}

static bool guest_sends_good_and_bad(FIXTURE_DATA(citizen) *self, unsigned int queue,
				     unsigned int good, unsigned int bad)
{
	struct nb_tx_segment packet = nb_tx_frame(&self->guest, 1, LEN);

	while (good--)
		if (!guest_sends(self, queue, &packet, NB_TX_OK))
			return false;
	packet.packet_len++;
	while (bad--)
		if (!guest_sends(self, queue, &packet, NB_TX_INVALID))
			return false;
	return true;
}

static void guest_offers(FIXTURE_DATA(citizen) *self, uint64_t gpa, uint32_t len)
{
	struct nb_rx_segment buffer = { .gpa = gpa, .len = len, .id = 7 };

	nb_ok(nb_queue_rx_avail(self->nic.queue, &buffer, 1));
}

static void host_sends(FIXTURE_DATA(citizen) *self)
{
	unsigned char frame[LEN];

	nb_frame_fill(frame, sizeof(frame), 1);
	nb_host_send(&self->nic.host, frame, sizeof(frame));
}

/* Whether ip -s tells this of the interface; a line of jq, about .rx and .tx. */
static bool ip_tells(const char *name, const char *what)
{
	char line[512];

	snprintf(line, sizeof(line),
		 "ip -s -j link show %s | jq -e '.[0].stats64 | (%s) or (debug | false)' >&2",
		 name, what);
	return !nb_test_run("sh", "-c", line, NULL);
}

#define ERRORS								\
	".rx.packets == 5 and .rx.bytes == 500 and .rx.errors == 3 and .rx.dropped == 2"	\
	" and .tx.packets == 1 and .tx.bytes == 100 and .tx.errors == 1 and .tx.dropped == 1"

/* What ERRORS is about. */
static bool make_errors(FIXTURE_DATA(citizen) *self)
{
	struct nb_tx_segment packet = nb_tx_frame(&self->guest, 1, LEN);
	struct nb_rx_metadata got;

	if (!guest_sends_good_and_bad(self, 0, 5, 3))
		return false;
	/* A buffer that is none, one that is right, one that is too small. */
	guest_offers(self, NB_GAP_GPA, NB_BUF_SIZE);
	guest_offers(self, NB_RX_GPA, NB_BUF_SIZE);
	guest_offers(self, NB_RX_GPA, LEN - 1);
	host_sends(self);
	host_sends(self);
	if (!nb_until(nb_stats_of(self->nic.queue).rx_too_small == 1))
		return false;
	while (nb_ok(nb_queue_rx_poll(self->nic.queue, &got, 1)))
		;
	nb_link_set_up(self->nic.host.name, false);
	return guest_sends(self, 0, &packet, NB_TX_DROPPED) &&
	       guest_sends(self, 0, &packet, NB_TX_DROPPED);
}

TEST_F(citizen, errors_are_counted_as_what_they_are_and_stay_when_the_queues_go)
{
	nb_nic_start(&self->nic, 1, 0);
	ASSERT_TRUE(make_errors(self));
	EXPECT_TRUE(ip_tells(self->nic.host.name, ERRORS));
	nb_nic_stop(&self->nic);
	EXPECT_TRUE(ip_tells(self->nic.host.name, ERRORS));
}

/* ---- netdev-genl --------------------------------------------------------- */

/* Of <linux/netdev.h>, which is too young. */
#define NETDEV_CMD_QSTATS_GET		12
#define NETDEV_A_QSTATS_IFINDEX		1
#define NETDEV_A_QSTATS_QUEUE_TYPE	2
#define NETDEV_A_QSTATS_QUEUE_ID	3
#define NETDEV_A_QSTATS_SCOPE		4
#define NETDEV_QSTATS_SCOPE_QUEUE	1
#define NETDEV_A_QSTATS_RX_PACKETS	8
#define NETDEV_A_QSTATS_RX_BYTES	9
#define NETDEV_A_QSTATS_TX_PACKETS	10
#define NETDEV_A_QSTATS_TX_BYTES	11
#define NETDEV_A_QSTATS_RX_HW_DROPS	13
#define NETDEV_A_QSTATS_TX_HW_DROPS	24
#define NETDEV_A_QSTATS_TX_STOP		33

/* Counters of a queue, or of the device. */
struct counts {
	uint64_t rx_packets, rx_bytes, rx_drops;
	uint64_t tx_packets, tx_bytes, tx_drops, tx_stops;
};

struct answer {
	unsigned int n;
	struct counts queue[4];		/* with scope "queue" */
	struct counts device;
};

static void take_qstats(const struct nlattr *const *attributes, void *data)
{
	uint32_t id = nb_genl_u32(attributes[NETDEV_A_QSTATS_QUEUE_ID]);
	struct answer *answer = data;
	struct counts *counts = &answer->device;

	answer->n++;
	if (attributes[NETDEV_A_QSTATS_QUEUE_TYPE])
		counts = &answer->queue[id % ARRAY_LEN(answer->queue)];
	counts->rx_packets += nb_genl_uint(attributes[NETDEV_A_QSTATS_RX_PACKETS]);
	counts->rx_bytes += nb_genl_uint(attributes[NETDEV_A_QSTATS_RX_BYTES]);
	counts->rx_drops += nb_genl_uint(attributes[NETDEV_A_QSTATS_RX_HW_DROPS]);
	counts->tx_packets += nb_genl_uint(attributes[NETDEV_A_QSTATS_TX_PACKETS]);
	counts->tx_bytes += nb_genl_uint(attributes[NETDEV_A_QSTATS_TX_BYTES]);
	counts->tx_drops += nb_genl_uint(attributes[NETDEV_A_QSTATS_TX_HW_DROPS]);
	counts->tx_stops += nb_genl_uint(attributes[NETDEV_A_QSTATS_TX_STOP]);
}

static struct answer qstats(struct nb_genl *client, uint32_t ifindex, uint32_t scope)
{
	struct nb_genl_request request = nb_genl_request(client->family, NETDEV_CMD_QSTATS_GET,
							 NLM_F_DUMP);
	struct answer answer = {};

	nb_genl_add(&request, NETDEV_A_QSTATS_IFINDEX, &ifindex, sizeof(ifindex));
	if (scope)
		nb_genl_add(&request, NETDEV_A_QSTATS_SCOPE, &scope, sizeof(scope));
	if (nb_genl_talk(client, &request, take_qstats, &answer))
		nb_die("no counters of queues");
	return answer;
}

/* Whether the kernel is 6.10 or later, and so has them. */
static bool open_netdev_family(struct nb_genl *client)
{
	return !nb_test_run("sh", "-c", "printf '6.10\\n%s\\n' $(uname -r) | sort -C -V", NULL) &&
	       nb_genl_open_family(client, "netdev");
}

static bool is_queue(const struct counts *shown, struct nb_queue *queue)
{
	struct nb_queue_stats stats = nb_stats_of(queue);

	return shown->rx_packets == stats.tx_packets && shown->rx_bytes == stats.tx_bytes &&
	       shown->rx_drops == stats.tx_errors + stats.tx_dropped &&
	       shown->tx_packets == stats.rx_packets && shown->tx_bytes == stats.rx_bytes &&
	       shown->tx_drops == stats.rx_too_small && shown->tx_stops == stats.rx_no_buffer;
}

TEST_F(citizen, netdev_genl_has_the_counters_of_each_queue_and_those_of_the_device)
{
	struct answer answer;
	struct nb_genl client;
	unsigned int i;

	if (!open_netdev_family(&client))
		SKIP(return, "this kernel has no counters of queues");
	nb_nic_start(&self->nic, 3, 0);
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(guest_sends_good_and_bad(self, i, 4 + i, i));
	guest_offers(self, NB_RX_GPA, LEN - 1);
	host_sends(self);

	answer = qstats(&client, self->nic.host.ifindex, NETDEV_QSTATS_SCOPE_QUEUE);
	EXPECT_EQ(6, answer.n);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(4 + i, answer.queue[i].rx_packets);
		EXPECT_EQ(i, answer.queue[i].rx_drops);
		EXPECT_TRUE(is_queue(&answer.queue[i], self->nic.queues[i]));
	}
	answer = qstats(&client, self->nic.host.ifindex, 0);
	EXPECT_EQ(1, answer.n);
	EXPECT_EQ(15, answer.device.rx_packets);
	EXPECT_EQ(3, answer.device.rx_drops);

	/* The device's go on where those of the queues began anew. */
	nb_nic_stop(&self->nic);
	nb_nic_start(&self->nic, 1, 0);
	ASSERT_TRUE(guest_sends_good_and_bad(self, 0, 1, 0));
	answer = qstats(&client, self->nic.host.ifindex, NETDEV_QSTATS_SCOPE_QUEUE);
	EXPECT_EQ(2, answer.n);
	EXPECT_EQ(1, answer.queue[0].rx_packets);
	answer = qstats(&client, self->nic.host.ifindex, 0);
	EXPECT_EQ(16, answer.device.rx_packets);
	EXPECT_EQ(3, answer.device.rx_drops);
	nb_genl_close(&client);
}

/* ---- rings, time stamps -------------------------------------------------- */

TEST_F(citizen, ethtool_shows_the_rings_that_the_frontend_has_made)
{
	struct ethtool_ringparam rings = { .cmd = ETHTOOL_GRINGPARAM };
	struct nb_queue_config config = {
		.tx_avail_entries = 128, .tx_done_entries = 256,
		.rx_avail_entries = 512, .rx_done_entries = 1024,
		.target_cpu = NB_ANY_CPU,
	};
	char name[sizeof(self->nic.host.name)];

	nb_nic_start_as(&self->nic, &config, 1);
	nb_link_ask_ethtool(self->nic.host.name, &rings);
	EXPECT_EQ(128, rings.rx_pending);
	EXPECT_EQ(512, rings.tx_pending);
	EXPECT_EQ(NB_MAX_RING_ENTRIES, rings.rx_max_pending);
	EXPECT_EQ(NB_MAX_RING_ENTRIES, rings.tx_max_pending);
	memcpy(name, self->nic.host.name, sizeof(name));
	nb_nic_stop(&self->nic);
	rings = (struct ethtool_ringparam){ .cmd = ETHTOOL_GRINGPARAM };
	nb_link_ask_ethtool(name, &rings);
	EXPECT_EQ(0, rings.rx_pending + rings.tx_pending);
}

/* Whether who sends gets a time stamp of that. */
static bool is_stamped(struct nb_host *host)
{
	int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	struct pollfd wait = { .fd = host->fd };
	char control[512], data[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct scm_timestamping stamps = {};
	unsigned char frame[LEN];
	struct cmsghdr *part;

	nb_sys(setsockopt(host->fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)));
	nb_frame_fill(frame, sizeof(frame), 1);
	nb_host_send(host, frame, sizeof(frame));
	if (nb_sys(poll(&wait, 1, NB_PATIENCE)) != 1)
		return false;
	nb_sys(recvmsg(host->fd, &message, MSG_ERRQUEUE));
	for (part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPING)
			memcpy(&stamps, CMSG_DATA(part), sizeof(stamps));
	return stamps.ts[0].tv_sec;
}

static bool stamps_are_promised(const char *name)
{
	struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO };

	nb_link_ask_ethtool(name, &info);
	return (info.so_timestamping & SOF_TIMESTAMPING_TX_SOFTWARE) && info.phc_index == -1;
}

TEST_F(citizen, what_the_host_sends_is_stamped_as_ethtool_says)
{
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	EXPECT_TRUE(stamps_are_promised(self->nic.host.name));
	EXPECT_TRUE(is_stamped(&self->nic.host));
}

/* ---- whose the interface is ---------------------------------------------- */

/* IFLA_INFO_DATA of an interface. */
struct link_data {
	char kind[16];
	const struct nlattr *attributes[NB_GENL_ATTRS];
	char buffer[16384];
};

static void ask_link(int ifindex, struct link_data *link)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = { sizeof(request), RTM_GETLINK, NLM_F_REQUEST, 0, 0 },
		.info = { .ifi_index = ifindex },
	};
	const struct nlattr *of_link[NB_GENL_ATTRS], *info[NB_GENL_ATTRS];
	struct nlmsghdr *answer = (void *)link->buffer;
	int fd = nb_sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));

	memset(link, 0, sizeof(*link));
	nb_sys(send(fd, &request, sizeof(request), 0));
	nb_sys(recv(fd, link->buffer, sizeof(link->buffer), 0));
	close(fd);
	if (answer->nlmsg_type != RTM_NEWLINK)
		nb_die("there is no interface %d", ifindex);
	nb_genl_parse((char *)NLMSG_DATA(answer) + NLMSG_ALIGN(sizeof(struct ifinfomsg)),
		      answer->nlmsg_len - NLMSG_SPACE(sizeof(struct ifinfomsg)), of_link);
	if (!of_link[IFLA_LINKINFO])
		return;
	nb_genl_parse(nb_genl_payload(of_link[IFLA_LINKINFO]),
		      of_link[IFLA_LINKINFO]->nla_len - NLA_HDRLEN, info);
	snprintf(link->kind, sizeof(link->kind), "%s", nb_genl_string(info[IFLA_INFO_KIND]));
	if (info[IFLA_INFO_DATA])
		nb_genl_parse(nb_genl_payload(info[IFLA_INFO_DATA]),
			      info[IFLA_INFO_DATA]->nla_len - NLA_HDRLEN, link->attributes);
}

TEST_F(citizen, rtnetlink_tells_the_endpoint_of_an_interface)
{
	struct nb_endpoint_info info;
	struct link_data link;

	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	ask_link(info.ifindex, &link);
	EXPECT_STREQ(NB_LINK_KIND, link.kind);
	EXPECT_EQ(info.id, nb_genl_u32(link.attributes[NB_A_LINK_ENDPOINT_ID]));
	EXPECT_EQ(info.max_queues, nb_genl_u32(link.attributes[NB_A_LINK_MAX_QUEUES]));
	ASSERT_NE(NULL, link.attributes[NB_A_LINK_GUEST_MAC]);
	EXPECT_EQ(0, memcmp(info.mac, nb_genl_payload(link.attributes[NB_A_LINK_GUEST_MAC]), 6));
	EXPECT_EQ(NULL, link.attributes[NB_A_LINK_SWITCH_ID]);

	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
	ask_link(info.ifindex, &link);
	EXPECT_STREQ(NB_LINK_KIND, link.kind);
	EXPECT_EQ(NULL, link.attributes[NB_A_LINK_ENDPOINT_ID]);
	EXPECT_EQ(NULL, link.attributes[NB_A_LINK_GUEST_MAC]);
}

TEST_F(citizen, of_an_uplink_it_tells_switch_and_port_and_stamps_are_true)
{
	struct nb_netdev_params netdev = { .flags = NB_NETDEV_UPLINK };
	struct nb_endpoint_params params = {
		.kind = "netdev",
		.name = "up0",
		.netns_fd = -1,
		.kind_params = &netdev,
		.kind_params_size = sizeof(netdev),
	};
	struct ethtool_cmd settings = { .cmd = ETHTOOL_GSET };
	struct nb_endpoint_info info;
	struct nb_endpoint *uplink;
	struct link_data link;
	struct nb_host host;

	nb_ok(nb_endpoint_create(self->guest.nb, &params, &uplink));
	nb_ok(nb_endpoint_get_info(uplink, &info));
	ask_link(info.ifindex, &link);
	EXPECT_STREQ(NB_LINK_KIND, link.kind);
	EXPECT_EQ(info.id, nb_genl_u32(link.attributes[NB_A_LINK_ENDPOINT_ID]));
	EXPECT_NE(0, nb_genl_u32(link.attributes[NB_A_LINK_SWITCH_ID]));
	EXPECT_EQ(1, nb_genl_u32(link.attributes[NB_A_LINK_SWITCH_PORT]));
	EXPECT_EQ(NULL, link.attributes[NB_A_LINK_GUEST_MAC]);

	nb_host_open(&host, info.ifindex);
	nb_link_ask_ethtool("up0", &settings);
	EXPECT_EQ(info.link_speed / 1000000, ethtool_cmd_speed(&settings));
	EXPECT_TRUE(stamps_are_promised("up0"));
	EXPECT_TRUE(is_stamped(&host));
	nb_host_close(&host);
	nb_endpoint_close(uplink);
}

TEST_F(citizen, an_interface_that_moves_away_does_not_tell_of_the_switch)
{
	struct nb_netdev_params netdev = { .flags = NB_NETDEV_UPLINK };
	struct nb_endpoint_params params = {
		.kind = "netdev",
		.name = "upmoves",
		.netns_fd = -1,
		.kind_params = &netdev,
		.kind_params_size = sizeof(netdev),
	};
	struct nb_endpoint *uplink;
	struct link_data link;
	int netns;

	nb_ok(nb_endpoint_create(self->guest.nb, &params, &uplink));
	ASSERT_EQ(0, nb_test_run("ip", "link", "set", "upmoves", "netns", "1", NULL));
	netns = nb_sys(open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC));
	nb_sys(setns(netns, CLONE_NEWNET));
	close(netns);
	ask_link(nb_sys(if_nametoindex("upmoves")), &link);
	EXPECT_STREQ(NB_LINK_KIND, link.kind);
	EXPECT_EQ(NULL, link.attributes[NB_A_LINK_SWITCH_ID]);
	EXPECT_EQ(NULL, link.attributes[NB_A_LINK_SWITCH_PORT]);
	/* The endpoint has come with it. */
	EXPECT_NE(NULL, link.attributes[NB_A_LINK_ENDPOINT_ID]);
	nb_endpoint_close(uplink);
}

/* An endpoint that has taken the interface, and stays where it is. */
TEST_F(citizen, an_endpoint_elsewhere_that_has_the_interface_is_not_told)
{
	int home = nb_sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	struct nb_endpoint_info info;
	struct nb_endpoint *other;
	struct link_data link;

	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	nb_host_new_netns();
	nb_ok(nb_test_create(&self->guest, &nb_test_null, NULL, &other));
	nb_sys(setns(home, CLONE_NEWNET));
	close(home);
	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
	nb_ok(nb_endpoint_disconnect(other, 0));
	nb_ok(nb_endpoint_connect(other, self->nic.ep));
	ask_link(info.ifindex, &link);
	EXPECT_STREQ(NB_LINK_KIND, link.kind);
	EXPECT_EQ(NULL, link.attributes[NB_A_LINK_ENDPOINT_ID]);
	EXPECT_EQ(NULL, link.attributes[NB_A_LINK_GUEST_MAC]);
	/* The one that is here takes it back. */
	nb_ok(nb_endpoint_disconnect(other, 0));
	nb_ok(nb_endpoint_connect(self->nic.ep, other));
	ask_link(info.ifindex, &link);
	ASSERT_NE(NULL, link.attributes[NB_A_LINK_ENDPOINT_ID]);
	EXPECT_EQ(info.id, nb_genl_u32(link.attributes[NB_A_LINK_ENDPOINT_ID]));
	nb_endpoint_close(other);
}

TEST_HARNESS_MAIN
