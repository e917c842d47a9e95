// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * The queue fd: a queue's life, waiting, and what there is to ask and to set
 *
 * The data path is in transmit.c and receive.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "queue.h"

int nb_queue_from_fd(int fd, struct nb_queue **queue)
{
	struct nb_queue_info info = { .size = sizeof(info) };
	struct nb_queue *new;
	int err;

	if (ioctl(fd, NB_QUEUE_GET_INFO, &info)) {
		if (errno == ENOMEM || errno == EFAULT)
			return nb_fail(errno, "cannot ask about the queue: %s", strerror(errno));
		return nb_fail(EBADF, "fd %d is not a queue of net_backend", fd);
	}

	new = aligned_alloc(_Alignof(struct nb_queue), sizeof(*new));
	if (!new)
		return nb_fail_text(ENOMEM, "no memory for a queue");
	*new = (struct nb_queue){ .fd = fd, .kick_fd = -1 };
	err = nb_layout_map(new, &info);
	if (err) {
		free(new);
		return err;
	}

	/* what a previous owner has posted, and not reaped, is not known */
	if (new->tx_avail.own)
		new->tx_outstanding = NB_OUTSTANDING_UNKNOWN;
	if (new->rx_avail.own)
		new->rx_outstanding = NB_OUTSTANDING_UNKNOWN;
	*queue = new;
	return 0;
}

int nb_queue_fd(const struct nb_queue *queue)
{
	return queue->fd;
}

void nb_queue_close(struct nb_queue *queue)
{
	if (!queue)
		return;
	nb_layout_unmap(queue);
	if (queue->kick_fd >= 0)
		close(queue->kick_fd);
	close(queue->fd);
	free(queue);
}

static int fail_enter(int err)
{
	switch (err) {
	case ENETRESET:
	case ESHUTDOWN:
	case EIO:
		return nb_queue_fail(err);
	case EINTR:
		return nb_fail_text(err, "a signal arrived while waiting");
	case ETIME:
		return nb_fail_text(err, "nothing happened within the time limit");
	default:
		return nb_fail(err, "cannot enter the queue: %s", strerror(err));
	}
}

int nb_queue_enter(struct nb_queue *queue, uint32_t flags, uint64_t timeout_ns,
		   struct nb_enter *result)
{
	struct nb_enter arg = {
		.size = sizeof(arg),
		.flags = flags,
		.timeout_ns = timeout_ns,
	};
	int err = 0;

	if (ioctl(queue->fd, NB_QUEUE_ENTER, &arg) < 0)
		err = fail_enter(errno);
	if (result)
		*result = arg;
	return err;
}

