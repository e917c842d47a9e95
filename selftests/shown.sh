#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What ethtool, ip and sysfs show of the interface of a netdev endpoint: what has been sent,
# what nbctl counts, and what the frontend has made; and that they refuse what is not theirs.
#
# shellcheck disable=SC2317 # each claim is called by its name

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=wire_lib.sh
. ./wire_lib.sh

packets=25

# Everything that nbctl counts of a queue, by its name in ethtool: "name value".
counters_of_nbctl()
{
	on "$left" nbctl -j stats nb0 | jq -r '.[] | .queue as $q |
		(.stats.tx | to_entries[] | "rx_queue_\($q)_\(.key) \(.value)"),
		(.stats.rx | to_entries[] | "tx_queue_\($q)_\(.key) \(.value)"),
		(.stats.calls | to_entries[] | "queue_\($q)_\(.key) \(.value)")' | sort
}

# Those of XDP are nobody else's.
counters_of_ethtool()
{
	on "$left" ethtool -S nb0 | sed -n '/_xdp_/d; s/^ *\([^ :]*\): /\1 /p' | sort
}

counters_agree()
{
	[ "$(counters_of_ethtool)" = "$(counters_of_nbctl)" ]
}

# link_is JQ: whether that is true of ip -d -s -s -j link.
link_is()
{
	on "$left" ip -d -s -s -j link show nb0 | jq -e ".[0] | $1" > /dev/null
}

# counted {rx|tx} {packets|bytes}: by the interface, and by nbctl in all queues.
counted()
{
	local way=tx

	[ "$1" = rx ] || way=rx
	echo "$(counter "$left" nb0 "$1" "$2")" \
		"$(on "$left" nbctl -j stats nb0 | jq "[.[].stats.$way.$2] | add")"
}

# refused WORDS COMMAND…: fails, and says that.
refused()
{
	! on "$left" "${@:2}" > "$dir/words" 2>&1 && grep -q -- "$1" "$dir/words"
}

what_was_sent_is_what_ip_and_nbctl_have_counted()
{
	local after way what
	local -A before

	# Nothing else is sent: the addresses are known.
	on "$left" ip neigh replace "$right_ip" dev nb0 \
		lladdr "$(on "$right" cat /sys/class/net/nb0/address)"
	on "$right" ip neigh replace "$left_ip" dev nb0 \
		lladdr "$(on "$left" cat /sys/class/net/nb0/address)"
	for way in rx tx; do
		for what in packets bytes; do
			before[$way$what]=$(counter "$left" nb0 "$way" "$what")
		done
	done
	pings "$left" "$packets" "$right_ip" -s 100 || return 1
	for way in rx tx; do
		for what in packets bytes; do
			after=$(counter "$left" nb0 "$way" "$what")
			say "$way $what: $((after - ${before[$way$what]}))"
			[ "$what" = packets ] || after=$((after - packets * 141))
			[ $((after - ${before[$way$what]})) = "$packets" ] || return 1
			after=$(counted "$way" "$what")
			[ "${after% *}" = "${after#* }" ] || return 1
		done
	done
	link_is '.stats64 | [.rx.errors, .rx.dropped, .tx.errors, .tx.dropped] | add == 0'
}

ethtool_has_all_counters_of_nbctl_by_their_names()
{
	[ "$(counters_of_nbctl | wc -l)" -ge 34 ] || return 1
	wait_until "counters of ethtool -S" counters_agree
}

ip_shows_kind_and_limits()
{
	link_is '.linkinfo.info_kind == "net_backend" and .min_mtu == 68 and .max_mtu == 65521 and
		.num_tx_queues == .num_rx_queues and .gso_max_size == 65536 and
		.tso_max_size == 65536' || return 1
	on "$left" ip link add other0 type dummy
	[ "$(on "$left" ip -j link show type net_backend | jq -c '[.[].ifname]')" = '["nb0"]' ] || return 1
	on "$left" ip link del other0
}

ip_link_add_is_refused_with_words()
{
	refused 'an endpoint of /dev/net_backend makes' ip link add nb7 type net_backend &&
		! on "$left" ip link show nb7 > /dev/null 2>&1
}

