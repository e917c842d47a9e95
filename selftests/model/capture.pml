/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A capture's buffer: a queue that transmits in batches, one that receives, and who reads.
 * See transmit.pml for how barriers and mutants are written.
 *
 * A copy has two halves, each with the packet's number: so a copy that is read half
 * written, or while it is written again, is seen. What else can go wrong is that a packet
 * is read that the backend has not taken; that one which was taken and has found room is
 * not read in the end; that the reader sleeps for ever; and that it is woken, and finds
 * neither a packet nor the place of one that was not taken.
 */
#define SIZE	3	/* entries of the buffer */
#define BATCHES	2	/* of two packets each, 0 to 3 */
#define N	5	/* packets: one is received, number 4 */

mtype = { BUSY, READY, VOID };
mtype state[SIZE] = BUSY;
byte left[SIZE] = N, right[SIZE] = N;
byte head, tail;
bool lock;
bool ended;
byte finished;		/* of tx and rx */

bool waits;		/* the reader stands in the wait queue */
bool woken;

/* Not of the capture: which packets are to be read, and how many are still. */
bool taken[N];
byte to_read;

#define LOCK(lock)	atomic { !lock; lock = true }
#define UNLOCK(lock)	lock = false

#ifdef NO_CAP_POLL2
#define MAY_LOOK_FOR_SLEEPER_EARLY(tell)	:: has = waits; tell
#else
#define MAY_LOOK_FOR_SLEEPER_EARLY(tell)
#endif

/* Say something, then nb_capture_wake(). */
#define TELL(tell) \
	if \
	MAY_LOOK_FOR_SLEEPER_EARLY(tell) \
	:: tell; \
	   has = waits		/* (CAP_POLL2) in front of it */ \
	fi; \
	if \
	:: has -> woken = true \
	:: else \
	fi

#ifdef NO_CAP_HEAD_TX
#define MAY_RESERVE_EARLY_TX	:: head = end + 1; state[end % SIZE] = BUSY
#else
#define MAY_RESERVE_EARLY_TX
#endif
#ifdef NO_CAP_READY_TX
#define MAY_TELL_EARLY_TX	:: cut != start -> TELL(state[start % SIZE] = READY); early = true
#else
#define MAY_TELL_EARLY_TX
#endif

/* nb_capture_offer(), what the backend does, nb_capture_taken() */
active proctype tx()
{
	byte batch, start, end, cut, n, room;
	byte index[2];	/* in the batch, of the packets in the entries from start on */
	bool has, early, last;

	do
	:: batch == BATCHES -> break
	:: else ->
		LOCK(lock);
		start = head;
		end = start;
		n = 0;
		do
		:: n == 2 -> break
		:: else ->
			room = tail;
			if
			:: end - room == SIZE
			:: else ->
				if
				MAY_RESERVE_EARLY_TX
				:: state[end % SIZE] = BUSY
				fi;
				index[end - start] = n;
				end++
			fi;
			n++
		od;
		head = end;			/* (CAP_HEAD_TX) */
		UNLOCK(lock);

		/* All but the first may be ready before they are copied: the first is busy. */
		if
		:: end - start == 2 ->
			state[(start + 1) % SIZE] = READY;
			left[(start + 1) % SIZE] = 2 * batch + index[1];
			right[(start + 1) % SIZE] = 2 * batch + index[1]
		:: else
		fi;
		if
		:: end != start ->
			left[start % SIZE] = 2 * batch + index[0];
			right[start % SIZE] = 2 * batch + index[0]
		:: else
		fi;

		/* The backend takes the first n packets. */
		select(n : 0 .. 2);
		d_step {
			cut = start;
			do
			:: cut != end && index[cut - start] < n ->
				taken[2 * batch + index[cut - start]] = true;
				to_read++;
				cut++
			:: else -> break
			od
		};

		early = false;
		if
		MAY_TELL_EARLY_TX
		:: skip
		fi;
		LOCK(lock);
		last = (head == end);
		if
		:: last -> head = cut; end = cut
		:: else
		fi;
		UNLOCK(lock);
		if
		:: start == end
		:: else ->
			n = (cut == start -> start + 1 : cut);
			do
			:: n == end -> break
			:: else -> state[n % SIZE] = VOID; n++
			od;
			if
			:: early
			:: else ->		/* (CAP_READY_TX) */
				TELL(state[start % SIZE] = (cut == start -> VOID : READY))
			fi
		fi;
		batch++
	od;
	finished++
}

#ifdef NO_CAP_TAIL2
#define MAY_WRITE_EARLY		:: left[start % SIZE] = id
#else
#define MAY_WRITE_EARLY
#endif
#ifdef NO_CAP_HEAD_RX
#define MAY_RESERVE_EARLY_RX	:: head = start + 1; state[start % SIZE] = BUSY
#else
#define MAY_RESERVE_EARLY_RX
#endif
#ifdef NO_CAP_READY_RX
#define MAY_TELL_EARLY_RX	:: state[start % SIZE] = READY; right[start % SIZE] = id; TELL(skip)
#else
#define MAY_TELL_EARLY_RX
#endif

