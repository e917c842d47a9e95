// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of the generic netlink family, by an operator who may do everything: all commands,
 * attributes of any type and length in any nest, what is broken, and dumps that are read in
 * pieces, or not to their end, while things come and go.  What comes back must be whole.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "../nbgenl.h"
#include "../nbtest.h"
#include "fuzz.h"
#include "input.h"

#define SOCKETS		3u
#define SPARES		4u
#define DEPTH		4u
#define TICK_US		30000	/* a message that waits is woken after that time */

static struct nb_guest guest;
static struct nb_nic nic, port;		/* null with two queues, and a port of a switch */
static struct nb_endpoint *spare[SPARES];
static struct nb_memory *memory;	/* another one */
static struct nb_genl sockets[SOCKETS];
static bool used[SOCKETS];		/* something may wait to be read there */
static struct nb_genl_request request;
static size_t nest[DEPTH];		/* where they begin in the request */
static unsigned int depth;
static uint32_t ids[4];			/* of the two NICs, and of endpoints around them */
static struct nb_queue_moderation usual;	/* what a new queue has */

/* ---- a message ----------------------------------------------------------- */

static void begin_message(void)
{
	static const uint16_t flags[] = { NLM_F_ACK, NLM_F_DUMP, 0, NLM_F_DUMP | NLM_F_ACK };
	uint8_t command = take8(), how = take8();

	request = nb_genl_request(sockets[0].family, command % (NB_CMD_MAX + 2), flags[how & 3]);
	depth = 0;
	if (how & 0x80)
		request.header.nlmsg_flags |= take32();
	if (how & 0x40)
		request.genl.version = take8();
	fuzz_say("message: command %u, flags %#x", request.genl.cmd, request.header.nlmsg_flags);
}

static bool has_room(size_t len)
{
	return request.header.nlmsg_len + len + 256 < sizeof(request);
}

static uint16_t take_type(void)
{
	uint8_t type = take8();

	return type % 40 | (type > 240 ? NLA_F_NESTED : 0);
}

static void add(uint16_t type, const void *data, size_t len)
{
	if (!has_room(len))
		return;
	fuzz_say("  attribute %#x of %zu bytes", type, len);
	nb_genl_add(&request, type, data, len);
}

static void add_number(void)
{
	uint16_t type = take_type();
	uint8_t how = take8();
	uint64_t value = how & 1 ? ids[how >> 1 & 3] : take32();

	if (how & 0x20)
		value |= (uint64_t)take32() << 32;
	add(type, &value, how & 0x40 ? 8 : how & 0x80 ? take8() & 15 : 4);
}

/* The endpoint that the message is about. */
static void add_subject(void)
{
	static const uint16_t types[] = { NB_A_ENDPOINT_ID, NB_A_QUEUE_ENDPOINT_ID };
	uint8_t how = take8();

	add(types[how & 1], &ids[how >> 1 & 3], sizeof(ids[0]));
}

static void add_text(void)
{
	static const char *const texts[] = {
		"null", "loopback", "netdev", "switch", "attach", "", "nb%d", "lo", "a", "b",
		"abcdefghijklmno", "abcdefghijklmnop",
	};
	uint16_t type = take_type();
	uint8_t how = take8();
	const char *text = texts[how % ARRAY_LEN(texts)];

	add(type, text, strlen(text) + !(how & 0x80));
}

static void add_bytes(void)
{
	static uint8_t bytes[5000];
	uint16_t type = take_type();
	uint32_t len = take32() % sizeof(bytes), i;

	memset(bytes, take8(), sizeof(bytes));
	for (i = 0; i < (len & 7); i++)
		bytes[i] = take8();
	add(type, bytes, len);
}

static void begin_nest(void)
{
	uint16_t type = take_type() | NLA_F_NESTED;

	if (depth == DEPTH || !has_room(0))
		return;
	nest[depth++] = request.header.nlmsg_len;
	nb_genl_add(&request, type, "", 0);
	fuzz_say("  nest %#x", type);
}

static void end_nest(void)
{
	struct nlattr *attribute;

	if (!depth)
		return;
	attribute = (void *)((char *)&request + nest[--depth]);
	attribute->nla_len = request.header.nlmsg_len - nest[depth];
	fuzz_say("  end of a nest of %u bytes", attribute->nla_len);
}

static void change_word(void)
{
	uint32_t at = take32() % 64, value = take32();

	fuzz_say("  word %u: %#x", at, value);
	if (at)
		((uint32_t *)&request)[at] = value;
}

static void change_length(void)
{
	fuzz_say("  the length is another one");
	request.header.nlmsg_len = take32() % (sizeof(request) / 2);
}

/* ---- the answers --------------------------------------------------------- */

