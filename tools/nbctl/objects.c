// SPDX-License-Identifier: GPL-2.0
/*
 * Gets endpoints and queues from the kernel
 *
 * What the kernel does not tell stays 0 or empty, and what it tells beyond what is
 * known here is ignored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>

#include "nbctl.h"

/* times that a dump is tried again because something has changed meanwhile */
#define MAX_TRIES	10

/* Append an element of @size bytes to a list; NULL if there is no memory. */
static void *append(void *list, size_t *n, size_t size, void **element)
{
	void *longer = reallocarray(list, *n + 1, size);

	*element = NULL;
	if (!longer)
		return list;
	*element = (char *)longer + *n * size;
	memset(*element, 0, size);
	++*n;
	return longer;
}

/* What a message of the kernel says about an endpoint; @endpoint is 0 beforehand. */
void objects_parse_endpoint(const struct nlmsghdr *nlh, struct endpoint *endpoint)
{
	const struct nlattr *attrs[NB_A_ENDPOINT_MAX + 1] = { NULL };
	uint32_t properties, connected;

	netlink_parse(nlh, attrs, NB_A_ENDPOINT_MAX);
	endpoint->id = netlink_u32(attrs[NB_A_ENDPOINT_ID], 0);
	netlink_string(attrs[NB_A_ENDPOINT_KIND], endpoint->kind, sizeof(endpoint->kind));
	netlink_string(attrs[NB_A_ENDPOINT_NAME], endpoint->name, sizeof(endpoint->name));
	endpoint->ifindex = netlink_u32(attrs[NB_A_ENDPOINT_IFINDEX], 0);
	if (attrs[NB_A_ENDPOINT_MAC] &&
	    mnl_attr_get_payload_len(attrs[NB_A_ENDPOINT_MAC]) == sizeof(endpoint->mac))
		memcpy(endpoint->mac, mnl_attr_get_payload(attrs[NB_A_ENDPOINT_MAC]),
		       sizeof(endpoint->mac));
	endpoint->mtu = netlink_u32(attrs[NB_A_ENDPOINT_MTU], 0);
	properties = netlink_u32(attrs[NB_A_ENDPOINT_PROPERTIES], 0);
	connected = !!(properties & NB_ENDPOINT_CONNECTED);
	endpoint->link_up = !!(properties & NB_ENDPOINT_LINK_UP);
	endpoint->properties = properties &
			       ~(uint32_t)(NB_ENDPOINT_CONNECTED | NB_ENDPOINT_LINK_UP);
	endpoint->tx_offloads = netlink_u32(attrs[NB_A_ENDPOINT_TX_OFFLOADS], 0);
	endpoint->max_queues = netlink_u32(attrs[NB_A_ENDPOINT_MAX_QUEUES], 0);
	endpoint->n_queues = netlink_u32(attrs[NB_A_ENDPOINT_QUEUES], 0);
	endpoint->table_size = netlink_u32(attrs[NB_A_ENDPOINT_TABLE_SIZE], 0);
	endpoint->link_speed = netlink_u64(attrs[NB_A_ENDPOINT_LINK_SPEED]);
	endpoint->pid = netlink_u32(attrs[NB_A_ENDPOINT_PID], 0);
	endpoint->link_wanted = netlink_u32(attrs[NB_A_ENDPOINT_LINK], 1);
	endpoint->state = netlink_u32(attrs[NB_A_ENDPOINT_STATE], connected);
	endpoint->n_disconnects = netlink_u32(attrs[NB_A_ENDPOINT_DISCONNECTS], 0);
}

static int on_endpoint(const struct nlmsghdr *nlh, void *data)
{
	struct objects *objects = data;
	void *new;

	objects->endpoints = append(objects->endpoints, &objects->n_endpoints,
				    sizeof(struct endpoint), &new);
	if (!new)
		return MNL_CB_ERROR;	/* errno is ENOMEM */
	objects_parse_endpoint(nlh, new);
	return MNL_CB_OK;
}

static void parse_ring(struct queue *queue, const struct nlattr *nest)
{
	const struct nlattr *attrs[NB_A_RING_MAX + 1] = { NULL };
	struct ring *ring;
	uint32_t id;

	netlink_parse_nested(nest, attrs, NB_A_RING_MAX);
	id = netlink_u32(attrs[NB_A_RING_ID], NB_N_RINGS);
	if (id >= NB_N_RINGS)
		return;
	ring = &queue->rings[id];
	ring->entries = netlink_u32(attrs[NB_A_RING_ENTRIES], 0);
	ring->used = netlink_u32(attrs[NB_A_RING_PRODUCER], 0) -
		     netlink_u32(attrs[NB_A_RING_CONSUMER], 0);
	if (ring->used > ring->entries)
		ring->used = NOT_KNOWN;
}

