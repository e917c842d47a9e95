#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The first process of the guest of qemu.sh, all of whose files are an initramfs that
# vm/qemu-guest has packed. Says "begin" by its second serial port, then loads the modules, and says
# "end 0" when it listens there. Then it does, line by line, what comes, and answers: what that
# prints, then "end STATUS".

export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
# Open from here on: what comes before is lost.
exec < /dev/ttyS1 > /dev/ttyS1
stty raw -echo
echo "begin"
# In the order in which they need each other.
while read -r module; do
	insmod "$module" || poweroff -f
done < /modules
ip link set lo up
echo "end 0"
while read -r line; do
	sh -c "$line" < /dev/null 2>&1
	echo "end $?"
done
