// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost whose threads look at their rings for some time before they sleep.
 */
#include "vhost.h"

FIXTURE_VARIANT_ADD(vhost, split) { .layout = SPLIT };
FIXTURE_VARIANT_ADD(vhost, packed) { .layout = PACKED };

/* In place of the fixture's, with an option, or two. */
static void run_with(FIXTURE_DATA(vhost) *self, const char *option, const char *value,
		     const char *other)
{
	nb_vhost_end(self->server);
	self->server = nb_vhost_run(option, value, other, PATH, "loopback", BYSTANDER, "loopback",
				    NULL);
	nb_front_close(&self->bystander);
	nb_front_open(&self->bystander, BYSTANDER, 0);
	nb_front_post(&self->bystander, 0, 0, 16);
}

static bool wants_kicks(const struct nb_front *front)
{
	const struct nb_front_ring *ring = &front->rings[TX];

	if (front->packed)
		return __atomic_load_n(&ring->device->flags, __ATOMIC_ACQUIRE) !=
		       VRING_PACKED_EVENT_FLAG_DISABLE;
	return !(__atomic_load_n(&ring->used->flags, __ATOMIC_ACQUIRE) & VRING_USED_F_NO_NOTIFY);
}

/* Makes a packet available, and does not say so; whether it comes back. */
static bool is_found(struct nb_front *front)
{
	const struct vring_desc packet = { GPA(NB_FRONT_TX), HEADER + 60 };
	uint8_t frame[60];
	uint32_t id, used;

	nb_front_chain(front, TX, 7, &packet, 1);
	return nb_front_used(front, TX, &id, &used) && id == 7 &&
	       nb_front_receive(front, frame, sizeof(frame), NULL) == sizeof(frame);
}

TEST_F(vhost, who_looks_needs_no_kicks_and_sleeps_some_time_later)
{
	struct nb_front *front = &self->front;
	unsigned int i;

	run_with(self, "-p", "1000000", "-v");
	for (i = 0; i < 3; i++) {
		reopen(self, 0);
		ASSERT_TRUE(nb_front_works(front));
		EXPECT_FALSE(wants_kicks(front));
		EXPECT_TRUE(is_found(front));
		EXPECT_TRUE(nb_until(wants_kicks(front)));
		EXPECT_TRUE(nb_front_works(front));
	}
}

TEST_F(vhost, the_kernel_looks_too)
{
	run_with(self, "-p", "100000", "-k");
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
	EXPECT_TRUE(nb_until(wants_kicks(&self->front)));
	EXPECT_TRUE(nb_front_works(&self->front));
	/* both sides are stopped while they look */
	reopen(self, 0);
	EXPECT_TRUE(nb_front_works(&self->front));
}

TEST_F(vhost, wrong_times_are_refused)
{
	EXPECT_EQ(2, nb_test_run("nbvhost", "-p", "1000001", PATH, "loopback", NULL));
	EXPECT_EQ(2, nb_test_run("nbvhost", "-p", "-1", PATH, "loopback", NULL));
	EXPECT_EQ(2, nb_test_run("nbvhost", "-p", "", PATH, "loopback", NULL));
	EXPECT_EQ(2, nb_test_run("nbvhost", "-k", PATH, "loopback", NULL));
}

TEST_HARNESS_MAIN
