// SPDX-License-Identifier: GPL-2.0
/*
 * nbvhost's units, run by a systemd that is the first process of namespaces of its own, and has
 * them as they are installed; vm/systemd-guest gathers what it needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vhost.h"

#define MANAGER		"/usr/bin/systemd"
#define UNITS		"/usr/lib/systemd/system"
#define READY		"nb-units.target"
#define CONFIG		"/etc/nbvhost"
#define CGROUP		"/sys/fs/cgroup/nb-units"
#define SOCKET		"/run/nbvhost/vm1.sock"
#define SOCKET_UNIT	"nbvhost@vm1.socket"
#define SERVICE		"nbvhost@vm1.service"

FIXTURE(units)
{
	int pid_ns;		/* this process's */
	pid_t manager;
	struct nb_front front;
};

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	if (!file || fputs(text, file) < 0 || fclose(file))
		nb_die("cannot write %s: %s", path, strerror(errno));
}

/* systemd wants a cgroup tree and a /proc of its own. */
static void become_manager(void)
{
	char * const environment[] = { "PATH=/usr/bin:/usr/sbin:/bin:/sbin", "container=nb", NULL };

	nb_test_set(CGROUP "/cgroup.procs", "0");
	nb_sys(unshare(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWUTS));
	nb_sys(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	nb_sys(mount("proc", "/proc", "proc", 0, NULL));
	nb_sys(umount2("/sys/fs/cgroup", MNT_DETACH));
	nb_sys(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL));
	execle(MANAGER, MANAGER, "--system", "--unit=" READY, "--log-target=console", NULL,
	       environment);
	_exit(127);
}

/* All children from here on are in its PID namespace, as it talks to no others. */
static pid_t start_manager(void)
{
	pid_t child;

	nb_sys(mkdir(CGROUP, 0755));
	nb_sys(unshare(CLONE_NEWPID));
	child = nb_sys(fork());
	if (!child)
		become_manager();
	return child;
}

/* It says so, too, when there is no systemd yet. */
static bool is_active(const char *unit)
{
	char command[256];

	snprintf(command, sizeof(command), "systemctl -q is-active %s 2> /dev/null", unit);
	return !nb_test_run("sh", "-c", command, NULL);
}

/* What systemd knows of a unit. */
static bool unit_is(const char *unit, const char *property, const char *value)
{
	char command[256];

	snprintf(command, sizeof(command), "[ \"$(systemctl show -P %s %s)\" = \"%s\" ]", property,
		 unit, value);
	return !nb_test_run("sh", "-c", command, NULL);
}

