// SPDX-License-Identifier: GPL-2.0
/*
 * Ring contents and indices, right and wrong, also rewritten while the kernel works on them.
 *
 * The input begins with the kind, and what its only queue is like.  Each operation then
 * writes to the rings as a frontend might, or lets the kernel look.  A second thread rewrites
 * what a frontend can write, from operation R to operation S or the end.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fuzz.h"
#include "input.h"
#include "world.h"

static struct fuzz_world world;
static struct nb_raw raw;
static enum fuzz_kind kind;
static struct nb_queue_header header;	/* as it was */
static struct nb_queue_saved saved;
static int kick = -1, call = -1;
static uint32_t offloads;		/* transmit flags that the kind offers */
static bool hostile;			/* indices may be wrong */
static bool restored;			/* they have begun anew */
static bool elsewhere;			/* others than this thread drive the queue */

/* ---- the second thread --------------------------------------------------- */

enum {
	RACE_TX = 1,
	RACE_RX = 2,
	RACE_INDEX = 4,
	RACE_NOTIFY = 8,
	RACE_BYTES = 16,
	RACE_LENGTH = 32,
	RACE_FLAGS = 64,
	RACE_REGIONS = 128,
};

static struct {
	sem_t go, done;
	pthread_t thread;
	uint32_t what;
	uint64_t seed;
	bool runs;
	bool stop;
} racer;

static uint32_t *word_of(const struct nb_raw_ring *ring, uint32_t slot, uint32_t word)
{
	return (uint32_t *)(ring->entries + (size_t)(slot & ring->mask) * ring->entry_size) +
	       word % (ring->entry_size / 4);
}

