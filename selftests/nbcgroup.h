/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel counts: numbers in its files, and memory that is charged to a cgroup
 */
#ifndef NBCGROUP_H
#define NBCGROUP_H

#include <stdbool.h>

/* The number behind a key at the beginning of a line, the last one; 0 without such a line. */
unsigned long nb_number_in(const char *path, const char *key);

/* Pages that are pinned for long, on the whole machine. */
unsigned long nb_pinned_pages(void);
/* How many hold the module. */
unsigned long nb_module_references(void);

/* Makes the tests' memory cgroup; false if there is no such thing. */
bool nb_cgroup_make(void);
/* Puts a process (0: this one) into it. */
bool nb_cgroup_enter(int pid);
/* What it may have at most, in bytes. */
bool nb_cgroup_limit(const char *bytes);
/*
 * A number in its memory.stat, bytes, as it is now if this process is in it.  Each CPU may keep
 * up to a page more, of slab, for itself.
 */
unsigned long nb_cgroup_stat(const char *key);
/* Takes this process out, and the cgroup away if nobody else is in it. */
void nb_cgroup_leave(void);

#endif /* NBCGROUP_H */
