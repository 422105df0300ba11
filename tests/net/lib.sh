# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Library of the network tests: . "$(dirname "$0")/lib.sh"
#
#   net_pair [MTU]
#
#       +-- NS_A ----------------+           +-- NS_B ----------------+
#       |  eth0 10.77.0.1/24     |   veth    |  eth0 10.77.0.2/24     |
#       |       fd77::1/64     o-+-----------+-o     fd77::2/64       |
#       +------------------------+           +------------------------+
#
#   net_router [MTU]
#
#       +-- NS_A ----------+      +-- NS_R (forwards) --------------+      +-- NS_B ----------+
#       |  eth0            |      |  eth0              eth1         |      |  eth0            |
#       |  10.77.1.1/24    | veth |  10.77.1.254       10.77.2.254  | veth |  10.77.2.1/24    |
#       |  fd77:1::1/64  o-+------+-o fd77:1::fe   fd77:2::fe     o-+------+-o fd77:2::1/64   |
#       +------------------+      +---------------------------------+      +------------------+
#
#   net_attacker: after net_router: a third host NS_C, 10.77.3.1 and fd77:3::1 on its eth0, at eth2 of NS_R, which forwards
#   whatever it sends, with whatever source
#
#   net_bridge [MTU]: as net_pair, with a bridge between the two: eth0 and eth1 of NS_R, its ports
#
#   net_chaos [MTU]: as net_pair, with a bad wire between the two: chaos_begin joins eth0 and eth1 of NS_R
#
#   net_tun [MTU]: as net_pair, with a TUN device tun0 at each end (no L2 header) instead of the veth pair
#
# The addresses of all are in A4 A6 B4 B6. Namespaces are called mimic-<pid>-a and so on, so that
# tests can run side by side; /run is the same in all of them.
#
# Environment, from the runner: MIMIC (the binary), TOOLS (folder of the test tools), TEST_TMP (an
# empty folder), MIMIC_LONG (not empty: long tests, too). Exit codes: 0 passed, 1 failed, 77
# skipped.
#
# Processes are started with `bg`, which records their pids; only those are ever killed.

set -u

MIMIC=${MIMIC:-mimic}
TOOLS=${TOOLS:-$(dirname "$0")/../tools}
LIB_TMP_OWN=
if [ -z "${TEST_TMP:-}" ]; then
	TEST_TMP=$(mktemp -d)
	LIB_TMP_OWN=$TEST_TMP
fi
mkdir -p "$TEST_TMP"
export MIMIC TOOLS TEST_TMP

NS_A=mimic-$$-a NS_B=mimic-$$-b NS_R=mimic-$$-r NS_C=mimic-$$-c
A4='' A6='' B4='' B6=''
declare -A LIB_PID=() LIB_IFACE=() LIB_MIMIC=() LIB_DROPPED=()
LIB_NAMESPACES=()
LIB_LAST_CAPTURE=
NO_TCX=
LIB_EXEC=
LIB_RATE=100 LIB_ANSWERS=0
TRAFFIC_LOST_MS=0 TRAFFIC_RETURN_MS=0

# --- results ---

note() {
	echo "# $*" >&2
}

# Prints why, the ends of the logs of what runs, and ends the test.
fail() {
	local name file

	echo "FAIL: $*" >&2
	for name in "${!LIB_PID[@]}"; do
		for file in "$TEST_TMP/$name.out" "$TEST_TMP/$name.err"; do
			[ -s "$file" ] || continue
			echo "--- $file" >&2
			tail -n 15 "$file" >&2
		done
		[ -z "${LIB_MIMIC[$name]:-}" ] || lib_show_counters "$name" >&2
	done
	exit 1
}

skip() {
	echo "SKIP: $*" >&2
	exit 77
}

# expect_eq GOT WANTED WHAT
expect_eq() {
	[ "$1" = "$2" ] || fail "${3:-value}: got '$1', wanted '$2'"
}

# expect_ge GOT LEAST WHAT
expect_ge() {
	[ "$1" -ge "$2" ] || fail "${3:-value}: got '$1', wanted at least '$2'"
}

# need COMMAND...: skips the test where one is missing
need() {
	local cmd

	[ "$(id -u)" = 0 ] || skip "needs root"
	for cmd; do
		command -v "$cmd" >/dev/null || skip "needs $cmd"
	done
}

