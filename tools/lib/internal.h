/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * What the files of libnb share: the objects, and how a failure is told
 */
#ifndef NB_INTERNAL_H
#define NB_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* all is built with -fvisibility=hidden, except what libnb.h declares */
#pragma GCC visibility push(default)
#include <libnb.h>
#pragma GCC visibility pop

#include "ring.h"

#define nb_likely(x)		__builtin_expect(!!(x), 1)
#define nb_unlikely(x)		__builtin_expect(!!(x), 0)

/* bytes of the line that nb_error() returns */
#define NB_ERROR_SIZE		256

/* a count of what the kernel holds that other processes have begun; far more than
 * fits into any two rings, so that it never seems to be nothing, or little
 */
#define NB_OUTSTANDING_UNKNOWN	(1u << 31)

struct nb {
	int fd;
};

/**
 * struct nb_region - a range of guest memory that this process knows
 * @gpa: first guest-physical address
 * @len: bytes
 * @addr: where it is in this process
 * @flags: of &enum nb_region_flags
 * @mapped: libnb has mapped it, and unmaps it
 */
struct nb_region {
	uint64_t gpa;
	uint64_t len;
	uint8_t *addr;
	uint32_t flags;
	bool mapped;
};

/**
 * struct nb_dirty - the bitmap of a region, mapped
 * @gpa: first guest-physical address of the region
 * @offset: where it is on the memory fd
 * @size: bytes
 * @words: the bitmap
 */
struct nb_dirty {
	uint64_t gpa;
	uint64_t offset;
	size_t size;
	uint64_t *words;
};

/**
 * struct nb_memory - the memory of a guest
 * @fd: the memory fd
 * @regions: in the order of their addresses; they do not overlap
 * @n_regions: their number
 * @capacity: regions that there is room for
 * @dirty: bitmaps that have been mapped, in the order of their regions' addresses
 * @n_dirty: their number
 * @dirty_capacity: bitmaps that there is room for
 */
struct nb_memory {
	int fd;
	struct nb_region *regions;
	size_t n_regions;
	size_t capacity;
	struct nb_dirty *dirty;
	size_t n_dirty;
	size_t dirty_capacity;
};

/**
 * struct nb_endpoint - the backend of a NIC
 * @fd: the endpoint fd
 * @info: the endpoint as it last was
 */
struct nb_endpoint {
	int fd;
	struct nb_endpoint_info info;
};

/**
 * struct nb_map - one of the two maps of a queue
 * @addr: first byte
 * @size: bytes
 */
struct nb_map {
	uint8_t *addr;
	size_t size;
};

/**
 * struct nb_queue - a queue, with all that the data path reads
 * @tx_avail: segments to transmit
 * @tx_done: completed transmits
 * @rx_avail: receive buffers
 * @rx_done: received packets
 * @state: of &enum nb_queue_state, in the kernel map
 * @need_wakeup: of &enum nb_need_wakeup, in the kernel map
 * @need_notify: of &enum nb_need_notify, in the user map
 * @tx_outstanding: packets posted and not reaped
 * @rx_outstanding: buffers posted and not reaped
 * @fd: the queue fd
 * @kick_fd: libnb's own copy of the kick eventfd, or -1
 * @kernel_map: what the kernel writes, read-only here
 * @user_map: what libnb writes
 *
 * In cache lines of its own: another thread may use another queue.
 */
struct nb_queue {
	struct nb_ring tx_avail;
	struct nb_ring tx_done;
	struct nb_ring rx_avail;
	struct nb_ring rx_done;
	const uint32_t *state;
	const uint32_t *need_wakeup;
	uint32_t *need_notify;
	uint32_t tx_outstanding;
	uint32_t rx_outstanding;
	int fd;
	int kick_fd;
	struct nb_map kernel_map;
	struct nb_map user_map;
} __attribute__((aligned(64)));

/* error.c APIs: */
int nb_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int nb_fail_text(int err, const char *text);
int nb_ioctl(int fd, unsigned long request, void *arg, struct nb_message *msg,
	     const char *what);

/* dirty.c APIs: */
void nb_dirty_forget_all(struct nb_memory *mem);
void nb_dirty_forget(struct nb_memory *mem, uint64_t gpa);

/* layout.c APIs: */
int nb_layout_check(const struct nb_queue_header *header, size_t kernel_size,
		    size_t user_size);
int nb_layout_map(struct nb_queue *queue, const struct nb_queue_info *info);
void nb_layout_unmap(struct nb_queue *queue);

#endif /* NB_INTERNAL_H */
