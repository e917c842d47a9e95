// SPDX-License-Identifier: GPL-2.0
/*
 * What a front-end asks for
 *
 * Each request has a handler, and bounds of what it may come with.  A request that is
 * wrong in form ends the connection; one that cannot be granted does so, too, unless the
 * front-end has asked for an answer.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "nbvhost.h"

static const char no_answer[] = "it does not read what it is answered";

/**
 * struct request - what is known about a request
 * @min: bytes of the smallest payload
 * @max: bytes of the largest
 * @max_fds: most file descriptors
 * @answers: the handler answers by itself
 * @handle: does it; returns what is wrong, or NULL
 */
struct request {
	uint32_t min;
	uint32_t max;
	uint32_t max_fds;
	bool answers;
	const char *(*handle)(struct nic *nic, const union vu_payload *payload);
};

static const char *answer_u64(struct nic *nic, uint64_t value)
{
	return socket_send(nic, &value, sizeof(value)) ? no_answer : NULL;
}

/* The fd that has come with the message, and is closed with it unless it is taken; or -1. */
static int passed_fd(const struct nic *nic)
{
	return nic->connection.n_fds ? nic->connection.fds[0] : -1;
}

/* All that have come with it are somebody's. */
static void take_fds(struct nic *nic)
{
	nic->connection.n_fds = 0;
}

static uint64_t protocol_features(const struct nic *nic)
{
	uint64_t features = BIT(VU_PROTOCOL_F_REPLY_ACK) | BIT(VU_PROTOCOL_F_NET_MTU) |
			    BIT(VU_PROTOCOL_F_CONFIG) | BIT(VU_PROTOCOL_F_BACKEND_REQ) |
			    BIT(VU_PROTOCOL_F_INFLIGHT_SHMFD) | BIT(VU_PROTOCOL_F_LOG_SHMFD) |
			    BIT(VU_PROTOCOL_F_RARP);

	if (nic->max_pairs > 1)
		features |= BIT(VU_PROTOCOL_F_MQ);
	return features;
}

static struct vq *find_vq(struct nic *nic, uint64_t index)
{
	return index < n_vqs(nic) ? &nic->vqs[index] : NULL;
}

static const char no_ring[] = "there is no such ring";

/* ---- features ------------------------------------------------------------ */

static const char *get_features(struct nic *nic, const union vu_payload *payload)
{
	(void)payload;
	return answer_u64(nic, nic_features(nic));
}

static const char *set_features(struct nic *nic, const union vu_payload *payload)
{
	uint64_t changed = nic->features ^ payload->u64;

	if (payload->u64 & ~nic_features(nic))
		return "features that were not offered";
	/* a migration begins or ends while the rings run */
	if (changed & ~BIT(VHOST_F_LOG_ALL)) {
		nic_stop(nic);
		steering_forget(nic);
	} else {
		nic_pause(nic);
	}
	nic->features = payload->u64;
	return log_update(nic);
}

static const char *get_protocol_features(struct nic *nic, const union vu_payload *payload)
{
	(void)payload;
	return answer_u64(nic, protocol_features(nic));
}

static const char *set_protocol_features(struct nic *nic, const union vu_payload *payload)
{
	if (payload->u64 & ~protocol_features(nic))
		return "protocol features that were not offered";
	nic->protocol_features = payload->u64;
	return NULL;
}

static const char *get_queue_num(struct nic *nic, const union vu_payload *payload)
{
	(void)payload;
	return answer_u64(nic, nic->max_pairs);
}

static const char *nothing(struct nic *nic, const union vu_payload *payload)
{
	(void)nic;
	(void)payload;
	return NULL;
}

static const char *reset_owner(struct nic *nic, const union vu_payload *payload)
{
	unsigned int i;

	(void)payload;
	nic_stop(nic);
	for (i = 0; i < n_vqs(nic); i++)
		nic->vqs[i].enabled = false;
	steering_forget(nic);
	return NULL;
}

/* ---- memory -------------------------------------------------------------- */

static bool is_too_much(const struct nic *nic, const struct vu_memory *table)
{
	uint64_t left = nic->max_memory;
	uint32_t i;

	for (i = 0; i < table->n; i++) {
		if (table->regions[i].size > left)
			return true;
		left -= table->regions[i].size;
	}
	return false;
}

