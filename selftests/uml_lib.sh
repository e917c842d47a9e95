# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A real guest, User-Mode Linux, whose network device nbvhost serves:
#
#	UML  eth0 ── virtqueues ── nbvhost ── endpoint vm1 ── bridge br0, with a DHCP server
#
# The guest's root is that of this machine, and files are how it is told what to do, see
# uml_init.sh. It needs linux.uml, and its modules for virtio in /uml.  Goes with lib.sh, and
# needs $dir.
#
# shellcheck disable=SC2034,SC2154 # variables for those scripts, and from them

ns=uml host_ip=192.0.2.1
# A kernel in an emulated machine takes its time to boot.
patience=240
vhost="" guest="" guest_ip="" server="" commands=0

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
	# shellcheck disable=SC2016 # expanded by the guest's shell
	printf '#!/bin/sh\n[ "$1" != bound ] || ip addr add "$ip/24" dev "$interface"\n' > "$dir/bound"
	chmod +x "$dir/bound"
	ip netns exec "$ns" busybox udhcpd -f "$dir/dhcp" > "$dir/dhcp.log" 2>&1 &
	ip netns exec "$ns" iperf3 -s > "$dir/iperf3.log" 2>&1 &
}

# start_vhost [OPTION]…
start_vhost()
{
	rm -f "$dir/socket"
	nbvhost -v "$@" "$dir/socket" "netdev,name=vm1,netns=$ns" > "$dir/vhost.log" 2>&1 &
	vhost=$!
	wait_until "nbvhost" grep -q '^nbvhost: ready' "$dir/vhost.log"
	on "$ns" ip link set vm1 master br0
	on "$ns" ip link set vm1 up
}

boot()
{
	rm -rf "$dir/guest"
	mkdir -p "$dir/guest"
	commands=0
	linux.uml mem=96M root=/dev/root rootfstype=hostfs rootflags=/ rw con=null con0=fd:0,fd:1 \
		panic=-1 quiet "virtio_uml.device=$dir/socket:1" init="$PWD/uml_init.sh" \
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

gets_address()
{
	in_guest "ip link set eth0 up"
	in_guest "busybox udhcpc -n -q -i eth0 -s $dir/bound"
	in_guest "ip -4 -o addr show dev eth0"
	guest_ip=$(sed -n 's|.* inet \([0-9.]*\)/24.*|\1|p' "$answer.out")
	[[ $guest_ip == 192.0.2.[2-9] ]]
}

# serve COMMAND…: for the next who connects; sets server to its process.
serve()
{
	ip netns exec "$ns" nc -l -p 9000 -e "$@" 2> "$dir/server.log" &
	server=$!
	wait_until "nc -l" listens
}

listens()
{
	[ -n "$(on "$ns" ss -Hltn 'sport = :9000')" ]
}

guest_has_ended()
{
	! kill -0 "$guest"
}

end_network()
{
	[ -z "$guest" ] || kill -KILL "$guest" 2> /dev/null || true
	end_jobs
	ip netns del "$ns" 2> /dev/null || true
	[ -z "$unload" ] || modprobe -r net_backend
}
