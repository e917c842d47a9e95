// SPDX-License-Identifier: GPL-2.0
/*
 * What the generic netlink family refuses: every attribute of every command with a wrong
 * type, length and value, and requests that do not fit what is there.  The answer is an errno,
 * words, and the attribute that is wrong or missing; and nothing has changed.
 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "kselftest_harness.h"
#include "nbgenl.h"
#include "nbtest.h"

#define NOWHERE	(1u << 30)	/* no endpoint, and no switch, has this id */

/* ---- requests ------------------------------------------------------------ */

static const struct command {
	const char *name;
	uint8_t command;
	uint16_t flags;
	uint16_t max;		/* type of the last attribute that the header knows there */
} commands[] = {
	{ "endpoint-get", NB_CMD_ENDPOINT_GET, NLM_F_ACK, NB_A_ENDPOINT_MAX },
	{ "endpoint-get dump", NB_CMD_ENDPOINT_GET, NLM_F_DUMP, NB_A_ENDPOINT_MAX },
	{ "queue-get dump", NB_CMD_QUEUE_GET, NLM_F_DUMP, NB_A_QUEUE_MAX },
	{ "endpoint-set", NB_CMD_ENDPOINT_SET, NLM_F_ACK, NB_A_ENDPOINT_MAX },
	{ "endpoint-connect", NB_CMD_ENDPOINT_CONNECT, NLM_F_ACK, NB_A_ENDPOINT_MAX },
	{ "endpoint-disconnect", NB_CMD_ENDPOINT_DISCONNECT, NLM_F_ACK, NB_A_ENDPOINT_MAX },
	{ "switch-get dump", NB_CMD_SWITCH_GET, NLM_F_DUMP, NB_A_SWITCH_MAX },
	{ "switch-port-get dump", NB_CMD_SWITCH_PORT_GET, NLM_F_DUMP, NB_A_PORT_MAX },
	{ "switch-fdb-get dump", NB_CMD_SWITCH_FDB_GET, NLM_F_DUMP, NB_A_FDB_MAX },
	{ "kind-get dump", NB_CMD_KIND_GET, NLM_F_DUMP, NB_A_KIND_MAX },
	{ "memory-get dump", NB_CMD_MEMORY_GET, NLM_F_DUMP, NB_A_MEMORY_MAX },
	{ "region-get dump", NB_CMD_REGION_GET, NLM_F_DUMP, NB_A_REGION_MAX },
	{ "queue-set", NB_CMD_QUEUE_SET, NLM_F_ACK, NB_A_QUEUE_MAX },
};

/* What an attribute holds. */
enum form { U32, U64, TEXT, BYTES, NEST };

#define NO_LIMIT	UINT32_MAX

/* The attributes that a command takes. */
static const struct attribute {
	uint8_t command;
	uint16_t flags;		/* of the command */
	uint16_t type;
	enum form form;
	uint32_t min, max;	/* what is in it; or the length, of a text without its 0 */
} attributes[] = {
	{ NB_CMD_ENDPOINT_GET, NLM_F_ACK, NB_A_ENDPOINT_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_ENDPOINT_GET, NLM_F_DUMP, NB_A_ENDPOINT_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_QUEUE_GET, NLM_F_DUMP, NB_A_QUEUE_ENDPOINT_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_ENDPOINT_SET, NLM_F_ACK, NB_A_ENDPOINT_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_ENDPOINT_SET, NLM_F_ACK, NB_A_ENDPOINT_LINK, U32, 0, 1 },
	{ NB_CMD_ENDPOINT_CONNECT, NLM_F_ACK, NB_A_ENDPOINT_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_ENDPOINT_CONNECT, NLM_F_ACK, NB_A_ENDPOINT_FROM, U32, 1, NO_LIMIT },
	{ NB_CMD_ENDPOINT_CONNECT, NLM_F_ACK, NB_A_ENDPOINT_KIND, TEXT, 0, NB_KIND_LEN - 1 },
	{ NB_CMD_ENDPOINT_CONNECT, NLM_F_ACK, NB_A_ENDPOINT_NAME, TEXT, 0, NB_NAME_LEN - 1 },
	{ NB_CMD_ENDPOINT_CONNECT, NLM_F_ACK, NB_A_ENDPOINT_MTU, U32, 0, NO_LIMIT },
	{ NB_CMD_ENDPOINT_CONNECT, NLM_F_ACK, NB_A_ENDPOINT_PARAMS, BYTES, 0, NB_PAGE },
	{ NB_CMD_ENDPOINT_DISCONNECT, NLM_F_ACK, NB_A_ENDPOINT_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_ENDPOINT_DISCONNECT, NLM_F_ACK, NB_A_ENDPOINT_TIMEOUT, U64, 0, NO_LIMIT },
	{ NB_CMD_SWITCH_GET, NLM_F_DUMP, NB_A_SWITCH_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_SWITCH_PORT_GET, NLM_F_DUMP, NB_A_PORT_SWITCH_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_SWITCH_FDB_GET, NLM_F_DUMP, NB_A_FDB_SWITCH_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_MEMORY_GET, NLM_F_DUMP, NB_A_MEMORY_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_REGION_GET, NLM_F_DUMP, NB_A_REGION_MEMORY_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_QUEUE_SET, NLM_F_ACK, NB_A_QUEUE_ENDPOINT_ID, U32, 1, NO_LIMIT },
	{ NB_CMD_QUEUE_SET, NLM_F_ACK, NB_A_QUEUE_INDEX, U32, 0, NO_LIMIT },
	{ NB_CMD_QUEUE_SET, NLM_F_ACK, NB_A_QUEUE_MODERATION, NEST, 0, 0 },
};

