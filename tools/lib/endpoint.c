// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * The endpoint fd: the crate's trait Endpoint
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

/* entries of a ring for which nobody has said how many */
#define NB_DEFAULT_ENTRIES	256

int nb_endpoint_get_info(struct nb_endpoint *ep, struct nb_endpoint_info *info)
{
	struct nb_endpoint_info arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_GET_INFO, &arg, &arg.msg, "ask about the endpoint");
	if (err < 0)
		return err;
	arg.kind[sizeof(arg.kind) - 1] = '\0';
	arg.name[sizeof(arg.name) - 1] = '\0';
	ep->info = arg;
	*info = arg;
	return 0;
}

int nb_endpoint_from_fd(int fd, struct nb_endpoint **ep)
{
	struct nb_endpoint_info info;
	struct nb_endpoint *new;
	int err;

	new = calloc(1, sizeof(*new));
	if (!new)
		return nb_fail_text(ENOMEM, "no memory for an endpoint");
	new->fd = fd;

	/* ENODEV: the endpoint is one, but what it stood on has gone */
	err = nb_endpoint_get_info(new, &info);
	if (err && err != -ENODEV) {
		free(new);
		if (err == -ENOMEM || err == -EFAULT)
			return err;
		return nb_fail(EBADF, "fd %d is not an endpoint of net_backend", fd);
	}
	*ep = new;
	return 0;
}

int nb_endpoint_fd(const struct nb_endpoint *ep)
{
	return ep->fd;
}

void nb_endpoint_close(struct nb_endpoint *ep)
{
	if (!ep)
		return;
	close(ep->fd);
	free(ep);
}

/* The endpoint as it is now, or if the kernel does not tell, as it was. */
static const struct nb_endpoint_info *info_now(struct nb_endpoint *ep)
{
	struct nb_endpoint_info info;

	nb_endpoint_get_info(ep, &info);
	return &ep->info;
}

const char *nb_endpoint_type(struct nb_endpoint *ep)
{
	return info_now(ep)->kind;
}

bool nb_endpoint_is_ordered(struct nb_endpoint *ep)
{
	return info_now(ep)->properties & NB_ENDPOINT_ORDERED;
}

uint32_t nb_endpoint_tx_offload_support(struct nb_endpoint *ep)
{
	return info_now(ep)->tx_offloads;
}

struct nb_multiqueue_support nb_endpoint_multiqueue_support(struct nb_endpoint *ep)
{
	struct nb_multiqueue_support support = { 0, 0 };
	struct nb_endpoint_info info;

	if (nb_endpoint_get_info(ep, &info))
		return support;
	support.max_queues = info.max_queues;
	support.indirection_table_size = info.indirection_table_size;
	return support;
}

bool nb_endpoint_tx_fast_completions(struct nb_endpoint *ep)
{
	return info_now(ep)->properties & NB_ENDPOINT_TX_FAST_COMPLETIONS;
}

uint64_t nb_endpoint_link_speed(struct nb_endpoint *ep)
{
	return info_now(ep)->link_speed;
}

int nb_endpoint_set_data_path_to_guest_vf(struct nb_endpoint *ep, bool use_vf)
{
	struct nb_data_path arg = {
		.size = sizeof(arg),
		.to_guest_vf = use_vf,
	};
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_SET_DATA_PATH, &arg, &arg.msg,
		       "switch the data path");
	return err < 0 ? err : 0;
}

int nb_endpoint_get_data_path_to_guest_vf(struct nb_endpoint *ep)
{
	struct nb_data_path arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_GET_DATA_PATH, &arg, &arg.msg,
		       "ask for the data path");
	return err < 0 ? err : !!arg.to_guest_vf;
}

/* Fill in the rings that the frontend leaves to libnb. */
static void default_entries(struct nb_queue_config *config)
{
	if (!config->tx_avail_entries)
		config->tx_avail_entries = NB_DEFAULT_ENTRIES;
	if (!config->rx_avail_entries)
		config->rx_avail_entries = NB_DEFAULT_ENTRIES;

	/* a done ring with fewer entries than there can be would only be in the way */
	if (!config->tx_done_entries)
		config->tx_done_entries = config->tx_avail_entries > NB_DEFAULT_ENTRIES ?
			config->tx_avail_entries : NB_DEFAULT_ENTRIES;
	if (!config->rx_done_entries)
		config->rx_done_entries = config->rx_avail_entries > NB_DEFAULT_ENTRIES ?
			config->rx_avail_entries : NB_DEFAULT_ENTRIES;
}

static int get_queue_fds(struct nb_endpoint *ep, struct nb_memory *mem,
			 const struct nb_queue_config *configs, unsigned int n_queues,
			 const struct nb_rss_config *rss, int *fds)
{
	struct nb_get_queues arg = {
		.size = sizeof(arg),
		.configs = (uintptr_t)configs,
		.fds = (uintptr_t)fds,
		.rss = (uintptr_t)rss,
		.n_queues = n_queues,
		.config_size = sizeof(*configs),
		.rss_size = rss ? sizeof(*rss) : 0,
		.memory_fd = mem->fd,
	};
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_GET_QUEUES, &arg, &arg.msg, "make the queues");
	return err < 0 ? err : 0;
}

