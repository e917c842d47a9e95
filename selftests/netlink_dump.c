// SPDX-License-Identifier: GPL-2.0
/*
 * Dumps of endpoints and queues while these come and go: one that is not marked as
 * interrupted shows what was there at some moment, and any shows what stays exactly once.
 */
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbgenl.h"
#include "nbtest.h"

#define MANY		4096
#define SOME		600	/* more than one message of the kernel has room for */
#define MAX_ID		(MANY + 256)

FIXTURE(netlink_dump)
{
	struct nb_guest guest;
	struct nb_genl client;
	struct nb_endpoint **eps;
	unsigned int n;
};

FIXTURE_SETUP(netlink_dump)
{
	const struct rlimit files = { .rlim_cur = MAX_ID, .rlim_max = MAX_ID };

	nb_sys(setrlimit(RLIMIT_NOFILE, &files));
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_genl_open(&self->client);
	self->eps = calloc(MANY, sizeof(*self->eps));
	self->n = 0;
}

FIXTURE_TEARDOWN(netlink_dump)
{
	while (self->n)
		nb_endpoint_close(self->eps[--self->n]);
	free(self->eps);
	nb_genl_close(&self->client);
	nb_guest_close(&self->guest);
}

static struct nb_endpoint *make(FIXTURE_DATA(netlink_dump) *self)
{
	struct nb_endpoint_params params = { .kind = "null", .netns_fd = -1 };
	struct nb_endpoint *ep;

	nb_ok(nb_endpoint_create(self->guest.nb, &params, &ep));
	return ep;
}

static void make_many(FIXTURE_DATA(netlink_dump) *self, unsigned int n)
{
	while (self->n < n)
		self->eps[self->n++] = make(self);
}

static uint32_t id_of(struct nb_endpoint *ep)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(ep, &info));
	return info.id;
}

/* What a dump shows, and what happens when it has begun. */
struct shown {
	unsigned int n;
	uint8_t times[MAX_ID];	/* by the id of an endpoint */
	void (*meanwhile)(void *data);
	void *data;
};

static void show(const struct nlattr *const *attributes, void *data)
{
	uint32_t id = nb_genl_u32(attributes[NB_A_ENDPOINT_ID]);
	struct shown *shown = data;

	if (id >= MAX_ID)
		nb_die("endpoint %u", id);
	shown->times[id]++;
	if (!shown->n++ && shown->meanwhile)
		shown->meanwhile(shown->data);
}

static void show_queue(const struct nlattr *const *attributes, void *data)
{
	struct shown *shown = data;

	shown->times[nb_genl_u32(attributes[NB_A_QUEUE_INDEX])]++;
	if (!shown->n++ && shown->meanwhile)
		shown->meanwhile(shown->data);
}

/* Whether it is marked as interrupted. */
static bool dump(struct nb_genl *client, uint8_t command, struct shown *shown,
		 void (*meanwhile)(void *data), void *data)
{
	struct nb_genl_request request = nb_genl_request(client->family, command, NLM_F_DUMP);
	int err;

	memset(shown, 0, sizeof(*shown));
	shown->meanwhile = meanwhile;
	shown->data = data;
	err = nb_genl_talk(client, &request, command == NB_CMD_QUEUE_GET ? show_queue : show,
			   shown);
	if (err)
		nb_die("dump %u: error %d", command, -err);
	return client->interrupted;
}

/* ---- one change ---------------------------------------------------------- */

static void close_last(void *data)
{
	FIXTURE_DATA(netlink_dump) *self = data;

	nb_endpoint_close(self->eps[--self->n]);
}

static void make_another(void *data)
{
	FIXTURE_DATA(netlink_dump) *self = data;

	self->eps[self->n++] = make(self);
}

/* In a namespace of its own, where nobody has asked for anything. */
static void make_elsewhere(void *data)
{
	FIXTURE_DATA(netlink_dump) *self = data;
	struct nb_endpoint_params params = { .kind = "null", .netns_fd = -1 };
	pid_t child = nb_sys(fork());
	struct nb_endpoint *ep;
	int status;

	if (!child) {
		nb_host_new_netns();
		nb_ok(nb_endpoint_create(self->guest.nb, &params, &ep));
		_exit(0);
	}
	nb_sys(waitpid(child, &status, 0));
}

