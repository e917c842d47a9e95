/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The n-th allocation or copy that this thread causes in the kernel fails, see the kernel's
 * Documentation/fault-injection/fault-injection.rst.
 */
#ifndef NBFAILNTH_H
#define NBFAILNTH_H

#include <stdbool.h>

/* Makes this thread ready, anew after fork(); NULL, or why this kernel cannot do it. */
const char *nb_failnth_open(void);

/* The @n-th, from 1, fails from now on, once. */
void nb_failnth_arm(unsigned int n);

/* None fails any more. How many more it would have taken until one fails: 0 if one has. */
unsigned int nb_failnth_disarm(void);

/* From now on each allocation of this thread fails, but no copy; or none any more. */
void nb_failnth_all(bool fail);

#endif /* NBFAILNTH_H */
