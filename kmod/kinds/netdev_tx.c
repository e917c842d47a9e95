// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev, guest to host: packets become skbs, which the stack takes.
 *
 * Takes no locks.  Under the queue's tx_lock, in an RCU read section with bottom halves
 * off.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

#include "netdev.h"
#include "queue.h"
#include "skb.h"

/* What the stack is given at once: packets, and bytes. */
#define NB_NETDEV_LIST		16
#define NB_NETDEV_LIST_BYTES	(32 * 1024)

static struct sk_buff *nb_netdev_skb(struct nb_queue *queue, struct nb_packet *packet,
				     struct net_device *dev)
{
	struct sk_buff *skb = nb_skb_build_any(queue, packet);

	if (unlikely(!skb))
		return NULL;
	skb->protocol = eth_type_trans(skb, dev);
	skb_record_rx_queue(skb, queue->index);
	return skb;
}

/**
 * struct nb_netdev_list - skbs that the stack is to take as a list
 * @to_ip: they come to IP, and not to a bridge or the like
 * @head: the list
 * @n: its entries
 * @bytes: their sum
 */
struct nb_netdev_list {
	bool to_ip;
	struct list_head head;
	unsigned int n;
	unsigned int bytes;
};

/* Does the stack take a list of such packets any better than each by itself?  Only IP does. */
static bool nb_netdev_likes_list(const struct nb_netdev_list *list, const struct sk_buff *skb)
{
	return list->to_ip && (skb->protocol == htons(ETH_P_IP) ||
			       skb->protocol == htons(ETH_P_IPV6));
}

static void nb_netdev_pass_list(struct nb_netdev_list *list)
{
	if (!list->n)
		return;
	netif_receive_skb_list(&list->head);
	INIT_LIST_HEAD(&list->head);
	list->n = 0;
	list->bytes = 0;
}

/*
 * Lists are short: what the stack drops, or is done with at once, is what the next packets
 * are made of.
 */
static void nb_netdev_pass(struct sk_buff *skb, struct nb_netdev_list *list)
{
	if (!nb_netdev_likes_list(list, skb)) {
		nb_netdev_pass_list(list);
		netif_receive_skb(skb);
		return;
	}
	list_add_tail(&skb->list, &list->head);
	list->n++;
	list->bytes += skb->len;
	if (list->n == NB_NETDEV_LIST || list->bytes >= NB_NETDEV_LIST_BYTES)
		nb_netdev_pass_list(list);
}

static void nb_netdev_receive(struct nb_queue *queue, struct nb_packet *packets,
			      unsigned int n, struct net_device *dev)
{
	struct nb_netdev_list list = {
		.to_ip = !rcu_access_pointer(dev->rx_handler),
		.head = LIST_HEAD_INIT(list.head),
	};
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct sk_buff *skb;

		if (unlikely(packets[i].status != NB_TX_OK))
			continue;
		skb = nb_netdev_skb(queue, &packets[i], dev);
		if (likely(skb))
			nb_netdev_pass(skb, &list);
	}
	nb_netdev_pass_list(&list);
}

/* A program sees the whole batch before the stack sees what passes. */
static void nb_netdev_receive_xdp(struct nb_queue *queue, struct nb_packet *packets,
				  unsigned int n, struct net_device *dev,
				  struct bpf_prog *prog)
{
	LIST_HEAD(list);

	nb_xdp_receive(queue, packets, n, dev, prog, &list);
	if (!list_empty(&list))
		netif_receive_skb_list(&list);
}

static void nb_netdev_drop(struct nb_packet *packets, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (packets[i].status == NB_TX_OK)
			nb_packet_drop(&packets[i], NB_DROP_INTERFACE_DOWN);
}

unsigned int nb_netdev_tx(struct nb_queue *queue, struct nb_packet *packets,
			  unsigned int n)
{
	struct nb_netdev *nd = nb_netdev_of(queue->backend);
	struct net_device *dev = rcu_dereference(nd->dev);
	struct bpf_prog *prog = rcu_dereference(nd->xdp_prog);

	if (unlikely(!dev || !netif_running(dev)))
		nb_netdev_drop(packets, n);
	else if (prog)
		nb_netdev_receive_xdp(queue, packets, n, dev, prog);
	else
		nb_netdev_receive(queue, packets, n, dev);
	return n;
}
