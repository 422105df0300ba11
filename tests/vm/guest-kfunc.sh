#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: the datapath's levels with mimic.ko: what is chosen and what is said of it, traffic at each, what is on the
# wire, and that a running Mimic keeps the module. /t has guest-lib.sh, mimic, udpflow, wirecheck, offload, mimic.ko, and
# other modules of that name: old.ko (another version), stub.ko (without the functions, and on 6.1 without BTF),
# no-btf.ko (that, without BTF). Environment: ROUNDS=few, for fewer rounds of traffic at each level; PROBE_SIZES, as elsewhere;
# JIT_ALWAYS_ON=1, where the kernel is built so.
#
#   link_bridge, and behind left:     +-- far ------------------+
#     left eth1 10.78.0.1/24    veth  |  eth0 10.78.0.2/24 (.3) |
#               fd78::1/64    o-------+-o     fd78::2/64        |
#                                     +-------------------------+
#
# qq is a VLAN in a VLAN on eth0 of left and right, 10.79.0.1 and .2: one tag stays in the frame, where TC can see it.
# vx is a VXLAN tunnel between them, 10.99.0.1 and .2. In left and right: `mimic`; in left or far: `udpflow echo`;
# in right: `udpflow send --reply`; `wirecheck` on toleft in mid, on eth0 in far, on eth1 in left.
. ./guest-lib.sh

rounds=${ROUNDS:-all}
sizes=${PROBE_SIZES:-0-26,63-65,127,511-513,1000,1280}

set_up()
{
	link_bridge
	make_ns far
	ip -n far link add eth0 type veth peer name eth1 netns left || fail "veth to far"
	ip -n left addr add 10.78.0.1/24 dev eth1
	ip -n left addr add fd78::1/64 dev eth1 nodad
	ip -n far addr add 10.78.0.2/24 dev eth0
	ip -n far addr add 10.78.0.3/24 dev eth0
	ip -n far addr add fd78::2/64 dev eth0 nodad
	ip -n left link set eth1 up
	ip -n far link set eth0 up
	for ns in left right; do
		host=1
		[ $ns = left ] || host=2
		ip -n $ns link add q link eth0 type vlan proto 802.1ad id 5 && ip -n $ns link add qq link q type vlan id 6 ||
			fail "VLANs"
		ip -n $ns addr add 10.79.0.$host/24 dev qq
		ip -n $ns link set q up
		ip -n $ns link set qq mtu 1400 up
		ip -n $ns link add vx type vxlan id 1 local 10.77.0.$host remote 10.77.0.$((3 - host)) dstport 4789 \
			srcport 4789 4790 udpcsum || fail "VXLAN"
		in_ns $ns sysctl -qw net.ipv6.conf.vx.disable_ipv6=1
		ip -n $ns addr add 10.99.0.$host/24 dev vx
		ip -n $ns link set vx mtu 1400 up
	done
	in_ns left sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip -n far route add default via 10.78.0.1
	ip -n far route add default via fd78::1
	ip -n right route add 10.78.0.2 via 10.77.0.1
	ip -n right route add 10.78.0.3 via 10.79.0.1
	ip -n right route add fd78::2 via fd77::1
}

# offloads on|off|mid|out: of the ends; mid: on, but the kernel has to complete checksums on the way to left and right; out: on,
# but it has to on the way from left to far.
offloads()
{
	local ends=$1 mid=on out=$1
	case $1 in
	mid) ends=on mid=off out=on ;;
	out) ends=on out=off ;;
	esac
	{ in_ns left ./offload "$ends" eth0 && in_ns left ./offload "$out" eth1 && in_ns right ./offload "$ends" eth0 &&
		in_ns mid ./offload $mid toleft toright; } || fail "offload $1"
}

# try MODULE-OPTION...: runs `mimic run --check` with the options; its messages are in /tmp/load.log.
try() { load_check left "$@"; }

# said WHAT TEXT...: all texts are in the messages.
said()
{
	local what=$1 text
	shift
	for text; do
		grep -q "$text" /tmp/load.log || fail "$what: nothing is said of '$text'"
	done
}

# refused WHAT LEVEL TEXT...: with --datapath=kfunc Mimic does not run, with auto it does so without the module; both say TEXT,
# the latter at LEVEL (warn or info).
refused()
{
	local what=$1 level=$2
	shift 2
	try --datapath=kfunc && fail "$what: --datapath=kfunc goes on"
	said "$what" 'error: Datapath kfunc is not possible' "$@"
	try || fail "$what: does not run"
	said "$what" "^$level: Datapath: bpf" "$@"
	grep 'Datapath: bpf' /tmp/load.log
}

unload() { poll 20 "the module cannot be unloaded" rmmod mimic 2>/dev/null; }

