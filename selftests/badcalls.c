// SPDX-License-Identifier: GPL-2.0
/*
 * Every ioctl: structs of other sizes, unknown flags, bad pointers, the message that
 * says why; and fds, names and addresses that are not what they should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "nbany.h"
#include "nbraw.h"
#include "nbtest.h"

enum object {
	CONTROL, MEMORY, ENDPOINT, IDLE_ENDPOINT, ATTACHED_ENDPOINT, QUEUE, FRESH_QUEUE, CAPTURE,
	OBJECTS
};

FIXTURE(calls)
{
	struct nb_guest guest;
	struct nb_nic nic;
	struct nb_endpoint *idle;	/* an endpoint without queues */
	struct nb_nic fresh;		/* one whose queue has never been used */
	struct nb_nic attached;		/* one with all that a kind may do, without queues */
	int fds[OBJECTS];
	void *pages;
	int new_fds[2];
	struct nb_queue_config config;
};

static uint32_t id_of(struct nb_endpoint *ep)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(ep, &info));
	return info.id;
}

static int open_capture(FIXTURE_DATA(calls) *self, struct nb_endpoint *ep)
{
	struct nb_create_capture call = {
		.size = sizeof(call), .flags = NB_CAPTURE_TX, .endpoint_id = id_of(ep),
	};

	return nb_ok(nb_raw_call(self->fds[CONTROL], NB_CREATE_CAPTURE, &call));
}

FIXTURE_SETUP(calls)
{
	struct nb_endpoint_params params = { .kind = "null", .netns_fd = -1 };

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_loopback, 0);
	nb_nic_start(&self->nic, 1, 0);
	nb_bufs_post_all(&self->nic.bufs, self->nic.queue);
	nb_ok(nb_endpoint_create(self->guest.nb, &params, &self->idle));
	nb_nic_open(&self->fresh, &self->guest, &nb_test_null, 0);
	nb_nic_start(&self->fresh, 1, 64);
	self->fds[FRESH_QUEUE] = nb_queue_fd(self->fresh.queue);
	nb_nic_open(&self->attached, &self->guest, &nb_test_attach, 0);
	self->fds[ATTACHED_ENDPOINT] = nb_endpoint_fd(self->attached.ep);
	self->fds[CONTROL] = nb_sys(open("/dev/net_backend", O_RDWR | O_CLOEXEC));
	self->fds[CAPTURE] = open_capture(self, self->idle);
	self->fds[MEMORY] = nb_memory_fd(self->guest.mem);
	self->fds[ENDPOINT] = nb_endpoint_fd(self->nic.ep);
	self->fds[IDLE_ENDPOINT] = nb_endpoint_fd(self->idle);
	self->fds[QUEUE] = nb_queue_fd(self->nic.queue);
	self->pages = nb_test_pages(NB_PAGE);
	self->config = (struct nb_queue_config){ 64, 64, 64, 64, NB_ANY_CPU, 0 };
}

