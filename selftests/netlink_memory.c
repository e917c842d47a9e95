// SPDX-License-Identifier: GPL-2.0
/*
 * Guests' memories and their regions as operators see them: what they are like, where, and
 * while they come and go.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <linux/capability.h>

#include "kselftest_harness.h"
#include "nbgenl.h"
#include "nbtest.h"

#define MANY	1200	/* more than one message of the kernel has room for */

FIXTURE(netlink_memory)
{
	struct nb_guest guest;	/* with two regions */
	struct nb_genl client;
};

FIXTURE_SETUP(netlink_memory)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_genl_open(&self->client);
}

FIXTURE_TEARDOWN(netlink_memory)
{
	nb_genl_close(&self->client);
	nb_guest_close(&self->guest);
}

/* What a dump tells, and what happens when it has begun. */
struct told {
	unsigned int n;
	struct told_memory {
		uint32_t id, pid, regions;
		uint64_t size, locked;
		bool dirty_log;
	} memory[4];
	struct told_region {
		uint32_t memory;
		uint64_t gpa, len, unit, locked, dirty_log;
		bool read_only;
	} region[MANY + 4];
	void (*meanwhile)(void *data);
	void *data;
};

static void see_memory(const struct nlattr *const *a, void *data)
{
	struct told *told = data;

	if (told->n == ARRAY_LEN(told->memory))
		nb_die("more memories");
	told->memory[told->n++] = (struct told_memory){
		.id = nb_genl_u32(a[NB_A_MEMORY_ID]),
		.pid = nb_genl_u32(a[NB_A_MEMORY_PID]),
		.regions = nb_genl_u32(a[NB_A_MEMORY_REGIONS]),
		.size = nb_genl_u64(a[NB_A_MEMORY_SIZE]),
		.locked = nb_genl_u64(a[NB_A_MEMORY_LOCKED]),
		.dirty_log = a[NB_A_MEMORY_DIRTY_LOG],
	};
}

static void see_region(const struct nlattr *const *a, void *data)
{
	struct told *told = data;

	if (told->n == ARRAY_LEN(told->region))
		nb_die("more regions");
	told->region[told->n] = (struct told_region){
		.memory = nb_genl_u32(a[NB_A_REGION_MEMORY_ID]),
		.gpa = nb_genl_u64(a[NB_A_REGION_GPA]),
		.len = nb_genl_u64(a[NB_A_REGION_LEN]),
		.unit = nb_genl_u64(a[NB_A_REGION_UNIT]),
		.locked = nb_genl_u64(a[NB_A_REGION_LOCKED]),
		.dirty_log = nb_genl_u64(a[NB_A_REGION_DIRTY_LOG]),
		.read_only = a[NB_A_REGION_READ_ONLY],
	};
	if (!told->n++ && told->meanwhile)
		told->meanwhile(told->data);
}

/* All, or that memory's: 0 or a negative errno. */
static int dump(struct nb_genl *client, uint8_t command, uint32_t id, struct told *told)
{
	struct nb_genl_request request = nb_genl_request(client->family, command, NLM_F_DUMP);

	told->n = 0;
	if (id)
		nb_genl_add(&request, command == NB_CMD_MEMORY_GET ? NB_A_MEMORY_ID :
			    NB_A_REGION_MEMORY_ID, &id, sizeof(id));
	return nb_genl_talk(client, &request,
			    command == NB_CMD_MEMORY_GET ? see_memory : see_region, told);
}

static const struct told *ask(struct nb_genl *client, uint8_t command, uint32_t id)
{
	static struct told told;

	told.meanwhile = NULL;
	nb_ok(dump(client, command, id, &told));
	return &told;
}

