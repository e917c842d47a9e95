/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Moderation: a wake-up that is held back, the timer that ends that, and a new setting.
 * See transmit.pml for how barriers and mutants are written.
 *
 * What can go wrong is that the frontend sleeps although there is something to reap: for
 * ever, or until a timer expires whose time is that of a setting which is no longer so.
 * Such a timer may be as good as never: if "late" is set no timer expires that was armed
 * for long.
 */
#define N	3	/* entries */

byte done_prod, reaped;
bool called;		/* the call eventfd is readable */
bool holds = true;	/* the setting: wake-ups are held back, for long; or they are not */
bool held;
mtype = { OFF, LONG, NOW };
mtype timer = OFF;	/* whoever arms it does so under the lock of its base */
bool late;

#ifdef NO_M2
#define MAY_READ_AGAIN_EARLY	:: again = holds; early = true
#else
#define MAY_READ_AGAIN_EARLY
#endif

/* nb_notify(), nb_moderation_holds() */
active proctype kernel()
{
	byte i;
	bool hold, again, was, early;

	do
	:: i == N -> break
	:: else ->
		i++;
		done_prod = i;
		/* (C) in front of all that follows */
		hold = holds;
		if
		/* There may be a reason to wake it at once, and may be none. */
		:: held = false;
		   called = true
		:: hold ->
			early = false;
			if
			MAY_READ_AGAIN_EARLY
			:: skip
			fi;
			atomic { was = held; held = true };
			if
			:: was
			:: else ->
				timer = LONG;
				if
				:: early
				:: else -> again = holds	/* (M') in front of it */
				fi;
				if
				:: again
				:: else -> timer = NOW
				fi
			fi
		fi
	od
}

#ifdef NO_T
#define MAY_LOOK_EARLY	:: seen = done_prod; atomic { was = held; held = false }
#else
#define MAY_LOOK_EARLY
#endif

/* nb_moderation_expire() */
active proctype expire()
{
	byte seen;
	bool was;

	if
	:: late = true
	:: skip
	fi;
end:	do
	:: timer == NOW || (timer == LONG && !late) ->
		timer = OFF;
		if
		MAY_LOOK_EARLY
		:: atomic { was = held; held = false };
		   seen = done_prod		/* (T) in front of it */
		fi;
		if
		:: was && seen != reaped -> called = true
		:: else
		fi
	od
}

#ifdef NO_M
#define MAY_LOOK_BEFORE_SETTING	:: is_held = held; holds = false
#else
#define MAY_LOOK_BEFORE_SETTING
#endif

/* nb_moderation_set_one() */
active proctype setter()
{
	bool is_held;

	if
	MAY_LOOK_BEFORE_SETTING
	:: holds = false;
	   is_held = held		/* (M) in front of it */
	fi;
	if
	:: is_held -> timer = NOW
	:: else
	fi
}

/* It always wants to be woken; and reaps by itself what it finds meanwhile. */
active proctype frontend()
{
	do
	:: reaped == N -> break
	:: done_prod != reaped -> reaped++
	:: done_prod == reaped && reaped < N -> called; called = false
	od
}
