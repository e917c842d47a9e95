// SPDX-License-Identifier: GPL-2.0
/*
 * Kind attach, which frames the network interface receives for the guest: all, or those
 * for its address and its groups.
 *
 * What is asked of the interface is counted there, so that it can be taken back exactly,
 * whatever others ask for.  Owns struct nb_attach_groups.  Under rtnl_lock, but for
 * nb_attach_hears().
 */
#include <linux/bsearch.h>
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "attach.h"

static int nb_attach_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

struct nb_attach_groups *nb_attach_groups_create(const struct nb_multicast *list,
						 unsigned int n, bool all)
{
	struct nb_attach_groups *groups;
	unsigned int i;

	groups = kzalloc(struct_size(groups, group, n), GFP_KERNEL_ACCOUNT);
	if (!groups)
		return NULL;
	groups->all = all;
	groups->n = n;
	for (i = 0; i < n; i++)
		groups->group[i] = ether_addr_to_u64(list[i].mac);
	sort(groups->group, n, sizeof(groups->group[0]), nb_attach_compare, NULL);
	return groups;
}

bool nb_attach_hears(const struct nb_attach *at, const u8 *group)
{
	const struct nb_attach_groups *groups = rcu_dereference(at->groups);
	u64 mac = ether_addr_to_u64(group);

	return groups->all || is_broadcast_ether_addr(group) ||
	       bsearch(&mac, groups->group, groups->n, sizeof(mac), nb_attach_compare);
}

static void nb_attach_leave(struct net_device *dev, const struct nb_attach_groups *groups,
			    unsigned int n)
{
	u8 mac[ETH_ALEN];

	while (n--) {
		u64_to_ether_addr(groups->group[n], mac);
		dev_mc_del(dev, mac);
	}
}

static int nb_attach_join(struct net_device *dev, const struct nb_attach_groups *groups)
{
	u8 mac[ETH_ALEN];
	unsigned int i;
	int err;

	if (groups->all)
		return dev_set_allmulti(dev, 1);
	for (i = 0; i < groups->n; i++) {
		u64_to_ether_addr(groups->group[i], mac);
		err = dev_mc_add(dev, mac);
		if (err) {
			nb_attach_leave(dev, groups, i);
			return err;
		}
	}
	return 0;
}

static void nb_attach_leave_all(struct net_device *dev,
				const struct nb_attach_groups *groups)
{
	if (groups->all)
		dev_set_allmulti(dev, -1);
	else
		nb_attach_leave(dev, groups, groups->n);
}

int nb_attach_listen(struct nb_attach *at, struct net_device *dev)
{
	u8 mac[ETH_ALEN];
	int err;

	ASSERT_RTNL();
	if (at->promiscuous)
		return dev_set_promiscuity(dev, 1);
	u64_to_ether_addr(at->mac, mac);
	err = dev_uc_add(dev, mac);
	if (err)
		return err;
	err = nb_attach_join(dev, rtnl_dereference(at->groups));
	if (err)
		dev_uc_del(dev, mac);
	return err;
}

void nb_attach_unlisten(struct nb_attach *at, struct net_device *dev)
{
	u8 mac[ETH_ALEN];

	ASSERT_RTNL();
	if (at->promiscuous) {
		dev_set_promiscuity(dev, -1);
		return;
	}
	u64_to_ether_addr(at->mac, mac);
	nb_attach_leave_all(dev, rtnl_dereference(at->groups));
	dev_uc_del(dev, mac);
}

int nb_attach_exchange_groups(struct nb_attach *at, struct net_device *dev,
			      struct nb_attach_groups *groups)
{
	struct nb_attach_groups *old = rtnl_dereference(at->groups);
	bool joins = dev && !at->promiscuous;
	int err;

	/* First the new ones, so that what is in both lists is never missed. */
	err = joins ? nb_attach_join(dev, groups) : 0;
	if (err)
		return err;
	rcu_assign_pointer(at->groups, groups);
	if (joins)
		nb_attach_leave_all(dev, old);
	kfree_rcu(old, rcu);
	return 0;
}
