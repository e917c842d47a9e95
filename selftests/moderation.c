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
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbip.h"
#include "nbraw.h"
#include "nbtest.h"

/* So long that it seldom ends by itself while a test looks on. */
#define LONG_TIME	NB_MAX_MODERATION_USECS
#define BOTH		(NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX)

FIXTURE(moderation)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_queue *queue;
	int call;
	uint32_t flags;
	struct nb_nic witness;		/* see ends_the_wait() */
	int witness_call;
};

typedef FIXTURE_DATA(moderation) fixture;

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

static void start_with(fixture *self, uint32_t rx_done_entries)
{
	struct nb_queue_config config = {
		.target_cpu = NB_ANY_CPU,
		.flags = self->flags,
		.rx_done_entries = rx_done_entries,
	};

	nb_nic_start_as(&self->nic, &config, 1);
	nb_bufs_init(&self->nic.bufs);
	nb_nic_post_all(&self->nic);
	self->queue = self->nic.queue;
	self->call = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	nb_ok(nb_queue_set_eventfds(self->queue, -1, self->call));
}

static void start(fixture *self)
{
	/* Half of rx-done are more entries than there are buffers. */
	start_with(self, 4 * NB_BUFS);
}

static void stop(fixture *self)
{
	close(self->call);
	nb_nic_stop(&self->nic);
}

FIXTURE_SETUP(moderation)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	self->flags = variant->flags;
	start(self);
}

