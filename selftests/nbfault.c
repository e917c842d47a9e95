// SPDX-License-Identifier: GPL-2.0
/*
 * Fault injection, what is counted around it, and what all such tests are made of.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "nbcgroup.h"
#include "nbfailnth.h"
#include "nbfault.h"

/* More than any call can have. */
#define MOST_FAILURES	4000u
#define TIME_LIMIT	1200u	/* seconds for a call and all of its failures */
/* Of a call with more than FIRST + LAST, one in EVERY of the others. */
#define FIRST		64u
#define LAST		32u
#define EVERY		8u
/* After so many failures all objects are counted. */
#define COUNT_EVERY	16u

/* ---- what there is ------------------------------------------------------- */

/* What must be the same again after a call that has failed. */
struct objects {
	unsigned long pins;	/* pages that are pinned, on the whole machine */
	unsigned int free_fds;	/* of this process */
	unsigned int interfaces;
	unsigned int endpoints, queues, switches, ports, memories, regions;
};

static void count(const struct nlattr *const *attributes, void *data)
{
	++*(unsigned int *)data;
}

static unsigned int count_dump(struct nb_genl *client, uint8_t command)
{
	struct nb_genl_request request = nb_genl_request(client->family, command, NLM_F_DUMP);
	unsigned int n = 0;

	nb_ok(nb_genl_talk(client, &request, count, &n));
	return n;
}

/* Free numbers below this; one that is taken and has no file is not free. */
#define FDS		64

static unsigned int free_fds(void)
{
	unsigned int n = 0, i;
	int fds[FDS], fd;

	while ((fd = nb_sys(dup(STDERR_FILENO))) < FDS)
		fds[n++] = fd;
	close(fd);
	for (i = 0; i < n; i++)
		close(fds[i]);
	return n;
}

static unsigned int count_interfaces(void)
{
	struct if_nameindex *all = if_nameindex();
	unsigned int n = 0;

	if (!all)
		nb_die("the interfaces cannot be listed: %s", strerror(errno));
	while (all[n].if_index)
		n++;
	if_freenameindex(all);
	return n;
}

static struct objects objects_count(struct nb_genl *client)
{
	return (struct objects){
		.pins = nb_pinned_pages(),
		.free_fds = free_fds(),
		.interfaces = count_interfaces(),
		.endpoints = count_dump(client, NB_CMD_ENDPOINT_GET),
		.queues = count_dump(client, NB_CMD_QUEUE_GET),
		.switches = count_dump(client, NB_CMD_SWITCH_GET),
		.ports = count_dump(client, NB_CMD_SWITCH_PORT_GET),
		.memories = count_dump(client, NB_CMD_MEMORY_GET),
		.regions = count_dump(client, NB_CMD_REGION_GET),
	};
}

static bool same(const struct objects *one, const struct objects *other)
{
	return one->pins == other->pins && one->free_fds == other->free_fds &&
	       one->interfaces == other->interfaces && one->endpoints == other->endpoints &&
	       one->queues == other->queues && one->switches == other->switches &&
	       one->ports == other->ports && one->memories == other->memories &&
	       one->regions == other->regions;
}

static bool counts_as(struct nb_genl *client, const struct objects *wanted,
		      struct objects *now)
{
	*now = objects_count(client);
	return same(now, wanted);
}

/* Whether there are as many in the end; if not, how many more is said. */
static bool objects_are(struct nb_genl *client, const struct objects *wanted)
{
	struct objects now;

	if (nb_until(counts_as(client, wanted, &now)))
		return true;
	fprintf(stderr,
		"# now there are %ld pins, %d fds, %d interfaces, %d endpoints, %d queues, %d switches, %d ports, %d memories, %d regions more\n",
		(long)(now.pins - wanted->pins), (int)(wanted->free_fds - now.free_fds),
		(int)(now.interfaces - wanted->interfaces),
		(int)(now.endpoints - wanted->endpoints), (int)(now.queues - wanted->queues),
		(int)(now.switches - wanted->switches), (int)(now.ports - wanted->ports),
		(int)(now.memories - wanted->memories), (int)(now.regions - wanted->regions));
	return false;
}

/* ---- one call after the other -------------------------------------------- */

static const char *words(int err)
{
	return err < 0 ? strerror(-err) : "no error";
}

/* What the last call that has failed has said. */
static const char *said(const struct nb_fault_world *w)
{
	return w->said ?: nb_error();
}

/* Whether the error is one, and is told in words: EFAULT may be about the words. */
static bool is_clear(const struct nb_fault_world *w, int err)
{
	if (err != -ENOMEM && err != -EFAULT && err != -ENOBUFS && err != w->fault->also)
		return false;
	return w->fault->silent || err == -EFAULT || strchr(said(w), ' ');
}

