// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl memory: guests' memories, and what they are made of
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nbctl.h"

/* times that dumps are tried again because something has changed meanwhile */
#define MAX_TRIES	10

static const char usage[] =
"Usage: nbctl memory show [ID]\n"
"Shows the guest memories that were made in this network namespace, or the one with that\n"
"number, and their regions: where the guest has them, and how much of them is locked.\n";

void memories_free(struct memories *memories)
{
	free(memories->memories);
	free(memories->regions);
	memset(memories, 0, sizeof(*memories));
}

/* What a message of the kernel says about a memory. */
void memories_parse_memory(const struct nlmsghdr *nlh, struct memory *memory)
{
	const struct nlattr *attrs[NB_A_MEMORY_MAX + 1] = { NULL };

	netlink_parse(nlh, attrs, NB_A_MEMORY_MAX);
	memory->id = netlink_u32(attrs[NB_A_MEMORY_ID], 0);
	memory->pid = netlink_u32(attrs[NB_A_MEMORY_PID], 0);
	memory->n_regions = netlink_u32(attrs[NB_A_MEMORY_REGIONS], 0);
	memory->size = netlink_u64(attrs[NB_A_MEMORY_SIZE]);
	memory->locked = netlink_u64(attrs[NB_A_MEMORY_LOCKED]);
	memory->properties = attrs[NB_A_MEMORY_DIRTY_LOG] ? MEMORY_DIRTY_LOG : 0;
}

/* The same about a region. */
void memories_parse_region(const struct nlmsghdr *nlh, struct region *region)
{
	const struct nlattr *attrs[NB_A_REGION_MAX + 1] = { NULL };

	netlink_parse(nlh, attrs, NB_A_REGION_MAX);
	region->memory_id = netlink_u32(attrs[NB_A_REGION_MEMORY_ID], 0);
	region->gpa = netlink_u64(attrs[NB_A_REGION_GPA]);
	region->len = netlink_u64(attrs[NB_A_REGION_LEN]);
	region->unit = netlink_u64(attrs[NB_A_REGION_UNIT]);
	region->locked = netlink_u64(attrs[NB_A_REGION_LOCKED]);
	region->dirty_log = netlink_u64(attrs[NB_A_REGION_DIRTY_LOG]);
	region->properties = attrs[NB_A_REGION_READ_ONLY] ? REGION_READ_ONLY : 0;
}

static int on_memory(const struct nlmsghdr *nlh, void *data)
{
	struct memories *memories = data;
	struct memory *memory;

	memory = reallocarray(memories->memories, memories->n_memories + 1, sizeof(*memory));
	if (!memory)
		return MNL_CB_ERROR;	/* errno is ENOMEM */
	memories->memories = memory;
	memories_parse_memory(nlh, memory + memories->n_memories++);
	return MNL_CB_OK;
}

static int on_region(const struct nlmsghdr *nlh, void *data)
{
	struct memories *memories = data;
	struct region *region;

	region = reallocarray(memories->regions, memories->n_regions + 1, sizeof(*region));
	if (!region)
		return MNL_CB_ERROR;
	memories->regions = region;
	memories_parse_region(nlh, region + memories->n_regions++);
	return MNL_CB_OK;
}

/* Get all, or one, once; -EINTR if something has changed meanwhile. */
static int try_get(struct memories *memories, const uint32_t *id, struct netlink *netlink)
{
	int err;

	err = netlink_open(netlink);
	if (err)
		return err;
	err = netlink_dump(netlink, NB_CMD_MEMORY_GET, NB_A_MEMORY_ID, id, on_memory, memories);
	if (!err)
		err = netlink_dump(netlink, NB_CMD_REGION_GET, NB_A_REGION_MEMORY_ID, id,
				   on_region, memories);
	netlink_close(netlink);
	if (err)
		memories_free(memories);
	return err;
}

/* All, or the one with that number and its regions; complains, and returns -1, if it cannot. */
int memories_get(struct memories *memories, const uint32_t *id)
{
	struct netlink netlink;
	int err, tries = 0;

	memset(memories, 0, sizeof(*memories));
	do {
		err = try_get(memories, id, &netlink);
	} while (err == -EINTR && ++tries < MAX_TRIES);
	if (!err)
		return 0;
	complain("%s", err == -EINTR ? "memories come and go too quickly: try again" :
		 netlink.reason);
	return -1;
}

/* The kernel tells them in the same order; regions of memories that are not here are skipped. */
static void print(const struct memories *memories)
{
	const struct region *region = memories->regions, *end = region + memories->n_regions;
	const struct memory *memory;
	size_t i;

	for (i = 0; i < memories->n_memories; i++) {
		memory = &memories->memories[i];
		output_record(memory_fields, memory);
		while (region < end && region->memory_id < memory->id)
			region++;
		for (; region < end && region->memory_id == memory->id; region++)
			output_child("regions", region_fields, region);
	}
}

int memory_main(int argc, char **argv)
{
	struct memories memories;
	uint32_t id = 0;
	char *end;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc > 1) {
		id = (uint32_t)strtoul(argv[1], &end, 10);
		if (argc > 2 || argv[1][0] < '0' || argv[1][0] > '9' || *end || !id)
			return usage_error("memory show", argv[argc > 2 ? 2 : 1]);
	}
	if (memories_get(&memories, argc > 1 ? &id : NULL))
		return STATUS_FAILED;
	output_begin();
	print(&memories);
	memories_free(&memories);
	return output_end();
}
