/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page of fragments that is used again when nobody refers to it any more. See
 * transmit.pml for how barriers and mutants are written.
 *
 * What can go wrong is that a fragment is written while the stack still reads it.
 */
#define FRAGS	2
#define PAGES	2	/* uses of the page */

byte content[FRAGS];	/* which use of the page it is */
byte use;
byte refs;		/* those that fragments have been given */

#ifdef NO_FRAG
#define MAY_WRITE_EARLY	:: use < PAGES -> content[0] = use + 1
#else
#define MAY_WRITE_EARLY
#endif

/* nb_frag_page_unused(), nb_frag_alloc(), and a copy into each fragment */
active proctype cpu()
{
	do
	:: use == PAGES -> break
	:: else ->
		if
		MAY_WRITE_EARLY
		:: skip
		fi;
		!refs;			/* (FRAG) behind it */
		content[0] = use + 1;
		content[1] = use + 1;
		atomic { refs = FRAGS; use++ }
	od
}

/* The stack has the fragment's packet; put_page() orders what it has read before. */
active [FRAGS] proctype stack()
{
	byte seen;

	do
	:: seen == PAGES -> break
	:: use > seen ->
		assert(content[_pid - 1] == seen + 1);
		refs--;
		seen++
	od
}
