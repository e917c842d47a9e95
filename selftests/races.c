// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: queues are made and dropped, regions come and go, the link goes
 * up and down, the host sends, netlink dumps, and several threads ENTER the same queue.
 * Nothing of it has to succeed; the kernel has to survive, and afterwards all works.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "nbraw.h"
#include "nbtest.h"

#define SECONDS		3

struct race {
	struct nb_guest *guest;
	struct nb_nic *nic;
	const char *interface;
	void *pages;
	int kick;
	bool over;
	int queue_fd;		/* for whoever wants to disturb it, or -1 */
	unsigned long lives, packets;
};

typedef void *(*runner)(void *argument);

FIXTURE(races)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct race race;
};

FIXTURE_VARIANT(races)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(races, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(races, netdev) { .kind = &nb_test_netdev };

FIXTURE_SETUP(races)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	self->race = (struct race){
		.guest = &self->guest,
		.nic = &self->nic,
		.pages = nb_test_pages(NB_RX_SIZE),
		.kick = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
		.queue_fd = -1,
	};
}

FIXTURE_TEARDOWN(races)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static bool over(struct race *race)
{
	return __atomic_load_n(&race->over, __ATOMIC_RELAXED);
}

/* Makes a buffer available, if the queue still takes one. */
static void post(struct nb_nic *nic, uint32_t id)
{
	struct nb_rx_segment buffer = {
		.gpa = nic->bufs.gpa + id * NB_BUF_SIZE,
		.len = NB_BUF_SIZE,
		.id = id,
	};

	nb_queue_rx_avail(nic->queue, &buffer, 1);
}

