#!/bin/sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
# Guest script, for a kernel without tcx: mimic as a filter of clsact, beside filters of others, and after kill -9. /t has
# guest-lib.sh, mimic and udpflow. Everything happens in left, whose `mimic local=...:5000` an ordinary one in right talks to.
. ./guest-lib.sh

# start: mimic in left, whose process id is $left.
start()
{
	become left ./mimic run -f local=10.77.0.1:5000 eth0 >/tmp/left.log 2>&1 &
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

in_ns left tc qdisc add dev eth0 ingress
in_ns left ./mimic run -f local=10.77.0.1:5000 eth0 >/tmp/ingress.log 2>&1
equal $? 1 "exit status where the qdisc ingress is"
grep -q 'error.*tc qdisc add dev IF clsact' /tmp/ingress.log || fail "no word about the qdisc ingress"
stands "" "" "qdisc ingress"
in_ns left tc qdisc show dev eth0 | grep -q '^qdisc ingress ' || fail "somebody else's ingress qdisc is gone"
grep -l 'Kernel error message' /tmp/*.log && fail "noise"
echo "done, up $(uptime_s) s"
