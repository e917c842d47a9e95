/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * libnb: net_backend for VMMs
 *
 * The functions follow OpenVMM's crate net_backend, trait by trait; the data
 * (segments, metadata, flags) are those of <linux/net_backend.h>.
 *
 * - A function that can fail returns a negative errno and leaves a line of English
 *   text for nb_error(); what it was asked to make is not there.
 * - An object may be used by one thread at a time; different objects, also the
 *   queues of one endpoint, by different threads at once.
 * - The data path (nb_queue_rx_avail, _rx_poll, _tx_avail, _tx_poll) allocates
 *   nothing and makes at most one system call a batch.
 */
#ifndef LIBNB_H
#define LIBNB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/net_backend.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nb;
struct nb_memory;
struct nb_endpoint;
struct nb_queue;

/**
 * nb_error() - why the last call of this thread that failed did so
 *
 * Return: a line of text without a newline; valid until the thread's next call of
 * libnb.
 */
const char *nb_error(void);

/* ---- control ------------------------------------------------------------- */

/**
 * nb_open() - open /dev/net_backend
 * @nb: out: the handle, for nb_close()
 *
 * Return: 0, or -ENOENT (module not loaded), -EACCES (no permission), -ENOMEM.
 */
int nb_open(struct nb **nb);

/**
 * nb_close() - close the handle; what was made with it lives on
 * @nb: a handle, or NULL
 */
void nb_close(struct nb *nb);

/**
 * nb_get_info() - ask what the module offers
 * @nb: a handle
 * @info: out: @info->kinds and @info->n_kinds are in, too: see &struct nb_info
 *
 * Return: 0 or a negative errno of NB_GET_INFO.
 */
int nb_get_info(struct nb *nb, struct nb_info *info);

/* ---- guest memory -------------------------------------------------------- */

/**
 * nb_memory_create() - make the memory of a guest, without regions
 * @nb: a handle
 * @mem: out: for nb_memory_close()
 *
 * Return: 0 or a negative errno of NB_CREATE_MEMORY.
 */
int nb_memory_create(struct nb *nb, struct nb_memory **mem);

/**
 * nb_memory_from_fd() - use a memory fd that another process has passed
 * @fd: a memory fd; taken over when the call succeeds
 * @mem: out: for nb_memory_close(); libnb does not know the regions that others
 *	have added, so nb_memory_ptr() and its like do not find them
 *
 * Return: 0, -EBADF or -ENOMEM.
 */
int nb_memory_from_fd(int fd, struct nb_memory **mem);

/**
 * nb_memory_fd() - the fd, to be passed to another process or polled
 * @mem: a memory
 *
 * Return: the fd; it stays the memory's.
 */
int nb_memory_fd(const struct nb_memory *mem);

/**
 * nb_memory_close() - let go of a memory; queues that use it keep it
 * @mem: a memory, or NULL
 */
void nb_memory_close(struct nb_memory *mem);

/**
 * nb_memory_add() - register a range of this process's memory as guest memory
 * @mem: a memory
 * @gpa: first guest-physical address
 * @addr: first byte in this process, stays mapped while the region is used
 * @len: bytes
 * @flags: 0 or NB_REGION_READ_ONLY
 *
 * Return: 0 or a negative errno of NB_MEMORY_ADD_REGION.
 */
int nb_memory_add(struct nb_memory *mem, uint64_t gpa, void *addr, size_t len,
		  uint32_t flags);

/**
 * nb_memory_add_fd() - register a part of a memfd as guest memory
 * @mem: a memory
 * @gpa: first guest-physical address
 * @fd: the memfd; may be closed afterwards
 * @offset: first byte in it
 * @len: bytes
 * @flags: 0 or NB_REGION_READ_ONLY
 *
 * Maps the part into this process, too, for nb_memory_ptr() and its like.
 *
 * Return: 0 or a negative errno of NB_MEMORY_ADD_REGION or mmap().
 */
int nb_memory_add_fd(struct nb_memory *mem, uint64_t gpa, int fd, uint64_t offset,
		     size_t len, uint32_t flags);

/**
 * nb_memory_remove() - forget a region; the kernel has let go of it on return
 * @mem: a memory
 * @gpa: as it was added
 * @len: as it was added
 *
 * Return: 0 or a negative errno of NB_MEMORY_REMOVE_REGION.
 */
