// SPDX-License-Identifier: GPL-2.0
/*
 * What a netdev endpoint stands on goes under traffic, both ways, at any moment: the
 * interface, its network namespace, the module; and the frontend stops it all the time.
 *
 * $NB_ROUNDS says how often.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/if_packet.h>

#include "kselftest_harness.h"
#include "nbcgroup.h"
#include "nbtest.h"

#define TIME_LIMIT	300	/* seconds, without NB_ROUNDS */

FIXTURE(goes)
{
	struct nb_guest guest;
	struct nb_endpoint *ep;
	int host;		/* a packet socket */
	bool over;
	unsigned long sent, received, refused;
	pthread_t threads[2];
};

FIXTURE_SETUP(goes)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
}

FIXTURE_TEARDOWN(goes)
{
	nb_guest_close(&self->guest);
}

static bool over(FIXTURE_DATA(goes) *self)
{
	return __atomic_load_n(&self->over, __ATOMIC_RELAXED);
}

static void note(unsigned long *counter, unsigned long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static bool has(const unsigned long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- traffic -------------------------------------------------------------- */

/* With queues that live until their backend leaves them, or for some batches. */
static bool use_queue(FIXTURE_DATA(goes) *self, unsigned int batches)
{
	struct nb_queue_config config = { .target_cpu = NB_ANY_CPU };
	struct nb_tx_segment segments[16];
	struct nb_tx_completion done[16];
	struct nb_rx_metadata meta[16];
	struct nb_bufs bufs;
	struct nb_queue *queue;
	unsigned int i;
	int n = 0;

	if (nb_endpoint_get_queues(self->ep, self->guest.mem, &config, 1, NULL, &queue))
		return false;
	nb_bufs_init(&bufs);
	nb_bufs_post_all(&bufs, queue);
	for (i = 0; i < ARRAY_LEN(segments); i++)
		segments[i] = nb_tx_packet(NB_TX_GPA, 600, i);
	while (batches-- && !over(self)) {
		if (nb_queue_tx_avail(queue, segments, ARRAY_LEN(segments), NULL) < 0 ||
		    nb_queue_tx_poll(queue, done, ARRAY_LEN(done)) < 0)
			break;
		n = nb_queue_rx_poll(queue, meta, ARRAY_LEN(meta));
		for (i = 0; n > 0 && i < (unsigned int)n; i++) {
			struct nb_rx_segment buffer = {
				.gpa = bufs.gpa + meta[i].id * NB_BUF_SIZE, .len = NB_BUF_SIZE,
				.id = meta[i].id,
			};

			nb_queue_rx_avail(queue, &buffer, 1);
		}
		note(&self->sent, ARRAY_LEN(segments));
		note(&self->received, n > 0 ? n : 0);
	}
	nb_queue_close(queue);
	return true;
}

static void *be_guest(void *argument)
{
	FIXTURE_DATA(goes) *self = argument;
	unsigned int round;

	for (round = 0; !over(self); round++)
		if (!use_queue(self, round % 2 ? 20 : 100000))
			sched_yield();
	return NULL;
}

static void *be_host(void *argument)
{
	FIXTURE_DATA(goes) *self = argument;
	unsigned char frame[600];

	nb_frame_fill(frame, sizeof(frame), 1);
	while (!over(self))
		if (send(self->host, frame, sizeof(frame), MSG_DONTWAIT) < 0)
			sched_yield();
	return NULL;
}

/* An interface, and traffic that has begun. */
static struct nb_endpoint_info start(FIXTURE_DATA(goes) *self)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	struct nb_endpoint_info info;

	self->over = false;
	self->sent = 0;
	self->received = 0;
	nb_ok(nb_test_create(&self->guest, &nb_test_netdev, NULL, &self->ep));
	nb_ok(nb_endpoint_get_info(self->ep, &info));
	nb_link_set_up(info.name, true);
	address.sll_ifindex = info.ifindex;
	self->host = nb_sys(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	nb_sys(bind(self->host, (struct sockaddr *)&address, sizeof(address)));
	if (pthread_create(&self->threads[0], NULL, be_guest, self) ||
	    pthread_create(&self->threads[1], NULL, be_host, self))
		nb_die("there is no thread");
	if (!nb_until(has(&self->sent) && has(&self->received)))
		nb_die("there is no traffic");
	return info;
}

static void stop(FIXTURE_DATA(goes) *self)
{
	__atomic_store_n(&self->over, true, __ATOMIC_RELAXED);
	pthread_join(self->threads[0], NULL);
	pthread_join(self->threads[1], NULL);
	close(self->host);
	nb_endpoint_close(self->ep);
}

/* The endpoint is told, and its frontend gets no more queues. */
static bool is_gone(FIXTURE_DATA(goes) *self)
{
	struct nb_action action;

	if (!nb_until(nb_endpoint_wait_for_action(self->ep, &action, 10) == -ENODEV))
		return false;
	return nb_until(!use_queue(self, 1));
}

/* ---- tests ---------------------------------------------------------------- */

TEST_F_TIMEOUT(goes, the_interface_under_traffic, NB_ROUNDS_TIME)
{
	unsigned int round, n = nb_rounds(20, TIME_LIMIT);

	for (round = 0; round < n; round++) {
		struct nb_endpoint_info info = start(self);

		usleep(round % 20 * 500);
		nb_link_delete(info.ifindex);
		ASSERT_TRUE(is_gone(self));
		stop(self);
	}
}

TEST_F_TIMEOUT(goes, its_network_namespace_under_traffic, NB_ROUNDS_TIME)
{
	int home = nb_sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	unsigned int round, n = nb_rounds(10, TIME_LIMIT);

	for (round = 0; round < n; round++) {
		int away, elsewhere;

		/* Its socket would hold this one: it moves to one that nobody holds. */
		struct nb_endpoint_info info = start(self);
		char line[128];

		usleep(round % 20 * 500);
		nb_host_new_netns();
		away = nb_sys(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
		nb_sys(setns(home, CLONE_NEWNET));
		elsewhere = nb_sys(dup(away));
		snprintf(line, sizeof(line), "ip link set %s netns /proc/%d/fd/%d", info.name,
			 getpid(), elsewhere);
		ASSERT_EQ(0, nb_test_run("sh", "-c", line, NULL));
		close(elsewhere);
		close(away);
		ASSERT_TRUE(is_gone(self));
		stop(self);
	}
	close(home);
}

static void *stop_all_the_time(void *argument)
{
	FIXTURE_DATA(goes) *self = argument;
	int err;

	while (!over(self)) {
		err = nb_endpoint_stop(self->ep);
		if (err && err != -EBUSY)
			nb_die("stop: %s", nb_error());
		note(&self->refused, !!err);
	}
	return NULL;
}

TEST_F_TIMEOUT(goes, stop_has_its_way_only_without_queues, NB_ROUNDS_TIME)
{
	unsigned int round, made = 0, n = nb_rounds(200, TIME_LIMIT);
	pthread_t thread;

	self->host = -1;
	nb_ok(nb_test_create(&self->guest, &nb_test_netdev, NULL, &self->ep));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_all_the_time, self));
	for (round = 0; round < n; round++)
		made += use_queue(self, 1 + round % 20);
	ASSERT_TRUE(nb_until((use_queue(self, 20), has(&self->refused))));
	__atomic_store_n(&self->over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(n, made);
	EXPECT_EQ(0, nb_endpoint_stop(self->ep));
	nb_endpoint_close(self->ep);
}

/* ---- the module ----------------------------------------------------------- */

static void *open_all_the_time(void *argument)
{
	FIXTURE_DATA(goes) *self = argument;
	struct nb_endpoint_params params = { .kind = "loopback", .netns_fd = -1 };
	struct nb_endpoint *ep;
	struct nb *nb;

	while (!over(self)) {
		if (nb_open(&nb))
			continue;
		note(&self->sent, 1);
		if (!nb_endpoint_create(nb, &params, &ep)) {
			nb_close(nb);
			/* The endpoint alone holds the module now. */
			nb_endpoint_close(ep);
		} else {
			nb_close(nb);
		}
		usleep(500);
	}
	return NULL;
}

TEST_F_TIMEOUT(goes, the_module_while_others_open_it, NB_ROUNDS_TIME)
{
	unsigned int round, n = nb_rounds(20, TIME_LIMIT), refused = 0;
	pthread_t threads[2];

	if (access("/sys/module/net_backend/initstate", F_OK))
		SKIP(return, "net_backend is not a module");
	/* The example of another module's kind, which other tests may have loaded, holds it. */
	nb_test_run("sh", "-c", "rmmod net_backend_delay 2> /dev/null", NULL);
	nb_guest_close(&self->guest);
	self->ep = NULL;
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, open_all_the_time, self));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, open_all_the_time, self));
	for (round = 0; round < n; round++) {
		self->sent = 0;
		ASSERT_TRUE(nb_until(has(&self->sent)));
		while (syscall(SYS_delete_module, "net_backend", O_NONBLOCK)) {
			ASSERT_EQ(EWOULDBLOCK, errno);
			refused++;
		}
		nb_test_load_module();
	}
	__atomic_store_n(&self->over, true, __ATOMIC_RELAXED);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	TH_LOG("removed %u times, refused %u times", n, refused);
	nb_guest_open(&self->guest, 0);
}

TEST_HARNESS_MAIN