/* Those of NB_A_QUEUE_MODERATION. */
static const struct attribute moderation[] = {
	{ 0, 0, NB_A_MODERATION_TX_USECS, U32, 0, NB_MAX_MODERATION_USECS },
	{ 0, 0, NB_A_MODERATION_TX_FRAMES, U32, 0, NB_MAX_RING_ENTRIES },
	{ 0, 0, NB_A_MODERATION_RX_USECS, U32, 0, NB_MAX_MODERATION_USECS },
	{ 0, 0, NB_A_MODERATION_RX_FRAMES, U32, 0, NB_MAX_RING_ENTRIES },
	{ 0, 0, NB_A_MODERATION_ADAPTIVE, U32, 0, NB_NEED_NOTIFY_TX | NB_NEED_NOTIFY_RX },
};

static const struct attribute *attribute_of(const struct command *command, uint16_t type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(attributes); i++)
		if (attributes[i].command == command->command && attributes[i].type == type &&
		    attributes[i].flags == command->flags)
			return &attributes[i];
	return NULL;
}

/* ---- answers ------------------------------------------------------------- */

/* What is wrong, for those who read that a test has failed. */
static char what[128];

static void look_away(const struct nlattr *const *attributes_, void *data)
{
}

/* Whether it is refused for that attribute, with one of two errnos. */
static bool refused(struct nb_genl *client, struct nb_genl_request *request, int err, int or_err,
		    uint16_t bad, uint16_t inside, uint16_t missing, const char *words)
{
	int is;

	/* The module of a kind may be looked for. */
	nb_until((is = nb_genl_talk(client, request, look_away, NULL)) != -EAGAIN);
	if ((is == err || is == or_err) && client->bad == bad && client->bad_inside == inside &&
	    client->missing == missing && strstr(client->reason, words) &&
	    strchr(client->reason, ' '))
		return true;
	fprintf(stderr, "# %s: error %d, not %d; attribute %u/%u, not %u/%u\n", what, -is, -err,
		client->bad, client->bad_inside, bad, inside);
	fprintf(stderr, "# missing %u, not %u; '%s', not '%s'\n", client->missing, missing,
		client->reason, words);
	return false;
}

/* One attribute, in NB_A_QUEUE_MODERATION if inside; this is what is wrong with it. */
static bool one_refused(struct nb_genl *client, const struct command *command, bool inside,
			uint16_t type, const void *payload, size_t len)
{
	struct nb_genl_request request = nb_genl_request(client->family, command->command,
							 command->flags);
	struct nb_genl_request nest = nb_genl_request(0, 0, 0);
	uint16_t number = type & NLA_TYPE_MASK;

	if (!inside) {
		nb_genl_add(&request, type, payload, len);
		return refused(client, &request, -EINVAL, -ERANGE, number, 0, 0, "");
	}
	nb_genl_add(&nest, type, payload, len);
	nb_genl_add(&request, NB_A_QUEUE_MODERATION | NLA_F_NESTED, nest.attributes,
		    nest.header.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN));
	return refused(client, &request, -EINVAL, -ERANGE, NB_A_QUEUE_MODERATION, number, 0, "");
}

