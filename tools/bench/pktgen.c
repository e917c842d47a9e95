// SPDX-License-Identifier: GPL-2.0
/*
 * The floor of netdev, tx: the host's stack alone, dropping a packet that is ready
 *
 * The kernel's pktgen puts the same skb into a dummy device as received, again and
 * again; it is for another host.  pktgen sleeps between its runs, so it measures itself.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define DEVICE	"pktgen0"
#define FOLDER	"/proc/self/net/pktgen/"

/* Packets from one allocation; the more, the less it counts */
#define BURST	1000u

struct pktgen {
	struct shape shape;
	int ifindex;
};

static int command(const char *file, const char *format, unsigned int value)
{
	char path[64], text[64];
	int fd, len, written = -1;

	snprintf(path, sizeof(path), FOLDER "%s", file);
	len = snprintf(text, sizeof(text), format, value);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		written = write(fd, text, len);
	if (written != len)
		say("%s: %s: %s", path, text, strerror(errno));
	if (fd >= 0)
		close(fd);
	return written == len ? 0 : -1;
}

static void pktgen_close(void *state)
{
	struct pktgen *pktgen = state;

	command("kpktgend_0", "rem_device_all\n", 0);
	link_remove(pktgen->ifindex);
	free(pktgen);
}

static void *pktgen_open(const struct shape *shape)
{
	struct pktgen *pktgen = alloc(1, sizeof(*pktgen));

	pktgen->shape = *shape;
	pktgen->ifindex = link_add("dummy", DEVICE, mtu_for(shape));
	if (pktgen->ifindex >= 0 && link_up(pktgen->ifindex) == 0) {
		if (command("kpktgend_0", "add_device " DEVICE "\n", 0) == 0 &&
		    command(DEVICE, "pkt_size %u\n", shape->size) == 0 &&
		    command(DEVICE, "xmit_mode netif_receive\n", 0) == 0 &&
		    command(DEVICE, "burst %u\n", BURST) == 0 &&
		    command(DEVICE, "delay 0\n", 0) == 0 &&
		    command(DEVICE, "dst 198.18.0.42\n", 0) == 0 &&
		    command(DEVICE, "dst_mac 02:00:00:00:00:77\n", 0) == 0)
			return pktgen;
		pktgen_close(pktgen);
		return NULL;
	}
	free(pktgen);
	return NULL;
}

/* Nanoseconds that a packet of the last run took: it sends whole bursts */
static double result(void)
{
	char text[2048];
	unsigned long long us, idle_us, packets;
	int fd = open(FOLDER DEVICE, O_RDONLY | O_CLOEXEC), len;
	const char *line;

	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len < 0)
		die("pktgen: %s", strerror(errno));
	close(fd);
	text[len] = '\0';
	line = strstr(text, "Result: OK: ");
	if (!line || sscanf(line, "Result: OK: %llu(c%*u+d%llu) usec, %llu", &us, &idle_us,
			    &packets) != 3 || !packets)
		die("pktgen has no result: %s", text);
	return 1e3 * (us - idle_us) / packets;
}

static double pktgen_cost(void *state, unsigned int batches)
{
	struct pktgen *pktgen = state;

	const unsigned int n = batches * pktgen->shape.batch;

	if (command(DEVICE, "count %u\n", n) < 0 ||
	    command("pgctrl", "start\n", 0) < 0)
		die("pktgen does not run");
	return n * result();
}

/* There are no batches here: once for all of them. */
static bool pktgen_fits(const struct shape *shape)
{
	return shape->batch == 64 && shape->segments == 1;
}

const struct path netdev_tx_floor = {
	.path = "netdev",
	.direction = "tx",
	.subject = "floor",
	.fits = pktgen_fits,
	.open = pktgen_open,
	.cost = pktgen_cost,
	.close = pktgen_close,
};
