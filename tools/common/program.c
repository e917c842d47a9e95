// SPDX-License-Identifier: GPL-2.0
/*
 * A program: how it tells mistakes, its numbers, its version, and the signals that end it
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "program.h"
#include "spec.h"

#define EXIT_USAGE	2

/* A line that no other thread writes into, and that is not kept back. */
static void __attribute__((format(printf, 2, 0))) put_line(FILE *to, const char *format,
							   va_list args)
{
	flockfile(to);
	fprintf(to, "%s: ", program_name);
	vfprintf(to, format, args);
	fputc('\n', to);
	fflush(to);
	funlockfile(to);
}

/* Say on stdout, in one line, what has happened. */
void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(stdout, format, args);
	va_end(args);
}

/* Say on stderr, in one line, what is wrong. */
void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(stderr, format, args);
	va_end(args);
}

/* End; what is wrong with the command line was said. */
void bad_usage(void)
{
	fprintf(stderr, "Try '%s --help'.\n", program_name);
	exit(EXIT_USAGE);
}

/* The argument of an option, as getopt() has it; ends the program if it is no such number. */
unsigned int number_option(int option, unsigned int low, unsigned int high)
{
	unsigned int number;

	if (!spec_number(optarg, low, high, &number))
		return number;
	complain("-%c '%s' must be a number from %u to %u", option, optarg, low, high);
	bad_usage();
}

void print_version(void)
{
	printf("%s %s\n", program_name, NB_VERSION);
	exit(EXIT_SUCCESS);
}

void print_usage(void)
{
	fputs(program_usage, stdout);
	exit(EXIT_SUCCESS);
}

static int catch(const sigset_t *signals)
{
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	return signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* From now on, SIGINT and SIGTERM are read from the fd that is returned; -1: there is none. */
int catch_end_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	return catch(&signals);
}

/* The same of another signal. */
int catch_signal(int signal)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, signal);
	return catch(&signals);
}
