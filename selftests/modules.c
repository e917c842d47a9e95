// SPDX-License-Identifier: GPL-2.0
/*
 * Kinds from other modules: loaded by name, held while they are used, and gone with
 * their module. The module is net_backend-delay, see kind_delay/.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "kind_delay/delay.h"
#include "nbtest.h"

FIXTURE(modules)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

static bool is_loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

/* 0 or a negative errno. */
static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

static bool is_offered(struct nb *nb, const char *kind)
{
	char kinds[32][NB_KIND_LEN];
	struct nb_info info = { .kinds = (uintptr_t)kinds, .n_kinds = ARRAY_LEN(kinds) };
	unsigned int i;

	nb_ok(nb_get_info(nb, &info));
	for (i = 0; i < info.n_kinds && i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i], kind))
			return true;
	return false;
}

FIXTURE_SETUP(modules)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	if (is_loaded("net_backend_delay"))
		ASSERT_EQ(0, unload("net_backend_delay"));
	memset(&self->nic, 0, sizeof(self->nic));
	self->nic.host.fd = -1;
}

FIXTURE_TEARDOWN(modules)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

TEST_F(modules, an_unknown_kind_loads_its_module)
{
	EXPECT_FALSE(is_offered(self->guest.nb, "delay"));
	nb_nic_open(&self->nic, &self->guest, &nb_test_delay, 0);
	EXPECT_TRUE(is_loaded("net_backend_delay"));
	EXPECT_TRUE(is_offered(self->guest.nb, "delay"));
	nb_nic_start(&self->nic, 1, 0);
	nb_nic_post_all(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_F(modules, a_module_stays_while_an_endpoint_of_its_kind_does)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		nb_nic_open(&self->nic, &self->guest, &nb_test_delay, 0);
		ASSERT_EQ(-EWOULDBLOCK, unload("net_backend_delay"));
		nb_nic_close(&self->nic);
		ASSERT_EQ(0, unload("net_backend_delay"));
		ASSERT_FALSE(is_offered(self->guest.nb, "delay"));
	}
}

TEST_F(modules, a_module_stays_while_a_queue_of_its_kind_does)
{
	nb_nic_open(&self->nic, &self->guest, &nb_test_delay, 0);
	nb_nic_start(&self->nic, 2, 0);
	nb_endpoint_close(self->nic.ep);
	self->nic.ep = NULL;
	EXPECT_EQ(-EWOULDBLOCK, unload("net_backend_delay"));
	nb_nic_post_all(&self->nic);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	nb_nic_stop(&self->nic);
	EXPECT_EQ(0, unload("net_backend_delay"));
}

TEST_F(modules, a_module_goes_right_after_packets_that_were_held)
{
	static const struct nb_delay_params long_delay = { .delay_us = 3000000 };
	struct nb_test_kind kind = nb_test_delay;
	struct nb_tx_segment segment;
	unsigned int i, j;

	kind.params = &long_delay;
	for (i = 0; i < 20; i++) {
		nb_nic_open(&self->nic, &self->guest, &kind, 0);
		nb_nic_start(&self->nic, 2, 0);
		nb_nic_post_all(&self->nic);
		for (j = 0; j < 20; j++) {
			segment = nb_tx_frame(&self->guest, j, 100 + j * 190);
			nb_tx_all(self->nic.queues[j % 2], &segment, 1);
		}
		nb_nic_close(&self->nic);
		ASSERT_EQ(0, unload("net_backend_delay"));
	}
}

TEST_F(modules, a_failed_creation_does_not_hold_the_module)
{
	static const struct nb_delay_params wrong = { .delay_us = NB_DELAY_MAX_US + 1 };
	struct nb_test_kind kind = nb_test_delay;
	struct nb_endpoint *ep;

	kind.params = &wrong;
	EXPECT_EQ(-EINVAL, nb_test_create(&self->guest, &kind, NULL, &ep));
	EXPECT_TRUE(is_loaded("net_backend_delay"));
	EXPECT_EQ(0, unload("net_backend_delay"));
}

TEST_F(modules, net_backend_stays_while_a_kind_of_another_module_does)
{
	nb_nic_open(&self->nic, &self->guest, &nb_test_delay, 0);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
	EXPECT_EQ(-EWOULDBLOCK, unload("net_backend"));
	EXPECT_EQ(0, unload("net_backend_delay"));
	EXPECT_EQ(0, unload("net_backend"));
	nb_guest_open(&self->guest, 0);
	EXPECT_TRUE(is_offered(self->guest.nb, "loopback"));
}

/* The module's init fails unless each of its kinds is refused as it should be. */
TEST_F(modules, kinds_that_are_taken_or_not_whole_are_refused)
{
	struct nb_test_kind kind = { .name = "refused" };
	struct nb_endpoint *ep;

	EXPECT_EQ(-ENOENT, nb_test_create(&self->guest, &kind, NULL, &ep));
	EXPECT_NE(NULL, strstr(nb_error(), "net_backend-refused")) TH_LOG("%s", nb_error());
	EXPECT_TRUE(is_loaded("net_backend_refused"));
	EXPECT_EQ(0, unload("net_backend_refused"));
	EXPECT_TRUE(is_offered(self->guest.nb, "null"));
}

TEST_HARNESS_MAIN
