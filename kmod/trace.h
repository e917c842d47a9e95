/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, off until somebody asks: set-up, transitions, doorbells, notifications,
 * drops, packets.  Documentation/tracing.rst describes them for who uses them.
 *
 * They say who and how much: numbers of endpoints, queues and memories, lengths, states,
 * reasons.  No address of the kernel's, and nothing that is in a packet.
 *
 * A loop over packets has none that is not taken once a batch, see nb_tx_complete() and
 * nb_rx_publish(), or where something goes wrong.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM net_backend

#if !defined(_NB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NB_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#include "drop.h"
#include "endpoint.h"
#include "mem.h"
#include "packet.h"
#include "queue.h"

#ifndef _NB_TRACE_NAMES
#define _NB_TRACE_NAMES

/* A port of a switch, or an interface, has dropped, and not a queue. */
#define NB_TRACE_NO_QUEUE	(-1)

enum nb_trace_doorbell {
	NB_DOORBELL_ENTER,	/* ENTER was called */
	NB_DOORBELL_KICK,	/* the kick eventfd was written to */
	NB_DOORBELL_RUN,	/* the thread runs after a kick */
	NB_DOORBELL_WAKE,	/* the poller was woken */
};

enum nb_trace_direction {
	NB_TRACE_TX,		/* from the guest */
	NB_TRACE_RX,		/* to the guest */
	NB_TRACE_STATE,		/* neither: the queue's state */
};
#endif /* _NB_TRACE_NAMES */

#define NB_TRACE_DROP_ENUM(reason)	TRACE_DEFINE_ENUM(NB_DROP_##reason);
NB_DROPS(NB_TRACE_DROP_ENUM)

TRACE_DEFINE_ENUM(NB_DOORBELL_ENTER);
TRACE_DEFINE_ENUM(NB_DOORBELL_KICK);
TRACE_DEFINE_ENUM(NB_DOORBELL_RUN);
TRACE_DEFINE_ENUM(NB_DOORBELL_WAKE);
TRACE_DEFINE_ENUM(NB_TRACE_TX);
TRACE_DEFINE_ENUM(NB_TRACE_RX);
TRACE_DEFINE_ENUM(NB_TRACE_STATE);
TRACE_DEFINE_ENUM(NB_QUEUE_RUNNING);
TRACE_DEFINE_ENUM(NB_QUEUE_RESTART);
TRACE_DEFINE_ENUM(NB_QUEUE_FAILED);
TRACE_DEFINE_ENUM(NB_QUEUE_QUIESCED);
TRACE_DEFINE_ENUM(NB_TX_OK);
TRACE_DEFINE_ENUM(NB_TX_DROPPED);
TRACE_DEFINE_ENUM(NB_TX_INVALID);
TRACE_DEFINE_ENUM(NB_TX_FAULT);
TRACE_DEFINE_ENUM(NB_TX_UNSUPPORTED);
TRACE_DEFINE_ENUM(NB_RX_OK);
TRACE_DEFINE_ENUM(NB_RX_INVALID);
TRACE_DEFINE_ENUM(NB_RX_FAULT);

#define NB_TRACE_DROP_NAME(reason)	{ NB_DROP_##reason, #reason },
#define nb_trace_drop_name(reason)					\
	__print_symbolic(reason, NB_DROPS(NB_TRACE_DROP_NAME) { -1, NULL })

#define nb_trace_doorbell_name(how)					\
	__print_symbolic(how,						\
		{ NB_DOORBELL_ENTER, "ENTER" },				\
		{ NB_DOORBELL_KICK, "KICK" },				\
		{ NB_DOORBELL_RUN, "RUN" },				\
		{ NB_DOORBELL_WAKE, "WAKE" })

#define nb_trace_direction_name(direction)				\
	__print_symbolic(direction,					\
		{ NB_TRACE_TX, "tx" },					\
		{ NB_TRACE_RX, "rx" },					\
		{ NB_TRACE_STATE, "state" })

#define nb_trace_state_name(state)					\
	__print_symbolic(state,						\
		{ NB_QUEUE_RUNNING, "RUNNING" },			\
		{ NB_QUEUE_RESTART, "RESTART" },			\
		{ NB_QUEUE_FAILED, "FAILED" },				\
		{ NB_QUEUE_QUIESCED, "QUIESCED" })

