/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Transmit with a poller: tx-avail, tx-done, need_wakeup, need_notify, and the end.
 *
 * Spin runs each process in program order. What a barrier forbids is therefore written
 * out: with NO_NAME defined the model may also do what stands around that barrier the
 * other way round. Each access to a shared word is a step of its own.
 *
 * Entry number i carries the value i, so that an entry that is read too early, too late
 * or half written is another value than the reader expects. A wake-up that is lost ends
 * in a state in which nobody can go on. A barrier that has a letter in the comments
 * of kmod/ and tools/lib/ is named by that; "barriers" lists all.
 */
#define SIZE	2	/* entries of each ring */
#define N	4	/* packets: every entry is used twice */
#define NONE	255

byte avail[SIZE] = NONE, avail_prod, avail_cons;
byte done[SIZE] = NONE, done_prod, done_cons;
bool need_wakeup, need_notify = true;	/* the bits for transmit */
bool failed;				/* the queue's state */

bool runs = true;	/* the poller's task state; who wakes it sets it */
bool stop;		/* kthread_should_stop() */
bool called;		/* the call eventfd is readable */

#ifdef NO_A_AVAIL
#define MAY_PUBLISH_AVAIL_EARLY	:: avail_prod = posted + 1; avail[posted % SIZE] = posted
#else
#define MAY_PUBLISH_AVAIL_EARLY
#endif
#ifdef NO_B2_AVAIL
#define MAY_WRITE_AVAIL_EARLY	:: avail[posted % SIZE] = posted
#else
#define MAY_WRITE_AVAIL_EARLY
#endif
#ifdef NO_E2
#define MAY_READ_WAKEUP_EARLY	:: kick = need_wakeup; early = true
#else
#define MAY_READ_WAKEUP_EARLY
#endif
#ifdef NO_A2_DONE
#define MAY_READ_DONE_EARLY	:: copy = done[reaped % SIZE]; early = true
#else
#define MAY_READ_DONE_EARLY
#endif
#ifdef NO_B_DONE
#define MAY_READ_DONE_LATE	:: done_cons = reaped + 1; copy = done[reaped % SIZE]
#else
#define MAY_READ_DONE_LATE
#endif
#ifdef NO_C2
#define MAY_LOOK_BEFORE_ASKING	:: seen = done_prod; need_notify = true
#else
#define MAY_LOOK_BEFORE_ASKING
#endif

/* libnb: nb_queue_tx_avail(), nb_queue_tx_poll(), and a sleep in poll() between. */
active proctype frontend()
{
	byte posted, reaped, room, seen, copy;
	bool early, kick;

	do
	:: failed || reaped == N -> break
	:: else ->
		/* post a packet, if there is room */
		if
		:: posted == N
		:: posted < N ->
			if
			MAY_WRITE_AVAIL_EARLY
			:: skip
			fi;
			room = avail_cons;			/* (B') */
			if
			:: posted - room == SIZE
			:: else ->
				early = false;
				if
				MAY_READ_WAKEUP_EARLY
				:: skip
				fi;
				if
				MAY_PUBLISH_AVAIL_EARLY
				:: avail[posted % SIZE] = posted;
				   avail_prod = posted + 1	/* (A) */
				fi;
				posted++;
				if
				:: early
				:: else -> kick = need_wakeup	/* (E') in front of it */
				fi;
				if
				:: kick -> runs = true
				:: else
				fi
			fi
		fi;

		/* reap a completion, or sleep until there is one */
		early = false;
		if
		MAY_READ_DONE_EARLY
		:: skip
		fi;
		seen = done_prod;				/* (A') */
		if
		:: seen != reaped ->
			if
			:: early -> done_cons = reaped + 1
			:: else ->
				if
				MAY_READ_DONE_LATE
				:: copy = done[reaped % SIZE];
				   done_cons = reaped + 1	/* (B) */
				fi
			fi;
			assert(copy == reaped);
			/* nothing says that the kernel waits for room in tx-done */
			if
			:: posted - reaped > SIZE -> runs = true
			:: else
			fi;
			reaped++
		:: seen == reaped && (posted == N || posted - room == SIZE) ->
			if
			MAY_LOOK_BEFORE_ASKING
			:: need_notify = true;
			   seen = done_prod			/* (C') in front of it */
			fi;
			if
			:: seen == reaped && !failed -> called; called = false
			:: else
			fi;
			need_notify = false
		:: else
		fi
	od;

	/* close: kthread_stop() */
	stop = true;
	runs = true
}

