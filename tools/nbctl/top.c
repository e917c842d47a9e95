// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl top: what queues do per second, again and again
 *
 * On a terminal it takes the whole screen, and as many lines and columns as fit; else it
 * prints a table after each interval, or JSON.  Rates come from two looks at the counters.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl top [sort KEY] [interval SECONDS] [count N]\n"
"Shows what queues do per second, those first that do most of what KEY says: packets (or\n"
"p, the default), bits (b), drops (d), enters (e), notifies (n) or id (i).  Every second,\n"
"or at that interval, until q is pressed or N times.  On a terminal, the letters change\n"
"the order.\n";

/* most seconds of an interval */
#define MAX_INTERVAL	3600

/* most columns, and bytes of what stands in one */
#define MAX_COLUMNS	16
#define CELL_SIZE	64

/**
 * struct sort - an order of queues
 * @name: its name, of which the first letter is the key
 * @amount: what a queue has of it
 */
struct sort {
	const char *name;
	uint64_t (*amount)(const struct rate *rate);
};

static uint64_t amount_of_packets(const struct rate *rate)
{
	return rate->tx_packets + rate->rx_packets;
}

static uint64_t amount_of_bits(const struct rate *rate)
{
	return rate->tx_bits + rate->rx_bits;
}

static uint64_t amount_of_drops(const struct rate *rate)
{
	return rate->drops;
}

static uint64_t amount_of_enters(const struct rate *rate)
{
	return rate->enters;
}

static uint64_t amount_of_notifies(const struct rate *rate)
{
	return rate->notifies;
}

static uint64_t nothing(const struct rate *rate)
{
	(void)rate;
	return 0;
}

static const struct sort sorts[] = {
	{ "packets",	amount_of_packets },
	{ "bits",	amount_of_bits },
	{ "drops",	amount_of_drops },
	{ "enters",	amount_of_enters },
	{ "notifies",	amount_of_notifies },
	{ "id",		nothing },
	{ }
};

/**
 * struct top - the state of the command
 * @sort: the order
 * @interval: nanoseconds between two looks
 * @count: how often it still prints, or 0 for ever
 * @signal_fd: tells of signals
 * @before: the counters of the look before
 * @looked: when that was, in nanoseconds
 * @rates: what queues have done since then
 * @n_rates: their number
 */
struct top {
	const struct sort *sort;
	uint64_t interval;
	unsigned long count;
	int signal_fd;
	struct objects before;
	uint64_t looked;
	struct rate *rates;
	size_t n_rates;
};

/* ---- arguments ----------------------------------------------------------- */

static int set_sort(struct top *top, const char *word)
{
	const struct sort *sort;

	for (sort = sorts; sort->name; sort++) {
		if (*word && !strncmp(word, sort->name, strlen(word))) {
			top->sort = sort;
			return STATUS_OK;
		}
	}
	complain("sort '%s' must be packets, bits, drops, enters, notifies or id", word);
	return STATUS_USAGE;
}

static int set_interval(struct top *top, const char *word)
{
	char *end;
	double seconds = strtod(word, &end);

	if (*word < '0' || *word > '9' || *end || !(seconds >= 0.01) ||
	    seconds > MAX_INTERVAL) {
		complain("interval '%s' must be seconds, 0.01 to %d", word, MAX_INTERVAL);
		return STATUS_USAGE;
	}
	top->interval = (uint64_t)(seconds * NS_PER_SECOND);
	return STATUS_OK;
}

static int set_count(struct top *top, const char *word)
{
	char *end;

	errno = 0;
	top->count = strtoul(word, &end, 10);
	if (*word >= '0' && *word <= '9' && !*end && !errno && top->count)
		return STATUS_OK;
	complain("count '%s' must be a number, at least 1", word);
	return STATUS_USAGE;
}

static int parse(struct top *top, int argc, char **argv)
{
	int i, status = STATUS_OK;

	for (i = 1; i < argc && !status; i += 2) {
		if (strcmp(argv[i], "sort") && strcmp(argv[i], "interval") &&
		    strcmp(argv[i], "count"))
			return usage_error("top", argv[i]);
		if (i + 1 == argc)
			return usage_error("top", NULL);
		if (argv[i][0] == 's')
			status = set_sort(top, argv[i + 1]);
		else if (argv[i][0] == 'i')
			status = set_interval(top, argv[i + 1]);
		else
			status = set_count(top, argv[i + 1]);
	}
	return status;
}

/* ---- rates --------------------------------------------------------------- */

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