/* The same call again, which has not been done yet, or of which the answer was lost. */
static bool next_works(struct nb_fault_world *w)
{
	int result;

	if (w->fault->anew)
		w->fault->before(w);
	result = w->fault->call(w);
	if (result >= 0 || result == w->fault->done)
		return true;
	ksft_print_msg("%s: the next try: %s, %s\n", w->fault->name, words(result), said(w));
	return false;
}

/* The call, with its n-th allocation or copy failing; *left: see nb_failnth_disarm(). */
static int call_with(struct nb_fault_world *w, unsigned int n, unsigned int *left)
{
	int result;

	if (w->fault->before)
		w->fault->before(w);
	nb_failnth_arm(n);
	result = w->fault->call(w);
	*left = nb_failnth_disarm();
	if (result < 0 && *left)
		nb_die("%s: %s, %s", w->fault->name, words(result), said(w));
	return result;
}

static void undo(struct nb_fault_world *w)
{
	if (w->fault->undo)
		w->fault->undo(w);
}

/* How many allocations and copies a call takes. */
static unsigned int count_points(struct nb_fault_world *w)
{
	unsigned int left;

	nb_ok(call_with(w, MOST_FAILURES, &left));
	undo(w);
	if (!left)
		nb_die("%s: there is no end to it", w->fault->name);
	return MOST_FAILURES - left;
}

/* Whether a failed call has said why, and works when it is done again. */
static bool took_it(struct nb_fault_world *w, unsigned int n, int err)
{
	if (!is_clear(w, err)) {
		ksft_print_msg("%s: failure %u: %s, in words: %s\n", w->fault->name, n,
			       words(err), said(w));
		w->unclear = true;
	}
	if (next_works(w))
		return true;
	ksft_print_msg("%s: after failure %u: %s, %s\n", w->fault->name, n, words(err),
		       said(w));
	return false;
}

/*
 * Those in the middle of a long call are in the code that it calls in turn, and take a way
 * out that all of them have: which of them are taken is not the same each time.
 */
static bool is_taken(const struct nb_fault_world *w, unsigned int n, unsigned int all)
{
	return n <= FIRST || n + LAST > all || n % EVERY == w->which;
}

/* So often: what is kept from the last time lasts for some packets. */
#define WITHOUT		8u

/* The same without any memory at all. */
static void take_without(struct nb_fault_world *w)
{
	unsigned int i;
	int result;

	for (i = 0; i < WITHOUT; i++) {
		w->fault->before(w);
		nb_failnth_all(true);
		result = w->fault->call(w);
		nb_failnth_all(false);
		if (result < 0 && !is_clear(w, result))
			nb_die("%s: without memory: %s", w->fault->name, words(result));
		undo(w);
	}
}

static bool sweep(struct nb_fault_world *w)
{
	unsigned int n, all, left = 0, taken = 0, failed = 0;
	struct objects before;
	int result;

	/* The first time, what is only made once is made. */
	count_points(w);
	before = objects_count(&w->client);
	all = count_points(w);
	/* There may be some more this time, when an allocator needs another page. */
	for (n = 1; n <= all || !left; n++) {
		if (!is_taken(w, n, all))
			continue;
		result = call_with(w, n, &left);
		taken += !left;
		if (result < 0 && !took_it(w, n, result))
			return false;
		failed += result < 0;
		undo(w);
		if ((n % COUNT_EVERY && n < all) || objects_are(&w->client, &before))
			continue;
		ksft_print_msg("%s: something is left, of failure %u or one of %u before\n",
			       w->fault->name, n, COUNT_EVERY);
		return false;
	}
	if (w->fault->without)
		take_without(w);
	ksft_print_msg("%s: of %u failures, %u taken, %u made it fail\n", w->fault->name, all,
		       taken, failed);
	return !w->unclear;
}

/* In a process of its own, with a network namespace of its own. */
static bool take(const struct nb_fault *fault, unsigned int which)
{
	static struct nb_fault_world w;

	w.fault = fault;
	w.which = which;
	w.name = "faulty";
	w.kind = fault->kind ?: &nb_test_attach;
	w.config = (struct nb_queue_config){ 64, 64, 64, 64, NB_ANY_CPU, fault->flags };
	if (nb_failnth_open())
		nb_die("fault injection cannot be made ready again");
	nb_host_new_netns();
	nb_guest_open(&w.guest, 0);
	nb_genl_open(&w.client);
	if (fault->prepare)
		fault->prepare(&w);
	return sweep(&w);
}

