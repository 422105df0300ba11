#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script, for a kernel without tcx: mimic as a filter of clsact, beside filters of others, and after kill -9. /t has
# guest-lib.sh, mimic and udpflow. Everything happens in left, whose `mimic local=...:5000` an ordinary one in right talks to.
. ./guest-lib.sh

FILTER=local=10.77.0.1:5000

# start [OPTION...]: mimic in left, whose process id is $left.
start()
{
	become left ./mimic run -f $FILTER "$@" eth0 >/tmp/left.log 2>&1 &
	left=$!
	await $left left
}

end() { stop $left "mimic in left"; }

kill_9()
{
	kill -9 $left
	wait $left
}

# carries WHAT: datagrams from right to left and back.
carries()
{
	echo "$1"
	in_ns right ./udpflow send --to 10.77.0.1:5000 --sizes 0-20,1460 --reply --wait 10 >/tmp/send.log 2>&1 || fail "$1: udpflow send"
	between "$(counter left tx_data)" 22 22 "$1: segments sent"
}

# ours POINT: the priorities of mimic's filters
ours() { in_ns left tc filter show dev eth0 "$1" | sed -nE 's/.* pref ([0-9]+) .* handle 0x4d696[de] .*/\1/p'; }

# stands INGRESS EGRESS WHAT: the priorities at which mimic has a filter, one at most
stands()
{
	equal "$(ours ingress)" "$1" "$3: ingress priority"
	equal "$(ours egress)" "$2" "$3: egress priority"
}

has_clsact() { in_ns left tc qdisc show dev eth0 | grep -q '^qdisc clsact '; }

# other ARGUMENT...: a filter of somebody else, which lets all packets go on
other() { in_ns left tc filter add dev eth0 "$@" action continue || fail "tc filter add $*"; }

# others POINT: how many filters of somebody else, by what each has for `action continue`
others() { in_ns left tc filter show dev eth0 "$1" | grep -c 'action continue'; }

uname -r
link_bridge
become left ./udpflow echo --bind 10.77.0.1:5000 --timeout 600 --idle 600 >/tmp/echo.log 2>&1 &
become right ./mimic run -f remote=10.77.0.1:5000 eth0 >/tmp/right.log 2>&1 &
await $! right
ready echo

start
stands 1 1 "alone"
carries "alone"
kill_9
stands 1 1 "killed"
start
stands 1 1 "after kill -9"
carries "after kill -9"
end
has_clsact && fail "the clsact of a killed instance stays"

# Nobody serves the filters of a killed instance: a start that fails removes them all the same.
start
carries "before a start that fails"
kill_9
stands 1 1 "killed, before a start that fails"
in_ns left ./mimic run --datapath=kfunc -f local=10.77.0.1:5000 eth0 >/tmp/refused.log 2>&1
equal $? 1 "exit status of a start that fails"
grep -q 'error.*Datapath kfunc is not possible' /tmp/refused.log || fail "the start failed for another reason"
stands "" "" "after a start that fails"
grep -q 'info.*Removed the TC filters of an instance that was killed' /tmp/refused.log || fail "no word about the filters"
has_clsact && fail "the clsact of a killed instance stays after a start that fails"
equal "$(in_ns left ip -o link | grep -c ': mimic')" 0 "staging devices after a start that fails"
equal "$(find /run/mimic -name '*.lock' | wc -l)" 1 "lock files after a start that fails"
in_ns left tc qdisc add dev eth0 clsact
start
kill_9
in_ns left ./mimic run --datapath=kfunc -f local=10.77.0.1:5000 eth0 >/tmp/refused.log 2>&1
stands "" "" "after a start that fails, somebody else's clsact"
has_clsact || fail "somebody else's clsact is gone after a start that fails"
in_ns left tc qdisc del dev eth0 clsact

