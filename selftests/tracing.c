// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints, by tracefs alone: each fires, says what the counters say, and gives no
 * address away; and skbs that are dropped have a reason.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "kselftest_harness.h"
#include "nbgenl.h"
#include "nbtest.h"
#include "nbtrace.h"

/* Calls fn for each event; how many there are. */
static unsigned int each_event(void (*fn)(const char *event, void *data), void *data)
{
	DIR *dir = opendir(NB_TRACEFS "/events/net_backend");
	struct dirent *entry;
	unsigned int n = 0;

	if (!dir)
		nb_die("there are no events");
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fn(entry->d_name, data);
		n++;
	}
	closedir(dir);
	return n;
}

/* ---- what events are like ------------------------------------------------ */

static void check_format(const char *event, void *data)
{
	char path[128], line[1024];
	bool *right = data;
	FILE *file;

	snprintf(path, sizeof(path), NB_TRACEFS "/events/net_backend/%s/format", event);
	file = fopen(path, "re");
	if (!file)
		nb_die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		/* An address is a pointer, or printed as one; an enum that tools do not know. */
		bool pointer = !strncmp(line, "\tfield:", 7) && strchr(line, '*');
		bool printed = !strncmp(line, "print fmt:", 10) &&
			       (strstr(line, "%p") || strstr(line, "NB_"));

		if (!pointer && !printed)
			continue;
		fprintf(stderr, "# %s: %s", event, line);
		*right = false;
	}
	fclose(file);
}

TEST(no_event_has_an_address_or_a_name_that_tools_do_not_know)
{
	bool right = true;

	nb_test_load_module();
	EXPECT_LT(15, each_event(check_format, &right));
	EXPECT_TRUE(right);
}

/* ---- a life -------------------------------------------------------------- */

struct life {
	struct nb_trace trace;
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_genl client;
};

static void life_kick(struct life *life)
{
	struct nb_tx_segment segment = nb_tx_frame(&life->guest, 0, 100);
	int kick = nb_sys(eventfd(0, EFD_CLOEXEC));
	struct nb_tx_completion done;

	nb_ok(nb_queue_set_eventfds(life->nic.queue, kick, -1));
	nb_ok(nb_queue_tx_avail(life->nic.queue, &segment, 1, NULL));
	nb_sys(eventfd_write(kick, 1));
	if (nb_tx_reap(life->nic.queue, &done, 1) != 1 ||
	    !nb_until(nb_stats_of(life->nic.queue).kicks))
		nb_die("nothing comes of a kick");
	close(kick);
}

/* A notification is put off for as long as that can be. */
static void life_hold(struct life *life)
{
	struct nb_queue_moderation moderation = {
		.tx_usecs = NB_MAX_MODERATION_USECS,
		.rx_usecs = NB_MAX_MODERATION_USECS,
	};

	nb_ok(nb_queue_set_moderation(life->nic.queue, &moderation));
	nb_nic_provoke(&life->nic);
	if (!nb_until(nb_stats_of(life->nic.queue).held_back))
		nb_die("nothing was put off");
}

static void life_link(struct life *life, uint32_t up)
{
	struct nb_genl_request request = nb_genl_request(life->client.family,
							 NB_CMD_ENDPOINT_SET, NLM_F_ACK);
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(life->nic.ep, &info));
	nb_genl_add(&request, NB_A_ENDPOINT_ID, &info.id, sizeof(info.id));
	nb_genl_add(&request, NB_A_ENDPOINT_LINK, &up, sizeof(up));
	nb_ok(nb_genl_talk(&life->client, &request, NULL, NULL));
}

/* A poller sleeps, and is woken by a packet. */
static void life_poller(struct life *life)
{
	struct nb_queue_config config = {
		.target_cpu = NB_ANY_CPU,
		.flags = NB_QUEUE_POLL,
		.poll_idle_us = 1,
	};
	struct nb_nic nic;

	nb_nic_open(&nic, &life->guest, &nb_test_null, 0);
	nb_nic_start_as(&nic, &config, 1);
	if (!nb_until(nb_nic_works(&nic) && nb_stats_of(nic.queue).kicks))
		nb_die("the poller does not sleep");
	nb_nic_close(&nic);
}