/* A short life of a set of queues: false if the kernel did not want to. */
static bool live(struct race *race, unsigned int round)
{
	struct nb_queue_config configs[2] = { { .tx_avail_entries = 64 } };
	struct nb_tx_segment segments[16];
	struct nb_tx_completion done[64];
	struct nb_nic *nic = race->nic;
	struct nb_rx_metadata meta[64];
	unsigned int i;
	int n;

	if (nb_endpoint_get_queues(nic->ep, race->guest->mem, configs, 1 + round % 2, NULL,
				   nic->queues))
		return false;
	nic->n_queues = 1 + round % 2;
	nic->queue = nic->queues[0];
	nb_queue_set_eventfds(nic->queue, race->kick, -1);
	__atomic_store_n(&race->queue_fd, nb_queue_fd(nic->queue), __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_packet(NB_TX_GPA, 1000, i);
	for (i = 0; i < 64; i++)
		post(nic, i);
	for (i = 0; i < 20; i++) {
		if (nb_queue_tx_avail(nic->queue, segments, ARRAY_LEN(segments), NULL) < 0)
			break;
		nb_queue_poll_ready(nic->queue, 1);
		nb_queue_tx_poll(nic->queue, done, ARRAY_LEN(done));
		n = nb_queue_rx_poll(nic->queue, meta, ARRAY_LEN(meta));
		if (n > 0)
			race->packets += n;
		for (; n > 0; n--)
			post(nic, meta[n - 1].id);
	}
	__atomic_store_n(&race->queue_fd, -1, __ATOMIC_RELAXED);
	while (nic->n_queues)
		nb_queue_close(nic->queues[--nic->n_queues]);
	return true;
}

static void *make_and_drop_queues(void *argument)
{
	struct race *race = argument;

	while (!over(race))
		race->lives += live(race, race->lives);
	return NULL;
}

/* Buffers are in this region, so that traffic meets its coming and going. */
static void *add_and_remove_regions(void *argument)
{
	struct race *race = argument;

	while (!over(race)) {
		nb_ok(nb_memory_add(race->guest->mem, NB_MORE_GPA, race->pages, NB_RX_SIZE, 0));
		usleep(500);
		nb_ok(nb_memory_remove(race->guest->mem, NB_MORE_GPA, NB_RX_SIZE));
	}
	return NULL;
}

static void *enter_and_kick(void *argument)
{
	struct race *race = argument;
	struct nb_enter enter = {
		.size = sizeof(enter),
		.flags = NB_ENTER_TX | NB_ENTER_RX | NB_ENTER_WAIT_TX | NB_ENTER_WAIT_RX,
		.timeout_ns = 200000,
	};
	struct nb_queue_stats stats = { .size = sizeof(stats) };
	struct nb_queue_target target = { .size = sizeof(target) };
	struct pollfd wait = { .events = POLLIN };

	while (!over(race)) {
		int fd = __atomic_load_n(&race->queue_fd, __ATOMIC_RELAXED);

		eventfd_write(race->kick, 1);
		if (fd < 0)
			continue;
		/* It may be closed, or another's, by now. */
		ioctl(fd, NB_QUEUE_ENTER, &enter);
		ioctl(fd, NB_QUEUE_GET_STATS, &stats);
		target.cpu = stats.enters % 2 ? NB_ANY_CPU : 0;
		ioctl(fd, NB_QUEUE_SET_TARGET, &target);
		wait.fd = fd;
		poll(&wait, 1, 1);
	}
	return NULL;
}

static void *send_from_host(void *argument)
{
	struct race *race = argument;
	unsigned char frame[1000];
	struct nb_host host;

	nb_host_open_socket(&host, if_nametoindex(race->interface));
	nb_frame_fill(frame, sizeof(frame), 1);
	while (!over(race)) {
		send(host.fd, frame, sizeof(frame), MSG_DONTWAIT);
		while (recv(host.fd, frame, 0, MSG_DONTWAIT) >= 0)
			;
	}
	nb_host_close(&host);
	return NULL;
}

static void *change_the_link(void *argument)
{
	struct race *race = argument;
	struct nb_endpoint_info info;
	struct nb_action action;
	bool up = true;

	for (; !over(race); up = !up) {
		nb_link_set_up(race->interface, up);
		nb_endpoint_get_info(race->nic->ep, &info);
		nb_endpoint_wait_for_action(race->nic->ep, &action, 1);
		usleep(up ? 20000 : 1000);
	}
	nb_link_set_up(race->interface, true);
	return NULL;
}

static void *dump(void *argument)
{
	struct race *race = argument;

	while (!over(race))
		nb_test_run("sh", "-c", "PATH=.:$PATH nbctl show > /dev/null", NULL);
	return NULL;
}

TEST_F_TIMEOUT(races, everything_at_once, NB_ROUNDS_TIME)
{
	static const runner runners[] = {
		make_and_drop_queues, add_and_remove_regions, enter_and_kick, dump,
		send_from_host, change_the_link,
	};
	unsigned int n = ARRAY_LEN(runners), i, lives = nb_rounds(10, 150);
	pthread_t threads[ARRAY_LEN(runners)];
	struct nb_endpoint_info info;

	ASSERT_EQ(0, nb_endpoint_get_info(self->nic.ep, &info));
	self->race.interface = info.name;
	if (variant->kind->sent != NB_COMES_TO_HOST)
		n -= 2;
	self->nic.bufs.gpa = NB_MORE_GPA;
	nb_frame_put(&self->guest, 0, 1000, 1);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, runners[i], &self->race));
	sleep(SECONDS);
	/* On a slow machine it takes a little longer. */
	while (__atomic_load_n(&self->race.lives, __ATOMIC_RELAXED) <= lives)
		usleep(10000);
	__atomic_store_n(&self->race.over, true, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	TH_LOG("%lu sets of queues, %lu packets", self->race.lives, self->race.packets);

	nb_bufs_init(&self->nic.bufs);
	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

/* Use after free, on removal of a device: it goes while queues are made and used. */
TEST_F_TIMEOUT(races, interfaces_go_at_any_time, NB_ROUNDS_TIME)
{
	struct nb_endpoint_info info;
	unsigned int round, n = nb_rounds(20, 150);
	pthread_t thread;

	if (variant->kind->sent != NB_COMES_TO_HOST)
		return;
	for (round = 0; round < n; round++) {
		ASSERT_EQ(0, nb_endpoint_get_info(self->nic.ep, &info));
		nb_link_set_up(info.name, true);
		self->race.over = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, make_and_drop_queues, &self->race));
		usleep(round % 20 * 1000);
		nb_link_delete(info.ifindex);
		usleep(1000);
		__atomic_store_n(&self->race.over, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		nb_nic_close(&self->nic);
		nb_nic_open(&self->nic, &self->guest, variant->kind, 0);
	}
	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	EXPECT_TRUE(nb_nic_works(&self->nic));
}

TEST_HARNESS_MAIN
