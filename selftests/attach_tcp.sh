#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# TCP through kind attach: one end of a pair of veth is taken over, nbwire joins it with a
# netdev endpoint in another network namespace.
#
#	left ── veth ── (attach) ── nbwire ── (netdev) nb0 ── right

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

left=(ip netns exec nb-left) right=(ip netns exec nb-right) wire="" server=""

# shellcheck disable=SC2317 # called by trap
clean_up()
{
	[ -z "$wire" ] || kill "$wire" 2> /dev/null || :
	[ -z "$server" ] || kill "$server" 2> /dev/null || :
	wait
	ip netns del nb-left 2> /dev/null || :
	ip netns del nb-right 2> /dev/null || :
	ip link del nb-lower 2> /dev/null || :
}

# The two namespaces, and nbwire with these options.
set_up()
{
	ip netns add nb-left
	ip netns add nb-right
	ip link add nb-lower type veth peer name veth0 netns nb-left
	ip link set nb-lower up
	"${left[@]}" ip addr add 192.0.2.1/24 dev veth0
	"${left[@]}" ip link set veth0 up
	nbwire "$@" attach,dev=nb-lower,promisc netdev,name=nb0,netns=nb-right > /dev/null &
	wire=$!
	wait_until "nb0" "${right[@]}" ip link show nb0
	"${right[@]}" ip addr add 192.0.2.2/24 dev nb0
	"${right[@]}" ip link set nb0 up
	wait_until "ping" "${left[@]}" ping -c 1 -W 1 192.0.2.2
}

add_vlan()
{
	"${left[@]}" ip link add link veth0 name tagged type vlan id 7
	"${left[@]}" ip addr add 198.51.100.1/24 dev tagged
	"${left[@]}" ip link set tagged up
	"${right[@]}" ip link add link nb0 name tagged type vlan id 7
	"${right[@]}" ip addr add 198.51.100.2/24 dev tagged
	"${right[@]}" ip link set tagged up
	wait_until "ping" "${left[@]}" ping -c 1 -W 1 198.51.100.2
}

# 4 MiB each way to that address.
tcp()
{
	local address=$1 reverse

	"${right[@]}" iperf3 -s > /dev/null &
	server=$!
	for reverse in "" -R; do
		wait_until "iperf3" "${left[@]}" iperf3 -c "$address" -n 4M ${reverse:+"$reverse"} || return 1
	done
	kill "$server"
	wait "$server" || :
	server=""
}

# job OPTION...: all of it, in a subshell of its own.
job()
(
	set -e
	trap clean_up EXIT
	set_up "$@"
	tcp 192.0.2.2
	add_vlan
	tcp 198.51.100.2
)

[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 4; }
modprobe net_backend 2> /dev/null || :

echo "TAP version 13"
echo "1..2"
status=0
job || status=$?
result tcp_passes_plain_and_tagged "$status"

status=0
job -O -b 64 || status=$?
result tcp_passes_with_offloads "$status"

exit "$failed"
