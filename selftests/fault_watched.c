// SPDX-License-Identifier: GPL-2.0
/*
 * Captures, and what listeners are told, with each allocation and copy that they take failing
 * in turn: see fault.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "nbcapture.h"
#include "nbfault.h"

/* ---- capture ------------------------------------------------------------- */

static struct nb_capture capture;

static void with_control(struct nb_fault_world *w)
{
	nb_fault_with_endpoint(w);
	w->id = nb_capture_id_of(w->made);
	w->fds[1] = nb_sys(open("/dev/net_backend", O_RDWR | O_CLOEXEC));
	w->said = nb_raw_message;
}

static int create_capture(struct nb_fault_world *w)
{
	struct nb_create_capture call = {
		.size = sizeof(call),
		.flags = NB_CAPTURE_TX | NB_CAPTURE_RX,
		.endpoint_id = w->id,
		.queue = NB_ANY_QUEUE,
		.buffer_size = NB_MIN_CAPTURE_BUFFER,
	};

	capture.fd = nb_raw_call(w->fds[1], NB_CREATE_CAPTURE, &call);
	return capture.fd;
}

static void close_capture(struct nb_fault_world *w)
{
	close(capture.fd);
}

static void with_capture(struct nb_fault_world *w)
{
	nb_fault_with_data_path(w);
	nb_capture_start(&capture, w->made, NB_CAPTURE_TX);
}

static void with_capture_stats(struct nb_fault_world *w)
{
	with_capture(w);
	w->said = nb_raw_message;
}

static int capture_stats(struct nb_fault_world *w)
{
	struct nb_capture_stats stats = { .size = sizeof(stats) };

	return nb_raw_call(capture.fd, NB_CAPTURE_GET_STATS, &stats);
}

static ssize_t read_records(void)
{
	ssize_t len = read(capture.fd, capture.buffer, sizeof(capture.buffer));

	capture.at = 0;
	capture.len = len < 0 ? 0 : len;
	return len < 0 ? -errno : len;
}

/* Whether these records, and no others, have been read. */
static void expect_records(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!nb_capture_gets(&capture, NB_CAPTURE_TX, NB_FAULT_FRAME, 0))
			nb_die("of %u packets, %u were captured", n, i);
	if (!nb_capture_silent(&capture))
		nb_die("more was captured than %u packets", n);
}

/* A read that fails has taken nothing, or what it returns. */
static void with_records(struct nb_fault_world *w)
{
	nb_fault_post_packets(w);
	nb_ok(nb_fault_transmit(w));
}

static int read_capture(struct nb_fault_world *w)
{
	return read_records();
}

static void reap_records(struct nb_fault_world *w)
{
	expect_records(NB_FAULT_PACKETS);
	nb_fault_reap_packets(w);
	expect_records(1);
}

/* A packet is captured even if the backend then has no memory for it. */
static void reap_captured(struct nb_fault_world *w)
{
	nb_fault_reap_packets(w);
	expect_records(NB_FAULT_PACKETS + 1);
}

/* ---- events -------------------------------------------------------------- */

static struct nb_genl listener;

static void listen_to(struct nb_fault_world *w)
{
	nb_genl_open(&listener);
	nb_genl_subscribe(&listener);
}

/* Takes what there is; whether that is anything: a message, or that one was lost. */
static bool take_events(void)
{
	char message[4096];
	bool any = false;

	while (recv(listener.fd, message, sizeof(message), MSG_DONTWAIT) >= 0 ||
	       errno == ENOBUFS)
		any = true;
	return any;
}

static void with_none_told(struct nb_fault_world *w)
{
	take_events();
}

static void must_be_told(struct nb_fault_world *w)
{
	if (!nb_until(take_events()))
		nb_die("who listens is told nothing");
}

static void close_told_endpoint(struct nb_fault_world *w)
{
	must_be_told(w);
	nb_endpoint_close(w->made);
}

static int create_memory(struct nb_fault_world *w)
{
	return nb_memory_create(w->guest.nb, &w->mem);
}

static void close_told_memory(struct nb_fault_world *w)
{
	must_be_told(w);
	nb_memory_close(w->mem);
}

static void listen_to_memory(struct nb_fault_world *w)
{
	w->pages = nb_test_pages(NB_PAGE);
	listen_to(w);
}

static int add_region(struct nb_fault_world *w)
{
	return nb_memory_add(w->guest.mem, NB_MORE_GPA, w->pages, NB_PAGE, 0);
}

static void remove_told_region(struct nb_fault_world *w)
{
	must_be_told(w);
	nb_ok(nb_memory_remove(w->guest.mem, NB_MORE_GPA, NB_PAGE));
}

static void listen_to_endpoint(struct nb_fault_world *w)
{
	nb_fault_with_endpoint(w);
	listen_to(w);
}

static void close_told_queues(struct nb_fault_world *w)
{
	must_be_told(w);
	nb_fault_close_queues(w);
}

/* What is told later: the note of it may be what there is no memory for. */
static void listen_to_queues(struct nb_fault_world *w)
{
	nb_fault_with_queues(w);
	listen_to(w);
}

static int quiesce(struct nb_fault_world *w)
{
	return nb_queue_quiesce(w->queues[0]);
}

static void resume_told(struct nb_fault_world *w)
{
	must_be_told(w);
	nb_ok(nb_queue_resume(w->queues[0]));
	must_be_told(w);
}

/* ---- all of them --------------------------------------------------------- */

static const struct nb_fault faults[] = {
	{ "create_capture", .kind = &nb_test_null, .prepare = with_control,
	  .call = create_capture, .undo = close_capture },
	{ "capture_stats", .kind = &nb_test_null, .prepare = with_capture_stats,
	  .call = capture_stats },
	{ "read_capture", .kind = &nb_test_null, .prepare = with_capture,
	  .before = with_records, .call = read_capture, .undo = reap_records,
	  .silent = true },
	{ "transmit_captured", .kind = &nb_test_netdev, .prepare = with_capture,
	  .before = nb_fault_post_packets, .call = nb_fault_transmit, .undo = reap_captured,
	  .silent = true, .without = true },
	{ "told_of_endpoint", .kind = &nb_test_null, .prepare = listen_to,
	  .before = with_none_told, .call = nb_fault_create_endpoint,
	  .undo = close_told_endpoint },
	{ "told_of_port", .prepare = listen_to, .before = with_none_told,
	  .call = nb_fault_create_port, .undo = close_told_endpoint },
	{ "told_of_memory", .prepare = listen_to, .before = with_none_told,
	  .call = create_memory, .undo = close_told_memory },
	{ "told_of_region", .prepare = listen_to_memory, .before = with_none_told,
	  .call = add_region, .undo = remove_told_region },
	{ "told_of_queues", .kind = &nb_test_null, .prepare = listen_to_endpoint,
	  .before = with_none_told, .call = nb_fault_get_queues, .undo = close_told_queues },
	{ "told_later", .kind = &nb_test_null, .prepare = listen_to_queues,
	  .before = with_none_told, .call = quiesce, .undo = resume_told, .without = true },
};

int main(int argc, char **argv)
{
	return nb_fault_main(faults, ARRAY_LEN(faults), argv + 1);
}
