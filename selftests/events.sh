#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nbctl monitor tells of everything that happens to endpoints and their queues, switches and
# their ports, memories and their regions, and of nothing else.
#
#   network namespace "here": an endpoint that is there all the time (probe), and those that
#   live (lived); "there": another probe, and a monitor that must not hear of them

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

claims=(
	monitor_sees_every_transition_of_a_scripted_life
	an_exchange_of_backends_is_told_of_both_endpoints
	who_asks_for_some_objects_gets_those_only
	what_happens_elsewhere_is_not_seen
	a_restless_frontend_makes_nobody_lose_events
	an_endpoint_is_told_of_where_it_was_and_where_it_is
	switches_and_ports_come_and_go
	what_was_lost_is_told_and_what_is_there_follows
	who_has_lost_events_goes_on_while_memories_come_and_go
	events_without_memory_are_told_as_lost
)
kinds=(null loopback switch netdev attach)

clean_up()
{
	local status=$?

	if [ "$status" != 0 ]; then
		echo "not ok $((number + 1)) ${claim:-set_up}"
		tail -n 20 "$dir"/* | cut -c -200 | sed 's/^/# /'
	fi
	# shellcheck disable=SC2046 # several processes, or none
	{ kill -CONT $(jobs -p); kill $(jobs -p); wait; } 2> /dev/null || true
	ip netns del here 2> /dev/null || true
	ip netns del there 2> /dev/null || true
	[ -z "$unload" ] || modprobe -r net_backend || true
	rm -rf "$dir"
}

# begin_probe NAMESPACE: endpoints of many queues that nothing happens to by itself.
begin_probe()
{
	ip netns exec "$1" nbwire -q 64 null null > "$dir/probe.$1" 2>&1 &
	eval "probe_$1=$!"
	wait_until "nbwire" grep -q '^nbwire: ready' "$dir/probe.$1"
}

# start_monitor NAMESPACE NAME ARGUMENT…: in the background; waits until it hears something.
start_monitor()
{
	local name=$2 probe

	probe=$(net_of "$1" nbctl -j endpoint show | jq '[.[] | select(.kind == "null") | .id] | min')
	: > "$dir/$name"
	ip netns exec "$1" nbctl "${@:3}" > "$dir/$name" 2> "$dir/$name.words" &
	eval "$name=$!"
	wait_until "monitor" speaks_up "$1" "$name" "$probe"
}

speaks_up()
{
	net_of "$1" nbctl link "$3" up
	# Another value each time: what is as it was is not told.
	usecs=$((usecs % 100 + 1))
	net_of "$1" nbctl queue set "$3" queue 0 rx-usecs $usecs
	[ -s "$dir/$2" ]
}

# Who lives has numbers above those of the probes.
highest_probe()
{
	{ on here nbctl -j endpoint show; on there nbctl -j endpoint show; } |
		jq -s '[.[][].id] | max'
}

# of_text FILE, of_json FILE: what is told of who lives, without what differs from run to run.
of_text()
{
	local state='[a-z]+ [a-z]+' endpoint=' endpoint \1 \3 \4 \5' queue='[0-9]+: (needs restart|[a-z]+)'

	sed -E -e 's/^[0-9T:.-]+ ([a-z-]+) ([0-9]+): /\2 \1 /' \
		-e "s/ ([a-z-]+) ([^ ]+: )?kind ($state) link ([a-z]+).* queues ([0-9]+).*/$endpoint/" \
		-e "s/ ([a-z-]+) queue ($queue)( cpu [0-9]+)? moder.*/ queue \1 \2/" -e '/ queue /s/: / /' \
		-e 's/^[0-9T:.-]+ ([a-z-]+) memory [0-9]+: size ([0-9]+) locked [0-9]+ regions /memory \1 \2 /' \
		-e 's/^[0-9T:.-]+ ([a-z]+) memory [0-9]+: region [0-9a-fx]+ size ([0-9]+) unit [0-9]+ locked [0-9]+/region \1 \2/' \
		-e 's/^[0-9T:.-]+ ([a-z]+) switch [0-9]+: port ([0-9]+).*/port \1 \2/' \
		-e 's/^[0-9T:.-]+ ([a-z]+) switch [0-9]+: ([^ ]+): ports ([0-9]+)$/switch \1 \2 \3/' \
		"$1" |
		above_probes
}

