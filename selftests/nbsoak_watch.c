// SPDX-License-Identifier: GPL-2.0
/*
 * The soak ends, whatever hangs: who waits for a cell knows what it does and since when, gives
 * it up in time, and says where all processes of the soak are.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "nbsoak.h"

void nb_soak_does(struct nb_soak_report *report, const char *what)
{
	report->doing = what;
	__atomic_store_n(&report->since, nb_test_now(), __ATOMIC_RELEASE);
}

/* Its first lines, each behind a mark. */
static void print_file(pid_t pid, const char *name, unsigned int lines)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	for (; file && lines && fgets(line, sizeof(line), file); lines--)
		fprintf(stderr, "#   %s", line);
	if (file)
		fclose(file);
}

/* Where those of this process group are in the kernel. */
static void print_processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t pid;

	while (dir && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (!isdigit(entry->d_name[0]) || getpgid(pid) != getpgrp())
			continue;
		print_file(pid, "stat", 1);
		print_file(pid, "syscall", 1);
		print_file(pid, "stack", 8);
	}
	if (dir)
		closedir(dir);
}

bool nb_soak_hangs(const char *name, const struct nb_soak_report *report)
{
	uint64_t since = __atomic_load_n(&report->since, __ATOMIC_ACQUIRE);

	if (nb_test_now() <= since + NB_SOAK_PATIENCE)
		return false;
	fprintf(stderr, "# %s hangs, it %s:\n", name, report->doing);
	print_processes();
	return true;
}

/* One that was killed may not end, either: nobody waits for that. */
bool nb_soak_wait(const char *name, const struct nb_soak_report *report, pid_t cell)
{
	int status;

	while (!nb_sys(waitpid(cell, &status, WNOHANG))) {
		if (nb_soak_hangs(name, report)) {
			kill(cell, SIGKILL);
			return false;
		}
		usleep(10000);
	}
	return !status;
}
