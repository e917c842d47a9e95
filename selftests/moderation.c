// SPDX-License-Identifier: GPL-2.0
/*
 * Notification moderation: no notification is lost, a frontend that is idle is notified at
 * once, one that is busy seldom; and the ways to set that.
 *
 * The frontends here sleep on the call eventfd alone, as one with an irqfd does: what is not
 * signalled is not found.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbip.h"
#include "nbtest.h"

/* So long that it does not end by itself while a test looks on. */
#define LONG_TIME	NB_MAX_MODERATION_USECS
#define BOTH		(NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX)

FIXTURE(moderation)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_queue *queue;
	int call;
};

FIXTURE_VARIANT(moderation)
{
	const struct nb_test_kind *kind;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(moderation, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(moderation, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(moderation, polled) { .kind = &nb_test_netdev, .flags = NB_QUEUE_POLL };

static void set(struct nb_queue *queue, uint32_t usecs, uint32_t frames, uint32_t adaptive)
{
	struct nb_queue_moderation moderation = {
		.tx_usecs = usecs,
		.tx_frames = frames,
		.rx_usecs = usecs,
		.rx_frames = frames,
		.adaptive = adaptive,
	};

	nb_ok(nb_queue_set_moderation(queue, &moderation));
}

static void start(FIXTURE_DATA(moderation) *self, uint32_t flags)
{
	/* Half of rx-done are more entries than there are buffers. */
	struct nb_queue_config config = {
		.target_cpu = NB_ANY_CPU,
		.flags = flags,
		.rx_done_entries = 4 * NB_BUFS,
	};

	nb_nic_start_as(&self->nic, &config, 1);
	nb_bufs_init(&self->nic.bufs);
	nb_nic_post_all(&self->nic);
	self->queue = self->nic.queue;
	self->call = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	nb_ok(nb_queue_set_eventfds(self->queue, -1, self->call));
}

FIXTURE_SETUP(moderation)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	start(self, variant->flags);
}

FIXTURE_TEARDOWN(moderation)
{
	close(self->call);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* Lets that many frames arrive. */
static void arrive(FIXTURE_DATA(moderation) *self, unsigned int n)
{
	uint64_t before = nb_stats_of(self->queue).rx_packets;
	unsigned char frame[100];
	unsigned int i;

	nb_frame_fill(frame, sizeof(frame), 0);
	for (i = 0; i < n; i++)
		nb_host_send(&self->nic.host, frame, sizeof(frame));
	if (!nb_until(nb_stats_of(self->queue).rx_packets == before + n))
		nb_die("frames are missing");
}

/* Whether the eventfd is signalled within that time; takes the signal. */
static bool signalled(FIXTURE_DATA(moderation) *self, int timeout_ms)
{
	struct pollfd wait = { .fd = self->call, .events = POLLIN };
	eventfd_t count;

	if (nb_sys(poll(&wait, 1, timeout_ms)) != 1)
		return false;
	nb_sys(eventfd_read(self->call, &count));
	return true;
}

/* Takes what has arrived, and makes the buffers available again: how many. */
static unsigned int reap(struct nb_queue *queue)
{
	struct nb_rx_segment buffer = { .len = NB_BUF_SIZE };
	struct nb_tx_completion done[64];
	struct nb_rx_metadata meta[64];
	unsigned int total = 0;
	int got, i;

	while (nb_ok(nb_queue_tx_poll(queue, done, ARRAY_LEN(done))))
		;
	while ((got = nb_ok(nb_queue_rx_poll(queue, meta, ARRAY_LEN(meta))))) {
		for (i = 0; i < got; i++) {
			buffer.id = meta[i].id;
			buffer.gpa = NB_RX_GPA + buffer.id * NB_BUF_SIZE;
			nb_queue_rx_avail(queue, &buffer, 1);
		}
		total += got;
	}
	return total;
}

/* ---- adaptive ------------------------------------------------------------ */

TEST_F(moderation, a_new_queue_is_adaptive)
{
	struct nb_queue_moderation moderation;

	ASSERT_EQ(0, nb_queue_get_moderation(self->queue, &moderation));
	EXPECT_EQ((uint32_t)BOTH, moderation.adaptive);
	EXPECT_EQ(NB_DEFAULT_MODERATION_USECS, moderation.tx_usecs);
	EXPECT_EQ(NB_DEFAULT_MODERATION_USECS, moderation.rx_usecs);
}

TEST_F(moderation, who_has_reaped_all_is_notified_at_once)
{
	struct nb_queue_stats before;
	unsigned int i;

	set(self->queue, LONG_TIME, 0, BOTH);
	before = nb_stats_of(self->queue);
	for (i = 0; i < 200; i++) {
		arrive(self, 1);
		ASSERT_TRUE(signalled(self, NB_PATIENCE));
		ASSERT_EQ(1U, reap(self->queue));
	}
	EXPECT_EQ(before.held_back, nb_stats_of(self->queue).held_back);
	EXPECT_EQ(before.notifies + 200, nb_stats_of(self->queue).notifies);
}

TEST_F(moderation, who_is_busy_is_notified_seldom)
{
	struct nb_queue_stats before, after;

	set(self->queue, LONG_TIME, 0, BOTH);
	before = nb_stats_of(self->queue);
	arrive(self, 1);
	ASSERT_TRUE(signalled(self, NB_PATIENCE));
	arrive(self, 99);
	after = nb_stats_of(self->queue);
	/* It would be 100 without. */
	EXPECT_GE(before.notifies + 10, after.notifies);
	EXPECT_LT(before.held_back, after.held_back);
	EXPECT_EQ(100U, reap(self->queue));

	/* It may sleep again. */
	signalled(self, 0);
	arrive(self, 1);
	EXPECT_TRUE(signalled(self, NB_PATIENCE));
}

/* ---- fixed --------------------------------------------------------------- */

TEST_F(moderation, without_moderation_each_batch_is_notified)
{
	struct nb_queue_stats before;

	set(self->queue, 0, 0, 0);
	before = nb_stats_of(self->queue);
	/* Kind attach notifies when its interface has been polled, of all that came. */
	if (variant->kind->takes_over)
		return;
	arrive(self, 50);
	EXPECT_EQ(before.notifies + 50, nb_stats_of(self->queue).notifies);
	EXPECT_EQ(before.held_back, nb_stats_of(self->queue).held_back);
}

TEST_F(moderation, each_ring_has_its_own_time)
{
	const struct nb_queue_moderation moderation = {
		.tx_usecs = LONG_TIME,
		.rx_usecs = 1000,
	};
	struct nb_queue_stats before = nb_stats_of(self->queue);
	struct nb_tx_segment packet;

	nb_ok(nb_queue_set_moderation(self->queue, &moderation));
	packet = nb_tx_packet(nb_frame_put(&self->guest, 0, 100, 1), 100, 1);
	ASSERT_EQ(1, nb_queue_tx_avail(self->queue, &packet, 1, NULL));
	ASSERT_TRUE(nb_until(nb_stats_of(self->queue).held_back > before.held_back));
	arrive(self, 1);
	/* Two times, so two notifications, although nothing is reaped. */
	EXPECT_TRUE(nb_until(nb_stats_of(self->queue).notifies == before.notifies + 2));
	EXPECT_EQ(before.held_back + 2, nb_stats_of(self->queue).held_back);
}

TEST_F(moderation, what_is_held_back_comes_after_its_time)
{
	struct nb_queue_stats before = nb_stats_of(self->queue);
	unsigned int i;

	set(self->queue, 20000, 0, 0);
	for (i = 0; i < 5; i++) {
		arrive(self, 1);
		ASSERT_TRUE(signalled(self, NB_PATIENCE));
		ASSERT_EQ(1U, reap(self->queue));
	}
	EXPECT_EQ(before.held_back + 5, nb_stats_of(self->queue).held_back);
	EXPECT_EQ(before.notifies + 5, nb_stats_of(self->queue).notifies);
}

TEST_F(moderation, a_number_of_frames_ends_the_wait)
{
	unsigned int i, early = 0;

	set(self->queue, LONG_TIME, 10, 0);
	for (i = 0; i < 20; i++) {
		arrive(self, 9);
		early += signalled(self, 0);
		arrive(self, 1);
		ASSERT_TRUE(signalled(self, NB_PATIENCE));
		ASSERT_EQ(10U, reap(self->queue));
	}
	/* Unless the machine has stopped for a second. */
	EXPECT_GE(5U, early);
}

TEST_F(moderation, poll_tells_what_is_held_back)
{
	struct pollfd wait = { .fd = nb_queue_fd(self->queue), .events = POLLIN };

	set(self->queue, LONG_TIME, 0, 0);
	arrive(self, 1);
	EXPECT_EQ(1, poll(&wait, 1, 0));
	EXPECT_EQ(0, nb_queue_enter(self->queue, NB_ENTER_WAIT_RX, 0, NULL));
	EXPECT_EQ(1U, reap(self->queue));
}

TEST_F(moderation, who_has_no_buffer_left_is_notified)
{
	struct nb_queue_stats before;

	/* Kind attach drops for want of a buffer, and waits for none. */
	if (variant->kind->takes_over)
		return;
	set(self->queue, LONG_TIME, 0, 0);
	before = nb_stats_of(self->queue);
	arrive(self, NB_BUFS);
	EXPECT_TRUE(signalled(self, NB_PATIENCE));
	EXPECT_LT(before.rx_no_buffer, nb_stats_of(self->queue).rx_no_buffer);
	EXPECT_EQ((unsigned int)NB_BUFS, reap(self->queue));
}

TEST_F(moderation, a_new_setting_ends_the_wait)
{
	set(self->queue, LONG_TIME, 0, 0);
	arrive(self, 1);
	set(self->queue, 0, 0, 0);
	EXPECT_TRUE(signalled(self, NB_PATIENCE));
	EXPECT_EQ(1U, reap(self->queue));
}

TEST_F(moderation, what_is_held_back_is_told_when_the_queue_is_quiesced)
{
	struct nb_rx_metadata meta;

	set(self->queue, LONG_TIME, 0, 0);
	arrive(self, 1);
	ASSERT_EQ(0, nb_queue_quiesce(self->queue));
	EXPECT_TRUE(signalled(self, 0));
	EXPECT_EQ(1, nb_queue_rx_poll(self->queue, &meta, 1));
	ASSERT_EQ(0, nb_queue_resume(self->queue));
	arrive(self, 1);
	EXPECT_TRUE(signalled(self, NB_PATIENCE));
}

TEST_F(moderation, a_queue_may_be_closed_while_something_is_held_back)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		set(self->queue, 1000, 0, 0);
		arrive(self, 1);
		nb_nic_stop(&self->nic);
		close(self->call);
		start(self, variant->flags);
	}
	usleep(10000);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(moderation, a_killed_frontend_may_have_something_held_back)
{
	pid_t child;
	int status;

	nb_nic_stop(&self->nic);
	child = nb_sys(fork());
	if (!child) {
		start(self, variant->flags);
		set(self->queue, 1000, 0, 0);
		arrive(self, 1);
		kill(getpid(), SIGKILL);
	}
	nb_sys(waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(self->call);
	start(self, variant->flags);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

/* ---- nothing is lost ----------------------------------------------------- */

struct changes {
	struct nb_queue *queue;
	struct nb_random random;
	bool stop;			/* atomic */
};

static void *keep_changing(void *argument)
{
	struct changes *changes = argument;

	while (!__atomic_load_n(&changes->stop, __ATOMIC_RELAXED)) {
		uint32_t usecs = nb_random_below(&changes->random, 3000);

		set(changes->queue, usecs,
		    usecs ? nb_random_below(&changes->random, 20) : 0,
		    usecs ? nb_random_below(&changes->random, BOTH + 1) : 0);
		usleep(nb_random_below(&changes->random, 2000));
	}
	return NULL;
}

/* Sends bursts, and sleeps until all is there: packets that were never told of. */
static unsigned int lose(FIXTURE_DATA(moderation) *self, unsigned int rounds)
{
	unsigned char frame[100];
	struct nb_random random;
	unsigned int due, got, i;

	nb_random_start(&random);
	nb_frame_fill(frame, sizeof(frame), 0);
	while (rounds--) {
		due = 1 + nb_random_below(&random, 20);
		for (i = 0; i < due; i++)
			nb_host_send(&self->nic.host, frame, sizeof(frame));
		for (got = 0; got < due; got += reap(self->queue))
			if (!signalled(self, 2 * NB_PATIENCE))
				return due - got;
	}
	return 0;
}

TEST_F_TIMEOUT(moderation, nothing_is_lost_while_settings_change, 200)
{
	struct changes changes = { .queue = self->queue };
	pthread_t thread;

	nb_random_start(&changes.random);
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_changing, &changes));
	EXPECT_EQ(0U, lose(self, 3000));
	__atomic_store_n(&changes.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LT(0U, nb_stats_of(self->queue).held_back);
}

/* ---- transmit ------------------------------------------------------------ */

TEST_F(moderation, completions_are_held_back_as_well)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 0, 60);
	struct nb_queue_stats before;
	struct nb_tx_completion done;
	unsigned int i;

	set(self->queue, 20000, 0, 0);
	before = nb_stats_of(self->queue);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, nb_queue_tx_avail(self->queue, &segment, 1, NULL));
		ASSERT_TRUE(signalled(self, NB_PATIENCE));
		ASSERT_EQ(1, nb_tx_reap(self->queue, &done, 1));
	}
	EXPECT_LE(before.held_back + 5, nb_stats_of(self->queue).held_back);
}

