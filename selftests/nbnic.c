// SPDX-License-Identifier: GPL-2.0
/*
 * The kinds that the suite knows, and a NIC with a backend of one of them.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "kind_delay/delay.h"
#include "nbtest.h"

#define ALL_OFFLOADS	(NB_OFFLOAD_IPV4_HEADER | NB_OFFLOAD_TCP | NB_OFFLOAD_UDP | \
			 NB_OFFLOAD_TSO | NB_OFFLOAD_USO)

const struct nb_test_kind nb_test_null = {
	.name = "null",
	.fast_completions = true,
	.ordered = true,
	.takes_vf_false = true,
	.max_queues = NB_MAX_QUEUES,
	.table = 128,
	.offloads = ALL_OFFLOADS,
	.sent = NB_COMES_NOWHERE,
};

const struct nb_test_kind nb_test_loopback = {
	.name = "loopback",
	.ordered = true,
	.max_queues = NB_MAX_QUEUES,
	.table = 64,
	.sent = NB_COMES_BACK,
};

const struct nb_test_kind nb_test_netdev = {
	.name = "netdev",
	.fast_completions = true,
	.ordered = true,
	.max_queues = 64,
	.table = 128,
	.offloads = ALL_OFFLOADS,
	.mtu = 1500,
	.sent = NB_COMES_TO_HOST,
};

/* The only port of a private switch. */
const struct nb_test_kind nb_test_switch = {
	.name = "switch",
	.fast_completions = true,
	.ordered = true,
	.refuses_vlan_4095 = true,
	.may_drop = true,
	.max_queues = 64,
	.table = 128,
	.sent = NB_COMES_NOWHERE,
};

static const struct nb_delay_params one_ms = { .delay_us = 1000 };
static const struct nb_delay_params two_ms_or_so = {
	.delay_us = 1000, .jitter_us = 2000, .seed = 1,
};

const struct nb_test_kind nb_test_delay = {
	.name = "delay",
	.params = &one_ms,
	.params_size = sizeof(one_ms),
	.fast_completions = true,
	.ordered = true,
	.max_queues = 64,
	.sent = NB_COMES_BACK,
};

const struct nb_test_kind nb_test_delay_jitter = {
	.name = "delay",
	.params = &two_ms_or_so,
	.params_size = sizeof(two_ms_or_so),
	.fast_completions = true,
	.max_queues = 64,
	.sent = NB_COMES_BACK,
};

int nb_test_create(const struct nb_guest *guest, const struct nb_test_kind *kind,
		   const struct nb_endpoint_params *more, struct nb_endpoint **ep)
{
	struct nb_endpoint_params params = { .netns_fd = -1 };

	if (more)
		params = *more;
	params.kind = kind->name;
	params.kind_params = kind->params;
	params.kind_params_size = kind->params_size;
	if (kind->prepare)
		kind->prepare(&params);
	return nb_endpoint_create(guest->nb, &params, ep);
}

const struct nb_test_kind nb_test_attach = {
	.name = "attach",
	.ordered = true,
	.max_queues = 64,
	.table = 128,
	.offloads = ALL_OFFLOADS,
	.takes_over = true,
	.sent = NB_COMES_TO_HOST,
};

void nb_pair_add(struct nb_pair *pair)
{
	static unsigned int number;

	snprintf(pair->lower, sizeof(pair->lower), "low%u", number);
	snprintf(pair->far, sizeof(pair->far), "far%u", number++);
	nb_link_add_veth(pair->lower, pair->far);
	nb_link_set_up(pair->lower, true);
	nb_link_set_up(pair->far, true);
	pair->lower_index = if_nametoindex(pair->lower);
	pair->far_index = if_nametoindex(pair->far);
	/* Until the kernel has taken note of the carrier, it drops what is sent. */
	if (!nb_until(nb_link_is_up(pair->lower_index) && nb_link_is_up(pair->far_index)))
		nb_die("%s and %s do not come up", pair->lower, pair->far);
}

