// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Why a call failed: one line of text a thread
 *
 * Owns the line that nb_error() returns.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

static __thread char line[NB_ERROR_SIZE];
/* the line above, or a constant one */
static __thread const char *reason;

const char *nb_error(void)
{
	return reason ? reason : "";
}

/* Remember a constant line of text; returns -err. */
int nb_fail_text(int err, const char *text)
{
	reason = text;
	return -err;
}

/* Remember a line of text; returns -err. */
int nb_fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	reason = line;
	return -err;
}

/*
 * Call an ioctl whose struct @arg has the message @msg, and is to do @what.  Returns
 * what it returns, or a negative errno, with the kernel's own words if it has some.
 */
int nb_ioctl(int fd, unsigned long request, void *arg, struct nb_message *msg,
	     const char *what)
{
	char text[NB_ERROR_SIZE] = "";
	int err, ret;

	msg->text = (uintptr_t)text;
	msg->size = sizeof(text);
	msg->reserved = 0;
	ret = ioctl(fd, request, arg);
	err = errno;
	msg->text = 0;
	msg->size = 0;
	if (ret >= 0)
		return ret;

	text[sizeof(text) - 1] = '\0';
	if (text[0])
		return nb_fail(err, "%s", text);
	return nb_fail(err, "cannot %s: %s", what, strerror(err));
}
