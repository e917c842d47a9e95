// SPDX-License-Identifier: GPL-2.0
/* A packet to send, as a peer's frontend has it: pieces, and a virtio_net header */

#include <string.h>

#include "peers.h"

#define PIECE_ALIGN	64u

void packet_make(struct packet *packet, const struct shape *shape, const uint8_t *to)
{
	unsigned int piece = (shape->size + shape->segments - 1) / shape->segments;
	unsigned int stride = (piece + PIECE_ALIGN - 1) / PIECE_ALIGN * PIECE_ALIGN;
	unsigned int left = shape->size, i;
	uint8_t *frame = alloc(1, shape->size);

	memset(packet, 0, sizeof(*packet));
	if (is_super(shape)) {
		super_fill(frame, shape->size);
		packet->header.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		packet->header.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		packet->header.hdr.hdr_len = SUPER_L2 + SUPER_L3 + SUPER_L4;
		packet->header.hdr.gso_size = SUPER_PAYLOAD;
		packet->header.hdr.csum_start = SUPER_L2 + SUPER_L3;
		packet->header.hdr.csum_offset = 16;
	} else {
		frame_fill(frame, shape->size, to, NULL);
	}

	packet->n = 1 + shape->segments;
	packet->pieces = alloc(packet->n, sizeof(*packet->pieces));
	packet->memory = alloc(shape->segments, stride);
	packet->pieces[0].iov_base = &packet->header.hdr;
	packet->pieces[0].iov_len = sizeof(packet->header.hdr);
	for (i = 0; i < shape->segments; i++) {
		struct iovec *iov = &packet->pieces[1 + i];

		iov->iov_base = packet->memory + i * stride;
		iov->iov_len = piece < left ? piece : left;
		memcpy(iov->iov_base, frame + shape->size - left, iov->iov_len);
		left -= iov->iov_len;
	}
	free(frame);
}

void packet_free(struct packet *packet)
{
	free(packet->pieces);
	free(packet->memory);
}
