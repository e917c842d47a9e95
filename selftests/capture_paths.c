// SPDX-License-Identifier: GPL-2.0
/*
 * Captures of packets that go by other ways than one by one through the backend: runs
 * between ports of a switch, packets that are not copied, packets that an XDP program takes;
 * and while several queues are busy, readers sleep, and captures come and go.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_ether.h>

#include "kselftest_harness.h"
#include "nbcapture.h"
#include "nbgenl.h"
#include "nbip.h"
#include "nbswitch.h"
#include "nbxdp.h"

#define BOTH		(NB_CAPTURE_TX | NB_CAPTURE_RX)
#define N_QUEUES	4u
/* Packets at once: each has a page to be sent from, and a buffer, of its own. */
#define BATCH		16u
#define PACKETS		(50 * BATCH)
#define COMINGS		60u

static const struct nb_create_capture all_of_both = {
	.flags = BOTH, .queue = NB_ANY_QUEUE, .buffer_size = NB_MAX_CAPTURE_BUFFER,
};

FIXTURE(paths)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_capture capture;
};

FIXTURE_SETUP(paths)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	self->capture.fd = -1;
}

FIXTURE_TEARDOWN(paths)
{
	close(self->capture.fd);
	if (self->nic.ep)
		nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- other ways ---------------------------------------------------------- */

TEST_F(paths, a_port_of_a_switch_gives_and_another_one_gets)
{
	const struct nb_plan hello = nb_plan(2, 0), plan = nb_plan(1, 2);
	struct nb_capture got;
	struct nb_port from, to;
	unsigned int i;
	void *frame;

	nb_port_open(&from, NULL);
	nb_port_join(&to, &from, NULL);
	nb_port_send(&to, &hello, NB_TX_OK);
	ASSERT_TRUE(nb_port_gets(&from, &hello));
	nb_capture_start(&self->capture, from.ep, BOTH);
	nb_capture_start(&got, to.ep, BOTH);
	nb_port_send_many(&from, &plan, 50);
	frame = nb_guest_ptr(&from.guest, NB_TX_GPA, plan.len);
	for (i = 0; i < 50; i++) {
		ASSERT_TRUE(nb_record_is_part(nb_capture_next(&self->capture), NB_CAPTURE_TX,
					      frame, plan.len, plan.len));
		ASSERT_TRUE(nb_record_is_part(nb_capture_next(&got), NB_CAPTURE_RX,
					      frame, plan.len, plan.len));
		ASSERT_TRUE(nb_port_gets(&to, &plan));
	}
	EXPECT_TRUE(nb_capture_silent(&self->capture));
	EXPECT_TRUE(nb_capture_silent(&got));
	close(got.fd);
	nb_port_close(&from);
	nb_port_close(&to);
}

TEST_F(paths, packets_that_are_not_copied_are_captured)
{
	static const uint32_t lengths[] = { 5000, 9014, 50000 };
	const struct nb_endpoint_params params = { .kind = "netdev", .netns_fd = -1,
						   .mtu = 60000 };
	const struct nb_queue_config config = {
		.target_cpu = NB_ANY_CPU, .flags = NB_QUEUE_ZEROCOPY_TX,
	};
	struct nb_endpoint_info info;
	struct nb_tx_segment segment;
	struct nb_endpoint *ep;
	struct nb_queue *queue;
	char line[256];
	unsigned int i;

	nb_ok(nb_endpoint_create(self->guest.nb, &params, &ep));
	nb_ok(nb_endpoint_get_queues(ep, self->guest.mem, &config, 1, NULL, &queue));
	nb_ok(nb_endpoint_get_info(ep, &info));
	nb_host_run("ip link add br0 type bridge mcast_snooping 0");
	nb_host_run("ip link add d0 mtu 60000 master br0 type dummy");
	snprintf(line, sizeof(line), "ip link set %s master br0", info.name);
	nb_host_run(line);
	nb_link_set_up(info.name, true);
	nb_link_set_up("d0", true);
	nb_link_set_up("br0", true);
	snprintf(line, sizeof(line), "bridge link show dev %s | grep -q forwarding", info.name);
	ASSERT_TRUE(nb_until(!nb_test_run("sh", "-c", line, NULL)));

	nb_capture_start(&self->capture, ep, NB_CAPTURE_TX);
	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		struct ethhdr *frame = nb_guest_ptr(&self->guest, NB_TX_GPA, lengths[i]);

		nb_frame_fill(frame, lengths[i], i);
		/* Of a protocol, and for a station, that the bridge forwards and no more. */
		memcpy(frame->h_dest, "\x02\x00\x00\x00\x00\x77", ETH_ALEN);
		frame->h_proto = htons(ETH_P_IP);
		segment = nb_tx_packet(NB_TX_GPA, lengths[i], i);
		nb_tx_all(queue, &segment, 1);
		ASSERT_TRUE(nb_record_is_part(nb_capture_next(&self->capture), NB_CAPTURE_TX,
					      frame, lengths[i], lengths[i]));
	}
	EXPECT_EQ(ARRAY_LEN(lengths), nb_stats_of(queue).tx_zerocopy);
	EXPECT_TRUE(nb_capture_silent(&self->capture));
	nb_queue_close(queue);
	nb_endpoint_close(ep);
}

