// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests of XDP share.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>

#include "nbxdp.h"

/* ---- packets ------------------------------------------------------------- */

static unsigned char expected[NB_XDP_FRAME], got[NB_XDP_BUFFER];

void nb_xdp_use_large_buffers(struct nb_nic *nic, unsigned int first, unsigned int n)
{
	nic->bufs.gpa = NB_MORE_GPA + (uint64_t)NB_XDP_BUFFER * (first + 1);
	nic->bufs.size = NB_XDP_BUFFER;
	nic->bufs.segments = 3;
	nic->bufs.n = n;
}

void nb_xdp_send(struct nb_nic *nic, unsigned int queue, uint32_t len, unsigned int segments,
		 int vlan)
{
	struct nb_tx_segment segment[NB_MAX_SEGMENTS];

	nb_frame_fill(nb_guest_ptr(nic->guest, NB_MORE_GPA, len), len, len);
	nb_tx_split(segment, segments, NB_MORE_GPA, len, len);
	if (vlan != NB_NO_VLAN) {
		segment[0].flags |= NB_TX_VLAN;
		segment[0].vlan = vlan;
	}
	nb_tx_all(nic->queues[queue], segment, segments);
}

static bool same(const char *who, const void *frame, size_t len, ssize_t got_len)
{
	if (got_len == (ssize_t)len && !memcmp(frame, got, len))
		return true;
	fprintf(stderr, "# %s gets %zd bytes instead of %zu%s\n", who, got_len, len,
		got_len == (ssize_t)len ? ", and others" : "");
	return false;
}

bool nb_xdp_host_gets(struct nb_host *host, const void *frame, size_t len, int vlan)
{
	int tag = NB_NO_VLAN;
	ssize_t got_len = nb_host_receive(host, got, sizeof(got), &tag);

	if (!same("the host", frame, len, got_len))
		return false;
	if (tag != vlan)
		fprintf(stderr, "# the host gets tag %d instead of %d\n", tag, vlan);
	return tag == vlan;
}

bool nb_xdp_guest_gets(struct nb_nic *nic, unsigned int queue, const void *frame, size_t len)
{
	const struct nb_rx_metadata *meta;
	uint32_t id;

	if (nb_bufs_reap(&nic->bufs, nic->queues[queue], &id, 1) != 1)
		return same("the guest", frame, len, -1);
	meta = &nic->bufs.meta[id];
	if (meta->status != NB_RX_OK)
		nb_die("buffer %u came back with status %u", id, meta->status);
	nb_bufs_read(&nic->bufs, nic->guest, id, got);
	nb_bufs_post(&nic->bufs, nic->queues[queue], id);
	return same("the guest", frame, len, meta->len);
}

bool nb_xdp_reaches_host(struct nb_host *host, uint32_t len)
{
	nb_frame_fill(expected, len, len);
	return nb_xdp_host_gets(host, expected, len, NB_NO_VLAN);
}

bool nb_xdp_reaches_guest(struct nb_nic *nic, unsigned int queue, uint32_t len)
{
	nb_frame_fill(expected, len, len);
	return nb_xdp_guest_gets(nic, queue, expected, len);
}

bool nb_xdp_guest_silent(struct nb_nic *nic, unsigned int queue)
{
	struct nb_rx_metadata meta;

	return !nb_ok(nb_queue_rx_poll(nic->queues[queue], &meta, 1));
}

/* ---- the interface's ioctls ---------------------------------------------- */

static int ask_link(const char *name, unsigned long command, struct ifreq *request)
{
	int fd = nb_sys(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), err = 0;

	strncpy(request->ifr_name, name, sizeof(request->ifr_name) - 1);
	if (ioctl(fd, command, request))
		err = -errno;
	close(fd);
	return err;
}

int nb_xdp_set_mtu(const char *name, unsigned int mtu)
{
	struct ifreq request = { .ifr_mtu = mtu };

	return ask_link(name, SIOCSIFMTU, &request);
}

static void ask_ethtool(const char *name, void *data)
{
	struct ifreq request = { .ifr_data = data };
	int err = ask_link(name, SIOCETHTOOL, &request);

	if (err)
		nb_die("ethtool of %s: %s", name, strerror(-err));
}