int nb_memory_remove(struct nb_memory *mem, uint64_t gpa, size_t len);

/**
 * nb_memory_ptr() - where guest memory is in this process
 * @mem: a memory
 * @gpa: guest-physical address
 * @len: bytes that must be there
 *
 * Return: the address, or NULL if the range does not lie in one region.
 */
void *nb_memory_ptr(const struct nb_memory *mem, uint64_t gpa, size_t len);

/**
 * nb_memory_read() - copy out of guest memory; may cross adjacent regions
 * @mem: a memory
 * @gpa: guest-physical address
 * @buf: out: @len bytes
 * @len: bytes
 *
 * Return: 0, or -EFAULT if a part of the range is in no region (then @buf is
 * unchanged).
 */
int nb_memory_read(const struct nb_memory *mem, uint64_t gpa, void *buf, size_t len);

/**
 * nb_memory_write() - copy into guest memory; may cross adjacent regions
 * @mem: a memory
 * @gpa: guest-physical address
 * @buf: @len bytes
 * @len: bytes
 *
 * Return: 0, or -EFAULT if a part of the range is in no region or in a read-only
 * one (then guest memory is unchanged).
 */
int nb_memory_write(struct nb_memory *mem, uint64_t gpa, const void *buf, size_t len);

/* ---- guest memory: what the kernel has written ---------------------------- */

/**
 * nb_memory_start_dirty_log() - note from now on which pages the kernel writes
 * @mem: a memory
 *
 * Return: 0 or a negative errno of NB_MEMORY_START_DIRTY_LOG.
 */
int nb_memory_start_dirty_log(struct nb_memory *mem);

/**
 * nb_memory_stop_dirty_log() - note it no longer; what was not harvested is forgotten
 * @mem: a memory
 *
 * Return: 0 or a negative errno of NB_MEMORY_STOP_DIRTY_LOG.
 */
int nb_memory_stop_dirty_log(struct nb_memory *mem);

/**
 * nb_memory_dirty_region() - walk over the regions, also those that others have added
 * @mem: a memory whose log is on
 * @gpa: in: any address; out: first one of the region that holds it, or of the next
 * @len: out: bytes of that region
 *
 * Return: 1 (a region), 0 (none that ends above @gpa), or a negative errno of
 * NB_MEMORY_GET_DIRTY_LOG.
 */
int nb_memory_dirty_region(struct nb_memory *mem, uint64_t *gpa, uint64_t *len);

/**
 * nb_memory_harvest_dirty() - which pages has the kernel written; and forget them
 * @mem: a memory whose log is on
 * @gpa: first guest-physical address, a multiple of NB_DIRTY_PAGE_SIZE
 * @len: bytes, a multiple of NB_DIRTY_PAGE_SIZE; in one region
 * @bitmap: out: bit ``n % 64`` of word ``n / 64`` is set if the kernel has written the
 *	page at @gpa + n * NB_DIRTY_PAGE_SIZE since the last call; bits behind the last
 *	page are 0
 *
 * A page that is read after the call has at least what had been written to it when its
 * bit was taken; what is written later sets the bit again.
 *
 * Return: number of bits set; -EBADFD while the log is off; -EINVAL for a range that is
 * not aligned; -EFAULT for one that is not in one region; or an errno of mmap().  On an
 * error no page has been forgotten.
 */
long nb_memory_harvest_dirty(struct nb_memory *mem, uint64_t gpa, uint64_t len,
			     uint64_t *bitmap);

/* ---- endpoint: the crate's trait Endpoint -------------------------------- */

/**
 * struct nb_endpoint_params - what nb_endpoint_create() makes
 * @kind: name of the kind: "null", "loopback", "netdev", "attach", …
 * @name: name of the endpoint, or NULL; see &nb_create_endpoint.name
 * @mac: Ethernet address, or NULL for a random one
 * @netns_fd: fd of a network namespace, or -1 for the caller's
 * @max_queues: most queues, or 0 for the kind's limit
 * @mtu: largest layer-3 packet, or 0 for the kind's default
 * @kind_params: the kind's own struct, such as &struct nb_attach_params, or NULL for its
 *	defaults
 * @kind_params_size: its size, or 0
 */
