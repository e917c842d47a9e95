// SPDX-License-Identifier: GPL-2.0
/*
 * Switches as operators see them: by generic netlink, and by nbctl.
 */
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbswitch.h"

#define MANY_STATIONS	2000
#define MANY_PORTS	100

FIXTURE(switch_netlink)
{
	struct nb_trace trace;	/* of tests that count */
	struct nb_genl client;
	struct nb_port port[3];
	unsigned int n;
};

FIXTURE_SETUP(switch_netlink)
{
	self->n = 0;
	self->trace.dir[0] = '\0';
	nb_host_new_netns();
	nb_genl_open(&self->client);
}

FIXTURE_TEARDOWN(switch_netlink)
{
	while (self->n)
		nb_port_close(&self->port[--self->n]);
	nb_genl_close(&self->client);
	nb_trace_close(&self->trace);
}

/* One more port; others follow the first one to its switch. */
static struct nb_port *add_port(FIXTURE_DATA(switch_netlink) *self,
				const struct nb_switch_params *params)
{
	struct nb_port *port = &self->port[self->n];

	if (self->n && !(params && params->name[0]))
		nb_port_join(port, &self->port[0], params);
	else
		nb_port_open(port, params);
	self->n++;
	return port;
}

static uint32_t id_of(const struct nb_port *port)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(port->ep, &info));
	return info.id;
}

/* ---- what the kernel tells ----------------------------------------------- */

struct told_switch {
	uint32_t id, ports, addresses, table_size, ageing;
	char name[NB_NAME_LEN];
	uint64_t not_learned;
};

struct told_port {
	uint32_t bridge, number, endpoint, ifindex, queues, vlan_mode, pvid;
	uint32_t limits[3], addresses, max_addresses;
	bool uplink, isolated, has_vlans;
	uint8_t vlans[NB_SWITCH_VLANS / 8];
	uint64_t not_learned;
};

struct told_station {
	uint32_t bridge, vlan, port, endpoint, age;
	uint8_t address[6];
};

struct told {
	unsigned int n;
	union {
		struct told_switch bridge[8];
		struct told_port port[MANY_PORTS + 8];
		struct told_station station[MANY_STATIONS + 8];
	};
	/* What to do when the first message of a dump comes. */
	void (*at_first)(void *data);
	void *data;
};

static unsigned int next_of(struct told *told, unsigned int size)
{
	if (told->n == size)
		nb_die("more than %u messages", size);
	if (!told->n && told->at_first)
		told->at_first(told->data);
	return told->n++;
}

static void see_switch(const struct nlattr *const *a, void *data)
{
	struct told *told = data;
	struct told_switch *to = &told->bridge[next_of(told, ARRAY_LEN(told->bridge))];

	*to = (struct told_switch){
		.id = nb_genl_u32(a[NB_A_SWITCH_ID]),
		.ports = nb_genl_u32(a[NB_A_SWITCH_PORTS]),
		.addresses = nb_genl_u32(a[NB_A_SWITCH_ADDRESSES]),
		.table_size = nb_genl_u32(a[NB_A_SWITCH_TABLE_SIZE]),
		.ageing = nb_genl_u32(a[NB_A_SWITCH_AGEING]),
		.not_learned = nb_genl_u64(a[NB_A_SWITCH_NOT_LEARNED]),
	};
	strcpy(to->name, nb_genl_string(a[NB_A_SWITCH_NAME]));
}

static void see_port(const struct nlattr *const *a, void *data)
{
	struct told *told = data;
	struct told_port *to = &told->port[next_of(told, ARRAY_LEN(told->port))];

	*to = (struct told_port){
		.bridge = nb_genl_u32(a[NB_A_PORT_SWITCH_ID]),
		.number = nb_genl_u32(a[NB_A_PORT_NUMBER]),
		.endpoint = nb_genl_u32(a[NB_A_PORT_ENDPOINT_ID]),
		.ifindex = nb_genl_u32(a[NB_A_PORT_IFINDEX]),
		.queues = nb_genl_u32(a[NB_A_PORT_QUEUES]),
		.vlan_mode = nb_genl_u32(a[NB_A_PORT_VLAN_MODE]),
		.pvid = nb_genl_u32(a[NB_A_PORT_PVID]),
		.limits = {
			nb_genl_u32(a[NB_A_PORT_BROADCAST_LIMIT]),
			nb_genl_u32(a[NB_A_PORT_MULTICAST_LIMIT]),
			nb_genl_u32(a[NB_A_PORT_UNKNOWN_LIMIT]),
		},
		.addresses = nb_genl_u32(a[NB_A_PORT_ADDRESSES]),
		.max_addresses = nb_genl_u32(a[NB_A_PORT_MAX_ADDRESSES]),
		.uplink = a[NB_A_PORT_UPLINK],
		.isolated = a[NB_A_PORT_ISOLATED],
		.has_vlans = a[NB_A_PORT_VLANS],
		.not_learned = nb_genl_u64(a[NB_A_PORT_NOT_LEARNED]),
	};
	if (to->has_vlans)
		memcpy(to->vlans, nb_genl_payload(a[NB_A_PORT_VLANS]), sizeof(to->vlans));
}

