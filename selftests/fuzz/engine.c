// SPDX-License-Identifier: GPL-2.0
/*
 * Runs inputs in a process of their own, the worker, in a network namespace of its own, and
 * looks after it: whether it ends, hangs, or says that a promise was broken, and whether the
 * kernel complains, of which the console tells.  The worker is renewed now and then, so that
 * what an input has left behind does not stay for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../nbtest.h"
#include "fuzz.h"

#define RENEW		4000u		/* inputs of a worker */
#define HANGS		300000u		/* milliseconds that an input may take */
#define LAST_MOMENTS	3000u		/* milliseconds in which a worker ends after a complaint */
#define PROGRESS	10000u		/* milliseconds between two lines */
#define BEFORE		4u		/* inputs in front of the last one that are kept */
#define SHRINKS		12u		/* tries to make one shorter that is kept */

/* How a worker ends. */
enum { ENDED, RENEWED = 10, BROKEN, COMPLAINED };

/* What worker and overseer share. */
static struct {
	const struct fuzz_target *target;
	uint64_t runs;		/* inputs */
	uint64_t descriptors;
	uint64_t end;		/* nb_test_now() then; 0: not yet known */
	uint32_t next;		/* entry of the corpus that is to be run next */
	uint32_t edges;
	bool guided;
	uint8_t edge[FUZZ_EDGES];
	struct fuzz_entry last[1 + BEFORE];
} *shared;

bool fuzz_verbose;

void fuzz_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("    ");
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
}

void fuzz_end(bool show, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("# %s: broken: ", shared->target->name);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
	fflush(stdout);
	if (show)
		nb_test_run("sh", "-c", "nbctl show | sed 's/^/#   /'", NULL);
	_exit(BROKEN);
}

void fuzz_count(uint64_t descriptors)
{
	shared->descriptors += descriptors;
}

/* ---- the kernel's complaints --------------------------------------------- */

