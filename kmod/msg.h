/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An error in words, beside the errno: ioctl.c makes it and hands it out.
 */
#ifndef _NB_MSG_H
#define _NB_MSG_H

#include <linux/compiler.h>

/**
 * enum nb_msg_about - what of a new backend is wrong
 * @NB_ABOUT_OTHER: none of the following
 * @NB_ABOUT_NAME: its name
 * @NB_ABOUT_MTU: its MTU
 * @NB_ABOUT_PARAMS: its kind's own params
 */
enum nb_msg_about {
	NB_ABOUT_OTHER,
	NB_ABOUT_NAME,
	NB_ABOUT_MTU,
	NB_ABOUT_PARAMS,
};

/**
 * struct nb_msg - collects the error message of one call
 * @text: the message; the first one that is set stays
 * @about: what it is about, for those whose answer can name that
 */
struct nb_msg {
	char text[160];
	enum nb_msg_about about;
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