static void see_station(const struct nlattr *const *a, void *data)
{
	struct told *told = data;
	struct told_station *to = &told->station[next_of(told, ARRAY_LEN(told->station))];

	*to = (struct told_station){
		.bridge = nb_genl_u32(a[NB_A_FDB_SWITCH_ID]),
		.vlan = nb_genl_u32(a[NB_A_FDB_VLAN]),
		.port = nb_genl_u32(a[NB_A_FDB_PORT]),
		.endpoint = nb_genl_u32(a[NB_A_FDB_ENDPOINT_ID]),
		.age = nb_genl_u32(a[NB_A_FDB_AGE]),
	};
	memcpy(to->address, nb_genl_payload(a[NB_A_FDB_ADDRESS]), sizeof(to->address));
}

/* All, or with id those of that switch: 0 or a negative errno. */
static int dump(struct nb_genl *client, uint8_t command, uint32_t id, struct told *told)
{
	struct nb_genl_request request = nb_genl_request(client->family, command, NLM_F_DUMP);
	uint16_t attribute = command == NB_CMD_SWITCH_GET ? NB_A_SWITCH_ID :
			     command == NB_CMD_SWITCH_PORT_GET ? NB_A_PORT_SWITCH_ID :
								 NB_A_FDB_SWITCH_ID;

	told->n = 0;
	if (id)
		nb_genl_add(&request, attribute, &id, sizeof(id));
	return nb_genl_talk(client, &request,
			    command == NB_CMD_SWITCH_GET ? see_switch :
			    command == NB_CMD_SWITCH_PORT_GET ? see_port : see_station, told);
}

static struct told *ask(FIXTURE_DATA(switch_netlink) *self, uint8_t command)
{
	static struct told told;

	if (dump(&self->client, command, 0, &told))
		nb_die("dump %u is refused", command);
	return &told;
}

/* ---- settings ------------------------------------------------------------ */

TEST_F(switch_netlink, tells_of_named_and_private_switches)
{
	struct nb_switch_params named = { .name = "sw0", .table_size = 77, .ageing_ms = 5000 };
	struct told *told;

	add_port(self, &named);
	add_port(self, &named);
	nb_port_open(&self->port[self->n++], NULL);
	told = ask(self, NB_CMD_SWITCH_GET);
	ASSERT_EQ(2, told->n);
	EXPECT_STREQ("sw0", told->bridge[0].name);
	EXPECT_EQ(2, told->bridge[0].ports);
	EXPECT_EQ(77, told->bridge[0].table_size);
	EXPECT_EQ(5000, told->bridge[0].ageing);
	EXPECT_STREQ("", told->bridge[1].name);
	EXPECT_EQ(1, told->bridge[1].ports);
	EXPECT_EQ(1024, told->bridge[1].table_size);
	EXPECT_EQ(300000, told->bridge[1].ageing);
}