uint64_t nb_xdp_count(const struct nb_nic *nic, unsigned int queue, const char *name)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t n;
	} set = { { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_STATS }, 0 };
	struct ethtool_gstrings *strings;
	char wanted[ETH_GSTRING_LEN];
	struct ethtool_stats *stats;
	uint64_t value = UINT64_MAX;
	uint32_t i;

	ask_ethtool(nic->host.name, &set);
	strings = calloc(1, sizeof(*strings) + set.n * ETH_GSTRING_LEN);
	stats = calloc(1, sizeof(*stats) + set.n * sizeof(uint64_t));
	*strings = (struct ethtool_gstrings){ ETHTOOL_GSTRINGS, ETH_SS_STATS, set.n };
	*stats = (struct ethtool_stats){ ETHTOOL_GSTATS, set.n };
	ask_ethtool(nic->host.name, strings);
	ask_ethtool(nic->host.name, stats);

	snprintf(wanted, sizeof(wanted), "%s_queue_%u_xdp_%s",
		 strncmp(name, "xmit", 4) ? "rx" : "tx", queue, name);
	for (i = 0; i < set.n; i++)
		if (!strncmp((char *)strings->data + i * ETH_GSTRING_LEN, wanted, sizeof(wanted)))
			value = stats->data[i];
	free(strings);
	free(stats);
	if (value == UINT64_MAX)
		nb_die("there is no counter %s", wanted);
	return value;
}

/* ---- programs ------------------------------------------------------------ */

#define DATA		offsetof(struct xdp_md, data)
#define DATA_END	offsetof(struct xdp_md, data_end)
#define DATA_META	offsetof(struct xdp_md, data_meta)
#define METADATA	0x12345678

int nb_xdp_redirects(int map)
{
	return nb_bpf_xdp_frags(BPF_MAP(BPF_REG_1, map),
				BPF_MAP_END,
				BPF_SET(BPF_REG_2, 0),
				BPF_SET(BPF_REG_3, 0),
				BPF_CALL_HELPER(redirect_map),
				BPF_RETURN);
}

int nb_xdp_redirects_by_queue(int map)
{
	return nb_bpf_xdp(BPF_LOAD(BPF_W, BPF_REG_2, BPF_REG_1,
				   offsetof(struct xdp_md, rx_queue_index)),
			  BPF_MAP(BPF_REG_1, map),
			  BPF_MAP_END,
			  BPF_SET(BPF_REG_3, 0),
			  BPF_CALL_HELPER(redirect_map),
			  BPF_RETURN);
}

int nb_xdp_drops_vlan(uint16_t tci)
{
	return nb_bpf_xdp_frags(BPF_LOAD(BPF_W, BPF_REG_7, BPF_REG_1, DATA),
				BPF_LOAD(BPF_W, BPF_REG_8, BPF_REG_1, DATA_END),
				BPF_SET(BPF_REG_0, XDP_PASS),
				BPF_COPY(BPF_REG_3, BPF_REG_7),
				BPF_PLUS(BPF_REG_3, ETH_HLEN + 4),
				BPF_IF_REG(BPF_JGT, BPF_REG_3, BPF_REG_8, 5),
				BPF_LOAD(BPF_H, BPF_REG_3, BPF_REG_7, 12),
				BPF_IF(BPF_JNE, BPF_REG_3, htons(ETH_P_8021Q), 3),
				BPF_LOAD(BPF_H, BPF_REG_3, BPF_REG_7, 14),
				BPF_IF(BPF_JNE, BPF_REG_3, htons(tci), 1),
				BPF_SET(BPF_REG_0, XDP_DROP),
				BPF_RETURN);
}

int nb_xdp_pushes_vlan(uint16_t tci, int action)
{
	return nb_bpf_xdp(BPF_COPY(BPF_REG_6, BPF_REG_1),
			  BPF_SET(BPF_REG_2, -4),
			  BPF_CALL_HELPER(xdp_adjust_head),
			  BPF_IF(BPF_JNE, BPF_REG_0, 0, 15),
			  BPF_LOAD(BPF_W, BPF_REG_7, BPF_REG_6, DATA),
			  BPF_LOAD(BPF_W, BPF_REG_8, BPF_REG_6, DATA_END),
			  BPF_COPY(BPF_REG_3, BPF_REG_7),
			  BPF_PLUS(BPF_REG_3, ETH_HLEN + 4),
			  BPF_IF_REG(BPF_JGT, BPF_REG_3, BPF_REG_8, 10),
			  BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_7, 4),
			  BPF_STORE(BPF_W, BPF_REG_7, 0, BPF_REG_3),
			  BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_7, 8),
			  BPF_STORE(BPF_W, BPF_REG_7, 4, BPF_REG_3),
			  BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_7, 12),
			  BPF_STORE(BPF_W, BPF_REG_7, 8, BPF_REG_3),
			  BPF_STORE_IMM(BPF_H, BPF_REG_7, 12, htons(ETH_P_8021Q)),
			  BPF_STORE_IMM(BPF_H, BPF_REG_7, 14, htons(tci)),
			  BPF_SET(BPF_REG_0, action),
			  BPF_RETURN,
			  BPF_SET(BPF_REG_0, XDP_ABORTED),
			  BPF_RETURN);
}

