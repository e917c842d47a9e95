// SPDX-License-Identifier: GPL-2.0
/*
 * NB_QUEUE_ZEROCOPY_TX: long packets that the host forwards are read from guest memory
 * when they get to where they go, and completed then; what a host's socket gets is copied.
 *
 * Two guests behind a bridge.  What the first one sends waits in the queueing discipline
 * of the second one's interface until that has a receive buffer: for as long as a test
 * wants.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbbpf.h"
#include "nbcgroup.h"
#include "nbip.h"

#define MTU		60000u
#define LONG		50000u
/* Bytes that are copied in any case, and then some. */
#define HEADERS		1024u
#define BUFFER		65536u
#define BUFFERS		8u
#define SEND_GPA	(NB_MORE_GPA + BUFFERS * BUFFER)
#define SEND_SIZE	(4 * BUFFER)
#define HUGE		(2u << 20)
#define VLAN_HLEN	4u
#define FIFO		1000u
/* Both rings of a queue with as many entries leave half of them to packets in flight. */
#define ENTRIES		64u

struct side {
	struct nb_endpoint *ep;
	struct nb_endpoint_info info;
	struct nb_queue *queue;
};

FIXTURE(zerocopy)
{
	struct nb_guest guest;
	struct side from, to;
	struct nb_bufs bufs;
	unsigned long references, pinned;
};

/* ---- two guests and a bridge --------------------------------------------- */

static void side_open(struct side *side, struct nb_guest *guest, uint32_t flags)
{
	const struct nb_endpoint_params params = { .kind = "netdev", .netns_fd = -1,
						   .mtu = MTU };
	const struct nb_queue_config config = {
		.tx_avail_entries = ENTRIES, .tx_done_entries = ENTRIES,
		.target_cpu = NB_ANY_CPU, .flags = flags,
	};

	nb_ok(nb_endpoint_create(guest->nb, &params, &side->ep));
	nb_ok(nb_endpoint_get_queues(side->ep, guest->mem, &config, 1, NULL, &side->queue));
	nb_ok(nb_endpoint_get_info(side->ep, &side->info));
	nb_link_set_up(side->info.name, false);
	nb_link_set_up(side->info.name, true);
}

static void side_close(struct side *side)
{
	if (side->queue)
		nb_queue_close(side->queue);
	nb_endpoint_close(side->ep);
	memset(side, 0, sizeof(*side));
}

static void join_bridge(const struct side *side)
{
	char line[256];

	snprintf(line, sizeof(line), "ip link set %s master br0", side->info.name);
	nb_host_run(line);
	snprintf(line, sizeof(line), "bridge link show dev %s | grep -q forwarding",
		 side->info.name);
	if (!nb_until(!nb_test_run("sh", "-c", line, NULL)))
		nb_die("%s does not forward", side->info.name);
}

static void open_to(FIXTURE_DATA(zerocopy) *self, uint32_t flags)
{
	side_open(&self->to, &self->guest, flags);
	nb_link_set_fifo(self->to.info.ifindex, FIFO);
	join_bridge(&self->to);
}

FIXTURE_SETUP(zerocopy)
{
	nb_test_load_module();
	nb_host_new_netns();
	self->references = nb_module_references();
	self->pinned = nb_pinned_pages();
	nb_guest_open(&self->guest, BUFFERS * BUFFER + SEND_SIZE);
	nb_bufs_init(&self->bufs);
	self->bufs.gpa = NB_MORE_GPA;
	self->bufs.size = BUFFER;
	self->bufs.n = BUFFERS;
	nb_host_run("ip link add br0 type bridge mcast_snooping 0");
	nb_host_run("ip link set br0 up");
	open_to(self, 0);
	side_open(&self->from, &self->guest, NB_QUEUE_ZEROCOPY_TX);
}

FIXTURE_TEARDOWN(zerocopy)
{
	if (self->from.ep)
		side_close(&self->from);
	side_close(&self->to);
	nb_guest_close(&self->guest);
	/* Nothing is left, however the packets went. */
	EXPECT_TRUE(nb_until(nb_module_references() == self->references));
	EXPECT_TRUE(nb_until(nb_pinned_pages() == self->pinned));
}

/* Of IP by its type, and for a station that the bridge does not know: not for the host. */
static void ip_frame_fill(void *frame, size_t len, uint32_t seed)
{
	struct ethhdr *ethernet = frame;

	nb_frame_fill(frame, len, seed);
	memcpy(ethernet->h_dest, "\x02\x00\x00\x00\x00\x77", ETH_ALEN);
	ethernet->h_proto = htons(ETH_P_IP);
}

