// SPDX-License-Identifier: GPL-2.0
/*
 * Live migration: a queue is quiesced, saved, and restored by another process with
 * another memory, while packets flow; none is lost, none comes twice, and all come in
 * order.  And what a queue that is saved or restored refuses; quiesce.c has the rest.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbnumbered.h"
#include "nbraw.h"
#include "nbthread.h"

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
		nb_numbered_fill(nb_guest_ptr(nic->guest, gpa, NB_NUMBERED_LEN), progress->posted);
		segment = nb_tx_packet(gpa, NB_NUMBERED_LEN, progress->posted);
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
			number = nb_numbered_number(nb_guest_ptr(nic->guest, NB_RX_GPA +
							meta[i].id * NB_BUF_SIZE, NB_NUMBERED_LEN),
					   meta[i].len);
			if (number < progress->received ||
			    (number > progress->received && !nb_test_kind_loses(nic->kind)))
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
	    stats.tx_bytes != (uint64_t)progress->posted * NB_NUMBERED_LEN)
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
	nb_nic_open_queue(nic);
	if (channel->state_size) {
		nb_ok(nb_queue_restore(nic->queue, channel->state, channel->state_size));
		nb_ok(nb_queue_resume(nic->queue));
	}
	post_held(nic, &progress);
	/* What came while there were no buffers may be lost. */
	if (nb_test_kind_loses(nic->kind))
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
		nb_numbered_send(sender->host, channel->sent);
		__atomic_store_n(&channel->sent, channel->sent + 1, __ATOMIC_RELEASE);
	}
	set(&channel->stopped);
	return NULL;
}