FIXTURE_TEARDOWN(calls)
{
	nb_queue_resume(self->nic.queue);
	EXPECT_TRUE(nb_nic_works(&self->nic));
	close(self->fds[CAPTURE]);
	nb_endpoint_close(self->idle);
	nb_nic_close(&self->attached);
	nb_nic_close(&self->fresh);
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

/* ---- one good call of each ioctl ----------------------------------------- */

static void fill_nothing(FIXTURE_DATA(calls) *self, union nb_any *any)
{
}

static void fill_create_endpoint(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	strcpy(any->create_endpoint.kind, "null");
}

static void fill_create_capture(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	any->create_capture.flags = NB_CAPTURE_TX;
	any->create_capture.endpoint_id = id_of(self->nic.ep);
}

static void fill_add_region(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	any->add_region.gpa = NB_MORE_GPA;
	any->add_region.len = NB_PAGE;
	any->add_region.addr = (uintptr_t)self->pages;
}

static void fill_remove_region(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	any->remove_region.gpa = NB_MORE_GPA;
	any->remove_region.len = NB_PAGE;
}

static void fill_get_queues(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	any->get_queues.configs = (uintptr_t)&self->config;
	any->get_queues.fds = (uintptr_t)self->new_fds;
	any->get_queues.n_queues = 1;
	any->get_queues.config_size = sizeof(self->config);
	any->get_queues.memory_fd = self->fds[MEMORY];
}

static void fill_eventfds(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	any->eventfds.kick_fd = -1;
	any->eventfds.call_fd = -1;
}

static void fill_start_log(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	nb_memory_stop_dirty_log(self->guest.mem);
}

static void fill_with_log(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	nb_memory_start_dirty_log(self->guest.mem);
}

static void fill_connected(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	nb_endpoint_connect(self->idle, NULL);
}

static void fill_disconnected(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	nb_endpoint_disconnect(self->idle, 0);
}

static void fill_running(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	nb_queue_resume(self->nic.queue);
}

static void fill_quiesced(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	nb_queue_quiesce(self->nic.queue);
}

static void fill_restore(FIXTURE_DATA(calls) *self, union nb_any *any)
{
	unsigned int i;

	nb_queue_quiesce(self->fresh.queue);
	for (i = 0; i < NB_N_RINGS; i++)
		any->saved.entries[i] = 64;
}

static void undo_nothing(FIXTURE_DATA(calls) *self, int result)
{
}

static void undo_fd(FIXTURE_DATA(calls) *self, int result)
{
	close(result);
}

static void undo_add_region(FIXTURE_DATA(calls) *self, int result)
{
	nb_ok(nb_memory_remove(self->guest.mem, NB_MORE_GPA, NB_PAGE));
}

static void undo_remove_region(FIXTURE_DATA(calls) *self, int result)
{
	nb_ok(nb_memory_add(self->guest.mem, NB_MORE_GPA, self->pages, NB_PAGE, 0));
}

static void undo_log(FIXTURE_DATA(calls) *self, int result)
{
	nb_memory_stop_dirty_log(self->guest.mem);
}

static void undo_disconnect(FIXTURE_DATA(calls) *self, int result)
{
	nb_ok(nb_endpoint_connect(self->idle, NULL));
}

static void undo_quiesce(FIXTURE_DATA(calls) *self, int result)
{
	nb_queue_resume(self->nic.queue);
}

static void undo_get_queues(FIXTURE_DATA(calls) *self, int result)
{
	close(self->new_fds[0]);
}

struct call {
	const char *name;
	enum object object;
	unsigned long command;
	uint32_t size;
	void (*fill)(FIXTURE_DATA(calls) *self, union nb_any *any);
	void (*undo)(FIXTURE_DATA(calls) *self, int result);
};

#define CALL(command_, object_, type_, fill_, undo_) { \
	.name = #command_, .object = object_, .command = command_, \
	.size = sizeof(struct type_), .fill = fill_, .undo = undo_, \
}

