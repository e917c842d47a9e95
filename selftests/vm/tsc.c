// SPDX-License-Identifier: GPL-2.0
/*
 * Prints how many kHz this machine's time stamp counter has. QEMU's emulation passes it on, and
 * a guest that finds the frequency out by itself while the machine is busy can be wrong by a
 * factor, and by that much each time limit in it.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES	1000

struct moment {
	long long ns;
	long long ticks;
};

/* Reads both clocks; of many tries the one in which nothing came between. */
static struct moment now(void)
{
	long long before, after, least = -1;
	struct moment moment = { 0 };
	struct timespec time;
	int i;

	for (i = 0; i < TRIES; i++) {
		before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &time);
		after = __rdtsc();
		if (least >= 0 && after - before >= least)
			continue;
		least = after - before;
		moment.ns = time.tv_sec * 1000000000ll + time.tv_nsec;
		moment.ticks = before + least / 2;
	}
	return moment;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	struct moment begin = now(), end;

	nanosleep(&pause, NULL);
	end = now();
	printf("%lld\n", (end.ticks - begin.ticks) * 1000000 / (end.ns - begin.ns));
	return 0;
}
