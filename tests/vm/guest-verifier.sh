#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: what each program of mimic.COMPILER costs this kernel's verifier, as lines "verified: COMPILER PROGRAM INSTRUCTIONS"; and that
# plain.COMPILER.o, the object for kernels without BTF, passes as well.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

uname -rm
link_bridge
for program in mimic.*; do
	compiler=${program#mimic.}
	mv "$program" mimic
	load_check left || fail "mimic run --check"
	become left ./mimic run -f local=10.77.0.1:5000 eth0 >/tmp/left.log 2>&1 &
	left=$!
	await $left left
	load_facts $left >/tmp/facts.log
	cat /tmp/facts.log
	grep -q ' object=full ' /tmp/facts.log || fail "$compiler: not the full object"
	sed 's/.* insns=[0-9]* //' /tmp/facts.log | tr ' ' '\n' | sort | sed "s/\(.*\)=/verified: $compiler \1 /"
	stop $left "mimic in left"
	bpftool prog loadall "plain.$compiler.o" "/sys/fs/bpf/$compiler" >/tmp/plain.log 2>&1 ||
		{ tail -n 30 /tmp/plain.log; fail "$compiler: the plain object is refused"; }
	rm -r "/sys/fs/bpf/$compiler"
done
echo "done, up $(uptime_s) s"
