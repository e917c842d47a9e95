/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind attach: what may be on its way, and going on when that is less. See transmit.pml
 * for how barriers and mutants are written.
 *
 * What can go wrong is that packets stay in tx-avail although nothing is on its way any
 * more: then nobody comes to send them.
 */
#define N	5	/* packets */
#define MANY	2	/* so many on their way are enough */
#define FEW	(MANY / 2)

byte sent, ended;
byte bytes;		/* on their way: one a packet */
bool waits;
bool pending;		/* the queue's thread is to go on: kick.pml */

#ifdef NO_W
#define MAY_LOOK_BEFORE_WAITING	:: now = bytes; waits = true
#else
#define MAY_LOOK_BEFORE_WAITING
#endif

/* nb_queue_drive() under the queue's lock: ENTER, then the thread. */
active proctype sender()
{
	byte now;

	do
	:: sent == N -> break
	:: else ->
		/* nb_attach_may_send() */
		now = bytes;
		if
		:: now < MANY
		:: else ->
			if
			MAY_LOOK_BEFORE_WAITING
			:: waits = true;
			   now = bytes		/* (W) in front of it */
			fi;
			if
			:: now <= FEW
			/* What stays is blocked. Nothing is pending while the thread drives. */
			:: else -> pending; pending = false; goto again
			fi
		fi;
		bytes++;
		sent++;
again:		skip
	od
}

#ifdef NO_W2
#define MAY_READ_WAITS_EARLY	:: was = waits; bytes--; few = (bytes <= FEW)
#else
#define MAY_READ_WAITS_EARLY
#endif

/* sock_wfree(), nb_attach_write_space(): two CPUs on which packets end */
active [2] proctype end()
{
	bool was, few;

	do
	:: atomic { ended < N && ended < sent -> ended++ };
		was = false;
		if
		MAY_READ_WAITS_EARLY
		:: bytes--;
		   few = (bytes <= FEW);
		   if
		   :: few -> was = waits	/* (W') in front of it */
		   :: else
		   fi
		fi;
		if
		:: few && was ->
			waits = false;
			pending = true
		:: else
		fi
	:: ended == N -> break
	od
}
