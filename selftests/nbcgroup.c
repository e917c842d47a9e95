// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel counts: numbers in its files, and memory that is charged to a cgroup
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nbcgroup.h"
#include "nbtest.h"

#define CGROUPS		"/sys/fs/cgroup/"
#define CGROUP		CGROUPS "net_backend_selftest/"

unsigned long nb_number_in(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	unsigned long number = 0;
	char line[256];

	if (!file)
		nb_die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), "%lu", &number);
	fclose(file);
	return number;
}

unsigned long nb_pinned_pages(void)
{
	char nothing[16];
	int fd = nb_sys(open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC));

	/* Counts what the CPUs have not yet told. */
	nb_sys(read(fd, nothing, sizeof(nothing)));
	close(fd);
	return nb_number_in("/proc/vmstat", "nr_foll_pin_acquired ") -
	       nb_number_in("/proc/vmstat", "nr_foll_pin_released ");
}

unsigned long nb_module_references(void)
{
	return nb_number_in("/sys/module/net_backend/refcnt", "");
}

bool nb_cgroup_make(void)
{
	nb_test_write(CGROUPS "cgroup.subtree_control", "+memory");
	return (!mkdir(CGROUP, 0755) || errno == EEXIST) && !access(CGROUP "memory.stat", F_OK);
}

bool nb_cgroup_enter(int pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return nb_test_write(CGROUP "cgroup.procs", text);
}

bool nb_cgroup_limit(const char *bytes)
{
	return nb_test_write(CGROUP "memory.max", bytes);
}

/*
 * What CPUs have counted the kernel puts together every two seconds, or when somebody asks and
 * it is more than 64 pages a CPU: these are twice as many, that come and go.
 */
static void count_much(void)
{
	size_t len = 2 * 64 * NB_PAGE * nb_sys(sysconf(_SC_NPROCESSORS_ONLN));
	char *pages = nb_test_pages(len);
	size_t i;

	/* No large ones, which count once; where there are none, this is not known. */
	madvise(pages, len, MADV_NOHUGEPAGE);
	for (i = 0; i < len; i += NB_PAGE)
		((volatile char *)pages)[i] = 1;
	nb_sys(munmap(pages, len));
}

unsigned long nb_cgroup_stat(const char *key)
{
	count_much();
	return nb_number_in(CGROUP "memory.stat", key);
}

void nb_cgroup_leave(void)
{
	nb_test_write(CGROUPS "cgroup.procs", "0");
	rmdir(CGROUP);
}
