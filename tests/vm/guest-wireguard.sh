#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: the kernel's WireGuard through `mimic`, over IPv4 and IPv6, on both ends of a link (link_bridge), whose
# middle is watched. /t has guest-lib.sh, mimic, wirecheck, wg, ping (of iputils) and iperf3; for level kfunc also mimic.ko.
#
#   left: mimic local=...:port                          right: mimic remote=...:port
#   wg4  10.78.4.1 fd78:4::1  port 51820   <- IPv4 ->   wg4  10.78.4.2 fd78:4::2  port 51820
#   wg6  10.78.6.1 fd78:6::1  port 51821   <- IPv6 ->   wg6  10.78.6.2 fd78:6::2  port 51821
#
# WireGuard adds 32 bytes, TCP 20, IP 20 or 40: of 1500 bytes 1428 are left over IPv4, and 1408 over IPv6.
#
# Environment: LEVELS, of the datapath (default: bpf), tried one after the other; STREAM_BYTES, what each TCP stream inside the
# tunnels carries.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

bytes=${STREAM_BYTES:-10000000}

# tunnel_end NAMESPACE N OWN OTHER PORT MTU [ENDPOINT]: the device wgN, whose host number is OWN and the other's OTHER
tunnel_end()
{
	local ns=$1 n=$2 own=$3 other=$4 port=$5 mtu=$6 endpoint=${7:-}
	ip -n "$ns" link add "wg$n" mtu "$mtu" type wireguard || fail "no WireGuard"
	ip -n "$ns" addr add "10.78.$n.$own/24" dev "wg$n"
	ip -n "$ns" addr add "fd78:$n::$own/64" dev "wg$n" nodad
	in_ns "$ns" ./wg set "wg$n" listen-port "$port" private-key "/tmp/$own.key" peer "$(cat "/tmp/$other.pub")" \
		allowed-ips "10.78.$n.$other/32,fd78:$n::$other/128" ${endpoint:+endpoint "$endpoint"} || fail "wg set"
	ip -n "$ns" link set "wg$n" up || fail "wg$n up"
}

# tunnel N LEFT PORT MTU: left learns where right is.
tunnel()
{
	tunnel_end left "$1" 1 2 "$3" "$4"
	tunnel_end right "$1" 2 1 "$3" "$4" "$2:$3"
}

# pings NAMESPACE ADDRESS MTU HEADERS: as large as fits, each is answered. (ping's patience after the first answer is two
# round trips, whatever -W says: so one at a time.)
pings()
{
	for _ in 1 2 3 4 5; do
		in_ns "$1" ./ping -n -M "do" -c 1 -W 30 -s $(($3 - $4)) "$2" >/tmp/ping.log 2>&1 ||
			fail "ping of $3 bytes to $2"
	done
	echo "pings of $3 bytes to $2"
}

# too_large NAMESPACE N MTU ADDRESS HEADERS: one byte more does not fit, and is counted
too_large()
{
	local before
	ip -n "$1" link set "wg$2" mtu $(($3 + 1))
	before=$(counter "$1" drop_too_big)
	in_ns "$1" ./ping -n -M "do" -c 1 -W 1 -s $(($3 + 1 - $5)) "$4" >/tmp/ping.log 2>&1 &&
		fail "$(($3 + 1)) bytes went through the tunnel to $4"
	equal $(($(counter "$1" drop_too_big) - before)) 1 "drop_too_big"
	ip -n "$1" link set "wg$2" mtu "$3"
}

listens() { in_ns "$1" ss -Hltn | grep -q ":$2 "; }

# iperf ADDRESS [-R]: TCP from right to left, or with -R from left to right. (The receiver stops counting when the sender
# is done, whatever is still on its way.)
iperf()
{
	local server
	become left ./iperf3 -s -1 -B "$1" >/tmp/iperf-server.log 2>&1 &
	server=$!
	poll 30 "iperf3 does not listen" listens left 5201
	in_ns right timeout 300 ./iperf3 -J -n "$bytes" -c "$@" >/tmp/iperf.log 2>&1 || fail "iperf3 $*"
	wait $server || fail "iperf3 -s: exit status $?"
	awk -v what="iperf3 $*" '
		/"sum_(sent|received)"/ { sum = $1 }
		/"(bytes|seconds|retransmits)"/ && sum != "" { gsub(/[^0-9.]/, "", $2); got[sum $1] = $2 }
		END {
			received = got["\"sum_received\":\"bytes\":"] + 0
			seconds = got["\"sum_received\":\"seconds\":"]
			printf "%s: %d bytes in %.1f s, %d retransmits\n", what, received, seconds,
			       got["\"sum_sent\":\"retransmits\":"]
			exit received < 0.5 * '"$bytes"'
		}' /tmp/iperf.log || fail "iperf3 $*: too little arrived"
}

