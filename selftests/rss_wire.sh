#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# iperf3 with four flows through 1, 2 and 4 queues with RSS, over IPv4 and IPv6: all
# queues carry traffic, each of them the flows that are its own, in both directions.
#
# That is no matter of chance: nbwire's key sends four ports that follow one another
# from a multiple of 4 on to four different queues of four (nbwire(1)).

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=wire_lib.sh
. ./wire_lib.sh

flows=4 port=40000 bytes=8M
# A queue's part of these bytes, in packets of up to 64 KiB, is more than that.
least=20

# queue_packets NAMESPACE {TX|RX}: a line a queue. RX is what its host has sent.
queue_packets()
{
	on "$1" nbctl show queues nb0 | awk -v way="$2:" '$1 == way { getline; print $1 }'
}

# iperf ADDRESS [OPTION]…: four flows; fails unless each has carried its bytes.
iperf()
{
	local address=$1 server
	shift

	on "$right" iperf3 -s -1 > "$dir/server" 2>&1 &
	server=$!
	wait_until "iperf3 server" listens "$right" tcp 5201
	on "$left" iperf3 -J -P "$flows" --cport "$port" -n "$bytes" -c "$address" "$@" \
		> "$dir/iperf" || { say "iperf3: $(jq -r '.error // "failed"' "$dir/iperf")"; return 1; }
	wait "$server" || return 1
	[ "$(jq '[.end.streams[] | select(.receiver.bytes > 0)] | length' "$dir/iperf")" = "$flows" ]
}

# increases NAME NAMESPACE {TX|RX}: how many packets each queue has moved since the
# same was asked before, as the array NAME.
increases()
{
	local -n increase=$1
	local file=$dir/$2-$3 before=() now=() i

	[ ! -e "$file" ] || mapfile -t before < "$file"
	queue_packets "$2" "$3" > "$file"
	mapfile -t now < "$file"
	increase=()
	for i in "${!now[@]}"; do
		# shellcheck disable=SC2034 # the caller's
		increase[i]=$((now[i] - ${before[i]:-0}))
	done
}

# all_busy QUEUES: whether each of the queues has moved its part of the last flows, of
# data and of acknowledgments; of which there is one for some packets.
all_busy()
{
	local way ns packets i status=0

	for ns in "$left" "$right"; do
		for way in TX RX; do
			increases packets "$ns" "$way"
			say "$ns $way: ${packets[*]} packets"
			[ "${#packets[@]}" = "$1" ] || status=1
			for i in "${packets[@]}"; do
				[ "$i" -ge "$least" ] || status=1
			done
		done
	done
	return "$status"
}

# check QUEUES
check()
{
	local queues=$1 address version status

	join -R -q "$queues"
	all_busy "$queues" > /dev/null || true
	for version in 4 6; do
		address=$right_ip
		[ "$version" = 4 ] || address=$right_ip6
		status=0
		iperf "$address" || status=1
		all_busy "$queues" || status=1
		iperf "$address" -R || status=1
		all_busy "$queues" || status=1
		result "four_flows_of_ipv${version}_keep_all_of_${queues}_queues_busy" "$status"
	done
	part
	rm -f "$dir/$left"-* "$dir/$right"-*
}

plan 6
for n in 1 2 4; do
	check "$n"
done
finish