#define nb_trace_tx_status_name(status)					\
	__print_symbolic(status,					\
		{ NB_TX_OK, "OK" },					\
		{ NB_TX_DROPPED, "DROPPED" },				\
		{ NB_TX_INVALID, "INVALID" },				\
		{ NB_TX_FAULT, "FAULT" },				\
		{ NB_TX_UNSUPPORTED, "UNSUPPORTED" })

#define nb_trace_rx_status_name(status)					\
	__print_symbolic(status,					\
		{ NB_RX_OK, "OK" },					\
		{ NB_RX_INVALID, "INVALID" },				\
		{ NB_RX_FAULT, "FAULT" })

/* ---- endpoints ----------------------------------------------------------- */

/* Under &nb_endpoint.lock. */
DECLARE_EVENT_CLASS(nb_endpoint,

	TP_PROTO(struct nb_endpoint *endpoint),

	TP_ARGS(endpoint),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__array(char, kind, NB_KIND_LEN)
		__array(char, name, NB_NAME_LEN)
	),

	TP_fast_assign(
		struct nb_identity id;

		nb_endpoint_identity(endpoint, &id);
		__entry->endpoint = endpoint->id;
		strscpy_pad(__entry->kind, nb_endpoint_backend(endpoint)->ops->name,
			    NB_KIND_LEN);
		strscpy_pad(__entry->name, id.name, NB_NAME_LEN);
	),

	TP_printk("endpoint=%u kind=%s name=%s", __entry->endpoint, __entry->kind,
		  __entry->name)
);

DEFINE_EVENT(nb_endpoint, nb_endpoint_made,
	TP_PROTO(struct nb_endpoint *endpoint), TP_ARGS(endpoint));
DEFINE_EVENT(nb_endpoint, nb_endpoint_gone,
	TP_PROTO(struct nb_endpoint *endpoint), TP_ARGS(endpoint));
DEFINE_EVENT(nb_endpoint, nb_connect,
	TP_PROTO(struct nb_endpoint *endpoint), TP_ARGS(endpoint));
DEFINE_EVENT(nb_endpoint, nb_disconnecting,
	TP_PROTO(struct nb_endpoint *endpoint), TP_ARGS(endpoint));
DEFINE_EVENT(nb_endpoint, nb_disconnect,
	TP_PROTO(struct nb_endpoint *endpoint), TP_ARGS(endpoint));
DEFINE_EVENT(nb_endpoint, nb_stop,
	TP_PROTO(struct nb_endpoint *endpoint), TP_ARGS(endpoint));

/* RestartRequired.  Any context. */
TRACE_EVENT(nb_restart,

	TP_PROTO(const struct nb_endpoint *endpoint),

	TP_ARGS(endpoint),

	TP_STRUCT__entry(
		__field(u32, endpoint)
	),

	TP_fast_assign(
		__entry->endpoint = endpoint->id;
	),

	TP_printk("endpoint=%u", __entry->endpoint)
);

/* The operator or the backend has set the link.  Any context. */
TRACE_EVENT(nb_link,

	TP_PROTO(const struct nb_endpoint *endpoint),

	TP_ARGS(endpoint),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(u8, up)
		__field(u8, backend_up)
		__field(u8, admin_up)
	),

	TP_fast_assign(
		__entry->endpoint = endpoint->id;
		__entry->up = READ_ONCE(endpoint->actions.link_up);
		__entry->backend_up = READ_ONCE(endpoint->actions.backend_up);
		__entry->admin_up = !READ_ONCE(endpoint->actions.admin_down);
	),

	TP_printk("endpoint=%u up=%u backend_up=%u admin_up=%u", __entry->endpoint,
		  __entry->up, __entry->backend_up, __entry->admin_up)
);

/* ---- queues -------------------------------------------------------------- */

DECLARE_EVENT_CLASS(nb_queue,

	TP_PROTO(const struct nb_queue *queue),

	TP_ARGS(queue),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(u32, queue)
		__field(u32, memory)
		__field(u32, flags)
	),

	TP_fast_assign(
		__entry->endpoint = queue->endpoint->id;
		__entry->queue = queue->index;
		__entry->memory = queue->mem->id;
		__entry->flags = queue->flags;
	),

	TP_printk("endpoint=%u queue=%u memory=%u flags=0x%x", __entry->endpoint,
		  __entry->queue, __entry->memory, __entry->flags)
);

DEFINE_EVENT(nb_queue, nb_queue_made,
	TP_PROTO(const struct nb_queue *queue), TP_ARGS(queue));