/* ---- fixture ------------------------------------------------------------- */

FIXTURE(netlink_bad)
{
	struct nb_guest guest;
	struct nb_genl client;
	struct nb_nic nic;	/* with two queues */
	struct nb_nic other;	/* with none */
	struct nb_endpoint_info info;
	struct nb_queue_moderation moderation[2];
};

static struct nb_endpoint_info info_of(struct nb_nic *nic)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(nic->ep, &info));
	return info;
}

FIXTURE_SETUP(netlink_bad)
{
	/* That of the second queue: nothing is held back on its way to the guest's NIC. */
	struct nb_queue_moderation only_rx = { .rx_usecs = 9, .adaptive = NB_NEED_NOTIFY_RX };
	unsigned int i;

	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_null, 0);
	nb_nic_start(&self->nic, 2, 0);
	nb_ok(nb_queue_set_moderation(self->nic.queues[1], &only_rx));
	nb_nic_open(&self->other, &self->guest, &nb_test_null, 0);
	nb_genl_open(&self->client);
	self->info = info_of(&self->nic);
	for (i = 0; i < 2; i++)
		nb_ok(nb_queue_get_moderation(self->nic.queues[i], &self->moderation[i]));
}

FIXTURE_TEARDOWN(netlink_bad)
{
	nb_nic_close(&self->other);
	nb_nic_close(&self->nic);
	nb_genl_close(&self->client);
	nb_guest_close(&self->guest);
}

/* Whether all is as it was at the beginning. */
static bool is_unchanged(FIXTURE_DATA(netlink_bad) *self)
{
	struct nb_endpoint_info info = info_of(&self->nic);
	struct nb_queue_moderation now;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		nb_ok(nb_queue_get_moderation(self->nic.queues[i], &now));
		if (memcmp(&now, &self->moderation[i], sizeof(now)))
			return false;
	}
	return !memcmp(&info, &self->info, sizeof(info)) &&
	       nb_queue_state(self->nic.queue) == NB_QUEUE_RUNNING;
}

/* ---- attributes ---------------------------------------------------------- */

typedef bool (*attribute_fn)(struct nb_genl *client, const struct command *command,
			     bool inside, const struct attribute *attribute);

/* Whether that holds for each attribute. */
static bool for_each(struct nb_genl *client, attribute_fn fn)
{
	const struct command *command;
	bool right = true;
	unsigned int i, j;

	for (i = 0; i < ARRAY_LEN(commands); i++) {
		command = &commands[i];
		for (j = 0; j < ARRAY_LEN(attributes); j++) {
			if (attributes[j].command != command->command ||
			    attributes[j].flags != command->flags)
				continue;
			snprintf(what, sizeof(what), "%s, attribute %u", command->name,
				 attributes[j].type);
			right &= fn(client, command, false, &attributes[j]);
		}
		if (command->command != NB_CMD_QUEUE_SET)
			continue;
		for (j = 0; j < ARRAY_LEN(moderation); j++) {
			snprintf(what, sizeof(what), "moderation %u", moderation[j].type);
			right &= fn(client, command, true, &moderation[j]);
		}
	}
	return right;
}

static bool lengths_are_refused(struct nb_genl *client, const struct command *command,
				bool inside, const struct attribute *attribute)
{
	static const size_t of_u32[] = { 0, 1, 3, 5, 8 }, of_u64[] = { 0, 4, 7, 9, 16 };
	static const char many[NB_PAGE + 1] = "abcdefghijklmnopqrstuvwxyz";
	bool right = true;
	unsigned int i;

	switch (attribute->form) {
	case U32:
		for (i = 0; i < ARRAY_LEN(of_u32); i++)
			right &= one_refused(client, command, inside, attribute->type,
					     "\1\0\0\0\0\0\0", of_u32[i]);
		break;
	case U64:
		for (i = 0; i < ARRAY_LEN(of_u64); i++)
			right &= one_refused(client, command, inside, attribute->type, many,
					     of_u64[i]);
		break;
	case TEXT:
		/* Empty, without an end, and too long. */
		right = one_refused(client, command, inside, attribute->type, many, 0) &&
			one_refused(client, command, inside, attribute->type, many, 3) &&
			one_refused(client, command, inside, attribute->type,
				    many + 26 - attribute->max - 1, attribute->max + 2);
		break;
	case BYTES:
		right = one_refused(client, command, inside, attribute->type, many,
				    attribute->max + 1);
		break;
	case NEST:
		break;
	}
	return right;
}

