#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nbctl capture: what is in its files, as tcpdump reads them, is what was sent. Files and
# what they are to hold also go to /out/capture, if there is such a place, where
# vm/check-capture has tshark read them.
#
#   network namespace "here": endpoint nb0 (netdev) of an nbwire whose other end is of kind
#   loopback: each frame that the host sends is captured as it goes in and as it comes out;
#   with three queues, over which IP flows are spread, others take the first one

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

claims=(
	a_file_has_what_was_sent_in_both_directions
	snaplen_cuts_and_tells_the_length
	one_direction_goes_down_a_pipe_until_count
	each_packet_has_its_queue
	a_tag_is_where_it_is_on_a_wire
	a_packet_of_60_000_bytes_is_there_whole
	who_reads_may_leave
	a_slow_reader_loses_and_the_file_tells
	an_endpoint_that_goes_ends_it
	a_full_disk_ends_it_and_is_told
	mistakes_are_told_in_one_line_that_says_what_to_do
)

clean_up()
{
	local status=$?

	if [ "$status" != 0 ]; then
		echo "not ok $((number + 1)) ${claim:-set_up}"
		tail -n 20 "$dir"/*.log "$dir/words" 2> /dev/null | sed 's/^/# /' || true
	fi
	end_jobs
	umount "$dir/small" 2> /dev/null || true
	ip netns del here 2> /dev/null || true
	[ -z "$unload" ] || modprobe -r net_backend || true
	rm -rf "$dir"
}

begin_wire()
{
	nbwire -R -q 3 -b 64 netdev,name=nb0,netns=here,mtu=61000 loopback > "$dir/wire.log" 2>&1 &
	wire=$!
	wait_until "nbwire" grep -q '^nbwire: ready' "$dir/wire.log"
	ip -n here link set nb0 up
	wait_until "carrier" has_carrier here nb0
	ifindex=$(ip netns exec here cat /sys/class/net/nb0/ifindex)
}

# capture ARGUMENT…: of nb0, in the background; waits until it has begun.
capture()
{
	: > "$dir/capture.log"
	ip netns exec here nbctl capture nb0 "$@" 2> "$dir/capture.log" &
	capturer=$!
	wait_until "nbctl" grep -q '^nbctl: capturing nb0$' "$dir/capture.log"
}

# ends: the capture by itself, with success.
ends()
{
	wait "$capturer" || die "nbctl: exit status $?"
}

# send N [flows | long]: frames of all lengths through the interface; prints them, a line each:
# bytes, in hexadecimal. Flows are UDP over IPv4.
send()
{
	# shellcheck disable=SC2016 # perl's variables
	ip netns exec here perl -e '
		my ($n, $ifindex, $what) = @ARGV;
		socket(my $s, 17, 3, 0) or die "socket: $!";
		my $to = pack("S n i x12", 17, 0, $ifindex);
		for my $i (1 .. $n) {
			my $len = $what eq "long" ? 60000 - 18 : $i * 37 % 1450;
			my $head = $what eq "flows" ?
				pack("n CCnNCCn NN nnnn", 0x0800, 0x45, 0, 32 + $len, 0, 64, 17, 0,
				     0x0a000001, 0x0a000002, 1000 + $i, 9, 12 + $len, 0) :
				"\x88\xb5";
			my $frame = "\xff" x 6 . "\x02\0\0\0\0\x01" . $head .
				    pack("N", $i) . chr($i & 255) x $len;
			defined(send($s, $frame, 0, $to)) or die "send: $!";
			print unpack("H*", $frame), "\n";
		}' "$1" "$ifindex" "${2:-}"
}

# frames FILE: what tcpdump sees in it, in the same form.
frames()
{
	tcpdump -Z root -nn -xx -r "$1" 2> "$dir/tcpdump.log" | perl -ne '
		if (/^\s+0x[0-9a-f]+:\s+(.*)/) { ($x = $1) =~ s/ //g; $frame .= $x }
		elsif (defined $frame) { print "$frame\n"; $frame = "" }
		else { $frame = "" }
		END { print "$frame\n" if $frame }'
}

# counted N: the endpoint's interface has got so many frames back, and sent as many.
counted()
{
	[ "$(ip netns exec here cat /sys/class/net/nb0/statistics/rx_packets)" -ge "$1" ]
}

# What was sent has gone all the way.
sent=0
send_and_wait()
{
	send "$@" > "$dir/sent"
	sent=$((sent + $1))
	wait_until "frames" counted "$sent"
}

# keep NAME SNAPLEN COUNT…: the file, and what tshark is to see in it: direction, queue, length,
# captured length, bytes, of the frames sent; first as many in each direction as said; and the
# time, if it has begun.
keep()
{
	[ -d /out ] || return 0
	mkdir -p /out/capture
	cp "$dir/$1.pcapng" /out/capture
	[ -z "$began" ] || echo "$began $(date +%s.%N)" > "/out/capture/$1.times"
	queue=${queue:-0} perl -e '
		my ($snaplen, %count) = @ARGV;
		my @frames = <STDIN>;
		for my $direction (sort keys %count) {
			for my $frame (@frames[0 .. $count{$direction} - 1]) {
				chomp(my $data = $frame);
				my $len = length($data) / 2;
				my $kept = $snaplen && $snaplen < $len ? $snaplen : $len;
				print join("\t", $direction, $ENV{queue}, $len, $kept,
					   substr($data, 0, 2 * $kept)), "\n";
			}
		}' "${@:2}" < "$dir/sent" > "/out/capture/$1.expected"
}

# ---- what is in a file -------------------------------------------------------

a_file_has_what_was_sent_in_both_directions()
{
	local began

	began=$(date +%s.%N)
	capture file "$dir/both.pcapng"
	send_and_wait 100
	kill -INT "$capturer"
	ends
	grep -qx 'nbctl: 200 packets of nb0 captured, 0 lost' "$dir/capture.log"
	frames "$dir/both.pcapng" | sort > "$dir/got"
	cat "$dir/sent" "$dir/sent" | sort | cmp - "$dir/got"
	keep both 0 in 100 out 100
}

snaplen_cuts_and_tells_the_length()
{
	capture snaplen 40 direction in file "$dir/short.pcapng"
	send_and_wait 50
	kill -TERM "$capturer"
	ends
	frames "$dir/short.pcapng" > "$dir/got"
	cut -c 1-80 "$dir/sent" | cmp - "$dir/got"
	keep short 40 in 50
}

one_direction_goes_down_a_pipe_until_count()
{
	mkfifo "$dir/pipe"
	cat "$dir/pipe" > "$dir/pipe.pcapng" &
	capture direction out queue 0 count 30 file - > "$dir/pipe"
	send_and_wait 60
	ends
	grep -qx 'nbctl: 30 packets of nb0 captured, 0 lost' "$dir/capture.log"
	wait_until "file" complete "$dir/pipe.pcapng" 30
	head -n 30 "$dir/sent" | cmp - <(frames "$dir/pipe.pcapng")
	keep pipe 0 out 30
}

begun()
{
	[ "$(frames "$1" | wc -l)" -gt 0 ]
}

complete()
{
	[ "$(frames "$1" | wc -l)" = "$2" ]
}

# Which one that is, the endpoint decides: one of several.
each_packet_has_its_queue()
{
	local queue=1 n

	capture queue $queue direction in file "$dir/queue.pcapng"
	send_and_wait 90 flows
	kill -INT "$capturer"
	ends
	frames "$dir/queue.pcapng" > "$dir/got"
	! grep -qvxFf "$dir/sent" "$dir/got" || die "other packets"
	n=$(wc -l < "$dir/got")
	((n > 0 && n < 90)) || die "$n of 90"
	mv "$dir/got" "$dir/sent"
	keep queue 0 in "$n"
}

a_tag_is_where_it_is_on_a_wire()
{
	local ifindex

	ip -n here link add link nb0 name v5 type vlan id 5
	ip -n here link set v5 up
	ifindex=$(ip netns exec here cat /sys/class/net/v5/ifindex)
	capture snaplen 100 file "$dir/tags.pcapng"
	send_and_wait 20
	kill -INT "$capturer"
	ends
	ip -n here link del v5
	# Bytes 12 to 15.
	sed -i 's/^.\{24\}/&81000005/' "$dir/sent"
	frames "$dir/tags.pcapng" | sort > "$dir/got"
	cat "$dir/sent" "$dir/sent" | cut -c 1-200 | sort | cmp - "$dir/got"
	keep tags 100 in 20 out 20
}

a_packet_of_60_000_bytes_is_there_whole()
{
	capture file "$dir/long.pcapng"
	send_and_wait 2 long
	kill -INT "$capturer"
	ends
	frames "$dir/long.pcapng" | sort > "$dir/got"
	cat "$dir/sent" "$dir/sent" | sort | cmp - "$dir/got"
	keep long 0 in 2 out 2
}

who_reads_may_leave()
{
	mkfifo "$dir/left"
	tail -f "$dir/left" > "$dir/left.pcapng" &
	reader=$!
	capture > "$dir/left"
	kill "$reader"
	# Without a packet that could not be written.
	ends
	# shellcheck disable=SC2016 # perl's variables
	ip netns exec here perl -e '
		socketpair(my $left, my $right, 1, 1, 0) or die "socketpair: $!";
		open(STDOUT, ">&", $right);
		close($right);
		my $child = fork();
		exec("nbctl", "capture", "nb0") unless $child;
		close(STDOUT);
		# What the file begins with.
		sysread($left, my $data, 4096) or die "read: $!";
		close($left);
		waitpid($child, 0);
		exit($? >> 8)' 2> "$dir/capture.log" &
	capturer=$!
	ends
}

a_slow_reader_loses_and_the_file_tells()
{
	local captured lost

	capture buffer 128 direction in file "$dir/slow.pcapng"
	# "ip netns exec" becomes what it runs.
	kill -STOP "$capturer"
	send_and_wait 400
	mv "$dir/sent" "$dir/most"
	kill -CONT "$capturer"
	# All that has been kept is read at once; the next one tells what was lost in front of it.
	wait_until "file" begun "$dir/slow.pcapng"
	send_and_wait 10
	kill -INT "$capturer"
	ends
	cat "$dir/sent" >> "$dir/most"
	captured=$(sed -n 's/^nbctl: \([0-9]*\) packets of nb0 captured.*/\1/p' "$dir/capture.log")
	lost=$(sed -n 's/.* captured, \([0-9]*\) lost$/\1/p' "$dir/capture.log")
	[ "$lost" -gt 0 ] || die "nothing was lost"
	[ $((captured + lost)) = 410 ] || die "$captured captured, $lost lost"
	frames "$dir/slow.pcapng" > "$dir/got"
	[ "$(wc -l < "$dir/got")" = "$captured" ] || die "the file has $(wc -l < "$dir/got")"
	# What is there was sent.
	! grep -qvxFf "$dir/most" "$dir/got" || die "other packets"
	tail -n 10 "$dir/got" | cmp - "$dir/sent"
	mv "$dir/got" "$dir/sent"
	keep slow 0 in "$captured"
	[ ! -d /out ] || echo "$lost" > /out/capture/slow.lost
}