TEST_F(switch_netlink, tells_what_ports_are_like)
{
	struct nb_switch_params plain = { .name = "sw0" };
	struct nb_switch_params trunk = {
		.name = "sw0", .flags = NB_SWITCH_ISOLATED, .max_addresses = 9,
		.broadcast_limit = 10, .multicast_limit = NB_SWITCH_FLOOD_NONE,
		.unknown_limit = 30, .vlan_mode = NB_SWITCH_VLAN_TRUNK, .pvid = 12,
		.vlans = { 0, 0x30, [511] = 1 },
	};
	struct told_port *port;
	struct told *told;

	add_port(self, &plain);
	add_port(self, &trunk);
	told = ask(self, NB_CMD_SWITCH_PORT_GET);
	ASSERT_EQ(2, told->n);
	port = &told->port[0];
	EXPECT_EQ(1, port->number);
	EXPECT_EQ(id_of(&self->port[0]), port->endpoint);
	EXPECT_EQ(1, port->queues);
	EXPECT_EQ(128, port->max_addresses);
	EXPECT_EQ(NB_SWITCH_VLAN_ALL, port->vlan_mode);
	EXPECT_FALSE(port->isolated || port->uplink || port->has_vlans);
	port++;
	EXPECT_EQ(2, port->number);
	EXPECT_EQ(id_of(&self->port[1]), port->endpoint);
	EXPECT_EQ(told->port[0].bridge, port->bridge);
	EXPECT_TRUE(port->isolated);
	EXPECT_EQ(9, port->max_addresses);
	EXPECT_EQ(10, port->limits[0]);
	EXPECT_EQ(NB_SWITCH_FLOOD_NONE, port->limits[1]);
	EXPECT_EQ(30, port->limits[2]);
	EXPECT_EQ(NB_SWITCH_VLAN_TRUNK, port->vlan_mode);
	EXPECT_EQ(12, port->pvid);
	ASSERT_TRUE(port->has_vlans);
	EXPECT_EQ(0, memcmp(trunk.vlans, port->vlans, sizeof(trunk.vlans)));
}

TEST_F(switch_netlink, tells_which_interface_an_uplink_is)
{
	struct nb_netdev_params netdev = { .flags = NB_NETDEV_UPLINK, .port.name = "sw0" };
	struct nb_endpoint_params params = {
		.kind = "netdev", .name = "up0", .netns_fd = -1,
		.kind_params = &netdev, .kind_params_size = sizeof(netdev),
	};
	struct nb_endpoint *ep;
	struct nb_guest guest;
	struct told *told;

	nb_guest_open(&guest, 0);
	nb_ok(nb_endpoint_create(guest.nb, &params, &ep));
	told = ask(self, NB_CMD_SWITCH_PORT_GET);
	ASSERT_EQ(1, told->n);
	EXPECT_TRUE(told->port[0].uplink);
	EXPECT_EQ(if_nametoindex("up0"), told->port[0].ifindex);
	EXPECT_EQ(0, told->port[0].queues);
	nb_link_delete(if_nametoindex("up0"));
	told = ask(self, NB_CMD_SWITCH_PORT_GET);
	ASSERT_EQ(1, told->n);
	EXPECT_EQ(0, told->port[0].ifindex);
	nb_endpoint_close(ep);
	nb_guest_close(&guest);
	EXPECT_EQ(0, ask(self, NB_CMD_SWITCH_GET)->n);
}

/* ---- counters ------------------------------------------------------------ */

static bool drops_are(FIXTURE_DATA(switch_netlink) *self, unsigned int port, int reason,
		      uint64_t n)
{
	return nb_port_drops_are(&self->client, &self->trace, id_of(&self->port[port]), reason, n);
}

static void introduce(FIXTURE_DATA(switch_netlink) *self, unsigned int port,
		      unsigned int station)
{
	struct nb_plan plan = nb_plan(station, 0);
	unsigned int i;

	nb_port_send(&self->port[port], &plan, NB_TX_OK);
	for (i = 0; i < self->n; i++)
		nb_port_drain(&self->port[i]);
}

TEST_F(switch_netlink, counts_what_may_not_come_in_or_leave_by_its_vlan)
{
	struct nb_switch_params access = { .vlan_mode = NB_SWITCH_VLAN_ACCESS, .pvid = 10 };
	struct nb_plan in = nb_plan(1, 0), out = nb_plan(1, 2);

	nb_trace_open(&self->trace);
	add_port(self, &access);
	access.pvid = 20;
	add_port(self, &access);
	in.inside = 20;
	nb_port_send(&self->port[0], &in, NB_TX_DROPPED);
	EXPECT_TRUE(drops_are(self, 0, NB_A_DROP_VLAN, 1));
	/* A tag that hides another one cannot be taken off. */
	add_port(self, NULL);
	out.inside = 10;
	out.beside = 10;
	nb_port_send(&self->port[2], &out, NB_TX_OK);
	EXPECT_TRUE(drops_are(self, 2, NB_A_DROP_VLAN, 1));
	EXPECT_TRUE(drops_are(self, 1, 0, 0));
}

TEST_F(switch_netlink, counts_what_isolated_ports_send_to_each_other)
{
	struct nb_switch_params isolated = { .flags = NB_SWITCH_ISOLATED };
	struct nb_plan plan = nb_plan(1, 2);

	nb_trace_open(&self->trace);
	add_port(self, &isolated);
	add_port(self, &isolated);
	introduce(self, 1, 2);
	nb_port_send_many(&self->port[0], &plan, 3);
	EXPECT_TRUE(drops_are(self, 0, NB_A_DROP_ISOLATED, 3));
	EXPECT_TRUE(drops_are(self, 1, 0, 0));
}

