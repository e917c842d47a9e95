// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family, and nbctl: they show the endpoints of one's network
 * namespace as they are, and no others.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "kselftest_harness.h"
#include "nbtest.h"

/* ---- a small client ------------------------------------------------------ */

#define MAX_ATTR	32

struct client {
	int fd;
	uint16_t family;
	char reason[128];	/* of the last error */
};

struct request {
	struct nlmsghdr header;
	struct genlmsghdr genl;
	char attributes[64];
};

typedef void (*on_message)(const struct nlattr *const *attributes, void *data);

static void *payload(const struct nlattr *attribute)
{
	return (char *)attribute + NLA_HDRLEN;
}

static uint32_t u32_of(const struct nlattr *attribute)
{
	uint32_t value = 0;

	if (attribute)
		memcpy(&value, payload(attribute), sizeof(value));
	return value;
}

static uint64_t u64_of(const struct nlattr *attribute)
{
	uint64_t value = 0;

	if (attribute)
		memcpy(&value, payload(attribute), sizeof(value));
	return value;
}

static const char *string_of(const struct nlattr *attribute)
{
	return attribute ? payload(attribute) : "";
}

static void parse(const void *data, size_t len, const struct nlattr **attributes)
{
	const struct nlattr *attribute;

	memset(attributes, 0, MAX_ATTR * sizeof(*attributes));
	while (len >= NLA_HDRLEN) {
		attribute = data;
		if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > len)
			nb_die("a broken attribute");
		if ((attribute->nla_type & NLA_TYPE_MASK) < MAX_ATTR)
			attributes[attribute->nla_type & NLA_TYPE_MASK] = attribute;
		if (NLA_ALIGN(attribute->nla_len) > len)
			break;
		data = (char *)data + NLA_ALIGN(attribute->nla_len);
		len -= NLA_ALIGN(attribute->nla_len);
	}
}

static void add_attribute(struct request *request, uint16_t type, const void *data, size_t len)
{
	struct nlattr *attribute = (void *)((char *)request + request->header.nlmsg_len);

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + len;
	memcpy(payload(attribute), data, len);
	request->header.nlmsg_len += NLA_HDRLEN + NLA_ALIGN(len);
}

static struct request make_request(uint16_t type, uint8_t command, uint16_t flags)
{
	return (struct request){
		.header = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags,
		},
		.genl = { .cmd = command, .version = NB_GENL_VERSION },
	};
}

static int take_error(struct client *client, const struct nlmsghdr *header)
{
	const struct nlmsgerr *error = NLMSG_DATA(header);
	const struct nlattr *attributes[MAX_ATTR];
	size_t skip = sizeof(*error);

	client->reason[0] = 0;
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += error->msg.nlmsg_len - sizeof(error->msg);
	if (header->nlmsg_flags & NLM_F_ACK_TLVS) {
		parse((char *)error + skip, header->nlmsg_len - NLMSG_HDRLEN - skip, attributes);
		snprintf(client->reason, sizeof(client->reason), "%s",
			 string_of(attributes[NLMSGERR_ATTR_MSG]));
	}
	return error->error;
}

/* Sends a request and hands on all messages of the answer: 0 or a negative errno. */
static int talk(struct client *client, struct request *request, on_message fn, void *data)
{
	const struct nlattr *attributes[MAX_ATTR];
	bool dump = request->header.nlmsg_flags & NLM_F_DUMP;
	static char buffer[65536];
	struct nlmsghdr *header;
	ssize_t len;

	nb_sys(send(client->fd, request, request->header.nlmsg_len, 0));
	for (;;) {
		len = nb_sys(recv(client->fd, buffer, sizeof(buffer), 0));
		for (header = (void *)buffer; NLMSG_OK(header, len);
		     header = NLMSG_NEXT(header, len)) {
			if (header->nlmsg_type == NLMSG_ERROR)
				return take_error(client, header);
			if (header->nlmsg_type == NLMSG_DONE) {
				int error;

				memcpy(&error, NLMSG_DATA(header), sizeof(error));
				return error;
			}
			parse((char *)NLMSG_DATA(header) + GENL_HDRLEN,
			      header->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), attributes);
			fn(attributes, data);
			if (!dump)
				return 0;
		}
	}
}

static void take_family(const struct nlattr *const *attributes, void *data)
{
	memcpy(data, payload(attributes[CTRL_ATTR_FAMILY_ID]), sizeof(uint16_t));
}

