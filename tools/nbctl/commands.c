// SPDX-License-Identifier: GPL-2.0
/*
 * Finds out what a command line wants, and has it done
 *
 * Owns the tables of commands.  As with ip, an object comes first and then what to do with
 * it, both in as few letters as are unambiguous; what is wanted most often is a command
 * without an object.
 */
#include <stdio.h>
#include <string.h>

#include "nbctl.h"

#define CONNECT									\
	{									\
		.name = "connect",						\
		.arguments = "ENDPOINT [from ENDPOINT | kind KIND [name NAME] [mtu MTU]]", \
		.help = "plug in a backend: its own, that of another, or a new one", \
		.run = connect_main,						\
	}

#define DISCONNECT								\
	{									\
		.name = "disconnect",						\
		.arguments = "ENDPOINT [timeout SECONDS | now]",		\
		.help = "unplug the backend, and wait until no queue uses it",	\
		.run = disconnect_main,						\
	}

#define LINK									\
	{									\
		.name = "link",							\
		.arguments = "ENDPOINT {up | down}",				\
		.help = "set the link",						\
		.run = link_main,						\
	}

#define CAPTURE									\
	{									\
		.name = "capture",						\
		.arguments = "ENDPOINT [queue N] [direction {in | out}] [count N]" \
			     " [snaplen BYTES] [buffer KIB] [file FILE]",	\
		.help = "its packets, as pcapng, to a file or a pipe",		\
		.run = capture_main,						\
	}

static const struct command endpoint_verbs[] = {
	{
		.name = "show",
		.arguments = "[ID | NAME]",
		.help = "endpoints; with -s what they have counted",
		.run = show_endpoints_main,
	},
	CONNECT,
	DISCONNECT,
	LINK,
	CAPTURE,
	{ }
};

static const struct command queue_verbs[] = {
	{
		.name = "show",
		.arguments = "[ID | NAME]",
		.help = "queues: state, rings, counters",
		.run = show_queues_main,
	},
	{
		.name = "stats",
		.arguments = "[ID | NAME]",
		.help = "their counters",
		.run = stats_main,
	},
	{
		.name = "set",
		.arguments = "ENDPOINT [queue N] {{tx-usecs | tx-frames | rx-usecs | rx-frames} N |"
			     " adaptive {tx | rx | both | off}} …",
		.help = "when frontends are woken",
		.run = queue_set_main,
	},
	{ }
};

static const struct command kind_verbs[] = {
	{
		.name = "show",
		.arguments = "",
		.help = "which kinds of endpoint there are",
		.run = kinds_main,
	},
	{ }
};

static const struct command memory_verbs[] = {
	{
		.name = "show",
		.arguments = "[ID]",
		.help = "guests' memories and their regions",
		.run = memory_main,
	},
	{ }
};

static const struct command commands[] = {
	{
		.name = "show",
		.arguments = "[endpoints | queues] [ID | NAME]",
		.help = "endpoints and their queues: state, rings, counters",
		.run = show_main,
	},
	{
		.name = "stats",
		.arguments = "[ID | NAME]",
		.help = "what queues have counted",
		.run = stats_main,
	},
	{
		.name = "top",
		.arguments = "[sort KEY] [interval SECONDS] [count N]",
		.help = "what queues do per second, live",
		.run = top_main,
	},
	{
		.name = "monitor",
		.arguments = "[all | {endpoint | queue | switch | port | memory | region} …]",
		.help = "what happens to them, as it happens",
		.run = monitor_main,
	},
	CONNECT,
	DISCONNECT,
	LINK,
	CAPTURE,
	{
		.name = "endpoint",
		.arguments = "{show | connect | disconnect | link | capture} …",
		.help = "the same, with the object first",
		.verbs = endpoint_verbs,
	},
	{
		.name = "queue",
		.arguments = "{show | stats | set} …",
		.help = "the queues of endpoints",
		.verbs = queue_verbs,
	},
	{
		.name = "switch",
		.arguments = "[show | port | fdb] [ID | NAME]",
		.help = "switches, their ports and what these drop, addresses",
		.run = switch_main,
	},
	{
		.name = "kind",
		.arguments = "[show]",
		.help = "which kinds of endpoint there are",
		.verbs = kind_verbs,
	},
	{
		.name = "memory",
		.arguments = "[show] [ID]",
		.help = "guests' memories and their regions",
		.verbs = memory_verbs,
	},
	{
		.name = "selftest",
		.arguments = "",
		.help = "whether net_backend works on this machine",
		.run = selftest_main,
	},
	{ }
};