static struct nb_tx_segment frame_at(const struct nb_guest *guest, uint64_t gpa, uint32_t len,
				     uint32_t seed)
{
	ip_frame_fill(nb_guest_ptr(guest, gpa, len), len, seed);
	return nb_tx_packet(gpa, len, seed);
}

static void send_segments(struct nb_queue *queue, const struct nb_tx_segment *segments,
			  unsigned int n)
{
	if (nb_ok(nb_queue_tx_avail(queue, segments, n, NULL)) != (int)n)
		nb_die("%u segments are too many", n);
}

static unsigned int completed(struct nb_queue *queue)
{
	struct nb_tx_completion done[ENTRIES];

	return nb_ok(nb_queue_tx_poll(queue, done, ENTRIES));
}

/* Whether the other guest gets these bytes now, in its next buffer. */
static bool arrives(FIXTURE_DATA(zerocopy) *self, const void *frame, uint32_t len)
{
	static uint32_t id;
	uint32_t got;

	id = (id + 1) % BUFFERS;
	self->bufs.full[id] = false;
	nb_bufs_post(&self->bufs, self->to.queue, id);
	return nb_bufs_reap(&self->bufs, self->to.queue, &got, 1) == 1 && got == id &&
	       nb_bufs_equal(&self->bufs, &self->guest, id, frame, len);
}

static bool completes(struct nb_queue *queue, unsigned int n)
{
	struct nb_tx_completion done[ENTRIES];
	unsigned int i;

	if (nb_tx_reap(queue, done, n) != n)
		return false;
	for (i = 0; i < n; i++)
		if (done[i].status != NB_TX_OK)
			return false;
	return true;
}

/* ---- forwarded ----------------------------------------------------------- */

TEST_F(zerocopy, forwarded_packets_are_never_copied)
{
	static const uint32_t lengths[] = { 4096, 8192, 9014, LONG, MTU };
	struct nb_tx_segment segment;
	struct nb_queue_stats stats;
	static char frame[MTU];
	unsigned int i;

	join_bridge(&self->from);
	for (i = 0; i < ARRAY_LEN(lengths); i++) {
		/* At other offsets in their pages, too. */
		segment = frame_at(&self->guest, SEND_GPA + i * 911, lengths[i], i);
		ip_frame_fill(frame, lengths[i], i);
		send_segments(self->from.queue, &segment, 1);
		ASSERT_TRUE(arrives(self, frame, lengths[i]));
		ASSERT_TRUE(completes(self->from.queue, 1));
	}
	stats = nb_stats_of(self->from.queue);
	EXPECT_EQ(ARRAY_LEN(lengths), stats.tx_zerocopy);
	EXPECT_EQ(0, stats.tx_zerocopy_copied);
	EXPECT_EQ(ARRAY_LEN(lengths), stats.tx_packets);
}

TEST_F(zerocopy, a_packet_of_many_segments_arrives)
{
	struct nb_tx_segment segments[40];
	char frame[40 * 500];

	join_bridge(&self->from);
	frame_at(&self->guest, SEND_GPA + 77, sizeof(frame), 5);
	ip_frame_fill(frame, sizeof(frame), 5);
	/* Few enough pieces to be fragments, and then too many. */
	nb_tx_split(segments, 4, SEND_GPA + 77, sizeof(frame), 1);
	send_segments(self->from.queue, segments, 4);
	ASSERT_TRUE(arrives(self, frame, sizeof(frame)));
	ASSERT_TRUE(completes(self->from.queue, 1));
	EXPECT_EQ(1, nb_stats_of(self->from.queue).tx_zerocopy);
	nb_tx_split(segments, 40, SEND_GPA + 77, sizeof(frame), 2);
	send_segments(self->from.queue, segments, 40);
	ASSERT_TRUE(arrives(self, frame, sizeof(frame)));
	ASSERT_TRUE(completes(self->from.queue, 1));
	EXPECT_EQ(1, nb_stats_of(self->from.queue).tx_zerocopy);
}

/* A packet of 17 segments, each in two pages; its seed is 6. */
static bool crosses_pages(FIXTURE_DATA(zerocopy) *self, uint64_t gpa)
{
	enum { N = 17, LEN = 3000, STRIDE = 3 * NB_PAGE };
	struct nb_tx_segment segments[N];
	static char frame[N * LEN];
	unsigned int i;

	ip_frame_fill(frame, sizeof(frame), 6);
	nb_tx_split(segments, N, gpa, sizeof(frame), 6);
	for (i = 0; i < N; i++) {
		segments[i].gpa = gpa + i * STRIDE + 2000;
		segments[i].len = LEN;
		memcpy(nb_guest_ptr(&self->guest, segments[i].gpa, LEN), frame + i * LEN, LEN);
	}
	send_segments(self->from.queue, segments, N);
	return arrives(self, frame, sizeof(frame)) && completes(self->from.queue, 1);
}

