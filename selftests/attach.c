// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach: an interface is taken over, by one only, and what is none is refused;
 * packets both ways, with and without somebody in between; the data path to a VF.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/capability.h>
#include <linux/if_packet.h>

#include "kselftest_harness.h"
#include "nbbpf.h"
#include "nbip.h"

FIXTURE(attach)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(attach)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

FIXTURE_TEARDOWN(attach)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static void start(FIXTURE_DATA(attach) *self, unsigned int queues)
{
	nb_nic_start(&self->nic, queues, 0);
	nb_bufs_init(&self->nic.bufs);
	nb_nic_post_all(&self->nic);
}

static int create(struct nb_guest *guest, const struct nb_attach_params *attach, uint32_t size,
		  uint32_t mtu)
{
	struct nb_endpoint_params params = {
		.kind = "attach",
		.netns_fd = -1,
		.mtu = mtu,
		.kind_params = attach,
		.kind_params_size = size,
	};
	struct nb_endpoint *ep;
	int err = nb_endpoint_create(guest->nb, &params, &ep);

	if (!err)
		nb_endpoint_close(ep);
	return err;
}

static int create_on(struct nb_guest *guest, const char *name)
{
	struct nb_attach_params attach = { .flags = NB_ATTACH_PROMISCUOUS };

	strncpy(attach.ifname, name, sizeof(attach.ifname) - 1);
	return create(guest, &attach, sizeof(attach), 0);
}

static bool refuses(struct nb_guest *guest, const char *name, int errno_, const char *word)
{
	int err = create_on(guest, name);

	if (err == -errno_ && strstr(nb_error(), word))
		return true;
	fprintf(stderr, "# %s: %d, '%s'\n", name, err, nb_error());
	return false;
}

/* ---- taking over --------------------------------------------------------- */

