#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: libnb.sh [SECONDS]
#
# Builds libnb with libFuzzer, AddressSanitizer and UBSAN, and lets it read what a hostile
# kernel might write (libnb.c) for so long. Prints "ok …" or "FAIL …", as lint does. What is
# found is kept beside the corpus of this run, in build/fuzz. SEED makes it repeatable.

set -euo pipefail
dir=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$dir/../.." && pwd)
build=${BUILD:-$top/build}/fuzz
seconds=${1:-10}
seed=${SEED:-$RANDOM}
what="libnb stays inside the maps, whatever the kernel writes"

build()
{
	clang-14 -g -O1 -std=gnu11 -D_GNU_SOURCE -DNB_VERSION='"fuzz"' \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-Wall -Wextra -Werror -Wl,--wrap=ioctl,--wrap=mmap,--wrap=munmap,--wrap=close \
		-I"$top/uapi" -I"$top/tools/lib" \
		"$dir/libnb.c" "$top"/tools/lib/*.c -o "$build/libnb"
}

mkdir -p "$build/corpus"
if ! build > "$build/log" 2>&1; then
	echo "FAIL fuzz: libnb builds with libFuzzer"
	cat "$build/log"
	exit 1
fi
if "$build/libnb" -max_total_time="$seconds" -seed="$seed" -max_len=512 \
	-print_final_stats=1 -artifact_prefix="$build/found-" \
	"$build/corpus" "$dir/corpus/libnb" > "$build/log" 2>&1; then
	echo "ok $what"
	echo "# $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/log") inputs," \
	     "seed $seed, $(grep -oE 'cov: [0-9]+' "$build/log" | tail -n 1)"
else
	echo "FAIL $what (seed $seed)"
	tail -n 60 "$build/log"
	exit 1
fi