of_json()
{
	jq -r 'def properties: .properties // [] | map(" " + .) | add // "";
		.event as $event | if .endpoint then
			.endpoint | "\(.id) endpoint \($event) \(.kind) \(.state) \(.link) \(.n_queues)"
		elif .queue then
			.queue | "\(.endpoint) queue \($event) \(.queue) \(.state)"
		elif .port then
			"port \($event) \(.port.port)"
		elif .memory then
			.memory | "memory \($event) \(.size) \(.n_regions)\(properties)"
		elif .region then
			.region | "region \($event) \(.size)\(properties)"
		else
			.switch | "switch \($event) \(if .name == "" then "-" else .name end) \(.n_ports)"
		end' "$1" | above_probes
}

above_probes()
{
	awk -v highest="$highest" '$1 + 0 > highest || $1 !~ /^[0-9]+$/ { $1 = $1 ~ /^[0-9]+$/ ? "" : $1
		sub(/^ /, ""); print }'
}

# expected KIND: what lived does, see there.
expected()
{
	local kind=$1 first=up device=0

	case $kind in
	netdev) first=down device=1 ;;
	attach) device=1 ;;
	esac
	begin_memory
	echo "memory log-started 524288 2 dirty-log"
	echo "region added 4096 read-only"
	echo "memory log-stopped 528384 3"
	echo "region removed 4096 read-only"
	begin_switch "$kind"
	echo "endpoint created $kind connected $first 0"
	[ "$kind" != netdev ] || echo "endpoint link-up $kind connected up 0"
	# An operator sets the link, and takes the backend away.
	echo "queue created 0 running"
	echo "queue created 1 running"
	echo "endpoint link $kind connected down 2"
	echo "endpoint link $kind connected up 2"
	echo "queue restart 0 needs restart"
	echo "queue restart 1 needs restart"
	echo "endpoint disconnected $kind disconnected down 2"
	echo "queue deleted 0 needs restart"
	echo "queue deleted 1 needs restart"
	echo "endpoint connected $kind connected up 0"
	# A queue lives.
	echo "queue created 0 running"
	echo "queue quiesced 0 quiesced"
	echo "queue resumed 0 running"
	echo "queue moderation 0 running"
	echo "queue moderation 0 running"
	echo "queue target-cpu 0 running"
	# The frontend lets go of it.
	echo "endpoint disconnecting $kind disconnecting down 1"
	echo "queue deleted 0 running"
	echo "endpoint disconnected $kind disconnected down 0"
	echo "endpoint connected $kind connected up 0"
	# The frontend breaks it.
	echo "queue created 0 running"
	echo "queue failed 0 failed"
	echo "queue deleted 0 failed"
	echo "endpoint stopped $kind connected up 0"
	# What it stands on goes.
	if [ $device = 1 ]; then
		echo "queue created 0 running"
		[ "$kind" != attach ] || echo "endpoint changed $kind connected up 1"
		echo "endpoint link-down $kind connected down 1"
		echo "queue restart 0 needs restart"
		echo "endpoint gone $kind connected down 1"
		echo "queue deleted 0 needs restart"
		echo "endpoint deleted $kind connected down 0"
	else
		echo "endpoint deleted $kind connected up 0"
	fi
	end_switch "$kind"
	end_memory
	# Another one, which is killed.
	begin_memory
	begin_switch "$kind"
	echo "endpoint created $kind connected $first 0"
	echo "queue created 0 running"
	echo "queue deleted 0 running"
	echo "endpoint deleted $kind connected $first 0"
	end_switch "$kind"
	end_memory
}

# begin_memory, end_memory: of the guest, which has two regions.
begin_memory()
{
	printf '%s\n' "memory created 0 0" "region added 262144" "region added 262144"
}

end_memory()
{
	printf '%s\n' "region removed 262144" "region removed 262144" "memory deleted 524288 2"
}

# begin_switch KIND, end_switch KIND: each endpoint of kind switch has one of its own.
begin_switch()
{
	[ "$1" != switch ] || printf '%s\n' "switch created - 0" "port created 1"
}

end_switch()
{
	[ "$1" != switch ] || printf '%s\n' "port deleted 1" "switch deleted - 0"
}

# told HOW FILE EXPECTED: waits until the monitor has printed what is expected, or more.
told()
{
	wait_until "the end of a life" as_many "$@"
	memories_apart < "$dir/lines" > "$dir/seen"
	memories_apart < "$dir/$3" | diff -u - "$dir/seen" || die "$2: something else was told"
}

# Of who is killed, the memory and the endpoint go in either order.
memories_apart()
{
	awk '/^(memory|region) / { apart = apart $0 "\n"; next } { print } END { printf "%s", apart }'
}

# What there is so far is in lines.
as_many()
{
	"$1" "$dir/$2" > "$dir/lines"
	[ "$(wc -l < "$dir/lines")" -ge "$(wc -l < "$dir/$3")" ]
}

