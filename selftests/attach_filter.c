// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach, filtered: whose frames come to the guest, whose to the host, and that
 * nothing of what the interface was asked for stays.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "nbip.h"

static const uint8_t guest_mac[6] = { 0x02, 0, 0, 0, 0x12, 0x34 };
static const uint8_t other_mac[6] = { 0x02, 0, 0, 0, 0x12, 0x35 };
static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const struct nb_multicast groups[] = {
	{ { 0x33, 0x33, 0, 0, 0, 9 } }, { { 0x01, 0, 0x5e, 0, 0, 1 } },
	{ { 0x01, 0, 0x5e, 1, 2, 3 } }, { { 0x33, 0x33, 0xff, 1, 2, 3 } },
};

FIXTURE(filter)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_host passed;	/* what the host's stack gets behind the handler */
	uint32_t seed;
};

static void open_nic(FIXTURE_DATA(filter) *self, uint32_t flags)
{
	nb_nic_attach(&self->nic, &self->guest, flags, guest_mac);
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	nb_host_open_passed(&self->passed, self->nic.pair.lower_index);
}

FIXTURE_SETUP(filter)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
}

FIXTURE_TEARDOWN(filter)
{
	nb_host_close(&self->passed);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

enum { NOBODY, GUEST, HOST, BOTH };

static uint32_t at_guest(FIXTURE_DATA(filter) *self)
{
	return nb_stats_of(self->nic.queue).rx_packets;
}

/* Sends a frame, and one for both behind it: who has got the first? */
static int who_gets(FIXTURE_DATA(filter) *self, const uint8_t *to)
{
	unsigned char frame[100], last[100], got[200];
	uint32_t before = at_guest(self);
	int who = NOBODY;

	nb_frame_fill(frame, sizeof(frame), ++self->seed);
	memcpy(frame, to, 6);
	nb_host_send(&self->nic.host, frame, sizeof(frame));
	nb_frame_fill(last, sizeof(last), ++self->seed);
	nb_host_send(&self->nic.host, last, sizeof(last));
	if (!nb_until(at_guest(self) > before))
		nb_die("a broadcast has not come to the guest");

	if (nb_nic_received(&self->nic, got, sizeof(got), NULL) == sizeof(frame) &&
	    !memcmp(got, frame, sizeof(frame))) {
		who |= GUEST;
		if (nb_nic_received(&self->nic, got, sizeof(got), NULL) != sizeof(last))
			nb_die("a broadcast is missing");
	}
	if (memcmp(got, last, sizeof(last)))
		nb_die("another packet has come to the guest");
	if (nb_host_receive(&self->passed, got, sizeof(got), NULL) != sizeof(frame))
		nb_die("a broadcast has not come to the host");
	if (!memcmp(got, frame, sizeof(frame))) {
		who |= HOST;
		nb_host_receive(&self->passed, got, sizeof(got), NULL);
	}
	if (memcmp(got, last, sizeof(last)) || !nb_host_silent(&self->passed))
		nb_die("another packet has come to the host");
	return who;
}

/* Promiscuity, all groups, unicast addresses and groups of an interface, as text. */
static void asked_of(const char *name, char *text, size_t size)
{
	char line[256];
	FILE *pipe;
	size_t len;

	snprintf(line, sizeof(line), "ip -d link show %s | grep -o 'promiscuity [0-9]*\\|"
		 "allmulti [0-9]*\\|ALLMULTI\\|PROMISC'; ip maddr show dev %s; "
		 "bridge fdb show dev %s", name, name, name);
	pipe = popen(line, "re");
	len = fread(text, 1, size - 1, pipe);
	text[len] = '\0';
	pclose(pipe);
}

/* ---- tests --------------------------------------------------------------- */

TEST_F(filter, each_frame_comes_to_whom_it_is_for)
{
	uint8_t lower_mac[6];

	open_nic(self, 0);
	nb_link_get_mac(self->nic.pair.lower, lower_mac);
	EXPECT_EQ(GUEST, who_gets(self, guest_mac));
	EXPECT_EQ(HOST, who_gets(self, lower_mac));
	EXPECT_EQ(HOST, who_gets(self, other_mac));
	EXPECT_EQ(BOTH, who_gets(self, broadcast));
	EXPECT_EQ(BOTH, who_gets(self, groups[0].mac));
}

TEST_F(filter, promiscuous_means_all_frames_and_no_host)
{
	const uint8_t *to[] = { guest_mac, other_mac, broadcast, groups[0].mac };
	unsigned char frame[100], got[200];
	unsigned int i;

	open_nic(self, NB_ATTACH_PROMISCUOUS);
	for (i = 0; i < ARRAY_LEN(to); i++) {
		nb_frame_fill(frame, sizeof(frame), i);
		memcpy(frame, to[i], 6);
		nb_host_send(&self->nic.host, frame, sizeof(frame));
		ASSERT_EQ(100, nb_nic_received(&self->nic, got, sizeof(got), NULL));
		EXPECT_EQ(0, memcmp(frame, got, sizeof(frame)));
	}
	EXPECT_TRUE(nb_host_silent(&self->passed));
}

TEST_F(filter, groups_of_the_list_come_to_the_guest)
{
	unsigned int n, i;

	open_nic(self, 0);
	for (n = 0; n <= ARRAY_LEN(groups); n++) {
		ASSERT_EQ(0, nb_endpoint_set_multicast(self->nic.ep, groups, n, 0));
		for (i = 0; i < ARRAY_LEN(groups); i++)
			ASSERT_EQ(i < n ? BOTH : HOST, who_gets(self, groups[i].mac));
		EXPECT_EQ(BOTH, who_gets(self, broadcast));
		EXPECT_EQ(GUEST, who_gets(self, guest_mac));
	}
	ASSERT_EQ(0, nb_endpoint_set_multicast(self->nic.ep, NULL, 0, NB_MULTICAST_ALL));
	EXPECT_EQ(BOTH, who_gets(self, other_mac) == HOST ? who_gets(self, groups[2].mac) : -1);
}

TEST_F(filter, a_full_list_is_searched_right)
{
	struct nb_multicast list[NB_MAX_MULTICAST];
	uint8_t mac[6];
	unsigned int i;

	open_nic(self, 0);
	for (i = 0; i < ARRAY_LEN(list); i++)
		list[i] = (struct nb_multicast){ { 0x01, 0, 0x5e, 7, ~i >> 7, ~i << 1 } };
	ASSERT_EQ(0, nb_endpoint_set_multicast(self->nic.ep, list, ARRAY_LEN(list), 0));
	for (i = 0; i < ARRAY_LEN(list); i += 73) {
		ASSERT_EQ(BOTH, who_gets(self, list[i].mac));
		memcpy(mac, list[i].mac, 6);
		mac[5] ^= 1;
		ASSERT_EQ(HOST, who_gets(self, mac));
	}
}

TEST_F(filter, the_interface_is_told_and_nothing_stays)
{
	struct nb_multicast mine = groups[2];
	char before[4096], during[4096], after[4096];
	struct nb_attach_params attach = { 0 };
	struct nb_endpoint_params params = {
		.kind = "attach", .netns_fd = -1, .mac = guest_mac,
		.kind_params = &attach, .kind_params_size = sizeof(attach),
	};
	unsigned int promiscuous, i;
	struct nb_endpoint *ep;

	open_nic(self, 0);
	/* Somebody else listens to the same group, and to the same address. */
	nb_host_run("ip maddr add 01:00:5e:01:02:03 dev far0");
	nb_host_run("bridge fdb add 02:00:00:00:12:34 dev far0 self 2>/dev/null || true");
	attach.ifindex = self->nic.pair.far_index;
	asked_of("far0", before, sizeof(before));
	for (promiscuous = 0; promiscuous < 2; promiscuous++) {
		attach.flags = promiscuous ? NB_ATTACH_PROMISCUOUS : 0;
		nb_ok(nb_endpoint_create(self->guest.nb, &params, &ep));
		asked_of("far0", during, sizeof(during));
		EXPECT_STRNE(before, during);
		for (i = 0; i < 3; i++) {
			nb_ok(nb_endpoint_set_multicast(ep, groups, ARRAY_LEN(groups), 0));
			nb_ok(nb_endpoint_set_multicast(ep, &mine, 1, 0));
			nb_ok(nb_endpoint_set_data_path_to_guest_vf(ep, true));
			asked_of("far0", after, sizeof(after));
			ASSERT_STREQ(before, after);
			nb_ok(nb_endpoint_set_multicast(ep, groups, ARRAY_LEN(groups), 0));
			nb_ok(nb_endpoint_set_data_path_to_guest_vf(ep, false));
			nb_ok(nb_endpoint_set_multicast(ep, NULL, 0, NB_MULTICAST_ALL));
		}
		asked_of("far0", after, sizeof(after));
		ASSERT_STREQ(during, after);
		nb_ok(nb_endpoint_set_multicast(ep, &mine, 1, 0));
		nb_endpoint_close(ep);
		asked_of("far0", after, sizeof(after));
		ASSERT_STREQ(before, after);
	}
}

/* The backend goes to a NIC with another address, which it is to serve from then on. */
static void move_nic(FIXTURE_DATA(filter) *self, const uint8_t *mac)
{
	struct nb_endpoint_params params = { .kind = "null", .netns_fd = -1, .mac = mac };
	struct nb_endpoint *to;

	nb_host_close(&self->passed);
	nb_nic_stop(&self->nic);
	nb_ok(nb_endpoint_create(self->guest.nb, &params, &to));
	nb_ok(nb_endpoint_disconnect(to, 0));
	nb_ok(nb_endpoint_disconnect(self->nic.ep, 0));
	nb_ok(nb_endpoint_connect(to, self->nic.ep));
	nb_endpoint_close(self->nic.ep);
	self->nic.ep = to;
	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_init(&self->nic.bufs);
	nb_nic_post_all(&self->nic);
	nb_host_open_passed(&self->passed, self->nic.pair.lower_index);
}

TEST_F(filter, at_another_endpoint_the_address_is_that_ones)
{
	char asked[4096];

	open_nic(self, 0);
	ASSERT_EQ(GUEST, who_gets(self, guest_mac));
	move_nic(self, other_mac);
	EXPECT_EQ(GUEST, who_gets(self, other_mac));
	EXPECT_EQ(HOST, who_gets(self, guest_mac));
	EXPECT_EQ(BOTH, who_gets(self, broadcast));
	asked_of(self->nic.pair.lower, asked, sizeof(asked));
	EXPECT_NE(NULL, strstr(asked, "02:00:00:00:12:35"));
	EXPECT_EQ(NULL, strstr(asked, "02:00:00:00:12:34"));
}

TEST_F(filter, at_another_endpoint_the_path_to_a_vf_ends)
{
	open_nic(self, 0);
	nb_ok(nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, true));
	move_nic(self, other_mac);
	EXPECT_EQ(0, nb_endpoint_get_data_path_to_guest_vf(self->nic.ep));
	EXPECT_EQ(GUEST, who_gets(self, other_mac));
	EXPECT_EQ(HOST, who_gets(self, guest_mac));
}

