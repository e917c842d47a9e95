// SPDX-License-Identifier: GPL-2.0
/*
 * Floors: what nothing of its kind can be cheaper than
 *
 * floor, both: an empty system call a batch.
 * null, tx: an empty ioctl a batch, with which a batch is handed over.
 * loopback, both: a packet copied, in words of 8 bytes.
 */

#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

struct floor {
	struct shape shape;
	int fds[2];
	uint64_t *from;
	uint64_t *to;
};

static void *floor_open(const struct shape *shape)
{
	struct floor *floor = alloc(1, sizeof(*floor));

	floor->shape = *shape;
	floor->from = alloc(1, shape->size + sizeof(uint64_t));
	floor->to = alloc(1, shape->size + sizeof(uint64_t));
	if (pipe(floor->fds) < 0)
		die("no pipe");
	return floor;
}

static void floor_close(void *state)
{
	struct floor *floor = state;

	close(floor->fds[0]);
	close(floor->fds[1]);
	free(floor->from);
	free(floor->to);
	free(floor);
}

/* What is in a packet makes no difference. */
static bool floor_fits_small(const struct shape *shape)
{
	return shape->size == 64 && shape->segments == 1;
}

static void call_run(void *state, unsigned int batches)
{
	(void)state;
	while (batches--)
		syscall(SYS_getppid);
}

const struct path floor_call = {
	.path = "floor",
	.direction = "both",
	.subject = "floor",
	.fits = floor_fits_small,
	.open = floor_open,
	.run = call_run,
	.close = floor_close,
};

/* A number that a pipe does not know */
static void ioctl_run(void *state, unsigned int batches)
{
	struct floor *floor = state;

	while (batches--)
		ioctl(floor->fds[0], 0);
}

const struct path null_tx_floor = {
	.path = "null",
	.direction = "tx",
	.subject = "floor",
	.fits = floor_fits_small,
	.open = floor_open,
	.run = ioctl_run,
	.close = floor_close,
};

#ifdef __x86_64__
static void copy(uint64_t *to, const uint64_t *from, unsigned long words)
{
	asm volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (words) : : "memory");
}
#else
static void copy(uint64_t *to, const uint64_t *from, unsigned long words)
{
	memcpy(to, from, words * sizeof(*to));
}
#endif

static void copy_run(void *state, unsigned int batches)
{
	struct floor *floor = state;
	unsigned long words = (floor->shape.size + sizeof(uint64_t) - 1) / sizeof(uint64_t);
	unsigned int i;

	while (batches--)
		for (i = 0; i < floor->shape.batch; i++)
			copy(floor->to, floor->from, words);
}

const struct path loopback_floor = {
	.path = "loopback",
	.direction = "both",
	.subject = "floor",
	.fits = fits_one_segment,
	.open = floor_open,
	.run = copy_run,
	.close = floor_close,
};