/* ---- setting it ---------------------------------------------------------- */

static int try(struct nb_queue *queue, uint32_t usecs, uint32_t frames, uint32_t adaptive,
	       uint32_t reserved)
{
	struct nb_queue_moderation moderation = {
		.rx_usecs = usecs,
		.rx_frames = frames,
		.adaptive = adaptive,
		.reserved = reserved,
	};

	return nb_queue_set_moderation(queue, &moderation);
}

TEST_F(moderation, wrong_settings_are_refused)
{
	struct nb_queue_moderation before, after;

	set(self->queue, 7, 8, NB_NEED_NOTIFY_RX);
	ASSERT_EQ(0, nb_queue_get_moderation(self->queue, &before));
	EXPECT_EQ(-EINVAL, try(self->queue, NB_MAX_MODERATION_USECS + 1, 0, 0, 0));
	EXPECT_NE(NULL, strstr(nb_error(), "1000001"));
	EXPECT_EQ(-EINVAL, try(self->queue, 1, NB_MAX_RING_ENTRIES + 1, 0, 0));
	EXPECT_NE(NULL, strstr(nb_error(), "32769"));
	EXPECT_EQ(-EINVAL, try(self->queue, 0, 1, 0, 0));
	EXPECT_NE(NULL, strstr(nb_error(), "rx_usecs is 0"));
	EXPECT_EQ(-EINVAL, try(self->queue, 0, 0, NB_NEED_NOTIFY_RX, 0));
	EXPECT_EQ(-EINVAL, try(self->queue, 1, 0, NB_NEED_NOTIFY_TX, 0));
	EXPECT_EQ(-EINVAL, try(self->queue, 1, 0, 4, 0));
	EXPECT_EQ(-EINVAL, try(self->queue, 1, 0, 0, 1));
	ASSERT_EQ(0, nb_queue_get_moderation(self->queue, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(0, try(self->queue, NB_MAX_MODERATION_USECS, NB_MAX_RING_ENTRIES, 0, 0));
}

TEST_F(moderation, ethtool_shows_and_sets_it)
{
	struct nb_queue_moderation moderation;
	char line[256];

	if (variant->kind->takes_over)
		return;
	/* To the interface, what the guest receives is what it transmits. */
	snprintf(line, sizeof(line), "ethtool -C %s adaptive-tx off tx-usecs 100 tx-frames 8",
		 self->nic.host.name);
	nb_host_run(line);
	ASSERT_EQ(0, nb_queue_get_moderation(self->queue, &moderation));
	EXPECT_EQ(100U, moderation.rx_usecs);
	EXPECT_EQ(8U, moderation.rx_frames);
	EXPECT_EQ((uint32_t)NB_NEED_NOTIFY_TX, moderation.adaptive);
	EXPECT_EQ(NB_DEFAULT_MODERATION_USECS, moderation.tx_usecs);
	snprintf(line, sizeof(line), "ethtool -c %s | tr -s '[:space:]' ' ' | grep -q '%s'",
		 self->nic.host.name, "Adaptive RX: on TX: off.*tx-usecs: 100 tx-frames: 8");
	nb_host_run(line);
	/* Nothing would end that. */
	EXPECT_NE(0, nb_test_run("ethtool", "-C", self->nic.host.name, "tx-usecs", "0", NULL));

	/* It stays, when the frontend comes again. */
	nb_nic_stop(&self->nic);
	close(self->call);
	start(self, variant->flags);
	ASSERT_EQ(0, nb_queue_get_moderation(self->queue, &moderation));
	EXPECT_EQ(100U, moderation.rx_usecs);
}

TEST_HARNESS_MAIN
