// SPDX-License-Identifier: GPL-2.0
/*
 * Live migration: a queue is quiesced, saved, and restored by another process with
 * another memory, while packets flow; none is lost, none comes twice, and all come in
 * order.  And what quiescing means by itself, and what a queue refuses.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

#define FRAME_LEN	100u
/* Frames that a guest sends at a time, and where they lie. */
#define FRAMES		128u
#define FRAME_SLOT	256u
#define MAX_STATE	65536

/* While packets flow. */
FIXTURE(moving)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_VARIANT(moving)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(moving, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(moving, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(moving, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(moving, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(moving, switch) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(moving, delay) { .kind = &nb_test_delay };

typedef FIXTURE_DATA(moving) fixture;

/* Calls, one after the other; on kinds whose packets come at once or not at all. */
FIXTURE(migrate)
{
	fixture all;
	struct nb_guest *guest;
	struct nb_nic *nic;
};

FIXTURE_VARIANT(migrate)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(migrate, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(migrate, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(migrate, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(migrate, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(migrate, switch) { .kind = &nb_test_switch };

static void setup(fixture *self, const struct nb_test_kind *kind)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, kind, 0);
}

static void teardown(fixture *self)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

FIXTURE_SETUP(moving)
{
	setup(self, variant->kind);
}

FIXTURE_TEARDOWN(moving)
{
	teardown(self);
}

FIXTURE_SETUP(migrate)
{
	setup(&self->all, variant->kind);
	self->guest = &self->all.guest;
	self->nic = &self->all.nic;
}

FIXTURE_TEARDOWN(migrate)
{
	teardown(&self->all);
}

/* The kind drops what comes while there is no buffer. */
static bool loses(const struct nb_test_kind *kind)
{
	return kind->takes_over;
}

FIXTURE(netdev)
{
	fixture migrate;
	struct nb_nic *nic;
};

FIXTURE_SETUP(netdev)
{
	setup(&self->migrate, &nb_test_netdev);
	self->nic = &self->migrate.nic;
	nb_nic_start(self->nic, 1, 0);
	nb_link_set_fifo(self->nic->host.ifindex, 100000);
}

FIXTURE_TEARDOWN(netdev)
{
	teardown(&self->migrate);
}

static bool explained(void)
{
	return strchr(nb_error(), ' ');
}

/* Closes the queue, and leaves the host alone. */
static void close_queue(struct nb_nic *nic)
{
	nb_queue_close(nic->queue);
	nic->queue = NULL;
	nic->n_queues = 0;
}

static void open_queue(struct nb_nic *nic)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };

	nb_ok(nb_endpoint_get_queues(nic->ep, nic->guest->mem, &config, 1, NULL, nic->queues));
	nic->queue = nic->queues[0];
	nic->n_queues = 1;
}

/* ---- numbered packets ----------------------------------------------------- */

static void fill_numbered(void *frame, uint32_t number)
{
	nb_frame_fill(frame, FRAME_LEN, number);
	memcpy((char *)frame + NB_HEADER_LEN, &number, sizeof(number));
}

/* The number of a frame that is whole. */
static uint32_t number_of(const void *frame, size_t len)
{
	unsigned char whole[FRAME_LEN];
	uint32_t number;

	if (len != FRAME_LEN)
		nb_die("a packet of %zu bytes", len);
	memcpy(&number, (const char *)frame + NB_HEADER_LEN, sizeof(number));
	fill_numbered(whole, number);
	if (memcmp(whole, frame, FRAME_LEN))
		nb_die("packet %u is not whole", number);
	return number;
}

static void send_numbered(struct nb_host *host, uint32_t number)
{
	unsigned char frame[FRAME_LEN];

	fill_numbered(frame, number);
	nb_host_send(host, frame, FRAME_LEN);
}

/* Receives packets of these numbers, in order, from any queue of its NIC. */
static bool receive_numbered(struct nb_nic *nic, uint32_t first, uint32_t n)
{
	unsigned char frame[NB_BUF_SIZE];
	uint32_t id, i;

	for (i = first; i < first + n; i++) {
		if (nb_bufs_reap(&nic->bufs, nic->queue, &id, 1) != 1)
			return false;
		nb_bufs_read(&nic->bufs, nic->guest, id, frame);
		if (number_of(frame, nic->bufs.meta[id].len) != i)
			return false;
		nb_bufs_post(&nic->bufs, nic->queue, id);
	}
	return true;
}

/* ---- from process to process ---------------------------------------------- */

#define HOPS		6u
#define PER_HOP		400u

/* What a frontend has to remember of its NIC. */
struct progress {
	uint32_t posted;	/* packets in tx-avail, ever */
	uint32_t completed;	/* of those */
	uint32_t received;	/* number behind that of the last packet received */
	uint32_t filled;	/* buffers */
	bool held[NB_BUFS];	/* buffers that are not in rx-avail */
};

/* What goes from one process to the next, and what the host and they tell each other. */
struct channel {
	struct progress progress;
	unsigned char state[MAX_STATE];
	long state_size;	/* 0: there is no queue yet */
	unsigned char rx[NB_RX_SIZE], tx[NB_TX_SIZE];
	unsigned long waited;	/* packets that were in tx-avail, all in all */
	uint32_t sent;		/* by the host */
	uint32_t got;		/* of those, by the guest */
	bool stop, stopped;	/* sending */
};

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

/* Posts up to n packets: as many as there are frames and room for. */
static void post_packets(struct nb_nic *nic, struct progress *progress, unsigned int n)
{
	struct nb_tx_segment segment;
	uint64_t gpa;

	while (n-- && progress->posted - progress->completed < FRAMES) {
		gpa = NB_TX_GPA + progress->posted % FRAMES * FRAME_SLOT;
		fill_numbered(nb_guest_ptr(nic->guest, gpa, FRAME_LEN), progress->posted);
		segment = nb_tx_packet(gpa, FRAME_LEN, progress->posted);
		if (nb_ok(nb_queue_tx_avail(nic->queue, &segment, 1, NULL)) != 1)
			break;
		progress->posted++;
	}
}

static void reap_packets(struct nb_nic *nic, struct progress *progress)
{
	struct nb_tx_completion done[32];
	int n, i;

	while ((n = nb_queue_tx_poll(nic->queue, done, ARRAY_LEN(done))) > 0) {
		for (i = 0; i < n; i++)
			if (done[i].id != progress->completed++ || done[i].status != NB_TX_OK)
				nb_die("transmit %u ended as id %u, status %u",
				       progress->completed - 1, done[i].id, done[i].status);
	}
}

/* Checks what has been received; its buffers are held then. */
static void reap_buffers(struct nb_nic *nic, struct progress *progress)
{
	struct nb_rx_metadata meta[32];
	uint32_t number;
	int n, i;

	while ((n = nb_queue_rx_poll(nic->queue, meta, ARRAY_LEN(meta))) > 0) {
		for (i = 0; i < n; i++) {
			if (meta[i].status != NB_RX_OK || meta[i].id >= NB_BUFS ||
			    progress->held[meta[i].id])
				nb_die("buffer %u came back with status %u", meta[i].id,
				       meta[i].status);
			number = number_of(nb_guest_ptr(nic->guest, NB_RX_GPA +
							meta[i].id * NB_BUF_SIZE, FRAME_LEN),
					   meta[i].len);
			if (number < progress->received ||
			    (number > progress->received && !loses(nic->kind)))
				nb_die("packet %u was received instead of %u", number,
				       progress->received);
			progress->received = number + 1;
			progress->filled++;
			progress->held[meta[i].id] = true;
		}
	}
}

static void post_held(struct nb_nic *nic, struct progress *progress)
{
	uint32_t id;

	for (id = 0; id < NB_BUFS; id++) {
		if (progress->held[id])
			nb_bufs_post(&nic->bufs, nic->queue, id);
		progress->held[id] = false;
	}
}

/* How far the guest is; never less than it was said to be. */
static void tell_host(struct channel *channel, const struct progress *progress)
{
	if (progress->received > channel->got)
		__atomic_store_n(&channel->got, progress->received, __ATOMIC_RELEASE);
}

static void go_on(struct nb_nic *nic, struct channel *channel, struct progress *progress,
		  unsigned int packets)
{
	post_packets(nic, progress, packets);
	reap_packets(nic, progress);
	reap_buffers(nic, progress);
	post_held(nic, progress);
	tell_host(channel, progress);
	nb_queue_poll_ready(nic->queue, 1);
}

static bool came_far_enough(const struct nb_nic *nic, const struct progress *progress,
			    const struct progress *start)
{
	if (progress->completed - start->completed < PER_HOP)
		return false;
	return nic->kind->sent == NB_COMES_NOWHERE ||
	       progress->received - start->received >= PER_HOP;
}

static bool all_came(const struct nb_nic *nic, const struct channel *channel,
		     const struct progress *progress)
{
	if (progress->completed != progress->posted)
		return false;
	if (nic->kind->sent == NB_COMES_BACK)
		return progress->received == progress->posted;
	return nic->kind->sent == NB_COMES_NOWHERE ||
	       (is_set(&channel->stopped) && progress->received == load(&channel->sent));
}

/* Leaves packets in tx-avail if the kind leaves any, for want of buffers. */
static void fill_rings(struct nb_nic *nic, struct channel *channel, struct progress *progress)
{
	uint64_t end = nb_test_now() + NB_PATIENCE;
	uint32_t start = progress->received;

	while (nic->kind->sent != NB_COMES_NOWHERE && progress->received - start < NB_BUFS - 8) {
		post_packets(nic, progress, 16);
		reap_packets(nic, progress);
		reap_buffers(nic, progress);
		tell_host(channel, progress);
		if (nb_test_now() > end)
			nb_die("the buffers are not filled");
	}
	post_packets(nic, progress, FRAMES);
}

/* The pages that the kernel has written since the last time go to the next process. */
static void copy_dirty(struct nb_guest *guest, struct channel *channel)
{
	const unsigned char *memory = nb_guest_ptr(guest, NB_RX_GPA, NB_RX_SIZE);
	uint64_t word;
	unsigned int page;

	nb_ok(nb_memory_harvest_dirty(guest->mem, NB_RX_GPA, NB_RX_SIZE, &word));
	for (page = 0; page < 64; page++)
		if (word >> page & 1)
			memcpy(channel->rx + page * NB_PAGE, memory + page * NB_PAGE, NB_PAGE);
}

static void drain(struct nb_nic *nic, struct channel *channel, struct progress *progress)
{
	uint64_t end = nb_test_now() + 6 * NB_PATIENCE;

	while (!all_came(nic, channel, progress)) {
		go_on(nic, channel, progress, 0);
		if (nb_test_now() > end)
			nb_die("%u of %u sent, %u received, and no more", progress->completed,
			       progress->posted, progress->received);
	}
}

static void leave(struct nb_nic *nic, struct channel *channel, struct progress *progress)
{
	const void *rx = nb_guest_ptr(nic->guest, NB_RX_GPA, NB_RX_SIZE);

	/* What kind delay has on its way is lost with the queue. */
	if (nic->kind == &nb_test_delay)
		drain(nic, channel, progress);
	else
		fill_rings(nic, channel, progress);
	nb_ok(nb_queue_quiesce(nic->queue));
	reap_packets(nic, progress);
	reap_buffers(nic, progress);
	channel->waited += progress->posted - progress->completed;
	channel->state_size = nb_queue_save(nic->queue, channel->state, MAX_STATE);
	if (channel->state_size <= 0 || channel->state_size > MAX_STATE)
		nb_die("save: %ld: %s", channel->state_size, nb_error());
	copy_dirty(nic->guest, channel);
	if (memcmp(channel->rx, rx, NB_RX_SIZE))
		nb_die("a page was missed");
	memcpy(channel->tx, nb_guest_ptr(nic->guest, NB_TX_GPA, NB_TX_SIZE), NB_TX_SIZE);
}

static void check_counters(struct nb_nic *nic, const struct progress *progress)
{
	struct nb_queue_stats stats = nb_stats_of(nic->queue);

	if (stats.tx_packets != progress->posted || stats.rx_packets != progress->filled ||
	    stats.tx_bytes != (uint64_t)progress->posted * FRAME_LEN)
		nb_die("%llu packets sent, %llu received, by the counters; %u, %u in truth",
		       (unsigned long long)stats.tx_packets,
		       (unsigned long long)stats.rx_packets, progress->posted,
		       progress->filled);
}

/* A frontend: makes a queue or takes one over, uses it, and leaves it to the next. */
static void run_hop(struct nb_nic *nic, struct channel *channel, int socket, bool last)
{
	uint64_t end = nb_test_now() + 6 * NB_PATIENCE;
	struct progress progress = channel->progress;
	struct nb_guest guest;
	char byte;

	nb_guest_open(&guest, 0);
	nic->guest = &guest;
	memcpy(nb_guest_ptr(&guest, NB_RX_GPA, NB_RX_SIZE), channel->rx, NB_RX_SIZE);
	memcpy(nb_guest_ptr(&guest, NB_TX_GPA, NB_TX_SIZE), channel->tx, NB_TX_SIZE);
	nb_ok(nb_memory_start_dirty_log(guest.mem));
	open_queue(nic);
	if (channel->state_size) {
		nb_ok(nb_queue_restore(nic->queue, channel->state, channel->state_size));
		nb_ok(nb_queue_resume(nic->queue));
	}
	post_held(nic, &progress);
	/* What came while there were no buffers may be lost. */
	if (loses(nic->kind))
		__atomic_store_n(&channel->got, load(&channel->sent), __ATOMIC_RELEASE);
	/* The interface comes up with its first queue. */
	nb_sys(write(socket, "", 1));
	nb_sys(read(socket, &byte, 1));

	while (!came_far_enough(nic, &progress, &channel->progress)) {
		go_on(nic, channel, &progress, 8);
		copy_dirty(&guest, channel);
		if (nb_test_now() > end)
			nb_die("%u packets sent, %u received, and no more", progress.completed,
			       progress.received);
	}
	if (!last) {
		leave(nic, channel, &progress);
	} else {
		set(&channel->stop);
		drain(nic, channel, &progress);
		check_counters(nic, &progress);
	}
	channel->progress = progress;
	_exit(0);
}

struct sender {
	struct nb_host *host;
	struct channel *channel;
	uint32_t ahead;		/* at most so many packets, of those received */
};

/* The host sends all the time, also while there is no queue. */
static void *run_sender(void *argument)
{
	struct sender *sender = argument;
	struct channel *channel = sender->channel;

	while (!is_set(&channel->stop)) {
		if (channel->sent - load(&channel->got) > sender->ahead) {
			usleep(200);
			continue;
		}
		send_numbered(sender->host, channel->sent);
		__atomic_store_n(&channel->sent, channel->sent + 1, __ATOMIC_RELEASE);
	}
	set(&channel->stopped);
	return NULL;
}

static pthread_t start_thread(void *(*run)(void *argument), void *argument)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, argument);
	if (errno)
		nb_die("pthread_create: %s", strerror(errno));
	return thread;
}

static bool host_got(struct nb_host *host, uint32_t n)
{
	unsigned char frame[FRAME_LEN];
	uint32_t i;
	ssize_t len;

	for (i = 0; i < n; i++) {
		len = nb_host_receive(host, frame, sizeof(frame), NULL);
		if (len < 0 || number_of(frame, len) != i) {
			fprintf(stderr, "# packet %u has not come to the host in its turn\n", i);
			return false;
		}
	}
	return nb_host_silent(host);
}

/* When the first process has its queue. */
static void open_host(struct nb_nic *nic)
{
	struct nb_endpoint_info info;

	if (nic->kind->takes_over) {
		nb_host_open_socket(&nic->host, nic->pair.far_index);
		return;
	}
	nb_ok(nb_endpoint_get_info(nic->ep, &info));
	nb_host_open(&nic->host, info.ifindex);
	nb_link_set_fifo(nic->host.ifindex, 100000);
}

TEST_F(moving, a_queue_goes_from_process_to_process_and_no_packet_is_lost)
{
	struct channel *channel = mmap(NULL, sizeof(*channel), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sender sender = { &self->nic.host, channel, loses(variant->kind) ? 64 : 300 };
	bool host = variant->kind->sent == NB_COMES_TO_HOST;
	pthread_t thread = 0;
	unsigned int hop;
	int pair[2], status;
	pid_t process;
	char byte;

	ASSERT_NE(MAP_FAILED, channel);
	memset(channel->progress.held, true, sizeof(channel->progress.held));
	nb_sys(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	for (hop = 0; hop < HOPS; hop++) {
		process = nb_sys(fork());
		if (!process)
			run_hop(&self->nic, channel, pair[1], hop == HOPS - 1);
		ASSERT_EQ(1, read(pair[0], &byte, 1));
		if (host && !hop) {
			open_host(&self->nic);
			thread = start_thread(run_sender, &sender);
		}
		nb_sys(write(pair[0], "", 1));
		nb_sys(waitpid(process, &status, 0));
		ASSERT_EQ(0, status);
	}
	EXPECT_EQ(variant->kind == &nb_test_loopback, channel->waited > 0);
	EXPECT_LE(HOPS * PER_HOP, channel->progress.posted);
	if (host) {
		pthread_join(thread, NULL);
		EXPECT_TRUE(host_got(&self->nic.host, channel->progress.posted));
	}
	munmap(channel, sizeof(*channel));
}

/* ---- quiescing ------------------------------------------------------------ */

static int enter(struct nb_nic *nic, uint32_t flags)
{
	return nb_queue_enter(nic->queue, flags, NB_NO_TIMEOUT, NULL);
}

TEST_F(moving, a_quiesced_queue_stands_still_and_goes_on)
{
	struct nb_tx_segment packet = nb_tx_packet(NB_TX_GPA, FRAME_LEN, 0);
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
		EXPECT_TRUE(explained());
		ASSERT_EQ(0, nb_queue_resume(queue));
		EXPECT_EQ(NB_QUEUE_RUNNING, nb_queue_state(queue));
		EXPECT_EQ(-EBADFD, nb_queue_resume(queue));
		EXPECT_TRUE(explained());
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

TEST_F(moving, quiescing_ends_every_wait)
{
	uint64_t before;
	pthread_t thread;
	void *result;

	nb_nic_start(&self->nic, 1, 0);
	before = enters(&self->nic);
	thread = start_thread(wait_for_ever, &self->nic);
	ASSERT_TRUE(nb_until(enters(&self->nic) > before));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic.queue));
	pthread_join(thread, &result);
	EXPECT_EQ(-ESHUTDOWN, (long)result);
}

static uint32_t consumer_of(const struct nb_raw *raw, enum nb_ring_id id)
{
	return __atomic_load_n(raw->ring[id].consumer, __ATOMIC_ACQUIRE);
}

static int call(int fd, unsigned long command)
{
	struct nb_queue_quiesce arg = { .size = sizeof(arg) };

	return nb_raw_call(fd, command, &arg);
}

static uint64_t kicks_of(int fd)
{
	struct nb_queue_stats stats = { .size = sizeof(stats) };

	nb_sys(ioctl(fd, NB_QUEUE_GET_STATS, &stats));
	return stats.kicks;
}

TEST_F(migrate, a_kick_of_a_quiesced_queue_is_made_up_for)
{
	struct nb_queue_eventfds fds = { .size = sizeof(fds), .call_fd = -1 };
	struct nb_rx_segment buffer = { NB_RX_GPA, NB_BUF_SIZE, 1 };
	struct nb_tx_segment packet;
	struct nb_tx_completion done;
	struct nb_raw raw;
	uint64_t one = 1;

	nb_raw_open(&raw, self->nic->ep, self->guest->mem, 64);
	fds.kick_fd = nb_sys(eventfd(0, EFD_CLOEXEC));
	ASSERT_EQ(0, nb_raw_call(raw.fd, NB_QUEUE_SET_EVENTFDS, &fds));
	packet = nb_tx_packet(nb_frame_put(self->guest, 0, FRAME_LEN, 0), FRAME_LEN, 77);

	ASSERT_EQ(0, call(raw.fd, NB_QUEUE_QUIESCE));
	nb_raw_rx(&raw, &buffer, 1);
	nb_raw_tx(&raw, &packet, 1);
	nb_sys(write(fds.kick_fd, &one, sizeof(one)));
	ASSERT_TRUE(nb_until(kicks_of(raw.fd) == 1));
	EXPECT_EQ(-ESHUTDOWN, nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL));
	EXPECT_EQ(0, consumer_of(&raw, NB_RING_TX_AVAIL));
	EXPECT_EQ(0, consumer_of(&raw, NB_RING_RX_AVAIL));
	EXPECT_FALSE(nb_raw_tx_done(&raw, &done));

	ASSERT_EQ(0, call(raw.fd, NB_QUEUE_RESUME));
	ASSERT_TRUE(nb_raw_tx_done(&raw, &done));
	EXPECT_EQ(77, done.id);
	close(fds.kick_fd);
	nb_raw_close(&raw);
}

/* Posts a packet, and waits for its completion without a system call. */
static bool is_polled(struct nb_raw *raw, const struct nb_tx_segment *packet)
{
	struct nb_tx_completion done;

	nb_raw_tx(raw, packet, 1);
	return nb_until(nb_raw_tx_done(raw, &done));
}

TEST_F(moving, a_poller_goes_on_when_its_queue_is_resumed)
{
	struct nb_queue_config config = { .flags = NB_QUEUE_POLL, .target_cpu = NB_ANY_CPU,
					  .poll_idle_us = 1000000 };
	struct nb_rx_segment buffer = { NB_RX_GPA, NB_BUF_SIZE, 1 };
	struct nb_tx_segment packet;
	struct nb_raw raw;
	unsigned int round;

	nb_nic_start_as(&self->nic, &config, 1);
	nb_raw_map(&raw, nb_sys(dup(nb_queue_fd(self->nic.queue))));
	packet = nb_tx_packet(nb_frame_put(&self->guest, 0, FRAME_LEN, 0), FRAME_LEN, 77);
	for (round = 0; round < 20; round++) {
		nb_raw_rx(&raw, &buffer, 1);
		ASSERT_TRUE(is_polled(&raw, &packet));
		ASSERT_EQ(0, call(raw.fd, NB_QUEUE_QUIESCE));
		/* It sees that there is something, and that it must not. */
		nb_raw_tx(&raw, &packet, 1);
		usleep(2000);
		EXPECT_FALSE(nb_raw_tx_done(&raw, &(struct nb_tx_completion){ 0 }));
		nb_raw_rx(&raw, &buffer, 1);
		ASSERT_EQ(0, call(raw.fd, NB_QUEUE_RESUME));
		ASSERT_TRUE(nb_until(nb_raw_tx_done(&raw, &(struct nb_tx_completion){ 0 })));
		nb_raw_rx(&raw, &buffer, 1);
		ASSERT_TRUE(is_polled(&raw, &packet));
		while (nb_raw_rx_done(&raw, &(struct nb_rx_metadata){ 0 }))
			;
	}
	nb_raw_close(&raw);
}

/* ---- quiescing again and again, under traffic ------------------------------ */

struct disturber {
	int fd;
	bool over;
	unsigned long times;
};

static void *disturb(void *argument)
{
	struct disturber *disturber = argument;

	while (!is_set(&disturber->over)) {
		if (call(disturber->fd, NB_QUEUE_QUIESCE) || call(disturber->fd, NB_QUEUE_RESUME))
			nb_die("quiesce or resume: %s", nb_raw_message);
		__atomic_fetch_add(&disturber->times, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

#define DISTURBED	3000u

TEST_F(moving, quiescing_under_traffic_loses_nothing)
{
	struct disturber disturber = { 0 };
	struct nb_tx_segment packet;
	struct nb_rx_segment buffer = { .len = NB_BUF_SIZE };
	uint32_t posted = 0, completed = 0, received = 0, sent = 0, filled = 0, number, expected;
	uint32_t ahead = loses(variant->kind) ? 32 : 100;
	bool host = variant->kind->sent == NB_COMES_TO_HOST;
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;
	pthread_t thread;
	struct nb_raw raw;
	uint64_t end = nb_test_now() + 12 * NB_PATIENCE;

	nb_raw_open(&raw, self->nic.ep, self->guest.mem, 64);
	if (host)
		open_host(&self->nic);
	for (; buffer.id < 64; buffer.id++) {
		buffer.gpa = NB_RX_GPA + buffer.id * NB_BUF_SIZE;
		nb_raw_rx(&raw, &buffer, 1);
	}
	disturber.fd = raw.fd;
	thread = start_thread(disturb, &disturber);
	expected = variant->kind->sent == NB_COMES_NOWHERE || loses(variant->kind) ? 0 : DISTURBED;
	while (completed < DISTURBED || received < expected ||
	       __atomic_load_n(&disturber.times, __ATOMIC_RELAXED) < DISTURBED) {
		ASSERT_LT(nb_test_now(), end)
			TH_LOG("%u completed, %u received", completed, received);
		if (posted < DISTURBED && posted - completed < 64) {
			uint64_t gpa = NB_TX_GPA + posted % 64 * FRAME_SLOT;

			fill_numbered(nb_guest_ptr(&self->guest, gpa, FRAME_LEN), posted);
			packet = nb_tx_packet(gpa, FRAME_LEN, posted++);
			nb_raw_tx(&raw, &packet, 1);
		}
		if (host && sent < DISTURBED && (sent - received < ahead || loses(variant->kind)))
			send_numbered(&self->nic.host, sent++);
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
			number = number_of(nb_guest_ptr(&self->guest, buffer.gpa, FRAME_LEN),
					   meta.len);
			if (number > received && loses(variant->kind))
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
		EXPECT_TRUE(host_got(&self->nic.host, DISTURBED));
	nb_raw_close(&raw);
}

/* ---- saving and restoring ------------------------------------------------- */

static struct nb_queue_saved save(int fd)
{
	struct nb_queue_saved saved = { .size = sizeof(saved) };

	if (nb_raw_call(fd, NB_QUEUE_SAVE, &saved))
		nb_die("save: %s", nb_raw_message);
	saved.msg = (struct nb_message){ 0 };
	return saved;
}

static int restore(int fd, const struct nb_queue_saved *saved)
{
	struct nb_queue_saved arg = *saved;

	return nb_raw_call(fd, NB_QUEUE_RESTORE, &arg);
}

TEST_F(migrate, a_queue_is_saved_when_it_is_quiesced_and_reaped)
{
	struct nb_queue_saved saved = { .size = sizeof(saved) };
	struct nb_tx_segment packet;
	unsigned char state[MAX_STATE];
	int fd;

	nb_nic_start(self->nic, 1, 0);
	nb_nic_post_all(self->nic);
	fd = nb_queue_fd(self->nic->queue);
	EXPECT_EQ(-EBADFD, nb_raw_call(fd, NB_QUEUE_SAVE, &saved));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EBADFD, nb_queue_save(self->nic->queue, state, sizeof(state)));
	EXPECT_TRUE(explained());

	packet = nb_tx_frame(self->guest, 0, FRAME_LEN);
	ASSERT_EQ(1, nb_queue_tx_avail(self->nic->queue, &packet, 1, NULL));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	saved = (struct nb_queue_saved){ .size = sizeof(saved) };
	EXPECT_EQ(-EBADFD, nb_raw_call(fd, NB_QUEUE_SAVE, &saved));
	EXPECT_TRUE(nb_raw_explained());
	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));

	ASSERT_EQ(1, nb_tx_reap(self->nic->queue, &(struct nb_tx_completion){ 0 }, 1));
	if (variant->kind->sent == NB_COMES_BACK)
		ASSERT_EQ(1, nb_bufs_reap(&self->nic->bufs, self->nic->queue, NULL, 1));
	if (variant->kind->sent == NB_COMES_TO_HOST)
		ASSERT_EQ(FRAME_LEN, nb_host_receive(&self->nic->host, state, FRAME_LEN, NULL));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	saved = save(fd);
	EXPECT_EQ(256, saved.entries[NB_RING_TX_AVAIL]);
	EXPECT_EQ(1, saved.index[NB_RING_TX_AVAIL]);
	EXPECT_EQ(1, saved.index[NB_RING_TX_DONE]);
	EXPECT_EQ(variant->kind->sent == NB_COMES_BACK, saved.index[NB_RING_RX_AVAIL]);
	EXPECT_EQ(variant->kind->sent == NB_COMES_BACK, saved.index[NB_RING_RX_DONE]);
	EXPECT_EQ(1, saved.counters[0]);
	EXPECT_EQ(FRAME_LEN, saved.counters[1]);
	/* Saving changes nothing. */
	EXPECT_EQ(nb_queue_save(self->nic->queue, NULL, 0),
		  nb_queue_save(self->nic->queue, state, sizeof(state)));
	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));
	if (variant->kind->sent == NB_COMES_BACK)
		nb_bufs_post(&self->nic->bufs, self->nic->queue, 0);
	EXPECT_TRUE(nb_nic_works(self->nic));
}

TEST_F(migrate, what_cannot_be_is_not_restored)
{
	struct nb_queue_saved good, bad;
	unsigned int i;
	int fd;

	nb_nic_start(self->nic, 1, 0);
	fd = nb_queue_fd(self->nic->queue);
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	good = save(fd);
	for (i = 0; i < NB_N_RINGS; i++) {
		bad = good;
		bad.entries[i] *= 2;
		EXPECT_EQ(-EINVAL, restore(fd, &bad));
		EXPECT_TRUE(nb_raw_explained());
		bad.entries[i] = 0;
		EXPECT_EQ(-EINVAL, restore(fd, &bad));
	}
	bad = good;
	bad.skip_tails = 2;
	EXPECT_EQ(-EINVAL, restore(fd, &bad));
	EXPECT_TRUE(nb_raw_explained());
	bad = good;
	bad.reserved = 1;
	EXPECT_EQ(-EINVAL, restore(fd, &bad));
	EXPECT_TRUE(nb_raw_explained());

	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));
	EXPECT_EQ(-EBADFD, restore(fd, &good));
	EXPECT_TRUE(nb_raw_explained());
	nb_nic_post_all(self->nic);
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	EXPECT_EQ(-EBADFD, restore(fd, &good));
	EXPECT_TRUE(nb_raw_explained());
	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));
	EXPECT_TRUE(nb_nic_works(self->nic));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	EXPECT_EQ(-EBADFD, restore(fd, &good));
	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));
}