TEST_F(netlink_bad, attributes_of_another_length_are_refused)
{
	EXPECT_TRUE(for_each(&self->client, lengths_are_refused));
	EXPECT_TRUE(is_unchanged(self));
}

static bool another_type_is_refused(struct nb_genl *client, const struct command *command,
				    bool inside, const struct attribute *attribute)
{
	uint16_t nested = attribute->form == NEST ? 0 : NLA_F_NESTED;

	return one_refused(client, command, inside, attribute->type | nested, "\0\0\0\0\0\0\0",
			   attribute->form == U64 ? 8 : 4);
}

TEST_F(netlink_bad, nests_that_are_none_and_others_that_say_they_are_are_refused)
{
	EXPECT_TRUE(for_each(&self->client, another_type_is_refused));
	EXPECT_TRUE(is_unchanged(self));
}

static bool values_are_refused(struct nb_genl *client, const struct command *command,
			       bool inside, const struct attribute *attribute)
{
	uint32_t below = attribute->min - 1, above = attribute->max + 1, most = UINT32_MAX;
	bool right = true;

	if (attribute->form != U32)
		return true;
	if (attribute->min)
		right = one_refused(client, command, inside, attribute->type, &below,
				    sizeof(below));
	if (attribute->max != NO_LIMIT)
		right &= one_refused(client, command, inside, attribute->type, &above,
				     sizeof(above)) &&
			 one_refused(client, command, inside, attribute->type, &most,
				     sizeof(most));
	return right;
}

TEST_F(netlink_bad, values_out_of_range_are_refused)
{
	EXPECT_TRUE(for_each(&self->client, values_are_refused));
	EXPECT_TRUE(is_unchanged(self));
}

/* Also those that the header does not know (yet). */
TEST_F(netlink_bad, attributes_that_a_command_does_not_take_are_refused)
{
	bool right = true;
	unsigned int i;
	uint16_t type;

	for (i = 0; i < ARRAY_LEN(commands); i++) {
		for (type = 1; type <= commands[i].max + 2; type++) {
			if (attribute_of(&commands[i], type))
				continue;
			snprintf(what, sizeof(what), "%s, not its attribute %u", commands[i].name,
				 type);
			right &= one_refused(&self->client, &commands[i], false, type, "\1\0\0", 4);
		}
	}
	snprintf(what, sizeof(what), "unknown moderation");
	right &= one_refused(&self->client, &commands[ARRAY_LEN(commands) - 1], true,
			     NB_A_MODERATION_MAX + 1, "\1\0\0", 4);
	EXPECT_TRUE(right);
	EXPECT_TRUE(is_unchanged(self));
}

/* ---- requests that do not fit -------------------------------------------- */

/* Stand for the ids of the two endpoints. */
#define SELF	(NOWHERE + 1)
#define OTHER	(NOWHERE + 2)

struct given {
	uint16_t type;
	uint32_t number;	/* in it, unless one of the following is */
	const char *text;
	const struct given *nest;
	const void *bytes;
	size_t len;
};

struct refusal {
	const char *what;
	uint8_t command;
	uint16_t flags;
	struct given given[5];
	int err;
	uint16_t bad, inside, missing;
	const char *words;
};

static void add(FIXTURE_DATA(netlink_bad) *self, struct nb_genl_request *request,
		const struct given *given)
{
	struct nb_genl_request nest = nb_genl_request(0, 0, 0);
	uint32_t number = given->number == SELF ? self->info.id :
			  given->number == OTHER ? info_of(&self->other).id : given->number;
	const struct given *inner;

	if (given->text) {
		nb_genl_add(request, given->type, given->text, strlen(given->text) + 1);
	} else if (given->bytes) {
		nb_genl_add(request, given->type, given->bytes, given->len);
	} else if (given->nest) {
		for (inner = given->nest; inner->type; inner++)
			add(self, &nest, inner);
		nb_genl_add(request, given->type | NLA_F_NESTED, nest.attributes,
			    nest.header.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN));
	} else {
		nb_genl_add(request, given->type, &number, sizeof(number));
	}
}

