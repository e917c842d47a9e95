/* SPDX-License-Identifier: GPL-2.0 */
/*
 * BPF without a compiler or a library: programs are written as instructions, and loaded
 * and attached by the raw system calls.  What fails says why (the verifier's log, the
 * extended answer of rtnetlink) and aborts.
 */
#ifndef NBBPF_H
#define NBBPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

/* ---- instructions -------------------------------------------------------- */

#define BPF_INSN(code_, dst_, src_, off_, imm_)				\
	((struct bpf_insn){						\
		.code = (code_), .dst_reg = (dst_), .src_reg = (src_),	\
		.off = (off_), .imm = (imm_),				\
	})
#define BPF_SET(dst, imm)	BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define BPF_COPY(dst, src)	BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define BPF_PLUS(dst, imm)	BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define BPF_LOAD(size, dst, src, off) \
	BPF_INSN(BPF_LDX | BPF_MEM | (size), dst, src, off, 0)
#define BPF_STORE(size, dst, off, src) \
	BPF_INSN(BPF_STX | BPF_MEM | (size), dst, src, off, 0)
#define BPF_STORE_IMM(size, dst, off, imm) \
	BPF_INSN(BPF_ST | BPF_MEM | (size), dst, 0, off, imm)
/* Jumps by "off" instructions behind the next one. */
#define BPF_IF(op, dst, imm, off)	BPF_INSN(BPF_JMP | (op) | BPF_K, dst, 0, off, imm)
#define BPF_IF_REG(op, dst, src, off)	BPF_INSN(BPF_JMP | (op) | BPF_X, dst, src, off, 0)
/* One instruction that takes the place of two: they go together. */
#define BPF_MAP(dst, fd) \
	BPF_INSN(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, fd)
#define BPF_MAP_END		BPF_INSN(0, 0, 0, 0, 0)
#define BPF_CALL_HELPER(id)	BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##id)
#define BPF_RETURN		BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* ---- programs and maps: fds ---------------------------------------------- */

#define nb_bpf_xdp(...)		nb_bpf_program(BPF_PROG_TYPE_XDP, 0, __VA_ARGS__)
/* One that knows packets of several buffers. */
#define nb_bpf_xdp_frags(...) \
	nb_bpf_program(BPF_PROG_TYPE_XDP, BPF_F_XDP_HAS_FRAGS, __VA_ARGS__)
#define nb_bpf_program(type, flags, ...)				\
	nb_bpf_load(type, flags, (struct bpf_insn[]){ __VA_ARGS__ },	\
		    sizeof((struct bpf_insn[]){ __VA_ARGS__ }) / sizeof(struct bpf_insn))

int nb_bpf_load(enum bpf_prog_type type, uint32_t flags, const struct bpf_insn *insns,
		size_t n);
/* The same: an fd, or a negative errno; what the verifier says is in log unless size is 0. */
int nb_bpf_try_load(enum bpf_prog_type type, uint32_t flags, const struct bpf_insn *insns,
		    size_t n, char *log, size_t size);
/* A program that always returns this. */
int nb_bpf_returns(int action);

/* A map from a u32 to 4 bytes, or for an array 8. */
int nb_bpf_map(enum bpf_map_type type, unsigned int entries);
void nb_bpf_map_set(int map, uint32_t key, uint32_t value);
uint64_t nb_bpf_array_get(int map, uint32_t key);

/* A program of type RAW_TRACEPOINT runs at a tracepoint from now on, until the fd is closed. */
int nb_bpf_trace(const char *tracepoint, int program);

/* ---- interfaces ---------------------------------------------------------- */

/* Natively: a fall-back to generic XDP is an error.  -1 for no program. */
void nb_bpf_attach(int ifindex, int program);
/* The same: 0, or a negative errno; what the kernel said about it is in message. */
int nb_bpf_try_attach(int ifindex, int program, char *message, size_t size);
/* The same over a socket of rtnetlink that is open: also an errno of the socket's. */
int nb_bpf_open_rtnetlink(void);
int nb_bpf_attach_over(int fd, int ifindex, int program, char *message, size_t size);
/* Not natively: the program runs on skbs. */
void nb_bpf_attach_generic(int ifindex, int program);
/* A classifier of type SCHED_CLS on what arrives at an interface. */
void nb_bpf_classify(int ifindex, int program);

#endif /* NBBPF_H */