static const char *set_mem_table(struct nic *nic, const union vu_payload *payload)
{
	struct connection *connection = &nic->connection;
	const struct vu_memory *table = &payload->memory;
	uint32_t n = table->n, i;

	if (n > VU_MAX_REGIONS || connection->n_fds != n)
		return "not as many file descriptors as regions";
	if (connection->header.size < offsetof(struct vu_memory, regions) +
				      n * sizeof(table->regions[0]))
		return "fewer regions than it says";
	for (i = 0; i < n; i++) {
		size_t page = fd_memory_page(connection->fds[i]);

		if (!page)
			return "a file descriptor that is not memory";
		if (table->regions[i].size % page || table->regions[i].mmap_offset % page)
			return "memory that is not whole pages of its file";
	}
	if (is_too_much(nic, table))
		return "more guest memory than --memory allows";
	nic_stop(nic);
	if (memory_set(&nic->memory, nic->nb, table, connection->fds)) {
		nic_say(nic, "guest memory: %s", nb_error());
		return "memory that cannot be used";
	}
	take_fds(nic);
	return log_update(nic);
}

/* ---- rings --------------------------------------------------------------- */

static const char *set_vring_num(struct nic *nic, const union vu_payload *payload)
{
	struct vq *vq = find_vq(nic, payload->state.index);
	uint32_t num = payload->state.num;

	if (!vq)
		return no_ring;
	if (!num || num > MAX_RING_ENTRIES)
		return "a ring has 1 to 4096 entries";
	if (num & (num - 1) && !has_feature(nic, VIRTIO_F_RING_PACKED))
		return "a split ring's size is a power of two";
	nic_stop(nic);
	vq->size = num;
	return NULL;
}

static bool is_same_place(const struct vu_vring_addr *one, const struct vu_vring_addr *other)
{
	return one->desc == other->desc && one->used == other->used &&
	       one->avail == other->avail;
}

static const char *set_vring_addr(struct nic *nic, const union vu_payload *payload)
{
	struct vq *vq = find_vq(nic, payload->addr.index);

	if (!vq)
		return no_ring;
	/* when a migration begins, it is only said what is to be logged */
	if (vq->has_addr && is_same_place(&vq->addr, &payload->addr))
		nic_pause(nic);
	else
		nic_stop(nic);
	vq->addr = payload->addr;
	vq->has_addr = true;
	return log_update(nic);
}

static const char *set_vring_base(struct nic *nic, const union vu_payload *payload)
{
	struct vq *vq = find_vq(nic, payload->state.index);

	if (!vq)
		return no_ring;
	nic_stop(nic);
	steering_set_base(nic, vq, payload->state.num);
	vq_set_base(vq, payload->state.num);
	return NULL;
}

static const char *get_vring_base(struct nic *nic, const union vu_payload *payload)
{
	struct vq *vq = find_vq(nic, payload->state.index);
	struct vu_vring_state state = payload->state;

	if (!vq)
		return no_ring;
	nic_stop(nic);
	vq->started = false;
	state.num = vq->base;
	return socket_send(nic, &state, sizeof(state)) ? no_answer : NULL;
}

/*
 * Can an fd be written to, and closed, without asking anybody?  Of files of other kinds some make
 * who writes wait so that no signal ends it.  User-Mode Linux passes a socket for its interrupt.
 */
static bool is_for_news(int fd)
{
	return fd_is_eventfd(fd) || fd_is_unix(fd);
}

/* Replace an fd; the front-end may have none. */
static void set_fd(struct nic *nic, int *place, int fd)
{
	if (fd >= 0) {
		take_fds(nic);
		fcntl(fd, F_SETFL, O_NONBLOCK);
	}
	fd_close(&nic->closer, *place);
	*place = fd;
}

/* The fd that a message about a ring has; one that says that it has none may come with one. */
static int ring_fd(const struct nic *nic, uint64_t value)
{
	return value & VU_VRING_NO_FD ? -1 : passed_fd(nic);
}

static const char *set_vring_kick(struct nic *nic, const union vu_payload *payload)
{
	struct vq *vq = find_vq(nic, payload->u64 & VU_VRING_INDEX_MASK);
	int fd = ring_fd(nic, payload->u64);

	if (!vq)
		return no_ring;
	/* others may make who begins to listen to them wait */
	if (fd >= 0 && !fd_is_eventfd(fd))
		return "a doorbell that is not an eventfd";
	nic_pause(nic);
	control_unwatch(nic);
	vq->started = true;
	set_fd(nic, &vq->kick_fd, fd);
	return NULL;
}

