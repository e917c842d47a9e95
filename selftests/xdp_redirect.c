// SPDX-License-Identifier: GPL-2.0
/*
 * XDP_REDIRECT: from a guest to another guest, to other interfaces, to a CPU and to
 * AF_XDP; from another interface to a guest; and ends of any of them meanwhile.
 */
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <linux/if_xdp.h>

#include "kselftest_harness.h"
#include "nbxdp.h"

#ifndef AF_XDP
#define AF_XDP	44
#endif
#ifndef SOL_XDP
#define SOL_XDP	283
#endif

/* a redirects to somewhere, b is where some of that arrives. */
FIXTURE(redirect)
{
	struct nb_guest guest;
	struct nb_nic a, b;
	bool stop;
	pthread_t thread;
};

FIXTURE_SETUP(redirect)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, NB_XDP_MEMORY);
	nb_nic_open(&self->a, &self->guest, &nb_test_netdev, 0);
	nb_nic_open(&self->b, &self->guest, &nb_test_netdev, 0);
	self->b.bufs.gpa = NB_RX_GPA + NB_RX_SIZE / 2;
	self->a.bufs.n = 64;
	self->b.bufs.n = 64;
	nb_nic_start(&self->a, 1, 0);
}

FIXTURE_TEARDOWN(redirect)
{
	nb_nic_close(&self->a);
	nb_nic_close(&self->b);
	nb_guest_close(&self->guest);
}

static void start_b(FIXTURE_DATA(redirect) *self, unsigned int n_queues)
{
	nb_nic_start(&self->b, n_queues, 0);
	nb_nic_post_all(&self->b);
}

/* Everything that a's guest sends goes to this interface. */
static int redirect_a_to(FIXTURE_DATA(redirect) *self, int ifindex)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 1);

	nb_bpf_map_set(map, 0, ifindex);
	nb_bpf_attach(self->a.host.ifindex, nb_xdp_redirects(map));
	return map;
}

/* A pair of interfaces that both take redirected frames: the host's sockets on them. */
static void open_veth(struct nb_host *near, struct nb_host *far)
{
	if (nb_test_run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far",
			NULL))
		nb_die("there is no veth");
	nb_link_set_up("near", true);
	nb_link_set_up("far", true);
	/* Who comes up with a carrier sends at once; near got its carrier later. */
	nb_link_set_up("near", false);
	nb_link_set_up("near", true);
	nb_host_open_socket(near, if_nametoindex("near"));
	nb_host_open_socket(far, if_nametoindex("far"));
	nb_bpf_attach(near->ifindex, nb_bpf_returns(XDP_PASS));
	nb_bpf_attach(far->ifindex, nb_bpf_returns(XDP_PASS));
	/* Until the kernel has taken note of the carrier, it drops what is sent. */
	if (!nb_until(nb_link_is_up(near->ifindex) && nb_link_is_up(far->ifindex)))
		nb_die("near and far do not come up");
}

/* Linux 6.1 redirects packets in several buffers only to CPUs. */
static bool redirects_frags(void)
{
	unsigned int major, minor;
	struct utsname kernel;

	nb_sys(uname(&kernel));
	if (sscanf(kernel.release, "%u.%u", &major, &minor) != 2)
		nb_die("what kernel is %s?", kernel.release);
	return major > 6 || (major == 6 && minor >= 3);
}

static uint64_t count(struct nb_nic *nic, const char *name)
{
	return nb_xdp_count(nic, 0, name);
}

/* Whether something has arrived at any of b's queues: there, and what. */
static bool look_at_b(FIXTURE_DATA(redirect) *self, struct nb_queue **queue,
		      struct nb_rx_metadata *meta)
{
	unsigned int i;

	for (i = 0; i < self->b.n_queues; i++) {
		*queue = self->b.queues[i];
		if (nb_ok(nb_queue_rx_poll(*queue, meta, 1)))
			return true;
	}
	return false;
}

