// SPDX-License-Identifier: GPL-2.0
/*
 * The crate's DisconnectableEndpoint, for each kind: the owner of an endpoint plugs its
 * backend out and in, here and elsewhere, while the frontend runs.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

FIXTURE(connect)
{
	struct nb_guest guest;
	struct nb_nic nic;	/* with a queue, and buffers */
};

FIXTURE_VARIANT(connect)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(connect, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(connect, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(connect, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(connect, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(connect, attach) { .kind = &nb_test_attach };

static void start(struct nb_nic *nic)
{
	nb_nic_start(nic, 1, 0);
	nb_bufs_post_all(&nic->bufs, nic->queue);
}

FIXTURE_SETUP(connect)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	start(&self->nic);
	ASSERT_TRUE(nb_nic_works(&self->nic));
}

FIXTURE_TEARDOWN(connect)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- what the frontend is told ------------------------------------------- */

struct told {
	unsigned int restarts, links;
	bool link_up;		/* of the last record */
};

/* Reads all actions that there are. */
static struct told read_actions(struct nb_endpoint *ep)
{
	struct told told = { 0 };
	struct nb_action action;

	while (nb_endpoint_wait_for_action(ep, &action, 0) == 1) {
		if (action.type == NB_ACTION_RESTART_REQUIRED) {
			told.restarts++;
		} else {
			told.links++;
			told.link_up = action.value;
		}
	}
	return told;
}

static struct nb_endpoint_info info_of(struct nb_endpoint *ep)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(ep, &info));
	return info;
}

static bool is_connected(struct nb_endpoint *ep)
{
	return info_of(ep).properties & NB_ENDPOINT_CONNECTED;
}

static void disconnect_idle(struct nb_nic *nic)
{
	nb_nic_stop(nic);
	nb_ok(nb_endpoint_disconnect(nic->ep, NB_NO_TIMEOUT));
}

/* ---- a disconnect in a thread of its own --------------------------------- */

struct disconnect {
	pthread_t thread;
	struct nb_endpoint *ep;
	uint64_t timeout_ns;
	int result;
	int over;
};

static void *disconnect_run(void *arg)
{
	struct disconnect *disconnect = arg;

	disconnect->result = nb_endpoint_disconnect(disconnect->ep, disconnect->timeout_ns);
	__atomic_store_n(&disconnect->over, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_over(const struct disconnect *disconnect)
{
	return __atomic_load_n(&disconnect->over, __ATOMIC_ACQUIRE);
}

/* Begins, and waits until the frontend has been told. */
static void disconnect_begin(struct disconnect *disconnect, struct nb_endpoint *ep,
			     uint64_t timeout_ns)
{
	*disconnect = (struct disconnect){ .ep = ep, .timeout_ns = timeout_ns };
	if (pthread_create(&disconnect->thread, NULL, disconnect_run, disconnect))
		nb_die("no thread");
	if (!nb_until(!is_connected(ep)))
		nb_die("the disconnect does not begin");
}

static int disconnect_end(struct disconnect *disconnect)
{
	pthread_join(disconnect->thread, NULL);
	return disconnect->result;
}

/* ---- null in between ----------------------------------------------------- */

static bool discards_and_receives_nothing(struct nb_nic *nic)
{
	struct nb_tx_segment segment = nb_tx_frame(nic->guest, 0, 60);
	bool quiet;

	nb_nic_start(nic, 1, 0);
	nb_bufs_post_all(&nic->bufs, nic->queue);
	nb_tx_all(nic->queue, &segment, 1);
	quiet = nb_queue_poll_ready(nic->queue, 0) == 0 && nb_stats_of(nic->queue).rx_packets == 0;
	nb_nic_stop(nic);
	return quiet;
}

TEST_F(connect, without_a_backend_transmits_are_discarded_and_nothing_is_received)
{
	disconnect_idle(&self->nic);
	/* The interface is still there, but its packets go nowhere. */
	self->nic.kind = &nb_test_null;
	EXPECT_TRUE(discards_and_receives_nothing(&self->nic));
	self->nic.kind = variant->kind;
}

TEST_F(connect, capabilities_stay_those_of_the_last_backend)
{
	struct nb_endpoint_info before = info_of(self->nic.ep), after;

	disconnect_idle(&self->nic);
	after = info_of(self->nic.ep);
	EXPECT_EQ(before.tx_offloads, after.tx_offloads);
	EXPECT_EQ(before.indirection_table_size, after.indirection_table_size);
	EXPECT_EQ(before.max_queues, after.max_queues);
	EXPECT_EQ(before.mtu, after.mtu);
	EXPECT_EQ(before.link_speed, after.link_speed);
	EXPECT_EQ(0, memcmp(before.mac, after.mac, sizeof(before.mac)));
	EXPECT_STREQ(before.name, after.name);
	EXPECT_EQ(before.properties & ~(NB_ENDPOINT_LINK_UP | NB_ENDPOINT_CONNECTED),
		  after.properties);
}

TEST_F(connect, comes_back_whole)
{
	struct nb_endpoint_info before = info_of(self->nic.ep), after;

	disconnect_idle(&self->nic);
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
	after = info_of(self->nic.ep);
	EXPECT_TRUE(after.properties & NB_ENDPOINT_CONNECTED);
	EXPECT_EQ(before.ifindex, after.ifindex);
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(connect, disconnect_and_connect_both_require_a_restart)
{
	struct told told;

	nb_nic_stop(&self->nic);
	read_actions(self->nic.ep);
	ASSERT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 0));
	told = read_actions(self->nic.ep);
	EXPECT_EQ(1, told.restarts);
	EXPECT_EQ(1, told.links);
	EXPECT_FALSE(told.link_up);
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
	told = read_actions(self->nic.ep);
	EXPECT_EQ(1, told.restarts);
	EXPECT_EQ(1, told.links);
	EXPECT_TRUE(told.link_up);
}

TEST_F(connect, what_cannot_be_handed_over_is_told_again)
{
	char *pages = mmap(NULL, 2 * NB_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const size_t size = sizeof(struct nb_action);
	int fd = nb_endpoint_fd(self->nic.ep);
	struct told told;

	ASSERT_NE(MAP_FAILED, (void *)pages);
	ASSERT_EQ(0, mprotect(pages + NB_PAGE, NB_PAGE, PROT_NONE));
	read_actions(self->nic.ep);
	disconnect_idle(&self->nic);
	EXPECT_EQ(-1, read(fd, pages + NB_PAGE, size));
	EXPECT_EQ(EFAULT, errno);
	/* there is room for one of two, and the other is that of the link */
	EXPECT_EQ(size, read(fd, pages + NB_PAGE - size, 2 * size));
	EXPECT_EQ(NB_ACTION_RESTART_REQUIRED, ((struct nb_action *)(pages + NB_PAGE - size))->type);
	told = read_actions(self->nic.ep);
	EXPECT_EQ(0, told.restarts);
	EXPECT_EQ(1, told.links);
	EXPECT_FALSE(told.link_up);
	munmap(pages, 2 * NB_PAGE);
}

TEST_F(connect, queues_made_while_disconnected_stay_null_until_they_are_made_anew)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 60);

	disconnect_idle(&self->nic);
	self->nic.kind = &nb_test_null;
	start(&self->nic);
	self->nic.kind = variant->kind;
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
	nb_tx_all(self->nic.queue, &segment, 1);
	EXPECT_EQ(0, nb_stats_of(self->nic.queue).rx_packets);
	EXPECT_EQ((uint32_t)NB_QUEUE_RUNNING, nb_queue_state(self->nic.queue));
	EXPECT_EQ(-EBUSY, nb_endpoint_stop(self->nic.ep));
	nb_nic_stop(&self->nic);
	EXPECT_EQ(0, nb_endpoint_stop(self->nic.ep));
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

/* ---- letting go ---------------------------------------------------------- */

/* They are not those of the backend that is there: it gets the table with its own. */
TEST_F(connect, rss_for_queues_made_while_disconnected_does_not_reach_the_backend)
{
	static const uint8_t key[40];
	static const uint16_t table;
	const struct nb_rss_config rss = {
		.key = (uintptr_t)key,
		.key_len = sizeof(key),
		.table = (uintptr_t)&table,
		.table_len = 1,
	};
	bool has_rss;

	disconnect_idle(&self->nic);
	self->nic.kind = &nb_test_null;
	start(&self->nic);
	self->nic.kind = variant->kind;
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
	has_rss = info_of(self->nic.ep).indirection_table_size;
	EXPECT_EQ(has_rss ? 0 : -EOPNOTSUPP, nb_endpoint_set_rss(self->nic.ep, &rss));
	EXPECT_EQ(has_rss ? 0 : -EOPNOTSUPP, nb_endpoint_set_rss(self->nic.ep, &rss));
	nb_nic_stop(&self->nic);
	EXPECT_EQ(0, nb_endpoint_stop(self->nic.ep));
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(connect, disconnect_waits_for_the_queues_which_work_meanwhile)
{
	struct disconnect disconnect;

	disconnect_begin(&disconnect, self->nic.ep, NB_NO_TIMEOUT);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	EXPECT_FALSE(is_over(&disconnect));
	nb_nic_stop(&self->nic);
	EXPECT_EQ(0, disconnect_end(&disconnect));
	EXPECT_FALSE(is_connected(self->nic.ep));
}

TEST_F(connect, it_waits_for_other_processes_to_let_go_and_new_queues_are_null_then)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct disconnect disconnect;
	struct nb_queue *shared;
	int fd = nb_sys(dup(nb_queue_fd(self->nic.queue)));

	nb_ok(nb_queue_from_fd(fd, &shared));
	disconnect_begin(&disconnect, self->nic.ep, NB_NO_TIMEOUT);
	nb_nic_stop(&self->nic);
	EXPECT_FALSE(is_over(&disconnect));
	EXPECT_EQ(-EBUSY, nb_endpoint_get_queues(self->nic.ep, self->guest.mem, &config, 1, NULL,
						 self->nic.queues));
	nb_queue_close(shared);
	EXPECT_EQ(0, disconnect_end(&disconnect));
	self->nic.kind = &nb_test_null;
	EXPECT_TRUE(discards_and_receives_nothing(&self->nic));
	self->nic.kind = variant->kind;
}

static void check_failed_queue(struct __test_metadata *_metadata, struct nb_nic *nic)
{
	struct pollfd wait = { .fd = nb_queue_fd(nic->queue), .events = POLLIN };
	struct nb_tx_segment segment = nb_tx_frame(nic->guest, 0, 60);

	EXPECT_EQ((uint32_t)NB_QUEUE_RESTART, nb_queue_state(nic->queue));
	EXPECT_EQ(-ENETRESET, nb_queue_enter(nic->queue, NB_ENTER_TX | NB_ENTER_RX, 0, NULL));
	EXPECT_EQ(-ENETRESET, nb_queue_tx_avail(nic->queue, &segment, 1, NULL));
	EXPECT_EQ(1, nb_sys(poll(&wait, 1, 0)));
	EXPECT_TRUE(wait.revents & POLLERR);
}

TEST_F(connect, after_the_time_limit_the_queues_need_a_restart)
{
	ASSERT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 1000000));
	check_failed_queue(_metadata, &self->nic);

	/* The backend is free, although the fd is still open. */
	EXPECT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
	EXPECT_EQ(-EBUSY, nb_endpoint_stop(self->nic.ep));
	check_failed_queue(_metadata, &self->nic);

	/* TryRestart: stop and get_queues, and nothing else. */
	nb_nic_stop(&self->nic);
	EXPECT_EQ(0, nb_endpoint_stop(self->nic.ep));
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(connect, no_time_at_all_fails_the_queues_at_once)
{
	ASSERT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 0));
	check_failed_queue(_metadata, &self->nic);
}