struct nb_endpoint_params {
	const char *kind;
	const char *name;
	const uint8_t *mac;
	int netns_fd;
	uint16_t max_queues;
	uint32_t mtu;
	const void *kind_params;
	uint32_t kind_params_size;
};

/**
 * nb_endpoint_create() - make an endpoint (the crate's resolve)
 * @nb: a handle
 * @params: what to make
 * @ep: out: for nb_endpoint_close()
 *
 * Return: 0 or a negative errno of NB_CREATE_ENDPOINT.
 */
int nb_endpoint_create(struct nb *nb, const struct nb_endpoint_params *params,
		       struct nb_endpoint **ep);

/**
 * nb_endpoint_from_fd() - use an endpoint fd that another process has passed
 * @fd: an endpoint fd; taken over when the call succeeds
 * @ep: out: for nb_endpoint_close()
 *
 * Return: 0, -EBADF or -ENOMEM.
 */
int nb_endpoint_from_fd(int fd, struct nb_endpoint **ep);

/**
 * nb_endpoint_fd() - the fd, to be passed on or polled for actions
 * @ep: an endpoint
 *
 * Return: the fd; it stays the endpoint's.
 */
int nb_endpoint_fd(const struct nb_endpoint *ep);

/**
 * nb_endpoint_close() - let go of an endpoint; its queues keep it
 * @ep: an endpoint, or NULL
 */
void nb_endpoint_close(struct nb_endpoint *ep);

/**
 * nb_endpoint_get_info() - everything that the functions below ask for, at once
 * @ep: an endpoint
 * @info: out: the endpoint as it is now
 *
 * Return: 0 or a negative errno of NB_ENDPOINT_GET_INFO.
 */
int nb_endpoint_get_info(struct nb_endpoint *ep, struct nb_endpoint_info *info);

/**
 * nb_endpoint_type() - the name of the kind
 * @ep: an endpoint
 *
 * Return: the name; valid until @ep is closed.
 */
const char *nb_endpoint_type(struct nb_endpoint *ep);

/**
 * nb_endpoint_is_ordered() - are buffers completed in the order they came in
 * @ep: an endpoint
 *
 * Return: whether they are.
 */
bool nb_endpoint_is_ordered(struct nb_endpoint *ep);

/**
 * nb_endpoint_tx_offload_support() - what the backend does to packets on request
 * @ep: an endpoint
 *
 * Return: bits of &enum nb_tx_offloads.
 */
uint32_t nb_endpoint_tx_offload_support(struct nb_endpoint *ep);

/**
 * struct nb_multiqueue_support - the crate's MultiQueueSupport
 * @max_queues: most queues of one nb_endpoint_get_queues()
 * @indirection_table_size: entries of the RSS indirection table, 0 without RSS
 */
struct nb_multiqueue_support {
	uint16_t max_queues;
	uint16_t indirection_table_size;
};

/**
 * nb_endpoint_multiqueue_support() - how many queues there can be
 * @ep: an endpoint
 *
 * Return: the limits; all 0 when the backend is gone.
 */
struct nb_multiqueue_support nb_endpoint_multiqueue_support(struct nb_endpoint *ep);

/**
 * nb_endpoint_tx_fast_completions() - may transmit interrupts be elided
 * @ep: an endpoint
 *
 * Return: whether transmits complete quickly.
 */
bool nb_endpoint_tx_fast_completions(struct nb_endpoint *ep);

/**
 * nb_endpoint_link_speed() - bits per second
 * @ep: an endpoint
 *
 * Return: the speed.
 */
uint64_t nb_endpoint_link_speed(struct nb_endpoint *ep);

/**
 * nb_endpoint_set_data_path_to_guest_vf() - switch to or from a paired VF
 * @ep: an endpoint
 * @use_vf: whether packets take the VF
 *
 * Return: 0, or -EOPNOTSUPP for a kind without one.
 */
int nb_endpoint_set_data_path_to_guest_vf(struct nb_endpoint *ep, bool use_vf);

/**
 * nb_endpoint_get_data_path_to_guest_vf() - which way packets take
 * @ep: an endpoint
 *
 * Return: 1 (VF), 0 (queues), or -EOPNOTSUPP for a kind without a VF.
 */
