// SPDX-License-Identifier: GPL-2.0
/*
 * A queue that is quiesced stands still, all waits for it end, and nothing is lost by it;
 * also by doing so all the time while packets flow.  On kind netdev, the host's packets
 * wait for it or for the next one.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "nbnumbered.h"
#include "nbraw.h"
#include "nbthread.h"

/* Where the guest's frames lie. */
#define FRAME_SLOT	256u

FIXTURE(quiesce)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_VARIANT(quiesce)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(quiesce, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(quiesce, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(quiesce, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(quiesce, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(quiesce, switch) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(quiesce, delay) { .kind = &nb_test_delay };

FIXTURE_SETUP(quiesce)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
}

FIXTURE_TEARDOWN(quiesce)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static int enter(struct nb_nic *nic, uint32_t flags)
{
	return nb_queue_enter(nic->queue, flags, NB_NO_TIMEOUT, NULL);
}

TEST_F(quiesce, a_quiesced_queue_stands_still_and_goes_on)
{
	struct nb_tx_segment packet = nb_tx_packet(NB_TX_GPA, NB_NUMBERED_LEN, 0);
	struct nb_rx_segment buffer = { .gpa = NB_RX_GPA, .len = NB_BUF_SIZE };
	struct pollfd wait = { .events = POLLIN };
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;
	struct nb_queue *queue;
	unsigned int round;

	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	queue = self->nic.queue;
	wait.fd = nb_queue_fd(queue);
	ASSERT_TRUE(nb_nic_works(&self->nic));
	for (round = 0; round < 20; round++) {
		ASSERT_EQ(0, nb_queue_quiesce(queue));
		EXPECT_EQ(NB_QUEUE_QUIESCED, nb_queue_state(queue));
		EXPECT_EQ(-ESHUTDOWN, enter(&self->nic, NB_ENTER_TX));
		EXPECT_EQ(-ESHUTDOWN, enter(&self->nic, NB_ENTER_RX | NB_ENTER_WAIT_RX));
		EXPECT_EQ(-ESHUTDOWN, nb_queue_tx_poll(queue, &done, 1));
		EXPECT_EQ(-ESHUTDOWN, nb_queue_rx_poll(queue, &meta, 1));
		EXPECT_EQ(-ESHUTDOWN, nb_queue_tx_avail(queue, &packet, 1, NULL));
		EXPECT_EQ(-ESHUTDOWN, nb_queue_rx_avail(queue, &buffer, 1));
		EXPECT_EQ(1, nb_queue_poll_ready(queue, NB_PATIENCE));
		EXPECT_EQ(1, poll(&wait, 1, NB_PATIENCE));
		EXPECT_EQ(POLLERR, wait.revents);

		EXPECT_EQ(-EBADFD, nb_queue_quiesce(queue));
		EXPECT_TRUE(nb_explained());
		ASSERT_EQ(0, nb_queue_resume(queue));
		EXPECT_EQ(NB_QUEUE_RUNNING, nb_queue_state(queue));
		EXPECT_EQ(-EBADFD, nb_queue_resume(queue));
		EXPECT_TRUE(nb_explained());
		ASSERT_TRUE(nb_nic_works(&self->nic));
	}
}

static void *wait_for_ever(void *argument)
{
	return (void *)(long)enter(argument, NB_ENTER_WAIT_TX | NB_ENTER_WAIT_RX);
}

/* A thread that has ENTERed once more. */
static uint64_t enters(struct nb_nic *nic)
{
	return nb_stats_of(nic->queue).enters;
}

TEST_F(quiesce, quiescing_ends_every_wait)
{
	uint64_t before;
	pthread_t thread;
	void *result;

	nb_nic_start(&self->nic, 1, 0);
	before = enters(&self->nic);
	thread = nb_test_thread(wait_for_ever, &self->nic);
	ASSERT_TRUE(nb_until(enters(&self->nic) > before));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	pthread_join(thread, &result);
	EXPECT_EQ(-ESHUTDOWN, (long)result);
}

static uint32_t consumer_of(const struct nb_raw *raw, enum nb_ring_id id)
{
	return __atomic_load_n(raw->ring[id].consumer, __ATOMIC_ACQUIRE);
}

static uint64_t kicks_of(int fd)
{
	struct nb_queue_stats stats = { .size = sizeof(stats) };

	nb_sys(ioctl(fd, NB_QUEUE_GET_STATS, &stats));
	return stats.kicks;
}

TEST_F(quiesce, a_kick_of_a_quiesced_queue_is_made_up_for)
{
	struct nb_queue_eventfds fds = { .size = sizeof(fds), .call_fd = -1 };
	struct nb_rx_segment buffer = { NB_RX_GPA, NB_BUF_SIZE, 1 };
	struct nb_tx_segment packet;
	struct nb_tx_completion done;
	struct nb_raw raw;
	uint64_t one = 1;

	nb_raw_open(&raw, self->nic.ep, self->guest.mem, 64);
	fds.kick_fd = nb_sys(eventfd(0, EFD_CLOEXEC));
	ASSERT_EQ(0, nb_raw_call(raw.fd, NB_QUEUE_SET_EVENTFDS, &fds));
	packet = nb_tx_packet(nb_frame_put(&self->guest, 0, NB_NUMBERED_LEN, 0),
			      NB_NUMBERED_LEN, 77);

	ASSERT_EQ(0, nb_raw_command(raw.fd, NB_QUEUE_QUIESCE));
	nb_raw_rx(&raw, &buffer, 1);
	nb_raw_tx(&raw, &packet, 1);
	nb_sys(write(fds.kick_fd, &one, sizeof(one)));
	ASSERT_TRUE(nb_until(kicks_of(raw.fd) == 1));
	EXPECT_EQ(-ESHUTDOWN, nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL));
	EXPECT_EQ(0, consumer_of(&raw, NB_RING_TX_AVAIL));
	EXPECT_EQ(0, consumer_of(&raw, NB_RING_RX_AVAIL));
	EXPECT_FALSE(nb_raw_tx_done(&raw, &done));

	ASSERT_EQ(0, nb_raw_command(raw.fd, NB_QUEUE_RESUME));
	ASSERT_TRUE(nb_raw_tx_done(&raw, &done));
	EXPECT_EQ(77, done.id);
	close(fds.kick_fd);
	nb_raw_close(&raw);
}

/*
 * Waits for a completion without a system call.  On a machine that stops for a second, now and
 * then, the poller has gone to sleep, and wants one: such calls are counted.
 */
static bool is_polled(struct nb_raw *raw, unsigned int *calls)
{
	struct nb_tx_completion done;

	if (nb_until(nb_raw_tx_done(raw, &done)))
		return true;
	if (!__atomic_load_n(raw->need_wakeup, __ATOMIC_ACQUIRE))
		return false;
	++*calls;
	nb_raw_enter(raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
	return nb_until(nb_raw_tx_done(raw, &done));
}

TEST_F(quiesce, a_poller_goes_on_when_its_queue_is_resumed)
{
	struct nb_queue_config config = { .flags = NB_QUEUE_POLL, .target_cpu = NB_ANY_CPU,
					  .poll_idle_us = 1000000 };
	struct nb_rx_segment buffer = { NB_RX_GPA, NB_BUF_SIZE, 1 };
	unsigned int round, calls = 0;
	struct nb_tx_segment packet;
	struct nb_raw raw;

	nb_nic_start_as(&self->nic, &config, 1);
	nb_raw_map(&raw, nb_sys(dup(nb_queue_fd(self->nic.queue))));
	packet = nb_tx_packet(nb_frame_put(&self->guest, 0, NB_NUMBERED_LEN, 0),
			      NB_NUMBERED_LEN, 77);
	for (round = 0; round < 20; round++) {
		nb_raw_rx(&raw, &buffer, 1);
		nb_raw_tx(&raw, &packet, 1);
		ASSERT_TRUE(is_polled(&raw, &calls));
		ASSERT_EQ(0, nb_raw_command(raw.fd, NB_QUEUE_QUIESCE));
		/* It sees that there is something, and that it must not. */
		nb_raw_tx(&raw, &packet, 1);
		usleep(2000);
		EXPECT_FALSE(nb_raw_tx_done(&raw, &(struct nb_tx_completion){ 0 }));
		nb_raw_rx(&raw, &buffer, 1);
		ASSERT_EQ(0, nb_raw_command(raw.fd, NB_QUEUE_RESUME));
		ASSERT_TRUE(is_polled(&raw, &calls));
		nb_raw_rx(&raw, &buffer, 1);
		nb_raw_tx(&raw, &packet, 1);
		ASSERT_TRUE(is_polled(&raw, &calls));
		while (nb_raw_rx_done(&raw, &(struct nb_rx_metadata){ 0 }))
			;
	}
	EXPECT_GE(2, calls);
	nb_raw_close(&raw);
}

/* ---- quiescing again and again, under traffic ------------------------------ */

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

struct disturber {
	int fd;
	bool over;
	unsigned long times;
};

static void *disturb(void *argument)
{
	struct disturber *disturber = argument;

	while (!is_set(&disturber->over)) {
		if (nb_raw_command(disturber->fd, NB_QUEUE_QUIESCE) ||
		    nb_raw_command(disturber->fd, NB_QUEUE_RESUME))
			nb_die("quiesce or resume: %s", nb_raw_message);
		__atomic_fetch_add(&disturber->times, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

#define DISTURBED	3000u

TEST_F(quiesce, quiescing_under_traffic_loses_nothing)
{
	struct disturber disturber = { 0 };
	struct nb_tx_segment packet;
	struct nb_rx_segment buffer = { .len = NB_BUF_SIZE };
	uint32_t posted = 0, completed = 0, received = 0, sent = 0, filled = 0, number, expected;
	bool loses = nb_test_kind_loses(variant->kind);
	uint32_t ahead = loses ? 32 : 100;
	bool host = variant->kind->sent == NB_COMES_TO_HOST;
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;
	pthread_t thread;
	struct nb_raw raw;
	uint64_t end = nb_test_now() + 12 * NB_PATIENCE;

	/* veth keeps no order between CPUs. */
	if (variant->kind->takes_over)
		nb_thread_allow(0, 0, 0);
	nb_raw_open(&raw, self->nic.ep, self->guest.mem, 64);
	if (host)
		nb_nic_open_host(&self->nic);
	for (; buffer.id < 64; buffer.id++) {
		buffer.gpa = NB_RX_GPA + buffer.id * NB_BUF_SIZE;
		nb_raw_rx(&raw, &buffer, 1);
	}
	disturber.fd = raw.fd;
	thread = nb_test_thread(disturb, &disturber);
	expected = variant->kind->sent == NB_COMES_NOWHERE || loses ? 0 : DISTURBED;
	while (completed < DISTURBED || received < expected ||
	       __atomic_load_n(&disturber.times, __ATOMIC_RELAXED) < DISTURBED) {
		ASSERT_LT(nb_test_now(), end)
			TH_LOG("%u completed, %u received", completed, received);
		if (posted < DISTURBED && posted - completed < 64) {
			uint64_t gpa = NB_TX_GPA + posted % 64 * FRAME_SLOT;

			nb_numbered_fill(nb_guest_ptr(&self->guest, gpa, NB_NUMBERED_LEN), posted);
			packet = nb_tx_packet(gpa, NB_NUMBERED_LEN, posted++);
			nb_raw_tx(&raw, &packet, 1);
		}
		if (host && sent < DISTURBED && (sent - received < ahead || loses))
			nb_numbered_send(&self->nic.host, sent++);
		nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
		while (nb_raw_tx_done(&raw, &done)) {
			ASSERT_EQ(NB_TX_OK, done.status);
			ASSERT_EQ(completed++, done.id);
		}
		while (nb_raw_rx_done(&raw, &meta)) {
			ASSERT_EQ(NB_RX_OK, meta.status);
			ASSERT_EQ(filled++ % 64, meta.id);
			buffer.id = meta.id;
			buffer.gpa = NB_RX_GPA + buffer.id * NB_BUF_SIZE;
			number = nb_numbered_number(nb_guest_ptr(&self->guest, buffer.gpa,
								 NB_NUMBERED_LEN), meta.len);
			if (number > received && loses)
				received = number;
			ASSERT_EQ(received, number);
			received = number + 1;
			nb_raw_rx(&raw, &buffer, 1);
		}
	}
	set(&disturber.over);
	pthread_join(thread, NULL);
	EXPECT_EQ(variant->kind->sent != NB_COMES_NOWHERE, filled > 0);
	if (host)
		EXPECT_TRUE(nb_numbered_came(&self->nic.host, DISTURBED));
	nb_raw_close(&raw);
}

/* ---- the host, while a queue of kind netdev is quiesced -------------------- */

FIXTURE(netdev)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(netdev)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_link_set_fifo(self->nic.host.ifindex, 100000);
}

FIXTURE_TEARDOWN(netdev)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

TEST_F(netdev, the_buffer_at_hand_is_given_back)
{
	struct nb_queue_saved saved;
	uint32_t id;

	/* The kernel takes the next buffer when it has filled one. */
	nb_bufs_post_range(&self->nic.bufs, self->nic.queue, 0, 3);
	nb_numbered_send(&self->nic.host, 0);
	ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, &id, 1));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	saved = nb_raw_save(nb_queue_fd(self->nic.queue));
	EXPECT_EQ(1, saved.index[NB_RING_RX_AVAIL]);
	EXPECT_EQ(1, saved.index[NB_RING_RX_DONE]);
	ASSERT_EQ(0, nb_queue_resume(self->nic.queue));

	nb_numbered_send(&self->nic.host, 1);
	nb_numbered_send(&self->nic.host, 2);
	ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, &id, 1));
	EXPECT_EQ(1, id);
	ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, &id, 1));
	EXPECT_EQ(2, id);
}

