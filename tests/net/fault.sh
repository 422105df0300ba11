# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# not a test
#
# For tests of what goes wrong while traffic flows, after lib.sh:
#
#   fault_begin                     net_pair, Mimic at both ends (mimic-a, with FAULT_ARGS_A in addition, and mimic-b)
#   fault WHAT BOUND COMMAND...     2000 datagrams a second from A, answered by B, while COMMAND does something bad, and undoes it. BOUND
#                                   is `unharmed`: no datagram is lost, and the wire carries nothing but the segments of the one connection;
#                                   `brief`: the same, but the kernel itself may drop the packets of 100 ms, which it does not count,
#                                   and does so without Mimic, too;
#                                   or a number: so many seconds later, at most, traffic is as before. In between nothing is damaged or
#                                   doubled. The daemons that live through it hold as many descriptors as before, and no more memory.
#   fault_start NS NAME ARGS...     start_mimic, and a note of the BPF objects that it has
#   fault_clean NS WHAT             nothing of Mimic is on eth0 of NS, no device or file is left
#   fault_says NAME TEXT            the log of NAME has it
#   fault_crosses WHAT PORT         a connection that begins now, from that port of A, loses nothing (IPv6)
#   fault_spray COUNT               a datagram of A to each of so many hosts in 10.96.0.0/14, port 7000, none of which is there
#   fault_neighbours                the ends know each other's MAC addresses (again)
#   fault_end                       ends both; then everything is clean, and no BPF object that a daemon ever had is left
#
# The flow is that from port 4000 of A to port 5000 of B; others may have other ports.

FAULT_RATE=2000
FAULT_MEMORY_KB=8192 # what a daemon may have more after a fault: there is a heap, and freed memory is not always given back
FAULT_ARGS_A=() FAULT_FILTERS_A=() FAULT_FILTERS_B=()
declare -A FAULT_PIDS=() FAULT_FDS=() FAULT_KB=()

fault_begin() {
	need bpftool
	net_pair
	fault_neighbours
	FAULT_FILTERS_A=(-f "remote=$B4:5000" -f "remote=[$B6]:5000")
	FAULT_FILTERS_B=(-f "local=$B4:5000" -f "local=[$B6]:5000")
	: >"$TEST_TMP/objects"
	fault_start b mimic-b "${FAULT_FILTERS_B[@]}" eth0
	fault_start a mimic-a "${FAULT_ARGS_A[@]}" "${FAULT_FILTERS_A[@]}" eth0
}

# ARP and ND are no part of this, and would take a second more after some faults.
fault_neighbours() {
	static_neigh a eth0 b eth0 "$B4" "$B6"
	static_neigh b eth0 a eth0 "$A4" "$A6"
}

fault_start() {
	start_mimic "$@"
	fault_objects "$(pid_of "$2")" >"$TEST_TMP/objects-new"
	expect_eq "$(comm -23 "$TEST_TMP/objects-new" <(fault_objects_there))" '' "BPF objects of $2 that bpftool does not show"
	cat "$TEST_TMP/objects-new" >>"$TEST_TMP/objects"
}

# The BPF objects that a process holds: lines such as `prog_id 12`.
fault_objects() {
	cat "/proc/$1/fdinfo/"* 2>/dev/null | sed -nE 's/^((prog|map|link)_id):[[:space:]]*([0-9]+)$/\1 \3/p' | sort -u
}

# What there is of them in the whole kernel.
fault_objects_there() {
	local kind

	for kind in prog map link; do
		bpftool $kind show | sed -nE "s/^([0-9]+): .*/${kind}_id \1/p"
	done | sort -u
}

fault_objects_left() {
	comm -12 <(sort -u "$TEST_TMP/objects") <(fault_objects_there)
}

fault_no_objects() {
	[ -z "$(fault_objects_left)" ]
}

fault_fds() {
	find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l
}

