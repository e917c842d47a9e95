// SPDX-License-Identifier: GPL-2.0
/*
 * What an operator does to somebody else's endpoint by netlink: plugs backends out and in,
 * sets the link, is told of events.
 */
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include "kselftest_harness.h"
#include "nbgenl.h"
#include "nbtest.h"

FIXTURE(operator)
{
	struct nb_guest guest;
	struct nb_genl client;
	struct nb_genl events;
	struct nb_nic nic;	/* with a queue, and buffers */
	uint32_t id;
};

FIXTURE_VARIANT(operator)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(operator, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(operator, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(operator, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(operator, attach) { .kind = &nb_test_attach };

static struct nb_endpoint_info info_of(struct nb_nic *nic)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(nic->ep, &info));
	return info;
}

static void start(struct nb_nic *nic)
{
	nb_nic_start(nic, 1, 0);
	nb_bufs_post_all(&nic->bufs, nic->queue);
}

FIXTURE_SETUP(operator)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_genl_open(&self->client);
	nb_genl_open(&self->events);
	nb_genl_subscribe(&self->events);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	self->id = info_of(&self->nic).id;
	ASSERT_EQ(NB_EVENT_CREATED, nb_genl_next_event(&self->events, self->id));
	start(&self->nic);
}

FIXTURE_TEARDOWN(operator)
{
	nb_nic_close(&self->nic);
	nb_genl_close(&self->client);
	nb_genl_close(&self->events);
	nb_guest_close(&self->guest);
}

static struct nb_genl_request begin(struct nb_genl *client, uint8_t command, uint32_t id)
{
	struct nb_genl_request request = nb_genl_request(client->family, command, NLM_F_ACK);

	if (id)
		nb_genl_add(&request, NB_A_ENDPOINT_ID, &id, sizeof(id));
	return request;
}

static int disconnect(struct nb_genl *client, uint32_t id, uint64_t timeout_ns)
{
	struct nb_genl_request request = begin(client, NB_CMD_ENDPOINT_DISCONNECT, id);

	if (timeout_ns != NB_NO_TIMEOUT)
		nb_genl_add(&request, NB_A_ENDPOINT_TIMEOUT, &timeout_ns, sizeof(timeout_ns));
	return nb_genl_talk(client, &request, NULL, NULL);
}

static int connect_own(struct nb_genl *client, uint32_t id)
{
	struct nb_genl_request request = begin(client, NB_CMD_ENDPOINT_CONNECT, id);

	return nb_genl_talk(client, &request, NULL, NULL);
}

static int connect_from(struct nb_genl *client, uint32_t id, uint32_t from)
{
	struct nb_genl_request request = begin(client, NB_CMD_ENDPOINT_CONNECT, id);

	nb_genl_add(&request, NB_A_ENDPOINT_FROM, &from, sizeof(from));
	return nb_genl_talk(client, &request, NULL, NULL);
}

static int connect_kind(struct nb_genl *client, uint32_t id, const char *kind, const char *name)
{
	struct nb_genl_request request = begin(client, NB_CMD_ENDPOINT_CONNECT, id);

	if (kind)
		nb_genl_add(&request, NB_A_ENDPOINT_KIND, kind, strlen(kind) + 1);
	if (name)
		nb_genl_add(&request, NB_A_ENDPOINT_NAME, name, strlen(name) + 1);
	return nb_genl_talk(client, &request, NULL, NULL);
}

static int set_link(struct nb_genl *client, uint32_t id, uint32_t up)
{
	struct nb_genl_request request = begin(client, NB_CMD_ENDPOINT_SET, id);

	nb_genl_add(&request, NB_A_ENDPOINT_LINK, &up, sizeof(up));
	return nb_genl_talk(client, &request, NULL, NULL);
}

/* ---- disconnect and connect ---------------------------------------------- */