/* Starts a raw queue of 64 entries at these indices; both sides know of them. */
static void open_at(fixture *self, struct nb_raw *raw, struct nb_queue_saved *saved)
{
	unsigned int i;

	nb_raw_open(raw, self->nic.ep, self->guest.mem, 64);
	if (call(raw->fd, NB_QUEUE_QUIESCE) || restore(raw->fd, saved))
		nb_die("restore: %s", nb_raw_message);
	for (i = 0; i < NB_N_RINGS; i++) {
		if (*raw->ring[i].producer != saved->index[i] &&
		    *raw->ring[i].consumer != saved->index[i])
			nb_die("ring %u does not begin at %u", i, saved->index[i]);
		if (i == NB_RING_TX_AVAIL || i == NB_RING_RX_AVAIL)
			*raw->ring[i].producer = saved->index[i];
		else
			*raw->ring[i].consumer = saved->index[i];
	}
}

static struct nb_queue_saved saved_at(uint32_t index)
{
	struct nb_queue_saved saved = { .size = sizeof(saved) };
	unsigned int i;

	for (i = 0; i < NB_N_RINGS; i++) {
		saved.entries[i] = 64;
		saved.index[i] = index + 1000 * i;
	}
	return saved;
}

TEST_F(migrate, indices_go_on_from_anywhere)
{
	static const uint32_t indices[] = { 1, 63, 64, 0x7fffffff, 0xffffffc0, 0xfffffff0 };
	struct nb_rx_segment buffer = { NB_RX_GPA, NB_BUF_SIZE, 5 };
	struct nb_queue_saved saved;
	struct nb_tx_segment packet;
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;
	unsigned int i, k;
	struct nb_raw raw;

	packet = nb_tx_packet(nb_frame_put(self->guest, 0, FRAME_LEN, 0), FRAME_LEN, 77);
	for (i = 0; i < ARRAY_LEN(indices); i++) {
		saved = saved_at(indices[i]);
		open_at(&self->all, &raw, &saved);
		ASSERT_EQ(0, call(raw.fd, NB_QUEUE_RESUME));
		for (k = 0; k < 200; k++) {
			if (variant->kind->sent == NB_COMES_BACK)
				nb_raw_rx(&raw, &buffer, 1);
			nb_raw_tx(&raw, &packet, 1);
			ASSERT_EQ(0, nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL));
			ASSERT_TRUE(nb_raw_tx_done(&raw, &done));
			ASSERT_EQ(77, done.id);
			ASSERT_EQ(variant->kind->sent == NB_COMES_BACK,
				  nb_raw_rx_done(&raw, &meta));
		}
		nb_raw_close(&raw);
	}
}