TEST_F(netdev, the_place_of_the_buffer_at_hand_is_not_given_away)
{
	struct nb_rx_segment more[3] = { { .len = NB_BUF_SIZE }, { .len = NB_BUF_SIZE },
					 { .len = NB_BUF_SIZE } };
	struct nb_bufs *bufs = &self->nic.bufs;
	unsigned int i;
	uint32_t id;

	nb_nic_stop(&self->nic);
	nb_nic_start(&self->nic, 1, 64);
	nb_bufs_post_range(bufs, self->nic.queue, 0, 64);
	nb_numbered_send(&self->nic.host, 0);
	ASSERT_EQ(1, nb_bufs_reap(bufs, self->nic.queue, &id, 1));
	for (i = 0; i < ARRAY_LEN(more); i++) {
		more[i].id = 64 + i;
		more[i].gpa = NB_RX_GPA + more[i].id * NB_BUF_SIZE;
	}
	/* Of the full ring, one entry is free. */
	EXPECT_EQ(1, nb_queue_rx_avail(self->nic.queue, more, ARRAY_LEN(more)));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	ASSERT_EQ(0, nb_queue_resume(self->nic.queue));
	for (i = 1; i <= 64; i++) {
		nb_numbered_send(&self->nic.host, i);
		ASSERT_EQ(1, nb_bufs_reap(bufs, self->nic.queue, &id, 1));
		ASSERT_EQ(i, id);
	}
}

