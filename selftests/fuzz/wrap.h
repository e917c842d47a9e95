/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions that clang and the linker know by their names
 */
#ifndef WRAP_H
#define WRAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What libnb calls instead of ioctl(), mmap(), munmap() and close(). */
int __wrap_ioctl(int fd, unsigned long request, void *arg);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *addr, size_t len);
int __wrap_close(int fd);

#endif /* WRAP_H */
