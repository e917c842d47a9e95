// SPDX-License-Identifier: GPL-2.0
/*
 * What fuzzes libnb (fuzz/libnb.c) for "make coverage", without libFuzzer: each input that
 * is named, and so many others that differ from it in some bytes, always the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/wrap.h"

#define VARIANTS	20000u

static void replay(const uint8_t *data, size_t size)
{
	uint8_t changed[4096];
	unsigned int i, n;

	LLVMFuzzerTestOneInput(data, size);
	for (i = 0; i < VARIANTS && size; i++) {
		memcpy(changed, data, size);
		for (n = 0; n <= i % 8; n++)
			changed[random() % size] = random();
		LLVMFuzzerTestOneInput(changed, size);
	}
}

int main(int argc, char **argv)
{
	uint8_t data[4096];
	size_t size;
	FILE *file;

	while (*++argv) {
		file = fopen(*argv, "r");
		if (!file) {
			perror(*argv);
			return 1;
		}
		size = fread(data, 1, sizeof(data), file);
		fclose(file);
		replay(data, size);
	}
	return 0;
}
