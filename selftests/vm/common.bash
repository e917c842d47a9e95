# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Shared by the scripts beside it: messages, folders, checks, Debian packages that are
# unpacked into the cache instead of being installed.
#
# shellcheck disable=SC2034 # variables for those scripts

me=${0##*/}
vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top_dir=$(cd "$vm_dir/../.." && pwd)
build_dir=${BUILD:-$top_dir/build}
cache_dir=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/net_backend
all_kernels="6.1 6.12 7.3"
# Those that own-kernel builds. Those for coverage and kcov are kcsan, with another module.
own_kernels="debug coverage kcov kcsan"

say()
{
	echo "$me: $*" >&2
}

die()
{
	say "$*"
	exit 1
}

# check NAME COMMAND…: prints "ok NAME" or "FAIL NAME", and what the command says if it
# fails. Counts failures. The output goes to the file check_log, which the caller sets.
failures=0
check_log=/dev/null
check()
{
	local name=$1
	shift

	# In the background, because bash ignores "set -e" in a condition.
	"$@" > "$check_log" 2>&1 &
	if wait "$!"; then
		echo "ok $name"
	else
		# At once: another check may run beside this one.
		printf '%s\n' "FAIL $name" "$(sed 's/^/    /' "$check_log")"
		failures=$((failures + 1))
	fi
}

# module_options KERNEL: what make is told to build the module for tests there, a word a line.
module_options()
{
	local flags=-Werror

	case $1 in
	coverage) printf '%s\n' GCOV_PROFILE=y KCSAN_SANITIZE=n ;;
	# So that fuzzers are guided, see selftests/fuzz/kcov.c.
	kcov) printf '%s\n' KCOV_INSTRUMENT=y KCSAN_SANITIZE=n ;;
	debug)
		echo KCOV_INSTRUMENT=y
		# Other kernels clear variables that nobody sets, so that no test sees one.
		flags+=" -ftrivial-auto-var-init=pattern"
		;;
	esac
	echo "KCFLAGS=$flags"
}

# lock NAME: holds a lock in the cache until this process ends, so that
# scripts which run at the same time do not fetch the same thing twice.
lock()
{
	mkdir -p "$cache_dir"
	exec {lock_fd}> "$cache_dir/$1.lock"
	flock "$lock_fd"
}

# private_apt SUITE: makes apt-get and apt-cache calls (through "apt", below)
# see that Debian suite, from the mirrors that this machine uses for its own,
# and nothing of the machine's package state.
private_apt()
{
	local suite=$1 codename file

	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	apt_dir=$cache_dir/apt.$$
	rm -rf "$apt_dir"
	mkdir -p "$apt_dir"/{sources,lists/partial,cache/archives/partial}
	: > "$apt_dir/status"

	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -r "$file" ] || other_suite_list "$codename" "$suite" "$file"
	done > "$apt_dir/sources/debian.list"
	for file in /etc/apt/sources.list.d/*.sources; do
		[ ! -r "$file" ] || other_suite_deb822 "$codename" "$suite" "$file"
	done > "$apt_dir/sources/debian.sources"
	[ -s "$apt_dir/sources/debian.list" ] ||
	[ -s "$apt_dir/sources/debian.sources" ] ||
		die "found no Debian suite '$codename' in /etc/apt to take a mirror from"

	try_again apt get update -qq -o APT::Update::Error-Mode=any >&2
}

# try_again COMMAND…: up to three times: a mirror may be busy, or change meanwhile.
try_again()
{
	local pause

	for pause in 20 60 ""; do
		"$@" && return
		[ -n "$pause" ] || return 1
		say "has failed: $*; once more in $pause s"
		sleep "$pause"
	done
}

# One-line format: the lines of CODENAME and of CODENAME-security, for SUITE
# instead; SUITE-backports from the first of them.
other_suite_list()
{
	awk -v codename="$1" -v suite="$2" '
		$1 != "deb" { next }
		{
			at = 2
			if ($2 ~ /^\[/)
				while ($at !~ /\]$/)
					at++
			at += ($2 ~ /^\[/) + 1
			was = $at
			if (was == codename) {
				$at = suite; print
				$at = suite "-backports"; print
			} else if (was == codename "-security") {
				$at = suite "-security"; print
			}
		}' "$3"
}

# The same for the deb822 format.
other_suite_deb822()
{
	awk -v codename="$1" -v suite="$2" '
		BEGIN { RS = ""; FS = "\n" }
		{
			new = ""
			for (i = 1; i <= NF; i++) {
				if ($i !~ /^Suites:/)
					continue
				n = split($i, word, /[ \t]+/)
				for (j = 2; j <= n; j++)
					if (word[j] == codename)
						new = new " " suite " " suite "-backports"
					else if (word[j] == codename "-security")
						new = new " " suite "-security"
				$i = "Suites:" new
			}
			if (new == "")
				next
			for (i = 1; i <= NF; i++)
				print $i
			print ""
		}' "$3"
}

# apt get|cache ARGS…: apt-get or apt-cache on the state of private_apt.
apt()
{
	"apt-$1" -o Dir::Etc::SourceList=/dev/null \
		-o Dir::Etc::SourceParts="$apt_dir/sources" \
		-o Dir::State::Lists="$apt_dir/lists" \
		-o Dir::State::status="$apt_dir/status" \
		-o Dir::Cache="$apt_dir/cache" \
		-o APT::Sandbox::User=root -o Acquire::Retries=3 "${@:2}"
}

# download DIR PACKAGE…: also if the mirror has others by now.
download()
{
	(cd "$1" && apt get download -qq "${@:2}" >&2) ||
		{ apt get update -qq >&2; return 1; }
}

# unpack DIR PACKAGE…: downloads these packages and unpacks them into DIR.
unpack()
{
	local dir=$1 deb
	shift

	say "fetching $*"
	mkdir -p "$dir/debs"
	try_again download "$dir/debs" "$@"
	for deb in "$dir"/debs/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$dir/debs"
}
