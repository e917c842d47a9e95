#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Real TCP and UDP through nbwire, over IPv4, IPv6 and a VLAN, with offloads on and off:
# what comes out is what went in, byte by byte; no checksum is wrong on the way; and
# with offloads a super-packet stays one packet from socket to socket.
#
#   left                                    right                       far
#  ┌──────────────────┐                    ┌──────────────────┐        ┌──────────────┐
#  │ transfer send    │                    │ transfer receive │        │ transfer     │
#  │ 192.0.2.1        │                    │ 192.0.2.2        │        │ receive      │
#  │ fd00::1          │                    │ fd00::2          │        │ 203.0.113.2  │
#  │ nb0, nb0.100 ────┼─ nbwire [-O] ──────┼─ nb0, nb0.100    │        │ fd02::2      │
#  └──────────────────┘                    │ near ────────────┼─ veth ─┼─ veth0       │
#                                          └──────────────────┘        └──────────────┘
#
# near has no offloads: there the host has to cut what came through the wire, and to
# fill in its checksums, which far then verifies.

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=wire_lib.sh
. ./wire_lib.sh

far=nb-far
near_ip=203.0.113.1 far_ip=203.0.113.2 near_ip6=fd02::1 far_ip6=fd02::2
tcp_size=$((4 << 20)) udp_size=$((2 << 20)) port=9000

# join_with MODE: off: nobody offloads anything, nor inserts a tag. of_checksums: those
# are left to the other end. on: super-packets, too.
join_with()
{
	local ns mode=$1 options=()

	[ "$mode" = off ] || options=(-O)
	join "${options[@]}"
	for ns in "$left" "$right"; do
		case $mode in
		off) on "$ns" ethtool -K nb0 txvlan off ;;
		of_checksums) on "$ns" ethtool -K nb0 tso off tx-udp-segmentation off ;;
		esac > /dev/null
		on "$ns" ip link add link nb0 name nb0.100 type vlan id 100
		on "$ns" ip link set nb0.100 up
	done
	add_address "$left" nb0.100 198.51.100.1 fd01::1
	add_address "$right" nb0.100 198.51.100.2 fd01::2
}

# add_far: a third host, behind the right one.
add_far()
{
	local ns

	add_namespace "$far"
	on "$right" ip link add near type veth peer name veth0 netns "$far"
	on "$right" ethtool -K near tx off sg off tso off gso off > /dev/null
	add_address "$right" near "$near_ip" "$near_ip6"
	add_address "$far" veth0 "$far_ip" "$far_ip6"
	on "$right" ip link set near up
	on "$far" ip link set veth0 up
	wait_until "carrier of veth0" has_carrier "$far" veth0
	on "$right" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	on "$left" ip route add "$far_ip" via "$right_ip"
	on "$left" ip route add "$far_ip6" via "$right_ip6"
	on "$far" ip route add default via "$near_ip"
	on "$far" ip route add default via "$near_ip6"
}

# checksum_errors NAMESPACE: packets that its stack has found to be wrong.
checksum_errors()
{
	on "$1" cat /proc/net/snmp /proc/net/netstat /proc/net/snmp6 | awk '
		/InCsumErrors/ && NF == 2 { sum += $2; next }
		# A line with names, then one with values.
		$1 != kind { kind = $1; split($0, name); next }
		{ for (i = 2; i <= NF; i++) if (name[i] == "InCsumErrors") sum += $i }
		{ kind = "" }
		END { print sum + 0 }'
}

# transfer_to NAMESPACE PROTOCOL ADDRESS: from the left; fails unless it arrives whole.
transfer_to()
{
	local ns=$1 protocol=$2 address=$3 receiver status=0

	on "$ns" transfer "$protocol" receive "$address" "$port" \
		> "$dir/received" 2> "$dir/receiver" &
	receiver=$!
	wait_until "receiver" listens "$ns" "$protocol" "$port"
	on "$left" transfer "$protocol" send "$address" "$port" \
		< "$dir/$protocol" 2> "$dir/sender" || { status=1; kill "$receiver" || true; }
	wait "$receiver" || status=1
	sed 's/^/# /' "$dir/sender" "$dir/receiver"
	cmp -s "$dir/received" "$dir/$protocol" || status=1
	return "$status"
}

