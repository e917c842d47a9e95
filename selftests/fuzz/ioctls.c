// SPDX-License-Identifier: GPL-2.0
/*
 * Sequences of ioctls, and of what else can be done to the fds: every command on fds of every
 * object and of none, with structs that are good but for some words, closed in any order,
 * also by two threads at once.
 *
 * Pointers in a struct lead to nowhere, to pages that end there, or where they should: never
 * to the rest of this process, which the kernel would write.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include <linux/net_backend_netlink.h>

#include "../nbany.h"
#include "../nbgenl.h"
#include "../nbtest.h"
#include "fuzz.h"
#include "input.h"

#define SLOTS		16u
#define MAPS		4u
#define POOL_PAGES	32u		/* that may be guest memory */
#define TICK_NS		30000000	/* whoever sleeps is woken after that time */

/* Each "#define NB_… _IO(NB_IOCTL_TYPE, …)" of the header, made by the Makefile. */
#define COMMAND(name)	{ #name, name },
static const struct command {
	const char *name;
	uint32_t number;
} commands[] = {
#include "fuzz_commands.h"
};

/* ---- what both threads play with ----------------------------------------- */

/* By the tens of their ioctls' numbers. */
enum object { CONTROL, MEMORY, ENDPOINT, QUEUE, CAPTURE, FOREIGN };

static struct slot {
	int fd;
	enum object object;
	uint32_t id;		/* of an endpoint */
} slots[SLOTS];
static uint32_t next_slot;

static struct map {
	void *address;
	size_t len;
} maps[MAPS];

static uint8_t *pool;		/* POOL_PAGES, and nothing behind them */
static int memfd, random_fd;
static unsigned int first_fd;	/* of those that an input opens */
static struct nb_queue_saved saved;
static struct nb_genl client;

static void close_slot(uint32_t i)
{
	int fd = __atomic_exchange_n(&slots[i % SLOTS].fd, -1, __ATOMIC_ACQ_REL);

	if (fd >= 0)
		close(fd);
}

static struct slot *keep(int fd, enum object object)
{
	uint32_t i = __atomic_fetch_add(&next_slot, 1, __ATOMIC_RELAXED) % SLOTS;

	/* Below are this process's own, such as the 0 where the kernel has written no fd. */
	if (fd < (int)first_fd)
		return NULL;
	close_slot(i);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	slots[i].object = object;
	__atomic_store_n(&slots[i].fd, fd, __ATOMIC_RELEASE);
	fuzz_say("slot %u: fd %d", i, fd);
	return &slots[i];
}

/* The last one of that object, or any other. */
static struct slot *take_slot(enum object object)
{
	uint8_t which = take8();
	uint32_t i;

	if (which & 0x80)
		return &slots[which % SLOTS];
	for (i = 0; i < SLOTS; i++) {
		struct slot *slot = &slots[(next_slot - 1 - i) % SLOTS];

		if (slot->fd >= 0 && slot->object == object && !(which-- & 3))
			return slot;
	}
	return &slots[which % SLOTS];
}

/* ---- structs ------------------------------------------------------------- */

struct attempt {
	union nb_any any;
	uint32_t size;
	unsigned int pointers[4];	/* words in which pointers begin */
	unsigned int n_pointers;
	/* What the pointers lead to. */
	struct nb_queue_config configs[4];
	int fds[4];
	struct nb_rss_config rss;
	uint8_t key[NB_MAX_RSS_KEY_LEN];
	uint16_t table[NB_MAX_RSS_TABLE_LEN];
	struct nb_multicast list[NB_MAX_MULTICAST];
	union {
		struct nb_netdev_params netdev;
		struct nb_switch_params port;
		struct nb_attach_params attach;
		uint8_t bytes[1024];
	} params;
	char text[64];
	char kinds[4 * NB_KIND_LEN];
};

