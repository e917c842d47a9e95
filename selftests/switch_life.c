// SPDX-License-Identifier: GPL-2.0
/*
 * Kind switch: what happens to ports from outside.  The link of one goes down, its
 * frontend is killed, the module is unloaded; and its RSS table changes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbcgroup.h"
#include "nbgenl.h"
#include "nbswitch.h"

#define ROUNDS		20

static const struct nb_switch_params sw0 = { .name = "sw0" };

FIXTURE(switch_life)
{
	struct nb_genl client;
};

FIXTURE_SETUP(switch_life)
{
	nb_host_new_netns();
	nb_test_load_module();
	nb_genl_open(&self->client);
}

FIXTURE_TEARDOWN(switch_life)
{
	nb_genl_close(&self->client);
}

/* ---- the link ------------------------------------------------------------ */

static void set_link(struct nb_genl *client, const struct nb_port *port, uint32_t up)
{
	struct nb_genl_request request = nb_genl_request(client->family, NB_CMD_ENDPOINT_SET,
							 NLM_F_ACK);
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(port->ep, &info));
	nb_genl_add(&request, NB_A_ENDPOINT_ID, &info.id, sizeof(info.id));
	nb_genl_add(&request, NB_A_ENDPOINT_LINK, &up, sizeof(up));
	nb_ok(nb_genl_talk(client, &request, NULL, NULL));
}

TEST_F(switch_life, a_port_whose_link_is_down_gets_and_sends_nothing)
{
	struct nb_plan in = nb_plan(1, 2), out = nb_plan(2, 1), everybody = nb_plan(1, 0);
	struct nb_plan new = nb_plan(3, 0), to_new = nb_plan(1, 3);
	struct nb_port port[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		nb_port_open(&port[i], &sw0);
	nb_port_send(&port[0], &in, NB_TX_OK);
	nb_port_send(&port[1], &out, NB_TX_OK);
	for (i = 0; i < 3; i++)
		nb_port_drain(&port[i]);

	set_link(&self->client, &port[1], 0);
	nb_port_send(&port[0], &in, NB_TX_OK);
	nb_port_send(&port[0], &everybody, NB_TX_OK);
	EXPECT_TRUE(nb_port_silent(&port[1]));
	EXPECT_TRUE(nb_port_gets(&port[2], &everybody));
	nb_port_send(&port[1], &out, NB_TX_DROPPED);
	nb_port_send(&port[1], &new, NB_TX_DROPPED);
	EXPECT_TRUE(nb_port_silent(&port[0]));
	EXPECT_TRUE(nb_port_silent(&port[2]));
	/* Nor is learned what it wanted to send. */
	nb_port_send(&port[0], &to_new, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&port[2], &to_new));

	set_link(&self->client, &port[1], 1);
	nb_port_send(&port[0], &in, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&port[1], &in));
	nb_port_send(&port[1], &out, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&port[0], &out));
	EXPECT_TRUE(nb_port_silent(&port[2]));
	for (i = 0; i < 3; i++)
		nb_port_close(&port[i]);
}

/* ---- RSS ----------------------------------------------------------------- */

