// SPDX-License-Identifier: GPL-2.0
/*
 * Kind switch: which VLANs pass a port, with a tag or without, wherever the tag is.
 */
#include <string.h>

#include "kselftest_harness.h"
#include "nbswitch.h"

#define N_PORTS		4
#define PRIORITY	(5 << 13)

enum { ALL, ACCESS_10, ACCESS_20, TRUNK };

FIXTURE(vlan)
{
	struct nb_port port[N_PORTS];
};

/* Lets 10 and 30 pass, and 40 without a tag. */
static struct nb_switch_params trunk(void)
{
	struct nb_switch_params params = { .vlan_mode = NB_SWITCH_VLAN_TRUNK, .pvid = 40 };

	params.vlans[10 / 8] |= 1 << 10 % 8;
	params.vlans[30 / 8] |= 1 << 30 % 8;
	params.vlans[40 / 8] |= 1 << 40 % 8;
	return params;
}

FIXTURE_SETUP(vlan)
{
	struct nb_switch_params access = { .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 10 };
	struct nb_switch_params params = trunk();

	nb_port_open(&self->port[ALL], NULL);
	nb_port_join(&self->port[ACCESS_10], &self->port[ALL], &access);
	access.pvid = 20;
	nb_port_join(&self->port[ACCESS_20], &self->port[ALL], &access);
	nb_port_join(&self->port[TRUNK], &self->port[ALL], &params);
}

FIXTURE_TEARDOWN(vlan)
{
	unsigned int i;

	for (i = 0; i < N_PORTS; i++)
		nb_port_close(&self->port[i]);
}

static struct nb_plan tagged(unsigned int from, int inside, int beside)
{
	struct nb_plan plan = nb_plan(from, 0);

	plan.inside = inside;
	plan.beside = beside;
	return plan;
}

TEST_F(vlan, an_access_port_is_in_its_vlan_without_tags)
{
	struct nb_plan plain = tagged(1, NB_NO_VLAN, NB_NO_VLAN);
	struct nb_plan beside = tagged(1, NB_NO_VLAN, 10);

	nb_port_send(&self->port[ACCESS_10], &plain, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[ALL], &beside));
	EXPECT_TRUE(nb_port_gets(&self->port[TRUNK], &beside));
	EXPECT_TRUE(nb_port_silent(&self->port[ACCESS_20]));
}

TEST_F(vlan, a_tag_is_taken_from_beside_a_packet)
{
	struct nb_plan plain = tagged(1, NB_NO_VLAN, NB_NO_VLAN);
	struct nb_plan beside = tagged(1, NB_NO_VLAN, 10 | PRIORITY);

	nb_port_send(&self->port[TRUNK], &beside, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[ACCESS_10], &plain));
	EXPECT_TRUE(nb_port_gets(&self->port[ALL], &beside));
	EXPECT_TRUE(nb_port_silent(&self->port[ACCESS_20]));
}

TEST_F(vlan, a_tag_is_taken_out_of_a_packet)
{
	struct nb_plan plain = tagged(1, NB_NO_VLAN, NB_NO_VLAN);
	struct nb_plan inside = tagged(1, 10 | PRIORITY, NB_NO_VLAN);

	nb_port_send(&self->port[TRUNK], &inside, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[ACCESS_10], &plain));
	EXPECT_TRUE(nb_port_gets(&self->port[ALL], &inside));
	EXPECT_TRUE(nb_port_silent(&self->port[ACCESS_20]));
}

TEST_F(vlan, vlan_0_is_the_port_s_own_and_keeps_its_priority)
{
	struct nb_plan beside = tagged(1, NB_NO_VLAN, 10 | PRIORITY);
	struct nb_plan inside0 = tagged(1, PRIORITY, NB_NO_VLAN);
	struct nb_plan beside0 = tagged(1, NB_NO_VLAN, PRIORITY);

	nb_port_send(&self->port[ACCESS_10], &inside0, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[TRUNK], &beside));
	nb_port_send(&self->port[ACCESS_10], &beside0, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[TRUNK], &beside));
}

TEST_F(vlan, what_is_not_allowed_does_not_come_in)
{
	struct nb_plan twenty = tagged(1, NB_NO_VLAN, 20), inside = tagged(1, 20, NB_NO_VLAN);
	struct nb_plan last = tagged(1, NB_NO_VLAN, 4095);

	nb_port_send(&self->port[ACCESS_10], &twenty, NB_TX_DROPPED);
	nb_port_send(&self->port[ACCESS_10], &inside, NB_TX_DROPPED);
	nb_port_send(&self->port[TRUNK], &twenty, NB_TX_DROPPED);
	nb_port_send(&self->port[ALL], &last, NB_TX_DROPPED);
	EXPECT_TRUE(nb_port_silent(&self->port[ACCESS_20]));
	EXPECT_TRUE(nb_port_silent(&self->port[ALL]));
}

