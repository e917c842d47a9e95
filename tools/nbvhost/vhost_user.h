/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vhost-user protocol, as far as a network back-end needs it
 *
 * As QEMU's docs/interop/vhost-user.rst has it.  A message is a header, and a payload of
 * as many bytes as that says; file descriptors come with the first byte.  All is in the
 * byte order of the host.
 */
#ifndef NBVHOST_VHOST_USER_H
#define NBVHOST_VHOST_USER_H

#include <stdint.h>

/* what a front-end can send; those that are not here are not offered */
enum vu_request {
	VU_GET_FEATURES		= 1,
	VU_SET_FEATURES		= 2,
	VU_SET_OWNER		= 3,
	VU_RESET_OWNER		= 4,
	VU_SET_MEM_TABLE	= 5,
	VU_SET_LOG_BASE		= 6,
	VU_SET_LOG_FD		= 7,
	VU_SET_VRING_NUM	= 8,
	VU_SET_VRING_ADDR	= 9,
	VU_SET_VRING_BASE	= 10,
	VU_GET_VRING_BASE	= 11,
	VU_SET_VRING_KICK	= 12,
	VU_SET_VRING_CALL	= 13,
	VU_SET_VRING_ERR	= 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM	= 17,
	VU_SET_VRING_ENABLE	= 18,
	VU_SEND_RARP		= 19,
	VU_NET_SET_MTU		= 20,
	VU_SET_BACKEND_REQ_FD	= 21,
	VU_GET_CONFIG		= 24,
	VU_GET_INFLIGHT_FD	= 31,
	VU_SET_INFLIGHT_FD	= 32,
	VU_N_REQUESTS,
};

/* what a back-end can send, by a socket of its own */
#define VU_BACKEND_CONFIG_CHANGE	2

/* flags of a header */
#define VU_VERSION		0x1u
#define VU_VERSION_MASK		0x3u
#define VU_REPLY		0x4u
#define VU_NEED_REPLY		0x8u

/* bit of the features that says that there are protocol features */
#define VU_F_PROTOCOL_FEATURES	30

#define VU_PROTOCOL_F_MQ		0
#define VU_PROTOCOL_F_LOG_SHMFD		1
#define VU_PROTOCOL_F_RARP		2
#define VU_PROTOCOL_F_REPLY_ACK		3
#define VU_PROTOCOL_F_NET_MTU		4
#define VU_PROTOCOL_F_BACKEND_REQ	5
#define VU_PROTOCOL_F_CONFIG		9
#define VU_PROTOCOL_F_INFLIGHT_SHMFD	12

/* of the u64 of SET_VRING_KICK, _CALL and _ERR */
#define VU_VRING_INDEX_MASK	0xffu
#define VU_VRING_NO_FD		0x100u

#define VU_MAX_REGIONS		8
#define VU_MAX_CONFIG		256
#define VU_HEADER_SIZE		12

struct vu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct vu_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct vu_memory {
	uint32_t n;
	uint32_t padding;
	struct vu_region regions[VU_MAX_REGIONS];
};

struct vu_vring_state {
	uint32_t index;
	uint32_t num;
};

/* desc, used and avail are, in a packed ring, its descriptors and two event areas */
struct vu_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct vu_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t bytes[VU_MAX_CONFIG];
};

struct vu_log {
	uint64_t mmap_size;
	uint64_t mmap_offset;
};

/* some count the padding at its end, some do not */
struct vu_inflight {
	uint64_t mmap_size;
	uint64_t mmap_offset;
	uint16_t n_queues;
	uint16_t queue_size;
};

union vu_payload {
	uint64_t u64;
	struct vu_memory memory;
	struct vu_vring_state state;
	struct vu_vring_addr addr;
	struct vu_config config;
	struct vu_inflight inflight;
	struct vu_log log;
};

#endif /* NBVHOST_VHOST_USER_H */