static void live(struct life *life)
{
	struct nb_tx_segment bad = nb_tx_packet(NB_GAP_GPA, 100, 0);
	struct nb_tx_completion done;
	void *more = nb_test_pages(NB_PAGE);

	nb_guest_open(&life->guest, 0);
	nb_ok(nb_memory_add(life->guest.mem, NB_MORE_GPA, more, NB_PAGE, 0));
	nb_ok(nb_memory_remove(life->guest.mem, NB_MORE_GPA, NB_PAGE));
	nb_nic_open(&life->nic, &life->guest, &nb_test_netdev, 0);
	nb_nic_start(&life->nic, 1, 0);
	/* The interface waits for buffers. */
	nb_nic_provoke(&life->nic);
	nb_nic_post_all(&life->nic);
	if (nb_bufs_reap(&life->nic.bufs, life->nic.queue, NULL, 1) != 1)
		nb_die("nothing arrives");
	nb_ok(nb_queue_tx_avail(life->nic.queue, &bad, 1, NULL));
	if (nb_tx_reap(life->nic.queue, &done, 1) != 1 || done.status != NB_TX_FAULT)
		nb_die("a bad packet is none");
	life_kick(life);
	life_hold(life);
	life_poller(life);
	life_link(life, 0);
	life_link(life, 1);
	nb_ok(nb_queue_quiesce(life->nic.queue));
	nb_ok(nb_queue_resume(life->nic.queue));
	/* Its queue is not closed in time. */
	nb_ok(nb_endpoint_disconnect(life->nic.ep, 1000000));
	nb_nic_stop(&life->nic);
	nb_ok(nb_endpoint_connect(life->nic.ep, NULL));
	nb_ok(nb_endpoint_stop(life->nic.ep));
	nb_nic_close(&life->nic);
	nb_guest_close(&life->guest);
}

struct missing {
	const struct nb_trace *trace;
	unsigned int n;
};

static void check_fired(const char *event, void *data)
{
	struct missing *missing = data;

	if (nb_trace_sum(missing->trace, event, NULL, NULL))
		return;
	fprintf(stderr, "# %s has not fired\n", event);
	missing->n++;
}

TEST(every_event_fires_in_a_life)
{
	static const struct {
		const char *event, *words;
	} expected[] = {
		{ "nb_endpoint_made", " kind=netdev name=" },
		{ "nb_connect", " kind=netdev name=" },
		{ "nb_link", " up=0 backend_up=1 admin_up=0 " },
		{ "nb_link", " up=1 backend_up=1 admin_up=1 " },
		{ "nb_queue_state", " old=RUNNING new=QUIESCED " },
		{ "nb_queue_state", " old=QUIESCED new=RUNNING " },
		{ "nb_queue_state", " old=RUNNING new=RESTART " },
		{ "nb_region_added", " gpa=0x100000000 len=0x1000 read_only=0 " },
		{ "nb_region_removed", " gpa=0x100000000 len=0x1000 read_only=0 " },
		{ "nb_doorbell", " how=ENTER " },
		{ "nb_doorbell", " how=KICK " },
		{ "nb_doorbell", " how=RUN " },
		{ "nb_doorbell", " how=WAKE " },
		{ "nb_notify", " direction=state " },
		{ "nb_notify_held", " direction=rx " },
		{ "nb_drop", " queue=0 direction=tx reason=FAULT packets=1 " },
		{ "nb_tx_packet", " len=100 segments=1 status=FAULT " },
		{ "nb_tx_packet", " len=100 segments=1 status=OK " },
		{ "nb_rx_packet", " len=100 segment_size=0 status=OK " },
	};
	struct missing missing = { 0 };
	struct life life;
	unsigned int i;

	nb_host_new_netns();
	nb_trace_open(&life.trace);
	nb_genl_open(&life.client);
	live(&life);
	nb_genl_close(&life.client);

	missing.trace = &life.trace;
	each_event(check_fired, &missing);
	EXPECT_EQ(0, missing.n);
	for (i = 0; i < ARRAY_LEN(expected); i++)
		if (!nb_trace_sum(&life.trace, expected[i].event, expected[i].words, NULL))
			nb_die("no %s:%s", expected[i].event, expected[i].words);
	nb_trace_close(&life.trace);
}

