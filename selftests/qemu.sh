#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A real VMM, QEMU with "-netdev vhost-user", whose guest is a Debian cloud kernel; see
# guest_lib.sh, and vm/qemu-guest for what it needs.  The guest is told what to do by a serial
# port, see qemu_init.sh.
#
# QEMU emulates SVM, too, so that even in a machine that is emulated KVM runs the guest.  Without
# KVM a machine would be emulated in one that is, and not boot within half an hour.
#
# shellcheck disable=SC2317 # functions are called by their names

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh
# shellcheck source-path=SCRIPTDIR source=guest_lib.sh
. ./guest_lib.sh

files=/usr/share/qemu-guest
bound=/bound
# So long may an answer take, and the kernel's boot, the first time.
patience=600 boot_patience=200
to_guest="" from_guest="" to_monitor="" from_monitor=""
answer=""

claims=(
	a_guest_boots_and_gets_an_address
	it_answers_and_is_answered
	a_file_comes_as_it_was_sent
	a_file_goes_as_it_was_sent
	a_backend_that_is_plugged_out_and_in_does_not_end_a_connection
	an_nbvhost_that_begins_again_in_place_does_not_end_a_connection
	the_guest_sees_that_there_is_no_nbvhost
	the_next_nbvhost_serves_the_same_guest
	a_connection_survives_that_the_guest_migrates
	a_file_goes_through_packed_rings
	a_file_comes_through_packed_rings
	a_connection_survives_that_a_guest_with_packed_rings_migrates
)