/* Make all fds queues, or close them all. */
static int adopt_queues(const int *fds, unsigned int n_queues, struct nb_queue **queues)
{
	unsigned int i, n;
	int err = 0;

	for (n = 0; n < n_queues; n++) {
		err = nb_queue_from_fd(fds[n], &queues[n]);
		if (err)
			break;
	}
	if (!err)
		return 0;
	for (i = 0; i < n; i++) {
		nb_queue_close(queues[i]);
		queues[i] = NULL;
	}
	for (; i < n_queues; i++)
		close(fds[i]);
	return err;
}

int nb_endpoint_get_queues(struct nb_endpoint *ep, struct nb_memory *mem,
			   const struct nb_queue_config *configs, unsigned int n_queues,
			   const struct nb_rss_config *rss, struct nb_queue **queues)
{
	struct nb_queue_config *filled;
	unsigned int i;
	int *fds, err;

	/* calloc(0) may return NULL; the kernel says what is wrong with 0 queues */
	filled = calloc((size_t)n_queues + 1, sizeof(*filled));
	fds = calloc((size_t)n_queues + 1, sizeof(*fds));
	if (!filled || !fds) {
		err = nb_fail(ENOMEM, "no memory for %u queues", n_queues);
		goto out;
	}
	for (i = 0; i < n_queues; i++) {
		filled[i] = configs[i];
		default_entries(&filled[i]);
	}

	err = get_queue_fds(ep, mem, filled, n_queues, rss, fds);
	if (!err)
		err = adopt_queues(fds, n_queues, queues);
out:
	free(fds);
	free(filled);
	return err;
}

int nb_endpoint_set_rss(struct nb_endpoint *ep, const struct nb_rss_config *rss)
{
	struct nb_set_rss arg = {
		.size = sizeof(arg),
		.rss = (uintptr_t)rss,
		.rss_size = rss ? sizeof(*rss) : 0,
	};
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_SET_RSS, &arg, &arg.msg,
		       "change receive-side scaling");
	return err < 0 ? err : 0;
}

int nb_endpoint_set_multicast(struct nb_endpoint *ep, const struct nb_multicast *list,
			      unsigned int n, uint32_t flags)
{
	struct nb_set_multicast arg = {
		.size = sizeof(arg),
		.flags = flags,
		.list = (uintptr_t)list,
		.n = n,
	};
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_SET_MULTICAST, &arg, &arg.msg,
		       "set the multicast list");
	return err < 0 ? err : 0;
}

int nb_endpoint_stop(struct nb_endpoint *ep)
{
	struct nb_endpoint_stop arg = { .size = sizeof(arg) };
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_STOP, &arg, &arg.msg, "stop the endpoint");
	return err < 0 ? err : 0;
}

int nb_endpoint_connect(struct nb_endpoint *ep, struct nb_endpoint *from)
{
	struct nb_connect arg = {
		.size = sizeof(arg),
		.flags = from ? NB_CONNECT_FROM : 0,
		.from_fd = from ? from->fd : 0,
	};
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_CONNECT, &arg, &arg.msg, "connect the endpoint");
	if (err < 0)
		return err;
	info_now(ep);
	if (from)
		info_now(from);
	return 0;
}

int nb_endpoint_disconnect(struct nb_endpoint *ep, uint64_t timeout_ns)
{
	struct nb_disconnect arg = {
		.size = sizeof(arg),
		.timeout_ns = timeout_ns,
	};
	int err;

	err = nb_ioctl(ep->fd, NB_ENDPOINT_DISCONNECT, &arg, &arg.msg,
		       "disconnect the endpoint");
	return err < 0 ? err : 0;
}

int nb_endpoint_wait_for_action(struct nb_endpoint *ep, struct nb_action *action,
				int timeout_ms)
{
	struct pollfd poll_fd = { .fd = ep->fd, .events = POLLIN };
	ssize_t got;
	int n;

	do {
		n = poll(&poll_fd, 1, timeout_ms);
		if (n < 0)
			return nb_fail(errno, "cannot wait for an action: %s",
				       strerror(errno));
		if (n == 0)
			return 0;
		if (!(poll_fd.revents & POLLIN))
			return nb_fail_text(ENODEV, "the backend is gone for good");

		got = read(ep->fd, action, sizeof(*action));
		if (got == (ssize_t)sizeof(*action))
			return 1;
		if (got >= 0)
			return nb_fail(EPROTO, "an action of %zd bytes", got);
		if (errno != EAGAIN)
			return nb_fail(errno, "cannot read an action: %s",
				       strerror(errno));
		/* another process that holds the fd was faster */
	} while (timeout_ms < 0);
	return 0;
}
