# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Library of the benchmarks: that of the network tests, and what things cost. Nothing is asserted but that the traffic was what it
# should have been. A benchmark compares subjects, each on both ends of one link (net_pair), in rounds: so what disturbs the machine
# does not hit one of them only.
#
#   plain         nothing: UDP over the same link
#   empty         a native XDP program and one at TC egress that do nothing
#   mimic-LEVEL   this program, at each level of LEVELS below that is possible here
#   NAME          of run's --vs NAME=PATH: another binary with the same command line
#
# Environment, from tests/bench/run: BENCH_SIZE: full (default), quick, or smoke, which shows only that a benchmark works; BENCH_VS, "NAME=PATH
# ..."; BENCH_RESULTS, a file to which each result is appended, as a line of JSON; BENCH_BY_RUN, where run prints them.

# shellcheck source-path=SCRIPTDIR source=../net/lib.sh
. "$(dirname "$0")/../net/lib.sh"

BENCH_DIR=$(cd "$(dirname "$0")" && pwd)
BENCH_NAME=${0##*/}
BENCH_RESULTS=${BENCH_RESULTS:-$TEST_TMP/results}
BENCH_STATS=$(cat /proc/sys/kernel/bpf_stats_enabled 2>/dev/null) || skip "needs kernel.bpf_stats_enabled"

# For the scripts.
# shellcheck disable=SC2034
case ${BENCH_SIZE:-full} in
full) ROUNDS=5 SECONDS_EACH=1 PACKETS=100000 ;;
quick) ROUNDS=3 SECONDS_EACH=0.3 PACKETS=30000 ;;
smoke) ROUNDS=1 SECONDS_EACH=0.1 PACKETS=3000 ;;
*) fail "BENCH_SIZE=$BENCH_SIZE: want full, quick or smoke" ;;
esac

# What each level is made of; those that --check refuses here are left out.
LEVELS=(
	"mimic-bpf -x native --datapath=bpf"
	"mimic-kfunc -x native --datapath=kfunc"
	"mimic-gso -x native --datapath=gso"
	"mimic-tc --ingress=tc"
	"mimic-skb -x skb --datapath=bpf"
)

SUBJECTS=() FILTERS_A=() FILTERS_B=()
declare -A BENCH_BINARY=() BENCH_OPTIONS=() BENCH_ATTACHED=() BENCH_IDLE=()
subject='' round=0
BASE=plain # the subject with which the others are compared

bench_cleanup() {
	local rc=$?

	echo "$BENCH_STATS" >/proc/sys/kernel/bpf_stats_enabled
	(exit $rc)
	lib_cleanup
}

trap bench_cleanup EXIT
need bpftool jq taskset

# stats on|off: run times of BPF programs; they cost something themselves
stats() {
	[ "$1" = off ] || { echo 1 >/proc/sys/kernel/bpf_stats_enabled; return; }
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
}

# --- results ---

# result WHAT UNIT VALUE: of $subject in this $round
result() {
	jq -nc --arg bench "$BENCH_NAME" --arg base "$BASE" --arg subject "$subject" --argjson round "$round" \
		--arg what "$1" --arg unit "$2" --arg value "$3" \
		'{$bench, $base, $subject, $round, $what, $unit, value: ($value | tonumber)}' >>"$BENCH_RESULTS" ||
		fail "$1 of $subject is no number: $3"
}

# calc EXPRESSION: of awk
calc() {
	awk "BEGIN { printf \"%.6g\", $1 }"
}

bench_done() {
	[ -n "${BENCH_BY_RUN:-}" ] || jq -rsf "$BENCH_DIR/summary.jq" "$BENCH_RESULTS" | jq -L "$BENCH_DIR" -rf "$BENCH_DIR/table.jq"
}

# --- subjects ---

# link: net_pair with fixed neighbours, and what the subjects carry: ports 5000 and 5001 of B, and 6000 of A; sets SUBJECTS
link() {
	net_pair 1500
	static_neigh a eth0 b eth0 "$B4"
	static_neigh b eth0 a eth0 "$A4"
	FILTERS_A=(-f "remote=$B4:5000" -f "remote=$B4:5001" -f "local=$A4:6000")
	FILTERS_B=(-f "local=$B4:5000" -f "local=$B4:5001" -f "remote=$A4:6000")
	bench_empty
	bench_subjects
}

