// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * The control fd: /dev/net_backend
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static const char device[] = "/dev/net_backend";

static int fail_open(int err)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return nb_fail(ENOENT,
			       "%s is not there: load the module (modprobe net_backend)",
			       device);
	case EACCES:
	case EPERM:
		return nb_fail(EACCES,
			       "no permission to open %s: run as root, or be given access",
			       device);
	default:
		return nb_fail(err, "cannot open %s: %s", device, strerror(err));
	}
}

int nb_open(struct nb **nb)
{
	struct nb *new;
	int err;

	new = malloc(sizeof(*new));
	if (!new)
		return nb_fail_text(ENOMEM, "no memory for a handle");

	new->fd = open(device, O_RDWR | O_CLOEXEC);
	if (new->fd < 0) {
		err = fail_open(errno);
		free(new);
		return err;
	}
	*nb = new;
	return 0;
}

void nb_close(struct nb *nb)
{
	if (!nb)
		return;
	close(nb->fd);
	free(nb);
}

int nb_get_info(struct nb *nb, struct nb_info *info)
{
	struct nb_info arg = {
		.size = sizeof(arg),
		.kinds = info->kinds,
		.n_kinds = info->n_kinds,
	};
	int err;

	err = nb_ioctl(nb->fd, NB_GET_INFO, &arg, &arg.msg, "ask what net_backend offers");
	if (err < 0)
		return err;
	*info = arg;
	return 0;
}

int nb_memory_create(struct nb *nb, struct nb_memory **mem)
{
	struct nb_create_memory arg = { .size = sizeof(arg) };
	struct nb_memory *new;
	int fd;

	new = calloc(1, sizeof(*new));
	if (!new)
		return nb_fail_text(ENOMEM, "no memory for a memory");

	fd = nb_ioctl(nb->fd, NB_CREATE_MEMORY, &arg, &arg.msg, "create a memory");
	if (fd < 0) {
		free(new);
		return fd;
	}
	new->fd = fd;
	*mem = new;
	return 0;
}

/* Copy a zero-terminated string into a field of @size bytes. */
static int copy_name(char *field, size_t size, const char *name, const char *what)
{
	if (!name)
		return 0;
	if (strlen(name) >= size)
		return nb_fail(EINVAL, "the endpoint's %s '%s' is longer than %zu characters",
			       what, name, size - 1);
	memcpy(field, name, strlen(name));
	return 0;
}

int nb_endpoint_create(struct nb *nb, const struct nb_endpoint_params *params,
		       struct nb_endpoint **ep)
{
	struct nb_create_endpoint arg = {
		.size = sizeof(arg),
		.max_queues = params->max_queues,
		.mtu = params->mtu,
		.params = (uintptr_t)params->kind_params,
		.params_size = params->kind_params_size,
	};
	struct nb_endpoint *new;
	int err, fd;

	err = copy_name(arg.kind, sizeof(arg.kind), params->kind, "kind");
	if (err)
		return err;
	err = copy_name(arg.name, sizeof(arg.name), params->name, "name");
	if (err)
		return err;
	if (params->mac) {
		arg.flags |= NB_CREATE_MAC;
		memcpy(arg.mac, params->mac, sizeof(arg.mac));
	}
	if (params->netns_fd >= 0) {
		arg.flags |= NB_CREATE_NETNS;
		arg.netns_fd = params->netns_fd;
	}

	fd = nb_ioctl(nb->fd, NB_CREATE_ENDPOINT, &arg, &arg.msg, "create an endpoint");
	if (fd < 0)
		return fd;
	err = nb_endpoint_from_fd(fd, &new);
	if (err) {
		close(fd);
		return err;
	}
	*ep = new;
	return 0;
}