TEST_F(migrate, tails_of_a_packet_that_has_ended_are_skipped)
{
	struct nb_tx_segment tail = { .gpa = NB_TX_GPA, .len = 10 };
	struct nb_rx_segment buffer = { NB_RX_GPA, NB_BUF_SIZE, 5 };
	struct nb_queue_saved saved = saved_at(5);
	struct nb_tx_completion done;
	struct nb_tx_segment packet;
	struct nb_raw raw;
	unsigned int i;

	packet = nb_tx_packet(nb_frame_put(self->guest, 0, FRAME_LEN, 0), FRAME_LEN, 77);
	for (saved.skip_tails = 0; saved.skip_tails < 2; saved.skip_tails++) {
		open_at(&self->all, &raw, &saved);
		nb_raw_tx(&raw, (struct nb_tx_segment []){ tail, tail, tail, packet }, 4);
		nb_raw_rx(&raw, &buffer, 1);
		EXPECT_EQ(saved.skip_tails, save(raw.fd).skip_tails);
		ASSERT_EQ(0, call(raw.fd, NB_QUEUE_RESUME));
		for (i = 0; i < 3 && !saved.skip_tails; i++) {
			ASSERT_TRUE(nb_raw_tx_done(&raw, &done));
			EXPECT_EQ(NB_TX_INVALID, done.status);
		}
		ASSERT_TRUE(nb_raw_tx_done(&raw, &done));
		EXPECT_EQ(77, done.id);
		EXPECT_FALSE(nb_raw_tx_done(&raw, &done));
		nb_raw_close(&raw);
	}
}

