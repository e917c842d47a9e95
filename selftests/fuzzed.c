// SPDX-License-Identifier: GPL-2.0
/*
 * The module under hostile inputs, see fuzz/fuzz.h: those of the corpus, and for a few
 * seconds new ones.  With arguments, what "make fuzz" does.
 */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "kselftest_harness.h"
#include "nbtest.h"

#define A_FEW_SECONDS	2

static const struct fuzz_target *const targets[] = {
	&fuzz_rings, &fuzz_ioctls, &fuzz_netlink, &fuzz_frames,
};

/* Of a target, beside the program; as a list of one. */
static char **corpus_of(const struct fuzz_target *target)
{
	static char path[2 * PATH_MAX], *list[1] = { path };
	char self[PATH_MAX];
	ssize_t len = nb_sys(readlink("/proc/self/exe", self, sizeof(self) - 1));

	self[len] = '\0';
	snprintf(path, sizeof(path), "%s/corpus/%s", dirname(self), target->name);
	return list;
}

FIXTURE(fuzzed)
{
};

FIXTURE_VARIANT(fuzzed)
{
	const struct fuzz_target *target;
};

FIXTURE_VARIANT_ADD(fuzzed, rings) { .target = &fuzz_rings };
FIXTURE_VARIANT_ADD(fuzzed, ioctls) { .target = &fuzz_ioctls };
FIXTURE_VARIANT_ADD(fuzzed, netlink) { .target = &fuzz_netlink };
FIXTURE_VARIANT_ADD(fuzzed, frames) { .target = &fuzz_frames };

FIXTURE_SETUP(fuzzed)
{
}

FIXTURE_TEARDOWN(fuzzed)
{
}

/* The corpus takes a minute where each input is watched by everything. */
TEST_F_TIMEOUT(fuzzed, hostile_inputs_harm_nobody, 900)
{
	EXPECT_TRUE(fuzz_run(variant->target, A_FEW_SECONDS, NULL, corpus_of(variant->target), 1));
}

static int usage(void)
{
	fputs("usage: fuzzed                                 its tests\n"
	      "       fuzzed run TARGET SECONDS OUT [FOLDER]...\n"
	      "                   new inputs, beginning with those of the folders; what is worth\n"
	      "                   keeping, and what does harm, is left in OUT\n"
	      "       fuzzed show TARGET FILE...              runs inputs, and says what they do\n"
	      "       fuzzed reduce TARGET N OUT FOLDER...    the N inputs that reach most\n"
	      "TARGET: rings, ioctls, netlink, frames\n", stderr);
	return 2;
}

static const struct fuzz_target *find_target(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(targets); i++)
		if (!strcmp(targets[i]->name, name))
			return targets[i];
	return NULL;
}

static int obey(int argc, char **argv)
{
	const struct fuzz_target *target = argc > 3 ? find_target(argv[2]) : NULL;
	char **rest = argv + 5;
	int n = argc - 5;

	if (!target)
		return usage();
	if (!strcmp(argv[1], "show")) {
		fuzz_verbose = true;
		return !fuzz_replay(target, argv + 3, argc - 3);
	}
	if (n < 0)
		return usage();
	if (!strcmp(argv[1], "run"))
		return !fuzz_run(target, atoi(argv[3]), argv[4], n ? rest : corpus_of(target),
				 n ? n : 1);
	if (!strcmp(argv[1], "reduce") && n)
		return !fuzz_reduce(target, atoi(argv[3]), argv[4], rest, n);
	return usage();
}

int main(int argc, char **argv)
{
	if (argc > 1 && (!strcmp(argv[1], "run") || !strcmp(argv[1], "show") ||
			 !strcmp(argv[1], "reduce")))
		return obey(argc, argv);
	return test_harness_run(argc, argv);
}
