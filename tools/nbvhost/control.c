// SPDX-License-Identifier: GPL-2.0
/*
 * The control ring: commands of the guest's driver, each of which is answered by a byte
 *
 * A front-end may serve it by itself; one that does not passes it as any other ring, behind
 * those of all pairs.  The main thread serves it, so that nothing here may wait.  Without a
 * doorbell, the ring is looked at from time to time.  A thread of its own writes to what the
 * front-end has passed, as a pair's does.
 *
 * Who sends commands without end is served some at a time, and one that changes something,
 * which takes its time, after all others' events.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nbvhost.h"

/* commands that are served before other events are */
#define AT_ONCE		16
/* bytes of the longest command, and one more, so that those that are longer show */
#define MAX_COMMAND	(sizeof(struct virtio_net_ctrl_hdr) +				\
			 sizeof(struct virtio_net_rss_config) + 2 * MAX_TABLE + MAX_KEY + 1)

int control_open(struct nic *nic)
{
	nic->control.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (nic->control.epoll_fd >= 0)
		return 0;
	nic_say(nic, "no epoll: %s", strerror(errno));
	return -1;
}

void control_close(struct nic *nic)
{
	if (nic->control.epoll_fd >= 0)
		close(nic->control.epoll_fd);
	nic->control.epoll_fd = -1;
}

static void complain_once(struct nic *nic, const char *why)
{
	struct vq *vq = control_vq(nic);

	if (vq_is_news(vq, why))
		nic_say(nic, "control ring: %s", why);
}

/* ---- its doorbell -------------------------------------------------------- */

static void watch(struct nic *nic, const struct vq *vq)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct control *control = &nic->control;

	if (control->watched_fd >= 0 || vq->kick_fd < 0 ||
	    epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, vq->kick_fd, &event))
		return;
	control->watched_fd = vq->kick_fd;
}

/* Before the doorbell is closed: the front-end has it, too, so that it would not go by that. */
void control_unwatch(struct nic *nic)
{
	if (nic->control.watched_fd >= 0)
		epoll_ctl(nic->control.epoll_fd, EPOLL_CTL_DEL, nic->control.watched_fd, NULL);
	nic->control.watched_fd = -1;
}

/* Has the ring no doorbell? */
bool control_needs_looks(const struct nic *nic)
{
	const struct vq *vq = control_vq(nic);

	return vq && vq->running && !vq->broken && nic->control.watched_fd < 0;
}

static void *tell(void *vq)
{
	vq_tell(vq);
	return NULL;
}

/* As that may hang. */
static void tell_in_a_thread(struct nic *nic, struct vq *vq)
{
	const struct news *news = &vq->to_tell;
	pthread_t thread;

	if (!news->call && !news->log && !news->err)
		return;
	if (pthread_create(&thread, NULL, tell, vq))
		nic_say(nic, "no thread to interrupt the guest");
	else
		thread_end(thread);
}

/* ---- when it is used ----------------------------------------------------- */

static void start(struct nic *nic, struct vq *vq)
{
	const char *wrong = inflight_find(nic, 2 * nic->max_pairs, vq);

	vq->said = NULL;
	if (!wrong)
		wrong = vq_start(vq, &nic->memory, has_feature(nic, VIRTIO_F_RING_PACKED),
				 has_feature(nic, VIRTIO_RING_F_EVENT_IDX));
	nic->control.refused = wrong;
	if (wrong)
		complain_once(nic, wrong);
	else
		vq->tells_later = true;
	/* what was said before is heard then */
	eventfd_write(wake_fd, 1);
}

/* Do not use the ring; with @give_back there is still somebody to go on with it. */
void control_stop(struct nic *nic, bool give_back)
{
	struct vq *vq = control_vq(nic);

	control_unwatch(nic);
	nic->control.refused = false;
	if (!vq || !vq->running)
		return;
	if (give_back) {
		vq_rewind(vq);
		tell_in_a_thread(nic, vq);
	}
	vq_stop(vq);
}

/* Use it if the front-end lets that be. */
void control_update(struct nic *nic)
{
	struct vq *vq = control_vq(nic);

	if (!vq)
		return;
	if (!nic_is_ready(nic, vq)) {
		control_stop(nic, true);
		return;
	}
	steering_begin(nic);
	if (!vq->running && !nic->control.refused)
		start(nic, vq);
	if (vq->running)
		watch(nic, vq);
}

/* ---- commands ------------------------------------------------------------ */

/* Do a command; whether its answer is that it was done. */
static bool handle(struct nic *nic, const struct chain *chain, bool *changed)
{
	uint8_t command[MAX_COMMAND];
	uint64_t len = 0;
	unsigned int i;

	for (i = 0; i < chain->n_read; i++)
		len += chain->segments[i].len;
	if (len > sizeof(command))
		len = sizeof(command);
	return memory_read(&nic->memory, chain->segments, chain->n_read, 0, command,
			   (uint32_t)len) && steering_command(nic, command, len, changed);
}

/* Answer what was fetched; whether that has changed something. */
static bool answer(struct nic *nic, struct vq *vq, const struct chain *chain)
{
	const struct segment *to = chain->segments + chain->n_read;
	virtio_net_ctrl_ack ack = VIRTIO_NET_ERR;
	const char *wrong = chain->bad;
	bool changed = false;
	uint32_t len = 0;

	if (!wrong && chain->n_read == chain->n)
		wrong = "a command without room for its answer";
	if (!wrong && !nb_memory_ptr(nic->memory.mem, to->gpa, sizeof(ack)))
		wrong = "an answer that is to go outside guest memory";
	if (wrong) {
		complain_once(nic, wrong);
		vq->bad++;
	} else {
		if (handle(nic, chain, &changed))
			ack = VIRTIO_NET_OK;
		if (memory_write(&nic->memory, to, 1, 0, &ack, sizeof(ack)))
			len = sizeof(ack);
	}
	vq_put(vq, chain->id, len);
	return changed;
}

/* Do what the guest has said, or some of it. */
void control_serve(struct nic *nic)
{
	struct vq *vq = control_vq(nic);
	struct epoll_event event;
	bool more = true;
	struct chain chain;
	unsigned int i;

	/* an edge is over when it was seen */
	epoll_wait(nic->control.epoll_fd, &event, 1, 0);
	if (!vq || !vq->running)
		return;
	for (i = 0; i < AT_ONCE && more; i++) {
		if (vq_fetch(vq, &chain) <= 0)
			break;
		more = !answer(nic, vq, &chain);
	}
	more = !more || i == AT_ONCE;
	if (vq->broken)
		complain_once(nic, vq->broken);
	vq_publish(vq);
	tell_in_a_thread(nic, vq);
	if (vq_enable_kicks(vq) || (more && !vq->broken))
		eventfd_write(wake_fd, 1);
}
