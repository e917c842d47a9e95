// SPDX-License-Identifier: GPL-2.0
/*
 * A pair of rings with its queue, and the thread that moves packets between them
 *
 * The thread sleeps in epoll.  Doorbells are watched for edges and never read: an eventfd
 * that the front-end holds, too, could block whoever reads it.  For the same reason a
 * thread that is to end is sent signals until it has: a write to the guest's interrupt
 * might hang.  So the main thread makes none: what there is to tell when a pair is closed
 * is told by a thread, too.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "nbvhost.h"

#define RETRY_NS	20000000L

/* Say what is wrong with what the guest does, if that is news. */
void pair_complain(struct pair *pair, struct vq *vq, const char *why)
{
	if (vq_is_news(vq, why))
		nic_say(pair->nic, "%s ring %u: %s", vq == pair->rx ? "receive" : "transmit",
			pair->index, why);
}

static int watch(struct pair *pair, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };

	return fd < 0 ? 0 : epoll_ctl(pair->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* What the thread is going to wait for. */
static int watch_all(struct pair *pair)
{
	pair->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (pair->epoll_fd < 0 || watch(pair, pair->nic->stop_fd, EPOLLIN))
		return -1;
	/* what has arrived may have to wait for the guest */
	if (watch(pair, nb_queue_fd(pair->queue), EPOLLIN | EPOLLET))
		return -1;
	/* eventfds: without, one has to look */
	watch(pair, pair->rx->kick_fd, EPOLLIN | EPOLLET);
	watch(pair, pair->tx->kick_fd, EPOLLIN | EPOLLET);
	return 0;
}

static int move(struct pair *pair)
{
	int sent, received;

	sent = transmit(pair);
	if (sent < 0)
		return sent;
	received = receive(pair);
	return received < 0 ? received : sent + received;
}

/* Say whether guest and kernel are to wake this thread; true: there is work again. */
static bool set_wakeups(struct pair *pair, bool on)
{
	bool again;

	if (!on) {
		nb_queue_set_need_notify(pair->queue, 0);
		vq_disable_kicks(pair->rx);
		vq_disable_kicks(pair->tx);
		return false;
	}
	nb_queue_set_need_notify(pair->queue, NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX);
	again = receive_wants_kicks(pair) && vq_enable_kicks(pair->rx);
	return vq_enable_kicks(pair->tx) || again;
}

static void sleep_until_woken(struct pair *pair)
{
	/* without a doorbell, one has to look */
	int timeout = pair->rx->kick_fd < 0 || pair->tx->kick_fd < 0 ? 1 : -1;
	struct epoll_event events[4];

	epoll_wait(pair->epoll_fd, events, 4, timeout);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* There was nothing to do: is it to be looked again, before the thread sleeps? */
static bool looks_on(struct pair *pair)
{
	uint64_t time;

	if (!pair->nic->poll_us)
		return false;
	time = now();
	if (!pair->idle_since)
		pair->idle_since = time;
	return time - pair->idle_since < pair->nic->poll_us * 1000ull;
}

static void *run(void *arg)
{
	struct pair *pair = arg;
	int moved = 0;

	pair->idle_since = 0;
	set_wakeups(pair, false);
	while (!__atomic_load_n(&pair->nic->stop, __ATOMIC_ACQUIRE)) {
		moved = move(pair);
		if (moved < 0)
			break;
		if (moved) {
			pair->idle_since = 0;
			continue;
		}
		if (looks_on(pair))
			continue;
		/* what came before they could see it wakes nobody */
		moved = set_wakeups(pair, true) ? 1 : move(pair);
		if (moved < 0)
			break;
		if (!moved)
			sleep_until_woken(pair);
		pair->idle_since = 0;
		set_wakeups(pair, false);
	}
	if (moved < 0) {
		__atomic_store_n(&pair->ended, true, __ATOMIC_RELEASE);
		eventfd_write(wake_fd, 1);
	}
	return NULL;
}

int pair_start(struct pair *pair)
{
	int err;

	if (watch_all(pair))
		return -1;
	pair->ended = false;
	err = pthread_create(&pair->thread, NULL, run, pair);
	pair->started = !err;
	return err;
}

/* Wait until a thread has ended that is about to, but for what it may hang in. */
void thread_end(pthread_t thread)
{
	struct timespec until;

	for (;;) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += RETRY_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		if (!pthread_timedjoin_np(thread, NULL, &until))
			return;
		pthread_kill(thread, SIGUSR1);
	}
}

/* Wait until the thread has ended, which it was asked to. */
void pair_wait(struct pair *pair)
{
	if (pair->started)
		thread_end(pair->thread);
	pair->started = false;
	if (pair->epoll_fd >= 0)
		close(pair->epoll_fd);
	pair->epoll_fd = -1;
}

/* Begin to use the rings with a new queue; says what is wrong, or NULL. */
const char *pair_open(struct pair *pair, uint32_t ring_entries)
{
	struct memory *memory = &pair->nic->memory;
	bool event_idx = has_feature(pair->nic, VIRTIO_RING_F_EVENT_IDX);
	bool packed = has_feature(pair->nic, VIRTIO_F_RING_PACKED);
	const char *wrong;

	wrong = inflight_find(pair->nic, 2 * pair->index, pair->rx);
	if (!wrong)
		wrong = inflight_find(pair->nic, 2 * pair->index + 1, pair->tx);
	if (!wrong)
		wrong = vq_start(pair->rx, memory, packed, event_idx);
	if (!wrong)
		wrong = vq_start(pair->tx, memory, packed, event_idx);
	if (wrong)
		return wrong;
	pair->spare_mask = 1;
	while (pair->spare_mask < pair->rx->size)
		pair->spare_mask *= 2;
	pair->spare = calloc(pair->spare_mask--, sizeof(*pair->spare));
	if (!pair->spare)
		return "no memory";
	pair->n_pending = 0;
	pair->need = header_longest_packet(pair->nic) + header_size(pair->nic);
	pair->merges = has_feature(pair->nic, VIRTIO_NET_F_MRG_RXBUF);
	pair->room = ring_entries;
	receive_start(pair);
	tails_open(pair);
	pair->rx->said = NULL;
	pair->tx->said = NULL;
	if (!(pair->nic->info.properties & NB_ENDPOINT_ORDERED))
		pair->rx->in_order = false;
	return NULL;
}

/* Take what the kernel has done, before the queue is closed. */
static void drain(struct pair *pair)
{
	int sent, received;

	nb_queue_quiesce(pair->queue);
	drain_spares(pair);
	/* of either there may be more when there is nothing of the other, which is an error then */
	do {
		sent = drain_transmit(pair);
		received = drain_receive(pair);
	} while (sent > 0 || received > 0);
}

static void *tell(void *arg)
{
	struct pair *pair = arg;

	vq_tell(pair->rx);
	vq_tell(pair->tx);
	return NULL;
}

/* Tell guest and front-end what is new, in a thread of its own, as that may hang. */
static void tell_all(struct pair *pair)
{
	int err = pthread_create(&pair->thread, NULL, tell, pair);

	pair->started = !err;
	if (err)
		nic_say(pair->nic, "no thread to interrupt the guest");
	pair_wait(pair);
}

/*
 * End the use of the queue and the rings.  With @give_back the guest gets back, or can make
 * available again, what it has made available; else nobody is there any more.
 */
void pair_close(struct pair *pair, bool give_back)
{
	pair->rx->tells_later = true;
	pair->tx->tells_later = true;
	if (pair->queue && give_back)
		drain(pair);
	nb_queue_close(pair->queue);
	pair->queue = NULL;
	tails_close(pair);
	if (give_back && pair->rx->running && pair->tx->running) {
		vq_rewind(pair->rx);
		vq_give_back(pair->tx);
		tell_all(pair);
	}
	vq_stop(pair->rx);
	vq_stop(pair->tx);
	free(pair->spare);
	pair->spare = NULL;
}
