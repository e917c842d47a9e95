/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints by tracefs alone: a trace buffer of the test's own, which nobody else's
 * tracing disturbs, nor is disturbed by.
 */
#ifndef NBTRACE_H
#define NBTRACE_H

#define NB_TRACEFS	"/sys/kernel/tracing"

struct nb_trace {
	char dir[64];
};

/* A buffer that notes nothing by itself: its events and triggers are in the folder. */
void nb_trace_new(struct nb_trace *trace);
/* All events of net_backend are noted from now on, until the buffer is closed. */
void nb_trace_open(struct nb_trace *trace);
void nb_trace_close(struct nb_trace *trace);
/* And an event of another system's: "system/event". */
void nb_trace_add(struct nb_trace *trace, const char *event);
/*
 * Sum of that field, NULL: number, of all events of a name so far in which these words
 * occur, NULL: of all.  A space stands in front of each field, and at the end.
 */
unsigned long nb_trace_sum(const struct nb_trace *trace, const char *event, const char *words,
			   const char *field);

#endif /* NBTRACE_H */