static int open_console(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Reads what is new; whether it is a complaint. */
static bool complains(int console)
{
	static const char *const words[] = {
		"BUG:", "WARNING:", "KASAN", "UBSAN", "Oops", "general protection", "INFO: ",
		"refcount_t", "corruption", "DEBUG_LOCKS", "Call Trace", "stall",
	};
	char line[8192];
	bool found = false;
	unsigned int i;
	ssize_t len;

	while ((len = read(console, line, sizeof(line) - 1)) > 0 || (len < 0 && errno == EPIPE)) {
		line[len > 0 ? len : 0] = '\0';
		for (i = 0; i < ARRAY_LEN(words); i++)
			found |= !!strstr(line, words[i]);
	}
	return found;
}

/* ---- a run --------------------------------------------------------------- */

static struct {
	uint32_t stamp[FUZZ_EDGES];	/* run in which an edge was seen last */
	uint32_t run;
	uint32_t fresh[256];		/* edges that no input had reached before */
	unsigned int n_fresh;
	int console;
} worker;

static void see(uint32_t edge)
{
	worker.stamp[edge] = worker.run;
	if (shared->edge[edge])
		return;
	shared->edge[edge] = 1;
	shared->edges++;
	if (worker.n_fresh < ARRAY_LEN(worker.fresh))
		worker.fresh[worker.n_fresh++] = edge;
}

/* Runs an input; in worker, what it has reached. */
static void run(const uint8_t *data, size_t size)
{
	memmove(&shared->last[1], &shared->last[0], BEFORE * sizeof(shared->last[0]));
	shared->last[0].size = size;
	memcpy(shared->last[0].data, data, size);
	worker.run++;
	worker.n_fresh = 0;
	fuzz_kcov_begin();
	shared->target->run(data, size);
	fuzz_kcov_end(see);
	shared->runs++;
	if (complains(worker.console))
		_exit(COMPLAINED);
}

static bool still_reaches(const uint32_t *edges, unsigned int n)
{
	while (n--)
		if (worker.stamp[edges[n]] != worker.run)
			return false;
	return true;
}

/* Makes an input that has reached something new shorter, as long as it still does. */
static size_t shrink(uint8_t *data, size_t size, struct nb_random *random)
{
	unsigned int n = worker.n_fresh, tries;
	uint32_t fresh[ARRAY_LEN(worker.fresh)];
	uint8_t shorter[FUZZ_MAX_INPUT];
	size_t at, cut;

	memcpy(fresh, worker.fresh, sizeof(fresh));
	for (tries = 0; tries < SHRINKS && size > 4; tries++) {
		at = nb_random_below(random, size);
		cut = 1 + nb_random_below(random, (size - at) / (1 + tries / 4));
		memcpy(shorter, data, at);
		memcpy(shorter + at, data + at + cut, size - at - cut);
		run(shorter, size - cut);
		if (!still_reaches(fresh, n))
			continue;
		size -= cut;
		memcpy(data, shorter, size);
	}
	return size;
}

/* ---- the worker's work --------------------------------------------------- */

struct work {
	/* Whether there is more to be done. */
	bool (*step)(const struct work *work, struct nb_random *random);
	const char *out;
	unsigned int seconds;
};

static bool step_replay(const struct work *work, struct nb_random *random)
{
	const struct fuzz_entry *entry;

	if (shared->next == fuzz_corpus_size())
		return false;
	entry = fuzz_corpus_at(shared->next++);
	if (fuzz_verbose)
		printf("# an input of %u bytes\n", entry->size);
	run(entry->data, entry->size);
	fflush(stdout);
	return true;
}

static bool step_run(const struct work *work, struct nb_random *random)
{
	uint8_t data[FUZZ_MAX_INPUT];
	size_t size;

	if (shared->next < fuzz_corpus_size())
		return step_replay(work, random);
	if (!shared->end)
		shared->end = nb_test_now() + work->seconds * 1000ull;
	if (nb_test_now() >= shared->end)
		return false;
	size = fuzz_mutate(shared->target, random, data);
	run(data, size);
	if (!worker.n_fresh)
		return true;
	size = shrink(data, size, random);
	fuzz_corpus_add(data, size);
	/* It has been run. */
	shared->next = fuzz_corpus_size();
	if (work->out)
		fuzz_write(work->out, "", data, size);
	return true;
}

static void do_work(const struct work *work)
{
	struct nb_random random;
	unsigned int i;

	nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
	nb_random_start(&random);
	worker.console = open_console();
	shared->target->open();
	shared->guided = fuzz_kcov_open();
	for (i = 0; i < RENEW; i++)
		if (!work->step(work, &random))
			_exit(ENDED);
	_exit(RENEWED);
}

/* ---- the overseer -------------------------------------------------------- */

static void say_progress(uint64_t begin)
{
	uint64_t ms = nb_test_now() - begin + 1;

	printf("# %s: %llu s, %llu inputs, %llu/s, %u edges, %u in the corpus, %llu descriptors\n",
	       shared->target->name, (unsigned long long)ms / 1000,
	       (unsigned long long)shared->runs, (unsigned long long)(shared->runs * 1000 / ms),
	       shared->edges, fuzz_corpus_size(), (unsigned long long)shared->descriptors);
	fflush(stdout);
}

/*
 * Waits for the end of a worker; false if an input takes too long.  After a complaint that may
 * be for ever: in the kernel it may have died with locks that it cannot end without.
 */
static bool watch(pid_t worker_pid, int *status, uint64_t begin)
{
	uint64_t runs = 0, since = nb_test_now(), said = since, now, limit = HANGS;
	int console = open_console();

	while (!nb_sys(waitpid(worker_pid, status, WNOHANG))) {
		usleep(10000);
		now = nb_test_now();
		if (now - said >= PROGRESS) {
			say_progress(begin);
			said = now;
		}
		if (limit != LAST_MOMENTS && complains(console)) {
			limit = LAST_MOMENTS;
			since = now;
		} else if (shared->runs != runs) {
			runs = shared->runs;
			since = now;
		}
		if (now - since > limit) {
			close(console);
			return false;
		}
	}
	close(console);
	return true;
}

/* Keeps what was run last, and what in front of it. */
static void keep_last(const char *out)
{
	char prefix[32];
	unsigned int i, j;

	for (i = 0; i <= BEFORE; i++) {
		struct fuzz_entry *entry = &shared->last[i];

		if (!entry->size)
			continue;
		printf("# %s, %u before the end:", shared->target->name, i);
		for (j = 0; j < entry->size; j++)
			printf("%02x", entry->data[j]);
		putchar('\n');
		if (!out)
			continue;
		snprintf(prefix, sizeof(prefix), i ? "before-%u-" : "found-", i);
		printf("# it is in %s\n", fuzz_write(out, prefix, entry->data, entry->size));
	}
}

static bool oversee(const struct work *work)
{
	uint64_t begin = nb_test_now();
	int status = 0;
	pid_t pid;

	do {
		fflush(stdout);
		pid = nb_sys(fork());
		if (!pid)
			do_work(work);
		if (!watch(pid, &status, begin)) {
			printf("# %s: an input does not come to its end\n", shared->target->name);
			keep_last(work->out);
			kill(pid, SIGKILL);
			return false;
		}
	} while (WIFEXITED(status) && WEXITSTATUS(status) == RENEWED);
	say_progress(begin);
	if (WIFEXITED(status) && WEXITSTATUS(status) == ENDED)
		return true;
	if (WIFSIGNALED(status))
		printf("# %s: signal %d\n", shared->target->name, WTERMSIG(status));
	else if (WEXITSTATUS(status) == COMPLAINED)
		printf("# %s: the kernel has complained\n", shared->target->name);
	keep_last(work->out);
	return false;
}

static void prepare(const struct fuzz_target *target)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		nb_die("no memory: %s", strerror(errno));
	memset(shared, 0, sizeof(*shared));
	shared->target = target;
	nb_test_load_module();
	fuzz_corpus_open();
}

