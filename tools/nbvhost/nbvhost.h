/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nbvhost: serves the virtqueues of a guest's NIC with an endpoint
 *
 *	front-end (VMM)	 --- socket --->  connection  --->  NIC  <---  endpoint's actions
 *	guest's rings	 <----------->  pair, a thread  <----------->  queue
 *
 * The main thread has all sockets, and everything that is set up.  A pair's thread has
 * the pair's two rings and its queue, and nothing else that changes: the main thread
 * touches them only while the thread does not run.
 *
 * Nothing that comes from the front-end or the guest is believed: a descriptor is copied
 * once, then checked, then used.
 */
#ifndef NBVHOST_H
#define NBVHOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <libnb.h>

#include "../common/program.h"
#include "../common/spec.h"
#include "vhost_user.h"

#define BIT(n)			(1ull << (n))

/* most pairs of rings of a NIC */
#define MAX_PAIRS		16
/* and its rings, with the control ring */
#define MAX_VQS			(2 * MAX_PAIRS + 1)
/* most entries of a ring */
#define MAX_RING_ENTRIES	4096
/* most segments of a chain: a packet, and its header */
#define MAX_CHAIN		(NB_MAX_SEGMENTS + 1)
/* descriptors of a chain that are looked at: as many as that, and some that are empty */
#define MAX_DESCS		(2 * MAX_CHAIN)
/* packets that are taken at once */
#define BATCH			64
/* receive buffers of a pair that can have a tail; see receive.c */
#define MAX_TAILS		128
#define NO_TAIL			MAX_TAILS
/* what is not the guest's memory, but known to the kernel with it, begins there */
#define OWN_GPA			(1ull << 62)
/* what is sent, but is no chain of the guest's; no ring has so many entries */
#define ANNOUNCED		(MAX_RING_ENTRIES + 1)
/* of what a guest may say about its flows: entries of a table, bytes of a key */
#define MAX_TABLE		128
#define MAX_KEY			40
/* most guest memory that a limit can say, in MiB: 16 TiB */
#define MAX_MEMORY_MIB		(16u << 20)
/* fds that a message can have, and that come with one that cannot be; the kernel lets no more */
#define MAX_FDS			VU_MAX_REGIONS
#define MAX_STRAY_FDS		253
/* fds of a NIC that are to be closed: of a message, and all that a front-end has passed */
#define MAX_CLOSING		512

/**
 * struct segment - a range of guest memory
 * @gpa: first guest-physical address
 * @len: bytes
 */
struct segment {
	uint64_t gpa;
	uint32_t len;
};

/**
 * struct chain - what the guest has made available at once, as it was when it was copied
 * @id: what the guest knows it by, less than the entries of the ring
 * @entries: of the ring that it takes
 * @n: number of @segments
 * @len: their bytes
 * @bad: what is wrong with it, or NULL
 * @n_read: control ring: segments that are read; the others, behind them, are written
 * @segments: where it is
 */
struct chain {
	uint16_t id;
	uint16_t entries;
	unsigned int n;
	uint64_t len;
	const char *bad;
	unsigned int n_read;
	struct segment segments[MAX_CHAIN];
};

/**
 * struct shared - memory that the front-end has passed, beside the guest's
 * @addr: where it is, or NULL; then all else is nothing
 * @size: bytes
 * @fd: its file
 * @offset: where it is in that
 */
struct shared {
	void *addr;
	size_t size;
	int fd;
	uint64_t offset;
};

/**
 * struct dirty_log - where the front-end wants to know which pages are written
 * @bits: one for each page
 * @fd: tells the front-end that there are new ones, or -1
 */
struct dirty_log {
	struct shared bits;
	int fd;
};

/**
 * struct memory - the guest's memory
 * @mem: what endpoints know, or NULL before the front-end has sent it
 * @n: regions of it
 * @regions: as the front-end described them
 * @addrs: where they are here
 * @fds: their files
 * @frame: a page of this process that is known with it, or NULL; see announce.c
 * @log: where it is noted what is written, by the kernel, too; or NULL
 */