fault_kb() {
	sed -nE 's/^VmRSS:[[:space:]]*([0-9]+) kB$/\1/p' "/proc/$1/status"
}

# What the daemons have now.
fault_note() {
	local name pid

	FAULT_PIDS=()
	for name in "${!LIB_MIMIC[@]}"; do
		is_running "$name" || continue
		pid=$(pid_of "$name")
		FAULT_PIDS[$name]=$pid FAULT_FDS[$name]=$(fault_fds "$pid") FAULT_KB[$name]=$(fault_kb "$pid")
	done
}

fault_has_fds() {
	[ "$(fault_fds "${FAULT_PIDS[$1]}")" = "${FAULT_FDS[$1]}" ]
}

# Those that are still there have no more.
fault_compare() {
	local name kb

	for name in "${!FAULT_PIDS[@]}"; do
		[ "$(pid_of "$name")" = "${FAULT_PIDS[$name]}" ] || continue
		is_running "$name" || continue
		wait_for 3 fault_has_fds "$name" ||
			fail "$1: $name has $(fault_fds "$(pid_of "$name")") descriptors, before ${FAULT_FDS[$name]}: $(ls -l "/proc/$(pid_of "$name")/fd")"
		kb=$(fault_kb "$(pid_of "$name")")
		[ "$kb" -le $((FAULT_KB[$name] + FAULT_MEMORY_KB)) ] || fail "$1: $name has $kb kB, before ${FAULT_KB[$name]}"
		note "$1: $name: ${FAULT_FDS[$name]} descriptors, ${FAULT_KB[$name]} kB, now $kb kB"
	done
}

# Datagrams that A has sent and got: OUT IN
fault_counts() {
	in_a cat /proc/net/snmp | awk '/^Udp: [0-9]/ { print $5, $2 }'
}

# For half a second nearly all datagrams are answered.
fault_flows() {
	local before after

	read -ra before <<<"$(fault_counts)"
	sleep 0.5
	read -ra after <<<"$(fault_counts)"
	[ $((after[0] - before[0])) -ge $((FAULT_RATE / 10)) ] && [ $(((after[1] - before[1]) * 10)) -ge $(((after[0] - before[0]) * 9)) ]
}

fault_flow_begin() {
	# Of all sizes, again and again, for two minutes
	# shellcheck disable=SC2034 # of lib.sh
	TRAFFIC_SIZES=$(yes 100-1000 | head -n 256 | paste -sd ,) TRAFFIC_COUNT=1
	traffic_begin "$A4:4000" "$B4:5000" $FAULT_RATE
	wait_for 10 fault_flows || fail "$1: no flow before it"
}

# What leaves A during a fault that harms no connection.
fault_capture() {
	local gaps=()

	[ "$1" = brief ] || gaps=(--require seq_gaps=0)
	capture -n fault-wire a eth0 --port 4000 --dir out --no-udp "${gaps[@]}" --require seq_overlaps=0 --require syn=0 --require rst=0 \
		--require fin=0 --require dropped_by_capture=0
}

# fault_is_unharmed WHAT BOUND LOST: at the end of the flow, where LOST packets had been lost by the kernel before it
fault_is_unharmed() {
	local lost

	fault_flows || fault_flows || fail "$1: the flow has stopped"
	capture_end fault-wire || fail "$1: what A sends is not as it should be"
	traffic_end
	lost=$(($(lost_by_kernel) - $3))
	[ "$2" = unharmed ] || lost=$((lost + FAULT_RATE / 10))
	[ "$(json_get "$TEST_TMP/traffic.out" missing)" -le "$lost" ] || fail "$1: $(cat "$TEST_TMP/traffic.out"); the kernel had no room for $lost"
	note "$1: unharmed ($(json_get "$TEST_TMP/traffic.out" received) answers, $(json_get "$TEST_TMP/traffic.out" missing) missing)"
}

