/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens to endpoints, their queues, switches and memories, for whoever wants to know.
 *
 * Some of it happens where nobody may sleep.  It is noted there, and told by a work item, or
 * before anything else is told of the same endpoint: in the order in which it has happened.
 *
 * A frontend can change its queues again and again.  So the work item pauses, and of a queue
 * at most one note of each &enum nb_queue_note waits: what is told then is the last of them.
 */
#ifndef _NB_EVENT_H
#define _NB_EVENT_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <linux/net_backend_netlink.h>

struct nb_endpoint;
struct nb_mem;
struct nb_port;
struct nb_queue;
struct nb_region;
struct nb_switch;
struct notifier_block;

/**
 * struct nb_events - what has happened to an endpoint, and has not been told
 * @lock: protects the others, changes of queues' states, and what is noted of queues; inside
 *	&nb_backend.lock; any context
 * @list: what it is, of struct nb_event_note
 * @n: entries of @list
 * @open: NB_EVENT_CREATED is told, and NB_EVENT_DELETED not yet
 * @lost: there was no memory for some of it
 * @told_at: jiffies when @work has told something
 * @work: tells it
 */
struct nb_events {
	spinlock_t lock; /* all of this, &nb_queue.told and &nb_queue.noted */
	struct list_head list;
	unsigned int n;
	bool open;
	bool lost;
	unsigned long told_at;
	struct delayed_work work;
};

/**
 * enum nb_event_about - what an event is about
 * @NB_EVENT_ABOUT_ENDPOINT: of &enum nb_endpoint_event
 * @NB_EVENT_ABOUT_QUEUE: of &enum nb_queue_event
 * @NB_EVENT_ABOUT_SWITCH: of &enum nb_switch_event
 * @NB_EVENT_ABOUT_PORT: of &enum nb_port_event
 * @NB_EVENT_ABOUT_MEMORY: of &enum nb_memory_event
 * @NB_EVENT_ABOUT_REGION: of &enum nb_region_event
 * @NB_EVENT_ABOUT_LOSS: some events of the endpoint were lost
 */
enum nb_event_about {
	NB_EVENT_ABOUT_ENDPOINT,
	NB_EVENT_ABOUT_QUEUE,
	NB_EVENT_ABOUT_SWITCH,
	NB_EVENT_ABOUT_PORT,
	NB_EVENT_ABOUT_MEMORY,
	NB_EVENT_ABOUT_REGION,
	NB_EVENT_ABOUT_LOSS,
};

/**
 * struct nb_event - what is told; the action of the chain is of &enum nb_event_about
 * @endpoint: the endpoint, locked; or NULL
 * @queue: its queue, or NULL
 * @sw: the switch, under nb_switches_lock(); or NULL
 * @port: its port, or NULL
 * @mem: the memory, locked; or NULL
 * @region: its region, or NULL
 * @net_cookie: of the network namespace that is told
 * @what: what has happened
 */
struct nb_event {
	struct nb_endpoint *endpoint;
	struct nb_queue *queue;
	struct nb_switch *sw;
	struct nb_port *port;
	struct nb_mem *mem;
	struct nb_region *region;
	u64 net_cookie;
	u32 what;
};

/* Once, when the module is loaded and unloaded. */
int nb_event_module_init(void);
void nb_event_module_exit(void);

/* Be told of events. */
int nb_event_register(struct notifier_block *block);
void nb_event_unregister(struct notifier_block *block);

/* When an endpoint is made, and when it has been told that it goes. */
void nb_event_init(struct nb_events *events);
void nb_event_exit(struct nb_events *events);

/**
 * nb_event() - something has happened to an endpoint
 * @endpoint: the endpoint
 * @what: of &enum nb_endpoint_event
 *
 * Under &nb_endpoint.lock.  Process context.
 */
void nb_event(struct nb_endpoint *endpoint, u32 what);

/**
 * nb_event_note() - something has happened to an endpoint, and is told later
 * @endpoint: the endpoint, which its backend holds
 * @what: of &enum nb_endpoint_event
 *
 * Any context.
 */
void nb_event_note(struct nb_endpoint *endpoint, u32 what);

/* The cookie of the network namespace that is told of an endpoint. */
u64 nb_event_place(struct nb_endpoint *endpoint);

/* As nb_event(), and it was told of in namespace @before: there, too, if that is another. */
void nb_event_from(struct nb_endpoint *endpoint, u32 what, u64 before);

/* Tell what is noted at once.  Under &nb_endpoint.lock, process context. */
void nb_event_tell_noted(struct nb_endpoint *endpoint);

/* A queue is its endpoint's, or is no longer.  Under &nb_endpoint.lock, process context. */
void nb_event_queue_made(struct nb_queue *queue);
void nb_event_queue_gone(struct nb_queue *queue);

/* Something has happened to a queue, of &enum nb_queue_event; told later.  Any context. */
void nb_event_note_queue(struct nb_queue *queue, u32 what);

/* Something has happened to a switch.  Under nb_switches_lock(), process context. */
void nb_event_switch(struct nb_switch *sw, u32 what);
void nb_event_port(struct nb_port *port, u32 what);

/* Something has happened to a memory.  Under &nb_mem.lock, process context. */
void nb_event_memory(struct nb_mem *mem, u32 what);
void nb_event_region(struct nb_mem *mem, struct nb_region *region, u32 what);

/**
 * nb_event_change_state() - change the state of a queue, and tell it later
 * @queue: the queue
 * @old: the state that it is to have, of &enum nb_queue_state
 * @new: the state that it gets then
 *
 * A full barrier if it changes.  Any context.
 *
 * Return: the state that it had.
 */
u32 nb_event_change_state(struct nb_queue *queue, u32 old, u32 new);

#endif /* _NB_EVENT_H */