struct memory {
	struct nb_memory *mem;
	unsigned int n;
	struct vu_region regions[VU_MAX_REGIONS];
	uint8_t *addrs[VU_MAX_REGIONS];
	int fds[VU_MAX_REGIONS];
	void *frame;
	const struct dirty_log *log;
};

/**
 * struct inflight_head - how the part of a ring begins in an in-flight region
 * @features: none
 * @version: 0: nothing is said there
 * @n: entries of the ring
 */
struct inflight_head {
	uint64_t features;
	uint16_t version;
	uint16_t n;
} __attribute__((packed, aligned(4)));

/**
 * struct again - a chain that was taken before this process was there
 * @counter: less than that of those that were taken later
 * @entry: number of its state
 * @num: entries of the ring that it takes, as they were when they were counted
 */
struct again {
	uint64_t counter;
	uint16_t entry;
	uint16_t num;
};

/**
 * struct track - what a ring has of an in-flight region; see inflight.c
 * @part: its part, or NULL
 * @counter: of the chain that was taken last
 * @batch: ids of chains that were given back and are not published
 * @n_batch: their number
 * @free_head: packed: state for the next chain
 * @again: chains that are to be taken again, in order
 * @n_again: their number
 * @next_again: those of them that were
 */
struct track {
	struct inflight_head *part;
	uint64_t counter;
	uint16_t *batch;
	uint32_t n_batch;
	uint16_t free_head;
	struct again *again;
	uint32_t n_again;
	uint32_t next_again;
};

/**
 * struct buffer - a chain that the guest has made available and does not have back yet
 * @taken: there is such a chain
 * @entries: of the ring that it takes
 * @posted: it is the first of the chains of a receive buffer that the kernel has
 * @segments: receive: where it is, header included
 * @n: their number
 * @capacity: segments that there is room for
 * @len: bytes of them
 * @next: with @posted: id of the following chain of the same receive buffer
 * @chains: with @posted: chains of that, 1 …
 * @n_posted: with @posted: segments of it that the kernel was given
 * @tail: with @posted: number of the tail behind its chains, or NO_TAIL
 * @state: packed: first one of its states in the in-flight region
 * @last_state: packed: last one of them
 */
struct buffer {
	bool taken;
	bool posted;
	uint16_t entries;
	struct segment *segments;
	unsigned int n;
	unsigned int capacity;
	uint64_t len;
	uint16_t next;
	uint16_t chains;
	unsigned int n_posted;
	uint8_t tail;
	uint16_t state;
	uint16_t last_state;
};

/**
 * struct news - what somebody else waits for
 * @call: the guest, for an interrupt
 * @log: the front-end, for pages that are written
 * @err: the front-end, for a ring that is broken
 */
struct news {
	bool call;
	bool log;
	bool err;
};

