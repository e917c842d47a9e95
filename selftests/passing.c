// SPDX-License-Identifier: GPL-2.0
/*
 * A fd is a capability: a privileged launcher makes an endpoint and passes its fd over
 * a socket to a process of user nobody without any capability, which registers memory,
 * makes queues, again and again, and runs the data path.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "nbtest.h"

#define MAX_FDS	4

static void send_fds(int socket, const int *fds, unsigned int n)
{
	char byte = n, control[CMSG_SPACE(MAX_FDS * sizeof(int))] = { 0 };
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(header), fds, n * sizeof(int));
	nb_sys(sendmsg(socket, &message, 0));
}

static void receive_fds(int socket, int *fds, unsigned int n)
{
	char byte, control[CMSG_SPACE(MAX_FDS * sizeof(int))];
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;

	if (nb_sys(recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) != 1)
		nb_die("the other process has gone");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(n * sizeof(int)))
		nb_die("there are not %u fds", n);
	memcpy(fds, CMSG_DATA(header), n * sizeof(int));
}

static void tell(int socket)
{
	nb_sys(write(socket, "", 1));
}

static void wait_until_told(int socket)
{
	char byte;

	if (nb_sys(read(socket, &byte, 1)) != 1)
		nb_die("the other process has gone");
}

/* Leaves this process nothing but one fd. */
static void enter_sandbox(int left)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	int fd;

	for (fd = 3; fd < 256; fd++)
		if (fd != left)
			close(fd);
	nb_sys(setrlimit(RLIMIT_MEMLOCK, &limit));
	nb_test_become_nobody();
	if (open("/dev/net_backend", O_RDWR | O_CLOEXEC) >= 0)
		nb_die("nobody may open the device");
}

FIXTURE(passing)
{
	int ours, theirs;
};

FIXTURE_VARIANT(passing)
{
	const struct nb_test_kind *kind;
};

FIXTURE_VARIANT_ADD(passing, null) { .kind = &nb_test_null };
FIXTURE_VARIANT_ADD(passing, port) { .kind = &nb_test_switch };
FIXTURE_VARIANT_ADD(passing, loopback) { .kind = &nb_test_loopback };
FIXTURE_VARIANT_ADD(passing, netdev) { .kind = &nb_test_netdev };

