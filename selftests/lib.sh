# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What test scripts share, and demonstrations: beginning and cleaning up, waiting, and what TAP
# says of a test.
#
# shellcheck disable=SC2034 # variables for those scripts

# How long anything may take before it counts as lost, in seconds: Python takes minutes to begin on
# a kernel with sanitizers, another kernel to boot in an emulated machine.
patience=300
number=0 failed=0 claim="" skip="" unload=""
bold="" plain=""
if [ -t 1 ]; then
	bold=$'\e[1m' plain=$'\e[0m'
fi

say()
{
	echo "# $*"
}

# step WORDS…: what a demonstration has done.
step()
{
	echo "$bold==>$plain $*"
}

# A condition that does not come true is the end: what follows would make no sense.
die()
{
	say "$*"
	exit 1
}

# begin_tests N: so many, as root. Their files go to $dir; the script's clean_up() ends them.
begin_tests()
{
	[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 4; }
	dir=$(mktemp -d)
	trap clean_up EXIT
	trap 'exit 130' INT TERM
	echo "TAP version 13"
	echo "1..$1"
}

# Sets unload, for clean_up(), if the module was not loaded.
load_module()
{
	[ -e /sys/module/net_backend ] || unload=1
	modprobe net_backend
}

# Ends what runs in the background, or is stopped there.
end_jobs()
{
	# shellcheck disable=SC2046 # several processes, or none
	{ kill -CONT $(jobs -p); kill $(jobs -p); wait; } 2> /dev/null || true
}

# has_ended PROCESS
has_ended()
{
	! kill -0 "$1" 2> /dev/null
}

# on NAMESPACE COMMAND…: runs it there; whatever hangs has failed.
on()
{
	timeout "$patience" ip netns exec "$@"
}

# net_of NAMESPACE COMMAND…: the same, but that /sys stays as it is, which takes half the time.
net_of()
{
	timeout "$patience" nsenter --net="/run/netns/$1" "${@:2}"
}

# retry COMMAND…: until it succeeds; fails when patience is over.
retry()
{
	local end=$((SECONDS + patience))

	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# wait_until WHAT COMMAND…: the same, without what it says; else all ends.
wait_until()
{
	retry "${@:2}" > /dev/null 2>&1 || die "$1: not within $patience s"
}

# pings NAMESPACE TIMES ADDRESS ARGUMENT…: so many at once, and whether all are answered; what ping
# says is in $dir/ping.log.  For the last answer it waits as long as for the next one to be sent.  Its
# socket has room for one packet alone, and without room the next one is sent only then.
pings()
{
	net_of "$1" ping -q -S 200000 -c "$2" -l "$2" -i 50 "${@:4}" "$3" > "$dir/ping.log" &&
	grep -q " $2 received, 0% packet loss" "$dir/ping.log"
}

# has_carrier NAMESPACE INTERFACE
has_carrier()
{
	[[ $(net_of "$1" ip link show "$2") == *LOWER_UP* ]]
}

# fails STATUS COMMAND…: with that status and one line, which goes to words.
fails()
{
	local status=0

	"${@:2}" > "$dir/words" 2>&1 || status=$?
	[ "$status" = "$1" ] || die "'${*:2}': exit status $status"
	[ "$(wc -l < "$dir/words")" = 1 ] || die "'${*:2}': $(cat "$dir/words")"
}

# result CLAIM STATUS: of the test that the claim names.
result()
{
	number=$((number + 1))
	if [ "$2" = 0 ]; then
		echo "ok $number $1"
	else
		echo "not ok $number $1"
		failed=1
	fi
}

# check_claims CLAIM…: each is a function. The first that fails is the end; one that cannot be
# checked sets skip to a reason.
check_claims()
{
	for claim in "$@"; do
		"$claim"
		number=$((number + 1))
		echo "ok $number $claim$skip"
		skip=""
	done
}