int nb_endpoint_get_data_path_to_guest_vf(struct nb_endpoint *ep);

/**
 * nb_endpoint_get_queues() - make all queues at once
 * @ep: an endpoint without queues
 * @mem: the memory in which packets and buffers lie
 * @configs: one a queue; entries of 0 mean 256, and for the rx-done ring at least
 *	as many as rx-avail, for tx-done at least as many as tx-avail
 * @n_queues: number of queues
 * @rss: receive-side scaling, or NULL
 * @queues: out: @n_queues queues, for nb_queue_close()
 *
 * Return: 0 or a negative errno of NB_ENDPOINT_GET_QUEUES; then there is none.
 */
int nb_endpoint_get_queues(struct nb_endpoint *ep, struct nb_memory *mem,
			   const struct nb_queue_config *configs, unsigned int n_queues,
			   const struct nb_rss_config *rss, struct nb_queue **queues);

/**
 * nb_endpoint_set_rss() - change receive-side scaling while packets flow
 * @ep: an endpoint with queues
 * @rss: what is to be from now on, or NULL: the backend spreads packets as it likes
 *
 * No packet is lost by it.  What is set here, or by nb_endpoint_get_queues(), ends with
 * the queues.
 *
 * Return: 0 or a negative errno of NB_ENDPOINT_SET_RSS; then nothing has changed.
 */
int nb_endpoint_set_rss(struct nb_endpoint *ep, const struct nb_rss_config *rss);

/**
 * nb_endpoint_set_multicast() - say which groups the guest listens to
 * @ep: an endpoint of a kind that filters: attach
 * @list: their Ethernet addresses, or NULL
 * @n: entries of @list
 * @flags: of &enum nb_set_multicast_flags
 *
 * Return: 0 or a negative errno of NB_ENDPOINT_SET_MULTICAST; then nothing has changed.
 */
int nb_endpoint_set_multicast(struct nb_endpoint *ep, const struct nb_multicast *list,
			      unsigned int n, uint32_t flags);

/**
 * nb_endpoint_stop() - stop an endpoint whose queues have all been closed
 * @ep: an endpoint
 *
 * Return: 0, or -EBUSY while there are queues.
 */
int nb_endpoint_stop(struct nb_endpoint *ep);

/**
 * nb_endpoint_connect() - plug in a backend while the frontend runs
 * @ep: an endpoint that was disconnected
 * @from: another endpoint, with which it exchanges backends first; or NULL: it gets back
 *	the one that it has
 *
 * The frontend gets RestartRequired.  This and the next function are the crate's
 * DisconnectableEndpointControl: every endpoint is a disconnectable one, and may be
 * controlled by another process that holds its fd, or by an operator.  Where the crate's
 * disconnect() hands back a backend, it stays with @ep here until nb_endpoint_connect()
 * of another endpoint takes it from there.
 *
 * Return: 0 or a negative errno of NB_ENDPOINT_CONNECT; then nothing has changed.
 */
int nb_endpoint_connect(struct nb_endpoint *ep, struct nb_endpoint *from);

/**
 * nb_endpoint_disconnect() - unplug the backend while the frontend runs
 * @ep: an endpoint
 * @timeout_ns: most nanoseconds that the frontend gets to close its queues, or
 *	NB_NO_TIMEOUT; afterwards they need a restart (-ENETRESET)
 *
 * The frontend gets RestartRequired; its next queues are served as kind null does.
 * Returns when no queue uses the backend any more, so it must not be called by the
 * thread that would have to close them.
 *
 * Return: 0, -ENOTCONN, or -EINTR (then it is plugged in again).
 */
int nb_endpoint_disconnect(struct nb_endpoint *ep, uint64_t timeout_ns);

/**
 * nb_endpoint_wait_for_action() - wait for the backend to ask for something
 * @ep: an endpoint
 * @action: out: the next action
 * @timeout_ms: most milliseconds to wait; 0: do not wait; below 0: no limit
 *
 * Return: 1 (an action), 0 (none in time), -EINTR, or -ENODEV once the backend is
 * gone for good and all actions have been read.
 */
int nb_endpoint_wait_for_action(struct nb_endpoint *ep, struct nb_action *action,
				int timeout_ms);

