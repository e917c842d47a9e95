#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The first process of the guest of uml.sh, which sees the files of its host. Does what it
# finds in $guest/1, 2, … one after the other, and says in 1.status, … how that ended.

# Of the kernel's command line.
: "${guest:?}"
export PATH=/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in failover net_failover virtio_net; do
	insmod "/uml/$module.ko" || poweroff -f
done
ip link set lo up

i=1
while :; do
	while [ ! -e "$guest/$i" ]; do
		usleep 50000
	done
	sh "$guest/$i" > "$guest/$i.out" 2>&1
	echo $? > "$guest/$i.new"
	mv "$guest/$i.new" "$guest/$i.status"
	i=$((i + 1))
done