clean_up()
{
	local status=$?

	if [ "$status" != 0 ]; then
		echo "not ok $((number + 1)) ${claim:-set_up}"
		# there may be none of them yet
		tail -n 30 "$dir"/*.log "$dir"/answer.out 2> /dev/null | sed 's/^/# /' || true
	fi
	end_network
	rm -rf "$dir"
}

# ---- the guest ---------------------------------------------------------------

# start_qemu RINGS [OPTION…]: with a guest that has packed rings or split ones.  QEMU connects again
# when nbvhost is another one.
start_qemu()
{
	local memory=128M channel packed=off

	[ "$1" = split ] || packed=on
	shift
	for channel in command monitor; do
		rm -f "$dir/$nic-$channel".{in,out}
		mkfifo "$dir/$nic-$channel".{in,out}
	done
	qemu-system-x86_64 -accel kvm -cpu host -m "$memory" -nodefaults -no-user-config \
		-display none -no-reboot \
		-object "memory-backend-memfd,id=memory,size=$memory,share=on" \
		-machine pc,memory-backend=memory \
		-chardev "socket,id=vhost,path=$dir/$nic,reconnect=1" \
		-netdev vhost-user,id=net,chardev=vhost \
		-device "virtio-net-pci,netdev=net,romfile=,packed=$packed" \
		-kernel "$files/vmlinux" -initrd "$files/initramfs" \
		-append "console=ttyS0 panic=-1 tsc=reliable no_timer_check mitigations=off lpj=4000000" \
		-serial "file:$dir/$nic-console.log" \
		-chardev "pipe,id=command,path=$dir/$nic-command" -serial chardev:command \
		-monitor "pipe:$dir/$nic-monitor" "$@" > "$dir/$nic-qemu.log" 2>&1 &
	guest=$!
	exec {to_guest}<> "$dir/$nic-command.in" {from_guest}<> "$dir/$nic-command.out" \
		{to_monitor}<> "$dir/$nic-monitor.in" {from_monitor}<> "$dir/$nic-monitor.out"
}

# boot RINGS: until the guest listens.  Not every kernel in a machine in an emulated machine comes
# as far as to its first process.  That has not seen the device yet, so another one is begun; who
# has begun has to go on.
boot()
{
	local line try wait

	for try in 1 2 3; do
		wait=$((try * boot_patience))
		start_qemu "$1"
		if read -r -t "$wait" -u "$from_guest" line; then
			[ "$line" = begin ] || die "guest: it begins with: $line"
			hear "boot"
			return
		fi
		say "try $try: no first process within $wait s:"
		tail -n 5 "$dir/$nic"-{console,qemu}.log | sed 's/^/# /'
		kill -KILL "$guest"
		{ wait "$guest" || true; } 2> /dev/null
		hang_up
	done
	die "guest: it does not boot"
}

hang_up()
{
	exec {to_guest}>&- {from_guest}>&- {to_monitor}>&- {from_monitor}>&-
}

halt()
{
	tell "poweroff -f"
	wait_until "end of the guest" has_ended "$guest"
	hang_up
}

# migrate RINGS NIC: the guest, which is told nothing, to another QEMU, nbvhost and endpoint.
migrate()
{
	local monitor=$to_monitor left=("$to_guest" "$from_guest" "$to_monitor" "$from_monitor")
	local vhost_before=$vhost guest_before=$guest fd

	nic=$2
	start_vhost 1
	start_qemu "$1" -incoming "unix:$dir/migration"
	wait_until "QEMU" [ -S "$dir/migration" ]
	# The second command waits for the first one.
	printf '%s\n' "migrate unix:$dir/migration" quit >&"$monitor"
	wait_until "end of the QEMU that it leaves" has_ended "$guest_before"
	for fd in "${left[@]}"; do
		exec {fd}>&-
	done
	kill "$vhost_before"
	wait "$vhost_before"
	# It says so if the back-end cannot announce the guest.
	! grep -i rarp "$dir/$nic-qemu.log"
}

tell()
{
	echo "$*" >&"$to_guest"
}

# hear WHAT: the answer, which goes to $answer.out.
hear()
{
	local line

	: > "$answer.out"
	while read -r -t "$patience" -u "$from_guest" line; do
		case $line in
		"end 0") return ;;
		"end "*) die "guest: $1: $(cat "$answer.out")" ;;
		esac
		echo "$line" >> "$answer.out"
	done
	die "guest: $1: not within $patience s"
}

in_guest()
{
	tell "$*"
	hear "$*"
}

# ---- claims ------------------------------------------------------------------

a_guest_boots_and_gets_an_address()
{
	boot split
	gets_address
}

it_answers_and_is_answered()
{
	gets_an_answer
	pings "$ns" 3 "$guest_ip"
	in_guest "ping -q -c 3 -s 1400 $host_ip"
	grep -q ' 3 packets received, 0% packet loss' "$answer.out"
}

a_file_comes_as_it_was_sent()
{
	serve cat "$dir/file"
	in_guest "nc $host_ip 9000 | sha256sum"
	[ "$(cat "$answer.out")" = "$(sha256sum < "$dir/file")" ]
}

# Random bytes that the guest makes; it keeps them.
a_file_goes_as_it_was_sent()
{
	serve dd "of=$dir/copy"
	in_guest "head -c 1000000 /dev/urandom > /file; nc $host_ip 9000 < /file; sha256sum < /file"
	wait "$server"
	[ "$(cat "$answer.out")" = "$(sha256sum < "$dir/copy")" ]
}

a_backend_that_is_plugged_out_and_in_does_not_end_a_connection()
{
	serve dd "of=$dir/copy"
	tell "for i in 1 2 3 4; do cat /file; usleep 200000; done | nc $host_ip 9000"
	wait_until "data" [ -s "$dir/copy" ]
	for _ in 1 2 3; do
		on "$ns" nbctl disconnect vm1
		on "$ns" nbctl connect vm1
	done
	hear "nc"
	wait "$server"
	in_guest "cat /file /file /file /file | sha256sum"
	[ "$(cat "$answer.out")" = "$(sha256sum < "$dir/copy")" ]
}

front_ends()
{
	grep -c 'a front-end has come' "$dir/$nic-vhost.log"
}

# QEMU does not notice.
an_nbvhost_that_begins_again_in_place_does_not_end_a_connection()
{
	local before

	before=$(front_ends)
	serve dd "of=$dir/copy"
	tell "for i in 1 2 3 4; do cat /file; usleep 200000; done | nc $host_ip 9000"
	wait_until "data" [ -s "$dir/copy" ]
	for _ in 1 2 3; do
		begin_again
	done
	hear "nc"
	wait "$server"
	in_guest "cat /file /file /file /file | sha256sum"
	[ "$(cat "$answer.out")" = "$(sha256sum < "$dir/copy")" ]
	in_guest "! ip link show eth0 | grep -q NO-CARRIER"
	[ "$(front_ends)" = "$before" ]
}

# QEMU asks no back-end for the state of the link: that is whether there is one.
the_guest_sees_that_there_is_no_nbvhost()
{
	kill_vhost
	in_guest "until ip link show eth0 | grep -q NO-CARRIER; do usleep 50000; done"
}

the_next_nbvhost_serves_the_same_guest()
{
	start_vhost 1
	in_guest "while ip link show eth0 | grep -q NO-CARRIER; do usleep 50000; done"
	gets_an_answer
	a_file_goes_as_it_was_sent
}

# migrates RINGS NIC: while it sends what /file holds four times.
migrates()
{
	serve dd "of=$dir/copy"
	tell "for i in 1 2 3 4; do cat /file; sleep 1; done | nc $host_ip 9000"
	wait_until "data" [ -s "$dir/copy" ]
	migrate "$@"
	hear "nc"
	wait "$server"
	in_guest "cat /file /file /file /file | sha256sum"
	[ "$(cat "$answer.out")" = "$(sha256sum < "$dir/copy")" ]
	on "$ns" ping -q -c 1 -W 30 "$guest_ip" > "$dir/ping.log"
}

a_connection_survives_that_the_guest_migrates()
{
	migrates split vm2
	halt
}


a_file_goes_through_packed_rings()
{
	boot packed
	gets_address
	# bit 34, VIRTIO_F_RING_PACKED
	in_guest "cat /sys/bus/virtio/devices/virtio0/features"
	[ "$(cut -c 35 "$answer.out")" = 1 ]
	a_file_goes_as_it_was_sent
}

a_file_comes_through_packed_rings()
{
	a_file_comes_as_it_was_sent
}

a_connection_survives_that_a_guest_with_packed_rings_migrates()
{
	migrates packed vm3
}

[ -e "$files/vmlinux" ] || { echo "1..0 # SKIP there is no $files/vmlinux"; exit 4; }
modprobe -q kvm_amd || modprobe -q kvm_intel || true
[ -e /dev/kvm ] || { echo "1..0 # SKIP there is no KVM"; exit 4; }
begin_tests "${#claims[@]}"
answer=$dir/answer
head -c 1000000 /dev/urandom > "$dir/file"
make_network
start_vhost 1
check_claims "${claims[@]}"
