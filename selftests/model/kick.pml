/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kicks: a thread that works off what others tell it of, and sleeps between. See
 * transmit.pml for how barriers and mutants are written.
 *
 * What it is told by is one word, &nb_queue.kicked or &nb_queue.go_on: here "kicked".
 * Two kick at once: who finds that somebody else has just kicked leaves the wake-up to
 * that one. wake_up_process() orders by itself what was written before it and the
 * thread's state. What can go wrong is that an entry is there and the thread sleeps.
 */
#define N	2	/* entries of each of the two */
#define ALL	(2 * N)

byte prod[2];	/* the indices of tx-avail and rx-avail */
byte taken[2];	/* up to where the thread has driven the queue */
bool kicked;
bool runs = true;	/* the thread's state; who wakes it sets it */
bool stop;		/* kthread_should_stop() */

#ifdef NO_K2
#define MAY_KICK_EARLY	:: atomic { was = kicked; kicked = true }; prod[me] = prod[me] + 1
#else
#define MAY_KICK_EARLY
#endif

/* Post an entry, write to the eventfd: nb_kick(). */
proctype frontend(bit me)
{
	byte posted;
	bool was;

	do
	:: posted == N -> break
	:: else ->
		if
		MAY_KICK_EARLY
		:: prod[me] = prod[me] + 1;
		   atomic { was = kicked; kicked = true }	/* (K') between the two */
		fi;
		posted++;
		if
		:: was
		:: else -> runs = true
		fi
	od;
	/* Nothing more comes that would wake the thread. */
	taken[me] == N
}

#ifdef NO_K
#define MAY_LOOK_EARLY	:: now[0] = prod[0]; now[1] = prod[1]; kicked = false
#else
#define MAY_LOOK_EARLY
#endif
#ifdef NO_SLEEP
#define MAY_LOOK_AWAKE	:: has_to_run = kicked || stop; runs = false
#else
#define MAY_LOOK_AWAKE
#endif

/* nb_kick_thread() */
active proctype thread()
{
	byte now[2];
	bool has_to_run;

	do
	:: stop -> break
	:: else ->
		if
		MAY_LOOK_AWAKE
		:: runs = false;		/* set_current_state() */
		   has_to_run = kicked || stop
		fi;
		if
		:: has_to_run
		:: else -> runs
		fi;
		runs = true;
		if
		:: kicked ->
			if
			MAY_LOOK_EARLY
			:: kicked = false;
			   now[0] = prod[0];	/* (K) in front of these */
			   now[1] = prod[1]
			fi;
			taken[1] = now[1];
			/* nb_kick_run() takes a ring's worth, here one, and kicks itself. */
			if
			:: now[0] > taken[0] + 1 ->
				taken[0]++;
				kicked = true
			:: else -> taken[0] = now[0]
			fi
		:: else
		fi
	od
}

/* kthread_stop(), when nothing is left to do */
init
{
	atomic { run frontend(0); run frontend(1) };
	taken[0] + taken[1] == ALL;
	stop = true;
	runs = true
}