int nb_xdp_pops_vlan(int action)
{
	return nb_bpf_xdp(BPF_LOAD(BPF_W, BPF_REG_7, BPF_REG_1, DATA),
			  BPF_LOAD(BPF_W, BPF_REG_8, BPF_REG_1, DATA_END),
			  BPF_COPY(BPF_REG_3, BPF_REG_7),
			  BPF_PLUS(BPF_REG_3, ETH_HLEN + 4),
			  BPF_IF_REG(BPF_JGT, BPF_REG_3, BPF_REG_8, 11),
			  BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_7, 8),
			  BPF_STORE(BPF_W, BPF_REG_7, 12, BPF_REG_3),
			  BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_7, 4),
			  BPF_STORE(BPF_W, BPF_REG_7, 8, BPF_REG_3),
			  BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_7, 0),
			  BPF_STORE(BPF_W, BPF_REG_7, 4, BPF_REG_3),
			  BPF_SET(BPF_REG_2, 4),
			  BPF_CALL_HELPER(xdp_adjust_head),
			  BPF_IF(BPF_JNE, BPF_REG_0, 0, 2),
			  BPF_SET(BPF_REG_0, action),
			  BPF_RETURN,
			  BPF_SET(BPF_REG_0, XDP_ABORTED),
			  BPF_RETURN);
}

int nb_xdp_moves_tail(int delta, int action)
{
	return nb_bpf_xdp_frags(BPF_SET(BPF_REG_2, delta),
				BPF_CALL_HELPER(xdp_adjust_tail),
				BPF_IF(BPF_JNE, BPF_REG_0, 0, 2),
				BPF_SET(BPF_REG_0, action),
				BPF_RETURN,
				BPF_SET(BPF_REG_0, XDP_ABORTED),
				BPF_RETURN);
}

int nb_xdp_counts_cpus(int array, int action)
{
	return nb_bpf_xdp(BPF_CALL_HELPER(get_smp_processor_id),
			  BPF_STORE(BPF_W, BPF_REG_10, -4, BPF_REG_0),
			  BPF_MAP(BPF_REG_1, array),
			  BPF_MAP_END,
			  BPF_COPY(BPF_REG_2, BPF_REG_10),
			  BPF_PLUS(BPF_REG_2, -4),
			  BPF_CALL_HELPER(map_lookup_elem),
			  BPF_IF(BPF_JEQ, BPF_REG_0, 0, 2),
			  BPF_SET(BPF_REG_1, 1),
			  BPF_INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0,
				   BPF_ADD),
			  BPF_SET(BPF_REG_0, action),
			  BPF_RETURN);
}

int nb_xdp_adds_metadata(int action)
{
	return nb_bpf_xdp(BPF_COPY(BPF_REG_6, BPF_REG_1),
			  BPF_SET(BPF_REG_2, -4),
			  BPF_CALL_HELPER(xdp_adjust_meta),
			  BPF_IF(BPF_JNE, BPF_REG_0, 0, 8),
			  BPF_LOAD(BPF_W, BPF_REG_7, BPF_REG_6, DATA_META),
			  BPF_LOAD(BPF_W, BPF_REG_8, BPF_REG_6, DATA),
			  BPF_COPY(BPF_REG_3, BPF_REG_7),
			  BPF_PLUS(BPF_REG_3, 4),
			  BPF_IF_REG(BPF_JGT, BPF_REG_3, BPF_REG_8, 3),
			  BPF_STORE_IMM(BPF_W, BPF_REG_7, 0, METADATA),
			  BPF_SET(BPF_REG_0, action),
			  BPF_RETURN,
			  BPF_SET(BPF_REG_0, XDP_ABORTED),
			  BPF_RETURN);
}

int nb_xdp_counts_metadata(int array)
{
	const int data = offsetof(struct __sk_buff, data);
	const int data_meta = offsetof(struct __sk_buff, data_meta);

	return nb_bpf_program(BPF_PROG_TYPE_SCHED_CLS, 0,
			      BPF_LOAD(BPF_W, BPF_REG_7, BPF_REG_1, data_meta),
			      BPF_LOAD(BPF_W, BPF_REG_8, BPF_REG_1, data),
			      BPF_COPY(BPF_REG_3, BPF_REG_7),
			      BPF_PLUS(BPF_REG_3, 4),
			      BPF_IF_REG(BPF_JGT, BPF_REG_3, BPF_REG_8, 11),
			      BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_7, 0),
			      BPF_IF(BPF_JNE, BPF_REG_3, METADATA, 9),
			      BPF_STORE_IMM(BPF_W, BPF_REG_10, -4, 0),
			      BPF_MAP(BPF_REG_1, array),
			      BPF_MAP_END,
			      BPF_COPY(BPF_REG_2, BPF_REG_10),
			      BPF_PLUS(BPF_REG_2, -4),
			      BPF_CALL_HELPER(map_lookup_elem),
			      BPF_IF(BPF_JEQ, BPF_REG_0, 0, 2),
			      BPF_SET(BPF_REG_1, 1),
			      BPF_INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0,
				       BPF_ADD),
			      BPF_SET(BPF_REG_0, 0),
			      BPF_RETURN);
}
