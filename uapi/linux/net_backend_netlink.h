/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * net_backend for operators: the generic netlink family
 *
 * Commands, attributes and events.  Documentation/netlink/specs/net_backend.yaml says the
 * same for programs.  Words that are used without an explanation, and what values of &enum
 * nb_queue_state and the like mean, are in <linux/net_backend.h>.
 */
#ifndef _UAPI_LINUX_NET_BACKEND_NETLINK_H
#define _UAPI_LINUX_NET_BACKEND_NETLINK_H

#include <linux/net_backend.h>

/** define NB_GENL_NAME - name of the generic netlink family */
#define NB_GENL_NAME		"net_backend"
/** define NB_GENL_VERSION - its version; what it can do, its attributes tell */
#define NB_GENL_VERSION		1

/** define NB_GENL_EVENTS - name of the multicast group that events go to */
#define NB_GENL_EVENTS		"events"

/**
 * enum nb_cmd - commands of the family; anybody may call those that only tell, the others
 *	ask for CAP_NET_ADMIN in the user namespace that owns the network namespace
 * @NB_CMD_UNSPEC: never used
 * @NB_CMD_ENDPOINT_GET: dump the endpoints of the caller's network namespace;
 *	with NB_A_ENDPOINT_ID (do, not dump) that endpoint, or ENOENT.  The reply
 *	holds attributes of &enum nb_endpoint_attr
 * @NB_CMD_QUEUE_GET: dump the queues of those endpoints; with NB_A_QUEUE_ENDPOINT_ID
 *	in the dump request those of this endpoint, or ENOENT.  The reply holds
 *	attributes of &enum nb_queue_attr
 * @NB_CMD_ENDPOINT_SET: change the endpoint NB_A_ENDPOINT_ID: NB_A_ENDPOINT_LINK
 * @NB_CMD_ENDPOINT_CONNECT: plug in a backend to the endpoint NB_A_ENDPOINT_ID, as
 *	NB_ENDPOINT_CONNECT does: its own, or with NB_A_ENDPOINT_FROM that of another
 *	endpoint of the namespace, or with NB_A_ENDPOINT_KIND (and NB_A_ENDPOINT_NAME,
 *	_MTU, _PARAMS) a new one, which takes the place of the one that it has
 * @NB_CMD_ENDPOINT_DISCONNECT: begin to unplug the backend of the endpoint
 *	NB_A_ENDPOINT_ID; NB_A_ENDPOINT_TIMEOUT limits the time that queues get, as with
 *	NB_ENDPOINT_DISCONNECT; one that is under way gets the new limit.  Does not wait:
 *	the event NB_EVENT_DISCONNECTED tells when it is over
 * @NB_CMD_ENDPOINT_EVENT: sent to the group NB_GENL_EVENTS in the endpoint's network
 *	namespace: NB_A_ENDPOINT_EVENT, and the endpoint as it is then
 * @NB_CMD_SWITCH_GET: dump the switches of the caller's network namespace: those that were
 *	made in it, private ones as well.  The reply holds attributes of &enum
 *	nb_switch_attr.  With NB_A_SWITCH_ID in the dump request that switch, or ENOENT
 * @NB_CMD_SWITCH_PORT_GET: dump the ports of those switches, with NB_A_PORT_SWITCH_ID of
 *	that one, or ENOENT.  The reply holds attributes of &enum nb_port_attr
 * @NB_CMD_SWITCH_FDB_GET: dump the addresses that those switches know, with
 *	NB_A_FDB_SWITCH_ID that one, or ENOENT.  The reply holds attributes of &enum
 *	nb_fdb_attr
 * @NB_CMD_KIND_GET: dump the kinds that are registered.  The reply holds attributes of
 *	&enum nb_kind_attr
 * @NB_CMD_QUEUE_SET: change the queue NB_A_QUEUE_INDEX of the endpoint
 *	NB_A_QUEUE_ENDPOINT_ID, or without an index all queues that it has:
 *	NB_A_QUEUE_MODERATION, of which what is absent stays as it is.  EINVAL: nothing has
 *	changed; ENOENT: there is no such endpoint or queue
 * @NB_CMD_MEMORY_GET: dump the memories of the caller's network namespace: those that were made
 *	by a process in it, wherever their guests' NICs are.  The reply holds attributes of &enum
 *	nb_memory_attr.  With NB_A_MEMORY_ID in the dump request that memory, or ENOENT
 * @NB_CMD_REGION_GET: dump the regions of those memories, with NB_A_REGION_MEMORY_ID of that
 *	one, or ENOENT.  The reply holds attributes of &enum nb_region_attr
 * @NB_CMD_QUEUE_EVENT: sent to the same group: NB_A_QUEUE_EVENT, and the queue as it is then
 * @NB_CMD_SWITCH_EVENT: sent to the same group, in the switch's network namespace:
 *	NB_A_SWITCH_EVENT, and the switch as it is then
 * @NB_CMD_SWITCH_PORT_EVENT: as well: NB_A_PORT_EVENT, and the port as it is then
 * @NB_CMD_MEMORY_EVENT: sent to the same group, in the memory's network namespace:
 *	NB_A_MEMORY_EVENT, and the memory as it is then
 * @NB_CMD_REGION_EVENT: as well: NB_A_REGION_EVENT, and the region as it is then
 *
 * Events come in the order of what they tell, each once what it tells can be seen, and of an
 * object none after that it goes.  What is beside the event is as it was when the
 * message was made: it may show what came at once after, and is told by the next event.  Who
 * does not keep up gets ENOBUFS from its socket, and has to ask for all anew.
 *
 * NLM_F_DUMP_INTR in a dump says that some of what is dumped came, went or moved meanwhile,
 * and may be missing; without it, all that is shown was there at one moment.  An endpoint or
 * a queue that was there all the time is shown once, with it or without.
 *
 * What is refused is so with words, and with the attribute that is wrong (NLMSGERR_ATTR_OFFS) or
 * missing (NLMSGERR_ATTR_MISS_TYPE).
 */