/* A packet has room for 17 pieces. */
TEST_F(zerocopy, what_lies_in_one_huge_page_is_one_piece)
{
	const uint64_t gpa = 1ull << 40;
	char *pages;

	join_bridge(&self->from);
	ASSERT_TRUE(crosses_pages(self, SEND_GPA));
	EXPECT_EQ(0, nb_stats_of(self->from.queue).tx_zerocopy);

	nb_test_write("/proc/sys/vm/nr_hugepages", "1");
	pages = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (pages == MAP_FAILED)
		SKIP(return, "there are no huge pages");
	nb_ok(nb_memory_add(self->guest.mem, gpa, pages, HUGE, 0));
	EXPECT_TRUE(crosses_pages(self, gpa));
	EXPECT_EQ(1, nb_stats_of(self->from.queue).tx_zerocopy);
	nb_ok(nb_memory_remove(self->guest.mem, gpa, HUGE));
	nb_sys(munmap(pages, HUGE));
	nb_test_write("/proc/sys/vm/nr_hugepages", "0");
}

/* Four bytes of what arrives at an interface, behind the headers. */
static int changes_payload(unsigned int at, int32_t to)
{
	return nb_bpf_program(BPF_PROG_TYPE_SCHED_CLS, 0,
			      BPF_STORE_IMM(BPF_W, BPF_REG_10, -4, to),
			      BPF_SET(BPF_REG_2, at),
			      BPF_COPY(BPF_REG_3, BPF_REG_10),
			      BPF_PLUS(BPF_REG_3, -4),
			      BPF_SET(BPF_REG_4, 4),
			      BPF_SET(BPF_REG_5, 0),
			      BPF_CALL_HELPER(skb_store_bytes),
			      BPF_SET(BPF_REG_0, TC_ACT_UNSPEC),
			      BPF_RETURN);
}

TEST_F(zerocopy, a_host_that_changes_a_packet_changes_no_guest_memory)
{
	const uint64_t gpa = 1ull << 40;
	const int32_t changed = 0x5a5b5c5d;
	const unsigned int at = LONG / 2;
	char *pages = nb_test_pages(BUFFER);
	struct nb_tx_segment segment;
	static char frame[LONG];

	join_bridge(&self->from);
	nb_bpf_classify(self->from.info.ifindex, changes_payload(at, changed));
	nb_ok(nb_memory_add(self->guest.mem, gpa, pages, BUFFER, NB_REGION_READ_ONLY));
	segment = frame_at(&self->guest, gpa, LONG, 7);
	ip_frame_fill(frame, LONG, 7);
	send_segments(self->from.queue, &segment, 1);
	EXPECT_EQ(0, memcmp(pages, frame, LONG));
	memcpy(frame + at, &changed, sizeof(changed));
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_TRUE(completes(self->from.queue, 1));
	EXPECT_EQ(1, nb_stats_of(self->from.queue).tx_zerocopy);
	ip_frame_fill(frame, LONG, 7);
	EXPECT_EQ(0, memcmp(pages, frame, LONG));
	nb_ok(nb_memory_remove(self->guest.mem, gpa, BUFFER));
	nb_sys(munmap(pages, BUFFER));
}

TEST_F(zerocopy, a_packet_is_completed_when_it_has_been_read)
{
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, LONG, 3);
	char *payload = nb_guest_ptr(&self->guest, SEND_GPA + HEADERS, LONG - HEADERS);
	static char frame[LONG];

	join_bridge(&self->from);
	send_segments(self->from.queue, &segment, 1);
	EXPECT_EQ(0, completed(self->from.queue));
	/* A guest that does not wait changes what arrives, but for what was checked. */
	memset(payload, 0x5a, LONG - HEADERS);
	memset(nb_guest_ptr(&self->guest, SEND_GPA, NB_HEADER_LEN), 0x5a, NB_HEADER_LEN);
	ip_frame_fill(frame, LONG, 3);
	memset(frame + HEADERS, 0x5a, LONG - HEADERS);
	EXPECT_EQ(0, completed(self->from.queue));
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_TRUE(completes(self->from.queue, 1));
}