# fault_recovers WHAT BOUND START: the fault began at START, and is over
fault_recovers() {
	local over took

	over=$(now_ms)
	wait_for "$2" fault_flows || fail "$1: traffic is not back within $2 s"
	note "$1: traffic is back after $(($(now_ms) - over)) ms"
	took=$(($(now_ms) - $3))
	traffic_end
	note "$1: datagrams of $TRAFFIC_LOST_MS ms are lost"
	[ "$TRAFFIC_LOST_MS" -le $took ] || fail "$1: datagrams of $TRAFFIC_LOST_MS ms are lost, which took $took ms"
}

fault() {
	local what=$1 bound=$2 lost start

	shift 2
	fault_flow_begin "$what"
	fault_note
	lost=$(lost_by_kernel)
	[[ $bound = [0-9]* ]] || fault_capture "$bound"
	start=$(now_ms)
	"$@" || fail "$what: $*"
	if [[ $bound = [0-9]* ]]; then
		fault_recovers "$what" "$bound" "$start"
	else
		fault_is_unharmed "$what" "$bound" "$lost"
	fi
	fault_compare "$what"
}

fault_says() {
	grep -qF -- "$2" "$TEST_TMP/$1.err"
}

fault_crosses() {
	bg crosses-echo in_b "$TOOLS/udpflow" echo --bind "[$B6]:5000"
	ready crosses-echo
	in_a "$TOOLS/udpflow" send --bind "[$A6]:$2" --to "[$B6]:5000" --sizes 100 --count 20 --reply --wait 5 >"$TEST_TMP/send.out" ||
		fail "$1: a new connection: $(cat "$TEST_TMP/send.out")"
	stop crosses-echo
}

fault_spray() {
	if [ ! -e "$TEST_TMP/spray.py" ]; then
		need python3
		cat >"$TEST_TMP/spray.py" <<-'END'
			import socket, sys
			s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
			s.bind((sys.argv[1], 6000))
			for i in range(int(sys.argv[2])):
			    try:
			        s.sendto(b"x" * 20, ("10.%d.%d.%d" % (96 + (i >> 16), i >> 8 & 255, i & 255), 7000))
			    except OSError:
			        pass
		END
		ip -n "$NS_A" route add 10.96.0.0/14 via "$B4"
		ip -n "$NS_B" route add blackhole 10.96.0.0/14
	fi
	in_a python3 "$TEST_TMP/spray.py" "$A4" "$1" || fail "spray"
}

# The id of the XDP program on eth0. (What tcx has, bpftool of Debian 12 does not show: that no link is left, fault_end sees.)
fault_xdp() {
	ip -n "$(lib_ns "$1")" -d link show dev eth0 2>/dev/null | sed -nE 's/.*prog\/xdp id ([0-9]+).*/\1/p'
}

fault_clean() {
	local left

	expect_eq "$(fault_xdp "$1")" '' "$2: XDP program left on eth0 of $1"
	left=$(in_ns "$1" tc filter show dev eth0 egress 2>/dev/null; in_ns "$1" tc filter show dev eth0 ingress 2>/dev/null)
	expect_eq "$left" '' "$2: TC filters left on eth0 of $1"
	left=$(ip -n "$(lib_ns "$1")" -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\1/' | grep -vxE 'lo|eth0' | tr '\n' ' ')
	expect_eq "$left" '' "$2: devices left in $1"
	left=$(lock_of "$1" eth0) || return 0
	left=$(find "${left%/*}" -path "${left%.lock}.*")
	expect_eq "$left" '' "$2: files left of $1"
}

fault_end() {
	local ns

	for ns in a b; do
		is_running mimic-$ns || continue
		stop_mimic mimic-$ns
		fault_clean $ns "at the end"
	done
	wait_for 10 fault_no_objects || fail "BPF objects that are left: $(fault_objects_left | tr '\n' ',')"
	expect_ge "$(wc -l <"$TEST_TMP/objects")" 20 "BPF objects that were noted"
}
