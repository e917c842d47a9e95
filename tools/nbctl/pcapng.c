// SPDX-License-Identifier: GPL-2.0
/*
 * Writes a capture file: pcapng, as in draft-ietf-opsawg-pcapng
 *
 * One section, and in it one interface, the guest's NIC.  A packet's block says by options
 * in which direction it went, on which queue, and how many were lost in front of it.  All is
 * in the byte order of this machine, which the file tells.
 */
#include <errno.h>
#include <linux/net_backend_capture.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "pcapng.h"

/* more than any block takes, and several of them */
#define BUFFER_SIZE	(4 * MAX_BLOCK)
#define MAX_BLOCK	(128u * 1024)

#define BLOCK_SECTION		0x0a0d0d0au
#define BLOCK_INTERFACE		1u
#define BLOCK_STATISTICS	5u
#define BLOCK_PACKET		6u

#define BYTE_ORDER_MAGIC	0x1a2b3c4du
#define LINKTYPE_ETHERNET	1

/* options, by block */
#define SECTION_OS		3
#define SECTION_PROGRAM		4
#define INTERFACE_NAME		2
#define INTERFACE_DESCRIPTION	3
#define INTERFACE_MAC		6
#define INTERFACE_SPEED		8
#define INTERFACE_TIME_UNIT	9
#define PACKET_FLAGS		2
#define PACKET_DROPPED		4
#define PACKET_QUEUE		6
#define STATISTICS_START	2
#define STATISTICS_END		3
#define STATISTICS_RECEIVED	4
#define STATISTICS_DROPPED	5
#define STATISTICS_DELIVERED	8

/* values of PACKET_FLAGS: seen from the guest */
#define INBOUND			1u
#define OUTBOUND		2u

/* INTERFACE_TIME_UNIT: 10^-9 s */
#define NANOSECONDS		9

/* 802.1Q, behind the two addresses */
#define TAG_OFFSET		12u
#define TAG_LEN			4u

static void put(struct pcapng *file, const void *data, size_t len)
{
	memcpy(file->buffer + file->used, data, len);
	file->used += len;
}

static void put_u16(struct pcapng *file, uint16_t value)
{
	put(file, &value, sizeof(value));
}

static void put_u32(struct pcapng *file, uint32_t value)
{
	put(file, &value, sizeof(value));
}

static void put_u64(struct pcapng *file, uint64_t value)
{
	put(file, &value, sizeof(value));
}

/* Times are two words, the high one first. */
static void put_time(struct pcapng *file, uint64_t ns)
{
	put_u32(file, (uint32_t)(ns >> 32));
	put_u32(file, (uint32_t)ns);
}

static void pad(struct pcapng *file)
{
	while (file->used % 4)
		file->buffer[file->used++] = 0;
}

static void put_option(struct pcapng *file, uint16_t code, const void *data, size_t len)
{
	put_u16(file, code);
	put_u16(file, (uint16_t)len);
	put(file, data, len);
	pad(file);
}

static void put_text(struct pcapng *file, uint16_t code, const char *text)
{
	put_option(file, code, text, strlen(text));
}

/* Begin a block.  Return: where. */
static size_t begin_block(struct pcapng *file, uint32_t type)
{
	size_t start = file->used;

	put_u32(file, type);
	put_u32(file, 0);
	return start;
}

/* End the block's options, and itself. */
static void end_block(struct pcapng *file, size_t start)
{
	uint32_t len;

	put_u32(file, 0);
	len = (uint32_t)(file->used - start + sizeof(len));
	memcpy(file->buffer + start + sizeof(len), &len, sizeof(len));
	put_u32(file, len);
}

static void put_section(struct pcapng *file)
{
	size_t start = begin_block(file, BLOCK_SECTION);
	struct utsname os;
	char text[2 * sizeof(os.sysname)];

	put_u32(file, BYTE_ORDER_MAGIC);
	put_u16(file, 1); /* version 1.0 */
	put_u16(file, 0);
	put_u64(file, UINT64_MAX); /* as long as the file is */
	if (!uname(&os)) {
		strcpy(text, os.sysname);
		strcat(text, " ");
		strcat(text, os.release);
		put_text(file, SECTION_OS, text);
	}
	put_text(file, SECTION_PROGRAM, "nbctl " NB_VERSION);
	end_block(file, start);
}

static void put_interface(struct pcapng *file, const struct pcapng_interface *interface)
{
	static const uint8_t unit = NANOSECONDS;
	size_t start = begin_block(file, BLOCK_INTERFACE);

	put_u16(file, LINKTYPE_ETHERNET);
	put_u16(file, 0);
	put_u32(file, file->snaplen);
	put_text(file, INTERFACE_NAME, interface->name);
	put_text(file, INTERFACE_DESCRIPTION, interface->description);
	put_option(file, INTERFACE_MAC, interface->mac, 6);
	if (interface->speed)
		put_option(file, INTERFACE_SPEED, &interface->speed, sizeof(interface->speed));
	put_option(file, INTERFACE_TIME_UNIT, &unit, sizeof(unit));
	end_block(file, start);
}

