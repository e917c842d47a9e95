// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * usage: device [-p] [-b MISTAKE] ADDRESS [NAME]
 *
 * A minimal VMM, for people who write device models: it shows its guest the NIC of device.h.
 * The guest is a thread (guest.c) that touches nothing but its RAM, the NIC's registers and
 * two eventfds, and answers ARP and ping for an IPv4 address.  With KVM it would be a virtual
 * CPU, the doorbell an ioeventfd and the interrupt an irqfd; this file would stay as it is.
 *
 * Documentation/device-model.rst explains it, step by step.
 */
#define _GNU_SOURCE	/* memfd_create() */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <libnb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

/*
 * A ring of the guest.  Indices run freely; those of the entries that the device has, and the
 * backend has for it, are from done up to next.
 */
struct ring {
	struct nic_descriptor *table;	/* in guest memory */
	uint32_t entries;		/* copied out of the register, and checked */
	uint32_t next;			/* the entry to take next */
	uint32_t done;			/* the entry to give back next */
	uint8_t sent[NIC_MAX_ENTRIES];	/* entries of a complete packet, by the first; else 0 */
};

struct device {
	struct machine machine;
	struct nb *nb;
	struct nb_memory *memory;
	struct nb_endpoint *endpoint;
	struct nb_endpoint_info info;
	struct nb_queue *queue;		/* NULL unless the NIC runs */
	struct ring tx, rx;
	bool poll;			/* a thread of the kernel looks at the queue's rings */
	uint32_t status;		/* of enum nic_status */
};

/* A call that fails here is an error of this program or the end of the backend. */
static int check(int result)
{
	if (result < 0) {
		fprintf(stderr, "device: %s\n", nb_error());
		exit(EXIT_FAILURE);
	}
	return result;
}

/* A queue that needs a restart is no error: an action says so, too. */
static int check_queue(int result)
{
	return result == -ENETRESET ? 0 : check(result);
}

/* ---- the guest's memory, and the endpoint --------------------------------------------- */

/*
 * One memfd is the RAM, and each half of it a region: at other addresses in the guest than in
 * the file, with a hole between the two.  libnb maps them here, too.
 */
static void open_memory(struct device *dev)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);

	if (ftruncate(fd, 2 * RAM_HALF))
		err(EXIT_FAILURE, "a file as RAM");
	check(nb_memory_create(dev->nb, &dev->memory));
	check(nb_memory_add_fd(dev->memory, 0, fd, 0, RAM_HALF, 0));
	check(nb_memory_add_fd(dev->memory, RAM_HIGH, fd, RAM_HALF, RAM_HALF, 0));
	close(fd);
}

static void open_endpoint(struct device *dev, const char *name)
{
	struct nb_endpoint_params params = { .kind = "netdev", .name = name, .netns_fd = -1 };

	check(nb_endpoint_create(dev->nb, &params, &dev->endpoint));
	check(nb_endpoint_get_info(dev->endpoint, &dev->info));
	/* The NIC gives buffers back in order; and so does any backend that comes later. */
	if (!(dev->info.properties & NB_ENDPOINT_ORDERED))
		exit(EXIT_FAILURE);
}

/* The machine as it is when the guest begins; the NIC says which address it has. */
static void build_machine(struct device *dev)
{
	static struct nic_registers registers;
	struct machine *machine = &dev->machine;

	machine->low = nb_memory_ptr(dev->memory, 0, RAM_HALF);
	machine->high = nb_memory_ptr(dev->memory, RAM_HIGH, RAM_HALF);
	machine->nic = &registers;
	memcpy(registers.mac, dev->info.mac, sizeof(registers.mac));
	machine->doorbell = eventfd(0, EFD_CLOEXEC);
	machine->interrupt = eventfd(0, EFD_CLOEXEC);
	if (machine->doorbell < 0 || machine->interrupt < 0)
		err(EXIT_FAILURE, "an eventfd");
}