static bool runs_on(const char *release)
{
	struct utsname name;

	nb_sys(uname(&name));
	return !strncmp(name.release, release, strlen(release));
}

static bool is_refused(FIXTURE_DATA(netlink_bad) *self, const struct refusal *refusal)
{
	struct nb_genl_request request = nb_genl_request(self->client.family, refusal->command,
							 refusal->flags);
	uint16_t bad = refusal->bad;
	const struct given *given;

	/* There, the answer to a dump has words, but names no attribute but for a policy. */
	if (refusal->flags & NLM_F_DUMP && runs_on("6.1."))
		bad = 0;
	snprintf(what, sizeof(what), "%s", refusal->what);
	for (given = refusal->given; given->type; given++)
		add(self, &request, given);
	return refused(&self->client, &request, -refusal->err, -refusal->err, bad,
		       refusal->inside, refusal->missing, refusal->words);
}

#define GET	.command = NB_CMD_ENDPOINT_GET, .flags = NLM_F_ACK
#define SET	.command = NB_CMD_ENDPOINT_SET, .flags = NLM_F_ACK
#define CONNECT	.command = NB_CMD_ENDPOINT_CONNECT, .flags = NLM_F_ACK
#define DISCONNECT .command = NB_CMD_ENDPOINT_DISCONNECT, .flags = NLM_F_ACK
#define QUEUE_SET .command = NB_CMD_QUEUE_SET, .flags = NLM_F_ACK
#define DUMP(cmd) .command = (cmd), .flags = NLM_F_DUMP
#define ID(id)	{ NB_A_ENDPOINT_ID, .number = (id) }
#define QUEUE(id) { NB_A_QUEUE_ENDPOINT_ID, .number = (id) }
#define KIND(name) { NB_A_ENDPOINT_KIND, .text = (name) }
#define MODERATION(...) { NB_A_QUEUE_MODERATION, \
			  .nest = (const struct given[3]) { __VA_ARGS__ } }
#define PARAMS(params) { NB_A_ENDPOINT_PARAMS, .bytes = &(params), .len = sizeof(params) }

static const uint32_t some_params = 1;

