#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: demo.sh [QUEUES]
#
# Shows net_backend at its job: two network interfaces of the host, each of them the
# backend of a virtual NIC, and a frontend that plays the VMM and joins the
# two.  Needs root, busybox's nc, and the module and the tools where modprobe and PATH
# find them; "make demo" runs it in a virtual machine.
# iperf3 sends for five seconds each way, or for NB_DEMO_SECONDS.
#
#   network namespace "left"                    network namespace "right"
#  ┌──────────────────────────┐                ┌──────────────────────────┐
#  │ ping, iperf3, nc         │                │ iperf3 -s, nc -l         │
#  │ 192.0.2.1                │                │ 192.0.2.2                │
#  │ interface nb0            │                │ interface nb0            │
#  └────────────┬─────────────┘                └────────────┬─────────────┘
#    endpoint, kind netdev                       endpoint, kind netdev
#               │  rings                                    │  rings
#  ┌────────────┴───────────────────────────────────────────┴─────────────┐
#  │ nbwire: what it receives from one it transmits to the other, out of  │
#  │ the same buffer of guest memory                                      │
#  └──────────────────────────────────────────────────────────────────────┘

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

queues=${1:-1}
left=left right=right
left_ip=192.0.2.1 right_ip=192.0.2.2
seconds=${NB_DEMO_SECONDS:-5}
file_size=$((16 * 1024 * 1024))

die()
{
	echo "demo: $*" >&2
	[ -z "$wire" ] || kill -0 "$wire" 2> /dev/null ||
		echo "demo: nbwire has ended: $(cat "$dir/wire")" >&2
	exit 1
}

clean_up()
{
	local ns

	# shellcheck disable=SC2046 # several processes
	kill $(jobs -p) 2> /dev/null || true
	wait
	for ns in "${namespaces[@]}"; do
		ip netns del "$ns"
	done
	rm -rf "$dir"
}

# join: makes the endpoints, joins them, and gives the interfaces addresses.
join()
{
	local ns

	load_module
	step "module: net_backend is loaded on Linux $(uname -r)"

	for ns in "$left" "$right"; do
		ip netns add "$ns"
		namespaces+=("$ns")
		# Only the demo's own packets are to be counted.
		on "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	done
	nbwire -q "$queues" "netdev,name=nb0,netns=$left" "netdev,name=nb0,netns=$right" \
		> "$dir/wire" 2>&1 &
	wire=$!
	wait_until "nbwire" wire_has_spoken
	grep -q '^nbwire: ready' "$dir/wire" || die "the two cannot be joined"

	on "$left" ip addr add "$left_ip/24" dev nb0
	on "$right" ip addr add "$right_ip/24" dev nb0
	for ns in "$left" "$right"; do
		on "$ns" ip link set nb0 up
		wait_until "carrier of nb0 in $ns" has_carrier "$ns" nb0
	done
	step "wire: nb0 in two namespaces, $left_ip and $right_ip, joined by nbwire${queue_text}"
}

# Ready, or ended.
wire_has_spoken()
{
	grep -q '^nbwire: ready' "$dir/wire" || ! kill -0 "$wire"
}

# listens PORT: whether somebody in the right namespace does.
listens()
{
	[ -n "$(on "$right" ss -Hltn "sport = :$1")" ]
}

ping_right()
{
	local count=5

	pings "$left" $count "$right_ip" || die "ping: $(grep transmitted "$dir/ping.log")"
	ping_result="$count of $count came back"
	step "ping: $ping_result"
}

