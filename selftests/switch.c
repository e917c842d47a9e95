// SPDX-License-Identifier: GPL-2.0
/*
 * Kind switch: learning, ageing, the table's end, flooding and its limits, isolation,
 * and receivers that do not receive.  What is sent has arrived when its transmit ends.
 */
#include <string.h>

#include "kselftest_harness.h"
#include "nbswitch.h"

#define N_PORTS		3

FIXTURE(switch)
{
	struct nb_port port[N_PORTS];
	unsigned int n;
};

FIXTURE_SETUP(switch)
{
	self->n = 0;
}

FIXTURE_TEARDOWN(switch)
{
	while (self->n)
		nb_port_close(&self->port[--self->n]);
}

/* Ports 0, 1, 2 of a private switch; params of each may be NULL. */
static void open_ports(struct __test_metadata *_metadata, FIXTURE_DATA(switch) *self,
		       const struct nb_switch_params *first,
		       const struct nb_switch_params *others)
{
	nb_port_open(&self->port[self->n++], first);
	while (self->n < N_PORTS) {
		nb_port_join(&self->port[self->n], &self->port[0], others);
		self->n++;
	}
}

#define open_all(first, others)	open_ports(_metadata, self, first, others)

/* The switch gets to know the station. */
static void introduce(FIXTURE_DATA(switch) *self, unsigned int port, unsigned int station)
{
	struct nb_plan plan = nb_plan(station, 0);
	unsigned int i;

	nb_port_send(&self->port[port], &plan, NB_TX_OK);
	for (i = 0; i < N_PORTS; i++)
		nb_port_drain(&self->port[i]);
}

/* ---- learning ------------------------------------------------------------ */

TEST_F(switch, floods_what_it_does_not_know)
{
	struct nb_plan plan = nb_plan(1, 2);

	open_all(NULL, NULL);
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
	EXPECT_TRUE(nb_port_gets(&self->port[2], &plan));
	EXPECT_TRUE(nb_port_silent(&self->port[0]));
}

TEST_F(switch, sends_to_the_port_where_the_station_is)
{
	struct nb_plan plan = nb_plan(1, 2);

	open_all(NULL, NULL);
	introduce(self, 1, 2);
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
	EXPECT_TRUE(nb_port_silent(&self->port[2]));
}

TEST_F(switch, follows_a_station_to_another_port)
{
	struct nb_plan plan = nb_plan(1, 2);

	open_all(NULL, NULL);
	introduce(self, 1, 2);
	introduce(self, 2, 2);
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[2], &plan));
	EXPECT_TRUE(nb_port_silent(&self->port[1]));
}

TEST_F(switch, sends_nothing_back_to_where_it_came_from)
{
	struct nb_plan plan = nb_plan(1, 2);

	open_all(NULL, NULL);
	introduce(self, 0, 2);
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_silent(&self->port[0]));
	EXPECT_TRUE(nb_port_silent(&self->port[1]));
}

TEST_F(switch, carries_every_length_in_any_number_of_segments)
{
	struct nb_plan plan = nb_plan(1, 2);
	struct nb_tx_segment segments[8];
	unsigned int n;

	open_all(NULL, NULL);
	introduce(self, 1, 2);
	for (plan.len = 14; plan.len <= 2048; plan.len += plan.len < 70 ? 1 : 61) {
		nb_port_frame(&self->port[0], 0, &plan);
		n = 1 + plan.len % ARRAY_LEN(segments);
		nb_tx_split(segments, n, NB_TX_GPA, plan.len, 0);
		nb_tx_all(self->port[0].queue, segments, n);
		ASSERT_TRUE(nb_port_gets(&self->port[1], &plan));
	}
}

TEST_F(switch, keeps_the_order_of_what_it_floods_and_what_it_knows)
{
	struct nb_tx_segment segments[60];
	struct nb_plan plan[60];
	unsigned int i;

	open_all(NULL, NULL);
	introduce(self, 1, 2);
	for (i = 0; i < ARRAY_LEN(plan); i++) {
		plan[i] = nb_plan(1, i % 5 == 1 ? 0 : i % 5 == 3 ? 9 : 2);
		plan[i].seed = i;
		segments[i] = nb_port_frame(&self->port[0], i, &plan[i]);
	}
	nb_tx_all(self->port[0].queue, segments, ARRAY_LEN(segments));
	for (i = 0; i < ARRAY_LEN(plan); i++)
		ASSERT_TRUE(nb_port_gets(&self->port[1], &plan[i]));
}

TEST_F(switch, refuses_senders_that_are_not_one_station)
{
	struct nb_plan group = nb_plan(1, 0), zero = nb_plan(0, 0);

	open_all(NULL, NULL);
	group.from[0] |= 1;
	memset(zero.from, 0, sizeof(zero.from));
	nb_port_send(&self->port[0], &group, NB_TX_DROPPED);
	nb_port_send(&self->port[0], &zero, NB_TX_DROPPED);
	EXPECT_TRUE(nb_port_silent(&self->port[1]));
}