TEST_F(attach, moves_packets_both_ways)
{
	start(self, 1);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(attach, says_what_its_interface_is)
{
	struct nb_endpoint_info info;

	nb_host_run("ip link set low0 mtu 4000");
	nb_ok(nb_endpoint_get_info(self->nic.ep, &info));
	EXPECT_EQ(self->nic.pair.lower_index, info.ifindex);
	EXPECT_STREQ("low0", info.name);
	EXPECT_EQ(4000, info.mtu);
	EXPECT_EQ(10000000000ull, info.link_speed);
	EXPECT_EQ(NB_ENDPOINT_ORDERED | NB_ENDPOINT_LINK_UP |
		  NB_ENDPOINT_CONNECTED, info.properties);
}

TEST_F(attach, an_interface_has_one_endpoint)
{
	struct nb_attach_params attach = { .ifindex = self->nic.pair.lower_index };

	start(self, 1);
	EXPECT_TRUE(refuses(&self->guest, "low0", EBUSY, "another endpoint"));
	EXPECT_EQ(-EBUSY, create(&self->guest, &attach, sizeof(attach), 0));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_nic_close(&self->nic);
	EXPECT_EQ(0, create_on(&self->guest, "low0"));
	EXPECT_EQ(0, create_on(&self->guest, "low0"));
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

TEST_F(attach, while_it_is_taken_nobody_else_can_have_it)
{
	nb_host_run("ip link add br0 type bridge");
	EXPECT_NE(0, nb_test_run("sh", "-c", "ip link set low0 master br0 2>/dev/null", NULL));
	EXPECT_NE(0, nb_test_run("sh", "-c",
				 "ip link add mac0 link low0 type macvlan 2>/dev/null", NULL));
	nb_nic_close(&self->nic);
	nb_host_run("ip link set low0 master br0");
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

TEST_F(attach, ports_of_others_are_refused)
{
	nb_host_run("ip link add d0 type dummy");
	nb_host_run("ip link add d1 type dummy");
	nb_host_run("ip link add d2 type dummy");
	nb_host_run("ip link add br0 type bridge");
	nb_host_run("ip link set d0 master br0");
	nb_host_run("ip link add mac0 link d1 type macvlan");
	EXPECT_TRUE(refuses(&self->guest, "d0", EBUSY, "bridge"));
	EXPECT_TRUE(refuses(&self->guest, "d1", EBUSY, "macvlan"));
	nb_host_run("ip link add v0 type vrf table 10");
	nb_host_run("ip link set d2 master v0");
	EXPECT_TRUE(refuses(&self->guest, "d2", EBUSY, "port of"));
	/* Those above are nobody's port. */
	EXPECT_EQ(0, create_on(&self->guest, "br0"));
	EXPECT_EQ(0, create_on(&self->guest, "mac0"));
	nb_host_run("ip link del mac0");
	EXPECT_EQ(0, create_on(&self->guest, "d1"));
	nb_host_run("ip link set d0 nomaster");
	EXPECT_EQ(0, create_on(&self->guest, "d0"));
}

TEST_F(attach, what_is_no_ethernet_interface_is_refused)
{
	struct nb_nic netdev;
	struct nb_endpoint_info info;

	EXPECT_TRUE(refuses(&self->guest, "lo", EINVAL, "not an Ethernet"));
	nb_host_run("ip link add t0 type nlmon");
	EXPECT_TRUE(refuses(&self->guest, "t0", EINVAL, "not an Ethernet"));
	nb_nic_open(&netdev, &self->guest, &nb_test_netdev, 0);
	nb_ok(nb_endpoint_get_info(netdev.ep, &info));
	EXPECT_TRUE(refuses(&self->guest, info.name, EINVAL, "kind netdev"));
	nb_nic_close(&netdev);
}

TEST_F(attach, what_is_not_there_is_refused)
{
	struct nb_attach_params attach = { .ifindex = 12345 };

	EXPECT_TRUE(refuses(&self->guest, "nothing", ENODEV, "no network interface 'nothing'"));
	EXPECT_EQ(-ENODEV, create(&self->guest, &attach, sizeof(attach), 0));
	EXPECT_NE(NULL, strstr(nb_error(), "no network interface 12345"));
	attach.ifindex = UINT32_MAX;
	EXPECT_EQ(-ENODEV, create(&self->guest, &attach, sizeof(attach), 0));
	/* It is looked for where the endpoint is to be. */
	nb_host_new_netns();
	EXPECT_TRUE(refuses(&self->guest, "low0", ENODEV, "no network interface"));
}

TEST_F(attach, parameters_that_make_no_sense_are_refused)
{
	struct {
		struct nb_attach_params params;
		uint32_t more;
	} long_params = { .params = { .ifname = "far0" } };
	struct nb_attach_params attach = { .ifname = "far0" };

	EXPECT_EQ(-EINVAL, create(&self->guest, NULL, 0, 0));
	EXPECT_NE(NULL, strstr(nb_error(), "which network interface"));
	attach.flags = 1u << 1;
	EXPECT_EQ(-EINVAL, create(&self->guest, &attach, sizeof(attach), 0));
	EXPECT_NE(NULL, strstr(nb_error(), "flags"));
	attach.flags = 0;
	attach.ifindex = 1;
	EXPECT_EQ(-EINVAL, create(&self->guest, &attach, sizeof(attach), 0));
	EXPECT_NE(NULL, strstr(nb_error(), "either"));
	attach.ifindex = 0;
	attach.ifname[0] = '\0';
	EXPECT_EQ(-EINVAL, create(&self->guest, &attach, sizeof(attach), 0));
	EXPECT_NE(NULL, strstr(nb_error(), "either"));
	memset(attach.ifname, 'a', sizeof(attach.ifname));
	EXPECT_EQ(-EINVAL, create(&self->guest, &attach, sizeof(attach), 0));
	EXPECT_NE(NULL, strstr(nb_error(), "zero-terminated"));
	strcpy(attach.ifname, "far0");
	EXPECT_EQ(-EINVAL, create(&self->guest, &attach, sizeof(attach), 1500));
	EXPECT_NE(NULL, strstr(nb_error(), "MTU"));
	EXPECT_EQ(-EFAULT, create(&self->guest, (void *)8, sizeof(attach), 0));
	long_params.more = 1;
	EXPECT_EQ(-E2BIG, create(&self->guest, &long_params.params, sizeof(long_params), 0));
	long_params.more = 0;
	EXPECT_EQ(0, create(&self->guest, &long_params.params, sizeof(long_params), 0));
	EXPECT_EQ(0, create(&self->guest, &attach, sizeof(attach), 0));
}

TEST_F(attach, asks_for_net_admin)
{
	nb_test_drop_capability(CAP_NET_ADMIN);
	EXPECT_TRUE(refuses(&self->guest, "far0", EPERM, "CAP_NET_ADMIN"));
}

/* ---- from the guest ------------------------------------------------------ */

/* A batch that is sent by one call arrives in order. */
static bool batch_arrives(struct nb_nic *nic)
{
	struct nb_tx_segment segments[60];
	unsigned char frame[400], got[400];
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_frame(nic->guest, i, 100 + i);
	nb_tx_all(nic->queue, segments, ARRAY_LEN(segments));
	for (i = 0; i < ARRAY_LEN(segments); i++) {
		nb_frame_fill(frame, 100 + i, i);
		if (nb_host_receive(&nic->host, got, sizeof(got), NULL) != 100 + i ||
		    memcmp(frame, got, 100 + i))
			return false;
	}
	return true;
}

TEST_F(attach, a_batch_arrives_in_order)
{
	start(self, 1);
	EXPECT_TRUE(batch_arrives(&self->nic));
}

TEST_F(attach, a_queueing_discipline_is_respected)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 1, 100);
	struct nb_tx_completion done;

	nb_link_set_fifo(self->nic.pair.lower_index, 100);
	start(self, 1);
	EXPECT_TRUE(batch_arrives(&self->nic));
	EXPECT_TRUE(nb_nic_works(&self->nic));
	/* One that takes a byte an hour holds one packet, and drops the next. */
	nb_host_run("tc qdisc replace dev low0 root tbf rate 8bit burst 1b limit 100");
	ASSERT_EQ(1, nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->nic.queue, &done, 1));
	EXPECT_EQ(NB_TX_DROPPED, done.status);
	EXPECT_TRUE(nb_host_silent(&self->nic.host));
}

