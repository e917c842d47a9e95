/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads of the kernel that drive queues: whether there is one, where it runs, in which
 * cgroup it is.
 */
#ifndef NBTHREAD_H
#define NBTHREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The thread of a queue of the endpoint, or 0. */
pid_t nb_thread_of(uint32_t endpoint, unsigned int queue);

/* Whether it sleeps, waiting for nothing that the kernel would call load. */
bool nb_thread_sleeps(pid_t thread);

bool nb_thread_is_only_on(pid_t thread, int cpu);

/* Gives a thread (0: this one) the CPUs from first to last. */
void nb_thread_allow(pid_t thread, int first, int last);

/* Whether there is a second CPU, which can go offline. */
bool nb_has_cpu_to_take(void);
void nb_set_cpu_online(unsigned int cpu, bool online);

/* Cgroups, and in them one called "vmm". */
struct nb_cpu_cgroup {
	char root[32];
	char path[64];
};

void nb_cpu_cgroup_make(struct nb_cpu_cgroup *cgroup);

/* Writes to a file below the root. */
void nb_cpu_cgroup_write(const struct nb_cpu_cgroup *cgroup, const char *file,
			 const char *text);

/* Whether this process and a thread are both in "vmm". */
bool nb_cpu_cgroup_has(pid_t thread);

/* Whether cgroups can have CPUs of their own; and they can, from now on. */
bool nb_cpu_cgroup_has_cpus(const struct nb_cpu_cgroup *cgroup);

struct nb_nic;
struct nb_queue_config;

/* Whether a queue that a process in "vmm" makes has its thread there, too. */
bool nb_thread_is_its_makers(struct nb_nic *nic, uint32_t endpoint,
			     const struct nb_queue_config *config);

/* When the last process has left it. */
void nb_cpu_cgroup_remove(const struct nb_cpu_cgroup *cgroup);

#endif /* NBTHREAD_H */
