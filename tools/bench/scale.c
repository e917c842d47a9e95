// SPDX-License-Identifier: GPL-2.0
/*
 * nbscale: what many endpoints, queues and regions cost, and large pages
 *
 * A row is a packet's cost on path loopback with so many objects there, what one
 * costs to create and to destroy, and the kernel memory that it takes.  The claims at the
 * end are what the project promises of it; without the counting VM nbscale does not run.
 */

#include <linux/mman.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <libnb.h>

#include "bench.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define REPETITIONS		5
#define GPA			0x100000
#define PAGE			4096u
#define MAX_ENDPOINTS		4096u
#define GROWTH			1.10	/* a packet's cost with most objects, to that with one */
#define NO_MORE			1.01	/* the same, to the accuracy of this */
#define MAX_ENDPOINT_BYTES	(64 << 10)
#define MAX_ENDPOINT_NS		1e6

struct cost {
	double packet;		/* instructions */
	double create;		/* each */
	double destroy;
	double memory;		/* bytes */
};

static FILE *file;
static unsigned int failures;

static double read_clock(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* Whoever works */
static double now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* This process alone: where it sleeps, the clock would jump. */
static double own_time(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* When what has been freed is really free: later, and somebody else does that. */
static double free_memory(void)
{
	const struct timespec moment = { .tv_sec = 1 };
	struct sysinfo info;

	nanosleep(&moment, NULL);
	if (sysinfo(&info) < 0)
		die("sysinfo fails");
	return (double)info.freeram * info.mem_unit;
}

/* ---- a packet's cost on a guest with options ----------------------------- */

static struct guest_options guest_options;

static void *scale_open(const struct shape *shape)
{
	return guest_open_with("loopback", shape, &guest_options);
}

static double packet_cost(const struct guest_options *options, unsigned int size)
{
	const struct shape shape = { size, 64, 1 };
	struct path path = loopback_both;
	struct result result;

	guest_options = *options;
	path.open = scale_open;
	if (measure(&path, &shape, REPETITIONS, &result) < 0)
		die("this cannot be measured");
	return result.median;
}

/* ---- output -------------------------------------------------------------- */

static void print_row(const char *what, unsigned int n, const struct cost *cost)
{
	printf("%-28s %6u %10.1f %10.0f %10.0f %10.1f\n", what, n, cost->packet, cost->create,
	       cost->destroy, cost->memory / 1024);
	fflush(stdout);
	if (file)
		fprintf(file, "%s\t%u\t%.1f\t%.0f\t%.0f\t%.0f\n", what, n, cost->packet,
			cost->create, cost->destroy, cost->memory);
}

static void claim(bool holds, const char *what)
{
	printf("%s %s\n", holds ? "ok" : "FAIL", what);
	if (!holds)
		failures++;
}

/* ---- endpoints, each with a queue ---------------------------------------- */

struct endpoint {
	struct nb_endpoint *ep;
	struct nb_queue *queue;
};

static void endpoint_make(struct nb *nb, struct nb_memory *mem, struct endpoint *endpoint)
{
	const struct nb_endpoint_params params = {
		.kind = "loopback", .netns_fd = -1, .max_queues = 1,
	};
	const struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };

	if (nb_endpoint_create(nb, &params, &endpoint->ep) < 0 ||
	    nb_endpoint_get_queues(endpoint->ep, mem, &config, 1, NULL, &endpoint->queue) < 0)
		die("endpoint: %s", nb_error());
}

static void endpoint_drop(struct endpoint *endpoint)
{
	nb_queue_close(endpoint->queue);
	nb_endpoint_close(endpoint->ep);
}

/*
 * With n endpoints there: a packet of one more; making and dropping the last of
 * them; what all of them take.
 */
static struct cost endpoints_cost(unsigned int n)
{
	static struct endpoint endpoints[MAX_ENDPOINTS];
	const struct guest_options options = { .regions = 1, .queues = 1 };
	struct nb_memory *mem;
	struct cost cost;
	struct nb *nb;
	unsigned int i;
	double start;

	if (nb_open(&nb) < 0 || nb_memory_create(nb, &mem) < 0)
		die("%s", nb_error());
	cost.memory = free_memory();
	for (i = 0; i < n; i++)
		endpoint_make(nb, mem, &endpoints[i]);
	cost.memory = (cost.memory - free_memory()) / n;
	cost.packet = packet_cost(&options, 64);

	endpoint_drop(&endpoints[n - 1]);
	start = now();
	endpoint_make(nb, mem, &endpoints[n - 1]);
	cost.create = now() - start;
	start = now();
	endpoint_drop(&endpoints[n - 1]);
	cost.destroy = now() - start;

	for (i = 0; i + 1 < n; i++)
		endpoint_drop(&endpoints[i]);
	nb_memory_close(mem);
	nb_close(nb);
	return cost;
}

static void scale_endpoints(void)
{
	static const unsigned int numbers[] = { 1, 16, 256, 1024, MAX_ENDPOINTS };
	struct cost first = { 0 }, cost = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		cost = endpoints_cost(numbers[i]);
		print_row("endpoints", numbers[i], &cost);
		if (!i)
			first = cost;
	}
	claim(cost.packet < GROWTH * first.packet,
	      "4,096 endpoints: a packet costs less than 10 % more than with one");
	claim(cost.memory < MAX_ENDPOINT_BYTES,
	      "an idle endpoint with a queue of 256 entries takes less than 64 KiB");
	claim(cost.create + cost.destroy < MAX_ENDPOINT_NS,
	      "creating and destroying one at 4,096 takes less than 10^6 instructions (1 ms)");
}

