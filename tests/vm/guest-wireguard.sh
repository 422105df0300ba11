#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: the kernel's WireGuard through `mimic`, over IPv4 and IPv6, on both ends of a link (link_bridge), whose
# middle is watched. /t has guest-lib.sh, mimic, wirecheck, wg, ping (of iputils) and iperf3; for level kfunc also mimic.ko.
#
# The tunnels, and what Mimic carries, are those of docs/examples: left is the server and right the client, wg4 is wg0 of
# wireguard-wg-quick, and wg6 that of wireguard-networkd, over IPv6. Their files are /t/wg-quick-* and /t/networkd-*.
#
# Environment: LEVELS, of the datapath (default: bpf), tried one after the other; STREAM_BYTES, what each TCP stream inside the
# tunnels carries.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

bytes=${STREAM_BYTES:-10000000}

# setting FILE KEY: its values, of all lines KEY = VALUE[, VALUE...]
setting() { sed -nE "s/^$2 *= *//p" "$1" | tr ',\n' '  '; }

# The ends that the tests talk to: the addresses of the tunnel N at the host, as address4 server N.
address4() { setting "/tmp/wg$2-$1.network" Address | tr ' ' '\n' | sed -nE 's|^([0-9.]+)/.*|\1|p'; }
address6() { setting "/tmp/wg$2-$1.network" Address | tr ' ' '\n' | sed -nE 's|^([0-9a-f:]+:[0-9a-f]*)/.*|\1|p'; }

# tunnel_files HOST: the example's files for HOST as `wg setconf` takes them (/tmp/wgN-HOST.conf), the keys filled in, and what wg-quick
# and networkd do themselves beside (/tmp/wgN-HOST.network: lines Address and MTU)
tunnel_files()
{
	local host=$1
	grep -E '^(Address|MTU) ' "wg-quick-$host-wg0.conf" >"/tmp/wg4-$host.network"
	grep -vE '^(Address|MTU) ' "wg-quick-$host-wg0.conf" >"/tmp/wg4-$host.conf"
	{
		grep '^Address' "networkd-$host-wg0.network"
		sed -n 's/^MTUBytes/MTU/p' "networkd-$host-wg0.netdev"
	} >"/tmp/wg6-$host.network"
	sed -e '/^\[NetDev\]/,/^$/d; s/^\[WireGuard\]/[Interface]/; s/^\[WireGuardPeer\]/[Peer]/' \
		-e 's/^PrivateKeyFile=.*/PrivateKey=OWN-PRIVATE-KEY/' "networkd-$host-wg0.netdev" >"/tmp/wg6-$host.conf"
	sed -i -e "s|= *OWN-PRIVATE-KEY|= $(cat "/tmp/$host.key")|" \
		-e "s|SERVER-PRIVATE-KEY|$(cat /tmp/server.key)|; s|CLIENT-PRIVATE-KEY|$(cat /tmp/client.key)|" \
		-e "s|SERVER-PUBLIC-KEY|$(cat /tmp/server.pub)|; s|CLIENT-PUBLIC-KEY|$(cat /tmp/client.pub)|" \
		"/tmp/wg4-$host.conf" "/tmp/wg6-$host.conf"
}

# tunnel_end NAMESPACE HOST N: the device wgN
tunnel_end()
{
	local ns=$1 host=$2 n=$3 addr mtu
	mtu=$(setting "/tmp/wg$n-$host.network" MTU)
	# shellcheck disable=SC2086 # one number, and a blank
	ip -n "$ns" link add "wg$n" mtu $mtu type wireguard || fail "no WireGuard"
	for addr in $(setting "/tmp/wg$n-$host.network" Address); do
		case $addr in
		*:*) ip -n "$ns" addr add "$addr" dev "wg$n" nodad ;;
		*) ip -n "$ns" addr add "$addr" dev "wg$n" ;;
		esac || fail "address $addr of wg$n"
	done
	in_ns "$ns" ./wg setconf "wg$n" "/tmp/wg$n-$host.conf" || fail "wg setconf: the example's file for $host"
	ip -n "$ns" link set "wg$n" up || fail "wg$n up"
}