# iperf NAME DIRECTION ARG…: a TCP stream; sets NAME to what has arrived.
iperf()
{
	local name=$1 direction=$2 server bytes rate
	shift 2

	on "$right" iperf3 -s -1 > "$dir/server" 2>&1 &
	server=$!
	wait_until "iperf3 server" listens 5201
	on "$left" iperf3 -J -t "$seconds" -c "$right_ip" "$@" > "$dir/iperf" ||
		die "iperf3: $(jq -r '.error // "failed"' "$dir/iperf")"
	wait "$server" || die "iperf3 server: $(cat "$dir/server")"

	read -r bytes rate < <(jq -r '.end.sum_received |
		"\(.bytes) \(.bits_per_second / 1e4 | floor / 100)"' "$dir/iperf")
	[ "$bytes" -gt 0 ] || die "iperf3, $direction: nothing has arrived"
	printf -v "$name" '%s Mbit/s, %s MiB' "$rate" $((bytes >> 20))
	step "iperf3, TCP, $direction: ${!name} in $seconds s"
}

send_file()
{
	local receiver start sum

	head -c "$file_size" /dev/urandom > "$dir/sent"
	# shellcheck disable=SC2016 # expanded by the shell in the other namespace
	on "$right" nc -l -p 9000 -e sh -c 'cat > "$0"' "$dir/received" &
	receiver=$!
	wait_until "nc" listens 9000
	start=${EPOCHREALTIME/[.,]/}
	on "$left" nc "$right_ip" 9000 < "$dir/sent"
	wait "$receiver" || die "file: nc has failed"
	file_result="16 MiB in $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms"

	sum=$(sha256sum < "$dir/sent")
	[ "$(sha256sum < "$dir/received")" = "$sum" ] ||
		die "file: $(stat -c %s "$dir/received") of $file_size bytes, or other ones"
	step "file: $file_result, SHA-256 ${sum:0:16}… on both sides"
}

# What the queues of an endpoint and its interface have counted, in the same order:
# from guest to host packets and bytes, from host to guest packets and bytes.
queue_counters()
{
	on "$1" nbctl show queues nb0 | awk '
		$1 == "TX:" { getline; tx_packets += $1; tx_bytes += $2 }
		$1 == "RX:" { getline; rx_packets += $1; rx_bytes += $2 }
		END { print tx_packets, tx_bytes, rx_packets, rx_bytes }'
}

interface_counters()
{
	on "$1" ip -s -j link show dev nb0 | jq -r '.[0].stats64 |
		"\(.rx.packets) \(.rx.bytes) \(.tx.packets) \(.tx.bytes)"'
}

# Reads all counters.  Fails if they differ: a packet may have come in between.
read_counters()
{
	local ns

	rows=()
	for ns in "$left" "$right"; do
		rows+=("$ns nbctl $(queue_counters "$ns")"
		       "$ns ip_-s_link $(interface_counters "$ns")")
	done
	[ "${rows[0]#* * }" = "${rows[1]#* * }" ] && [ "${rows[2]#* * }" = "${rows[3]#* * }" ]
}

print_counters()
{
	local row line format='  %-6s %-12s %10s %12s   %10s %12s\n'

	echo "Counted                        guest to host             host to guest"
	for row in "in by packets bytes packets bytes" "${rows[@]}"; do
		read -ra line <<< "$row"
		# shellcheck disable=SC2059 # that is a format
		printf "$format" "${line[@]//_/ }"
	done
}

report()
{
	local ns agree=1

	echo
	echo "What went through"
	printf '  %-26s %s\n' "ping" "$ping_result" \
		"iperf3, left to right" "$there" "iperf3, right to left" "$back" \
		"file, left to right" "$file_result, the same SHA-256"
	for ns in "$left" "$right"; do
		echo
		echo "$bold\$ ip netns exec $ns nbctl show$plain"
		on "$ns" nbctl show
	done
	echo
	retry read_counters || agree=""
	print_counters
	echo
	[ -n "$agree" ] || die "the counters differ"
	step "counters: nbctl and ip -s link agree"
}

# Nothing is on its way any more when all that one side has received from its host the
# other has sent to its own.
is_quiet()
{
	local left_tx right_tx left_rx right_rx

	read -r left_tx _ left_rx _ < <(queue_counters "$left")
	read -r right_tx _ right_rx _ < <(queue_counters "$right")
	[ "$left_rx" = "$right_tx" ] && [ "$right_rx" = "$left_tx" ] && ! has_connections
}

has_connections()
{
	[ -n "$(on "$left" ss -Htan exclude time-wait; on "$right" ss -Htan exclude time-wait)" ]
}

stop()
{
	kill -INT "$wire"
	wait "$wire" || die "nbwire: $(cat "$dir/wire")"
	wire=""
	wait_until "end of nb0" gone
	[ -z "$unload" ] || modprobe -r net_backend
	step "end: nbwire has stopped, its interfaces are gone${unload:+, the module is unloaded}"
}

gone()
{
	! on "$left" ip link show nb0 && ! on "$right" ip link show nb0
}

wire="" namespaces=() rows=()
queue_text=$([ "$queues" = 1 ] || echo ", $queues queues")
ping_result="" there="" back="" file_result=""
[ "$(id -u)" = 0 ] || die "needs root"
dir=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM

join
ping_right
iperf there "left to right"
iperf back "right to left" -R
send_file
wait_until "end of traffic" is_quiet
report
stop
echo "demo: all of it worked, in $SECONDS s"