TEST_F(attach, a_program_on_the_way_out_is_respected)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 1, 100);
	struct nb_tx_completion done;
	unsigned char frame[300];

	nb_host_run("tc qdisc add dev low0 clsact");
	start(self, 1);
	EXPECT_TRUE(batch_arrives(&self->nic));
	nb_host_run("tc filter add dev low0 egress matchall action drop");
	nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL);
	nb_host_run("tc filter del dev low0 egress");
	segment = nb_tx_frame(&self->guest, 2, 200);
	nb_tx_reap(self->nic.queue, &done, 1);
	nb_tx_all(self->nic.queue, &segment, 1);
	EXPECT_EQ(200, nb_host_receive(&self->nic.host, frame, sizeof(frame), NULL));
}

TEST_F(attach, who_captures_sees_what_the_guest_sends)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 1, 100);
	struct nb_host tap = { .fd = -1 };
	unsigned char got[200];

	start(self, 1);
	nb_host_open_socket(&tap, self->nic.pair.lower_index);
	nb_sys(setsockopt(tap.fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &(int){ 0 }, sizeof(int)));
	nb_tx_all(self->nic.queue, &segment, 1);
	EXPECT_EQ(100, nb_host_receive(&tap, got, sizeof(got), NULL));
	EXPECT_EQ(100, nb_host_receive(&self->nic.host, got, sizeof(got), NULL));
	nb_host_close(&tap);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(attach, a_packet_longer_than_the_mtu_is_dropped)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 1, 1519);
	struct nb_tx_completion done;

	start(self, 1);
	ASSERT_EQ(1, nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->nic.queue, &done, 1));
	EXPECT_EQ(NB_TX_DROPPED, done.status);
	EXPECT_EQ(1, nb_stats_of(self->nic.queue).tx_dropped);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(attach, a_tag_goes_both_ways_beside_the_packet)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 1, 100);
	struct nb_host tagged = { .fd = -1 };
	unsigned char frame[100];
	int vlan;

	start(self, 1);
	segment.flags |= NB_TX_VLAN;
	segment.vlan = 0x6123;
	nb_tx_all(self->nic.queue, &segment, 1);
	EXPECT_EQ(100, nb_host_receive(&self->nic.host, frame, sizeof(frame), &vlan));
	EXPECT_EQ(0x6123, vlan);

	nb_link_add_vlan(self->nic.pair.far_index, "tagged", 0x123);
	nb_host_open(&tagged, if_nametoindex("tagged"));
	nb_frame_fill(frame, sizeof(frame), 5);
	nb_host_send(&tagged, frame, sizeof(frame));
	EXPECT_EQ(100, nb_nic_received(&self->nic, frame, sizeof(frame), &vlan));
	EXPECT_EQ(0x123, vlan);
	nb_host_close(&tagged);
}