/* Who sleeps until a packet has been completed is woken. */
static bool is_woken(FIXTURE_DATA(zerocopy) *self)
{
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, LONG, 4);
	int call = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	struct pollfd wait = { .fd = call, .events = POLLIN };
	static char frame[LONG];
	bool woken;

	join_bridge(&self->from);
	nb_ok(nb_queue_set_eventfds(self->from.queue, -1, call));
	ip_frame_fill(frame, LONG, 4);
	send_segments(self->from.queue, &segment, 1);
	woken = !nb_sys(poll(&wait, 1, 0)) && arrives(self, frame, LONG) &&
		nb_sys(poll(&wait, 1, NB_PATIENCE)) == 1 && completed(self->from.queue) == 1;
	close(call);
	return woken;
}

/* Nobody drives the queue then, and nobody calls. */
TEST_F(zerocopy, who_sleeps_is_woken_when_a_packet_is_completed)
{
	EXPECT_TRUE(is_woken(self));
}

/* Its poller sleeps, too. */
TEST_F(zerocopy, who_sleeps_is_woken_by_a_poller)
{
	side_close(&self->from);
	side_open(&self->from, &self->guest, NB_QUEUE_ZEROCOPY_TX | NB_QUEUE_POLL);
	EXPECT_TRUE(is_woken(self));
}

TEST_F(zerocopy, a_super_packet_that_the_host_cuts_is_completed_once)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 20000 };
	static struct nb_ip whole, piece, got;
	struct nb_tx_segment head;
	unsigned int n, i;
	uint32_t id;

	/* The pieces share the pages: their checksums are left to the guest. */
	side_close(&self->to);
	open_to(self, NB_QUEUE_RX_CHECKSUM);
	join_bridge(&self->from);
	nb_ip_make(&whole, &plan);
	n = nb_ip_pieces(&whole, 1428);
	memcpy(nb_guest_ptr(&self->guest, SEND_GPA, whole.len), whole.data, whole.len);
	head = nb_tx_packet(SEND_GPA, whole.len, 1);
	nb_ip_describe(&whole, NB_TX_OFFLOAD_TCP_SEGMENTATION, 1428, &head);
	send_segments(self->from.queue, &head, 1);
	self->bufs.n = 1;
	for (i = 0; i < n; i++) {
		nb_bufs_post(&self->bufs, self->to.queue, 0);
		ASSERT_EQ(1, nb_bufs_reap(&self->bufs, self->to.queue, &id, 1));
		got.len = self->bufs.meta[id].len;
		nb_bufs_read(&self->bufs, &self->guest, id, got.data);
		ASSERT_TRUE(nb_ip_parse(&got));
		nb_ip_finish(&got);
		nb_ip_piece(&whole, 1428, i, &piece);
		ASSERT_TRUE(nb_ip_same(&piece, &got));
		self->bufs.full[id] = false;
	}
	EXPECT_TRUE(completes(self->from.queue, 1));
	EXPECT_EQ(0, completed(self->from.queue));
	EXPECT_EQ(1, nb_stats_of(self->from.queue).tx_zerocopy);
}

TEST_F(zerocopy, half_of_the_completions_are_left_to_packets_that_are_copied)
{
	struct nb_tx_segment segments[ENTRIES];
	static char frame[5000];
	unsigned int i;

	join_bridge(&self->from);
	segments[0] = frame_at(&self->guest, SEND_GPA, sizeof(frame), 1);
	for (i = 1; i < ENTRIES; i++)
		segments[i] = segments[0];
	ip_frame_fill(frame, sizeof(frame), 1);
	send_segments(self->from.queue, segments, ENTRIES);
	EXPECT_TRUE(completes(self->from.queue, ENTRIES / 2));
	EXPECT_EQ(0, completed(self->from.queue));
	for (i = 0; i < ENTRIES; i++)
		ASSERT_TRUE(arrives(self, frame, sizeof(frame)));
	EXPECT_TRUE(completes(self->from.queue, ENTRIES / 2));
	EXPECT_EQ(ENTRIES / 2, nb_stats_of(self->from.queue).tx_zerocopy);
}

/* ---- what the host copies anyway ----------------------------------------- */