TEST_F(migrate, indices_that_do_not_go_together_fail_the_queue)
{
	struct nb_queue_saved saved = saved_at(0x12345678);
	struct nb_rx_segment buffer = { NB_RX_GPA, NB_BUF_SIZE, 5 };
	struct nb_raw raw;
	unsigned int i;

	for (i = 0; i < NB_N_RINGS; i++) {
		open_at(&self->all, &raw, &saved);
		nb_raw_rx(&raw, &buffer, 1);
		/* What the frontend says is beyond what the ring can hold. */
		if (i == NB_RING_TX_AVAIL || i == NB_RING_RX_AVAIL)
			*raw.ring[i].producer += 1000;
		else
			*raw.ring[i].consumer += 1000;
		nb_ok(call(raw.fd, NB_QUEUE_RESUME));
		nb_raw_tx(&raw, &(struct nb_tx_segment){ NB_TX_GPA, 64, 1, 64, NB_TX_HEAD, 1 }, 1);
		nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
		/* Room in rx-done is looked for when what is known of is used up. */
		if (i == NB_RING_TX_AVAIL || i == NB_RING_TX_DONE ||
		    (i == NB_RING_RX_AVAIL && variant->kind->sent == NB_COMES_BACK)) {
			EXPECT_EQ(NB_QUEUE_FAILED, nb_raw_state(&raw)) TH_LOG("ring %u", i);
			EXPECT_EQ(-EIO, call(raw.fd, NB_QUEUE_QUIESCE));
			EXPECT_TRUE(nb_raw_explained());
			EXPECT_EQ(-EIO, call(raw.fd, NB_QUEUE_RESUME));
		}
		nb_raw_close(&raw);
	}
}