TEST_F(switch_netlink, counts_what_is_above_the_limit)
{
	struct nb_switch_params none = { .broadcast_limit = NB_SWITCH_FLOOD_NONE };
	struct nb_plan plan = nb_plan(1, 0);

	nb_trace_open(&self->trace);
	add_port(self, &none);
	add_port(self, NULL);
	nb_port_send_many(&self->port[0], &plan, 5);
	EXPECT_TRUE(drops_are(self, 0, NB_A_DROP_FLOOD_LIMIT, 5));
}

TEST_F(switch_netlink, counts_senders_that_are_not_one_station)
{
	struct nb_plan plan = nb_plan(1, 0);

	nb_trace_open(&self->trace);
	add_port(self, NULL);
	plan.from[0] |= 1;
	nb_port_send(&self->port[0], &plan, NB_TX_DROPPED);
	EXPECT_TRUE(drops_are(self, 0, NB_A_DROP_SOURCE, 1));
}

TEST_F(switch_netlink, counts_what_is_for_the_port_that_sends_it)
{
	struct nb_plan plan = nb_plan(1, 2);

	nb_trace_open(&self->trace);
	add_port(self, NULL);
	add_port(self, NULL);
	introduce(self, 0, 2);
	nb_port_send_many(&self->port[0], &plan, 4);
	EXPECT_TRUE(drops_are(self, 0, NB_A_DROP_SAME_PORT, 4));
}

TEST_F(switch_netlink, counts_what_finds_no_buffer)
{
	struct nb_plan plan = nb_plan(1, 2);

	nb_trace_open(&self->trace);
	add_port(self, NULL);
	add_port(self, NULL);
	introduce(self, 1, 2);
	nb_port_send_many(&self->port[0], &plan, 100);
	nb_port_send_many(&self->port[0], &plan, 100);
	EXPECT_TRUE(drops_are(self, 1, NB_A_DROP_NO_BUFFER, 200 - NB_BUFS));
	EXPECT_TRUE(drops_are(self, 0, 0, 0));
}

TEST_F(switch_netlink, counts_what_is_too_long)
{
	struct nb_plan plan = nb_plan(1, 2);

	nb_trace_open(&self->trace);
	add_port(self, NULL);
	add_port(self, NULL);
	introduce(self, 1, 2);
	plan.len = NB_BUF_SIZE + 1;
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(drops_are(self, 1, NB_A_DROP_TOO_SMALL, 1));
	/* With a tag beside it. */
	plan.to[0] = 0xff;
	plan.beside = 3;
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	EXPECT_TRUE(drops_are(self, 1, NB_A_DROP_TOO_SMALL, 2));
}

TEST_F(switch_netlink, counts_what_finds_no_queue)
{
	struct nb_plan known = nb_plan(1, 2), everybody = nb_plan(1, 0);

	nb_trace_open(&self->trace);
	add_port(self, NULL);
	add_port(self, NULL);
	introduce(self, 1, 2);
	nb_queue_close(self->port[1].queue);
	self->port[1].queue = NULL;
	nb_port_send_many(&self->port[0], &known, 3);
	nb_port_send_many(&self->port[0], &everybody, 2);
	EXPECT_TRUE(drops_are(self, 1, NB_A_DROP_DOWN, 5));
}

TEST_F(switch_netlink, counts_what_is_not_learned)
{
	struct nb_switch_params few = { .max_addresses = 2 };
	struct told *told;
	unsigned int i;

	add_port(self, NULL);
	add_port(self, &few);
	for (i = 0; i < 5; i++)
		introduce(self, 1, 10 + i);
	told = ask(self, NB_CMD_SWITCH_PORT_GET);
	EXPECT_EQ(2, told->port[1].addresses);
	EXPECT_EQ(3, told->port[1].not_learned);
	EXPECT_EQ(0, told->port[0].not_learned);
	told = ask(self, NB_CMD_SWITCH_GET);
	EXPECT_EQ(2, told->bridge[0].addresses);
	EXPECT_EQ(3, told->bridge[0].not_learned);
}

