#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Backends are plugged in and out by nbctl while nbwire runs, and nbwire follows. What is
# plugged in instead comes from a donor, whose backend reaches the same bridge.
#
#   network namespace "left"              network namespace "right"
#  ┌───────────────────────┐    ┌──────────────────────────────────────────────┐
#  │ nc 192.0.2.1          │    │ nc -l 192.0.2.2                              │
#  │ nb0                   │    │                  bridge br0                  │
#  │                       │    │              nb0         way of the donor    │
#  └──────────┬────────────┘    └──────────────┬────────────────┬──────────────┘
#             │                                │                │
#       endpoint nb0                     endpoint nb0 ⇄ exchange ⇄ endpoint of the donor
#             │                                │                         │
#  ┌──────────┴────────────────────────────────┴──────────┐    ┌─────────┴─────────┐
#  │ nbwire                                               │    │ nbwire, the donor │
#  └──────────────────────────────────────────────────────┘    └───────────────────┘
#
# spare0, of kind netdev:	spare0 ── br0
# port0, of kind switch:	port0 ── switch sw0 ── its uplink up0 ── br0
# taken0, of kind attach:	taken0 ═ lower0 ── veth ── upper0 ── br0

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

left_ip=192.0.2.1 right_ip=192.0.2.2
# To a switch and back, ten times; NB_ROUNDS=200 makes it 100 times.
rounds=20 switch_rounds=20 attach_rounds=10 quick_rounds=10
# A kernel that checks its locks and memory takes many times as long.
[ ! -e /proc/lockdep ] || rounds=6 switch_rounds=6 attach_rounds=4 quick_rounds=4
if [ -n "${NB_ROUNDS:-}" ]; then
	# Of an even number, the last one ends where the first one has begun.
	rounds=$(((NB_ROUNDS + 1) / 2 * 2))
	switch_rounds=$rounds attach_rounds=$rounds quick_rounds=$rounds
fi
buffers=256

claims=(
	tcp_survives_that_a_backend_is_plugged_out_and_in
	tcp_survives_that_two_backends_take_turns
	tcp_survives_that_netdev_and_switch_take_turns
	tcp_survives_that_netdev_and_attach_take_turns
	restarts_in_quick_succession_end_with_a_wire_that_works
	no_buffer_is_lost
	disconnect_from_a_frontend_that_is_stopped_ends_at_its_time_limit
	disconnect_goes_on_when_nbctl_is_interrupted
	link_down_and_up_are_seen_by_frontend_and_interface
	monitor_tells_of_a_life_in_order
	who_lacks_cap_net_admin_is_refused_with_words
	mistakes_are_told_in_one_line
	other_offloads_restart_the_other_end_too
	a_backend_with_too_few_queues_ends_the_wire_with_words
	a_backend_that_is_gone_for_good_ends_the_wire_with_words
)

# right_ctl ARGUMENT…: nbctl in the namespace in which backends change.
right_ctl()
{
	timeout "$patience" nbctl -n right "$@"
}

