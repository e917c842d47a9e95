// SPDX-License-Identifier: GPL-2.0
/*
 * Packets of a guest ↔ skbs: one copy, with what metadata and skbs say of checksums,
 * segmentation and VLAN.
 *
 * Owns nothing, takes no locks; contexts as in packet.h and buffer.h.
 */
#include <linux/build_bug.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/skbuff.h>

#include "frags.h"
#include "offload.h"
#include "queue.h"
#include "skb.h"

/* Packets up to this length are linear, in a fragment of a page. */
#define NB_SKB_LINEAR		2048
/* Bytes of a longer packet that are linear: all headers that the stack looks at. */
#define NB_SKB_HEAD		256
/* In front of a packet, for whoever pushes a header on its way. */
#define NB_SKB_HEADROOM		(NET_SKB_PAD + NET_IP_ALIGN)

/* ---- guest to host ------------------------------------------------------- */

/* An skb with @len bytes, all of which the caller writes. */
static __always_inline struct sk_buff *nb_skb_alloc(unsigned int len)
{
	unsigned int size = SKB_DATA_ALIGN(NB_SKB_HEADROOM + max_t(u32, len, ETH_ZLEN)) +
			    SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	void *data = nb_frag_alloc(size);
	struct sk_buff *skb;

	if (unlikely(!data))
		return NULL;
	skb = napi_build_skb(data, size);
	if (unlikely(!skb)) {
		skb_free_frag(data);
		return NULL;
	}
	skb_reserve(skb, NB_SKB_HEADROOM);
	__skb_put(skb, len);
	return skb;
}

/* A short packet: one fragment of a page, all of it linear. */
static struct sk_buff *nb_skb_build_linear(struct nb_queue *queue,
					   const struct nb_packet *packet)
{
	struct nb_packet_iter iter = { .packet = packet };
	const void *from = nb_packet_contiguous(packet);
	struct sk_buff *skb = nb_skb_alloc(packet->len);

	if (unlikely(!skb))
		return NULL;
	if (likely(from))
		memcpy(skb->data, from, packet->len);
	else
		nb_packet_copy(queue, &iter, skb->data, packet->len);
	/* A device that sends more of it than there is does not send another's bytes. */
	if (unlikely(packet->len < ETH_ZLEN))
		memset(skb_tail_pointer(skb), 0, ETH_ZLEN - packet->len);
	return skb;
}

/* Append @len bytes in pages; false without memory. */
static bool nb_skb_add_frags(struct nb_queue *queue, struct nb_packet_iter *iter,
			     struct sk_buff *skb, u32 len)
{
	unsigned int i;

	for (i = 0; len; i++) {
		unsigned int size, chunk;
		void *to = nb_frag_alloc_most(len, &size);
		struct page *page;

		if (unlikely(!to))
			return false;
		page = virt_to_head_page(to);
		chunk = min(len, size);
		skb_add_rx_frag(skb, i, page, to - page_address(page), chunk, size);
		nb_packet_copy(queue, iter, to, chunk);
		len -= chunk;
	}
	return true;
}

/* A long one: the headers linear, the rest in pages. */
static struct sk_buff *nb_skb_build_paged(struct nb_queue *queue,
					  const struct nb_packet *packet)
{
	struct nb_packet_iter iter = { .packet = packet };
	struct sk_buff *skb = nb_skb_alloc(NB_SKB_HEAD);

	/* No fragment but the last is shorter than a page. */
	BUILD_BUG_ON(NB_MAX_PACKET_LEN - NB_SKB_HEAD > MAX_SKB_FRAGS * PAGE_SIZE);
	if (unlikely(!skb))
		return NULL;
	nb_packet_copy(queue, &iter, skb->data, NB_SKB_HEAD);
	if (likely(nb_skb_add_frags(queue, &iter, skb, packet->len - NB_SKB_HEAD)))
		return skb;
	nb_drop_skb(skb, NB_DROP_NO_MEMORY);
	return NULL;
}