TEST_F(zerocopy, what_a_socket_gets_is_copied_and_soon_no_longer_tried)
{
	static char frame[LONG];
	static struct nb_ip got;
	struct nb_tx_segment segment;
	struct nb_queue_stats stats;
	struct nb_host socket;
	struct nb_seen seen;
	unsigned int i;

	nb_host_open_socket(&socket, self->from.info.ifindex);
	for (i = 0; i < 600; i++) {
		segment = frame_at(&self->guest, SEND_GPA, LONG, i);
		send_segments(self->from.queue, &segment, 1);
		ASSERT_TRUE(completes(self->from.queue, 1));
		memset(nb_guest_ptr(&self->guest, SEND_GPA, LONG), 0x5a, LONG);
		ip_frame_fill(frame, LONG, i);
		ASSERT_TRUE(nb_ip_receive(&socket, &got, &seen, false));
		ASSERT_EQ(LONG, got.len);
		ASSERT_EQ(0, memcmp(frame, got.data, LONG));
	}
	nb_host_close(&socket);
	stats = nb_stats_of(self->from.queue);
	EXPECT_EQ(0, stats.tx_zerocopy);
	/* It was tried, given up, and tried again. */
	EXPECT_LT(8, stats.tx_zerocopy_copied);
	EXPECT_GT(50, stats.tx_zerocopy_copied);

	/* Where it is worth it, it is taken up again. */
	join_bridge(&self->from);
	for (i = 0; i < 600 && !nb_stats_of(self->from.queue).tx_zerocopy; i++) {
		segment = frame_at(&self->guest, SEND_GPA, LONG, i);
		ip_frame_fill(frame, LONG, i);
		send_segments(self->from.queue, &segment, 1);
		ASSERT_TRUE(arrives(self, frame, LONG));
		ASSERT_TRUE(completes(self->from.queue, 1));
	}
	EXPECT_EQ(1, nb_stats_of(self->from.queue).tx_zerocopy);
}

TEST_F(zerocopy, other_protocols_than_ip_are_copied)
{
	struct nb_tx_segment segment = nb_tx_packet(SEND_GPA, LONG, 1);
	static char frame[LONG];

	join_bridge(&self->from);
	nb_frame_fill(frame, LONG, 1);
	memcpy(nb_guest_ptr(&self->guest, SEND_GPA, LONG), frame, LONG);
	send_segments(self->from.queue, &segment, 1);
	EXPECT_TRUE(completes(self->from.queue, 1));
	memset(nb_guest_ptr(&self->guest, SEND_GPA, LONG), 0x5a, LONG);
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_EQ(0, nb_stats_of(self->from.queue).tx_zerocopy);
	EXPECT_EQ(0, nb_stats_of(self->from.queue).tx_zerocopy_copied);
}

/* Behind the addresses of a frame come so many VLAN tags, and the type. */
static void tag(char *frame, unsigned int tags, uint16_t protocol)
{
	__be16 *type = (__be16 *)(frame + offsetof(struct ethhdr, h_proto));

	for (; tags; tags--) {
		*type++ = htons(ETH_P_8021Q);
		*type++ = htons(tags);
	}
	*type = htons(protocol);
}

/* Whether a packet of that protocol with so many VLAN tags is not copied. */
static bool goes_uncopied(FIXTURE_DATA(zerocopy) *self, unsigned int tags, uint16_t protocol)
{
	uint64_t before = nb_stats_of(self->from.queue).tx_zerocopy;
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, LONG, tags);
	char *sent = nb_guest_ptr(&self->guest, SEND_GPA, LONG);
	const size_t addresses = offsetof(struct ethhdr, h_proto);
	static char frame[LONG];
	size_t outer = tags ? VLAN_HLEN : 0;

	tag(sent, tags, protocol);
	/* The outer tag is in the metadata. */
	memcpy(frame, sent, addresses);
	memcpy(frame + addresses, sent + addresses + outer, LONG - addresses - outer);
	send_segments(self->from.queue, &segment, 1);
	if (!arrives(self, frame, LONG - outer) || !completes(self->from.queue, 1))
		nb_die("a packet with %u tags is lost", tags);
	return nb_stats_of(self->from.queue).tx_zerocopy > before;
}

TEST_F(zerocopy, it_is_ip_also_in_two_vlans)
{
	unsigned int tags;

	join_bridge(&self->from);
	for (tags = 0; tags <= 2; tags++) {
		EXPECT_TRUE(goes_uncopied(self, tags, ETH_P_IP));
		EXPECT_TRUE(goes_uncopied(self, tags, ETH_P_IPV6));
		EXPECT_FALSE(goes_uncopied(self, tags, ETH_P_ARP));
	}
	EXPECT_FALSE(goes_uncopied(self, 3, ETH_P_IP));
}