/**
 * struct vq - a virtqueue
 * @size: entries; a power of two if it is split
 * @base: where it begins when it is started, and where it was when it was stopped
 * @addr: where the front-end says that it is, in its own address space
 * @has_addr: it has said so
 * @kick_fd: the guest's doorbell, or -1
 * @call_fd: the guest's interrupt, or -1
 * @err_fd: tells the front-end that the ring is broken, or -1
 * @started: the front-end has said how it is going to kick
 * @enabled: the front-end lets it be used
 * @writable: its chains are for what is received
 * @both_ways: its chains are commands and their answers
 * @packed: its layout
 * @event_idx: each side says at which index it wants to be told
 * @running: it is mapped, and a pair uses it
 * @broken: why it is not used any more, or NULL
 * @memory: where it is
 * @desc: descriptor table; packed: the ring
 * @driver: what the guest writes: the avail ring; packed: its event area
 * @device: what is written here: the used ring; packed: the device's event area
 * @next_avail: index of the next chain to take
 * @seen_avail: split: the guest's index as last seen
 * @next_used: index of the next place to give one back
 * @unpublished: places that were taken for that and the guest has not been told of
 * @avail_wrap: packed: the guest's wrap counter at @next_avail
 * @used_wrap: packed: the own one at @next_used
 * @first_used: packed: with @unpublished: the first of them
 * @first_flags: packed: with @unpublished: what its flags are going to be
 * @entries_in_flight: packed: descriptors between @next_used and @next_avail
 * @buffers: by id
 * @in_flight: number of those that are taken
 * @in_order: all have been given back in the order in which they were taken
 * @bad: chains that were wrong
 * @said: what was said about it last since it was started, or NULL
 * @track: what outlives this process
 * @log: where it is noted what is written into the ring, or NULL
 * @desc_gpa: where @desc is, in the log
 * @device_gpa: where @device is, in the log
 * @to_tell: what somebody is to be told of
 * @tells_later: not before vq_tell(): nothing is to hang
 */
struct vq {
	uint32_t size;
	uint32_t base;
	struct vu_vring_addr addr;
	bool has_addr;
	int kick_fd;
	int call_fd;
	int err_fd;
	bool started;
	bool enabled;

	bool writable;
	bool both_ways;
	bool packed;
	bool event_idx;
	bool running;
	const char *broken;
	const struct memory *memory;
	void *desc;
	void *driver;
	void *device;
	uint16_t next_avail;
	uint16_t seen_avail;
	uint16_t next_used;
	uint16_t unpublished;
	bool avail_wrap;
	bool used_wrap;
	uint16_t first_used;
	uint16_t first_flags;
	uint32_t entries_in_flight;
	struct buffer *buffers;
	uint32_t in_flight;
	bool in_order;
	uint64_t bad;
	const char *said;
	struct track track;
	const struct dirty_log *log;
	uint64_t desc_gpa;
	uint64_t device_gpa;
	struct news to_tell;
	bool tells_later;
};

/**
 * struct counters - what went one way; written by a pair's thread
 * @packets: packets
 * @bytes: their bytes
 * @dropped: chains, or packets, that nothing could be done with
 */
struct counters {
	uint64_t packets;
	uint64_t bytes;
	uint64_t dropped;
};

/**
 * struct tails - memory of this process, in which packets end that are longer than was guessed
 * @addr: where they are, or NULL
 * @gpa: the same in the kernel's eyes, behind the guest's memory
 * @size: bytes of each
 * @free: those that are behind no receive buffer
 * @n_free: their number
 */
struct tails {
	uint8_t *addr;
	uint64_t gpa;
	uint32_t size;
	uint8_t free[MAX_TAILS];
	unsigned int n_free;
};

/**
 * struct pair - two rings, a queue, and the thread that moves packets between them
 * @nic: to which it belongs
 * @index: number
 * @rx: ring 2 * @index
 * @tx: ring 2 * @index + 1
 * @queue: or NULL
 * @thread: the thread
 * @started: the thread exists
 * @ended: the thread has ended by itself
 * @epoll_fd: what the thread waits for, or -1
 * @idle_since: nanoseconds: since then there was nothing to do; 0: there was
 * @pending: packets to transmit that @queue has not taken yet
 * @n_pending: their segments
 * @spare: ids of receive chains that the kernel does not have, a ring; see receive.c
 * @spare_mask: its size, a power of two, less 1
 * @spare_head: index of the first of them, free-running
 * @n_spare: their number
 * @shortest: bytes of the shortest chain that there was
 * @longest: so many of these the longest packet would take
 * @most_held: the most chains that were not the guest's at any time
 * @need: bytes that a receive buffer must have for every packet that may come, with its header
 * @merges: a packet may be in several chains
 * @tails: for receive buffers of fewer chains than that takes
 * @guess: chains that the next packet is going to take
 * @most: the most that one has taken of the last @n_guessed
 * @n_guessed: packets since the guess was made
 * @n_posted: receive buffers that the kernel has
 * @room: segments that fit into the queue's ring of receive buffers
 * @arrived: packets that were received, and are not the guest's yet
 * @n_arrived: their number
 * @next_arrived: the first of them that is left
 * @sent: guest to host
 * @received: host to guest
 */