# Prints what failed, if something has, and leaves nothing behind.
clean_up()
{
	local status=$? ns

	if [ "$status" != 0 ]; then
		echo "not ok $((number + 1)) ${claim:-set_up}"
		tail -n 20 "$dir"/*.log | sed 's/^/# /'
	fi
	# Of a pipe, jobs tells the first process, and the last one may wait for its peer.
	# shellcheck disable=SC2046,SC2086 # several processes, or none
	{ kill $(jobs -p) $sender; kill -CONT $(jobs -p); wait; } 2> /dev/null || true
	for ns in "${namespaces[@]}"; do
		ip netns del "$ns"
	done
	[ -z "$unload" ] || modprobe -r net_backend
	rm -rf "$dir"
}

# ---- wires -----------------------------------------------------------------

# wire NAME ARGUMENT…: starts nbwire, sets wire to its process; its words go to NAME.log.
wire()
{
	local log=$dir/$1.log

	nbwire "${@:2}" > "$log" 2>&1 &
	wire=$!
	wait_until "nbwire $1" has_spoken "$log" "$wire"
	grep -q '^nbwire: ready' "$log" || die "nbwire $1 has not begun"
}

# Ready, or ended.
has_spoken()
{
	grep -q '^nbwire: ready' "$1" || ! kill -0 "$2"
}

# end_wire PROCESS: sets status to how it has ended.
end_wire()
{
	kill -INT "$1"
	wait_for_end "$1"
}

wait_for_end()
{
	wait_until "end of nbwire" has_ended "$1"
	status=0
	wait "$1" || status=$?
}

# told LOG TEXT COUNT: whether nbwire has said it so many times.
told()
{
	[ "$(grep -c "$2" "$dir/$1.log")" -ge "$3" ]
}

join()
{
	local ns

	load_module
	for ns in left right; do
		ip netns add "$ns"
		namespaces+=("$ns")
		on "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	done
	wire main -v -q 2 -b "$buffers" netdev,name=nb0,netns=left netdev,name=nb0,netns=right
	main=$wire
	donor spare0 netdev

	on left ip addr add "$left_ip/24" dev nb0
	on left ip link set nb0 up
	# Of its own, or it would be that of a port, and another one with more ports.
	on right ip link add br0 address 02:00:00:00:00:02 type bridge
	on right ip addr add "$right_ip/24" dev br0
	on right ip link set br0 up
	bridge_port nb0
	bridge_port spare0
	wait_until "ping" answers
}

# donor NAME KIND[,…]: sets wire to its process.
donor()
{
	wire "$1" -q 2 "$2,name=$1,netns=right" null
	right_ctl disconnect "$1"
}

bridge_port()
{
	on right ip link set "$1" master br0
	on right ip link set "$1" up
}

answers()
{
	on left ping -q -c 1 -W 1 "$right_ip"
}

has_no_carrier()
{
	! has_carrier right "$1"
}

# ---- a TCP connection --------------------------------------------------------

# Sends a number and a piece of noise, again and again, until it is enough.
feed()
{
	local i

	for ((i = 0; ; i++)); do
		[ ! -e "$dir/enough" ] || break
		echo "$i"
		cat "$dir/noise"
		sleep 0.05
	done
}

open_connection()
{
	rm -f "$dir/enough"
	head -c 16384 /dev/urandom > "$dir/noise"
	: > "$dir/received"
	# shellcheck disable=SC2016 # expanded by the shell in the other namespace
	ip netns exec right nc -l -p 9000 -e sh -c 'cat > "$0"' "$dir/received" \
		2> "$dir/receiver.log" &
	receiver=$!
	wait_until "nc -l" listens
	feed | tee "$dir/sent" |
		ip netns exec left nc "$right_ip" 9000 > /dev/null 2> "$dir/sender.log" &
	sender=$!
	wait_until "data" has_more_than 0
}

listens()
{
	[ -n "$(on right ss -Hltn 'sport = :9000')" ]
}

has_more_than()
{
	[ "$(stat -c %s "$dir/received")" -gt "$1" ]
}

close_connection()
{
	touch "$dir/enough"
	wait_until "end of the connection" has_ended "$receiver"
	wait "$sender" || die "the sender has lost its connection"
	wait "$receiver" || die "the receiver has lost its connection"
	[ "$(sha256sum < "$dir/received")" = "$(sha256sum < "$dir/sent")" ] ||
		die "$(stat -c %s "$dir/received") bytes have come of $(stat -c %s "$dir/sent"), or other ones"
}

# swap_under_tcp ROUNDS ARGUMENT…: goes on with "nbctl connect nb0 ARGUMENT…", each time
# until data comes through.
swap_under_tcp()
{
	local i begin=$SECONDS size changes rounds=$1
	shift

	changes=$(carrier_changes left)
	open_connection
	for ((i = 0; i < rounds; i++)); do
		right_ctl disconnect nb0
		right_ctl connect nb0 "$@"
		size=$(stat -c %s "$dir/received")
		wait_until "data in round $i" has_more_than "$size"
	done
	close_connection
	[ "$(carrier_changes left)" = "$changes" ] || die "the other end has lost its carrier"
	echo "# $rounds rounds and $(stat -c %s "$dir/received") bytes in $((SECONDS - begin)) s"
}

carrier_changes()
{
	on "$1" cat /sys/class/net/nb0/carrier_changes
}

tcp_survives_that_a_backend_is_plugged_out_and_in()
{
	swap_under_tcp "$rounds"
}

tcp_survives_that_two_backends_take_turns()
{
	swap_under_tcp "$rounds" from spare0
	nb0_has_its_own
}

tcp_survives_that_netdev_and_switch_take_turns()
{
	local uplink donor

	ip netns exec right uplink sw0 up0 > "$dir/uplink.log" 2>&1 &
	uplink=$!
	wait_until "uplink" grep -q ready "$dir/uplink.log"
	bridge_port up0
	donor port0 switch,switch=sw0
	donor=$wire
	swap_under_tcp "$switch_rounds" from port0
	nb0_has_its_own
	# Each time half of it has come that way.
	[ "$(packets_of up0)" -ge "$switch_rounds" ]
	end_wire "$donor"
	kill "$uplink"
	wait_until "end of the uplink" is_gone up0
}

tcp_survives_that_netdev_and_attach_take_turns()
{
	local donor

	on right ip link add lower0 type veth peer name upper0
	on right ip link set lower0 up
	bridge_port upper0
	donor taken0 attach,dev=lower0,promisc
	donor=$wire
	swap_under_tcp "$attach_rounds" from taken0
	nb0_has_its_own
	[ "$(packets_of upper0)" -ge "$attach_rounds" ]
	end_wire "$donor"
	on right ip link del lower0
}

# The number of rounds is even.
nb0_has_its_own()
{
	right_ctl show nb0 | grep -q "^ .* ifindex $(on right cat /sys/class/net/nb0/ifindex) "
}

# What has come from the left by a port of the bridge.
packets_of()
{
	on right cat "/sys/class/net/$1/statistics/rx_packets"
}

is_gone()
{
	! on right ip link show "$1"
}

# ---- nbwire ------------------------------------------------------------------

restarts_in_quick_succession_end_with_a_wire_that_works()
{
	local i

	open_connection
	for ((i = 0; i < quick_rounds; i++)); do
		# Every second time queues are taken away that are in use, perhaps.
		if ((i % 2)); then
			right_ctl disconnect nb0
		else
			right_ctl disconnect nb0 now
		fi
		right_ctl connect nb0
	done
	close_connection
}

# All are available again when nothing is on its way; the kernel may hold one a queue.
no_buffer_is_lost()
{
	wait_until "all buffers of the left end" has_all_buffers left
	wait_until "all buffers of the right end" has_all_buffers right
}

has_all_buffers()
{
	on "$1" nbctl show queues nb0 | awk -v all="$buffers" '
		$5 == "rx-avail" { queues++; whole += $6 + 0 >= all - 1 && $6 + 0 <= all }
		END { exit queues != 2 || whole != 2 }'
}

disconnect_from_a_frontend_that_is_stopped_ends_at_its_time_limit()
{
	kill -STOP "$main"
	right_ctl disconnect nb0 timeout 10 2> "$dir/words"
	grep -q 'waiting for the frontend to close the queues of endpoint .* (nb0)' "$dir/words"
	right_ctl show nb0 | grep -q '^[0-9]*: nb0: kind netdev disconnected link down '
	right_ctl show queues nb0 | grep -q 'queue 0: needs restart'
	right_ctl connect nb0
	right_ctl show queues nb0 | grep -q 'queue 1: needs restart'
	kill -CONT "$main"
	wait_until "recovery" answers
	right_ctl show queues nb0 | grep -q 'queue 0: running'
}

disconnect_goes_on_when_nbctl_is_interrupted()
{
	local process status=0

	kill -STOP "$main"
	ip netns exec right nbctl disconnect nb0 2> "$dir/words" &
	process=$!
	wait_until "disconnect" is_disconnecting nb0
	kill -INT "$process"
	wait "$process" || status=$?
	[ "$status" = 1 ] || die "exit status $status"
	grep -q 'interrupted; the disconnect goes on' "$dir/words"
	! right_ctl connect nb0 2> "$dir/words" || die "a backend is connected while queues use it"
	kill -CONT "$main"
	wait_until "end of the disconnect" right_ctl connect nb0
	wait_until "recovery" answers
}

is_disconnecting()
{
	[[ $(right_ctl show endpoints "$1") == *" disconnecting "* ]]
}

link_down_and_up_are_seen_by_frontend_and_interface()
{
	local down up

	wait_until "carrier" has_carrier right nb0
	down=$(grep -c 'netns=right: link down' "$dir/main.log" || true)
	up=$(grep -c 'netns=right: link up' "$dir/main.log" || true)
	right_ctl link nb0 down
	wait_until "nbwire: link down" told main 'netns=right: link down' $((down + 1))
	wait_until "no carrier" has_no_carrier nb0
	right_ctl show endpoints nb0 | grep -q ' link down set-down '
	# What the operator wants stays with the endpoint, whatever is plugged in.
	right_ctl disconnect nb0
	right_ctl connect nb0
	has_no_carrier nb0
	right_ctl link nb0 up
	wait_until "nbwire: link up" told main 'netns=right: link up' $((up + 1))
	wait_until "carrier" has_carrier right nb0
	wait_until "ping" answers
}

other_offloads_restart_the_other_end_too()
{
	local offloads

	wire loop loopback,name=loop0,netns=right null
	right_ctl disconnect loop0
	wire offloads -v -O netdev,name=nb1,netns=left netdev,name=nb1,netns=right
	offloads=$wire
	[ "$(tso left)" = on ]

	right_ctl disconnect nb1
	right_ctl connect nb1 from loop0
	wait_until "restart of the other end" told offloads 'netns=left: restarted' 1
	wait_until "no TSO" tso_is off
	right_ctl disconnect nb1
	right_ctl connect nb1 from loop0
	wait_until "second restart of the other end" told offloads 'netns=left: restarted' 2
	wait_until "TSO" tso_is on
	end_wire "$offloads"
	[ "$status" = 0 ]
}

tso()
{
	on "$1" ethtool -k nb1 | sed -n 's/^tcp-segmentation-offload: \([a-z]*\).*/\1/p'
}

