#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own ynl, with our spec of the family, shows what nbctl shows, and does what
# it is told.

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

claims=(
	ynl_dumps_what_nbctl_shows
	ynl_does_what_it_is_told
	ynl_tells_why_not
)
ynl=/usr/lib/ynl/cli.py
spec=net_backend.yaml
wire=""

# shellcheck disable=SC2317 # called by trap
clean_up()
{
	local status=$?

	[ -z "$wire" ] || kill "$wire" 2> /dev/null || :
	wait 2> /dev/null || :
	[ "$status" = 0 ] || [ -z "$claim" ] || echo "not ok $((number + 1)) $claim"
	rm -rf "$dir"
}

# In one go: Python takes its time to begin.
ynl()
{
	timeout "$patience" python3 "$ynl" --spec "$spec" --no-schema --output-json "$@"
}

# same FILE FILTER FILE FILTER: both say the same.
same()
{
	jq -cS "$2" "$1" > "$dir/one"
	jq -cS "$4" "$3" | diff "$dir/one" - || die "not the same: $2"
}

# shellcheck disable=SC2016,SC2317 # $id is jq's; called by name
ynl_dumps_what_nbctl_shows()
{
	local name

	for name in kind endpoint queue memory region switch switch-port switch-fdb; do
		ynl --dump "$name-get" > "$dir/$name"
	done
	nbctl -j kinds > "$dir/nbctl"
	same "$dir/kind" '[.[] | [.name, .["max-queues"]]]' "$dir/nbctl" '[.[] | [.name, .max_queues]]'
	nbctl -j show > "$dir/nbctl"
	same "$dir/endpoint" '[.[] | [.id, .kind, .mac, .state, .queues]]' \
		"$dir/nbctl" '[.[] | [.id, .kind, .mac, .state, .n_queues]]'
	same "$dir/queue" '[.[] | [.["endpoint-id"], .index, .state, .stats["tx-packets"],
			[.ring[] | .id, .entries], .moderation["rx-usecs"]]]' \
		"$dir/nbctl" '[.[] | .id as $id | .queues[] | [$id, .queue, .state, .stats.tx.packets,
			["tx-avail", .rings.tx_avail.entries, "tx-done", .rings.tx_done.entries,
			 "rx-avail", .rings.rx_avail.entries, "rx-done", .rings.rx_done.entries],
			.moderation.rx_usecs]]'
	nbctl -j memory show > "$dir/nbctl"
	same "$dir/memory" '[.[] | [.id, .pid, .regions, .size, .locked]]' \
		"$dir/nbctl" '[.[] | [.id, .pid, .n_regions, .size, .locked]]'
	same "$dir/region" '[.[] | [.["memory-id"], .gpa, .len, .unit, .locked]]' \
		"$dir/nbctl" '[.[] | .id as $id | .regions[] | [$id, .gpa, .size, .unit, .locked]]'
	jq -e 'length == 1 and .[0].name == "sw0" and .[0].ports == 1' "$dir/switch" > "$dir/one"
	jq -e 'length == 1 and .[0]["vlan-mode"] == "all" and .[0].drops["no-buffer"] == 0 and
		.[0]["endpoint-id"] > 0' "$dir/switch-port" > "$dir/one"
	jq -e '. == []' "$dir/switch-fdb" > "$dir/one"
}

# shellcheck disable=SC2317 # called by name
ynl_does_what_it_is_told()
{
	ynl --do endpoint-get --json "{\"id\": $endpoint}" > "$dir/one"
	jq -e ".id == $endpoint and .kind == \"netdev\"" "$dir/one" > "$dir/two"
	ynl --multi endpoint-set "{\"id\": $endpoint, \"link\": 0}" \
		--multi queue-set "{\"endpoint-id\": $endpoint, \"moderation\": {\"rx-usecs\": 77}}" > "$dir/one"
	nbctl -j show "$endpoint" > "$dir/nbctl"
	jq -e '.[0].link_set == "down" and .[0].state == "connected" and
		([.[0].queues[].moderation.rx_usecs] | . == [77])' "$dir/nbctl" > "$dir/one"
	# After this nbwire makes its queue anew.
	ynl --do endpoint-disconnect --json "{\"id\": $endpoint, \"timeout\": 0}" > "$dir/one"
	nbctl -j show "$endpoint" > "$dir/nbctl"
	jq -e '.[0].state == "disconnected"' "$dir/nbctl" > "$dir/one"
}

# shellcheck disable=SC2317 # called by name
ynl_tells_why_not()
{
	! ynl --do endpoint-set --json "{\"id\": $endpoint}" > "$dir/one" 2>&1 || die "it is set"
	grep -q 'what is to be set is missing' "$dir/one" || die "$(cat "$dir/one")"
	grep -q 'link' "$dir/one" || die "$(cat "$dir/one")"
	! ynl --do endpoint-disconnect --json "{\"id\": $endpoint}" > "$dir/one" 2>&1 || die "again"
	grep -q 'no backend is plugged in' "$dir/one" || die "$(cat "$dir/one")"
	grep -q "bad-attr.*id" "$dir/one" || die "$(cat "$dir/one")"
}

[ -e "$ynl" ] || { echo "1..0 # SKIP needs the kernel's ynl in $ynl"; exit 4; }
begin_tests "${#claims[@]}"
modprobe net_backend
nbwire netdev,name=ynl0 switch,switch=sw0 > "$dir/wire" 2>&1 &
wire=$!
wait_until "nbwire" grep -q '^nbwire: ready' "$dir/wire"
endpoint=$(nbctl -j show ynl0 | jq '.[0].id')
check_claims "${claims[@]}"
