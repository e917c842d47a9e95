// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * The guest of device.c: a driver for the NIC of device.h, and a network stack that answers
 *
 * It knows nothing of net_backend.  If told to, it makes a mistake when it starts the NIC for
 * the first time; when the NIC says so, it resets it and starts it again, as drivers do, but
 * for the mistake "for-good".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "answer.h"
#include "device.h"

#define ENTRIES		64	/* of each ring */
#define BUFFER_SIZE	2048

/* Where things are in the guest: rings and what is sent in low RAM, what is received in high. */
#define TX_RING		0x10000ull
#define RX_RING		0x11000ull
#define TX_BUFFERS	0x20000ull
#define RX_BUFFERS	RAM_HIGH
#define NOWHERE		0x80000000ull	/* in the hole */

struct driver {
	struct machine *machine;
	struct nic_descriptor *tx, *rx;
	uint32_t tx_next, rx_next;
	uint32_t status;	/* of the NIC, the last time */
};

/* RAM at a guest-physical address. */
static void *ram(const struct driver *drv, uint64_t gpa)
{
	return gpa < RAM_HALF ? drv->machine->low + gpa : drv->machine->high + (gpa - RAM_HIGH);
}

static int to_get_wrong(const struct driver *drv, const char *mistake)
{
	return drv->machine->mistake && !strcmp(drv->machine->mistake, mistake);
}

static void hand_over(struct nic_descriptor *entry, uint64_t gpa, size_t len, uint32_t flags)
{
	nic_set(entry->address, gpa);
	nic_set(entry->length, (uint16_t)len);
	nic_set(entry->flags, flags | NIC_OWN);
}

static void give_buffer(struct driver *drv, uint32_t i)
{
	hand_over(&drv->rx[i], to_get_wrong(drv, "buffer") ? NOWHERE : RX_BUFFERS + i * BUFFER_SIZE,
		  BUFFER_SIZE, to_get_wrong(drv, "rx-flags") ? NIC_MORE : 0);
}

/* Everything there is, a thousand times: ends with a mistake. */
static void scribble(struct driver *drv)
{
	struct nic_registers *nic = drv->machine->nic;
	unsigned int round, i;

	for (round = 0; round < 1000; round++) {
		for (i = 0; i < ENTRIES; i++) {
			hand_over(&drv->tx[random() % ENTRIES], (uint64_t)random() % RAM_HALF,
				  (size_t)random() % BUFFER_SIZE, random() % 64 ? 0 : NIC_MORE);
			hand_over(&drv->rx[random() % ENTRIES], (uint64_t)random() << random() % 32,
				  (size_t)random(), 0);
		}
		nic_set(nic->tx_entries, 1u << random() % 9);
		nic_set(nic->tx_ring, round % 4 ? TX_RING : (uint64_t)random() << random() % 32);
		nic_set(nic->control, round % 2 ? NIC_ENABLE : 0);
		eventfd_write(drv->machine->doorbell, 1);
	}
	nic_set(nic->tx_entries, ENTRIES - 1);
	nic_set(nic->control, 0);
	eventfd_write(drv->machine->doorbell, 1);
	for (i = 0; i < ENTRIES; i++)
		hand_over(&drv->tx[i], NOWHERE, 60, 0);
}

/* One mistake in what is transmitted. */
static void transmit_mistake(struct driver *drv)
{
	uint32_t i;

	if (to_get_wrong(drv, "address") || to_get_wrong(drv, "for-good"))
		hand_over(&drv->tx[0], NOWHERE, 60, 0);
	else if (to_get_wrong(drv, "length"))
		hand_over(&drv->tx[0], TX_BUFFERS, 0, 0);
	else if (to_get_wrong(drv, "flags"))
		hand_over(&drv->tx[0], TX_BUFFERS, 60, NIC_MORE << 1);
	else if (to_get_wrong(drv, "chain"))
		hand_over(&drv->tx[0], TX_BUFFERS, 60, NIC_MORE);
	for (i = 0; to_get_wrong(drv, "pieces") && i < NIC_MAX_ENTRIES; i++)
		hand_over(&drv->tx[i], TX_BUFFERS, 60, i + 1 < NIC_MAX_ENTRIES ? NIC_MORE : 0);
	if (to_get_wrong(drv, "everything"))
		scribble(drv);
}