TEST_F(paths, what_an_xdp_program_takes_is_captured)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 7, 100);

	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	nb_bpf_attach(self->nic.host.ifindex, nb_bpf_returns(XDP_DROP));
	nb_tx_all(self->nic.queue, &segment, 1);
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 7));
	EXPECT_TRUE(nb_host_silent(&self->nic.host));
	/* And what it sends back is what the guest gets. */
	nb_bpf_attach(self->nic.host.ifindex, nb_bpf_returns(XDP_TX));
	nb_tx_all(self->nic.queue, &segment, 1);
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 7));
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_RX, 100, 7));
	EXPECT_TRUE(nb_capture_silent(&self->capture));
}

static int set_link_down(uint32_t id)
{
	struct nb_genl_request request;
	struct nb_genl client;
	uint32_t up = 0;
	int err;

	nb_genl_open(&client);
	request = nb_genl_request(client.family, NB_CMD_ENDPOINT_SET, NLM_F_ACK);
	nb_genl_add(&request, NB_A_ENDPOINT_ID, &id, sizeof(id));
	nb_genl_add(&request, NB_A_ENDPOINT_LINK, &up, sizeof(up));
	err = nb_genl_talk(&client, &request, NULL, NULL);
	nb_genl_close(&client);
	return err;
}

TEST_F(paths, what_a_link_that_is_down_drops_is_captured)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 7, 100);
	struct nb_tx_completion done;

	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	ASSERT_EQ(0, set_link_down(nb_capture_id_of(self->nic.ep)));
	nb_ok(nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->nic.queue, &done, 1));
	EXPECT_EQ(NB_TX_DROPPED, done.status);
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 7));
	EXPECT_TRUE(nb_capture_silent(&self->capture));
}

/* ---- what is lost, and what is over -------------------------------------- */