TEST_F(netdev, the_hosts_packets_wait_for_the_queue)
{
	struct nb_host *host = &self->nic.host;
	uint32_t number = 0, i;

	nb_nic_post_all(&self->nic);
	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	for (i = 0; i < 50; i++)
		nb_numbered_send(host, number++);
	EXPECT_EQ(0, nb_stats_of(self->nic.queue).rx_packets);
	ASSERT_EQ(0, nb_queue_resume(self->nic.queue));
	EXPECT_TRUE(nb_numbered_receive(&self->nic, 0, 50));

	/* Going down drops what waits; coming up does not start the queue. */
	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	nb_host_close(host);
	nb_link_set_up(host->name, false);
	nb_link_set_up(host->name, true);
	nb_host_open_socket(host, host->ifindex);
	for (i = 0; i < 10; i++)
		nb_numbered_send(host, number++);
	EXPECT_EQ(50, nb_stats_of(self->nic.queue).rx_packets);
	ASSERT_EQ(0, nb_queue_resume(self->nic.queue));
	EXPECT_TRUE(nb_numbered_receive(&self->nic, 50, 10));
}

static void send_many(struct nb_host *host, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		nb_numbered_send(host, i);
}

static bool carrier(const struct nb_host *host)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq request = { .ifr_data = (char *)&link };
	int fd = nb_sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	memcpy(request.ifr_name, host->name, sizeof(request.ifr_name));
	nb_sys(ioctl(fd, SIOCETHTOOL, &request));
	close(fd);
	return link.data;
}

