// SPDX-License-Identifier: GPL-2.0
/*
 * Kind netdev, XDP: a program sees what the guest sends before there is an skb, and
 * frames that others redirect here go straight into the guest's receive buffers.
 *
 * A program sees packets as they would be on the wire, whatever it then does with them:
 * a VLAN tag that is to be inserted is in the packet.  One whose head asks for an offload
 * becomes an skb first, for the stack to cut it and to fill in its checksums.
 *
 * Guest to host runs in ops->tx, under the queue's tx_lock.  Host to guest takes the
 * lock of the transmit queue, as ndo_start_xmit has it.  Programs are exchanged under
 * rtnl_lock and read under RCU.
 */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/xdp.h>

#include "compat.h"
#include "netdev.h"
#include "offload.h"
#include "queue.h"
#include "skb.h"
#include "trace.h"

/* What stands behind the packet in its buffer. */
#define NB_XDP_TAILROOM		SKB_DATA_ALIGN(sizeof(struct skb_shared_info))
/*
 * Two sizes of buffers: for an Ethernet frame with VLAN tags, whose tail may grow, and
 * a page.
 */
#define NB_XDP_SHORT		1536
#define NB_XDP_GROWTH		256
#define NB_XDP_SMALL							\
	SKB_DATA_ALIGN(XDP_PACKET_HEADROOM + NB_XDP_SHORT +		\
		       NB_XDP_GROWTH + NB_XDP_TAILROOM)
#define NB_XDP_LARGE		PAGE_SIZE
/* The longest packet that has no fragments. */
#define NB_XDP_LINEAR		(NB_XDP_LARGE - XDP_PACKET_HEADROOM - NB_XDP_TAILROOM)

/* Frames that are sent back to the guest at once. */
#define NB_XDP_BULK		16

/**
 * struct nb_xdp_run - one batch
 * @queue: its queue
 * @xq: its part of the queue
 * @dev: the net_device
 * @prog: the program
 * @list: skbs for the stack
 * @xdp: the packet at hand
 * @redirected: something was redirected
 * @n_tx: entries of @tx
 * @tx: frames that go back to the guest
 */
struct nb_xdp_run {
	struct nb_queue *queue;
	struct nb_xdp_queue *xq;
	struct net_device *dev;
	struct bpf_prog *prog;
	struct list_head *list;
	struct xdp_buff xdp;
	bool redirected;
	unsigned int n_tx;
	struct xdp_frame *tx[NB_XDP_BULK];
};

/* ---- frames to the guest ------------------------------------------------- */

static void nb_xdp_write_frags(struct nb_queue *queue, struct xdp_frame *frame)
{
	struct skb_shared_info *info = xdp_get_shared_info_from_frame(frame);
	int i;

	for (i = 0; i < info->nr_frags; i++)
		nb_rx_write(queue, skb_frag_address(&info->frags[i]),
			    skb_frag_size(&info->frags[i]));
}

/* Return: 0; -ENOBUFS without a buffer; -EMSGSIZE for one that is too small. */
static int nb_xdp_write(struct nb_queue *queue, struct xdp_frame *frame)
{
	struct nb_rx_metadata meta = { .len = xdp_get_frame_len(frame) };
	u32 capacity = nb_rx_peek(queue);

	if (unlikely(!capacity))
		return -ENOBUFS;
	if (unlikely(meta.len > capacity)) {
		nb_rx_too_small(queue);
		return -EMSGSIZE;
	}
	nb_rx_write(queue, frame->data, frame->len);
	if (xdp_frame_has_frags(frame))
		nb_xdp_write_frags(queue, frame);
	nb_rx_complete(queue, &meta);
	return 0;
}

/*
 * Put frames into the buffers of a queue.  One that is too long for its buffer is dropped,
 * which &nb_queue_stats.rx_too_small counts, and does not keep the others from theirs.
 * Return: how many of the front are done with, for the rest there is no buffer.
 */
