#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nbctl as an operator and a script use it: options, objects and verbs, JSON, batches,
# colours, top, monitor, and that another operator's events are not taken for one's own.
#
#   network namespace "here": endpoints nb0 (netdev, two queues) and spare0 (netdev), both
#   of an nbwire whose other ends are of kind null

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

claims=(
	text_and_json_tell_the_same
	pretty_json_has_the_same_content
	every_command_that_shows_something_has_json
	counters_of_an_endpoint_are_the_sum_of_its_queues
	objects_and_verbs_may_be_abbreviated
	ambiguous_words_are_refused_with_what_they_may_be
	kinds_are_those_that_are_loaded
	memories_are_shown_where_they_were_made
	a_namespace_can_be_chosen
	a_batch_runs_until_a_command_fails
	moderation_is_set_of_one_queue_or_all
	what_cannot_be_set_changes_nothing
	colours_are_for_terminals
	top_prints_rates_and_fits_the_terminal
	monitor_prints_json
	monitor_tells_that_the_module_leaves_and_comes_back
	disconnect_does_not_take_an_older_event_for_its_own
	mistakes_are_told_in_one_line_that_says_what_to_do
	bash_completes_objects_and_names
	selftest_says_whether_it_works
	selftest_says_what_to_do
)

# ctl ARGUMENT…: nbctl in the namespace; whatever hangs has failed.
ctl()
{
	net_of here nbctl "$@"
}