TEST_F(netlink_dump, is_marked_if_an_endpoint_comes_or_goes_meanwhile)
{
	static struct shown shown;

	make_many(self, SOME);
	EXPECT_FALSE(dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, NULL, NULL));
	EXPECT_EQ(SOME, shown.n);
	EXPECT_TRUE(dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, close_last, self));
	EXPECT_TRUE(dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, make_another, self));
	EXPECT_FALSE(dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, NULL, NULL));
	EXPECT_EQ(SOME, shown.n);
}

TEST_F(netlink_dump, is_not_marked_for_most_of_what_other_namespaces_do)
{
	static struct shown shown;
	unsigned int i, marked = 0;

	make_many(self, SOME);
	/* Namespaces can share a counter; there are 64 of them. */
	for (i = 0; i < 3; i++)
		marked += dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, make_elsewhere, self);
	EXPECT_GT(3, marked);
}

static void move_away(void *data)
{
	struct nb_endpoint_info *info = data;

	if (nb_test_run("ip", "link", "set", info->name, "netns", "1", NULL))
		nb_die("%s cannot be moved", info->name);
}

TEST_F(netlink_dump, is_marked_if_an_interface_takes_its_endpoint_elsewhere)
{
	struct nb_endpoint_params params = {
		.kind = "netdev", .name = "nbmoves", .netns_fd = -1,
	};
	struct nb_endpoint_info info;
	static struct shown shown;
	struct nb_endpoint *ep;

	make_many(self, SOME);
	nb_ok(nb_endpoint_create(self->guest.nb, &params, &ep));
	nb_ok(nb_endpoint_get_info(ep, &info));
	EXPECT_FALSE(dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, NULL, NULL));
	EXPECT_EQ(1, shown.times[info.id]);
	EXPECT_TRUE(dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, move_away, &info));
	EXPECT_FALSE(dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, NULL, NULL));
	EXPECT_EQ(0, shown.times[info.id]);
	nb_endpoint_close(ep);
}

static void stop_nic(void *data)
{
	nb_nic_stop(data);
}

static void start_nic(void *data)
{
	nb_nic_start(data, 1, 64);
}

TEST_F(netlink_dump, is_marked_if_a_queue_comes_or_goes_meanwhile)
{
	static struct shown shown;
	struct nb_nic nics[5], *last = &nics[ARRAY_LEN(nics) - 1];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(nics); i++) {
		nb_nic_open(&nics[i], &self->guest, &nb_test_null, 0);
		nb_nic_start(&nics[i], &nics[i] == last ? 1 : NB_TEST_QUEUES, 64);
	}
	EXPECT_FALSE(dump(&self->client, NB_CMD_QUEUE_GET, &shown, NULL, NULL));
	EXPECT_EQ((ARRAY_LEN(nics) - 1) * NB_TEST_QUEUES + 1, shown.n);
	EXPECT_EQ(ARRAY_LEN(nics), shown.times[0]);
	EXPECT_TRUE(dump(&self->client, NB_CMD_QUEUE_GET, &shown, stop_nic, last));
	EXPECT_TRUE(dump(&self->client, NB_CMD_QUEUE_GET, &shown, start_nic, last));
	/* An endpoint without queues changes nothing in a dump of queues. */
	EXPECT_FALSE(dump(&self->client, NB_CMD_QUEUE_GET, &shown, make_another, self));
	for (i = 0; i < ARRAY_LEN(nics); i++)
		nb_nic_close(&nics[i]);
}

/* ---- many changes -------------------------------------------------------- */

/*
 * Of the two endpoints that come and go, one is always there: the one whose id is below
 * those of all that stay, or the one above, or both.
 */
struct churn {
	FIXTURE_DATA(netlink_dump) *self;
	struct nb_endpoint *low, *high;
	bool stop;
	unsigned int changes;
};

