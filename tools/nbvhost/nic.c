// SPDX-License-Identifier: GPL-2.0
/*
 * A NIC: its endpoint, and which of its pairs run
 *
 * In the main thread.  Whoever is going to change what pairs use pauses or stops them
 * first, and says nic_update() when all is said:
 *
 *	pause	the threads do not run; queues, and what is in flight, stay
 *	stop	there are no queues, and the guest has back what was in flight
 *	update	there are queues and threads for the pairs that are ready, no others
 *
 * If pairs that are ready cannot be used, that is said once, and tried again when others are
 * ready, or after a stop.
 */
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "nbvhost.h"

/* not in the headers of Linux 6.1 yet */
#define NET_F_GUEST_USO4	54
#define NET_F_GUEST_USO6	55
#define NET_F_HOST_USO		56

/* Neither a guest nor a front-end fills the log: so many lines a NIC, in so many seconds. */
#define MAX_LINES	20
#define LINES_SECONDS	60

/* Returns 1 for the last line that is said for now, 2 for one too many, else 0. */
static int count_line(struct lines *lines)
{
	struct timespec now;
	int result;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lines->lock);
	if (now.tv_sec - lines->since >= LINES_SECONDS) {
		lines->since = now.tv_sec;
		lines->n = 0;
	}
	result = lines->n >= MAX_LINES ? 2 : ++lines->n == MAX_LINES;
	pthread_mutex_unlock(&lines->lock);
	return result;
}

/* Say in one line what is wrong with a NIC, from any thread; too many lines are not said. */
void nic_say(struct nic *nic, const char *format, ...)
{
	int counted = count_line(&nic->lines);
	char line[512];
	va_list args;

	if (counted > 1)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	complain("%s: %s%s", nic->path, line, counted ? "; no more is said for a while" : "");
}

/* The same of what goes well, if somebody wants to know. */
void nic_note(const struct nic *nic, const char *what)
{
	if (verbose)
		complain("%s: %s", nic->path, what);
}

/* What can be negotiated, by what the endpoint can do. */
uint64_t nic_features(const struct nic *nic)
{
	const uint32_t checksums = NB_OFFLOAD_TCP | NB_OFFLOAD_UDP;
	uint32_t offloads = nic->info.tx_offloads;
	uint64_t features;

	features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) |
		   BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) |
		   BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_MAC) |
		   BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
		   BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |
		   BIT(NET_F_GUEST_USO4) | BIT(NET_F_GUEST_USO6) |
		   BIT(VHOST_F_LOG_ALL) | BIT(VU_F_PROTOCOL_FEATURES);
	if (nic->info.mtu)
		features |= BIT(VIRTIO_NET_F_MTU);
	features |= steering_features(nic);
	if ((offloads & checksums) == checksums) {
		features |= BIT(VIRTIO_NET_F_CSUM);
		if (offloads & NB_OFFLOAD_TSO)
			features |= BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6);
		if (offloads & NB_OFFLOAD_USO)
			features |= BIT(NET_F_HOST_USO);
	}
	return features;
}

/*
 * Learn what the endpoint can do, also what may have changed since: the MTU, for who comes next or
 * sets its rings up again.  Says what is wrong, and returns -1, if something is.
 */
int nic_ask_endpoint(struct nic *nic)
{
	if (!nb_endpoint_get_info(nic->ep, &nic->info)) {
		link_set(nic, nic->info.properties & NB_ENDPOINT_LINK_UP);
		return 0;
	}
	nic_say(nic, "%s: %s", nic->spec.text, nb_error());
	return -1;
}

static int make_pairs(struct nic *nic)
{
	unsigned int i;

	nic->vqs = calloc(n_vqs(nic), sizeof(*nic->vqs));
	nic->pairs = aligned_alloc(_Alignof(struct pair), nic->max_pairs * sizeof(*nic->pairs));
	if (!nic->vqs || !nic->pairs) {
		nic_say(nic, "no memory");
		return -1;
	}
	memset(nic->pairs, 0, nic->max_pairs * sizeof(*nic->pairs));
	for (i = 0; i < nic->max_pairs; i++) {
		nic->pairs[i].nic = nic;
		nic->pairs[i].index = i;
		nic->pairs[i].rx = &nic->vqs[2 * i];
		nic->pairs[i].tx = &nic->vqs[2 * i + 1];
		nic->pairs[i].epoll_fd = -1;
		vq_init(nic->pairs[i].rx);
		vq_init(nic->pairs[i].tx);
		nic->pairs[i].rx->writable = true;
	}
	if (control_vq(nic)) {
		vq_init(control_vq(nic));
		control_vq(nic)->both_ways = true;
	}
	return 0;
}

/* Use an endpoint that somebody else has made; says what is wrong, and returns -1, if so. */
static int take_endpoint(struct nic *nic)
{
	int fd = service_take(nic->spec.text);

	if (fd < 0)
		return -1;
	if (!nb_endpoint_from_fd(fd, &nic->ep))
		return 0;
	nic_say(nic, "%s: %s", nic->spec.text, nb_error());
	close(fd);
	return -1;
}