/* ---- queue: the crate's trait Queue -------------------------------------- */

/**
 * nb_queue_from_fd() - use a queue fd that another process has passed
 * @fd: a queue fd; taken over when the call succeeds
 * @queue: out: for nb_queue_close(); goes on where the other left off, which must
 *	not use the queue any more
 *
 * Return: 0, -EBADF, -ENOMEM, or -EPROTO for rings that libnb does not understand.
 */
int nb_queue_from_fd(int fd, struct nb_queue **queue);

/**
 * nb_queue_fd() - the fd, to be passed on or polled
 * @queue: a queue
 *
 * Return: the fd; it stays the queue's.
 */
int nb_queue_fd(const struct nb_queue *queue);

/**
 * nb_queue_close() - drop a queue
 * @queue: a queue, or NULL
 */
void nb_queue_close(struct nb_queue *queue);

/**
 * nb_queue_update_target_vp() - say which CPU the queue should serve
 * @queue: a queue
 * @cpu: CPU number, or NB_ANY_CPU
 *
 * Return: 0, or -EINVAL if there is no such CPU.
 */
int nb_queue_update_target_vp(struct nb_queue *queue, uint32_t cpu);

/**
 * nb_queue_poll_ready() - is there something to reap; wait for it if asked
 * @queue: a queue
 * @timeout_ms: most milliseconds to wait; 0: do not wait; below 0: no limit
 *
 * Does not submit anything.  Ready is: an entry in tx-done or rx-done, or a queue
 * that is not running any more.
 *
 * Return: 1 (ready), 0 (not in time), -EINTR.
 */
int nb_queue_poll_ready(struct nb_queue *queue, int timeout_ms);

/**
 * nb_queue_rx_avail() - make receive buffers available
 * @queue: a queue
 * @segments: whole buffers: all but the last segment of each have NB_RX_MORE
 * @n: number of segments
 *
 * Tells the kernel if the backend waits for buffers.
 *
 * Return: segments taken, whole buffers only; fewer than @n when the ring is full;
 * -EINVAL if the last segment has NB_RX_MORE; -ENETRESET or -EIO if the queue is
 * not running any more.
 */
int nb_queue_rx_avail(struct nb_queue *queue, const struct nb_rx_segment *segments,
		      unsigned int n);

/**
 * nb_queue_rx_poll() - reap received packets
 * @queue: a queue
 * @packets: out: metadata; buffers that come back without a packet have a
 *	@status that is not NB_RX_OK
 * @n: entries of @packets
 *
 * Return: entries written, 0 … @n; -ENETRESET or -EIO if there is none and the
 * queue is not running any more.
 */
int nb_queue_rx_poll(struct nb_queue *queue, struct nb_rx_metadata *packets,
		     unsigned int n);

/**
 * nb_queue_tx_avail() - post packets
 * @queue: a queue
 * @segments: whole packets
 * @n: number of segments
 * @synchronous: out: true when every packet that was ever posted is complete, each
 *	with NB_TX_OK: nb_queue_tx_poll() will not report those of this call.  False
 *	when nb_queue_tx_poll() will report them.  May be NULL: then all are
 *	reported
 *
 * Posts as many whole packets as the ring has room for and calls ENTER, so that the
 * backend takes what it can; what it does not take now stays in the ring and is
 * taken by a later call, or when buffers are made available.
 *
 * Return: segments taken, whole packets only, fewer than @n when the ring is full;
 * -EINVAL if @segments is not a list of whole packets; -ENETRESET or -EIO if the
 * queue is not running any more.
 */
int nb_queue_tx_avail(struct nb_queue *queue, const struct nb_tx_segment *segments,
		      unsigned int n, bool *synchronous);

/**
 * nb_queue_tx_poll() - reap transmit completions
 * @queue: a queue
 * @done: out: ids and how each ended
 * @n: entries of @done
 *
 * Return: entries written, 0 … @n; -ENETRESET (TxError::TryRestart) or -EIO
 * (TxError::Fatal) if there is none and the queue is not running any more.
 */
int nb_queue_tx_poll(struct nb_queue *queue, struct nb_tx_completion *done,
		     unsigned int n);