/* A region is there to be removed when its turn has come, and is there afterwards. */
static const struct call calls[] = {
	CALL(NB_GET_INFO, CONTROL, nb_info, fill_nothing, undo_nothing),
	CALL(NB_CREATE_MEMORY, CONTROL, nb_create_memory, fill_nothing, undo_fd),
	CALL(NB_CREATE_ENDPOINT, CONTROL, nb_create_endpoint, fill_create_endpoint, undo_fd),
	CALL(NB_CREATE_CAPTURE, CONTROL, nb_create_capture, fill_create_capture, undo_fd),
	CALL(NB_CAPTURE_GET_STATS, CAPTURE, nb_capture_stats, fill_nothing, undo_nothing),
	CALL(NB_MEMORY_ADD_REGION, MEMORY, nb_add_region, fill_add_region, undo_add_region),
	CALL(NB_MEMORY_REMOVE_REGION, MEMORY, nb_remove_region, fill_remove_region,
	     undo_remove_region),
	CALL(NB_MEMORY_START_DIRTY_LOG, MEMORY, nb_start_dirty_log, fill_start_log, undo_log),
	CALL(NB_MEMORY_STOP_DIRTY_LOG, MEMORY, nb_stop_dirty_log, fill_with_log, undo_nothing),
	CALL(NB_MEMORY_GET_DIRTY_LOG, MEMORY, nb_get_dirty_log, fill_with_log, undo_log),
	CALL(NB_ENDPOINT_GET_INFO, ENDPOINT, nb_endpoint_info, fill_nothing, undo_nothing),
	CALL(NB_ENDPOINT_GET_QUEUES, IDLE_ENDPOINT, nb_get_queues, fill_get_queues,
	     undo_get_queues),
	CALL(NB_ENDPOINT_STOP, IDLE_ENDPOINT, nb_endpoint_stop, fill_nothing, undo_nothing),
	CALL(NB_ENDPOINT_SET_DATA_PATH, IDLE_ENDPOINT, nb_data_path, fill_nothing, undo_nothing),
	CALL(NB_ENDPOINT_GET_DATA_PATH, ATTACHED_ENDPOINT, nb_data_path, fill_nothing,
	     undo_nothing),
	CALL(NB_ENDPOINT_SET_RSS, ENDPOINT, nb_set_rss, fill_nothing, undo_nothing),
	CALL(NB_ENDPOINT_SET_MULTICAST, ATTACHED_ENDPOINT, nb_set_multicast, fill_nothing,
	     undo_nothing),
	CALL(NB_ENDPOINT_DISCONNECT, IDLE_ENDPOINT, nb_disconnect, fill_connected,
	     undo_disconnect),
	CALL(NB_ENDPOINT_CONNECT, IDLE_ENDPOINT, nb_connect, fill_disconnected, undo_nothing),
	CALL(NB_QUEUE_GET_INFO, QUEUE, nb_queue_info, fill_nothing, undo_nothing),
	CALL(NB_QUEUE_SET_EVENTFDS, QUEUE, nb_queue_eventfds, fill_eventfds, undo_nothing),
	CALL(NB_QUEUE_SET_TARGET, QUEUE, nb_queue_target, fill_nothing, undo_nothing),
	CALL(NB_QUEUE_SET_MODERATION, QUEUE, nb_queue_moderation, fill_nothing, undo_nothing),
	CALL(NB_QUEUE_GET_MODERATION, QUEUE, nb_queue_moderation, fill_nothing, undo_nothing),
	CALL(NB_QUEUE_GET_STATS, QUEUE, nb_queue_stats, fill_nothing, undo_nothing),
	CALL(NB_QUEUE_QUIESCE, QUEUE, nb_queue_quiesce, fill_running, undo_quiesce),
	CALL(NB_QUEUE_RESUME, QUEUE, nb_queue_resume, fill_quiesced, undo_nothing),
	CALL(NB_QUEUE_SAVE, QUEUE, nb_queue_saved, fill_quiesced, undo_quiesce),
	CALL(NB_QUEUE_RESTORE, FRESH_QUEUE, nb_queue_saved, fill_restore, undo_nothing),
};

/* Makes the struct of a good call. */
static union nb_any *make(FIXTURE_DATA(calls) *self, const struct call *call)
{
	static union nb_any any;

	memset(&any, 0, sizeof(any));
	any.size = call->size;
	call->fill(self, &any);
	if (call->command == NB_MEMORY_REMOVE_REGION) {
		nb_memory_remove(self->guest.mem, NB_MORE_GPA, NB_PAGE);
		nb_ok(nb_memory_add(self->guest.mem, NB_MORE_GPA, self->pages, NB_PAGE, 0));
	} else {
		nb_memory_remove(self->guest.mem, NB_MORE_GPA, NB_PAGE);
	}
	return &any;
}

static int run(FIXTURE_DATA(calls) *self, const struct call *call, void *argument)
{
	return nb_raw_call(self->fds[call->object], call->command, argument);
}

