#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: shows that a kernel and its initramfs are fit for the tests, without the product: network namespaces,
# veth, a qdisc, a WireGuard device, the BPF file system and maps.
set -e
uname -rm
ip netns add a
ip netns add b
ip link add va netns a type veth peer name vb netns b
for ns in a b; do
	ip -n $ns link set v$ns up
	ip netns exec $ns sysctl -qw net.ipv6.conf.all.accept_dad=0
done
ip -n a addr add 10.77.0.1/24 dev va
ip -n b addr add 10.77.0.2/24 dev vb
ip netns exec a ping -c 2 -W 5 10.77.0.2 >/dev/null
tc -n a qdisc add dev va clsact
ip -n a link add wg0 type wireguard
bpftool map create /sys/fs/bpf/smoke type hash key 4 value 4 entries 4 name smoke
bpftool map show pinned /sys/fs/bpf/smoke >/dev/null
nft add table inet smoke
if [ -e /sys/kernel/btf/vmlinux ]; then
	echo "kernel BTF: yes"
else
	echo "kernel BTF: no"
fi
echo "JIT: $(cat /proc/sys/net/core/bpf_jit_enable)"
for program in /t/probe*; do
	[ -x "$program" ] && "$program"
done
echo "done, up $(cut -d ' ' -f 1 /proc/uptime) s"