/* Whether that is the frame of that length. */
static bool reaches_b(FIXTURE_DATA(redirect) *self, uint32_t len)
{
	unsigned char frame[NB_BUF_SIZE], got[NB_BUF_SIZE];
	struct nb_rx_metadata meta;
	struct nb_queue *queue;

	if (!nb_until(look_at_b(self, &queue, &meta)))
		return false;
	self->b.bufs.meta[meta.id] = meta;
	nb_bufs_read(&self->b.bufs, &self->guest, meta.id, got);
	nb_bufs_post(&self->b.bufs, queue, meta.id);
	nb_frame_fill(frame, len, len);
	return meta.len == len && !memcmp(got, frame, len);
}

/* ---- from a guest -------------------------------------------------------- */

TEST_F(redirect, frames_reach_another_guest)
{
	uint32_t len, n = 0;

	start_b(self, 1);
	redirect_a_to(self, self->b.host.ifindex);
	for (len = NB_MIN_PACKET_LEN; len <= 1518; len += 47, n++) {
		nb_xdp_send(&self->a, 0, len, 3, NB_NO_VLAN);
		ASSERT_TRUE(nb_xdp_reaches_guest(&self->b, 0, len));
	}
	EXPECT_TRUE(nb_host_silent(&self->a.host));
	EXPECT_TRUE(nb_host_silent(&self->b.host));
	EXPECT_EQ(n, count(&self->a, "packets"));
	EXPECT_EQ(n, count(&self->a, "redirects"));
	EXPECT_EQ(0, count(&self->a, "drops"));
	EXPECT_EQ(n, count(&self->b, "xmit"));
	EXPECT_EQ(0, count(&self->b, "xmit_drops"));
}

TEST_F(redirect, frames_reach_another_guest_with_several_queues)
{
	unsigned int i;

	start_b(self, 4);
	redirect_a_to(self, self->b.host.ifindex);
	for (i = 0; i < 200; i++) {
		nb_xdp_send(&self->a, 0, 60 + i, 1, NB_NO_VLAN);
		ASSERT_TRUE(reaches_b(self, 60 + i));
	}
}

TEST_F(redirect, frames_of_each_cpu_reach_a_queue_of_its_own)
{
	unsigned int i, cpu, n;
	cpu_set_t set;

	for (n = 1; n <= 2; n++) {
		start_b(self, n);
		redirect_a_to(self, self->b.host.ifindex);
		for (i = 0; i < 40; i++) {
			cpu = i % 2;
			CPU_ZERO(&set);
			CPU_SET(cpu, &set);
			if (sched_setaffinity(0, sizeof(set), &set))
				SKIP(break, "one CPU is not enough");
			nb_xdp_send(&self->a, 0, 60 + i, 1, NB_NO_VLAN);
			ASSERT_TRUE(nb_xdp_reaches_guest(&self->b, cpu % n, 60 + i));
		}
		for (i = 0; i < n; i++) {
			EXPECT_EQ(40 / n, nb_xdp_count(&self->b, i, "xmit"));
			EXPECT_EQ(0, nb_xdp_count(&self->b, i, "xmit_drops"));
		}
		nb_nic_stop(&self->b);
	}
}

TEST_F(redirect, frames_come_back_to_their_own_guest)
{
	uint32_t len;

	nb_nic_post_all(&self->a);
	redirect_a_to(self, self->a.host.ifindex);
	for (len = 60; len <= 1500; len += 96) {
		nb_xdp_send(&self->a, 0, len, 1, NB_NO_VLAN);
		ASSERT_TRUE(nb_xdp_reaches_guest(&self->a, 0, len));
	}
}