static void parse_stats(struct queue *queue, const struct nlattr *nest)
{
	const struct nlattr *attrs[NB_A_STATS_MAX + 1] = { NULL };
	int i;

	netlink_parse_nested(nest, attrs, NB_A_STATS_MAX);
	for (i = NB_A_STATS_PAD + 1; i <= NB_A_STATS_MAX; i++)
		queue->stats[i] = netlink_u64(attrs[i]);
}

static void parse_moderation(struct queue *queue, const struct nlattr *nest)
{
	const struct nlattr *attrs[NB_A_MODERATION_MAX + 1] = { NULL };
	int i;

	netlink_parse_nested(nest, attrs, NB_A_MODERATION_MAX);
	for (i = NB_A_MODERATION_TX_USECS; i <= NB_A_MODERATION_MAX; i++)
		queue->moderation[i] = netlink_u32(attrs[i], 0);
}

/* There is one of these attributes for each ring. */
static int on_queue_attr(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == NB_A_QUEUE_RING)
		parse_ring(data, attr);
	return MNL_CB_OK;
}

/* The same about a queue. */
void objects_parse_queue(const struct nlmsghdr *nlh, struct queue *queue)
{
	const struct nlattr *attrs[NB_A_QUEUE_MAX + 1] = { NULL };

	netlink_parse(nlh, attrs, NB_A_QUEUE_MAX);
	queue->endpoint_id = netlink_u32(attrs[NB_A_QUEUE_ENDPOINT_ID], 0);
	queue->index = netlink_u32(attrs[NB_A_QUEUE_INDEX], 0);
	queue->state = netlink_u32(attrs[NB_A_QUEUE_STATE], NB_QUEUE_RUNNING);
	queue->target_cpu = netlink_u32(attrs[NB_A_QUEUE_TARGET_CPU], NB_ANY_CPU);
	if (attrs[NB_A_QUEUE_STATS])
		parse_stats(queue, attrs[NB_A_QUEUE_STATS]);
	if (attrs[NB_A_QUEUE_MODERATION])
		parse_moderation(queue, attrs[NB_A_QUEUE_MODERATION]);
	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), on_queue_attr, queue);
}

static int on_queue(const struct nlmsghdr *nlh, void *data)
{
	struct objects *objects = data;
	void *new;

	objects->queues = append(objects->queues, &objects->n_queues, sizeof(struct queue),
				 &new);
	if (!new)
		return MNL_CB_ERROR;
	objects_parse_queue(nlh, new);
	return MNL_CB_OK;
}

static int compare_endpoints(const void *a, const void *b)
{
	return compare_u32(((const struct endpoint *)a)->id, ((const struct endpoint *)b)->id);
}

static int compare_queues(const void *a, const void *b)
{
	const struct queue *left = a, *right = b;
	int order = compare_u32(left->endpoint_id, right->endpoint_id);

	return order ? order : compare_u32(left->index, right->index);
}

/* Endpoints get the counters of their queues, and queues the names; both are sorted. */
static void join(struct objects *objects)
{
	struct endpoint *endpoint = objects->endpoints;
	struct endpoint *end = endpoint + objects->n_endpoints;
	struct queue *queue = objects->queues;
	struct queue *last = queue + objects->n_queues;
	int i;

	for (; queue < last; queue++) {
		while (endpoint < end && endpoint->id < queue->endpoint_id)
			endpoint++;
		if (endpoint == end || endpoint->id != queue->endpoint_id)
			continue;	/* it has come meanwhile */
		memcpy(queue->endpoint_name, endpoint->name, sizeof(endpoint->name));
		for (i = 0; i <= NB_A_STATS_MAX; i++)
			endpoint->totals[i] += queue->stats[i];
	}
}

/* Is this a number?  Then it is an endpoint's id, else its name. */
static bool is_id(const char *which, uint32_t *id)
{
	unsigned long long value;
	char *end;

	if (which[0] < '0' || which[0] > '9')
		return false;
	errno = 0;
	value = strtoull(which, &end, 10);
	if (errno || *end || value > UINT32_MAX)
		return false;
	*id = (uint32_t)value;
	return true;
}

static void keep_named(struct objects *objects, const char *name)
{
	size_t i, kept = 0;

	for (i = 0; i < objects->n_endpoints; i++) {
		if (!strcmp(objects->endpoints[i].name, name))
			objects->endpoints[kept++] = objects->endpoints[i];
	}
	objects->n_endpoints = kept;
}

static int get_endpoints(struct netlink *netlink, struct objects *objects,
			 const char *which)
{
	uint32_t id;
	int err;

	if (which && is_id(which, &id)) {
		err = netlink_get(netlink, NB_CMD_ENDPOINT_GET, NB_A_ENDPOINT_ID, id,
				  on_endpoint, objects);
		return err == -ENOENT ? 0 : err;
	}
	err = netlink_dump(netlink, NB_CMD_ENDPOINT_GET, 0, NULL, on_endpoint, objects);
	if (!err && which)
		keep_named(objects, which);
	return err;
}

