#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What strace counts of a frontend under load: with NB_QUEUE_POLL no system call at all,
# while thousands of packets are sent and received; without, many.

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

packets=20000	# at least, while strace looks on
loaded="" tracer=""

# shellcheck disable=SC2317 # called by trap
clean_up()
{
	[ -z "$tracer" ] || kill "$tracer" 2> /dev/null || :
	[ -z "$loaded" ] || kill -9 "$loaded" 2> /dev/null || :
	wait 2> /dev/null || :
	rm -rf "$dir"
}

# counter LINE COLUMN: of the frontend's queue, as nbctl shows it.
counter()
{
	nsenter -t "$loaded" -n nbctl show "$endpoint" |
		awk -v line="$1" -v column="$2" '
			found { print $column; exit }
			index($0, line) { found = 1 }'
}

# shellcheck disable=SC2317 # called by wait_until
# has_moved LINE COLUMN COUNT: whether that counter is beyond COUNT.
has_moved()
{
	[ "$(counter "$1" "$2")" -gt "$3" ]
}

# shellcheck disable=SC2317 # called by wait_until
is_traced()
{
	grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$loaded/status"
}

# start KIND [poll]: sets loaded and endpoint.
start()
{
	: > "$dir/ready"
	loaded "$@" > "$dir/ready" 2>&1 &
	loaded=$!
	wait_until "ready" grep -q '^ready' "$dir/ready"
	endpoint=$(sed -n 's/^ready //p' "$dir/ready")
}

stop()
{
	kill -9 "$loaded"
	wait "$loaded" 2> /dev/null || :
	loaded=""
}

# trace COUNT: counts the calls that are made while that many more packets are sent; sets
# calls.
trace()
{
	strace -c -o "$dir/calls" -p "$loaded" 2> "$dir/strace" &
	tracer=$!
	wait_until "strace" is_traced
	wait_until "traffic" has_moved TX: 1 $(($(counter TX: 1) + $1))
	kill -INT "$tracer"
	wait "$tracer" || :
	tracer=""
	calls=$(awk '$NF == "total" { print $4 }' "$dir/calls")
	: "${calls:=0}"
}

# without_calls KIND: whether a frontend of that kind, with a poller, makes none under load.
# A poller that finds nothing for a second sleeps, and wants a call: on a machine that stops
# for so long, the next try is as good.
without_calls()
{
	local try received

	start "$1" poll
	for try in 1 2 3 4 5; do
		received=$(counter RX: 1)
		trace "$packets"
		received=$(($(counter RX: 1) - received))
		echo "# $1: $calls calls, $packets packets sent, $received received (try $try)"
		[ "$calls" != 0 ] || break
	done
	stop
	[ "$calls" = 0 ] && { [ "$1" = null ] || [ "$received" -gt 0 ]; }
}

# with_calls KIND: whether strace counts those of a frontend without a poller.
with_calls()
{
	start "$1"
	trace 1000
	echo "# $1, without a poller: $calls calls, 1000 packets sent"
	stop
	[ "$calls" -ge 1000 ]
}

command -v strace > /dev/null || { echo "1..0 # SKIP needs strace"; exit 4; }
begin_tests 4
modprobe net_backend
for kind in null loopback netdev; do
	status=0
	without_calls "$kind" || status=$?
	result "strace_counts_no_call_of_a_loaded_frontend_on_$kind" "$status"
done
status=0
with_calls null || status=$?
result strace_counts_the_calls_of_one_without_a_poller "$status"

exit "$failed"
