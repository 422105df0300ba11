#!/bin/bash
# not a test
# SPDX-License-Identifier: GPL-2.0-only
# Boots kernels of tests/vm/kernels by hand: boot.sh KERNEL|all [SCRIPT [FILE...]]; without SCRIPT, guest-smoke.sh.
# `boot.sh fetch KERNEL|all...` only fills the cache. The environment variables of vm_run apply.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"

names() { awk '!/^#/ && NF { print $1 }' "$here/kernels"; }

usage() { sed -n '4,5s/^# //p' "$0" >&2; exit 2; }

[ $# -gt 0 ] || usage
if [ "$1" = fetch ]; then
	shift
	[ "$*" = all ] && mapfile -t -O 1 all < <(names) && set -- "${all[@]}"
	for name; do
		vm_kernel "$name" && vm_base "$name" >/dev/null || exit 1
	done
	exit
fi
name=$1 script=${2:-$here/guest-smoke.sh}
shift $(($# > 1 ? 2 : 1))
[ "$name" = all ] && name=$(names)
result=0
for name in $name; do
	vm_run "$name" "$script" "$@" || result=1
done
exit $result
