/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A queue that is quiesced, restored and resumed, while its backend may have a packet. See
 * transmit.pml for how barriers and mutants are written.
 *
 * The backend asks for the state under what serialises its receive side, and the queue is
 * quiesced under that; it is resumed without. What can go wrong is that the backend uses
 * a ring that is not yet, or only half restored.
 */
mtype = { RUNNING, QUIESCED };
mtype state = RUNNING;
byte pos, peer;		/* of a ring: what is restored */
bool rx_lock;

#define LOCK(lock)	atomic { !lock; lock = true }
#define UNLOCK(lock)	lock = false

#ifdef NO_Q
#define MAY_RESUME_EARLY	:: state = RUNNING; pos = 1; peer = 1
#else
#define MAY_RESUME_EARLY
#endif

/* nb_queue_quiesce(), nb_queue_restore(), nb_queue_resume() */
active proctype migration()
{
	LOCK(rx_lock);
	state = QUIESCED;
	UNLOCK(rx_lock);
	if
	MAY_RESUME_EARLY
	:: pos = 1;
	   peer = 1;
	   state = RUNNING	/* (Q) in front of it */
	fi
}

#ifdef NO_Q2
#define MAY_READ_RING_EARLY	:: copy = pos; early = true
#else
#define MAY_READ_RING_EARLY
#endif

/* A kind's receive side: nb_queue_check(), then the ring */
active proctype backend()
{
	byte copy;
	bool early;

end:	do
	:: LOCK(rx_lock);
		early = false;
		if
		MAY_READ_RING_EARLY
		:: skip
		fi;
		if
		:: state == RUNNING ->
			if
			:: early
			:: else -> copy = pos	/* (Q') in front of it */
			fi;
			assert(copy == peer)
		:: else
		fi;
		UNLOCK(rx_lock)
	od
}
