// SPDX-License-Identifier: GPL-2.0
/*
 * Endpoints that cannot be made, for want of a right, a name or a kind; and those
 * whose ground goes away under them.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include <linux/capability.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

FIXTURE(endpoints)
{
	struct nb_guest guest;
	int control;
};

FIXTURE_SETUP(endpoints)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	self->control = nb_sys(open("/dev/net_backend", O_RDWR | O_CLOEXEC));
}

FIXTURE_TEARDOWN(endpoints)
{
	nb_guest_close(&self->guest);
}

/* An endpoint fd, or a negative errno. */
static int create(FIXTURE_DATA(endpoints) *self, const struct nb_create_endpoint *what)
{
	struct nb_create_endpoint call = *what;

	call.size = sizeof(call);
	return nb_raw_call(self->control, NB_CREATE_ENDPOINT, &call);
}

static int create_named(FIXTURE_DATA(endpoints) *self, const char *kind, const char *name)
{
	struct nb_create_endpoint call = { 0 };

	strcpy(call.kind, kind);
	strcpy(call.name, name);
	return create(self, &call);
}

/* ---- kinds, names, addresses --------------------------------------------- */

TEST_F(endpoints, unknown_kinds_are_named_in_the_message)
{
	struct nb_create_endpoint unterminated = { 0 };

	EXPECT_EQ(-ENOENT, create_named(self, "nonsense", ""));
	EXPECT_NE(NULL, strstr(nb_raw_message, "nonsense")) TH_LOG("%s", nb_raw_message);
	EXPECT_GT(0, create_named(self, "", ""));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_GT(0, create_named(self, "../null", ""));
	EXPECT_TRUE(nb_raw_explained());
	memset(unterminated.kind, 'a', sizeof(unterminated.kind));
	EXPECT_EQ(-EINVAL, create(self, &unterminated));
	EXPECT_TRUE(nb_raw_explained());
}

/* A device that never came to be. CVE-2022-4744: tun freed one twice whose registration failed. */
TEST_F(endpoints, a_name_can_be_taken_once)
{
	static const char * const kinds[] = { "null", "loopback", "netdev" };
	unsigned int i, j;
	int fd;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		fd = nb_sys(create_named(self, kinds[i], "eve"));
		for (j = 0; j < ARRAY_LEN(kinds); j++) {
			EXPECT_EQ(-EEXIST, create_named(self, kinds[j], "eve"))
				TH_LOG("%s after %s", kinds[j], kinds[i]);
			EXPECT_TRUE(nb_raw_explained());
		}
		close(fd);
	}
	/* An interface that is nobody's endpoint. */
	EXPECT_EQ(-EEXIST, create_named(self, "netdev", "lo"));
	EXPECT_NE(NULL, strstr(nb_raw_message, "lo"));
}

TEST_F(endpoints, bad_interface_names_are_invalid)
{
	static const char * const names[] = { "a/b", ".", "..", "a b", "a:b" };
	struct nb_create_endpoint unterminated = { .kind = "netdev" };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		EXPECT_EQ(-EINVAL, create_named(self, "netdev", names[i])) TH_LOG("%s", names[i]);
		EXPECT_TRUE(nb_raw_explained());
	}
	memset(unterminated.name, 'a', sizeof(unterminated.name));
	EXPECT_EQ(-EINVAL, create(self, &unterminated));
	EXPECT_TRUE(nb_raw_explained());
}

TEST_F(endpoints, names_with_a_number_count_up)
{
	char name[IF_NAMESIZE];
	int first = nb_sys(create_named(self, "netdev", ""));
	int second = nb_sys(create_named(self, "netdev", ""));
	int third = nb_sys(create_named(self, "netdev", "guest%d"));

	EXPECT_NE(0, if_nametoindex("nb0"));
	EXPECT_NE(0, if_nametoindex("nb1"));
	EXPECT_NE(0, if_nametoindex("guest0"));
	EXPECT_STREQ("nb0", if_indextoname(if_nametoindex("nb0"), name));
	close(first);
	EXPECT_TRUE(nb_until(!if_nametoindex("nb0")));
	EXPECT_NE(0, if_nametoindex("nb1"));
	close(second);
	close(third);
}

TEST_F(endpoints, bad_mac_addresses_are_invalid)
{
	static const uint8_t macs[][6] = {
		{ 0 }, { 1, 2, 3, 4, 5, 6 }, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	struct nb_create_endpoint call = { .kind = "null", .flags = NB_CREATE_MAC };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(macs); i++) {
		memcpy(call.mac, macs[i], sizeof(call.mac));
		EXPECT_EQ(-EINVAL, create(self, &call));
		EXPECT_TRUE(nb_raw_explained());
	}
}

TEST_F(endpoints, limits_beyond_the_kinds_are_invalid)
{
	struct nb_create_endpoint queues = { .kind = "null", .max_queues = NB_MAX_QUEUES + 1 };
	struct nb_create_endpoint mtu = { .kind = "netdev", .mtu = 65522 };

	EXPECT_EQ(-EINVAL, create(self, &queues));
	EXPECT_TRUE(nb_raw_explained());
	EXPECT_EQ(-EINVAL, create(self, &mtu));
	EXPECT_TRUE(nb_raw_explained());
}

