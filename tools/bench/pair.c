// SPDX-License-Identifier: GPL-2.0
/*
 * A pair of veth, the lower of which somebody takes over: kind attach, macvtap, sockets
 *
 * What is sent by one end arrives at the other, where the host's stack drops it unless
 * somebody takes it: nobody handles its Ethernet type.
 */

#include <net/if.h>

#include "bench.h"

void pair_close(struct pair *pair)
{
	if (pair->lower > 0)
		link_remove(pair->lower);
}

int pair_open(struct pair *pair, const struct shape *shape)
{
	pair->lower = link_add("veth", "lower", mtu_for(shape));
	/* The namespace is ours, and the kernel numbers the other end from 0. */
	pair->other = if_nametoindex("veth0");
	/* An end runs when both are up. */
	if (pair->lower > 0 && pair->other > 0 && link_set_mtu(pair->other, mtu_for(shape)) == 0 &&
	    link_set_up(pair->lower) == 0 && link_up(pair->other) == 0 &&
	    link_up(pair->lower) == 0)
		return 0;
	pair_close(pair);
	return -1;
}