static bool is_name(const char *word, const struct command *command)
{
	size_t length = strlen(command->name);

	if (strncmp(word, command->name, length))
		return false;
	return !word[length] || (command->verbs && !strcmp(word + length, "s"));
}

/* The command of that name, or the only one that begins like that; says if there is none. */
static const struct command *find(const struct command *command, const char *word)
{
	const struct command *found = NULL;

	for (; command->name; command++) {
		if (is_name(word, command))
			return command;
		if (!*word || strncmp(word, command->name, strlen(word)))
			continue;
		if (found) {
			complain("'%s' may be %s or %s: say more of it", word, found->name,
				 command->name);
			return NULL;
		}
		found = command;
	}
	if (!found)
		complain("unknown command '%s': try 'nbctl --help'", word);
	return found;
}

/* An object's own help. */
static int help_with(const struct command *object)
{
	const struct command *verb;

	for (verb = object->verbs; verb->name; verb++)
		printf("%s nbctl %s %s %s\n      %s\n", verb == object->verbs ? "Usage:" : "      ",
		       object->name, verb->name, verb->arguments, verb->help);
	return STATUS_OK;
}

static int run_verb(const struct command *object, int argc, char **argv)
{
	const struct command *verb = object->verbs;

	if (argc > 1 && (!strcmp(argv[1], "help") || asks_for_help(argc, argv, "")))
		return help_with(object);
	if (argc > 1)
		verb = find(object->verbs, argv[1]);
	if (!verb)
		return STATUS_USAGE;
	return argc > 1 ? verb->run(argc - 1, argv + 1) : verb->run(argc, argv);
}

/* Run the command that stands in @argv; without any, the first one. */
int commands_run(int argc, char **argv)
{
	const struct command *command;
	char first[] = "show", *default_argv[] = { first, NULL };

	if (!argc)
		return commands[0].run(1, default_argv);
	if (!strcmp(argv[0], "help")) {
		commands_help();
		return STATUS_OK;
	}
	command = find(commands, argv[0]);
	if (!command)
		return STATUS_USAGE;
	return command->verbs ? run_verb(command, argc, argv) : command->run(argc, argv);
}

void commands_help(void)
{
	const struct command *command;

	printf("Usage: nbctl [OPTIONS] COMMAND [ARGUMENTS]\n"
	       "       nbctl [OPTIONS] -b FILE\n"
	       "Inspects and controls net_backend: what there is in a network namespace.\n\n");
	for (command = commands; command->name; command++)
		printf("  %s%s%s\n      %s\n", command->name, *command->arguments ? " " : "",
		       command->arguments, command->help);
	printf("\n"
	       "  -j, -json           print JSON; with -p, -pretty for people\n"
	       "  -s, -statistics     endpoints with what they have counted\n"
	       "  -n, -netns NETNS    in that network namespace\n"
	       "  -b, -batch FILE     commands from a file, or from '-'; with -force all of them\n"
	       "  -c, -color[=WHEN]   colours: auto (on a terminal), always, never\n"
	       "  -V, -version        print the version and exit\n"
	       "  -h, -help           print this and exit\n\n"
	       "Words may be abbreviated, and ENDPOINT is a number or a name.\n"
	       "Without a command: nbctl %s\n", commands[0].name);
}
