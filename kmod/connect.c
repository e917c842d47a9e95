// SPDX-License-Identifier: GPL-2.0
/*
 * Backends are plugged in and out while the frontend runs (the crate's
 * DisconnectableEndpoint).
 *
 *	connected ---- disconnect ----> disconnecting ---- last queue gone ----> disconnected
 *	    ^                              |    or failed by the time limit           |
 *	    |<-- a signal to who waits ----+                                          |
 *	    +---------------------------------- connect ------------------------------+
 *
 * Each endpoint has a backend all the time, plugged in or not; connecting "from" another
 * endpoint exchanges the two.  From the moment of disconnect on, new queues are served as
 * kind null does, and what the frontend knows of its endpoint stays what it was.
 *
 * All under &nb_endpoint.lock, of two endpoints in the order of their cookies.  Process
 * context.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>

#include "capture.h"
#include "changes.h"
#include "endpoint.h"
#include "ioctl.h"
#include "queue.h"
#include "trace.h"

static struct workqueue_struct *nb_connect_workqueue;

void nb_endpoint_ask_restart(struct nb_endpoint *endpoint)
{
	nb_actions_add_restart(&endpoint->actions);
	trace_nb_restart(endpoint);
}

/* ---- out ----------------------------------------------------------------- */

/* What the frontend is told from now on, until another backend comes. */
static void nb_endpoint_remember(struct nb_endpoint *endpoint)
{
	struct nb_endpoint_info info = {};

	/* One that is gone tells nothing: then what it told before. */
	if (!nb_endpoint_read_info(endpoint, &info))
		endpoint->caps = info;
}

/* Nobody waits for queues any more. */
static void nb_disconnect_stop(struct nb_endpoint *endpoint)
{
	lockdep_assert_held(&endpoint->lock);
	endpoint->disconnecting = false;
	WRITE_ONCE(endpoint->n_disconnects, endpoint->n_disconnects + 1);
	wake_up_all(&endpoint->disconnect_wait);
	/* The caller has a reference, too. */
	if (cancel_delayed_work(&endpoint->disconnect_work))
		nb_endpoint_put(endpoint);
}

/* Nobody will go on where the last queues were. */
static void nb_backend_stop(struct nb_backend *backend)
{
	if (backend->ops->stop)
		backend->ops->stop(backend);
}

void nb_endpoint_disconnect_end(struct nb_endpoint *endpoint)
{
	nb_backend_stop(nb_endpoint_backend(endpoint));
	nb_disconnect_stop(endpoint);
	trace_nb_disconnect(endpoint);
	nb_event(endpoint, NB_EVENT_DISCONNECTED);
}

/* The queue is the frontend's still, but the backend's no longer. */
static void nb_queue_fail(struct nb_queue *queue)
{
	nb_queue_set_state(queue, NB_QUEUE_RESTART);
	/* Whoever drives it is done after this, and nobody drives it any more. */
	mutex_lock(&queue->tx_lock);
	mutex_unlock(&queue->tx_lock);
	nb_endpoint_release_queue(queue);
}

static void nb_endpoint_fail_queues(struct nb_endpoint *endpoint)
{
	unsigned int i;

	lockdep_assert_held(&endpoint->lock);
	for (i = 0; i < endpoint->n_slots && endpoint->disconnecting; i++)
		if (endpoint->queues[i])
			nb_queue_fail(endpoint->queues[i]);
}

/* Its time is over.  Has a reference. */
static void nb_disconnect_work(struct work_struct *work)
{
	struct nb_endpoint *endpoint = container_of(to_delayed_work(work),
						    struct nb_endpoint, disconnect_work);

	mutex_lock(&endpoint->lock);
	/* This may be a later disconnect, whose time is not over. */
	if (endpoint->disconnecting && time_after_eq(jiffies, endpoint->disconnect_deadline))
		nb_endpoint_fail_queues(endpoint);
	mutex_unlock(&endpoint->lock);
	nb_endpoint_put(endpoint);
}

static unsigned long nb_disconnect_delay(u64 timeout_ns)
{
	return min_t(u64, nsecs_to_jiffies64(timeout_ns) + 1, MAX_JIFFY_OFFSET);
}

static void nb_disconnect_schedule(struct nb_endpoint *endpoint, u64 timeout_ns)
{
	unsigned long delay = nb_disconnect_delay(timeout_ns);

	lockdep_assert_held(&endpoint->lock);
	endpoint->disconnect_deadline = jiffies + delay;
	if (queue_delayed_work(nb_connect_workqueue, &endpoint->disconnect_work, delay))
		kref_get(&endpoint->ref);
}