static void open_client(struct client *client)
{
	struct request request = make_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	int one = 1;

	memset(client, 0, sizeof(*client));
	client->fd = nb_sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
	nb_sys(setsockopt(client->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)));
	add_attribute(&request, CTRL_ATTR_FAMILY_NAME, NB_GENL_NAME, sizeof(NB_GENL_NAME));
	if (talk(client, &request, take_family, &client->family))
		nb_die("there is no generic netlink family " NB_GENL_NAME);
}

static int dump(struct client *client, uint8_t command, uint32_t endpoint, on_message fn,
		void *data)
{
	struct request request = make_request(client->family, command, NLM_F_DUMP);

	if (endpoint)
		add_attribute(&request, NB_A_QUEUE_ENDPOINT_ID, &endpoint, sizeof(endpoint));
	return talk(client, &request, fn, data);
}

static int get_endpoint(struct client *client, uint32_t id, on_message fn, void *data)
{
	struct request request = make_request(client->family, NB_CMD_ENDPOINT_GET, 0);

	if (id)
		add_attribute(&request, NB_A_ENDPOINT_ID, &id, sizeof(id));
	return talk(client, &request, fn, data);
}

/* ---- fixture ------------------------------------------------------------- */

FIXTURE(netlink)
{
	struct nb_guest guest;
	struct client client;
	struct nb_nic nic;	/* with two queues */
};

FIXTURE_VARIANT(netlink)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(netlink, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(netlink, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(netlink, netdev) { .kind = &nb_test_netdev };

FIXTURE_SETUP(netlink)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_nic_start(&self->nic, 2, 0);
	nb_nic_post_all(&self->nic);
	ASSERT_TRUE(nb_nic_works(&self->nic));
	open_client(&self->client);
}

FIXTURE_TEARDOWN(netlink)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- endpoints ----------------------------------------------------------- */

struct seen_endpoints {
	struct nb_endpoint_info info;	/* the last one */
	uint32_t pid;
	unsigned int n;
	bool ids[4096];
};

static void see_endpoint(const struct nlattr *const *attributes, void *data)
{
	struct seen_endpoints *seen = data;
	struct nb_endpoint_info *info = &seen->info;

	memset(info, 0, sizeof(*info));
	info->id = u32_of(attributes[NB_A_ENDPOINT_ID]);
	strcpy(info->kind, string_of(attributes[NB_A_ENDPOINT_KIND]));
	strcpy(info->name, string_of(attributes[NB_A_ENDPOINT_NAME]));
	info->ifindex = u32_of(attributes[NB_A_ENDPOINT_IFINDEX]);
	memcpy(info->mac, payload(attributes[NB_A_ENDPOINT_MAC]), sizeof(info->mac));
	info->mtu = u32_of(attributes[NB_A_ENDPOINT_MTU]);
	info->properties = u32_of(attributes[NB_A_ENDPOINT_PROPERTIES]);
	info->tx_offloads = u32_of(attributes[NB_A_ENDPOINT_TX_OFFLOADS]);
	info->max_queues = u32_of(attributes[NB_A_ENDPOINT_MAX_QUEUES]);
	info->n_queues = u32_of(attributes[NB_A_ENDPOINT_QUEUES]);
	info->indirection_table_size = u32_of(attributes[NB_A_ENDPOINT_TABLE_SIZE]);
	info->link_speed = u64_of(attributes[NB_A_ENDPOINT_LINK_SPEED]);
	seen->pid = u32_of(attributes[NB_A_ENDPOINT_PID]);
	seen->n++;
	if (info->id >= ARRAY_LEN(seen->ids) || seen->ids[info->id])
		nb_die("endpoint %u is there twice, or too large", info->id);
	seen->ids[info->id] = true;
}

TEST_F(netlink, endpoints_are_as_the_ioctl_says)
{
	struct seen_endpoints *seen = calloc(1, sizeof(*seen));
	struct nb_endpoint_info info;

	ASSERT_EQ(0, nb_endpoint_get_info(self->nic.ep, &info));
	info.size = 0;
	memset(&info.msg, 0, sizeof(info.msg));
	ASSERT_EQ(0, dump(&self->client, NB_CMD_ENDPOINT_GET, 0, see_endpoint, seen));
	EXPECT_EQ(1, seen->n);
	EXPECT_EQ(0, memcmp(&info, &seen->info, sizeof(info)));
	EXPECT_EQ(getpid(), seen->pid);

	memset(seen, 0, sizeof(*seen));
	ASSERT_EQ(0, get_endpoint(&self->client, info.id, see_endpoint, seen));
	EXPECT_EQ(0, memcmp(&info, &seen->info, sizeof(info)));
	free(seen);
}

TEST_F(netlink, unknown_endpoints_are_refused_in_words)
{
	EXPECT_EQ(-ENOENT, get_endpoint(&self->client, 1u << 30, NULL, NULL));
	EXPECT_NE(NULL, strchr(self->client.reason, ' '));
	EXPECT_EQ(-EINVAL, get_endpoint(&self->client, 0, NULL, NULL));
	EXPECT_NE(NULL, strchr(self->client.reason, ' '));
	EXPECT_EQ(-ENOENT, dump(&self->client, NB_CMD_QUEUE_GET, 1u << 30, NULL, NULL));
}

TEST_F(netlink, many_endpoints_are_listed_once_each)
{
	struct nb_endpoint_params params = { .kind = variant->kind->name, .netns_fd = -1 };
	struct seen_endpoints *seen = calloc(1, sizeof(*seen));
	struct nb_endpoint *eps[200];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(eps); i++)
		ASSERT_EQ(0, nb_endpoint_create(self->guest.nb, &params, &eps[i]));
	ASSERT_EQ(0, dump(&self->client, NB_CMD_ENDPOINT_GET, 0, see_endpoint, seen));
	EXPECT_EQ(ARRAY_LEN(eps) + 1, seen->n);
	free(seen);
	/* Interfaces take their time to go. */
	if (variant->kind->sent == NB_COMES_TO_HOST)
		return;
	for (i = 0; i < ARRAY_LEN(eps); i++)
		nb_endpoint_close(eps[i]);
}