/* ---- what the guest sees of the device ------------------------------------------------ */

/* What has happened is in memory before the cause is, and the cause before the guest wakes. */
static void interrupt(struct device *dev, uint32_t cause)
{
	__atomic_fetch_or(&dev->machine.nic->cause, cause, __ATOMIC_RELEASE);
	eventfd_write(dev->machine.interrupt, 1);
}

/* The register is only written: what stands there may be the guest's. */
static void set_status(struct device *dev, uint32_t status)
{
	if (status == dev->status)
		return;
	dev->status = status;
	nic_set(dev->machine.nic->status, status);
	interrupt(dev, NIC_CAUSE_STATUS);
}

static void set_link(struct device *dev, bool up)
{
	uint32_t others = dev->status & (NIC_RUNNING | NIC_ERROR);

	set_status(dev, up ? others | NIC_LINK_UP : others);
}

static void close_queue(struct device *dev)
{
	nb_queue_close(dev->queue);	/* from here on nothing is written to guest memory */
	dev->queue = NULL;
	check(nb_endpoint_stop(dev->endpoint));
}

/* The guest has made a mistake.  It is told, and nobody else has to know. */
static void fail(struct device *dev)
{
	close_queue(dev);
	set_status(dev, (dev->status & NIC_LINK_UP) | NIC_ERROR);
}

/* ---- descriptors ---------------------------------------------------------------------- */

/*
 * Copies the guest's next descriptor, if it has been handed over.  Each field is read once,
 * NIC_OWN first, so that the others are what the guest wrote before it.  Whoever checks looks
 * at the copy, as the guest may write to the original at any time.
 */
static bool next_descriptor(struct ring *ring, struct nic_descriptor *copy)
{
	struct nic_descriptor *from = &ring->table[ring->next % ring->entries];

	if (ring->next - ring->done == ring->entries)
		return false;	/* all are here; that the next one is the device's is no news */
	copy->flags = nic_get(from->flags);
	if (!(copy->flags & NIC_OWN))
		return false;
	copy->address = nic_get(from->address);
	copy->length = nic_get(from->length);
	ring->next++;
	return true;
}

/* All that the guest may see of it is written before NIC_OWN goes. */
static void give_back(struct ring *ring)
{
	nic_set(ring->table[ring->done++ % ring->entries].flags, 0);
}

/*
 * Makes one packet of the guest's descriptors.  Addresses are the guest's, and stay so; that
 * they are in guest memory, and that lengths are not 0, is net_backend's to check: the packet
 * comes back with an error.  Returns segments, 0 (no packet), or -1 for a mistake.
 */
static int take_packet(struct device *dev, struct nb_tx_segment *segments)
{
	struct nic_descriptor copy = { .flags = NIC_MORE };
	uint32_t first = dev->tx.next % dev->tx.entries, n = 0, len = 0;

	while (copy.flags & NIC_MORE) {
		if (!next_descriptor(&dev->tx, &copy))
			return n ? -1 : 0;	/* the first is handed over last: all are there */
		if (copy.flags & ~(NIC_OWN | NIC_MORE) || n == NB_MAX_SEGMENTS)
			return -1;
		segments[n++] = (struct nb_tx_segment){ .gpa = copy.address, .len = copy.length };
		len += copy.length;
	}
	segments[0].flags = NB_TX_HEAD;
	segments[0].packet_len = len;
	segments[0].segment_count = (uint8_t)n;
	/* Comes back with the completion: to count NIC_MORE then would be to trust the guest. */
	segments[0].id = first | n << 16;
	return (int)n;
}

/* ---- the data path: everything there is, in one call ---------------------------------- */