static void put(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Another value for a moment, or now and then for good: what was right once may not be later. */
static void flip(uint32_t *word, uint32_t value, uint32_t how)
{
	uint32_t old = *word;
	unsigned int moment;

	put(word, value);
	if (!(how & 63))
		return;
	for (moment = how >> 8 & 31; moment; moment--)
		__asm__ __volatile__("");
	put(word, old);
}

static void race_once(struct nb_random *random)
{
	static const uint32_t lengths[] = { 0, 1, 60, 100, 4096, 65000, 1u << 31, ~0u };
	const struct nb_raw_ring *tx = &raw.ring[NB_RING_TX_AVAIL];
	const struct nb_raw_ring *rx = &raw.ring[NB_RING_RX_AVAIL];
	uint32_t slot = nb_random_below(random, 64) + *tx->consumer;
	uint32_t value = nb_random_below(random, ~0u), how = nb_random_below(random, ~0u);

	if (racer.what & RACE_TX)
		flip(word_of(tx, slot, how >> 13), value >> (value & 31), how);
	if (racer.what & RACE_RX)
		flip(word_of(rx, *rx->consumer + (value & 63), how >> 13), value, how);
	if (racer.what & RACE_LENGTH)
		flip(word_of(tx, slot, how & 1 << 13 ? 2 : 4), lengths[value >> 8 & 7], how);
	if (racer.what & RACE_FLAGS)
		flip(word_of(tx, slot, 5), value, how);
	if ((racer.what & RACE_INDEX) && !(value & 0xff00))
		*tx->producer += value & 3;
	if (racer.what & RACE_NOTIFY)
		put(raw.need_notify, value);
	if (racer.what & RACE_BYTES)
		nb_random_fill(random, world.packets + value % (FUZZ_PACKETS * NB_PAGE), 4);
	if ((racer.what & RACE_REGIONS) && !(value & 0x3f00))
		fuzz_world_remove(&world, value);
}

static void *race(void *unused)
{
	struct nb_random random;

	for (;;) {
		sem_wait(&racer.go);
		random.state = racer.seed * 2 + 1;
		while (!__atomic_load_n(&racer.stop, __ATOMIC_ACQUIRE))
			race_once(&random);
		sem_post(&racer.done);
	}
	return NULL;
}

static void start_race(void)
{
	if (racer.runs)
		return;
	racer.what = take8();
	racer.seed = take8();
	racer.stop = false;
	racer.runs = true;
	if (racer.what & RACE_INDEX)
		hostile = true;
	fuzz_say("from now on, another thread rewrites %s%s%s%s%s%s%s%s",
		 racer.what & RACE_TX ? "tx-avail, " : "", racer.what & RACE_RX ? "rx-avail, " : "",
		 racer.what & RACE_LENGTH ? "lengths, " : "",
		 racer.what & RACE_FLAGS ? "flags, " : "",
		 racer.what & RACE_INDEX ? "the producer's index, " : "",
		 racer.what & RACE_NOTIFY ? "need_notify, " : "",
		 racer.what & RACE_BYTES ? "packets, " : "",
		 racer.what & RACE_REGIONS ? "removes regions" : "");
	sem_post(&racer.go);
}

static void stop_race(void)
{
	if (!racer.runs)
		return;
	__atomic_store_n(&racer.stop, true, __ATOMIC_RELEASE);
	sem_wait(&racer.done);
	racer.runs = false;
	fuzz_say("no longer");
}

/* ---- what is posted ------------------------------------------------------ */

static uint64_t take_gpa(void)
{
	uint8_t how = take8();
	uint64_t offset = take32();

	switch (how & 7) {
	case 0:
		return NB_RX_GPA + offset % NB_RX_SIZE;
	case 1:
		return NB_TX_GPA + NB_TX_SIZE - offset % 200;
	case 2:
		return FUZZ_READ_ONLY_GPA + offset % NB_PAGE;
	case 3:
		return FUZZ_ISLAND_GPA - 100 + offset % 200;
	case 4:
		return FUZZ_ISLAND_GPA + NB_PAGE - offset % 200;
	case 5:
		return (uint64_t)take32() << 32 | offset;
	default:
		return NB_TX_GPA + (how >> 3) % FUZZ_PACKETS * NB_PAGE + offset % 16;
	}
}

static uint32_t room(enum nb_ring_id id)
{
	const struct nb_raw_ring *ring = &raw.ring[id];
	uint32_t pending = *ring->producer - *ring->consumer;

	return pending < ring->n ? ring->n - pending : 0;
}

/* How many times something is done; small numbers more often. */
static uint32_t take_times(uint32_t most)
{
	uint32_t times = 1u << (take8() & 15);

	return times < most ? times : most;
}

static void post_packets(void)
{
	struct nb_tx_segment segments[NB_MAX_SEGMENTS + 1] = { 0 };
	uint8_t shape = take8(), i = take8() % FUZZ_PACKETS;
	unsigned int n = 1 + (shape & 0x80 ? shape & 63 : shape & 3), j;
	uint32_t len, times = take_times(room(NB_RING_TX_AVAIL) / n);
	uint16_t flags = shape & 0x40 ? take32() & offloads : 0;

	len = fuzz_describe(i, flags, &segments[0]);
	if (take8() & 1)
		len = take32() % 2048 + 14;
	flags = segments[0].flags;
	nb_tx_split(segments, n, NB_TX_GPA + i * NB_PAGE, len, i);
	segments[0].flags |= flags;
	fuzz_say("post packet %u of %u bytes in %u segments with flags %#x, %u times", i, len, n,
		 segments[0].flags, times);
	for (j = 0; j < times; j++)
		nb_raw_tx(&raw, segments, n);
}

static void post_any_packet(void)
{
	struct nb_tx_segment segment = { .gpa = take_gpa(), .len = take32(), .flags = NB_TX_HEAD };
	uint32_t times = take_times(room(NB_RING_TX_AVAIL));
	uint8_t how = take8();

	segment.packet_len = how & 1 ? take32() : segment.len;
	segment.segment_count = how & 2 ? take8() : 1;
	if (how & 4)
		segment.flags = take32();
	segment.reserved = how & 8 ? take8() : 0;
	segment.l2_len = how & 16 ? take8() : 14;
	segment.l3_len = how & 32 ? take8() : 20;
	segment.l4_len = how & 64 ? take8() : 20;
	segment.max_segment_size = how & 128 ? take32() : 500;
	fuzz_say("post segments at %#llx, %u bytes of %u, flags %#x, count %u, %u times",
		 (unsigned long long)segment.gpa, segment.len, segment.packet_len, segment.flags,
		 segment.segment_count, times);
	while (times--)
		nb_raw_tx(&raw, &segment, 1);
}

static void post_buffers(void)
{
	uint8_t how = take8();
	struct nb_rx_segment buffer = {
		.gpa = how & 1 ? take_gpa() : NB_RX_GPA,
		.len = how & 2 ? take32() : NB_BUF_SIZE,
		.id = how >> 4,
	};
	uint32_t times = take_times(room(NB_RING_RX_AVAIL)), i;

	if (how & 4)
		buffer.len |= NB_RX_MORE;
	fuzz_say("post buffers at %#llx, length %#x, %u times", (unsigned long long)buffer.gpa,
		 buffer.len, times);
	for (i = 0; i < times; i++) {
		if (!(how & 1))
			buffer.gpa = NB_RX_GPA + i * NB_BUF_SIZE % NB_RX_SIZE;
		nb_raw_rx(&raw, &buffer, 1);
	}
}

static void change_entry(enum nb_ring_id id)
{
	const struct nb_raw_ring *ring = &raw.ring[id];
	uint32_t back = take8(), word = take8() & 7, value = take32();

	fuzz_say("ring %d: word %u of the last entry but %u = %#x", id, word, back, value);
	put(word_of(ring, *ring->producer - 1 - back, word), value);
}

static void change_index(void)
{
	enum nb_ring_id id = take8() % NB_N_RINGS;
	bool ours = id == NB_RING_TX_AVAIL || id == NB_RING_RX_AVAIL;
	const struct nb_raw_ring *ring = &raw.ring[id];
	uint32_t index = (ours ? *ring->consumer : *ring->producer) + take32();

	fuzz_say("ring %d: our index = the kernel's %+d", id,
		 (int)(index - (ours ? *ring->consumer : *ring->producer)));
	hostile = true;
	put(ours ? ring->producer : ring->consumer, index);
}

static void write_anywhere(void)
{
	uint32_t word = take32() % (raw.user_size / 4), value = take32();

	fuzz_say("word %u of the user map = %#x", word, value);
	hostile = true;
	put((uint32_t *)raw.user + word, value);
}

/* ---- what comes back ----------------------------------------------------- */

static void check_completion(const struct nb_tx_completion *done)
{
	if (done->status > NB_TX_UNSUPPORTED)
		fuzz_broken("%s: a transmit has status %u", fuzz_kind_names[kind], done->status);
}

static void check_metadata(const struct nb_rx_metadata *meta)
{
	if (meta->status > NB_RX_FAULT || meta->len > NB_MAX_PACKET_LEN || meta->reserved ||
	    meta->reserved2[0] || meta->reserved2[1] || (meta->status && meta->len))
		fuzz_broken("%s: a buffer came back with status %u, %u bytes, reserved %u",
			    fuzz_kind_names[kind], meta->status, meta->len, meta->reserved);
}

static void reap(void)
{
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;
	uint32_t left;

	for (left = raw.ring[NB_RING_TX_DONE].n; left && nb_raw_tx_done(&raw, &done); left--)
		check_completion(&done);
	for (left = raw.ring[NB_RING_RX_DONE].n; left && nb_raw_rx_done(&raw, &meta); left--)
		check_metadata(&meta);
}

/* ---- what the kernel is asked for ---------------------------------------- */

static void enter(void)
{
	uint8_t flags = take8() & 15;
	int err = nb_raw_enter(&raw, flags, NULL);

	fuzz_say("ENTER %u: %s", flags, strerror(-err));
}

#define LONGEST_MS	1000

/* The same entries again, as fast as it goes. */
static void enter_again(void)
{
	const struct nb_raw_ring *tx = &raw.ring[NB_RING_TX_AVAIL];
	const struct nb_raw_ring *rx = &raw.ring[NB_RING_RX_AVAIL];
	uint32_t rounds = 1u << (take8() & 7), n = take32(), i;
	uint64_t end = nb_test_now() + LONGEST_MS;

	fuzz_say("%u times: publish %u entries, ENTER, reap", rounds, n % tx->n + 1);
	for (i = 0; i < rounds && nb_test_now() < end; i++) {
		if (!hostile && n % tx->n >= room(NB_RING_TX_AVAIL))
			break;
		*tx->producer += n % tx->n + 1;
		if (kind == FUZZ_LOOPBACK)
			*rx->producer = *rx->consumer + rx->n;
		if (nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL))
			break;
		reap();
	}
}

