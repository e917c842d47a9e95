// SPDX-License-Identifier: GPL-2.0
/*
 * Receive-side scaling: the frontend's key and table decide which queue a flow of the
 * host comes to, the hash is the published one, and both can change at any time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/ethtool.h>

#include "kselftest_harness.h"
#include "nbip.h"

#define TABLE	128u

/* The key, and then the rows, of Microsoft's "Verifying the RSS hash calculation". */
static const uint8_t published_key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct {
	const char *destination;
	const char *source;
	uint16_t port;
	uint16_t source_port;
	uint32_t hash;			/* of the addresses */
	uint32_t hash_with_ports;
} published[] = {
	{ "161.142.100.80", "66.9.149.187", 1766, 2794, 0x323e8fc2, 0x51ccc178 },
	{ "65.69.140.83", "199.92.111.2", 4739, 14230, 0xd718262a, 0xc626b0ea },
	{ "12.22.207.184", "24.19.198.95", 38024, 12898, 0xd2d0a5de, 0x5c2b394a },
	{ "209.142.163.6", "38.27.205.30", 2217, 48228, 0x82989176, 0xafc7327f },
	{ "202.188.127.2", "153.39.163.191", 1303, 44251, 0x5d1809c5, 0x10e828a2 },
	{ "3ffe:2501:200:3::1", "3ffe:2501:200:1fff::7", 1766, 2794, 0x2cc18cd5,
	  0x40207d3d },
	{ "ff02::1", "3ffe:501:8::260:97ff:fe40:efab", 4739, 14230, 0x0f0c461c,
	  0xdde51bbf },
	{ "fe80::200:f8ff:fe21:67cf", "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 38024, 44251,
	  0x4b61e985, 0x02d1feef },
};

FIXTURE(rss)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_random random;
	uint8_t key[NB_MAX_RSS_KEY_LEN];
	uint16_t table[NB_MAX_RSS_TABLE_LEN + 1];
	struct nb_rss_config config;
	struct nb_rx_metadata meta;
	unsigned int queue;		/* that the last packet came to */
	struct nb_ip sent, got;
};

FIXTURE_SETUP(rss)
{
	nb_host_new_netns();
	nb_random_start(&self->random);
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, 0);
	memcpy(self->key, published_key, sizeof(published_key));
	self->config = (struct nb_rss_config){
		.key = (uintptr_t)self->key,
		.key_len = sizeof(published_key),
		.table = (uintptr_t)self->table,
		.table_len = TABLE,
	};
}

FIXTURE_TEARDOWN(rss)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static int get_queues(FIXTURE_DATA(rss) *self, unsigned int n, const struct nb_rss_config *rss)
{
	struct nb_queue_config configs[NB_TEST_QUEUES] = { 0 };
	unsigned int i;
	int err;

	for (i = 0; i < n; i++)
		configs[i].target_cpu = NB_ANY_CPU;
	err = nb_endpoint_get_queues(self->nic.ep, self->guest.mem, configs, n, rss,
				     self->nic.queues);
	if (!err) {
		self->nic.n_queues = n;
		self->nic.queue = self->nic.queues[0];
	}
	return err;
}

/* Queues, over which the table goes in turn. */
static void start(FIXTURE_DATA(rss) *self, unsigned int n)
{
	struct nb_endpoint_info info;
	unsigned int i;

	for (i = 0; i < TABLE; i++)
		self->table[i] = i % n;
	nb_ok(get_queues(self, n, &self->config));
	nb_bufs_init(&self->nic.bufs);
	nb_nic_post_all(&self->nic);
	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	nb_host_open(&self->nic.host, info.ifindex);
	nb_ip_want_vnet(&self->nic.host);
}