static void *wait_for_packet(void *arg)
{
	struct nb_nic *nic = arg;

	return (void *)(long)nb_queue_enter(nic->queue, NB_ENTER_WAIT_RX, NB_NO_TIMEOUT, NULL);
}

TEST_F(connect, who_waits_in_enter_is_woken_when_the_queue_needs_a_restart)
{
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_packet, &self->nic));
	ASSERT_TRUE(nb_until(nb_stats_of(self->nic.queue).enters > 0));
	ASSERT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 0));
	pthread_join(thread, &result);
	EXPECT_EQ(-ENETRESET, (int)(long)result);
}

static void on_signal(int number)
{
	(void)number;
}

TEST_F(connect, a_signal_plugs_the_backend_in_again)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct disconnect disconnect;
	struct told told;

	nb_sys(sigaction(SIGUSR1, &action, NULL));
	read_actions(self->nic.ep);
	disconnect_begin(&disconnect, self->nic.ep, NB_NO_TIMEOUT);
	while (!is_over(&disconnect)) {
		pthread_kill(disconnect.thread, SIGUSR1);
		usleep(1000);
	}
	EXPECT_EQ(-EINTR, disconnect_end(&disconnect));
	EXPECT_TRUE(is_connected(self->nic.ep));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	told = read_actions(self->nic.ep);
	EXPECT_EQ(1, told.restarts);
	if (told.links)
		EXPECT_TRUE(told.link_up);
	EXPECT_TRUE(info_of(self->nic.ep).properties & NB_ENDPOINT_LINK_UP);
}

