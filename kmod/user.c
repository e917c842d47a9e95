// SPDX-License-Identifier: GPL-2.0
/*
 * How many endpoints a user has, of which there is a limit.
 *
 * Owns the table of users: the number of endpoints by the uid, as the initial user namespace has
 * it, of who made them.  So users of a container count as who they are outside.  A user without
 * endpoints is not in it.
 *
 * nb_users_mutex: the table; no other lock of the module is taken under it.  Process context.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include "msg.h"
#include "user.h"

static DEFINE_MUTEX(nb_users_mutex);
static DEFINE_XARRAY(nb_users);

static unsigned int endpoints_per_user = 4096;
module_param(endpoints_per_user, uint, 0644);
MODULE_PARM_DESC(endpoints_per_user,
		 "most endpoints of a user, unless with CAP_SYS_RESOURCE (4096)");

/* The number of a user's endpoints; an entry that is there is replaced without an allocation. */
static int nb_user_set(kuid_t user, unsigned long n)
{
	lockdep_assert_held(&nb_users_mutex);
	if (!n) {
		xa_erase(&nb_users, __kuid_val(user));
		return 0;
	}
	return xa_err(xa_store(&nb_users, __kuid_val(user), xa_mk_value(n), GFP_KERNEL_ACCOUNT));
}

static unsigned long nb_user_endpoints(kuid_t user)
{
	void *entry = xa_load(&nb_users, __kuid_val(user));

	return entry ? xa_to_value(entry) : 0;
}

int nb_user_charge(kuid_t user, struct nb_msg *msg)
{
	unsigned int limit = READ_ONCE(endpoints_per_user);
	unsigned long n;
	int err;

	mutex_lock(&nb_users_mutex);
	n = nb_user_endpoints(user);
	if (n < limit || capable(CAP_SYS_RESOURCE)) {
		err = nb_user_set(user, n + 1);
	} else {
		nb_msg(msg, "the user has %lu endpoints; module parameter endpoints_per_user is %u",
		       n, limit);
		err = -EDQUOT;
	}
	mutex_unlock(&nb_users_mutex);
	return err;
}

void nb_user_uncharge(kuid_t user)
{
	mutex_lock(&nb_users_mutex);
	nb_user_set(user, nb_user_endpoints(user) - 1);
	mutex_unlock(&nb_users_mutex);
}