static void init_nic(struct nb_nic *nic, struct nb_guest *guest, const struct nb_test_kind *kind)
{
	memset(nic, 0, sizeof(*nic));
	nic->host.fd = -1;
	nic->kind = kind;
	nic->guest = guest;
	nb_bufs_init(&nic->bufs);
}

void nb_nic_attach(struct nb_nic *nic, struct nb_guest *guest, uint32_t flags,
		   const uint8_t *mac)
{
	struct nb_attach_params attach = { .flags = flags };
	struct nb_endpoint_params params = {
		.kind = "attach",
		.netns_fd = -1,
		.mac = mac,
		.kind_params = &attach,
		.kind_params_size = sizeof(attach),
	};

	init_nic(nic, guest, &nb_test_attach);
	nb_pair_add(&nic->pair);
	attach.ifindex = nic->pair.lower_index;
	nb_ok(nb_endpoint_create(guest->nb, &params, &nic->ep));
}

void nb_nic_open(struct nb_nic *nic, struct nb_guest *guest, const struct nb_test_kind *kind,
		 uint32_t mtu)
{
	struct nb_endpoint_params params = {
		.netns_fd = -1,
		.mtu = kind->mtu ? mtu : 0,
	};

	if (kind->takes_over) {
		nb_nic_attach(nic, guest, NB_ATTACH_PROMISCUOUS, NULL);
		return;
	}
	init_nic(nic, guest, kind);
	nb_ok(nb_test_create(guest, kind, &params, &nic->ep));
}

void nb_nic_start_as(struct nb_nic *nic, const struct nb_queue_config *configs,
		     unsigned int n_queues)
{
	struct nb_endpoint_info info;

	if (n_queues > NB_TEST_QUEUES)
		nb_die("%u queues are more than a test's NIC has", n_queues);
	nb_ok(nb_endpoint_get_queues(nic->ep, nic->guest->mem, configs, n_queues, NULL,
				     nic->queues));
	nic->n_queues = n_queues;
	nic->queue = nic->queues[0];

	if (nic->kind->takes_over) {
		nb_host_open_socket(&nic->host, nic->pair.far_index);
	} else if (nic->kind->sent == NB_COMES_TO_HOST) {
		nb_ok(nb_endpoint_get_info(nic->ep, &info));
		nb_host_open(&nic->host, info.ifindex);
	}
}

void nb_nic_start(struct nb_nic *nic, unsigned int n_queues, uint32_t entries)
{
	struct nb_queue_config configs[NB_TEST_QUEUES];
	unsigned int i;

	for (i = 0; i < n_queues && i < NB_TEST_QUEUES; i++) {
		configs[i] = (struct nb_queue_config){
			.tx_avail_entries = entries,
			.tx_done_entries = entries,
			.rx_avail_entries = entries,
			.rx_done_entries = entries,
			.target_cpu = NB_ANY_CPU,
		};
	}
	nb_nic_start_as(nic, configs, n_queues);
}

struct nb_queue *nb_nic_begin(struct nb_nic *nic, struct nb_guest *guest,
			      const struct nb_test_kind *kind)
{
	nb_host_new_netns();
	nb_guest_open(guest, 0);
	nb_nic_open(nic, guest, kind, 0);
	nb_nic_start(nic, 1, 0);
	nb_nic_post_all(nic);
	return nic->queue;
}

void nb_nic_stop(struct nb_nic *nic)
{
	unsigned int i;

	nb_host_close(&nic->host);
	for (i = 0; i < nic->n_queues; i++)
		nb_queue_close(nic->queues[i]);
	nic->n_queues = 0;
	nic->queue = NULL;
}

void nb_nic_close(struct nb_nic *nic)
{
	nb_nic_stop(nic);
	nb_endpoint_close(nic->ep);
	nic->ep = NULL;
}