TEST_F(filter, a_list_that_makes_no_sense_is_refused)
{
	struct nb_multicast list[NB_MAX_MULTICAST + 1];
	struct nb_endpoint *ep;
	unsigned int i;

	open_nic(self, 0);
	ep = self->nic.ep;
	for (i = 0; i < ARRAY_LEN(list); i++)
		list[i] = groups[1];
	EXPECT_EQ(-EINVAL, nb_endpoint_set_multicast(ep, list, ARRAY_LEN(list), 0));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(-EINVAL, nb_endpoint_set_multicast(ep, list, 1, NB_MULTICAST_ALL));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(-EINVAL, nb_endpoint_set_multicast(ep, list, 1, 1u << 1));
	EXPECT_EQ(-EINVAL, nb_endpoint_set_multicast(ep, NULL, 1, 0));
	EXPECT_LT(10, strlen(nb_error()));
	EXPECT_EQ(-EFAULT, nb_endpoint_set_multicast(ep, (void *)8, 1, 0));
	memcpy(list[7].mac, other_mac, 6);
	EXPECT_EQ(-EINVAL, nb_endpoint_set_multicast(ep, list, 8, 0));
	EXPECT_NE(NULL, strstr(nb_error(), "02:00:00:00:12:35"));
	/* Nothing has changed: all groups. */
	EXPECT_EQ(BOTH, who_gets(self, groups[0].mac));
	/* The same group twice is no more than once. */
	EXPECT_EQ(0, nb_endpoint_set_multicast(ep, list, 7, 0));
	EXPECT_EQ(HOST, who_gets(self, groups[0].mac));
}

TEST_F(filter, kinds_that_do_not_filter_say_so)
{
	struct nb_nic null;

	open_nic(self, 0);
	nb_nic_open(&null, &self->guest, &nb_test_null, 0);
	EXPECT_EQ(-EOPNOTSUPP, nb_endpoint_set_multicast(null.ep, groups, 1, 0));
	EXPECT_LT(10, strlen(nb_error()));
	nb_nic_close(&null);
}

TEST_HARNESS_MAIN
