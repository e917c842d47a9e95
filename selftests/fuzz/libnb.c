// SPDX-License-Identifier: GPL-2.0
/*
 * libnb on a kernel that lies: the header of a queue, the indices and the entries that the
 * kernel writes, and what its calls return, come from libFuzzer.  libnb may fail, but stays
 * inside the maps and keeps its promises.
 *
 * There is no kernel: ioctl(), mmap() and munmap() of libnb are those below (ld --wrap).  A
 * map is exactly as large as was asked for, so that AddressSanitizer sees a step outside.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <libnb.h>

#include "input.h"
#include "wrap.h"

/* libnb wants to copy, close and poll it: any fd. */
#define FD		0
#define GUEST_SIZE	8192u
#define MOST		32u	/* entries of a call */
#define MOST_MAP	(1u << 20)

static struct {
	uint8_t *addr;
	size_t size;
} kernel_map, user_map;

static uint8_t header_bytes[sizeof(struct nb_queue_header)];

static void broken(const char *what)
{
	fprintf(stderr, "libnb: %s\n", what);
	abort();
}

/* ---- the kernel ---------------------------------------------------------- */

static struct nb_ring_layout layout_of(uint32_t log2, uint32_t size, uint32_t extra,
				       uint32_t *producer_end, uint32_t producer_offset,
				       uint32_t consumer_offset)
{
	struct nb_ring_layout layout = {
		.entries = 1u << log2,
		.mask = (1u << log2) - 1,
		.entry_size = size + extra,
		.entries_offset = *producer_end,
		.producer_offset = producer_offset,
		.consumer_offset = consumer_offset,
	};

	*producer_end += layout.entries * layout.entry_size;
	return layout;
}

/* A header that is right, and then words of it that are not. */
static void make_header(void)
{
	struct nb_queue_header header = {
		.magic = NB_QUEUE_MAGIC,
		.header_size = sizeof(header),
		.state_offset = sizeof(header),
		.need_wakeup_offset = sizeof(header) + 4,
		.n_rings = NB_N_RINGS,
	};
	uint32_t base = (sizeof(header) + 63) / 64 * 64, kernel = base + 320, user = 320, word;
	uint32_t extra = take8() % 3 * 16, n;
	uint8_t shape = take8();

	header.rings[NB_RING_TX_AVAIL] = layout_of(shape & 7, 32, extra * 2, &user, 64, base + 64);
	header.rings[NB_RING_RX_AVAIL] = layout_of(shape >> 5, 16, extra, &user, 128, base + 128);
	header.rings[NB_RING_TX_DONE] = layout_of(shape & 7, sizeof(struct nb_tx_completion),
						  extra, &kernel, base + 192, 192);
	header.rings[NB_RING_RX_DONE] = layout_of(shape >> 5, sizeof(struct nb_rx_metadata),
						  extra, &kernel, base + 256, 256);
	header.kernel_map_size = kernel;
	header.user_map_size = user;
	for (n = take8() % 4; n; n--) {
		word = take8() % (sizeof(header) / 4);
		((uint32_t *)&header)[word] = take32();
	}
	memcpy(header_bytes, &header, sizeof(header));
}

