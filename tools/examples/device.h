/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * The data sheet of a made-up NIC, and the machine that it is in: all that device.c, the
 * device model, and guest.c, the driver, know of each other.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <netinet/in.h>
#include <stdint.h>

/*
 * A page of registers, which is no memory: no descriptor can name it.  Behind "guest" is what
 * the guest writes, and the device never does; the device writes the others.
 */
struct nic_registers {
	uint8_t mac[6];		/* the address that the guest should use */
	uint16_t reserved;
	uint32_t status;	/* of enum nic_status */
	uint32_t cause;		/* of enum nic_cause; the guest takes it, and leaves 0 */
	uint32_t control;	/* guest: of enum nic_control */
	uint64_t tx_ring;	/* guest: where the ring is, a multiple of 16 */
	uint64_t rx_ring;	/* guest: the same, of receive buffers */
	uint32_t tx_entries;	/* guest: a power of two, 2 … NIC_MAX_ENTRIES */
	uint32_t rx_entries;	/* guest: the same */
};

#define NIC_MAX_ENTRIES	256

/*
 * To start the NIC, the guest writes the rings' registers, then NIC_ENABLE, and rings the
 * doorbell; NIC_RUNNING says that it has been heard.  A NIC that finds a mistake of the guest
 * stands still, with NIC_ERROR.  Without NIC_ENABLE, and after a doorbell, it forgets all,
 * and is done with the guest's memory when neither bit is set.
 */
enum nic_control {
	NIC_ENABLE	= 1 << 0,
};

enum nic_status {
	NIC_LINK_UP	= 1 << 0,
	NIC_RUNNING	= 1 << 1,
	NIC_ERROR	= 1 << 2,
};

/* Why there is an interrupt: several since the last one are one. */
enum nic_cause {
	NIC_CAUSE_STATUS	= 1 << 0,	/* another status than before */
	NIC_CAUSE_RECEIVED	= 1 << 1,	/* receive buffers were given back */
	NIC_CAUSE_SENT		= 1 << 2,	/* descriptors to transmit were given back */
};

/*
 * An entry of a ring.  Both sides go round.  The guest fills in an entry, then sets NIC_OWN,
 * in the first one of a packet last, and rings the doorbell; the device gives it back,
 * in order, without.
 */
struct nic_descriptor {
	uint64_t address;	/* guest-physical */
	uint16_t length;	/* of this piece, or of the buffer; given back: of the packet */
	uint16_t offset;	/* receive: where in the buffer the packet begins */
	uint32_t flags;		/* of enum nic_flags */
};

enum nic_flags {
	NIC_OWN		= 1u << 31,	/* the device's */
	NIC_MORE	= 1 << 0,	/* to transmit: the packet goes on in the next entry */
};

/* RAM is one file, of which the guest sees the second half from 4 GiB on. */
#define RAM_HALF	(1ull << 20)
#define RAM_HIGH	(1ull << 32)

struct machine {
	uint8_t *low, *high;	/* the halves of RAM, for the guest's loads and stores */
	struct nic_registers *nic;
	int doorbell, interrupt;
	struct in_addr address;	/* of the guest */
	const char *mistake;	/* what it is to get wrong, or NULL */
};

/* The guest; for pthread_create(), with a struct machine. */
void *guest(void *machine);

/* Registers and descriptors are read and written at once, and once. */
#define nic_get(where)		__atomic_load_n(&(where), __ATOMIC_ACQUIRE)
#define nic_set(where, what)	__atomic_store_n(&(where), (what), __ATOMIC_RELEASE)

#endif /* DEVICE_H */
