#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: level gso. Superpackets leave as one, are cut by the kernel like TCP's own, as TSO does it, and each segment arrives as
# the datagram that it was. /t has guest-lib.sh, mimic, udpflow, wirecheck, offload and mimic.ko.
#
#   link_bridge; in left and right: `mimic`; in right: `udpflow echo`; in left: `udpflow send`; `wirecheck` in mid, on toright, where every packet
#   has been cut: the kernel does it there, or when it leaves left.
. ./guest-lib.sh

start_mimics()
{
	become left ./mimic run --datapath="$1" -f remote=10.77.0.2:5000 -f 'remote=[fd77::2]:5000' eth0 >/tmp/left.log 2>&1 &
	left=$!
	become right ./mimic run --datapath="$1" -x native -f local=10.77.0.2:5000 -f 'local=[fd77::2]:5000' eth0 >/tmp/right.log 2>&1 &
	right=$!
	await $left left
	await $right right
	level=$(in_ns left ./mimic show -p eth0 | sed -n 's/^- Datapath: //p')
	grep -qx "datapath=$level" /run/mimic/*.lock || fail "the lock file does not say datapath=$level"
}

# sends TO GSO SIZES: each send call once, answered.
sends()
{
	in_ns left ./udpflow send --to "$1" --bind "$from" --gso "$2" --sizes "$3" --count 1 --rate 50 --reply --in-order --wait 30 --timeout 120 \
		>/tmp/send.log 2>&1 || fail "$what: udpflow send --gso $2 --sizes $3 to $1: $(tail -n 1 /tmp/send.log)"
}

# whole TO: superpackets of many shapes, none of which may take the staging device.
whole()
{
	local before
	# The first finds no connection.
	sends "$1" 1000 2000
	before=$(counter left tx_staged)
	sent_before=$(counter left tx_data)
	sends "$1" 64 128,192,1000,4096,4044
	sends "$1" 511 1022,8687,32704,8188
	sends "$1" 1200 2400,12000,63600,62412
	sends "$1" 1400 2800,4200,22400,64400,64399
	equal "$(counter left tx_staged)" "$before" "$what, to $1: superpackets that took the staging device"
	# 2+3+16+64+64, 2+17+64+17, 2+10+53+53, 2+3+16+46+46
	equal "$(($(counter left tx_data) - sent_before))" 480 "$what, to $1: datagrams that were sent"
	# What the module refuses goes the other way: a last datagram of less than 12 bytes, and datagrams of less.
	sends "$1" 1400 1405,2801,2
	sends "$1" 10 100
	equal "$(($(counter left tx_staged) - before))" 3 "$what, to $1: superpackets that took the staging device"
}

echo "--- the module"
insmod mimic.ko || fail "insmod mimic.ko"
link_bridge
load_check left || fail "with the module"
grep -q 'Datapath: kfunc' /tmp/load.log || fail "auto takes another level than kfunc"

start_mimics gso
equal "$level" gso "the level that --datapath=gso gives"
rmmod mimic 2>/dev/null && fail "the module was unloaded under a running Mimic"
for cut in mid left; do
	what="cut in $cut"
	echo "--- $what, up $(uptime_s) s"
	in_ns mid ./offload off toright || fail offload
	[ $cut = mid ] || in_ns left ./offload no-tso eth0 || fail offload
	become mid ./wirecheck -i toright --port 5000 --dir out --no-udp --require 'data>=960' >/tmp/wire.log 2>&1 &
	wire=$!
	ready wire
	for to in 10.77.0.2:5000 '[fd77::2]:5000'; do
		case $to in
		10*) from=10.77.0.1:6000 ;;
		*) from='[fd77::1]:6000' ;;
		esac
		rm -f /tmp/echo.log
		become right ./udpflow echo --bind "$to" --timeout 600 --idle 600 >/tmp/echo.log 2>&1 &
		echo=$!
		ready echo
		whole "$to"
		stop $echo "udpflow echo"
	done
	stop $wire "$what: wirecheck"
	cat /tmp/wire.log
done
stop $left "mimic in left"
stop $right "mimic in right"
poll 20 "the module cannot be unloaded" rmmod mimic 2>/dev/null
in_ns left ./mimic run --check --datapath=gso -f local=10.77.0.1:5000 eth0 >/tmp/load.log 2>&1 && fail "--datapath=gso goes on without the module"
grep -q 'error: Datapath gso is not possible' /tmp/load.log || fail "nothing is said of --datapath=gso without the module"
echo "done, up $(uptime_s) s"