/* Append bytes that are contiguous in the direct map; false if there are too many pieces. */
static __always_inline bool nb_skb_add_guest_pages(struct skb_shared_info *info,
						   const void *va, u32 len)
{
	while (len) {
		struct page *page = virt_to_page(va);
		u32 chunk = PAGE_SIZE - offset_in_page(va);

		/* Two pages make one piece only if they have one reference count. */
		if (unlikely(chunk < len)) {
			struct page *head = compound_head(page);

			chunk = min_t(u64, len, page_size(head) - (va - page_address(head)));
		}
		chunk = min(chunk, len);
		if (unlikely(info->nr_frags == MAX_SKB_FRAGS))
			return false;
		get_page(page);
		__skb_fill_page_desc_noacc(info, info->nr_frags++, page, offset_in_page(va),
					   chunk);
		va += chunk;
		len -= chunk;
	}
	return true;
}

/* The same of a segment that is not contiguous. */
static bool nb_skb_add_scattered(struct nb_queue *queue, struct skb_shared_info *info,
				 const struct nb_tx_segment *seg, u32 offset, u32 len)
{
	/* Found by nb_tx_locate() in this RCU read section. */
	const struct nb_region *region = nb_mem_find(&queue->tx_cache, seg->gpa, seg->len);
	u64 gpa = seg->gpa + offset;

	while (len) {
		u64 contig;
		const void *va = nb_region_ptr(region, gpa, &contig);
		u32 chunk = min_t(u64, contig, len);

		if (unlikely(!nb_skb_add_guest_pages(info, va, chunk)))
			return false;
		gpa += chunk;
		len -= chunk;
	}
	return true;
}

/* Append what is left of a packet where it is, with a reference to each page. */
static bool nb_skb_add_guest(struct nb_queue *queue, struct nb_packet_iter *iter,
			     struct sk_buff *skb, u32 len)
{
	struct skb_shared_info *info = skb_shinfo(skb);
	const struct nb_packet *packet = iter->packet;
	bool fits = true;

	skb->len += len;
	skb->data_len += len;
	skb->truesize += len;
	for (; fits && iter->i < packet->n_segs; iter->i++, iter->offset = 0) {
		const struct nb_tx_segment *seg = &packet->seg[iter->i];
		const void *va = packet->va[iter->i];
		u32 left = seg->len - iter->offset;

		if (va)
			fits = nb_skb_add_guest_pages(info, va + iter->offset, left);
		else
			fits = nb_skb_add_scattered(queue, info, seg, iter->offset, left);
	}
	return fits;
}

/*
 * Is what was copied the beginning of an IP packet, in two VLANs at most?  Of IP the stack
 * reads headers, which it has copied by then, or copies the whole packet before anybody
 * receives it.  Other protocols read the payload where it is, since 7.x when the last of
 * those who receive the packet is not IP.
 */
static bool nb_skb_is_ip(const struct sk_buff *skb)
{
	const __be16 *proto = (const __be16 *)(skb->data + offsetof(struct ethhdr, h_proto));
	unsigned int i;

	for (i = 0; i < 2 && eth_type_vlan(*proto); i++)
		proto += VLAN_HLEN / sizeof(*proto);
	return *proto == htons(ETH_P_IP) || *proto == htons(ETH_P_IPV6);
}

/* The headers are copied: the stack reads what was checked. */
static struct sk_buff *nb_skb_share(struct nb_queue *queue, struct nb_packet *packet,
				    struct nb_zerocopy_slot *slot)
{
	struct nb_packet_iter iter = { .packet = packet };
	struct sk_buff *skb = nb_skb_alloc(NB_SKB_HEAD);

	if (unlikely(!skb))
		return NULL;
	nb_packet_copy(queue, &iter, skb->data, NB_SKB_HEAD);
	if (!nb_skb_is_ip(skb) ||
	    unlikely(!nb_skb_add_guest(queue, &iter, skb, packet->len - NB_SKB_HEAD))) {
		consume_skb(skb);
		return NULL;
	}
	nb_zerocopy_start(queue, slot, packet, skb);
	return skb;
}