# json_get FILE KEY: a value of the last line of FILE that is a flat JSON object; fails without it
json_get() {
	local line value

	line=$(grep '^{' "$1" | tail -n 1) || true
	value=$(printf '%s\n' "$line" |
		sed -nE 's/.*[{,]"'"$2"'":("([^"]*)"|(\[[^]]*\])|([^,"}]*)).*/\2\3\4/p')
	case $line in
	*"\"$2\":"*) printf '%s\n' "$value" ;;
	*) echo "json_get: no $2 in $1" >&2; return 1 ;;
	esac
}

# --- waiting ---

# wait_for SECONDS CONDITION...: polls CONDITION (a command or function) until it succeeds
wait_for() {
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))

	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# --- processes ---

# One letter or a namespace's full name.
lib_ns() {
	case $1 in
	a | A) echo "$NS_A" ;;
	b | B) echo "$NS_B" ;;
	r | R) echo "$NS_R" ;;
	c | C) echo "$NS_C" ;;
	*) echo "$1" ;;
	esac
}

# in_ns NS CMD...
in_ns() {
	local ns

	ns=$(lib_ns "$1")
	shift
	$LIB_EXEC ip netns exec "$ns" "$@"
}

in_a() { in_ns "$NS_A" "$@"; }
in_b() { in_ns "$NS_B" "$@"; }
in_r() { in_ns "$NS_R" "$@"; }

# bg NAME CMD...: starts CMD (may begin with in_a, in_b, in_r, in_ns or attack); its output goes to
# $TEST_TMP/NAME.out and .err, and the recorded pid is that of the program itself.
bg() {
	local name=$1

	shift
	[ -z "${LIB_PID[$name]:-}" ] || fail "bg: $name runs already"
	: >"$TEST_TMP/$name.out"
	: >"$TEST_TMP/$name.err"
	(
		trap - EXIT INT TERM
		case $1 in
		in_a | in_b | in_r | in_ns | attack) LIB_EXEC='exec' ;;
		*) set -- exec "$@" ;;
		esac
		"$@"
	) >"$TEST_TMP/$name.out" 2>"$TEST_TMP/$name.err" </dev/null &
	LIB_PID[$name]=$!
}

# pid_of NAME
pid_of() {
	echo "${LIB_PID[$1]:-}"
}

is_running() {
	[ -n "${LIB_PID[$1]:-}" ] && kill -0 "${LIB_PID[$1]}" 2>/dev/null
}

lib_not_running() {
	! is_running "$1"
}

# ready NAME [SECONDS]: waits for the READY that the test tools print
ready() {
	wait_for "${2:-5}" lib_ready_or_dead "$1"
	grep -qx READY "$TEST_TMP/$1.err" || fail "$1 did not start"
}

lib_ready_or_dead() {
	grep -qx READY "$TEST_TMP/$1.err" || lib_not_running "$1"
}

# end NAME [SECONDS]: waits for NAME to end by itself; returns its exit status, 124 if it had to
# be killed
end() {
	local pid=${LIB_PID[$1]:-} rc=0

	[ -n "$pid" ] || fail "end: no process $1"
	if ! wait_for "${2:-30}" lib_not_running "$1"; then
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
		rc=124
	else
		wait "$pid" || rc=$?
	fi
	unset "LIB_PID[$1]"
	return "$rc"
}

# stop NAME [SECONDS]: SIGTERM, then like end
stop() {
	is_running "$1" && kill -TERM "${LIB_PID[$1]}" 2>/dev/null
	end "$1" "${2:-5}"
}

# --- clean-up ---

lib_cleanup() {
	local rc=$? name ns

	trap - EXIT INT TERM
	for name in "${!LIB_PID[@]}"; do
		is_running "$name" && kill -TERM "${LIB_PID[$name]}" 2>/dev/null
	done
	for name in "${!LIB_PID[@]}"; do
		wait_for 3 lib_not_running "$name" || kill -KILL "${LIB_PID[$name]}" 2>/dev/null
		wait "${LIB_PID[$name]}" 2>/dev/null
	done
	for ns in "${LIB_NAMESPACES[@]}"; do
		ip netns del "$ns" 2>/dev/null
	done
	[ -z "$LIB_TMP_OWN" ] || [ "$rc" = 1 ] || rm -rf "$LIB_TMP_OWN"
	exit "$rc"
}

trap lib_cleanup EXIT
trap 'exit 1' INT TERM

# --- topologies ---

