// SPDX-License-Identifier: GPL-2.0
/*
 * A guest of the soak: sends packets of all sorts, right and wrong, receives, gives up its
 * queues when it is asked to or has to, and is killed at any moment.
 *
 * It counts what it reaps. While it has queues, its cell has them, too, so that their
 * counters can be read when it was killed.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "nbip.h"
#include "nbsoak.h"

#define BUFFERS		32u		/* of each queue */
#define RX_SIZE		(9u << 20)
#define TX_GPA		(1ull << 24)
#define TX_SIZE		(1u << 20)
#define NOWHERE		(1ull << 28)	/* no memory */
#define SPARE_GPA	(1ull << 32)
#define SPARE_SIZE	(16 * NB_PAGE)
#define TEMPLATES	32u
#define SLOT		(TX_SIZE / TEMPLATES)
#define MAX_PIECES	6u
#define MAX_BATCH	16u
#define FLOOD		(1u << 31)	/* in a packet's id */

struct template {
	struct nb_tx_segment segments[MAX_PIECES];
	unsigned int n;
};

struct guest {
	struct nb_soak_report *report;
	struct nb_soak_guest *told;
	struct nb_endpoint *ep;
	struct nb_guest guest;
	struct nb_random random;
	unsigned char *tx;
	void *spare;
	bool has_spare, has_log, restart;
	struct nb_queue *queues[NB_SOAK_QUEUES];
	unsigned int n_queues;
	int64_t on_the_way;	/* packets */
	uint32_t next;
	struct template templates[TEMPLATES];
};

static unsigned int below(struct guest *guest, unsigned int limit)
{
	return nb_random_below(&guest->random, limit);
}

static void *add_pages(struct guest *guest, uint64_t gpa, size_t len)
{
	void *pages = nb_test_pages(len);

	nb_ok(nb_memory_add(guest->guest.mem, gpa, pages, len, 0));
	return pages;
}

/* ---- packets -------------------------------------------------------------- */

static void put_address(unsigned char *at, uint32_t station)
{
	memset(at, 0, 6);
	at[0] = 0x02;
	at[5] = station;
}

/* In pieces that lie one behind the other. */
static void cut(struct guest *guest, struct template *template, uint64_t gpa, uint32_t len)
{
	template->n = 1 + below(guest, below(guest, 4) ? 1 : MAX_PIECES);
	nb_tx_split(template->segments, template->n, gpa, len, 0);
}

/* One that must not be sent, or of which a switch will not know where it comes from. */
static void spoil(struct guest *guest, struct template *template, unsigned char *at)
{
	struct nb_tx_segment *head = template->segments;

	switch (below(guest, 5)) {
	case 0:
		head->gpa = NOWHERE;
		break;
	case 1:
		head->packet_len++;
		break;
	case 2:
		head->reserved = 1;
		break;
	case 3:
		at[6] |= 1;
		break;
	case 4:
		head->gpa = SPARE_GPA;
		break;
	}
}

static void make_frame(struct guest *guest, unsigned int i)
{
	struct template *template = &guest->templates[i];
	unsigned char *at = guest->tx + i * SLOT;
	uint32_t len = 60 + below(guest, below(guest, 2) ? 1450 : 60);
	uint32_t to = 1 + below(guest, guest->told->peers);

	nb_frame_fill(at, len, i);
	put_address(at, to);
	put_address(at + 6, guest->told->station);
	if (guest->told->floods && !below(guest, 4))
		memset(at, 0xff, 6);
	cut(guest, template, TX_GPA + i * SLOT, len);
	if (!below(guest, 4)) {
		template->segments[0].flags |= NB_TX_VLAN;
		template->segments[0].vlan = 5;
	}
	if (!below(guest, 8) && at[0] != 0xff)
		spoil(guest, template, at);
	if (at[0] == 0xff)
		template->segments[0].id = FLOOD;
}

/* A packet of which the backend is to do a part. */
static void make_ip(struct guest *guest, unsigned int i)
{
	struct template *template = &guest->templates[i];
	bool large = below(guest, 2);
	static struct nb_ip ip;
	struct nb_ip_plan plan = {
		.protocol = below(guest, 2) ? IPPROTO_TCP : IPPROTO_UDP,
		.payload = large ? 2000 + below(guest, 20000) : 10 + below(guest, 1300),
		.seed = i,
	};
	uint16_t flags;

	nb_ip_make(&ip, &plan);
	flags = plan.protocol == IPPROTO_TCP ? NB_TX_OFFLOAD_TCP_CHECKSUM :
					       NB_TX_OFFLOAD_UDP_CHECKSUM;
	if (large)
		flags |= plan.protocol == IPPROTO_TCP ? NB_TX_OFFLOAD_TCP_SEGMENTATION :
							NB_TX_OFFLOAD_UDP_SEGMENTATION;
	flags |= NB_TX_IS_IPV4 | NB_TX_OFFLOAD_IP_HEADER_CHECKSUM;
	nb_ip_leave_to_backend(&ip, flags, true);
	put_address(ip.data + 6, guest->told->station);
	memcpy(guest->tx + i * SLOT, ip.data, ip.len);
	cut(guest, template, TX_GPA + i * SLOT, ip.len);
	nb_ip_describe(&ip, flags, large ? 1400 : 0, template->segments);
}

