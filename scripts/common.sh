# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: GPL-2.0-only
#
# What every script here shares: where the project and the cache are, how progress and errors are said. Sourced, not run.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rvs

toolroot=$cache/toolroot                # the Debian 13 tree everything is built in
archives=$cache/debs                    # packages fetched so far
logs=$cache/log                         # what apt and the kernel's build said

# Each checkout of the project has compiled Cargo packages of its own in the shared cache.
checkout=$(basename "$project")-$(cksum <<<"$project" | cut -d' ' -f1)

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

die() {
	say "error: $1"
	shift
	(($# == 0)) || printf '  %s\n' "$@" >&2
	exit 1
}

need_root() {
	((EUID == 0)) || die "needs root: it makes a Debian tree and enters it with chroot." \
		"Run it as root, or in a virtual machine or privileged container of your own."
}

# need_disk MB PURPOSE: stop early rather than with half a tree.
need_disk() {
	local free
	mkdir -p "$cache"
	free=$(df --output=avail -BM "$cache" | tail -n 1 | tr -dc 0-9)
	((free >= $1)) || die "not enough disk for $2: $1 MB needed in $cache, $free MB free." \
		"Free some, or set XDG_CACHE_HOME to a folder on a larger disk."
}

# one_at_a_time NAME: wait until no other run prepares the same thing; held until this process ends.
one_at_a_time() {
	mkdir -p "$cache"
	exec {lock}>"$cache/$1.lock"
	flock --nonblock "$lock" || {
		say "waiting for another run that is at the same"
		flock "$lock"
	}
}

# kernel_make RELEASE: sets the array kernel_make to the command that runs a prepared kernel's build inside the toolroot, with the
# compiler it was configured with.
kernel_make() {
	local build=kernel/$1/build compiler
	if grep -q '^CONFIG_CC_IS_CLANG=y' "$cache/$build/.config"; then
		compiler=LLVM=1
	else
		compiler=CC=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ ]*\) .*/\1/p' "$cache/$build/.config")
	fi
	kernel_make=(make --no-print-directory "-j$(nproc)" -C "/cache/$build" "$compiler")
}

# copy_module DIR: brings a copy of the module's sources up to date in DIR, a path inside the toolroot, for objects that must not meet
# those to load. What was built there stays, as far as it is not of files that are gone.
copy_module() {
	"$project/scripts/in-toolroot" -- sh -c 'mkdir -p "$1" && rsync --recursive --times --delete --exclude="*_generated.rs" \
		--include="*.rs" --include="*.c" --include="*.h" --include="*.list" --include=Kbuild --include="*/" --exclude="*" \
		/rvs/Kbuild /rvs/rvs "$1/"' sh "$1"
}
