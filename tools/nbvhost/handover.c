// SPDX-License-Identifier: GPL-2.0
/*
 * Beginning again in place: the process re-executes its program, and who is connected notices no
 * more than a pause
 *
 * Sockets, endpoints, memory and doorbells stay open.  The rings are stopped before, so that their
 * bases say where they go on.  All that, and what is known beside it, is in a file of memory, whose
 * number is in the environment.  It is sealed: what is in it was checked here, and nobody has
 * changed it since.  The program, which may be another version by then, is asked first whether it
 * knows such a file.
 *
 * While something is being closed that may take long, exec() would wait for that as well, so it
 * has to be put off.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handover.h"

/* It stays open; also if nothing comes of that, as no other program is executed. */
static int keep(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
	return fd;
}

static void keep_fds(const int *fds, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		keep(fds[i]);
}

static void write_vq(struct handed_vq *to, const struct vq *vq)
{
	*to = (struct handed_vq){
		.size = vq->size,
		.base = vq->base,
		.addr = vq->addr,
		.kick_fd = keep(vq->kick_fd),
		.call_fd = keep(vq->call_fd),
		.err_fd = keep(vq->err_fd),
		.bad = vq->bad,
		.has_addr = vq->has_addr,
		.started = vq->started,
		.enabled = vq->enabled,
		.broken = vq->broken,
	};
}

static void write_memory(struct handed_nic *to, const struct memory *memory)
{
	to->memory.n = memory->n;
	memcpy(to->memory.regions, memory->regions, sizeof(memory->regions));
	memcpy(to->memory_fds, memory->fds, sizeof(memory->fds));
	keep_fds(memory->fds, memory->n);
}

static void write_shared(struct handed_nic *to, const struct nic *nic)
{
	const struct shared *log = &nic->log.bits, *inflight = &nic->inflight;

	to->log = (struct vu_log){ .mmap_size = log->size, .mmap_offset = log->offset };
	to->log_fd = log->addr ? keep(log->fd) : -1;
	to->log_news_fd = keep(nic->log.fd);
	to->inflight = (struct vu_inflight){
		.mmap_size = inflight->size,
		.mmap_offset = inflight->offset,
		.n_queues = nic->inflight_queues,
		.queue_size = nic->inflight_entries,
	};
	to->inflight_fd = inflight->addr ? keep(inflight->fd) : -1;
}

static void write_rings(struct handed_nic *to, const struct nic *nic)
{
	unsigned int i;

	for (i = 0; i < n_vqs(nic); i++)
		write_vq(&to->vqs[i], &nic->vqs[i]);
	for (i = 0; i < nic->max_pairs; i++) {
		to->sent[i] = nic->pairs[i].sent;
		to->received[i] = nic->pairs[i].received;
	}
}

static void write_nic(struct handed_nic *to, const struct nic *nic)
{
	*to = (struct handed_nic){
		.listener = nic->listener,
		.connection = nic->connection,
		.endpoint_fd = keep(nb_endpoint_fd(nic->ep)),
		.info = nic->info,
		.link_up = nic->link_up,
		.holds_back = nic->holds_back,
		.features = nic->features,
		.protocol_features = nic->protocol_features,
		.channel_fd = keep(nic->channel_fd),
		.steering = nic->steering,
	};
	keep(nic->listener.fd);
	keep(nic->connection.fd);
	keep_fds(nic->connection.fds, nic->connection.n_fds);
	write_memory(to, &nic->memory);
	write_shared(to, nic);
	write_rings(to, nic);
}

/* The file, which stays open, or -1 with errno. */
static int make_file(const struct handover *all)
{
	ssize_t size = (ssize_t)handover_size(all->n);
	int fd = memfd_create("nbvhost-handover", MFD_ALLOW_SEALING);

	if (fd >= 0 && write(fd, all, (size_t)size) == size &&
	    !fcntl(fd, F_ADD_SEALS, HANDOVER_SEALS))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int write_all(const struct nic *nics, unsigned int n, const struct listener *status)
{
	struct handover *all = calloc(1, handover_size(n));
	unsigned int i;
	int fd;

	if (!all)
		return -1;
	all->format = HANDOVER_FORMAT;
	all->n = n;
	all->max_pairs = nics[0].max_pairs;
	all->status = *status;
	keep(status->fd);
	for (i = 0; i < n; i++)
		write_nic(&all->nics[i], &nics[i]);
	fd = make_file(all);
	free(all);
	return fd;
}

/* The file of this program, or the one that was put in its place since; NULL if it has none. */
static const char *own_path(void)
{
	static const char gone[] = " (deleted)";
	static char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 0)
		return NULL;
	path[len] = '\0';
	len -= (ssize_t)strlen(gone);
	if (len > 0 && !strcmp(path + len, gone))
		path[len] = '\0';
	return path;
}

/* Does the program know what it would be left?  It is asked by --handover. */
static bool is_known_to(const char *path)
{
	char format[16], option[] = "--handover", name[] = "nbvhost";
	char * const argv[] = { name, option, format, NULL };
	int status;
	pid_t child;

	snprintf(format, sizeof(format), "%zu", (size_t)HANDOVER_FORMAT);
	errno = posix_spawn(&child, path, NULL, NULL, argv, environ);
	if (errno) {
		complain("cannot begin again, goes on: %s: %s", path, strerror(errno));
		return false;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	complain("cannot begin again, goes on: %s is too different a version", path);
	return false;
}

/* What is_known_to() asks of this program. */
bool handover_is_known(const char *format)
{
	unsigned int number;

	return !spec_number(format, 0, INT_MAX, &number) && number == HANDOVER_FORMAT;
}

/* Can it be that the program is executed again, and goes on?  Says why if not. */
bool handover_is_possible(void)
{
	const char *path = own_path();

	/* then it does not take over what anybody may have left */
	if (getauxval(AT_SECURE)) {
		complain("cannot begin again, goes on: it has more privileges than who started it");
		return false;
	}
	if (!path) {
		complain("cannot begin again, goes on: there is no /proc");
		return false;
	}
	return is_known_to(path);
}

/*
 * Execute the program, with the same arguments; all rings are stopped.  Returns only on failure,
 * after saying why: then all is as before.
 */
void handover_execute(const struct nic *nics, unsigned int n, const struct listener *status,
		      char **argv)
{
	int fd = write_all(nics, n, status);
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	if (fd >= 0 && !setenv(HANDOVER_VARIABLE, number, 1))
		execv(own_path(), argv);
	complain("cannot begin again, goes on: %s", strerror(errno));
	unsetenv(HANDOVER_VARIABLE);
	if (fd >= 0)
		close(fd);
}