static unsigned int nb_xdp_send(struct net_device *dev, struct nb_queue *queue,
				struct xdp_frame **frames, unsigned int n,
				u64 *sent, u64 *drops)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, queue->index);
	unsigned int i = 0;
	int err = 0;

	__netif_tx_lock(txq, smp_processor_id());
	if (!nb_queue_check(queue)) {
		nb_rx_begin(queue);
		while (i < n && err != -ENOBUFS) {
			err = nb_xdp_write(queue, frames[i]);
			i += err != -ENOBUFS;
		}
		nb_rx_flush(queue);
	}
	if (i < n)
		trace_nb_drop(queue->endpoint->id, queue->index, NB_TRACE_RX,
			      err ? NB_DROP_NO_BUFFER : NB_DROP_NO_QUEUE, n - i);
	*sent += n;
	*drops += n - i;
	__netif_tx_unlock(txq);
	return i;
}

static int nb_xdp_xmit_queue(struct net_device *dev, struct nb_queue *queue, int n,
			     struct xdp_frame **frames)
{
	struct nb_xdp_queue *xq = queue->priv;
	int done, i;

	done = nb_xdp_send(dev, queue, frames, n, &xq->counts.xmit,
			   &xq->counts.xmit_drops);
	/* The others are freed by the caller. */
	for (i = 0; i < done; i++)
		xdp_return_frame_rx_napi(frames[i]);
	return done;
}

/*
 * The queue is that of the CPU, as in other drivers: frames carry no hash, a flow comes
 * from one CPU as a rule, and CPUs do not wait for each other if there is a queue each.
 * With fewer queues, or if the stack transmits, the lock of the transmit queue keeps order.
 */
int nb_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	struct nb_queue *queue;
	int done = -ENXIO;
	unsigned int i;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (unlikely(!netif_running(dev)))
		return -ENETDOWN;
	rcu_read_lock();
	i = smp_processor_id() % READ_ONCE(dev->real_num_tx_queues);
	queue = rcu_dereference(nd->slots[i].queue);
	if (likely(queue))
		done = nb_xdp_xmit_queue(dev, queue, n, frames);
	rcu_read_unlock();
	return done;
}

static void nb_xdp_flush_tx(struct nb_xdp_run *run)
{
	struct nb_xdp_counts *counts = &run->xq->counts;
	unsigned int i;

	if (!run->n_tx)
		return;
	nb_xdp_send(run->dev, run->queue, run->tx, run->n_tx, &counts->tx, &counts->tx_drops);
	for (i = 0; i < run->n_tx; i++)
		xdp_return_frame_rx_napi(run->tx[i]);
	run->n_tx = 0;
}

/* ---- packets from the guest ---------------------------------------------- */

/* A buffer for the packet at hand, with room for its linear part. */
static bool nb_xdp_get_buffer(struct nb_xdp_run *run, unsigned int size, u32 linear)
{
	void *buffer = NULL;

	if (likely(size == NB_XDP_SMALL))
		swap(buffer, run->xq->spare);
	if (!buffer)
		buffer = napi_alloc_frag(size);
	if (unlikely(!buffer))
		return false;
	xdp_init_buff(&run->xdp, size, &run->xq->rxq);
	xdp_prepare_buff(&run->xdp, buffer, XDP_PACKET_HEADROOM, linear, true);
	return true;
}

/* The program is done with the packet at hand, and nobody else has it. */
static void nb_xdp_put_buffer(struct nb_xdp_run *run)
{
	struct xdp_buff *xdp = &run->xdp;

	if (xdp_buff_has_frags(xdp) || xdp->frame_sz != NB_XDP_SMALL || run->xq->spare)
		xdp_return_buff(xdp);
	else
		run->xq->spare = xdp->data_hard_start;
}

/**
 * struct nb_xdp_source - a packet that is to be copied for a program
 * @queue: the queue
 * @iter: what is left of it in the guest's memory
 * @skb: where it is instead, or NULL
 * @offset: what is left begins here in @skb
 * @len: its bytes
 * @tci: VLAN tag to be inserted
 * @tag_len: VLAN_HLEN, or 0 without a tag
 */
struct nb_xdp_source {
	struct nb_queue *queue;
	struct nb_packet_iter iter;
	const struct sk_buff *skb;
	u32 offset;
	u32 len;
	u16 tci;
	u16 tag_len;
};

static void nb_xdp_source_init(struct nb_xdp_source *source, struct nb_queue *queue,
			       const struct nb_packet *packet, const struct sk_buff *skb)
{
	*source = (struct nb_xdp_source){
		.queue = queue,
		.iter.packet = packet,
		.skb = skb,
		.len = skb ? skb->len : packet->len,
		.tci = packet->seg->vlan,
		.tag_len = packet->seg->flags & NB_TX_VLAN ? VLAN_HLEN : 0,
	};
}

