// SPDX-License-Identifier: GPL-2.0
/*
 * Every call of the four fds, with each allocation, copy and pinned page that it takes
 * failing in turn: it says so, leaves nothing behind, and works the next time.
 *
 * Needs a kernel with fault injection, as "make test-debug" has, which then looks for leaks.
 */
#include <fcntl.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <linux/capability.h>

#include "nbfault.h"

#define REGION		(8 * NB_PAGE)

/* ---- control fd ---------------------------------------------------------- */

static int get_info(struct nb_fault_world *w)
{
	char kinds[32][NB_KIND_LEN];
	struct nb_info info = { .kinds = (uintptr_t)kinds, .n_kinds = ARRAY_LEN(kinds) };

	return nb_get_info(w->guest.nb, &info);
}

static int open_control(struct nb_fault_world *w)
{
	struct nb *nb;
	int err = nb_open(&nb);

	if (!err)
		nb_close(nb);
	return err;
}

static int create_memory(struct nb_fault_world *w)
{
	return nb_memory_create(w->guest.nb, &w->mem);
}

static void close_memory(struct nb_fault_world *w)
{
	nb_memory_close(w->mem);
}

static int create_uplink(struct nb_fault_world *w)
{
	struct nb_netdev_params netdev = { .flags = NB_NETDEV_UPLINK, .port = w->port };
	struct nb_endpoint_params params = nb_fault_named(w, &nb_test_netdev);

	params.max_queues = 0;
	params.kind_params = &netdev;
	params.kind_params_size = sizeof(netdev);
	return nb_endpoint_create(w->guest.nb, &params, &w->made);
}

static void close_made(struct nb_fault_world *w)
{
	nb_endpoint_close(w->made);
}

static void with_a_port(struct nb_fault_world *w)
{
	nb_ok(nb_fault_create_port(w));
	w->other = w->made;
	w->name = "second";
	w->port.flags = NB_SWITCH_JOIN;
	w->port.group_fd = nb_endpoint_fd(w->other);
}

/* ---- memory fd ----------------------------------------------------------- */

/* Exactly one more region of this user can be pinned: what was not given back shows. */
static void with_little_memlock(struct nb_fault_world *w)
{
	struct rlimit limit = { REGION, REGION };

	nb_ok(create_memory(w));
	nb_sys(setrlimit(RLIMIT_MEMLOCK, &limit));
	nb_test_drop_capability(CAP_IPC_LOCK);
}

/* Pages that are not there yet, so that pinning takes them. */
static void with_new_pages(struct nb_fault_world *w)
{
	if (w->pages)
		munmap(w->pages, REGION);
	w->pages = nb_test_pages(REGION);
}

static int add_region(struct nb_fault_world *w)
{
	return nb_memory_add(w->mem, NB_MORE_GPA, w->pages, REGION, 0);
}

static int add_read_only(struct nb_fault_world *w)
{
	return nb_memory_add(w->mem, NB_MORE_GPA, w->pages, REGION, NB_REGION_READ_ONLY);
}

static void with_new_memfd(struct nb_fault_world *w)
{
	int fd = nb_sys(memfd_create("fault", MFD_CLOEXEC));

	nb_sys(ftruncate(fd, REGION));
	/* The number stays the same, and so does how many there are. */
	if (w->fds[0] > 0) {
		nb_sys(dup3(fd, w->fds[0], O_CLOEXEC));
		close(fd);
	} else {
		w->fds[0] = fd;
	}
}

static void with_little_memlock_and_memfd(struct nb_fault_world *w)
{
	with_new_memfd(w);
	with_little_memlock(w);
}

static int add_memfd(struct nb_fault_world *w)
{
	return nb_memory_add_fd(w->mem, NB_MORE_GPA, w->fds[0], 0, REGION, 0);
}

static void remove_added(struct nb_fault_world *w)
{
	nb_ok(nb_memory_remove(w->mem, NB_MORE_GPA, REGION));
}

static void with_region(struct nb_fault_world *w)
{
	if (!w->mem)
		nb_ok(create_memory(w));
	with_new_pages(w);
	nb_ok(add_region(w));
}

