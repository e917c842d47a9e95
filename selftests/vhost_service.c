// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost as a service: it gets its sockets and its endpoints from whoever starts it, who has
 * the privileges, says when it is ready, and tells its state.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "vhost.h"

#define STATUS		"/tmp/nb-vhost-status"
#define ANSWER		"/tmp/nb-vhost-status.json"
#define TOLD		"nb-vhost-told"
#define FIRST_FD	3

FIXTURE(service)
{
	struct nb *nb;
	int told;		/* where it says how far it is */
	pid_t child;
	struct nb_front front;
};

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = nb_sys(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	unlink(path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	nb_sys(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	nb_sys(listen(fd, 1));
	return fd;
}

/* An abstract one, which anybody may write to. */
static int make_told(void)
{
	const struct timeval patience = { .tv_sec = NB_PATIENCE / 1000 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "\0" TOLD };
	int fd = nb_sys(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	nb_sys(bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t) + 1 + strlen(TOLD)));
	nb_sys(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	return fd;
}

FIXTURE_SETUP(service)
{
	nb_test_load_module();
	nb_ok(nb_open(&self->nb));
	self->told = make_told();
	self->front.memfd = -1;
	unlink(STATUS);
	/* as the rule for udev does it, for somebody */
	nb_sys(chmod("/dev/net_backend", 0666));
}

FIXTURE_TEARDOWN(service)
{
	nb_front_close(&self->front);
	if (self->child)
		EXPECT_EQ(0, nb_vhost_end(self->child));
	close(self->told);
	nb_close(self->nb);
	nb_sys(chmod("/dev/net_backend", 0600));
}

/* What a child of a service manager is, which has these fds, as nobody. */
static void become_service(const int *fds, unsigned int n, const char *names)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	char number[16];
	unsigned int i;

	/* those that are to be passed may be where they are to be */
	for (i = 0; i < n; i++)
		nb_sys(dup2(fds[i], 100 + i));
	for (i = 0; i < n; i++)
		nb_sys(dup2(100 + i, FIRST_FD + i));
	snprintf(number, sizeof(number), "%d", getpid());
	setenv("LISTEN_PID", number, 1);
	snprintf(number, sizeof(number), "%u", n);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	setenv("NOTIFY_SOCKET", "@" TOLD, 1);
	nb_sys(setrlimit(RLIMIT_MEMLOCK, &unlimited));
	nb_test_become_nobody();
}

static pid_t run(const int *fds, unsigned int n, const char *names, const char * const *arguments)
{
	pid_t child = nb_sys(fork());

	if (child)
		return child;
	become_service(fds, n, names);
	execvp(arguments[0], (char **)arguments);
	_exit(127);
}

static bool says(FIXTURE_DATA(service) *self, const char *what)
{
	char text[64] = "";

	return recv(self->told, text, sizeof(text) - 1, 0) > 0 && !strcmp(text, what);
}

static int make_endpoint(FIXTURE_DATA(service) *self)
{
	const struct nb_endpoint_params params = { .kind = "loopback", .netns_fd = -1 };
	struct nb_endpoint *ep;
	int fd;

	nb_ok(nb_endpoint_create(self->nb, &params, &ep));
	fd = nb_sys(fcntl(nb_endpoint_fd(ep), F_DUPFD_CLOEXEC, 10));
	nb_endpoint_close(ep);
	return fd;
}

static bool serves(FIXTURE_DATA(service) *self, const char *path)
{
	bool works;

	nb_front_open(&self->front, path, 0);
	nb_front_post(&self->front, 0, 0, 64);
	works = nb_front_works(&self->front);
	nb_front_close(&self->front);
	return works;
}

/* ---- what is passed ------------------------------------------------------ */

TEST_F(service, root_gives_up_what_it_does_not_need_to_serve)
{
	static const char * const sets[] = { "CapInh:", "CapPrm:", "CapEff:", "CapAmb:" };
	unsigned int i;

	self->child = nb_vhost_run(PATH, "netdev,name=nbcaps", NULL);
	for (i = 0; i < ARRAY_LEN(sets); i++)
		EXPECT_TRUE(nb_until(!(nb_test_status(self->child, sets[i], 16) &
				       ~(1ull << CAP_IPC_LOCK))));
}

/* By name, where several have the same one in their order, and by number. */
TEST_F(service, what_is_passed_is_served_by_somebody_without_privileges)
{
	const char * const arguments[] = { "nbvhost", "fd=nic", "fd=wire", "fd=nic", "fd=6",
					   NULL };
	int fds[] = { listen_at(PATH), make_endpoint(self), listen_at(BYSTANDER),
		      make_endpoint(self) };
	unsigned int i;

	self->child = run(fds, 4, "nic:wire:nic:", arguments);
	for (i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	ASSERT_TRUE(says(self, "READY=1"));
	EXPECT_TRUE(serves(self, PATH));
	EXPECT_TRUE(serves(self, BYSTANDER));
	EXPECT_TRUE(serves(self, PATH));
	EXPECT_EQ(0, nb_vhost_end(self->child));
	self->child = 0;
	EXPECT_TRUE(says(self, "STOPPING=1"));
	/* who has made them takes them away */
	EXPECT_EQ(0, unlink(PATH));
	EXPECT_EQ(0, unlink(BYSTANDER));
}

TEST_F(service, what_is_not_there_or_something_else_is_refused)
{
	static const struct {
		const char *socket, *endpoint;
		int status;
	} cases[] = {
		{ "fd=nothere", "loopback", 1 }, { "fd=", "loopback", 1 },
		{ "fd=2", "loopback", 1 }, { "fd=99", "loopback", 1 },
		{ "fd=99999999999", "loopback", 1 }, { "fd=wire", "loopback", 1 },
		{ "fd=file", "loopback", 1 }, { "fd=talk", "loopback", 1 },
		{ "fd=nic", "fd=nothere", 1 }, { "fd=nic", "fd=nic", 1 },
		{ "fd=nic", "fd=3", 1 }, { "fd=nic", "fd=file", 1 },
		{ "fd=nic", "fd=", 1 }, { "fd=nic", "nosuchkind", 1 },
		{ "fd=ni", "loopback", 1 }, { "fd=nicx", "loopback", 1 },
	};
	int pair[2], status;
	unsigned int i;
	pid_t child;

	nb_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		const char * const arguments[] = { "nbvhost", cases[i].socket, cases[i].endpoint,
						   NULL };
		int fds[] = { listen_at(PATH), make_endpoint(self), pair[0],
			      nb_sys(memfd_create("file", 0)) };
		unsigned int j;

		child = run(fds, 4, "nic:wire:talk:file", arguments);
		for (j = 0; j < 4; j++) {
			if (fds[j] != pair[0])
				close(fds[j]);
		}
		if (!nb_until(nb_sys(waitpid(child, &status, WNOHANG)))) {
			kill(child, SIGKILL);
			nb_sys(waitpid(child, &status, 0));
		}
		EXPECT_EQ(cases[i].status << 8, status)
			TH_LOG("%s %s", cases[i].socket, cases[i].endpoint);
	}
	close(pair[0]);
	close(pair[1]);
	unlink(PATH);
}

/* The variables are somebody else's: nothing was passed to this one. */
TEST_F(service, what_was_passed_to_another_process_is_not_taken)
{
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "nic", 1);
	EXPECT_EQ(1, nb_test_run("nbvhost", "fd=nic", "loopback", NULL));
	setenv("LISTEN_PID", "", 1);
	EXPECT_EQ(1, nb_test_run("nbvhost", "fd=nic", "loopback", NULL));
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* ---- the limit of memory --------------------------------------------------- */

/* Pass @n regions: the guest's memory, and then a page. */
static int set_memory(struct nb_front *front, unsigned int n)
{
	struct vu_memory table = {
		.n = n,
		.regions = {
			{ NB_FRONT_GPA, NB_FRONT_SIZE, NB_FRONT_USER },
			{ NB_FRONT_GPA + NB_FRONT_SIZE, NB_PAGE,
			  NB_FRONT_USER + NB_FRONT_SIZE },
		},
	};
	const int fds[] = { front->memfd, front->memfd };

	nb_front_want_ack(front, VU_SET_MEM_TABLE, &table,
			  offsetof(struct vu_memory, regions) + n * sizeof(table.regions[0]),
			  fds, n);
	return nb_front_ack(front);
}

/* Who has exactly so much is served, and goes on when it is refused more. */
TEST_F(service, memory_above_the_limit_is_refused)
{
	struct nb_front *front = &self->front;

	self->child = nb_vhost_run("-m", "4", PATH, "loopback", NULL);
	nb_front_open(front, PATH, 0);
	nb_front_post(front, 0, 0, 64);
	ASSERT_TRUE(nb_front_works(front));
	nb_front_send_u64(front, VU_SET_PROTOCOL_FEATURES, 1 << VU_PROTOCOL_F_REPLY_ACK, -1);
	EXPECT_EQ(1, set_memory(front, 2));
	EXPECT_TRUE(nb_front_works(front));
	EXPECT_EQ(0, set_memory(front, 1));
	EXPECT_TRUE(nb_front_works(front));
}

TEST_F(service, a_limit_of_memory_is_a_number_of_mib)
{
	static const char * const wrong[] = { "0", "4G", "-1", "16777217", "" };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(wrong); i++)
		EXPECT_EQ(2, nb_test_run("nbvhost", "-m", wrong[i], PATH, "loopback", NULL))
			TH_LOG("case %u", i);
}