static void point(struct attempt *attempt, __u64 *field, const void *to)
{
	attempt->pointers[attempt->n_pointers++] =
		((const char *)field - (const char *)&attempt->any) / sizeof(uint32_t);
	*field = (uintptr_t)to;
}

static void fill_port(struct nb_switch_params *port)
{
	static const char *const names[] = { "", "a", "b", "0123456789abcdef" };
	uint8_t how = take8();

	memcpy(port->name, names[how >> 1 & 3], strlen(names[how >> 1 & 3]));
	if (how & 1) {
		port->flags = NB_SWITCH_JOIN | (how & 8 ? NB_SWITCH_ISOLATED : 0);
		port->group_fd = take_slot(ENDPOINT)->fd;
	}
	if (how & 16) {
		port->table_size = take32();
		port->ageing_ms = take32();
		port->max_addresses = take32();
	}
	if (how & 32) {
		port->vlan_mode = take8() % 4;
		port->pvid = take32();
		memset(port->vlans, take8(), sizeof(port->vlans));
	}
}

static void fill_create_endpoint(struct attempt *attempt)
{
	static const char *const kinds[] = { "null", "loopback", "switch", "netdev", "attach" };
	struct nb_create_endpoint *call = &attempt->any.create_endpoint;
	uint8_t kind = take8() % ARRAY_LEN(kinds), how = take8();

	attempt->size = sizeof(*call);
	strcpy(call->kind, kinds[kind]);
	if (how & 1)
		snprintf(call->name, sizeof(call->name), "n%u", how >> 6);
	if (how & 2) {
		call->flags |= NB_CREATE_MAC;
		memcpy(call->mac, "\2\0\0\0\0\1", sizeof(call->mac));
	}
	if (how & 4) {
		call->flags |= NB_CREATE_NETNS;
		call->netns_fd = take_slot(FOREIGN)->fd;
	}
	if (how & 8)
		call->max_queues = take32();
	if (!(how & 16) && kind < 2)
		return;
	switch (kind) {
	case 2:
		fill_port(&attempt->params.port);
		call->params_size = sizeof(attempt->params.port);
		break;
	case 3:
		call->mtu = how & 32 ? take32() : 0;
		if (how & 64) {
			attempt->params.netdev.flags = NB_NETDEV_UPLINK;
			fill_port(&attempt->params.netdev.port);
		}
		call->params_size = sizeof(attempt->params.netdev);
		break;
	case 4:
		strcpy(attempt->params.attach.ifname, how & 32 ? "low0" : "nb0");
		call->params_size = sizeof(attempt->params.attach);
		break;
	}
	point(attempt, &call->params, &attempt->params);
}

static void fill_add_region(struct attempt *attempt)
{
	struct nb_add_region *call = &attempt->any.add_region;
	uint8_t how = take8();

	attempt->size = sizeof(*call);
	call->gpa = (how >> 4) * NB_PAGE;
	call->len = (1 + (take8() & 7)) * NB_PAGE;
	if (how & 1)
		call->flags |= NB_REGION_READ_ONLY;
	if (how & 2) {
		call->flags |= NB_REGION_FD;
		call->fd = memfd;
		call->addr = (how >> 2) % 4 * NB_PAGE;
	} else {
		point(attempt, &call->addr, pool + (how >> 2) % 16 * NB_PAGE);
	}
}

static void fill_get_queues(struct attempt *attempt)
{
	struct nb_get_queues *call = &attempt->any.get_queues;
	uint8_t how = take8(), n = 1 + (how & 3), i;

	attempt->size = sizeof(*call);
	for (i = 0; i < n; i++) {
		attempt->configs[i] = (struct nb_queue_config){
			.tx_avail_entries = 64,
			.tx_done_entries = 64,
			.rx_avail_entries = 64 << (how >> 2 & 1),
			.rx_done_entries = 64,
			.target_cpu = how & 8 ? take8() & 3 : NB_ANY_CPU,
			.flags = how & 16 ? take8() & 31 : 0,
		};
		attempt->fds[i] = -1;
	}
	if (how & 32)
		((uint32_t *)attempt->configs)[take8() % 32] = take32();
	call->n_queues = n;
	call->config_size = sizeof(attempt->configs[0]);
	call->memory_fd = take_slot(MEMORY)->fd;
	point(attempt, &call->configs, attempt->configs);
	point(attempt, &call->fds, attempt->fds);
}

