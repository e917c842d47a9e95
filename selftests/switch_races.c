// SPDX-License-Identifier: GPL-2.0
/*
 * Kind switch: several senders to one receiver, several queues of a port, and ports that
 * come and go meanwhile.
 */
#include <pthread.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbswitch.h"

#define N_SENDERS	3
#define N_PACKETS	20000u
#define ROUNDS		300

/* A number behind the Ethernet header, and bytes that follow from it. */
static void put_number(struct nb_port *port, unsigned int page, uint32_t number)
{
	unsigned char *at = nb_guest_ptr(&port->guest, NB_TX_GPA + page * NB_PAGE, 100);
	struct nb_random random = { .state = number * 2ull + 1 };

	memcpy(at + 14, &number, 4);
	nb_random_fill(&random, at + 18, 82);
}

static bool has_number(const unsigned char *frame, uint32_t *number)
{
	struct nb_random random;
	unsigned char bytes[82];

	memcpy(number, frame + 14, 4);
	random.state = *number * 2ull + 1;
	nb_random_fill(&random, bytes, sizeof(bytes));
	return !memcmp(bytes, frame + 18, sizeof(bytes));
}

FIXTURE(switch_races)
{
	unsigned int nothing;
};

FIXTURE_SETUP(switch_races)
{
}

FIXTURE_TEARDOWN(switch_races)
{
}

struct sender {
	pthread_t thread;
	struct nb_port port;
	unsigned int station;
	volatile bool *stop;
};

/* All of its packets, or until it is to stop. */
static void *send_all(void *argument)
{
	struct sender *sender = argument;
	struct nb_plan plan = nb_plan(sender->station, 1);
	struct nb_tx_segment segments[32];
	uint32_t number = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_port_frame(&sender->port, i, &plan);
	while (number < N_PACKETS || sender->stop) {
		if (sender->stop && *sender->stop)
			break;
		for (i = 0; i < ARRAY_LEN(segments); i++)
			put_number(&sender->port, i, number++);
		nb_tx_all(sender->port.queue, segments, ARRAY_LEN(segments));
	}
	return NULL;
}

/* Others that send at a switch until *stop is set. */
static void start_senders(struct sender *senders, unsigned int n, const struct nb_port *at,
			  volatile bool *stop)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		senders[i].station = 10 + i;
		senders[i].stop = stop;
		nb_port_join(&senders[i].port, at, NULL);
		pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
	}
}

/* Whether each has sent something. */
static bool senders_end(struct sender *senders, unsigned int n)
{
	bool have_sent = true;
	unsigned int i;

	for (i = 0; i < n; i++) {
		pthread_join(senders[i].thread, NULL);
		have_sent &= nb_stats_of(senders[i].port.queue).tx_packets > 0;
		nb_port_close(&senders[i].port);
	}
	return have_sent;
}

TEST_F_TIMEOUT(switch_races, senders_to_one_receiver_do_not_mix_or_reorder, 600)
{
	struct sender senders[N_SENDERS] = { 0 };
	int64_t last[N_SENDERS] = { -1, -1, -1 };
	unsigned char frame[NB_BUF_SIZE];
	struct nb_plan hello = nb_plan(1, 0);
	uint64_t sent, got = 0, dropped = 0;
	struct nb_port receiver;
	uint32_t id, number;
	unsigned int i, k;

	nb_port_open(&receiver, NULL);
	for (i = 0; i < N_SENDERS; i++) {
		senders[i].station = 10 + i;
		nb_port_join(&senders[i].port, &receiver, NULL);
	}
	nb_port_send(&receiver, &hello, NB_TX_OK);
	sent = N_SENDERS * (uint64_t)((N_PACKETS + 31) / 32 * 32);
	for (i = 0; i < N_SENDERS; i++)
		pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);

	/* What was dropped for want of a buffer does not come; the counters say how many. */
	while (got + dropped < sent) {
		struct nb_rx_metadata meta;

		if (!nb_ok(nb_queue_rx_poll(receiver.queue, &meta, 1))) {
			dropped = nb_stats_of(receiver.queue).rx_no_buffer;
			continue;
		}
		id = meta.id;
		receiver.bufs.meta[id] = meta;
		nb_bufs_read(&receiver.bufs, &receiver.guest, id, frame);
		nb_bufs_post(&receiver.bufs, receiver.queue, id);
		ASSERT_EQ(100, meta.len);
		ASSERT_TRUE(has_number(frame, &number));
		k = frame[11] - 10;
		ASSERT_LT(k, N_SENDERS);
		ASSERT_GT((int64_t)number, last[k]);
		last[k] = number;
		got++;
	}
	EXPECT_EQ(sent, got + dropped);
	EXPECT_NE(0, got);
	for (i = 0; i < N_SENDERS; i++) {
		pthread_join(senders[i].thread, NULL);
		nb_port_close(&senders[i].port);
	}
	nb_port_close(&receiver);
}

TEST_F_TIMEOUT(switch_races, ports_come_and_go_while_others_send_to_them, NB_ROUNDS_TIME)
{
	struct sender senders[2] = { 0 };
	struct nb_plan hello = nb_plan(1, 0);
	volatile bool stop = false;
	struct nb_port port, stays;
	unsigned int i, n = nb_rounds(ROUNDS, 600);

	nb_port_open(&stays, NULL);
	start_senders(senders, ARRAY_LEN(senders), &stays, &stop);
	for (i = 0; i < n; i++) {
		nb_port_join(&port, &stays, NULL);
		/* From here on it is the one that the senders send to. */
		nb_port_send(&port, &hello, NB_TX_OK);
		ASSERT_EQ(1, nb_bufs_reap(&port.bufs, port.queue, NULL, 1));
		nb_port_close(&port);
	}
	stop = true;
	EXPECT_TRUE(senders_end(senders, ARRAY_LEN(senders)));
	nb_port_close(&stays);
}

