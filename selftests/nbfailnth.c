// SPDX-License-Identifier: GPL-2.0
/*
 * The n-th allocation or copy of a thread fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nbfailnth.h"
#include "nbtest.h"

#define DEBUGFS		"/sys/kernel/debug/"

static int fail_nth = -1;	/* files */
static int fail_all = -1;

static bool set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return done;
}

/* Whether all that a thread allocates fails while it says so: see nb_failnth_all(). */
static bool set_all(const char *what)
{
	static const char *const values[][2] = {
		{ "task-filter", "Y" }, { "times", "-1" }, { "probability", "100" },
	};
	char path[64];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(values); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/%s", what, values[i][0]);
		if (!set(path, values[i][1]))
			return false;
	}
	return true;
}

const char *nb_failnth_open(void)
{
	/* Without these, only what may not sleep fails, and each failure fills the log. */
	if (!set(DEBUGFS "failslab/ignore-gfp-wait", "N") ||
	    !set(DEBUGFS "failslab/verbose", "0"))
		return "the kernel has no FAILSLAB, or there is no debugfs";
	if (!set(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N") ||
	    !set(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N") ||
	    !set(DEBUGFS "fail_page_alloc/min-order", "0") ||
	    !set(DEBUGFS "fail_page_alloc/verbose", "0"))
		return "the kernel has no FAIL_PAGE_ALLOC";
	if (!set(DEBUGFS "fail_usercopy/verbose", "0"))
		return "the kernel has no FAULT_INJECTION_USERCOPY";
	if (!set_all("failslab") || !set_all("fail_page_alloc"))
		return "the kernel's faults cannot be those of one thread";
	/* That of this thread, also when another has done this before fork(). */
	if (fail_nth >= 0)
		close(fail_nth);
	if (fail_all >= 0)
		close(fail_all);
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	fail_all = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	return fail_nth < 0 || fail_all < 0 ? "the kernel has no fail-nth" : NULL;
}

void nb_failnth_arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_nth, text, len, 0) != len)
		nb_die("fail-nth cannot be set to %u: %s", n, strerror(errno));
}

unsigned int nb_failnth_disarm(void)
{
	char left[16] = "";
	unsigned int n = 1;

	/* It may be this copy that fails, or the next one: then it was none before. */
	if (pread(fail_nth, left, sizeof(left) - 1, 0) > 0)
		n = strtoul(left, NULL, 10);
	if (pwrite(fail_nth, "0", 1, 0) != 1)
		nb_sys(pwrite(fail_nth, "0", 1, 0));
	return n;
}

void nb_failnth_all(bool fail)
{
	if (pwrite(fail_all, fail ? "1" : "0", 1, 0) != 1)
		nb_die("make-it-fail cannot be set: %s", strerror(errno));
}