# numbers OPTION PATTERN: those in lines of ethtool.
numbers()
{
	on "$left" ethtool "$1" nb0 | grep -E "$2" | tr -dc '0-9\n' | paste -s -d ' '
}

ethtool_shows_driver_features_queues_and_rings()
{
	local rings

	on "$left" ethtool -i nb0 | grep -qx 'driver: net_backend' || return 1
	on "$left" ethtool --json -k nb0 | jq -e '.[0] |
		."rx-checksumming" == {"active": true, "fixed": true, "requested": false} and
		."rx-vlan-offload".fixed and ."tx-vlan-offload".active and
		(."tx-vlan-offload".fixed | not) and ."scatter-gather".active and
		([."tx-checksum-ip-generic", ."netns-local"] | any(.active) | not)' \
		> /dev/null || return 1
	[ "$(numbers -l '^Combined')" = "2 2" ] || return 1
	rings=$(on "$left" nbctl -j queue show nb0 |
		jq -r '.[0].rings | "\(.tx_avail.entries) \(.rx_avail.entries)"')
	[ "$(numbers -g '^(RX|TX):')" = "32768 32768 $rings" ] || return 1
	on "$left" ethtool -T nb0 | grep -q 'software-transmit' || return 1
	on "$left" ethtool -T nb0 | grep -q 'PTP Hardware Clock: none'
}

ethtool_refuses_what_the_frontend_decides()
{
	refused 'not supported' ethtool -L nb0 combined 1 &&
		refused 'not supported' ethtool -G nb0 rx 64 &&
		refused 'not supported' ethtool -X nb0 equal 2 &&
		refused 'not supported' ethtool -m nb0
}

# What follows runs in the namespace, where /sys is that of its interfaces.
queues_of_sysfs_are_those_of_nbctl()
{
	# shellcheck disable=SC2016 # for the other shell
	on "$left" bash -e -c '
		cd /sys/class/net/nb0/queues
		[ "$(echo *)" = "rx-0 rx-1 tx-0 tx-1" ]
		# A rate would need somebody who keeps to it.
		[ "$(cat tx-1/tx_maxrate)" = 0 ]
		! echo 100 > tx-1/tx_maxrate
		[ "$(cat tx-1/tx_timeout)" = 0 ]
		# Nothing is ever on its way.
		[ ! -e tx-1/byte_queue_limits/inflight ] || [ "$(cat tx-1/byte_queue_limits/inflight)" = 0 ]
		[ "$(cat ../speed)" = 10000 ]
		[ "$(cat ../duplex)" = full ]
		! cat ../phys_port_name
		[ "$(cat ../ifalias)" = "" ]
		ip link set nb0 alias "of a guest"
		[ "$(cat ../ifalias)" = "of a guest" ]' 2> /dev/null
}

# packets_of QUEUE: that the host has sent there.
packets_of()
{
	on "$left" nbctl -j stats nb0 | jq ".[$1].stats.rx.packets"
}

xps_chooses_the_queue()
{
	local i before

	for i in 0 1; do
		# shellcheck disable=SC2016 # for the other shell
		on "$left" bash -e -c 'cd /sys/class/net/nb0/queues
			echo 0 > tx-$((1 - $0))/xps_cpus; echo 3 > tx-$0/xps_cpus' "$i"
		before=$(packets_of "$i")
		pings "$left" 5 "$right_ip" || return 1
		[ $(($(packets_of "$i") - before)) = 5 ] || return 1
	done
}

claims=(
	what_was_sent_is_what_ip_and_nbctl_have_counted
	ethtool_has_all_counters_of_nbctl_by_their_names
	ip_shows_kind_and_limits
	ip_link_add_is_refused_with_words
	ethtool_shows_driver_features_queues_and_rings
	ethtool_refuses_what_the_frontend_decides
	queues_of_sysfs_are_those_of_nbctl
	xps_chooses_the_queue
)

plan ${#claims[@]}
# Nothing is sent but what is asked for.
on "$left" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
on "$right" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
add_address()
{
	on "$1" ip addr add "$3/24" dev "$2"
}
join -q 2
for claim in "${claims[@]}"; do
	status=0
	"$claim" || status=1
	result "$claim" "$status"
done
part
finish
