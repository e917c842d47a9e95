// SPDX-License-Identifier: GPL-2.0
/* What all files of the bench use: memory, shapes that fit, packets */

#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "bench.h"

void *alloc(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (!memory)
		die("no memory");
	return memory;
}

unsigned int ring_entries(unsigned int n)
{
	unsigned int entries = 256;

	while (entries < n)
		entries *= 2;
	return entries;
}

bool fits_all(const struct shape *shape)
{
	return shape->size >= ETHER_HDR_LEN;
}

bool fits_one_segment(const struct shape *shape)
{
	return shape->segments == 1;
}

unsigned int mtu_for(const struct shape *shape)
{
	unsigned int payload = shape->size - ETHER_HDR_LEN;

	return payload > ETHERMTU ? payload : ETHERMTU;
}

bool is_super(const struct shape *shape)
{
	return shape->size == SUPER_PACKET;
}

/* The sum of 16-bit words in network byte order, folded */
static uint16_t checksum(const uint8_t *data, unsigned int len)
{
	uint32_t sum = 0;
	unsigned int i;

	for (i = 0; i < len; i += 2)
		sum += data[i] << 8 | data[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void put_16(uint8_t *to, uint16_t value)
{
	to[0] = value >> 8;
	to[1] = value & 0xff;
}

void super_fill(uint8_t *frame, unsigned int size)
{
	static const uint8_t other_host[ETHER_ADDR_LEN] = { 0x02, 0, 0, 0, 0, 0x77 };
	static const uint8_t addresses[8] = { 192, 0, 2, 1, 192, 0, 2, 2 };
	uint8_t *ip = frame + SUPER_L2, *tcp = ip + SUPER_L3;
	/* of the pseudo-header, which is what an offloaded checksum starts with */
	uint32_t pseudo = checksum(addresses, sizeof(addresses)) + IPPROTO_TCP +
			  (size - SUPER_L2 - SUPER_L3);

	frame_fill(frame, size, other_host, NULL);
	put_16(frame + 12, ETHERTYPE_IP);
	memset(ip, 0, SUPER_L3 + SUPER_L4);
	ip[0] = 4 << 4 | SUPER_L3 / 4;
	put_16(ip + 2, size - SUPER_L2);
	ip[6] = 0x40;			/* do not fragment */
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, addresses, sizeof(addresses));
	put_16(ip + 10, ~checksum(ip, SUPER_L3));
	put_16(tcp, 1000);
	put_16(tcp + 2, 2000);
	tcp[12] = SUPER_L4 / 4 << 4;
	tcp[13] = 0x10;			/* ACK */
	put_16(tcp + 14, 0xffff);
	put_16(tcp + 16, (pseudo & 0xffff) + (pseudo >> 16));
}

void frame_fill(uint8_t *frame, unsigned int size, const uint8_t *to, const uint8_t *from)
{
	static const uint8_t broadcast[ETHER_ADDR_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t nobody[ETHER_ADDR_LEN] = { 0x02 };
	unsigned int i;

	memcpy(frame, to ? to : broadcast, ETHER_ADDR_LEN);
	memcpy(frame + ETHER_ADDR_LEN, from ? from : nobody, ETHER_ADDR_LEN);
	frame[12] = BENCH_ETHERTYPE >> 8;
	frame[13] = BENCH_ETHERTYPE & 0xff;
	for (i = ETHER_HDR_LEN; i < size; i++)
		frame[i] = i;
}
