// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "nbcapture.h"

char nb_capture_message[256];

uint32_t nb_capture_id_of(struct nb_endpoint *ep)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(ep, &info));
	return info.id;
}

int nb_capture_try(struct nb_endpoint *ep, struct nb_create_capture call)
{
	int control = nb_sys(open("/dev/net_backend", O_RDWR | O_CLOEXEC));
	int fd;

	call.size = sizeof(call);
	call.endpoint_id = call.endpoint_id ?: nb_capture_id_of(ep);
	call.msg.text = (uintptr_t)nb_capture_message;
	call.msg.size = sizeof(nb_capture_message);
	fd = ioctl(control, NB_CREATE_CAPTURE, &call);
	if (fd < 0)
		fd = -errno;
	close(control);
	return fd;
}

void nb_capture_start(struct nb_capture *capture, struct nb_endpoint *ep, uint32_t flags)
{
	const struct nb_create_capture call = { .flags = flags, .queue = NB_ANY_QUEUE };

	*capture = (struct nb_capture){ .fd = nb_ok(nb_capture_try(ep, call)) };
}

void nb_capture_start_as(struct nb_capture *capture, struct nb_endpoint *ep,
			 struct nb_create_capture call)
{
	*capture = (struct nb_capture){ .fd = nb_ok(nb_capture_try(ep, call)) };
}

/* Whether something, or the end, can be read within that time. */
static bool readable(const struct nb_capture *capture, int milliseconds)
{
	struct pollfd wait = { .fd = capture->fd, .events = POLLIN };

	return nb_sys(poll(&wait, 1, milliseconds)) > 0;
}

const struct nb_capture_record *nb_capture_next(struct nb_capture *capture)
{
	const struct nb_capture_record *record;

	if (capture->at == capture->len) {
		if (!readable(capture, NB_PATIENCE))
			return NULL;
		capture->at = 0;
		capture->len = nb_sys(read(capture->fd, capture->buffer,
					   sizeof(capture->buffer)));
		if (!capture->len)
			return NULL;
	}
	record = (const void *)((const char *)capture->buffer + capture->at);
	capture->at += record->size;
	return record;
}

struct nb_capture_stats nb_capture_stats_of(const struct nb_capture *capture)
{
	struct nb_capture_stats stats = { .size = sizeof(stats) };

	nb_sys(ioctl(capture->fd, NB_CAPTURE_GET_STATS, &stats));
	return stats;
}

bool nb_capture_silent(const struct nb_capture *capture)
{
	return capture->at == capture->len && !readable(capture, 0);
}

/* Behind the copy, up to the next record, there are zeroes, and no more than need be. */
static bool is_padded(const struct nb_capture_record *record)
{
	const unsigned char *end = (const unsigned char *)record + record->size;
	const unsigned char *p = (const unsigned char *)(record + 1) + record->captured_len;

	if (record->size % 8 || p > end || end - p >= 8)
		return false;
	while (p < end)
		if (*p++)
			return false;
	return true;
}

bool nb_record_is_part(const struct nb_capture_record *record, uint32_t flags, const void *data,
		       uint32_t len, uint32_t captured)
{
	if (!record) {
		fprintf(stderr, "# nothing was captured\n");
		return false;
	}
	if (record->flags == flags && record->len == len &&
	    record->captured_len == captured && is_padded(record) && !record->reserved &&
	    !memcmp(record + 1, data, captured))
		return true;
	fprintf(stderr, "# flags %x, %u of %u bytes in %u instead of flags %x, %u of %u bytes\n",
		record->flags, record->captured_len, record->len, record->size, flags, captured,
		len);
	return false;
}

bool nb_record_is_frame(const struct nb_capture_record *record, uint32_t flags, uint32_t len,
			uint32_t seed)
{
	unsigned char frame[2048];

	nb_frame_fill(frame, len, seed);
	return nb_record_is_part(record, flags, frame, len, len);
}

bool nb_capture_gets(struct nb_capture *capture, uint32_t flags, uint32_t len, uint32_t seed)
{
	return nb_record_is_frame(nb_capture_next(capture), flags, len, seed);
}
