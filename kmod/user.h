/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NB_USER_H
#define _NB_USER_H

#include <linux/uidgid.h>

struct nb_msg;

/**
 * nb_user_charge() - a user is going to have one endpoint more
 * @user: who
 * @msg: says why not
 *
 * Process context.
 *
 * Return: 0, -EDQUOT if the user has as many as a user may have, or -ENOMEM.
 */
int nb_user_charge(kuid_t user, struct nb_msg *msg);

/* Undo that.  Process context. */
void nb_user_uncharge(kuid_t user);

#endif /* _NB_USER_H */