FIXTURE_TEARDOWN(moderation)
{
	if (self->witness.ep) {
		close(self->witness_call);
		nb_nic_close(&self->witness);
	}
	stop(self);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* Lets that many frames arrive. */
static void arrive(fixture *self, unsigned int n)
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
static bool call_signalled(int call, int timeout_ms)
{
	struct pollfd wait = { .fd = call, .events = POLLIN };
	eventfd_t count;

	if (nb_sys(poll(&wait, 1, timeout_ms)) != 1)
		return false;
	nb_sys(eventfd_read(call, &count));
	return true;
}

static bool signalled(fixture *self, int timeout_ms)
{
	return call_signalled(self->call, timeout_ms);
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

/* ---- before its time ----------------------------------------------------- */

/*
 * The longest time is a second, and nobody knows how long a test takes.  So what counts is
 * the order: a witness, another queue, is held back for as long, from earlier on and by the
 * same CPU.  Its timer expires first.  Who is told before the witness was not told by time.
 */
static void witness_open(fixture *self)
{
	const struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(nb_sys(sched_getcpu()), &cpus);
	nb_sys(sched_setaffinity(0, sizeof(cpus), &cpus));
	nb_nic_open(&self->witness, &self->guest, &nb_test_null, 0);
	nb_nic_start_as(&self->witness, &config, 1);
	self->witness_call = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	nb_ok(nb_queue_set_eventfds(self->witness.queue, -1, self->witness_call));
}

static bool witness_signalled(fixture *self, int timeout_ms)
{
	return call_signalled(self->witness_call, timeout_ms);
}

/* From now on something is held back for so long. */
static void witness_arm(fixture *self, uint32_t usecs)
{
	struct nb_tx_segment packet = nb_tx_frame(&self->guest, 0, 60);
	struct nb_queue *queue = self->witness.queue;
	struct nb_tx_completion done;
	uint64_t before;

	/* What was held back is told, taken, and forgotten. */
	set(queue, 0, 0, 0);
	nb_ok(nb_queue_quiesce(queue));
	nb_ok(nb_queue_resume(queue));
	nb_queue_tx_poll(queue, &done, 1);
	witness_signalled(self, 0);

	before = nb_stats_of(queue).held_back;
	set(queue, usecs, 0, 0);
	if (nb_ok(nb_queue_tx_avail(queue, &packet, 1, NULL)) != 1 ||
	    nb_stats_of(queue).held_back != before + 1)
		nb_die("the witness is not held back");
}

/* A machine that stands still for a second is asked again. */
#define ASK		10

/*
 * Whether hold() leaves something held back, which end() tells; between two times again()
 * makes everything as it was.
 */
static bool ends_the_wait(fixture *self, void (*hold)(fixture *), void (*end)(fixture *),
			  void (*again)(fixture *))
{
	unsigned int i;

	witness_open(self);
	for (i = 0; i < ASK; i++, again(self)) {
		signalled(self, 0);
		witness_arm(self, LONG_TIME);
		hold(self);
		if (signalled(self, 0)) {
			if (!witness_signalled(self, 0))
				return false;
			continue;
		}
		end(self);
		if (!signalled(self, NB_PATIENCE))
			return false;
		if (!witness_signalled(self, 0))
			return true;
	}
	return false;
}

static void reap_all(fixture *self)
{
	reap(self->queue);
}

static void one_arrives(fixture *self)
{
	arrive(self, 1);
}

static void hold_one(fixture *self)
{
	set(self->queue, LONG_TIME, 0, 0);
	arrive(self, 1);
}

static void set_nothing(fixture *self)
{
	set(self->queue, 0, 0, 0);
}

TEST_F(moderation, a_new_setting_ends_the_wait)
{
	EXPECT_TRUE(ends_the_wait(self, hold_one, set_nothing, reap_all));
	EXPECT_EQ(1U, reap(self->queue));
}

static void set_longest(fixture *self)
{
	set(self->queue, LONG_TIME, NB_MAX_RING_ENTRIES, 0);
}

TEST_F(moderation, a_new_setting_ends_the_wait_also_if_it_is_no_shorter)
{
	EXPECT_TRUE(ends_the_wait(self, hold_one, set_longest, reap_all));
	EXPECT_EQ(1U, reap(self->queue));
}

static void hold_nine_of_ten(fixture *self)
{
	set(self->queue, LONG_TIME, 10, 0);
	arrive(self, 9);
}

TEST_F(moderation, a_number_of_frames_ends_the_wait)
{
	EXPECT_TRUE(ends_the_wait(self, hold_nine_of_ten, one_arrives, reap_all));
	EXPECT_EQ(10U, reap(self->queue));
}

static void hold_nearly_half(fixture *self)
{
	set(self->queue, LONG_TIME, 0, 0);
	arrive(self, NB_MIN_RING_ENTRIES / 2 - 1);
}

TEST_F(moderation, a_ring_that_is_half_full_ends_the_wait)
{
	stop(self);
	start_with(self, NB_MIN_RING_ENTRIES);
	EXPECT_TRUE(ends_the_wait(self, hold_nearly_half, one_arrives, reap_all));
	EXPECT_EQ(NB_MIN_RING_ENTRIES / 2, reap(self->queue));
}

static void hold_all_but_one(fixture *self)
{
	set(self->queue, LONG_TIME, 0, 0);
	arrive(self, NB_BUFS - 1);
}

TEST_F(moderation, the_last_buffer_ends_the_wait)
{
	uint64_t before = nb_stats_of(self->queue).rx_no_buffer;

	/* Kind attach drops for want of a buffer, and waits for none. */
	if (variant->kind->takes_over)
		return;
	EXPECT_TRUE(ends_the_wait(self, hold_all_but_one, one_arrives, reap_all));
	EXPECT_LT(before, nb_stats_of(self->queue).rx_no_buffer);
	EXPECT_EQ((unsigned int)NB_BUFS, reap(self->queue));
}

static void quiesce(fixture *self)
{
	nb_ok(nb_queue_quiesce(self->queue));
}

static void resume(fixture *self)
{
	nb_ok(nb_queue_resume(self->queue));
	reap(self->queue);
}

TEST_F(moderation, quiescing_ends_the_wait)
{
	struct nb_rx_metadata meta;

	EXPECT_TRUE(ends_the_wait(self, hold_one, quiesce, resume));
	EXPECT_EQ(1, nb_queue_rx_poll(self->queue, &meta, 1));
	ASSERT_EQ(0, nb_queue_resume(self->queue));
	arrive(self, 1);
	EXPECT_TRUE(signalled(self, NB_PATIENCE));
}

static void disconnect(fixture *self)
{
	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
}

static void connect_again(fixture *self)
{
	stop(self);
	nb_ok(nb_endpoint_connect(self->nic.ep, NULL));
	start(self);
}

TEST_F(moderation, a_backend_that_leaves_ends_the_wait)
{
	struct nb_rx_metadata meta;

	EXPECT_TRUE(ends_the_wait(self, hold_one, disconnect, connect_again));
	EXPECT_EQ(NB_QUEUE_RESTART, nb_queue_state(self->queue));
	EXPECT_EQ(1, nb_queue_rx_poll(self->queue, &meta, 1));
}

/* A producer's index that is impossible. */
static void fail(fixture *self)
{
	struct nb_raw raw = { };

	nb_raw_map(&raw, nb_sys(dup(nb_queue_fd(self->queue))));
	*raw.ring[NB_RING_TX_AVAIL].producer += 100000;
	nb_queue_enter(self->queue, NB_ENTER_TX, 0, NULL);
	nb_raw_close(&raw);
}

static void start_again(fixture *self)
{
	stop(self);
	start(self);
}

TEST_F(moderation, a_queue_that_fails_ends_the_wait)
{
	struct nb_rx_metadata meta;

	EXPECT_TRUE(ends_the_wait(self, hold_one, fail, start_again));
	EXPECT_EQ(NB_QUEUE_FAILED, nb_queue_state(self->queue));
	EXPECT_EQ(1, nb_queue_rx_poll(self->queue, &meta, 1));
}

/* ---- timers that are stopped --------------------------------------------- */

/* Short, for a test that waits until it is over. */
#define SHORT_TIME	20000

/* When the witness, held back later, is told, the timers from before have expired as well. */
static void wait_for_earlier_timers(fixture *self)
{
	witness_arm(self, SHORT_TIME);
	if (!witness_signalled(self, NB_PATIENCE))
		nb_die("the witness is not told");
}

TEST_F(moderation, nobody_is_told_by_time_of_what_quiescing_told)
{
	uint64_t notifies;

	witness_open(self);
	set(self->queue, SHORT_TIME, 0, 0);
	arrive(self, 1);
	ASSERT_EQ(0, nb_queue_quiesce(self->queue));
	EXPECT_TRUE(signalled(self, 0));
	notifies = nb_stats_of(self->queue).notifies;
	wait_for_earlier_timers(self);
	EXPECT_FALSE(signalled(self, 0));
	EXPECT_EQ(notifies, nb_stats_of(self->queue).notifies);
	ASSERT_EQ(0, nb_queue_resume(self->queue));
	EXPECT_EQ(1U, reap(self->queue));
}

/* A timer that is still there when its queue is not finds no memory. */
TEST_F(moderation, a_queue_may_be_closed_while_something_is_held_back)
{
	unsigned int i;

	witness_open(self);
	for (i = 0; i < 20; i++) {
		set(self->queue, SHORT_TIME, 0, 0);
		arrive(self, 1);
		stop(self);
		if (i % 5 == 0)
			wait_for_earlier_timers(self);
		start(self);
	}
	wait_for_earlier_timers(self);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

/* A queue of which the frontend has reaped all, with indices far from 0. */
static void open_far(fixture *self, struct nb_raw *raw)
{
	const uint32_t entries = NB_MIN_RING_ENTRIES, index = 0x80000010u;
	struct nb_queue_quiesce quiesce = { .size = sizeof(quiesce) };
	struct nb_queue_resume resume = { .size = sizeof(resume) };
	struct nb_queue_saved saved = {
		.size = sizeof(saved),
		.entries = { entries, entries, entries, entries },
		.index = { index, index, index, index },
	};
	struct nb_queue_eventfds eventfds = {
		.size = sizeof(eventfds),
		.kick_fd = -1,
		.call_fd = self->call,
	};
	struct nb_queue_moderation moderation = {
		.size = sizeof(moderation),
		.tx_usecs = LONG_TIME,
		.rx_usecs = LONG_TIME,
		.adaptive = BOTH,
	};

	nb_raw_open(raw, self->nic.ep, self->guest.mem, entries);
	*raw->need_notify = BOTH;
	nb_ok(nb_raw_call(raw->fd, NB_QUEUE_SET_EVENTFDS, &eventfds));
	nb_ok(nb_raw_call(raw->fd, NB_QUEUE_SET_MODERATION, &moderation));
	nb_ok(nb_raw_call(raw->fd, NB_QUEUE_QUIESCE, &quiesce));
	nb_ok(nb_raw_call(raw->fd, NB_QUEUE_RESTORE, &saved));
	*raw->ring[NB_RING_TX_AVAIL].producer = index;
	*raw->ring[NB_RING_TX_DONE].consumer = index;
	*raw->ring[NB_RING_RX_AVAIL].producer = index;
	*raw->ring[NB_RING_RX_DONE].consumer = index;
	nb_ok(nb_raw_call(raw->fd, NB_QUEUE_RESUME, &resume));
}

TEST_F(moderation, a_queue_that_was_restored_is_told_at_once)
{
	struct nb_tx_segment packet = nb_tx_frame(&self->guest, 0, 60);
	struct nb_tx_completion done;
	struct nb_raw raw = { };

	stop(self);
	self->call = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	open_far(self, &raw);
	/* What quiescing told. */
	signalled(self, 0);
	nb_raw_tx(&raw, &packet, 1);
	ASSERT_EQ(0, nb_raw_enter(&raw, NB_ENTER_TX, NULL));
	EXPECT_TRUE(signalled(self, 0));
	EXPECT_TRUE(nb_raw_tx_done(&raw, &done));
	nb_raw_close(&raw);
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

TEST_F(moderation, poll_tells_what_is_held_back)
{
	struct pollfd wait = { .fd = nb_queue_fd(self->queue), .events = POLLIN };

	set(self->queue, LONG_TIME, 0, 0);
	arrive(self, 1);
	EXPECT_EQ(1, poll(&wait, 1, 0));
	EXPECT_EQ(0, nb_queue_enter(self->queue, NB_ENTER_WAIT_RX, 0, NULL));
	EXPECT_EQ(1U, reap(self->queue));
}

TEST_F(moderation, a_killed_frontend_may_have_something_held_back)
{
	pid_t child;
	int status;

	nb_nic_stop(&self->nic);
	child = nb_sys(fork());
	if (!child) {
		start(self);
		set(self->queue, 1000, 0, 0);
		arrive(self, 1);
		kill(getpid(), SIGKILL);
	}
	nb_sys(waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(self->call);
	start(self);
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

static void host_sends(fixture *self, unsigned int n)
{
	unsigned char frame[100];

	nb_frame_fill(frame, sizeof(frame), 0);
	while (n--)
		nb_host_send(&self->nic.host, frame, sizeof(frame));
}

static void guest_sends(fixture *self, unsigned int n)
{
	struct nb_tx_segment segments[20];
	unsigned int i;

	for (i = 0; i < n; i++)
		segments[i] = nb_tx_packet(NB_TX_GPA, 60, i);
	if (nb_ok(nb_queue_tx_avail(self->queue, segments, n, NULL)) != (int)n)
		nb_die("%u packets are too many", n);
}

static unsigned int reap_completions(struct nb_queue *queue)
{
	struct nb_tx_completion done[20];

	return nb_ok(nb_queue_tx_poll(queue, done, ARRAY_LEN(done)));
}

/*
 * Sends bursts, and sleeps until all is there, while settings change: packets that were
 * never told of.
 */
static unsigned int lose(fixture *self, void (*send)(fixture *, unsigned int),
			 unsigned int (*take)(struct nb_queue *), unsigned int rounds)
{
	struct changes changes = { .queue = self->queue };
	unsigned int due = 0, got = 0;
	struct nb_random random;
	pthread_t thread;

	nb_random_start(&changes.random);
	nb_random_start(&random);
	nb_sys(pthread_create(&thread, NULL, keep_changing, &changes));
	while (rounds-- && got == due) {
		due = 1 + nb_random_below(&random, 20);
		send(self, due);
		for (got = 0; got < due; got += take(self->queue))
			if (!signalled(self, 2 * NB_PATIENCE))
				break;
	}
	__atomic_store_n(&changes.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	return due - got;
}

TEST_F_TIMEOUT(moderation, nothing_is_lost_while_settings_change, NB_ROUNDS_TIME)
{
	EXPECT_EQ(0U, lose(self, host_sends, reap, nb_rounds(2000, 200)));
	EXPECT_LT(0U, nb_stats_of(self->queue).held_back);
}

TEST_F_TIMEOUT(moderation, no_completion_is_lost_while_settings_change, NB_ROUNDS_TIME)
{
	nb_frame_put(&self->guest, 0, 60, 0);
	EXPECT_EQ(0U, lose(self, guest_sends, reap_completions, nb_rounds(2000, 200)));
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

/* Whoever has set the rest. */
TEST_F(moderation, ethtool_sets_what_it_is_asked_to_and_nothing_else)
{
	const struct nb_queue_moderation moderation = {
		.tx_usecs = 7, .tx_frames = 3, .rx_usecs = 9, .rx_frames = 4,
	};
	struct nb_queue_moderation now;
	char line[256];

	if (variant->kind->takes_over)
		return;
	nb_ok(nb_queue_set_moderation(self->queue, &moderation));
	snprintf(line, sizeof(line), "ethtool -C %s tx-frames 8", self->nic.host.name);
	nb_host_run(line);
	ASSERT_EQ(0, nb_queue_get_moderation(self->queue, &now));
	EXPECT_EQ(7U, now.tx_usecs);
	EXPECT_EQ(3U, now.tx_frames);
	EXPECT_EQ(9U, now.rx_usecs);
	EXPECT_EQ(8U, now.rx_frames);
	EXPECT_EQ(0U, now.adaptive);
}

TEST_F(moderation, ethtool_sets_one_queue_and_no_other)
{
	struct nb_queue_moderation one, other, before;
	struct nb_queue_config configs[2] = { 0 };
	struct nb_nic *nic = &self->nic;
	char line[256];

	if (variant->kind->takes_over)
		return;
	stop(self);
	configs[0].target_cpu = NB_ANY_CPU;
	configs[1].target_cpu = NB_ANY_CPU;
	nb_nic_start_as(nic, configs, 2);
	ASSERT_EQ(0, nb_queue_get_moderation(nic->queues[0], &before));
	snprintf(line, sizeof(line), "ethtool -Q %s queue_mask 2 --coalesce adaptive-tx off "
		 "tx-usecs 300 tx-frames 5", nic->host.name);
	nb_host_run(line);
	ASSERT_EQ(0, nb_queue_get_moderation(nic->queues[0], &other));
	EXPECT_EQ(0, memcmp(&before, &other, sizeof(other)));
	ASSERT_EQ(0, nb_queue_get_moderation(nic->queues[1], &one));
	EXPECT_EQ(300U, one.rx_usecs);
	EXPECT_EQ(5U, one.rx_frames);
	EXPECT_EQ((uint32_t)NB_NEED_NOTIFY_TX, one.adaptive);
	EXPECT_EQ(before.tx_usecs, one.tx_usecs);
	snprintf(line, sizeof(line), "ethtool -Q %s queue_mask 2 --show-coalesce | "
		 "grep -q 'tx-usecs: 300'", nic->host.name);
	nb_host_run(line);
	/* Nothing would end that; and there is no such queue.  It says so, and returns 0. */
	nb_test_run("ethtool", "-Q", nic->host.name, "queue_mask", "2", "--coalesce", "tx-usecs",
		    "0", NULL);
	nb_test_run("ethtool", "-Q", nic->host.name, "queue_mask", "4", "--coalesce", "tx-usecs",
		    "10", NULL);
	ASSERT_EQ(0, nb_queue_get_moderation(nic->queues[1], &other));
	EXPECT_EQ(0, memcmp(&one, &other, sizeof(other)));
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
	stop(self);
	start(self);
	ASSERT_EQ(0, nb_queue_get_moderation(self->queue, &moderation));
	EXPECT_EQ(100U, moderation.rx_usecs);
}

TEST_HARNESS_MAIN