TEST_F(paths, a_packet_tells_what_its_batch_has_lost_in_front_of_it)
{
	const struct nb_create_capture small = {
		.flags = NB_CAPTURE_TX, .queue = NB_ANY_QUEUE,
		.buffer_size = NB_MIN_CAPTURE_BUFFER,
	};
	const uint32_t lengths[] = { 50000, 50000, 50000, 60, 50000, 61 };
	const uint32_t captured[] = { 50000, 50000, 60, 61 };
	const uint64_t lost[] = { 0, 0, 1, 2 };
	struct nb_tx_segment segments[ARRAY_LEN(lengths)];
	unsigned int i;

	nb_nic_open(&self->nic, &self->guest, &nb_test_null, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_capture_start_as(&self->capture, self->nic.ep, small);
	nb_frame_fill(nb_guest_ptr(&self->guest, NB_TX_GPA, 50000), 50000, 1);
	for (i = 0; i < ARRAY_LEN(lengths); i++)
		segments[i] = nb_tx_packet(NB_TX_GPA, lengths[i], i);
	nb_tx_all(self->nic.queue, segments, 2);
	/* There is room for the short ones only. */
	nb_tx_all(self->nic.queue, segments + 2, 4);
	for (i = 0; i < ARRAY_LEN(captured); i++) {
		const struct nb_capture_record *record = nb_capture_next(&self->capture);

		ASSERT_NE(NULL, record);
		ASSERT_EQ(captured[i], record->len);
		EXPECT_EQ(lost[i], record->lost);
	}
	EXPECT_EQ(2, nb_capture_stats_of(&self->capture).lost);
	EXPECT_EQ(6, nb_capture_stats_of(&self->capture).packets);
}

static int this_netns(void)
{
	return nb_sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
}

/* An interface that has moved is down, and drops it. */
static void send_one(struct nb_nic *nic, unsigned int page)
{
	struct nb_tx_segment segment = nb_tx_frame(nic->guest, page, 100);
	struct nb_tx_completion done;

	nb_ok(nb_queue_tx_avail(nic->queue, &segment, 1, NULL));
	if (nb_tx_reap(nic->queue, &done, 1) != 1)
		nb_die("the packet is not done with");
}

/* What was captured before can be read, and then that it is over. */
static bool is_over_after(struct nb_capture *capture, unsigned int page)
{
	struct pollfd wait = { .fd = capture->fd, .events = POLLIN };

	return nb_sys(poll(&wait, 1, 0)) == 1 && wait.revents & POLLHUP &&
	       nb_capture_gets(capture, NB_CAPTURE_TX, 100, page) &&
	       !read(capture->fd, capture->buffer, sizeof(capture->buffer));
}

TEST_F(paths, an_endpoint_that_leaves_the_namespace_leaves_its_capture)
{
	const struct nb_create_capture call = {
		.flags = BOTH, .queue = NB_ANY_QUEUE,
	};
	int home = this_netns(), there;
	struct nb_capture elsewhere;
	struct nb_endpoint *other;
	char line[128];

	nb_host_new_netns();
	there = this_netns();
	nb_sys(setns(home, CLONE_NEWNET));
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	/* One of another endpoint, which stays, goes on. */
	nb_ok(nb_test_create(&self->guest, &nb_test_null, NULL, &other));
	nb_capture_start(&elsewhere, other, BOTH);
	send_one(&self->nic, 1);
	snprintf(line, sizeof(line), "ip link set %s netns /proc/%d/fd/%d", self->nic.host.name,
		 getpid(), there);
	nb_host_close(&self->nic.host);
	nb_host_run(line);
	send_one(&self->nic, 2);
	EXPECT_TRUE(is_over_after(&self->capture, 1));
	EXPECT_EQ(-ENOENT, nb_capture_try(self->nic.ep, call));
	EXPECT_TRUE(nb_capture_silent(&elsewhere));
	EXPECT_EQ(-EBUSY, nb_capture_try(other, call));
	close(self->capture.fd);

	/* Where it is now it can be captured, until it is no longer there. */
	nb_sys(setns(there, CLONE_NEWNET));
	nb_host_open(&self->nic.host, if_nametoindex(self->nic.host.name));
	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	send_one(&self->nic, 3);
	nb_nic_stop(&self->nic);
	close(elsewhere.fd);
	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
	nb_ok(nb_endpoint_connect(self->nic.ep, other));
	EXPECT_TRUE(is_over_after(&self->capture, 3));
	close(self->capture.fd);
	nb_sys(setns(home, CLONE_NEWNET));
	nb_host_close(&self->nic.host);
	self->nic.kind = &nb_test_null;
	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	nb_nic_start(&self->nic, 1, 0);
	send_one(&self->nic, 4);
	EXPECT_TRUE(nb_capture_gets(&self->capture, NB_CAPTURE_TX, 100, 4));
	nb_nic_close(&self->nic);
	self->nic.ep = NULL;
	nb_endpoint_close(other);
	close(home);
	close(there);
}

/* The new one has no interface: the endpoint is where it was made. */
TEST_F(paths, an_endpoint_that_gets_a_new_backend_elsewhere_leaves_its_capture)
{
	int home = this_netns();
	char line[128];

	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_host_new_netns();
	snprintf(line, sizeof(line), "nsenter -n/proc/%d/fd/%d ip link set %s netns %d", getpid(),
		 home, self->nic.host.name, getpid());
	nb_host_close(&self->nic.host);
	nb_host_run(line);
	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	send_one(&self->nic, 1);
	nb_host_open(&self->nic.host, if_nametoindex(self->nic.host.name));
	nb_nic_stop(&self->nic);
	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
	snprintf(line, sizeof(line), "nbctl connect %u kind null", nb_capture_id_of(self->nic.ep));
	nb_host_run(line);
	EXPECT_TRUE(is_over_after(&self->capture, 1));
	nb_sys(setns(home, CLONE_NEWNET));
	close(home);
}

/* ---- several at once ----------------------------------------------------- */

/* What goes through a queue of kind loopback and comes back, for as long as is said. */
struct flow {
	pthread_t thread;
	struct nb_nic *nic;
	unsigned int index;
	unsigned int n;
	bool stop;
};

static uint32_t seed_of(unsigned int queue, unsigned int n)
{
	return queue << 24 | n;
}

static uint32_t length_of(unsigned int n)
{
	static const uint32_t lengths[] = { 60, 1500, 61, 333, 64, 1027, 14 };

	return lengths[n % ARRAY_LEN(lengths)];
}

static void *flow_run(void *argument)
{
	struct flow *flow = argument;
	struct nb_queue *queue = flow->nic->queues[flow->index];
	const unsigned int first = flow->index * BATCH;
	struct nb_tx_segment segments[BATCH];
	unsigned int i, n;

	for (n = 0; n < flow->n && !__atomic_load_n(&flow->stop, __ATOMIC_RELAXED); n += BATCH) {
		for (i = 0; i < BATCH; i++)
			segments[i] = nb_tx_packet(nb_frame_put(flow->nic->guest, first + i,
								length_of(n + i),
								seed_of(flow->index, n + i)),
						   length_of(n + i), i);
		nb_bufs_post_range(&flow->nic->bufs, queue, first, BATCH);
		nb_tx_all(queue, segments, BATCH);
		if (nb_bufs_reap(&flow->nic->bufs, queue, NULL, BATCH) != BATCH)
			nb_die("queue %u: packets have not come back", flow->index);
	}
	return NULL;
}

static void flows_start(struct flow *flows, struct nb_nic *nic, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < N_QUEUES; i++) {
		flows[i] = (struct flow){ .nic = nic, .index = i, .n = n };
		if (pthread_create(&flows[i].thread, NULL, flow_run, &flows[i]))
			nb_die("no thread");
	}
}

