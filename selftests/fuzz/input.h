/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An input: a program of which a character is an operation, and what follows are its
 * operands; others are skipped.  So a corpus can be text, and what is cut off counts as 0.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

/* Each thread reads its own. */
static __thread const uint8_t *input, *input_end;

static inline void take_from(const uint8_t *data, size_t size)
{
	input = data;
	input_end = data + size;
}

static inline uint8_t take8(void)
{
	return input < input_end ? *input++ : 0;
}

/* Small numbers, and those around powers of two, more often than others. */
static inline uint32_t take32(void)
{
	uint8_t how = take8();
	uint32_t value = 0;

	switch (how & 7) {
	case 0:
		return take8() | (uint32_t)take8() << 8 | (uint32_t)take8() << 16 |
		       (uint32_t)take8() << 24;
	case 1:
		return (1u << (how >> 3)) - 1;
	case 2:
		return 1u << (how >> 3);
	case 3:
		return 0u - (how >> 3);
	default:
		value = how >> 3;
		return (how & 7) == 4 ? value << 6 : value;
	}
}

#endif /* FUZZ_INPUT_H */