static const struct refusal when_connected[] = {
	{ "get nothing", GET, .err = EINVAL, .missing = NB_A_ENDPOINT_ID,
	  .words = "id of an endpoint is missing" },
	{ "get nobody", GET, { ID(NOWHERE) }, ENOENT, NB_A_ENDPOINT_ID,
	  .words = "no endpoint with this id" },
	{ "dump one", DUMP(NB_CMD_ENDPOINT_GET), { ID(SELF) }, EINVAL, NB_A_ENDPOINT_ID,
	  .words = "without NLM_F_DUMP" },
	{ "dump nobody's queues", DUMP(NB_CMD_QUEUE_GET), { QUEUE(NOWHERE) }, ENOENT,
	  NB_A_QUEUE_ENDPOINT_ID, .words = "no endpoint with this id" },
	{ "dump no switch", DUMP(NB_CMD_SWITCH_GET), { { NB_A_SWITCH_ID, NOWHERE } }, ENOENT,
	  NB_A_SWITCH_ID, .words = "no switch with this id" },
	{ "dump no switch's ports", DUMP(NB_CMD_SWITCH_PORT_GET),
	  { { NB_A_PORT_SWITCH_ID, NOWHERE } }, ENOENT, NB_A_PORT_SWITCH_ID,
	  .words = "no switch with this id" },
	{ "dump no switch's addresses", DUMP(NB_CMD_SWITCH_FDB_GET),
	  { { NB_A_FDB_SWITCH_ID, NOWHERE } }, ENOENT, NB_A_FDB_SWITCH_ID,
	  .words = "no switch with this id" },

	{ "dump no memory", DUMP(NB_CMD_MEMORY_GET), { { NB_A_MEMORY_ID, NOWHERE } }, ENOENT,
	  NB_A_MEMORY_ID, .words = "no memory with this id" },
	{ "dump no memory's regions", DUMP(NB_CMD_REGION_GET),
	  { { NB_A_REGION_MEMORY_ID, NOWHERE } }, ENOENT, NB_A_REGION_MEMORY_ID,
	  .words = "no memory with this id" },

	{ "set nothing", SET, { ID(SELF) }, EINVAL, .missing = NB_A_ENDPOINT_LINK,
	  .words = "to be set is missing" },
	{ "set of nothing", SET, { { NB_A_ENDPOINT_LINK, 0 } }, EINVAL,
	  .missing = NB_A_ENDPOINT_ID, .words = "id of an endpoint is missing" },
	{ "set of nobody", SET, { ID(NOWHERE), { NB_A_ENDPOINT_LINK, 0 } }, ENOENT,
	  NB_A_ENDPOINT_ID, .words = "no endpoint with this id" },

	{ "connect nothing", CONNECT, .err = EINVAL, .missing = NB_A_ENDPOINT_ID,
	  .words = "id of an endpoint is missing" },
	{ "connect nobody", CONNECT, { ID(NOWHERE) }, ENOENT, NB_A_ENDPOINT_ID,
	  .words = "no endpoint with this id" },
	{ "connect two ways", CONNECT, { ID(SELF), KIND("null"), { NB_A_ENDPOINT_FROM, OTHER } },
	  EINVAL, NB_A_ENDPOINT_FROM, .words = "either from" },
	{ "a name without a kind", CONNECT, { ID(SELF), { NB_A_ENDPOINT_NAME, .text = "x" } },
	  EINVAL, NB_A_ENDPOINT_NAME, 0, NB_A_ENDPOINT_KIND, "go with the kind" },
	{ "an MTU without a kind", CONNECT, { ID(SELF), { NB_A_ENDPOINT_MTU, 1500 } },
	  EINVAL, NB_A_ENDPOINT_MTU, 0, NB_A_ENDPOINT_KIND, "go with the kind" },
	{ "params without a kind", CONNECT, { ID(SELF), PARAMS(some_params) },
	  EINVAL, NB_A_ENDPOINT_PARAMS, 0, NB_A_ENDPOINT_KIND, "go with the kind" },
	{ "connect again", CONNECT, { ID(SELF) }, EISCONN, NB_A_ENDPOINT_ID,
	  .words = "disconnect it first" },
	{ "connect again from", CONNECT, { ID(SELF), { NB_A_ENDPOINT_FROM, OTHER } }, EISCONN,
	  NB_A_ENDPOINT_ID, .words = "disconnect it first" },
	{ "connect again of a kind", CONNECT, { ID(SELF), KIND("null") }, EISCONN,
	  NB_A_ENDPOINT_ID, .words = "disconnect it first" },

	{ "disconnect nothing", DISCONNECT, .err = EINVAL, .missing = NB_A_ENDPOINT_ID,
	  .words = "id of an endpoint is missing" },
	{ "disconnect nobody", DISCONNECT, { ID(NOWHERE) }, ENOENT, NB_A_ENDPOINT_ID,
	  .words = "no endpoint with this id" },

	{ "set nothing of queues", QUEUE_SET, { QUEUE(SELF) }, EINVAL,
	  .missing = NB_A_QUEUE_MODERATION, .words = "to be set is missing" },
	{ "set no moderation", QUEUE_SET, { QUEUE(SELF), MODERATION() }, EINVAL,
	  NB_A_QUEUE_MODERATION, .words = "to be set is missing" },
	{ "set of no queue", QUEUE_SET, { MODERATION({ NB_A_MODERATION_TX_USECS, 7 }) }, EINVAL,
	  .missing = NB_A_QUEUE_ENDPOINT_ID, .words = "id of an endpoint is missing" },
	{ "set of nobody's queues", QUEUE_SET,
	  { QUEUE(NOWHERE), MODERATION({ NB_A_MODERATION_TX_USECS, 7 }) }, ENOENT,
	  NB_A_QUEUE_ENDPOINT_ID, .words = "no endpoint with this id" },
	{ "set of the third of two", QUEUE_SET,
	  { QUEUE(SELF), { NB_A_QUEUE_INDEX, 2 }, MODERATION({ NB_A_MODERATION_TX_USECS, 7 }) },
	  ENOENT, NB_A_QUEUE_INDEX, .words = "no such queue" },
	{ "set of all of none", QUEUE_SET,
	  { QUEUE(OTHER), MODERATION({ NB_A_MODERATION_TX_USECS, 7 }) }, ENOENT,
	  NB_A_QUEUE_ENDPOINT_ID, .words = "no such queue" },
	{ "no time on the way out", QUEUE_SET,
	  { QUEUE(SELF), MODERATION({ NB_A_MODERATION_RX_USECS, 7 },
				    { NB_A_MODERATION_TX_USECS, 0 }) },
	  EINVAL, NB_A_QUEUE_MODERATION, NB_A_MODERATION_TX_USECS, 0, "nothing would end" },
	{ "no time on the way in", QUEUE_SET,
	  { QUEUE(SELF), { NB_A_QUEUE_INDEX, 1 }, MODERATION({ NB_A_MODERATION_RX_USECS, 0 }) },
	  EINVAL, NB_A_QUEUE_MODERATION, NB_A_MODERATION_RX_USECS, 0, "nothing would end" },
	{ "frames and no time", QUEUE_SET,
	  { QUEUE(SELF), { NB_A_QUEUE_INDEX, 1 }, MODERATION({ NB_A_MODERATION_RX_USECS, 7 },
							     { NB_A_MODERATION_TX_FRAMES, 3 }) },
	  EINVAL, NB_A_QUEUE_MODERATION, NB_A_MODERATION_TX_FRAMES, 0, "nothing would end" },
	/* The first queue could have it. */
	{ "adaptive and no time", QUEUE_SET,
	  { QUEUE(SELF), MODERATION({ NB_A_MODERATION_ADAPTIVE, NB_NEED_NOTIFY_TX }) },
	  EINVAL, NB_A_QUEUE_MODERATION, NB_A_MODERATION_ADAPTIVE, 0, "nothing would end" },
};