/* ---- elsewhere ----------------------------------------------------------- */

TEST_F(connect, a_backend_works_at_another_endpoint)
{
	struct nb_endpoint_info first = info_of(self->nic.ep), second;
	struct nb_nic other;

	nb_nic_open(&other, &self->guest, &nb_test_null, 0);
	disconnect_idle(&self->nic);
	nb_ok(nb_endpoint_disconnect(other.ep, 0));
	ASSERT_EQ(0, nb_endpoint_connect(other.ep, self->nic.ep));

	second = info_of(other.ep);
	EXPECT_STREQ(variant->kind->name, second.kind);
	EXPECT_EQ(first.ifindex, second.ifindex);
	EXPECT_STREQ("null", info_of(self->nic.ep).kind);
	EXPECT_FALSE(is_connected(self->nic.ep));
	/* Names and addresses are the endpoints'. */
	EXPECT_STREQ(first.name, info_of(self->nic.ep).name);
	EXPECT_EQ(0, memcmp(first.mac, info_of(self->nic.ep).mac, sizeof(first.mac)));
	EXPECT_NE(0, memcmp(first.mac, second.mac, sizeof(first.mac)));

	other.kind = variant->kind;
	other.pair = self->nic.pair;
	start(&other);
	EXPECT_TRUE(nb_nic_works(&other));
	nb_nic_close(&other);

	/* That was the end of the backend. */
	if (!variant->kind->takes_over)
		EXPECT_EQ(0U, first.ifindex ? if_nametoindex(first.name) : 0);
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
	self->nic.kind = &nb_test_null;
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(connect, there_and_back_again)
{
	struct nb_nic other;
	int i;

	nb_nic_open(&other, &self->guest, &nb_test_loopback, 0);
	disconnect_idle(&self->nic);
	for (i = 0; i < 10; i++) {
		/* From an endpoint that is connected, which ends that. */
		ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, other.ep));
		EXPECT_FALSE(is_connected(other.ep));
		self->nic.kind = &nb_test_loopback;
		start(&self->nic);
		ASSERT_TRUE(nb_nic_works(&self->nic));
		disconnect_idle(&self->nic);

		ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, other.ep));
		self->nic.kind = variant->kind;
		start(&self->nic);
		ASSERT_TRUE(nb_nic_works(&self->nic));
		disconnect_idle(&self->nic);
	}
	nb_nic_close(&other);
}