DEFINE_EVENT(nb_queue, nb_queue_gone,
	TP_PROTO(const struct nb_queue *queue), TP_ARGS(queue));

TRACE_EVENT(nb_queue_state,

	TP_PROTO(const struct nb_queue *queue, u32 old, u32 new),

	TP_ARGS(queue, old, new),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(u32, queue)
		__field(u32, old)
		__field(u32, new)
	),

	TP_fast_assign(
		__entry->endpoint = queue->endpoint->id;
		__entry->queue = queue->index;
		__entry->old = old;
		__entry->new = new;
	),

	TP_printk("endpoint=%u queue=%u old=%s new=%s", __entry->endpoint, __entry->queue,
		  nb_trace_state_name(__entry->old), nb_trace_state_name(__entry->new))
);

/* ---- memories ------------------------------------------------------------ */

DECLARE_EVENT_CLASS(nb_memory,

	TP_PROTO(const struct nb_mem *mem),

	TP_ARGS(mem),

	TP_STRUCT__entry(
		__field(u32, memory)
	),

	TP_fast_assign(
		__entry->memory = mem->id;
	),

	TP_printk("memory=%u", __entry->memory)
);

DEFINE_EVENT(nb_memory, nb_memory_made,
	TP_PROTO(const struct nb_mem *mem), TP_ARGS(mem));
DEFINE_EVENT(nb_memory, nb_memory_gone,
	TP_PROTO(const struct nb_mem *mem), TP_ARGS(mem));

DECLARE_EVENT_CLASS(nb_region,

	TP_PROTO(const struct nb_mem *mem, const struct nb_region *region),

	TP_ARGS(mem, region),

	TP_STRUCT__entry(
		__field(u64, gpa)
		__field(u64, len)
		__field(u32, memory)
		__field(u8, read_only)
	),

	TP_fast_assign(
		__entry->gpa = region->gpa;
		__entry->len = region->len;
		__entry->memory = mem->id;
		__entry->read_only = region->read_only;
	),

	TP_printk("memory=%u gpa=0x%llx len=0x%llx read_only=%u", __entry->memory,
		  __entry->gpa, __entry->len, __entry->read_only)
);

DEFINE_EVENT(nb_region, nb_region_added,
	TP_PROTO(const struct nb_mem *mem, const struct nb_region *region),
	TP_ARGS(mem, region));
DEFINE_EVENT(nb_region, nb_region_removed,
	TP_PROTO(const struct nb_mem *mem, const struct nb_region *region),
	TP_ARGS(mem, region));

/* ---- doorbells and notifications ----------------------------------------- */

TRACE_EVENT(nb_doorbell,

	TP_PROTO(const struct nb_queue *queue, enum nb_trace_doorbell how, u32 flags),

	TP_ARGS(queue, how, flags),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(u32, queue)
		__field(u32, how)
		__field(u32, flags)
	),

	TP_fast_assign(
		__entry->endpoint = queue->endpoint->id;
		__entry->queue = queue->index;
		__entry->how = how;
		__entry->flags = flags;
	),

	TP_printk("endpoint=%u queue=%u how=%s flags=0x%x", __entry->endpoint, __entry->queue,
		  nb_trace_doorbell_name(__entry->how), __entry->flags)
);

DECLARE_EVENT_CLASS(nb_notification,

	TP_PROTO(const struct nb_queue *queue, enum nb_trace_direction direction),

	TP_ARGS(queue, direction),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(u32, queue)
		__field(u32, direction)
	),

	TP_fast_assign(
		__entry->endpoint = queue->endpoint->id;
		__entry->queue = queue->index;
		__entry->direction = direction;
	),

	TP_printk("endpoint=%u queue=%u direction=%s", __entry->endpoint, __entry->queue,
		  nb_trace_direction_name(__entry->direction))
);

DEFINE_EVENT(nb_notification, nb_notify,
	TP_PROTO(const struct nb_queue *queue, enum nb_trace_direction direction),
	TP_ARGS(queue, direction));
DEFINE_EVENT(nb_notification, nb_notify_held,
	TP_PROTO(const struct nb_queue *queue, enum nb_trace_direction direction),
	TP_ARGS(queue, direction));

/* The backend waits for receive buffers. */
TRACE_EVENT(nb_rx_wait,

	TP_PROTO(const struct nb_queue *queue),

	TP_ARGS(queue),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(u32, queue)
	),

	TP_fast_assign(
		__entry->endpoint = queue->endpoint->id;
		__entry->queue = queue->index;
	),

	TP_printk("endpoint=%u queue=%u", __entry->endpoint, __entry->queue)
);

