#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script: `mimic` on both ends of a link (link_bridge), whose middle is watched. /t has guest-lib.sh, mimic,
# udpflow and wirecheck. In left: `mimic local=...:5000`, `udpflow echo`; in right: `mimic remote=...:5000`,
# `udpflow send --reply`; in mid: `wirecheck` on toleft.
#
# Environment: LEVEL, the level of the datapath (default: auto, which has to give bpf, without a module); PROBE_SIZES, more or
# fewer payload sizes; JIT, what net.core.bpf_jit_enable shall be (default: as the kernel has it); REFUSED, a text: Mimic does not run
# there, and says that; MORE, if a script that reads this one goes on afterwards.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

# exchange LEFT RIGHT SIZES: datagrams of all SIZES from right to left and back, payloads verified.
exchange()
{
	echo "exchange with $1"
	rm -f /tmp/echo.log
	become left ./udpflow echo --bind "$1:5000" --timeout 600 --idle 600 >/tmp/echo.log 2>&1 &
	echo=$!
	ready echo
	in_ns right ./udpflow send --to "$1:5000" --bind "$2:6000" --sizes "$3" --count 2 --rate 100 --reply \
		--wait 30 --timeout 300 >/tmp/send.log 2>&1 || fail "udpflow send to $1"
	cat /tmp/send.log
	stop $echo "udpflow echo on $1"
}

level=${LEVEL:-auto}
expected=$level
[ "$level" = auto ] && expected=bpf
partial='partial_csum=0'
[ "$level" = kfunc ] && partial='partial_csum>=300'

uname -rm
if [ -n "${JIT:-}" ]; then
	sysctl -qw net.core.bpf_jit_enable="$JIT"
	equal "$(cat /proc/sys/net/core/bpf_jit_enable)" "$JIT" net.core.bpf_jit_enable
fi
link_bridge
if [ -n "${REFUSED:-}" ]; then
	load_check left && fail "mimic run --check succeeds"
	grep "^error: .*$REFUSED" /tmp/load.log || fail "nothing is said of '$REFUSED'"
	echo "done, up $(uptime_s) s"
	exit 0
fi
load_check left --datapath="$level" || fail "mimic run --check"

become mid ./wirecheck -i toleft --port 5000 -w result/wire.pcap --no-udp --require 'data>=400' \
	--require 'handshakes>=2' --require "$partial" >/tmp/wirecheck.log 2>&1 &
wirecheck=$!
ready wirecheck
become left ./mimic run --datapath="$level" -f local=10.77.0.1:5000 -f 'local=[fd77::1]:5000' eth0 >/tmp/left.log 2>&1 &
left=$!
become right ./mimic run --datapath="$level" -f remote=10.77.0.1:5000 -f 'remote=[fd77::1]:5000' eth0 >/tmp/right.log 2>&1 &
right=$!
await $left left
await $right right
echo "both attached, up $(uptime_s) s"
load_facts $left

sizes=${PROBE_SIZES:-0-40,63-65,100,127-129,511-513,576,1000,1200,1280}
exchange 10.77.0.1 10.77.0.2 "$sizes,1459-1460"
exchange '[fd77::1]' '[fd77::2]' "$sizes,1439-1440"

in_ns left ./mimic show eth0 >/tmp/show.log 2>&1 || fail "mimic show"
grep -q Established /tmp/show.log || fail "mimic show tells of no established connection"
grep -q "^- Datapath: $expected\$" /tmp/show.log || fail "mimic show does not tell of level $expected"
cat /tmp/show.log
stop $left "mimic in left"
stop $right "mimic in right"
[ -z "$(ls /run/mimic/*.lock 2>/dev/null)" ] || fail "a lock file stays"
stop $wirecheck wirecheck
cat /tmp/wirecheck.log
[ -n "${MORE:-}" ] || echo "done, up $(uptime_s) s"
