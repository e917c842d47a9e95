// SPDX-License-Identifier: GPL-2.0
/*
 * BPF programs and maps, and where they are attached.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "nbbpf.h"
#include "nbtest.h"

/* ---- programs and maps --------------------------------------------------- */

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int nb_bpf_try_load(enum bpf_prog_type type, uint32_t flags, const struct bpf_insn *insns,
		    size_t n, char *log, size_t size)
{
	union bpf_attr attr = {
		.prog_type = type,
		.prog_flags = flags,
		.insns = (uintptr_t)insns,
		.insn_cnt = n,
		.license = (uintptr_t)"GPL",
		.log_level = size ? 1 : 0,
		.log_buf = (uintptr_t)log,
		.log_size = size,
	};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	return fd < 0 ? -errno : fd;
}

int nb_bpf_load(enum bpf_prog_type type, uint32_t flags, const struct bpf_insn *insns,
		size_t n)
{
	static char log[65536];
	int fd = nb_bpf_try_load(type, flags, insns, n, NULL, 0);

	if (fd < 0)
		fd = nb_bpf_try_load(type, flags, insns, n, log, sizeof(log));
	if (fd < 0)
		nb_die("the program is refused: %s\n%s", strerror(-fd), log);
	return fd;
}

int nb_bpf_returns(int action)
{
	return nb_bpf_xdp(BPF_SET(BPF_REG_0, action), BPF_RETURN);
}

int nb_bpf_map(enum bpf_map_type type, unsigned int entries)
{
	union bpf_attr attr = {
		.map_type = type,
		.key_size = sizeof(uint32_t),
		.value_size = type == BPF_MAP_TYPE_ARRAY ? sizeof(uint64_t) : sizeof(uint32_t),
		.max_entries = entries,
	};

	return nb_sys(bpf(BPF_MAP_CREATE, &attr));
}

void nb_bpf_map_set(int map, uint32_t key, uint32_t value)
{
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)&value,
	};

	nb_sys(bpf(BPF_MAP_UPDATE_ELEM, &attr));
}

uint64_t nb_bpf_array_get(int map, uint32_t key)
{
	uint64_t value = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)&value,
	};

	nb_sys(bpf(BPF_MAP_LOOKUP_ELEM, &attr));
	return value;
}

int nb_bpf_trace(const char *tracepoint, int program)
{
	union bpf_attr attr = {
		.raw_tracepoint.name = (uintptr_t)tracepoint,
		.raw_tracepoint.prog_fd = program,
	};

	return nb_sys(bpf(BPF_RAW_TRACEPOINT_OPEN, &attr));
}

/* ---- rtnetlink ----------------------------------------------------------- */

struct request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct tcmsg tc;
	};
	char attributes[256];
};

static struct rtattr *add_attribute(struct request *request, uint16_t type, const void *data,
				    size_t len)
{
	char *end = (char *)request + NLMSG_ALIGN(request->header.nlmsg_len);
	struct rtattr *attribute = (struct rtattr *)end;

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attribute), data, len);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_SPACE(len);
	return attribute;
}

static void end_nest(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (char *)request + request->header.nlmsg_len - (char *)nest;
}

/* The text of an extended answer. */
static void copy_message(const struct nlmsghdr *header, char *message, size_t size)
{
	const struct nlmsgerr *error = NLMSG_DATA(header);
	const struct rtattr *attribute;
	size_t offset = sizeof(*error);
	int left;

	message[0] = '\0';
	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	/* Without NETLINK_CAP_ACK, the request stands between. */
	offset += error->msg.nlmsg_len - sizeof(error->msg);
	left = NLMSG_PAYLOAD(header, offset);
	for (attribute = (void *)((char *)error + offset); RTA_OK(attribute, left);
	     attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == NLMSGERR_ATTR_MSG)
			snprintf(message, size, "%s", (char *)RTA_DATA(attribute));
}

int nb_bpf_open_rtnetlink(void)
{
	int fd = nb_sys(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)), one = 1;

	nb_sys(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)));
	return fd;
}

