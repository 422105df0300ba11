#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script for two VMs (pair.sh) with this product in both: virtual NICs with real drivers, eth0 and eth2. /t has guest-lib.sh,
# guest-pair.sh, mimic, udpflow, ethtool and mimic.ko.
#
# For each NIC and XDP mode: datagrams of many sizes in both directions over IPv4 and IPv6, and sent by UDP segmentation offload, with the
# NIC's offloads on and off. A driver without native XDP is said to be one. At the end the same with the module, at level kfunc, where the
# e1000e computes the checksums.
#
# Environment: ROUNDS=few, less of that; DRIVERS, those of eth0 and eth2.
# shellcheck source-path=SCRIPTDIR source=guest-pair.sh
. ./guest-pair.sh

filters='-f local=10.77.0.1:5000 -f local=[fd77::1]:5000 -f remote=10.77.0.2:5001 -f remote=[fd77::2]:5001'
far_filters='-f remote=10.77.0.1:5000 -f remote=[fd77::1]:5000 -f local=10.77.0.2:5001 -f local=[fd77::2]:5001'

driver() { basename "$(readlink "/sys/class/net/$1/device/driver")"; }

# start MODE DEVICE: `mimic run` on both sides; MODE is native, skb or none, to leave the choice to it
start()
{
	local option="-x $1"
	[ "$1" != none ] || option=
	local net=77
	[ "$2" = eth0 ] || net=78
	# shellcheck disable=SC2086
	spawn left mimic ./mimic run $option "$(echo "$filters" | sed "s/77/$net/g")" "$2"
	# shellcheck disable=SC2086
	spawn right mimic ./mimic run $option "$(echo "$far_filters" | sed "s/77/$net/g")" "$2"
	await left mimic
	await right mimic
}

# mode DEVICE: that `mimic show` tells of
mode() { on "$1" "./mimic show -p $2" | sed -n 's/^- XDP Attach Mode: //p'; }

# level SIDE DEVICE: of the datapath, as `mimic show` tells it
level() { on "$1" "./mimic show -p $2" | sed -n 's/^- Datapath: //p'; }

# computes_checksums SIDE DEVICE on|off: whether the driver took it
computes_checksums()
{
	local is=off
	grep -q 'tx-checksumming ' "/tmp/offloads-$1" && is=on
	[ "$(driver "$2")" != e1000e ] || equal "$is" "$3" "$what: tx-checksumming in $1"
}

# exchange NET DEVICE: in both directions, with the senders of both sides at work at once
exchange()
{
	spawn right sends sends_here "$1" 2 "$2"
	sends_here "$1" 1 "$2" >/tmp/own.log 2>&1 || fail "$what: left to right: $(cat /tmp/own.log)"
	on right 'join_here sends 120' >/tmp/sends.log
	equal "$(cat /tmp/sends.log)" 0 "$what: right to left: $(log_of right sends)"
}

set_up()
{
	uname -r
	pair_begin
	poll 30 "no ping on the second wire" ping -c 1 -W 1 10.78.0.2 >/dev/null
	poll 30 "no IPv6 ping on the second wire" ping -c 1 -W 1 fd78::2 >/dev/null
	for device in eth0 eth2; do
		echo "$device: $(driver $device)"
	done
	equal "$(driver eth0) $(driver eth2)" "$DRIVERS" "drivers"
	for net in 77 78; do
		echos left ${net}1 "10.$net.0.1:5000" "[fd$net::1]:5000"
		echos right ${net}1 "10.$net.0.2:5001" "[fd$net::2]:5001"
	done
}

# try DEVICE MODE WANTED LEVEL
try()
{
	local net=77 on
	[ "$1" = eth0 ] || net=78
	start "$2" "$1"
	for side in left right; do
		equal "$(mode $side "$1")" "$3" "$1, mode $2, in $side: attached as"
		equal "$(level $side "$1")" "$4" "$1, mode $2, in $side: level"
	done
	for on in on off; do
		[ "${ROUNDS:-}" != few ] || [ $on = on ] || [ "$2 $4" = "none bpf" ] || continue
		what="$(driver "$1"), $3, level $4, offloads $on"
		for side in left right; do
			on $side "offloads_here $on $1" >"/tmp/offloads-$side" || fail "$what"
			computes_checksums $side "$1" $on
		done
		echo "$what: $(cat /tmp/offloads-left)"
		# Some drivers take the link down for that.
		poll 30 "$what: no ping" ping -c 1 -W 1 10.$net.0.2 >/dev/null
		exchange $net "$1"
	done
	for side in left right; do
		on $side "./mimic show -p $1" >"/tmp/show-$side.log"
		grep -E '\((drop_[a-z_]+|event_lost|handshake_failed)\)' "/tmp/show-$side.log" |
			grep -vE '\((drop_rx_[a-z_]+|drop_malformed|drop_half_open|drop_reset_limit)\)' &&
			fail "$what: mimic in $side dropped datagrams"
	done
	finish right mimic
	finish left mimic
	for side in left right; do
		on $side "offloads_here on $1" >/dev/null
	done
	echo "$(driver "$1"), mode $2, level $4: done, up $(uptime_s) s"
}

# no_native DEVICE: what is said of a driver without native XDP
no_native()
{
	./mimic run --check -f local=10.78.0.1:5000 "$1" >/tmp/fallback.log 2>&1 || fail "$1: mimic run --check"
	grep 'native' /tmp/fallback.log || fail "$1: nothing is said of native XDP: $(cat /tmp/fallback.log)"
	./mimic run --check -x native -f local=10.78.0.1:5000 "$1" >/tmp/fallback.log 2>&1 &&
		fail "$1: -x native works: $(cat /tmp/fallback.log)"
	grep 'error' /tmp/fallback.log || fail "$1: -x native: no error"
}

set_up
try eth0 none native bpf
try eth0 skb skb bpf
no_native eth2
try eth2 none skb bpf
[ "${ROUNDS:-}" = few ] || try eth2 skb skb bpf
for side in left right; do
	on $side insmod mimic.ko || fail "insmod in $side"
done
try eth2 none skb kfunc
[ "${ROUNDS:-}" = few ] || try eth0 none native kfunc
echo "done, up $(uptime_s) s"
