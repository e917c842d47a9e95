// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl queue set: when the frontend of a queue is woken
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl queue set ENDPOINT [queue N] { {tx-usecs | tx-frames | rx-usecs | rx-frames} N |\n"
"       adaptive {tx | rx | both | off} } …\n"
"Sets how long, at most, and until how many packets wait a notification of a queue, or of all\n"
"queues of an endpoint, is held back, and of which rings only while the frontend is busy.\n"
"0 microseconds: none is.  Of what is not given nothing changes.\n";

#define NOT_GIVEN	UINT32_MAX

/**
 * struct wish - what is to be set
 * @queue: index, or NOT_GIVEN for all
 * @value: by &enum nb_moderation_attr, or NOT_GIVEN
 */
struct wish {
	uint32_t queue;
	uint32_t value[NB_A_MODERATION_MAX + 1];
};

static const struct {
	const char *word;
	int attr;
} numbers[] = {
	{ "tx-usecs",	NB_A_MODERATION_TX_USECS },
	{ "tx-frames",	NB_A_MODERATION_TX_FRAMES },
	{ "rx-usecs",	NB_A_MODERATION_RX_USECS },
	{ "rx-frames",	NB_A_MODERATION_RX_FRAMES },
};

static const struct {
	const char *word;
	uint32_t value;
} adaptive[] = {
	{ "off",	0 },
	{ "tx",		NB_NEED_NOTIFY_TX },
	{ "rx",		NB_NEED_NOTIFY_RX },
	{ "both",	NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX },
};

static int parse_number(const char *what, const char *word, uint32_t *number)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || errno || value >= NOT_GIVEN) {
		complain("%s '%s' must be a number", what, word);
		return STATUS_USAGE;
	}
	*number = (uint32_t)value;
	return STATUS_OK;
}

static int parse_adaptive(struct wish *wish, const char *word)
{
	unsigned int i;

	for (i = 0; i < sizeof(adaptive) / sizeof(*adaptive); i++) {
		if (strcmp(word, adaptive[i].word))
			continue;
		wish->value[NB_A_MODERATION_ADAPTIVE] = adaptive[i].value;
		return STATUS_OK;
	}
	complain("adaptive '%s' must be tx, rx, both or off", word);
	return STATUS_USAGE;
}

/* One word and its argument. */
static int parse_pair(struct wish *wish, const char *what, const char *word)
{
	unsigned int i;

	if (!strcmp(what, "queue"))
		return parse_number(what, word, &wish->queue);
	if (!strcmp(what, "adaptive"))
		return parse_adaptive(wish, word);
	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!strcmp(what, numbers[i].word))
			return parse_number(what, word, &wish->value[numbers[i].attr]);
	return usage_error("queue set", what);
}

static int parse(struct wish *wish, int argc, char **argv)
{
	bool any = false;
	int i, status;

	wish->queue = NOT_GIVEN;
	for (i = 0; i <= NB_A_MODERATION_MAX; i++)
		wish->value[i] = NOT_GIVEN;
	for (i = 2; i < argc; i += 2) {
		if (i + 1 == argc)
			return usage_error("queue set", NULL);
		status = parse_pair(wish, argv[i], argv[i + 1]);
		if (status)
			return status;
		any |= strcmp(argv[i], "queue") != 0;
	}
	return any ? STATUS_OK : usage_error("queue set", NULL);
}

static int set(uint32_t id, const struct wish *wish)
{
	char buffer[REQUEST_SIZE];
	struct netlink netlink;
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	int err, i;

	err = netlink_open(&netlink);
	if (!err) {
		nlh = netlink_begin(&netlink, buffer, NB_CMD_QUEUE_SET);
		mnl_attr_put_u32(nlh, NB_A_QUEUE_ENDPOINT_ID, id);
		if (wish->queue != NOT_GIVEN)
			mnl_attr_put_u32(nlh, NB_A_QUEUE_INDEX, wish->queue);
		nest = mnl_attr_nest_start(nlh, NB_A_QUEUE_MODERATION);
		for (i = 1; i <= NB_A_MODERATION_MAX; i++)
			if (wish->value[i] != NOT_GIVEN)
				mnl_attr_put_u32(nlh, (uint16_t)i, wish->value[i]);
		mnl_attr_nest_end(nlh, nest);
		err = netlink_talk(&netlink, nlh, NULL, NULL);
		netlink_close(&netlink);
	}
	if (err)
		complain("%s", netlink.reason);
	return err ? STATUS_FAILED : STATUS_OK;
}

int queue_set_main(int argc, char **argv)
{
	struct endpoint endpoint;
	struct wish wish;
	int status;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc < 2)
		return usage_error("queue set", NULL);
	status = parse(&wish, argc, argv);
	if (status)
		return status;
	if (objects_find(argv[1], &endpoint))
		return STATUS_FAILED;
	return set(endpoint.id, &wish);
}
