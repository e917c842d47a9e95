// SPDX-License-Identifier: GPL-2.0
/*
 * nbshare: a hostile frontend costs another one its share of the CPU, and no more
 *
 * A guest moves packets through path loopback, beside a rival in another cgroup of the same
 * weight, on one CPU, for a time that is a number of instructions. How many it moves is held
 * against how many it moves beside a process that only spins. Without the counting VM nbshare
 * does not run.
 *
 * usage: nbshare [FILE] [RIVAL]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "share.h"

#define CGROUPS		"/sys/fs/cgroup"
#define SETTLE_NS	30000000	/* until both have had their turns */
#define SPAN_NS		150000000
#define BATCH		64u

static unsigned long *moved;	/* packets, shared with the guest */

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

/* Runs in a cgroup of its own, which gives it its share. */
static pid_t start(void (*run)(void), const char *cgroup)
{
	char path[128];
	pid_t child = fork();

	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), CGROUPS "/%s", cgroup);
	if (mkdir(path, 0755) && errno != EEXIST)
		die("%s: %s", path, strerror(errno));
	strcat(path, "/cgroup.procs");
	write_text(path, "0");
	run();
	_exit(1);
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void be_guest(void)
{
	const struct shape shape = { .size = 600, .batch = BATCH, .segments = 1 };
	struct guest *guest = guest_open("loopback", &shape, 0);

	if (!guest)
		die("there is no guest");
	for (;;) {
		guest_transmit(guest);
		guest_receive(guest);
		__atomic_fetch_add(moved, BATCH, __ATOMIC_RELAXED);
	}
}

static void wait_ns(long ns)
{
	const struct timespec time = { .tv_nsec = ns };

	nanosleep(&time, NULL);
}

/* One that has died has said why. */
static void must_live(pid_t pid)
{
	if (waitpid(pid, NULL, WNOHANG))
		die("process %d has gone", pid);
}

/* Packets that a guest moves beside a rival. */
static unsigned long measure_beside(void (*rival)(void))
{
	pid_t guest, other;
	unsigned long before, last;

	*moved = 0;
	*share_turns = 0;
	guest = start(be_guest, "nbshare-guest");
	other = start(rival, "nbshare-rival");
	while (!__atomic_load_n(moved, __ATOMIC_RELAXED) ||
	       !__atomic_load_n(share_turns, __ATOMIC_RELAXED)) {
		must_live(guest);
		must_live(other);
		wait_ns(1000000);
	}
	wait_ns(SETTLE_NS);
	before = __atomic_load_n(moved, __ATOMIC_RELAXED);
	last = __atomic_load_n(share_turns, __ATOMIC_RELAXED);
	wait_ns(SPAN_NS);
	before = __atomic_load_n(moved, __ATOMIC_RELAXED) - before;
	must_live(guest);
	must_live(other);
	if (__atomic_load_n(share_turns, __ATOMIC_RELAXED) == last)
		die("the rival does nothing any more");
	stop(other);
	stop(guest);
	return before;
}

int main(int argc, char **argv)
{
	FILE *file = argc > 1 ? fopen(argv[1], "w") : stdout;
	unsigned long packets, spinning = 0;
	unsigned int i, failures = 0;

	if (!file)
		die("%s: %s", argv[1], strerror(errno));
	if (!clock_counts())
		die("this is not the VM whose clock counts instructions");
	moved = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (moved == MAP_FAILED)
		die("there is no memory");
	share_turns = moved + 64;
	link_own_namespace();
	write_text(CGROUPS "/cgroup.subtree_control", "+cpu");
	fprintf(file, "rival\tpackets\tof\n");
	for (i = 0; i < n_share_rivals; i++) {
		if (i && argc > 2 && strcmp(argv[2], share_rivals[i].name))
			continue;
		packets = measure_beside(share_rivals[i].run);
		if (!i)
			spinning = packets;
		fprintf(file, "%s\t%lu\t%.2f\n", share_rivals[i].name, packets,
			(double)packets / spinning);
		fflush(file);
		if (packets < share_rivals[i].at_least * spinning) {
			say("beside one that %s, a guest moves %lu packets, not %lu",
			    share_rivals[i].name, packets, spinning);
			failures++;
		}
	}
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