static void receive(void)
{
	struct nb_tx_segment head;
	uint32_t times = take8() & 63, i = take8() % FUZZ_PACKETS;
	uint32_t len = fuzz_describe(i, 0, &head);

	fuzz_say("the host sends packet %u, %u times", i, times);
	while (times--)
		fuzz_host_send(&world, kind, NULL, world.packets + i * NB_PAGE, len);
}

static void set_moderation(void)
{
	struct nb_queue_moderation moderation = {
		.size = sizeof(moderation),
		.tx_usecs = take32(),
		.tx_frames = take32(),
		.rx_usecs = take32(),
		.rx_frames = take32(),
		.adaptive = take8() & 3,
	};

	nb_raw_call(raw.fd, NB_QUEUE_SET_MODERATION, &moderation);
	fuzz_say("SET_MODERATION %u, %u, %u, %u", moderation.tx_usecs, moderation.tx_frames,
		 moderation.rx_usecs, moderation.rx_frames);
}

static void set_eventfds(void)
{
	struct nb_queue_eventfds fds = { .size = sizeof(fds), .kick_fd = kick, .call_fd = call };

	elsewhere = true;
	nb_raw_call(raw.fd, NB_QUEUE_SET_EVENTFDS, &fds);
	fuzz_say("SET_EVENTFDS");
}

