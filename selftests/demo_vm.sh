#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Shows a real guest that net_backend serves, unmodified: a second Linux kernel, User-Mode Linux,
# whose driver is virtio_net.  "make demo-vm" runs it in a virtual machine; see uml_lib.sh for
# what it needs.  iperf3 sends for five seconds each way, or for NB_DEMO_SECONDS.
#
#  guest, Linux as a process                 network namespace "guests"
#  ┌──────────────────────────┐              ┌──────────────────────────────┐
#  │ udhcpc, ping, iperf3, nc │              │ DHCP server, iperf3 -s, nc   │
#  │ eth0, virtio_net         │              │ bridge br0, 192.0.2.1        │
#  └────────────┬─────────────┘              │ interface vm1                │
#    virtqueues, vhost-user                  └────────────┬─────────────────┘
#  ┌────────────┴─────────────┐                endpoint, kind netdev
#  │ nbvhost                  ├───────── rings ───────────┘
#  └──────────────────────────┘

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh
# shellcheck source-path=SCRIPTDIR source=guest_lib.sh
. ./guest_lib.sh
# shellcheck source-path=SCRIPTDIR source=uml_lib.sh
. ./uml_lib.sh

seconds=${NB_DEMO_SECONDS:-5}
file_size=$((16 * 1024 * 1024))

# lib.sh tells in this way what has gone wrong.
say()
{
	echo "demo: $*" >&2
}

clean_up()
{
	local status=$?

	# there may be none of them yet
	[ "$status" = 0 ] || tail -n 20 "$dir"/*.log 2> /dev/null >&2 || true
	end_network
	rm -rf "$dir"
}

boot_guest()
{
	local begin=$SECONDS

	boot
	in_guest "uname -srm"
	step "guest: $(cat "$answer.out") has booted in $((SECONDS - begin)) s," \
		"a process of the host, $(uname -sr)"
	gets_address || die "the guest has got no address: $(cat "$answer.out")"
	step "DHCP: the guest has got $guest_ip from the host"
}

ping_both()
{
	pings "$ns" 5 "$guest_ip" || die "ping: the guest does not answer"
	guest_pings 5 || die "ping: the host does not answer"
	step "ping: 5 of 5 came back, and 5 of 5"
}

# iperf DIRECTION [OPTION]: what the guest has sent, or received.
iperf()
{
	run_iperf -J -t "$seconds" "${@:2}"
	step "iperf3, TCP, $1: $(jq -r '.end.sum_received |
		"\(.bits_per_second / 1e4 | floor / 100) Mbit/s, \(.bytes / 1048576 | floor) MiB"' \
		"$answer.out") in $seconds s"
}

send_file()
{
	local sum

	head -c "$file_size" /dev/urandom > "$dir/file"
	sum=$(sha256sum < "$dir/file")
	serve cat "$dir/file"
	in_guest "nc $host_ip 9000 < /dev/null | sha256sum"
	[ "$(cat "$answer.out")" = "$sum" ] || die "file: the guest has received another one"
	step "file: 16 MiB, SHA-256 ${sum:0:16}… in host and guest"
}

# Under a connection.
swap_backend()
{
	serve cat "$dir/file"
	tell "nc $host_ip 9000 < /dev/null | sha256sum"
	for _ in 1 2 3; do
		on "$ns" nbctl disconnect vm1
		on "$ns" nbctl connect vm1
	done
	wait_until "file" [ -e "$answer.status" ]
	[ "$(cat "$answer.out")" = "$(sha256sum < "$dir/file")" ] ||
		die "file: not the same after the backend was exchanged"
	step "nbctl disconnect, connect: three times, and a transfer of 16 MiB went on"
}

report()
{
	echo
	echo "$bold\$ ip netns exec $ns nbctl show$plain"
	on "$ns" nbctl show
	echo
}

stop()
{
	tell "poweroff -f"
	wait_until "end of the guest" has_ended "$guest"
	guest=""
	kill -TERM "$vhost"
	wait "$vhost" || die "nbvhost: exit status $?"
	step "end: the guest is off, nbvhost has stopped"
}

[ "$(id -u)" = 0 ] || die "needs root"
command -v linux.uml > /dev/null || die "there is no linux.uml, package user-mode-linux"
dir=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM

make_network
start_vhost 1
step "nbvhost: serves vhost-user at a socket, by an endpoint whose interface is in the bridge br0"
boot_guest
ping_both
iperf "guest to host"
iperf "host to guest" -R
send_file
swap_backend
report
stop
echo "demo: all of it worked, in $SECONDS s"