/* No entry is taken twice, and no ring of the queue has fewer than NIC_MAX_ENTRIES: all fit. */
static void transmit(struct device *dev)
{
	struct nb_tx_segment segments[NIC_MAX_ENTRIES];
	bool synchronous;
	int n = 0, got;

	while ((got = take_packet(dev, segments + n)) > 0)
		n += got;
	if (got < 0)
		return fail(dev);
	if (!n)
		return;
	check_queue(nb_queue_tx_avail(dev->queue, segments, (unsigned int)n, &synchronous));
	if (!synchronous)
		return;		/* complete() will hear of them */
	while (dev->tx.done != dev->tx.next)
		give_back(&dev->tx);
	interrupt(dev, NIC_CAUSE_SENT);
}

/* Packets need not be complete in order, but the NIC gives back its entries so. */
static void complete(struct device *dev)
{
	struct nb_tx_completion done[NIC_MAX_ENTRIES];
	struct ring *tx = &dev->tx;
	uint32_t left;
	int i, n;

	n = check_queue(nb_queue_tx_poll(dev->queue, done, NIC_MAX_ENTRIES));
	for (i = 0; i < n; i++) {
		/* A packet that was dropped has been sent, as far as a NIC can tell. */
		if (done[i].status != NB_TX_OK && done[i].status != NB_TX_DROPPED)
			return fail(dev);
		tx->sent[done[i].id & 0xffff] = (uint8_t)(done[i].id >> 16);
	}
	while ((left = tx->sent[tx->done % tx->entries])) {
		tx->sent[tx->done % tx->entries] = 0;
		while (left--)
			give_back(tx);
	}
	if (n)
		interrupt(dev, NIC_CAUSE_SENT);
}

/* A length of 16 bits cannot be NB_RX_MORE by mistake; one of 32 would have to be checked. */
static void post_buffers(struct device *dev)
{
	struct nb_rx_segment buffers[NIC_MAX_ENTRIES];
	struct nic_descriptor copy;
	unsigned int n = 0;

	while (next_descriptor(&dev->rx, &copy)) {
		if (copy.flags != NIC_OWN)
			return fail(dev);
		buffers[n++] = (struct nb_rx_segment){ .gpa = copy.address, .len = copy.length };
	}
	if (n)
		check_queue(nb_queue_rx_avail(dev->queue, buffers, n));
}

static void receive(struct device *dev)
{
	struct nb_rx_metadata got[NIC_MAX_ENTRIES];
	struct nic_descriptor *to;
	int i, n;

	n = check_queue(nb_queue_rx_poll(dev->queue, got, NIC_MAX_ENTRIES));
	for (i = 0; i < n; i++) {
		if (got[i].status != NB_RX_OK)
			return fail(dev);
		to = &dev->rx.table[dev->rx.done % dev->rx.entries];
		nic_set(to->length, (uint16_t)got[i].len);
		nic_set(to->offset, got[i].offset);
		give_back(&dev->rx);
	}
	if (n)
		interrupt(dev, NIC_CAUSE_RECEIVED);
}

/* ---- start, reset, restart ------------------------------------------------------------ */

/*
 * Where the ring is was read out of the registers once, and is not read again.  The pointer
 * stays good because this machine never loses memory: else remove the region, then ask anew.
 */
static bool find_ring(struct device *dev, struct ring *ring, uint64_t gpa, uint32_t entries)
{
	*ring = (struct ring){ .entries = entries };
	if (entries < 2 || entries > NIC_MAX_ENTRIES || entries & (entries - 1) ||
	    gpa % sizeof(*ring->table))
		return false;
	ring->table = nb_memory_ptr(dev->memory, gpa, entries * sizeof(*ring->table));
	return ring->table;
}

/*
 * What the last queue had, and has not given back, is the device's again.  A cable that is
 * pulled may lose packets, so those to transmit are done.  Buffers are taken once more: they
 * are still the device's in guest memory; and checked once more, as the guest can write there.
 */
