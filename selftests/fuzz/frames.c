// SPDX-License-Identifier: GPL-2.0
/*
 * Frames from the host towards a guest, with whatever a packet socket or a tap may say of
 * checksums and segmentation; what the guest sends through XDP programs, most of which the
 * verifier accepts; while links, MTU and queues change.
 *
 * All of it runs in the thread that sends: a packet socket passes by the queueing discipline,
 * and a tap hands on what is written there and then.  So KCOV sees it.  What it does not see
 * is a frame that waits in the queueing discipline or in a backlog, of operation Q.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_packet.h>

#include "../nbip.h"
#include "../nbxdp.h"
#include "fuzz.h"
#include "input.h"
#include "world.h"

#define ENTRIES		256u
#define IDS		(4 * ENTRIES)	/* the kernel holds some that it has taken from the ring */
#define SLOTS		(NB_RX_SIZE / NB_BUF_SIZE)	/* where a buffer may begin */
#define PATTERN		0xa5
#define MOST_INSNS	256u

static struct fuzz_world world;
static struct nb_raw raw;
static enum fuzz_kind kind;
static uint8_t frame[NB_MAX_PACKET_LEN];
static uint32_t frame_len;
static unsigned int packet;		/* that the frame was made of */
static struct virtio_net_hdr vnet;
static uint8_t *buffers;		/* the memory at NB_RX_GPA */
static uint32_t posted[SLOTS];		/* most bytes of a buffer there */
static uint32_t size_of[IDS];	/* of the buffer with that RxId */
static uint32_t next_slot, next_id;
static int devmap;
static bool has_program;

/* ---- frames -------------------------------------------------------------- */

static void load_packet(unsigned int i)
{
	struct nb_tx_segment head = { 0 };

	packet = i;
	frame_len = fuzz_describe(packet, 0, &head);
	memcpy(frame, world.packets + packet * NB_PAGE, frame_len);
	memset(&vnet, 0, sizeof(vnet));
	fuzz_say("packet %u, %u bytes", packet, frame_len);
}

static void take_packet(void)
{
	load_packet(take8() % FUZZ_PACKETS);
}

static void change_bytes(void)
{
	uint32_t at = take8(), n = 1 + (take8() & 7);

	fuzz_say("  other bytes from %u on, %u", at, n);
	while (n--)
		frame[at++] = take8();
}

static void change_length(void)
{
	frame_len = take32() % sizeof(frame);
	fuzz_say("  %u bytes", frame_len);
}

/* Some bytes go, or more come in. */
static void shift(void)
{
	uint32_t at = take8(), n = take8() & 63;

	if (take8() & 1) {
		memmove(frame + at + n, frame + at, 4000);
		frame_len += n;
	} else {
		memmove(frame + at, frame + at + n, 4000);
		frame_len -= n < frame_len ? n : frame_len;
	}
	if (frame_len > sizeof(frame))
		frame_len = sizeof(frame);
	fuzz_say("  %u bytes come or go at %u: %u bytes", n, at, frame_len);
}

/* What a stack says that leaves checksum or segmentation to the device. */
static void ask_for_offload(void)
{
	static const uint8_t types[] = { VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4,
					 VIRTIO_NET_HDR_GSO_TCPV6, 5 /* GSO_UDP_L4 */,
					 VIRTIO_NET_HDR_GSO_UDP };
	struct nb_tx_segment head = { 0 };
	uint8_t how = take8();

	fuzz_describe(packet, NB_TX_OFFLOAD_TCP_CHECKSUM | NB_TX_IS_IPV4, &head);
	vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet.csum_start = head.l2_len + head.l3_len;
	vnet.csum_offset = how & 1 ? 6 : 16;
	vnet.gso_type = types[(how >> 1) % ARRAY_LEN(types)];
	vnet.gso_size = how & 0x40 ? take32() : 200 + how;
	vnet.hdr_len = vnet.csum_start + (how & 1 ? 8 : 20);
	fuzz_say("  checksum from %u on at %u, GSO type %u, size %u", vnet.csum_start,
		 vnet.csum_offset, vnet.gso_type, vnet.gso_size);
}

