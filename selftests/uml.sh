#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A real guest, see uml_lib.sh.
#
# shellcheck disable=SC2317 # functions are called by their names

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh
# shellcheck source-path=SCRIPTDIR source=guest_lib.sh
. ./guest_lib.sh
# shellcheck source-path=SCRIPTDIR source=uml_lib.sh
. ./uml_lib.sh

bytes=2M

claims=(
	a_guest_boots_and_gets_an_address
	it_answers_and_is_answered
	it_sends_by_tcp
	it_receives_by_tcp
	a_file_comes_as_it_was_sent
	a_file_goes_as_it_was_sent
	a_backend_that_is_plugged_out_and_in_does_not_end_a_connection
	an_nbvhost_that_begins_again_in_place_does_not_end_a_connection
	the_guest_sees_that_its_link_is_down_and_up
	it_lives_on_when_nbvhost_is_killed
	the_next_guest_is_served_by_the_next_nbvhost
	a_guest_has_one_pair_of_rings_until_it_wants_two
	its_flows_come_to_the_pairs_that_its_table_says
)

clean_up()
{
	local status=$?

	if [ "$status" != 0 ]; then
		echo "not ok $((number + 1)) ${claim:-set_up}"
		# there may be none of them yet
		tail -n 30 "$dir"/*.log "$dir"/guest/*.out 2> /dev/null | sed 's/^/# /' || true
	fi
	end_network
	rm -rf "$dir"
}

# ---- claims ------------------------------------------------------------------

a_guest_boots_and_gets_an_address()
{
	boot
	gets_address
}

it_answers_and_is_answered()
{
	pings "$ns" 3 "$guest_ip"
	guest_pings 3 -s 1400
}

it_sends_by_tcp()
{
	run_iperf -n "$bytes"
}

it_receives_by_tcp()
{
	run_iperf -R -n "$bytes"
}

a_file_comes_as_it_was_sent()
{
	head -c 500000 /dev/urandom > "$dir/file"
	serve cat "$dir/file"
	in_guest "nc $host_ip 9000 < /dev/null | sha256sum"
	[ "$(cat "$answer.out")" = "$(sha256sum < "$dir/file")" ]
}

a_file_goes_as_it_was_sent()
{
	serve dd "of=$dir/copy"
	in_guest "nc $host_ip 9000 < $dir/file"
	wait "$server"
	cmp "$dir/file" "$dir/copy"
}

a_backend_that_is_plugged_out_and_in_does_not_end_a_connection()
{
	serve dd "of=$dir/copy"
	tell "for i in 1 2 3 4 5 6; do cat $dir/file; usleep 200000; done | nc $host_ip 9000"
	wait_until "data" [ -s "$dir/copy" ]
	for _ in 1 2 3; do
		on "$ns" nbctl disconnect vm1
		on "$ns" nbctl connect vm1
	done
	wait "$server"
	cat "$dir"/{file,file,file,file,file,file} | cmp - "$dir/copy"
}

an_nbvhost_that_begins_again_in_place_does_not_end_a_connection()
{
	serve dd "of=$dir/copy"
	tell "for i in 1 2 3 4 5 6; do cat $dir/file; usleep 200000; done | nc $host_ip 9000"
	wait_until "data" [ -s "$dir/copy" ]
	for _ in 1 2 3; do
		begin_again
	done
	wait "$server"
	cat "$dir"/{file,file,file,file,file,file} | cmp - "$dir/copy"
	serve cat "$dir/copy"
	tell "nc $host_ip 9000 < /dev/null | sha256sum"
	begin_again
	wait_until "a file" [ -e "$answer.status" ]
	[ "$(cat "$answer.out")" = "$(sha256sum < "$dir/copy")" ]
}

the_guest_sees_that_its_link_is_down_and_up()
{
	on "$ns" nbctl link vm1 down
	in_guest "until ip link show eth0 | grep -q NO-CARRIER; do usleep 50000; done"
	on "$ns" nbctl link vm1 up
	in_guest "while ip link show eth0 | grep -q NO-CARRIER; do usleep 50000; done"
	on "$ns" ping -q -c 1 -W 5 "$guest_ip"
}

it_lives_on_when_nbvhost_is_killed()
{
	kill_vhost
	in_guest "cat /proc/uptime"
	tell "poweroff -f"
	wait_until "end of the guest" has_ended "$guest"
}

the_next_guest_is_served_by_the_next_nbvhost()
{
	start_vhost 2
	boot
	gets_address
	gets_an_answer
}

a_guest_has_one_pair_of_rings_until_it_wants_two()
{
	[ "$(pairs)" = 1 ]
	in_guest "ethtool -L eth0 combined 2"
	[ "$(pairs)" = 2 ]
	gets_an_answer
	run_iperf -P 4 -n "$bytes"
}

# Those that the endpoint has.
pairs()
{
	on "$ns" ethtool -l vm1 | sed -n 's/^Combined:\s*//p' | tail -n 1
}

its_flows_come_to_the_pairs_that_its_table_says()
{
	in_guest "ethtool -X eth0 equal 2"
	in_guest "ethtool -x eth0 | grep -v eth0"
	on "$ns" ethtool -x vm1 | grep -v vm1 | cmp - "$answer.out"
	comes_to 0 1
	in_guest "ethtool -X eth0 weight 0 1"
	comes_to 1
	in_guest "ethtool -X eth0 weight 1 0"
	comes_to 0
}

# comes_to PAIR…: what the host sends comes to each of these, and to no other.
comes_to()
{
	local received before

	count_received
	before=("${received[@]}")
	# shellcheck disable=SC2016 # expanded by the inner shell
	on "$ns" bash -c 'for port in {9100..9139}; do echo > "/dev/udp/$0/$port"; done' "$guest_ip"
	gets_an_answer
	wait_until "packets of pairs $*" have_come "$@"
}

have_come()
{
	local pair

	count_received
	for pair in 0 1; do
		if [[ " $* " == *" $pair "* ]]; then
			((received[pair] > before[pair])) || return 1
		else
			((received[pair] == before[pair])) || return 1
		fi
	done
}

# Sets received to what has come to each pair.
count_received()
{
	in_guest "ethtool -S eth0"
	mapfile -t received < <(sed -nE 's/^ *rx(_queue_)?[01]_packets: //p' "$answer.out")
}

command -v linux.uml > /dev/null || { echo "1..0 # SKIP there is no linux.uml"; exit 4; }
begin_tests "${#claims[@]}"
make_network
start_vhost 1
check_claims "${claims[@]}"