/* Buffer i serves queue i modulo the number of queues. */
void nb_nic_post_all(struct nb_nic *nic)
{
	uint32_t id;

	for (id = 0; id < nic->bufs.n; id++)
		nb_bufs_post(&nic->bufs, nic->queues[id % nic->n_queues], id);
}

/* The host chooses the queue: waits for a packet in any. */
static struct nb_queue *queue_with_packet(struct nb_nic *nic)
{
	struct pollfd waits[NB_TEST_QUEUES];
	unsigned int i;

	for (i = 0; i < nic->n_queues; i++)
		waits[i] = (struct pollfd){ .fd = nb_queue_fd(nic->queues[i]), .events = POLLIN };
	nb_sys(poll(waits, nic->n_queues, NB_PATIENCE));
	for (i = 0; i + 1 < nic->n_queues && !waits[i].revents; i++)
		;
	return nic->queues[i];
}

ssize_t nb_nic_received(struct nb_nic *nic, void *data, size_t size, int *vlan)
{
	struct nb_queue *queue = queue_with_packet(nic);
	const struct nb_rx_metadata *meta;
	uint32_t id;

	if (nb_bufs_reap(&nic->bufs, queue, &id, 1) != 1)
		return -1;
	meta = &nic->bufs.meta[id];
	if (meta->status != NB_RX_OK || meta->len > size)
		nb_die("buffer %u came back with status %u and %u bytes", id, meta->status,
		       meta->len);
	nb_bufs_read(&nic->bufs, nic->guest, id, data);
	if (vlan)
		*vlan = meta->flags & NB_RX_VLAN ? meta->vlan : NB_NO_VLAN;
	nb_bufs_post(&nic->bufs, queue, id);
	return meta->len;
}

ssize_t nb_nic_arrived(struct nb_nic *nic, void *data, size_t size, int *vlan)
{
	switch (nic->kind->sent) {
	case NB_COMES_BACK:
		return nb_nic_received(nic, data, size, vlan);
	case NB_COMES_TO_HOST:
		return nb_host_receive(&nic->host, data, size, vlan);
	case NB_COMES_NOWHERE:
		break;
	}
	return -1;
}

bool nb_nic_provoke(struct nb_nic *nic)
{
	struct nb_tx_segment segment = nb_tx_frame(nic->guest, 0, 100);
	unsigned char frame[100];

	switch (nic->kind->sent) {
	case NB_COMES_BACK:
		nb_tx_all(nic->queue, &segment, 1);
		return true;
	case NB_COMES_TO_HOST:
		nb_frame_fill(frame, sizeof(frame), 0);
		nb_host_send(&nic->host, frame, sizeof(frame));
		return true;
	case NB_COMES_NOWHERE:
		break;
	}
	return false;
}

static bool same(const char *way, const void *frame, size_t len, const void *got, ssize_t got_len)
{
	if (got_len == (ssize_t)len && !memcmp(frame, got, len))
		return true;
	fprintf(stderr, "# %s: %zu bytes were sent, %zd arrived%s\n", way, len, got_len,
		got_len == (ssize_t)len ? ", and others" : "");
	return false;
}

bool nb_nic_works(struct nb_nic *nic)
{
	unsigned char frame[1500], got[NB_BUF_SIZE];
	struct nb_tx_segment segment;
	size_t len;

	for (len = 60; len <= sizeof(frame); len += 160) {
		segment = nb_tx_packet(nb_frame_put(nic->guest, 0, len, len), len, len);
		nb_frame_fill(frame, len, len);
		nb_tx_all(nic->queue, &segment, 1);
		if (nic->kind->sent != NB_COMES_NOWHERE &&
		    !same("sent", frame, len, got, nb_nic_arrived(nic, got, sizeof(got), NULL)))
			return false;
		if (nic->kind->sent != NB_COMES_TO_HOST)
			continue;
		nb_host_send(&nic->host, frame, len);
		if (!same("received", frame, len, got,
			  nb_nic_received(nic, got, sizeof(got), NULL)))
			return false;
	}
	return true;
}
