// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev as the uplink of a switch: an interface by which the host takes part; what it
 * drops, and what is counted of that.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "nbcapture.h"
#include "nbip.h"
#include "nbswitch.h"
#include "nbxdp.h"

FIXTURE(uplink)
{
	struct nb_guest guest;
	struct nb_endpoint *ep;
	struct nb_host host;
	struct nb_port port[2];
};

static int create(struct nb_guest *guest, const char *name,
		  const struct nb_netdev_params *netdev, struct nb_endpoint **ep)
{
	struct nb_endpoint_params params = {
		.kind = "netdev",
		.name = name,
		.netns_fd = -1,
		.kind_params = netdev,
		.kind_params_size = sizeof(*netdev),
	};

	return nb_endpoint_create(guest->nb, &params, ep);
}

static const struct nb_netdev_params of_sw0 = {
	.flags = NB_NETDEV_UPLINK, .port.name = "sw0",
};

static const struct nb_switch_params sw0 = { .name = "sw0" };

FIXTURE_SETUP(uplink)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_ok(create(&self->guest, "up0", &of_sw0, &self->ep));
	nb_port_open(&self->port[0], &sw0);
	nb_port_open(&self->port[1], &sw0);
	nb_host_open(&self->host, if_nametoindex("up0"));
}

FIXTURE_TEARDOWN(uplink)
{
	nb_host_close(&self->host);
	nb_port_close(&self->port[0]);
	nb_port_close(&self->port[1]);
	nb_endpoint_close(self->ep);
	nb_guest_close(&self->guest);
}

/* The bytes of a frame that a port sends. */
static uint32_t bytes_of(struct nb_port *port, const struct nb_plan *plan, void *frame)
{
	struct nb_tx_segment segment = nb_port_frame(port, 1, plan);

	memcpy(frame, nb_guest_ptr(&port->guest, segment.gpa, segment.len), segment.len);
	return segment.len;
}

static bool host_gets(struct nb_host *host, struct nb_port *port, const struct nb_plan *plan)
{
	unsigned char frame[NB_BUF_SIZE + 8], got[NB_BUF_SIZE + 8];
	uint32_t len = bytes_of(port, plan, frame);
	int vlan;

	return nb_host_receive(host, got, sizeof(got), &vlan) == (ssize_t)len &&
	       !memcmp(frame, got, len) && vlan == plan->beside;
}

static void host_sends(struct nb_host *host, struct nb_port *port, const struct nb_plan *plan)
{
	unsigned char frame[NB_BUF_SIZE + 8];
	uint32_t len = bytes_of(port, plan, frame);

	nb_host_send(host, frame, len);
}

TEST_F(uplink, carries_packets_both_ways)
{
	struct nb_plan up = nb_plan(1, 9), down = nb_plan(9, 1);

	for (up.len = 60; up.len < 1500; up.len += 97) {
		nb_port_send(&self->port[0], &up, NB_TX_OK);
		ASSERT_TRUE(host_gets(&self->host, &self->port[0], &up));
		nb_port_drain(&self->port[1]);
		down.len = up.len;
		host_sends(&self->host, &self->port[0], &down);
		ASSERT_TRUE(nb_port_gets(&self->port[0], &down));
	}
	/* The host's station is known now, and so is the guest's. */
	EXPECT_TRUE(nb_port_silent(&self->port[1]));
	nb_port_send(&self->port[0], &up, NB_TX_OK);
	EXPECT_TRUE(nb_port_silent(&self->port[1]));
}

TEST_F(uplink, gets_nothing_that_is_between_guests)
{
	struct nb_plan hello = nb_plan(2, 0), plan = nb_plan(1, 2);

	nb_port_send(&self->port[1], &hello, NB_TX_OK);
	ASSERT_TRUE(host_gets(&self->host, &self->port[1], &hello));
	nb_port_drain(&self->port[0]);
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
	EXPECT_TRUE(nb_host_silent(&self->host));
}

TEST_F(uplink, floods_what_the_host_broadcasts)
{
	struct nb_plan plan = nb_plan(9, 0);

	host_sends(&self->host, &self->port[0], &plan);
	EXPECT_TRUE(nb_port_gets(&self->port[0], &plan));
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
}