/* The kernel writes whatever it likes, wherever it can. */
static void scribble(void)
{
	uint32_t at, value;

	if (kernel_map.size < sizeof(struct nb_queue_header) + 8)
		return;
	at = take32() % (uint32_t)((kernel_map.size - sizeof(struct nb_queue_header)) / 4);
	value = take32();
	memcpy(kernel_map.addr + sizeof(struct nb_queue_header) + at * 4, &value, 4);
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	struct nb_queue_header *header = (void *)header_bytes;
	struct nb_queue_info *info = arg;
	struct nb_queue_saved *saved = arg;
	uint32_t i;

	(void)fd;
	switch (request) {
	case NB_QUEUE_GET_INFO:
		info->kernel_map_size = header->kernel_map_size;
		info->user_map_size = header->user_map_size;
		return 0;
	case NB_MEMORY_REMOVE_REGION:
		errno = ENOENT;
		return -1;
	case NB_MEMORY_ADD_REGION:
		return 0;
	case NB_QUEUE_SAVE:
		for (i = 0; i < NB_N_RINGS; i++) {
			saved->entries[i] = header->rings[i].entries;
			saved->index[i] = take32();
		}
		saved->skip_tails = take8() & 3;
		break;
	case NB_QUEUE_ENTER:
		((struct nb_enter *)arg)->tx_consumed = take32();
		((struct nb_enter *)arg)->tx_completed = take32();
		break;
	}
	for (i = take8() & 3; i; i--)
		scribble();
	if (take8() & 1) {
		errno = take8() & 1 ? ENETRESET : take8() & 1 ? EIO : ESHUTDOWN;
		return -1;
	}
	return 0;
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	uint8_t *map = NULL;

	(void)addr;
	(void)prot;
	(void)flags;
	(void)fd;
	if (!len || len > MOST_MAP || posix_memalign((void **)&map, 64, len)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	memset(map, 0, len);
	if (offset == NB_MMAP_KERNEL) {
		memcpy(map, header_bytes, len < sizeof(header_bytes) ? len : sizeof(header_bytes));
		kernel_map.addr = map;
		kernel_map.size = len;
	} else {
		user_map.addr = map;
		user_map.size = len;
	}
	return map;
}

int __wrap_munmap(void *addr, size_t len)
{
	(void)len;
	if (addr == kernel_map.addr)
		kernel_map.size = 0;
	free(addr);
	return 0;
}

int __wrap_close(int fd)
{
	(void)fd;
	return 0;
}

/* ---- the frontend -------------------------------------------------------- */

static void transmit(struct nb_queue *queue)
{
	struct nb_tx_segment segments[MOST];
	unsigned int n = take8() % MOST, i;
	int taken;

	memset(segments, 0, sizeof(segments));
	for (i = 0; i < n; i++) {
		segments[i].len = 100;
		segments[i].flags = NB_TX_HEAD;
		segments[i].segment_count = 1;
		segments[i].packet_len = 100;
	}
	if (n && take8() & 1) {
		segments[take8() % n].segment_count = take8();
		segments[take8() % n].flags = take8();
	}
	taken = nb_queue_tx_avail(queue, segments, n, NULL);
	if (taken > (int)n)
		broken("more segments were taken than there were");
}

static void make_available(struct nb_queue *queue)
{
	struct nb_rx_segment segments[MOST];
	unsigned int n = take8() % MOST, i;
	int taken;

	memset(segments, 0, sizeof(segments));
	for (i = 0; i < n; i++)
		segments[i].len = 100;
	if (n)
		segments[take8() % n].len |= NB_RX_MORE;
	taken = nb_queue_rx_avail(queue, segments, n);
	if (taken > (int)n)
		broken("more buffers were taken than there were");
}

static void forward(struct nb_memory *mem, struct nb_rx_metadata *rx)
{
	struct nb_tx_segment tx = { 0 };
	const struct nb_tx_segment *list = &tx;
	unsigned char packet[GUEST_SIZE];
	unsigned int n = 1;

	if (!nb_tx_from_rx(mem, rx, take32(), &tx))
		nb_linearize(mem, &list, &n, packet, sizeof(packet));
}

static void reap(struct nb_queue *queue, struct nb_memory *mem)
{
	struct nb_rx_metadata packets[MOST];
	unsigned int n = take8() % MOST;
	int got = nb_queue_rx_poll(queue, packets, n), i;

	if (got > (int)n)
		broken("more packets than were asked for");
	for (i = 0; i < got; i++)
		forward(mem, &packets[i]);
}

static void complete(struct nb_queue *queue)
{
	struct nb_tx_completion done[MOST];
	unsigned int n = take8() % MOST;

	if (nb_queue_tx_poll(queue, done, n) > (int)n)
		broken("more completions than were asked for");
}

static void migrate(struct nb_queue *queue)
{
	static uint8_t state[1 << 20];
	size_t room = take32() % sizeof(state);
	uint8_t *exact;
	long size;

	size = nb_queue_save(queue, state, room);
	if (size < 0 || (size_t)size > room)
		return;
	exact = malloc((size_t)size + 1);
	memcpy(exact, state, (size_t)size);
	if (size && take8() & 1)
		exact[take32() % (uint32_t)size] ^= take8();
	nb_queue_restore(queue, exact, (size_t)size);
	free(exact);
}

static void run(struct nb_queue *queue, struct nb_memory *mem, uint8_t *guest)
{
	struct nb_rx_metadata meta;

	while (input < input_end) {
		switch (*input++) {
		case 't':
			transmit(queue);
			break;
		case 'r':
			make_available(queue);
			break;
		case 'T':
			complete(queue);
			break;
		case 'R':
			reap(queue, mem);
			break;
		case 'k':
			scribble();
			break;
		case 'e':
			nb_queue_enter(queue, take8() & 15, 0, NULL);
			break;
		case 'm':
			migrate(queue);
			break;
		case 'q':
			nb_queue_quiesce(queue);
			break;
		case 's':
			nb_queue_state(queue);
			nb_queue_set_need_notify(queue, take8() & 3);
			break;
		case 'g':
			guest[take32() % GUEST_SIZE] = take8();
			break;
		case 'f':
			for (size_t i = 0; i < sizeof(meta); i++)
				((uint8_t *)&meta)[i] = take8();
			forward(mem, &meta);
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *guest = malloc(GUEST_SIZE);
	struct nb_memory *mem;
	struct nb_queue *queue;

	memset(guest, 0x45, GUEST_SIZE);
	take_from(data, size);
	make_header();
	if (nb_memory_from_fd(FD, &mem) || nb_memory_add(mem, 0, guest, GUEST_SIZE, 0))
		broken("there is no memory");
	if (!nb_queue_from_fd(FD, &queue)) {
		run(queue, mem, guest);
		nb_queue_close(queue);
	}
	nb_memory_close(mem);
	free(guest);
	return 0;
}