TEST_F(endpoints, params_are_those_of_the_kind)
{
	struct { struct nb_netdev_params params; uint32_t more; } longer = { .more = 1 };
	struct nb_create_endpoint call = { .kind = "null", .params = (uintptr_t)&longer };

	call.params_size = sizeof(longer.params);
	EXPECT_EQ(-EINVAL, create(self, &call));
	EXPECT_NE(NULL, strstr(nb_raw_message, "null")) TH_LOG("%s", nb_raw_message);

	strcpy(call.kind, "netdev");
	call.params_size = sizeof(longer);
	EXPECT_EQ(-E2BIG, create(self, &call));
	EXPECT_TRUE(nb_raw_explained());
	call.params_size = 1u << 30;
	EXPECT_EQ(-E2BIG, create(self, &call));
	call.params = 8;
	call.params_size = sizeof(longer.params);
	EXPECT_EQ(-EFAULT, create(self, &call));
	EXPECT_FALSE(if_nametoindex("nb0"));

	/* What is not known, and 0, is taken; no uplink is asked for. */
	longer.more = 0;
	call.params = (uintptr_t)&longer;
	call.params_size = sizeof(longer);
	EXPECT_EQ(-EINVAL, create(self, &call));
	EXPECT_NE(NULL, strstr(nb_raw_message, "UPLINK")) TH_LOG("%s", nb_raw_message);
}