/* ---- structs ------------------------------------------------------------- */

TEST_F(calls, structs_of_the_right_size_are_taken)
{
	const struct call *call;
	int result;

	for (call = calls; call < calls + ARRAY_LEN(calls); call++) {
		result = run(self, call, make(self, call));
		EXPECT_LE(0, result) TH_LOG("%s: %s", call->name, nb_raw_message);
		EXPECT_STREQ("", nb_raw_message);
		if (result >= 0)
			call->undo(self, result);
	}
}

TEST_F(calls, smaller_structs_are_invalid)
{
	const struct call *call;
	union nb_any *any;
	uint32_t size;

	for (call = calls; call < calls + ARRAY_LEN(calls); call++) {
		for (size = 0; size < call->size; size += 4) {
			any = make(self, call);
			any->size = size;
			ASSERT_EQ(-EINVAL, run(self, call, any)) TH_LOG("%s", call->name);
			/* Without room for the message there can be none. */
			if (size >= offsetof(union nb_any, msg) + sizeof(any->msg))
				ASSERT_TRUE(nb_raw_explained()) TH_LOG("%s", call->name);
		}
	}
}

TEST_F(calls, larger_structs_are_taken_if_the_rest_is_zero)
{
	const struct call *call;
	int result;
	union nb_any *any;

	for (call = calls; call < calls + ARRAY_LEN(calls); call++) {
		any = make(self, call);
		any->size = sizeof(*any);
		result = run(self, call, any);
		EXPECT_LE(0, result) TH_LOG("%s: %s", call->name, nb_raw_message);
		if (result >= 0)
			call->undo(self, result);

		any = make(self, call);
		any->size = call->size + 8;
		any->bytes[call->size + 7] = 1;
		EXPECT_EQ(-E2BIG, run(self, call, any)) TH_LOG("%s", call->name);
		EXPECT_TRUE(nb_raw_explained()) TH_LOG("%s", call->name);
		any->size = 1u << 30;
		EXPECT_EQ(-E2BIG, run(self, call, any)) TH_LOG("%s", call->name);
	}
}

TEST_F(calls, unknown_flags_are_invalid)
{
	const struct call *call;
	union nb_any *any;

	for (call = calls; call < calls + ARRAY_LEN(calls); call++) {
		any = make(self, call);
		any->flags |= 1u << 31;
		EXPECT_EQ(-EINVAL, run(self, call, any)) TH_LOG("%s", call->name);
		EXPECT_TRUE(nb_raw_explained()) TH_LOG("%s", call->name);
		any = make(self, call);
		any->msg.reserved = 1;
		EXPECT_EQ(-EINVAL, run(self, call, any)) TH_LOG("%s", call->name);
		EXPECT_TRUE(nb_raw_explained()) TH_LOG("%s", call->name);
	}
}

TEST_F(calls, reserved_fields_are_zero)
{
	static const struct {
		unsigned long command;
		size_t offset;
	} fields[] = {
		{ NB_CREATE_ENDPOINT, offsetof(struct nb_create_endpoint, reserved) },
		{ NB_CREATE_ENDPOINT, offsetof(struct nb_create_endpoint, mac) },
		{ NB_CREATE_ENDPOINT, offsetof(struct nb_create_endpoint, netns_fd) },
		{ NB_CREATE_ENDPOINT, offsetof(struct nb_create_endpoint, params_size) },
		{ NB_MEMORY_ADD_REGION, offsetof(struct nb_add_region, reserved) },
		{ NB_MEMORY_ADD_REGION, offsetof(struct nb_add_region, fd) },
		{ NB_ENDPOINT_SET_DATA_PATH, offsetof(struct nb_data_path, reserved) },
		{ NB_ENDPOINT_SET_RSS, offsetof(struct nb_set_rss, rss_size) },
		{ NB_ENDPOINT_SET_RSS, offsetof(struct nb_set_rss, reserved) },
		{ NB_ENDPOINT_SET_MULTICAST, offsetof(struct nb_set_multicast, reserved) },
		{ NB_ENDPOINT_CONNECT, offsetof(struct nb_connect, from_fd) },
		{ NB_ENDPOINT_CONNECT, offsetof(struct nb_connect, reserved) },
		{ NB_QUEUE_SET_TARGET, offsetof(struct nb_queue_target, reserved) },
		{ NB_QUEUE_SET_MODERATION, offsetof(struct nb_queue_moderation, reserved) },
		{ NB_QUEUE_RESTORE, offsetof(struct nb_queue_saved, reserved) },
	};
	const struct call *call;
	unsigned int i;
	union nb_any *any;

	for (i = 0; i < ARRAY_LEN(fields); i++) {
		for (call = calls; call->command != fields[i].command; call++)
			;
		any = make(self, call);
		any->bytes[fields[i].offset] = 1;
		EXPECT_EQ(-EINVAL, run(self, call, any)) TH_LOG("%s", call->name);
		EXPECT_TRUE(nb_raw_explained()) TH_LOG("%s", call->name);
	}
}