static bool is_among(const char *name, char **names)
{
	if (!*names)
		return true;
	while (*names && strcmp(name, *names))
		names++;
	return *names;
}

int nb_fault_main(const struct nb_fault *faults, unsigned int n, char **names)
{
	const char *missing = nb_failnth_open();
	unsigned int i, which, chosen = 0;
	struct nb_random random;
	int status;
	pid_t pid;

	ksft_print_header();
	if (missing)
		ksft_exit_skip("%s\n", missing);
	nb_random_start(&random);
	which = nb_random_below(&random, EVERY);
	for (i = 0; i < n; i++)
		chosen += is_among(faults[i].name, names);
	ksft_set_plan(chosen);
	for (i = 0; i < n; i++) {
		if (!is_among(faults[i].name, names))
			continue;
		fflush(NULL);
		pid = nb_sys(fork());
		if (!pid) {
			alarm(TIME_LIMIT);
			status = !take(&faults[i], which);
			fflush(NULL);
			_exit(status);
		}
		nb_sys(waitpid(pid, &status, 0));
		ksft_test_result(!status, "%s fails cleanly, and the next try works\n",
				 faults[i].name);
	}
	ksft_finished();
	return 0;
}

/* ---- what calls are made of ---------------------------------------------- */

static const uint8_t key[40] = { 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2 };
static const uint16_t table[4] = { 0, 1, 1, 0 };
const struct nb_rss_config nb_fault_rss = {
	.key = (uintptr_t)key,
	.table = (uintptr_t)table,
	.key_len = sizeof(key),
	.table_len = ARRAY_LEN(table),
};

struct nb_endpoint_params nb_fault_named(struct nb_fault_world *w, const struct nb_test_kind *kind)
{
	return (struct nb_endpoint_params){
		.kind = kind->name,
		.name = w->name,
		.netns_fd = -1,
		.max_queues = 2,
		.kind_params = kind->params,
		.kind_params_size = kind->params_size,
	};
}

int nb_fault_create_endpoint(struct nb_fault_world *w)
{
	struct nb_endpoint_params params = nb_fault_named(w, w->kind);

	return nb_endpoint_create(w->guest.nb, &params, &w->made);
}

int nb_fault_create_port(struct nb_fault_world *w)
{
	struct nb_endpoint_params params = nb_fault_named(w, &nb_test_switch);

	params.kind_params = &w->port;
	params.kind_params_size = sizeof(w->port);
	return nb_endpoint_create(w->guest.nb, &params, &w->made);
}

void nb_fault_with_a_pair(struct nb_fault_world *w)
{
	nb_pair_add(&w->nic.pair);
}

int nb_fault_attach(struct nb_fault_world *w)
{
	struct nb_attach_params params = { .ifindex = w->nic.pair.lower_index };
	struct nb_endpoint_params endpoint = nb_fault_named(w, &nb_test_attach);

	endpoint.kind_params = &params;
	endpoint.kind_params_size = sizeof(params);
	return nb_endpoint_create(w->guest.nb, &endpoint, &w->made);
}

void nb_fault_with_endpoint(struct nb_fault_world *w)
{
	nb_ok(nb_fault_create_endpoint(w));
}

void nb_fault_with_attached(struct nb_fault_world *w)
{
	nb_fault_with_a_pair(w);
	nb_ok(nb_fault_attach(w));
}

int nb_fault_get_queues(struct nb_fault_world *w)
{
	struct nb_queue_config configs[2] = { w->config, w->config };
	bool has_rss = w->kind->table;

	return nb_endpoint_get_queues(w->made, w->guest.mem, configs, 2,
				      has_rss ? &nb_fault_rss : NULL, w->queues);
}

void nb_fault_close_queues(struct nb_fault_world *w)
{
	nb_queue_close(w->queues[0]);
	nb_queue_close(w->queues[1]);
}

void nb_fault_with_queues(struct nb_fault_world *w)
{
	if (w->kind->takes_over)
		nb_fault_with_attached(w);
	else
		nb_fault_with_endpoint(w);
	nb_ok(nb_fault_get_queues(w));
}

int nb_fault_disconnect(struct nb_fault_world *w)
{
	return nb_endpoint_disconnect(w->made, 0);
}

void nb_fault_connect_again(struct nb_fault_world *w)
{
	nb_ok(nb_endpoint_connect(w->made, NULL));
}

void nb_fault_disconnect_again(struct nb_fault_world *w)
{
	nb_ok(nb_fault_disconnect(w));
}

void nb_fault_with_named_switch(struct nb_fault_world *w)
{
	strcpy(w->port.name, "faulty");
}