static uint32_t tx_entries(const struct driver *drv)
{
	if (to_get_wrong(drv, "entries"))
		return ENTRIES - 1;
	return to_get_wrong(drv, "pieces") ? NIC_MAX_ENTRIES : ENTRIES;
}

static void start(struct driver *drv)
{
	struct nic_registers *nic = drv->machine->nic;
	uint32_t i;

	drv->tx = ram(drv, TX_RING);
	drv->rx = ram(drv, RX_RING);
	memset(drv->tx, 0, ENTRIES * sizeof(*drv->tx));
	memset(drv->rx, 0, ENTRIES * sizeof(*drv->rx));
	drv->tx_next = 0;
	drv->rx_next = 0;
	for (i = 0; i < ENTRIES; i++)
		give_buffer(drv, i);
	nic_set(nic->tx_ring, to_get_wrong(drv, "ring") ? NOWHERE : TX_RING);
	nic_set(nic->rx_ring, RX_RING);
	nic_set(nic->tx_entries, tx_entries(drv));
	nic_set(nic->rx_entries, ENTRIES);

	transmit_mistake(drv);
	nic_set(nic->control, NIC_ENABLE);
	eventfd_write(drv->machine->doorbell, 1);
}

static void look_at_status(struct driver *drv)
{
	struct nic_registers *nic = drv->machine->nic;
	uint32_t status = nic_get(nic->status), changed = status ^ drv->status;

	drv->status = status;
	if (changed & NIC_LINK_UP)
		printf("guest: link %s\n", status & NIC_LINK_UP ? "up" : "down");
	if (changed & NIC_ERROR && status & NIC_ERROR) {
		printf("guest: the NIC has found a mistake\n");
		if (to_get_wrong(drv, "for-good"))
			return;
		drv->machine->mistake = NULL;
		nic_set(nic->control, 0);
		eventfd_write(drv->machine->doorbell, 1);
	} else if (!(status & (NIC_ERROR | NIC_RUNNING)) && !nic_get(nic->control)) {
		start(drv);	/* the reset is over */
	}
}

/* Each packet in two pieces, Ethernet's header and the rest; the first is handed over last. */
static void transmit(struct driver *drv, const void *packet, size_t len)
{
	uint32_t first = drv->tx_next % ENTRIES, second = (drv->tx_next + 1) % ENTRIES;
	uint64_t gpa = TX_BUFFERS + first * BUFFER_SIZE;
	const size_t head = sizeof(struct ether_header);

	if ((nic_get(drv->tx[first].flags) | nic_get(drv->tx[second].flags)) & NIC_OWN)
		return;		/* the ring is full */
	memcpy(ram(drv, gpa), packet, len);
	hand_over(&drv->tx[second], gpa + head, len - head, 0);
	hand_over(&drv->tx[first], gpa, head, NIC_MORE);
	drv->tx_next += 2;
}

static void receive(struct driver *drv)
{
	struct machine *machine = drv->machine;
	struct nic_descriptor *entry;
	uint32_t i, begin = drv->rx_next;
	char *packet;

	for (;;) {
		i = drv->rx_next % ENTRIES;
		entry = &drv->rx[i];
		if (nic_get(entry->flags) & NIC_OWN)
			break;
		packet = (char *)ram(drv, RX_BUFFERS + i * BUFFER_SIZE) + entry->offset;
		if (answer(machine->nic->mac, machine->address, (struct ether_header *)packet,
			   entry->length))
			transmit(drv, packet, entry->length);
		give_buffer(drv, i);
		drv->rx_next++;
	}
	if (drv->rx_next != begin)
		eventfd_write(machine->doorbell, 1);
}

void *guest(void *arg)
{
	struct driver drv = { .machine = arg };
	struct nic_registers *nic = drv.machine->nic;
	eventfd_t count;
	uint32_t cause;

	start(&drv);
	while (!eventfd_read(drv.machine->interrupt, &count)) {
		cause = __atomic_exchange_n(&nic->cause, 0, __ATOMIC_ACQUIRE);
		if (cause & NIC_CAUSE_STATUS)
			look_at_status(&drv);
		if (cause & NIC_CAUSE_RECEIVED)
			receive(&drv);
	}
	return NULL;
}