/* ---- what libnb saves ----------------------------------------------------- */

TEST_F(migrate, a_state_that_is_damaged_harms_nobody)
{
	struct nb_rx_segment buffers[3] = { { NB_RX_GPA, 100 | NB_RX_MORE, 1 } };
	unsigned char state[MAX_STATE], bad[MAX_STATE];
	struct nb_random random;
	unsigned int i;
	long size;

	nb_random_start(&random);
	open_queue(self->nic);
	for (i = 0; i < 3; i++)
		buffers[i] = (struct nb_rx_segment){ NB_RX_GPA + i * NB_PAGE, NB_PAGE, i };
	ASSERT_EQ(3, nb_queue_rx_avail(self->nic->queue, buffers, 3));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	size = nb_queue_save(self->nic->queue, state, sizeof(state));
	ASSERT_LT(0, size);
	ASSERT_GT(sizeof(state), size);
	close_queue(self->nic);

	open_queue(self->nic);
	EXPECT_EQ(-EINVAL, nb_queue_restore(self->nic->queue, state, 0));
	EXPECT_TRUE(explained());
	EXPECT_EQ(-EINVAL, nb_queue_restore(self->nic->queue, state, size - 1));
	EXPECT_EQ(-EINVAL, nb_queue_restore(self->nic->queue, state, size + 1));
	EXPECT_EQ(-EINVAL, nb_queue_restore(self->nic->queue, state, size - 16));
	EXPECT_EQ(0, nb_queue_restore(self->nic->queue, state, size));
	close_queue(self->nic);

	for (i = 0; i < 200; i++) {
		memcpy(bad, state, size);
		bad[nb_random_below(&random, size)] ^= 1 << nb_random_below(&random, 8);
		open_queue(self->nic);
		if (!nb_queue_restore(self->nic->queue, bad, size)) {
			nb_queue_resume(self->nic->queue);
			nb_queue_enter(self->nic->queue, NB_ENTER_TX | NB_ENTER_RX, 0, NULL);
		}
		close_queue(self->nic);
	}
}