static void make_packets(struct guest *guest)
{
	unsigned int i;

	for (i = 0; i < TEMPLATES; i++)
		if (guest->told->offloads && i % 4 == 0)
			make_ip(guest, i);
		else
			make_frame(guest, i);
}

/* ---- queues --------------------------------------------------------------- */

/* Now and then, one that cannot be written to; it comes back, too. */
static void post(struct guest *guest, unsigned int queue, uint32_t id)
{
	struct nb_rx_segment buffer = {
		.gpa = (uint64_t)id * guest->told->buffer_size,
		.len = guest->told->buffer_size,
		.id = id,
	};

	if (!below(guest, 300))
		buffer.gpa = NOWHERE;
	nb_queue_rx_avail(guest->queues[queue], &buffer, 1);
}

static void make_queues(struct guest *guest)
{
	struct nb_soak_guest *told = guest->told;
	struct nb_queue_config configs[NB_SOAK_QUEUES] = { 0 };
	unsigned int i, k;
	int err;

	for (i = 0; i < told->want_queues; i++) {
		configs[i].flags = told->flags;
		configs[i].target_cpu = below(guest, 3) ? NB_ANY_CPU : below(guest, 2);
	}
	err = nb_endpoint_get_queues(guest->ep, guest->guest.mem, configs, told->want_queues,
				     NULL, guest->queues);
	/* Its interface is on the way to another namespace, or what it is about to tell. */
	if (err == -ENODEV || err == -EBUSY || err == -ENETRESET) {
		usleep(1000);
		return;
	}
	nb_ok(err);
	guest->n_queues = told->want_queues;
	guest->restart = false;
	guest->on_the_way = 0;
	memset(&told->own, 0, sizeof(told->own));
	make_packets(guest);
	for (i = 0; i < guest->n_queues; i++)
		told->fds[i] = nb_queue_fd(guest->queues[i]);
	told->n_queues = guest->n_queues;
	nb_soak_set(&told->state, NB_SOAK_RUNS);
	/* The cell takes its own fds first: what is counted from now on is known. */
	while (nb_soak_get(&told->n_queues))
		usleep(200);
	for (i = 0; i < guest->n_queues; i++)
		for (k = 0; k < BUFFERS; k++)
			post(guest, i, i * BUFFERS + k);
	nb_soak_note(guest->report, NB_SOAK_QUEUE_SETS, 1);
}

/* Negative: the queue does not run. While it is quiesced, that is no matter. */
static bool runs(struct guest *guest, int result)
{
	if (result >= 0 || result == -ESHUTDOWN)
		return true;
	if (result != -ENETRESET)
		nb_ok(result);
	guest->restart = true;
	return false;
}

static bool reap(struct guest *guest, unsigned int i)
{
	struct nb_soak_counts *own = &guest->told->own;
	struct nb_tx_completion done[32];
	struct nb_rx_metadata meta[32];
	int n, k, some;

	n = nb_queue_tx_poll(guest->queues[i], done, ARRAY_LEN(done));
	some = n;
	for (k = 0; k < n; k++) {
		if (done[k].status == NB_TX_OK) {
			own->ok++;
			own->floods += !!(done[k].id & FLOOD);
		} else if (done[k].status == NB_TX_DROPPED) {
			own->dropped++;
		} else {
			own->errors++;
		}
	}
	guest->on_the_way -= n > 0 ? n : 0;
	runs(guest, n);
	n = nb_queue_rx_poll(guest->queues[i], meta, ARRAY_LEN(meta));
	for (k = 0; k < n; k++) {
		if (meta[k].status == NB_RX_OK)
			own->rx++;
		else
			own->rx_bad++;
		if (nb_soak_get(&guest->told->state) == NB_SOAK_RUNS)
			post(guest, i, meta[k].id);
	}
	runs(guest, n);
	return some > 0 || n > 0;
}

