// SPDX-License-Identifier: GPL-2.0
/*
 * The source of packets towards a guest: an AF_PACKET socket, sendmmsg() a batch
 *
 * Path floor, rx: the same source into a dummy device.  What a path towards a guest
 * costs above its source is what it costs more than this.
 */

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

/* A batch of super-packets, wherever they are held up */
#define SEND_BUFFER	(64 << 20)

struct source {
	int fd;
	unsigned int batch;
	unsigned int size;
	uint8_t *frame;
	struct iovec iov;
	struct mmsghdr *messages;
};

struct source *source_open(const struct shape *shape, int ifindex, const uint8_t *to)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_ifindex = ifindex,
		/* no protocol: the socket receives nothing */
	};
	struct source *source = alloc(1, sizeof(*source));
	const int send_buffer = SEND_BUFFER;
	unsigned int i;

	source->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (source->fd < 0 ||
	    setsockopt(source->fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer,
		       sizeof(send_buffer)) < 0 ||
	    bind(source->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		say("packet socket: %s", strerror(errno));
		if (source->fd >= 0)
			close(source->fd);
		free(source);
		return NULL;
	}

	source->batch = shape->batch;
	source->size = shape->size;
	source->frame = alloc(1, shape->size);
	frame_fill(source->frame, shape->size, to, NULL);
	source->iov.iov_base = source->frame;
	source->iov.iov_len = shape->size;
	source->messages = alloc(shape->batch, sizeof(*source->messages));
	for (i = 0; i < shape->batch; i++) {
		source->messages[i].msg_hdr.msg_iov = &source->iov;
		source->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return source;
}

void source_close(struct source *source)
{
	close(source->fd);
	free(source->messages);
	free(source->frame);
	free(source);
}

void source_send(struct source *source)
{
	unsigned int sent = 0;
	int n;

	while (sent < source->batch) {
		n = sendmmsg(source->fd, source->messages + sent, source->batch - sent,
			     MSG_DONTWAIT);
		if (n < 0)
			die("packet socket, %u bytes: %s", source->size, strerror(errno));
		sent += n;
	}
}

struct dummy {
	int ifindex;
	struct source *source;
};

static void dummy_close(void *state)
{
	struct dummy *dummy = state;

	if (dummy->source)
		source_close(dummy->source);
	link_remove(dummy->ifindex);
	free(dummy);
}

static void *dummy_open(const struct shape *shape)
{
	struct dummy *dummy = alloc(1, sizeof(*dummy));

	dummy->ifindex = link_add("dummy", "source", mtu_for(shape));
	if (dummy->ifindex < 0) {
		free(dummy);
		return NULL;
	}
	if (link_up(dummy->ifindex) == 0)
		dummy->source = source_open(shape, dummy->ifindex, NULL);
	if (!dummy->source) {
		dummy_close(dummy);
		return NULL;
	}
	return dummy;
}

static void dummy_run(void *state, unsigned int batches)
{
	struct dummy *dummy = state;

	while (batches--)
		source_send(dummy->source);
}

const struct path source_dummy = {
	.path = "floor",
	.direction = "rx",
	.subject = "floor",
	.fits = fits_one_segment,
	.open = dummy_open,
	.run = dummy_run,
	.close = dummy_close,
};
