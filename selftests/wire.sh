#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo's job with one queue and with four, which then share the traffic. What
# it is, demo.sh beside this script draws and checks: ping without loss, iperf3 in both
# directions, a file, and counters that agree.

set -euo pipefail

cd "$(dirname "$0")"
PATH=$PWD:$PATH
# shellcheck source-path=SCRIPTDIR source=lib.sh
. ./lib.sh

# The demo with that many queues; what it says goes to the log and to a file.
demo()
{
	NB_DEMO_SECONDS=1 bash ./demo.sh "$1" < /dev/null 2>&1 | tee "$dir/$1" | sed 's/^/# /'
}

# How many queues of the first endpoint that nbctl shows have received packets.
busy_queues()
{
	awk '/: kind netdev / { endpoints++ }
	     endpoints == 1 && $1 == "RX:" { getline; busy += $1 > 0 }
	     END { print busy + 0 }' "$dir/$1"
}

[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 4; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo "TAP version 13"
echo "1..3"
status=0
demo 1 || status=$?
result one_queue_does_the_job "$status"

status=0
demo 4 || status=$?
result four_queues_do_the_job "$status"

busy=$(busy_queues 4)
echo "# $busy of 4 queues have received packets"
result four_queues_share_the_traffic "$((busy < 2))"

exit "$failed"