static void do_kick(void)
{
	uint64_t one = 1;

	if (write(kick, &one, sizeof(one)) < 0)
		fuzz_broken("the kick eventfd: %s", strerror(errno));
	fuzz_say("kick");
}

static void look(void)
{
	struct pollfd wait = { .fd = raw.fd, .events = POLLIN | POLLOUT };

	fuzz_say("poll(): %#x", poll(&wait, 1, 0) > 0 ? wait.revents : 0);
}

static void quiesce(void)
{
	struct nb_queue_quiesce call_ = { .size = sizeof(call_), .flags = take8() & 1 };
	int err = nb_raw_call(raw.fd, NB_QUEUE_QUIESCE, &call_);

	fuzz_say("QUIESCE: %s", strerror(err < 0 ? -err : 0));
}

static void resume(void)
{
	struct nb_queue_resume call_ = { .size = sizeof(call_) };
	int err = nb_raw_call(raw.fd, NB_QUEUE_RESUME, &call_);

	fuzz_say("RESUME: %s", strerror(-err));
}

static void save(void)
{
	struct nb_queue_saved call_ = { .size = sizeof(call_) };
	int err = nb_raw_call(raw.fd, NB_QUEUE_SAVE, &call_);

	fuzz_say("SAVE: %s", strerror(-err));
	if (!err)
		saved = call_;
}

static void restore(void)
{
	struct nb_queue_saved call_ = saved;
	uint8_t word = take8();
	int err;

	if (word & 1)
		((uint32_t *)&call_.entries)[(word >> 1) % 10] = take32();
	call_.msg = (struct nb_message){ 0 };
	err = nb_raw_call(raw.fd, NB_QUEUE_RESTORE, &call_);
	fuzz_say("RESTORE: %s", strerror(-err));
	if (err)
		return;
	restored = true;
	hostile = true;
}

/* Unplugs the backend, and plugs it in again. */
static void replug(void)
{
	nb_endpoint_disconnect(world.ep[kind], 0);
	nb_endpoint_connect(world.ep[kind], NULL);
	fuzz_say("DISCONNECT, CONNECT");
}

static void write_bytes(void)
{
	uint8_t i = take8() % FUZZ_PACKETS, value, n = 1 + (take8() & 3);
	uint32_t at = take8();

	while (n--) {
		value = take8();
		fuzz_say("packet %u, byte %u = %#x", i, at, value);
		world.packets[i * NB_PAGE + at++] = value;
	}
}

static void change_regions(void)
{
	uint8_t i = take8();

	fuzz_say(i & 4 ? "add the regions" : "remove region %u", i & 3);
	if (i & 4)
		fuzz_world_mend(&world);
	else
		fuzz_world_remove(&world, i & 3);
}

/* ---- an input ------------------------------------------------------------ */

static const struct {
	char name;
	void (*fn)(void);
} operations[] = {
	{ 't', post_packets }, { 'T', post_any_packet }, { 'r', post_buffers },
	{ 'i', change_index }, { 'w', write_anywhere }, { 'e', enter }, { 'L', enter_again },
	{ 'd', reap }, { 'R', start_race }, { 'S', stop_race }, { 'h', receive },
	{ 'M', set_moderation }, { 'v', set_eventfds }, { 'k', do_kick }, { 'P', look },
	{ 'q', quiesce }, { 'u', resume }, { 's', save }, { 'o', restore }, { 'D', replug },
	{ 'g', write_bytes }, { 'm', change_regions },
};

static void operate(char name)
{
	unsigned int i;

	switch (name) {
	case 'x':
		change_entry(NB_RING_TX_AVAIL);
		return;
	case 'X':
		change_entry(NB_RING_RX_AVAIL);
		return;
	case 'n':
		put(raw.need_notify, take8());
		return;
	}
	for (i = 0; i < ARRAY_LEN(operations); i++)
		if (operations[i].name == name)
			operations[i].fn();
}

