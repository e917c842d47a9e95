/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zero-copy transmit: packets that come back to who drives the queue, or wake somebody.
 * See transmit.pml for how barriers and mutants are written.
 *
 * The skb of a packet is cloned once: each of two CPUs reads the payload and lets go of
 * it, and who is the last puts the packet's slot on the list. What can go wrong is that
 * a slot stays there and nobody looks, and that the guest writes to what is still read.
 */
#define SLOTS	2
#define N	4	/* packets: every slot is used twice */

byte payload[SLOTS];	/* the number of the packet */
byte refs[SLOTS];
bool done[SLOTS];	/* the list of what has come back */
bool free[SLOTS] = true;
byte sent, pending;
bool driven, settling;
bool tx_lock;
bool go_on;		/* the queue's thread is to: kick.pml */
bool woken;		/* who waits for something to come back */
bool over;

#define LOCK(lock)	atomic { !lock; lock = true }
#define UNLOCK(lock)	lock = false

#ifdef NO_Z
#define MAY_TAKE_EARLY		:: take(); driven = false
#else
#define MAY_TAKE_EARLY
#endif

/* llist_del_all() */
inline take()
{
	d_step {
		list[0] = done[0];
		list[1] = done[1];
		done[0] = false;
		done[1] = false
	}
}

/* __nb_zerocopy_reap(); the frontend then has the slot's buffer again. */
inline reap()
{
	if
	:: pending ->
		if
		MAY_TAKE_EARLY
		:: driven = false;
		   take()			/* (Z) in front of it */
		fi;
		n = list[0] + list[1];
		d_step {
			pending = pending - n;
			free[0] = free[0] || list[0];
			free[1] = free[1] || list[1]
		};
		if
		:: n && settling -> woken = true
		:: else
		fi
	:: else
	fi
}

/* ENTER until all is sent, then nb_zerocopy_settle() */
active proctype frontend()
{
	bool list[SLOTS];
	byte n;

	do
	:: sent == N -> break
	:: else ->
		/* It waits for a completion if it has no buffer: nothing else drives. */
		free[sent % SLOTS];
		payload[sent % SLOTS] = sent;
		LOCK(tx_lock);
		reap();
		/* nb_zerocopy_start(), of one or more packets */
		driven = true;
		do
		:: free[sent % SLOTS] = false;
		   pending++;
		   refs[sent % SLOTS] = 2;
		   sent++;
		   if
		   :: sent < N && free[sent % SLOTS] -> payload[sent % SLOTS] = sent
		   :: break
		   fi
		od;
		reap();
		UNLOCK(tx_lock)
	od;

	LOCK(tx_lock);
	do
	:: reap();
	   if
	   :: !pending -> break
	   :: else ->
		settling = true;
		UNLOCK(tx_lock);
		/* nb_zerocopy_wait(): what wakes is ordered by prepare_to_wait() */
		do
		:: woken = false;
		   if
		   :: done[0] || done[1] || !pending -> break
		   :: else -> woken
		   fi
		od;
		LOCK(tx_lock);
		settling = false
	   fi
	od;
	UNLOCK(tx_lock);
	over = true
}

/* nb_kick_go_on() */
active proctype thread()
{
	bool list[SLOTS];
	byte n;

	do
	:: go_on ->
		go_on = false;
		LOCK(tx_lock);
		reap();
		UNLOCK(tx_lock)
	:: over -> break
	od
}

#ifdef NO_Z2
#define MAY_READ_DRIVEN_EARLY	:: is_driven = driven; done[i % SLOTS] = true
#else
#define MAY_READ_DRIVEN_EARLY
#endif
#ifdef NO_Z_REF
#define MAY_LET_GO_EARLY	:: let_go(); late = true
#else
#define MAY_LET_GO_EARLY
#endif

/* refcount_dec_and_test() */
inline let_go()
{
	atomic { refs[i % SLOTS]--; last = !refs[i % SLOTS] }
}

/* nb_zerocopy_complete(), nb_zerocopy_come_back() */
active [2] proctype cpu()
{
	byte i;
	bool last, late, is_driven;

	do
	:: i < sent ->
		late = false;
		if
		MAY_LET_GO_EARLY
		:: assert(payload[i % SLOTS] == i);
		   let_go()		/* (Z_REF) in front of it */
		fi;
		if
		:: last ->
			if
			MAY_READ_DRIVEN_EARLY
			:: done[i % SLOTS] = true;
			   is_driven = driven	/* (Z') in front of it */
			fi;
			if
			:: is_driven
			:: else ->
				go_on = true;
				if
				:: settling -> woken = true
				:: else
				fi
			fi
		:: else
		fi;
		assert(!late || payload[i % SLOTS] == i);
		i++
	:: i == N -> break
	od
}