static int make_endpoint(struct nic *nic)
{
	if (service_is_fd(nic->spec.text))
		return take_endpoint(nic);
	return spec_create(&nic->spec, nic->nb, (uint16_t)nic->max_pairs, &nic->ep);
}

/*
 * Begin with a NIC that has path and spec; says what is wrong, and returns -1, if something is.
 * nic_close() is needed in any case.
 */
int nic_begin(struct nic *nic, struct nb *nb, unsigned int max_pairs)
{
	nic->nb = nb;
	nic->max_pairs = max_pairs;
	pthread_mutex_init(&nic->lines.lock, NULL);
	nic->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (nic->stop_fd < 0) {
		nic_say(nic, "no eventfd: %s", strerror(errno));
		return -1;
	}
	return make_pairs(nic) || control_open(nic) ? -1 : 0;
}

/* Make its endpoint, and listen; the same of what is wrong. */
int nic_open(struct nic *nic)
{
	if (make_endpoint(nic) || nic_ask_endpoint(nic))
		return -1;
	if (nic->info.max_queues < nic->max_pairs) {
		nic_say(nic, "%s: has at most %u queues; use a smaller -q", nic->spec.text,
			nic->info.max_queues);
		return -1;
	}
	return socket_listen(&nic->listener, nic->path);
}

void nic_close(struct nic *nic)
{
	socket_close(nic);
	nic_stop(nic);
	memory_clear(&nic->memory);
	shared_unmap(&nic->inflight);
	log_forget(nic);
	link_forget(nic);
	control_close(nic);
	nb_endpoint_close(nic->ep);
	free(nic->vqs);
	free(nic->pairs);
	if (nic->stop_fd >= 0)
		close(nic->stop_fd);
	socket_unlisten(&nic->listener, nic->path);
}

void nic_pause(struct nic *nic)
{
	eventfd_t stopped;
	unsigned int i;

	__atomic_store_n(&nic->stop, 1, __ATOMIC_RELEASE);
	eventfd_write(nic->stop_fd, 1);
	for (i = 0; i < nic->n_pairs; i++)
		pair_wait(&nic->pairs[i]);
	eventfd_read(nic->stop_fd, &stopped);
	nic->stop = 0;
}

static void close_pairs(struct nic *nic, bool give_back)
{
	unsigned int i;

	nic->n_refused = 0;
	if (!nic->n_pairs)
		return;
	nic_pause(nic);
	for (i = 0; i < nic->n_pairs; i++)
		pair_close(&nic->pairs[i], give_back);
	nic->n_pairs = 0;
	log_harvest(nic);
}

void nic_stop(struct nic *nic)
{
	close_pairs(nic, true);
	control_stop(nic, true);
}

/*
 * Stop for whoever serves the rings next, and may know no bases.  Those with an in-flight region go
 * on by that, which says that nothing is on its way, and where; those without by their used index,
 * as all has been given back.
 */
void nic_settle(struct nic *nic)
{
	bool ran[MAX_VQS] = { false };
	unsigned int i;

	for (i = 0; i < n_vqs(nic); i++)
		ran[i] = nic->vqs[i].running;
	nic_stop(nic);
	for (i = 0; i < n_vqs(nic); i++) {
		struct vq *vq = &nic->vqs[i];

		if (ran[i] && !inflight_find(nic, i, vq))
			inflight_start(vq);
		inflight_stop(vq);
	}
}

/* The front-end has gone: forget what it has said. */
void nic_forget(struct nic *nic)
{
	unsigned int i;

	close_pairs(nic, false);
	control_stop(nic, false);
	steering_forget(nic);
	nb_endpoint_stop(nic->ep);
	nic->holds_back = false;
	for (i = 0; i < n_vqs(nic); i++)
		vq_reset(&nic->vqs[i], &nic->closer);
	memory_clear(&nic->memory);
	shared_unmap(&nic->inflight);
	log_forget(nic);
	link_forget(nic);
	nic->features = 0;
	nic->protocol_features = 0;
}

bool nic_is_ready(const struct nic *nic, const struct vq *vq)
{
	bool enabled = vq->enabled || !has_feature(nic, VU_F_PROTOCOL_FEATURES);

	return nic->memory.mem && vq->size && vq->has_addr && vq->started && enabled;
}

/* The pairs that are ready, up to the first that is not, or that the guest does not use. */
static unsigned int ready_pairs(const struct nic *nic)
{
	unsigned int n = 0, max = nic->steering.pairs ? nic->steering.pairs : nic->max_pairs;

	while (n < max && nic_is_ready(nic, nic->pairs[n].rx) &&
	       nic_is_ready(nic, nic->pairs[n].tx))
		n++;
	return n;
}

/* As many entries as the largest ring, at least; a chain may take several. */
static uint32_t ring_entries(const struct nic *nic, unsigned int n)
{
	uint32_t entries = 4 * NB_MIN_RING_ENTRIES;
	unsigned int i;

	for (i = 0; i < 2 * n; i++) {
		while (entries < 2 * nic->vqs[i].size)
			entries *= 2;
	}
	return entries;
}