TEST_F(vlan, what_has_no_tag_is_in_no_vlan_of_an_access_port)
{
	struct nb_plan plain = tagged(1, NB_NO_VLAN, NB_NO_VLAN);

	nb_port_send(&self->port[ALL], &plain, NB_TX_OK);
	EXPECT_TRUE(nb_port_silent(&self->port[ACCESS_10]));
	EXPECT_TRUE(nb_port_silent(&self->port[ACCESS_20]));
	EXPECT_TRUE(nb_port_silent(&self->port[TRUNK]));
}

TEST_F(vlan, a_trunk_has_one_vlan_without_a_tag)
{
	struct nb_plan plain = tagged(1, NB_NO_VLAN, NB_NO_VLAN);
	struct nb_plan forty = tagged(1, NB_NO_VLAN, 40), inside = tagged(1, 40, NB_NO_VLAN);

	nb_port_send(&self->port[TRUNK], &plain, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[ALL], &forty));
	nb_port_send(&self->port[ALL], &forty, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[TRUNK], &plain));
	nb_port_send(&self->port[ALL], &inside, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[TRUNK], &plain));
}

TEST_F(vlan, a_station_is_known_in_its_vlan_only)
{
	struct nb_plan hello = tagged(2, NB_NO_VLAN, 30), plan = nb_plan(1, 2);

	nb_port_send(&self->port[TRUNK], &hello, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[ALL], &hello));
	/* Unknown in VLAN 10: flooded to the other ports of it. */
	plan.beside = 10;
	nb_port_send(&self->port[ALL], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[TRUNK], &plan));
	plan.beside = NB_NO_VLAN;
	EXPECT_TRUE(nb_port_gets(&self->port[ACCESS_10], &plan));
	/* And in 30 where it is. */
	plan.beside = 30;
	nb_port_send(&self->port[ALL], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[TRUNK], &plan));
}

TEST_F(vlan, a_second_tag_does_not_come_to_light)
{
	struct nb_plan both = tagged(1, 20, 10), zero = tagged(1, 20, 0);

	/* The outer tag is all that a trunk looks at; no port of VLAN 10 may strip it. */
	nb_port_send(&self->port[TRUNK], &both, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[ALL], &both));
	EXPECT_TRUE(nb_port_silent(&self->port[ACCESS_10]));
	nb_port_send(&self->port[ACCESS_10], &zero, NB_TX_OK);
	EXPECT_TRUE(nb_port_silent(&self->port[ACCESS_20]));
}

TEST_F(vlan, a_tag_that_is_cut_off_is_none)
{
	struct nb_plan plan = tagged(1, 10, NB_NO_VLAN);
	struct nb_tx_segment segment = nb_port_frame(&self->port[ALL], 0, &plan);
	struct nb_tx_completion done;
	uint32_t len;

	for (len = 14; len < 18; len++) {
		segment.len = len;
		segment.packet_len = len;
		nb_ok(nb_queue_tx_avail(self->port[ALL].queue, &segment, 1, NULL));
		ASSERT_EQ(1, nb_tx_reap(self->port[ALL].queue, &done, 1));
		EXPECT_EQ(NB_TX_DROPPED, done.status);
	}
	EXPECT_TRUE(nb_port_silent(&self->port[TRUNK]));
}

TEST_F(vlan, a_tag_is_stripped_from_a_packet_of_many_segments)
{
	struct nb_plan plain = tagged(1, NB_NO_VLAN, NB_NO_VLAN);
	struct nb_plan inside = tagged(1, 10, NB_NO_VLAN);
	struct nb_tx_segment segments[30];
	unsigned int n;

	for (n = 1; n <= ARRAY_LEN(segments); n++) {
		nb_port_frame(&self->port[TRUNK], 0, &inside);
		nb_tx_split(segments, n, NB_TX_GPA, inside.len + 4, 0);
		nb_tx_all(self->port[TRUNK].queue, segments, n);
		ASSERT_TRUE(nb_port_gets(&self->port[ACCESS_10], &plain));
	}
}

TEST_HARNESS_MAIN