TEST_F(attach, a_tag_that_is_in_the_packet_stays_there)
{
	static const unsigned char tag[] = { 0x81, 0x00, 0x20, 0x07 };
	struct nb_tx_segment segment;
	unsigned char *frame, got[200];
	int vlan;

	start(self, 1);
	segment = nb_tx_frame(&self->guest, 1, 100);
	frame = nb_guest_ptr(&self->guest, segment.gpa, 100);
	memmove(frame + 16, frame + 12, 84);
	memcpy(frame + 12, tag, sizeof(tag));
	nb_tx_all(self->nic.queue, &segment, 1);
	/* Who receives it takes the tag out of it. */
	EXPECT_EQ(96, nb_host_receive(&self->nic.host, got, sizeof(got), &vlan));
	EXPECT_EQ(0x2007, vlan);
	EXPECT_EQ(0, memcmp(frame, got, 12));
	EXPECT_EQ(0, memcmp(frame + 16, got + 12, 84));
}

/* ---- to the guest -------------------------------------------------------- */

TEST_F(attach, without_a_buffer_packets_are_dropped_and_counted)
{
	unsigned char frame[100], got[200];
	unsigned int i;

	nb_nic_start(&self->nic, 1, 0);
	nb_frame_fill(frame, sizeof(frame), 1);
	for (i = 0; i < 10; i++)
		nb_host_send(&self->nic.host, frame, sizeof(frame));
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queue).rx_no_buffer == 10));
	/* Nobody has to say that there are buffers again. */
	nb_nic_post_all(&self->nic);
	nb_host_send(&self->nic.host, frame, sizeof(frame));
	EXPECT_EQ(100, nb_nic_received(&self->nic, got, sizeof(got), NULL));
	EXPECT_EQ(10, nb_stats_of(self->nic.queue).rx_no_buffer);
	EXPECT_EQ(1, nb_stats_of(self->nic.queue).rx_packets);
}

TEST_F(attach, a_packet_longer_than_the_buffer_is_dropped_and_counted)
{
	unsigned char frame[1000];

	nb_nic_start(&self->nic, 1, 0);
	self->nic.bufs.size = 500;
	nb_nic_post_all(&self->nic);
	nb_frame_fill(frame, sizeof(frame), 1);
	nb_host_send(&self->nic.host, frame, sizeof(frame));
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queue).rx_too_small == 1));
	nb_host_send(&self->nic.host, frame, 500);
	EXPECT_EQ(500, nb_nic_received(&self->nic, frame, sizeof(frame), NULL));
}

