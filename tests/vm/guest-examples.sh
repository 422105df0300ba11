#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Script for a Debian of image.sh: the WireGuard examples of docs/examples, as their README says. One host of each is this machine, with
# mimic@eth0 and wg-quick@wg0 or systemd-networkd, the other a namespace, where mimic and wg read the same files. /t has guest-lib.sh,
# wirecheck, examples/ and root/, which `make install` filled.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

# failed WHAT: with what systemd knows
failed()
{
	{
		systemctl --no-pager -l status mimic@eth0 wg-quick@wg0 systemd-networkd
		journalctl --no-pager -b | tail -n 60
		ip addr
		wg
		in_ns far wg
	} >/tmp/units.log 2>&1
	fail "$1"
}

# filled FILE: with the keys in the places of the words in capitals
filled()
{
	sed "s|SERVER-PUBLIC-KEY|$(cat server.pub)|; s|CLIENT-PUBLIC-KEY|$(cat client.pub)|
		s|SERVER-PRIVATE-KEY|$(cat server.key)|; s|CLIENT-PRIVATE-KEY|$(cat client.key)|" "$1"
}

# addresses HOST: what eth0 of the server or the client has, by the table of the README
addresses() { sed -n "s/^| $1 | eth0 | *\\(.*[^ ]\\) *|\$/\\1/p" "$dir/README.md" | tr -d , | tr ' ' '\n'; }

# link NEAR FAR: the hosts of the table, NEAR here; both have a route to each other's network
link()
{
	local address
	make_ns far
	ip link add eth0 type veth peer name eth0 netns far || fail "veth"
	for address in $(addresses "$1"); do
		ip addr add "$address" dev eth0 nodad || fail "address $address"
	done
	for address in $(addresses "$2"); do
		ip -n far addr add "$address" dev eth0 nodad || fail "address $address"
	done
	ip link set eth0 up
	ip -n far link set eth0 up
	for address in $(addresses "$2"); do
		ip route add "$address" dev eth0 2>/dev/null || ip route add "${address%/*}" dev eth0 || fail "route to $address"
	done
	for address in $(addresses "$1"); do
		ip -n far route add "${address%/*}" dev eth0 || fail "route to $address"
	done
}

# unlink: and all that was made for it
unlink()
{
	ip link del eth0
	ip netns del far
	rm -f /etc/mimic/* /etc/wireguard/* /etc/systemd/network/*
}

# carries ADDRESS MTU FULL: ping through the tunnel, up to the full size and no more; and all of it as TCP
carries()
{
	poll 120 "no ping to $1" ping -c 1 -W 2 "$1" >/tmp/ping.log 2>&1
	ping -c 3 -W 5 -M 'do' -s "$3" "$1" >/tmp/ping.log 2>&1 || failed "no full-size ping to $1"
	equal "$(cat /sys/class/net/wg0/mtu)" "$2" "MTU of wg0"
	mimic show eth0 >/tmp/show.log 2>&1
	grep -q 'State: Established' /tmp/show.log || failed "no connection"
	mimic check eth0 >/tmp/check.log 2>&1 || failed "mimic check sees a problem"
	echo "$what: $1 answers"
}

# capture: what leaves here is TCP from now on, or ICMPv6
capture()
{
	./wirecheck -i eth0 --dir out --port "$1" --no-udp >/tmp/wirecheck.log 2>&1 &
	wirecheck=$!
	ready wirecheck
}

captured()
{
	stop $wirecheck "wirecheck"
	[ "$(value /tmp/wirecheck.log data)" -ge 4 ] || failed "hardly anything is on the wire"
}

# far_mimic FILE
far_mimic()
{
	become far mimic run -F "$1" eth0 >/tmp/far.log 2>&1 &
	far=$!
	poll 60 "mimic in far wrote no lock file" locked $far
}

# wg_quick NEAR FAR: the example with wg-quick
wg_quick()
{
	what="wg-quick, $1"
	dir=examples/wireguard-wg-quick
	link "$1" "$2"
	mkdir -p /etc/wireguard far
	far_mimic "$dir/$2-eth0.conf"
	filled "$dir/$2-wg0.conf" >far/wg0.conf
	in_ns far wg-quick up ./far/wg0.conf >/tmp/far-wg.log 2>&1 || failed "wg-quick in far"
	cp "$dir/$1-eth0.conf" /etc/mimic/eth0.conf
	filled "$dir/$1-wg0.conf" >/etc/wireguard/wg0.conf
	capture 51820
	systemctl enable --quiet --now mimic@eth0 wg-quick@wg0 || failed "$what: systemctl enable"
	[ "$1" = client ] && peer=1 || peer=2
	carries "10.99.0.$peer" 1428 1400
	carries "fd99::$peer" 1428 1380
	captured
	systemctl disable --quiet --now wg-quick@wg0 mimic@eth0 || failed "$what: systemctl disable"
	in_ns far wg-quick down ./far/wg0.conf >/dev/null 2>&1
	stop $far "mimic in far"
	unlink
}

# networkd NEAR FAR: the example with systemd-networkd; FAR, where no networkd runs, has the same by hand
networkd()
{
	what="networkd, $1"
	dir=examples/wireguard-networkd
	link "$1" "$2"
	grep -q vpn.example.org /etc/hosts || addresses server | sed 's|/.*| vpn.example.org|' >>/etc/hosts
	far_mimic "$dir/$2-eth0.conf"
	[ "$1" = client ] && peer=1 || peer=2
	ip -n far link add wg0 mtu 1408 type wireguard || fail "WireGuard"
	# Their words are those of wg, but for what is networkd's own.
	filled "$dir/$2-wg0.netdev" | sed -n "s/^\\[WireGuard\\]/[Interface]\\nPrivateKey = $(sed 's|/|\\/|g' "$2.key")/; s/^\\[WireGuardPeer\\]/[Peer]/
		/^\\[Interface\\]/,\$ { /^PrivateKeyFile/d; p; }" >far.conf
	in_ns far wg setconf wg0 far.conf || failed "wg setconf: $(cat far.conf)"
	ip -n far addr add "10.98.0.$peer/24" dev wg0
	ip -n far addr add "fd98::$peer/64" dev wg0
	ip -n far link set wg0 up
	cp "$dir/$1-eth0.conf" /etc/mimic/eth0.conf
	filled "$dir/$1-wg0.netdev" >/etc/systemd/network/50-wg0.netdev
	cp "$dir/$1-wg0.network" /etc/systemd/network/50-wg0.network
	(umask 027 && cp "$1.key" /etc/systemd/network/wg0.key && chgrp systemd-network /etc/systemd/network/wg0.key)
	capture 51821
	systemctl enable --quiet --now mimic@eth0 || failed "$what: systemctl enable"
	networkctl reload || failed "$what: networkctl reload"
	carries "10.98.0.$peer" 1408 1380
	carries "fd98::$peer" 1408 1360
	captured
	systemctl disable --quiet --now mimic@eth0 || failed "$what: systemctl disable"
	ip link del wg0
	stop $far "mimic in far"
	unlink
	networkctl reload
}

uname -r
cp -a root/. / || fail "installing"
mkdir -p /etc/mimic /etc/systemd/network
systemctl daemon-reload
for host in server client; do
	wg genkey >$host.key && wg pubkey <$host.key >$host.pub || fail "keys"
done
wg_quick client server
wg_quick server client
systemctl start systemd-networkd || failed "networkd"
networkd client server
networkd server client
echo "done, up $(uptime_s) s"
