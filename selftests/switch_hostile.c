// SPDX-License-Identifier: GPL-2.0
/*
 * Kind switch: a guest writes to its packets while they are on their way.  By what the
 * switch has looked at, it is delivered and learned; nothing else arrives.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <pthread.h>
#include <string.h>

#include <linux/if_ether.h>

#include "kselftest_harness.h"
#include "nbswitch.h"

#define N_PAGES		64
#define ROUNDS		1500

/* Another thread of the guest: writes two values in turn to a place in each packet. */
struct writer {
	pthread_t thread;
	struct nb_port *port;
	unsigned int offset;
	uint16_t values[2];	/* of which one byte differs: never a part of both */
	volatile bool stop;
	bool runs;
};

static void *write_in_turn(void *argument)
{
	struct writer *writer = argument;
	volatile uint16_t *at[N_PAGES];
	unsigned int page, i;

	for (page = 0; page < N_PAGES; page++)
		at[page] = nb_guest_ptr(&writer->port->guest,
					NB_TX_GPA + page * NB_PAGE + writer->offset, 2);
	for (i = 0; !writer->stop; i++)
		for (page = 0; page < N_PAGES; page++)
			*at[page] = writer->values[i % 2];
	return NULL;
}

static void start(struct writer *writer, struct nb_port *port, unsigned int offset,
		  uint16_t first, uint16_t second)
{
	*writer = (struct writer){
		.port = port, .offset = offset, .values = { htons(first), htons(second) },
		.runs = true,
	};
	pthread_create(&writer->thread, NULL, write_in_turn, writer);
}

static void stop(struct writer *writer)
{
	if (!writer->runs)
		return;
	writer->stop = true;
	pthread_join(writer->thread, NULL);
	writer->runs = false;
}

FIXTURE(switch_hostile)
{
	struct nb_port sender, port[2];
	struct nb_tx_segment segments[2 * N_PAGES];
	unsigned int n_segments;
	struct writer writer;
};

FIXTURE_VARIANT(switch_hostile)
{
	unsigned int first;	/* bytes of the first segment, 0: all */
};

FIXTURE_VARIANT_ADD(switch_hostile, one_segment) { .first = 0 };
FIXTURE_VARIANT_ADD(switch_hostile, header_in_two_segments) { .first = 7 };

FIXTURE_SETUP(switch_hostile)
{
	self->writer.runs = false;
	nb_host_new_netns();
}

FIXTURE_TEARDOWN(switch_hostile)
{
	stop(&self->writer);
	nb_port_close(&self->port[0]);
	nb_port_close(&self->port[1]);
	nb_port_close(&self->sender);
}

static void open_ports(FIXTURE_DATA(switch_hostile) *self, struct nb_switch_params *sender,
		       struct nb_switch_params *first, struct nb_switch_params *second)
{
	strcpy(sender->name, "sw0");
	strcpy(first->name, "sw0");
	strcpy(second->name, "sw0");
	nb_port_open(&self->sender, sender);
	nb_port_open(&self->port[0], first);
	nb_port_open(&self->port[1], second);
}

/* The packets that are sent again and again. */
static void prepare(FIXTURE_DATA(switch_hostile) *self, const struct nb_plan *plan,
		    unsigned int first)
{
	struct nb_tx_segment head;
	unsigned int page;

	self->n_segments = 0;
	for (page = 0; page < N_PAGES; page++) {
		head = nb_port_frame(&self->sender, page, plan);
		self->segments[self->n_segments++] = head;
		if (!first)
			continue;
		self->segments[self->n_segments - 1].segment_count = 2;
		self->segments[self->n_segments - 1].len = first;
		self->segments[self->n_segments++] = (struct nb_tx_segment){
			.gpa = head.gpa + first, .len = head.len - first,
		};
	}
}

/* Sends all packets; some may be dropped. */
static void send_all(FIXTURE_DATA(switch_hostile) *self)
{
	struct nb_tx_completion done[N_PAGES];

	nb_ok(nb_queue_tx_avail(self->sender.queue, self->segments, self->n_segments, NULL));
	if (nb_tx_reap(self->sender.queue, done, N_PAGES) != N_PAGES)
		nb_die("a transmit did not end");
}

static uint16_t at(const unsigned char *frame, unsigned int offset)
{
	return frame[offset] << 8 | frame[offset + 1];
}

/* Takes what has come: how many have this value there, or -1 if one has not. */
static int count(struct nb_port *port, unsigned int offset, uint16_t value)
{
	unsigned char frame[NB_BUF_SIZE];
	struct nb_rx_metadata meta;
	bool right = true;
	int n = 0;

	while (nb_ok(nb_queue_rx_poll(port->queue, &meta, 1))) {
		port->bufs.meta[meta.id] = meta;
		nb_bufs_read(&port->bufs, &port->guest, meta.id, frame);
		nb_bufs_post(&port->bufs, port->queue, meta.id);
		if (at(frame, offset) != value) {
			fprintf(stderr, "# %04x at %u, not %04x\n", at(frame, offset), offset,
				value);
			right = false;
		}
		n++;
	}
	return right ? n : -1;
}

static void introduce(struct nb_port *port, unsigned int station)
{
	struct nb_plan plan = nb_plan(station, 0);

	nb_port_send(port, &plan, NB_TX_OK);
}

