// SPDX-License-Identifier: GPL-2.0
/*
 * A frontend for tests: failing and waiting, guest memory, receive buffers, packets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <linux/if_ether.h>

#include "nbtest.h"

/* ---- failing and waiting ------------------------------------------------- */

void nb_test_die(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

int nb_test_ok(const char *file, int line, const char *call, int result)
{
	if (result < 0)
		nb_test_die(file, line, "%s: %s: %s", call, strerror(-result), nb_error());
	return result;
}

long nb_test_sys(const char *file, int line, const char *call, long result)
{
	if (result < 0)
		nb_test_die(file, line, "%s: %s", call, strerror(errno));
	return result;
}

uint64_t nb_test_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* ---- randomness ---------------------------------------------------------- */

void nb_random_start(struct nb_random *random)
{
	const char *given = getenv("NB_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0) : now.tv_nsec / 1000;
	printf("# NB_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	/* The generator must not begin at 0. */
	random->state = seed * 2 + 1;
}

static uint64_t next_random(struct nb_random *random)
{
	/* xorshift64* */
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 0x2545f4914f6cdd1dull;
}

uint32_t nb_random_below(struct nb_random *random, uint32_t limit)
{
	return (next_random(random) >> 32) * limit >> 32;
}

void nb_random_fill(struct nb_random *random, void *data, size_t len)
{
	uint64_t value;
	size_t part;

	for (; len; data = (char *)data + part, len -= part) {
		value = next_random(random);
		part = len < sizeof(value) ? len : sizeof(value);
		memcpy(data, &value, part);
	}
}

void nb_random_spin(struct nb_random *random, unsigned int turns)
{
	unsigned int i, n = nb_random_below(random, turns);

	for (i = 0; i < n; i++)
		__asm__ volatile("" ::: "memory");
}

/* ---- guest memory -------------------------------------------------------- */

void *nb_test_pages(size_t len)
{
	void *pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		nb_die("mmap of %zu bytes: %s", len, strerror(errno));
	return pages;
}

static void add_pages(struct nb_guest *guest, uint64_t gpa, size_t len)
{
	nb_ok(nb_memory_add(guest->mem, gpa, nb_test_pages(len), len, 0));
}

void nb_guest_open(struct nb_guest *guest, size_t more)
{
	nb_test_load_module();
	nb_ok(nb_open(&guest->nb));
	nb_ok(nb_memory_create(guest->nb, &guest->mem));
	add_pages(guest, NB_RX_GPA, NB_RX_SIZE);
	add_pages(guest, NB_TX_GPA, NB_TX_SIZE);
	if (more)
		add_pages(guest, NB_MORE_GPA, more);
}

void nb_guest_close(struct nb_guest *guest)
{
	nb_memory_close(guest->mem);
	nb_close(guest->nb);
	guest->mem = NULL;
	guest->nb = NULL;
}

void *nb_guest_ptr(const struct nb_guest *guest, uint64_t gpa, size_t len)
{
	void *address = nb_memory_ptr(guest->mem, gpa, len);

	if (!address)
		nb_die("there is no guest memory at %#llx", (unsigned long long)gpa);
	return address;
}

/* ---- receive buffers ----------------------------------------------------- */

void nb_bufs_init(struct nb_bufs *bufs)
{
	memset(bufs, 0, sizeof(*bufs));
	bufs->gpa = NB_RX_GPA;
	bufs->size = NB_BUF_SIZE;
	bufs->n = NB_BUFS;
	bufs->segments = 1;
}

/* The first segments of all buffers come first, then the second ones, … */
static uint64_t segment_gpa(const struct nb_bufs *bufs, uint32_t id, unsigned int segment)
{
	uint32_t len = bufs->size / bufs->segments;

	return bufs->gpa + (uint64_t)len * (segment * bufs->n + id);
}

void nb_bufs_post_range(struct nb_bufs *bufs, struct nb_queue *queue, uint32_t first,
			unsigned int n)
{
	struct nb_rx_segment segments[NB_BUFS * 4];
	unsigned int i, j, count = 0;
	int taken;

	if (n * bufs->segments > ARRAY_LEN(segments))
		nb_die("%u buffers of %u segments are too many", n, bufs->segments);
	for (i = first; i < first + n; i++) {
		for (j = 0; j < bufs->segments; j++) {
			segments[count++] = (struct nb_rx_segment){
				.gpa = segment_gpa(bufs, i, j),
				.len = bufs->size / bufs->segments |
				       (j + 1 < bufs->segments ? NB_RX_MORE : 0),
				.id = i,
			};
		}
		bufs->full[i] = false;
	}
	taken = nb_ok(nb_queue_rx_avail(queue, segments, count));
	if (taken != (int)count)
		nb_die("rx_avail took %d of %u segments", taken, count);
}

void nb_bufs_post(struct nb_bufs *bufs, struct nb_queue *queue, uint32_t id)
{
	nb_bufs_post_range(bufs, queue, id, 1);
}

void nb_bufs_post_all(struct nb_bufs *bufs, struct nb_queue *queue)
{
	nb_bufs_post_range(bufs, queue, 0, bufs->n);
}

void nb_bufs_repost(struct nb_queue *queue)
{
	struct nb_rx_segment buffer = { .len = NB_BUF_SIZE };
	struct nb_rx_metadata packets[64];
	int n;

	for (n = nb_ok(nb_queue_rx_poll(queue, packets, 64)); n; n--) {
		buffer.id = packets[n - 1].id;
		buffer.gpa = NB_RX_GPA + buffer.id * NB_BUF_SIZE;
		nb_ok(nb_queue_rx_avail(queue, &buffer, 1));
	}
}

/* Waits for an entry in a done ring; false when that took too long. */
static bool wait_done(struct nb_queue *queue, uint32_t flag, uint64_t end)
{
	uint64_t now = nb_test_now();
	int result;

	if (now >= end)
		return false;
	result = nb_queue_enter(queue, flag, (end - now) * 1000000, NULL);
	if (result && result != -ETIME && result != -EINTR && result != -EIO &&
	    result != -ENETRESET)
		nb_ok(result);
	return !result || result == -EINTR;
}

static void keep_metadata(struct nb_bufs *bufs, const struct nb_rx_metadata *meta)
{
	if (meta->id >= bufs->n)
		nb_die("buffer %u came back, which does not exist", meta->id);
	if (bufs->full[meta->id])
		nb_die("buffer %u came back twice", meta->id);
	bufs->full[meta->id] = true;
	bufs->meta[meta->id] = *meta;
}

unsigned int nb_bufs_reap(struct nb_bufs *bufs, struct nb_queue *queue, uint32_t *ids,
			  unsigned int n)
{
	uint64_t end = nb_test_now() + NB_PATIENCE;
	struct nb_rx_metadata meta[32];
	unsigned int have = 0, want;
	int got, i;

	while (have < n) {
		want = n - have < ARRAY_LEN(meta) ? n - have : ARRAY_LEN(meta);
		got = nb_queue_rx_poll(queue, meta, want);
		if (got < 0)
			break;
		for (i = 0; i < got; i++) {
			keep_metadata(bufs, &meta[i]);
			if (ids)
				ids[have] = meta[i].id;
			have++;
		}
		if (!got && !wait_done(queue, NB_ENTER_WAIT_RX, end))
			break;
	}
	return have;
}

bool nb_bufs_equal(const struct nb_bufs *bufs, const struct nb_guest *guest, uint32_t id,
		   const void *data, size_t len)
{
	const struct nb_rx_metadata *meta = &bufs->meta[id];
	uint32_t segment_len = bufs->size / bufs->segments, offset = meta->offset, part;
	const char *there;

	if (meta->len != len || len + offset > bufs->size)
		return false;
	for (; len; data = (const char *)data + part, len -= part, offset += part) {
		part = segment_len - offset % segment_len;
		if (part > len)
			part = len;
		there = nb_guest_ptr(guest, segment_gpa(bufs, id, offset / segment_len),
				     segment_len);
		if (memcmp(there + offset % segment_len, data, part))
			return false;
	}
	return true;
}

void nb_bufs_read(const struct nb_bufs *bufs, const struct nb_guest *guest, uint32_t id,
		  void *data)
{
	const struct nb_rx_metadata *meta = &bufs->meta[id];
	uint32_t segment_len = bufs->size / bufs->segments, offset = meta->offset, part, left;

	for (left = meta->len; left; left -= part, offset += part) {
		part = segment_len - offset % segment_len;
		if (part > left)
			part = left;
		nb_ok(nb_memory_read(guest->mem,
				     segment_gpa(bufs, id, offset / segment_len) +
				     offset % segment_len, data, part));
		data = (char *)data + part;
	}
}

/* ---- packets to transmit ------------------------------------------------- */

void nb_frame_fill(void *frame, size_t len, uint32_t seed)
{
	struct nb_random random = { .state = seed * 2ull + 1 };
	struct ethhdr ethernet = {
		.h_dest = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		.h_source = { 0x02, 0x00, 0x00, 0x00, 0x00, 0x01 },
		.h_proto = htons(NB_ETHERTYPE),
	};

	memcpy(frame, &ethernet, sizeof(ethernet));
	nb_random_fill(&random, (char *)frame + sizeof(ethernet), len - sizeof(ethernet));
}

uint64_t nb_frame_put(const struct nb_guest *guest, unsigned int page, size_t len,
		      uint32_t seed)
{
	uint64_t gpa = NB_TX_GPA + page * NB_PAGE;

	nb_frame_fill(nb_guest_ptr(guest, gpa, len), len, seed);
	return gpa;
}

struct nb_tx_segment nb_tx_packet(uint64_t gpa, uint32_t len, uint32_t id)
{
	return (struct nb_tx_segment){
		.gpa = gpa,
		.len = len,
		.id = id,
		.packet_len = len,
		.flags = NB_TX_HEAD,
		.segment_count = 1,
	};
}

struct nb_tx_segment nb_tx_frame(const struct nb_guest *guest, unsigned int page, uint32_t len)
{
	return nb_tx_packet(nb_frame_put(guest, page, len, page), len, page);
}

void nb_tx_split(struct nb_tx_segment *segments, unsigned int n, uint64_t gpa, uint32_t len,
		 uint32_t id)
{
	uint32_t done = 0, end;
	unsigned int i;

	for (i = 0; i < n; i++, done = end) {
		end = (uint64_t)len * (i + 1) / n;
		segments[i] = (struct nb_tx_segment){ .gpa = gpa + done, .len = end - done };
	}
	segments[0].id = id;
	segments[0].packet_len = len;
	segments[0].flags = NB_TX_HEAD;
	segments[0].segment_count = n;
}

unsigned int nb_tx_reap(struct nb_queue *queue, struct nb_tx_completion *done, unsigned int n)
{
	uint64_t end = nb_test_now() + NB_PATIENCE;
	unsigned int have = 0;
	int got;

	while (have < n) {
		got = nb_queue_tx_poll(queue, done + have, n - have);
		if (got < 0)
			break;
		have += got;
		if (!got && !wait_done(queue, NB_ENTER_WAIT_TX, end))
			break;
	}
	return have;
}

static void reap_in_order(struct nb_queue *queue, const struct nb_tx_segment *segments,
			  unsigned int n)
{
	struct nb_tx_completion done[64];
	unsigned int i, j, heads, got;

	for (i = 0; i < n; i = j) {
		for (j = i, heads = 0; j < n && heads < ARRAY_LEN(done); heads++)
			j += segments[j].segment_count;
		got = nb_tx_reap(queue, done, heads);
		if (got != heads)
			nb_die("only %u of %u transmits were completed", got, heads);
		for (j = i, heads = 0; heads < got; heads++, j += segments[j].segment_count)
			if (done[heads].id != segments[j].id || done[heads].status != NB_TX_OK)
				nb_die("transmit %u ended as id %u, status %u", segments[j].id,
				       done[heads].id, done[heads].status);
	}
}

void nb_tx_all(struct nb_queue *queue, const struct nb_tx_segment *segments, unsigned int n)
{
	int taken;

	while (n) {
		taken = nb_ok(nb_queue_tx_avail(queue, segments, n, NULL));
		reap_in_order(queue, segments, taken);
		segments += taken;
		n -= taken;
	}
}

struct nb_queue_stats nb_stats_of(struct nb_queue *queue)
{
	struct nb_queue_stats stats;

	nb_ok(nb_queue_stats(queue, &stats));
	return stats;
}
