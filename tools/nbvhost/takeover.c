// SPDX-License-Identifier: GPL-2.0
/*
 * Beginning again in place: taking over what was left, see handover.c
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handover.h"

static int take(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

static void take_fds(const int *fds, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		take(fds[i]);
}

static struct handover *read_file(int fd)
{
	struct handover *all = NULL;
	struct stat file;

	if (fcntl(fd, F_GET_SEALS) != HANDOVER_SEALS || fstat(fd, &file))
		return NULL;
	if ((size_t)file.st_size >= sizeof(*all))
		all = malloc((size_t)file.st_size);
	if (all && pread(fd, all, (size_t)file.st_size, 0) == file.st_size &&
	    all->format == HANDOVER_FORMAT && handover_size(all->n) == (size_t)file.st_size)
		return all;
	free(all);
	return NULL;
}

/*
 * What was left for @n NICs; *@all is NULL if there is nothing, else to be freed.  Says what is
 * wrong, and returns -1, if it cannot be taken over.  Anybody may have left it to a program that
 * has more privileges than who started it.
 */
int takeover_read(struct handover **all, unsigned int n, unsigned int max_pairs)
{
	const char *text = getenv(HANDOVER_VARIABLE);
	unsigned int fd;

	*all = NULL;
	if (!text)
		return 0;
	if (!getauxval(AT_SECURE) && !spec_number(text, 0, INT_MAX, &fd)) {
		*all = read_file((int)fd);
		close((int)fd);
	}
	unsetenv(HANDOVER_VARIABLE);
	if (*all && (*all)->n == n && (*all)->max_pairs == max_pairs)
		return 0;
	complain("what " HANDOVER_VARIABLE " says was left cannot be taken over");
	free(*all);
	*all = NULL;
	return -1;
}

/* Where the status can be asked for. */
void takeover_status(const struct handover *all, struct listener *status)
{
	*status = all->status;
	take(status->fd);
}

static void read_vq(struct vq *vq, const struct handed_vq *from)
{
	vq->size = from->size;
	vq->base = from->base;
	vq->addr = from->addr;
	vq->kick_fd = take(from->kick_fd);
	vq->call_fd = take(from->call_fd);
	vq->err_fd = take(from->err_fd);
	vq->bad = from->bad;
	vq->has_addr = from->has_addr;
	vq->started = from->started;
	vq->enabled = from->enabled;
	vq->broken = from->broken ? "it was broken before" : NULL;
}

static const char *read_memory(struct nic *nic, const struct handed_nic *from)
{
	unsigned int i;

	take_fds(from->memory_fds, from->memory.n);
	if (!memory_set(&nic->memory, nic->nb, &from->memory, from->memory_fds))
		return NULL;
	for (i = 0; i < from->memory.n; i++)
		close(from->memory_fds[i]);
	return nb_error();
}

/* What is mapped keeps an fd of its own. */
static const char *read_shared(struct nic *nic, const struct handed_nic *from)
{
	const char *wrong = NULL;

	if (from->inflight_fd >= 0)
		wrong = inflight_set(nic, &from->inflight, from->inflight_fd);
	if (!wrong && from->log_fd >= 0)
		wrong = log_set(nic, &from->log, from->log_fd);
	return wrong ? wrong : log_update(nic);
}

/* All that is mapped; says what is wrong, or NULL. */
static const char *read_all_memory(struct nic *nic, const struct handed_nic *from)
{
	const char *wrong = from->memory.n ? read_memory(nic, from) : NULL;

	if (!wrong)
		wrong = read_shared(nic, from);
	if (from->inflight_fd >= 0)
		close(from->inflight_fd);
	if (from->log_fd >= 0)
		close(from->log_fd);
	return wrong;
}

static void read_connection(struct nic *nic, const struct handed_nic *from)
{
	nic->features = from->features;
	nic->protocol_features = from->protocol_features;
	nic->steering = from->steering;
	nic->connection = from->connection;
	take(nic->connection.fd);
	take_fds(nic->connection.fds, nic->connection.n_fds);
	nic->channel_fd = take(from->channel_fd);
	nic->link_up = from->link_up;
	nic->log.fd = take(from->log_news_fd);
}

static void read_rings(struct nic *nic, const struct handed_nic *from)
{
	unsigned int i;

	for (i = 0; i < n_vqs(nic); i++)
		read_vq(&nic->vqs[i], &from->vqs[i]);
	for (i = 0; i < nic->max_pairs; i++) {
		nic->pairs[i].sent = from->sent[i];
		nic->pairs[i].received = from->received[i];
	}
}

/* Was the header of the message that is being received checked, and is it known here, too? */
static bool is_message_known(const struct connection *connection)
{
	return connection->received < VU_HEADER_SIZE || !message_check_header(&connection->header);
}

/*
 * A NIC of which all is there, instead of nic_open(); nic_update() has it served.  An endpoint
 * whose device has gone is kept, as it was before.  A front-end whose memory cannot be had again is
 * let go.  Says what is wrong, and returns -1, if the endpoint cannot be had.
 */
int takeover_nic(const struct handover *all, unsigned int i, struct nic *nic)
{
	const struct handed_nic *from = &all->nics[i];
	const char *wrong;

	nic->listener = from->listener;
	take(nic->listener.fd);
	if (nb_endpoint_from_fd(take(from->endpoint_fd), &nic->ep)) {
		nic_say(nic, "%s: %s", nic->spec.text, nb_error());
		return -1;
	}
	nic->info = from->info;
	nic->holds_back = from->holds_back;
	read_connection(nic, from);
	read_rings(nic, from);
	/* its link may have changed meanwhile: then the front-end is told */
	nic_ask_endpoint(nic);
	wrong = read_all_memory(nic, from);
	if (!wrong && is_message_known(&nic->connection))
		return 0;
	nic_say(nic, "it cannot go on: %s", wrong ? wrong : "a message that is not known here");
	socket_close(nic);
	return 0;
}
