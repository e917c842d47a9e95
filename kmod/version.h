/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The version of everything: module, library, tools and packages. It is written here and
 * nowhere else, but for the changelog of the Debian packages, which has to agree.
 */
#ifndef NB_VERSION_H
#define NB_VERSION_H

#define NB_VERSION "0.1"

#endif