bool fuzz_replay(const struct fuzz_target *target, char **paths, unsigned int n)
{
	struct work work = { .step = step_replay };

	prepare(target);
	fuzz_corpus_read(paths, n);
	return oversee(&work);
}

bool fuzz_run(const struct fuzz_target *target, unsigned int seconds, const char *out,
	      char **paths, unsigned int n)
{
	struct work work = { .step = step_run, .out = out, .seconds = seconds };
	bool whole;

	prepare(target);
	fuzz_corpus_read(paths, n);
	whole = oversee(&work);
	if (!shared->guided)
		printf("# %s: this kernel has no KCOV, nothing has guided the inputs\n",
		       target->name);
	else if (!shared->edges)
		printf("# %s: the module was built without KCOV, nothing has guided the inputs\n",
		       target->name);
	return whole;
}

/* ---- fewer files --------------------------------------------------------- */

/* What each entry of the corpus has reached, as bits. */
static uint8_t *reached;

static uint8_t *reached_by(unsigned int i)
{
	return reached + (size_t)i * (FUZZ_EDGES / 8);
}

static bool step_reduce(const struct work *work, struct nb_random *random)
{
	unsigned int i = shared->next, edge;

	if (!step_replay(work, random))
		return false;
	for (edge = 0; edge < FUZZ_EDGES; edge++)
		if (worker.stamp[edge] == worker.run)
			reached_by(i)[edge / 8] |= 1 << edge % 8;
	return true;
}

static unsigned int gain(unsigned int i, const uint8_t *have)
{
	unsigned int n = 0, byte;

	for (byte = 0; byte < FUZZ_EDGES / 8; byte++)
		n += __builtin_popcount(reached_by(i)[byte] & ~have[byte]);
	return n;
}

/* The one that adds most for its length, or -1. */
static int find_best(const uint8_t *have)
{
	unsigned int n = fuzz_corpus_size(), i, score, best = 0;
	int found = -1;

	for (i = 0; i < n; i++) {
		score = gain(i, have) * 1000 / (40 + fuzz_corpus_at(i)->size);
		if (score > best) {
			best = score;
			found = i;
		}
	}
	return found;
}

bool fuzz_reduce(const struct fuzz_target *target, unsigned int most, const char *out,
		 char **paths, unsigned int n)
{
	struct work work = { .step = step_reduce };
	static uint8_t have[FUZZ_EDGES / 8];
	unsigned int edges = 0, byte, left;
	int best;

	prepare(target);
	fuzz_corpus_read(paths, n);
	reached = mmap(NULL, (size_t)fuzz_corpus_size() * (FUZZ_EDGES / 8) + 1,
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reached == MAP_FAILED)
		nb_die("no memory: %s", strerror(errno));
	if (!oversee(&work))
		return false;
	for (left = most; left && (best = find_best(have)) >= 0; left--) {
		for (byte = 0; byte < sizeof(have); byte++)
			have[byte] |= reached_by(best)[byte];
		fuzz_write(out, "", fuzz_corpus_at(best)->data, fuzz_corpus_at(best)->size);
	}
	for (byte = 0; byte < sizeof(have); byte++)
		edges += __builtin_popcount(have[byte]);
	printf("# %s: %u of %u inputs reach %u of %u edges\n", target->name, most - left,
	       fuzz_corpus_size(), edges, shared->edges);
	return true;
}