TEST_F(calls, bad_addresses_fault)
{
	const struct call *call;

	for (call = calls; call < calls + ARRAY_LEN(calls); call++) {
		EXPECT_EQ(-1, ioctl(self->fds[call->object], call->command, NULL));
		EXPECT_EQ(EFAULT, errno) TH_LOG("%s", call->name);
		EXPECT_EQ(-1, ioctl(self->fds[call->object], call->command, -8l));
		EXPECT_EQ(EFAULT, errno) TH_LOG("%s", call->name);
	}
}

TEST_F(calls, regions_are_in_user_space)
{
	struct nb_add_region add = { .size = sizeof(add), .len = NB_PAGE };

	add.gpa = NB_MORE_GPA;
	add.addr = 1ull << 63;
	nb_memory_remove(self->guest.mem, NB_MORE_GPA, NB_PAGE);
	EXPECT_EQ(-EFAULT, nb_raw_call(self->fds[MEMORY], NB_MEMORY_ADD_REGION, &add));
	EXPECT_TRUE(nb_raw_explained());
	add.addr = -(uint64_t)NB_PAGE;
	EXPECT_EQ(-EINVAL, nb_raw_call(self->fds[MEMORY], NB_MEMORY_ADD_REGION, &add));
	EXPECT_TRUE(nb_raw_explained());
}

TEST_F(calls, fds_know_their_own_ioctls_only)
{
	const struct call *call;
	union nb_any any = { .size = sizeof(any) };
	unsigned int object;

	for (call = calls; call < calls + ARRAY_LEN(calls); call++) {
		for (object = 0; object < OBJECTS; object++) {
			bool endpoint = object >= ENDPOINT && object <= ATTACHED_ENDPOINT;
			bool queue = object == QUEUE || object == FRESH_QUEUE;

			if (object == call->object ||
			    (endpoint && (call->command & 0xf0) == 0x20) ||
			    (queue && (call->command & 0xf0) == 0x30))
				continue;
			EXPECT_EQ(-ENOTTY, nb_raw_call(self->fds[object], call->command, &any))
				TH_LOG("%s", call->name);
		}
	}
	for (object = 0; object < OBJECTS; object++) {
		EXPECT_EQ(-ENOTTY, nb_raw_call(self->fds[object], _IO(NB_IOCTL_TYPE, 0xff), &any));
		EXPECT_EQ(-ENOTTY, nb_raw_call(self->fds[object], _IO(0xbd, 0), &any));
	}
}

static bool is_called(unsigned long command)
{
	const struct call *call;

	for (call = calls; call < calls + ARRAY_LEN(calls); call++)
		if (call->command == command)
			return true;
	return false;
}