static void change_vnet(void)
{
	uint8_t which = take8() % sizeof(vnet), value = take8();

	((uint8_t *)&vnet)[which] = value;
	fuzz_say("  byte %u of virtio's header: %#x", which, value);
}

static void send_frame(void)
{
	uint32_t times = 1u << (take8() & 7);

	fuzz_say("send %u bytes, %u times", frame_len, times);
	while (times--)
		fuzz_host_send(&world, kind, &vnet, frame, frame_len);
}

/* By way of the queueing discipline, or past it. */
static void set_bypass(int bypass)
{
	if (kind != FUZZ_ATTACH)
		setsockopt(world.host[kind], SOL_PACKET, PACKET_QDISC_BYPASS, &bypass,
			   sizeof(bypass));
}

static void use_qdisc(void)
{
	fuzz_say("by way of the queueing discipline");
	set_bypass(0);
}

/* ---- the guest ----------------------------------------------------------- */

/* Of each segment of a buffer; also one in which the frame fits, or just does not. */
static uint32_t take_len(bool near, uint32_t segments)
{
	uint32_t len;

	if (!near)
		return take32() % (NB_BUF_SIZE + 1);
	len = frame_len / segments + (take8() & 15) - 8;
	return len < NB_BUF_SIZE ? len : NB_BUF_SIZE;
}

static void post_buffers(void)
{
	uint8_t shape = take8();
	uint32_t segments = 1 + (shape & 63), len = take_len(shape & 0x80, segments), i;
	uint32_t times = 1u << (take8() & 7), used;
	struct nb_rx_segment list[64];
	const struct nb_raw_ring *ring = &raw.ring[NB_RING_RX_AVAIL];

	fuzz_say("buffers of %u segments of %u bytes, %u times", segments, len, times);
	while (times--) {
		used = *ring->producer - *ring->consumer;
		if (used + segments > ring->n)
			return;
		next_id = (next_id + 1) % IDS;
		size_of[next_id] = segments * len;
		for (i = 0; i < segments; i++, next_slot = (next_slot + 1) % SLOTS) {
			list[i] = (struct nb_rx_segment){
				.gpa = NB_RX_GPA + next_slot * NB_BUF_SIZE,
				.len = len | (i + 1 < segments ? NB_RX_MORE : 0),
				.id = next_id,
			};
			if (posted[next_slot] < len)
				posted[next_slot] = len;
		}
		nb_raw_rx(&raw, list, segments);
	}
}

static void check_received(const struct nb_rx_metadata *meta)
{
	if (meta->status > NB_RX_FAULT || (meta->status && meta->len))
		fuzz_broken("a buffer with status %u and %u bytes", meta->status, meta->len);
	if (meta->id >= IDS || meta->offset + meta->len > size_of[meta->id])
		fuzz_broken("buffer %u holds %u bytes from %u on, and has %u", meta->id, meta->len,
			    meta->offset, meta->id < IDS ? size_of[meta->id] : 0);
	if ((meta->flags & NB_RX_NEEDS_CHECKSUM) &&
	    meta->checksum_start + meta->checksum_offset + 2u > meta->len)
		fuzz_broken("a checksum from %u on at %u in %u bytes", meta->checksum_start,
			    meta->checksum_offset, meta->len);
	if (meta->ip_checksum > NB_CHECKSUM_VALIDATED_BUT_WRONG ||
	    meta->l4_checksum > NB_CHECKSUM_VALIDATED_BUT_WRONG ||
	    meta->l3_protocol > NB_L3_IPV6 || meta->l4_protocol > NB_L4_UDP)
		fuzz_broken("checksum states %u, %u, protocols %u, %u", meta->ip_checksum,
			    meta->l4_checksum, meta->l3_protocol, meta->l4_protocol);
}

