// SPDX-License-Identifier: GPL-2.0
/*
 * Kind switch: whose port is of which switch, who may, and what a port cannot be like.
 */
#include <errno.h>
#include <string.h>

#include <linux/capability.h>

#include "kselftest_harness.h"
#include "nbswitch.h"

FIXTURE(params)
{
	struct nb_guest guest;
};

FIXTURE_SETUP(params)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
}

FIXTURE_TEARDOWN(params)
{
	nb_guest_close(&self->guest);
}

static const struct nb_switch_params sw0 = { .name = "sw0" };

/* Whether a broadcast from one comes to the other. */
static bool connected(struct nb_port *a, struct nb_port *b)
{
	struct nb_plan plan = nb_plan(1, 0);

	nb_port_send(a, &plan, NB_TX_OK);
	return nb_port_drain(b);
}

TEST_F(params, ports_of_one_name_are_of_one_switch)
{
	struct nb_port a, b, c;
	struct nb_switch_params other = { .name = "sw1" };

	nb_port_open(&a, &sw0);
	nb_port_open(&b, &sw0);
	nb_port_open(&c, &other);
	EXPECT_TRUE(connected(&a, &b));
	EXPECT_FALSE(connected(&a, &c));
	nb_port_close(&a);
	nb_port_close(&b);
	nb_port_close(&c);
}

TEST_F(params, private_switches_are_apart)
{
	struct nb_port a, b, c;

	nb_port_open(&a, NULL);
	nb_port_open(&b, NULL);
	nb_port_join(&c, &b, NULL);
	EXPECT_FALSE(connected(&a, &b));
	EXPECT_TRUE(connected(&b, &c));
	nb_port_close(&a);
	/* The switch is that of the ports that are left. */
	nb_port_close(&b);
	nb_port_join(&a, &c, NULL);
	EXPECT_TRUE(connected(&a, &c));
	nb_port_close(&a);
	nb_port_close(&c);
}

TEST_F(params, a_name_is_one_of_the_network_namespace)
{
	struct nb_port a, b;

	nb_port_open(&a, &sw0);
	nb_host_new_netns();
	/* That of the first one may be gone now; its port is not. */
	nb_port_open(&b, &sw0);
	EXPECT_FALSE(connected(&a, &b));
	nb_port_close(&a);
	nb_port_close(&b);
}

TEST_F(params, a_named_switch_asks_for_a_capability_and_a_private_one_does_not)
{
	struct nb_endpoint *named, *first, *second;
	struct nb_switch_params join = { .flags = NB_SWITCH_JOIN };

	ASSERT_EQ(0, nb_port_try(&self->guest, &sw0, &named));
	nb_test_drop_capability(CAP_NET_ADMIN);
	EXPECT_EQ(-EPERM, nb_port_try(&self->guest, &sw0, &second));
	EXPECT_NE(NULL, strstr(nb_error(), "CAP_NET_ADMIN"));
	/* Not by the fd of one of its ports either. */
	join.group_fd = nb_endpoint_fd(named);
	EXPECT_EQ(-EINVAL, nb_port_try(&self->guest, &join, &second));
	ASSERT_EQ(0, nb_port_try(&self->guest, NULL, &first));
	join.group_fd = nb_endpoint_fd(first);
	ASSERT_EQ(0, nb_port_try(&self->guest, &join, &second));
	nb_endpoint_close(second);
	nb_endpoint_close(first);
	nb_endpoint_close(named);
}

static void refuse(struct __test_metadata *_metadata, FIXTURE_DATA(params) *self,
		   struct nb_switch_params params, int err, const char *words)
{
	struct nb_endpoint *ep;

	EXPECT_EQ(err, nb_port_try(&self->guest, &params, &ep)) {
		TH_LOG("%s", words);
	}
	EXPECT_NE(NULL, strstr(nb_error(), words)) {
		TH_LOG("'%s' in: %s", words, nb_error());
	}
}

#define REFUSE(err, words, ...) \
	refuse(_metadata, self, (struct nb_switch_params){ __VA_ARGS__ }, err, words)