/* It is nowhere then: packets for it are flooded, not lost. */
TEST_F(switch_netlink, counts_a_station_that_moves_to_a_port_without_room)
{
	struct nb_switch_params one = { .max_addresses = 1 };
	struct nb_plan plan = nb_plan(3, 2);
	struct told *told;

	add_port(self, NULL);
	add_port(self, &one);
	add_port(self, NULL);
	introduce(self, 1, 10);
	introduce(self, 0, 2);
	told = ask(self, NB_CMD_SWITCH_PORT_GET);
	EXPECT_EQ(1, told->port[0].addresses);
	introduce(self, 1, 2);
	told = ask(self, NB_CMD_SWITCH_PORT_GET);
	EXPECT_EQ(0, told->port[0].addresses);
	EXPECT_EQ(1, told->port[1].addresses);
	EXPECT_EQ(1, told->port[1].not_learned);
	EXPECT_EQ(0, told->port[0].not_learned);
	EXPECT_EQ(1, ask(self, NB_CMD_SWITCH_GET)->bridge[0].not_learned);
	nb_port_send(&self->port[2], &plan, NB_TX_OK);
	EXPECT_TRUE(nb_port_gets(&self->port[0], &plan));
	EXPECT_TRUE(nb_port_gets(&self->port[1], &plan));
}

/* ---- addresses ----------------------------------------------------------- */

/* The address of a station, or NULL if it is not told. */
static const struct told_station *find(const struct told *told, unsigned int station)
{
	struct nb_plan plan = nb_plan(station, 0);
	unsigned int i;

	for (i = 0; i < told->n; i++)
		if (!memcmp(told->station[i].address, plan.from, 6))
			return &told->station[i];
	return NULL;
}

TEST_F(switch_netlink, tells_addresses_as_they_were_learned)
{
	struct nb_plan tagged = nb_plan(3, 0);
	const struct told_station *station;
	struct told *told;

	add_port(self, NULL);
	add_port(self, NULL);
	EXPECT_EQ(0, ask(self, NB_CMD_SWITCH_FDB_GET)->n);
	introduce(self, 1, 2);
	tagged.beside = 7 << 13 | 99;
	nb_port_send(&self->port[0], &tagged, NB_TX_OK);
	told = ask(self, NB_CMD_SWITCH_FDB_GET);
	ASSERT_EQ(2, told->n);
	station = find(told, 2);
	ASSERT_NE(NULL, station);
	EXPECT_EQ(0, station->vlan);
	EXPECT_EQ(2, station->port);
	EXPECT_EQ(id_of(&self->port[1]), station->endpoint);
	station = find(told, 3);
	ASSERT_NE(NULL, station);
	EXPECT_EQ(99, station->vlan);
	EXPECT_EQ(1, station->port);

	/* One moves, the other goes with its port. */
	introduce(self, 0, 2);
	told = ask(self, NB_CMD_SWITCH_FDB_GET);
	ASSERT_EQ(2, told->n);
	ASSERT_NE(NULL, find(told, 2));
	EXPECT_EQ(1, find(told, 2)->port);
	introduce(self, 1, 2);
	nb_port_close(&self->port[--self->n]);
	told = ask(self, NB_CMD_SWITCH_FDB_GET);
	ASSERT_EQ(1, told->n);
	EXPECT_NE(NULL, find(told, 3));
}

TEST_F(switch_netlink, addresses_age_and_are_told_no_longer)
{
	struct nb_switch_params fast = { .ageing_ms = 1 };
	const struct told_station *station;
	uint32_t age = 0;

	add_port(self, &fast);
	introduce(self, 0, 2);
	EXPECT_TRUE(nb_until(!ask(self, NB_CMD_SWITCH_FDB_GET)->n));

	nb_port_close(&self->port[--self->n]);
	add_port(self, NULL);
	introduce(self, 0, 2);
	EXPECT_TRUE(nb_until(({
		station = find(ask(self, NB_CMD_SWITCH_FDB_GET), 2);
		ASSERT_NE(NULL, station);
		ASSERT_GE(station->age, age);
		age = station->age;
		age >= 100;
	})));
	/* Until it sends again. */
	EXPECT_TRUE(nb_until(({
		introduce(self, 0, 2);
		find(ask(self, NB_CMD_SWITCH_FDB_GET), 2)->age < age;
	})));
}

/* Stations from 10 on send through port 0. */
static void introduce_many(FIXTURE_DATA(switch_netlink) *self, unsigned int n)
{
	struct nb_tx_segment segments[50];
	struct nb_plan plan;
	unsigned int i, k;

	for (i = 0; i < n; i += ARRAY_LEN(segments)) {
		for (k = 0; k < ARRAY_LEN(segments); k++) {
			plan = nb_plan(10 + i + k, 0);
			segments[k] = nb_port_frame(&self->port[0], k, &plan);
		}
		nb_tx_all(self->port[0].queue, segments, ARRAY_LEN(segments));
	}
}

