// SPDX-License-Identifier: GPL-2.0
/* What all files of the bench use: memory, shapes that fit, packets */

#include <net/ethernet.h>
#include <string.h>

#include "bench.h"

/* For local experiments (IEEE 802) */
#define BENCH_ETHERTYPE	0x88b5

void *alloc(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (!memory)
		die("no memory");
	return memory;
}

bool fits_all(const struct shape *shape)
{
	return shape->size >= ETHER_HDR_LEN;
}

bool fits_one_segment(const struct shape *shape)
{
	return shape->segments == 1;
}

void frame_fill(uint8_t *frame, unsigned int size, const uint8_t *to, const uint8_t *from)
{
	static const uint8_t broadcast[ETHER_ADDR_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t nobody[ETHER_ADDR_LEN] = { 0x02 };
	unsigned int i;

	memcpy(frame, to ? to : broadcast, ETHER_ADDR_LEN);
	memcpy(frame + ETHER_ADDR_LEN, from ? from : nobody, ETHER_ADDR_LEN);
	frame[12] = BENCH_ETHERTYPE >> 8;
	frame[13] = BENCH_ETHERTYPE & 0xff;
	for (i = ETHER_HDR_LEN; i < size; i++)
		frame[i] = i;
}