/* Of Microsoft's "Verifying the RSS hash calculation". */
static const uint8_t key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct {
	const char *source, *destination;
	uint16_t source_port, port;
	uint32_t hash;
} flows[] = {
	{ "66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178 },
	{ "199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea },
	{ "24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a },
	{ "38.27.205.30", "209.142.163.6", 48228, 2217, 0xafc7327f },
	{ "153.39.163.191", "202.188.127.2", 44251, 1303, 0x10e828a2 },
	{ "3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d },
	{ "3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf },
};

#define N_QUEUES	4
#define TABLE		128

/* Flow i, as TCP, from station 1 to station 2. */
static struct nb_tx_segment put_flow(struct nb_port *port, unsigned int i)
{
	static const uint8_t ip[] = { 0x08, 0x00, 0x45, 0, 0, 86, 0, 0, 0, 0, 64, 6 };
	static const uint8_t ipv6[] = { 0x86, 0xdd, 0x60, 0, 0, 0, 0, 46, 6, 64 };
	struct nb_plan plan = nb_plan(1, 2);
	struct nb_tx_segment segment = nb_port_frame(port, 0, &plan);
	unsigned char *at = nb_guest_ptr(&port->guest, segment.gpa, segment.len);
	uint16_t ports[2] = { htons(flows[i].source_port), htons(flows[i].port) };

	if (strchr(flows[i].source, ':')) {
		memcpy(at + 12, ipv6, sizeof(ipv6));
		inet_pton(AF_INET6, flows[i].source, at + 22);
		inet_pton(AF_INET6, flows[i].destination, at + 38);
		memcpy(at + 54, ports, sizeof(ports));
		return segment;
	}
	memcpy(at + 12, ip, sizeof(ip));
	inet_pton(AF_INET, flows[i].source, at + 26);
	inet_pton(AF_INET, flows[i].destination, at + 30);
	memcpy(at + 34, ports, sizeof(ports));
	return segment;
}

/* The same with two tags in its bytes: the flow is what is behind them. */
static struct nb_tx_segment put_tagged_flow(struct nb_port *port, unsigned int i)
{
	static const unsigned char tags[] = { 0x81, 0x00, 0, 5, 0x81, 0x00, 0, 6 };
	struct nb_tx_segment segment = put_flow(port, i);
	unsigned char *at = nb_guest_ptr(&port->guest, segment.gpa, segment.len + sizeof(tags));

	memmove(at + 12 + sizeof(tags), at + 12, segment.len - 12);
	memcpy(at + 12, tags, sizeof(tags));
	segment.len += sizeof(tags);
	segment.packet_len += sizeof(tags);
	return segment;
}

/* The queue that a packet comes to, with its hash in the metadata. */
static unsigned int comes_to(struct nb_port *sender, const struct nb_tx_segment *segment,
			     struct nb_queue *const *queues, struct nb_bufs *bufs, uint32_t *hash)
{
	struct nb_rx_metadata meta;
	unsigned int k;

	nb_tx_all(sender->queue, segment, 1);
	for (k = 0; k < N_QUEUES; k++) {
		if (!nb_ok(nb_queue_rx_poll(queues[k], &meta, 1)))
			continue;
		nb_bufs_post(bufs, queues[k], meta.id);
		*hash = meta.hash;
		return k;
	}
	nb_die("a packet did not come");
}

/* Sends flow i. */
static unsigned int flow_comes_to(struct nb_port *sender, unsigned int i,
				  struct nb_queue *const *queues, struct nb_bufs *bufs,
				  uint32_t *hash)
{
	struct nb_tx_segment segment = put_flow(sender, i);

	return comes_to(sender, &segment, queues, bufs, hash);
}

TEST_F(switch_life, flows_come_to_the_queues_that_the_table_says)
{
	struct nb_queue_config configs[N_QUEUES] = { 0 };
	struct nb_queue *queues[N_QUEUES];
	struct nb_plan hello = nb_plan(2, 0), other = nb_plan(1, 2);
	uint16_t table[TABLE];
	struct nb_rss_config rss = {
		.key = (uintptr_t)key, .key_len = sizeof(key),
		.table = (uintptr_t)table, .table_len = TABLE,
	};
	struct nb_endpoint *ep;
	struct nb_tx_segment segment;
	struct nb_port sender;
	struct nb_guest guest;
	struct nb_bufs bufs;
	unsigned int i;
	uint32_t hash;

	nb_port_open(&sender, &sw0);
	nb_guest_open(&guest, 0);
	nb_ok(nb_port_try(&guest, &sw0, &ep));
	for (i = 0; i < TABLE; i++)
		table[i] = i * 7 % N_QUEUES;
	for (i = 0; i < N_QUEUES; i++)
		configs[i].target_cpu = NB_ANY_CPU;
	nb_ok(nb_endpoint_get_queues(ep, guest.mem, configs, N_QUEUES, &rss, queues));
	nb_bufs_init(&bufs);
	for (i = 0; i < NB_BUFS; i++)
		nb_bufs_post(&bufs, queues[i % N_QUEUES], i);
	/* Once flooded, once to a station that is known. */
	for (i = 0; i < ARRAY_LEN(flows); i++) {
		EXPECT_EQ(table[flows[i].hash % TABLE],
			  flow_comes_to(&sender, i, queues, &bufs, &hash));
		EXPECT_EQ(flows[i].hash, hash);
	}
	/* One guest's frame, by any of its queues. */
	memcpy(nb_guest_ptr(&guest, NB_TX_GPA, 60), hello.to, 6);
	memcpy(nb_guest_ptr(&guest, NB_TX_GPA + 6, 6), hello.from, 6);
	segment = nb_tx_packet(NB_TX_GPA, 60, 0);
	nb_tx_all(queues[3], &segment, 1);
	nb_port_drain(&sender);
	for (i = 0; i < ARRAY_LEN(flows); i++) {
		EXPECT_EQ(table[flows[i].hash % TABLE],
			  flow_comes_to(&sender, i, queues, &bufs, &hash));
		EXPECT_EQ(flows[i].hash, hash);
	}
	for (i = 0; i < ARRAY_LEN(flows); i++) {
		segment = put_tagged_flow(&sender, i);
		EXPECT_EQ(table[flows[i].hash % TABLE],
			  comes_to(&sender, &segment, queues, &bufs, &hash));
		EXPECT_EQ(flows[i].hash, hash);
	}
	/* Another table, and none; what is not IP has no hash, and comes to the first entry. */
	for (i = 0; i < TABLE; i++)
		table[i] = 2;
	table[0] = 3;
	nb_ok(nb_endpoint_set_rss(ep, &rss));
	segment = nb_port_frame(&sender, 0, &other);
	EXPECT_EQ(3, comes_to(&sender, &segment, queues, &bufs, &hash));
	EXPECT_EQ(0, hash);
	table[0] = 2;
	nb_ok(nb_endpoint_set_rss(ep, &rss));
	for (i = 0; i < ARRAY_LEN(flows); i++)
		EXPECT_EQ(2, flow_comes_to(&sender, i, queues, &bufs, &hash));
	nb_ok(nb_endpoint_set_rss(ep, NULL));
	for (i = 0; i < ARRAY_LEN(flows); i++) {
		flow_comes_to(&sender, i, queues, &bufs, &hash);
		EXPECT_EQ(0, hash);
	}
	for (i = 0; i < N_QUEUES; i++)
		nb_queue_close(queues[i]);
	nb_endpoint_close(ep);
	nb_guest_close(&guest);
	nb_port_close(&sender);
}

/* ---- kill -9 and rmmod --------------------------------------------------- */

static int unload(void)
{
	return syscall(SYS_delete_module, "net_backend", O_NONBLOCK) ? -errno : 0;
}

static void count_message(const struct nlattr *const *attributes, void *data)
{
	++*(unsigned int *)data;
}

static unsigned int count_told(struct nb_genl *client, uint8_t command)
{
	struct nb_genl_request request = nb_genl_request(client->family, command, NLM_F_DUMP);
	unsigned int n = 0;

	nb_ok(nb_genl_talk(client, &request, count_message, &n));
	return n;
}

/* A VMM with two ports, which send to each other and to everybody, until it is killed. */
static void run_frontend(volatile unsigned int *sent)
{
	struct nb_plan plan = nb_plan(10, 11), back = nb_plan(11, 10), all = nb_plan(10, 0);
	struct nb_port port[2];

	nb_port_open(&port[0], &sw0);
	nb_port_open(&port[1], &sw0);
	for (;;) {
		nb_port_send_many(&port[0], &plan, 30);
		nb_port_send_many(&port[1], &back, 30);
		nb_port_send_many(&port[0], &all, 3);
		nb_port_drain(&port[0]);
		nb_port_drain(&port[1]);
		++*sent;
	}
}

static bool live_and_die(struct nb_port *other, volatile unsigned int *sent)
{
	struct nb_plan plan = nb_plan(1, 10);
	pid_t frontend;
	int status;

	*sent = 0;
	frontend = nb_sys(fork());
	if (!frontend)
		run_frontend(sent);
	if (!nb_until(*sent >= 3))
		return false;
	/* Others send to it when it dies. */
	nb_port_send_many(other, &plan, 100);
	nb_sys(kill(frontend, SIGKILL));
	nb_port_send_many(other, &plan, 100);
	nb_sys(waitpid(frontend, &status, 0));
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

TEST_F_TIMEOUT(switch_life, killed_frontends_leave_a_switch_that_works, NB_ROUNDS_TIME)
{
	volatile unsigned int *sent = mmap(NULL, NB_PAGE, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct nb_plan hello = nb_plan(1, 0), unknown = nb_plan(2, 10);
	struct nb_port stays[2];
	unsigned int round, n = nb_rounds(ROUNDS, 280);

	ASSERT_NE(MAP_FAILED, sent);
	nb_port_open(&stays[0], &sw0);
	nb_port_open(&stays[1], &sw0);
	nb_port_send(&stays[0], &hello, NB_TX_OK);
	for (round = 0; round < n; round++) {
		ASSERT_TRUE(live_and_die(&stays[0], sent));
		/* Its ports go with it, and their addresses with them. */
		ASSERT_TRUE(nb_until(count_told(&self->client, NB_CMD_SWITCH_PORT_GET) == 2));
		ASSERT_EQ(1, count_told(&self->client, NB_CMD_SWITCH_FDB_GET));
	}
	nb_port_drain(&stays[0]);
	nb_port_drain(&stays[1]);
	nb_port_send(&stays[1], &unknown, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&stays[0], &unknown));
	nb_port_close(&stays[0]);
	nb_port_close(&stays[1]);
	EXPECT_TRUE(nb_until(!count_told(&self->client, NB_CMD_SWITCH_GET)));
}

TEST_F_TIMEOUT(switch_life, the_module_stays_while_there_are_ports_and_goes_right_after,
	       NB_ROUNDS_TIME)
{
	struct nb_plan plan = nb_plan(1, 2), back = nb_plan(2, 1);
	struct nb_port port[2];
	unsigned int round, n = nb_rounds(ROUNDS, 280);

	if (access("/sys/module/net_backend/initstate", F_OK))
		SKIP(return, "net_backend is not a module");
	/* The example of another module's kind, which other tests may have loaded, holds it. */
	nb_test_run("sh", "-c", "rmmod net_backend_delay 2> /dev/null", NULL);
	for (round = 0; round < n; round++) {
		nb_port_open(&port[0], &sw0);
		nb_port_open(&port[1], &sw0);
		nb_port_send_many(&port[1], &back, 3);
		nb_port_send_many(&port[0], &plan, 100);
		ASSERT_EQ(-EWOULDBLOCK, unload());
		nb_port_close(&port[0]);
		ASSERT_EQ(-EWOULDBLOCK, unload());
		nb_port_send_many(&port[1], &back, 100);
		nb_port_close(&port[1]);
		/* A closed file lets go a little later. */
		ASSERT_TRUE(nb_until(!nb_module_references()));
		ASSERT_EQ(0, unload());
		nb_test_load_module();
	}
}

TEST_HARNESS_MAIN
