// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of the soak: processes that send by interfaces which come and go, and what
 * the host counts.
 *
 * What becomes of a packet between a socket and the interface, a queueing discipline decides.
 * When the link goes it throws away what it has, and counts nothing; while there is no link,
 * another one drops all, which since Linux 6.10 counts among the interface's own drops. How many
 * packets an interface was given, and has dropped, tracepoints tell, of which tracefs makes
 * histograms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <linux/if_packet.h>

#include "nbip.h"
#include "nbsoak.h"
#include "nbtrace.h"

pid_t nb_soak_fork(void)
{
	pid_t child = nb_sys(fork());

	if (!child)
		nb_sys(prctl(PR_SET_PDEATHSIG, SIGKILL));
	return child;
}

void nb_soak_end(pid_t child)
{
	nb_sys(kill(child, SIGKILL));
	if (!nb_soak_until(nb_sys(waitpid(child, NULL, WNOHANG))))
		nb_die("process %d was killed and does not end", child);
}

/* ---- senders -------------------------------------------------------------- */

/* A packet socket, or -1 while the interface is not there or is down. */
static int open_socket(const char *interface, bool offloads)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_ifindex = if_nametoindex(interface),
	};
	int fd, one = 1, room = 1 << 20;

	if (!address.sll_ifindex)
		return -1;
	fd = nb_sys(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	nb_sys(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	if (offloads)
		nb_sys(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)));
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* A TCP packet that has to be cut, or a UDP packet without a checksum, behind its header. */
static size_t make_ip(struct nb_random *random, unsigned char *data)
{
	struct virtio_net_hdr *header = (void *)data;
	bool tcp = nb_random_below(random, 2);
	struct nb_ip_plan plan = {
		.protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.payload = tcp ? 3000 + nb_random_below(random, 20000) : 1000,
	};
	static struct nb_ip ip;

	nb_ip_make(&ip, &plan);
	nb_ip_leave_to_stack(&ip);
	*header = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE,
		.hdr_len = tcp ? ip.payload : 0,
		.gso_size = tcp ? 1400 : 0,
		.csum_start = ip.l4,
		.csum_offset = tcp ? 16 : 6,
	};
	memcpy(data + sizeof(*header), ip.data, ip.len);
	return sizeof(*header) + ip.len;
}

static size_t make_frame(struct nb_random *random, unsigned char *data, uint32_t stations,
			 size_t header)
{
	size_t len = 60 + nb_random_below(random, nb_random_below(random, 2) ? 1450 : 60);
	unsigned char *at = data + header;

	memset(data, 0, header);
	nb_frame_fill(at, len, len);
	at[0] = 0x02;
	memset(at + 1, 0, 5);
	at[5] = 1 + nb_random_below(random, stations);
	memcpy(at + 6, "\x02\x00\x00\x00\x00\xee", 6);
	return header + len;
}

void nb_soak_sender_run(struct nb_soak_sender *told, uint32_t stations, bool offloads,
			uint64_t seed)
{
	static unsigned char data[NB_MAX_PACKET_LEN + sizeof(struct virtio_net_hdr)];
	struct nb_random random = { .state = seed * 2 + 1 };
	size_t header = offloads ? sizeof(struct virtio_net_hdr) : 0, len;
	int fd = -1;

	for (;;) {
		if (nb_soak_get(&told->stop)) {
			nb_soak_set(&told->stopped, 1);
			usleep(500);
			continue;
		}
		nb_soak_set(&told->stopped, 0);
		if (fd < 0)
			fd = open_socket(told->interface, offloads);
		if (offloads && !nb_random_below(&random, 4))
			len = make_ip(&random, data);
		else
			len = make_frame(&random, data, stations, header);
		if (fd >= 0 && send(fd, data, len, MSG_DONTWAIT) == (ssize_t)len) {
			/* The interface counts. */
		} else if (fd >= 0 && (errno == ENXIO || errno == ENODEV || errno == ENETDOWN)) {
			close(fd);
			fd = -1;
		} else {
			/* No room, or no interface. */
			usleep(200 + nb_random_below(&random, 1000));
		}
		if (!nb_random_below(&random, 64))
			usleep(nb_random_below(&random, 2000));
	}
}

/* ---- counters ------------------------------------------------------------- */