clean_up()
{
	local status=$?

	if [ "$status" != 0 ]; then
		echo "not ok $((number + 1)) ${claim:-set_up}"
		tail -n 20 "$dir"/* | sed 's/^/# /'
	fi
	end_jobs
	ip netns del here 2> /dev/null || true
	[ -z "$unload" ] || modprobe -r net_backend || true
	rm -rf "$dir"
}

begin_wires()
{
	rm -f "$dir"/{nb0,spare0}.log
	nbwire -q 2 netdev,name=nb0,netns=here null > "$dir/nb0.log" 2>&1 &
	nb0=$!
	wait_until "nbwire nb0" grep -q '^nbwire: ready' "$dir/nb0.log"
	nbwire netdev,name=spare0,netns=here null > "$dir/spare0.log" 2>&1 &
	spare0=$!
	wait_until "nbwire spare0" grep -q '^nbwire: ready' "$dir/spare0.log"
	ip -n here addr add 192.0.2.1/24 dev nb0
	ip -n here link set nb0 up
}

end_wires()
{
	kill -CONT "$nb0" "$spare0"
	kill -INT "$nb0" "$spare0"
	wait "$nb0" "$spare0" || die "nbwire has failed"
}

# equal WHAT EXPECTED: fails if they are not.
equal()
{
	[ "$1" = "$2" ] || die "'$1' is not '$2'"
}

# ---- show --------------------------------------------------------------------

text_and_json_tell_the_same()
{
	ctl show nb0 > "$dir/text"
	ctl -j show nb0 > "$dir/json"
	equal "$(wc -l < "$dir/json")" 1
	# The first lines of text, made of JSON.
	jq -r '.[] | "\(.id): \(.name): kind \(.kind) \(.state) link \(.link) mtu \(.mtu)" +
		" queues \(.n_queues)/\(.max_queues)" + if .pid then " pid \(.pid)" else "" end,
		"    mac \(.mac) ifindex \(.ifindex) speed \(.speed / 1e9)Gbit/s" +
		if .rss_table then " rss-table \(.rss_table)" else "" end' "$dir/json" > "$dir/made"
	head -n 2 "$dir/text" | diff - "$dir/made"
	jq -r '.[0].queues[] | "    queue \(.queue): \(.state)" +
		if .target_cpu then " cpu \(.target_cpu)" else "" end' "$dir/json" > "$dir/made"
	grep '^    queue' "$dir/text" | diff - "$dir/made"
	# Each counter has its place.
	jq -e '.[0].queues | length == 2 and all(.stats.tx.packets >= 0 and
		.stats.rx.no_buffer >= 0 and .stats.calls.enters >= 0 and
		.rings.rx_avail.entries == 256)' "$dir/json" > "$dir/made"
	equal "$(jq -r '.[0].offloads | join(",")' "$dir/json")" \
		"$(sed -n 's/.* offloads //p' "$dir/text")"
}

pretty_json_has_the_same_content()
{
	ctl -j -p show endpoints > "$dir/pretty"
	[ "$(wc -l < "$dir/pretty")" -gt 10 ]
	ctl -json show endpoints | jq -S . > "$dir/plain"
	jq -S . "$dir/pretty" | diff - "$dir/plain"
	equal "$(ctl -jp show endpoints)" "$(cat "$dir/pretty")"
	equal "$(ctl -j queue show no_such 2> /dev/null)" ""
}

# A switch, of which the port is spare0 for a while.
every_command_that_shows_something_has_json()
{
	local command

	: > "$dir/all"
	ctl disconnect spare0 now
	ctl connect spare0 kind switch switch sw0 vlan 7
	for command in show "show endpoints" "show queues" "endpoint show" "queue show" stats \
			kinds "kind show" memory switch "switch port" "switch fdb" \
			"top count 1 interval 0.1"; do
		# shellcheck disable=SC2086 # a word an argument
		ctl -j $command > "$dir/json"
		equal "$(wc -l < "$dir/json")" 1
		cat "$dir/json" >> "$dir/all"
	done
	jq -es 'length == 13 and all(type == "array" and all(type == "object"))' "$dir/all" > "$dir/made"
	ctl -j switch > "$dir/json"
	jq -r '.[] | "\(.id): \(.name): named ports \(.ports) addresses \(.addresses)/\(.table_size)" +
		" ageing \(.ageing_ms / 1000) not-learned \(.not_learned)"' "$dir/json" > "$dir/made"
	ctl switch | diff - "$dir/made"
	ctl -j switch port > "$dir/json"
	jq -r '.[] | "\(.switch): \(.name): port \(.port): endpoint \(.endpoint) \(.endpoint_name)",
		"    vlan \(.vlan) pvid \(.pvid) addresses \(.addresses)/\(.max_addresses)" +
		" not-learned \(.not_learned)"' "$dir/json" > "$dir/made"
	# The frontend makes its queues anew, some time.
	ctl switch port | head -n 2 | sed 's/ queues [0-9]*$//' | diff - "$dir/made"
	jq -e '.[0].drops | length == 8 and all(. >= 0)' "$dir/json" > "$dir/made"
	ctl disconnect spare0 now
	wait_until "spare0" ctl connect spare0 kind netdev name spare0
}

counters_of_an_endpoint_are_the_sum_of_its_queues()
{
	ip netns exec here ping -q -c 3 -W 1 -I nb0 192.0.2.99 > /dev/null 2>&1 || true
	ctl -j -s show nb0 > "$dir/json"
	jq -e '.[0].stats.rx.packets == ([.[0].queues[].stats.rx.packets] | add) and
		.[0].stats.rx.packets > 0' "$dir/json" > "$dir/made"
	jq -e '.[0].queues | length == 2' "$dir/json" > "$dir/made"
	ctl -s show endpoints nb0 | grep -q '^        RX: *packets '
	! ctl show endpoints nb0 | grep -q 'packets' || die "counters that nobody has asked for"
	# And stats has those of each queue.
	equal "$(ctl -j stats nb0 | jq -c '[.[].stats.rx.packets]')" \
		"$(jq -c '[.[0].queues[].stats.rx.packets]' "$dir/json")"
	equal "$(ctl stats nb0 | grep -c '^ *RX:')" 2
}

objects_and_verbs_may_be_abbreviated()
{
	equal "$(ctl endpoint show)" "$(ctl show endpoints)"
	equal "$(ctl endpoints)" "$(ctl show endpoints)"
	equal "$(ctl e s)" "$(ctl show endpoints)"
	equal "$(ctl q sh nb0 | grep -c ': queue ')" 2
	ctl end link nb0 down
	ctl endpoint show nb0 | grep -q 'link down set-down'
	equal "$(ctl -j e s nb0 | jq -r '.[0].link_set')" down
	ctl e l nb0 up
	ctl endpoint disconnect spare0
	ctl endpoint show spare0 | grep -q ' disconnected '
	ctl endpoint connect spare0
}

ambiguous_words_are_refused_with_what_they_may_be()
{
	fails 2 ctl s
	grep -q "'s' may be show or stats" "$dir/words"
	fails 2 ctl queue s
	fails 2 ctl endpoint no_such
	fails 2 ctl ''
}

kinds_are_those_that_are_loaded()
{
	equal "$(ctl -j kinds | jq -c '[.[].name] | contains(["null","loopback","netdev"])')" true
	ctl kinds | grep -q '^null: module net_backend max-queues [0-9]'
	equal "$(ctl kind show)" "$(ctl kinds)"
}

# Frontends are here, and their interfaces elsewhere.
memories_are_shown_where_they_were_made()
{
	nbctl -j memory show > "$dir/json"
	jq -e 'length == 2 and all(.size == ([.regions[].size] | add) and .size > 0 and
		.n_regions == (.regions | length) and .pid > 0)' "$dir/json" > "$dir/made"
	nbctl memory show > "$dir/text"
	jq -r '.[] | "\(.id): size \(.size) locked \(.locked) regions \(.n_regions) pid \(.pid)"' \
		"$dir/json" > "$dir/made"
	grep '^[0-9]' "$dir/text" | diff - "$dir/made"
	jq -r '.[].regions[] | "size \(.size) unit \(.unit) locked \(.locked)"' "$dir/json" > "$dir/made"
	sed -n 's/^    0[x0-9a-f]* //p' "$dir/text" | diff - "$dir/made"
	jq -c '.[:1]' "$dir/json" > "$dir/made"
	nbctl -j memory show "$(jq '.[0].id' "$dir/json")" | diff - "$dir/made"
	equal "$(ctl -j memory)" "[]"
	fails 1 nbctl memory show 1000000000
	grep -q 'no memory with this id' "$dir/words"
	fails 2 nbctl memory show nb0
	fails 2 nbctl memory show 1 2
}

a_namespace_can_be_chosen()
{
	equal "$(nbctl -n here show endpoints)" "$(ctl show endpoints)"
	equal "$(nbctl -netns /var/run/netns/here show endpoints)" "$(ctl show endpoints)"
	equal "$(unshare -n nbctl -j show endpoints)" "[]"
	fails 1 nbctl -n no_such show
	grep -q "ip netns" "$dir/words"
}

# ---- batch -------------------------------------------------------------------

a_batch_runs_until_a_command_fails()
{
	printf '%s\n' '# a comment' '' 'link "nb0" down # another' "link 'spare0' down" \
		> "$dir/batch"
	ctl -b "$dir/batch"
	equal "$(ctl -j e s | jq -c '[.[].link_set]')" '["down","down"]'
	printf '%s\n' 'link nb0 up' 'link no_such up' 'link spare0 up' > "$dir/batch"
	fails 1 ctl -b "$dir/batch"
	grep -q "batch:2: " "$dir/words"
	equal "$(ctl -j e s spare0 | jq -r '.[0].link_set')" down
	fails 1 ctl -force -batch - < "$dir/batch"
	equal "$(ctl -j e s spare0 | jq -r '.[0].link_set')" null
	echo 'link "nb0 up' > "$dir/batch"
	fails 2 ctl -b "$dir/batch"
	fails 2 ctl -b "$dir/no_such"
	fails 2 ctl -b "$dir/batch" show
}

# ---- terminals ---------------------------------------------------------------

# moderation ENDPOINT: of each of its queues, a line a queue.
moderation()
{
	ctl -j queue show "$1" | jq -c '.[].moderation'
}

moderation_is_set_of_one_queue_or_all()
{
	local before='{"tx_usecs":50,"rx_usecs":50,"adaptive":["tx","rx"]}'
	local all='{"tx_usecs":50,"rx_usecs":200,"rx_frames":16,"adaptive":["tx"]}'

	equal "$(moderation nb0)" "$before"$'\n'"$before"
	ctl queue set nb0 rx-usecs 200 rx-frames 16 adaptive tx
	equal "$(moderation nb0)" "$all"$'\n'"$all"
	ctl queue show nb0 > "$dir/text"
	equal "$(grep -c 'moderation tx-usecs 50 rx-usecs 200 rx-frames 16 adaptive tx$' "$dir/text")" 2
	# ethtool names it from the interface's side.
	ip netns exec here ethtool -Q nb0 queue_mask 0x2 -c > "$dir/text"
	grep -q '^tx-usecs:[[:space:]]*200$' "$dir/text"
	ctl queue set nb0 queue 1 rx-usecs 50 rx-frames 0 adaptive both
	equal "$(moderation nb0)" "$all"$'\n'"$before"
	ctl q set nb0 rx-usecs 50 rx-frames 0 adaptive both
	equal "$(moderation nb0)" "$before"$'\n'"$before"
}

# refused WORDS ARGUMENT…: that nbctl fails for that reason.
refused()
{
	local words=$1
	shift

	! ctl "$@" 2> "$dir/error" || die "nbctl $* has not failed"
	grep -qF "$words" "$dir/error" || die "nbctl $*: $(cat "$dir/error")"
}

what_cannot_be_set_changes_nothing()
{
	local before

	before=$(moderation nb0)
	refused "out of range" queue set nb0 rx-usecs 1000001
	refused "out of range" queue set nb0 tx-usecs 70 rx-frames 32769
	refused "nothing would end" queue set nb0 tx-usecs 70 rx-usecs 0
	refused "no such queue" queue set nb0 queue 2 rx-usecs 70
	refused "must be a number" queue set nb0 queue x rx-usecs 70
	refused "must be tx, rx, both or off" queue set nb0 adaptive on
	refused "no_such" queue set no_such rx-usecs 70
	refused "queue set --help" queue set nb0
	capsh --drop=cap_net_admin -- -c "nbctl -n here queue set nb0 rx-usecs 70" \
		2> "$dir/error" && die "set without the right to"
	grep -q 'not permitted' "$dir/error"
	equal "$(moderation nb0)" "$before"
}

colours_are_for_terminals()
{
	local escape=$'\033'

	! ctl -c show | grep -q "$escape" || die "colours in a pipe"
	ctl -c=always show | grep -q "${escape}\[36mnb0${escape}\[0m"
	equal "$(ctl -c=always show | sed "s/$escape\[[0-9]*m//g")" "$(ctl -color=never show)"
	on_terminal 24 80 -c show endpoints
	grep -q "$escape" "$dir/screen"
	on_terminal 24 80 show endpoints
	! grep -q "$escape" "$dir/screen" || die "colours that nobody has asked for"
	fails 2 ctl -c=pink show
}

# on_terminal ROWS COLUMNS ARGUMENT…: nbctl there; its output goes to screen. Nothing is
# typed, but the input does not end.
on_terminal()
{
	timeout "$patience" script -qec \
		"stty rows $1 cols $2; ip netns exec here nbctl ${*:3}" /dev/null \
		<&"$silence" > "$dir/screen"
}

top_prints_rates_and_fits_the_terminal()
{
	local widest

	ctl top count 2 interval 0.1 > "$dir/top"
	equal "$(grep -c 'TX-PKT/s' "$dir/top")" 2
	equal "$(grep -c ' nb0 ' "$dir/top")" 4
	ctl -j top count 1 interval 0.1 sort id > "$dir/json"
	equal "$(jq -c '[.[] | [.name, .queue]]' "$dir/json")" \
		'[["nb0",0],["nb0",1],["spare0",0]]'
	jq -e 'all(.rx_packets >= 0 and .tx_bits >= 0)' "$dir/json" > "$dir/made"
	fails 2 ctl top sort no_such
	fails 2 ctl top interval 0
	fails 2 ctl top count
	fails 2 ctl top nb0

	# A small terminal: no line is longer, nor are there more.
	on_terminal 4 30 top count 1 interval 0.1
	widest=$(visible | wc -L)
	[ "$widest" -le 30 ] || die "a line of $widest columns"
	equal "$(visible | wc -l)" 4
	on_terminal 1 5 top count 1 interval 0.1
	widest=$(visible | wc -L)
	[ "$widest" -le 5 ] || die "a line of $widest columns"
}

# What of the screen is to be seen: between "home" and the end of the screen.
visible()
{
	tr -d '\r' < "$dir/screen" | sed 's/\x1b\[?[0-9]*[hl]//g; s/\x1b\[[0-9;]*[A-Za-z]//g'
	echo
}

# ---- events ------------------------------------------------------------------

# monitor ARGUMENT…: in the background, and waits until it hears something.
start_monitor()
{
	: > "$dir/monitor"
	ip netns exec here nbctl "$@" > "$dir/monitor" 2>&1 &
	monitor=$!
	wait_until "monitor" speaks_up
}

speaks_up()
{
	ctl link nb0 up
	[ -s "$dir/monitor" ]
}

stop_monitor()
{
	kill "$monitor"
	wait "$monitor" || true
}

monitor_prints_json()
{
	start_monitor -j monitor
	ctl disconnect spare0
	ctl connect spare0
	wait_until "connected" grep -q '"connected","endpoint"' "$dir/monitor"
	stop_monitor
	# The frontend stops the endpoint when it has noticed.
	jq -r 'select(.endpoint.name == "spare0" and .event != "stopped") |
		.event + " " + .endpoint.state' "$dir/monitor" > "$dir/made"
	equal "$(tail -n 2 "$dir/made" | xargs)" "disconnected disconnected connected connected"
	jq -e '.time | test("^[0-9-]+T[0-9:]+\\.[0-9]{6}$")' "$dir/monitor" > "$dir/made"
}

monitor_tells_that_the_module_leaves_and_comes_back()
{
	start_monitor monitor
	end_wires
	# Other tests have loaded the example of another module's kind, which holds it.
	rmmod net_backend_delay 2> /dev/null || true
	wait_until "rmmod" modprobe -r net_backend
	wait_until "unloaded" grep -q '^[0-9T:.-]* unloaded$' "$dir/monitor"
	kill -0 "$monitor"
	# Who asks for the family has the module loaded.
	equal "$(ctl -j show)" "[]"
	wait_until "loaded" grep -q '^[0-9T:.-]* loaded$' "$dir/monitor"
	begin_wires
	wait_until "created" grep -q ' created .*: nb0: ' "$dir/monitor"
	stop_monitor
}

# One nbctl is stopped after it has begun to listen, and before it asks. Meanwhile another
# one disconnects and connects, so that events wait that are not about what it asks for.
disconnect_does_not_take_an_older_event_for_its_own()
{
	local tracer status=0

	ip netns exec here strace -f -o "$dir/trace" -e trace=setsockopt \
		-e inject=setsockopt:signal=SIGSTOP:when="$(joins)" nbctl disconnect nb0 \
		2> "$dir/other" &
	tracer=$!
	wait_until "stop" grep -q 'stopped by SIGSTOP' "$dir/trace"
	stopped=$(awk '/stopped by SIGSTOP/ { print $1 }' "$dir/trace")
	ctl disconnect nb0
	ctl connect nb0
	wait_until "new queues" has_carrier here nb0
	kill -STOP "$nb0"
	kill -CONT "$stopped"
	# It is about to wait for an nbwire that does not run, and says so.
	wait_until "words" grep -q 'waiting for the frontend' "$dir/other"
	kill -0 "$stopped"
	ctl show endpoints nb0 | grep -q ' disconnecting '
	kill -CONT "$nb0"
	wait "$tracer" || status=$?
	equal "$status" 0
	ctl show endpoints nb0 | grep -q ' disconnected '
	ctl connect nb0
}

# Which setsockopt() makes it a member of the group of events: the last one.
joins()
{
	ip netns exec here strace -o "$dir/trace" -e trace=setsockopt nbctl disconnect spare0
	ctl connect spare0
	grep -n NETLINK_ADD_MEMBERSHIP "$dir/trace" | tail -n 1 | cut -d: -f1
}

# ---- mistakes ----------------------------------------------------------------

mistakes_are_told_in_one_line_that_says_what_to_do()
{
	fails 2 ctl --nonsense show
	grep -q "nbctl --help" "$dir/words"
	fails 2 ctl -n
	fails 2 ctl xyz
	grep -q "nbctl --help" "$dir/words"
	fails 2 ctl stats nb0 nb0
	grep -q "nbctl stats --help" "$dir/words"
	fails 1 ctl show no_such
	grep -q "nbctl show endpoints" "$dir/words"
	fails 2 ctl kinds null
	ctl --help | grep -q '^Usage: nbctl '
	ctl endpoint --help | grep -q 'nbctl endpoint disconnect ENDPOINT'
	ctl top -h | grep -q '^Usage: nbctl top'
	ctl -Version | grep -q '^nbctl [0-9]'
	ctl show > /dev/full 2> "$dir/words" && die "a full disk is not noticed"
	grep -q 'cannot write' "$dir/words"
}

# ---- bash --------------------------------------------------------------------

# completes WORDS… : what bash offers for the last one.
completes()
{
	# shellcheck disable=SC2016 # expanded by the other bash
	ip netns exec here bash -c '. ./nbctl.bash-completion
		COMP_WORDS=(nbctl "$@") COMP_CWORD=$# COMPREPLY=()
		_nbctl
		echo "${COMPREPLY[@]}"' completes "$@"
}

bash_completes_objects_and_names()
{
	equal "$(completes di)" disconnect
	equal "$(completes disconnect nb)" nb0
	equal "$(completes -n here -j link spare0 d)" down
	equal "$(completes endpoint connect spare0 kind loop)" loopback
	equal "$(completes -ne)" -netns
	equal "$(completes -n her)" here
	equal "$(completes top sort bi)" bits
	equal "$(completes switch f)" fdb
	equal "$(completes memory sh)" show
	equal "$(completes queue set nb0 ad)" adaptive
	equal "$(completes queue set nb0 adaptive b)" both
	equal "$(completes endpoint capture nb)" nb0
	equal "$(completes capture nb0 direction o)" out
}

# ---- selftest ----------------------------------------------------------------

selftest_says_whether_it_works()
{
	nbctl selftest > "$dir/text"
	equal "$(cat "$dir/text")" \
		"net_backend: works: 5 packets came back, $((14 + 60 + 1514 + 9014 + 65792)) bytes, the longest 65792"
	equal "$(nbctl -j selftest | jq -c '.[]')" \
		"{\"selftest\":\"works\",\"packets\":5,\"bytes\":76394,\"longest\":65792}"
	equal "$(ctl -j endpoint show | jq '[.[] | select(.kind == "loopback")] | length')" 0
}

selftest_says_what_to_do()
{
	fails 1 setpriv --reuid 65534 --regid 65534 --clear-groups nbctl selftest
	grep -q 'no permission to open /dev/net_backend: run as root, or be given access' "$dir/words"
	fails 1 prlimit --memlock=65536 setpriv --bounding-set=-all --inh-caps=-all nbctl selftest
	grep -q 'exceeds RLIMIT_MEMLOCK' "$dir/words"
	fails 2 nbctl selftest now
	end_wires
	modprobe -r net_backend
	fails 1 nbctl selftest
	grep -q 'load the module (modprobe net_backend)' "$dir/words"
	modprobe net_backend
	begin_wires
}

nb0="" spare0="" monitor="" stopped=""
begin_tests "${#claims[@]}"
mkfifo "$dir/fifo"
exec {silence}<> "$dir/fifo"
rm "$dir/fifo"
load_module
ip netns add here
ip netns exec here sysctl -qw net.ipv6.conf.default.disable_ipv6=1
begin_wires
# So that nothing but what is asked for gets sent.
ip netns exec here ip neigh add 192.0.2.99 lladdr 02:00:00:00:00:99 dev nb0
check_claims "${claims[@]}"