struct pair {
	struct nic *nic;
	unsigned int index;
	struct vq *rx;
	struct vq *tx;
	struct nb_queue *queue;
	pthread_t thread;
	bool started;
	bool ended;
	int epoll_fd;
	uint64_t idle_since;

	struct nb_tx_segment pending[4 * BATCH + MAX_CHAIN];
	unsigned int n_pending;
	uint16_t *spare;
	uint32_t spare_mask;
	uint32_t spare_head;
	uint32_t n_spare;
	uint64_t shortest;
	uint32_t longest;
	uint32_t most_held;
	uint64_t need;
	bool merges;
	struct tails tails;
	uint16_t guess;
	uint16_t most;
	uint16_t n_guessed;
	uint32_t n_posted;
	uint32_t room;
	struct nb_rx_metadata arrived[BATCH];
	unsigned int n_arrived;
	unsigned int next_arrived;

	struct counters sent;
	struct counters received;
} __attribute__((aligned(64)));

/**
 * struct steering - what the guest has said about its flows; nothing: all is 0
 * @pairs: most pairs that are to be used; 0: all, as there is no control ring
 * @types: hashes that are reported with packets, of VIRTIO_NET_RSS_HASH_TYPE_…
 * @key_len: bytes of @key; 0: the endpoint spreads flows in its own way
 * @table_len: entries of @table; 0: by their hash, over all pairs alike
 * @key: of the Toeplitz hash
 * @table: which pair a packet comes to, by its hash
 */
struct steering {
	uint32_t pairs;
	uint32_t types;
	uint32_t key_len;
	uint32_t table_len;
	uint8_t key[MAX_KEY];
	uint16_t table[MAX_TABLE];
};

/**
 * struct control - how the main thread serves the ring of a NIC's commands
 * @epoll_fd: becomes readable with its doorbell
 * @watched_fd: the doorbell that is watched, or -1
 * @refused: the ring could not be used, and nothing has changed since
 */
struct control {
	int epoll_fd;
	int watched_fd;
	bool refused;
};

/**
 * struct closer - closes what might make the main thread wait; see fd.c
 * @lock: for all of it
 * @fds: what is to be closed
 * @n: their number
 * @busy: there is a thread that does so
 */
struct closer {
	pthread_mutex_t lock;
	int fds[MAX_CLOSING];
	unsigned int n;
	bool busy;
};

/**
 * struct listener - a socket that is listened on
 * @fd: it, or -1
 * @made: it was made here, at a path, and not passed
 * @device: with @made: of the file system that the path was on
 * @inode: with @made: of the file that it is there
 */
struct listener {
	int fd;
	bool made;
	dev_t device;
	ino_t inode;
};

/**
 * struct connection - a front-end
 * @fd: the socket, or -1
 * @header: of the message that is being received
 * @payload: of it
 * @received: bytes of both that are there
 * @fds: that came with it
 * @n_fds: their number
 */
struct connection {
	int fd;
	struct vu_header header;
	union vu_payload payload;
	size_t received;
	int fds[MAX_FDS];
	unsigned int n_fds;
};

/**
 * struct lines - what was said about a NIC lately
 * @lock: of the others
 * @since: when the first one was said, in seconds of CLOCK_MONOTONIC
 * @n: lines since
 */
struct lines {
	pthread_mutex_t lock;
	time_t since;
	unsigned int n;
};

