#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# TCP between three guests of switch sw0, whose uplink up0 is in this network namespace, and
# with the world behind a bridge.  Run by switch_uplink, which has made switch and uplink.
#
#	nb-g1 ── (netdev) nb0 ── nbwire ── (switch) ─┐
#	nb-g2 ── (netdev) nb0 ── nbwire ── (switch) ─┼─ sw0 ─ up0 ── br0 ── veth ── nb-world
#	nb-g3 ── (netdev) nb0 ── nbwire ── (switch) ─┘

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

on()
{
	ip netns exec "nb-$1" "${@:2}"
}

# shellcheck disable=SC2317 # called by trap
clean_up()
{
	local name

	# shellcheck disable=SC2046 # several processes
	kill $(jobs -p) 2> /dev/null || :
	wait
	for name in g1 g2 g3 world; do
		ip netns del "nb-$name" 2> /dev/null || :
	done
}
trap clean_up EXIT

# guest NUMBER
guest()
{
	ip netns add "nb-g$1"
	nbwire "netdev,name=nb0,netns=nb-g$1" switch,switch=sw0 > /dev/null &
	wait_until "nb0" on "g$1" ip link show nb0
	on "g$1" ip addr add "192.0.2.$1/24" dev nb0
	on "g$1" ip link set nb0 up
}

world()
{
	ip netns add nb-world
	ip link add br0 type bridge
	ip link add w0 type veth peer name w1 netns nb-world
	ip link set up0 master br0
	ip link set w0 master br0
	for name in up0 w0 br0; do
		ip link set "$name" up
	done
	on world ip addr add 192.0.2.9/24 dev w1
	on world ip link set w1 up
}

# tcp FROM TO ADDRESS: 2 MiB each way.
tcp()
{
	local server reverse

	wait_until "ping" on "$1" ping -c 1 -W 1 "$3"
	# Not a function: what is killed is to be the server.
	ip netns exec "nb-$2" iperf3 -s > /dev/null &
	server=$!
	for reverse in "" -R; do
		wait_until "iperf3" on "$1" iperf3 -c "$3" -n 2M ${reverse:+"$reverse"}
	done
	kill "$server"
	wait "$server" || :
	echo "# TCP passes between $1 and $2"
}

for i in 1 2 3; do
	guest "$i"
done
world
tcp g1 g2 192.0.2.2
tcp g3 g1 192.0.2.1
tcp g2 world 192.0.2.9
tcp world g3 192.0.2.3