enum nb_cmd {
	NB_CMD_UNSPEC,
	NB_CMD_ENDPOINT_GET,
	NB_CMD_QUEUE_GET,
	NB_CMD_ENDPOINT_SET,
	NB_CMD_ENDPOINT_CONNECT,
	NB_CMD_ENDPOINT_DISCONNECT,
	NB_CMD_ENDPOINT_EVENT,
	NB_CMD_SWITCH_GET,
	NB_CMD_SWITCH_PORT_GET,
	NB_CMD_SWITCH_FDB_GET,
	NB_CMD_KIND_GET,
	NB_CMD_QUEUE_SET,
	NB_CMD_MEMORY_GET,
	NB_CMD_REGION_GET,
	NB_CMD_QUEUE_EVENT,
	NB_CMD_SWITCH_EVENT,
	NB_CMD_SWITCH_PORT_EVENT,
	NB_CMD_MEMORY_EVENT,
	NB_CMD_REGION_EVENT,
};

/** define NB_CMD_MAX - the last of them in this header */
#define NB_CMD_MAX		NB_CMD_REGION_EVENT

/**
 * enum nb_endpoint_event - what has happened to an endpoint
 * @NB_EVENT_CREATED: it is there
 * @NB_EVENT_DELETED: it goes
 * @NB_EVENT_CONNECTED: a backend was plugged in
 * @NB_EVENT_DISCONNECTING: the backend is being unplugged; queues still use it
 * @NB_EVENT_DISCONNECTED: the backend is unplugged, and no queue uses it
 * @NB_EVENT_LINK: the operator has set the link
 * @NB_EVENT_LINK_UP: the link has come up, because the backend's has
 * @NB_EVENT_LINK_DOWN: the link has gone down, because the backend's has
 * @NB_EVENT_GONE: what the backend stood on is gone for good
 * @NB_EVENT_CHANGED: the backend is not what the frontend was told, which is asked to make
 *	its queues anew
 * @NB_EVENT_STOPPED: the frontend has called NB_ENDPOINT_STOP
 * @NB_EVENT_REPLACED: another endpoint has taken the backend, and this one has that one's,
 *	which is not plugged in
 * @NB_EVENT_MOVED: its network interface has come from another network namespace, and it with
 *	that; told in the new one
 */
enum nb_endpoint_event {
	NB_EVENT_CREATED	= 1,
	NB_EVENT_DELETED	= 2,
	NB_EVENT_CONNECTED	= 3,
	NB_EVENT_DISCONNECTING	= 4,
	NB_EVENT_DISCONNECTED	= 5,
	NB_EVENT_LINK		= 6,
	NB_EVENT_LINK_UP	= 7,
	NB_EVENT_LINK_DOWN	= 8,
	NB_EVENT_GONE		= 9,
	NB_EVENT_CHANGED	= 10,
	NB_EVENT_STOPPED	= 11,
	NB_EVENT_REPLACED	= 12,
	NB_EVENT_MOVED		= 13,
};