/* ---- the host, while a queue of kind netdev is quiesced --------------------- */

TEST_F(netdev, the_buffer_at_hand_is_given_back)
{
	struct nb_queue_saved saved;
	uint32_t id;

	/* The kernel takes the next buffer when it has filled one. */
	nb_bufs_post_range(&self->nic->bufs, self->nic->queue, 0, 3);
	send_numbered(&self->nic->host, 0);
	ASSERT_EQ(1, nb_bufs_reap(&self->nic->bufs, self->nic->queue, &id, 1));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	saved = save(nb_queue_fd(self->nic->queue));
	EXPECT_EQ(1, saved.index[NB_RING_RX_AVAIL]);
	EXPECT_EQ(1, saved.index[NB_RING_RX_DONE]);
	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));

	send_numbered(&self->nic->host, 1);
	send_numbered(&self->nic->host, 2);
	ASSERT_EQ(1, nb_bufs_reap(&self->nic->bufs, self->nic->queue, &id, 1));
	EXPECT_EQ(1, id);
	ASSERT_EQ(1, nb_bufs_reap(&self->nic->bufs, self->nic->queue, &id, 1));
	EXPECT_EQ(2, id);
}

TEST_F(netdev, the_place_of_the_buffer_at_hand_is_not_given_away)
{
	struct nb_rx_segment more[3] = { { .len = NB_BUF_SIZE }, { .len = NB_BUF_SIZE },
					 { .len = NB_BUF_SIZE } };
	struct nb_bufs *bufs = &self->nic->bufs;
	unsigned int i;
	uint32_t id;

	nb_nic_stop(self->nic);
	nb_nic_start(self->nic, 1, 64);
	nb_bufs_post_range(bufs, self->nic->queue, 0, 64);
	send_numbered(&self->nic->host, 0);
	ASSERT_EQ(1, nb_bufs_reap(bufs, self->nic->queue, &id, 1));
	for (i = 0; i < ARRAY_LEN(more); i++) {
		more[i].id = 64 + i;
		more[i].gpa = NB_RX_GPA + more[i].id * NB_BUF_SIZE;
	}
	/* Of the full ring, one entry is free. */
	EXPECT_EQ(1, nb_queue_rx_avail(self->nic->queue, more, ARRAY_LEN(more)));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));
	for (i = 1; i <= 64; i++) {
		send_numbered(&self->nic->host, i);
		ASSERT_EQ(1, nb_bufs_reap(bufs, self->nic->queue, &id, 1));
		ASSERT_EQ(i, id);
	}
}

