// SPDX-License-Identifier: GPL-2.0
/*
 * Endpoint actions.  There are two, and each is pending or not: a restart that is
 * required twice is required, and of a link only the last state counts.  So none can
 * be lost, and no queue of records can grow.
 */
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <linux/net_backend.h>

#include "actions.h"

void nb_actions_init(struct nb_actions *actions, bool backend_up)
{
	spin_lock_init(&actions->lock);
	init_waitqueue_head(&actions->wait);
	actions->backend_up = backend_up;
	actions->link_up = backend_up;
}

void nb_actions_add_restart(struct nb_actions *actions)
{
	unsigned long irq;

	spin_lock_irqsave(&actions->lock, irq);
	WRITE_ONCE(actions->restart, true);
	spin_unlock_irqrestore(&actions->lock, irq);
	wake_up_interruptible_poll(&actions->wait, EPOLLIN | EPOLLRDNORM);
}

/* Return: whether that changed the link's state, so that somebody is to be woken. */
static bool nb_actions_update_link(struct nb_actions *actions)
{
	bool up = actions->backend_up && !actions->admin_down;

	lockdep_assert_held(&actions->lock);
	if (up == actions->link_up)
		return false;
	WRITE_ONCE(actions->link_up, up);
	WRITE_ONCE(actions->link_changed, true);
	return true;
}

bool nb_actions_set_backend_link(struct nb_actions *actions, bool up)
{
	unsigned long irq;
	bool changed;

	spin_lock_irqsave(&actions->lock, irq);
	actions->backend_up = up;
	changed = nb_actions_update_link(actions);
	spin_unlock_irqrestore(&actions->lock, irq);
	if (changed)
		wake_up_interruptible_poll(&actions->wait, EPOLLIN | EPOLLRDNORM);
	return changed;
}

void nb_actions_set_admin_link(struct nb_actions *actions, bool up)
{
	unsigned long irq;
	bool changed;

	spin_lock_irqsave(&actions->lock, irq);
	actions->admin_down = !up;
	changed = nb_actions_update_link(actions);
	spin_unlock_irqrestore(&actions->lock, irq);
	if (changed)
		wake_up_interruptible_poll(&actions->wait, EPOLLIN | EPOLLRDNORM);
}

bool nb_actions_link_up(const struct nb_actions *actions)
{
	return READ_ONCE(actions->link_up);
}

void nb_actions_set_gone(struct nb_actions *actions, bool gone)
{
	unsigned long irq;

	spin_lock_irqsave(&actions->lock, irq);
	WRITE_ONCE(actions->gone, gone);
	spin_unlock_irqrestore(&actions->lock, irq);
	if (gone)
		wake_up_interruptible_poll(&actions->wait, EPOLLHUP);
}

bool nb_actions_end(struct nb_actions *actions)
{
	unsigned long irq;
	bool changed;

	spin_lock_irqsave(&actions->lock, irq);
	actions->backend_up = false;
	changed = nb_actions_update_link(actions);
	WRITE_ONCE(actions->restart, true);
	WRITE_ONCE(actions->gone, true);
	spin_unlock_irqrestore(&actions->lock, irq);
	wake_up_interruptible_poll(&actions->wait, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	return changed;
}

/* Take the next action, restarts first.  Return: whether there was one; @gone: the end follows. */
static bool nb_actions_take(struct nb_actions *actions, struct nb_action *action, bool *gone)
{
	unsigned long irq;
	bool taken = true;

	*action = (struct nb_action){};
	spin_lock_irqsave(&actions->lock, irq);
	*gone = actions->gone;
	if (actions->restart) {
		WRITE_ONCE(actions->restart, false);
		action->type = NB_ACTION_RESTART_REQUIRED;
	} else if (actions->link_changed) {
		WRITE_ONCE(actions->link_changed, false);
		action->type = NB_ACTION_LINK_STATUS_NOTIFY;
		action->value = actions->link_up;
	} else {
		taken = false;
	}
	spin_unlock_irqrestore(&actions->lock, irq);
	return taken;
}

/* Put back what could not be handed over; of the link, the newer state stays. */
static void nb_actions_put_back(struct nb_actions *actions, const struct nb_action *action)
{
	unsigned long irq;

	spin_lock_irqsave(&actions->lock, irq);
	if (action->type == NB_ACTION_RESTART_REQUIRED)
		WRITE_ONCE(actions->restart, true);
	else
		WRITE_ONCE(actions->link_changed, true);
	spin_unlock_irqrestore(&actions->lock, irq);
}

static bool nb_actions_pending(struct nb_actions *actions)
{
	return READ_ONCE(actions->restart) || READ_ONCE(actions->link_changed);
}

ssize_t nb_actions_read(struct nb_actions *actions, char __user *buf, size_t size,
			bool nonblock)
{
	struct nb_action action;
	size_t done = 0;
	bool gone;
	int err;

	if (size < sizeof(action))
		return -EINVAL;
	do {
		while (done + sizeof(action) <= size && nb_actions_take(actions, &action, &gone)) {
			if (copy_to_user(buf + done, &action, sizeof(action))) {
				nb_actions_put_back(actions, &action);
				return done ?: -EFAULT;
			}
			done += sizeof(action);
		}
		if (done)
			return done;
		if (gone)
			return 0;
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(actions->wait,
					       nb_actions_pending(actions) ||
					       READ_ONCE(actions->gone));
	} while (!err);
	return err;
}

__poll_t nb_actions_poll(struct nb_actions *actions, struct file *file,
			 struct poll_table_struct *table)
{
	unsigned long irq;
	__poll_t mask = 0;

	poll_wait(file, &actions->wait, table);
	spin_lock_irqsave(&actions->lock, irq);
	if (nb_actions_pending(actions))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (actions->gone)
		mask |= EPOLLHUP;
	spin_unlock_irqrestore(&actions->lock, irq);
	return mask;
}