TEST_F(params, what_makes_no_sense_is_refused_in_words)
{
	struct nb_endpoint_params params = { .kind = "loopback", .netns_fd = -1 };
	struct nb_endpoint *other;

	ASSERT_EQ(0, nb_endpoint_create(self->guest.nb, &params, &other));
	REFUSE(-EINVAL, "flags", .flags = 1 << 31);
	REFUSE(-EINVAL, "group_fd", .group_fd = 1);
	REFUSE(-EINVAL, "private", .flags = NB_SWITCH_JOIN, .name = "sw0");
	REFUSE(-EBADF, "not an endpoint", .flags = NB_SWITCH_JOIN, .group_fd = -1);
	REFUSE(-EBADF, "not an endpoint", .flags = NB_SWITCH_JOIN, .group_fd = 0);
	REFUSE(-EINVAL, "not a port", .flags = NB_SWITCH_JOIN,
	       .group_fd = nb_endpoint_fd(other));
	REFUSE(-EINVAL, "zero-terminated", .name = "0123456789abcdef");
	REFUSE(-EINVAL, "visible", .name = "a b");
	REFUSE(-EINVAL, "table_size", .table_size = NB_SWITCH_MAX_TABLE + 1);
	REFUSE(-EINVAL, "max_addresses", .max_addresses = NB_SWITCH_MAX_TABLE + 1);
	REFUSE(-EINVAL, "ageing_ms", .ageing_ms = 1u << 31);
	REFUSE(-EINVAL, "reserved", .reserved = 1);
	REFUSE(-EINVAL, "vlan_mode", .vlan_mode = 3);
	REFUSE(-EINVAL, "pvid", .pvid = 1);
	REFUSE(-EINVAL, "vlans", .vlans = { 1 });
	REFUSE(-EINVAL, "pvid", .vlan_mode = NB_SWITCH_VLAN_ACCESS);
	REFUSE(-EINVAL, "pvid", .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 4095);
	REFUSE(-EINVAL, "vlans", .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 1, .vlans = { 2 });
	REFUSE(-EINVAL, "vlans", .vlan_mode = NB_SWITCH_VLAN_TRUNK);
	REFUSE(-EINVAL, "4095", .vlan_mode = NB_SWITCH_VLAN_TRUNK, .vlans[511] = 0x80);
	REFUSE(-EINVAL, "among", .vlan_mode = NB_SWITCH_VLAN_TRUNK, .pvid = 3, .vlans = { 2 });
	REFUSE(-EINVAL, "among", .vlan_mode = NB_SWITCH_VLAN_TRUNK, .pvid = 1, .vlans = { 3 });
	REFUSE(-EINVAL, "among", .vlan_mode = NB_SWITCH_VLAN_TRUNK, .pvid = 0xffff,
	       .vlans = { 2 });
	nb_endpoint_close(other);
}

TEST_F(params, later_ports_cannot_change_the_switch)
{
	struct nb_switch_params first = { .name = "sw0", .table_size = 8, .ageing_ms = 1000 };
	struct nb_endpoint *a, *b;

	ASSERT_EQ(0, nb_port_try(&self->guest, &first, &a));
	REFUSE(-EINVAL, "table_size", .name = "sw0", .table_size = 9);
	REFUSE(-EINVAL, "ageing_ms", .name = "sw0", .ageing_ms = 2000);
	ASSERT_EQ(0, nb_port_try(&self->guest, &first, &b));
	nb_endpoint_close(b);
	ASSERT_EQ(0, nb_port_try(&self->guest, &sw0, &b));
	nb_endpoint_close(b);
	nb_endpoint_close(a);
	/* With the last port, the switch is gone. */
	first.table_size = 9;
	ASSERT_EQ(0, nb_port_try(&self->guest, &first, &a));
	nb_endpoint_close(a);
}

TEST_F(params, a_switch_has_so_many_ports_and_no_more)
{
	struct nb_endpoint *ep[NB_SWITCH_MAX_PORTS], *more;
	unsigned int i;

	nb_test_many_files();
	for (i = 0; i < NB_SWITCH_MAX_PORTS; i++)
		ASSERT_EQ(0, nb_port_try(&self->guest, &sw0, &ep[i]));
	REFUSE(-ENOSPC, "256", .name = "sw0");
	nb_endpoint_close(ep[0]);
	EXPECT_EQ(0, nb_port_try(&self->guest, &sw0, &more));
	nb_endpoint_close(more);
	while (--i)
		nb_endpoint_close(ep[i]);
}

TEST_HARNESS_MAIN