static void reap(void)
{
	struct nb_tx_completion done;
	struct nb_rx_metadata meta;

	while (nb_raw_tx_done(&raw, &done))
		if (done.status > NB_TX_UNSUPPORTED)
			fuzz_broken("a transmit has status %u", done.status);
	while (nb_raw_rx_done(&raw, &meta)) {
		fuzz_say("received %u bytes in buffer %u", meta.len, meta.id);
		check_received(&meta);
	}
}

static void transmit(void)
{
	uint8_t how = take8(), i = how % FUZZ_PACKETS;
	struct nb_tx_segment segments[4] = { 0 };
	unsigned int n = 1 + (how >> 3 & 3), times = 1u << (how >> 5);
	const struct nb_raw_ring *ring = &raw.ring[NB_RING_TX_AVAIL];

	nb_tx_split(segments, n, NB_TX_GPA + i * NB_PAGE, fuzz_describe(i, 0, segments), i);
	fuzz_say("the guest sends packet %u in %u segments, %u times", i, n, times);
	while (times-- && *ring->producer - *ring->consumer + n <= ring->n)
		nb_raw_tx(&raw, segments, n);
	nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
}

static void enter(void)
{
	int err = nb_raw_enter(&raw, NB_ENTER_RX, NULL);

	fuzz_say("ENTER: %s", strerror(-err));
}

/* ---- XDP programs -------------------------------------------------------- */

/* The one that is being written. */
static struct {
	struct bpf_insn insns[MOST_INSNS];
	unsigned int n;
} program;

static void emit(const struct bpf_insn *insns, size_t n)
{
	memcpy(program.insns + program.n, insns, n * sizeof(*insns));
	program.n += n;
}

#define EMIT(...)							\
	emit((const struct bpf_insn[]){ __VA_ARGS__ },			\
	     ARRAY_LEN(((const struct bpf_insn[]){ __VA_ARGS__ })))

static void emit_adjust(int function, int delta)
{
	EMIT(BPF_COPY(BPF_REG_1, BPF_REG_6), BPF_SET(BPF_REG_2, delta),
	     BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function));
}

static void emit_store(uint8_t at, uint8_t value)
{
	EMIT(BPF_LOAD(BPF_W, BPF_REG_2, BPF_REG_6, 0),
	     BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_6, 4),
	     BPF_COPY(BPF_REG_4, BPF_REG_2), BPF_PLUS(BPF_REG_4, at + 1),
	     BPF_IF_REG(BPF_JGT, BPF_REG_4, BPF_REG_3, 1),
	     BPF_STORE_IMM(BPF_B, BPF_REG_2, at, value));
}

static void emit_bytes(int function, uint32_t at)
{
	EMIT(BPF_STORE_IMM(BPF_DW, BPF_REG_10, -8, at),
	     BPF_COPY(BPF_REG_1, BPF_REG_6), BPF_SET(BPF_REG_2, at & 0xffff),
	     BPF_COPY(BPF_REG_3, BPF_REG_10), BPF_PLUS(BPF_REG_3, -8),
	     BPF_SET(BPF_REG_4, 8), BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function));
}

static void emit_step(void)
{
	uint8_t how = take8();
	int delta = (int8_t)take8() * (how & 0x80 ? 40 : 1);

	switch (how % 7) {
	case 0:
		emit_adjust(BPF_FUNC_xdp_adjust_head, delta);
		break;
	case 1:
		emit_adjust(BPF_FUNC_xdp_adjust_tail, delta);
		break;
	case 2:
		emit_adjust(BPF_FUNC_xdp_adjust_meta, delta);
		break;
	case 3:
		emit_store(delta, how);
		break;
	case 4:
		emit_bytes(BPF_FUNC_xdp_store_bytes, delta & 0xffff);
		break;
	case 5:
		emit_bytes(BPF_FUNC_xdp_load_bytes, delta & 0xffff);
		break;
	case 6:
		EMIT(BPF_COPY(BPF_REG_1, BPF_REG_6),
		     BPF_CALL_HELPER(xdp_get_buff_len));
		break;
	}
}