# make_ns NAME: a namespace with lo up and without IPv6 DAD; deleted at the end
make_ns() {
	ip netns add "$1" || skip "cannot make network namespaces"
	LIB_NAMESPACES+=("$1")
	ip -n "$1" link set lo up
	# shellcheck disable=SC2016
	ip netns exec "$1" sh -c '
		for d in all default; do
			echo 0 >/proc/sys/net/ipv6/conf/$d/accept_dad
			echo 0 >/proc/sys/net/ipv6/conf/$d/router_solicitations
			echo 0 >/proc/sys/net/ipv6/conf/$d/accept_ra
		done' 2>/dev/null || skip "needs IPv6"
}

# make_veth NS IFACE PEERNS PEERIFACE [MTU]
make_veth() {
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3" || fail "cannot make veth"
	ip -n "$1" link set "$2" mtu "${5:-1500}" up
	ip -n "$3" link set "$4" mtu "${5:-1500}" up
	LIB_IFACE[$1]="${LIB_IFACE[$1]:-} $2"
	LIB_IFACE[$3]="${LIB_IFACE[$3]:-} $4"
}

# make_addr NS IFACE ADDR/LEN...
make_addr() {
	local ns=$1 iface=$2 addr

	shift 2
	for addr; do
		case $addr in
		*:*) ip -n "$ns" addr add "$addr" dev "$iface" nodad ;;
		*) ip -n "$ns" addr add "$addr" dev "$iface" ;;
		esac || fail "cannot add $addr"
	done
}

# wait_link NS IFACE...: until its link-local address can be used (an MTU below 1280 has no IPv6)
wait_link() {
	local ns=$1 iface

	shift
	for iface; do
		wait_for 5 lib_link_ready "$ns" "$iface" || fail "$iface does not come up"
	done
}

lib_link_ready() {
	[ "$(ip netns exec "$1" cat "/sys/class/net/$2/mtu")" -lt 1280 ] && return
	[ -n "$(ip -n "$1" -6 addr show dev "$2" scope link)" ] &&
		! ip -n "$1" -6 addr show dev "$2" | grep -q tentative
}

net_pair() {
	need ip
	make_ns "$NS_A"
	make_ns "$NS_B"
	make_veth "$NS_A" eth0 "$NS_B" eth0 "${1:-1500}"
	A4=10.77.0.1 A6=fd77::1 B4=10.77.0.2 B6=fd77::2
	make_addr "$NS_A" eth0 $A4/24 $A6/64
	make_addr "$NS_B" eth0 $B4/24 $B6/64
	wait_link "$NS_A" eth0
	wait_link "$NS_B" eth0
}

net_router() {
	local ns n

	need ip
	for ns in "$NS_A" "$NS_R" "$NS_B"; do
		make_ns "$ns"
	done
	make_veth "$NS_A" eth0 "$NS_R" eth0 "${1:-1500}"
	make_veth "$NS_R" eth1 "$NS_B" eth0 "${1:-1500}"
	A4=10.77.1.1 A6=fd77:1::1 B4=10.77.2.1 B6=fd77:2::1
	make_addr "$NS_A" eth0 $A4/24 $A6/64
	make_addr "$NS_B" eth0 $B4/24 $B6/64
	make_addr "$NS_R" eth0 10.77.1.254/24 fd77:1::fe/64
	make_addr "$NS_R" eth1 10.77.2.254/24 fd77:2::fe/64
	in_r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	for n in a:1 b:2; do
		ns=$(lib_ns "${n%:*}")
		ip -n "$ns" route add default via "10.77.${n#*:}.254"
		ip -n "$ns" -6 route add default via "fd77:${n#*:}::fe"
		wait_link "$ns" eth0
	done
	wait_link "$NS_R" eth0 eth1
}

net_bridge() {
	local ns

	need ip
	for ns in "$NS_A" "$NS_R" "$NS_B"; do
		make_ns "$ns"
	done
	ip -n "$NS_R" link add br0 type bridge mcast_snooping 0 || skip "needs bridges"
	make_veth "$NS_A" eth0 "$NS_R" eth0 "${1:-1500}"
	make_veth "$NS_R" eth1 "$NS_B" eth0 "${1:-1500}"
	ip -n "$NS_R" link set eth0 master br0
	ip -n "$NS_R" link set eth1 master br0
	ip -n "$NS_R" link set br0 up
	A4=10.77.0.1 A6=fd77::1 B4=10.77.0.2 B6=fd77::2
	make_addr "$NS_A" eth0 $A4/24 $A6/64
	make_addr "$NS_B" eth0 $B4/24 $B6/64
	wait_link "$NS_A" eth0
	wait_link "$NS_B" eth0
}