monitor_sees_every_transition_of_a_scripted_life()
{
	local kind

	for kind in "${kinds[@]}"; do
		on here lived "$kind"
		expected "$kind" >> "$dir/expected"
	done
	told of_text text expected
	told of_json json expected
	# Each line has its time, and each next one the same or a later one.
	jq -r .time "$dir/json" > "$dir/times"
	! cut -d' ' -f1 "$dir/text" |
		grep -vxE '[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{6}' ||
		die "a line without time"
	sort -c "$dir/times"
}

an_exchange_of_backends_is_told_of_both_endpoints()
{
	on here lived exchange
	{
		begin_memory
		echo "endpoint created loopback connected up 0"
		echo "endpoint created null connected up 0"
		echo "endpoint disconnected null disconnected down 0"
		echo "endpoint disconnected loopback disconnected down 0"
		echo "endpoint replaced null disconnected down 0"
		echo "endpoint connected loopback connected up 0"
		echo "endpoint deleted loopback connected up 0"
		echo "endpoint deleted null disconnected down 0"
		end_memory
	} >> "$dir/expected"
	told of_text text expected
	told of_json json expected
}

who_asks_for_some_objects_gets_those_only()
{
	grep -E '^(queue|region) ' "$dir/expected" > "$dir/expected_queue"
	told of_json queues expected_queue
	fails 2 nbctl monitor no_such
	fails 2 nbctl monitor queue nb0
}

# fails STATUS COMMAND…
fails()
{
	local status=0

	"${@:2}" > "$dir/words" 2>&1 || status=$?
	[ "$status" = "$1" ] || die "${*:2}: exit status $status, not $1"
}

what_happens_elsewhere_is_not_seen()
{
	on there lived null
	expected null > "$dir/expected_there"
	told of_json elsewhere expected_there
	told of_json json expected
}

a_restless_frontend_makes_nobody_lose_events()
{
	on there lived restless
}

# With its interface it moves from here to there, and without it back.
an_endpoint_is_told_of_where_it_was_and_where_it_is()
{
	local mover other id from

	# Numbers are used again.
	begin[here]=$(wc -l < "$dir/json")
	begin[there]=$(wc -l < "$dir/elsewhere")
	ip netns exec here nbwire netdev,name=mover null > "$dir/mover" 2>&1 &
	mover=$!
	ip netns exec there nbwire null null > "$dir/other" 2>&1 &
	other=$!
	wait_until "nbwire" grep -q '^nbwire: ready' "$dir/mover"
	wait_until "nbwire" grep -q '^nbwire: ready' "$dir/other"
	id=$(on here nbctl -j endpoint show mover | jq '.[].id')
	from=$(on there nbctl -j endpoint show | jq '[.[].id] | max')
	ip -n here link set mover netns there
	wait_until "moved" is_told there moved "$id"
	on there nbctl disconnect "$id" now
	on there nbctl disconnect "$from" now
	on there nbctl connect "$id" from "$from"
	wait_until "connected there" is_told there connected "$id"
	wait_until "connected here" is_told here connected "$id"
	is_told there replaced "$from"
	! is_told here moved "$id" || die "it is told where it is not"
	! is_told here disconnected "$id" || die "it is told where it is not"
	kill -INT $mover $other
	wait $mover $other
}

# is_told NAMESPACE EVENT ENDPOINT: since the claim has begun.
is_told()
{
	local file=json

	[ "$1" = here ] || file=elsewhere
	tail -n +$((begin[$1] + 1)) "$dir/$file" |
		jq -se --arg event "$2" --argjson id "$3" \
			'any(.event == $event and .endpoint.id == $id)' > "$dir/told"
}

switches_and_ports_come_and_go()
{
	local before wire

	before=$(of_text "$dir/text" | wc -l)
	ip netns exec here nbwire switch,switch=lan switch,switch=lan > "$dir/wire" 2>&1 &
	wire=$!
	wait_until "nbwire" grep -q '^nbwire: ready' "$dir/wire"
	kill -INT $wire
	wait $wire
	wait_until "the end of lan" grep -q 'deleted switch [0-9]*: lan: ' "$dir/text"
	of_text "$dir/text" | tail -n +$((before + 1)) | grep -E '^(switch|port) ' > "$dir/made"
	# Both ports go, in either order.
	sed 's/deleted 2/deleted 1/' "$dir/made" | diff -u - <(printf '%s\n' "switch created lan 0" \
		"port created 1" "port created 2" "port deleted 1" "port deleted 1" \
		"switch deleted lan 0")
	grep -qx 'port deleted 2' "$dir/made"
}