/* Counted by the interface. */
static const char is_dropped[] =
	"ip -s -j link show low0 | jq -e '.[0].stats64.rx.dropped == 1' >/dev/null";

TEST_F(attach, without_queues_the_host_gets_nothing_either)
{
	struct nb_host passed = { .fd = -1 };
	unsigned char frame[100];

	nb_host_open_passed(&passed, self->nic.pair.lower_index);
	nb_host_open_socket(&self->nic.host, self->nic.pair.far_index);
	nb_frame_fill(frame, sizeof(frame), 1);
	EXPECT_NE(0, nb_test_run("sh", "-c", is_dropped, NULL));
	nb_host_send(&self->nic.host, frame, sizeof(frame));
	EXPECT_TRUE(nb_until(!nb_test_run("sh", "-c", is_dropped, NULL)));
	EXPECT_TRUE(nb_host_silent(&passed));
	nb_host_close(&passed);
}

TEST_F(attach, a_link_that_the_operator_has_set_down_carries_nothing)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 1, 100);
	struct nb_tx_completion done;
	unsigned char frame[100];

	start(self, 1);
	nb_host_run("nbctl link low0 down");
	ASSERT_EQ(1, nb_queue_tx_avail(self->nic.queue, &segment, 1, NULL));
	ASSERT_EQ(1, nb_tx_reap(self->nic.queue, &done, 1));
	EXPECT_EQ(NB_TX_DROPPED, done.status);
	nb_frame_fill(frame, sizeof(frame), 1);
	nb_host_send(&self->nic.host, frame, sizeof(frame));
	EXPECT_TRUE(nb_until(!nb_test_run("sh", "-c", is_dropped, NULL)));
	EXPECT_EQ(0, nb_stats_of(self->nic.queue).rx_packets);
	EXPECT_TRUE(nb_host_silent(&self->nic.host));

	nb_host_run("nbctl link low0 up");
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(attach, flows_are_spread_over_queues_by_the_frontends_table)
{
	static const uint8_t key[40] = { 0x6d, 0x5a, 0x56, 0xda };
	uint16_t table[4] = { 2, 2, 2, 2 };
	struct nb_rss_config rss = {
		.key = (uintptr_t)key, .key_len = sizeof(key),
		.table = (uintptr_t)table, .table_len = ARRAY_LEN(table),
	};
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 100 };
	unsigned int i;
	struct nb_ip ip;

	start(self, 4);
	nb_ok(nb_endpoint_set_rss(self->nic.ep, &rss));
	nb_ip_make(&ip, &plan);
	nb_host_send(&self->nic.host, ip.data, ip.len);
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queues[2]).rx_packets == 1));
	memset(table, 0, sizeof(table));
	for (i = 0; i < 4; i++)
		table[i] = 3;
	nb_ok(nb_endpoint_set_rss(self->nic.ep, &rss));
	nb_host_send(&self->nic.host, ip.data, ip.len);
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queues[3]).rx_packets == 1));
	/* Without a table, different flows come to different queues. */
	nb_ok(nb_endpoint_set_rss(self->nic.ep, NULL));
	for (plan.port = 1; plan.port < 200; plan.port++) {
		nb_ip_make(&ip, &plan);
		nb_host_send(&self->nic.host, ip.data, ip.len);
	}
	EXPECT_TRUE(nb_until(nb_stats_of(self->nic.queues[0]).rx_packets &&
			     nb_stats_of(self->nic.queues[1]).rx_packets));
}

/* ---- the data path to a VF ----------------------------------------------- */

/* As if the interface's hardware had received each frame by its queue 2. */
static int receives_by_queue_2(void)
{
	return nb_bpf_program(BPF_PROG_TYPE_SCHED_CLS, 0,
			      BPF_SET(BPF_REG_2, 2 + 1),
			      BPF_STORE(BPF_W, BPF_REG_1,
					offsetof(struct __sk_buff, queue_mapping), BPF_REG_2),
			      BPF_SET(BPF_REG_0, 0),
			      BPF_RETURN);
}