/* ---- queues -------------------------------------------------------------- */

struct seen_queues {
	uint32_t endpoint;
	unsigned int n;
	bool indices[NB_TEST_QUEUES];
	struct nb_queue_stats stats[NB_TEST_QUEUES];
};

static void see_queue(const struct nlattr *const *attributes, void *data)
{
	const struct nlattr *nest = attributes[NB_A_QUEUE_STATS], *values[MAX_ATTR];
	uint32_t index = u32_of(attributes[NB_A_QUEUE_INDEX]);
	struct seen_queues *seen = data;
	struct nb_queue_stats *stats;

	seen->n++;
	if (u32_of(attributes[NB_A_QUEUE_ENDPOINT_ID]) != seen->endpoint)
		return;
	if (index >= NB_TEST_QUEUES || seen->indices[index] || !nest ||
	    !attributes[NB_A_QUEUE_RING])
		nb_die("queue %u is there twice, or not whole", index);
	seen->indices[index] = true;
	stats = &seen->stats[index];
	parse(payload(nest), nest->nla_len - NLA_HDRLEN, values);
	stats->tx_packets = u64_of(values[NB_A_STATS_TX_PACKETS]);
	stats->tx_bytes = u64_of(values[NB_A_STATS_TX_BYTES]);
	stats->rx_packets = u64_of(values[NB_A_STATS_RX_PACKETS]);
	stats->rx_bytes = u64_of(values[NB_A_STATS_RX_BYTES]);
	stats->enters = u64_of(values[NB_A_STATS_ENTERS]);
	stats->notifies = u64_of(values[NB_A_STATS_NOTIFIES]);
}

TEST_F(netlink, queues_have_the_counters_of_the_ioctl)
{
	struct seen_queues seen = { 0 };
	struct nb_endpoint_info info;
	struct nb_queue_stats stats;
	unsigned int i, round;

	ASSERT_EQ(0, nb_endpoint_get_info(self->nic.ep, &info));
	for (round = 0; round < 2; round++) {
		memset(&seen, 0, sizeof(seen));
		seen.endpoint = info.id;
		ASSERT_EQ(0, dump(&self->client, NB_CMD_QUEUE_GET, round ? info.id : 0,
				  see_queue, &seen));
		EXPECT_EQ(2, seen.n);
		for (i = 0; i < 2; i++) {
			ASSERT_TRUE(seen.indices[i]);
			ASSERT_EQ(0, nb_queue_stats(self->nic.queues[i], &stats));
			EXPECT_EQ(stats.tx_packets, seen.stats[i].tx_packets);
			EXPECT_EQ(stats.tx_bytes, seen.stats[i].tx_bytes);
			EXPECT_EQ(stats.rx_packets, seen.stats[i].rx_packets);
			EXPECT_EQ(stats.rx_bytes, seen.stats[i].rx_bytes);
			EXPECT_EQ(stats.enters, seen.stats[i].enters);
			EXPECT_EQ(stats.notifies, seen.stats[i].notifies);
		}
	}
	/* What nb_nic_works() sends. */
	EXPECT_EQ(10, seen.stats[0].tx_packets);
}

