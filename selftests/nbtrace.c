// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints by tracefs alone, see nbtrace.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nbtest.h"
#include "nbtrace.h"

static void write_file(const struct nb_trace *trace, const char *name, const char *value)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", trace->dir, name);
	nb_test_set(path, value);
}

/* Sets whether a new buffer notes the names of processes; whether it did so before. */
static bool record_names(bool on)
{
	static const char path[] = NB_TRACEFS "/options/record-cmd";
	int fd = nb_sys(open(path, O_RDONLY | O_CLOEXEC));
	char was = '1';

	nb_sys(read(fd, &was, 1));
	close(fd);
	nb_test_set(path, on ? "1" : "0");
	return was == '1';
}

/*
 * To note names, the kernel switches tracepoints of the scheduler on and off.  Under QEMU's
 * emulation 7.3 dies when code is patched that another CPU runs at that moment, as that
 * surely is: with an int3 that nobody claims.
 */
static void make_buffer(const struct nb_trace *trace)
{
	bool names = record_names(false);

	nb_sys(mkdir(trace->dir, 0700));
	record_names(names);
}

void nb_trace_new(struct nb_trace *trace)
{
	static unsigned int n;

	nb_test_load_module();
	snprintf(trace->dir, sizeof(trace->dir), NB_TRACEFS "/instances/nb-%d-%u", getpid(), n++);
	make_buffer(trace);
}

void nb_trace_open(struct nb_trace *trace)
{
	nb_trace_new(trace);
	write_file(trace, "events/net_backend/enable", "1");
}

void nb_trace_close(struct nb_trace *trace)
{
	if (trace->dir[0])
		nb_sys(rmdir(trace->dir));
	trace->dir[0] = '\0';
}

void nb_trace_add(struct nb_trace *trace, const char *event)
{
	char name[96];

	snprintf(name, sizeof(name), "events/%s/enable", event);
	write_file(trace, name, "1");
}

unsigned long nb_trace_sum(const struct nb_trace *trace, const char *event, const char *words,
			   const char *field)
{
	char path[96], name[64], wanted[64], line[1024];
	unsigned long sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/trace", trace->dir);
	snprintf(name, sizeof(name), ": %s: ", event);
	snprintf(wanted, sizeof(wanted), " %s=", field ? field : "");
	file = fopen(path, "re");
	if (!file)
		nb_die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		char *found = strstr(line, name), *value;

		if (!found)
			continue;
		found += strlen(name) - 1;
		found[strcspn(found, "\n")] = ' ';
		if (words && !strstr(found, words))
			continue;
		value = field ? strstr(found, wanted) : NULL;
		if (field && !value)
			nb_die("%s has no field %s", event, field);
		sum += field ? strtoul(value + strlen(wanted), NULL, 0) : 1;
	}
	fclose(file);
	return sum;
}
