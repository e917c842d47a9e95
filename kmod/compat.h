/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that differs between the kernels from 6.1 to 7.3, and nothing else.
 */
#ifndef _NB_COMPAT_H
#define _NB_COMPAT_H

#include <linux/ethtool.h>
#include <linux/eventfd.h>
#include <linux/filter.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <net/genetlink.h>
#include <net/sch_generic.h>

/* 6.10 has counters of each queue. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#include <net/netdev_queues.h>
#endif

/* 6.19 drops what waits for a queueing discipline's lock if that is too much. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#include <net/hotdata.h>
#endif

/* 6.12 moved unaligned accesses. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#include <asm/unaligned.h>
#else
#include <linux/unaligned.h>
#endif

/* 6.3 made vma->vm_flags read-only and added these helpers. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void nb_vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				   vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#else
#define nb_vm_flags_mod(vma, set, clear) vm_flags_mod(vma, set, clear)
#endif

/* 6.8 took the count away from eventfd_signal(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define nb_eventfd_signal(ctx) eventfd_signal(ctx, 1)
#else
#define nb_eventfd_signal(ctx) eventfd_signal(ctx)
#endif

/* 6.4 lets who frees an skb in any context say why. */
static inline void nb_kfree_skb_any_reason(struct sk_buff *skb, enum skb_drop_reason reason)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	if (in_hardirq() || irqs_disabled())
		dev_kfree_skb_irq(skb);
	else
		kfree_skb_reason(skb, reason);
#else
	dev_kfree_skb_any_reason(skb, reason);
#endif
}

/*
 * 6.8 gave get_rxfh() a struct. NB_GET_RXFH(fn) is what the operation is to be, after
 * NB_DEFINE_GET_RXFH(fn), where fn takes that struct.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
struct ethtool_rxfh_param {
	u8 hfunc;
	u32 *indir;
	u8 *key;
};

#define NB_DEFINE_GET_RXFH(fn)						\
static int fn##_before_6_8(struct net_device *dev, u32 *indir, u8 *key,	\
			   u8 *hfunc)					\
{									\
	struct ethtool_rxfh_param rxfh = { .indir = indir, .key = key };	\
	int err = fn(dev, &rxfh);					\
									\
	if (!err && hfunc)						\
		*hfunc = rxfh.hfunc;					\
	return err;							\
}

#define NB_GET_RXFH(fn) fn##_before_6_8
#else
#define NB_DEFINE_GET_RXFH(fn)
#define NB_GET_RXFH(fn) fn
#endif

/* 6.3 wants to be told what a device can do with XDP. */
static inline void nb_xdp_set_features(struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_RX_SG | NETDEV_XDP_ACT_NDO_XMIT |
			    NETDEV_XDP_ACT_NDO_XMIT_SG;
#endif
}

/* 6.5 gave segmentation a header of its own. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif

/* 6.11 moved what a redirect remembers from per-CPU variables to the task. */
struct nb_bpf_ctx {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct bpf_net_context mine;
	struct bpf_net_context *set;
#endif
};

static inline void nb_bpf_ctx_set(struct nb_bpf_ctx *ctx)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	ctx->set = bpf_net_ctx_set(&ctx->mine);
#endif
}

static inline void nb_bpf_ctx_clear(struct nb_bpf_ctx *ctx)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	bpf_net_ctx_clear(ctx->set);
#endif
}

/* 6.13 sets a timer up together with its function, 6.15 only so. */
static inline void nb_hrtimer_setup(struct hrtimer *timer,
				    enum hrtimer_restart (*fn)(struct hrtimer *timer),
				    clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
#else
	hrtimer_setup(timer, fn, clock, mode);
#endif
}

/* 6.2 and 6.16 gave timers other names. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync(timer) del_timer_sync(timer)
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define timer_container_of(var, timer, field) from_timer(var, timer, field)
#endif

/* 6.6 moved the attributes of a dump's request into a struct genl_info. */
static inline struct nlattr **nb_genl_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	return genl_dumpit_info(cb)->attrs;
#else
	return genl_dumpit_info(cb)->info.attrs;
#endif
}

/*
 * Newer kernels listen to words when a dump starts, and an attribute can be named.  6.1 does
 * not: there, the dump itself checks and has words, but can name no attribute.
 */
static inline int nb_genl_start(struct netlink_callback *cb,
				int (*check)(struct netlink_callback *cb))
{
	return cb->extack ? check(cb) : 0;
}