/* ---- counters ------------------------------------------------------------ */

FIXTURE(counters)
{
	struct nb_trace trace;
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_VARIANT(counters)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(counters, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(counters, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(counters, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(counters, attach) { .kind = &nb_test_attach };
FIXTURE_VARIANT_ADD(counters, port) { .kind = &nb_test_switch };

FIXTURE_SETUP(counters)
{
	nb_host_new_netns();
	nb_trace_open(&self->trace);
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	nb_nic_start(&self->nic, 1, 0);
}

FIXTURE_TEARDOWN(counters)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
	nb_trace_close(&self->trace);
}

#define ROW(name, ...)	{ #name, offsetof(struct nb_queue_stats, name), __VA_ARGS__ }

/* A counter is the sum of all of its rows. */
static const struct row {
	const char *name;
	size_t counter;
	const char *event, *words, *field;
} rows[] = {
	ROW(tx_packets, "nb_tx_packet", " status=OK ", NULL),
	ROW(tx_bytes, "nb_tx_packet", " status=OK ", "len"),
	ROW(tx_errors, "nb_drop", " direction=tx reason=INVALID ", "packets"),
	ROW(tx_errors, "nb_drop", " direction=tx reason=FAULT ", "packets"),
	ROW(tx_errors, "nb_drop", " direction=tx reason=UNSUPPORTED ", "packets"),
	ROW(tx_dropped, "nb_drop", " direction=tx reason=SOURCE ", "packets"),
	ROW(tx_dropped, "nb_drop", " direction=tx reason=LINK_DOWN ", "packets"),
	ROW(tx_dropped, "nb_drop", " direction=tx reason=INTERFACE_DOWN ", "packets"),
	ROW(tx_dropped, "nb_drop", " direction=tx reason=TOO_LONG ", "packets"),
	ROW(tx_dropped, "nb_drop", " direction=tx reason=REFUSED ", "packets"),
	ROW(tx_dropped, "nb_drop", " direction=tx reason=NO_MEMORY ", "packets"),
	ROW(rx_packets, "nb_rx_packet", " status=OK ", NULL),
	ROW(rx_bytes, "nb_rx_packet", " status=OK ", "len"),
	ROW(rx_errors, "nb_rx_packet", " status=INVALID ", NULL),
	ROW(rx_errors, "nb_rx_packet", " status=FAULT ", NULL),
	ROW(rx_too_small, "nb_drop", " direction=rx reason=TOO_SMALL ", "packets"),
	ROW(rx_no_buffer, "nb_drop", " direction=rx reason=NO_BUFFER ", "packets"),
	ROW(rx_no_buffer, "nb_rx_wait", NULL, NULL),
	ROW(enters, "nb_doorbell", " how=ENTER ", NULL),
	ROW(kicks, "nb_doorbell", " how=RUN ", NULL),
	ROW(kicks, "nb_doorbell", " how=WAKE ", NULL),
	ROW(notifies, "nb_notify", NULL, NULL),
	ROW(held_back, "nb_notify_held", NULL, NULL),
};

static uint64_t traced(const struct nb_trace *trace, size_t counter)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].counter == counter)
			sum += nb_trace_sum(trace, rows[i].event, rows[i].words, rows[i].field);
	return sum;
}

static uint64_t counted(struct nb_queue *queue, size_t counter)
{
	struct nb_queue_stats stats = nb_stats_of(queue);
	uint64_t value;

	memcpy(&value, (char *)&stats + counter, sizeof(value));
	return value;
}

/* A counter that is not what the events say, or NULL. */
static const struct row *disagrees(FIXTURE_DATA(counters) *self)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (traced(&self->trace, rows[i].counter) !=
		    counted(self->nic.queue, rows[i].counter))
			return &rows[i];
	return NULL;
}