/* ---- the status ---------------------------------------------------------- */

static int connect_to_status(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = STATUS };
	int fd = nb_sys(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	nb_sys(connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

/* Whether a filter of jq is true for the status. */
static bool status_is(const char *filter)
{
	int fd = connect_to_status(), file;
	char text[8192];
	ssize_t n;

	file = nb_sys(open(ANSWER, O_WRONLY | O_CREAT | O_TRUNC, 0600));
	while ((n = nb_sys(read(fd, text, sizeof(text)))))
		nb_sys(write(file, text, n));
	close(file);
	close(fd);
	return !nb_test_run("sh", "-c", "jq -e \"$1\" " ANSWER " > /dev/null", "sh", filter, NULL);
}

TEST_F(service, its_state_is_told_as_json)
{
	self->child = nb_vhost_run("--status", STATUS, PATH, "loopback,name=quoted", BYSTANDER,
				   "null", NULL);
	EXPECT_TRUE(status_is(".program == \"nbvhost\" and (.nics | length) == 2"));
	EXPECT_TRUE(status_is(".nics[0].endpoint.kind == \"loopback\" and .nics[0].link"));
	EXPECT_TRUE(status_is(".nics[0].socket == \"" PATH "\" and .nics[0].pairs == 0"));
	EXPECT_TRUE(status_is(".nics | all(.connected | not)"));
	nb_front_open(&self->front, PATH, 0);
	nb_front_post(&self->front, 0, 0, 64);
	ASSERT_TRUE(nb_front_works(&self->front));
	EXPECT_TRUE(status_is(".nics[0] | .connected and .pairs == 1"));
	EXPECT_TRUE(status_is(".nics[0].features == \"0x140000000\""));
	EXPECT_TRUE(status_is(".nics[0] | (.rss | not) and .hash_reports == \"0\""));
	EXPECT_TRUE(status_is(".nics[0].guest_to_host == {packets: 10, bytes: 1000, dropped: 0, "
			      "bad_chains: 0, broken_rings: 0}"));
	EXPECT_TRUE(status_is(".nics[0].guest_to_host == .nics[0].host_to_guest"));
	EXPECT_TRUE(status_is(".nics[1].connected | not"));
	/* who makes it takes it away */
	EXPECT_EQ(0, nb_vhost_end(self->child));
	self->child = 0;
	EXPECT_NE(0, access(STATUS, F_OK));
}

TEST_F(service, who_asks_for_the_state_and_does_not_read_keeps_nobody_waiting)
{
	int fds[60];
	unsigned int i;

	self->child = nb_vhost_run("--status", STATUS, PATH, "loopback", NULL);
	for (i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = connect_to_status();
		/* it may have answered already, and gone */
		send(fds[i], "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
		if (i & 1)
			shutdown(fds[i], SHUT_RDWR);
	}
	EXPECT_TRUE(serves(self, PATH));
	for (i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	EXPECT_TRUE(status_is(".nics | length == 1"));
}

/* ---- beginning again in place --------------------------------------------- */

/* The fds are the same ones, and it is told what goes on. */
TEST_F(service, what_was_passed_is_there_when_it_begins_again)
{
	const char * const arguments[] = { "nbvhost", "--status", STATUS, "fd=nic", "fd=wire",
					   NULL };
	int fds[] = { listen_at(PATH), make_endpoint(self) };
	unsigned int i;

	self->child = run(fds, 2, "nic:wire", arguments);
	for (i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	ASSERT_TRUE(says(self, "READY=1"));
	nb_front_open(&self->front, PATH, 0);
	nb_front_post(&self->front, 0, 0, 64);
	for (i = 0; i < 3; i++) {
		nb_sys(kill(self->child, SIGUSR2));
		ASSERT_TRUE(says(self, "RELOADING=1"));
		ASSERT_TRUE(says(self, "READY=1"));
		EXPECT_TRUE(nb_front_works(&self->front));
		EXPECT_EQ(0, nb_test_status(self->child, "CapPrm:", 16));
	}
	nb_front_close(&self->front);
	EXPECT_TRUE(serves(self, PATH));
	/* what was counted before is counted */
	EXPECT_TRUE(status_is(".nics[0].guest_to_host.packets == 40"));
}

/* ---- what cannot be done is not tried again and again --------------------- */

TEST_F(service, a_ring_that_cannot_be_used_is_tried_again_when_something_changes)
{
	struct vu_vring_addr nowhere = { .index = RX };
	struct nb_front *front = &self->front;
	unsigned int i;
	int said;

	self->child = nb_vhost_run_and_listen(&said, PATH, "loopback", NULL);
	nb_front_connect(front, PATH);
	front->pairs = 1;
	nb_front_negotiate(front, 0);
	nb_front_set_memory(front);
	nb_front_set_ring(front, RX, 0);
	nb_front_send(front, VU_SET_VRING_ADDR, &nowhere, sizeof(nowhere), NULL, 0);
	nb_front_set_ring(front, TX, 0);
	for (i = 0; i < 20; i++)
		nb_front_ask(front, VU_GET_FEATURES);
	EXPECT_EQ(1, nb_vhost_times_said(said, "ring of pair 0: it is not in guest memory"));
	for (i = 0; i < 2; i++) {
		nb_front_send_state(front, VU_SET_VRING_ENABLE, TX, i);
		nb_front_ask(front, VU_GET_FEATURES);
	}
	EXPECT_EQ(2, nb_vhost_times_said(said, "ring of pair 0: it is not in guest memory"));
	nb_front_set_ring(front, RX, 0);
	nb_front_post(front, 0, 0, 64);
	EXPECT_TRUE(nb_front_works(front));
	close(said);
}

/* Each of them ends the connection. */
TEST_F(service, a_front_end_that_is_always_wrong_does_not_fill_the_log)
{
	unsigned int i;
	int said;

	self->child = nb_vhost_run_and_listen(&said, PATH, "loopback", NULL);
	for (i = 0; i < 100; i++) {
		nb_front_connect(&self->front, PATH);
		nb_front_send_u64(&self->front, VU_SET_FEATURES, 1ull << 63, -1);
		ASSERT_TRUE(nb_front_is_refused(&self->front));
		nb_front_close(&self->front);
	}
	EXPECT_EQ(20, nb_vhost_times_said(said, "message 2: "));
	EXPECT_EQ(1, nb_vhost_times_said(said, "no more is said for a while"));
	EXPECT_TRUE(serves(self, PATH));
	close(said);
}

static uint64_t cpu_ms(pid_t child)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(child, &clock))
		nb_die("there is no clock of nbvhost's");
	nb_sys(clock_gettime(clock, &time));
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Who connects has to wait until there is an fd for that, and it does not spin meanwhile. */
TEST_F(service, who_connects_when_there_are_no_fds_is_taken_later)
{
	struct rlimit none, before;
	uint64_t used;
	int said;

	self->child = nb_vhost_run_and_listen(&said, PATH, "loopback", NULL);
	nb_sys(prlimit(self->child, RLIMIT_NOFILE, NULL, &before));
	none = (struct rlimit){ .rlim_cur = FIRST_FD, .rlim_max = before.rlim_max };
	nb_sys(prlimit(self->child, RLIMIT_NOFILE, &none, NULL));
	nb_front_connect(&self->front, PATH);
	ASSERT_TRUE(nb_until(nb_vhost_times_said(said, "cannot take who connects")));
	used = cpu_ms(self->child);
	usleep(1000000);
	EXPECT_GT(500, cpu_ms(self->child) - used);
	EXPECT_EQ(1, nb_vhost_times_said(said, "cannot take who connects"));
	nb_sys(prlimit(self->child, RLIMIT_NOFILE, &before, NULL));
	nb_front_ask(&self->front, VU_GET_FEATURES);
	close(said);
}

/* ---- clean shutdown ------------------------------------------------------ */

TEST_F(service, a_socket_that_was_left_behind_is_replaced_and_one_that_is_served_is_not)
{
	self->child = nb_vhost_run(PATH, "loopback", NULL);
	EXPECT_EQ(1, nb_test_run("nbvhost", PATH, "loopback", NULL));
	EXPECT_TRUE(serves(self, PATH));
	kill(self->child, SIGKILL);
	nb_sys(waitpid(self->child, NULL, 0));
	self->child = nb_vhost_run(PATH, "loopback", NULL);
	EXPECT_TRUE(serves(self, PATH));
	EXPECT_EQ(0, nb_vhost_end(self->child));
	self->child = 0;
	/* something else is left alone */
	close(nb_sys(open("/tmp/nb-vhost-file", O_WRONLY | O_CREAT, 0600)));
	EXPECT_EQ(1, nb_test_run("nbvhost", "/tmp/nb-vhost-file", "loopback", NULL));
	EXPECT_EQ(0, unlink("/tmp/nb-vhost-file"));
}

/* As when it has been replaced by another one, and ends last. */
TEST_F(service, a_socket_that_somebody_else_has_put_in_its_place_stays)
{
	self->child = nb_vhost_run(PATH, "loopback", NULL);
	close(listen_at(PATH));
	EXPECT_EQ(0, nb_vhost_end(self->child));
	self->child = 0;
	EXPECT_EQ(0, unlink(PATH));
	/* nor is it anything to complain about if there is none any more */
	self->child = nb_vhost_run(PATH, "loopback", NULL);
	EXPECT_EQ(0, unlink(PATH));
}

TEST_HARNESS_MAIN