static void nb_xdp_take(struct nb_xdp_source *source, void *to, u32 len)
{
	if (likely(!source->skb)) {
		nb_packet_copy(source->queue, &source->iter, to, len);
		return;
	}
	/* The skb is no shorter than the source. */
	skb_copy_bits(source->skb, source->offset, to, len);
	source->offset += len;
}

/* The tag that the guest wants inserted is a part of what a program sees. */
static void nb_xdp_copy_linear(struct nb_xdp_source *source, void *to, u32 len)
{
	struct vlan_ethhdr *vlan = to;

	if (!source->tag_len) {
		nb_xdp_take(source, to, len);
		return;
	}
	nb_xdp_take(source, to, 2 * ETH_ALEN);
	vlan->h_vlan_proto = htons(ETH_P_8021Q);
	vlan->h_vlan_TCI = htons(source->tci);
	nb_xdp_take(source, &vlan->h_vlan_encapsulated_proto, len - 2 * ETH_ALEN - VLAN_HLEN);
}

static bool nb_xdp_copy_frags(struct nb_xdp_source *source, struct xdp_buff *xdp, u32 left)
{
	struct skb_shared_info *info = xdp_get_shared_info_from_buff(xdp);

	info->nr_frags = 0;
	info->xdp_frags_size = 0;
	xdp_buff_set_frags_flag(xdp);
	while (left) {
		u32 len = min_t(u32, left, PAGE_SIZE);
		struct page *page;

		if (info->nr_frags == MAX_SKB_FRAGS)
			return false;
		page = alloc_page(GFP_ATOMIC | __GFP_NOWARN | __GFP_NOMEMALLOC);
		if (!page)
			return false;
		nb_xdp_take(source, page_address(page), len);
		__skb_fill_page_desc_noacc(info, info->nr_frags++, page, 0, len);
		info->xdp_frags_size += len;
		left -= len;
	}
	return true;
}

/* A packet that is long, in pieces, has a tag, or is in an skb. */
static bool nb_xdp_copy_any(struct nb_xdp_run *run, struct nb_xdp_source *source)
{
	u32 len = source->len + source->tag_len;
	u32 linear = min_t(u32, len, NB_XDP_LINEAR);

	if (len > linear && !run->prog->aux->xdp_has_frags)
		return false;
	if (!nb_xdp_get_buffer(run, len <= NB_XDP_SHORT ? NB_XDP_SMALL : NB_XDP_LARGE, linear))
		return false;
	nb_xdp_copy_linear(source, run->xdp.data, linear);
	if (len == linear || nb_xdp_copy_frags(source, &run->xdp, len - linear))
		return true;
	xdp_return_buff(&run->xdp);
	return false;
}

/* Copy a packet into a buffer that a program can work on: the packet at hand. */
static bool nb_xdp_copy(struct nb_xdp_run *run, const struct nb_packet *packet)
{
	const void *va = packet->va[0];
	struct nb_xdp_source source;

	if (unlikely(packet->n_segs > 1 || !va || packet->len > NB_XDP_SHORT ||
		     (packet->seg->flags & NB_TX_VLAN))) {
		nb_xdp_source_init(&source, run->queue, packet, NULL);
		return nb_xdp_copy_any(run, &source);
	}
	if (!nb_xdp_get_buffer(run, NB_XDP_SMALL, packet->len))
		return false;
	memcpy(run->xdp.data, va, packet->len);
	return true;
}

/* napi_build_skb() clears what it does not know of: the fragments are put back. */
static void nb_xdp_add_frags(struct sk_buff *skb, u8 n, u32 size)
{
	skb_shinfo(skb)->nr_frags = n;
	skb_shinfo(skb)->xdp_frags_size = size;
	skb->len += size;
	skb->data_len += size;
	skb->truesize += n * PAGE_SIZE;
}

/*
 * The stack takes the first tag out of a packet, but drops one with less than two bytes
 * behind it.  What a guest may send, a program that lets it pass does not lose.
 */
static void nb_xdp_untag_short(struct sk_buff *skb, u32 metasize)
{
	const struct vlan_ethhdr *vlan = (struct vlan_ethhdr *)skb->data;

	if (skb->len < VLAN_ETH_HLEN || vlan->h_vlan_proto != htons(ETH_P_8021Q))
		return;
	__vlan_hwaccel_put_tag(skb, vlan->h_vlan_proto, ntohs(vlan->h_vlan_TCI));
	memmove(skb->data - metasize + VLAN_HLEN, skb->data - metasize,
		metasize + 2 * ETH_ALEN);
	__skb_pull(skb, VLAN_HLEN);
}