TEST_F(switch, forgets_a_station_that_is_silent)
{
	struct nb_switch_params params = { .ageing_ms = 1 };
	struct nb_plan plan = nb_plan(1, 2);

	open_all(&params, NULL);
	introduce(self, 1, 2);
	/* Others get it once the station counts as unknown. */
	EXPECT_TRUE(nb_until(({
		nb_port_send(&self->port[0], &plan, NB_TX_OK);
		nb_port_drain(&self->port[1]);
		nb_port_drain(&self->port[2]);
	})));
}

TEST_F(switch, forgets_the_stations_of_a_port_that_goes)
{
	struct nb_plan plan = nb_plan(1, 2);

	open_all(NULL, NULL);
	introduce(self, 2, 2);
	nb_port_close(&self->port[--self->n]);
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
}

/* Which of the stations from 2 on, that port 1 has introduced, are known. */
static unsigned int count_known(FIXTURE_DATA(switch) *self, unsigned int n)
{
	unsigned int station, known = 0;
	struct nb_plan plan;

	for (station = 2; station < 2 + n; station++) {
		plan = nb_plan(1, station);
		nb_port_send(&self->port[0], &plan, NB_TX_OK);
		nb_port_drain(&self->port[1]);
		known += nb_port_silent(&self->port[2]);
	}
	return known;
}

TEST_F(switch, learns_no_more_than_its_table_holds)
{
	struct nb_switch_params params = { .table_size = 8 };
	unsigned int i;

	open_all(&params, NULL);
	introduce(self, 0, 1);
	for (i = 0; i < 20; i++)
		introduce(self, 1, 2 + i);
	EXPECT_EQ(7, count_known(self, 20));
}

TEST_F(switch, learns_no_more_than_the_port_may_have)
{
	struct nb_switch_params params = { .max_addresses = 3 };
	unsigned int i;

	open_all(NULL, &params);
	for (i = 0; i < 20; i++)
		introduce(self, 1, 2 + i);
	EXPECT_EQ(3, count_known(self, 20));
}

TEST_F(switch, makes_room_for_new_stations_out_of_old_ones)
{
	struct nb_switch_params params = { .table_size = 2, .ageing_ms = 1 };
	struct nb_plan plan = nb_plan(1, 9);

	open_all(&params, NULL);
	introduce(self, 1, 2);
	introduce(self, 1, 3);
	EXPECT_TRUE(nb_until(({
		introduce(self, 1, 9);
		nb_port_send(&self->port[0], &plan, NB_TX_OK);
		nb_port_drain(&self->port[1]) && nb_port_silent(&self->port[2]);
	})));
}

/* ---- flooding ------------------------------------------------------------ */

TEST_F(switch, floods_no_more_than_the_limit)
{
	struct nb_switch_params params = { .broadcast_limit = 10 };
	struct nb_plan plan = nb_plan(1, 0);
	unsigned int n;

	open_all(&params, NULL);
	nb_port_send_many(&self->port[0], &plan, 100);
	n = nb_port_drain(&self->port[1]);
	EXPECT_GE(n, 10);
	EXPECT_LT(n, 100);
	EXPECT_EQ(n, nb_port_drain(&self->port[2]));
}

TEST_F(switch, floods_as_many_again_when_time_has_passed)
{
	struct nb_switch_params params = { .broadcast_limit = 10 };
	struct nb_plan plan = nb_plan(1, 0);

	open_all(&params, NULL);
	nb_port_send_many(&self->port[0], &plan, 100);
	nb_port_drain(&self->port[1]);
	EXPECT_TRUE(nb_until(({
		nb_port_send(&self->port[0], &plan, NB_TX_OK);
		nb_port_drain(&self->port[1]);
	})));
}

TEST_F(switch, limits_and_floods_each_sort_of_a_batch_as_it_is)
{
	struct nb_switch_params params = { .multicast_limit = NB_SWITCH_FLOOD_NONE };
	struct nb_plan plans[4] = { nb_plan(1, 0), nb_plan(1, 8), nb_plan(1, 9), nb_plan(1, 0) };
	struct nb_tx_segment segments[4];
	unsigned int i;

	open_all(&params, NULL);
	plans[2].to[0] |= 1;
	plans[3].beside = 5;
	for (i = 0; i < 4; i++)
		segments[i] = nb_port_frame(&self->port[0], i, &plans[i]);
	nb_tx_all(self->port[0].queue, segments, 4);
	for (i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		EXPECT_TRUE(nb_port_gets(&self->port[1], &plans[i]));
		EXPECT_TRUE(nb_port_gets(&self->port[2], &plans[i]));
	}
	EXPECT_TRUE(nb_port_silent(&self->port[1]));
}