# start_mimics DATAPATH: what `mimic show` says of it is in $level.
start_mimics()
{
	local common="local=10.77.0.1:5000 local=[fd77::1]:5000 local=10.78.0.2:5000 local=10.78.0.3:5000 local=[fd78::2]:5000"
	local filter left_filters='' right_filters=''
	for filter in $common local=10.79.0.1:5000 local=10.77.0.1:4789; do
		left_filters="$left_filters -f $filter"
		right_filters="$right_filters -f remote${filter#local}"
	done
	# shellcheck disable=SC2086
	become left ./mimic run --datapath="$1" $left_filters -f remote=10.77.0.2:4789 eth0 >/tmp/left.log 2>&1 &
	left=$!
	# shellcheck disable=SC2086
	become right ./mimic run --datapath="$1" $right_filters -f local=10.77.0.2:4789 eth0 >/tmp/right.log 2>&1 &
	right=$!
	await $left left
	await $right right
	level=$(in_ns left ./mimic show -p eth0 | sed -n 's/^- Datapath: //p')
	load_facts $left
	grep -qx "datapath=$level" /run/mimic/*.lock || fail "the lock file does not say datapath=$level"
}

stop_mimics()
{
	stop $left "mimic in left"
	stop $right "mimic in right"
}

# exchange ECHO-NS TO FROM SIZES: datagrams from right to there and back, payloads verified.
exchange()
{
	rm -f /tmp/echo.log
	become "$1" ./udpflow echo --bind "$2" --timeout 600 --idle 600 >/tmp/echo.log 2>&1 &
	echo=$!
	ready echo
	in_ns right ./udpflow send --to "$2" --bind "$3" --sizes "$4" --rate 100 --reply --wait 30 --timeout 300 \
		>/tmp/send.log 2>&1 || fail "$what: udpflow send to $2"
	stop $echo "udpflow echo on $2"
}

# watch NAME NS DEVICE OPTION...
watch()
{
	local name=$1 ns=$2 device=$3
	shift 3
	rm -f "/tmp/$name.log"
	become "$ns" ./wirecheck -i "$device" "$@" >"/tmp/$name.log" 2>&1 &
	eval "watch_$name=\$!"
	ready "$name"
}

watched()
{
	local name
	for name; do
		eval "stop \$watch_$name \"\$what: wirecheck $name\""
	done
}

# traffic OFFLOADS WIRE-REQUIREMENT...: everything once, at the level that runs.
traffic()
{
	local what="$level, offloads $1" device require='' requirement
	offloads "$1"
	shift
	for requirement; do
		require="$require --require $requirement"
	done
	echo "$what: up $(uptime_s) s"
	# shellcheck disable=SC2086
	watch wire mid toleft --port 5000,4789 --no-udp --require 'data>=300' --require 'vlan>=40' $require
	watch far far eth0 --port 5000 --dir in --require tcp=0 --require 'udp>=100' --require odd_partial_udp=0
	watch forwarded left eth1 --port 5000 --dir out --require tcp=0 --require 'udp>=100' --require odd_partial_udp=0
	exchange left 10.77.0.1:5000 10.77.0.2:6000 "$sizes,1459-1460"
	exchange left '[fd77::1]:5000' '[fd77::2]:6000' "$sizes,1439-1440"
	exchange far 10.78.0.2:5000 10.77.0.2:6001 "$sizes,1459-1460"
	exchange far '[fd78::2]:5000' '[fd77::2]:6001' "$sizes,1439-1440"
	before=$(counter right tx_staged)
	exchange left 10.79.0.1:5000 10.79.0.2:6002 "$sizes,1360"
	exchange far 10.78.0.3:5000 10.79.0.2:6003 "$sizes,1360"
	tagged_staged=$(($(counter right tx_staged) - before))
	for inner in off on; do
		in_ns left ./offload $inner vx && in_ns right ./offload $inner vx || fail "offload of vx"
		exchange left 10.99.0.1:7000 10.99.0.2:7001 "$sizes,1372"
		in_ns right ping -c 3 -s 1300 -q 10.99.0.1 >/tmp/ping.log || fail "$what: ping through VXLAN"
	done
	watched wire far forwarded
	grep '^{' /tmp/wire.log | sed -nE 's/.*("partial_csum":[0-9]+).*/\1/p'
	no_drops left right
}

# bench: what egress costs at the level that runs, with open checksums; as a note.
bench()
{
	offloads on
	become left ./udpflow sink --bind 10.77.0.1:5000 --timeout 600 >/tmp/sink.log 2>&1 &
	sink=$!
	ready sink
	sysctl -qw kernel.bpf_stats_enabled=1
	in_ns right ./udpflow send --to 10.77.0.1:5000 --bind 10.77.0.2:6000 --sizes 1460 --count 3000 --rate 1000 \
		--timeout 300 >/tmp/bench.log 2>&1
	sysctl -qw kernel.bpf_stats_enabled=0
	kill $sink && wait $sink
	bpftool prog show name mimic_egress | awk -v level="$level" '/run_time_ns/ {
		for (i = 1; i < NF; i++)
			value[$i] = $(i + 1)
		if (value["run_cnt"] >= 3000)
			printf "note: %s: egress %d ns for 1460 bytes\n", level, value["run_time_ns"] / value["run_cnt"]
	}'
}

