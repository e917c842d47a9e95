// SPDX-License-Identifier: GPL-2.0
/*
 * File descriptors that a front-end has passed: what they are
 *
 * The file behind one may be somebody's who does not answer, so that it is not asked: what is
 * asked here the kernel answers by itself.
 */
#include <fcntl.h>
#include <sys/vfs.h>

#include "nbvhost.h"

/*
 * Bytes of a page of memory, which is a memfd, or a file on tmpfs or hugetlbfs: that has seals.
 * 0 if the fd is of anything else.
 */
size_t fd_memory_page(int fd)
{
	struct statfs system;

	if (fcntl(fd, F_GET_SEALS) < 0 || fstatfs(fd, &system))
		return 0;
	return (size_t)system.f_bsize;
}