static void fill_rss(struct attempt *attempt)
{
	struct nb_set_rss *call = &attempt->any.set_rss;
	uint8_t how = take8();
	unsigned int i;

	attempt->size = sizeof(*call);
	attempt->rss.key_len = how & 1 ? take32() : 40;
	attempt->rss.table_len = how & 2 ? take32() : 64;
	for (i = 0; i < NB_MAX_RSS_TABLE_LEN; i++)
		attempt->table[i] = how & 4 ? i % (1 + how / 16) : 0;
	attempt->rss.key = (uintptr_t)attempt->key;
	attempt->rss.table = (uintptr_t)attempt->table;
	call->rss_size = sizeof(attempt->rss);
	point(attempt, &call->rss, &attempt->rss);
}

static void fill_multicast(struct attempt *attempt)
{
	struct nb_set_multicast *call = &attempt->any.set_multicast;
	unsigned int i;

	attempt->size = sizeof(*call);
	call->n = take32() % (NB_MAX_MULTICAST + 2);
	for (i = 0; i < NB_MAX_MULTICAST; i++)
		memcpy(attempt->list[i].mac, (uint8_t[]){ 1, 0, 0x5e, 0, i >> 8, i }, 6);
	point(attempt, &call->list, attempt->list);
}

/* A good struct for the command, as far as there is one. */
static void fill(struct attempt *attempt, uint32_t command)
{
	union nb_any *any = &attempt->any;

	attempt->size = sizeof(struct nb_create_memory);
	switch (command) {
	case NB_CREATE_MEMORY:
	case NB_MEMORY_START_DIRTY_LOG:
	case NB_MEMORY_STOP_DIRTY_LOG:
	case NB_ENDPOINT_STOP:
	case NB_QUEUE_RESUME:
		break;
	case NB_GET_INFO:
		attempt->size = sizeof(any->info);
		any->info.n_kinds = take8() & 3;
		point(attempt, &any->info.kinds, attempt->kinds);
		break;
	case NB_CREATE_ENDPOINT:
		fill_create_endpoint(attempt);
		break;
	case NB_CREATE_CAPTURE:
		attempt->size = sizeof(any->create_capture);
		any->create_capture.flags = 1 + take8() % 3;
		any->create_capture.endpoint_id = take_slot(ENDPOINT)->id;
		any->create_capture.queue = NB_ANY_QUEUE;
		any->create_capture.buffer_size = NB_MIN_CAPTURE_BUFFER;
		break;
	case NB_MEMORY_ADD_REGION:
		fill_add_region(attempt);
		break;
	case NB_MEMORY_REMOVE_REGION:
		attempt->size = sizeof(any->remove_region);
		any->remove_region.gpa = (take8() >> 4) * NB_PAGE;
		any->remove_region.len = (1 + (take8() & 7)) * NB_PAGE;
		break;
	case NB_MEMORY_GET_DIRTY_LOG:
		attempt->size = sizeof(any->get_log);
		any->get_log.gpa = (take8() >> 4) * NB_PAGE;
		break;
	case NB_ENDPOINT_GET_INFO:
		attempt->size = sizeof(any->endpoint_info);
		break;
	case NB_ENDPOINT_GET_QUEUES:
		fill_get_queues(attempt);
		break;
	case NB_ENDPOINT_SET_RSS:
		fill_rss(attempt);
		break;
	case NB_ENDPOINT_SET_DATA_PATH:
	case NB_ENDPOINT_GET_DATA_PATH:
		attempt->size = sizeof(any->data_path);
		any->data_path.to_guest_vf = take8() & 1;
		break;
	case NB_ENDPOINT_CONNECT:
		attempt->size = sizeof(any->connect);
		any->connect.flags = take8() & 1;
		if (any->connect.flags)
			any->connect.from_fd = take_slot(ENDPOINT)->fd;
		break;
	case NB_ENDPOINT_DISCONNECT:
		attempt->size = sizeof(any->disconnect);
		any->disconnect.timeout_ns = take8() & 1 ? NB_NO_TIMEOUT : 0;
		break;
	case NB_ENDPOINT_SET_MULTICAST:
		fill_multicast(attempt);
		break;
	case NB_QUEUE_ENTER:
		attempt->size = sizeof(any->enter);
		any->enter.flags = take8() & 15;
		any->enter.timeout_ns = take32();
		break;
	case NB_QUEUE_GET_INFO:
		attempt->size = sizeof(any->queue_info);
		break;
	case NB_QUEUE_SET_EVENTFDS:
		attempt->size = sizeof(any->eventfds);
		any->eventfds.kick_fd = take8() & 1 ? take_slot(FOREIGN)->fd : -1;
		any->eventfds.call_fd = take8() & 1 ? take_slot(FOREIGN)->fd : -1;
		break;
	case NB_QUEUE_SET_TARGET:
		attempt->size = sizeof(any->target);
		any->target.cpu = take8() & 3;
		break;
	case NB_QUEUE_SET_MODERATION:
	case NB_QUEUE_GET_MODERATION:
		attempt->size = sizeof(any->moderation);
		any->moderation.tx_usecs = take8();
		any->moderation.rx_usecs = take8();
		break;
	case NB_QUEUE_GET_STATS:
		attempt->size = sizeof(any->stats);
		break;
	case NB_QUEUE_QUIESCE:
		attempt->size = sizeof(any->quiesce);
		any->quiesce.flags = take8() & 1;
		break;
	case NB_QUEUE_SAVE:
	case NB_QUEUE_RESTORE:
		attempt->size = sizeof(any->saved);
		if (command == NB_QUEUE_RESTORE)
			any->saved = saved;
		break;
	case NB_CAPTURE_GET_STATS:
		attempt->size = sizeof(any->capture_stats);
		break;
	default:
		fuzz_broken("ioctl %#x is not known here", command);
	}
	any->size = attempt->size;
}

