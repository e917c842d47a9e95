// SPDX-License-Identifier: GPL-2.0
/*
 * The crate's trait Endpoint, for each kind: what an endpoint says of itself, its
 * queues, stop and start again, receive-side scaling, the data path to a VF, actions.
 *
 * A further kind passes this suite with a struct nb_test_kind (nbnic.c) and an entry
 * below. A kind from elsewhere needs no change of this folder: "make NB_KIND_H=FILE",
 * where FILE, with its whole path, is a header that has both.
 */
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

FIXTURE(endpoint)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_VARIANT(endpoint)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(endpoint, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(endpoint, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(endpoint, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(endpoint, netdev) { .kind = &nb_test_netdev };
FIXTURE_VARIANT_ADD(endpoint, delay) { .kind = &nb_test_delay };
FIXTURE_VARIANT_ADD(endpoint, delay_jitter) { .kind = &nb_test_delay_jitter };
#ifdef NB_KIND_H
#include NB_KIND_H
#endif

FIXTURE_SETUP(endpoint)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
}

FIXTURE_TEARDOWN(endpoint)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static struct nb_endpoint_info info_of(struct nb_nic *nic)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(nic->ep, &info));
	return info;
}

/* A second endpoint of the same kind; 0 or a negative errno. */
static int create(struct nb_nic *nic, const struct nb_endpoint_params *more,
		  struct nb_endpoint **ep)
{
	struct nb_endpoint_params params = *more;

	params.netns_fd = -1;
	return nb_test_create(nic->guest, nic->kind, &params, ep);
}

static int get_queues(struct nb_nic *nic, unsigned int n, const struct nb_rss_config *rss)
{
	struct nb_queue_config configs[NB_TEST_QUEUES] = { 0 };
	int result;

	result = nb_endpoint_get_queues(nic->ep, nic->guest->mem, configs, n, rss,
					nic->queues);
	if (!result)
		nic->n_queues = n;
	return result;
}