uname -rm
[ "$(cat /proc/sys/net/core/bpf_jit_enable)" != 0 ] || sysctl -qw net.core.bpf_jit_enable=1
set_up

echo "--- what is said of the module"
refused "no module" info 'kernel module mimic is not installed'
dep=/lib/modules/$(uname -r)/modules.dep
cp "$dep" /tmp/modules.dep
echo "extra/mimic.ko:" >>"$dep"
refused "a module that is not loaded" warn 'installed, but not loaded' 'modprobe mimic'
# Without a directory, as somebody has copied it there, and compressed; and another one.
for file in mimic.ko extra/mimic.ko.xz extra/not-mimic.ko; do
	{ cat /tmp/modules.dep && echo "$file: extra/mimic.ko"; } >"$dep"
	try --datapath=kfunc && fail "$file: --datapath=kfunc goes on"
	case $file in
	*not*) said $file 'kernel module mimic is not installed' ;;
	*) said $file 'installed, but not loaded' ;;
	esac
done
cp /tmp/modules.dep "$dep"
insmod old.ko || fail "insmod old.ko"
refused "another version" warn 'version 0.7.1, and this is Mimic' 'rmmod mimic'
unload
insmod stub.ko || fail "insmod stub.ko"
case $(uname -r) in
6.1.*)
	# Its headers have no BTF, and mimic-btf gives it to mimic.ko only.
	[ ! -e /sys/kernel/btf/mimic ] || fail "stub.ko has BTF"
	echo "note: a module without the functions is not tried: the headers of this kernel make it without BTF"
	;;
*)
	refused "a module without the functions" warn 'no function mimic_csum_partial' 'rmmod mimic'
	;;
esac
unload
insmod no-btf.ko || fail "insmod no-btf.ko"
[ -e /sys/kernel/btf/mimic ] && fail "no-btf.ko has BTF"
refused "a module without BTF" warn 'no BTF of the loaded kernel module' 'make kmod'
unload
insmod mimic.ko || fail "insmod mimic.ko"
if [ "${JIT_ALWAYS_ON:-}" = 1 ]; then
	echo "note: this kernel's JIT cannot be switched off (CONFIG_BPF_JIT_ALWAYS_ON)"
else
	sysctl -qw net.core.bpf_jit_enable=0
	equal "$(cat /proc/sys/net/core/bpf_jit_enable)" 0 net.core.bpf_jit_enable
	# In left, which is not the first network namespace, Mimic cannot see the switch, and says what it may be.
	refused "no JIT" warn 'sysctl net.core.bpf_jit_enable=1'
	ip link add here type veth peer name there && ip link set here up || fail "veth"
	./mimic run --check -f local=10.77.0.1:5000 here >/tmp/load.log 2>&1 || fail "no JIT: does not run"
	said "no JIT" '^warn: Datapath: bpf' "kernel's BPF JIT is off" 'sysctl net.core.bpf_jit_enable=1'
	ip link del here
	sysctl -qw net.core.bpf_jit_enable=1
fi
try -F /nowhere --datapath=kfunc || fail "--datapath=kfunc with the module"
try || fail "with the module"
said "with the module" 'Datapath: kfunc'

echo "--- traffic"
start_mimics kfunc
equal "$level" kfunc "the level that --datapath=kfunc gives"
rmmod mimic 2>/dev/null && fail "the module was unloaded under a running Mimic"
traffic on 'partial_csum>=300'
equal "$tagged_staged" 0 "packets with a tag in the frame that took the staging device"
[ "$(counter left rx_partial_repaired)" -gt 100 ] || fail "nothing was repaired for forwarding"
# The kernel completes checksums as a NIC does, and wirecheck then verifies what level kfunc left open.
traffic mid
if [ "$rounds" = all ]; then
	traffic out 'partial_csum>=300'
	traffic off partial_csum=0
	bench
fi
rmmod mimic 2>/dev/null && fail "the module was unloaded under a running Mimic"
stop_mimics

try --datapath=bpf || fail "--datapath=bpf with the module"
start_mimics bpf
equal "$level" bpf "the level that --datapath=bpf gives"
traffic on partial_csum=0
between "$tagged_staged" 40 1000 "packets with a tag in the frame that took the staging device"
if [ "$rounds" = all ]; then
	traffic off partial_csum=0
	bench
fi
stop_mimics

try || fail "with the module"
said "the module is there" 'Datapath: kfunc'
if [ "$rounds" = all ]; then
	start_mimics auto
	equal "$level" kfunc "the level that is chosen with the module"
	what=$level
	exchange left 10.77.0.1:5000 10.77.0.2:6000 "$sizes"
	stop_mimics
fi
unload
try || fail "without the module"
said "the module is gone" 'Datapath: bpf'
if [ "$rounds" = all ]; then
	start_mimics auto
	equal "$level" bpf "the level that is chosen without the module"
	stop_mimics
fi
echo "done, up $(uptime_s) s"
