#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The programs of README.md and of Documentation/tutorial.rst do what is written there.
#
# shellcheck disable=SC2317 # functions are called by their names

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

ns=pong
pong="" made=""

clean_up()
{
	[ -z "$pong" ] || kill "$pong" 2> /dev/null || :
	wait 2> /dev/null || :
	[ -z "$made" ] || ip netns del "$ns"
	rm -rf "$dir"
}

the_first_program_gets_its_packet_back()
{
	[ "$(first 2>&1)" = "60 bytes in buffer 7: hello, world" ]
}

start_pong()
{
	ip netns add "$ns"
	made=1
	ip netns exec "$ns" pong 192.0.2.2 > "$dir/pong" 2>&1 &
	pong=$!
	wait_until "pong" grep -q "is behind" "$dir/pong"
	on "$ns" ip addr add 192.0.2.1/24 dev nb0
	on "$ns" ip link set nb0 up
	wait_until "carrier" has_carrier "$ns" nb0
}

# ping counts packets with a wrong checksum, too; the kernel counts those.
checksum_errors()
{
	on "$ns" cat /proc/net/snmp | awk '$1 == "Icmp:" { errors = $4 } END { print errors }'
}

the_frontend_of_the_tutorial_answers_ping()
{
	[ "$(head -n 1 "$dir/pong")" = "pong: 192.0.2.2 is behind nb0" ] &&
	on "$ns" ping -q -c 3 -i 0.1 192.0.2.2 | grep -q ' 3 received, 0% packet loss' &&
	on "$ns" ping -q -c 3 -i 0.1 -s 1400 192.0.2.2 | grep -q ' 3 received, 0% packet loss' &&
	[ "$(checksum_errors)" = 0 ]
}

it_goes_on_when_the_backend_is_plugged_out_and_in()
{
	on "$ns" nbctl disconnect nb0 && on "$ns" nbctl connect nb0 &&
	wait_until "carrier after connect" has_carrier "$ns" nb0 &&
	on "$ns" ping -q -c 3 -i 0.1 192.0.2.2 | grep -q ' 3 received, 0% packet loss' &&
	grep -q '^pong: link down' "$dir/pong" && grep -q '^pong: link up' "$dir/pong"
}

is_gone()
{
	! on "$ns" ip link show nb0
}

nothing_is_left_when_it_is_killed()
{
	kill -9 "$pong"
	wait_until "end of the interface" is_gone
}

begin_tests 4
modprobe net_backend
for claim in the_first_program_gets_its_packet_back the_frontend_of_the_tutorial_answers_ping \
	     it_goes_on_when_the_backend_is_plugged_out_and_in nothing_is_left_when_it_is_killed; do
	[ "$number" != 1 ] || start_pong
	status=0
	"$claim" || status=$?
	result "$claim" "$status"
done

exit "$failed"