static void with_region_again(struct nb_fault_world *w)
{
	if (nb_memory_add(w->mem, NB_MORE_GPA, w->pages, REGION, 0) == -EEXIST)
		return;
}

static int remove_region(struct nb_fault_world *w)
{
	return nb_memory_remove(w->mem, NB_MORE_GPA, REGION);
}

static int start_log(struct nb_fault_world *w)
{
	return nb_memory_start_dirty_log(w->mem);
}

static void stop_log(struct nb_fault_world *w)
{
	nb_ok(nb_memory_stop_dirty_log(w->mem));
}

static void with_log(struct nb_fault_world *w)
{
	with_region(w);
	nb_ok(start_log(w));
}

static void with_log_again(struct nb_fault_world *w)
{
	nb_memory_start_dirty_log(w->mem);
}

static int stop_log_call(struct nb_fault_world *w)
{
	return nb_memory_stop_dirty_log(w->mem);
}

/* Also maps the bitmap. */
static int harvest(struct nb_fault_world *w)
{
	uint64_t dirty[2] = { 0 };
	long n = nb_memory_harvest_dirty(w->mem, NB_MORE_GPA, REGION, dirty);

	return n < 0 ? (int)n : 0;
}

/* ---- endpoint fd --------------------------------------------------------- */

static int endpoint_info(struct nb_fault_world *w)
{
	struct nb_endpoint_info info;

	return nb_endpoint_get_info(w->made, &info);
}

static int set_rss(struct nb_fault_world *w)
{
	return nb_endpoint_set_rss(w->made, &nb_fault_rss);
}

static int set_multicast(struct nb_fault_world *w)
{
	static const struct nb_multicast list[3] = {
		{ { 0x33, 0x33, 0, 0, 0, 1 } }, { { 0x33, 0x33, 0, 0, 0, 2 } },
		{ { 0x01, 0, 0x5e, 0, 0, 1 } },
	};

	return nb_endpoint_set_multicast(w->made, list, ARRAY_LEN(list), 0);
}

static int stop_endpoint(struct nb_fault_world *w)
{
	return nb_endpoint_stop(w->made);
}

static int set_data_path(struct nb_fault_world *w)
{
	return nb_endpoint_set_data_path_to_guest_vf(w->made, false);
}

static void with_disconnected(struct nb_fault_world *w)
{
	nb_fault_with_endpoint(w);
	nb_ok(nb_fault_disconnect(w));
}

static int connect_own(struct nb_fault_world *w)
{
	return nb_endpoint_connect(w->made, NULL);
}

static void with_two_disconnected(struct nb_fault_world *w)
{
	struct nb_endpoint_params params = { .kind = "loopback", .netns_fd = -1 };

	with_disconnected(w);
	nb_ok(nb_endpoint_create(w->guest.nb, &params, &w->other));
	nb_ok(nb_endpoint_disconnect(w->other, 0));
}

static int connect_other(struct nb_fault_world *w)
{
	return nb_endpoint_connect(w->made, w->other);
}

/* RestartRequired twice. */
static void with_action(struct nb_fault_world *w)
{
	nb_ok(nb_endpoint_disconnect(w->made, 0));
	nb_ok(nb_endpoint_connect(w->made, NULL));
}

static int read_action(struct nb_fault_world *w)
{
	struct nb_action action;
	int got = nb_endpoint_wait_for_action(w->made, &action, NB_PATIENCE);

	return got ? got : -ENODATA;
}

/* ---- queue fd ------------------------------------------------------------ */

static void with_eventfds(struct nb_fault_world *w)
{
	nb_fault_with_queues(w);
	w->fds[0] = nb_sys(eventfd(0, EFD_CLOEXEC));
	w->fds[1] = nb_sys(eventfd(0, EFD_CLOEXEC));
}

static int set_eventfds(struct nb_fault_world *w)
{
	return nb_queue_set_eventfds(w->queues[0], w->fds[0], w->fds[1]);
}

static int set_target(struct nb_fault_world *w)
{
	return nb_queue_update_target_vp(w->queues[0], 0);
}

static int set_moderation(struct nb_fault_world *w)
{
	struct nb_queue_moderation moderation = { .tx_usecs = 9, .rx_usecs = 9 };

	return nb_queue_set_moderation(w->queues[0], &moderation);
}

