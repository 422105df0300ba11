#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: through libxdp, mimic shares the XDP hook with another program, in both modes, whoever comes first, and after
# kill -9. /t has guest-lib.sh, mimic, udpflow, xdp-loader, libxdp.so.1, xdp-dispatcher.o, and other.o: counts packets and lets them go on.
. ./guest-lib.sh

# The dispatcher is pinned in the BPF file system of /sys, and `ip netns exec` has a /sys of its own, without any.
in_ns()
{
	local ns=$1
	shift
	nsenter --net=/run/netns/"$ns" "$@"
}

become()
{
	local ns=$1
	shift
	exec nsenter --net=/run/netns/"$ns" "$@"
}

export LIBXDP_OBJECT_PATH=/t LD_LIBRARY_PATH=/t

# start ARG...: mimic in left, whose process id is $left
start()
{
	become left ./mimic run -v -X "$@" -f remote=10.77.0.2:5000 eth0 >/tmp/left.log 2>&1 &
	left=$!
	await $left left
	! grep -E '^(warn|error)' /tmp/left.log || fail "mimic in left complains"
}

other() { in_ns left ./xdp-loader "$@" >/tmp/loader.log 2>&1 || fail "xdp-loader $*"; }

status() { in_ns left ./xdp-loader status eth0; }

# attached WANTED WHAT: the programs on left's interface, in the order in which they run
attached() { equal "$(status | grep -oE 'other_xdp|mimic_ingress' | xargs)" "$1" "$2: programs"; }

# counted: packets that the other program has seen
counted()
{
	local id map
	id=$(status | sed -nE 's/.*other_xdp +[a-z]* *([0-9]+) .*/\1/p' | head -n 1)
	map=$(bpftool prog show id "$id" | sed -nE 's/.*map_ids ([0-9]+).*/\1/p')
	bpftool -j map lookup id "$map" key 0 0 0 0 | sed -nE 's/.*"value": ?([0-9]+)\}.*/\1/p'
}

# carries WHAT: datagrams from left to right and back, as TCP
carries()
{
	echo "$1"
	in_ns left ./udpflow send --to 10.77.0.2:5000 --sizes 0-20,1460 --reply --wait 10 >/tmp/send.log 2>&1 || fail "$1: udpflow send"
	between "$(counter left rx_data)" 22 22 "$1: segments restored"
}

uname -r
link_bridge
become right ./udpflow echo --bind 10.77.0.2:5000 --timeout 900 --idle 900 >/tmp/echo.log 2>&1 &
become right ./mimic run -f local=10.77.0.2:5000 eth0 >/tmp/right.log 2>&1 &
await $! right
ready echo

for mode in native skb; do
	for order in before during; do
		what="$mode, the other program comes $order mimic"
		[ $order = during ] || other load -m $mode eth0 other.o
		start -x $mode
		[ $order = before ] || other load -m $mode eth0 other.o
		attached "other_xdp mimic_ingress" "$what"
		in_ns left ./mimic show -p eth0 | grep -qx -- "- XDP Attach Mode: $mode" || fail "$what: the mode in mimic show"
		id=$(cat /run/mimic/*.lock | sed -n 's/^ingress_id=//p' | while read -r id; do
			bpftool prog show id "$id" | grep -q 'ext .*name mimic_ingress' && echo "$id"
		done)
		[ -n "$id" ] || fail "$what: no lock file names the program"
		before=$(counted)
		carries "$what"
		between $(($(counted) - before)) 22 100 "$what: packets that the other program saw"
		if [ "$mode $order" = "native during" ]; then
			kill -9 $left
			wait $left
			attached "other_xdp mimic_ingress" "killed"
			start
			attached "other_xdp mimic_ingress" "started after kill -9"
			carries "after kill -9"
		fi
		stop $left "mimic in left"
		attached "other_xdp" "$what, and then without mimic"
		other unload --all eth0
	done
done

# alone, through libxdp, and nothing is left behind
start
attached "mimic_ingress" "alone"
carries "alone"
stop $left "mimic in left"
attached "" "nobody"

# A program that was not attached through libxdp cannot be shared with, and is left alone.
ip -n left link set dev eth0 xdpdrv obj other.o sec xdp || fail "cannot attach by ip"
in_ns left ./mimic run -X -f remote=10.77.0.2:5000 eth0 >/tmp/refused.log 2>&1 && fail "mimic runs beside a program that is no component"
grep -q '^error.*through libxdp' /tmp/refused.log || fail "the reason is not said"
ip -n left -d link show dev eth0 | grep -q 'prog/xdp' || fail "the other program is gone"
ip -n left link set dev eth0 xdpdrv off

# Without the library there is a warning, and Mimic is alone.
mv libxdp.so.1 away.so
in_ns left ./mimic run --check -X -f remote=10.77.0.2:5000 eth0 >/tmp/without.log 2>&1 || fail "mimic needs libxdp"
grep -q '^warn.*Cannot attach through libxdp' /tmp/without.log || fail "the absence of libxdp is not said"
mv away.so libxdp.so.1
echo "done, up $(uptime_s) s"
