// SPDX-License-Identifier: GPL-2.0
/*
 * The soak: mixed traffic through every kind, while all that can be changed changes, and
 * guests are killed. In every round of every kind, packets in are packets out and counted
 * drops, exactly; at the end, nothing is left of it.
 *
 * NB_SOAK_SECONDS says how long; "make soak" makes that half an hour. NB_SOAK_KINDS says
 * which, by name; else all. See nbsoak.h.
 */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "nbcgroup.h"
#include "nbgenl.h"
#include "nbsoak.h"

#define SECONDS		8u
/* The test's own time limit; see the alarm. */
#define TIME_LIMIT	100000
#define MAX_KINDS	16u
/*
 * Memory of the kernel that the soak may not give back, in KiB: some caches grow a little. A
 * thousand killed guests that leave a page each, or one in a hundred its rings, are more.
 */
#define SLACK_KIB	(2ul << 10)

static const char * const event_names[NB_SOAK_EVENTS] = {
	"rounds", "kills", "packets", "drops", "links", "disconnects", "replaced", "quiesced",
	"moderated", "spread", "captured", "MTUs", "moved", "sets of queues", "dumps", "regions",
	"dirty logs",
};

/* What must be as it was. */
struct state {
	unsigned long references, pinned, namespaces, files, objects, locked, kernel_kib;
};

FIXTURE(soak)
{
	struct nb_soak_report *reports;		/* one a cell */
	pid_t cells[MAX_KINDS];
};

FIXTURE_SETUP(soak)
{
	size_t size = MAX_KINDS * sizeof(struct nb_soak_report);

	ASSERT_LE(nb_soak_n_kinds, MAX_KINDS);
	nb_host_new_netns();
	nb_test_load_module();
	/* The example of another module's kind, which other tests may have loaded, holds it. */
	nb_test_run("sh", "-c", "rmmod net_backend_delay 2> /dev/null", NULL);
	self->reports = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->reports);
}

FIXTURE_TEARDOWN(soak)
{
}

static unsigned int seconds(void)
{
	const char *given = getenv("NB_SOAK_SECONDS");

	return given ? strtoul(given, NULL, 0) : SECONDS;
}

static bool wanted(const char *kind)
{
	const char *given = getenv("NB_SOAK_KINDS"), *at = given;
	size_t len = strlen(kind);

	if (!given || !*given)
		return true;
	for (; (at = strstr(at, kind)); at += len)
		if ((at == given || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* ---- what there is -------------------------------------------------------- */

static unsigned long count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned long n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void count_one(const struct nlattr *const *attributes, void *data)
{
	(*(unsigned long *)data)++;
}

/* Of this network namespace; those of cells go with theirs. */
static unsigned long count_objects(void)
{
	static const uint8_t dumps[] = {
		NB_CMD_ENDPOINT_GET, NB_CMD_QUEUE_GET, NB_CMD_MEMORY_GET, NB_CMD_REGION_GET,
		NB_CMD_SWITCH_GET, NB_CMD_SWITCH_PORT_GET,
	};
	struct nb_genl_request request;
	struct nb_genl client;
	unsigned long n = 0;
	unsigned int i;

	nb_genl_open(&client);
	for (i = 0; i < ARRAY_LEN(dumps); i++) {
		request = nb_genl_request(client.family, dumps[i], NLM_F_DUMP);
		nb_ok(nb_genl_talk(&client, &request, count_one, &n));
	}
	nb_genl_close(&client);
	return n;
}

/* Else objects that were freed count as long as CPUs and caches keep them. */
static void forget_free_ones(const char *cache)
{
	char path[320];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	nb_test_write(path, "1");
}

static void forget_all_free_ones(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	struct dirent *entry;

	nb_test_write("/proc/sys/vm/drop_caches", "3");
	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR)
			forget_free_ones(entry->d_name);
	if (dir)
		closedir(dir);
}

/*
 * The kernel frees the last network namespaces that have ended when the next ones do: one ends
 * here for that, which itself is left each time. It takes its time for both.
 */
static unsigned long count_namespaces(void)
{
	unsigned long n, least = ULONG_MAX;
	pid_t child = nb_soak_fork();
	unsigned int i;

	if (!child) {
		nb_sys(unshare(CLONE_NEWNET));
		_exit(0);
	}
	nb_sys(waitpid(child, NULL, 0));
	for (i = 0; i < 20; i++) {
		usleep(50000);
		forget_free_ones("net_namespace");
		n = nb_number_in("/proc/slabinfo", "net_namespace ");
		least = n < least ? n : least;
	}
	return least;
}

static struct state look(void)
{
	unsigned long namespaces = count_namespaces();

	forget_all_free_ones();
	return (struct state){
		.references = nb_module_references(),
		.pinned = nb_pinned_pages(),
		.namespaces = namespaces,
		.files = count_files(),
		.objects = count_objects(),
		.locked = nb_number_in("/proc/meminfo", "Mlocked:"),
		.kernel_kib = nb_number_in("/proc/meminfo", "Slab:") +
			      nb_number_in("/proc/meminfo", "Percpu:") +
			      nb_number_in("/proc/meminfo", "VmallocUsed:") +
			      nb_number_in("/proc/meminfo", "PageTables:") +
			      nb_number_in("/proc/meminfo", "KernelStack:"),
	};
}

static bool is_as_before(const struct state *before, struct state *now)
{
	*now = look();
	return now->references == before->references && now->pinned == before->pinned &&
	       now->namespaces <= before->namespaces && now->files == before->files &&
	       now->objects == before->objects && now->locked == before->locked &&
	       now->kernel_kib < before->kernel_kib + SLACK_KIB;
}

static void print_state(const char *when, const struct state *state)
{
	printf("# %s: %lu references, %lu pinned pages, %lu namespaces, %lu files, %lu objects, "
	       "%lu KiB locked, %lu KiB of the kernel\n", when, state->references, state->pinned,
	       state->namespaces, state->files, state->objects, state->locked, state->kernel_kib);
	fflush(stdout);
}

/* ---- the soak ------------------------------------------------------------- */

static void print_report(const char *name, const struct nb_soak_report *report)
{
	unsigned int i;

	printf("# %s:", name);
	for (i = 0; i < NB_SOAK_EVENTS; i++)
		if (report->events[i])
			printf(" %" PRIu64 " %s,", report->events[i], event_names[i]);
	printf("\n");
	fflush(stdout);
}

static void print_sum(const struct nb_soak_report *reports, unsigned int minute)
{
	struct nb_soak_report sum = { 0 };
	char name[32];
	unsigned int i, k;

	for (i = 0; i < nb_soak_n_kinds; i++)
		for (k = 0; k < NB_SOAK_EVENTS; k++)
			sum.events[k] += reports[i].events[k];
	snprintf(name, sizeof(name), "minute %u", minute);
	print_report(name, &sum);
}

static void start_cells(FIXTURE_DATA(soak) *self)
{
	struct nb_random random;
	unsigned int i, n = 0;

	nb_random_start(&random);
	memset(self->reports, 0, nb_soak_n_kinds * sizeof(*self->reports));
	for (i = 0; i < nb_soak_n_kinds; i++) {
		uint64_t seed = nb_random_below(&random, UINT32_MAX);

		self->cells[i] = 0;
		if (!wanted(nb_soak_kinds[i].name))
			continue;
		n++;
		nb_soak_does(&self->reports[i], "begins");
		self->cells[i] = nb_soak_fork();
		if (!self->cells[i])
			nb_soak_run(&nb_soak_kinds[i], &self->reports[i], seed);
	}
	if (!n)
		nb_die("NB_SOAK_KINDS: there is no kind of this name");
}

/* A cell that has failed has said why; false. */
static bool cells_live(FIXTURE_DATA(soak) *self)
{
	unsigned int i;

	for (i = 0; i < nb_soak_n_kinds; i++) {
		if (!self->cells[i])
			continue;
		if (waitpid(self->cells[i], NULL, WNOHANG)) {
			self->cells[i] = 0;
			return false;
		}
		if (nb_soak_hangs(nb_soak_kinds[i].name, &self->reports[i]))
			return false;
	}
	return true;
}

static bool end_cells(FIXTURE_DATA(soak) *self)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < nb_soak_n_kinds; i++) {
		nb_soak_set(&self->reports[i].over, 1);
		nb_soak_set(&self->reports[i].go, 1);
	}
	for (i = 0; i < nb_soak_n_kinds; i++) {
		if (!self->cells[i])
			continue;
		all &= nb_soak_wait(nb_soak_kinds[i].name, &self->reports[i], self->cells[i]);
		print_report(nb_soak_kinds[i].name, &self->reports[i]);
	}
	return all;
}

