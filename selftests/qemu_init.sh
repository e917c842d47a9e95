#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The first process of the guest of qemu.sh, all of whose files are an initramfs that
# vm/qemu-guest has packed. Says "end 0" by its second serial port when it listens there. Then it
# does, line by line, what comes, and answers: what that prints, then "end STATUS".

export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
# In the order in which they need each other.
while read -r module; do
	insmod "$module" || poweroff -f
done < /modules
ip link set lo up
# Open from here on: what comes before is lost.
exec < /dev/ttyS1 > /dev/ttyS1
stty raw -echo
echo "end 0"
while read -r line; do
	sh -c "$line" < /dev/null 2>&1
	echo "end $?"
done