/**
 * enum nb_queue_event - what has happened to a queue
 * @NB_QUEUE_EVENT_CREATED: it is there
 * @NB_QUEUE_EVENT_DELETED: it goes
 * @NB_QUEUE_EVENT_RESTART: it has stopped for good: its backend has left it
 * @NB_QUEUE_EVENT_FAILED: it has stopped for good: the frontend has broken it
 * @NB_QUEUE_EVENT_QUIESCED: it stands still
 * @NB_QUEUE_EVENT_RESUMED: it runs again
 * @NB_QUEUE_EVENT_MODERATION: its moderation was set
 * @NB_QUEUE_EVENT_TARGET_CPU: it is to serve another CPU
 */
enum nb_queue_event {
	NB_QUEUE_EVENT_CREATED		= 1,
	NB_QUEUE_EVENT_DELETED		= 2,
	NB_QUEUE_EVENT_RESTART		= 3,
	NB_QUEUE_EVENT_FAILED		= 4,
	NB_QUEUE_EVENT_QUIESCED		= 5,
	NB_QUEUE_EVENT_RESUMED		= 6,
	NB_QUEUE_EVENT_MODERATION	= 7,
	NB_QUEUE_EVENT_TARGET_CPU	= 8,
};

/**
 * enum nb_switch_event - what has happened to a switch
 * @NB_SWITCH_EVENT_CREATED: it is there; its first port follows
 * @NB_SWITCH_EVENT_DELETED: it goes; its last port has gone
 */
enum nb_switch_event {
	NB_SWITCH_EVENT_CREATED	= 1,
	NB_SWITCH_EVENT_DELETED	= 2,
};

/**
 * enum nb_port_event - what has happened to a port of a switch
 * @NB_PORT_EVENT_CREATED: it is there; what it is plugged in to, the endpoint's events tell
 * @NB_PORT_EVENT_DELETED: it goes
 */
enum nb_port_event {
	NB_PORT_EVENT_CREATED	= 1,
	NB_PORT_EVENT_DELETED	= 2,
};

/**
 * enum nb_memory_event - what has happened to a memory
 * @NB_MEMORY_EVENT_CREATED: it is there, without regions
 * @NB_MEMORY_EVENT_DELETED: it goes; its regions have been told to go
 * @NB_MEMORY_EVENT_LOG_STARTED: its dirty log is on
 * @NB_MEMORY_EVENT_LOG_STOPPED: it is off again
 */
enum nb_memory_event {
	NB_MEMORY_EVENT_CREATED		= 1,
	NB_MEMORY_EVENT_DELETED		= 2,
	NB_MEMORY_EVENT_LOG_STARTED	= 3,
	NB_MEMORY_EVENT_LOG_STOPPED	= 4,
};

/**
 * enum nb_region_event - what has happened to a region of a memory
 * @NB_REGION_EVENT_ADDED: it is there
 * @NB_REGION_EVENT_REMOVED: it goes, by itself or with its memory
 */
enum nb_region_event {
	NB_REGION_EVENT_ADDED	= 1,
	NB_REGION_EVENT_REMOVED	= 2,
};

/**
 * enum nb_endpoint_state - whether an endpoint has a backend
 * @NB_STATE_DISCONNECTED: none is plugged in, and no queue uses one
 * @NB_STATE_CONNECTED: one is plugged in
 * @NB_STATE_DISCONNECTING: none is plugged in, but queues use the last one still
 */
enum nb_endpoint_state {
	NB_STATE_DISCONNECTED	= 0,
	NB_STATE_CONNECTED	= 1,
	NB_STATE_DISCONNECTING	= 2,
};

