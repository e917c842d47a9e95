// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach: how much of a guest is on its way, and going on when that is less.
 *
 * The packets of a queue that are in a queueing discipline or in a NIC's ring belong to a
 * socket that nobody sees, as those of a program on the host belong to its socket, and
 * may be as many bytes: net.core.wmem_default.  What is above that stays in tx-avail.
 * Where a packet ends, the socket gets its bytes back by sock_wfree(), in any context:
 *
 *    nb_attach_may_send()                 where a packet ends
 *
 *    waits = true                         give the bytes back
 *    full fence                 (W)       full fence                       (W')
 *    look at the bytes                    read waits
 *    leave packets, if they are many      if few are left: resume
 *
 * (W) pairs with (W'): one of the two sees what the other has written.
 *
 * A transmit queue that is stopped, and a queueing discipline that is full, may be so by
 * packets of others, and tell nobody; so who waits for them is resumed after a jiffy at
 * the latest.
 *
 * The queue's thread does that, see poller.c, so that it is in the cgroups of whoever made the
 * queue.
 *
 * Owns &nb_attach_slot.sk.  Takes no locks.  nb_attach_may_send() and nb_attach_wait()
 * under &nb_queue.tx_lock.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/timer.h>
#include <net/sock.h>

#include "attach.h"
#include "compat.h"
#include "poller.h"
#include "queue.h"

/* The skbs that it still has hold the module. */
static struct proto nb_attach_proto = {
	.name = "net_backend",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct sock),
};

static bool nb_attach_has_room(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) <= READ_ONCE(sk->sk_sndbuf) / 2;
}

/* In an RCU read section. */
static void nb_attach_resume(struct nb_attach_slot *slot)
{
	struct nb_queue *queue = rcu_dereference(slot->queue);

	if (queue)
		nb_poller_go_on(queue);
}

/* Where a packet ends: any context. */
static void nb_attach_write_space(struct sock *sk)
{
	struct nb_attach_slot *slot;

	if (!nb_attach_has_room(sk))
		return;
	smp_mb(); /* (W') */
	rcu_read_lock();
	slot = rcu_dereference_sk_user_data(sk);
	if (slot && READ_ONCE(slot->waits)) {
		WRITE_ONCE(slot->waits, false);
		nb_attach_resume(slot);
	}
	rcu_read_unlock();
}

static void nb_attach_time_out(struct timer_list *timer)
{
	struct nb_attach_slot *slot = timer_container_of(slot, timer, resume);

	rcu_read_lock();
	nb_attach_resume(slot);
	rcu_read_unlock();
}

int nb_attach_wait_init(struct nb_attach_slot *slot)
{
	struct sock *sk;

	/* It may outlive the namespace of the interface. */
	sk = sk_alloc(&init_net, AF_UNSPEC, GFP_KERNEL_ACCOUNT, &nb_attach_proto, 1);
	if (!sk)
		return -ENOMEM;
	sock_init_data(NULL, sk);
	sk->sk_write_space = nb_attach_write_space;
	timer_setup(&slot->resume, nb_attach_time_out, 0);
	slot->waits = false;
	slot->sk = sk;
	rcu_assign_sk_user_data(sk, slot);
	return 0;
}

void nb_attach_wait_disable(struct nb_attach_slot *slot)
{
	rcu_assign_sk_user_data(slot->sk, NULL);
}

void nb_attach_wait_exit(struct nb_attach_slot *slot)
{
	timer_delete_sync(&slot->resume);
	sk_free(slot->sk);
	slot->sk = NULL;
}

bool nb_attach_may_send(struct nb_attach_slot *slot)
{
	if (likely(sk_wmem_alloc_get(slot->sk) < READ_ONCE(slot->sk->sk_sndbuf)))
		return true;
	WRITE_ONCE(slot->waits, true);
	smp_mb(); /* (W) */
	return nb_attach_has_room(slot->sk);
}

bool nb_attach_is_idle(const struct nb_attach_slot *slot)
{
	return !sk_wmem_alloc_get(slot->sk);
}

void nb_attach_wait(struct nb_attach_slot *slot)
{
	WRITE_ONCE(slot->waits, true);
	timer_reduce(&slot->resume, jiffies + 1);
}
