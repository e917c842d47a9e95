// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to endpoints, their queues, switches and memories, for whoever wants to know:
 * the netlink family stands above them, and is told by them.
 *
 * Of an endpoint all is told under &nb_endpoint.lock, so that who looks at it when he is told
 * finds it as it is then, or later.  What is noted under &nb_events.lock is told before what
 * happens under &nb_endpoint.lock afterwards.  Process context, but to note.
 *
 * The chain is called under SRCU: with a lock, those that are held when one object is told
 * would come before those that are taken to look at another.
 */
#include <linux/notifier.h>
#include <linux/slab.h>

#include "endpoint.h"
#include "event.h"
#include "kinds/switch.h"
#include "mem.h"
#include "queue.h"

/* When so much waits to be told, what an endpoint's backend says of itself is lost. */
#define NB_MAX_NOTES	1024
/* Between what the work item tells of an endpoint: who listens keeps up with a frontend. */
#define NB_EVENT_PAUSE	msecs_to_jiffies(20)

static struct srcu_notifier_head nb_event_chain;
static struct workqueue_struct *nb_event_workqueue;

/**
 * struct nb_event_note - what has happened, and has not been told
 * @list: in &nb_events.list
 * @queue: the queue, or NULL
 * @what: what it is
 * @slot: where the queue has it, or NB_QUEUE_N_NOTES
 */
struct nb_event_note {
	struct list_head list;
	struct nb_queue *queue;
	u32 what;
	enum nb_queue_note slot;
};

/* ---- tell ---------------------------------------------------------------- */

u64 nb_event_place(struct nb_endpoint *endpoint)
{
	struct nb_identity id;

	nb_endpoint_identity(endpoint, &id);
	return id.net_cookie;
}

static void nb_event_tell(struct nb_endpoint *endpoint, struct nb_queue *queue, u32 what,
			  enum nb_event_about about)
{
	struct nb_event event = {
		.endpoint = endpoint,
		.queue = queue,
		.net_cookie = nb_event_place(endpoint),
		.what = what,
	};

	lockdep_assert_held(&endpoint->lock);
	srcu_notifier_call_chain(&nb_event_chain, about, &event);
}

void nb_event_from(struct nb_endpoint *endpoint, u32 what, u64 before)
{
	struct nb_event event = {
		.endpoint = endpoint,
		.net_cookie = before,
		.what = what,
	};

	if (before != nb_event_place(endpoint))
		srcu_notifier_call_chain(&nb_event_chain, NB_EVENT_ABOUT_ENDPOINT, &event);
	nb_event(endpoint, what);
}

/* The first note, for kfree(), and what is to be told of it; or NULL. */
static struct nb_event_note *nb_event_take(struct nb_events *events)
{
	struct nb_event_note *note;

	spin_lock_irq(&events->lock);
	note = list_first_entry_or_null(&events->list, struct nb_event_note, list);
	if (note) {
		list_del(&note->list);
		events->n--;
		if (note->slot < NB_QUEUE_N_NOTES)
			note->queue->noted[note->slot] = NULL;
	}
	spin_unlock_irq(&events->lock);
	return note;
}

static bool nb_event_take_loss(struct nb_events *events)
{
	bool lost;

	spin_lock_irq(&events->lock);
	lost = events->lost;
	events->lost = false;
	spin_unlock_irq(&events->lock);
	return lost;
}

void nb_event_tell_noted(struct nb_endpoint *endpoint)
{
	struct nb_events *events = &endpoint->events;
	unsigned int n = READ_ONCE(events->n);
	struct nb_event_note *note;

	lockdep_assert_held(&endpoint->lock);
	/* What is noted meanwhile comes later. */
	while (n-- && (note = nb_event_take(events))) {
		nb_event_tell(endpoint, note->queue, note->what,
			      note->queue ? NB_EVENT_ABOUT_QUEUE : NB_EVENT_ABOUT_ENDPOINT);
		kfree(note);
	}
	if (nb_event_take_loss(events))
		nb_event_tell(endpoint, NULL, 0, NB_EVENT_ABOUT_LOSS);
}

