# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only
#
# Library of the guest scripts for two VMs (pair.sh): . ./guest-pair.sh. It adds to guest-lib.sh, whose namespaces are VMs here: `left`
# is where the script runs, `right` does what it is told over eth1. What runs in the background is known by a name:
#
#   on SIDE COMMAND...              runs it there, and returns its status
#   spawn SIDE NAME COMMAND...      starts it there; its output is /tmp/NAME.log there
#   finish SIDE NAME                SIGTERM; wants exit status 0
#   join SIDE NAME                  waits until it ends by itself; wants exit status 0
#   log_of SIDE NAME                prints its output
#
# Variables: host 1 (left) or 2 (right), as in addresses. All commands may use the functions of this file and of
# functions.sh, where that is; what has characters that
# are special to the shell has to be quoted twice.
# shellcheck source-path=SCRIPTDIR source=guest-lib.sh
. ./guest-lib.sh

host=1
[ "${SIDE:-left}" = left ] || host=2

# As in init: busybox sh prefers its own applets to what PATH finds.
ip() { /usr/sbin/ip "$@"; }
tc() { /usr/sbin/tc "$@"; }

# on SIDE COMMAND...
on()
{
	local side=$1 answer status
	shift
	if [ "$side" = "${SIDE:-left}" ]; then
		(eval "$*") </dev/null
		return
	fi
	answer=$(printf '%s\n' "$*" | nc -w 10 10.70.0.2 7)
	status=${answer##*@status }
	[ "$status" != "$answer" ] || status=125
	answer=${answer%@status *}
	[ -z "$answer" ] || printf '%s\n' "${answer%
}"
	return "$status"
}

# What guest-lib.sh calls a namespace.
in_ns() { on "$@"; }

# fail WHY: says what is known of both sides, and ends the script.
fail()
{
	echo "FAIL: $*"
	if [ "${SIDE:-left}" = left ]; then
		for side in left right; do
			echo "=== $side"
			on "$side" tell_all
		done
		cp /tmp/*.log /t/result/ 2>/dev/null
	fi
	exit 1
}

# tell_all: what is counted here, and the ends of the logs, after what runs here has been told to end, so that it says what it counted
tell_all()
{
	local log file
	timeout 10 ./mimic show -p eth0 | grep Packets:
	grep -h ^Udp: /proc/net/snmp
	grep ^Udp6 /proc/net/snmp6 | grep -v '	0$'
	for file in /tmp/*.pid; do
		[ ! -e "$file" ] || kill "$(cat "$file")"
	done 2>/dev/null
	sleep 2
	for file in /tmp/*.status; do
		[ ! -s "$file" ] || echo "$file: $(cat "$file")"
	done
	for log in /tmp/*.log; do
		[ -s "$log" ] || continue
		echo "--- $log"
		tail -n 12 "$log" | cut -c 1-250
	done
	ip -s link show eth0
	dmesg | tail -n 5
}

spawn()
{
	local side=$1
	shift
	on "$side" "spawn_here $*" || fail "start of $1 in $side"
}

spawn_here()
{
	local name=$1
	shift
	rm -f "/tmp/$name.log" "/tmp/$name.pid" "/tmp/$name.status"
	(
		"$@" >"/tmp/$name.log" 2>&1 </dev/null &
		echo $! >"/tmp/$name.new"
		mv "/tmp/$name.new" "/tmp/$name.pid"
		wait $!
		echo $? >"/tmp/$name.new"
		mv "/tmp/$name.new" "/tmp/$name.status"
	) >/dev/null 2>&1 </dev/null &
	poll 30 "start of $name" [ -s "/tmp/$name.pid" ]
}

ended_here() { [ -s "/tmp/$1.status" ]; }

# join_here NAME SECONDS: prints the exit status.
join_here()
{
	poll "$2" "$1 does not end" ended_here "$1"
	cat "/tmp/$1.status"
}

signal_here() { kill "-$2" "$(cat "/tmp/$1.pid")"; }

finish() { equal "$(on "$1" "signal_here $2 TERM && join_here $2 60")" 0 "$2 in $1: exit status"; }
join() { equal "$(on "$1" "join_here $2 ${3:-120}")" 0 "$2 in $1: exit status"; }
log_of() { on "$1" "cat /tmp/$2.log"; }

# ready_here NAME
ready_here() { grep -qsx READY "/tmp/$1.log" || ended_here "$1"; }
ready() { on "$1" "poll 60 '$2: not READY' ready_here $2"; }

# attached_here NAME: a lock file with its process id stands there, or it has ended.
attached_here() { grep -qsx "pid=$(cat "/tmp/$1.pid")" /run/mimic/*.lock || ended_here "$1"; }

# await SIDE NAME: waits until that mimic is attached.
await()
{
	on "$1" "poll 90 '$2 in $1 wrote no lock file' attached_here $2" || fail "$2 in $1"
	on "$1" "! ended_here $2" || fail "$2 in $1 ended"
}

# nic MAC NAME ADDRESS: the interface with that MAC address is NAME.
nic()
{
	[ "$(cat "/sys/class/net/$2/address" 2>/dev/null)" = "$1" ] || fail "$2 is not the NIC $1"
	ip addr add "$3" dev "$2"
	ip link set "$2" up || fail "$2 up"
}

# pair_up: the NICs of this VM, with addresses
pair_up()
{
	modprobe virtio_net
	modprobe -q e1000e
	sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
	nic 52:54:00:77:00:0$host eth0 10.77.0.$host/24
	ip addr add fd77::$host/64 dev eth0 nodad
	nic 52:54:00:70:00:0$host eth1 10.70.0.$host/24
	if [ -e /sys/class/net/eth2 ]; then
		nic 52:54:00:77:01:0$host eth2 10.78.0.$host/24
		ip addr add fd78::$host/64 dev eth2 nodad
	fi
}

# pair_begin: in left; both VMs are there and see each other.
pair_begin()
{
	pair_up
	trap pair_end EXIT
	poll 180 "right does not answer" on right true
	poll 30 "no ping on the wire" ping -c 1 -W 1 10.77.0.2 >/dev/null
	poll 30 "no IPv6 ping on the wire" ping -c 1 -W 1 fd77::2 >/dev/null
}

pair_end() { on right 'echo over >/tmp/over' || echo "right does not answer"; }

# echos SIDE NUMBER ADDRESS:PORT...: `udpflow echo` on each, called echoNUMBER and so on
echos()
{
	local side=$1 n=$2 to names=''
	shift 2
	for to; do
		names="$names echo$n"
		spawn "$side" "echo$n" ./udpflow echo --bind "$to" --timeout 1500 --idle 1500
		n=$((n + 1))
	done
	for n in $names; do
		ready "$side" "$n" || fail "$n in $side"
	done
}

# shellcheck disable=SC1091
[ ! -e functions.sh ] || . ./functions.sh
