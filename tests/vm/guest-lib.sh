# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# Library of the guest scripts: . ./guest-lib.sh (a FILE of vm_run). busybox sh, in /t; logs are /tmp/*.log.
#
#   link_bridge
#
#       +-- left -----------------+        +-- mid ------------------+        +-- right ----------------+
#       |  eth0 10.77.0.1/24      |  veth  |  toleft - br0 - toright |  veth  |  eth0 10.77.0.2/24      |
#       |       fd77::1/64      o-+--------+-o                     o-+--------+-o     fd77::2/64        |
#       +-------------------------+        +-------------------------+        +-------------------------+
#
# Nothing is timed, and nothing sleeps for something that can be polled: an emulated machine may be slow.
# A process is started by `become NS COMMAND... &`; its $! is then the program's own, for `stop`.
set -u

# fail WHY: says what is known, keeps the logs in the result, ends the script.
fail()
{
	local log ns

	echo "FAIL: $*"
	for ns in $(ip netns list | cut -d ' ' -f 1); do
		in_ns "$ns" ./mimic show eth0 >"/tmp/show-$ns.log" 2>&1
	done
	# Captures are complete when wirecheck has ended.
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null && wait
	for log in /tmp/*.log; do
		echo "--- $log"
		tail -n 60 "$log"
	done
	dmesg | tail -n 20
	cp /tmp/*.log /t/result/ 2>/dev/null
	exit 1
}

# in_ns NAMESPACE COMMAND...
in_ns() { /usr/sbin/ip netns exec "$@"; }

# The script's own process: $$ would be that of init, which runs it in a subshell.
read -r lib_pid _ </proc/self/stat

# become NAMESPACE COMMAND...: only with &; the job's process id is then the command's. (Without it, the script would end here.)
become()
{
	local pid
	read -r pid _ </proc/self/stat
	[ "$pid" != "$lib_pid" ] || fail "become without &: $*"
	exec /usr/sbin/ip netns exec "$@"
}

uptime_s() { cut -d ' ' -f 1 /proc/uptime; }

# poll SECONDS WHAT COMMAND...: waits until the command succeeds.
poll()
{
	local end=$(($(uptime_s | cut -d . -f 1) + $1)) what="$2"
	shift 2
	until "$@"; do
		[ "$(uptime_s | cut -d . -f 1)" -lt $end ] || fail "$what"
		sleep 0.2
	done
}

# equal GOT WANTED WHAT
equal() { [ "$1" = "$2" ] || fail "$3: $1, not $2"; }

# between GOT LEAST MOST WHAT
between() { { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; } || fail "$4: $1, not $2 to $3"; }

# value FILE KEY: a number of the last line of FILE that is a flat JSON object
value()
{
	local number
	number=$(grep '^{' "$1" | tail -n 1 | sed -nE 's/.*[{,]"'"$2"'":([0-9]+).*/\1/p')
	echo "${number:-none}"
}

make_ns()
{
	ip netns add "$1" || fail "ip netns add $1"
	ip -n "$1" link set lo up
	in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
}

link_bridge()
{
	local ns
	for ns in left mid right; do
		make_ns $ns
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

# await PID NAMESPACE: waits until that mimic is attached to eth0.
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

# ready LOG: waits for the READY of a test tool.
ready() { poll 30 "$1: not READY" grep -qsx READY "/tmp/$1.log"; }

# counter NAMESPACE NAME [INTERFACE]: a counter of the mimic there, as `mimic show` names it; 0 when it shows none
counter()
{
	in_ns "$1" ./mimic show -p "${3:-eth0}" |
		awk -v name="($2)" '$NF == name { n = $3 } END { print n + 0 }'
}

# no_drops NAMESPACE...: fails when the mimic there dropped a datagram that was to be sent. (Malformed are segments that came.)
no_drops()
{
	local ns
	for ns; do
		in_ns "$ns" ./mimic show -p eth0 | grep -E '\((drop_[a-z_]+|event_lost|handshake_failed)\)' |
			grep -vE '\((drop_rx_[a-z_]+|drop_malformed|drop_half_open|drop_reset_limit)\)' && fail "mimic in $ns dropped datagrams"
	done
}

# no_damage NAMESPACE...: fails when the mimic there got a segment of which it could not make a datagram again.
no_damage()
{
	local ns
	for ns; do
		in_ns "$ns" ./mimic show -p eth0 >/tmp/counters.log || fail "mimic show in $ns"
		grep -E '\(drop_rx_(restore|checksum|padding)\)' /tmp/counters.log && fail "mimic in $ns could not restore segments"
	done
}

# load_check NAMESPACE OPTION...: `mimic run --check`; what it says is in /tmp/load.log, how many seconds it took in $load_s.
load_check()
{
	local ns=$1 began status
	shift
	began=$(uptime_s)
	in_ns "$ns" ./mimic run --check "$@" -f local=10.77.0.1:5000 eth0 >/tmp/load.log 2>&1
	status=$?
	load_s=$(uptime_s | awk -v began="$began" '{ printf "%.1f", $1 - began }')
	return $status
}

# load_facts PID: a line for docs/kernels.md, which tests/vm/table.sh collects: level and object of the last load_check and its
# seconds, and how many instructions the verifier went through for each program of the mimic that runs with the same options.
load_facts()
{
	local file id insns name programs='' sum=0
	for file in /proc/"$1"/fdinfo/*; do
		# A link has a prog_id, too, but no number of instructions.
		id=$(sed -n 's/^prog_id:[^0-9]*//p' "$file" 2>/dev/null)
		insns=$(sed -n 's/^verified_insns:[^0-9]*//p' "$file" 2>/dev/null)
		[ -n "$id" ] && [ -n "$insns" ] || continue
		name=$(bpftool prog show id "$id" | sed -n 's/^[0-9]*: .* name mimic_\([a-z_]*\).*/\1/p')
		programs="$programs ${name:-unknown}=$insns"
		sum=$((sum + insns))
	done
	[ $sum -gt 0 ] || fail "the kernel tells of no program of process $1"
	# The full object is the only one that calls the module.
	echo "facts: $(uname -r) $(uname -m)" \
		"level=$(sed -n 's/.*Datapath: \([a-z]*\).*/\1/p' /tmp/load.log)" \
		"object=$(sed -n -e 's/.*Datapath: kfunc.*/full/p' -e 's/.*Datapath: bpf (\([a-z]*\) .*/\1/p' /tmp/load.log)" \
		"jit=$(cat /proc/sys/net/core/bpf_jit_enable 2>/dev/null || echo none) load_s=$load_s insns=$sum$programs"
}

# established NAMESPACE: how many connections are
established() { in_ns "$1" ./mimic show -c eth0 | grep -c 'State: Established'; }