FIXTURE_SETUP(passing)
{
	int pair[2];

	nb_host_new_netns();
	nb_sys(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	self->ours = pair[0];
	self->theirs = pair[1];
}

FIXTURE_TEARDOWN(passing)
{
	close(self->ours);
}

/* The VMM: gets a memory and an endpoint, and for netdev a socket on the interface. */
static void run_vmm(int socket, const struct nb_test_kind *kind)
{
	struct nb_queue_config config = { 0 };
	struct nb_guest guest = { 0 };
	struct nb_nic nic = { .kind = kind, .guest = &guest, .host.fd = -1 };
	unsigned int round;
	int fds[2];

	enter_sandbox(socket);
	receive_fds(socket, fds, 2);
	nb_ok(nb_memory_from_fd(fds[0], &guest.mem));
	nb_ok(nb_endpoint_from_fd(fds[1], &nic.ep));
	nb_ok(nb_memory_add(guest.mem, NB_RX_GPA, nb_test_pages(NB_RX_SIZE), NB_RX_SIZE, 0));
	nb_ok(nb_memory_add(guest.mem, NB_TX_GPA, nb_test_pages(NB_TX_SIZE), NB_TX_SIZE, 0));
	if (strcmp(nb_endpoint_type(nic.ep), kind->name))
		nb_die("the endpoint is a %s", nb_endpoint_type(nic.ep));

	for (round = 0; round < 3; round++) {
		nb_bufs_init(&nic.bufs);
		nb_ok(nb_endpoint_get_queues(nic.ep, guest.mem, &config, 1, NULL, nic.queues));
		nic.queue = nic.queues[0];
		nic.n_queues = 1;
		nb_bufs_post_all(&nic.bufs, nic.queue);
		nb_ok(nb_endpoint_set_rss(nic.ep, NULL));
		tell(socket);
		if (kind->sent == NB_COMES_TO_HOST)
			receive_fds(socket, &nic.host.fd, 1);
		if (!nb_nic_works(&nic))
			nb_die("nothing goes through");
		nb_nic_stop(&nic);
		nb_ok(nb_endpoint_stop(nic.ep));
		nb_ok(nb_endpoint_disconnect(nic.ep, 0));
		nb_ok(nb_endpoint_connect(nic.ep, NULL));
	}
	_exit(0);
}

TEST_F(passing, a_process_without_rights_runs_an_endpoint)
{
	pid_t vmm = nb_sys(fork());
	struct nb_guest guest;
	unsigned int round;
	struct nb_nic nic;
	int status;

	if (!vmm)
		run_vmm(self->theirs, variant->kind);
	close(self->theirs);
	nb_guest_open(&guest, 0);
	nb_memory_close(guest.mem);
	ASSERT_EQ(0, nb_memory_create(guest.nb, &guest.mem));
	nb_nic_open(&nic, &guest, variant->kind, 0);
	send_fds(self->ours, (int []){ nb_memory_fd(guest.mem), nb_endpoint_fd(nic.ep) }, 2);

	for (round = 0; round < 3; round++) {
		wait_until_told(self->ours);
		if (variant->kind->sent != NB_COMES_TO_HOST)
			continue;
		nb_host_open(&nic.host, if_nametoindex("nb0"));
		send_fds(self->ours, &nic.host.fd, 1);
		nb_host_close(&nic.host);
	}
	nb_nic_close(&nic);
	nb_guest_close(&guest);
	nb_sys(waitpid(vmm, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(nb_until(!if_nametoindex("nb0")));
}

/* Gets one queue, and the memfd that the guest's memory is in. */
static void run_data_path(int socket, const struct nb_test_kind *kind)
{
	struct nb_queue_info info;
	struct nb_tx_segment packet = nb_tx_packet(NB_PAGE, 100, 6);
	struct nb_rx_segment buffer = { .gpa = 0, .len = NB_BUF_SIZE, .id = 4 };
	struct nb_rx_metadata meta;
	struct nb_queue *queue;
	unsigned char *memory;
	int fds[2];

	enter_sandbox(socket);
	receive_fds(socket, fds, 2);
	nb_ok(nb_queue_from_fd(fds[0], &queue));
	memory = mmap(NULL, 2 * NB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	if (memory == MAP_FAILED)
		nb_die("mmap: %s", strerror(errno));
	nb_ok(nb_queue_get_info(queue, &info));
	if (info.index != 1)
		nb_die("this is queue %u", info.index);

	nb_frame_fill(memory + NB_PAGE, 100, 3);
	nb_ok(nb_queue_rx_avail(queue, &buffer, 1));
	nb_tx_all(queue, &packet, 1);
	if (kind->sent == NB_COMES_BACK) {
		if (nb_ok(nb_queue_rx_poll(queue, &meta, 1)) != 1 || meta.id != 4 ||
		    meta.len != 100 || memcmp(memory, memory + NB_PAGE, 100))
			nb_die("the packet did not come back");
	}
	_exit(0);
}

TEST_F(passing, a_process_without_rights_runs_a_queue)
{
	int memfd = nb_sys(memfd_create("guest", MFD_CLOEXEC));
	struct nb_queue_config configs[2] = { 0 };
	pid_t process = nb_sys(fork());
	struct nb_queue *queues[2];
	struct nb_guest guest;
	struct nb_nic nic;
	int status;

	if (!process)
		run_data_path(self->theirs, variant->kind);
	close(self->theirs);
	nb_guest_open(&guest, 0);
	nb_memory_close(guest.mem);
	ASSERT_EQ(0, nb_memory_create(guest.nb, &guest.mem));
	nb_sys(ftruncate(memfd, 2 * NB_PAGE));
	ASSERT_EQ(0, nb_memory_add_fd(guest.mem, 0, memfd, 0, 2 * NB_PAGE, 0));
	nb_nic_open(&nic, &guest, variant->kind, 0);
	ASSERT_EQ(0, nb_endpoint_get_queues(nic.ep, guest.mem, configs, 2, NULL, queues));
	if (variant->kind->sent == NB_COMES_TO_HOST)
		nb_host_open(&nic.host, if_nametoindex("nb0"));
	send_fds(self->ours, (int []){ nb_queue_fd(queues[1]), memfd }, 2);
	nb_queue_close(queues[0]);
	nb_queue_close(queues[1]);

	if (variant->kind->sent == NB_COMES_TO_HOST) {
		unsigned char frame[100], got[100];

		nb_frame_fill(frame, sizeof(frame), 3);
		EXPECT_EQ(100, nb_host_receive(&nic.host, got, sizeof(got), NULL));
		EXPECT_EQ(0, memcmp(frame, got, sizeof(frame)));
	}
	nb_sys(waitpid(process, &status, 0));
	EXPECT_EQ(0, status);
	nb_nic_close(&nic);
	nb_guest_close(&guest);
	close(memfd);
}

#define SECRET	0xa5

static void expect_no_map(int fd, uint64_t offset, int flags)
{
	unsigned char *map = mmap(NULL, NB_PAGE, PROT_READ, flags, fd, offset);

	if (map != MAP_FAILED)
		nb_die("there is a map at %#llx", (unsigned long long)offset);
}

/* Tries wherever the memory could be: at its beginning, guest-physical, and in user space. */
static void run_prying(int memory, const unsigned char *pages)
{
	const uint64_t offsets[] = { 0, NB_PAGE, NB_MORE_GPA, (uintptr_t)pages };
	struct nb_memory *mem;
	unsigned char byte, *map;
	unsigned int i;

	enter_sandbox(memory);
	for (i = 0; i < ARRAY_LEN(offsets); i++) {
		expect_no_map(memory, offsets[i], MAP_SHARED);
		expect_no_map(memory, offsets[i], MAP_PRIVATE);
		if (pread(memory, &byte, 1, offsets[i]) >= 0 ||
		    pwrite(memory, &byte, 1, offsets[i]) >= 0)
			nb_die("it can be read or written");
	}
	/* With the dirty log there is one page to be mapped: that with the bits. */
	nb_ok(nb_memory_from_fd(memory, &mem));
	nb_ok(nb_memory_start_dirty_log(mem));
	for (i = 1; i < ARRAY_LEN(offsets); i++)
		expect_no_map(memory, offsets[i], MAP_SHARED);
	map = mmap(NULL, NB_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (map == MAP_FAILED)
		nb_die("the bitmap cannot be mapped");
	for (i = 0; i < NB_PAGE; i++)
		if (map[i])
			nb_die("byte %u of the bitmap is %#x", i, map[i]);
	memset(map, 0, NB_PAGE);
	_exit(0);
}

TEST(a_memory_fd_does_not_map_the_memory)
{
	unsigned char *pages = nb_test_pages(NB_PAGE);
	struct nb_memory *mem;
	struct nb *nb;
	unsigned int i;
	pid_t process;
	int status;

	nb_test_load_module();
	memset(pages, SECRET, NB_PAGE);
	nb_ok(nb_open(&nb));
	nb_ok(nb_memory_create(nb, &mem));
	nb_ok(nb_memory_add(mem, NB_MORE_GPA, pages, NB_PAGE, 0));
	process = nb_sys(fork());
	if (!process)
		run_prying(nb_memory_fd(mem), pages);
	nb_sys(waitpid(process, &status, 0));
	EXPECT_EQ(0, status);
	for (i = 0; i < NB_PAGE; i++)
		ASSERT_EQ(SECRET, pages[i]);
	nb_memory_close(mem);
	nb_close(nb);
}

TEST_HARNESS_MAIN
