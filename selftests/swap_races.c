// SPDX-License-Identifier: GPL-2.0
/*
 * Backends are plugged out and in, here and elsewhere, hundreds of times, while queues
 * are made, entered and closed.  Nothing of it has to succeed; the kernel has to survive,
 * and afterwards all works.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "nbgenl.h"
#include "nbtest.h"

/* Backends that were plugged out, in all, and how long that may take, in seconds. */
#define SWAPS		500
#define SWAPS_PATIENCE	800

#define N_NICS		2

struct race {
	struct nb_guest *guest;
	struct nb_nic *nics;
	uint32_t ids[N_NICS];
	bool over;
	int queue_fd;		/* for whoever wants to disturb it, or -1 */
	unsigned long swaps, lives, restarts;
};

FIXTURE(swap_races)
{
	struct nb_guest guest;
	struct nb_nic nics[N_NICS];
	struct race race;
};

FIXTURE_VARIANT(swap_races)
{
	const struct nb_test_kind *kinds[N_NICS];
};

FIXTURE_VARIANT_ADD(swap_races, loopback_null) { .kinds = { &nb_test_loopback, &nb_test_null } };
FIXTURE_VARIANT_ADD(swap_races, netdev_loop) { .kinds = { &nb_test_netdev, &nb_test_loopback } };
FIXTURE_VARIANT_ADD(swap_races, attach_netdev) { .kinds = { &nb_test_attach, &nb_test_netdev } };
FIXTURE_VARIANT_ADD(swap_races, two_netdevs) { .kinds = { &nb_test_netdev, &nb_test_netdev } };

FIXTURE_SETUP(swap_races)
{
	struct nb_endpoint_info info;
	int i;

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	self->race = (struct race){
		.guest = &self->guest,
		.nics = self->nics,
		.queue_fd = -1,
	};
	for (i = 0; i < N_NICS; i++) {
		nb_nic_open(&self->nics[i], &self->guest, variant->kinds[i], 0);
		nb_ok(nb_endpoint_get_info(self->nics[i].ep, &info));
		self->race.ids[i] = info.id;
		if (info.ifindex)
			nb_link_set_up(info.name, true);
	}
}

FIXTURE_TEARDOWN(swap_races)
{
	int i;

	for (i = 0; i < N_NICS; i++)
		nb_nic_close(&self->nics[i]);
	nb_guest_close(&self->guest);
}

static bool over(struct race *race)
{
	return __atomic_load_n(&race->over, __ATOMIC_RELAXED);
}

/* A short life of a queue that is closed when, or before, somebody wants that. */
static void live(struct race *race, struct nb_endpoint *ep, unsigned int round)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU, .tx_avail_entries = 64 };
	struct nb_tx_segment segment = nb_tx_packet(NB_TX_GPA, 1000, 1);
	struct nb_rx_segment buffer = { .gpa = NB_RX_GPA, .len = NB_BUF_SIZE, .id = 1 };
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;
	struct nb_action action;
	struct nb_queue *queue;
	unsigned int i;

	if (nb_endpoint_get_queues(ep, race->guest->mem, &config, 1, NULL, &queue))
		return;
	race->lives++;
	__atomic_store_n(&race->queue_fd, nb_queue_fd(queue), __ATOMIC_RELAXED);
	for (i = 0; i < 50 + round % 200; i++) {
		if (nb_queue_rx_avail(queue, &buffer, 1) < 0 ||
		    nb_queue_tx_avail(queue, &segment, 1, NULL) < 0)
			break;
		nb_queue_tx_poll(queue, &done, 1);
		nb_queue_rx_poll(queue, &meta, 1);
		if (nb_endpoint_wait_for_action(ep, &action, 0) == 1 &&
		    action.type == NB_ACTION_RESTART_REQUIRED)
			break;
	}
	race->restarts += i < 50 + round % 200;
	__atomic_store_n(&race->queue_fd, -1, __ATOMIC_RELAXED);
	nb_queue_close(queue);
}

static void *make_and_drop_queues(void *argument)
{
	struct race *race = argument;
	unsigned int round;

	for (round = 0; !over(race); round++)
		live(race, race->nics[round / 16 % N_NICS].ep, round);
	return NULL;
}

static void *enter(void *argument)
{
	struct race *race = argument;
	struct nb_enter call = {
		.size = sizeof(call),
		.flags = NB_ENTER_TX | NB_ENTER_RX | NB_ENTER_WAIT_RX,
		.timeout_ns = 100000,
	};

	while (!over(race)) {
		int fd = __atomic_load_n(&race->queue_fd, __ATOMIC_RELAXED);

		/* It may be closed, or another's, by now. */
		if (fd >= 0)
			ioctl(fd, NB_QUEUE_ENTER, &call);
	}
	return NULL;
}