/* nb_capture_rx() */
active proctype rx()
{
	byte id = 2 * BATCHES, start, room;
	bool has;

	do
	:: id == N -> break
	:: else ->
		LOCK(lock);
		start = head;
		if
		MAY_WRITE_EARLY
		:: skip
		fi;
		room = tail;			/* (CAP_TAIL2) */
		if
		:: start - room == SIZE ->
			UNLOCK(lock)
		:: else ->
			if
			MAY_RESERVE_EARLY_RX
			:: state[start % SIZE] = BUSY;
			   head = start + 1	/* (CAP_HEAD_RX) */
			fi;
			UNLOCK(lock);
			d_step { taken[id] = true; to_read++ };
			left[start % SIZE] = id;
			if
			MAY_TELL_EARLY_RX
			:: right[start % SIZE] = id;
			   TELL(state[start % SIZE] = READY)	/* (CAP_READY_RX) */
			fi
		fi;
		id++
	od;
	finished++
}

#ifdef NO_CAP_END
#define MAY_END_EARLY	:: ended = true
#else
#define MAY_END_EARLY
#endif

/* nb_capture_finish(): synchronize_rcu() waits for those who bring something. */
active proctype finish()
{
	bool patient;

	/* The end is not to be what wakes the reader for what is there. */
	if
	:: patient = true
	:: skip
	fi;
	if
	MAY_END_EARLY
	:: finished == 2;
	   !patient || !to_read;
	   ended = true			/* (CAP_END) */
	fi;
	/* The lock of the wait queue orders that, for who stands in it. */
	if
	:: waits -> woken = true
	:: else
	fi
}

#ifdef NO_CAP_POLL
#define MAY_LOOK_BEFORE_WAITING	:: look(); waits = true
#else
#define MAY_LOOK_BEFORE_WAITING
#endif
#ifdef NO_CAP_LOOK
#define MAY_LOOK_AT_STATE_EARLY	:: busy = (state[tail % SIZE] == BUSY); \
				   some = (tail != head && !busy)
#else
#define MAY_LOOK_AT_STATE_EARLY
#endif

/* What nb_capture_poll() looks at: in any order */
inline look()
{
	if
	:: end = ended
	:: skip
	fi;
	if
	MAY_LOOK_AT_STATE_EARLY
	:: some = (tail != head);	/* (CAP_LOOK) */
	   if
	   :: some -> some = (state[tail % SIZE] != BUSY)
	   :: else
	   fi
	fi;
	end = end || ended
}

#ifdef NO_CAP_HEAD2
#define MAY_READ_STATE_EARLY	:: now = state[tail % SIZE]; early = true
#else
#define MAY_READ_STATE_EARLY
#endif
#ifdef NO_CAP_READY2
#define MAY_READ_COPY_EARLY	:: id = left[tail % SIZE]; knows = true
#else
#define MAY_READ_COPY_EARLY
#endif
#ifdef NO_CAP_TAIL
#define MAY_READ_COPY_LATE	:: tail++; assert(right[(tail - 1) % SIZE] == id)
#else
#define MAY_READ_COPY_LATE
#endif
#ifdef NO_CAP_END2
#define MAY_READ_END_LATE	:: take(); end = ended
#else
#define MAY_READ_END_LATE
#endif

/* nb_capture_take(), nb_capture_next() */
inline take()
{
	do
	:: early = false;
		if
		MAY_READ_STATE_EARLY
		:: skip
		fi;
		if
		:: tail == head -> break	/* (CAP_HEAD2) */
		:: else
		fi;
		knows = false;
		if
		MAY_READ_COPY_EARLY
		:: skip
		fi;
		if
		:: early
		:: else -> now = state[tail % SIZE]	/* (CAP_READY2) */
		fi;
		if
		:: now == BUSY -> break
		:: now == VOID -> some = false; tail++
		:: now == READY ->
			some = false;
			if
			:: knows
			:: else -> id = left[tail % SIZE]
			fi;
			assert(id < N && taken[id]);
			d_step { taken[id] = false; to_read-- };
			if
			MAY_READ_COPY_LATE
			:: assert(right[tail % SIZE] == id);
			   tail++			/* (CAP_TAIL) */
			fi
		fi
	od;
	/* Who was told that there is something has found something. */
	assert(!some)
}

/* nb_capture_poll(), then nb_capture_read() */
active proctype reader()
{
	mtype now;
	byte id;
	bool end, some, busy, early, knows;

	do
	:: end = false;
		if
		MAY_LOOK_BEFORE_WAITING
		:: waits = true;
		   look()			/* (CAP_POLL) in front of it */
		fi;
		if
		:: end || some
		:: else -> woken
		fi;
		waits = false;
		woken = false;
		if
		MAY_READ_END_LATE
		:: end = ended;
		   take()			/* (CAP_END2) in front of it */
		fi;
		if
		:: end -> break
		:: else
		fi
	od;

	/* So much for the end: there was nothing more. */
	finished == 2;
	assert(!to_read)
}