static void nb_event_work(struct work_struct *work)
{
	struct nb_endpoint *endpoint = container_of(to_delayed_work(work), struct nb_endpoint,
						    events.work);

	mutex_lock(&endpoint->lock);
	nb_event_tell_noted(endpoint);
	WRITE_ONCE(endpoint->events.told_at, jiffies);
	mutex_unlock(&endpoint->lock);
}

static void nb_event_set_open(struct nb_events *events, bool open)
{
	spin_lock_irq(&events->lock);
	events->open = open;
	spin_unlock_irq(&events->lock);
}

void nb_event(struct nb_endpoint *endpoint, u32 what)
{
	if (what == NB_EVENT_DELETED)
		nb_event_set_open(&endpoint->events, false);
	nb_event_tell_noted(endpoint);
	/* What is noted from here on waits for the lock. */
	if (what == NB_EVENT_CREATED)
		nb_event_set_open(&endpoint->events, true);
	nb_event_tell(endpoint, NULL, what, NB_EVENT_ABOUT_ENDPOINT);
}

static void nb_event_set_told(struct nb_queue *queue, bool told)
{
	struct nb_events *events = &queue->endpoint->events;

	spin_lock_irq(&events->lock);
	WRITE_ONCE(queue->told, told);
	spin_unlock_irq(&events->lock);
}

void nb_event_queue_made(struct nb_queue *queue)
{
	nb_event_tell_noted(queue->endpoint);
	nb_event_set_told(queue, true);
	nb_event_tell(queue->endpoint, queue, NB_QUEUE_EVENT_CREATED, NB_EVENT_ABOUT_QUEUE);
}

void nb_event_queue_gone(struct nb_queue *queue)
{
	nb_event_set_told(queue, false);
	nb_event_tell_noted(queue->endpoint);
	nb_event_tell(queue->endpoint, queue, NB_QUEUE_EVENT_DELETED, NB_EVENT_ABOUT_QUEUE);
}

void nb_event_switch(struct nb_switch *sw, u32 what)
{
	struct nb_event event = { .sw = sw, .net_cookie = sw->net_cookie, .what = what };

	srcu_notifier_call_chain(&nb_event_chain, NB_EVENT_ABOUT_SWITCH, &event);
}

void nb_event_port(struct nb_port *port, u32 what)
{
	struct nb_event event = {
		.sw = port->sw,
		.port = port,
		.net_cookie = port->sw->net_cookie,
		.what = what,
	};

	srcu_notifier_call_chain(&nb_event_chain, NB_EVENT_ABOUT_PORT, &event);
}

void nb_event_memory(struct nb_mem *mem, u32 what)
{
	struct nb_event event = { .mem = mem, .net_cookie = mem->net_cookie, .what = what };

	lockdep_assert_held(&mem->lock);
	srcu_notifier_call_chain(&nb_event_chain, NB_EVENT_ABOUT_MEMORY, &event);
}

void nb_event_region(struct nb_mem *mem, struct nb_region *region, u32 what)
{
	struct nb_event event = {
		.mem = mem,
		.region = region,
		.net_cookie = mem->net_cookie,
		.what = what,
	};

	lockdep_assert_held(&mem->lock);
	srcu_notifier_call_chain(&nb_event_chain, NB_EVENT_ABOUT_REGION, &event);
}

/* ---- note ---------------------------------------------------------------- */

/* Tell it soon, but with pauses. */
static void nb_event_schedule(struct nb_events *events)
{
	unsigned long next = READ_ONCE(events->told_at) + NB_EVENT_PAUSE;
	unsigned long delay = time_before(jiffies, next) ? next - jiffies : 0;

	queue_delayed_work(nb_event_workqueue, &events->work, min(delay, NB_EVENT_PAUSE));
}

static enum nb_queue_note nb_event_slot_of(u32 what)
{
	switch (what) {
	case NB_QUEUE_EVENT_QUIESCED:
	case NB_QUEUE_EVENT_RESUMED:
		return NB_QUEUE_NOTE_STATE;
	case NB_QUEUE_EVENT_MODERATION:
		return NB_QUEUE_NOTE_MODERATION;
	case NB_QUEUE_EVENT_TARGET_CPU:
		return NB_QUEUE_NOTE_TARGET_CPU;
	default:
		return NB_QUEUE_N_NOTES;
	}
}

