/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer for the module, from inside the virtual machine: what runs hostile inputs, learns
 * by KCOV which of them reach something new, and changes those.
 *
 * engine.c	runs inputs in a process that may die, and looks after it
 * corpus.c	the inputs that are worth keeping, how they change, and their files
 * kcov.c	what of the module an input has reached
 * world.c	what the targets play with: guest memory, endpoints, interfaces
 *
 * and a target each: rings.c, ioctls.c, netlink.c, frames.c.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_MAX_INPUT	512u

/* ---- targets ------------------------------------------------------------- */

struct fuzz_target {
	const char *name;
	const char *operations;	/* characters that begin one */
	void (*open)(void);	/* in a process of its own, before the first input */
	void (*run)(const uint8_t *data, size_t size);
};

extern const struct fuzz_target fuzz_rings, fuzz_ioctls, fuzz_netlink, fuzz_frames;

/* What an operation is, for those who read an input; says nothing unless asked. */
#define fuzz_say(...)	do { if (fuzz_verbose) fuzz_print(__VA_ARGS__); } while (0)

extern bool fuzz_verbose;
void fuzz_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The kernel has not kept a promise: ends the process. */
#define fuzz_broken(...)	fuzz_end(false, __VA_ARGS__)
/* The same, of what no longer works; nbctl tells in which state all endpoints and queues are. */
#define fuzz_stuck(...)		fuzz_end(true, __VA_ARGS__)
void fuzz_end(bool show, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
/* So many descriptors have been taken by the kernel. */
void fuzz_count(uint64_t descriptors);

/* ---- engine.c ------------------------------------------------------------ */

/* Runs inputs, files or all in a folder; whether nobody was harmed. */
bool fuzz_replay(const struct fuzz_target *target, char **paths, unsigned int n);
/*
 * The same, and then for so long new ones that are made of them.  What is worth keeping, and
 * what does harm, is left in "out" unless that is NULL.
 */
bool fuzz_run(const struct fuzz_target *target, unsigned int seconds, const char *out,
	      char **paths, unsigned int n);
/* Leaves at most so many of them in "out" that reach most of it. */
bool fuzz_reduce(const struct fuzz_target *target, unsigned int most, const char *out,
		 char **paths, unsigned int n);

/* ---- kcov.c -------------------------------------------------------------- */

/* One for each pair of places, by a hash. */
#define FUZZ_EDGES	(1u << 17)

/* Whether this kernel, and the module, tell what they run. */
bool fuzz_kcov_open(void);
void fuzz_kcov_begin(void);
/* Ends it; calls fn for each edge, more than once for some. */
void fuzz_kcov_end(void (*fn)(uint32_t edge));

/* ---- corpus.c ------------------------------------------------------------ */

struct fuzz_entry {
	uint16_t size;
	uint8_t data[FUZZ_MAX_INPUT];
};

/* In memory that is shared with the processes that run inputs. */
void fuzz_corpus_open(void);
void fuzz_corpus_empty(void);
unsigned int fuzz_corpus_size(void);
const struct fuzz_entry *fuzz_corpus_at(unsigned int i);
void fuzz_corpus_add(const uint8_t *data, size_t size);
/* Adds the files, or those that are in the folders. */
void fuzz_corpus_read(char **paths, unsigned int n);
/* Writes FOLDER/PREFIX-HASH; its name stays valid until the next call. */
const char *fuzz_write(const char *folder, const char *prefix, const uint8_t *data, size_t size);

struct nb_random;
/* Makes a new input from those of the corpus. */
size_t fuzz_mutate(const struct fuzz_target *target, struct nb_random *random,
		   uint8_t data[FUZZ_MAX_INPUT]);

#endif /* FUZZ_H */