/*
 * 6.19 made the number of rings an operation of its own.  NB_RX_RING_COUNT(fn) is the
 * initialiser of the operation, after NB_DEFINE_RX_RING_COUNT(fn).
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define NB_DEFINE_RX_RING_COUNT(fn)					\
static int fn##_before_6_19(struct net_device *dev,			\
			    struct ethtool_rxnfc *info, u32 *rules)	\
{									\
	if (info->cmd != ETHTOOL_GRXRINGS)				\
		return -EOPNOTSUPP;					\
	info->data = fn(dev);						\
	return 0;							\
}

#define NB_RX_RING_COUNT(fn) .get_rxnfc = fn##_before_6_19
#else
#define NB_DEFINE_RX_RING_COUNT(fn)
#define NB_RX_RING_COUNT(fn) .get_rx_ring_count = fn
#endif

/* 6.3 lets an answer say what is not constant; before, @words must do, which are. */
static inline void nb_extack_set(struct netlink_ext_ack *extack, const char *text,
				 const char *words)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	if (extack)
		extack->_msg = words;
#else
	NL_SET_ERR_MSG_FMT(extack, "%s", text);
#endif
}

/* Since 6.12 there are fragments that no CPU can read. */
static inline bool nb_skb_readable(const struct sk_buff *skb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return skb_frags_readable(skb);
#else
	return true;
#endif
}

/*
 * 6.10 gave a table of operations to whoever waits for an skb with pages of others.
 * NB_DEFINE_UBUF_OPS(name, fn) is what nb_ubuf_set_ops() takes.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define NB_DEFINE_UBUF_OPS(name, fn)					\
	static const struct ubuf_info name = { .callback = fn }

static inline void nb_ubuf_set_ops(struct ubuf_info *ubuf, const struct ubuf_info *ops)
{
	ubuf->callback = ops->callback;
}
#else
#define NB_DEFINE_UBUF_OPS(name, fn)					\
	static const struct ubuf_info_ops name = { .complete = fn }

static inline void nb_ubuf_set_ops(struct ubuf_info *ubuf, const struct ubuf_info_ops *ops)
{
	ubuf->ops = ops;
}
#endif

/*
 * 6.10 asks for counters of each queue.  Before, nobody takes what netdev_stats.c has of
 * them.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
struct netdev_queue_stats_rx {
	u64 bytes;
	u64 packets;
	u64 hw_drops;
};

struct netdev_queue_stats_tx {
	u64 bytes;
	u64 packets;
	u64 hw_drops;
	u64 stop;
};

struct netdev_stat_ops {
	void (*get_queue_stats_rx)(struct net_device *dev, int i,
				   struct netdev_queue_stats_rx *stats);
	void (*get_queue_stats_tx)(struct net_device *dev, int i,
				   struct netdev_queue_stats_tx *stats);
	void (*get_base_stats)(struct net_device *dev, struct netdev_queue_stats_rx *rx,
			       struct netdev_queue_stats_tx *tx);
};
#endif

static inline void nb_dev_set_stat_ops(struct net_device *dev,
				       const struct netdev_stat_ops *ops)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	dev->stat_ops = ops;
#endif
}

/* 6.6 put programs on the way out (tc, netkit) into one list. */
static inline bool nb_dev_has_egress_programs(const struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#ifdef CONFIG_NET_XGRESS
	if (rcu_access_pointer(dev->tcx_egress))
		return true;
#endif
#elif defined(CONFIG_NET_CLS_ACT)
	if (rcu_access_pointer(dev->miniq_egress))
		return true;
#endif
#ifdef CONFIG_NETFILTER_EGRESS
	if (rcu_access_pointer(dev->nf_hooks_egress))
		return true;
#endif
	return false;
}

/*
 * Does it count whatever it drops?  6.16 has queueing disciplines in BPF, which need not, and
 * 6.19 drops before one is asked.
 */
static inline bool nb_qdisc_counts_all(const struct Qdisc *q)
{
#ifdef CONFIG_NET_SCH_BPF
	if (q->ops->owner == BPF_MODULE_OWNER)
		return false;
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	if (atomic_long_read(&q->defer_count) > READ_ONCE(net_hotdata.qdisc_max_burst))
		return false;
#endif
	/* These leave it to those below them. */
	return strcmp(q->ops->id, "cbs") && strcmp(q->ops->id, "taprio");
}

#endif /* _NB_COMPAT_H */