static void *churn_run(void *arg)
{
	struct churn *churn = arg;
	struct nb_endpoint **next = &churn->high, **last = &churn->low, **spare;

	while (!__atomic_load_n(&churn->stop, __ATOMIC_RELAXED)) {
		*next = make(churn->self);
		nb_endpoint_close(*last);
		*last = NULL;
		spare = last;
		last = next;
		next = spare;
		__atomic_add_fetch(&churn->changes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void some_changes(void *data)
{
	struct churn *churn = data;
	unsigned int before = __atomic_load_n(&churn->changes, __ATOMIC_RELAXED);

	if (!nb_until(__atomic_load_n(&churn->changes, __ATOMIC_RELAXED) > before + 1))
		nb_die("nothing changes");
}

TEST_F(netlink_dump, of_4096_endpoints_shows_each_once_while_others_come_and_go)
{
	struct churn churn = { .self = self, .low = make(self) };
	uint32_t low = id_of(churn.low), high;
	static uint32_t ids[MANY];
	static struct shown shown;
	unsigned int i, round;
	pthread_t thread;
	bool marked;

	make_many(self, MANY);
	churn.high = make(self);
	high = id_of(churn.high);
	nb_endpoint_close(churn.high);
	for (i = 0; i < MANY; i++) {
		ids[i] = id_of(self->eps[i]);
		if (ids[i] <= low || ids[i] >= high)
			nb_die("ids are given in another order");
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn_run, &churn));
	for (round = 0; round < 8; round++) {
		marked = dump(&self->client, NB_CMD_ENDPOINT_GET, &shown,
			      round % 2 ? some_changes : NULL, &churn);
		for (i = 0; i < MANY; i++)
			if (shown.times[ids[i]] != 1)
				nb_die("endpoint %u is there %u times", ids[i],
				       shown.times[ids[i]]);
		if (!marked)
			EXPECT_LE(1, shown.times[low] + shown.times[high]);
		if (round % 2)
			EXPECT_TRUE(marked);
	}
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_FALSE(dump(&self->client, NB_CMD_ENDPOINT_GET, &shown, NULL, NULL));
	EXPECT_EQ(MANY + 1, shown.n);
	EXPECT_EQ(1, shown.times[low] + shown.times[high]);
	nb_endpoint_close(churn.low ? churn.low : churn.high);
}

/* ---- a change at any moment ---------------------------------------------- */

#define PIECE		4096	/* what the kernel fills at a time, bytes, and a bit more */
#define AHEAD		100	/* messages that it may have filled already, or more */

/* Another thread makes a change after so many messages, and a while. */
struct change {
	FIXTURE_DATA(netlink_dump) *self;
	struct shown shown;
	unsigned int after;	/* messages */
	struct nb_random *random;
	bool made;
	bool early;		/* much of the dump was filled after it */
};

static void *change_run(void *arg)
{
	struct change *change = arg;

	while (__atomic_load_n(&change->shown.n, __ATOMIC_RELAXED) < change->after)
		;
	nb_random_spin(change->random, 100 * 1000);
	if (change->self->n > SOME)
		close_last(change->self);
	else
		make_another(change->self);
	__atomic_store_n(&change->made, true, __ATOMIC_RELEASE);
	return NULL;
}

static void show_until_made(const struct nlattr *const *attributes, void *data)
{
	struct change *change = data;

	__atomic_add_fetch(&change->shown.n, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&change->made, __ATOMIC_ACQUIRE) && change->shown.n < SOME - AHEAD)
		change->early = true;
}

/* A new socket, as the most that a socket was ever asked for counts. */
static struct nb_genl small_pieces(uint16_t family, struct nb_random *random)
{
	return (struct nb_genl){
		.fd = nb_sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC)),
		.family = family,
		.room = PIECE + nb_random_below(random, 256),
	};
}

/*
 * One that falls between the last message that a piece has room for and the next one is seen
 * there by a message that is not sent.
 */
TEST_F(netlink_dump, is_marked_if_an_endpoint_comes_or_goes_at_any_moment)
{
	struct nb_genl_request request;
	struct nb_genl client;
	unsigned int early = 0, n = nb_rounds(200, 300);
	struct nb_random random;
	pthread_t thread;

	nb_random_start(&random);
	make_many(self, SOME);
	while (early < n) {
		struct change change = {
			.self = self,
			.after = 1 + nb_random_below(&random, SOME / 2),
			.random = &random,
		};

		client = small_pieces(self->client.family, &random);
		ASSERT_EQ(0, pthread_create(&thread, NULL, change_run, &change));
		request = nb_genl_request(client.family, NB_CMD_ENDPOINT_GET, NLM_F_DUMP);
		EXPECT_EQ(0, nb_genl_talk(&client, &request, show_until_made, &change));
		pthread_join(thread, NULL);
		early += change.early;
		if (change.early)
			ASSERT_TRUE(client.interrupted);
		nb_genl_close(&client);
	}
}

TEST_HARNESS_MAIN