# counters NAMESPACE INTERFACE NAME…: a line each.
counters()
{
	local ns=$1 folder=/sys/class/net/$2/statistics/
	shift 2

	on "$ns" cat "${@/#/$folder}"
}

# Sets now to what has gone from left to right: packets and bytes sent, packets received
# and dropped, which happens while an interface is not up. Fails if there are others
# between the two, or came while this was reading.
# shellcheck disable=SC2317 # called by wait_until
look()
{
	mapfile -t now < <(counters "$left" nb0 tx_packets tx_bytes
			   counters "$right" nb0 rx_packets rx_dropped
			   counters "$left" nb0 tx_packets)
	[ "${now[0]}" = $((now[2] + now[3])) ] && [ "${now[0]}" = "${now[4]}" ]
}

# size_is_right MODE PROTOCOL: whether packets were as long as they should be, and as many
# arrived as were sent.
size_is_right()
{
	local mean packets=$((now[0] - before[0])) bytes=$((now[1] - before[1]))

	[ "$packets" -gt 0 ] || return 1
	mean=$((bytes / packets))
	say "$packets packets of $mean bytes, $((now[2] - before[2])) received"
	[ $((now[2] - before[2])) = "$packets" ] || return 1
	case $1-$2 in
	# How much TCP sends at once depends on its pace: two segments, at least.
	on-tcp) [ "$mean" -gt 1518 ] ;;
	# A burst is one packet.
	on-udp) [ "$mean" -gt 20000 ] ;;
	*) [ "$mean" -le 1518 ] ;;
	esac
}

# check CLAIM MODE NAMESPACE PROTOCOL ADDRESS
check()
{
	local claim=$1 mode=$2 ns=$3 protocol=$4 address=$5 status=0 before now=()

	wait_until "end of other traffic" look
	before=("${now[@]}")
	transfer_to "$ns" "$protocol" "$address" || status=1
	wait_until "end of traffic" look
	size_is_right "$mode" "$protocol" || status=1
	result "$claim" "$status"
}

# check_errors MODE NAMESPACE…
check_errors()
{
	local mode=$1 ns sum=0
	shift

	for ns in "$@"; do
		sum=$((sum + $(checksum_errors "$ns")))
	done
	say "$sum wrong checksums"
	result "no_checksum_is_wrong_with_offloads_$mode" "$((sum > 0))"
}

# cut_at_near: whether near, unlike nb0, has sent what fits its MTU.
cut_at_near()
{
	local packets bytes

	{ read -r packets; read -r bytes; } < <(counters "$right" near tx_packets tx_bytes)
	say "near: $packets packets of $((bytes / packets)) bytes"
	result "super_packets_are_cut_where_the_host_has_to" "$((bytes / packets > 1514))"
}

plan 33
head -c "$tcp_size" /dev/urandom > "$dir/tcp"
head -c "$udp_size" /dev/urandom > "$dir/udp"

for mode in off of_checksums on; do
	join_with "$mode"
	for protocol in tcp udp; do
		check "${protocol}_over_ipv4_with_offloads_$mode" \
			"$mode" "$right" "$protocol" "$right_ip"
		check "${protocol}_over_ipv6_with_offloads_$mode" \
			"$mode" "$right" "$protocol" "$right_ip6"
		check "${protocol}_over_ipv4_and_vlan_with_offloads_$mode" \
			"$mode" "$right" "$protocol" 198.51.100.2
		check "${protocol}_over_ipv6_and_vlan_with_offloads_$mode" \
			"$mode" "$right" "$protocol" fd01::2
	done
	check_errors "$mode" "$left" "$right"
	[ "$mode" = on ] || part
done

add_far
for protocol in tcp udp; do
	check "${protocol}_over_ipv4_is_forwarded_with_offloads" \
		on "$far" "$protocol" "$far_ip"
	check "${protocol}_over_ipv6_is_forwarded_with_offloads" \
		on "$far" "$protocol" "$far_ip6"
done
cut_at_near
check_errors on_and_forwarding "$far"
part
finish
