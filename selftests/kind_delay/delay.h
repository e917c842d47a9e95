/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Kind delay, as user space sees it: the params of NB_CREATE_ENDPOINT.
 */
#ifndef _NB_KIND_DELAY_H
#define _NB_KIND_DELAY_H

#include <linux/types.h>

/** define NB_DELAY_MAX_US - longest delay, and longest jitter: 10 seconds */
#define NB_DELAY_MAX_US		10000000
/** define NB_DELAY_LIMIT - bytes that a queue holds, by default */
#define NB_DELAY_LIMIT		(1024 * 1024)
/** define NB_DELAY_MAX_LIMIT - and at most */
#define NB_DELAY_MAX_LIMIT	(16 * 1024 * 1024)

/**
 * struct nb_delay_params - what an endpoint of kind delay does to packets
 * @delay_us: microseconds from transmit to receive, at most NB_DELAY_MAX_US
 * @jitter_us: up to so many more, at most NB_DELAY_MAX_US; packets then overtake each
 *	other, and the endpoint does not promise NB_ENDPOINT_ORDERED
 * @loss: of each queue, each packet whose number, from 1, is a multiple of this is
 *	lost; 0: none is
 * @limit: when a queue holds so many bytes, the kernel's own included, what is sent is
 *	dropped (NB_TX_DROPPED); 0: NB_DELAY_LIMIT; at most NB_DELAY_MAX_LIMIT
 * @seed: of the jitter: the same seed, the same packets, the same jitter
 */
struct nb_delay_params {
	__u32 delay_us;
	__u32 jitter_us;
	__u32 loss;
	__u32 limit;
	__aligned_u64 seed;
};

#endif /* _NB_KIND_DELAY_H */