what_was_lost_is_told_and_what_is_there_follows()
{
	local probe i

	probe=$(on here nbctl -j endpoint show | jq '[.[].id] | min')
	kill -STOP "$json"
	for ((i = 0; i < 200; i++)); do
		echo "queue set $probe rx-usecs $((i % 100 + 1))"
	done > "$dir/batch"
	on here nbctl -b "$dir/batch"
	kill -CONT "$json"
	wait_until "lost" grep -q '"event":"lost"' "$dir/json"
	# All that is there, once; and then events again.
	wait_until "present" all_is_present json
	on here nbctl link "$probe" down
	wait_until "an event" down_at_the_end
}

# all_is_present FILE: what is there is printed, once.
all_is_present()
{
	jq -r 'select(.event == "present") | if .endpoint then "\(.endpoint.id)"
		elif .queue then "\(.queue.endpoint) \(.queue.queue)"
		elif .memory then "memory \(.memory.id)"
		else "region \(.region.memory) \(.region.gpa)" end' "$dir/$1" | sort > "$dir/present"
	{
		on here nbctl -j endpoint show | jq -r '.[] | "\(.id)"'
		on here nbctl -j queue show | jq -r '.[] | "\(.endpoint) \(.queue)"'
		on here nbctl -j memory show | jq -r '.[] | "memory \(.id)",
			(.id as $id | .regions[] | "region \($id) \(.gpa)")'
	} | sort | diff -u - "$dir/present"
}

# "nbctl monitor", and an "nbctl disconnect" that is over before it can see that.
who_has_lost_events_goes_on_while_memories_come_and_go()
{
	local asker churn ids

	mapfile -t ids < <(on here nbctl -j endpoint show | jq 'sort_by(.id)[].id')
	start_monitor here busy -j monitor endpoint
	ip netns exec here lived churn &
	churn=$!
	kill -STOP "$probe_here"
	ip netns exec here nbctl disconnect "${ids[1]}" 2> "$dir/asker" &
	asker=$!
	wait_until "words" grep -q 'waiting for the frontend' "$dir/asker"
	kill -STOP "$busy" $asker
	on here nbctl -b "$dir/batch"
	kill -CONT "$probe_here"
	wait_until "the end of queues" is_disconnected "${ids[1]}"
	kill -CONT "$busy" $asker
	wait $asker
	wait_until "present" both_are_present "${ids[@]}"
	on here nbctl connect "${ids[1]}"
	wait_until "an event" grep -q '"event":"connected"' "$dir/busy"
	kill $churn
	! jq -se 'any(.event != "lost" and (.endpoint | not))' "$dir/busy" ||
		die "something else was printed"
}

is_disconnected()
{
	on here nbctl -j endpoint show "$1" | jq -e '.[0].state == "disconnected"'
}

both_are_present()
{
	grep -q '"event":"lost"' "$dir/busy"
	jq -r 'select(.event == "present") | .endpoint.id' "$dir/busy" | sort -u |
		diff - <(printf '%s\n' "$@" | sort)
}

# asked_anew FILE: after something was lost a monitor has told what there is.
asked_anew()
{
	sed '1,/"event":"lost"/d' "$1" |
		grep '"event":"present","endpoint":.*"kind":"null"'
}

events_without_memory_are_told_as_lost()
{
	local status=0

	start_monitor here late -j monitor
	# "ip netns exec" has another /sys.
	on here sh -c 'mount -t debugfs none /sys/kernel/debug 2> /dev/null; exec lived unlucky' \
		> "$dir/unlucky" 2>&1 || status=$?
	if [ $status = 4 ]; then
		skip=" # SKIP needs FAILSLAB"
		return
	fi
	[ $status = 0 ] || die "lived: exit status $status"
	wait_until "lost" grep -q '"event":"lost"' "$dir/late"
	wait_until "what there is, asked for anew" asked_anew "$dir/late"
}

down_at_the_end()
{
	tail -n 1 "$dir/json" | jq -e '.event == "link" and .endpoint.link == "down"'
}

[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 4; }
claim="" unload="" highest=0 json="" busy="" probe_here="" skip="" usecs=0
declare -A begin
dir=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM

echo "TAP version 13"
echo "1..${#claims[@]}"
[ -e /sys/module/net_backend ] || unload=1
modprobe net_backend
for namespace in here there; do
	ip netns add $namespace
	ip netns exec $namespace sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	begin_probe $namespace
done
highest=$(highest_probe)
start_monitor here text monitor
start_monitor here json -j monitor
start_monitor here queues -j monitor queue region
start_monitor there elsewhere -j monitor all
: > "$dir/expected"
for claim in "${claims[@]}"; do
	"$claim"
	number=$((number + 1))
	echo "ok $number $claim$skip"
done