/* Waits for the next packet in any queue. */
static bool receive(FIXTURE_DATA(rss) *self)
{
	struct pollfd waits[NB_TEST_QUEUES];
	struct nb_nic *nic = &self->nic;
	unsigned int i;
	uint32_t id;

	for (i = 0; i < nic->n_queues; i++)
		waits[i] = (struct pollfd){ .fd = nb_queue_fd(nic->queues[i]), .events = POLLIN };
	if (!nb_sys(poll(waits, nic->n_queues, NB_PATIENCE)))
		return false;
	for (i = 0; !waits[i].revents; i++)
		;
	if (nb_bufs_reap(&nic->bufs, nic->queues[i], &id, 1) != 1)
		return false;
	self->queue = i;
	self->meta = nic->bufs.meta[id];
	if (self->meta.status != NB_RX_OK)
		nb_die("a buffer came back with status %u", self->meta.status);
	nb_bufs_read(&nic->bufs, nic->guest, id, self->got.data);
	self->got.len = self->meta.len;
	nb_bufs_post(&nic->bufs, nic->queues[i], id);
	return true;
}

/* Sends a packet from the host: it comes with this hash, to the queue in the table. */
static bool comes_with(FIXTURE_DATA(rss) *self, const struct nb_ip_plan *plan, uint32_t hash)
{
	unsigned int queue = self->table[hash % self->config.table_len];

	nb_ip_make(&self->sent, plan);
	nb_ip_send(&self->nic.host, &self->sent, false, 0);
	if (!receive(self)) {
		fprintf(stderr, "# nothing has arrived\n");
		return false;
	}
	if (self->meta.hash == hash && self->queue == queue &&
	    !memcmp(self->sent.data, self->got.data, self->sent.len))
		return true;
	fprintf(stderr, "# hash %#x instead of %#x, queue %u instead of %u\n", self->meta.hash,
		hash, self->queue, queue);
	return false;
}

/* ---- the hash ------------------------------------------------------------ */

TEST_F(rss, hash_is_the_published_one)
{
	uint8_t source[16], destination[16];
	unsigned int i;

	start(self, 16);
	for (i = 0; i < ARRAY_LEN(published); i++) {
		bool ipv6 = strchr(published[i].source, ':');
		struct nb_ip_plan plan = {
			.ipv6 = ipv6,
			.source = source,
			.destination = destination,
			.source_port = published[i].source_port,
			.port = published[i].port,
			.payload = 20,
		};

		ASSERT_EQ(1, inet_pton(ipv6 ? AF_INET6 : AF_INET, published[i].source, source));
		ASSERT_EQ(1, inet_pton(ipv6 ? AF_INET6 : AF_INET, published[i].destination,
				       destination));
		plan.protocol = IPPROTO_TCP;
		EXPECT_TRUE(comes_with(self, &plan, published[i].hash_with_ports));
		plan.protocol = IPPROTO_UDP;
		EXPECT_TRUE(comes_with(self, &plan, published[i].hash_with_ports));
		plan.options = 16;
		EXPECT_TRUE(comes_with(self, &plan, published[i].hash_with_ports));
		plan.options = 0;
		plan.protocol = IPPROTO_GRE;
		EXPECT_TRUE(comes_with(self, &plan, published[i].hash));
	}
}

TEST_F(rss, hash_of_a_fragment_is_that_of_its_addresses)
{
	uint8_t source[4], destination[4];
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 20, .source = source,
				   .destination = destination };

	start(self, 4);
	inet_pton(AF_INET, published[0].source, source);
	inet_pton(AF_INET, published[0].destination, destination);
	nb_ip_make(&self->sent, &plan);
	self->sent.data[self->sent.l3 + 6] = 0x20;
	nb_ip_finish(&self->sent);
	nb_ip_send(&self->nic.host, &self->sent, false, 0);
	ASSERT_TRUE(receive(self));
	EXPECT_EQ(published[0].hash, self->meta.hash);
}

TEST_F(rss, what_is_not_ip_has_no_hash_and_comes_to_the_first_entry)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 20 };

	start(self, 4);
	self->table[0] = 3;
	ASSERT_EQ(0, nb_endpoint_set_rss(self->nic.ep, &self->config));
	nb_ip_make(&self->sent, &plan);
	memcpy(self->sent.data + 12, "\x88\xb5", 2);
	nb_ip_send(&self->nic.host, &self->sent, false, 0);
	ASSERT_TRUE(receive(self));
	EXPECT_EQ(0, self->meta.hash);
	EXPECT_EQ(3, self->queue);
}