static const struct nb_switch_params large = { .table_size = 4096, .max_addresses = 4096 };

TEST_F(switch_netlink, tells_a_large_table_whole_and_each_address_once)
{
	static bool seen[MANY_STATIONS];
	unsigned int i, station;
	struct told *told;

	add_port(self, &large);
	introduce_many(self, MANY_STATIONS);
	told = ask(self, NB_CMD_SWITCH_FDB_GET);
	ASSERT_EQ(MANY_STATIONS, told->n);
	EXPECT_FALSE(self->client.interrupted);
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < told->n; i++) {
		station = told->station[i].address[4] << 8 | told->station[i].address[5];
		ASSERT_GE(station, 10);
		ASSERT_LT(station - 10, MANY_STATIONS);
		ASSERT_FALSE(seen[station - 10]);
		seen[station - 10] = true;
	}
}

static void learn_one_more(void *data)
{
	FIXTURE_DATA(switch_netlink) *self = data;

	introduce(self, 0, 9);
}

TEST_F(switch_netlink, says_when_the_table_has_changed_meanwhile)
{
	static struct told told;

	add_port(self, &large);
	introduce_many(self, MANY_STATIONS);
	told.at_first = learn_one_more;
	told.data = self;
	ASSERT_EQ(0, dump(&self->client, NB_CMD_SWITCH_FDB_GET, 0, &told));
	EXPECT_TRUE(self->client.interrupted);
	/* Now the station sends again, which is no change. */
	ASSERT_EQ(0, dump(&self->client, NB_CMD_SWITCH_FDB_GET, 0, &told));
	EXPECT_EQ(MANY_STATIONS + 1, told.n);
	EXPECT_FALSE(self->client.interrupted);
}

/* ---- many ports, and change ---------------------------------------------- */

/* A trunk needs the most room. */
static void open_many(struct nb_guest *guest, struct nb_endpoint **eps, const char *name)
{
	struct nb_switch_params trunk = { .vlan_mode = NB_SWITCH_VLAN_TRUNK, .vlans = { 2 } };
	unsigned int i;

	strcpy(trunk.name, name);
	nb_guest_open(guest, 0);
	for (i = 0; i < MANY_PORTS; i++)
		nb_ok(nb_port_try(guest, &trunk, &eps[i]));
}

static void close_many(struct nb_guest *guest, struct nb_endpoint **eps)
{
	unsigned int i;

	for (i = 0; i < MANY_PORTS; i++)
		nb_endpoint_close(eps[i]);
	nb_guest_close(guest);
}

TEST_F(switch_netlink, tells_of_one_switch_when_asked_for_it)
{
	struct nb_endpoint *eps[MANY_PORTS];
	static struct told told;
	struct nb_guest guest;
	uint32_t first, second;

	add_port(self, NULL);
	open_many(&guest, eps, "sw1");
	introduce(self, 0, 2);
	told = *ask(self, NB_CMD_SWITCH_GET);
	ASSERT_EQ(2, told.n);
	first = told.bridge[0].id;
	second = told.bridge[1].id;
	EXPECT_EQ(0, dump(&self->client, NB_CMD_SWITCH_GET, first, &told));
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(0, dump(&self->client, NB_CMD_SWITCH_PORT_GET, first, &told));
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(0, dump(&self->client, NB_CMD_SWITCH_PORT_GET, second, &told));
	EXPECT_EQ(MANY_PORTS, told.n);
	EXPECT_EQ(0, dump(&self->client, NB_CMD_SWITCH_FDB_GET, first, &told));
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(0, dump(&self->client, NB_CMD_SWITCH_FDB_GET, second, &told));
	EXPECT_EQ(0, told.n);
	close_many(&guest, eps);
	EXPECT_EQ(-ENOENT, dump(&self->client, NB_CMD_SWITCH_GET, second, &told));
	EXPECT_EQ(-ENOENT, dump(&self->client, NB_CMD_SWITCH_PORT_GET, second, &told));
	EXPECT_EQ(-ENOENT, dump(&self->client, NB_CMD_SWITCH_FDB_GET, second, &told));
}

static void close_last(void *data)
{
	struct nb_endpoint **ep = data;

	nb_endpoint_close(*ep);
	*ep = NULL;
}

