// SPDX-License-Identifier: GPL-2.0
/*
 * Peer macvtap, under attach: on top of one end of a pair of veth, a system call a packet
 *
 * tx: written, it leaves by that end, arrives at the other and is dropped there.
 * rx: what a socket sends into the other end is read.
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

struct macvtap {
	struct shape shape;
	struct pair pair;
	int ifindex;
	int fd;
	struct packet packet;
	struct source *source;
	uint8_t *buffer;
};

static void macvtap_close(void *state)
{
	struct macvtap *macvtap = state;

	if (macvtap->source)
		source_close(macvtap->source);
	if (macvtap->fd >= 0)
		close(macvtap->fd);
	if (macvtap->ifindex > 0)
		link_remove(macvtap->ifindex);
	pair_close(&macvtap->pair);
	packet_free(&macvtap->packet);
	free(macvtap->buffer);
	free(macvtap);
}

/* Its device node has its number; packets are to have no header. */
static int open_node(int ifindex)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	char node[32];
	int fd;

	snprintf(node, sizeof(node), "/dev/tap%d", ifindex);
	fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0)
		return fd;
	say("%s: %s", node, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static struct macvtap *macvtap_open(const struct shape *shape)
{
	struct macvtap *macvtap = alloc(1, sizeof(*macvtap));

	macvtap->shape = *shape;
	macvtap->fd = -1;
	macvtap->buffer = alloc(1, shape->size);
	if (pair_open(&macvtap->pair, shape) == 0) {
		macvtap->ifindex = link_add_on("macvtap", "macvtap", mtu_for(shape),
					       macvtap->pair.lower);
		if (macvtap->ifindex > 0 && link_up(macvtap->ifindex) == 0)
			macvtap->fd = open_node(macvtap->ifindex);
		if (macvtap->fd >= 0)
			return macvtap;
	}
	macvtap_close(macvtap);
	return NULL;
}

/* ---- tx ------------------------------------------------------------------ */

static void *macvtap_tx_open(const struct shape *shape)
{
	struct macvtap *macvtap = macvtap_open(shape);
	uint8_t mac[ETHER_ADDR_LEN];

	if (!macvtap)
		return NULL;
	if (link_mac(macvtap->pair.other, mac) < 0) {
		macvtap_close(macvtap);
		return NULL;
	}
	packet_make(&macvtap->packet, shape, mac);
	return macvtap;
}

static void macvtap_tx_run(void *state, unsigned int batches)
{
	struct macvtap *macvtap = state;
	unsigned int i;

	while (batches--)
		for (i = 0; i < macvtap->shape.batch; i++)
			if (writev(macvtap->fd, macvtap->packet.pieces + 1,
				   macvtap->packet.n - 1) < 0)
				die("macvtap, write: %s", strerror(errno));
}

static bool macvtap_fits(const struct shape *shape)
{
	return !is_super(shape);
}

const struct path macvtap_tx = {
	.path = "attach",
	.direction = "tx",
	.subject = "macvtap",
	.fits = macvtap_fits,
	.open = macvtap_tx_open,
	.run = macvtap_tx_run,
	.close = macvtap_close,
};

/* ---- rx ------------------------------------------------------------------ */

static void *macvtap_rx_open(const struct shape *shape)
{
	struct macvtap *macvtap = macvtap_open(shape);
	uint8_t mac[ETHER_ADDR_LEN];

	if (!macvtap)
		return NULL;
	if (link_mac(macvtap->ifindex, mac) == 0)
		macvtap->source = source_open(shape, macvtap->pair.other, mac);
	if (macvtap->source)
		return macvtap;
	macvtap_close(macvtap);
	return NULL;
}

static void macvtap_rx_run(void *state, unsigned int batches)
{
	struct macvtap *macvtap = state;
	unsigned int i;
	ssize_t len;

	while (batches--) {
		source_send(macvtap->source);
		for (i = 0; i < macvtap->shape.batch; i++) {
			len = read(macvtap->fd, macvtap->buffer, macvtap->shape.size);
			if (len != macvtap->shape.size)
				die("macvtap, read: %s", len < 0 ? strerror(errno) : "too short");
		}
	}
}

const struct path macvtap_rx = {
	.path = "attach",
	.direction = "rx",
	.subject = "macvtap",
	.source = &source_dummy,
	.fits = fits_one_segment,
	.open = macvtap_rx_open,
	.run = macvtap_rx_run,
	.close = macvtap_close,
};
