// SPDX-License-Identifier: GPL-2.0
/*
 * What an operator does to somebody else's endpoint by netlink: plugs backends out and in,
 * sets the link, is told of events.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

static int connect_kind_once(struct nb_genl *client, uint32_t id, const char *kind,
			     const char *name)
{
	struct nb_genl_request request = begin(client, NB_CMD_ENDPOINT_CONNECT, id);

	if (kind)
		nb_genl_add(&request, NB_A_ENDPOINT_KIND, kind, strlen(kind) + 1);
	if (name)
		nb_genl_add(&request, NB_A_ENDPOINT_NAME, name, strlen(name) + 1);
	return nb_genl_talk(client, &request, NULL, NULL);
}

/* The same, and again while the kind is being loaded. */
static int connect_kind(struct nb_genl *client, uint32_t id, const char *kind, const char *name)
{
	int err = -EAGAIN;
	bool over = nb_until(err != -EAGAIN ||
			     (err = connect_kind_once(client, id, kind, name)) != -EAGAIN);

	if (!over)
		nb_die("kind %s is being loaded for ever", kind);
	return err;
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

TEST_F(operator, a_kind_is_loaded_while_nobody_waits_for_it)
{
	nb_test_run("sh", "-c", "rmmod net_backend_delay 2> /dev/null", NULL);
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	/* Genetlink's lock is held, which the module may want to take. */
	EXPECT_EQ(-EAGAIN, connect_kind_once(&self->client, self->id, "delay", NULL));
	EXPECT_NE(NULL, strstr(self->client.reason, "try again"));
	EXPECT_EQ(0, connect_kind(&self->client, self->id, "delay", NULL));
	EXPECT_STREQ("delay", info_of(&self->nic).kind);
}

static void *disconnect_run(void *arg)
{
	struct nb_nic *nic = arg;

	return (void *)(long)nb_endpoint_disconnect(nic->ep, NB_NO_TIMEOUT);
}

/* The owner waits for the end of a disconnect which the operator has begun. */
static pthread_t owner_joins(struct nb_nic *nic)
{
	pthread_t owner;

	if (pthread_create(&owner, NULL, disconnect_run, nic))
		nb_die("no thread");
	return owner;
}

static int result_of(pthread_t owner)
{
	void *result;

	pthread_join(owner, &result);
	return (int)(long)result;
}

TEST_F(operator, the_owner_joins_a_disconnect_and_does_not_lengthen_it)
{
	pthread_t owner;

	ASSERT_EQ(0, disconnect(&self->client, self->id, 1000000000));
	owner = owner_joins(&self->nic);
	EXPECT_EQ(0, result_of(owner));
	EXPECT_EQ((uint32_t)NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
}

TEST_F(operator, the_owner_may_shorten_a_disconnect)
{
	ASSERT_EQ(0, disconnect(&self->client, self->id, NB_NO_TIMEOUT));
	EXPECT_EQ((uint32_t)NB_QUEUE_RUNNING, nb_queue_state(self->nic.queue));
	EXPECT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 0));
	EXPECT_EQ((uint32_t)NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
}

TEST_F(operator, a_signal_to_the_owner_does_not_undo_what_the_operator_wants)
{
	int status;
	pid_t owner = nb_sys(fork());

	if (!owner)
		_exit(-nb_endpoint_disconnect(self->nic.ep, NB_NO_TIMEOUT));
	ASSERT_EQ(NB_EVENT_DISCONNECTING, nb_genl_next_event(&self->events, self->id));
	ASSERT_EQ(0, disconnect(&self->client, self->id, NB_NO_TIMEOUT));
	nb_sys(kill(owner, SIGTERM));
	nb_sys(waitpid(owner, &status, 0));
	EXPECT_FALSE(info_of(&self->nic).properties & NB_ENDPOINT_CONNECTED);
	nb_nic_stop(&self->nic);
	EXPECT_EQ(NB_EVENT_DISCONNECTED, nb_genl_next_event(&self->events, self->id));
}

/* ---- actions ------------------------------------------------------------- */

struct reader {
	struct nb_nic *nic;
	struct nb_action action;
	int reads;	/* how often it has begun to read */
	bool by_poll;
};

/* Waits in read() itself, or in poll(). */
static void *reader_run(void *arg)
{
	struct reader *reader = arg;
	int fd = nb_endpoint_fd(reader->nic->ep);
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	__atomic_store_n(&reader->reads, 1, __ATOMIC_RELEASE);
	if (reader->by_poll && poll(&wait, 1, -1) != 1)
		return NULL;
	return (void *)(long)read(fd, &reader->action, sizeof(reader->action));
}

/* Whether the thread sleeps in the kernel: it has nothing else to wait for. */
static bool thread_sleeps(pid_t tid)
{
	char path[64], text[256];
	const char *state;
	FILE *file;
	bool sleeps = false;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (fgets(text, sizeof(text), file)) {
		state = strrchr(text, ')');
		sleeps = state && state[2] == 'S';
	}
	fclose(file);
	return sleeps;
}

static pthread_t reader_start(struct reader *reader, struct nb_nic *nic, bool by_poll)
{
	struct nb_action action;
	pthread_t thread;
	pid_t tid;

	while (nb_endpoint_wait_for_action(nic->ep, &action, 0) == 1)
		;
	*reader = (struct reader){ .nic = nic, .by_poll = by_poll };
	if (pthread_create(&thread, NULL, reader_run, reader) ||
	    !nb_until(__atomic_load_n(&reader->reads, __ATOMIC_ACQUIRE)))
		nb_die("no thread");
	tid = nb_test_other_thread();
	if (!nb_until(thread_sleeps(tid)))
		nb_die("the reader does not wait");
	return thread;
}

static void check_reader(struct __test_metadata *_metadata, pthread_t thread,
			 const struct reader *reader, uint32_t type)
{
	void *n;

	pthread_join(thread, &n);
	EXPECT_EQ((long)sizeof(reader->action), (long)n);
	EXPECT_EQ(type, reader->action.type);
}

TEST_F(operator, who_waits_for_actions_is_woken)
{
	struct reader reader;
	pthread_t thread;
	int by_poll;

	for (by_poll = 0; by_poll < 2; by_poll++) {
		thread = reader_start(&reader, &self->nic, by_poll);
		ASSERT_EQ(0, set_link(&self->client, self->id, 0));
		check_reader(_metadata, thread, &reader, NB_ACTION_LINK_STATUS_NOTIFY);
		EXPECT_EQ(0U, reader.action.value);

		/* The link stays down, so that nothing else is told. */
		thread = reader_start(&reader, &self->nic, by_poll);
		ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
		check_reader(_metadata, thread, &reader, NB_ACTION_RESTART_REQUIRED);

		thread = reader_start(&reader, &self->nic, by_poll);
		ASSERT_EQ(0, connect_own(&self->client, self->id));
		check_reader(_metadata, thread, &reader, NB_ACTION_RESTART_REQUIRED);

		thread = reader_start(&reader, &self->nic, by_poll);
		ASSERT_EQ(0, set_link(&self->client, self->id, 1));
		check_reader(_metadata, thread, &reader, NB_ACTION_LINK_STATUS_NOTIFY);
		EXPECT_EQ(1U, reader.action.value);

		nb_nic_stop(&self->nic);
		start(&self->nic);
	}
}

TEST_F(operator, a_signal_ends_the_wait_for_actions)
{
	struct nb_action action;
	ssize_t n;
	int err;

	nb_test_interrupt(true);
	/* An interface may have something to tell first. */
	do {
		n = read(nb_endpoint_fd(self->nic.ep), &action, sizeof(action));
		err = errno;
	} while (n > 0);
	nb_test_interrupt(false);
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EINTR, err);
	ASSERT_EQ(0, set_link(&self->client, self->id, 0));
	ASSERT_EQ(1, nb_endpoint_wait_for_action(self->nic.ep, &action, NB_PATIENCE));
	EXPECT_EQ(NB_ACTION_LINK_STATUS_NOTIFY, action.type);
}