TEST_F(connect, who_gives_its_backend_away_gets_null_and_a_restart)
{
	struct nb_nic other;

	nb_nic_open(&other, &self->guest, &nb_test_loopback, 0);
	disconnect_idle(&self->nic);
	read_actions(other.ep);
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, other.ep));
	EXPECT_EQ(1, read_actions(other.ep).restarts);
	other.kind = &nb_test_null;
	EXPECT_TRUE(discards_and_receives_nothing(&other));
	nb_nic_close(&other);
}

/* ---- order --------------------------------------------------------------- */

TEST_F(connect, an_ordered_endpoint_stays_ordered)
{
	struct nb_nic jitter;

	nb_nic_open(&jitter, &self->guest, &nb_test_delay_jitter, 0);
	ASSERT_FALSE(nb_endpoint_is_ordered(jitter.ep));
	ASSERT_TRUE(nb_endpoint_is_ordered(self->nic.ep));
	disconnect_idle(&self->nic);
	EXPECT_EQ(-EINVAL, nb_endpoint_connect(self->nic.ep, jitter.ep));
	EXPECT_NE(NULL, strstr(nb_error(), "order"));
	EXPECT_TRUE(is_connected(jitter.ep));

	/* One that was not may become so, and then is for ever. */
	nb_ok(nb_endpoint_disconnect(jitter.ep, 0));
	ASSERT_EQ(0, nb_endpoint_connect(jitter.ep, self->nic.ep));
	EXPECT_TRUE(nb_endpoint_is_ordered(jitter.ep));
	nb_ok(nb_endpoint_disconnect(jitter.ep, 0));
	EXPECT_TRUE(nb_endpoint_is_ordered(jitter.ep));
	EXPECT_EQ(-EINVAL, nb_endpoint_connect(jitter.ep, self->nic.ep));
	nb_nic_close(&jitter);
}