/**
 * nb_queue_enter() - submit and wait in one system call; see NB_QUEUE_ENTER
 * @queue: a queue
 * @flags: of &enum nb_enter_flags
 * @timeout_ns: most nanoseconds to wait, or NB_NO_TIMEOUT
 * @result: out: what the kernel took and completed, or NULL
 *
 * Return: 0 or a negative errno of NB_QUEUE_ENTER.
 */
int nb_queue_enter(struct nb_queue *queue, uint32_t flags, uint64_t timeout_ns,
		   struct nb_enter *result);

/**
 * nb_queue_set_need_notify() - say what poll() and the call eventfd wake for
 * @queue: a queue
 * @bits: of &enum nb_need_notify; all are set in a new queue
 *
 * A full fence follows: a frontend that looks at the rings afterwards, and finds
 * nothing, may sleep.
 */
void nb_queue_set_need_notify(struct nb_queue *queue, uint32_t bits);

/**
 * nb_queue_set_moderation() - say when poll() and the call eventfd wake
 * @queue: a queue
 * @moderation: in: @tx_usecs to @reserved, see &struct nb_queue_moderation
 *
 * Return: 0 or a negative errno of NB_QUEUE_SET_MODERATION.
 */
int nb_queue_set_moderation(struct nb_queue *queue,
			    const struct nb_queue_moderation *moderation);

/**
 * nb_queue_get_moderation() - ask when poll() and the call eventfd wake
 * @queue: a queue
 * @moderation: out: see &struct nb_queue_moderation
 *
 * Return: 0 or a negative errno.
 */
int nb_queue_get_moderation(struct nb_queue *queue, struct nb_queue_moderation *moderation);

/**
 * nb_queue_set_eventfds() - set the doorbells; see NB_QUEUE_SET_EVENTFDS
 * @queue: a queue
 * @kick_fd: eventfd that tells the kernel, or -1
 * @call_fd: eventfd that the kernel signals, or -1
 *
 * With a kick eventfd, nb_queue_tx_avail() and nb_queue_rx_avail() write to it
 * where they would call ENTER, and nothing is synchronous: a thread of the kernel does the
 * work, in the cgroups of who sets the first one, or of who made a queue that has a thread.
 *
 * Return: 0 or a negative errno of NB_QUEUE_SET_EVENTFDS.
 */
int nb_queue_set_eventfds(struct nb_queue *queue, int kick_fd, int call_fd);

/**
 * nb_queue_quiesce() - make the queue stand still; see NB_QUEUE_QUIESCE
 * @queue: a queue that runs
 *
 * nb_queue_rx_poll() and nb_queue_tx_poll() give what was completed; when there is
 * nothing left, they and all that would use the queue return -ESHUTDOWN.
 *
 * Return: 0 or a negative errno of NB_QUEUE_QUIESCE; -ETIME after
 * NB_DEFAULT_QUIESCE_TIMEOUT_NS.
 */
int nb_queue_quiesce(struct nb_queue *queue);

/**
 * nb_queue_quiesce_within() - the same, and what is to be done about packets in flight
 * @queue: a queue that runs
 * @timeout_ns: most nanoseconds to wait for what the host reads from guest memory, with
 *	NB_QUEUE_ZEROCOPY_TX, or NB_NO_TIMEOUT; 0: NB_DEFAULT_QUIESCE_TIMEOUT_NS
 * @flags: of &enum nb_quiesce_flags
 *
 * Return: packets that were left to the host, 0 without NB_QUIESCE_LEAVE; or a negative
 * errno of NB_QUEUE_QUIESCE.
 */
int nb_queue_quiesce_within(struct nb_queue *queue, uint64_t timeout_ns, uint32_t flags);

/**
 * nb_queue_resume() - let a quiesced queue go on; see NB_QUEUE_RESUME
 * @queue: a queue that is quiesced
 *
 * Return: 0 or a negative errno of NB_QUEUE_RESUME.
 */
int nb_queue_resume(struct nb_queue *queue);

/**
 * nb_queue_save() - all that another process needs to go on with the queue
 * @queue: a quiesced queue of which all that was completed has been reaped
 * @buf: out: the state, with the packets and buffers that wait in the rings; may be NULL
 *	if @size is 0
 * @size: bytes of @buf
 *
 * The queue stays as it is.  The eventfds and the target CPU are not part of the state.
 *
 * Return: bytes of the state, which is in @buf if that is at most @size; or a negative
 * errno of NB_QUEUE_SAVE.
 */
