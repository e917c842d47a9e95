// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family, and nbctl: they show the endpoints of one's network
 * namespace as they are, and no others.
 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "nbgenl.h"
#include "nbtest.h"

static int dump(struct nb_genl *client, uint8_t command, uint32_t endpoint, nb_genl_fn fn,
		void *data)
{
	struct nb_genl_request request = nb_genl_request(client->family, command, NLM_F_DUMP);

	if (endpoint)
		nb_genl_add(&request, NB_A_QUEUE_ENDPOINT_ID, &endpoint, sizeof(endpoint));
	return nb_genl_talk(client, &request, fn, data);
}

static int get_endpoint(struct nb_genl *client, uint32_t id, nb_genl_fn fn, void *data)
{
	struct nb_genl_request request = nb_genl_request(client->family, NB_CMD_ENDPOINT_GET, 0);

	if (id)
		nb_genl_add(&request, NB_A_ENDPOINT_ID, &id, sizeof(id));
	return nb_genl_talk(client, &request, fn, data);
}

/* ---- fixture ------------------------------------------------------------- */

FIXTURE(netlink)
{
	struct nb_guest guest;
	struct nb_genl client;
	struct nb_nic nic;	/* with two queues */
};

FIXTURE_VARIANT(netlink)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(netlink, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(netlink, port) { .kind = &nb_test_switch };
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
	nb_genl_open(&self->client);
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
	info->id = nb_genl_u32(attributes[NB_A_ENDPOINT_ID]);
	strcpy(info->kind, nb_genl_string(attributes[NB_A_ENDPOINT_KIND]));
	strcpy(info->name, nb_genl_string(attributes[NB_A_ENDPOINT_NAME]));
	info->ifindex = nb_genl_u32(attributes[NB_A_ENDPOINT_IFINDEX]);
	memcpy(info->mac, nb_genl_payload(attributes[NB_A_ENDPOINT_MAC]), sizeof(info->mac));
	info->mtu = nb_genl_u32(attributes[NB_A_ENDPOINT_MTU]);
	info->properties = nb_genl_u32(attributes[NB_A_ENDPOINT_PROPERTIES]);
	info->tx_offloads = nb_genl_u32(attributes[NB_A_ENDPOINT_TX_OFFLOADS]);
	info->max_queues = nb_genl_u32(attributes[NB_A_ENDPOINT_MAX_QUEUES]);
	info->n_queues = nb_genl_u32(attributes[NB_A_ENDPOINT_QUEUES]);
	info->indirection_table_size = nb_genl_u32(attributes[NB_A_ENDPOINT_TABLE_SIZE]);
	info->link_speed = nb_genl_u64(attributes[NB_A_ENDPOINT_LINK_SPEED]);
	seen->pid = nb_genl_u32(attributes[NB_A_ENDPOINT_PID]);
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
	const struct nlattr *nest = attributes[NB_A_QUEUE_STATS], *values[NB_GENL_ATTRS];
	uint32_t index = nb_genl_u32(attributes[NB_A_QUEUE_INDEX]);
	struct seen_queues *seen = data;
	struct nb_queue_stats *stats;

	seen->n++;
	if (nb_genl_u32(attributes[NB_A_QUEUE_ENDPOINT_ID]) != seen->endpoint)
		return;
	if (index >= NB_TEST_QUEUES || seen->indices[index] || !nest ||
	    !attributes[NB_A_QUEUE_RING])
		nb_die("queue %u is there twice, or not whole", index);
	seen->indices[index] = true;
	stats = &seen->stats[index];
	nb_genl_parse(nb_genl_payload(nest), nest->nla_len - NLA_HDRLEN, values);
	stats->tx_packets = nb_genl_u64(values[NB_A_STATS_TX_PACKETS]);
	stats->tx_bytes = nb_genl_u64(values[NB_A_STATS_TX_BYTES]);
	stats->rx_packets = nb_genl_u64(values[NB_A_STATS_RX_PACKETS]);
	stats->rx_bytes = nb_genl_u64(values[NB_A_STATS_RX_BYTES]);
	stats->enters = nb_genl_u64(values[NB_A_STATS_ENTERS]);
	stats->notifies = nb_genl_u64(values[NB_A_STATS_NOTIFIES]);
	stats->held_back = nb_genl_u64(values[NB_A_STATS_HELD_BACK]);
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

TEST_F(netlink, a_setting_for_all_queues_is_of_those_that_are_there)
{
	struct nb_genl_request request = nb_genl_request(self->client.family, NB_CMD_QUEUE_SET,
							 NLM_F_ACK);
	struct nb_queue_moderation moderation;
	struct nb_endpoint_info info;
	uint32_t usecs = 77;
	struct {
		struct nlattr header;
		uint32_t usecs;
	} nest = { { sizeof(nest), NB_A_MODERATION_RX_USECS }, usecs };
	struct nb_nic nic;

	nb_nic_open(&nic, &self->guest, variant->kind, 0);
	nb_nic_start(&nic, 3, 64);
	nb_queue_close(nic.queues[1]);
	nb_ok(nb_endpoint_get_info(nic.ep, &info));
	nb_genl_add(&request, NB_A_QUEUE_ENDPOINT_ID, &info.id, sizeof(info.id));
	nb_genl_add(&request, NB_A_QUEUE_MODERATION | NLA_F_NESTED, &nest, sizeof(nest));
	EXPECT_EQ(0, nb_genl_talk(&self->client, &request, NULL, NULL));
	nb_ok(nb_queue_get_moderation(nic.queues[0], &moderation));
	EXPECT_EQ(usecs, moderation.rx_usecs);
	nb_ok(nb_queue_get_moderation(nic.queues[2], &moderation));
	EXPECT_EQ(usecs, moderation.rx_usecs);
	/* Without any, there is nothing to set. */
	nb_queue_close(nic.queues[0]);
	nb_queue_close(nic.queues[2]);
	EXPECT_EQ(-ENOENT, nb_genl_talk(&self->client, &request, NULL, NULL));
	nic.n_queues = 0;
	nb_nic_close(&nic);
}

/* ---- who sees what ------------------------------------------------------- */

TEST_F(netlink, other_network_namespaces_are_not_visible)
{
	struct nb_endpoint_info info;
	struct nb_genl other;

	ASSERT_EQ(0, nb_endpoint_get_info(self->nic.ep, &info));
	nb_host_new_netns();
	nb_genl_open(&other);
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
	nb_genl_open(&self->client);
	EXPECT_EQ(0, dump(&self->client, NB_CMD_ENDPOINT_GET, 0, see_endpoint, seen));
	EXPECT_EQ(1, seen->n);
}

/* In a PID namespace of its own: what is outside has no number there. */
static void look_as_another(const FIXTURE_DATA(netlink) *self, int parent)
{
	struct seen_endpoints *seen = calloc(1, sizeof(*seen));
	struct nb_endpoint_info info;
	struct nb_endpoint *mine;
	struct nb_genl client;

	nb_genl_open(&client);
	nb_ok(dump(&client, NB_CMD_ENDPOINT_GET, 0, see_endpoint, seen));
	if (seen->n != 1 || seen->pid)
		nb_die("%u endpoints, the last one of process %u", seen->n, seen->pid);
	nb_ok(nb_test_create(&self->guest, &nb_test_null, NULL, &mine));
	nb_ok(nb_endpoint_get_info(mine, &info));
	memset(seen, 0, sizeof(*seen));
	nb_ok(get_endpoint(&client, info.id, see_endpoint, seen));
	if (getpid() != 1 || seen->pid != 1)
		nb_die("process %d has made that of process %u", getpid(), seen->pid);
	nb_sys(write(parent, &info.id, sizeof(info.id)));
	/* Until it has looked. */
	nb_sys(read(parent, &info.id, 1));
	_exit(0);
}

TEST_F(netlink, a_process_number_is_what_the_caller_sees)
{
	struct seen_endpoints *seen = calloc(1, sizeof(*seen));
	int status, pair[2];
	uint32_t id;
	pid_t child;

	nb_sys(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	nb_sys(unshare(CLONE_NEWPID));
	child = nb_sys(fork());
	if (!child) {
		close(pair[0]);
		look_as_another(self, pair[1]);
	}
	close(pair[1]);
	ASSERT_EQ(sizeof(id), nb_sys(read(pair[0], &id, sizeof(id))));
	EXPECT_EQ(0, get_endpoint(&self->client, id, see_endpoint, seen));
	EXPECT_EQ(child, seen->pid);
	close(pair[0]);
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	free(seen);
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
