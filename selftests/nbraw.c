// SPDX-License-Identifier: GPL-2.0
/*
 * The module without libnb.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "nbraw.h"
#include "nbtest.h"

char nb_raw_message[256];

/* What all structs with a message begin with. */
struct any_call {
	uint32_t size;
	uint32_t flags;
	struct nb_message msg;
};

int nb_raw_call(int fd, unsigned long command, void *argument)
{
	struct any_call *call = argument;
	int result;

	memset(nb_raw_message, 0, sizeof(nb_raw_message));
	if (!call->msg.text) {
		call->msg.text = (uintptr_t)nb_raw_message;
		call->msg.size = sizeof(nb_raw_message);
	}
	result = ioctl(fd, command, argument);
	return result < 0 ? -errno : result;
}

bool nb_raw_explained(void)
{
	return strchr(nb_raw_message, ' ');
}

static void *map(int fd, uint32_t size, int protection, uint64_t offset)
{
	void *address = mmap(NULL, size, protection, MAP_SHARED, fd, offset);

	if (address == MAP_FAILED)
		nb_die("mmap of a queue at %#llx: %s", (unsigned long long)offset,
		       strerror(errno));
	return address;
}

static void find_ring(struct nb_raw *raw, enum nb_ring_id id)
{
	const struct nb_ring_layout *layout = &raw->header->rings[id];
	bool ours = id == NB_RING_TX_AVAIL || id == NB_RING_RX_AVAIL;
	char *producer_map = ours ? raw->user : raw->kernel;
	char *consumer_map = ours ? raw->kernel : raw->user;

	raw->ring[id] = (struct nb_raw_ring){
		.entries = producer_map + layout->entries_offset,
		.producer = (uint32_t *)(producer_map + layout->producer_offset),
		.consumer = (uint32_t *)(consumer_map + layout->consumer_offset),
		.n = layout->entries,
		.mask = layout->mask,
		.entry_size = layout->entry_size,
	};
}

int nb_raw_try(struct nb_raw *raw, struct nb_endpoint *ep, struct nb_memory *mem,
	       uint32_t entries, uint32_t flags)
{
	struct nb_queue_config config = {
		.tx_avail_entries = entries,
		.tx_done_entries = entries,
		.rx_avail_entries = entries,
		.rx_done_entries = entries,
		.target_cpu = NB_ANY_CPU,
		.flags = flags,
	};
	struct nb_get_queues get = {
		.size = sizeof(get),
		.configs = (uintptr_t)&config,
		.n_queues = 1,
		.config_size = sizeof(config),
		.memory_fd = nb_memory_fd(mem),
	};
	int fd, err;

	get.fds = (uintptr_t)&fd;
	err = nb_raw_call(nb_endpoint_fd(ep), NB_ENDPOINT_GET_QUEUES, &get);
	if (!err)
		nb_raw_map(raw, fd);
	return err;
}

void nb_raw_open(struct nb_raw *raw, struct nb_endpoint *ep, struct nb_memory *mem,
		 uint32_t entries)
{
	if (nb_raw_try(raw, ep, mem, entries, 0))
		nb_die("no queue: %s", nb_raw_message);
}

void nb_raw_map(struct nb_raw *raw, int fd)
{
	struct nb_queue_info info = { .size = sizeof(info) };
	int id;

	if (nb_raw_call(fd, NB_QUEUE_GET_INFO, &info))
		nb_die("no queue: %s", nb_raw_message);
	raw->fd = fd;
	raw->kernel_size = info.kernel_map_size;
	raw->user_size = info.user_map_size;
	raw->kernel = map(fd, raw->kernel_size, PROT_READ, NB_MMAP_KERNEL);
	raw->user = map(fd, raw->user_size, PROT_READ | PROT_WRITE, NB_MMAP_USER);
	raw->header = (const void *)raw->kernel;
	raw->state = (const void *)(raw->kernel + raw->header->state_offset);
	raw->need_wakeup = (const void *)(raw->kernel + raw->header->need_wakeup_offset);
	raw->need_notify = (void *)(raw->user + raw->header->need_notify_offset);
	for (id = 0; id < NB_N_RINGS; id++)
		find_ring(raw, id);
}

void nb_raw_close(struct nb_raw *raw)
{
	munmap(raw->kernel, raw->kernel_size);
	munmap(raw->user, raw->user_size);
	close(raw->fd);
}

static void put(struct nb_raw_ring *ring, const void *entries, size_t size, unsigned int n)
{
	uint32_t index = *ring->producer;
	unsigned int i;

	for (i = 0; i < n; i++)
		memcpy(ring->entries + (size_t)((index + i) & ring->mask) * ring->entry_size,
		       (const char *)entries + i * size, size);
	__atomic_store_n(ring->producer, index + n, __ATOMIC_RELEASE);
}

static bool take(struct nb_raw_ring *ring, void *entry, size_t size)
{
	uint32_t index = *ring->consumer;

	if (__atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) == index)
		return false;
	memcpy(entry, ring->entries + (size_t)(index & ring->mask) * ring->entry_size, size);
	__atomic_store_n(ring->consumer, index + 1, __ATOMIC_RELEASE);
	return true;
}

void nb_raw_tx(struct nb_raw *raw, const struct nb_tx_segment *segments, unsigned int n)
{
	put(&raw->ring[NB_RING_TX_AVAIL], segments, sizeof(*segments), n);
}

void nb_raw_rx(struct nb_raw *raw, const struct nb_rx_segment *segments, unsigned int n)
{
	put(&raw->ring[NB_RING_RX_AVAIL], segments, sizeof(*segments), n);
}

bool nb_raw_tx_done(struct nb_raw *raw, struct nb_tx_completion *done)
{
	return take(&raw->ring[NB_RING_TX_DONE], done, sizeof(*done));
}

bool nb_raw_rx_done(struct nb_raw *raw, struct nb_rx_metadata *done)
{
	return take(&raw->ring[NB_RING_RX_DONE], done, sizeof(*done));
}

uint32_t nb_raw_state(const struct nb_raw *raw)
{
	return __atomic_load_n(raw->state, __ATOMIC_ACQUIRE);
}

static int enter(struct nb_raw *raw, struct nb_enter *call)
{
	return ioctl(raw->fd, NB_QUEUE_ENTER, call) ? -errno : 0;
}

int nb_raw_enter(struct nb_raw *raw, uint32_t flags, struct nb_enter *result)
{
	struct nb_enter call = { .size = sizeof(call), .flags = flags };
	int error = enter(raw, &call);

	if (result)
		*result = call;
	return error;
}

int nb_raw_wait(struct nb_raw *raw, uint32_t flags, uint64_t timeout_ms)
{
	struct nb_enter call = {
		.size = sizeof(call),
		.flags = flags,
		.timeout_ns = timeout_ms * 1000000,
	};

	return enter(raw, &call);
}
