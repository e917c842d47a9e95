#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Documentation/tracing.rst says what is so: of events, of reasons, and the commands for
# bpftrace in it print what happens. They run at once, since it takes its time to begin, while
# nbwire joins two interfaces:
#
#	left nb0 ── nbwire ── nb0 right		ping, then an operator's nbctl

# Much is called by claim.
# shellcheck disable=SC2317

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=wire_lib.sh
. ./wire_lib.sh

page=tracing.rst
events=/sys/kernel/tracing/events/net_backend
tracer=""

# ---- the page -------------------------------------------------------------

# "EVENT FIELD" of each field of each event.
kernel_events()
{
	awk '/^name:/ { event = $2 }
	     /^\tfield:/ && !/common_/ {
		sub(/(\[[0-9]*\])?;.*/, "")
		print event, $NF
	     }' "$events"/*/format | sort
}

# A line as ``EVENT``, ``EVENT``: ``FIELD``, ``FIELD``
page_events()
{
	awk -F '``' '/^``nb_/ {
		n = 0
		for (i = 2; i <= NF; i += 2)
			if ($i ~ /^nb_/)
				event[++n] = $i
			else
				for (k = 1; k <= n; k++)
					print event[k], $i
	     }' "$page" | sort
}

# "NUMBER NAME" of each reason.
kernel_reasons()
{
	sed -n 's/.*REC->reason, \(.*\)), REC->packets.*/\1/p' "$events/nb_drop/format" |
		grep -o '{ [0-9]*, "[A-Z_]*" }' | sed 's/[{}",]//g; s/^ *//; s/ *$//'
}

page_reasons()
{
	# shellcheck disable=SC2016 # quotes of reStructuredText
	sed -n 's/^\([0-9]\+\) *``\([A-Z_]*\)``.*/\1 \2/p' "$page"
}

# same COMMAND COMMAND: whether both say the same, and something.
same()
{
	"$1" > "$dir/$1"
	"$2" > "$dir/$2"
	[ -s "$dir/$1" ] && diff "$dir/$1" "$dir/$2" | sed 's/^/# /'
}

# ---- its commands ---------------------------------------------------------