TEST_F(operator, disconnect_does_not_wait_and_events_tell_when_it_is_over)
{
	ASSERT_EQ(0, disconnect(&self->client, self->id, NB_NO_TIMEOUT));
	EXPECT_EQ(NB_EVENT_DISCONNECTING, nb_genl_next_event(&self->events, self->id));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_nic_stop(&self->nic);
	EXPECT_EQ(NB_EVENT_DISCONNECTED, nb_genl_next_event(&self->events, self->id));

	ASSERT_EQ(0, connect_own(&self->client, self->id));
	EXPECT_EQ(NB_EVENT_CONNECTED, nb_genl_next_event(&self->events, self->id));
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(operator, a_frontend_that_does_not_let_go_loses_its_queues_at_the_time_limit)
{
	ASSERT_EQ(0, disconnect(&self->client, self->id, 1000000));
	EXPECT_EQ(NB_EVENT_DISCONNECTING, nb_genl_next_event(&self->events, self->id));
	EXPECT_EQ(NB_EVENT_DISCONNECTED, nb_genl_next_event(&self->events, self->id));
	EXPECT_EQ((uint32_t)NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
}

TEST_F(operator, disconnect_without_time_is_over_at_once)
{
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	EXPECT_EQ((uint32_t)NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
	EXPECT_EQ(NB_EVENT_DISCONNECTED, nb_genl_next_event(&self->events, self->id));
}

TEST_F(operator, a_disconnect_under_way_can_be_given_another_time_limit)
{
	const uint64_t hour = 3600ull * 1000000000;

	ASSERT_EQ(0, disconnect(&self->client, self->id, NB_NO_TIMEOUT));
	EXPECT_EQ(NB_EVENT_DISCONNECTING, nb_genl_next_event(&self->events, self->id));
	EXPECT_EQ(0, disconnect(&self->client, self->id, hour));
	EXPECT_EQ(0, disconnect(&self->client, self->id, NB_NO_TIMEOUT));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	EXPECT_EQ(0, disconnect(&self->client, self->id, 0));
	EXPECT_EQ((uint32_t)NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
	EXPECT_EQ(NB_EVENT_DISCONNECTED, nb_genl_next_event(&self->events, self->id));
	EXPECT_EQ(-ENOTCONN, disconnect(&self->client, self->id, 0));

	/* And by the clock. */
	nb_nic_stop(&self->nic);
	ASSERT_EQ(0, connect_own(&self->client, self->id));
	EXPECT_EQ(NB_EVENT_CONNECTED, nb_genl_next_event(&self->events, self->id));
	start(&self->nic);
	ASSERT_EQ(0, disconnect(&self->client, self->id, hour));
	EXPECT_EQ(NB_EVENT_DISCONNECTING, nb_genl_next_event(&self->events, self->id));
	EXPECT_EQ(0, disconnect(&self->client, self->id, 1000000));
	EXPECT_EQ(NB_EVENT_DISCONNECTED, nb_genl_next_event(&self->events, self->id));
}

TEST_F(operator, nothing_is_made_for_an_endpoint_that_is_connected)
{
	EXPECT_EQ(-EISCONN, connect_kind(&self->client, self->id, "netdev", "lo"));
	EXPECT_NE(NULL, strstr(self->client.reason, "disconnect"));
	EXPECT_EQ(-EISCONN, connect_kind(&self->client, self->id, "netdev", "nbnew"));
	EXPECT_EQ(0U, if_nametoindex("nbnew"));
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	EXPECT_EQ(-EEXIST, connect_kind(&self->client, self->id, "netdev", "lo"));
	EXPECT_STRNE("", self->client.reason);
	EXPECT_STRNE("refused", self->client.reason);
}

TEST_F(operator, a_killed_frontend_lets_go)
{
	int status;
	pid_t child = nb_sys(fork());

	if (!child)
		pause();
	/* The child has the queue, and this process has not any more. */
	nb_nic_stop(&self->nic);
	ASSERT_EQ(0, disconnect(&self->client, self->id, NB_NO_TIMEOUT));
	EXPECT_EQ(NB_EVENT_DISCONNECTING, nb_genl_next_event(&self->events, self->id));
	nb_sys(kill(child, SIGKILL));
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(NB_EVENT_DISCONNECTED, nb_genl_next_event(&self->events, self->id));
}

TEST_F(operator, takes_a_backend_from_another_endpoint)
{
	struct nb_nic other;
	uint32_t from;

	nb_nic_open(&other, &self->guest, &nb_test_netdev, 0);
	from = info_of(&other).id;
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	nb_nic_stop(&self->nic);
	ASSERT_EQ(0, connect_from(&self->client, self->id, from));
	self->nic.kind = &nb_test_netdev;
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_nic_close(&other);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(operator, makes_a_new_backend_in_place_of_the_old_one)
{
	struct nb_endpoint_info before = info_of(&self->nic);

	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	nb_nic_stop(&self->nic);
	ASSERT_EQ(0, connect_kind(&self->client, self->id, "netdev", "nbnew"));
	EXPECT_NE(0U, if_nametoindex("nbnew"));
	if (before.ifindex && !variant->kind->takes_over)
		EXPECT_EQ(0U, if_nametoindex(before.name));
	EXPECT_STREQ("netdev", info_of(&self->nic).kind);
	EXPECT_STREQ(before.name, info_of(&self->nic).name);
	self->nic.kind = &nb_test_netdev;
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_nic_close(&self->nic);
	EXPECT_TRUE(nb_until(!if_nametoindex("nbnew")));
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
}

/* ---- link ---------------------------------------------------------------- */

static bool link_is(struct nb_nic *nic, bool up)
{
	return !!(info_of(nic).properties & NB_ENDPOINT_LINK_UP) == up;
}

TEST_F(operator, a_link_that_is_down_carries_nothing)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 100);
	struct nb_endpoint_info info = info_of(&self->nic);
	struct nb_tx_completion done;
	struct nb_queue_stats stats;

	ASSERT_TRUE(link_is(&self->nic, true));
	ASSERT_EQ(0, set_link(&self->client, self->id, 0));
	EXPECT_EQ(NB_EVENT_LINK, nb_genl_next_event(&self->events, self->id));
	EXPECT_TRUE(link_is(&self->nic, false));
	stats = nb_stats_of(self->nic.queue);
	ASSERT_EQ(1, nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->nic.queue, &done, 1));
	EXPECT_EQ((uint32_t)NB_TX_DROPPED, done.status);
	EXPECT_EQ(stats.tx_dropped + 1, nb_stats_of(self->nic.queue).tx_dropped);
	EXPECT_EQ(stats.rx_packets, nb_stats_of(self->nic.queue).rx_packets);

	ASSERT_EQ(0, set_link(&self->client, self->id, 1));
	EXPECT_TRUE(link_is(&self->nic, true));
	/* A carrier needs a moment, and the test's NIC waits for it. */
	nb_nic_stop(&self->nic);
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	if (info.ifindex)
		EXPECT_EQ((int)info.ifindex, (int)if_nametoindex(info.name));
}

TEST_F(operator, the_link_is_told_to_the_frontend_once)
{
	struct nb_action action;

	while (nb_endpoint_wait_for_action(self->nic.ep, &action, 0) == 1)
		;
	ASSERT_EQ(0, set_link(&self->client, self->id, 0));
	ASSERT_EQ(0, set_link(&self->client, self->id, 0));
	ASSERT_EQ(1, nb_endpoint_wait_for_action(self->nic.ep, &action, 0));
	EXPECT_EQ((uint32_t)NB_ACTION_LINK_STATUS_NOTIFY, action.type);
	EXPECT_EQ(0U, action.value);
	EXPECT_EQ(0, nb_endpoint_wait_for_action(self->nic.ep, &action, 0));
	ASSERT_EQ(0, set_link(&self->client, self->id, 1));
	ASSERT_EQ(0, set_link(&self->client, self->id, 0));
	ASSERT_EQ(0, set_link(&self->client, self->id, 1));
	ASSERT_EQ(1, nb_endpoint_wait_for_action(self->nic.ep, &action, 0));
	EXPECT_EQ(1U, action.value);
	EXPECT_EQ(0, nb_endpoint_wait_for_action(self->nic.ep, &action, 0));
}

TEST_F(operator, what_the_operator_wants_of_the_link_outlives_a_backend)
{
	struct nb_nic other;

	nb_nic_open(&other, &self->guest, &nb_test_loopback, 0);
	ASSERT_EQ(0, set_link(&self->client, self->id, 0));
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	nb_nic_stop(&self->nic);
	ASSERT_EQ(0, connect_from(&self->client, self->id, info_of(&other).id));
	EXPECT_TRUE(link_is(&self->nic, false));
	/* And does not follow it. */
	ASSERT_EQ(0, connect_own(&self->client, info_of(&other).id));
	if (variant->kind->sent != NB_COMES_TO_HOST)
		EXPECT_TRUE(link_is(&other, true));
	ASSERT_EQ(0, set_link(&self->client, self->id, 1));
	EXPECT_TRUE(link_is(&self->nic, true));
	nb_nic_close(&other);
}

FIXTURE(carrier)
{
	struct nb_guest guest;
	struct nb_genl client;
	struct nb_nic nic;
	struct nb_endpoint_info info;
};

FIXTURE_SETUP(carrier)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_genl_open(&self->client);
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	start(&self->nic);
	self->info = info_of(&self->nic);
}

FIXTURE_TEARDOWN(carrier)
{
	nb_nic_close(&self->nic);
	nb_genl_close(&self->client);
	nb_guest_close(&self->guest);
}

/* By netlink, because /sys is that of the namespace in which the harness has begun. */
static bool shows(const char *name, const char *what)
{
	return !nb_test_run("sh", "-c", "ip -o link show \"$0\" | grep -q \"$1\"", name, what,
			    NULL);
}

TEST_F(carrier, follows_the_operators_link_and_the_queues)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	const char *name = self->info.name;

	EXPECT_TRUE(shows(name, "LOWER_UP"));
	ASSERT_EQ(0, set_link(&self->client, self->info.id, 0));
	EXPECT_FALSE(shows(name, "LOWER_UP"));
	/* New queues do not bring it back. */
	nb_nic_stop(&self->nic);
	nb_ok(nb_endpoint_get_queues(self->nic.ep, self->guest.mem, &config, 1, NULL,
				     self->nic.queues));
	EXPECT_FALSE(shows(name, "LOWER_UP"));
	ASSERT_EQ(0, set_link(&self->client, self->info.id, 1));
	EXPECT_TRUE(shows(name, "LOWER_UP"));
	nb_queue_close(self->nic.queues[0]);
	EXPECT_FALSE(shows(name, "LOWER_UP"));
}