static const char *set_news(struct nic *nic, int *place, int fd)
{
	if (fd >= 0 && !is_for_news(fd))
		return "a file descriptor that is neither an eventfd nor a local socket";
	nic_pause(nic);
	set_fd(nic, place, fd);
	return NULL;
}

static const char *set_vring_call(struct nic *nic, const union vu_payload *payload)
{
	struct vq *vq = find_vq(nic, payload->u64 & VU_VRING_INDEX_MASK);

	return vq ? set_news(nic, &vq->call_fd, ring_fd(nic, payload->u64)) : no_ring;
}

static const char *set_vring_err(struct nic *nic, const union vu_payload *payload)
{
	struct vq *vq = find_vq(nic, payload->u64 & VU_VRING_INDEX_MASK);

	return vq ? set_news(nic, &vq->err_fd, ring_fd(nic, payload->u64)) : no_ring;
}

static const char *set_vring_enable(struct nic *nic, const union vu_payload *payload)
{
	struct vq *vq = find_vq(nic, payload->state.index);

	if (!vq)
		return no_ring;
	vq->enabled = payload->state.num;
	return NULL;
}

/* ---- migration ----------------------------------------------------------- */

static const char *set_log_base(struct nic *nic, const union vu_payload *payload)
{
	const char *wrong;

	nic_pause(nic);
	wrong = log_set(nic, &payload->log, passed_fd(nic));
	if (wrong)
		return wrong;
	/* all say that there is an answer, which has nothing in it */
	return socket_send(nic, NULL, 0) ? no_answer : NULL;
}

static const char *set_log_fd(struct nic *nic, const union vu_payload *payload)
{
	(void)payload;
	return set_news(nic, &nic->log.fd, passed_fd(nic));
}

/* The guest is here now; its address is in the first six bytes. */
static const char *send_rarp(struct nic *nic, const union vu_payload *payload)
{
	nic_pause(nic);
	announce(nic, (const uint8_t *)payload);
	return NULL;
}

/* ---- what is on its way -------------------------------------------------- */

static const char *get_inflight_fd(struct nic *nic, const union vu_payload *payload)
{
	union vu_payload answer = { .inflight = payload->inflight };
	const char *wrong;
	int err, fd;

	wrong = inflight_make(nic, &answer.inflight, &fd);
	if (wrong)
		return wrong;
	err = socket_send_fd(nic, &answer, nic->connection.header.size, fd);
	close(fd);
	return err ? no_answer : NULL;
}

static const char *set_inflight_fd(struct nic *nic, const union vu_payload *payload)
{
	nic_stop(nic);
	return inflight_set(nic, &payload->inflight, passed_fd(nic));
}

/* ---- configuration ------------------------------------------------------- */

static const char *set_mtu(struct nic *nic, const union vu_payload *payload)
{
	if (nic->info.mtu && payload->u64 > nic->info.mtu)
		return "an MTU that is larger than the endpoint's";
	return NULL;
}

static const char *set_backend_req_fd(struct nic *nic, const union vu_payload *payload)
{
	const char *wrong = link_set_channel(nic, passed_fd(nic));

	(void)payload;
	if (!wrong)
		take_fds(nic);
	return wrong;
}

static const char *get_config(struct nic *nic, const union vu_payload *payload)
{
	struct virtio_net_config config = {
		.status = nic->link_up ? VIRTIO_NET_S_LINK_UP : 0,
		.max_virtqueue_pairs = (uint16_t)nic->max_pairs,
		.mtu = (uint16_t)nic->info.mtu,
	};
	uint32_t offset = payload->config.offset, size = payload->config.size;
	struct vu_config answer = { .offset = offset, .size = size };
	const uint32_t head = offsetof(struct vu_config, bytes);

	memcpy(config.mac, nic->info.mac, sizeof(config.mac));
	if (steering_features(nic) & BIT(VIRTIO_NET_F_RSS)) {
		config.rss_max_key_size = MAX_KEY;
		config.rss_max_indirection_table_length = htole16(steering_max_table(nic));
		config.supported_hash_types = htole32(steering_types());
	}
	if (size > VU_MAX_CONFIG || nic->connection.header.size != head + size)
		return "a part of the configuration that is too long";
	if (offset < sizeof(config))
		memcpy(answer.bytes, (uint8_t *)&config + offset,
		       sizeof(config) - offset < size ? sizeof(config) - offset : size);
	return socket_send(nic, &answer, head + size) ? no_answer : NULL;
}

/* ---- all of them --------------------------------------------------------- */