/**
 * enum nb_endpoint_attr - attributes of an endpoint
 * @NB_A_ENDPOINT_UNSPEC: never used
 * @NB_A_ENDPOINT_PAD: padding for 64-bit alignment
 * @NB_A_ENDPOINT_ID: u32, &nb_endpoint_info.id
 * @NB_A_ENDPOINT_KIND: string
 * @NB_A_ENDPOINT_NAME: string, absent for an endpoint without a name
 * @NB_A_ENDPOINT_IFINDEX: u32, absent without a net_device
 * @NB_A_ENDPOINT_MAC: 6 bytes
 * @NB_A_ENDPOINT_MTU: u32, absent for a kind without an MTU
 * @NB_A_ENDPOINT_PROPERTIES: u32, of &enum nb_endpoint_properties
 * @NB_A_ENDPOINT_TX_OFFLOADS: u32, of &enum nb_tx_offloads
 * @NB_A_ENDPOINT_MAX_QUEUES: u32
 * @NB_A_ENDPOINT_QUEUES: u32, queues that exist
 * @NB_A_ENDPOINT_TABLE_SIZE: u32, &nb_endpoint_info.indirection_table_size
 * @NB_A_ENDPOINT_LINK_SPEED: u64, bits per second
 * @NB_A_ENDPOINT_PID: u32, process that made the endpoint, as seen by the caller;
 *	0 if the caller cannot see it, or in an event
 * @NB_A_ENDPOINT_LINK: u32, what the operator wants: 1: up if the backend is; 0: down
 * @NB_A_ENDPOINT_FROM: u32, id of another endpoint
 * @NB_A_ENDPOINT_PARAMS: the kind's own struct, see &nb_create_endpoint.params
 * @NB_A_ENDPOINT_TIMEOUT: u64, nanoseconds; absent: no limit
 * @NB_A_ENDPOINT_EVENT: u32, of &enum nb_endpoint_event
 * @NB_A_ENDPOINT_STATE: u32, of &enum nb_endpoint_state
 * @NB_A_ENDPOINT_DISCONNECTS: u32, disconnects that have come to their end, or were undone
 *	before; so that one can tell one's own from those of others
 */
enum nb_endpoint_attr {
	NB_A_ENDPOINT_UNSPEC,
	NB_A_ENDPOINT_PAD,
	NB_A_ENDPOINT_ID,
	NB_A_ENDPOINT_KIND,
	NB_A_ENDPOINT_NAME,
	NB_A_ENDPOINT_IFINDEX,
	NB_A_ENDPOINT_MAC,
	NB_A_ENDPOINT_MTU,
	NB_A_ENDPOINT_PROPERTIES,
	NB_A_ENDPOINT_TX_OFFLOADS,
	NB_A_ENDPOINT_MAX_QUEUES,
	NB_A_ENDPOINT_QUEUES,
	NB_A_ENDPOINT_TABLE_SIZE,
	NB_A_ENDPOINT_LINK_SPEED,
	NB_A_ENDPOINT_PID,
	NB_A_ENDPOINT_LINK,
	NB_A_ENDPOINT_FROM,
	NB_A_ENDPOINT_PARAMS,
	NB_A_ENDPOINT_TIMEOUT,
	NB_A_ENDPOINT_EVENT,
	NB_A_ENDPOINT_STATE,
	NB_A_ENDPOINT_DISCONNECTS,
};

/** define NB_A_ENDPOINT_MAX - the last of them in this header */
#define NB_A_ENDPOINT_MAX		NB_A_ENDPOINT_DISCONNECTS

/**
 * enum nb_kind_attr - attributes of a kind
 * @NB_A_KIND_UNSPEC: never used
 * @NB_A_KIND_NAME: string
 * @NB_A_KIND_MODULE: string, the module that brings it, "kernel" if that is built in
 * @NB_A_KIND_MAX_QUEUES: u32, most queues that an endpoint of the kind can have
 * @NB_A_KIND_PARAMS_SIZE: u32, bytes of &nb_create_endpoint.params that it knows; 0: none
 */
enum nb_kind_attr {
	NB_A_KIND_UNSPEC,
	NB_A_KIND_NAME,
	NB_A_KIND_MODULE,
	NB_A_KIND_MAX_QUEUES,
	NB_A_KIND_PARAMS_SIZE,
};

/** define NB_A_KIND_MAX - the last of them in this header */
#define NB_A_KIND_MAX		NB_A_KIND_PARAMS_SIZE

/**
 * enum nb_queue_attr - attributes of a queue
 * @NB_A_QUEUE_UNSPEC: never used
 * @NB_A_QUEUE_ENDPOINT_ID: u32
 * @NB_A_QUEUE_INDEX: u32, from 0
 * @NB_A_QUEUE_STATE: u32, of &enum nb_queue_state
 * @NB_A_QUEUE_TARGET_CPU: u32, absent without a target CPU
 * @NB_A_QUEUE_RING: nested &enum nb_ring_attr, once a ring
 * @NB_A_QUEUE_STATS: nested &enum nb_stats_attr
 * @NB_A_QUEUE_MODERATION: nested &enum nb_moderation_attr
 * @NB_A_QUEUE_EVENT: u32, of &enum nb_queue_event
 */