long nb_queue_save(struct nb_queue *queue, void *buf, size_t size);

/**
 * nb_queue_restore() - make a new queue the one that was saved
 * @queue: a queue that nothing has been done with, with rings of the same sizes
 * @buf: what nb_queue_save() has given, in any process
 * @size: bytes of it
 *
 * Leaves the queue quiesced, for nb_queue_resume(), also on an error; then it is only
 * good to be closed.
 *
 * Return: 0; -EINVAL for what nb_queue_save() never gives, or another size of a ring; or
 * a negative errno of NB_QUEUE_QUIESCE and NB_QUEUE_RESTORE.
 */
int nb_queue_restore(struct nb_queue *queue, const void *buf, size_t size);

/**
 * nb_queue_state() - running, needs a restart, or failed
 * @queue: a queue
 *
 * Return: of &enum nb_queue_state.
 */
uint32_t nb_queue_state(const struct nb_queue *queue);

/**
 * nb_queue_stats() - read the queue's counters
 * @queue: a queue
 * @stats: out: see &struct nb_queue_stats
 *
 * Return: 0 or a negative errno.
 */
int nb_queue_stats(struct nb_queue *queue, struct nb_queue_stats *stats);

/**
 * nb_queue_get_info() - number, state and target CPU of a queue
 * @queue: a queue
 * @info: out: see &struct nb_queue_info
 *
 * Return: 0 or a negative errno.
 */
int nb_queue_get_info(struct nb_queue *queue, struct nb_queue_info *info);

/* ---- lists of segments: the crate's functions ---------------------------- */

/**
 * nb_packet_count() - number of packets in a list of segments
 * @segments: whole packets
 * @n: number of segments
 *
 * Return: packets, or -EINVAL if it is not a list of whole packets.
 */
int nb_packet_count(const struct nb_tx_segment *segments, unsigned int n);

/**
 * nb_next_packet() - length of the first packet of a list of segments
 * @segments: whole packets, the first with NB_TX_HEAD
 * @n: number of segments
 *
 * Return: segments of the first packet (its metadata is in segments[0], the rest of
 * the list begins behind them), 0 for an empty list, or -EINVAL if the list does not
 * begin with a whole packet.
 */
int nb_next_packet(const struct nb_tx_segment *segments, unsigned int n);

/**
 * nb_linearize() - copy the first packet of a list into one buffer, and step over it
 * @mem: where the segments lie
 * @segments: in/out: the list
 * @n: in/out: number of segments
 * @buf: out: the packet
 * @size: bytes of @buf
 *
 * Return: bytes of the packet; -EINVAL if the list does not begin with a whole
 * packet, or its lengths do not add up; -EFAULT if a segment is not in @mem;
 * -EMSGSIZE if @buf is too small.  On an error the list is unchanged.
 */
int nb_linearize(const struct nb_memory *mem, const struct nb_tx_segment **segments,
		 unsigned int *n, void *buf, size_t size);

/**
 * nb_tx_from_rx() - make a packet that was received one to transmit
 * @mem: where the buffer lies
 * @rx: what nb_queue_rx_poll() says about the packet
 * @gpa: the first byte of its buffer, which is one segment
 * @tx: out: a packet of one segment, out of the same buffer; its id is the buffer's
 *
 * For frontends that forward.  Carries over the VLAN tag, and what queues with
 * &enum nb_queue_flags get: a checksum that is not complete, and a super-packet, become
 * offloads of @tx.  A checksum that is neither TCP's nor UDP's over IPv4 or IPv6 is
 * completed in guest memory instead.
 *
 * The packet's own bytes may be anything, and change meanwhile.
 *
 * Return: 0; -EINVAL if the metadata and the packet do not go together, or there is no
 * packet.  Then @tx is unchanged.
 */
int nb_tx_from_rx(const struct nb_memory *mem, const struct nb_rx_metadata *rx,
		  uint64_t gpa, struct nb_tx_segment *tx);

#ifdef __cplusplus
}
#endif

#endif /* LIBNB_H */
