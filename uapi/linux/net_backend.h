/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * net_backend: the host half of a virtual NIC, for any VMM and any NIC model
 *
 * This file is the contract between the module and a frontend.  Those with operators are
 * <linux/net_backend_netlink.h>, a family of generic netlink, and
 * <linux/net_backend_capture.h>, which watches an endpoint's packets.
 *
 * Conventions:
 *
 * - "transmit" (tx) is always guest to host, "receive" (rx) host to guest.
 * - "frontend" is the process that plays the guest's NIC: a VMM.  "Backend" is
 *   what an endpoint's kind does with the packets.
 * - An address of guest memory is a guest-physical address, "gpa".
 * - All values are in the byte order of the host.
 * - Every ioctl takes a pointer to a struct whose first field is the struct's
 *   size as the caller knows it.  A larger struct than the kernel's is accepted
 *   if the bytes that the kernel does not know are zero (else E2BIG); of a
 *   smaller one, the missing fields count as zero.  One smaller than the first
 *   published version of the struct fails with EINVAL.
 * - Reserved fields and unknown flags must be zero (else EINVAL).
 * - An ioctl that fails has changed nothing; only NB_QUEUE_ENTER may have done a part.
 */
#ifndef _UAPI_LINUX_NET_BACKEND_H
#define _UAPI_LINUX_NET_BACKEND_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: errno
 *
 * An errno has one meaning in all ioctls of net_backend:
 *
 * - ENOTTY: this fd does not know this ioctl
 * - EINVAL: a field, a flag or a combination of them is not allowed
 * - E2BIG: the struct is newer than the module, and uses what it does not know
 * - EFAULT: a pointer or a range of user memory cannot be accessed
 * - EBADF: an fd in the struct is not open, or is not of the object named
 * - ENOENT: there is no such kind or region
 * - EEXIST: the name or the range of guest memory is already taken
 * - EBUSY: not while there are queues; or somebody else has the network interface
 * - EBADFD: the object is not in the state that this call asks for
 * - EPERM: CAP_NET_ADMIN is missing in the user namespace that owns the
 *   network namespace
 * - ENOMEM: no memory, or RLIMIT_MEMLOCK would be exceeded
 * - EMFILE, ENFILE: no more file descriptors
 * - ENOSPC: a limit of net_backend is reached
 * - EOPNOTSUPP: this kind of endpoint cannot do that
 * - ENODEV: what the endpoint stood on (its net_device) is gone
 * - ENETRESET: the queue needs a restart (TxError::TryRestart)
 * - ESHUTDOWN: the queue is quiesced
 * - EIO: the queue has failed (TxError::Fatal)
 * - EISCONN, ENOTCONN: a backend is, or is not, plugged in to the endpoint
 * - EINTR: a signal arrived while waiting
 * - ETIME: nothing happened within the time limit
 */

/* ---- limits -------------------------------------------------------------- */

/** define NB_KIND_LEN - size of a kind's name, with its terminating zero */
#define NB_KIND_LEN		16
/** define NB_NAME_LEN - size of an endpoint's name, with its terminating zero */
#define NB_NAME_LEN		16
/** define NB_MIN_RING_ENTRIES - the smallest ring */
#define NB_MIN_RING_ENTRIES	64
/** define NB_MAX_RING_ENTRIES - the largest ring */
#define NB_MAX_RING_ENTRIES	32768
/** define NB_MAX_SEGMENTS - most segments of a packet or of a receive buffer */
#define NB_MAX_SEGMENTS		64
/** define NB_MIN_PACKET_LEN - bytes of the shortest packet: an Ethernet header */
#define NB_MIN_PACKET_LEN	14
/** define NB_MAX_PACKET_LEN - bytes of the longest packet: 64 KiB and headers */
#define NB_MAX_PACKET_LEN	65792
/** define NB_MAX_QUEUES - most queues of an endpoint of any kind */
#define NB_MAX_QUEUES		1024
/** define NB_MAX_REGIONS - most regions of a memory */
#define NB_MAX_REGIONS		4096
/** define NB_MAX_RSS_KEY_LEN - most bytes of a Toeplitz key */
#define NB_MAX_RSS_KEY_LEN	256
/** define NB_MAX_RSS_TABLE_LEN - most entries of an indirection table */
#define NB_MAX_RSS_TABLE_LEN	1024
/** define NB_MAX_MULTICAST - most addresses of a multicast list */
#define NB_MAX_MULTICAST	512

/* ---- what every ioctl's struct begins with ------------------------------- */

/**
 * struct nb_message - where a failed call says why, in words
 * @text: user address of a buffer for a zero-terminated line of English text,
 *	or 0 for none; written by the kernel when the call fails, and set to the
 *	empty string when it succeeds
 * @size: size of that buffer in bytes; the text is cut to fit
 * @reserved: must be 0
 */
struct nb_message {
	__aligned_u64 text;
	__u32 size;
	__u32 reserved;
};

/**
 * define NB_IOCTL_TYPE - the type (magic) byte of net_backend's ioctls
 *
 * All are _IO(NB_IOCTL_TYPE, nr): a struct's size is not part of the number,
 * because it may grow.  Numbers 0x03 and 0x40 are in
 * <linux/net_backend_capture.h>.
 */
#define NB_IOCTL_TYPE		0xbe

/* ---- control fd: /dev/net_backend ---------------------------------------- */

/**
 * enum nb_features - optional features of this module, &nb_info.features
 * @NB_FEATURE_RX_OFFLOADS: &enum nb_queue_flags may be set, and &struct
 *	nb_rx_metadata describes checksums, protocols and hash
 * @NB_FEATURE_SET_RSS: NB_ENDPOINT_SET_RSS is there
 * @NB_FEATURE_CONNECT: NB_ENDPOINT_CONNECT and NB_ENDPOINT_DISCONNECT are there
 * @NB_FEATURE_POLL: NB_QUEUE_POLL may be set
 * @NB_FEATURE_SET_MULTICAST: NB_ENDPOINT_SET_MULTICAST is there
 * @NB_FEATURE_DIRTY_LOG: NB_MEMORY_START_DIRTY_LOG and its companions are there
 * @NB_FEATURE_MIGRATION: NB_QUEUE_QUIESCE, _SAVE, _RESTORE and _RESUME are there
 * @NB_FEATURE_ZEROCOPY_TX: NB_QUEUE_ZEROCOPY_TX may be set
 * @NB_FEATURE_MODERATION: NB_QUEUE_SET_MODERATION and NB_QUEUE_GET_MODERATION are there
 * @NB_FEATURE_CAPTURE: what <linux/net_backend_capture.h> describes is there
 */
enum nb_features {
	NB_FEATURE_RX_OFFLOADS	= 1 << 0,
	NB_FEATURE_SET_RSS	= 1 << 1,
	NB_FEATURE_CONNECT	= 1 << 2,
	NB_FEATURE_POLL		= 1 << 3,
	NB_FEATURE_SET_MULTICAST = 1 << 4,
	NB_FEATURE_DIRTY_LOG	= 1 << 5,
	NB_FEATURE_MIGRATION	= 1 << 6,
	NB_FEATURE_ZEROCOPY_TX	= 1 << 7,
	NB_FEATURE_MODERATION	= 1 << 8,
	NB_FEATURE_CAPTURE	= 1 << 9,
};

/**
 * struct nb_info - NB_GET_INFO: what this module offers
 * @size: sizeof(struct nb_info)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @features: out: of &enum nb_features; whatever else this header describes is
 *	always there
 * @kinds: in: user address of an array of names of NB_KIND_LEN bytes each, or 0
 * @n_kinds: in: entries of that array; out: kinds that are registered, also
 *	when they are more than fit
 * @max_queues: out: NB_MAX_QUEUES of this module
 * @max_segments: out: NB_MAX_SEGMENTS of this module
 * @max_packet_len: out: NB_MAX_PACKET_LEN of this module
 * @min_ring_entries: out: NB_MIN_RING_ENTRIES of this module
 * @max_ring_entries: out: NB_MAX_RING_ENTRIES of this module
 */
struct nb_info {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 features;
	__aligned_u64 kinds;
	__u32 n_kinds;
	__u32 max_queues;
	__u32 max_segments;
	__u32 max_packet_len;
	__u32 min_ring_entries;
	__u32 max_ring_entries;
};

/**
 * define NB_GET_INFO - ask what this module offers; on the control fd
 *
 * Anybody who could open the control fd may call it.
 * Errors: EFAULT, ENOMEM.
 */
#define NB_GET_INFO		_IO(NB_IOCTL_TYPE, 0x00)

/**
 * struct nb_create_memory - NB_CREATE_MEMORY: an empty guest memory
 * @size: sizeof(struct nb_create_memory)
 * @flags: must be 0
 * @msg: see &struct nb_message
 */
struct nb_create_memory {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
};

/**
 * define NB_CREATE_MEMORY - make a memory fd; on the control fd
 *
 * Returns a new fd (close-on-exec) for the memory of one guest.  It may be used
 * by the queues of any number of endpoints, and be passed to other processes.
 * Errors: ENOMEM, EMFILE, ENFILE.
 */
#define NB_CREATE_MEMORY	_IO(NB_IOCTL_TYPE, 0x01)

/**
 * enum nb_create_endpoint_flags - flags of NB_CREATE_ENDPOINT
 * @NB_CREATE_MAC: &nb_create_endpoint.mac is given; without it the kind chooses
 *	a random, locally administered address
 * @NB_CREATE_NETNS: &nb_create_endpoint.netns_fd is given; without it the
 *	endpoint belongs to the network namespace of the caller
 */
enum nb_create_endpoint_flags {
	NB_CREATE_MAC	= 1 << 0,
	NB_CREATE_NETNS	= 1 << 1,
};