net_tun() {
	local ns

	need ip
	[ -c /dev/net/tun ] || skip "needs TUN devices"
	make_ns "$NS_A"
	make_ns "$NS_B"
	bg tunpair "$TOOLS/tunpair" "/run/netns/$NS_A" tun0 "/run/netns/$NS_B" tun0
	ready tunpair
	A4=10.77.0.1 A6=fd77::1 B4=10.77.0.2 B6=fd77::2
	make_addr "$NS_A" tun0 $A4/24 $A6/64
	make_addr "$NS_B" tun0 $B4/24 $B6/64
	for ns in "$NS_A" "$NS_B"; do
		ip -n "$ns" link set tun0 mtu "${1:-1500}" up
		LIB_IFACE[$ns]=tun0
		wait_link "$ns" tun0
	done
	WIRE_IFACE=tun0
}

mac_of() {
	ip netns exec "$(lib_ns "$1")" cat "/sys/class/net/$2/address"
}

# static_neigh NS IFACE PEERNS PEERIFACE ADDR...: permanent neighbour entries, no ARP and ND
static_neigh() {
	local ns mac iface=$2 addr

	ns=$(lib_ns "$1")
	mac=$(mac_of "$3" "$4")
	shift 4
	for addr; do
		ip -n "$ns" neigh replace "$addr" lladdr "$mac" dev "$iface" nud permanent ||
			fail "neighbour $addr"
	done
}

