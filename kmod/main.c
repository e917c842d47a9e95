// SPDX-License-Identifier: GPL-2.0
/*
 * Registers the parts, the doors last; unregisters them in the reverse order.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "control.h"
#include "endpoint.h"
#include "event.h"
#include "frags.h"
#include "kind.h"
#include "netlink.h"
#include "queue.h"
#include "version.h"

static struct nb_endpoint_ops * const nb_own_kinds[] = {
	&nb_null_ops, &nb_loopback_ops, &nb_netdev_ops, &nb_attach_ops, &nb_switch_ops,
};

static void nb_kinds_exit(unsigned int n)
{
	while (n--)
		nb_unregister_kind(nb_own_kinds[n]);
}

static int __init nb_kinds_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(nb_own_kinds); i++) {
		err = nb_register_kind(nb_own_kinds[i]);
		if (err) {
			nb_kinds_exit(i);
			return err;
		}
	}
	return 0;
}

static int __init nb_init(void)
{
	int err;

	err = nb_event_module_init();
	if (err)
		return err;
	err = nb_connect_module_init();
	if (err)
		goto err_event;
	err = nb_netdev_init();
	if (err)
		goto err_connect;
	err = nb_attach_init();
	if (err)
		goto err_netdev;
	err = nb_kinds_init();
	if (err)
		goto err_attach;
	err = nb_netlink_init();
	if (err)
		goto err_kinds;
	err = nb_control_init();
	if (err)
		goto err_netlink;
	return 0;

err_netlink:
	nb_netlink_exit();
err_kinds:
	nb_kinds_exit(ARRAY_SIZE(nb_own_kinds));
err_attach:
	nb_attach_exit();
err_netdev:
	nb_netdev_exit();
err_connect:
	nb_connect_module_exit();
err_event:
	nb_event_module_exit();
	return err;
}

static void __exit nb_exit(void)
{
	nb_control_exit();
	nb_netlink_exit();
	nb_kind_load_exit();
	nb_kinds_exit(ARRAY_SIZE(nb_own_kinds));
	nb_attach_exit();
	nb_netdev_exit();
	nb_connect_module_exit();
	nb_event_module_exit();
	nb_frags_exit();
	/* Maps of memories of queues that went just now. */
	rcu_barrier();
	/* Who was preempted in nb_zerocopy_complete(), behind its RCU read section. */
	synchronize_rcu_tasks();
}

module_init(nb_init);
module_exit(nb_exit);

MODULE_DESCRIPTION("The host half of a virtual NIC, for any VMM and any NIC model");
MODULE_VERSION(NB_VERSION);
MODULE_LICENSE("GPL");
