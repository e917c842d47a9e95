# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A real guest, User-Mode Linux, for guest_lib.sh: its root is that of this machine, and files are
# how it is told what to do, see uml_init.sh. It needs linux.uml, and its modules for virtio in
# /uml.
#
# shellcheck disable=SC2034,SC2154 # variables of guest_lib.sh

commands=0

boot()
{
	rm -rf "$dir/guest"
	mkdir -p "$dir/guest"
	commands=0
	bound=$PWD/guest_bound.sh
	linux.uml mem=96M root=/dev/root rootfstype=hostfs rootflags=/ rw con=null con0=fd:0,fd:1 \
		panic=-1 quiet "virtio_uml.device=$dir/$nic:1" init="$PWD/uml_init.sh" \
		guest="$dir/guest" < /dev/null > "$dir/guest.log" 2>&1 &
	guest=$!
}

# tell COMMAND: to the guest; sets answer to the name of what it will leave.
tell()
{
	commands=$((commands + 1))
	answer=$dir/guest/$commands
	echo "$*" > "$answer.sh"
	mv "$answer.sh" "$answer"
}

# in_guest COMMAND: what it prints goes to $answer.out.
in_guest()
{
	tell "$@"
	wait_until "guest: $*" [ -e "$answer.status" ]
	[ "$(cat "$answer.status")" = 0 ] || die "guest: $*: $(cat "$answer.out")"
}
