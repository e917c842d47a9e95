/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A capture as the tests use it: made by the ioctl, read record by record, and held
 * against the frames that were sent.
 */
#ifndef NBCAPTURE_H
#define NBCAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/net_backend_capture.h>

#include "nbtest.h"

struct nb_capture {
	int fd;
	size_t at, len;
	uint64_t buffer[256 * 1024 / sizeof(uint64_t)];
};

/* What the last one that was refused was told. */
extern char nb_capture_message[256];

uint32_t nb_capture_id_of(struct nb_endpoint *ep);
/* A capture fd or a negative errno; what is not given is the default. */
int nb_capture_try(struct nb_endpoint *ep, struct nb_create_capture call);
/* Of all queues. */
void nb_capture_start(struct nb_capture *capture, struct nb_endpoint *ep, uint32_t flags);
void nb_capture_start_as(struct nb_capture *capture, struct nb_endpoint *ep,
			 struct nb_create_capture call);
/* The next packet, or NULL if there is none in time, or no more. */
const struct nb_capture_record *nb_capture_next(struct nb_capture *capture);
/* Whether there is nothing more to read now. */
bool nb_capture_silent(const struct nb_capture *capture);
struct nb_capture_stats nb_capture_stats_of(const struct nb_capture *capture);

/* Whether a record is of such a packet, with so many of its bytes. */
bool nb_record_is_part(const struct nb_capture_record *record, uint32_t flags,
		       const void *data, uint32_t len, uint32_t captured);
/* Whether it is that of nb_frame_fill(), and all of it. */
bool nb_record_is_frame(const struct nb_capture_record *record, uint32_t flags, uint32_t len,
			uint32_t seed);
/* Whether the next one is. */
bool nb_capture_gets(struct nb_capture *capture, uint32_t flags, uint32_t len, uint32_t seed);

#endif /* NBCAPTURE_H */
