// SPDX-License-Identifier: GPL-2.0
/*
 * A frontend whose process is disturbed under traffic: it forks, its maps and guest memory
 * move, signals arrive, CPUs and free memory go, it is stopped. Each packet still comes back
 * once, in order, as it was sent.
 *
 * NB_ROUNDS says how often each of them happens.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbbpf.h"
#include "nbcgroup.h"
#include "nbraw.h"
#include "nbtest.h"

#define BATCH		16u
#define FRAME		600u
#define MEMORY		(NB_TX_GPA + NB_TX_SIZE)
#define TIME_LIMIT	1200	/* seconds */

/* ---- traffic that comes back --------------------------------------------- */

FIXTURE(disturbed)
{
	struct nb_guest guest;
	struct nb_nic nic;
	int memfd;		/* guest memory */
	unsigned char *memory;
	unsigned char *own;	/* other guest memory, which fork() would share */
	unsigned int page;	/* first one of those that packets are sent from */
	uint32_t sent;		/* frames */
};

FIXTURE_VARIANT(disturbed)
{
	const struct nb_test_kind *kind;
	uint32_t flags;		/* of queues */
};

FIXTURE_VARIANT_ADD(disturbed, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(disturbed, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(disturbed, polled) { .kind = &nb_test_loopback, .flags = NB_QUEUE_POLL };

static void *map_memory(int memfd, void *where)
{
	int flags = where ? MAP_SHARED | MAP_FIXED : MAP_SHARED;
	void *memory = mmap(where, MEMORY, PROT_READ | PROT_WRITE, flags, memfd, 0);

	if (memory == MAP_FAILED)
		nb_die("guest memory cannot be mapped: %s", strerror(errno));
	return memory;
}

/* Guest memory of which there can be several maps, also in other processes. */
static void open_guest(FIXTURE_DATA(disturbed) *self)
{
	nb_test_load_module();
	nb_ok(nb_open(&self->guest.nb));
	nb_ok(nb_memory_create(self->guest.nb, &self->guest.mem));
	self->memfd = nb_sys(memfd_create("guest", MFD_CLOEXEC));
	nb_sys(ftruncate(self->memfd, MEMORY));
	self->memory = map_memory(self->memfd, NULL);
	nb_ok(nb_memory_add(self->guest.mem, 0, self->memory, MEMORY, 0));
}

/* What goes to the host is sent back by a program there. */
static void start(FIXTURE_DATA(disturbed) *self, uint32_t flags, unsigned int n_queues,
		  uint32_t cpu)
{
	struct nb_queue_config config = { .target_cpu = cpu, .flags = flags };
	struct nb_queue_config configs[2] = { config, config };

	nb_nic_start_as(&self->nic, configs, n_queues);
	if (self->nic.kind->sent == NB_COMES_TO_HOST)
		nb_bpf_attach(self->nic.host.ifindex, nb_bpf_returns(XDP_TX));
	nb_bufs_init(&self->nic.bufs);
	self->nic.bufs.n = 2 * BATCH;
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
}

FIXTURE_SETUP(disturbed)
{
	nb_host_new_netns();
	open_guest(self);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	start(self, variant->flags, 1, NB_ANY_CPU);
}

FIXTURE_TEARDOWN(disturbed)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
	munmap(self->memory, MEMORY);
	close(self->memfd);
}

/* A batch of frames, each unlike all before, goes out and comes back. */
static bool exchange(FIXTURE_DATA(disturbed) *self)
{
	struct nb_tx_segment segments[BATCH];
	struct nb_nic *nic = &self->nic;
	unsigned char frame[FRAME];
	uint32_t ids[BATCH];
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		segments[i] = nb_tx_packet(nb_frame_put(&self->guest, self->page + i, FRAME,
							self->sent + i), FRAME, i);
	nb_tx_all(nic->queue, segments, BATCH);
	if (nb_bufs_reap(&nic->bufs, nic->queue, ids, BATCH) != BATCH) {
		fprintf(stderr, "# not all of frames %u … %u came back\n", self->sent,
			self->sent + BATCH - 1);
		return false;
	}
	for (i = 0; i < BATCH; i++) {
		nb_frame_fill(frame, FRAME, self->sent + i);
		if (!nb_bufs_equal(&nic->bufs, &self->guest, ids[i], frame, FRAME)) {
			fprintf(stderr, "# frame %u came back as something else\n", self->sent + i);
			return false;
		}
		nb_bufs_post(&nic->bufs, nic->queue, ids[i]);
	}
	self->sent += BATCH;
	return true;
}

/* ---- what disturbs it ---------------------------------------------------- */

struct disturbance {
	FIXTURE_DATA(disturbed) *self;
	void (*act)(struct disturbance *it);
	unsigned int rounds;
	unsigned int done;
	pthread_t frontend;
	pid_t child;		/* of the last round */
};

static void *disturb(void *argument)
{
	struct disturbance *it = argument;
	unsigned int i;

	for (i = 0; i < it->rounds; i++) {
		it->act(it);
		__atomic_store_n(&it->done, i + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Traffic for as long as that goes on, and once more: whether nothing was lost. */
static bool survives(FIXTURE_DATA(disturbed) *self, void (*act)(struct disturbance *it),
		     unsigned int n)
{
	struct disturbance it = {
		.self = self,
		.act = act,
		.rounds = n,
		.frontend = pthread_self(),
	};
	unsigned int batches = 0;
	pthread_t thread;
	bool works;

	if (pthread_create(&thread, NULL, disturb, &it))
		nb_die("there is no thread");
	do {
		works = exchange(self);
		batches++;
	} while (works && __atomic_load_n(&it.done, __ATOMIC_ACQUIRE) < n);
	pthread_join(thread, NULL);
	printf("# %u times, under %u packets\n", n, batches * BATCH);
	return works && exchange(self);
}

/* ---- fork ---------------------------------------------------------------- */

static void end_child(pid_t child)
{
	nb_sys(kill(child, SIGKILL));
	nb_sys(waitpid(child, NULL, 0));
}

/*
 * A child that has all fds and maps, and goes when the next one is there. What it writes to
 * memory that it does not share is nothing to its parent's packets.
 */
static void fork_child(struct disturbance *it)
{
	pid_t child = nb_sys(fork());

	if (!child) {
		nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
		if (it->self->own)
			memset(it->self->own, 0xff, MEMORY);
		for (;;)
			pause();
	}
	if (it->child)
		end_child(it->child);
	it->child = child;
	if (it->done + 1 == it->rounds)
		end_child(child);
}

TEST_F_TIMEOUT(disturbed, forks, NB_ROUNDS_TIME)
{
	EXPECT_TRUE(survives(self, fork_child, nb_rounds(20, TIME_LIMIT)));
}

TEST_F_TIMEOUT(disturbed, forks_with_memory_of_its_own, NB_ROUNDS_TIME)
{
	self->own = nb_test_pages(MEMORY);
	nb_nic_stop(&self->nic);
	nb_ok(nb_memory_remove(self->guest.mem, 0, MEMORY));
	nb_ok(nb_memory_add(self->guest.mem, 0, self->own, MEMORY, 0));
	start(self, variant->flags, 1, NB_ANY_CPU);
	EXPECT_TRUE(survives(self, fork_child, nb_rounds(20, TIME_LIMIT)));
	munmap(self->own, MEMORY);
}

/* A frontend with a queue for itself and one for its child, and how far each has come. */
struct two {
	pid_t child;
	uint32_t sent[2];
};

static void run_two(FIXTURE_DATA(disturbed) *self, uint32_t flags, struct two *two)
{
	struct nb_nic *nic = &self->nic;
	pid_t child;

	nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
	start(self, flags, 2, NB_ANY_CPU);
	child = nb_sys(fork());
	if (child) {
		__atomic_store_n(&two->child, child, __ATOMIC_RELAXED);
	} else {
		nic->queue = nic->queues[1];
		nic->bufs.gpa += NB_RX_SIZE / 2;
		nb_bufs_post_all(&nic->bufs, nic->queue);
		self->page = BATCH;
	}
	while (exchange(self))
		__atomic_store_n(&two->sent[!child], self->sent, __ATOMIC_RELAXED);
	_exit(1);
}

static bool comes_to(const uint32_t *sent, uint32_t n)
{
	return nb_until(__atomic_load_n(sent, __ATOMIC_RELAXED) >= n);
}

TEST_F_TIMEOUT(disturbed, a_child_goes_on_when_its_parent_is_killed, NB_ROUNDS_TIME)
{
	unsigned int round, n = nb_rounds(3, TIME_LIMIT);
	struct two *two = mmap(NULL, NB_PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent;

	ASSERT_NE(MAP_FAILED, (void *)two);
	/* The child's child is waited for, too. */
	nb_sys(prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (round = 0; round < n; round++) {
		nb_nic_stop(&self->nic);
		memset(two, 0, sizeof(*two));
		parent = nb_sys(fork());
		if (!parent)
			run_two(self, variant->flags, two);
		ASSERT_TRUE(comes_to(&two->sent[0], self->sent + (1 + round % 3) * BATCH));
		ASSERT_TRUE(comes_to(&two->sent[1], self->sent + BATCH));
		end_child(parent);
		EXPECT_TRUE(comes_to(&two->sent[1], two->sent[1] + 3 * BATCH));
		end_child(two->child);
		/* All that they had is gone, so that there can be others. */
		start(self, variant->flags, 1, NB_ANY_CPU);
		ASSERT_TRUE(exchange(self));
	}
	munmap(two, NB_PAGE);
}

/* ---- maps that go and move ----------------------------------------------- */

/* The map by which the pages were found goes; another one of the same pages is there. */
static void map_again(struct disturbance *it)
{
	map_memory(it->self->memfd, it->self->memory);
}

static void move_map(struct disturbance *it)
{
	void *from = map_memory(it->self->memfd, NULL);

	if (mremap(from, MEMORY, MEMORY, MREMAP_MAYMOVE | MREMAP_FIXED, it->self->memory) ==
	    MAP_FAILED)
		nb_die("mremap: %s", strerror(errno));
}

TEST_F_TIMEOUT(disturbed, its_guest_memory_is_unmapped_and_mapped, NB_ROUNDS_TIME)
{
	EXPECT_TRUE(survives(self, map_again, nb_rounds(100, TIME_LIMIT)));
	EXPECT_TRUE(survives(self, move_map, nb_rounds(100, TIME_LIMIT)));
}

/* The same of the rings, while a thread is in ENTER, or the kernel's own thread is at work. */
struct enterer {
	int fd;
	bool over;
};

static void *enter_again_and_again(void *argument)
{
	struct enterer *it = argument;
	struct nb_enter call = {
		.size = sizeof(call),
		.flags = NB_ENTER_TX | NB_ENTER_RX | NB_ENTER_WAIT_RX,
		.timeout_ns = 1000000,
	};

	while (!__atomic_load_n(&it->over, __ATOMIC_RELAXED))
		if (ioctl(it->fd, NB_QUEUE_ENTER, &call) && errno != ETIME)
			nb_die("ENTER: %s", strerror(errno));
	return NULL;
}

/* Elsewhere, by mremap() or anew. */
static void map_rings_elsewhere(struct nb_raw *raw, bool anew)
{
	struct nb_raw old = *raw;

	if (anew) {
		nb_sys(munmap(raw->kernel, raw->kernel_size));
		nb_sys(munmap(raw->user, raw->user_size));
		nb_raw_map(raw, raw->fd);
		return;
	}
	nb_raw_map(raw, raw->fd);
	if (mremap(old.kernel, raw->kernel_size, raw->kernel_size,
		   MREMAP_MAYMOVE | MREMAP_FIXED, raw->kernel) == MAP_FAILED ||
	    mremap(old.user, raw->user_size, raw->user_size, MREMAP_MAYMOVE | MREMAP_FIXED,
		   raw->user) == MAP_FAILED)
		nb_die("mremap: %s", strerror(errno));
}

static void put_batch(FIXTURE_DATA(disturbed) *self, struct nb_raw *raw)
{
	struct nb_tx_segment segment;
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		segment = nb_tx_packet(nb_frame_put(&self->guest, i, FRAME, self->sent + i),
				       FRAME, i);
		nb_raw_tx(raw, &segment, 1);
	}
}

/* Makes the buffer available again that the frame was in. */
static bool take_frame(FIXTURE_DATA(disturbed) *self, struct nb_raw *raw, uint32_t seed)
{
	struct nb_rx_segment buffer = { .len = NB_BUF_SIZE };
	struct nb_rx_metadata meta;
	unsigned char frame[FRAME];

	if (!nb_until(nb_raw_rx_done(raw, &meta)))
		return false;
	buffer.id = meta.id;
	buffer.gpa = NB_RX_GPA + meta.id * NB_BUF_SIZE;
	nb_frame_fill(frame, FRAME, seed);
	if (meta.status != NB_RX_OK || meta.len != FRAME ||
	    memcmp(nb_guest_ptr(&self->guest, buffer.gpa + meta.offset, FRAME), frame, FRAME))
		return false;
	nb_raw_rx(raw, &buffer, 1);
	return true;
}

static bool take_batch(FIXTURE_DATA(disturbed) *self, struct nb_raw *raw)
{
	struct nb_tx_completion done;
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		if (!nb_until((nb_raw_enter(raw, NB_ENTER_TX, NULL), nb_raw_tx_done(raw, &done))) ||
		    done.id != i || done.status != NB_TX_OK ||
		    !take_frame(self, raw, self->sent + i))
			return false;
	}
	self->sent += BATCH;
	return true;
}

TEST_F_TIMEOUT(disturbed, its_rings_are_unmapped_and_mapped, NB_ROUNDS_TIME)
{
	struct enterer it = { .fd = nb_queue_fd(self->nic.queue) };
	unsigned int round, n = nb_rounds(200, TIME_LIMIT);
	struct nb_raw raw;
	pthread_t thread;

	/* The library's own maps stay where they are. */
	nb_raw_map(&raw, nb_sys(dup(it.fd)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, enter_again_and_again, &it));
	for (round = 0; round < n; round++) {
		put_batch(self, &raw);
		map_rings_elsewhere(&raw, round % 2);
		if (!take_batch(self, &raw))
			break;
	}
	EXPECT_EQ(n, round);
	__atomic_store_n(&it.over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	nb_raw_close(&raw);
}

/* Pages that go while they are made a region. */
#define REGION		(8 * NB_PAGE)

struct replacer {
	void *pages;
	bool over;
};

static void *replace_again_and_again(void *argument)
{
	struct replacer *it = argument;
	unsigned int i = 0;

	while (!__atomic_load_n(&it->over, __ATOMIC_RELAXED)) {
		nb_sys(munmap(it->pages, REGION));
		if (mmap(it->pages, REGION, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			nb_die("mmap: %s", strerror(errno));
		/* Soon, or late enough for the region to be whole. */
		usleep(i++ % 8 * 50);
	}
	return NULL;
}

TEST_F_TIMEOUT(disturbed, pages_go_while_they_are_made_a_region, NB_ROUNDS_TIME)
{
	/* In a hole that nobody else gets when there is nothing. */
	unsigned char *hole = mmap(NULL, 3 * REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	struct replacer it = { .pages = hole + REGION };
	unsigned int round, n = nb_rounds(300, TIME_LIMIT), whole = 0;
	unsigned long pinned = nb_pinned_pages();
	pthread_t thread;
	int err;

	ASSERT_NE(MAP_FAILED, (void *)hole);
	ASSERT_EQ(0, pthread_create(&thread, NULL, replace_again_and_again, &it));
	for (round = 0; round < n; round++) {
		err = nb_memory_add(self->guest.mem, NB_MORE_GPA, it.pages, REGION, 0);
		if (!err)
			err = nb_memory_remove(self->guest.mem, NB_MORE_GPA, REGION);
		else
			whole--;
		if (err && err != -EFAULT)
			break;
		whole++;
	}
	TH_LOG("%u of %u times, all pages were there", whole, round);
	EXPECT_EQ(n, round);
	__atomic_store_n(&it.over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_TRUE(nb_until(nb_pinned_pages() == pinned));
	EXPECT_TRUE(exchange(self));
}

/* ---- signals ------------------------------------------------------------- */

static unsigned int handled;

static void handle(int number)
{
	handled++;
}

static void signal_frontend(struct disturbance *it)
{
	unsigned int before = __atomic_load_n(&handled, __ATOMIC_RELAXED);

	if (pthread_kill(it->frontend, SIGUSR1))
		nb_die("the frontend has gone");
	/* Not the next one before, or most would be one. */
	if (!nb_until(__atomic_load_n(&handled, __ATOMIC_RELAXED) != before))
		nb_die("the signal does not arrive");
}

/* ENTER ends with EINTR, or with what it has done until then. */
TEST_F_TIMEOUT(disturbed, signals_arrive, NB_ROUNDS_TIME)
{
	struct sigaction action = { .sa_handler = handle };

	nb_sys(sigaction(SIGUSR1, &action, NULL));
	EXPECT_TRUE(survives(self, signal_frontend, nb_rounds(300, TIME_LIMIT)));
}

/* ---- CPUs ---------------------------------------------------------------- */

#define CPU1	"/sys/devices/system/cpu/cpu1/online"

static void take_cpu(struct disturbance *it)
{
	nb_test_set(CPU1, "0");
	/* It had lost its CPU, and is to have it again. */
	nb_ok(nb_queue_update_target_vp(it->self->nic.queue, 1));
	nb_test_set(CPU1, "1");
	nb_ok(nb_queue_update_target_vp(it->self->nic.queue, 1));
}

TEST_F_TIMEOUT(disturbed, the_cpu_of_its_queue_goes_offline, NB_ROUNDS_TIME)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || access(CPU1, W_OK))
		SKIP(return, "there is no CPU that can be offline");
	nb_nic_stop(&self->nic);
	start(self, variant->flags, 1, 1);
	EXPECT_TRUE(survives(self, take_cpu, nb_rounds(3, TIME_LIMIT)));
}

/* ---- memory -------------------------------------------------------------- */

/* Takes memory and gives it back; caches go, and what can move is moved. */
static void move_memory(struct disturbance *it)
{
	size_t size = 32u << 20;
	void *pages = nb_test_pages(size);

	memset(pages, 1, size);
	nb_sys(munmap(pages, size));
	nb_test_set("/proc/sys/vm/drop_caches", "3");
	if (!access("/proc/sys/vm/compact_memory", W_OK))
		nb_test_set("/proc/sys/vm/compact_memory", "1");
}

TEST_F_TIMEOUT(disturbed, memory_is_reclaimed_and_compacted, NB_ROUNDS_TIME)
{
	EXPECT_TRUE(survives(self, move_memory, nb_rounds(3, TIME_LIMIT)));
}

#define CGROUP_LIMIT	"33554432"
#define ENOUGH		64u	/* queues; each takes megabytes */

/* Makes queues with the longest rings until there is no memory for more. */
static void eat_memory(void)
{
	struct nb_queue_config config = {
		.tx_avail_entries = NB_MAX_RING_ENTRIES,
		.tx_done_entries = NB_MAX_RING_ENTRIES,
		.rx_avail_entries = NB_MAX_RING_ENTRIES,
		.rx_done_entries = NB_MAX_RING_ENTRIES,
		.target_cpu = NB_ANY_CPU,
	};
	struct nb_endpoint *ep;
	struct nb_queue *queue;
	struct nb_guest guest;
	unsigned int i;
	int err = 0;

	if (!nb_cgroup_enter(0))
		nb_die("the cgroup cannot be entered");
	nb_test_set("/proc/self/oom_score_adj", "1000");
	nb_guest_open(&guest, 0);
	for (i = 0; i < ENOUGH && !err; i++) {
		err = nb_test_create(&guest, &nb_test_null, NULL, &ep);
		if (!err)
			err = nb_endpoint_get_queues(ep, guest.mem, &config, 1, NULL, &queue);
	}
	_exit(err == -ENOMEM ? 0 : 1);
}

/* It ends with ENOMEM, or is killed for it: whether it has had no more than its share. */
static bool is_held_to_its_memory(void)
{
	pid_t child = nb_sys(fork());
	int status;

	if (!child)
		eat_memory();
	nb_sys(waitpid(child, &status, 0));
	return WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : !WEXITSTATUS(status);
}

static void let_one_eat(struct disturbance *it)
{
	if (!is_held_to_its_memory())
		nb_die("it neither ran out of memory nor was killed for it");
}

TEST_F_TIMEOUT(disturbed, another_frontend_takes_all_memory_of_its_cgroup, NB_ROUNDS_TIME)
{
	if (!nb_cgroup_make() || !nb_cgroup_limit(CGROUP_LIMIT))
		SKIP(return, "there are no memory cgroups");
	EXPECT_TRUE(survives(self, let_one_eat, nb_rounds(1, TIME_LIMIT)));
	/* Rings are most of it: they were charged, and are not any more. */
	EXPECT_TRUE(nb_until(nb_cgroup_stat("vmalloc ") == 0));
	nb_cgroup_leave();
}

/* ---- SIGSTOP ------------------------------------------------------------- */

#define FROM_HOST	100u	/* frames while it is stopped: more than it has buffers */

FIXTURE(stopped)
{
	struct nb_guest guest;
	struct nb_nic other;
	uint32_t *received;	/* by the frontend that is stopped, frames in order */
	pid_t frontend;
	struct nb_host host;
};

static uint32_t hear(int in)
{
	uint32_t word;

	if (nb_sys(read(in, &word, sizeof(word))) != sizeof(word))
		nb_die("the children have gone");
	return word;
}

/* Receives numbered frames. */
static void run_frontend(uint32_t *received, int out)
{
	unsigned char frame[FRAME], got[NB_BUF_SIZE];
	struct nb_endpoint_info info;
	struct nb_guest guest;
	struct nb_nic nic;
	ssize_t len;

	nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
	nb_guest_open(&guest, 0);
	nb_nic_open(&nic, &guest, &nb_test_netdev, 0);
	nb_nic_start(&nic, 1, 0);
	nic.bufs.n = 2 * BATCH;
	nb_nic_post_all(&nic);
	nb_host_close(&nic.host);
	nb_ok(nb_endpoint_get_info(nic.ep, &info));
	nb_sys(write(out, &info.ifindex, sizeof(info.ifindex)));
	for (;;) {
		len = nb_nic_received(&nic, got, sizeof(got), NULL);
		if (len < 0)
			continue;
		nb_frame_fill(frame, FRAME, *received);
		if (len != FRAME || memcmp(got, frame, FRAME))
			nb_die("frame %u is not what comes next", *received);
		__atomic_store_n(received, *received + 1, __ATOMIC_RELEASE);
	}
}

FIXTURE_SETUP(stopped)
{
	int told[2];

	nb_host_new_netns();
	self->received = mmap(NULL, NB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->received);
	nb_sys(pipe(told));
	self->frontend = nb_sys(fork());
	if (!self->frontend)
		run_frontend(self->received, told[1]);
	close(told[1]);
	nb_host_open_socket(&self->host, hear(told[0]));
	close(told[0]);
	nb_link_set_fifo(self->host.ifindex, 10000);
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->other, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->other, 1, 0);
	nb_nic_post_all(&self->other);
}

FIXTURE_TEARDOWN(stopped)
{
	end_child(self->frontend);
	nb_host_close(&self->host);
	nb_nic_close(&self->other);
	nb_guest_close(&self->guest);
}

static bool has_received(FIXTURE_DATA(stopped) *self, uint32_t frames)
{
	return __atomic_load_n(self->received, __ATOMIC_ACQUIRE) == frames;
}

/* Of what the host sends meanwhile, nothing is lost, and it keeps nobody else up. */
TEST_F_TIMEOUT(stopped, by_a_signal_and_it_goes_on_where_it_was, NB_ROUNDS_TIME)
{
	unsigned int round, i, n = nb_rounds(10, TIME_LIMIT);
	unsigned char frame[FRAME];
	uint32_t sent = 0;

	for (round = 0; round < n; round++) {
		for (i = 0; i < FROM_HOST; i++) {
			/* Under way, at another moment each time. */
			if (i == round % BATCH) {
				nb_sys(kill(self->frontend, SIGSTOP));
				nb_sys(waitpid(self->frontend, NULL, WUNTRACED));
			}
			nb_frame_fill(frame, FRAME, sent++);
			nb_host_send(&self->host, frame, FRAME);
		}
		ASSERT_TRUE(nb_nic_works(&self->other));
		ASSERT_FALSE(has_received(self, sent));
		nb_sys(kill(self->frontend, SIGCONT));
		ASSERT_TRUE(nb_until(has_received(self, sent)));
	}
}

TEST_HARNESS_MAIN