static void open_queue(struct device *dev)
{
	struct nb_queue_config config = {	/* with rings of 256 */
		.flags = dev->poll ? NB_QUEUE_POLL : 0,
		.target_cpu = NB_ANY_CPU,
		.poll_idle_us = dev->poll ? 100000 : 0,
	};

	check(nb_endpoint_get_queues(dev->endpoint, dev->memory, &config, 1, NULL, &dev->queue));
	while (dev->tx.done != dev->tx.next)
		give_back(&dev->tx);
	memset(dev->tx.sent, 0, sizeof(dev->tx.sent));
	interrupt(dev, NIC_CAUSE_SENT);
	dev->rx.next = dev->rx.done;
	post_buffers(dev);
}

static void start(struct device *dev)
{
	struct nic_registers *nic = dev->machine.nic;

	if (!find_ring(dev, &dev->tx, nic_get(nic->tx_ring), nic_get(nic->tx_entries)) ||
	    !find_ring(dev, &dev->rx, nic_get(nic->rx_ring), nic_get(nic->rx_entries)))
		return fail(dev);
	set_status(dev, dev->status | NIC_RUNNING);
	open_queue(dev);
}

/* ---- what wakes the device ------------------------------------------------------------ */

/*
 * The eventfd is read first: what the guest does after the look at its memory rings once more.
 * So a doorbell says nothing but "look", and a guest that rings it for nothing costs a look.
 */
static void answer_doorbell(struct device *dev)
{
	eventfd_t count;

	eventfd_read(dev->machine.doorbell, &count);
	if (!(nic_get(dev->machine.nic->control) & NIC_ENABLE)) {
		close_queue(dev);
		set_status(dev, dev->status & NIC_LINK_UP);
	} else if (!(dev->status & (NIC_RUNNING | NIC_ERROR))) {
		start(dev);
	}
	if (dev->queue)
		post_buffers(dev);
	if (dev->queue)
		transmit(dev);
}

/* The guest notices no restart: its rings stay where they are, and so does the NIC's state. */
static void act(struct device *dev)
{
	struct nb_action action;

	while (check(nb_endpoint_wait_for_action(dev->endpoint, &action, 0))) {
		if (action.type == NB_ACTION_LINK_STATUS_NOTIFY) {
			set_link(dev, action.value);
		} else if (action.type == NB_ACTION_RESTART_REQUIRED) {
			close_queue(dev);
			if (dev->status & NIC_RUNNING)
				open_queue(dev);
		}
	}
}

/* Asleep unless there is something to do; poll() takes no notice of a file of -1. */
static void run(struct device *dev)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = nb_endpoint_fd(dev->endpoint), .events = POLLIN },
			{ .fd = dev->machine.doorbell, .events = POLLIN },
			{ .fd = dev->queue ? nb_queue_fd(dev->queue) : -1, .events = POLLIN },
		};

		if (poll(fds, 3, -1) < 0)
			return;
		if (fds[0].revents)
			act(dev);
		if (fds[1].revents)
			answer_doorbell(dev);
		if (dev->queue)
			receive(dev);
		if (dev->queue)
			complete(dev);
	}
}

int main(int argc, char **argv)
{
	struct device dev = { .nb = NULL };
	pthread_t thread;
	int option;

	while ((option = getopt(argc, argv, "pb:")) != -1) {
		if (option == 'p')
			dev.poll = true;
		else if (option == 'b')
			dev.machine.mistake = optarg;
	}
	argv += optind;
	if (!*argv || !inet_aton(*argv, &dev.machine.address)) {
		fprintf(stderr, "usage: device [-p] [-b MISTAKE] ADDRESS [NAME]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	check(nb_open(&dev.nb));
	open_memory(&dev);
	open_endpoint(&dev, argv[1]);
	build_machine(&dev);
	set_link(&dev, dev.info.properties & NB_ENDPOINT_LINK_UP);
	printf("device: %s is behind %s\n", argv[0], dev.info.name);
	if (pthread_create(&thread, NULL, guest, &dev.machine))
		return EXIT_FAILURE;
	run(&dev);
	return EXIT_FAILURE;
}