TEST_F(attach, without_a_table_flows_stay_where_the_interface_has_spread_them)
{
	struct nb_ip_plan plan = { .protocol = IPPROTO_UDP, .payload = 10 };
	struct nb_nic *nic = &self->nic;
	static struct nb_ip ip;
	uint32_t ids[8];
	unsigned int i;

	nb_bpf_classify(nic->pair.lower_index, receives_by_queue_2());
	start(self, 4);
	for (i = 0; i < 8; i++) {
		plan.port = 2000 + i;
		nb_ip_make(&ip, &plan);
		nb_host_send(&nic->host, ip.data, ip.len);
	}
	EXPECT_EQ(8, nb_bufs_reap(&nic->bufs, nic->queues[2], ids, 8));
}

TEST_F(attach, with_a_vf_frames_pass_and_come_back_none_lost_none_twice)
{
	struct nb_host passed = { .fd = -1 };
	unsigned char frame[100], got[200];
	unsigned int i, to_host = 0, to_guest = 0;

	start(self, 1);
	nb_host_open_passed(&passed, self->nic.pair.lower_index);
	EXPECT_EQ(0, nb_endpoint_get_data_path_to_guest_vf(self->nic.ep));
	for (i = 0; i < 100; i++) {
		bool vf = i % 2;

		ASSERT_EQ(0, nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, vf));
		ASSERT_EQ(0, nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, vf));
		ASSERT_EQ(vf, nb_endpoint_get_data_path_to_guest_vf(self->nic.ep));
		nb_frame_fill(frame, sizeof(frame), i);
		nb_host_send(&self->nic.host, frame, sizeof(frame));
		if (vf) {
			ASSERT_EQ(100, nb_host_receive(&passed, got, sizeof(got), NULL));
			to_host++;
		} else {
			ASSERT_EQ(100, nb_nic_received(&self->nic, got, sizeof(got), NULL));
			to_guest++;
		}
		ASSERT_EQ(0, memcmp(frame, got, sizeof(frame)));
	}
	EXPECT_TRUE(nb_host_silent(&passed));
	EXPECT_EQ(50, to_host);
	EXPECT_EQ(50, nb_stats_of(self->nic.queue).rx_packets);
	nb_host_close(&passed);
}

TEST_F(attach, with_a_vf_what_the_guest_sends_is_still_sent)
{
	struct nb_tx_segment segment = nb_tx_frame(&self->guest, 1, 100);
	unsigned char frame[200];

	start(self, 1);
	nb_ok(nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, true));
	nb_tx_all(self->nic.queue, &segment, 1);
	EXPECT_EQ(100, nb_host_receive(&self->nic.host, frame, sizeof(frame), NULL));
}

TEST_F(attach, with_a_vf_the_interface_is_not_promiscuous)
{
	static const char is[] = "ip -d -j link show low0 | jq -e '.[0].promiscuity == ";
	char one[128], none[128];

	snprintf(one, sizeof(one), "%s1' >/dev/null", is);
	snprintf(none, sizeof(none), "%s0' >/dev/null", is);
	EXPECT_EQ(0, nb_test_run("sh", "-c", one, NULL));
	nb_ok(nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, true));
	EXPECT_EQ(0, nb_test_run("sh", "-c", none, NULL));
	nb_ok(nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, false));
	EXPECT_EQ(0, nb_test_run("sh", "-c", one, NULL));
	nb_ok(nb_endpoint_set_data_path_to_guest_vf(self->nic.ep, true));
	nb_nic_close(&self->nic);
	EXPECT_EQ(0, nb_test_run("sh", "-c", none, NULL));
	nb_nic_open(&self->nic, &self->guest, &nb_test_attach, 0);
}

TEST_HARNESS_MAIN