/**
 * struct nb_create_endpoint - NB_CREATE_ENDPOINT: the backend of one NIC
 * @size: sizeof(struct nb_create_endpoint)
 * @flags: of &enum nb_create_endpoint_flags
 * @msg: see &struct nb_message
 * @kind: in: name of the kind, zero-terminated.  For one that is not registered
 *	the module ``net_backend-<kind>`` is loaded
 * @name: in: name of the endpoint, zero-terminated, or empty.  No endpoint in
 *	its network namespace may have it.  For kind netdev it is the
 *	name of the network interface, ``%d`` stands for the next free number, and
 *	empty means ``nb%d``
 * @mac: in: with NB_CREATE_MAC: Ethernet address of the guest's NIC, a valid unicast
 *	address; else 0.  The net_device of kind netdev is another station, and has a
 *	random address
 * @max_queues: in: most queues that get_queues will ask for; 0: as many as the
 *	kind allows
 * @netns_fd: in: with NB_CREATE_NETNS: fd of a network namespace (a file such as
 *	/run/netns/NAME); else 0
 * @mtu: in: largest layer-3 packet in bytes for kinds that have an MTU; 0: 1500.  Kind
 *	attach has that of its network interface, and takes 0 only
 * @params: in: user address of the kind's own struct, or 0 for its defaults
 * @params_size: in: its size, or 0 without @params; same rules as for @size, but that
 *	there is no least size
 * @reserved: must be 0
 */
struct nb_create_endpoint {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	char kind[NB_KIND_LEN];
	char name[NB_NAME_LEN];
	__u8 mac[6];
	__u16 max_queues;
	__s32 netns_fd;
	__u32 mtu;
	__aligned_u64 params;
	__u32 params_size;
	__u32 reserved;
};

/**
 * define NB_CREATE_ENDPOINT - make an endpoint fd; on the control fd
 *
 * Returns a new fd (close-on-exec).  Kinds that touch the network (netdev, attach) ask
 * for CAP_NET_ADMIN in the user namespace that owns the network namespace;
 * nothing that is later done with the fd asks again.
 * Errors: ENOENT (kind), EEXIST (name), EINVAL (name, mac, mtu, max_queues, params),
 * E2BIG (params), EBADF (netns_fd), EPERM, ENOMEM, EMFILE, ENFILE, EDQUOT (the user has as
 * many endpoints as the module's parameter endpoints_per_user allows who has no
 * CAP_SYS_RESOURCE in the initial user namespace); and what the kind's struct names.
 */
#define NB_CREATE_ENDPOINT	_IO(NB_IOCTL_TYPE, 0x02)

/**
 * enum nb_attach_flags - &nb_attach_params.flags
 * @NB_ATTACH_PROMISCUOUS: the guest gets every frame that arrives at the network
 *	interface, and the host none.  Without it the guest gets those for its own
 *	address, and besides the host those for a group: broadcast, and multicast as
 *	NB_ENDPOINT_SET_MULTICAST says; the host gets the others
 */
enum nb_attach_flags {
	NB_ATTACH_PROMISCUOUS	= 1 << 0,
};

/**
 * struct nb_attach_params - &nb_create_endpoint.params of kind attach
 * @flags: of &enum nb_attach_flags
 * @ifindex: index of the network interface in the endpoint's network namespace, or 0
 *	if @ifname is given
 * @ifname: its name, zero-terminated, or empty if @ifindex is given
 *
 * Errors of NB_CREATE_ENDPOINT: ENODEV (there is no such interface), EBUSY (it is
 * attached, or a port of something: bridge, bond, macvlan, …), EINVAL (not an Ethernet
 * interface, or one of kind netdev).
 */
struct nb_attach_params {
	__u32 flags;
	__u32 ifindex;
	char ifname[16];
};

/* ---- kind switch --------------------------------------------------------- */

/**
 * define NB_SWITCH_VLANS - VLAN IDs, of which 0 stands for no VLAN, and 4095 for none
 */
#define NB_SWITCH_VLANS		4096
/**
 * define NB_SWITCH_MAX_PORTS - most ports of a switch
 */
#define NB_SWITCH_MAX_PORTS	256
/**
 * define NB_SWITCH_MAX_TABLE - most addresses that a switch can be told to learn
 */
#define NB_SWITCH_MAX_TABLE	65536
/**
 * define NB_SWITCH_FLOOD_NONE - a limit that lets nothing pass
 */
#define NB_SWITCH_FLOOD_NONE	0xffffffffu

/**
 * enum nb_switch_flags - &nb_switch_params.flags
 * @NB_SWITCH_JOIN: the port belongs to the private switch of &nb_switch_params.group_fd
 * @NB_SWITCH_ISOLATED: the port exchanges nothing with other ports that have this flag
 */
enum nb_switch_flags {
	NB_SWITCH_JOIN		= 1 << 0,
	NB_SWITCH_ISOLATED	= 1 << 1,
};

/**
 * enum nb_switch_vlan_mode - what a port lets pass, in both directions
 * @NB_SWITCH_VLAN_ALL: every VLAN, tagged, and what has no tag
 * @NB_SWITCH_VLAN_ACCESS: VLAN @pvid alone; leaves without a tag
 * @NB_SWITCH_VLAN_TRUNK: the VLANs in @vlans, tagged, and VLAN @pvid without a tag
 *
 * A packet belongs to the VLAN of its tag, whether that is in its bytes (802.1Q) or beside
 * them (NB_TX_VLAN); without a tag, or with VLAN ID 0, to the port's @pvid.
 */
enum nb_switch_vlan_mode {
	NB_SWITCH_VLAN_ALL	= 0,
	NB_SWITCH_VLAN_ACCESS	= 1,
	NB_SWITCH_VLAN_TRUNK	= 2,
};

/**
 * struct nb_switch_params - &nb_create_endpoint.params of kind switch: a port
 * @flags: of &enum nb_switch_flags
 * @group_fd: with NB_SWITCH_JOIN: endpoint fd of a port of a private switch; else 0
 * @name: of the switch in the endpoint's network namespace, zero-terminated: the first
 *	port makes it, the last one takes it along.  Asks for CAP_NET_ADMIN in the user
 *	namespace that owns the network namespace.  Empty: a private switch, the one of
 *	@group_fd or a new one, for which nobody is asked
 * @table_size: most addresses that the switch learns, at most NB_SWITCH_MAX_TABLE; 0: as
 *	the switch has it, a new one 1024
 * @ageing_ms: milliseconds after which an address that has sent nothing is forgotten; 0: as
 *	the switch has it, a new one 300,000
 * @max_addresses: most of them that this port may have; 0: 128, for an uplink @table_size
 * @broadcast_limit: broadcast packets a second that the port may send; 0: no limit
 * @multicast_limit: the same for multicast
 * @unknown_limit: the same for packets to addresses that the switch does not know
 * @vlan_mode: of &enum nb_switch_vlan_mode
 * @pvid: with NB_SWITCH_VLAN_ACCESS the VLAN, 1 … 4094; with NB_SWITCH_VLAN_TRUNK that of
 *	packets without a tag, or 0: then they are in no VLAN, which bit 0 of @vlans lets
 *	pass; else 0
 * @reserved: must be 0
 * @vlans: with NB_SWITCH_VLAN_TRUNK: VLAN v is bit v % 8 of byte v / 8, with @pvid among
 *	them; else 0
 *
 * Errors: EINVAL, EPERM, EBADF (@group_fd), EEXIST (a second uplink), ENOSPC
 * (NB_SWITCH_MAX_PORTS).
 */
struct nb_switch_params {
	__u32 flags;
	__s32 group_fd;
	char name[NB_NAME_LEN];
	__u32 table_size;
	__u32 ageing_ms;
	__u32 max_addresses;
	__u32 broadcast_limit;
	__u32 multicast_limit;
	__u32 unknown_limit;
	__u16 vlan_mode;
	__u16 pvid;
	__u32 reserved;
	__u8 vlans[NB_SWITCH_VLANS / 8];
};

/**
 * enum nb_netdev_flags - &nb_netdev_params.flags
 * @NB_NETDEV_UPLINK: the interface is a port of a switch instead of a guest's NIC
 */
enum nb_netdev_flags {
	NB_NETDEV_UPLINK	= 1 << 0,
};

/**
 * struct nb_netdev_params - &nb_create_endpoint.params of kind netdev
 * @flags: of &enum nb_netdev_flags
 * @reserved: must be 0
 * @port: with NB_NETDEV_UPLINK: of which switch, and what the port is like; else 0
 *
 * An uplink has no queues: get_queues fails with EOPNOTSUPP.  A switch has one at most.
 */
struct nb_netdev_params {
	__u32 flags;
	__u32 reserved;
	struct nb_switch_params port;
};

/* ---- memory fd ----------------------------------------------------------- */

/**
 * enum nb_region_flags - flags of NB_MEMORY_ADD_REGION
 * @NB_REGION_READ_ONLY: the kernel only reads from the region: packets can be
 *	sent out of it, but it cannot hold receive buffers
 * @NB_REGION_FD: the region is a part of the memfd &nb_add_region.fd, and need
 *	not be mapped by anybody
 */
enum nb_region_flags {
	NB_REGION_READ_ONLY	= 1 << 0,
	NB_REGION_FD		= 1 << 1,
};

