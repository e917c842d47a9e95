#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: module.sh [SECONDS [TARGET]...]
#
# Lets hostile inputs at the module, in a virtual machine whose kernel has sanitizers, lock
# checks and KCOV, for so long each target: rings, ioctls, netlink, frames. Prints "ok …" or
# "FAIL …" a target, as lint does. What is worth keeping is left in build/fuzz/TARGET, and begun
# with the next time; what does harm in build/fuzz/TARGET-found.
#
#   KERNEL=kcov  a kernel without those checks, many times as fast
#   KERNEL=7.3   another kernel; without KCOV, inputs are random
#   NB_SEED=1    the same sequence again, as far as the kernel does the same

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../vm/common.bash
. "$(dirname "$0")/../vm/common.bash"

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} != 0 ] || targets=(rings ioctls netlink frames)
: "${KERNEL:=debug}"
fuzz=$build_dir/fuzz
out=$fuzz/out
log=$fuzz/module.log

main()
{
	local target status=0 options=(-t $((${#targets[@]} * (seconds + 240) + 900)))

	mkdir -p "${targets[@]/#/$fuzz/}"
	rm -rf "$out"
	check_log=$fuzz/build.log
	check "fuzz: the module and what fuzzes it build" build
	[ "$failures" = 0 ] || exit 1
	for target in "${targets[@]}"; do
		options+=(-d "$fuzz/$target:/fuzz/$target")
	done
	[ "$KERNEL" != debug ] || options+=(-m 3G)
	"$vm_dir/run" -k "$KERNEL" -o "$out" "${options[@]}" "$(guest_commands)" |
		tee "$log" | sed -u '/NB_SEED/!s/^# /fuzz: /' || status=${PIPESTATUS[0]}
	for target in "${targets[@]}"; do
		judge "$target"
	done
	check_log=$log
	check "fuzz: the kernel has not complained" test "$status" -lt 124
	[ "$failures" = 0 ]
}

build()
{
	local options=()

	mapfile -t options < <(module_options "$KERNEL")
	unset MAKEFLAGS MAKELEVEL
	make -s -C "$top_dir" selftests
	make -s -C "$top_dir" modules KDIR="$("$vm_dir/kernel" "$KERNEL")/build" W=1 \
		"${options[@]}"
}

guest_commands()
{
	cat <<-EOF
		${NB_SEED:+export NB_SEED=$NB_SEED}
		# Only the process dies then, and what it did is known.
		echo 0 > /proc/sys/kernel/panic_on_oops
		cd /selftests/net_backend
		for target in ${targets[*]}; do
			mkdir -p /out/\$target
			./fuzzed run \$target $seconds /out/\$target corpus/\$target /fuzz/\$target &&
				echo "# \$target: no harm"
			# What the kernel says may come late.
			sleep 1
			dmesg | grep -qE 'BUG:|WARNING:|KASAN|UBSAN' && break
		done
	EOF
}

is_harmless()
{
	grep -q "^# $1: no harm" "$log" && return
	tail -n 40 "$log"
	return 1
}

# Keeps what a target has left, and says how it went.
judge()
{
	local target=$1 file found=()

	for file in "$out/$target"/*; do
		case ${file##*/} in
		found-*|before-*)
			mkdir -p "$fuzz/$target-found"
			found+=("$file")
			cp "$file" "$fuzz/$target-found"
			;;
		\*) ;;
		*) cp "$file" "$fuzz/$target" ;;
		esac
	done
	check "fuzz: hostile $target harm nobody" is_harmless "$target"
	[ ${#found[@]} = 0 ] ||
		echo "# inputs that do: $fuzz/$target-found; see Documentation/testing.rst"
}

main