/* Of which the host's IP is the last who reads. */
TEST_F(zerocopy, a_datagram_to_a_socket_is_copied)
{
	/* What nb_ip_make() makes is for 192.0.2.2, port 9. */
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 20000 };
	static struct nb_ip datagram;
	static char got[20000];
	char line[128];
	struct nb_tx_segment segment;
	int fd = nb_sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	nb_sys(bind(fd, (const struct sockaddr *)&any, sizeof(any)));
	snprintf(line, sizeof(line), "ip link set %s address 02:00:00:00:00:02",
		 self->from.info.name);
	nb_host_run(line);
	snprintf(line, sizeof(line), "ip addr add 192.0.2.2/24 dev %s", self->from.info.name);
	nb_host_run(line);
	nb_ip_make(&datagram, &plan);
	memcpy(nb_guest_ptr(&self->guest, SEND_GPA, datagram.len), datagram.data, datagram.len);
	segment = nb_tx_packet(SEND_GPA, datagram.len, 1);
	send_segments(self->from.queue, &segment, 1);
	EXPECT_TRUE(completes(self->from.queue, 1));
	memset(nb_guest_ptr(&self->guest, SEND_GPA, LONG), 0x5a, LONG);
	ASSERT_EQ(20000, recv(fd, got, sizeof(got), MSG_DONTWAIT));
	EXPECT_EQ(0, memcmp(got, datagram.data + datagram.payload, sizeof(got)));
	EXPECT_EQ(0, nb_stats_of(self->from.queue).tx_zerocopy);
	EXPECT_EQ(1, nb_stats_of(self->from.queue).tx_zerocopy_copied);
	close(fd);
}

TEST_F(zerocopy, short_packets_are_copied)
{
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, 1514, 1);

	join_bridge(&self->from);
	send_segments(self->from.queue, &segment, 1);
	EXPECT_TRUE(completes(self->from.queue, 1));
	EXPECT_EQ(0, nb_stats_of(self->from.queue).tx_zerocopy);
	EXPECT_EQ(0, nb_stats_of(self->from.queue).tx_zerocopy_copied);
}

/* ---- what goes away in the meantime -------------------------------------- */

TEST_F(zerocopy, a_region_can_be_removed_under_a_packet)
{
	const uint64_t gpa = 1ull << 40;
	char *pages = nb_test_pages(BUFFER);
	struct nb_tx_segment segment;
	static char frame[LONG];

	join_bridge(&self->from);
	nb_ok(nb_memory_add(self->guest.mem, gpa, pages, BUFFER, 0));
	segment = frame_at(&self->guest, gpa, LONG, 7);
	ip_frame_fill(frame, LONG, 7);
	send_segments(self->from.queue, &segment, 1);
	nb_ok(nb_memory_remove(self->guest.mem, gpa, BUFFER));
	nb_sys(munmap(pages, BUFFER));
	/* Somebody else would have the pages by now. */
	memset(nb_test_pages(64 << 20), 0xa5, 64 << 20);
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_TRUE(completes(self->from.queue, 1));
}

TEST_F(zerocopy, a_queue_can_be_closed_under_a_packet)
{
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, LONG, 8);
	static char frame[LONG];

	join_bridge(&self->from);
	ip_frame_fill(frame, LONG, 8);
	send_segments(self->from.queue, &segment, 1);
	side_close(&self->from);
	EXPECT_TRUE(arrives(self, frame, LONG));
}

static void be_killed(int ready)
{
	struct nb_tx_segment segment;
	struct nb_guest guest;
	struct side side;

	nb_guest_open(&guest, BUFFERS * BUFFER + SEND_SIZE);
	side_open(&side, &guest, NB_QUEUE_ZEROCOPY_TX);
	join_bridge(&side);
	segment = frame_at(&guest, SEND_GPA, LONG, 9);
	send_segments(side.queue, &segment, 1);
	if (completed(side.queue))
		nb_die("the packet was completed at once");
	nb_sys(write(ready, "", 1));
	pause();
}