#ifdef NO_A2_AVAIL
#define MAY_READ_AVAIL_EARLY	:: copy = avail[pos % SIZE]; early = true
#else
#define MAY_READ_AVAIL_EARLY
#endif
#ifdef NO_B_AVAIL
#define MAY_READ_AVAIL_LATE	:: late = true
#else
#define MAY_READ_AVAIL_LATE
#endif
#ifdef NO_B2_DONE
#define MAY_WRITE_DONE_EARLY	:: done[pos % SIZE] = pos
#else
#define MAY_WRITE_DONE_EARLY
#endif
#ifdef NO_A_DONE
#define MAY_PUBLISH_DONE_EARLY	:: done_prod = pos + 1; done[pos % SIZE] = pos
#else
#define MAY_PUBLISH_DONE_EARLY
#endif
#ifdef NO_C
#define MAY_READ_NOTIFY_EARLY	:: notify = need_notify; knows = true
#else
#define MAY_READ_NOTIFY_EARLY
#endif
#ifdef NO_E
#define MAY_LOOK_BEFORE_SAYING	:: now_avail = avail_prod; now_done = done_cons; need_wakeup = true
#else
#define MAY_LOOK_BEFORE_SAYING
#endif

#define HAS_WORK (now_avail != last_avail || \
		  (now_done != last_done && now_avail != avail_cons))

/* kmod/poll_thread.c and what it drives. tx-avail and tx-done have the same position. */
active proctype poller()
{
	byte pos, peer, room, copy;
	byte now_avail, now_done, last_avail = NONE, last_done = NONE;
	bool early, late, notify, knows;

again:
	do
	:: stop -> goto out
	:: failed -> break
	:: else ->
		now_avail = avail_prod;
		now_done = done_cons;
		if
		:: HAS_WORK -> last_avail = now_avail; last_done = now_done
		:: else -> break
		fi;

		/* nb_queue_drive(): packet by packet; a batch does the same at once */
		do
		:: early = false; late = false; knows = false;
			if
			MAY_READ_AVAIL_EARLY
			:: skip
			fi;
			peer = avail_prod;			/* (A') */
			if
			:: peer == pos -> break
			:: else
			fi;
			if
			MAY_WRITE_DONE_EARLY
			:: skip
			fi;
			room = done_cons;			/* (B') */
			if
			:: pos - room == SIZE -> break
			:: else
			fi;
			if
			:: early
			:: else ->
				if
				MAY_READ_AVAIL_LATE
				:: copy = avail[pos % SIZE]
				fi
			fi;
			if
			MAY_READ_NOTIFY_EARLY
			:: skip
			fi;
			if
			MAY_PUBLISH_DONE_EARLY
			:: done[pos % SIZE] = pos;
			   done_prod = pos + 1			/* (A) */
			fi;
			avail_cons = pos + 1;			/* (B) */
			if
			:: late -> copy = avail[pos % SIZE]
			:: else
			fi;
			assert(copy == pos);
			pos++;
			if
			:: knows
			:: else -> notify = need_notify		/* (C) in front of it */
			fi;
			if
			:: notify -> called = true
			:: else
			fi
		od
	od;

	/* nb_poll_sleep(); and the sleep of a queue that has failed */
	runs = false;
	if
	MAY_LOOK_BEFORE_SAYING
	:: need_wakeup = true;
	   now_avail = avail_prod;				/* (E) in front of it */
	   now_done = done_cons
	fi;
	if
	:: stop
	:: !stop && !failed && HAS_WORK
	:: else -> runs
	fi;
	need_wakeup = false;
	goto again;
out:	skip
}

/* An operator or the backend ends the queue at any time, or does not. */
active proctype owner()
{
	if
	:: skip
#ifdef NO_STATE
	:: called = true; failed = true
#endif
	:: failed = true; called = true
	fi
}