TEST_F(switch_netlink, says_when_a_port_has_gone_meanwhile)
{
	struct nb_endpoint *eps[MANY_PORTS];
	static struct told told;
	struct nb_guest guest;

	open_many(&guest, eps, "sw1");
	ASSERT_EQ(0, dump(&self->client, NB_CMD_SWITCH_PORT_GET, 0, &told));
	EXPECT_FALSE(self->client.interrupted);
	told.at_first = close_last;
	told.data = &eps[MANY_PORTS - 1];
	ASSERT_EQ(0, dump(&self->client, NB_CMD_SWITCH_PORT_GET, 0, &told));
	EXPECT_TRUE(self->client.interrupted);
	close_many(&guest, eps);
}

struct coming {
	pthread_t thread;
	volatile bool stop;
};

static void *come_and_go(void *argument)
{
	struct nb_switch_params params = { .name = "sw1" };
	struct coming *coming = argument;
	struct nb_endpoint *ep;
	struct nb_guest guest;

	nb_guest_open(&guest, 0);
	while (!coming->stop) {
		nb_ok(nb_port_try(&guest, &params, &ep));
		nb_endpoint_close(ep);
	}
	nb_guest_close(&guest);
	return NULL;
}

TEST_F(switch_netlink, ports_that_stay_are_told_once_while_others_come_and_go)
{
	struct nb_endpoint *eps[MANY_PORTS];
	struct coming coming = { 0 };
	static struct told told;
	struct nb_guest guest;
	unsigned int i, round;

	open_many(&guest, eps, "sw1");
	pthread_create(&coming.thread, NULL, come_and_go, &coming);
	for (round = 0; round < 100; round++) {
		ASSERT_EQ(0, dump(&self->client, NB_CMD_SWITCH_PORT_GET, 0, &told));
		ASSERT_GE(told.n, MANY_PORTS);
		for (i = 0; i < MANY_PORTS; i++)
			ASSERT_EQ(i + 1, told.port[i].number);
		for (; i < told.n; i++)
			ASSERT_GT(told.port[i].number, told.port[i - 1].number);
	}
	coming.stop = true;
	pthread_join(coming.thread, NULL);
	close_many(&guest, eps);
}

/* ---- who sees what ------------------------------------------------------- */

TEST_F(switch_netlink, other_network_namespaces_see_nothing)
{
	static struct told told;
	struct nb_genl other;
	uint32_t id;

	add_port(self, NULL);
	introduce(self, 0, 2);
	id = ask(self, NB_CMD_SWITCH_GET)->bridge[0].id;
	nb_host_new_netns();
	nb_genl_open(&other);
	EXPECT_EQ(0, dump(&other, NB_CMD_SWITCH_GET, 0, &told));
	EXPECT_EQ(0, told.n);
	EXPECT_EQ(0, dump(&other, NB_CMD_SWITCH_PORT_GET, 0, &told));
	EXPECT_EQ(0, told.n);
	EXPECT_EQ(0, dump(&other, NB_CMD_SWITCH_FDB_GET, 0, &told));
	EXPECT_EQ(0, told.n);
	EXPECT_EQ(-ENOENT, dump(&other, NB_CMD_SWITCH_GET, id, &told));
	EXPECT_EQ(-ENOENT, dump(&other, NB_CMD_SWITCH_PORT_GET, id, &told));
	EXPECT_EQ(-ENOENT, dump(&other, NB_CMD_SWITCH_FDB_GET, id, &told));
	nb_genl_close(&other);
}

TEST_F(switch_netlink, endpoints_of_other_network_namespaces_are_not_named)
{
	struct nb_genl other;
	struct told *told;

	/* A port of the private switch, made in another namespace. */
	add_port(self, NULL);
	nb_host_new_netns();
	add_port(self, NULL);
	introduce(self, 1, 2);
	told = ask(self, NB_CMD_SWITCH_PORT_GET);
	ASSERT_EQ(2, told->n);
	EXPECT_EQ(id_of(&self->port[0]), told->port[0].endpoint);
	EXPECT_EQ(0, told->port[1].endpoint);
	told = ask(self, NB_CMD_SWITCH_FDB_GET);
	ASSERT_EQ(1, told->n);
	EXPECT_EQ(2, told->station[0].port);
	EXPECT_EQ(0, told->station[0].endpoint);
	/* The switch is there alone. */
	nb_genl_open(&other);
	EXPECT_EQ(0, dump(&other, NB_CMD_SWITCH_PORT_GET, 0, told));
	EXPECT_EQ(0, told->n);
	nb_genl_close(&other);
}

