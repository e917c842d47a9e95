/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nbshare: who stands beside a guest
 */
#ifndef BENCH_SHARE_H
#define BENCH_SHARE_H

/**
 * struct share_rival - a process that wants the CPU for itself
 * @name: what it does, as in "beside one that …"
 * @run: does it, and counts its turns; does not return
 * @at_least: what a guest moves beside it, of what it moves beside the first
 */
struct share_rival {
	const char *name;
	void (*run)(void);
	double at_least;
};

/* The first one only spins: what the others are held against. */
extern const struct share_rival share_rivals[];
extern const unsigned int n_share_rivals;

/* How often the rival has done it: in memory that it shares with who looks at it. */
extern unsigned long *share_turns;

#endif /* BENCH_SHARE_H */