TEST_F(redirect, frames_without_buffers_are_dropped_and_counted)
{
	struct nb_queue_stats stats;
	unsigned int i;

	nb_nic_start(&self->b, 1, 0);
	redirect_a_to(self, self->b.host.ifindex);
	for (i = 0; i < 3000; i++)
		nb_xdp_send(&self->a, 0, 100, 1, NB_NO_VLAN);
	EXPECT_EQ(3000, count(&self->a, "redirects"));
	EXPECT_EQ(3000, count(&self->b, "xmit"));
	EXPECT_EQ(3000, count(&self->b, "xmit_drops"));

	/* Too small ones. */
	self->b.bufs.size = 64;
	nb_nic_post_all(&self->b);
	nb_xdp_send(&self->a, 0, 65, 1, NB_NO_VLAN);
	EXPECT_TRUE(nb_xdp_guest_silent(&self->b, 0));
	nb_xdp_send(&self->a, 0, 64, 1, NB_NO_VLAN);
	EXPECT_TRUE(nb_xdp_reaches_guest(&self->b, 0, 64));
	EXPECT_EQ(3002, count(&self->b, "xmit"));
	EXPECT_EQ(3000, count(&self->b, "xmit_drops"));
	nb_ok(nb_queue_stats(self->b.queue, &stats));
	EXPECT_EQ(1, stats.rx_too_small);
	EXPECT_EQ(1, stats.rx_packets);
}

TEST_F(redirect, frames_for_nobody_are_dropped_and_counted)
{
	/* b has no queues; then its interface is down; then the map is empty. */
	char name[IF_NAMESIZE];
	struct nb_endpoint_info info;
	unsigned int i;

	nb_ok(nb_endpoint_get_info(self->b.ep, &info));
	nb_link_set_up(if_indextoname(info.ifindex, name), true);
	redirect_a_to(self, info.ifindex);
	for (i = 0; i < 500; i++)
		nb_xdp_send(&self->a, 0, 100, 1, NB_NO_VLAN);
	EXPECT_EQ(500, count(&self->a, "redirects"));
	nb_link_set_up(name, false);
	nb_xdp_send(&self->a, 0, 100, 1, NB_NO_VLAN);
	EXPECT_EQ(1, count(&self->a, "drops"));
	nb_bpf_attach(self->a.host.ifindex,
		      nb_xdp_redirects(nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 1)));
	nb_xdp_send(&self->a, 0, 100, 1, NB_NO_VLAN);
	EXPECT_EQ(2, count(&self->a, "drops"));
	EXPECT_EQ(502, count(&self->a, "packets"));
	nb_bpf_attach(self->a.host.ifindex, -1);
	nb_nic_post_all(&self->a);
	EXPECT_TRUE(nb_nic_works(&self->a));
}

TEST_F(redirect, long_frames_reach_another_guest)
{
	static const uint32_t lens[] = { 3521, 9000, 30000, NB_XDP_FRAME };
	unsigned int i;

	nb_xdp_use_large_buffers(&self->b, 0, NB_XDP_BUFFERS);
	start_b(self, 1);
	ASSERT_EQ(0, nb_xdp_set_mtu(self->a.host.name, NB_XDP_MTU));
	ASSERT_EQ(0, nb_xdp_set_mtu(self->b.host.name, NB_XDP_MTU));
	redirect_a_to(self, self->b.host.ifindex);
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		nb_xdp_send(&self->a, 0, lens[i], 20, NB_NO_VLAN);
		if (redirects_frags())
			EXPECT_TRUE(nb_xdp_reaches_guest(&self->b, 0, lens[i]));
	}
	EXPECT_EQ(redirects_frags() ? i : 0, count(&self->b, "xmit"));
	EXPECT_EQ(redirects_frags() ? i : 0, count(&self->a, "redirects"));
	EXPECT_EQ(redirects_frags() ? 0 : i, count(&self->a, "drops"));
}

TEST_F(redirect, frames_reach_a_veth)
{
	struct nb_host near, far;
	uint32_t len;

	open_veth(&near, &far);
	redirect_a_to(self, near.ifindex);
	for (len = 60; len <= 1514; len += 67) {
		nb_xdp_send(&self->a, 0, len, 2, NB_NO_VLAN);
		ASSERT_TRUE(nb_xdp_reaches_host(&far, len));
	}
	EXPECT_TRUE(nb_host_silent(&near));
	nb_host_close(&near);
	nb_host_close(&far);
}