static void request(struct nb_genl *client, uint8_t command, uint32_t id, uint16_t attribute,
		    const void *data, size_t len)
{
	struct nb_genl_request request = nb_genl_request(client->family, command, NLM_F_ACK);

	nb_genl_add(&request, NB_A_ENDPOINT_ID, &id, sizeof(id));
	if (len)
		nb_genl_add(&request, attribute, data, len);
	nb_genl_talk(client, &request, NULL, NULL);
}

/* The operator: gives no time, a little, or as much as it takes. */
static void *operate(void *argument)
{
	struct race *race = argument;
	struct nb_genl client;
	unsigned int round;

	nb_genl_open(&client);
	for (round = 0; !over(race); round++) {
		uint32_t id = race->ids[round % N_NICS], other = race->ids[!(round % N_NICS)];
		uint64_t timeout = round % 3 * 200000;
		uint32_t up = round % 2;

		request(&client, NB_CMD_ENDPOINT_DISCONNECT, id, NB_A_ENDPOINT_TIMEOUT, &timeout,
			round % 4 ? sizeof(timeout) : 0);
		if (round % 7 == 0)
			request(&client, NB_CMD_ENDPOINT_SET, id, NB_A_ENDPOINT_LINK, &up,
				sizeof(up));
		request(&client, NB_CMD_ENDPOINT_CONNECT, id, NB_A_ENDPOINT_FROM, &other,
			round % 5 ? 0 : sizeof(other));
		if (round % 11 == 0)
			request(&client, NB_CMD_ENDPOINT_CONNECT, id, NB_A_ENDPOINT_KIND, "null",
				sizeof("null"));
	}
	nb_genl_close(&client);
	return NULL;
}

/* The owner, with the same endpoints. */
static void *own(void *argument)
{
	struct race *race = argument;
	unsigned int round;

	for (round = 0; !over(race); round++) {
		struct nb_endpoint *ep = race->nics[round % N_NICS].ep;
		struct nb_endpoint *other = race->nics[!(round % N_NICS)].ep;

		if (!nb_endpoint_disconnect(ep, round % 2 * 1000000))
			__atomic_fetch_add(&race->swaps, 1, __ATOMIC_RELAXED);
		nb_endpoint_connect(ep, round % 3 ? NULL : other);
	}
	return NULL;
}

/* So many swaps, and queues that have lived, and were let go, meanwhile. */
static bool enough(struct race *race, unsigned long swaps)
{
	return __atomic_load_n(&race->swaps, __ATOMIC_RELAXED) >= swaps &&
	       __atomic_load_n(&race->lives, __ATOMIC_RELAXED) > 10 &&
	       __atomic_load_n(&race->restarts, __ATOMIC_RELAXED) > 10;
}

/* Whatever backends there are by now: give both endpoints a new one. */
static void renew(struct __test_metadata *_metadata, struct race *race, int i)
{
	struct nb_endpoint_info info;
	struct nb_genl client;
	uint32_t up = 1;

	nb_genl_open(&client);
	nb_endpoint_disconnect(race->nics[i].ep, 0);
	request(&client, NB_CMD_ENDPOINT_CONNECT, race->ids[i], NB_A_ENDPOINT_KIND, "netdev",
		sizeof("netdev"));
	request(&client, NB_CMD_ENDPOINT_SET, race->ids[i], NB_A_ENDPOINT_LINK, &up, sizeof(up));
	nb_genl_close(&client);
	nb_ok(nb_endpoint_get_info(race->nics[i].ep, &info));
	ASSERT_TRUE(info.properties & NB_ENDPOINT_CONNECTED);
	race->nics[i].kind = &nb_test_netdev;
	nb_nic_start(&race->nics[i], 1, 0);
	nb_bufs_post_all(&race->nics[i].bufs, race->nics[i].queue);
	EXPECT_TRUE(nb_nic_works(&race->nics[i]));
}

TEST_F_TIMEOUT(swap_races, everything_at_once, NB_ROUNDS_TIME)
{
	static void *(*const runners[])(void *) = { make_and_drop_queues, enter, operate, own };
	pthread_t threads[ARRAY_LEN(runners)];
	unsigned int i, swaps = nb_rounds(SWAPS, SWAPS_PATIENCE);

	nb_frame_put(&self->guest, 0, 1000, 1);
	for (i = 0; i < ARRAY_LEN(runners); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, runners[i], &self->race));
	while (!enough(&self->race, swaps))
		usleep(10000);
	__atomic_store_n(&self->race.over, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_LEN(runners); i++)
		pthread_join(threads[i], NULL);
	TH_LOG("%lu disconnects, %lu queues, %lu of them let go", self->race.swaps,
	       self->race.lives, self->race.restarts);

	for (i = 0; i < N_NICS; i++)
		renew(_metadata, &self->race, i);
}

TEST_HARNESS_MAIN
