// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints themselves; what they are stands in trace.h.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"

void __nb_trace_drop(const struct nb_queue *queue, enum nb_trace_direction direction,
		     enum nb_drop reason)
{
	trace_nb_drop(queue->endpoint->id, queue->index, direction, reason, 1);
}

void __nb_trace_doorbell(const struct nb_queue *queue, enum nb_trace_doorbell how, u32 flags)
{
	trace_nb_doorbell(queue, how, flags);
}

static enum nb_trace_direction nb_trace_direction(u32 what)
{
	switch (what) {
	case NB_NEED_NOTIFY_TX:
		return NB_TRACE_TX;
	case NB_NEED_NOTIFY_RX:
		return NB_TRACE_RX;
	default:
		return NB_TRACE_STATE;
	}
}

void __nb_trace_notify(const struct nb_queue *queue, u32 what)
{
	trace_nb_notify(queue, nb_trace_direction(what));
}

void __nb_trace_notify_held(const struct nb_queue *queue, u32 what)
{
	trace_nb_notify_held(queue, nb_trace_direction(what));
}