static int ask_over(int fd, struct request *request, char *message, size_t size)
{
	const struct nlmsghdr *header;
	char reply[4096];

	request->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	message[0] = '\0';
	if (send(fd, request, request->header.nlmsg_len, 0) < 0 ||
	    recv(fd, reply, sizeof(reply), 0) < 0)
		return -errno;
	header = (const void *)reply;
	if (header->nlmsg_type != NLMSG_ERROR)
		nb_die("rtnetlink answers with a message of type %u", header->nlmsg_type);
	copy_message(header, message, size);
	return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
}

static int ask(struct request *request, char *message, size_t size)
{
	int fd = nb_bpf_open_rtnetlink(), err;

	err = ask_over(fd, request, message, size);
	close(fd);
	return err;
}

static int attach(int fd, int ifindex, int program, uint32_t flags, char *message, size_t size)
{
	struct request request = {
		.header.nlmsg_len = NLMSG_LENGTH(sizeof(request.link)),
		.header.nlmsg_type = RTM_SETLINK,
		.link.ifi_index = ifindex,
	};
	struct rtattr *xdp;

	xdp = add_attribute(&request, IFLA_XDP | NLA_F_NESTED, NULL, 0);
	add_attribute(&request, IFLA_XDP_FD, &program, sizeof(program));
	add_attribute(&request, IFLA_XDP_FLAGS, &flags, sizeof(flags));
	end_nest(&request, xdp);
	return ask_over(fd, &request, message, size);
}

int nb_bpf_attach_over(int fd, int ifindex, int program, char *message, size_t size)
{
	return attach(fd, ifindex, program, XDP_FLAGS_DRV_MODE, message, size);
}

int nb_bpf_try_attach(int ifindex, int program, char *message, size_t size)
{
	int fd = nb_bpf_open_rtnetlink(), err;

	err = nb_bpf_attach_over(fd, ifindex, program, message, size);
	close(fd);
	return err;
}

void nb_bpf_attach_generic(int ifindex, int program)
{
	int fd = nb_bpf_open_rtnetlink(), err;
	char message[256];

	err = attach(fd, ifindex, program, XDP_FLAGS_SKB_MODE, message, sizeof(message));
	close(fd);
	if (err)
		nb_die("attaching to interface %d: %s: %s", ifindex, strerror(-err), message);
}

void nb_bpf_attach(int ifindex, int program)
{
	char message[256];
	int err = nb_bpf_try_attach(ifindex, program, message, sizeof(message));

	if (err)
		nb_die("attaching to interface %d: %s: %s", ifindex, strerror(-err), message);
}

static void add_classifier(int ifindex)
{
	struct request request = {
		.header.nlmsg_len = NLMSG_LENGTH(sizeof(request.tc)),
		.header.nlmsg_type = RTM_NEWQDISC,
		.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL,
		.tc.tcm_ifindex = ifindex,
		.tc.tcm_parent = TC_H_CLSACT,
		.tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
	};
	char message[256];
	int err;

	add_attribute(&request, TCA_KIND, "clsact", sizeof("clsact"));
	err = ask(&request, message, sizeof(message));
	if (err)
		nb_die("clsact: %s: %s", strerror(-err), message);
}

void nb_bpf_classify(int ifindex, int program)
{
	struct request request = {
		.header.nlmsg_len = NLMSG_LENGTH(sizeof(request.tc)),
		.header.nlmsg_type = RTM_NEWTFILTER,
		.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL,
		.tc.tcm_ifindex = ifindex,
		.tc.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		.tc.tcm_info = TC_H_MAKE(1 << 16, htons(ETH_P_ALL)),
	};
	uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtattr *options;
	char message[256];
	int err;

	add_classifier(ifindex);
	add_attribute(&request, TCA_KIND, "bpf", sizeof("bpf"));
	options = add_attribute(&request, TCA_OPTIONS, NULL, 0);
	add_attribute(&request, TCA_BPF_FD, &program, sizeof(program));
	add_attribute(&request, TCA_BPF_NAME, "test", sizeof("test"));
	add_attribute(&request, TCA_BPF_FLAGS, &flags, sizeof(flags));
	end_nest(&request, options);
	err = ask(&request, message, sizeof(message));
	if (err)
		nb_die("classifier: %s: %s", strerror(-err), message);
}