/**
 * struct nb_add_region - NB_MEMORY_ADD_REGION: a range of guest memory
 * @size: sizeof(struct nb_add_region)
 * @flags: of &enum nb_region_flags
 * @msg: see &struct nb_message
 * @gpa: in: first guest-physical address; a multiple of the page size
 * @len: in: bytes; a multiple of the page size (of that of the file for one on
 *	hugetlbfs), not 0; @gpa + @len may not wrap.  Memory that is not in huge
 *	pages, 1 TiB at most
 * @addr: in: user address in the caller's address space, or with NB_REGION_FD
 *	the offset in @fd, where the region lies; a multiple of the page size
 * @fd: in: with NB_REGION_FD: an fd made by memfd_create(), or of a file on
 *	tmpfs or hugetlbfs, opened for writing unless NB_REGION_READ_ONLY; else 0
 * @reserved: must be 0
 */
struct nb_add_region {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 gpa;
	__aligned_u64 len;
	__aligned_u64 addr;
	__s32 fd;
	__u32 reserved;
};

/**
 * define NB_MEMORY_ADD_REGION - register a range of guest memory; on a memory fd
 *
 * The pages are pinned until the region is removed or the memory is gone, and
 * counted against RLIMIT_MEMLOCK of the caller's user unless the caller has
 * CAP_IPC_LOCK.  Unmapping the range in user space does not end that.  Allowed at
 * any time, also while queues use the memory.
 * Errors: EINVAL (alignment, size, wrap), EEXIST (overlaps another region),
 * EFAULT (not mapped, or not writable), EBADF (fd, also one that cannot be written),
 * ENOMEM (also RLIMIT_MEMLOCK), ENOSPC (NB_MAX_REGIONS), EINTR.
 */
#define NB_MEMORY_ADD_REGION	_IO(NB_IOCTL_TYPE, 0x10)

/**
 * struct nb_remove_region - NB_MEMORY_REMOVE_REGION
 * @size: sizeof(struct nb_remove_region)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @gpa: in: @gpa of the region as it was added
 * @len: in: @len of the region as it was added
 */
struct nb_remove_region {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 gpa;
	__aligned_u64 len;
};

/**
 * define NB_MEMORY_REMOVE_REGION - forget a range of guest memory
 *
 * On a memory fd, at any time.  When the call returns, the kernel does not touch
 * the range any more.  Segments that name it fail with NB_TX_FAULT, receive
 * buffers with NB_RX_FAULT.  Of packets that were sent with NB_QUEUE_ZEROCOPY_TX before
 * that, the host may still read the pages, which stay in memory for as long.
 * Errors: ENOENT (no region has exactly this range), ENOMEM.
 */
#define NB_MEMORY_REMOVE_REGION	_IO(NB_IOCTL_TYPE, 0x11)

/**
 * define NB_DIRTY_PAGE_SIZE - bytes of guest memory that a bit stands for
 */
#define NB_DIRTY_PAGE_SIZE	4096

/**
 * struct nb_start_dirty_log - NB_MEMORY_START_DIRTY_LOG
 * @size: sizeof(struct nb_start_dirty_log)
 * @flags: must be 0
 * @msg: see &struct nb_message
 */
struct nb_start_dirty_log {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
};

/**
 * define NB_MEMORY_START_DIRTY_LOG - begin to log what the kernel writes
 *
 * On a memory fd, at any time.  When the call returns, every page of guest memory that
 * the kernel writes is marked in the bitmap of its region, after it is written, and
 * before the frontend can see the buffer in rx-done.  Regions that are added later have
 * a bitmap, too.  Pages that are only read are not marked, nor is what the guest and
 * the frontend write themselves.
 * Errors: EBADFD (the log is on), ENOMEM.
 */
#define NB_MEMORY_START_DIRTY_LOG	_IO(NB_IOCTL_TYPE, 0x12)

/**
 * struct nb_stop_dirty_log - NB_MEMORY_STOP_DIRTY_LOG
 * @size: sizeof(struct nb_stop_dirty_log)
 * @flags: must be 0
 * @msg: see &struct nb_message
 */
struct nb_stop_dirty_log {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
};

/**
 * define NB_MEMORY_STOP_DIRTY_LOG - log no longer; on a memory fd, at any time
 *
 * When the call returns, no bit is set any more.  Bitmaps that are mapped keep what is in
 * them for as long as they are mapped; they cannot be mapped anew.
 * Errors: EBADFD (the log is off), ENOMEM.
 */
#define NB_MEMORY_STOP_DIRTY_LOG	_IO(NB_IOCTL_TYPE, 0x13)

/**
 * struct nb_get_dirty_log - NB_MEMORY_GET_DIRTY_LOG: where the bitmap of a region is
 * @size: sizeof(struct nb_get_dirty_log)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @gpa: in: any guest-physical address; out: first one of the region that holds it,
 *	or of the next region above
 * @len: out: bytes of that region
 * @offset: out: mmap() offset of its bitmap on the memory fd; never that of another
 *	bitmap of this memory, also after the log has been stopped and started
 * @bitmap_size: out: bytes of the bitmap; 0 for a region with NB_REGION_READ_ONLY,
 *	which has none
 *
 * Bit ``n % 8`` of byte ``n / 8`` stands for the NB_DIRTY_PAGE_SIZE bytes from
 * @gpa + n * NB_DIRTY_PAGE_SIZE on; where words are little-endian, that is bit
 * ``n % 64`` of __u64 ``n / 64``.  The mapping is MAP_SHARED, read-write, of the whole
 * bitmap or of pages of it.  The kernel sets bits atomically; whoever takes them does so
 * atomically, too, with acquire semantics, and then copies the pages: exchange a word for
 * 0.  What user space writes there changes nothing but what it reads there.
 *
 * A bitmap that is mapped stays when its region is removed.
 */
struct nb_get_dirty_log {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 gpa;
	__aligned_u64 len;
	__aligned_u64 offset;
	__aligned_u64 bitmap_size;
};

/**
 * define NB_MEMORY_GET_DIRTY_LOG - find the bitmap of a region; on a memory fd
 *
 * Called from @gpa 0 on, each time behind the region that was found, it finds all.
 * Errors: EBADFD (the log is off), ENOENT (no region ends above @gpa).
 */
#define NB_MEMORY_GET_DIRTY_LOG	_IO(NB_IOCTL_TYPE, 0x14)

/* ---- endpoint fd --------------------------------------------------------- */

/**
 * enum nb_endpoint_properties - what an endpoint is like
 * @NB_ENDPOINT_ORDERED: receive buffers are completed in the order in which they
 *	were made available (the crate's is_ordered)
 * @NB_ENDPOINT_TX_FAST_COMPLETIONS: transmits are complete when ENTER returns,
 *	so a guest needs no interrupt for them (the crate's tx_fast_completions)
 * @NB_ENDPOINT_LINK_UP: a backend is plugged in that can carry packets, and the operator
 *	has not set the link down
 * @NB_ENDPOINT_CONNECTED: a backend is plugged in; without one, the endpoint is what it
 *	was with the last one, accepts and discards every transmit, and receives nothing
 */
enum nb_endpoint_properties {
	NB_ENDPOINT_ORDERED		= 1 << 0,
	NB_ENDPOINT_TX_FAST_COMPLETIONS	= 1 << 1,
	NB_ENDPOINT_LINK_UP		= 1 << 2,
	NB_ENDPOINT_CONNECTED		= 1 << 3,
};

/**
 * enum nb_tx_offloads - what a backend does to packets on request; a transmit
 *	flag that needs an offload that is not offered ends with NB_TX_UNSUPPORTED
 * @NB_OFFLOAD_IPV4_HEADER: fill in the IPv4 header's checksum
 * @NB_OFFLOAD_TCP: fill in the TCP checksum
 * @NB_OFFLOAD_UDP: fill in the UDP checksum
 * @NB_OFFLOAD_TSO: cut TCP super-packets
 * @NB_OFFLOAD_USO: cut UDP super-packets
 */
enum nb_tx_offloads {
	NB_OFFLOAD_IPV4_HEADER	= 1 << 0,
	NB_OFFLOAD_TCP		= 1 << 1,
	NB_OFFLOAD_UDP		= 1 << 2,
	NB_OFFLOAD_TSO		= 1 << 3,
	NB_OFFLOAD_USO		= 1 << 4,
};

/**
 * struct nb_endpoint_info - NB_ENDPOINT_GET_INFO: what an endpoint is and can do
 * @size: sizeof(struct nb_endpoint_info)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @id: out: number of the endpoint, unique on this machine while it lives
 * @ifindex: out: index of the net_device behind it in its network namespace, or 0
 * @kind: out: name of the kind (the crate's endpoint_type)
 * @name: out: name of the endpoint, for kind netdev that of the interface now; for kind
 *	attach, too, if the endpoint has none
 * @mac: out: Ethernet address of the guest's NIC
 * @max_queues: out: most queues of one get_queues call
 * @indirection_table_size: out: entries of the RSS indirection table, or 0 for a
 *	backend without RSS
 * @n_queues: out: queues that exist now
 * @tx_offloads: out: of &enum nb_tx_offloads
 * @mtu: out: largest layer-3 packet in bytes, or 0 for a kind without an MTU
 * @properties: out: of &enum nb_endpoint_properties
 * @link_speed: out: bits per second
 */
struct nb_endpoint_info {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__u32 id;
	__u32 ifindex;
	char kind[NB_KIND_LEN];
	char name[NB_NAME_LEN];
	__u8 mac[6];
	__u16 max_queues;
	__u16 indirection_table_size;
	__u16 n_queues;
	__u32 tx_offloads;
	__u32 mtu;
	__u32 properties;
	__aligned_u64 link_speed;
};

/**
 * define NB_ENDPOINT_GET_INFO - ask what an endpoint can do; on an endpoint fd
 *
 * Errors: ENODEV.
 */
#define NB_ENDPOINT_GET_INFO	_IO(NB_IOCTL_TYPE, 0x20)

/**
 * define NB_ANY_CPU - a queue that serves no CPU in particular
 */
