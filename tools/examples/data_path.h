/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/* The system calls that a thread needs which only sends and receives, for seccomp. */
#ifndef DATA_PATH_H
#define DATA_PATH_H

#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/net_backend.h>
#include <linux/seccomp.h>

#if defined(__x86_64__)
#define DATA_PATH_ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define DATA_PATH_ARCH	AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define DATA_PATH_ARCH	AUDIT_ARCH_RISCV64
#else
#error "name this architecture's AUDIT_ARCH_ here, and look at the order of its bytes below"
#endif

static const int data_path_calls[] = {
	/* eventfds: a guest's doorbell and its interrupt; and waiting for them */
	__NR_read, __NR_write, __NR_ppoll, __NR_epoll_pwait,
#ifdef __NR_poll
	__NR_poll, __NR_epoll_wait,
#endif
	/* what the C library asks the kernel for where the vDSO cannot tell, and its own */
	__NR_clock_gettime, __NR_futex, __NR_rt_sigreturn, __NR_restart_syscall,
	__NR_exit, __NR_exit_group,
};

#define DATA_PATH_N	(sizeof(data_path_calls) / sizeof(*data_path_calls))

/* Instructions: they load a word, leave out the next one unless it is @value, or end. */
static inline struct sock_filter data_path_load(unsigned int offset)
{
	return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}

static inline struct sock_filter data_path_if(unsigned int value)
{
	return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
}

static inline struct sock_filter data_path_end(unsigned int what)
{
	return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what);
}

/*
 * From now on any other system call of this thread, and any other ioctl(), ends the process
 * with SIGSYS.  Returns 0, or -1 and errno.
 */
static inline int data_path_confine(void)
{
	struct sock_filter filter[2 * DATA_PATH_N + 10];
	struct sock_fprog program = { .filter = filter };
	unsigned int n = 0, i;

	filter[n++] = data_path_load(offsetof(struct seccomp_data, arch));
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DATA_PATH_ARCH, 1, 0);
	filter[n++] = data_path_end(SECCOMP_RET_KILL_PROCESS);
	filter[n++] = data_path_load(offsetof(struct seccomp_data, nr));
	for (i = 0; i < DATA_PATH_N; i++) {
		filter[n++] = data_path_if(data_path_calls[i]);
		filter[n++] = data_path_end(SECCOMP_RET_ALLOW);
	}
	/* Of the ioctls, the only one of the data path. */
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 1, 0);
	filter[n++] = data_path_end(SECCOMP_RET_KILL_PROCESS);
	filter[n++] = data_path_load(offsetof(struct seccomp_data, args[1]));
	filter[n++] = data_path_if(NB_QUEUE_ENTER);
	filter[n++] = data_path_end(SECCOMP_RET_ALLOW);
	filter[n++] = data_path_end(SECCOMP_RET_KILL_PROCESS);
	program.len = n;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif /* DATA_PATH_H */