TEST_F(netdev, the_hosts_packets_wait_for_the_queue)
{
	struct nb_host *host = &self->nic->host;
	uint32_t number = 0, i;

	nb_nic_post_all(self->nic);
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	for (i = 0; i < 50; i++)
		send_numbered(host, number++);
	EXPECT_EQ(0, nb_stats_of(self->nic->queue).rx_packets);
	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));
	EXPECT_TRUE(receive_numbered(self->nic, 0, 50));

	/* Going down drops what waits; coming up does not start the queue. */
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	nb_host_close(host);
	nb_link_set_up(host->name, false);
	nb_link_set_up(host->name, true);
	nb_host_open_socket(host, host->ifindex);
	for (i = 0; i < 10; i++)
		send_numbered(host, number++);
	EXPECT_EQ(50, nb_stats_of(self->nic->queue).rx_packets);
	ASSERT_EQ(0, nb_queue_resume(self->nic->queue));
	EXPECT_TRUE(receive_numbered(self->nic, 50, 10));
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
	struct nb_host *host = &self->nic->host;
	uint32_t i;

	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	close_queue(self->nic);
	for (i = 0; i < 50; i++)
		send_numbered(host, i);
	open_queue(self->nic);
	nb_nic_post_all(self->nic);
	EXPECT_TRUE(receive_numbered(self->nic, 0, 50));
	EXPECT_TRUE(carrier(host));
}