/**
 * struct nic - one NIC of one guest
 * @path: where its socket is, or "fd=" and which one it is of those that were passed
 * @spec: what its endpoint is
 * @listener: where front-ends connect
 * @connection: the front-end
 * @closer: of what front-ends have passed
 * @nb: for making memories
 * @ep: the endpoint
 * @info: what is known about it
 * @max_pairs: most pairs of rings
 * @poll_us: microseconds that a thread looks at its rings before it sleeps
 * @kernel_polls: a thread of the kernel looks at each queue as long
 * @max_memory: most bytes of guest memory
 * @features: what was negotiated
 * @protocol_features: the same of the protocol
 * @memory: the guest's memory
 * @log: the log of a migration
 * @inflight: the in-flight region
 * @inflight_queues: rings that it is for
 * @inflight_entries: of each of them
 * @channel_fd: socket for what the front-end is told without having asked, or -1
 * @link_up: the endpoint's link is up
 * @vqs: two for each pair, and behind them the control ring, if there is one
 * @pairs: that can be used
 * @n_pairs: those that have a queue, from the first on; 0: there are no queues
 * @n_refused: so many could not be used, and nothing has changed since; or 0
 * @complained: it was said that some could not be used, since the front-end has changed any
 * @holds_back: the endpoint may hold packets back for queues that are to come
 * @steering: what the guest has said by its control ring; no thread runs when it changes
 * @control: that ring
 * @stop_fd: eventfd that wakes the pairs' threads
 * @stop: nonzero: they are to end
 * @lines: what was said about it
 */
struct nic {
	const char *path;
	struct spec spec;
	struct listener listener;
	struct connection connection;
	struct closer closer;
	struct nb *nb;
	struct nb_endpoint *ep;
	struct nb_endpoint_info info;
	unsigned int max_pairs;
	uint32_t poll_us;
	bool kernel_polls;
	uint64_t max_memory;
	uint64_t features;
	uint64_t protocol_features;
	struct memory memory;
	struct dirty_log log;
	struct shared inflight;
	uint16_t inflight_queues;
	uint16_t inflight_entries;
	int channel_fd;
	bool link_up;
	struct vq *vqs;
	struct pair *pairs;
	unsigned int n_pairs;
	unsigned int n_refused;
	bool complained;
	bool holds_back;
	struct steering steering;
	struct control control;
	int stop_fd;
	int stop;
	struct lines lines;
};

static inline bool has_feature(const struct nic *nic, unsigned int bit)
{
	return nic->features >> bit & 1;
}

/* Bytes in front of each packet. */
static inline uint32_t header_size(const struct nic *nic)
{
	bool merges = nic->features & (BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_VERSION_1));

	if (has_feature(nic, VIRTIO_NET_F_HASH_REPORT))
		return sizeof(struct virtio_net_hdr_v1_hash);
	return merges ? sizeof(struct virtio_net_hdr_v1) : sizeof(struct virtio_net_hdr);
}

/* The control ring, which a NIC with several pairs has; or NULL. */
static inline struct vq *control_vq(const struct nic *nic)
{
	return nic->vqs && nic->max_pairs > 1 ? &nic->vqs[2 * nic->max_pairs] : NULL;
}

static inline unsigned int n_vqs(const struct nic *nic)
{
	return 2 * nic->max_pairs + (nic->max_pairs > 1);
}

/* main.c APIs: */
extern bool verbose;
extern int wake_fd;		/* eventfd that wakes the main thread */

