// SPDX-License-Identifier: GPL-2.0
/*
 * Linked into the programs of "make coverage" with --wrap=_exit: a test of the kernel's
 * harness ends by _exit(), at which gcc's runtime would not write what it has counted.
 */
#include <gcov.h>

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
