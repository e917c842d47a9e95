/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other side of nbvhost: a process that runs it, a front-end that speaks vhost-user,
 * and a guest's driver with pairs of rings of either layout, which does whatever a test
 * wants it to.
 */
#ifndef NBFRONTEND_H
#define NBFRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "nbtest.h"

/* Guest memory, where the guest sees it, and where the front-end says that it has it. */
#define NB_FRONT_GPA		0x100000ull
#define NB_FRONT_USER		0x7f0000000000ull
#define NB_FRONT_SIZE		0x400000u
/* Rings, indirect tables, packets to transmit, and receive buffers are at these places. */
#define NB_FRONT_RING		0x4000u		/* bytes for each ring */
#define NB_FRONT_TABLE		0x20000u
#define NB_FRONT_TX		0x30000u
#define NB_FRONT_RX		0x200000u	/* 256 buffers for each pair */
#define NB_FRONT_ENTRIES	256u
#define NB_FRONT_BUF_SIZE	1536u
#define NB_FRONT_MAX_PAIRS	4u

/* Rings of the first pair; those of pair i are 2 * i behind them. */
enum { NB_FRONT_RX_RING, NB_FRONT_TX_RING };

struct vu_header;

struct nb_front_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t seen;		/* index up to which what is used was read */

	struct vring_packed_desc *packed;
	struct vring_packed_desc_event *driver;
	struct vring_packed_desc_event *device;
	uint16_t next;		/* where the next chain goes */
	bool wrap;		/* the driver's wrap counter there */
	bool used_wrap;		/* the device's at seen */
	uint16_t taken[NB_FRONT_ENTRIES];	/* descriptors of the chain with that id */

	int kick_fd;
	int call_fd;
	int err_fd;
};

struct nb_front {
	int fd;
	int memfd;
	uint8_t *ram;
	uint64_t features;
	bool packed;
	unsigned int header;	/* bytes of it */
	unsigned int entries;	/* of each ring */
	unsigned int pairs;
	struct nb_front_ring rings[2 * NB_FRONT_MAX_PAIRS];
	uint32_t hash;		/* with VIRTIO_NET_F_HASH_REPORT: of what was received last */
	uint16_t hash_report;
};

/* nbvhost with these arguments, up to a NULL, when it says that it is ready. */
pid_t nb_vhost_run(const char *argument, ...) __attribute__((sentinel));
/* The same; what it says on standard error is in a file of the caller's: how often it says that. */
pid_t nb_vhost_run_and_listen(int *said, const char *argument, ...) __attribute__((sentinel));
unsigned int nb_vhost_times_said(int said, const char *what);
bool nb_vhost_runs(pid_t child);
/* Has it begin again in place; false if it does not. */
bool nb_vhost_again(pid_t child);
/* Whether it says within so many milliseconds that it is ready, once more. */
bool nb_vhost_says_ready(pid_t child, int ms);
/* A number that is larger by one for each fd that it has. */
unsigned int nb_vhost_count_fds(pid_t child);
/* Ends it as SIGTERM does; its exit status, or 128 and the signal that was needed. */
int nb_vhost_end(pid_t child);

/* A message: without an answer, and what is answered. */
void nb_front_send(struct nb_front *front, uint32_t request, const void *payload, uint32_t size,
		   const int *fds, unsigned int n_fds);
/* The first bytes of a message, with what comes with it; or all. */
void nb_front_send_part(struct nb_front *front, const struct vu_header *header,
			const void *payload, const int *fds, unsigned int n_fds, size_t bytes);
bool nb_front_answer(struct nb_front *front, void *payload, uint32_t size);
/* The same with the fd that comes with it, or -1. */
bool nb_front_answer_fd(struct nb_front *front, void *payload, uint32_t size, int *fd);
void nb_front_send_u64(struct nb_front *front, uint32_t request, uint64_t value, int fd);
void nb_front_send_state(struct nb_front *front, uint32_t request, uint32_t index, uint32_t num);
uint64_t nb_front_ask(struct nb_front *front, uint32_t request);
/* Sends what is to be answered, whatever it is. */
void nb_front_want_ack(struct nb_front *front, uint32_t request, const void *payload,
		       uint32_t size, const int *fds, unsigned int n_fds);
