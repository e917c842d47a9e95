// SPDX-License-Identifier: GPL-2.0
/*
 * KCOV of the calling thread: which basic blocks of the module it went through.  Not what
 * the kernel does in interrupts and in other threads; what runs with bottom halves off in a
 * system call is there.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "../nbtest.h"
#include "fuzz.h"

#define FILE_NAME	"/sys/kernel/debug/kcov"
/* Words; more blocks of one input are not seen. */
#define WORDS		(1u << 18)

static unsigned long *area;

bool fuzz_kcov_open(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CLOEXEC);

	area = NULL;
	if (fd < 0)
		return false;
	nb_sys(ioctl(fd, KCOV_INIT_TRACE, (unsigned long)WORDS));
	area = mmap(NULL, WORDS * sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED)
		nb_die("no map of " FILE_NAME);
	/* The fd stays open: closing it ends what is recorded. */
	nb_sys(ioctl(fd, KCOV_ENABLE, (unsigned long)KCOV_TRACE_PC));
	return true;
}

void fuzz_kcov_begin(void)
{
	if (area)
		__atomic_store_n(&area[0], 0, __ATOMIC_RELAXED);
}

void fuzz_kcov_end(void (*fn)(uint32_t edge))
{
	unsigned long n, i, last = 0, word;

	if (!area)
		return;
	n = __atomic_load_n(&area[0], __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < WORDS; i++) {
		word = area[i];
		fn(((word ^ last << 5) * 0x9e3779b97f4a7c15ull) >> 47);
		last = word;
	}
}