TEST_F(netlink_memory, memories_and_regions_are_told_as_they_were_made)
{
	void *pages = nb_test_pages(3 * NB_PAGE);
	const struct told *told;
	uint32_t id;

	nb_ok(nb_memory_add(self->guest.mem, NB_MORE_GPA, pages, 3 * NB_PAGE,
			    NB_REGION_READ_ONLY));
	told = ask(&self->client, NB_CMD_MEMORY_GET, 0);
	ASSERT_EQ(1, told->n);
	id = told->memory[0].id;
	EXPECT_NE(0, id);
	EXPECT_EQ(getpid(), told->memory[0].pid);
	EXPECT_EQ(3, told->memory[0].regions);
	EXPECT_EQ(NB_RX_SIZE + NB_TX_SIZE + 3 * NB_PAGE, told->memory[0].size);
	EXPECT_FALSE(told->memory[0].dirty_log);
	told = ask(&self->client, NB_CMD_REGION_GET, 0);
	ASSERT_EQ(3, told->n);
	EXPECT_EQ(id, told->region[2].memory);
	EXPECT_EQ(NB_RX_GPA, told->region[0].gpa);
	EXPECT_EQ(NB_RX_SIZE, told->region[0].len);
	EXPECT_FALSE(told->region[0].read_only);
	EXPECT_EQ(NB_TX_GPA, told->region[1].gpa);
	EXPECT_EQ(NB_MORE_GPA, told->region[2].gpa);
	EXPECT_EQ(3 * NB_PAGE, told->region[2].len);
	EXPECT_EQ(NB_PAGE, told->region[2].unit);
	EXPECT_TRUE(told->region[2].read_only);

	/* One that goes is told no more. */
	nb_ok(nb_memory_remove(self->guest.mem, NB_MORE_GPA, 3 * NB_PAGE));
	EXPECT_EQ(2, ask(&self->client, NB_CMD_REGION_GET, id)->n);
	EXPECT_EQ(2, ask(&self->client, NB_CMD_MEMORY_GET, id)->memory[0].regions);
	nb_memory_close(self->guest.mem);
	EXPECT_EQ(0, ask(&self->client, NB_CMD_MEMORY_GET, 0)->n);
	EXPECT_EQ(0, ask(&self->client, NB_CMD_REGION_GET, 0)->n);
	nb_ok(nb_memory_create(self->guest.nb, &self->guest.mem));
}

TEST_F(netlink_memory, a_dirty_log_is_told_while_it_is_on)
{
	const struct told *told;

	nb_ok(nb_memory_start_dirty_log(self->guest.mem));
	EXPECT_TRUE(ask(&self->client, NB_CMD_MEMORY_GET, 0)->memory[0].dirty_log);
	told = ask(&self->client, NB_CMD_REGION_GET, 0);
	EXPECT_LE(NB_RX_SIZE / NB_PAGE / 8, told->region[0].dirty_log);
	nb_ok(nb_memory_stop_dirty_log(self->guest.mem));
	EXPECT_FALSE(ask(&self->client, NB_CMD_MEMORY_GET, 0)->memory[0].dirty_log);
	EXPECT_EQ(0, ask(&self->client, NB_CMD_REGION_GET, 0)->region[0].dirty_log);
}

TEST_F(netlink_memory, what_counts_against_a_limit_is_told)
{
	const struct told *told;

	EXPECT_EQ(0, ask(&self->client, NB_CMD_MEMORY_GET, 0)->memory[0].locked);
	nb_test_drop_capability(CAP_IPC_LOCK);
	nb_ok(nb_memory_add(self->guest.mem, NB_MORE_GPA, nb_test_pages(2 * NB_PAGE),
			    2 * NB_PAGE, 0));
	EXPECT_EQ(2 * NB_PAGE, ask(&self->client, NB_CMD_MEMORY_GET, 0)->memory[0].locked);
	told = ask(&self->client, NB_CMD_REGION_GET, 0);
	EXPECT_EQ(0, told->region[0].locked);
	EXPECT_EQ(2 * NB_PAGE, told->region[2].locked);
}

TEST_F(netlink_memory, one_sees_those_that_were_made_in_ones_namespace)
{
	uint32_t id = ask(&self->client, NB_CMD_MEMORY_GET, 0)->memory[0].id;
	struct nb_memory *mem;
	struct nb_genl other;
	struct told told;

	nb_host_new_netns();
	nb_genl_open(&other);
	EXPECT_EQ(0, ask(&other, NB_CMD_MEMORY_GET, 0)->n);
	EXPECT_EQ(0, ask(&other, NB_CMD_REGION_GET, 0)->n);
	told.meanwhile = NULL;
	EXPECT_EQ(-ENOENT, dump(&other, NB_CMD_MEMORY_GET, id, &told));
	EXPECT_NE(NULL, strstr(other.reason, "no memory with this id"));
	EXPECT_EQ(-ENOENT, dump(&other, NB_CMD_REGION_GET, id, &told));
	EXPECT_NE(NULL, strstr(other.reason, "no memory with this id"));
	nb_ok(nb_memory_create(self->guest.nb, &mem));
	EXPECT_EQ(1, ask(&other, NB_CMD_MEMORY_GET, 0)->n);
	EXPECT_EQ(1, ask(&self->client, NB_CMD_MEMORY_GET, 0)->n);
	nb_memory_close(mem);
	nb_genl_close(&other);
}

