/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes a capture file: pcapng, as in draft-ietf-opsawg-pcapng.
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stddef.h>
#include <stdint.h>

struct nb_capture_record;

/**
 * struct pcapng - a capture file in the making
 * @fd: where it goes
 * @snaplen: bytes that it keeps of a packet at most, or 0 for all
 * @give_up: asked when a signal arrives while a write waits: not to try again
 * @lost: of &nb_capture_record.lost, as it was in the last packet
 * @used: bytes of @buffer
 * @buffer: blocks that are not written yet
 */
struct pcapng {
	int fd;
	uint32_t snaplen;
	int (*give_up)(void);
	uint64_t lost;
	size_t used;
	uint8_t *buffer;
};

/**
 * struct pcapng_interface - what the file says about its only interface
 * @name: its name
 * @description: what it is
 * @mac: its Ethernet address
 * @speed: bits per second, or 0
 */
struct pcapng_interface {
	const char *name;
	const char *description;
	const uint8_t *mac;
	uint64_t speed;
};

/**
 * struct pcapng_totals - what the file says when all is over
 * @started_ns: when the capture has begun, nanoseconds since 1970
 * @ended_ns: when it has ended
 * @packets: packets that it was about
 * @lost: of these, those that were lost
 * @written: of these, those that are in the file
 */
struct pcapng_totals {
	uint64_t started_ns;
	uint64_t ended_ns;
	uint64_t packets;
	uint64_t lost;
	uint64_t written;
};

/* All return 0 or a negative errno. */
int pcapng_begin(struct pcapng *file, const struct pcapng_interface *interface);
int pcapng_packet(struct pcapng *file, const struct nb_capture_record *record);
int pcapng_totals(struct pcapng *file, const struct pcapng_totals *totals);
int pcapng_flush(struct pcapng *file);
void pcapng_end(struct pcapng *file);

#endif /* PCAPNG_H */