static void open_queue(void)
{
	static const uint32_t sizes[] = { 64, 64, 256, 256, 1024, 1024, 4096, 32768 };
	static const uint32_t modes[] = {
		0, 0, 0, NB_QUEUE_POLL, NB_QUEUE_ZEROCOPY_TX, NB_QUEUE_RX_CHECKSUM,
		NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_TCP_SEGMENTATION, 0,
	};
	uint8_t shape;
	int err;

	kind = take8() % FUZZ_KINDS;
	shape = take8();
	err = fuzz_open_queue(&world, kind, sizes[shape & 7], modes[shape >> 3 & 7], &raw);
	if (err)
		fuzz_broken("%s: no queue: %s", fuzz_kind_names[kind], strerror(-err));
	fuzz_say("kind %s, rings of %u entries, flags %#x", fuzz_kind_names[kind],
		 sizes[shape & 7], modes[shape >> 3 & 7]);
	header = *raw.header;
	elsewhere = modes[shape >> 3 & 7] & NB_QUEUE_POLL;
	hostile = false;
	restored = false;
	offloads = nb_endpoint_tx_offload_support(world.ep[kind]) << 1 | NB_TX_VLAN |
		   NB_TX_IS_IPV4 | NB_TX_IS_IPV6;
}

/* Completions are not more than what was taken. */
static void check_indices(const uint32_t start[NB_N_RINGS])
{
	uint32_t sent = *raw.ring[NB_RING_TX_DONE].producer - start[NB_RING_TX_DONE];
	uint32_t received = *raw.ring[NB_RING_RX_DONE].producer - start[NB_RING_RX_DONE];
	uint32_t segments = *raw.ring[NB_RING_TX_AVAIL].consumer - start[NB_RING_TX_AVAIL];
	uint32_t buffers = *raw.ring[NB_RING_RX_AVAIL].consumer - start[NB_RING_RX_AVAIL];

	if (restored)
		return;
	fuzz_count(segments + buffers);
	if (!elsewhere && (sent > segments || received > buffers))
		fuzz_broken("%s: %u packets of %u segments, %u buffers of %u",
			    fuzz_kind_names[kind], sent, segments, received, buffers);
}

/* After an ENTER that has looked at the rings: an index that is impossible fails the queue. */
static void check_noticed(void)
{
	static const enum nb_ring_id looked_at[] = { NB_RING_TX_AVAIL, NB_RING_TX_DONE };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(looked_at); i++) {
		const struct nb_raw_ring *ring = &raw.ring[looked_at[i]];

		if (*ring->producer - *ring->consumer > ring->n)
			fuzz_broken("%s: ring %u has %u entries in %u, and nobody minds",
				    fuzz_kind_names[kind], looked_at[i],
				    *ring->producer - *ring->consumer, ring->n);
	}
}

static void check(const uint32_t start[NB_N_RINGS])
{
	uint32_t state = nb_raw_state(&raw);

	fuzz_world_check();
	if (memcmp(&header, raw.header, sizeof(header)))
		fuzz_broken("%s: the header has changed", fuzz_kind_names[kind]);
	if (state > NB_QUEUE_QUIESCED)
		fuzz_broken("%s: state %u", fuzz_kind_names[kind], state);
	if (state == NB_QUEUE_FAILED && !hostile)
		fuzz_broken("%s: the queue has failed, and its indices are right",
			    fuzz_kind_names[kind]);
	check_indices(start);
}

static void begin(uint32_t start[NB_N_RINGS])
{
	unsigned int i;

	fuzz_world_fill(&world);
	open_queue();
	for (i = 0; i < NB_N_RINGS; i++)
		start[i] = i == NB_RING_TX_AVAIL || i == NB_RING_RX_AVAIL ?
			   *raw.ring[i].consumer : *raw.ring[i].producer;
	fuzz_check_queue(&world, kind, &raw);
}

static void run(const uint8_t *data, size_t size)
{
	uint32_t start[NB_N_RINGS];

	take_from(data, size);
	begin(start);
	while (input < input_end)
		operate(take8());
	stop_race();
	if (!nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL))
		check_noticed();
	reap();
	check(start);
	nb_raw_close(&raw);
	fuzz_world_mend(&world);
	fuzz_host_drain(&world, kind);
}

static void open_world(void)
{
	fuzz_world_open(&world);
	kick = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	call = nb_sys(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	sem_init(&racer.go, 0, 0);
	sem_init(&racer.done, 0, 0);
	if (pthread_create(&racer.thread, NULL, race, NULL))
		nb_die("no thread");
}

const struct fuzz_target fuzz_rings = {
	.name = "rings",
	.operations = "tTrxXiwndeLLRRShMvkPqusoDgmeeed",
	.open = open_world,
	.run = run,
};
