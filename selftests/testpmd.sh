#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A real driver that polls, DPDK's virtio-user in its testpmd, two ports of which nbvhost
# serves:
#
#	left  vm1 ── nbvhost ── virtqueues ── port 0 ─┐
#	                                              testpmd
#	right vm2 ── nbvhost ── virtqueues ── port 1 ─┘
#
# The kernel's pktgen, ping and TCP are at the ends. Whatever one side has sent the other one
# has counted, each packet once. It needs dpdk-testpmd with its driver for virtio, and stdbuf.
#
# shellcheck disable=SC2317 # functions are called by their names

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

left=dpdk-left right=dpdk-right
left_ip=192.0.2.1 right_ip=192.0.2.2
left_mac=02:00:00:00:00:01 right_mac=02:00:00:00:00:02
# Neither side's, so that the kernel answers nothing.
other_ip=192.0.2.9 other_mac=02:00:00:00:00:09
mtu=9000
# What testpmd sends at once.
burst=32
vhost="" testpmd="" left_process="" right_process=""

# Of each layout of the rings, in this order.
layouts="split packed"
checks=(
	ping_passes_with_packets_of_all_sizes
	it_forwards_each_packet_once_by_two_queues_both_ways
	it_answers_arp_and_ping_by_itself
	it_sends_as_many_packets_as_it_says
	it_receives_each_packet_that_is_sent_and_sends_none
	it_sends_until_it_is_stopped_and_each_packet_arrives
	tcp_leaves_a_file_as_it_was
	its_ports_are_stopped_and_go_on
	it_goes_on_with_one_queue_and_with_two_again
	tcp_passes_with_its_checksums_left_to_us
	tcp_passes_with_its_checksums_and_segments_left_to_us
)
claims=(
	drivers_without_mergeable_buffers_get_what_fits_into_one
	a_killed_nbvhost_is_seen_as_a_link_that_is_down
	the_next_testpmd_is_served_by_the_next_nbvhost
)