TEST_F(uplink, carries_tags)
{
	struct nb_switch_params access = {
		.name = "sw0", .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 10,
	};
	struct nb_plan plain = nb_plan(1, 0), tagged = nb_plan(1, 0), inside = nb_plan(9, 0);
	struct nb_port port;

	nb_port_open(&port, &access);
	nb_port_send(&port, &plain, NB_TX_OK);
	tagged.beside = 10;
	EXPECT_TRUE(host_gets(&self->host, &port, &tagged));
	nb_port_drain(&self->port[0]);
	/* From the host, a tag in the bytes of the packet. */
	inside.inside = 10;
	host_sends(&self->host, &port, &inside);
	inside.inside = NB_NO_VLAN;
	EXPECT_TRUE(nb_port_gets(&port, &inside));
	inside.beside = 10;
	EXPECT_TRUE(nb_port_gets(&self->port[0], &inside));
	nb_port_close(&port);
}

TEST_F(uplink, is_the_only_one_and_has_no_queues)
{
	const struct nb_create_capture capture = {
		.flags = NB_CAPTURE_TX, .queue = NB_ANY_QUEUE,
	};
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_netdev_params bad = of_sw0;
	struct nb_endpoint *ep;
	struct nb_queue *queue;

	EXPECT_EQ(-EEXIST, create(&self->guest, "up1", &of_sw0, &ep));
	EXPECT_NE(NULL, strstr(nb_error(), "uplink"));
	EXPECT_EQ(-EOPNOTSUPP, nb_endpoint_get_queues(self->ep, self->guest.mem, &config, 1, NULL,
						      &queue));
	EXPECT_NE(NULL, strstr(nb_error(), "no queues"));
	EXPECT_EQ(-EOPNOTSUPP, nb_capture_try(self->ep, capture));
	EXPECT_NE(NULL, strstr(nb_capture_message, "tcpdump"));
	bad.flags = 2;
	EXPECT_EQ(-EINVAL, create(&self->guest, "up1", &bad, &ep));
	bad = of_sw0;
	bad.reserved = 1;
	EXPECT_EQ(-EINVAL, create(&self->guest, "up1", &bad, &ep));
	bad = of_sw0;
	bad.port.vlan_mode = 9;
	EXPECT_EQ(-EINVAL, create(&self->guest, "up1", &bad, &ep));
	/* What could not be made has left nothing behind. */
	nb_endpoint_close(self->ep);
	EXPECT_EQ(-EEXIST, create(&self->guest, "lo", &of_sw0, &ep));
	ASSERT_EQ(0, create(&self->guest, "up1", &of_sw0, &self->ep));
}

TEST_F_TIMEOUT(uplink, tcp_passes_between_three_guests_and_the_world_behind_a_bridge, 600)
{
	nb_host_close(&self->host);
	/* The ports of the fixture take nothing: they are in nobody's way. */
	EXPECT_EQ(0, nb_test_run("bash", "./switch_tcp.sh", NULL));
}

#define NETCONSOLE	"/sys/kernel/config/netconsole"

static bool takes_netconsole(const char *interface)
{
	bool takes;

	nb_sys(mkdir(NETCONSOLE "/test", 0755));
	nb_test_set(NETCONSOLE "/test/dev_name", interface);
	nb_test_set(NETCONSOLE "/test/local_ip", "192.0.2.1");
	nb_test_set(NETCONSOLE "/test/remote_ip", "192.0.2.2");
	takes = nb_test_write(NETCONSOLE "/test/enabled", "1");
	if (takes)
		nb_test_set(NETCONSOLE "/test/enabled", "0");
	nb_sys(rmdir(NETCONSOLE "/test"));
	return takes;
}

/* Which sends in any interrupt, also while a packet on the switch holds a port's lock. */
TEST_F(uplink, takes_no_netconsole)
{
	if (nb_test_run("sh", "-c", "modprobe -q netconsole; test -d " NETCONSOLE " || "
			"mount -t configfs none /sys/kernel/config && test -d " NETCONSOLE, NULL))
		SKIP(return, "the kernel has no netconsole that can be changed");
	nb_host_run("ip link add any type dummy");
	nb_host_run("ip link set any up");
	EXPECT_TRUE(takes_netconsole("any"));
	EXPECT_FALSE(takes_netconsole("up0"));
}

