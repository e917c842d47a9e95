/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of XDP share: packets of up to 64 KiB from a guest and where they
 * turn up, the counters, and programs.
 */
#ifndef NBXDP_H
#define NBXDP_H

#include <stdbool.h>
#include <stdint.h>

#include "nbbpf.h"
#include "nbtest.h"

/* ---- packets ------------------------------------------------------------- */

#define NB_XDP_FRAME	65535u		/* the longest packet */
#define NB_XDP_MTU	(NB_XDP_FRAME - NB_HEADER_LEN)
/* Memory at NB_MORE_GPA: the packet to transmit, then large receive buffers. */
#define NB_XDP_BUFFER	(72u << 10)
#define NB_XDP_BUFFERS	32u
#define NB_XDP_MEMORY	(NB_XDP_BUFFER * (NB_XDP_BUFFERS + 1))

/* Makes all of a NIC's buffers large ones: "n" from the first on. */
void nb_xdp_use_large_buffers(struct nb_nic *nic, unsigned int first, unsigned int n);
/*
 * Sends a frame whose bytes depend on its length, in that many segments, with a VLAN
 * tag unless that is NB_NO_VLAN: it ends with NB_TX_OK.
 */
void nb_xdp_send(struct nb_nic *nic, unsigned int queue, uint32_t len, unsigned int segments,
		 int vlan);
/* Whether the next packet is this one. */
bool nb_xdp_host_gets(struct nb_host *host, const void *frame, size_t len, int vlan);
bool nb_xdp_guest_gets(struct nb_nic *nic, unsigned int queue, const void *frame, size_t len);
/* Whether it is the frame of that length. */
bool nb_xdp_reaches_host(struct nb_host *host, uint32_t len);
bool nb_xdp_reaches_guest(struct nb_nic *nic, unsigned int queue, uint32_t len);
/* Whether there is no packet for the guest. */
bool nb_xdp_guest_silent(struct nb_nic *nic, unsigned int queue);

/* 0 or a negative errno. */
int nb_xdp_set_mtu(const char *name, unsigned int mtu);
/* A counter of ethtool -S: rx_queue_QUEUE_xdp_NAME, and tx_… for xmit and xmit_drops. */
uint64_t nb_xdp_count(const struct nb_nic *nic, unsigned int queue, const char *name);

/* ---- programs ------------------------------------------------------------ */

/* Redirects everything to entry 0 of a map, or to that of the queue's number. */
int nb_xdp_redirects(int map);
int nb_xdp_redirects_by_queue(int map);
/* Drops what has an IEEE 802.1Q tag with that TCI, and lets the rest pass. */
int nb_xdp_drops_vlan(uint16_t tci);
/* Inserts a tag, or takes the first one away. */
int nb_xdp_pushes_vlan(uint16_t tci, int action);
int nb_xdp_pops_vlan(int action);
/* Moves the end of the packet; if it may not, it aborts. */
int nb_xdp_moves_tail(int delta, int action);
/* Counts packets in an array, by the number of the CPU. */
int nb_xdp_counts_cpus(int array, int action);
/* Puts a word in front of the packet; and a classifier that counts it in an array. */
int nb_xdp_adds_metadata(int action);
int nb_xdp_counts_metadata(int array);

#endif /* NBXDP_H */