enum {
	U64	= sizeof(uint64_t),
	STATE	= sizeof(struct vu_vring_state),
	ADDR	= sizeof(struct vu_vring_addr),
	NO_MEM	= offsetof(struct vu_memory, regions),
	MEMORY	= sizeof(struct vu_memory),
	LOG	= sizeof(struct vu_log),
	FLIGHT	= offsetof(struct vu_inflight, queue_size) + sizeof(uint16_t),
	PADDED	= sizeof(struct vu_inflight),
	NO_CONF	= offsetof(struct vu_config, bytes),
	CONFIG	= sizeof(struct vu_config),
};

static const struct request requests[VU_N_REQUESTS] = {
	[VU_GET_FEATURES]	= { 0, 0, 0, true, get_features },
	[VU_SET_FEATURES]	= { U64, U64, 0, false, set_features },
	[VU_SET_OWNER]		= { 0, 0, 0, false, nothing },
	[VU_RESET_OWNER]	= { 0, 0, 0, false, reset_owner },
	[VU_SET_MEM_TABLE]	= { NO_MEM, MEMORY, MAX_FDS, false, set_mem_table },
	[VU_SET_LOG_BASE]	= { LOG, LOG, 1, true, set_log_base },
	[VU_SET_LOG_FD]		= { 0, U64, 1, false, set_log_fd },
	[VU_SET_VRING_NUM]	= { STATE, STATE, 0, false, set_vring_num },
	[VU_SET_VRING_ADDR]	= { ADDR, ADDR, 0, false, set_vring_addr },
	[VU_SET_VRING_BASE]	= { STATE, STATE, 0, false, set_vring_base },
	[VU_GET_VRING_BASE]	= { STATE, STATE, 0, true, get_vring_base },
	[VU_SET_VRING_KICK]	= { U64, U64, 1, false, set_vring_kick },
	[VU_SET_VRING_CALL]	= { U64, U64, 1, false, set_vring_call },
	[VU_SET_VRING_ERR]	= { U64, U64, 1, false, set_vring_err },
	[VU_GET_PROTOCOL_FEATURES] = { 0, 0, 0, true, get_protocol_features },
	[VU_SET_PROTOCOL_FEATURES] = { U64, U64, 0, false, set_protocol_features },
	[VU_GET_QUEUE_NUM]	= { 0, 0, 0, true, get_queue_num },
	[VU_SET_VRING_ENABLE]	= { STATE, STATE, 0, false, set_vring_enable },
	[VU_SEND_RARP]		= { U64, U64, 0, false, send_rarp },
	[VU_NET_SET_MTU]	= { U64, U64, 0, false, set_mtu },
	[VU_SET_BACKEND_REQ_FD]	= { 0, U64, 1, false, set_backend_req_fd },
	[VU_GET_INFLIGHT_FD]	= { FLIGHT, PADDED, 0, true, get_inflight_fd },
	[VU_SET_INFLIGHT_FD]	= { FLIGHT, PADDED, 1, false, set_inflight_fd },
	[VU_GET_CONFIG]		= { NO_CONF, CONFIG, 0, true, get_config },
};

/* Can there be such a message?  Says what is wrong, or NULL. */
const char *message_check_header(const struct vu_header *header)
{
	const struct request *request;

	if (header->request >= VU_N_REQUESTS || !requests[header->request].handle)
		return "it is not known here";
	request = &requests[header->request];
	if ((header->flags & VU_VERSION_MASK) != VU_VERSION || header->flags & VU_REPLY)
		return "flags that it cannot have";
	if (header->size < request->min || header->size > request->max)
		return "a payload of the wrong size";
	return NULL;
}

/* User-Mode Linux already wants one for the message that negotiates answers. */
static bool wants_answer(const struct nic *nic)
{
	return nic->connection.header.flags & VU_NEED_REPLY &&
	       nic->protocol_features & BIT(VU_PROTOCOL_F_REPLY_ACK);
}

/* Do what a whole message says; returns why the front-end has to go, or NULL. */
const char *message_handle(struct nic *nic)
{
	const struct connection *connection = &nic->connection;
	const struct request *request = &requests[connection->header.request];
	const char *wrong;

	if (connection->n_fds > request->max_fds)
		return "file descriptors that it cannot have";
	wrong = request->handle(nic, &connection->payload);
	if (request->answers || !wants_answer(nic))
		return wrong;
	if (wrong)
		nic_say(nic, "message %u: %s", connection->header.request, wrong);
	return answer_u64(nic, !!wrong);
}