static int get_queues(struct netlink *netlink, struct objects *objects, const char *which)
{
	size_t i;
	int err;

	if (!which)
		return netlink_dump(netlink, NB_CMD_QUEUE_GET, 0, NULL, on_queue, objects);
	for (i = 0; i < objects->n_endpoints; i++) {
		err = netlink_dump(netlink, NB_CMD_QUEUE_GET, NB_A_QUEUE_ENDPOINT_ID,
				   &objects->endpoints[i].id, on_queue, objects);
		if (err && err != -ENOENT)	/* gone meanwhile */
			return err;
	}
	return 0;
}

void objects_free(struct objects *objects)
{
	free(objects->endpoints);
	free(objects->queues);
	memset(objects, 0, sizeof(*objects));
}

/* Get all once; -EINTR if something has changed meanwhile. */
static int try_get(struct objects *objects, const char *which, bool with_queues,
		   struct netlink *netlink)
{
	int err;

	memset(objects, 0, sizeof(*objects));
	err = netlink_open(netlink);
	if (err)
		return err;
	err = get_endpoints(netlink, objects, which);
	if (!err && with_queues)
		err = get_queues(netlink, objects, which);
	netlink_close(netlink);
	if (err)
		objects_free(objects);
	return err;
}

/*
 * Get all endpoints, or those that @which (an id or a name) says, and their queues if
 * asked.  Says what is wrong, and returns -1, if something is.
 */
int objects_get(struct objects *objects, const char *which, bool with_queues)
{
	struct netlink netlink;
	int err, tries = 0;

	do {
		err = try_get(objects, which, with_queues, &netlink);
	} while (err == -EINTR && ++tries < MAX_TRIES);
	if (err) {
		complain("%s", err == -EINTR ? "endpoints come and go too quickly: try again" :
			 netlink.reason);
		return -1;
	}
	if (which && !objects->n_endpoints) {
		complain("no endpoint '%s' in this namespace: 'nbctl show endpoints' lists all",
			 which);
		return -1;
	}
	if (objects->n_endpoints)
		qsort(objects->endpoints, objects->n_endpoints, sizeof(struct endpoint),
		      compare_endpoints);
	if (objects->n_queues)
		qsort(objects->queues, objects->n_queues, sizeof(struct queue),
		      compare_queues);
	join(objects);
	return 0;
}

/* Get the one endpoint that @which (an id or a name) says; else says so, and returns -1. */
int objects_find(const char *which, struct endpoint *endpoint)
{
	struct objects objects;

	if (objects_get(&objects, which, false))
		return -1;
	*endpoint = objects.endpoints[0];
	objects_free(&objects);
	return 0;
}

static int on_endpoint_again(const struct nlmsghdr *nlh, void *data)
{
	struct endpoint *endpoint = data;

	memset(endpoint, 0, sizeof(*endpoint));
	objects_parse_endpoint(nlh, endpoint);
	return MNL_CB_OK;
}

/* Get what the kernel says now of an endpoint; a negative errno leaves the reason. */
int objects_again(struct netlink *netlink, struct endpoint *endpoint)
{
	return netlink_get(netlink, NB_CMD_ENDPOINT_GET, NB_A_ENDPOINT_ID, endpoint->id,
			   on_endpoint_again, endpoint);
}

/* ---- kinds --------------------------------------------------------------- */

/**
 * struct kinds - kinds that have been told
 * @kinds: the kinds
 * @n: their number
 */
struct kinds {
	struct kind *kinds;
	size_t n;
};

static int on_kind(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[NB_A_KIND_MAX + 1] = { NULL };
	struct kinds *kinds = data;
	struct kind *kind;
	void *new;

	kinds->kinds = append(kinds->kinds, &kinds->n, sizeof(*kind), &new);
	kind = new;
	if (!kind)
		return MNL_CB_ERROR;
	netlink_parse(nlh, attrs, NB_A_KIND_MAX);
	netlink_string(attrs[NB_A_KIND_NAME], kind->name, sizeof(kind->name));
	netlink_string(attrs[NB_A_KIND_MODULE], kind->module, sizeof(kind->module));
	kind->max_queues = netlink_u32(attrs[NB_A_KIND_MAX_QUEUES], 0);
	kind->params_size = netlink_u32(attrs[NB_A_KIND_PARAMS_SIZE], 0);
	return MNL_CB_OK;
}

/* Get all kinds, for free(); else says so, and returns -1. */
int objects_get_kinds(struct kind **kinds, size_t *n)
{
	struct kinds found = { NULL, 0 };
	struct netlink netlink;
	int err, tries = 0;

	do {
		free(found.kinds);
		found = (struct kinds){ NULL, 0 };
		err = netlink_open(&netlink);
		if (err)
			break;
		err = netlink_dump(&netlink, NB_CMD_KIND_GET, 0, NULL, on_kind, &found);
		netlink_close(&netlink);
	} while (err == -EINTR && ++tries < MAX_TRIES);
	if (err) {
		free(found.kinds);
		complain("%s", netlink.reason);
		return -1;
	}
	*kinds = found.kinds;
	*n = found.n;
	return 0;
}