TEST_F(operator, several_actions_are_read_at_once_and_none_is_lost)
{
	struct nb_action actions[4];
	int fd = nb_endpoint_fd(self->nic.ep);
	void *nowhere;

	while (nb_endpoint_wait_for_action(self->nic.ep, actions, 0) == 1)
		;
	ASSERT_EQ(0, set_link(&self->client, self->id, 0));
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));

	/* What cannot be handed over stays. */
	nowhere = mmap(NULL, NB_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, nowhere);
	EXPECT_EQ(-1, read(fd, nowhere, sizeof(actions)));
	EXPECT_EQ(EFAULT, errno);
	munmap(nowhere, NB_PAGE);

	ASSERT_EQ((ssize_t)(2 * sizeof(actions[0])), read(fd, actions, sizeof(actions)));
	EXPECT_EQ((uint32_t)NB_ACTION_RESTART_REQUIRED, actions[0].type);
	EXPECT_EQ((uint32_t)NB_ACTION_LINK_STATUS_NOTIFY, actions[1].type);
	EXPECT_EQ(0U, actions[1].value);
	EXPECT_EQ(0, nb_endpoint_wait_for_action(self->nic.ep, actions, 0));
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

TEST_F(carrier, who_waits_for_actions_is_woken_by_the_interface)
{
	struct reader reader;
	pthread_t thread;

	thread = reader_start(&reader, &self->nic, false);
	ASSERT_EQ(0, nb_test_run("ip", "link", "set", self->info.name, "down", NULL));
	check_reader(_metadata, thread, &reader, NB_ACTION_LINK_STATUS_NOTIFY);
	EXPECT_EQ(0U, reader.action.value);
}

/* A quiesced queue is closed: its successor is awaited, and its packets with it. */
static void quiesce_and_close(struct nb_nic *nic)
{
	nb_ok(nb_queue_quiesce(nic->queue));
	nb_queue_close(nic->queue);
	nic->queue = NULL;
	nic->n_queues = 0;
}