static unsigned int open_files(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* ---- what it is like ----------------------------------------------------- */

TEST_F(endpoint, tells_its_type)
{
	ASSERT_STREQ(variant->kind->name, nb_endpoint_type(self->nic.ep));
	ASSERT_STREQ(variant->kind->name, info_of(&self->nic).kind);
}

TEST_F(endpoint, is_among_the_kinds_of_the_module)
{
	char kinds[32][NB_KIND_LEN];
	struct nb_info info = { .kinds = (uintptr_t)kinds, .n_kinds = ARRAY_LEN(kinds) };
	bool found = false;
	unsigned int i;

	ASSERT_EQ(0, nb_get_info(self->guest.nb, &info));
	ASSERT_GE(info.n_kinds, 3);
	ASSERT_LE(info.n_kinds, ARRAY_LEN(kinds));
	for (i = 0; i < info.n_kinds; i++)
		found |= !strcmp(kinds[i], variant->kind->name);
	EXPECT_TRUE(found);
	EXPECT_EQ(NB_MAX_QUEUES, info.max_queues);
	EXPECT_EQ(NB_MAX_SEGMENTS, info.max_segments);
	EXPECT_EQ(NB_MAX_PACKET_LEN, info.max_packet_len);
	EXPECT_EQ(NB_MIN_RING_ENTRIES, info.min_ring_entries);
	EXPECT_EQ(NB_MAX_RING_ENTRIES, info.max_ring_entries);
}

TEST_F(endpoint, tells_what_the_kind_can_do)
{
	struct nb_multiqueue_support queues = nb_endpoint_multiqueue_support(self->nic.ep);
	uint32_t offloads = nb_endpoint_tx_offload_support(self->nic.ep);
	const struct nb_test_kind *kind = variant->kind;

	EXPECT_EQ(kind->ordered, nb_endpoint_is_ordered(self->nic.ep));
	EXPECT_EQ(kind->fast_completions, nb_endpoint_tx_fast_completions(self->nic.ep));
	EXPECT_EQ(kind->offloads, offloads & kind->offloads);
	EXPECT_EQ(kind->table, queues.indirection_table_size);
	EXPECT_GE(queues.max_queues, kind->max_queues);
	EXPECT_LE(queues.max_queues, NB_MAX_QUEUES);
	EXPECT_GE(nb_endpoint_link_speed(self->nic.ep), 10000000000ull);
	EXPECT_EQ(kind->mtu, info_of(&self->nic).mtu);
}

TEST_F(endpoint, ids_are_unique)
{
	struct nb_endpoint_params params = { 0 };
	struct nb_endpoint_info other;
	struct nb_endpoint *ep;

	ASSERT_EQ(0, create(&self->nic, &params, &ep));
	ASSERT_EQ(0, nb_endpoint_get_info(ep, &other));
	EXPECT_NE(info_of(&self->nic).id, other.id);
	nb_endpoint_close(ep);
}

TEST_F(endpoint, keeps_its_mac_address)
{
	static const uint8_t mac[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };
	struct nb_endpoint_params params = { .mac = mac };
	struct nb_endpoint_info info;
	struct nb_endpoint *ep;

	ASSERT_EQ(0, create(&self->nic, &params, &ep));
	ASSERT_EQ(0, nb_endpoint_get_info(ep, &info));
	EXPECT_EQ(0, memcmp(mac, info.mac, sizeof(mac)));
	nb_endpoint_close(ep);
}

TEST_F(endpoint, chooses_a_local_unicast_mac_address)
{
	static const uint8_t zero[6];
	struct nb_endpoint_info info = info_of(&self->nic);

	EXPECT_NE(0, memcmp(zero, info.mac, sizeof(zero)));
	EXPECT_EQ(0x02, info.mac[0] & 0x03);
}

TEST_F(endpoint, keeps_its_name)
{
	struct nb_endpoint_params params = { .name = "claire" };
	struct nb_endpoint_info info;
	struct nb_endpoint *ep;

	ASSERT_EQ(0, create(&self->nic, &params, &ep));
	ASSERT_EQ(0, nb_endpoint_get_info(ep, &info));
	EXPECT_STREQ("claire", info.name);
	nb_endpoint_close(ep);
}

TEST_F(endpoint, has_an_interface_only_if_it_is_one)
{
	struct nb_endpoint_info info = info_of(&self->nic);
	char name[NB_NAME_LEN];

	if (variant->kind->sent != NB_COMES_TO_HOST) {
		EXPECT_EQ(0, info.ifindex);
		return;
	}
	ASSERT_NE(NULL, if_indextoname(info.ifindex, name));
	EXPECT_STREQ(name, info.name);
	EXPECT_EQ(0, strncmp(name, "nb", 2));
}

TEST_F(endpoint, has_another_address_than_its_interface)
{
	struct nb_endpoint_info info = info_of(&self->nic);
	uint8_t mac[6];

	if (!info.ifindex)
		return;
	nb_link_get_mac(info.name, mac);
	EXPECT_NE(0, memcmp(mac, info.mac, sizeof(mac)));
	EXPECT_EQ(0x02, mac[0] & 0x03);
}

TEST_F(endpoint, takes_an_mtu_only_if_the_kind_has_one)
{
	struct nb_endpoint_params params = { .mtu = 9000 };
	struct nb_endpoint_info info;
	struct nb_endpoint *ep;

	if (!variant->kind->mtu) {
		EXPECT_EQ(-EINVAL, create(&self->nic, &params, &ep));
		return;
	}
	ASSERT_EQ(0, create(&self->nic, &params, &ep));
	ASSERT_EQ(0, nb_endpoint_get_info(ep, &info));
	EXPECT_EQ(9000, info.mtu);
	nb_endpoint_close(ep);

	params.mtu = 65536;
	EXPECT_EQ(-EINVAL, create(&self->nic, &params, &ep));
	params.mtu = 10;
	EXPECT_EQ(-EINVAL, create(&self->nic, &params, &ep));
}

TEST_F(endpoint, is_not_shared_between_network_namespaces)
{
	struct nb_endpoint_params params = { .name = "twice" };
	struct nb_endpoint *ep, *other;

	params.netns_fd = nb_sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	nb_host_new_netns();
	ASSERT_EQ(0, nb_test_create(&self->guest, variant->kind, &params, &ep));
	EXPECT_EQ(-EEXIST, nb_test_create(&self->guest, variant->kind, &params, &other));
	close(params.netns_fd);
	params.netns_fd = -1;
	ASSERT_EQ(0, nb_test_create(&self->guest, variant->kind, &params, &other));
	nb_endpoint_close(other);
	nb_endpoint_close(ep);
}

/* ---- queues -------------------------------------------------------------- */

TEST_F(endpoint, makes_any_number_of_queues_at_once)
{
	static const unsigned int numbers[] = { 1, 4, 64, 2 };
	struct nb_queue_info info;
	unsigned int i, j;

	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		nb_nic_start(&self->nic, numbers[i], 0);
		ASSERT_EQ(numbers[i], info_of(&self->nic).n_queues);
		for (j = 0; j < numbers[i]; j++) {
			ASSERT_EQ(0, nb_queue_get_info(self->nic.queues[j], &info));
			EXPECT_EQ(j, info.index);
			EXPECT_EQ(info_of(&self->nic).id, info.endpoint_id);
			EXPECT_EQ(NB_QUEUE_RUNNING, info.state);
		}
		nb_bufs_init(&self->nic.bufs);
		nb_nic_post_all(&self->nic);
		ASSERT_TRUE(nb_nic_works(&self->nic));
		nb_nic_stop(&self->nic);
		ASSERT_EQ(0, info_of(&self->nic).n_queues);
	}
}