tso_is()
{
	[ "$(tso left)" = "$1" ]
}

a_backend_with_too_few_queues_ends_the_wire_with_words()
{
	local two

	wire one netdev,name=one0,netns=right null
	right_ctl disconnect one0
	wire two -q2 netdev,name=nb2,netns=left netdev,name=nb2,netns=right
	two=$wire
	right_ctl disconnect nb2
	right_ctl connect nb2 from one0
	wait_for_end "$two"
	[ "$status" = 1 ] || die "exit status $status"
	grep -q 'netns=right: has at most 1 queues; use a smaller -q' "$dir/two.log"
}

a_backend_that_is_gone_for_good_ends_the_wire_with_words()
{
	wire gone netdev,name=nb3,netns=left netdev,name=nb3,netns=right
	on right ip link del nb3
	wait_for_end "$wire"
	[ "$status" = 1 ] || die "exit status $status"
	grep -q 'netns=right: its backend has left: start nbwire again' "$dir/gone.log"
}

# ---- nbctl -------------------------------------------------------------------

monitor_tells_of_a_life_in_order()
{
	local life process expected seen

	ip netns exec right nbctl monitor > "$dir/monitor.log" 2>&1 &
	process=$!
	wait_until "monitor" speaks_up
	wire life netdev,name=life0,netns=right null
	life=$wire
	right_ctl disc life0
	right_ctl conn life0
	right_ctl link life0 down
	right_ctl link life0 up
	end_wire "$life"
	wait_until "end of life" grep -q ' deleted .* life0: ' "$dir/monitor.log"
	kill "$process"
	wait "$process" || true

	# The frontend stops the endpoint when it has noticed.
	expected="created disconnecting disconnected connected link link deleted"
	seen=$(awk '$1 ~ /^[0-9-]+T[0-9:]+\.[0-9]+$/ && $4 == "life0:" && $2 != "stopped" {
		print $2 }' "$dir/monitor.log" | xargs)
	[ "$seen" = "$expected" ] || die "seen: $seen"
}