/* Tell the kernel that there is work, by the doorbell that the frontend has chosen. */
int nb_queue_tell(struct nb_queue *queue, uint32_t flags)
{
	const uint64_t one = 1;

	if (queue->kick_fd < 0)
		return nb_queue_enter(queue, flags, 0, NULL);

	/* EAGAIN: nobody has read it for so long that it is full; it is signalled */
	if (write(queue->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return nb_fail(errno, "cannot write to the kick eventfd: %s",
			       strerror(errno));
	return 0;
}

int nb_queue_fail(int err)
{
	if (err == ENETRESET)
		return nb_fail_text(err, "the backend has left the queue: make new queues");
	if (err == ESHUTDOWN)
		return nb_fail_text(err, "the queue is quiesced");
	return nb_fail_text(err, "the queue has failed: an index of its rings was wrong");
}

int nb_queue_check_state(const struct nb_queue *queue)
{
	switch (nb_queue_state(queue)) {
	case NB_QUEUE_RUNNING:
		return 0;
	case NB_QUEUE_RESTART:
		return nb_queue_fail(ENETRESET);
	case NB_QUEUE_QUIESCED:
		return nb_queue_fail(ESHUTDOWN);
	default:
		return nb_queue_fail(EIO);
	}
}

uint32_t nb_queue_state(const struct nb_queue *queue)
{
	/* what the kernel published before it changed the state is seen */
	return __atomic_load_n(queue->state, __ATOMIC_ACQUIRE);
}

int nb_queue_poll_ready(struct nb_queue *queue, int timeout_ms)
{
	uint64_t timeout_ns = timeout_ms < 0 ? NB_NO_TIMEOUT : (uint64_t)timeout_ms * 1000000;
	int err;

	if (nb_ring_ready(&queue->rx_done, 1) || nb_ring_ready(&queue->tx_done, 1) ||
	    nb_queue_state(queue) != NB_QUEUE_RUNNING)
		return 1;
	if (!timeout_ms)
		return 0;

	/* this wait does not depend on need_notify */
	err = nb_queue_enter(queue, NB_ENTER_WAIT_TX | NB_ENTER_WAIT_RX, timeout_ns, NULL);
	switch (err) {
	case 0:
	case -ENETRESET:
	case -ESHUTDOWN:
	case -EIO:
		return 1;
	case -ETIME:
		return 0;
	default:
		return err;
	}
}

void nb_queue_set_need_notify(struct nb_queue *queue, uint32_t bits)
{
	__atomic_store_n(queue->need_notify, bits, __ATOMIC_RELAXED);
	nb_full_fence();
}

int nb_queue_set_eventfds(struct nb_queue *queue, int kick_fd, int call_fd)
{
	struct nb_queue_eventfds arg = {
		.size = sizeof(arg),
		.kick_fd = kick_fd,
		.call_fd = call_fd,
	};
	int copy = -1, err;

	/* the frontend may close its own */
	if (kick_fd >= 0) {
		copy = fcntl(kick_fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			return nb_fail(errno, "cannot use fd %d as kick eventfd: %s",
				       kick_fd, strerror(errno));
	}
	err = nb_ioctl(queue->fd, NB_QUEUE_SET_EVENTFDS, &arg, &arg.msg, "set the eventfds");
	if (err < 0) {
		if (copy >= 0)
			close(copy);
		return err;
	}
	if (queue->kick_fd >= 0)
		close(queue->kick_fd);
	queue->kick_fd = copy;
	return 0;
}

int nb_queue_update_target_vp(struct nb_queue *queue, uint32_t cpu)
{
	struct nb_queue_target arg = {
		.size = sizeof(arg),
		.cpu = cpu,
	};
	int err;

	err = nb_ioctl(queue->fd, NB_QUEUE_SET_TARGET, &arg, &arg.msg, "set the target CPU");
	return err < 0 ? err : 0;
}

int nb_queue_set_moderation(struct nb_queue *queue,
			    const struct nb_queue_moderation *moderation)
{
	struct nb_queue_moderation arg = *moderation;
	int err;

	arg.size = sizeof(arg);
	arg.flags = 0;
	err = nb_ioctl(queue->fd, NB_QUEUE_SET_MODERATION, &arg, &arg.msg,
		       "set the moderation");
	return err < 0 ? err : 0;
}

int nb_queue_get_moderation(struct nb_queue *queue, struct nb_queue_moderation *moderation)
{
	struct nb_queue_moderation arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(queue->fd, NB_QUEUE_GET_MODERATION, &arg, &arg.msg,
		       "ask for the moderation");
	if (err < 0)
		return err;
	*moderation = arg;
	return 0;
}

int nb_queue_stats(struct nb_queue *queue, struct nb_queue_stats *stats)
{
	struct nb_queue_stats arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(queue->fd, NB_QUEUE_GET_STATS, &arg, &arg.msg, "read the counters");
	if (err < 0)
		return err;
	*stats = arg;
	return 0;
}

int nb_queue_get_info(struct nb_queue *queue, struct nb_queue_info *info)
{
	struct nb_queue_info arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(queue->fd, NB_QUEUE_GET_INFO, &arg, &arg.msg, "ask about the queue");
	if (err < 0)
		return err;
	*info = arg;
	return 0;
}
