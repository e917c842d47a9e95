// SPDX-License-Identifier: GPL-2.0
/*
 * A driver of vhost-net: set up, and one split ring
 *
 * The device is a kernel thread.  On one CPU it runs when the driver lets it: a driver
 * that waits has the lowest priority there is (SCHED_IDLE), so that it looks at the ring
 * only when there is nothing left to do; see Documentation/performance.rst.  With more CPUs
 * the device has one of its own.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vhost.h"

#define RING_ALIGN	4096u
#define PATIENCE	1000000u

/* ---- the ring ------------------------------------------------------------ */

static void *anonymous(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("no memory for %zu bytes", size);
	return memory;
}

static int make_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		die("eventfd: %s", strerror(errno));
	return fd;
}

struct vring_driver *vhost_add_ring(struct vhost *vhost, unsigned int index,
				    unsigned int n_descriptors, bool with_call)
{
	struct vring_driver *ring = &vhost->rings[index];
	unsigned int entries = ring_entries(n_descriptors);

	vring_init(&ring->vring, entries, anonymous(vring_size(entries, RING_ALIGN)), RING_ALIGN);
	ring->kick = make_eventfd();
	ring->call = with_call ? make_eventfd() : -1;
	if (!with_call)
		ring->vring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	return ring;
}

void vring_make_available(struct vring_driver *ring, unsigned int descriptor)
{
	ring->vring.avail->ring[ring->avail++ & (ring->vring.num - 1)] = descriptor;
}

bool vring_has_used(const struct vring_driver *ring)
{
	return __atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE) != ring->used;
}

void vring_publish(struct vring_driver *ring)
{
	const uint64_t one = 1;

	__atomic_store_n(&ring->vring.avail->idx, ring->avail, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ring->vring.used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY)
		return;
	if (write(ring->kick, &one, sizeof(one)) != sizeof(one))
		die("kick: %s", strerror(errno));
}

void vring_wait(struct vring_driver *ring, unsigned int n)
{
	unsigned int idle = 0;

	while ((uint16_t)(__atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE) -
			  ring->used) < n) {
		sched_yield();
		if (++idle > PATIENCE)
			die("vhost-net: a packet was never used");
	}
}

void vring_give_way(bool to_all)
{
	const struct sched_param priority = { .sched_priority = to_all ? 0 : 1 };
	static long cpus;

	if (!cpus)
		cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus > 1)
		return;
	if (sched_setscheduler(0, to_all ? SCHED_IDLE : SCHED_FIFO, &priority) < 0)
		die("scheduling policy: %s", strerror(errno));
}

void vring_give_way_no_more(void)
{
	const struct sched_param none = { 0 };

	sched_setscheduler(0, SCHED_OTHER, &none);
}

/* ---- the device ---------------------------------------------------------- */

int vhost_set_memory(int fd, uint64_t gpa, const void *memory, size_t len)
{
	const size_t size = sizeof(struct vhost_memory) + sizeof(struct vhost_memory_region);
	struct vhost_memory *table = alloc(1, size);
	int err;

	table->nregions = 1;
	table->regions[0].guest_phys_addr = gpa;
	table->regions[0].memory_size = len;
	table->regions[0].userspace_addr = (uintptr_t)memory;
	err = ioctl(fd, VHOST_SET_MEM_TABLE, table);
	if (err < 0)
		say("vhost-net: memory: %s", strerror(errno));
	free(table);
	return err;
}

int vhost_open_device(uint64_t features)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, VHOST_SET_OWNER) == 0 &&
	    ioctl(fd, VHOST_SET_FEATURES, &features) == 0)
		return fd;
	say("vhost-net: %s%s", strerror(errno), fd < 0 ? " (modprobe vhost_net?)" : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int set_up_device(struct vhost *vhost)
{
	const int header = VHOST_HEADER;

	vhost->fd = vhost_open_device(1ull << VIRTIO_F_VERSION_1);
	if (vhost->fd < 0)
		return -1;
	vhost->tap = tap_create(&vhost->shape, IFF_VNET_HDR, &vhost->ifindex);
	if (vhost->tap < 0 || ioctl(vhost->tap, TUNSETVNETHDRSZ, &header) < 0)
		return -1;
	return vhost_set_memory(vhost->fd, (uintptr_t)vhost->memory, vhost->memory,
				vhost->memory_size);
}

struct vhost *vhost_open(const struct shape *shape, unsigned int n_packets)
{
	struct vhost *vhost = alloc(1, sizeof(*vhost));

	vhost->shape = *shape;
	vhost->tap = -1;
	vhost->slot_size = (shape->size + VHOST_HEADER + 2047) / 2048 * 2048;
	vhost->memory_size = (size_t)n_packets * vhost->slot_size;
	vhost->memory = anonymous(vhost->memory_size);
	if (set_up_device(vhost) == 0)
		return vhost;
	vhost_close(vhost);
	return NULL;
}

int vhost_start_ring(int fd, const struct vhost_ring *ring)
{
	const struct vhost_vring_addr *address = &ring->address;
	const unsigned int i = address->index;
	struct vhost_vring_state number = { .index = i, .num = ring->entries };
	struct vhost_vring_state base = { .index = i };
	struct vhost_vring_file kick = { .index = i, .fd = ring->kick };
	struct vhost_vring_file call = { .index = i, .fd = ring->call };
	struct vhost_vring_file backend = { .index = i, .fd = ring->tap };

	if (ioctl(fd, VHOST_SET_VRING_NUM, &number) == 0 &&
	    ioctl(fd, VHOST_SET_VRING_BASE, &base) == 0 &&
	    ioctl(fd, VHOST_SET_VRING_ADDR, address) == 0 &&
	    ioctl(fd, VHOST_SET_VRING_KICK, &kick) == 0 &&
	    ioctl(fd, VHOST_SET_VRING_CALL, &call) == 0 &&
	    ioctl(fd, VHOST_NET_SET_BACKEND, &backend) == 0)
		return 0;
	say("vhost-net: ring %u: %s", i, strerror(errno));
	return -1;
}

int vhost_start(struct vhost *vhost, unsigned int ring)
{
	const struct vring_driver *driver = &vhost->rings[ring];
	const struct vring *vring = &driver->vring;
	const struct vhost_ring about = {
		.address = {
			.index = ring,
			.desc_user_addr = (uintptr_t)vring->desc,
			.avail_user_addr = (uintptr_t)vring->avail,
			.used_user_addr = (uintptr_t)vring->used,
		},
		.entries = vring->num,
		.kick = driver->kick,
		.call = driver->call,
		.tap = vhost->tap,
	};

	return vhost_start_ring(vhost->fd, &about);
}

static void remove_ring(struct vring_driver *ring)
{
	if (!ring->vring.desc)
		return;
	close(ring->kick);
	if (ring->call >= 0)
		close(ring->call);
	munmap(ring->vring.desc, vring_size(ring->vring.num, RING_ALIGN));
}

void vhost_close(void *state)
{
	struct vhost *vhost = state;

	if (vhost->source)
		source_close(vhost->source);
	if (vhost->fd >= 0)
		close(vhost->fd);
	if (vhost->tap >= 0)
		close(vhost->tap);
	remove_ring(&vhost->rings[VHOST_RX]);
	remove_ring(&vhost->rings[VHOST_TX]);
	munmap(vhost->memory, vhost->memory_size);
	free(vhost);
	vring_give_way_no_more();
}