# Something happens, again and again, until the monitor tells of it.
speaks_up()
{
	right_ctl link nb0 up
	[ -s "$dir/monitor.log" ]
}

who_lacks_cap_net_admin_is_refused_with_words()
{
	local before

	before=$(right_ctl show endpoints)
	for command in "link nb0 down" "disconnect nb0" "connect spare0"; do
		# shellcheck disable=SC2086 # several words
		fails 1 nobody_ctl $command
		grep -q 'CAP_NET_ADMIN' "$dir/words"
	done
	nobody_ctl show endpoints > "$dir/words"
	grep -q ': nb0: ' "$dir/words"
	[ "$(right_ctl show endpoints)" = "$before" ]
}

nobody_ctl()
{
	on right setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		--inh-caps=-all nbctl "$@"
}

mistakes_are_told_in_one_line()
{
	fails 1 right_ctl connect nb0
	grep -q 'a backend is plugged in' "$dir/words"
	fails 1 right_ctl disconnect spare0
	grep -q 'no backend is plugged in' "$dir/words"
	fails 1 right_ctl connect spare0 from spare0
	fails 1 right_ctl connect spare0 kind no_such
	fails 1 right_ctl link no_such up
	fails 1 right_ctl connect 4000000000
	fails 2 right_ctl connect nb0 from
	fails 2 right_ctl connect nb0 from spare0 kind null
	fails 2 right_ctl connect nb0 name x
	fails 2 right_ctl connect nb0 kind a_name_that_is_too_long
	fails 2 right_ctl connect nb0 kind netdev mtu 0
	fails 2 right_ctl disconnect
	fails 2 right_ctl disconnect nb0 timeout -1
	fails 2 right_ctl disconnect nb0 later
	fails 2 right_ctl link nb0
	fails 2 right_ctl link nb0 sideways
	fails 2 right_ctl monitor nb0
	fails 2 right_ctl xyz
}

namespaces=() wire="" sender="" status=0
begin_tests "${#claims[@]}"
join
check_claims "${claims[@]}"