/* All begin at the same time. */
static bool let_cells_go(FIXTURE_DATA(soak) *self)
{
	unsigned int i;

	for (i = 0; i < nb_soak_n_kinds; i++)
		if (self->cells[i] && !nb_soak_get(&self->reports[i].open))
			return false;
	for (i = 0; i < nb_soak_n_kinds; i++)
		nb_soak_set(&self->reports[i].go, 1);
	return true;
}

static bool run_cells(FIXTURE_DATA(soak) *self, unsigned int length)
{
	unsigned int minute = 0;
	uint64_t start = 0;

	start_cells(self);
	while (!start || nb_test_now() - start < length * 1000ull) {
		usleep(100000);
		if (!cells_live(self)) {
			end_cells(self);
			return false;
		}
		if (!start && let_cells_go(self))
			start = nb_test_now();
		if (start && nb_test_now() - start >= (minute + 1) * 60000ull)
			print_sum(self->reports, ++minute);
	}
	return end_cells(self);
}

TEST_F_TIMEOUT(soak, packets_in_are_packets_out_and_drops_and_nothing_is_left, TIME_LIMIT)
{
	struct state before, after = { 0 };

	alarm(seconds() + 1200);
	if (!nb_soak_count())
		SKIP(return, "needs histograms of tracepoints");
	/* What the kernel keeps from the first time on is not left behind by the second. */
	ASSERT_TRUE(run_cells(self, 0));
	nb_soak_stop_counting();
	/* Of a soak before nothing is there any more. */
	ASSERT_TRUE(nb_soak_until((before = look(), !before.references && !before.objects)));
	print_state("before", &before);
	ASSERT_TRUE(nb_soak_count());
	EXPECT_TRUE(run_cells(self, seconds()));
	nb_soak_print_drops();
	nb_soak_stop_counting();
	EXPECT_TRUE(nb_soak_until(is_as_before(&before, &after)));
	print_state("after", &after);
	EXPECT_EQ(0, after.references);
	EXPECT_EQ(0, after.objects);
	if (access("/sys/module/net_backend/initstate", F_OK))
		return;
	ASSERT_EQ(0, nb_test_run("rmmod", "net_backend", NULL));
	EXPECT_NE(0, access("/sys/module/net_backend", F_OK));
	nb_test_load_module();
}

TEST_HARNESS_MAIN