FIXTURE_SETUP(units)
{
	struct group *group = getgrnam("kvm");

	self->front.memfd = -1;
	self->manager = 0;
	if (access(MANAGER, X_OK))
		return;
	nb_test_load_module();
	/* as the rule for udev does it */
	ASSERT_NE(NULL, group);
	nb_sys(chown("/dev/net_backend", 0, group->gr_gid));
	nb_sys(chmod("/dev/net_backend", 0660));
	write_file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	write_file(UNITS "/" READY,
		   "[Unit]\nDescription=Units can be started\n"
		   "Requires=sockets.target\nAfter=sockets.target\n");
	nb_test_run("mkdir", "-p", CONFIG, NULL);
	self->pid_ns = nb_sys(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
	self->manager = start_manager();
	ASSERT_TRUE(nb_until(is_active(READY)));
}

FIXTURE_TEARDOWN(units)
{
	nb_front_close(&self->front);
	if (!self->manager)
		return;
	/* and so are all others of the namespace */
	kill(self->manager, SIGKILL);
	waitpid(self->manager, NULL, 0);
	nb_sys(setns(self->pid_ns, CLONE_NEWPID));
	close(self->pid_ns);
	nb_sys(chmod("/dev/net_backend", 0600));
	EXPECT_EQ(0, nb_test_run("find", CGROUP, "-depth", "-type", "d", "-exec", "rmdir", "{}",
				 "+", NULL));
	EXPECT_EQ(0, nb_test_run("sh", "-c", "rm -rf /run/systemd /run/nbvhost* " CONFIG
				 " /etc/machine-id", NULL));
}

static bool connect_and_work(struct nb_front *front)
{
	bool works;

	nb_front_open(front, SOCKET, 0);
	nb_front_post(front, 0, 0, 64);
	works = nb_front_works(front);
	nb_front_close(front);
	return works;
}

TEST_F(units, who_connects_has_the_service_started)
{
	struct stat st;

	if (!self->manager)
		SKIP(return, "there is no systemd");
	write_file(CONFIG "/vm1.conf", "ENDPOINT=loopback\n");
	ASSERT_EQ(0, nb_test_run("systemctl", "start", SOCKET_UNIT, NULL));
	nb_sys(stat(SOCKET, &st));
	EXPECT_EQ(0660, st.st_mode & 07777);
	EXPECT_EQ(getgrnam("kvm")->gr_gid, st.st_gid);
	EXPECT_FALSE(is_active(SERVICE));
	EXPECT_TRUE(connect_and_work(&self->front));
	EXPECT_TRUE(is_active(SERVICE));
	EXPECT_TRUE(connect_and_work(&self->front));
}

static pid_t process_of_service(void)
{
	static const char procs[] = CGROUP "/system.slice/system-nbvhost.slice/" SERVICE
				    "/cgroup.procs";
	FILE *file = fopen(procs, "re");
	pid_t process;

	if (!file || fscanf(file, "%d", &process) != 1)
		nb_die("there is no process in %s", procs);
	fclose(file);
	return process;
}

/* It is systemd that takes the privileges away, and nbvhost that gives up the last one. */
TEST_F(units, an_interface_is_called_as_the_instance_and_made_by_a_user_of_its_own)
{
	pid_t process;

	if (!self->manager)
		SKIP(return, "there is no systemd");
	ASSERT_EQ(0, nb_test_run("systemctl", "start", SERVICE, NULL));
	process = process_of_service();
	EXPECT_NE(0, if_nametoindex("vm1"));
	EXPECT_NE(0, nb_test_status(process, "Uid:", 10));
	EXPECT_NE(0, nb_test_status(process, "Gid:", 10));
	EXPECT_EQ(0, nb_test_status(process, "CapPrm:", 16));
	EXPECT_EQ(0, nb_test_status(process, "CapEff:", 16));
	EXPECT_EQ(1ull << CAP_NET_ADMIN, nb_test_status(process, "CapBnd:", 16));
	EXPECT_EQ(1, nb_test_status(process, "NoNewPrivs:", 10));
	EXPECT_EQ(2, nb_test_status(process, "Seccomp:", 10));
	ASSERT_EQ(0, nb_test_run("systemctl", "stop", SOCKET_UNIT, SERVICE, NULL));
	EXPECT_EQ(0, if_nametoindex("vm1"));
	EXPECT_NE(0, access(SOCKET, F_OK));
}

TEST_F(units, options_of_the_instance_are_taken)
{
	if (!self->manager)
		SKIP(return, "there is no systemd");
	write_file(CONFIG "/vm1.conf", "ENDPOINT=loopback\nOPTIONS=--queues 2 --memory 3\n");
	ASSERT_EQ(0, nb_test_run("systemctl", "start", SOCKET_UNIT, NULL));
	nb_front_connect(&self->front, SOCKET);
	EXPECT_EQ(2, nb_front_ask(&self->front, VU_GET_QUEUE_NUM));
	nb_front_negotiate(&self->front, 0);
	nb_front_set_memory(&self->front);
	EXPECT_TRUE(nb_front_is_refused(&self->front));
}

/* The socket stays meanwhile: nobody who connects is refused. */
TEST_F(units, who_is_killed_begins_again)
{
	if (!self->manager)
		SKIP(return, "there is no systemd");
	write_file(CONFIG "/vm1.conf", "ENDPOINT=loopback\n");
	ASSERT_EQ(0, nb_test_run("systemctl", "start", SOCKET_UNIT, NULL));
	EXPECT_TRUE(connect_and_work(&self->front));
	EXPECT_EQ(0, nb_test_run("systemctl", "kill", "-s", "KILL", SERVICE, NULL));
	EXPECT_TRUE(connect_and_work(&self->front));
	EXPECT_TRUE(nb_until(unit_is(SERVICE, "NRestarts", "1")));
	EXPECT_EQ(0, nb_test_run("systemctl", "stop", SOCKET_UNIT, SERVICE, NULL));
	EXPECT_TRUE(unit_is(SERVICE, "Result", "success"));
}

/* What it was executed with. */
static bool was_left_something(pid_t process)
{
	char command[64];

	snprintf(command, sizeof(command), "grep -q NBVHOST_HANDOVER /proc/%d/environ", process);
	return !nb_test_run("sh", "-c", command, NULL);
}

/* The VMM stays connected, and the interface is the same one. */
TEST_F(units, who_is_reloaded_begins_again_in_place)
{
	uint8_t frame[60] = { 0 };
	unsigned int index;
	pid_t process;

	if (!self->manager)
		SKIP(return, "there is no systemd");
	ASSERT_EQ(0, nb_test_run("systemctl", "start", SERVICE, NULL));
	process = process_of_service();
	index = if_nametoindex("vm1");
	nb_front_open(&self->front, SOCKET, 0);
	EXPECT_FALSE(was_left_something(process));
	EXPECT_TRUE(nb_front_transmit(&self->front, 0, frame, sizeof(frame)));
	ASSERT_EQ(0, nb_test_run("systemctl", "reload", SERVICE, NULL));
	EXPECT_TRUE(nb_until(was_left_something(process)));
	EXPECT_TRUE(nb_until(unit_is(SERVICE, "SubState", "running")));
	EXPECT_TRUE(nb_front_transmit(&self->front, 1, frame, sizeof(frame)));
	EXPECT_EQ(process, process_of_service());
	EXPECT_EQ(index, if_nametoindex("vm1"));
	EXPECT_TRUE(unit_is(SERVICE, "NRestarts", "0"));
}

TEST_HARNESS_MAIN
