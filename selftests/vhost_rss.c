// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost: a guest says by its control ring which of its pairs a flow comes to, and is told
 * the hashes of packets, which are those that the definition gives.  See vhost_control.h.
 */
#include "vhost_control.h"

/* ---- RSS ----------------------------------------------------------------- */

TEST_F(vhost_control, what_there_is_is_in_the_configuration)
{
	struct virtio_net_config *config;
	struct vu_config area = { .size = sizeof(*config) };
	const uint32_t size = offsetof(struct vu_config, bytes) + sizeof(*config);

	nb_front_connect(&self->front, PATH);
	EXPECT_EQ(RSS | REPORT, (RSS | REPORT) & nb_front_ask(&self->front, VU_GET_FEATURES));
	nb_front_send(&self->front, VU_GET_CONFIG, &area, size, NULL, 0);
	ASSERT_TRUE(nb_front_answer(&self->front, &area, size));
	config = (void *)area.bytes;
	EXPECT_EQ(KEY, config->rss_max_key_size);
	EXPECT_EQ(TABLE, config->rss_max_indirection_table_length);
	EXPECT_EQ(TYPES, config->supported_hash_types);
	EXPECT_EQ(PAIRS, config->max_virtqueue_pairs);
}

TEST_F(vhost_control, flows_come_to_the_pairs_that_the_table_says)
{
	static const unsigned int lens[] = { TABLE, 1, 2, 64, 4 };
	struct plan plan = usual;
	unsigned int i;

	start(self, RSS);
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		any_table(self);
		plan.table_len = lens[i];
		plan.key_len = i & 1 ? 16 : KEY;
		ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &plan));
		EXPECT_EQ(PAIRS, used_pairs());
		EXPECT_TRUE(follows_table(self, lens[i], plan.key_len));
	}
	for (i = 0; i < PAIRS; i++)
		EXPECT_TRUE(sends(self, i));
	/* the endpoint's way again, over as many pairs as that says */
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 2));
	EXPECT_EQ(3, spread(self));
}

/* A driver may say how many pairs it sends by once, and never again. */
TEST_F(vhost_control, a_table_takes_no_pair_away)
{
	struct plan plan = usual;

	start(self, RSS);
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 3));
	memset(self->table, 0, sizeof(self->table));
	plan.tx_pairs = 1;
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &plan));
	EXPECT_EQ(1, spread(self));
	EXPECT_TRUE(sends(self, 2));
}

TEST_F(vhost_control, without_any_type_all_comes_to_the_pair_for_the_rest)
{
	struct plan plan = usual;

	start(self, RSS | REPORT);
	any_table(self);
	plan.types = 0;
	plan.unclassified = 2;
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &plan));
	EXPECT_EQ(1u << 2, spread(self));
	EXPECT_EQ(VIRTIO_NET_HASH_REPORT_NONE, self->front.hash_report);
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 3));
	EXPECT_EQ(7, spread(self));
}

TEST_F(vhost_control, rss_that_is_wrong_is_refused_and_changes_nothing)
{
	static const struct plan wrong[] = {
		{ TYPES, 0, 100, 3, KEY }, { TYPES, 0, 2 * TABLE, 3, KEY }, { TYPES, 0, 3, 3, KEY },
		{ TYPES, 0, TABLE, 0, KEY }, { TYPES, 0, TABLE, PAIRS + 1, KEY },
		{ TYPES, 0, TABLE, 0xffff, KEY },
		{ TYPES, PAIRS, TABLE, 3, KEY }, { TYPES, 0xffff, TABLE, 3, KEY },
		{ TYPES, 0, TABLE, 3, KEY + 1 }, { TYPES, 0, TABLE, 3, 255 },
		{ TYPES, 0, TABLE, 3, 0 },
		{ 0x40, 0, TABLE, 3, KEY }, { 1u << 31 | TYPES, 0, TABLE, 3, KEY },
		/* TCP, or UDP, by addresses alone */
		{ 0x1, 0, TABLE, 3, KEY }, { 0x3, 0, TABLE, 3, KEY }, { 0x28, 0, TABLE, 3, KEY },
		{ TYPES, 0, TABLE, 3, KEY, 1 }, { TYPES, 0, TABLE, 3, KEY, -1 },
		{ TYPES, 0, TABLE, 3, KEY, -1 - (int)KEY }, { TYPES, 0, TABLE, 3, KEY, 200 },
		{ TYPES, 0, 1, 3, 0, -4 },
	};
	unsigned int i;

	start(self, RSS);
	any_table(self);
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
	for (i = 0; i < ARRAY_LEN(wrong); i++)
		EXPECT_EQ(VIRTIO_NET_ERR, set_rss(self, &wrong[i]))
			TH_LOG("case %u", i);
	self->table[77] += PAIRS;
	EXPECT_EQ(VIRTIO_NET_ERR, set_rss(self, &usual));
	self->table[77] -= PAIRS;
	EXPECT_TRUE(follows_table(self, TABLE, KEY));
}

/* There is a backend again, whose interface can be sent to. */
static void plug_in(FIXTURE_DATA(vhost_control) *self)
{
	if (nb_test_run("nbctl", "connect", "nb0", NULL) ||
	    !nb_until(!nb_test_run("sh", "-c", "ip link show nb0 | grep -q LOWER_UP", NULL)))
		nb_die("the backend does not come back");
	open_host(self);
}

