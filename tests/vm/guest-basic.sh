#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: `mimic` on both ends of a link, whose middle is watched. /t has mimic, udpflow and wirecheck.
#
#   +-- left -----------------+        +-- mid ------------------+       +-- right ----------------+
#   |  eth0 10.77.0.1/24      |  veth  |  toleft - br0 - toright |  veth  |  eth0 10.77.0.2/24      |
#   |       fd77::1/64      o-+--------+-o                     o-+--------+-o     fd77::2/64        |
#   |  mimic local=...:5000   |        |  wirecheck on toleft    |        |  mimic remote=...:5000  |
#   |  udpflow echo           |        +-------------------------+        |  udpflow send --reply   |
#   +-------------------------+                                           +-------------------------+
#
# Nothing here is timed: an emulated machine may be slow. Environment: PROBE_SIZES, more or fewer payload sizes.
set -u

fail()
{
	echo "FAIL: $*"
	[ -z "${wirecheck:-}" ] || kill "$wirecheck" && sleep 1
	for ns in left right; do
		in_ns "$ns" ./mimic show eth0 >"/tmp/show-$ns.log" 2>&1
	done
	for log in /tmp/*.log; do
		echo "--- $log"
		tail -n 60 "$log"
	done
	dmesg | tail -n 20
	cp /tmp/*.log /t/result/
	exit 1
}

# in_ns NAMESPACE COMMAND...
in_ns() { /usr/sbin/ip netns exec "$@"; }

# become NAMESPACE COMMAND...: only with &; the job's process id is then the command's.
become() { exec /usr/sbin/ip netns exec "$@"; }

# poll SECONDS WHAT COMMAND...: waits until the command succeeds.
poll()
{
	local left="$(($1 * 5))" what="$2"
	shift 2
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || fail "$what"
		sleep 0.2
	done
}

set_up()
{
	local ns
	for ns in left mid right; do
		ip netns add $ns || fail "ip netns add $ns"
		ip -n $ns link set lo up
		in_ns $ns sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
	done
	ip -n mid link add br0 type bridge || fail "bridge"
	ip -n mid link set br0 up
	for ns in left right; do
		ip link add eth0 netns $ns type veth peer name to$ns netns mid || fail "veth"
		ip -n mid link set dev to$ns up master br0 || fail "bridge port"
	done
	ip -n left addr add 10.77.0.1/24 dev eth0
	ip -n left addr add fd77::1/64 dev eth0 nodad
	ip -n right addr add 10.77.0.2/24 dev eth0
	ip -n right addr add fd77::2/64 dev eth0 nodad
	for ns in left right; do
		ip -n $ns link set eth0 up || fail "link up"
	done
	poll 5 "no ping over the bridge" in_ns right ping -c 1 -W 1 10.77.0.1 >/dev/null
	poll 5 "no IPv6 ping over the bridge" in_ns right ping -c 1 -W 1 fd77::1 >/dev/null
}

# locked PID: does a lock file with the line pid=PID stand there, or has the process ended?
locked() { grep -qx "pid=$1" /run/mimic/*.lock 2>/dev/null || ! kill -0 "$1" 2>/dev/null; }

# await PID NAMESPACE: waits until that mimic is attached.
await()
{
	poll 60 "mimic in $2 wrote no lock file" locked "$1"
	kill -0 "$1" 2>/dev/null && return
	in_ns "$2" ./mimic run -vv --check -f local=10.77.0.1:5000 eth0 2>&1 | tail -n 40 >/tmp/check.log
	fail "mimic in $2 ended"
}

# stop PID WHAT: ends it, and wants exit status 0.
stop()
{
	kill -TERM "$1" 2>/dev/null || fail "$2 is gone"
	wait "$1" || fail "$2: exit status $?"
}

ready() { grep -q READY /tmp/wirecheck.log; }

# exchange LEFT RIGHT SIZES: datagrams of all SIZES from right to left and back, payloads verified.
exchange()
{
	echo "exchange with $1"
	rm -f /tmp/echo.log
	become left ./udpflow echo --bind "$1:5000" --timeout 600 --idle 600 >/tmp/echo.log 2>&1 &
	echo=$!
	poll 30 "udpflow echo does not start" grep -qs READY /tmp/echo.log
	in_ns right ./udpflow send --to "$1:5000" --bind "$2:6000" --sizes "$3" --count 2 --rate 100 --reply \
		--wait 30 --timeout 300 >/tmp/send.log 2>&1 || fail "udpflow send to $1"
	cat /tmp/send.log
	stop $echo "udpflow echo on $1"
}

uname -r
set_up

become mid ./wirecheck -i toleft --port 5000 -w result/wire.pcap --no-udp --require 'data>=400' --require 'handshakes>=2' >/tmp/wirecheck.log 2>&1 &
wirecheck=$!
poll 20 "wirecheck does not start" ready
become left ./mimic run -f local=10.77.0.1:5000 -f 'local=[fd77::1]:5000' eth0 >/tmp/left.log 2>&1 &
left=$!
become right ./mimic run -f remote=10.77.0.1:5000 -f 'remote=[fd77::1]:5000' eth0 >/tmp/right.log 2>&1 &
right=$!
await $left left
await $right right
echo "both attached, up $(cut -d ' ' -f 1 /proc/uptime) s"

sizes=${PROBE_SIZES:-0-40,63-65,100,127-129,511-513,576,1000,1200,1280}
exchange 10.77.0.1 10.77.0.2 "$sizes,1459-1460"
exchange '[fd77::1]' '[fd77::2]' "$sizes,1439-1440"

in_ns left ./mimic show eth0 >/tmp/show.log 2>&1 || fail "mimic show"
grep -q Established /tmp/show.log || fail "mimic show tells of no established connection"
cat /tmp/show.log
stop $left "mimic in left"
stop $right "mimic in right"
[ -z "$(ls /run/mimic/*.lock 2>/dev/null)" ] || fail "a lock file stays"
stop $wirecheck wirecheck
cat /tmp/wirecheck.log
echo "done, up $(cut -d ' ' -f 1 /proc/uptime) s"