# tunnel N: the server learns where the client is.
tunnel()
{
	tunnel_end left server "$1"
	tunnel_end right client "$1"
}

# underlay: link_bridge, with the addresses of the examples
underlay()
{
	link_bridge
	ip -n left addr add 192.0.2.1/24 dev eth0
	ip -n right addr add 198.51.100.2/24 dev eth0
	ip -n left route add 198.51.100.0/24 dev eth0 src 192.0.2.1
	ip -n right route add 192.0.2.0/24 dev eth0 src 198.51.100.2
	ip -n left addr add 2001:db8::1/64 dev eth0 nodad
	ip -n right addr add 2001:db8:1::2/64 dev eth0 nodad
	ip -n left -6 route add 2001:db8:1::/64 dev eth0 src 2001:db8::1
	ip -n right -6 route add 2001:db8::/64 dev eth0 src 2001:db8:1::2
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
	local server4 server6 client6
	server4=$(address4 server "$1") server6=$(address6 server "$1") client6=$(address6 client "$1")
	poll 60 "no ping through wg$1" in_ns right ./ping -n -c 1 -W 1 "$server4" >/dev/null
	pings right "$server4" "$2" 28
	pings left "$client6" "$2" 48
	iperf "$server4"
	iperf "$server6" -R
	fetch left "$server6" right
	fetch right "$client6" left
}

uname -r
umask 077
for host in server client; do
	./wg genkey >/tmp/$host.key || fail "wg genkey"
	./wg pubkey </tmp/$host.key >/tmp/$host.pub || fail "wg pubkey"
done
for host in server client; do
	tunnel_files $host
	cat "wg-quick-$host-eth0.conf" "networkd-$host-eth0.conf" >"/tmp/$host-eth0.conf"
done
# The name's IPv4 address is left out: wg6 is to go over IPv6.
echo '2001:db8::1 vpn.example.org' >/etc/hosts
echo 'hosts: files' >/etc/nsswitch.conf
mkdir /tmp/www
head -c "$bytes" /dev/urandom >/tmp/www/file
file_sum=$(sha256sum </tmp/www/file)

# all LEVEL: everything once, with a Mimic at that level on both sides, and new namespaces: the old ones have learnt a path MTU
all()
{
	local partial='partial_csum=0'
	[ "$1" = bpf ] || partial="partial_csum>=$((7 * bytes / 1500))"
	underlay
	become mid ./wirecheck -i toleft --port 51820,51821 --no-udp --require 'handshakes=2' --require 'max_len=1500' \
		--require 'fragments=0' --require 'dropped_by_capture=0' --require 'flows=2' --require "$partial" \
		--require "data_bytes>=$((7 * bytes))" >/tmp/wirecheck.log 2>&1 &
	wirecheck=$!
	ready wirecheck
	become left ./mimic run --datapath="$1" -F /tmp/server-eth0.conf eth0 >/tmp/left.log 2>&1 &
	left=$!
	become right ./mimic run --datapath="$1" -F /tmp/client-eth0.conf eth0 >/tmp/right.log 2>&1 &
	right=$!
	await $left left
	await $right right
	echo "level $1: both attached, up $(uptime_s) s"

	tunnel 4
	tunnel 6
	# What fits: WireGuard adds 32 bytes, TCP 20, IP 20 or 40.
	equal "$(setting /tmp/wg4-server.network MTU)" "$((1500 - 72)) " "MTU of the example over IPv4"
	equal "$(setting /tmp/wg6-server.network MTU)" "$((1500 - 92)) " "MTU of the example over IPv6"
	try 4 1428
	echo "over IPv4: done, up $(uptime_s) s"
	try 6 1408
	echo "over IPv6: done, up $(uptime_s) s"
	no_drops left right
	too_large right 4 1428 "$(address4 server 4)" 28
	too_large left 6 1408 "$(address6 client 6)" 48

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
