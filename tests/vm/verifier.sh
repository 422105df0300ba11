# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The BPF programs as different compilers make them, before the verifier of a kernel. Source this file; it has no side effects. It adds
# to tests/kmod/lib.sh.
#
#   verifier_run KERNEL     loads the product, built with each compiler of verifier_compilers, in that kernel of this machine's
#                           architecture, and compares what each program costs the verifier with the file `verified`
#
# A program that costs more than 10 % above what stands there, or that does not stand there, is named, and fails the test. MIMIC_RECORD=1
# writes what was seen into the file instead.

verifier_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../kmod/lib.sh
. "$verifier_here/../kmod/lib.sh"
verifier_record=$verifier_here/verified

# The oldest that Debian 12 calls clang, two in between, and the newest that Debian has.
verifier_compilers=(clang-14 clang-16 clang-19 clang-sid)

# verifier_sid FILE: makes FILE a command that is the clang of sid. It works on files in this test's temporary directory.
verifier_sid()
{
	local root
	root=$(kmod_root sid clang libbpf-dev libc6-dev) || return 1
	cat >"$1" <<-END
		#!/bin/bash
		. "$verifier_here/verifier.sh"
		kmod_tmp=$kmod_tmp
		kmod_in "$root" sh -c 'cd "\$1" && shift && exec clang "\$@"' sh "\$PWD" "\$@"
	END
	chmod +x "$1"
}

# verifier_builds DIR: DIR gets mimic.COMPILER and plain.COMPILER.o of each compiler.
verifier_builds()
{
	local dir=$1 src=$kmod_tmp/src build=$kmod_tmp/build compiler clang
	vm_sources "$src" && mkdir -p "$build" "$dir" && (cd "$src" && autoreconf -fi) || return 1
	for compiler in "${verifier_compilers[@]}"; do
		clang=$compiler
		if [ "$compiler" = clang-sid ]; then
			clang=$kmod_tmp/clang-sid
			verifier_sid "$clang" || return 1
		fi
		vm_need "$clang" "$compiler" || return 1
		echo "$compiler: $("$clang" --version | head -n 1)"
		[ -e "$build/Makefile" ] || (cd "$build" && "$src/configure" --quiet CLANG="$clang") || return 1
		rm -f "$build"/bpf/*.o "$build"/bpf/*.skel.h
		make -C "$build" -j2 CLANG="$clang" mimic >"$dir/$compiler.log" 2>&1 || {
			tail -n 40 "$dir/$compiler.log"
			vm_log "the product did not build with $compiler"
			return 1
		}
		cp "$build/mimic" "$dir/mimic.$compiler" && cp "$build/bpf/mimic_plain.bpf.o" "$dir/plain.$compiler.o" || return 1
	done
}

# verifier_compare KERNEL OUTPUT: what guest-verifier.sh said, against the record.
verifier_compare()
{
	awk -v kernel="$1" '
		FILENAME ~ /verified$/ { if ($1 == kernel) known[$2 " " $3] = $4; next }
		$1 != "verified:" { next }
		{
			name = $2 " " $3
			seen[name]
			if (!(name in known)) {
				print kernel, name ": " $4 " instructions, of which nothing is on record"; bad = 1
			} else if ($4 > known[name] * 1.1) {
				printf "%s %s: %d instructions, %.0f %% more than the %d on record\n", kernel, name, $4, ($4 / known[name] - 1) * 100, known[name]
				bad = 1
			} else if ($4 < known[name] * 0.9)
				printf "%s %s: %d instructions, %.0f %% less than the %d on record\n", kernel, name, $4, (1 - $4 / known[name]) * 100, known[name]
		}
		END {
			for (name in known)
				if (!(name in seen)) {
					print kernel, name ": is on record, and was not seen"; bad = 1
				}
			exit bad
		}
	' "$verifier_record" "$2" && return
	vm_log "MIMIC_RECORD=1 tests/run vm/$1-verifier writes these numbers into tests/vm/verified"
	return 1
}

# verifier_write KERNEL OUTPUT: puts it on record.
verifier_write()
{
	local new=$verifier_record.new
	{
		grep '^#' "$verifier_record"
		{
			grep -v -e '^#' -e "^$1 " "$verifier_record"
			sed -n "s/^verified:/$1/p" "$2"
		} | LC_ALL=C sort
	} >"$new" && mv "$new" "$verifier_record"
}

verifier_run()
{
	local kernel=$1 dir=$kmod_tmp/verifier
	vm_kernel "$kernel" && verifier_builds "$dir" || return 1
	VM_TIMEOUT=${VM_TIMEOUT:-900} vm_run "$kernel" "$verifier_here/guest-verifier.sh" "$verifier_here/guest-lib.sh" \
		"$dir"/mimic.* "$dir"/plain.* >"$dir/out" || { cat "$dir/out"; return 1; }
	cat "$dir/out"
	if [ "${MIMIC_RECORD:-}" = 1 ]; then
		verifier_write "$kernel" "$dir/out"
	else
		verifier_compare "$kernel" "$dir/out"
	fi
}