TEST_F(uplink, goes_and_the_guests_go_on)
{
	struct nb_plan plan = nb_plan(1, 0);
	struct nb_endpoint_info info;

	nb_link_delete(if_nametoindex("up0"));
	EXPECT_EQ(-ENODEV, nb_endpoint_get_info(self->ep, &info));
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
}

TEST_F(uplink, its_namespace_goes_and_the_guests_go_on)
{
	struct nb_plan plan = nb_plan(1, 0);
	struct nb_endpoint_info info;

	nb_host_close(&self->host);
	nb_host_new_netns();
	EXPECT_TRUE(nb_until(nb_endpoint_get_info(self->ep, &info) == -ENODEV));
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
}

/* ---- counters ------------------------------------------------------------ */

/* The uplink, and the ports behind it; that what counts drops begins with 0. */
enum { UPLINK = 2 };

struct counters {
	struct nb_genl client;
	struct nb_trace trace;
	uint32_t id[3];
};

static uint32_t id_of(struct nb_endpoint *ep)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(ep, &info));
	return info.id;
}

static void open_counters(FIXTURE_DATA(uplink) *self, struct counters *counters)
{
	nb_genl_open(&counters->client);
	nb_trace_open(&counters->trace);
	counters->id[0] = id_of(self->port[0].ep);
	counters->id[1] = id_of(self->port[1].ep);
	counters->id[UPLINK] = id_of(self->ep);
}

static void close_counters(struct counters *counters)
{
	nb_genl_close(&counters->client);
	nb_trace_close(&counters->trace);
}

static bool drops_are(struct counters *counters, unsigned int port, int reason, uint64_t n)
{
	return nb_port_drops_are(&counters->client, &counters->trace, counters->id[port], reason,
				 n);
}

/* Another uplink instead, which is like that; nothing has been sent by it. */
static void open_anew(FIXTURE_DATA(uplink) *self, const struct nb_switch_params *port,
		      struct counters *counters)
{
	struct nb_netdev_params netdev = { .flags = NB_NETDEV_UPLINK, .port = *port };

	strcpy(netdev.port.name, "sw0");
	nb_host_close(&self->host);
	nb_endpoint_close(self->ep);
	nb_ok(create(&self->guest, "up0", &netdev, &self->ep));
	nb_host_open(&self->host, if_nametoindex("up0"));
	open_counters(self, counters);
}

static bool nothing_arrives(FIXTURE_DATA(uplink) *self)
{
	return nb_port_silent(&self->port[0]) && nb_port_silent(&self->port[1]);
}

TEST_F(uplink, counts_what_may_not_come_in_by_its_vlan)
{
	struct nb_switch_params access = { .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 10 };
	static const unsigned char cut_off[16] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x81, 0x00, 0, 10,
	};
	struct nb_plan plan = nb_plan(9, 0);
	struct counters counters;

	open_anew(self, &access, &counters);
	plan.inside = 20;
	host_sends(&self->host, &self->port[0], &plan);
	nb_host_send(&self->host, cut_off, sizeof(cut_off));
	EXPECT_TRUE(nothing_arrives(self));
	EXPECT_TRUE(drops_are(&counters, UPLINK, NB_A_DROP_VLAN, 2));
	EXPECT_EQ(2, nb_link_get_drops("up0").tx);
	plan.inside = NB_NO_VLAN;
	host_sends(&self->host, &self->port[0], &plan);
	plan.beside = 10;
	EXPECT_TRUE(nb_port_gets(&self->port[0], &plan));
	EXPECT_EQ(2, nb_link_get_drops("up0").tx);
	close_counters(&counters);
}

TEST_F(uplink, counts_what_hides_a_tag_from_an_access_port)
{
	struct nb_switch_params access = {
		.name = "sw0", .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 10,
	};
	unsigned char frame[NB_BUF_SIZE];
	struct nb_plan plan = nb_plan(9, 0);
	struct counters counters;
	struct nb_port port;
	uint32_t len;

	nb_port_open(&port, &access);
	open_counters(self, &counters);
	plan.inside = 20;
	/* One more tag in front of it. */
	len = bytes_of(&self->port[0], &plan, frame);
	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, "\x81\x00\x00\x0a", 4);
	nb_host_send(&self->host, frame, len + 4);
	EXPECT_TRUE(nb_port_silent(&port));
	EXPECT_EQ(1, nb_port_drain(&self->port[0]));
	EXPECT_TRUE(drops_are(&counters, UPLINK, NB_A_DROP_VLAN, 1));
	nb_port_close(&port);
	close_counters(&counters);
}