/* ---- bad calls ----------------------------------------------------------- */

TEST_F(connect, is_refused_while_a_backend_is_plugged_in)
{
	EXPECT_EQ(-EISCONN, nb_endpoint_connect(self->nic.ep, NULL));
	EXPECT_NE(NULL, strstr(nb_error(), "disconnect"));
	nb_nic_stop(&self->nic);
	EXPECT_EQ(-EISCONN, nb_endpoint_connect(self->nic.ep, NULL));
}

TEST_F(connect, disconnect_is_refused_without_a_backend)
{
	disconnect_idle(&self->nic);
	EXPECT_EQ(-ENOTCONN, nb_endpoint_disconnect(self->nic.ep, 0));
	EXPECT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
}

TEST_F(connect, a_backend_in_use_cannot_be_taken)
{
	struct nb_nic other;

	nb_nic_open(&other, &self->guest, &nb_test_null, 0);
	nb_ok(nb_endpoint_disconnect(other.ep, 0));
	EXPECT_EQ(-EBUSY, nb_endpoint_connect(other.ep, self->nic.ep));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_nic_close(&other);
}

TEST_F(connect, is_refused_while_the_last_backend_is_in_use)
{
	struct disconnect disconnect;

	disconnect_begin(&disconnect, self->nic.ep, NB_NO_TIMEOUT);
	EXPECT_EQ(-EBUSY, nb_endpoint_connect(self->nic.ep, NULL));
	nb_nic_stop(&self->nic);
	EXPECT_EQ(0, disconnect_end(&disconnect));
	EXPECT_EQ(-ENOTCONN, nb_endpoint_disconnect(self->nic.ep, 0));
}

static int call_connect(struct nb_endpoint *ep, uint32_t flags, int32_t from, uint32_t reserved)
{
	struct nb_connect call = {
		.size = sizeof(call),
		.flags = flags,
		.from_fd = from,
		.reserved = reserved,
	};

	return nb_raw_call(nb_endpoint_fd(ep), NB_ENDPOINT_CONNECT, &call);
}

TEST_F(connect, wrong_arguments_are_refused_with_words)
{
	struct nb_endpoint *ep = self->nic.ep;

	disconnect_idle(&self->nic);
	EXPECT_EQ(-EINVAL, call_connect(ep, NB_CONNECT_FROM, nb_endpoint_fd(ep), 0));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EINVAL, call_connect(ep, 0, 1, 0));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EINVAL, call_connect(ep, 0, 0, 1));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EINVAL, call_connect(ep, 2, 0, 0));
	EXPECT_EQ(-EBADF, call_connect(ep, NB_CONNECT_FROM, 0, 0));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EBADF, call_connect(ep, NB_CONNECT_FROM, -1, 0));
	EXPECT_EQ(-EBADF, call_connect(ep, NB_CONNECT_FROM, nb_memory_fd(self->guest.mem), 0));
	EXPECT_FALSE(is_connected(ep));
	EXPECT_EQ(0, nb_endpoint_connect(ep, NULL));
}

TEST_F(connect, without_a_backend_there_is_no_other_data_path)
{
	disconnect_idle(&self->nic);
	EXPECT_EQ(-EOPNOTSUPP, nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, true));
	EXPECT_NE(NULL, strstr(nb_error(), "no backend is plugged in"));
}