#define NB_ANY_CPU		0xffffffffu

/**
 * enum nb_queue_flags - how a queue is to work
 * @NB_QUEUE_RX_CHECKSUM: packets with NB_RX_NEEDS_CHECKSUM
 * @NB_QUEUE_RX_TCP_SEGMENTATION: TCP super-packets with a segment_size; needs
 *	NB_QUEUE_RX_CHECKSUM, and buffers of 64 KiB
 * @NB_QUEUE_RX_UDP_SEGMENTATION: the same for UDP
 * @NB_QUEUE_POLL: a thread of the kernel drives the queue, so that the frontend makes no
 *	system call while there is traffic; see &nb_queue_config.poll_idle_us
 * @NB_QUEUE_ZEROCOPY_TX: the payload of long IP packets may stay in guest memory until the
 *	host has no more use for it, where the host does not copy it anyway (kind netdev:
 *	in a bridge and the like).  Such a packet is completed only then, out of order, and
 *	whatever ENTER or NB_ENDPOINT_TX_FAST_COMPLETIONS say; its pages stay in memory
 *	until then, also when the region is removed, or the queue closed, which does not
 *	wait for it.  See &nb_queue_stats.tx_zerocopy
 *
 * Those beginning with NB_QUEUE_RX say what the frontend takes in its receive buffers;
 * without any it takes plain packets: their checksums are complete, and none is longer
 * than the MTU and its headers.  A backend that cannot make use of one ignores it.  All
 * queues of an endpoint say the same.
 */
enum nb_queue_flags {
	NB_QUEUE_RX_CHECKSUM		= 1 << 0,
	NB_QUEUE_RX_TCP_SEGMENTATION	= 1 << 1,
	NB_QUEUE_RX_UDP_SEGMENTATION	= 1 << 2,
	NB_QUEUE_POLL			= 1 << 3,
	NB_QUEUE_ZEROCOPY_TX		= 1 << 4,
};

/**
 * define NB_MAX_POLL_IDLE_US - the longest time that a poller looks in vain, a second
 */
#define NB_MAX_POLL_IDLE_US	1000000u

/**
 * struct nb_queue_config - configuration of one queue (the crate's QueueConfig)
 * @tx_avail_entries: in: entries of the tx-avail ring
 * @tx_done_entries: in: entries of the tx-done ring
 * @rx_avail_entries: in: entries of the rx-avail ring
 * @rx_done_entries: in: entries of the rx-done ring
 * @target_cpu: in: CPU that the queue should serve, or NB_ANY_CPU
 * @flags: in: of &enum nb_queue_flags
 * @poll_idle_us: in: with NB_QUEUE_POLL: microseconds without work after which the thread
 *	sleeps, and need_wakeup asks for ENTER or a kick; up to NB_MAX_POLL_IDLE_US; 0: 50.
 *	Else 0
 * @reserved: must be 0
 *
 * Entries are powers of two from NB_MIN_RING_ENTRIES to NB_MAX_RING_ENTRIES.  The
 * thread is in the cgroups of the caller of NB_ENDPOINT_GET_QUEUES, and runs on @target_cpu
 * while that is online and allowed there.  A queue of kind attach, or with
 * NB_QUEUE_ZEROCOPY_TX, without NB_QUEUE_POLL, has such a thread, too, which goes on with what
 * was left, and works off kicks.
 */
struct nb_queue_config {
	__u32 tx_avail_entries;
	__u32 tx_done_entries;
	__u32 rx_avail_entries;
	__u32 rx_done_entries;
	__u32 target_cpu;
	__u32 flags;
	__u32 poll_idle_us;
	__u32 reserved;
};

/**
 * struct nb_rss_config - receive-side scaling (the crate's RssConfig)
 * @key: user address of the Toeplitz key
 * @table: user address of the indirection table: an array of __u16, queue numbers
 * @key_len: bytes of the key, 1 … NB_MAX_RSS_KEY_LEN
 * @table_len: entries of the table, 1 … &nb_endpoint_info.indirection_table_size
 * @flags: must be 0
 * @reserved: must be 0
 */