/* The queues get so much time from now on, whatever was said before. */
static void nb_disconnect_limit(struct nb_endpoint *endpoint, u64 timeout_ns)
{
	lockdep_assert_held(&endpoint->lock);
	/* The caller has a reference, too. */
	if (cancel_delayed_work(&endpoint->disconnect_work))
		nb_endpoint_put(endpoint);
	/* For work that has begun already, and waits for the lock. */
	endpoint->disconnect_deadline = jiffies + MAX_JIFFY_OFFSET;
	if (!timeout_ns)
		nb_endpoint_fail_queues(endpoint);
	else if (timeout_ns != NB_NO_TIMEOUT)
		nb_disconnect_schedule(endpoint, timeout_ns);
}

/* Return: whether it is over at once; or -ENOTCONN. */
static int nb_disconnect_begin(struct nb_endpoint *endpoint, u64 timeout_ns,
			       struct nb_msg *msg)
{
	struct nb_backend *backend = nb_endpoint_backend(endpoint);

	lockdep_assert_held(&endpoint->lock);
	if (!endpoint->connected) {
		nb_msg(msg, "no backend is plugged in");
		return -ENOTCONN;
	}
	nb_endpoint_remember(endpoint);
	endpoint->connected = false;
	endpoint->disconnecting = true;
	endpoint->disconnect_joined = false;
	nb_backend_unplug(backend);
	nb_endpoint_ask_restart(endpoint);
	if (!backend->n_queues)
		nb_endpoint_disconnect_end(endpoint);
	else
		nb_disconnect_limit(endpoint, timeout_ns);
	if (endpoint->disconnecting) {
		trace_nb_disconnecting(endpoint);
		nb_event(endpoint, NB_EVENT_DISCONNECTING);
	}
	return !endpoint->disconnecting;
}

int nb_endpoint_disconnect(struct nb_endpoint *endpoint, u64 timeout_ns,
			   struct nb_msg *msg)
{
	int ret = 0;

	mutex_lock(&endpoint->lock);
	if (endpoint->disconnecting) {
		endpoint->disconnect_joined = true;
		nb_disconnect_limit(endpoint, timeout_ns);
	} else {
		ret = nb_disconnect_begin(endpoint, timeout_ns, msg);
	}
	mutex_unlock(&endpoint->lock);
	return min(ret, 0);
}

/* ---- in ------------------------------------------------------------------ */

static void nb_backend_set_link(struct nb_backend *backend, bool up)
{
	if (backend->link_disabled == !up)
		return;
	WRITE_ONCE(backend->link_disabled, !up);
	if (backend->ops->set_link)
		backend->ops->set_link(backend);
}

static void nb_endpoint_plug(struct nb_endpoint *endpoint)
{
	struct nb_backend *backend = nb_endpoint_backend(endpoint);

	nb_backend_set_link(backend, !endpoint->actions.admin_down);
	nb_backend_plug(backend, endpoint);
	endpoint->connected = true;
	nb_endpoint_remember(endpoint);
	if (endpoint->caps.properties & NB_ENDPOINT_ORDERED)
		endpoint->ordered = true;
}

void nb_endpoint_first_connect(struct nb_endpoint *endpoint, struct nb_backend *backend)
{
	backend->home = endpoint->cookie;
	nb_actions_init(&endpoint->actions, backend->link_up);
	mutex_lock(&endpoint->lock);
	rcu_assign_pointer(endpoint->backend, backend);
	nb_endpoint_plug(endpoint);
	mutex_unlock(&endpoint->lock);
}

/* Can this backend serve the endpoint?  Under the lock of who has it. */
static int nb_connect_check(struct nb_endpoint *endpoint, struct nb_backend *backend,
			    struct nb_msg *msg)
{
	struct nb_endpoint_info info = {};

	if (backend->n_queues) {
		nb_msg(msg, "the backend is still used by %u queues", backend->n_queues);
		return -EBUSY;
	}
	if (backend->ops->info(backend, &info)) {
		nb_msg(msg, "what the backend stood on is gone");
		return -ENODEV;
	}
	if (endpoint->ordered && !(info.properties & NB_ENDPOINT_ORDERED)) {
		nb_msg(msg, "kind '%s' does not keep the order of buffers, as the endpoint must",
		       backend->ops->name);
		return -EINVAL;
	}
	return 0;
}