TEST_F(connect, rss_and_queue_counts_are_checked_against_what_the_frontend_was_told)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_endpoint_info info = info_of(self->nic.ep);
	uint16_t table[NB_MAX_RSS_TABLE_LEN] = { 0 };
	uint8_t key[40] = { 1 };
	struct nb_rss_config rss = {
		.key = (uintptr_t)key,
		.table = (uintptr_t)table,
		.key_len = sizeof(key),
		.table_len = info.indirection_table_size,
	};
	struct nb_queue *queue;

	disconnect_idle(&self->nic);
	ASSERT_EQ(0, nb_endpoint_get_queues(self->nic.ep, self->guest.mem, &config, 1, &rss,
					    &queue));
	EXPECT_EQ(0, nb_endpoint_set_rss(self->nic.ep, &rss));
	rss.table_len++;
	EXPECT_EQ(-EINVAL, nb_endpoint_set_rss(self->nic.ep, &rss));
	nb_queue_close(queue);
	EXPECT_EQ(-EINVAL, nb_endpoint_get_queues(self->nic.ep, self->guest.mem, &config, 1, &rss,
						  &queue));
}

/* ---- what a backend stood on goes ---------------------------------------- */

FIXTURE(gone)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(gone)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	start(&self->nic);
	nb_link_delete(info_of(self->nic.ep).ifindex);
	ASSERT_TRUE(nb_until(nb_queue_state(self->nic.queue) == NB_QUEUE_RESTART));
	nb_nic_stop(&self->nic);
}

FIXTURE_TEARDOWN(gone)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static bool hung_up(struct nb_endpoint *ep)
{
	struct pollfd wait = { .fd = nb_endpoint_fd(ep), .events = POLLIN };

	nb_sys(poll(&wait, 1, 0));
	return wait.revents & POLLHUP;
}

TEST_F(gone, the_frontend_goes_on_with_another_backend)
{
	struct nb_nic other;

	EXPECT_TRUE(hung_up(self->nic.ep));
	ASSERT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 0));
	EXPECT_FALSE(hung_up(self->nic.ep));
	self->nic.kind = &nb_test_null;
	EXPECT_TRUE(discards_and_receives_nothing(&self->nic));

	nb_nic_open(&other, &self->guest, &nb_test_netdev, 0);
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, other.ep));
	self->nic.kind = &nb_test_netdev;
	start(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_nic_close(&other);
}

TEST_F(gone, it_cannot_be_plugged_in_again)
{
	struct nb_nic other;

	ASSERT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 0));
	EXPECT_EQ(-ENODEV, nb_endpoint_connect(self->nic.ep, NULL));
	nb_nic_open(&other, &self->guest, &nb_test_null, 0);
	nb_ok(nb_endpoint_disconnect(other.ep, 0));
	EXPECT_EQ(-ENODEV, nb_endpoint_connect(other.ep, self->nic.ep));
	nb_nic_close(&other);
}

TEST_F(gone, a_backend_that_is_not_plugged_in_tells_nobody)
{
	struct nb_nic other;

	nb_nic_open(&other, &self->guest, &nb_test_netdev, 0);
	nb_ok(nb_endpoint_disconnect(other.ep, 0));
	read_actions(other.ep);
	nb_link_delete(if_nametoindex(info_of(other.ep).name));
	EXPECT_FALSE(hung_up(other.ep));
	EXPECT_EQ(0, read_actions(other.ep).restarts);
	nb_nic_close(&other);
}

/* ---- ends ---------------------------------------------------------------- */

TEST_F(connect, closing_everything_ends_a_disconnect_that_waits)
{
	struct nb_endpoint_info info = info_of(self->nic.ep);
	struct disconnect disconnect;
	struct nb_endpoint *second;

	nb_ok(nb_endpoint_from_fd(nb_sys(dup(nb_endpoint_fd(self->nic.ep))), &second));
	disconnect_begin(&disconnect, second, NB_NO_TIMEOUT);
	nb_nic_close(&self->nic);
	EXPECT_EQ(0, disconnect_end(&disconnect));
	nb_endpoint_close(second);
	if (info.ifindex && !variant->kind->takes_over)
		EXPECT_TRUE(nb_until(!if_nametoindex(info.name)));
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
}

TEST_F(connect, a_time_limit_in_the_future_holds_nothing)
{
	const uint64_t hour = 3600ull * 1000000000;
	struct nb_endpoint_info info = info_of(self->nic.ep);
	struct disconnect disconnect;

	disconnect_begin(&disconnect, self->nic.ep, hour);
	nb_nic_stop(&self->nic);
	EXPECT_EQ(0, disconnect_end(&disconnect));
	nb_nic_close(&self->nic);
	if (info.ifindex && !variant->kind->takes_over)
		EXPECT_TRUE(nb_until(!if_nametoindex(info.name)));
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
}

TEST_HARNESS_MAIN