TEST_F(netdev, the_hosts_packets_wait_for_the_next_queue)
{
	struct nb_host *host = &self->nic.host;

	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	nb_nic_close_queue(&self->nic);
	send_many(host, 50);
	nb_nic_open_queue(&self->nic);
	nb_nic_post_all(&self->nic);
	EXPECT_TRUE(nb_numbered_receive(&self->nic, 0, 50));
	EXPECT_TRUE(carrier(host));
}

TEST_F(netdev, stopping_says_that_there_is_no_next_queue)
{
	struct nb_host *host = &self->nic.host;

	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	nb_nic_close_queue(&self->nic);
	send_many(host, 50);
	EXPECT_TRUE(carrier(host));
	ASSERT_EQ(0, nb_endpoint_stop(self->nic.ep));
	EXPECT_FALSE(carrier(host));

	nb_host_close(host);
	nb_bufs_init(&self->nic.bufs);
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_numbered_send(&self->nic.host, 100);
	EXPECT_TRUE(nb_numbered_receive(&self->nic, 100, 1));
}

TEST_F(netdev, a_quiesced_queue_learns_that_its_interface_is_gone)
{
	struct nb_queue_saved saved = { .size = sizeof(saved) };

	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	nb_link_delete(self->nic.host.ifindex);
	EXPECT_EQ(NB_QUEUE_RESTART, nb_queue_state(self->nic.queue));
	EXPECT_EQ(-ENETRESET, nb_queue_resume(self->nic.queue));
	EXPECT_TRUE(nb_explained());
	EXPECT_EQ(-ENETRESET, nb_queue_quiesce(self->nic.queue));
	EXPECT_TRUE(nb_explained());
	EXPECT_EQ(-ENETRESET, nb_raw_call(nb_queue_fd(self->nic.queue), NB_QUEUE_SAVE, &saved));
	EXPECT_TRUE(nb_raw_explained());
}

TEST_HARNESS_MAIN