TEST_F(netdev, stopping_says_that_there_is_no_next_queue)
{
	struct nb_host *host = &self->nic->host;
	uint32_t i;

	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	close_queue(self->nic);
	for (i = 0; i < 50; i++)
		send_numbered(host, i);
	EXPECT_TRUE(carrier(host));
	ASSERT_EQ(0, nb_endpoint_stop(self->nic->ep));
	EXPECT_FALSE(carrier(host));

	nb_host_close(host);
	nb_bufs_init(&self->nic->bufs);
	nb_nic_start(self->nic, 1, 0);
	nb_nic_post_all(self->nic);
	send_numbered(&self->nic->host, 100);
	EXPECT_TRUE(receive_numbered(self->nic, 100, 1));
}

TEST_F(netdev, a_quiesced_queue_learns_that_its_interface_is_gone)
{
	struct nb_queue_saved saved = { .size = sizeof(saved) };

	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	nb_link_delete(self->nic->host.ifindex);
	EXPECT_EQ(NB_QUEUE_RESTART, nb_queue_state(self->nic->queue));
	EXPECT_EQ(-ENETRESET, nb_queue_resume(self->nic->queue));
	EXPECT_TRUE(explained());
	EXPECT_EQ(-ENETRESET, nb_queue_quiesce(self->nic->queue));
	EXPECT_TRUE(explained());
	EXPECT_EQ(-ENETRESET, nb_raw_call(nb_queue_fd(self->nic->queue), NB_QUEUE_SAVE, &saved));
	EXPECT_TRUE(nb_raw_explained());
}

TEST_HARNESS_MAIN
