#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: do BPF objects pass this kernel's verifier? By hand, and early, since no daemon is needed:
#	tests/vm/boot.sh all tests/vm/guest-load.sh build/bpf/mimic_full.bpf.o build/bpf/mimic_plain.bpf.o
# Without kernel BTF (armhf, i386) objects with typed ksyms or CO-RE relocations are refused, as they should be.
uname -rm
result=0
for object in *.bpf.o; do
	if bpftool prog loadall "$object" "/sys/fs/bpf/${object%%.*}" >"result/$object.log" 2>&1; then
		echo "$object: loaded"
	else
		result=1
		echo "$object: refused; the end of the log:"
		tail -n 30 "result/$object.log"
	fi
done
echo "done, up $(cut -d ' ' -f 1 /proc/uptime) s"
exit $result