clean_up()
{
	local status=$?

	if [ "$status" != 0 ]; then
		echo "not ok $((number + 1)) ${claim:-set_up}"
		# there may be none of them yet
		tail -n 60 "$dir"/*.log 2> /dev/null | sed 's/^/# /' || true
	fi
	end_jobs
	ip netns del "$left" 2> /dev/null || true
	ip netns del "$right" 2> /dev/null || true
	[ -z "$unload" ] || modprobe -r net_backend
	[ ! -e "$dir/hugepages" ] || cat "$dir/hugepages" > /proc/sys/vm/nr_hugepages
	rm -rf "$dir"
}

# ---- the two ends ------------------------------------------------------------

make_networks()
{
	load_module
	modprobe pktgen
	cat /proc/sys/vm/nr_hugepages > "$dir/hugepages"
	echo 32 > /proc/sys/vm/nr_hugepages
	ip netns add "$left"
	ip netns add "$right"
	# Nothing is to be sent but what is counted.
	net_of "$left" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	net_of "$right" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	# In their /proc is what is there, without a process each time.
	ip netns exec "$left" sleep 100000 &
	left_process=$!
	ip netns exec "$right" sleep 100000 &
	right_process=$!
}

start_vhost()
{
	nbvhost -v -q 2 "$dir/1" "netdev,name=vm1,netns=$left,mtu=$mtu" \
		"$dir/2" "netdev,name=vm2,netns=$right,mtu=$mtu" > "$dir/vhost.log" 2>&1 &
	vhost=$!
	wait_until "nbvhost" grep -q '^nbvhost: ready' "$dir/vhost.log"
	set_up_end "$left" vm1 "$left_ip" "$left_mac" "$right_ip" "$right_mac"
	set_up_end "$right" vm2 "$right_ip" "$right_mac" "$left_ip" "$left_mac"
}

# set_up_end NAMESPACE INTERFACE IP MAC PEER-IP PEER-MAC
set_up_end()
{
	net_of "$1" ip -batch - <<-END
		address add $3/24 dev $2
		link set $2 address $4 up
		neighbour add $5 lladdr $6 nud permanent dev $2
	END
}

# counters PROCESS: sets received, received_bytes and sent to what its interface has.
counters()
{
	local name value=()

	while read -r name "value[0]" "value[1]" "value[2]" "value[3]" "value[4]" "value[5]" \
			"value[6]" "value[7]" "value[8]" "value[9]" _; do
		[[ $name != vm* ]] ||
			received=${value[1]} received_bytes=${value[0]} sent=${value[9]}
	done < "/proc/$1/net/dev"
}

# segments_of PROCESS: sets segments to how many TCP has sent there.
segments_of()
{
	local value

	# The second one of two such lines has the numbers.
	while read -r -a value; do
		[ "${value[0]}" != Tcp: ] || segments=${value[11]}
	done < "/proc/$1/net/snmp"
}

remember_counters()
{
	local received received_bytes sent

	counters "$left_process"
	left_received=$received left_bytes=$received_bytes left_sent=$sent
	counters "$right_process"
	right_received=$received right_bytes=$received_bytes right_sent=$sent
}

# have_received LEFT RIGHT [SIZE]: whether they have, since the counters were remembered, and
# each of that size.
have_received()
{
	local received received_bytes sent

	counters "$left_process"
	[ $((received - left_received)) = "$1" ] || return 1
	[ -z "${3:-}" ] || [ $((received_bytes - left_bytes)) = $(($1 * $3)) ] || return 1
	counters "$right_process"
	[ $((received - right_received)) = "$2" ] || return 1
	[ -z "${3:-}" ] || [ $((received_bytes - right_bytes)) = $(($2 * $3)) ]
}

# whether both sides have received so many, or more
have_received_some()
{
	local received received_bytes sent

	counters "$left_process"
	[ $((received - left_received)) -ge "$1" ] || return 1
	counters "$right_process"
	[ $((received - right_received)) -ge "$1" ]
}

# whether each side has received what the other one has sent
have_received_all()
{
	local received received_bytes sent from_left

	counters "$left_process"
	from_left=$((sent - left_sent))
	counters "$right_process"
	have_received $((sent - right_sent)) "$from_left"
}

# flood NAMESPACE INTERFACE SIZE QUEUES: 500 packets by each queue, in turn. pktgen never
# sleeps while a queue is full, so one CPU is for those who make room.
flood()
{
	net_of "$1" bash -e <<-END
		cd /proc/net/pktgen
		echo rem_device_all > kpktgend_0
		echo add_device $2 > kpktgend_0
		for line in "count $((500 * $4))" "pkt_size $3" "delay 0" "clone_skb 0" \
			    "dst $other_ip" "dst_mac $other_mac" \
			    "queue_map_min 0" "queue_map_max $(($4 - 1))"; do
			echo "\$line" > $2
		done
		echo start > pgctrl
	END
}

# flood_both SIZE QUEUES: from both sides at once
flood_both()
{
	local other

	flood "$left" vm1 "$1" "$2" &
	other=$!
	flood "$right" vm2 "$1" "$2"
	wait "$other"
}

# flood_through SIZE QUEUES: the same, and each side receives what the other one sends.
flood_through()
{
	flood_both "$1" "$2"
	wait_until "packets of $1 bytes" have_received $((500 * $2)) $((500 * $2)) "$1"
}

# copy_file TO FROM IP: from one side to the other one, where somebody listens
copy_file()
{
	local server

	ip netns exec "$1" nc -l -p 9000 -e dd "of=$dir/copy" 2> "$dir/server.log" &
	server=$!
	wait_until "nc -l" listens "$1"
	net_of "$2" nc "$3" 9000 < "$dir/file"
	wait "$server"
	cmp "$dir/file" "$dir/copy"
}

listens()
{
	[ -n "$(net_of "$1" ss -Hltn 'sport = :9000')" ]
}

# ---- testpmd -----------------------------------------------------------------

# start_testpmd OPTIONS OPTIONS1 OPTIONS2 OPTION…: those of DPDK's, of the devices, and its own
start_testpmd()
{
	local queues=2

	rm -f "$dir"/{commands,answers}
	mkfifo "$dir"/{commands,answers}
	# It polls, and is to give way to those whom it waits for.
	# shellcheck disable=SC2086 # several options
	chrt --idle 0 stdbuf -o0 dpdk-testpmd --lcores '0@(0,1),1@(0,1)' --no-pci --no-telemetry \
		--file-prefix "testpmd$$" $1 \
		--vdev "net_virtio_user0,path=$dir/1,queues=$queues,$2" \
		--vdev "net_virtio_user1,path=$dir/2,queues=$queues,$3" \
		-- -i --rxq=$queues --txq=$queues --total-num-mbufs=8192 \
		"${@:4}" \
		< "$dir/commands" > "$dir/answers" 2>&1 &
	testpmd=$!
	exec {commands}> "$dir/commands" {answers}< "$dir/answers"
	await_prompt
	tell "set burst tx delay 10 retry 1000000"
}

# Sets answer to what it has said.
await_prompt()
{
	local part="" status=0

	answer=""
	until [[ $part == *testpmd ]]; do
		IFS= read -r -d '>' -t "$patience" part <&"$answers" || status=$?
		answer+="$part>"
		printf '%s>' "$part" >> "$dir/testpmd.log"
		[ "$status" = 0 ] || die "testpmd has nothing to say"
	done
}

# ask COMMAND
ask()
{
	echo "$1" >&"$commands"
	await_prompt
}

# tell COMMAND…: one after the other, none of which fails
tell()
{
	local command problem="(Bad arguments|not found|[Ff]ail|[Ee]rror [dc]|Invalid|not supported)"

	for command; do
		ask "$command"
		! [[ $answer =~ $problem ]] || die "testpmd: $command"
	done
}

quit_testpmd()
{
	echo quit >&"$commands"
	cat <&"$answers" >> "$dir/testpmd.log"
	wait "$testpmd" || die "testpmd: exit status $?"
	exec {commands}>&- {answers}<&-
}

# forward MODE…
forward()
{
	remember_counters
	tell "set fwd $1" "start ${*:2}"
}

# Sets streams, a line each that has moved any: port/queue, received, sent, dropped; and
# port_sent, what all of them together have sent by each port.
stop_forwarding()
{
	local line name="" to="" part

	tell stop
	streams="" port_sent=(0 0)
	while read -r line; do
		if [[ $line =~ RX\ Port=\ *([0-9]+)/Queue=\ *([0-9]+).*TX\ Port=\ *([0-9]+) ]]; then
			name=${BASH_REMATCH[1]}/${BASH_REMATCH[2]} to=${BASH_REMATCH[3]}
		elif [[ $line == RX-packets:*TX-packets:*TX-dropped:* ]]; then
			read -r -a part <<< "$line"
			streams+="$name ${part[1]} ${part[3]} ${part[5]}"$'\n'
			port_sent[to]=$((port_sent[to] + part[3]))
		fi
	done <<< "$answer"
}

# each_stream RECEIVED SENT STREAM…: each of these has moved so many, and dropped none.
each_stream()
{
	[ "$streams" = "$(printf "%s $1 $2 0\n" "${@:3}")"$'\n' ] || die "streams:" "$streams"
}

# each_has_only_sent STREAM…: each of these some packets, and dropped none.
each_has_only_sent()
{
	local stream received sent dropped seen=""

	while read -r stream received sent dropped; do
		[[ $received == 0 && $sent -gt 0 && $dropped == 0 ]] || die "streams:" "$streams"
		seen+=" $stream"
	done <<< "${streams%$'\n'}"
	[ "$seen" = " $*" ] || die "streams:" "$streams"
}

# ports_have RX|TX N0 N1 SIZE: whether its driver has counted so many at the ports, all of that
# size, since that was cleared.
ports_have()
{
	local port packets=("$2" "$3") counted

	for port in 0 1; do
		ask "show port stats $port"
		counted="$1-packets: ${packets[port]} +$1-(missed|errors): 0 +$1-bytes: +$((packets[port] * $4))[^0-9]"
		[[ $answer =~ $counted ]] || return 1
	done
}

# all_streams N: all of them together have moved so many, and dropped none.
all_streams()
{
	local total="Accumulated.*RX-packets: $1 .*TX-packets: $1 +TX-dropped: 0 "

	[[ $answer =~ $total ]] || die "streams: $answer"
}

# ---- checks of each layout ---------------------------------------------------

check_layout()
{
	local check

	layout=$1
	claim=${layout}_rings_are_served
	start_testpmd_of_layout
	for check in "${checks[@]}"; do
		claim=${layout}_rings_$check
		"$check"
		result "$claim" 0
	done
	quit_testpmd
}

# start_testpmd_of_layout OPTION…
start_testpmd_of_layout()
{
	local device=queue_size=256 memory="--in-memory --single-file-segments"

	if [ "$layout" = packed ]; then
		device+=,packed_vq=1
		memory="--no-huge -m 128"
	fi
	# Packets may be in several pieces, both ways.
	start_testpmd "$memory" "$device" "$device" \
		--max-pkt-len=$((mtu + 30)) --enable-scatter --tx-offloads=0x8000 "$@"
}

ping_passes_with_packets_of_all_sizes()
{
	local size

	forward "io retry"
	for size in 0 18 1472 2020 8972; do
		pings "$left" 10 "$right_ip" -s "$size"
	done
	have_received 50 50
	stop_forwarding
}

it_forwards_each_packet_once_by_two_queues_both_ways()
{
	local size

	for size in 60 1514 $((mtu + 14)); do
		forward "io retry"
		flood_through "$size" 2
		stop_forwarding
		each_stream 500 500 0/0 1/0 0/1 1/1
	done
}

it_answers_arp_and_ping_by_itself()
{
	tell "set portlist 0"
	forward icmpecho
	net_of "$left" ping -q -c 1 -W "$patience" "$other_ip" > "$dir/ping.log"
	pings "$left" 10 "$other_ip" -s 1472
	stop_forwarding
	tell "set portlist 0,1"
}

it_sends_as_many_packets_as_it_says()
{
	local bytes n=$((8 * burst))

	# The last ones are in three pieces.
	for bytes in 64 1514 64,400,1000; do
		tell "set txpkts $bytes"
		forward rxonly tx_first 8
		wait_until "packets of $bytes bytes" have_received $((2 * n)) $((2 * n))
		stop_forwarding
		each_stream 0 $n 0/0 1/0 0/1 1/1
	done
}

it_receives_each_packet_that_is_sent_and_sends_none()
{
	local size

	for size in 60 590 1514 $((mtu + 14)); do
		tell "clear port stats all"
		forward rxonly
		flood_both "$size" 2
		wait_until "packets of $size bytes at the ports" ports_have RX 1000 1000 "$size"
		stop_forwarding
		each_stream 500 0 0/0 1/0 0/1 1/1
		have_received 0 0
	done
}

it_sends_until_it_is_stopped_and_each_packet_arrives()
{
	local pieces size

	# The longest ones are as long as the MTU allows.
	for pieces in 64 1514 64,400,1000 2000,2000,2000,2000,$((mtu + 14 - 8000)); do
		size=$((${pieces//,/+}))
		tell "set txpkts $pieces" "clear port stats all"
		forward "txonly retry"
		wait_until "some packets of $size bytes" have_received_some 1000
		stop_forwarding
		each_has_only_sent 0/0 1/0 0/1 1/1
		ports_have TX "${port_sent[@]}" "$size" || die "ports: $answer"
		wait_until "${port_sent[*]} packets of $size bytes" \
			have_received "${port_sent[@]}" "$size"
	done
}

tcp_leaves_a_file_as_it_was()
{
	head -c 300000 /dev/urandom > "$dir/file"
	forward "io retry"
	copy_file "$right" "$left" "$right_ip"
	copy_file "$left" "$right" "$left_ip"
	wait_until "all packets" have_received_all
	stop_forwarding
}

its_ports_are_stopped_and_go_on()
{
	for _ in 1 2; do
		tell "port stop all" "port start all"
		forward "io retry"
		flood_through 1514 2
		stop_forwarding
		each_stream 500 500 0/0 1/0 0/1 1/1
	done
}

set_queues()
{
	tell "port stop all" "port config all rxq $1" "port config all txq $1" "port start all"
}

it_goes_on_with_one_queue_and_with_two_again()
{
	set_queues 1
	forward "io retry"
	flood_through 1514 1
	stop_forwarding
	all_streams 1000
	set_queues 2
	forward "io retry"
	flood_through 1514 2
	stop_forwarding
	each_stream 500 500 0/0 1/0 0/1 1/1
}

# leave_checksums [COMMAND…]: of TCP and UDP, both ways, and what these commands say of a PORT
leave_checksums()
{
	local port

	tell "port stop all"
	for port in 0 1; do
		tell "port config $port rx_offload tcp_cksum on" \
			"port config $port rx_offload udp_cksum on" \
			"csum set tcp hw $port" "csum set udp hw $port" \
			"csum mac-swap off $port" "${@//PORT/$port}"
	done
	tell "port start all"
}

# copy_file_by_csum BYTES: a file each way
copy_file_by_csum()
{
	head -c "$1" /dev/urandom > "$dir/file"
	forward "csum retry"
	copy_file "$right" "$left" "$right_ip"
	copy_file "$left" "$right" "$left_ip"
	wait_until "all packets" have_received_all
	stop_forwarding
}

tcp_passes_with_its_checksums_left_to_us()
{
	leave_checksums
	copy_file_by_csum 300000
}

tcp_passes_with_its_checksums_and_segments_left_to_us()
{
	local received received_bytes sent segments

	# With packed rings, ids of DPDK's driver are wrong if a packet is in eight pieces or
	# more; see vhost-user.rst. So there are buffers of which five hold the longest one.
	if [ "$layout" = packed ]; then
		quit_testpmd
		start_testpmd_of_layout --mbuf-size=16384 --total-num-mbufs=3072
	fi
	leave_checksums "port config PORT rx_offload tcp_lro on" "tso set 1448 PORT"
	net_of "$left" ip link set vm1 mtu 1500
	net_of "$right" ip link set vm2 mtu 1500
	segments_of "$left_process"
	left_segments=$segments
	segments_of "$right_process"
	right_segments=$segments
	copy_file_by_csum 1000000
	# Without offloads, each segment would be a packet.
	counters "$left_process"
	segments_of "$left_process"
	[ $((sent - left_sent)) -lt $((segments - left_segments)) ] ||
		die "from the left: $((sent - left_sent)) packets"
	segments_of "$right_process"
	[ $((received - left_received)) -lt $((segments - right_segments)) ] ||
		die "to the left: $((received - left_received)) packets"
	net_of "$left" ip link set vm1 mtu "$mtu"
	net_of "$right" ip link set vm2 mtu "$mtu"
}

# ---- claims ------------------------------------------------------------------

drivers_without_mergeable_buffers_get_what_fits_into_one()
{
	start_testpmd "--in-memory --single-file-segments" mrg_rxbuf=0,vectorized=1 \
		mrg_rxbuf=0,packed_vq=1
	forward "io retry"
	flood_through 1514 2
	stop_forwarding
	each_stream 500 500 0/0 1/0 0/1 1/1
}

a_killed_nbvhost_is_seen_as_a_link_that_is_down()
{
	kill -KILL "$vhost"
	{ wait "$vhost" || true; } 2> /dev/null
	wait_until "link down" link_is_down 0
	wait_until "link down" link_is_down 1
}

# link_is_down PORT
link_is_down()
{
	ask "show port info $1"
	[[ $answer == *"Link status: down"* ]]
}

the_next_testpmd_is_served_by_the_next_nbvhost()
{
	# It cannot detach its ports any more: DPDK 22.11 dies of that.
	kill -KILL "$testpmd"
	{ wait "$testpmd" || true; } 2> /dev/null
	exec {commands}>&- {answers}<&-
	start_vhost
	start_testpmd "--in-memory --single-file-segments" packed_vq=1 queue_size=1024
	forward "io retry"
	flood_through 60 2
	stop_forwarding
	each_stream 500 500 0/0 1/0 0/1 1/1
	quit_testpmd
}

command -v dpdk-testpmd > /dev/null || { echo "1..0 # SKIP there is no dpdk-testpmd"; exit 4; }
# shellcheck disable=SC2086 # several words
set -- $layouts
begin_tests $(($# * ${#checks[@]} + ${#claims[@]}))
make_networks
start_vhost
for layout in $layouts; do
	check_layout "$layout"
done
check_claims "${claims[@]}"
