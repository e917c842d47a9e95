// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev as the uplink of a switch: an interface by which the host takes part.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbcapture.h"
#include "nbswitch.h"

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
	unsigned char frame[NB_BUF_SIZE], got[NB_BUF_SIZE];
	uint32_t len = bytes_of(port, plan, frame);
	int vlan;

	return nb_host_receive(host, got, sizeof(got), &vlan) == (ssize_t)len &&
	       !memcmp(frame, got, len) && vlan == plan->beside;
}

static void host_sends(struct nb_host *host, struct nb_port *port, const struct nb_plan *plan)
{
	unsigned char frame[NB_BUF_SIZE];
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

TEST_HARNESS_MAIN