static struct nb_event_note *nb_event_add(struct nb_events *events, struct nb_queue *queue,
					  u32 what, enum nb_queue_note slot)
{
	struct nb_event_note *note = kmalloc(sizeof(*note), GFP_ATOMIC | __GFP_NOWARN);

	lockdep_assert_held(&events->lock);
	if (note) {
		note->queue = queue;
		note->what = what;
		note->slot = slot;
		list_add_tail(&note->list, &events->list);
		events->n++;
	} else {
		events->lost = true;
	}
	nb_event_schedule(events);
	return note;
}

/* Of a queue few notes wait at any time: those of slots, and that it came to its end. */
static void nb_event_add_queue(struct nb_events *events, struct nb_queue *queue, u32 what)
{
	enum nb_queue_note slot = nb_event_slot_of(what);

	lockdep_assert_held(&events->lock);
	if (slot == NB_QUEUE_N_NOTES)
		nb_event_add(events, queue, what, slot);
	else if (queue->noted[slot])
		queue->noted[slot]->what = what;
	else
		queue->noted[slot] = nb_event_add(events, queue, what, slot);
}

void nb_event_note(struct nb_endpoint *endpoint, u32 what)
{
	struct nb_events *events = &endpoint->events;
	unsigned long irq;

	spin_lock_irqsave(&events->lock, irq);
	if (events->open && events->n < NB_MAX_NOTES)
		nb_event_add(events, NULL, what, NB_QUEUE_N_NOTES);
	else if (events->open)
		events->lost = true;
	spin_unlock_irqrestore(&events->lock, irq);
}

void nb_event_note_queue(struct nb_queue *queue, u32 what)
{
	struct nb_events *events;
	unsigned long irq;

	/* Before that it may have no endpoint. */
	if (!READ_ONCE(queue->told))
		return;
	events = &queue->endpoint->events;
	spin_lock_irqsave(&events->lock, irq);
	if (queue->told)
		nb_event_add_queue(events, queue, what);
	spin_unlock_irqrestore(&events->lock, irq);
}

static u32 nb_event_of_state(u32 state)
{
	switch (state) {
	case NB_QUEUE_RUNNING:
		return NB_QUEUE_EVENT_RESUMED;
	case NB_QUEUE_QUIESCED:
		return NB_QUEUE_EVENT_QUIESCED;
	case NB_QUEUE_RESTART:
		return NB_QUEUE_EVENT_RESTART;
	default:
		return NB_QUEUE_EVENT_FAILED;
	}
}

u32 nb_event_change_state(struct nb_queue *queue, u32 old, u32 new)
{
	struct nb_events *events = &queue->endpoint->events;
	unsigned long irq;
	u32 was;

	spin_lock_irqsave(&events->lock, irq);
	was = cmpxchg(queue->state, old, new);
	if (was == old && queue->told)
		nb_event_add_queue(events, queue, nb_event_of_state(new));
	spin_unlock_irqrestore(&events->lock, irq);
	return was;
}

/* ---- life ---------------------------------------------------------------- */

void nb_event_init(struct nb_events *events)
{
	spin_lock_init(&events->lock);
	INIT_LIST_HEAD(&events->list);
	INIT_DELAYED_WORK(&events->work, nb_event_work);
	events->told_at = jiffies - NB_EVENT_PAUSE;
}

void nb_event_exit(struct nb_events *events)
{
	/* After NB_EVENT_DELETED nothing is noted any more. */
	cancel_delayed_work_sync(&events->work);
}

int nb_event_register(struct notifier_block *block)
{
	return srcu_notifier_chain_register(&nb_event_chain, block);
}

void nb_event_unregister(struct notifier_block *block)
{
	srcu_notifier_chain_unregister(&nb_event_chain, block);
}

int nb_event_module_init(void)
{
	nb_event_workqueue = alloc_workqueue("nb_event", WQ_UNBOUND, 0);
	if (!nb_event_workqueue)
		return -ENOMEM;
	srcu_init_notifier_head(&nb_event_chain);
	return 0;
}

void nb_event_module_exit(void)
{
	destroy_workqueue(nb_event_workqueue);
	srcu_cleanup_notifier_head(&nb_event_chain);
}