/* nic.c APIs: */
int nic_begin(struct nic *nic, struct nb *nb, unsigned int max_pairs);
int nic_open(struct nic *nic);
void nic_close(struct nic *nic);
uint64_t nic_features(const struct nic *nic);
void nic_forget(struct nic *nic);
void nic_pause(struct nic *nic);
void nic_stop(struct nic *nic);
void nic_settle(struct nic *nic);
void nic_update(struct nic *nic);
int nic_ask_endpoint(struct nic *nic);
bool nic_is_ready(const struct nic *nic, const struct vq *vq);
bool nic_steer(struct nic *nic, const struct steering *next);
void nic_follow_actions(struct nic *nic);
void nic_say(struct nic *nic, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void nic_note(const struct nic *nic, const char *what);

/* socket.c APIs: */
int socket_listen(struct listener *listener, const char *path);
void socket_unlisten(struct listener *listener, const char *path);
int socket_accept(struct nic *nic);
int socket_receive(struct nic *nic);
int socket_send(struct nic *nic, const void *payload, uint32_t size);
int socket_send_fd(struct nic *nic, const void *payload, uint32_t size, int fd);
void socket_close(struct nic *nic);

/* service.c APIs: */
void service_init(void);
bool service_is_fd(const char *text);
int service_take(const char *text);
void service_tell(const char *state);
int service_drop_privileges(void);

/* status.c APIs: */
void counters_add(struct counters *sum, const struct counters *counters);
int status_answer(int listen_fd, struct closer *closer, const struct nic *nics, unsigned int n);

/* handover.c APIs: */
struct handover;
bool handover_is_known(const char *format);
bool handover_is_possible(void);
void handover_execute(const struct nic *nics, unsigned int n, const struct listener *status,
		      char **argv);

/* takeover.c APIs: */
int takeover_read(struct handover **all, unsigned int n, unsigned int max_pairs);
int takeover_nic(const struct handover *all, unsigned int i, struct nic *nic);
void takeover_status(const struct handover *all, struct listener *status);

/* message.c APIs: */
const char *message_check_header(const struct vu_header *header);
const char *message_handle(struct nic *nic);

/* fd.c APIs: */
size_t fd_memory_page(int fd);
bool fd_is_eventfd(int fd);
bool fd_is_unix(int fd);
void fd_close(struct closer *closer, int fd);
bool fd_is_closing(struct closer *closer);

/* memory.c APIs: */
int memory_set(struct memory *memory, struct nb *nb, const struct vu_memory *table,
	       const int *fds);
void memory_clear(struct memory *memory);
uint64_t memory_user_to_gpa(const struct memory *memory, uint64_t user_addr);
void *memory_from_user(const struct memory *memory, uint64_t user_addr, size_t len,
		       size_t align);
bool memory_read(const struct memory *memory, const struct segment *segments, unsigned int n,
		 uint32_t offset, void *to, uint32_t len);
bool memory_write(const struct memory *memory, const struct segment *segments, unsigned int n,
		  uint32_t offset, const void *from, uint32_t len);
void memory_catch_faults(void);
bool memory_guard(const void *addr, size_t len, size_t page);
void memory_unguard(const void *addr);

/* shared.c APIs: */
const char *shared_map(struct shared *shared, int fd, uint64_t size, uint64_t offset);
void shared_unmap(struct shared *shared);

/* log.c APIs: */
void log_mark(const struct dirty_log *log, uint64_t gpa, uint64_t len);
void log_harvest(const struct nic *nic);
const char *log_update(struct nic *nic);
const char *log_set(struct nic *nic, const struct vu_log *about, int fd);
void log_forget(struct nic *nic);

/* announce.c APIs: */
void announce(struct nic *nic, const uint8_t *mac);
void announce_close(struct memory *memory);

/* link.c APIs: */
const char *link_set_channel(struct nic *nic, int fd);
void link_set(struct nic *nic, bool up);
void link_forget(struct nic *nic);

/* inflight.c APIs: */
const char *inflight_make(const struct nic *nic, struct vu_inflight *about, int *fd);
const char *inflight_set(struct nic *nic, const struct vu_inflight *about, int fd);
const char *inflight_find(const struct nic *nic, unsigned int index, struct vq *vq);
const char *inflight_start(struct vq *vq);
void inflight_stop(struct vq *vq);
void inflight_clear(struct vq *vq);
int inflight_take(struct vq *vq, uint16_t id);
void inflight_put(struct vq *vq, uint16_t id);
void inflight_before_publish(struct vq *vq);
void inflight_after_publish(struct vq *vq);
void inflight_found(struct vq *vq, uint16_t entry, uint16_t num, uint64_t counter);
void inflight_sort(struct vq *vq);

/* inflight_split.c APIs: */
size_t inflight_split_size(uint16_t entries);
void inflight_split_begin(struct vq *vq);
const char *inflight_split_resume(struct vq *vq);
void inflight_split_take(struct vq *vq, uint16_t id);
void inflight_split_put(struct vq *vq, uint16_t id);
void inflight_split_after_publish(struct vq *vq);

/* inflight_packed.c APIs: */
size_t inflight_packed_size(uint16_t entries);
void inflight_packed_begin(struct vq *vq);
const char *inflight_packed_resume(struct vq *vq);
int inflight_packed_take(struct vq *vq, struct buffer *buffer);
bool inflight_packed_retake(const struct vq *vq, const struct again *again,
			    struct buffer *buffer);
bool inflight_packed_next(const struct vq *vq, uint32_t *at, struct vring_packed_desc *desc);
void inflight_packed_put(struct vq *vq, const struct buffer *buffer);
void inflight_packed_before_publish(struct vq *vq);
void inflight_packed_after_publish(struct vq *vq);

/* vq.c APIs: */
void vq_init(struct vq *vq);
void vq_reset(struct vq *vq, struct closer *closer);
const char *vq_start(struct vq *vq, const struct memory *memory, bool packed, bool event_idx);
void vq_stop(struct vq *vq);
void vq_set_base(struct vq *vq, uint32_t base);
int vq_break(struct vq *vq, const char *why);
bool vq_is_news(struct vq *vq, const char *why);
int vq_fetch(struct vq *vq, struct chain *chain);
void vq_put(struct vq *vq, uint16_t id, uint32_t len);
void vq_publish(struct vq *vq);
void vq_tell(struct vq *vq);
bool vq_enable_kicks(struct vq *vq);
void vq_disable_kicks(struct vq *vq);
void vq_give_back(struct vq *vq);
void vq_rewind(struct vq *vq);
const void *chain_table(const struct vq *vq, struct chain *chain, uint64_t gpa, uint32_t len,
			uint32_t *n);

/* split.c APIs: */
size_t split_desc_size(const struct vq *vq);
size_t split_driver_size(const struct vq *vq);
size_t split_device_size(const struct vq *vq);
const char *split_start(struct vq *vq);
void split_rewind(struct vq *vq);
int split_fetch(struct vq *vq, struct chain *chain);
int split_fetch_again(struct vq *vq, struct chain *chain, uint16_t id);
void split_take(struct vq *vq);
void split_put(struct vq *vq, uint16_t id, uint32_t len);
bool split_publish(struct vq *vq);
bool split_enable_kicks(struct vq *vq);
void split_disable_kicks(struct vq *vq);

/* packed.c APIs: */
size_t packed_desc_size(const struct vq *vq);
size_t packed_event_size(void);
const char *packed_start(struct vq *vq);
void packed_resume(struct vq *vq);
uint32_t packed_base(const struct vq *vq);
void packed_rewind(struct vq *vq);
int packed_fetch(struct vq *vq, struct chain *chain);
int packed_fetch_again(struct vq *vq, struct chain *chain, uint16_t state);
void packed_take(struct vq *vq, uint16_t entries);
void packed_put(struct vq *vq, uint16_t id, uint32_t len, uint16_t entries);
bool packed_publish(struct vq *vq);
bool packed_enable_kicks(struct vq *vq);
void packed_disable_kicks(struct vq *vq);

/* header.c APIs: */
const char *header_to_packet(const struct nic *nic, const struct chain *chain,
			     struct nb_tx_segment *head);
void header_from_packet(const struct nic *nic, const struct nb_rx_metadata *packet,
			uint16_t chains, struct virtio_net_hdr_v1_hash *to);
uint32_t header_queue_flags(const struct nic *nic);
uint32_t header_longest_packet(const struct nic *nic);

/* control.c APIs: */
int control_open(struct nic *nic);
void control_close(struct nic *nic);
void control_stop(struct nic *nic, bool give_back);
void control_unwatch(struct nic *nic);
void control_update(struct nic *nic);
void control_serve(struct nic *nic);
bool control_needs_looks(const struct nic *nic);

/* steering.c APIs: */
uint64_t steering_features(const struct nic *nic);
uint16_t steering_max_table(const struct nic *nic);
uint32_t steering_types(void);
void steering_forget(struct nic *nic);
void steering_set_base(struct nic *nic, const struct vq *vq, uint32_t base);
void steering_begin(struct nic *nic);
const struct nb_rss_config *steering_rss(const struct nic *nic, unsigned int n,
					 struct nb_rss_config *config, uint16_t *table);
bool steering_command(struct nic *nic, const uint8_t *command, size_t len, bool *changed);
uint16_t steering_report(const struct nic *nic, const struct nb_rx_metadata *packet);

/* transmit.c APIs: */
int transmit(struct pair *pair);
int drain_transmit(struct pair *pair);

/* tails.c APIs: */
void tails_open(struct pair *pair);
void tails_close(struct pair *pair);

/* receive.c APIs: */
void receive_start(struct pair *pair);
bool receive_wants_kicks(const struct pair *pair);
int receive(struct pair *pair);
void drain_spares(struct pair *pair);
int drain_receive(struct pair *pair);

/* pair.c APIs: */
int pair_start(struct pair *pair);
void pair_ask_to_stop(struct pair *pair);
void pair_wait(struct pair *pair);
void thread_end(pthread_t thread);
const char *pair_open(struct pair *pair, uint32_t ring_entries);
void pair_close(struct pair *pair, bool give_back);
void pair_complain(struct pair *pair, struct vq *vq, const char *why);

/* Where a range of guest memory is here, if one region has all of it; else NULL. */
static inline void *memory_at(const struct memory *memory, uint64_t gpa, uint32_t len)
{
	unsigned int i;

	for (i = 0; i < memory->n; i++) {
		const struct vu_region *region = &memory->regions[i];
		uint64_t offset = gpa - region->gpa;

		if (offset < region->size && len <= region->size - offset)
			return memory->addrs[i] + offset;
	}
	return NULL;
}

/* Add a descriptor to a chain. */
static inline void chain_add(const struct vq *vq, struct chain *chain, uint64_t gpa, uint32_t len,
			     bool writable)
{
	/* of a command, what is written is behind what is read */
	bool wrong = vq->both_ways ? !writable && chain->n_read < chain->n :
				     writable != vq->writable;

	if (wrong)
		chain->bad = "a descriptor of the wrong direction";
	else if (len & ~NB_RX_LEN_MASK)
		chain->bad = "a descriptor that is too long";
	else if (gpa >= OWN_GPA - NB_RX_LEN_MASK)
		chain->bad = "a descriptor that is nowhere in guest memory";
	else if (len && chain->n == MAX_CHAIN)
		chain->bad = "a chain of too many descriptors";
	if (chain->bad || !len)
		return;
	chain->segments[chain->n++] = (struct segment){ .gpa = gpa, .len = len };
	if (!writable)
		chain->n_read = chain->n;
	chain->len += len;
}

/* Note what was written into a ring, @offset bytes behind where a part of it is. */
static inline void vq_log(const struct vq *vq, uint64_t gpa, size_t offset, size_t len)
{
	if (vq->log)
		log_mark(vq->log, gpa + offset, len);
}

#endif /* NBVHOST_H */