enum nb_queue_attr {
	NB_A_QUEUE_UNSPEC,
	NB_A_QUEUE_ENDPOINT_ID,
	NB_A_QUEUE_INDEX,
	NB_A_QUEUE_STATE,
	NB_A_QUEUE_TARGET_CPU,
	NB_A_QUEUE_RING,
	NB_A_QUEUE_STATS,
	NB_A_QUEUE_MODERATION,
	NB_A_QUEUE_EVENT,
};

/** define NB_A_QUEUE_MAX - the last of them in this header */
#define NB_A_QUEUE_MAX		NB_A_QUEUE_EVENT

/**
 * enum nb_moderation_attr - a queue's moderation, all u32, see &struct nb_queue_moderation
 * @NB_A_MODERATION_UNSPEC: never used
 * @NB_A_MODERATION_TX_USECS: tx_usecs
 * @NB_A_MODERATION_TX_FRAMES: tx_frames
 * @NB_A_MODERATION_RX_USECS: rx_usecs
 * @NB_A_MODERATION_RX_FRAMES: rx_frames
 * @NB_A_MODERATION_ADAPTIVE: adaptive
 */
enum nb_moderation_attr {
	NB_A_MODERATION_UNSPEC,
	NB_A_MODERATION_TX_USECS,
	NB_A_MODERATION_TX_FRAMES,
	NB_A_MODERATION_RX_USECS,
	NB_A_MODERATION_RX_FRAMES,
	NB_A_MODERATION_ADAPTIVE,
};

/** define NB_A_MODERATION_MAX - the last of them in this header */
#define NB_A_MODERATION_MAX		NB_A_MODERATION_ADAPTIVE

/**
 * enum nb_ring_attr - attributes of a ring
 * @NB_A_RING_UNSPEC: never used
 * @NB_A_RING_ID: u32, of &enum nb_ring_id
 * @NB_A_RING_ENTRIES: u32
 * @NB_A_RING_PRODUCER: u32, the producer's index as it is in shared memory
 * @NB_A_RING_CONSUMER: u32, the consumer's index as it is in shared memory
 */
enum nb_ring_attr {
	NB_A_RING_UNSPEC,
	NB_A_RING_ID,
	NB_A_RING_ENTRIES,
	NB_A_RING_PRODUCER,
	NB_A_RING_CONSUMER,
};

/** define NB_A_RING_MAX - the last of them in this header */
#define NB_A_RING_MAX		NB_A_RING_CONSUMER

/**
 * enum nb_stats_attr - a queue's counters, all u64, see &struct nb_queue_stats
 * @NB_A_STATS_UNSPEC: never used
 * @NB_A_STATS_PAD: padding for 64-bit alignment
 * @NB_A_STATS_TX_PACKETS: tx_packets
 * @NB_A_STATS_TX_BYTES: tx_bytes
 * @NB_A_STATS_TX_VLAN_PACKETS: tx_vlan_packets
 * @NB_A_STATS_TX_ERRORS: tx_errors
 * @NB_A_STATS_TX_DROPPED: tx_dropped
 * @NB_A_STATS_RX_PACKETS: rx_packets
 * @NB_A_STATS_RX_BYTES: rx_bytes
 * @NB_A_STATS_RX_VLAN_PACKETS: rx_vlan_packets
 * @NB_A_STATS_RX_ERRORS: rx_errors
 * @NB_A_STATS_RX_TOO_SMALL: rx_too_small
 * @NB_A_STATS_RX_NO_BUFFER: rx_no_buffer
 * @NB_A_STATS_ENTERS: enters
 * @NB_A_STATS_KICKS: kicks
 * @NB_A_STATS_NOTIFIES: notifies
 * @NB_A_STATS_TX_ZEROCOPY: tx_zerocopy
 * @NB_A_STATS_TX_ZEROCOPY_COPIED: tx_zerocopy_copied
 * @NB_A_STATS_HELD_BACK: held_back
 */