TEST_F(uplink, counts_senders_that_are_not_one_station)
{
	struct nb_plan plan = nb_plan(9, 0);
	struct counters counters;

	open_counters(self, &counters);
	plan.from[0] |= 1;
	host_sends(&self->host, &self->port[0], &plan);
	memset(plan.from, 0, sizeof(plan.from));
	host_sends(&self->host, &self->port[0], &plan);
	EXPECT_TRUE(nothing_arrives(self));
	EXPECT_TRUE(drops_are(&counters, UPLINK, NB_A_DROP_SOURCE, 2));
	EXPECT_EQ(2, nb_link_get_drops("up0").tx);
	close_counters(&counters);
}

TEST_F(uplink, counts_what_is_above_a_limit)
{
	struct nb_switch_params none = { .unknown_limit = NB_SWITCH_FLOOD_NONE };
	struct nb_plan unknown = nb_plan(9, 77), everybody = nb_plan(9, 0);
	struct counters counters;
	unsigned int i;

	open_anew(self, &none, &counters);
	for (i = 0; i < 3; i++)
		host_sends(&self->host, &self->port[0], &unknown);
	EXPECT_TRUE(nothing_arrives(self));
	host_sends(&self->host, &self->port[0], &everybody);
	EXPECT_TRUE(nb_port_gets(&self->port[0], &everybody));
	EXPECT_TRUE(drops_are(&counters, UPLINK, NB_A_DROP_FLOOD_LIMIT, 3));
	EXPECT_EQ(3, nb_link_get_drops("up0").tx);
	close_counters(&counters);
}

TEST_F(uplink, counts_what_is_for_the_host_itself)
{
	struct nb_plan hello = nb_plan(9, 0), plan = nb_plan(8, 9);
	struct counters counters;

	open_counters(self, &counters);
	host_sends(&self->host, &self->port[0], &hello);
	nb_port_drain(&self->port[0]);
	nb_port_drain(&self->port[1]);
	host_sends(&self->host, &self->port[0], &plan);
	EXPECT_TRUE(nothing_arrives(self));
	EXPECT_TRUE(drops_are(&counters, UPLINK, NB_A_DROP_SAME_PORT, 1));
	EXPECT_EQ(1, nb_link_get_drops("up0").tx);
	close_counters(&counters);
}

TEST_F(uplink, counts_what_it_is_isolated_from)
{
	struct nb_switch_params isolated = { .name = "sw0", .flags = NB_SWITCH_ISOLATED };
	struct nb_plan hello = nb_plan(3, 0), plan = nb_plan(9, 3), everybody = nb_plan(9, 0);
	struct counters counters;
	struct nb_port port;

	nb_port_open(&port, &isolated);
	open_anew(self, &isolated, &counters);
	nb_port_send(&port, &hello, NB_TX_OK);
	host_sends(&self->host, &self->port[0], &plan);
	host_sends(&self->host, &self->port[0], &everybody);
	EXPECT_TRUE(nb_port_silent(&port));
	EXPECT_TRUE(nb_port_gets(&self->port[0], &hello));
	EXPECT_TRUE(nb_port_gets(&self->port[0], &everybody));
	EXPECT_TRUE(drops_are(&counters, UPLINK, NB_A_DROP_ISOLATED, 1));
	EXPECT_EQ(1, nb_link_get_drops("up0").tx);
	nb_port_close(&port);
	close_counters(&counters);
}

/* Of the port that has none; the interface has sent them. */
TEST_F(uplink, counts_what_finds_no_buffer)
{
	struct nb_plan hello = nb_plan(1, 0), plan = nb_plan(9, 1);
	struct counters counters;
	unsigned int i;

	open_counters(self, &counters);
	nb_port_send(&self->port[0], &hello, NB_TX_OK);
	for (i = 0; i < NB_BUFS + 4; i++)
		host_sends(&self->host, &self->port[0], &plan);
	EXPECT_TRUE(drops_are(&counters, 0, NB_A_DROP_NO_BUFFER, 4));
	EXPECT_EQ(NB_BUFS, nb_port_drain(&self->port[0]));
	EXPECT_EQ(0, nb_link_get_drops("up0").tx);
	close_counters(&counters);
}