struct nb_rss_config {
	__aligned_u64 key;
	__aligned_u64 table;
	__u32 key_len;
	__u32 table_len;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct nb_get_queues - NB_ENDPOINT_GET_QUEUES: all queues of an endpoint
 * @size: sizeof(struct nb_get_queues)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @configs: in: user address of an array of @n_queues &struct nb_queue_config
 * @fds: in: user address of an array of @n_queues __s32; out: the queue fds
 * @rss: in: user address of a &struct nb_rss_config, or 0 for none
 * @n_queues: in: number of queues, 1 … &nb_endpoint_info.max_queues
 * @config_size: in: sizeof(struct nb_queue_config); same rules as for @size
 * @rss_size: in: sizeof(struct nb_rss_config), or 0 without @rss; same rules
 * @memory_fd: in: the memory in which the queues' packets and buffers lie
 */
struct nb_get_queues {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 configs;
	__aligned_u64 fds;
	__aligned_u64 rss;
	__u32 n_queues;
	__u32 config_size;
	__u32 rss_size;
	__s32 memory_fd;
};

/**
 * define NB_ENDPOINT_GET_QUEUES - make all queues at once; on an endpoint fd
 *
 * Returns 0 and @n_queues new fds (close-on-exec), or an error and none.  A queue
 * holds its endpoint and its memory: their fds may be closed.
 * Errors: EBUSY (the endpoint has queues), EINVAL (sizes, counts, RSS), EBADF
 * (memory_fd), EOPNOTSUPP (RSS on a kind without it), ENODEV, ENOMEM, EMFILE,
 * ENFILE, and what else keeps the kernel from making a thread, such as EINTR (a signal that
 * kills).
 */
#define NB_ENDPOINT_GET_QUEUES	_IO(NB_IOCTL_TYPE, 0x21)

/**
 * struct nb_set_rss - NB_ENDPOINT_SET_RSS
 * @size: sizeof(struct nb_set_rss)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @rss: in: user address of a &struct nb_rss_config, or 0: the backend spreads
 *	packets as it likes
 * @rss_size: in: sizeof(struct nb_rss_config), or 0 without @rss; same rules as for
 *	@size
 * @reserved: must be 0
 */
struct nb_set_rss {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 rss;
	__u32 rss_size;
	__u32 reserved;
};

/**
 * define NB_ENDPOINT_SET_RSS - spread flows in another way; on an endpoint fd
 *
 * While packets flow; none is lost by it.  Until the queues are closed.
 * Errors: EINVAL (also without queues), EOPNOTSUPP (a kind without RSS), EFAULT,
 * ENOMEM.
 */
#define NB_ENDPOINT_SET_RSS	_IO(NB_IOCTL_TYPE, 0x25)

/**
 * struct nb_endpoint_stop - NB_ENDPOINT_STOP
 * @size: sizeof(struct nb_endpoint_stop)
 * @flags: must be 0
 * @msg: see &struct nb_message
 */
struct nb_endpoint_stop {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
};

/**
 * define NB_ENDPOINT_STOP - stop an endpoint; on an endpoint fd
 *
 * All queues must have been closed before.  get_queues starts it again.
 * Errors: EBUSY (the endpoint has queues).
 */
#define NB_ENDPOINT_STOP	_IO(NB_IOCTL_TYPE, 0x22)

/**
 * struct nb_data_path - NB_ENDPOINT_SET_DATA_PATH, NB_ENDPOINT_GET_DATA_PATH
 * @size: sizeof(struct nb_data_path)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @to_guest_vf: 1: packets take the virtual function that the guest has been
 *	given; 0: they take the queues.  In for SET, out for GET
 * @reserved: must be 0
 */
struct nb_data_path {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__u32 to_guest_vf;
	__u32 reserved;
};

/**
 * define NB_ENDPOINT_SET_DATA_PATH - switch between the queues and a paired VF
 *
 * On an endpoint fd (the crate's set_data_path_to_guest_vf).  Kind attach steps aside:
 * what arrives at the network interface goes on to whatever the guest has been given of
 * it; what the guest sends on its queues is transmitted all the same.
 * Errors: EOPNOTSUPP (the kind pairs with none; kind null takes @to_guest_vf 0),
 * EINVAL, ENODEV.
 */
#define NB_ENDPOINT_SET_DATA_PATH	_IO(NB_IOCTL_TYPE, 0x23)

/**
 * define NB_ENDPOINT_GET_DATA_PATH - ask which way packets take
 *
 * On an endpoint fd (the crate's get_data_path_to_guest_vf).
 * Errors: EOPNOTSUPP (the kind pairs with none).
 */
#define NB_ENDPOINT_GET_DATA_PATH	_IO(NB_IOCTL_TYPE, 0x24)

/**
 * enum nb_connect_flags - flags of NB_ENDPOINT_CONNECT
 * @NB_CONNECT_FROM: &nb_connect.from_fd is given
 */
enum nb_connect_flags {
	NB_CONNECT_FROM	= 1 << 0,
};

/**
 * struct nb_connect - NB_ENDPOINT_CONNECT: plug in a backend
 * @size: sizeof(struct nb_connect)
 * @flags: of &enum nb_connect_flags
 * @msg: see &struct nb_message
 * @from_fd: in: with NB_CONNECT_FROM: another endpoint fd, with which this endpoint
 *	exchanges backends first; else 0
 * @reserved: must be 0
 */
struct nb_connect {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__s32 from_fd;
	__u32 reserved;
};

/**
 * define NB_ENDPOINT_CONNECT - plug in a backend while the frontend runs
 *
 * On an endpoint fd that was disconnected.  Without NB_CONNECT_FROM it gets back the
 * backend that it has.  With it, the two endpoints exchange their backends: what the
 * other one has is plugged in here, and what was here is there, not plugged in.  If the
 * other one was connected, it is disconnected by that.  The frontend gets
 * RestartRequired; queues that it still has receive nothing.  The Ethernet address stays
 * the endpoint's.
 *
 * Errors: EISCONN (a backend is plugged in), EBUSY (queues use one of the backends),
 * EINVAL (the same endpoint; or the endpoint was ordered, and the backend is not),
 * EBADF (from_fd), ENODEV (what the backend stood on is gone); and what the kind
 * says.
 */
#define NB_ENDPOINT_CONNECT	_IO(NB_IOCTL_TYPE, 0x26)

/**
 * struct nb_disconnect - NB_ENDPOINT_DISCONNECT: unplug the backend
 * @size: sizeof(struct nb_disconnect)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @timeout_ns: in: most nanoseconds that the frontend gets to drop its queues, or
 *	NB_NO_TIMEOUT; 0 does not wait
 */
struct nb_disconnect {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 timeout_ns;
};

/**
 * define NB_ENDPOINT_DISCONNECT - unplug the backend while the frontend runs
 *
 * On an endpoint fd.  The frontend gets RestartRequired.  The call waits until the
 * frontend has closed the queues that use the backend; when the time limit has passed,
 * those that are left become NB_QUEUE_RESTART.  Then the backend is unused, and whole: it
 * can be plugged in again, here or at another endpoint.  Until NB_ENDPOINT_CONNECT, new
 * queues accept and discard every transmit, and receive nothing.
 *
 * If a disconnect is under way, the call waits for that one, and gives it its own time
 * limit if that ends earlier.
 *
 * Errors: ENOTCONN (no backend is plugged in), EINTR (a signal: then the backend is
 * plugged in again, and the frontend gets RestartRequired once more; unless somebody else
 * has called NB_ENDPOINT_DISCONNECT or NB_CMD_ENDPOINT_DISCONNECT meanwhile, or before:
 * then it goes on).
 */
#define NB_ENDPOINT_DISCONNECT	_IO(NB_IOCTL_TYPE, 0x27)

/**
 * enum nb_set_multicast_flags - flags of NB_ENDPOINT_SET_MULTICAST
 * @NB_MULTICAST_ALL: all groups, without a list; a new endpoint begins with that
 */
enum nb_set_multicast_flags {
	NB_MULTICAST_ALL	= 1 << 0,
};

/**
 * struct nb_multicast - an entry of the list
 * @mac: the Ethernet address of a group
 */
struct nb_multicast {
	__u8 mac[6];
};

/**
 * struct nb_set_multicast - NB_ENDPOINT_SET_MULTICAST
 * @size: sizeof(struct nb_set_multicast)
 * @flags: of &enum nb_set_multicast_flags
 * @msg: see &struct nb_message
 * @list: in: user address of an array of &struct nb_multicast, or 0 for none
 * @n: in: its entries, 0 … NB_MAX_MULTICAST; 0 with NB_MULTICAST_ALL
 * @reserved: must be 0
 */
struct nb_set_multicast {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 list;
	__u32 n;
	__u32 reserved;
};

/**
 * define NB_ENDPOINT_SET_MULTICAST - the groups that the guest listens to; on an
 *	endpoint fd
 *
 * At any time, and for as long as the backend lives; replaces the last list.
 * Broadcast is no group: it always passes.
 * Errors: EOPNOTSUPP (the kind does not filter: all frames pass), EINVAL (flags, n, an
 * address that is not that of a group), EFAULT, ENODEV, ENOMEM, and what the network
 * interface says.
 */
#define NB_ENDPOINT_SET_MULTICAST	_IO(NB_IOCTL_TYPE, 0x2a)

/**
 * enum nb_action_type - what a frontend has to do or know
 * @NB_ACTION_RESTART_REQUIRED: drop all queues and call get_queues again
 * @NB_ACTION_LINK_STATUS_NOTIFY: the link is up (value 1) or down (value 0)
 */
enum nb_action_type {
	NB_ACTION_RESTART_REQUIRED	= 1,
	NB_ACTION_LINK_STATUS_NOTIFY	= 2,
};

/**
 * struct nb_action - a record that read() on an endpoint fd returns
 *	(the crate's EndpointAction)
 * @type: of &enum nb_action_type
 * @value: see there, else 0
 *
 * read() returns as many whole records as fit.  With none it waits, or fails with
 * EAGAIN if the fd is non-blocking; a buffer smaller than a record is EINVAL.  It
 * returns 0 once the backend that is plugged in is gone for good and all records have
 * been read.  poll() reports POLLIN while there are records, and POLLHUP once that
 * backend is gone for good, until another is plugged in; the restart that this requires
 * comes at the same time.  Several changes of the link since the last read() are one
 * record with the last state.
 */
struct nb_action {
	__u32 type;
	__u32 value;
};

/* ---- queue fd: the rings ------------------------------------------------- */

/**
 * DOC: rings
 *
 * A queue has four rings, each with one producer and one consumer:
 *
 * ========  ========  ========  =================================
 * ring      producer  consumer  entry
 * ========  ========  ========  =================================
 * tx-avail  frontend  kernel    &struct nb_tx_segment, 32 bytes
 * tx-done   kernel    frontend  &struct nb_tx_completion, 8 bytes
 * rx-avail  frontend  kernel    &struct nb_rx_segment, 16 bytes
 * rx-done   kernel    frontend  &struct nb_rx_metadata, 32 bytes
 * ========  ========  ========  =================================
 *
 * A queue fd has two maps, so that the MMU enforces who writes what: the kernel
 * map (mmap() offset NB_MMAP_KERNEL, read-only) holds what the kernel writes, the
 * user map (offset NB_MMAP_USER, read-write) what the frontend writes.  Both are
 * MAP_SHARED.  The kernel map begins with &struct nb_queue_header, which says
 * where everything else is; &struct nb_queue_info gives the sizes of the maps.
 *
 * An index is a free-running __u32: entry ``i & mask`` of the ring.  The producer
 * writes entries, then its index with release semantics; the consumer reads that
 * index with acquire semantics, then the entries, then writes its own index with
 * release semantics.  ``producer - consumer`` is the number of entries in the
 * ring; more than the ring holds is a broken index and fails the queue.
 *
 * need_wakeup (kernel map) tells the frontend when to call ENTER or to kick: after
 * publishing an index it executes a full fence, then reads need_wakeup.
 * need_notify (user map) tells the kernel when to wake the frontend: the kernel
 * publishes an index, executes a full fence, then reads need_notify.  A frontend
 * that sets it looks at the rings once more, after a full fence, before it sleeps.
 */

/**
 * define NB_MMAP_KERNEL - mmap() offset of the map that the kernel writes
 */
#define NB_MMAP_KERNEL		0x00000000ULL
/**
 * define NB_MMAP_USER - mmap() offset of the map that the frontend writes
 */
#define NB_MMAP_USER		0x40000000ULL

/**
 * define NB_QUEUE_MAGIC - what &nb_queue_header.magic is, "NBQ1"
 */
#define NB_QUEUE_MAGIC		0x3151424eu

/**
 * enum nb_ring_id - index in &nb_queue_header.rings
 * @NB_RING_TX_AVAIL: segments to transmit
 * @NB_RING_TX_DONE: completed transmits
 * @NB_RING_RX_AVAIL: receive buffers
 * @NB_RING_RX_DONE: received packets
 * @NB_N_RINGS: their number
 */
enum nb_ring_id {
	NB_RING_TX_AVAIL	= 0,
	NB_RING_TX_DONE		= 1,
	NB_RING_RX_AVAIL	= 2,
	NB_RING_RX_DONE		= 3,
	NB_N_RINGS		= 4,
};

/**
 * struct nb_ring_layout - where a ring is; written by the kernel, constant
 * @entries: entries of the ring, a power of two
 * @mask: @entries - 1
 * @entry_size: bytes from one entry to the next, at least the size in this header
 * @entries_offset: offset of the first entry, in the producer's map
 * @producer_offset: offset of the producer's index, in the producer's map
 * @consumer_offset: offset of the consumer's index, in the consumer's map
 * @reserved: 0
 */
struct nb_ring_layout {
	__u32 entries;
	__u32 mask;
	__u32 entry_size;
	__u32 entries_offset;
	__u32 producer_offset;
	__u32 consumer_offset;
	__u32 reserved[2];
};

/**
 * struct nb_queue_header - what the kernel map begins with; constant
 * @magic: NB_QUEUE_MAGIC
 * @header_size: bytes of this struct as the kernel knows it
 * @kernel_map_size: bytes of the kernel map
 * @user_map_size: bytes of the user map
 * @state_offset: offset of the __u32 with the queue's &enum nb_queue_state, in the
 *	kernel map
 * @need_wakeup_offset: offset of the __u32 need_wakeup, of
 *	&enum nb_need_wakeup, in the kernel map
 * @need_notify_offset: offset of the __u32 need_notify, of
 *	&enum nb_need_notify, in the user map; both bits are set at first
 * @n_rings: NB_N_RINGS
 * @rings: the rings, by &enum nb_ring_id
 */
struct nb_queue_header {
	__u32 magic;
	__u32 header_size;
	__u32 kernel_map_size;
	__u32 user_map_size;
	__u32 state_offset;
	__u32 need_wakeup_offset;
	__u32 need_notify_offset;
	__u32 n_rings;
	struct nb_ring_layout rings[NB_N_RINGS];
};

/**
 * enum nb_queue_state - the queue's state word (the crate's TxError)
 * @NB_QUEUE_RUNNING: the queue works
 * @NB_QUEUE_RESTART: the backend has left; close the queues and call get_queues
 *	again (TxError::TryRestart); ENTER fails with ENETRESET
 * @NB_QUEUE_FAILED: an index was broken; ENTER fails with EIO (TxError::Fatal)
 * @NB_QUEUE_QUIESCED: the queue stands still until NB_QUEUE_RESUME, see
 *	NB_QUEUE_QUIESCE; ENTER fails with ESHUTDOWN
 *
 * A queue never leaves NB_QUEUE_RESTART and NB_QUEUE_FAILED.  What is in tx-done and
 * rx-done stays valid; buffers and segments that are not there have not been, and will
 * not be, completed.  A quiesced queue may still get NB_QUEUE_RESTART.
 */
enum nb_queue_state {
	NB_QUEUE_RUNNING	= 0,
	NB_QUEUE_RESTART	= 1,
	NB_QUEUE_FAILED		= 2,
	NB_QUEUE_QUIESCED	= 3,
};

/**
 * enum nb_need_wakeup - when the kernel must be told, in need_wakeup
 * @NB_NEED_WAKEUP_TX: the kernel does not look at tx-avail by itself: ENTER with
 *	NB_ENTER_TX, or kick.  Clear only while the thread of a queue with NB_QUEUE_POLL is
 *	awake
 * @NB_NEED_WAKEUP_RX: the backend waits for receive buffers, or for room in
 *	rx-done: when that has changed, ENTER with NB_ENTER_RX, or kick
 */
enum nb_need_wakeup {
	NB_NEED_WAKEUP_TX	= 1 << 0,
	NB_NEED_WAKEUP_RX	= 1 << 1,
};

/**
 * enum nb_need_notify - what the frontend wants to be woken for, in need_notify
 * @NB_NEED_NOTIFY_TX: entries in tx-done
 * @NB_NEED_NOTIFY_RX: entries in rx-done
 *
 * poll() on the queue fd reports POLLIN while there are entries in tx-done or rx-done,
 * and POLLERR when the queue is not running any more.  Being woken is: poll() returns,
 * and the call eventfd is signalled, once a batch.  A wait in ENTER ends in any case, and
 * so does every wait when the queue's state changes.
 */
enum nb_need_notify {
	NB_NEED_NOTIFY_TX	= 1 << 0,
	NB_NEED_NOTIFY_RX	= 1 << 1,
};

/**
 * enum nb_tx_flags - &nb_tx_segment.flags (the crate's TxFlags)
 * @NB_TX_HEAD: the segment is the first of a packet (TxSegmentType::Head); the
 *	only flag that a tail has clear, and a tail has no other flag
 * @NB_TX_OFFLOAD_IP_HEADER_CHECKSUM: fill in the IPv4 header's checksum; needs
 *	NB_TX_IS_IPV4, l2_len, l3_len
 * @NB_TX_OFFLOAD_TCP_CHECKSUM: fill in the TCP checksum; needs NB_TX_IS_IPV4 or
 *	NB_TX_IS_IPV6, l2_len, l3_len
 * @NB_TX_OFFLOAD_UDP_CHECKSUM: the same for UDP
 * @NB_TX_OFFLOAD_TCP_SEGMENTATION: cut the packet into TCP segments of
 *	max_segment_size bytes of payload; needs l4_len, too
 * @NB_TX_OFFLOAD_UDP_SEGMENTATION: the same for UDP
 * @NB_TX_IS_IPV4: the packet is IPv4
 * @NB_TX_IS_IPV6: the packet is IPv6
 * @NB_TX_VLAN: insert a VLAN tag with the TCI &nb_tx_segment.vlan
 */
enum nb_tx_flags {
	NB_TX_HEAD				= 1 << 0,
	NB_TX_OFFLOAD_IP_HEADER_CHECKSUM	= 1 << 1,
	NB_TX_OFFLOAD_TCP_CHECKSUM		= 1 << 2,
	NB_TX_OFFLOAD_UDP_CHECKSUM		= 1 << 3,
	NB_TX_OFFLOAD_TCP_SEGMENTATION		= 1 << 4,
	NB_TX_OFFLOAD_UDP_SEGMENTATION		= 1 << 5,
	NB_TX_IS_IPV4				= 1 << 6,
	NB_TX_IS_IPV6				= 1 << 7,
	NB_TX_VLAN				= 1 << 8,
};

/**
 * struct nb_tx_segment - an entry of tx-avail, written by the frontend
 *	(the crate's TxSegment with TxMetadata)
 * @gpa: guest-physical address of the segment
 * @len: bytes of the segment, not 0
 * @id: head: the packet's TxId, chosen by the frontend, given back in tx-done
 * @packet_len: head: bytes of the packet, NB_MIN_PACKET_LEN … NB_MAX_PACKET_LEN;
 *	the sum of its segments' lengths
 * @flags: of &enum nb_tx_flags
 * @segment_count: head: segments of the packet with this one, 1 … NB_MAX_SEGMENTS
 * @l2_len: head: bytes of the Ethernet header, VLAN tags in the packet included
 * @l3_len: head: bytes of the IP header, options and extension headers included
 * @l4_len: head: bytes of the TCP or UDP header
 * @reserved: head: must be 0
 * @max_segment_size: head: bytes of payload of each packet that a super-packet is
 *	cut into
 * @vlan: head: tag control information: priority (bits 15…13), DEI (12), id (11…0)
 *
 * The offset of the transport header, which the crate carries beside the lengths,
 * is @l2_len + @l3_len.  In a tail only @gpa, @len and @flags (0) count.  All
 * segments of a packet are published by one write of the producer's index.
 */
struct nb_tx_segment {
	__aligned_u64 gpa;
	__u32 len;
	__u32 id;
	__u32 packet_len;
	__u16 flags;
	__u8 segment_count;
	__u8 l2_len;
	__u16 l3_len;
	__u8 l4_len;
	__u8 reserved;
	__u16 max_segment_size;
	__u16 vlan;
};

/**
 * enum nb_tx_status - how a transmit ended
 * @NB_TX_OK: the backend has taken the packet
 * @NB_TX_DROPPED: the backend had no memory or no room for the packet, or is down, or
 *	its MTU is smaller
 * @NB_TX_INVALID: the packet's description is wrong: a length of 0, packet_len not
 *	the sum of the segments or out of range, segment_count 0 or above
 *	NB_MAX_SEGMENTS or above what was posted, a tail without a head, a head
 *	among the tails, an unknown flag, a reserved field; or what an offload needs
 *	is not so in the packet: lengths and protocols of its headers, NB_TX_IS_IPV4
 *	against NB_TX_IS_IPV6, TCP against UDP, a max_segment_size of 0 or above
 *	packet_len or that makes more than 8,192 packets, an IP packet longer than 65,535
 *	bytes, a fragment, an IPv6 route that has not ended whose last station is not known
 *	(types 2 and 4 tell it); with segmentation an IPv6 authentication or fragment
 *	header, or more than seven VLAN tags, behind which the host cannot cut
 * @NB_TX_FAULT: a segment does not lie in one region
 * @NB_TX_UNSUPPORTED: a flag asks for an offload that the endpoint does not offer
 */
enum nb_tx_status {
	NB_TX_OK		= 0,
	NB_TX_DROPPED		= 1,
	NB_TX_INVALID		= 2,
	NB_TX_FAULT		= 3,
	NB_TX_UNSUPPORTED	= 4,
};

/**
 * struct nb_tx_completion - an entry of tx-done, written by the kernel
 * @id: &nb_tx_segment.id of the packet's head; that of the segment itself for a
 *	tail without a head
 * @status: of &enum nb_tx_status
 *
 * There is one entry for each packet, malformed ones included.  A malformed packet
 * ends before the next head.
 */
struct nb_tx_completion {
	__u32 id;
	__u32 status;
};

/**
 * define NB_RX_LEN_MASK - the bits of &nb_rx_segment.len that are a length
 */
#define NB_RX_LEN_MASK		0x7fffffffu
/**
 * define NB_RX_MORE - the buffer has a further segment, in &nb_rx_segment.len
 */
#define NB_RX_MORE		0x80000000u

/**
 * struct nb_rx_segment - an entry of rx-avail, written by the frontend
 *	(the crate's RxBufferSegment)
 * @gpa: guest-physical address of the segment, in a writable region
 * @len: bytes of the segment, not 0; NB_RX_MORE if the next entry continues the
 *	same buffer
 * @id: the buffer's RxId, chosen by the frontend, given back in rx-done; counts in
 *	the buffer's first entry
 *
 * All segments of a buffer are published by one write of the producer's index.
 */
struct nb_rx_segment {
	__aligned_u64 gpa;
	__u32 len;
	__u32 id;
};

/**
 * enum nb_rx_status - what is in a buffer that came back
 * @NB_RX_OK: a packet
 * @NB_RX_INVALID: nothing: the buffer's description is wrong: a length of 0, more
 *	than NB_MAX_SEGMENTS segments, NB_RX_MORE on the last entry posted
 * @NB_RX_FAULT: nothing: a segment does not lie in one writable region
 *
 * A packet that is longer than the next buffer is dropped and counted
 * (&nb_queue_stats.rx_too_small); the buffer stays for the next packet.
 */
enum nb_rx_status {
	NB_RX_OK	= 0,
	NB_RX_INVALID	= 1,
	NB_RX_FAULT	= 2,
};

/**
 * enum nb_rx_flags - &nb_rx_metadata.flags
 * @NB_RX_VLAN: the packet had a VLAN tag that is not in the buffer, but in
 *	&nb_rx_metadata.vlan
 * @NB_RX_NEEDS_CHECKSUM: what is in the packet is right, but its TCP or UDP checksum
 *	is not complete: it is the sum of all bytes from &nb_rx_metadata.checksum_start
 *	on, to be put at &nb_rx_metadata.checksum_offset behind that
 */
enum nb_rx_flags {
	NB_RX_VLAN		= 1 << 0,
	NB_RX_NEEDS_CHECKSUM	= 1 << 1,
};

/**
 * enum nb_rx_checksum_state - the crate's RxChecksumState
 * @NB_CHECKSUM_UNKNOWN: not evaluated
 * @NB_CHECKSUM_GOOD: correct
 * @NB_CHECKSUM_BAD: not correct
 * @NB_CHECKSUM_VALIDATED_BUT_WRONG: the data it covers is correct, but the value in
 *	the header is not: in a super-packet, and with NB_RX_NEEDS_CHECKSUM
 */
enum nb_rx_checksum_state {
	NB_CHECKSUM_UNKNOWN		= 0,
	NB_CHECKSUM_GOOD		= 1,
	NB_CHECKSUM_BAD			= 2,
	NB_CHECKSUM_VALIDATED_BUT_WRONG	= 3,
};

/**
 * enum nb_l3_protocol - the crate's L3Protocol
 * @NB_L3_UNKNOWN: not evaluated, or another protocol
 * @NB_L3_IPV4: IPv4
 * @NB_L3_IPV6: IPv6
 */
enum nb_l3_protocol {
	NB_L3_UNKNOWN	= 0,
	NB_L3_IPV4	= 1,
	NB_L3_IPV6	= 2,
};

/**
 * enum nb_l4_protocol - the crate's L4Protocol
 * @NB_L4_UNKNOWN: not evaluated, or another protocol
 * @NB_L4_TCP: TCP
 * @NB_L4_UDP: UDP
 */
enum nb_l4_protocol {
	NB_L4_UNKNOWN	= 0,
	NB_L4_TCP	= 1,
	NB_L4_UDP	= 2,
};

/**
 * struct nb_rx_metadata - an entry of rx-done, written by the kernel
 *	(the crate's RxMetadata)
 * @id: &nb_rx_segment.id of the buffer
 * @len: bytes of the packet, 0 unless @status is NB_RX_OK
 * @hash: flow hash of the packet, or 0 for none; with RSS its Toeplitz hash
 * @offset: offset of the packet from the beginning of the buffer
 * @flags: of &enum nb_rx_flags
 * @vlan: with NB_RX_VLAN: tag control information, as in &struct nb_tx_segment
 * @segment_size: bytes of payload of the packets that a super-packet was put
 *	together from, or 0 for a plain packet
 * @status: of &enum nb_rx_status
 * @ip_checksum: of &enum nb_rx_checksum_state
 * @l4_checksum: of &enum nb_rx_checksum_state
 * @l3_protocol: of &enum nb_l3_protocol
 * @l4_protocol: of &enum nb_l4_protocol
 * @reserved: 0
 * @checksum_start: with NB_RX_NEEDS_CHECKSUM: offset of the first byte that the
 *	checksum covers, from the beginning of the packet
 * @checksum_offset: with NB_RX_NEEDS_CHECKSUM: offset of the checksum's field from
 *	there
 * @reserved2: 0
 */
struct nb_rx_metadata {
	__u32 id;
	__u32 len;
	__u32 hash;
	__u16 offset;
	__u16 flags;
	__u16 vlan;
	__u16 segment_size;
	__u8 status;
	__u8 ip_checksum;
	__u8 l4_checksum;
	__u8 l3_protocol;
	__u8 l4_protocol;
	__u8 reserved;
	__u16 checksum_start;
	__u16 checksum_offset;
	__u8 reserved2[2];
};

/* ---- queue fd: ioctls ---------------------------------------------------- */

/**
 * enum nb_enter_flags - flags of NB_QUEUE_ENTER
 * @NB_ENTER_TX: take what is in tx-avail
 * @NB_ENTER_RX: look at rx-avail and rx-done again; needed while need_wakeup has
 *	NB_NEED_WAKEUP_RX
 * @NB_ENTER_WAIT_TX: then wait until there is something in tx-done
 * @NB_ENTER_WAIT_RX: then wait until there is something in rx-done; with both,
 *	until there is something in one of them
 */
enum nb_enter_flags {
	NB_ENTER_TX		= 1 << 0,
	NB_ENTER_RX		= 1 << 1,
	NB_ENTER_WAIT_TX	= 1 << 2,
	NB_ENTER_WAIT_RX	= 1 << 3,
};

/**
 * define NB_NO_TIMEOUT - wait without a limit, in &nb_enter.timeout_ns and the like
 */
#define NB_NO_TIMEOUT		(~0ULL)

/**
 * struct nb_enter - NB_QUEUE_ENTER: submit and wait in one system call
 * @size: sizeof(struct nb_enter)
 * @flags: of &enum nb_enter_flags
 * @timeout_ns: in: most nanoseconds to wait, or NB_NO_TIMEOUT; 0 does not wait
 * @tx_consumed: out: segments that were taken from tx-avail; the rest waits there
 *	(back-pressure) and is taken by a later ENTER
 * @tx_completed: out: packets that were completed into tx-done
 *
 * The out fields are written on errors, too, except EFAULT, EINVAL and E2BIG.
 */
struct nb_enter {
	__u32 size;
	__u32 flags;
	__aligned_u64 timeout_ns;
	__u32 tx_consumed;
	__u32 tx_completed;
};

/**
 * define NB_QUEUE_ENTER - the data path's system call; on a queue fd
 *
 * Any holder of the fd may call it.  Calls on one queue exclude each other while
 * they transmit, not while they wait.
 * Errors: ENETRESET, ESHUTDOWN, EIO (see &enum nb_queue_state), EINTR, ETIME, EINVAL,
 * EFAULT.
 */
#define NB_QUEUE_ENTER		_IO(NB_IOCTL_TYPE, 0x30)

/**
 * struct nb_queue_info - NB_QUEUE_GET_INFO
 * @size: sizeof(struct nb_queue_info)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @endpoint_id: out: &nb_endpoint_info.id of the queue's endpoint
 * @index: out: number of the queue, from 0
 * @kernel_map_size: out: bytes to map at NB_MMAP_KERNEL
 * @user_map_size: out: bytes to map at NB_MMAP_USER
 * @state: out: of &enum nb_queue_state
 * @target_cpu: out: CPU that the queue serves, or NB_ANY_CPU
 */
struct nb_queue_info {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__u32 endpoint_id;
	__u32 index;
	__u32 kernel_map_size;
	__u32 user_map_size;
	__u32 state;
	__u32 target_cpu;
};

/**
 * define NB_QUEUE_GET_INFO - ask for the sizes of the maps; on a queue fd
 */
#define NB_QUEUE_GET_INFO	_IO(NB_IOCTL_TYPE, 0x31)

/**
 * struct nb_queue_eventfds - NB_QUEUE_SET_EVENTFDS: doorbells
 * @size: sizeof(struct nb_queue_eventfds)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @kick_fd: in: an eventfd; writing to it does what ENTER with NB_ENTER_TX and
 *	NB_ENTER_RX does, in a thread of the kernel, which is in the cgroups of who sets the
 *	first one of the queue, or in the thread that the queue has; -1 for none
 * @call_fd: in: an eventfd that the kernel signals when it wakes the frontend
 *	(see &enum nb_need_notify); -1 for none
 */
struct nb_queue_eventfds {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__s32 kick_fd;
	__s32 call_fd;
};

/**
 * define NB_QUEUE_SET_EVENTFDS - set both eventfds of a queue; on a queue fd
 *
 * They replace those that were set before.
 * Errors: EBADF (no eventfd), ENOMEM or what else keeps the kernel from making a thread, such
 * as EINTR (a signal that kills). Then both are as before.
 */
#define NB_QUEUE_SET_EVENTFDS	_IO(NB_IOCTL_TYPE, 0x32)

/**
 * struct nb_queue_target - NB_QUEUE_SET_TARGET
 * @size: sizeof(struct nb_queue_target)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @cpu: in: the CPU that the queue should serve, or NB_ANY_CPU
 * @reserved: must be 0
 */
struct nb_queue_target {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__u32 cpu;
	__u32 reserved;
};

/**
 * define NB_QUEUE_SET_TARGET - on a queue fd (the crate's update_target_vp)
 *
 * What the kernel does for the queue by itself (after a kick, or with NB_QUEUE_POLL), it
 * does on this CPU while that is online, and allowed for the queue's thread, which moves
 * there when it is awake and a tenth of a second after it has moved last.
 * Errors: EINVAL (there is no such CPU).
 */
#define NB_QUEUE_SET_TARGET	_IO(NB_IOCTL_TYPE, 0x33)

/**
 * define NB_MAX_MODERATION_USECS - the longest time that one can be held back, a second
 */
#define NB_MAX_MODERATION_USECS		1000000u
/**
 * define NB_DEFAULT_MODERATION_USECS - microseconds of a new queue, which is adaptive
 */
#define NB_DEFAULT_MODERATION_USECS	50u

/**
 * struct nb_queue_moderation - NB_QUEUE_SET_MODERATION, NB_QUEUE_GET_MODERATION
 * @size: sizeof(struct nb_queue_moderation)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @tx_usecs: most microseconds that a notification of tx-done is held back, up to
 *	NB_MAX_MODERATION_USECS; 0: none is, each batch is notified at once
 * @tx_frames: entries that wait in tx-done and end that, up to NB_MAX_RING_ENTRIES; half
 *	the ring ends it in any case; 0: no other number does
 * @rx_usecs: the same for rx-done
 * @rx_frames: the same for rx-done; that the backend waits for buffers ends it, too
 * @adaptive: NB_NEED_NOTIFY_TX, NB_NEED_NOTIFY_RX: of that ring, a notification is held
 *	back only while there is an entry that the frontend was notified of and has not
 *	reaped yet, and nobody waits in NB_QUEUE_ENTER
 * @reserved: must be 0
 *
 * This is about notifications that need_notify asks for.  A new queue is adaptive for both
 * rings, with NB_DEFAULT_MODERATION_USECS.  poll() and NB_QUEUE_ENTER look at the rings
 * themselves when they are called, so a wait does not begin while something can be reaped.
 */
struct nb_queue_moderation {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__u32 tx_usecs;
	__u32 tx_frames;
	__u32 rx_usecs;
	__u32 rx_frames;
	__u32 adaptive;
	__u32 reserved;
};

/**
 * define NB_QUEUE_SET_MODERATION - say when the frontend is woken; on a queue fd
 *
 * At any time; what is held back then is told at once.  On kind netdev ``ethtool -C`` sets
 * the same, and what queues that are made later have.
 * Errors: EINVAL (a number is too large; frames or adaptive without usecs).
 */
#define NB_QUEUE_SET_MODERATION	_IO(NB_IOCTL_TYPE, 0x35)

/**
 * define NB_QUEUE_GET_MODERATION - ask for that; on a queue fd
 */
#define NB_QUEUE_GET_MODERATION	_IO(NB_IOCTL_TYPE, 0x36)

/**
 * struct nb_queue_stats - NB_QUEUE_GET_STATS (the crate's BackendQueueStats)
 * @size: sizeof(struct nb_queue_stats)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @tx_packets: out: packets that the backend took
 * @tx_bytes: out: their bytes
 * @tx_vlan_packets: out: those with NB_TX_VLAN
 * @tx_errors: out: packets completed as NB_TX_INVALID, _FAULT or _UNSUPPORTED
 * @tx_dropped: out: packets completed as NB_TX_DROPPED
 * @rx_packets: out: packets put into receive buffers
 * @rx_bytes: out: their bytes
 * @rx_vlan_packets: out: those with NB_RX_VLAN
 * @rx_errors: out: buffers completed as NB_RX_INVALID or _FAULT
 * @rx_too_small: out: packets dropped because the buffer was too small
 * @rx_no_buffer: out: times that the backend stopped because there was no buffer, or
 *	no room in rx-done; kind netdev begins with one; kind attach counts each packet
 *	that it drops for that reason
 * @enters: out: ENTER calls
 * @kicks: out: times that the thread ran after a kick, or that the poller was woken
 * @notifies: out: times that the frontend was woken
 * @tx_zerocopy: out: packets that were completed and never copied, see
 *	NB_QUEUE_ZEROCOPY_TX
 * @tx_zerocopy_copied: out: packets that were to be, but that the host has copied after
 *	all.  If those are many, packets are copied at once for some time
 * @held_back: out: times that this was put off, see &struct nb_queue_moderation
 *
 * All count from the queue's birth, those of a queue that has been restored from that of
 * the queue that was saved.  The NIC model's errors are @tx_errors and
 * @rx_errors + @rx_too_small.
 */
struct nb_queue_stats {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 tx_packets;
	__aligned_u64 tx_bytes;
	__aligned_u64 tx_vlan_packets;
	__aligned_u64 tx_errors;
	__aligned_u64 tx_dropped;
	__aligned_u64 rx_packets;
	__aligned_u64 rx_bytes;
	__aligned_u64 rx_vlan_packets;
	__aligned_u64 rx_errors;
	__aligned_u64 rx_too_small;
	__aligned_u64 rx_no_buffer;
	__aligned_u64 enters;
	__aligned_u64 kicks;
	__aligned_u64 notifies;
	__aligned_u64 tx_zerocopy;
	__aligned_u64 tx_zerocopy_copied;
	__aligned_u64 held_back;
};

/**
 * define NB_QUEUE_GET_STATS - read a queue's counters; on a queue fd
 */
#define NB_QUEUE_GET_STATS	_IO(NB_IOCTL_TYPE, 0x34)

/**
 * define NB_DEFAULT_QUIESCE_TIMEOUT_NS - nanoseconds that NB_QUEUE_QUIESCE waits, a second
 */
#define NB_DEFAULT_QUIESCE_TIMEOUT_NS	1000000000ULL

/**
 * enum nb_quiesce_flags - flags of NB_QUEUE_QUIESCE
 * @NB_QUIESCE_LEAVE: when the time is over, complete the packets that the host still reads
 *	from guest memory, and leave them to it.  It reads the pages as they are until it has
 *	done so, also when the region, the queue or the frontend is gone: whoever gets to
 *	write there sooner, a guest that goes on in the same memory or the NIC model, changes
 *	what is sent
 */
enum nb_quiesce_flags {
	NB_QUIESCE_LEAVE	= 1 << 0,
};

/**
 * struct nb_queue_quiesce - NB_QUEUE_QUIESCE
 * @size: sizeof(struct nb_queue_quiesce)
 * @flags: of &enum nb_quiesce_flags
 * @msg: see &struct nb_message
 * @timeout_ns: in: most nanoseconds to wait for what the host reads from guest memory, or
 *	NB_NO_TIMEOUT; 0: NB_DEFAULT_QUIESCE_TIMEOUT_NS
 */
struct nb_queue_quiesce {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 timeout_ns;
};

/**
 * define NB_QUEUE_QUIESCE - make a running queue stand still; on a queue fd
 *
 * When the call returns, what was in flight is completed, and the kernel touches neither
 * rings nor guest memory for this queue: what has not been taken stays in tx-avail and
 * rx-avail, and the backend behaves as it does without receive buffers (kind netdev: the
 * host's packets wait in the qdisc).  Kicks do nothing, ENTER fails with ESHUTDOWN, and
 * so does a wait that has begun before.  tx-done and rx-done can be reaped.
 *
 * When a quiesced queue of kind netdev is closed, the interface keeps its carrier, and
 * the host's packets go on waiting, until get_queues or NB_ENDPOINT_STOP.
 *
 * With NB_QUEUE_ZEROCOPY_TX it waits for what the host still reads from guest memory, which
 * may lie in the queue of another guest that takes nothing, for as long as that likes.
 * ETIME: it takes longer than it may; EINTR: a signal came first.  Then the queue goes on.
 * Returns, with NB_QUIESCE_LEAVE, how many packets were left to the host; else 0.
 * Errors: EBADFD (it is quiesced), ETIME, EINTR, ENOMEM, ENETRESET, EIO.
 */
#define NB_QUEUE_QUIESCE	_IO(NB_IOCTL_TYPE, 0x38)

/**
 * struct nb_queue_resume - NB_QUEUE_RESUME
 * @size: sizeof(struct nb_queue_resume)
 * @flags: must be 0
 * @msg: see &struct nb_message
 */
struct nb_queue_resume {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
};

/**
 * define NB_QUEUE_RESUME - let a quiesced queue go on; on a queue fd
 *
 * Takes what is in tx-avail and rx-avail, as ENTER does.
 * Errors: EBADFD (it is not quiesced), ENETRESET, EIO.
 */
#define NB_QUEUE_RESUME		_IO(NB_IOCTL_TYPE, 0x39)

/**
 * define NB_SAVED_COUNTERS - entries of &nb_queue_saved.counters
 */
#define NB_SAVED_COUNTERS	17

/**
 * struct nb_queue_saved - NB_QUEUE_SAVE, NB_QUEUE_RESTORE: the kernel's state of a queue
 * @size: sizeof(struct nb_queue_saved)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @entries: entries of each ring, by &enum nb_ring_id
 * @index: the index of each ring that the kernel owns, as it is in shared memory: the
 *	consumer's of tx-avail and rx-avail, the producer's of tx-done and rx-done
 * @skip_tails: 1: tails at the front of tx-avail belong to a malformed packet that has
 *	been completed; else 0
 * @reserved: 0
 * @counters: those of &struct nb_queue_stats, from tx_packets on, in their order
 */
struct nb_queue_saved {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__u32 entries[NB_N_RINGS];
	__u32 index[NB_N_RINGS];
	__u32 skip_tails;
	__u32 reserved;
	__aligned_u64 counters[NB_SAVED_COUNTERS];
};

/**
 * define NB_QUEUE_SAVE - ask for what the kernel knows of a quiesced queue
 *
 * On a queue fd; out: all of &struct nb_queue_saved.  All that is in tx-done and rx-done
 * must have been reaped.  The frontend saves, beside this, the entries of tx-avail and
 * rx-avail from @index to its own indices, and need_notify.
 * Errors: EBADFD (it is not quiesced, or something is not reaped), ENETRESET, EIO.
 */
#define NB_QUEUE_SAVE		_IO(NB_IOCTL_TYPE, 0x3a)

/**
 * define NB_QUEUE_RESTORE - go on where another queue was saved; on a queue fd
 *
 * In: what NB_QUEUE_SAVE gave.  The queue must be quiesced, must never have been used,
 * and must have rings of the same sizes; the endpoint may be another, of any kind, the
 * process and the machine as well.  Afterwards the kernel's indices and the counters of
 * NB_QUEUE_GET_STATS are those that were saved; what operators see counts the packets of
 * this queue.  The queue stays quiesced: the frontend writes the entries that it has
 * saved at the places that they had, and all indices of its own, then calls
 * NB_QUEUE_RESUME.  An index that does not go with the kernel's fails the queue then, as
 * always.
 * Errors: EBADFD (it is not quiesced, or has been used), EINVAL (sizes of the rings,
 * @skip_tails, @reserved), ENETRESET, EIO.
 */
#define NB_QUEUE_RESTORE	_IO(NB_IOCTL_TYPE, 0x3b)

#endif /* _UAPI_LINUX_NET_BACKEND_H */
