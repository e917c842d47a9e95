// SPDX-License-Identifier: GPL-2.0
/*
 * Peers tap and tap-vnet, under netdev: a system call a packet
 *
 * tap: write(), or writev() of a packet in several pieces, and read().
 * tap-vnet: writev() with a struct virtio_net_hdr in front, which super-packets need.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "peers.h"

struct tap {
	struct shape shape;
	int fd;
	int ifindex;
	struct packet packet;
	struct iovec *iov;	/* what of the packet's pieces is written */
	unsigned int n_iov;
	struct source *source;
	unsigned int read_size;
	uint8_t *buffer;
};

int tap_create(const struct shape *shape, unsigned int flags, int *ifindex)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | flags };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
		say("tap: %s%s", strerror(errno), fd < 0 ? " (modprobe tun?)" : "");
	} else {
		*ifindex = if_nametoindex(request.ifr_name);
		if (link_set_mtu(*ifindex, mtu_for(shape)) == 0 && link_up(*ifindex) == 0)
			return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static void tap_close(void *state)
{
	struct tap *tap = state;

	if (tap->source)
		source_close(tap->source);
	packet_free(&tap->packet);
	free(tap->buffer);
	close(tap->fd);
	free(tap);
}

static struct tap *tap_open(const struct shape *shape, unsigned int flags)
{
	struct tap *tap = alloc(1, sizeof(*tap));
	uint8_t mac[ETHER_ADDR_LEN];

	tap->shape = *shape;
	tap->fd = tap_create(shape, flags, &tap->ifindex);
	if (tap->fd < 0) {
		free(tap);
		return NULL;
	}
	if (link_mac(tap->ifindex, mac) < 0) {
		tap_close(tap);
		return NULL;
	}
	packet_make(&tap->packet, shape, mac);
	tap->iov = tap->packet.pieces;
	tap->n_iov = tap->packet.n;
	tap->read_size = shape->size + sizeof(struct virtio_net_hdr);
	return tap;
}

static void *tap_vnet_open(const struct shape *shape)
{
	return tap_open(shape, IFF_VNET_HDR);
}

static void *tap_plain_open(const struct shape *shape)
{
	struct tap *tap = tap_open(shape, 0);

	if (tap) {
		tap->iov++;
		tap->n_iov--;
		tap->read_size = shape->size;
	}
	return tap;
}

/* ---- tx ------------------------------------------------------------------ */

static void check_written(ssize_t written)
{
	if (written < 0)
		die("tap, write: %s", strerror(errno));
}

static void tap_writev_run(void *state, unsigned int batches)
{
	struct tap *tap = state;
	unsigned int i;

	while (batches--)
		for (i = 0; i < tap->shape.batch; i++)
			check_written(writev(tap->fd, tap->iov, tap->n_iov));
}

static void tap_write_run(void *state, unsigned int batches)
{
	struct tap *tap = state;
	unsigned int i;

	if (tap->n_iov > 1) {
		tap_writev_run(state, batches);
		return;
	}
	while (batches--)
		for (i = 0; i < tap->shape.batch; i++)
			check_written(write(tap->fd, tap->iov->iov_base, tap->iov->iov_len));
}

static bool fits_plain(const struct shape *shape)
{
	return !is_super(shape);
}

const struct path tap_tx = {
	.path = "netdev",
	.direction = "tx",
	.subject = "tap",
	.fits = fits_plain,
	.open = tap_plain_open,
	.run = tap_write_run,
	.close = tap_close,
};

const struct path tap_vnet_tx = {
	.path = "netdev",
	.direction = "tx",
	.subject = "tap-vnet",
	.fits = fits_all,
	.open = tap_vnet_open,
	.run = tap_writev_run,
	.close = tap_close,
};

/* ---- tx, dropped by an XDP program --------------------------------------- */

static void *with_xdp(struct tap *tap)
{
	if (tap && xdp_attach_drop(tap->ifindex) < 0) {
		tap_close(tap);
		return NULL;
	}
	return tap;
}

static void *tap_xdp_open(const struct shape *shape)
{
	return with_xdp(tap_plain_open(shape));
}

static void *tap_vnet_xdp_open(const struct shape *shape)
{
	return with_xdp(tap_vnet_open(shape));
}

const struct path tap_xdp_tx = {
	.path = "netdev-xdp",
	.direction = "tx",
	.subject = "tap",
	.fits = fits_xdp,
	.open = tap_xdp_open,
	.run = tap_write_run,
	.close = tap_close,
};

const struct path tap_vnet_xdp_tx = {
	.path = "netdev-xdp",
	.direction = "tx",
	.subject = "tap-vnet",
	.fits = fits_xdp,
	.open = tap_vnet_xdp_open,
	.run = tap_writev_run,
	.close = tap_close,
};

/* ---- rx ------------------------------------------------------------------ */

static void *with_source(struct tap *tap)
{
	if (!tap)
		return NULL;
	tap->buffer = alloc(1, tap->read_size);
	tap->source = source_open(&tap->shape, tap->ifindex, NULL);
	if (tap->source)
		return tap;
	tap_close(tap);
	return NULL;
}

static void *tap_rx_open(const struct shape *shape)
{
	return with_source(tap_plain_open(shape));
}

static void *tap_vnet_rx_open(const struct shape *shape)
{
	return with_source(tap_vnet_open(shape));
}

static void tap_rx_run(void *state, unsigned int batches)
{
	struct tap *tap = state;
	unsigned int i;
	ssize_t len;

	while (batches--) {
		source_send(tap->source);
		for (i = 0; i < tap->shape.batch; i++) {
			len = read(tap->fd, tap->buffer, tap->read_size);
			if (len != tap->read_size)
				die("tap, read: %s", len < 0 ? strerror(errno) : "too short");
		}
	}
}

const struct path tap_rx = {
	.path = "netdev",
	.direction = "rx",
	.subject = "tap",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = tap_rx_open,
	.run = tap_rx_run,
	.close = tap_close,
};

const struct path tap_vnet_rx = {
	.path = "netdev",
	.direction = "rx",
	.subject = "tap-vnet",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = tap_vnet_rx_open,
	.run = tap_rx_run,
	.close = tap_close,
};
