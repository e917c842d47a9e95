/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frontends' door: /dev/net_backend.
 */
#ifndef _NB_CONTROL_H
#define _NB_CONTROL_H

int nb_control_init(void);
void nb_control_exit(void);

#endif /* _NB_CONTROL_H */