static int get_moderation(struct nb_fault_world *w)
{
	struct nb_queue_moderation moderation;

	return nb_queue_get_moderation(w->queues[0], &moderation);
}

static int queue_stats(struct nb_fault_world *w)
{
	struct nb_queue_stats stats;

	return nb_queue_stats(w->queues[0], &stats);
}

static int queue_info(struct nb_fault_world *w)
{
	struct nb_queue_info info;

	return nb_queue_get_info(w->queues[0], &info);
}

static int quiesce(struct nb_fault_world *w)
{
	return nb_queue_quiesce(w->queues[0]);
}

static void resume_again(struct nb_fault_world *w)
{
	nb_ok(nb_queue_resume(w->queues[0]));
}

static void with_quiesced(struct nb_fault_world *w)
{
	nb_fault_with_queues(w);
	nb_ok(quiesce(w));
}

static int resume(struct nb_fault_world *w)
{
	return nb_queue_resume(w->queues[0]);
}

static void quiesce_again(struct nb_fault_world *w)
{
	nb_ok(quiesce(w));
}

static int save(struct nb_fault_world *w)
{
	w->saved_len = nb_queue_save(w->queues[0], w->saved, sizeof(w->saved));
	return w->saved_len < 0 ? (int)w->saved_len : 0;
}

static void with_saved(struct nb_fault_world *w)
{
	with_quiesced(w);
	nb_ok(save(w));
	nb_fault_close_queues(w);
}

/* What a failed restore leaves is only good to be closed. */
static void with_new_queues(struct nb_fault_world *w)
{
	if (w->queues[0] && w->fault->before)
		nb_fault_close_queues(w);
	nb_ok(nb_fault_get_queues(w));
}

static void with_saved_and_queues(struct nb_fault_world *w)
{
	with_saved(w);
	w->queues[0] = NULL;
	with_new_queues(w);
}

static int restore(struct nb_fault_world *w)
{
	return nb_queue_restore(w->queues[0], w->saved, w->saved_len);
}

/* ---- all of them --------------------------------------------------------- */