TEST_F(netlink_bad, what_does_not_fit_is_refused_and_changes_nothing)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(when_connected); i++)
		EXPECT_TRUE(is_refused(self, &when_connected[i]));
	EXPECT_TRUE(is_unchanged(self));
}

static const struct nb_netdev_params netdev_params = { .flags = 1u << 31 };
static const struct nb_switch_params switch_params = { .vlan_mode = 99 };
static const struct nb_attach_params attach_params = { .ifname = "no_such" };
static const uint8_t long_params[1000] = { [999] = 1 };

static const struct refusal when_disconnected[] = {
	{ "disconnect again", DISCONNECT, { ID(SELF) }, ENOTCONN, NB_A_ENDPOINT_ID,
	  .words = "no backend is plugged in" },
	{ "from nobody", CONNECT, { ID(SELF), { NB_A_ENDPOINT_FROM, NOWHERE } }, ENOENT,
	  NB_A_ENDPOINT_FROM, .words = "no endpoint with this id" },
	{ "from itself", CONNECT, { ID(SELF), { NB_A_ENDPOINT_FROM, SELF } }, EINVAL,
	  NB_A_ENDPOINT_FROM, .words = "" },
	{ "from one in use", CONNECT, { ID(SELF), { NB_A_ENDPOINT_FROM, OTHER } }, EBUSY,
	  NB_A_ENDPOINT_FROM, .words = "queues" },
	{ "no kind", CONNECT, { ID(SELF), KIND("") }, EINVAL, NB_A_ENDPOINT_KIND, .words = "" },
	{ "a bad kind", CONNECT, { ID(SELF), KIND("a/b") }, EINVAL, NB_A_ENDPOINT_KIND,
	  .words = "" },
	{ "an unknown kind", CONNECT, { ID(SELF), KIND("no_such") }, ENOENT, NB_A_ENDPOINT_KIND,
	  .words = "kind" },
	{ "an MTU of null", CONNECT, { ID(SELF), KIND("null"), { NB_A_ENDPOINT_MTU, 1500 } },
	  EINVAL, NB_A_ENDPOINT_MTU, .words = "" },
	{ "an MTU of loopback", CONNECT, { ID(SELF), KIND("loopback"), { NB_A_ENDPOINT_MTU, 1 } },
	  EINVAL, NB_A_ENDPOINT_MTU, .words = "" },
	{ "an MTU of a switch", CONNECT, { ID(SELF), KIND("switch"), { NB_A_ENDPOINT_MTU, 1 } },
	  EINVAL, NB_A_ENDPOINT_MTU, .words = "" },
	{ "an MTU of netdev", CONNECT, { ID(SELF), KIND("netdev"), { NB_A_ENDPOINT_MTU, 10 } },
	  EINVAL, NB_A_ENDPOINT_MTU, .words = "" },
	{ "a name of netdev", CONNECT,
	  { ID(SELF), KIND("netdev"), { NB_A_ENDPOINT_NAME, .text = "a/b" } },
	  EINVAL, NB_A_ENDPOINT_NAME, .words = "" },
	{ "a name that is taken", CONNECT,
	  { ID(SELF), KIND("netdev"), { NB_A_ENDPOINT_NAME, .text = "lo" } },
	  EEXIST, NB_A_ENDPOINT_NAME, .words = "already" },
	{ "params of null", CONNECT, { ID(SELF), KIND("null"), PARAMS(some_params) },
	  EINVAL, NB_A_ENDPOINT_PARAMS, .words = "" },
	{ "params of netdev", CONNECT, { ID(SELF), KIND("netdev"), PARAMS(netdev_params) },
	  EINVAL, NB_A_ENDPOINT_PARAMS, .words = "" },
	{ "long params of netdev", CONNECT, { ID(SELF), KIND("netdev"), PARAMS(long_params) },
	  E2BIG, NB_A_ENDPOINT_PARAMS, .words = "more than" },
	{ "params of a switch", CONNECT, { ID(SELF), KIND("switch"), PARAMS(switch_params) },
	  EINVAL, NB_A_ENDPOINT_PARAMS, .words = "" },
	{ "params of attach", CONNECT, { ID(SELF), KIND("attach"), PARAMS(attach_params) },
	  ENODEV, NB_A_ENDPOINT_PARAMS, .words = "" },
	{ "attach to nothing", CONNECT, { ID(SELF), KIND("attach") }, EINVAL,
	  NB_A_ENDPOINT_KIND, .words = "" },
};