/* ---- queues of an endpoint ----------------------------------------------- */

static struct cost queues_cost(unsigned int n)
{
	const struct guest_options options = { .regions = 1, .queues = n };
	const struct nb_endpoint_params params = {
		.kind = "loopback", .netns_fd = -1, .max_queues = n,
	};
	struct nb_queue_config *configs = alloc(n, sizeof(*configs));
	struct nb_queue **queues = alloc(n, sizeof(struct nb_queue *));
	struct nb_endpoint *ep;
	struct nb_memory *mem;
	struct cost cost;
	struct nb *nb;
	unsigned int i;
	double start;

	for (i = 0; i < n; i++)
		configs[i].target_cpu = NB_ANY_CPU;
	if (nb_open(&nb) < 0 || nb_memory_create(nb, &mem) < 0 ||
	    nb_endpoint_create(nb, &params, &ep) < 0)
		die("%s", nb_error());
	cost.memory = free_memory();
	start = now();
	if (nb_endpoint_get_queues(ep, mem, configs, n, NULL, queues) < 0)
		die("queues: %s", nb_error());
	cost.create = (now() - start) / n;
	cost.memory = (cost.memory - free_memory()) / n;
	start = now();
	for (i = 0; i < n; i++)
		nb_queue_close(queues[i]);
	cost.destroy = (now() - start) / n;
	cost.packet = packet_cost(&options, 64);

	nb_endpoint_close(ep);
	nb_memory_close(mem);
	nb_close(nb);
	free(queues);
	free(configs);
	return cost;
}

static void scale_queues(void)
{
	static const unsigned int numbers[] = { 1, 4, 16, 64 };
	struct cost first = { 0 }, cost = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		cost = queues_cost(numbers[i]);
		print_row("queues", numbers[i], &cost);
		if (!i)
			first = cost;
	}
	claim(cost.packet < GROWTH * first.packet,
	      "64 queues: a packet costs less than 10 % more than with one");
}

/* ---- regions ------------------------------------------------------------- */

/* Removing one waits for packets in flight; what is counted is what it does. */
static struct cost regions_cost(const struct guest_options *options)
{
	unsigned int n = options->regions + options->idle_regions, i;
	uint8_t *ram = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct nb_memory *mem;
	struct cost cost;
	struct nb *nb;
	double start;