TEST_F(switch, limits_each_sort_of_flooding_alone)
{
	struct nb_plan broadcast = nb_plan(1, 0), unknown = nb_plan(1, 9), group = nb_plan(1, 9);
	struct nb_switch_params params = { .multicast_limit = NB_SWITCH_FLOOD_NONE };

	group.to[0] |= 1;
	open_all(&params, NULL);
	nb_port_send(&self->port[0], &group, NB_TX_OK);
	EXPECT_TRUE(nb_port_silent(&self->port[1]));
	nb_port_send(&self->port[0], &broadcast, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &broadcast));
	nb_port_send(&self->port[0], &unknown, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &unknown));
	/* Of one port, not of the others. */
	nb_port_send(&self->port[1], &group, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[0], &group));
}

TEST_F(switch, limits_nothing_that_it_knows)
{
	struct nb_switch_params params = { .unknown_limit = NB_SWITCH_FLOOD_NONE };
	struct nb_plan known = nb_plan(1, 2), unknown = nb_plan(1, 9);

	open_all(&params, NULL);
	introduce(self, 1, 2);
	nb_port_send(&self->port[0], &unknown, NB_TX_OK);
	nb_port_send(&self->port[0], &known, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &known));
}

TEST_F(switch, isolates_ports_from_each_other_but_not_from_others)
{
	struct nb_switch_params params = { .flags = NB_SWITCH_ISOLATED };
	struct nb_plan everybody = nb_plan(2, 0), unicast = nb_plan(2, 3), up = nb_plan(2, 1);

	open_all(NULL, &params);
	introduce(self, 2, 3);
	introduce(self, 0, 1);
	nb_port_send(&self->port[1], &everybody, NB_TX_OK);
	nb_port_send(&self->port[1], &unicast, NB_TX_OK);
	EXPECT_TRUE(nb_port_silent(&self->port[2]));
	EXPECT_TRUE(nb_port_gets(&self->port[0], &everybody));
	nb_port_send(&self->port[1], &up, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[0], &up));
	everybody = nb_plan(1, 0);
	nb_port_send(&self->port[0], &everybody, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &everybody));
	EXPECT_TRUE(nb_port_gets(&self->port[2], &everybody));
}

/* ---- one batch ----------------------------------------------------------- */

#define MANY	40

TEST_F(switch, a_batch_for_many_stations_comes_to_each)
{
	struct nb_tx_segment segments[MANY];
	static struct nb_port ports[MANY];
	struct nb_plan plans[MANY];
	unsigned int i;

	open_all(NULL, NULL);
	for (i = 0; i < MANY; i++) {
		plans[i] = nb_plan(100 + i, 0);
		nb_port_join(&ports[i], &self->port[0], NULL);
		nb_port_send(&ports[i], &plans[i], NB_TX_OK);
	}
	for (i = 0; i < MANY; i++) {
		nb_port_drain(&ports[i]);
		plans[i] = nb_plan(1, 100 + i);
		segments[i] = nb_port_frame(&self->port[0], i, &plans[i]);
	}
	nb_tx_all(self->port[0].queue, segments, MANY);
	for (i = 0; i < MANY; i++) {
		EXPECT_TRUE(nb_port_gets(&ports[i], &plans[i]));
		EXPECT_TRUE(nb_port_silent(&ports[i]));
	}
	for (i = 0; i < MANY; i++)
		nb_port_close(&ports[i]);
}

/* ---- receivers ----------------------------------------------------------- */

TEST_F(switch, a_receiver_without_buffers_stalls_nobody)
{
	struct nb_plan everybody = nb_plan(1, 0), unicast = nb_plan(1, 2);
	unsigned int i, taken = NB_BUFS;

	open_all(NULL, NULL);
	introduce(self, 1, 2);
	/* Port 1 takes nothing any more: its buffers are used up. */
	for (i = 0; i < 3; i++) {
		nb_port_send_many(&self->port[0], &everybody, 100);
		EXPECT_EQ(100, nb_port_drain(&self->port[2]));
	}
	nb_port_send_many(&self->port[0], &unicast, 100);
	EXPECT_EQ(taken, nb_stats_of(self->port[1].queue).rx_packets);
	EXPECT_EQ(400 - taken, nb_stats_of(self->port[1].queue).rx_no_buffer);
	/* And goes on when there are buffers. */
	EXPECT_EQ(taken, nb_port_drain(&self->port[1]));
	nb_port_send(&self->port[0], &unicast, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &unicast));
}

TEST_F(switch, what_is_too_long_for_a_buffer_is_dropped_and_counted)
{
	struct nb_plan longer = nb_plan(1, 2), fits = nb_plan(1, 2);

	open_all(NULL, NULL);
	introduce(self, 1, 2);
	longer.len = NB_BUF_SIZE + 1;
	fits.len = NB_BUF_SIZE;
	nb_port_send(&self->port[0], &longer, NB_TX_OK);
	nb_port_send(&self->port[0], &fits, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[1], &fits));
	EXPECT_EQ(1, nb_stats_of(self->port[1].queue).rx_too_small);
}

TEST_F(switch, a_port_without_a_queue_stalls_nobody)
{
	struct nb_plan plan = nb_plan(1, 0);

	open_all(NULL, NULL);
	nb_queue_close(self->port[1].queue);
	self->port[1].queue = NULL;
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[2], &plan));
}

TEST_HARNESS_MAIN