static void check_message(const struct nlmsghdr *header)
{
	const struct nlattr *attributes[NB_GENL_ATTRS];
	const struct nlmsgerr *error = NLMSG_DATA(header);

	if (header->nlmsg_type == NLMSG_ERROR) {
		fuzz_say("    %s", strerror(-error->error));
		if (error->error > 0 || error->error < -200)
			fuzz_broken("netlink: error %d", error->error);
	} else if (header->nlmsg_type == sockets[0].family) {
		nb_genl_parse((char *)NLMSG_DATA(header) + GENL_HDRLEN,
			      header->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), attributes);
	}
}

static bool receive(struct nb_genl *client, size_t size)
{
	static char buffer[65536];
	const struct nlmsghdr *header = (void *)buffer;
	ssize_t len = recv(client->fd, buffer, size, MSG_DONTWAIT);

	if (len < 0)
		return false;
	for (; NLMSG_OK(header, len); header = NLMSG_NEXT(header, len))
		check_message(header);
	return true;
}

static void wake(int signal)
{
}

static void set_ticks(bool on)
{
	struct itimerval often = {
		.it_interval.tv_usec = on ? TICK_US : 0,
		.it_value.tv_usec = on ? TICK_US : 0,
	};

	nb_sys(setitimer(ITIMER_REAL, &often, NULL));
}

static void send_message(uint8_t which)
{
	struct nb_genl *client = &sockets[which % SOCKETS];

	used[which % SOCKETS] = true;
	while (depth)
		end_nest();
	fuzz_say("  sent, %u bytes", request.header.nlmsg_len);
	if (request.header.nlmsg_type < NLMSG_MIN_TYPE)
		request.header.nlmsg_type = client->family;
	set_ticks(true);
	if (send(client->fd, &request, request.header.nlmsg_len, MSG_DONTWAIT) < 0)
		fuzz_say("  send: %s", strerror(errno));
	set_ticks(false);
}

static void send_and_receive(void)
{
	uint8_t which = take8();
	unsigned int left = 64;

	send_message(which);
	while (left-- && receive(&sockets[which % SOCKETS], 65536))
		;
}

static void send_alone(void)
{
	send_message(take8());
}

static void receive_some(void)
{
	uint8_t which = take8();

	fuzz_say("receive");
	receive(&sockets[which % SOCKETS], which & 0x80 ? take32() % 65536 : 65536);
}

static struct nb_genl *reopen(void)
{
	struct nb_genl *client = &sockets[take8() % SOCKETS];

	nb_genl_close(client);
	nb_genl_open(client);
	return client;
}

static void reopen_socket(void)
{
	fuzz_say("another socket");
	reopen();
}

/* With another socket, since nothing may wait to be read. */
static void subscribe(void)
{
	unsigned int i;

	fuzz_say("subscribe");
	nb_genl_subscribe(reopen());
	for (i = 0; i < SOCKETS; i++)
		used[i] = true;
}

/* ---- things that come and go --------------------------------------------- */

static void change_endpoint(void)
{
	static const struct nb_test_kind *const kinds[] = {
		&nb_test_null, &nb_test_loopback, &nb_test_switch, &nb_test_netdev,
	};
	uint8_t how = take8();
	struct nb_endpoint **ep = &spare[how % SPARES];

	if (*ep) {
		fuzz_say("endpoint %u goes", how % SPARES);
		nb_endpoint_close(*ep);
		*ep = NULL;
	} else if (!nb_test_create(&guest, kinds[how >> 4 & 3], NULL, ep)) {
		fuzz_say("endpoint %u comes", how % SPARES);
	}
}

/* The backend may be another one by now, that has not so many, or be gone. */
static void change_queues(void)
{
	static const struct nb_queue_config configs[] = {
		{ 64, 64, 64, 64, NB_ANY_CPU }, { 64, 64, 64, 64, NB_ANY_CPU },
	};
	unsigned int n = 1 + (take8() & 1);

	fuzz_say("queues come or go");
	if (nic.n_queues)
		nb_nic_stop(&nic);
	else if (!nb_endpoint_get_queues(nic.ep, guest.mem, configs, n, NULL, nic.queues))
		nic.n_queues = n;
}

static void change_memory(void)
{
	fuzz_say("a region comes or goes");
	if (!memory)
		nb_ok(nb_memory_create(guest.nb, &memory));
	if (nb_memory_ptr(memory, 0, NB_PAGE)) {
		nb_memory_close(memory);
		memory = NULL;
	} else {
		nb_ok(nb_memory_add(memory, 0, nb_guest_ptr(&guest, 0, NB_PAGE), NB_PAGE, 0));
	}
}

static void read_action(void)
{
	struct nb_action action;

	nb_endpoint_wait_for_action(nic.ep, &action, 0);
	nb_endpoint_wait_for_action(port.ep, &action, 0);
}

