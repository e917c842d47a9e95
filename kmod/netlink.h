/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operators' door: the generic netlink family net_backend.
 */
#ifndef _NB_NETLINK_H
#define _NB_NETLINK_H

int nb_netlink_init(void);
void nb_netlink_exit(void);

#endif /* _NB_NETLINK_H */
