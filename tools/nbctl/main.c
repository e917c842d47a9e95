// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl: inspects net_backend
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

static int help(void)
{
	const struct command *command;

	printf("Usage: nbctl COMMAND [ARGUMENTS]\n"
	       "Inspects net_backend: what there is in this network namespace.\n\n");
	for (command = commands; command < commands + N_COMMANDS; command++)
		printf("  %s %s\n      %s\n", command->name, command->arguments,
		       command->help);
	printf("\n"
	       "  -V, --version\n      print the version and exit\n"
	       "  -h, --help\n      print this and exit\n\n"
	       "Without a command: nbctl %s\n", commands[0].name);
	return STATUS_OK;
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
	for (command = commands; command < commands + N_COMMANDS; command++) {
		if (!strcmp(argv[1], command->name))
			return command->run(argc - 1, argv + 1);
	}
	complain("unknown command '%s': try 'nbctl --help'", argv[1]);
	return STATUS_USAGE;
}
