# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What test scripts share: waiting, and what TAP says of a test.
#
# shellcheck disable=SC2034 # variables for those scripts

# How long anything may take before it counts as lost, in seconds.
patience=60
number=0 failed=0

say()
{
	echo "# $*"
}

# A condition that does not come true is the end: what follows would make no sense.
die()
{
	say "$*"
	exit 1
}

# on NAMESPACE COMMAND…: runs it there; whatever hangs has failed.
on()
{
	timeout "$patience" ip netns exec "$@"
}

# wait_until WHAT COMMAND…: until it succeeds, or patience is over.
wait_until()
{
	local end=$((SECONDS + patience))

	until "${@:2}" > /dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || die "$1: not within $patience s"
		sleep 0.02
	done
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