/* What is checked is not what is used: of packets, whose address changes under way. */
TEST_F_TIMEOUT(switch_hostile, what_arrives_is_for_who_gets_it, 280)
{
	struct nb_switch_params params[3] = { 0 };
	struct nb_plan plan = nb_plan(1, 2);
	unsigned int round, total[2] = { 0 };
	int n, i;

	open_ports(self, &params[0], &params[1], &params[2]);
	introduce(&self->sender, 1);
	introduce(&self->port[0], 2);
	introduce(&self->port[1], 3);
	for (i = 0; i < 2; i++)
		nb_port_drain(&self->port[i]);
	prepare(self, &plan, variant->first);
	start(&self->writer, &self->sender, 4, 2, 3);
	for (round = 0; round < ROUNDS; round++) {
		send_all(self);
		for (i = 0; i < 2; i++) {
			n = count(&self->port[i], 4, 2 + i);
			ASSERT_GE(n, 0);
			total[i] += n;
		}
	}
	EXPECT_NE(0, total[0]);
	EXPECT_NE(0, total[1]);
	EXPECT_EQ(ROUNDS * N_PAGES, total[0] + total[1]);
}

TEST_F_TIMEOUT(switch_hostile, what_arrives_has_a_sender_that_was_allowed, 280)
{
	struct nb_switch_params params[3] = { 0 };
	struct nb_plan plan = nb_plan(1, 2);
	unsigned int round, total = 0;
	int n;

	/* Its second byte is that of a group, and has to be refused, in half of the cases. */
	open_ports(self, &params[0], &params[1], &params[2]);
	introduce(&self->port[0], 2);
	prepare(self, &plan, variant->first);
	start(&self->writer, &self->sender, 6, 0x0200, 0x0300);
	for (round = 0; round < ROUNDS; round++) {
		send_all(self);
		nb_port_drain(&self->port[1]);
		n = count(&self->port[0], 6, 0x0200);
		ASSERT_GE(n, 0);
		total += n;
	}
	EXPECT_NE(0, total);
	EXPECT_NE(ROUNDS * N_PAGES, total);
}

TEST_F_TIMEOUT(switch_hostile, no_vlan_is_reached_that_was_not_allowed, 280)
{
	struct nb_switch_params sender = {
		.vlan_mode = NB_SWITCH_VLAN_TRUNK, .vlans = { 0, 0x04 },	/* 10 */
	};
	struct nb_switch_params all = { 0 };
	struct nb_switch_params other = { .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 20 };
	struct nb_plan plan = nb_plan(1, 0);
	unsigned int round, total = 0;
	int n;

	open_ports(self, &sender, &all, &other);
	plan.inside = 10;
	prepare(self, &plan, variant->first);
	start(&self->writer, &self->sender, 14, 10, 20);
	for (round = 0; round < ROUNDS; round++) {
		send_all(self);
		n = count(&self->port[0], 14, 10);
		ASSERT_GE(n, 0);
		total += n;
		ASSERT_TRUE(nb_port_silent(&self->port[1]));
	}
	EXPECT_NE(0, total);
	EXPECT_NE(ROUNDS * N_PAGES, total);
}

TEST_F_TIMEOUT(switch_hostile, no_tag_comes_to_light_that_was_not_seen, 280)
{
	struct nb_netdev_params netdev = {
		.flags = NB_NETDEV_UPLINK,
		.port = { .name = "sw0", .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 10 },
	};
	struct nb_endpoint_params params = {
		.kind = "netdev", .name = "up0", .netns_fd = -1,
		.kind_params = &netdev, .kind_params_size = sizeof(netdev),
	};
	struct nb_switch_params sender = { 0 }, other = { 0 };
	struct nb_switch_params access = { .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 10 };
	unsigned int round, page, total = 0;
	struct nb_plan plan = nb_plan(1, 0);
	unsigned char frame[NB_BUF_SIZE];
	const uint16_t tci = htons(20), type = htons(NB_ETHERTYPE);
	struct nb_endpoint *ep;
	struct nb_host host;
	int n, vlan;

	open_ports(self, &sender, &access, &other);
	nb_ok(nb_endpoint_create(self->sender.guest.nb, &params, &ep));
	nb_host_open(&host, if_nametoindex("up0"));
	plan.inside = 10;
	prepare(self, &plan, variant->first);
	/* Behind the type what would be a second tag, if the type were that of a tag. */
	for (page = 0; page < N_PAGES; page++) {
		unsigned char *at = nb_guest_ptr(&self->sender.guest,
						 NB_TX_GPA + page * NB_PAGE, 100);

		memcpy(at + 18, &tci, 2);
		memcpy(at + 20, &type, 2);
	}
	start(&self->writer, &self->sender, 16, NB_ETHERTYPE, ETH_P_8021AD);
	for (round = 0; round < ROUNDS; round++) {
		send_all(self);
		nb_port_drain(&self->port[1]);
		n = count(&self->port[0], 12, NB_ETHERTYPE);
		ASSERT_GE(n, 0);
		total += n;
		/* The host gets the same ones. */
		while (n--) {
			ASSERT_LT(0, nb_host_receive(&host, frame, sizeof(frame), &vlan));
			ASSERT_EQ(NB_NO_VLAN, vlan);
		}
		ASSERT_TRUE(nb_host_silent(&host));
	}
	EXPECT_NE(0, total);
	EXPECT_NE(ROUNDS * N_PAGES, total);
	nb_host_close(&host);
	nb_endpoint_close(ep);
}

TEST_HARNESS_MAIN