TEST_F(endpoint, every_queue_transmits)
{
	struct nb_tx_segment segment = nb_tx_packet(nb_frame_put(&self->guest, 0, 100, 1),
						    100, 7);
	unsigned char frame[100];
	unsigned int i;
	uint32_t id;

	nb_nic_start(&self->nic, NB_TEST_QUEUES, 64);
	for (i = 0; i < NB_TEST_QUEUES; i++) {
		nb_bufs_post(&self->nic.bufs, self->nic.queues[i], i);
		nb_tx_all(self->nic.queues[i], &segment, 1);
		if (variant->kind->sent == NB_COMES_BACK) {
			ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queues[i], &id, 1));
			EXPECT_EQ(i, id);
		}
		if (variant->kind->sent == NB_COMES_TO_HOST)
			ASSERT_EQ(100, nb_host_receive(&self->nic.host, frame, 100, NULL));
	}
}

TEST_F(endpoint, makes_as_many_queues_as_it_says_and_no_more)
{
	struct nb_endpoint_params params = { .max_queues = 3 };
	struct nb_endpoint *ep;

	ASSERT_EQ(0, create(&self->nic, &params, &ep));
	nb_endpoint_close(self->nic.ep);
	self->nic.ep = ep;
	EXPECT_EQ(3, info_of(&self->nic).max_queues);

	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 4, NULL));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 0, NULL));
	EXPECT_EQ(0, get_queues(&self->nic, 3, NULL));
}

