// SPDX-License-Identifier: GPL-2.0
/*
 * What a test does to its process: loads the module, runs programs, gives up rights.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include "nbtest.h"

#define DEVICE	"/dev/net_backend"
#define NOBODY	65534
#define SKIPPED	4	/* kselftest's exit status */

/* All tests make network namespaces, and most endpoints in them. */
static void __attribute__((constructor)) need_root(void)
{
	if (!geteuid())
		return;
	puts("TAP version 13\n1..0 # SKIP needs root");
	exit(SKIPPED);
}

#define MAX_ARGUMENTS	16

int nb_test_run(const char *program, ...)
{
	char *arguments[MAX_ARGUMENTS + 1] = { (char *)program };
	unsigned int n = 0;
	va_list list;
	pid_t child;
	int status;

	va_start(list, program);
	while (arguments[n] && n < MAX_ARGUMENTS)
		arguments[++n] = va_arg(list, char *);
	va_end(list);

	errno = posix_spawnp(&child, program, NULL, NULL, arguments, environ);
	if (errno)
		nb_die("cannot run %s: %s", program, strerror(errno));
	nb_sys(waitpid(child, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool nb_test_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

void nb_test_set(const char *path, const char *text)
{
	if (!nb_test_write(path, text))
		nb_die("cannot write '%s' to %s", text, path);
}

void nb_test_load_module(void)
{
	char *given = getenv("NB_MODULE");
	int status;

	if (!access(DEVICE, F_OK))
		return;
	status = given ? nb_test_run("insmod", given, NULL) :
			 nb_test_run("modprobe", "net_backend", NULL);
	if (status)
		nb_die("%s net_backend failed (%d); NB_MODULE=FILE.ko says where it is",
		       given ? "insmod" : "modprobe", status);
	if (!nb_until(!access(DEVICE, F_OK)))
		nb_die("the module is loaded, but there is no " DEVICE);
}

pid_t nb_test_other_thread(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t tid = 0;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != getpid())
			tid = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return tid;
}

unsigned int nb_rounds(unsigned int by_default, unsigned int seconds)
{
	const char *given = getenv("NB_ROUNDS");

	if (given && *given) {
		unsigned int n = strtoul(given, NULL, 0);

		if (!n)
			nb_die("NB_ROUNDS=%s is no number of rounds", given);
		return n;
	}
	alarm(seconds);
	/* A kernel that checks its locks and memory takes several times as long for each. */
	return access("/proc/lockdep", F_OK) ? by_default : (by_default + 2) / 3;
}

uint64_t nb_test_status(pid_t process, const char *key, int base)
{
	char path[32], line[256];
	uint64_t number = ~0ull;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", process);
	file = fopen(path, "re");
	if (!file)
		nb_die("there is no %s", path);
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, strlen(key)))
			number = strtoull(line + strlen(key), NULL, base);
	}
	fclose(file);
	return number;
}

void nb_test_many_files(void)
{
	struct rlimit limit;

	nb_sys(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	nb_sys(setrlimit(RLIMIT_NOFILE, &limit));
}

void nb_test_drop_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint32_t keep = ~CAP_TO_MASK(capability);

	nb_sys(syscall(SYS_capget, &header, data));
	data[CAP_TO_INDEX(capability)].effective &= keep;
	data[CAP_TO_INDEX(capability)].permitted &= keep;
	data[CAP_TO_INDEX(capability)].inheritable &= keep;
	nb_sys(syscall(SYS_capset, &header, data));
}

static void ignore_signal(int signal)
{
}

void nb_test_interrupt(bool on)
{
	const struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { 0 };
	const struct sigaction action = { .sa_handler = ignore_signal };

	nb_sys(sigaction(SIGALRM, &action, NULL));
	nb_sys(setitimer(ITIMER_REAL, on ? &often : &never, NULL));
}

void nb_test_become_nobody(void)
{
	nb_sys(setgroups(0, NULL));
	nb_sys(setresgid(NOBODY, NOBODY, NOBODY));
	/* This takes all capabilities, too. */
	nb_sys(setresuid(NOBODY, NOBODY, NOBODY));
	nb_sys(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}