enum nb_stats_attr {
	NB_A_STATS_UNSPEC,
	NB_A_STATS_PAD,
	NB_A_STATS_TX_PACKETS,
	NB_A_STATS_TX_BYTES,
	NB_A_STATS_TX_VLAN_PACKETS,
	NB_A_STATS_TX_ERRORS,
	NB_A_STATS_TX_DROPPED,
	NB_A_STATS_RX_PACKETS,
	NB_A_STATS_RX_BYTES,
	NB_A_STATS_RX_VLAN_PACKETS,
	NB_A_STATS_RX_ERRORS,
	NB_A_STATS_RX_TOO_SMALL,
	NB_A_STATS_RX_NO_BUFFER,
	NB_A_STATS_ENTERS,
	NB_A_STATS_KICKS,
	NB_A_STATS_NOTIFIES,
	NB_A_STATS_TX_ZEROCOPY,
	NB_A_STATS_TX_ZEROCOPY_COPIED,
	NB_A_STATS_HELD_BACK,
};

/** define NB_A_STATS_MAX - the last of them in this header */
#define NB_A_STATS_MAX		NB_A_STATS_HELD_BACK

/**
 * enum nb_switch_attr - attributes of a switch
 * @NB_A_SWITCH_UNSPEC: never used
 * @NB_A_SWITCH_PAD: padding for 64-bit alignment
 * @NB_A_SWITCH_ID: u32, number of the switch, from 1; another one may get it later
 * @NB_A_SWITCH_NAME: string, absent for a private switch
 * @NB_A_SWITCH_PORTS: u32, ports that it has
 * @NB_A_SWITCH_ADDRESSES: u32, addresses in its table; of these, some may be too old to count
 * @NB_A_SWITCH_TABLE_SIZE: u32, most of them
 * @NB_A_SWITCH_AGEING: u32, &nb_switch_params.ageing_ms
 * @NB_A_SWITCH_NOT_LEARNED: u64, times that an address was not learned: no place
 * @NB_A_SWITCH_EVENT: u32, of &enum nb_switch_event
 */
enum nb_switch_attr {
	NB_A_SWITCH_UNSPEC,
	NB_A_SWITCH_PAD,
	NB_A_SWITCH_ID,
	NB_A_SWITCH_NAME,
	NB_A_SWITCH_PORTS,
	NB_A_SWITCH_ADDRESSES,
	NB_A_SWITCH_TABLE_SIZE,
	NB_A_SWITCH_AGEING,
	NB_A_SWITCH_NOT_LEARNED,
	NB_A_SWITCH_EVENT,
};

/** define NB_A_SWITCH_MAX - the last of them in this header */
#define NB_A_SWITCH_MAX			NB_A_SWITCH_EVENT

/**
 * enum nb_port_attr - attributes of a port of a switch
 * @NB_A_PORT_UNSPEC: never used
 * @NB_A_PORT_PAD: padding for 64-bit alignment
 * @NB_A_PORT_SWITCH_ID: u32
 * @NB_A_PORT_NUMBER: u32, from 1; no other port of the switch ever has it
 * @NB_A_PORT_ENDPOINT_ID: u32, the endpoint that it is plugged in to; absent if there is none,
 *	or none in the caller's network namespace
 * @NB_A_PORT_UPLINK: flag, the port is an uplink
 * @NB_A_PORT_IFINDEX: u32, the uplink's net_device; absent if it is not in the caller's
 *	network namespace
 * @NB_A_PORT_QUEUES: u32, queues of the frontend
 * @NB_A_PORT_ISOLATED: flag, see NB_SWITCH_ISOLATED
 * @NB_A_PORT_VLAN_MODE: u32, of &enum nb_switch_vlan_mode
 * @NB_A_PORT_PVID: u32, &nb_switch_params.pvid
 * @NB_A_PORT_VLANS: bytes, &nb_switch_params.vlans; absent but for NB_SWITCH_VLAN_TRUNK
 * @NB_A_PORT_BROADCAST_LIMIT: u32, &nb_switch_params.broadcast_limit
 * @NB_A_PORT_MULTICAST_LIMIT: u32, &nb_switch_params.multicast_limit
 * @NB_A_PORT_UNKNOWN_LIMIT: u32, &nb_switch_params.unknown_limit
 * @NB_A_PORT_ADDRESSES: u32, addresses in the table that are behind it
 * @NB_A_PORT_MAX_ADDRESSES: u32, most of them
 * @NB_A_PORT_NOT_LEARNED: u64, times that an address behind it was not learned: no place
 * @NB_A_PORT_DROPS: nested &enum nb_drop_attr
 * @NB_A_PORT_EVENT: u32, of &enum nb_port_event
 */
