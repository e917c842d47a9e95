// SPDX-License-Identifier: GPL-2.0
/*
 * Path netdev-xdp, tx
 *
 * What the guest sends is dropped by an XDP program on the interface.
 */

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/* The program that drops everything: an fd, or -1 */
static int load_program(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)insns,
		.insn_cnt = sizeof(insns) / sizeof(*insns),
		.license = (uintptr_t)"GPL",
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0)
		say("XDP program: %s", strerror(errno));
	return fd;
}

static int attach(int ifindex)
{
	int program = load_program(), err;

	if (program < 0)
		return -1;
	err = link_attach_xdp(ifindex, program);
	close(program);
	return err;
}

/* The program takes any packet that fits a page; for these two there is a target. */
static bool netdev_xdp_fits(const struct shape *shape)
{
	return shape->size <= 1500 && shape->segments == 1;
}

static void *netdev_xdp_open(const struct shape *shape)
{
	struct guest *guest = netdev_tx.open(shape);

	if (guest && attach(guest_ifindex(guest)) < 0) {
		guest_close(guest);
		return NULL;
	}
	return guest;
}

static void netdev_xdp_run(void *state, unsigned int batches)
{
	while (batches--)
		guest_transmit(state);
}

static void netdev_xdp_close(void *state)
{
	guest_close(state);
}

const struct path netdev_xdp_tx = {
	.path = "netdev-xdp",
	.direction = "tx",
	.subject = "net_backend",
	.fits = netdev_xdp_fits,
	.open = netdev_xdp_open,
	.run = netdev_xdp_run,
	.close = netdev_xdp_close,
};