static bool any_flow_comes_right(FIXTURE_DATA(rss) *self)
{
	uint8_t input[36];
	struct nb_ip_plan plan = { .payload = 1 };
	unsigned int len;

	plan.ipv6 = nb_random_below(&self->random, 2);
	plan.protocol = nb_random_below(&self->random, 2) ? IPPROTO_TCP : IPPROTO_UDP;
	nb_random_fill(&self->random, input, sizeof(input));
	len = plan.ipv6 ? 32 : 8;
	plan.source = input;
	plan.destination = input + len / 2;
	input[len] |= 1;
	input[len + 2] |= 1;
	plan.source_port = input[len] << 8 | input[len + 1];
	plan.port = input[len + 2] << 8 | input[len + 3];
	return comes_with(self, &plan, nb_ip_toeplitz(self->key, self->config.key_len, input,
						len + 4));
}

TEST_F(rss, keys_and_tables_of_any_length_are_obeyed)
{
	static const unsigned int key_lens[] = { 1, 2, 16, 39, 40, 41, 52, NB_MAX_RSS_KEY_LEN };
	static const unsigned int table_lens[] = { 1, 2, 3, 5, 64, 100, 127, TABLE };
	unsigned int i, k;

	start(self, 16);
	nb_random_fill(&self->random, self->key, sizeof(self->key));
	for (i = 0; i < ARRAY_LEN(key_lens); i++) {
		self->config.key_len = key_lens[i];
		self->config.table_len = table_lens[i];
		for (k = 0; k < table_lens[i]; k++)
			self->table[k] = nb_random_below(&self->random, 16);
		ASSERT_EQ(0, nb_endpoint_set_rss(self->nic.ep, &self->config));
		for (k = 0; k < 30; k++)
			ASSERT_TRUE(any_flow_comes_right(self));
	}
}

TEST_F(rss, one_queue_has_a_hash_too)
{
	unsigned int i;

	start(self, 1);
	for (i = 0; i < 10; i++)
		ASSERT_TRUE(any_flow_comes_right(self));
}

/* ---- changing it --------------------------------------------------------- */

#define SENT		3000u
#define FLOWS		50u

struct sender {
	struct nb_host *host;
	struct nb_ip packet;
	bool done;
};

/* Packets that are numbered, of many flows. */
static void *send_all(void *argument)
{
	struct sender *sender = argument;
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 100 };
	uint32_t i;

	for (i = 0; i < SENT; i++) {
		plan.port = 1000 + i % FLOWS;
		nb_ip_make(&sender->packet, &plan);
		memcpy(sender->packet.data + sender->packet.payload, &i, sizeof(i));
		nb_ip_send(sender->host, &sender->packet, false, 0);
	}
	__atomic_store_n(&sender->done, true, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(rss, changes_while_packets_flow_lose_and_double_none)
{
	struct sender sender = { .host = &self->nic.host };
	unsigned int received = 0, changes = 0, i;
	unsigned char seen[SENT] = { 0 };
	pthread_t thread;
	uint32_t number;
	char line[128];

	start(self, 4);
	/* The usual one drops what has waited for long, as for a slow machine. */
	snprintf(line, sizeof(line), "tc qdisc replace dev %s root pfifo limit %u",
		 self->nic.host.name, SENT);
	nb_host_run(line);
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_all, &sender));
	while (received < SENT && receive(self)) {
		memcpy(&number, self->got.data + 14 + 20 + 8, sizeof(number));
		ASSERT_LT(number, SENT);
		ASSERT_EQ(0, seen[number]);
		seen[number] = 1;
		if (received++ % 8)
			continue;
		for (i = 0; i < TABLE; i++)
			self->table[i] = nb_random_below(&self->random, 4);
		self->key[5] = ++changes;
		ASSERT_EQ(0, nb_endpoint_set_rss(self->nic.ep, changes % 5 ? &self->config :
									      NULL));
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(SENT, received);
	EXPECT_TRUE(sender.done);
	EXPECT_LT(100, changes);
}