/* Where a pointer that is wrong leads. */
static uint64_t take_pointer(uint64_t right)
{
	uint8_t how = take8();

	switch (how & 7) {
	case 0:
		return 0;
	case 1:
		return (uintptr_t)pool + POOL_PAGES * NB_PAGE - (how >> 3);
	case 2:
		return (uintptr_t)pool + (how >> 3);
	case 3:
		return 0xffff888000000000ull + (how >> 3);
	case 4:
		return ~0ull - (how >> 3);
	case 5:
		return 0x7ffffffff000ull - (how >> 3);
	default:
		return right;
	}
}

static void change_word(struct attempt *attempt)
{
	unsigned int word = take8() % (attempt->size / 4 + 2), i;
	uint64_t pointer;

	for (i = 0; i < attempt->n_pointers; i++) {
		if (word != attempt->pointers[i] && word != attempt->pointers[i] + 1)
			continue;
		memcpy(&pointer, &attempt->any.words[attempt->pointers[i]], sizeof(pointer));
		pointer = take_pointer(pointer);
		memcpy(&attempt->any.words[attempt->pointers[i]], &pointer, sizeof(pointer));
		fuzz_say("  word %u is a pointer: %#llx", word, (unsigned long long)pointer);
		return;
	}
	/* Where the size is 0, the pointer is not used. */
	attempt->any.words[word] = take32();
	fuzz_say("  word %u: %#x", word, attempt->any.words[word]);
}

