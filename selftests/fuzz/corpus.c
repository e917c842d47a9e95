// SPDX-License-Identifier: GPL-2.0
/*
 * The inputs that are worth keeping: in memory, in files, and what becomes of them.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../nbtest.h"
#include "fuzz.h"

#define MOST	8192u

static struct {
	uint32_t n;
	struct fuzz_entry entry[MOST];
} *corpus;

void fuzz_corpus_open(void)
{
	if (corpus) {
		fuzz_corpus_empty();
		return;
	}
	corpus = mmap(NULL, sizeof(*corpus), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (corpus == MAP_FAILED)
		nb_die("no memory for the corpus: %s", strerror(errno));
}

void fuzz_corpus_empty(void)
{
	corpus->n = 0;
}

unsigned int fuzz_corpus_size(void)
{
	return corpus->n;
}

const struct fuzz_entry *fuzz_corpus_at(unsigned int i)
{
	return &corpus->entry[i];
}

void fuzz_corpus_add(const uint8_t *data, size_t size)
{
	struct fuzz_entry *entry = &corpus->entry[corpus->n];

	if (corpus->n == MOST)
		return;
	entry->size = size < FUZZ_MAX_INPUT ? size : FUZZ_MAX_INPUT;
	memcpy(entry->data, data, entry->size);
	corpus->n++;
}

/* ---- files --------------------------------------------------------------- */

static void read_file(const char *path)
{
	uint8_t data[FUZZ_MAX_INPUT];
	FILE *file = fopen(path, "r");
	size_t size;

	if (!file)
		nb_die("%s: %s", path, strerror(errno));
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	fuzz_corpus_add(data, size);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void read_folder(const char *path)
{
	struct dirent **entries;
	char name[1024];
	int n, i;

	n = scandir(path, &entries, is_visible, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		read_file(name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

void fuzz_corpus_read(char **paths, unsigned int n)
{
	struct stat about;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (stat(paths[i], &about))
			nb_die("%s: %s", paths[i], strerror(errno));
		if (S_ISDIR(about.st_mode))
			read_folder(paths[i]);
		else
			read_file(paths[i]);
	}
}

const char *fuzz_write(const char *folder, const char *prefix, const uint8_t *data, size_t size)
{
	static char name[1024];
	uint32_t hash = 0x811c9dc5;	/* FNV-1a */
	FILE *file;
	size_t i;

	for (i = 0; i < size; i++)
		hash = (hash ^ data[i]) * 0x01000193;
	snprintf(name, sizeof(name), "%s/%s%08x", folder, prefix, hash);
	file = fopen(name, "w");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file))
		nb_die("%s: %s", name, strerror(errno));
	return name;
}

/* ---- changes ------------------------------------------------------------- */

struct draft {
	const struct fuzz_target *target;
	struct nb_random *random;
	uint8_t *data;
	size_t size;
};

static uint32_t below(struct draft *draft, uint32_t limit)
{
	return nb_random_below(draft->random, limit);
}

/* Makes room for bytes at a place, as far as there is any: how many. */
static size_t make_room(struct draft *draft, size_t at, size_t n)
{
	if (n > FUZZ_MAX_INPUT - draft->size)
		n = FUZZ_MAX_INPUT - draft->size;
	memmove(draft->data + at + n, draft->data + at, draft->size - at);
	draft->size += n;
	return n;
}

static void insert_operation(struct draft *draft, size_t at)
{
	const char *operations = draft->target->operations;
	size_t n = make_room(draft, at, 1 + below(draft, 7));

	if (!n)
		return;
	nb_random_fill(draft->random, draft->data + at, n);
	draft->data[at] = operations[below(draft, strlen(operations))];
}

/* A part of another one, at that place. */
static void splice(struct draft *draft, size_t at)
{
	const struct fuzz_entry *other = fuzz_corpus_at(below(draft, fuzz_corpus_size()));
	size_t from, n;

	if (!other->size)
		return;
	from = below(draft, other->size);
	n = make_room(draft, at, 1 + below(draft, other->size - from));
	memcpy(draft->data + at, other->data + from, n);
}

static void repeat(struct draft *draft, size_t at)
{
	size_t n = 1 + below(draft, draft->size - at);

	n = make_room(draft, at, n < 32 ? n : 32);
	memcpy(draft->data + at, draft->data + at + n, n);
}

static void cut(struct draft *draft, size_t at)
{
	size_t n = 1 + below(draft, 8);

	if (n > draft->size - at)
		n = draft->size - at;
	memmove(draft->data + at, draft->data + at + n, draft->size - at - n);
	draft->size -= n;
}

/* A number near a power of two, in the form of take32(). */
static void put_number(struct draft *draft, size_t at)
{
	draft->data[at] = below(draft, 32) << 3 | (1 + below(draft, 5));
}

static void change(struct draft *draft)
{
	size_t at;

	if (!draft->size || (draft->size < 16 && !below(draft, 2))) {
		insert_operation(draft, below(draft, draft->size + 1));
		return;
	}
	at = below(draft, draft->size);
	switch (below(draft, 9)) {
	case 0:
		draft->data[at] ^= 1u << below(draft, 8);
		break;
	case 1:
		draft->data[at] = below(draft, 256);
		break;
	case 2:
		draft->data[at] += below(draft, 9) - 4;
		break;
	case 3:
		put_number(draft, at);
		break;
	case 4:
		insert_operation(draft, at);
		break;
	case 5:
		insert_operation(draft, draft->size);
		break;
	case 6:
		splice(draft, at);
		break;
	case 7:
		repeat(draft, at);
		break;
	case 8:
		cut(draft, at);
		break;
	}
}

size_t fuzz_mutate(const struct fuzz_target *target, struct nb_random *random,
		   uint8_t data[FUZZ_MAX_INPUT])
{
	struct draft draft = { .target = target, .random = random, .data = data };
	unsigned int n = fuzz_corpus_size(), newest, changes;
	const struct fuzz_entry *entry;

	if (n) {
		/* Half of the time one of the newest. */
		newest = n < 32 ? n : 32;
		entry = fuzz_corpus_at(below(&draft, 2) ? below(&draft, n) :
				       n - 1 - below(&draft, newest));
		draft.size = entry->size;
		memcpy(data, entry->data, entry->size);
	}
	for (changes = 1u << below(&draft, 4); changes; changes--)
		change(&draft);
	return draft.size;
}