TEST_F(netlink_bad, backends_that_cannot_be_are_refused_for_what_is_wrong_with_them)
{
	unsigned int i;

	nb_nic_stop(&self->nic);
	nb_nic_start(&self->other, 1, 0);
	ASSERT_EQ(0, nb_endpoint_disconnect(self->nic.ep, 0));
	self->info = info_of(&self->nic);
	for (i = 0; i < ARRAY_LEN(when_disconnected); i++)
		EXPECT_TRUE(is_refused(self, &when_disconnected[i]));
	ASSERT_EQ(0, nb_endpoint_connect(self->nic.ep, NULL));
	EXPECT_STREQ("null", info_of(&self->nic).kind);
}

/* ---- without rights ------------------------------------------------------ */

static const struct refusal changes[] = {
	{ "set", SET, { ID(SELF), { NB_A_ENDPOINT_LINK, 0 } }, EPERM },
	{ "connect", CONNECT, { ID(SELF) }, EPERM },
	{ "disconnect", DISCONNECT, { ID(SELF) }, EPERM },
	{ "set moderation", QUEUE_SET,
	  { QUEUE(SELF), MODERATION({ NB_A_MODERATION_TX_USECS, 7 }) }, EPERM },
};

/* The errno with which a change is refused. */
static int result_of(FIXTURE_DATA(netlink_bad) *self, const struct refusal *change)
{
	struct nb_genl_request request = nb_genl_request(self->client.family, change->command,
							 change->flags);
	const struct given *given;

	for (given = change->given; given->type; given++)
		add(self, &request, given);
	return -nb_genl_talk(&self->client, &request, look_away, NULL);
}

TEST_F(netlink_bad, who_has_no_rights_changes_nothing_here_and_finds_nothing_elsewhere)
{
	unsigned int i;

	nb_test_become_nobody();
	nb_genl_close(&self->client);
	nb_genl_open(&self->client);
	for (i = 0; i < ARRAY_LEN(changes); i++)
		EXPECT_EQ(EPERM, result_of(self, &changes[i]));
	/* Who is root in a namespace of its own. */
	ASSERT_EQ(0, unshare(CLONE_NEWUSER | CLONE_NEWNET));
	for (i = 0; i < ARRAY_LEN(changes); i++)
		EXPECT_EQ(EPERM, result_of(self, &changes[i]));
	nb_genl_close(&self->client);
	nb_genl_open(&self->client);
	for (i = 0; i < ARRAY_LEN(changes); i++)
		EXPECT_EQ(ENOENT, result_of(self, &changes[i]));
	EXPECT_TRUE(is_unchanged(self));
}

TEST_HARNESS_MAIN