bench_subjects() {
	local level name possible=$BENCH_RESULTS.levels

	SUBJECTS=(plain empty)
	[ "${BENCH_SIZE:-full}" != smoke ] || LEVELS=("${LEVELS[0]}")
	[ -e "$possible" ] || for level in "${LEVELS[@]}"; do
		# shellcheck disable=SC2086 # options
		! in_a "$MIMIC" run --check -q -f "local=$A4:6000" ${level#* } eth0 >/dev/null 2>&1 || echo "$level"
	done >"$possible"
	while read -r name level; do
		SUBJECTS+=("$name")
		BENCH_BINARY[$name]=$MIMIC BENCH_OPTIONS[$name]=$level
	done <"$possible"
	[ ${#SUBJECTS[@]} -gt 2 ] || fail "Mimic runs at no level here"
	[ "${BENCH_SIZE:-full}" != quick ] || leave_out mimic-skb
	for name in ${BENCH_VS:-}; do
		[ -z "${BENCH_BINARY[${name%%=*}]:-}" ] || fail "--vs $name: the name is that of a level"
		SUBJECTS+=("${name%%=*}")
		BENCH_BINARY[${name%%=*}]=${name#*=} BENCH_OPTIONS[${name%%=*}]='-x native'
	done
}

# leave_out SUBJECT: unless nothing else is there
leave_out() {
	local name others=()

	for name in "${SUBJECTS[@]}"; do
		[ "$name" = "$1" ] || others+=("$name")
	done
	[ ${#others[@]} -le 2 ] || SUBJECTS=("${others[@]}")
}

# Programs that do nothing, in $TEST_TMP/empty.o
bench_empty() {
	need "${CLANG:=clang}"
	cat >"$TEST_TMP/empty.c" <<-'END'
		__attribute__((section("xdp"), used)) int empty_ingress(void *ctx) { return 2; /* XDP_PASS */ }
		__attribute__((section("tc"), used)) int empty_egress(void *ctx) { return -1; /* TC_ACT_UNSPEC */ }
		char _license[] __attribute__((section("license"), used)) = "GPL";
	END
	"$CLANG" -O2 -target bpf -c "$TEST_TMP/empty.c" -o "$TEST_TMP/empty.o" || fail "clang"
}

is_mimic() {
	[ -n "${BENCH_BINARY[$subject]:-}" ]
}

# subject_up / subject_down: $subject on both ends
subject_up() {
	local ns

	if is_mimic; then
		# shellcheck disable=SC2086 # options
		MIMIC=${BENCH_BINARY[$subject]} start_mimic a mimic-a -q ${BENCH_OPTIONS[$subject]} "${FILTERS_A[@]}" eth0
		# shellcheck disable=SC2086
		MIMIC=${BENCH_BINARY[$subject]} start_mimic b mimic-b -q ${BENCH_OPTIONS[$subject]} "${FILTERS_B[@]}" eth0
	elif [ "$subject" = empty ]; then
		for ns in a b; do
			ip -n "$(lib_ns $ns)" link set eth0 xdpdrv obj "$TEST_TMP/empty.o" sec xdp || fail "xdp"
			tc -n "$(lib_ns $ns)" qdisc replace dev eth0 clsact
			tc -n "$(lib_ns $ns)" filter replace dev eth0 egress bpf da obj "$TEST_TMP/empty.o" sec tc || fail "tc"
			BENCH_ATTACHED[$ns]=$(ip -j -n "$(lib_ns $ns)" link show eth0 | jq '.[].xdp.prog.id'
				tc -j -n "$(lib_ns $ns)" filter show dev eth0 egress | jq '.[].options.prog.id // empty')
		done
	fi
}

subject_down() {
	local ns

	if is_mimic; then
		stop_mimic mimic-a
		stop_mimic mimic-b
	elif [ "$subject" = empty ]; then
		for ns in a b; do
			ip -n "$(lib_ns $ns)" link set eth0 xdpdrv off
			tc -n "$(lib_ns $ns)" qdisc del dev eth0 clsact
		done
	fi
}

# each_round COMMAND...: once for each subject in each round, with it on both ends
each_round() {
	for ((round = 1; round <= ROUNDS; round++)); do
		for subject in "${SUBJECTS[@]}"; do
			subject_up
			"$@"
			subject_down
		done
		note "$BENCH_NAME: round $round of $ROUNDS"
	done
}

# --- traffic ---

# on NS CPU COMMAND...: in the namespace, on that CPU
on() {
	local ns=$1 cpu=$2

	shift 2
	in_ns "$ns" taskset -c "$cpu" "$@"
}

# sink NAME NS CPU ADDR:PORT [ARGS...]
sink() {
	local name=$1 ns=$2 cpu=$3 bind=$4

	shift 4
	bg "$name" in_ns "$ns" taskset -c "$cpu" "$TOOLS/blast" sink --bind "$bind" "$@"
	ready "$name"
}

# For the scripts, which call functions that set these.
# shellcheck disable=SC2034
GOT=0 RATE=0 CPU_NS=0

# sink_end NAME: sets GOT, the datagrams that came, and RATE, those a second
sink_end() {
	local ns

	sleep 0.1 # what is under way
	stop "$1" || fail "$1: $(cat "$TEST_TMP/$1.err")"
	GOT=$(json_get "$TEST_TMP/$1.out" packets) ns=$(json_get "$TEST_TMP/$1.out" ns)
	[ "$GOT" -gt 10 ] || fail "$subject: $1 got $GOT datagrams: $(cat "$TEST_TMP/$1.out")"
	# shellcheck disable=SC2034
	RATE=$(calc "$GOT * 1e9 / $ns")
}

# flow CPU-FROM CPU-TO ADDR:PORT ARGS...: blast from port 4000 of A (or --bind) to a sink on B, which BENCH_SINK has arguments for; sets GOT and RATE
BENCH_SINK=''
flow() {
	local from=$1 to=$3

	# shellcheck disable=SC2086 # arguments
	sink sink b "$2" "$to" $BENCH_SINK
	shift 3
	[[ " $* " = *' --bind '* ]] || set -- --bind "$A4:4000" "$@"
	on a "$from" "$TOOLS/blast" send --to "$to" "$@" >"$TEST_TMP/send.out" || fail "$subject: send"
	sink_end sink
}

# --- what things cost ---

# cpu_begin / cpu_end: sets CPU_NS, what all CPUs worked between the two, for whomever
cpu_begin() {
	BENCH_IDLE[time]=${EPOCHREALTIME/[.,]/}
	BENCH_IDLE[ticks]=$(awk '$1 == "cpu" { print $5 + $6 }' /proc/stat)
}

cpu_end() {
	local us=$((${EPOCHREALTIME/[.,]/} - BENCH_IDLE[time])) ticks

	ticks=$(($(awk '$1 == "cpu" { print $5 + $6 }' /proc/stat) - BENCH_IDLE[ticks]))
	CPU_NS=$((us * 1000 * $(nproc --all) - ticks * (1000000000 / $(getconf CLK_TCK))))
	[ $CPU_NS -gt 0 ] || CPU_NS=0
}

# bench_ids END: the BPF programs of $subject there
bench_ids() {
	if is_running "mimic-$1"; then
		sed -n 's/^prog_id:[^0-9]*//p' /proc/"$(pid_of "mimic-$1")"/fdinfo/* 2>/dev/null | sort -nu
	else
		printf '%s\n' "${BENCH_ATTACHED[$1]:-}"
	fi
}

# bench_programs END: "PROGRAM RUNS NS" of each of them, so far
bench_programs() {
	local id

	bench_ids "$1" | while read -r id; do
		bpftool -j prog show id "$id" | jq -r '"\(.name) \(.run_cnt // 0) \(.run_time_ns // 0)"'
	done
}

# daemon_ns END: CPU time of the Mimic there
daemon_ns() {
	awk '{ ns += $1 } END { printf "%.0f\n", ns }' /proc/"$(pid_of "mimic-$1")"/task/*/schedstat
}

# cost_begin END / cost_of END PROGRAM: ns of each run between the two, of the programs whose name has PROGRAM in it; with stats on
cost_begin() {
	bench_programs "$1" >"$TEST_TMP/cost-$1"
	! is_running "mimic-$1" || daemon_ns "$1" >"$TEST_TMP/daemon-$1"
}

cost_of() {
	bench_costs "$1" | awk -v name="$2" 'index($1, name) { runs += $2; ns += $2 * $3 } END { if (runs) printf "%.1f", ns / runs }'
}

# "PROGRAM RUNS NS-EACH" since cost_begin
bench_costs() {
	bench_programs "$1" | awk '
	NR == FNR { runs[$1] += $2; ns[$1] += $3; next }
	{ runs_now[$1] += $2; ns_now[$1] += $3 }
	END {
		for (name in runs_now)
			if (runs_now[name] > runs[name])
				printf "%s %d %.1f\n", name, runs_now[name] - runs[name], (ns_now[name] - ns[name]) / (runs_now[name] - runs[name])
	}' "$TEST_TMP/cost-$1" - | sort
}

# cost_results END WHAT N: a result for each program that ran for one of a hundred of N packets, and the daemon's CPU time for each packet
cost_results() {
	local name runs each ns

	ns=$(($(daemon_ns "$1") - $(cat "$TEST_TMP/daemon-$1")))
	while read -r name runs each; do
		[ "$runs" -le $(($3 / 100)) ] || result "$2: $name" ns "$each"
	done < <(bench_costs "$1")
	result "$2: daemon" ns "$(calc "$ns / $3")"
}