/* ---- who may, and what is refused ---------------------------------------- */

TEST_F(operator, without_cap_net_admin_nothing_is_done)
{
	int status;
	pid_t child = nb_sys(fork());

	if (!child) {
		struct nb_genl client;

		nb_test_drop_capability(CAP_NET_ADMIN);
		nb_genl_open(&client);
		_exit(disconnect(&client, self->id, 0) != -EPERM ||
		      connect_own(&client, self->id) != -EPERM ||
		      set_link(&client, self->id, 0) != -EPERM);
	}
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(operator, of_another_namespace_sees_no_endpoint)
{
	struct nb_genl client;

	nb_host_new_netns();
	nb_genl_open(&client);
	EXPECT_EQ(-ENOENT, disconnect(&client, self->id, 0));
	EXPECT_EQ(-ENOENT, connect_own(&client, self->id));
	EXPECT_EQ(-ENOENT, set_link(&client, self->id, 0));
	nb_genl_close(&client);
}

TEST_F(operator, bad_requests_are_refused_with_words_and_change_nothing)
{
	struct nb_genl *client = &self->client;

	EXPECT_EQ(-EISCONN, connect_own(client, self->id));
	EXPECT_NE(NULL, strstr(client->reason, "disconnect"));
	EXPECT_EQ(-EINVAL, disconnect(client, 0, 0));
	EXPECT_STRNE("", client->reason);
	EXPECT_EQ(-ENOENT, disconnect(client, 0x7ffffff0, 0));
	EXPECT_STRNE("", client->reason);
	EXPECT_TRUE(nb_nic_works(&self->nic));

	ASSERT_EQ(0, disconnect(client, self->id, 0));
	EXPECT_EQ(-ENOTCONN, disconnect(client, self->id, 0));
	EXPECT_STRNE("", client->reason);
	EXPECT_EQ(-ENOENT, connect_from(client, self->id, 0x7ffffff0));
	EXPECT_STRNE("", client->reason);
	EXPECT_EQ(-EINVAL, connect_from(client, self->id, self->id));
	EXPECT_STRNE("", client->reason);
	EXPECT_EQ(-ENOENT, connect_kind(client, self->id, "nonsense", NULL));
	EXPECT_STRNE("", client->reason);
	EXPECT_EQ(-EINVAL, connect_kind(client, self->id, NULL, "name"));
	EXPECT_STRNE("", client->reason);
	EXPECT_EQ(-EINVAL, connect_kind(client, self->id, "netdev", "a/b"));
	EXPECT_STRNE("", client->reason);
	EXPECT_EQ(-EINVAL, connect_kind(client, self->id, "a-kind-of-more-than-15", NULL));
	EXPECT_EQ(-ERANGE, set_link(client, self->id, 2));
	EXPECT_EQ(0, connect_own(client, self->id));
}

static int connect_with_params(struct nb_genl *client, uint32_t id, const char *kind,
			       const void *params, size_t len)
{
	struct nb_genl_request request = begin(client, NB_CMD_ENDPOINT_CONNECT, id);

	nb_genl_add(&request, NB_A_ENDPOINT_KIND, kind, strlen(kind) + 1);
	nb_genl_add(&request, NB_A_ENDPOINT_PARAMS, params, len);
	return nb_genl_talk(client, &request, NULL, NULL);
}

TEST_F(operator, params_for_a_kind_that_has_none_are_refused)
{
	char params[8] = { 0 };

	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	EXPECT_EQ(-EINVAL, connect_with_params(&self->client, self->id, "null", params,
					       sizeof(params)));
	EXPECT_STRNE("", self->client.reason);
	EXPECT_EQ(0, connect_own(&self->client, self->id));
}

TEST_F(operator, deletion_is_an_event)
{
	nb_nic_close(&self->nic);
	EXPECT_EQ(NB_EVENT_DELETED, nb_genl_next_event(&self->events, self->id));
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
}

TEST_HARNESS_MAIN
