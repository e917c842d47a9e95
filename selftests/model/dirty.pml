/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The dirty log: a page that the kernel writes while its bit is harvested and the page
 * copied. See transmit.pml for how barriers and mutants are written.
 */
#define WRITES	3

byte page;	/* guest memory: the number of the last write */
bool marked;
bool quiesced;

#ifdef NO_D
#define MAY_MARK_EARLY	:: marked = true; page = i
#else
#define MAY_MARK_EARLY
#endif

/* nb_rx_post(), nb_rx_log() */
active proctype writer()
{
	byte i = 1;

	do
	:: i > WRITES -> break
	:: else ->
		if
		MAY_MARK_EARLY
		:: page = i;
		   marked = true			/* (D) in front of it */
		fi;
		i++
	od;
	quiesced = true
}

#ifdef NO_D2
#define MAY_COPY_EARLY	:: next = page; atomic { was = marked; marked = false }
#else
#define MAY_COPY_EARLY
#endif

/* nb_memory_harvest_dirty(), and the copy of what it returns */
active proctype migration()
{
	byte copy, next;
	bool was, last;

	do
	:: last = quiesced;
		if
		MAY_COPY_EARLY
		:: atomic { was = marked; marked = false };
		   next = page			/* (D') in front of it */
		fi;
		if
		:: was -> copy = next
		:: else
		fi;
		if
		:: last -> break
		:: else
		fi
	od;
	assert(copy == page)
}