TEST_F(netlink, many_queues_are_listed_once_each)
{
	struct nb_nic second;
	struct nb_endpoint_info info;
	struct seen_queues seen = { 0 };

	nb_nic_open(&second, &self->guest, variant->kind, 0);
	nb_nic_start(&second, NB_TEST_QUEUES, 64);
	ASSERT_EQ(0, nb_endpoint_get_info(second.ep, &info));
	seen.endpoint = info.id;
	ASSERT_EQ(0, dump(&self->client, NB_CMD_QUEUE_GET, 0, see_queue, &seen));
	EXPECT_EQ(NB_TEST_QUEUES + 2, seen.n);
	seen = (struct seen_queues){ .endpoint = info.id };
	ASSERT_EQ(0, dump(&self->client, NB_CMD_QUEUE_GET, info.id, see_queue, &seen));
	EXPECT_EQ(NB_TEST_QUEUES, seen.n);
	nb_nic_close(&second);
}

/* ---- who sees what ------------------------------------------------------- */

TEST_F(netlink, other_network_namespaces_are_not_visible)
{
	struct nb_endpoint_info info;
	struct client other;

	ASSERT_EQ(0, nb_endpoint_get_info(self->nic.ep, &info));
	nb_host_new_netns();
	open_client(&other);
	/* No message has to be handed on. */
	EXPECT_EQ(0, dump(&other, NB_CMD_ENDPOINT_GET, 0, NULL, NULL));
	EXPECT_EQ(0, dump(&other, NB_CMD_QUEUE_GET, 0, NULL, NULL));
	EXPECT_EQ(-ENOENT, get_endpoint(&other, info.id, NULL, NULL));
	EXPECT_EQ(-ENOENT, dump(&other, NB_CMD_QUEUE_GET, info.id, NULL, NULL));
}

TEST_F(netlink, anybody_may_look)
{
	struct seen_endpoints *seen = calloc(1, sizeof(*seen));

	nb_test_become_nobody();
	open_client(&self->client);
	EXPECT_EQ(0, dump(&self->client, NB_CMD_ENDPOINT_GET, 0, see_endpoint, seen));
	EXPECT_EQ(1, seen->n);
}

/* ---- nbctl --------------------------------------------------------------- */

static void run_nbctl(const char *arguments, char *output, size_t size, int *status)
{
	char command[256];
	size_t len;
	FILE *pipe;

	snprintf(command, sizeof(command), "PATH=.:$PATH nbctl %s 2>&1", arguments);
	pipe = popen(command, "re");
	if (!pipe)
		nb_die("popen: %s", strerror(errno));
	len = fread(output, 1, size - 1, pipe);
	output[len] = 0;
	*status = pclose(pipe);
}

TEST_F(netlink, nbctl_shows_endpoints_and_queues)
{
	char output[16384], expected[128];
	struct nb_endpoint_info info;
	struct nb_queue_stats stats;
	int status;

	ASSERT_EQ(0, nb_endpoint_get_info(self->nic.ep, &info));
	ASSERT_EQ(0, nb_queue_stats(self->nic.queue, &stats));
	run_nbctl("show", output, sizeof(output), &status);
	EXPECT_EQ(0, status);
	snprintf(expected, sizeof(expected), "%u: %s: kind %s ", info.id,
		 info.name[0] ? info.name : "-", variant->kind->name);
	EXPECT_NE(NULL, strstr(output, expected)) TH_LOG("%s", output);
	EXPECT_NE(NULL, strstr(output, "queue 0: running")) TH_LOG("%s", output);
	EXPECT_NE(NULL, strstr(output, "queue 1: running")) TH_LOG("%s", output);
	snprintf(expected, sizeof(expected), " %llu ", (unsigned long long)stats.tx_bytes);
	EXPECT_NE(NULL, strstr(output, expected)) TH_LOG("%s", output);

	nb_host_new_netns();
	run_nbctl("show", output, sizeof(output), &status);
	EXPECT_EQ(0, status);
	EXPECT_STREQ("", output);
}

TEST_HARNESS_MAIN
