/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What nbwire and nbvhost have in common as programs
 */
#ifndef NB_PROGRAM_H
#define NB_PROGRAM_H

/* of each program: its name, and what --help prints */
extern const char * const program_name;
extern const char * const program_usage;

/* program.c APIs: */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void bad_usage(void);
unsigned int number_option(int option, unsigned int low, unsigned int high);
_Noreturn void print_version(void);
_Noreturn void print_usage(void);
int catch_end_signals(void);
int catch_signal(int signal);

#endif /* NB_PROGRAM_H */