TEST_F(redirect, frames_reach_the_host_by_another_cpu)
{
	static const uint32_t lens[] = { 14, 60, 1500, 3500, 9000, NB_XDP_FRAME };
	int map = nb_bpf_map(BPF_MAP_TYPE_CPUMAP, 1);
	unsigned int i;

	/* That many frames may wait. */
	nb_bpf_map_set(map, 0, 192);
	ASSERT_EQ(0, nb_xdp_set_mtu(self->a.host.name, NB_XDP_MTU));
	nb_bpf_attach(self->a.host.ifindex, nb_xdp_redirects(map));
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		nb_xdp_send(&self->a, 0, lens[i], 7, NB_NO_VLAN);
		ASSERT_TRUE(nb_xdp_reaches_host(&self->a.host, lens[i]));
	}
	EXPECT_EQ(i, count(&self->a, "redirects"));
}

/* ---- AF_XDP -------------------------------------------------------------- */

#define XSK_FRAMES	64u
#define XSK_FRAME_SIZE	4096u

/* A socket that copies; it only receives. */
struct xsk {
	int fd;
	unsigned char *memory;
	struct xdp_desc *descs;
	uint32_t *producer, *consumer;
};

static void *map_ring(int fd, uint64_t pgoff, size_t len)
{
	void *ring = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, pgoff);

	if (ring == MAP_FAILED)
		nb_die("a ring of an AF_XDP socket: %s", strerror(errno));
	return ring;
}

static void set_ring(int fd, int option)
{
	unsigned int entries = XSK_FRAMES;

	nb_sys(setsockopt(fd, SOL_XDP, option, &entries, sizeof(entries)));
}

/* All frames are in the fill ring, once. */
static void fill(struct xsk *xsk, const struct xdp_mmap_offsets *offsets)
{
	char *ring = map_ring(xsk->fd, XDP_UMEM_PGOFF_FILL_RING,
			      offsets->fr.desc + XSK_FRAMES * sizeof(uint64_t));
	uint64_t *addresses = (uint64_t *)(ring + offsets->fr.desc);
	unsigned int i;

	for (i = 0; i < XSK_FRAMES; i++)
		addresses[i] = i * XSK_FRAME_SIZE;
	__atomic_store_n((uint32_t *)(ring + offsets->fr.producer), XSK_FRAMES,
			 __ATOMIC_RELEASE);
}

static void open_xsk(struct xsk *xsk, int ifindex, unsigned int queue)
{
	struct xdp_umem_reg umem = { .len = XSK_FRAMES * XSK_FRAME_SIZE,
				     .chunk_size = XSK_FRAME_SIZE };
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY,
		.sxdp_ifindex = ifindex,
		.sxdp_queue_id = queue,
	};
	struct xdp_mmap_offsets offsets;
	socklen_t len = sizeof(offsets);
	char *ring;

	xsk->fd = nb_sys(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
	xsk->memory = nb_test_pages(umem.len);
	umem.addr = (uintptr_t)xsk->memory;
	nb_sys(setsockopt(xsk->fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)));
	set_ring(xsk->fd, XDP_UMEM_FILL_RING);
	set_ring(xsk->fd, XDP_UMEM_COMPLETION_RING);
	set_ring(xsk->fd, XDP_RX_RING);
	nb_sys(getsockopt(xsk->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len));
	fill(xsk, &offsets);
	ring = map_ring(xsk->fd, XDP_PGOFF_RX_RING,
			offsets.rx.desc + XSK_FRAMES * sizeof(struct xdp_desc));
	xsk->descs = (void *)(ring + offsets.rx.desc);
	xsk->producer = (void *)(ring + offsets.rx.producer);
	xsk->consumer = (void *)(ring + offsets.rx.consumer);
	nb_sys(bind(xsk->fd, (struct sockaddr *)&address, sizeof(address)));
}

/* Whether the next frame is there, and is the one of that length. */
static bool reaches_xsk(struct xsk *xsk, uint32_t len)
{
	unsigned char frame[XSK_FRAME_SIZE];
	const struct xdp_desc *desc;
	uint32_t at = *xsk->consumer;

	if (__atomic_load_n(xsk->producer, __ATOMIC_ACQUIRE) == at)
		return false;
	desc = &xsk->descs[at % XSK_FRAMES];
	__atomic_store_n(xsk->consumer, at + 1, __ATOMIC_RELEASE);
	nb_frame_fill(frame, len, len);
	return desc->len == len && !memcmp(xsk->memory + desc->addr, frame, len);
}