# fetch FROM ADDRESS TO: a file through the tunnel, its hash verified
fetch()
{
	local server sum
	become "$1" busybox httpd -f -p "[$2]:80" -h /tmp/www >/tmp/httpd.log 2>&1 &
	server=$!
	poll 30 "httpd does not listen" listens "$1" 80
	sum=$(in_ns "$3" timeout 300 wget -q -O - "http://[$2]/file" | sha256sum)
	equal "$sum" "$file_sum" "hash of what came from $2"
	kill $server
	wait $server 2>/dev/null
	echo "$bytes bytes from $2 to $3: $sum"
}

# try N MTU
try()
{
	poll 60 "no ping through wg$1" in_ns right ./ping -n -c 1 -W 1 "10.78.$1.1" >/dev/null
	pings right "10.78.$1.1" "$2" 28
	pings left "fd78:$1::2" "$2" 48
	iperf "10.78.$1.1"
	iperf "fd78:$1::1" -R
	fetch left "fd78:$1::1" right
	fetch right "fd78:$1::2" left
}

uname -r
umask 077
for host in 1 2; do
	./wg genkey >/tmp/$host.key || fail "wg genkey"
	./wg pubkey </tmp/$host.key >/tmp/$host.pub || fail "wg pubkey"
done
mkdir /tmp/www
head -c "$bytes" /dev/urandom >/tmp/www/file
file_sum=$(sha256sum </tmp/www/file)

# all LEVEL: everything once, with a Mimic at that level on both sides, and new namespaces: the old ones have learnt a path MTU
all()
{
	local partial='partial_csum=0'
	[ "$1" = bpf ] || partial="partial_csum>=$((7 * bytes / 1500))"
	link_bridge
	become mid ./wirecheck -i toleft --port 51820,51821 --no-udp --require 'handshakes=2' --require 'max_len=1500' \
		--require 'fragments=0' --require 'dropped_by_capture=0' --require 'flows=2' --require "$partial" \
		--require "data_bytes>=$((7 * bytes))" >/tmp/wirecheck.log 2>&1 &
	wirecheck=$!
	ready wirecheck
	become left ./mimic run --datapath="$1" -f local=10.77.0.1:51820 -f 'local=[fd77::1]:51821' eth0 >/tmp/left.log 2>&1 &
	left=$!
	become right ./mimic run --datapath="$1" -f remote=10.77.0.1:51820 -f 'remote=[fd77::1]:51821' eth0 \
		>/tmp/right.log 2>&1 &
	right=$!
	await $left left
	await $right right
	echo "level $1: both attached, up $(uptime_s) s"

	tunnel 4 10.77.0.1 51820 1428
	tunnel 6 '[fd77::1]' 51821 1408
	try 4 1428
	echo "over IPv4: done, up $(uptime_s) s"
	try 6 1408
	echo "over IPv6: done, up $(uptime_s) s"
	no_drops left right
	too_large right 4 1428 10.78.4.1 28
	too_large left 6 1408 fd78:6::2 48

	in_ns left ./mimic show eth0 >/tmp/show.log 2>&1 || fail "mimic show"
	grep -q "^- Datapath: $1\$" /tmp/show.log || fail "mimic show does not tell of level $1"
	cat /tmp/show.log
	in_ns right ./mimic show eth0
	# WireGuard says more now and then, in UDP, once nobody carries it as TCP.
	for ns in left right; do
		ip -n $ns link del wg4
		ip -n $ns link del wg6
	done
	stop $left "mimic in left"
	stop $right "mimic in right"
	stop $wirecheck wirecheck
	cat /tmp/wirecheck.log
	for ns in left mid right; do
		ip netns del $ns
	done
}

for level in ${LEVELS:-bpf}; do
	if [ "$level" = kfunc ]; then
		insmod mimic.ko || fail "insmod mimic.ko"
	fi
	all "$level"
done
if [ -e /sys/module/mimic ]; then
	poll 20 "the module cannot be unloaded" rmmod mimic 2>/dev/null
fi
echo "done, up $(uptime_s) s"