TEST_F(endpoints, a_network_namespace_is_one)
{
	struct nb_create_endpoint call = { .kind = "null", .flags = NB_CREATE_NETNS };

	call.netns_fd = 1000;
	EXPECT_EQ(-EBADF, create(self, &call));
	EXPECT_TRUE(nb_raw_explained());
	call.netns_fd = self->control;
	EXPECT_EQ(-EBADF, create(self, &call));
	EXPECT_TRUE(nb_raw_explained());
	call.netns_fd = nb_sys(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(-EBADF, create(self, &call));
	EXPECT_TRUE(nb_raw_explained());
}

/* ---- rights -------------------------------------------------------------- */

TEST_F(endpoints, netdev_needs_cap_net_admin_and_nothing_else_does)
{
	nb_test_drop_capability(CAP_NET_ADMIN);
	EXPECT_EQ(-EPERM, create_named(self, "netdev", ""));
	EXPECT_NE(NULL, strstr(nb_raw_message, "CAP_NET_ADMIN")) TH_LOG("%s", nb_raw_message);
	nb_test_become_nobody();
	EXPECT_EQ(-EPERM, create_named(self, "netdev", ""));
	EXPECT_LE(0, create_named(self, "null", ""));
	EXPECT_LE(0, create_named(self, "loopback", ""));
}

TEST_F(endpoints, the_owner_of_a_network_namespace_has_the_right_there)
{
	struct nb_create_endpoint call = { .kind = "netdev", .flags = NB_CREATE_NETNS };

	call.netns_fd = nb_sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	nb_test_become_nobody();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		SKIP(return, "users cannot make user namespaces");
	/* In the new namespace; not in the one before. */
	EXPECT_LE(0, create_named(self, "netdev", "mine"));
	EXPECT_NE(0, if_nametoindex("mine"));
	EXPECT_EQ(-EPERM, create(self, &call));
}

/* ---- when the ground goes away ------------------------------------------- */

/* What a frontend sees when the interface of its endpoint is gone. */
static bool sees_the_end(struct nb_nic *nic)
{
	struct pollfd wait = { .events = POLLIN };
	struct nb_queue_config config = { 0 };
	struct nb_endpoint_info info;
	struct nb_action action = { 0 };
	struct nb_queue *queue;
	bool restart = false;

	if (!nb_until(nb_queue_state(nic->queue) == NB_QUEUE_RESTART))
		return false;
	wait.fd = nb_queue_fd(nic->queue);
	if (poll(&wait, 1, 0) != 1 ||
	    nb_queue_enter(nic->queue, NB_ENTER_TX, 0, NULL) != -ENETRESET ||
	    nb_queue_enter(nic->queue, NB_ENTER_WAIT_RX, NB_NO_TIMEOUT, NULL) != -ENETRESET ||
	    nb_queue_tx_poll(nic->queue, &(struct nb_tx_completion){ 0 }, 1) != -ENETRESET)
		return false;
	/* There is something to read before, as the link goes down first. */
	wait = (struct pollfd){ .fd = nb_endpoint_fd(nic->ep) };
	if (poll(&wait, 1, NB_PATIENCE) != 1 || !(wait.revents & POLLHUP))
		return false;
	wait.events = POLLIN;
	if (poll(&wait, 1, 0) != 1 || !(wait.revents & POLLIN))
		return false;
	while (nb_endpoint_wait_for_action(nic->ep, &action, 0) == 1)
		restart |= action.type == NB_ACTION_RESTART_REQUIRED;
	if (!restart || nb_endpoint_wait_for_action(nic->ep, &action, -1) != -ENODEV)
		return false;
	nb_nic_stop(nic);
	return nb_endpoint_get_info(nic->ep, &info) == -ENODEV && strchr(nb_error(), ' ') &&
	       !nb_endpoint_multiqueue_support(nic->ep).max_queues &&
	       nb_endpoint_get_queues(nic->ep, nic->guest->mem, &config, 1, NULL, &queue) ==
	       -ENODEV && strchr(nb_error(), ' ') && !nb_endpoint_stop(nic->ep);
}

TEST_F(endpoints, deleting_the_interface_requires_a_restart)
{
	struct nb_nic nic;

	nb_nic_open(&nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&nic, 1, 0);
	nb_bufs_post_all(&nic.bufs, nic.queue);
	ASSERT_TRUE(nb_nic_works(&nic));
	nb_link_delete(nic.host.ifindex);
	EXPECT_TRUE(sees_the_end(&nic));
	nb_nic_close(&nic);
}

TEST_F(endpoints, the_end_of_the_network_namespace_requires_a_restart)
{
	struct nb_nic nic;

	nb_nic_open(&nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&nic, 1, 0);
	nb_host_close(&nic.host);
	nb_host_new_netns();
	EXPECT_TRUE(sees_the_end(&nic));
	nb_nic_close(&nic);
}

/* The kernel ends a namespace while this reads. */
TEST_F(endpoints, who_reads_that_it_has_to_restart_sees_the_end_at_once)
{
	struct nb_action action;
	struct pollfd now;
	struct nb_nic nic;

	nb_nic_open(&nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&nic, 1, 0);
	now = (struct pollfd){ .fd = nb_endpoint_fd(nic.ep) };
	nb_host_close(&nic.host);
	nb_host_new_netns();
	do {
		ASSERT_EQ(1, nb_endpoint_wait_for_action(nic.ep, &action, NB_PATIENCE));
	} while (action.type != NB_ACTION_RESTART_REQUIRED);
	EXPECT_EQ(1, poll(&now, 1, 0));
	EXPECT_EQ(POLLHUP, now.revents);
	/* the link, unless that was read before */
	while (nb_endpoint_wait_for_action(nic.ep, &action, 0) == 1)
		EXPECT_EQ(NB_ACTION_LINK_STATUS_NOTIFY, action.type);
	EXPECT_EQ(-ENODEV, nb_endpoint_wait_for_action(nic.ep, &action, -1));
	nb_nic_close(&nic);
}

TEST_F(endpoints, deleting_the_interface_wakes_who_waits)
{
	struct nb_nic nic;
	pid_t child;
	int status;

	nb_nic_open(&nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&nic, 1, 0);
	child = nb_sys(fork());
	if (!child)
		_exit(nb_queue_enter(nic.queue, NB_ENTER_WAIT_RX, NB_NO_TIMEOUT, NULL) ==
		      -ENETRESET ? 0 : 1);
	usleep(20000);
	nb_link_delete(nic.host.ifindex);
	nb_sys(waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	nb_nic_close(&nic);
}

TEST_F(endpoints, the_interface_goes_with_the_last_fd)
{
	struct nb_nic nic;
	int ifindex;
	char name[IF_NAMESIZE];

	nb_nic_open(&nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&nic, 1, 0);
	ifindex = nic.host.ifindex;
	nb_endpoint_close(nic.ep);
	nic.ep = NULL;
	EXPECT_NE(NULL, if_indextoname(ifindex, name));
	nb_nic_stop(&nic);
	EXPECT_TRUE(nb_until(!if_indextoname(ifindex, name)));
}

TEST_F(endpoints, an_interface_can_move_to_another_namespace)
{
	int ready[2], there;
	struct nb_nic nic;
	char text[32];
	pid_t child;

	nb_nic_open(&nic, &self->guest, &nb_test_netdev, 0);
	nb_nic_start(&nic, 1, 0);
	nb_bufs_post_all(&nic.bufs, nic.queue);
	nb_host_close(&nic.host);

	/* Another namespace, for as long as the child lives. */
	nb_sys(pipe2(ready, O_CLOEXEC));
	child = nb_sys(fork());
	if (!child) {
		nb_host_new_netns();
		nb_sys(write(ready[1], "x", 1));
		pause();
	}
	nb_sys(read(ready[0], text, 1));
	snprintf(text, sizeof(text), "/proc/%d/ns/net", child);
	there = nb_sys(open(text, O_RDONLY | O_CLOEXEC));
	snprintf(text, sizeof(text), "%d", child);
	EXPECT_EQ(0, nb_test_run("ip", "link", "set", nic.host.name, "netns", text, NULL));
	kill(child, SIGKILL);
	nb_sys(waitpid(child, NULL, 0));

	EXPECT_EQ(0, if_nametoindex(nic.host.name));
	nb_sys(setns(there, CLONE_NEWNET));
	nb_host_open(&nic.host, if_nametoindex(nic.host.name));
	EXPECT_TRUE(nb_nic_works(&nic));
	close(there);
	nb_nic_close(&nic);
}

TEST_HARNESS_MAIN
