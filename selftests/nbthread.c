// SPDX-License-Identifier: GPL-2.0
/*
 * Threads of the kernel that drive queues, see nbthread.h.
 */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nbhost.h"
#include "nbip.h"
#include "nbtest.h"
#include "nbthread.h"

pid_t nb_thread_of(uint32_t endpoint, unsigned int queue)
{
	char name[16], path[300], found[16];
	struct dirent *entry;
	pid_t thread = 0;
	DIR *proc;
	FILE *file;

	snprintf(name, sizeof(name), "nb-%u/%u\n", endpoint, queue);
	proc = opendir("/proc");
	while (!thread && (entry = readdir(proc))) {
		if (atoi(entry->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(found, sizeof(found), file) && !strcmp(found, name))
			thread = atoi(entry->d_name);
		fclose(file);
	}
	closedir(proc);
	return thread;
}

bool nb_thread_sleeps(pid_t thread)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/status", thread);
	return !nb_test_run("grep", "-q", "^State:.I", path, NULL);
}

bool nb_thread_is_only_on(pid_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	nb_sys(sched_getaffinity(thread, sizeof(set), &set));
	return CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set);
}

void nb_thread_allow(pid_t thread, int first, int last)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (; first <= last; first++)
		CPU_SET(first, &set);
	nb_sys(sched_setaffinity(thread, sizeof(set), &set));
}

bool nb_has_cpu_to_take(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 &&
	       !access("/sys/devices/system/cpu/cpu1/online", W_OK);
}

void nb_set_cpu_online(unsigned int cpu, bool online)
{
	char line[128];

	snprintf(line, sizeof(line), "echo %d > /sys/devices/system/cpu/cpu%u/online", online,
		 cpu);
	nb_host_run(line);
}

static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "r");

	if (!file || !fgets(line, size, file))
		nb_die("cannot read %s", path);
	fclose(file);
}

void nb_cpu_cgroup_make(struct nb_cpu_cgroup *cgroup)
{
	strcpy(cgroup->root, "/tmp/cgroup.XXXXXX");
	if (!mkdtemp(cgroup->root))
		nb_die("no folder for cgroups");
	nb_sys(mount("cgroup2", cgroup->root, "cgroup2", 0, NULL));
	snprintf(cgroup->path, sizeof(cgroup->path), "%s/vmm", cgroup->root);
	nb_sys(mkdir(cgroup->path, 0755));
}

void nb_cpu_cgroup_write(const struct nb_cpu_cgroup *cgroup, const char *file,
			 const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup->root, file);
	nb_test_set(path, text);
}

bool nb_thread_is_its_makers(struct nb_nic *nic, uint32_t endpoint,
			     const struct nb_queue_config *config)
{
	struct nb_cpu_cgroup cgroup;
	pid_t child;
	int status;

	nb_cpu_cgroup_make(&cgroup);
	child = nb_sys(fork());
	if (!child) {
		nb_cpu_cgroup_write(&cgroup, "vmm/cgroup.procs", "0");
		nb_nic_start_as(nic, config, 1);
		_exit(!nb_cpu_cgroup_has(nb_thread_of(endpoint, 0)));
	}
	nb_sys(waitpid(child, &status, 0));
	nb_cpu_cgroup_remove(&cgroup);
	return !status;
}

void nb_cpu_cgroup_remove(const struct nb_cpu_cgroup *cgroup)
{
	if (!nb_until(!rmdir(cgroup->path)))
		nb_die("somebody is still in the cgroup");
	nb_sys(umount(cgroup->root));
	nb_sys(rmdir(cgroup->root));
}

bool nb_cpu_cgroup_has(pid_t thread)
{
	char path[64], mine[256], its[256];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", thread);
	read_line("/proc/self/cgroup", mine, sizeof(mine));
	read_line(path, its, sizeof(its));
	return strstr(mine, "/vmm") && !strcmp(mine, its);
}

bool nb_cpu_cgroup_has_cpus(const struct nb_cpu_cgroup *cgroup)
{
	char path[128], known[256];

	snprintf(path, sizeof(path), "%s/cgroup.controllers", cgroup->root);
	read_line(path, known, sizeof(known));
	if (!strstr(known, "cpuset"))
		return false;
	nb_cpu_cgroup_write(cgroup, "cgroup.subtree_control", "+cpuset");
	return true;
}
