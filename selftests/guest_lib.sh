# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What scripts share whose guest has a network device that nbvhost serves:
#
#	guest  eth0 ── virtqueues ── nbvhost ── endpoint $nic ── bridge br0, with a DHCP server
#
# Goes with lib.sh, and needs $dir, and in_guest(), which runs a command in the guest, whose
# output is $answer.out then.
#
# shellcheck disable=SC2034,SC2154 # variables for those scripts, and from them

ns=guests host_ip=192.0.2.1
# The endpoint's name; its socket is $dir/$nic.
nic=vm1
vhost="" guest="" guest_ip="" server=""

make_network()
{
	load_module
	ip netns add "$ns"
	on "$ns" ip link set lo up
	on "$ns" ip link add br0 type bridge
	on "$ns" ip addr add "$host_ip/24" dev br0
	on "$ns" ip link set br0 up
	cat > "$dir/dhcp" <<-END
		start 192.0.2.2
		end 192.0.2.9
		interface br0
		lease_file $dir/leases
		max_leases 8
		opt subnet 255.255.255.0
	END
	: > "$dir/leases"
	ip netns exec "$ns" busybox udhcpd -f "$dir/dhcp" > "$dir/dhcp.log" 2>&1 &
	ip netns exec "$ns" iperf3 -s > "$dir/iperf3.log" 2>&1 &
}

# start_vhost PAIRS: of queues, at most.
start_vhost()
{
	rm -f "$dir/$nic"
	nbvhost -v -q "$1" "$dir/$nic" "netdev,name=$nic,netns=$ns" > "$dir/$nic-vhost.log" 2>&1 &
	vhost=$!
	wait_until "nbvhost" grep -q '^nbvhost: ready' "$dir/$nic-vhost.log"
	on "$ns" ip link set "$nic" master br0
	on "$ns" ip link set "$nic" up
}

kill_vhost()
{
	kill -KILL "$vhost"
	# Bash says what has killed it.
	{ wait "$vhost" || true; } 2> /dev/null
}

# In place: whoever is connected stays.
begin_again()
{
	local log=$dir/$nic-vhost.log before

	before=$(grep -c '^nbvhost: ready' "$log")
	kill -USR2 "$vhost"
	wait_until "nbvhost" is_ready_again "$log" "$before"
}

is_ready_again()
{
	[ "$(grep -c '^nbvhost: ready' "$1")" -gt "$2" ]
}

# The guest asks for one; what it gets is given to $bound there.
gets_address()
{
	in_guest "ip link set eth0 up"
	in_guest "busybox udhcpc -n -q -t 20 -i eth0 -s $bound"
	in_guest "ip -4 -o addr show dev eth0"
	guest_ip=$(sed -n 's|.* inet \([0-9.]*\)/24.*|\1|p' "$answer.out")
	[[ $guest_ip == 192.0.2.[2-9] ]]
}

gets_an_answer()
{
	wait_until "an answer" net_of "$ns" ping -q -c 1 -W 5 "$guest_ip"
}

# guest_pings TIMES ARGUMENT…: what pings does, from the guest to the host.
guest_pings()
{
	in_guest "ping -q -S 200000 -c $1 -l $1 -i 50 ${*:2} $host_ip"
	grep -q " $1 received, 0% packet loss" "$answer.out"
}

# run_iperf ARGUMENT…: the guest with the host's server, which listens anew after each client.
run_iperf()
{
	wait_until "iperf3 -s" listens 5201
	in_guest "iperf3 -c $host_ip $*"
}

# serve COMMAND…: for the next who connects; sets server to its process.
serve()
{
	ip netns exec "$ns" nc -l -p 9000 -e "$@" 2> "$dir/server.log" &
	server=$!
	wait_until "nc -l" listens 9000
}

# listens PORT
listens()
{
	[ -n "$(net_of "$ns" ss -Hltn "sport = :$1")" ]
}

end_network()
{
	[ -z "$guest" ] || kill -KILL "$guest" 2> /dev/null || true
	end_jobs
	ip netns del "$ns" 2> /dev/null || true
	[ -z "$unload" ] || modprobe -r net_backend
}
