#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The programs of README.md, and of tutorial.rst and device-model.rst in Documentation/, do
# what is written there.
#
# shellcheck disable=SC2317 # functions are called by their names

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

ns=examples
process="" made=""

clean_up()
{
	[ -z "$process" ] || kill "$process" 2> /dev/null || :
	wait 2> /dev/null || :
	[ -z "$made" ] || ip netns del "$ns"
	rm -rf "$dir"
}

# start PROGRAM ARGUMENT…: what it says goes to $said. Its interface is nb0.
start()
{
	said=$dir/$1
	forget
	ip netns exec "$ns" "$@" >> "$said" 2>&1 &
	process=$!
	wait_until "$*" grep -q "is behind" "$said"
	on "$ns" ip addr add 192.0.2.1/24 dev nb0
	on "$ns" ip link set nb0 up
}

is_gone()
{
	! on "$ns" ip link show nb0
}

end()
{
	kill -9 "$process"
	wait "$process" 2> /dev/null || :
	process=""
	wait_until "end of the interface" is_gone
}

# What has been said until now.
forget()
{
	: > "$said"
}

has_said()
{
	grep -q "^$1" "$said"
}

# ping counts packets with a wrong checksum, too; the kernel counts those.
checksum_errors()
{
	on "$ns" cat /proc/net/snmp | awk '$1 == "Icmp:" { errors = $4 } END { print errors }'
}

# answers TIMES ARGUMENT…: all of so many pings
answers()
{
	pings "$ns" "$1" 192.0.2.2 "${@:2}" && [ "$(checksum_errors)" = 0 ]
}

# Of 200, which are more than its rings of 64 have room for.
many_answers()
{
	local burst

	for burst in {1..10}; do
		answers 20 || { say "burst $burst: $(grep transmitted "$dir/ping.log")"; return 1; }
	done
}

# What is said about it begins with who says it.
goes_on_without_and_with_a_backend()
{
	on "$ns" nbctl disconnect nb0 && wait_until "link down" has_said "$1: link down" &&
	on "$ns" nbctl connect nb0 && wait_until "link up" has_said "$1: link up" &&
	wait_until "carrier after connect" has_carrier "$ns" nb0 &&
	answers 3
}

the_first_program_gets_its_packet_back()
{
	[ "$(first 2>&1)" = "60 bytes in buffer 7: hello, world" ]
}

the_frontend_of_the_tutorial_answers_ping()
{
	start pong 192.0.2.2
	wait_until "carrier" has_carrier "$ns" nb0
	[ "$(head -n 1 "$said")" = "pong: 192.0.2.2 is behind nb0" ] &&
	answers 3 && answers 3 -s 1400
}

it_goes_on_when_the_backend_is_plugged_out_and_in()
{
	goes_on_without_and_with_a_backend pong
}

nothing_is_left_when_it_is_killed()
{
	end
}

# Which are 98 bytes each, and another 42 for ARP.
answers_are_short()
{
	[ "$(on "$ns" cat /sys/class/net/nb0/statistics/rx_bytes)" -lt 1000 ]
}

the_guest_behind_the_device_model_answers_ping()
{
	start device 192.0.2.2
	wait_until "carrier" has_carrier "$ns" nb0
	[ "$(head -n 1 "$said")" = "device: 192.0.2.2 is behind nb0" ] &&
	answers 3 && answers_are_short && answers 3 -s 1400 && many_answers
}

# Nothing is complete at once.
so_it_does_when_the_kernel_polls()
{
	end
	start device -p 192.0.2.2
	wait_until "carrier" has_carrier "$ns" nb0
	many_answers && goes_on_without_and_with_a_backend guest
}

# The device takes the guest's buffers anew, and all that are left.
its_guest_goes_on_when_the_backend_is_plugged_out_and_in()
{
	forget
	goes_on_without_and_with_a_backend guest && many_answers
}

its_guest_sees_the_link()
{
	forget
	on "$ns" nbctl link nb0 down && wait_until "link down" has_said "guest: link down" &&
	! has_said "guest: link up" &&
	on "$ns" nbctl link nb0 up && wait_until "link up" has_said "guest: link up" &&
	wait_until "carrier" has_carrier "$ns" nb0 && answers 3
}

# A buffer that is nowhere is found when a packet comes.
goes_on_after_mistake()
{
	start device -b "$1" 192.0.2.2
	wait_until "an answer after $1" on "$ns" ping -q -c 1 -W 1 192.0.2.2
	answers 3 -s 1400 && has_said "guest: the NIC has found a mistake"
}

its_guest_is_told_of_each_mistake_and_goes_on_after_a_reset()
{
	local mistake

	for mistake in address length flags chain pieces buffer rx-flags ring entries everything; do
		end
		goes_on_after_mistake "$mistake" || die "$mistake: $(tail -n 1 "$said")"
	done
}

it_stands_still_after_a_mistake_until_it_is_reset()
{
	end
	start device -b for-good 192.0.2.2
	wait_until "error" has_said "guest: the NIC has found a mistake"
	! has_carrier "$ns" nb0 && ! on "$ns" ping -q -c 1 -W 1 192.0.2.2 > /dev/null &&
	kill -0 "$process"
}

begin_tests 10
modprobe net_backend
ip netns add "$ns"
made=1
for claim in the_first_program_gets_its_packet_back the_frontend_of_the_tutorial_answers_ping \
	     it_goes_on_when_the_backend_is_plugged_out_and_in nothing_is_left_when_it_is_killed \
	     the_guest_behind_the_device_model_answers_ping \
	     its_guest_goes_on_when_the_backend_is_plugged_out_and_in its_guest_sees_the_link \
	     so_it_does_when_the_kernel_polls \
	     its_guest_is_told_of_each_mistake_and_goes_on_after_a_reset \
	     it_stands_still_after_a_mistake_until_it_is_reset; do
	status=0
	"$claim" || status=$?
	result "$claim" "$status"
done

exit "$failed"
