/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An error in words, beside the errno: ioctl.c makes it and hands it out.
 */
#ifndef _NB_MSG_H
#define _NB_MSG_H

#include <linux/compiler.h>

/**
 * struct nb_msg - collects the error message of one call
 * @text: the message; the first one that is set stays
 */
struct nb_msg {
	char text[160];
};

/**
 * nb_msg() - say in words why a call fails
 * @msg: the call's message
 * @fmt: printf format, one English clause without a full stop
 *
 * Any context.
 */
__printf(2, 3) void nb_msg(struct nb_msg *msg, const char *fmt, ...);

#endif /* _NB_MSG_H */
