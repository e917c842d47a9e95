/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of vhost.c, vhost_split.c and vhost_packed.c: nbvhost with two NICs of kind
 * loopback, one for the test, and one of a bystander, with split rings, who has to be
 * served whatever the test does.  A program adds the layouts that its tests are for.
 */
#ifndef VHOST_H
#define VHOST_H

#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "kselftest_harness.h"
#include "nbfrontend.h"
#include "../tools/nbvhost/vhost_user.h"

#define PATH		"/tmp/nb-vhost-test"
#define BYSTANDER	"/tmp/nb-vhost-bystander"
#define HEADER		((uint32_t)sizeof(struct virtio_net_hdr_v1))
#define RX		NB_FRONT_RX_RING
#define TX		NB_FRONT_TX_RING
#define NEXT		VRING_DESC_F_NEXT
#define INDIRECT	VRING_DESC_F_INDIRECT
#define WRITE		VRING_DESC_F_WRITE
#define GPA(offset)	(NB_FRONT_GPA + (offset))

#define SPLIT		0
#define PACKED		(1ull << VIRTIO_F_RING_PACKED)
#define EVENT_IDX	(1ull << VIRTIO_RING_F_EVENT_IDX)
#define TABLES		(1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define LARGE		(1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_NET_F_GUEST_CSUM | \
			 1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6)

FIXTURE(vhost)
{
	pid_t server;
	uint64_t layout;
	struct nb_front front;
	struct nb_front bystander;
};

FIXTURE_VARIANT(vhost)
{
	uint64_t layout;
};

FIXTURE_SETUP(vhost)
{
	nb_test_load_module();
	unlink(PATH);
	unlink(BYSTANDER);
	self->layout = variant->layout;
	self->front.memfd = -1;
	self->server = nb_vhost_run(PATH, "loopback", BYSTANDER, "loopback", NULL);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
}

FIXTURE_TEARDOWN(vhost)
{
	EXPECT_TRUE(nb_front_works(&self->bystander));
	nb_front_close(&self->front);
	nb_front_close(&self->bystander);
	EXPECT_EQ(0, nb_vhost_end(self->server));
	EXPECT_NE(0, access(PATH, F_OK));
}

static inline void reopen(FIXTURE_DATA(vhost) *self, uint64_t features)
{
	nb_front_close(&self->front);
	nb_front_open(&self->front, PATH, self->layout | features);
	nb_front_post(&self->front, 0, 0, 64);
}

/* Sends a frame in pieces, and receives it, in so many buffers; whether it is the same. */
static inline bool comes_back(struct nb_front *front, uint32_t len, unsigned int seed,
			      unsigned int pieces, unsigned int *n_buffers)
{
	static uint8_t sent[61440], got[61440];
	uint16_t head = seed % NB_FRONT_ENTRIES;
	uint32_t id, used;

	nb_frame_fill(sent, len, seed);
	nb_front_send_pieces(front, head, sent, len, pieces, seed & 8);
	return nb_front_used(front, TX, &id, &used) && id == head && !used &&
	       nb_front_receive(front, got, sizeof(got), n_buffers) == (ssize_t)len &&
	       !memcmp(sent, got, len);
}

/* Chain 100, which is wrong, comes back with nothing in it, and the next ones are served. */
static inline void expect_empty(struct __test_metadata *_metadata, struct nb_front *front,
				unsigned int ring, const char *what)
{
	uint32_t id, used;

	nb_front_kick(front, ring);
	ASSERT_TRUE(nb_front_used(front, ring, &id, &used))
		TH_LOG("%s", what);
	EXPECT_EQ(100, id);
	EXPECT_EQ(0, used);
	EXPECT_TRUE(nb_front_works(front))
		TH_LOG("%s", what);
}

#endif /* VHOST_H */