/* With queues whose table sends all to the last of them. */
static void get_and_close_queues(struct nb_guest *guest, struct nb_endpoint *ep, unsigned int n)
{
	struct nb_queue_config configs[8] = { 0 };
	struct nb_queue *queues[ARRAY_LEN(configs)];
	static const uint8_t key[40];
	uint16_t table = n - 1;
	struct nb_rss_config rss = {
		.key = (uintptr_t)key,
		.key_len = sizeof(key),
		.table = (uintptr_t)&table,
		.table_len = 1,
	};
	unsigned int i;

	for (i = 0; i < n; i++)
		configs[i].target_cpu = NB_ANY_CPU;
	nb_ok(nb_endpoint_get_queues(ep, guest->mem, configs, n, n > 1 ? &rss : NULL, queues));
	for (i = 0; i < n; i++)
		nb_queue_close(queues[i]);
}

/* Nobody looks at the queues of one time by the table of another. */
TEST_F_TIMEOUT(switch_races, a_port_changes_its_queues_and_their_table_under_traffic,
	       NB_ROUNDS_TIME)
{
	struct nb_switch_params join = { .flags = NB_SWITCH_JOIN };
	struct sender senders[2] = { 0 };
	unsigned int i, n = nb_rounds(ROUNDS, 600);
	volatile bool stop = false;
	struct nb_endpoint *ep;
	struct nb_guest guest;
	struct nb_port stays;

	nb_port_open(&stays, NULL);
	nb_guest_open(&guest, 0);
	join.group_fd = nb_endpoint_fd(stays.ep);
	nb_ok(nb_port_try(&guest, &join, &ep));
	start_senders(senders, ARRAY_LEN(senders), &stays, &stop);
	/* what they send is flooded, also to this port */
	for (i = 0; i < n; i++) {
		get_and_close_queues(&guest, ep, 1);
		get_and_close_queues(&guest, ep, 8);
	}
	stop = true;
	EXPECT_TRUE(senders_end(senders, ARRAY_LEN(senders)));
	nb_endpoint_close(ep);
	nb_guest_close(&guest);
	nb_port_close(&stays);
}

/* A UDP packet of flow number n, from station 1 to station 2. */
static void put_flow(struct nb_port *port, unsigned int page, unsigned int n)
{
	unsigned char *at = nb_guest_ptr(&port->guest, NB_TX_GPA + page * NB_PAGE, 100);
	static const unsigned char ip[24] = {
		0x45, 0, 0, 86, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 0, 0, 9,
	};

	at[12] = 0x08;
	at[13] = 0x00;
	memcpy(at + 14, ip, sizeof(ip));
	at[14 + 20] = n >> 8;
	at[14 + 21] = n;
}

TEST_F(switch_races, a_flow_stays_on_one_of_the_queues_and_flows_are_spread)
{
	struct nb_queue_config configs[4] = { 0 };
	struct nb_switch_params join = { .flags = NB_SWITCH_JOIN };
	struct nb_queue *queues[4], *of_flow[32] = { 0 };
	struct nb_plan plan = nb_plan(1, 2);
	struct nb_tx_segment segment;
	struct nb_rx_metadata meta;
	struct nb_port sender;
	struct nb_guest guest;
	struct nb_endpoint *ep;
	struct nb_bufs bufs;
	unsigned int i, k, round, used = 0;

	nb_port_open(&sender, NULL);
	nb_guest_open(&guest, 0);
	join.group_fd = nb_endpoint_fd(sender.ep);
	nb_ok(nb_port_try(&guest, &join, &ep));
	for (k = 0; k < 4; k++)
		configs[k].target_cpu = NB_ANY_CPU;
	nb_ok(nb_endpoint_get_queues(ep, guest.mem, configs, 4, NULL, queues));
	nb_bufs_init(&bufs);
	for (i = 0; i < NB_BUFS; i++)
		nb_bufs_post(&bufs, queues[i % 4], i);

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_LEN(of_flow); i++) {
			segment = nb_port_frame(&sender, 0, &plan);
			put_flow(&sender, 0, i);
			nb_tx_all(sender.queue, &segment, 1);
			for (k = 0; k < 4; k++)
				if (nb_ok(nb_queue_rx_poll(queues[k], &meta, 1)))
					break;
			ASSERT_LT(k, 4);
			nb_bufs_post(&bufs, queues[k], meta.id);
			if (round)
				ASSERT_EQ(of_flow[i], queues[k]);
			of_flow[i] = queues[k];
			used |= 1 << k;
		}
	}
	EXPECT_EQ(0xf, used);
	/* A port of several queues loses them one by one. */
	for (k = 0; k < 4; k++) {
		nb_queue_close(queues[k]);
		nb_port_send(&sender, &plan, NB_TX_OK);
	}
	nb_endpoint_close(ep);
	nb_guest_close(&guest);
	nb_port_close(&sender);
}

TEST_HARNESS_MAIN