/* In a PID namespace of its own, whoever is outside has none. */
TEST_F(netlink_memory, the_process_has_the_number_that_the_caller_sees)
{
	int status;
	pid_t child;

	nb_sys(unshare(CLONE_NEWPID));
	child = nb_sys(fork());
	if (!child) {
		nb_genl_open(&self->client);
		_exit(ask(&self->client, NB_CMD_MEMORY_GET, 0)->memory[0].pid != 0);
	}
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

static void add_many(struct nb_memory *mem)
{
	char *pages = nb_test_pages(MANY * NB_PAGE);
	unsigned int i;

	for (i = 0; i < MANY; i++)
		nb_ok(nb_memory_add(mem, NB_MORE_GPA + 2ull * i * NB_PAGE, pages + i * NB_PAGE,
				    NB_PAGE, 0));
}

static void remove_last(void *data)
{
	nb_ok(nb_memory_remove(data, NB_MORE_GPA + 2ull * (MANY - 1) * NB_PAGE, NB_PAGE));
}

static void start_log(void *data)
{
	nb_ok(nb_memory_start_dirty_log(data));
}

static void stop_log(void *data)
{
	nb_ok(nb_memory_stop_dirty_log(data));
}

static void let_go(void *data)
{
	struct nb_memory **mem = data;

	nb_memory_close(*mem);
	*mem = NULL;
}

TEST_F(netlink_memory, a_dump_of_regions_is_marked_if_they_change_and_keeps_no_memory)
{
	struct nb_memory *mem;
	struct told told = { .meanwhile = remove_last };
	unsigned int i;

	nb_ok(nb_memory_create(self->guest.nb, &mem));
	add_many(mem);
	told.data = mem;
	ASSERT_EQ(0, dump(&self->client, NB_CMD_REGION_GET, 0, &told));
	EXPECT_TRUE(self->client.interrupted);
	EXPECT_LE(MANY + 1, told.n);
	told.meanwhile = NULL;
	ASSERT_EQ(0, dump(&self->client, NB_CMD_REGION_GET, 0, &told));
	EXPECT_FALSE(self->client.interrupted);
	ASSERT_EQ(MANY + 1, told.n);
	for (i = 0; i < MANY - 1; i++)
		EXPECT_EQ(NB_MORE_GPA + 2ull * i * NB_PAGE, told.region[2 + i].gpa);
	/* Some of them are told with a log, and others without. */
	told.meanwhile = start_log;
	ASSERT_EQ(0, dump(&self->client, NB_CMD_REGION_GET, 0, &told));
	EXPECT_TRUE(self->client.interrupted);
	told.meanwhile = stop_log;
	ASSERT_EQ(0, dump(&self->client, NB_CMD_REGION_GET, 0, &told));
	EXPECT_TRUE(self->client.interrupted);
	/* It goes in the middle of the dump, which then ends. */
	told.meanwhile = let_go;
	told.data = &mem;
	ASSERT_EQ(0, dump(&self->client, NB_CMD_REGION_GET, 0, &told));
	EXPECT_TRUE(self->client.interrupted);
	EXPECT_GT(MANY + 1, told.n);
	told.meanwhile = NULL;
	ASSERT_EQ(0, dump(&self->client, NB_CMD_REGION_GET, 0, &told));
	EXPECT_EQ(2, told.n);
}

struct churn {
	struct nb *nb;
	bool stop;
};

static void *churn_run(void *arg)
{
	void *pages = nb_test_pages(2 * NB_PAGE);
	struct churn *churn = arg;
	struct nb_memory *mem;

	while (!__atomic_load_n(&churn->stop, __ATOMIC_RELAXED)) {
		nb_ok(nb_memory_create(churn->nb, &mem));
		nb_ok(nb_memory_add(mem, 0, pages, NB_PAGE, 0));
		nb_ok(nb_memory_add(mem, NB_PAGE, pages + NB_PAGE, NB_PAGE, 0));
		nb_memory_close(mem);
	}
	return NULL;
}

TEST_F(netlink_memory, memories_come_and_go_while_they_are_dumped)
{
	struct churn churn = { .nb = self->guest.nb };
	struct told told = { 0 };
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, churn_run, &churn));
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, dump(&self->client, NB_CMD_MEMORY_GET, 0, &told));
		ASSERT_TRUE(told.n >= 1 && told.memory[0].regions == 2);
		ASSERT_EQ(0, dump(&self->client, NB_CMD_REGION_GET, 0, &told));
		ASSERT_LE(2, told.n);
	}
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(1, ask(&self->client, NB_CMD_MEMORY_GET, 0)->n);
}

TEST_HARNESS_MAIN