TEST_F(rss, a_flow_stays_in_its_queue_and_flows_spread)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 10 };
	unsigned int used[4] = { 0 }, queue[FLOWS], i;

	start(self, 4);
	for (i = 0; i < 4 * FLOWS; i++) {
		plan.port = 2000 + i % FLOWS;
		nb_ip_make(&self->sent, &plan);
		nb_ip_send(&self->nic.host, &self->sent, false, 0);
		ASSERT_TRUE(receive(self));
		EXPECT_NE(0, self->meta.hash);
		if (i < FLOWS)
			queue[i] = self->queue;
		EXPECT_EQ(queue[i % FLOWS], self->queue);
		used[self->queue]++;
	}
	for (i = 0; i < 4; i++)
		EXPECT_LT(4, used[i]);
}

TEST_F(rss, without_it_flows_spread_too)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_TCP, .payload = 10 };
	unsigned int used[4] = { 0 }, i;

	start(self, 4);
	ASSERT_EQ(0, nb_endpoint_set_rss(self->nic.ep, NULL));
	/* The packets of a socket go to one queue as long as nobody hashes them. */
	for (i = 0; i < 4 * FLOWS; i++) {
		plan.port = 2000 + i % FLOWS;
		nb_ip_make(&self->sent, &plan);
		nb_ip_send(&self->nic.host, &self->sent, false, 0);
		ASSERT_TRUE(receive(self));
		used[self->queue]++;
	}
	EXPECT_LT(used[0], 4 * FLOWS);
}

TEST_F(rss, ends_with_the_queues)
{
	unsigned int i;

	start(self, 4);
	nb_link_set_up(self->nic.host.name, false);
	nb_nic_stop(&self->nic);
	ASSERT_EQ(0, nb_endpoint_stop(self->nic.ep));
	EXPECT_EQ(-EINVAL, nb_endpoint_set_rss(self->nic.ep, &self->config));
	EXPECT_LT(10, strlen(nb_error()));
	start(self, 2);
	for (i = 0; i < 20; i++)
		ASSERT_TRUE(any_flow_comes_right(self));
}

/* ---- what ethtool shows -------------------------------------------------- */

static unsigned int channels(const char *name)
{
	struct ethtool_channels get = { .cmd = ETHTOOL_GCHANNELS };

	nb_link_ask_ethtool(name, &get);
	return get.combined_count;
}

/* ethtool -x. */
static bool is_shown(FIXTURE_DATA(rss) *self)
{
	struct {
		struct ethtool_rxfh head;
		uint8_t room[4 * TABLE + NB_MAX_RSS_KEY_LEN];
	} get = { .head = { .cmd = ETHTOOL_GRSSH } };
	const char *name = self->nic.host.name;
	unsigned int i;

	nb_link_ask_ethtool(name, &get);
	if (get.head.indir_size != self->config.table_len ||
	    get.head.key_size != self->config.key_len || get.head.hfunc != 1)
		return false;
	nb_link_ask_ethtool(name, &get);
	for (i = 0; i < self->config.table_len; i++)
		if (get.head.rss_config[i] != self->table[i])
			return false;
	return !memcmp(get.head.rss_config + i, self->key, self->config.key_len);
}

TEST_F(rss, ethtool_shows_key_and_table)
{
	start(self, 4);
	EXPECT_TRUE(is_shown(self));
	self->table[77] = 0;
	self->table[127] = 1;
	self->key[3] = 9;
	ASSERT_EQ(0, nb_endpoint_set_rss(self->nic.ep, &self->config));
	EXPECT_TRUE(is_shown(self));
	self->config.key_len = 200;
	self->config.table_len = 10;
	ASSERT_EQ(0, nb_endpoint_set_rss(self->nic.ep, &self->config));
	EXPECT_TRUE(is_shown(self));
}

TEST_F(rss, the_number_of_queues_changes_and_the_interface_stays)
{
	static const unsigned int numbers[] = { 1, 64, 2, 33, 4, 1 };
	struct nb_endpoint_info info;
	unsigned int i, k;

	ASSERT_EQ(0, nb_endpoint_get_info(self->nic.ep, &info));
	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		start(self, numbers[i]);
		EXPECT_EQ((int)info.ifindex, self->nic.host.ifindex);
		EXPECT_EQ(numbers[i], channels(self->nic.host.name));
		EXPECT_TRUE(is_shown(self));
		for (k = 0; k < 10; k++)
			ASSERT_TRUE(any_flow_comes_right(self));
		nb_link_set_up(self->nic.host.name, false);
		nb_nic_stop(&self->nic);
		ASSERT_EQ(0, nb_endpoint_stop(self->nic.ep));
	}
}