/* Prepare what the packet's head asks for; or NULL, and the skb is gone. */
static struct sk_buff *nb_skb_apply(struct sk_buff *skb, struct nb_packet *packet)
{
	if (packet->seg->flags & NB_TX_OFFLOAD_FLAGS) {
		packet->status = nb_offload_tx(skb, packet->seg);
		if (unlikely(packet->status != NB_TX_OK)) {
			packet->drop = NB_DROP_NO_MEMORY;
			kfree_skb(skb);
			return NULL;
		}
	}
	if (packet->seg->flags & NB_TX_VLAN)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), packet->seg->vlan);
	return skb;
}

struct sk_buff *nb_skb_build_zerocopy(struct nb_queue *queue, struct nb_packet *packet)
{
	struct nb_zerocopy_slot *slot = nb_zerocopy_take(queue);
	struct sk_buff *skb;

	if (!slot)
		return nb_skb_build(queue, packet);
	skb = nb_skb_share(queue, packet, slot);
	if (likely(skb))
		return nb_skb_apply(skb, packet);
	nb_zerocopy_give_back(queue, slot);
	return nb_skb_build(queue, packet);
}
EXPORT_SYMBOL_GPL(nb_skb_build_zerocopy);

struct sk_buff *nb_skb_build(struct nb_queue *queue, struct nb_packet *packet)
{
	struct sk_buff *skb;

	skb = likely(packet->len <= NB_SKB_LINEAR) ? nb_skb_build_linear(queue, packet) :
						     nb_skb_build_paged(queue, packet);
	if (unlikely(!skb)) {
		nb_packet_drop(packet, NB_DROP_NO_MEMORY);
		return NULL;
	}
	if (unlikely(packet->seg->flags & (NB_TX_OFFLOAD_FLAGS | NB_TX_VLAN)))
		return nb_skb_apply(skb, packet);
	return skb;
}
EXPORT_SYMBOL_GPL(nb_skb_build);

/* ---- host to guest ------------------------------------------------------- */

netdev_features_t nb_skb_features(u32 queue_flags)
{
	netdev_features_t features = 0;

	if (queue_flags & NB_QUEUE_RX_CHECKSUM)
		features |= NETIF_F_HW_CSUM;
	if (queue_flags & NB_QUEUE_RX_TCP_SEGMENTATION)
		features |= NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN;
	if (queue_flags & NB_QUEUE_RX_UDP_SEGMENTATION)
		features |= NETIF_F_GSO_UDP_L4;
	return features;
}

/* What is not linear; in a list of fragments, GRO has skbs of the same kind. */
static void nb_skb_write_frags(struct nb_queue *queue, const struct sk_buff *skb)
{
	const struct sk_buff *part;
	int i;

	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		nb_rx_write(queue, skb_frag_address(frag), skb_frag_size(frag));
	}
	skb_walk_frags(skb, part) {
		nb_rx_write(queue, part->data, skb_headlen(part));
		nb_skb_write_frags(queue, part);
	}
}

void nb_skb_deliver(struct nb_queue *queue, const struct sk_buff *skb)
{
	struct nb_rx_metadata meta = { .len = skb->len };

	if (skb_vlan_tag_present(skb)) {
		meta.flags = NB_RX_VLAN;
		meta.vlan = skb_vlan_tag_get(skb);
	}
	nb_offload_rx(skb, &meta);
	if (likely(!skb_is_nonlinear(skb))) {
		nb_rx_put(queue, skb->data, &meta);
		return;
	}
	nb_rx_write(queue, skb->data, skb_headlen(skb));
	nb_skb_write_frags(queue, skb);
	nb_rx_complete(queue, &meta);
}
EXPORT_SYMBOL_GPL(nb_skb_deliver);
