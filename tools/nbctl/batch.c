// SPDX-License-Identifier: GPL-2.0
/*
 * Commands from a file, a line each, as ip has them: words may be quoted, and a '#' begins
 * a comment.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nbctl.h"

/* most words of a line */
#define MAX_WORDS	64

/* Take a word off @line, in place; NULL if there is none.  *@open: a quote does not end. */
static char *next_word(char **line, bool *open)
{
	char *from = *line + strspn(*line, " \t\r\n"), *word = from, *to = from;
	char quote = '\0';

	if (!*from || *from == '#')
		return NULL;
	for (; *from && (quote || !strchr(" \t\r\n", *from)); from++) {
		if (quote ? *from == quote : *from == '"' || *from == '\'')
			quote = quote ? '\0' : *from;
		else
			*to++ = *from;
	}
	*open = quote;
	*line = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static int run_line(char *line)
{
	char *words[MAX_WORDS + 1], *word;
	bool open = false;
	int n = 0;

	while ((word = next_word(&line, &open))) {
		if (open) {
			complain("a quote does not end: write both on one line");
			return STATUS_USAGE;
		}
		if (n == MAX_WORDS) {
			complain("more than %d words: use several lines", MAX_WORDS);
			return STATUS_USAGE;
		}
		words[n++] = word;
	}
	words[n] = NULL;
	return n ? commands_run(n, words) : STATUS_OK;
}

static int run_lines(FILE *file, const char *name, bool go_on)
{
	int status = STATUS_OK, first = STATUS_OK;
	unsigned int number = 0;
	char *line = NULL;
	size_t size = 0;

	while ((go_on || !first) && getline(&line, &size, file) > 0) {
		complain_where(name, ++number);
		status = run_line(line);
		fflush(stdout);
		if (!first)
			first = status;
	}
	complain_where(NULL, 0);
	free(line);
	return first;
}

/* Run the commands in a file, all of them or until one fails; returns how the first failed. */
int batch_main(const char *name, bool go_on)
{
	bool is_stdin = !strcmp(name, "-");
	FILE *file = is_stdin ? stdin : fopen(name, "re");
	int status;

	if (!file) {
		complain("cannot open '%s': %s", name, strerror(errno));
		return STATUS_USAGE;
	}
	status = run_lines(file, is_stdin ? "standard input" : name, go_on);
	if (!is_stdin)
		fclose(file);
	return status;
}
