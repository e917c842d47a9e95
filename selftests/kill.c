// SPDX-License-Identifier: GPL-2.0
/*
 * kill -9 of a frontend under traffic, 50 times or $NB_ROUNDS: interfaces, pinned and locked
 * memory, memory of the kernel and references to the module are all gone, and the module can
 * be unloaded and loaded again.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/capability.h>

#include "kselftest_harness.h"
#include "nbcgroup.h"
#include "nbtest.h"

#define ROUNDS		50u
#define WARM_UP		5u
/* More than what one frontend has, far less than what 50 have. */
#define LOCKED_LIMIT	(NB_RX_SIZE + NB_TX_SIZE + NB_PAGE)
/*
 * Free memory comes and goes by more than is looked for, since kernels from 6.7 on keep
 * much of it in lists of the CPUs; what is charged to a cgroup is exact.
 */
#define SLACK_KIB	(64u << 10)
#define CGROUP_SLACK	(128u << 10)

/* What the frontend tells while it runs. */
struct progress {
	unsigned long looped, to_host, to_guest;
};

static void add(unsigned long *counter, unsigned long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static bool above(const unsigned long *counter, unsigned long n)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED) > n;
}

/* Gives all received buffers back: their number. */
static unsigned int recycle(struct nb_nic *nic)
{
	struct nb_rx_metadata meta[32];
	int n = nb_ok(nb_queue_rx_poll(nic->queue, meta, ARRAY_LEN(meta))), i;

	for (i = 0; i < n; i++)
		nb_bufs_post(&nic->bufs, nic->queue, meta[i].id);
	return n;
}

static unsigned int transmit(struct nb_nic *nic)
{
	struct nb_tx_segment segments[32];
	struct nb_tx_completion done[32];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_packet(NB_TX_GPA, 1000, i);
	nb_ok(nb_queue_tx_avail(nic->queue, segments, ARRAY_LEN(segments), NULL));
	return nb_ok(nb_queue_tx_poll(nic->queue, done, ARRAY_LEN(done)));
}

/* The frontend: a netdev and a loopback endpoint with one memory, until it is killed. */
static void run_frontend(struct progress *progress)
{
	struct rlimit limit = { LOCKED_LIMIT, LOCKED_LIMIT };
	struct nb_nic netdev, loopback;
	struct nb_guest guest;

	nb_cgroup_enter(0);
	nb_sys(setrlimit(RLIMIT_MEMLOCK, &limit));
	nb_test_drop_capability(CAP_IPC_LOCK);
	nb_guest_open(&guest, 0);
	nb_nic_open(&netdev, &guest, &nb_test_netdev, 0);
	nb_nic_open(&loopback, &guest, &nb_test_loopback, 0);
	netdev.bufs.n = 64;
	loopback.bufs.n = 64;
	loopback.bufs.gpa = NB_RX_GPA + NB_RX_SIZE / 2;
	nb_nic_start(&netdev, 1, 0);
	nb_nic_start(&loopback, 1, 0);
	nb_bufs_post_all(&netdev.bufs, netdev.queue);
	nb_bufs_post_all(&loopback.bufs, loopback.queue);
	nb_frame_put(&guest, 0, 1000, 1);
	for (;;) {
		add(&progress->to_host, transmit(&netdev));
		add(&progress->to_guest, recycle(&netdev));
		transmit(&loopback);
		add(&progress->looped, recycle(&loopback));
	}
}

/* The host: sends to the interface for as long as it is there. */
static void run_host(int ifindex)
{
	unsigned char frame[1000];
	struct nb_host host;
	int small = 4096;

	nb_host_open(&host, ifindex);
	/* What nobody reads is not to fill the memory that is looked at afterwards. */
	nb_sys(setsockopt(host.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	nb_frame_fill(frame, sizeof(frame), 2);
	while (send(host.fd, frame, sizeof(frame), 0) > 0 || errno == ENOBUFS)
		;
	_exit(0);
}

/* One life and death: false if the frontend did not get that far. */
static bool live_and_die(struct progress *progress, unsigned int round)
{
	pid_t frontend, host;
	int status;

	memset(progress, 0, sizeof(*progress));
	frontend = nb_sys(fork());
	if (!frontend)
		run_frontend(progress);
	if (!nb_until(if_nametoindex("nb0") && above(&progress->to_host, 0)))
		return false;
	host = nb_sys(fork());
	if (!host)
		run_host(if_nametoindex("nb0"));
	/* Not always at the same moment. */
	if (!nb_until(above(&progress->looped, 50 + round * 17 % 100) &&
		      above(&progress->to_guest, 10 + round * 7 % 50)))
		return false;

	nb_sys(kill(frontend, SIGKILL));
	nb_sys(waitpid(frontend, &status, 0));
	nb_sys(waitpid(host, NULL, 0));
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

FIXTURE(frontend)
{
	struct progress *progress;
};

FIXTURE_SETUP(frontend)
{
	nb_host_new_netns();
	nb_test_load_module();
	/* The example of another module's kind, which other tests may have loaded, holds it. */
	nb_test_run("sh", "-c", "rmmod net_backend_delay 2> /dev/null", NULL);
	self->progress = mmap(NULL, NB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	ASSERT_NE(MAP_FAILED, self->progress);
}

FIXTURE_TEARDOWN(frontend)
{
}

TEST_F_TIMEOUT(frontend, killed_under_traffic_leaves_nothing_behind, NB_ROUNDS_TIME)
{
	unsigned long pinned = 0, available = 0, charged = 0;
	bool cgroup = nb_cgroup_make();
	unsigned int round, n = nb_rounds(ROUNDS, 600);

	for (round = 0; round < WARM_UP + n; round++) {
		if (round == WARM_UP) {
			pinned = nb_pinned_pages();
			available = nb_number_in("/proc/meminfo", "MemAvailable:");
			charged = cgroup ? nb_cgroup_stat("kernel ") : 0;
		}
		/* Locked memory of the one before would be too much for this one. */
		ASSERT_TRUE(live_and_die(self->progress, round));
		ASSERT_TRUE(nb_until(!if_nametoindex("nb0")));
		ASSERT_TRUE(nb_until(!nb_module_references()));
	}
	EXPECT_TRUE(nb_until(nb_pinned_pages() == pinned));
	EXPECT_EQ(0, nb_number_in("/proc/meminfo", "Mlocked:"));
	EXPECT_TRUE(nb_until(nb_number_in("/proc/meminfo", "MemAvailable:") + SLACK_KIB >
			     available));
	if (!cgroup)
		return;
	EXPECT_TRUE(nb_until(nb_cgroup_stat("kernel ") < charged + CGROUP_SLACK))
		TH_LOG("charged: %lu bytes before, %lu after", charged,
		       nb_cgroup_stat("kernel "));
	nb_cgroup_leave();
}

TEST_F(frontend, killed_leaves_a_module_that_can_be_unloaded)
{
	if (access("/sys/module/net_backend/initstate", F_OK))
		SKIP(return, "net_backend is not a module");
	ASSERT_TRUE(live_and_die(self->progress, 0));
	ASSERT_TRUE(nb_until(!nb_module_references()));
	ASSERT_EQ(0, nb_test_run("rmmod", "net_backend", NULL));
	EXPECT_NE(0, access("/dev/net_backend", F_OK));
	EXPECT_NE(0, access("/sys/module/net_backend", F_OK));
	nb_test_load_module();
	EXPECT_TRUE(live_and_die(self->progress, 0));
	EXPECT_TRUE(nb_until(!nb_module_references()));
}

TEST_HARNESS_MAIN