enum nb_port_attr {
	NB_A_PORT_UNSPEC,
	NB_A_PORT_PAD,
	NB_A_PORT_SWITCH_ID,
	NB_A_PORT_NUMBER,
	NB_A_PORT_ENDPOINT_ID,
	NB_A_PORT_UPLINK,
	NB_A_PORT_IFINDEX,
	NB_A_PORT_QUEUES,
	NB_A_PORT_ISOLATED,
	NB_A_PORT_VLAN_MODE,
	NB_A_PORT_PVID,
	NB_A_PORT_VLANS,
	NB_A_PORT_BROADCAST_LIMIT,
	NB_A_PORT_MULTICAST_LIMIT,
	NB_A_PORT_UNKNOWN_LIMIT,
	NB_A_PORT_ADDRESSES,
	NB_A_PORT_MAX_ADDRESSES,
	NB_A_PORT_NOT_LEARNED,
	NB_A_PORT_DROPS,
	NB_A_PORT_EVENT,
};

/** define NB_A_PORT_MAX - the last of them in this header */
#define NB_A_PORT_MAX			NB_A_PORT_EVENT

/**
 * enum nb_drop_attr - packets that a port is to blame for, by reason, all u64
 * @NB_A_DROP_UNSPEC: never used
 * @NB_A_DROP_PAD: padding for 64-bit alignment
 * @NB_A_DROP_NO_BUFFER: to the port: it had no receive buffer; an uplink, no memory
 * @NB_A_DROP_TOO_SMALL: to the port: longer than its receive buffer
 * @NB_A_DROP_DOWN: to the port: its link is down, or there is no queue that runs
 * @NB_A_DROP_VLAN: from the port: of a VLAN that may not come in or not leave, or a tag
 *	that is cut off or hides another one
 * @NB_A_DROP_ISOLATED: from the port: to another isolated port
 * @NB_A_DROP_FLOOD_LIMIT: from the port: above a limit of flooding
 * @NB_A_DROP_SOURCE: from the port: its source is not the address of one station
 * @NB_A_DROP_SAME_PORT: from the port: to a station behind this same port
 *
 * A packet that is flooded counts with each port that it does not reach.
 */
enum nb_drop_attr {
	NB_A_DROP_UNSPEC,
	NB_A_DROP_PAD,
	NB_A_DROP_NO_BUFFER,
	NB_A_DROP_TOO_SMALL,
	NB_A_DROP_DOWN,
	NB_A_DROP_VLAN,
	NB_A_DROP_ISOLATED,
	NB_A_DROP_FLOOD_LIMIT,
	NB_A_DROP_SOURCE,
	NB_A_DROP_SAME_PORT,
};

/** define NB_A_DROP_MAX - the last of them in this header */
#define NB_A_DROP_MAX			NB_A_DROP_SAME_PORT

/**
 * enum nb_fdb_attr - attributes of an address that a switch has learned
 * @NB_A_FDB_UNSPEC: never used
 * @NB_A_FDB_SWITCH_ID: u32
 * @NB_A_FDB_ADDRESS: 6 bytes
 * @NB_A_FDB_VLAN: u32, VLAN that the address is in; absent for none
 * @NB_A_FDB_PORT: u32, NB_A_PORT_NUMBER of the port that it is behind
 * @NB_A_FDB_ENDPOINT_ID: u32, as NB_A_PORT_ENDPOINT_ID
 * @NB_A_FDB_AGE: u32, milliseconds since it has sent last
 */
enum nb_fdb_attr {
	NB_A_FDB_UNSPEC,
	NB_A_FDB_SWITCH_ID,
	NB_A_FDB_ADDRESS,
	NB_A_FDB_VLAN,
	NB_A_FDB_PORT,
	NB_A_FDB_ENDPOINT_ID,
	NB_A_FDB_AGE,
};

/** define NB_A_FDB_MAX - the last of them in this header */
#define NB_A_FDB_MAX			NB_A_FDB_AGE

/**
 * enum nb_memory_attr - attributes of a guest's memory
 * @NB_A_MEMORY_UNSPEC: never used
 * @NB_A_MEMORY_PAD: padding for 64-bit alignment
 * @NB_A_MEMORY_ID: u32, number of the memory, from 1; another one may get it later
 * @NB_A_MEMORY_PID: u32, process that made it, as seen by the caller; 0 if the caller cannot
 *	see it, and in events
 * @NB_A_MEMORY_REGIONS: u32, regions that it has
 * @NB_A_MEMORY_SIZE: u64, bytes of all of them, which are pinned
 * @NB_A_MEMORY_LOCKED: u64, of these, bytes that count against a user's RLIMIT_MEMLOCK
 * @NB_A_MEMORY_DIRTY_LOG: flag, what is written is noted in a dirty log
 * @NB_A_MEMORY_EVENT: u32, of &enum nb_memory_event
 */