TEST_F(zerocopy, what_a_killed_frontend_has_sent_arrives_and_nothing_is_left)
{
	unsigned long pinned = nb_pinned_pages();
	static char frame[LONG];
	int ready[2], status;
	pid_t child;
	char byte;

	nb_sys(pipe(ready));
	child = nb_sys(fork());
	if (!child) {
		be_killed(ready[1]);
		_exit(1);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	nb_sys(kill(child, SIGKILL));
	nb_sys(waitpid(child, &status, 0));
	close(ready[0]);
	close(ready[1]);
	EXPECT_TRUE(nb_until(nb_pinned_pages() == pinned));
	memset(nb_test_pages(64 << 20), 0xa5, 64 << 20);
	ip_frame_fill(frame, LONG, 9);
	EXPECT_TRUE(arrives(self, frame, LONG));
}

/* ---- quiesced ------------------------------------------------------------ */

static void nothing(int signal)
{
}

static void catch_alarms(void)
{
	const struct sigaction action = { .sa_handler = nothing };

	nb_sys(sigaction(SIGALRM, &action, NULL));
}

TEST_F(zerocopy, quiesce_waits_until_a_signal_comes)
{
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, LONG, 1);
	static char frame[LONG];
	int result;

	join_bridge(&self->from);
	ip_frame_fill(frame, LONG, 1);
	send_segments(self->from.queue, &segment, 1);
	nb_test_interrupt(true);
	result = nb_queue_quiesce_within(self->from.queue, NB_NO_TIMEOUT, 0);
	nb_test_interrupt(false);
	EXPECT_EQ(-EINTR, result);
	/* It goes on, also without copies. */
	send_segments(self->from.queue, &segment, 1);
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_TRUE(completes(self->from.queue, 2));
	EXPECT_EQ(2, nb_stats_of(self->from.queue).tx_zerocopy);
	EXPECT_EQ(0, nb_queue_quiesce(self->from.queue));
}

/* A thread that quiesces, without a limit. */
struct quiescer {
	struct nb_queue *queue;
	pthread_t thread;
	int result;
	pid_t tid;		/* atomic */
	bool done;		/* atomic */
};

static void *quiesce(void *argument)
{
	struct quiescer *quiescer = argument;

	__atomic_store_n(&quiescer->tid, gettid(), __ATOMIC_RELEASE);
	quiescer->result = nb_queue_quiesce_within(quiescer->queue, NB_NO_TIMEOUT, 0);
	__atomic_store_n(&quiescer->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Whether a thread sleeps in a call of ioctl(), and a signal would wake it. */
static bool sleeps_in_ioctl(pid_t tid)
{
	char path[64], state = 0;
	FILE *file;
	int number = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%d", &number) != 1)
		number = -1;
	fclose(file);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return number == SYS_ioctl && state == 'S';
}

static void quiescer_start(struct quiescer *quiescer, struct nb_queue *queue)
{
	*quiescer = (struct quiescer){ .queue = queue };
	errno = pthread_create(&quiescer->thread, NULL, quiesce, quiescer);
	if (errno)
		nb_die("pthread_create: %s", strerror(errno));
	if (!nb_until(sleeps_in_ioctl(__atomic_load_n(&quiescer->tid, __ATOMIC_ACQUIRE))))
		nb_die("the thread does not wait");
}

/* Its result; -ETIME if it does not come. */
static int quiescer_result(struct quiescer *quiescer)
{
	if (nb_until(__atomic_load_n(&quiescer->done, __ATOMIC_ACQUIRE))) {
		pthread_join(quiescer->thread, NULL);
		return quiescer->result;
	}
	pthread_kill(quiescer->thread, SIGALRM);
	pthread_join(quiescer->thread, NULL);
	return -ETIME;
}

TEST_F(zerocopy, a_quiesced_queue_has_nothing_in_flight)
{
	struct nb_tx_segment segments[4];
	struct quiescer quiescer;
	static char frame[LONG];
	unsigned int i;

	catch_alarms();
	join_bridge(&self->from);
	ip_frame_fill(frame, LONG, 1);
	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = frame_at(&self->guest, SEND_GPA, LONG, 1);
	send_segments(self->from.queue, segments, ARRAY_LEN(segments));
	EXPECT_EQ(0, completed(self->from.queue));
	quiescer_start(&quiescer, self->from.queue);
	for (i = 0; i < ARRAY_LEN(segments); i++)
		EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_EQ(0, quiescer_result(&quiescer));
	EXPECT_EQ(ARRAY_LEN(segments), completed(self->from.queue));
}

/* Nobody else may wake the second one: the frontend wants no notification. */
TEST_F(zerocopy, who_quiesces_is_woken_also_when_another_was_interrupted)
{
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, LONG, 1);
	struct quiescer first, second;
	static char frame[LONG];

	catch_alarms();
	join_bridge(&self->from);
	nb_queue_set_need_notify(self->from.queue, 0);
	ip_frame_fill(frame, LONG, 1);
	send_segments(self->from.queue, &segment, 1);
	quiescer_start(&first, self->from.queue);
	quiescer_start(&second, self->from.queue);
	pthread_kill(first.thread, SIGALRM);
	EXPECT_EQ(-EINTR, quiescer_result(&first));
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_EQ(0, quiescer_result(&second));
	EXPECT_EQ(1, completed(self->from.queue));
}

/* The neighbour posts no buffers: what is on its way to it stays there. */
TEST_F(zerocopy, quiesce_ends_by_itself)
{
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, LONG, 1);
	static char frame[LONG];

	join_bridge(&self->from);
	ip_frame_fill(frame, LONG, 1);
	send_segments(self->from.queue, &segment, 1);
	EXPECT_EQ(-ETIME, nb_queue_quiesce(self->from.queue));
	EXPECT_NE(NULL, strstr(nb_error(), "1 packets"));
	EXPECT_EQ(-ETIME, nb_queue_quiesce_within(self->from.queue, 1, 0));
	/* Nothing has come of it. */
	EXPECT_EQ(0, completed(self->from.queue));
	EXPECT_EQ(NB_QUEUE_RUNNING, nb_queue_state(self->from.queue));
	send_segments(self->from.queue, &segment, 1);
	EXPECT_EQ(0, completed(self->from.queue));
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_TRUE(completes(self->from.queue, 2));
	EXPECT_EQ(2, nb_stats_of(self->from.queue).tx_zerocopy);
}