static void remember_id(struct slot *slot)
{
	struct nb_endpoint_info info = { .size = sizeof(info) };

	if (slot && !ioctl(slot->fd, NB_ENDPOINT_GET_INFO, &info))
		slot->id = info.id;
}

static void take_result(struct attempt *attempt, uint32_t command, long result)
{
	unsigned int i;

	if (result < 0)
		return;
	switch (command) {
	case NB_CREATE_MEMORY:
		keep(result, MEMORY);
		break;
	case NB_CREATE_ENDPOINT:
		remember_id(keep(result, ENDPOINT));
		break;
	case NB_CREATE_CAPTURE:
		keep(result, CAPTURE);
		break;
	case NB_ENDPOINT_GET_QUEUES:
		for (i = 0; i < ARRAY_LEN(attempt->fds); i++)
			keep(attempt->fds[i], QUEUE);
		break;
	case NB_QUEUE_SAVE:
		saved = attempt->any.saved;
		saved.msg = (struct nb_message){ 0 };
		break;
	}
}

/* By its number, so that an input means the same when more commands are there; or any. */
static const struct command *take_command(void)
{
	uint8_t number = take8();
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].number == _IO(NB_IOCTL_TYPE, number))
			return &commands[i];
	return &commands[number % ARRAY_LEN(commands)];
}

static void call(void)
{
	const struct command *command = take_command();
	struct slot *slot = take_slot(command->number >> 4 & 15);
	struct attempt attempt = { 0 };
	uint8_t changes = take8();
	long result;

	fill(&attempt, command->number);
	if (command->number != NB_QUEUE_ENTER) {
		attempt.any.msg.size = sizeof(attempt.text);
		point(&attempt, &attempt.any.msg.text, attempt.text);
	}
	for (changes = changes & 0x40 ? changes & 3 : 0; changes; changes--)
		change_word(&attempt);
	result = ioctl(slot->fd, command->number, &attempt.any);
	if (result < 0 && errno > 200)
		fuzz_broken("%s: errno %d", command->name, errno);
	fuzz_say("%s on slot %td: %ld %s %.64s", command->name, slot - slots, result,
		 result < 0 ? strerror(errno) : "", attempt.text);
	take_result(&attempt, command->number, result);
}

/* ---- what is no ioctl of this module ------------------------------------- */

static void open_device(void)
{
	keep(open("/dev/net_backend", O_RDWR | O_CLOEXEC), CONTROL);
}

static void open_foreign(void)
{
	int pair[2];

	switch (take8() & 7) {
	case 0:
		if (!pipe(pair)) {
			keep(pair[0], FOREIGN);
			keep(pair[1], FOREIGN);
		}
		break;
	case 1:
		keep(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), FOREIGN);
		break;
	case 2:
		keep(open("/dev/null", O_RDWR | O_CLOEXEC), FOREIGN);
		break;
	case 3:
		keep(dup(memfd), FOREIGN);
		break;
	default:
		keep(eventfd(0, EFD_CLOEXEC), FOREIGN);
	}
}

static void close_one(void)
{
	uint32_t i = take8() % SLOTS;

	fuzz_say("close slot %u", i);
	close_slot(i);
}

static void duplicate(void)
{
	struct slot *slot = &slots[take8() % SLOTS];

	if (slot->fd >= 0)
		keep(dup(slot->fd), slot->object);
}