static void emit_end(void)
{
	uint8_t how = take8();

	switch (how & 7) {
	case 6:
		EMIT(BPF_SET(BPF_REG_1, world.ifindex[FUZZ_PORT + (how >> 3) % 3]),
		     BPF_SET(BPF_REG_2, 0), BPF_CALL_HELPER(redirect));
		break;
	case 7:
		EMIT(BPF_MAP(BPF_REG_1, devmap), BPF_MAP_END,
		     BPF_SET(BPF_REG_2, how >> 3), BPF_SET(BPF_REG_3, how & 3),
		     BPF_CALL_HELPER(redirect_map));
		break;
	case 5:
		EMIT(BPF_SET(BPF_REG_0, take32()));
		break;
	default:
		EMIT(BPF_SET(BPF_REG_0, how & 7));
	}
	EMIT(BPF_RETURN);
}

static void attach_program(void)
{
	uint8_t how = take8(), steps = how & 7;
	char message[256], log[4096] = "";
	int fd, err;

	program.n = 0;
	EMIT(BPF_COPY(BPF_REG_6, BPF_REG_1));
	while (steps--)
		emit_step();
	emit_end();
	fd = nb_bpf_try_load(BPF_PROG_TYPE_XDP, how & 8 ? BPF_F_XDP_HAS_FRAGS : 0, program.insns,
			     program.n, log, fuzz_verbose ? sizeof(log) : 0);
	if (fd < 0) {
		fuzz_say("the XDP program is refused: %s: %s", strerror(-fd), log);
		return;
	}
	err = nb_bpf_try_attach(world.ifindex[kind], fd, message, sizeof(message));
	close(fd);
	fuzz_say("an XDP program of %u instructions: %s %s", program.n, strerror(-err), message);
	has_program = true;
}

static void detach_program(void)
{
	char message[256];

	if (has_program)
		nb_bpf_try_attach(world.ifindex[kind], -1, message, sizeof(message));
	has_program = false;
	fuzz_say("no XDP program");
}

/* ---- the interface ------------------------------------------------------- */

static const char *name_of(char name[IF_NAMESIZE])
{
	if (!if_indextoname(world.ifindex[kind], name))
		fuzz_broken("the interface of %s is gone", fuzz_kind_names[kind]);
	return name;
}

static void change_link(void)
{
	bool up = take8() & 1;
	char name[IF_NAMESIZE];

	fuzz_say("the interface is %s", up ? "up" : "down");
	nb_link_set_up(name_of(name), up);
}

static void change_mtu(void)
{
	uint32_t mtu = take32() % 70000;
	char name[IF_NAMESIZE];
	int err = nb_xdp_set_mtu(name_of(name), mtu);

	fuzz_say("MTU %u: %s", mtu, strerror(-err));
}

static void change_multicast(void)
{
	struct nb_multicast list[2] = { { { 1, 0, 0x5e, 0, 0, 1 } }, { { 0x33, 0x33, take8() } } };
	uint8_t how = take8();

	nb_endpoint_set_multicast(world.ep[kind], how & 1 ? NULL : list, how & 1 ? 0 : 2,
				  how & 1 ? NB_MULTICAST_ALL : 0);
	fuzz_say("another multicast list");
}

/* ---- an input ------------------------------------------------------------ */

static void open_queue(void)
{
	static const uint32_t flags[] = {
		0, NB_QUEUE_RX_CHECKSUM, NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_TCP_SEGMENTATION,
		NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_UDP_SEGMENTATION,
		NB_QUEUE_RX_CHECKSUM | NB_QUEUE_RX_TCP_SEGMENTATION | NB_QUEUE_RX_UDP_SEGMENTATION,
	};
	uint8_t how = take8();
	int err = fuzz_open_queue(&world, kind, ENTRIES, flags[how % ARRAY_LEN(flags)], &raw);

	if (err)
		fuzz_broken("%s: no queue: %s", fuzz_kind_names[kind], strerror(-err));
	fuzz_say("kind %s, flags %#x", fuzz_kind_names[kind], flags[how % ARRAY_LEN(flags)]);
	fuzz_check_queue(&world, kind, &raw);
}