TEST_F(vhost_control, rss_outlives_a_backend_that_is_plugged_out_and_in)
{
	start(self, RSS);
	any_table(self);
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
	ASSERT_EQ(0, nb_test_run("nbctl", "disconnect", "nb0", NULL));
	plug_in(self);
	EXPECT_TRUE(follows_table(self, TABLE, KEY));
}

/* What is said while there is no backend is so when there is one. */
TEST_F(vhost_control, rss_can_be_set_while_there_is_no_backend)
{
	start(self, RSS);
	ASSERT_EQ(0, nb_test_run("nbctl", "disconnect", "nb0", NULL));
	any_table(self);
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
	plug_in(self);
	EXPECT_TRUE(follows_table(self, TABLE, KEY));
}

/* ---- hash reports -------------------------------------------------------- */

TEST_F(vhost_control, packets_come_with_the_hashes_that_were_asked_for)
{
	static const uint32_t types[] = { TYPES, 0x07, 0x38, 0x02, 0x34, 0x16, 0 };
	struct plan plan = usual;
	unsigned int i;

	/* buffers that are merged come back empty when the number of pairs changes */
	start(self, RSS | REPORT | BIT(VIRTIO_NET_F_MRG_RXBUF));
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, PAIRS));
	EXPECT_TRUE(has_hashes(self, 0));
	any_table(self);
	for (i = 0; i < ARRAY_LEN(types); i++) {
		plan.types = types[i];
		ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &plan));
		EXPECT_TRUE(has_hashes(self, types[i]));
		EXPECT_TRUE(sends(self, 1));
	}
}

TEST_F(vhost_control, fragments_have_the_hash_of_their_addresses_and_others_none)
{
	const struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 100 };

	start(self, RSS | REPORT);
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
	nb_ip_make(&self->sent, &plan);
	self->sent.data[self->sent.l3 + 6] = 0x20;
	nb_ip_finish(&self->sent);
	ASSERT_LE(0, arrives(self));
	EXPECT_EQ(VIRTIO_NET_HASH_REPORT_IPv4, self->front.hash_report);
	EXPECT_EQ(nb_ip_toeplitz(self->key, KEY, self->sent.data + self->sent.l3 + 12, 8),
		  self->front.hash);
	nb_ip_make(&self->sent, &plan);
	memcpy(self->sent.data + 12, "\x88\xb5", 2);
	ASSERT_LE(0, arrives(self));
	EXPECT_EQ(VIRTIO_NET_HASH_REPORT_NONE, self->front.hash_report);
	EXPECT_EQ(0, self->front.hash);
}

/* Without a table, flows are spread by the same hash over all pairs. */
TEST_F(vhost_control, hashes_are_reported_without_a_table_too)
{
	unsigned int i;

	start(self, MQ | REPORT);
	EXPECT_EQ(VIRTIO_NET_ERR, set_rss(self, &usual));
	ASSERT_EQ(VIRTIO_NET_OK, set_hash(self, TYPES, KEY, 0));
	EXPECT_TRUE(has_hashes(self, TYPES));
	ASSERT_EQ(VIRTIO_NET_OK, use_pairs(&self->front, 3));
	EXPECT_TRUE(has_hashes(self, TYPES));
	for (i = 0; i < TABLE; i++)
		self->table[i] = i % 3;
	EXPECT_TRUE(follows_table(self, 3, KEY));
	EXPECT_EQ(VIRTIO_NET_ERR, set_hash(self, 0x40, KEY, 0));
	EXPECT_EQ(VIRTIO_NET_ERR, set_hash(self, 0x1, KEY, 0));
	EXPECT_EQ(VIRTIO_NET_ERR, set_hash(self, TYPES, 0, 0));
	EXPECT_EQ(VIRTIO_NET_ERR, set_hash(self, TYPES, KEY + 1, 0));
	EXPECT_EQ(VIRTIO_NET_ERR, set_hash(self, TYPES, KEY, 1));
	EXPECT_EQ(VIRTIO_NET_ERR, set_hash(self, TYPES, KEY, -1));
	EXPECT_EQ(VIRTIO_NET_ERR, set_hash(self, TYPES, KEY, -(int)KEY - 1));
	EXPECT_TRUE(has_hashes(self, TYPES));
	ASSERT_EQ(VIRTIO_NET_OK, set_hash(self, 0, 0, 0));
	EXPECT_TRUE(has_hashes(self, 0));
}

/* It has another key for what the table is used with. */
TEST_F(vhost_control, a_table_stays_when_the_key_changes)
{
	start(self, RSS | REPORT);
	any_table(self);
	ASSERT_EQ(VIRTIO_NET_OK, set_rss(self, &usual));
	self->key[3]++;
	ASSERT_EQ(VIRTIO_NET_OK, set_hash(self, TYPES, KEY, 0));
	EXPECT_TRUE(follows_table(self, TABLE, KEY));
	EXPECT_TRUE(has_hashes(self, TYPES));
}

TEST_HARNESS_MAIN