/* The endpoint has no backend that is plugged in or used.  Under its lock. */
static int nb_connect_check_free(struct nb_endpoint *endpoint, struct nb_msg *msg)
{
	if (endpoint->connected) {
		nb_msg(msg, "a backend is plugged in; disconnect it first");
		return -EISCONN;
	}
	if (endpoint->disconnecting) {
		nb_msg(msg, "the last backend is still used by %u queues",
		       nb_endpoint_backend(endpoint)->n_queues);
		return -EBUSY;
	}
	return 0;
}

int nb_endpoint_check_free(struct nb_endpoint *endpoint, struct nb_msg *msg)
{
	int err;

	mutex_lock(&endpoint->lock);
	err = nb_connect_check_free(endpoint, msg);
	mutex_unlock(&endpoint->lock);
	return err;
}

static int nb_connect_prepare(struct nb_endpoint *endpoint, struct nb_backend *backend,
			      struct nb_msg *msg)
{
	int err;

	err = nb_connect_check_free(endpoint, msg);
	if (!err)
		err = nb_connect_check(endpoint, backend, msg);
	if (!err && backend->ops->connect)
		err = backend->ops->connect(backend, endpoint->mac, msg);
	return err;
}

/* @before: the network namespace that was told of the endpoint. */
static void nb_connect_finish(struct nb_endpoint *endpoint, u64 before)
{
	nb_endpoint_plug(endpoint);
	nb_endpoint_ask_restart(endpoint);
	trace_nb_connect(endpoint);
	nb_event_from(endpoint, NB_EVENT_CONNECTED, before);
}

static void nb_lock_two(struct nb_endpoint *a, struct nb_endpoint *b)
{
	if (a->cookie > b->cookie)
		swap(a, b);
	mutex_lock(&a->lock);
	mutex_lock_nested(&b->lock, SINGLE_DEPTH_NESTING);
}

static void nb_unlock_two(struct nb_endpoint *a, struct nb_endpoint *b)
{
	mutex_unlock(&a->lock);
	mutex_unlock(&b->lock);
}

/* Under both locks. */
static void nb_connect_exchange(struct nb_endpoint *endpoint, struct nb_endpoint *from)
{
	struct nb_backend *new = nb_endpoint_backend(from);
	struct nb_backend *old = nb_endpoint_backend(endpoint);
	u64 before = nb_event_place(endpoint), from_before = nb_event_place(from);

	if (from->connected) {
		nb_endpoint_remember(from);
		from->connected = false;
		nb_backend_unplug(new);
		nb_backend_stop(new);
		nb_endpoint_ask_restart(from);
		trace_nb_disconnect(from);
		nb_event(from, NB_EVENT_DISCONNECTED);
	}
	/* What has happened to them where they were. */
	nb_event_tell_noted(from);
	nb_event_tell_noted(endpoint);
	nb_endpoint_keep_name(from);
	nb_endpoint_keep_name(endpoint);
	rcu_assign_pointer(endpoint->backend, new);
	rcu_assign_pointer(from->backend, old);
	/* They are no longer where their net_devices are. */
	nb_changed_namespace();
	nb_capture_end_moved();
	nb_event_from(from, NB_EVENT_REPLACED, from_before);
	nb_connect_finish(endpoint, before);
}

static int nb_connect_from(struct nb_endpoint *endpoint, struct nb_endpoint *from,
			   struct nb_msg *msg)
{
	int err;

	nb_lock_two(endpoint, from);
	err = nb_connect_prepare(endpoint, nb_endpoint_backend(from), msg);
	if (!err)
		nb_connect_exchange(endpoint, from);
	nb_unlock_two(endpoint, from);
	/* Who looks at an endpoint's backend does not hold the endpoint that has it now. */
	if (!err)
		synchronize_rcu();
	return err;
}

static int nb_connect_own(struct nb_endpoint *endpoint, struct nb_msg *msg)
{
	int err;

	mutex_lock(&endpoint->lock);
	err = nb_connect_prepare(endpoint, nb_endpoint_backend(endpoint), msg);
	if (!err)
		nb_connect_finish(endpoint, nb_event_place(endpoint));
	mutex_unlock(&endpoint->lock);
	return err;
}

int nb_endpoint_connect(struct nb_endpoint *endpoint, struct nb_endpoint *from,
			struct nb_msg *msg)
{
	if (from == endpoint) {
		nb_msg(msg, "an endpoint cannot be connected from itself");
		return -EINVAL;
	}
	return from ? nb_connect_from(endpoint, from, msg) : nb_connect_own(endpoint, msg);
}

