// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl: inspects and controls net_backend
 *
 * Owns the table of commands.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nbctl.h"

static const struct command commands[] = {
	{
		.name = "show",
		.arguments = "[endpoints | queues] [ID | NAME]",
		.help = "endpoints and their queues: state, rings, counters",
		.run = show_main,
	},
	{
		.name = "connect",
		.arguments = "ENDPOINT [from ENDPOINT | kind KIND [name NAME] [mtu MTU]]",
		.help = "plug in a backend: its own, that of another, or a new one",
		.run = connect_main,
	},
	{
		.name = "disconnect",
		.arguments = "ENDPOINT [timeout SECONDS | now]",
		.help = "unplug the backend, and wait until no queue uses it",
		.run = disconnect_main,
	},
	{
		.name = "link",
		.arguments = "ENDPOINT {up | down}",
		.help = "set the link",
		.run = link_main,
	},
	{
		.name = "switch",
		.arguments = "[show | port | fdb] [ID | NAME]",
		.help = "switches, their ports and what these drop, addresses",
		.run = switch_main,
	},
	{
		.name = "monitor",
		.arguments = "",
		.help = "what happens to endpoints, as it happens",
		.run = monitor_main,
	},
};

#define N_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

/* Say on stderr, in one line, what is wrong. */
void complain(const char *format, ...)
{
	va_list args;

	fputs("nbctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Print @usage if the first argument of a command asks for it. */
bool asks_for_help(int argc, char **argv, const char *usage)
{
	if (argc < 2 || (strcmp(argv[1], "-h") && strcmp(argv[1], "--help")))
		return false;
	fputs(usage, stdout);
	return true;
}

/* A command does not understand @word, or if that is NULL, there is something missing. */
int usage_error(const char *command, const char *word)
{
	if (word)
		complain("%s does not understand '%s': try 'nbctl %s --help'", command, word,
			 command);
	else
		complain("%s needs more arguments: try 'nbctl %s --help'", command, command);
	return STATUS_USAGE;
}

static int help(void)
{
	const struct command *command;

	printf("Usage: nbctl COMMAND [ARGUMENTS]\n"
	       "Inspects and controls net_backend: what there is in this network namespace.\n\n");
	for (command = commands; command < commands + N_COMMANDS; command++)
		printf("  %s%s%s\n      %s\n", command->name, *command->arguments ? " " : "",
		       command->arguments, command->help);
	printf("\n"
	       "  -V, --version\n      print the version and exit\n"
	       "  -h, --help\n      print this and exit\n\n"
	       "A command may be abbreviated, and ENDPOINT is a number or a name.\n"
	       "Without a command: nbctl %s\n", commands[0].name);
	return STATUS_OK;
}

/* The command of that name, or the only one that begins like that; says if there is none. */
static const struct command *find_command(const char *word)
{
	const struct command *command, *found = NULL;
	size_t length = strlen(word);

	for (command = commands; command < commands + N_COMMANDS; command++) {
		if (!length || strncmp(word, command->name, length))
			continue;
		if (!command->name[length])
			return command;
		if (found) {
			complain("'%s' may be %s or %s", word, found->name, command->name);
			return NULL;
		}
		found = command;
	}
	if (!found)
		complain("unknown command '%s': try 'nbctl --help'", word);
	return found;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		return commands[0].run(argc, argv);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") ||
	    !strcmp(argv[1], "help"))
		return help();
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		printf("nbctl %s\n", NB_VERSION);
		return STATUS_OK;
	}
	command = find_command(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : STATUS_USAGE;
}