static const struct {
	char name;
	void (*fn)(void);
} operations[] = {
	{ 'm', begin_message }, { 'i', add_subject }, { 'a', add_number }, { 't', add_text },
	{ 'b', add_bytes }, { 'n', begin_nest }, { 'z', end_nest }, { 'w', change_word },
	{ 'l', change_length }, { 's', send_and_receive }, { 'S', send_alone },
	{ 'r', receive_some }, { 'o', reopen_socket }, { 'j', subscribe },
	{ 'e', change_endpoint }, { 'q', change_queues }, { 'M', change_memory },
	{ 'A', read_action },
};

static void operate(char name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(operations); i++)
		if (operations[i].name == name)
			operations[i].fn();
}

/* ---- an input ------------------------------------------------------------ */

static uint32_t id_of(struct nb_endpoint *ep)
{
	struct nb_endpoint_info info;

	nb_ok(nb_endpoint_get_info(ep, &info));
	return info.id;
}

static void open_nics(void)
{
	nb_nic_open(&nic, &guest, &nb_test_null, 0);
	nb_nic_start(&nic, 2, 64);
	nb_nic_open(&port, &guest, &nb_test_switch, 0);
	nb_nic_start(&port, 1, 64);
	ids[0] = id_of(nic.ep);
	ids[1] = id_of(port.ep);
	ids[2] = ids[1] + 1;
	ids[3] = ids[1] + 2;
	nb_ok(nb_queue_get_moderation(nic.queue, &usual));
}

/* An operator may have plugged in what works otherwise, as one that waits for buffers. */
static bool is_plugged_in(const struct nb_nic *of)
{
	const uint32_t good = NB_ENDPOINT_CONNECTED | NB_ENDPOINT_LINK_UP;
	struct nb_endpoint_info info;

	return !nb_endpoint_get_info(of->ep, &info) && !strcmp(info.kind, of->kind->name) &&
	       (info.properties & good) == good;
}

static bool is_moderated(struct nb_queue *queue)
{
	struct nb_queue_moderation is;

	nb_ok(nb_queue_get_moderation(queue, &is));
	return is.tx_usecs != usual.tx_usecs || is.tx_frames != usual.tx_frames ||
	       is.rx_usecs != usual.rx_usecs || is.rx_frames != usual.rx_frames ||
	       is.adaptive != usual.adaptive;
}

static bool is_whole(const struct nb_nic *of, unsigned int n_queues)
{
	unsigned int i;

	if (of->n_queues != n_queues || !is_plugged_in(of))
		return false;
	for (i = 0; i < n_queues; i++)
		if (nb_queue_state(of->queues[i]) != NB_QUEUE_RUNNING ||
		    is_moderated(of->queues[i]))
			return false;
	return true;
}

static void renew_sockets(void)
{
	unsigned int i;

	for (i = 0; i < SOCKETS; i++) {
		if (!used[i])
			continue;
		nb_genl_close(&sockets[i]);
		nb_genl_open(&sockets[i]);
		used[i] = false;
	}
}

/* As it was at the beginning. */
static void mend(void)
{
	unsigned int i;

	for (i = 0; i < SPARES; i++) {
		if (spare[i])
			nb_endpoint_close(spare[i]);
		spare[i] = NULL;
	}
	if (memory)
		nb_memory_close(memory);
	memory = NULL;
	renew_sockets();
	if (is_whole(&nic, 2) && is_whole(&port, 1))
		return;
	nb_nic_close(&nic);
	nb_nic_close(&port);
	open_nics();
}

/* What the inputs before have left sends packets. */
static void check_nic(void)
{
	struct nb_tx_segment packet = nb_tx_frame(&guest, 0, 100);
	struct nb_tx_completion done;
	int sent;

	sent = nb_queue_tx_avail(nic.queues[0], &packet, 1, NULL);
	if (sent != 1)
		fuzz_stuck("netlink: a packet is not taken: %s", sent < 0 ? nb_error() : "no room");
	if (nb_tx_reap(nic.queues[0], &done, 1) != 1)
		fuzz_stuck("netlink: a packet is not sent");
	if (done.id != packet.id || done.status != NB_TX_OK)
		fuzz_stuck("netlink: packet %u ends with status %u", done.id, done.status);
}

static void run(const uint8_t *data, size_t size)
{
	check_nic();
	request = nb_genl_request(sockets[0].family, NB_CMD_ENDPOINT_GET, NLM_F_DUMP);
	depth = 0;
	take_from(data, size);
	while (input < input_end)
		operate(take8());
	mend();
}

static void open_world(void)
{
	struct sigaction action = { .sa_handler = wake };
	unsigned int i;

	nb_host_new_netns();
	nb_guest_open(&guest, 0);
	open_nics();
	for (i = 0; i < SOCKETS; i++)
		nb_genl_open(&sockets[i]);
	nb_sys(sigaction(SIGALRM, &action, NULL));
}

const struct fuzz_target fuzz_netlink = {
	.name = "netlink",
	.operations = "mmmiiaaaattbnzwlsssSrojeqMA",
	.open = open_world,
	.run = run,
};