static void transmit(struct guest *guest, unsigned int queue)
{
	struct nb_tx_segment segments[MAX_BATCH * MAX_PIECES];
	unsigned int batch = 1 + below(guest, MAX_BATCH), n = 0, i, ends[MAX_BATCH];
	int taken;

	for (i = 0; i < batch; i++) {
		struct template *template = &guest->templates[below(guest, TEMPLATES)];

		memcpy(&segments[n], template->segments, template->n * sizeof(segments[0]));
		segments[n].id |= guest->next++ & ~FLOOD;
		n += template->n;
		ends[i] = n;
	}
	taken = nb_queue_tx_avail(guest->queues[queue], segments, n, NULL);
	runs(guest, taken);
	for (i = 0; i < batch && (int)ends[i] <= taken; i++)
		guest->on_the_way++;
}

/* Its memory: a region comes and goes, from which it sends; what the kernel writes is noted. */
static void change_memory(struct guest *guest)
{
	struct nb_memory *mem = guest->guest.mem;
	static uint64_t bitmap[RX_SIZE / NB_PAGE / 64 + 1];

	if (below(guest, 2)) {
		if (guest->has_spare)
			nb_ok(nb_memory_remove(mem, SPARE_GPA, SPARE_SIZE));
		else
			nb_ok(nb_memory_add(mem, SPARE_GPA, guest->spare, SPARE_SIZE, 0));
		guest->has_spare = !guest->has_spare;
		nb_soak_note(guest->report, NB_SOAK_REGIONS, 1);
		return;
	}
	if (guest->has_log) {
		nb_memory_harvest_dirty(mem, 0, RX_SIZE, bitmap);
		nb_ok(nb_memory_stop_dirty_log(mem));
	} else {
		nb_ok(nb_memory_start_dirty_log(mem));
	}
	guest->has_log = !guest->has_log;
	nb_soak_note(guest->report, NB_SOAK_LOGS, 1);
}

/* Until somebody wants the queues, or the backend leaves them. */
static void use_queues(struct guest *guest)
{
	struct nb_soak_guest *told = guest->told;
	struct nb_action action;
	bool some, quiet;
	unsigned int i;

	while (!guest->restart && !nb_soak_get(&told->let_go)) {
		quiet = nb_soak_get(&told->quiet);
		if (!quiet && guest->on_the_way < 200)
			transmit(guest, below(guest, guest->n_queues));
		some = false;
		for (i = 0; i < guest->n_queues; i++)
			some |= reap(guest, i);
		/* Errors of a quiesced queue can hide what is on the way. */
		nb_soak_set(&told->is_quiet, quiet && !some);
		if (nb_endpoint_wait_for_action(guest->ep, &action, 0) == 1 &&
		    action.type == NB_ACTION_RESTART_REQUIRED)
			guest->restart = true;
		if (!quiet && !below(guest, 200))
			change_memory(guest);
		if (!some) {
			for (i = 0; i < guest->n_queues; i++)
				nb_queue_enter(guest->queues[i], NB_ENTER_TX | NB_ENTER_RX, 0,
					       NULL);
			usleep(300);
		}
	}
	nb_soak_set(&told->is_quiet, 0);
}

static void give_up_queues(struct guest *guest)
{
	struct nb_soak_guest *told = guest->told;
	unsigned int i;

	nb_soak_set(&told->state, NB_SOAK_ASKS);
	while (nb_soak_get(&told->state) != NB_SOAK_READ)
		usleep(200);
	for (i = 0; i < guest->n_queues; i++) {
		while (reap(guest, i))
			;
		nb_queue_close(guest->queues[i]);
	}
	guest->n_queues = 0;
	nb_soak_set(&told->state, NB_SOAK_DONE);
}

void nb_soak_guest_run(struct nb_soak_report *report, struct nb_soak_guest *told,
		       struct nb_endpoint *ep, uint64_t seed)
{
	struct guest *guest = nb_test_pages(sizeof(*guest));
	struct nb_action action;

	guest->report = report;
	guest->told = told;
	guest->ep = ep;
	guest->random.state = seed * 2 + 1;
	nb_ok(nb_open(&guest->guest.nb));
	nb_ok(nb_memory_create(guest->guest.nb, &guest->guest.mem));
	add_pages(guest, 0, RX_SIZE);
	guest->tx = add_pages(guest, TX_GPA, TX_SIZE);
	guest->spare = nb_test_pages(SPARE_SIZE);
	/* A frame that begins there is of nobody, so that no switch floods it. */
	memset(guest->spare, 0x01, SPARE_SIZE);
	nb_soak_set(&told->state, NB_SOAK_NEW);
	for (;;) {
		if (nb_soak_get(&told->state) != NB_SOAK_MAY_MAKE) {
			usleep(200);
			continue;
		}
		/* What is there now is what these queues begin with. */
		while (nb_endpoint_wait_for_action(ep, &action, 0) == 1)
			;
		make_queues(guest);
		if (!guest->n_queues)
			continue;
		use_queues(guest);
		give_up_queues(guest);
	}
}
