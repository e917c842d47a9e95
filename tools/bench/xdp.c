// SPDX-License-Identifier: GPL-2.0
/* XDP programs, written as instructions: without a compiler or a library */

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

int bpf_call(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int xdp_attach(int ifindex, const struct bpf_insn *insns, unsigned int n, unsigned int flags)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)insns,
		.insn_cnt = n,
		.license = (uintptr_t)"GPL",
	};
	int program = bpf_call(BPF_PROG_LOAD, &attr), err;

	if (program < 0) {
		say("XDP program: %s", strerror(errno));
		return -1;
	}
	err = link_attach_xdp(ifindex, program, flags);
	close(program);
	return err;
}

int xdp_attach_drop(int ifindex)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return xdp_attach(ifindex, insns, sizeof(insns) / sizeof(*insns),
			  XDP_FLAGS_DRV_MODE);
}

/* The program takes any packet that fits a page; for these two there is a target. */
bool fits_xdp(const struct shape *shape)
{
	return shape->size <= 1500 && shape->segments == 1;
}