/* What a frontend can do wrong, and what may not leave by an interface. */
static void send_bad_ones(FIXTURE_DATA(counters) *self)
{
	struct nb_tx_segment bad[6];
	struct nb_tx_completion done[6];
	unsigned int i;

	for (i = 0; i < 6; i++)
		bad[i] = nb_tx_frame(&self->guest, i, 100);
	bad[0].packet_len = 99;
	bad[1].reserved = 1;
	bad[2].gpa = NB_GAP_GPA;
	bad[3].flags |= NB_TX_OFFLOAD_TCP_CHECKSUM;
	/* As much as a packet may be, and more than an interface takes. */
	bad[4].len = 20000;
	bad[4].packet_len = 20000;
	/* From everybody. */
	memset(nb_guest_ptr(&self->guest, bad[5].gpa, 12), 0xff, 12);
	nb_ok(nb_queue_tx_avail(self->nic.queue, bad, 6, NULL));
	if (nb_tx_reap(self->nic.queue, done, 6) != 6)
		nb_die("not all end");
}

static void post_bad_buffers(FIXTURE_DATA(counters) *self)
{
	struct nb_rx_segment bad[2] = {
		{ .gpa = NB_GAP_GPA, .len = NB_BUF_SIZE, .id = NB_BUFS - 2 },
		{ .gpa = NB_RX_GPA, .len = 0, .id = NB_BUFS - 1 },
	};

	nb_ok(nb_queue_rx_avail(self->nic.queue, bad, 2));
}

TEST_F(counters, are_what_the_events_say)
{
	const struct row *row;

	post_bad_buffers(self);
	nb_nic_post_all(&self->nic);
	/* The first two buffers come back empty. */
	if (nb_nic_provoke(&self->nic))
		EXPECT_EQ(3, nb_bufs_reap(&self->nic.bufs, self->nic.queue, NULL, 3));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	send_bad_ones(self);
	/* Some come a moment later. */
	EXPECT_TRUE(nb_until(!disagrees(self)));
	row = disagrees(self);
	if (row)
		nb_die("%s is %llu, but the events say %llu", row->name,
		       (unsigned long long)counted(self->nic.queue, row->counter),
		       (unsigned long long)traced(&self->trace, row->counter));
	EXPECT_LE(3, nb_stats_of(self->nic.queue).tx_errors);
}

/* ---- skbs ---------------------------------------------------------------- */

/* A queue of that kind with one buffer of 500 bytes, for frames of 1000 and of 100. */
static void drop_skbs(struct nb_trace *trace, const struct nb_test_kind *kind)
{
	struct nb_rx_segment small = { .gpa = NB_RX_GPA, .len = 500 };
	unsigned char frame[1000];
	struct nb_guest guest;
	struct nb_nic nic;

	nb_trace_open(trace);
	nb_trace_add(trace, "skb/kfree_skb");
	nb_guest_open(&guest, 0);
	nb_nic_open(&nic, &guest, kind, 0);
	nb_nic_start(&nic, 1, 0);
	nb_ok(nb_queue_rx_avail(nic.queue, &small, 1));
	nb_frame_fill(frame, sizeof(frame), 0);
	nb_host_send(&nic.host, frame, sizeof(frame));
	nb_host_send(&nic.host, frame, 100);
	nb_host_send(&nic.host, frame, 100);
	if (nb_bufs_reap(&nic.bufs, nic.queue, NULL, 1) != 1 ||
	    !nb_until(nb_stats_of(nic.queue).rx_no_buffer))
		nb_die("frames are missing");
	nb_nic_close(&nic);
	nb_guest_close(&guest);
}

TEST(skbs_are_dropped_for_a_reason)
{
	struct nb_trace trace;

	nb_host_new_netns();
	drop_skbs(&trace, &nb_test_netdev);
	EXPECT_NE(0, nb_trace_sum(&trace, "kfree_skb", " PKT_TOO_BIG ", NULL));
	nb_trace_close(&trace);

	drop_skbs(&trace, &nb_test_attach);
	EXPECT_NE(0, nb_trace_sum(&trace, "kfree_skb", " PKT_TOO_BIG ", NULL));
	EXPECT_NE(0, nb_trace_sum(&trace, "kfree_skb", " FULL_RING ", NULL));
	nb_trace_close(&trace);
}

TEST_HARNESS_MAIN