/* Begin a file. */
int pcapng_begin(struct pcapng *file, const struct pcapng_interface *interface)
{
	file->lost = 0;
	file->used = 0;
	file->buffer = malloc(BUFFER_SIZE);
	if (!file->buffer)
		return -ENOMEM;
	put_section(file);
	put_interface(file, interface);
	return pcapng_flush(file);
}

/* A tag that is beside the packet goes where it would be on a wire. */
static void put_tagged(struct pcapng *file, const uint8_t *data, uint32_t len, uint16_t vlan)
{
	const uint8_t tag[TAG_LEN] = { 0x81, 0x00, (uint8_t)(vlan >> 8), (uint8_t)vlan };
	size_t start = file->used;

	put(file, data, TAG_OFFSET);
	put(file, tag, TAG_LEN);
	put(file, data + TAG_OFFSET, len - TAG_OFFSET);
	if (file->snaplen && file->used - start > file->snaplen)
		file->used = start + file->snaplen;
}

/* The lengths of the packet, and its bytes. */
static void put_data(struct pcapng *file, const struct nb_capture_record *record)
{
	const uint8_t *data = (const uint8_t *)(record + 1);
	uint32_t captured = record->captured_len, len = record->len, written;
	size_t lengths = file->used;

	put_u32(file, 0);
	put_u32(file, 0);
	if (record->flags & NB_CAPTURE_VLAN)
		len += TAG_LEN;
	if ((record->flags & NB_CAPTURE_VLAN) && captured >= TAG_OFFSET)
		put_tagged(file, data, captured, record->vlan);
	else
		put(file, data, captured);
	written = (uint32_t)(file->used - lengths - 2 * sizeof(written));
	memcpy(file->buffer + lengths, &written, sizeof(written));
	memcpy(file->buffer + lengths + sizeof(written), &len, sizeof(len));
	pad(file);
}

/* Add a packet. */
int pcapng_packet(struct pcapng *file, const struct nb_capture_record *record)
{
	const uint32_t flags = record->flags & NB_CAPTURE_TX ? OUTBOUND : INBOUND;
	/* What several queues lose at the same time need not be told in order. */
	const uint64_t lost = record->lost > file->lost ? record->lost - file->lost : 0;
	size_t start;
	int err;

	if (file->used + MAX_BLOCK > BUFFER_SIZE) {
		err = pcapng_flush(file);
		if (err)
			return err;
	}
	start = begin_block(file, BLOCK_PACKET);
	put_u32(file, 0); /* the interface */
	put_time(file, record->time_ns);
	put_data(file, record);
	put_option(file, PACKET_FLAGS, &flags, sizeof(flags));
	if (lost)
		put_option(file, PACKET_DROPPED, &lost, sizeof(lost));
	put_option(file, PACKET_QUEUE, &record->queue, sizeof(record->queue));
	end_block(file, start);
	file->lost += lost;
	return 0;
}

static void put_time_option(struct pcapng *file, uint16_t code, uint64_t ns)
{
	const uint32_t words[] = { (uint32_t)(ns >> 32), (uint32_t)ns };

	put_option(file, code, words, sizeof(words));
}

/* Say at the end what there was. */
int pcapng_totals(struct pcapng *file, const struct pcapng_totals *totals)
{
	size_t start;
	int err;

	err = pcapng_flush(file);
	if (err)
		return err;
	start = begin_block(file, BLOCK_STATISTICS);
	put_u32(file, 0); /* the interface */
	put_time(file, totals->ended_ns);
	put_time_option(file, STATISTICS_START, totals->started_ns);
	put_time_option(file, STATISTICS_END, totals->ended_ns);
	put_option(file, STATISTICS_RECEIVED, &totals->packets, sizeof(totals->packets));
	put_option(file, STATISTICS_DROPPED, &totals->lost, sizeof(totals->lost));
	put_option(file, STATISTICS_DELIVERED, &totals->written, sizeof(totals->written));
	end_block(file, start);
	return pcapng_flush(file);
}

/* Write what has been added. */
int pcapng_flush(struct pcapng *file)
{
	size_t done = 0;
	ssize_t n;

	while (done < file->used) {
		n = write(file->fd, file->buffer + done, file->used - done);
		if (n < 0 && errno == EINTR && !file->give_up())
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	file->used = 0;
	return 0;
}

void pcapng_end(struct pcapng *file)
{
	free(file->buffer);
	file->buffer = NULL;
}