static const struct nb_fault faults[] = {
	{ "open", .call = open_control },
	{ "get_info", .call = get_info },
	{ "create_memory", .call = create_memory, .undo = close_memory },
	{ "create_null", .kind = &nb_test_null, .call = nb_fault_create_endpoint,
	  .undo = close_made },
	{ "create_loopback", .kind = &nb_test_loopback, .call = nb_fault_create_endpoint,
	  .undo = close_made },
	/* EINVAL: device_add() of a device without a name, for which there was no memory. */
	{ "create_netdev", .kind = &nb_test_netdev, .call = nb_fault_create_endpoint,
	  .undo = close_made, .also = -EINVAL },
	{ "create_attach", .prepare = nb_fault_with_a_pair, .call = nb_fault_attach,
	  .undo = close_made },
	{ "create_private_switch", .call = nb_fault_create_port, .undo = close_made },
	{ "create_named_switch", .prepare = nb_fault_with_named_switch,
	  .call = nb_fault_create_port, .undo = close_made },
	{ "join_switch", .prepare = with_a_port, .call = nb_fault_create_port,
	  .undo = close_made },
	{ "create_uplink", .prepare = nb_fault_with_named_switch, .call = create_uplink,
	  .undo = close_made, .also = -EINVAL },
	{ "add_region", .prepare = with_little_memlock, .before = with_new_pages,
	  .call = add_region, .undo = remove_added },
	{ "add_read_only", .prepare = with_little_memlock, .before = with_new_pages,
	  .call = add_read_only, .undo = remove_added },
	{ "add_memfd", .prepare = with_little_memlock_and_memfd, .before = with_new_memfd,
	  .call = add_memfd, .undo = remove_added },
	{ "remove_region", .prepare = with_region, .before = with_region_again,
	  .call = remove_region, .undo = with_region_again },
	{ "start_dirty_log", .prepare = with_region, .call = start_log, .undo = stop_log },
	{ "stop_dirty_log", .prepare = with_log, .before = with_log_again,
	  .call = stop_log_call, .undo = with_log_again },
	{ "harvest_dirty", .prepare = with_log, .call = harvest },
	{ "endpoint_info", .kind = &nb_test_netdev, .prepare = nb_fault_with_endpoint,
	  .call = endpoint_info },
	{ "queues_of_null", .kind = &nb_test_null, .prepare = nb_fault_with_endpoint,
	  .call = nb_fault_get_queues, .undo = nb_fault_close_queues },
	{ "queues_of_loopback", .kind = &nb_test_loopback,
	  .prepare = nb_fault_with_endpoint, .call = nb_fault_get_queues,
	  .undo = nb_fault_close_queues },
	{ "queues_of_netdev", .kind = &nb_test_netdev, .prepare = nb_fault_with_endpoint,
	  .call = nb_fault_get_queues, .undo = nb_fault_close_queues },
	{ "queues_of_attach", .kind = &nb_test_attach, .prepare = nb_fault_with_attached,
	  .call = nb_fault_get_queues, .undo = nb_fault_close_queues },
	{ "queues_of_port", .kind = &nb_test_switch, .prepare = nb_fault_with_endpoint,
	  .call = nb_fault_get_queues, .undo = nb_fault_close_queues },
	{ "queues_with_thread", .kind = &nb_test_loopback, .flags = NB_QUEUE_POLL,
	  .prepare = nb_fault_with_endpoint, .call = nb_fault_get_queues,
	  .undo = nb_fault_close_queues },
	{ "queues_with_zerocopy", .kind = &nb_test_netdev, .flags = NB_QUEUE_ZEROCOPY_TX,
	  .prepare = nb_fault_with_endpoint, .call = nb_fault_get_queues,
	  .undo = nb_fault_close_queues },
	{ "set_rss", .kind = &nb_test_netdev, .prepare = nb_fault_with_queues,
	  .call = set_rss },
	{ "set_multicast", .prepare = nb_fault_with_attached, .call = set_multicast },
	{ "stop", .kind = &nb_test_netdev, .prepare = nb_fault_with_endpoint,
	  .call = stop_endpoint },
	{ "set_data_path", .kind = &nb_test_null, .prepare = nb_fault_with_endpoint,
	  .call = set_data_path },
	{ "disconnect", .kind = &nb_test_netdev, .prepare = nb_fault_with_endpoint,
	  .call = nb_fault_disconnect, .undo = nb_fault_connect_again },
	{ "connect", .kind = &nb_test_netdev, .prepare = with_disconnected,
	  .call = connect_own, .undo = nb_fault_disconnect_again },
	{ "connect_another", .kind = &nb_test_loopback, .prepare = with_two_disconnected,
	  .call = connect_other, .undo = nb_fault_disconnect_again },
	{ "read_action", .kind = &nb_test_loopback, .prepare = nb_fault_with_endpoint,
	  .before = with_action, .call = read_action, .silent = true },
	{ "set_eventfds", .kind = &nb_test_loopback, .prepare = with_eventfds,
	  .call = set_eventfds },
	{ "set_target", .kind = &nb_test_loopback, .prepare = nb_fault_with_queues,
	  .call = set_target },
	{ "set_moderation", .kind = &nb_test_loopback, .prepare = nb_fault_with_queues,
	  .call = set_moderation },
	{ "get_moderation", .kind = &nb_test_loopback, .prepare = nb_fault_with_queues,
	  .call = get_moderation },
	{ "queue_stats", .kind = &nb_test_loopback, .prepare = nb_fault_with_queues,
	  .call = queue_stats },
	{ "queue_info", .kind = &nb_test_loopback, .prepare = nb_fault_with_queues,
	  .call = queue_info },
	{ "quiesce", .kind = &nb_test_netdev, .prepare = nb_fault_with_queues,
	  .call = quiesce, .undo = resume_again },
	{ "resume", .kind = &nb_test_netdev, .prepare = with_quiesced, .call = resume,
	  .undo = quiesce_again },
	{ "save", .kind = &nb_test_loopback, .prepare = with_quiesced, .call = save },
	{ "restore", .kind = &nb_test_loopback, .prepare = with_saved_and_queues,
	  .before = with_new_queues, .call = restore, .anew = true },
};

int main(int argc, char **argv)
{
	return nb_fault_main(faults, ARRAY_LEN(faults), argv + 1);
}
