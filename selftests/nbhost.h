/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's side of a netdev endpoint: an interface in a network namespace of the
 * test's own, and a packet socket on it.
 */
#ifndef NBHOST_H
#define NBHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A test's time limit is for one that hangs. On a busy machine, and on a kernel with
 * sanitizers, 30 s are too few for some that do not.
 */
#ifdef TEST_TIMEOUT_DEFAULT
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	150
#endif

struct nb_host {
	int fd;		/* packet socket, -1 for none */
	int ifindex;
	char name[16];
};

#define NB_NO_VLAN	(-1)

/* Enters a new network namespace, in which nothing sends by itself. */
void nb_host_new_netns(void);

/* Opens a packet socket on the interface. */
void nb_host_open_socket(struct nb_host *host, int ifindex);
/* The same; takes the interface down and up again, after which it sends. */
void nb_host_open(struct nb_host *host, int ifindex);
/* Opens a socket that gets the tests' frames only if they reach the host's stack. */
void nb_host_open_passed(struct nb_host *host, int ifindex);
void nb_host_close(struct nb_host *host);

/* Sends a frame. */
void nb_host_send(struct nb_host *host, const void *frame, size_t len);
/*
 * Waits for the next frame of the tests' EtherType; its TCI or NB_NO_VLAN is in vlan
 * unless that is NULL.  The frame's length, or -1 if none came in time.
 */
ssize_t nb_host_receive(struct nb_host *host, void *frame, size_t size, int *vlan);
/* Whether there is no such frame now. */
bool nb_host_silent(struct nb_host *host);

/* The interface itself; "name" is that in the caller's network namespace. */
void nb_link_set_up(const char *name, bool up);
void nb_link_get_mac(const char *name, uint8_t mac[6]);
void nb_link_delete(int ifindex);
/* Packets that it says it has dropped, of those that it received and of those it was to send. */
struct nb_link_drops {
	unsigned long rx, tx;
};

struct nb_link_drops nb_link_get_drops(const char *name);
void nb_link_add_vlan(int ifindex, const char *name, uint16_t id);
void nb_link_add_veth(const char *name, const char *peer);
/* Whether it is up, has a carrier, and the kernel has taken note, so that it sends. */
bool nb_link_is_up(int ifindex);
/* A queueing discipline that holds that many packets and drops none of them. */
void nb_link_set_fifo(int ifindex, uint32_t packets);

#endif /* NBHOST_H */