enum nb_memory_attr {
	NB_A_MEMORY_UNSPEC,
	NB_A_MEMORY_PAD,
	NB_A_MEMORY_ID,
	NB_A_MEMORY_PID,
	NB_A_MEMORY_REGIONS,
	NB_A_MEMORY_SIZE,
	NB_A_MEMORY_LOCKED,
	NB_A_MEMORY_DIRTY_LOG,
	NB_A_MEMORY_EVENT,
};

/** define NB_A_MEMORY_MAX - the last of them in this header */
#define NB_A_MEMORY_MAX			NB_A_MEMORY_EVENT

/**
 * enum nb_region_attr - attributes of a region of a guest's memory; where it is in the
 *	frontend's address space is not told
 * @NB_A_REGION_UNSPEC: never used
 * @NB_A_REGION_PAD: padding for 64-bit alignment
 * @NB_A_REGION_MEMORY_ID: u32
 * @NB_A_REGION_GPA: u64, its first guest-physical address
 * @NB_A_REGION_LEN: u64, bytes, which are pinned
 * @NB_A_REGION_READ_ONLY: flag, see NB_REGION_READ_ONLY
 * @NB_A_REGION_UNIT: u64, bytes of the pages, or huge pages, that it is made of
 * @NB_A_REGION_LOCKED: u64, bytes that count against a user's RLIMIT_MEMLOCK
 * @NB_A_REGION_DIRTY_LOG: u64, bytes of its dirty log; absent if it has none
 * @NB_A_REGION_EVENT: u32, of &enum nb_region_event
 */
enum nb_region_attr {
	NB_A_REGION_UNSPEC,
	NB_A_REGION_PAD,
	NB_A_REGION_MEMORY_ID,
	NB_A_REGION_GPA,
	NB_A_REGION_LEN,
	NB_A_REGION_READ_ONLY,
	NB_A_REGION_UNIT,
	NB_A_REGION_LOCKED,
	NB_A_REGION_DIRTY_LOG,
	NB_A_REGION_EVENT,
};

/** define NB_A_REGION_MAX - the last of them in this header */
#define NB_A_REGION_MAX			NB_A_REGION_EVENT

/* ---- rtnetlink ----------------------------------------------------------- */

/** define NB_LINK_KIND - IFLA_INFO_KIND of the network interfaces of kind netdev */
#define NB_LINK_KIND		"net_backend"

/**
 * enum nb_link_attr - IFLA_INFO_DATA of such an interface
 * @NB_A_LINK_UNSPEC: never used
 * @NB_A_LINK_ENDPOINT_ID: u32, NB_A_ENDPOINT_ID of the endpoint that it is plugged in to;
 *	absent if there is none
 * @NB_A_LINK_GUEST_MAC: 6 bytes, NB_A_ENDPOINT_MAC of that endpoint; absent for an uplink
 * @NB_A_LINK_MAX_QUEUES: u32, most queues that the frontend can make; absent for an uplink
 * @NB_A_LINK_SWITCH_ID: u32, NB_A_SWITCH_ID of the switch of an uplink; else absent
 * @NB_A_LINK_SWITCH_PORT: u32, NB_A_PORT_NUMBER of an uplink; else absent
 *
 * Endpoint and switch are absent, too, if the interface is in a network namespace that does not
 * see them.  All are for reading: RTM_NEWLINK with this kind fails with EOPNOTSUPP.
 */
enum nb_link_attr {
	NB_A_LINK_UNSPEC,
	NB_A_LINK_ENDPOINT_ID,
	NB_A_LINK_GUEST_MAC,
	NB_A_LINK_MAX_QUEUES,
	NB_A_LINK_SWITCH_ID,
	NB_A_LINK_SWITCH_PORT,
};

/** define NB_A_LINK_MAX - the last of them in this header */
#define NB_A_LINK_MAX			NB_A_LINK_SWITCH_PORT

#endif /* _UAPI_LINUX_NET_BACKEND_NETLINK_H */
