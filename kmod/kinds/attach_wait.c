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
 *    full fence                 (G)       full fence                       (G')
 *    look at the bytes                    read waits
 *    leave packets, if they are many      if few are left: resume
 *
 * (G) pairs with (G'): one of the two sees what the other has written.
 *
 * A transmit queue that is stopped, and a queueing discipline that is full, may be so by
 * packets of others, and tell nobody; so who waits for them is resumed after a jiffy at
 * the latest.
 *
 * Owns &nb_attach_slot.sk.  Takes no locks.  nb_attach_may_send() and nb_attach_wait()
 * under &nb_queue.tx_lock; the work runs in process context and takes that.
 */
#include <linux/module.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "attach.h"
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

/* Where a packet ends: any context. */
static void nb_attach_write_space(struct sock *sk)
{
	struct nb_attach_slot *slot;

	if (!nb_attach_has_room(sk))
		return;
	smp_mb(); /* (G') */
	rcu_read_lock();
	slot = rcu_dereference_sk_user_data(sk);
	if (slot && READ_ONCE(slot->waits)) {
		WRITE_ONCE(slot->waits, false);
		mod_delayed_work(nb_workqueue, &slot->resume, 0);
	}
	rcu_read_unlock();
}

static void nb_attach_resume(struct work_struct *work)
{
	struct nb_attach_slot *slot = container_of(to_delayed_work(work),
						   struct nb_attach_slot, resume);
	/* nb_attach_wait_exit() waits for us before the queue goes. */
	struct nb_queue *queue = rcu_dereference_protected(slot->queue, true);
	struct nb_enter result = {};

	if (queue)
		nb_queue_drive(queue, 0, &result);
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
	INIT_DELAYED_WORK(&slot->resume, nb_attach_resume);
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
	cancel_delayed_work_sync(&slot->resume);
	sk_free(slot->sk);
	slot->sk = NULL;
}

bool nb_attach_may_send(struct nb_attach_slot *slot)
{
	if (likely(sk_wmem_alloc_get(slot->sk) < READ_ONCE(slot->sk->sk_sndbuf)))
		return true;
	WRITE_ONCE(slot->waits, true);
	smp_mb(); /* (G) */
	return nb_attach_has_room(slot->sk);
}

bool nb_attach_is_idle(const struct nb_attach_slot *slot)
{
	return !sk_wmem_alloc_get(slot->sk);
}

void nb_attach_wait(struct nb_attach_slot *slot)
{
	WRITE_ONCE(slot->waits, true);
	queue_delayed_work(nb_workqueue, &slot->resume, 1);
}