/* The same queue in an earlier look, or NULL. */
static const struct queue *find_before(const struct objects *before, const struct queue *queue)
{
	size_t low = 0, high = before->n_queues, middle;
	const struct queue *other;

	while (low < high) {
		middle = low + (high - low) / 2;
		other = &before->queues[middle];
		if (other->endpoint_id == queue->endpoint_id && other->index == queue->index)
			return other;
		if (other->endpoint_id < queue->endpoint_id ||
		    (other->endpoint_id == queue->endpoint_id && other->index < queue->index))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* A queue that is new, or made anew, has counted from 0. */
static uint64_t per_second(const struct queue *queue, const struct queue *before,
			   enum nb_stats_attr stat, uint64_t ns)
{
	uint64_t value = queue->stats[stat];

	if (before && before->stats[stat] <= value)
		value -= before->stats[stat];
	return (uint64_t)((double)value * NS_PER_SECOND / (double)ns + 0.5);
}

static void set_rate(struct rate *rate, const struct queue *queue, const struct queue *before,
		     uint64_t ns)
{
	static const enum nb_stats_attr drops[] = {
		NB_A_STATS_TX_DROPPED, NB_A_STATS_TX_ERRORS, NB_A_STATS_RX_ERRORS,
		NB_A_STATS_RX_TOO_SMALL,
	};
	size_t i;

	memset(rate, 0, sizeof(*rate));
	rate->endpoint_id = queue->endpoint_id;
	memcpy(rate->name, queue->endpoint_name, sizeof(rate->name));
	rate->queue = queue->index;
	rate->tx_packets = per_second(queue, before, NB_A_STATS_TX_PACKETS, ns);
	rate->rx_packets = per_second(queue, before, NB_A_STATS_RX_PACKETS, ns);
	rate->tx_bits = 8 * per_second(queue, before, NB_A_STATS_TX_BYTES, ns);
	rate->rx_bits = 8 * per_second(queue, before, NB_A_STATS_RX_BYTES, ns);
	for (i = 0; i < sizeof(drops) / sizeof(drops[0]); i++)
		rate->drops += per_second(queue, before, drops[i], ns);
	rate->enters = per_second(queue, before, NB_A_STATS_ENTERS, ns);
	rate->notifies = per_second(queue, before, NB_A_STATS_NOTIFIES, ns);
}

static int compare_rates(const void *a, const void *b, void *data)
{
	const struct rate *left = a, *right = b;
	const struct sort *sort = data;
	uint64_t l = sort->amount(left), r = sort->amount(right);

	if (l != r)
		return l < r ? 1 : -1;
	if (left->endpoint_id != right->endpoint_id)
		return left->endpoint_id < right->endpoint_id ? -1 : 1;
	return left->queue < right->queue ? -1 : 1;
}

static void sort_rates(struct top *top)
{
	if (top->n_rates)
		qsort_r(top->rates, top->n_rates, sizeof(struct rate), compare_rates,
			(void *)top->sort);
}

/* Look at the counters again; -1 and has said why. */
static int look(struct top *top)
{
	uint64_t looked = now(), ns = looked - top->looked;
	struct objects objects;
	size_t i;

	if (objects_get(&objects, NULL, true))
		return -1;
	free(top->rates);
	top->rates = calloc(objects.n_queues + 1, sizeof(struct rate));
	if (!top->rates) {
		complain("no memory");
		objects_free(&objects);
		return -1;
	}
	top->n_rates = objects.n_queues;
	for (i = 0; i < objects.n_queues; i++)
		set_rate(&top->rates[i], &objects.queues[i],
			 find_before(&top->before, &objects.queues[i]), ns ? ns : 1);
	objects_free(&top->before);
	top->before = objects;
	top->looked = looked;
	sort_rates(top);
	return 0;
}

/* ---- table --------------------------------------------------------------- */

/**
 * struct layout - what fits
 * @rows: rows of the table
 * @columns: columns of it
 * @widths: their widths
 */
struct layout {
	size_t rows;
	int columns;
	int widths[MAX_COLUMNS];
};

static const char *cell(const struct field *field, const struct rate *rate, char *buffer)
{
	return rate ? value_text(field, rate, buffer, CELL_SIZE) : field->before;
}

static int width_of(const struct top *top, const struct field *field, size_t rows)
{
	char buffer[CELL_SIZE];
	size_t i, width = strlen(field->before), length;

	for (i = 0; i < rows; i++) {
		length = strlen(cell(field, &top->rates[i], buffer));
		if (length > width)
			width = length;
	}
	/* so that rates do not make columns jump */
	return field->value == VALUE_RATE && width < 8 ? 8 : (int)width;
}

/* Columns that do not fit are left out, from the right. */
static struct layout lay_out(const struct top *top, size_t height, int width)
{
	struct layout layout = { .rows = top->n_rates };
	const struct field *field = rate_fields;

	if (layout.rows > height)
		layout.rows = height;
	for (; field->value != VALUE_END && layout.columns < MAX_COLUMNS; field++) {
		layout.widths[layout.columns] = width_of(top, field, layout.rows);
		width -= layout.widths[layout.columns] + !!layout.columns;
		if (width < 0)
			break;
		layout.columns++;
	}
	return layout;
}

static void print_row(const struct layout *layout, const struct rate *rate, const char *end)
{
	char buffer[CELL_SIZE];
	int i;

	for (i = 0; i < layout->columns; i++)
		printf("%s%*s", i ? " " : "",
		       rate_fields[i].value == VALUE_TEXT ? -layout->widths[i] :
		       layout->widths[i], cell(&rate_fields[i], rate, buffer));
	fputs(end, stdout);
}

static void print_table(const struct top *top)
{
	struct layout layout = lay_out(top, SIZE_MAX, INT32_MAX);
	size_t i;

	print_row(&layout, NULL, "\n");
	for (i = 0; i < layout.rows; i++)
		print_row(&layout, &top->rates[i], "\n");
}

/* ---- screen -------------------------------------------------------------- */

#define SCREEN_BEGIN	"\033[?1049h\033[?25l"
#define SCREEN_END	"\033[?25h\033[?1049l"
#define LINE_END	"\033[K\r\n"

/* how the terminal was, and whether it is another way now */
static struct termios terminal;
static bool on_screen;

/* Also before something is complained about, which would not be seen. */
static void close_screen(void)
{
	if (!on_screen)
		return;
	on_screen = false;
	fputs(SCREEN_END, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}

static void open_screen(void)
{
	struct termios raw;

	if (options.json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    tcgetattr(STDIN_FILENO, &terminal))
		return;
	raw = terminal;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(SCREEN_BEGIN, stdout);
	on_screen = true;
	before_complaint = close_screen;
}

static void draw(const struct top *top)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct layout layout;
	char title[128];
	size_t i, rows;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	/* the title, the names of columns */
	rows = size.ws_row > 2 ? size.ws_row - 2u : 0;
	layout = lay_out(top, rows, size.ws_col);
	snprintf(title, sizeof(title), "nbctl top: %zu queues by %s; q quits, p b d e n i sort",
		 top->n_rates, top->sort->name);
	printf("\033[H%.*s", size.ws_col, title);
	if (size.ws_row > 1) {
		fputs(LINE_END, stdout);
		fputs(options.colour ? "\033[7m" : "", stdout);
		print_row(&layout, NULL, options.colour ? "\033[0m" : "");
	}
	for (i = 0; i < layout.rows; i++) {
		fputs(LINE_END, stdout);
		print_row(&layout, &top->rates[i], "");
	}
	fputs("\033[K\033[J", stdout);
}

static int show(const struct top *top)
{
	struct json_object *json;
	size_t i;

	if (options.json) {
		json = json_object_new_array();
		for (i = 0; i < top->n_rates; i++)
			json_object_array_add(json, record_json(rate_fields, &top->rates[i]));
		print_json(json);
	} else if (on_screen) {
		draw(top);
	} else {
		print_table(top);
	}
	return fflush(stdout) || ferror(stdout) ? -1 : 0;
}

/* ---- the loop ------------------------------------------------------------ */

/* Returns whether the key ends it. */
static bool take_key(struct top *top)
{
	const struct sort *sort;
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q')
		return true;
	for (sort = sorts; sort->name; sort++)
		if (sort->name[0] == key)
			top->sort = sort;
	sort_rates(top);
	show(top);
	return false;
}

/* Returns whether the signal ends it. */
static bool take_signal(struct top *top)
{
	struct signalfd_siginfo info;

	if (read(top->signal_fd, &info, sizeof(info)) != sizeof(info) ||
	    info.ssi_signo != SIGWINCH)
		return true;
	if (on_screen)
		show(top);
	return false;
}

/* Wait until it is time to look again; returns whether it is to end instead. */
static bool wait_for_time(struct top *top)
{
	struct pollfd fds[] = {
		{ .fd = top->signal_fd, .events = POLLIN },
		{ .fd = on_screen ? STDIN_FILENO : -1, .events = POLLIN },
	};
	uint64_t end = top->looked + top->interval, time;

	while ((time = now()) < end) {
		if (poll(fds, 2, (int)((end - time) / 1000000) + 1) < 0 && errno != EINTR)
			return true;
		if (fds[0].revents && take_signal(top))
			return true;
		if (fds[1].revents && take_key(top))
			return true;
		fds[0].revents = 0;
		fds[1].revents = 0;
	}
	return false;
}

static int run(struct top *top)
{
	if (look(top))
		return STATUS_FAILED;
	open_screen();
	while (!wait_for_time(top)) {
		if (look(top) || show(top)) {
			close_screen();
			if (ferror(stdout))
				complain("cannot write to standard output");
			return STATUS_FAILED;
		}
		if (top->count && !--top->count)
			break;
	}
	close_screen();
	return STATUS_OK;
}

int top_main(int argc, char **argv)
{
	struct top top = { .sort = sorts, .interval = NS_PER_SECOND };
	sigset_t signals;
	int status;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	status = parse(&top, argc, argv);
	if (status)
		return status;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGWINCH);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	top.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (top.signal_fd < 0) {
		complain("no signalfd: %s", strerror(errno));
		return STATUS_FAILED;
	}
	status = run(&top);
	close(top.signal_fd);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	objects_free(&top.before);
	free(top.rates);
	return status;
}