/* ---- packets ------------------------------------------------------------- */

TRACE_EVENT(nb_drop,

	TP_PROTO(u32 endpoint, int queue, enum nb_trace_direction direction,
		 enum nb_drop reason, u32 packets),

	TP_ARGS(endpoint, queue, direction, reason, packets),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(int, queue)
		__field(u32, direction)
		__field(u32, reason)
		__field(u32, packets)
	),

	TP_fast_assign(
		__entry->endpoint = endpoint;
		__entry->queue = queue;
		__entry->direction = direction;
		__entry->reason = reason;
		__entry->packets = packets;
	),

	TP_printk("endpoint=%u queue=%d direction=%s reason=%s packets=%u", __entry->endpoint,
		  __entry->queue, nb_trace_direction_name(__entry->direction),
		  nb_trace_drop_name(__entry->reason), __entry->packets)
);

/* A packet of the guest's has been taken, or not: what its completion says. */
TRACE_EVENT(nb_tx_packet,

	TP_PROTO(const struct nb_queue *queue, const struct nb_packet *packet),

	TP_ARGS(queue, packet),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(u32, queue)
		__field(u32, len)
		__field(u16, segments)
		__field(u16, status)
	),

	TP_fast_assign(
		__entry->endpoint = queue->endpoint->id;
		__entry->queue = queue->index;
		__entry->len = packet->len;
		__entry->segments = packet->n_segs;
		__entry->status = packet->status;
	),

	TP_printk("endpoint=%u queue=%u len=%u segments=%u status=%s", __entry->endpoint,
		  __entry->queue, __entry->len, __entry->segments,
		  nb_trace_tx_status_name(__entry->status))
);

/* A buffer goes back to the guest, with a packet or without. */
TRACE_EVENT(nb_rx_packet,

	TP_PROTO(const struct nb_queue *queue, const struct nb_rx_metadata *meta),

	TP_ARGS(queue, meta),

	TP_STRUCT__entry(
		__field(u32, endpoint)
		__field(u32, queue)
		__field(u32, len)
		__field(u16, segment_size)
		__field(u16, status)
	),

	TP_fast_assign(
		__entry->endpoint = queue->endpoint->id;
		__entry->queue = queue->index;
		__entry->len = meta->len;
		__entry->segment_size = meta->segment_size;
		__entry->status = meta->status;
	),

	TP_printk("endpoint=%u queue=%u len=%u segment_size=%u status=%s", __entry->endpoint,
		  __entry->queue, __entry->len, __entry->segment_size,
		  nb_trace_rx_status_name(__entry->status))
);

#ifndef _NB_TRACE_CALLS
#define _NB_TRACE_CALLS

/*
 * What the data path calls: the event is put together elsewhere, so that its functions keep
 * their registers for their work.
 */
void __nb_trace_drop(const struct nb_queue *queue, enum nb_trace_direction direction,
		     enum nb_drop reason);
void __nb_trace_doorbell(const struct nb_queue *queue, enum nb_trace_doorbell how, u32 flags);
void __nb_trace_notify(const struct nb_queue *queue, u32 what);
void __nb_trace_notify_held(const struct nb_queue *queue, u32 what);

/* A packet of that queue's. */
static __always_inline void nb_trace_drop(const struct nb_queue *queue,
					  enum nb_trace_direction direction,
					  enum nb_drop reason)
{
	if (trace_nb_drop_enabled())
		__nb_trace_drop(queue, direction, reason);
}

static __always_inline void nb_trace_doorbell(const struct nb_queue *queue,
					      enum nb_trace_doorbell how, u32 flags)
{
	if (trace_nb_doorbell_enabled())
		__nb_trace_doorbell(queue, how, flags);
}

/* Because of NB_NEED_NOTIFY_TX, NB_NEED_NOTIFY_RX, or 0: the queue's state. */
static __always_inline void nb_trace_notify(const struct nb_queue *queue, u32 what)
{
	if (trace_nb_notify_enabled())
		__nb_trace_notify(queue, what);
}

static __always_inline void nb_trace_notify_held(const struct nb_queue *queue, u32 what)
{
	if (trace_nb_notify_held_enabled())
		__nb_trace_notify_held(queue, what);
}
#endif /* _NB_TRACE_CALLS */

#endif /* _NB_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