static void nb_xdp_pass(struct nb_xdp_run *run)
{
	struct xdp_buff *xdp = &run->xdp;
	struct skb_shared_info *info = xdp_get_shared_info_from_buff(xdp);
	u32 metasize = xdp->data - xdp->data_meta;
	u32 frags_size = 0;
	struct sk_buff *skb;
	u8 n_frags = 0;

	if (unlikely(xdp_buff_has_frags(xdp))) {
		n_frags = info->nr_frags;
		frags_size = info->xdp_frags_size;
	}
	skb = napi_build_skb(xdp->data_hard_start, xdp->frame_sz);
	if (unlikely(!skb)) {
		run->xq->counts.drops++;
		nb_trace_drop(run->queue, NB_TRACE_TX, NB_DROP_NO_MEMORY);
		xdp_return_buff(xdp);
		return;
	}
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (n_frags)
		nb_xdp_add_frags(skb, n_frags, frags_size);
	if (unlikely(skb->len < VLAN_ETH_HLEN + 2))
		nb_xdp_untag_short(skb, metasize);
	if (metasize)
		skb_metadata_set(skb, metasize);
	skb->protocol = eth_type_trans(skb, run->dev);
	skb_record_rx_queue(skb, run->queue->index);
	list_add_tail(&skb->list, run->list);
}

static void nb_xdp_tx(struct nb_xdp_run *run)
{
	struct xdp_frame *frame = xdp_convert_buff_to_frame(&run->xdp);

	if (unlikely(!frame)) {
		trace_xdp_exception(run->dev, run->prog, XDP_TX);
		run->xq->counts.drops++;
		nb_trace_drop(run->queue, NB_TRACE_TX, NB_DROP_XDP);
		xdp_return_buff(&run->xdp);
		return;
	}
	run->tx[run->n_tx++] = frame;
	if (run->n_tx == NB_XDP_BULK)
		nb_xdp_flush_tx(run);
}

static void nb_xdp_redirect(struct nb_xdp_run *run)
{
	if (unlikely(xdp_do_redirect(run->dev, &run->xdp, run->prog))) {
		trace_xdp_exception(run->dev, run->prog, XDP_REDIRECT);
		run->xq->counts.drops++;
		nb_trace_drop(run->queue, NB_TRACE_TX, NB_DROP_XDP);
		xdp_return_buff(&run->xdp);
		return;
	}
	run->xq->counts.redirects++;
	run->redirected = true;
}

/* Run the program on the packet at hand, and do what it says. */
static void nb_xdp_act(struct nb_xdp_run *run)
{
	u32 action;

	run->xq->counts.packets++;
	action = bpf_prog_run_xdp(run->prog, &run->xdp);
	switch (action) {
	case XDP_PASS:
		nb_xdp_pass(run);
		return;
	case XDP_TX:
		nb_xdp_tx(run);
		return;
	case XDP_REDIRECT:
		nb_xdp_redirect(run);
		return;
	default:
		bpf_warn_invalid_xdp_action(run->dev, run->prog, action);
		fallthrough;
	case XDP_ABORTED:
		trace_xdp_exception(run->dev, run->prog, action);
		fallthrough;
	case XDP_DROP:
		run->xq->counts.drops++;
		nb_trace_drop(run->queue, NB_TRACE_TX, NB_DROP_XDP);
		nb_xdp_put_buffer(run);
	}
}

static void nb_xdp_run_plain(struct nb_xdp_run *run, struct nb_packet *packet)
{
	if (likely(nb_xdp_copy(run, packet))) {
		nb_xdp_act(run);
		return;
	}
	run->xq->counts.drops++;
	nb_packet_drop(packet, NB_DROP_NO_MEMORY);
}

/*
 * Have the stack do what is left to do to a packet.
 * Return: the packet, or the list of those that it was cut into; NULL without memory.
 */
static struct sk_buff *nb_xdp_finish(struct nb_xdp_run *run, struct sk_buff *skb)
{
	struct sk_buff *segs = NULL;

