/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why packets are dropped: one list for counters, tracepoints and skbs.
 *
 * A reason's number stays what it is, new ones come at the end: programs that trace know
 * them by number.  Documentation/tracing.rst says which counter counts what.
 */
#ifndef _NB_DROP_H
#define _NB_DROP_H

#include <linux/types.h>

struct sk_buff;

/*
 * Those up to SAME_PORT are counted by the port of a switch that is to blame, see
 * &nb_port.drops; it is the sender's from VLAN on.
 *
 *	NO_BUFFER	no receive buffer
 *	TOO_SMALL	the receive buffer is too small
 *	DOWN		the receiver has no queue that runs, or its link is down
 *	VLAN		the VLAN is not allowed, where it comes from or goes to
 *	ISOLATED	to another isolated port
 *	FLOOD_LIMIT	above a flood limit
 *	SOURCE		its source is not the address of one station
 *	SAME_PORT	to where it comes from
 *	INVALID		NB_TX_INVALID
 *	FAULT		NB_TX_FAULT
 *	UNSUPPORTED	NB_TX_UNSUPPORTED
 *	BACKEND		the backend does not say why
 *	NO_MEMORY	the host has no memory
 *	LINK_DOWN	the operator has set the link down
 *	INTERFACE_DOWN	the interface is down, has no carrier, or is gone
 *	TOO_LONG	longer than the network interface transmits
 *	REFUSED		by a program, a queueing discipline or an interface
 *	NO_QUEUE	there is no queue, or none that runs
 *	OFFLOAD		a frontend that takes no offload, and the host could not do it
 *	XDP		by a program, or by what it wanted
 */
#define NB_DROPS(X)							\
	X(NO_BUFFER) X(TOO_SMALL) X(DOWN) X(VLAN) X(ISOLATED)		\
	X(FLOOD_LIMIT) X(SOURCE) X(SAME_PORT)				\
	X(INVALID) X(FAULT) X(UNSUPPORTED)				\
	X(BACKEND) X(NO_MEMORY) X(LINK_DOWN) X(INTERFACE_DOWN)		\
	X(TOO_LONG) X(REFUSED) X(NO_QUEUE) X(OFFLOAD) X(XDP)

#define NB_DROP_ENUM(reason)	NB_DROP_##reason,

enum nb_drop {
	NB_DROPS(NB_DROP_ENUM)
	NB_DROP_N,
	NB_DROP_PORT_N = NB_DROP_SAME_PORT + 1,
};

#undef NB_DROP_ENUM

/* Free an skb, or a list of them, that is dropped; the kernel's own drop monitor is told why. */
void nb_drop_skb(struct sk_buff *skb, enum nb_drop why);
void nb_drop_skb_list(struct sk_buff *list, enum nb_drop why);

/* The same of one, in any context. */
void nb_drop_skb_any(struct sk_buff *skb, enum nb_drop why);

#endif /* _NB_DROP_H */