/* A call without a size fails, and does nothing. ENTER has tests of its own. */
TEST_F(calls, these_are_all_that_there_are)
{
	unsigned int object, nr;
	union nb_any any;

	for (object = 0; object < OBJECTS; object++) {
		for (nr = 0; nr < 256; nr++) {
			memset(&any, 0, sizeof(any));
			if (nb_raw_call(self->fds[object], _IO(NB_IOCTL_TYPE, nr), &any) != -ENOTTY)
				EXPECT_TRUE(_IO(NB_IOCTL_TYPE, nr) == NB_QUEUE_ENTER ||
					    is_called(_IO(NB_IOCTL_TYPE, nr)))
					TH_LOG("%#x", nr);
		}
	}
}

/* What gcc's -ftrivial-auto-var-init=pattern gives a variable that nobody has set. */
static bool has_pattern(const unsigned char *bytes, size_t len)
{
	static const unsigned char pattern[4] = { 0xfe, 0xfe, 0xfe, 0xfe };

	return memmem(bytes, len, pattern, sizeof(pattern));
}

/*
 * No byte of the kernel's stack comes along. On kernels that clear variables this cannot
 * fail; the module that "make test-debug" tests has such ones full of a pattern instead.
 */
TEST_F(calls, what_is_told_has_been_set)
{
	const struct call *call;
	union nb_any *any;
	int result;

	for (call = calls; call < calls + ARRAY_LEN(calls); call++) {
		any = make(self, call);
		any->size = sizeof(*any);
		result = run(self, call, any);
		ASSERT_LE(0, result) TH_LOG("%s: %s", call->name, nb_raw_message);
		call->undo(self, result);
		EXPECT_FALSE(has_pattern(any->bytes, sizeof(*any))) TH_LOG("%s", call->name);
		EXPECT_FALSE(has_pattern((void *)nb_raw_message, sizeof(nb_raw_message)));
	}
}

/* ---- ENTER, which has no message ----------------------------------------- */

TEST_F(calls, enter_checks_its_struct)
{
	struct {
		struct nb_enter enter;
		uint64_t more[4];
	} any = { .enter.size = sizeof(any) };
	int fd = self->fds[QUEUE];

	EXPECT_EQ(0, ioctl(fd, NB_QUEUE_ENTER, &any));
	any.enter.size = sizeof(any.enter);
	EXPECT_EQ(0, ioctl(fd, NB_QUEUE_ENTER, &any));
	any.enter.size = sizeof(any.enter) - 1;
	EXPECT_EQ(-1, ioctl(fd, NB_QUEUE_ENTER, &any));
	EXPECT_EQ(EINVAL, errno);
	any.enter.size = 0;
	EXPECT_EQ(-1, ioctl(fd, NB_QUEUE_ENTER, &any));
	EXPECT_EQ(EINVAL, errno);
	any.enter.size = sizeof(any);
	any.more[3] = 1;
	EXPECT_EQ(-1, ioctl(fd, NB_QUEUE_ENTER, &any));
	EXPECT_EQ(E2BIG, errno);
	any.enter.size = sizeof(any.enter);
	any.enter.flags = 1u << 4;
	EXPECT_EQ(-1, ioctl(fd, NB_QUEUE_ENTER, &any));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(fd, NB_QUEUE_ENTER, NULL));
	EXPECT_EQ(EFAULT, errno);
}

/* What was moved is moved then; the rings say that, too. */
TEST_F(calls, enter_needs_a_struct_that_it_can_write)
{
	struct nb_enter *enter = mmap(NULL, NB_PAGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)enter);
	enter->size = sizeof(*enter);
	ASSERT_EQ(0, mprotect(enter, NB_PAGE, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->fds[QUEUE], NB_QUEUE_ENTER, enter));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, mprotect(enter, NB_PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, ioctl(self->fds[QUEUE], NB_QUEUE_ENTER, enter));
	munmap(enter, NB_PAGE);
}

/* ---- the message --------------------------------------------------------- */