	if (skb_is_gso(skb)) {
		skb->dev = run->dev;
		skb->protocol = eth_hdr(skb)->h_proto;
		/* Without any feature: complete. */
		segs = skb_gso_segment(skb, 0);
	} else if (skb->ip_summed != CHECKSUM_PARTIAL || !skb_checksum_help(skb)) {
		return skb;
	}
	if (IS_ERR_OR_NULL(segs)) {
		run->xq->counts.drops++;
		nb_drop_skb(skb, NB_DROP_OFFLOAD);
		return NULL;
	}
	consume_skb(skb);
	return segs;
}

/* A packet with an offload.  It is complete if one that was made of it reaches the program. */
static void nb_xdp_run_offload(struct nb_xdp_run *run, struct nb_packet *packet)
{
	struct sk_buff *skb = nb_skb_build(run->queue, packet), *next;
	struct nb_xdp_source source;
	bool seen = false;

	if (!skb)
		return;
	for (skb = nb_xdp_finish(run, skb); skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		nb_xdp_source_init(&source, run->queue, packet, skb);
		if (likely(nb_xdp_copy_any(run, &source))) {
			nb_xdp_act(run);
			seen = true;
		} else {
			run->xq->counts.drops++;
		}
		consume_skb(skb);
	}
	if (unlikely(!seen))
		nb_packet_drop(packet, NB_DROP_NO_MEMORY);
}

void nb_xdp_receive(struct nb_queue *queue, struct nb_packet *packets, unsigned int n,
		    struct net_device *dev, struct bpf_prog *prog, struct list_head *list)
{
	struct nb_xdp_run run = {
		.queue = queue,
		.xq = queue->priv,
		.dev = dev,
		.prog = prog,
		.list = list,
	};
	struct nb_bpf_ctx ctx;
	unsigned int i;

	nb_bpf_ctx_set(&ctx);
	for (i = 0; i < n; i++) {
		if (packets[i].status != NB_TX_OK)
			continue;
		if (likely(!(packets[i].seg->flags & NB_TX_OFFLOAD_FLAGS)))
			nb_xdp_run_plain(&run, &packets[i]);
		else
			nb_xdp_run_offload(&run, &packets[i]);
	}
	nb_xdp_flush_tx(&run);
	if (run.redirected)
		xdp_do_flush();
	nb_bpf_ctx_clear(&ctx);
}

/* ---- programs and queues ------------------------------------------------- */

bool nb_xdp_allows_mtu(const struct bpf_prog *prog, int mtu)
{
	return !prog || prog->aux->xdp_has_frags || mtu + ETH_HLEN + VLAN_HLEN <= NB_XDP_LINEAR;
}

int nb_xdp_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	struct nb_netdev *nd = nb_netdev_of_dev(dev);
	struct bpf_prog *old;

	ASSERT_RTNL();
	if (bpf->command != XDP_SETUP_PROG)
		return -EINVAL;
	if (!nb_xdp_allows_mtu(bpf->prog, dev->mtu)) {
		NL_SET_ERR_MSG_MOD(bpf->extack,
				   "the MTU needs a program with XDP fragments");
		return -EOPNOTSUPP;
	}
	old = rcu_replace_pointer(nd->xdp_prog, bpf->prog, lockdep_rtnl_is_held());
	if (old)
		bpf_prog_put(old);
	return 0;
}

int nb_xdp_queue_create(struct net_device *dev, struct nb_queue *queue)
{
	struct nb_xdp_queue *xq = kzalloc(sizeof(*xq), GFP_KERNEL_ACCOUNT);
	int err;

	if (!xq)
		return -ENOMEM;
	/* Fragments are pages, in which a tail may grow. */
	err = __xdp_rxq_info_reg(&xq->rxq, dev, queue->index, 0, PAGE_SIZE);
	if (!err) {
		err = xdp_rxq_info_reg_mem_model(&xq->rxq, MEM_TYPE_PAGE_SHARED, NULL);
		if (err)
			xdp_rxq_info_unreg(&xq->rxq);
	}
	if (err) {
		kfree(xq);
		return err;
	}
	queue->priv = xq;
	return 0;
}

void nb_xdp_queue_destroy(struct nb_queue *queue)
{
	struct nb_xdp_queue *xq = queue->priv;

	xdp_rxq_info_unreg(&xq->rxq);
	if (xq->spare)
		skb_free_frag(xq->spare);
	kfree(xq);
	queue->priv = NULL;
}