TEST_F(redirect, frames_reach_an_af_xdp_socket)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_XSKMAP, 2);
	struct xsk xsk[2];
	unsigned int i;

	nb_nic_stop(&self->a);
	nb_nic_start(&self->a, 2, 0);
	for (i = 0; i < 2; i++) {
		open_xsk(&xsk[i], self->a.host.ifindex, i);
		nb_bpf_map_set(map, i, xsk[i].fd);
	}
	nb_bpf_attach(self->a.host.ifindex, nb_xdp_redirects_by_queue(map));
	for (i = 0; i < 2 * XSK_FRAMES; i++) {
		nb_xdp_send(&self->a, i % 2, 14 + 27 * i, 3, NB_NO_VLAN);
		EXPECT_TRUE(reaches_xsk(&xsk[i % 2], 14 + 27 * i));
	}
	EXPECT_EQ(XSK_FRAMES, count(&self->a, "redirects"));
	EXPECT_EQ(0, count(&self->a, "drops"));

	/* Now the fill rings are empty. */
	nb_xdp_send(&self->a, 0, 100, 1, NB_NO_VLAN);
	EXPECT_EQ(1, count(&self->a, "drops"));
	EXPECT_TRUE(nb_host_silent(&self->a.host));
	close(xsk[0].fd);
	close(xsk[1].fd);
}

/* ---- to a guest ---------------------------------------------------------- */

TEST_F(redirect, frames_of_a_veth_reach_a_guest)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 1);
	unsigned char frame[1514];
	struct nb_host near, far;
	uint32_t len, n = 0;

	start_b(self, 1);
	open_veth(&near, &far);
	nb_bpf_map_set(map, 0, self->b.host.ifindex);
	nb_bpf_attach(near.ifindex, nb_xdp_redirects(map));
	for (len = 60; len <= 1514; len += 67, n++) {
		nb_frame_fill(frame, len, len);
		nb_host_send(&far, frame, len);
		ASSERT_TRUE(nb_xdp_reaches_guest(&self->b, 0, len));
	}
	EXPECT_EQ(n, count(&self->b, "xmit"));
	EXPECT_EQ(0, count(&self->b, "xmit_drops"));

	/* More than there are buffers: as many arrive. */
	for (n = 0; n < 200; n++)
		nb_host_send(&far, frame, 100);
	EXPECT_EQ(64, nb_bufs_reap(&self->b.bufs, self->b.queue, NULL, 64));
	EXPECT_TRUE(nb_until(count(&self->b, "xmit") == 22 + 200));
	EXPECT_EQ(200 - 64, count(&self->b, "xmit_drops"));
	nb_host_close(&near);
	nb_host_close(&far);
}

/* ---- ends ---------------------------------------------------------------- */

/* a's guest, for as long as its queue is good. */
static void *keep_sending(void *data)
{
	FIXTURE_DATA(redirect) *self = data;
	struct nb_tx_segment segments[32];
	struct nb_tx_completion done[32];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_packet(nb_frame_put(&self->guest, i, 60 + 40 * i, i),
					   60 + 40 * i, i);
	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
		if (nb_queue_tx_avail(self->a.queue, segments, ARRAY_LEN(segments), NULL) < 0)
			break;
		nb_queue_tx_poll(self->a.queue, done, ARRAY_LEN(done));
	}
	return NULL;
}

static void start_sending(FIXTURE_DATA(redirect) *self)
{
	self->stop = false;
	if (pthread_create(&self->thread, NULL, keep_sending, self))
		nb_die("cannot start a thread");
}

static void stop_sending(FIXTURE_DATA(redirect) *self)
{
	__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
	pthread_join(self->thread, NULL);
}