/* ---- what is refused ----------------------------------------------------- */

static int set_with(FIXTURE_DATA(rss) *self, const struct nb_rss_config *config)
{
	int err = nb_endpoint_set_rss(self->nic.ep, config);

	/* A pointer that leads nowhere needs no words of the kernel's. */
	if (err == -EINVAL && strlen(nb_error()) < 10)
		nb_die("refused without a reason: %s", nb_error());
	return err;
}

TEST_F(rss, nonsense_is_refused_and_changes_nothing)
{
	struct nb_rss_config bad;

	start(self, 4);
	self->table[127] = 4;
	EXPECT_EQ(-EINVAL, set_with(self, &self->config));
	self->table[127] = 65535;
	EXPECT_EQ(-EINVAL, set_with(self, &self->config));
	self->table[127] = 3;
	bad = self->config;
	bad.key_len = 0;
	EXPECT_EQ(-EINVAL, set_with(self, &bad));
	bad.key_len = NB_MAX_RSS_KEY_LEN + 1;
	EXPECT_EQ(-EINVAL, set_with(self, &bad));
	bad = self->config;
	bad.table_len = 0;
	EXPECT_EQ(-EINVAL, set_with(self, &bad));
	bad.table_len = TABLE + 1;
	EXPECT_EQ(-EINVAL, set_with(self, &bad));
	bad.table_len = UINT32_MAX;
	EXPECT_EQ(-EINVAL, set_with(self, &bad));
	bad = self->config;
	bad.flags = 1;
	EXPECT_EQ(-EINVAL, set_with(self, &bad));
	bad = self->config;
	bad.reserved = 1;
	EXPECT_EQ(-EINVAL, set_with(self, &bad));
	bad = self->config;
	bad.key = 8;
	EXPECT_EQ(-EFAULT, set_with(self, &bad));
	bad = self->config;
	bad.table = 8;
	EXPECT_EQ(-EFAULT, set_with(self, &bad));
	EXPECT_EQ(-EFAULT, set_with(self, (void *)8));
	EXPECT_TRUE(is_shown(self));
	EXPECT_TRUE(any_flow_comes_right(self));
}

static int set_raw(FIXTURE_DATA(rss) *self, void *rss, uint32_t rss_size, uint32_t flags,
		   uint32_t reserved)
{
	struct nb_set_rss arg = {
		.size = sizeof(arg),
		.flags = flags,
		.rss = (uintptr_t)rss,
		.rss_size = rss_size,
		.reserved = reserved,
	};

	return ioctl(nb_endpoint_fd(self->nic.ep), NB_ENDPOINT_SET_RSS, &arg) ? -errno : 0;
}

TEST_F(rss, sizes_that_are_wrong_are_refused)
{
	struct {
		struct nb_rss_config known;
		uint64_t more;
	} newer;
	const uint32_t size = sizeof(newer.known);

	start(self, 4);
	newer.known = self->config;
	newer.more = 0;
	EXPECT_EQ(0, set_raw(self, &newer, size, 0, 0));
	EXPECT_EQ(0, set_raw(self, &newer, sizeof(newer), 0, 0));
	newer.more = 1;
	EXPECT_EQ(-E2BIG, set_raw(self, &newer, sizeof(newer), 0, 0));
	EXPECT_EQ(-EINVAL, set_raw(self, &newer, size - 1, 0, 0));
	EXPECT_EQ(-EINVAL, set_raw(self, &newer, 0, 0, 0));
	EXPECT_EQ(-E2BIG, set_raw(self, &newer, 1 << 20, 0, 0));
	EXPECT_EQ(-EINVAL, set_raw(self, NULL, size, 0, 0));
	EXPECT_EQ(-EINVAL, set_raw(self, &newer, size, 1, 0));
	EXPECT_EQ(-EINVAL, set_raw(self, &newer, size, 0, 1));
	EXPECT_TRUE(is_shown(self));
	EXPECT_EQ(0, set_raw(self, NULL, 0, 0, 0));
}

TEST_HARNESS_MAIN