bool nb_soak_link(const char *name, struct nb_soak_link *link)
{
	unsigned long long n[12];
	char line[512], *colon, *at;
	FILE *file = fopen("/proc/self/net/dev", "re");

	if (!file)
		nb_die("/proc/self/net/dev: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		at = line + strspn(line, " ");
		colon = strchr(at, ':');
		if (!colon || (size_t)(colon - at) != strlen(name) ||
		    memcmp(at, name, colon - at))
			continue;
		fclose(file);
		if (sscanf(colon + 1, "%llu%llu%llu%llu%llu%llu%llu%llu%llu%llu%llu%llu", n, n + 1,
			   n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9, n + 10,
			   n + 11) != 12)
			nb_die("/proc/self/net/dev: %s", line);
		*link = (struct nb_soak_link){
			.rx_packets = n[1], .rx_errors = n[2], .rx_dropped = n[3],
			.tx_packets = n[9], .tx_dropped = n[11],
		};
		return true;
	}
	fclose(file);
	return false;
}

#define QUEUED		"net/net_dev_queue"
#define GIVEN		"net/net_dev_xmit"
#define DROPS		"net_backend/nb_drop"

/* Histograms, in a trace buffer of the soak's own. */
static struct nb_trace counting;

static void event_file(char path[128], const char *event, const char *name)
{
	snprintf(path, 128, "%s/events/%s/%s", counting.dir, event, name);
}

static bool can_count(void)
{
	char path[128];

	event_file(path, GIVEN, "hist");
	return !access(path, F_OK);
}

static void add_histogram(const char *event, const char *text)
{
	char path[128];
	int fd;

	event_file(path, event, "trigger");
	fd = nb_sys(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
	if (write(fd, text, strlen(text)) < 0)
		nb_die("%s: '%s': %s", path, text, strerror(errno));
	close(fd);
}

bool nb_soak_count(void)
{
	nb_trace_new(&counting);
	if (!can_count()) {
		nb_soak_stop_counting();
		return false;
	}
	add_histogram(QUEUED, "hist:keys=name");
	add_histogram(GIVEN, "hist:keys=name,rc");
	add_histogram(DROPS, "hist:keys=reason:vals=packets");
	return true;
}

void nb_soak_stop_counting(void)
{
	nb_trace_close(&counting);
}

void nb_soak_count_drops(uint32_t endpoint, const char *which)
{
	char text[128];

	snprintf(text, sizeof(text), "hist:keys=endpoint:vals=packets if endpoint == %u && %s",
		 endpoint, which);
	add_histogram(DROPS, text);
}

static FILE *open_histograms(const char *event)
{
	char path[128];
	FILE *file;

	event_file(path, event, "hist");
	file = fopen(path, "re");
	if (!file)
		nb_die("%s: %s", path, strerror(errno));
	return file;
}

/* Lines are "{ name: nb0 } hitcount: 1". */
uint64_t nb_soak_queued(const char *name)
{
	FILE *file = open_histograms(QUEUED);
	unsigned long long hits, n = 0;
	char line[256], which[64];

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " { name: %63s } hitcount: %llu", which, &hits) == 2 &&
		    !strcmp(which, name))
			n = hits;
	fclose(file);
	return n;
}

/* Whether the interface keeps the packet, whatever it says: else that comes again. */
static bool is_taken(int rc)
{
	return rc >= 0 && rc < 15;	/* the kernel's dev_xmit_complete() */
}

/* Lines are "{ name: nb0 , rc: 0 } hitcount: 1". */
uint64_t nb_soak_given(const char *name)
{
	FILE *file = open_histograms(GIVEN);
	unsigned long long hits, n = 0;
	char line[256], which[64];
	int rc;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " { name: %63s , rc: %d } hitcount: %llu", which, &rc,
			   &hits) == 3 && is_taken(rc) && !strcmp(which, name))
			n += hits;
	fclose(file);
	return n;
}

/* Lines are "{ endpoint: 7 } hitcount: 1 packets: 2". */
uint64_t nb_soak_dropped(uint32_t endpoint)
{
	FILE *file = open_histograms(DROPS);
	unsigned long long packets, n = 0;
	unsigned int which;
	char line[256];

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " { endpoint: %u } hitcount: %*u packets: %llu", &which,
			   &packets) == 2 && which == endpoint)
			n += packets;
	fclose(file);
	return n;
}

/* Lines are "{ reason: 0 } hitcount: 1 packets: 2"; some kernels have words for reasons. */
void nb_soak_print_drops(void)
{
	FILE *file = open_histograms(DROPS);
	char line[256];

	while (fgets(line, sizeof(line), file))
		if (strstr(line, "{ reason:"))
			printf("# drops %s", line);
	fclose(file);
}