# The program of each command, one a file: $dir/N.bt.
extract()
{
	awk -v dir="$dir" "
		/^ +bpftrace -e '/ { inside = 1; n++; sub(/.*bpftrace -e '/, \"\") }
		inside { end = sub(/'\$/, \"\"); print > (dir \"/\" n \".bt\") }
		end { inside = 0; end = 0 }" "$page"
}

# Maps of more than one command: none lives on what another one notes.
shared_maps()
{
	grep -o '@[a-z_]*' "$dir"/*.bt | sort -u | cut -d: -f2 | sort | uniq -d
}

# Begins with all of them; the last probe of all says that the others are there.
start_tracing()
{
	local end=$((SECONDS + patience))

	cat "$dir"/*.bt > "$dir/all"
	printf '%s\n' 'interval:ms:100 { printf("ready\n"); }' >> "$dir/all"
	bpftrace -f json -B line "$dir/all" > "$dir/out" 2> "$dir/err" &
	tracer=$!
	# It takes seconds, in which it needs the CPUs for itself.
	until grep -q ready "$dir/out"; do
		if ! kill -0 "$tracer" 2> /dev/null || [ "$SECONDS" -gt "$end" ]; then
			die "bpftrace: $(cat "$dir/err")"
		fi
		sleep 0.3
	done
}

stop_tracing()
{
	kill -INT "$tracer"
	wait "$tracer" || die "bpftrace: $(cat "$dir/err")"
	tracer=""
}

# value FILTER: of jq, to all that bpftrace has printed, as one array.
value()
{
	jq -rs "$1" "$dir/out"
}

# sum TYPE MAP KEYS: of what the map says of keys that begin so.
sum()
{
	value "[.[] | select(.type == \"$1\") | .data[\"$2\"] // {} | to_entries[] |
		select(.key | startswith(\"$3\")) | .value |
		if type == \"array\" then .[].count else . end] | add // 0"
}

# What the queue on the left has counted.
counters()
{
	on "$left" nbctl -j stats | jq -r '.[0].stats | "\(.tx.packets) \(.rx.packets) " +
		"\(.tx.dropped) \(.calls.notifies) \(.rx.no_buffer)"'
}

# endpoint_of NAMESPACE: number of the endpoint there.
endpoint_of()
{
	on "$1" nbctl -j show endpoints | jq '.. | objects | .id? // empty' | head -n 1
}

# ---- traffic --------------------------------------------------------------

traffic()
{
	join -q 1
	left_id=$(endpoint_of "$left")
	on "$left" ping -qc 20 -i 0.01 -W "$patience" "$right_ip" > /dev/null
	# What nbwire brings to the left is dropped; its neighbours are asked until then.
	on "$left" nbctl link "$left_id" down
	on "$right" ping -qc 3 -i 0.1 -W 1 "$left_ip" > /dev/null || true
	on "$left" nbctl link "$left_id" up
	read -r tx_packets rx_packets tx_dropped notifies rx_no_buffer < <(counters)
	say "$tx_packets sent, $rx_packets received, $tx_dropped dropped, $notifies notifications"
	on "$left" nbctl disconnect "$left_id" now > /dev/null
	on "$left" nbctl connect "$left_id" > /dev/null
	part
}

claim()
{
	local status=0

	"${@:2}" || status=$?
	result "$1" "$status"
}

drops_have_their_reason()
{
	[ "$tx_dropped" -gt 0 ] && [ "$(sum map @drops "$left_id,13")" = "$tx_dropped" ]
}

latency_is_measured()
{
	[ "$(value '[.[] | select(.type == "hist") | .data["@latency"] // [] | .[].count] | add')" -gt 20 ]
}

every_length_is_noted()
{
	[ "$(sum hist @tx_len "$left_id,0")" -ge "$((tx_packets + tx_dropped))" ] &&
		[ "$(sum hist @rx_len "$left_id,0")" -ge "$rx_packets" ]
}

notifications_are_counted()
{
	[ "$(value '[.[] | select(.type == "map") | .data["@sent"] | numbers] | add')" -ge "$notifies" ]
}

who_connects_is_told()
{
	local said

	said=$(value '.[] | select(.type == "printf") | .data')
	grep -q "nb_endpoint_made nbwire $left_id netdev nb0" <<< "$said" &&
		grep -q "nb_disconnect [a-z]* $left_id netdev nb0" <<< "$said" &&
		grep -q "nb_connect nbctl $left_id netdev nb0" <<< "$said"
}

batches_are_measured()
{
	[ "$(value '[.[] | select(.type == "hist") | .data["@per_doorbell"] // [] | .[].count] | add')" -gt 20 ]
}

waits_are_counted()
{
	[ "$rx_no_buffer" -gt 0 ] && [ "$(sum map @late "$left_id,0")" -ge "$rx_no_buffer" ]
}

memory_has_an_owner()
{
	[ "$(sum map @pinned nbwire)" -gt "$((256 * 2048))" ]
}

# NB_QUEUE_RESTART
stops_are_seen()
{
	[ "$(sum map @stopped "$left_id,0,1")" = 1 ]
}

clean_up_tracer()
{
	[ -z "$tracer" ] || kill -9 "$tracer" 2> /dev/null || true
	clean_up
}

commands=(
	drops_have_their_reason
	latency_is_measured
	every_length_is_noted
	notifications_are_counted
	who_connects_is_told
	batches_are_measured
	waits_are_counted
	memory_has_an_owner
	stops_are_seen
)

plan "$((3 + ${#commands[@]}))"
trap clean_up_tracer EXIT
claim events_and_their_fields_are_as_documented same kernel_events page_events
claim reasons_and_their_numbers_are_as_documented same kernel_reasons page_reasons
extract
n=$(find "$dir" -name '*.bt' | wc -l)
say "$n commands"
claim each_command_stands_alone_and_is_tested \
	test "$n" = "${#commands[@]}" -a -z "$(shared_maps)"
if ! command -v bpftrace > /dev/null; then
	for command in "${commands[@]}"; do
		number=$((number + 1))
		echo "ok $number $command # SKIP needs bpftrace in the guest: run -p bpftrace"
	done
	finish
fi
start_tracing
traffic
stop_tracing
for command in "${commands[@]}"; do
	claim "$command" "$command"
done
[ "$failed" = 0 ] || sed 's/^/# /' "$dir/out"
finish
