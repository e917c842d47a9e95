/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What nbvhost leaves to itself when it begins again in place, see handover.c
 */
#ifndef NBVHOST_HANDOVER_H
#define NBVHOST_HANDOVER_H

#include <fcntl.h>

#include "nbvhost.h"

/* of what is below, and of the structs that are in it: another one with each change */
#define HANDOVER_FORMAT		(1u << 16 | sizeof(struct handed_nic))
#define HANDOVER_VARIABLE	"NBVHOST_HANDOVER"
#define HANDOVER_SEALS		(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/**
 * struct handed_vq - a ring that does not run; all is as in struct vq
 * @size: entries
 * @base: where it goes on
 * @addr: where it is
 * @kick_fd: the guest's doorbell
 * @call_fd: the guest's interrupt
 * @err_fd: tells the front-end that the ring is broken
 * @bad: chains that were wrong
 * @has_addr: the front-end has said where it is
 * @started: it has said how it is going to kick
 * @enabled: it lets it be used
 * @broken: it is not used any more
 */
struct handed_vq {
	uint32_t size;
	uint32_t base;
	struct vu_vring_addr addr;
	int kick_fd;
	int call_fd;
	int err_fd;
	uint64_t bad;
	bool has_addr;
	bool started;
	bool enabled;
	bool broken;
};

/**
 * struct handed_nic - a NIC
 * @listener: where front-ends connect
 * @connection: the front-end, and what there is of its next message
 * @endpoint_fd: the endpoint
 * @info: what was known about it last
 * @link_up: what the front-end knows about the link
 * @holds_back: the endpoint may hold packets back
 * @features: what was negotiated
 * @protocol_features: the same of the protocol
 * @memory: the guest's memory
 * @memory_fds: of its regions
 * @log: which part of its file the log of a migration is
 * @log_fd: that file, or -1
 * @log_news_fd: tells the front-end that there is more in the log
 * @inflight: which part of its file the in-flight region is, and for which rings
 * @inflight_fd: that file, or -1
 * @channel_fd: for what the front-end is told without having asked
 * @steering: what the guest has said
 * @vqs: all rings
 * @sent: what each pair has counted, guest to host
 * @received: host to guest
 */
struct handed_nic {
	struct listener listener;
	struct connection connection;
	int endpoint_fd;
	struct nb_endpoint_info info;
	bool link_up;
	bool holds_back;
	uint64_t features;
	uint64_t protocol_features;
	struct vu_memory memory;
	int memory_fds[VU_MAX_REGIONS];
	struct vu_log log;
	int log_fd;
	int log_news_fd;
	struct vu_inflight inflight;
	int inflight_fd;
	int channel_fd;
	struct steering steering;
	struct handed_vq vqs[MAX_VQS];
	struct counters sent[MAX_PAIRS];
	struct counters received[MAX_PAIRS];
};

/**
 * struct handover - all of it
 * @format: of what follows
 * @n: number of @nics
 * @max_pairs: of each
 * @status: where the status can be asked for
 * @nics: in the order of the command line
 */
struct handover {
	uint32_t format;
	uint32_t n;
	uint32_t max_pairs;
	struct listener status;
	struct handed_nic nics[];
};

_Static_assert(sizeof(struct handed_nic) < 1u << 16, "the format has room for its size");

static inline size_t handover_size(unsigned int n)
{
	return sizeof(struct handover) + n * sizeof(struct handed_nic);
}

#endif /* NBVHOST_HANDOVER_H */
