#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What udhcpc runs in the guests of guest_lib.sh.

# shellcheck disable=SC2154 # variables from udhcpc
[ "$1" != bound ] || ip addr add "$ip/24" dev "$interface"