TEST_F(carrier, goes_when_the_backend_goes_whose_next_queue_is_awaited)
{
	quiesce_and_close(&self->nic);
	EXPECT_TRUE(shows(self->info.name, "LOWER_UP"));
	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
	EXPECT_FALSE(shows(self->info.name, "LOWER_UP"));
}

TEST_F(carrier, goes_when_the_last_queue_of_a_backend_that_goes_was_quiesced)
{
	ASSERT_EQ(0, disconnect(&self->client, self->info.id, NB_NO_TIMEOUT));
	quiesce_and_close(&self->nic);
	EXPECT_FALSE(shows(self->info.name, "LOWER_UP"));
}

TEST_F(carrier, goes_when_the_backend_is_taken_whose_next_queue_is_awaited)
{
	struct nb_nic other;

	nb_nic_open(&other, &self->guest, &nb_test_loopback, 0);
	nb_ok(nb_endpoint_disconnect(other.ep, 0));
	quiesce_and_close(&self->nic);
	nb_ok(nb_endpoint_connect(other.ep, self->nic.ep));
	EXPECT_FALSE(shows(self->info.name, "LOWER_UP"));
	nb_nic_close(&other);
}

/* What the frontend was told last counts, and not what it was told first. */
TEST_F(carrier, the_mtu_is_remembered_as_it_was_when_the_backend_went)
{
	struct nb_nic other;

	ASSERT_EQ(0, nb_test_run("ip", "link", "set", self->info.name, "mtu", "1300", NULL));
	nb_nic_stop(&self->nic);
	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
	EXPECT_EQ(1300, info_of(&self->nic).mtu);

	nb_ok(nb_endpoint_connect(self->nic.ep, NULL));
	ASSERT_EQ(0, nb_test_run("ip", "link", "set", self->info.name, "mtu", "1200", NULL));
	nb_nic_open(&other, &self->guest, &nb_test_loopback, 0);
	nb_ok(nb_endpoint_disconnect(other.ep, 0));
	nb_ok(nb_endpoint_connect(other.ep, self->nic.ep));
	EXPECT_EQ(1200, info_of(&self->nic).mtu);
	nb_nic_close(&other);
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

TEST_F(operator, params_make_a_backend_of_a_kind_that_needs_them)
{
	struct nb_attach_params params = { .ifname = "nbdummy" };

	ASSERT_EQ(0, nb_test_run("ip", "link", "add", "nbdummy", "type", "dummy", NULL));
	ASSERT_EQ(0, nb_test_run("ip", "link", "set", "nbdummy", "up", NULL));
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	EXPECT_EQ(-EINVAL, connect_kind(&self->client, self->id, "attach", NULL));
	EXPECT_STRNE("", self->client.reason);
	EXPECT_EQ(0, connect_with_params(&self->client, self->id, "attach", &params,
					 sizeof(params)));
	EXPECT_EQ(if_nametoindex("nbdummy"), info_of(&self->nic).ifindex);
}

TEST_F(operator, nbctl_makes_backends_of_kinds_that_need_more_than_a_name)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", self->id);
	nb_test_run("sh", "-c", "rmmod net_backend_delay 2> /dev/null", NULL);
	ASSERT_EQ(0, nb_test_run("ip", "link", "add", "nbdummy", "type", "dummy", NULL));
	ASSERT_EQ(0, nb_test_run("ip", "link", "set", "nbdummy", "up", NULL));
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	EXPECT_EQ(2, nb_test_run("nbctl", "connect", id, "kind", "attach", NULL));
	EXPECT_EQ(2, nb_test_run("nbctl", "connect", id, "dev", "nbdummy", NULL));
	EXPECT_EQ(2, nb_test_run("nbctl", "connect", id, "kind", "switch", "switch", "s", "vlan",
				 "4095", NULL));
	ASSERT_EQ(0, nb_test_run("nbctl", "connect", id, "kind", "attach", "dev", "nbdummy",
				 "promisc", NULL));
	EXPECT_EQ(if_nametoindex("nbdummy"), info_of(&self->nic).ifindex);
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	ASSERT_EQ(0, nb_test_run("nbctl", "connect", id, "kind", "switch", "switch", "s", "vlan",
				 "7", "isolated", NULL));
	EXPECT_STREQ("switch", info_of(&self->nic).kind);
	EXPECT_EQ(0, nb_test_run("sh", "-c", "nbctl switch port s | grep -q isolated", NULL));
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	/* Which has to be loaded. */
	EXPECT_EQ(0, nb_test_run("nbctl", "connect", id, "kind", "delay", NULL));
	EXPECT_STREQ("delay", info_of(&self->nic).kind);
	ASSERT_EQ(0, disconnect(&self->client, self->id, 0));
	EXPECT_EQ(1, nb_test_run("nbctl", "connect", id, "kind", "nonsense", NULL));
}

TEST_F(operator, deletion_is_an_event)
{
	nb_nic_close(&self->nic);
	EXPECT_EQ(NB_EVENT_DELETED, nb_genl_next_event(&self->events, self->id));
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
}

TEST_HARNESS_MAIN