/* The answer: 0, 1 for "it was wrong", or -1 for none. */
int nb_front_ack(struct nb_front *front);
/* Whether the connection ends. */
bool nb_front_is_refused(struct nb_front *front);

/* A socket that takes a minute to close for who does it last, or until the other one is. */
int nb_front_lingering(int *other);

/* Steps of a connection, and all of them. */
void nb_front_connect(struct nb_front *front, const char *path);
/* The same once more, of a guest that lives on. */
void nb_front_connect_again(struct nb_front *front, const char *path);
/* Before the memory is passed: has it of huge pages; false if there are none. */
bool nb_front_use_huge_pages(struct nb_front *front);
void nb_front_negotiate(struct nb_front *front, uint64_t features);
void nb_front_set_memory(struct nb_front *front);
void nb_front_set_ring(struct nb_front *front, unsigned int ring, uint32_t base);
void nb_front_open(struct nb_front *front, const char *path, uint64_t features);
void nb_front_open_pairs(struct nb_front *front, const char *path, uint64_t features,
			 unsigned int pairs);
void nb_front_close(struct nb_front *front);
/* The base of a ring that is new. */
uint32_t nb_front_base(const struct nb_front *front);
/* Stops a ring; its base. */
uint32_t nb_front_stop(struct nb_front *front, unsigned int ring);

/* The driver, of split rings. */
void nb_front_desc(struct nb_front *front, unsigned int ring, uint16_t at, uint64_t gpa,
		   uint32_t len, uint16_t flags, uint16_t next);
void nb_front_avail(struct nb_front *front, unsigned int ring, uint16_t head);
/* Packed rings: the next descriptor, or chain; what is used. */
void nb_packed_desc(struct nb_front *front, unsigned int ring, uint64_t gpa, uint32_t len,
		    uint16_t id, uint16_t flags);
void nb_packed_chain(struct nb_front *front, unsigned int ring, uint16_t id,
		     const struct vring_desc *segments, unsigned int n);
bool nb_packed_has_used(const struct nb_front *front, unsigned int ring);
void nb_packed_take_used(struct nb_front *front, unsigned int ring, uint32_t *id,
			 uint32_t *len);
/*
 * Either: makes segments available as a chain; their flags are those of split rings, but
 * for VRING_DESC_F_NEXT. A split ring's descriptors are those from the id on,
 * and from the first one on behind the last.
 */
void nb_front_chain(struct nb_front *front, unsigned int ring, uint16_t id,
		    const struct vring_desc *segments, unsigned int n);
bool nb_front_has_used(const struct nb_front *front, unsigned int ring);
void nb_front_kick(struct nb_front *front, unsigned int ring);
/* Waits for the next chain that comes back; false if none does. */
bool nb_front_used(struct nb_front *front, unsigned int ring, uint32_t *id, uint32_t *len);
/* Makes receive buffers available, in the order of their numbers. */
void nb_front_post(struct nb_front *front, unsigned int pair, uint16_t first, unsigned int n);
/* Sends a frame by chain @head of one descriptor; whether the chain comes back. */
bool nb_front_transmit(struct nb_front *front, uint16_t head, const void *frame, size_t len);
/* The same by any pair, and with a header. */
bool nb_front_transmit_on(struct nb_front *front, unsigned int pair, uint16_t head,
			  const struct virtio_net_hdr_v1 *header, const void *frame, size_t len);
/* Makes a frame available in pieces, the header apart or with the first bytes. */
void nb_front_send_pieces(struct nb_front *front, uint16_t head, const void *frame, uint32_t len,
			  unsigned int pieces, bool header_apart);
/* Waits for a frame, and makes its buffers available again; its length, or -1. */
ssize_t nb_front_receive(struct nb_front *front, void *frame, size_t size,
			 unsigned int *n_buffers);
/* The same by any pair, and with its header. */
ssize_t nb_front_receive_on(struct nb_front *front, unsigned int pair,
			    struct virtio_net_hdr_v1 *header, void *frame, size_t size);
/* Waits until a pair has something that was received; its number, or -1. */
int nb_front_wait(struct nb_front *front);
/* Whether a NIC of kind loopback gives back what is sent. */
bool nb_front_works(struct nb_front *front);

#endif /* NBFRONTEND_H */