static void map(void)
{
	static const uint64_t offsets[] = { NB_MMAP_KERNEL, NB_MMAP_USER, 1ull << 32, NB_PAGE };
	uint8_t which = take8();
	struct slot *slot = take_slot(which & 1 ? QUEUE : MEMORY);
	size_t len = (take32() % 64 + 1) * NB_PAGE;
	struct map *map = &maps[which >> 1 & (MAPS - 1)];
	uint64_t offset = offsets[which >> 3 & 3];
	void *address;

	if (which & 0x80)
		offset += (uint64_t)take32() * NB_PAGE;
	address = mmap(NULL, len, which & 0x20 ? PROT_READ : PROT_READ | PROT_WRITE,
		       which & 0x40 ? MAP_PRIVATE : MAP_SHARED, slot->fd, offset);
	fuzz_say("mmap of slot %td at %#llx, %zu bytes: %s", slot - slots,
		 (unsigned long long)offset, len, address == MAP_FAILED ? strerror(errno) : "");
	if (address == MAP_FAILED)
		return;
	if (map->address)
		munmap(map->address, map->len);
	*map = (struct map){ address, len };
}

/* By the kernel, so that what cannot be written is an errno. */
static void write_map(void)
{
	struct map *map = &maps[take8() % MAPS];
	size_t at = take32();

	fuzz_say("write to a map");
	if (map->address && read(random_fd, (char *)map->address + at % map->len, 64) < 0)
		return;
}

static void change_map(void)
{
	uint8_t how = take8();
	struct map *map = &maps[how % MAPS];
	void *address;

	if (!map->address)
		return;
	fuzz_say("change a map");
	switch (how >> 4 & 3) {
	case 0:
		munmap(map->address, map->len);
		map->address = NULL;
		break;
	case 1:
		mprotect(map->address, map->len, PROT_READ | PROT_WRITE);
		break;
	case 2:
		address = mremap(map->address, map->len, map->len * 2, MREMAP_MAYMOVE);
		if (address != MAP_FAILED)
			*map = (struct map){ address, map->len * 2 };
		break;
	case 3:
		madvise(map->address, map->len, MADV_DONTNEED);
		break;
	}
}

static void renew_pool(void)
{
	uint8_t page = take8() % POOL_PAGES;

	fuzz_say("page %u of the pool is another one", page);
	if (mmap(pool + page * NB_PAGE, NB_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		fuzz_broken("mmap: %s", strerror(errno));
}

static void read_one(void)
{
	struct slot *slot = &slots[take8() % SLOTS];
	char data[256];
	ssize_t len = read(slot->fd, data, take8());

	fuzz_say("read of slot %td: %zd", slot - slots, len);
}

static void write_one(void)
{
	struct slot *slot = &slots[take8() % SLOTS];
	uint64_t one = 1;
	ssize_t len = write(slot->fd, &one, sizeof(one));

	fuzz_say("write to slot %td: %zd", slot - slots, len);
}

static void poll_one(void)
{
	struct slot *slot = &slots[take8() % SLOTS];
	struct pollfd wait = { .fd = slot->fd, .events = POLLIN | POLLOUT };

	fuzz_say("poll of slot %td: %#x", slot - slots, poll(&wait, 1, 0) > 0 ? wait.revents : 0);
}

static const struct {
	char name;
	void (*fn)(void);
} operations[] = {
	{ 'c', call }, { 'o', open_device }, { 'f', open_foreign }, { 'x', close_one },
	{ 'd', duplicate }, { 'm', map }, { 'w', write_map }, { 'u', change_map },
	{ 'y', renew_pool }, { 'r', read_one }, { 'W', write_one }, { 'p', poll_one },
};

static void operate(char name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(operations); i++)
		if (operations[i].name == name)
			operations[i].fn();
}

/* ---- an input ------------------------------------------------------------ */

static void wake(int signal)
{
}

/* So that this thread never waits for long. */
static timer_t start_ticks(void)
{
	struct itimerspec often = {
		.it_interval.tv_nsec = TICK_NS,
		.it_value.tv_nsec = TICK_NS,
	};
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGALRM,
		._sigev_un._tid = syscall(SYS_gettid),
	};
	timer_t timer;

	nb_sys(timer_create(CLOCK_MONOTONIC, &event, &timer));
	nb_sys(timer_settime(timer, 0, &often, NULL));
	return timer;
}

