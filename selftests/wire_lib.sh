# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What tests through a wire share: two interfaces in network namespaces of their own,
# left and right, that nbwire joins, and TAP. demo.sh draws it.
#
#	plan TESTS, join [OPTION]… of nbwire, part, result CLAIM STATUS, finish
#
# shellcheck disable=SC2034 # variables for those scripts

left=nb-left right=nb-right
left_ip=192.0.2.1 right_ip=192.0.2.2
left_ip6=fd00::1 right_ip6=fd00::2
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

# That of lib.sh, with what nbwire has said.
die()
{
	say "$*"
	[ -z "$wire" ] || kill -0 "$wire" 2> /dev/null || say "nbwire: $(cat "$dir/wire")"
	exit 1
}

clean_up()
{
	local ns

	# shellcheck disable=SC2046 # several processes
	kill $(jobs -p) 2> /dev/null || true
	wait
	for ns in "${namespaces[@]}"; do
		ip netns del "$ns"
	done
	rm -rf "$dir"
}

# plan TESTS: how many results there will be.
plan()
{
	wire="" namespaces=()
	begin_tests "$1"
	modprobe net_backend
	add_namespace "$left"
	add_namespace "$right"
}

finish()
{
	exit "$failed"
}

add_namespace()
{
	ip netns add "$1"
	namespaces+=("$1")
	# Addresses are there at once.
	on "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
}

# add_address NAMESPACE INTERFACE IPV4 IPV6
add_address()
{
	on "$1" ip addr add "$3/24" dev "$2"
	on "$1" ip addr add "$4/64" dev "$2" nodad
}

# join [OPTION]…: starts nbwire; the interfaces nb0 have their addresses and are up.
join()
{
	nbwire "$@" "netdev,name=nb0,netns=$left" "netdev,name=nb0,netns=$right" \
		> "$dir/wire" 2>&1 &
	wire=$!
	wait_until "nbwire" wire_has_spoken
	grep -q '^nbwire: ready' "$dir/wire" || die "the two cannot be joined"
	add_address "$left" nb0 "$left_ip" "$left_ip6"
	add_address "$right" nb0 "$right_ip" "$right_ip6"
	for ns in "$left" "$right"; do
		on "$ns" ip link set nb0 up
		wait_until "carrier of nb0 in $ns" has_carrier "$ns" nb0
	done
}

# part: the end of nbwire and its interfaces.
part()
{
	kill -INT "$wire"
	wait "$wire" || die "nbwire: $(cat "$dir/wire")"
	wire=""
	wait_until "end of nb0" is_gone
}

# Ready, or ended.
wire_has_spoken()
{
	grep -q '^nbwire: ready' "$dir/wire" || ! kill -0 "$wire"
}

is_gone()
{
	! on "$left" ip link show nb0 && ! on "$right" ip link show nb0
}

# listens NAMESPACE PROTOCOL PORT: whether somebody does.
listens()
{
	[ -n "$(on "$1" ss -Hln "--$2" "sport = :$3")" ]
}

# counter NAMESPACE INTERFACE {rx|tx} {packets|bytes|dropped}
counter()
{
	on "$1" ip -s -j link show dev "$2" | jq ".[0].stats64.$3.$4"
}