/* A guest that wants what cannot be, again and again, is not to fill the log. */
static bool is_first_complaint(struct nic *nic)
{
	bool complained = nic->complained;

	nic->complained = true;
	return !complained;
}

static int get_queues(struct nic *nic, unsigned int n, uint32_t entries)
{
	struct nb_queue_config configs[MAX_PAIRS] = { 0 };
	struct nb_queue *queues[MAX_PAIRS];
	const struct nb_rss_config *rss;
	struct nb_rss_config config;
	uint16_t table[MAX_TABLE];
	unsigned int i;

	for (i = 0; i < n; i++)
		configs[i] = (struct nb_queue_config){
			.tx_avail_entries = entries,
			.tx_done_entries = entries,
			.rx_avail_entries = entries,
			.rx_done_entries = entries,
			.target_cpu = NB_ANY_CPU,
			.flags = header_queue_flags(nic) | (nic->kernel_polls ? NB_QUEUE_POLL : 0),
			.poll_idle_us = nic->kernel_polls ? nic->poll_us : 0,
		};
	rss = steering_rss(nic, n, &config, table);
	if (nb_endpoint_get_queues(nic->ep, nic->memory.mem, configs, n, rss, queues)) {
		if (is_first_complaint(nic))
			nic_say(nic, "%s: %s", nic->spec.text, nb_error());
		return -1;
	}
	for (i = 0; i < n; i++)
		nic->pairs[i].queue = queues[i];
	return 0;
}

static int open_pairs(struct nic *nic, unsigned int n)
{
	uint32_t entries = ring_entries(nic, n);
	const char *wrong = NULL;
	unsigned int i;

	if (nic_ask_endpoint(nic))
		return -1;
	for (i = 0; i < n && !wrong; i++)
		wrong = pair_open(&nic->pairs[i], entries);
	if (wrong && is_first_complaint(nic))
		nic_say(nic, "ring of pair %u: %s", i - 1, wrong);
	if (!wrong && !get_queues(nic, n, entries)) {
		nic->n_pairs = n;
		nic->holds_back = true;
		return 0;
	}
	while (i--)
		pair_close(&nic->pairs[i], true);
	return -1;
}

static bool has_ended(const struct nic *nic)
{
	unsigned int i;

	for (i = 0; i < nic->n_pairs; i++) {
		if (__atomic_load_n(&nic->pairs[i].ended, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

static void start_pairs(struct nic *nic)
{
	unsigned int n = nic->n_pairs, i;

	for (i = 0; i < nic->n_pairs; i++) {
		if (nic->pairs[i].started || !pair_start(&nic->pairs[i]))
			continue;
		nic_say(nic, "no thread for pair %u", i);
		close_pairs(nic, true);
		nic->n_refused = n;
	}
}

void nic_update(struct nic *nic)
{
	unsigned int n;

	control_update(nic);
	n = ready_pairs(nic);
	if (nic->n_pairs && (n != nic->n_pairs || has_ended(nic)))
		close_pairs(nic, true);
	if (!n && nic->holds_back) {
		nb_endpoint_stop(nic->ep);
		nic->holds_back = false;
	}
	if (!nic->n_pairs && n != nic->n_refused)
		nic->n_refused = n && open_pairs(nic, n) ? n : 0;
	start_pairs(nic);
}

/* Have flows spread over the queues that there are as the guest wants it. */
static int set_rss(struct nic *nic)
{
	const struct nb_rss_config *rss;
	struct nb_rss_config config;
	uint16_t table[MAX_TABLE];

	rss = steering_rss(nic, nic->n_pairs, &config, table);
	if (!nb_endpoint_set_rss(nic->ep, rss))
		return 0;
	if (is_first_complaint(nic))
		nic_say(nic, "RSS: %s", nb_error());
	return -1;
}

/*
 * The guest wants its flows in other queues: that is so on return.  False if that is not
 * possible, and nothing has changed.
 */
bool nic_steer(struct nic *nic, const struct steering *next)
{
	struct steering before = nic->steering;
	unsigned int n = nic->n_pairs;
	bool done = true;

	nic_pause(nic);
	nic->steering = *next;
	if (n && n == ready_pairs(nic) && !has_ended(nic))
		done = !set_rss(nic);
	nic_update(nic);
	if (done && (nic->n_pairs || !n))
		return true;
	nic->steering = before;
	nic->n_refused = 0;
	nic_update(nic);
	return false;
}

/* The endpoint has something to say. */
void nic_follow_actions(struct nic *nic)
{
	struct nb_action action;
	bool restart = false;

	while (nb_endpoint_wait_for_action(nic->ep, &action, 0) > 0) {
		if (action.type == NB_ACTION_RESTART_REQUIRED)
			restart = true;
		else
			link_set(nic, action.value);
	}
	if (!restart)
		return;
	nic->complained = false;
	close_pairs(nic, true);
	if (nic_ask_endpoint(nic))
		return;
	nb_endpoint_stop(nic->ep);
	nic_note(nic, "restart");
	nic_update(nic);
}