static void flows_end(struct flow *flows)
{
	unsigned int i;

	for (i = 0; i < N_QUEUES; i++)
		__atomic_store_n(&flows[i].stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < N_QUEUES; i++)
		pthread_join(flows[i].thread, NULL);
}

static void start_queues(FIXTURE_DATA(paths) *self)
{
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, N_QUEUES, 0);
}

TEST_F(paths, busy_queues_are_captured_whole_and_in_order)
{
	unsigned int n_tx[N_QUEUES] = {}, n_rx[N_QUEUES] = {}, i;
	struct flow flows[N_QUEUES];

	start_queues(self);
	nb_capture_start_as(&self->capture, self->nic.ep, all_of_both);
	flows_start(flows, &self->nic, PACKETS);
	for (i = 0; i < 2 * N_QUEUES * PACKETS; i++) {
		const struct nb_capture_record *record = nb_capture_next(&self->capture);
		unsigned int n;

		ASSERT_NE(NULL, record);
		ASSERT_LT(record->queue, N_QUEUES);
		n = record->flags == NB_CAPTURE_TX ? n_tx[record->queue]++ :
						     n_rx[record->queue]++;
		ASSERT_TRUE(nb_record_is_frame(record, record->flags, length_of(n),
					       seed_of(record->queue, n)));
		ASSERT_LE(n_rx[record->queue], n_tx[record->queue]);
		ASSERT_EQ(0, record->lost);
	}
	for (i = 0; i < N_QUEUES; i++)
		EXPECT_EQ(PACKETS, n_rx[i]);
	flows_end(flows);
	EXPECT_TRUE(nb_capture_silent(&self->capture));
	EXPECT_EQ(2 * N_QUEUES * PACKETS, nb_capture_stats_of(&self->capture).packets);
}