TEST_F(endpoint, makes_all_queues_or_none)
{
	struct nb_queue_config configs[4] = { 0 };
	unsigned int files = open_files();

	configs[3].tx_avail_entries = 100;
	EXPECT_EQ(-EINVAL, nb_endpoint_get_queues(self->nic.ep, self->guest.mem, configs, 4,
						  NULL, self->nic.queues));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(files, open_files());
	EXPECT_EQ(0, info_of(&self->nic).n_queues);
	nb_nic_start(&self->nic, 4, 0);
	nb_nic_post_all(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(endpoint, has_one_set_of_queues_at_a_time)
{
	struct nb_queue_config config = { 0 };
	struct nb_queue *queue;

	nb_nic_start(&self->nic, 2, 0);
	nb_nic_post_all(&self->nic);
	EXPECT_EQ(-EBUSY, nb_endpoint_get_queues(self->nic.ep, self->guest.mem, &config, 1,
						 NULL, &queue));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(endpoint, stops_only_without_queues_and_starts_again)
{
	unsigned int i;

	EXPECT_EQ(0, nb_endpoint_stop(self->nic.ep));
	for (i = 0; i < 3; i++) {
		nb_nic_start(&self->nic, 2, 0);
		nb_bufs_init(&self->nic.bufs);
		nb_nic_post_all(&self->nic);
		ASSERT_EQ(-EBUSY, nb_endpoint_stop(self->nic.ep));
		EXPECT_LT(10, strlen(nb_error()));
		ASSERT_TRUE(nb_nic_works(&self->nic));

		nb_queue_close(self->nic.queues[1]);
		self->nic.n_queues = 1;
		ASSERT_EQ(-EBUSY, nb_endpoint_stop(self->nic.ep));
		nb_nic_stop(&self->nic);
		ASSERT_EQ(0, nb_endpoint_stop(self->nic.ep));
	}
}

TEST_F(endpoint, lives_as_long_as_its_queues)
{
	unsigned char *page = nb_test_pages(NB_PAGE), got[100];
	struct nb_tx_segment segment = nb_tx_packet(NB_BUF_SIZE, sizeof(got), 1);

	nb_memory_close(self->guest.mem);
	ASSERT_EQ(0, nb_memory_create(self->guest.nb, &self->guest.mem));
	ASSERT_EQ(0, nb_memory_add(self->guest.mem, 0, page, NB_PAGE, 0));
	nb_nic_start(&self->nic, 1, 0);
	nb_endpoint_close(self->nic.ep);
	self->nic.ep = NULL;
	nb_guest_close(&self->guest);

	nb_bufs_post(&self->nic.bufs, self->nic.queue, 0);
	nb_frame_fill(page + NB_BUF_SIZE, sizeof(got), 1);
	nb_tx_all(self->nic.queue, &segment, 1);
	if (variant->kind->sent == NB_COMES_BACK) {
		ASSERT_EQ(1, nb_bufs_reap(&self->nic.bufs, self->nic.queue, NULL, 1));
		EXPECT_EQ(0, memcmp(page, page + NB_BUF_SIZE, sizeof(got)));
	}
	if (variant->kind->sent == NB_COMES_TO_HOST) {
		ASSERT_EQ(sizeof(got), nb_host_receive(&self->nic.host, got, sizeof(got), NULL));
		EXPECT_EQ(0, memcmp(got, page + NB_BUF_SIZE, sizeof(got)));
	}
}

TEST_F(endpoint, serves_the_cpu_that_it_is_told)
{
	struct nb_queue_info info;

	nb_nic_start(&self->nic, 2, 0);
	nb_nic_post_all(&self->nic);
	EXPECT_EQ(0, nb_queue_get_info(self->nic.queue, &info));
	EXPECT_EQ(NB_ANY_CPU, info.target_cpu);

	EXPECT_EQ(0, nb_queue_update_target_vp(self->nic.queue, 0));
	EXPECT_EQ(0, nb_queue_get_info(self->nic.queue, &info));
	EXPECT_EQ(0, info.target_cpu);
	EXPECT_TRUE(nb_nic_works(&self->nic));

	EXPECT_EQ(-EINVAL, nb_queue_update_target_vp(self->nic.queue, 1 << 20));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(0, nb_queue_get_info(self->nic.queue, &info));
	EXPECT_EQ(0, info.target_cpu);

	EXPECT_EQ(0, nb_queue_update_target_vp(self->nic.queue, NB_ANY_CPU));
	EXPECT_EQ(0, nb_queue_get_info(self->nic.queue, &info));
	EXPECT_EQ(NB_ANY_CPU, info.target_cpu);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

/* ---- receive-side scaling ------------------------------------------------ */

static const uint8_t toeplitz_key[40] = { 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2 };

TEST_F(endpoint, takes_rss_only_if_the_kind_has_a_table)
{
	static const uint16_t table[128] = { 0, 1, 2, 3, 0, 1, 2, 3 };
	struct nb_rss_config rss = {
		.key = (uintptr_t)toeplitz_key,
		.key_len = sizeof(toeplitz_key),
		.table = (uintptr_t)table,
		.table_len = variant->kind->table ?: 1,
	};

	if (!variant->kind->table) {
		EXPECT_EQ(-EOPNOTSUPP, get_queues(&self->nic, 4, &rss));
		EXPECT_LT(10, strlen(nb_error()));
		EXPECT_EQ(0, get_queues(&self->nic, 4, NULL));
		return;
	}
	EXPECT_EQ(0, get_queues(&self->nic, 4, &rss));
}

TEST_F(endpoint, refuses_rss_that_makes_no_sense)
{
	uint16_t table[NB_MAX_RSS_TABLE_LEN + 1] = { 0, 1, 4, 3 };
	const struct nb_rss_config good = {
		.key = (uintptr_t)toeplitz_key,
		.key_len = sizeof(toeplitz_key),
		.table = (uintptr_t)table,
		.table_len = 4,
	};
	struct nb_rss_config rss = good;

	if (!variant->kind->table)
		return;

	/* A queue that there is not. */
	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 4, &rss));
	EXPECT_LT(10, strlen(nb_error()));
	table[2] = 2;

	rss.key_len = 0;
	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 4, &rss));
	EXPECT_LT(10, strlen(nb_error()));
	rss.key_len = NB_MAX_RSS_KEY_LEN + 1;
	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 4, &rss));
	rss = good;
	rss.table_len = 0;
	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 4, &rss));
	EXPECT_LT(10, strlen(nb_error()));
	rss.table_len = variant->kind->table + 1;
	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 4, &rss));
	rss = good;
	rss.flags = 1;
	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 4, &rss));
	rss = good;
	rss.reserved = 1;
	EXPECT_EQ(-EINVAL, get_queues(&self->nic, 4, &rss));
	rss = good;
	rss.table = 8;
	EXPECT_EQ(-EFAULT, get_queues(&self->nic, 4, &rss));
	rss = good;
	rss.key = 8;
	EXPECT_EQ(-EFAULT, get_queues(&self->nic, 4, &rss));

	EXPECT_EQ(0, info_of(&self->nic).n_queues);
	EXPECT_EQ(0, get_queues(&self->nic, 4, &good));
}