TEST_F(uplink, counts_what_is_too_long_for_a_buffer)
{
	struct nb_plan hello = nb_plan(1, 0), plan = nb_plan(9, 1);
	struct counters counters;

	open_counters(self, &counters);
	nb_port_send(&self->port[0], &hello, NB_TX_OK);
	if (nb_xdp_set_mtu("up0", NB_BUF_SIZE))
		nb_die("the interface does not take an MTU of %u", NB_BUF_SIZE);
	plan.len = NB_BUF_SIZE + 1;
	host_sends(&self->host, &self->port[0], &plan);
	plan.len = NB_BUF_SIZE;
	host_sends(&self->host, &self->port[0], &plan);
	EXPECT_TRUE(nb_port_gets(&self->port[0], &plan));
	EXPECT_TRUE(drops_are(&counters, 0, NB_A_DROP_TOO_SMALL, 1));
	EXPECT_EQ(0, nb_link_get_drops("up0").tx);
	close_counters(&counters);
}

TEST_F(uplink, counts_what_finds_no_queue_or_a_link_that_is_down)
{
	struct nb_plan hello = nb_plan(1, 0), known = nb_plan(9, 1), everybody = nb_plan(9, 0);
	struct counters counters;
	char line[64];

	open_counters(self, &counters);
	nb_port_send(&self->port[0], &hello, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &hello));
	snprintf(line, sizeof(line), "nbctl link %u down", counters.id[0]);
	nb_host_run(line);
	host_sends(&self->host, &self->port[0], &known);
	host_sends(&self->host, &self->port[0], &everybody);
	EXPECT_TRUE(drops_are(&counters, 0, NB_A_DROP_DOWN, 2));
	nb_queue_close(self->port[0].queue);
	self->port[0].queue = NULL;
	host_sends(&self->host, &self->port[1], &known);
	host_sends(&self->host, &self->port[1], &everybody);
	EXPECT_TRUE(drops_are(&counters, 0, NB_A_DROP_DOWN, 4));
	EXPECT_EQ(0, nb_link_get_drops("up0").tx);
	EXPECT_EQ(2, nb_port_drain(&self->port[1]));
	close_counters(&counters);
}

/*
 * The stack sends nothing to an interface without a carrier, once it has noted that; who
 * redirects frames there does not ask.
 */
TEST_F(uplink, counts_what_the_host_sends_while_the_link_is_down)
{
	int map = nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 1);
	struct nb_plan plan = nb_plan(9, 0);
	struct counters counters;
	struct nb_host far;
	struct nb_pair pair;
	unsigned int i;

	nb_pair_add(&pair);
	nb_host_open_socket(&far, pair.far_index);
	nb_bpf_map_set(map, 0, if_nametoindex("up0"));
	nb_bpf_attach_generic(pair.lower_index, nb_xdp_redirects(map));
	open_counters(self, &counters);
	host_sends(&far, &self->port[0], &plan);
	EXPECT_TRUE(nb_port_gets(&self->port[0], &plan));
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
	nb_host_run("nbctl link up0 down");
	for (i = 0; i < 3; i++)
		host_sends(&far, &self->port[0], &plan);
	EXPECT_TRUE(nb_until(nb_link_get_drops("up0").tx == 3));
	EXPECT_EQ(3, nb_trace_sum(&counters.trace, "nb_drop", " direction=tx reason=LINK_DOWN ",
				  "packets"));
	EXPECT_TRUE(nothing_arrives(self));
	EXPECT_TRUE(drops_are(&counters, UPLINK, 0, 0));
	nb_host_close(&far);
	close_counters(&counters);
}

TEST_F(uplink, counts_what_guests_send_while_the_interface_is_down)
{
	struct nb_plan plan = nb_plan(1, 0);
	struct counters counters;

	open_counters(self, &counters);
	nb_link_set_up("up0", false);
	nb_port_send_many(&self->port[0], &plan, 5);
	EXPECT_EQ(5, nb_port_drain(&self->port[1]));
	EXPECT_TRUE(drops_are(&counters, UPLINK, NB_A_DROP_DOWN, 5));
	close_counters(&counters);
}

TEST_HARNESS_MAIN