int nb_endpoint_connect_new(struct nb_endpoint *endpoint, struct nb_backend *backend,
			    struct nb_msg *msg)
{
	struct nb_backend *old;
	u64 before;
	int err;

	mutex_lock(&endpoint->lock);
	err = nb_connect_prepare(endpoint, backend, msg);
	if (!err) {
		nb_event_tell_noted(endpoint);
		before = nb_event_place(endpoint);
		nb_endpoint_keep_name(endpoint);
		old = nb_endpoint_backend(endpoint);
		rcu_assign_pointer(endpoint->backend, backend);
		nb_changed_namespace();
		nb_capture_end_moved();
		nb_connect_finish(endpoint, before);
	}
	mutex_unlock(&endpoint->lock);
	if (err)
		return err;
	synchronize_rcu();
	nb_backend_destroy(old);
	return 0;
}

/* ---- out, and wait for it ------------------------------------------------ */

/*
 * Somebody else's disconnect is under way: it gets less time, if that is what the caller
 * wants, but not more.  Return: false if there is none.
 */
static bool nb_disconnect_join(struct nb_endpoint *endpoint, u64 timeout_ns)
{
	unsigned long deadline = jiffies + nb_disconnect_delay(timeout_ns);

	lockdep_assert_held(&endpoint->lock);
	if (!endpoint->disconnecting)
		return false;
	endpoint->disconnect_joined = true;
	if (timeout_ns != NB_NO_TIMEOUT &&
	    time_before(deadline, endpoint->disconnect_deadline))
		nb_disconnect_limit(endpoint, timeout_ns);
	return true;
}

/* Nobody else wants it: it has not happened. */
static void nb_disconnect_undo(struct nb_endpoint *endpoint)
{
	lockdep_assert_held(&endpoint->lock);
	nb_disconnect_stop(endpoint);
	nb_connect_finish(endpoint, nb_event_place(endpoint));
}

/* Return: 0 if it is over, or -EINTR. */
static int nb_disconnect_interrupted(struct nb_endpoint *endpoint, u32 n_disconnects,
				     bool joined)
{
	int err = 0;

	mutex_lock(&endpoint->lock);
	if (endpoint->disconnecting && endpoint->n_disconnects == n_disconnects) {
		if (!joined && !endpoint->disconnect_joined)
			nb_disconnect_undo(endpoint);
		err = -EINTR;
	}
	mutex_unlock(&endpoint->lock);
	return err;
}

int nb_endpoint_disconnect_wait(struct nb_endpoint *endpoint, u64 timeout_ns,
				struct nb_msg *msg)
{
	bool joined;
	int ret = 0;
	u32 n;

	mutex_lock(&endpoint->lock);
	n = endpoint->n_disconnects;
	joined = nb_disconnect_join(endpoint, timeout_ns);
	if (!joined)
		ret = nb_disconnect_begin(endpoint, timeout_ns, msg);
	mutex_unlock(&endpoint->lock);
	if (ret)
		return min(ret, 0);
	if (wait_event_interruptible(endpoint->disconnect_wait,
				     READ_ONCE(endpoint->n_disconnects) != n))
		return nb_disconnect_interrupted(endpoint, n, joined);
	return 0;
}

/* ---- link ---------------------------------------------------------------- */

void nb_endpoint_set_link(struct nb_endpoint *endpoint, bool up)
{
	struct nb_backend *backend;

	mutex_lock(&endpoint->lock);
	nb_actions_set_admin_link(&endpoint->actions, up);
	backend = nb_endpoint_plugged(endpoint);
	if (backend)
		nb_backend_set_link(backend, up);
	trace_nb_link(endpoint);
	nb_event(endpoint, NB_EVENT_LINK);
	mutex_unlock(&endpoint->lock);
}

void nb_connect_init(struct nb_endpoint *endpoint)
{
	init_waitqueue_head(&endpoint->disconnect_wait);
	INIT_DELAYED_WORK(&endpoint->disconnect_work, nb_disconnect_work);
}

int nb_connect_module_init(void)
{
	nb_connect_workqueue = alloc_workqueue("nb_connect", WQ_UNBOUND, 0);
	return nb_connect_workqueue ? 0 : -ENOMEM;
}

void nb_connect_module_exit(void)
{
	/* Waits for the work that has let go of the last endpoint. */
	destroy_workqueue(nb_connect_workqueue);
}
