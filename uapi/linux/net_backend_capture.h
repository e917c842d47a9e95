/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * net_backend for operators: captures of what a guest sends and gets
 *
 * A capture is an fd that /dev/net_backend makes, and that is read.  Documentation/capture.rst
 * says what it shows, what it costs and who may.  Conventions, the meaning of an errno, and
 * words that are used without an explanation are those of <linux/net_backend.h>.
 */
#ifndef _UAPI_LINUX_NET_BACKEND_CAPTURE_H
#define _UAPI_LINUX_NET_BACKEND_CAPTURE_H

#include <linux/net_backend.h>

/** define NB_ANY_QUEUE - the packets of all queues, in &nb_create_capture.queue */
#define NB_ANY_QUEUE		0xffffffffu
/** define NB_MIN_CAPTURE_BUFFER - bytes of the smallest buffer of a capture */
#define NB_MIN_CAPTURE_BUFFER	(128 * 1024)
/** define NB_MAX_CAPTURE_BUFFER - bytes of the largest buffer of a capture */
#define NB_MAX_CAPTURE_BUFFER	(64 * 1024 * 1024)

/**
 * enum nb_capture_flags - flags of NB_CREATE_CAPTURE, and of &struct nb_capture_record
 * @NB_CAPTURE_TX: what the guest sends
 * @NB_CAPTURE_RX: what the guest receives
 * @NB_CAPTURE_VLAN: of a record alone: the packet has a VLAN tag that is not in its bytes,
 *	see &nb_capture_record.vlan
 */
enum nb_capture_flags {
	NB_CAPTURE_TX	= 1 << 0,
	NB_CAPTURE_RX	= 1 << 1,
	NB_CAPTURE_VLAN	= 1 << 2,
};

/**
 * struct nb_create_capture - NB_CREATE_CAPTURE: watch the packets of an endpoint
 * @size: sizeof(struct nb_create_capture)
 * @flags: NB_CAPTURE_TX, NB_CAPTURE_RX or both
 * @msg: see &struct nb_message
 * @endpoint_id: in: &nb_endpoint_info.id of the endpoint
 * @queue: in: number of the queue whose packets are wanted, or NB_ANY_QUEUE
 * @snaplen: in: most bytes of a packet that are wanted; 0: all
 * @buffer_size: in: bytes of the buffer, a power of two from NB_MIN_CAPTURE_BUFFER to
 *	NB_MAX_CAPTURE_BUFFER; 0: 4 MiB
 */
struct nb_create_capture {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__u32 endpoint_id;
	__u32 queue;
	__u32 snaplen;
	__u32 buffer_size;
};

/**
 * define NB_CREATE_CAPTURE - make a capture fd; on the control fd
 *
 * Returns a new fd (close-on-exec), from which the packets of an endpoint in the network
 * namespace of the caller are read, of those queues that it has or will have: what the
 * guest gives and what it gets, whatever else becomes of it.  Malformed packets are left
 * out.  Asks for CAP_NET_ADMIN in the user namespace that owns the network namespace;
 * nothing that is later done with the fd asks again, and it gives nothing once the endpoint
 * has left that network namespace.
 *
 * Each read() returns as many whole records as fit and are there, each a &struct
 * nb_capture_record with the packet's bytes behind it, and waits for one unless the fd is
 * non-blocking; poll() says when there are some.  The capture ends when the endpoint is gone,
 * or has left the network namespace: its network interface was moved to another one, or
 * exchanged.  When all has been read then, read() returns 0, and poll() says POLLHUP.  A
 * buffer in which the next record does not fit: EINVAL.
 *
 * Packets that find the buffer full are lost to the capture, and counted; nobody else
 * notices.  Closing the fd ends the capture.
 *
 * The copies are made of guest memory: of what is sent before anything else is done about
 * it, and of what is received when it is there.  A guest that writes there at the same time
 * can make them differ from what was sent or received.
 *
 * Errors: EPERM, ENOENT (there is no such endpoint in the network namespace), EBUSY (the
 * endpoint has a capture), EOPNOTSUPP (the uplink of a switch, which has no queues), EINVAL
 * (flags, queue, buffer_size), ENOMEM, EMFILE, ENFILE.
 */
#define NB_CREATE_CAPTURE	_IO(NB_IOCTL_TYPE, 0x03)

/**
 * struct nb_capture_record - a packet, as it is read from a capture fd
 * @size: bytes up to the next record, a multiple of 8
 * @queue: number of the queue
 * @time_ns: when it was copied: nanoseconds since 1970, UTC
 * @len: bytes of the packet
 * @captured_len: bytes behind this struct that are its first ones
 * @flags: NB_CAPTURE_TX or NB_CAPTURE_RX, and NB_CAPTURE_VLAN
 * @vlan: with NB_CAPTURE_VLAN: its tag, as in &nb_tx_segment.vlan; else 0
 * @reserved: 0
 * @lost: packets that this capture had lost in all when this one was copied; while other
 *	queues lose some it can be less than in the record in front of it
 */
struct nb_capture_record {
	__u32 size;
	__u32 queue;
	__aligned_u64 time_ns;
	__u32 len;
	__u32 captured_len;
	__u16 flags;
	__u16 vlan;
	__u32 reserved;
	__aligned_u64 lost;
};

/**
 * struct nb_capture_stats - NB_CAPTURE_GET_STATS: what a capture has counted
 * @size: sizeof(struct nb_capture_stats)
 * @flags: must be 0
 * @msg: see &struct nb_message
 * @packets: out: packets that the capture is about, those that were lost included
 * @lost: out: of these, those that found the buffer full
 */
struct nb_capture_stats {
	__u32 size;
	__u32 flags;
	struct nb_message msg;
	__aligned_u64 packets;
	__aligned_u64 lost;
};

/**
 * define NB_CAPTURE_GET_STATS - ask what a capture has counted; on a capture fd
 *
 * Errors: none but those of all ioctls.
 */
#define NB_CAPTURE_GET_STATS	_IO(NB_IOCTL_TYPE, 0x40)

#endif /* _UAPI_LINUX_NET_BACKEND_CAPTURE_H */