TEST_F(paths, captures_come_and_go_while_packets_flow)
{
	const struct nb_create_capture small = {
		.flags = BOTH, .queue = NB_ANY_QUEUE, .buffer_size = NB_MIN_CAPTURE_BUFFER,
	};
	struct flow flows[N_QUEUES];
	struct nb_endpoint *other;
	unsigned int i;
	int stays;

	start_queues(self);
	/* As long as there is another one, to begin and to end takes little time. */
	nb_ok(nb_test_create(&self->guest, &nb_test_null, NULL, &other));
	stays = nb_ok(nb_capture_try(other, small));
	flows_start(flows, &self->nic, UINT32_MAX - BATCH);
	for (i = 0; i < COMINGS; i++) {
		const struct nb_capture_record *record;

		nb_capture_start_as(&self->capture, self->nic.ep, small);
		record = nb_capture_next(&self->capture);
		ASSERT_NE(NULL, record);
		ASSERT_LT(record->queue, N_QUEUES);
		close(self->capture.fd);
	}
	flows_end(flows);
	close(stays);
	nb_endpoint_close(other);
}

/* ---- waiting ------------------------------------------------------------- */

struct reader {
	pthread_t thread;
	int fd;
	ssize_t n;
	uint64_t buffer[1024];
};

static void *reader_run(void *argument)
{
	struct reader *reader = argument;

	reader->n = read(reader->fd, reader->buffer, sizeof(reader->buffer));
	return NULL;
}

/* Whether it sleeps in read(), system call number 0. */
static bool reads_and_sleeps(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	return tid && !nb_test_run("grep", "-q", "^0 ", path, NULL);
}

static void reader_start(struct reader *reader, int fd)
{
	*reader = (struct reader){ .fd = fd };
	if (pthread_create(&reader->thread, NULL, reader_run, reader))
		nb_die("no thread");
	if (!nb_until(reads_and_sleeps(nb_test_other_thread())))
		nb_die("the reader does not sleep");
}

TEST_F(paths, who_sleeps_is_woken_by_a_packet_and_by_the_end)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 7, 100);
	struct reader reader;

	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, 1, 0);
	/* What comes back would wake it, too. */
	nb_capture_start(&self->capture, self->nic.ep, NB_CAPTURE_TX);
	reader_start(&reader, self->capture.fd);
	nb_bufs_post(&self->nic.bufs, self->nic.queue, 0);
	nb_tx_all(self->nic.queue, &segment, 1);
	pthread_join(reader.thread, NULL);
	ASSERT_LT(0, reader.n);
	EXPECT_TRUE(nb_record_is_frame((const void *)reader.buffer, NB_CAPTURE_TX, 100, 7));

	reader_start(&reader, self->capture.fd);
	nb_nic_close(&self->nic);
	self->nic.ep = NULL;
	pthread_join(reader.thread, NULL);
	EXPECT_EQ(0, reader.n);
}

TEST_F(paths, who_sleeps_is_woken_by_what_the_guest_gets)
{
	struct reader reader;

	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_capture_start(&self->capture, self->nic.ep, BOTH);
	reader_start(&reader, self->capture.fd);
	ASSERT_TRUE(nb_nic_provoke(&self->nic));
	pthread_join(reader.thread, NULL);
	ASSERT_LT(0, reader.n);
	EXPECT_TRUE(nb_record_is_frame((const void *)reader.buffer, NB_CAPTURE_RX, 100, 0));
}

TEST_HARNESS_MAIN
