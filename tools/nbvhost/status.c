// SPDX-License-Identifier: GPL-2.0
/*
 * The status socket: who connects gets one JSON object, and the end of the connection
 *
 * It is made in memory, and sent at once, as far as the socket takes it: nobody is waited for.
 */
#include <inttypes.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nbvhost.h"

static uint64_t read_counter(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Add what a pair's thread may be counting. */
void counters_add(struct counters *sum, const struct counters *counters)
{
	sum->packets += read_counter(&counters->packets);
	sum->bytes += read_counter(&counters->bytes);
	sum->dropped += read_counter(&counters->dropped);
}

static void put_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(to, "\\u%04x", *text);
		else
			fputc(*text, to);
	}
	fputc('"', to);
}

/* What went through the pairs in one direction, and what was wrong with those rings. */
static void put_direction(FILE *to, const char *name, const struct nic *nic, bool received)
{
	struct counters sum = { 0 };
	unsigned int i, broken = 0;
	uint64_t bad = 0;

	for (i = 0; i < nic->max_pairs; i++) {
		const struct pair *pair = &nic->pairs[i];
		const struct vq *vq = received ? pair->rx : pair->tx;

		counters_add(&sum, received ? &pair->received : &pair->sent);
		bad += read_counter(&vq->bad);
		broken += !!__atomic_load_n(&vq->broken, __ATOMIC_RELAXED);
	}
	fprintf(to, ",\"%s\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"dropped\":%" PRIu64
		",\"bad_chains\":%" PRIu64 ",\"broken_rings\":%u}", name, sum.packets, sum.bytes,
		sum.dropped, bad, broken);
}

static void put_nic(FILE *to, const struct nic *nic)
{
	fputs("{\"socket\":", to);
	put_string(to, nic->path);
	fputs(",\"endpoint\":{\"spec\":", to);
	put_string(to, nic->spec.text);
	fprintf(to, ",\"id\":%u,\"kind\":", nic->info.id);
	put_string(to, nic->info.kind);
	fputs(",\"name\":", to);
	put_string(to, nic->info.name);
	fprintf(to, ",\"mtu\":%u},\"link\":%s,\"connected\":%s", nic->info.mtu,
		nic->link_up ? "true" : "false", nic->connection.fd >= 0 ? "true" : "false");
	/* a number of JSON's has 53 bits */
	fprintf(to, ",\"features\":\"%#" PRIx64 "\",\"protocol_features\":\"%#" PRIx64 "\"",
		nic->features, nic->protocol_features);
	fprintf(to, ",\"pairs\":%u,\"max_pairs\":%u,\"logging\":%s", nic->n_pairs, nic->max_pairs,
		nic->memory.log ? "true" : "false");
	fprintf(to, ",\"rss\":%s,\"hash_reports\":\"%#x\"",
		nic->steering.table_len ? "true" : "false",
		has_feature(nic, VIRTIO_NET_F_HASH_REPORT) ? nic->steering.types : 0);
	put_direction(to, "guest_to_host", nic, false);
	put_direction(to, "host_to_guest", nic, true);
	fputc('}', to);
}

static char *make_status(const struct nic *nics, unsigned int n, size_t *size)
{
	char *text = NULL;
	unsigned int i;
	FILE *to;

	to = open_memstream(&text, size);
	if (!to)
		return NULL;
	fprintf(to, "{\"program\":\"nbvhost\",\"version\":\"%s\",\"pid\":%d,\"nics\":[", NB_VERSION,
		(int)getpid());
	for (i = 0; i < n; i++) {
		if (i)
			fputc(',', to);
		put_nic(to, &nics[i]);
	}
	fputs("]}\n", to);
	if (!fclose(to))
		return text;
	free(text);
	return NULL;
}

/* Somebody has connected to the status socket; -1 with errno if that was not to be taken. */
int status_answer(int listen_fd, struct closer *closer, const struct nic *nics, unsigned int n)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char *text;
	size_t size;

	if (fd < 0)
		return -1;
	text = make_status(nics, n, &size);
	if (text && send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size && verbose)
		complain("the status was not sent");
	free(text);
	/* there is no more for whom it is, also if what it has sent takes its time */
	shutdown(fd, SHUT_RDWR);
	fd_close(closer, fd);
	return 0;
}