static void send_some(FIXTURE_DATA(zerocopy) *self, uint32_t seed, unsigned int n)
{
	struct nb_tx_segment segment = frame_at(&self->guest, SEND_GPA, LONG, seed);

	while (n--)
		send_segments(self->from.queue, &segment, 1);
}

/* Quiesces, and leaves what is on its way to the host: how many packets. */
static int leave(FIXTURE_DATA(zerocopy) *self)
{
	return nb_queue_quiesce_within(self->from.queue, 1, NB_QUIESCE_LEAVE);
}

TEST_F(zerocopy, a_neighbour_that_takes_nothing_does_not_hold_up_a_migration)
{
	static unsigned char state[1 << 16];
	static char frame[LONG];
	unsigned int i;

	join_bridge(&self->from);
	ip_frame_fill(frame, LONG, 1);
	send_some(self, 1, 3);
	ASSERT_EQ(0, nb_queue_quiesce(self->to.queue));
	EXPECT_EQ(3, leave(self));
	EXPECT_EQ(NB_QUEUE_QUIESCED, nb_queue_state(self->from.queue));
	EXPECT_TRUE(completes(self->from.queue, 3));
	EXPECT_LT(0, nb_queue_save(self->from.queue, state, sizeof(state)));
	/* The guest goes elsewhere; its packets are read where they were. */
	side_close(&self->from);
	ASSERT_EQ(0, nb_queue_resume(self->to.queue));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(arrives(self, frame, LONG));
}

TEST_F(zerocopy, a_queue_goes_on_without_what_it_has_left)
{
	static char first[LONG], second[LONG];

	join_bridge(&self->from);
	ip_frame_fill(first, LONG, 1);
	ip_frame_fill(second, LONG, 2);
	send_some(self, 1, 2);
	EXPECT_EQ(2, leave(self));
	EXPECT_EQ(-EBADFD, leave(self));
	EXPECT_TRUE(completes(self->from.queue, 2));
	ASSERT_EQ(0, nb_queue_resume(self->from.queue));
	EXPECT_TRUE(arrives(self, first, LONG));
	EXPECT_TRUE(arrives(self, first, LONG));
	/* What comes back now is not completed again. */
	EXPECT_EQ(0, completed(self->from.queue));
	send_some(self, 2, 1);
	EXPECT_EQ(0, completed(self->from.queue));
	EXPECT_TRUE(arrives(self, second, LONG));
	EXPECT_TRUE(completes(self->from.queue, 1));
	EXPECT_EQ(3, nb_stats_of(self->from.queue).tx_zerocopy);
	EXPECT_EQ(0, leave(self));
}

/* Of two who quiesce, one leaves what the other waits for. */
TEST_F(zerocopy, who_waits_sees_that_another_has_left)
{
	struct quiescer quiescer;
	static char frame[LONG];

	catch_alarms();
	join_bridge(&self->from);
	ip_frame_fill(frame, LONG, 1);
	send_some(self, 1, 1);
	quiescer_start(&quiescer, self->from.queue);
	EXPECT_EQ(1, leave(self));
	EXPECT_EQ(-EBADFD, quiescer_result(&quiescer));
	EXPECT_TRUE(arrives(self, frame, LONG));
	EXPECT_TRUE(completes(self->from.queue, 1));
}

TEST_HARNESS_MAIN
