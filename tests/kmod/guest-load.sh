#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: mimic.ko is loaded, called from BPF programs (calls.c, where the devices are explained, and gso.c), kept by them,
# and unloaded. /t has mimic.ko, calls, gso, calls.bpf.o, gso.bpf.o and, in broken/, modules that have to be refused, and may have by-hand.ko, which has its
# BTF by mimic-btf where the kernel's build has made that of mimic.ko. Environment: VERSION, what the module has to say of itself.
set -u

fail()
{
	echo "FAIL: $*"
	cat /tmp/*.log 2>/dev/null
	dmesg | tail -n 20
	exit 1
}

loaded() { [ -e /sys/module/mimic ]; }

# refused FILE TEXT: insmod fails, and the kernel's log says why, and what to do.
refused()
{
	dmesg -c >/dev/null
	if insmod "$1" 2>/tmp/insmod.log; then
		fail "$1 was loaded"
	fi
	loaded && fail "$1 is there although insmod failed"
	dmesg | grep -E "$2" || fail "$1: not a word about '$2' in the kernel's log"
}

# unload SECONDS: what a program held may be released a little later.
unload()
{
	local left=$(($1 * 5))
	until rmmod mimic 2>/tmp/rmmod.log; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail "the module cannot be unloaded"
		sleep 0.2
	done
}

# used FILE: the module has its BTF, answers BPF programs, is kept by them, and can be unloaded afterwards.
used()
{
	local calls
	insmod "$1" || fail "insmod $1"
	[ -e /sys/kernel/btf/mimic ] || fail "the kernel took no BTF from $1"
	[ "$(cat /sys/module/mimic/version)" = "$VERSION" ] || fail "the module's version is $(cat /sys/module/mimic/version)"
	grep -w mimic_csum_move /proc/kallsyms || fail "no symbol"

	rm -f /tmp/calls.log
	./calls calls.bpf.o present </tmp/hold >/tmp/calls.log 2>&1 &
	calls=$!
	exec 3>/tmp/hold
	until grep -qs '^holding' /tmp/calls.log; do
		kill -0 $calls 2>/dev/null || fail "calls ended"
		sleep 0.2
	done
	grep -q FAIL /tmp/calls.log && fail "calls"
	cat /tmp/calls.log
	./gso gso.bpf.o || fail "gso"

	rmmod mimic 2>/tmp/rmmod.log && fail "the module was unloaded under a program that calls it"
	loaded || fail "the module is gone"
	exec 3>&-
	wait $calls || fail "calls: exit status $?"
	unload 20
	loaded && fail "the module is still there"
	[ -e /sys/kernel/btf/mimic ] && fail "its BTF is still there"
}

set_up()
{
	modprobe pktgen || fail "pktgen"
	ip link add ka type veth peer name kb || fail "veth"
	ip link add kc type veth peer name kd || fail "veth"
	ip link add ke type veth peer name kf || fail "veth"
	ip link add kvx type vxlan id 1 dev ka local 10.99.0.1 remote 10.99.0.2 dstport 4789 || fail "vxlan"
	for dev in ka kb kc kd ke kf; do
		ip link set $dev up || fail "$dev up"
	done
	ip addr add 10.99.0.1/24 dev ka
	ip addr add fd99::1/64 dev ka nodad
	ip link set kvx up || fail "kvx up"
	ip addr add 10.98.0.1/24 dev kvx
	ip neigh replace 10.99.0.2 lladdr 02:00:00:00:00:99 dev ka
	ip neigh replace fd99::2 lladdr 02:00:00:00:00:99 dev ka
	ip neigh replace 10.98.0.2 lladdr 02:00:00:00:00:98 dev kvx || fail "neighbours"
}

uname -rm
[ "$(cat /proc/sys/net/core/bpf_jit_enable)" != 0 ] || sysctl -qw net.core.bpf_jit_enable=1
set_up

./calls calls.bpf.o absent || fail "without the module"
refused broken/no-btf.ko 'mimic: .*without BTF.*make kmod'
refused broken/no-ids.ko 'mimic: .*without BTF.*make kmod'
# Kernels without CONFIG_MODULE_ALLOW_BTF_MISMATCH (Debian: since 7.2) refuse what does not fit before the module can say it.
refused broken/wrong-base.ko 'mimic: .*BTF is that of another kernel.*make kmod|failed to validate module \[mimic\] BTF'

dmesg -c >/dev/null
mkfifo /tmp/hold
used mimic.ko
if [ -e by-hand.ko ]; then
	echo "--- with the BTF of mimic-btf"
	used by-hand.ko
fi

insmod mimic.ko || fail "insmod once more"
unload 20
# Of an unsigned module the kernel says so; nothing else is to be said.
if dmesg | grep mimic | grep -v -e 'module verification failed' -e 'out-of-tree module' -e mimic-vm; then
	fail "the kernel's log"
fi
echo "done, up $(cut -d ' ' -f 1 /proc/uptime) s"