struct part {
	const uint8_t *data;
	size_t size;
};

static void *run_part(void *argument)
{
	const struct part *part = argument;
	timer_t timer = start_ticks();

	take_from(part->data, part->size);
	while (input < input_end)
		operate(take8());
	timer_delete(timer);
	return NULL;
}

static void close_all(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		slots[i].fd = -1;
	/* With those whose numbers the kernel has written elsewhere. */
	nb_sys(close_range(first_fd, ~0u, 0));
	for (i = 0; i < MAPS; i++) {
		if (maps[i].address)
			munmap(maps[i].address, maps[i].len);
		maps[i].address = NULL;
	}
}

static void count(const struct nlattr *const *attributes, void *data)
{
	++*(unsigned int *)data;
}

static bool is_clean(void)
{
	static const uint8_t dumps[] = {
		NB_CMD_ENDPOINT_GET, NB_CMD_QUEUE_GET, NB_CMD_SWITCH_GET,
	};
	struct nb_genl_request request;
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_LEN(dumps); i++) {
		request = nb_genl_request(client.family, dumps[i], NLM_F_DUMP);
		nb_genl_talk(&client, &request, count, &n);
	}
	return !n;
}

/* So that all below it stays open: there may be none that is free. */
static void find_first_fd(void)
{
	int fd, last = 0;

	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			last = fd;
	do {
		fd = nb_sys(dup(random_fd));
	} while (fd <= last);
	first_fd = fd;
}

static void begin(void)
{
	static const struct nb_queue_saved fresh = {
		.size = sizeof(fresh), .entries = { 64, 64, 64, 64 },
	};
	struct nb_create_memory memory = { .size = sizeof(memory) };
	int fd;

	if (!first_fd)
		find_first_fd();
	next_slot = 0;
	saved = fresh;
	open_device();
	fd = ioctl(slots[0].fd, NB_CREATE_MEMORY, &memory);
	if (fd < 0)
		fuzz_broken("no memory fd: %s", strerror(errno));
	keep(fd, MEMORY);
}

/* What is behind the first '|' is for a second thread. */
static void run(const uint8_t *data, size_t size)
{
	const uint8_t *bar = memchr(data, '|', size);
	struct part parts[2] = { { data, bar ? bar - data : size } };
	pthread_t thread;

	begin();
	if (bar) {
		parts[1] = (struct part){ bar + 1, data + size - bar - 1 };
		if (pthread_create(&thread, NULL, run_part, &parts[1]))
			nb_die("no thread");
	}
	run_part(&parts[0]);
	if (bar)
		pthread_join(thread, NULL);
	close_all();
	if (!nb_until(is_clean()))
		fuzz_broken("something is left when all fds are closed");
}

static void open_world(void)
{
	struct sigaction action = { .sa_handler = wake };
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		slots[i].fd = -1;
	nb_host_new_netns();
	nb_test_run("ip", "link", "add", "low0", "type", "veth", "peer", "name", "far0", NULL);
	nb_genl_open(&client);
	pool = nb_test_pages((POOL_PAGES + 1) * NB_PAGE);
	nb_sys(mprotect(pool + POOL_PAGES * NB_PAGE, NB_PAGE, PROT_NONE));
	memfd = nb_sys(memfd_create("fuzz", MFD_CLOEXEC));
	nb_sys(ftruncate(memfd, POOL_PAGES * NB_PAGE));
	random_fd = nb_sys(open("/dev/urandom", O_RDONLY | O_CLOEXEC));
	nb_sys(sigaction(SIGALRM, &action, NULL));
	/* Pipes are written to whose other ends are closed. */
	action.sa_handler = SIG_IGN;
	nb_sys(sigaction(SIGPIPE, &action, NULL));
}

const struct fuzz_target fuzz_ioctls = {
	.name = "ioctls",
	.operations = "ccccccccccofxdmmwuyrWp|",
	.open = open_world,
	.run = run,
};
