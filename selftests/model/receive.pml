/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive: the host waits for buffers, with a poller (POLLER defined) and without.
 *
 * How barriers and mutants are written is told in transmit.pml, which also has the
 * barriers of the rings themselves; here the rings are in order. What can go wrong is
 * that the host waits although there are buffers and nobody will tell it, and that a
 * buffer is used by both sides.
 */
#define SIZE	2	/* entries of each ring, and buffers */
#define N	4	/* packets */

byte avail[SIZE], avail_prod;
byte done[SIZE], done_prod;
byte content[SIZE];
bool with_kernel[SIZE];	/* whose buffer it is, by what the rings have said */
bool need_wakeup, need_notify = true;	/* the bits for receive */

bool tx_lock, xmit_lock;
byte pos;		/* of rx-avail and rx-done, under xmit_lock */
bool stopped;		/* the device queue */
bool called, runs = true, stop;

#ifdef POLLER
bool rx_wanted, asleep;
#else
#define rx_wanted need_wakeup
#endif

#define LOCK(lock)	atomic { !lock; lock = true }
#define UNLOCK(lock)	lock = false

/* nb_rx_unwant() */
inline unwant()
{
	rx_wanted = false;
#ifdef POLLER
	need_wakeup = false
#endif
}

/* nb_netdev_rx_avail(), which has read rx_wanted. */
inline rx_avail(wants)
{
	if
	:: wants ->
		LOCK(xmit_lock);
		if
		:: avail_prod != pos -> unwant(); stopped = false
		:: else
		fi;
		UNLOCK(xmit_lock)
	:: else
	fi
}

/* nb_queue_drive() with NB_ENTER_RX */
inline drive()
{
	LOCK(tx_lock);
	rx_avail(rx_wanted);
	UNLOCK(tx_lock)
}

#ifdef NO_G
#define MAY_LOOK_BEFORE_WANTING	:: there = (avail_prod != pos); want()
#else
#define MAY_LOOK_BEFORE_WANTING
#endif
#ifdef NO_F2
#define MAY_READ_ASLEEP_EARLY	:: was_asleep = asleep; rx_wanted = true
#else
#define MAY_READ_ASLEEP_EARLY
#endif

/* nb_rx_want() */
inline want()
{
#ifdef POLLER
	if
	MAY_READ_ASLEEP_EARLY
	:: rx_wanted = true;
	   was_asleep = asleep			/* (F') in front of it */
	fi;
	if
	:: was_asleep -> need_wakeup = true
	:: else
	fi
#else
	rx_wanted = true
#endif
}

/* nb_netdev_start_xmit(), nb_rx_peek(), nb_rx_wait(), nb_rx_flush() */
active proctype host()
{
	byte sent, id;
	bool there, was_asleep;

	do
	:: sent == N -> break
	:: else ->
		LOCK(xmit_lock);
		there = (avail_prod != pos);
		if
		:: there
		:: else ->
			if
			MAY_LOOK_BEFORE_WANTING
			:: want();
			   there = (avail_prod != pos)	/* (G) in front of it */
			fi;
			if
			:: there -> unwant()
			:: else -> stopped = true
			fi
		fi;
		if
		:: there ->
			id = avail[pos % SIZE];
			assert(with_kernel[id]);
			content[id] = sent;
			with_kernel[id] = false;
			done[pos % SIZE] = id;
			pos++;
			done_prod = pos;
			sent++;
			if
			:: need_notify -> called = true	/* (C) in front of it */
			:: else
			fi
		:: else
		fi;
		UNLOCK(xmit_lock);
		!stopped
	od
}

#ifdef NO_E2
#define MAY_READ_WAKEUP_EARLY	:: enter = need_wakeup; avail_prod = posted + 1
#else
#define MAY_READ_WAKEUP_EARLY
#endif

/* nb_queue_rx_avail() and nb_queue_rx_poll(): each buffer is posted again when it is reaped. */
active proctype frontend()
{
	byte posted, reaped, id;
	bool enter;

	do
	:: posted - reaped < SIZE && posted < N ->
		id = posted % SIZE;
		assert(!with_kernel[id]);
		with_kernel[id] = true;
		avail[posted % SIZE] = id;
		if
		MAY_READ_WAKEUP_EARLY
		:: avail_prod = posted + 1;
		   enter = need_wakeup			/* (E') in front of it */
		fi;
		posted++;
		if
		:: enter ->
			drive();
#ifdef POLLER
			if
			:: asleep -> runs = true
			:: else
			fi
#endif
		:: else
		fi
	:: done_prod != reaped ->
		id = done[reaped % SIZE];
		assert(!with_kernel[id] && content[id] == reaped);
		reaped++
	:: reaped == N -> break
	:: posted - reaped == SIZE || posted == N ->
		need_notify = true;
		if
		:: done_prod == reaped && reaped < N -> called; called = false
		:: else				/* (C') in front of it */
		fi;
		need_notify = false
	od;
	stop = true;
	runs = true
}

#ifdef POLLER

#ifdef NO_F
#define MAY_READ_WANTED_EARLY	:: wanted = rx_wanted; asleep = true
#else
#define MAY_READ_WANTED_EARLY
#endif
#ifdef NO_E
#define MAY_LOOK_BEFORE_SAYING	:: look(); if :: wanted -> need_wakeup = true :: else fi
#else
#define MAY_LOOK_BEFORE_SAYING
#endif
#ifdef NO_P
#define MAY_READ_WANTED_BEFORE	:: wanted = rx_wanted; now = avail_prod; last = now; \
				   LOCK(tx_lock); rx_avail(wanted); UNLOCK(tx_lock); goto again
#else
#define MAY_READ_WANTED_BEFORE
#endif
/* nb_poll_look() and nb_poll_has_work(), which read these two in any order. */
inline look()
{
	if
	:: work = rx_wanted; now = avail_prod; work = work && now != last
	:: now = avail_prod; work = (now != last && rx_wanted)
	fi
}

active proctype poller()
{
	byte now, last;
	bool work, wanted;

again:
	do
	:: stop -> break
	:: else ->
		if
		:: look()
		/* there is something to transmit: (P) in front of what drive() reads */
		:: now = avail_prod; work = true
		MAY_READ_WANTED_BEFORE
		fi;
		if
		:: work -> last = now; drive()
		:: else ->
			runs = false;
			if
			MAY_READ_WANTED_EARLY
			:: asleep = true;
			   wanted = rx_wanted		/* (F) in front of it */
			fi;
			if
			MAY_LOOK_BEFORE_SAYING
			:: if
			   :: wanted -> need_wakeup = true
			   :: else
			   fi;
			   look()			/* (E) in front of it */
			fi;
			if
			:: work || stop
			:: else -> runs
			fi;
			/* in any order */
			if
			:: asleep = false; need_wakeup = false
			:: need_wakeup = false; asleep = false
			fi
		fi
	od
}

#endif