TEST_F_TIMEOUT(redirect, the_other_guest_may_come_and_go, NB_ROUNDS_TIME)
{
	unsigned int i, rounds = nb_rounds(30, 120);
	int map;

	start_b(self, 2);
	map = redirect_a_to(self, self->b.host.ifindex);
	start_sending(self);
	for (i = 0; i < rounds; i++) {
		/* Its queues; then all of it. */
		nb_nic_stop(&self->b);
		start_b(self, 1 + i % 4);
		if (i % 3)
			continue;
		nb_nic_close(&self->b);
		nb_nic_open(&self->b, &self->guest, &nb_test_netdev, 0);
		self->b.bufs.gpa = NB_RX_GPA + NB_RX_SIZE / 2;
		start_b(self, 1);
		nb_bpf_map_set(map, 0, self->b.host.ifindex);
	}
	nb_link_delete(self->b.host.ifindex);
	stop_sending(self);
	EXPECT_EQ(NB_QUEUE_RUNNING, nb_queue_state(self->a.queue));
	nb_bpf_attach(self->a.host.ifindex, -1);
	nb_nic_post_all(&self->a);
	EXPECT_TRUE(nb_nic_works(&self->a));
}

TEST_F_TIMEOUT(redirect, an_interface_with_a_program_may_be_deleted, 120)
{
	const int actions[] = { XDP_PASS, XDP_TX, XDP_DROP, XDP_REDIRECT };
	int cpus = nb_bpf_map(BPF_MAP_TYPE_CPUMAP, 1);
	unsigned int i;

	nb_bpf_map_set(cpus, 0, 192);
	start_b(self, 1);
	for (i = 0; i < 16; i++) {
		int action = actions[i % ARRAY_LEN(actions)];

		nb_nic_post_all(&self->a);
		if (action != XDP_REDIRECT)
			nb_bpf_attach(self->a.host.ifindex, nb_bpf_returns(action));
		else if (i % 8 < 4)
			redirect_a_to(self, self->b.host.ifindex);
		else
			nb_bpf_attach(self->a.host.ifindex, nb_xdp_redirects(cpus));
		start_sending(self);
		usleep(20000);
		nb_link_delete(self->a.host.ifindex);
		stop_sending(self);
		EXPECT_EQ(NB_QUEUE_RESTART, nb_queue_state(self->a.queue));
		nb_nic_close(&self->a);
		nb_nic_open(&self->a, &self->guest, &nb_test_netdev, 0);
		self->a.bufs.n = 64;
		nb_nic_start(&self->a, 1, 0);
	}
}

/* Two guests that send each other everything, until they are killed. */
static void run_until_killed(FIXTURE_DATA(redirect) *self)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 1);

	nb_nic_close(&self->a);
	nb_nic_close(&self->b);
	nb_guest_close(&self->guest);
	nb_guest_open(&self->guest, NB_XDP_MEMORY);
	nb_nic_open(&self->a, &self->guest, &nb_test_netdev, 0);
	nb_nic_open(&self->b, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->a, 1, 0);
	start_b(self, 1);
	nb_bpf_map_set(map, 0, self->a.host.ifindex);
	nb_bpf_attach(self->b.host.ifindex, nb_xdp_redirects(map));
	redirect_a_to(self, self->b.host.ifindex);
	keep_sending(self);
}

TEST_F_TIMEOUT(redirect, a_frontend_may_be_killed, NB_ROUNDS_TIME)
{
	unsigned int i, rounds = nb_rounds(15, 120);
	pid_t child;

	nb_nic_close(&self->a);
	nb_nic_close(&self->b);
	for (i = 0; i < rounds; i++) {
		child = nb_sys(fork());
		if (!child)
			run_until_killed(self);
		ASSERT_TRUE(nb_until(if_nametoindex("nb1")));
		usleep(i % 15 * 10000);
		nb_sys(kill(child, SIGKILL));
		nb_sys(waitpid(child, NULL, 0));
		ASSERT_TRUE(nb_until(!if_nametoindex("nb0") && !if_nametoindex("nb1")));
	}
	nb_nic_open(&self->a, &self->guest, &nb_test_netdev, 0);
	nb_nic_open(&self->b, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->a, 1, 0);
	nb_nic_post_all(&self->a);
	EXPECT_TRUE(nb_nic_works(&self->a));
}

TEST_HARNESS_MAIN