/* ---- the data path to a VF ----------------------------------------------- */

TEST_F(endpoint, has_no_vf_to_switch_to)
{
	struct nb_endpoint *ep = self->nic.ep;

	EXPECT_EQ(-EOPNOTSUPP, nb_endpoint_set_data_path_to_guest_vf(ep, true));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(variant->kind->takes_vf_false ? 0 : -EOPNOTSUPP,
		  nb_endpoint_set_data_path_to_guest_vf(ep, false));
	EXPECT_EQ(-EOPNOTSUPP, nb_endpoint_get_data_path_to_guest_vf(ep));
}

/* ---- actions ------------------------------------------------------------- */

TEST_F(endpoint, asks_for_nothing_by_itself)
{
	struct nb_action action;

	if (variant->kind->sent != NB_COMES_TO_HOST)
		nb_nic_start(&self->nic, 1, 0);
	EXPECT_EQ(0, nb_endpoint_wait_for_action(self->nic.ep, &action, 0));
	EXPECT_EQ(0, nb_endpoint_wait_for_action(self->nic.ep, &action, 50));
}

static int link_action(struct nb_nic *nic)
{
	struct nb_action action;
	int result = nb_ok(nb_endpoint_wait_for_action(nic->ep, &action, NB_PATIENCE));

	if (!result || action.type != NB_ACTION_LINK_STATUS_NOTIFY)
		return -1;
	return action.value;
}

static bool link_up(struct nb_nic *nic)
{
	return info_of(nic).properties & NB_ENDPOINT_LINK_UP;
}

TEST_F(endpoint, follows_the_link)
{
	struct nb_action action;
	struct pollfd wait = { .events = POLLIN };

	if (variant->kind->sent != NB_COMES_TO_HOST) {
		EXPECT_TRUE(link_up(&self->nic) || variant->kind->sent == NB_COMES_NOWHERE);
		return;
	}
	EXPECT_FALSE(link_up(&self->nic));
	nb_nic_start(&self->nic, 1, 0);
	EXPECT_EQ(1, link_action(&self->nic));
	EXPECT_TRUE(link_up(&self->nic));

	nb_link_set_up(self->nic.host.name, false);
	wait.fd = nb_endpoint_fd(self->nic.ep);
	EXPECT_EQ(1, poll(&wait, 1, NB_PATIENCE));
	EXPECT_EQ(POLLIN, wait.revents);
	EXPECT_EQ(0, link_action(&self->nic));
	EXPECT_FALSE(link_up(&self->nic));
	EXPECT_EQ(0, poll(&wait, 1, 0));

	/* Several changes are one action with the last state. */
	nb_link_set_up(self->nic.host.name, true);
	nb_link_set_up(self->nic.host.name, false);
	nb_link_set_up(self->nic.host.name, true);
	EXPECT_EQ(1, link_action(&self->nic));
	EXPECT_EQ(0, nb_endpoint_wait_for_action(self->nic.ep, &action, 0));
}

TEST_F(endpoint, reads_actions_as_whole_records)
{
	int fd = nb_endpoint_fd(self->nic.ep);
	struct nb_action actions[4];

	nb_sys(fcntl(fd, F_SETFL, nb_sys(fcntl(fd, F_GETFL)) | O_NONBLOCK));
	EXPECT_EQ(-1, read(fd, actions, sizeof(actions)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, read(fd, actions, sizeof(actions[0]) - 1));
	EXPECT_EQ(EINVAL, errno);
	if (variant->kind->sent != NB_COMES_TO_HOST)
		return;

	nb_nic_start(&self->nic, 1, 0);
	ASSERT_TRUE(nb_until(link_up(&self->nic)));
	EXPECT_EQ(sizeof(actions[0]), read(fd, actions, sizeof(actions) - 1));
	EXPECT_EQ(NB_ACTION_LINK_STATUS_NOTIFY, actions[0].type);
	EXPECT_EQ(1, actions[0].value);
	EXPECT_EQ(-1, read(fd, actions, sizeof(actions)));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_HARNESS_MAIN
