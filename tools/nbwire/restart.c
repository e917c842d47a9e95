// SPDX-License-Identifier: GPL-2.0
/*
 * Follows RestartRequired: new queues for an end whose backend has changed
 *
 * The other end keeps its queues, so that its link does not go down, unless what is asked
 * of it depends on what the new backend offers.  The workers are stopped meanwhile.
 */
#include "nbwire.h"

/* Close the queues of an end, and take back what they had. */
static int let_go(struct wire *wire, struct end *end)
{
	uint32_t mtu = end->info.mtu;
	struct worker *worker;
	unsigned int i, j;

	for (i = 0; end->queues && i < wire->options.queues; i++) {
		worker = &wire->workers[i];
		for (j = 0; j < N_ENDS; j++) {
			if (direction_reap(&worker->directions[j], end, worker->error))
				return -1;
		}
	}
	close_queues(wire, end);
	for (i = 0; i < wire->options.queues; i++) {
		for (j = 0; j < N_ENDS; j++)
			direction_take_back(&wire->workers[i].directions[j], end);
	}
	if (nb_endpoint_stop(end->ep)) {
		complain("%s: %s", end->spec.text, nb_error());
		return -1;
	}
	if (ask_endpoint(end, &wire->options))
		return -1;
	if (end->info.mtu > mtu)
		check_sizes(wire);
	return 0;
}

/* Let go of the ends that have to, first of those whose backend has changed. */
static int let_go_of_all(struct wire *wire, bool *which)
{
	uint32_t flags;
	int i;

	for (i = 0; i < N_ENDS; i++) {
		if (which[i] && let_go(wire, &wire->ends[i]))
			return -1;
	}
	for (i = 0; i < N_ENDS; i++) {
		flags = choose_flags(&wire->options, &wire->ends[!i]);
		if (flags != wire->ends[i].queue_flags && !which[i]) {
			which[i] = true;
			if (let_go(wire, &wire->ends[i]))
				return -1;
		}
		wire->ends[i].queue_flags = flags;
	}
	return 0;
}

/* Make queues for the ends that have none; returns that which refuses, or NULL. */
static struct end *make_queues(struct wire *wire)
{
	struct end *end, *failed = NULL;

	for (end = wire->ends; end < wire->ends + N_ENDS && !failed; end++) {
		if (end->queues || !create_queues(wire, end))
			continue;
		close_queues(wire, end);
		failed = end;
	}
	join_queues(wire);
	return failed;
}

/* Has the backend changed again meanwhile, so that what was asked for did not fit? */
static bool is_required_again(const struct end *end)
{
	struct nb_action action;

	return nb_endpoint_wait_for_action(end->ep, &action, 0) > 0 &&
	       action.type == NB_ACTION_RESTART_REQUIRED;
}

/*
 * Restart the ends that are @required to.  Says what is wrong, and returns -1 with the
 * workers stopped, if something is.
 */
int restart(struct wire *wire, const bool *required)
{
	bool which[N_ENDS] = { required[0], required[1] };
	struct end *failed;
	int i;

	workers_stop(wire);
	if (workers_have_failed(wire))
		return -1;
	do {
		if (let_go_of_all(wire, which))
			return -1;
		failed = make_queues(wire);
	} while (failed && is_required_again(failed));
	if (failed || post_buffers(wire) || workers_start(wire))
		return -1;

	for (i = 0; i < N_ENDS && wire->options.verbose; i++) {
		if (which[i])
			say("%s: restarted", wire->ends[i].spec.text);
	}
	return 0;
}