# offload on|off [FEATURE...]: on all veth ends of the topology; default feature: tx (checksums).
# ethtool's short names: tx gro gso tso; also long ones such as tx-udp-segmentation.
offload() {
	local state=$1 ns iface feature args=()

	need ethtool
	shift
	[ $# -gt 0 ] || set -- tx
	for feature; do
		args+=("$feature" "$state")
	done
	for ns in "${!LIB_IFACE[@]}"; do
		for iface in ${LIB_IFACE[$ns]}; do
			ip netns exec "$ns" ethtool -K "$iface" "${args[@]}" >/dev/null ||
				fail "ethtool -K $iface ${args[*]}"
		done
	done
}

# --- Mimic ---

# in_order MODE: --in-order where the path keeps order, else nothing (not to be quoted). In skb mode the receiving end
# of a veth pair queues each packet to the CPU that sent it (netif_rx()), and the daemon, which releases the first
# datagrams of a flow, and the application run on different CPUs.
in_order() {
	[ "$1" = skb ] || echo --in-order
}

# lock_of NS IFACE: the path of the lock file
lock_of() {
	local ns inode index

	ns=$(lib_ns "$1")
	inode=$(stat -Lc %i "/run/netns/$ns") || return 1
	index=$(ip netns exec "$ns" cat "/sys/class/net/$2/ifindex") || return 1
	printf '/run/mimic/%x_%d.lock\n' "$inode" "$index"
}

# The pid line of the lock is that of the process, or the process is gone.
lib_mimic_up_or_dead() {
	grep -qsx "pid=${LIB_PID[$1]}" "$2" || lib_not_running "$1"
}

# start_mimic NS NAME ARGS...: `mimic run ARGS...`, until its lock file names it. The last argument
# is the interface.
start_mimic() {
	local ns name=$2 iface=${*: -1} lock

	ns=$(lib_ns "$1")
	shift 2
	lock=$(lock_of "$ns" "$iface") || fail "start_mimic: no interface $iface in $ns"
	LIB_MIMIC[$name]="$ns $iface"
	bg "$name" in_ns "$ns" "$MIMIC" run "$@"
	wait_for "${MIMIC_START_SECONDS:-20}" lib_mimic_up_or_dead "$name" "$lock" ||
		fail "$name: no pid=${LIB_PID[$name]} in $lock"
	is_running "$name" || fail "$name: mimic run ended"
}

# stop_mimic NAME: SIGTERM; has to end within 5 s and with status 0
stop_mimic() {
	local rc=0

	is_running "$1" || fail "$1: mimic had ended already"
	stop "$1" 5 || rc=$?
	[ "$rc" = 0 ] || { tail -n 20 "$TEST_TMP/$1.err" >&2; fail "$1: mimic ended with $rc"; }
}

# no_tcx: makes $NO_TCX, the mimic under test to which the kernel refuses tcx links, as before Linux 6.6
no_tcx() {
	need cc
	cat >"$TEST_TMP/no-tcx.c" <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <errno.h>

		int bpf_link_create(int program, int target, int type, const void *options)
		{
			int (*real)(int, int, int, const void *) = (int (*)(int, int, int, const void *))dlsym(RTLD_NEXT, "bpf_link_create");

			if (type != 46 && type != 47)
				return real(program, target, type, options);
			errno = EINVAL;
			return -EINVAL;
		}
	END
	cc -shared -fPIC -o "$TEST_TMP/no-tcx.so" "$TEST_TMP/no-tcx.c" -ldl || fail "no_tcx: cc"
	NO_TCX=$TEST_TMP/no-tcx
	cat >"$NO_TCX" <<-END
		#!/bin/sh
		LD_PRELOAD=$TEST_TMP/no-tcx.so ASAN_OPTIONS=verify_asan_link_order=0 exec $MIMIC "\$@"
	END
	chmod +x "$NO_TCX"
}

# --- what is on the wire ---

# capture [-n NAME] NS IFACE ARGS...: wirecheck in the background; default name: capture
capture() {
	local name=capture ns iface

	if [ "$1" = -n ]; then
		name=$2
		shift 2
	fi
	ns=$(lib_ns "$1") iface=$2
	shift 2
	bg "$name" in_ns "$ns" "$TOOLS/wirecheck" -i "$iface" "$@"
	ready "$name"
	LIB_LAST_CAPTURE=$name
}

# capture_end [NAME]: ends it; the summary is the last line of $TEST_TMP/NAME.out (json_get).
# Returns wirecheck's verdict.
capture_end() {
	local name=${1:-$LIB_LAST_CAPTURE} rc=0

	stop "$name" 10 || rc=$?
	[ "$rc" = 0 ] || tail -n 20 "$TEST_TMP/$name.err" >&2
	return "$rc"
}

# --- both ends of net_pair or net_router at once ---

# The interface of both ends that the captures are on.
WIRE_IFACE=eth0

# wire_begin PORTS [REQUIRE...]: captures what leaves and what reaches $WIRE_IFACE of A and B. What leaves is TCP with right
# checksums, numbers without gaps, no header flaw; what is handed up is UDP with right checksums. Further REQUIREs are
# those of wirecheck, for what leaves.
wire_begin() {
	local ports=$1 ns require args=()

	shift
	# (The daemon's control segments may leave a little behind data that is younger: odd_seq, ack_regress.)
	for require in seq_gaps=0 seq_overlaps=0 syn_no_opts=0 options_on_data=0 partial_csum=0 \
		bad_partial=0 padded=0 truncated=0 superpackets=0 fragments=0 dropped_by_capture=0 untracked=0 "$@"; do
		args+=(--require "$require")
	done
	LIB_DROPPED=([a]=$(lib_dropped a b) [b]=$(lib_dropped b a))
	for ns in a b; do
		capture -n "wire-$ns" "$ns" "$WIRE_IFACE" --port "$ports" --dir out --no-udp "${args[@]}"
		capture -n "up-$ns" "$ns" "$WIRE_IFACE" --port "$ports" --dir in --require tcp=0 \
			--require odd_partial_udp=0 --require dropped_by_capture=0
	done
}

# wire_end [LEAST]: waits until nothing moves at A and B any more and ends the captures; the wire carried at
# least LEAST (default 1) data segments each way, and each was handed up, but for those that the kernel dropped between
# the two, by its own count
wire_end() {
	local ns other least=${1:-1} sent up dropped

	wire_quiet
	for ns in a b; do
		capture_end "wire-$ns" || fail "what leaves $ns is not as it should be"
		capture_end "up-$ns" || fail "what $ns hands up is not as it should be"
	done
	for ns in a b; do
		other=a
		[ "$ns" = b ] || other=b
		sent=$(json_get "$TEST_TMP/wire-$ns.out" data) || fail "no summary"
		up=$(json_get "$TEST_TMP/up-$other.out" udp) || fail "no summary"
		expect_ge "$sent" "$least" "data segments from $ns"
		dropped=$(($(lib_dropped "$ns" "$other") - LIB_DROPPED[$ns]))
		[ "$dropped" = 0 ] || note "the devices dropped $dropped packets from $ns"
		expect_eq "$up" $((sent - dropped)) "datagrams restored from the segments of $ns"
	done
}

# wire_quiet: waits until the packet counters of A and B stand still for 0.2 s
wire_quiet() {
	local before='' now i

	for ((i = 0; i < 50; i++)); do
		now=$(lib_packets a)/$(lib_packets b)
		[ "$now" = "$before" ] && return
		before=$now
		sleep 0.2
	done
	note "the wire is never quiet"
}

lib_packets() {
	echo "$(lib_statistic "$1" "$WIRE_IFACE" rx_packets) $(lib_statistic "$1" "$WIRE_IFACE" tx_packets)"
}

# lib_dropped FROM TO: packets that the devices dropped behind the tap of FROM and in front of that of TO: the ring of 256
# packets, or the backlog of the CPU, was full. (What XDP drops is not among them.)
lib_dropped() {
	local sum out=eth1 in=eth0

	sum=$(lib_statistic "$1" "$WIRE_IFACE" tx_dropped)
	sum=$((sum + $(lib_statistic "$2" "$WIRE_IFACE" rx_dropped)))
	if [[ " ${LIB_NAMESPACES[*]} " = *" $NS_R "* ]]; then
		[ "$1" = a ] || { out=eth0 in=eth1; }
		sum=$((sum + $(lib_statistic r "$in" rx_dropped) + $(lib_statistic r "$out" tx_dropped)))
	fi
	echo "$sum"
}

# lost_by_kernel: packets for which devices and sockets of A and B had no room so far
lost_by_kernel() {
	local ns sum

	sum=$(($(lib_dropped a b) + $(lib_dropped b a)))
	for ns in a b; do
		sum=$((sum + $(in_ns $ns nstat -asz UdpRcvbufErrors Udp6RcvbufErrors |
			awk '/RcvbufErrors/ { sum += $2 } END { print sum + 0 }')))
	done
	echo "$sum"
}

# end_without_loss NAME SECONDS BEFORE: waits for the end of the udpflow NAME, which sends with --reply. Nothing was damaged or doubled, and
# what is missing the kernel had no room for, as lost_by_kernel counts it; BEFORE is what that said when the flow began.
end_without_loss() {
	local rc=0 missing lost

	end "$1" "$2" || rc=$?
	[ "$rc" != 124 ] || fail "$1 does not end"
	missing=$(json_get "$TEST_TMP/$1.out" missing) || fail "$1: no summary"
	expect_eq "$(json_get "$TEST_TMP/$1.out" corrupt) $(json_get "$TEST_TMP/$1.out" duplicate)" "0 0" "$1: corrupt and doubled datagrams"
	lost=$(($(lost_by_kernel) - $3))
	[ "$missing" = 0 ] || note "$1: $missing datagrams are missing, the kernel had no room for $lost"
	[ "$missing" -le "$lost" ] || fail "$1: $(cat "$TEST_TMP/$1.out"); the kernel had no room for $lost"
}

lib_statistic() {
	in_ns "$1" cat "/sys/class/net/$2/statistics/$3"
}

# counter NS IFACE REASON: a counter of the Mimic there (names: bpf/core/reason.h), summed over the CPUs
counter() {
	local index=-1 name id

	while read -r name; do
		index=$((index + 1))
		[ "$name" = "$3" ] && break
	done < <(lib_reasons)
	[ "$name" = "$3" ] || fail "counter: no reason is called $3"
	id=$(lib_counters_id "$1" "$2") || fail "counter: Mimic does not run on $2"
	bpftool -j map lookup id "$id" key $((index & 255)) $((index >> 8)) 0 0 | lib_sum_values
}

lib_reasons() {
	sed -nE 's/^[[:space:]]*X\([A-Z0-9_]+, "([a-z0-9_]+)".*/\1/p' \
		"${SRCDIR:-$(dirname "${BASH_SOURCE[0]}")/../..}/bpf/core/reason.h"
}

# The id of the map `counters` of the Mimic on NS IFACE.
lib_counters_id() {
	local lock prog id

	need bpftool
	lock=$(lock_of "$1" "$2") && prog=$(sed -n 's/^egress_id=//p' "$lock") || return
	for id in $(bpftool -j prog show id "$prog" | sed -nE 's/.*"map_ids":\[([0-9,]*)\].*/\1/p' | tr , ' '); do
		bpftool -j map show id "$id" | grep -q '"name":"counters"' || continue
		echo "$id"
		return
	done
	return 1
}

# Sums the values of one entry of a per-CPU map as bpftool's JSON shows it, bytes in hex or numbers.
lib_sum_values() {
	local value sum=0 i bytes

	while read -r value; do
		IFS=, read -ra bytes <<<"$value"
		for i in "${!bytes[@]}"; do
			sum=$((sum + (bytes[i] << (8 * i))))
		done
	done < <(sed 's/"formatted".*//' | grep -oE '"value":\["0x[^]]*\]' | sed -E 's/"value":\[|[]"]//g')
	echo "$sum"
}

lib_show_counters() {
	local where reason index=0 id value

	read -ra where <<<"${LIB_MIMIC[$1]}"
	id=$(lib_counters_id "${where[@]}" 2>/dev/null) || return 0
	echo "--- counters of $1"
	while read -r reason; do
		value=$(bpftool -j map lookup id "$id" key $((index & 255)) $((index >> 8)) 0 0 | lib_sum_values)
		[ "$value" = 0 ] || echo "$reason $value"
		index=$((index + 1))
	done < <(lib_reasons)
}

# --- a stateful firewall on the router ---

# strict_firewall IFACE: NS_R forwards only what belongs to a TCP connection that began on the side of IFACE, as conntrack
# sees it at its strictest. Every exception is counted (firewall_count) and goes to the NFLOG group 7.
strict_firewall() {
	need nft
	in_r sh -c 'cd /proc/sys/net/netfilter && echo 0 >nf_conntrack_tcp_be_liberal &&
		echo 0 >nf_conntrack_tcp_loose && echo 1 >nf_conntrack_checksum' || skip "needs conntrack"
	in_r nft -f - <<-END || skip "needs nftables with conntrack"
		table inet firewall {
			counter began { }
			counter valid { }
			counter invalid { }
			counter resets { }
			counter refused { }
			chain forward {
				type filter hook forward priority 0; policy drop;
				ct state invalid counter name invalid log group 7 drop
				tcp flags rst counter name resets
				ct state established,related counter name valid accept
				iifname $1 meta l4proto tcp ct state new counter name began accept
				counter name refused log group 7
			}
		}
	END
}

# firewall_count began|valid|invalid|resets|refused: packets
firewall_count() {
	in_r nft list counter inet firewall "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# firewall_is_content WHAT: nothing was invalid, refused or reset so far
firewall_is_content() {
	local name

	for name in invalid refused resets; do
		expect_eq "$(firewall_count $name)" 0 "$1: packets that the firewall counts as $name"
	done
}

# masquerade: what NS_R forwards to the side of B comes from its own address and other ports, both families
masquerade() {
	need nft
	in_r nft -f - <<-'END' || skip "needs nftables with masquerade"
		table inet nat {
			chain postrouting {
				type nat hook postrouting priority srcnat;
				oifname eth1 masquerade random
			}
		}
	END
}

# --- a bad network ---

net_chaos() {
	local ns

	need ip
	for ns in "$NS_A" "$NS_R" "$NS_B"; do
		make_ns "$ns"
	done
	make_veth "$NS_A" eth0 "$NS_R" eth0 "${1:-1500}"
	make_veth "$NS_R" eth1 "$NS_B" eth0 "${1:-1500}"
	A4=10.77.0.1 A6=fd77::1 B4=10.77.0.2 B6=fd77::2
	make_addr "$NS_A" eth0 $A4/24 $A6/64
	make_addr "$NS_B" eth0 $B4/24 $B6/64
	wait_link "$NS_A" eth0
	wait_link "$NS_B" eth0
	static_neigh a eth0 b eth0 $B4 $B6
	static_neigh b eth0 a eth0 $A4 $A6
}

# chaos_begin ARGS...: the wire of net_chaos, until chaos_end, with the options of tests/tools/chaos
chaos_begin() {
	bg chaos in_r "$TOOLS/chaos" "$@" eth0 eth1
	ready chaos
}

chaos_end() {
	stop chaos || fail "chaos ended with $?"
}

# chaos_count KEY: of the summary of the chaos that ended last; ab_data: what came from A, ab_data_out: what went on to B
chaos_count() {
	json_get "$TEST_TMP/chaos.out" "$1" || fail "chaos: no summary"
}

# --- how long traffic is interrupted ---

# The namespace whose application sends: a or b; the other one answers.
TRAFFIC_OF=a TRAFFIC_FLOWS=1 TRAFFIC_SIZES=100 TRAFFIC_COUNT=1000000

# traffic_begin FROM TO [RATE]: datagrams from TRAFFIC_OF, RATE (default 100) a second in all, of TRAFFIC_FLOWS sockets (ports from that of
# FROM on), until traffic_end; TO answers them. TRAFFIC_COUNT of each of TRAFFIC_SIZES, one after the other
traffic_begin() {
	local other=b

	[ "$TRAFFIC_OF" = a ] || other=a
	LIB_RATE=${3:-100}
	bg traffic-echo in_ns $other "$TOOLS/udpflow" echo --bind "$2"
	ready traffic-echo
	bg traffic in_ns "$TRAFFIC_OF" "$TOOLS/udpflow" send --bind "$1" --to "$2" --sizes "$TRAFFIC_SIZES" --count "$TRAFFIC_COUNT" --rate "$LIB_RATE" --reply \
		--flows "$TRAFFIC_FLOWS" --errors-ok --timeout 3600
}

# traffic_end: sets TRAFFIC_LOST_MS, the time that the datagrams without an answer stand for
# shellcheck disable=SC2034 # for the test
traffic_end() {
	stop traffic
	stop traffic-echo
	expect_eq "$(json_get "$TEST_TMP/traffic.out" corrupt) $(json_get "$TEST_TMP/traffic.out" duplicate)" "0 0" \
		"corrupt and doubled datagrams"
	TRAFFIC_LOST_MS=$(($(json_get "$TEST_TMP/traffic.out" missing) * 1000 / LIB_RATE))
}

# traffic_returns SECONDS: waits until the application of TRAFFIC_OF has an answer that it had not at the time of the call; sets
# TRAFFIC_RETURN_MS, the time until then
# shellcheck disable=SC2034
traffic_returns() {
	local start

	LIB_ANSWERS=$(lib_answers)
	start=$(now_ms)
	wait_for "$1" lib_has_answer || fail "no answer within $1 s"
	TRAFFIC_RETURN_MS=$(($(now_ms) - start))
}

# UDP datagrams that its sockets got
lib_answers() {
	in_ns "$TRAFFIC_OF" cat /proc/net/snmp /proc/net/snmp6 |
		awk '/^Udp: [0-9]/ { n += $2 } /^Udp6InDatagrams/ { n += $2 } END { print n }'
}

lib_has_answer() {
	[ "$(lib_answers)" -gt "$LIB_ANSWERS" ]
}

now_ms() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

# --- attackers ---

net_attacker() {
	make_ns "$NS_C"
	make_veth "$NS_R" eth2 "$NS_C" eth0
	make_addr "$NS_C" eth0 10.77.3.1/24 fd77:3::1/64
	make_addr "$NS_R" eth2 10.77.3.254/24 fd77:3::fe/64
	in_r sh -c 'for d in all eth0 eth1 eth2; do echo 0 >/proc/sys/net/ipv4/conf/$d/rp_filter; done'
	wait_link "$NS_C" eth0
	wait_link "$NS_R" eth2
	# Answers to addresses that are not there end at the router.
	ip -n "$NS_R" route add blackhole 198.18.0.0/15
	ip -n "$NS_R" -6 route add blackhole fd78::/16
	in_r sh -c 'sysctl -qw net.ipv4.icmp_ratelimit=1000 net.ipv4.icmp_msgs_per_sec=10'
	static_neigh a eth0 r eth0 10.77.1.254 fd77:1::fe
	static_neigh b eth0 r eth1 10.77.2.254 fd77:2::fe
	static_neigh r eth0 a eth0 "$A4" "$A6"
	static_neigh r eth1 b eth0 "$B4" "$B6"
}

# attack FROM TO KIND ARGS...: tests/tools/inject on NS_C
attack() {
	local from=$1 to=$2 kind=$3

	shift 3
	in_ns c "$TOOLS/inject" -i eth0 --dmac "$(mac_of r eth2)" --from "$from" --to "$to" --kind "$kind" "$@"
}

# numbers_of NS LOCAL-END: "SEQ ACK" of the first connection there, in decimal
numbers_of() {
	local numbers

	numbers=$(in_ns "$1" "$MIMIC" show -c eth0 | grep -F -A3 "Connection $2 " |
		sed -nE 's/.*seq (0x[0-9a-f]+), ack (0x[0-9a-f]+).*/\1 \2/p;T;q')
	[ -n "$numbers" ] || return 1
	echo $((${numbers% *})) $((${numbers#* }))
}
