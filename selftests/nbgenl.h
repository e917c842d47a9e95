/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small client of the generic netlink family, and of others, without a library.
 */
#ifndef NBGENL_H
#define NBGENL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/net_backend_netlink.h>

#define NB_GENL_ATTRS	48

struct nb_genl {
	int fd;
	uint16_t family;
	size_t room;		/* for each message that is received, bytes; 0: a lot */
	bool interrupted;	/* things have changed during the last dump */
	/* Of the last error: why, and which attribute that was sent is wrong. */
	char reason[160];
	uint16_t bad;		/* type of it, or of the nest that it is in; 0: none */
	uint16_t bad_inside;	/* type of it, in that nest */
	uint16_t missing;	/* type of an attribute that was not sent; 0: none */
};

struct nb_genl_request {
	struct nlmsghdr header;
	struct genlmsghdr genl;
	char attributes[5120];
};

typedef void (*nb_genl_fn)(const struct nlattr *const *attributes, void *data);

/* What is in an attribute, or 0 or "" if there is none. */
void *nb_genl_payload(const struct nlattr *attribute);
uint32_t nb_genl_u32(const struct nlattr *attribute);
uint64_t nb_genl_u64(const struct nlattr *attribute);
/* A number of four bytes or of eight. */
uint64_t nb_genl_uint(const struct nlattr *attribute);
const char *nb_genl_string(const struct nlattr *attribute);
void nb_genl_parse(const void *data, size_t len, const struct nlattr **attributes);

void nb_genl_open(struct nb_genl *client);
/* The same of another family: false if the kernel has none of that name. */
bool nb_genl_open_family(struct nb_genl *client, const char *name);
void nb_genl_close(struct nb_genl *client);

struct nb_genl_request nb_genl_request(uint16_t type, uint8_t command, uint16_t flags);
void nb_genl_add(struct nb_genl_request *request, uint16_t type, const void *data, size_t len);
/* Sends a request and hands on all messages of the answer: 0 or a negative errno. */
int nb_genl_talk(struct nb_genl *client, struct nb_genl_request *request, nb_genl_fn fn,
		 void *data);

/* From now on the socket gets events, too: use another one for requests. */
void nb_genl_subscribe(struct nb_genl *client);
/*
 * Waits for the next event of an endpoint, but those of an interface that goes up and down:
 * of enum nb_endpoint_event, 0 if none came.
 */
uint32_t nb_genl_next_event(struct nb_genl *client, uint32_t endpoint);
/* The next event of an endpoint or its queues: NB_CMD_…_EVENT, and which unless NULL; or 0. */
uint8_t nb_genl_next_message(struct nb_genl *client, uint32_t endpoint, uint32_t *event);

#endif /* NBGENL_H */