	if (ram == MAP_FAILED || nb_open(&nb) < 0 || nb_memory_create(nb, &mem) < 0)
		die("%s", nb_error());
	cost.memory = free_memory();
	start = own_time();
	for (i = 0; i < n; i++)
		if (nb_memory_add(mem, GPA + (uint64_t)i * PAGE, ram + (size_t)i * PAGE, PAGE,
				  0) < 0)
			die("region: %s", nb_error());
	cost.create = (own_time() - start) / n;
	cost.memory = (cost.memory - free_memory()) / n;
	start = own_time();
	for (i = 0; i < n; i++)
		if (nb_memory_remove(mem, GPA + (uint64_t)i * PAGE, PAGE) < 0)
			die("region: %s", nb_error());
	cost.destroy = (own_time() - start) / n;
	cost.packet = packet_cost(options, 64);

	nb_memory_close(mem);
	nb_close(nb);
	munmap(ram, (size_t)n * PAGE);
	return cost;
}

static void scale_regions(void)
{
	static const unsigned int numbers[] = { 1, 16, 64, 256 };
	struct guest_options options = { .queues = 1 };
	struct cost first = { 0 }, cost = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		options.regions = 1;
		options.idle_regions = numbers[i] - 1;
		cost = regions_cost(&options);
		print_row("regions, packets in one", numbers[i], &cost);
		if (!i)
			first = cost;
	}
	claim(cost.packet < GROWTH * first.packet,
	      "256 regions: a packet costs less than 10 % more than with one");
	/* All of a batch's packets and buffers are in 64 regions at the most. */
	for (i = 1; i < ARRAY_SIZE(numbers); i++) {
		options.regions = numbers[i] < 64 ? numbers[i] : 64;
		options.idle_regions = numbers[i] - options.regions;
		cost = regions_cost(&options);
		print_row("regions, packets in up to 64", numbers[i], &cost);
	}
}

/* ---- large pages --------------------------------------------------------- */

static void scale_pages(void)
{
	static const struct {
		const char *name;
		int map_flags;
		const char *claim;
	} pages[] = {
		{ "pages of 4 KiB", 0, "" },
		{ "pages of 2 MiB", MAP_HUGETLB | MAP_HUGE_2MB,
		  "pages of 2 MiB: a region on them costs no more to look up than one page" },
		{ "pages of 1 GiB", MAP_HUGETLB | MAP_HUGE_1GB,
		  "pages of 1 GiB: a region on them costs no more to look up than one page" },
	};
	static const unsigned int sizes[] = { 64, 1500, SUPER_PACKET };
	double first[ARRAY_SIZE(sizes)] = { 0 };
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		const struct guest_options options = {
			.regions = 1, .queues = 1, .map_flags = pages[i].map_flags,
		};
		bool more = false;

		for (k = 0; k < ARRAY_SIZE(sizes); k++) {
			struct cost cost = { .packet = packet_cost(&options, sizes[k]) };
			char what[64];

			snprintf(what, sizeof(what), "%s, %u B", pages[i].name, sizes[k]);
			print_row(what, 1, &cost);
			if (!i)
				first[k] = cost.packet;
			more |= cost.packet > NO_MORE * first[k];
		}
		if (i)
			claim(!more, pages[i].claim);
	}
}

int main(int argc, char **argv)
{
	const struct rlimit files = { 4 * MAX_ENDPOINTS, 4 * MAX_ENDPOINTS };

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fputs("Usage: nbscale [FILE]\n"
		      "Measures in the counting VM, and writes the figures to FILE, too.\n",
		      stderr);
		return 2;
	}
	if (!clock_counts())
		die("this machine's clock does not count instructions (selftests/vm/run -i)");
	if (argc == 2) {
		file = fopen(argv[1], "w");
		if (!file)
			die("cannot write %s", argv[1]);
		fputs("objects\tnumber\tinsn_per_packet\tcreate_insn\t", file);
		fputs("destroy_insn\tbytes\n", file);
	}
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("too few files may be open");
	link_own_namespace();

	printf("%-28s %6s %10s %10s %10s %10s\n", "objects", "number", "packet", "create",
	       "destroy", "KiB each");
	scale_endpoints();
	scale_queues();
	scale_regions();
	scale_pages();
	if (file && fclose(file) != 0)
		die("cannot write %s", argv[1]);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