TEST_F(calls, messages_are_cut_to_fit)
{
	struct nb_create_endpoint create = { .size = sizeof(create), .kind = "nonsense" };
	char text[16];

	memset(text, 'x', sizeof(text));
	create.msg.text = (uintptr_t)text;
	create.msg.size = 8;
	EXPECT_EQ(-ENOENT, nb_raw_call(self->fds[CONTROL], NB_CREATE_ENDPOINT, &create));
	EXPECT_EQ(7, strlen(text));
	EXPECT_EQ('x', text[8]);

	/* One that cannot be written changes nothing. */
	create.msg.text = 8;
	EXPECT_EQ(-ENOENT, nb_raw_call(self->fds[CONTROL], NB_CREATE_ENDPOINT, &create));
	create.msg.text = (uintptr_t)text;
	create.msg.size = 0;
	memset(text, 'x', sizeof(text));
	EXPECT_EQ(-ENOENT, nb_raw_call(self->fds[CONTROL], NB_CREATE_ENDPOINT, &create));
	EXPECT_EQ('x', text[0]);
}

TEST_F(calls, kinds_that_do_not_fit_are_counted)
{
	char kinds[2][NB_KIND_LEN];
	struct nb_info info = { .size = sizeof(info), .kinds = (uintptr_t)kinds, .n_kinds = 1 };

	memset(kinds, 'x', sizeof(kinds));
	EXPECT_EQ(0, nb_raw_call(self->fds[CONTROL], NB_GET_INFO, &info));
	EXPECT_LE(3, info.n_kinds);
	EXPECT_NE('x', kinds[0][0]);
	EXPECT_EQ('x', kinds[1][0]);
	info.kinds = 8;
	info.n_kinds = 1;
	EXPECT_EQ(-EFAULT, nb_raw_call(self->fds[CONTROL], NB_GET_INFO, &info));
	info.kinds = 0;
	info.n_kinds = 0;
	EXPECT_EQ(0, nb_raw_call(self->fds[CONTROL], NB_GET_INFO, &info));
	EXPECT_LE(3, info.n_kinds);
}

/* ---- get_queues ---------------------------------------------------------- */

static int get_queues(FIXTURE_DATA(calls) *self, struct nb_get_queues *get)
{
	get->size = sizeof(*get);
	return nb_raw_call(self->fds[IDLE_ENDPOINT], NB_ENDPOINT_GET_QUEUES, get);
}

TEST_F(calls, arrays_of_structs_follow_the_same_rules)
{
	struct {
		struct nb_queue_config config;
		uint32_t more[2];
	} large[2] = { { self->config }, { self->config } };
	struct nb_get_queues good = {
		.configs = (uintptr_t)large,
		.fds = (uintptr_t)self->new_fds,
		.n_queues = 2,
		.config_size = sizeof(large[0]),
		.memory_fd = self->fds[MEMORY],
	}, get = good;

	EXPECT_EQ(0, get_queues(self, &get));
	close(self->new_fds[0]);
	close(self->new_fds[1]);
	large[1].more[1] = 1;
	get = good;
	EXPECT_EQ(-E2BIG, get_queues(self, &get));
	EXPECT_TRUE(nb_raw_explained());
	large[1].more[1] = 0;
	get.config_size = sizeof(self->config) - 4;
	EXPECT_EQ(-EINVAL, get_queues(self, &get));
	EXPECT_TRUE(nb_raw_explained());
	get.config_size = 0;
	EXPECT_EQ(-EINVAL, get_queues(self, &get));

	large[1].config.flags = 1;
	get = good;
	EXPECT_EQ(-EINVAL, get_queues(self, &get));
	EXPECT_TRUE(nb_raw_explained());
	large[1].config.flags = 0;
	large[1].config.target_cpu = 1u << 20;
	EXPECT_EQ(-EINVAL, get_queues(self, &get));
	EXPECT_TRUE(nb_raw_explained());
	large[1].config.target_cpu = 0;
	EXPECT_EQ(0, get_queues(self, &get));
	close(self->new_fds[0]);
	close(self->new_fds[1]);
}