TEST_F(moving, a_queue_goes_from_process_to_process_and_no_packet_is_lost)
{
	struct channel *channel = mmap(NULL, sizeof(*channel), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sender sender = { &self->nic.host, channel,
				 nb_test_kind_loses(variant->kind) ? 64 : 300 };
	bool host = variant->kind->sent == NB_COMES_TO_HOST;
	pthread_t thread = 0;
	unsigned int hop;
	int pair[2], status;
	pid_t process;
	char byte;

	ASSERT_NE(MAP_FAILED, channel);
	/* veth keeps no order between CPUs. */
	if (variant->kind->takes_over)
		nb_thread_allow(0, 0, 0);
	memset(channel->progress.held, true, sizeof(channel->progress.held));
	nb_sys(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	for (hop = 0; hop < HOPS; hop++) {
		process = nb_sys(fork());
		if (!process)
			run_hop(&self->nic, channel, pair[1], hop == HOPS - 1);
		ASSERT_EQ(1, read(pair[0], &byte, 1));
		if (host && !hop) {
			nb_nic_open_host(&self->nic);
			thread = nb_test_thread(run_sender, &sender);
		}
		nb_sys(write(pair[0], "", 1));
		nb_sys(waitpid(process, &status, 0));
		ASSERT_EQ(0, status);
	}
	EXPECT_EQ(variant->kind == &nb_test_loopback, channel->waited > 0);
	EXPECT_LE(HOPS * PER_HOP, channel->progress.posted);
	if (host) {
		pthread_join(thread, NULL);
		EXPECT_TRUE(nb_numbered_came(&self->nic.host, channel->progress.posted));
	}
	munmap(channel, sizeof(*channel));
}

/* ---- saving and restoring ------------------------------------------------- */

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
	EXPECT_TRUE(nb_explained());

	packet = nb_tx_frame(self->guest, 0, NB_NUMBERED_LEN);
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
		ASSERT_EQ(NB_NUMBERED_LEN,
			  nb_host_receive(&self->nic->host, state, NB_NUMBERED_LEN, NULL));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	saved = nb_raw_save(fd);
	EXPECT_EQ(256, saved.entries[NB_RING_TX_AVAIL]);
	EXPECT_EQ(1, saved.index[NB_RING_TX_AVAIL]);
	EXPECT_EQ(1, saved.index[NB_RING_TX_DONE]);
	EXPECT_EQ(variant->kind->sent == NB_COMES_BACK, saved.index[NB_RING_RX_AVAIL]);
	EXPECT_EQ(variant->kind->sent == NB_COMES_BACK, saved.index[NB_RING_RX_DONE]);
	EXPECT_EQ(1, saved.counters[0]);
	EXPECT_EQ(NB_NUMBERED_LEN, saved.counters[1]);
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
	good = nb_raw_save(fd);
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
	if (nb_raw_command(raw->fd, NB_QUEUE_QUIESCE) || restore(raw->fd, saved))
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

	packet = nb_tx_packet(nb_frame_put(self->guest, 0, NB_NUMBERED_LEN, 0),
			      NB_NUMBERED_LEN, 77);
	for (i = 0; i < ARRAY_LEN(indices); i++) {
		saved = saved_at(indices[i]);
		open_at(&self->all, &raw, &saved);
		ASSERT_EQ(0, nb_raw_command(raw.fd, NB_QUEUE_RESUME));
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

	packet = nb_tx_packet(nb_frame_put(self->guest, 0, NB_NUMBERED_LEN, 0),
			      NB_NUMBERED_LEN, 77);
	for (saved.skip_tails = 0; saved.skip_tails < 2; saved.skip_tails++) {
		open_at(&self->all, &raw, &saved);
		nb_raw_tx(&raw, (struct nb_tx_segment []){ tail, tail, tail, packet }, 4);
		nb_raw_rx(&raw, &buffer, 1);
		EXPECT_EQ(saved.skip_tails, nb_raw_save(raw.fd).skip_tails);
		ASSERT_EQ(0, nb_raw_command(raw.fd, NB_QUEUE_RESUME));
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
		nb_ok(nb_raw_command(raw.fd, NB_QUEUE_RESUME));
		nb_raw_tx(&raw, &(struct nb_tx_segment){ NB_TX_GPA, 64, 1, 64, NB_TX_HEAD, 1 }, 1);
		nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
		/* Room in rx-done is looked for when what is known of is used up. */
		if (i == NB_RING_TX_AVAIL || i == NB_RING_TX_DONE ||
		    (i == NB_RING_RX_AVAIL && variant->kind->sent == NB_COMES_BACK)) {
			EXPECT_EQ(NB_QUEUE_FAILED, nb_raw_state(&raw)) TH_LOG("ring %u", i);
			EXPECT_EQ(-EIO, nb_raw_command(raw.fd, NB_QUEUE_QUIESCE));
			EXPECT_TRUE(nb_raw_explained());
			EXPECT_EQ(-EIO, nb_raw_command(raw.fd, NB_QUEUE_RESUME));
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
	nb_nic_open_queue(self->nic);
	for (i = 0; i < 3; i++)
		buffers[i] = (struct nb_rx_segment){ NB_RX_GPA + i * NB_PAGE, NB_PAGE, i };
	ASSERT_EQ(3, nb_queue_rx_avail(self->nic->queue, buffers, 3));
	ASSERT_EQ(0, nb_queue_quiesce(self->nic->queue));
	size = nb_queue_save(self->nic->queue, state, sizeof(state));
	ASSERT_LT(0, size);
	ASSERT_GT(sizeof(state), size);
	nb_nic_close_queue(self->nic);

	nb_nic_open_queue(self->nic);
	EXPECT_EQ(-EINVAL, nb_queue_restore(self->nic->queue, state, 0));
	EXPECT_TRUE(nb_explained());
	EXPECT_EQ(-EINVAL, nb_queue_restore(self->nic->queue, state, size - 1));
	EXPECT_EQ(-EINVAL, nb_queue_restore(self->nic->queue, state, size + 1));
	EXPECT_EQ(-EINVAL, nb_queue_restore(self->nic->queue, state, size - 16));
	EXPECT_EQ(0, nb_queue_restore(self->nic->queue, state, size));
	nb_nic_close_queue(self->nic);

	for (i = 0; i < 200; i++) {
		memcpy(bad, state, size);
		bad[nb_random_below(&random, size)] ^= 1 << nb_random_below(&random, 8);
		nb_nic_open_queue(self->nic);
		if (!nb_queue_restore(self->nic->queue, bad, size)) {
			nb_queue_resume(self->nic->queue);
			nb_queue_enter(self->nic->queue, NB_ENTER_TX | NB_ENTER_RX, 0, NULL);
		}
		nb_nic_close_queue(self->nic);
	}
}

TEST_HARNESS_MAIN