an_endpoint_that_goes_ends_it()
{
	capture file "$dir/gone.pcapng"
	send_and_wait 5
	kill -INT "$wire"
	wait "$wire"
	ends
	[ "$(frames "$dir/gone.pcapng" | wc -l)" = 10 ]
	sent=0
	begin_wire
}

a_full_disk_ends_it_and_is_told()
{
	local status=0

	mkdir "$dir/small"
	mount -t tmpfs -o size=64k none "$dir/small"
	capture file "$dir/small/full.pcapng"
	send_and_wait 200
	wait "$capturer" || status=$?
	umount "$dir/small"
	[ "$status" = 1 ] || die "exit status $status"
	tail -n 1 "$dir/capture.log" |
		grep -qx "nbctl: cannot write the capture to $dir/small/full.pcapng: No space left on device"
}

mistakes_are_told_in_one_line_that_says_what_to_do()
{
	fails 2 on here nbctl capture
	fails 2 on here nbctl capture nb0 direction up
	fails 2 on here nbctl capture nb0 queue 5000
	fails 2 on here nbctl capture nb0 buffer 100
	fails 2 on here nbctl capture nb0 count 0
	fails 2 on here nbctl capture nb0 file
	fails 2 on here nbctl capture nb0 filter tcp
	grep -q "nbctl capture --help" "$dir/words"
	fails 1 on here nbctl capture no_such
	fails 1 on here nbctl capture 4000000000
	fails 1 on here nbctl capture nb0 queue 1023
	grep -q "the endpoint has [0-9]* at most" "$dir/words"
	fails 1 on here capsh --drop=cap_net_admin -- -c "nbctl endpoint capture nb0"
	grep -q "CAP_NET_ADMIN" "$dir/words"
	capture file "$dir/first.pcapng"
	fails 1 on here nbctl capture nb0
	grep -q "somebody else captures" "$dir/words"
	kill -INT "$capturer"
	ends
	on here nbctl capture nb0 file /no_such/file > "$dir/words" 2>&1 && die "no such file"
	grep -q "cannot write the capture to /no_such/file: No such file" "$dir/words"
}

began="" wire="" capturer="" reader="" ifindex=""
begin_tests "${#claims[@]}"
load_module
ip netns add here
ip netns exec here sysctl -qw net.ipv6.conf.default.disable_ipv6=1
begin_wire
check_claims "${claims[@]}"