static void count(void)
{
	fuzz_count(*raw.ring[NB_RING_RX_AVAIL].consumer + *raw.ring[NB_RING_TX_AVAIL].consumer);
}

static void reopen_queue(void)
{
	char name[IF_NAMESIZE];

	reap();
	count();
	nb_raw_close(&raw);
	nb_link_set_up(name_of(name), true);
	size_of[7] = NB_BUF_SIZE;
	posted[0] = NB_BUF_SIZE;
	open_queue();
}

static const struct {
	char name;
	void (*fn)(void);
} operations[] = {
	{ 'i', take_packet }, { 'p', change_bytes }, { 'l', change_length }, { 'h', shift },
	{ 'o', ask_for_offload }, { 'v', change_vnet }, { 's', send_frame }, { 'Q', use_qdisc },
	{ 'b', post_buffers }, { 'd', reap }, { 't', transmit }, { 'e', enter },
	{ 'x', attach_program }, { 'X', detach_program }, { 'u', change_link },
	{ 'M', change_mtu }, { 'm', change_multicast }, { 'q', reopen_queue },
};

static void operate(char name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(operations); i++)
		if (operations[i].name == name)
			operations[i].fn();
}

static void begin(void)
{
	memset(buffers, PATTERN, NB_RX_SIZE);
	memset(posted, 0, sizeof(posted));
	memset(size_of, 0, sizeof(size_of));
	/* The one that fuzz_check_queue() posts. */
	posted[0] = NB_BUF_SIZE;
	size_of[7] = NB_BUF_SIZE;
	next_slot = 1;
	next_id = 8;
	kind = FUZZ_PORT + take8() % 3;
	fuzz_world_fill(&world);
	set_bypass(1);
	open_queue();
	load_packet(0);
}

static void check_buffers(void)
{
	unsigned int slot, at;

	for (slot = 0; slot < SLOTS; slot++)
		for (at = posted[slot]; at < NB_BUF_SIZE; at++)
			if (buffers[slot * NB_BUF_SIZE + at] != PATTERN)
				fuzz_broken("byte %u behind a buffer of %u was written", at,
					    posted[slot]);
}

static void mend(void)
{
	char name[IF_NAMESIZE];

	detach_program();
	nb_xdp_set_mtu(name_of(name), 1500);
	nb_link_set_up(name, true);
	nb_endpoint_set_multicast(world.ep[kind], NULL, 0, NB_MULTICAST_ALL);
	fuzz_host_drain(&world, kind);
}

static void run(const uint8_t *data, size_t size)
{
	take_from(data, size);
	begin();
	while (input < input_end)
		operate(take8());
	nb_raw_enter(&raw, NB_ENTER_TX | NB_ENTER_RX, NULL);
	reap();
	count();
	if (nb_raw_state(&raw) != NB_QUEUE_RUNNING)
		fuzz_broken("%s: the queue is in state %u", fuzz_kind_names[kind],
			    nb_raw_state(&raw));
	nb_raw_close(&raw);
	mend();
	check_buffers();
	fuzz_world_check();
}

static void open_world(void)
{
	unsigned int i;

	fuzz_world_open(&world);
	buffers = nb_guest_ptr(&world.guest, NB_RX_GPA, NB_RX_SIZE);
	devmap = nb_bpf_map(BPF_MAP_TYPE_DEVMAP, 8);
	for (i = 0; i < 3; i++)
		nb_bpf_map_set(devmap, i, world.ifindex[FUZZ_PORT + i]);
}

const struct fuzz_target fuzz_frames = {
	.name = "frames",
	.operations = "iiplhovvssssQbbbdttexxXuMmq",
	.open = open_world,
	.run = run,
};