TEST_F(calls, queues_need_their_pointers_and_a_memory)
{
	struct nb_get_queues good = {
		.configs = (uintptr_t)&self->config,
		.fds = (uintptr_t)self->new_fds,
		.n_queues = 1,
		.config_size = sizeof(self->config),
		.memory_fd = self->fds[MEMORY],
	}, get = good;
	struct nb_endpoint_info info;

	get.configs = 8;
	EXPECT_EQ(-EFAULT, get_queues(self, &get));
	get = good;
	get.fds = 8;
	EXPECT_EQ(-EFAULT, get_queues(self, &get));
	get = good;
	get.memory_fd = 1000;
	EXPECT_EQ(-EBADF, get_queues(self, &get));
	EXPECT_TRUE(nb_raw_explained());
	get.memory_fd = -1;
	EXPECT_EQ(-EBADF, get_queues(self, &get));
	get.memory_fd = self->fds[QUEUE];
	EXPECT_EQ(-EBADF, get_queues(self, &get));
	EXPECT_TRUE(nb_raw_explained());
	get = good;
	get.n_queues = 1u << 31;
	EXPECT_EQ(-EINVAL, get_queues(self, &get));
	EXPECT_TRUE(nb_raw_explained());
	get = good;
	get.rss_size = 8;
	EXPECT_EQ(-EINVAL, get_queues(self, &get));

	EXPECT_EQ(0, nb_endpoint_get_info(self->idle, &info));
	EXPECT_EQ(0, info.n_queues);
	EXPECT_EQ(0, get_queues(self, &good));
	close(self->new_fds[0]);
}

TEST_F(calls, too_few_fds_give_none)
{
	static int fds[64];
	struct nb_queue_config configs[64];
	struct nb_get_queues get = {
		.configs = (uintptr_t)configs,
		.fds = (uintptr_t)fds,
		.n_queues = 64,
		.config_size = sizeof(configs[0]),
		.memory_fd = self->fds[MEMORY],
	};
	struct rlimit few = { 40, 4096 }, enough = { 4096, 4096 };
	struct nb_endpoint_info info;
	unsigned int i;

	for (i = 0; i < 64; i++)
		configs[i] = self->config;
	nb_sys(setrlimit(RLIMIT_NOFILE, &few));
	EXPECT_EQ(-EMFILE, get_queues(self, &get));
	nb_sys(setrlimit(RLIMIT_NOFILE, &enough));
	EXPECT_EQ(0, nb_endpoint_get_info(self->idle, &info));
	EXPECT_EQ(0, info.n_queues);
	EXPECT_EQ(0, get_queues(self, &get));
	for (i = 0; i < 64; i++)
		close(fds[i]);
}

TEST_F(calls, eventfds_are_eventfds)
{
	struct nb_queue_eventfds set = { .size = sizeof(set), .kick_fd = -1, .call_fd = 0 };
	int fd = self->fds[QUEUE], good = nb_sys(eventfd(0, EFD_CLOEXEC));

	set.call_fd = self->fds[CONTROL];
	EXPECT_EQ(-EBADF, nb_raw_call(fd, NB_QUEUE_SET_EVENTFDS, &set));
	EXPECT_TRUE(nb_raw_explained());
	set.call_fd = good;
	set.kick_fd = 1000;
	EXPECT_EQ(-EBADF, nb_raw_call(fd, NB_QUEUE_SET_EVENTFDS, &set));
	EXPECT_TRUE(nb_raw_explained());
	set.kick_fd = -2;
	EXPECT_EQ(-EBADF, nb_raw_call(fd, NB_QUEUE_SET_EVENTFDS, &set));
	set.kick_fd = good;
	EXPECT_EQ(0, nb_raw_call(fd, NB_QUEUE_SET_EVENTFDS, &set));
	set.kick_fd = -1;
	set.call_fd = -1;
	EXPECT_EQ(0, nb_raw_call(fd, NB_QUEUE_SET_EVENTFDS, &set));
	close(good);
}

TEST_HARNESS_MAIN