TEST_F(switch_netlink, anybody_may_look)
{
	add_port(self, NULL);
	nb_test_become_nobody();
	nb_genl_open(&self->client);
	EXPECT_EQ(1, ask(self, NB_CMD_SWITCH_GET)->n);
	EXPECT_EQ(1, ask(self, NB_CMD_SWITCH_PORT_GET)->n);
}

/* ---- nbctl --------------------------------------------------------------- */

/* Whether what nbctl prints has that in it, and it ends with that status. */
static bool nbctl_says(const char *arguments, int status, const char *expected)
{
	char command[256], output[8192];
	size_t len;
	FILE *pipe;
	int is;

	snprintf(command, sizeof(command), "PATH=.:$PATH nbctl %s 2>&1", arguments);
	pipe = popen(command, "re");
	if (!pipe)
		nb_die("popen: %s", strerror(errno));
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = 0;
	is = WEXITSTATUS(pclose(pipe));
	if (is == status && strstr(output, expected))
		return true;
	fprintf(stderr, "# status %d, no \"%s\" in\n%s", is, expected, output);
	return false;
}

TEST_F(switch_netlink, nbctl_shows_switches_ports_and_addresses)
{
	struct nb_switch_params trunk = {
		.name = "sw0", .flags = NB_SWITCH_ISOLATED, .vlan_mode = NB_SWITCH_VLAN_TRUNK,
		.vlans = { 0x0e, 1, [511] = 0x40 }, .unknown_limit = 30,
		.multicast_limit = NB_SWITCH_FLOOD_NONE,
	};
	struct nb_plan plan = nb_plan(0x102, 0), bad = nb_plan(3, 0);
	char expected[128];

	add_port(self, &trunk);
	nb_port_open(&self->port[self->n++], NULL);
	plan.beside = 8;
	nb_port_send(&self->port[0], &plan, NB_TX_OK);
	bad.from[0] = 3;
	bad.beside = 8;
	nb_port_send(&self->port[0], &bad, NB_TX_DROPPED);
	EXPECT_TRUE(nbctl_says("switch", 0, ": sw0: named ports 1 addresses 1/1024 ageing 300 "
			       "not-learned 0\n"));
	EXPECT_TRUE(nbctl_says("switch show", 0, ": -: private ports 1 addresses 0/1024 "));
	EXPECT_TRUE(nbctl_says("switch port sw0", 0, "vlan trunk vlans 1-3,8,4094 "
			       "multicast-limit none unknown-limit 30 addresses 1/128 "));
	snprintf(expected, sizeof(expected), ": sw0: port 1: endpoint %u queues 1 isolated\n",
		 id_of(&self->port[0]));
	EXPECT_TRUE(nbctl_says("switch port", 0, expected));
	EXPECT_TRUE(nbctl_says("switch port sw0", 0, "            0            0            0"
			       "            1            0\n"));
	EXPECT_TRUE(nbctl_says("switch fdb sw0", 0, "02:00:00:00:01:02 vlan 8 switch "));
	snprintf(expected, sizeof(expected), " sw0 port 1 endpoint %u age ",
		 id_of(&self->port[0]));
	EXPECT_TRUE(nbctl_says("switch fdb show sw0", 0, expected));
	EXPECT_TRUE(nbctl_says("-j switch", 0, ",\"name\":\"sw0\",\"private\":false,\"ports\":1,"
			       "\"addresses\":1,\"table_size\":1024,\"ageing_ms\":300000,"));
	EXPECT_TRUE(nbctl_says("-j switch port sw0", 0, "\"vlan\":\"trunk\","
			       "\"vlans\":[1,2,3,8,4094],\"multicast_limit\":\"none\","
			       "\"unknown_limit\":30,\"addresses\":1,\"max_addresses\":128,"));
	EXPECT_TRUE(nbctl_says("-j switch port sw0", 0, "\"source\":1,\"same_port\":0}}]\n"));
	EXPECT_TRUE(nbctl_says("-j switch fdb sw0", 0,
			       "[{\"address\":\"02:00:00:00:01:02\",\"vlan\":8,\"switch\":"));
	EXPECT_TRUE(nbctl_says("switch fdb sw9", 1, "no switch 'sw9'"));
	EXPECT_TRUE(nbctl_says("switch ports sw0", 2, "does not understand 'sw0'"));
	nb_host_new_netns();
	EXPECT_TRUE(nbctl_says("switch port", 0, ""));
	EXPECT_TRUE(nbctl_says("switch port sw0", 1, "no switch 'sw0'"));
}

TEST_HARNESS_MAIN