in_ns left tc qdisc add dev eth0 clsact
in_ns left tc filter add dev eth0 ingress prio 1 protocol all bpf bytecode '1,6 0 0 0' || fail "tc filter add bpf"
other egress prio 1 protocol ip u32 match u32 0 0
other egress prio 2 protocol all matchall
start
stands 1 3 "beside bpf, u32 and matchall"
grep -c 'warn.*Other TC filters come first' /tmp/left.log | grep -qx 1 || fail "no warning for egress"
carries "beside bpf, u32 and matchall"
kill_9
in_ns left tc filter del dev eth0 egress prio 1
start
stands 1 1 "after kill -9, without u32"
equal "$(others egress)" 1 "filters of others"
equal "$(in_ns left tc filter show dev eth0 ingress | grep -c bytecode)" 1 "bpf filters of others"
in_ns left tc filter del dev eth0 egress prio 2
in_ns left tc filter del dev eth0 ingress prio 1 protocol all handle 1 bpf
end
has_clsact || fail "somebody else's clsact is gone, since it is empty"
stands "" "" "ended"
in_ns left tc qdisc del dev eth0 clsact

start
other egress prio 7 protocol all matchall
end
has_clsact || fail "clsact is gone with somebody else's filter in it"
equal "$(others egress)" 1 "filters of others that came later"
in_ns left tc qdisc del dev eth0 clsact

# The guard of plain UDP is behind Mimic, outlives it, and the qdisc goes with the last of the two, in whatever order they come.
guards() { equal "$(in_ns left tc filter show dev eth0 egress 2>/dev/null | grep -cE ' pref 65535 .* handle 0x4d756[78] ')" "$1" "guards $2"; }
plain_seen() { in_ns right nft list chain netdev seen in | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
# plain_leaves NUMBER WHAT: of two datagrams of a program without Mimic, that many arrive
plain_leaves()
{
	local before
	before=$(plain_seen)
	in_ns left ./udpflow send --to 10.77.0.2:6000 --bind 10.77.0.1:5001 --sizes 100,200 >/tmp/plain.log 2>&1
	equal $(($(plain_seen) - before)) "$1" "plain UDP that leaves $2"
}
in_ns right nft 'table netdev seen { chain in { type filter hook ingress device eth0 priority 0; udp sport 5001 counter; }; }' ||
	fail "nft"
FILTER=local=10.77.0.1:5000,udp=drop
guard() { in_ns left ./mimic guard -f $FILTER -f local=10.77.0.1:5001,udp=drop eth0 >/tmp/guard.log 2>&1 || fail "mimic guard"; }
plain_leaves 2 "without a guard"
guard
guards 1 "before Mimic"
plain_leaves 0 "before Mimic"
start -f local=10.77.0.1:5001,udp=drop
stands 1 1 "beside the guard"
carries "beside the guard"
kill_9
plain_leaves 0 "after kill -9"
start -f local=10.77.0.1:5001,udp=drop
end
guards 1 "after Mimic"
plain_leaves 0 "after Mimic"
in_ns left ./mimic stop --open eth0 || fail "mimic stop --open"
guards 0 "after mimic stop --open"
has_clsact && fail "the clsact of the guard stays"
plain_leaves 2 "after mimic stop --open"
start -f local=10.77.0.1:5001,udp=drop
guards 1 "that Mimic sets"
FILTER=local=10.77.0.1:5000
end
start
guards 0 "with Mimic, without udp=drop"
end
has_clsact && fail "the clsact of Mimic stays after a guard"

in_ns left tc qdisc add dev eth0 ingress
in_ns left ./mimic run -f local=10.77.0.1:5000 eth0 >/tmp/ingress.log 2>&1
equal $? 1 "exit status where the qdisc ingress is"
grep -q 'error.*tc qdisc add dev eth0 clsact' /tmp/ingress.log || fail "no word about the qdisc ingress"
stands "" "" "qdisc ingress"
in_ns left tc qdisc show dev eth0 | grep -q '^qdisc ingress ' || fail "somebody else's ingress qdisc is gone"
grep -l 'Kernel error message' /tmp/*.log && fail "noise"
echo "done, up $(uptime_s) s"
